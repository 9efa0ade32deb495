// By keyboard alone: go to the settings of the server, read the fix of a lack, and have each agent started.
import { given, inBrowser } from "./open.mjs";

await inBrowser(async (page) => {
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("x");
  await page.getByRole("heading", { level: 1, name: "Settings and health" }).waitFor();
  const health = page.getByRole("region", { name: "Health" });
  const lack = await health.getByRole("listitem").filter({ hasText: "GEMINI_API_KEY" }).innerText();
  const agents = page.getByRole("region", { name: "Agents" });
  await agents.getByRole("button", { name: "Start each in the sandbox" }).focus();
  await page.keyboard.press("Enter");
  const shell = agents.getByRole("listitem").filter({ hasText: "/bin/sh" });
  await shell.getByText("works", { exact: true }).waitFor();
  const settings = await page.getByRole("region", { name: "Settings that count" }).innerText();

  await page.goto(given.address);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Find an action" }).waitFor();
  await page.keyboard.type("settings");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Settings and health" }).waitFor();
  const here = await page.locator('nav [aria-current="page"]').innerText();
  return { lack, settings, here };
});
