// What can be done with one task: again, skipped, taken back, or followed by another one.
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { without } from "../api/queries";
import type { Why } from "../api/types";
import { buildAddress } from "../shell/router";
import { type Steering, useSteer } from "../shell/steer";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Dialog } from "../ui/Dialog";
import { Refused } from "../ui/Rights";
import { short } from "../ui/words";
import styles from "./build.module.css";

const OVER = ["done", "skipped"];
/** Phases in which the server lets a task be dropped. */
const FREE = ["waiting", "ready", "parked", "failed"];

export function TaskActions({ build, found }: { readonly build: string; readonly found: Why }) {
  const [doing, setDoing] = useState<"redo" | "drop" | "undo" | "add" | "">("");
  const { busy, steer } = useSteer(build);
  const { task, state } = found;
  const name = short(build);
  const close = () => setDoing("");
  const act = async (what: Steering) => {
    if (await steer(what)) close();
  };
  const again = OVER.includes(state.phase) || state.phase === "failed";
  return (
    <section className={styles.taskActions} aria-label={`What to do with ${task.id}`}>
      {again && (
        <Button act="steer" onClick={() => setDoing("redo")}>
          Try it again …
        </Button>
      )}
      {FREE.includes(state.phase) && (
        <Button act="steer" onClick={() => setDoing("drop")}>
          Skip it …
        </Button>
      )}
      {state.phase === "done" && (
        <Button act="steer" onClick={() => setDoing("undo")}>
          Take it back …
        </Button>
      )}
      <Button act="steer" onClick={() => setDoing("add")}>
        Add a task after it …
      </Button>
      <a href={buildAddress(build, "plan")}>Change the plan</a>
      <Refused act="steer" />
      {doing === "redo" && (
        <Asking
          title={`Try ${task.id} again?`}
          words="What it has landed is taken back first; nothing else is built or paid for again."
          label="Tell its agent (optional)"
          button="Try it again"
          command={(text) => `buildwright task redo ${name} ${task.id}${text && ' -m "…"'}`}
          busy={busy !== ""}
          onClose={close}
          onGo={(message, dependents) =>
            void act({
              part: "redo",
              body: { task: task.id, message, with_dependents: dependents },
              done: `Task ${task.id} is tried again.`,
            })
          }
          dependents={state.phase === "done"}
        />
      )}
      {doing === "undo" && (
        <Asking
          title={`Take back what ${task.id} has landed?`}
          words="By a commit on top, which is judged like any change. The task is then skipped."
          button="Take it back"
          command={() => `buildwright task undo ${name} ${task.id}`}
          busy={busy !== ""}
          onClose={close}
          onGo={(_, dependents) =>
            void act({
              part: "undo",
              body: { task: task.id, with_dependents: dependents },
              done: `What ${task.id} has landed is taken back.`,
            })
          }
          dependents
        />
      )}
      {doing === "drop" && (
        <Asking
          title={`Skip ${task.id}?`}
          words={<WhatFalls build={build} task={task.id} />}
          button="Skip the task"
          command={() => `buildwright task drop ${name} ${task.id}`}
          busy={busy !== ""}
          onClose={close}
          onGo={() =>
            void act({ part: "task", body: { drop: [task.id] }, done: `Task ${task.id} is skipped.` })
          }
        />
      )}
      {doing === "add" && (
        <Asking
          title="Add a task"
          words={`It begins when ${task.id} is done.`}
          label="What is to be done"
          required
          button="Add it"
          command={() => `buildwright task add ${name} --title "…" --after ${task.id}`}
          busy={busy !== ""}
          onClose={close}
          onGo={(title) =>
            void act({
              part: "task",
              body: {
                tasks: [
                  {
                    id: freshId(),
                    title,
                    depends_on: [task.id],
                    milestone: state.milestone || task.milestone || "",
                  },
                ],
              },
              done: "The task is added.",
            })
          }
        />
      )}
    </section>
  );
}

function freshId(): string {
  return `added-${Date.now().toString(36)}`;
}

function WhatFalls({ build, task }: { readonly build: string; readonly task: string }) {
  const found = useQuery(without(build, task)).data;
  return <>{found?.words ?? "…"}</>;
}

interface AskingProps {
  readonly title: string;
  readonly words: React.ReactNode;
  /** Of the words that go along; without it there are none. */
  readonly label?: string;
  readonly required?: boolean;
  readonly button: string;
  readonly busy: boolean;
  /** Whether it can be asked that the tasks which rest on it are taken along. */
  readonly dependents?: boolean;
  readonly command: (text: string) => string;
  readonly onClose: () => void;
  readonly onGo: (text: string, dependents: boolean) => void;
}

function Asking(asked: AskingProps) {
  const [text, setText] = useState("");
  const [along, setAlong] = useState(false);
  const go = (event: FormEvent) => {
    event.preventDefault();
    asked.onGo(text.trim(), along);
  };
  return (
    <Dialog label={asked.title} onClose={asked.onClose}>
      <form className={styles.ask} onSubmit={go}>
        <h2>{asked.title}</h2>
        <p>{asked.words}</p>
        {asked.label && (
          <label className={styles.askLabel}>
            <span>{asked.label}</span>
            <textarea
              autoFocus
              rows={3}
              maxLength={asked.required ? 200 : 20_000}
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
          </label>
        )}
        {asked.dependents && (
          <label className={styles.askCheck}>
            <input type="checkbox" checked={along} onChange={(event) => setAlong(event.target.checked)} />
            Also the tasks that rest on it
          </label>
        )}
        <Command line={asked.command(text) + (along ? " --with-dependents" : "")} />
        <div className={styles.askRow}>
          <Button autoFocus={!asked.label} onClick={asked.onClose}>
            Leave it
          </Button>
          <Button type="submit" look="primary" disabled={asked.busy || (asked.required && !text.trim())}>
            {asked.button}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
