// Numbers, times and label sets as people read them.

const SI = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const IEC = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];

function digits(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return value.toExponential(2);
  if (size >= 100) return value.toFixed(size >= 1000 || Number.isInteger(value) ? 0 : 1);
  return String(Number(value.toPrecision(size >= 10 ? 4 : 3)));
}

function scaled(value, steps, unit) {
  const step = steps.find(([factor]) => Math.abs(value) >= factor);
  return step ? `${digits(value / step[0])} ${step[1]}${unit}` : `${digits(value)}${unit ? " " + unit : ""}`;
}

function seconds(value) {
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size < 1e-6) return `${digits(value * 1e9)} ns`;
  if (size < 1e-3) return `${digits(value * 1e6)} µs`;
  if (size < 1) return `${digits(value * 1e3)} ms`;
  if (size < 120) return `${digits(value)} s`;
  if (size < 7200) return `${digits(value / 60)} min`;
  if (size < 172800) return `${digits(value / 3600)} h`;
  return `${digits(value / 86400)} d`;
}

// The unit is the described one, or what the name ends with.
export function unitOf(family) {
  if (family.unit && family.unit !== "count") return family.unit;
  const name = family.name.replace(/_total$/, "");
  const known = ["seconds", "bytes", "ratio", "celsius", "watts", "joules", "hertz"];
  return known.find((unit) => name.endsWith("_" + unit)) ?? "";
}

export function number(value, unit = "", perSecond = false) {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  const tail = perSecond ? "/s" : "";
  switch (unit) {
    case "seconds": return perSecond ? `${digits(value)} s/s` : seconds(value);
    case "milliseconds": return perSecond ? `${digits(value)} ms/s` : seconds(value / 1e3);
    case "bytes": return scaled(value, IEC, "") .replace(/(\d)$/, "$1 B") + tail;
    case "ratio": return `${digits(value * 100)} %${tail}`;
    case "percent": return `${digits(value)} %${tail}`;
    case "celsius": return `${digits(value)} °C`;
    case "watts": return scaled(value, SI, "W");
    case "joules": return perSecond ? scaled(value, SI, "W") : scaled(value, SI, "J");
    case "hertz": return scaled(value, SI, "Hz");
    default: return Math.abs(value) >= 1e4 && Math.abs(value) < 1e15 ? scaled(value, SI, "") + tail : digits(value) + tail;
  }
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dated = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export function time(unix, now = Date.now() / 1000) {
  return (Math.abs(now - unix) < 43200 ? clock : dated).format(unix * 1000);
}

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

// A word before the unit of a plot's readout.
export function isCounter(family) {
  return family.kind === "counter";
}
