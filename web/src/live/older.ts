// Older lines of a log, read in blocks when somebody scrolls to them: what is wanted last is read first.
import { buildPath, read } from "../api/client";
import type { Line, LogPage } from "../api/types";

export const BLOCK = 500;
const AT_ONCE = 2;

export class OlderLines {
  #wanted: number[] = [];
  readonly #reading = new Set<number>();
  readonly #failed = new Set<number>();
  readonly #read: (after: number) => Promise<readonly Line[]>;

  /** `onLines` gets the lines that there are behind the number `after`, `onFailed` is told when `failed` has changed. */
  constructor(
    build: string,
    readonly onLines: (lines: readonly Line[], after: number) => void,
    readonly onFailed: () => void,
    reader = (after: number) => linesAfter(build, after),
  ) {
    this.#read = reader;
  }

  /** Read the blocks with lines of these numbers; what was wanted before and not begun is not any more. */
  want(numbers: readonly number[]): void {
    this.#wanted = [...new Set(numbers.map(blockOf))].filter((one) => !this.#failed.has(one));
    this.#go();
  }

  /** Whether the line of this number could not be read. */
  hasFailed(number: number): boolean {
    return this.#failed.has(blockOf(number));
  }

  /** Whether any could not be read. */
  get failed(): boolean {
    return this.#failed.size > 0;
  }

  /** Read what could not be read once more. */
  again(): void {
    this.#wanted = [...this.#failed];
    this.#failed.clear();
    this.onFailed();
    this.#go();
  }

  #go(): void {
    while (this.#reading.size < AT_ONCE) {
      const block = this.#wanted.find((one) => !this.#reading.has(one));
      if (block === undefined) return;
      this.#wanted = this.#wanted.filter((one) => one !== block);
      this.#reading.add(block);
      void this.#one(block);
    }
  }

  async #one(block: number): Promise<void> {
    try {
      this.onLines(await this.#read(block * BLOCK), block * BLOCK);
    } catch {
      this.#failed.add(block);
      this.onFailed();
    } finally {
      this.#reading.delete(block);
      this.#go();
    }
  }
}

function blockOf(number: number): number {
  return Math.floor((number - 1) / BLOCK);
}

async function linesAfter(build: string, after: number): Promise<Line[]> {
  const { items } = await read<LogPage>(buildPath(build, `/logs?after=${after}&limit=${BLOCK}`));
  return items.map(({ at, ...line }) => ({ ...line, ts: at }));
}
