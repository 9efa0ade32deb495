// What people have said of paragraphs of a contract: who, when, of what, and whether that has changed since.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { ask, projectPath, type Refusal, refusalOf } from "../api/client";
import { contractComments, ofProject } from "../api/queries";
import type { ContractComment, ContractType } from "../api/types";
import { toast } from "../shell/kept";
import { Badge } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import { shellWord } from "../ui/lines";
import { Panel } from "../ui/Panel";
import { Refused } from "../ui/Rights";
import { Empty, Problem, Skeleton } from "../ui/States";
import { moment, short } from "../ui/words";
import styles from "./contracts.module.css";
import { Passage, passageIn, titleOf } from "./Passage";

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

interface WriteProps extends Props {
  /** The text of the version that is commented. */
  readonly text: string;
  readonly version: number;
  readonly first: number;
  /** 0 for the paragraph around the first line. */
  readonly last: number;
  readonly onClose: () => void;
}

export function WriteComment({ id, type, text, version, first, last, onClose }: WriteProps) {
  const client = useQueryClient();
  const [words, setWords] = useState("");
  const [refused, setRefused] = useState<Refusal | null>(null);
  const [busy, setBusy] = useState(false);
  const send = async () => {
    setBusy(true);
    setRefused(null);
    try {
      const path = `/contracts/${encodeURIComponent(type)}/comments`;
      await ask(projectPath(id, path), { text: words, first, last, version });
      toast({ text: "The comment is kept." });
      await client.invalidateQueries({ queryKey: ofProject(id) });
      onClose();
    } catch (error) {
      setRefused(refusalOf(error));
    } finally {
      setBusy(false);
    }
  };
  const lines = last ? `${first}-${last}` : `${first}`;
  return (
    <Dialog label="Comment on a passage" onClose={onClose}>
      <form
        className={styles.ask}
        onSubmit={(event) => {
          event.preventDefault();
          if (words.trim() && !busy) void send();
        }}
      >
        <h2>Comment on {titleOf(first, last)}</h2>
        <Passage text={passageIn(text, first, last)} />
        <Field label="What you have to say">
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
        <div className={styles.row}>
          <Button act="say" look="primary" type="submit" disabled={!words.trim() || busy}>
            Keep it
          </Button>
          <Button onClick={onClose}>Leave it</Button>
        </div>
        <Command
          line={`buildwright contracts comment ${short(id)} ${type} ${lines} -m ${shellWord(words.trim() || "…")}`}
        />
      </form>
    </Dialog>
  );
}
