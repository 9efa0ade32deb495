import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { Read } from "./States";
import { said, sentence } from "./words";

const more = (items: readonly string[]) => <p>{items.join(", ")}</p>;

test("what is read stands there once it is, also when a later reading fails", () => {
  const failed = new Error("The server is away.");
  const { rerender } = render(
    <Read from={{ data: undefined, error: null, refetch: vi.fn() }} widths={[40, 60]} title="Files">
      {more}
    </Read>,
  );
  expect(screen.getByRole("region", { name: "Files" }).querySelectorAll("span")).toHaveLength(2);
  rerender(
    <Read from={{ data: ["a", "b"], error: failed, refetch: vi.fn() }} widths={[40, 60]} title="Files">
      {more}
    </Read>,
  );
  expect(screen.getByText("a, b")).toBeTruthy();
  expect(screen.queryByRole("alert")).toBeNull();
});

test("what cannot be read says why and what to do, and is asked again", async () => {
  const refetch = vi.fn();
  const error = Object.assign(new Error("The attempt has left no change."), { fix: "Choose another one." });
  render(
    <Read from={{ data: undefined, error, refetch }} widths={[40]}>
      {more}
    </Read>,
  );
  expect(screen.getByRole("alert").textContent).toBe(
    "The attempt has left no change.Choose another one.Try again",
  );
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(refetch).toHaveBeenCalledOnce();
});

test("a sentence begins with a capital and keeps the names in it, a word of the server loses its underscores", () => {
  expect(sentence("try my_task again")).toBe("Try my_task again");
  expect(sentence("1.20 USD are spent")).toBe("1.20 USD are spent");
  expect(said("end_user")).toBe("End user");
});
