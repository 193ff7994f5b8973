// What the parts of the page make elements with: text from the server is always text, never markup.

const WOOL_COUNT = 8; // colours in style.css
const wools = new Map(); // name → colour, in the order of appearance

export const byId = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function avatar(name) {
  const made = element("span", "avatar", [...name][0]?.toUpperCase());
  if (!wools.has(name)) wools.set(name, wools.size % WOOL_COUNT);
  made.dataset.wool = String(wools.get(name));
  made.setAttribute("aria-hidden", "true");
  return made;
}

/** Shows `text` in a place that is hidden when there is none. */
export function show(place, text) {
  place.hidden = !text;
  place.textContent = text ?? "";
}
