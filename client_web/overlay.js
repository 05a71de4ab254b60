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
const LABEL_PX = 26;
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
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.drawn = new Map();
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.readColours();
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.readColours());
  }

  /** Draws these faces over a picture of this size; anything else vanishes. */
  draw(faces, picture, mirrored, now) {
    const { width, height } = this.fit();
    this.context.clearRect(0, 0, width, height);
    const place = placed(picture.width, picture.height, width, height);
    const seen = new Map();
    for (const face of faces) {
      const target = toStage(face.message.box_xyxy, place, mirrored);
      const box = this.eased(face.message.track, target, now);
      seen.set(face.message.track, { box, now });
      this.face(face.message, box, width, height);
    }
    this.drawn = seen;
    this.canvas.dataset.boxes = String(faces.length);
  }

  clear() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.drawn.clear();
    this.canvas.dataset.boxes = "0";
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    this.colours = Object.fromEntries(Object.keys(LINES).map((state) => [state, style.getPropertyValue(`--box-${state}`).trim()]));
    this.ink = style.getPropertyValue("--box-ink").trim();
    this.font = `600 14px ${style.getPropertyValue("--font")}`;
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

  face(message, [x0, y0, x1, y1], width, height) {
    const context = this.context;
    const line = LINES[message.state] ?? LINES.uncertain;
    const colour = this.colours[message.state] ?? this.colours.uncertain;
    context.save();
    context.setLineDash(line.dash);
    context.lineWidth = line.width + 2;
    context.strokeStyle = "rgb(0 0 0 / 45%)";
    this.rounded(x0, y0, x1, y1);
    context.lineWidth = line.width;
    context.strokeStyle = colour;
    this.rounded(x0, y0, x1, y1);
    context.restore();
    this.label(message, colour, x0, y0, y1, width, height);
  }

  rounded(x0, y0, x1, y1) {
    this.context.beginPath();
    this.context.roundRect(x0, y0, x1 - x0, y1 - y0, 10);
    this.context.stroke();
  }

  label(message, colour, x0, y0, y1, width, height) {
    const context = this.context;
    const word = STATES[message.state]?.word ?? message.state;
    const text = message.p_fake === null ? word : `${word}  P(fake) ${percent(message.p_fake)}`;
    context.font = this.font;
    const wide = context.measureText(text).width + 40;
    const left = Math.max(2, Math.min(x0, width - wide - 2));
    const above = y0 - LABEL_PX - 6;
    const top = above >= 2 ? above : Math.min(y1 + 6, height - LABEL_PX - 2);
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(left, top, wide, LABEL_PX, 8);
    context.fill();
    context.save();
    context.translate(left + 8, top + 5);
    context.strokeStyle = this.ink;
    context.lineWidth = 1.6;
    context.lineCap = context.lineJoin = "round";
    context.stroke(PATHS[message.state] ?? PATHS.uncertain);
    context.restore();
    context.fillStyle = this.ink;
    context.textBaseline = "middle";
    context.fillText(text, left + 30, top + LABEL_PX / 2 + 0.5);
  }
}
