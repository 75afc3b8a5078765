// What the server tells about one edit: which frames there are, their measures, the finished videos. No pictures.

/** @typedef {{good: number, fair: number, best: number, words: string[]}} Scale good, fair: where they end; words: for good, fair, poor */

/**
 * @typedef {object} StateReply
 * @property {boolean} known
 * @property {string} epoch
 * @property {number} start
 * @property {number} since
 * @property {boolean} more
 * @property {"working" | "stopped" | "finished"} phase
 * @property {number} frame_rate
 * @property {number} total
 * @property {number} width
 * @property {number} height
 * @property {number[]} frames
 * @property {(number | null)[]} seam
 * @property {(number | null)[]} identity
 * @property {Record<"seam" | "identity", Scale>} scales
 * @property {number} batch pictures of so many frames fit into one reply
 * @property {{edited: {url: string}, source: {url: string} | null, start: number, sound: boolean} | null} finished
 */

const ASK_SECONDS = 20; // a call that takes longer counts as failed
const FIRST_WAIT = 1; // seconds until the first new attempt; doubles up to LAST_WAIT
const LAST_WAIT = 15;
const POLL_SECONDS = { working: 0.4, stopped: 4, hidden: 4 };

/** The way to the server. Failed calls make it `lost`; then only probes go out, ever more rarely, until one succeeds. */
class Link {
  /**
   * @param {Record<string, (asked: object) => Promise<any>>} server as Gradio hands it to the script
   * @param {() => void} onChange called when the connection is lost, tried again or back
   */
  constructor(server, onChange) {
    this.server = server;
    this.onChange = onChange;
    this.lost = false;
    this.failures = 0;
    this.retryAt = 0; // milliseconds, as Date.now()
  }

  /**
   * Call a function of the component.
   * @param {string} name
   * @param {object} asked
   * @returns {Promise<any>} the reply, or null where there was none
   */
  async ask(name, asked) {
    let timer = 0;
    const late = new Promise((resolve) => {
      timer = window.setTimeout(resolve, 1000 * ASK_SECONDS);
    });
    let reply;
    try {
      reply = await Promise.race([this.server[name](asked), late]); // Gradio gives undefined for a call that failed
    } catch {
      reply = undefined;
    }
    window.clearTimeout(timer);
    if (reply === undefined || reply === null) this.fail();
    else this.succeed();
    return reply ?? null;
  }

  /** Note a failure; the wait grows with each, a little differently for every visitor. */
  fail() {
    if (this.lost && Date.now() < this.retryAt) return; // a call that was still under way when the first one failed
    const wait = Math.min(LAST_WAIT, FIRST_WAIT * 2 ** this.failures);
    this.failures += 1;
    this.lost = true;
    this.retryAt = Date.now() + 1000 * wait * (0.9 + 0.2 * Math.random());
    this.onChange();
  }

  succeed() {
    const changed = this.lost;
    this.lost = false;
    this.failures = 0;
    if (changed) this.onChange();
  }
}

/** The frames of one edit as far as the server has told of them. */
class Feed {
  /** @type {"empty" | "working" | "stopped" | "finished"} */ phase;
  /** @type {boolean} whether the server knows the id */ known;
  /** @type {string} */ epoch;
  /** @type {number} */ since;
  /** @type {number} frames a second */ rate;
  /** @type {number} frames of the clip */ total;
  /** @type {number} */ width;
  /** @type {number} */ height;
  /** @type {number} frames that are made */ count;
  /** @type {Uint8Array} 1 for a made frame */ made;
  /** @type {Float32Array} NaN where it is not known */ seam;
  /** @type {Float32Array} */ identity;
  /** @type {StateReply["scales"] | null} until the server has sent them */ scales;
  /** @type {number} frames that may be asked for at once */ batch;
  /** @type {StateReply["finished"]} */ finished;

  /**
   * @param {Link} link
   * @param {{onNews: (frames: number[]) => void, onReset: () => void, isHidden: () => boolean, isGone: () => boolean}} tell
   */
  constructor(link, tell) {
    this.link = link;
    this.tell = tell;
    this.id = "";
    this.timer = 0;
    this.asking = false;
    this.forget();
  }

