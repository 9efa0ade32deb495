// By keyboard alone, from sign-in to the end of a build: project, interview, contracts, plan, run, pause, retry with words.
import { given, inBrowser, keyboard, wrong } from "./open.mjs";

await inBrowser(async (page) => {
  const { keys, tabTo, press } = keyboard(page);
  await page.waitForLoadState("load");
  let loads = 0;
  let shots = 0;
  const found = [];
  page.on("load", () => {
    loads += 1;
  });
  const shown = (text) => page.locator("main").getByText(text).first().waitFor();
  const button = (name) => page.getByRole("button", { name, exact: typeof name === "string" });
  const look = async (name) => {
    for (const one of await wrong(page)) found.push(`${name}: ${one}`);
    shots += 1;
    if (given.shots) await page.screenshot({ path: `${given.shots}/way-${shots}-${name}.png` });
  };

  // A new project.
  await page.getByRole("heading", { level: 1, name: "Builds" }).waitFor();
  await keys.press("g");
  await keys.press("n");
  await tabTo(page.getByLabel("Name", { exact: true }));
  await keys.type(given.name);
  await tabTo(page.getByLabel("Path on this machine"));
  await keys.type("/etc");
  await shown("is not where this server may build");
  await keys.press("Control+a");
  await keys.type(given.repository);
  await shown("A git repository: builds");
  await look("new");
  await press(button("Create, and start the interview"));

  // The interview: a suggestion by its number, one by the server's hand, and an answer that is changed afterwards.
  await press(button("Begin the interview"));
  await shown("What is it for?");
  await look("interview-asked");
  await page.locator("main").focus();
  await keys.press("2");
  await shown("Which language?");
  await page.reload();
  await shown("Which language?");
  loads -= 1;
  await keys.press("d");
  await shown("All is settled.");
  await look("interview-settled");
  await page.locator("#main").focus();
  await press(button("Make the contracts"));

  // The contracts: one of them is changed wrongly, said so at its place, and saved by Ctrl-S.
  await page.getByRole("heading", { level: 1, name: "Contracts" }).waitFor();
  await press(button(/^schema\.yaml/));
  const text = page.getByLabel("Text of schema.yaml");
  await tabTo(text);
  await keys.press("Control+a");
  await keys.type("tables:\n  - nome: words\n");
  await keys.press("Control+s");
  await shown(/schema\.yaml:2/);
  await look("contract-refused");
  await keys.press("Control+a");
  await keys.type("tables:\n  - name: words\n");
  await keys.press("Control+s");
  await page.getByText("schema.yaml is saved.").first().waitFor();
  await page.getByText("version 2", { exact: true }).first().waitFor();
  await look("contracts");

  // A comment on one of its paragraphs, which is then resolved.
  await page.locator("#main").focus();
  await keys.press("c");
  await page.getByRole("dialog", { name: "Comment on a passage" }).waitFor();
  await keys.type("which words?");
  await look("comment");
  await press(button("Keep it"));
  const comments = page.getByRole("region", { name: "Comments" });
  await comments.getByText("which words?").waitFor();
  await look("commented");
  await press(comments.getByRole("button", { name: /^Resolve/ }));
  await comments.getByText("which words?").waitFor({ state: "detached" });

  // The build, which waits for the plan to be approved.
  await page.locator("#main").focus();
  await keys.press("g");
  await keys.press("o");
  await page.getByRole("heading", { level: 1, name: given.name }).waitFor();
  await tabTo(page.getByLabel("Agent", { exact: true }));
  await keys.type("shell");
  await tabTo(page.getByLabel("Command of the shell agent"));
  await keys.type(given.command);
  await tabTo(page.getByLabel("Checks", { exact: true }));
  await keys.type("test -e README.md");
  await tabTo(page.getByLabel(/Show me the plan/));
  await keys.press("Space");
  await press(button("What would it take?"));
  await page.getByRole("region", { name: "What it would take" }).waitFor();
  await look("project");
  await press(button("Start the build"));

  // The plan: a task is added, an order that would be a circle is refused in place, then it is approved.
  await page.getByRole("heading", { level: 1, name: "Plan" }).waitFor();
  await shown("Nothing is built of it until you approve it");
  await page.locator("#main").focus();
  await keys.press("j");
  await keys.press("<");
  await page.getByRole("alert").first().waitFor();
  await look("plan-refused");
  await page.locator("#main").focus();
  await keys.press("a");
  await page.getByRole("dialog").getByRole("textbox", { name: "Title" }).waitFor();
  await keys.type("Say goodbye");
  await keys.press("Enter");
  await page.getByRole("link", { name: "Say goodbye" }).waitFor();
  await page.locator("#main").focus();
  for (let at = 0; at < given.tasks; at += 1) await keys.press("j");
  await keys.press("d");
  await page.getByRole("dialog").getByText("No other task needs it.").waitFor();
  await look("plan-drop");
  await press(button("Drop the task"));
  await page.getByRole("link", { name: "Say goodbye" }).waitFor({ state: "detached" });
  await look("plan");
  await page.locator("#main").focus();
  await keys.press("A");

  // It runs, is paused and goes on; then an attempt fails, and is tried again with words.
  await keys.press("g");
  await keys.press("b");
  await page.locator('[data-link="live"]').waitFor();
  await page.getByRole("region", { name: "Now" }).waitFor();
  await page.locator("#main").focus();
  await keys.press("p");
  await page.getByRole("heading", { name: "You paused this build" }).waitFor();
  await page.locator("#main").focus();
  await keys.press("r");
  await page.getByRole("heading", { name: /^Paused: failure/ }).waitFor({ timeout: 120_000 });
  await tabTo(page.getByLabel(/Tell the agents/).first());
  await keys.type(given.words);
  const pause = page.getByRole("region", { name: "Why the build is paused" });
  await press(pause.getByRole("button", { name: "Try again", exact: true }));
  await page.getByRole("region", { name: "Result" }).waitFor({ timeout: 120_000 });
  const messages = page.getByRole("region", { name: "Messages" });
  await messages.getByText(given.words).waitFor();
  await messages.getByText(/heard it in attempt \d+ before turn 1/).waitFor();
  await look("ended");
  const path = new URL(page.url()).pathname;

  // A contract changes after the build: what that makes stale is shown before it is saved.
  await page.locator("#main").focus();
  await keys.press("g");
  await keys.press("h");
  await press(page.getByRole("link", { name: "Open the project" }));
  await page.getByRole("heading", { level: 1, name: given.name }).waitFor();
  await keys.press("g");
  await keys.press("c");
  await press(button(/^phases\.md/));
  const phases = page.getByLabel("Text of phases.md");
  await tabTo(phases);
  await keys.press("Control+a");
  await keys.type((await phases.inputValue()).replace("put the total", "put the grand total"));
  await keys.press("Control+s");
  await page.getByRole("heading", { name: "1 task would be stale" }).waitFor();
  await look("contract-impact");
  await press(page.getByRole("dialog").getByRole("button", { name: "Save it" }));
  await page.getByRole("region", { name: "Saved: stale in the newest build" }).waitFor();
  await look("contract-stale");
  return { loads, found, title: await page.title(), path };
});
