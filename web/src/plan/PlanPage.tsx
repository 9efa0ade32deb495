// The plan of a build: approved or changed before it runs, and changed while it runs. The server says what may be.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { build as buildQuery, planTable } from "../api/queries";
import type { PlanRow, PlanTable } from "../api/types";
import { LinkChip } from "../live/LinkChip";
import { useActions } from "../shell/kept";
import { buildAddress } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { useRefused } from "../ui/Rights";
import { Said } from "../ui/Said";
import { Empty, Problem, Skeleton } from "../ui/States";
import { count, duration, short } from "../ui/words";
import { type Change, useChange } from "./change";
import { DropDialog } from "./DropDialog";
import { MergeDialog, SplitDialog } from "./MergeSplit";
import styles from "./plan.module.css";
import { Rows } from "./Rows";
import { TaskForm } from "./TaskForm";
import { WholePlan } from "./WholePlan";

export function PlanPage({ id }: { readonly id: string }) {
  const found = useQuery(planTable(id));
  // Its time makes the mark beside the title true, also where there is no plan yet.
  const title = useQuery(buildQuery(id)).data?.title ?? "";
  useEffect(() => {
    document.title = `Plan${title && ` · ${title}`} - Buildwright`;
  }, [title]);
  return (
    <Page>
      <PageHead title="Plan">
        <a href={buildAddress(id)}>
          <Said text={title || short(id)} />
        </a>
        <LinkChip />
      </PageHead>
      {found.data ? (
        <Plan plan={found.data} />
      ) : found.error ? (
        <Panel title="No plan yet">
          <Empty
            command={`buildwright status ${short(id)}`}
            button={<Button onClick={() => void found.refetch()}>Look again</Button>}
          >
            {found.error.message}
          </Empty>
        </Panel>
      ) : (
        <Skeleton widths={[30, 100, 100, 60]} />
      )}
    </Page>
  );
}

type Doing = "" | "edit" | "add" | "drop" | "merge" | "split";

function Plan({ plan }: { readonly plan: PlanTable }) {
  const rows = plan.rows ?? [];
  const [at, setAt] = useState(0);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [doing, setDoing] = useState<Doing>("");
  const changing = useChange(plan.build);
  const here = Math.min(at, rows.length - 1);
  const row = rows[here];
  const picked = rows.filter((one) => chosen.has(one.task.id));
  const done = async (change: Change): Promise<boolean> => {
    const taken = await changing.ask(change);
    if (taken) {
      setChosen(new Set());
      setDoing("");
    }
    return taken;
  };
  const toggle = (task: string) => {
    const next = new Set(chosen);
    if (!next.delete(task)) next.add(task);
    setChosen(next);
  };
  const actions = useOffered({ plan, rows, here, picked, setAt, toggle, setDoing, done });
  const open = row && doing !== "" && doing !== "add";
  return (
    <>
      {plan.waits_for_approval && <Approve plan={plan} busy={changing.busy} onChange={done} />}
      <Panel
        title="Tasks"
        count={`${rows.length} in ${count(plan.waves, "wave")} · longest chain ${duration(plan.minutes * 60)} of ${duration(plan.total_minutes * 60)}`}
      >
        <div className={styles.tools} role="toolbar" aria-label="Change the plan">
          {actions.map((one) => (
            <Button
              key={one.id}
              act="steer"
              title={`${one.title} (${one.keys})`}
              disabled={!one.ready}
              onClick={one.run}
            >
              {one.short} <kbd className={styles.kbd}>{one.keys}</kbd>
            </Button>
          ))}
        </div>
        {changing.refused && (
          <div className={styles.refused}>
            <Problem
              message={changing.refused.message}
              fix={changing.refused.fix}
              button={
                <Button look="bare" onClick={changing.forget}>
                  Close
                </Button>
              }
            />
          </div>
        )}
        <Rows build={plan.build} rows={rows} here={here} chosen={chosen} onHere={setAt} onToggle={toggle} />
      </Panel>
      <WholePlan build={plan.build} version={plan.version} />
      {doing === "add" && (
        <TaskForm plan={plan} changing={changing} onClose={() => setDoing("")} onChange={done} />
      )}
      {open && doing === "edit" && (
        <TaskForm plan={plan} row={row} changing={changing} onClose={() => setDoing("")} onChange={done} />
      )}
      {open && doing === "drop" && (
        <DropDialog plan={plan} row={row} changing={changing} onClose={() => setDoing("")} onChange={done} />
      )}
      {doing === "merge" && (
        <MergeDialog
          plan={plan}
          rows={picked}
          changing={changing}
          onClose={() => setDoing("")}
          onChange={done}
        />
      )}
      {open && doing === "split" && (
        <SplitDialog plan={plan} row={row} changing={changing} onClose={() => setDoing("")} onChange={done} />
      )}
    </>
  );
}

