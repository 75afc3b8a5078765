// What to change, and how much: cards to choose from and a slider for each chosen one. Props: value {factors: {name: factor},
// offer: {cards: [{name, title, text, about, positive, negative, low, high, start, image}], quick: [{label, factors}],
// furthest: the largest factor that can be typed, while a slider ends at its card's low and high}, whose: names the person
// whose edit it is, and goes back with it, over: whose edit the dials showed when the server was asked: an answer gives way to
// what was chosen meanwhile}; the offer stays until another one comes. Fires "moved" while sliders move.

/**
 * @typedef {object} Card
 * @property {string} name
 * @property {string} title
 * @property {string} text
 * @property {string} about
 * @property {string} positive
 * @property {string} negative
 * @property {number} low
 * @property {number} high
 * @property {number} start
 * @property {string} [image]
 */
/** @typedef {{label: string, factors: Record<string, number>}} Suggestion */

window.stitKept ||= {};
const place = element.closest(".block")?.id ?? ""; // there are dials in several
window.stitKept[place] ||= {};
const kept = window.stitKept[place]; // gradio forgets what an element knew when its step is left
/** @type {(selector: string) => HTMLElement} of the template */
const find = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
const search = /** @type {HTMLInputElement} */ (find(".dials-find input"));
const WAIT = 120; // milliseconds between two messages while a slider moves
/** @type {Record<string, number>} */
let factors = {};
let timer = 0;

const sent = () => props.value || {};
/** @returns {Card[]} */
const cards = () => kept.offer?.cards || [];
/** @returns {Suggestion[]} */
const quick = () => kept.offer?.quick || [];
/** @returns {number} */
const furthest = () => kept.offer?.furthest ?? 0;
/**
 * An element with a class and a text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} [name]
 * @param {string} [text]
 */
const make = (tag, name, text) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
};

function tell() {
  timer ||= setTimeout(() => {
    timer = 0;
    trigger("moved");
  }, WAIT);
  kept.touched = true; // whether anything of this person was chosen here
  put();
}

/** What is sent with the next event, at once: a button that is pressed next sends it too. */
function put() {
  kept.factors = { ...factors };
  props.value = { factors: { ...factors }, whose: kept.whose || "" };
}

/** @param {Card} card */
function dial(card) {
  const row = make("div", "dial");
  const id = `${place.replace(/s$/, "")}-${card.name}`;
  const name = make("label", "dial-name", card.title);
  name.htmlFor = id;
  const number = make("input", "dial-number");
  Object.assign(number, { type: "number", step: "any", min: -furthest(), max: furthest() });
  number.setAttribute("aria-label", fill(texts.number, { title: card.title }));
  const range = make("input", "dial-range");
  Object.assign(range, { type: "range", id, min: card.low, max: card.high, step: 0.1 });
  const drop = make("button", "dial-drop", "×");
  drop.type = "button";
  drop.setAttribute("aria-label", fill(texts.leave_out, { title: card.title }));
  const low = make("span", "dial-end", card.negative || texts.less);
  const high = make("span", "dial-end dial-end-high", card.positive || texts.more);
  /** @param {number} value */
  const show = (value) => {
    range.value = String(value);
    if (number !== document.activeElement) number.value = String(value);
    const middle = (100 * (0 - card.low)) / (card.high - card.low);
    const at = (100 * (Math.min(Math.max(value, card.low), card.high) - card.low)) / (card.high - card.low);
    range.style.setProperty("--from", `${Math.min(middle, at)}%`);
    range.style.setProperty("--to", `${Math.max(middle, at)}%`);
  };
  /** @param {number} value */
  const set = (value) => {
    if (!Number.isFinite(value)) return;
    factors[card.name] = Math.min(Math.max(value, -furthest()), furthest());
    show(factors[card.name]);
    tell();
  };
  range.addEventListener("input", () => set(Number(range.value)));
  number.addEventListener("change", () => {
    set(parseFloat(number.value));
    number.value = String(factors[card.name]);
  });
  drop.addEventListener("click", () => {
    delete factors[card.name];
    draw();
    tell();
    search.focus();
  });
  show(factors[card.name]);
  row.append(name, number, drop, range, low, high);
  return row;
}

