// What was noticed and what was done: health, anomalies, and responses, which plots mark.

import * as data from "./data.js";
import { labelText } from "./format.js";
import { stretch } from "./state.js";

// A counter of this name counts what was done, and its labels say what.
export const RESPONSES = /(^|_)annotations_total$|^training_responses_total$/;

const listeners = [];
let healthNow = null;
let alerts = null;
let responses = [];
let began = null;
let counted = "";

export const onChange = (listener) => listeners.push(listener);
export const health = () => healthNow;
export const anomalies = () => alerts;
// When history begins.
export const since = () => began;
// What somebody should look at; of the rest it is enough that it is listed and marked.
export const firing = () => (alerts ?? []).filter((one) => one.state === "firing" && one.severity !== "info");

const area = (name) => name.split("_", 1)[0];

// Markers and bands for the plots of one family. What happens to a metric of the same first word
// may be the cause, and is marked too; responses are drawn everywhere.
export function marksOf(family) {
  const near = (alerts ?? []).filter((one) => area(one.metric) === area(family.name));
  const own = near.filter((one) => one.metric === family.name);
  const marks = near.map((one) => {
    const own = one.metric === family.name;
    return { at: one.first, severity: one.severity, own, text: own ? one.reason : `${one.metric}: ${one.reason}` };
  });
  const around = 5 * data.pace();
  const bands = own
    .filter((one) => one.low !== null)
    .map((one) => ({ from: one.first - around, to: goesOn(one) ? Infinity : one.last + around, low: one.low, high: one.high }));
  return { marks: [...marks, ...responses], bands };
}

// A rule's alert is seen again and again while it fires; what a watch found was so at one step.
const goesOn = (one) => one.state === "firing" && one.last > one.first && data.now() - one.last < Math.max(20, 10 * data.pace());

// All that happened in the shown stretch, newest first; a response comes after its cause.
export function events() {
  const { from, to } = stretch(data.now());
  const found = (alerts ?? []).map((one) => ({ at: one.first, severity: one.severity, metric: one.metric, text: one.reason }));
  return [...found, ...responses].filter(({ at }) => at >= from && at <= to).sort((a, b) => Math.floor(b.at) - Math.floor(a.at) || Boolean(b.response) - Boolean(a.response));
}

// A critical program answers 503, with the same document.
async function askHealth() {
  const answer = await fetch("health", { cache: "no-store", signal: AbortSignal.timeout(20000) });
  const well = await answer.json();
  for (const one of Object.values(well.resources ?? {})) one.used ??= one.used_ratio;
  healthNow = well;
}

async function askReach() {
  const { tiers, now } = await data.get("api/capacity");
  // A rollup reaches back to where its step began, which may be before the program did.
  const reaches = tiers.map((tier, at) => tier.reach_seconds - (at ? tier.step_seconds : 0));
  const reach = Math.max(0, ...reaches);
  began = reach ? now - reach : null;
}

// A program without detection has no such route.
async function askAlerts() {
  if (!data.family("nissa_alerts")) return void (alerts = null);
  const { anomalies: found } = await data.get("anomalies");
  alerts = found.map((one) => ({
    ...one,
    value: data.number(one.value),
    first: Date.parse(one.first_seen) / 1000,
    last: Date.parse(one.last_seen) / 1000,
    low: one.expected ? data.number(one.expected[0]) : null,
    high: one.expected ? data.number(one.expected[1]) : null,
    labels: one.labels ?? {},
  }));
}

// Each time that such a counter has grown, or began.
async function askResponses() {
  const families = data.families().filter((family) => RESPONSES.test(family.name));
  const now = stretch(data.now());
  const answers = await Promise.all(families.map((family) => data.range(family, false, now, 900)));
  responses = answers.flatMap(({ times, lines }) =>
    lines.flatMap(({ labels, values }) => {
      let before = times[0] - now.from > 3 * data.pace() ? 0 : Infinity;
      return values.flatMap((value, index) => {
        if (value === undefined || value === null) return [];
        const grown = value > before;
        before = value;
        return grown ? [{ at: times[index], response: true, text: Object.values(labels).join(", ") || labelText(labels) || "a response" }] : [];
      });
    }),
  );
}

async function ask(...questions) {
  const before = JSON.stringify([alerts, responses, healthNow?.overall_status, began === null]);
  // What does not answer now is asked again later; the link's own state says what is wrong.
  await Promise.allSettled(questions.map((question) => question()));
  if (JSON.stringify([alerts, responses, healthNow?.overall_status, began === null]) !== before) listeners.forEach((listener) => listener());
}

// The program counts what it notices and does, so a tick tells when there is something to ask.
function look() {
  if (document.hidden) return;
  const news = data.families().filter((family) => family.name === "nissa_anomalies_total" || family.name === "nissa_alerts" || RESPONSES.test(family.name));
  const count = JSON.stringify(news.map((family) => family.series.map((one) => [one.key, one.value])));
  if (count === counted) return;
  counted = count;
  ask(askAlerts, askResponses, askHealth);
}

// The rest changes seldom, and is asked for at leisure.
async function watch() {
  for (let round = 0; ; round++) {
    if (!document.hidden) {
      const due = [askHealth];
      if (round % 15 === 0) due.push(askReach);
      if (round % 15 === 0 || (firing().length && round % 3 === 0)) due.push(askAlerts);
      const before = healthNow?.overall_status;
      await ask(...due);
      if (healthNow?.overall_status !== before) await ask(askAlerts);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(2000, data.pace() * 1000)));
  }
}

export function start() {
  data.onTick(look);
  data.onSeries(look);
  watch();
}

// Another stretch shows other responses.
export function shown(now, before) {
  if (now.range !== before.range || now.to !== before.to) ask(askResponses);
}
