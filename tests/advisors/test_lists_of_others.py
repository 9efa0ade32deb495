"""Task lists of other tools: each line becomes a task, a named note or an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from buildwright.advisors.spec_file import parse_spec, read_spec
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadGraph, BadSpec


def tasks_of(spec: Spec) -> dict[str, Task]:
    assert spec.graph is not None
    return {task.id: task for task in spec.graph.tasks}


def needs(spec: Spec) -> dict[str, tuple[str, ...]]:
    return {task.id: task.depends_on for task in tasks_of(spec).values()}


def noted(spec: Spec, words: str) -> str:
    found = [note for note in spec.notes if words in note]
    assert found, spec.notes
    return found[0]


class TestSpecKit:
    MARKS = """\
# Tasks: thing

## Phase 1: Core

- [x] T001 Set up
- [X] T002 Choose a parser
- [~] T003 Half of the parser in src/a.py
- [-] T004 Support for XML
- [?] T005 Error messages in src/c.py
- [ ] T006 [P] Build on the parser in src/b.py
"""

    def test_each_mark_has_its_meaning_and_no_open_task_vanishes(self) -> None:
        spec = parse_spec(self.MARKS, "tasks.md")
        assert needs(spec) == {"T003": (), "T005": ("T003",), "T006": ("T005",)}
        assert noted(spec, "ticked").startswith("T001, T002")
        assert noted(spec, "put off").startswith("T004")
        assert noted(spec, "begun").startswith("T003")
        assert noted(spec, "[?]").startswith("T005")

    def test_a_list_without_open_tasks_says_why(self) -> None:
        with pytest.raises(BadSpec, match=r"T002: marked \[-\], put off"):
            parse_spec("- [x] T001 One\n- [-] T002 Two\n", "tasks.md")

    def test_exit_criteria_are_asked_of_the_last_task_before_them(self) -> None:
        text = (
            "## Phase 1: Setup\n\n- [ ] T001 Create src/a.py\n- [x] T002 Create src/b.py\n\n**Exit criteria**:\n"
            "- [ ] All files exist\n- [X] It installs\n\n## Phase 2: Core\n\n- [ ] T003 Add the core\n\n"
            "### Checkpoint\n\n- [ ] The core works\n\n## Notes\n\n- [ ] Ask Ada\n"
        )
        spec = parse_spec(text, "tasks.md")
        assert {name: task.acceptance for name, task in tasks_of(spec).items()} == {
            "T001": ("All files exist",),
            "T003": ("The core works",),
        }
        assert noted(spec, "All files exist").startswith("line 7 ")
        assert "not a task: Ask Ada" in noted(spec, "Ask Ada")
        assert not any("It installs" in note for note in spec.notes)

    def test_indented_boxes_are_steps_of_their_task(self) -> None:
        spec = parse_spec("## Phase 1: A\n- [ ] T001 One\n  - [ ] first\n  - [x] second\n- [ ] T002 Two\n", "tasks.md")
        assert "- [ ] first\n- [x] second" in tasks_of(spec)["T001"].goal

    def test_lines_with_an_id_and_no_box_are_named_wherever_they_stand(self) -> None:
        text = (
            "## Phase 1: A\n- [ ] T001 One\n- T002 Two\nT003 Three\n- \u2705 T004 Four\n| T005 | Five |\n### T006 Six\n"
            "> - [ ] T007 Seven\n<!-- - [ ] T008 Eight -->\n```\n- [x] T009 Nine\n```\n1. T010 Ten\nT001 is first.\n"
        )
        spec = parse_spec(text, "tasks.md")
        assert list(tasks_of(spec)) == ["T001"]
        assert noted(spec, "has no box").startswith(
            "T002 (line 3), T003 (line 4), T004 (line 5), T005 (line 6), T006 (line 7), T007 (line 8), T008 (line 9),"
            " T009 (line 11), T010 (line 13): not in the list"
        )

    def test_boxes_and_ids_as_people_write_them(self) -> None:
        text = (
            "## Phase 1: A\n- [ X ] T001 One\n- [] T002 Two\n- [  ] T003 Three\n- [ ] [P] T004 Four\n"
            "- [ ] [US1] [P] `T005` Five\n- [ ] T006 [P] Six\n"
        )
        spec = parse_spec(text, "tasks.md")
        assert needs(spec) == {"T002": (), "T003": ("T002",)} | dict.fromkeys(("T004", "T005", "T006"), ("T003",))
        assert (tasks_of(spec)["T005"].title, tasks_of(spec)["T005"].requirements) == ("Five", ("User story US1",))
        assert spec.notes == ("T001: ticked, so left out",)

    @pytest.mark.parametrize("fence", ["```", "```markdown", "~~~~ md"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_a_list_that_stands_in_a_fence_as_a_whole_is_read(self, fence: str, end: str) -> None:
        closed = fence.split("m", maxsplit=1)[0].strip()
        lines = ("", fence, "# Tasks: fenced", "- [ ] T001 One", "- [ ] T002 Two (depends on T003)", closed, "")
        with pytest.raises(BadGraph, match=r"tasks.md:5 .*T003, which is not in the list"):
            parse_spec(end.join(lines), "tasks.md")
        spec = parse_spec(end.join(lines).replace(" (depends on T003)", ""), "tasks.md")
        assert (spec.title, list(tasks_of(spec))) == ("Tasks: fenced", ["T001", "T002"])

    def test_text_that_stands_in_a_fence_as_a_whole_is_a_spec(self) -> None:
        assert parse_spec("```\n# A shop\n\nSells.\n```\n", "spec.md").title == "A shop"
        two = "```\na\n```\n\n```\nb\n```\n"
        assert (parse_spec(two, "spec.md").title, parse_spec(two, "spec.md").text) == ("spec", two)

    def test_what_stands_in_a_comment_is_no_task_and_is_named(self) -> None:
        text = (
            "# Tasks: x\n\n## Phase 1: A\n\n<!--\n- [ ] T009 Later\n-->\n- [ ] T001 Now\n  <!-- - [ ] T010 Never -->\n"
        )
        spec = parse_spec(text, "tasks.md")
        assert needs(spec) == {"T001": ()}
        assert noted(spec, "T009").startswith("T009 (line 6), T010 (line 9): not in the list")

    def test_what_is_struck_through_is_left_out_and_named(self) -> None:
        text = "## Phase 1: A\n- [ ] ~~T001 Gone~~\n- [ ] T002 ~~Gone too~~\n- [ ] T003 Stays (depends on T001)\n"
        spec = parse_spec(text, "tasks.md")
        assert needs(spec) == {"T003": ()}
        assert noted(spec, "struck through") == "T001, T002: struck through, so left out"

    @pytest.mark.parametrize("line", ["T002 - Parse", "T002 [P]: Parse", "**T002 [P]** Parse", "T002 \u2014 Parse"])
    def test_titles_begin_with_their_words(self, line: str) -> None:
        spec = parse_spec(f"## Phase 1: A\n- [ ] T001 First\n- [ ] {line}\n", "tasks.md")
        assert tasks_of(spec)["T002"].title == "Parse"

    @pytest.mark.parametrize("line", ["T002\u2013T004 Parse", "T002, T003 Parse", "T002/T003 Parse"])
    def test_a_line_for_several_tasks_is_an_error(self, line: str) -> None:
        with pytest.raises(BadSpec, match="names several tasks") as caught:
            parse_spec(f"## Phase 1: A\n- [ ] T001 First\n- [ ] {line}\n", "tasks.md")
        assert caught.value.line == 3

    def test_dotted_and_bold_ids_and_ranges(self) -> None:
        text = (
            "- [ ] T009 [P] Nine\n- [ ] T009.5 [P] Between\n- [ ] **T010** [P] Ten\n"
            "- [ ] T011 [P] All (depends on T009-T010)\n- [ ] T012 [P] One (blocked by T009.5)\n"
        )
        spec = parse_spec(text, "tasks.md")
        assert needs(spec)["T011"] == ("T009", "T009.5", "T010")
        assert needs(spec)["T012"] == ("T009.5",)
        assert tasks_of(spec)["T010"].title == "Ten"

    def test_tasks_outside_phases_keep_their_sections_in_order(self) -> None:
        text = "# Tasks\n\n## Setup\n\n- [ ] T001 [P] One\n\n## Polish\n\n- [ ] T002 [P] Two\n\n## Polish\n\n- [ ] T003 Three\n"
        spec = parse_spec(text, "tasks.md")
        assert spec.graph is not None
        assert spec.graph.milestones == ("Setup", "Polish", "Polish (2)")

    def test_tests_come_first_until_their_code_is_there(self) -> None:
        text = """\
