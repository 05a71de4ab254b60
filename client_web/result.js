// The result of a file: verdict, course over time, faces, deciding frames with their maps, methods, facts.

import { courseChart, spans } from "./chart.js";
import { element } from "./dom.js";
import { icon } from "./icons.js";
import { BRANCHES, percent, reason, STATES } from "./words.js";

const EMPTY = {
  no_face: "No face was found. A face must be at least 48 pixels wide, and not turned to the side.",
  no_frames: "There is no picture in this file.",
};

/** Fills `root` with a finished job; `onreport`, `onjson` and `onnext` are called by the buttons. */
export function showResult(root, job, { onreport, onjson, onnext }) {
  const { result, details } = job;
  root.dataset.state = result.verdict;
  root.dataset.p = result.p_fake === null ? "" : String(result.p_fake);
  root.replaceChildren(
    head(result),
    tools(onreport, onjson, onnext),
    ...(details.timeline.length > 1 ? [course(details)] : []),
    ...(details.keyframes.length ? [keyframes(details)] : []),
    ...(result.tracks.length ? [faces(result, details)] : []),
    ...(Object.keys(result.branches).length ? [methods(result)] : []),
    facts(result),
  );
}

function head(result) {
  const reasons = result.reasons.map((code) => reason(code));
  const empty = EMPTY[result.reasons[0]];
  const because = reasons.length && !empty ? ` Because ${reasons.join("; ")}.` : "";
  const p = result.p_fake === null ? "no probability" : `fake ${percent(result.p_fake)}`;
  return element(
    "header",
    { class: "verdict", "data-state": result.verdict },
    element("h2", {}, result.file),
    element("p", { class: "verdict-head" }, icon(result.verdict), element("strong", { class: "word" }, STATES[result.verdict].word), element("span", { class: "p" }, p)),
    element("p", {}, `${STATES[result.verdict].says}${because}`),
    ...(empty ? [element("p", {}, empty)] : []),
  );
}

function tools(onreport, onjson, onnext) {
  const button = (text, work, name = "") => {
    const made = element("button", { class: name || null }, text);
    made.addEventListener("click", work);
    return made;
  };
  return element(
    "p",
    { class: "tools" },
    button("Another file", onnext, "primary"),
    button("Download the report", onreport),
    button("Download as JSON", onjson),
    button("Print or save as PDF", () => print()),
  );
}

function section(title, ...children) {
  return element("section", {}, element("h3", {}, title), ...children);
}

function course(details) {
  const place = element("div", { class: "chart-place" }, courseChart(details, false));
  const box = element("input", { type: "checkbox", id: "show-branches" });
  box.addEventListener("change", () => place.replaceChildren(courseChart(details, box.checked)));
  const tracks = [...new Set(details.timeline.map((point) => point.track))].sort((a, b) => a - b);
  const rows = tracks.flatMap((track) =>
    spans(details.timeline.filter((point) => point.track === track)).map(({ state, from, to }) => [`Face ${track}`, STATES[state]?.word ?? state, `${from.toFixed(1)} s`, `${to.toFixed(1)} s`]),
  );
  return section(
    "Over time",
    element("p", { class: "hint" }, "The line is the rolling probability, as a live viewer would have seen it; the strip below is the state; diamonds are deciding frames."),
    place,
    element("p", { class: "choice" }, element("label", { class: "check" }, box, "Show what each branch said (thin lines)")),
    element("details", {}, element("summary", {}, "The same as a table"), table(["Face", "State", "From", "To"], rows)),
  );
}

function keyframes(details) {
  const figures = details.keyframes.map((frame) => {
    const said = `Face ${frame.track} at ${frame.t.toFixed(1)} s, ${percent(frame.p)}`;
    const pictures = [element("img", { src: frame.crop, alt: `${said}: the face`, width: 192, height: 192 })];
    if (frame.map) pictures.push(element("img", { src: frame.map, alt: `${said}: its synthesis map in red over the face`, width: 192, height: 192 }));
    return element("figure", {}, element("div", { class: "pair" }, ...pictures), element("figcaption", {}, said));
  });
  return section(
    "Frames that decided",
    element("p", { class: "hint" }, "The most synthetic-looking moments. Red in the second picture: where the detector sees traces of touching; an indication, not a mask of a forgery."),
    element("div", { class: "keyframes" }, ...figures),
  );
}

function faces(result, details) {
  const names = Object.keys(BRANCHES).filter((name) => Object.values(details.tracks).some((parts) => name in parts));
  const rows = result.tracks.map((track) => [
    `Face ${track.track}${track.track === details.decided_by ? " (decided)" : ""}`,
    stateCell(track.verdict),
    percent(track.p_fake),
    ...names.map((name) => percent(details.tracks[track.track]?.[name]?.p_fake)),
    `${track.first_s.toFixed(1)}–${track.last_s.toFixed(1)} s`,
    track.reasons.map((code) => reason(code)).join("; "),
  ]);
  return section("Faces", table(["Face", "Verdict", "Fake", ...names.map((name) => BRANCHES[name]), "Seen", "Remarks"], rows));
}

function stateCell(state) {
  return element("span", { class: "state-cell", "data-state": state }, icon(state), STATES[state]?.word ?? state);
}

function methods(result) {
  const rows = Object.entries(result.branches).map(([name, part]) => [BRANCHES[name] ?? name, bar(part.p_fake), percent(part.p_fake), percent(part.confidence), percent(part.weight)]);
  return section("What each branch found", table(["Branch", "", "Fake", "Confidence", "Weight"], rows));
}

function bar(p) {
  const fill = element("span", { class: "fill" });
  fill.style.inlineSize = `${p * 100}%`;
  return element("span", { class: "bar", "aria-hidden": "true" }, fill);
}

function facts(result) {
  const { frames, seconds, weights } = result;
  const rows = [
    ["Method", result.method === "fusion" ? "all branches together" : BRANCHES[result.method] ?? result.method],
    ["Length", seconds.video ? `${seconds.video.toFixed(1)} s of video` : "one picture"],
    ["Pictures", `${frames.decoded} in the file, ${frames.analyzed} looked at, ${frames.with_face} with a face`],
    ["Took", `${seconds.wall.toFixed(1)} s`],
    ...Object.entries(weights).map(([name, hash]) => [`Weights: ${name}`, element("code", {}, String(hash))]),
  ];
  return section("Facts", table(["What", "Value"], rows));
}

function table(heads, rows) {
  const cell = (content) => element("td", {}, content);
  return element(
    "div",
    { class: "table", tabindex: "0", role: "region", "aria-label": `Table: ${heads.filter(Boolean).join(", ")}` },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...heads.map((name) => (name ? element("th", { scope: "col" }, name) : element("td", {}))))),
      element("tbody", {}, ...rows.map(([first, ...rest]) => element("tr", {}, element("th", { scope: "row" }, first), ...rest.map(cell)))),
    ),
  );
}
