// A metric: its plot, the lines in it, and what a reader can do with them.

import * as data from "./data.js";
import { color, download, el, fill, seriesColor } from "./dom.js";
import { commonLabels, isCounter, labelText, number, time, unitOf } from "./format.js";
import * as noticed from "./noticed.js";
import { Heat, Plot } from "./plot.js";
import { offset, RANGES, state, stretch, update } from "./state.js";

const MOST_LINES = 12;
const QUANTILES = [0.5, 0.9, 0.99];
const visible = new Set();

// Plots exist only while they can be seen: a page of 5,000 series holds a dozen of them.
const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const card = entry.target.card;
      if (entry.isIntersecting) card.enter();
      else card.leave();
    }
  },
  { rootMargin: "200px" },
);

const sizes = new ResizeObserver((entries) => entries.forEach((entry) => entry.target.card?.plot?.resize()));

export class Card {
  constructor(family, { wide = false, title = null } = {}) {
    this.family = family;
    this.wide = wide;
    this.unit = unitOf(family);
    this.rate = isCounter(family);
    this.distribution = family.kind === "histogram" || family.kind === "summary";
    this.mode = this.distribution ? "quantiles" : "lines";
    this.hidden = new Set();
    this.readout = el("span", { class: "readout" });
    this.legend = el("ul", { class: "legend" });
    this.note = el("span", { class: "note" }, "…");
    this.frame = el("div", { class: "plot", role: "img", "aria-label": `Plot of ${family.name}` }, this.note);
    this.frame.card = this;
    const said = { count: "", count_per_second: "per second" }[this.unit] ?? (family.name.includes(this.unit) ? "" : this.unit);
    const what = this.rate ? "per second" : this.distribution ? (family.series.length > 1 ? "p90 of each" : "quantiles") : said;
    const help = family.help ? el("p", { class: "help", title: family.help }, family.help) : null;
    this.element = el(
      "article",
      { class: wide ? "card wide" : "card", "aria-label": family.name },
      el("header", {}, el("h3", { title: family.name }, title ?? family.name), el("em", {}, what), el("span", { class: "spacer" }), this.readout),
      this.actions(),
      help,
      this.frame,
      this.legend,
    );
    this.element.card = this;
    watcher.observe(this.element);
    sizes.observe(this.frame);
  }

  actions() {
    const button = (text, label, act) => el("button", { type: "button", title: label, "aria-label": `${label}: ${this.family.name}`, onclick: act }, text);
    const heat = this.distribution
      ? button("heatmap", "Heatmap or quantiles", (event) => {
          this.mode = this.mode === "heat" ? "quantiles" : "heat";
          event.target.textContent = this.mode === "heat" ? "quantiles" : "heatmap";
          this.load();
        })
      : null;
    const focus = this.wide
      ? button("close", "Back to all", () => update({ focus: "" }))
      : button("expand", "Larger", () => update({ focus: this.family.name }));
    return el("span", { class: "actions" }, heat, focus, button("CSV", "Save as CSV", () => this.saveCsv()), button("PNG", "Save as PNG", () => this.savePng()));
  }

  enter() {
    visible.add(this);
    this.load();
  }

  leave() {
    visible.delete(this);
    this.plot?.destroy();
    this.plot = null;
  }

  // Other series than before: the search or the program has changed them.
  take(family) {
    const before = this.family;
    this.family = family;
    const same = before.series.length === family.series.length && before.series.every((one, at) => one.key === family.series[at].key);
    if (same) return;
    this.order = undefined;
    if (visible.has(this)) this.load();
  }

  remove() {
    watcher.unobserve(this.element);
    sizes.unobserve(this.frame);
    this.leave();
    this.element.remove();
  }

  // Everything from history: on coming into view, and when the range or the series change.
  async load() {
    const asked = (this.asked = {});
    const now = stretch(data.now(), noticed.since());
    const points = Math.max(60, Math.min(this.frame.clientWidth || 400, 900));
    try {
      const answer = await this.fetch(now, points);
      if (asked !== this.asked || !visible.has(this)) return;
      this.loaded = now;
      this.answer = answer;
      this.draw();
    } catch (error) {
      if (asked === this.asked) this.say(error.message);
    }
  }

