// The camera wall: every stream of the server as a tile, alarms on top.

import { call, getJson } from "./api.js";
import { Alarms } from "./alarms.js";
import { openCameraForm, wireCameraForm } from "./camera-form.js";
import { $, put } from "./dom.js";
import { mountShell } from "./shell.js";
import { Tile } from "./tiles.js";
import { GRAVITY } from "./words.js";

const LOOK_MS = 1500;
const PAGE_MS = 250;
const ALARMED_FIRST_MS = 4000;

const shell = mountShell("/cameras");
const tiles = new Map();
const alarms = new Alarms({ section: $("alarms"), list: $("alarm-list"), rest: $("alarm-rest"), all: $("alarms-read") }, (text) => shell.announcer.say("alarm", text));
const known = { mayChange: false, looking: false, lasting: 0, most: 0, orderAt: 0 };

async function look() {
  if (known.looking) return;
  known.looking = true;
  try {
    const [{ streams, max_streams: most }, { history }] = await Promise.all([
      getJson("/api/streams"),
      getJson("/api/history?kind=face&state=suspicious&state=manipulated&limit=200"),
    ]);
    known.most = most;
    known.lasting = alarms.show(history);
    show(streams);
    shell.tell("");
  } catch (error) {
    if (error.status !== 401) shell.tell(error.message);
  } finally {
    known.looking = false;
  }
}

function show(streams) {
  const names = new Set(streams.map((stream) => stream.name));
  for (const [name, tile] of tiles) {
    if (names.has(name)) continue;
    tile.close();
    tiles.delete(name);
  }
  for (const stream of streams) {
    if (!tiles.has(stream.name)) {
      const tile = new Tile(stream.name, { onedit: openCameraForm, onremove: askRemove });
      tiles.set(stream.name, tile);
      $("wall").append(tile.root);
    }
    tiles.get(stream.name).update(stream, known.mayChange);
  }
  order(performance.now());
  $("nothing").hidden = streams.length > 0;
  const seen = streams.filter((stream) => ["live", "no_face"].includes(stream.state)).length;
  put($("summary"), streams.length ? `${streams.length} of at most ${known.most}, ${seen} with a picture${known.lasting ? `, ${known.lasting} with an alarm` : ""}` : "");
}

/** Cameras with an alarm come first; the order changes rarely and never under the keyboard. */
function order(now) {
  if (now - known.orderAt < ALARMED_FIRST_MS || $("wall").contains(document.activeElement)) return;
  known.orderAt = now;
  const rank = (tile) => Math.max(GRAVITY.indexOf(tile.gravest(now)?.state), GRAVITY.indexOf("uncertain"));
  const wanted = [...tiles.values()].sort((a, b) => rank(b) - rank(a) || a.name.localeCompare(b.name));
  wanted.forEach((tile, index) => {
    if ($("wall").children[index] !== tile.root) $("wall").insertBefore(tile.root, $("wall").children[index]);
  });
}

function askRemove(stream) {
  put($("remove-text"), `${stream.name} is no longer watched. Its history stays until the server stops.`);
  $("remove-dialog").returnValue = "keep";
  $("remove-dialog").dataset.name = stream.name;
  $("remove-dialog").showModal();
}

$("remove-dialog").addEventListener("close", async () => {
  if ($("remove-dialog").returnValue !== "remove") return;
  const { name } = $("remove-dialog").dataset;
  try {
    await call(`/api/streams/${encodeURIComponent(name)}`, { method: "DELETE" });
    shell.announcer.say("removed", `${name} was removed.`);
    await look();
    $("add").focus();
  } catch (error) {
    shell.tell(error.message);
  }
});

wireCameraForm(async (name) => {
  await look();
  tiles.get(name)?.root.querySelector("h2 a").focus();
});
$("add").addEventListener("click", () => openCameraForm());
$("add-first").addEventListener("click", () => openCameraForm());
$("add-sample").addEventListener("click", () => openCameraForm(null, "demo:"));

shell.connected(async () => {
  try {
    const info = await shell.info();
    known.mayChange = info.may_change;
    $("camera-kept").hidden = info.keeps_cameras === true;
    for (const id of ["add", "add-first", "add-sample"]) $(id).hidden = !known.mayChange;
    await look();
  } catch (error) {
    shell.tell(error.message);
  }
});
setInterval(() => { if (!document.hidden && shell.socket.state === "open") look(); }, LOOK_MS);
setInterval(() => { for (const tile of tiles.values()) tile.page(performance.now()); }, PAGE_MS);
