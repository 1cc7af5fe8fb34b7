// Elements. Text is always a text node: what a program names its metrics is never read as markup.

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// Children by their keys, [key, make, refresh]: those that stay are kept, and with them the focus,
// and a click that is half done.
export function keep(element, wanted) {
  const known = (element.kept ??= new Map());
  const children = wanted.map(([key, make, refresh]) => {
    const child = known.get(key) ?? make();
    refresh?.(child);
    return [key, child];
  });
  element.kept = new Map(children);
  if (children.length !== element.children.length || children.some(([, child], at) => element.children[at] !== child)) fill(element, children.map(([, child]) => child));
}

// Breaks a long name after its underscores rather than anywhere.
export function breakable(name) {
  return name.slice(0, 300).split(/(?<=[_./:-])/).flatMap((part) => [part, el("wbr")]);
}

export function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Far apart in hue, and readable on both grounds.
const HUES = [172, 268, 38, 205, 342, 96, 300, 18, 228, 140, 58, 320];

export function seriesColor(index) {
  const light = document.documentElement.dataset.theme === "light";
  return `hsl(${HUES[index % HUES.length]} ${light ? "64% 40%" : "68% 64%"})`;
}

// A curve of a few numbers without axes.
export function sparkline(values) {
  const SPACE = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("viewBox", "0 0 100 26");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const known = values.filter((value) => Number.isFinite(value));
  if (known.length < 2) return svg;
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const height = most - least || 1;
  let path = "";
  let pen = "M";
  values.forEach((value, index) => {
    if (!Number.isFinite(value)) return void (pen = "M");
    path += `${pen}${((index / (values.length - 1)) * 100).toFixed(2)} ${(24 - ((value - least) / height) * 22).toFixed(2)}`;
    pen = "L";
  });
  const line = document.createElementNS(SPACE, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export function download(name, blob) {
  const address = URL.createObjectURL(blob);
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
