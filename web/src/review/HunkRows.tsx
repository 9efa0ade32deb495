// The lines of a hunk in one column or in two, with the comments that hang on them.
import { Fragment, type ReactNode } from "react";
import type { DiffHunk, DiffLine } from "../api/types";
import { Button } from "../ui/Button";
import { cx } from "../ui/cx";
import { CommentBox } from "./CommentBox";
import styles from "./review.module.css";
import { type Draft, type DraftComment, linesOf, pairsOf } from "./rows";

type Side = "old" | "new";

/** Where somebody writes a comment. */
export interface Writing {
  readonly path: string;
  readonly side: Side;
  readonly line: number;
  readonly end: number;
}

export interface Commenting {
  readonly draft: Draft;
  readonly writing: Writing | null;
  readonly onWrite: (where: Writing | null) => void;
  readonly onAdd: (comment: Omit<DraftComment, "id">) => void;
  readonly onRemove: (id: string) => void;
}

interface Props extends Commenting {
  readonly path: string;
  readonly hunk: DiffHunk;
  readonly split: boolean;
  readonly task: string;
}

export function HunkRows(props: Props) {
  const { hunk, split } = props;
  return (
    <section
      className={styles.rows}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: long lines scroll sideways, also by keyboard
      tabIndex={0}
      aria-label={`Lines from ${hunk.new_start} of ${props.path}`}
    >
      <table className={cx(styles.lines, split && styles.split)}>
        <tbody>
          {split
            ? pairsOf(hunk.lines).map((pair, place) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the lines of a hunk never change
                <Fragment key={place}>
                  <tr>
                    <Cells {...props} line={pair.old} side="old" />
                    <Cells {...props} line={pair.new} side="new" />
                  </tr>
                  {pair.old && pair.old.kind !== "same" && <Below {...props} line={pair.old} side="old" />}
                  {pair.new && <Below {...props} line={pair.new} side="new" />}
                </Fragment>
              ))
            : hunk.lines.map((line, place) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the lines of a hunk never change
                <Fragment key={place}>
                  <tr className={styles[line.kind]}>
                    <LineNumber {...props} line={line} side="old" />
                    <LineNumber {...props} line={line} side="new" />
                    <Text line={line} />
                  </tr>
                  <Below {...props} line={line} side={line.kind === "removed" ? "old" : "new"} />
                </Fragment>
              ))}
        </tbody>
      </table>
    </section>
  );
}

interface LineProps extends Props {
  readonly line: DiffLine | null;
  readonly side: Side;
}

function Cells(props: LineProps) {
  const { line, side } = props;
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
      <LineNumber {...props} />
      <Text line={line} className={line.kind === "same" ? "" : styles[line.kind]} side={side} />
    </>
  );
}

/** The number of a line, which opens a comment on it; with Shift, one from where the last was opened to here. */
function LineNumber({ path, line, side, writing, onWrite, split }: LineProps) {
  const number = line?.[side];
  if (!line || number == null) return <td className={styles.number} />;
  const open = (far: boolean) => {
    const from = far && writing?.path === path && writing.side === side ? writing.line : number;
    onWrite({ path, side, line: Math.min(from, number), end: Math.max(from, number) });
  };
  // In one column an unchanged line is the new one; its old number only tells where it was.
  const quiet = !split && side === "old" && line.kind === "same";
  const within =
    writing?.path === path && writing.side === side && writing.line <= number && number <= writing.end;
  return (
    <td className={cx(styles.number, within && styles.within)}>
      {quiet ? (
        number
      ) : (
        <button
          type="button"
          tabIndex={-1}
          title="Comment on this line; with Shift, on all up to it"
          aria-label={`Comment on ${side === "old" ? "old " : ""}line ${number}`}
          onClick={(event) => open(event.shiftKey)}
        >
          {number}
        </button>
      )}
    </td>
  );
}

const SIGNS = { same: " ", added: "+", removed: "−" } as const;

interface TextProps {
  readonly line: DiffLine;
  readonly className?: string | undefined;
  readonly side?: Side;
}

function Text({ line, className }: TextProps): ReactNode {
  return (
    <td className={cx(styles.text, className)}>
      <span className={styles.sign}>{SIGNS[line.kind]}</span>
      {line.pieces.length > 0
        ? line.pieces.map(
            (piece, place) =>
              // biome-ignore-start lint/suspicious/noArrayIndexKey: the pieces of a line never change
              place % 2 ? <mark key={place}>{piece}</mark> : <Fragment key={place}>{piece}</Fragment>,
            // biome-ignore-end lint/suspicious/noArrayIndexKey: as above
          )
        : line.text}
    </td>
  );
}

/** The comments of the draft that end at a line, and the box where another one is written. */
function Below(props: LineProps) {
  const { path, line, side, split, draft, writing, task } = props;
  const number = line?.[side];
  if (number == null) return null;
  const here = draft.comments.filter(
    (one) => one.path === path && one.side === side && Math.max(one.line, one.end_line) === number,
  );
  const writes = writing?.path === path && writing.side === side && writing.end === number;
  if (here.length === 0 && !writes) return null;
  return (
    <tr className={styles.below}>
      <td colSpan={split ? 4 : 3}>
        {here.map((one) => (
          <div key={one.id} className={styles.comment}>
            <p>
              <span className={styles.quiet}>
                Your comment on {one.side === "old" ? "old " : ""}line {linesOf(one)}, not sent yet
              </span>
              <Button look="bare" onClick={() => props.onRemove(one.id)}>
                Remove
              </Button>
            </p>
            <p className={styles.words}>{one.text}</p>
          </div>
        ))}
        {writes && writing && (
          <CommentBox
            where={writing}
            task={task}
            onWrite={props.onWrite}
            onAdd={props.onAdd}
            numbers={numbersOf(props.hunk, side)}
          />
        )}
      </td>
    </tr>
  );
}

/** The first and the last number of a hunk's lines on one side. */
function numbersOf(hunk: DiffHunk, side: Side): readonly [number, number] {
  const numbers = hunk.lines.map((line) => line[side]).filter((one): one is number => one != null);
  return [Math.min(...numbers), Math.max(...numbers)];
}
