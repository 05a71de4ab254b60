// The small window that stays on top of the call: Document Picture-in-Picture, or a popup where there is none.

import { call, Problem } from "./api.js";
import { element, put } from "./dom.js";
import { icon } from "./icons.js";
import { gravest } from "./timeline.js";
import { ALARMS, percent, STATES } from "./words.js";

const SIZE = { width: 360, height: 200 };
const PAINT_MS = 150;

export class Floating {
  constructor(view, names) {
    Object.assign(this, { view, names, window: null, rows: new Map() });
    // Fetched now: the small window must look right even when it is opened while the server is away.
    this.styles = Promise.all(["base", "floating"].map(async (name) => (await call(`/client/${name}.css`)).text())).catch(() => []);
  }

  /** Opens the window; throws a Problem where the browser blocks it. */
  async open() {
    if (this.window && !this.window.closed) return this.window.focus();
    const small = globalThis.documentPictureInPicture
      ? await documentPictureInPicture.requestWindow(SIZE)
      : window.open("", "unmask-floating", `popup,width=${SIZE.width},height=${SIZE.height}`);
    if (!small) throw new Problem(0, "blocked", "The browser blocked the small window. Allow pop-ups for this page, then try again.");
    this.window = small;
    this.rows.clear();
    this.build(small);
    small.addEventListener("pagehide", () => { this.window = null; });
    // The small window's own timer goes on while the page behind it is hidden.
    this.timer = small.setInterval(() => this.paint(), PAINT_MS);
    this.paint();
  }

  close() {
    this.window?.close();
    this.window = null;
  }

  build(small) {
    const page = small.document;
    this.styles.then((texts) => {
      page.adoptedStyleSheets = texts.map((text) => {
        const sheet = new small.CSSStyleSheet();
        sheet.replaceSync(text);
        return sheet;
      });
    });
    page.title = "unmask";
    page.documentElement.lang = "en";
    page.head.append(element("meta", { name: "color-scheme", content: "dark light" }));
    this.headline = element("p", { class: "headline", role: "status" });
    this.list = element("ul", { class: "rows" });
    page.body.className = "floating";
    page.body.replaceChildren(this.headline, this.list);
  }

  paint() {
    if (!this.window || this.window.closed) return;
    this.view.page();
    const { faces } = this.view;
    const worst = gravest(faces.map(({ message }) => message));
    const root = this.window.document.documentElement;
    root.classList.toggle("alarm", ALARMS.has(worst));
    root.dataset.state = worst ?? "idle";
    put(this.headline, this.words(faces, worst));
    this.window.document.title = ALARMS.has(worst) ? `⚠ ${STATES[worst].word}` : "unmask";
    this.fill(faces);
  }

  words(faces, worst) {
    const banner = this.view.banner(performance.now());
    if (!this.view.stream) return "Nothing is shared.";
    if (banner || !faces.length) return banner || "no verdict now";
    return ALARMS.has(worst) ? `Careful: ${STATES[worst].word}` : `${faces.length} ${faces.length === 1 ? "face" : "faces"}`;
  }

  fill(faces) {
    const tracks = new Set(faces.map(({ message }) => message.track));
    for (const [track, row] of this.rows) {
      if (tracks.has(track)) continue;
      row.root.remove();
      this.rows.delete(track);
    }
    for (const { message } of faces) {
      const row = this.rows.get(message.track) ?? this.add(message.track);
      if (row.state !== message.state) {
        row.state = row.root.dataset.state = message.state;
        row.icon.replaceChildren(icon(message.state));
      }
      put(row.name, this.names.get(message.track) || `Face ${message.track}`);
      put(row.word, STATES[message.state]?.word ?? message.state);
      put(row.p, message.p_fake === null ? "" : percent(message.p_fake));
    }
  }

  add(track) {
    const row = { icon: element("span", { class: "icons" }), name: element("span", { class: "who" }), word: element("strong", { class: "word" }), p: element("span", { class: "p" }), state: null };
    row.root = element("li", {}, row.icon, row.name, row.word, row.p);
    this.list.append(row.root);
    this.rows.set(track, row);
    return row;
  }
}
