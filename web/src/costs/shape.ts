// Where the parts of the picture of a build's cost lie. All amounts come from the server.
import type { Forecast } from "../api/types";

export interface Shape {
  /** The path of what was spent, in steps. */
  readonly line: string;
  /** The height of the budget's line, null for none. */
  readonly budget: number | null;
  readonly band: { readonly top: number; readonly height: number } | null;
}

const ROOM = 1.08;
const LEAST = 2;

/** The picture in a box of this size; null while there is nothing to draw. */
export function shapeOf(found: Forecast, width: number, height: number): Shape | null {
  const points = found.points.map((one) => ({ at: new Date(one.at).getTime(), cost: Number(one.cost_usd) }));
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last) return null;
  const budget = found.budget_usd == null ? null : Number(found.budget_usd);
  const likely = found.open_tasks > 0 ? found.total_usd : null;
  const top = ROOM * Math.max(last.cost, budget ?? 0, likely?.high ?? 0);
  if (top === 0) return null;
  const span = Math.max(1, last.at - first.at);
  const x = (at: number) => round((width * (at - first.at)) / span);
  const y = (cost: number) => round(height - (height * cost) / top);
  const steps = points.map((one) => `H${x(one.at)}V${y(one.cost)}`).join("");
  return {
    line: `M0 ${height}${steps}H${width}`,
    budget: budget === null ? null : y(budget),
    band: likely ? { top: y(likely.high), height: Math.max(LEAST, y(likely.low) - y(likely.high)) } : null,
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
