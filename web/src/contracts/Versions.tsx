// The versions of a contract, how one differs from the newest, and the way back to it.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { projectPath, type Refusal, read, refusalOf } from "../api/client";
import { contractVersions } from "../api/queries";
import type { ContractText } from "../api/types";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Panel } from "../ui/Panel";
import { Problem } from "../ui/States";
import { count, moment, short } from "../ui/words";
import styles from "./contracts.module.css";
import { Difference } from "./Difference";

interface Props {
  readonly id: string;
  readonly found: ContractText;
  readonly onRestore: (text: string) => void;
}

export function Versions({ id, found, onRestore }: Props) {
  const type = found.contract_type;
  const versions = useQuery(contractVersions(id, type)).data?.items ?? [];
  const [diff, setDiff] = useState<{ readonly old: number; readonly text: string } | null>(null);
  const [refused, setRefused] = useState<Refusal | null>(null);
  const path = projectPath(id, `/contracts/${encodeURIComponent(type)}`);
  const asked = async (work: () => Promise<void>) => {
    setRefused(null);
    await work().catch((error) => setRefused(refusalOf(error)));
  };
  const compare = (old: number) =>
    asked(async () => {
      const { diff: text } = await read<{ diff: string }>(`${path}/diff?old=${old}&new=${found.version}`);
      setDiff({ old, text });
    });
  const restore = (old: number) =>
    asked(async () => onRestore((await read<ContractText>(`${path}?version=${old}`)).content));
  return (
    <Panel title="Versions" count={versions.length}>
      {refused && <Problem message={refused.message} fix={refused.fix} />}
      <ul className={styles.versions}>
        {versions.map((one) => (
          <li key={one.version}>
            <span>
              {one.version}
              <span className={styles.quiet}>
                {" "}
                · {one.edited ? "edited by a person" : "made of the answers"} ·{" "}
                {count(one.words ?? 0, "word")} · {moment(one.created_at)}
              </span>
            </span>
            {one.version !== found.version && (
              <span className={styles.row}>
                <Button look="bare" onClick={() => void compare(one.version)}>
                  Compare<span className="sr-only"> version {one.version}</span>
                </Button>
                <Button act="change" look="bare" onClick={() => void restore(one.version)}>
                  Restore<span className="sr-only"> version {one.version}</span>
                </Button>
              </span>
            )}
          </li>
        ))}
      </ul>
      {diff && (
        <div className={styles.body}>
          <h3>
            Version {diff.old} and version {found.version}
          </h3>
          <Difference text={diff.text} />
          <Command line={`buildwright contracts diff ${short(id)} ${type} ${diff.old} ${found.version}`} />
        </div>
      )}
    </Panel>
  );
}
