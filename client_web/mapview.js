// What the detector sees: the synthesis maps of the faces, fetched while they are wanted, drawn over the picture.

import { getJson } from "./api.js";

const PAUSE_MS = 350;
const OPAQUE = 0.85;

export class MapView {
  /** `faces` gives the faces that are shown now; `changed(summary)` gets what the maps say, in words. */
  constructor(faces, changed) {
    this.faces = faces;
    this.changed = changed;
    this.on = false;
    this.maps = new Map();
  }

  /** Begins or ends asking for maps of this stream. */
  set(on) {
    if (on === this.on) return;
    this.on = on;
    this.maps.clear();
    this.changed("");
    if (on) this.run();
  }

  async run() {
    while (this.on) {
      const faces = this.faces();
      const found = await Promise.all(faces.map(({ message }) => fetchMap(message.stream, message.track)));
      if (!this.on) return;
      this.maps = new Map(found.filter((map) => map !== null).map((map) => [map.track, map]));
      this.changed(summary(found.filter((map) => map !== null)));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** Draws the maps; `boxes` gives for each track [box now, box of its newest verdict], so that a map moves along. */
  draw(context, place, mirrored, boxes) {
    for (const [track, map] of this.maps) {
      const found = boxes.get(track);
      if (!found) continue;
      context.save();
      if (mirrored) context.transform(-1, 0, 0, 1, 2 * place.x + place.width, 0);
      context.globalAlpha = OPAQUE;
      const [origin, right, , down] = map.corners.map((corner) => moved(corner, found, place));
      const [wide, tall] = [map.picture.width, map.picture.height];
      context.transform(
        (right[0] - origin[0]) / wide, (right[1] - origin[1]) / wide,
        (down[0] - origin[0]) / tall, (down[1] - origin[1]) / tall,
        origin[0], origin[1],
      );
      context.imageSmoothingQuality = "high";
      context.drawImage(map.picture, 0, 0);
      context.restore();
    }
  }
}

async function fetchMap(stream, track) {
  try {
    const map = await getJson(`/api/streams/${encodeURIComponent(stream)}/tracks/${track}/map`);
    return { track, corners: map.corners_xy, picture: coloured(map), mean: map.mean, strongest: map.strongest };
  } catch {
    return null;
  }
}

/** A map as a picture: nothing where the face is untouched, over amber to red where it looks drawn. */
function coloured({ size_wh: [width, height], values }) {
  const picture = document.createElement("canvas");
  Object.assign(picture, { width, height });
  const context = picture.getContext("2d");
  const pixels = context.createImageData(width, height);
  const bytes = Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0));
  bytes.forEach((value, index) => {
    const share = value / 255;
    pixels.data.set([255, Math.round(205 * (1 - share)), Math.round(60 * (1 - share)), Math.round(45 * (share > 0.04) + 200 * share)], index * 4);
  });
  context.putImageData(pixels, 0, 0);
  return picture;
}

function moved([x, y], [now, then], place) {
  const scaleX = (now[2] - now[0]) / (then[2] - then[0] || 1);
  const scaleY = (now[3] - now[1]) / (then[3] - then[1] || 1);
  return [
    place.x + (now[0] + (x - then[0]) * scaleX) * place.width,
    place.y + (now[1] + (y - then[1]) * scaleY) * place.height,
  ];
}

function summary(maps) {
  if (!maps.length) return "No map yet.";
  const parts = maps.map((map) => `face ${map.track}: ${Math.round(map.mean * 100)} % of the face looks drawn, at its strongest spot ${Math.round(map.strongest * 100)} %`);
  return `${parts.join("; ")}.`;
}
