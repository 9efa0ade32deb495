"""Importers: what is accepted, and that every refusal names file, line or key, and the fix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.advisors.paths import path_problem, paths_in
from buildwright.advisors.spec_file import parse_spec, read_spec
from buildwright.core.graph import Graph
from buildwright.core.spec import Spec
from buildwright.errors import BadGraph, BadSpec


def graph_of(spec: Spec) -> Graph:
    assert spec.graph is not None
    return spec.graph


def needs(spec: Spec) -> dict[str, tuple[str, ...]]:
    return {task.id: task.depends_on for task in graph_of(spec).tasks}


def refused(text: str, name: str) -> BadSpec:
    with pytest.raises(BadSpec) as caught:
        parse_spec(text, name)
    assert name in str(caught.value)
    assert caught.value.fix
    return caught.value


def title_or_fix(text: str, name: str) -> str:
    try:
        return parse_spec(text, name).title
    except BadSpec as error:
        return error.fix or ""


OURS = """\
title: Shop
milestones: [one, two]
tasks:
  - id: a
    title: First
    milestone: one
    files_expected: [src/a.py]
    minutes: 2.5
  - id: b
    title: Second
    depends_on: [a]
    milestone: two
    validation: {command: make test}
"""


class TestOurs:
    def test_yaml_and_json_are_the_same(self) -> None:
        spec = parse_spec(OURS, "tasks.yaml")
        data = {
            "title": "Shop",
            "milestones": ["one", "two"],
            "tasks": [
                {"id": "a", "title": "First", "milestone": "one", "files_expected": ["src/a.py"], "minutes": 2.5},
                {
                    "id": "b",
                    "title": "Second",
                    "depends_on": ["a"],
                    "milestone": "two",
                    "validation": {"command": "make test"},
                },
            ],
        }
        assert (spec.title, spec.form, spec.source) == ("Shop", "tasks", "tasks.yaml")
        assert parse_spec(json.dumps(data), "tasks.json").graph == spec.graph
        assert parse_spec(json.dumps(data), "-").graph == spec.graph
        assert parse_spec(OURS, "/dev/stdin").graph == spec.graph

    def test_without_a_title_the_file_names_it(self) -> None:
        assert parse_spec('{"tasks": [{"id": "a", "title": "A"}]}', "plans/shop.json").title == "shop"

    @pytest.mark.parametrize(
        ("change", "key", "said"),
        [
            ({"depend_on": ["a"]}, "tasks[1].depend_on", "did you mean 'depends_on'"),
            ({"dependencies": ["a"]}, "tasks[1].dependencies", "did you mean 'depends_on'"),
            ({"blockedBy": ["a"]}, "tasks[1].blockedBy", "did you mean 'depends_on'"),
            ({"files": ["a.py"]}, "tasks[1].files", "did you mean 'files_expected'"),
            ({"description": "x"}, "tasks[1].description", "did you mean 'goal'"),
            ({"acceptance_criteria": ["x"]}, "tasks[1].acceptance_criteria", "did you mean 'acceptance'"),
            ({"estimate": 2}, "tasks[1].estimate", "did you mean 'minutes'"),
            ({"description": "x"}, "tasks[1].description", "unknown key"),
            ({"files": ["a"], "goal": "x"}, "tasks[1].files", "unknown key"),
            ({"depends_on": "a"}, "tasks[1].depends_on", "should be a list"),
            ({"depends_on": [1]}, "tasks[1].depends_on[0]", "should be text"),
            ({"title": None}, "tasks[1].title", "should be text"),
            ({"title": "x" * 201}, "tasks[1].title", "200"),
            ({"id": "a b"}, "tasks[1].id", "is not an id"),
            ({"action": "create!", "goal": "x"}, "tasks[1].action", "'create', 'modify'"),
            ({"minutes": 0}, "tasks[1].minutes", "greater than 0"),
            ({"validation": {"cmd": "x"}}, "tasks[1].validation.cmd", "did you mean 'command'"),
            ({"validation": "make"}, "tasks[1].validation", "object"),
            ({"files_expected": ["../x"]}, "tasks[1].files_expected[0]", "leaves the repository"),
            ({"files_expected": ["/etc/passwd"]}, "tasks[1].files_expected[0]", "absolute"),
        ],
    )
    def test_a_wrong_value_is_named_by_its_key(self, change: dict[str, Any], key: str, said: str) -> None:
        data = {"tasks": [{"id": "a", "title": "A"}, {"id": "b", "title": "B"} | change]}
        error = refused(json.dumps(data), "tasks.json")
        assert error.key == key
        assert said in str(error)

    @pytest.mark.parametrize(
        ("tasks", "line", "said"),
        [
            ([{"id": "a", "title": "A", "depends_on": ["zz"]}], 4, "depends on zz"),
            ([{"id": "a", "title": "A", "depends_on": ["a"]}], 4, "depends on itself"),
            ([{"id": "a", "title": "A"}, {"id": "a", "title": "B"}], 8, "used twice"),
            ([{"id": "x.y", "title": "X"}, {"id": "X.y", "title": "Y"}], 8, "upper and lower case"),
            (
                [{"id": "a", "title": "A", "depends_on": ["b"]}, {"id": "b", "title": "B", "depends_on": ["a"]}],
                4,
                "a -> b -> a",
            ),
        ],
    )
    def test_a_bad_graph_names_task_and_line(self, tasks: list[Any], line: int, said: str) -> None:
        error = refused(json.dumps({"tasks": tasks}, indent=2), "tasks.json")
        assert isinstance(error, BadGraph)
        assert error.line == line
        assert said in str(error)

    def test_no_tasks_are_a_bad_graph(self) -> None:
        assert isinstance(refused('{"tasks": []}', "tasks.json"), BadGraph)

    def test_a_bare_list_of_ours_loses_nothing(self) -> None:
        spec = parse_spec('[{"id": "a", "title": "A", "acceptance": ["x"]}]', "tasks.json")
        assert graph_of(spec).tasks[0].acceptance == ("x",)

    def test_missing_and_top_level_keys_are_named(self) -> None:
        assert refused('{"task": []}', "tasks.json").key == "task"
        assert refused("{}", "tasks.json").key == "tasks"
        assert "did you mean 'milestones'" in str(refused('{"tasks": [], "milestone": []}', "tasks.json"))

    def test_a_milestone_that_is_not_there_is_named(self) -> None:
        error = refused(OURS.replace("[one, two]", "[one]"), "tasks.yaml")
        assert (error.line, error.key) == (9, "b")


def test_a_key_that_is_a_list_or_a_table_is_named() -> None:
    for text in ("? [a]\n: b\n", "? {a: 1}\n: b\n"):
        assert "is not a key" in str(refused(text, "tasks.yaml"))


class TestText:
    @pytest.mark.parametrize(
        ("name", "text", "line", "said"),
        [
            ("x.json", '{\n "tasks": [,]\n}', 2, "column 12"),
            ("x.json", "[" * 100_000, None, "deep"),
            ("x.json", "[" * 65 + "]" * 65, None, "deep"),
            ("x.json", '{"tasks": [], "tasks": []}', None, "twice"),
            ("x.json", '{"tasks": NaN}', None, "NaN"),
            ("x.json", '{"tasks": ' + "9" * 5000 + "}", None, "usable"),
            ("x.json", r'{"tasks": "\ud800"}', None, "not text"),
            ("x.json", r'{"tasks": "\u0000"}', None, "not text"),
            ("x.json", "3", None, "task list"),
            ("x.yaml", "tasks:\n  - id: a\n   title: b\n", 3, "column"),
            ("x.yaml", "tasks:\n  - &a {id: a}\n  - *a\n", 2, "aliases"),
            ("x.yaml", "a: [" + "[" * 200 + "]" * 200 + "]", 1, "deep"),
            ("x.yaml", "[" * 100_000, 1, "deep"),
            ("x.yaml", "tasks: []\ntasks: []\n", 2, "twice"),
            ("x.yaml", "tasks: !!python/object/apply:os.system [ls]\n", 1, "not YAML"),
            ("x.yaml", "1: x\n", None, "not text"),
            ("x.yaml", "a: 1\n---\nb: 2\n", 2, "not YAML"),
            ("x.yaml", "a: \x01\n", None, "not YAML"),
            ("x.yaml", "just words", None, "task list"),
            ("x.md", "a\nb\0c", 2, "binary"),
            ("x.md", " \n\n", None, "empty"),
            ("x.json", "", None, "empty"),
            ("x.md", "x" * 10_000_001, None, "10 MB"),
        ],
    )
    def test_bad_text_is_refused(self, name: str, text: str, line: int | None, said: str) -> None:
        error = refused(text, name)
        assert said in str(error)
        assert error.line == line

    def test_a_billion_laughs_is_refused_at_once(self) -> None:
        laughs = "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(50))
        assert "aliases" in str(refused(laughs, "x.yaml"))

    def test_dates_stay_text(self) -> None:
        spec = parse_spec("tasks:\n  - {id: a, title: 2025-01-01}\n", "x.yaml")
        assert graph_of(spec).tasks[0].title == "2025-01-01"

    def test_10_000_tasks_of_yaml_are_read(self) -> None:
        tasks = "".join(f"  - {{id: t{i}, title: Task {i}}}\n" for i in range(10_000))
        assert len(graph_of(parse_spec(f"tasks:\n{tasks}", "x.yaml")).tasks) == 10_000

    @settings(max_examples=150, deadline=None)
    @given(st.text(max_size=200), st.sampled_from(["x.md", "x.json", "x.yaml", "x"]))
    def test_any_text_is_a_spec_or_refused(self, text: str, name: str) -> None:
        assert title_or_fix(text, name)

    @settings(max_examples=150, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["tasks", "id", "title", "depends_on", "dependencies", "subtasks", "status", "file"]
                    )
                    | st.sampled_from(["seed", "brief", "master", "task_list", "validation", "priority", "position"]),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        )
    )
    def test_any_data_is_a_spec_or_refused(self, data: Any) -> None:
        assert title_or_fix(json.dumps(data), "x.json")


class TestFiles:
    def test_a_byte_order_mark_is_dropped(self, tmp_path: Path) -> None:
        path = tmp_path / "spec.md"
        path.write_bytes(b"\xef\xbb\xbf# Shop\n")
        assert read_spec(path).title == "Shop"
        path.with_suffix(".json").write_bytes(b'\xef\xbb\xbf{"tasks": [{"id": "a", "title": "A"}]}')
        assert read_spec(path.with_suffix(".json")).graph is not None

    def test_text_at_hand_is_not_read_again(self, tmp_path: Path) -> None:
        assert read_spec(tmp_path / "no.md", "# Given\n").title == "Given"

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("# Shop".encode("utf-16"), "UTF-16"),
            ("# Shop".encode("utf-16-le"), "binary"),
            (b"ok\nb\xe4d\n", ":2: is not UTF-8"),
            (b"\x7fELF\x00\x01\xff", "not UTF-8"),
            (b"", "empty"),
            (b"x" * 10_000_001, "10 MB"),
        ],
    )
    def test_files_that_are_no_text(self, tmp_path: Path, content: bytes, said: str) -> None:
        path = tmp_path / "spec.md"
        path.write_bytes(content)
        with pytest.raises(BadSpec) as caught:
            read_spec(path)
        assert said in str(caught.value)
        assert "spec.md" in str(caught.value)
        assert caught.value.fix

    def test_missing_and_directory(self, tmp_path: Path) -> None:
        with pytest.raises(BadSpec, match="no such file"):
            read_spec(tmp_path / "no.md")
        with pytest.raises(BadSpec, match="directory"):
            read_spec(tmp_path)
        with pytest.raises(BadSpec, match="cannot be read"):
            read_spec(tmp_path / ("x" * 300))


SPEC_KIT = """\
# Tasks: Photo albums

