// What the endpoint knows of series: their latest values, and their history.

const listeners = { tick: [], series: [], link: [] };
let connection = "connecting";
let families = [];
let byIndex = [];
let byKey = new Map();
let version = -1;
let sequence = -1;
let at = 0;
let skew = 0;
let interval = 1;

export const onTick = (listener) => listeners.tick.push(listener);
export const onLink = (listener) => listeners.link.push(listener);
export const onSeries = (listener) => listeners.series.push(listener);

// The program's clock, which need not be the browser's.
export function now() {
  return Date.now() / 1000 + skew;
}

export { familyList as families, stateOf as connection };
const familyList = () => families;
const stateOf = () => ({ link: connection, at });

export const pace = () => interval;
export const family = (name) => families.find((one) => one.name === name);

export function key(labels) {
  return Object.keys(labels).sort().map((name) => JSON.stringify([name, labels[name]])).join();
}

export function familyKey(family) {
  return family.name + "\n" + family.kind;
}

export async function get(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" }, cache: "no-store", signal: AbortSignal.timeout(20000) }).catch(() => {
    throw new Error("No answer");
  });
  if (answer.ok) return answer.json();
  const text = (await answer.text()).slice(0, 300).trim();
  let reason = text;
  try {
    reason = JSON.parse(text).error ?? text;
  } catch {
    // Plain text is as good.
  }
  throw new Error(reason || `${answer.status} ${path}`);
}

// Lines that are asked for at once, of families that have more: those that are largest now.
const MOST_LINES = 100;
// A selector may have 4,096 bytes; in an address it is up to three times as long.
const MOST_BYTES = 1500;
const NAME_LETTERS = 200;

