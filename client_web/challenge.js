// The liveness challenge: asks a person to do something, shows what the server made of the answer. Its own panel, its
// own style sheet; the result stands beside the verdict and never changes it.

import { element, put } from "./dom.js";
import { percent } from "./words.js";

const FACE_MS = 2500;
const SILENT_MS = 6000;
const TICK_MS = 500;
const STYLE = "/client/challenge.css";

export const PROMPTS = {
  turn_left: { short: "Turn the head left", asks: "Turn your head to your left, then back." },
  turn_right: { short: "Turn the head right", asks: "Turn your head to your right, then back." },
  hand_across_face: { short: "Hand across the face", asks: "Pass your open hand slowly across your face." },
  cover_one_eye: { short: "Cover one eye", asks: "Cover one eye with your hand for a second." },
  move_closer: { short: "Come closer", asks: "Move your face closer to the camera." },
};

const OUTCOMES = {
  passed: { word: "Passed", sign: "✓", says: "The prompt was followed, and the signs of a swap did not grow. That alone does not make the face genuine." },
  suspicious: { word: "Suspicious", sign: "!", says: "The prompt was followed, and the signs of a swap grew meanwhile." },
  not_followed: { word: "Not followed", sign: "–", says: "The prompt was not seen to be followed. Ask again, or ask for something else." },
  inconclusive: { word: "Inconclusive", sign: "?", says: "Nothing can be concluded." },
};

const REASONS = {
  turned_other_way: "the head turned to the other side (is the picture a mirror image?)",
  not_far_enough: "the answer began, but did not go far enough",
  no_answer: "no answer was seen in time",
  no_baseline: "the face was not seen frontally for two seconds before",
  face_lost: "the face was lost",
  stream_jumped: "the stream's clock jumped",
  stream_ended: "the stream ended",
  no_frames: "no pictures came in",
  no_samples: "this stream cannot be challenged",
  too_few_samples: "too few pictures of the answer were analysed",
  already_suspicious: "the face looked suspicious before, so a small change says nothing for it",
  little_change: "the evidence changed little",
  evidence_rose: "the detector's suspicion rose during the answer",
  map_rose: "the synthesis map lit up during the answer",
  flicker: "the evidence flickered",
  landmarks_trembled: "the features of the face trembled",
  track_broke: "the face was lost and found again",
  stopped: "it was stopped",
};

/**
 * Draws the panel into `container`. `stream` and `track` are values or functions that give them (null: none, or any
 * face); `nameOf(track)` names a face. Gives {close}.
 */
export function mountChallenge(container, { socket, stream, track = null, nameOf = (number) => `Face ${number}` }) {
  return new Panel(container, socket, asFunction(stream), asFunction(track), nameOf);
}

function asFunction(value) {
  return typeof value === "function" ? value : () => value;
}

class Panel {
  constructor(container, socket, stream, track, nameOf) {
    Object.assign(this, { socket, stream, track, nameOf, faces: new Map(), current: null, asked: null });
    addStyle();
    this.parts = draw();
    container.append(this.parts.root);
    this.hear = ({ detail }) => this.receive(detail);
    this.linked = ({ detail }) => this.link(detail.state);
    socket.addEventListener("message", this.hear);
    socket.addEventListener("link", this.linked);
    this.parts.form.addEventListener("submit", (event) => { event.preventDefault(); this.start(); });
    this.parts.stop.addEventListener("click", () => this.stop());
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.tick();
  }

  close() {
    clearInterval(this.timer);
    this.socket.removeEventListener("message", this.hear);
    this.socket.removeEventListener("link", this.linked);
    this.parts.root.remove();
  }

  receive(message) {
    if (message.type === "error" && this.asked) {
      this.over(`Could not start: ${message.message}.`);
    } else if (message.stream === undefined || message.stream !== this.stream()) {
      return;
    } else if (message.type === "verdict") {
      this.faces.set(message.track, performance.now());
    } else if (message.type === "challenge_state") {
      this.news(message);
    }
  }

  news(message) {
    if (this.current ? message.id !== this.current.id : !this.asked || message.first_track !== this.asked) return;
    this.asked = null;
    this.current = { id: message.id, track: message.first_track, at: performance.now() };
    const { root, prompt, progress, state } = this.parts;
    root.dataset.phase = message.phase;
    if (message.result) {
      this.result(message);
      return;
    }
    const waiting = message.phase === "answer" && !message.followed;
    put(prompt, message.phase === "baseline" ? "Look straight into the camera …" : PROMPTS[message.prompt]?.asks ?? message.prompt);
    put(state, message.phase === "baseline" ? "Learning what the face looks like before the prompt." : waiting ? "Waiting for the answer." : "Seen. Hold on a moment.");
    if (waiting) progress.removeAttribute("value");
    else progress.value = message.progress;
    this.running(true);
  }

  result({ result, prompt }) {
    const outcome = OUTCOMES[result.outcome] ?? { word: result.outcome, sign: "?", says: "" };
    const { root, verdict, sign, word, says, confidence, why } = this.parts;
    this.over("");
    root.dataset.outcome = result.outcome;
    verdict.hidden = false;
    put(sign, outcome.sign);
    put(word, outcome.word);
    put(says, `${PROMPTS[prompt]?.short ?? prompt}: ${outcome.says}`);
    put(confidence, result.confidence > 0 ? `confidence ${percent(result.confidence)}` : "no confidence");
    put(why, result.reasons.length ? `Because ${result.reasons.map((code) => REASONS[code] ?? code.replaceAll("_", " ")).join("; ")}.` : "");
  }

