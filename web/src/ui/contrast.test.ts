// Each colour of text is readable on every ground it stands on, and lines that mean something can be told apart.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const tokens = readFileSync(join(import.meta.dirname, "tokens.css"), "utf8");

function colour(name: string, theme: "light" | "dark"): number[] {
  const found = new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`).exec(tokens);
  const hex = (theme === "light" ? found?.[1] : found?.[2]) ?? "";
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255);
}

function luminance(parts: number[]): number {
  const [red = 0, green = 0, blue = 0] = parts.map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string, theme: "light" | "dark"): number {
  const [dark = 0, light = 0] = [luminance(colour(one, theme)), luminance(colour(other, theme))].sort(
    (a, b) => a - b,
  );
  return (light + 0.05) / (dark + 0.05);
}

const GROUNDS = ["ground", "surface", "raised", "hover"];
const TEXTS = ["text", "quiet", "accent", "green", "red", "amber"];

test.each(["light", "dark"] as const)("texts can be read in the %s theme", (theme) => {
  for (const text of TEXTS) {
    for (const ground of GROUNDS)
      expect(contrast(text, ground, theme), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  }
  for (const tone of ["green", "red", "amber", "accent"]) {
    expect(contrast(tone, `${tone}-ground`, theme), tone).toBeGreaterThanOrEqual(4.5);
    expect(contrast("text", `${tone}-ground`, theme), tone).toBeGreaterThanOrEqual(4.5);
    expect(contrast("quiet", `${tone}-ground`, theme), `quiet on ${tone}`).toBeGreaterThanOrEqual(4.5);
  }
  expect(contrast("on-accent", "accent", theme)).toBeGreaterThanOrEqual(4.5);
});

test.each(["light", "dark"] as const)(
  "edges of a graph and borders of fields can be seen in the %s theme",
  (theme) => {
    for (const line of ["strong-line", "accent"]) {
      for (const ground of ["ground", "surface"])
        expect(contrast(line, ground, theme), `${line} on ${ground}`).toBeGreaterThanOrEqual(3);
    }
  },
);
