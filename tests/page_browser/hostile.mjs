// Names and values that would do harm if anything took them for markup, script or a formula.

import { readFile } from "node:fs/promises";
import { check, live, noComplaints, open, plotted, scenario, shot, tick, until } from "./lib.mjs";

await scenario(async (browser) => {
  const page = await open(browser);
  await live(page);
  await plotted(page, "calm");
  const sound = async (where) => {
    const found = await page.evaluate(() => ({
      harmed: window.harmed,
      foreign: [...document.querySelectorAll("main img, main script, main iframe, main object, main style")].length,
      handlers: [...document.querySelectorAll("*")].filter((one) => one.getAttributeNames().some((name) => name.startsWith("on"))).length,
      polluted: Object.keys(Object.prototype).length,
    }));
    check(`nothing is injected in ${where}`, found.harmed === undefined && !found.foreign && !found.handlers && !found.polluted, found);
  };
  await sound("the overview");
  await page.goto(`${page.url().split("#")[0]}#view=metrics&q=harm`);
  await plotted(page, "harm");
  check("a value is shown as it is", (await page.textContent("main")).includes('<img src=x onerror="window.harmed=1">'));
  await page.hover('article[aria-label="harm"] .u-over');
  await page.waitForTimeout(200);
  await sound("cards, legends and the tooltip");
  await shot(page, "hostile-dark");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check("a name of 20,000 letters does not stretch the page", wide <= 0, wide);

  const card = 'article[aria-label="harm"]';
  await page.hover(card);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(`${card} >> text=CSV`)]);
  const head = (await readFile(await download.path(), "utf8")).split("\r\n")[0];
  check("no field of the CSV begins a formula", !/(^|,)"[=+\-@]/.test(head) && head.includes('"'), head.slice(0, 300));

  const evil = "#view=%3Cimg%20src%3Dx%20onerror%3Dwindow.harmed%3D1%3E&q=%3Cscript%3Ewindow.harmed%3D1%3C%2Fscript%3E&range=__proto__&compare=constructor&theme=%22%3E%3Cimg%3E&to=x&focus=__proto__&__proto__=1";
  await page.goto(`${page.url().split("#")[0]}${evil}`);
  await page.reload();
  await live(page, "an address full of markup is survived");
  await sound("the address");
  await page.fill("#search", "<img src=x onerror=window.harmed=1>");
  await until(page, "a search for markup finds the names that are", () => document.querySelectorAll("main article").length > 0);
  await sound("the search");
  await tick(page, 2);
  const answers = await page.evaluate(async () => Promise.all(["", "page/app.js", "api/live/series"].map(async (path) => {
    const answer = await fetch(path);
    return [path, answer.headers.get("content-type"), answer.headers.get("x-content-type-options"), answer.headers.get("content-security-policy")];
  })));
  const [html, script, series] = answers;
  check("the policy allows the endpoint's own files alone", /default-src 'none'; script-src 'self'; style-src 'self'/.test(html[3]) && !/unsafe/.test(html[3]), html);
  check("types are not guessed", html[2] === "nosniff" && script[2] === "nosniff" && series[2] === "nosniff", answers);
  noComplaints(page);
});
