// The list of faces: word, probability, reasons, course of the last half minute, branches.

import { element, put, svg } from "./dom.js";
import { icon } from "./icons.js";
import { BRANCHES, capital, percent, reason, STATES } from "./words.js";

const COURSE_MS = 30000;

export class Cards {
  /** `whose` ("own" or "other") is who could follow advice; `names`, a Map from track to name, makes faces nameable; `compact` folds the details. */
  constructor(list, empty, { whose = "other", names = null, compact = false } = {}) {
    Object.assign(this, { list, empty, whose, names, compact });
    this.cards = new Map();
  }

  /** Shows exactly these faces. */
  show(faces, now) {
    const tracks = new Set(faces.map((face) => face.message.track));
    for (const [track, card] of this.cards) {
      if (tracks.has(track)) continue;
      card.root.remove();
      this.cards.delete(track);
    }
    for (const face of faces) {
      const card = this.cards.get(face.message.track) ?? this.add(face.message.track);
      fill(card, face, now, this.whose);
    }
    this.empty.hidden = faces.length > 0;
  }

  add(track) {
    const card = makeCard(track, this.names, this.compact);
    this.cards.set(track, card);
    this.list.append(card.root);
    return card;
  }
}

function makeCard(track, names, compact) {
  const word = element("span", { class: "word" });
  const p = element("span", { class: "p" });
  const icons = element("span", { class: "icons" });
  const line = svg("polyline");
  const course = svg(
    "svg",
    { viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true", class: "course" },
    svg("path", { d: "M0 12H100" }),
    line,
  );
  const branches = element("ul", { class: "branches" });
  const notes = element("p", { class: "notes" });
  const head = element("div", { class: "head" }, icons, word, p);
  const root = element("li", { class: "face" }, title(track, names), head, notes, ...(compact ? [folded(course, branches)] : [course, branches]));
  return { root, word, p, icons, line, branches, notes, bars: new Map(), state: null };
}

function folded(...details) {
  return element("details", {}, element("summary", {}, "Why"), ...details);
}

function title(track, names) {
  if (!names) return element("h3", {}, `Face ${track}`);
  const input = element("input", { id: `name-${track}`, class: "name", placeholder: "name", maxlength: "40", autocomplete: "off", "aria-label": `Name of face ${track}` });
  input.value = names.get(track) ?? "";
  input.addEventListener("input", () => names.set(track, input.value.trim()));
  return element("h3", {}, element("label", { for: `name-${track}` }, `Face ${track}`), input);
}

function fill(card, face, now, whose) {
  const { message } = face;
  card.root.dataset.track = message.track;
  card.root.dataset.state = message.state;
  card.root.dataset.p = message.p_fake === null ? "" : String(message.p_fake);
  card.root.dataset.box = JSON.stringify(message.box_xyxy);
  card.root.dataset.seq = String(message.seq);
  if (card.state !== message.state) {
    card.state = message.state;
    card.icons.replaceChildren(icon(message.state));
    card.word.textContent = STATES[message.state]?.word ?? message.state;
  }
  put(card.p, message.p_fake === null ? "no probability" : `fake ${percent(message.p_fake)}`);
  card.line.setAttribute("points", points(face.history, now));
  fillBranches(card, message.branches);
  const reasons = [...new Set([...message.reasons, ...message.quality.reasons])].map((code) => reason(code, whose));
  const says = fading(message) ? "The alarm still stands, but the signs have weakened." : (STATES[message.state]?.says ?? "");
  put(card.notes, reasons.length ? `${says} ${capital(reasons.join("; "))}.` : says);
}

/** Whether an alarm outlasts its evidence for a moment, as it does by design. */
function fading(message) {
  return ["suspicious", "manipulated"].includes(message.state) && message.p_fake !== null && message.p_fake < 0.5;
}

function points(history, now) {
  return history
    .map((point) => `${(100 - ((now - point.at) / COURSE_MS) * 100).toFixed(1)},${(23 - point.p * 22).toFixed(1)}`)
    .join(" ");
}

function fillBranches(card, branches) {
  for (const name of new Set([...Object.keys(BRANCHES), ...Object.keys(branches)])) {
    const bar = card.bars.get(name) ?? addBar(card, name);
    const result = branches[name];
    bar.root.classList.toggle("absent", !result);
    bar.fill.style.inlineSize = result ? `${(result.p_fake * 100).toFixed(1)}%` : "0";
    bar.fill.style.opacity = result ? String(0.35 + 0.65 * result.weight) : "0";
    put(bar.value, result ? percent(result.p_fake) : "no answer");
    put(bar.weight, result ? `confidence ${Math.round(result.confidence * 100)} %, weight ${Math.round(result.weight * 100)} %` : "");
  }
}

function addBar(card, name) {
  const fill = element("span", { class: "fill" });
  const value = element("span", { class: "value" });
  const weight = element("span", { class: "weight" });
  const label = element("span", { class: "label" }, BRANCHES[name] ?? name);
  const root = element("li", { "data-branch": name }, label, element("span", { class: "track" }, fill), value, weight);
  card.branches.append(root);
  const bar = { root, fill, value, weight };
  card.bars.set(name, bar);
  return bar;
}
