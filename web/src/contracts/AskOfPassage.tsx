// A window in which something is asked of a passage of a contract: the passage, the words, and what was answered.
import { type ReactNode, useState } from "react";
import { type Refusal, refusalOf } from "../api/client";
import type { ContractType } from "../api/types";
import { Command } from "../ui/Command";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import { shellWord } from "../ui/lines";
import { Problem } from "../ui/States";
import { short } from "../ui/words";
import styles from "./contracts.module.css";
import { Passage, passageIn, titleOf } from "./Passage";

/** A passage of a text, by its lines; `last` is 0 for the paragraph around the first one. */
export interface Place {
  readonly id: string;
  readonly type: ContractType;
  readonly text: string;
  readonly first: number;
  readonly last: number;
  readonly onClose: () => void;
}

interface Props {
  readonly verb: "Comment on" | "Rewrite";
  readonly place: Place;
  /** The lines that were in fact taken, once they are known. */
  readonly taken?: { readonly first: number; readonly last: number } | null;
  readonly label: string;
  /** Sends the words; what it throws is shown. */
  readonly onSend: (words: string) => Promise<void>;
  /** What was answered, and the buttons, of which one submits. */
  readonly children: (can: boolean, busy: boolean) => ReactNode;
}

export function AskOfPassage({ verb, place, taken, label, onSend, children }: Props) {
  const { id, type, text } = place;
  const { first, last } = taken ?? place;
  const [words, setWords] = useState("");
  const [refused, setRefused] = useState<Refusal | null>(null);
  const [busy, setBusy] = useState(false);
  const can = words.trim() !== "" && !busy;
  const send = async () => {
    setBusy(true);
    setRefused(null);
    try {
      await onSend(words);
    } catch (error) {
      setRefused(refusalOf(error));
    } finally {
      setBusy(false);
    }
  };
  const lines = place.last ? `${place.first}-${place.last}` : `${place.first}`;
  const command = `buildwright contracts ${verb === "Rewrite" ? "rewrite" : "comment"}`;
  return (
    <Dialog label={`${verb} a passage`} onClose={place.onClose}>
      <form
        className={styles.ask}
        onSubmit={(event) => {
          event.preventDefault();
          if (can) void send();
        }}
      >
        <h2>
          {verb} {titleOf(first, last)}
        </h2>
        <Passage text={passageIn(text, first, last)} />
        <Field label={label}>
          {(names) => (
            <textarea
              {...names}
              autoFocus
              rows={3}
              maxLength={8_000}
              className={styles.text}
              value={words}
              onChange={(event) => setWords(event.target.value)}
            />
          )}
        </Field>
        {refused && <Problem message={refused.message} fix={refused.fix} />}
        {children(can, busy)}
        <Command line={`${command} ${short(id)} ${type} ${lines} -m ${shellWord(words.trim() || "…")}`} />
      </form>
    </Dialog>
  );
}