## Phase 3: User Story 1 - Sums (Priority: P1)

### Tests for User Story 1 (write them FIRST)

- [ ] T010 [P] [US1] Unit test in tests/test_add.py
- [ ] T011 [P] [US1] Integration test in tests/test_sums.py

### Implementation for User Story 1

- [ ] T012 [P] [US1] Add in src/add.py
- [ ] T013 [US1] Sums in src/sums.py
- [ ] T014 [P] [US1] A command in src/command.py
- [ ] T015 [P] [US1] A page in src/page.py

## Phase 4: Polish

- [ ] T020 Write the README
"""
        tasks = tasks_of(parse_spec(text, "tasks.md"))
        assert tasks["T012"].depends_on == ("T010", "T011")
        assert tasks["T010"].tests_first == tasks["T011"].tests_first == ("T013", "T014", "T015")
        assert all(not tasks[name].tests_first for name in ("T012", "T013", "T014", "T020"))

    def test_the_older_template_has_its_tests_in_a_phase_before_the_code(self) -> None:
        text = (
            "## Phase 3.2: Tests First (TDD)\n- [ ] T004 [P] Contract test\n\n"
            "## Phase 3.3: Core Implementation\n- [ ] T008 Model\n- [ ] T009 Service\n\n## Phase 3.4: Polish\n- [ ] T010 Docs\n"
        )
        assert tasks_of(parse_spec(text, "tasks.md"))["T004"].tests_first == ("T009",)

    @pytest.mark.parametrize(
        ("line", "order"),
        [
            ("- T002 blocks T003, T005 (one file)", {"T003": "T002", "T005": "T002"}),
            ("- **T002 and T003 block T004**; T004 blocks T005", {"T004": "T002 T003", "T005": "T004"}),
            ("T002 (a) \u2192 T003-T004 (b) -> T005", {"T003": "T002", "T004": "T002", "T005": "T003 T004"}),
            ("- T005 requires T002-T003 complete", {"T005": "T002 T003"}),
            ("- T004/T005 begin only after T003", {"T004": "T003", "T005": "T003"}),
            ("- Tests (T002-T003) before code (T004-T005)", {"T004": "T002 T003", "T005": "T002 T003"}),
            ("- T002 must land before T004. T005 needs T003+T004", {"T004": "T002", "T005": "T003 T004"}),
            ("- T005 does not depend on T002; T003 and T004 are independent", {}),
            ("- T002 blocks nothing; T003 is last", {}),
            ("- T002_b blocks T003, and T_X blocks T004", {}),
        ],
    )
    def test_an_order_that_is_told_beside_the_tasks_counts(self, line: str, order: dict[str, str]) -> None:
        tasks = "".join(f"- [ ] T00{number} [P] Do {number}\n" for number in range(2, 6))
        for text in (f"{tasks}\n## Dependencies\n\n{line}\n", f"{tasks}\n```text\n{line}\n```\n"):
            spec = parse_spec(text, "tasks.md")
            wanted = {f"T00{number}": tuple(order.get(f"T00{number}", "").split()) for number in range(2, 6)}
            assert needs(spec) == wanted
            assert spec.notes == ()

    def test_an_order_against_the_list_is_named(self) -> None:
        spec = parse_spec("- [ ] T001 [P] A\n- [ ] T002 [P] B\n\nT002 blocks T001\n", "tasks.md")
        assert needs(spec) == {"T001": (), "T002": ()}
        assert noted(spec, "line 4 says T002 before T001, against the order of the list: not followed")

    def test_what_is_indented_below_a_task_is_its_own(self) -> None:
        text = """\
