// One contract: its text to change and to read, checked and saved with Ctrl-S, its versions, and where its lines came from.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { projectPath, put, type Refusal, refusalOf } from "../api/client";
import { contract, ofProject } from "../api/queries";
import type { ContractsChange, ContractText, ContractType } from "../api/types";
import { toast, useActions } from "../shell/kept";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { Dialog } from "../ui/Dialog";
import { Panel } from "../ui/Panel";
import { Problem, Skeleton } from "../ui/States";
import { count, short } from "../ui/words";
import { Comments, WriteComment } from "./Comments";
import styles from "./contracts.module.css";
import { draftOf, keepDraft, lineIn, linesOf } from "./drafts";
import { passageIn } from "./Passage";
import { Preview } from "./Preview";
import { Rewrite } from "./Rewrite";
import { Stale } from "./Stale";
import { Versions } from "./Versions";

interface Props {
  readonly id: string;
  readonly type: ContractType;
  readonly onSaved: (change: ContractsChange) => void;
}

export function Editor({ id, type, onSaved }: Props) {
  const { data, error } = useQuery(contract(id, type));
  const [held, setHeld] = useState<ContractText | null>(null);
  // A newer version that arrives while somebody types into a dialog waits until that is closed.
  const found = held?.contract_type === type ? held : data;
  if (!found) {
    return (
      <Panel title="Text">
        {error ? <Problem message={error.message} /> : <Skeleton widths={[60, 100, 90, 100]} />}
      </Panel>
    );
  }
  return <Text key={found.version} id={id} found={found} onHold={setHeld} onSaved={onSaved} />;
}

interface TextProps {
  readonly id: string;
  readonly found: ContractText;
  /** Told the version to go on with whatever arrives, and null when there is no need. */
  readonly onHold: (found: ContractText | null) => void;
  readonly onSaved: (change: ContractsChange) => void;
}

/** The text of the field and its draft; the draft goes when the text is that of the version again. */
function useText(id: string, found: ContractText) {
  const type = found.contract_type;
  const [kept] = useState(() => draftOf(id, type));
  const [text, setText] = useState(kept?.text ?? found.content);
  const [from, setFrom] = useState(kept?.version ?? found.version);
  const change = useCallback(
    (next: string, version = from) => {
      setText(next);
      setFrom(version);
      keepDraft(id, type, next === found.content ? null : { version, text: next });
    },
    [from, found.content, id, type],
  );
  return { text, from, change, isChanged: text !== found.content, wasKept: kept !== null };
}

