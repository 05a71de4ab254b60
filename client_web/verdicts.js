// The newest verdict of every face of one stream: no DOM, no clock of its own.

import { CaptureClock, Trail } from "./timing.js";

export const STALE_MS = 1300;
const WINDOW_MS = 3000;
const HISTORY_MS = 30000;
const MOST_LATENCIES = 40;

export class Verdicts {
  constructor() {
    this.clock = new CaptureClock();
    this.clear();
  }

  /** Forgets everything, for another stream. */
  clear() {
    this.clock.clear();
    this.tracks = new Map();
    this.lastAt = null;
    this.arrivals = [];
    this.latencies = [];
    this.degraded = [];
  }

  /** Shows nothing from now on until new verdicts come; what was said stays in the faces' histories. */
  drop() {
    for (const face of this.tracks.values()) face.at = -Infinity;
    this.degraded = [];
  }

  /** Takes a `verdict` message that arrived at `now` (ms of any steady clock). */
  add(message, now) {
    this.clock.add(message, now);
    const known = this.tracks.get(message.track);
    const history = known ? known.history.filter((point) => now - point.at <= HISTORY_MS) : [];
    if (message.p_fake !== null) history.push({ at: now, p: message.p_fake, state: message.state });
    const trail = known?.trail ?? new Trail();
    trail.add(message.pts_s * 1000, message.box_xyxy);
    this.tracks.set(message.track, { message, at: now, history, trail });
    this.lastAt = now;
    this.degraded = message.degraded;
    if (this.arrivals.at(-1)?.seq !== message.seq) this.arrivals.push({ seq: message.seq, at: now });
    if (Number.isFinite(message.timing_ms.total)) this.latencies.push(message.timing_ms.total);
    if (this.latencies.length > MOST_LATENCIES) this.latencies.shift();
  }

  /** The faces whose verdict is fresh enough to be shown, by track. */
  fresh(now) {
    for (const [track, face] of this.tracks) {
      if (now - face.at > HISTORY_MS) this.tracks.delete(track);
    }
    return [...this.tracks.values()]
      .filter((face) => now - face.at <= STALE_MS)
      .sort((a, b) => a.message.track - b.message.track);
  }

  /** Where a face was in the picture taken at `captured` (ms of this page's clock); null asks for its newest box. */
  boxAt(face, captured) {
    if (captured === null) return face.message.box_xyxy;
    const zero = this.clock.captured(0);
    return zero === null ? face.message.box_xyxy : face.trail.at(captured - zero);
  }

  /** Where a face was at `time` (ms, as `pts_s`); null where that is not known. */
  boxAtTime(face, time) {
    return time === null ? null : face.trail.at(time);
  }

  /** Seconds without a verdict when that is worth saying, else null. */
  silentSeconds(now) {
    if (this.lastAt === null || now - this.lastAt <= STALE_MS) return null;
    return Math.floor((now - this.lastAt) / 1000);
  }

  /** Judged frames per second over the last seconds. */
  rate(now) {
    this.arrivals = this.arrivals.filter((arrival) => now - arrival.at <= WINDOW_MS);
    return this.arrivals.length / (WINDOW_MS / 1000);
  }

  /** Median of the newest times from arrival to verdict in ms, or null. */
  latency() {
    if (this.latencies.length === 0) return null;
    const sorted = [...this.latencies].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  }
}
