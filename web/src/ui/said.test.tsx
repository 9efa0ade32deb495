import { render } from "@testing-library/react";
import { expect, test } from "vitest";
import { Said } from "./Said";

test("what stands in backticks is code, and a lone one stays", () => {
  const { container } = render(<Said text="`git merge a` brings it; `npm ci` too, a ` stays" />);
  expect(container.textContent).toBe("git merge a brings it; npm ci too, a ` stays");
  expect([...container.querySelectorAll("code")].map((one) => one.textContent)).toEqual([
    "git merge a",
    "npm ci",
  ]);
});
