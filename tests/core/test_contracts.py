"""Contracts as texts: the sources of their lines through edits, phases in their order, and where they may be kept."""

from __future__ import annotations

import pytest

from buildwright.core.contracts import EDITED, BuildContracts, Contract, bound_by, edited, phases_in
from buildwright.core.limits import Options
from buildwright.errors import BadSettings, BadSpec

PHASES = """# Phases

## Phase 1: Ground

**Objective:** Something
stands.

**Deliverables:**
- Lay `floor.py`
- [P] Left wall
- [x] Right wall
  with a door
- Left wall

**Exit criteria:**
- It holds.

## Phase 2 -- Roof

**Deliverables:**
* A roof
"""


def made(content: str, *sources: tuple[str, ...], template: int = 1) -> Contract:
    return Contract(contract_type="blueprint", content=content, sources=sources, template=template)


def test_lines_that_stay_keep_their_answers_and_new_ones_are_a_persons() -> None:
    old = made("a\nb\nc\n", ("A1",), (), ("A2", "A3"))
    new = edited(old, "blueprint", "zero\r\na\r\nc\r\n")
    assert (new.version, new.content) == (2, "zero\na\nc\n")
    assert new.sources == ((EDITED,), ("A1",), ("A2", "A3"))
    assert not old.is_edited
    assert new.is_edited


def test_a_line_of_an_answer_that_was_taken_away_counts_as_an_edit() -> None:
    old = made("a\nb\n", ("A1",), ())
    assert edited(old, "blueprint", "b\n").is_edited
    assert not edited(old, "blueprint", "a\n").is_edited


def test_phases_are_read_with_their_lines() -> None:
    first, second = phases_in(PHASES)
    assert (first.milestone, second.milestone) == ("Phase 1: Ground", "Phase 2: Roof")
    assert first.objective == "Something stands."
    assert [(one.id, one.text, one.beside) for one in first.deliverables] == [
        ("p1-lay-floor-py", "Lay `floor.py`", False),
        ("p1-left-wall", "Left wall", True),
        ("p1-right-wall-with-a-door", "Right wall with a door", False),
        ("p1-left-wall-2", "Left wall", False),
    ]
    assert PHASES.splitlines()[first.deliverables[3].line] == "- Left wall"
    assert first.criteria == ("It holds.",)
    assert [one.text for one in second.deliverables] == ["A roof"]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("# Phases\n", None, "there is no phase"),
        ("## Phase 2: Late\n", 1, "phase 2 is not the next one"),
        ("## Phase 1: A\n**Deliverables:**\n- a\n## Phase 3: B\n", 4, "phase 3 is not the next one"),
        ("\n## Ideas\n", 2, "this heading names no phase"),
        ("## Phase 1: Empty\n\n**Deliverables:**\n", 1, "phase 1 has no deliverables"),
    ],
)
def test_phases_that_cannot_be_built_in_order_are_refused_with_their_line(
    text: str, line: int | None, told: str
) -> None:
    with pytest.raises(BadSpec, match=told) as refused:
        phases_in(text)
    assert refused.value.line == line
    assert refused.value.fix


@pytest.mark.parametrize(
    "folder", ["../out", "/etc", "a/../../b", ".git", "x/.GIT/y", ".github/workflows", "a\\b", "a\0", "a/"]
)
def test_a_folder_outside_of_the_project_is_refused(folder: str) -> None:
    with pytest.raises(BadSettings, match=r"refused|cannot be kept|not how"):
        bound_by(Options(), BuildContracts(contracts=(made("x"),), folder=folder))


def test_a_build_from_contracts_protects_their_folder() -> None:
    contracts = BuildContracts(contracts=(made("x"),), folder="docs/forge")
    assert contracts.files == {"docs/forge/Contracts/blueprint.md": "x"}
    bound = bound_by(Options(protected=("a",)), contracts)
    assert (bound.protected, bound.contracts_folder) == (("a", "docs/forge"), "docs/forge")
    assert bound_by(bound, contracts) == bound
    assert bound_by(Options(), None) == Options()
