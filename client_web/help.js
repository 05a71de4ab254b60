// The help page: the shell around plain text, and the states with their icons.

import { $, element } from "./dom.js";
import { icon } from "./icons.js";
import { mountShell } from "./shell.js";
import { STATES } from "./words.js";

const MEANS = {
  warming: "The first seconds of a face.",
  authentic: "It does not mean “proven genuine”.",
  uncertain: "The reasons say why: too dark, too small, turned away, or the signs point neither way.",
  suspicious: "Look closer, and check on another way.",
  manipulated: "Treat what you see and hear as not confirmed, and check on another way.",
};

mountShell("/help");
for (const [state, means] of Object.entries(MEANS)) {
  const { word, says } = STATES[state];
  $("state-list").append(
    element("div", { "data-state": state }, element("dt", {}, icon(state), word), element("dd", {}, `${says} ${means}`)),
  );
}
if (location.hash) document.querySelector(location.hash)?.scrollIntoView();
