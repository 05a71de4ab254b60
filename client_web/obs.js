// The transparent page for streaming software: boxes and labels of one stream, nothing else.

import { getJson } from "./api.js";
import { $, put } from "./dom.js";
import { Overlay } from "./overlay.js";
import { readToken } from "./token.js";
import { LiveSocket } from "./socket.js";
import { Verdicts } from "./verdicts.js";

const SIZE_MS = 3000;
const [TEXT_LEAST, TEXT_MOST] = [8, 96];

const asked = new URLSearchParams(location.search);
const stream = decodeURIComponent(location.pathname.split("/").pop());
const text = Math.min(TEXT_MOST, Math.max(TEXT_LEAST, Number(asked.get("size")) || 22));
const socket = new LiveSocket(readToken());
const verdicts = new Verdicts();
const overlay = new Overlay($("overlay"), { labels: asked.get("labels") !== "0", text });
let size = { width: 16, height: 9 };

async function learnSize() {
  if (socket.state !== "open") return;
  try {
    const { size_wh: known } = await getJson(`/api/streams/${encodeURIComponent(stream)}`);
    if (known) size = { width: known[0], height: known[1] };
    tell("");
  } catch (error) {
    tell(error.status === 404 ? `Waiting for the stream “${stream}”.` : error.message);
  }
}

function tell(sentence) {
  put($("problem"), sentence);
  $("problem").hidden = !sentence;
}

function paint() {
  requestAnimationFrame(paint);
  const now = performance.now();
  overlay.draw(verdicts.fresh(now), size, false, now);
}

socket.addEventListener("message", ({ detail }) => {
  if (detail.stream !== stream) return;
  if (detail.type === "verdict") verdicts.add(detail, performance.now());
  if (detail.type === "state" && detail.state === "ended") verdicts.drop();
});
socket.addEventListener("link", ({ detail }) => {
  if (detail.state === "open") learnSize();
  else verdicts.drop();
  if (detail.state === "waiting") tell("No connection to the server.");
  if (detail.state === "incompatible") tell("This page and the server speak different versions: refresh this source.");
});
socket.addEventListener("token", () => tell("A token is needed: add #token=… to the address of this page."));
socket.streams = [stream];
setInterval(learnSize, SIZE_MS);
requestAnimationFrame(paint);
