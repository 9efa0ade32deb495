// The contracts of a project: which there are, one of them to read and change, and what a change would make stale.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { ask, projectPath, type Refusal, refusalOf } from "../api/client";
import { contracts, ofProject, project } from "../api/queries";
import type { ContractsChange, ContractView, Taken } from "../api/types";
import { toast } from "../shell/kept";
import { buildAddress, projectAddress, setQuery, useQueryValue } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { cx } from "../ui/cx";
import { Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Empty, Problem, Read } from "../ui/States";
import { count, moment, short } from "../ui/words";
import styles from "./contracts.module.css";
import { draftOf } from "./drafts";
import { Editor } from "./Editor";
import { Stale } from "./Stale";

export function ContractsPage({ id }: { readonly id: string }) {
  const found = useQuery(contracts(id));
  const name = useQuery(project(id)).data?.name ?? "";
  const chosen = useQueryValue("show");
  const [change, setChange] = useState<ContractsChange | null>(null);
  useEffect(() => {
    document.title = `Contracts${name && ` · ${name}`} - Buildwright`;
  }, [name]);
  const items = found.data?.items ?? [];
  const shown = items.find((one) => one.contract_type === chosen) ?? items[0];
  return (
    <Page>
      <PageHead title="Contracts">
        {name && <a href={projectAddress(id)}>{name}</a>}
        {items.length > 0 && (
          <a href={projectPath(id, "/contracts/export")} download="contracts.zip">
            Download all
          </a>
        )}
        <Command line={`buildwright contracts list ${short(id)}`} />
      </PageHead>
      <Read from={found} widths={[30, 100, 100, 60]}>
        {() =>
          shown ? (
            <>
              {change && <Changed id={id} change={change} onDone={() => setChange(null)} />}
              <div className={styles.sides}>
                <List id={id} items={items} shown={shown.contract_type} />
                <Editor key={shown.contract_type} id={id} type={shown.contract_type} onSaved={setChange} />
              </div>
            </>
          ) : (
            <Panel title="None yet">
              <Make id={id} />
            </Panel>
          )
        }
      </Read>
    </Page>
  );
}

function Make({ id }: { readonly id: string }) {
  const client = useQueryClient();
  const [refused, setRefused] = useState<Refusal | null>(null);
  const make = async () => {
    try {
      await ask(projectPath(id, "/contracts/generate"), {});
      await client.invalidateQueries({ queryKey: ofProject(id) });
    } catch (error) {
      setRefused(refusalOf(error));
    }
  };
  return (
    <>
      {refused && <Problem message={refused.message} fix={refused.fix} />}
      <Empty
        button={
          <div className={styles.row}>
            <Button act="change" look="primary" onClick={() => void make()}>
              Make them of the answers
            </Button>
            <a href={projectAddress(id, "interview")}>To the interview</a>
          </div>
        }
        command={`buildwright contracts generate ${short(id)}`}
      >
        Contracts say in ten texts what the project is to become. They are made of the answers of its
        interview.
      </Empty>
    </>
  );
}

interface ListProps {
  readonly id: string;
  readonly items: readonly ContractView[];
  readonly shown: string;
}

function List({ id, items, shown }: ListProps) {
  return (
    <Panel title="All" count={items.length}>
      <ul className={styles.list}>
        {items.map((one) => (
          <li key={one.contract_type}>
            <button
              type="button"
              className={cx(styles.entry, one.contract_type === shown && styles.shown)}
              aria-current={one.contract_type === shown ? "true" : undefined}
              onClick={() => setQuery("show", one.contract_type)}
            >
              <strong>{one.file}</strong>
              {draftOf(id, one.contract_type) && <Badge word="paused">not saved</Badge>}
              <span className={styles.quiet}>
                version {one.version} · {count(one.words ?? 0, "word")} ·{" "}
                {one.edited ? "edited by a person" : "made of the answers"} · {moment(one.updated_at)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

interface ChangedProps {
  readonly id: string;
  readonly change: ContractsChange;
  readonly onDone: () => void;
}

/** What the change that was saved makes stale, and the way to have the build take it. */
function Changed({ id, change, onDone }: ChangedProps) {
  const client = useQueryClient();
  const [refused, setRefused] = useState<Refusal | null>(null);
  const [busy, setBusy] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const stale = change.stale ?? [];
  // biome-ignore lint/correctness/useExhaustiveDependencies: each save is told of anew
  useEffect(() => {
    place.current?.focus();
  }, [change]);
  if (stale.length === 0) return null;
  const take = async () => {
    setBusy(true);
    setRefused(null);
    try {
      const taken = await ask<Taken>(projectPath(id, "/contracts/take"));
      const changed = (taken.added ?? []).length + (taken.edited ?? []).length + (taken.dropped ?? []).length;
      toast({
        text: `The build goes on with these contracts: ${count(changed, "task")} of its plan changed.`,
      });
      await client.invalidateQueries({ queryKey: ofProject(id) });
      onDone();
    } catch (error) {
      setRefused(refusalOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div ref={place} tabIndex={-1}>
      <Panel title="Saved: stale in the newest build" count={stale.length}>
        <div className={styles.body}>
          <Stale build={change.build_id ?? ""} stale={stale} redoing={change.redoing ?? ""} />
          {refused && <Problem message={refused.message} fix={refused.fix} />}
          <div className={styles.row}>
            <Button act="change" look="primary" disabled={busy} onClick={() => void take()}>
              Take them into the build
            </Button>
            <Button onClick={onDone}>Leave the build as it is</Button>
            <a href={buildAddress(change.build_id ?? "")}>To the build</a>
            <Command line={`buildwright contracts take ${short(id)}`} />
          </div>
        </div>
      </Panel>
    </div>
  );
}
