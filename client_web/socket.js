// The websocket of subprotocol unmask.v1: connects, shows its token, subscribes, and comes back with patience.

const VERSION = 1;
const SUBPROTOCOL = "unmask.v1";
const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 8000;
const HEALTHY_MS = 10000;
const PING_MS = 2000;
const SILENCE_MS = 6500;
const UNAUTHORISED = 4401;
const PINGS_KEPT = 12;

/**
 * Dispatches `message` (detail: the object), `link` (detail: {state, wait}), `token` (detail: {wrong}; a token is
 * needed) and `restart` (detail: {updated}; the server is another one than before).
 *
 * `state` is "connecting", "open", "waiting", "unauthorised" or "incompatible"; `rtt` is the shortest of the newest
 * round trips in ms, null before the first.
 */
export class LiveSocket extends EventTarget {
  constructor(token) {
    super();
    this.token = token;
    this.streams = [];
    this.lastEvent = null;
    this.server = null;
    this.wait = FIRST_WAIT_MS;
    this.state = "connecting";
    this.trips = [];
    setTimeout(() => this.open());
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.hurry(); });
  }

  get rtt() {
    return this.trips.length ? Math.min(...this.trips) : null;
  }

  open() {
    clearTimeout(this.timer);
    this.announce("connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws`, SUBPROTOCOL);
    this.socket = socket;
    socket.addEventListener("open", () => { this.openedAt = this.heardAt = performance.now(); });
    socket.addEventListener("message", (event) => { if (socket === this.socket) this.receive(JSON.parse(event.data)); });
    socket.addEventListener("close", (event) => this.lost(socket, event.code));
  }

  receive(message) {
    this.heardAt = performance.now();
    if (message.type === "hello") this.welcome(message);
    if (message.type === "pong" && Number.isFinite(message.t0)) this.tripTook(performance.now() - message.t0 * 1000);
    if (message.type === "event") this.lastEvent = message.id;
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  welcome(message) {
    if (message.v !== VERSION) {
      const gone = this.socket;
      this.socket = null;
      gone.close();
      this.announce("incompatible");
      return;
    }
    if (message.auth_required) {
      if (this.token) this.send({ type: "auth", token: this.token });
      else this.needToken(false);
      return;
    }
    const before = this.server;
    this.server = { instance: message.instance ?? "", version: message.version ?? "" };
    const restarted = before !== null && before.instance !== this.server.instance;
    if (restarted) this.lastEvent = null;
    this.subscribe(this.streams);
    clearInterval(this.pinger);
    this.pinger = setInterval(() => this.ping(), PING_MS);
    this.ping();
    this.announce("open");
    if (restarted) this.dispatchEvent(new CustomEvent("restart", { detail: { updated: before.version !== this.server.version } }));
  }

  /** Asks for verdicts of these streams from now on (null: of all); events that were missed are sent again. */
  subscribe(streams) {
    this.streams = streams;
    const resume = this.lastEvent === null ? {} : { resume: this.lastEvent };
    this.send({ type: "subscribe", streams, max_hz: 30, ...resume });
  }

  /** Connects again with another token. */
  useToken(token) {
    this.token = token;
    this.wait = FIRST_WAIT_MS;
    this.open();
  }

  /** Tries again at once where it would wait. */
  hurry() {
    if (this.state !== "waiting") return;
    this.wait = FIRST_WAIT_MS;
    this.open();
  }

  needToken(wrong) {
    this.token = null;
    this.dispatchEvent(new CustomEvent("token", { detail: { wrong } }));
  }

  ping() {
    if (performance.now() - this.heardAt > SILENCE_MS) {
      const silent = this.socket;
      silent?.close();
      this.lost(silent, 1006);
    } else {
      this.send({ type: "ping", t0: performance.now() / 1000 });
    }
  }

  tripTook(ms) {
    this.trips.push(ms);
    if (this.trips.length > PINGS_KEPT) this.trips.shift();
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  lost(socket, code) {
    if (socket === null || socket !== this.socket) return;
    this.socket = null;
    clearInterval(this.pinger);
    if (code === UNAUTHORISED) {
      const wrong = this.token !== null;
      this.announce("unauthorised");
      this.needToken(wrong);
      return;
    }
    if (this.openedAt && performance.now() - this.openedAt > HEALTHY_MS) this.wait = FIRST_WAIT_MS;
    this.openedAt = null;
    const wait = this.wait * (0.5 + Math.random() / 2);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    this.announce("waiting", wait);
    this.timer = setTimeout(() => this.open(), wait);
  }

  announce(state, wait = 0) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("link", { detail: { state, wait } }));
  }
}
