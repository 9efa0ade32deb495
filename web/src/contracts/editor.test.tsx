import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { contract } from "../api/queries";
import type { ContractText } from "../api/types";
import { Toasts } from "../shell/Toasts";
import { served, server } from "../testing/server";
import { Editor } from "./Editor";

served();

const text = (version: number, content: string): ContractText =>
  ({ contract_type: "ui", file: "ui.md", version, content, lines: [] }) as unknown as ContractText;

function opened(first: ContractText) {
  const sent: unknown[] = [];
  server.use(
    http.get("*/projects/p1/contracts/comments", () => HttpResponse.json({ items: [] })),
    http.get("*/projects/p1/contracts/ui/versions", () => HttpResponse.json({ items: [] })),
    http.get("*/projects/p1/contracts/ui", () => HttpResponse.json(first)),
    http.post("*/projects/p1/contracts/ui/comments", async ({ request }) => {
      sent.push(await request.json());
      return HttpResponse.json({}, { status: 201 });
    }),
  );
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  client.setQueryData(contract("p1", "ui").queryKey, first);
  render(
    <QueryClientProvider client={client}>
      <Editor id="p1" type="ui" onSaved={() => undefined} />
      <Toasts />
    </QueryClientProvider>,
  );
  return { client, sent };
}

test("a comment that is being typed stays when a newer version arrives, and is on the version that was read", async () => {
  const user = userEvent.setup();
  const { client, sent } = opened(text(1, "# One"));
  await user.click(screen.getByRole("button", { name: "Comment" }));
  await user.type(await screen.findByLabelText("What you have to say"), "which one?");
  act(() => void client.setQueryData(contract("p1", "ui").queryKey, text(2, "# Two")));
  expect(screen.getByLabelText("What you have to say")).toHaveProperty("value", "which one?");
  server.use(http.get("*/projects/p1/contracts/ui", () => HttpResponse.json(text(2, "# Two"))));
  await user.click(screen.getByRole("button", { name: "Keep it" }));
  expect(await screen.findByText("version 2")).toBeDefined();
  expect(sent).toEqual([{ text: "which one?", first: 1, last: 0, version: 1 }]);
});

test("on an empty line nothing can be commented or rewritten", async () => {
  const user = userEvent.setup();
  opened(text(1, "# One\n"));
  for (const name of ["Comment", "Rewrite"]) {
    await user.click(screen.getByRole("button", { name }));
    expect((await screen.findAllByText(/Line 2 is empty/)).length).toBeGreaterThan(0);
    expect(screen.queryByRole("dialog")).toBeNull();
  }
});