## Phase 1: Core

- [ ] T001 Create src/a.py
- [ ] [T002] [P] **Create** src/b.py
  - Dependencies: T001 (its types)
- [ ] T003 [P] Create src/c.py, whose description
      is wrapped (depends on T002)
- [ ] T004 [P] Create src/d.py
  **Blocks**: T005
- [ ] T005 [P] Create src/e.py
  - Steps:
    - [ ] write it
"""
        spec = parse_spec(text, "tasks.md")
        expected = {
            "T001": (),
            "T002": ("T001",),
            "T003": ("T001", "T002"),
            "T004": ("T001",),
            "T005": ("T001", "T004"),
        }
        assert needs(spec) == expected
        assert "whose description\nis wrapped" in tasks_of(spec)["T003"].goal
        assert "- Steps:\n- [ ] write it" in tasks_of(spec)["T005"].goal
        with pytest.raises(BadGraph, match="depends on T009, which is not in the list"):
            parse_spec("- [ ] T001 A\n  - **Depends on**: T009\n", "tasks.md")


class TestTaskMaster:
    def test_words_as_ids_and_odd_statuses(self) -> None:
        tasks = [
            {"id": "core", "title": "Core", "status": "done", "dependencies": []},
            {"id": "cli", "title": "CLI", "status": "To Do", "dependencies": ["core"]},
            {"id": "docs", "title": "Docs", "status": "in_progress", "dependencies": ["cli"]},
        ]
        spec = parse_spec(json.dumps({"master": {"tasks": tasks}}), "tasks.json")
        assert needs(spec) == {"cli": (), "docs": ("cli",)}
        assert noted(spec, "done").startswith("core")

    def test_other_tags_open_statuses_and_keys_that_are_not_read_are_named(self) -> None:
        tasks = [
            {"id": 1, "title": "A", "status": "review", "dependencies": [], "acceptanceCriteria": "It adds."},
            {"id": 2, "title": "B", "status": "in-progress", "dependencies": [1], "complexityScore": 7},
        ]
        other = {"tasks": [{"id": 1, "title": "Other"}]}
        spec = parse_spec(json.dumps({"master": {"tasks": tasks}, "later": other}), "tasks.json")
        assert needs(spec) == {"1": (), "2": ("1",)}
        assert spec.notes == (
            "1: review, so open: built like any other",
            "2: in-progress, so open: built like any other",
            "'acceptanceCriteria': keys that are not read",
            "later: other tags, so left out (choose one with --tag)",
        )

    def test_a_tag_is_chosen_by_name(self) -> None:
        text = json.dumps({tag: {"tasks": [{"id": 1, "title": tag, "dependencies": []}]} for tag in ("one", "two")})
        assert tasks_of(parse_spec(text, "tasks.json", "two"))["1"].title == "two"
        with pytest.raises(BadSpec, match="has no tag 'tow'; its tags: one, two") as caught:
            parse_spec(text, "tasks.json", "tow")
        assert "--tag two" in str(caught.value.fix)
        with pytest.raises(BadSpec, match="several tags") as caught:
            parse_spec(text, "tasks.json")
        assert "--tag one" in str(caught.value.fix)
        with pytest.raises(BadSpec, match="has no tags"):
            parse_spec('{"tasks": [{"id": 1, "title": "A", "dependencies": []}]}', "tasks.json", "one")
        with pytest.raises(BadSpec, match="only lists of task-master"):
            parse_spec("# A spec\n\nin words\n", "spec.md", "one")

    def test_what_people_and_programs_write_into_them(self) -> None:
        tasks = [
            {"id": 1, "title": "A", "status": "pending", "priority": "High"},
            {"id": 2, "title": "B", "status": "pending", "priority": "urgent", "dependencies": [1.0]},
            {"id": 3, "title": "C", "status": "pending", "priority": "", "dependencies": [{"id": 2}]},
        ]
        spec = parse_spec(json.dumps({"tasks": tasks}), "tasks.json")
        assert needs(spec) == {"1": (), "2": ("1",), "3": ("2",)}
        assert [task.priority for task in tasks_of(spec).values()] == [2, 3, 1]
        with pytest.raises(BadSpec, match="is empty"):
            parse_spec(json.dumps({"tasks": [*tasks, {"id": 4, "title": "", "status": "pending"}]}), "tasks.json")


class TestDependencyKeys:
    @pytest.mark.parametrize(
        "key",
        ["dependencies", "depends_on", "dependsOn", "deps", "blocked_by", "blockedBy", "after", "requires", "needs"],
    )
    def test_every_spelling_gives_the_order(self, key: str) -> None:
        tasks = [
            {"id": "a", "title": "A", "status": "pending"},
            {"id": "b", "title": "B", "status": "pending", key: ["a"]},
        ]
        assert needs(parse_spec(json.dumps({"tasks": tasks}), "list.json")) == {"a": (), "b": ("a",)}

    @pytest.mark.parametrize(("key", "said"), [("depend_ons", "did you mean"), ("blocks", "the other way round")])
    def test_what_is_nearly_one_is_an_error(self, key: str, said: str) -> None:
        tasks = [{"id": "a", "title": "A", "status": "pending", key: ["b"]}, {"id": "b", "title": "B"}]
        with pytest.raises(BadSpec, match=said) as caught:
            parse_spec(json.dumps({"tasks": tasks}), "list.json")
        assert caught.value.key == f"tasks[0].{key}"


class TestNumberedLists:
    @pytest.mark.parametrize(
        ("name", "first", "title"),
        [
            ("openspec/changes/add-login/tasks.md", "## 1. Setup", "add-login"),
            (".kiro/specs/login/tasks.md", "# Implementation Plan", "login"),
            (".kiro/specs/login/tasks.md", "# The login", "The login"),
            ("tasks.md", "# Implementation Plan", "Implementation Plan"),
            ("specs/later.md", "# Tasks", "Tasks"),
        ],
    )
    def test_what_is_built_has_the_name_of_its_folder_where_the_list_has_none(
        self, name: str, first: str, title: str
    ) -> None:
        assert parse_spec(f"{first}\n\n- [ ] 1.1 One\n", name).title == title

    def test_an_item_without_a_box_is_named_by_its_number(self) -> None:
        spec = parse_spec("- [ ] 1. One\n2. Two\n- 3. Three\n  4. below it\n", "tasks.md")
        assert [note for note in spec.notes if "no box" in note] == [
            "line 2 has no box, so it is not a task: 2 Two",
            "line 3 has no box, so it is not a task: 3 Three",
        ]
        assert "4. below it" in tasks_of(spec)["1"].goal

    KIRO = """\
