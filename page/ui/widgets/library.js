// The library of directions, whose own ones can be deleted. Props: value, its HTML from page/ui/templates/library.html. Fires
// "remove" with {name} once the visitor has confirmed it.
element.addEventListener("click", (event) => {
  const pressed = /** @type {Element} */ (event.target);
  const button = /** @type {HTMLElement | null} */ (pressed.closest(".direction-delete"));
  if (button && window.confirm(button.dataset.sure)) trigger("remove", { name: button.dataset.name });
});
