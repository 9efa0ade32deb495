// How the lines of a change are laid out, and what a draft of comments is as a request and as a command line.
import type { DiffFile, DiffHunk, DiffLine, ReviewComment } from "../api/types";

/** One row of the view in two columns: the line before and the line after, as far as there is one. */
export interface Pair {
  readonly old: DiffLine | null;
  readonly new: DiffLine | null;
}

/** Lines side by side: each removed one beside the added one at the same place of the run that follows. */
export function pairsOf(lines: readonly DiffLine[]): Pair[] {
  const pairs: Pair[] = [];
  let removed: DiffLine[] = [];
  let added: DiffLine[] = [];
  const flush = () => {
    for (let place = 0; place < Math.max(removed.length, added.length); place += 1) {
      pairs.push({ old: removed[place] ?? null, new: added[place] ?? null });
    }
    removed = [];
    added = [];
  };
  for (const line of lines) {
    if (line.kind === "removed") {
      if (added.length) flush();
      removed.push(line);
    } else if (line.kind === "added") added.push(line);
    else {
      flush();
      pairs.push({ old: line, new: line });
    }
  }
  flush();
  return pairs;
}

/** A mark of what a file's change is: another change of the same file has another one. */
export function markOf(file: DiffFile): string {
  let hash = 0x811c9dc5;
  for (const hunk of file.hunks) {
    for (const { kind, text } of hunk.lines) {
      const words = `${kind[0]}${text}\n`;
      for (let place = 0; place < words.length; place += 1) {
        hash = Math.imul(hash ^ words.charCodeAt(place), 0x01000193);
      }
    }
  }
  return `${file.added}.${file.removed}.${(hash >>> 0).toString(36)}`;
}

/** A comment that is not sent yet. */
export interface DraftComment extends ReviewComment {
  readonly id: string;
}

export interface Draft {
  readonly comments: readonly DraftComment[];
  readonly message: string;
}

export const NO_DRAFT: Draft = { comments: [], message: "" };

/** The place where a comment on a hunk begins: its first changed line, on the side where that line is. */
export function placeIn(hunk: DiffHunk): { readonly side: "old" | "new"; readonly line: number } {
  const changed =
    hunk.lines.find((line) => line.kind === "added") ?? hunk.lines.find(({ kind }) => kind !== "same");
  if (changed?.new != null) return { side: "new", line: changed.new };
  return { side: "old", line: changed?.old ?? Math.max(1, hunk.old_start) };
}

/** What is sent: the comments without what only the draft needs. */
export function bodyOf(draft: Draft): { readonly comments: ReviewComment[]; readonly message: string } {
  return { comments: draft.comments.map(({ id: _, ...comment }) => comment), message: draft.message.trim() };
}

export function quoted(text: string): string {
  return /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The lines that a comment is about, as people and the command line write them. */
export function linesOf(comment: Pick<ReviewComment, "line" | "end_line">): string {
  return comment.end_line > comment.line ? `${comment.line}-${comment.end_line}` : String(comment.line);
}

/** The command line that sends the same. A line that was removed has a minus before its number. */
export function commandOf(build: string, draft: Draft): string {
  const comments = draft.comments.map(
    (one) =>
      ` --comment ${quoted(`${one.path}:${one.side === "old" ? "-" : ""}${linesOf(one)}: ${one.text}`)}`,
  );
  const message = draft.message.trim();
  return `buildwright review ${build}${comments.join("")}${message && ` -m ${quoted(message)}`}`;
}
