// A service: search and filters, URL state, pause and compare, export, keyboard, phone, names.

import { readFile } from "node:fs/promises";
import { ask, base, check, live, noComplaints, open, plotted, readable, scenario, shot, tick, until, wider } from "./lib.mjs";

const cards = (page) => page.$$eval("main article", (all) => all.map((card) => card.getAttribute("aria-label")));
const legend = (page, name) => page.$$eval(`article[aria-label="${name}"] .legend button`, (all) => all.map((one) => one.title));
const hash = (page) => page.evaluate(() => location.hash);
const focused = (page) => page.evaluate(() => document.activeElement.textContent);
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
  await until(page, "the heatmap is drawn again", (card) => Boolean(document.querySelector(card).card.plot?.heat), card);
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
  await until(page, "the plot ends there", (to) => document.querySelector("article").card.plot?.stretch.to === Number(to), paused.to);
  const before = await frozen();
  await tick(page, 3);
  check("the plot stands still", (await frozen()) === before);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await plotted(other, "http_requests_total", "the same address shows the same elsewhere");
  await until(other, "up to the same time", (to) => document.querySelector("article").card.plot?.stretch.to === Number(to), paused.to);
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
  check("dragging looks at just that", Number(dragged.to) > 1e9 && parseInt(dragged.range) > 70 && parseInt(dragged.range) < 110, dragged);
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("ArrowLeft");
  const moved = await state(page);
  check("an arrow key goes half of it back", Math.abs(dragged.to - moved.to - parseInt(dragged.range) / 2) < 1, [dragged, moved]);
  await page.click("#later");
  check("and a button forth", Math.abs((await state(page)).to - dragged.to) < 1, await hash(page));
  await page.click("#pause");
  check("to go live is to see the usual stretch", (await state(page)).to === undefined && (await state(page)).range === undefined, await hash(page));
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

  // Two minutes, and the two before.
  await page.goto(`${base}/#view=metrics&q=${encodeURIComponent("http_requests status=500")}&range=120s&compare=range`);
  await until(page, "four lines and four dashed ones", () => document.querySelector("article")?.card?.plot?.lines.filter((line) => line.dashed).length === 4);
  await page.hover(card);
  const [both] = await Promise.all([page.waitForEvent("download"), page.click(`${card} >> text=CSV`)]);
  const [heads, ...columns] = (await readFile(await both.path(), "utf8")).split("\r\n");
  check("the CSV of a comparison has both ranges", heads.match(/"[^"]*"/g).length === 9 && heads.match(/, the range before"/g).length === 4, heads);
  check("with figures of both", [1, 5].every((at) => columns.some((row) => row.split(",")[at] !== "")), columns[20]);
  await page.hover(card);
  const [drawn] = await Promise.all([page.waitForEvent("download"), page.click(`${card} >> text=PNG`)]);
  const seen = await page.evaluate(pixels, (await readFile(await drawn.path())).toString("base64"));
  check("the PNG of a comparison is as wide as the plot", seen.width > 300 && seen.height > 250, seen);
  check("its plot and the names of its lines are drawn", seen.plot > 500 && seen.names > 200 && seen.colors >= 4, seen);

  await page.goto(`${base}/#view=metrics&q=http_request_duration&focus=http_request_duration_seconds&range=5m`);
  const large = 'article[aria-label="http_request_duration_seconds"]';
  await until(page, "a large card", () => document.querySelector("article.wide canvas") !== null);
  await page.hover(large);
  await page.click(`${large} >> text=heatmap`);
  await until(page, "a heatmap to save", (large) => Boolean(document.querySelector(large).card.plot?.heat), large);
  const [heat] = await Promise.all([page.waitForEvent("download"), page.click(`${large} >> text=CSV`)]);
  check("a heatmap is saved by its bounds", /^"time","le=[\d.e-]+"/.test(await readFile(await heat.path(), "utf8")));
  await page.goto(`${base}/#view=metrics`);
}

