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

// A tick that the page has taken: its live figures are drawn after this.
export async function tick(page, count = 1) {
  for (let done = 0; done < count; done++) {
    await ask("tick 1");
    await page.waitForTimeout(30);
  }
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
  const state = () => page.evaluate(() => document.querySelector("#live").dataset.state);
  while ((await state()) !== "live" && Date.now() < deadline) {
    await ask("tick 1");
    await page.waitForTimeout(200);
  }
  check(what, (await state()) === "live", await state());
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
