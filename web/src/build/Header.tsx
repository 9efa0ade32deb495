// The head of a build: what it is, how far it is, what it costs, and what can be done with it now.
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { forecast } from "../api/queries";
import type { Build } from "../api/types";
import { LinkChip } from "../live/LinkChip";
import { type Action, useActions } from "../shell/kept";
import { STOP_DELIVERY, type Steering, useSteer } from "../shell/steer";
import { Badge } from "../ui/Badge";
import { Bar } from "../ui/Bar";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Dialog } from "../ui/Dialog";
import { Fact, Facts } from "../ui/Page";
import { useRefused } from "../ui/Rights";
import { Said } from "../ui/Said";
import ui from "../ui/ui.module.css";
import { useTick } from "../ui/useTick";
import { count, dollars, duration, range, short } from "../ui/words";
import styles from "./build.module.css";

/** One word for the state of a build: how it ended, whether it is paused, or its stage. */
export function stateOf(build: Build): string {
  if (build.outcome) return build.outcome;
  return build.control === "running" ? build.stage : build.control;
}

const NO_ACTIONS: readonly Action[] = [];
const BUSY = ["working", "judging", "merging"];

export function Header({ build, readAt }: { readonly build: Build; readonly readAt: number }) {
  const counts = build.counts ?? {};
  const done = counts.done ?? 0;
  const failed = counts.failed ?? 0;
  const busy = BUSY.reduce((sum, name) => sum + (counts[name] ?? 0), 0);
  const total = build.total ?? 0;
  const told = `${done} of ${count(total, "task")} done, ${busy} in work, ${failed} failed`;
  return (
    <header className={styles.head}>
      <div className={styles.titleRow}>
        <h1>
          <Said text={build.title || "Untitled"} />
        </h1>
        <Badge word={stateOf(build)} />
        <LinkChip />
        <Actions build={build} />
      </div>
      <Facts className={styles.facts}>
        <Fact name="Tasks">{total ? `${done} of ${total}` : "no plan yet"}</Fact>
        <Fact name="Time">
          <Elapsed build={build} readAt={readAt} />
        </Fact>
        <Fact name="Agents">{(build.running ?? []).length}</Fact>
        <Fact name="Cost">
          {dollars(build.usage?.cost_usd ?? 0)}
          {build.budget_usd && ` of ${dollars(build.budget_usd)}`}
        </Fact>
        <Outlook id={build.id} />
        <Fact name="Tokens">{(build.usage?.tokens ?? 0).toLocaleString("en")}</Fact>
        <Fact name="Build">
          <code>{short(build.id)}</code>
        </Fact>
        {build.repository && (
          <Fact name="Repository">
            <code title={build.repository}>{build.repository}</code>
          </Fact>
        )}
        {build.sandbox && build.sandbox !== "none" && (
          <Fact name="Sandbox">{build.sandbox === "auto" ? "chosen by each worker" : build.sandbox}</Fact>
        )}
      </Facts>
      {build.sandbox === "none" && (
        <p>
          No sandbox: agents and checks run with the rights of the user who builds it (
          <code>--sandbox none</code>).
        </p>
      )}
      {total > 0 && (
        <Bar total={total} done={done + (counts.skipped ?? 0)} failed={failed} busy={busy} label={told} />
      )}
    </header>
  );
}

/** What it is likely to cost in the end, and what went into work that was thrown away. */
function Outlook({ id }: { readonly id: string }) {
  const found = useQuery(forecast(id)).data;
  if (!found) return null;
  const total = found.open_tasks > 0 ? found.total_usd : null;
  const lost = Number(found.thrown_away_usd);
  return (
    <>
      {total && total.high > 0 && <Fact name="Likely in the end">{range(total, dollars)}</Fact>}
      {lost > 0 && <Fact name="Thrown away">{dollars(lost)}</Fact>}
    </>
  );
}

function Elapsed({ build, readAt }: { readonly build: Build; readonly readAt: number }) {
  const now = useTick(1_000);
  const runs = !build.finished_at && !build.pause && !build.delivering;
  return duration((build.seconds ?? 0) + (runs ? Math.max(0, now - readAt) / 1000 : 0));
}

function Actions({ build }: { readonly build: Build }) {
  const [stopping, setStopping] = useState(false);
  const { busy, steer } = useSteer(build.id);
  const refused = useRefused("steer");
  const name = short(build.id);
  const delivering = Boolean(build.delivering);
  const runs = build.control === "running" && !delivering;
  const offered = useMemo(() => {
    const on: Steering = { part: "resume", body: { choice: "go" }, done: "The build goes on." };
    const pause: Steering = {
      part: "pause",
      body: {},
      done: "Paused: what runs may finish, nothing new starts.",
      undo: on,
    };
    const paused = build.control === "paused" && build.pause?.reason === "user";
    return [
      ...(runs
        ? [
            {
              id: "pause",
              title: "Pause",
              keys: "p",
              command: `buildwright pause ${name}`,
              run: () => void steer(pause),
            },
          ]
        : []),
      ...(paused
        ? [
            {
              id: "resume",
              title: "Resume",
              keys: "r",
              command: `buildwright resume ${name}`,
              run: () => void steer({ ...on, undo: pause }),
            },
          ]
        : []),
      ...(delivering && !build.delivering?.stopping
        ? [
            {
              id: "stop-delivery",
              title: STOP_DELIVERY.title,
              command: `buildwright stop ${name}`,
              run: () => void steer(STOP_DELIVERY.what),
            },
          ]
        : []),
      ...(build.outcome || delivering
        ? []
        : [
            {
              id: "stop",
              title: "Stop …",
              command: `buildwright stop ${name}`,
              run: () => setStopping(true),
            },
          ]),
    ];
  }, [
    build.control,
    build.outcome,
    build.delivering?.stopping,
    build.pause?.reason,
    delivering,
    name,
    runs,
    steer,
  ]);
  useActions(refused ? NO_ACTIONS : offered);
  return (
    <div className={styles.actions}>
      {offered.map((one) => (
        <Button
          key={one.id}
          act="steer"
          look={one.id === "stop" ? "danger" : "plain"}
          disabled={busy !== ""}
          title={one.command}
          onClick={one.run}
        >
          {one.title}
        </Button>
      ))}
      {stopping && (
        <StopDialog
          build={build}
          onClose={() => setStopping(false)}
          onStop={() => {
            setStopping(false);
            void steer({
              part: "stop?wait_seconds=0",
              body: {},
              done: "The build ends; its agents are ended.",
            });
          }}
        />
      )}
    </div>
  );
}

interface StopProps {
  readonly build: Build;
  readonly onClose: () => void;
  readonly onStop: () => void;
}

function StopDialog({ build, onClose, onStop }: StopProps) {
  const running = (build.running ?? []).length;
  return (
    <Dialog label="Stop this build" onClose={onClose}>
      <div className={styles.ask}>
        <h2>Stop this build?</h2>
        <p>
          {running > 0 ? `${count(running, "task")} in work will be ended. ` : ""}
          Nothing more lands. What has landed stays, and <code>buildwright resume</code> can go on from there.
        </p>
        <Command line={`buildwright stop ${short(build.id)}`} />
        <div className={styles.askRow}>
          <Button onClick={onClose}>Keep it running</Button>
          <Button look="danger" className={ui.red} onClick={onStop}>
            Stop the build
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
