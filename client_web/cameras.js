// The page of the server's streams.

import { getJson } from "./api.js";
import { $, swap } from "./dom.js";
import { LiveView } from "./live.js";
import { JpegView, watch } from "./media.js";
import { mountShell } from "./shell.js";
import { STREAM_STATES } from "./words.js";

const STREAMS_MS = 3000;

const shell = mountShell("/cameras");
const view = new LiveView($("live-view"), shell, "Choose a stream of this server.");
let connection = null;

async function end() {
  const old = connection;
  connection = null;
  view.end();
  swap($("watch"), $("stop-watching"), false);
  await old?.close();
}

async function start() {
  const name = $("streams").value;
  await end();
  if (!name) return shell.tell("This server has no stream to watch. Add one with --source NAME=URL.");
  view.begin(name, "watch");
  swap($("watch"), $("stop-watching"), true);
  try {
    connection = await watch(name, view.video, () => asPictures(name));
  } catch (error) {
    if (!error.status) return asPictures(name);
    await end();
    shell.tell(error.message);
  }
}

/** The way without WebRTC. */
function asPictures(name) {
  if (view.stream !== name) return;
  view.video.srcObject = null;
  view.still.hidden = false;
  connection = new JpegView(name, view.still, (error) => shell.tell(error.message));
}

async function listStreams() {
  const { streams } = await getJson("/api/streams");
  const select = $("streams");
  const labels = streams.map((stream) => [stream.name, `${stream.name} (${STREAM_STATES[stream.state] ?? stream.state})`]);
  if (JSON.stringify(labels) !== select.dataset.labels) {
    const chosen = select.value;
    select.replaceChildren(...labels.map(([name, label]) => new Option(label, name, false, name === chosen)));
    select.dataset.labels = JSON.stringify(labels);
  }
  $("streams-hint").textContent = streams.length ? "" : "No stream is running here. Start the server with --source NAME=URL, or with --source demo=demo:";
}

const refresh = () => listStreams().catch((error) => shell.tell(error.message));
shell.connected(refresh);
setInterval(() => { if (!document.hidden && shell.socket.state === "open") refresh(); }, STREAMS_MS);
$("watch").addEventListener("click", start);
$("stop-watching").addEventListener("click", end);
addEventListener("pageshow", (event) => { if (event.persisted) end(); });
