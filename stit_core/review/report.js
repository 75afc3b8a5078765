"use strict";
const dialog = document.getElementById("large");
const picture = dialog.querySelector("img");
const caption = dialog.querySelector("p");
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (link && window.parent !== window) {
    // In a frame that was given its text a link means the page around it, and would load that one into the frame.
    event.preventDefault();
    document.querySelector(link.hash).scrollIntoView();
  }
  const small = event.target.closest(".cells button");
  if (small) {
    const image = small.querySelector("img");
    picture.src = image.src;
    picture.alt = image.alt;
    caption.textContent = image.alt;
    dialog.showModal();
  } else if (event.target === dialog) {
    dialog.close();
  }
});
const filter = document.getElementById("filter");
if (filter) {
  filter.addEventListener("change", () => {
    for (const person of document.querySelectorAll(".person")) {
      const groups = person.dataset.groups.split(" ");
      person.hidden = filter.value !== "" && !groups.includes(filter.value);
    }
  });
}
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  const target = link && document.getElementById(link.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
});
let closed = [];
window.addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const details of closed) details.open = true;
  for (const image of document.images) image.loading = "eager";
});
window.addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
});
