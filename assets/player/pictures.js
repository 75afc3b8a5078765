// The window of pictures around the frame that is shown. JPEG bytes are held as blobs and decoded a few frames ahead.
// Nothing needs an object URL, so there is nothing to revoke: what leaves the window is dropped, decoded pictures are
// closed, and a frame that is wanted again is fetched again.

/** @typedef {{before: Blob, after: Blob, bytes: number}} Pair */
/** @typedef {{before: ImageBitmap, after: ImageBitmap}} Decoded */

const WINDOW_BYTES = 48e6;
const WINDOW_FRAMES = 900;
const AHEAD_SECONDS = 3;
const CALLS = 2; // at once; the browser allows six to a server, and Gradio holds two of them
const BATCH_BYTES = 1.5e6;
const FIRST_BATCH = 4; // while a picture is waited for
const DECODED_AHEAD = 8; // frames
const DECODES = 3; // at once
const MISSED_SECONDS = 3; // until a frame that the server did not give is asked for again

class Pictures {
  /**
   * @param {Link} link
   * @param {Feed} feed
   * @param {() => void} onArrive called when a frame can be shown
   */
  constructor(link, feed, onArrive) {
    this.link = link;
    this.feed = feed;
    this.onArrive = onArrive;
    /** @type {Map<number, Pair>} */
    this.held = new Map();
    this.bytes = 0;
    /** @type {Map<number, Decoded>} */
    this.decoded = new Map();
    /** @type {Set<number>} */
    this.decoding = new Set();
    /** @type {Map<number, number>} frame -> how often it was made anew when it was asked for */
    this.asked = new Map();
    /** @type {Map<number, number>} frame -> when it may be asked for again */
    this.missed = new Map();
    /** @type {Map<number, number>} */
    this.versions = new Map();
    this.calls = 0;
    this.fetched = 0; // frames, for looking at what the window costs
    this.generation = 0;
    this.decodeSeconds = 0.01; // of one frame, on average
    this.centre = 0;
    this.stride = 1;
    this.playing = false;
    this.loop = true;
    this.enabled = true;
  }

  /** Drop everything. */
  clear() {
    this.generation += 1;
    for (const frame of [...this.decoded.keys()]) this.close(frame);
    for (const map of [this.held, this.asked, this.missed, this.versions]) map.clear();
    this.decoding.clear();
    this.bytes = 0;
  }

  /** Frames that were made anew: what is held of them is out of date. @param {number[]} frames */
  renew(frames) {
    for (const frame of frames) {
      this.missed.delete(frame);
      if (!this.held.has(frame) && !this.asked.has(frame)) continue;
      this.versions.set(frame, (this.versions.get(frame) ?? 0) + 1);
      this.drop(frame);
      this.close(frame);
    }
  }

  /** Whether a made frame cannot be had at the moment. @param {number} frame */
  isMissed(frame) {
    return (this.missed.get(frame) ?? 0) > Date.now();
  }

  /**
   * Move the window.
   * @param {number} centre the frame that is or will be shown
   * @param {number} stride frames from one that is shown to the next
   * @param {boolean} playing
   * @param {boolean} loop
   */
  look(centre, stride, playing, loop) {
    this.centre = centre;
    this.stride = stride;
    this.playing = playing;
    this.loop = loop;
    if (!this.enabled) return;
    this.decode();
    this.fill();
  }

  /** The pictures of a frame, decoded. @param {number} frame */
  pair(frame) {
    return this.decoded.get(frame) ?? null;
  }

  /**
   * Made frames from the centre on, in the order in which they will be shown.
   * @param {number} limit
   * @param {number} stride
   */
  upcoming(limit, stride) {
    const { feed } = this;
    /** @type {number[]} */
    const frames = [];
    let frame = feed.next(this.centre);
    for (let i = 0; i < limit; i += 1) {
      if (frame < 0 && this.loop) frame = feed.next(0);
      if (frame < 0 || (i && frame === frames[0])) break;
      frames.push(frame);
      frame = feed.next(frame + stride);
    }
    return frames;
  }

  /** Ask for what is missing in the window. */
  fill() {
    while (this.calls < CALLS && !this.link.lost && this.feed.id) {
      const frames = this.missing();
      if (!frames.length) return;
      void this.fetch(frames);
    }
  }

