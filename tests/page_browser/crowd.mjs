// 5,000 series: how long it takes to open, to search, to scroll, and to take a tick.

import { ask, check, figure, live, noComplaints, open, plotted, scenario, shot, tick, until } from "./lib.mjs";

const took = async (act) => {
  const start = performance.now();
  await act();
  return `${(performance.now() - start).toFixed(0)} ms`;
};

await scenario(async (browser) => {
  const page = await open(browser, "#view=metrics");
  figure("5,000 series: until it is live", await took(() => live(page)));
  await plotted(page, "measured_0000");
  const counted = await page.textContent("main h2 small");
  check("all series are counted", Number(counted.match(/([\d,]+) line/)?.[1].replaceAll(",", "")) >= 5000, counted);
  const canvases = () => page.$$eval("canvas", (all) => all.length);
  check("but few plots exist", (await canvases()) < 40, await canvases());

  figure("search, until one card of 500 is left and drawn", await took(async () => {
    await page.fill("#search", "measured_0321 place=7");
    await until(page, "a search finds one line of 5,000", () => document.querySelectorAll("main article").length === 1);
    await plotted(page, "measured_0321");
  }));
  const cost = await page.evaluate(async () => {
    const { find } = await import("./page/search.js");
    const { families } = await import("./page/data.js");
    const start = performance.now();
    for (let run = 0; run < 10; run++) find(families(), "measured place=7");
    return (performance.now() - start) / 10;
  });
  figure("one search of 5,000 series in the page", `${cost.toFixed(1)} ms`);
  await page.fill("#search", "broad");
  await until(page, "of 500 lines those are drawn that are largest", () => /place=room 499/.test(document.querySelector('article[aria-label="broad"] .legend')?.textContent));
  check("and it says how many there are", /and 49\d more/.test(await page.textContent('article[aria-label="broad"] .legend')), await page.textContent('article[aria-label="broad"] .legend'));
  await page.fill("#search", 'broad place="room 7"');
  await until(page, "any of the 500 can be found", () => document.querySelector('article[aria-label="broad"] .legend')?.textContent === "place=room 77");
  await page.fill("#search", "");
  await until(page, "everything again", () => document.querySelectorAll("main article").length >= 60);

  const frames = await page.evaluate(async () => {
    const times = [];
    let last = performance.now();
    for (let step = 0; step < 60; step++) {
      scrollBy(0, 120);
      await new Promise(requestAnimationFrame);
      times.push(performance.now() - last);
      last = performance.now();
    }
    times.sort((a, b) => a - b);
    return { median: times[30], worst: times[59] };
  });
  figure("a frame while scrolling", `median ${frames.median.toFixed(1)} ms, worst ${frames.worst.toFixed(0)} ms`);
  check("plots that are out of sight are gone", (await canvases()) < 40, await canvases());
  await page.evaluate(() => scrollTo(0, 0));
  await plotted(page, "measured_0000");
  const readout = () => page.$eval('article[aria-label="measured_0000"] .legend', (one) => one.textContent);
  const before = await readout();
  figure("a tick, until it is drawn", await took(async () => {
    await ask("tick 1");
    await until(page, "a tick arrives among 5,000", (before) => document.querySelector('article[aria-label="measured_0000"] .legend').textContent !== before, before);
  }));
  await shot(page, "crowd-dark");
  await tick(page, 2);
  const heap = await page.evaluate(() => performance.memory?.usedJSHeapSize ?? 0);
  figure("memory of the page's script", `${(heap / 2 ** 20).toFixed(0)} MiB`);
  noComplaints(page);
});
