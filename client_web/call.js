// The page that verifies the people in a video call: it looks at a shared tab or window.

import { Problem } from "./api.js";
import { mountChallenge } from "./challenge.js";
import { $, element, put, swap } from "./dom.js";
import { Floating } from "./floating.js";
import { icon } from "./icons.js";
import { LiveView } from "./live.js";
import { Publication } from "./publication.js";
import { mountShell } from "./shell.js";
import { ALARMS, GRAVITY, STATES } from "./words.js";

const FORGET_NAME_MS = 15000;
const MOST_LOGGED = 30;
const READING = {
  authentic: "No sign of a synthetic face. It is no proof: keep asking what only the right person can know.",
  uncertain: "The picture says too little. The line under the face tells what would help.",
  suspicious: "Some signs. Watch a little longer, ask for a turn of the head or a hand across the face.",
  manipulated: "Strong signs. Do not act on this call: call back on a number you already had.",
};
const PROBLEMS = {
  NotAllowedError: "Nothing was shared. Choose the tab or window of your call, and allow it.",
  NotFoundError: "There is nothing that could be shared here.",
  NotReadableError: "The system does not let the browser record the screen. Allow it in the system's privacy settings.",
  InvalidStateError: "The browser wants a click first. Try again.",
  AbortError: "The capture could not be started. Try again.",
};
const UNABLE = "This browser cannot look at other windows. Use Chrome, Edge, Firefox or Safari on a computer, over https or on this computer itself.";

const names = new Map();
const seen = new Map();
const shell = mountShell("/call");
const view = new LiveView($("live-view"), shell, { hint: "Share the tab or window of your video call. Every face in it gets its own verdict.", names, compact: true });
const floating = new Floating(view, names);
const shared = { publication: null, busy: false };
view.setExact(true);

async function end() {
  const { publication } = shared;
  shared.publication = null;
  floating.close();
  view.end();
  names.clear();
  seen.clear();
  swap($("share"), $("stop-sharing"), false);
  $("float").disabled = true;
  await publication?.close();
}

async function lost(text) {
  await end();
  shell.tell(text);
}

async function capture() {
  if (!navigator.mediaDevices?.getDisplayMedia) throw new Problem(0, "unable", UNABLE);
  try {
    return await navigator.mediaDevices.getDisplayMedia({
      ...stayingHere(),
      video: { frameRate: { ideal: 15, max: 30 }, width: { max: 1920 }, height: { max: 1200 } },
      audio: false,
      selfBrowserSurface: "exclude",
      surfaceSwitching: "include",
    });
  } catch (error) {
    throw new Problem(0, error.name, PROBLEMS[error.name] ?? "The capture could not be started.");
  }
}

/** The page stays in front: in the background its picture would stand still. */
function stayingHere() {
  if (typeof CaptureController === "undefined") return {};
  const controller = new CaptureController();
  controller.setFocusBehavior?.("no-focus-change");
  return { controller };
}

async function start() {
  if (shared.busy) return;
  shared.busy = true;
  $("share").setAttribute("aria-busy", "true");
  try {
    shell.tell("");
    const media = await capture();
    await end();
    media.getVideoTracks()[0].addEventListener("ended", () => lost("The sharing was ended. Share the call again to go on."));
    const publication = new Publication(shell.socket, "call", media);
    shared.publication = publication;
    publication.addEventListener("stream", ({ detail }) => restart(detail));
    publication.addEventListener("problem", ({ detail }) => view.say(detail));
    publication.addEventListener("path", ({ detail }) => { view.verdicts.clock.path = detail; });
    view.video.srcObject = media;
    await publication.start();
    swap($("share"), $("stop-sharing"), shared.publication === publication);
    $("float").disabled = shared.publication !== publication;
    $("reading").open = false;
  } catch (error) {
    if (shared.publication) await end();
    shell.tell(error.message);
  } finally {
    shared.busy = false;
    $("share").removeAttribute("aria-busy");
  }
}

/** Another stream numbers its faces anew: names of the old one mean nobody there. */
function restart(name) {
  names.clear();
  seen.clear();
  view.begin(name, "screen");
}

/** Forgets names of faces that are gone, and writes down what changed. */
function follow(faces) {
  const now = performance.now();
  for (const { message } of faces) {
    const before = seen.get(message.track);
    if (before?.state !== message.state) note(message, before?.state ?? null);
    seen.set(message.track, { state: message.state, at: now });
  }
  for (const [track, { at }] of seen) {
    if (now - at <= FORGET_NAME_MS) continue;
    seen.delete(track);
    names.delete(track);
  }
  summary(faces);
}

function note(message, before) {
  const calm = !ALARMS.has(message.state) && !ALARMS.has(before);
  if (calm) return;
  const who = names.get(message.track) || `Face ${message.track}`;
  const time = new Date().toLocaleTimeString([], { hour12: false });
  const line = element("li", { "data-state": message.state }, icon(message.state), element("time", {}, time), ` ${who}: ${STATES[message.state].word}`);
  $("log").prepend(line);
  while ($("log").children.length > MOST_LOGGED) $("log").lastChild.remove();
  $("log-empty").hidden = true;
}

function summary(faces) {
  const counts = GRAVITY.map((state) => [state, faces.filter(({ message }) => message.state === state).length]).filter(([, count]) => count);
  const parts = counts.reverse().map(([state, count]) => `${count} ${STATES[state].word}`);
  put($("call-summary"), faces.length ? `${faces.length} ${faces.length === 1 ? "face" : "faces"}: ${parts.join(", ")}` : "");
}

$("reading-list").append(
  ...Object.entries(READING).map(([state, says]) =>
    element("li", { "data-state": state }, icon(state), element("strong", { class: "word" }, STATES[state].word), element("span", {}, says)),
  ),
);
document.querySelector(".below").append($("log-section"), $("challenge"));
mountChallenge($("challenge"), {
  socket: shell.socket,
  stream: () => view.stream,
  nameOf: (track) => names.get(track) || `Face ${track}`,
});
$("share").addEventListener("click", start);
$("stop-sharing").addEventListener("click", end);
$("float").addEventListener("click", () => floating.open().catch((error) => shell.tell(error.message)));
view.addEventListener("faces", ({ detail }) => follow(detail));
addEventListener("pageshow", (event) => { if (event.persisted) end(); });
