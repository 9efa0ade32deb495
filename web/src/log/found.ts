// Which lines of a log are shown, and in which of them the searched text is. Each line is looked at once, in order, up to
// the first that is not here yet.
import type { Line } from "../api/types";
import { plain } from "./ansi";

export interface Wanted {
  readonly task: string;
  readonly level: string;
  readonly search: string;
}

/** Places of lines in `all`: those shown, and those with the searched text, as places in `shown`. */
export class Found {
  /** Empty where all lines are shown: then the places are those in `all`. */
  readonly shown: number[] = [];
  readonly hits: number[] = [];
  /** Whether only some lines are shown. */
  readonly narrows: boolean;
  #upto = 0;
  readonly #needle: string;

  constructor(readonly wanted: Wanted) {
    this.#needle = wanted.search.toLowerCase();
    this.narrows = wanted.task !== "" || wanted.level !== "";
  }

  /** Whether lines have to be looked at: else they are shown as they are. */
  get looks(): boolean {
    return this.narrows || this.#needle !== "";
  }

  /** How many lines were looked at. */
  get upto(): number {
    return this.#upto;
  }

  /** Look at the lines that were added since the last time. */
  look(all: readonly (Line | undefined)[]): void {
    if (!this.looks) return;
    for (; this.#upto < all.length; this.#upto += 1) {
      const line = all[this.#upto];
      if (!line) return;
      if (!this.#fits(line)) continue;
      if (this.#needle && plain(line.text).toLowerCase().includes(this.#needle))
        this.hits.push(this.narrows ? this.shown.length : this.#upto);
      if (this.narrows) this.shown.push(this.#upto);
    }
  }

  #fits(line: Line): boolean {
    if (this.wanted.task && line.task !== this.wanted.task) return false;
    if (this.wanted.level === "error") return line.level === "error";
    return this.wanted.level !== "warning" || line.level !== "info";
  }
}
