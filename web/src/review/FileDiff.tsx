// The change of one file: its head, and its hunks, each with what it is for. A large one is drawn when asked.
import { useEffect, useRef, useState } from "react";
import type { DiffFile, DiffHunk, Gates } from "../api/types";
import { buildAddress } from "../shell/router";
import { Icon } from "../ui/Badge";
import { Button } from "../ui/Button";
import { Checks } from "../ui/Checks";
import { cx } from "../ui/cx";
import { Said } from "../ui/Said";
import ui from "../ui/ui.module.css";
import { count } from "../ui/words";
import { type Commenting, HunkRows } from "./HunkRows";
import styles from "./review.module.css";

const NEAR = "1200px";
const ROW = 24;

export interface FileProps extends Commenting {
  readonly build: string;
  readonly file: DiffFile;
  readonly place: number;
  readonly viewed: boolean;
  readonly split: boolean;
  readonly onlyUnasked: boolean;
  /** The hunk where the keyboard is, -1 for the head; `undefined` where it is in another file. */
  readonly current: number | undefined;
  readonly gates: Gates | undefined;
  readonly onViewed: (path: string) => void;
  readonly onCurrent: (file: number, hunk: number) => void;
}

export function FileDiff(props: FileProps) {
  const { file, place, viewed, current } = props;
  const [loaded, setLoaded] = useState(!file.large);
  const [open, setOpen] = useState(!viewed);
  const box = useRef<HTMLElement>(null);
  const near = useNear(box, current !== undefined);
  useEffect(() => setOpen(!viewed), [viewed]);
  const inside = current !== undefined && current >= 0;
  useEffect(() => {
    if (!inside) return;
    setOpen(true);
    setLoaded(true);
  }, [inside]);
  const hunks = file.hunks
    .map((hunk, number) => ({ hunk, number }))
    .filter(({ hunk }) => !props.onlyUnasked || hunk.unasked);
  const rows = hunks.reduce((sum, { hunk }) => sum + hunk.lines.length + 3, 0);
  return (
    <section ref={box} className={styles.file} aria-label={file.path}>
      <header id={`f${place}`} tabIndex={-1} className={styles.fileHead}>
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)} className={styles.fold}>
          <span aria-hidden="true">{open ? "▾" : "▸"}</span>
          <span className="sr-only">{open ? "Fold" : "Unfold"} </span>
          <code>{file.path}</code>
        </button>
        {file.old_path && <span className={styles.quiet}>was {file.old_path}</span>}
        {file.kind !== "changed" && <span className={ui.badge}>{file.kind}</span>}
        <Counts file={file} />
        <label className={styles.viewed}>
          <input type="checkbox" checked={viewed} onChange={() => props.onViewed(file.path)} />
          Viewed
        </label>
      </header>
      {open &&
        (file.binary ? (
          <p className={styles.note}>It is a binary file, which is not shown.</p>
        ) : hunks.length === 0 ? (
          <p className={styles.note}>
            {props.onlyUnasked ? "A task asks for each of its hunks." : "Its text is as it was."}
          </p>
        ) : !loaded ? (
          <p className={styles.note}>
            Large diff: {count(file.added + file.removed, "changed line")}.{" "}
            <Button onClick={() => setLoaded(true)}>Load it</Button>
          </p>
        ) : !near ? (
          <div style={{ height: rows * ROW }} />
        ) : (
          hunks.map(({ hunk, number }) => <Hunk key={number} {...props} hunk={hunk} number={number} />)
        ))}
    </section>
  );
}

export function Counts({ file }: { readonly file: DiffFile }) {
  return (
    <span className={styles.counts}>
      <span className={styles.plus}>+{file.added}</span> <span className={styles.minus}>−{file.removed}</span>
    </span>
  );
}

interface HunkProps extends FileProps {
  readonly hunk: DiffHunk;
  readonly number: number;
}

function Hunk(props: HunkProps) {
  const { build, file, place, hunk, number, current, gates } = props;
  const purposes = hunk.purposes;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only notes where the keyboard is
    <div
      className={cx(styles.hunk, current === number && styles.current)}
      onFocus={() => current !== number && props.onCurrent(place, number)}
    >
      <div id={`f${place}h${number}`} tabIndex={-1} className={styles.hunkHead}>
        <code className={styles.where}>
          @@ −{hunk.old_start},{hunk.old_lines} +{hunk.new_start},{hunk.new_lines} @@ {hunk.heading}
        </code>
        {hunk.unasked && (
          <p className={styles.unasked}>
            <span className={cx(ui.badge, ui.amber)}>
              <Icon mark="paused" />
              unasked
            </span>
            {hunk.unasked}
          </p>
        )}
        {purposes.map((one) => (
          <p key={one.task} className={styles.purpose}>
            <a href={`${buildAddress(build)}?task=${encodeURIComponent(one.task)}`}>{one.task}</a>
            <span>
              <Said text={one.requirements.join("; ") || one.title} />
            </span>
            <Judged gates={gates} task={one.task} />
          </p>
        ))}
      </div>
      <HunkRows
        path={file.path}
        hunk={hunk}
        split={props.split}
        task={purposes[0]?.task ?? ""}
        draft={props.draft}
        writing={props.writing}
        onWrite={props.onWrite}
        onAdd={props.onAdd}
        onRemove={props.onRemove}
      />
    </div>
  );
}

/** What the gates said of a task's newest change. */
function Judged({ gates, task }: { readonly gates: Gates | undefined; readonly task: string }) {
  const verdict = gates?.verdicts.filter((one) => one.task === task).at(-1);
  if (!verdict) return null;
  return (
    <span className={styles.judged}>
      <Checks
        checks={verdict.reports.map((report) => ({
          gate: report.gate,
          ok: report.ok,
          about: report.ok ? report.evidence?.command : report.findings[0]?.message,
          tests: report.evidence?.tests,
        }))}
      />
    </span>
  );
}

/** Whether a part of the page is on the screen or will be soon, or is wanted; once it was, it stays drawn. */
function useNear(place: React.RefObject<HTMLElement | null>, wanted: boolean): boolean {
  const [near, setNear] = useState(typeof IntersectionObserver === "undefined");
  useEffect(() => {
    if (wanted) setNear(true);
    if (near || wanted || !place.current) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setNear(true),
      { rootMargin: NEAR },
    );
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [near, place, wanted]);
  return near || wanted;
}
