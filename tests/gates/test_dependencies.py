"""Imports that no manifest declares: what a patch adds is refused, what was there and what cannot be told is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.gates.dependencies import DependenciesGate
from tests.gates.readings import NODE, PYPROJECT, PYTHON, TALLY, TEST_TALLY, read

BASE = {**PYTHON, **NODE, "old.py": "import numpy\n", "src/shapes/__init__.py": ""}
CARGO = {"Cargo.toml": '[package]\nname = "tally"\n[dependencies]\nserde = "1"\n'}
GO = {"go.mod": "module example.org/tally\n\nrequire github.com/a/b v1.0.0\n"}
UNDECLARED = ("dependencies.undeclared", "error")
UNKNOWN = ("dependencies.unknown", "warning")
MANIFEST = ("dependencies.manifest", "note")

CASES: list[tuple[str, dict[str, str], dict[str, str | None], list[tuple[str, str]]]] = [
    ("undeclared", {}, {"tally.py": "import requests\n" + TALLY}, [UNDECLARED]),
    ("undeclared in a new file", {}, {"fetch.py": "from requests.adapters import HTTPAdapter\n"}, [UNDECLARED]),
    (
        "undeclared by its name as text",
        {},
        {"a.py": "import importlib\nimportlib.import_module('requests')\n"},
        [UNDECLARED],
    ),
    ("undeclared package of node", {}, {"tally.js": "const _ = require('lodash/fp');\n"}, [UNDECLARED]),
    ("undeclared package of go", GO, {"a.go": 'package a\nimport "github.com/c/d"\n'}, [UNDECLARED]),
    ("undeclared crate", CARGO, {"src/main.rs": "use rand::Rng;\n"}, [UNDECLARED]),
    ("each package once", {}, {"a.py": "import requests\nimport requests.auth\n"}, [UNDECLARED]),
    (
        "declared beside it",
        {},
        {"tally.py": "import requests\n" + TALLY, "pyproject.toml": PYPROJECT.replace('"attrs', '"requests", "attrs')},
        [MANIFEST],
    ),
    ("declared already", {}, {"tally.py": "import attr\n" + TALLY}, []),
    ("of the standard library", {}, {"tally.py": "import json\nimport imp\n" + TALLY}, []),
    ("the project's own", {}, {"a.py": "from tally import mean\nfrom shapes import x\n"}, []),
    ("new beside it", {}, {"a.py": "import b\n", "b.py": ""}, []),
    ("node's own", {}, {"tally.js": "import fs from 'node:fs';\nimport a from './a.js';\n"}, []),
    (
        "another module of go",
        GO,
        {"a.go": 'package a\nimport ("github.com/a/b/c"; "net/http"; "example.org/tally/x")\n'},
        [],
    ),
    ("a module in the file", CARGO, {"src/main.rs": "mod shapes { pub struct A; }\nuse shapes::A;\n"}, []),
    ("old sin", {"tally.py": "import requests\n" + TALLY}, {"tally.py": "import requests\n" + TALLY + "\n"}, []),
    ("moved with its sin", {"a.py": "import requests\n"}, {"a.py": None, "b.py": "import requests\n"}, []),
    ("used elsewhere in the base", {}, {"tally.py": "import numpy as np\n" + TALLY}, [UNKNOWN]),
    ("may fail", {}, {"a.py": "try:\n    import orjson\nexcept ImportError:\n    orjson = None\n"}, [UNKNOWN]),
    ("perhaps brought under another name", {}, {"a.py": "import attrs_extra\n"}, [UNKNOWN]),
    ("the test runner in a test", {"tests/test_tally.py": ""}, {"tests/test_tally.py": TEST_TALLY}, [UNKNOWN]),
    ("no manifest", {"pyproject.toml": "[tool.ruff]\n"}, {"a.py": "import requests\n"}, [UNKNOWN]),
    ("computed manifest", {"setup.py": "import x\n"}, {"a.py": "import requests\n"}, [UNKNOWN]),
    ("listed elsewhere too", {"tox.ini": "[testenv]\ndeps = requests\n"}, {"a.py": "import requests\n"}, [UNKNOWN]),
    (
        "an alias of the bundler",
        {"tsconfig.json": '{"compilerOptions": {"paths": {"@app/*": ["./src/*"]}}}'},
        {"a.ts": "import x from '@app/x';\n"},
        [],
    ),
    ("a folder below the base of imports", {"web/parts/a.ts": ""}, {"a.ts": "import x from 'parts/a';\n"}, [UNKNOWN]),
    ("a name dropped", {}, {"pyproject.toml": PYPROJECT.replace('"attrs>=23"', "")}, [MANIFEST]),
    ("a version raised", {}, {"pyproject.toml": PYPROJECT.replace("23", "24")}, []),
    ("words in a comment", {}, {"tally.py": TALLY + "# import requests\nTEXT = 'import requests'\n"}, []),
]


@pytest.mark.parametrize(("base", "after", "found"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_only_what_the_patch_adds_and_nobody_declares_is_refused(
    tmp_path: Path, base: dict[str, str], after: dict[str, str | None], found: list[tuple[str, str]]
) -> None:
    assert await read(DependenciesGate(), tmp_path, {**BASE, **base}, after) == found


async def test_a_person_opens_a_file(tmp_path: Path) -> None:
    after: dict[str, str | None] = {"plugins/a.py": "import host_api\n"}
    assert await read(DependenciesGate(), tmp_path, BASE, after) == [UNDECLARED]
    assert await read(DependenciesGate(), tmp_path, BASE, after, allow=("plugins/a.py",)) == []
