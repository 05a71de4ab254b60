// The page: chooses what to look at, keeps picture, overlay, list and facts together.

import { Announcer } from "./announcer.js";
import { getJson, setToken } from "./api.js";
import { Cards } from "./cards.js";
import { JpegView, openCamera, publish, watch } from "./media.js";
import { Overlay } from "./overlay.js";
import { LiveSocket } from "./socket.js";
import { makeTabs } from "./tabs.js";
import { wireUpload } from "./upload.js";
import { Verdicts } from "./verdicts.js";
import { reason, STREAM_STATES, streamReason } from "./words.js";

const PAGE_MS = 200;
const STREAMS_MS = 3000;
const $ = (id) => document.getElementById(id);

const verdicts = new Verdicts();
const overlay = new Overlay($("overlay"));
const cards = new Cards($("faces"), $("no-faces"));
const announcer = new Announcer($("announcer"));
const shown = { stream: null, kind: null, state: "idle", reason: "", connection: null, camera: null, busy: false };
const socket = new LiveSocket(readToken());

function readToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) {
    sessionStorage.setItem("unmask-token", found);
    history.replaceState(null, "", location.pathname);
  }
  const token = found ?? sessionStorage.getItem("unmask-token");
  setToken(token);
  return token;
}

// --- the websocket -------------------------------------------------------------------------------------------------

socket.addEventListener("message", ({ detail }) => {
  if (detail.stream !== undefined && detail.stream !== shown.stream) return;
  if (detail.type === "verdict") {
    verdicts.add(detail, performance.now());
    announcer.faceIs(detail);
  } else if (detail.type === "state") {
    streamIs(detail.state, detail.reason);
  }
});

socket.addEventListener("link", ({ detail }) => {
  const words = {
    connecting: "connecting",
    open: "connected",
    waiting: `connection lost, trying again in ${Math.max(1, Math.round(detail.wait / 1000))} s`,
    unauthorised: "token needed",
  };
  $("link").dataset.state = detail.state;
  $("link-text").textContent = words[detail.state];
  if (detail.state === "open") connected();
});

socket.addEventListener("token", () => {
  if (!$("token-dialog").open) $("token-dialog").showModal();
});

$("token-form").addEventListener("submit", () => {
  const token = $("token").value.trim();
  sessionStorage.setItem("unmask-token", token);
  setToken(token);
  socket.useToken(token);
});

async function connected() {
  try {
    $("fact-device").textContent = (await getJson("/api/info")).device;
    await listStreams();
  } catch (error) {
    tell(error.message);
  }
}

// --- what is shown -------------------------------------------------------------------------------------------------

function streamIs(state, why) {
  shown.state = state;
  shown.reason = why;
  $("stage").dataset.state = state;
  $("fact-state").dataset.state = state;
  $("fact-state").textContent = STREAM_STATES[state] ?? state;
  announcer.streamIs(state, why);
}

function begin(stream, kind) {
  verdicts.clear();
  announcer.clear();
  Object.assign(shown, { stream, kind });
  streamIs("connecting", "");
  socket.subscribe([stream]);
  tell("");
  $("empty").hidden = true;
  $("stage").dataset.kind = kind;
}

/** Ends what is shown, the camera included. */
async function end() {
  const { connection, camera } = shown;
  Object.assign(shown, { stream: null, kind: null, connection: null, camera: null });
  camera?.getTracks().forEach((track) => track.stop());
  $("video").srcObject = null;
  $("still").hidden = true;
  $("still").removeAttribute("src");
  $("empty").hidden = false;
  $("stage").style.aspectRatio = "";
  socket.subscribe([]);
  verdicts.clear();
  overlay.clear();
  streamIs("idle", "");
  buttons();
  page();
  await connection?.close();
}

function buttons() {
  const camera = shown.kind === "camera";
  const watching = shown.kind === "watch";
  swap($("start-camera"), $("stop-camera"), camera);
  swap($("watch"), $("stop-watching"), watching);
}

/** Shows one of two buttons and keeps the focus on the one that is shown. */
function swap(first, second, on) {
  const [shows, hides] = on ? [second, first] : [first, second];
  const focused = document.activeElement === hides;
  shows.hidden = false;
  hides.hidden = true;
  if (focused) shows.focus();
}

function tell(text) {
  $("problem").hidden = !text;
  $("problem").textContent = text;
}

/** Runs one change at a time and explains what goes wrong. */
async function change(button, work) {
  if (shown.busy) return;
  shown.busy = true;
  button.setAttribute("aria-busy", "true");
  try {
    await end();
    await work();
  } catch (error) {
    await end();
    tell(error.message);
  } finally {
    shown.busy = false;
    button.removeAttribute("aria-busy");
    buttons();
  }
}

