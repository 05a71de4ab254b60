// The page of one's own webcam.

import { $, swap } from "./dom.js";
import { LiveView } from "./live.js";
import { openCamera, publish } from "./media.js";
import { mountShell } from "./shell.js";

const shell = mountShell("/");
const view = new LiveView($("live-view"), shell, "Start your camera to see what the detector says.");
const own = { camera: null, connection: null, busy: false };

async function end() {
  const { camera, connection } = own;
  Object.assign(own, { camera: null, connection: null });
  camera?.getTracks().forEach((track) => track.stop());
  view.end();
  swap($("start-camera"), $("stop-camera"), false);
  await connection?.close();
}

async function lost(text) {
  await end();
  shell.tell(text);
}

async function start() {
  if (own.busy) return;
  own.busy = true;
  $("start-camera").setAttribute("aria-busy", "true");
  try {
    own.camera = await openCamera();
    const name = `webcam-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
    view.begin(name, "camera");
    view.video.srcObject = own.camera;
    own.camera.getVideoTracks()[0].addEventListener("ended", () => lost("The camera was disconnected."));
    own.connection = await publish(name, own.camera, () => lost("The connection to the server broke. Start the camera again."));
    swap($("start-camera"), $("stop-camera"), true);
  } catch (error) {
    await lost(error.message);
  } finally {
    own.busy = false;
    $("start-camera").removeAttribute("aria-busy");
  }
}

$("start-camera").addEventListener("click", start);
$("stop-camera").addEventListener("click", end);
$("mirror").addEventListener("change", () => view.mirror($("mirror").checked));
addEventListener("pageshow", (event) => { if (event.persisted) end(); });
view.mirror(true);
