"""The examples in the guides are examples of what the program accepts."""

from __future__ import annotations

import re

from buildwright.advisors.own_tasks import TaskList
from buildwright.advisors.spec_file import parse_spec
from buildwright.agents.blocks import BlockScanner, DeleteBlock, EditBlock, FileBlock
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.gates import ORDER
from buildwright.gates.toolchain import Project, Toolchain, find_toolchain
from buildwright.wiring import AGENTS_OF_OTHERS
from tests.docs.pages import ROOT, blocks, read

GUIDES = ROOT / "docs" / "guides"
LISTS = GUIDES / "task-lists.md"
ENDINGS = {"json": "json", "yaml": "yaml", "markdown": "md"}


def specs() -> list[Spec]:
    return [
        parse_spec(text, f"example.{ending}")
        for language, ending in ENDINGS.items()
        for text in blocks(LISTS, language)
    ]


def test_the_task_lists_are_imported_each_in_its_form() -> None:
    found = specs()
    assert sorted(spec.form for spec in found) == ["interview", "spec-kit", "task-master", "tasks", "tasks"]
    assert [spec.title for spec in found if spec.graph is None] == ["Calculator"]
    by_form = {spec.form: spec.graph for spec in found}
    kit, master = by_form["spec-kit"], by_form["task-master"]
    assert kit is not None
    assert [task.id for task in kit.tasks] == ["T002", "T003", "T004"]
    assert kit.tasks[2].depends_on == ("T002", "T003")
    assert master is not None
    assert [task.id for task in master.tasks] == ["1.2", "2"]
    assert master.tasks[1].depends_on == ("1.2",)


def test_the_example_of_our_form_uses_every_key_and_the_tables_have_them_all() -> None:
    (text,) = blocks(LISTS, "yaml")
    page = read(LISTS).partition("## spec-kit")[0]
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert rows == set(Task.model_fields) | set(TaskList.model_fields)
    for key in rows:
        assert re.search(rf"^\s*(?:- )?{key}:", text, re.MULTILINE), key


def test_the_first_build_is_two_tasks_in_order() -> None:
    (text,) = blocks(GUIDES / "first-build.md", "json")
    graph = parse_spec(text, "tasks.json").graph
    assert graph is not None
    assert [(task.id, task.depends_on) for task in graph.tasks] == [("first", ()), ("second", ("first",))]


def toolchain(text: str) -> Toolchain:
    files = {"buildwright.toml": text, "package.json": "{}"}
    return find_toolchain(Project(list(files), files.get, lambda _: True), Options())


def test_the_example_of_buildwright_toml_is_accepted_as_it_is_explained() -> None:
    (text,) = blocks(GUIDES / "checks.md", "toml")
    found = toolchain(text)
    assert found.setup == ("npm ci --ignore-scripts",)
    assert [(check.name, check.kind, check.report) for check in found.checks] == [
        ("test", "test", ""),
        ("style", "lint", ""),
        ("api", "test", "reports/api.xml"),
    ]
    assert found.findings == ()


def test_the_gates_are_listed_in_their_order() -> None:
    table = read(GUIDES / "checks.md").partition("## What is found")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == ORDER


def test_the_blocks_of_the_direct_agent_are_read_as_blocks() -> None:
    page = read(GUIDES / "agents.md").partition("## direct")[2].partition("## claude")[0]
    text = "".join(f"{line[4:]}\n" for line in page.splitlines() if line.startswith("    "))
    scanner = BlockScanner()
    found = [*scanner.feed(text), *scanner.finish()]
    assert [type(block) for block in found] == [FileBlock, EditBlock, DeleteBlock]


def test_numbers_in_the_guides_are_the_defaults() -> None:
    limits = Limits()
    checks, pauses, agents = (read(GUIDES / f"{page}.md") for page in ("checks", "pauses", "agents"))
    assert f"A check has {limits.gate_seconds:.0f} seconds" in checks
    assert f"Of its output {limits.output_bytes // 1_000_000} MB" in checks
    assert f"{limits.pause_seconds / 60:.0f} minutes after the pause" in pauses
    assert (limits.stuck_after, limits.attempts, limits.failed_tasks, limits.train) == (3, 3, 3, 4)
    assert limits.budget_usd is None
    assert f"`{AGENTS_OF_OTHERS}`" in agents
