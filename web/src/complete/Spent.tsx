// What a build cost, by phase, task and model, and what of it went into work that was thrown away.
import { useQuery } from "@tanstack/react-query";
import { buildCosts } from "../api/queries";
import type { CostSum } from "../api/types";
import { buildAddress } from "../shell/router";
import { Panel } from "../ui/Panel";
import { Skeleton } from "../ui/States";
import { count, dollars } from "../ui/words";
import styles from "./complete.module.css";

const BY = { phase: "Phases", task: "Tasks", model: "Models" } as const;
/** Rows of each, the dearest first; all are on the page of costs. */
const MOST = 5;

export function Spent({ id }: { readonly id: string }) {
  const found = useQuery(buildCosts(id)).data;
  if (!found) {
    return (
      <Panel title="What it cost">
        <Skeleton widths={[60, 100]} />
      </Panel>
    );
  }
  const { total, tables } = found;
  return (
    <Panel title="What it cost" aside={<a href={buildAddress(id, "costs")}>All costs</a>}>
      <p className={styles.spent}>
        {dollars(total.cost_usd)} in {count(total.requests, "request")}
        {total.unpriced > 0 && `, ${total.unpriced} without a known price`};{" "}
        {Number(total.thrown_away_usd) > 0
          ? `${dollars(total.thrown_away_usd)} of it on work that was thrown away.`
          : "nothing of it on work that was thrown away."}
      </p>
      {total.requests > 0 && (
        <div className={styles.sums}>
          {tables.map(
            ({ by, rows }) => by in BY && <Sums key={by} name={BY[by as keyof typeof BY]} rows={rows} />,
          )}
        </div>
      )}
    </Panel>
  );
}

function Sums({ name, rows }: { readonly name: string; readonly rows: readonly CostSum[] }) {
  return (
    <section aria-label={name}>
      <h3>{name}</h3>
      <ul>
        {rows.slice(0, MOST).map((row) => (
          <li key={row.key}>
            {row.key || "(none)"}: {dollars(row.cost_usd)}
            {Number(row.thrown_away_usd) > 0 && (
              <span className={styles.quiet}> {dollars(row.thrown_away_usd)} thrown away</span>
            )}
          </li>
        ))}
      </ul>
      {rows.length > MOST && <p className={styles.quiet}>and {rows.length - MOST} more</p>}
    </section>
  );
}
