// One task of several, and several of one.
import { type FormEvent, useState } from "react";
import type { PlanRow, PlanTask } from "../api/types";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import { linesOf } from "../ui/lines";
import { Problem } from "../ui/States";
import { short } from "../ui/words";
import styles from "./plan.module.css";
import { type DialogProps, idOf } from "./TaskForm";

export function MergeDialog({
  plan,
  rows,
  changing,
  onClose,
  onChange,
}: DialogProps & { readonly rows: readonly PlanRow[] }) {
  const [title, setTitle] = useState("");
  const ids = rows.map((one) => one.task.id);
  const merge = (event: FormEvent) => {
    event.preventDefault();
    const body = { tasks: ids, title: title.trim() };
    void onChange({ part: "merge", body, done: `${ids.join(", ")} are one task now.` });
  };
  return (
    <Dialog label="Merge tasks" onClose={onClose}>
      <form className={styles.ask} onSubmit={merge}>
        <h2>Make one task of {ids.join(", ")}</h2>
        <p className={styles.quiet}>It does what all of them say, and what needed one of them needs it.</p>
        <Field label="Its title" hint="Empty: the titles of all.">
          {(names) => (
            <input
              {...names}
              autoFocus
              maxLength={200}
              value={title}
              onChange={(event) => setTitle(event.target.value)}
            />
          )}
        </Field>
        {changing.refused && <Problem message={changing.refused.message} fix={changing.refused.fix} />}
        <Command line={`buildwright task merge ${short(plan.build)} ${ids.join(" ")}`} />
        <div className={styles.askRow}>
          <Button onClick={onClose}>Leave them</Button>
          <Button type="submit" look="primary" disabled={changing.busy}>
            Merge
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Whole tasks in the place of one, done one after the other; the last has to meet what the whole was to meet. */
export function partsOf(task: PlanTask, titles: readonly string[], taken: readonly string[]): object[] {
  const names: string[] = [];
  return titles.map((title, at) => {
    const before = names.at(-1);
    const id = idOf(title, [...taken, ...names]);
    names.push(id);
    return {
      id,
      title,
      goal: task.goal,
      requirements: task.requirements,
      milestone: task.milestone,
      agent: task.agent,
      depends_on: before ? [before] : task.depends_on,
      ...(at === titles.length - 1 && {
        acceptance: task.acceptance,
        ...(task.validation && { validation: task.validation }),
      }),
    };
  });
}

export function SplitDialog({
  plan,
  row,
  changing,
  onClose,
  onChange,
}: DialogProps & { readonly row: PlanRow }) {
  const [text, setText] = useState("");
  const { id, title } = row.task;
  const titles = linesOf(text);
  const split = (event: FormEvent) => {
    event.preventDefault();
    const taken = (plan.rows ?? []).map((one) => one.task.id);
    const body = { task: id, into: partsOf(row.task, titles, taken) };
    void onChange({ part: "split", body, done: `${id} is ${titles.length} tasks now.` });
  };
  return (
    <Dialog label={`Split task ${id}`} onClose={onClose}>
      <form className={styles.ask} onSubmit={split}>
        <h2>Split “{title}”</h2>
        <Field
          label="Titles of the tasks in its place"
          hint="One on each line; they are done one after the other, and the last meets what the whole was to meet."
        >
          {(names) => (
            <textarea
              {...names}
              autoFocus
              rows={4}
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
          )}
        </Field>
        {changing.refused && <Problem message={changing.refused.message} fix={changing.refused.fix} />}
        <Command line={`buildwright task split ${short(plan.build)} ${id} --into "…" --into "…"`} />
        <div className={styles.askRow}>
          <Button onClick={onClose}>Leave it</Button>
          <Button type="submit" look="primary" disabled={titles.length < 2 || changing.busy}>
            Split
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
