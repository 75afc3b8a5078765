// Buttons, keys and choices, and what of them outlives the component.

const LEAP_SECONDS = { plain: 1, shift: 5 };
const KEEPSAKE = "stit-player";

class Controls {
  /**
   * @param {HTMLElement} root
   * @param {Stage} stage
   * @param {Player} player
   */
  constructor(root, stage, player) {
    this.root = root;
    this.stage = stage;
    this.player = player;
    this.loop = true;
    this.speed = 1;
    this.recalling = false;
    /** @type {HTMLSelectElement} */
    this.speeds = part(root, ".speed");
    /** @type {HTMLButtonElement} */
    this.sound = part(root, ".sound");
    this.modes = [...root.querySelectorAll(".modes input")].map((input) => /** @type {HTMLInputElement} */ (input));
    this.listen();
    this.recall();
  }

  listen() {
    const { root, player } = this;
    /** @param {string} selector @param {() => void} act */
    const click = (selector, act) => part(root, selector).addEventListener("click", act);
    click(".play", () => player.setPlaying(!player.playing));
    click(".back", () => player.nudge(-1));
    click(".forward", () => player.nudge(1));
    click(".loop", () => this.setLoop(!this.loop));
    click(".sound", () => this.toggleSound());
    click(".full", () => this.toggleFull());
    click(".retry", () => player.tryAgain());
    const group = `view-${Math.random().toString(36).slice(2)}`; // two players on a page have a choice each
    for (const option of this.modes) {
      option.name = group;
      option.addEventListener("change", () => this.setMode(/** @type {Mode} */ (option.value)));
    }
    this.speeds.addEventListener("change", () => this.setSpeed(Number(this.speeds.value)));
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("fullscreenchange", () => this.showFull());
  }

  /** Keys count while the focus is inside. What a control does with a key of its own is left to it. @param {KeyboardEvent} event */
  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const at = /** @type {HTMLElement} */ (event.target);
    if (at.closest("select") && !event.key.startsWith("Escape")) return;
    if (at.closest("input") && (event.key === " " || event.key.startsWith("Arrow"))) return;
    if (at.closest("button") && (event.key === " " || event.key === "Enter")) return;
    const acts = this.keys(event.shiftKey);
    const name = event.key.toLowerCase();
    if (!(name in acts) || (name === "escape" && !this.root.classList.contains("fills"))) return;
    event.preventDefault();
    acts[name]();
  }

  /** @param {boolean} shift @returns {Record<string, () => void>} */
  keys(shift) {
    const { player } = this;
    const { feed, frame } = player;
    const leap = Math.max(1, Math.round(feed.rate * (shift ? LEAP_SECONDS.shift : LEAP_SECONDS.plain)));
    const page = Math.ceil(feed.total / 10);
    return {
      " ": () => player.setPlaying(!player.playing),
      arrowleft: () => player.move(frame - leap),
      arrowright: () => player.move(frame + leap),
      arrowdown: () => player.move(frame - leap),
      arrowup: () => player.move(frame + leap),
      pagedown: () => player.move(frame + page),
      pageup: () => player.move(frame - page),
      home: () => player.move(feed.next(0)),
      end: () => player.move(feed.previous(feed.total - 1)),
      ",": () => player.nudge(-1),
      ".": () => player.nudge(1),
      "<": () => this.changeSpeed(-1),
      ">": () => this.changeSpeed(1),
      m: () => this.setMode(MODES[(MODES.indexOf(this.stage.mode) + 1) % MODES.length]),
      l: () => this.setLoop(!this.loop),
      f: () => this.toggleFull(),
      s: () => this.toggleSound(),
      x: () => this.stage.swap(),
      escape: () => this.toggleFull(),
    };
  }

  /** @param {Mode} mode */
  setMode(mode) {
    this.stage.setMode(mode);
    for (const option of this.modes) option.checked = option.value === mode;
    this.keep();
  }

  /** @param {boolean} loop */
  setLoop(loop) {
    this.loop = loop;
    part(this.root, ".loop").setAttribute("aria-pressed", String(loop));
    this.keep();
    this.player.wake();
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.speed = speed;
    this.speeds.value = String(speed);
    this.player.videos.setSpeed(speed);
    this.keep();
  }

  /** @param {-1 | 1} step */
  changeSpeed(step) {
    const option = this.speeds.options[this.speeds.selectedIndex + step];
    if (option) this.setSpeed(Number(option.value));
  }

  /** Offer the sound's button, or take it away. @param {boolean} has */
  setHasSound(has) {
    this.sound.hidden = !has;
  }

  toggleSound() {
    if (this.sound.hidden) return;
    const { after } = this.stage.videos;
    after.muted = !after.muted;
    this.showSound();
    this.keep();
  }

  showSound() {
    this.sound.setAttribute("aria-pressed", String(!this.stage.videos.after.muted));
  }

  /** Full screen, or all of the window where a browser (on a phone) keeps full screen to itself. */
  toggleFull() {
    if (document.fullscreenElement === this.root) void document.exitFullscreen();
    else if (this.root.classList.contains("fills") || !this.root.requestFullscreen) this.fillWindow();
    else this.root.requestFullscreen().catch(() => this.fillWindow());
  }

  fillWindow() {
    this.root.classList.toggle("fills");
    this.showFull();
  }

  showFull() {
    const full = document.fullscreenElement === this.root || this.root.classList.contains("fills");
    part(this.root, ".full").setAttribute("aria-pressed", String(full));
  }

  /** Remember the choices and the place for as long as the tab is open. */
  keep() {
    if (this.recalling) return; // what is recalled is kept, with a place in an edit that is not known yet
    const { stage, loop, speed } = this;
    const { feed, frame } = this.player;
    const { muted } = stage.videos.after;
    const kept = { mode: stage.mode, split: stage.split, loop, speed, muted, id: feed.id, frame };
    try {
      window.sessionStorage.setItem(KEEPSAKE, JSON.stringify(kept));
    } catch {
      // A browser that keeps nothing: the player begins with its own settings.
    }
  }

  recall() {
    const kept = recallKeepsake();
    this.recalling = true;
    if (MODES.includes(kept.mode)) this.setMode(kept.mode);
    if (Number.isFinite(kept.split)) this.stage.setSplit(kept.split);
    if (typeof kept.loop === "boolean") this.setLoop(kept.loop);
    const speeds = [...this.speeds.options].map((option) => Number(option.value));
    if (speeds.includes(kept.speed)) this.setSpeed(kept.speed);
    this.stage.videos.after.muted = kept.muted === true;
    this.showSound();
    this.recalling = false;
  }
}

/** @returns {any} what `keep` left in this tab */
function recallKeepsake() {
  try {
    return JSON.parse(window.sessionStorage.getItem(KEEPSAKE) ?? "{}") ?? {};
  } catch {
    return {};
  }
}
