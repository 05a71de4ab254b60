// Which verdict belongs to a picture that the server sends back: no DOM, no clock of its own.

const NEAR_MS = 450;
const EXPECTED_LAG_MS = 28;
const KEPT = 60;
const BIN_MS = 6;
const FEWEST_VOTES = 4;
const NEARLY = 0.75;
const NEARLY_MS = 5;
const WRAP = 2 ** 32;

/** What the server puts into the lowest 8 bits of the RTP time of this frame, before the unknown zero is added. */
function mark(seq) {
  const low = seq & 255;
  return (31 * low * low + 7 * low) & 255;
}

/**
 * Finds the constant between the times of returned pictures (RTP, 90 kHz, from an unknown zero) and those of verdicts.
 *
 * Picture and verdict of a frame leave the server together, and both carry the frame's own time; the lowest bits of the
 * picture's time also tell the frame's number. Of all pairs that arrived close to each other, the right ones agree on the
 * constant and on the zero of those bits. Where several are as good, the one with the likeliest delay of the picture wins.
 */
export class ReturnedClock {
  constructor() {
    this.clear();
  }

  clear() {
    this.pictures = [];
    this.verdicts = [];
    this.last = null;
    this.turns = 0;
    this.constant = null;
  }

  /** Takes a picture's RTP time and its arrival (ms). */
  picture(rtp, now) {
    const at = this.unwrapped(rtp);
    if (this.pictures.at(-1)?.at === at) return;
    this.pictures.push({ at, now, rtp });
    if (this.pictures.length > KEPT) this.pictures.shift();
    this.settle();
  }

  /** Takes a verdict's time (s), the number of its frame, and its arrival (ms). */
  verdict(pts_s, seq, now) {
    const at = pts_s * 1000;
    if (this.verdicts.at(-1)?.at === at) return;
    this.verdicts.push({ at, now, mark: mark(seq) });
    if (this.verdicts.length > KEPT) this.verdicts.shift();
  }

  /** The time (ms, as `pts_s`) of the frame that this picture shows; null while that is not known. */
  timeOf(rtp) {
    return this.constant === null || rtp === null ? null : this.unwrapped(rtp, false) + this.constant;
  }

  /** Whether the verdict of this picture, or a later one, has arrived; true while that is not known. */
  hasVerdict(rtp) {
    const time = this.timeOf(rtp);
    return time === null || !this.verdicts.length || this.verdicts.at(-1).at >= time - NEARLY_MS;
  }

  unwrapped(rtp, keep = true) {
    let turns = this.turns;
    if (this.last !== null && this.last - rtp > WRAP / 2) turns += 1;
    if (keep) Object.assign(this, { last: rtp, turns });
    return (rtp + turns * WRAP) / 90;
  }

  settle() {
    const bins = new Map();
    for (const picture of this.pictures) {
      for (const verdict of this.verdicts) {
        const lag = picture.now - verdict.now;
        if (Math.abs(lag) > NEAR_MS) continue;
        const constant = verdict.at - picture.at + verdict.mark / 90;
        const key = Math.round(constant / BIN_MS) * 256 + ((picture.rtp - verdict.mark) & 255);
        const bin = bins.get(key) ?? { votes: 0, lag: 0, sum: 0 };
        bin.votes += 1;
        bin.lag += lag;
        bin.sum += verdict.at - picture.at;
        bins.set(key, bin);
      }
    }
    const most = Math.max(0, ...[...bins.values()].map((bin) => bin.votes));
    if (most < FEWEST_VOTES) return;
    const good = [...bins.values()].filter((bin) => bin.votes >= most * NEARLY);
    const odd = (bin) => Math.abs(bin.lag / bin.votes - EXPECTED_LAG_MS);
    const best = good.reduce((first, second) => (odd(second) < odd(first) ? second : first));
    this.constant = best.sum / best.votes;
  }
}
