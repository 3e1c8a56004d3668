// Draws pages as readers have them: NAME.png, NAME-dark.png, NAME-narrow.png and NAME-narrow-dark.png.
"use strict";

const path = require("node:path");
const { asked, run, visit, signIn } = require("./browser.js");

const SIZES = { "": { width: 1360, height: 900 }, "-narrow": { width: 420, height: 900 } };

run(async (browser) => {
  for (const [suffix, size] of Object.entries(SIZES)) {
    for (const scheme of ["light", "dark"]) {
      const { page } = await visit(browser, { ...size, scheme });
      const draw = async (name) => {
        await page.screenshot({ path: path.join(asked.folder, `${name}${suffix}${scheme === "dark" ? "-dark" : ""}.png`), animations: "disabled" });
      };
      await page.goto(`${asked.url}/console`);
      await draw("sign-in");
      await signIn(page);
      await page.mouse.move(0, 0);
      for (const [name, place] of Object.entries(asked.pages)) {
        await page.goto(asked.url + place);
        if (name === "build") await page.locator("#log-rows .row:not(.awaited)").first().waitFor();
        if (name === "form") await page.locator(".editor").waitFor();
        await draw(name);
      }
      await page.context().close();
    }
  }
});
