// The phases as a rail, and one of them as a picture: each task behind those that it needs.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useMemo, useState } from "react";
import { graph, rail } from "../api/queries";
import type { Graph, GraphNode, Rail, RailPhase } from "../api/types";
import { setQuery } from "../shell/router";
import { Badge, Icon, toneOf } from "../ui/Badge";
import { cx } from "../ui/cx";
import { Panel } from "../ui/Panel";
import { Said } from "../ui/Said";
import { Skeleton } from "../ui/States";
import { count, duration, range } from "../ui/words";
import styles from "./phases.module.css";

const STATES: Record<RailPhase["status"], string> = {
  pending: "waiting",
  active: "working",
  paused: "paused",
  completed: "done",
  failed: "failed",
};

/** The phase that is worked at; 0 before there is a plan. */
const currentOf = (found: Rail) => found.current;

/** Asks for the phases, and the picture of the current one, while the page still waits for its build. */
export function usePhasesAhead(id: string): void {
  const client = useQueryClient();
  const { data: current } = useQuery({ ...rail(id), select: currentOf });
  useEffect(() => {
    if (current) void client.prefetchQuery(graph(id, current));
  }, [client, id, current]);
}

export function Phases({ id }: { readonly id: string }) {
  const found = useQuery(rail(id)).data;
  const [chosen, setChosen] = useState(0);
  if (!found || found.phases.length === 0) return null;
  const shown = chosen || currentOf(found);
  const left = found.seconds_left;
  return (
    <Panel title="Phases" count={left ? `${range(left, duration)} left` : found.phases.length}>
      <ol className={styles.rail}>
        {found.phases.map((phase) => (
          <li key={phase.number}>
            <button
              type="button"
              className={cx(styles.phase, phase.number === shown && styles.shown)}
              aria-pressed={phase.number === shown}
              onClick={() => setChosen(phase.number)}
            >
              <span className={styles.name}>
                {phase.number}. {phase.name || "All tasks"}
              </span>
              <Badge word={STATES[phase.status]}>{phase.status}</Badge>
              <span className={styles.quiet}>
                {phase.done + phase.skipped} of {count(phase.tasks, "task")}
                {phase.refused > 0 && ` · ${phase.refused} refused`}
                {phase.audited != null && ` · audit ${phase.audited ? "passed" : "refused"}`}
              </span>
            </button>
          </li>
        ))}
      </ol>
      <PhaseGraph id={id} phase={shown} />
    </Panel>
  );
}

const WIDTH = 196;
const HEIGHT = 52;
const APART_X = 56;
const APART_Y = 14;
const EDGE = 16;

const left = (node: GraphNode) => EDGE + node.layer * (WIDTH + APART_X);
const top = (node: GraphNode) => EDGE + node.row * (HEIGHT + APART_Y);

function PhaseGraph({ id, phase }: { readonly id: string; readonly phase: number }) {
  // A picture of many tasks is made bit by bit: the page answers meanwhile.
  const found = useDeferredValue(useQuery(graph(id, phase)).data);
  if (!found) return <Skeleton widths={[40, 60, 40]} />;
  return (
    <>
      <Picture found={found} />
      {(found.contention ?? []).length > 0 && (
        <ul className={styles.contention} aria-label="Files that several tasks touch">
          {found.contention?.map((one) => (
            <li key={one.file}>
              <code>{one.file}</code> is touched by {one.tasks.join(", then ")}
              {one.holder && <>; {one.holder} has it now</>}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** The edges, as one line for all that look alike: a thousand of them are four elements. */
function linesOf(found: Graph): [string, string][] {
  const places = new Map((found.nodes ?? []).map((node) => [node.id, node]));
  const lines = new Map<string, string>();
  for (const edge of found.edges ?? []) {
    const from = places.get(edge.needed);
    const to = places.get(edge.needing);
    if (!from || !to) continue;
    const [x, y] = [left(from) + WIDTH, top(from) + HEIGHT / 2];
    const [u, v] = [left(to), top(to) + HEIGHT / 2];
    const bend = (u - x) / 2;
    const look = cx(styles.edge, edge.met && styles.met, edge.critical && styles.critical);
    lines.set(look, `${lines.get(look) ?? ""}M${x} ${y}C${x + bend} ${y} ${u - bend} ${v} ${u} ${v}`);
  }
  return [...lines];
}

function Picture({ found }: { readonly found: Graph }) {
  const nodes = found.nodes ?? [];
  const lines = useMemo(() => linesOf(found), [found]);
  const width = 2 * EDGE + found.layers * (WIDTH + APART_X) - APART_X;
  const height = 2 * EDGE + found.rows * (HEIGHT + APART_Y) - APART_Y;
  return (
    <section
      className={styles.scroll}
      aria-label={`Tasks of ${found.name || "this phase"}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by keyboard
      tabIndex={0}
    >
      <div className={styles.picture} style={{ width, height }}>
        <svg width={width} height={height} aria-hidden="true">
          {lines.map(([look, line]) => (
            <path key={look} className={look} d={line} />
          ))}
        </svg>
        {nodes.map((node) => (
          <button
            key={node.id}
            type="button"
            className={cx(styles.node, styles[toneOf(node.phase)], node.on_critical_path && styles.onPath)}
            style={{ left: left(node), top: top(node), width: WIDTH, height: HEIGHT }}
            title={`${node.title || node.id}: ${node.why}`}
            onClick={() => setQuery("task", node.id, false)}
          >
            <Icon mark={MARKS[toneOf(node.phase)]} />
            <span>
              <strong>
                <Said text={node.title || node.id} />
              </strong>
              <span className={styles.quiet}>{node.why || node.phase}</span>
            </span>
          </button>
        ))}
      </div>
    </section>
  );
}

const MARKS = { plain: "waiting", blue: "busy", green: "done", amber: "paused", red: "failed" } as const;
