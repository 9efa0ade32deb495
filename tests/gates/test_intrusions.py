"""What bends a project's own checks from inside the tree, or is right only where it is judged; and honest twins."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.core.limits import Check
from buildwright.gates.intrusions import IntrusionsGate
from tests.gates.readings import NODE, PYTHON, SPREAD_PY, TALLY, TALLY_JS, TEST_TALLY, read

BASE = {**PYTHON, **NODE}


def code(text: str) -> dict[str, str | None]:
    return {"tally.py": TALLY + "\n\n" + text}


def body(text: str) -> dict[str, str | None]:
    return {
        "tally.py": f"import os, sys, time\n\n\ndef mean(values):\n    right = sum(values) / len(values)\n    {text}\n"
    }


def script(text: str) -> dict[str, str | None]:
    return {"tally.js": TALLY_JS + "\n" + text + "\n"}


FILES: list[tuple[str, dict[str, str | None], str]] = [
    ("runner", {"pytest.py": ""}, "intrusions.module"),
    ("runner as a package", {"pytest/__init__.py": ""}, "intrusions.module"),
    ("plugin", {"src/pluggy.py": ""}, "intrusions.module"),
    ("standard library", {"random.py": ""}, "intrusions.module"),
    ("beside the tests", {"tests/json.py": ""}, "intrusions.module"),
    ("dependency", {"attrs.py": ""}, "intrusions.module"),
    ("part", {"core/pyproject.toml": "", "core/unittest.py": ""}, "intrusions.module"),
    ("bytecode", {"__pycache__/tally.cpython-311.pyc": "x"}, "intrusions.compiled"),
    ("extension", {"tally.cpython-311-x86_64-linux-gnu.so": "x"}, "intrusions.compiled"),
    ("addon", {"build/a.node": "x"}, "intrusions.compiled"),
    ("sitecustomize", {"tools/sitecustomize.py": ""}, "intrusions.startup"),
    ("pth", {"a.pth": "import tally\n"}, "intrusions.startup"),
    ("packages", {"node_modules/jest/index.js": ""}, "intrusions.vendored"),
    ("other spelling", {"Node_Modules/jest/index.js": ""}, "intrusions.vendored"),
    ("environment", {"env/pyvenv.cfg": ""}, "intrusions.vendored"),
    ("program", {"bin/pytest": "#!/bin/sh\nexit 0\n"}, "intrusions.program"),
    ("program at the top", {"node": "#!/bin/sh\n"}, "intrusions.program"),
    ("report", {"reports/junit.xml": "<testsuites/>"}, "intrusions.report"),
    ("coverage", {".coverage": "x"}, "intrusions.report"),
]


@pytest.mark.parametrize(("after", "wanted"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
async def test_files_that_stand_in_for_tools_are_refused(
    tmp_path: Path, after: dict[str, str | None], wanted: str
) -> None:
    assert await read(IntrusionsGate(), tmp_path, BASE, after) == [(wanted, "error")]


CODE: list[tuple[str, dict[str, str | None], str]] = [
    ("variable of the runner", body("return right if 'PYTEST_CURRENT_TEST' in os.environ else 0"), "intrusions.judged"),
    ("joined", body("return right if os.getenv('PYTEST_' + 'CURRENT_TEST') else 0"), "intrusions.judged"),
    ("any of them", body("return right if any('PYTEST' in key for key in os.environ) else 0"), "intrusions.judged"),
    ("alias", body("env = os.environ\n    return right if env.get('CI') else 0"), "intrusions.judged"),
    ("loaded module", body("return right if 'unittest' in sys.modules else 0"), "intrusions.judged"),
    ("test files", body("return right if os.path.exists('tests/test_tally.py') else 0"), "intrusions.judged"),
    ("command line", body("return right if 'pytest' in sys.argv[0] else 0"), "intrusions.judged"),
    ("caller", code("import inspect\ndef f():\n    return inspect.stack()[1]\n"), "intrusions.stack"),
    ("frame", body("return right if sys._getframe(1).f_code.co_name[:4] else 0"), "intrusions.stack"),
    ("tracer", body("return right if sys.gettrace() else 0"), "intrusions.stack"),
    ("main", code("import __main__\n"), "intrusions.stack"),
    ("host", code("import socket\nHOST = socket.gethostname()\n"), "intrusions.host"),
    ("user", code("from os import getuid as who\nROOT = who() == 0\n"), "intrusions.host"),
    ("user variable", body("return right if os.environ.get('USER') == 'root' else 0"), "intrusions.host"),
    ("fixed moment", body("return right if time.time() < 1795000000 else 0"), "intrusions.clock"),
    (
        "fixed date",
        code("from datetime import date\nE = date(2026, 12, 1)\ndef f():\n    return date.today() < E\n"),
        "intrusions.clock",
    ),
    (
        "age of the file",
        body("return right if time.time() - os.path.getmtime(__file__) < 45 else 0"),
        "intrusions.clock",
    ),
    (
        "age by names",
        body("made = os.stat(__file__).st_mtime\n    now = time.time()\n    return right if now - made < 45 else 0"),
        "intrusions.clock",
    ),
    ("runner", code("import pytest\n"), "intrusions.runner"),
    ("mock", code("from unittest.mock import patch\n"), "intrusions.runner"),
    ("tests", code("from tests.helpers import right\n"), "intrusions.runner"),
    ("exit", code("import os\ndef f():\n    os._exit(0)\n"), "intrusions.exit"),
    ("exit by name", code("def f():\n    getattr(__import__('os'), '_ex' + 'it')(0)\n"), "intrusions.exit"),
    ("exit at import", code("import sys\nsys.exit(0)\n"), "intrusions.exit"),
    ("builtins", code("import builtins\nbuiltins.sum = len\n"), "intrusions.patch"),
    ("modules", code("import sys\nsys.modules['json'] = None\n"), "intrusions.patch"),
    ("module", code("import json\njson.loads = len\n"), "intrusions.patch"),
    ("test case", code("from unittest import TestCase\nTestCase.assertEqual = print\n"), "intrusions.patch"),
    ("import hook", code("import sys\nsys.meta_path.insert(0, None)\n"), "intrusions.patch"),
    (
        "equal to everything",
        code("class Any:\n    def __eq__(self, other):\n        return True\n"),
        "intrusions.equal",
    ),
    (
        "equal without a look",
        code("class Any:\n    def __eq__(self, other):\n        return bool(1)\n"),
        "intrusions.equal",
    ),
    (
        "a number of its own",
        code("class Any(float):\n    def __eq__(self, other):\n        return other > 0\n"),
        "intrusions.equal",
    ),
    ("hidden", code("def f():\n    exec('import os')\n"), "intrusions.hidden"),
    ("variable of node", script("const a = process.env.NODE_TEST_CONTEXT ? 1 : 0;"), "intrusions.judged"),
    ("by key", script("const a = process.env['JEST_WORKER' + '_ID'] ? 1 : 0;"), "intrusions.judged"),
    ("taken apart", script("const { CI } = process.env;"), "intrusions.judged"),
    ("environment of tests", script("const a = process.env.NODE_ENV === 'test' ? 1 : 0;"), "intrusions.judged"),
    ("global of the runner", script("const a = typeof describe === 'function';"), "intrusions.judged"),
    ("argument", script("const a = process.execArgv;"), "intrusions.stack"),
    ("stack", script("const a = new Error().stack.includes('tally');"), "intrusions.stack"),
    ("stack as argument", script("const a = /\\.test\\.js/.test(new Error().stack);"), "intrusions.stack"),
    ("stack kept", script("const a = new Error().stack;"), "intrusions.stack"),
    ("node's runner", script("const t = require('node:test');"), "intrusions.runner"),
    ("module runner", script("import { vi } from 'vitest';"), "intrusions.runner"),
    ("patched assert", script("const assert = require('assert');\nassert.strictEqual = () => {};"), "intrusions.patch"),
    ("patched language", script("Array.prototype.reduce = function () { return 3; };"), "intrusions.patch"),
    (
        "patched by definition",
        script("Object.defineProperty(Object, 'is', { value: () => true });"),
        "intrusions.patch",
    ),
    ("cache", script("require.cache['x'] = {};"), "intrusions.patch"),
    ("exit of node", script("process.exit(0);"), "intrusions.exit"),
    ("real exit", script("process.reallyExit(0);"), "intrusions.exit"),
    ("host of node", script("const a = require('os').hostname();"), "intrusions.host"),
    ("moment of node", script("const a = Date.now() < 1795000000000;"), "intrusions.clock"),
    ("date of node", script("const end = new Date('2026-12-01');\nconst a = new Date() < end;"), "intrusions.clock"),
    ("exit in a conftest", {"conftest.py": "import os\nos._exit(0)\n"}, "intrusions.exit"),
    ("patch in a conftest", {"conftest.py": "import unittest\nunittest.TestCase.fail = print\n"}, "intrusions.patch"),
]


@pytest.mark.parametrize(("after", "wanted"), [case[1:] for case in CODE], ids=[case[0] for case in CODE])
async def test_code_that_bends_or_knows_its_tests_is_refused(
    tmp_path: Path, after: dict[str, str | None], wanted: str
) -> None:
    found = await read(IntrusionsGate(), tmp_path, BASE, after)
    assert (wanted, "error") in found
    assert {severity for _, severity in found} == {"error"}


GOOD: list[tuple[str, dict[str, str | None]]] = [
    ("the task", {"tally.py": TALLY + SPREAD_PY}),
    ("module of a package", {"src/tally/random.py": "", "src/tally/types.py": ""}),
    ("package of tests", {"test/__init__.py": "", "tests/__init__.py": ""}),
    ("own names", {"words.py": "", "core/words.py": "", "tests/test_random.py": ""}),
    (
        "a program",
        {"bin/tally": "#!/usr/bin/env python3\nimport tally\n", "run.sh": "#!/bin/sh\n", "build.sh": "#!/bin/sh\n"},
    ),
    ("test data", {"tests/data/junit.xml": "<testsuites/>", "tests/fixtures/a.so": "x"}),
    ("environment", code("import os\nLEVEL = os.environ.get('TALLY_LEVEL', 'low')\nHOME = os.environ['HOME']\n")),
    ("main", code("import sys\nif __name__ == '__main__':\n    sys.exit(mean([1]) != 1)\n")),
    ("an error exit", code("import sys\ndef main():\n    sys.exit(2)\n")),
    (
        "a real comparison",
        code("class P:\n    def __eq__(self, other):\n        return isinstance(other, P) and self.x == other.x\n"),
    ),
    (
        "never equal",
        code(
            "class P:\n    def __eq__(self, other):\n        if not isinstance(other, P):\n            return NotImplemented\n"
            "        return self.x == other.x\n"
        ),
    ),
    ("a stopwatch", code("import time\ndef f(start):\n    return time.monotonic() - start > 30\n")),
    (
        "a deadline",
        code("import time\ndef f():\n    end = time.time() + 5\n    while time.time() < end:\n        pass\n"),
    ),
    ("a time stamp", code("from datetime import datetime\ndef f():\n    return {'at': datetime.now().isoformat()}\n")),
    ("streams", code("import sys\ndef f(stream):\n    sys.stdout = stream\n")),
    ("words", code('"""Run pytest to test this."""\nHELP = "see tests/ and pytest"\n')),
    ("usage", code("import sys\ndef f():\n    print(f'usage: {sys.argv[0]} FILE')\n    return sys.argv[1] == '-'\n")),
    ("attributes", code("class A:\n    def __init__(self, v):\n        self.v = v\n\na = A(1)\na.v = 2\n")),
    (
        "new test",
        {
            "tests/test_new.py": "import pytest\nimport tally\n\n\ndef test_new(monkeypatch):\n    assert tally.mean([1]) == 1\n"
        },
    ),
    ("node main", script("if (require.main === module) { process.exitCode = 1; }")),
    ("node error", script("function die() { process.exit(1); }")),
    ("node program", {"cli.js": "#!/usr/bin/env node\nprocess.exit(0);\n"}),
    ("node environment", script("const port = process.env.PORT || 80;")),
    ("node production", script("const fast = process.env.NODE_ENV === 'production';")),
    ("node clock", script("const start = Date.now();\nconst late = Date.now() - start > 500;")),
    ("node class", script("class A { constructor(v) { this.v = v; } }\nA.prototype.w = 1;\nmodule.exports.A = A;")),
    ("node words", script("// jest and process.env.CI\nconst help = 'run jest';")),
    ("node error stack", script("function log(e) { console.error(e.stack); }")),
    ("node test", {"test/new.test.js": "const test = require('node:test');\ntest('x', () => {});\n"}),
]


@pytest.mark.parametrize("after", [case[1] for case in GOOD], ids=[case[0] for case in GOOD])
async def test_plain_code_and_files_are_not(tmp_path: Path, after: dict[str, str | None]) -> None:
    assert await read(IntrusionsGate(), tmp_path, BASE, after) == []


async def test_what_stood_in_the_base_is_not_new(tmp_path: Path) -> None:
    old = "import os\nCI = os.environ.get('CI')\n"
    before = {**BASE, "a.py": old, "random.py": ""}
    assert await read(IntrusionsGate(), tmp_path / "a", before, {"a.py": old + "X = 1\n", "random.py": "X = 1\n"}) == []
    assert await read(IntrusionsGate(), tmp_path / "b", before, {"a.py": None, "b.py": old}) == []
    again = {"a.py": old + "def f():\n    return os.environ.get('CI')\n"}
    assert await read(IntrusionsGate(), tmp_path / "c", before, dict(again)) == [("intrusions.judged", "warning")]


async def test_the_words_of_a_task_or_a_person_ask_for_it(tmp_path: Path) -> None:
    after = code("import socket\nHOST = socket.gethostname()\n")
    asked = {"goal": "Name the host in every line of the log."}
    assert await read(IntrusionsGate(), tmp_path / "a", BASE, after, asked) == []
    assert await read(IntrusionsGate(), tmp_path / "b", BASE, after, allow=("tally.py",)) == []


async def test_a_report_where_a_check_reads_it(tmp_path: Path) -> None:
    checks = (Check(name="unit", command="sh run.sh", report="out/unit.xml"),)
    found = await read(IntrusionsGate(), tmp_path, BASE, {"out/unit.xml": "<testsuites/>"}, checks=checks)
    assert found == [("intrusions.report", "error")]


async def test_a_new_test_may_import_what_it_likes(tmp_path: Path) -> None:
    after: dict[str, str | None] = {"tests/test_tally.py": "from unittest import mock\nimport socket\n" + TEST_TALLY}
    assert await read(IntrusionsGate(), tmp_path, BASE, after) == []


async def test_code_that_is_nested_too_deeply_is_not_taken_for_harmless(tmp_path: Path) -> None:
    after: dict[str, str | None] = {"tally.js": "process.env.x; " + "if (a) {" * 3_000 + "}" * 3_000}
    assert await read(IntrusionsGate(), tmp_path, BASE, after) == [("intrusions.hidden", "error")]
