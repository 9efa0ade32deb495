"""Comments that silence what judges the code: new ones are refused, those that only move are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.gates.suppressions import SuppressionsGate
from tests.gates.readings import NODE, PYPROJECT, PYTHON, TALLY, TALLY_JS, read

STRICT = (
    PYPROJECT + '[tool.ruff.lint]\nselect = ["F"]\n\n[tool.mypy]\nstrict = true\n\n[tool.coverage.run]\nbranch = true\n'
)
BASE = {
    **PYTHON,
    **NODE,
    "pyproject.toml": STRICT,
    "package.json": '{"devDependencies": {"eslint": "9", "typescript": "5", "c8": "1"}}',
    "old.py": "import os  # noqa: F401\n",
    ".golangci.yml": "linters: {}\n",
}
SILENT = "suppressions.new"
BAD: list[tuple[str, str, str]] = [
    ("noqa", "tally.py", "import os  # noqa\n"),
    ("noqa for a file", "tally.py", "# ruff: noqa: F401\nimport os\n"),
    ("flake8", "tally.py", "# flake8: noqa\nimport os\n"),
    ("type", "tally.py", "x: int = ''  # type: ignore[assignment]\n"),
    ("no cover", "tally.py", "def f():  # pragma: no cover\n    pass\n"),
    ("test code", "tests/test_new.py", "import os  # noqa\n"),
    ("eslint", "tally.js", "/* eslint-disable */\n"),
    ("eslint inside", "tally.js", "f(); // eslint-disable-line no-undef\n"),
    ("ts", "a.ts", "// @ts-ignore\nconst a: number = '';\n"),
    ("ts expected", "a.ts", "// @ts-expect-error\nconst a: number = '';\n"),
    ("c8", "tally.js", "/* c8 ignore next */\n"),
    ("go", "a.go", "package a\nvar x = 1 //nolint:unused\n"),
    ("rust", "src/a.rs", "#[allow(dead_code)]\nfn a() {}\n"),
    ("java", "A.java", '@SuppressWarnings("unchecked")\nclass A {}\n'),
    ("secret", "a.yaml", "key: x # gitleaks:allow\n"),
]


@pytest.mark.parametrize(("path", "text"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
async def test_new_suppressions_are_refused(tmp_path: Path, path: str, text: str) -> None:
    after: dict[str, str | None] = {path: BASE.get(path, "") + text}
    assert await read(SuppressionsGate(), tmp_path, BASE, after) == [(SILENT, "error")]


GOOD: list[tuple[str, dict[str, str | None]]] = [
    ("none", {"tally.py": TALLY + "import os\n"}),
    ("moved inside the patch", {"old.py": "", "new.py": "import os  # noqa: F401\n"}),
    ("a word in a string", {"tally.py": TALLY + 'HELP = "# noqa and # type: ignore"\n'}),
    ("a word in a string of JavaScript", {"tally.js": TALLY_JS + "const help = '// eslint-disable';\n"}),
    ("a page", {"docs/lint.md": "Write `# noqa` there.\n"}),
    ("taken away", {"old.py": "import os\n"}),
    ("rewritten", {"old.py": "import os  # noqa: F401, E402\n"}),
]


@pytest.mark.parametrize("after", [case[1] for case in GOOD], ids=[case[0] for case in GOOD])
async def test_what_silences_no_more_than_before_is_not(tmp_path: Path, after: dict[str, str | None]) -> None:
    assert await read(SuppressionsGate(), tmp_path, BASE, after) == []


async def test_a_tool_that_the_project_does_not_use_is_a_warning(tmp_path: Path) -> None:
    after: dict[str, str | None] = {"tally.py": TALLY + "import os  # noqa\n"}
    assert await read(SuppressionsGate(), tmp_path / "a", PYTHON, after) == [(SILENT, "warning")]
    ruff = {**PYTHON, "ruff.toml": "line-length = 100\n"}
    assert await read(SuppressionsGate(), tmp_path / "b", ruff, {**after, "ruff.toml": None}) == [(SILENT, "error")]
    assert await read(SuppressionsGate(), tmp_path / "c", BASE, {"tally.py": TALLY + "x = [1]  # fmt: skip\n"}) == [
        (SILENT, "warning")
    ]


async def test_a_person_opens_a_file(tmp_path: Path) -> None:
    after: dict[str, str | None] = {"tally.py": TALLY + "import os  # noqa\n"}
    assert await read(SuppressionsGate(), tmp_path, BASE, after, allow=("tally.py",)) == []
