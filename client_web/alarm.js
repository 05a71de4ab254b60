// What makes an alarm noticeable without sound: the page's title, its icon, a pulsing frame around the picture.

import { ALARMS, STATES } from "./words.js";

const BADGES = { suspicious: "#f6bd5b", manipulated: "#ff5a50" };

export class Alarm {
  /** `stage` gets the class `alarm` and the state while there is one. */
  constructor(stage) {
    this.stage = stage;
    this.title = document.title;
    this.icon = document.querySelector("link[rel=icon]");
    this.plain = this.icon.href;
    this.state = null;
  }

  /** Shows the gravest state of the faces in the picture; null or a calm one shows no alarm. */
  show(state) {
    const alarm = ALARMS.has(state) ? state : null;
    if (alarm === this.state) return;
    this.state = alarm;
    this.stage.classList.toggle("alarm", alarm !== null);
    this.stage.dataset.alarm = alarm ?? "";
    document.title = alarm ? `⚠ ${STATES[alarm].word}! ${this.title}` : this.title;
    this.icon.href = alarm ? badge(BADGES[alarm]) : this.plain;
  }
}

function badge(colour) {
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M16 2L31 29H1z" fill="${colour}"/><path d="M16 11v9M16 23.500v2" stroke="#0b1320" stroke-width="3.500" stroke-linecap="round"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(drawing)}`;
}
