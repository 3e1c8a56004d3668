// Looks at each page with axe-core, which knows what keeps people out, and at whether it stands still.
"use strict";

const fs = require("node:fs");
const { asked, run, visit, signIn } = require("./browser.js");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// The columns of tables that are elsewhere without their rows. Rows may come later than their heading.
function movedColumns() {
  const moved = [];
  for (const table of document.querySelectorAll("table")) {
    const columns = [...table.querySelectorAll("th")];
    const places = () => columns.map((column) => Math.round(column.getBoundingClientRect().left));
    const withRows = places();
    table.tBodies[0].hidden = true;
    const without = places();
    table.tBodies[0].hidden = false;
    moved.push(...columns.filter((_, at) => withRows[at] !== without[at]).map((column) => column.textContent));
  }
  return moved;
}

run(async (browser) => {
  const { page, complaints } = await visit(browser, { ...asked, stands: true });
  const violations = [];
  const look = async (name) => {
    violations.push(...(await page.evaluate(movedColumns)).map((column) => `${name}: rows move the column ${column}`));
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
