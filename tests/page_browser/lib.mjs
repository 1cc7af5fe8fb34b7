// What all scripts share: the browser, the program's answers, and checks that say what they saw.

import { createInterface } from "node:readline";

const [, , base, chromium, shots] = process.argv;
const { chromium: engine } = await import(process.env.NISSA_PLAYWRIGHT);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
// Longer than anything takes that works, on a machine that does much else.
export const SOON = Number(process.env.NISSA_SOON ?? 60000);

export { base };

// Asks the program to do something; it has when this returns.
export async function ask(words) {
  console.log(`? ${words}`);
  return (await answers.next()).value;
}

export function check(what, holds, seen = "") {
  console.log(`${holds ? "ok" : "FAILED"} ${what}${holds || seen === "" ? "" : `: ${JSON.stringify(seen)}`}`);
}

export const figure = (what, value) => console.log(`figure ${what}: ${value}`);

// Waits until `read` in the page gives something that is true, and returns it.
export async function until(page, what, read, argument) {
  try {
    const handle = await page.waitForFunction(read, argument, { timeout: SOON, polling: 100 });
    check(what, true);
    return await handle.jsonValue();
  } catch (error) {
    check(what, false, error.message.split("\n")[0]);
    return undefined;
  }
}

// Ticks that the page has taken: its live figures are drawn after this.
export async function tick(page, count = 1) {
  let told = 0;
  for (let done = 0; done < count; done++) told = Number(await ask("tick 1"));
  const taken = async (told) => (await import("./page/data.js")).connection().at >= told - 0.01;
  await page.waitForFunction(taken, told, { timeout: SOON, polling: 20 }).catch((error) => check("the page takes a tick", false, error.message));
}

export const shot = (page, name) => page.screenshot({ path: `${shots}/${name}.png` });

// A page that notes every complaint of the browser: errors, violations, refusals.
export async function open(browser, address = "", options = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, colorScheme: "dark", ...options });
  const page = await context.newPage();
  page.complaints = [];
  // A program that is not well answers 503 at /health, which browsers note as if it were a fault.
  const ill = (message) => message.location().url.endsWith("/health") && message.text().includes("503");
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && !ill(message) && page.complaints.push(`${message.text()} ${message.location().url}`));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("request", (request) => !/^(data|blob):/.test(request.url()) && !request.url().startsWith(base) && page.complaints.push(`asks ${request.url()}`));
  page.on("dialog", (dialog) => (page.complaints.push("a dialog"), dialog.dismiss()));
  await page.goto(`${base}/${address}`);
  return page;
}

// A page is live with the first tick that it takes.
export async function live(page, what = "the page is live") {
  const deadline = Date.now() + SOON;
  const state = () => document.querySelector("#live").dataset.state === "live";
  let is = false;
  while (!is && Date.now() < deadline) {
    await ask("tick 1");
    is = await page.waitForFunction(state, undefined, { timeout: 1000, polling: 20 }).then(() => true, () => false);
  }
  check(what, is, await page.evaluate(() => document.querySelector("#live").dataset.state));
}

// How far the page is wider than its window.
export const wider = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

// The least contrast of any text and what lies behind it, as WCAG counts it.
export async function readable(page, what) {
  const worst = await page.evaluate(contrast);
  check(what, worst.ratio >= 4.5, worst);
}

function contrast() {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parsed = (color) => {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = color;
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = probe.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], ground) => [r, g, b].map((one, at) => one * a + ground[at] * (1 - a));
  const behind = (element) => {
    const own = element ? parsed(getComputedStyle(element).backgroundColor) : [255, 255, 255, 1];
    return own[3] === 1 || !element ? own.slice(0, 3) : over(own, behind(element.parentElement));
  };
  const light = (color) => {
    const [r, g, b] = color.map((one) => one / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const written = [...document.querySelectorAll("body *")].filter(
    (one) => one.checkVisibility() && !one.closest(":disabled, option, noscript, .sr, .skip") && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()),
  );
  let worst = { ratio: 21 };
  for (const element of written) {
    const ground = behind(element);
    const [a, b] = [light(over(parsed(getComputedStyle(element).color), ground)), light(ground)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: element.textContent.trim().slice(0, 60), of: element.outerHTML.slice(0, 100) };
  }
  return worst;
}

export const plotted = (page, name, what = `${name} is plotted`) =>
  until(page, what, (name) => document.querySelector(`article[aria-label="${name}"] canvas`) !== null, name);

export const noComplaints = (page, what = "nothing to complain about in the console") => check(what, page.complaints.length === 0, page.complaints);

// Runs a scenario; a script that throws fails.
export async function scenario(run) {
  const browser = await engine.launch({ executablePath: chromium, args: ["--no-sandbox"] });
  try {
    await run(browser);
  } catch (error) {
    check("the script runs to its end", false, String(error.stack));
  }
  await browser.close();
  process.exit(0);
}
