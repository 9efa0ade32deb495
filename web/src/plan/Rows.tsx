// The tasks of a plan in the order in which they may begin: one of them is at the cursor, any may be chosen.
import { useEffect, useRef } from "react";
import type { PlanRow } from "../api/types";
import { buildAddress } from "../shell/router";
import { Badge } from "../ui/Badge";
import { cx } from "../ui/cx";
import { Cell, type Column, Table, TaskName } from "../ui/Table";
import { duration } from "../ui/words";
import styles from "./plan.module.css";

const COLUMNS: readonly Column[] = [
  { title: "Chosen", isUnseen: true },
  { title: "Task" },
  { title: "State" },
  { title: "Wave", look: "middle" },
  { title: "Needs", look: "middle" },
  { title: "Files", look: "middle" },
  { title: "Time", look: "number" },
];

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
    <Table columns={COLUMNS} first={44} body={body}>
      {rows.map((row, at) => (
        <tr
          key={row.task.id}
          className={cx(at === here && styles.here)}
          aria-current={at === here ? "true" : undefined}
          onClick={() => onHere(at)}
          onFocus={() => onHere(at)}
        >
          <td className={styles.choice}>
            <input
              type="checkbox"
              aria-label={`Choose ${row.task.id}`}
              checked={chosen.has(row.task.id)}
              disabled={!row.may_change}
              title={row.why_not || undefined}
              onChange={() => onToggle(row.task.id)}
            />
          </td>
          <TaskName
            href={`${buildAddress(build)}?task=${encodeURIComponent(row.task.id)}`}
            id={row.task.id}
            title={row.task.title}
          >
            {row.on_critical_path && <span className={styles.quiet}> · longest chain</span>}
            {row.task.milestone && <span className={styles.quiet}> · {row.task.milestone}</span>}
          </TaskName>
          <td>
            <Badge word={row.state} />
          </td>
          <Cell look="middle">{row.wave}</Cell>
          <Cell look="middle">{row.task.depends_on.join(", ")}</Cell>
          <Cell look="middle">{row.task.files_expected.join(", ")}</Cell>
          <Cell look="number">{duration(row.task.minutes * 60)}</Cell>
        </tr>
      ))}
    </Table>
  );
}
