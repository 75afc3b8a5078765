// The contact sheet of a review, which fills while it runs. Props: value {run: id}; another value asks anew. The widget asks
// by itself, server.sheet_rows({run, review, first}) -> {known, review: id, title, people: how many, edits: titles, source:
// the title of the first picture, filters: [[column, labels]], first, rows: [{name, labels: [[column, label]], cells:
// [{picture, failure}]}], working, more: whether to ask again at once}. Rows follow one another: `first` is how many are here.

/** @typedef {{picture: string, failure: string}} Cell */
/** @typedef {{name: string, labels: [string, string][], cells: Cell[]}} Row */

const PAUSE = 1500; // milliseconds between two questions
const LONGEST_PAUSE = 16000; // while the server does not answer
/** @type {(selector: string) => HTMLElement} of the template */
const find = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
const sheet = find(".sheet");
const list = find(".sheet-people");
const filter = /** @type {HTMLSelectElement} */ (find(".sheet-filter select"));
/** @type {[HTMLElement, Row["labels"]][]} */
let people = [];
/** @type {[string, string][]} */
let groups = []; // column and label of each option but the first
let review = ""; // whose rows are here
let turn = 0; // of the newest value; answers to older ones are dropped
let lost = 0; // questions in a row without an answer
let timer = 0;

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

/**
 * @param {string} who
 * @param {Cell} cell
 * @param {string} title
 */
function frame(who, cell, title) {
  const made = make("figure", "sheet-cell");
  if (cell.picture) {
    const picture = make("img", "");
    picture.src = cell.picture;
    picture.alt = `${who}, ${title}`;
    made.append(picture);
  } else {
    const empty = make("div", "sheet-empty");
    empty.title = cell.failure;
    made.append(empty);
  }
  made.append(make("figcaption", "", title));
  return made;
}

/**
 * @param {Row} row
 * @param {string[]} titles
 */
function person(row, titles) {
  const made = make("article", "sheet-person");
  const labels = make("p", "sheet-labels");
  for (const [column, label] of row.labels) {
    const shown = make("span", "", label);
    shown.title = column;
    labels.append(shown);
  }
  made.append(make("h4", "", row.name), labels);
  for (const why of new Set(row.cells.map((cell) => cell.failure).filter(Boolean))) {
    made.append(make("p", "sheet-failure", why));
  }
  const cells = make("div", "sheet-cells");
  cells.append(...row.cells.map((cell, k) => frame(row.name, cell, titles[k] ?? "")));
  made.append(cells);
  return made;
}

function choose() {
  const group = groups[Number(filter.value) - 1];
  for (const [card, labels] of people) {
    card.hidden = Boolean(group) && !labels.some(([column, label]) => column === group[0] && label === group[1]);
  }
}

/** Forget one review and begin another. @param {{review: string, title: string, filters: [string, string[]][]}} reply */
function begin(reply) {
  review = reply.review;
  people = [];
  list.replaceChildren();
  groups = reply.filters.flatMap(([column, labels]) =>
    labels.map((label) => /** @type {[string, string]} */ ([column, label])),
  );
  const options = [texts.everybody, ...groups.map(([column, label]) => `${column}: ${label}`)];
  filter.replaceChildren(...options.map((text, k) => new Option(text, String(k))));
  find(".sheet-filter").hidden = !groups.length;
  find(".sheet-title").textContent = reply.title;
}

/** @param {number} mine the turn that the question belongs to */
async function ask(mine) {
  const { run } = props.value || {};
  const reply = await server.sheet_rows({ run, review, first: people.length });
  if (mine !== turn) return;
  if (reply === undefined) {
    lost += 1;
    timer = setTimeout(() => ask(mine), Math.min(LONGEST_PAUSE, PAUSE * 2 ** lost));
    return;
  }
  lost = 0;
  sheet.hidden = !reply.known;
  if (!reply.known) {
    review = "";
    return;
  }
  if (reply.review !== review) begin(reply);
  if (reply.first === people.length) {
    for (const row of reply.rows) {
      const card = person(row, [reply.source, ...reply.edits]);
      people.push([card, row.labels]);
      list.append(card);
    }
    choose();
  }
  find(".sheet-count").textContent = fill(texts.count, { done: people.length, count: reply.people });
  if (reply.more) return ask(mine);
  if (reply.working) timer = setTimeout(() => ask(mine), PAUSE);
}

function receive() {
  clearTimeout(timer);
  turn += 1;
  if (props.value?.run) ask(turn);
  else sheet.hidden = true;
}

filter.addEventListener("change", choose);
watch("value", receive);
receive();
