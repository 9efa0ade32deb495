// The whole plan as a text that is changed and put back: how it differs is shown before the build takes it.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { buildPath, put, type Refusal, read, refusalOf } from "../api/client";
import { ofBuild } from "../api/queries";
import type { PlanAnswer } from "../api/types";
import { toast } from "../shell/kept";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Panel } from "../ui/Panel";
import { Problem } from "../ui/States";
import { short } from "../ui/words";
import styles from "./plan.module.css";

export function WholePlan({ build, version }: { readonly build: string; readonly version: number }) {
  const client = useQueryClient();
  const [text, setText] = useState<string | null>(null);
  const [from, setFrom] = useState(0);
  const [answer, setAnswer] = useState<PlanAnswer | null>(null);
  const [refused, setRefused] = useState<Refusal | null>(null);
  const path = buildPath(build, "/plan");
  const asked = async (work: () => Promise<void>) => {
    setRefused(null);
    await work().catch((error) => setRefused(refusalOf(error)));
  };
  const open = () =>
    asked(async () => {
      setText((await read<{ content: string }>(path)).content);
      setFrom(version);
      setAnswer(null);
    });
  const check = () =>
    asked(async () => setAnswer(await put<PlanAnswer>(`${path}?dry_run=true`, { content: text ?? "" })));
  const take = () =>
    asked(async () => {
      await put<PlanAnswer>(path, { content: text ?? "" });
      toast({ text: "The build has this plan now." });
      setText(null);
      setAnswer(null);
      await client.refetchQueries({ queryKey: ofBuild(build), type: "active" }, { throwOnError: false });
    });
  return (
    <Panel
      title="The plan as a text"
      aside={
        text === null ? (
          <Button act="steer" onClick={() => void open()}>
            Edit the whole plan
          </Button>
        ) : (
          <Button look="bare" onClick={() => setText(null)}>
            Close
          </Button>
        )
      }
    >
      {text !== null && (
        <div className={styles.ask}>
          <textarea
            aria-label="The whole plan"
            className={styles.text}
            rows={18}
            spellCheck={false}
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              setAnswer(null);
            }}
          />
          {from !== version && (
            <p className={styles.quiet}>
              The build has gone on since this text was read. What is over stays as it is.
            </p>
          )}
          {answer && <Differs answer={answer} />}
          <div className={styles.row}>
            <Button onClick={() => void check()}>How does it differ?</Button>
            <Button look="primary" disabled={!answer} onClick={() => void take()}>
              Take this plan
            </Button>
          </div>
        </div>
      )}
      <div className={styles.foot}>
        {refused && <Problem message={refused.message} fix={refused.fix} />}
        <Command line={`buildwright task edit ${short(build)}`} />
      </div>
    </Panel>
  );
}

function Differs({ answer }: { readonly answer: PlanAnswer }) {
  const { added = [], edited = [], dropped = [], kept = [] } = answer.difference;
  const parts = [
    ["Added", added.join(", ")],
    ["Changed", edited.map((one) => `${one.id} (${one.fields.join(", ")})`).join(", ")],
    ["Dropped", dropped.join(", ")],
    ["Over, so it stays", kept.join(", ")],
  ].filter(([, words]) => words);
  if (parts.length === 0) return <p>It does not differ from the plan.</p>;
  return (
    <dl className={styles.differs}>
      {parts.map(([name, words]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{words}</dd>
        </div>
      ))}
    </dl>
  );
}
