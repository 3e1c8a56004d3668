// What the scripts in this folder share: Debian's Chromium, a visitor who signs in, and an account of
// all that a browser complains of.
//
// A script is told where the service is by JSON on its standard input, and answers with JSON on its
// standard output.
"use strict";

const fs = require("node:fs");
const { chromium } = require("playwright-core");

const EXECUTABLE = process.env.BUILDYARD_CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"];

// The least jump of a page's layout that is told, as a share of what is seen times the share of its height by
// which it moved: about a line of text that moves by itself.
const JUMP = 0.0005;

// What the script was asked.
const asked = JSON.parse(fs.readFileSync(0, "utf8"));

// Runs a script in a browser: `work` is given it, and what it gives is the answer.
async function run(work) {
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
  try {
    const answer = await work(browser);
    process.stdout.write(JSON.stringify(answer ?? {}) + "\n");
  } catch (error) {
    for (const page of browser.contexts().flatMap((context) => context.pages())) {
      const said = await page.evaluate(() => {
        const refused = [...document.querySelectorAll("[role=alert], :invalid")].map((one) => one.textContent || one.name);
        return [...refused, document.querySelector("main").innerText.slice(0, 1_000)].join("\n");
      }).catch(() => "nothing");
      console.error(`${page.url()} said:\n${said}\n`);
    }
    throw error;
  } finally {
    await browser.close();
  }
}

// A page of a visitor's own, and what the browser complained of on it.
async function visit(browser, settings = {}) {
  const { width = 1360, height = 1000, scheme = "light", stands = false } = settings;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, locale: "en-GB", timezoneId: "Europe/Berlin" });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  if (stands) await watchJumps(page);
  const complaints = [];
  page.on("console", (message) => { if (message.type() === "error" || message.type() === "warning") complaints.push(`${page.url()}: ${message.text()}`); });
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.message}`));
  page.on("request", (request) => { if (!request.url().startsWith(asked.url)) complaints.push(`${page.url()} asks for ${request.url()}`); });
  page.on("response", (response) => { if (response.status() >= 400) complaints.push(`${response.url()}: ${response.status()}`); });
  return { page, complaints };
}

// A page that should stand, and moves on its own, says so as an error.
async function watchJumps(page) {
  await page.addInitScript((most) => {
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput, sources } of list.getEntries()) {
        if (hadRecentInput || value < most) continue;
        console.error(`a jump of ${value.toFixed(4)} by ${sources.map(({ node }) => node?.outerHTML?.slice(0, 120) ?? node?.textContent).join(", ")}`);
      }
    }).observe({ type: "layout-shift", buffered: true });
  }, JUMP);
}

// Signs in as a person does.
async function signIn(page) {
  await page.goto(`${asked.url}/console`);
  await page.getByLabel("Access key id").fill(asked.key);
  await page.getByLabel("Secret access key").fill(asked.secret);
  await page.getByLabel("Region").fill(asked.region);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "The yard" }).waitFor();
}

module.exports = { asked, run, visit, signIn };
