// One project: what it has, what it still needs, how a build of it would be, and its builds.
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { project } from "../api/queries";
import type { ProjectOverview } from "../api/types";
import { buildAddress } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Command } from "../ui/Command";
import { Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Said } from "../ui/Said";
import { Empty, Read } from "../ui/States";
import { count, dollars, moment, short } from "../ui/words";
import { BuildForm } from "./BuildForm";
import styles from "./project.module.css";

export function ProjectPage({ id }: { readonly id: string }) {
  const read = useQuery(project(id));
  const name = read.data?.name ?? "Project";
  useEffect(() => {
    document.title = `${name} - Buildwright`;
  }, [name]);
  return (
    <Page>
      {!read.data && <h1 className="sr-only">Project</h1>}
      <Read from={read} widths={[30, 100, 100, 60]}>
        {(found) => (
          <>
            <PageHead title={found.name}>
              <code className={styles.quiet}>{short(found.id)}</code>
            </PageHead>
            {found.description && <p className={styles.words}>{found.description}</p>}
            <Steps found={found} />
            <Spec found={found} />
            <BuildForm found={found} />
            <Builds found={found} />
          </>
        )}
      </Read>
    </Page>
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
              <Badge word={one.outcome || one.state} />
              <a href={buildAddress(one.id)}>
                <Said text={one.title || "Untitled"} />
              </a>
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
