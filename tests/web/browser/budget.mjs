// By keyboard alone: why a build has paused for its budget, what the ways on cost, and a larger budget.
import { inBrowser, wrong } from "./open.mjs";

await inBrowser(async (page) => {
  const found = [];
  await page.getByRole("heading", { name: /^Paused: budget/ }).waitFor();
  const pause = page.getByRole("region", { name: "Why the build is paused" });
  const more = pause.getByRole("button", { name: "Resume", exact: true });
  await more.waitFor();
  const why = await pause.innerText();
  const spent = await page.locator("main header").first().innerText();
  for (const one of await wrong(page)) found.push(one);
  await page.locator("#main").focus();
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await page.getByRole("heading", { level: 1, name: /^Costs/ }).waitFor();
  await page.locator("main").getByText("$1.20").first().waitFor();
  const costs = await page.locator("main").innerText();
  for (const one of await wrong(page)) found.push(one);
  await page.goBack();
  await more.press("Enter");
  await page.getByRole("heading", { name: /^Paused: budget/ }).waitFor({ state: "detached" });
  return { found, why, spent, costs };
});
