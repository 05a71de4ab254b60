// The list of faces: word, probability, course of the last half minute, branches and reasons.

import { element } from "./dom.js";
import { icon } from "./icons.js";
import { BRANCHES, percent, reason, STATES } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const COURSE_MS = 30000;

export class Cards {
  constructor(list, empty) {
    this.list = list;
    this.empty = empty;
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
      fill(card, face, now);
    }
    this.empty.hidden = faces.length > 0;
  }

  add(track) {
    const card = makeCard(track);
    this.cards.set(track, card);
    this.list.append(card.root);
    return card;
  }
}

function makeCard(track) {
  const word = element("span", { class: "word" });
  const p = element("span", { class: "p" });
  const icons = element("span", { class: "icons" });
  const line = document.createElementNS(SVG, "polyline");
  const course = document.createElementNS(SVG, "svg");
  course.setAttribute("viewBox", "0 0 100 24");
  course.setAttribute("preserveAspectRatio", "none");
  course.setAttribute("aria-hidden", "true");
  course.classList.add("course");
  const middle = document.createElementNS(SVG, "path");
  middle.setAttribute("d", "M0 12H100");
  course.append(middle, line);
  const branches = element("ul", { class: "branches" });
  const notes = element("p", { class: "notes" });
  const head = element("div", { class: "head" }, icons, word, p);
  const title = element("h3", {}, `Face ${track}`);
  const root = element("li", { class: "face" }, title, head, course, branches, notes);
  return { root, word, p, icons, line, branches, notes, bars: new Map(), state: null };
}

function fill(card, face, now) {
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
  card.p.textContent = message.p_fake === null ? "no probability" : `P(fake) ${percent(message.p_fake)}`;
  card.line.setAttribute("points", points(face.history, now));
  fillBranches(card, message.branches);
  const reasons = [...new Set([...message.reasons, ...message.quality.reasons])].map(reason);
  const says = fading(message) ? "The alarm still stands, but the signs have weakened." : (STATES[message.state]?.says ?? "");
  card.notes.textContent = reasons.length ? `${says} ${capital(reasons.join("; "))}.` : says;
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
    bar.value.textContent = result ? percent(result.p_fake) : "no answer";
    bar.weight.textContent = result ? `weight ${Math.round(result.weight * 100)} %` : "";
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

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