  async fetch(now, points) {
    if (this.mode === "heat") return { heat: await data.heatmap(this.family, now, Math.min(points, 160)) };
    const get = (from) =>
      this.mode === "quantiles" ? data.quantiles(this.family, from, points, QUANTILES) : data.range(this.family, this.rate, from, points);
    const back = offset();
    if (!back) return { now: await get(now) };
    const [current, earlier] = await Promise.all([get(now), get({ from: now.from - back, to: now.to - back })]);
    return { now: current, earlier: { lines: earlier.lines, times: earlier.times.map((at) => at + back) } };
  }

  // A tick of live data: new points on the right, and the window moves.
  tick(at) {
    if (this.mode !== "lines" || !this.answer?.now) return void this.maybeReload(at);
    const { now } = this.answer;
    let known = false;
    for (const line of now.lines) {
      const value = data.live(this.family, line.labels, this.rate);
      line.values.push(value);
      known ||= value !== undefined;
    }
    now.times.push(at);
    const from = stretch(at, noticed.since()).from;
    const old = now.times.findIndex((time) => time >= from);
    if (old > 64) {
      now.times.splice(0, old);
      now.lines.forEach((line) => line.values.splice(0, old));
    }
    if (now.times.length > 2400) return void this.load();
    if (known || now.lines.length) this.draw();
  }

  // Distributions are asked for again, each at its own pace.
  maybeReload(at) {
    const pause = Math.max(2, (this.loaded ? this.loaded.to - this.loaded.from : 900) / 300);
    if (!this.loaded || at - this.loaded.to >= pause) this.load();
  }

  draw() {
    const window = stretch(data.now(), noticed.since());
    const { now, earlier, heat } = this.answer;
    this.note.textContent = "";
    if (heat) return this.drawHeat(heat, window);
    if (!now.lines.length) return this.say("Nothing recorded in this range");
    const labels = now.lines.map((line) => line.labels);
    const common = commonLabels(labels);
    const text = (line) => line.title ?? labelText(line.labels, common);
    const ranked = now.lines.map((line) => ({ line, last: lastOf(line.values) }));
    ranked.sort((a, b) => (this.mode === "quantiles" ? 0 : (b.last ?? -Infinity) - (a.last ?? -Infinity)));
    // Ranked once, so that lines do not change their colours as they cross.
    this.order ??= ranked.map(({ line }) => data.key(line.labels));
    const place = (line) => {
      const at = this.order.indexOf(data.key(line.labels));
      return at < 0 ? this.order.push(data.key(line.labels)) - 1 : at;
    };
    const shown = this.mode === "quantiles" ? now.lines : [...now.lines].sort((a, b) => place(a) - place(b)).slice(0, MOST_LINES);
    const lines = shown.map((line) => ({ label: text(line), values: line.values, hidden: this.hidden.has(data.key(line.labels) + text(line)) }));
    const { times, all } = earlier ? merge(now.times, lines, earlier, shown) : { times: now.times, all: lines };
    this.ready().show(times, all, window);
    this.drawLegend(shown, lines, now.lines.length);
  }

  drawHeat(heat, window) {
    if (!heat.times.length) return this.say("Nothing recorded in this range");
    this.fresh(new Heat(heat.times, heat.bounds, heat.columns, this.unit));
    this.plot.show(heat.times, [{ label: "", values: heat.times.map(() => null) }], window);
    this.readout.textContent = "";
    fill(this.legend);
  }

  ready() {
    if (!this.plot || this.plot.heat) this.fresh(null);
    Object.assign(this.plot, noticed.marksOf(this.family));
    return this.plot;
  }

  fresh(heat) {
    this.plot?.destroy();
    this.plot = new Plot(this.frame, {
      unit: this.unit,
      perSecond: this.rate,
      heat,
      ...noticed.marksOf(this.family),
      onZoom: (from, to) => zoom(from, to),
    });
  }

