import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import type { Server } from "../api/types";
import { served, server } from "../testing/server";
import { SettingsPage } from "./SettingsPage";

served();

const HOSTILE = "<img src=x onerror=alert(1)>";
const OTHERS = {
  version: "1.2.3",
  address: "http://127.0.0.1:8321",
  as_of: "2026-01-01T00:00:00Z",
  sees_all: false,
  health: "broken",
  sandbox: { name: "", limits: "", trouble: "bubblewrap cannot be used", fix: "install bubblewrap" },
  agents: [
    {
      name: "shell",
      title: "a command",
      state: "installed",
      version: "",
      tried: "",
      trouble: "",
      found: "",
      install: "",
      asked: [],
    },
  ],
  checks: [],
  settings: [],
  settings_trouble: "",
} satisfies Server;
const OWNERS = {
  ...OTHERS,
  sees_all: true,
  checks: [
    { name: "git", state: "broken", found: HOSTILE, costs: "nothing can be built", fix: "install git" },
  ],
  home: {
    path: "/srv/home",
    bytes: 2_000,
    files: 3,
    whole: false,
    parts: [{ name: "store", bytes: 2_000, files: 3, whole: false, goes: "with its builds" }],
  },
  settings: [{ name: "BUILDWRIGHT_HOSTS", value: HOSTILE, source: "environment", says: "other names" }],
  settings_trouble: "the file cannot be used",
} satisfies Server;

function shown(page: Server) {
  server.use(http.get("*/api/server", () => HttpResponse.json(page)));
  render(
    <QueryClientProvider client={new QueryClient()}>
      <SettingsPage />
    </QueryClientProvider>,
  );
}

test("an owner sees each lack with its fix, and what is wrong in a file, as text", async () => {
  shown(OWNERS);
  const health = within(await screen.findByRole("region", { name: "Health" }));
  expect(health.getByText(HOSTILE)).toBeTruthy();
  expect(health.getByText("Fix: install git")).toBeTruthy();
  expect(screen.getByText("at least 3 files and folders; goes with its builds")).toBeTruthy();
  expect(screen.getByText("the file cannot be used")).toBeTruthy();
  expect(screen.getByRole("button", { name: "Start each in the sandbox" })).toBeTruthy();
});

test("another user sees why nothing can be built, and no way to start agents", async () => {
  shown(OTHERS);
  expect(await screen.findByText("install bubblewrap")).toBeTruthy();
  expect(screen.queryByRole("region", { name: "Health" })).toBeNull();
  expect(screen.queryByRole("region", { name: "Settings that count" })).toBeNull();
  expect(screen.queryByRole("button", { name: "Start each in the sandbox" })).toBeNull();
});
