// Keeps the run's id in the page's address, and copies that address. Props: value, the id; none any more: begin anew.
const button = /** @type {HTMLButtonElement} */ (element.querySelector(".visit-copy"));

const LEAVE = 300; // milliseconds, so that the reply that said so comes to its end first
let known = false;

function begin() {
  window.location.replace(window.location.pathname);
}

function draw() {
  button.disabled = !props.value;
  if (!props.value && known) setTimeout(begin, LEAVE); // the run was deleted
  if (!props.value) return;
  known = true;
  const address = new URL(window.location.href);
  if (address.searchParams.get("run") === props.value) return;
  address.searchParams.set("run", props.value);
  window.history.replaceState(null, "", address);
}

async function copy() {
  try {
    await navigator.clipboard.writeText(window.location.href);
    button.textContent = texts.copied;
  } catch {
    button.textContent = texts.not_copied;
  }
  setTimeout(() => {
    button.textContent = texts.copy;
  }, 2500);
}

button.addEventListener("click", copy);
watch("value", draw);
draw();
