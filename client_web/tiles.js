// One camera of the wall: its newest picture with boxes, its state, its health, and what can be done with it.

import { call } from "./api.js";
import { element, put } from "./dom.js";
import { icon } from "./icons.js";
import { ALARMS, duration, GRAVITY, leftOut, percent, STATES, STREAM_STATES, streamReason } from "./words.js";

const PICTURE_MS = 400;
const PATIENCE_MS = 2500;
const WIDTH = 480;
const STALE_MS = 1500;

export class Tile {
  /** `onedit(stream)` and `onremove(stream)` are called from the tile's buttons. */
  constructor(name, { onedit, onremove }) {
    this.name = name;
    this.stream = null;
    this.faces = [];
    this.pictureAt = null;
    this.tag = null;
    this.url = null;
    this.over = false;
    this.build(onedit, onremove);
    this.visible = false;
    this.watcher = new IntersectionObserver(([entry]) => { this.visible = entry.isIntersecting; });
    this.watcher.observe(this.root);
    this.run();
  }

  build(onedit, onremove) {
    const href = `/cameras/${encodeURIComponent(this.name)}`;
    this.image = element("img", { alt: "", hidden: true });
    this.boxes = element("div", { class: "boxes", "aria-hidden": "true" });
    this.frame = element("div", { class: "frame" }, this.image, this.boxes);
    this.banner = element("p", { class: "banner" }, "waiting for a picture");
    this.says = element("p", { class: "says" });
    this.health = element("dl", { class: "health" });
    this.edit = element("button", { "aria-label": `Edit ${this.name}` }, "Edit");
    this.remove = element("button", { "aria-label": `Remove ${this.name}` }, "Remove");
    this.edit.addEventListener("click", () => onedit(this.stream));
    this.remove.addEventListener("click", () => onremove(this.stream));
    this.tools = element("p", { class: "tools" }, this.edit, this.remove);
    this.live = element("span", { class: "live" });
    this.root = element(
      "li",
      { class: "tile", "data-name": this.name },
      element("a", { class: "picture", href, tabindex: "-1", "aria-hidden": "true" }, this.frame, this.banner),
      element("div", { class: "caption" }, element("h2", {}, element("a", { href }, this.name)), this.live),
      this.says,
      this.health,
      this.tools,
    );
  }

  /** Takes what /api/streams says of this camera. */
  update(stream, mayChange) {
    this.stream = stream;
    this.root.dataset.stream = stream.state;
    put(this.live, STREAM_STATES[stream.state] ?? stream.state);
    this.tools.hidden = !mayChange;
    this.edit.hidden = !stream.may_change;
    this.fillHealth();
  }

  fillHealth() {
    const { frames, latency_ms: latency, reconnects, degraded, analyzed_fps: rate } = this.stream;
    const lost = Object.entries(frames.dropped).filter(([cause]) => cause !== "superseded").reduce((sum, [, count]) => sum + count, 0);
    const facts = [
      ["Analysed", `${rate.toFixed(rate < 10 ? 1 : 0)} /s`],
      ["Latency", latency.p50 === null ? "–" : `${Math.round(latency.p50)} ms`],
      ["Lost", lost ? `${lost} (${percent(lost / Math.max(1, frames.in))})` : "none"],
      ["Reconnects", String(reconnects)],
    ];
    if (degraded.length) facts.push(["Left out", degraded.map((rung) => leftOut(rung).split(":")[0]).join("; ")]);
    const key = JSON.stringify(facts);
    if (this.health.dataset.key === key) return;
    this.health.dataset.key = key;
    this.health.replaceChildren(...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  }

  /** The gravest face in the newest picture as {track, state, p}, or null. */
  gravest(now) {
    if (this.pictureAt === null || now - this.pictureAt > STALE_MS) return null;
    const rank = ([, state, p]) => GRAVITY.indexOf(state) + (p ?? 0);
    const [first] = [...this.faces].sort((a, b) => rank(b) - rank(a));
    return first ? { track: first[0], state: first[1], p: first[2] } : null;
  }

  /** Brings words and boxes up to date; nothing old stays. */
  page(now) {
    const stale = this.pictureAt === null || now - this.pictureAt > STALE_MS;
    if (stale && this.boxes.firstChild) this.boxes.replaceChildren();
    const text = this.bannerText(now, stale);
    put(this.banner, text);
    this.banner.hidden = !text;
    this.image.classList.toggle("old", stale);
    const face = this.gravest(now);
    const key = face ? `${face.state} ${face.track} ${percent(face.p)} ${this.faces.length}` : "";
    this.root.dataset.state = face?.state ?? "";
    this.root.classList.toggle("alarmed", ALARMS.has(face?.state));
    if (this.says.dataset.key === key) return;
    this.says.dataset.key = key;
    this.says.replaceChildren(...(face ? sentence(face, this.faces.length) : ["no verdict now"]));
  }

  bannerText(now, stale) {
    const { state, reason } = this.stream ?? {};
    if (state && !["live", "no_face"].includes(state)) return `${STREAM_STATES[state] ?? state}${reason ? `: ${streamReason(reason)}` : ""}`;
    if (this.pictureAt === null) return "waiting for a picture";
    return stale ? `no picture for ${duration((now - this.pictureAt) / 1000)}` : "";
  }

  async run() {
    const path = `/api/streams/${encodeURIComponent(this.name)}/frame.jpg?width=${WIDTH}`;
    while (!this.over) {
      const started = performance.now();
      let pause = PICTURE_MS;
      if (this.visible && !document.hidden && this.stream?.size_wh) {
        try {
          await this.fetchPicture(path);
        } catch {
          pause = PATIENCE_MS / 2;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(50, pause - (performance.now() - started))));
    }
  }

  async fetchPicture(path) {
    const limit = AbortSignal.timeout(PATIENCE_MS);
    const answer = await call(path, { headers: this.tag ? { "If-None-Match": this.tag } : {}, cache: "no-store", signal: limit });
    if (answer.status === 304 || this.over) return;
    const blob = await answer.blob();
    const old = this.url;
    this.url = URL.createObjectURL(blob);
    this.image.src = this.url;
    await this.image.decode().catch(() => {});
    if (old) URL.revokeObjectURL(old);
    this.tag = answer.headers.get("ETag");
    this.pictureAt = performance.now();
    this.image.hidden = false;
    const { naturalWidth: width, naturalHeight: height } = this.image;
    this.frame.style.aspectRatio = `${width} / ${height}`;
    this.frame.classList.toggle("wide", width / height > 16 / 9);
    this.faces = JSON.parse(answer.headers.get("X-Faces") ?? "[]");
    this.boxes.replaceChildren(...this.faces.map(box));
  }

  close() {
    this.over = true;
    this.watcher.disconnect();
    this.root.remove();
    if (this.url) URL.revokeObjectURL(this.url);
  }
}

function sentence(face, faces) {
  const word = STATES[face.state]?.word ?? face.state;
  const p = face.p === null ? "" : ` fake ${percent(face.p)}`;
  const more = faces > 1 ? `, and ${faces - 1} more` : "";
  return [icon(face.state), element("strong", {}, word), `${p} · face ${face.track}${more}`];
}

function box([, state, p, x0, y0, x1, y1]) {
  const made = element("span", { class: y0 < 0.13 ? "box high" : "box", "data-state": state }, element("span", {}, icon(state), p === null ? "" : percent(p)));
  Object.assign(made.style, { left: `${x0 * 100}%`, top: `${y0 * 100}%`, width: `${(x1 - x0) * 100}%`, height: `${(y1 - y0) * 100}%` });
  return made;
}