  missing() {
    const size = this.held.size ? this.bytes / this.held.size : BATCH_BYTES / FIRST_BATCH;
    const afford = Math.max(2, Math.floor((0.7 * WINDOW_BYTES) / size));
    const ahead = this.playing ? Math.max(12, Math.ceil((AHEAD_SECONDS * this.feed.rate) / this.stride)) : 6;
    const wanted = this.upcoming(Math.min(ahead, afford), this.playing ? this.stride : 1);
    if (!this.playing) {
      for (let back = this.feed.previous(this.centre - 1), i = 0; back >= 0 && i < 3; i += 1) {
        wanted.push(back);
        back = this.feed.previous(back - 1);
      }
    }
    const urgent = wanted.length > 0 && !this.held.has(wanted[0]);
    const batch = Math.max(1, Math.min(this.feed.batch, Math.floor(BATCH_BYTES / size), urgent ? FIRST_BATCH : 99));
    return wanted
      .filter((frame) => !this.held.has(frame) && !this.asked.has(frame) && !this.isMissed(frame))
      .slice(0, batch);
  }

  /** @param {number[]} frames */
  async fetch(frames) {
    const { generation } = this;
    for (const frame of frames) this.asked.set(frame, this.versions.get(frame) ?? 0);
    this.calls += 1;
    const reply = await this.link.ask("player_frames", { id: this.feed.id, frames });
    this.calls -= 1;
    if (generation === this.generation) {
      for (const [frame, before, after] of reply?.pictures ?? []) this.take(frame, before, after);
      for (const frame of frames) this.asked.delete(frame);
      if (reply && !reply.pictures?.length) for (const frame of frames) this.miss(frame);
      this.evict();
    }
    this.look(this.centre, this.stride, this.playing, this.loop);
    this.onArrive();
  }

  /**
   * @param {number} frame
   * @param {string | null} before base64
   * @param {string | null} after
   */
  take(frame, before, after) {
    if (this.asked.get(frame) !== (this.versions.get(frame) ?? 0)) return; // made anew meanwhile
    if (before === null || after === null) return this.miss(frame);
    const pair = { before: jpeg(before), after: jpeg(after), bytes: 0 };
    pair.bytes = pair.before.size + pair.after.size;
    this.drop(frame);
    this.held.set(frame, pair);
    this.bytes += pair.bytes;
    this.fetched += 1;
  }

  /** @param {number} frame */
  miss(frame) {
    this.missed.set(frame, Date.now() + 1000 * MISSED_SECONDS);
  }

  /** Let go of what is farthest from being shown. */
  evict() {
    if (this.bytes <= WINDOW_BYTES && this.held.size <= WINDOW_FRAMES) return;
    const { centre, loop, feed } = this;
    /** @param {number} frame */
    const distance = (frame) => {
      if (frame >= centre) return frame - centre;
      return Math.min(loop ? feed.total + frame - centre : Infinity, 2 * (centre - frame));
    };
    const farthest = [...this.held.keys()].sort((a, b) => distance(b) - distance(a));
    for (const frame of farthest) {
      if (this.bytes <= 0.9 * WINDOW_BYTES && this.held.size <= 0.9 * WINDOW_FRAMES) break;
      this.drop(frame);
    }
  }

  /** @param {number} frame */
  drop(frame) {
    this.bytes -= this.held.get(frame)?.bytes ?? 0;
    this.held.delete(frame);
  }

  /** @param {number} frame */
  close(frame) {
    const pair = this.decoded.get(frame);
    pair?.before.close();
    pair?.after.close();
    this.decoded.delete(frame);
  }

  /** Decode the next few frames, close all others. */
  decode() {
    const wanted = this.upcoming(this.playing ? DECODED_AHEAD : 2, this.playing ? this.stride : 1);
    for (const frame of [...this.decoded.keys()]) if (!wanted.includes(frame)) this.close(frame);
    for (const frame of wanted) {
      if (this.decoding.size >= DECODES) return;
      const pair = this.held.get(frame);
      if (pair && !this.decoded.has(frame) && !this.decoding.has(frame)) void this.unpack(frame, pair);
    }
  }

  /**
   * @param {number} frame
   * @param {Pair} pair
   */
  async unpack(frame, pair) {
    const { generation } = this;
    const started = performance.now();
    this.decoding.add(frame);
    const made = await Promise.allSettled([createImageBitmap(pair.before), createImageBitmap(pair.after)]);
    const [before, after] = made.map((result) => (result.status === "fulfilled" ? result.value : null));
    const current = generation === this.generation && this.held.get(frame) === pair;
    if (generation === this.generation) this.decoding.delete(frame);
    if (current && before && after) {
      this.close(frame);
      this.decoded.set(frame, { before, after });
      this.decodeSeconds += 0.1 * ((performance.now() - started) / 1000 / DECODES - this.decodeSeconds);
    } else {
      before?.close();
      after?.close();
      if (current) {
        this.drop(frame);
        this.miss(frame);
      }
    }
    this.decode();
    this.onArrive();
  }
}

/** @param {string} text base64 */
function jpeg(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = characters.charCodeAt(i);
  return new Blob([bytes], { type: "image/jpeg" });
}
