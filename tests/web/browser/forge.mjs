// A project on a new repository of the forge: its build, and the later delivery of it to another branch.
import { given, inBrowser, wrong } from "./open.mjs";

await inBrowser(async (page) => {
  const keys = page.keyboard;
  const found = [];
  const look = async (name) => {
    for (const one of await wrong(page)) found.push(`${name}: ${one}`);
  };
  await page.getByRole("heading", { level: 1, name: "Builds" }).waitFor();
  await keys.press("g");
  await keys.press("n");
  await page.getByLabel("Name", { exact: true }).fill("Words");
  await page.getByRole("radio", { name: /new repository/i }).check();
  await page.getByText("Such as owner/new-name").waitFor();
  await page.getByLabel("Repository", { exact: true }).fill(given.repository);
  await page.getByRole("radio", { name: /I have a spec/ }).check();
  await page.getByRole("textbox", { name: "What to build" }).fill(given.spec);
  await page.getByText(/acme\/new/).first().waitFor();
  await look("new");
  await page.getByRole("button", { name: "Create the project" }).press("Enter");

  await page.getByRole("heading", { level: 1, name: "Words" }).waitFor();
  await page.getByLabel("Agent", { exact: true }).selectOption("shell");
  await page.getByLabel("Command of the shell agent").fill(given.command);
  await page.getByLabel("Checks", { exact: true }).fill("true");
  await page.getByLabel("The result goes to").waitFor();
  await look("project");
  await page.getByRole("button", { name: "Start the build" }).press("Enter");
  await page.getByRole("region", { name: "Result" }).waitFor({ timeout: 120_000 });

  await keys.press("Escape");
  await page.getByRole("link", { name: /Result|complete/i }).first().press("Enter");
  await page.getByRole("heading", { name: "Deliver it" }).waitFor();
  await page.getByLabel(/^Branch/).fill(given.branch);
  // What the page says while the delivery runs is noted as it comes and goes.
  await page.evaluate(() => {
    window.met = { delivering: "", meanwhile: "" };
    new MutationObserver(() => {
      const said = [...document.querySelectorAll('main [role="status"]')].map((one) => one.textContent).join(" ");
      if (!said.includes("being delivered") || window.met.delivering) return;
      window.met = { delivering: said, meanwhile: document.querySelector("main").innerText };
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  await page.getByRole("button", { name: "Push it" }).press("Enter");
  await page.locator("main code").getByText(given.branch, { exact: true }).first().waitFor();
  await page.getByRole("heading", { name: "Deliver it" }).waitFor();
  await look("delivered");
  return { found, path: new URL(page.url()).pathname, ...(await page.evaluate(() => window.met)) };
});
