// The tasks of a plan in the order in which they may begin: one of them is at the cursor, any may be chosen.
import { useEffect, useRef } from "react";
import type { PlanRow } from "../api/types";
import { buildAddress } from "../shell/router";
import { Badge } from "../ui/Badge";
import { cx } from "../ui/cx";
import { duration } from "../ui/words";
import styles from "./plan.module.css";

interface Props {
  readonly build: string;
  readonly rows: readonly PlanRow[];
  readonly here: number;
  readonly chosen: ReadonlySet<string>;
  readonly onHere: (at: number) => void;
  readonly onToggle: (task: string) => void;
}

export function Rows({ build, rows, here, chosen, onHere, onToggle }: Props) {
  const body = useRef<HTMLTableSectionElement>(null);
  useEffect(() => {
    body.current?.rows[here]?.scrollIntoView?.({ block: "nearest" });
  }, [here]);
  return (
    <div className={styles.tableWrap}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">
              <span className="sr-only">Chosen</span>
            </th>
            <th scope="col">Task</th>
            <th scope="col">State</th>
            <th scope="col" className={styles.middle}>
              Wave
            </th>
            <th scope="col" className={styles.middle}>
              Needs
            </th>
            <th scope="col" className={styles.middle}>
              Files
            </th>
            <th scope="col" className={styles.number}>
              Time
            </th>
          </tr>
        </thead>
        <tbody ref={body}>
          {rows.map((row, at) => (
            <tr
              key={row.task.id}
              className={cx(at === here && styles.here)}
              aria-current={at === here ? "true" : undefined}
              onClick={() => onHere(at)}
              onFocus={() => onHere(at)}
            >
              <td>
                <input
                  type="checkbox"
                  aria-label={`Choose ${row.task.id}`}
                  checked={chosen.has(row.task.id)}
                  disabled={!row.may_change}
                  title={row.why_not || undefined}
                  onChange={() => onToggle(row.task.id)}
                />
              </td>
              <td className={styles.name}>
                <a href={`${buildAddress(build)}?task=${encodeURIComponent(row.task.id)}`}>
                  {row.task.title}
                </a>{" "}
                <code className={styles.quiet}>{row.task.id}</code>
                {row.on_critical_path && <span className={styles.quiet}> · longest chain</span>}
                {row.task.milestone && <span className={styles.quiet}> · {row.task.milestone}</span>}
              </td>
              <td>
                <Badge word={row.state} />
              </td>
              <td className={styles.middle}>{row.wave}</td>
              <td className={styles.middle}>{row.task.depends_on.join(", ")}</td>
              <td className={styles.middle}>{row.task.files_expected.join(", ")}</td>
              <td className={styles.number}>{duration(row.task.minutes * 60)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
