// When the frame of a verdict was taken, in this page's own time: no DOM, no clock of its own.

const WINDOW_MS = 20000;
const MOST_SAMPLES = 400;
const DELAY_SHARE = 0.9;
const DELAY_SAMPLES = 40;
const MARGIN_MS = 25;
const LONGEST_DELAY_MS = 1200;
const USUAL_PATH_MS = 55;

/**
 * Maps a stream's times (`pts_s`) to this page's clock (ms).
 *
 * The server says how long ago a frame arrived there (`timing_ms.total`); the promptest message of the last seconds
 * gives the moment of its arrival, and `path` (ms from the camera to that arrival) leads back to the camera.
 */
export class CaptureClock {
  constructor() {
    this.clear();
  }

  clear() {
    this.samples = [];
    this.ages = [];
    this.path = USUAL_PATH_MS;
    this.downlink = 0;
    this.shown = null;
  }

  /** Takes a verdict that came at `now`. */
  add(message, now) {
    const total = Number.isFinite(message.timing_ms.total) ? message.timing_ms.total : 0;
    const pts = message.pts_s * 1000;
    if (this.samples.length && pts < this.samples.at(-1).pts - 1000) this.clear();
    this.samples = this.samples.filter((sample) => now - sample.now <= WINDOW_MS).slice(-MOST_SAMPLES);
    this.samples.push({ now, pts, offset: now - total - pts });
    this.ages.push(now - this.captured(message.pts_s));
    if (this.ages.length > DELAY_SAMPLES) this.ages.shift();
  }

  /** When the frame of this time was taken, ms of this page's clock; null before the first verdict. */
  captured(pts_s) {
    if (!this.samples.length) return null;
    return pts_s * 1000 + Math.min(...this.samples.map((sample) => sample.offset)) - this.downlink - this.path;
  }

  /** Usual ms from the camera to the verdict on this page; null before the first. */
  age() {
    if (!this.ages.length) return null;
    return [...this.ages].sort((a, b) => a - b)[Math.floor(this.ages.length / 2)];
  }

  /** How long a picture has to wait for its verdict, ms; moves slowly, so that the picture does not stutter. */
  delay() {
    if (!this.ages.length) return 0;
    const sorted = [...this.ages].sort((a, b) => a - b);
    const wanted = Math.min(LONGEST_DELAY_MS, sorted[Math.floor((sorted.length - 1) * DELAY_SHARE)] + MARGIN_MS);
    if (this.shown === null || Math.abs(wanted - this.shown) > 400) this.shown = wanted;
    else this.shown += (wanted - this.shown) * 0.02;
    return this.shown;
  }
}

const LONGEST_AHEAD_MS = 180;
const LONGEST_GAP_MS = 700;
const TRAIL = 24;

/** Where a face was at each of its newest verdicts; tells where it is in between and a little later. */
export class Trail {
  constructor() {
    this.points = [];
  }

  add(at, box) {
    if (this.points.length && at <= this.points.at(-1).at) return;
    this.points.push({ at, box });
    if (this.points.length > TRAIL) this.points.shift();
  }

  /** The box at `at` (ms of the same clock): between two verdicts, or a little ahead of the newest one. */
  at(at) {
    const { points } = this;
    const next = points.findIndex((point) => point.at >= at);
    if (next === 0) return points[0].box;
    if (next > 0) return between(points[next - 1], points[next], at);
    const last = points.at(-1);
    const before = points.at(-2);
    if (!before || last.at - before.at > LONGEST_GAP_MS || last.at - before.at < 5) return last.box;
    const ahead = Math.min(at - last.at, LONGEST_AHEAD_MS) * 0.8;
    return between(before, last, last.at + ahead);
  }
}

function between(first, second, at) {
  const share = (at - first.at) / (second.at - first.at);
  return first.box.map((value, index) => Math.min(1.2, Math.max(-0.2, value + (second.box[index] - value) * share)));
}
