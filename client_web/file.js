// The page that analyses a file.

import { call } from "./api.js";
import { $, element, put } from "./dom.js";
import { showResult } from "./result.js";
import { mountShell } from "./shell.js";
import { FileJob, forgetJob, rememberedJob } from "./upload.js";
import { duration, STATES } from "./words.js";

const ADVICE = {
  too_large: "Cut out the part that matters, or save it with fewer pixels, then send that.",
  not_media: "Videos (MP4, MOV, MKV, WebM, AVI and others) and images (JPEG, PNG, WebP, BMP) can be analysed.",
  unreadable_file: "It may be damaged or incomplete. Play it in a player, save it again as MP4 or JPEG, and send that copy.",
  busy: "This server looks at one file at a time and lets two wait.",
  too_long: "Cut out the part that matters, then send that.",
  unreachable: "See whether the server is still running, then send the file again.",
  no_such_job: "Send the file again.",
  no_right: "Ask for a token that may do everything.",
  cancelled: "",
};
const STEPS = {
  sending: "Sending",
  checking: "Sent; the server looks what it is",
  waiting: "Waiting: another file is analysed first",
  running: "Looking at every part of it",
  silent: "The server does not answer; trying again",
};

const shell = mountShell("/file");
const now = { job: null, limitMb: null, since: 0 };

function working(on) {
  $("work").hidden = !on;
  $("drop").hidden = on;
  if (on) {
    $("failed").hidden = true;
    $("result").hidden = true;
    $("cancel").focus();
  }
}

function onstep({ step, done, bytes, all, name }) {
  if (name) put($("work-name"), name);
  const parts = [STEPS[step]];
  if (done !== null) parts.push(`${Math.floor(done * 100)} %`);
  if (step === "sending" && all) parts.push(`(${megabytes(bytes)} of ${megabytes(all)} MB)`);
  if (step !== now.step) Object.assign(now, { step, since: performance.now() });
  const taken = (performance.now() - now.since) / 1000;
  if (step === "running" && done > 0.05 && taken > 3) parts.push(`– about ${duration((taken / done) * (1 - done))} left`);
  put($("work-step"), parts.join(" "));
  if (done === null) $("work-bar").removeAttribute("value");
  else $("work-bar").value = done;
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}

function fail(error) {
  put($("failed-head"), error.message);
  put($("failed-advice"), ADVICE[error.code] ?? "");
  $("failed").hidden = false;
  $("file").focus();
}

async function analyse(file) {
  if (now.job) return;
  if (file.size === 0) return fail({ code: "unreadable_file", message: `${file.name} is empty.` });
  if (now.limitMb !== null && file.size > now.limitMb * 1e6) {
    return fail({ code: "too_large", message: `${file.name} has ${megabytes(file.size)} MB; this server takes at most ${now.limitMb} MB.` });
  }
  if (file.type && !/^(video|image|application\/(octet-stream|ogg|mxf|x-matroska|vnd\.))/.test(file.type)) {
    return fail({ code: "not_media", message: `${file.name} is not a video or an image.` });
  }
  put($("work-name"), file.name);
  await follow((job) => job.run(file, $("method").value));
}

async function follow(begin) {
  now.job = new FileJob(onstep);
  now.step = null;
  working(true);
  try {
    show(await begin(now.job));
  } catch (error) {
    working(false);
    if (error !== null) fail(error);
    else $("file").focus();
    forgetJob();
  } finally {
    now.job = null;
    $("file").value = "";
  }
}

function show(job) {
  working(false);
  $("drop").hidden = true;
  showResult($("result"), job, { onreport: () => keepReport(job), onjson: () => keepJson(job), onnext: next });
  $("result").hidden = false;
  $("result").focus();
  shell.announcer.say("result", `${job.file}: ${STATES[job.result.verdict].word}.`);
}

function next() {
  forgetJob();
  $("result").hidden = true;
  $("result").replaceChildren();
  $("drop").hidden = false;
  $("file").focus();
}

function keep(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function stem(job) {
  return job.file.replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "_") || "file";
}

function keepJson(job) {
  keep(new Blob([JSON.stringify(job.result, null, 2)], { type: "application/json" }), `${stem(job)}.unmask.json`);
}

async function keepReport(job) {
  try {
    keep(await (await call(`/api/jobs/${job.id}/report.html`)).blob(), `${stem(job)}.unmask.html`);
    shell.tell("");
  } catch (error) {
    shell.tell(error.message);
  }
}

$("file").addEventListener("change", () => { if ($("file").files[0]) analyse($("file").files[0]); });
$("file").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  $("file").click();
});
$("drop").addEventListener("submit", (event) => event.preventDefault());
$("cancel").addEventListener("click", () => now.job?.cancel());

let depth = 0;
addEventListener("dragenter", () => { depth += 1; $("drop").classList.add("over"); });
addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); if (!depth) $("drop").classList.remove("over"); });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  $("drop").classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file && !now.job) {
    next();
    analyse(file);
  }
});

let greeted = false;
shell.connected(async () => {
  try {
    now.limitMb = (await shell.info()).max_upload_mb;
    put($("limits"), `Videos and images up to ${now.limitMb} MB; they go to this server only, and are deleted after the analysis.`);
  } catch (error) {
    shell.tell(error.message);
  }
  if (!greeted && rememberedJob() && !now.job) {
    const id = rememberedJob();
    follow((job) => job.resume(id));
  }
  greeted = true;
});
