// Texts that were changed and not yet saved: kept in this browser, so that leaving the page or a reload loses nothing.

export interface KeptDraft {
  /** The version that it was made from. */
  readonly version: number;
  readonly text: string;
}

const name = (project: string, type: string) => `contract ${project} ${type}`;

export function draftOf(project: string, type: string): KeptDraft | null {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(name(project, type)) ?? "null");
    return isDraft(found) ? found : null;
  } catch {
    return null;
  }
}

function isDraft(found: unknown): found is KeptDraft {
  const { version, text } = (found ?? {}) as Partial<KeptDraft>;
  return typeof version === "number" && typeof text === "string";
}

/** Keep a draft, or forget it. A browser that keeps nothing has it while the page is open. */
export function keepDraft(project: string, type: string, draft: KeptDraft | null): void {
  try {
    if (draft) localStorage.setItem(name(project, type), JSON.stringify(draft));
    else localStorage.removeItem(name(project, type));
  } catch {
    // the page itself still has it
  }
}

/** The number of the line that a refusal names at its beginning, such as `stack.yaml:3: ...`; 0 for none. */
export function lineIn(message: string): number {
  return Number(/^[\w./-]+:(\d+)/.exec(message)?.[1] ?? 0);
}

/** The lines, from 1, that a selection touches; without one `last` is 0, for the paragraph around the cursor. */
export function linesOf(text: string, start: number, end: number): { first: number; last: number } {
  const upto = (place: number) => text.slice(0, place).split("\n").length;
  if (end <= start) return { first: upto(start), last: 0 };
  return { first: upto(start), last: upto(text[end - 1] === "\n" ? end - 1 : end) };
}
