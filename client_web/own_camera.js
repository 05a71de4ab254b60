// The cameras of this computer: choosing one, remembering it, and saying in words why none can be had.

import { Problem } from "./api.js";

const KEPT_CAMERA = "unmask-camera";
const SECURE = "Browsers give a camera only to pages opened over https or on this computer itself (localhost).";
const PROBLEMS = {
  NotAllowedError: "The camera was not allowed. Allow it for this page in the browser's address bar (or in the system's privacy settings), then try again.",
  SecurityError: "The browser's settings forbid cameras on this page.",
  NotFoundError: "No camera was found. Connect one, then try again.",
  NotReadableError: "The camera is in use by another program. Close that program, then try again.",
  OverconstrainedError: "This camera is not connected any more, or cannot give a usable picture. Choose another one.",
  AbortError: "The camera could not be started. Unplug it, plug it in again, then try again.",
};

/** Opens the camera of this deviceId ("" for the browser's choice); throws a Problem that says what to do. */
export async function openCamera(deviceId = "") {
  if (!navigator.mediaDevices?.getUserMedia) throw new Problem(0, "insecure", SECURE);
  const size = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
  try {
    const media = await navigator.mediaDevices.getUserMedia({
      video: deviceId ? { ...size, deviceId: { exact: deviceId } } : size,
      audio: false,
    });
    localStorage.setItem(KEPT_CAMERA, media.getVideoTracks()[0].getSettings().deviceId ?? "");
    return media;
  } catch (error) {
    if (deviceId && ["OverconstrainedError", "NotFoundError"].includes(error.name)) return openCamera();
    throw new Problem(0, error.name, PROBLEMS[error.name] ?? "The camera could not be started.");
  }
}

/** The deviceId that was used last. */
export function rememberedCamera() {
  return localStorage.getItem(KEPT_CAMERA) ?? "";
}

/** Fills `select` with the cameras there are; hidden while there is nothing to choose. */
export async function listCameras(select, chosen = select.value || rememberedCamera()) {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const cameras = devices.filter((device) => device.kind === "videoinput" && device.deviceId);
  select.replaceChildren(
    ...cameras.map((camera, index) => new Option(camera.label || `Camera ${index + 1}`, camera.deviceId, false, camera.deviceId === chosen)),
  );
  select.parentElement.hidden = cameras.length === 0;
}
