// Small helpers for making page elements.

/** An element with attributes and children; `class` sets the class name, null leaves an attribute out. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === false) continue;
    if (key === "class") made.className = value;
    else if (key === "muted") made.muted = value; // The attribute counts only where the parser reads it.
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes and children. */
export function svg(name, properties = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(properties)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The element of this id. */
export const $ = (id) => document.getElementById(id);

/** Shows one of two buttons and keeps the focus on the one that is shown. */
export function swap(first, second, on) {
  const [shows, hides] = on ? [second, first] : [first, second];
  const focused = document.activeElement === hides;
  shows.hidden = false;
  hides.hidden = true;
  if (focused) shows.focus();
}

/** Sets a text only where it differs, so that screen readers and selections stay calm. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
