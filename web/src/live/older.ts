// Older lines of a log, read in blocks when somebody scrolls to them: what is wanted last is read first.
import { buildPath, read } from "../api/client";
import type { Line, LogPage } from "../api/types";

export const BLOCK = 500;
const AT_ONCE = 2;

export class OlderLines {
  #wanted: number[] = [];
  readonly #reading = new Set<number>();
  readonly #read: (after: number) => Promise<readonly Line[]>;

  constructor(
    build: string,
    readonly onLines: (lines: readonly Line[]) => void,
    reader = (after: number) => linesAfter(build, after),
  ) {
    this.#read = reader;
  }

  /** Read the blocks with lines of these numbers; what was wanted before and not begun is not any more. */
  want(numbers: readonly number[]): void {
    this.#wanted = [...new Set(numbers.map((number) => Math.floor((number - 1) / BLOCK)))];
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
      this.onLines(await this.#read(block * BLOCK));
    } catch {
      // The rows stay empty, and are wanted again when they are drawn again.
    } finally {
      this.#reading.delete(block);
      this.#go();
    }
  }
}

async function linesAfter(build: string, after: number): Promise<Line[]> {
  const { items } = await read<LogPage>(buildPath(build, `/logs?after=${after}&limit=${BLOCK}`));
  return items.map(({ at, ...line }) => ({ ...line, ts: at }));
}
