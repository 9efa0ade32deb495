// A long log: its newest lines come at once, older ones when they are scrolled to or linked, and a search finds all.
import { given, inBrowser } from "./open.mjs";

await inBrowser(async (page) => {
  const asked = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.pathname.endsWith("/logs")) asked.push(url.search);
  });
  const box = page.getByRole("region", { name: "Lines of the log" });
  await page.locator("main header").getByText(`${given.lines.toLocaleString("en")} lines`).first().waitFor();
  await box.getByText(`line ${given.last} `).waitFor();

  await box.focus();
  await page.keyboard.press("Home");
  await box.getByText("line 0 ", { exact: false }).first().waitFor();
  const read = [...asked];
  const rows = await page.locator("[data-index]").count();
  await page.getByRole("button", { name: /Follow/ }).waitFor();

  await page.keyboard.press("/");
  await page.keyboard.type(given.search);
  await page.getByText(`1/${given.found}`, { exact: true }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByText(`2/${given.found}`, { exact: true }).waitFor();
  await box.locator("mark").first().waitFor();
  await page.keyboard.press("Escape");

  await page.getByLabel("Which lines").selectOption("error");
  await page.locator("main header").getByText(`${given.errors} lines`).first().waitFor();
  const errors = await box.innerText();

  await page.goto(`${given.address}/builds/${given.build}/log?line=${given.linked}`);
  await box.getByText(`line ${given.linked - given.first} `).waitFor();
  return { read, rows, errors };
});
