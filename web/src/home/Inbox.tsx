// What needs a person, what blocks most first: each with what can be done, here or by its command line.
import { useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { ask, Refusal } from "../api/client";
import type { Need, Remedy } from "../api/types";
import { answerTitle } from "../shell/answers";
import { announce, toast } from "../shell/kept";
import { buildAddress, projectAddress } from "../shell/router";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Panel } from "../ui/Panel";
import { Said } from "../ui/Said";
import { age, sentence } from "../ui/words";
import styles from "./home.module.css";

export function Inbox({ needs }: { readonly needs: readonly Need[] }) {
  return (
    <Panel title="Needs you" count={needs.length} aside={<Command line="buildwright inbox" />}>
      <ul className={styles.needs}>
        {needs.map((need) => (
          <One key={`${need.build} ${need.project} ${need.kind} ${need.task}`} need={need} />
        ))}
      </ul>
    </Panel>
  );
}

function One({ need }: { readonly need: Need }) {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const answer = async (remedy: Remedy, text: string) => {
    setBusy(true);
    try {
      const given = remedy.takes ? { [remedy.takes]: text } : {};
      await ask(remedy.path, { ...remedy.body, ...given });
      toast({ text: `${sentence(remedy.words)}: done.` });
    } catch (error) {
      const refused = error instanceof Refusal ? error : new Refusal(0, String(error), "");
      toast({ text: refused.message, fix: refused.fix, bad: true });
    } finally {
      setBusy(false);
      await client.refetchQueries({ queryKey: ["home"] }, { throwOnError: false });
      announce("The list of what needs you was read again.");
    }
  };
  const task = need.task ? `?task=${encodeURIComponent(need.task)}` : "";
  return (
    <li className={styles.need}>
      <div className={styles.title}>
        {need.build ? (
          <a href={buildAddress(need.build) + task}>
            <Said text={need.title} />
          </a>
        ) : (
          <a href={projectAddress(need.project, need.kind === "interview" ? "interview" : "")}>
            <Said text={need.title} />
          </a>
        )}
        <span className={styles.quiet}>
          blocks {need.blocked} · for {age(Date.now() - new Date(need.since).getTime())}
        </span>
      </div>
      <p>
        <Said text={sentence(need.words)} />
      </p>
      {(need.findings ?? []).length > 0 && (
        <ul className={styles.findings}>
          {need.findings?.map((line) => (
            <li key={line}>
              <Said text={line} />
            </li>
          ))}
        </ul>
      )}
      {need.refused && (
        <p className={styles.refused}>
          <Said text={sentence(need.refused)} />.
        </p>
      )}
      <ul className={styles.remedies}>
        {need.remedies?.map((remedy) => (
          <Way
            key={remedy.command + remedy.name + remedy.takes}
            remedy={remedy}
            busy={busy}
            onAnswer={answer}
          />
        ))}
      </ul>
    </li>
  );
}

interface WayProps {
  readonly remedy: Remedy;
  readonly busy: boolean;
  readonly onAnswer: (remedy: Remedy, text: string) => Promise<void>;
}

function Way({ remedy, busy, onAnswer }: WayProps) {
  const [text, setText] = useState("");
  const id = useId();
  const takes = remedy.takes ?? "";
  return (
    <li>
      <Button
        look={remedy.name === "abort" ? "danger" : "plain"}
        disabled={busy || Boolean(takes && !text.trim())}
        onClick={() => void onAnswer(remedy, text)}
      >
        {answerTitle(remedy.name)}
      </Button>
      <div>
        {takes ? (
          <>
            <label htmlFor={id}>
              <Said text={sentence(remedy.words)} />
            </label>
            <input id={id} value={text} onChange={(event) => setText(event.target.value)} />
          </>
        ) : (
          <Said text={sentence(remedy.words)} />
        )}
      </div>
      {remedy.command && <Command line={remedy.command} />}
    </li>
  );
}
