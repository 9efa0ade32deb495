import { expect, test } from "vitest";
import { waitBefore } from "./backoff";
import { Lines, MOST_LINES } from "./lines";
import { BLOCK, OlderLines } from "./older";
import { Refresher } from "./refresher";

const line = (seq: number) => ({
  seq,
  ts: "",
  task: "",
  attempt: 0,
  kind: "",
  level: "info" as const,
  text: String(seq),
});

test("tries come ever later, and never at the same time everywhere", () => {
  expect([1, 2, 3, 30, 99].map((tries) => waitBefore(tries, 0.5))).toEqual([
    1_000, 2_000, 3_000, 30_000, 30_000,
  ]);
  expect([waitBefore(4, 0), waitBefore(4, 1)]).toEqual([3_000, 5_000]);
});

test("a log keeps each line once and lets the oldest go", () => {
  const lines = new Lines();
  expect(lines.add([line(1), line(2)])).toBe(2);
  expect(lines.add([line(2), line(3)])).toBe(1);
  expect(lines.all.map((one) => one?.seq)).toEqual([1, 2, 3]);
  lines.add(Array.from({ length: MOST_LINES }, (_, place) => line(place + 4)));
  expect(lines.all.length).toBeLessThanOrEqual(MOST_LINES);
  expect(lines.dropped + lines.all.length).toBe(MOST_LINES + 3);
  expect(lines.last).toBe(MOST_LINES + 3);
});

test("lines that are known to be there come later, in any order", () => {
  const lines = new Lines();
  lines.span(0, 0);
  expect([lines.all.length, lines.isWhole]).toEqual([0, true]);
  lines.span(5, 9);
  expect([lines.first, lines.last, lines.all.length, lines.loaded, lines.isWhole]).toEqual([
    5,
    9,
    5,
    0,
    false,
  ]);
  expect(lines.add([line(9), line(10)])).toBe(2);
  expect(lines.add([line(4), line(6), line(9)])).toBe(1);
  expect(lines.all.map((one) => one?.seq)).toEqual([undefined, 6, undefined, undefined, 9, 10]);
  lines.span(5, 8);
  expect(lines.last).toBe(10);
  lines.add([5, 7, 8].map(line));
  expect([lines.loaded, lines.isWhole]).toEqual([6, true]);
  lines.clear();
  expect([lines.first, lines.last, lines.loaded]).toEqual([0, 0, 0]);
  lines.span(1, MOST_LINES + 10);
  expect(lines.first + lines.all.length - 1).toBe(MOST_LINES + 10);
  expect(lines.dropped + lines.all.length).toBe(MOST_LINES + 10);
});

test("of older lines what is wanted last is read first, each block once", async () => {
  const asked: number[] = [];
  const answers: (() => void)[] = [];
  const got: number[] = [];
  const older = new OlderLines(
    "b",
    (read) => got.push(...read.map((one) => one.seq)),
    () => undefined,
    (after) => {
      asked.push(after);
      return new Promise((done) => answers.push(() => done([line(after + 1)])));
    },
  );
  older.want([1, 2, BLOCK]);
  older.want([BLOCK + 1]);
  older.want([2 * BLOCK + 1]);
  older.want([9 * BLOCK, 9 * BLOCK + 1, 1]);
  expect(asked).toEqual([0, BLOCK]);
  for (const answer of answers.splice(0)) answer();
  await new Promise((done) => setTimeout(done));
  expect(got).toEqual([1, BLOCK + 1]);
  expect(asked).toEqual([0, BLOCK, 8 * BLOCK, 9 * BLOCK]);
});

test("older lines that cannot be read are told, and read again when somebody asks for it", async () => {
  let answers = false;
  let told = 0;
  const got: number[] = [];
  const older = new OlderLines(
    "b",
    (read) => got.push(...read.map((one) => one.seq)),
    () => {
      told += 1;
    },
    async (after) => {
      if (!answers) throw new Error("not now");
      return [line(after + 1)];
    },
  );
  older.want([BLOCK + 7]);
  await new Promise((done) => setTimeout(done));
  expect([older.failed, older.hasFailed(BLOCK + 1), older.hasFailed(1), told]).toEqual([
    true,
    true,
    false,
    1,
  ]);
  older.want([BLOCK + 7]);
  await new Promise((done) => setTimeout(done));
  expect([told, got]).toEqual([1, []]);
  answers = true;
  older.again();
  await new Promise((done) => setTimeout(done));
  expect([older.failed, told, got]).toEqual([false, 2, [BLOCK + 1]]);
});

test("lines that are not kept any more are no holes", () => {
  const lines = new Lines();
  lines.span(1, 10);
  lines.add([9, 10].map(line));
  lines.span(5, 12);
  expect([lines.first, lines.last, lines.gone, lines.dropped, lines.loaded]).toEqual([5, 12, 4, 0, 2]);
  lines.span(10, 12);
  expect([lines.first, lines.gone, lines.loaded]).toEqual([10, 9, 1]);
  lines.span(20, 21);
  expect([lines.first, lines.last, lines.gone, lines.loaded]).toEqual([20, 21, 19, 0]);
});

test("a flood of news is read as fast as it is answered, and its end is never missed", async () => {
  let running = 0;
  let most = 0;
  let reads = 0;
  const refresher = new Refresher(async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((done) => setTimeout(done, 20));
    reads += 1;
    running -= 1;
  }, 1);
  const first = refresher.ask();
  for (let news = 0; news < 50; news += 1) {
    void refresher.ask();
    await new Promise((done) => setTimeout(done, 1));
  }
  const before = reads;
  void refresher.ask();
  await first;
  expect(most).toBe(1);
  expect(reads).toBeGreaterThan(before);
  expect(reads).toBeLessThan(40);
});
