// One uPlot: lines, an earlier range dashed beneath them, anomalies and their expected bands.

import { color, el, seriesColor } from "./dom.js";
import { axisTime, number, time } from "./format.js";

const SYNC = uPlot.sync("nissa");

export class Plot {
  // `frame` is the element to fill; `unit` and `perSecond` say how values are written.
  constructor(frame, { unit, perSecond, bands, marks, onZoom, heat }) {
    Object.assign(this, { frame, unit, perSecond, bands: bands ?? [], marks: marks ?? [], onZoom, heat: heat ?? null });
    this.tip = el("div", { class: "tip", role: "presentation" });
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
      cursor: { sync: { key: SYNC.key }, drag: { x: true, y: false, setScale: false }, points: { size: 6 }, focus: { prox: 24 } },
      focus: { alpha: 0.35 },
      scales: { x: { time: true }, y: { range: (_, least, most) => this.range(least, most) } },
      axes: [
        { ...axis, size: 24, gap: 7, space: 76, values: (_, splits, __, ___, step) => splits.map((at) => axisTime(at, step)) },
        { ...axis, size: wide, gap: 6, space: 28, values: (_, splits) => splits.map((value) => this.write(value)) },
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
    for (const band of this.bands) {
      if (band.from > this.stretch.to || band.to < this.stretch.from) continue;
      // What cannot be negative needs no room below 0.
      if (Number.isFinite(band.low)) least = Math.min(least ?? band.low, least >= 0 ? Math.max(band.low, 0) : band.low);
      if (Number.isFinite(band.high)) most = Math.max(most ?? band.high, band.high);
    }
    if (!Number.isFinite(least) || !Number.isFinite(most)) return [0, 1];
    if (least === most) return least === 0 ? [0, 1] : [least - Math.abs(least) * 0.1, most + Math.abs(most) * 0.1];
    const room = (most - least) * 0.08;
    const low = least >= 0 && least < (most - least) * 0.6 ? 0 : least - room;
    return [low, most + room];
  }

  write(value) {
    return this.heat ? this.heat.write(value) : number(value, this.unit, this.perSecond);
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
      const [top, bottom] = [u.valToPos(Math.min(band.high, max), "y", true), u.valToPos(Math.max(band.low, min), "y", true)];
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
      // An anomaly hangs from the top and a response stands on the axis; their dashes take turns.
      const bottom = u.bbox.top + u.bbox.height;
      const [foot, tip] = mark.response ? [bottom + 6 * ratio, bottom] : [u.bbox.top - 6 * ratio, u.bbox.top];
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.lineDashOffset = mark.response ? 3 * ratio : 0;
      ctx.beginPath();
      ctx.moveTo(x, u.bbox.top);
      ctx.lineTo(x, bottom);
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
    const away = idx === null || idx === undefined || left < 0 || !this.frame.matches(":hover");
    this.tip.style.display = away ? "none" : "block";
    if (away) return;
    const at = this.times[idx];
    const rows = this.lines
      .map((line, index) => ({ line, index, value: line.values[idx] }))
      .filter(({ line, value }) => !line.hidden && value !== null && value !== undefined)
      .sort((a, b) => b.value - a.value)
      .slice(0, 10)
      .map(({ line, index, value }) => {
        const key = el("i");
        key.style.background = line.color ?? seriesColor(index);
        return el("div", {}, key, el("span", {}, line.label || "value"), el("b", {}, number(value, this.unit, this.perSecond)));
      });
    const near = (this.stretch.to - this.stretch.from) / 60;
    const reasons = this.marks.filter((mark) => Math.abs(mark.at - at) < near).slice(0, 3).map((mark) => el("p", { class: mark.response ? "done" : null }, mark.text));
    this.tip.replaceChildren(el("time", {}, time(at)), ...rows, ...reasons);
    const width = this.frame.clientWidth;
    const x = left + u.bbox.left / (devicePixelRatio || 1);
    this.tip.style.maxWidth = `${Math.min(340, Math.max(x, width - x) - 12)}px`;
    this.tip.style.left = x > width / 2 ? "" : `${x + 12}px`;
    this.tip.style.right = x > width / 2 ? `${width - x + 12}px` : "";
    this.tip.style.top = `${Math.max(0, Math.min(top - 10, this.frame.clientHeight - this.tip.offsetHeight))}px`;
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

// An axis as wide as its longest number.
function wide(u, values, index, cycle) {
  const axis = u.axes[index];
  if (cycle > 1) return axis._size;
  const longest = (values ?? []).reduce((long, text) => (text.length > long.length ? text : long), "");
  u.ctx.font = axis.font[0];
  return Math.max(24, Math.ceil(axis.gap + u.ctx.measureText(longest).width / (devicePixelRatio || 1)));
}

// Counts per bucket over time, painted below an empty plot; one row per bucket.
export class Heat {
  // columns: for each time the counts of all buckets; bounds: their upper bounds.
  constructor(times, bounds, columns, unit) {
    Object.assign(this, { times, bounds, columns, unit });
    const used = bounds.map((_, row) => columns.some((column) => column && column[row] > 0));
    this.low = Math.max(0, used.indexOf(true) - 1);
    this.high = Math.min(bounds.length, used.lastIndexOf(true) + 2);
    if (!used.includes(true)) [this.low, this.high] = [0, bounds.length];
    this.most = Math.max(1, ...columns.flatMap((column) => column ?? []));
  }

  range() {
    return [this.low, this.high];
  }

  write(row) {
    const bound = this.bounds[Math.round(row) - 1];
    return Math.abs(row - Math.round(row)) > 0.01 || bound === undefined ? "" : bound === Infinity ? "∞" : number(bound, this.unit);
  }

  draw(u) {
    const { ctx } = u;
    const step = this.times.length > 1 ? this.times[1] - this.times[0] : 1;
    const tall = Math.abs(u.valToPos(1, "y", true) - u.valToPos(0, "y", true));
    ctx.fillStyle = color("--accent");
    this.columns.forEach((column, index) => {
      if (!column) return;
      const left = u.valToPos(this.times[index] - step, "x", true);
      const wide = u.valToPos(this.times[index], "x", true) - left;
      column.forEach((count, row) => {
        if (!count) return;
        ctx.globalAlpha = 0.12 + 0.88 * (Math.log1p(count) / Math.log1p(this.most));
        ctx.fillRect(left, u.valToPos(row + 1, "y", true), Math.max(wide - 0.5, 1), tall - 0.5);
      });
    });
    ctx.globalAlpha = 1;
  }
}
