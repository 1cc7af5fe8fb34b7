// One choice for each label that tells many lines apart; what is chosen goes into the search.

import { el, keep } from "./dom.js";
import { chosen, find, narrowed } from "./search.js";
import { state, update } from "./state.js";

const MOST_LABELS = 6;
const MOST_VALUES = 100;

// Quotes are what a search tells values by.
const sayable = (text) => text !== "" && text.length <= 60 && !/["\s]/.test(text.replaceAll(" ", ""));

export function filters() {
  const element = el("div", { class: "filters", role: "group", "aria-label": "Label filters" });

  // Labels of what is found, and all values of each that the rest of the search leaves.
  function offered(families, query) {
    const found = new Map();
    for (const family of find(families, query)) {
      for (const { labels } of family.series) for (const name of Object.keys(labels)) found.set(name, (found.get(name) ?? 0) + 1);
    }
    const names = [...found].sort((a, b) => b[1] - a[1]).map(([name]) => name);
    return names.filter((name) => /^[a-z_]\w{0,39}$/i.test(name)).slice(0, 2 * MOST_LABELS).flatMap((name) => {
      const values = new Set();
      for (const family of find(families, narrowed(query, name, ""))) for (const { labels } of family.series) if (Object.hasOwn(labels, name)) values.add(labels[name]);
      const now = chosen(query, name);
      const some = [...values].filter(sayable).sort();
      return now || (some.length > 1 && some.length <= MOST_VALUES) ? [{ name, now, values: now && !some.includes(now) ? [now, ...some] : some }] : [];
    }).slice(0, MOST_LABELS);
  }

  function choice({ name, now, values }) {
    const make = () => {
      const select = el("select", { onchange: () => update({ q: narrowed(state().q, name, select.value) }) });
      return el("label", {}, el("span", {}, name), select);
    };
    const refresh = ({ lastChild: select }) => {
      keep(select, [["", () => el("option", { value: "" }, "all")], ...values.map((value) => [`=${value}`, () => el("option", { value }, value)])]);
      select.value = now;
      select.classList.toggle("set", now !== "");
    };
    return [name, make, refresh];
  }

  let seen = "";
  function show(families, query) {
    const size = families.reduce((sum, family) => sum + family.series.length, 0);
    const shape = `${query}\n${size}`;
    if (shape === seen) return;
    seen = shape;
    keep(element, offered(families, query).map(choice));
    element.hidden = !element.children.length;
  }
  return { element, update: show };
}
