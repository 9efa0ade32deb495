import { act, renderHook } from "@testing-library/react";
import { expect, test } from "vitest";
import { type Action, dismiss, forgetUndo, toast, useToasts } from "./kept";
import { actionFor } from "./keys";
import { fitting } from "./Palette";
import { placeOf } from "./router";

const action = (title: string, keys?: string, command?: string): Action => ({
  id: title,
  title,
  run: () => {},
  ...(keys && { keys }),
  ...(command && { command }),
});

test("each address is one page", () => {
  expect(placeOf("/")).toEqual({ page: "home" });
  expect(placeOf("/builds/3fa9")).toEqual({ page: "build", build: "3fa9" });
  expect(placeOf("/builds/3fa9/log")).toEqual({ page: "log", build: "3fa9" });
  expect(placeOf("/builds/3fa9/review")).toEqual({ page: "review", build: "3fa9" });
  expect(placeOf("/costs")).toEqual({ page: "spending" });
  expect(placeOf("/new")).toEqual({ page: "new" });
  expect(placeOf("/builds/3fa9/plan")).toEqual({ page: "plan", build: "3fa9" });
  expect(placeOf("/projects/3fa9/contracts")).toEqual({ page: "contracts", project: "3fa9" });
  for (const path of ["/builds/", "/builds/3fa9/", "/builds/../x", "/builds/3fa9/other", "/docs"]) {
    expect(placeOf(path).page).toBe("nowhere");
  }
});

test("keys mean an action alone or after another", () => {
  const actions = [action("Home", "g h"), action("Pause", "p")];
  expect(actionFor("p", "", actions)?.title).toBe("Pause");
  expect(actionFor("h", "g", actions)?.title).toBe("Home");
  expect(actionFor("h", "", actions)).toBeUndefined();
});

test("the palette finds by words in any order, also of the command", () => {
  const actions = [
    action("Resume the build", "r", "buildwright resume 3fa9"),
    action("Stop …"),
    action("Light theme"),
  ];
  expect(fitting(actions, "build RES").map((one) => one.title)).toEqual(["Resume the build"]);
  expect(fitting(actions, "buildwright resume")).toHaveLength(1);
  expect(fitting(actions, "nothing")).toEqual([]);
});

test("what was done with one build is not what cannot be taken back of another thing", () => {
  const { result } = renderHook(() => useToasts());
  act(() => {
    toast({ text: "Resolved.", undo: () => undefined });
    toast({ text: "Paused.", about: "b1", undo: () => undefined });
    toast({ text: "Paused, too.", about: "b2", undo: () => undefined });
    forgetUndo("b1");
  });
  expect(result.current.map((one) => one.text)).toEqual(["Resolved.", "Paused, too."]);
  act(() => result.current.map((one) => dismiss(one.id)));
});
