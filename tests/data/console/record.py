"""Records what real tools print into this directory. Run by hand, never by the suite; installs only into a throw-away folder.

    python tests/data/console/record.py [name of a tool ...]

Needs Node 20.19 or later with npm, cargo, and a network for npm and pip. Each output is stored as `<name>.txt`
with the folder replaced by /project; `recordings.json` says by which command and version it came and its exit code.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
INDEX = HERE / "recordings.json"


class Recording(NamedTuple):
    """One command in one small project; its output is stored under `name`."""

    name: str
    command: str
    files: Mapping[str, str]


class Tool(NamedTuple):
    """What to install where (npm or pip), how to ask for the version, what to record."""

    npm: tuple[str, ...]
    pip: tuple[str, ...]
    version: str
    recordings: tuple[Recording, ...]


TS_BAD = 'export const n: number = "text";\nexport function f(a: string): string {\n  return missing + a;\n}\n'
TS_GOOD = "export function sum(a: number, b: number): number {\n  return a + b;\n}\n"
TSCONFIG = json.dumps({"compilerOptions": {"strict": True, "noEmit": True, "target": "ES2022", "module": "NodeNext"}})
MODULE = json.dumps({"name": "sample", "private": True, "type": "module", "scripts": {"build": "tsc"}})
COMMON = json.dumps({"name": "sample", "private": True, "scripts": {"test": "jest"}})

VITEST_PASS = (
    "import { describe, expect, it } from 'vitest';\nimport { sum } from '../src/sum';\n"
    "describe('sum', () => {\n  it('adds', () => { expect(sum(1, 2)).toBe(3); });\n"
    "  it('adds zero', () => { expect(sum(0, 2)).toBe(2); });\n"
)
VITEST_FAIL = (
    VITEST_PASS + "  it('carries', () => {\n    expect(sum(9, 1)).toBe(11);\n  });\n  it.skip('later', () => {});\n"
)
VITEST_FAIL += "  it.todo('someday');\n});\n"
VITEST_BROKEN = "import { nothing } from './not-there';\nimport { it } from 'vitest';\nit('x', () => nothing());\n"

JEST_PASS = (
    "const sum = (a, b) => a + b;\ndescribe('sum', () => {\n  it('adds', () => { expect(sum(1, 2)).toBe(3); });\n"
    "  it('adds zero', () => { expect(sum(0, 2)).toBe(2); });\n"
)
JEST_FAIL = (
    JEST_PASS + "  it('carries', () => {\n    expect(sum(9, 1)).toBe(11);\n  });\n  it.skip('later', () => {});\n"
)
JEST_FAIL += "  it.todo('someday');\n});\n"

MOCHA_FAIL = (
    "const assert = require('node:assert');\ndescribe('sum', () => {\n  it('adds', () => assert.equal(1 + 2, 3));\n"
    "  it('carries', () => {\n    assert.equal(9 + 1, 11);\n  });\n  it.skip('later', () => {});\n});\n"
)
MOCHA_PASS = "const assert = require('node:assert');\nit('adds', () => assert.equal(1 + 2, 3));\n"

NODE_FAIL = (
    "const test = require('node:test');\nconst assert = require('node:assert');\ntest('fine', () => {});\n"
    "test('broken', () => {\n  assert.equal(9 + 1, 11);\n});\ntest('later', { skip: true }, () => {});\n"
)
NODE_NESTED = (
    "const { describe, it } = require('node:test');\nconst assert = require('node:assert');\n"
    "describe('sum', () => {\n  it('adds', () => {});\n  it('carries', () => {\n    assert.equal(9 + 1, 11);\n  });\n});\n"
)

PYTEST_FAIL = (
    "import pytest\n\n\ndef test_fine():\n    pass\n\n\ndef test_wrong():\n    assert 9 + 1 == 11, 'ten'\n\n\n"
    "@pytest.mark.skip\ndef test_later():\n    pass\n\n\n@pytest.mark.xfail\ndef test_known():\n    assert False\n"
)
UNITTEST_FAIL = (
    "import unittest\n\n\nclass Sum(unittest.TestCase):\n    def test_adds(self):\n        self.assertEqual(1 + 2, 3)\n\n"
    "    def test_carries(self):\n        self.assertEqual(9 + 1, 11)\n\n"
    "    def test_breaks(self):\n        raise KeyError('gone')\n\n"
    "    @unittest.skip('later')\n    def test_later(self):\n        pass\n"
)
RUST_LIB = "pub fn sum(a: i32, b: i32) -> i32 {\n    a + b\n}\n"
RUST_FAIL = RUST_LIB + (
    "\n#[cfg(test)]\nmod tests {\n    use super::sum;\n\n    #[test]\n    fn adds() {\n        assert_eq!(sum(1, 2), 3);\n"
    "    }\n\n"
    "    #[test]\n    fn carries() {\n        assert_eq!(sum(9, 1), 11);\n    }\n\n"
    "    #[test]\n    #[ignore]\n    fn later() {}\n}\n"
)
CARGO = '[package]\nname = "sample"\nversion = "0.1.0"\nedition = "2021"\n'

ESLINT_JS = {
    "package.json": MODULE,
    "eslint.config.js": 'import js from "@eslint/js";\n'
    'export default [js.configs.recommended, { rules: { "no-var": "warn" } }];\n',
    "src/a.js": "var unused = 1;\nif (true) {\n  missing();\n}\n",
    "src/b.js": "let x = ;\n",
}
VITE = {
    "package.json": json.dumps({"name": "s", "private": True, "type": "module", "scripts": {"build": "vite build"}})
}
VITEST = {"package.json": MODULE, "src/sum.ts": TS_GOOD}

# For the names of tests: nested, repeated, failing, skipped, to do.
NAMES = (
    "describe('sum', () => {\n  it('adds', () => {});\n  it('adds', () => {});\n"
    "  it('carries', () => { throw new Error('no'); });\n  it.skip('later', () => {});\n"
    "  describe('in', () => { it('deep', () => {}); });\n"
)
NODE_NAMES = (
    "const { describe, it } = require('node:test');\n" + NAMES + "  it.todo('someday');\n});\nit('last', () => {});\n"
)
BUN_NAMES = "import { describe, it } from 'bun:test';\n" + NAMES + "  it.todo('someday');\n});\n"
DENO_NAMES = (
    "Deno.test('adds', () => {});\nDeno.test('carries', () => { throw new Error('no'); });\n"
    "Deno.test.ignore('later', () => {});\nDeno.test('steps', async (t) => { await t.step('one', () => {}); });\n"
)
AVA_NAMES = (
    "import test from 'ava';\ntest('adds', (t) => t.pass());\ntest('carries', (t) => t.fail());\n"
    "test.skip('later', (t) => t.pass());\ntest.todo('someday');\n"
)
UVU_NAMES = (
    "import { test } from 'uvu';\ntest('adds', () => {});\ntest('carries', () => { throw new Error('no'); });\n"
    "test.skip('later', () => {});\ntest.run();\n"
)
TAP_NAMES = (
    "import t from 'tap';\nt.test('adds', (t) => { t.ok(true, 'is'); t.end(); });\n"
    "t.test('carries', (t) => { t.ok(false, 'not'); t.end(); });\nt.test('later', { skip: true }, (t) => { t.end(); });\n"
)
TAPE_NAMES = (
    "const test = require('tape');\ntest('adds', (t) => { t.equal(1 + 2, 3, 'small ones'); t.ok(true); t.end(); });\n"
    "test('carries', (t) => {\n  t.equal(9 + 1, 11, 'over ten');\n  t.ok(true, 'not today', { skip: true });\n  t.end();\n});\n"
    "test('later', { skip: true }, (t) => { t.end(); });\ntest('someday', (t) => { t.ok(1, 'x', { todo: true }); t.end(); });\n"
)
UNITTEST_NAMES = UNITTEST_FAIL.replace("def test_adds(self):\n", 'def test_adds(self):\n        """Adds."""\n')
LOOP = "for folder in a b; do (cd $folder && python -m pytest -q); done"
SKIPPED = "it.skip('later', () => {});\n"

TOOLS: dict[str, Tool] = {
    "names": Tool(
        ("jest@30.2.0", "vitest@4.1.12", "mocha@11.7.5"),
        ("pytest==9.0.2",),
        "node --version",
        (
            Recording("names_jest", "npx jest --verbose", {"package.json": COMMON, "test/a.test.js": NAMES + "});\n"}),
            Recording("names_vitest", "npx vitest run --globals --reporter=verbose", {}),
            Recording("names_mocha", "npx mocha test/a.test.js", {}),
            Recording("names_node_spec", "node --test --test-reporter=spec", {"test/a.test.js": NODE_NAMES}),
            Recording("names_node_tap", "node --test --test-reporter=tap", {}),
            Recording(
                "names_node_files",
                "node --test --test-reporter=spec",
                {"test/a.test.js": "\n", "test/b.test.js": "process.exit(0);\n"},
            ),
            Recording("names_node_files_tap", "node --test --test-reporter=tap", {}),
            Recording("names_unittest", "python -m unittest discover -v", {"test_a.py": UNITTEST_NAMES}),
            Recording("names_pytest", "python -m pytest -v -ra", {"test_a.py": PYTEST_FAIL}),
            Recording(
                "names_pytest_loop",
                LOOP,
                {"a/test_a.py": "def test_a():\n    assert 0\n", "b/test_b.py": "def test_b():\n    pass\n"},
            ),
        ),
    ),
    "bun": Tool(
        ("bun@1.4.5",),
        (),
        "npx bun --version",
        (
            Recording("bun_fail", "npx bun test", {"a.test.ts": BUN_NAMES}),
            Recording("bun_skipped", "npx bun test", {"a.test.ts": "import { it } from 'bun:test';\n" + SKIPPED}),
        ),
    ),
    "deno": Tool(
        ("deno@2.9.6",),
        (),
        "npx deno --version",
        (
            Recording("deno_fail", "npx deno test --no-check", {"a.test.ts": DENO_NAMES}),
            Recording(
                "deno_skipped", "npx deno test --no-check", {"a.test.ts": "Deno.test.ignore('later', () => {});\n"}
            ),
        ),
    ),
    "ava": Tool(
        ("ava@7.0.0",),
        (),
        "npx ava --version",
        (
            Recording("ava_fail", "npx ava", {"package.json": MODULE, "a.test.js": AVA_NAMES}),
            Recording("ava_tap", "npx ava --tap", {}),
            Recording(
                "ava_skipped",
                "npx ava",
                {"a.test.js": "import test from 'ava';\ntest.skip('later', (t) => t.pass());\n"},
            ),
        ),
    ),
    "uvu": Tool(
        ("uvu@0.5.6",),
        (),
        "node --version",
        (
            Recording("uvu_fail", "npx uvu tests", {"package.json": MODULE, "tests/a.js": UVU_NAMES}),
            Recording(
                "uvu_skipped",
                "npx uvu tests",
                {"tests/a.js": "import { test } from 'uvu';\ntest.skip('later', () => {});\ntest.run();\n"},
            ),
        ),
    ),
    "tap": Tool(
        ("tap@21.8.0",),
        (),
        "npx tap --version",
        (
            Recording(
                "tap_fail",
                "npx tap --disable-coverage --allow-incomplete-coverage a.test.js",
                {"package.json": MODULE, "a.test.js": TAP_NAMES},
            ),
            Recording(
                "tap_skipped",
                "npx tap --disable-coverage --allow-incomplete-coverage a.test.js",
                {"a.test.js": "import t from 'tap';\nt.test('later', { skip: true }, (t) => { t.end(); });\n"},
            ),
        ),
    ),
    "tape": Tool(
        ("tape@5.9.0",),
        (),
        "npx tape --version",
        (
            Recording("tape_fail", "npx tape a.test.js", {"package.json": COMMON, "a.test.js": TAPE_NAMES}),
            Recording(
                "tape_skipped",
                "npx tape a.test.js",
                {"a.test.js": "require('tape')('later', { skip: true }, (t) => t.end());\n"},
            ),
        ),
    ),
    "tsc": Tool(
        ("typescript@5.9.3",),
        (),
        "npx tsc --version",
        (
            Recording("tsc_fail", "npx tsc", {"package.json": MODULE, "tsconfig.json": TSCONFIG, "src/a.ts": TS_BAD}),
            Recording("tsc_pretty", "npx tsc --pretty", {}),
            Recording("npm_build_fail", "npm run build", {}),
            Recording("tsc_pass", "npx tsc", {"src/a.ts": TS_GOOD}),
        ),
    ),
    "eslint9": Tool(
        ("eslint@9.39.1", "@eslint/js@9.39.1"),
        (),
        "npx eslint --version",
        (
            Recording("eslint9_fail", "npx eslint .", ESLINT_JS),
            Recording("eslint9_json", "npx eslint -f json .", {}),
        ),
    ),
    "eslint10": Tool(
        ("eslint@10", "@eslint/js@10"),
        (),
        "npx eslint --version",
        (Recording("eslint10_fail", "npx eslint .", ESLINT_JS),),
    ),
    "vitest": Tool(
        ("vitest@4.1.12",),
        (),
        "npx vitest --version",
        (
            Recording("vitest_none", "npx vitest run", VITEST),
            Recording("vitest_empty", "npx vitest run", {"test/sum.test.ts": "export {};\n"}),
            Recording("vitest_pass", "npx vitest run", {"test/sum.test.ts": VITEST_PASS + "});\n"}),
            Recording("vitest_fail", "npx vitest run", {"test/sum.test.ts": VITEST_FAIL}),
            Recording("vitest_broken", "npx vitest run", {"test/broken.test.ts": VITEST_BROKEN}),
        ),
    ),
    "jest": Tool(
        ("jest@30.2.0",),
        (),
        "npx jest --version",
        (
            Recording("jest_none", "npx jest", {"package.json": COMMON}),
            Recording("jest_empty", "npx jest", {"test/sum.test.js": "\n"}),
            Recording("jest_pass", "npx jest", {"test/sum.test.js": JEST_PASS + "});\n"}),
            Recording("jest_fail", "npm test", {"test/sum.test.js": JEST_FAIL}),
            Recording("jest_broken", "npx jest", {"test/broken.test.js": "require('./not-there');\n"}),
        ),
    ),
    "mocha": Tool(
        ("mocha@11.7.5",),
        (),
        "npx mocha --version",
        (
            Recording("mocha_none", "npx mocha", {"package.json": COMMON}),
            Recording("mocha_empty", "npx mocha", {"test/sum.js": "\n"}),
            Recording("mocha_pass", "npx mocha", {"test/sum.js": MOCHA_PASS}),
            Recording("mocha_fail", "npx mocha", {"test/sum.js": MOCHA_FAIL}),
        ),
    ),
    "node": Tool(
        (),
        (),
        "node --version",
        (
            Recording("node_none", "node --test", {"index.js": "\n"}),
            Recording("node_pass", "node --test", {"good.test.js": "require('node:test')('fine', () => {});\n"}),
            Recording("node_tap_fail", "node --test --test-reporter=tap", {"bad.test.js": NODE_FAIL}),
            Recording("node_spec_fail", "node --test --test-reporter=spec", {}),
            Recording("node_nested_fail", "node --test --test-reporter=spec", {"bad.test.js": NODE_NESTED}),
            Recording("node_nested_tap_fail", "node --test --test-reporter=tap", {}),
        ),
    ),
    "vite": Tool(
        ("vite@7.2.4",),
        (),
        "npx vite --version",
        (
            Recording(
                "vite_fail",
                "npm run build",
                {**VITE, "index.html": '<script type="module" src="/a.js"></script>', "a.js": "import './gone.js';\n"},
            ),
        ),
    ),
    "pytest": Tool(
        (),
        ("pytest==9.0.2",),
        "python -m pytest --version",
        (
            Recording("pytest_none", "python -m pytest -q", {"tests/test_a.py": "x = 1\n"}),
            Recording("pytest_pass", "python -m pytest -q", {"tests/test_a.py": "def test_a():\n    pass\n"}),
            Recording("pytest_fail", "python -m pytest -q", {"tests/test_a.py": PYTEST_FAIL}),
            Recording("pytest_error", "python -m pytest", {"tests/test_b.py": "import not_there_at_all\n"}),
        ),
    ),
    "unittest": Tool(
        (),
        (),
        "python --version",
        (
            Recording("unittest_none", "python -m unittest discover -v", {"test_a.py": "x = 1\n"}),
            Recording("unittest_fail", "python -m unittest discover -v", {"test_a.py": UNITTEST_FAIL}),
            Recording("unittest_error", "python -m unittest discover -v", {"test_a.py": "import not_there_at_all\n"}),
        ),
    ),
    "ruff": Tool(
        (),
        ("ruff==0.14.5",),
        "ruff --version",
        (
            Recording(
                "ruff_concise",
                "ruff check --output-format=concise .",
                {"a.py": "import os\nx = 1\n", "b.py": "x = (\n"},
            ),
            Recording("ruff_full", "ruff check .", {}),
            Recording("ruff_json", "ruff check --output-format=json .", {}),
            Recording("ruff_format", "ruff format --check .", {"b.py": "x = [1 ,2]\n"}),
        ),
    ),
    "mypy": Tool(
        (),
        ("mypy==1.18.2",),
        "mypy --version",
        (
            Recording(
                "mypy_fail", "mypy .", {"a.py": 'x: int = "text"\n\n\ndef f(a: str) -> int:\n    return missing(a)\n'}
            ),
            Recording(
                "mypy_columns", "mypy --show-column-numbers --pretty --strict .", {"b.py": "def f(a):\n    return a\n"}
            ),
        ),
    ),
    "pyright": Tool(
        (),
        ("pyright[nodejs]==1.1.407",),
        "pyright --version",
        (
            Recording(
                "pyright_fail",
                "pyright .",
                {"a.py": 'x: int = "text"\n\n\ndef f(a: str) -> int:\n    return missing(a)\n'},
            ),
        ),
    ),
    "cargo": Tool(
        (),
        (),
        "cargo --version",
        (
            Recording("cargo_none", "cargo test", {"Cargo.toml": CARGO, "src/lib.rs": RUST_LIB}),
            Recording("cargo_fail", "cargo test --no-fail-fast", {"src/lib.rs": RUST_FAIL}),
            Recording("cargo_error", "cargo test", {"src/lib.rs": RUST_LIB + 'pub fn f() -> i32 {\n    "text"\n}\n'}),
        ),
    ),
}


def record(name: str, tool: Tool) -> dict[str, dict[str, object]]:
    """Install one tool, run its recordings in order in one folder, store their outputs."""
    done: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory(prefix="record-") as folder:
        project = Path(folder) / "project"
        environment = Path(folder) / "venv"
        project.mkdir()
        env = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("PYTEST", "VIRTUAL_ENV", "FORCE_", "RUST_", "NODE_"))
            },
            "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
            "CI": "1",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        if tool.pip:
            subprocess.run([environment / "bin" / "pip", "install", "-qq", *tool.pip], check=True, env=env)
        if tool.npm:
            (project / "package.json").write_text("{}")
            install = ["npm", "install", "-D", "--save-exact", "--no-audit", "--no-fund", "--silent", *tool.npm]
            subprocess.run(install, check=True, cwd=project, env=env)
        version = _run(tool.version, project, env)[0].splitlines()[0].strip()
        for recording in tool.recordings:
            for path, text in recording.files.items():
                (project / path).parent.mkdir(parents=True, exist_ok=True)
                (project / path).write_text(text)
            output, code = _run(recording.command, project, env)
            for place, shown in ((str(project), "/project"), (folder, "/scratch"), (sys.base_prefix, "/usr")):
                output = output.replace(place, shown)
            (HERE / f"{recording.name}.txt").write_text(output)
            done[recording.name] = {"command": recording.command, "version": version, "exit_code": code}
    return done


def _run(command: str, folder: Path, env: Mapping[str, str]) -> tuple[str, int]:
    ended = subprocess.run(["sh", "-c", f"{command} 2>&1"], cwd=folder, env=env, stdout=subprocess.PIPE, check=False)
    # How npm is configured on the machine that records is no word of the tool.
    said = re.sub(r"(?m)^npm (warn Unknown|notice).*\n", "", ended.stdout.decode("utf-8", "replace"))
    return said, ended.returncode


def main() -> None:
    index = json.loads(INDEX.read_text()) if INDEX.exists() else {}
    for name in sys.argv[1:] or TOOLS:
        index.update(record(name, TOOLS[name]))
        INDEX.write_text(json.dumps(dict(sorted(index.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
