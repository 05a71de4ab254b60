// What every page shares: header, navigation, state of the connection, token dialog, problems, the websocket.

import { Announcer } from "./announcer.js";
import { getJson } from "./api.js";
import { $, element, put } from "./dom.js";
import { LiveSocket } from "./socket.js";
import { keepToken, readToken } from "./token.js";

const PAGES = [
  ["/", "My webcam"],
  ["/call", "Video call"],
  ["/cameras", "Cameras"],
  ["/file", "A file"],
  ["/help", "Help"],
];

/**
 * Draws the header into the page and connects. `page` is the page's path, "/call" for example.
 *
 * Gives {socket, announcer, tell, info, connected}: `tell(text)` shows a problem ("" takes it away), `info()` gives the
 * server's /api/info, `connected(callback)` calls back now or soon and after every reconnection.
 */
export function mountShell(page) {
  const token = readToken();
  drawHeader(page);
  drawFooter();
  const socket = new LiveSocket(token);
  const callbacks = [];
  const shell = {
    socket,
    announcer: new Announcer($("announcer")),
    tell,
    info: () => getJson("/api/info"),
    connected(callback) {
      callbacks.push(callback);
      if (socket.state === "open") callback();
    },
  };
  socket.addEventListener("link", ({ detail }) => {
    showLink(detail);
    if (detail.state === "incompatible") notice("This page and the server speak different versions. Reload the page; if this stays, ask for the server to be updated.");
    if (detail.state === "open") callbacks.forEach((callback) => callback());
  });
  socket.addEventListener("restart", ({ detail }) => { if (detail.updated) notice("The server was updated. Reload this page, so that both fit together."); });
  socket.addEventListener("token", ({ detail }) => askToken(detail.wrong));
  $("token-form").addEventListener("submit", () => {
    const typed = $("token").value.trim();
    keepToken(typed);
    socket.useToken(typed);
  });
  return shell;
}

/** Shows a problem at the top of the page; "" takes it away. */
export function tell(text) {
  $("problem").hidden = !text;
  put($("problem"), text);
}

/** Shows a sentence about page and server, with a button that loads the page anew. */
function notice(text) {
  $("notice").hidden = false;
  put($("notice-text"), text);
}

function drawHeader(page) {
  const links = PAGES.map(([path, name]) =>
    element("li", {}, element("a", { href: path, "aria-current": path === page ? "page" : null }, name)),
  );
  const brand = element("p", { class: "brand" }, element("a", { href: "/" }, element("img", { src: "/client/icon.svg", alt: "", width: "26", height: "26" }), "unmask"));
  const link = element(
    "p",
    { class: "link", id: "link", "data-state": "connecting" },
    element("span", { class: "dot", "aria-hidden": "true" }),
    element("span", { id: "link-text" }, "connecting"),
  );
  const header = element("header", { class: "top" }, brand, element("nav", { "aria-label": "Pages" }, element("ul", { class: "nav" }, ...links)), link);
  const skip = element("a", { class: "skip", href: "#content" }, "Skip to the content");
  document.body.prepend(skip, header);
  const main = document.querySelector("main");
  main.id = "content";
  main.tabIndex = -1;
  const reload = element("button", { id: "reload" }, "Reload");
  reload.addEventListener("click", () => location.reload());
  main.prepend(
    element("p", { class: "notice", id: "notice", role: "alert", hidden: true }, element("span", { id: "notice-text" }), reload),
    element("p", { class: "alert", id: "problem", role: "alert", hidden: true }),
  );
}

function drawFooter() {
  document.body.append(
    element("p", { class: "visually-hidden", id: "announcer", "aria-live": "polite" }),
    element(
      "dialog",
      { id: "token-dialog", "aria-labelledby": "token-title" },
      element(
        "form",
        { method: "dialog", id: "token-form" },
        element("h2", { id: "token-title" }, "Access token"),
        element("p", {}, "This server asks for its token. It was printed where the server was started."),
        element("label", { for: "token" }, "Token"),
        element("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true }),
        element("p", { class: "alert", id: "token-problem", hidden: true }, "This token is not known here."),
        element("button", { class: "primary" }, "Continue"),
      ),
    ),
  );
}

function askToken(wrong) {
  $("token-problem").hidden = !wrong;
  if (!$("token-dialog").open) $("token-dialog").showModal();
}

function showLink({ state, wait }) {
  const words = {
    connecting: "connecting",
    open: "connected",
    waiting: `connection lost, trying again in ${Math.max(1, Math.round(wait / 1000))} s`,
    unauthorised: "token needed",
    incompatible: "page and server do not fit",
  };
  $("link").dataset.state = state;
  put($("link-text"), words[state]);
}
