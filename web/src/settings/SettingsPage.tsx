// The server and its machine: version, health with the fix of each lack, agents, what is kept, and the settings that count.
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useMemo } from "react";
import { server } from "../api/queries";
import type { MachineCheck, Server, ServerHome, ServerSetting } from "../api/types";
import { useActions } from "../shell/kept";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Fact, Facts, Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Problem, Read } from "../ui/States";
import { bytes, clock, count } from "../ui/words";
import { Agents } from "./Agents";
import styles from "./settings.module.css";

export function SettingsPage() {
  const found = useQuery(server());
  const { data, refetch, isFetching } = found;
  useEffect(() => {
    document.title = "Settings and health - Buildwright";
  }, []);
  useActions(
    useMemo(
      () => [{ id: "look", title: "Look at the machine again", keys: "r", run: () => void refetch() }],
      [refetch],
    ),
  );
  return (
    <Page size="text">
      <PageHead title="Settings and health">
        {data && <Badge word={data.health} />}
        <Button disabled={isFetching} onClick={() => void refetch()}>
          Look again
        </Button>
        {data && <span className={styles.quiet}>as of {clock(data.as_of)}</span>}
      </PageHead>
      <Read from={found} widths={[100, 100, 60]} title="The server">
        {(page) => <Content page={page} />}
      </Read>
    </Page>
  );
}

function Content({ page }: { readonly page: Server }) {
  const { checks = [], settings = [], home } = page;
  return (
    <>
      <Panel title="The server">
        <Facts className={styles.facts}>
          <Fact name="Version">{page.version}</Fact>
          <Fact name="Address">{page.address}</Fact>
          <Fact name="Sandbox">{page.sandbox.name || "none works"}</Fact>
        </Facts>
        {page.sandbox.limits && <p className={styles.doing}>{page.sandbox.limits}</p>}
        {page.sandbox.trouble && <Problem message={page.sandbox.trouble} fix={page.sandbox.fix} />}
        <Line command={`buildwright health ${page.address}`} />
      </Panel>
      {page.sees_all && (
        <Panel title="Health" count={checks.length}>
          <ul className={styles.rows}>
            {checks.map((check) => (
              <Check key={check.name} check={check} />
            ))}
          </ul>
          <Line command="buildwright doctor" />
        </Panel>
      )}
      <Agents page={page} />
      {home && <Home home={home} />}
      {page.sees_all && <Settings settings={settings} trouble={page.settings_trouble} />}
      {!page.sees_all && (
        <p className={styles.quiet}>
          Checks of the machine, what is kept and the settings are shown to owners of the server.
        </p>
      )}
    </>
  );
}

function Line({ command, children }: { readonly command: string; readonly children?: ReactNode }) {
  return (
    <div className={styles.doing}>
      {children}
      <Command line={command} />
    </div>
  );
}

function Check({ check }: { readonly check: MachineCheck }) {
  return (
    <li className={styles.row}>
      <div className={styles.name}>
        <strong>{check.name}</strong>
        <Badge word={check.state} />
      </div>
      <div>
        <p>{check.found}</p>
        {check.costs && <p className={styles.quiet}>{check.costs}</p>}
        {check.fix && <p className={styles.quiet}>Fix: {check.fix}</p>}
      </div>
    </li>
  );
}

/** A figure of the home, which is the least it can be where not all was counted. */
function least(whole: boolean, words: string): string {
  return whole ? words : `at least ${words}`;
}

function Home({ home }: { readonly home: ServerHome }) {
  return (
    <Panel title="What is kept" count={least(home.whole, bytes(home.bytes))}>
      <ul className={styles.rows}>
        {home.parts.map((part) => (
          <li key={part.name} className={styles.row}>
            <div className={styles.name}>
              <strong>{part.name}</strong>
              <span>{least(part.whole, bytes(part.bytes))}</span>
            </div>
            <p className={styles.quiet}>
              {least(part.whole, count(part.files, "file or folder", "files and folders"))}; goes {part.goes}
            </p>
          </li>
        ))}
      </ul>
      <Line command="buildwright prune --dry-run">
        <span className={styles.quiet}>
          In <code>{home.path}</code>. What would go now:
        </span>
      </Line>
    </Panel>
  );
}

interface SettingsProps {
  readonly settings: readonly ServerSetting[];
  readonly trouble: string | undefined;
}

function Settings({ settings, trouble }: SettingsProps) {
  return (
    <Panel title="Settings that count" count={settings.length}>
      {trouble && <Problem message={trouble} />}
      <ul className={styles.rows}>
        {settings.map((one, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two rules of a file have one name
          <li key={place} className={styles.row}>
            <code>{one.name}</code>
            <div>
              <p>
                {one.value} <span className={styles.quiet}>from {one.source}</span>
              </p>
              <p className={styles.quiet}>{one.says}</p>
            </div>
          </li>
        ))}
      </ul>
      <Line command="buildwright config --all">
        <span className={styles.quiet}>Options of a build, in its repository:</span>
      </Line>
    </Panel>
  );
}
