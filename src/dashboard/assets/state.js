// What is shown, kept in the URL so that a view can be shared.

import { pace } from "./data.js";

const DEFAULTS = { view: "overview", q: "", range: "15m", compare: "", theme: "", focus: "", to: "" };

export const RANGES = { "5m": 300, "15m": 900, "1h": 3600, "6h": 21600, "24h": 86400, "7d": 604800 };
export const COMPARES = { "": "nothing", range: "the range before", "1h": "an hour ago", "24h": "a day ago", "7d": "a week ago" };

// A stretch that was chosen by dragging: its length in seconds.
const CLOSER = /^[1-9]\d{0,7}s$/;

const listeners = new Set();
let current = read();

function read() {
  const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const state = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS)) if (typeof given[name] === "string") state[name] = given[name];
  if (!Object.hasOwn(RANGES, state.range) && !CLOSER.test(state.range)) state.range = DEFAULTS.range;
  if (!Object.hasOwn(COMPARES, state.compare)) state.compare = "";
  if (!(Number(state.to) > 0)) state.to = "";
  return state;
}

export function state() {
  return current;
}

export function link(change) {
  const next = { ...current, ...change };
  const parameters = Object.entries(next).filter(([name, value]) => value !== DEFAULTS[name]);
  return "#" + new URLSearchParams(parameters.length ? parameters : [["view", next.view]]).toString();
}

// Moves on; typing does not fill the history of the browser.
export function update(change, replace = false) {
  const to = link(change);
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  changed();
}

export function onChange(listener) {
  listeners.add(listener);
}

function changed() {
  const before = current;
  current = read();
  for (const listener of listeners) listener(current, before);
}

addEventListener("hashchange", changed);
addEventListener("popstate", changed);

// How long the shown stretch is, in seconds.
export function length() {
  return RANGES[current.range] ?? parseInt(current.range, 10);
}

// The shown stretch of time, in seconds. One with a fixed end is the same for everybody; live, a
// young program is not shown at the edge of an empty hour.
export function stretch(now, since = null) {
  const to = Number(current.to) || now;
  const whole = since === null || current.compare || current.to;
  const known = whole ? Infinity : Math.max(10, 30 * pace(), (to - since) * 1.04);
  return { from: to - Math.min(length(), known), to };
}

// How much earlier the compared range lies; 0 for none.
export function offset() {
  if (!current.compare) return 0;
  return current.compare === "range" ? length() : RANGES[current.compare];
}

// Looks at just this stretch; no shorter than what a few ticks fill.
export function closer(from, to) {
  const seconds = Math.max(2, Math.ceil(to - from));
  update({ range: `${seconds}s`, to: to.toFixed(1) });
}

// Half a stretch earlier or later; what would end in the future is live.
export function shift(by, now) {
  const to = (Number(current.to) || now) + (by * length()) / 2;
  update({ to: to >= now ? "" : to.toFixed(1) });
}

export function live() {
  update({ to: "", range: Object.hasOwn(RANGES, current.range) ? current.range : DEFAULTS.range });
}
