// What you told the agents, and its way: queued, heard by whom before which turn, and what changed then.
import { useQuery } from "@tanstack/react-query";
import { messages } from "../api/queries";
import type { Build, Receipt } from "../api/types";
import { buildAddress } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Panel } from "../ui/Panel";
import { count } from "../ui/words";
import styles from "./build.module.css";
import { SayBox } from "./TaskDrawer";

const MARKS: Record<Receipt["state"], string> = {
  queued: "waiting",
  delivered: "working",
  acted: "done",
  lost: "skipped",
};

export function Messages({ build, ended }: { readonly build: Build; readonly ended: boolean }) {
  const found = useQuery(messages(build.id)).data?.messages ?? [];
  const queued = found.filter((one) => one.state === "queued").length;
  if (ended && found.length === 0) return null;
  return (
    <Panel title="Messages" count={queued ? `${count(queued, "message")} queued` : found.length || undefined}>
      {found.length > 0 && (
        <ul className={styles.receipts}>
          {found.map((one) => (
            <li key={one.id}>
              <Badge word={MARKS[one.state]}>{one.state}</Badge>
              <div>
                <p>
                  {one.task && <code>{one.task} </code>}
                  {one.text}
                </p>
                <p className={styles.quiet}>{one.words}</p>
                {(one.taken_in ?? []).map((taken) => (
                  <p key={taken.seq} className={styles.quiet}>
                    <a href={`${buildAddress(build.id)}?task=${encodeURIComponent(taken.task)}`}>
                      {taken.task}
                    </a>
                    , attempt {taken.attempt}: {taken.outcome}
                    {(taken.changed ?? []).length > 0 && ` · changed ${taken.changed?.join(", ")}`}
                  </p>
                ))}
              </div>
            </li>
          ))}
        </ul>
      )}
      {!ended && (
        <div className={styles.sayPanel}>
          <SayBox build={build.id} />
        </div>
      )}
    </Panel>
  );
}
