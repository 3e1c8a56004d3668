// A log of a million lines: what the page holds of it, and how soon one is anywhere in it.
"use strict";

const assert = require("node:assert/strict");
const { asked, run, visit, signIn } = require("./browser.js");

run(async (browser) => {
  const { page, complaints } = await visit(browser, { height: 900 });
  await signIn(page);
  await page.goto(`${asked.url}${asked.path}`);
  const rows = page.locator("#log-rows");
  await page.locator(".row:not(.awaited)").first().waitFor();
  let most = 0;
  const held = async () => {
    const count = await page.evaluate(() => document.querySelectorAll("#log-rows .row, #log-rows .phase").length);
    most = Math.max(most, count);
  };
  // How long until a row with this text, or this number, is seen, from the moment at which something is done.
  const took = (text, does) => page.evaluate(async ([text, does]) => {
    const rows = document.querySelector("#log-rows");
    const isSeen = () => {
      const box = rows.getBoundingClientRect();
      return [...rows.querySelectorAll(".row:not(.awaited)")].some((row) => {
        const place = row.getBoundingClientRect();
        const is = text.startsWith("#") ? row.querySelector("a").hash === text : row.querySelector(".text").textContent === text;
        return is && place.top < box.bottom && place.bottom > box.top;
      });
    };
    const began = performance.now();
    if (does.key) (does.on ? document.querySelector(does.on) : document.body).dispatchEvent(new KeyboardEvent("keydown", { key: does.key, bubbles: true, cancelable: true }));
    if ("scroll" in does) rows.scrollTop = rows.scrollHeight * does.scroll;
    while (!isSeen()) {
      if (performance.now() - began > 10_000) throw new Error(`${text} is not seen`);
      await new Promise((then) => requestAnimationFrame(then));
    }
    return performance.now() - began;
  }, [text, does]);

  await rows.focus();
  const toEnd = [];
  for (let time = 0; time < 3; time += 1) {
    await took("#L1", { key: "g" });
    toEnd.push(await took("1000000", { key: "End", on: "#log-rows" }));
    await held();
  }

  // By the scroll bar, to its end and through the whole.
  await took("#L1", { key: "g" });
  await took("1000000", { scroll: 1 });
  const frames = await page.evaluate(async () => {
    const rows = document.querySelector("#log-rows");
    const times = [];
    rows.scrollTop = 0;
    let before = performance.now();
    for (let step = 0; step < 90; step += 1) {
      rows.scrollTop += rows.scrollHeight / 100;
      await new Promise((then) => requestAnimationFrame(then));
      times.push(performance.now() - before);
      before = performance.now();
    }
    return times.sort((a, b) => a - b);
  });
  await held();

  // What is sought is found far down, and step by step.
  await page.keyboard.press("/");
  await page.keyboard.type("90000");
  await page.waitForFunction(() => /^1 of 20$/.test(document.querySelector("#log-found").textContent));
  await page.keyboard.press("Escape");
  const matches = [];
  for (const key of ["p", "p", "p", "n"]) {
    await page.keyboard.press(key);
    await page.waitForFunction(() => document.querySelector(".row.match:not(.awaited)"));
    matches.push(await page.locator(".row.match .text").textContent());
    await held();
  }
  const marked = await page.evaluate(() => CSS.highlights.get("found").size);

  // A very long line is wrapped, and the lines after it follow.
  await page.keyboard.press("/");
  await page.locator("#log-find").fill("xxxxx");
  await page.waitForFunction(() => /^1 of 1/.test(document.querySelector("#log-found").textContent));
  await page.waitForFunction(() => document.querySelector(".row.match:not(.awaited)"));
  const long = await page.evaluate(() => {
    const row = document.querySelector(".row.match");
    const next = row.nextElementSibling;
    return {
      height: row.getBoundingClientRect().height,
      gap: next.getBoundingClientRect().top - row.getBoundingClientRect().bottom,
      wider: document.querySelector("#log-rows").scrollWidth - document.querySelector("#log-rows").clientWidth,
    };
  });
  await page.keyboard.press("Escape");
  await page.keyboard.press("w");
  const flat = await page.locator(".row.match").evaluate((row) => row.getBoundingClientRect().height);
  await page.keyboard.press("w");
  // Over it and back, line by line: nothing is passed over, and nothing jumps.
  const steps = await page.evaluate(async () => {
    const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    const numbers = [];
    for (const key of ["j", "j", "j", "k", "k", "k", "k"]) {
      press(key);
      await new Promise((then) => requestAnimationFrame(then));
      numbers.push(Number(document.querySelector(".row.here > a").textContent));
    }
    return numbers.map((number, at) => (at === 0 ? 0 : number - numbers[at - 1]));
  });
  assert.deepEqual(complaints, []);
  return { toEnd, frames, most, matches, marked, long, flat, steps };
});
