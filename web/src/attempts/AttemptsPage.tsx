// Two attempts at a task side by side: what is the same in both is folded, what differs between them is marked.
import { useQuery } from "@tanstack/react-query";
import { Fragment, type ReactNode, useEffect, useId, useState } from "react";
import { attempts, build as buildQuery, why } from "../api/queries";
import type { AttemptFile, AttemptHunk, AttemptLines, AttemptRun, Attempts, DiffLine } from "../api/types";
import { LinkChip } from "../live/LinkChip";
import { buildAddress, setQuery, useQueryValue } from "../shell/router";
import { Badge } from "../ui/Badge";
import { Command } from "../ui/Command";
import { cx } from "../ui/cx";
import { Page, PageHead } from "../ui/Page";
import { Panel } from "../ui/Panel";
import { Empty, Problem, Read, Skeleton } from "../ui/States";
import { count, short } from "../ui/words";
import styles from "./attempts.module.css";

export function AttemptsPage({ id }: { readonly id: string }) {
  const task = useQueryValue("task");
  const title = useQuery(buildQuery(id)).data?.title ?? "";
  useEffect(() => {
    document.title = `Attempts${task && ` at ${task}`} · ${title} - Buildwright`;
  }, [task, title]);
  return (
    <Page size="all">
      <PageHead title="Attempts" of={title}>
        <LinkChip />
        {task && <a href={`${buildAddress(id)}?task=${encodeURIComponent(task)}`}>Task {task}</a>}
      </PageHead>
      {task ? (
        <OfTask id={id} task={task} />
      ) : (
        <Empty button={<a href={buildAddress(id)}>To the build</a>}>
          Choose a task of the build: its attempts are listed there.
        </Empty>
      )}
    </Page>
  );
}

/** The two that the address names, else the two newest ones; of those that have left a change. */
function OfTask({ id, task }: { readonly id: string; readonly task: string }) {
  const { data, error } = useQuery(why(id, task));
  const left = Number(useQueryValue("left"));
  const right = Number(useQueryValue("right"));
  if (error && !data) return <Problem message={error.message} />;
  if (!data) return <Skeleton widths={[40, 100, 100]} />;
  const numbers = (data.attempts ?? []).filter((one) => one.has_change).map((one) => one.number);
  if (numbers.length < 2) {
    return (
      <Empty command={`buildwright why ${short(id)} ${task}`}>
        {numbers.length === 1 ? "One attempt" : "No attempt"} at {task} has left a change: nothing to compare.
      </Empty>
    );
  }
  const chosen = numbers.includes(right) ? right : (numbers.filter((one) => one !== left).at(-1) ?? 0);
  const other = numbers.includes(left) && left !== chosen ? left : (before(numbers, chosen) ?? 0);
  return (
    <>
      <div className={styles.choose}>
        <Choice label="On the left" name="left" numbers={numbers} value={other} other={chosen} />
        <Choice label="On the right" name="right" numbers={numbers} value={chosen} other={other} />
        <Command line={`buildwright diff ${short(id)} ${task} --attempt ${chosen} --against ${other}`} />
      </div>
      <Beside key={`${other} ${chosen}`} id={id} task={task} left={other} right={chosen} />
    </>
  );
}

function before(numbers: readonly number[], chosen: number): number | undefined {
  return numbers.filter((one) => one < chosen).at(-1) ?? numbers.find((one) => one !== chosen);
}

interface ChoiceProps {
  readonly label: string;
  readonly name: "left" | "right";
  readonly numbers: readonly number[];
  readonly value: number;
  /** The number on the other side: choosing it swaps the two. */
  readonly other: number;
}

function Choice({ label, name, numbers, value, other }: ChoiceProps) {
  const field = useId();
  const choose = (next: number) => {
    setQuery(name, String(next));
    setQuery(name === "left" ? "right" : "left", String(next === other ? value : other));
  };
  return (
    <span className={styles.choice}>
      <label htmlFor={field}>{label}</label>
      <select id={field} value={value} onChange={(event) => choose(Number(event.target.value))}>
        {numbers.map((one) => (
          <option key={one} value={one}>
            Attempt {one}
          </option>
        ))}
      </select>
    </span>
  );
}

interface BesideProps {
  readonly id: string;
  readonly task: string;
  readonly left: number;
  readonly right: number;
}

function Beside({ id, task, left, right }: BesideProps) {
  return (
    <Read from={useQuery(attempts(id, task, left, right))} widths={[40, 100, 100]}>
      {(view) => (
        <>
          <p role="status">
            {view.words} <End view={view} side="left" /> <End view={view} side="right" />
          </p>
          {view.files.map((file) => (
            <File key={file.path} view={view} file={file} />
          ))}
        </>
      )}
    </Read>
  );
}

