// What each agent does now: its task, how far its attempt is, and the last line it wrote.
import { useQuery } from "@tanstack/react-query";
import { lastLine } from "../api/queries";
import type { Build, Task } from "../api/types";
import { buildAddress } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Panel } from "../ui/Panel";
import { Said } from "../ui/Said";
import { useTick } from "../ui/useTick";
import { age, count, duration } from "../ui/words";
import styles from "./build.module.css";

const MOST = 12;
const QUIET_MS = 60_000;

export function Now({ build, readAt }: { readonly build: Build; readonly readAt: number }) {
  const running = build.running ?? [];
  if (running.length === 0) return null;
  return (
    <Panel title="Now" count={count(running.length, "agent")}>
      <ul className={styles.lanes}>
        {running.slice(0, MOST).map((task) => (
          <Lane key={task.id} build={build} task={task} readAt={readAt} />
        ))}
      </ul>
    </Panel>
  );
}

function Lane({
  build,
  task,
  readAt,
}: {
  readonly build: Build;
  readonly task: Task;
  readonly readAt: number;
}) {
  const now = useTick(1_000);
  const line = useQuery(lastLine(build.id, task.id)).data?.items.at(-1);
  const silent = line ? now - new Date(line.at).getTime() : 0;
  const seconds = (task.seconds ?? 0) + (build.pause ? 0 : Math.max(0, now - readAt) / 1000);
  return (
    <li>
      <div className={styles.laneHead}>
        <Badge word={task.phase} />
        <a href={`${buildAddress(build.id)}?task=${encodeURIComponent(task.id)}`}>
          <Said text={task.title || task.id} />
        </a>
        <span className={styles.quiet}>
          {task.agent}
          {task.model ? ` · ${task.model}` : ""} · attempt {task.attempt ?? 0} · {duration(seconds)}
          {silent > QUIET_MS && ` · silent for ${age(silent)}`}
        </span>
      </div>
      <code className={styles.laneLine}>{line?.text ?? "nothing written yet"}</code>
    </li>
  );
}
