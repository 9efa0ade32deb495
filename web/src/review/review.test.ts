import { expect, test } from "vitest";
import type { DiffFile, DiffHunk, DiffLine } from "../api/types";
import { bodyOf, commandOf, type Draft, markOf, pairsOf, placeIn, quoted } from "./rows";

const line = (kind: DiffLine["kind"], text: string, old: number | null, now: number | null): DiffLine => ({
  kind,
  text,
  old,
  new: now,
  pieces: [],
  unended: false,
});
const SAME = line("same", "a", 1, 1);
const GONE = line("removed", "b", 2, null);
const GONE_TOO = line("removed", "c", 3, null);
const MADE = line("added", "B", null, 2);
const hunk = (...lines: DiffLine[]): DiffHunk => ({
  heading: "",
  lines,
  old_start: 1,
  old_lines: 3,
  new_start: 1,
  new_lines: 2,
  purposes: [],
  unasked: "",
});
const comment = (more: object) => ({
  id: "1",
  path: "a b.py",
  line: 3,
  end_line: 0,
  side: "new" as const,
  text: "it's wrong",
  task: "t",
  ...more,
});

test("removed lines stand beside the added ones that follow them", () => {
  expect(pairsOf([SAME, GONE, GONE_TOO, MADE, SAME])).toEqual([
    { old: SAME, new: SAME },
    { old: GONE, new: MADE },
    { old: GONE_TOO, new: null },
    { old: SAME, new: SAME },
  ]);
  expect(pairsOf([MADE, GONE])).toEqual([
    { old: null, new: MADE },
    { old: GONE, new: null },
  ]);
  expect(pairsOf([])).toEqual([]);
});

test("a comment begins at the first added line, or at what is gone where nothing was added", () => {
  expect(placeIn(hunk(SAME, GONE, MADE))).toEqual({ side: "new", line: 2 });
  expect(placeIn(hunk(SAME, GONE))).toEqual({ side: "old", line: 2 });
});

test("a file that changes again is not viewed any more", () => {
  const file = (...lines: DiffLine[]) =>
    ({ added: 1, removed: 1, hunks: [hunk(...lines)] }) as unknown as DiffFile;
  expect(markOf(file(GONE, MADE))).toBe(markOf(file(GONE, MADE)));
  expect(markOf(file(GONE, MADE))).not.toBe(markOf(file(GONE, line("added", "C", null, 2))));
  expect(markOf(file(GONE))).not.toBe(markOf(file(line("added", "b", null, 2))));
});

test("the command line sends what the button sends, each text quoted", () => {
  const draft: Draft = { comments: [comment({ end_line: 5 })], message: " Nearly " };
  expect(commandOf("3fa9", draft)).toBe(
    "buildwright review 3fa9 --comment 'a b.py:3-5: it'\\''s wrong' -m Nearly",
  );
  expect(commandOf("3fa9", { comments: [comment({ side: "old" })], message: "" })).toContain(":-");
  expect(bodyOf(draft)).toEqual({
    comments: [{ path: "a b.py", line: 3, end_line: 5, side: "new", text: "it's wrong", task: "t" }],
    message: "Nearly",
  });
  expect([quoted("src/a.py:1"), quoted("$(rm -rf .)"), quoted("")]).toEqual([
    "src/a.py:1",
    "'$(rm -rf .)'",
    "''",
  ]);
});