/** @param {Card} card */
function choice(card) {
  const made = make("button", "card");
  made.type = "button";
  made.dataset.name = card.name;
  made.setAttribute("aria-pressed", String(card.name in factors));
  const picture = make("span", "card-picture");
  if (card.image) {
    const image = make("img");
    image.src = card.image;
    image.alt = "";
    image.draggable = false;
    picture.append(image);
  }
  made.append(picture, make("span", "card-title", card.title), make("span", "card-text", card.text));
  made.title = card.about || card.text;
  made.addEventListener("click", () => {
    if (card.name in factors) delete factors[card.name];
    else factors[card.name] = card.start;
    draw();
    tell();
    find(`.card[data-name="${CSS.escape(card.name)}"]`)?.focus();
  });
  return made;
}

/** @param {Suggestion} suggested */
function suggestion({ label, factors: wanted }) {
  const made = make("button", "chip", label);
  made.type = "button";
  made.setAttribute("aria-pressed", String(same(wanted, factors)));
  made.addEventListener("click", () => {
    factors = { ...wanted };
    draw();
    tell();
    const chips = /** @type {HTMLElement[]} */ ([...find(".dials-quick").children]);
    chips.find((chip) => chip.textContent === label)?.focus();
  });
  return made;
}

/**
 * @param {Record<string, number>} one
 * @param {Record<string, number>} other
 */
const same = (one, other) =>
  Object.keys(one).length === Object.keys(other).length && Object.keys(one).every((name) => one[name] === other[name]);

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const [at, card] of cards().entries()) {
    const text = `${card.name} ${card.title} ${card.text} ${card.about || ""}`.toLowerCase();
    const fits = words.every((word) => text.includes(word));
    /** @type {HTMLElement} */ (find(".dials-cards").children[at]).hidden = !fits;
    if (fits) shown += 1;
  }
  find(".dials-none").hidden = shown > 0 || !cards().length;
}

/** How to find what has the focus again once all has been drawn anew; empty where it lies elsewhere. */
function focused() {
  const held = document.activeElement;
  if (!(held instanceof HTMLElement) || !element.contains(held)) return "";
  if (held.id) return `#${CSS.escape(held.id)}`;
  if (held.dataset.name) return `.card[data-name="${CSS.escape(held.dataset.name)}"]`;
  const label = held.getAttribute("aria-label");
  return label ? `[aria-label="${CSS.escape(label)}"]` : "";
}

function draw() {
  const held = focused();
  const chosen = Object.keys(factors).flatMap((name) => cards().filter((card) => card.name === name));
  find(".dials-quick").replaceChildren(...quick().map(suggestion));
  find(".dials-chosen").replaceChildren(...chosen.map(dial));
  find(".dials-empty").hidden = chosen.length > 0;
  find(".dials-reset").toggleAttribute("disabled", chosen.length === 0);
  find(".dials-cards").replaceChildren(...cards().map(choice));
  filter();
  if (held) /** @type {HTMLElement | null} */ (element.querySelector(held))?.focus({ preventScroll: true });
}

find(".dials-reset").addEventListener("click", () => {
  factors = {};
  draw();
  tell();
});
search.addEventListener("input", filter);

/**
 * Show what the server said, unless it was overtaken; true where there is anything new to draw.
 * @param {boolean} [first] whether the dials come onto the screen, off which nothing overtakes it
 */
function take(first = false) {
  const { offer, factors: wanted, whose = "", over } = sent();
  if (offer) kept.offer = offer;
  if (!wanted) return Boolean(offer);
  const asked = first || over === undefined || over === (kept.whose || ""); // of the person who is shown still
  const own = !kept.whose || whose === kept.whose;
  const ahead = !asked || (own && (timer || (over !== undefined && kept.touched))); // the visitor, of the server
  if (asked) kept.whose = whose;
  if (!ahead) {
    factors = { ...wanted };
    kept.factors = { ...factors };
    if (!own) kept.touched = false;
  }
  if (ahead && !(same(wanted, factors) && whose === kept.whose)) put();
  return Boolean(offer) || !ahead;
}

factors = { ...kept.factors };
watch("value", () => {
  if (take()) draw();
});
take(true);
draw();
