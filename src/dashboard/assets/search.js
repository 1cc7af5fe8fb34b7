// The search box: words, label=part, label="whole value", /regex/; all must fit.

// Quotes hold together what has spaces in it.
const words = (query) => query.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
const unquoted = (text) => text.replaceAll('"', "");

function term(word) {
  if (word.length > 2 && word.startsWith("/") && word.endsWith("/")) {
    try {
      const pattern = new RegExp(word.slice(1, -1), "i");
      return (family, labels) => pattern.test(family.name) || Object.values(labels).some((v) => pattern.test(v));
    } catch {
      return () => false;
    }
  }
  const at = word.search(/!?=/);
  if (at > 0) {
    const not = word[at] === "!";
    const name = word.slice(0, at);
    const given = word.slice(at + (not ? 2 : 1));
    const value = unquoted(given).toLowerCase();
    const fits = given.startsWith('"') ? (text) => text === value : (text) => text.includes(value);
    return (_, labels) => (Object.hasOwn(labels, name) && fits(labels[name].toLowerCase())) !== not;
  }
  const text = unquoted(word).toLowerCase();
  return (family, labels) =>
    family.name.toLowerCase().includes(text) || Object.values(labels).some((v) => v.toLowerCase().includes(text));
}

// The families that fit, each with those of its series that do.
export function find(families, query) {
  const terms = words(query).map(term);
  if (!terms.length) return [...families];
  const found = [];
  for (const family of families) {
    const series = family.series.filter((one) => terms.every((fits) => fits(family, one.labels)));
    if (series.length) found.push({ ...family, series });
  }
  return found;
}

// The query with this label narrowed to one value, or to none in particular.
export function narrowed(query, label, value) {
  const others = words(query).filter((word) => !word.startsWith(`${label}="`));
  return [...others, ...(value ? [`${label}="${value}"`] : [])].join(" ");
}

// What a label is narrowed to.
export function chosen(query, label) {
  const word = words(query).find((one) => one.startsWith(`${label}="`));
  return word ? unquoted(word.slice(label.length + 1)) : "";
}
