// A program that restarts, and a network that holds streams back.

import { ask, base, check, live, noComplaints, open, plotted, scenario, shot, tick, until } from "./lib.mjs";

await scenario(async (browser) => {
  const page = await open(browser);
  await live(page);
  await plotted(page, "http_requests_total");
  await ask("stop");
  await until(page, "a page whose program has gone says so", () => document.querySelector("#live").dataset.state === "lost");
  await shot(page, "lost-dark");
  await ask("start");
  await tick(page);
  await live(page, "and comes back with it");
  await tick(page, 3);
  await plotted(page, "http_requests_total", "with its plots");

  const context = await browser.newContext({ viewport: { width: 1360, height: 900 } });
  const held = await context.newPage();
  const asked = [];
  held.on("request", (request) => asked.push(request.url().slice(base.length)));
  // A proxy that lets nothing of a stream through.
  await held.route("**/api/live", () => undefined);
  await held.goto(base);
  await until(held, "without a stream it polls", () => document.querySelector("#live").dataset.state === "polling");
  check("by the tick's own route", asked.includes("/api/live/tick"), asked);
  await tick(held, 3);
  await plotted(held, "worker_threads", "plots are there");
  await held.goto(`${base}/#view=metrics&q=worker_threads`);
  await ask("set worker_threads_now 5");
  await tick(held, 1);
  await held.goto(`${base}/#view=metrics&q=worker_threads_now`);
  await until(held, "and move", () => document.querySelector('article[aria-label="worker_threads_now"]') !== null);

  const refused = await (await browser.newContext()).newPage();
  await refused.route("**/api/live", (route) => route.abort());
  await refused.goto(base);
  await until(refused, "a refused stream leaves a page that polls", () => document.querySelector("#live").dataset.state === "polling" && document.querySelector("#lost").hidden);
  await tick(refused, 2);
  await plotted(refused, "http_requests_total", "and works");
});
