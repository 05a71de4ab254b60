// One icon per verdict state as an SVG path in a 16 by 16 box, for the canvas and for the page alike.

export const ICON_PATHS = {
  authentic: "M8 1.500a6.500 6.500 0 1 0 0 13a6.500 6.500 0 0 0 0-13zM4.800 8.200l2.200 2.200l4.200-4.600",
  suspicious: "M8 1.800L15 14H1zM8 6.200v3.800M8 11.800v.4",
  manipulated: "M5.300 1.500h5.400l3.800 3.800v5.400l-3.800 3.800H5.300L1.500 10.700V5.300zM5.600 5.600l4.800 4.800M10.400 5.600l-4.800 4.800",
  uncertain: "M8 1.500a6.500 6.500 0 1 0 0 13a6.500 6.500 0 0 0 0-13zM6 6.300a2 2 0 1 1 2.900 1.800c-.6.3-.9.700-.9 1.300M8 11.300v.4",
  warming: "M8 1.500a6.500 6.500 0 1 0 0 13a6.500 6.500 0 0 0 0-13zM8 4.500V8l2.400 1.500",
};

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element of a state's icon; it is decoration, the word stands beside it. */
export function icon(state) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICON_PATHS[state] ?? ICON_PATHS.uncertain);
  svg.append(path);
  return svg;
}
