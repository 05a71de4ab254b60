// The course of a file as SVG: one line per face, a strip of states below, marks where the deciding frames are.

import { svg } from "./dom.js";
import { STATES } from "./words.js";

const WIDTH = 900;
const LEFT = 44;
const RIGHT = 12;
const TOP = 14;
const HEIGHT = 190;
const STRIP = 20;
const GAP_S = 1;
const DASHES = ["", "9 4", "3 3", "12 3 3 3", "1 4", "6 6"];
const BRANCH_DASHES = { spatial: "2 4", mri: "7 4", temporal: "12 5" };

/** The chart of `details` (timeline, keyframes); `branches` adds a thin line for each branch. */
export function courseChart(details, branches) {
  const points = details.timeline;
  const start = Math.min(...points.map((point) => point.t));
  const span = Math.max(...points.map((point) => point.t)) - start || 1;
  const x = (t) => LEFT + ((WIDTH - LEFT - RIGHT) * (t - start)) / span;
  const y = (p) => TOP + HEIGHT * (1 - p);
  const tracks = [...new Set(points.map((point) => point.track))].sort((a, b) => a - b);
  const height = TOP + HEIGHT + 26 + tracks.length * (STRIP + 6);
  const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", class: "chart" }, title("Probability of a synthetic face over time"));
  root.append(patterns(), ...axes(x, y, start, span));
  tracks.forEach((track, index) => {
    const own = points.filter((point) => point.track === track).sort((a, b) => a.t - b.t);
    if (branches) root.append(...branchLines(own, x, y, index));
    root.append(...lines(own.map((point) => [point.t, point.p]), x, y, { class: `course-line track-${index % 6}`, "stroke-dasharray": DASHES[index % 6] }));
    root.append(...strip(own, x, TOP + HEIGHT + 26 + index * (STRIP + 6), track, tracks.length > 1));
  });
  for (const frame of details.keyframes) root.append(svg("path", { d: `M${x(frame.t)} ${y(frame.p)}m-5 0l5-5l5 5l-5 5z`, class: "mark" }, title(`Deciding frame: face ${frame.track} at ${frame.t} s`)));
  return root;
}

/** The uninterrupted states of one face as [{state, from, to}]. */
export function spans(points) {
  const found = [];
  for (const point of points) {
    const last = found.at(-1);
    if (last && last.state === point.state && point.t - last.to <= GAP_S) last.to = point.t;
    else {
      if (last && point.t - last.to <= GAP_S) last.to = point.t;
      found.push({ state: point.state, from: point.t, to: point.t });
    }
  }
  return found;
}

function title(text) {
  return svg("title", {}, text);
}

function axes(x, y, start, span) {
  const parts = [];
  for (const p of [0, 0.5, 1]) {
    parts.push(svg("path", { d: `M${LEFT} ${y(p)}H${WIDTH - RIGHT}`, class: p === 0.5 ? "rule middle" : "rule" }));
    parts.push(svg("text", { x: LEFT - 8, y: y(p) + 4, "text-anchor": "end" }, `${p * 100} %`));
  }
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const t = start + share * span;
    parts.push(svg("text", { x: x(t), y: TOP + HEIGHT + 18, "text-anchor": share === 1 ? "end" : share ? "middle" : "start" }, `${t.toFixed(1)} s`));
  }
  return parts;
}

function branchLines(own, x, y, index) {
  return Object.entries(BRANCH_DASHES).flatMap(([name, dash]) =>
    lines(own.map((point) => [point.t, point.branches[name] ?? null]), x, y, { class: `branch-line track-${index % 6}`, "stroke-dasharray": dash }),
  );
}

function lines(values, x, y, attributes) {
  const stretches = [];
  let last = null;
  for (const [t, p] of values) {
    if (p === null) last = null;
    else {
      if (last === null || t - last > GAP_S) stretches.push([]);
      stretches.at(-1).push(`${x(t).toFixed(1)},${y(p).toFixed(1)}`);
      last = t;
    }
  }
  return stretches.map((spots) => svg("polyline", { points: (spots.length > 1 ? spots : [spots[0], spots[0]]).join(" "), ...attributes }));
}

function strip(own, x, top, track, named) {
  const parts = spans(own).map(({ state, from, to }) => {
    const width = Math.max(3, x(to) - x(from));
    const bar = svg("rect", { x: x(from), y: top, width, height: STRIP, rx: 4, class: "state-bar", "data-state": state }, title(`Face ${track}: ${STATES[state]?.word ?? state}, ${from.toFixed(1)} to ${to.toFixed(1)} s`));
    const hatch = svg("rect", { x: x(from), y: top, width, height: STRIP, rx: 4, fill: `url(#hatch-${state})`, "pointer-events": "none" });
    const word = STATES[state]?.word ?? state;
    const label = width > word.length * 8 + 12 ? [svg("text", { x: x(from) + 8, y: top + STRIP - 6, class: "state-word" }, word)] : [];
    return [bar, hatch, ...label];
  });
  const name = named ? [svg("text", { x: LEFT - 8, y: top + STRIP - 6, "text-anchor": "end" }, `face ${track}`)] : [];
  return [...parts.flat(), ...name];
}

/** State is never said by colour alone: alarms are hatched. */
function patterns() {
  const hatch = (state, path, size) =>
    svg("pattern", { id: `hatch-${state}`, width: size, height: size, patternUnits: "userSpaceOnUse" }, svg("path", { d: path, class: "hatch" }));
  return svg("defs", {}, hatch("suspicious", "M-2 10L10 -2", 8), hatch("manipulated", "M-1 7L7 -1M-1 -1L7 7", 6));
}
