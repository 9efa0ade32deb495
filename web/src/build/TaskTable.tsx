// All tasks of a build as a table: filtered by words and state, in the order of the plan.
import { memo, useDeferredValue, useId, useMemo, useState } from "react";
import type { Build, Task } from "../api/types";
import { buildAddress } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Panel } from "../ui/Panel";
import { Said } from "../ui/Said";
import { Empty } from "../ui/States";
import { Cell, type Column, Table, TaskName } from "../ui/Table";
import { dollars, duration, said } from "../ui/words";
import styles from "./build.module.css";

const AT_ONCE = 100;
const NONE: readonly Task[] = [];
const COLUMNS: readonly Column[] = [
  { title: "State" },
  { title: "Task" },
  { title: "Phase", look: "middle" },
  { title: "Agent", look: "middle" },
  { title: "Attempt", look: "number" },
  { title: "Time", look: "number" },
  { title: "Cost", look: "number" },
];

export function TaskTable({ build }: { readonly build: Build }) {
  const [typed, setTyped] = useState("");
  const [state, setState] = useState("");
  const [most, setMost] = useState(AT_ONCE);
  const id = useId();
  const words = useDeferredValue(typed.trim().toLowerCase());
  const tasks = useDeferredValue(build.tasks ?? NONE);
  const states = useMemo(() => [...new Set(tasks.map((task) => task.phase))], [tasks]);
  const found = useMemo(
    () =>
      tasks.filter(
        (task) =>
          (!state || task.phase === state) &&
          `${task.id} ${task.title} ${task.milestone}`.toLowerCase().includes(words),
      ),
    [tasks, state, words],
  );
  const showAll = () => {
    setTyped("");
    setState("");
  };
  const total = build.total ?? 0;
  if (total === 0) {
    return (
      <Panel title="Tasks">
        <Empty>
          {build.outcome
            ? "It ended before there was a plan."
            : "The plan is being made. Its tasks appear here by themselves."}
        </Empty>
      </Panel>
    );
  }
  return (
    <Panel
      title="Tasks"
      count={found.length === total ? total : `${found.length} of ${total}`}
      aside={
        <div className={styles.filters}>
          <a className={styles.toPlan} href={buildAddress(build.id, "plan")}>
            Change the plan
          </a>
          <label htmlFor={id} className="sr-only">
            Find tasks
          </label>
          <input
            id={id}
            type="search"
            placeholder="Find tasks"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
          <select
            aria-label="Only tasks in this state"
            value={state}
            onChange={(event) => setState(event.target.value)}
          >
            <option value="">All states</option>
            {states.map((one) => (
              <option key={one} value={one}>
                {said(one)}
              </option>
            ))}
          </select>
        </div>
      }
    >
      <Table columns={COLUMNS} first={128}>
        {found.slice(0, most).map((task) => (
          <Row key={task.id} build={build.id} task={task} />
        ))}
      </Table>
      {found.length === 0 && (
        <Empty button={<Button onClick={showAll}>Show all tasks</Button>}>No task is like that.</Empty>
      )}
      {found.length > most && (
        <div className={styles.more}>
          <Button onClick={() => setMost(most + 4 * AT_ONCE)}>Show more ({found.length - most} left)</Button>
        </div>
      )}
    </Panel>
  );
}

const Row = memo(function Row({ build, task }: { readonly build: string; readonly task: Task }) {
  const cost = Number(task.cost_usd ?? 0);
  return (
    <tr>
      <td>
        <Badge word={task.phase} />
      </td>
      <TaskName
        href={`${buildAddress(build)}?task=${encodeURIComponent(task.id)}`}
        id={task.id}
        title={task.title}
      >
        {task.reason && (
          <p className={styles.reason}>
            <Said text={task.reason} />
          </p>
        )}
      </TaskName>
      <Cell look="middle">{task.milestone}</Cell>
      <Cell look="middle">
        {task.agent}
        {task.model && <span className={styles.quiet}> {task.model}</span>}
      </Cell>
      <Cell look="number">{task.attempt || ""}</Cell>
      <Cell look="number">{task.seconds == null ? "" : duration(task.seconds)}</Cell>
      <Cell look="number">{cost ? dollars(cost) : ""}</Cell>
    </tr>
  );
});
