// The scrubber, and under it the strip with seam and identity of each frame.

const ROW_PIXELS = 11;
const ROW_GAP = 3;
const LEAST_HEIGHT = 0.3; // of a bar's row, for the best value; the height says the same as the colour

/** Minutes, seconds and hundredths. @param {number} seconds */
function clock(seconds) {
  const hundredths = Math.round(100 * seconds);
  const rest = ((hundredths % 6000) / 100).toFixed(2).padStart(5, "0");
  return `${Math.floor(hundredths / 6000)}:${rest}`;
}

class Timeline {
  /**
   * @param {HTMLElement} root
   * @param {Feed} feed
   * @param {{onSeek: (frame: number) => void, onHold: (held: boolean) => void}} tell
   */
  constructor(root, feed, tell) {
    this.root = root;
    this.feed = feed;
    this.tell = tell;
    /** @type {HTMLElement} */
    this.scrubber = part(root, ".scrubber");
    /** @type {HTMLElement} */
    this.strip = part(root, ".strip");
    /** @type {HTMLCanvasElement} */
    this.bars = part(root, ".strip canvas");
    /** @type {HTMLCanvasElement} */
    this.made = part(root, ".made");
    /** @type {HTMLElement} */
    this.tip = part(root, ".tip");
    this.frame = 0;
    this.spoken = 0; // when the slider's text was last set
    this.drawing = 0;
    for (const rail of [this.scrubber, this.strip]) {
      rail.addEventListener("pointerdown", (event) => this.press(rail, event));
      rail.addEventListener("pointermove", (event) => this.showTip(this.frameAt(event.clientX)));
      rail.addEventListener("pointerleave", () => this.restTip());
    }
    this.scrubber.addEventListener("focus", () => this.restTip());
    this.scrubber.addEventListener("blur", () => this.restTip());
    this.sizes = new ResizeObserver(() => this.redraw());
    this.sizes.observe(this.scrubber);
    this.scheme = new MutationObserver(() => this.redraw()); // Gradio sets the class "dark" on the body
    this.scheme.observe(document.body, { attributeFilter: ["class"] });
  }

  close() {
    this.sizes.disconnect();
    this.scheme.disconnect();
    window.cancelAnimationFrame(this.drawing);
  }

  /** @param {number} x pixels in the window */
  frameAt(x) {
    const { left, width } = this.scrubber.getBoundingClientRect();
    const frame = Math.floor(((x - left) / Math.max(1, width)) * this.feed.total);
    return Math.max(0, Math.min(this.feed.total - 1, frame));
  }

  /** @param {HTMLElement} rail @param {PointerEvent} start */
  press(rail, start) {
    if (start.button !== 0 || !this.feed.total) return;
    start.preventDefault();
    this.scrubber.focus({ preventScroll: true });
    rail.setPointerCapture(start.pointerId);
    const held = new AbortController();
    /** @param {PointerEvent} event */
    const go = (event) => {
      if (event.pointerId === start.pointerId) this.tell.onSeek(this.frameAt(event.clientX));
    };
    const end = () => {
      held.abort();
      this.tell.onHold(false);
      if (start.pointerType === "touch") this.restTip();
    };
    this.tell.onHold(true);
    go(start);
    rail.addEventListener("pointermove", go, { signal: held.signal });
    rail.addEventListener("lostpointercapture", end, { signal: held.signal });
  }

  /** What is known of a frame, in words. @param {number} frame @returns {{title: string, seam: string, identity: string}} */
  describe(frame) {
    const { feed } = this;
    const title = fill(texts.frame_place, { frame: frame + 1, total: feed.total, time: clock(frame / feed.rate) });
    if (!feed.made[frame]) return { title, seam: texts.frame_unmade, identity: "" };
    /** @param {"seam" | "identity"} name */
    const say = (name) => {
      const badness = feed.badness(name, frame);
      if (Number.isNaN(badness) || !feed.scales) return "";
      const grade = feed.scales[name].words[Feed.grade(badness)];
      const figure = feed[name][frame].toFixed(name === "seam" ? 4 : 3);
      return fill(name === "seam" ? texts.seam_figure : texts.identity_figure, { figure, grade });
    };
    return { title, seam: say("seam"), identity: say("identity") };
  }

  /** @param {number} frame */
  showTip(frame) {
    if (!this.feed.total) return;
    const { title, seam, identity } = this.describe(frame);
    part(this.tip, ".tip-frame").textContent = title;
    for (const [name, text] of [
      ["seam", seam],
      ["identity", identity],
    ]) {
      const line = part(this.tip, `.tip-${name}`);
      line.textContent = text.charAt(0).toUpperCase() + text.slice(1);
      line.toggleAttribute("hidden", !text);
    }
    this.tip.hidden = false;
    const rail = this.scrubber.getBoundingClientRect();
    const { left, width } = this.root.getBoundingClientRect();
    const middle = rail.left - left + ((frame + 0.5) / this.feed.total) * rail.width;
    const half = this.tip.offsetWidth / 2;
    const offset = /** @type {HTMLElement} */ (this.tip.offsetParent)?.getBoundingClientRect().left - left;
    const x = Math.max(half + 4, Math.min(width - half - 4, middle)) - offset;
    this.tip.style.left = `${x}px`;
  }

