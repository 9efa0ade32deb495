// What all builds of the user cost, by one key, since a time.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { costs } from "../api/queries";
import { buildAddress, setQuery, useQueryValue } from "../shell/router";
import { Command } from "../ui/Command";
import { Fact, Facts, Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Empty, Read } from "../ui/States";
import { count, dollars, said } from "../ui/words";
import { CostTable } from "./CostTable";
import styles from "./costs.module.css";
import { dayBefore } from "./since";

const KEYS = ["day", "project", "build", "model", "agent", "requirement", "result"] as const;
const NAMES: Record<string, string> = { result: "What became of it" };
const SPANS: Record<string, string> = { "7": "7 days", "30": "30 days", "365": "a year" };

export function SpendingPage() {
  const typed = useQueryValue("by");
  const by = KEYS.find((key) => key === typed) ?? "day";
  const days = useQueryValue("days");
  const since = useMemo(
    () => (Object.hasOwn(SPANS, days) ? dayBefore(Number(days), new Date()) : ""),
    [days],
  );
  const found = useQuery(costs(by, since && `${since}T00:00:00Z`));
  useEffect(() => {
    document.title = "Spending - Buildwright";
  }, []);
  const query = new URLSearchParams(since ? { by, since: `${since}T00:00:00Z` } : { by });
  return (
    <Page>
      <PageHead title="Spending">
        <div className={styles.tools}>
          <select aria-label="Sum by" value={by} onChange={(event) => setQuery("by", event.target.value)}>
            {KEYS.map((key) => (
              <option key={key} value={key}>
                {NAMES[key] ?? said(key)}
              </option>
            ))}
          </select>
          <select aria-label="Since" value={days} onChange={(event) => setQuery("days", event.target.value)}>
            <option value="">All that is kept</option>
            {Object.entries(SPANS).map(([value, words]) => (
              <option key={value} value={value}>
                The last {words}
              </option>
            ))}
          </select>
          <a href={`/api/costs.csv?${query}`} download>
            CSV
          </a>
          <a href={`/api/costs?${query}`} target="_blank" rel="noreferrer">
            JSON
          </a>
        </div>
      </PageHead>
      <Read from={found} widths={[30, 100, 100, 100]}>
        {(data) => (
          <>
            <Panel title="In all">
              <div className={styles.body}>
                <Facts>
                  <Fact name="Cost">{dollars(data.cost_usd)}</Fact>
                  <Fact name="Thrown away">{dollars(data.thrown_away_usd)}</Fact>
                  <Fact name="Not paid twice">
                    {dollars(data.kept.saved_usd ?? 0)}{" "}
                    <span className={styles.quiet}>{count(data.kept.answers ?? 0, "kept answer")}</span>
                  </Fact>
                  {data.unpriced > 0 && <Fact name="Without a price">{count(data.unpriced, "request")}</Fact>}
                </Facts>
              </div>
            </Panel>
            <Panel title={`By ${(NAMES[by] ?? by).toLowerCase()}`} count={data.sums.length}>
              {data.sums.length === 0 ? (
                <Empty>No request to a model is known.</Empty>
              ) : (
                <CostTable
                  name={NAMES[by] ?? said(by)}
                  rows={data.sums}
                  words={data.words}
                  link={
                    by === "build"
                      ? (key) => (key.startsWith("interview-") ? "" : buildAddress(key))
                      : undefined
                  }
                />
              )}
              <div className={styles.note}>
                <Command line={`buildwright costs --by ${by}${since && ` --since ${since}`}`} />
              </div>
            </Panel>
          </>
        )}
      </Read>
    </Page>
  );
}
