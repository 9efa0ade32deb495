// A passage of a text that something is said of: its lines as they stand, and what they are called.
import styles from "./contracts.module.css";

export function Passage({ text }: { readonly text: string }) {
  return <pre className={styles.passage}>{text}</pre>;
}

export function titleOf(first: number, last: number): string {
  if (!last) return `the paragraph at line ${first}`;
  return first === last ? `line ${first}` : `lines ${first} to ${last}`;
}

/** The lines of a passage; with `last` 0 those up to the next empty ones, as the server takes them. */
export function passageIn(text: string, first: number, last: number): string {
  const lines = text.split("\n");
  if (last) return lines.slice(first - 1, last).join("\n");
  const isEmpty = (at: number) => !lines[at]?.trim();
  if (isEmpty(first - 1)) return "";
  let start = first - 1;
  while (start > 0 && !isEmpty(start - 1)) start -= 1;
  let end = first;
  while (end < lines.length && !isEmpty(end)) end += 1;
  return lines.slice(start, end).join("\n");
}
