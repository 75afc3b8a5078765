// A group of buttons with a picture each, one of which is chosen. Props: value {items: [{id, title, text, image, alt,
// disabled}], chosen}, legend. Fires "pick" with {id}.
const group = element.querySelector(".picker");

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
  for (const [name, text] of [["choice-title", item.title], ["choice-text", item.text]]) {
    if (!text) continue;
    const line = document.createElement("span");
    line.className = name;
    line.textContent = text;
    words.append(line);
  }
  made.append(words);
  made.addEventListener("click", () => {
    for (const other of group.children) other.setAttribute("aria-pressed", String(other === made));
    trigger("pick", { id: item.id });
  });
  return made;
}

function draw() {
  const { items = [], chosen = null } = props.value || {};
  const focused = [...group.children].indexOf(document.activeElement);
  group.setAttribute("aria-label", props.legend || "");
  group.replaceChildren(...items.map((item) => button(item, chosen)));
  if (focused >= 0 && group.children[focused]) group.children[focused].focus();
}

watch("value", draw);
draw();
