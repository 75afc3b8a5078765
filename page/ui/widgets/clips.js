// The clips of a list, a card each, which change while they are edited. Props: value {run: id}; another value asks anew. The
// widget asks by itself, server.clip_cards({run}) -> {title, working, clips: [Clip]}, and for what a card shows of its video
// once, server.clip_pictures({run, clip, output}) -> {before, after}: data addresses, "" where there are none. Fires "stop" and
// "remove" with {id}, "stop_all", and "settled" when a clip has another video.

/**
 * @typedef {object} Clip
 * @property {string} id
 * @property {string} name as the visitor called it
 * @property {string} state
 * @property {string} kind a class: busy, done, failed, stopped or none
 * @property {string} title the state in a word
 * @property {string} text
 * @property {number | null} share 0 to 100
 * @property {string} run id of the clip's own run, "" for none
 * @property {string} output id of its newest video, "" for none
 * @property {boolean} working
 */

const PAUSE = 1000; // milliseconds between two questions
const LONGEST_PAUSE = 16000; // while the server does not answer
/** @type {(selector: string) => HTMLElement} of the template */
const find = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
const list = find(".clips-list");
/** @type {Map<string, {card: HTMLElement, update: (clip: Clip) => void}>} */
const shown = new Map();
let turn = 0; // of the newest value; answers to older ones are dropped
let lost = 0; // questions in a row without an answer
let timer = 0;
let outputs = ""; // ids of the videos of all clips

/**
 * An element with a class and a text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} name
 * @param {string} [text]
 */
const make = (tag, name, text) => {
  const made = document.createElement(tag);
  made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
};

/** @param {HTMLElement} where @param {string} text */
const say = (where, text) => {
  if (where.textContent !== text) where.textContent = text; // screen readers read what is set
};

/** The address of a run's page. @param {string} run */
function address(run) {
  const found = new URL(location.href);
  found.searchParams.set("run", run);
  return found.href;
}

/**
 * A button that says in full what it does to which clip.
 * @param {string} name
 * @param {string} text
 * @param {string} spoken
 * @param {() => void} press
 */
function button(name, text, spoken, press) {
  const made = make("button", name, text);
  made.type = "button";
  made.setAttribute("aria-label", spoken);
  made.addEventListener("click", press);
  return made;
}

/** A card, and what changes it. @param {Clip} first */
function build({ id, name }) {
  const card = make("article", "clip-card");
  card.setAttribute("role", "listitem");
  const pictures = make("div", "clip-pictures");
  const images = [texts.before, texts.after].map((side) => {
    const image = make("img", "");
    image.alt = fill(side, { name });
    pictures.append(image);
    return image;
  });
  const state = make("p", "clip-state");
  const title = make("strong", "");
  const text = make("span", "clip-text");
  state.append(title, " ", text);
  const bar = make("progress", "");
  bar.max = 100;
  bar.setAttribute("aria-label", fill(texts.share, { name }));
  const open = make("a", "clip-open", texts.open);
  open.target = "_blank";
  open.rel = "noopener";
  open.setAttribute("aria-label", fill(texts.open_named, { name }));
  const stop = button("clip-stop", texts.stop, fill(texts.stop_named, { name }), () => trigger("stop", { id }));
  const drop = button("clip-drop", texts.remove, fill(texts.remove_named, { name }), () => {
    if (!open.href || window.confirm(fill(texts.remove_sure, { name }))) trigger("remove", { id });
  });
  const foot = make("div", "clip-foot");
  foot.append(open, stop, drop);
  card.append(make("h4", "", name), pictures, state, bar, foot);
  let output = "";

  /** @param {string} wanted */
  async function draw(wanted) {
    output = wanted;
    pictures.hidden = true;
    if (!wanted) return;
    const reply = await server.clip_pictures({ run: props.value?.run, clip: id, output: wanted });
    if (output !== wanted || !reply?.before) return;
    images[0].src = reply.before;
    images[1].src = reply.after;
    pictures.hidden = false;
  }

  /** @param {Clip} clip */
  function update(clip) {
    card.dataset.state = clip.state;
    state.className = `clip-state ${clip.kind}`;
    say(title, clip.title);
    say(text, clip.text);
    bar.hidden = clip.share === null;
    if (clip.share !== null) bar.value = clip.share;
    open.hidden = !clip.run;
    if (clip.run) open.href = address(clip.run);
    else open.removeAttribute("href");
    stop.hidden = !clip.working;
    if (clip.output !== output) draw(clip.output);
  }

  pictures.hidden = true;
  return { card, update };
}

/** @param {{title?: string, working?: boolean, clips?: Clip[]}} reply of a run that is gone there are none */
function draw({ title = "", working = false, clips = [] }) {
  const known = new Set(clips.map(({ id }) => id));
  for (const [id, { card }] of shown) {
    if (known.has(id)) continue;
    card.remove();
    shown.delete(id);
  }
  for (const clip of clips) {
    const entry = shown.get(clip.id) ?? build(clip);
    if (!shown.has(clip.id)) list.append(entry.card); // they never change their order
    shown.set(clip.id, entry);
    entry.update(clip);
  }
  const made = clips.map(({ output }) => output).join(" ");
  if (made !== outputs) {
    outputs = made;
    trigger("settled");
  }
  say(find(".clips-title"), title);
  find(".clips-stop").hidden = !working;
  find(".clips").hidden = !clips.length;
}

/** @param {number} mine the turn that the question belongs to */
async function ask(mine) {
  const { run } = props.value || {};
  const reply = await server.clip_cards({ run });
  if (mine !== turn || !element.isConnected) return;
  lost = reply === undefined ? lost + 1 : 0;
  if (reply) draw(reply);
  if (lost || reply.working) timer = setTimeout(() => ask(mine), Math.min(LONGEST_PAUSE, PAUSE * 2 ** lost));
}

function receive() {
  clearTimeout(timer);
  turn += 1;
  if (props.value?.run) ask(turn);
  else draw({ title: "", working: false, clips: [] });
}

find(".clips-stop").addEventListener("click", () => trigger("stop_all"));
watch("value", receive);
receive();
