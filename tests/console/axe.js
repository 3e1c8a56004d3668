// Looks at each page with axe-core, which knows what keeps people out, and at whether it stands still.
"use strict";

const fs = require("node:fs");
const { asked, run, visit, signIn } = require("./browser.js");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

run(async (browser) => {
  const { page, complaints } = await visit(browser, { ...asked, stands: true });
  const violations = [];
  const look = async (name) => {
    await page.evaluate(AXE);
    const found = await page.evaluate(() => axe.run());
    for (const violation of found.violations) {
      for (const node of violation.nodes.slice(0, 3)) violations.push(`${name}: ${violation.id}: ${node.target} ${node.html.slice(0, 200)}`);
    }
  };
  await page.goto(`${asked.url}/console`);
  await look("/console/sign-in");
  await signIn(page);
  for (const path of asked.paths) {
    await page.goto(asked.url + path);
    if (path.startsWith("/console/builds/")) await page.locator("#log-rows .row:not(.awaited)").first().waitFor();
    await look(path);
  }
  return { violations, complaints };
});
