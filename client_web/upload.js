// One file on its way: sent with progress, followed as a job of the server, cancelled for good.

import { authorization, call, getJson, Problem } from "./api.js";

const LOOK_MS = 600;
const MOST_FAILURES = 8;
const KEPT_JOB = "unmask-job";

/** The job that this tab followed last, so that it survives a reload; null where there is none. */
export function rememberedJob() {
  return sessionStorage.getItem(KEPT_JOB);
}

/** Forgets the job of this tab. */
export function forgetJob() {
  sessionStorage.removeItem(KEPT_JOB);
}

/** Sends and follows one file; `onstep({step, done, …})` tells how far it is. */
export class FileJob {
  constructor(onstep) {
    this.onstep = onstep;
    this.id = null;
    this.request = null;
    this.cancelled = false;
  }

  /** Sends a file and gives the finished job; throws a Problem, or null where it was cancelled. */
  async run(file, method) {
    const job = await this.send(file, method);
    if (this.cancelled) {
      if (job) remove(job.id);
      throw null;
    }
    this.id = job.id;
    sessionStorage.setItem(KEPT_JOB, job.id);
    return this.follow();
  }

  /** Follows a job that was started before. */
  resume(id) {
    this.id = id;
    return this.follow();
  }

  /** Stops the work here and on the server. */
  async cancel() {
    this.cancelled = true;
    this.request?.abort();
    forgetJob();
    if (this.id) await remove(this.id);
  }

  send(file, method) {
    const form = new FormData();
    form.append("file", file, file.name);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      this.request = request;
      request.upload.addEventListener("progress", (event) => {
        this.onstep({ step: "sending", done: event.lengthComputable ? event.loaded / event.total : null, bytes: event.loaded, all: event.total });
      });
      request.upload.addEventListener("load", () => this.onstep({ step: "checking", done: null }));
      request.addEventListener("load", () => settle(request, resolve, reject));
      request.addEventListener("error", () => reject(new Problem(0, "unreachable", "The connection to the server broke while the file was sent.")));
      request.addEventListener("abort", () => reject(null));
      request.open("POST", `/api/jobs?method=${encodeURIComponent(method)}`);
      for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
      this.onstep({ step: "sending", done: 0, bytes: 0, all: file.size });
      request.send(form);
    });
  }

  async follow() {
    let failures = 0;
    for (;;) {
      if (this.cancelled) throw null;
      let job = null;
      try {
        job = await getJson(`/api/jobs/${this.id}`);
        failures = 0;
      } catch (error) {
        failures += 1;
        if (error.status || failures > MOST_FAILURES) throw error;
        this.onstep({ step: "silent", done: null });
      }
      if (this.cancelled) throw null;
      if (job?.state === "done") return job;
      if (job?.state === "failed") throw new Problem(422, job.error, sentence(job.message));
      if (job?.state === "cancelled") throw new Problem(0, "cancelled", "The analysis was cancelled on the server.");
      if (job) this.onstep({ step: job.state, done: job.state === "running" && job.progress ? job.progress : null, name: job.file });
      await new Promise((wake) => setTimeout(wake, LOOK_MS));
    }
  }
}

function settle(request, resolve, reject) {
  let body = {};
  try {
    body = JSON.parse(request.responseText);
  } catch {
    body = { error: "failed", message: `the server answered ${request.status}` };
  }
  if (request.status === 202) resolve(body);
  else reject(new Problem(request.status, body.error, sentence(body.message)));
}

async function remove(id) {
  try {
    await call(`/api/jobs/${id}`, { method: "DELETE" });
  } catch {
    // The server lets go of a job that nobody asks after by itself.
  }
}

/** A message as a sentence; one that begins with the name of the file keeps it as it is. */
function sentence(text) {
  return /^\S*\.\S/.test(text) ? `${text}.` : `${text[0].toUpperCase()}${text.slice(1)}.`;
}
