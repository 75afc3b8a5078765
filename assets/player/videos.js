// The finished edit: two videos in step. The edited one has the sound and sets the time; the source follows it.

const APART_SECONDS = 0.12; // the source jumps if it is farther off, and drifts into step if it is less
const STEP_SECONDS = 0.012; // near enough
const CHECK_MILLISECONDS = 200;
const METADATA_SECONDS = 3; // some browsers hold pictures back until somebody plays
const PICTURE_SECONDS = 20; // a busy machine takes long to decode, and some browsers do not before somebody plays
const SOME_DATA = 2; // HTMLMediaElement.HAVE_CURRENT_DATA
const ENOUGH_DATA = 3; // HTMLMediaElement.HAVE_FUTURE_DATA

class Videos {
  /**
   * @param {Record<Side, HTMLVideoElement>} elements
   * @param {Link} link
   * @param {{onEnd: () => void, onMuted: () => void, onBroken: () => void, isGone: () => boolean}} tell
   */
  constructor(elements, link, tell) {
    this.before = elements.before;
    this.after = elements.after;
    this.link = link;
    this.tell = tell;
    this.hasBefore = false; // whether the source can be played
    this.ready = false;
    this.wanted = false; // whether it should be playing
    this.start = 0;
    this.rate = 25;
    this.speed = 1;
    this.generation = 0;
    /** @type {number | null} where to go once the seek under way has ended */
    this.pending = null;
    this.checked = 0;
    this.before.muted = true;
    this.after.addEventListener("ended", () => this.tell.onEnd());
    this.after.addEventListener("seeked", () => this.settle());
    for (const video of [this.before, this.after]) {
      video.addEventListener("error", () => {
        if (this.ready) this.tell.onBroken();
      });
    }
    // A tab that is not drawn gets no animation frames, but sound goes on and has to end with the component.
    this.after.addEventListener("timeupdate", () => {
      if (this.tell.isGone()) this.close();
    });
  }

  /**
   * Fetch the videos.
   * @param {{edited: {url: string}, source: {url: string} | null, start: number}} finished
   * @param {number} rate
   * @returns {Promise<boolean>} whether the edited one can be played here
   */
  async load(finished, rate) {
    this.close();
    const { generation } = this;
    this.start = finished.start;
    this.rate = rate;
    const [after, before] = await Promise.all([
      this.fetch(this.after, finished.edited.url, generation),
      finished.source ? this.fetch(this.before, finished.source.url, generation) : false,
    ]);
    if (generation !== this.generation) return false;
    this.ready = after;
    this.hasBefore = after && before;
    if (!this.hasBefore) empty(this.before);
    if (!after) empty(this.after);
    return after;
  }

  /**
   * Fetch one video; as long as the server cannot be reached, again and again.
   * @param {HTMLVideoElement} video
   * @param {string} url
   * @param {number} generation
   */
  async fetch(video, url, generation) {
    const address = new URL(url, `${pageRoot()}/`).href;
    while (generation === this.generation && !this.tell.isGone()) {
      if (await loads(video, address)) return video.videoWidth > 0; // 0: only its sound can be played
      if (await reachable(address)) return false; // it is there, and this browser cannot play it
      this.link.fail();
      await new Promise((resolve) => {
        window.setTimeout(resolve, Math.max(100, this.link.retryAt - Date.now()));
      });
    }
    return false;
  }

  /** Let go of both. */
  close() {
    this.generation += 1;
    this.ready = this.hasBefore = this.wanted = false;
    this.pending = null;
    empty(this.before);
    empty(this.after);
  }

  /** The number of the frame that is shown. */
  get frame() {
    const time = this.pending ?? this.after.currentTime;
    return Math.floor(time * this.rate + 1e-3);
  }

  /** Show the middle of a frame's time, so that rounding cannot show its neighbour. @param {number} frame */
  seek(frame) {
    const time = (frame + 0.5) / this.rate;
    const last = Number.isFinite(this.after.duration) ? this.after.duration - 1e-3 : time;
    this.pending = Math.max(0, Math.min(time, last));
    if (!this.after.seeking) this.settle();
  }

  /** Wait until both have the picture that was sought: until then the frames are shown. */
  async arrive() {
    await Promise.all([arrives(this.after), this.hasBefore && arrives(this.before)]);
  }

  settle() {
    if (this.pending === null) return;
    const time = this.pending;
    this.pending = null;
    this.after.currentTime = time;
    if (this.hasBefore) this.before.currentTime = time + this.start;
  }

