import { expect, test } from "vitest";
import amounts from "./amounts.json";
import { dollars } from "./words";

test("amounts are written as the program writes them", () => {
  const known = Object.entries(amounts);
  expect(known.map(([amount]) => [amount, dollars(amount)])).toEqual(known);
  expect(known.map(([amount]) => [amount, dollars(Number(amount))])).toEqual(known);
});
