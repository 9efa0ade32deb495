import { render } from "@testing-library/react";
import { expect, test } from "vitest";
import { PageHead } from "./Page";
import { Said } from "./Said";
import { TaskName } from "./Table";

test("what stands in backticks is code, and a lone one stays", () => {
  const { container } = render(<Said text="`git merge a` brings it; `npm ci` too, a ` stays" />);
  expect(container.textContent).toBe("git merge a brings it; npm ci too, a ` stays");
  expect([...container.querySelectorAll("code")].map((one) => one.textContent)).toEqual([
    "git merge a",
    "npm ci",
  ]);
});

test("titles of tasks and pages have code where backticks stand", () => {
  const { container } = render(
    <>
      <PageHead title="Result" of="Add `total`" />
      <table>
        <tbody>
          <tr>
            <TaskName href="/" id="t" title="Test `sum` too" />
          </tr>
        </tbody>
      </table>
    </>,
  );
  expect(container.querySelector("h1")?.textContent).toBe("Result Add total");
  expect(container.querySelector("h1 code")?.textContent).toBe("total");
  expect(container.querySelector("a")?.textContent).toBe("Test sum too");
});