  /** Know nothing. */
  forget() {
    this.epoch = "";
    this.since = 0;
    this.known = true;
    this.phase = "empty";
    this.rate = 25;
    this.total = 0;
    this.width = 16;
    this.height = 9;
    this.count = 0;
    this.made = new Uint8Array(0);
    this.seam = new Float32Array(0);
    this.identity = new Float32Array(0);
    this.scales = null;
    this.batch = 1;
    this.finished = null;
  }

  /** Follow the edit with this id; "" for none. @param {string} id */
  open(id) {
    if (id === this.id) return;
    this.id = id;
    this.forget();
    this.tell.onReset();
    this.poll();
  }

  /** Ask at once, whatever the wait. */
  poll() {
    window.clearTimeout(this.timer);
    void this.ask();
  }

  /** Ask again when the link allows it: another call has failed. */
  probe() {
    if (this.asking) return; // it will see to it itself
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.ask(), Math.max(50, this.link.retryAt - Date.now()));
  }

  close() {
    this.id = "";
    window.clearTimeout(this.timer);
  }

  async ask() {
    if (this.tell.isGone()) return;
    if (!this.id || this.asking) return;
    const id = this.id;
    this.asking = true;
    const reply = await this.link.ask("player_state", { id, epoch: this.epoch, since: this.since });
    this.asking = false;
    if (this.tell.isGone()) return;
    if (id !== this.id) return void this.poll();
    if (reply) this.take(reply);
    const wait = this.wait(reply);
    window.clearTimeout(this.timer);
    if (wait !== null) this.timer = window.setTimeout(() => void this.ask(), 1000 * wait);
  }

  /** Seconds until the next question; null for none. @param {StateReply | null} reply */
  wait(reply) {
    if (this.link.lost) return Math.max(0.05, (this.link.retryAt - Date.now()) / 1000);
    if (reply?.known && reply.more) return 0;
    if (!this.known || this.phase === "finished") return null;
    if (this.tell.isHidden()) return POLL_SECONDS.hidden;
    return this.phase === "stopped" ? POLL_SECONDS.stopped : POLL_SECONDS.working;
  }

  /** Take a reply in. @param {StateReply} reply */
  take(reply) {
    this.known = reply.known;
    if (!reply.known) return this.tell.onNews([]);
    if (reply.start !== this.since || reply.total !== this.total) {
      this.forget();
      this.resize(reply);
      this.tell.onReset();
    }
    this.epoch = reply.epoch;
    this.since = reply.since;
    reply.frames.forEach((frame, i) => {
      this.count += 1 - this.made[frame];
      this.made[frame] = 1;
      this.seam[frame] = reply.seam[i] ?? NaN;
      this.identity[frame] = reply.identity[i] ?? NaN;
    });
    this.scales = reply.scales;
    this.batch = reply.batch;
    this.finished = reply.finished;
    this.phase = reply.phase;
    this.tell.onNews(reply.frames);
  }

  /** @param {StateReply} reply */
  resize(reply) {
    this.total = reply.total;
    this.rate = reply.frame_rate > 0 ? reply.frame_rate : 25;
    this.width = reply.width || 16;
    this.height = reply.height || 9;
    this.made = new Uint8Array(this.total);
    this.seam = new Float32Array(this.total).fill(NaN);
    this.identity = new Float32Array(this.total).fill(NaN);
  }

  /** The first made frame from `frame` on, or -1. @param {number} frame */
  next(frame) {
    return this.made.indexOf(1, Math.max(0, frame));
  }

  /** The last made frame up to `frame`, or -1. @param {number} frame */
  previous(frame) {
    return frame < 0 ? -1 : this.made.lastIndexOf(1, frame);
  }

  /**
   * How bad a frame's figure is: up to 1 good, up to 2 fair, up to 3 poor; NaN where it is not known.
   * @param {"seam" | "identity"} name
   * @param {number} frame
   */
  badness(name, frame) {
    if (!this.scales) return NaN;
    const { good, fair, best } = this.scales[name];
    const off = Math.abs(best - this[name][frame]);
    const [near, far] = [Math.abs(best - good), Math.abs(best - fair)];
    if (off <= near) return off / near;
    return off <= far ? 1 + (off - near) / (far - near) : Math.min(3, 2 + (off - far) / far);
  }

  /**
   * Which of the three grades a frame's figure has: 0 good, 1 fair, 2 poor.
   * @param {number} badness
   */
  static grade(badness) {
    return badness <= 1 ? 0 : badness <= 2 ? 1 : 2;
  }
}
