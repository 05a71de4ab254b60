// A live picture with its verdicts: stage, boxes, list of faces, facts. Pages put streams into it.

import { Cards } from "./cards.js";
import { $, element, put, svg } from "./dom.js";
import { Overlay } from "./overlay.js";
import { Verdicts } from "./verdicts.js";
import { reason, STREAM_STATES, streamReason } from "./words.js";

const PAGE_MS = 200;
const FACTS = [
  ["state", "Stream", "none"],
  ["latency", "Latency", "–"],
  ["fps", "Verdicts", "–"],
  ["degraded", "Left out", "nothing"],
  ["device", "Runs on", "–"],
];

/**
 * Draws itself into `root`. `begin(stream, kind)` shows a stream of this name (kind "camera", "screen" or "watch"),
 * `end()` stops; the page itself fills `video` or `still`.
 */
export class LiveView {
  constructor(root, shell, hint) {
    this.shell = shell;
    this.stream = null;
    this.kind = null;
    this.state = "idle";
    this.reason = "";
    this.mirrored = false;
    this.verdicts = new Verdicts();
    root.append(...markup(hint));
    this.video = $("video");
    this.still = $("still");
    this.overlay = new Overlay($("overlay"));
    this.cards = new Cards($("faces"), $("no-faces"));
    shell.socket.addEventListener("message", ({ detail }) => this.receive(detail));
    shell.connected(() => this.device());
    requestAnimationFrame((now) => this.paint(now));
    setInterval(() => this.page(performance.now()), PAGE_MS);
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
      this.verdicts.add(message, performance.now());
      this.shell.announcer.faceIs(message);
    } else if (message.type === "state") {
      this.streamIs(message.state, message.reason);
    }
  }

  begin(stream, kind) {
    this.verdicts.clear();
    this.shell.announcer.clear();
    Object.assign(this, { stream, kind });
    this.streamIs("connecting", "");
    this.shell.socket.subscribe([stream]);
    this.shell.tell("");
    $("empty").hidden = true;
    $("stage").dataset.kind = kind;
  }

  end() {
    Object.assign(this, { stream: null, kind: null });
    this.video.srcObject = null;
    this.still.hidden = true;
    this.still.removeAttribute("src");
    $("empty").hidden = false;
    $("stage").style.aspectRatio = "";
    this.shell.socket.subscribe([]);
    this.verdicts.clear();
    this.overlay.clear();
    this.streamIs("idle", "");
    this.page(performance.now());
  }

  streamIs(state, why) {
    Object.assign(this, { state, reason: why });
    $("stage").dataset.state = state;
    $("fact-state").dataset.state = state;
    put($("fact-state"), STREAM_STATES[state] ?? state);
    this.shell.announcer.streamIs(state, why);
  }

  mirror(on) {
    this.mirrored = on;
    $("stage").classList.toggle("mirrored", on);
  }

  size() {
    if (!this.still.hidden && this.still.naturalWidth) return { width: this.still.naturalWidth, height: this.still.naturalHeight };
    return this.video.videoWidth ? { width: this.video.videoWidth, height: this.video.videoHeight } : null;
  }

  paint(now) {
    requestAnimationFrame((next) => this.paint(next));
    if (!this.stream) return;
    const size = this.size();
    if (size) $("stage").style.aspectRatio = `${size.width} / ${size.height}`;
    if (size) this.overlay.draw(this.verdicts.fresh(now), size, this.mirrored, now);
    else this.overlay.clear();
  }

  page(now) {
    this.cards.show(this.stream ? this.verdicts.fresh(now) : [], now);
    const latency = this.verdicts.latency();
    const rate = this.verdicts.rate(now);
    put($("fact-latency"), latency === null ? "–" : `${Math.round(latency)} ms`);
    put($("fact-fps"), rate ? `${rate.toFixed(rate < 10 ? 1 : 0)} a second` : "–");
    put($("fact-degraded"), this.verdicts.degraded.length ? this.verdicts.degraded.map(reason).join(", ") : "nothing");
    const text = this.banner(now);
    put($("banner"), text);
    $("banner").hidden = !text;
  }

  banner(now) {
    if (!this.stream) return "";
    const why = this.reason ? `: ${streamReason(this.reason)}` : "";
    if (this.state !== "live") return `${STREAM_STATES[this.state] ?? this.state}${why}`;
    const silent = this.verdicts.silentSeconds(now);
    if (silent !== null) return `no verdict for ${silent} s`;
    return this.verdicts.lastAt === null ? "waiting for the first verdict" : "";
  }
}

function markup(hint) {
  const stage = element(
    "section",
    { class: "stage", id: "stage", "aria-label": "Picture with verdicts", "data-state": "idle" },
    element("video", { id: "video", autoplay: true, playsinline: true, muted: true }),
    element("img", { id: "still", alt: "", hidden: true }),
    element("canvas", { id: "overlay", role: "img", "aria-label": "Boxes around faces; the same is said in the list of faces" }),
    element("div", { class: "empty", id: "empty" }, portrait(), element("p", {}, hint)),
    element("p", { class: "banner", id: "banner", hidden: true }),
  );
  const side = element(
    "aside",
    { class: "side", "aria-label": "Faces" },
    element("h2", {}, "Faces"),
    element("ul", { class: "faces", id: "faces" }),
    element("p", { class: "hint", id: "no-faces" }, "Nobody is in the picture yet."),
  );
  const facts = FACTS.map(([id, name, value]) => element("div", {}, element("dt", {}, name), element("dd", { id: `fact-${id}` }, value)));
  return [stage, side, element("dl", { class: "facts", id: "facts" }, ...facts)];
}

function portrait() {
  return svg(
    "svg",
    { viewBox: "0 0 120 80", "aria-hidden": "true" },
    svg("path", { d: "M8 24V10h18M112 24V10H94M8 56v14h18M112 56v14H94" }),
    svg("circle", { cx: "60", cy: "34", r: "13" }),
    svg("path", { d: "M38 66c3-13 12-18 22-18s19 5 22 18" }),
  );
}
