// One task beside the page: why it is where it is, its attempts side by side, and what judged it.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { why } from "../api/queries";
import type { Why } from "../api/types";
import { buildAddress, setQuery } from "../shell/router";
import { useSteer } from "../shell/steer";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Refused } from "../ui/Rights";
import { Said } from "../ui/Said";
import { Read } from "../ui/States";
import { count, dollars, duration, moment, short } from "../ui/words";
import styles from "./build.module.css";
import { FindingList } from "./FindingList";
import { TaskActions } from "./TaskActions";
import { Waivers } from "./Waivers";

export function TaskDrawer({
  build,
  task,
  ended,
}: {
  readonly build: string;
  readonly task: string;
  readonly ended: boolean;
}) {
  const found = useQuery(why(build, task));
  const place = useRef<HTMLElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another task is another place to read
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    place.current?.focus();
    return () => before?.focus?.();
  }, [task]);
  const close = () => setQuery("task", "");
  return (
    <aside
      ref={place}
      tabIndex={-1}
      className={styles.drawer}
      aria-label={`Task ${task}`}
      onKeyDown={(event) => event.key === "Escape" && close()}
    >
      <header>
        <h2>
          <Said text={found.data?.task.title || task} />
        </h2>
        <Button look="bare" onClick={close} aria-label="Close the task">
          ✕
        </Button>
      </header>
      <Read from={found} widths={[70, 100, 90, 40, 100]}>
        {(data) => <Content build={build} found={data} ended={ended} />}
      </Read>
    </aside>
  );
}

function Content({
  build,
  found,
  ended,
}: {
  readonly build: string;
  readonly found: Why;
  readonly ended: boolean;
}) {
  const { task, state } = found;
  const name = short(build);
  return (
    <div className={styles.drawerBody}>
      <p className={styles.drawerState}>
        <Badge word={state.phase} /> <code>{task.id}</code>
        <span className={styles.quiet}>
          {state.milestone && `${state.milestone} · `}
          {state.seconds == null ? "" : `${duration(state.seconds)} · `}
          {dollars(state.cost_usd ?? 0)}
        </span>
      </p>
      <p className={styles.answer}>{found.answer}</p>
      <Command line={`buildwright why ${name} ${task.id}`} />
      <TaskActions build={build} found={found} />
      <List title="Why the last attempt was refused" lines={found.findings} bad />
      <Waivers build={build} found={found} />
      {task.goal && (
        <>
          <h3>Goal</h3>
          <p className={styles.pre}>{task.goal}</p>
        </>
      )}
      <List title="It is done when" lines={task.acceptance} />
      {(found.depends_on ?? []).length > 0 && (
        <>
          <h3>Needs</h3>
          <ul className={styles.lines}>
            {found.depends_on?.map((one) => (
              <li key={one.id}>
                <Badge word={one.phase} />{" "}
                <a href={`${buildAddress(build)}?task=${encodeURIComponent(one.id)}`}>{one.id}</a>
              </li>
            ))}
          </ul>
        </>
      )}
      <Attempts build={build} found={found} />
      <Reports found={found} />
      <List title="Files of its change" lines={found.changed} mono />
      {found.summary && (
        <>
          <h3>What the agent says</h3>
          <p className={styles.pre}>{found.summary}</p>
        </>
      )}
      <List title="What you told it" lines={found.guidance} />
      <p>
        <a href={`${buildAddress(build, "log")}?of=${encodeURIComponent(task.id)}`}>The log of this task</a>
      </p>
      {!ended && !["done", "skipped"].includes(state.phase) && <SayBox build={build} task={task.id} />}
    </div>
  );
}

function List({
  title,
  lines,
  bad,
  mono,
}: {
  readonly title: string;
  readonly lines: readonly string[] | undefined;
  readonly bad?: boolean;
  readonly mono?: boolean;
}) {
  if (!lines?.length) return null;
  return (
    <>
      <h3>{title}</h3>
      {bad ? (
        <FindingList lines={lines} of="the last attempt" />
      ) : (
        <ul className={styles.lines}>
          {lines.map((line) => (
            <li key={line}>{mono ? <code>{line}</code> : line}</li>
          ))}
        </ul>
      )}
    </>
  );
}

function Attempts({ build, found }: { readonly build: string; readonly found: Why }) {
  const attempts = found.attempts ?? [];
  if (attempts.length === 0) return null;
  return (
    <>
      <h3>Attempts</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, also by keyboard */}
      <ol className={styles.attempts} tabIndex={0} aria-label="Attempts side by side">
        {attempts.map((one) => (
          <li key={one.number}>
            <p>
              <strong>{one.number}</strong>{" "}
              <Badge word={one.outcome === "landed" ? "done" : (one.outcome ?? "running")}>
                {one.outcome}
              </Badge>
            </p>
            <p className={styles.quiet}>
              {one.agent} · {one.seconds == null ? "runs" : duration(one.seconds)}
              {one.changes != null && ` · ${count(one.changes, "file")}`}
            </p>
            <p className={styles.quiet}>{moment(one.started_at)}</p>
            {one.detail && <p>{one.detail}</p>}
            {one.findings && one.findings.length > 0 && (
              <FindingList lines={one.findings} of={`attempt ${one.number}`} />
            )}
          </li>
        ))}
      </ol>
      {attempts.filter((one) => one.has_change).length > 1 && (
        <p>
          <a href={`${buildAddress(build, "attempts")}?task=${encodeURIComponent(found.task.id)}`}>
            Compare what they changed
          </a>
        </p>
      )}
    </>
  );
}

function Reports({ found }: { readonly found: Why }) {
  const reports = found.reports ?? [];
  if (reports.length === 0) return null;
  return (
    <>
      <h3>Gates</h3>
      <ul className={styles.lines}>
        {reports.map((one) => (
          <li key={one.gate}>
            <Badge word={one.ok ? "done" : "failed"}>{one.ok ? "passed" : "refused"}</Badge> {one.gate}
            {one.evidence?.command && (
              <>
                {" "}
                <code className={styles.quiet}>{one.evidence.command}</code>
              </>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

export function SayBox({ build, task = "" }: { readonly build: string; readonly task?: string }) {
  const [text, setText] = useState("");
  const { busy, steer } = useSteer(build);
  const send = async () => {
    const body = { text, task };
    if (await steer({ part: "say", body, done: "Queued: the agent gets it at its next turn." })) setText("");
  };
  return (
    <form
      className={styles.say}
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <label>
        <span>{task ? "Tell its agent" : "Tell the agents"}</span>
        <textarea rows={2} value={text} onChange={(event) => setText(event.target.value)} />
      </label>
      <div>
        <Button type="submit" act="say" disabled={!text.trim() || busy !== ""}>
          Send
        </Button>
        <Refused act="say" />
        <Command line={`buildwright say ${short(build)} "…"${task ? ` --task ${task}` : ""}`} />
      </div>
    </form>
  );
}