# Implementation Plan

- [x] 1. Set up
- [-] 2. Data model
  - [ ] 2.1 Write the model in src/model.py
    - Two fields, both required
    - _Requirements: 1.2, 1.3_
  - [ ]* 2.2 Write its tests
- [ ] 3. Wire it up
"""

    def test_kiro(self) -> None:
        spec = parse_spec(self.KIRO, "tasks.md")
        assert spec.form == "kiro"
        assert needs(spec) == {"2.1": (), "3": ("2.1",)}
        model = tasks_of(spec)["2.1"]
        assert model.requirements == ("Requirement 1.2", "Requirement 1.3")
        assert model.files_expected == ("src/model.py",)
        assert "Two fields" in model.goal
        assert "Part of 2: Data model" in model.goal
        assert noted(spec, "optional").startswith("2.2")

    def test_openspec(self) -> None:
        text = (
            "## 1. Implementation\n- [x] 1.1 Done\n- [ ] 1.2 Add src/api.py\n- [-] 1.3 Document it\n\n"
            "## 2. After\n- [ ] 2.1 Ship\n- [ ] tell Ada\n"
        )
        spec = parse_spec(text, "tasks.md")
        assert spec.form == "openspec"
        assert needs(spec) == {"1.2": (), "1.3": ("1.2",), "2.1": ("1.3",)}
        assert "Part of 1. Implementation." in tasks_of(spec)["1.2"].goal
        assert noted(spec, "tell Ada").startswith("line 8 ")

    def test_boxes_and_numbers_as_people_type_them(self) -> None:
        text = "- [ ]1. A\n-[x] 2. B\n* [ ] **3.1**: C\n[ ] 3.2 D\n\u2022 [ ] 3.3) E\n- [link](x) 3.4\n- 3.5 F\n"
        spec = parse_spec(text, "tasks.md")
        assert list(needs(spec)) == ["1", "3.1", "3.2", "3.3"]
        assert noted(spec, "ticked").startswith("2:")
        assert noted(spec, "line 7 has no box, so it is not a task: 3.5 F")

    @pytest.mark.parametrize("said", ["(depends on 2.1)", "_Dependencies: 1.2, 2.1_", "**Blocked by**: task 2.1"])
    def test_an_order_against_the_list_is_named(self, said: str) -> None:
        spec = parse_spec(f"- [ ] 1.1 A\n  - {said}\n- [ ] 1.2 B\n- [ ] 2.1 C\n", "tasks.md")
        assert list(needs(spec)) == ["1.1", "1.2", "2.1"]
        assert noted(spec, "1.1 says that it depends on 2.1, which the list has later")

    def test_a_number_twice_is_named(self) -> None:
        with pytest.raises(BadGraph, match="used twice; first in line 1"):
            parse_spec("- [ ] 1.1 One\n- [ ] 1.1 Two\n", "tasks.md")

    def test_boxes_without_numbers_are_free_text(self) -> None:
        assert parse_spec("# Wishes\n- [ ] fast\n- [ ] 99.9 percent up\n- [ ] small\n", "spec.md").form == "markdown"

    def test_a_checkpoint_is_left_out_and_named_unless_it_asks_for_more(self) -> None:
        text = (
            "# Implementation Plan\n\n- [ ] 1. Parse\n- [ ] 2. Checkpoint - Ensure all tests pass\n"
            "  - Ensure all tests pass, ask the user if questions arise.\n"
            "- [ ] 3. Checkpoint\n  - Write the report\n- [ ] 4. Final checkpoint: make sure all tests pass\n"
        )
        spec = parse_spec(text, "tasks.md")
        assert list(tasks_of(spec)) == ["1", "3"]
        assert noted(spec, "checkpoint").startswith("2, 4: a checkpoint, so left out")

    def test_boxes_that_are_hidden_or_ticked_without_a_number_are_named(self) -> None:
        text = "- [ ] 1. Parse\n<!--\n- [ ] 2. Later\n-->\n```\n- [ ] 3. Sample\n```\n- [x] Done\n- [ ] 4. Show\n"
        spec = parse_spec(text, "tasks.md")
        assert list(tasks_of(spec)) == ["1", "4"]
        assert noted(spec, "fence or a comment").endswith("line 3, 6")
        assert noted(spec, "ticked") == "line 8 has no number and is ticked, so it is not a task: Done"


class TestStories:
    STORY = """\
