// Units: what a metric is measured in, and the steps in which its figures are written.

// What is a multiple of another unit: its base, and how much of that one is.
const BASES = {
  milliseconds: ["seconds", 1e-3], microseconds: ["seconds", 1e-6], nanoseconds: ["seconds", 1e-9],
  kibibytes: ["bytes", 2 ** 10], mebibytes: ["bytes", 2 ** 20], gibibytes: ["bytes", 2 ** 30], tebibytes: ["bytes", 2 ** 40],
  kilobits_per_second: ["bits_per_second", 1e3], megabits_per_second: ["bits_per_second", 1e6],
  gigabits_per_second: ["bits_per_second", 1e9], terabits_per_second: ["bits_per_second", 1e12],
};

const si = (unit) => [[1e12, 1e12, ` T${unit}`], [1e9, 1e9, ` G${unit}`], [1e6, 1e6, ` M${unit}`], [1e3, 1e3, ` k${unit}`], [0, 1, ` ${unit}`]];

// From which size on, by how much it is divided, and what is written behind.
const STEPS = {
  "": [[1e12, 1e12, "T"], [1e9, 1e9, "G"], [1e6, 1e6, "M"], [1e4, 1e3, "k"], [0, 1, ""]],
  seconds: [[172800, 86400, " d"], [7200, 3600, " h"], [120, 60, " min"], [1, 1, " s"], [1e-3, 1e-3, " ms"], [1e-6, 1e-6, " µs"], [0, 1e-9, " ns"]],
  bytes: [[2 ** 40, 2 ** 40, " TiB"], [2 ** 30, 2 ** 30, " GiB"], [2 ** 20, 2 ** 20, " MiB"], [2 ** 10, 2 ** 10, " KiB"], [0, 1, " B"]],
  bits_per_second: si("bit/s"),
  ratio: [[0, 0.01, " %"]],
  percent: [[0, 1, " %"]],
  celsius: [[0, 1, " °C"]],
  watts: si("W"),
  joules: si("J"),
  hertz: si("Hz"),
  cores: [[0, 1, ""]],
};

// Points in time, as seconds since 1970.
const POINTS = /(^|_)(boot_time|start_time|created|timestamp|last_\w+_time)_seconds$/;

// The unit is the described one, or what the name ends with.
export function unitOf(family) {
  const name = family.name.replace(/_total$/, "");
  const described = family.unit && family.unit !== "count" ? family.unit : "";
  const unit = described || (["seconds", "bytes", "ratio", "celsius", "watts", "joules", "hertz"].find((one) => name.endsWith("_" + one)) ?? "");
  if (unit === "seconds" && POINTS.test(name)) return "unix";
  // Processor seconds in a second are processors.
  return unit === "seconds" && family.kind === "counter" && /(^|_)cpu(_(user|system|usage))?_seconds$/.test(name) ? "cores" : unit;
}

// In which step figures of this size are written: [by how much to divide, what to write behind].
export function scale(size, unit, perSecond) {
  if (unit === "count_per_second") [unit, perSecond] = ["", true];
  const [base, multiple] = Object.hasOwn(BASES, unit) ? BASES[unit] : [unit, 1];
  const known = Object.hasOwn(STEPS, base);
  if (perSecond && base === "joules") return scale(size, "watts", false);
  if (perSecond && base === "seconds") return [1 / multiple, " s/s"];
  const steps = known ? STEPS[base] : STEPS[""];
  const real = size * multiple;
  const [, factor, text] = steps.find(([from]) => real >= from) ?? steps.at(-1);
  const tail = perSecond && base !== "cores" ? "/s" : "";
  return [factor / multiple, text + (known ? "" : ` ${base}`) + tail];
}
