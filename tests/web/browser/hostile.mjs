// Looks at pages full of hostile names and lines. `inBrowser` notes every script that runs and every breach.
import { given, inBrowser } from "./open.mjs";

const STRANGE = "iframe, script, base, style, object, embed, form[action^=http], img, video, audio, meta, link, math, a[href^=java]";

await inBrowser(async (page) => {
  const strange = [];
  let seen = 0;
  for (const [path, ready] of Object.entries(given.pages)) {
    await page.goto(given.address + path);
    await page
      .getByText(ready)
      .first()
      .waitFor()
      .catch((error) => {
        throw new Error(`${path}: ${error.message}`);
      });
    await page.locator('[data-link], [role="status"]').first().waitFor({ state: "attached" });
    // What is far below is drawn when it comes near.
    await page.evaluate(async () => {
      for (let top = 0; top < document.documentElement.scrollHeight; top += window.innerHeight) {
        window.scrollTo(0, top);
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)));
      }
    });
    const found = await page.evaluate(
      (names) => [...document.querySelectorAll("main")].flatMap((main) => [...main.querySelectorAll(names)].map((one) => one.outerHTML)),
      STRANGE,
    );
    strange.push(...found.map((one) => `${path}: ${one.slice(0, 120)}`));
    seen += 1;
  }
  return { strange, seen };
});