  /** The numbers of the frame that is shown while the slider has the keyboard's focus, else none. */
  restTip() {
    if (this.scrubber.matches(":focus-visible")) this.showTip(this.frame);
    else this.tip.hidden = true;
  }

  /** Point at the frame that is shown. @param {number} frame @param {boolean} playing */
  point(frame, playing) {
    const { feed } = this;
    this.frame = frame;
    const place = feed.total > 1 ? (frame + 0.5) / feed.total : feed.total ? 0.5 : 0;
    this.root.style.setProperty("--place", `${100 * place}%`);
    part(this.root, ".now").textContent = clock(frame / feed.rate);
    const now = performance.now();
    if (playing && now - this.spoken < 1000) return; // a screen reader does not read out every frame
    this.spoken = now;
    const { title, seam, identity } = this.describe(Math.max(0, Math.min(frame, feed.total - 1)));
    this.scrubber.setAttribute("aria-valuemax", String(Math.max(1, feed.total)));
    this.scrubber.setAttribute("aria-valuenow", String(frame + 1));
    const text = feed.total ? [title, seam, identity].filter(Boolean).join(", ") : texts.no_frames;
    this.scrubber.setAttribute("aria-valuetext", text);
    if (!playing && !this.tip.hidden) this.restTip();
  }

  /** Draw again, with the next picture of the screen. */
  redraw() {
    window.cancelAnimationFrame(this.drawing);
    this.drawing = window.requestAnimationFrame(() => this.draw());
  }

  draw() {
    const { feed } = this;
    part(this.root, ".end").textContent = clock(feed.total / feed.rate);
    const width = Math.round(this.scrubber.clientWidth * window.devicePixelRatio);
    if (!width) return;
    const ratio = window.devicePixelRatio;
    const style = getComputedStyle(this.root);
    const colours = ["good", "fair", "poor"].map((name) => style.getPropertyValue(`--${name}`));
    const lengths = [fit(this.made, width, 4 * ratio), fit(this.bars, width, (2 * ROW_PIXELS + ROW_GAP) * ratio)];
    if (!feed.total || lengths.includes(null)) return;
    const [track, bars] = /** @type {CanvasRenderingContext2D[]} */ (lengths);
    track.fillStyle = style.getPropertyValue("--made");
    let poor = 0;
    for (const [row, name] of /** @type {["seam", "identity"]} */ (["seam", "identity"]).entries()) {
      const base = (row * (ROW_PIXELS + ROW_GAP) + ROW_PIXELS) * ratio;
      columns(feed.total, width, (x, span, first, last) => {
        let [worst, made] = [-1, 0];
        for (let frame = first; frame < last; frame += 1) {
          made += feed.made[frame];
          const badness = feed.badness(name, frame);
          if (badness > worst) worst = badness;
        }
        if (made && row === 0) track.fillRect(x, 0, span, 4 * ratio);
        if (worst < 0) return;
        const height = ROW_PIXELS * ratio * (LEAST_HEIGHT + ((1 - LEAST_HEIGHT) * worst) / 3);
        bars.fillStyle = colours[Feed.grade(worst)];
        bars.fillRect(x, base - height, span, height);
      });
      for (let frame = 0; frame < feed.total; frame += 1) if (feed.badness(name, frame) > 2) poor += 1;
    }
    this.bars.setAttribute("aria-label", fill(texts.figures_poor, { count: poor, frames: feed.count }));
  }
}

/**
 * A canvas of this many pixels, cleared.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
function fit(canvas, width, height) {
  canvas.width = width;
  canvas.height = Math.round(height);
  return canvas.getContext("2d");
}

/**
 * Share frames out over pixels: several frames to a column of a long clip, several columns to a frame of a short one.
 * @param {number} total
 * @param {number} width
 * @param {(x: number, span: number, first: number, last: number) => void} visit
 */
function columns(total, width, visit) {
  const count = Math.min(total, width);
  const gap = width / count >= 6 ? 1 : 0; // single frames stand apart where there is room
  for (let column = 0; column < count; column += 1) {
    const x = Math.floor((column * width) / count);
    const span = Math.floor(((column + 1) * width) / count) - x - gap;
    visit(x, span, Math.floor((column * total) / count), Math.floor(((column + 1) * total) / count));
  }
}
