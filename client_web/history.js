// What faces and cameras were said to be: fetched from /api/history, drawn as a list with filters.

import { call, getJson } from "./api.js";
import { element, put } from "./dom.js";
import { icon } from "./icons.js";
import { BRANCHES, duration, percent, reason, STATES, STREAM_STATES, streamReason } from "./words.js";

const PAGE = 30;
const LOOK_MS = 1500;

/** A moment for people: the time, and the day where it is another one. */
export function clockTime(iso) {
  const at = new Date(iso);
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString()} ${time}`;
}

const pictures = new Map();
const MOST_PICTURES = 200;

/** The picture of a chapter as an element of `size` px; a state's icon where there is none. */
export function facePicture(chapter, size) {
  const root = element("span", { class: "shot", "data-state": chapter.state });
  root.style.inlineSize = root.style.blockSize = `${size}px`;
  root.append(icon(chapter.state));
  if (chapter.picture) fill(root, chapter).catch(() => {});
  return root;
}

async function fill(root, chapter) {
  const key = `${chapter.id} ${chapter.at}`;
  if (!pictures.has(key)) {
    if (pictures.size >= MOST_PICTURES) drop(pictures.keys().next().value);
    pictures.set(key, call(`/api/history/${chapter.id}/face.jpg`).then(async (answer) => URL.createObjectURL(await answer.blob())));
  }
  try {
    const url = await pictures.get(key);
    root.replaceChildren(element("img", { src: url, alt: chapter.track === null ? "" : `Face ${chapter.track}` }));
  } catch {
    pictures.delete(key);
  }
}

function drop(key) {
  pictures.get(key).then(URL.revokeObjectURL, () => {});
  pictures.delete(key);
}

/** The history of one stream in `list`; `filter` chooses what is shown, `more` fetches older ones. */
export class HistoryList {
  constructor(stream, { list, filter, more, empty }) {
    Object.assign(this, { stream, list, filter, more, empty });
    this.rows = new Map();
    this.oldest = null;
    filter.addEventListener("change", () => this.restart());
    more.addEventListener("click", () => this.older());
    setInterval(() => { if (!document.hidden) this.newer(); }, LOOK_MS);
    this.newer();
  }

  query(extra = "") {
    const chosen = { alarms: "&kind=face&state=suspicious&state=manipulated", faces: "&kind=face", stream: "&kind=stream" }[this.filter.value] ?? "";
    return `/api/history?stream=${encodeURIComponent(this.stream)}&limit=${PAGE}${chosen}${extra}`;
  }

  restart() {
    this.rows.clear();
    this.list.replaceChildren();
    this.oldest = null;
    this.newer();
  }

  async newer() {
    const asked = this.query();
    const found = await this.fetch(asked);
    if (!found || asked !== this.query()) return;
    for (const one of [...found].reverse()) this.take(one, true);
    if (this.oldest === null) this.foundOlder(found);
    this.empty.hidden = this.rows.size > 0;
  }

  async older() {
    const asked = this.query(`&before=${this.oldest}`);
    const found = await this.fetch(asked);
    if (!found) return;
    for (const one of found) this.take(one, false);
    this.foundOlder(found);
  }

  foundOlder(found) {
    this.oldest = found.at(-1)?.id ?? this.oldest;
    this.more.hidden = found.length < PAGE;
  }

  async fetch(path) {
    try {
      return (await getJson(path)).history;
    } catch {
      return null;
    }
  }

  take(one, first) {
    const known = this.rows.get(one.id);
    if (known) return known.fill(one);
    const row = new Row(one);
    this.rows.set(one.id, row);
    if (first) this.list.prepend(row.root);
    else this.list.append(row.root);
  }
}

class Row {
  constructor(one) {
    this.shot = element("div", { class: "shot-place" });
    this.says = element("p", { class: "when" });
    this.why = element("p", { class: "why" });
    const face = one.track !== null;
    const word = face ? STATES[one.state]?.word ?? one.state : STREAM_STATES[one.state] ?? one.state;
    const head = element("p", { class: "what" }, ...(face ? [icon(one.state)] : []), element("strong", {}, word), face ? ` · face ${one.track}` : " · camera");
    this.root = element("li", { class: `chapter of-${one.kind}`, "data-state": face ? one.state : null, "data-id": one.id }, this.shot, element("div", {}, head, this.says, this.why));
    this.fill(one);
  }

  fill(one) {
    if (one.track !== null && this.pictured !== one.picture) {
      this.pictured = one.picture;
      this.shot.replaceChildren(facePicture(one, 64));
    }
    const lasts = one.until === null ? "until now" : `for ${duration(one.duration_s)}`;
    put(this.says, `${clockTime(one.at)}, ${lasts}${one.p_highest === null ? "" : `, at most ${percent(one.p_highest)}`}`);
    const parts = one.track === null ? one.reasons.map(streamReason) : one.reasons.map((code) => reason(code));
    const branches = Object.entries(one.branches).map(([name, p]) => `${BRANCHES[name] ?? name} ${percent(p)}`);
    put(this.why, [...parts, ...branches].join(" · "));
  }
}