# Story 1.2: Divide two numbers

Status: ready-for-dev

## Acceptance Criteria

1. divide(1, 4) is 0.25
2. Division by zero says so

## Tasks / Subtasks

- [x] Task 1: Read the old code
- [ ] Task 2: Write `calc/divide.py` (AC: 1)
  - [ ] Subtask 2.1: exact
- [ ] Task 3: Command line

## Dev Notes

Use Decimal.
"""

    def test_a_story_becomes_its_tasks(self) -> None:
        spec = parse_spec(self.STORY, "1-2-divide.md")
        assert (spec.form, spec.title) == ("bmad", "Story 1.2: Divide two numbers")
        assert needs(spec) == {"1.2.2": (), "1.2.3": ("1.2.2",)}
        tasks = tasks_of(spec)
        assert tasks["1.2.2"].acceptance == ("divide(1, 4) is 0.25",)
        assert tasks["1.2.3"].acceptance == ("Division by zero says so",)
        assert "Subtask 2.1: exact" in tasks["1.2.2"].goal
        assert "Use Decimal." in spec.text

    def test_boxes_outside_of_its_tasks_are_named(self) -> None:
        text = (
            "# Story 1.2: Names\n\n## Tasks / Subtasks\n\n- [ ] Task 1\n\n## Dev Notes\n\n- [x] Read\n\n"
            "## Senior Developer Review (AI)\n\n### Action Items\n\n- [ ] [High] Handle errors\n"
        )
        spec = parse_spec(text, "1.2.names.md")
        assert [task.title for task in tasks_of(spec).values()] == ["Task 1"]
        assert spec.notes == (
            "line 15 is in the section Senior Developer Review (AI), so it is not a task: [High] Handle errors",
        )

    def test_the_sprint_status_is_named(self) -> None:
        with pytest.raises(BadSpec, match="sprint status") as caught:
            parse_spec("development_status:\n  epic-1: backlog\n  1-1-login: done\n", "sprint-status.yaml")
        assert "story" in str(caught.value.fix)


def backlog(number: int, status: str = "To Do", more: str = "") -> str:
    return f"""\
