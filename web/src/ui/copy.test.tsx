import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { Command } from "./Command";

afterEach(() => vi.unstubAllGlobals());

test("a command is copied, also where the page has no clipboard, and it is said when it is not", async () => {
  const user = userEvent.setup();
  const told: string[] = [];
  vi.stubGlobal("navigator", { clipboard: { writeText: async (text: string) => void told.push(text) } });
  render(<Command line="buildwright status" />);
  const copy = screen.getByRole("button", { name: "Copy: buildwright status" });
  await user.click(copy);
  expect(await screen.findByText("Copied")).toBeTruthy();
  expect(told).toEqual(["buildwright status"]);

  vi.stubGlobal("navigator", {});
  const older: string[] = [];
  document.execCommand = () => {
    const field = document.querySelector("textarea");
    older.push(field?.value ?? "");
    return older.length === 1;
  };
  await user.tab();
  await user.click(copy);
  expect(await screen.findByText("Copied")).toBeTruthy();
  expect(older).toEqual(["buildwright status"]);
  expect(document.querySelector("textarea")).toBeNull();
  await user.tab();
  await user.click(copy);
  expect(await screen.findByText("Not copied")).toBeTruthy();
});
