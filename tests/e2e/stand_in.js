// A server inside the page: answers the websocket, WebRTC and HTTP calls of the client by what the test sets in `fake`.
(() => {
  const fake = {
    up: true, instance: "first", version: "1.0", v: 1, token: null,
    streams: {}, faces: [], degraded: [], hz: 10, fetched: [], published: [], sockets: [], peers: [], refuse: null, lateMs: 40,
  };
  window.fake = fake;
  const box = (x, y, size = 0.25) => [x, y, x + size, y + size * 1.6];
  fake.face = (track, state, p, at = [0.3, 0.15], more = {}) => ({ track, state, p, box: box(...at), ...more });

  class FakeSocket extends EventTarget {
    static OPEN = 1;
    constructor() {
      super();
      this.readyState = 0;
      setTimeout(() => (fake.up ? this.begin() : this.end(1006)), 5);
    }
    begin() {
      this.readyState = 1;
      fake.sockets.push(this);
      this.dispatchEvent(new Event("open"));
      this.hello(fake.token !== null);
    }
    hello(locked) {
      this.open = !locked;
      this.give({ type: "hello", v: fake.v, server: "unmask", auth_required: locked, streams: [], version: locked ? "" : fake.version, instance: locked ? "" : fake.instance });
    }
    give(message) {
      if (this.readyState === 1) this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
    }
    send(text) {
      const message = JSON.parse(text);
      if (message.type === "ping") this.give({ type: "pong", t0: message.t0, t1: 0 });
      if (message.type === "auth") message.token === fake.token ? this.hello(false) : this.end(4401);
      if (message.type === "subscribe") {
        this.streams = message.streams;
        for (const name of message.streams ?? []) if (fake.streams[name]) this.give({ type: "state", v: 1, stream: name, ...fake.streams[name] });
      }
    }
    close() { this.end(1000); }
    end(code) {
      if (this.readyState === 3) return;
      this.readyState = 3;
      fake.sockets = fake.sockets.filter((one) => one !== this);
      this.dispatchEvent(Object.assign(new Event("close"), { code }));
    }
  }
  window.WebSocket = FakeSocket;

  /** The server stops; what it knew is gone. */
  fake.stop = () => {
    fake.up = false;
    fake.streams = {};
    [...fake.sockets].forEach((socket) => socket.end(1012));
  };
  /** Another server begins at the same address. */
  fake.start = (instance, version = "1.0") => Object.assign(fake, { up: true, instance, version });
  fake.state = (name, state, reason = "") => {
    fake.streams[name] = { state, reason };
    fake.sockets.forEach((socket) => socket.give({ type: "state", v: 1, stream: name, state, reason }));
  };

  let seq = 0;
  fake.verdict = (stream, face) => ({
    type: "verdict", v: 1, stream, track: face.track, seq, pts_s: (performance.now() - fake.lateMs) / 1000, box_xyxy: face.box, state: face.state, p_fake: face.p,
    branches: face.branches ?? { spatial: { p_fake: face.p ?? 0.5, confidence: 0.6, weight: 0.7 }, mri: { p_fake: face.p ?? 0.5, confidence: 0.8, weight: 0.3 } },
    quality: { face_px: 120, sharpness: 20, brightness: 120, yaw: 0, reliability: 0.9, reasons: face.quality ?? [] },
    reasons: face.reasons ?? [], degraded: fake.degraded, timing_ms: { decode: 1, detect: 8, infer: 12, queue: 1, total: 24 },
  });
  setInterval(() => {
    seq += 1;
    for (const socket of fake.sockets) {
      for (const name of socket.streams ?? []) {
        if (fake.streams[name]?.state !== "live") continue;
        for (const face of fake.faces) socket.give(fake.verdict(name, face));
      }
    }
  }, 100);

  class FakePeer extends EventTarget {
    connectionState = "new"; iceGatheringState = "complete"; localDescription = { sdp: "v=0" };
    constructor() { super(); fake.peers.push(this); }
    addTransceiver() { return { sender: { getParameters: () => ({}) } }; }
    async createOffer() { return {}; }
    async setLocalDescription() {}
    async setRemoteDescription() { this.connectionState = "connected"; }
    async getStats() { return new Map(); }
    close() { this.connectionState = "closed"; }
  }
  window.RTCPeerConnection = FakePeer;

  const real = window.fetch;
  const json = (status, body, headers = {}) => new Response(JSON.stringify(body), { status, headers });
  window.fetch = async (input, options = {}) => {
    const { pathname } = new URL(input, location.href);
    fake.fetched.push(`${options.method ?? "GET"} ${pathname}`);
    if (!fake.up) throw new TypeError("Failed to fetch");
    if (pathname === "/api/info") return json(200, { device: "cpu", may_change: true, keeps_cameras: true });
    if (pathname.startsWith("/whip/") && options.method === "POST") {
      if (fake.refuse) return json(fake.refuse.status, { error: fake.refuse.error, message: fake.refuse.message });
      const name = pathname.split("/")[2];
      fake.published.push(name);
      setTimeout(() => fake.state(name, "live"), 20);
      return new Response("v=0", { status: 201, headers: { Location: `/whip/${name}/key` } });
    }
    if (pathname.endsWith("/map")) return json(200, fakeMap(pathname.split("/")));
    if (/^\/api\/streams\/[^/]+$/.test(pathname)) return json(200, { size_wh: [640, 360] });
    if (options.method === "DELETE") return new Response(null, { status: 200 });
    return pathname.startsWith("/api/") ? json(200, { streams: [], events: [] }) : real(input, options);
  };

  function fakeMap([, , , stream, , track]) {
    const face = fake.faces.find((one) => String(one.track) === track);
    const bytes = Array.from({ length: 64 * 64 }, (_, at) => Math.max(0, 255 - 9 * Math.hypot((at % 64) - 32, Math.floor(at / 64) - 41)));
    const [x0, y0, x1, y1] = face.box;
    return { stream, track: face.track, seq: 1, size_wh: [64, 64], values: btoa(String.fromCharCode(...bytes)), corners_xy: [[x0, y0], [x1, y0], [x1, y1], [x0, y1]], strongest: 0.97, mean: 0.21 };
  }
})();
