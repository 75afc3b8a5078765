// Key frames, before on the left of a divider and edited on its right. Props: value {frames: [{label, before, after}], text}.

/** @typedef {{label: string, before: string, after: string}} Frame */

/** @type {(selector: string) => HTMLElement} of the template */
const find = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
const frames = find(".wipe-frames");
const cut = /** @type {HTMLInputElement} */ (find(".wipe-cut"));

/** @param {number} percent */
function set(percent) {
  cut.value = String(Math.min(100, Math.max(0, percent)));
  find(".wipe").style.setProperty("--cut", `${cut.value}%`);
}

/** @param {PointerEvent} event */
function follow(event) {
  const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
  if (event.buttons) set((100 * (event.clientX - box.left)) / box.width);
}

function figure() {
  const made = document.createElement("figure");
  for (const side of ["before", "after"]) {
    const picture = document.createElement("img");
    picture.className = `wipe-${side}`;
    picture.draggable = false;
    made.append(picture);
  }
  const line = document.createElement("span");
  line.className = "wipe-line";
  made.append(line, document.createElement("figcaption"));
  made.addEventListener("pointerdown", (event) => {
    made.setPointerCapture(event.pointerId);
    follow(event);
  });
  made.addEventListener("pointermove", follow);
  return made;
}

function draw() {
  /** @type {{frames?: Frame[], text?: string}} */
  const { frames: shown = [], text = "" } = props.value || {};
  while (frames.children.length > shown.length) frames.lastChild?.remove();
  while (frames.children.length < shown.length) frames.append(figure());
  shown.forEach(({ label, before, after }, at) => {
    const [left, right] = frames.children[at].querySelectorAll("img");
    if (left.src !== before) left.src = before;
    if (right.src !== after) right.src = after;
    left.alt = fill(texts.before_picture, { label });
    right.alt = fill(texts.after_picture, { label });
    /** @type {HTMLElement} */ (frames.children[at].querySelector("figcaption")).textContent = label;
  });
  find(".wipe-bar").hidden = shown.length === 0;
  find(".wipe-words").textContent = text;
}

cut.addEventListener("input", () => set(Number(cut.value)));
watch("value", draw);
set(50);
draw();
