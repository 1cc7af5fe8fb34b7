// The row of figures that comes first: is it well, what fires, how full is the machine.

import * as data from "./data.js";
import { el, sparkline } from "./dom.js";
import { number, span } from "./format.js";
import * as noticed from "./noticed.js";

export function tiles() {
  const health = noticed.health();
  const firing = noticed.firing();
  return [
    ...(health ? [tile("Health", health.overall_status, reason(health), health.overall_status)] : []),
    tile("Firing now", String(firing.length), firing[0]?.metric ?? "all quiet", firing.length ? "critical" : "healthy"),
    ...Object.entries(health?.resources ?? {}).map(([name, one]) => meter(name, one)),
    ...headline(),
  ];
}

// What is not well, or for how long all has been.
function reason({ resources = {}, components = {}, uptime_seconds: up }) {
  const firing = noticed.firing().map((one) => [one.metric, { status: "critical" }]);
  const bad = [...firing, ...Object.entries(components), ...Object.entries(resources)].filter(([, one]) => one.status !== "healthy").map(([name], at) => (at < firing.length ? name : titled(name)));
  return bad.length ? bad.join(", ") : `up ${span(up)}`;
}

const SHORT = new Map([["cpu", "CPU"], ["gpu", "GPU"]]);
const titled = (name) => SHORT.get(name) ?? (name[0] ?? "").toUpperCase() + name.slice(1).replaceAll("_", " ");

function tile(title, value, note, status, values) {
  return el("div", { class: "tile", "data-status": status }, el("span", {}, title), el("b", {}, value), el("small", { title: note }, note), values ? sparkline(values) : null);
}

function meter(name, one) {
  const share = Math.max(0, Math.min(1, one.used));
  const bar = el("i");
  bar.style.width = `${(share * 100).toFixed(1)}%`;
  return el("div", { class: "tile", "data-status": one.status }, el("span", {}, titled(name)), el("b", {}, number(one.used, "ratio", false, 2)), el("small", {}, `warns at ${number(one.threshold, "ratio")}`), el("div", { class: "meter" }, bar));
}

// Figures that fit every program: how hard it works.
const HEADLINE = [
  ["process_cpu_seconds_total", "Process CPU", "ratio", "of one processor"],
  ["process_resident_memory_bytes", "Process memory", "bytes", ""],
  ["gpu_utilization_ratio", "GPU", "ratio", ""],
  ["gpu_memory_used_bytes", "GPU memory", "bytes", ""],
];
const TRAIL = 90;
const trails = new Map();

function headline() {
  return HEADLINE.flatMap(([name, title, unit, note]) => {
    const family = data.family(name);
    if (!family) return [];
    const values = family.series.map((one) => (family.kind === "counter" ? one.rate : one.value));
    const value = values.some((one) => one !== undefined) ? values.reduce((sum, one) => sum + (one ?? 0), 0) : undefined;
    const before = trail(family, value);
    return [tile(title, number(value ?? before.at(-1), unit, false, unit === "ratio" ? 2 : 3), note, "", before)];
  });
}

// Its last quarter of an hour, from history when it is first seen, and then each tick's.
function trail(family, value) {
  const { at } = data.connection();
  let known = trails.get(family.name);
  if (!known) {
    trails.set(family.name, (known = { values: [], at: 0 }));
    const fill = ({ lines, times }) => {
      const sums = times.map((_, index) => lines.reduce((sum, line) => sum + (line.values[index] ?? 0), 0));
      known.values = [...sums, ...known.values].slice(-TRAIL);
    };
    data.range(family, family.kind === "counter", { from: at - 900, to: at }, TRAIL).then(fill, () => undefined);
  }
  if (known.at !== at && value !== undefined) {
    known.values.push(value);
    known.at = at;
    if (known.values.length > TRAIL) known.values.shift();
  }
  return known.values;
}
