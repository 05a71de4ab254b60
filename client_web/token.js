// The access token: from the address's fragment, kept for this tab only.

import { setToken } from "./api.js";

const KEPT_TOKEN = "unmask-token";

/** The token of the address's fragment or of this tab's memory; null where there is none. */
export function readToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) {
    keepToken(found);
    history.replaceState(null, "", location.pathname + location.search);
  }
  const token = found ?? sessionStorage.getItem(KEPT_TOKEN);
  setToken(token);
  return token;
}

/** Keeps a token for every further call of this tab. */
export function keepToken(token) {
  sessionStorage.setItem(KEPT_TOKEN, token);
  setToken(token);
}
