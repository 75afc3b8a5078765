// Keeps the run's id in the page's address, and copies that address. Props: value, the id; none any more: begin anew.
// A Space stands in a frame of the Hub, whose address is the one that is reloaded: it takes over the query that it is
// sent, and gives its own to the frame when it loads; should it not, the tab's storage has the run (page/ui/address.py).
// What is copied is the page's own address, never the Hub's.

const HUB = "https://huggingface.co";
const ITS_OWN = "__"; // begins what the Hub adds to the frame's query: the theme, and the key of a private Space
const RUN = "stit-run"; // in the tab's storage
const LEAVE = 300; // milliseconds, so that the reply that said so comes to its end first
const SHOWN = 2500; // milliseconds that the button says what it did
const button = /** @type {HTMLButtonElement} */ (element.querySelector(".visit-copy"));
const field = /** @type {HTMLInputElement} */ (element.querySelector(".visit-address"));
let known = false;

/** Whether the Hub shows this page; a browser that does not say who does is asked to deliver to the Hub alone. */
function isInHub() {
  if (window.parent === window) return false;
  const above = window.location.ancestorOrigins;
  return !above || above[0] === HUB;
}

/** Put the run, or none, into this page's address and into that of the Hub's. @param {string} run */
function remember(run) {
  const address = new URL(window.location.href);
  if (run) address.searchParams.set("run", run);
  else address.searchParams.delete("run");
  if (isInHub()) {
    const query = new URLSearchParams([...address.searchParams].filter(([name]) => !name.startsWith(ITS_OWN)));
    window.parent.postMessage({ queryString: query.toString() }, HUB);
    try {
      window.sessionStorage.setItem(RUN, run);
    } catch {} // a browser that stores nothing in frames
  }
  return address;
}

function begin() {
  window.location.replace(remember(""));
}

function draw() {
  button.disabled = !props.value;
  field.hidden = true;
  if (!props.value && known) setTimeout(begin, LEAVE); // the run was deleted
  if (!props.value) return;
  known = true;
  const address = remember(props.value);
  if (address.href !== window.location.href) window.history.replaceState(null, "", address);
}

/** The older way, for a frame that may not use the newer. */
function copySelected() {
  field.hidden = false;
  field.select();
  return document.execCommand("copy");
}

async function copy() {
  field.value = `${window.location.origin}${window.location.pathname}?run=${encodeURIComponent(props.value)}`;
  let copied = true;
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    copied = copySelected();
  }
  field.hidden = copied;
  button.textContent = copied ? texts.copied : texts.not_copied;
  setTimeout(() => {
    button.textContent = texts.copy;
  }, SHOWN);
}

button.addEventListener("click", copy);
watch("value", draw);
draw();
