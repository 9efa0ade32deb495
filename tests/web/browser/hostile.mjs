// Looks at pages full of hostile names and lines. `inBrowser` notes every script that runs and every breach.
import { given, inBrowser } from "./open.mjs";

await inBrowser(async (page) => {
  for (const [path, ready] of Object.entries(given.pages)) {
    await page.goto(given.address + path);
    await page.getByText(ready).first().waitFor();
    await page.locator('[data-link], [role="status"]').first().waitFor({ state: "attached" });
  }
  const strange = await page.evaluate(() => document.querySelectorAll("main iframe, main script, main base, main style").length);
  return { strange };
});
