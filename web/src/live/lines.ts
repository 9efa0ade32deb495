// The lines of a build's log that this tab has: in order, each once. Beyond a limit the oldest go.
import type { Line } from "../api/types";

export const MOST_LINES = 200_000;
const DROPPED_AT_ONCE = 20_000;

export class Lines {
  readonly all: Line[] = [];
  /** Counts every change, so that a view knows when to look again. */
  version = 0;
  /** Number of lines that were let go, as there were too many. */
  dropped = 0;
  #last = 0;

  /** Number of the newest line, 0 for none. */
  get last(): number {
    return this.#last;
  }

  /** Add lines; those that are here already are left out. Returns how many are new. */
  add(lines: readonly Line[]): number {
    let fresh = 0;
    for (const line of lines) {
      if (line.seq <= this.#last) continue;
      this.#last = line.seq;
      this.all.push(line);
      fresh += 1;
    }
    if (this.all.length > MOST_LINES) {
      const over = this.all.length - MOST_LINES + DROPPED_AT_ONCE;
      this.all.splice(0, over);
      this.dropped += over;
    }
    if (fresh) this.version += 1;
    return fresh;
  }

  clear(): void {
    this.all.length = 0;
    this.#last = 0;
    this.dropped = 0;
    this.version += 1;
  }
}
