"""Lists of other tools state the proof of a task in words, and only words that say so are taken."""

from __future__ import annotations

import pytest

from buildwright.advisors.spec_file import parse_spec

SPEC_KIT = "# Tasks: Shop\n\n## Phase 1: Setup\n\n- [ ] T001 {line}\n- [ ] T002 Write `src/a.py`\n"
OPEN_SPEC = "## 1. Setup\n\n- [ ] 1.1 {line}\n- [ ] 1.2 Write `src/a.py`\n"
KIRO = "# Implementation Plan\n\n- [ ] 1. {line}\n- [ ] 2. Write `src/a.py`\n  - _Requirements: 1.1_\n"


@pytest.mark.parametrize("form", [SPEC_KIT, OPEN_SPEC, KIRO])
@pytest.mark.parametrize(
    "line",
    [
        "Verify that `pytest -q tests/a` passes",
        "Run `pytest -q tests/a` and confirm that all is as before.",
        "`pytest -q tests/a` exits with 0",
        "Check: `pytest -q tests/a`",
    ],
)
def test_a_task_that_only_verifies_has_its_command_as_proof(form: str, line: str) -> None:
    spec = parse_spec(form.format(line=line), "tasks.md")
    assert spec.graph is not None
    first, second = spec.graph.tasks
    assert first.validation is not None
    assert first.validation.command == "pytest -q tests/a"
    assert second.validation is None
    assert any("`pytest -q tests/a` must pass" in note for note in spec.notes)


@pytest.mark.parametrize(
    "line",
    [
        "Run `npx create-shop` to make the project",
        "Write `src/b.py` so that `pytest` passes and check `src/c.py`",
        "Verify that `true` passes",
        "Verify that `pytest || true` passes",
        "Verify that the page looks right",
    ],
)
def test_other_words_state_no_proof(line: str) -> None:
    spec = parse_spec(SPEC_KIT.format(line=line), "tasks.md")
    assert spec.graph is not None
    assert all(task.validation is None for task in spec.graph.tasks)


def test_acceptance_lines_state_proofs_too() -> None:
    text = (
        "# Story 1.1: Shop\n\n## Acceptance Criteria\n\n1. `pytest -q tests/a` passes\n2. `ruff check src` succeeds\n"
    )
    text += "\n## Tasks / Subtasks\n\n- [ ] Look at it (AC: 1, 2)\n"
    spec = parse_spec(text, "1.1.shop.md")
    assert spec.graph is not None
    (task,) = spec.graph.tasks
    assert task.validation is not None
    assert task.validation.command == "pytest -q tests/a && ruff check src"
