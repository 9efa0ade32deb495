"""Boundaries that a project draws: the rules of the base hold for what a patch adds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buildwright.gates.boundaries import BoundariesGate
from tests.gates.readings import read

RULES = json.dumps(
    {
        "layers": [
            {"name": "routes", "from": "app/routes/*", "must_not_import": ["app.repos"]},
            {"from": "app/core/*", "may_import": ["app.core", "typing"]},
            {"glob": "app/*", "forbidden": [{"pattern": "\\beval\\(", "reason": "it runs text"}]},
        ]
    }
)
BASE = {"boundaries.json": RULES, "app/repos.py": "", "app/routes/old.py": "import app.repos\nx = eval('1')\n"}
IMPORT = ("boundaries.import", "error")
CHOSEN = ("boundaries.rules", "error")
LOOSE = '{"layers": []}'
PATTERN = ("boundaries.pattern", "error")

CASES: list[tuple[str, dict[str, str | None], list[tuple[str, str]]]] = [
    ("forbidden import", {"app/routes/a.py": "from app.repos import x\n"}, [IMPORT]),
    ("import beyond the allowed", {"app/core/a.py": "import os\n"}, [IMPORT]),
    ("relative", {"app/routes/a.py": "from .. import repos\nfrom ..repos import x\n"}, [IMPORT]),
    ("forbidden line", {"app/a.py": "y = eval('2')\n"}, [PATTERN]),
    ("loosened beside it", {"boundaries.json": LOOSE, "app/a.py": "y = eval('2')\n"}, [PATTERN, CHOSEN]),
    ("loosened for later", {"boundaries.json": LOOSE}, [CHOSEN]),
    ("taken away", {"boundaries.json": None}, [CHOSEN]),
    ("allowed import", {"app/core/a.py": "import typing\nimport app.core.b\n"}, []),
    ("elsewhere", {"lib/a.py": "import app.repos\neval('2')\n"}, []),
    ("old sins", {"app/routes/old.py": "import app.repos\nx = eval('1')\ny = 2\n"}, []),
    ("words in a comment", {"app/routes/a.py": "# import app.repos, eval(1)\nt = 'eval(1)'\n"}, []),
]


@pytest.mark.parametrize(("after", "found"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_the_rules_of_the_base_hold_for_what_is_added(
    tmp_path: Path, after: dict[str, str | None], found: list[tuple[str, str]]
) -> None:
    assert await read(BoundariesGate(), tmp_path, BASE, after) == found


async def test_rules_that_a_task_names_may_change(tmp_path: Path) -> None:
    task = {"files_expected": ("boundaries.json",)}
    assert await read(BoundariesGate(), tmp_path, BASE, {"boundaries.json": LOOSE}, task=task) == []


async def test_rules_of_the_change_are_not_in_force_yet(tmp_path: Path) -> None:
    after: dict[str, str | None] = {"boundaries.json": RULES, "app/a.py": "eval('2')\n"}
    assert await read(BoundariesGate(), tmp_path, {"app/repos.py": ""}, after) == []


async def test_unreadable_rules_of_the_base_are_named_and_block_nothing(tmp_path: Path) -> None:
    base = {**BASE, "boundaries.json": "{"}
    found = await read(BoundariesGate(), tmp_path, base, {"app/a.py": "eval('2')\n"})
    assert found == [("boundaries.unreadable", "warning")]


async def test_a_contract_of_boundaries_counts_beside_the_projects_own(tmp_path: Path) -> None:
    contract = json.dumps({"layers": [{"from": "web", "must_not_import": ["sqlite3"]}], "notes": ["small"]})
    base = {**BASE, "Forge/Contracts/boundaries.json": contract}
    after: dict[str, str | None] = {"web/a.py": "import sqlite3\n", "app/routes/new.py": "import app.repos\n"}
    assert await read(BoundariesGate(), tmp_path, base, after) == [IMPORT, IMPORT]
    loosened: dict[str, str | None] = {"Forge/Contracts/boundaries.json": '{"layers": []}'}
    assert await read(BoundariesGate(), tmp_path, base, loosened) == [CHOSEN]
