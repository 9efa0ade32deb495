// A browser on the server of a test, which notes every fault of a page and every breach of its policy.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const own = createRequire(join(process.env.WEB, "package.json"));
const { chromium } = own("playwright-core");
const AXE = readFileSync(own.resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export const given = JSON.parse(process.env.GIVEN);

/** Open a browser, do `what` with a page that is signed in, and print what it returns with the faults that were met. */
export async function inBrowser(what) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
  const faults = [];
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
    context.setDefaultTimeout(60_000);
    await context.exposeFunction("breach", (text) => faults.push(`policy: ${text}`));
    await context.addInitScript(() =>
      document.addEventListener("securitypolicyviolation", (event) =>
        window.breach(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`),
      ),
    );
    const asked = new Set();
    context.on("request", (request) => asked.add(new URL(request.url()).origin));
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(`page: ${error.message}`));
    page.on("dialog", (dialog) => {
      faults.push(`a script ran: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(`${given.address}/sign-in?token=${given.token}&next=${given.next ?? "/"}`);
    await page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
    await Promise.all([page.waitForURL((url) => url.pathname !== "/sign-in"), page.keyboard.press("Enter")]);
    const said = await what(page, context).catch(async (error) => {
      const shown = await page.locator("body").innerText();
      throw new Error(`${error.message}\n${faults.join("\n")}\nThe page showed:\n${shown.slice(0, 4_000)}`);
    });
    console.log(JSON.stringify({ ...said, faults, asked: [...asked] }));
  } finally {
    await browser.close();
  }
}

/** What axe finds wrong with the page, a line for each place. It is put in from outside, so the policy does not mind. */
export async function wrong(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate((rules) => window.axe.run(document, { runOnly: { type: "tag", values: rules } }), RULES);
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} (${node.failureSummary})`));
}

/** Whether the page is wider than the window. */
export const overflows = (page) => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth + 1);

/** The keyboard: goes to what is named by pressing Tab until that has the focus, and presses Enter there. */
export function keyboard(page) {
  const keys = page.keyboard;
  const tabTo = async (locator, most = 90) => {
    await locator.waitFor();
    for (let presses = 0; presses < most; presses += 1) {
      if (await locator.evaluate((element) => element === document.activeElement).catch(() => false)) return;
      await keys.press("Tab");
    }
    throw new Error(`the keyboard does not reach ${locator}`);
  };
  const press = async (locator) => {
    await tabTo(locator);
    await keys.press("Enter");
  };
  const write = async (locator, text) => {
    await tabTo(locator);
    await keys.type(text);
  };
  return { keys, tabTo, press, write };
}
