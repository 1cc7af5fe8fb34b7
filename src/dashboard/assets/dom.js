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

export function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Far apart in hue, and readable on both grounds.
const HUES = [172, 268, 38, 205, 342, 96, 300, 18, 228, 140];

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