function Text({ id, found, onHold, onSaved }: TextProps) {
  const client = useQueryClient();
  const type = found.contract_type;
  const { text, from, change, isChanged, wasKept } = useText(id, found);
  const [refused, setRefused] = useState<Refusal | null>(null);
  const [impact, setImpact] = useState<ContractsChange | null>(null);
  const [busy, setBusy] = useState(false);
  const [passage, setPassage] = useState<ReturnType<typeof linesOf> | null>(null);
  const [commented, setCommented] = useState<ReturnType<typeof linesOf> | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const isAsking = passage !== null || commented !== null;
  useEffect(() => onHold(isAsking ? found : null), [isAsking, found, onHold]);
  const chosen = useCallback(() => {
    const { selectionStart = 0, selectionEnd = 0 } = field.current ?? {};
    const lines = linesOf(text, selectionStart, selectionEnd);
    if (lines.last || passageIn(text, lines.first, 0)) return lines;
    toast({
      text: `Line ${lines.first} is empty: put the cursor into a paragraph, or select lines.`,
      bad: true,
    });
    return null;
  }, [text]);
  const rewrite = useCallback(() => setPassage(chosen()), [chosen]);
  // A comment is on lines of a version: a text that is not saved has none.
  const comment = useCallback(() => {
    if (isChanged)
      toast({ text: "Save or discard your text first: a comment is on what is saved.", bad: true });
    else setCommented(chosen());
  }, [chosen, isChanged]);
  const asked = useCallback(
    async (query: string): Promise<ContractsChange | null> => {
      setBusy(true);
      setRefused(null);
      try {
        const path = projectPath(id, `/contracts/${encodeURIComponent(type)}${query}`);
        return await put<ContractsChange>(path, { content: text }, `"${from}"`);
      } catch (error) {
        const why = refusalOf(error);
        setRefused(why);
        showLine(field.current, text, lineIn(why.message));
        return null;
      } finally {
        setBusy(false);
      }
    },
    [from, id, text, type],
  );
  const save = useCallback(async () => {
    setImpact(null);
    const saved = await asked("");
    if (!saved) return;
    keepDraft(id, type, null);
    toast({ text: `${found.file} is saved.` });
    onSaved(saved);
    await client.invalidateQueries({ queryKey: ofProject(id) });
  }, [asked, client, found.file, id, onSaved, type]);
  const look = useCallback(async () => {
    const would = await asked("?dry_run=true");
    if (!would) return;
    if ((would.stale ?? []).length > 0) setImpact(would);
    else await save();
  }, [asked, save]);
  useSaveKey(look, isChanged && !busy);
  useActions(
    useMemo(
      () => [
        {
          id: "save-contract",
          title: "Save this contract",
          command: `buildwright contracts edit ${short(id)} ${type}`,
          run: () => void look(),
        },
        { id: "edit-contract", title: "Edit this contract", keys: "e", run: () => field.current?.focus() },
        {
          id: "rewrite-passage",
          title: "Rewrite the paragraph at the cursor, or what is selected",
          keys: "w",
          run: rewrite,
        },
        {
          id: "comment-passage",
          title: "Comment on the paragraph at the cursor, or on what is selected",
          keys: "c",
          run: comment,
        },
      ],
      [comment, id, look, rewrite, type],
    ),
  );
  return (
    <div className={styles.main}>
      <Panel
        title={found.file}
        count={isChanged ? "not saved" : `version ${found.version}`}
        aside={
          <span className={styles.row}>
            {isChanged && (
              <Button look="bare" disabled={busy} onClick={() => change(found.content, found.version)}>
                Discard
              </Button>
            )}
            <Button act="say" disabled={busy || !text.trim()} onClick={comment}>
              Comment
            </Button>
            <Button act="change" disabled={busy || !text.trim()} onClick={rewrite}>
              Rewrite
            </Button>
            <Button act="change" look="primary" disabled={!isChanged || busy} onClick={() => void look()}>
              Save
            </Button>
          </span>
        }
      >
        <div className={styles.body}>
          {wasKept && isChanged && (
            <p className={styles.quiet}>
              Your text from before, made from version {from}
              {from !== found.version && `; the newest is ${found.version}, so it will be refused`}.
            </p>
          )}
          {refused && <Problem message={refused.message} fix={refused.fix} />}
          <textarea
            ref={field}
            aria-label={`Text of ${found.file}`}
            className={styles.text}
            spellCheck={false}
            rows={22}
            value={text}
            aria-invalid={refused !== null}
            onChange={(event) => change(event.target.value)}
          />
          <Command line={`buildwright contracts edit ${short(id)} ${type}`} />
        </div>
      </Panel>
      <Preview id={id} found={found} text={text} />
      <Comments id={id} type={type} />
      <Versions id={id} found={found} onRestore={(old) => change(old, found.version)} />
      {commented && (
        <WriteComment
          id={id}
          type={type}
          text={found.content}
          version={found.version}
          {...commented}
          onClose={() => setCommented(null)}
        />
      )}
      {passage && (
        <Rewrite
          id={id}
          type={type}
          text={text}
          {...passage}
          onTake={(next) => {
            change(next);
            setPassage(null);
          }}
          onClose={() => setPassage(null)}
        />
      )}
      {impact && (
        <Dialog label="What this makes stale" onClose={() => setImpact(null)}>
          <div className={styles.ask}>
            <h2>{count((impact.stale ?? []).length, "task")} would be stale</h2>
            <Stale build={impact.build_id ?? ""} stale={impact.stale ?? []} redoing={impact.redoing ?? ""} />
            <p className={styles.quiet}>
              Saving changes no build. The next question is whether the newest one takes it.
            </p>
            <div className={styles.row}>
              <Button autoFocus onClick={() => setImpact(null)}>
                Go on editing
              </Button>
              <Button act="change" look="primary" disabled={busy} onClick={() => void save()}>
                Save it
              </Button>
            </div>
          </div>
        </Dialog>
      )}
    </div>
  );
}

/** Ctrl-S and Cmd-S save, wherever the focus is. */
function useSaveKey(save: () => Promise<void>, isChanged: boolean): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
      event.preventDefault();
      if (isChanged && !document.querySelector("dialog[open]")) void save();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [save, isChanged]);
}

/** Put the cursor into the line that was refused. */
function showLine(field: HTMLTextAreaElement | null, text: string, line: number): void {
  if (!field || line < 1) return;
  const lines = text.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  field.focus();
  field.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
}
