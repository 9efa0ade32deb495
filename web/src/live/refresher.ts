// Reads anew what is shown of a build, as often as news comes but never twice at once: under a flood of events each
// answer is shown before the next one is asked for.
const BETWEEN_MS = 120;

export class Refresher {
  #busy = false;
  #again = false;

  constructor(
    readonly read: () => Promise<unknown>,
    readonly between = BETWEEN_MS,
  ) {}

  async ask(): Promise<void> {
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#again) {
        this.#again = false;
        await this.read();
        await new Promise((done) => setTimeout(done, this.between));
      }
    } finally {
      this.#busy = false;
    }
  }
}
