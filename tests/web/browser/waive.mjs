// By keyboard alone: two refused attempts are compared, and what asks for consent is let pass with a reason.
import { given, inBrowser, wrong } from "./open.mjs";

await inBrowser(async (page) => {
  const keys = page.keyboard;
  const found = [];
  const look = async (name) => {
    for (const one of await wrong(page)) found.push(`${name}: ${one}`);
  };
  const drawer = page.getByRole("complementary", { name: "Task flow" });
  await drawer.getByRole("link", { name: "Compare what they changed" }).press("Enter");
  await page.getByRole("heading", { level: 1, name: /^Attempts/ }).waitFor();
  await page.getByText("They differ in 1 of 2 files").waitFor();
  const marked = await page.locator("mark").allInnerTexts();
  await page.getByRole("button", { name: /1 hunk, the same in both/ }).press("Enter");
  await page.getByText("same text").first().waitFor();
  await page.getByRole("columnheader", { name: "Attempt 2" }).first().waitFor({ state: "attached" });
  await look("attempts");
  await page.getByLabel("On the left").selectOption("2");
  await page.getByText("They differ in 1 of 2 files").waitFor();
  const swapped = await page.getByLabel("On the right").inputValue();
  await page.getByRole("link", { name: "Task flow" }).press("Enter");

  const reason = drawer.getByLabel("Why it may pass");
  await reason.focus();
  await keys.type(given.reason);
  await look("task");
  await drawer.getByRole("button", { name: /^Let it pass/ }).press("Enter");
  await drawer.getByRole("heading", { name: "Let pass by a person" }).waitFor();
  const passed = await drawer.getByText(given.reason).last().innerText();
  await look("passed");
  return { found, marked, swapped, passed };
});
