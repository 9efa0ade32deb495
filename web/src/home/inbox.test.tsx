import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import type { Need } from "../api/types";
import { Palette } from "../shell/Palette";
import { served, server } from "../testing/server";
import { PageHead } from "../ui/Page";
import { Inbox } from "./Inbox";

served();

const NEED = {
  build: "3fa9",
  project: "",
  kind: "pause",
  task: "",
  title: "Add `total`",
  words: "task `total` failed",
  since: "2026-01-01T00:00:00Z",
  blocked: "1 task",
  findings: ["`sum` is missing"],
  refused: "only `buildwright member` lets you",
  remedies: [
    { name: "go", words: "continue, as `resume` does", command: "", path: "/p", body: {} },
    { name: "answer", words: "answer in `words`", takes: "message", command: "", path: "/p", body: {} },
  ],
} as unknown as Need;

test("what stands in backticks is code in the inbox, in heads and among the actions", async () => {
  server.use(
    http.get("*/api/builds", () =>
      HttpResponse.json({ items: [{ build_id: "3fa9", title: "Add `total`" }] }),
    ),
    http.get("*/projects", () => HttpResponse.json({ items: [] })),
  );
  const { container } = render(
    <QueryClientProvider client={new QueryClient()}>
      <PageHead title="The `till`" />
      <Inbox needs={[NEED]} />
      <Palette onClose={() => {}} />
    </QueryClientProvider>,
  );
  const action = await screen.findByRole("option");
  expect(within(action).getByText("total").tagName).toBe("CODE");
  expect(document.body.textContent).not.toContain("`");
  const codes = [...container.querySelectorAll("code")].map((one) => one.textContent);
  expect(codes).toEqual(expect.arrayContaining(["till", "sum", "buildwright member", "resume", "words"]));
});
