// A training run: it loads, moves at each tick, and marks what was noticed and done.

import { ask, check, live, noComplaints, open, plotted, readable, scenario, shot, tick, until } from "./lib.mjs";

const readout = () => document.querySelector('article[aria-label="training_loss"] .readout').textContent;
const picture = (page, name) => page.evaluate((name) => document.querySelector(`article[aria-label="${name}"] canvas`).toDataURL(), name);

await scenario(async (browser) => {
  const page = await open(browser);
  await live(page);
  for (const name of ["training_loss", "training_accuracy", "training_gradient_norm"]) await plotted(page, name);
  await shot(page, "overview-dark");

  await page.click("#tabs >> text=Training");
  await plotted(page, "training_loss", "the training view shows the loss");
  const curves = await page.$$eval("main article", (cards) => cards.map((card) => card.getAttribute("aria-label")));
  const order = ["training_loss", "training_accuracy", "training_gradient_norm", "training_learning_rate", "training_samples_total"];
  check("curves are in the order that people read them", order.every((name, at) => curves[at] === name), curves);

  const [before, drawn] = [await page.evaluate(readout), await picture(page, "training_loss")];
  await tick(page);
  await until(page, "the loss's figure follows a tick", (before) => document.querySelector('article[aria-label="training_loss"] .readout').textContent !== before, before);
  check("its plot has moved", (await picture(page, "training_loss")) !== drawn);

  await ask("set queue_depth 40");
  await tick(page, 3);
  check("nothing fires yet", (await page.$$("#tabs .count:not([hidden])")).length === 0);
  await page.evaluate(() => (location.hash = "view=metrics&q=queue_depth"));
  await plotted(page, "queue_depth");
  const calm = await picture(page, "queue_depth");
  await ask("set queue_depth 160");
  await tick(page, 2);
  await until(page, "an anomaly is counted within two ticks", () => document.querySelector("#tabs .count:not([hidden])")?.textContent === "1");
  await until(page, "the health pill turns critical", () => document.querySelector("#health").dataset.status === "critical");
  check("the plot shows it", (await picture(page, "queue_depth")) !== calm);
  const marks = await page.evaluate(() => {
    const plot = document.querySelector('article[aria-label="queue_depth"]').card.plot;
    return { marks: plot.marks.map((mark) => mark.text), bands: plot.bands.map((band) => [band.low, band.high]) };
  });
  check("with its mark and reason", marks.marks.length === 1 && /above 100/.test(marks.marks[0]), marks);
  check("and its expected band", JSON.stringify(marks.bands) === "[[0,100]]", marks);
  await page.hover('article[aria-label="queue_depth"] .u-over', { position: { x: 1, y: 40 } });
  const over = await page.$('article[aria-label="queue_depth"] .u-over');
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width - 3, box.y + 40);
  await until(page, "the tooltip says why", () => /above 100/.test(document.querySelector('article[aria-label="queue_depth"] .tip')?.textContent ?? ""));
  await shot(page, "anomaly-tooltip");

  await page.click("#tabs >> text=Anomalies");
  await until(page, "the anomalies view lists it with what to do", () => /queue_depth/.test(document.querySelector("main").textContent) && /add <b>workers<\/b>/.test(document.querySelector("main").textContent));
  await shot(page, "anomalies-dark");
  await page.click("#tabs >> text=Overview");
  await until(page, "the overview says what fires", () => /queue_depth/.test(document.querySelector("main .banner")?.textContent ?? ""));

  await ask("watch");
  await tick(page, 2);
  await ask("respond");
  await tick(page, 2);
  await page.click("#tabs >> text=Training");
  await plotted(page, "training_loss");
  await until(page, "what a watch found in the program is marked on its metric", () => document.querySelector('article[aria-label="training_loss"]').card?.plot?.marks.some((mark) => !mark.response && /above the limit 5/.test(mark.text)));
  await until(page, "what was done about it is marked on all curves", () => ["training_loss", "training_accuracy"].every((name) => document.querySelector(`article[aria-label="${name}"]`).card?.plot?.marks.some((mark) => mark.response && /restored/.test(mark.text))));
  await tick(page, 8);
  await shot(page, "training-dark");
  await page.press("body", "t");
  check("t switches to the light theme", (await page.evaluate(() => document.documentElement.dataset.theme)) === "light");
  await readable(page, "what is written can be read (light)");
  await shot(page, "training-light");
  await page.click("#tabs >> text=Anomalies");
  await until(page, "the list of anomalies again", () => document.querySelectorAll("main tbody tr").length >= 2);
  await readable(page, "the list too (light)");
  await page.press("body", "t");
  await readable(page, "and in the dark");
  await page.click("#tabs >> text=Training");
  await plotted(page, "training_loss", "back at the curves");
  await readable(page, "what is written can be read (dark)");

  await ask("set queue_depth 20");
  await tick(page, 3);
  await until(page, "what is over is not counted any more", () => !/queue_depth/.test(document.querySelector("main .banner")?.textContent ?? "") && document.querySelector("#health").dataset.status !== "critical");
  noComplaints(page);
});
