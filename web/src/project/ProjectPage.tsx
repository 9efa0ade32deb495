// One project: what it has, what it still needs, how a build of it would be, and its builds.
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { project } from "../api/queries";
import type { ProjectOverview } from "../api/types";
import { buildAddress } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Panel } from "../ui/Panel";
import { Empty, Problem, Skeleton } from "../ui/States";
import { count, dollars, moment, short } from "../ui/words";
import { BuildForm } from "./BuildForm";
import styles from "./project.module.css";

export function ProjectPage({ id }: { readonly id: string }) {
  const { data, error, refetch } = useQuery(project(id));
  const name = data?.name ?? "Project";
  useEffect(() => {
    document.title = `${name} - Buildwright`;
  }, [name]);
  if (!data) {
    return (
      <div className={styles.page}>
        {error ? (
          <Problem
            message={error.message}
            button={<Button onClick={() => void refetch()}>Try again</Button>}
          />
        ) : (
          <>
            <h1 className="sr-only">Project</h1>
            <Skeleton widths={[30, 100, 100, 60]} />
          </>
        )}
      </div>
    );
  }
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <h1>{data.name}</h1>
        <code className={styles.quiet}>{short(data.id)}</code>
      </header>
      {data.description && <p className={styles.words}>{data.description}</p>}
      <Steps found={data} />
      <Spec found={data} />
      <BuildForm found={data} />
      <Builds found={data} />
    </div>
  );
}

const STATES = { done: ["done", "done"], open: ["ready", "to do"], waits: ["skipped", "later"] } as const;

function Steps({ found }: { readonly found: ProjectOverview }) {
  return (
    <Panel title="The way to a build">
      <ol className={styles.steps}>
        {found.steps.map((step) => {
          const [word, said] = STATES[step.state];
          return (
            <li key={step.name}>
              <Badge word={word}>{said}</Badge>
              <div className={styles.words}>
                {step.path ? <a href={step.path}>{step.title}</a> : <strong>{step.title}</strong>}
                <p className={styles.quiet}>{step.words}</p>
              </div>
              {step.command && <Command line={step.command} />}
            </li>
          );
        })}
      </ol>
    </Panel>
  );
}

function Spec({ found }: { readonly found: ProjectOverview }) {
  const { spec = "", spec_chars = 0 } = found;
  if (!spec) return null;
  return (
    <Panel title="Its spec" count={count(spec_chars, "character")}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long text scrolls, also by keyboard */}
      <pre className={styles.spec} tabIndex={0}>
        {spec}
        {spec_chars > spec.length && "\n…"}
      </pre>
    </Panel>
  );
}

function Builds({ found }: { readonly found: ProjectOverview }) {
  const builds = found.builds ?? [];
  return (
    <Panel title="Builds" count={builds.length || undefined}>
      {builds.length === 0 ? (
        <Empty command={found.command}>Nothing has been built yet.</Empty>
      ) : (
        <ul className={styles.builds}>
          {builds.map((one) => (
            <li key={one.id}>
              <Badge word={one.outcome || "running"}>{one.outcome || one.state}</Badge>
              <a href={buildAddress(one.id)}>{one.title || "Untitled"}</a>
              <span className={styles.quiet}>
                {moment(one.created_at)} · {one.progress ?? 0} % · {dollars(one.cost_usd)} ·{" "}
                {one.health.cause}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
