// One camera: its live picture with faces, and what was seen before.

import { getJson } from "./api.js";
import { $, put } from "./dom.js";
import { HistoryList } from "./history.js";
import { LiveView } from "./live.js";
import { JpegView, watch } from "./media.js";
import { mountShell } from "./shell.js";

const AGAIN_MS = 4000;

const name = decodeURIComponent(location.pathname.split("/").at(-1));
const shell = mountShell("/cameras");
const view = new LiveView($("live-view"), shell, { hint: "Waiting for this camera." });
const shown = { connection: null, opening: false };

document.title = `${name} – unmask`;
put($("name"), name);

async function close() {
  const old = shown.connection;
  shown.connection = null;
  await old?.close();
}

async function open() {
  if (shown.opening || document.hidden) return;
  shown.opening = true;
  try {
    const stream = await getJson(`/api/streams/${encodeURIComponent(name)}`);
    put($("address"), stream.url);
    await close();
    if (view.stream !== name) view.begin(name, "watch");
    try {
      shown.connection = await watch(name, view.video, asPictures);
    } catch (error) {
      if (error.status && error.code !== "stream_ended") throw error;
      asPictures();
    }
  } catch (error) {
    if (error.status !== 401) shell.tell(error.code === "no_such_stream" ? `There is no camera named ${name} (any more).` : error.message);
  } finally {
    shown.opening = false;
  }
}

/** The way without WebRTC. */
function asPictures() {
  view.video.srcObject = null;
  view.still.hidden = false;
  shown.connection = new JpegView(name, view.still, () => {});
}

shell.connected(() => open());
setInterval(() => { if (shell.socket.state === "open" && !shown.connection) open(); }, AGAIN_MS);
addEventListener("pageshow", (event) => { if (event.persisted) open(); });

new HistoryList(name, { list: $("chapters"), filter: $("filter"), more: $("more"), empty: $("no-chapters") });
shell.connected(async () => {
  const { pictures } = await getJson("/api/history?limit=1").catch(() => ({ pictures: true }));
  put($("kept"), pictures ? "The last 200 changes of a camera are held in the server's memory, each with one small picture, until it stops. Nothing is written to a disk." : "The last 200 changes of a camera are held in the server's memory until it stops, without pictures.");
});
