// How heavy a build's page is on the line, and how soon it is there, without the lines of its log.
"use strict";

const { asked, run, visit, signIn } = require("./browser.js");

// Noise only adds to a time: the page is opened until it was soon there, so often at most.
const TIMES = 20;
const SOON = 100;

run(async (browser) => {
  const { page, complaints } = await visit(browser);
  await signIn(page);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Network.enable");
  const paints = [];
  let sizes;
  for (let time = 0; time < TIMES && !(time > 3 && Math.min(...paints) < SOON); time += 1) {
    // Once as on a first visit, and then as a reader comes back.
    await cdp.send("Network.setCacheDisabled", { cacheDisabled: time === 0 });
    const paths = new Map();
    const here = {};
    const begins = ({ requestId, request }) => paths.set(requestId, new URL(request.url).pathname);
    const ends = ({ requestId, encodedDataLength }) => { const path = paths.get(requestId); if (path) here[path] = encodedDataLength; };
    cdp.on("Network.requestWillBeSent", begins);
    cdp.on("Network.loadingFinished", ends);
    await page.goto(`${asked.url}${asked.path}`);
    await page.locator("#log-rows .row:not(.awaited)").first().waitFor();
    cdp.off("Network.requestWillBeSent", begins);
    cdp.off("Network.loadingFinished", ends);
    sizes ??= Object.fromEntries(Object.entries(here).filter(([path]) => !path.endsWith("/lines") && !path.endsWith("/news")));
    // What a script has put into the page may not have been painted yet.
    const paint = await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
    paints.push(await paint.jsonValue());
  }
  return { sizes, bytes: Object.values(sizes).reduce((a, b) => a + b, 0), paints, complaints };
});
