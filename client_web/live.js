// A live picture with its verdicts: stage, boxes, list of faces, facts. Pages put streams into it.

import { Alarm } from "./alarm.js";
import { Cards } from "./cards.js";
import { $, put } from "./dom.js";
import { Frames } from "./frames.js";
import { markup } from "./live_markup.js";
import { MapView } from "./mapview.js";
import { Overlay } from "./overlay.js";
import { ReturnedClock } from "./returned.js";
import { gravest, Timeline } from "./timeline.js";
import { Verdicts } from "./verdicts.js";
import { leftOut, STREAM_STATES, streamReason } from "./words.js";

const PAGE_MS = 100;
const FIRST_VERDICT_MS = 3000;

/**
 * Draws itself into `root`. `begin(stream, kind)` shows a stream of this name (kind "camera", "screen" or "watch"),
 * `end()` stops; the page itself fills `video` or `still`. Dispatches `faces` (detail: the faces shown now) ten times
 * a second.
 *
 * Options: `hint` stands in the empty stage; `whose` ("own" or "other") is who could follow advice; `names` is a Map
 * from track to a name, which makes the faces nameable; `compact` folds the details of each face.
 */
export class LiveView extends EventTarget {
  constructor(root, shell, { hint, whose = "other", names = null, compact = false }) {
    super();
    Object.assign(this, { shell, names, stream: null, kind: null, state: "idle", reason: "", mirrored: false, told: "" });
    this.verdicts = new Verdicts();
    root.append(...markup(hint));
    this.stage = $("stage");
    this.video = $("video");
    this.still = $("still");
    this.frames = new Frames(this.video, $("picture"));
    this.returned = new ReturnedClock();
    this.frames.onreturned = (rtp, received) => this.returned.picture(rtp, received);
    this.overlay = new Overlay($("overlay"));
    this.cards = new Cards($("faces"), $("no-faces"), { whose, names, compact });
    this.timeline = new Timeline($("timeline"), $("timeline-text"));
    this.alarm = new Alarm(this.stage);
    this.map = new MapView(() => this.faces, (summary) => this.mapSays(summary));
    this.faces = [];
    $("show-map").addEventListener("change", () => this.map.set($("show-map").checked && this.stream !== null));
    shell.socket.addEventListener("message", ({ detail }) => this.receive(detail));
    shell.socket.addEventListener("link", ({ detail }) => this.linkIs(detail.state));
    shell.connected(() => this.device());
    document.addEventListener("visibilitychange", () => this.page());
    requestAnimationFrame((now) => this.paint(now));
    setInterval(() => this.page(), PAGE_MS);
  }

  async device() {
    try {
      put($("fact-device"), (await this.shell.info()).device);
    } catch (error) {
      this.shell.tell(error.message);
    }
  }

  receive(message) {
    if (message.stream === undefined || message.stream !== this.stream) return;
    if (message.type === "verdict") {
      this.verdicts.clock.downlink = (this.shell.socket.rtt ?? 0) / 2;
      this.verdicts.add(message, performance.now());
      this.returned.verdict(message.pts_s, message.seq, performance.now());
      this.shell.announcer.faceIs(message);
    } else if (message.type === "state") {
      this.streamIs(message.state, message.reason);
    }
  }

  /** Without the server nothing is judged: what it said last is not shown any longer. */
  linkIs(state) {
    if (state !== "open") this.verdicts.drop();
    this.page();
  }

  /** Shows this stream; the picture that is on the stage stays there. */
  begin(stream, kind) {
    this.verdicts.clear();
    this.returned.clear();
    this.shell.announcer.clear();
    if (this.stream === null) this.timeline.clear();
    Object.assign(this, { stream, kind, begunAt: performance.now() });
    this.streamIs("connecting", "");
    this.shell.socket.subscribe([stream]);
    $("empty").hidden = true;
    this.stage.dataset.kind = kind;
    this.map.set($("show-map").checked);
  }

  end() {
    Object.assign(this, { stream: null, kind: null, told: "" });
    this.map.set(false);
    this.video.srcObject = null;
    this.still.hidden = true;
    this.still.removeAttribute("src");
    $("empty").hidden = false;
    this.stage.style.removeProperty("aspect-ratio");
    this.shell.socket.subscribe([]);
    this.verdicts.clear();
    this.frames.clear();
    this.overlay.clear();
    this.streamIs("idle", "");
    this.page();
  }

