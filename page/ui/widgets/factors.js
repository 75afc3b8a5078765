// Several edits, each with several factors. Props: value {offer: [{name, title, text}], steps: factors that are offered,
// start: those of an edit that is added, most: the largest factor, chosen: [[name, [factor]]]}. Fires "moved".

/** @typedef {{name: string, title: string, text: string}} Direction */

/** @type {(selector: string) => HTMLElement} of the template */
const find = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
const rows = find(".factors-rows");
const add = /** @type {HTMLSelectElement} */ (find(".factors-add select"));

/** @returns {{offer: Direction[], steps: number[], start: number[], most: number, chosen: [string, number[]][]}} */
const held = () => ({ offer: [], steps: [], start: [], most: 0, chosen: [], ...props.value });
/** @param {number} factor */
const said = (factor) => `${factor > 0 ? "+" : "−"}${Math.abs(factor)}`;

/** @param {[string, number[]][]} chosen */
function choose(chosen) {
  props.value = { ...held(), chosen };
  draw();
  trigger("moved");
}

/**
 * @param {string} name
 * @param {number[]} factors
 */
function set(name, factors) {
  const sorted = [...new Set(factors)].sort((one, other) => one - other);
  choose(held().chosen.map((pair) => (pair[0] === name ? [name, sorted] : pair)));
}

/**
 * @param {Direction} direction
 * @param {number[]} factors
 */
function row(direction, factors) {
  const { name, title, text } = direction;
  const made = document.createElement("div");
  made.className = "factors-row";
  made.dataset.name = name;
  const words = document.createElement("span");
  words.className = "factors-name";
  words.textContent = title;
  words.title = text;
  const chips = document.createElement("span");
  chips.className = "factors-chips";
  for (const factor of [...new Set([...held().steps, ...factors])].sort((one, other) => one - other)) {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = "chip";
    chip.textContent = said(factor);
    chip.setAttribute("aria-pressed", String(factors.includes(factor)));
    chip.setAttribute("aria-label", `${title} ${said(factor)}`);
    chip.addEventListener("click", () =>
      set(name, factors.includes(factor) ? factors.filter((other) => other !== factor) : [...factors, factor]),
    );
    chips.append(chip);
  }
  const other = document.createElement("input");
  Object.assign(other, { type: "number", step: "any", min: -held().most, max: held().most, placeholder: texts.other });
  other.setAttribute("aria-label", fill(texts.another, { title }));
  other.addEventListener("change", () => {
    const factor = parseFloat(other.value);
    if (factor && Math.abs(factor) <= held().most) set(name, [...factors, factor]);
  });
  const drop = document.createElement("button");
  drop.type = "button";
  drop.className = "dial-drop";
  drop.textContent = "×";
  drop.setAttribute("aria-label", fill(texts.leave_out, { title }));
  drop.addEventListener("click", () => choose(held().chosen.filter(([chosen]) => chosen !== name)));
  made.append(words, other, drop, chips);
  return made;
}

function draw() {
  const { offer, chosen } = held();
  const focused = [...element.querySelectorAll("button")].indexOf(
    /** @type {HTMLButtonElement} */ (document.activeElement),
  );
  const known = new Map(offer.map((direction) => [direction.name, direction]));
  rows.replaceChildren(
    ...chosen.flatMap(([name, factors]) => {
      const direction = known.get(name);
      return direction ? [row(direction, factors)] : [];
    }),
  );
  find(".factors-none").hidden = rows.children.length > 0;
  const taken = new Set(chosen.map(([name]) => name));
  const left = offer.filter(({ name }) => !taken.has(name));
  add.replaceChildren(new Option("…", ""), ...left.map(({ name, title }) => new Option(title, name)));
  find(".factors-add").hidden = !left.length;
  if (focused >= 0) element.querySelectorAll("button")[focused]?.focus();
}

add.addEventListener("change", () => {
  if (add.value) choose([...held().chosen, [add.value, held().start]]);
});
watch("value", draw);
draw();
