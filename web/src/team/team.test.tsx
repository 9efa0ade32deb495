import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import type { Team } from "../api/types";
import { Toasts } from "../shell/Toasts";
import { served, server } from "../testing/server";
import { TeamPage } from "./TeamPage";

served();

const AT = "2026-01-01T00:00:00Z";
const HOSTILE = "<img src=x onerror=alert(1)>";
const user = {
  user_id: "bob",
  name: HOSTILE,
  role: "member",
  may_run_commands: false,
  spent_usd: "1.5",
  created_at: AT,
};
const PAGE = {
  me: user,
  github: { login: "" },
  users: [
    {
      ...user,
      most_usd_a_month: "20",
      actions: [
        {
          words: "Disable",
          method: "POST",
          path: "/api/users/bob/disable",
          command: "buildwright user disable bob",
        },
      ],
    },
  ],
  tokens: [
    {
      id: "t1",
      user_id: "ann",
      kind: "bearer",
      label: HOSTILE,
      created_at: AT,
      expires_at: AT,
      last_used_at: AT,
      revoke: {
        words: "Take back",
        method: "DELETE",
        path: "/api/tokens/t1",
        command: "buildwright token revoke t1",
      },
    },
  ],
  projects: [
    {
      id: "p",
      name: "Shop",
      role: "owner",
      members: [{ user_id: "ann", role: "owner" }],
      share: [
        {
          role: "member",
          words: "starts builds",
          action: {
            words: "Make member",
            method: "PUT",
            path: "/projects/p/members/{user}",
            body: { role: "member" },
            command: "buildwright user share p {user} --role member",
          },
        },
      ],
    },
  ],
} as unknown as Team;

function shown(): void {
  server.use(http.get("*/api/team", () => HttpResponse.json(PAGE)));
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <TeamPage />
      <Toasts />
    </QueryClientProvider>,
  );
}

test("names are text, and each action stands beside its command line", async () => {
  shown();
  const users = await screen.findByRole("region", { name: "Users" });
  expect(within(users).getByText(HOSTILE)).toBeTruthy();
  expect(document.querySelector("img")).toBeNull();
  expect(within(users).getByText(/\$1\.50 this month of \$20\.00/)).toBeTruthy();
  expect(within(users).getByText("buildwright user disable bob")).toBeTruthy();
  expect(screen.getByText("buildwright token revoke t1")).toBeTruthy();
});

test("a token is taken back, and a project shared with whom is typed, by keyboard", async () => {
  const asked: string[] = [];
  server.use(
    http.delete("*/api/tokens/t1", () => {
      asked.push("revoked");
      return new HttpResponse(null, { status: 204 });
    }),
    http.put("*/projects/p/members/:user", async ({ params, request }) => {
      asked.push(`${String(params.user)} ${JSON.stringify(await request.json())}`);
      return HttpResponse.json({ items: [] });
    }),
  );
  shown();
  const keys = userEvent.setup();
  (await screen.findByRole("button", { name: "Take back …" })).focus();
  await keys.keyboard("{Enter}");
  const dialog = await screen.findByRole("dialog");
  expect(within(dialog).getByText("Whatever uses it is refused from now on.")).toBeTruthy();
  expect(document.querySelector("img")).toBeNull();
  await keys.keyboard("{Enter}");
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(asked).toEqual([]);
  screen.getByRole("button", { name: "Take back …" }).focus();
  await keys.keyboard("{Enter}");
  within(await screen.findByRole("dialog"))
    .getByRole("button", { name: "Take back" })
    .focus();
  await keys.keyboard("{Enter}");
  await screen.findByText("Done: take back");
  screen.getByLabelText("Share with").focus();
  await keys.keyboard("carl@x");
  expect(screen.getByText("buildwright user share p carl@x --role member")).toBeTruthy();
  await keys.keyboard("{Enter}");
  await screen.findByText("Done: make member");
  expect(asked).toEqual(["revoked", 'carl@x {"role":"member"}']);
});
