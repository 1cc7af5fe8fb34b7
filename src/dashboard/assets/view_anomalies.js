// What fired and what fires, newest first.

import * as data from "./data.js";
import { el, fill } from "./dom.js";
import { labelText, number, span, time } from "./format.js";
import * as noticed from "./noticed.js";
import { link } from "./state.js";
import { unitOf } from "./units.js";

export function anomalies(main) {
  let told = null;
  function update() {
    const all = noticed.anomalies();
    const words = JSON.stringify(all);
    if (words === told) return;
    told = words;
    if (!all) return void fill(main, el("h2", {}, "Anomalies"), el("p", { class: "empty" }, "Detection is not switched on: add rules with Builder::alert, or a watch."));
    if (!all.length) return void fill(main, el("h2", {}, "Anomalies"), el("p", { class: "empty" }, "All quiet: nothing has been noticed yet."));
    const heads = ["When", "Metric", "Value", "Expected", "Why", "State", "What to do"];
    const rows = all.map((one) =>
      el(
        "tr",
        {},
        el("td", { class: "num" }, time(one.first), one.last - one.first >= 1 ? el("small", {}, ` for ${span(one.last - one.first)}`) : null),
        el("td", {}, el("a", { href: plot(one) }, one.metric), " ", el("small", {}, labelText(one.labels))),
        el("td", { class: "num", "data-head": "Value" }, written(one, one.value)),
        el("td", { class: "num", "data-head": "Expected" }, expected(one)),
        el("td", {}, one.reason),
        el("td", {}, el("span", { class: "badge", "data-state": one.state }, one.state), " ", el("span", { class: "badge", "data-severity": one.severity }, one.severity)),
        el("td", { "data-head": "What to do" }, one.action ?? ""),
      ),
    );
    fill(main, el("h2", {}, "Anomalies", el("small", {}, `${all.length}, newest first`)), el("table", { class: "list", "aria-label": "Anomalies" }, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, rows)));
  }
  update();
  return { update, alerts: update };
}

// Its plot, then; now, if it goes on.
function plot(one) {
  const to = one.state === "firing" ? "" : String(Math.round(one.last + 60));
  return link({ view: "metrics", q: "", focus: one.metric, to });
}

function written(one, value) {
  const family = data.family(one.metric);
  return number(value, family ? unitOf(family) : "");
}

function expected(one) {
  if (one.low === null) return "–";
  if (one.low === -Infinity) return `up to ${written(one, one.high)}`;
  if (one.high === Infinity) return `from ${written(one, one.low)}`;
  return `${written(one, one.low)} – ${written(one, one.high)}`;
}
