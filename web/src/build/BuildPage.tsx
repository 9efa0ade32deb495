// One build as it happens: its head, what it waits for, what its agents do, its tasks, and what it came to.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { build as buildQuery, instructions } from "../api/queries";
import type { Build } from "../api/types";
import { announce } from "../shell/kept";
import { buildAddress, useQueryValue } from "../shell/router";
import { Command } from "../ui/Command";
import { Page } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Said } from "../ui/Said";
import { Empty, Read } from "../ui/States";
import { count, short } from "../ui/words";
import styles from "./build.module.css";
import { FindingList } from "./FindingList";
import { Header, stateOf } from "./Header";
import { Messages } from "./Messages";
import { Now } from "./Now";
import { PauseCard } from "./PauseCard";
import { Phases, usePhasesAhead } from "./Phases";
import { SpecPanel } from "./SpecPanel";
import { TaskDrawer } from "./TaskDrawer";
import { TaskTable } from "./TaskTable";

export function BuildPage({ id }: { readonly id: string }) {
  const found = useQuery(buildQuery(id));
  useTold(found.data);
  usePhasesAhead(id);
  return (
    <Page>
      {!found.data && <h1 className="sr-only">Build</h1>}
      <Read from={found} widths={[30, 60, 100, 100, 100, 100, 100]}>
        {(build) => <Whole build={build} readAt={found.dataUpdatedAt} />}
      </Read>
    </Page>
  );
}

function Whole({ build, readAt }: { readonly build: Build; readonly readAt: number }) {
  const { id } = build;
  const task = useQueryValue("task");
  const ended = Boolean(build.outcome || build.delivering);
  return (
    <>
      <Header build={build} readAt={readAt} />
      {build.pause && !ended && <PauseCard build={build} />}
      <Result build={build} />
      <Now build={build} readAt={readAt} />
      <SpecPanel id={id} />
      <Phases id={id} />
      <Findings build={build} />
      <TaskTable build={build} />
      <Messages build={build} ended={ended} />
      {task && <TaskDrawer build={id} task={task} ended={ended} />}
    </>
  );
}

function Result({ build }: { readonly build: Build }) {
  if (!build.outcome && !build.delivering) return null;
  return (
    <Panel title="Result">
      <div className={styles.result}>
        {build.message && <p>{build.message}</p>}
        {build.delivering ? (
          <p role="status">{build.delivering.words}</p>
        ) : build.delivered ? (
          <Taken build={build} />
        ) : (
          <p className={styles.quiet}>Nothing was delivered.</p>
        )}
        <p>
          <a href={buildAddress(build.id, "complete")}>The whole result, with its proof and how to take it</a>
        </p>
        <Command line={`buildwright diff ${short(build.id)}`} />
      </div>
    </Panel>
  );
}

/** Where the result is, and the commands that take it from there. */
function Taken({ build }: { readonly build: Build }) {
  const { data, error } = useQuery(instructions(build.id));
  const take = data?.steps.find((one) => one.kind === "take");
  return (
    <>
      <p>
        What it made is the branch <code>{build.delivered?.replace("refs/heads/", "")}</code>.
      </p>
      {error && !data && <Empty>{error.message}.</Empty>}
      {take?.text && (
        <p>
          <Said text={take.text} />
        </p>
      )}
      {take?.commands.map((line) => (
        <Command key={line} line={line} />
      ))}
    </>
  );
}

function Findings({ build }: { readonly build: Build }) {
  const found = build.findings ?? [];
  const others = [
    ...(build.diagnosis ? [build.diagnosis] : []),
    ...(build.warnings ?? []),
    ...(build.notes ?? []),
  ];
  if (found.length + others.length === 0) return null;
  return (
    <Panel title="To know" count={found.length + others.length}>
      <div className={styles.notes}>
        {found.length > 0 && <FindingList lines={found} of="the result" />}
        {others.map((line) => (
          <p key={line}>{line}</p>
        ))}
      </div>
    </Panel>
  );
}

/** Say in the title of the tab, and to those who do not see the page, how far the build is. */
function useTold(build: Build | undefined): void {
  const before = useRef("");
  const words = build
    ? `${stateOf(build)}, ${build.counts?.done ?? 0} of ${count(build.total ?? 0, "task")} done`
    : "";
  const title = build
    ? `${stateOf(build)} · ${build.counts?.done ?? 0}/${build.total ?? 0} · ${build.title}`
    : "Build";
  useEffect(() => {
    document.title = `${title} - Buildwright`;
    if (before.current && words && words !== before.current) announce(words);
    before.current = words;
  }, [title, words]);
}