const bytes = (text) => new TextEncoder().encode(text).length;
const quoted = (text) => `"${text.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
const literally = (text) => text.replace(/[\\^$.*+?()[\]{}|\-&~#]/g, "\\$&");

// The lines of a family that are worth asking for.
export function largest(family) {
  if (family.series.length <= MOST_LINES) return family;
  const size = (one) => Math.abs((family.kind === "counter" ? one.rate : one.value) ?? 0) || 0;
  const sizes = new Map(family.series.map((one) => [one, size(one)]));
  return { ...family, series: [...family.series].sort((a, b) => sizes.get(b) - sizes.get(a)).slice(0, MOST_LINES) };
}

// A family by its name and by what tells its lines from others of the name; what else that finds is
// taken away in `rows`. A name that is too long to be sent is asked for by how it begins.
function selector(wanted) {
  const begins = literally([...wanted.name].slice(0, NAME_LETTERS).join(""));
  const name = bytes(wanted.name) <= 4 * NAME_LETTERS ? `__name__=${quoted(wanted.name)}` : `__name__=~${quoted(`${begins}(?s:.*)`)}`;
  const all = families.find((one) => familyKey(one) === familyKey(wanted)) ?? wanted;
  const values = ({ series }, label) => [...new Set(series.map(({ labels }) => (Object.hasOwn(labels, label) ? labels[label] : null)))];
  const parts = [name];
  let left = MOST_BYTES - bytes(name);
  for (const label of Object.keys(wanted.series[0]?.labels ?? {})) {
    const some = values(wanted, label);
    if (!/^(?!__name__$)[a-z_]\w*$/i.test(label) || some.includes(null) || some.length === values(all, label).length) continue;
    const part = some.length === 1 ? `${label}=${quoted(some[0])}` : `${label}=~${quoted(some.map(literally).join("|"))}`;
    if (bytes(part) >= left) continue;
    parts.push(part);
    left -= bytes(part) + 1;
  }
  return `{${parts.join()}}`;
}

function question(family, stretch, more) {
  const all = families.find((one) => familyKey(one) === familyKey(family)) ?? family;
  const limit = all.series.length > family.series.length || family.name.length > NAME_LETTERS ? "1000" : "200";
  return new URLSearchParams({ match: selector(family), limit, from: stretch.from.toFixed(3), to: stretch.to.toFixed(3), ...more });
}

// What the machine tells is read once a second or so, whenever that is: over a step that is as short
// a rate would jump between none and twice as much.
const SLOW = /^(node|process|container|gpu)_/;
const SLOW_SECONDS = 10;

const shortest = (family, length) => Math.max(2 * interval, SLOW.test(family.name) ? Math.min(SLOW_SECONDS, length / 12) : 0);
const step = (family, { from, to }, points) => String(Math.max(shortest(family, to - from), Math.ceil((to - from) / points)));

// Lines over one row of times.
export async function range(family, rate, stretch, points) {
  const answer = rate
    ? await get(`api/rate?${question(family, stretch, { step: step(family, stretch, points) })}`)
    : await get(`api/samples?${question(family, stretch, { points: String(points) })}`);
  return rows(answer.series, family);
}

// Of one series several quantiles, of several series one.
export async function quantiles(family, stretch, points, qs) {
  const ask = (q) => get(`api/quantile?${question(family, stretch, { step: step(family, stretch, Math.min(points, 240)), q: String(q) })}`);
  if (family.series.length > 1) return rows((await ask(0.9)).series, family);
  const answers = await Promise.all(qs.map(ask));
  const named = answers.flatMap((answer, index) => answer.series.map((one) => ({ ...one, title: `p${qs[index] * 100}` })));
  return rows(named, family);
}

function rows(series, family) {
  const wanted = new Set(family.series.map((one) => one.key));
  const kept = series.filter((one) => one.name === family.name && wanted.has(key(one.labels)));
  const times = [...new Set(kept.flatMap((one) => one.time))].sort((a, b) => a - b);
  const place = new Map(times.map((t, index) => [t, index]));
  const lines = kept.map((one) => {
    // Where only others have a sample the line goes on.
    const values = new Array(times.length).fill(undefined);
    one.time.forEach((t, index) => (values[place.get(t)] = number(one.value[index])));
    return { labels: one.labels, title: one.title, values };
  });
  return { times, lines };
}

export async function heatmap(family, stretch, points) {
  const { series } = await get(`api/heatmap?${question(family, stretch, { step: step(family, stretch, points) })}`);
  const columns = new Map();
  const bounds = new Set();
  const wanted = new Set(family.series.map((one) => one.key));
  for (const one of series) {
    if (one.name !== family.name || !wanted.has(key(one.labels))) continue;
    one.time.forEach((t, index) => {
      const column = columns.get(t) ?? new Map();
      columns.set(t, column);
      for (const [bound, count] of one.buckets[index]) {
        bounds.add(bound ?? Infinity);
        column.set(bound ?? Infinity, (column.get(bound ?? Infinity) ?? 0) + count);
      }
    });
  }
  const times = [...columns.keys()].sort((a, b) => a - b);
  const sorted = [...bounds].sort((a, b) => a - b);
  return { times, bounds: sorted, columns: times.map((t) => sorted.map((bound) => columns.get(t).get(bound) ?? 0)) };
}

// JSON has no NaN and no infinities; they come as text.
export function number(value) {
  if (typeof value !== "string") return value;
  return { NaN: null, "+Inf": Infinity, "-Inf": -Infinity }[value] ?? null;
}

// The latest value of a series, or how fast a counter grows.
export function live(family, labels, rate) {
  const one = byKey.get(familyKey(family) + "\n" + key(labels));
  if (!one) return undefined;
  return rate ? one.rate : one.value;
}

function takeSeries(list) {
  version = list.v;
  sequence = list.n;
  interval = list.interval;
  byIndex = [];
  const known = byKey;
  byKey = new Map();
  families = list.families.map((given) => {
    const family = { name: given.name, kind: given.kind, unit: given.unit ?? "", help: given.help ?? "", series: [] };
    for (const [labels, ...values] of given.series) {
      const own = familyKey(family) + "\n" + key(labels);
      const one = { ...known.get(own), labels, key: key(labels), pace: Math.max(SLOW.test(family.name) ? SLOW_SECONDS / 2 : 1, 0.9 * interval) };
      set(one, values, list.t);
      family.series.push(one);
      byIndex.push(one);
      byKey.set(own, one);
    }
    return family;
  });
  clock(list.t);
  listeners.series.forEach((listener) => listener());
}

// A rate is taken over one or two paces of its series; before the first is over there is none.
function set(one, values, time) {
  const value = number(values[0]);
  if (one.seen === undefined) Object.assign(one, { from: value, fromTime: time, mid: value, midTime: time });
  // A counter that began anew counts from 0.
  else if (value < one.value) Object.assign(one, { from: 0, fromTime: one.seen, mid: 0, midTime: one.seen });
  if (time - one.fromTime >= 0.9 * one.pace) one.rate = (value - one.from) / (time - one.fromTime);
  if (time - one.midTime >= one.pace) Object.assign(one, { from: one.mid, fromTime: one.midTime, mid: value, midTime: time });
  one.value = value;
  one.sum = number(values[1]);
  one.seen = time;
}

function clock(time) {
  at = time;
  skew = time - Date.now() / 1000;
}

let fetching = null;

function fetchSeries() {
  fetching ??= get("api/live/series").then(takeSeries).finally(() => (fetching = null));
  return fetching;
}

// What changed since the tick before. One that was missed is made up for by asking for everything.
function takeTick(tick) {
  if (tick.v !== version || (tick.n !== sequence && tick.n !== sequence + 1)) {
    // What was under way already may be older than this tick.
    const again = () => (tick.n > sequence ? fetchSeries() : undefined);
    return fetchSeries().then(again).then(() => listeners.tick.forEach((listener) => listener(at)));
  }
  if (tick.n === sequence) return;
  sequence = tick.n;
  const changed = new Map(tick.d.map(([index, ...values]) => [index, values]));
  byIndex.forEach((one, index) => set(one, changed.get(index) ?? [one.value, one.sum], tick.t));
  clock(tick.t);
  listeners.tick.forEach((listener) => listener(at));
}

// When the stream was last heard of.
let heard = 0;

function connect() {
  heard = Date.now();
  const events = new EventSource("api/live");
  events.addEventListener("tick", (event) => {
    heard = Date.now();
    become("live");
    Promise.resolve(takeTick(JSON.parse(event.data))).catch(lost);
  });
  events.addEventListener("open", () => {
    heard = Date.now();
    fetchSeries().catch(lost);
  });
  // Mostly the browser connects again by itself.
  events.addEventListener("error", () => {
    heard = 0;
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
  });
}

const lost = () => become("lost");

function become(state) {
  if (connection === state) return;
  // Who answers again may be another program, with other series.
  if (connection === "lost") fetchSeries().catch(() => undefined);
  connection = state;
  listeners.link.forEach((listener) => listener());
}

// While the stream is silent, for networks that hold streams back: the same ticks, asked for. Whether
// the program is there at all is told by its answers.
async function poll() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(1000, interval * 1000)));
    if (document.hidden || Date.now() - heard < 4000 + 3000 * interval) continue;
    try {
      const tick = await get("api/live/tick");
      become("polling");
      await takeTick(tick);
    } catch {
      lost();
    }
  }
}

export async function start() {
  for (;;) {
    try {
      await fetchSeries();
      break;
    } catch {
      lost();
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }
  }
  connect();
  poll();
}
