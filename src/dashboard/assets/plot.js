// One uPlot: lines, an earlier range dashed beneath them, anomalies and their expected bands.

import { color, el, seriesColor } from "./dom.js";
import { axisNumbers, axisSteps, axisTime, number, time } from "./format.js";

const MOST_ROWS = 10;
const [MINUTE, HOUR, DAY] = [60, 3600, 86400];
// Seconds between the times under an axis.
const TIMES = [1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY];
const SYNC = uPlot.sync("nissa");

export class Plot {
  // `frame` is the element to fill; `unit` and `perSecond` say how values are written.
  constructor(frame, { unit, perSecond, bands, marks, onZoom, heat }) {
    Object.assign(this, { frame, unit, perSecond, bands: bands ?? [], marks: marks ?? [], onZoom, heat: heat ?? null });
    this.tip = el("div", { class: "tip", "aria-hidden": "true" });
    this.lines = [];
    this.uplot = null;
  }

  // lines: [{ label, values, dashed, hidden }], all over `times`.
  show(times, lines, stretch) {
    this.stretch = stretch;
    this.times = times;
    const shape = JSON.stringify(lines.map((line) => [line.label, line.dashed]));
    const data = [times, ...lines.map((line) => line.values)];
    if (this.uplot && shape === this.shape) {
      this.lines = lines;
      lines.forEach((line, index) => {
        if (this.uplot.series[index + 1].show === Boolean(line.hidden)) this.uplot.setSeries(index + 1, { show: !line.hidden });
      });
      this.uplot.batch(() => {
        this.uplot.setData(data, false);
        this.uplot.setScale("x", { min: stretch.from, max: stretch.to });
      });
      return;
    }
    this.destroy();
    this.shape = shape;
    this.lines = lines;
    this.uplot = new uPlot(this.options(lines), data, this.frame);
    this.uplot.setScale("x", { min: stretch.from, max: stretch.to });
    this.frame.append(this.tip);
  }

