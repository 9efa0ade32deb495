// A passage of a contract that a model rewrites: what is asked for, then the difference, which is taken or left.
import { useState } from "react";
import { ask, projectPath } from "../api/client";
import type { RewrittenContract } from "../api/types";
import { Button } from "../ui/Button";
import { dollars } from "../ui/words";
import { AskOfPassage, type Place } from "./AskOfPassage";
import styles from "./contracts.module.css";
import { Difference } from "./Difference";

interface Props extends Place {
  readonly onTake: (text: string) => void;
}

export function Rewrite({ onTake, ...place }: Props) {
  const { id, type, text, first, last } = place;
  const [found, setFound] = useState<RewrittenContract | null>(null);
  const send = async (wish: string) => {
    setFound(null);
    const path = projectPath(id, `/contracts/${encodeURIComponent(type)}/rewrite`);
    setFound(await ask<RewrittenContract>(path, { text: wish, first, last, content: text }));
  };
  return (
    <AskOfPassage verb="Rewrite" place={place} taken={found} label="What is to change there" onSend={send}>
      {(can, busy) => (
        <>
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
            <Button look={found ? "plain" : "primary"} type="submit" disabled={!can}>
              {found ? "Ask again" : "Ask the model"}
            </Button>
            <Button onClick={place.onClose}>Leave it as it is</Button>
          </div>
        </>
      )}
    </AskOfPassage>
  );
}