function End({ view, side }: { readonly view: Attempts; readonly side: "left" | "right" }) {
  const { attempt, files, added, removed } = view[side];
  return (
    <span className={styles.quiet}>
      Attempt {attempt}: {count(files, "file")}, +{added} −{removed}.
    </span>
  );
}

function File({ view, file }: { readonly view: Attempts; readonly file: AttemptFile }) {
  const kinds = [...new Set([file.left_kind, file.right_kind].filter(Boolean))].join(", then ");
  return (
    <Panel
      title={file.path}
      count={kinds}
      aside={<Badge word={file.match === "same" ? "done" : "paused"}>{file.words}</Badge>}
    >
      {file.besides && <p className={styles.note}>{file.besides}</p>}
      {file.not_shown ? (
        <p className={styles.note}>{file.not_shown}</p>
      ) : file.match === "same" ? (
        <Fold words={`${count(file.hunks.length, "hunk")}, the same in both`} label={file.path}>
          <Hunks view={view} file={file} />
        </Fold>
      ) : (
        <Hunks view={view} file={file} />
      )}
    </Panel>
  );
}

function Hunks({ view, file }: { readonly view: Attempts; readonly file: AttemptFile }) {
  return file.hunks.map((hunk, place) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the hunks of two attempts never change
    <Hunk key={place} view={view} path={file.path} hunk={hunk} whole={file.match === "same"} />
  ));
}

interface HunkProps {
  readonly view: Attempts;
  readonly path: string;
  readonly hunk: AttemptHunk;
  /** Whether nothing of it is folded. */
  readonly whole: boolean;
}

function Hunk({ view, path, hunk, whole }: HunkProps) {
  const where = `line ${hunk.left_start || hunk.right_start}`;
  return (
    <section className={styles.hunk} aria-label={`${path}, ${where}`}>
      <p className={styles.where}>
        <code>
          @@ {hunk.left_start || "–"} | {hunk.right_start || "–"} @@ {hunk.heading}
        </code>
      </p>
      {hunk.runs.map((run, place) =>
        run.differs || whole ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: the runs of a hunk never change
          <Rows key={place} view={view} run={run} />
        ) : (
          <Fold
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            key={place}
            words={`${count(run.lines.length, "line")}, the same in both`}
            label={`${path}, ${where}`}
          >
            <Rows view={view} run={run} />
          </Fold>
        ),
      )}
    </section>
  );
}

interface FoldProps {
  readonly words: string;
  readonly label: string;
  readonly children: ReactNode;
}

function Fold({ words, label, children }: FoldProps) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" className={styles.fold} aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? "▾" : "▸"} {words}
        <span className="sr-only"> of {label}</span>
      </button>
      {open && children}
    </>
  );
}

function Rows({ view, run }: { readonly view: Attempts; readonly run: AttemptRun }) {
  return (
    <table className={cx(styles.lines, run.differs && styles.differs)}>
      <thead>
        <tr>
          {[view.left.attempt, view.right.attempt].map((attempt) => (
            <Fragment key={attempt}>
              <th scope="col" className={styles.number}>
                <span className="sr-only">Line</span>
              </th>
              <th scope="col">
                <span className="sr-only">Attempt {attempt}</span>
              </th>
            </Fragment>
          ))}
        </tr>
      </thead>
      <tbody>
        {run.lines.map((row, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the lines of a run never change
          <Row key={place} row={row} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ row }: { readonly row: AttemptLines }) {
  return (
    <tr>
      <Side line={row.left} />
      <Side line={row.right} />
    </tr>
  );
}

const SIGNS = { same: " ", added: "+", removed: "−" } as const;
const WORDS = { same: "", added: "added: ", removed: "removed: " } as const;

function Side({ line }: { readonly line: DiffLine | null | undefined }) {
  if (!line) {
    return (
      <>
        <td className={styles.number} />
        <td className={styles.none} />
      </>
    );
  }
  return (
    <>
      <td className={styles.number}>{line.new ?? line.old}</td>
      <td className={cx(styles.text, styles[line.kind])}>
        <span className={styles.sign} aria-hidden="true">
          {SIGNS[line.kind]}
        </span>
        <span className="sr-only">{WORDS[line.kind]}</span>
        {line.pieces.length > 0
          ? line.pieces.map(
              (piece, place) =>
                // biome-ignore-start lint/suspicious/noArrayIndexKey: the pieces of a line never change
                place % 2 ? <mark key={place}>{piece}</mark> : <Fragment key={place}>{piece}</Fragment>,
              // biome-ignore-end lint/suspicious/noArrayIndexKey: as above
            )
          : line.text}
        {line.unended && <span className={styles.quiet}> (no newline at the end)</span>}
      </td>
    </>
  );
}