## Format: `[ID] [P?] [Story] Description`

## Phase 1: Setup (Shared Infrastructure)

**Purpose**: Make it run

- [x] T001 Create project structure per implementation plan
- [ ] T002 Initialise the project in `pyproject.toml`
- [ ] T003 [P] Configure linting in tools/lint.cfg
- [ ] T004 [P] Write the README in docs/README.md (see https://example.org/a.html)

## Phase 2: User Story 1 - Albums (Priority: P1)

### Tests for User Story 1

- [ ] T005 [P] [US1] Contract test in tests/contract/test_albums.py
- [ ] T006 [US1] Implement albums in src/albums.py (depends on T001, T005)
- [ ] T007 Wire it up (depends on T003)

## Parallel Example

```bash
- [ ] T005 is not a task here
```

## Notes

- [ ] not a task either
"""


class TestSpecKit:
    def test_phases_marks_and_order(self) -> None:
        spec = parse_spec(SPEC_KIT, "tasks.md")
        assert (spec.form, spec.title) == ("spec-kit", "Tasks: Photo albums")
        graph = graph_of(spec)
        assert graph.milestones == (
            "Phase 1: Setup (Shared Infrastructure)",
            "Phase 2: User Story 1 - Albums (Priority: P1)",
        )
        assert needs(spec) == {
            "T002": (),
            "T003": ("T002",),
            "T004": ("T002",),
            "T005": (),
            "T006": ("T005",),
            "T007": ("T006", "T003"),
        }
        files = {task.id: task.files_expected for task in graph.tasks}
        assert files["T002"] == ("pyproject.toml",)
        assert files["T004"] == ("docs/README.md",)
        assert files["T005"] == ("tests/contract/test_albums.py",)
        assert graph.tasks[3].requirements == ("User story US1",)
        assert "Make it run" in graph.tasks[0].goal

    def test_crlf_stars_and_no_phases(self) -> None:
        spec = parse_spec("* [ ] T001 One\r\n* [X] T002 Two\r\n* [ ] T003: Three\r\n", "tasks.md")
        assert needs(spec) == {"T001": (), "T003": ("T001",)}
        assert graph_of(spec).tasks[1].title == "Three"

    @pytest.mark.parametrize(
        ("text", "line", "said"),
        [
            ("## Phase 1: A\n- [ ] T001 One\n- [ ] T001 Again\n", 3, "used twice; first in line 2"),
            ("## Phase 1: A\n- [ ] T001 One\n- [ ] Two\n", 3, "without an id"),
            ("## Phase 1: A\n- [ ] T001 [P]\n", 2, "no description"),
            ("## Phase 1: A\n- [ ] T001 One (depends on T009)\n", 2, "T009"),
            ("## Phase 1: A\n- [ ] T001 x depends on T002\n## Phase 2: B\n- [ ] T002 y\n", 2, "later milestone"),
            ("- [ ] T001 x depends on T002\n- [ ] T002 y\n", 1, "circle"),
            ("- [x] T001 x\n", None, "every task is ticked"),
        ],
    )
    def test_what_is_wrong_is_named_by_its_line(self, text: str, line: int | None, said: str) -> None:
        error = refused(text, "tasks.md")
        assert said in str(error)
        assert error.line == line

    def test_long_descriptions_keep_their_words(self) -> None:
        spec = parse_spec(f"- [ ] T001 {'word ' * 100}end\n", "tasks.md")
        task = graph_of(spec).tasks[0]
        assert len(task.title) == 200
        assert task.goal.endswith("end")


def master(*tasks: dict[str, Any]) -> str:
    return json.dumps({"master": {"tasks": list(tasks), "metadata": {"version": "1"}}})


class TestTaskMaster:
    def test_numbers_priorities_and_done_ones(self) -> None:
        text = master(
            {"id": 1, "title": "Base", "status": "done", "dependencies": [], "priority": "high", "description": "d"},
            {
                "id": 2,
                "title": "Login",
                "description": "Let people in",
                "details": "Write `src/login.py`, call json.loads",
                "testStrategy": "unit tests",
                "dependencies": [1],
                "priority": "high",
                "status": "pending",
                "complexityScore": 7,
            },
            {"id": 3, "title": "Logout", "dependencies": [1, 2], "priority": "low", "status": "in-progress"},
        )
        spec = parse_spec(text, "tasks.json")
        assert spec.form == "task-master"
        assert needs(spec) == {"2": (), "3": ("2",)}
        login, logout = graph_of(spec).tasks
        assert login.goal == "Let people in\n\nWrite `src/login.py`, call json.loads"
        assert login.files_expected == ("src/login.py",)
        assert login.acceptance == ("unit tests",)
        assert login.priority > logout.priority

    def test_subtasks_stand_for_their_task(self) -> None:
        text = master(
            {"id": 1, "title": "Base", "dependencies": []},
            {
                "id": 2,
                "title": "Group",
                "description": "About the group",
                "dependencies": [1],
                "priority": "high",
                "subtasks": [
                    {"id": 1, "title": "One", "dependencies": [], "status": "done"},
                    {"id": 2, "title": "Two", "dependencies": [1], "status": "pending"},
                    {"id": 3, "title": "Three", "dependencies": ["2.2"], "status": "pending"},
                ],
            },
            {"id": 3, "title": "After", "dependencies": [2]},
        )
        spec = parse_spec(text, "tasks.json")
        assert needs(spec) == {"1": (), "2.2": ("1",), "2.3": ("2.2", "1"), "3": ("2.2", "2.3")}
        assert "About the group" in graph_of(spec).tasks[1].goal

    def test_the_flat_form_and_a_single_tag(self) -> None:
        tasks = [{"id": 1, "title": "A", "dependencies": []}]
        assert needs(parse_spec(json.dumps({"tasks": tasks}), "x.json")) == {"1": ()}
        assert needs(parse_spec(json.dumps({"feature-x": {"tasks": tasks}}), "x.json")) == {"1": ()}

    @pytest.mark.parametrize(
        ("tasks", "key", "said"),
        [
            ([{"id": 1, "title": "A", "dependencies": [9]}], "1", "depends on 9"),
            ([{"id": 1, "title": "A", "dependencies": {}}], "master.tasks[0].dependencies", "list"),
            ([{"id": "x y", "title": "A", "dependencies": []}], "master.tasks[0].id", "is not an id"),
            ([{"id": 1, "dependencies": []}], "master.tasks[0].title", "missing"),
            ([{"id": 1, "title": "A"}, {"id": 1, "title": "B"}], "master.tasks[1].id", "twice"),
            ([{"id": 1, "title": "A", "status": "odd"}], "master.tasks[0].status", "pending"),
            ([{"id": 1, "title": "A", "status": "done"}], None, "every task"),
            (
                [{"id": 1, "title": "A", "dependencies": [2]}, {"id": 2, "title": "B", "dependencies": [1]}],
                "1",
                "circle",
            ),
        ],
    )
    def test_what_is_wrong_is_named(self, tasks: list[dict[str, Any]], key: str | None, said: str) -> None:
        error = refused(master(*tasks), "tasks.json")
        assert error.key == key
        assert said in str(error)

    def test_several_tags_are_not_guessed(self) -> None:
        assert "a, b" in str(refused('{"a": {"tasks": []}, "b": {"tasks": []}}', "tasks.json"))


class TestTaskList:
    TASKS = (
        {"id": "t3", "action": "UPDATE", "file": "server/app.ts", "depends_on": ["t1", "t2"], "position": 3},
        {
            "id": "t2",
            "title": "Table",
            "action": "CREATE",
            "file": "db/001.sql",
            "requirements": ["a", "b"],
            "phase": "database",
            "position": 2,
            "priority": "high",
            "status": "in_progress",
            "validation": {"command": "make db", "expected": "OK"},
            "code_template": "CREATE TABLE",
            "owner": None,
        },
        {"id": "t1", "action": "CREATE", "file": "a", "status": "completed", "position": 1},
        {"id": "t0", "action": "DELETE", "file": "old.ts", "status": "skipped", "position": 0},
    )

    @pytest.mark.parametrize("wrapped", ["bare", "tasks", "task_list"])
    def test_it_is_read_in_position_order(self, wrapped: str) -> None:
        tasks: Any = list(self.TASKS)
        data = {
            "bare": tasks,
            "tasks": {"tasks": tasks},
            "task_list": {"task_list": {"name": "Habits"}, "tasks": tasks},
        }
        spec = parse_spec(json.dumps(data[wrapped]), "list.json")
        assert needs(spec) == {"t2": (), "t3": ("t2",)}
        table, app = graph_of(spec).tasks
        assert (table.action, table.critical, table.files_expected) == ("create", True, ("db/001.sql",))
        assert table.validation is not None
        assert (table.validation.command, table.validation.expected) == ("make db", "OK")
        assert (table.code_template, table.requirements) == ("CREATE TABLE", ("a", "b"))
        assert (app.action, app.critical, app.title) == ("modify", False, "Update server/app.ts")
        assert spec.title == ("Habits" if wrapped == "task_list" else "list")

    @pytest.mark.parametrize(
        ("task", "key", "said"),
        [
            ({"file": "a"}, "tasks[0].id", "missing"),
            ({"id": "a", "file": "a", "status": "odd"}, "tasks[0].status", "pending"),
            ({"id": "a", "file": "../a"}, "tasks[0].files_expected[0]", "leaves"),
            ({"id": "a", "file": "a", "depends_on": ["zz"]}, "a", "zz"),
            ({"id": "a", "file": "a", "status": "skipped"}, None, "skipped"),
        ],
    )
    def test_what_is_wrong_is_named(self, task: dict[str, Any], key: str | None, said: str) -> None:
        error = refused(json.dumps([task]), "list.json")
        assert error.key == key
        assert said in str(error)


class TestInterview:
    ARTIFACTS = (
        ("brief", {"title": "Habits", "goals": ["track"]}),
        ("build_plan", {"stack": ["python"], "features": [{"name": "Streaks", "acceptance": ["counts days"]}]}),
        ("product_doc", {"pages": ["Today"]}),
    )

    def test_with_and_without_seed(self) -> None:
        spec = parse_spec(json.dumps(dict(self.ARTIFACTS)), "interview.json")
        assert (spec.form, spec.title, spec.graph) == ("interview", "Habits", None)
        assert spec.build_plan is not None
        assert spec.build_plan.features[0].name == "Streaks"
        seeded = parse_spec(json.dumps({"project_id": "p", "seed": dict(self.ARTIFACTS)}), "start.json")
        assert seeded.product_doc == spec.product_doc

    def test_what_is_wrong_is_named(self) -> None:
        assert refused('{"brief": {"titel": "x"}}', "i.json").key == "brief.titel"
        assert "did you mean 'title'" in str(refused('{"seed": {"brief": {"titel": "x"}}}', "i.json"))
        assert refused('{"build_plan": {}}', "i.json").key == "brief"
        features = {"brief": {"title": "x"}, "build_plan": {"features": [{"name": "a", "prio": 1}]}}
        assert refused(json.dumps(features), "i.json").key == "build_plan.features[0].prio"


class TestMarkdown:
    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("# Shop #\ntext", "Shop"),
            ("intro\n\nShop\n====\n", "Shop"),
            ("```\n# not this\n```\n## That\n", "That"),
            ("---\ntitle: x\n---\n# Real\n", "Real"),
            ("no heading", "SPEC"),
            ("# " + "x" * 300, "x" * 200),
            ("#\n# Second\n", "Second"),
            ("[a link](x) and\n{braces}\n", "SPEC"),
            ("- [ ] buy milk\n", "SPEC"),
        ],
    )
    def test_the_first_heading_is_the_title(self, text: str, title: str) -> None:
        spec = parse_spec(text, "dir/SPEC.md")
        assert (spec.form, spec.title, spec.text, spec.graph) == ("markdown", title, text, None)


def test_paths_in_text() -> None:
    text = "Edit `src/a b.py` and `README.md`, src/x/y.ts. Not and/or, `json.loads`, `run()`, https://a.b/c.py, ../up.py, e.g. it"
    assert paths_in(text) == ("README.md", "src/x/y.ts")
    assert paths_in("word/" * 20_000 + "`") == ()


@pytest.mark.parametrize("path", ["", "/a", "~/a", "a/../b", "a\\b", "C:/a", ".git/config", "a/.GIT/x", "a\nb"])
def test_paths_that_leave_the_repository(path: str) -> None:
    assert path_problem(path)


@pytest.mark.parametrize("path", ["a", "a/b.py", ".github/x", "a b/ü.txt", "a..b", ".gitignore"])
def test_paths_inside_it(path: str) -> None:
    assert path_problem(path) == ""
