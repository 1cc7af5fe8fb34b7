// The page: header, range, search and keys; a view draws what is between.

import { redrawAll, redrawMarks, reloadAll, tickAll } from "./card.js";
import * as data from "./data.js";
import { el, fill } from "./dom.js";
import { span, time } from "./format.js";
import * as noticed from "./noticed.js";
import { COMPARES, link, onChange, RANGES, state, update } from "./state.js";
import { anomalies } from "./view_anomalies.js";
import { metrics } from "./view_metrics.js";
import { overview } from "./view_overview.js";
import { training } from "./view_training.js";

const VIEWS = { overview, training, metrics, anomalies };
const TITLES = { overview: "Overview", training: "Training", metrics: "Metrics", anomalies: "Anomalies" };
const $ = (id) => document.getElementById(id);
let view = null;

function draw() {
  const wanted = Object.hasOwn(VIEWS, state().view) ? state().view : "overview";
  if (view?.name !== wanted) {
    view?.close?.();
    view = { name: wanted, ...VIEWS[wanted]($("main")) };
  } else view.update?.();
  document.title = `${TITLES[wanted]} · nissa`;
  header();
}

function header() {
  const firing = noticed.firing().length;
  const tabs = Object.entries(TITLES).map(([name, title]) =>
    el(
      "a",
      { href: link({ view: name, focus: "" }), "aria-current": name === view?.name ? "page" : null },
      title,
      name === "anomalies" && firing ? el("span", { class: "count" }, String(firing)) : null,
    ),
  );
  fill($("tabs"), tabs);
  fill(
    $("ranges"),
    Object.keys(RANGES).map((range) =>
      el("button", { type: "button", "aria-pressed": String(state().range === range), onclick: () => update({ range, to: "" }) }, range),
    ),
  );
  fill($("compare"), Object.entries(COMPARES).map(([value, text]) => el("option", { value, selected: state().compare === value }, text)));
  if (document.activeElement !== $("search")) $("search").value = state().q;
  $("pause").setAttribute("aria-pressed", String(Boolean(state().to)));
  $("pause").textContent = state().to ? "Go live" : "Pause";
  status();
}

function status() {
  const health = noticed.health();
  $("health").dataset.status = health?.overall_status ?? "";
  $("health").textContent = health ? health.overall_status : "";
  const { link: connection, at } = data.connection();
  const mode = connection === "lost" ? "lost" : state().to ? "paused" : connection;
  $("live").dataset.state = mode;
  const words = { live: "live", polling: "polling", lost: "reconnecting…", paused: `paused at ${time(Number(state().to))}`, connecting: "connecting…" };
  $("live").textContent = words[mode] ?? "";
  $("live").title = at ? `Last figures: ${time(at)}` : "";
  const since = noticed.since();
  $("reach").textContent = since ? `History reaches back ${span(data.now() - since)}` : "";
}

function pause() {
  update({ to: state().to ? "" : String(Math.round(data.now())) });
}

function theme(chosen) {
  let kept = null;
  try {
    kept = localStorage.getItem("nissa-theme");
    if (chosen) localStorage.setItem("nissa-theme", chosen);
  } catch {
    // A browser that keeps nothing has its own preference.
  }
  const preferred = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  const wanted = [chosen, state().theme, kept].find((one) => one === "light" || one === "dark") ?? preferred;
  document.documentElement.dataset.theme = wanted;
  $("theme").textContent = wanted === "light" ? "☾" : "☀";
}

function toggleTheme() {
  const next = document.documentElement.dataset.theme === "light" ? "dark" : "light";
  theme(next);
  if (state().theme) update({ theme: next }, true);
  redrawAll();
}

const KEYS = {
  "/": () => $("search").focus(),
  " ": pause,
  t: toggleTheme,
  "[": () => step(-1),
  "]": () => step(1),
};

function step(by) {
  const names = Object.keys(RANGES);
  const next = names[names.indexOf(state().range) + by];
  if (next) update({ range: next });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, button, a");
  if (event.key === "Escape" && event.target === $("search")) {
    $("search").blur();
    return update({ q: "" }, true);
  }
  if (event.ctrlKey || event.metaKey || event.altKey || (typing && (event.key === " " || typing.tagName !== "A"))) return;
  const number = "1234".indexOf(event.key);
  const act = number >= 0 ? () => update({ view: Object.keys(TITLES)[number], focus: "" }) : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

let typed;
$("search").addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(() => update({ q: $("search").value, view: state().view === "overview" ? "metrics" : state().view }, true), 120);
});
$("compare").addEventListener("change", (event) => update({ compare: event.target.value }));
$("pause").addEventListener("click", pause);
$("theme").addEventListener("click", toggleTheme);

onChange((now, before) => {
  draw();
  if (now.theme !== before.theme) theme();
  if (now.range !== before.range || now.to !== before.to || now.compare !== before.compare) reloadAll();
  noticed.shown(now, before);
});

data.onTick((at) => {
  status();
  if (state().to || document.hidden) return;
  view?.tick?.(at);
  tickAll(at);
});
data.onLink(status);
data.onSeries(() => {
  view?.update?.();
  header();
});
noticed.onChange(() => {
  header();
  view?.alerts?.();
  redrawMarks();
});
document.addEventListener("visibilitychange", () => !document.hidden && !state().to && reloadAll());

theme();
draw();
noticed.start();
data.start();
