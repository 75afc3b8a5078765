// The two pictures and how they are compared: a divider that can be dragged, side by side, or one after the other.

/** @typedef {"divider" | "sides" | "flicker"} Mode */
/** @typedef {"before" | "after"} Side */

/** @type {Mode[]} */
const MODES = ["divider", "sides", "flicker"];
const SPLIT_STEP = 2; // per cent for an arrow key
const SPLIT_LEAP = 10; // with shift
const CLICK_PIXELS = 4; // a press that moves less is a click
const FLICKER_MILLISECONDS = 600; // well below three changes a second

/**
 * An element of the template; it is there, or the template and the script do not belong together.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {T}
 */
function part(root, selector) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`player.html has no ${selector}`);
  return /** @type {T} */ (found);
}

class Stage {
  /**
   * @param {HTMLElement} root the player
   * @param {{onPress: () => void, onSplit: () => void}} tell a click on the picture; the divider was let go
   */
  constructor(root, tell) {
    this.root = root;
    this.tell = tell;
    /** @type {HTMLElement} */
    this.pictures = part(root, ".pictures");
    /** @type {HTMLElement} */
    this.divider = part(root, ".divider");
    /** @type {HTMLElement} */
    this.swapButton = part(root, ".swap");
    /** @type {HTMLElement} */
    this.unmade = part(root, ".unmade");
    /** @type {Record<Side, HTMLCanvasElement>} */
    this.canvases = { before: part(root, ".before canvas"), after: part(root, ".after canvas") };
    /** @type {Record<Side, HTMLVideoElement>} */
    this.videos = { before: part(root, ".before video"), after: part(root, ".after video") };
    /** @type {Record<Side, string>} what the sides are called where nobody says otherwise */
    this.usual = { before: texts.before, after: texts.after };
    /** @type {Record<Side, string>} */
    this.names = { ...this.usual };
    this.split = 50; // per cent from the left
    /** @type {Mode} */
    this.mode = "divider";
    /** @type {Side} what flicker shows */
    this.face = "after";
    this.flickerTimer = 0;
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.still.addEventListener("change", () => this.setMode(this.mode));
    this.pictures.addEventListener("pointerdown", (event) => this.press(event));
    this.divider.addEventListener("keydown", (event) => this.key(event));
    this.swapButton.addEventListener("click", () => this.swap());
    this.setSplit(this.split);
    this.setMode(this.mode);
  }

  /** Show the clip's shape before its first picture is there. @param {number} width @param {number} height */
  setSize(width, height) {
    this.root.style.setProperty("--wide", String(width));
    this.root.style.setProperty("--high", String(height));
    this.root.dataset.shape = width > height ? "wide" : "tall"; // wide ones stand one above the other on a phone
  }

  /** Say what stands on the left and on the right; null for what usually does. @param {(string | null)[]} names */
  setNames([before, after]) {
    this.names = { before: before ?? this.usual.before, after: after ?? this.usual.after };
    for (const side of /** @type {Side[]} */ (["before", "after"])) {
      part(this.root, `.${side} .tag`).textContent = this.names[side];
      this.canvases[side].setAttribute("aria-label", this.names[side]);
    }
    this.show(this.face);
  }

  /** @param {Mode} mode */
  setMode(mode) {
    this.mode = mode;
    this.root.dataset.mode = mode;
    window.clearInterval(this.flickerTimer);
    this.show("after");
    if (mode === "flicker" && !this.still.matches) this.beat();
  }

  /** Let the pictures take turns. A visitor who asked for less motion swaps them by hand. */
  beat() {
    window.clearInterval(this.flickerTimer);
    this.flickerTimer = window.setInterval(() => {
      if (!this.root.isConnected) window.clearInterval(this.flickerTimer);
      this.show(this.face === "after" ? "before" : "after");
    }, FLICKER_MILLISECONDS);
  }

  swap() {
    if (this.mode !== "flicker") return;
    this.show(this.face === "after" ? "before" : "after");
    if (!this.still.matches) this.beat();
  }

