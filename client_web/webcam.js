// The page of one's own webcam.

import { listCameras, openCamera, rememberedCamera } from "./own_camera.js";
import { mountChallenge } from "./challenge.js";
import { $, swap } from "./dom.js";
import { LiveView } from "./live.js";
import { Publication } from "./publication.js";
import { mountShell } from "./shell.js";

const KEPT_EXACT = "unmask-exact";
const KEPT_MIRROR = "unmask-mirror";

const shell = mountShell("/");
const view = new LiveView($("live-view"), shell, { hint: "Start your camera to see what the detector says.", whose: "own" });
const own = { publication: null, busy: false };

async function end() {
  const { publication } = own;
  own.publication = null;
  view.end();
  swap($("start-camera"), $("stop-camera"), false);
  await publication?.close();
}

async function lost(text) {
  await end();
  shell.tell(text);
}

async function start(deviceId) {
  if (own.busy) return;
  own.busy = true;
  $("start-camera").setAttribute("aria-busy", "true");
  try {
    await end();
    shell.tell("");
    const media = await openCamera(deviceId);
    media.getVideoTracks()[0].addEventListener("ended", () => lost("The camera was disconnected. Connect it again, then start it."));
    const publication = new Publication(shell.socket, "webcam", media);
    own.publication = publication;
    publication.addEventListener("stream", ({ detail }) => view.begin(detail, "camera"));
    publication.addEventListener("problem", ({ detail }) => view.say(detail));
    publication.addEventListener("path", ({ detail }) => { view.verdicts.clock.path = detail; });
    view.video.srcObject = media;
    await publication.start();
    swap($("start-camera"), $("stop-camera"), own.publication === publication);
    await listCameras($("camera"), rememberedCamera());
  } catch (error) {
    await lost(error.message);
  } finally {
    own.busy = false;
    $("start-camera").removeAttribute("aria-busy");
  }
}

/** A checkbox that is remembered. */
function remembered(id, key, apply) {
  const box = $(id);
  box.checked = (localStorage.getItem(key) ?? "yes") === "yes";
  box.addEventListener("change", () => {
    localStorage.setItem(key, box.checked ? "yes" : "no");
    apply(box.checked);
  });
  apply(box.checked);
}

$("start-camera").addEventListener("click", () => start($("camera").value || rememberedCamera()));
$("stop-camera").addEventListener("click", end);
$("camera").addEventListener("change", () => { if (own.publication) start($("camera").value); });
navigator.mediaDevices?.addEventListener?.("devicechange", () => listCameras($("camera")));
addEventListener("pageshow", (event) => { if (event.persisted) end(); });
remembered("mirror", KEPT_MIRROR, (on) => view.mirror(on));
remembered("exact", KEPT_EXACT, (on) => view.setExact(on));
listCameras($("camera"));
mountChallenge(document.querySelector(".side"), { socket: shell.socket, stream: () => view.stream });
