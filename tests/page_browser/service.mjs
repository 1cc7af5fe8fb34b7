// A service: search and filters, URL state, pause and compare, export, keyboard, phone, names.

import { readFile } from "node:fs/promises";
import { ask, base, check, live, noComplaints, open, plotted, scenario, shot, tick, until } from "./lib.mjs";

const cards = (page) => page.$$eval("main article", (all) => all.map((card) => card.getAttribute("aria-label")));
const legend = (page, name) => page.$$eval(`article[aria-label="${name}"] .legend button`, (all) => all.map((one) => one.title));
const hash = (page) => page.evaluate(() => location.hash);
const state = (page) => page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.slice(1))));

await scenario(async (browser) => {
  const page = await open(browser);
  await live(page);
  await plotted(page, "http_requests_total");
  await plotted(page, "http_request_duration_seconds");
  await tick(page, 5);
  await shot(page, "service-dark");

  await search(page);
  await views(page);
  await time(page);
  await csv(page);
  await keys(page);
  await names(page);
  noComplaints(page);
  await phone(browser);
});

async function search(page) {
  await page.fill("#search", "http_requests route=/users status=500");
  await until(page, "a search by labels leaves one line", () => [...document.querySelectorAll("main article")].length === 1 && document.querySelector("main h2 small").textContent.includes("1 line"));
  await until(page, "and its plot draws that one", () => document.querySelectorAll('article[aria-label="http_requests_total"] .legend button').length === 1);
  await page.fill("#search", "http_requests status!=500");
  await until(page, "a label that is not a value", () => document.querySelectorAll('article[aria-label="http_requests_total"] .legend button').length === 4);
  const shown = await legend(page, "http_requests_total");
  check("its lines are named by the labels that differ", shown.every((text) => /^route=\/[a-z]*$/.test(text)), shown);
  await page.fill("#search", "/^http_.*seconds$/");
  await until(page, "a regular expression", () => document.querySelectorAll("main article").length === 1);
  check("finds what it says", (await cards(page))[0] === "http_request_duration_seconds", await cards(page));
  await page.fill("#search", "/(/");
  await until(page, "one that is wrong finds nothing, and says so", () => /Nothing fits/.test(document.querySelector("main").textContent));
  await shot(page, "nothing-found");
  await page.fill("#search", "");
  await until(page, "an empty search shows everything", () => document.querySelectorAll("main article").length > 5);
}

async function views(page) {
  await page.fill("#search", "http_request_duration");
  await plotted(page, "http_request_duration_seconds");
  const card = 'article[aria-label="http_request_duration_seconds"]';
  await page.hover(card);
  await page.click(`${card} >> text=expand`);
  await until(page, "a card is made large", () => document.querySelector("article.wide canvas") !== null);
  check("and the address says so", (await state(page)).focus === "http_request_duration_seconds", await hash(page));
  await until(page, "lines of each route", (card) => document.querySelectorAll(`${card} .legend button`).length === 4, card);
  await page.hover(card);
  await page.click(`${card} >> text=heatmap`);
  await until(page, "a heatmap instead", (card) => Boolean(document.querySelector(card).card.plot?.heat), card);
  await shot(page, "heatmap-dark");
  await page.click("#theme");
  check("the button switches the theme", (await page.evaluate(() => document.documentElement.dataset.theme)) === "light");
  await page.waitForTimeout(300);
  await shot(page, "heatmap-light");
  await page.reload();
  await live(page, "it is live again after a reload");
  check("the theme is kept", (await page.evaluate(() => document.documentElement.dataset.theme)) === "light");
  await page.click("#theme");
}

async function time(page) {
  await page.goto(`${base}/#view=metrics&q=http_requests&range=5m`);
  await plotted(page, "http_requests_total");
  await page.click("#ranges >> text=1h");
  check("the range is in the address", (await state(page)).range === "1h", await hash(page));
  await page.selectOption("#compare", "range");
  check("so is what it is compared with", (await state(page)).compare === "range", await hash(page));
  await page.selectOption("#compare", "");
  await page.click("#ranges >> text=5m");
  await page.click("#pause");
  const paused = await state(page);
  check("a pause is a time in the address", Number(paused.to) > 1e9, paused);
  const frozen = () => page.evaluate(() => JSON.stringify(document.querySelector("article").card.plot.stretch));
  await until(page, "the header says that it is paused", () => document.querySelector("#live").dataset.state === "paused");
  const before = await frozen();
  await tick(page, 3);
  check("the plot stands still", (await frozen()) === before);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await plotted(other, "http_requests_total", "the same address shows the same elsewhere");
  check("the same stretch", (await other.evaluate(() => JSON.stringify(document.querySelector("article").card.plot.stretch))) === before);
  check("and the same search", (await other.inputValue("#search")) === "http_requests");
  await other.close();
  await page.click("#pause");
  await until(page, "and goes on", (before) => document.querySelector("article").card.plot && JSON.stringify(document.querySelector("article").card.plot.stretch) !== before, before);
  await page.goBack();
  check("back goes back", Number((await state(page)).to) > 1e9, await hash(page));
  await page.goForward();

  await page.selectOption("#compare", "range");
  await page.goto(`${base}/#view=metrics&q=${encodeURIComponent("http_requests status=200")}&range=5m&compare=range`);
  await until(page, "an earlier range is drawn dashed beneath", () => document.querySelector("article")?.card?.plot?.lines.some((line) => line.dashed));
  await shot(page, "compare-dark");
  await page.goto(`${base}/#view=metrics&q=http_requests&range=5m`);
  await until(page, "until it is not wanted", () => document.querySelector("article")?.card?.plot?.lines.every((line) => !line.dashed));
  // Drag over a plot.
  const box = await (await page.$("article .u-over")).boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.8, box.y + 50, { steps: 5 });
  await page.mouse.up();
  const dragged = await state(page);
  check("dragging looks closer", Number(dragged.to) > 1e9, dragged);
  await page.click("#pause");
}

