import { expect, test } from "vitest";
import { draftOf, keepDraft, lineIn, linesOf } from "./drafts";

test("a refusal names its line", () => {
  expect(lineIn("schema.yaml:12 (tables): no such key")).toBe(12);
  expect(lineIn("phases.md:3: a phase has no title")).toBe(3);
  expect(lineIn("the server is away: 3")).toBe(0);
});

test("a text that is not saved is kept for its contract alone, until it is forgotten", () => {
  keepDraft("p1", "schema", { version: 2, text: "tables: []" });
  expect(draftOf("p1", "schema")).toEqual({ version: 2, text: "tables: []" });
  expect(draftOf("p1", "stack")).toBeNull();
  expect(draftOf("p2", "schema")).toBeNull();
  keepDraft("p1", "schema", null);
  expect(draftOf("p1", "schema")).toBeNull();
  localStorage.setItem("contract p1 ui", "{");
  expect(draftOf("p1", "ui")).toBeNull();
});

test("a selection is whole lines, and a cursor the paragraph around it", () => {
  const text = "one\ntwo\n\nfour\n";
  expect(linesOf(text, 5, 5)).toEqual({ first: 2, last: 0 });
  expect(linesOf(text, 1, 6)).toEqual({ first: 1, last: 2 });
  expect(linesOf(text, 0, 4)).toEqual({ first: 1, last: 1 });
  expect(linesOf(text, 9, 13)).toEqual({ first: 4, last: 4 });
  expect(linesOf("", 0, 0)).toEqual({ first: 1, last: 0 });
});
