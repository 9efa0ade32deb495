// Every page in both themes and three widths: what axe finds, and whether anything is wider than the window.
import { given, inBrowser, overflows, wrong } from "./open.mjs";

/** The name of a page's picture: what it is, without the build that it is of. */
const nameOf = (path) =>
  path
    .replace(/^\/builds\/[^/?]+/, "build")
    .replace(/[^a-z]+/gi, "-")
    .replace(/^-|-$/g, "") || "home";

/** Put a path that anybody could have into the page, in place of each of this machine. */
const renamed = (paths) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    for (const [path, shown] of paths) {
      if (texts.currentNode.data.includes(path)) texts.currentNode.data = texts.currentNode.data.replaceAll(path, shown);
    }
  }
};

await inBrowser(async (page) => {
  const found = [];
  let seen = 0;
  for (const [path, ready] of Object.entries(given.pages)) {
    await page.goto(given.address + path);
    await page.getByText(ready).first().waitFor();
    await page.waitForLoadState("networkidle").catch(() => {});
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const width of [1440, 1023, 390]) {
        await page.setViewportSize({ width, height: 900 });
        // The next frame shows the new theme and width.
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
        const where = `${path} ${colorScheme} ${width}`;
        for (const one of await wrong(page)) found.push(`${where}: ${one}`);
        if (await overflows(page)) found.push(`${where}: wider than the window`);
        seen += 1;
        if (given.shots && width === 1440 && colorScheme === "light") {
          await page.evaluate(renamed, given.renamed);
          await page.screenshot({ path: `${given.shots}/${nameOf(path)}.png` });
        }
      }
    }
  }
  return { seen, found, text: await page.locator("main").innerText() };
});
