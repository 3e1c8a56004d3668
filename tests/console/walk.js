// A person makes a project, starts a build, watches its log arrive, finds the line that failed, builds
// again, and stops that.
"use strict";

const assert = require("node:assert/strict");
const { asked, run, visit, signIn } = require("./browser.js");

// Each line says when it was written; the page notes when it is seen.
const BUILDSPEC = `version: 0.2
phases:
  build:
    commands:
      - for i in $(seq 1 25); do echo stamp-$(date +%s%3N); sleep 0.1; done
      - echo nearly there
      - echo a-failing-line >&2; sleep \${LAST:-0}; exit 3
`;

run(async (browser) => {
  const { page, complaints } = await visit(browser);
  page.on("dialog", (dialog) => dialog.accept());
  await page.addInitScript(() => {
    globalThis.lags = new Map();
    const note = (root) => {
      for (const text of root.querySelectorAll?.(".text") ?? []) {
        const stamp = /^stamp-(\d+)$/.exec(text.textContent)?.[1];
        if (stamp && !lags.has(stamp)) lags.set(stamp, Date.now() - Number(stamp));
      }
    };
    new MutationObserver((changes) => { for (const change of changes) note(change.target); })
      .observe(document, { childList: true, subtree: true });
  });
  await signIn(page);

  await page.getByRole("link", { name: "Projects" }).click();
  await page.goto(`${asked.url}/console/projects/new`);
  await page.getByLabel(/^Name/).first().fill(asked.project);
  await page.locator('select[name="/source/type"]').selectOption("NO_SOURCE");
  const buildspec = page.locator('textarea[name="/source/buildspec"]');
  await buildspec.fill(BUILDSPEC.replace("commands:", "comands:"));
  await page.locator(".problems li").first().waitFor();
  const problem = await page.locator(".problems").textContent();
  await buildspec.fill(BUILDSPEC);
  await page.locator(".problems li").first().waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Make the project" }).click();
  await page.getByRole("heading", { name: asked.project }).waitFor();

  await page.keyboard.press("s");
  await page.getByRole("heading", { name: `Start a build of ${asked.project}` }).waitFor();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByRole("heading", { name: "Build 1 failed" }).waitFor();
  const lags = (await page.evaluate(() => [...lags.values()])).sort((a, b) => a - b);

  // The line that failed is a link away, and the log is there already.
  await page.keyboard.press("g");
  await page.getByRole("link", { name: /^Line \d+ of the log$/ }).click();
  const here = await page.locator(".row.here .text").textContent();
  await page.keyboard.press("/");
  await page.keyboard.type("a-failing");
  await page.locator(".row.match").waitFor();
  const found = await page.locator("#log-found").textContent();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await page.keyboard.press("p");
  const match = await page.locator(".row.match .text").textContent();
  const focus = await page.evaluate(() => document.activeElement.tagName);

  // Once more, and that is stopped.
  await page.getByRole("link", { name: "Start with changes…" }).click();
  await page.getByLabel("Name", { exact: true }).last().fill("LAST");
  await page.getByLabel("Value", { exact: true }).last().fill("120");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.locator(".text", { hasText: "nearly there" }).last().waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("heading", { name: "Build 2 was stopped" }).waitFor();
  await page.keyboard.press("r");
  await page.getByRole("heading", { name: /^Build 3 is/ }).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("heading", { name: "Build 3 was stopped" }).waitFor();

  assert.deepEqual(complaints, []);
  return { problem, here, found, match, focus, lags };
});