  options(lines) {
    const axis = { stroke: color("--faint"), grid: { stroke: color("--grid"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    return {
      width: Math.max(this.frame.clientWidth, 120),
      height: Math.max(this.frame.clientHeight, 100),
      legend: { show: false },
      padding: [6, 6, 0, 0],
      cursor: { y: false, sync: { key: SYNC.key, scales: ["x", null] }, drag: { x: true, y: false, setScale: false }, points: { size: 6 }, focus: { prox: 24 } },
      focus: { alpha: 0.35 },
      scales: { x: { time: true }, y: { range: (_, least, most) => this.range(least, most) } },
      axes: [
        { ...axis, size: 24, gap: 7, space: 72, incrs: TIMES, values: times },
        { ...axis, size: wide, gap: 6, space: 34, incrs: (_, __, least, most) => this.steps(least, most), splits: (_, __, least, most, step) => between(least, most, step), values: (_, splits) => this.write(splits) },
      ],
      series: [
        {},
        ...lines.map((line, index) => ({
          label: line.label,
          show: !line.hidden,
          stroke: line.color ?? seriesColor(index),
          width: line.dashed ? 1.2 : 1.6,
          dash: line.dashed ? [4, 4] : undefined,
          alpha: line.dashed ? 0.65 : 1,
          fill: lines.length === 1 && !line.dashed ? color("--accent-soft") : undefined,
          points: { show: true, size: 5, filter: (u, line) => lonely(u.data[line]) },
          spanGaps: false,
        })),
      ],
      hooks: {
        drawClear: [(u) => this.drawBelow(u)],
        draw: [(u) => this.drawMarks(u)],
        setCursor: [(u) => this.moveTip(u)],
        setSelect: [(u) => this.zoom(u)],
      },
    };
  }

  // Room above and below, and never an axis without height. Quantities that start at 0 show it.
  range(least, most) {
    if (this.heat) return this.heat.range();
    const [first, last] = [least, most];
    const room = Math.max(last - first, Math.abs(last) * 0.2);
    for (const band of this.bands) {
      if (band.from > this.stretch.to || band.to < this.stretch.from) continue;
      // What cannot be negative needs no room below 0, and a wide band may not make a curve flat.
      const [low, high] = [least >= 0 ? Math.max(band.low, 0) : band.low, band.high];
      if (low >= first - room) least = Math.min(least, low);
      if (high <= last + room) most = Math.max(most, high);
    }
    if (!Number.isFinite(least) || !Number.isFinite(most)) return [0, 1];
    if (least === most && this.unit === "unix") return [least - 86400, most + 86400];
    if (least === most) return least === 0 ? [0, 1] : [Math.min(0, least * 1.25), Math.max(0, most * 1.25)];
    const edge = (most - least) * 0.08;
    const low = least >= 0 && (this.perSecond || least < (most - least) * 0.6) ? 0 : least - edge;
    return [low, most + edge];
  }

  steps(least, most) {
    return this.heat ? [1, 2, 5, 10, 20, 50, 100, 200, 500] : axisSteps(Math.max(Math.abs(least), Math.abs(most)), this.unit, this.perSecond);
  }

  write(splits) {
    return this.heat ? splits.map((row) => this.heat.write(row)) : axisNumbers(splits, this.unit, this.perSecond);
  }

  drawBelow(u) {
    const { ctx } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    if (this.heat) this.heat.draw(u);
    ctx.fillStyle = color("--ok");
    for (const band of this.bands) {
      const { min, max } = u.scales.y;
      const [left, right] = [u.valToPos(band.from, "x", true), u.valToPos(Math.min(band.to, this.stretch.to), "x", true)];
      const [low, high] = this.heat ? [this.heat.rowOf(band.low), this.heat.rowOf(band.high)] : [band.low, band.high];
      const [top, bottom] = [u.valToPos(Math.min(high, max), "y", true), u.valToPos(Math.max(low, min), "y", true)];
      ctx.globalAlpha = 0.13;
      ctx.fillRect(left, top, Math.max(right - left, 2), Math.max(bottom - top, 1));
    }
    ctx.restore();
  }

  drawMarks(u) {
    const { ctx } = u;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    for (const mark of this.marks) {
      if (mark.at < this.stretch.from || mark.at > this.stretch.to) continue;
      const x = u.valToPos(mark.at, "x", true);
      const paint = color(mark.response ? "--ok" : mark.severity === "info" ? "--accent" : mark.severity === "warning" ? "--warn" : "--bad");
      ctx.strokeStyle = ctx.fillStyle = paint;
      ctx.lineWidth = ratio;
      // What happened to another metric is fainter.
      ctx.globalAlpha = mark.own || mark.response ? 1 : 0.45;
      // An anomaly hangs from the top and a response stands on the axis; their dashes take turns.
      const bottom = u.bbox.top + u.bbox.height;
      const [foot, tip] = mark.response ? [bottom + 6 * ratio, bottom] : [u.bbox.top - 6 * ratio, u.bbox.top];
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.lineDashOffset = mark.response ? 3 * ratio : 0;
      ctx.beginPath();
      ctx.moveTo(x, u.bbox.top);
      // What is only worth knowing does not go through the curves.
      ctx.lineTo(x, mark.severity === "info" ? u.bbox.top + 12 * ratio : bottom);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x, tip);
      ctx.lineTo(x - 4 * ratio, foot);
      ctx.lineTo(x + 4 * ratio, foot);
      ctx.fill();
    }
    ctx.restore();
  }

  moveTip(u) {
    const { idx, left, top } = u.cursor;
    const away = idx === null || idx === undefined || left < 0 || !this.frame.matches(":hover, :focus");
    this.tip.style.display = away ? "none" : "block";
    if (away) return;
    const near = (this.stretch.to - this.stretch.from) / 60;
    const at = this.times[idx];
    const rows = this.heat ? this.heatRows(u) : this.lineRows(idx);
    const reasons = this.marks.filter((mark) => Math.abs(mark.at - at) < near).slice(0, 3).map((mark) => el("p", { class: mark.response ? "done" : mark.severity }, mark.text));
    this.tip.replaceChildren(el("time", {}, time(at)), ...rows, ...reasons);
    const width = this.frame.clientWidth;
    const x = left + u.bbox.left / (devicePixelRatio || 1);
    this.tip.style.maxWidth = `${Math.min(340, Math.max(x, width - x) - 12)}px`;
    this.tip.style.left = x > width / 2 ? "" : `${x + 12}px`;
    this.tip.style.right = x > width / 2 ? `${width - x + 12}px` : "";
    this.tip.style.top = `${Math.max(0, Math.min(top - 10, this.frame.clientHeight - this.tip.offsetHeight))}px`;
  }

  lineRows(idx) {
    return this.lines
      .map((line, index) => ({ line, index, value: line.values[idx] }))
      .filter(({ line, value }) => !line.hidden && value !== null && value !== undefined)
      .sort((a, b) => b.value - a.value)
      .slice(0, MOST_ROWS)
      .map(({ line, index, value }) => {
        const key = el("i");
        key.style.background = line.color ?? seriesColor(index);
        return el("div", {}, key, el("span", {}, line.label || "value"), el("b", {}, number(value, this.unit, this.perSecond, 5)));
      });
  }

  heatRows(u) {
    const found = this.heat.tell(u.posToVal(u.cursor.left, "x"), Math.floor(u.posToVal(u.cursor.top, "y")));
    return found ? [el("div", {}, el("span", {}, found.range), el("b", {}, `${found.count} times`))] : [];
  }

  // Reads the plot by the keyboard; returns what there is to say.
  move(by) {
    const u = this.uplot;
    if (!u || !this.times.length) return "";
    const last = this.times.length - 1;
    const at = Math.max(0, Math.min(last, (u.cursor.left >= 0 ? (u.cursor.idx ?? last) : last + (by < 0 ? 1 : 0)) + by));
    u.setCursor({ left: u.valToPos(this.times[at], "x"), top: u.over.clientHeight / 3 });
    return [...this.tip.children].map((row) => [...row.childNodes].map((part) => part.textContent).filter(Boolean).join(" ")).join(", ");
  }

  zoom(u) {
    if (u.select.width < 8) return;
    const [from, to] = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.onZoom?.(from, to);
  }

  resize() {
    this.uplot?.setSize({ width: Math.max(this.frame.clientWidth, 120), height: Math.max(this.frame.clientHeight, 100) });
  }

  image() {
    return this.uplot?.ctx.canvas ?? null;
  }

  destroy() {
    this.uplot?.destroy();
    this.uplot = null;
    this.tip.remove();
  }
}

// Points with nothing on either side, which no line would show.
function lonely(values) {
  const found = [];
  let before = null;
  let candidate = -1;
  values.forEach((value, index) => {
    if (value === undefined) return;
    if (candidate >= 0 && value === null) found.push(candidate);
    candidate = value !== null && before === null ? index : -1;
    before = value;
  });
  if (candidate >= 0) found.push(candidate);
  return found;
}

// Under the axis; what would not fit in at its right end is left out.
function times(u, splits, axis, space, step) {
  const end = u.bbox.width / (devicePixelRatio || 1) - 20;
  return splits.map((at) => (u.valToPos(at, "x") > end ? "" : axisTime(at, step)));
}

// The places of an axis's lines, multiples of its step.
function between(least, most, step) {
  const first = Math.ceil(least / step - 1e-6);
  const count = Math.min(50, Math.floor(most / step + 1e-6) - first + 1);
  return Array.from({ length: Math.max(count, 0) }, (_, index) => (first + index) * step);
}

// An axis as wide as its longest number.
function wide(u, values, index, cycle) {
  const axis = u.axes[index];
  if (cycle > 1) return axis._size;
  const longest = (values ?? []).reduce((long, text) => (text.length > long.length ? text : long), "");
  u.ctx.font = axis.font[0];
  return Math.max(24, Math.ceil(axis.gap + u.ctx.measureText(longest).width / (devicePixelRatio || 1)));
}
