// The course of the last minutes: probability of each face, the gravest state, gaps; as a drawing and as a sentence.

import { duration, GRAVITY, percent, STATES } from "./words.js";

const SAMPLE_MS = 500;
const KEPT_MS = 180000;
const STRIP_PX = 12;
const PATTERNS = { authentic: 0, warming: 0, uncertain: 3, suspicious: 6, manipulated: 0 };

export class Timeline {
  /** Draws on `canvas`, writes the same as a sentence into `text`. */
  constructor(canvas, text) {
    this.canvas = canvas;
    this.text = text;
    this.clear();
  }

  clear() {
    this.samples = [];
    this.spokenAt = -Infinity;
  }

  /** Takes the faces that are shown now; an empty list is a gap. */
  sample(faces, now) {
    if (this.samples.length && now - this.samples.at(-1).at < SAMPLE_MS) return;
    const seen = faces.map(({ message }) => ({ track: message.track, p: message.p_fake, state: message.state }));
    this.samples.push({ at: now, faces: seen });
    while (now - this.samples[0].at > KEPT_MS) this.samples.shift();
    this.draw(now);
    if (now - this.spokenAt > 2000) {
      this.spokenAt = now;
      this.text.textContent = this.sentence();
    }
  }

  sentence() {
    const held = new Map();
    let changes = 0;
    let before = null;
    let highest = null;
    for (const { faces } of this.samples) {
      const state = gravest(faces);
      held.set(state, (held.get(state) ?? 0) + SAMPLE_MS / 1000);
      if (before !== null && state !== null && before !== state) changes += 1;
      before = state ?? before;
      for (const { p } of faces) if (p !== null && (highest === null || p > highest)) highest = p;
    }
    const parts = [...held].filter(([state]) => state !== null).map(([state, seconds]) => `${STATES[state].word} ${duration(seconds)}`);
    if (!parts.length) return "Nothing has been seen yet.";
    const without = held.get(null) ? `, without a face ${duration(held.get(null))}` : "";
    const most = highest === null ? "" : `; highest probability of a fake ${percent(highest)}`;
    return `Last ${duration(this.samples.length * SAMPLE_MS / 1000)}: ${parts.join(", ")}${without}; ${changes === 1 ? "one change" : `${changes} changes`} of state${most}.`;
  }

  draw(now) {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const length = Math.max(30000, Math.min(KEPT_MS, now - this.samples[0].at));
    const x = (at) => width - ((now - at) / length) * width;
    const y = (p) => 4 + (1 - p) * (height - STRIP_PX - 12);
    grid(context, width, y, colour("line"), colour("quiet"));
    this.strip(context, x, height - STRIP_PX, colour);
    this.lines(context, x, y, colour);
  }

  strip(context, x, top, colour) {
    this.samples.forEach(({ at, faces }, index) => {
      const state = gravest(faces);
      if (state === null) return;
      const end = this.samples[index + 1]?.at ?? at + SAMPLE_MS;
      const left = x(at);
      const wide = Math.max(1, x(end) - left + 0.5);
      const inset = PATTERNS[state];
      context.fillStyle = colour(state);
      context.fillRect(left, top + inset / 2, wide, STRIP_PX - inset);
    });
  }

  lines(context, x, y, colour) {
    const tracks = new Set(this.samples.flatMap(({ faces }) => faces.map(({ track }) => track)));
    context.lineWidth = 2;
    context.lineJoin = "round";
    for (const track of tracks) {
      let before = null;
      for (const { at, faces } of this.samples) {
        const face = faces.find((one) => one.track === track && one.p !== null);
        if (face && before) {
          context.strokeStyle = colour(face.state);
          context.beginPath();
          context.moveTo(x(before.at), y(before.p));
          context.lineTo(x(at), y(face.p));
          context.stroke();
        }
        before = face ? { at, p: face.p } : null;
      }
    }
  }
}

function grid(context, width, y, line, ink) {
  context.strokeStyle = line;
  context.setLineDash([3, 4]);
  context.beginPath();
  for (const p of [0, 0.5, 1]) {
    context.moveTo(0, y(p));
    context.lineTo(width, y(p));
  }
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = ink;
  context.font = "11px sans-serif";
  context.fillText("fake 100 %", 8, y(1) + 12);
  context.fillText("50 %", 8, y(0.5) - 3);
}

/** The gravest state of these faces, null where there is none. */
export function gravest(faces) {
  return faces.reduce((worst, { state }) => (GRAVITY.indexOf(state) > GRAVITY.indexOf(worst) ? state : worst), null);
}
