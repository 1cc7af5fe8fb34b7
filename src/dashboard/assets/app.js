// The page: header, range, search and keys; a view draws what is between.

import { redrawAll, redrawMarks, reloadAll, tickAll } from "./card.js";
import * as data from "./data.js";
import { el, keep } from "./dom.js";
import { span, time } from "./format.js";
import * as noticed from "./noticed.js";
import { closer, COMPARES, length, link, live, onChange, RANGES, shift, state, stretch, update } from "./state.js";
import { anomalies } from "./view_anomalies.js";
import { metrics } from "./view_metrics.js";
import { overview } from "./view_overview.js";
import { curves, training } from "./view_training.js";

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
  document.title = `${TITLES[wanted]} · ${location.host} · nissa`;
  header();
}

// A program that trains nothing has no view of it.
function views() {
  return Object.keys(TITLES).filter((name) => name !== "training" || view?.name === name || curves().length > 0);
}

function header() {
  const firing = noticed.firing().length;
  const tab = (name) => {
    const make = () => el("a", {}, TITLES[name], el("span", { class: "count", hidden: true }));
    const refresh = (one) => {
      one.href = link({ view: name, focus: "" });
      if (name === view?.name) one.setAttribute("aria-current", "page");
      else one.removeAttribute("aria-current");
      one.lastChild.textContent = name === "anomalies" && firing ? String(firing) : "";
      one.lastChild.hidden = !one.lastChild.textContent;
    };
    return [name, make, refresh];
  };
  keep($("tabs"), views().map(tab));
  const range = (name) => {
    const make = () => el("button", { type: "button", onclick: () => update({ range: name, to: Object.hasOwn(RANGES, state().range) ? state().to : "" }) }, name);
    return [name, make, (one) => one.setAttribute("aria-pressed", String(state().range === name))];
  };
  keep($("ranges"), Object.keys(RANGES).map(range));
  keep($("compare"), Object.entries(COMPARES).map(([value, text]) => [value, () => el("option", { value }, text)]));
  $("compare").value = state().compare;
  if (document.activeElement !== $("search")) $("search").value = state().q;
  $("pause").setAttribute("aria-pressed", String(Boolean(state().to)));
  $("pause").textContent = state().to ? "Go live" : "Pause";
  $("later").disabled = !state().to;
  status();
}

const write = (element, text) => element.textContent !== text && (element.textContent = text);

function status() {
  const { link: connection, at } = data.connection();
  const gone = connection === "lost";
  const health = gone ? null : noticed.health();
  $("health").dataset.status = health?.overall_status ?? "";
  write($("health"), health?.overall_status ?? "");
  const mode = gone ? "lost" : state().to ? "paused" : connection;
  $("live").dataset.state = mode;
  const { from, to } = stretch(data.now(), noticed.since());
  const words = { live: "live", polling: "polling", lost: "no answer", paused: `${time(from)} – ${time(to)}`, connecting: "connecting…" };
  write($("live"), words[mode] ?? "");
  $("live").title = at ? `Last figures: ${time(at)}` : "";
  $("lost").hidden = !gone;
  document.body.classList.toggle("stale", gone);
  write($("lost"), gone ? `${location.host} does not answer. ${at ? `What you see is from ${time(at)}. ` : ""}Trying again…` : "");
  const since = noticed.since();
  write($("reach"), since ? `${location.host} · history reaches back ${span(data.now() - since)}` : location.host);
}

function pause() {
  if (state().to) return live();
  const { from, to } = stretch(data.now(), noticed.since());
  if (to - from < length() - 1) closer(from, to);
  else update({ to: to.toFixed(1) });
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
  // Followed by what keeps phones from making a picture of it.
  $("theme").textContent = wanted === "light" ? "☾\uFE0E" : "☀\uFE0E";
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
  ArrowLeft: () => shift(-1, data.now()),
  ArrowRight: () => state().to && shift(1, data.now()),
};

function step(by) {
  const names = Object.keys(RANGES);
  const next = names[names.indexOf(state().range) + by];
  if (next) update({ range: next });
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target === $("search")) {
    $("search").blur();
    return update({ q: "" }, true);
  }
  const field = event.target.closest("input, select, textarea");
  const pressed = event.key === " " && event.target.closest("button, a");
  if (field || pressed || event.ctrlKey || event.metaKey || event.altKey) return;
  const number = "1234".indexOf(event.key);
  const act = number >= 0 ? () => views()[number] && update({ view: views()[number], focus: "" }) : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

let typed;
$("search").addEventListener("input", () => {
  clearTimeout(typed);
  // Only metrics can be searched; the view that was left is a step back.
  typed = setTimeout(() => update({ q: $("search").value, view: "metrics" }, state().view === "metrics"), 120);
});
$("compare").addEventListener("change", (event) => update({ compare: event.target.value }));
$("pause").addEventListener("click", pause);
$("theme").addEventListener("click", toggleTheme);
$("earlier").addEventListener("click", KEYS.ArrowLeft);
$("later").addEventListener("click", KEYS.ArrowRight);

onChange((now, before) => {
  draw();
  if (now.theme !== before.theme) (theme(), redrawAll());
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
matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => (theme(), redrawAll()));
document.addEventListener("visibilitychange", () => !document.hidden && !state().to && reloadAll());

theme();
draw();
noticed.start();
data.start();
