// What people have said of paragraphs of a contract: who, when, of what, and whether that has changed since.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { ask, projectPath, refusalOf } from "../api/client";
import { contractComments, ofProject } from "../api/queries";
import type { ContractComment, ContractType } from "../api/types";
import { toast } from "../shell/kept";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Panel } from "../ui/Panel";
import { Refused } from "../ui/Rights";
import { Empty, Problem, Skeleton } from "../ui/States";
import { moment, short } from "../ui/words";
import { AskOfPassage, type Place } from "./AskOfPassage";
import styles from "./contracts.module.css";
import { Passage } from "./Passage";

interface Props {
  readonly id: string;
  readonly type: ContractType;
}

export function Comments({ id, type }: Props) {
  const [all, setAll] = useState(false);
  const { data, error } = useQuery(contractComments(id, type, all));
  const items = data?.items ?? [];
  const box = useId();
  return (
    <Panel
      title="Comments"
      count={items.length || undefined}
      aside={
        <label className={styles.row} htmlFor={box}>
          <input id={box} type="checkbox" checked={all} onChange={() => setAll(!all)} />
          With those that are resolved
        </label>
      }
    >
      <div className={styles.body}>
        {error && !data ? (
          <Problem message={error.message} />
        ) : !data ? (
          <Skeleton widths={[60, 100]} />
        ) : items.length === 0 ? (
          <Empty command={`buildwright contracts comment ${short(id)} ${type} 12 -m "…"`}>
            No comment {all ? "yet" : "is open"}. “Comment” above takes the paragraph at the cursor.
          </Empty>
        ) : (
          <>
            <Refused act="say" />
            <ul className={styles.comments} aria-label="Comments on this contract">
              {items.map((one) => (
                <One key={one.id} id={id} comment={one} />
              ))}
            </ul>
            {data.more && <p className={styles.quiet}>There are older ones, which are left out.</p>}
            <Command line={`buildwright contracts comments ${short(id)} ${type}${all ? " --all" : ""}`} />
          </>
        )}
      </div>
    </Panel>
  );
}

function One({ id, comment }: { readonly id: string; readonly comment: ContractComment }) {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const resolve = async (resolved: boolean) => {
    setBusy(true);
    try {
      const path = `/contracts/comments/${encodeURIComponent(comment.id)}/resolve`;
      await ask(projectPath(id, path), { resolved });
      toast({
        text: resolved ? "The comment is resolved." : "The comment is open again.",
        ...(resolved && { undo: () => void resolve(false) }),
      });
    } catch (error) {
      const refused = refusalOf(error);
      toast({ text: refused.message, fix: refused.fix, bad: true });
    } finally {
      setBusy(false);
      await client.invalidateQueries({ queryKey: ofProject(id) });
    }
  };
  const changed = (comment.changed_in ?? 0) > 0;
  return (
    <li id={`comment-${comment.id}`}>
      <p className={styles.row}>
        <strong>{comment.by}</strong>
        <span className={styles.quiet}>{moment(comment.at)}</span>
        {comment.resolved ? (
          <Badge word="done">resolved by {comment.resolved_by}</Badge>
        ) : (
          changed && <Badge word="paused">paragraph changed</Badge>
        )}
      </p>
      <p className={styles.words}>{comment.text}</p>
      <p className={styles.quiet}>{comment.words}</p>
      <Passage text={comment.passage} />
      <div className={styles.row}>
        <Button act="say" disabled={busy} onClick={() => void resolve(!comment.resolved)}>
          {comment.resolved ? "Open it again" : "Resolve"}
          <span className="sr-only"> the comment of {comment.by}</span>
        </Button>
        <Command
          line={`buildwright contracts resolve ${short(id)} ${comment.id}${comment.resolved ? " --reopen" : ""}`}
        />
      </div>
    </li>
  );
}

interface WriteProps extends Place {
  /** Of the contract that is commented. */
  readonly version: number;
}

export function WriteComment({ version, ...place }: WriteProps) {
  const { id, type, first, last, onClose } = place;
  const client = useQueryClient();
  const send = async (words: string) => {
    const path = `/contracts/${encodeURIComponent(type)}/comments`;
    await ask(projectPath(id, path), { text: words, first, last, version });
    toast({ text: "The comment is kept." });
    await client.invalidateQueries({ queryKey: ofProject(id) });
    onClose();
  };
  return (
    <AskOfPassage verb="Comment on" place={place} label="What you have to say" onSend={send}>
      {(can) => (
        <div className={styles.row}>
          <Button act="say" look="primary" type="submit" disabled={!can}>
            Keep it
          </Button>
          <Button onClick={onClose}>Leave it</Button>
        </div>
      )}
    </AskOfPassage>
  );
}
