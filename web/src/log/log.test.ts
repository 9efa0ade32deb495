import { expect, test } from "vitest";
import type { Line } from "../api/types";
import { plain, runsOf } from "./ansi";
import { Found } from "./found";

const ESC = "\u001b";

test("colours of a terminal become looks, and other commands of it vanish", () => {
  expect(runsOf(`${ESC}[1;31mred${ESC}[0m and ${ESC}[38;5;2mgreen${ESC}[39m`)).toEqual([
    { text: "red", look: "c1 bold" },
    { text: " and ", look: "" },
    { text: "green", look: "c2" },
  ]);
  expect(plain(`a${ESC}[2Kb${ESC}]0;title\u0007c${ESC}[?25ld`)).toBe("abcd");
  expect(runsOf(`${ESC}[38;2;255;1;31mtext`)).toEqual([{ text: "text", look: "" }]);
});

test("what looks like markup stays text", () => {
  const text = "<img src=x onerror=alert(1)>";
  expect(runsOf(text)).toEqual([{ text, look: "" }]);
});

test("lines are chosen and searched as they come, each looked at once", () => {
  const line = (seq: number, text: string, more: Partial<Line> = {}): Line => ({
    seq,
    ts: "",
    task: "a",
    attempt: 1,
    kind: "agent",
    level: "info",
    text,
    ...more,
  });
  const all = [line(1, "One"), line(2, `t${ESC}[31mwo${ESC}[0m`), line(3, "two", { task: "b" })];
  const found = new Found({ task: "a", level: "", search: "TWO" });
  found.look(all);
  expect([found.shown, found.hits]).toEqual([[0, 1], [1]]);
  all.push(line(4, "and two"));
  found.look(all);
  expect([found.shown, found.hits]).toEqual([
    [0, 1, 3],
    [1, 2],
  ]);
  const bad = new Found({ task: "", level: "warning", search: "" });
  bad.look([line(1, "x"), line(2, "y", { level: "error" }), line(3, "z", { level: "warning" })]);
  expect(bad.shown).toEqual([1, 2]);
});

test("what is not here yet is waited for, and a search alone narrows nothing", () => {
  const line = (seq: number, text: string): Line => ({
    seq,
    ts: "",
    task: "a",
    attempt: 1,
    kind: "agent",
    level: "info",
    text,
  });
  const all: (Line | undefined)[] = [line(1, "two"), undefined, line(3, "two")];
  const found = new Found({ task: "", level: "", search: "two" });
  found.look(all);
  expect([found.narrows, found.looks, found.upto, found.hits]).toEqual([false, true, 1, [0]]);
  all[1] = line(2, "one");
  found.look(all);
  expect([found.shown, found.upto, found.hits]).toEqual([[], 3, [0, 2]]);
  expect(new Found({ task: "", level: "", search: "" }).looks).toBe(false);
});