$("start-camera").addEventListener("click", ({ currentTarget }) =>
  change(currentTarget, async () => {
    shown.camera = await openCamera();
    const name = `webcam-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
    begin(name, "camera");
    $("video").srcObject = shown.camera;
    shown.camera.getVideoTracks()[0].addEventListener("ended", () => lost("The camera was disconnected."));
    shown.connection = await publish(name, shown.camera, () => lost("The connection to the server broke. Start the camera again."));
  }),
);

$("watch").addEventListener("click", ({ currentTarget }) =>
  change(currentTarget, async () => {
    const name = $("streams").value;
    if (!name) throw new Error("This server has no stream to watch. Add one with --source NAME=URL.");
    begin(name, "watch");
    try {
      shown.connection = await watch(name, $("video"), () => asPictures(name));
    } catch (error) {
      if (error.status) throw error;
      asPictures(name);
    }
  }),
);

/** The way without WebRTC. */
function asPictures(name) {
  if (shown.stream !== name) return;
  $("video").srcObject = null;
  $("still").hidden = false;
  shown.connection = new JpegView(name, $("still"), (error) => tell(error.message));
}

function lost(text) {
  end();
  tell(text);
}

$("stop-camera").addEventListener("click", end);
$("stop-watching").addEventListener("click", end);
addEventListener("pageshow", (event) => { if (event.persisted) end(); });

// --- the list of streams -------------------------------------------------------------------------------------------

async function listStreams() {
  const { streams } = await getJson("/api/streams");
  const named = streams.filter((stream) => stream.kind !== "webrtc" || stream.name !== shown.stream);
  const select = $("streams");
  const labels = named.map((stream) => [stream.name, `${stream.name} (${STREAM_STATES[stream.state] ?? stream.state})`]);
  if (JSON.stringify(labels) !== select.dataset.labels) {
    const chosen = select.value;
    select.replaceChildren(...labels.map(([name, label]) => new Option(label, name, false, name === chosen)));
    select.dataset.labels = JSON.stringify(labels);
  }
  $("streams-hint").textContent = named.length ? "" : "No stream is running here. Start the server with --source NAME=URL, or with --source demo=demo:";
}

setInterval(() => {
  if ($("panel-server").hidden || document.hidden || $("link").dataset.state !== "open") return;
  listStreams().catch((error) => tell(error.message));
}, STREAMS_MS);

// --- drawing -------------------------------------------------------------------------------------------------------

function picture() {
  const video = $("video");
  const still = $("still");
  if (!still.hidden && still.naturalWidth) return { width: still.naturalWidth, height: still.naturalHeight };
  return video.videoWidth ? { width: video.videoWidth, height: video.videoHeight } : null;
}

function paint(now) {
  requestAnimationFrame(paint);
  if (!shown.stream) return;
  const size = picture();
  const mirrored = shown.kind === "camera" && $("mirror").checked;
  if (size) $("stage").style.aspectRatio = `${size.width} / ${size.height}`;
  if (size) overlay.draw(verdicts.fresh(now), size, mirrored, now);
  else overlay.clear();
}

function page() {
  const now = performance.now();
  cards.show(shown.stream ? verdicts.fresh(now) : [], now);
  const latency = verdicts.latency();
  const rate = verdicts.rate(now);
  $("fact-latency").textContent = latency === null ? "–" : `${Math.round(latency)} ms`;
  $("fact-fps").textContent = rate ? `${rate.toFixed(rate < 10 ? 1 : 0)} a second` : "–";
  $("fact-degraded").textContent = verdicts.degraded.length ? verdicts.degraded.map(reason).join(", ") : "nothing";
  banner(now);
}

function banner(now) {
  const text = bannerText(now);
  if ($("banner").textContent !== text) $("banner").textContent = text;
  $("banner").hidden = !text;
}

function bannerText(now) {
  if (!shown.stream) return "";
  const why = shown.reason ? `: ${streamReason(shown.reason)}` : "";
  if (shown.state !== "live") return `${STREAM_STATES[shown.state] ?? shown.state}${why}`;
  const silent = verdicts.silentSeconds(now);
  if (silent !== null) return `no verdict for ${silent} s`;
  return verdicts.lastAt === null ? "waiting for the first verdict" : "";
}

$("mirror").addEventListener("change", () => $("stage").classList.toggle("plain", !$("mirror").checked));
requestAnimationFrame(paint);
setInterval(page, PAGE_MS);

wireUpload($, tell);

makeTabs(document.querySelector("[role=tablist]"), (tab) => {
  $("live-view").hidden = tab === "tab-file";
  $("result").hidden = tab !== "tab-file" || !$("result").dataset.state;
  if (tab === "tab-server") listStreams().catch((error) => tell(error.message));
});
