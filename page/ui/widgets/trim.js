// Two handles over a strip that shows what was found along the clip. Props: value {start, end in seconds, still: an image, clip:
// {seconds, step, stretches: [{start, end, state}], thumbnails: [{seconds, image}], names {state: words}, video}}, video the
// selector of the element that shows the frame at a handle; the clip stays until another one comes, or null for none. Fires "moved" when a
// handle is let go, and "peek" with {seconds} where the browser cannot show the frame itself.

/** @typedef {{start: number, end: number, state: string}} Stretch */
/**
 * @typedef {object} Clip
 * @property {number} seconds
 * @property {number} step
 * @property {Stretch[]} stretches
 * @property {{seconds: number, image: string}[]} thumbnails
 * @property {Record<string, string>} names
 * @property {string} video
 */

window.stitKept ||= {};
const kept = window.stitKept; // gradio forgets what an element knew when its step is left
/** @type {(selector: string) => HTMLElement} of the template */
const find = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
const handles = /** @type {HTMLInputElement[]} */ ([find(".trim-first"), find(".trim-last")]);
const numbers = /** @type {HTMLInputElement[]} */ ([find(".trim-first-number"), find(".trim-last-number")]);
let ends = [0, 0];

/** @returns {Clip} */
const clip = () => ({ seconds: 0, step: 1, stretches: [], thumbnails: [], names: {}, video: "", ...kept.clip });
/** @param {number} seconds */
const percent = (seconds) => (clip().seconds ? (100 * seconds) / clip().seconds : 0);
/** @param {number} seconds */
const shown = (seconds) => String(Math.round(seconds * 100) / 100);

function show() {
  const { seconds, step } = clip();
  handles.forEach((handle, side) => {
    Object.assign(handle, { min: 0, max: seconds, step, value: ends[side] });
    handle.setAttribute("aria-valuetext", fill(texts.handle, { count: shown(ends[side]) }));
  });
  numbers.forEach((number, side) => {
    Object.assign(number, { min: 0, max: seconds, step: "any" });
    if (number !== document.activeElement) number.value = shown(ends[side]);
  });
  find(".trim-shade-first").style.width = `${percent(ends[0])}%`;
  find(".trim-shade-last").style.width = `${100 - percent(ends[1])}%`;
  find(".trim-length").textContent = fill(texts.length, { length: shown(ends[1] - ends[0]), count: shown(seconds) });
}

/** @param {number} seconds */
function seek(seconds) {
  const selector = clip().video;
  const video = /** @type {HTMLVideoElement | null} */ (selector ? document.querySelector(selector) : null);
  if (video && video.readyState > 0 && !video.error && video.videoWidth > 0) {
    video.pause();
    video.currentTime = Math.min(seconds, Math.max(0, clip().seconds - clip().step));
  } else {
    trigger("peek", { seconds });
  }
}

/**
 * @param {number} side 0 for the start, 1 for the end
 * @param {number} wanted seconds
 * @param {boolean} finished whether the handle was let go
 */
function move(side, wanted, finished) {
  const { seconds, step } = clip();
  if (!Number.isFinite(wanted)) return show();
  const room = side === 0 ? [0, ends[1] - step] : [ends[0] + step, seconds];
  ends[side] = Math.min(Math.max(wanted, room[0]), room[1]);
  show();
  seek(ends[side]);
  if (finished) {
    props.value = { start: ends[0], end: ends[1] };
    trigger("moved");
  }
}

function drawFilm() {
  const { thumbnails } = clip();
  const pictures = thumbnails.map(({ image }) => {
    const picture = document.createElement("img");
    picture.src = image;
    picture.alt = "";
    picture.draggable = false;
    return picture;
  });
  find(".trim-film").replaceChildren(...pictures);
}

/**
 * @param {string} text
 * @param {Stretch} stretch
 */
function say(text, { start, end, state }) {
  return fill(text, { state: clip().names[state] || state, start: shown(start), end: shown(end) });
}

function drawStrip() {
  const { seconds, stretches, names } = clip();
  const parts = stretches.map(({ start, end, state }) => {
    const part = document.createElement("span");
    part.className = `found found-${state}`;
    part.style.left = `${percent(start)}%`;
    part.style.width = `${percent(end) - percent(start)}%`;
    part.title = say(texts.stretch, { start, end, state });
    return part;
  });
  const strip = find(".trim-strip");
  strip.replaceChildren(...parts);
  const spoken = stretches.slice(0, 20).map((stretch) => say(texts.stretch_spoken, stretch));
  const along = { count: shown(seconds), stretches: spoken.join("; ") };
  strip.setAttribute("aria-label", fill(texts.stretches_spoken, along));
  const keys = Object.keys(names).filter((state) => stretches.some((stretch) => stretch.state === state));
  find(".trim-legend").replaceChildren(
    ...keys.map((state) => {
      const key = document.createElement("span");
      key.className = "key";
      const patch = document.createElement("span");
      patch.className = `patch found-${state}`;
      key.append(patch, names[state]);
      return key;
    }),
  );
}

function take() {
  const { seconds } = clip();
  const { start, end, still } = props.value || {};
  ends = [start || 0, end || seconds];
  find(".trim-still").hidden = !still;
  if (still) /** @type {HTMLImageElement} */ (find(".trim-still img")).src = still;
  show();
}

handles.forEach((handle, side) => {
  handle.addEventListener("input", () => move(side, Number(handle.value), false));
  handle.addEventListener("change", () => move(side, Number(handle.value), true));
});
numbers.forEach((number, side) => {
  number.addEventListener("change", () => move(side, parseFloat(number.value), true));
});
function receive() {
  const { clip: fresh } = props.value || {};
  if (fresh !== undefined) kept.clip = fresh; // null: there is none
  find(".trim").hidden = !kept.clip;
  drawFilm();
  drawStrip();
  take();
}

watch("value", receive);
receive();
