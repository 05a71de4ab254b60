// Pictures in and out: a picture of this computer published over WHIP, a stream watched over WHEP, or as single JPEG pictures.

import { authorization, call, Problem } from "./api.js";

const GATHERING_MS = 1500;
const FIRST_PICTURE_MS = 8000;
const JPEG_PAUSE_MS = 120;
const MOST_BITS = 2_500_000;

/** One WebRTC connection negotiated over HTTP; `onlost` is called once when it breaks. */
class Connection {
  constructor(onlost) {
    this.peer = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
    this.location = null;
    this.over = false;
    this.peer.addEventListener("connectionstatechange", () => {
      if (this.peer.connectionState === "failed" && !this.over) {
        this.close();
        onlost();
      }
    });
    this.leave = () => this.close(true);
    addEventListener("pagehide", this.leave);
  }

  async negotiate(path) {
    await this.peer.setLocalDescription(await this.peer.createOffer());
    await gathered(this.peer);
    const answer = await call(path, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: this.peer.localDescription.sdp,
    });
    this.location = answer.headers.get("Location");
    if (this.over) return this.end(false);
    await this.peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  }

  /** Ends the connection and tells the server, also while the page is going away. */
  async close(leaving = false) {
    if (this.over) return;
    this.over = true;
    removeEventListener("pagehide", this.leave);
    this.peer.close();
    await this.end(leaving);
  }

  async end(leaving) {
    if (!this.location) return;
    try {
      await fetch(this.location, { method: "DELETE", keepalive: leaving, headers: authorization() });
    } catch {
      // The server notices a silent peer by itself.
    }
  }
}

/** Publishes a camera's stream under `name`; gives the connection. */
export async function publish(name, stream, onlost) {
  const connection = new Connection(onlost);
  try {
    const [track] = stream.getVideoTracks();
    track.contentHint = "detail";
    const { sender } = connection.peer.addTransceiver(track, { direction: "sendonly", streams: [stream] });
    await connection.negotiate(`/whip/${encodeURIComponent(name)}`);
    await limitBits(sender);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return connection;
}

/** Shows a stream of the server in `video`; gives the connection once the first picture is there. */
export async function watch(name, video, onlost) {
  const connection = new Connection(onlost);
  try {
    connection.peer.addTransceiver("video", { direction: "recvonly" });
    connection.peer.addEventListener("track", (event) => {
      video.srcObject = new MediaStream([event.track]);
    });
    await connection.negotiate(`/whep/${encodeURIComponent(name)}`);
    await firstPicture(video);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return connection;
}

/** Shows a stream in `image` as single pictures, for browsers and networks without WebRTC. */
export class JpegView {
  constructor(name, image, onproblem) {
    this.over = false;
    this.url = null;
    this.run(`/api/streams/${encodeURIComponent(name)}/frame.jpg`, image, onproblem);
  }

  async run(path, image, onproblem) {
    while (!this.over) {
      try {
        const blob = await (await call(path)).blob();
        if (this.over) return;
        this.show(image, blob);
      } catch (error) {
        if (error.code !== "no_picture") onproblem(error);
      }
      await new Promise((resolve) => setTimeout(resolve, JPEG_PAUSE_MS));
    }
  }

  show(image, blob) {
    const old = this.url;
    this.url = URL.createObjectURL(blob);
    image.src = this.url;
    if (old) URL.revokeObjectURL(old);
  }

  async close() {
    this.over = true;
    if (this.url) URL.revokeObjectURL(this.url);
  }
}

function gathered(peer) {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHERING_MS);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}

function firstPicture(video) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Problem(0, "no_media", "No picture came over WebRTC.")), FIRST_PICTURE_MS);
    video.addEventListener("loadeddata", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

async function limitBits(sender) {
  const parameters = sender.getParameters();
  if (!parameters.encodings?.length) return;
  parameters.encodings[0].maxBitrate = MOST_BITS;
  parameters.degradationPreference = "maintain-resolution";
  try {
    await sender.setParameters(parameters);
  } catch {
    // A browser that refuses keeps its own limits.
  }
}
