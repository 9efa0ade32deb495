import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { Button } from "./Button";
import { Refused, Rights } from "./Rights";

const WHY = "your role in this build is viewer, which does not allow this: ask its owner";

test("what the reader may not do cannot be pressed, and says why", () => {
  render(
    <Rights refused={{ steer: WHY }}>
      <Button act="steer" title="buildwright pause">
        Pause
      </Button>
      <Button act="say">Send</Button>
      <Button>Close</Button>
      <Refused act="steer" />
      <Refused act="say" />
    </Rights>,
  );
  const pause = screen.getByRole<HTMLButtonElement>("button", { name: "Pause" });
  expect([pause.disabled, pause.title]).toEqual([true, WHY]);
  for (const name of ["Send", "Close"]) {
    expect(screen.getByRole<HTMLButtonElement>("button", { name }).disabled).toBe(false);
  }
  expect(screen.getAllByRole("note").map((one) => one.textContent)).toEqual([
    "Your role in this build is viewer, which does not allow this: ask its owner.",
  ]);
});

test("until the server has said so, and where nothing is refused, all can be pressed", () => {
  render(
    <Rights refused={undefined}>
      <Button act="steer">Pause</Button>
    </Rights>,
  );
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Pause" }).disabled).toBe(false);
});
