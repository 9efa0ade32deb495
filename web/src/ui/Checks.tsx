// What checks said of a change: those that refused it each by name, those that passed as one count.
import { Badge } from "./Badge";
import { count } from "./words";

export interface Check {
  readonly gate: string;
  readonly ok: boolean;
  /** What it ran or found. */
  readonly about?: string | undefined;
  /** How many tests it ran, if it runs tests. */
  readonly tests?: number | null | undefined;
}

export function Checks({ checks }: { readonly checks: readonly Check[] }) {
  const passed = checks.filter((one) => one.ok);
  const tests = passed.reduce((sum, one) => sum + (one.tests ?? 0), 0);
  return (
    <>
      {checks
        .filter((one) => !one.ok)
        .map((one) => (
          <span key={one.gate} title={one.about}>
            <Badge word="refused">{one.gate}</Badge>
          </span>
        ))}
      {passed.length > 0 && (
        <span title={passed.map((one) => (one.about ? `${one.gate}: ${one.about}` : one.gate)).join("\n")}>
          <Badge word="passed">
            {count(passed.length, "check")} passed{tests > 0 && `, ${count(tests, "test")}`}
          </Badge>
        </span>
      )}
    </>
  );
}
