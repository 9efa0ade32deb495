import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http, ws } from "msw";
import { expect, test } from "vitest";
import type { Build, Choices } from "../api/types";
import { LiveBuild } from "../live/LiveBuild";
import { Toasts } from "../shell/Toasts";
import { served, server } from "../testing/server";
import { BuildPage } from "./BuildPage";

served();

const ID = "3fa9b0c1-0000-4000-8000-000000000000";
const HERE = `http://127.0.0.1:8321/api/builds/${ID}`;
const AT = "2026-01-01T00:00:00Z";

const build = (more: Partial<Build>): Build =>
  ({
    id: ID,
    title: "Guestbook",
    stage: "working",
    control: "running",
    created_at: AT,
    updated_at: AT,
    counts: { done: 1, working: 1 },
    total: 2,
    tasks: [
      { id: "greet", title: "Greet", phase: "done", attempt: 1 },
      { id: "wave", title: "<b>Wave</b>", phase: "working", attempt: 2 },
    ],
    ...more,
  }) as unknown as Build;

const price = { words: "1 more attempt: about 2 min", basis: "this build" };
const CHOICES = {
  build: ID,
  version: 9,
  paused: true,
  reason: "failure",
  words: "task wave failed after 3 attempts: `wave.py` has no hand",
  task: "wave",
  findings: ["wave.py:1: no hand"],
  choices: [
    {
      name: "retry",
      words: "try wave again",
      command: "buildwright resume 3fa9b0c1 --retry",
      path: `/api/builds/${ID}/resume`,
      body: { choice: "retry" },
      price,
    },
    {
      name: "go",
      words: "continue, as `buildwright resume` does",
      command: "buildwright resume 3fa9b0c1",
      path: `/api/builds/${ID}/resume`,
      body: { choice: "go" },
      price,
    },
  ],
} as unknown as Choices;

interface Sent {
  readonly path: string;
  readonly body: unknown;
}

/** Show a build. Returns what the page asks to be done. */
function shown(status: Build, refuses = false): Sent[] {
  const sent: Sent[] = [];
  const link = ws.link(/^ws:\/\/127\.0\.0\.1:8321\/ws\/devteam/);
  server.use(
    link.addEventListener("connection", ({ client }) => {
      client.send(
        JSON.stringify({ type: "hello", ts: AT, projectId: "p", payload: { resume: "live", cursor: "c" } }),
      );
    }),
    http.get(HERE, () => HttpResponse.json(status)),
    http.get(`${HERE}/choices`, () =>
      HttpResponse.json(status.pause ? CHOICES : { build: ID, version: 1, paused: false }),
    ),
    http.get(`${HERE}/messages`, () =>
      HttpResponse.json({
        messages: [
          { id: "m1", text: "be brief", task: "", state: "acted", words: "wave heard it.", taken_in: [] },
        ],
      }),
    ),
    http.get(`${HERE}/phases`, () => HttpResponse.json({ build: ID, version: 1, current: 0, phases: [] })),
    http.get(`${HERE}/spec-progress`, () =>
      HttpResponse.json({ build: ID, documents: [], tasks: [], uncovered: [] }),
    ),
    http.get(`${HERE}/forecast`, () =>
      HttpResponse.json({ open_tasks: 1, thrown_away_usd: "0.25", total_usd: null }),
    ),
    http.post(`${HERE}/:part`, async ({ request, params }) => {
      sent.push({ path: String(params.part), body: await request.json() });
      if (!refuses) return HttpResponse.json({});
      return HttpResponse.json(
        { detail: "the build is paused already", fix: "buildwright resume 3fa9b0c1" },
        { status: 409 },
      );
    }),
  );
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <LiveBuild id={ID}>
        <BuildPage id={ID} />
      </LiveBuild>
      <Toasts />
    </QueryClientProvider>,
  );
  return sent;
}

test("names are text, states are words, and money that was thrown away is in sight", async () => {
  shown(build({}));
  const table = within(await screen.findByRole("table"));
  expect(table.getByText("<b>Wave</b>")).toBeTruthy();
  expect(table.getByText("working")).toBeTruthy();
  expect(screen.getByText("1 of 2")).toBeTruthy();
  expect(await screen.findByText("$0.25")).toBeTruthy();
  expect(await screen.findByText("wave heard it.")).toBeTruthy();
});

test("what contains the build is said, and most of all that nothing does", async () => {
  shown(build({ sandbox: "bubblewrap, its limits watched" }));
  expect(await screen.findByText("bubblewrap, its limits watched")).toBeTruthy();
  expect(screen.queryByText(/No sandbox/)).toBeNull();
  cleanup();
  shown(build({ sandbox: "auto" }));
  expect(await screen.findByText("chosen by each worker")).toBeTruthy();
  cleanup();
  shown(build({ sandbox: "none" }));
  const said = await screen.findByText(/No sandbox: agents and checks run with the rights of the user/);
  expect(said.textContent).toContain("(--sandbox none).");
});

test("the picture of a phase is asked for as soon as there is one, and not before", async () => {
  for (const current of [0, 2]) {
    const asked: string[] = [];
    shown(build({}));
    server.use(
      http.get(`${HERE}/phases`, () => HttpResponse.json({ build: ID, version: 1, current, phases: [] })),
      http.get(`${HERE}/phases/:number/graph`, ({ params }) => {
        asked.push(String(params.number));
        return HttpResponse.json({ nodes: [] });
      }),
    );
    expect(await screen.findByText("wave heard it.")).toBeTruthy();
    await expect.poll(() => asked).toEqual(current ? ["2"] : []);
    cleanup();
  }
});

test("pausing can be undone from the message that tells of it", async () => {
  const sent = shown(build({}));
  await userEvent.click(await screen.findByRole("button", { name: "Pause" }));
  await userEvent.click(await screen.findByRole("button", { name: "Undo" }));
  await expect
    .poll(() => sent)
    .toEqual([
      { path: "pause", body: {} },
      { path: "resume", body: { choice: "go" } },
    ]);
});

test("a refusal says what happened and the one thing to do", async () => {
  shown(build({}), true);
  await userEvent.click(await screen.findByRole("button", { name: "Pause" }));
  expect(await screen.findByText("the build is paused already")).toBeTruthy();
  expect(screen.getByText("buildwright resume 3fa9b0c1")).toBeTruthy();
});

test("words go with an answer that takes them, and before one that does not", async () => {
  const pause = { reason: "failure", message: "m", since: AT } as unknown as NonNullable<Build["pause"]>;
  const sent = shown(build({ control: "paused", pause }));
  expect(await screen.findByText("wave.py:1: no hand")).toBeTruthy();
  expect(screen.getAllByText(price.words)).toHaveLength(2);
  const card = screen.getByLabelText("Why the build is paused");
  expect(card.textContent).not.toContain("`");
  expect(within(card).getByText("wave.py").tagName).toBe("CODE");
  const words = screen.getByLabelText(/Tell the agents.*approval/);
  await userEvent.type(words, "with two hands");
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await expect
    .poll(() => sent)
    .toEqual([{ path: "resume", body: { choice: "retry", message: "with two hands" } }]);
  await userEvent.type(words, "go on");
  await userEvent.click(screen.getByRole("button", { name: "Resume" }));
  await expect
    .poll(() => sent.slice(1))
    .toEqual([
      { path: "say", body: { text: "go on" } },
      { path: "resume", body: { choice: "go" } },
    ]);
});
