// Looks at the pages of a server in a real browser, and times what they draw. Prints one JSON object.
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const given = JSON.parse(process.env.GIVEN);
const { chromium } = createRequire(join(given.web, "package.json"))("playwright-core");
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Tell the process that started this one, and wait until it has done its part. */
async function asks(word) {
  process.stdout.write(`${word}\n`);
  return (await lines.next()).value;
}

const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox", "--disable-quic"] });

/** Ends a run that no longer comes to its end, and says where it stood. */
function within(what, milliseconds = 60_000) {
  const late = new Promise((_, fail) => setTimeout(() => fail(new Error(`${what} took too long`)), milliseconds).unref());
  return (promise) => Promise.race([promise, late]);
}

async function freshPage() {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  context.setDefaultTimeout(120_000);
  await context.addInitScript(() => {
    window.longest = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
    }).observe({ type: "longtask", buffered: true });
    // Times of marks in texts, taken in the frame that shows them.
    window.waits = [];
    const met = new Set();
    const look = () => {
      for (const [mark] of (document.body?.innerText ?? "").matchAll(/@\d{13}\.\d+/g)) {
        if (met.has(mark)) continue;
        met.add(mark);
        window.waits.push(Date.now() - Number(mark.slice(1).split(".")[0]));
      }
    };
    window.watch = () => new MutationObserver(() => requestAnimationFrame(look)).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  const page = await context.newPage();
  return { context, page };
}

async function signIn(page, token) {
  await page.goto(`${given.address}/sign-in?token=${token}&next=/`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${given.address}/`);
}

/** Milliseconds from the start of going there to the first paint, and to the build's title. */
async function painted(page, path, title) {
  await page.goto(given.address + path, { waitUntil: "commit" });
  await page.getByRole("heading", { level: 1, name: title }).waitFor();
  return page.evaluate(
    () =>
      new Promise((done) =>
        requestAnimationFrame(() =>
          setTimeout(() => {
            const [first] = performance.getEntriesByName("first-contentful-paint");
            done({ first: first?.startTime ?? performance.now(), whole: performance.now() });
          }),
        ),
      ),
  );
}

const heap = async (cdp) => {
  await cdp.send("HeapProfiler.collectGarbage");
  const { metrics } = await cdp.send("Performance.getMetrics");
  return metrics.find(({ name }) => name === "JSHeapUsedSize").value;
};

/**
 * Milliseconds until the page that shows the log has its newest lines and knows of all, until it draws the first one when
 * that is scrolled to, and until all of them are searched; rows that it draws; and the same lines as HTML.
 */
async function log(page) {
  await page.goto(`${given.address}/builds/${given.log}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  const whole = `${given.lines.toLocaleString("en")} lines`;
  const seconds = await page.evaluate(
    ([path, words]) =>
      new Promise((done) => {
        const began = performance.now();
        // Only the head is read: the text of the whole page would have it laid out once more in each frame.
        const look = () => {
          const head = document.querySelector("main header")?.textContent ?? "";
          if (head.includes(words) && document.querySelector("[data-index]")) done(performance.now() - began);
          else requestAnimationFrame(look);
        };
        history.pushState(null, "", path);
        window.dispatchEvent(new PopStateEvent("popstate"));
        requestAnimationFrame(look);
      }),
    [`/builds/${given.log}/log`, whole],
  );
  const rows = await page.locator("[data-index]").count();
  const oldest = await page.evaluate(
    () =>
      new Promise((done) => {
        const box = document.querySelector('[aria-label="Lines of the log"]');
        const began = performance.now();
        box.scrollTop = 0;
        const look = () => {
          if (box.querySelector('[data-index="0"]')?.textContent.includes("line 0 ")) done(performance.now() - began);
          else requestAnimationFrame(look);
        };
        look();
      }),
  );
  await page.getByLabel("Search the log").focus();
  const began = performance.now();
  await page.keyboard.insertText(`line ${given.lines - 7} `);
  await page.getByText("1/1", { exact: true }).waitFor();
  const searched = performance.now() - began;
  // The pages' own policy lets no text become markup, so this is measured on an empty page.
  await page.goto("about:blank");
  const html = await page.evaluate(
    (many) =>
      new Promise((done) => {
        const box = document.createElement("div");
        box.style.cssText = "height:600px;overflow:auto;font:13px monospace";
        document.body.replaceChildren(box);
        const began = performance.now();
        let made = 0;
        const more = () => {
          const text = Array.from({ length: Math.min(500, many - made) }, (_, n) => `<div>line ${made + n} ${"x".repeat(90)}</div>`);
          box.insertAdjacentHTML("beforeend", text.join(""));
          box.scrollTop = box.scrollHeight;
          made += text.length;
          if (made < many) requestAnimationFrame(more);
          else requestAnimationFrame(() => done(performance.now() - began));
        };
        more();
      }),
    given.lines,
  );
  return { seconds, oldest, searched, rows, html };
}

/** Milliseconds from going to the build to all of its graph, and the longest task of that time. */
async function graph(page) {
  await page.goto("about:blank");
  await page.goto(`${given.address}/builds/${given.graph}`, { waitUntil: "commit" });
  return page.evaluate(
    (many) =>
      new Promise((done) => {
        const look = () => {
          const drawn = document.querySelectorAll('section[aria-label^="Tasks of"] button').length;
          if (drawn >= many) setTimeout(() => done({ seconds: performance.now(), longest: window.longest, drawn }));
          else requestAnimationFrame(look);
        };
        look();
      }),
    given.tasks,
  );
}

try {
  const { page, context } = await freshPage();
  await signIn(page, given.tokens[0]);
  const warm = [];
  for (let n = 0; n < 5; n += 1) warm.push(await painted(page, `/builds/${given.small}`, "Small"));
  const logged = await within("the log")(log(page));
  const drawn = [];
  for (let n = 0; n < 3; n += 1) drawn.push(await within("the graph")(graph(page)));

  await page.goto(`${given.address}/builds/${given.live}`);
  await page.locator('[data-link="live"]').waitFor();
  await page.evaluate(() => window.watch());
  await asks("live");
  await page.waitForTimeout(1_500);
  const waits = await page.evaluate(() => window.waits);

  const cdp = await context.newCDPSession(page);
  await cdp.send("Performance.enable");
  await page.goto(`${given.address}/builds/${given.long}`);
  await page.locator('[data-link="live"]').waitFor();
  const heaps = [];
  for (const part of ["sixth", "rest"]) {
    await asks(part);
    await page.waitForTimeout(3_000);
    heaps.push(await heap(cdp));
  }

  given.address = await asks("cold");
  const fresh = await freshPage();
  await signIn(fresh.page, given.tokens[1]);
  const cold = await painted(fresh.page, `/builds/${given.small}`, "Small");
  console.log(JSON.stringify({ warm, log: logged, graph: drawn, waits, heaps, cold }));
} finally {
  await browser.close();
}
