// A metric: its plot, the lines in it, and what a reader can do with them.

import * as data from "./data.js";
import { breakable, el, fill, keep, seriesColor } from "./dom.js";
import { saveCsv, savePng } from "./export.js";
import { commonLabels, labelText, number, span } from "./format.js";
import { Heat } from "./heat.js";
import { lastOf, merge } from "./lines.js";
import * as noticed from "./noticed.js";
import { Plot } from "./plot.js";
import { closer, COMPARES, length, offset, state, stretch, update } from "./state.js";
import { unitOf } from "./units.js";

const MOST_LINES = 12;
const MOST_KEYS = 6;
// Of names and labels as long as books.
const MOST_LETTERS = 300;
// Over a longer stretch rates of a tick or two are not what history tells of its steps.
const LIVE_RATES = 1800;
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
    this.rate = family.kind === "counter";
    this.distribution = family.kind === "histogram" || family.kind === "summary";
    this.mode = this.distribution ? "quantiles" : "lines";
    this.hidden = new Set();
    this.readout = el("span", { class: "readout" });
    this.legend = el("ul", { class: "legend", "aria-label": "Lines" });
    this.note = el("span", { class: "note" }, "…");
    this.what = el("em");
    this.frame = el("div", { class: "plot", role: "img", tabindex: "0", onkeydown: (event) => this.read(event) }, this.note);
    this.frame.card = this;
    this.element = el(
      "article",
      { class: wide ? "card wide" : "card", "aria-label": family.name.slice(0, MOST_LETTERS) },
      el("header", {}, el("h3", { title: family.name }, breakable(family.name)), this.readout),
      el("div", { class: "sub" }, this.what, el("span", { class: "help", title: family.help || null }, family.help), this.actions()),
      this.frame,
      this.legend,
    );
    this.element.card = this;
    this.describe();
    watcher.observe(this.element);
    sizes.observe(this.frame);
  }

  // What the plot shows of the metric, for those who see it and those who do not.
  describe() {
    const units = { cores: "processors in use", count_per_second: "per second", ratio: "", percent: "", unix: "" };
    const named = this.family.name.includes(this.unit) || this.unit === "count";
    const unit = Object.hasOwn(units, this.unit) ? units[this.unit] : named ? "" : this.unit.replaceAll("_", " ");
    const quantiles = this.mode === "heat" ? "how often, by value" : this.family.series.length > 1 ? "p90 of each" : "quantiles";
    this.what.textContent = this.distribution ? quantiles : this.rate && this.unit !== "cores" ? "per second" : unit;
    const { now } = this.answer ?? {};
    const values = (now?.lines ?? []).flatMap((line) => line.values).filter(Number.isFinite);
    const write = (value) => number(value, this.unit, this.rate);
    const [least, most] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
    const told = values.length ? `${now.lines.length === 1 ? "one line" : `${now.lines.length} lines`}, ${write(least)} to ${write(most)}` : "";
    this.frame.setAttribute("aria-label", [`Plot of ${this.family.name.slice(0, MOST_LETTERS)}`, this.what.textContent, `the last ${span(length())}`, told].filter(Boolean).join(", "));
  }

  actions() {
    const button = (text, label, act) => el("button", { type: "button", title: label, "aria-label": `${label}: ${this.family.name.slice(0, MOST_LETTERS)}`, onclick: act }, text);
    const heat = this.distribution
      ? button("heatmap", "Heatmap or quantiles", (event) => {
          this.mode = this.mode === "heat" ? "quantiles" : "heat";
          event.currentTarget.textContent = this.mode === "heat" ? "quantiles" : "heatmap";
          this.load();
        })
      : null;
    const focus = this.wide
      ? button("close", "Back to all", () => update({ focus: "" }))
      : button("expand", "Larger", () => this.expand());
    return el("span", { class: "actions" }, heat, focus, button("CSV", "Save as CSV", () => saveCsv(this)), button("PNG", "Save as PNG", () => savePng(this)));
  }

  expand() {
    update({ view: "metrics", focus: this.family.name });
    scrollTo(0, 0);
  }

  // Arrow keys read the plot, point by point.
  read(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (!by || !this.plot || event.target !== this.frame || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    document.getElementById("said").textContent = this.plot.move(by * (event.shiftKey ? 10 : 1));
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
    this.describe();
    const same = before.series.length === family.series.length && before.series.every((one, at) => one.key === family.series[at].key);
    if (same) return;
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
      Object.assign(this, { loaded: now, answer, failed: false });
      this.describe();
      this.draw();
    } catch (error) {
      if (asked !== this.asked) return;
      // What was drawn is better than nothing, while the program cannot be reached.
      Object.assign(this, { loaded: now, failed: true });
      if (!this.plot) this.say(error.message);
    } finally {
      if (asked === this.asked) this.asked = null;
    }
  }

  async fetch(now, points) {
    const family = data.largest(this.family);
    if (this.mode === "heat") return { heat: await data.heatmap(family, now, Math.min(points, 160)) };
    const get = (from) => (this.mode === "quantiles" ? data.quantiles(family, from, points, QUANTILES) : data.range(family, this.rate, from, points));
    const back = offset();
    if (!back) return { now: await get(now) };
    const [current, earlier] = await Promise.all([get(now), get({ from: now.from - back, to: now.to - back })]);
    return { now: current, earlier: { lines: earlier.lines, times: earlier.times.map((at) => at + back) } };
  }

  // A tick of live data: new points on the right, and the window moves.
  tick(at) {
    if (this.failed || this.mode !== "lines" || !this.answer?.now || (this.rate && length() > LIVE_RATES)) return void this.maybeReload(at);
    const { now } = this.answer;
    const { from, to } = stretch(at, noticed.since());
    // Ticks that were missed are in history.
    if (at - now.times.at(-1) > 3 * data.pace() + 1) this.maybeReload(at);
    // Points that would fall onto one place replace each other.
    const near = now.liveFrom !== undefined && at - now.liveFrom < (to - from) / 900;
    if (near) now.times[now.times.length - 1] = at;
    else now.times.push(at);
    now.liveFrom = near ? now.liveFrom : at;
    for (const line of now.lines) line.values[now.times.length - 1] = data.live(this.family, line.labels, this.rate);
    const old = now.times.findIndex((time) => time >= from);
    if (old > 64) {
      now.times.splice(0, old);
      now.lines.forEach((line) => line.values.splice(0, old));
    }
    if (now.times.length > 2400) return void this.load();
    if (now.lines.length) this.draw();
    else this.maybeReload(at);
  }

  // The rest is asked for again, each at its own pace.
  maybeReload(at) {
    const pause = Math.max(2, (this.loaded ? this.loaded.to - this.loaded.from : 900) / 300);
    if (!this.asked && (!this.loaded || at - this.loaded.to >= pause)) this.load();
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
    this.text = text;
    const ranked = now.lines.map((line) => ({ line, last: lastOf(line.values) }));
    const quantiles = now.lines.some((line) => line.title);
    if (!quantiles) ranked.sort((a, b) => (b.last ?? -Infinity) - (a.last ?? -Infinity));
    // Ranked once, so that lines do not change their colours as they cross.
    this.order ??= ranked.map(({ line }) => data.key(line.labels));
    const place = (line) => {
      const at = this.order.indexOf(data.key(line.labels));
      return at < 0 ? this.order.push(data.key(line.labels)) - 1 : at;
    };
    const shown = quantiles ? now.lines : [...now.lines].sort((a, b) => place(a) - place(b)).slice(0, MOST_LINES);
    const lines = shown.map((line) => ({ label: text(line), values: line.values, hidden: this.hidden.has(data.key(line.labels) + text(line)) }));
    const { times, all } = earlier ? merge(now.times, lines, earlier, shown) : { times: now.times, all: lines };
    this.ready().show(times, all, window);
    this.shown = all;
    this.drawLegend(shown, lines, quantiles ? shown.length : Math.max(this.family.series.length, now.lines.length));
  }

  drawHeat(heat, window) {
    if (!heat.times.length) return this.say("Nothing recorded in this range");
    this.shown = [];
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
      onZoom: closer,
    });
  }

  drawLegend(shown, lines, count) {
    const single = shown.length === 1 && this.mode === "lines" && count === 1;
    this.readout.textContent = single ? number(lastOf(shown[0].values), this.unit, this.rate) : "";
    const compared = state().compare ? [["compared", () => el("li", { class: "before" }, el("i"), ""), (item) => (item.lastChild.textContent = COMPARES[state().compare] + (this.answer.earlier?.lines.length ? "" : ": nothing recorded"))]] : [];
    if (single && !lines[0].label) return keep(this.legend, compared);
    const room = this.wide || lines.length <= MOST_KEYS + 1 ? MOST_LINES : MOST_KEYS;
    const items = lines.slice(0, room).map((line, index) => this.key(line, data.key(shown[index].labels) + line.label, index));
    const rest = count - items.length;
    const words = this.wide ? `and ${rest} more: narrow the search` : `and ${rest} more`;
    const more = () => (this.wide ? el("li", { class: "more" }, words) : el("li", {}, el("button", { type: "button", class: "more", onclick: () => this.expand() }, words)));
    keep(this.legend, [...items, ...(rest > 0 ? [[`more ${words}`, more]] : []), ...compared]);
  }

  key(line, name, index) {
    const make = () => {
      const toggle = () => {
        if (!this.hidden.delete(name)) this.hidden.add(name);
        this.draw();
      };
      return el("li", {}, el("button", { type: "button", onclick: toggle, title: line.label.slice(0, 1000) }, el("i"), el("span", {}, line.label.slice(0, MOST_LETTERS) || "value"), el("b")));
    };
    const refresh = (item) => {
      const [color, , value] = item.firstChild.children;
      item.firstChild.setAttribute("aria-pressed", String(!line.hidden));
      color.style.background = seriesColor(index);
      value.textContent = number(lastOf(line.values), this.unit, this.rate);
    };
    return [name, make, refresh];
  }

  say(text) {
    this.plot?.destroy();
    this.plot = null;
    this.readout.textContent = "";
    fill(this.legend);
    this.note.textContent = text;
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
