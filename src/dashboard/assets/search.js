// The search box: words, label=value, /regex/; all must fit.

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
    const value = word.slice(at + (not ? 2 : 1)).toLowerCase();
    return (_, labels) => (labels[name] !== undefined && labels[name].toLowerCase().includes(value)) !== not;
  }
  const text = word.toLowerCase();
  return (family, labels) =>
    family.name.toLowerCase().includes(text) || Object.values(labels).some((v) => v.toLowerCase().includes(text));
}

// The families that fit, each with those of its series that do.
export function find(families, query) {
  const terms = query.trim().split(/\s+/).filter(Boolean).map(term);
  if (!terms.length) return [...families];
  const found = [];
  for (const family of families) {
    const series = family.series.filter((one) => terms.every((fits) => fits(family, one.labels)));
    if (series.length) found.push({ ...family, series });
  }
  return found;
}