  /** @param {Side} face */
  show(face) {
    this.face = face;
    this.root.dataset.face = face;
    part(this.swapButton, ".swap-name").textContent = this.names[face];
  }

  /** @param {number} split per cent */
  setSplit(split) {
    this.split = Math.min(100, Math.max(0, split));
    this.root.style.setProperty("--split", `${this.split}%`);
    const shown = Math.round(this.split);
    this.divider.setAttribute("aria-valuenow", String(shown));
    this.divider.setAttribute("aria-valuetext", fill(texts.cut_at, { before: shown, after: 100 - shown }));
  }

  /** A press on the picture: dragging moves the divider, a click plays or pauses. @param {PointerEvent} start */
  press(start) {
    if (start.button !== 0) return;
    const onDivider = this.divider.contains(/** @type {Node} */ (start.target));
    const { left, width } = this.pictures.getBoundingClientRect();
    // The grip stays under the finger where it was taken hold of; a drag from elsewhere brings the divider there.
    const held = onDivider ? (this.split / 100) * width + left - start.clientX : 0;
    let dragged = false;
    /** @param {PointerEvent} event */
    const move = (event) => {
      if (event.pointerId !== start.pointerId) return;
      dragged ||= Math.abs(event.clientX - start.clientX) >= CLICK_PIXELS;
      if (dragged && this.mode === "divider") {
        this.root.dataset.dragging = "true";
        this.setSplit((100 * (event.clientX + held - left)) / width);
      }
    };
    /** @param {PointerEvent} event */
    const end = (event) => {
      if (event.pointerId !== start.pointerId) return;
      for (const name of ["pointermove", "pointerup", "pointercancel"]) {
        this.pictures.removeEventListener(name, name === "pointermove" ? move_ : end_);
      }
      delete this.root.dataset.dragging;
      if (dragged) this.tell.onSplit();
      else if (event.type === "pointerup" && !onDivider) this.tell.onPress();
    };
    const move_ = /** @type {EventListener} */ (move);
    const end_ = /** @type {EventListener} */ (end);
    this.pictures.setPointerCapture(start.pointerId);
    this.pictures.addEventListener("pointermove", move_);
    this.pictures.addEventListener("pointerup", end_);
    this.pictures.addEventListener("pointercancel", end_);
    (onDivider ? this.divider : this.root).focus({ preventScroll: true });
    start.preventDefault(); // no text is selected, no picture is dragged away
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = event.shiftKey ? SPLIT_LEAP : SPLIT_STEP;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowLeft: this.split - step,
      ArrowDown: this.split - step,
      ArrowRight: this.split + step,
      ArrowUp: this.split + step,
      PageDown: this.split - SPLIT_LEAP,
      PageUp: this.split + SPLIT_LEAP,
      Home: 0,
      End: 100,
    };
    if (!(event.key in targets) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // the player moves in time with the same keys
    this.setSplit(targets[event.key]);
    this.tell.onSplit();
  }

  /** @param {Decoded} pair @param {Side[]} sides */
  draw(pair, sides) {
    for (const side of sides) {
      const canvas = this.canvases[side];
      const picture = pair[side];
      if (canvas.width !== picture.width || canvas.height !== picture.height) {
        canvas.width = picture.width;
        canvas.height = picture.height;
      }
      canvas.getContext("2d", { alpha: false })?.drawImage(picture, 0, 0);
    }
  }

  /** Forget the pictures. */
  blank() {
    for (const canvas of Object.values(this.canvases)) {
      // biome-ignore lint/correctness/noSelfAssign: setting the width clears a canvas
      canvas.width = canvas.width;
    }
  }

  /** Say over the pictures that a frame cannot be shown; "" for one that can. @param {string} text */
  setUnmade(text) {
    this.unmade.hidden = !text;
    this.unmade.textContent = text;
  }

  /** Show a side as video or as frames. @param {Side} side @param {boolean} asVideo */
  setMedia(side, asVideo) {
    this.videos[side].hidden = !asVideo;
    this.canvases[side].hidden = asVideo;
  }
}
