// Speaks changes of state to screen readers: never single verdicts, at most once every two seconds.

import { percent, STATES, STREAM_STATES, streamReason } from "./words.js";

const PAUSE_MS = 2000;

export class Announcer {
  constructor(region) {
    this.region = region;
    this.clear();
  }

  /** Forgets what was said, for another stream. */
  clear() {
    this.faces = new Map();
    this.stream = null;
    this.waiting = new Map();
  }

  /** Says a stream's new state soon. */
  streamIs(state, why) {
    if (this.stream === state) return;
    this.stream = state;
    const reason = why ? `, ${streamReason(why)}` : "";
    this.say("stream", `Stream: ${STREAM_STATES[state] ?? state}${reason}.`);
  }

  /** Says a face's new state soon. */
  faceIs(message) {
    if (this.faces.get(message.track) === message.state) return;
    this.faces.set(message.track, message.state);
    if (message.state === "warming") return;
    const p = message.p_fake === null ? "" : `, probability of a fake ${percent(message.p_fake)}`;
    this.say(`face ${message.track}`, `Face ${message.track}: ${STATES[message.state]?.word ?? message.state}${p}.`);
  }

  say(key, text) {
    this.waiting.set(key, text);
    this.timer ??= setTimeout(() => this.flush(), this.region.textContent ? PAUSE_MS : 300);
  }

  flush() {
    this.timer = undefined;
    this.region.textContent = [...this.waiting.values()].join(" ");
    this.waiting.clear();
  }
}
