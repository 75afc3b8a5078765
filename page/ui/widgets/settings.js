// Every setting of every stage. Props: value {changes: {stage: {setting: value}}, only what differs from the preset; stages:
// [{stage, title, settings: [{name, kind: bool | choice | text, default (JSON), choices, about}]}]}; the stages stay until
// others come. Fires "set" when a setting was changed.

/** @typedef {{name: string, kind: "bool" | "choice" | "text", default: string, choices: string[], about: string}} Setting */
/** @typedef {{stage: string, title: string, settings: Setting[]}} StageSettings */

window.stitKept ||= {};
const kept = window.stitKept; // gradio forgets what an element knew when its step is left
/** @type {(selector: string) => HTMLElement} of the template */
const find = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
const search = /** @type {HTMLInputElement} */ (find(".tweaks-find input"));
/** @type {Record<string, Record<string, any>>} */
let changes = {};

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

/**
 * @param {HTMLInputElement | HTMLSelectElement} field
 * @param {Setting} setting
 */
function read(field, setting) {
  if (field instanceof HTMLInputElement && setting.kind === "bool") return field.checked;
  if (setting.kind === "choice") return field.value;
  const text = field.value.trim();
  if (text === "") return JSON.parse(setting.default);
  try {
    return JSON.parse(text);
  } catch {
    return text; // the server says what is wrong with it
  }
}

/**
 * @param {string} stage
 * @param {Setting} setting
 * @param {any} value
 */
function put(stage, setting, value) {
  const part = { ...(changes[stage] || {}) };
  if (JSON.stringify(value) === JSON.stringify(JSON.parse(setting.default))) delete part[setting.name];
  else part[setting.name] = value;
  changes = { ...changes, [stage]: part };
  if (!Object.keys(part).length) delete changes[stage];
  props.value = { changes };
  trigger("set");
}

/**
 * @param {Setting} setting
 * @param {any} value
 */
function input(setting, value) {
  if (setting.kind === "choice") {
    const list = make("select");
    list.append(...setting.choices.map((text) => new Option(text, text)));
    list.value = value;
    return list;
  }
  const field = make("input");
  field.type = setting.kind === "bool" ? "checkbox" : "text";
  if (setting.kind === "bool") field.checked = value;
  else field.value = JSON.stringify(value);
  return field;
}

/**
 * @param {string} stage
 * @param {Setting} setting
 */
function row(stage, setting) {
  const made = make("div", "tweak");
  const id = `tweak-${stage}-${setting.name}`;
  const name = make("label", "tweak-name", setting.name.replaceAll("_", " "));
  name.htmlFor = id;
  const changed = changes[stage] && setting.name in changes[stage];
  const field = input(setting, changed ? changes[stage][setting.name] : JSON.parse(setting.default));
  field.id = id;
  made.classList.toggle("tweak-changed", Boolean(changed));
  field.addEventListener("change", () => {
    put(stage, setting, read(field, setting));
    made.classList.toggle("tweak-changed", Boolean(changes[stage] && setting.name in changes[stage]));
  });
  const about = make("span", "tweak-about", setting.about);
  about.id = `${id}-about`;
  field.setAttribute("aria-describedby", about.id);
  made.append(name, field, about);
  made.dataset.words = `${stage} ${setting.name} ${setting.about}`.toLowerCase().replaceAll("_", " ");
  return made;
}

/** @param {HTMLElement} part */
const stageOf = (part) => part.dataset.stage;

function draw() {
  const open = new Set([...element.querySelectorAll("details")].filter((part) => part.open).map(stageOf));
  /** @type {StageSettings[]} */
  const stages = kept.stages || [];
  find(".tweaks-stages").replaceChildren(
    ...stages.map(({ stage, title, settings }) => {
      const part = make("details", "tweaks-stage");
      part.dataset.stage = stage;
      part.open = open.has(stage);
      part.append(make("summary", "", title), ...settings.map((setting) => row(stage, setting)));
      return part;
    }),
  );
  filter();
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const part of element.querySelectorAll("details")) {
    let shown = 0;
    for (const one of /** @type {NodeListOf<HTMLElement>} */ (part.querySelectorAll(".tweak"))) {
      one.hidden = !words.every((word) => one.dataset.words?.includes(word));
      if (!one.hidden) shown += 1;
    }
    part.hidden = shown === 0;
    if (words.length) part.open = shown > 0;
  }
}

search.addEventListener("input", filter);
find(".tweaks-reset").addEventListener("click", () => {
  changes = {};
  props.value = { changes };
  draw();
  trigger("set");
});
function receive() {
  const sent = props.value || {};
  if (sent.stages) kept.stages = sent.stages;
  if (sent.changes) changes = sent.changes;
  draw();
}

watch("value", receive);
receive();
