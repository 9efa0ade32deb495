// Imports run one way, and what a page is made of is never made by text.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "..");
/** What each folder may use beside itself. The pages know no other page. */
const MAY: Record<string, readonly string[]> = {
  ui: [],
  api: [],
  live: ["api", "ui"],
  shell: ["api", "ui", "live"],
  home: ["api", "ui", "live", "shell"],
  build: ["api", "ui", "live", "shell"],
  log: ["api", "ui", "live", "shell"],
  plan: ["api", "ui", "live", "shell"],
  project: ["api", "ui", "live", "shell"],
  contracts: ["api", "ui", "live", "shell"],
  team: ["api", "ui", "shell"],
  settings: ["api", "ui", "shell"],
  repos: ["api", "ui", "live", "shell"],
  review: ["api", "ui", "live", "shell"],
  attempts: ["api", "ui", "live", "shell"],
  files: ["api", "ui", "live", "shell"],
  costs: ["api", "ui", "live", "shell"],
  complete: ["api", "ui", "live", "shell"],
  app: [
    "api",
    "ui",
    "live",
    "shell",
    "home",
    "build",
    "log",
    "review",
    "attempts",
    "files",
    "costs",
    "complete",
    "team",
    "settings",
    "repos",
    "plan",
    "project",
    "contracts",
  ],
  testing: [],
};

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name));
const folderOf = (name: string) => name.split("/")[0] ?? "";

test("imports run one way", () => {
  const wrong: string[] = [];
  for (const name of files.filter((one) => !/\.test\.tsx?$/.test(one))) {
    const text = readFileSync(join(SRC, name), "utf8");
    for (const [, from] of text.matchAll(/from "(\.[^"]+)"|import\("(\.[^"]+)"\)/g)) {
      const folder = folderOf(relative(SRC, join(SRC, dirname(name), from ?? "")));
      const mine = folderOf(name);
      if (from && folder !== mine && !MAY[mine]?.includes(folder)) wrong.push(`${name} -> ${from}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(new Set(files.map(folderOf))).toEqual(new Set(Object.keys(MAY)));
});

test("nothing makes markup or a script of text, and nothing comes from elsewhere", () => {
  for (const name of files.filter((one) => !/\.test\.tsx?$/.test(one))) {
    const text = readFileSync(join(SRC, name), "utf8");
    expect(text, name).not.toMatch(
      /dangerouslySetInnerHTML|innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/,
    );
    if (name !== "api/schema.d.ts") expect(text, name).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
  }
});
