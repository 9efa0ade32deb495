// A task to add, or one to change: what it is, when it is done, what it needs.
import { type FormEvent, useState } from "react";
import type { PlanRow, PlanTable, PlanTask } from "../api/types";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import { linesOf } from "../ui/lines";
import { Problem } from "../ui/States";
import { short } from "../ui/words";
import type { Change, Changing } from "./change";
import styles from "./plan.module.css";

export interface DialogProps {
  readonly plan: PlanTable;
  readonly changing: Changing;
  readonly onClose: () => void;
  readonly onChange: (change: Change) => Promise<boolean>;
}

interface Props extends DialogProps {
  readonly row?: PlanRow;
}

/** A name for a task, made of its title, that the plan does not have yet. */
export function idOf(title: string, taken: readonly string[]): string {
  const plain = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40);
  const base = plain || "task";
  let name = base;
  for (let number = 2; taken.includes(name); number += 1) name = `${base}-${number}`;
  return name;
}

export function TaskForm({ plan, row, changing, onClose, onChange }: Props) {
  const old = row?.task;
  const [title, setTitle] = useState(old?.title ?? "");
  const [goal, setGoal] = useState(old?.goal ?? "");
  const [acceptance, setAcceptance] = useState((old?.acceptance ?? []).join("\n"));
  const [needs, setNeeds] = useState((old?.depends_on ?? []).join("\n"));
  const [files, setFiles] = useState((old?.files_expected ?? []).join("\n"));
  const [milestone, setMilestone] = useState(old?.milestone ?? plan.milestones?.at(-1) ?? "");
  const name = short(plan.build);
  const ids = (plan.rows ?? []).map((one) => one.task.id);
  const id = old?.id ?? idOf(title, ids);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const given = {
      id,
      title: title.trim(),
      goal,
      acceptance: linesOf(acceptance),
      depends_on: linesOf(needs),
      files_expected: linesOf(files),
      milestone: milestone.trim(),
    } satisfies Partial<PlanTask>;
    const done = old ? `Task ${id} is changed.` : `Task ${id} is added.`;
    await onChange({ part: "task", body: { tasks: [{ ...old, ...given }] }, done });
  };
  return (
    <Dialog label={old ? `Edit task ${id}` : "Add a task"} className={styles.wide} onClose={onClose}>
      <form className={styles.ask} onSubmit={(event) => void save(event)}>
        <h2>{old ? `Task ${id}` : "A new task"}</h2>
        <Field label="Title">
          {(names) => (
            <input
              {...names}
              autoFocus
              required
              maxLength={200}
              value={title}
              onChange={(event) => setTitle(event.target.value)}
            />
          )}
        </Field>
        <Field label="Goal">
          {(names) => (
            <textarea {...names} rows={3} value={goal} onChange={(event) => setGoal(event.target.value)} />
          )}
        </Field>
        <Field label="It is done when" hint="One on each line.">
          {(names) => (
            <textarea
              {...names}
              rows={2}
              value={acceptance}
              onChange={(event) => setAcceptance(event.target.value)}
            />
          )}
        </Field>
        <div className={styles.pair}>
          <Field label="Needs" hint="Ids of tasks, one on each line.">
            {(names) => (
              <textarea
                {...names}
                rows={2}
                value={needs}
                onChange={(event) => setNeeds(event.target.value)}
              />
            )}
          </Field>
          <Field label="Files that it means to touch" hint="One on each line.">
            {(names) => (
              <textarea
                {...names}
                rows={2}
                value={files}
                onChange={(event) => setFiles(event.target.value)}
              />
            )}
          </Field>
        </div>
        {(plan.milestones ?? []).length > 0 && (
          <Field label="Phase">
            {(names) => (
              <select {...names} value={milestone} onChange={(event) => setMilestone(event.target.value)}>
                {plan.milestones?.map((one) => (
                  <option key={one} value={one}>
                    {one || "All tasks"}
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
        {changing.refused && <Problem message={changing.refused.message} fix={changing.refused.fix} />}
        <Command
          line={old ? `buildwright task edit ${name} ${id}` : `buildwright task add ${name} --title "…"`}
        />
        <div className={styles.askRow}>
          <Button onClick={onClose}>Leave it</Button>
          <Button type="submit" look="primary" disabled={!title.trim() || changing.busy}>
            {old ? "Save" : "Add"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
