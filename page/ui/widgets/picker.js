// A group of buttons with a picture each, one of which is chosen. Props: value {items: [{id, title, text, image, alt,
// disabled}], chosen, lead: what the style may write before them}, legend, holds: a selector of what cannot be used from a pick
// on, until the page lets go of it. Fires "pick" with {id}; value.picked says that the page has not answered it yet. Where
// values have "answers", the id of the pick that they answer, true for all, what was picked stays so until that comes.

/** @typedef {{id: string | number, title?: string, text?: string, image?: string, alt?: string, disabled?: boolean}} Item */

/** @type {Item["id"] | null} */
let waiting = null; // the pick that has not been answered
const group = /** @type {HTMLElement} */ (element.querySelector(".picker"));

/**
 * @param {Item} item
 * @param {Item["id"] | null} chosen
 */
function button(item, chosen) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "choice";
  made.disabled = Boolean(item.disabled);
  made.setAttribute("aria-pressed", String(item.id === chosen));
  if (item.image) {
    const picture = document.createElement("img");
    picture.src = item.image;
    picture.alt = item.alt || "";
    picture.draggable = false;
    made.append(picture);
  }
  const words = document.createElement("span");
  words.className = "choice-words";
  for (const name of /** @type {const} */ (["title", "text"])) {
    const text = item[name];
    if (!text) continue;
    const line = document.createElement("span");
    line.className = `choice-${name}`;
    line.textContent = text;
    words.append(line);
  }
  made.append(words);
  made.addEventListener("click", () => {
    for (const other of group.children) other.setAttribute("aria-pressed", String(other === made));
    waiting = item.id;
    props.value = { ...props.value, chosen: item.id, picked: true }; // at once: what is pressed next sends it too
    for (const part of document.querySelectorAll(props.holds || "[data-none]")) part.toggleAttribute("inert", true);
    trigger("pick", { id: item.id });
  });
  return made;
}

function draw() {
  // What was asked for before the pick may come after it.
  const { answers = waiting, picked = false } = props.value || {};
  if (answers === waiting || answers === true) waiting = picked ? waiting : null;
  else if (!picked && waiting !== null) props.value = { ...props.value, chosen: waiting, picked: true };
  /** @type {{items?: Item[], chosen?: Item["id"] | null, lead?: string}} */
  const { items = [], chosen = null, lead = "" } = props.value || {};
  const focused = [...group.children].indexOf(/** @type {Element} */ (document.activeElement));
  group.setAttribute("aria-label", props.legend || "");
  if (lead) group.dataset.lead = lead;
  group.replaceChildren(...items.map((item) => button(item, chosen)));
  if (focused >= 0) /** @type {HTMLElement | undefined} */ (group.children[focused])?.focus();
}

watch("value", draw);
draw();
