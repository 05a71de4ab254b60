// HTTP calls: the token goes into the header, a failure comes out as its one sentence.

export class Problem extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const session = { token: null };

/** The token that every call shows; null shows none. */
export function setToken(token) {
  session.token = token;
}

/** The headers that show the token. */
export function authorization() {
  return session.token ? { Authorization: `Bearer ${session.token}` } : {};
}

/** Fetches `path`; throws a Problem with the server's sentence where the answer is not a success. */
export async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...authorization(), ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The server does not answer. Is it still running?");
  }
  if (response.ok || response.status === 304) return response;
  throw await problemOf(response);
}

/** The JSON of `path`. */
export async function getJson(path) {
  return (await call(path)).json();
}

async function problemOf(response) {
  try {
    const body = await response.json();
    return new Problem(response.status, body.error, `${body.message[0].toUpperCase()}${body.message.slice(1)}.`);
  } catch {
    return new Problem(response.status, "failed", `The server answered ${response.status}.`);
  }
}