  drawLegend(shown, lines, count) {
    const single = shown.length === 1 && this.mode === "lines";
    this.readout.textContent = single ? number(lastOf(shown[0].values), this.unit, this.rate) : "";
    if (single && !lines[0].label) return void fill(this.legend);
    const items = lines.map((line, index) => {
      const key = el("i");
      key.style.background = seriesColor(index);
      const toggle = () => {
        const name = data.key(shown[index].labels) + line.label;
        if (!this.hidden.delete(name)) this.hidden.add(name);
        this.draw();
      };
      const value = number(lastOf(line.values), this.unit, this.rate);
      return el("li", {}, el("button", { type: "button", "aria-pressed": String(!line.hidden), onclick: toggle, title: line.label }, key, el("span", {}, line.label || "value"), el("b", {}, value)));
    });
    const more = count > shown.length ? el("li", {}, `and ${count - shown.length} more: narrow the search`) : null;
    fill(this.legend, items, more);
  }

  say(text) {
    this.plot?.destroy();
    this.plot = null;
    this.readout.textContent = "";
    fill(this.legend);
    this.note.textContent = text;
  }

  saveCsv() {
    const { now } = this.answer ?? {};
    if (!now) return;
    // A field that a spreadsheet would run as a formula is kept as text.
    const field = (text) => `"${(/^[=+\-@\t\r]/.test(text) ? "'" + text : text).replaceAll('"', '""')}"`;
    const head = ["time", ...now.lines.map((line) => line.title ?? (labelText(line.labels) || this.family.name))].map(field).join(",");
    const rows = now.times.map((at, row) => [new Date(at * 1000).toISOString(), ...now.lines.map((line) => line.values[row] ?? "")].join(","));
    download(`${safe(this.family.name)}.csv`, new Blob([[head, ...rows].join("\r\n")], { type: "text/csv" }));
  }

  savePng() {
    const source = this.plot?.image();
    if (!source) return;
    const canvas = el("canvas", { width: source.width, height: source.height + 40 });
    const ctx = canvas.getContext("2d");
    ctx.fillStyle = color("--panel");
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.fillStyle = color("--text");
    ctx.font = "600 20px system-ui, sans-serif";
    ctx.fillText(`${this.family.name}  ·  ${time(this.loaded.from)} – ${time(this.loaded.to)}`, 16, 28);
    ctx.drawImage(source, 0, 40);
    canvas.toBlob((blob) => blob && download(`${safe(this.family.name)}.png`, blob));
  }
}

// The cards that can be seen take the tick.
export function tickAll(at) {
  for (const card of visible) card.tick(at);
}

export function reloadAll() {
  for (const card of visible) {
    card.order = undefined;
    card.load();
  }
}

export function redrawMarks() {
  for (const card of visible) if (card.plot && card.answer) card.draw();
}

export function redrawAll() {
  for (const card of visible) {
    card.plot?.destroy();
    card.plot = null;
    if (card.answer) card.draw();
  }
}

// The shortest range that still shows the chosen stretch, ending where it ends.
function zoom(from, to) {
  const fitting = Object.entries(RANGES).find(([, length]) => length >= to - from);
  update({ range: fitting ? fitting[0] : state().range, to: String(Math.round(to)) });
}

function lastOf(values) {
  for (let index = values.length - 1; index >= 0; index--) if (values[index] !== null && values[index] !== undefined) return values[index];
  return undefined;
}

function safe(name) {
  return name.replace(/[^\w.-]+/g, "_").slice(0, 80) || "metric";
}

// Both ranges over one row of times; where one has no point the other's line goes on.
function merge(times, lines, earlier, shown) {
  const all = [...new Set([...times, ...earlier.times])].sort((a, b) => a - b);
  const place = new Map(all.map((at, index) => [at, index]));
  const spread = (values, own) => {
    const wide = new Array(all.length).fill(undefined);
    own.forEach((at, index) => (wide[place.get(at)] = values[index]));
    return wide;
  };
  const now = lines.map((line) => ({ ...line, values: spread(line.values, times) }));
  const before = shown.flatMap((line, index) => {
    const same = earlier.lines.find((other) => data.key(other.labels) === data.key(line.labels) && other.title === line.title);
    if (!same) return [];
    return [{ label: `${lines[index].label || "value"}, earlier`, values: spread(same.values, earlier.times), dashed: true, color: seriesColor(index), hidden: lines[index].hidden }];
  });
  return { times: all, all: [...now, ...before] };
}

