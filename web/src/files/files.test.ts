import { expect, test } from "vitest";
import type { TreeFile } from "../api/types";
import { lookOf } from "./colours";
import { foldersOf, matching, rowsOf, treeOf } from "./tree";

const file = (path: string, mark: TreeFile["mark"] = ""): TreeFile => ({
  path,
  mark,
  language: "",
  note: "",
  size_bytes: 1,
  task: "",
});
const FILES = [file("README.md"), file("src/a.py", "new"), file("src/deep/b.py"), file("test/c.py")];

test("folders come first, and a closed one hides what is in it", () => {
  const rows = rowsOf(treeOf(FILES), (folder) => folder === "src/");
  expect(rows.map((row) => [row.path, row.level, row.place, row.of])).toEqual([
    ["src/", 1, 1, 3],
    ["src/deep/", 2, 1, 2],
    ["src/a.py", 2, 2, 2],
    ["test/", 1, 2, 3],
    ["README.md", 1, 3, 3],
  ]);
  expect(rows.filter((row) => row.touched).map((row) => row.path)).toEqual(["src/", "src/a.py"]);
});

test("files are found by words in any order and case", () => {
  expect(matching(FILES, "PY src").map((one) => one.path)).toEqual(["src/a.py", "src/deep/b.py"]);
  expect(matching(FILES, "  ")).toBe(FILES);
  expect(foldersOf("src/deep/b.py")).toEqual(["src/", "src/deep/"]);
  expect(foldersOf("README.md")).toEqual([]);
});

test("a name of an object's property is a folder like any other", () => {
  const rows = rowsOf(treeOf([file("__proto__/constructor/x"), file("toString")]), () => true);
  expect(rows.map((row) => row.name)).toEqual(["__proto__", "constructor", "x", "toString"]);
});

test("a finer kind of token looks like the nearest that is known", () => {
  expect(["kn", "s2", "mi", "nf", "c1", "p", ""].map(lookOf)).toEqual([
    "keyword",
    "string",
    "digits",
    "call",
    "comment",
    "",
    "",
  ]);
});
