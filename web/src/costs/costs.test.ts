import { expect, test } from "vitest";
import type { Forecast } from "../api/types";
import { shapeOf } from "./shape";
import { dayBefore } from "./since";

const forecast = (more: Partial<Forecast>): Forecast => ({
  build: "b",
  version: 1,
  from_tasks: 2,
  open_tasks: 1,
  spent_usd: "1",
  thrown_away: [],
  thrown_away_usd: "0",
  unpriced: 0,
  words: "",
  points: [
    { at: "2026-01-01T00:00:00Z", cost_usd: "0.5" },
    { at: "2026-01-01T00:10:00Z", cost_usd: "1" },
  ],
  ...more,
});

test("what was spent is a line in steps, the budget and the range lie in the same measure", () => {
  const shape = shapeOf(forecast({ budget_usd: "2", total_usd: { low: 1, high: 1.5 } }), 100, 108);
  expect(shape).toEqual({ line: "M0 108H0V83H100V58H100", budget: 8, band: { top: 33, height: 25 } });
});

test("without a budget or an open task there is only the line, and without cost nothing", () => {
  const ended = shapeOf(forecast({ open_tasks: 0, total_usd: { low: 1, high: 1 } }), 100, 108);
  expect([ended?.budget, ended?.band]).toEqual([null, null]);
  expect(shapeOf(forecast({ points: [] }), 100, 108)).toBeNull();
});

test("days are counted back over the ends of months, in UTC", () => {
  expect(dayBefore(30, new Date("2026-03-01T01:00:00+02:00"))).toBe("2026-01-29");
});
