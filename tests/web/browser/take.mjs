// By keyboard alone: review a change hunk by hunk, write comments that survive a reload, send them as one batch, go
// through the files and back in time, and read what the build came to.
import { given, inBrowser } from "./open.mjs";

await inBrowser(async (page) => {
  const has = (text) => page.getByText(text).first().waitFor();
  const region = (name) => page.getByRole("region", { name, exact: true });
  await page.getByRole("heading", { level: 1, name: /Review/ }).waitFor();
  await has("unasked");
  const marked = await page.locator("mark").allInnerTexts();

  await page.keyboard.press("j");
  await page.keyboard.press("v");
  await page.getByText(/1 viewed/).waitFor();
  await page.keyboard.press("n");
  await page.keyboard.press("n");
  const hunk = await page.evaluate(() => document.activeElement.id);
  await page.keyboard.press("p");
  await page.keyboard.press("c");
  await page.getByLabel(/^Comment on lines of/).waitFor();
  await page.keyboard.type("say it <b>better</b>");
  await page.keyboard.press("Control+Enter");
  await page.getByRole("button", { name: "Send 1 comment" }).waitFor();
  await page.reload();
  await page.getByText(/1 viewed/).waitFor();
  const send = page.getByRole("button", { name: "Send 1 comment" });
  await send.waitFor();
  const command = await region("Your comments").locator("code").last().innerText();
  if (given.send) {
    await send.focus();
    await page.keyboard.press("Enter");
    await page.getByText(/Sent: 1 comment/).first().waitFor();
    await send.waitFor({ state: "detached" });
  }
  await page.keyboard.press("s");
  await page.waitForURL(/view=split/);
  await page.keyboard.press("w");
  await page.waitForURL(/space=off/);

  await page.keyboard.press("g");
  await page.keyboard.press("f");
  const tree = page.getByRole("tree");
  await tree.waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("shop");
  await page.getByText(/1 file of/).waitFor();
  await tree.focus();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Text of src/shop.py" }).getByText("total").first().waitFor();
  const writers = await page.locator('[aria-label="Text of src/shop.py"] a').allInnerTexts();
  const slider = page.getByLabel("Moment");
  await slider.focus();
  await page.keyboard.press("Home");
  await page.waitForURL(/at=\d+/);
  await has("the base");
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="Text of src/shop.py"] a').length === 0);
  const at = new URL(page.url()).searchParams.get("at");

  await page.keyboard.press("Control+k");
  await page.keyboard.type("result");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Links and proof" }).waitFor();
  const [saved] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download the evidence" }).press("Enter"),
  ]);
  return { marked, hunk, command, writers, at, saved: saved.suggestedFilename() };
});
