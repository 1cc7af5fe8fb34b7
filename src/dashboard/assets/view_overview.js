// At a glance: is it well, what fires, how full is the machine, and the program's own metrics.

import * as data from "./data.js";
import { el, fill, sparkline } from "./dom.js";
import { number, time } from "./format.js";
import * as noticed from "./noticed.js";
import { link } from "./state.js";
import { curves, isTraining } from "./view_training.js";
import { Cards } from "./view_metrics.js";

const OURS = /^(nissa_|node_|process_|container_|gpu_|go_|tokio_)/;
const CARDS = 12;

export function overview(main) {
  const banner = el("div");
  const tiles = el("div", { class: "tiles" });
  const groups = el("div");
  const sections = new Map();
  fill(main, banner, tiles, groups);

  function update() {
    const families = data.families();
    const own = families.filter((family) => !OURS.test(family.name) && !noticed.RESPONSES.test(family.name));
    const front = isTraining() ? curves() : [];
    const shown = [...front, ...own.filter((family) => !front.includes(family))].slice(0, CARDS);
    const machine = families.filter((family) => /^(process_cpu_seconds_total|process_resident_memory_bytes|node_cpu_seconds_total|node_memory_MemAvailable_bytes|gpu_utilization_ratio|gpu_memory_used_bytes)$/.test(family.name));
    section("Your metrics", shown, own.length > shown.length ? `${own.length} in all` : "");
    section("Machine", machine, "");
    if (!families.length && !groups.querySelector(".empty")) groups.prepend(el("p", { class: "empty" }, "Waiting for the first metric…"));
    if (families.length) groups.querySelector(".empty")?.remove();
    drawTiles();
    drawBanner();
  }

  function section(name, families, note) {
    let known = sections.get(name);
    if (!known) {
      known = { cards: new Cards(), title: el("h2"), grid: el("div", { class: "grid" }) };
      sections.set(name, known);
      groups.append(known.title, known.grid);
    }
    known.title.hidden = !families.length;
    const all = note ? el("a", { href: link({ view: "metrics" }) }, note) : null;
    fill(known.title, name, el("small", {}, all));
    known.cards.place(known.grid, families);
  }

  function drawTiles() {
    const health = noticed.health();
    const list = [];
    if (health) {
      const bad = Object.entries(health.components ?? {}).filter(([, one]) => one.status !== "healthy").map(([name]) => name);
      const all = Object.keys(health.components ?? {}).length;
      list.push(tile("Health", health.overall_status, bad.length ? bad.join(", ") : all ? `${all} components well` : `up ${number(health.uptime_seconds, "seconds")}`, health.overall_status));
    }
    const firing = noticed.firing();
    list.push(tile("Firing now", String(firing.length), firing[0]?.metric ?? "all quiet", firing.length ? "critical" : "healthy"));
    for (const [name, one] of Object.entries(health?.resources ?? {})) list.push(meter(name, one));
    for (const own of data.headline()) list.push(tile(own.title, number(own.value, own.unit, own.rate), own.note, "", own.values));
    fill(tiles, list);
  }

  function drawBanner() {
    const now = noticed.firing();
    if (!now.length) return void fill(banner);
    const [first] = now;
    const rest = now.length > 1 ? ` and ${now.length - 1} more` : "";
    fill(banner, el("div", { class: "banner", role: "alert" }, el("b", {}, `${first.metric}${rest}`), el("span", {}, first.reason), el("span", { class: "spacer" }), el("small", {}, `since ${time(first.first)}`), el("a", { href: link({ view: "anomalies" }) }, "details")));
  }

  update();
  return { update, tick: drawTiles, alerts: () => (drawTiles(), drawBanner()), close: () => sections.forEach((known) => known.cards.close()) };
}

function tile(title, value, note, status, values) {
  return el("div", { class: "tile", "data-status": status }, el("span", {}, title), el("b", {}, value), el("small", { title: note }, note), values ? sparkline(values) : null);
}

function meter(name, one) {
  const share = Math.max(0, Math.min(1, one.used));
  const bar = el("i");
  bar.style.width = `${(share * 100).toFixed(1)}%`;
  return el("div", { class: "tile", "data-status": one.status }, el("span", {}, name.replaceAll("_", " ")), el("b", {}, number(one.used, "ratio")), el("small", {}, `warns at ${number(one.threshold, "ratio")}`), el("div", { class: "meter" }, bar));
}
