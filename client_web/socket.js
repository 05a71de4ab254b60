// The websocket of subprotocol unmask.v1: connects, shows its token, subscribes, and comes back with patience.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10000;
const HEALTHY_MS = 10000;
const PING_MS = 5000;
const SILENCE_MS = 15000;
const UNAUTHORISED = 4401;

/** Dispatches `message` (detail: the object), `link` (detail: {state, wait}) and `token` (a token is needed). */
export class LiveSocket extends EventTarget {
  constructor(token) {
    super();
    this.token = token;
    this.streams = [];
    this.lastEvent = null;
    this.wait = FIRST_WAIT_MS;
    this.closed = false;
    this.state = "connecting";
    setTimeout(() => this.open());
  }

  open() {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.announce("connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws`, "unmask.v1");
    this.socket = socket;
    socket.addEventListener("open", () => { this.openedAt = this.heardAt = performance.now(); });
    socket.addEventListener("message", (event) => this.receive(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => this.lost(socket, event.code));
  }

  receive(message) {
    this.heardAt = performance.now();
    if (message.type === "hello") this.welcome(message);
    if (message.type === "event") this.lastEvent = message.id;
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  welcome(message) {
    if (message.auth_required) {
      if (this.token) this.send({ type: "auth", token: this.token });
      else this.needToken(false);
      return;
    }
    this.announce("open");
    this.subscribe(this.streams);
    clearInterval(this.pinger);
    this.pinger = setInterval(() => this.ping(), PING_MS);
  }

  /** Asks for verdicts of these streams from now on. */
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

  needToken(wrong) {
    this.token = null;
    this.dispatchEvent(new CustomEvent("token", { detail: { wrong } }));
  }

  ping() {
    if (performance.now() - this.heardAt > SILENCE_MS) {
      this.socket.close();
      this.lost(this.socket, 1006);
    } else {
      this.send({ type: "ping", t0: performance.now() / 1000 });
    }
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  lost(socket, code) {
    if (socket !== this.socket || this.closed) return;
    this.socket = { readyState: WebSocket.CLOSED, close() {} };
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
