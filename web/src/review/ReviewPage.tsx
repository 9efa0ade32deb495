// The review of a change: its files and hunks, each with the task and the requirement that it exists for, and a draft of
// comments that is sent as one batch.
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { build as buildQuery, gates as gatesQuery, review } from "../api/queries";
import type { Build, Review } from "../api/types";
import { LinkChip } from "../live/LinkChip";
import { useActions } from "../shell/kept";
import { setQuery, useQueryValue } from "../shell/router";
import { useStored } from "../shell/stored";
import { Button } from "../ui/Button";
import { Command } from "../ui/Command";
import { cx } from "../ui/cx";
import { Page, PageHead } from "../ui/Page";
import { Empty, Read } from "../ui/States";
import { count, short } from "../ui/words";
import { DraftPanel } from "./DraftPanel";
import { Counts, FileDiff } from "./FileDiff";
import type { Writing } from "./HunkRows";
import styles from "./review.module.css";
import { type Draft, type DraftComment, markOf, NO_DRAFT, placeIn } from "./rows";

const NONE: Record<string, string> = {};

export function ReviewPage({ id }: { readonly id: string }) {
  const task = useQueryValue("task");
  const tight = useQueryValue("space") === "off";
  const found = useQuery(review(id, task, tight));
  const build = useQuery(buildQuery(id)).data;
  const title = build?.title ?? "";
  useEffect(() => {
    document.title = `Review · ${title} - Buildwright`;
  }, [title]);
  const old = build && !task && found.data && build.head !== found.data.new;
  return (
    <Page size="all">
      <PageHead title="Review" of={title}>
        <LinkChip />
        <Tools id={id} build={build} task={task} tight={tight} />
      </PageHead>
      {old && (
        <p className={styles.moved} role="status">
          More has landed since this was read.{" "}
          <Button onClick={() => void found.refetch()}>Show the newest change</Button>
        </p>
      )}
      <Read from={found} widths={[30, 100, 100, 60, 100]}>
        {(view) =>
          view.files.length === 0 ? (
            <Empty command={`buildwright review ${short(id)}`}>
              {tight ? "Nothing but white space has changed." : "Nothing has changed yet."}
            </Empty>
          ) : (
            <Content key={`${view.new} ${task}`} id={id} view={view} />
          )
        }
      </Read>
    </Page>
  );
}

interface ToolsProps {
  readonly id: string;
  readonly build: Build | undefined;
  readonly task: string;
  readonly tight: boolean;
}

function Tools({ id, build, task, tight }: ToolsProps) {
  const split = useQueryValue("view") === "split";
  useActions(
    useMemo(
      () => [
        {
          id: "split",
          title: split ? "Show the change in one column" : "Show the change in two columns",
          keys: "s",
          run: () => setQuery("view", split ? "" : "split"),
        },
        {
          id: "space",
          title: tight ? "Show changes of white space" : "Hide changes of white space",
          keys: "w",
          command: `buildwright review ${short(id)} --ignore-space`,
          run: () => setQuery("space", tight ? "" : "off"),
        },
      ],
      [id, split, tight],
    ),
  );
  return (
    <div className={styles.tools}>
      <select
        aria-label="Of which task"
        value={task}
        onChange={(event) => setQuery("task", event.target.value)}
      >
        <option value="">All that has landed</option>
        {build?.tasks.map((one) => (
          <option key={one.id} value={one.id}>
            {one.id}
          </option>
        ))}
      </select>
      <label className={styles.check}>
        <input type="checkbox" checked={split} onChange={() => setQuery("view", split ? "" : "split")} />
        Two columns
      </label>
      <label className={styles.check}>
        <input type="checkbox" checked={!tight} onChange={() => setQuery("space", tight ? "" : "off")} />
        White space
      </label>
    </div>
  );
}

interface Current {
  readonly file: number;
  readonly hunk: number;
}

