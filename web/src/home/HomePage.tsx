// All builds of the user, newest first.
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { builds } from "../api/queries";
import { buildAddress } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Panel } from "../ui/Panel";
import { Empty, Problem, Skeleton } from "../ui/States";
import { moment, short } from "../ui/words";

export function HomePage() {
  const { data, error, refetch } = useQuery(builds());
  useEffect(() => {
    document.title = "Builds - Buildwright";
  }, []);
  return (
    <div style={{ padding: 24 }}>
      <h1>Builds</h1>
      <Panel title="Builds" count={data?.items.length}>
        {error && !data ? (
          <Problem
            message={error.message}
            button={<Button onClick={() => void refetch()}>Try again</Button>}
          />
        ) : !data ? (
          <Skeleton widths={[100, 100, 100]} />
        ) : data.items.length === 0 ? (
          <Empty command="buildwright build spec.md">Describe what to build, and it appears here.</Empty>
        ) : (
          <ul>
            {data.items.map((row) => (
              <li key={row.build_id}>
                <Badge word={row.outcome || row.phase} /> <a href={buildAddress(row.build_id)}>{row.title}</a>{" "}
                {short(row.build_id)} {moment(row.updated_at)}
              </li>
            ))}
          </ul>
        )}
      </Panel>
    </div>
  );
}
