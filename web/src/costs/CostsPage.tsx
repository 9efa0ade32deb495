// What one build costs: against its budget with the forecast, by everything that it can be summed by, what was spent on
// work that was thrown away, and what was estimated.
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { buildPath } from "../api/client";
import { buildCosts, build as buildQuery, forecast } from "../api/queries";
import type { BuildCosts, Forecast } from "../api/types";
import { LinkChip } from "../live/LinkChip";
import { buildAddress, setQuery, useQueryValue } from "../shell/router";
import { Command } from "../ui/Command";
import { Fact, Facts, Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Empty, Read } from "../ui/States";
import { count, dollars, duration, range, said, sentence, short } from "../ui/words";
import { Chart } from "./Chart";
import { CostTable } from "./CostTable";
import styles from "./costs.module.css";

const NAMES: Record<string, string> = { result: "What became of it" };
const BARS = [30, 100, 100, 60, 100];

export function CostsPage({ id }: { readonly id: string }) {
  const found = useQuery(buildCosts(id));
  const outlook = useQuery(forecast(id));
  const title = useQuery(buildQuery(id)).data?.title ?? "";
  useEffect(() => {
    document.title = `Costs · ${title} - Buildwright`;
  }, [title]);
  return (
    <Page>
      <PageHead title="Costs" of={title}>
        <LinkChip />
      </PageHead>
      <Read from={found} widths={BARS}>
        {(costs) => (
          <Read from={outlook} widths={BARS}>
            {(ahead) => (
              <>
                <Spent costs={costs} outlook={ahead} />
                <Lost outlook={ahead} />
                <By id={id} costs={costs} />
              </>
            )}
          </Read>
        )}
      </Read>
    </Page>
  );
}

function Spent({ costs, outlook }: { readonly costs: BuildCosts; readonly outlook: Forecast }) {
  const { total, estimated } = costs;
  const likely = outlook.open_tasks > 0 ? outlook.total_usd : null;
  return (
    <Panel title="Spent">
      <div className={styles.body}>
        <p>{outlook.words}</p>
        <Facts>
          <Fact name="So far">{dollars(outlook.spent_usd)}</Fact>
          <Fact name="Budget">{outlook.budget_usd ? dollars(outlook.budget_usd) : "none"}</Fact>
          {outlook.left_usd && <Fact name="Left of it">{dollars(outlook.left_usd)}</Fact>}
          {likely && <Fact name="Likely in the end">{range(likely, dollars)}</Fact>}
          <Fact name="Requests">{total.requests.toLocaleString("en")}</Fact>
          <Fact name="Tokens in">{total.input_tokens.toLocaleString("en")}</Fact>
          <Fact name="Tokens out">{total.output_tokens.toLocaleString("en")}</Fact>
          <Fact name="From the cache">
            {total.cache_read_tokens.toLocaleString("en")} ({Math.round(100 * costs.cached)} % of the input)
          </Fact>
          {outlook.unpriced > 0 && <Fact name="Without a price">{count(outlook.unpriced, "request")}</Fact>}
        </Facts>
        <Chart found={outlook} />
        {estimated ? (
          <div>
            <h3>Estimated, and used</h3>
            <Facts>
              {estimated.estimate.cost_usd && (
                <Fact name="Cost">
                  {range(estimated.estimate.cost_usd, dollars)} estimated, {dollars(estimated.cost_usd)} used
                </Fact>
              )}
              {estimated.estimate.seconds && (
                <Fact name="Time">
                  {range(estimated.estimate.seconds, duration)} estimated, {duration(estimated.seconds)} used
                </Fact>
              )}
              <Fact name="It is">{estimated.within ? "within the estimate" : "outside of the estimate"}</Fact>
              <Fact name="Estimated from">
                {estimated.estimate.basis === "history"
                  ? `${count(estimated.estimate.of_tasks, "task")} of ${count(estimated.estimate.of_builds, "build")}`
                  : "published prices, and assumed sizes of tasks"}
              </Fact>
            </Facts>
          </div>
        ) : (
          <p className={styles.quiet}>Nothing was estimated: no earlier build or price was known.</p>
        )}
      </div>
    </Panel>
  );
}

function Lost({ outlook }: { readonly outlook: Forecast }) {
  const lost = outlook.thrown_away;
  return (
    <Panel title="Spent on work that was thrown away" count={dollars(outlook.thrown_away_usd)}>
      {lost.length === 0 ? (
        <Empty>Nothing was thrown away.</Empty>
      ) : (
        <ul className={styles.lost}>
          {lost.map((one) => (
            <li key={one.result}>
              <strong>{dollars(one.cost_usd)}</strong> {sentence(one.words)}{" "}
              <span className={styles.quiet}>{count(one.attempts, "attempt")}</span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function By({ id, costs }: { readonly id: string; readonly costs: BuildCosts }) {
  const wanted = useQueryValue("by") || "phase";
  const table = costs.tables.find((one) => one.by === wanted) ?? costs.tables[0];
  if (!table) return null;
  const known = table.by === "task";
  return (
    <Panel
      title="By"
      aside={
        <div className={styles.tools}>
          <select
            aria-label="Sum by"
            value={table.by}
            onChange={(event) => setQuery("by", event.target.value)}
          >
            {costs.tables.map((one) => (
              <option key={one.by} value={one.by}>
                {NAMES[one.by] ?? said(one.by)}
              </option>
            ))}
          </select>
          <a href={buildPath(id, `/costs.csv?by=${table.by}`)} download>
            CSV
          </a>
          <a href={buildPath(id, "/costs")} target="_blank" rel="noreferrer">
            JSON
          </a>
        </div>
      }
    >
      {table.rows.length === 0 ? (
        <Empty command={`buildwright status ${short(id)}`}>No model was asked yet.</Empty>
      ) : (
        <CostTable
          name={NAMES[table.by] ?? said(table.by)}
          rows={table.rows}
          link={
            known
              ? (key) => (/^[\w.-]+$/.test(key) ? `${buildAddress(id)}?task=${encodeURIComponent(key)}` : "")
              : undefined
          }
        />
      )}
      {table.by === "requirement" && table.rows.length > 0 && (
        <p className={styles.note}>
          A request counts for each requirement of its task, so these sums overlap; the total counts it once.
        </p>
      )}
      <div className={styles.note}>
        <Command
          line={`buildwright costs --build ${short(id)} --by ${table.by === "phase" ? "task" : table.by}`}
        />
      </div>
    </Panel>
  );
}