function Content({ id, view }: { readonly id: string; readonly view: Review }) {
  const split = useQueryValue("view") === "split";
  const onlyUnasked = useQueryValue("only") === "unasked";
  const gates = useQuery(gatesQuery(id)).data;
  const [viewed, setViewed] = useStored(`viewed ${id}`, NONE);
  const [draft, setDraft] = useStored<Draft>(`review ${id}`, NO_DRAFT);
  const [writing, setWriting] = useState<Writing | null>(null);
  const [current, setCurrent] = useState<Current>({ file: -1, hunk: -1 });
  const marks = useMemo(() => new Map(view.files.map((file) => [file.path, markOf(file)])), [view]);
  const isViewed = useCallback(
    (path: string) => viewed[path] !== undefined && viewed[path] === marks.get(path),
    [viewed, marks],
  );
  const turn = useCallback(
    (path: string) =>
      setViewed((before) => {
        const { [path]: mark, ...rest } = before;
        return mark === marks.get(path) ? rest : { ...rest, [path]: marks.get(path) ?? "" };
      }),
    [marks, setViewed],
  );
  const move = useCallback((file: number, hunk: number) => setCurrent({ file, hunk }), []);
  const goTo = useGoTo(setCurrent);
  const hunks = useMemo(
    () =>
      view.files.flatMap((file, place) =>
        file.hunks
          .map((hunk, number) => ({ hunk, at: { file: place, hunk: number } }))
          .filter(({ hunk }) => !isViewed(file.path) && (!onlyUnasked || hunk.unasked))
          .map(({ at }) => at),
      ),
    [view, isViewed, onlyUnasked],
  );
  useKeysOfReview({ view, hunks, current, move, goTo, turn, write: setWriting });
  const add = (comment: Omit<DraftComment, "id">) =>
    setDraft((before) => ({
      ...before,
      comments: [
        ...before.comments,
        { ...comment, id: crypto.randomUUID(), task: comment.task || view.task },
      ],
    }));
  const remove = (name: string) =>
    setDraft((before) => ({ ...before, comments: before.comments.filter((one) => one.id !== name) }));
  const done = view.files.filter((file) => isViewed(file.path)).length;
  return (
    <div className={styles.columns}>
      <aside className={styles.side} aria-label="Files and comments">
        <p className={styles.sum}>
          {count(view.files.length, "file")}, <span className={styles.plus}>+{view.added}</span>{" "}
          <span className={styles.minus}>−{view.removed}</span>, {done} viewed
        </p>
        {view.unasked > 0 && (
          <label className={styles.check}>
            <input
              type="checkbox"
              checked={onlyUnasked}
              onChange={() => setQuery("only", onlyUnasked ? "" : "unasked")}
            />
            Only the {count(view.unasked, "hunk")} that no task asks for
          </label>
        )}
        <ul className={styles.list}>
          {view.files.map((file, place) => (
            <li key={file.path}>
              <button
                type="button"
                aria-current={current.file === place ? "true" : undefined}
                className={cx(isViewed(file.path) && styles.seen)}
                onClick={() => goTo(place, -1)}
              >
                <span className={styles.path} title={file.path}>
                  {file.path}
                </span>
                {file.hunks.some((hunk) => hunk.unasked) && <span className={styles.flag}>unasked</span>}
                {isViewed(file.path) ? <span className={styles.flag}>viewed</span> : <Counts file={file} />}
              </button>
            </li>
          ))}
        </ul>
        <DraftPanel build={id} draft={draft} onChange={setDraft} />
        <Command line={`buildwright review ${short(id)}${view.task && ` ${view.task}`}`} />
      </aside>
      <div className={styles.files}>
        {view.files.map((file, place) => (
          <FileDiff
            key={file.path}
            build={id}
            file={file}
            place={place}
            viewed={isViewed(file.path)}
            split={split}
            onlyUnasked={onlyUnasked}
            current={current.file === place ? current.hunk : undefined}
            gates={gates}
            draft={draft}
            writing={writing}
            onWrite={setWriting}
            onAdd={add}
            onRemove={remove}
            onViewed={turn}
            onCurrent={move}
          />
        ))}
      </div>
    </div>
  );
}

/** Goes to a file or a hunk: it is the current one, on the screen, and has the focus. */
function useGoTo(setCurrent: (current: Current) => void): (file: number, hunk: number) => void {
  const [wanted, setWanted] = useState("");
  useEffect(() => {
    const place = wanted && document.getElementById(wanted);
    if (!place) return;
    place.scrollIntoView({ block: "start" });
    place.focus({ preventScroll: true });
    setWanted("");
  }, [wanted]);
  return useCallback(
    (file: number, hunk: number) => {
      setCurrent({ file, hunk });
      setWanted(hunk < 0 ? `f${file}` : `f${file}h${hunk}`);
    },
    [setCurrent],
  );
}

interface KeysOfReview {
  readonly view: Review;
  /** The hunks through which the keys go: those of files that are not viewed yet. */
  readonly hunks: readonly Current[];
  readonly current: Current;
  /** Says where the keyboard is; `goTo` also brings it there. */
  readonly move: (file: number, hunk: number) => void;
  readonly goTo: (file: number, hunk: number) => void;
  readonly turn: (path: string) => void;
  readonly write: (where: Writing) => void;
}

function useKeysOfReview({ view, hunks, current, move, goTo, turn, write }: KeysOfReview): void {
  useActions(
    useMemo(() => {
      const last = view.files.length - 1;
      const ahead = hunks.findIndex(
        ({ file, hunk }) => file > current.file || (file === current.file && hunk > current.hunk),
      );
      const before = hunks.findLastIndex(
        ({ file, hunk }) => file < current.file || (file === current.file && hunk < current.hunk),
      );
      const toHunk = (place: number) => {
        const found = hunks[place];
        if (found) goTo(found.file, found.hunk);
      };
      const file = view.files[Math.max(current.file, 0)];
      const comment = () => {
        const place = Math.max(current.file, 0);
        const number = Math.max(current.hunk, 0);
        const hunk = view.files[place]?.hunks[number];
        if (!hunk || !file) return;
        move(place, number);
        const at = placeIn(hunk);
        write({ path: file.path, side: at.side, line: at.line, end: at.line });
      };
      return [
        {
          id: "next-file",
          title: "Next file",
          keys: "j",
          run: () => goTo(Math.min(current.file + 1, last), -1),
        },
        {
          id: "last-file",
          title: "File before",
          keys: "k",
          run: () => goTo(Math.max(current.file - 1, 0), -1),
        },
        { id: "next-hunk", title: "Next hunk", keys: "n", run: () => toHunk(ahead) },
        { id: "last-hunk", title: "Hunk before", keys: "p", run: () => toHunk(before) },
        { id: "comment", title: "Comment on this hunk", keys: "c", run: comment },
        { id: "viewed", title: "Mark this file as viewed", keys: "v", run: () => file && turn(file.path) },
      ];
    }, [view, hunks, current, move, goTo, turn, write]),
  );
}
