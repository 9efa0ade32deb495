// The agents that a build can name: which are installed, and, when somebody asks for it, which start in the sandbox.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { startedAgents } from "../api/queries";
import type { Server, ServerAgent } from "../api/types";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Panel } from "../ui/Panel";
import { Problem } from "../ui/States";
import styles from "./settings.module.css";

export function Agents({ page }: { readonly page: Server }) {
  const [asked, setAsked] = useState(false);
  const { data, error, isFetching } = useQuery(startedAgents(asked));
  const agents = data?.agents ?? page.agents;
  const there = agents.filter((one) => one.state !== "not installed");
  return (
    <Panel title="Agents" count={`${there.length} of ${agents.length} installed`}>
      <ul className={styles.rows}>
        {agents.map((agent) => (
          <Agent key={agent.name} agent={agent} />
        ))}
      </ul>
      {error && <Problem message={error.message} />}
      {page.sees_all && (
        <div className={styles.doing}>
          <Button disabled={isFetching || Boolean(data)} onClick={() => setAsked(true)}>
            {isFetching ? "Starting each..." : "Start each in the sandbox"}
          </Button>
          <Command line="buildwright doctor --agents" />
        </div>
      )}
    </Panel>
  );
}

function Agent({ agent }: { readonly agent: ServerAgent }) {
  const { version, tried, asked = [] } = agent;
  const versions = [version && `version ${version}`, tried && `tried with ${tried}`]
    .filter(Boolean)
    .join(", ");
  return (
    <li className={styles.row}>
      <div className={styles.name}>
        <strong>{agent.name}</strong>
        <Badge word={agent.state} />
      </div>
      <div>
        <p>
          {agent.title} {versions && <span className={styles.quiet}>{versions}</span>}
        </p>
        {agent.found && <p className={styles.quiet}>{agent.found}</p>}
        {agent.state === "does not start" && <p>{agent.trouble}</p>}
        {asked.length > 0 && (
          <p className={styles.quiet}>asked for {asked.join(", ")}, which it may not reach</p>
        )}
        {!agent.found && agent.install && <p className={styles.quiet}>Fix: {agent.install}</p>}
      </div>
    </li>
  );
}
