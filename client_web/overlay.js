// Draws boxes and labels over the picture; every state has its own colour, line, icon and word.

import { ICON_PATHS } from "./icons.js";
import { percent, STATES } from "./words.js";

const LINES = {
  authentic: { dash: [], width: 2.5 },
  suspicious: { dash: [12, 6], width: 3 },
  manipulated: { dash: [], width: 4.5 },
  uncertain: { dash: [3, 5], width: 2.5 },
  warming: { dash: [2, 7], width: 2 },
};
const EASING_MS = 70;
const NARROW_PX = 480;
const PATHS = Object.fromEntries(Object.entries(ICON_PATHS).map(([state, path]) => [state, new Path2D(path)]));

/** Where a picture of this size lies inside a stage that shows all of it: {x, y, width, height}. */
export function placed(pictureWidth, pictureHeight, stageWidth, stageHeight) {
  const scale = Math.min(stageWidth / pictureWidth, stageHeight / pictureHeight);
  const width = pictureWidth * scale;
  const height = pictureHeight * scale;
  return { x: (stageWidth - width) / 2, y: (stageHeight - height) / 2, width, height };
}

/** A box (0..1) in stage pixels: [x0, y0, x1, y1]. */
export function toStage(box, place, mirrored) {
  const [x0, y0, x1, y1] = box;
  const [left, right] = mirrored ? [1 - x1, 1 - x0] : [x0, x1];
  return [place.x + left * place.width, place.y + y0 * place.height, place.x + right * place.width, place.y + y1 * place.height];
}

export class Overlay {
  /** `labels` says whether words stand at the boxes, `text` their size in pixels. */
  constructor(canvas, { labels = true, text = 14 } = {}) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.labels = labels;
    this.text = text;
    this.drawn = new Map();
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.readColours();
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.readColours());
  }

  /**
   * Draws faces ({message, box?, name?}) over a picture of this size; anything else vanishes. A face with its own `box`
   * is drawn right there, any other one glides to its newest place. `under` draws what lies below the boxes.
   */
  draw(faces, picture, mirrored, now, under = null) {
    const { width, height } = this.fit();
    this.context.clearRect(0, 0, width, height);
    const place = placed(picture.width, picture.height, width, height);
    under?.(this.context, place, mirrored);
    const seen = new Map();
    for (const face of faces) {
      const target = toStage(face.box ?? face.message.box_xyxy, place, mirrored);
      const box = face.box ? target : this.eased(face.message.track, target, now);
      seen.set(face.message.track, { box, now });
      this.box(face.message.state, box);
    }
    const taken = [];
    for (const face of this.labels ? faces : []) this.label(face, seen.get(face.message.track).box, width, height, taken);
    this.drawn = seen;
    this.canvas.dataset.boxes = String(faces.length);
  }

  clear() {
    if (this.canvas.dataset.boxes === "0") return;
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.drawn.clear();
    this.canvas.dataset.boxes = "0";
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    this.colours = Object.fromEntries(Object.keys(LINES).map((state) => [state, style.getPropertyValue(`--box-${state}`).trim()]));
    this.ink = style.getPropertyValue("--box-ink").trim();
    this.family = style.getPropertyValue("--font");
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { width, height };
  }

  eased(track, target, now) {
    const before = this.drawn.get(track);
    if (!before || this.still.matches) return target;
    const share = 1 - Math.exp(-(now - before.now) / EASING_MS);
    return target.map((value, index) => before.box[index] + (value - before.box[index]) * share);
  }

  box(state, [x0, y0, x1, y1]) {
    const context = this.context;
    const line = LINES[state] ?? LINES.uncertain;
    const scale = this.text / 14;
    context.save();
    context.setLineDash(line.dash.map((length) => length * scale));
    context.beginPath();
    context.roundRect(x0, y0, Math.max(1, x1 - x0), Math.max(1, y1 - y0), 10);
    context.lineWidth = line.width * scale + 2;
    context.strokeStyle = "rgb(0 0 0 / 45%)";
    context.stroke();
    context.lineWidth = line.width * scale;
    context.strokeStyle = this.colours[state] ?? this.colours.uncertain;
    context.stroke();
    context.restore();
  }

  label({ message, name }, box, width, height, taken) {
    const context = this.context;
    const narrow = width < NARROW_PX;
    const px = narrow ? Math.min(12, this.text) : this.text;
    const tall = Math.round(px * 1.85);
    const word = STATES[message.state]?.word ?? message.state;
    const p = message.p_fake === null || narrow ? "" : `  fake ${percent(message.p_fake)}`;
    const text = `${name ? `${name}: ` : ""}${word}${p}`;
    context.font = `600 ${px}px ${this.family}`;
    const wide = context.measureText(text).width + px * 2.8;
    const { left, top } = spot(box, wide, tall, width, height, taken);
    taken.push([left, top, left + wide, top + tall]);
    context.fillStyle = this.colours[message.state] ?? this.colours.uncertain;
    context.beginPath();
    context.roundRect(left, top, wide, tall, 8);
    context.fill();
    context.save();
    context.translate(left + px * 0.6, top + (tall - px * 1.15) / 2);
    context.scale(px / 14, px / 14);
    context.strokeStyle = this.ink;
    context.lineWidth = 1.6;
    context.lineCap = context.lineJoin = "round";
    context.stroke(PATHS[message.state] ?? PATHS.uncertain);
    context.restore();
    context.fillStyle = this.ink;
    context.textBaseline = "middle";
    context.fillText(text, left + px * 2.1, top + tall / 2 + 0.5);
  }
}

/** Where a label of this size goes: above its box, below, inside, or the first free line further down. */
function spot([x0, y0, , y1], wide, tall, width, height, taken) {
  const left = Math.max(2, Math.min(x0, width - wide - 2));
  const lowest = Math.max(2, height - tall - 2);
  const wanted = [y0 - tall - 6, y1 + 6, y0 + 6, y0 + tall + 10, y1 - tall - 6].filter((top) => top >= 2 && top <= lowest);
  const free = (top) => taken.every(([a, b, c, d]) => left >= c || left + wide <= a || top >= d || top + tall <= b);
  for (let top = 2; top <= lowest; top += tall + 2) wanted.push(top);
  return { left, top: wanted.find(free) ?? wanted[0] ?? 2 };
}
