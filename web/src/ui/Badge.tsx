// A state as an icon, a word and a colour, so that no state is told by colour alone.
import type { ReactNode } from "react";
import { cx } from "./cx";
import styles from "./ui.module.css";

export type Tone = "plain" | "blue" | "green" | "amber" | "red";
export type Mark = "done" | "busy" | "paused" | "failed" | "waiting" | "skipped";

const PATHS: Record<Mark, ReactNode> = {
  done: <path d="M3 7.5 6 10.5 11 4.5" />,
  busy: <path d="M7 1.8a5.2 5.2 0 1 1-5.2 5.2" />,
  paused: <path d="M5 3.5v7M9 3.5v7" />,
  failed: <path d="m4 4 6 6m0-6-6 6" />,
  waiting: <circle cx="7" cy="7" r="4.2" />,
  skipped: <path d="M3.5 7h7" />,
};
/** Each word for how far a build or a task is, with its mark and tone. The words are the server's. */
const LOOKS: Record<string, [Mark, Tone]> = {
  done: ["done", "green"],
  succeeded: ["done", "green"],
  ready: ["waiting", "plain"],
  waiting: ["waiting", "plain"],
  parked: ["waiting", "plain"],
  created: ["waiting", "plain"],
  planning: ["busy", "blue"],
  implementing: ["busy", "blue"],
  iterating: ["busy", "blue"],
  reviewing: ["busy", "blue"],
  working: ["busy", "blue"],
  judging: ["busy", "blue"],
  merging: ["busy", "blue"],
  verifying: ["busy", "blue"],
  delivering: ["busy", "blue"],
  running: ["busy", "blue"],
  starting: ["busy", "blue"],
  building: ["busy", "blue"],
  "looking for the cause of the failures": ["busy", "blue"],
  "waits for a step": ["paused", "amber"],
  paused: ["paused", "amber"],
  stopping: ["paused", "amber"],
  rejected: ["failed", "amber"],
  stopped: ["skipped", "plain"],
  aborted: ["skipped", "plain"],
  skipped: ["skipped", "plain"],
  failed: ["failed", "red"],
  error: ["failed", "red"],
  landed: ["done", "green"],
  passed: ["done", "green"],
  finished: ["done", "plain"],
  refused: ["failed", "red"],
  conflict: ["failed", "red"],
  "agent failed": ["failed", "red"],
  "cut short": ["skipped", "plain"],
  empty: ["skipped", "plain"],
  undone: ["skipped", "plain"],
  works: ["done", "green"],
  lacking: ["waiting", "amber"],
  broken: ["failed", "red"],
  installed: ["done", "plain"],
  "not installed": ["waiting", "plain"],
  "does not start": ["failed", "red"],
};

export function toneOf(word: string): Tone {
  return LOOKS[word]?.[1] ?? "plain";
}

export function Icon({ mark }: { readonly mark: Mark }) {
  return (
    <svg
      className={cx(mark === "busy" && styles.turning)}
      width="14"
      height="14"
      viewBox="0 0 14 14"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {PATHS[mark]}
    </svg>
  );
}

/** `word` is the server's word for a state, which is shown unless there are `children`. */
export function Badge({ word, children }: { readonly word: string; readonly children?: ReactNode }) {
  const [mark, tone] = LOOKS[word] ?? ["waiting", "plain"];
  return (
    <span className={cx(styles.badge, tone !== "plain" && styles[tone])}>
      <Icon mark={mark} />
      {children ?? word}
    </span>
  );
}
