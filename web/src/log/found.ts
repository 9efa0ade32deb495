// Which lines of a log are shown, and in which of them the searched text is. New lines are looked at once.
import type { Line } from "../api/types";
import { plain } from "./ansi";

export interface Wanted {
  readonly task: string;
  readonly level: string;
  readonly search: string;
}

/** Places of lines in `all`: those shown, and those with the searched text, as places in `shown`. */
export class Found {
  readonly shown: number[] = [];
  readonly hits: number[] = [];
  #upto = 0;
  readonly #needle: string;

  constructor(readonly wanted: Wanted) {
    this.#needle = wanted.search.toLowerCase();
  }

  /** Look at the lines that were added since the last time. */
  look(all: readonly Line[]): void {
    for (; this.#upto < all.length; this.#upto += 1) {
      const line = all[this.#upto];
      if (!line || !this.#fits(line)) continue;
      if (this.#needle && plain(line.text).toLowerCase().includes(this.#needle))
        this.hits.push(this.shown.length);
      this.shown.push(this.#upto);
    }
  }

  #fits(line: Line): boolean {
    if (this.wanted.task && line.task !== this.wanted.task) return false;
    if (this.wanted.level === "error") return line.level === "error";
    return this.wanted.level !== "warning" || line.level !== "info";
  }
}
