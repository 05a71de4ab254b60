// The dialog that adds or edits a camera, with its connection test.

import { call, Problem } from "./api.js";
import { $, element, put } from "./dom.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const CODECS = { h264: "H.264", hevc: "H.265", mjpeg: "Motion JPEG", av1: "AV1", vp8: "VP8", vp9: "VP9", mpeg4: "MPEG-4" };
const ADVICE = {
  auth_failed: "Check user name and password.",
  not_found: "Check the path at the end of the address; the camera's manual has it.",
  timeout: "Check that the camera is switched on and in this network, and that the port is right.",
  connection_failed: "Check host and port, and that the camera is switched on.",
  codec_unsupported: "Set the camera to H.264, then test again.",
  device_unavailable: "Close the program that uses it, or choose another number.",
  tls: "Check the certificate, or try rtsp:// instead of rtsps://.",
};
const FORMS = "rtsp://user:password@host/path, rtsps://…, webcam:0 (a camera of the server), or demo: (a sample).";

const shown = { stream: null, busy: null, onsaved: () => {} };

/** Wires the dialog once; `onsaved(name)` is called after a camera was added or changed. */
export function wireCameraForm(onsaved) {
  shown.onsaved = onsaved;
  $("camera-form").addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  $("camera-test").addEventListener("click", test);
  $("camera-cancel").addEventListener("click", () => $("camera-dialog").close());
  $("camera-dialog").addEventListener("close", () => shown.busy?.abort());
  $("camera-url").addEventListener("input", () => showTested(null));
}

/** Opens the dialog for a new camera, or for one that is there; `address` is filled in. */
export function openCameraForm(stream = null, address = "") {
  shown.stream = stream;
  put($("camera-title"), stream ? `Edit ${stream.name}` : "Add a camera");
  put($("camera-save"), stream ? "Save" : "Add");
  put($("camera-url-hint"), stream ? `Leave empty to keep ${stream.url}. A password is kept too and never shown.` : FORMS);
  $("camera-name").value = stream?.name ?? (address ? "sample" : "");
  $("camera-url").value = address;
  problem("");
  showTested(null);
  $("camera-dialog").showModal();
  $("camera-name").focus();
}

function problem(text, field = null) {
  $("camera-problem").hidden = !text;
  put($("camera-problem"), text);
  for (const id of ["camera-name", "camera-url"]) $(id).toggleAttribute("aria-invalid", id === field);
  if (field) $(field).focus();
}

function checked(withName) {
  const name = $("camera-name").value.trim();
  const url = $("camera-url").value.trim();
  if (withName && !NAME.test(name)) {
    problem("A name has 1 to 64 letters, digits, “.”, “_” or “-”, and starts with a letter or digit.", "camera-name");
    return null;
  }
  if (!url && !shown.stream) {
    problem("The address of the camera is missing.", "camera-url");
    return null;
  }
  problem("");
  return { name, url };
}

async function busy(button, work) {
  if (shown.busy) return;
  shown.busy = new AbortController();
  button.setAttribute("aria-busy", "true");
  try {
    await work(shown.busy.signal);
  } catch (error) {
    if (error.name !== "AbortError") problem(error instanceof Problem ? error.message : String(error));
  } finally {
    shown.busy = null;
    button.removeAttribute("aria-busy");
  }
}

function send(path, method, body, signal) {
  return call(path, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal });
}

function test() {
  const typed = checked(false);
  if (!typed) return;
  busy($("camera-test"), async (signal) => {
    showTested({ waiting: true });
    try {
      const body = typed.url ? { url: typed.url } : { stream: shown.stream.name };
      showTested(await (await send("/api/streams/test", "POST", body, signal)).json());
    } catch (error) {
      showTested(null);
      throw error;
    }
  });
}

function save() {
  const typed = checked(true);
  if (!typed) return;
  busy($("camera-save"), async (signal) => {
    const { stream } = shown;
    const changes = { ...(typed.name === stream?.name ? {} : { name: typed.name }), ...(typed.url ? { url: typed.url } : {}) };
    if (stream && Object.keys(changes).length) await send(`/api/streams/${encodeURIComponent(stream.name)}`, "PATCH", changes, signal);
    if (!stream) await send("/api/streams", "POST", changes, signal);
    $("camera-dialog").close();
    shown.onsaved(typed.name);
  });
}

/** Shows the outcome of a test; null shows none. */
function showTested(found) {
  const root = $("tested");
  root.hidden = !found;
  root.dataset.outcome = !found ? "" : found.waiting ? "waiting" : found.ok ? "works" : "fails";
  if (!found) return root.replaceChildren();
  if (found.waiting) return root.replaceChildren(element("p", {}, "Opening the camera; this takes a few seconds …"));
  const sentences = found.ok ? [works(found)] : [`✕ ${capital(found.message)}. ${ADVICE[found.error] ?? ""}`];
  root.replaceChildren(
    ...(found.ok ? [element("img", { src: found.picture, alt: "The camera's first picture" })] : []),
    element("p", {}, ...sentences),
  );
}

function works(found) {
  const parts = [`${found.size_wh[0]} × ${found.size_wh[1]}`];
  if (found.fps !== null) parts.push(`${found.fps} pictures a second`);
  if (found.codec) parts.push(CODECS[found.codec] ?? found.codec);
  const damaged = found.unusable ? ` ${found.unusable} pictures were damaged.` : "";
  return `✓ It works: ${parts.join(", ")}; the first picture came after ${(found.first_picture_ms / 1000).toFixed(1)} s.${damaged}`;
}

function capital(text) {
  return /^[a-z]+:/.test(text) ? text : text[0].toUpperCase() + text.slice(1);
}
