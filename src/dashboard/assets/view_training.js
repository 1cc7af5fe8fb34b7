// A training run: the curves everyone looks at first, with what was noticed and done drawn in.

import * as data from "./data.js";
import { el, fill } from "./dom.js";
import { Cards } from "./view_metrics.js";

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
  fill(main, title, first, grid, empty);

  function update() {
    const found = curves();
    fill(title, "Training", el("small", {}, found.length ? "loss first; markers are anomalies and responses" : ""));
    wide.place(first, found.slice(0, 1), { wide: true });
    rest.place(grid, found.slice(1));
    empty.hidden = found.length > 0;
  }
  update();
  return { update, close: () => (wide.close(), rest.close()) };
}
