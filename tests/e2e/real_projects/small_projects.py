"""Small projects written out, for kinds whose releases have no tests or cannot be fetched. The tools are the real ones."""

from __future__ import annotations

import json


def _json(**keys: object) -> str:
    return json.dumps(keys, indent=2) + "\n"


TYPESCRIPT = {
    "package.json": _json(
        name="median",
        version="1.0.0",
        type="module",
        private=True,
        scripts={"prepare": "git rev-parse --git-dir && tsc --outDir dist", "test": "vitest run"},
        devDependencies={"typescript": "5.9.3", "vitest": "3.2.4"},
    ),
    "tsconfig.json": _json(
        compilerOptions={"strict": True, "module": "nodenext", "target": "es2022", "skipLibCheck": True},
        include=["src"],
    ),
    ".gitignore": "node_modules/\ndist/\n",
    "src/median.ts": """// The middle of a sorted copy.
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] as number;
  return sorted.length % 2 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}
""",
    "src/median.test.ts": """import { expect, test } from 'vitest';
import { median } from './median.js';

test('takes the middle', () => expect(median([9, 1, 4])).toBe(4));
test('takes the mean of two', () => expect(median([1, 2, 3, 4])).toBe(2.5));
test('refuses nothing', () => expect(() => median([])).toThrow(RangeError));
""",
}

PNPM = {
    "package.json": _json(name="texts", version="1.0.0", private=True, scripts={"test": "pnpm -r test"}),
    "pnpm-workspace.yaml": "packages:\n  - packages/*\n",
    ".gitignore": "node_modules/\n",
    "packages/words/package.json": _json(
        name="words", version="1.0.0", type="module", exports="./index.js", scripts={"test": "node --test"}
    ),
    "packages/words/index.js": """// Splits at white space.
export function words(text) {
  return text.trim().split(/\\s+/);
}
""",
    "packages/words/index.test.js": """import assert from 'node:assert';
import { test } from 'node:test';
import { words } from './index.js';

test('splits at any white space', () => assert.deepEqual(words(' a  b '), ['a', 'b']));
test('keeps one word', () => assert.deepEqual(words('a'), ['a']));
""",
    "packages/count/package.json": _json(
        name="count",
        version="1.0.0",
        type="module",
        exports="./index.js",
        scripts={"test": "node --test"},
        dependencies={"words": "workspace:*"},
    ),
    "packages/count/index.js": """import { words } from 'words';

export const count = (text) => words(text).length;
""",
    "packages/count/index.test.js": """import assert from 'node:assert';
import { test } from 'node:test';
import { count } from './index.js';

test('counts words', () => assert.equal(count('a b c'), 3));
""",
}

GO = {
    "go.mod": "module example.invalid/slug\n\ngo 1.24\n\nrequire example.invalid/words v1.0.0\n",
    "go.sum": "",
    "vendor/modules.txt": "# example.invalid/words v1.0.0\n## explicit; go 1.24\nexample.invalid/words\n",
    "vendor/example.invalid/words/words.go": """// Package words splits texts.
package words

import "strings"

// Split returns the words of a text.
func Split(text string) []string { return strings.Fields(strings.ToLower(text)) }
""",
    "slug.go": """// Package slug makes names of titles.
package slug

import (
	"strings"

	"example.invalid/words"
)

// Slug joins the words of a title.
func Slug(title string) string {
	return strings.Join(words.Split(title), "-")
}
""",
    "slug_test.go": """package slug

import "testing"

func TestSlug(t *testing.T) {
	if got := Slug("A b"); got != "a-b" {
		t.Errorf("Slug is %q", got)
	}
}

func TestEmpty(t *testing.T) {
	if got := Slug(" "); got != "" {
		t.Errorf("Slug of nothing is %q", got)
	}
}
""",
}

CARGO = {
    "Cargo.toml": '[workspace]\nmembers = ["crates/*"]\nresolver = "2"\n',
    ".gitignore": "target/\n",
    "crates/split/Cargo.toml": '[package]\nname = "split"\nversion = "1.0.0"\nedition = "2021"\n',
    "crates/split/src/lib.rs": """/// Splits at white space.
pub fn split(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn splits_at_any_space() {
        assert_eq!(super::split(" a  b "), ["a", "b"]);
    }

    #[test]
    fn keeps_one_word() {
        assert_eq!(super::split("a"), ["a"]);
    }
}
""",
    "crates/count/Cargo.toml": '[package]\nname = "count"\nversion = "1.0.0"\nedition = "2021"\n\n'
    '[dependencies]\nsplit = { path = "../split" }\n',
    "crates/count/src/lib.rs": """/// Counts words.
pub fn count(text: &str) -> usize {
    split::split(text).len()
}

#[test]
fn counts() {
    assert_eq!(count("a b c"), 3);
}
""",
}

MAVEN = {
    ".gitignore": "target/\n",
    ".mvn/maven.config": "-s\n.mvn/settings.xml\n",
    ".mvn/settings.xml": "<settings><mirrors><mirror><id>debian</id><mirrorOf>*</mirrorOf>"
    "<url>file:///usr/share/maven-repo</url></mirror></mirrors></settings>\n",
    "pom.xml": """<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>sample</groupId>
  <artifactId>words</artifactId>
  <version>1</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source>
    <maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>4.x</version><scope>test</scope></dependency>
  </dependencies>
</project>
""",
    "src/main/java/Words.java": """/** Splits texts. */
public class Words {
    public static String[] split(String text) {
        return text.trim().split("\\\\s+");
    }
}
""",
    "src/test/java/WordsTest.java": """import static org.junit.Assert.assertArrayEquals;

import org.junit.Test;

public class WordsTest {
    @Test
    public void splitsAtAnySpace() {
        assertArrayEquals(new String[] {"a", "b"}, Words.split(" a  b "));
    }

    @Test
    public void keepsOneWord() {
        assertArrayEquals(new String[] {"a"}, Words.split("a"));
    }
}
""",
}
