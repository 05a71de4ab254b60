// The page /docs: the routes of openapi.json, without any script from elsewhere.

import { getJson } from "./api.js";
import { element } from "./dom.js";

try {
  const { paths } = await getJson("/openapi.json");
  const rows = Object.entries(paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, route]) =>
      element(
        "li",
        {},
        element("span", { class: "verb" }, verb.toUpperCase()),
        element("code", {}, path),
        element("span", {}, route.summary ?? ""),
        element("p", {}, route.description ?? ""),
      ),
    ),
  );
  document.getElementById("routes").append(...rows);
} catch (error) {
  const problem = document.getElementById("problem");
  problem.textContent = error.message;
  problem.hidden = false;
}
