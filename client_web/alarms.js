// Alarms of the last hour, pinned on top until they are read: those that last first.

import { element, put } from "./dom.js";
import { icon } from "./icons.js";
import { clockTime, facePicture } from "./history.js";
import { capital, duration, GRAVITY, percent, STATES } from "./words.js";

const HOUR_MS = 3_600_000;
const MOST = 4;
const GAP_MS = 20_000;
const READ = "unmask-alarms-read";

/**
 * Chapters of one camera that follow each other closely, as one alarm with the gravest state; newest first.
 * An alarm that was read and becomes graver is another one.
 */
export function incidents(chapters) {
  const found = new Map();
  for (const one of [...chapters].sort((a, b) => a.id - b.id)) {
    const last = found.get(one.stream)?.at(-1);
    const near = last && (last.until === null || Date.parse(one.at) - Date.parse(last.until) < GAP_MS);
    if (!near) {
      found.set(one.stream, [...(found.get(one.stream) ?? []), { ...one, shot: one, tracks: new Set([one.track]) }]);
      continue;
    }
    if (GRAVITY.indexOf(one.state) > GRAVITY.indexOf(last.state)) Object.assign(last, { state: one.state, shot: one });
    last.tracks.add(one.track);
    const lasts = one.until === null || last.until === null;
    const end = lasts ? Date.now() : Math.max(Date.parse(one.until), Date.parse(last.until));
    Object.assign(last, { until: lasts ? null : new Date(end).toISOString(), p_highest: Math.max(last.p_highest ?? 0, one.p_highest ?? 0), duration_s: (end - Date.parse(last.at)) / 1000 });
  }
  return [...found.values()].flat().map((one) => ({ ...one, key: `${one.id} ${one.at} ${one.state}` })).sort((a, b) => b.id - a.id);
}

/** The list of alarms; `show(chapters)` takes what /api/history says. */
export class Alarms {
  constructor({ section, list, rest, all }, announce) {
    Object.assign(this, { section, list, rest, announce });
    all.addEventListener("click", () => this.dismissAll());
    this.read = new Set(JSON.parse(sessionStorage.getItem(READ) ?? "[]"));
    this.rows = new Map();
    this.known = null;
    this.chapters = [];
  }

  show(chapters) {
    this.chapters = chapters;
    const young = incidents(chapters).filter((one) => !this.read.has(one.key) && (one.until === null || Date.now() - Date.parse(one.until) < HOUR_MS));
    const shown = young.sort((a, b) => (a.until === null ? 0 : 1) - (b.until === null ? 0 : 1) || b.id - a.id).slice(0, MOST);
    this.tellNew(young);
    const ids = new Set(shown.map((one) => one.id));
    for (const [id, row] of this.rows) {
      if (ids.has(id)) continue;
      row.root.remove();
      this.rows.delete(id);
    }
    for (const one of shown) this.fill(this.fitting(one) ?? this.add(one), one);
    this.order(shown);
    this.section.hidden = shown.length === 0;
    put(this.rest, young.length > shown.length ? `and ${young.length - shown.length} more` : "");
    this.young = young;
    const lasting = young.filter((one) => one.until === null).length;
    this.section.dataset.lasting = String(lasting);
    return lasting;
  }

  /** The row of this alarm, unless it has become graver. */
  fitting(one) {
    const row = this.rows.get(one.id);
    if (row?.root.dataset.state === one.state) return row;
    row?.root.remove();
    return undefined;
  }

  /** Moves rows only where their order changed, so that the focus stays. */
  order(shown) {
    shown.forEach((one, index) => {
      const { root } = this.rows.get(one.id);
      if (this.list.children[index] !== root) this.list.insertBefore(root, this.list.children[index] ?? null);
    });
  }

  tellNew(young) {
    const lasting = young.filter((one) => one.until === null);
    const fresh = lasting.filter((one) => this.known && !this.known.has(one.id));
    this.known = new Set(lasting.map((one) => one.id));
    for (const one of fresh) this.announce(`Alarm: ${one.stream}, ${faces(one)}: ${STATES[one.state].word}.`);
  }

  add(one) {
    const says = element("p", {});
    const dismiss = element("button", { "aria-label": `Mark as read: ${one.stream}, ${faces(one)}` }, "Mark as read");
    const root = element(
      "li",
      { class: "alarm", "data-state": one.state, "data-id": one.id },
      facePicture(one.shot, 56),
      element("div", {}, element("p", { class: "alarm-head" }, icon(one.state), element("strong", {}, STATES[one.state].word), " ", element("a", { href: `/cameras/${encodeURIComponent(one.stream)}` }, one.stream)), says),
      dismiss,
    );
    dismiss.addEventListener("click", () => this.dismiss(one));
    const row = { root, says };
    this.rows.set(one.id, row);
    return row;
  }

  fill(row, one) {
    const lasts = one.until === null ? `since ${clockTime(one.at)}, lasting` : `at ${clockTime(one.at)} for ${duration(one.duration_s)}`;
    put(row.says, `${capital(faces(one))}, at most ${percent(one.p_highest)} fake, ${lasts}`);
    row.root.classList.toggle("lasting", one.until === null);
  }

  /** Takes all away. */
  dismissAll() {
    this.keep(this.young);
    this.show(this.chapters);
    document.querySelector("main").focus();
  }

  keep(read) {
    for (const one of read) this.read.add(one.key);
    sessionStorage.setItem(READ, JSON.stringify([...this.read].slice(-500)));
  }

  dismiss(one) {
    this.keep([one]);
    const next = this.rows.get(one.id).root.nextElementSibling ?? this.rows.get(one.id).root.previousElementSibling;
    this.show(this.chapters);
    (next?.querySelector("button") ?? document.querySelector("main")).focus();
  }
}

function faces({ tracks }) {
  const [first, ...rest] = [...tracks].sort((a, b) => a - b);
  return rest.length ? `faces ${first} to ${rest.at(-1)}` : `face ${first}`;
}
