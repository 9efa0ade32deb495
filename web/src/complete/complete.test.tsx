import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, within } from "@testing-library/react";
import { HttpResponse, http, ws } from "msw";
import { expect, test } from "vitest";
import type { SpecTask } from "../api/types";
import { LiveBuild } from "../live/LiveBuild";
import { served, server } from "../testing/server";
import { CompletePage } from "./CompletePage";

served();

const ID = "3fa9b0c1-0000-4000-8000-000000000000";
const HERE = `http://127.0.0.1:8321/api/builds/${ID}`;
const UNASKED = "Tasks in which no part of the text was recognised.";

const task = (id: string, phase: string): Partial<SpecTask> => ({
  id,
  title: `The ${id}`,
  phase,
  commit: phase === "done" ? "c0ffee00c0ffee" : "",
  checks: [],
});

const piece = (text: string, tasks: string[]) => ({
  asks: true,
  line: 1,
  start: text.length,
  text,
  tasks,
  state: "green",
});

/** Show the result of a build whose text has these pieces; returns what the page says was built. */
async function built(pieces: object[], tasks: Partial<SpecTask>[], unasked: string[]) {
  const figures = {
    tasks: {},
    audits: {},
    phases: [],
    tokens: 0,
    seconds: 1,
    estimated_cost_usd: "0",
    contracts: 0,
  };
  const sums = { total: { cost_usd: "0", requests: 0 }, tables: [] };
  server.use(
    ws.link(/^ws:\/\/127\.0\.0\.1:8321\/ws\/devteam/).addEventListener("connection", () => {}),
    http.get(HERE, () => HttpResponse.json({ id: ID, title: "A till", outcome: "succeeded", tasks: [] })),
    http.get(`${HERE}/summary`, () => HttpResponse.json(figures)),
    http.get(`${HERE}/costs`, () => HttpResponse.json(sums)),
    http.get(`${HERE}/instructions`, () => HttpResponse.json({ steps: [] })),
    http.get(`${HERE}/spec-progress`, () =>
      HttpResponse.json({ documents: [{ pieces }], tasks, unasked, uncovered: [] }),
    ),
  );
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <LiveBuild id={ID}>
        <CompletePage id={ID} />
      </LiveBuild>
    </QueryClientProvider>,
  );
  await screen.findByText("c0ffee00c");
  return within(screen.getByRole("region", { name: "What was built" }));
}

test("what no part of the text asks for is listed once it is at work", async () => {
  const tasks = [
    task("till", "done"),
    task("lint", "judging"),
    task("docs", "waiting"),
    task("logo", "skipped"),
  ];
  const shown = await built([piece("A till.", ["till"])], tasks, ["lint", "docs", "logo"]);
  expect(shown.getAllByRole("link").map((one) => one.textContent)).toEqual(["The till", "The lint"]);
  expect(shown.getByText(UNASKED)).toBeTruthy();
});

test("where no part asks for anything, the tasks are the list, and nothing says that there is none", async () => {
  let shown = await built([], [task("till", "done")], ["till"]);
  expect(shown.getByText(UNASKED)).toBeTruthy();
  expect(shown.queryByText(/The plan is all/)).toBeNull();
  cleanup();
  shown = await built(
    [piece("A till.", ["till"])],
    [task("till", "done"), task("docs", "waiting")],
    ["docs"],
  );
  expect(shown.queryByText(UNASKED)).toBeNull();
});