interface ApproveProps {
  readonly plan: PlanTable;
  readonly busy: boolean;
  readonly onChange: (change: Change) => Promise<boolean>;
}

function Approve({ plan, busy, onChange }: ApproveProps) {
  const name = short(plan.build);
  const change = useMemo<Change>(
    () => ({ part: "resume", body: { choice: "go" }, done: "Approved: the build goes on." }),
    [],
  );
  useActions(
    useMemo(
      () => [
        {
          id: "approve-plan",
          title: "Approve the plan",
          keys: "A",
          command: `buildwright resume ${name}`,
          run: () => void onChange(change),
        },
      ],
      [change, name, onChange],
    ),
  );
  return (
    <section className={styles.approve} aria-label="The plan waits for you">
      <p>
        <Badge word="paused">waits for you</Badge> Nothing is built of it until you approve it. Change it
        first as you like.
      </p>
      <div className={styles.row}>
        <Button act="steer" look="primary" disabled={busy} onClick={() => void onChange(change)}>
          Approve the plan
        </Button>
        <Command line={`buildwright resume ${name}`} />
      </div>
    </section>
  );
}

interface Offering {
  readonly plan: PlanTable;
  readonly rows: readonly PlanRow[];
  readonly here: number;
  readonly picked: readonly PlanRow[];
  readonly setAt: (at: number) => void;
  readonly toggle: (task: string) => void;
  readonly setDoing: (doing: Doing) => void;
  readonly done: (change: Change) => Promise<boolean>;
}

/** What can be done with the task at the cursor and those that are chosen, each with its key and command line. */
function useOffered({ plan, rows, here, picked, setAt, toggle, setDoing, done }: Offering) {
  const row = rows[here];
  const task = row?.task.id ?? "";
  const name = short(plan.build);
  const free = Boolean(row?.may_change);
  const offered = useMemo(() => {
    const before = rows[here - 1]?.task.id ?? "";
    const order = picked.length > 1 ? picked.map((one) => one.task.id) : [task, before];
    const ids = picked.map((one) => one.task.id).join(" ");
    const command = (words: string) => `buildwright task ${words}`;
    const reorder: Change = {
      part: "reorder",
      body: { tasks: order },
      done: `${order.join(", then ")}: each waits for the one before.`,
    };
    return [
      {
        id: "edit-task",
        short: "Edit",
        title: `Edit task ${task}`,
        keys: "e",
        command: command(`edit ${name} ${task}`),
        ready: free,
        run: () => setDoing("edit"),
      },
      {
        id: "add-task",
        short: "Add",
        title: "Add a task",
        keys: "a",
        command: command(`add ${name} --title "…"`),
        ready: true,
        run: () => setDoing("add"),
      },
      {
        id: "drop-task",
        short: "Drop",
        title: `Drop task ${task}`,
        keys: "d",
        command: command(`drop ${name} ${task}`),
        ready: free,
        run: () => setDoing("drop"),
      },
      {
        id: "split-task",
        short: "Split",
        title: `Split task ${task}`,
        keys: "s",
        command: command(`split ${name} ${task} --into "…"`),
        ready: free,
        run: () => setDoing("split"),
      },
      {
        id: "merge-tasks",
        short: "Merge",
        title: "Merge the chosen tasks",
        keys: "m",
        command: command(`merge ${name} ${ids || "TASK TASK"}`),
        ready: picked.length > 1,
        run: () => setDoing("merge"),
      },
      {
        id: "reorder-tasks",
        short: picked.length > 1 ? "In this order" : "Before the one above",
        title: picked.length > 1 ? "Do the chosen tasks in this order" : `Do ${task} before ${before}`,
        keys: "<",
        command: command(`reorder ${name} ${order.join(" ")}`),
        ready: picked.length > 1 || (free && before !== ""),
        run: () => void done(reorder),
      },
    ];
  }, [done, free, here, name, picked, rows, setDoing, task]);
  const refused = useRefused("steer");
  useActions(
    useMemo(
      () => [
        ...offered.filter((one) => one.ready && !refused),
        {
          id: "next-task",
          title: "Next task",
          keys: "j",
          run: () => setAt(Math.min(here + 1, rows.length - 1)),
        },
        { id: "task-before", title: "Task before", keys: "k", run: () => setAt(Math.max(here - 1, 0)) },
        { id: "choose-task", title: "Choose this task", keys: "x", run: () => toggle(task) },
      ],
      [here, offered, refused, rows.length, setAt, task, toggle],
    ),
  );
  return offered;
}
