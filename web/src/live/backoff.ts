// How long to wait before the next try: 1, 2, 3 ... 30 seconds, each spread so that many tabs do not come at once.
const STEP_MS = 1_000;
const LONGEST_MS = 30_000;

export function waitBefore(tries: number, luck: number = Math.random()): number {
  return Math.min(LONGEST_MS, Math.max(1, tries) * STEP_MS) * (0.75 + 0.5 * luck);
}
