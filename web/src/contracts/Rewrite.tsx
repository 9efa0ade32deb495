// A passage of a contract that a model rewrites: what is asked for, then the difference, which is taken or left.
import { useState } from "react";
import { ask, projectPath, type Refusal, refusalOf } from "../api/client";
import type { ContractType, RewrittenContract } from "../api/types";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import { shellWord } from "../ui/lines";
import { Problem } from "../ui/States";
import { dollars, short } from "../ui/words";
import styles from "./contracts.module.css";
import { Difference } from "./Difference";
import { Passage, passageIn, titleOf } from "./Passage";

interface Props {
  readonly id: string;
  readonly type: ContractType;
  readonly text: string;
  readonly first: number;
  /** 0 for the paragraph around the first line. */
  readonly last: number;
  readonly onTake: (text: string) => void;
  readonly onClose: () => void;
}

export function Rewrite({ id, type, text, first, last, onTake, onClose }: Props) {
  const [wish, setWish] = useState("");
  const [found, setFound] = useState<RewrittenContract | null>(null);
  const [refused, setRefused] = useState<Refusal | null>(null);
  const [busy, setBusy] = useState(false);
  const send = async () => {
    setBusy(true);
    setRefused(null);
    setFound(null);
    try {
      const path = projectPath(id, `/contracts/${encodeURIComponent(type)}/rewrite`);
      setFound(await ask<RewrittenContract>(path, { text: wish, first, last, content: text }));
    } catch (error) {
      setRefused(refusalOf(error));
    } finally {
      setBusy(false);
    }
  };
  const lines = last ? `${first}-${last}` : `${first}`;
  const from = found?.first ?? first;
  const upto = found?.last ?? last;
  return (
    <Dialog label="Rewrite a passage" onClose={onClose}>
      <form
        className={styles.ask}
        onSubmit={(event) => {
          event.preventDefault();
          if (wish.trim() && !busy) void send();
        }}
      >
        <h2>Rewrite {titleOf(from, upto)}</h2>
        <Passage text={passageIn(text, from, upto)} />
        <Field label="What is to change there">
          {(names) => (
            <textarea
              {...names}
              autoFocus
              rows={3}
              maxLength={8_000}
              className={styles.text}
              value={wish}
              onChange={(event) => setWish(event.target.value)}
            />
          )}
        </Field>
        {refused && <Problem message={refused.message} fix={refused.fix} />}
        {busy && <p role="status">The model writes ...</p>}
        {found && (
          <>
            <Difference text={found.diff} />
            <p className={styles.quiet} role="status">
              {found.cost_usd ? `This cost ${dollars(found.cost_usd)}. ` : ""}Taken, it is in your text, and
              still not saved.
            </p>
          </>
        )}
        <div className={styles.row}>
          {found?.diff && (
            <Button look="primary" autoFocus onClick={() => onTake(found.content)}>
              Take it
            </Button>
          )}
          <Button look={found ? "plain" : "primary"} type="submit" disabled={!wish.trim() || busy}>
            {found ? "Ask again" : "Ask the model"}
          </Button>
          <Button onClick={onClose}>Leave it as it is</Button>
        </div>
        <Command
          line={`buildwright contracts rewrite ${short(id)} ${type} ${lines} -m ${shellWord(wish.trim() || "...")}`}
        />
      </form>
    </Dialog>
  );
}
