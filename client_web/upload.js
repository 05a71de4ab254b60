// The panel that analyses a file: sends it, follows the progress, shows the result.

import { call, Problem } from "./api.js";
import { element } from "./dom.js";
import { icon } from "./icons.js";
import { BRANCHES, percent, reason, STATES } from "./words.js";

/** Makes the form work; `$` finds elements by id, `tell` shows a problem. */
export function wireUpload($, tell) {
  let running = null;

  $("upload").addEventListener("submit", async (event) => {
    event.preventDefault();
    const [file] = $("file").files;
    if (!file || running) return;
    running = new AbortController();
    tell("");
    $("result").hidden = true;
    $("cancel-upload").hidden = false;
    $("analyze").setAttribute("aria-busy", "true");
    $("upload-hint").textContent = `Sending ${file.name} …`;
    const onprogress = (done) => {
      $("upload-hint").textContent = `Looking at ${file.name}${done ? `: ${Math.round(done * 100)} %` : " …"}`;
    };
    try {
      const result = await analyzeFile(file, $("method").value, onprogress, running.signal);
      showResult($("result"), result);
      $("announcer").textContent = `${result.file}: ${STATES[result.verdict].word}.`;
    } catch (error) {
      if (error.name !== "AbortError") tell(error.message);
    } finally {
      running = null;
      $("upload-hint").textContent = "";
      $("cancel-upload").hidden = true;
      $("analyze").removeAttribute("aria-busy");
    }
  });

  $("cancel-upload").addEventListener("click", () => running?.abort());
}

/** Analyses a file; `onprogress` gets 0..1 while it runs; gives the result of the server. */
export async function analyzeFile(file, method, onprogress, signal) {
  const form = new FormData();
  form.append("file", file, file.name);
  const response = await call(`/api/analyze?method=${encodeURIComponent(method)}`, {
    method: "POST",
    headers: { Accept: "application/x-ndjson" },
    body: form,
    signal,
  });
  for await (const line of lines(response.body)) {
    const message = JSON.parse(line);
    if (message.error) throw new Problem(422, message.error, `${message.message[0].toUpperCase()}${message.message.slice(1)}.`);
    if (message.result) return message.result;
    onprogress(message.progress);
  }
  throw new Problem(0, "cut_off", "The server stopped before the result was there.");
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    yield* parts.filter((part) => part);
  }
}

/** Fills `root` with a result. */
export function showResult(root, result) {
  const reasons = result.reasons.map(reason);
  const head = element("div", { class: "head" }, icon(result.verdict), element("span", { class: "word" }, STATES[result.verdict].word));
  const p = result.p_fake === null ? "no probability" : `P(fake) ${percent(result.p_fake)}`;
  head.append(element("span", { class: "p" }, p));
  const says = `${STATES[result.verdict].says}${reasons.length ? ` Because ${reasons.join("; ")}.` : ""}`;
  root.dataset.state = result.verdict;
  root.dataset.p = result.p_fake === null ? "" : String(result.p_fake);
  root.replaceChildren(
    element("h2", {}, result.file),
    element("div", { class: "face", "data-state": result.verdict }, head, element("p", { class: "notes" }, says), branches(result)),
    faces(result),
    element("p", { class: "hint" }, counts(result)),
  );
  root.hidden = false;
}

function branches(result) {
  const rows = Object.entries(result.branches).map(([name, branch]) => {
    const fill = element("span", { class: "fill" });
    fill.style.inlineSize = `${branch.p_fake * 100}%`;
    return element(
      "li",
      {},
      element("span", { class: "label" }, BRANCHES[name] ?? name),
      element("span", { class: "track" }, fill),
      element("span", { class: "value" }, percent(branch.p_fake)),
      element("span", { class: "weight" }, `weight ${Math.round(branch.weight * 100)} %`),
    );
  });
  return element("ul", { class: "branches" }, ...rows);
}

function faces(result) {
  if (result.tracks.length < 2) return "";
  const rows = result.tracks.map((track) =>
    element(
      "tr",
      {},
      element("td", {}, `Face ${track.track}`),
      element("td", {}, STATES[track.verdict]?.word ?? track.verdict),
      element("td", {}, percent(track.p_fake)),
      element("td", {}, `${track.first_s.toFixed(1)}–${track.last_s.toFixed(1)} s`),
    ),
  );
  return element("table", {}, element("tbody", {}, ...rows));
}

function counts(result) {
  const { frames, seconds } = result;
  const length = seconds.video ? `${seconds.video.toFixed(1)} s of video` : "One picture";
  return `${length}; ${frames.analyzed} of ${frames.decoded} pictures looked at, ${frames.with_face} with a face; took ${seconds.wall.toFixed(1)} s.`;
}
