// Repositories of GitHub: those that are connected, those that can be, and the audits of their pushes.
import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useState } from "react";
import type { Connected } from "../api/types";
import { setQuery, useQueryValue } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Dialog } from "../ui/Dialog";
import { Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Empty, Problem, Read, Skeleton } from "../ui/States";
import { count, moment } from "../ui/words";
import { Audits } from "./Audits";
import { useAuditNews } from "./news";
import { connected, repositories, useConnecting } from "./queries";
import styles from "./repos.module.css";

export function RepositoriesPage() {
  const live = useAuditNews();
  const found = useQuery(connected(live));
  const asked = useQueryValue("repository");
  const items = found.data?.items ?? [];
  const chosen = items.find((one) => one.id === asked) ?? items[0];
  useEffect(() => {
    document.title = "Repositories - Buildwright";
  }, []);
  return (
    <Page size="text">
      <PageHead title="Repositories" />
      <Read from={found} widths={[60, 100, 100]} title="Connected">
        {() => <ConnectedOnes items={items} chosen={chosen?.id ?? ""} />}
      </Read>
      {chosen && <Audits key={chosen.id} repository={chosen} live={live} />}
      <Picker />
    </Page>
  );
}

const WEBHOOKS = {
  working: ["done", "deliveries arrive"],
  waiting: ["waiting", "no delivery yet"],
  missing: ["failed", "no webhook"],
} as const;

interface OnesProps {
  readonly items: readonly Connected[];
  readonly chosen: string;
}

function ConnectedOnes({ items, chosen }: OnesProps) {
  const [leaving, setLeaving] = useState<Connected | null>(null);
  const { busy, disconnect } = useConnecting();
  if (items.length === 0) {
    return (
      <Panel title="Connected">
        <Empty command="buildwright repo connect OWNER/NAME">
          Connect a repository, and each push to it is audited.
        </Empty>
      </Panel>
    );
  }
  return (
    <Panel title="Connected" count={items.length}>
      <ul className={styles.list}>
        {items.map((one) => (
          <li key={one.id} className={styles.row}>
            <button
              type="button"
              className={styles.name}
              aria-pressed={one.id === chosen}
              onClick={() => setQuery("repository", one.id)}
            >
              {one.name}
            </button>
            <Badge word={WEBHOOKS[one.webhook][0]}>{WEBHOOKS[one.webhook][1]}</Badge>
            <span className={styles.quiet}>
              {one.last_delivery_at
                ? `last: ${one.last_event}, ${moment(one.last_delivery_at)}`
                : `since ${moment(one.connected_at)}`}
              {(one.ignored ?? 0) > 0 && `, ${count(one.ignored ?? 0, "event")} left alone`}
            </span>
            <Button disabled={busy === one.name} onClick={() => setLeaving(one)}>
              Disconnect
            </Button>
          </li>
        ))}
      </ul>
      {leaving && (
        <Dialog label={`Disconnect ${leaving.name}`} onClose={() => setLeaving(null)}>
          <div className={styles.dialog}>
            <h2>Disconnect {leaving.name}?</h2>
            <p>
              This removes the webhook from GitHub, and from here all audits of its pushes and what is known
              of its deliveries. Statuses and check runs at GitHub stay, and so does the ledger of the audits.
            </p>
            <Command line={`buildwright repo disconnect ${leaving.name}`} />
            <div className={styles.buttons}>
              <Button onClick={() => setLeaving(null)}>Keep it</Button>
              <Button
                look="danger"
                onClick={() => {
                  disconnect(leaving);
                  setLeaving(null);
                }}
              >
                Disconnect
              </Button>
            </div>
          </div>
        </Dialog>
      )}
    </Panel>
  );
}

function Picker() {
  const [search, setSearch] = useState("");
  const wanted = useDeferredValue(search.trim());
  const { data, error, isFetching } = useQuery(repositories(wanted));
  const { busy, connect } = useConnecting();
  return (
    <Panel title="On GitHub">
      <label className={styles.search}>
        <span className="sr-only">Search repositories</span>
        <input
          type="search"
          placeholder="Search by name"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
      </label>
      {error ? (
        <Problem message={error.message} fix={"fix" in error ? String(error.fix) : undefined} />
      ) : !data ? (
        <Skeleton widths={[60, 80, 70]} />
      ) : data.items.length === 0 ? (
        <Empty>{isFetching ? "Looking ..." : "No repository has this in its name."}</Empty>
      ) : (
        <ul className={styles.list}>
          {data.items.map((one) => (
            <li key={one.name} className={styles.row}>
              <span className={styles.name}>{one.name}</span>
              <span className={styles.quiet}>
                {one.private ? "private" : "public"}, {one.default_branch}
              </span>
              {one.connected ? (
                <Badge word="done">connected</Badge>
              ) : one.may_administer ? (
                <Button disabled={busy === one.name} onClick={() => connect(one.name)}>
                  Connect
                </Button>
              ) : (
                <span className={styles.quiet}>you may not administer it</span>
              )}
            </li>
          ))}
        </ul>
      )}
      {data?.next_cursor && <p className={styles.more}>There are more: search by name.</p>}
    </Panel>
  );
}
