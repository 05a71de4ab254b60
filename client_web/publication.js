// A picture of this computer published over WHIP, again and again: after a restart of the server it comes back.

import { publish } from "./media.js";

const FIRST_WAIT_MS = 400;
const HEALTHY_MS = 10000;
const LONGEST_WAIT_MS = 8000;
const STATS_MS = 1000;
const DECODE_MS = 6;

/**
 * Publishes `media` under a name that begins with `prefix`.
 *
 * Dispatches `stream` (detail: the name, on every publication), `path` (detail: ms from the camera to the server) and
 * `problem` (detail: a sentence while it cannot be published, "" once it can).
 */
export class Publication extends EventTarget {
  constructor(socket, prefix, media) {
    super();
    Object.assign(this, { socket, prefix, media, connection: null, over: false, busy: false, wait: FIRST_WAIT_MS });
    this.onlink = ({ detail }) => { if (detail.state === "open") this.check(); };
    this.onrestart = () => this.again();
    this.onmessage = ({ detail }) => {
      if (detail.type === "state" && detail.stream === this.name && detail.state === "ended") this.again();
    };
    socket.addEventListener("link", this.onlink);
    socket.addEventListener("restart", this.onrestart);
    socket.addEventListener("message", this.onmessage);
  }

  /** Publishes for the first time; waits for a server that is full or away, throws a Problem where it refuses. */
  async start() {
    this.timer = setInterval(() => this.measure(), STATS_MS);
    try {
      await this.publish();
    } catch (error) {
      if (error.status !== 503 && error.status !== 0) throw error;
      this.say(error.message);
      this.again();
    }
  }

  async publish() {
    this.busy = true;
    this.name = `${this.prefix}-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
    this.dispatchEvent(new CustomEvent("stream", { detail: this.name }));
    try {
      const connection = await publish(this.name, this.media, () => this.again());
      if (this.over) return await connection.close();
      this.connection = connection;
      this.publishedAt = performance.now();
      this.say("");
    } finally {
      this.busy = false;
    }
    if (this.connection?.over) this.again();
  }

  /** Publishes anew, soon; ever more patiently while it does not last. */
  again() {
    if (this.over || this.busy || this.retry) return;
    const lasted = this.connection !== null && performance.now() - this.publishedAt > HEALTHY_MS;
    this.wait = lasted ? FIRST_WAIT_MS : Math.min(this.wait * 2, LONGEST_WAIT_MS);
    const old = this.connection;
    this.connection = null;
    this.retry = setTimeout(() => this.replace(), this.wait);
    old?.close();
  }

  async replace() {
    this.retry = null;
    if (this.over || this.socket.state !== "open") return;
    try {
      await this.publish();
    } catch (error) {
      this.say(error.message);
      this.again();
    }
  }

  /** After a lost connection: publishes anew unless the picture still flows. */
  check() {
    const state = this.connection?.peer.connectionState ?? "closed";
    if (["disconnected", "failed", "closed"].includes(state)) this.again();
  }

  say(sentence) {
    this.dispatchEvent(new CustomEvent("problem", { detail: sentence }));
  }

  /** Estimates how long a frame takes to the server: encoding, half a round trip, waiting for the next frame. */
  async measure() {
    const peer = this.connection?.peer;
    if (!peer || peer.connectionState !== "connected") return;
    let [encode, trip, gap] = [10, 2, 40];
    for (const row of (await peer.getStats()).values()) {
      if (row.type === "outbound-rtp" && row.framesEncoded) {
        encode = (row.totalEncodeTime / row.framesEncoded) * 1000;
        if (row.framesPerSecond) gap = 1000 / row.framesPerSecond;
      }
      if (row.type === "candidate-pair" && row.nominated && row.currentRoundTripTime) trip = row.currentRoundTripTime * 1000;
    }
    this.dispatchEvent(new CustomEvent("path", { detail: encode + trip / 2 + gap + DECODE_MS }));
  }

  /** Ends the publication and the camera. */
  async close() {
    this.over = true;
    clearTimeout(this.retry);
    clearInterval(this.timer);
    this.socket.removeEventListener("link", this.onlink);
    this.socket.removeEventListener("restart", this.onrestart);
    this.socket.removeEventListener("message", this.onmessage);
    this.media.getTracks().forEach((track) => track.stop());
    await this.connection?.close();
  }
}
