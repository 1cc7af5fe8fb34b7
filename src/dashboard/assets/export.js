// A card as a file: its figures as CSV, its plot as a picture.

import { color, download, el, seriesColor } from "./dom.js";
import { labelText, number, stamp } from "./format.js";
import { lastOf } from "./lines.js";
import { COMPARES, state } from "./state.js";

export function saveCsv(card) {
  const { now, earlier, heat } = card.answer ?? {};
  const [head, rows] = heat ? counts(heat) : now ? values(card, now, earlier) : [];
  if (!head) return;
  const lines = rows.map(([at, ...row]) => [new Date(at * 1000).toISOString(), ...row.map((value) => value ?? "")].join());
  download(`${safe(card.family.name)}.csv`, new Blob([[["time", ...head].map(field).join(), ...lines].join("\r\n")], { type: "text/csv" }));
}

// A field that a spreadsheet would run as a formula is kept as text.
const field = (text) => `"${(/^[=+\-@\t\r]/.test(text) ? "'" + text : text).replaceAll('"', '""')}"`;

// A compared range has columns of its own, at the times that it is drawn at.
function values(card, now, earlier) {
  const name = (line) => line.title ?? (labelText(line.labels) || card.family.name);
  const both = [{ ...now, tail: "" }, ...(earlier ? [{ ...earlier, tail: `, ${COMPARES[state().compare]}` }] : [])];
  const times = [...new Set(both.flatMap((one) => one.times))].sort((a, b) => a - b);
  const columns = both.flatMap((one) => {
    const place = new Map(one.times.map((at, index) => [at, index]));
    return one.lines.map((line) => ({ head: name(line) + one.tail, read: (at) => line.values[place.get(at)] }));
  });
  return [columns.map((column) => column.head), times.map((at) => [at, ...columns.map((column) => column.read(at))])];
}

// A heatmap: how many there were up to each bound, and above the one before.
function counts({ times, bounds, columns }) {
  return [bounds.map((bound) => `le=${bound === Infinity ? "+Inf" : bound}`), times.map((at, index) => [at, ...columns[index]])];
}

const EDGE = 16;
const LINE = 22;

// The plot with its name, its times and its lines, as large as it is seen.
export function savePng(card) {
  const source = card.plot?.image();
  if (!source) return;
  const ratio = devicePixelRatio || 1;
  const width = source.width / ratio + 2 * EDGE;
  const canvas = el("canvas");
  const ctx = canvas.getContext("2d");
  const font = (weight, size) => (ctx.font = `${weight} ${size}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`);
  font(400, 12);
  const keys = laidOut(ctx, card, width - 2 * EDGE);
  const top = 56;
  const height = top + source.height / ratio + (keys.length ? keys.at(-1).y + LINE : 0) + EDGE;
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  ctx.scale(ratio, ratio);
  ctx.fillStyle = color("--panel");
  ctx.fillRect(0, 0, width, height);
  ctx.fillStyle = color("--text");
  font(600, 15);
  ctx.fillText(card.family.name.slice(0, 200), EDGE, 26, width - 2 * EDGE);
  ctx.fillStyle = color("--soft");
  font(400, 12);
  const { from, to } = card.plot.stretch;
  ctx.fillText([`${stamp(from)} – ${stamp(to)}`, card.what.textContent].filter(Boolean).join("  ·  "), EDGE, 46, width - 2 * EDGE);
  ctx.drawImage(source, EDGE, top, source.width / ratio, source.height / ratio);
  for (const key of keys) drawKey(ctx, key, top + source.height / ratio + LINE);
  canvas.toBlob((blob) => blob && download(`${safe(card.family.name)}.png`, blob));
}

// Where the names of the lines go, row by row.
function laidOut(ctx, card, width) {
  let [x, y] = [0, 0];
  return (card.shown ?? []).flatMap((line, index) => {
    if (line.hidden) return [];
    const text = `${line.label.slice(0, 80) || "value"}  ${number(lastOf(line.values), card.unit, card.rate)}`;
    const long = Math.min(ctx.measureText(text).width + 36, width);
    if (x + long > width) [x, y] = [0, y + LINE];
    const key = { x: x + EDGE, y, text, long: long - 36, paint: line.color ?? seriesColor(index), dashed: line.dashed };
    x += long;
    return [key];
  });
}

function drawKey(ctx, { x, y, text, long, paint, dashed }, top) {
  ctx.strokeStyle = paint;
  ctx.lineWidth = 2;
  ctx.setLineDash(dashed ? [3, 3] : []);
  ctx.beginPath();
  ctx.moveTo(x, top + y - 4);
  ctx.lineTo(x + 14, top + y - 4);
  ctx.stroke();
  ctx.fillStyle = color("--text");
  ctx.fillText(text, x + 20, top + y, long);
}

function safe(name) {
  return name.replace(/[^\w.-]+/g, "_").slice(0, 80) || "metric";
}
