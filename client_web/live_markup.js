// The elements of a live view.

import { element, svg } from "./dom.js";

const FACTS = [
  ["state", "Stream", "none"],
  ["latency", "Latency", "–"],
  ["fps", "Looked at", "–"],
  ["degraded", "Left out", "nothing"],
  ["device", "Runs on", "–"],
];

/** Stage, faces, course and facts; `hint` stands in the empty stage. */
export function markup(hint) {
  return [stage(hint), faces(), element("div", { class: "below" }, course(), facts())];
}

function stage(hint) {
  return element(
    "section",
    { class: "stage", id: "stage", "aria-label": "Picture with verdicts", "data-state": "idle" },
    element("video", { id: "video", autoplay: true, playsinline: true, muted: true }),
    element("canvas", { id: "picture", hidden: true, "aria-hidden": "true" }),
    element("img", { id: "still", alt: "", hidden: true }),
    element("canvas", { id: "overlay", role: "img", "aria-label": "Boxes around faces; the same is said in the list of faces" }),
    element("div", { class: "empty", id: "empty" }, portrait(), element("p", {}, hint)),
    element("p", { class: "banner", id: "banner", hidden: true }, clock(), element("span", { id: "banner-text" })),
  );
}

function faces() {
  const map = element("label", { class: "check" }, element("input", { type: "checkbox", id: "show-map" }), "Show what the detector sees");
  return element(
    "aside",
    { class: "side", "aria-label": "Faces" },
    element("div", { class: "side-head" }, element("h2", {}, "Faces"), map),
    element("p", { class: "hint", id: "map-text", hidden: true }),
    element("ul", { class: "faces", id: "faces" }),
    element("p", { class: "hint", id: "no-faces" }, "Nobody is in the picture yet."),
  );
}

function course() {
  return element(
    "figure",
    { class: "timeline" },
    element("h2", {}, "The last three minutes"),
    element("canvas", { id: "timeline", "aria-hidden": "true" }),
    element("figcaption", { class: "hint", id: "timeline-text" }, "Nothing has been seen yet."),
  );
}

function facts() {
  const rows = FACTS.map(([id, name, value]) => element("div", {}, element("dt", {}, name), element("dd", { id: `fact-${id}` }, value)));
  return element("dl", { class: "facts", id: "facts" }, ...rows);
}

function portrait() {
  return svg(
    "svg",
    { viewBox: "0 0 120 80", "aria-hidden": "true" },
    svg("path", { d: "M8 24V10h18M112 24V10H94M8 56v14h18M112 56v14H94" }),
    svg("circle", { cx: "60", cy: "34", r: "13" }),
    svg("path", { d: "M38 66c3-13 12-18 22-18s19 5 22 18" }),
  );
}

function clock() {
  return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: "M8 1.500a6.500 6.500 0 1 0 0 13a6.500 6.500 0 0 0 0-13zM8 4.500V8l2.400 1.500" }));
}
