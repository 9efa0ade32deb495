import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http, ws } from "msw";
import { expect, test } from "vitest";
import type { Review } from "../api/types";
import { LiveBuild } from "../live/LiveBuild";
import { served, server } from "../testing/server";
import { ReviewPage } from "./ReviewPage";

served();

const ID = "3fa9b0c1-0000-4000-8000-000000000000";
const HERE = `http://127.0.0.1:8321/api/builds/${ID}`;
const AT = "2026-01-01T00:00:00Z";
const NAME = "<b>a</b>.py";

const hunk = (more: object) => ({
  heading: "",
  old_start: 1,
  old_lines: 1,
  new_start: 1,
  new_lines: 1,
  purposes: [{ task: "greet", title: "Greet", requirements: ["R1"], commit: "c" }],
  unasked: "",
  lines: [
    { kind: "removed", text: "say hi", old: 1, new: null, pieces: ["say ", "hi"] },
    { kind: "added", text: "say ho", old: null, new: 1, pieces: ["say ", "ho"] },
  ],
  ...more,
});
const file = (path: string, more: object) => ({
  path,
  old_path: "",
  kind: "changed",
  language: "",
  binary: false,
  large: false,
  added: 1,
  removed: 1,
  hunks: [hunk({})],
  ...more,
});
const VIEW = {
  build: ID,
  version: 9,
  task: "",
  old: "c0",
  new: "c1",
  added: 2,
  removed: 2,
  unasked: 1,
  files: [
    file(NAME, {}),
    file("big.py", { large: true, added: 300, hunks: [hunk({ unasked: "greet did not name big.py" })] }),
  ],
} as unknown as Review;

/** Show the review. Returns what is sent. */
function shown(): unknown[] {
  const sent: unknown[] = [];
  server.use(
    ws.link(/^ws:\/\/127\.0\.0\.1:8321\/ws\/devteam/).addEventListener("connection", ({ client }) => {
      const hello = { type: "hello", ts: AT, projectId: "p", payload: { resume: "live", cursor: "c" } };
      client.send(JSON.stringify(hello));
    }),
    http.get(HERE, () =>
      HttpResponse.json({ id: ID, title: "Guestbook", head: "c1", tasks: [], version: 9 }),
    ),
    http.get(`${HERE}/review`, () => HttpResponse.json(VIEW)),
    http.get(`${HERE}/gates`, () => HttpResponse.json({ build: ID, verdicts: [] })),
    http.post(`${HERE}/review`, async ({ request }) => {
      sent.push(await request.json());
      return HttpResponse.json({ build_id: ID, review_id: "r" }, { status: 202 });
    }),
  );
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <LiveBuild id={ID}>
        <ReviewPage id={ID} />
      </LiveBuild>
    </QueryClientProvider>,
  );
  return sent;
}

test("a draft is there again after a reload, and goes as one batch", async () => {
  shown();
  await userEvent.click(await screen.findByTitle(NAME));
  await userEvent.click(await screen.findByRole("button", { name: "Comment on line 1" }));
  await userEvent.type(screen.getByLabelText(`Comment on lines of ${NAME}`), "say hello");
  await userEvent.click(screen.getByRole("button", { name: "Add to the draft" }));
  cleanup();
  const sent = shown();
  await userEvent.type(await screen.findByLabelText("Of the whole (optional)"), "Nearly");
  await userEvent.click(screen.getByRole("button", { name: "Send 1 comment" }));
  await expect
    .poll(() => sent)
    .toEqual([
      {
        comments: [{ path: NAME, side: "new", line: 1, end_line: 0, text: "say hello", task: "greet" }],
        message: "Nearly",
      },
    ]);
  await expect.poll(() => screen.queryByRole("button", { name: "Send 1 comment" })).toBeNull();
  expect(localStorage.getItem(`review ${ID}`)).toBeNull();
});

test("each hunk says what it is for; a large file and a viewed one are not drawn", async () => {
  shown();
  await userEvent.click(await screen.findByTitle(NAME));
  expect(await screen.findByText("R1")).toBeTruthy();
  expect(screen.getAllByText("ho").map((one) => one.tagName)).toEqual(["MARK"]);
  expect(screen.queryByText("greet did not name big.py")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Load it" }));
  await userEvent.click(screen.getByTitle("big.py"));
  expect(screen.getAllByText("ho")).toHaveLength(2);
  expect(screen.getByText("greet did not name big.py")).toBeTruthy();
  await userEvent.click(screen.getAllByRole("checkbox", { name: "Viewed" })[0] as HTMLElement);
  expect(screen.getAllByText("ho")).toHaveLength(1);
  expect(screen.getByText("viewed")).toBeTruthy();
});
