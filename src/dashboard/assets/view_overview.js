// At a glance: is it well, what fires, how full is the machine, and the program's own metrics.

import * as data from "./data.js";
import { el, fill } from "./dom.js";
import { time } from "./format.js";
import * as noticed from "./noticed.js";
import { link } from "./state.js";
import { tiles as figures } from "./tiles.js";
import { curves, isTraining } from "./view_training.js";
import { Cards } from "./view_metrics.js";

const OURS = /^(nissa_|node_|process_|container_|gpu_|go_|tokio_)/;
const CARDS = 12;
// In this order; a program without metrics of its own shows all of them.
const MACHINE = [
  "process_cpu_seconds_total", "process_resident_memory_bytes", "gpu_utilization_ratio", "gpu_memory_used_bytes", "node_cpu_seconds_total", "node_memory_MemAvailable_bytes",
  "node_load1", "node_network_receive_bytes_total", "node_network_transmit_bytes_total", "node_disk_read_bytes_total", "node_disk_written_bytes_total", "process_open_fds",
];
const [FEW, MANY] = [4, 9];

export function overview(main) {
  const banner = el("div");
  const tiles = el("div", { class: "tiles" });
  const groups = el("div");
  const empty = el("p", { class: "empty", hidden: true }, "No metric has been recorded yet. The first one appears here by itself.");
  let told = "";
  const sections = new Map();
  fill(main, banner, tiles, empty, groups);

  function update() {
    const families = data.families();
    const own = families.filter((family) => !OURS.test(family.name) && !noticed.RESPONSES.test(family.name));
    const front = isTraining() ? curves() : [];
    const shown = [...front, ...own.filter((family) => !front.includes(family))].slice(0, CARDS);
    const machine = MACHINE.flatMap((name) => data.family(name) ?? []).slice(0, shown.length ? FEW : MANY);
    section("Your metrics", shown, own.length > shown.length ? `all ${own.length}` : "");
    section("Machine", machine, "");
    // Nothing is said before the program has been heard.
    empty.hidden = families.length > 0 || !data.connection().at;
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

  const drawTiles = () => fill(tiles, figures());

  // Said anew only when it has changed: screen readers speak it at once.
  function drawBanner() {
    const now = noticed.firing();
    const [first] = now;
    const words = first ? [first.metric, first.reason, first.first, now.length].join() : "";
    if (words === told) return;
    told = words;
    if (!first) return void fill(banner);
    const rest = now.length > 1 ? ` and ${now.length - 1} more` : "";
    fill(banner, el("div", { class: "banner", role: "alert" }, el("b", {}, `${first.metric}${rest}`), el("span", {}, first.reason), el("small", {}, `since ${time(first.first)}`), el("a", { href: link({ view: "anomalies" }) }, "details")));
  }

  update();
  return { update, tick: drawTiles, alerts: () => (drawTiles(), drawBanner()), close: () => sections.forEach((known) => known.cards.close()) };
}