  streamIs(state, why) {
    Object.assign(this, { state, reason: why });
    if (state === "ended") this.verdicts.drop();
    this.stage.dataset.state = state;
    $("fact-state").dataset.state = state;
    put($("fact-state"), STREAM_STATES[state] ?? state);
    this.shell.announcer.streamIs(state, why);
  }

  /** Says why no verdict comes, in the page's own words; "" when there is nothing to say. */
  say(sentence) {
    this.told = sentence;
  }

  mapSays(summary) {
    put($("map-text"), summary);
    $("map-text").hidden = !summary;
  }

  mirror(on) {
    this.mirrored = on;
    this.stage.classList.toggle("mirrored", on);
  }

  /** Shows each picture together with its own verdict, a moment later; or at once with the newest boxes. */
  setExact(on) {
    this.frames.exact = on;
    if (!on) this.frames.clear();
  }

  size() {
    if (!this.still.hidden && this.still.naturalWidth) return { width: this.still.naturalWidth, height: this.still.naturalHeight };
    return this.video.videoWidth ? { width: this.video.videoWidth, height: this.video.videoHeight } : null;
  }

  paint() {
    requestAnimationFrame(() => this.paint());
    if (!this.stream) return;
    const size = this.size();
    if (!size) return this.overlay.clear();
    this.stage.style.aspectRatio = `${size.width} / ${size.height}`;
    const now = performance.now();
    const boxOf = this.kind === "watch" ? this.returnedBox(now) : this.ownBox(now);
    const faces = this.verdicts.fresh(now).map((face) => ({ ...face, box: boxOf(face), name: this.names?.get(face.message.track) ?? "" }));
    const boxes = new Map(faces.map((face) => [face.message.track, [face.box ?? face.message.box_xyxy, face.message.box_xyxy]]));
    const under = (context, place, mirrored) => this.map.draw(context, place, mirrored, boxes);
    this.overlay.draw(faces, size, this.mirrored, now, under);
  }

  /** Shows the own picture; gives where a face is in it. */
  ownBox(now) {
    const captured = this.frames.show(now, this.verdicts.clock.delay());
    this.shownAt = captured;
    return (face) => (captured === null ? null : this.verdicts.boxAt(face, captured));
  }

  /** Shows the picture that came back from the server; gives where a face is in it, null lets the box glide to its newest place. */
  returnedBox(now) {
    const time = this.still.hidden ? this.returned.timeOf(this.frames.showReturned(now, (rtp) => this.returned.hasVerdict(rtp))) : null;
    return (face) => this.verdicts.boxAtTime(face, time);
  }

  page() {
    const now = performance.now();
    this.faces = this.stream ? this.verdicts.fresh(now) : [];
    this.cards.show(this.faces, now);
    this.alarm.show(gravest(this.faces.map(({ message }) => message)));
    if (this.stream) this.timeline.sample(this.faces, now);
    const latency = this.verdicts.latency();
    const rate = this.verdicts.rate(now);
    put($("fact-latency"), latency === null ? "–" : this.latencyWords(latency));
    put($("fact-fps"), rate ? `${rate.toFixed(rate < 10 ? 1 : 0)} a second` : "–");
    put($("fact-degraded"), this.verdicts.degraded.length ? this.verdicts.degraded.map(leftOut).join("; ") : "nothing");
    const text = this.banner(now);
    put($("no-faces"), text || !this.stream ? "No verdict now." : "Nobody is in the picture yet.");
    put($("banner-text"), text);
    $("banner").hidden = !text;
    this.dispatchEvent(new CustomEvent("faces", { detail: this.faces }));
  }

  latencyWords(ms) {
    const whole = this.kind === "watch" ? null : this.verdicts.clock.age();
    return whole === null ? `${Math.round(ms)} ms` : `${Math.round(whole)} ms (server ${Math.round(ms)} ms)`;
  }

  /** One short sentence where there is no verdict to show, else "". */
  banner(now) {
    if (!this.stream) return "";
    if (this.shell.socket.state !== "open") return "no connection to the server: nothing is being judged";
    if (this.told) return this.told;
    const why = this.reason ? `: ${streamReason(this.reason)}` : "";
    if (this.state !== "live") return `${STREAM_STATES[this.state] ?? this.state}${why}`;
    const silent = this.verdicts.silentSeconds(now);
    if (silent !== null) return `no verdict for ${silent} s`;
    if (this.verdicts.lastAt !== null) return "";
    return now - this.begunAt < FIRST_VERDICT_MS ? "waiting for the first verdict" : `no verdict for ${Math.floor((now - this.begunAt) / 1000)} s`;
  }
}
