// The lines of a build's log: which there are, and those of them that this tab has. Each stands at the place of its number,
// so that older ones may come later, in any order. Beyond a limit the oldest are let go.
import type { Line } from "../api/types";

export const MOST_LINES = 200_000;
const DROPPED_AT_ONCE = 20_000;

export class Lines {
  /** In order of their numbers, which have no gaps; a line that this tab does not have is `undefined`. */
  readonly all: (Line | undefined)[] = [];
  /** Counts every change, so that a view knows when to look again. */
  version = 0;
  /** Number of lines that were let go, as there were too many. */
  dropped = 0;
  /** Number of lines that were let go, as the server does not keep them any more. */
  gone = 0;
  /** Number of the first line in `all`, 0 while there is none. */
  first = 0;
  /** How many of them this tab has. */
  loaded = 0;

  /** Number of the newest line, 0 for none. */
  get last(): number {
    return this.first && this.first + this.all.length - 1;
  }

  /** Whether this tab has all of them. */
  get isWhole(): boolean {
    return this.loaded === this.all.length;
  }

  /** Take notice that there are lines from `first` to `last`, and none before. */
  span(first: number, last: number): void {
    const gone = this.first && first - this.first;
    if (gone > 0) {
      this.#cut(Math.min(gone, this.all.length));
      this.first = first;
      this.gone += gone;
      this.version += 1;
    }
    if (last < 1 || last <= this.last) return;
    if (this.first === 0) this.first = Math.max(1, first);
    this.all.length = last - this.first + 1;
    this.#shorten();
    this.version += 1;
  }

  /** Add lines; those that are here already, or were let go, are left out. Returns how many are new. */
  add(lines: readonly Line[]): number {
    let fresh = 0;
    for (const line of lines) {
      if (this.first === 0) this.first = line.seq;
      const place = line.seq - this.first;
      if (place < 0 || this.all[place]) continue;
      if (place > this.all.length) this.all.length = place;
      this.all[place] = line;
      fresh += 1;
    }
    this.loaded += fresh;
    this.#shorten();
    if (fresh) this.version += 1;
    return fresh;
  }

  clear(): void {
    this.all.length = 0;
    this.first = 0;
    this.loaded = 0;
    this.dropped = 0;
    this.gone = 0;
    this.version += 1;
  }

  #shorten(): void {
    if (this.all.length <= MOST_LINES) return;
    const over = this.all.length - MOST_LINES + DROPPED_AT_ONCE;
    this.#cut(over);
    this.dropped += over;
  }

  #cut(over: number): void {
    for (let place = 0; place < over; place += 1) if (this.all[place]) this.loaded -= 1;
    this.all.splice(0, over);
    this.first += over;
  }
}
