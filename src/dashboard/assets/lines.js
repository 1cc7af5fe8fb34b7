// Lines over rows of times.

import { key } from "./data.js";
import { seriesColor } from "./dom.js";

export function lastOf(values) {
  for (let index = values.length - 1; index >= 0; index--) if (values[index] !== null && values[index] !== undefined) return values[index];
  return undefined;
}

// Both ranges over one row of times; where one has no point the other's line goes on.
export function merge(times, lines, earlier, shown) {
  const all = [...new Set([...times, ...earlier.times])].sort((a, b) => a - b);
  const place = new Map(all.map((at, index) => [at, index]));
  const spread = (values, own) => {
    const wide = new Array(all.length).fill(undefined);
    own.forEach((at, index) => (wide[place.get(at)] = values[index]));
    return wide;
  };
  const now = lines.map((line) => ({ ...line, values: spread(line.values, times) }));
  const before = shown.flatMap((line, index) => {
    const same = earlier.lines.find((other) => key(other.labels) === key(line.labels) && other.title === line.title);
    if (!same) return [];
    return [{ label: `${lines[index].label || "value"}, earlier`, values: spread(same.values, earlier.times), dashed: true, color: seriesColor(index), hidden: lines[index].hidden }];
  });
  return { times: all, all: [...now, ...before] };
}
