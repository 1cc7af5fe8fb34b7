// Counts per bucket over time, painted below an empty plot; one row per bucket.

import { color } from "./dom.js";
import { number } from "./format.js";

export class Heat {
  // columns: for each time the counts of all buckets; bounds: their upper bounds.
  constructor(times, bounds, columns, unit) {
    Object.assign(this, { times, bounds, columns, unit });
    const used = bounds.map((_, row) => columns.some((column) => column[row] > 0));
    this.low = Math.max(0, used.indexOf(true) - 1);
    this.high = Math.min(bounds.length, used.lastIndexOf(true) + 2);
    if (!used.includes(true)) [this.low, this.high] = [0, bounds.length];
    this.most = columns.reduce((most, column) => column.reduce((a, b) => Math.max(a, b), most), 1);
    // Steps in which nothing was recorded are left out, so the shortest is the true one.
    this.step = times.reduce((least, time, at) => (at ? Math.min(least, time - times[at - 1]) : least), Infinity);
    if (!Number.isFinite(this.step)) this.step = 1;
  }

  range() {
    return [this.low, this.high];
  }

  // Where a value lies among the rows.
  rowOf(value) {
    const row = this.bounds.findIndex((bound) => bound >= value);
    if (row < 0) return this.bounds.length;
    const [from, to] = [this.bounds[row - 1] ?? 0, this.bounds[row]];
    return row + (Number.isFinite(to) && to > from ? Math.max(0, (value - from) / (to - from)) : 0.5);
  }

  // What a reader points at: between which bounds, and how many there were.
  tell(at, row) {
    const index = this.times.findIndex((time) => time >= at);
    const count = this.columns[index]?.[row];
    if (count === undefined || at < this.times[index] - this.step) return null;
    const [from, to] = [this.bounds[row - 1], this.bounds[row]];
    const above = from === undefined ? "" : number(from, this.unit);
    const range = to === Infinity ? `above ${above}` : above ? `${above} to ${number(to, this.unit)}` : `up to ${number(to, this.unit)}`;
    return { at: this.times[index], range, count };
  }

  write(row) {
    const bound = this.bounds[Math.round(row) - 1];
    return Math.abs(row - Math.round(row)) > 0.01 || bound === undefined ? "" : bound === Infinity ? "∞" : number(bound, this.unit);
  }

  draw(u) {
    const { ctx } = u;
    const tall = Math.abs(u.valToPos(1, "y", true) - u.valToPos(0, "y", true));
    ctx.fillStyle = color("--accent");
    this.columns.forEach((column, index) => {
      const left = u.valToPos(this.times[index] - this.step, "x", true);
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