---
id: TASK-{number}
title: Task number {number}
status: {status}
created_date: 2025-01-01
{more}---

## Description

<!-- SECTION:DESCRIPTION:BEGIN -->
Do it in `src/t{number}.py`.
<!-- SECTION:DESCRIPTION:END -->

## Acceptance Criteria

<!-- AC:BEGIN -->
- [ ] #1 It works
<!-- AC:END -->
"""


class TestBacklog:
    def test_a_folder_of_task_files(self, tmp_path: Path) -> None:
        (tmp_path / "task-1.md").write_text(backlog(1, "Done"))
        (tmp_path / "task-2.md").write_text(backlog(2, "In Progress", "dependencies: [TASK-1]\npriority: high\n"))
        (tmp_path / "task-3.md").write_text(backlog(3, more="dependencies:\n  - TASK-2\n  - TASK-9\n"))
        (tmp_path / "task-3.1.md").write_text(backlog(4, more="parent_task_id: TASK-3\n"))
        (tmp_path / "readme.md").write_text("# not a task\n")
        spec = read_spec(tmp_path)
        assert spec.form == "backlog"
        assert needs(spec) == {"TASK-2": (), "TASK-4": (), "TASK-3": ("TASK-2", "TASK-4")}
        assert tasks_of(spec)["TASK-2"].acceptance == ("It works",)
        assert tasks_of(spec)["TASK-2"].files_expected == ("src/t2.py",)
        assert "SECTION" not in tasks_of(spec)["TASK-2"].goal
        assert "TASK-9" in noted(spec, "not waited for")
        assert noted(spec, "done").startswith("TASK-1")

    def test_a_sub_task_that_depends_on_its_task_comes_after_it(self, tmp_path: Path) -> None:
        (tmp_path / "task-1.md").write_text(backlog(1))
        (tmp_path / "task-2.md").write_text(backlog(2, more="parent_task_id: TASK-1\ndependencies: [task-1]\n"))
        (tmp_path / "task-3.md").write_text(backlog(3, more="parent_task_id: TASK-1\n"))
        spec = read_spec(tmp_path)
        assert needs(spec) == {"TASK-3": (), "TASK-1": ("TASK-3",), "TASK-2": ("TASK-1",)}
        assert noted(spec, "TASK-2 depends on TASK-1, whose sub-task it is: done after it")

    def test_other_files_and_odd_states_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "README.md").write_text("# Read me\n")
        (tmp_path / "task-2.md").write_text("---\ntitle: No id\nstatus: To Do\n---\n")
        (tmp_path / "task-1.md").write_text("---\nid: TASK-1\ntitle: A\nstatus: Waiting for Ann\n---\n")
        spec = read_spec(tmp_path)
        assert list(needs(spec)) == ["TASK-1"]
        assert noted(spec, "README.md, task-2.md: no task files")
        assert noted(spec, "TASK-1: the status 'Waiting for Ann' does not say that it is done")

    def test_what_the_front_matter_says_is_told_or_named(self) -> None:
        more = (
            "references: [docs/money.md, 'https://example.org/7']\ndocumentation: docs/api.md\n"
            "modified_files:\n  - src/money.py\nmilestone: m-1\nassignee: ['@ann']\nlabels: [x]\npriority: urgent\n"
        )
        spec = parse_spec(backlog(7, more=more), "task-7.md")
        task = tasks_of(spec)["TASK-7"]
        told = "To be read:\n- docs/money.md\n- https://example.org/7\n\nDocumentation:\n- docs/api.md"
        assert told in task.goal
        assert task.files_expected == ("src/t7.py", "src/money.py")
        assert spec.notes == ("milestone of TASK-7: not read", "priority 'urgent' of TASK-7: not read")

    def test_each_line_of_the_text_is_kept(self) -> None:
        text = backlog(7).replace("Do it in", "<!-- mind the cents -->\n```python\nprint(`src/no.py`)\n```\nDo it in")
        text = text.replace("- [ ] #1 It works\n", "- [ ] #1 It works\nAll of these:\n- without a box\n")
        task = tasks_of(parse_spec(text, "task-7.md"))["TASK-7"]
        assert task.acceptance == ("It works", "without a box")
        assert "<!-- mind the cents -->\n```python\nprint(`src/no.py`)\n```" in task.goal
        assert "All of these:" in task.goal
        assert task.files_expected == ("src/t7.py",)

    def test_the_folder_around_the_tasks_and_folders_in_it(self, tmp_path: Path) -> None:
        for name in ("tasks", "tasks/old", "tasks/empty", "drafts"):
            (tmp_path / name).mkdir()
        (tmp_path / "drafts" / "draft-1.md").write_text("# Later\n")
        (tmp_path / "tasks" / "task-1.md").write_text(backlog(1))
        (tmp_path / "tasks" / "old" / "task-2.md").write_text(backlog(2))
        spec = read_spec(tmp_path)
        assert list(needs(spec)) == ["TASK-1"]
        assert noted(spec, "old/: folders inside are not read")
        assert noted(spec, "drafts/: folders inside are not read")

    def test_one_file(self) -> None:
        spec = parse_spec(backlog(7), "task-7.md")
        assert (spec.title, list(tasks_of(spec))) == ("Task number 7", ["TASK-7"])


def issue(name: str, **more: Any) -> str:
    return json.dumps({"id": name, "title": name, "description": "d", "status": "open", "issue_type": "task"} | more)


def link(name: str, other: str, kind: str = "blocks") -> dict[str, str]:
    return {"issue_id": name, "depends_on_id": other, "type": kind}


class TestBeads:
    def test_one_issue_without_a_type_is_a_task_of_the_list(self) -> None:
        untyped = json.dumps({"id": "bd-2", "title": "Two", "status": "open", "blockedBy": ["bd-1"], "priority": 1})
        assert needs(parse_spec(f"{issue('bd-1')}\n{untyped}\n", "issues.jsonl")) == {"bd-1": (), "bd-2": ("bd-1",)}

    def test_blocks_give_the_order_and_epics_are_built_by_their_parts(self) -> None:
        lines = [
            issue("bd-1", status="closed"),
            issue("bd-2", issue_type="epic", dependencies=[link("bd-2", "bd-5")]),
            issue("bd-3", dependencies=[link("bd-3", "bd-2", "parent-child"), link("bd-3", "bd-1")], priority=0),
            issue("bd-4", dependencies=[link("bd-4", "bd-2"), link("bd-4", "bd-3", "related")]),
            issue("bd-5"),
        ]
        spec = parse_spec("\n".join(lines) + "\n", "issues.jsonl")
        assert spec.form == "beads"
        assert needs(spec) == {"bd-3": ("bd-5",), "bd-4": ("bd-3",), "bd-5": ()}
        assert tasks_of(spec)["bd-3"].priority > tasks_of(spec)["bd-4"].priority
        assert noted(spec, "closed").startswith("bd-1")
        assert noted(spec, "its parts").startswith("bd-2")
        assert noted(spec, "'related'").startswith("bd-4")

    @pytest.mark.parametrize(
        ("second", "said"),
        [
            (issue("bd-1"), "used twice; first in line 1"),
            (issue("bd-2", dependencies=[link("bd-2", "bd-9")]), "bd-9, which is not in the file"),
            ("{", "is not JSON"),
            (issue("bd 2"), "is not an id"),
        ],
    )
    def test_what_is_wrong_is_named_by_its_line(self, second: str, said: str) -> None:
        with pytest.raises(BadSpec, match=said) as caught:
            parse_spec(f"{issue('bd-1')}\n{second}\n", "issues.jsonl")
        assert caught.value.line == 2

    def test_ids_alone_and_other_keys_give_the_order_and_odd_states_are_named(self) -> None:
        issues: list[dict[str, Any]] = [
            {"id": "b-1", "title": "A", "issue_type": "task", "status": "open", "dependency_count": 0},
            {"id": "b-2", "title": "B", "issue_type": "task", "status": "someday", "dependencies": ["b-1"]},
            {"id": "b-3", "title": "C", "issue_type": "bug", "status": "open", "blocked_by": ["b-2"]},
        ]
        spec = parse_spec("\n".join(map(json.dumps, issues)), "issues.jsonl")
        assert needs(spec) == {"b-1": (), "b-2": ("b-1",), "b-3": ("b-2",)}
        assert noted(spec, "'someday'").startswith("b-2")
        with pytest.raises(BadSpec, match="the other way round"):
            parse_spec(json.dumps({**issues[0], "blocks": ["b-2"]}), "issues.jsonl")

    def test_what_an_export_holds_beside_work_is_named(self) -> None:
        text = "\n".join((
            json.dumps({"_type": "beads-jsonl", "version": 1}),
            issue("a"),
            issue("b", _type="issue", dependencies=[link("b", "external:shop:api"), link("b", "gone", "related")]),
            issue("mail", issue_type="message"),
            issue("form", is_template=True),
            json.dumps({"_type": "memory", "key": "k", "value": "Use tabs."}),
        ))  # fmt: skip
        spec = parse_spec(text, "issues.jsonl")
        assert needs(spec) == {"a": (), "b": ()}
        assert spec.notes == (
            "no issue but of the type 'beads-jsonl', so left out: line 1",
            "no issue but of the type 'memory', so left out: line 6",
            "b: needs external:shop:api: not waited for",
            "b: linked by 'related', which gives no order",
            "mail: of the type 'message', which is not work, so left out",
            "form: a template, so left out",
        )

    def test_comments_of_an_issue_are_told(self) -> None:
        comments = [{"id": 1, "author": "ann", "text": "Round half to even in `src/money.py`."}, {"id": 2, "text": ""}]
        task = tasks_of(parse_spec(issue("a", comments=comments), "issues.jsonl"))["a"]
        assert task.goal.endswith("Comments:\n- ann: Round half to even in `src/money.py`.")
        assert task.files_expected == ("src/money.py",)

    def test_json_lines_of_our_own_tasks(self) -> None:
        text = '{"id": "a", "title": "A", "goal": "g"}\n{"id": "b", "title": "B", "depends_on": ["a"]}\n'
        assert needs(parse_spec(text, "tasks.jsonl")) == {"a": (), "b": ("a",)}


class TestStoriesInAFolder:
    """BMAD keeps one file for each story, `1.2.title.md` or `1-2-title.md`, beside files that are none."""

    @staticmethod
    def story(number: str, boxes: str) -> str:
        return f"# Story {number}: Part {number}\n\n## Acceptance Criteria\n\n1. It works\n\n## Tasks / Subtasks\n\n{boxes}\n"

    def test_they_follow_each_other_by_number(self, tmp_path: Path) -> None:
        (tmp_path / "1-10-last.md").write_text(self.story("1.10", "- [ ] Last (AC: 1)"))
        (tmp_path / "1-2-next.md").write_text(self.story("1.2", "- [ ] One (AC: 1)\n- [ ] Two"))
        (tmp_path / "1-1-done.md").write_text(self.story("1.1", "- [x] Done"))
        (tmp_path / "index.md").write_text("# All stories\n")
        spec = read_spec(tmp_path)
        assert spec.graph is not None
        assert [(task.id, task.depends_on) for task in spec.graph.tasks] == [
            ("1.2.1", ()),
            ("1.2.2", ("1.2.1",)),
            ("1.10.1", ("1.2.2",)),
        ]
        assert spec.form == "bmad"
        assert any("story 1.1" in note for note in spec.notes), "nothing is dropped silently"

    def test_two_of_one_number_and_nothing_to_do_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "a.md").write_text(self.story("2.1", "- [x] Done"))
        with pytest.raises(BadSpec, match="every task of every story is ticked"):
            read_spec(tmp_path)
        (tmp_path / "b.md").write_text(self.story("2.1", "- [ ] Again"))
        with pytest.raises(BadSpec, match=r"is story 2\.1, as .*a\.md is"):
            read_spec(tmp_path)
