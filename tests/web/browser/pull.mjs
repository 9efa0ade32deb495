// By keyboard alone, from sign-in to a pull request: a spec for a repository of the forge, its build, its review on the page
// and on the forge, whose comments become a task, and the request that is updated.
import { given, inBrowser, keyboard, wrong } from "./open.mjs";

await inBrowser(async (page) => {
  const { keys, tabTo, press, write } = keyboard(page);
  const found = [];
  const look = async (name) => {
    for (const one of await wrong(page)) found.push(`${name}: ${one}`);
  };
  const labelled = (name) => page.getByLabel(name, { exact: true });
  const button = (name) => page.getByRole("button", { name, exact: true });
  await page.getByRole("heading", { level: 1, name: "Builds" }).waitFor();
  await keys.press("g");
  await keys.press("n");
  await write(labelled("Name"), "Words");
  await tabTo(page.getByRole("radio", { name: /A folder on this machine/ }));
  await keys.press("ArrowDown");
  await write(labelled("Repository"), given.repository);
  await tabTo(page.getByRole("radio", { name: /Start an interview/ }));
  await keys.press("ArrowDown");
  await write(page.getByRole("textbox", { name: "What to build" }), given.spec);
  await press(button("Create the project"));

  await page.getByRole("heading", { level: 1, name: "Words" }).waitFor();
  await write(labelled("Agent"), "shell");
  await write(labelled("Command of the shell agent"), given.command);
  await write(labelled("Checks"), "true");
  await write(labelled("The result goes to"), "a pull request");
  await press(button("Start the build"));
  await page.getByRole("region", { name: "Result" }).waitFor({ timeout: 120_000 });

  // What it changed is looked at, then where it went.
  await page.locator("#main").focus();
  await keys.press("g");
  await keys.press("r");
  await page.getByText("0 viewed").waitFor();
  await keys.press("j");
  await keys.press("v");
  await page.getByText("1 viewed").waitFor();
  await keys.press("g");
  await keys.press("e");
  const proof = page.getByRole("region", { name: "Links and proof" });
  await proof.getByText("Pull request", { exact: true }).waitFor();
  const opened = await proof.getByRole("link", { name: /\/pull\// }).getAttribute("href");
  await look("opened");

  // The comments on the forge become a task, and the same build goes on.
  const figures = page.getByRole("region", { name: "In figures" });
  await figures.getByText("2 of 2 done").waitFor();
  await press(button("Make tasks of its review"));
  await figures.getByText("3 of 3 done").waitFor({ timeout: 120_000 });
  const again = await proof.getByRole("link", { name: /\/pull\// }).getAttribute("href");
  await press(button("Make tasks of its review"));
  await page.getByText(/is new/).first().waitFor();

  // Asked for once more, it is updated.
  await press(button("Update the pull request"));
  await page.getByText("Asked. It is pushed, and its pull request opened or updated.").first().waitFor();
  await button("Update the pull request").waitFor();
  await look("updated");
  const proven = await proof.locator("dl").innerText();
  return { found, opened, again, proven, path: new URL(page.url()).pathname };
});