// How much of a picture is drawn: pixels that are not its ground, above and below, and their colours.
async function pixels(text) {
  const image = new Image();
  image.src = `data:image/png;base64,${text}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const ctx = canvas.getContext("2d");
  ctx.drawImage(image, 0, 0);
  const { data } = ctx.getImageData(0, 0, image.width, image.height);
  const ground = data.slice(0, 3).join();
  const colors = new Map();
  const counts = { plot: 0, names: 0 };
  for (let at = 0; at < data.length; at += 4) {
    const color = data.slice(at, at + 3).join();
    if (color === ground) continue;
    counts[at / 4 / image.width > image.height - 70 ? "names" : "plot"] += 1;
    colors.set(color, (colors.get(color) ?? 0) + 1);
  }
  return { ...counts, width: image.width, height: image.height, colors: [...colors.values()].filter((count) => count > 30).length };
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
  check("2 is the second view", (await state(page)).view === "metrics", await hash(page));
  check("a program that trains nothing has no view of it", !(await page.textContent("#tabs")).includes("Training"));
  await page.keyboard.press("1");
  await page.click("#ranges >> text=5m");
  await page.keyboard.press("]");
  check("] is the next range, also with the focus on a button", (await state(page)).range === undefined, await hash(page));
  await page.evaluate(() => document.activeElement.blur());
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
  await page.focus("#ranges >> text=1h");
  await page.keyboard.press("Enter");
  await plotted(page, "http_requests_total");
  await tick(page, 2);
  check("a button that was pressed keeps the focus", (await focused(page)) === "1h", await focused(page));
  await until(page, "a legend", () => document.querySelector('article[aria-label="http_request_duration_seconds"] .legend button') !== null);
  await page.focus('article[aria-label="http_request_duration_seconds"] .legend button');
  const line = await focused(page);
  await tick(page, 4);
  check("a line that was chosen keeps it while figures change", (await focused(page)).startsWith("route=") && line.startsWith("route="), [line, await focused(page)]);
  await page.keyboard.press("t");
  await page.keyboard.press("t");
  const plot = 'article[aria-label="http_requests_total"] .plot';
  await page.focus(plot);
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await until(page, "arrow keys read a plot aloud", () => /\d\d:\d\d:\d\d.*\/s/.test(document.querySelector("#said").textContent));
  check("whose name tells what is in it", /^Plot of http_requests_total, per second, the last .* lines, 0\/s to .*\/s$/.test(await page.getAttribute(plot, "aria-label")), await page.getAttribute(plot, "aria-label"));
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
    await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), theme);
    for (const view of ["Overview", "Anomalies", "Metrics"]) {
      await page.click(`#tabs >> text=${view}`);
      await until(page, `${view} is shown`, (view) => document.querySelector("#tabs [aria-current]").textContent.startsWith(view) && document.querySelector("main").textContent.trim() !== "", view);
      await readable(page, `${view} can be read (${theme})`);
    }
  }
}

async function phone(browser) {
  const page = await open(browser, "", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  await live(page, "it is live on a phone");
  await plotted(page, "http_requests_total");
  check("no sideways scrolling", (await wider(page)) <= 0, await wider(page));
  await shot(page, "phone-dark");
  await ask("set queue_depth 500");
  await tick(page, 2);
  for (const view of ["Overview", "Metrics", "Anomalies"]) {
    await page.click(`#tabs >> text=${view}`);
    await until(page, `${view} on a phone`, (view) => document.querySelector("#tabs [aria-current]").textContent.startsWith(view), view);
    if (view !== "Anomalies") await plotted(page, "http_requests_total");
    check(`nothing is wider in ${view}`, (await wider(page)) <= 0, await wider(page));
  }
  await until(page, "anomalies are listed on a phone", () => /queue_depth/.test(document.querySelector("main").textContent));
  await shot(page, "phone-anomalies");
  noComplaints(page, "nothing to complain about on a phone");
}
