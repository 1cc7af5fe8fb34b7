// Names and values that would do harm if anything took them for markup, script or a formula.

import { readFile } from "node:fs/promises";
import { check, live, noComplaints, open, plotted, scenario, shot, tick, until, wider } from "./lib.mjs";

await scenario(async (browser) => {
  const page = await open(browser);
  await live(page);
  // Of what is first seen now; a card that finds nothing looks again after some ticks.
  await tick(page, 6);
  await until(page, "plots are there", () => document.querySelector("article canvas") !== null);
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
  await until(page, "a tooltip", () => document.querySelector('article[aria-label="harm"] .tip').style.display === "block");
  await sound("cards, legends and the tooltip");
  await shot(page, "hostile-dark");
  for (const query of ["constructor=a", "__proto__=x", "hasOwnProperty=", "!=", "=", '"', '""="', "constructor!=a"]) {
    await page.fill("#search", query);
    await until(page, `a search for ${query} does no harm`, (query) => location.hash.includes(`q=${new URLSearchParams({ q: query }).toString().slice(2)}`), query);
  }
  // Selectors may not be as long as names are.
  for (const [query, name] of [["xxxx", "x"], ["/\"{50}/", '"'], ["\u{1f525}\u{1f525}", "\u{1f525}"]]) {
    await page.fill("#search", query);
    const start = name.repeat(40);
    await until(page, `a name of a kilobyte of ${name} is plotted`, (start) => [...document.querySelectorAll("article")].some((card) => card.getAttribute("aria-label").startsWith(start) && card.querySelector("canvas")), start);
  }
  check("and does not stretch the page", (await wider(page)) <= 0, await wider(page));
  for (const name of ["__proto__", "constructor", "toString", "\u{1f525}.*(", "\u202eeman"]) {
    await page.fill("#search", `name="${name}"`);
    await plotted(page, name, `a metric called ${JSON.stringify(name)} is plotted`);
  }
  await page.fill("#search", "harm value=xxxxx");
  await until(page, "a value of 20,000 letters can be found", () => document.querySelector('article[aria-label="harm"] canvas') && document.querySelectorAll('article[aria-label="harm"] .legend button').length <= 1);
  await page.fill("#search", "harm");
  await until(page, "all of them again", () => document.querySelectorAll('article[aria-label="harm"] .legend button').length > 5);

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
