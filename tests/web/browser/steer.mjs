// By keyboard alone: see a build run without loading the page again, pause it, resume it with a message, read its log.
import { inBrowser } from "./open.mjs";

await inBrowser(async (page) => {
  await page.waitForLoadState("load");
  let loads = 0;
  page.on("load", () => {
    loads += 1;
  });
  await page.getByRole("heading", { level: 1, name: "Guestbook" }).waitFor();
  await page.locator('[data-link="live"]').waitFor();
  const lane = page.getByRole("region", { name: "Now" });
  await lane.getByText("first line").waitFor();

  await page.keyboard.press("p");
  await page.getByRole("heading", { name: "You paused this build" }).waitFor();
  const words = page.getByLabel(/Tell the agents/).first();
  await words.focus();
  await page.keyboard.type("be brief");
  await page.keyboard.press("Tab");
  const resume = page.getByRole("region", { name: "Why the build is paused" }).getByRole("button", { name: "Resume", exact: true });
  await resume.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "You paused this build" }).waitFor({ state: "detached" });

  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Find an action" }).waitFor();
  await page.keyboard.type("go log");
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Lines of the log" }).getByText("first line").first().waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("first line");
  await page.locator("mark").first().waitFor();
  const title = await page.title();
  return { loads, title };
});
