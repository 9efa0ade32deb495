// The audits of the pushes to one repository, newest first, and one of them with what its checks found.
import { useQuery } from "@tanstack/react-query";
import type { Audit, Connected } from "../api/types";
import { setQuery, useQueryValue } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Panel } from "../ui/Panel";
import { Empty, Problem, Skeleton } from "../ui/States";
import { duration, moment } from "../ui/words";
import { audit, audits } from "./queries";
import styles from "./repos.module.css";

interface Props {
  readonly repository: Connected;
  /** Whether news arrives by itself. */
  readonly live: boolean;
}

export function Audits({ repository, live }: Props) {
  const open = useQueryValue("audit");
  const branch = useQueryValue("branch");
  const { data, error } = useQuery(audits(repository.id, branch, live));
  const branches = [...new Set(data?.items.map((one) => one.branch))];
  return (
    <Panel
      title={`Audits of ${repository.name}`}
      count={live ? "live" : "asked for every few seconds"}
      aside={
        (branch || branches.length > 1) && (
          <select
            aria-label="Branch"
            value={branch}
            onChange={(event) => setQuery("branch", event.target.value)}
          >
            <option value="">All branches</option>
            {(branch ? [branch] : branches).map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        )
      }
    >
      {error && !data ? (
        <Problem message={error.message} />
      ) : !data ? (
        <Skeleton widths={[80, 100, 90]} />
      ) : data.items.length === 0 ? (
        <Empty command={`buildwright repo audits ${repository.name}`}>The next push is audited.</Empty>
      ) : (
        <ol className={styles.list}>
          {data.items.map((one) => (
            <li key={one.id} className={styles.audit}>
              <button
                type="button"
                className={styles.line}
                aria-expanded={one.id === open}
                onClick={() => setQuery("audit", one.id === open ? "" : one.id)}
              >
                <Badge word={LOOKS[one.status] ?? "waiting"}>{one.status}</Badge>
                <code>{one.commit.slice(0, 9)}</code>
                <span>{one.branch}</span>
                <span className={styles.quiet}>{one.message}</span>
                <time className={styles.quiet} dateTime={one.queued_at}>
                  {moment(one.queued_at)}
                </time>
              </button>
              {one.id === open && <Found repository={repository.id} shown={one} live={live} />}
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

/** Words whose marks stand for how far an audit is, and for what a check said. */
const LOOKS: Record<string, string> = {
  queued: "waiting",
  running: "running",
  passed: "passed",
  failed: "failed",
  broke: "error",
  warned: "paused",
  "not run": "skipped",
};

interface FoundProps {
  readonly repository: string;
  readonly shown: Audit;
  readonly live: boolean;
}

function Found({ repository, shown, live }: FoundProps) {
  const { data } = useQuery(audit(repository, shown.id, live));
  const checks = data?.checks ?? shown.checks ?? [];
  return (
    <div className={styles.found}>
      <p className={styles.quiet}>
        {shown.base ? `${shown.base.slice(0, 9)}..${shown.commit.slice(0, 9)}` : shown.commit.slice(0, 9)}
        {typeof shown.seconds === "number" && `, done after ${duration(shown.seconds)}`}
        {shown.told && `, told to GitHub: ${shown.told}`}
        {typeof shown.ledger_entry === "number" && `, entry ${shown.ledger_entry} of the ledger`}
      </p>
      <ul className={styles.checks}>
        {checks.map((check) => (
          <li key={check.code}>
            <span className={styles.check}>
              <Badge word={LOOKS[check.result] ?? "waiting"}>{check.result}</Badge>
              <strong>{check.name}</strong>
              <code>{check.code}</code>
            </span>
            {(check.findings ?? []).map((finding) => (
              <p
                key={`${finding.code} ${finding.file} ${finding.line} ${finding.message}`}
                className={styles.finding}
              >
                {finding.file && (
                  <code>
                    {finding.file}
                    {finding.line ? `:${finding.line}` : ""}
                  </code>
                )}{" "}
                {finding.message}
                {finding.fix && <span className={styles.quiet}> Fix: {finding.fix}</span>}
              </p>
            ))}
          </li>
        ))}
      </ul>
    </div>
  );
}
