import { expect, test } from "vitest";
import type { PlanTask } from "../api/types";
import { partsOf } from "./MergeSplit";
import { idOf } from "./TaskForm";

test("a task is named by its title, and by no name twice", () => {
  expect(idOf("Say  goodbye!", [])).toBe("say-goodbye");
  expect(idOf("Say goodbye", ["say-goodbye", "say-goodbye-2"])).toBe("say-goodbye-3");
  expect(idOf("***", [])).toBe("task");
});

test("the parts of a task are done one after the other, and the last has its proof", () => {
  const task = {
    id: "shop",
    title: "Shop",
    goal: "Sell.",
    depends_on: ["base"],
    acceptance: ["It sells."],
    requirements: ["R1"],
    milestone: "M",
    agent: "",
    validation: { command: "make test" },
  } as unknown as PlanTask;
  const parts = partsOf(task, ["Till", "Till"], ["shop", "base"]);
  expect(parts).toMatchObject([
    { id: "till", title: "Till", depends_on: ["base"], requirements: ["R1"] },
    { id: "till-2", depends_on: ["till"], acceptance: ["It sells."], validation: { command: "make test" } },
  ]);
  expect(parts[0]).not.toHaveProperty("acceptance");
});
