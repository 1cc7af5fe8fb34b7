// A training run: the curves everyone looks at first, with what was noticed and done drawn in.

import * as data from "./data.js";
import { el, fill } from "./dom.js";
import { time } from "./format.js";
import * as noticed from "./noticed.js";
import { link } from "./state.js";
import { Cards } from "./view_metrics.js";

const MOST_EVENTS = 6;

// In this order; a metric belongs to the first that fits its name.
const CURVES = [
  /(^|_)(loss|perplexity)$|loss(_|$)/,
  /accuracy|(^|_)(f1|auc|bleu|reward)(_|$)/,
  /grad(ient)?_?norm/,
  /(^|_)(lr|learning_rate)$/,
  /(samples|tokens|images|examples|batches|steps|iterations)(_per_second|_total)$/,
  /(step|batch|iteration|epoch)_?(duration|time|seconds)/,
];

export function curves() {
  const families = data.families().filter((family) => !family.name.startsWith("nissa_"));
  return CURVES.flatMap((pattern) => families.filter((family) => CURVES.find((first) => first.test(family.name)) === pattern));
}

export function isTraining() {
  return curves().length >= 3 && CURVES[0].test(curves()[0].name);
}

export function training(main) {
  const [wide, rest] = [new Cards(), new Cards()];
  const title = el("h2");
  const first = el("div", { class: "grid" });
  const grid = el("div", { class: "grid" });
  const empty = el("p", { class: "empty" }, "No training curves: record a gauge such as training_loss, and it appears here.");
  const happened = el("ul", { class: "events", "aria-label": "What was noticed and done" });
  fill(main, title, first, happened, grid, empty);

  let told = "";
  function alerts() {
    const events = noticed.events();
    const words = JSON.stringify(events);
    if (words === told) return;
    told = words;
    happened.hidden = !events.length;
    const rest = events.length - MOST_EVENTS;
    fill(happened, events.slice(0, MOST_EVENTS).map(event), rest > 0 ? el("li", {}, el("a", { href: link({ view: "anomalies" }) }, `and ${rest} before`)) : null);
  }

  function update() {
    const found = curves();
    fill(title, "Training", el("small", {}, found.length ? "▾ anomalies  ▴ responses" : ""));
    wide.place(first, found.slice(0, 1), { wide: true });
    rest.place(grid, found.slice(1));
    empty.hidden = found.length > 0;
    alerts();
  }
  update();
  return { update, alerts, close: () => (wide.close(), rest.close()) };
}

function event(one) {
  const what = one.response ? "response" : one.severity;
  return el("li", {}, el("time", {}, time(one.at)), el("span", { class: "badge", "data-severity": what }, what), one.metric ? el("b", {}, one.metric) : null, el("span", {}, one.text));
}
