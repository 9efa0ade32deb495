// What you told the agents, and its way: queued, heard by whom before which turn, and what changed then.
import { useQuery } from "@tanstack/react-query";
import { messages } from "../api/queries";
import type { Build, Receipt } from "../api/types";
import { buildAddress } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Command } from "../ui/Command";
import { Panel } from "../ui/Panel";
import { count, short } from "../ui/words";
import styles from "./build.module.css";
import { SayBox } from "./TaskDrawer";

const MOST = 20;
const MARKS: Record<Receipt["state"], string> = {
  queued: "waiting",
  delivered: "working",
  acted: "done",
  lost: "skipped",
};

export function Messages({ build, ended }: { readonly build: Build; readonly ended: boolean }) {
  const receipts = useQuery(messages(build.id)).data;
  const known = new Set(receipts?.messages.map((one) => one.id));
  const unheard = build.unheard ?? [];
  // What has just been sent has no receipt yet.
  const fresh = unheard.filter((one) => !known.has(one.id)).slice(-MOST);
  const found = [
    ...(receipts?.messages ?? []),
    ...fresh.map((one) => ({
      ...one,
      state: "queued" as const,
      words: "It waits for an agent.",
      taken_in: [],
    })),
  ].slice(-MOST);
  const older = (receipts?.omitted ?? 0) + (receipts?.messages.length ?? 0) - (found.length - fresh.length);
  const queued = (receipts?.messages.filter((one) => one.state === "queued").length ?? 0) + fresh.length;
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
      {older > 0 && (
        <p className={styles.quiet}>
          {count(older, "older message")} are not shown.{" "}
          <Command line={`buildwright status ${short(build.id)} --show messages`} />
        </p>
      )}
      {!ended && (
        <div className={styles.sayPanel}>
          <SayBox build={build.id} />
        </div>
      )}
    </Panel>
  );
}
