// The first page: what needs a person, what happened since they were here, and all projects with their health.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { home } from "../api/queries";
import type { Card, Home, News, Project } from "../api/types";
import { buildAddress, projectAddress } from "../shell/router";
import { Badge, Icon } from "../ui/Badge";
import { Bar } from "../ui/Bar";
import { cx } from "../ui/cx";
import { Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Said } from "../ui/Said";
import { Empty, Read } from "../ui/States";
import ui from "../ui/ui.module.css";
import { useTick } from "../ui/useTick";
import { age, count, dollars, duration, range, short } from "../ui/words";
import styles from "./home.module.css";
import { Inbox } from "./Inbox";
import { looked, newsSince } from "./visit";

export function HomePage() {
  const [since] = useState(() => newsSince(Date.now()));
  const found = useQuery(home(since));
  const { data, error, dataUpdatedAt } = found;
  const waiting = data?.inbox.length ?? 0;
  const asOf = data?.as_of ?? "";
  useEffect(() => {
    document.title = `${waiting ? `(${waiting}) ` : ""}Builds - Buildwright`;
  }, [waiting]);
  useEffect(() => {
    if (asOf) looked(asOf, since);
  }, [asOf, since]);
  return (
    <Page size="text">
      <PageHead title="Builds">
        <a className={cx(ui.button, ui.primary)} href="/new">
          New project
        </a>
        {dataUpdatedAt > 0 && <Seen at={dataUpdatedAt} broken={error !== null} />}
      </PageHead>
      <Read from={found} widths={[40, 100, 100, 40, 100]} title="Projects">
        {(home) => <Content home={home} readAt={dataUpdatedAt} />}
      </Read>
    </Page>
  );
}

function Content({ home, readAt }: { readonly home: Home; readonly readAt: number }) {
  const news = home.news ?? [];
  if (home.projects.length === 0 && home.inbox.length === 0) {
    return (
      <Panel title="Projects">
        <Empty command="buildwright build spec.md">
          Begin a project here, or describe what to build in a file and start it in its repository.
        </Empty>
      </Panel>
    );
  }
  return (
    <>
      {home.inbox.length > 0 && <Inbox needs={home.inbox} />}
      {news.length > 0 && (
        <Panel title="Since you were here">
          <ul className={styles.news}>
            {news.map((one) => (
              <NewsLine key={`${one.build} ${one.seq}`} news={one} />
            ))}
          </ul>
          {(home.more_news ?? 0) > 0 && <p className={styles.more}>and {home.more_news} more</p>}
        </Panel>
      )}
      {home.projects.map((project) => (
        <ProjectPanel key={project.id} project={project} readAt={readAt} />
      ))}
    </>
  );
}

const MARKS = {
  ended: "done",
  delivered: "done",
  landed: "done",
  planned: "waiting",
  paused: "paused",
  failed: "failed",
} as const;

function NewsLine({ news }: { readonly news: News }) {
  const task = news.tasks?.length === 1 ? `?task=${encodeURIComponent(news.tasks[0] ?? "")}` : "";
  return (
    <li>
      <Icon mark={MARKS[news.kind]} />
      <a href={buildAddress(news.build) + task}>
        <Said text={news.title} />
      </a>
      <span>{news.words}</span>
      {news.commit && <code>{news.commit.slice(0, 9)}</code>}
    </li>
  );
}

function ProjectPanel({ project, readAt }: { readonly project: Project; readonly readAt: number }) {
  const builds = project.builds ?? [];
  return (
    <Panel
      title={project.name}
      aside={project.registered && <a href={projectAddress(project.id)}>Open the project</a>}
      count={
        (project.more_builds ?? 0) > 0 ? `and ${count(project.more_builds ?? 0, "older build")}` : undefined
      }
    >
      {builds.length === 0 ? (
        <Empty command="buildwright build spec.md">Nothing has been built here yet.</Empty>
      ) : (
        <ul className={styles.cards}>
          {builds.map((card) => (
            <BuildLine key={card.id} card={card} readAt={readAt} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

const HEALTH = {
  green: ["done", "well", ui.green],
  yellow: ["paused", "look", ui.amber],
  red: ["failed", "stuck", ui.red],
} as const;

function BuildLine({ card, readAt }: { readonly card: Card; readonly readAt: number }) {
  const [mark, word, tone] = HEALTH[card.health.colour];
  const counts = card.counts ?? {};
  const done = (counts.done ?? 0) + (counts.skipped ?? 0);
  const left = card.seconds_left;
  return (
    <li className={styles.card}>
      <div className={styles.title}>
        <a href={buildAddress(card.id)}>
          <Said text={card.title || "Untitled"} />
        </a>
        <code>{short(card.id)}</code>
        {card.outcome ? <Badge word={card.outcome} /> : <span className={styles.quiet}>{card.state}</span>}
      </div>
      <p className={styles.health}>
        <span className={cx(ui.badge, tone)}>
          <Icon mark={mark} />
          {word}
        </span>
        <span>{card.health.cause}</span>
      </p>
      <div className={styles.progress}>
        <Bar
          total={card.total}
          done={done}
          failed={counts.failed ?? 0}
          busy={(card.running ?? []).length}
          label={`${done} of ${count(card.total, "task")} done`}
        />
        <p className={styles.quiet}>
          {card.phase_count ? `Phase ${card.phase_number} of ${card.phase_count}: ${card.phase} · ` : ""}
          {done} of {count(card.total, "task")} · <Elapsed card={card} readAt={readAt} />
          {left && ` · ${range(left, duration)} left`} · {dollars(card.cost_usd)}
          {card.budget_usd ? ` of ${dollars(card.budget_usd)}` : ""}
        </p>
      </div>
    </li>
  );
}

function Elapsed({ card, readAt }: { readonly card: Card; readonly readAt: number }) {
  const now = useTick(1_000);
  return duration(card.seconds + (card.clocks_run ? Math.max(0, now - readAt) / 1000 : 0));
}

/** How old the page is; it is asked for again and again by itself. */
function Seen({ at, broken }: { readonly at: number; readonly broken: boolean }) {
  const now = useTick(1_000);
  return (
    <span className={cx(ui.badge, broken ? ui.red : ui.green)}>
      <Icon mark={broken ? "failed" : "done"} />
      {broken ? `the server is away · shown: ${age(now - at)} old` : `read ${age(now - at)} ago`}
    </span>
  );
}
