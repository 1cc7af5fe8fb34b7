// Every metric the search finds, one card each.

import { Card } from "./card.js";
import * as data from "./data.js";
import { el, fill } from "./dom.js";
import { filters } from "./filters.js";
import { find } from "./search.js";
import { state } from "./state.js";

// More cards at once would be hard to read; the rest is a click away.
const PAGE = 60;

// The program's own first, then the machine's, then what the library says of itself.
const rank = ({ name }) => (name.startsWith("nissa_") ? 2 : /^(node|process|container|gpu|tokio)_/.test(name) ? 1 : 0);
const counted = (count, noun) => `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;

// Keeps the cards of families that stay, so that a redraw loads nothing twice.
export class Cards {
  constructor() {
    this.known = new Map();
  }

  place(element, families, options = {}) {
    const wanted = new Map(families.map((family) => [data.familyKey(family), family]));
    for (const [key, card] of this.known) {
      if (!wanted.has(key)) {
        card.remove();
        this.known.delete(key);
      }
    }
    const cards = [...wanted].map(([key, family]) => {
      let card = this.known.get(key);
      if (card) card.take(family);
      else this.known.set(key, (card = new Card(family, options)));
      return card.element;
    });
    if (cards.length !== element.children.length || cards.some((card, at) => element.children[at] !== card)) fill(element, cards);
  }

  close() {
    this.known.forEach((card) => card.remove());
    this.known.clear();
  }
}

export function metrics(main) {
  const [small, large] = [new Cards(), new Cards()];
  const title = el("h2");
  const focus = el("div", { class: "grid" });
  const grid = el("div", { class: "grid" });
  const more = el("button", { type: "button", onclick: () => ((most += PAGE), update()) }, "Show more");
  const empty = el("p", { class: "empty" });
  let most = PAGE;
  let asked = state().q;
  const labels = filters();
  fill(main, title, labels.element, focus, grid, el("p", {}, more), empty);

  function update() {
    const { q, focus: name } = state();
    title.hidden = !data.connection().at;
    if (q !== asked) [asked, most] = [q, PAGE];
    const found = find(data.families(), q).sort((a, b) => rank(a) - rank(b));
    const series = found.reduce((sum, family) => sum + family.series.length, 0);
    fill(title, "Metrics", el("small", {}, `${counted(found.length, "metric")}, ${counted(series, "line")}${q ? " found" : ""}`));
    large.place(focus, found.filter((family) => family.name === name), { wide: true });
    small.place(grid, found.filter((family) => family.name !== name).slice(0, most));
    more.hidden = found.length <= most;
    empty.hidden = found.length > 0 || !data.connection().at;
    const none = "No metric has been recorded yet. The first one appears here by itself.";
    empty.textContent = data.families().length ? `Nothing fits “${q.slice(0, 200)}”. Try a part of a name, label=value or /regex/.` : none;
    labels.update(data.families(), q);
  }

  update();
  return { update, alerts: () => undefined, close: () => (small.close(), large.close()) };
}
