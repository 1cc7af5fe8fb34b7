// Numbers, times and label sets as people read them.

import { scale } from "./units.js";

// So many digits that matter; very large and very small numbers as powers of ten.
function digits(value, places) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e15 || size < 1e-4)) return value.toExponential(places - 1).replace(/\.?0+e/, "e");
  return size >= 10 ** (places - 1) ? String(Math.round(value)) : String(Number(value.toPrecision(places)));
}

export function number(value, unit = "", perSecond = false, places = 3) {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  if (unit === "unix" && Math.abs(value) < 1e11) return minute.format(value * 1000);
  // 999.9 ms are a second.
  const [factor, text] = value === 0 ? scale(1, unit, perSecond) : scale(Number(Math.abs(value).toPrecision(places)), unit, perSecond);
  return digits(value / factor, places) + text;
}

// Under one axis all figures have one unit, and so many decimals as tell one from the next.
export function axisNumbers(splits, unit, perSecond) {
  if (unit === "unix") return splits.map((at) => number(at, unit));
  const most = Math.max(...splits.map((at) => Math.abs(at ?? 0)));
  const [factor, text] = scale(most || 1, unit, perSecond);
  const step = splits.length > 1 ? Math.abs(splits[1] - splits[0]) / factor : most / factor;
  let decimals = 0;
  while (decimals < 6 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals += 1;
  const plain = (at) => (decimals === 6 || Math.abs(at) >= 1e6 ? digits(at, 3) : at.toFixed(decimals));
  return splits.map((at) => (at === 0 ? "0" : plain(at / factor) + text));
}

// Steps between the lines of an axis, round in the unit it is written in.
export function axisSteps(most, unit, perSecond) {
  const [factor] = scale(most || 1, unit, perSecond);
  const steps = [];
  for (let power = -12; power <= 18; power++) for (const one of [1, 2, 5]) steps.push(one * 10 ** power * factor);
  return steps;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dated = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export function time(unix, now = Date.now() / 1000) {
  return (Math.abs(now - unix) < 43200 ? clock : dated).format(unix * 1000);
}

const minute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

// With its date, wherever it is read later.
export const stamp = (unix) => full.format(unix * 1000);

// Under an axis: as short as the stretch allows.
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const second = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

export function axisTime(unix, step) {
  const form = step < 60 ? second : step < 43200 ? hour : day;
  return form.format(unix * 1000);
}

export function span(length) {
  if (length < 60) return `${Math.round(length)} s`;
  if (length < 5400) return `${Math.round(length / 60)} min`;
  if (length < 129600) return `${Number((length / 3600).toPrecision(2))} h`;
  return `${Number((length / 86400).toPrecision(2))} d`;
}

// Label names that no line needs because all lines agree on them.
export function labelText(labels, common = {}) {
  const own = Object.entries(labels).filter(([name, value]) => common[name] !== value);
  return own.map(([name, value]) => `${name}=${value}`).join(", ");
}

export function commonLabels(all) {
  if (all.length < 2) return {};
  const [first, ...rest] = all;
  return Object.fromEntries(Object.entries(first).filter(([n, v]) => rest.every((other) => other[n] === v)));
}