async function csv(page) {
  await page.fill("#search", "http_requests status=500");
  await until(page, "four lines to save", () => document.querySelectorAll('article[aria-label="http_requests_total"] .legend button').length === 4);
  const card = 'article[aria-label="http_requests_total"]';
  await page.hover(card);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(`${card} >> text=CSV`)]);
  const text = await readFile(await download.path(), "utf8");
  const [head, ...rows] = text.split("\r\n");
  check("the CSV has a name", download.suggestedFilename() === "http_requests_total.csv", download.suggestedFilename());
  check("a column of times and one for each line", head.match(/"[^"]*"/g).length === 5 && head.startsWith('"time","route=/'), head);
  check("and a row for each time", rows.length > 100 && rows.every((row) => /^\d{4}-\d\d-\d\dT[\d:.]+Z,/.test(row) && row.split(",").length === 5), rows[0]);
  await page.hover(card);
  const [picture] = await Promise.all([page.waitForEvent("download"), page.click(`${card} >> text=PNG`)]);
  const bytes = await readFile(await picture.path());
  check("the PNG is one", bytes.subarray(1, 4).toString() === "PNG" && bytes.length > 3000, bytes.length);
  await page.fill("#search", "");
}

async function keys(page) {
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("/");
  check("/ goes to the search", await page.evaluate(() => document.activeElement.id === "search"));
  await page.keyboard.type("worker t5[");
  await until(page, "what is typed there is text", () => document.querySelector("#search").value === "worker t5[");
  await page.keyboard.press("Escape");
  check("Escape leaves it", await page.evaluate(() => document.activeElement.id !== "search" && document.querySelector("#search").value === ""));
  await page.keyboard.press("2");
  check("2 is the second view", (await state(page)).view === "training", await hash(page));
  await page.keyboard.press("1");
  await page.keyboard.press("]");
  check("] is the next range", ["15m", undefined].includes((await state(page)).range), await hash(page));
  await page.keyboard.press(" ");
  check("space pauses", Number((await state(page)).to) > 1e9, await hash(page));
  await page.keyboard.press(" ");
  await page.goto(`${base}/`);
  await live(page);
  const reached = [];
  for (let presses = 0; presses < 14; presses++) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => `${document.activeElement.tagName} ${document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent.trim()}`));
  }
  check("Tab skips to the plots first", reached[0] === "A Skip to the plots", reached);
  check("and reaches views and ranges", ["A Overview", "A Metrics", "BUTTON 5m"].every((one) => reached.includes(one)), reached);
  check("focus is seen", await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== "none"));
}

async function names(page) {
  await page.goto(`${base}/#view=metrics`);
  await plotted(page, "http_requests_total");
  const nameless = await page.evaluate(() => {
    const named = (element) => element.getAttribute("aria-label") || element.textContent.trim() || element.title || element.labels?.[0]?.textContent.trim();
    return [...document.querySelectorAll("a, button, input, select, [role=img]")].filter((element) => !named(element)).map((element) => element.outerHTML.slice(0, 120));
  });
  check("everything that can be used has a name", nameless.length === 0, nameless);
  const landmarks = await page.evaluate(() => ["header", "nav[aria-label]", "main", "h2", "h3"].filter((one) => !document.querySelector(one)));
  check("there are landmarks and headings", landmarks.length === 0, landmarks);
  for (const theme of ["dark", "light"]) {
    const worst = await page.evaluate(contrast, theme);
    check(`text can be read (${theme})`, worst.ratio >= 4.5, worst);
  }
}

// The least contrast of text and its ground, as WCAG counts it.
function contrast(theme) {
  document.documentElement.dataset.theme = theme;
  const probe = document.createElement("canvas").getContext("2d");
  const light = (color) => {
    probe.fillStyle = color;
    const channels = [1, 3, 5].map((at) => parseInt(probe.fillStyle.slice(at, at + 2), 16) / 255);
    const [r, g, b] = channels.map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(name).trim();
  const pairs = ["--text", "--soft", "--faint", "--ok", "--warn", "--bad"].flatMap((text) => ["--bg", "--panel"].map((ground) => [text, ground]));
  const ratios = pairs.map(([text, ground]) => {
    const [a, b] = [light(value(text)), light(value(ground))].sort((x, y) => y - x);
    return { text, ground, ratio: (a + 0.05) / (b + 0.05) };
  });
  return ratios.sort((a, b) => a.ratio - b.ratio)[0];
}

async function phone(browser) {
  const page = await open(browser, "", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  await live(page, "it is live on a phone");
  await plotted(page, "http_requests_total");
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check("no sideways scrolling", (await wide()) <= 0, await wide());
  await shot(page, "phone-dark");
  await ask("set queue_depth 500");
  await tick(page, 2);
  for (const view of ["Training", "Metrics", "Anomalies"]) {
    await page.click(`#tabs >> text=${view}`);
    await page.waitForTimeout(300);
    check(`nor in ${view}`, (await wide()) <= 0, await wide());
  }
  await until(page, "anomalies are listed on a phone", () => /queue_depth/.test(document.querySelector("main").textContent));
  await shot(page, "phone-anomalies");
  noComplaints(page, "nothing to complain about on a phone");
}