  start() {
    const stream = this.stream();
    const track = this.track() ?? Number(this.parts.face.value);
    if (!stream || !track) return;
    const chosen = this.parts.choice.value;
    this.asked = track;
    this.current = null;
    this.parts.verdict.hidden = true;
    delete this.parts.root.dataset.outcome;
    put(this.parts.prompt, "Look straight into the camera …");
    put(this.parts.state, "Starting.");
    this.running(true);
    this.askedAt = performance.now();
    this.socket.send({ type: "challenge", action: "start", stream, track, mirrored: this.parts.mirrored.checked, ...(chosen ? { prompt: chosen } : {}) });
  }

  stop() {
    if (this.current) this.socket.send({ type: "challenge", action: "stop", stream: this.stream(), track: this.current.track });
    else this.over("");
  }

  link(state) {
    if (state !== "open" && (this.current || this.asked)) this.over("The connection to the server was lost; the challenge is void.");
  }

  over(problem) {
    this.asked = this.current = null;
    delete this.parts.root.dataset.phase;
    this.parts.problem.hidden = !problem;
    put(this.parts.problem, problem);
    this.running(false);
  }

  running(on) {
    const { start, stop, live, problem } = this.parts;
    if (on) problem.hidden = true;
    const focused = document.activeElement;
    live.hidden = !on;
    start.hidden = on;
    stop.hidden = !on;
    if (on && focused === start) stop.focus();
    if (!on && focused === stop) start.focus();
  }

  tick() {
    const now = performance.now();
    for (const [track, at] of this.faces) if (now - at > FACE_MS) this.faces.delete(track);
    const since = this.current?.at ?? (this.asked ? this.askedAt : null);
    if (since !== null && now - since > SILENT_MS) this.over("The server has not said anything for a while; the challenge is void.");
    this.options();
  }

  options() {
    const { face, faceLabel, start, hint } = this.parts;
    const tracks = this.track() ? [this.track()] : [...this.faces.keys()].sort((a, b) => a - b);
    const wanted = JSON.stringify(tracks.map((number) => [number, this.nameOf(number)]));
    if (face.dataset.shown !== wanted) {
      const chosen = face.value;
      face.replaceChildren(...tracks.map((number) => new Option(this.nameOf(number), number, false, String(number) === chosen)));
      face.dataset.shown = wanted;
    }
    faceLabel.hidden = tracks.length < 2;
    const ready = Boolean(this.stream()) && tracks.length > 0;
    start.setAttribute("aria-disabled", String(!ready));
    put(hint, ready ? "" : "A challenge needs a face in the picture.");
  }
}

function draw() {
  const face = element("select", {});
  const faceLabel = element("label", { class: "challenge-field", hidden: true }, "Who", face);
  const choice = element("select", {}, element("option", { value: "" }, "Let the server choose"));
  for (const [code, { short }] of Object.entries(PROMPTS)) choice.append(element("option", { value: code }, short));
  const mirrored = element("input", { type: "checkbox" });
  const start = element("button", { class: "primary" }, "Start challenge");
  const stop = element("button", { type: "button", hidden: true }, "Stop challenge");
  const hint = element("p", { class: "hint" });
  const form = element(
    "form",
    { class: "challenge-form" },
    faceLabel,
    element("label", { class: "challenge-field" }, "Prompt", choice),
    element("label", { class: "check" }, mirrored, "The picture is a mirror image"),
    start,
    stop,
    hint,
  );
  const prompt = element("p", { class: "challenge-prompt" });
  const progress = element("progress", { max: "1", "aria-label": "Progress of the challenge" });
  const state = element("p", { class: "hint" });
  const live = element("div", { class: "challenge-live", hidden: true }, prompt, progress, state);
  const [sign, word] = [element("span", { class: "challenge-sign", "aria-hidden": "true" }), element("strong", { class: "challenge-word" })];
  const [says, confidence, why] = [element("p"), element("span", { class: "challenge-confidence" }), element("p", { class: "hint" })];
  const verdict = element(
    "div",
    { class: "challenge-result", hidden: true },
    element("p", { class: "challenge-head" }, sign, word, confidence),
    says,
    why,
    element("p", { class: "hint" }, "An extra cue: it is not part of the verdict."),
  );
  const problem = element("p", { class: "alert", role: "alert", hidden: true });
  const status = element("div", { role: "status" }, live, verdict);
  const title = `challenge-title-${document.querySelectorAll(".challenge").length}`;
  const root = element(
    "div",
    { class: "challenge", role: "group", "aria-labelledby": title },
    element("h2", { id: title }, "Liveness challenge"),
    element("p", { class: "hint" }, "Ask the person for something that live swaps do badly, and see how the evidence changes."),
    form,
    problem,
    status,
  );
  return { root, form, face, faceLabel, choice, mirrored, start, stop, hint, live, prompt, progress, state, verdict, sign, word, says, confidence, why, problem };
}

function addStyle() {
  if (document.querySelector(`link[href="${STYLE}"]`)) return;
  document.head.append(element("link", { rel: "stylesheet", href: STYLE }));
}