  /** @param {boolean} playing */
  setPlaying(playing) {
    this.wanted = playing;
    this.checked = 0;
    if (playing) return this.step(performance.now());
    this.after.pause();
    this.before.pause();
    if (this.ready && !this.after.ended) this.seek(this.frame); // both on the same frame
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.speed = speed;
    this.after.playbackRate = speed;
    this.before.playbackRate = speed;
  }

  /** Keep both going, and in step; called for each picture of the screen. @param {number} now milliseconds */
  step(now) {
    if (!this.ready || !this.wanted || now - this.checked < CHECK_MILLISECONDS) return;
    this.checked = now;
    const both = this.hasBefore ? [this.after, this.before] : [this.after];
    const starved = both.some((video) => video.readyState < ENOUGH_DATA && !nearEnd(video));
    for (const video of both) {
      if (starved && !video.paused) video.pause();
      if (!starved && video.paused && !video.ended) this.play(video);
    }
    if (this.hasBefore && !this.after.seeking && !this.before.seeking) this.follow();
  }

  /** Let the source follow the edited video. */
  follow() {
    const off = this.before.currentTime - this.start - this.after.currentTime;
    if (Math.abs(off) > APART_SECONDS) {
      this.before.currentTime = this.after.currentTime + this.start;
      this.before.playbackRate = this.speed;
    } else {
      const correction = Math.abs(off) < STEP_SECONDS ? 0 : Math.max(-0.1, Math.min(0.1, 2 * off));
      this.before.playbackRate = this.speed * (1 - correction);
    }
  }

  /** @param {HTMLVideoElement} video */
  play(video) {
    video.play().catch((/** @type {DOMException} */ error) => {
      // Browsers play sound only after a first click or key; without it the video goes on silently.
      if (error.name !== "NotAllowedError" || video.muted) return;
      video.muted = true;
      this.tell.onMuted();
      if (this.wanted) void video.play().catch(() => {});
    });
  }
}

/** @param {HTMLVideoElement} video */
function nearEnd(video) {
  return video.ended || video.currentTime >= video.duration - 0.1;
}

/** Once a video has a picture at its place, or after a while without one. @param {HTMLVideoElement} video */
function arrives(video) {
  return new Promise((resolve) => {
    const listening = new AbortController();
    const end = () => {
      window.clearTimeout(timer);
      listening.abort();
      resolve(undefined);
    };
    const timer = window.setTimeout(end, 1000 * PICTURE_SECONDS);
    const look = () => {
      if (!video.seeking && video.readyState >= SOME_DATA) end();
    };
    for (const name of ["seeked", "loadeddata", "canplay"])
      video.addEventListener(name, look, { signal: listening.signal });
    for (const name of ["error", "emptied"]) video.addEventListener(name, end, { signal: listening.signal });
    look();
  });
}

/** @param {HTMLVideoElement} video */
function empty(video) {
  if (!video.hasAttribute("src")) return;
  video.pause();
  video.removeAttribute("src");
  video.load();
}

/** Where Gradio's own routes begin. */
function pageRoot() {
  const config = /** @type {any} */ (window).gradio_config;
  return String(config?.root ?? new URL(".", document.baseURI).href).replace(/[/]+$/, "");
}

/** Whether a video has its first picture. @param {HTMLVideoElement} video @param {string} address */
function loads(video, address) {
  return new Promise((resolve) => {
    const listening = new AbortController();
    /** @param {boolean} loaded */
    const end = (loaded) => {
      listening.abort();
      resolve(loaded);
    };
    const { signal } = listening;
    video.addEventListener("loadeddata", () => end(true), { signal });
    video.addEventListener("error", () => end(false), { signal });
    video.addEventListener(
      "emptied",
      () => {
        if (!video.hasAttribute("src")) end(false);
      },
      { signal },
    );
    video.addEventListener("loadedmetadata", () => window.setTimeout(() => end(true), 1000 * METADATA_SECONDS), {
      signal,
    });
    video.src = address;
    video.load();
  });
}

/** @param {string} address */
async function reachable(address) {
  try {
    const reply = await fetch(address, { headers: { Range: "bytes=0-0" }, credentials: "same-origin" });
    await reply.body?.cancel();
    return true; // also where the file was deleted: another attempt would not bring it back
  } catch {
    return false;
  }
}
