"""The examples in the guides are examples of what the program accepts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from buildwright.advisors.spec_file import TaskList, parse_spec
from buildwright.agents.blocks import BlockScanner, DeleteBlock, EditBlock, FileBlock
from buildwright.core.addresses import Destination
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadSettings
from buildwright.gates.needs import Needs, Network
from buildwright.gates.project_folder import ProjectFiles, Toolchain
from buildwright.gates.setup_cache import Setup
from buildwright.gates.toolchain import find_toolchain, read_settings
from buildwright.wiring import AGENTS_OF_OTHERS
from buildwright.wiring.own_models import read_models
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
    assert sorted(spec.form for spec in found) == ["interview", "kiro", "spec-kit", "task-master", "tasks", "tasks"]
    assert [spec.title for spec in found if spec.graph is None] == ["Calculator"]
    by_form = {spec.form: spec.graph for spec in found}
    kit, master = by_form["spec-kit"], by_form["task-master"]
    assert kit is not None
    assert [task.id for task in kit.tasks] == ["T002", "T003", "T004"]
    assert kit.tasks[2].depends_on == ("T002", "T003")
    assert master is not None
    assert [task.id for task in master.tasks] == ["1.2", "2"]
    assert master.tasks[1].depends_on == ("1.2",)
    assert by_form["kiro"] is not None
    assert [task.id for task in by_form["kiro"].tasks] == ["2.1"]


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
    return find_toolchain(ProjectFiles(list(files), files.get, lambda _: True), Options())


def test_the_example_of_buildwright_toml_is_accepted_as_it_is_explained() -> None:
    text, needs, services, _options = blocks(GUIDES / "checks.md", "toml")
    found = toolchain(text)
    assert found.setup == (
        Setup(("npm ci --ignore-scripts",), ("package.json", "package-lock.json"), ("node_modules",)),
    )
    assert [(check.name, check.kind, check.report) for check in found.checks] == [
        ("test", "test", ""),
        ("style", "lint", ""),
        ("api", "test", "reports/api.xml"),
    ]
    assert found.findings == ()
    assert read_settings(needs).needs == Needs(
        bring=(".env", "fixtures/**/*.json"),
        values={"DJANGO_SETTINGS_MODULE": "shop.settings.test"},
        passed=("AWS_REGION",),
        secrets={"INDEX_TOKEN": "setup", "SANDBOX_TOKEN": "checks"},
        network={"setup": Network(registries=True, hosts=(Destination("github.com"),)), "checks": Network()},
    )
    assert [(one.name, one.ready, one.seconds, one.address) for one in read_settings(services).needs.services] == [
        ("cache", 6390, 30.0, ""),
        ("api", "curl -sf localhost:8099/health", 60.0, ""),
        ("db", "", 30.0, "localhost:5432"),
    ]


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


def git(repository: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Reader", "-c", "user.email=reader@example.invalid")
    return subprocess.run(["git", *who, *arguments], cwd=repository, capture_output=True, text=True, check=True).stdout


def buildwright(home: Path, *arguments: str) -> tuple[int, str]:
    """Runs the program as a reader would; the exit code and what came on stdout."""
    own = {"BUILDWRIGHT_HOME": str(home), "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "buildwright", *arguments],
        cwd=home.parent,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout


def make_repository(folder: Path) -> Path:
    repository = folder / "repository"
    (repository / "tests").mkdir(parents=True)
    (repository / "README.md").write_text("# Calculator\n", encoding="utf-8")
    (repository / "tests" / "test_nothing.py").write_text("def test_true():\n    assert True\n", encoding="utf-8")
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=Start")
    return repository


def test_the_cassette_of_its_page_plays_a_whole_build(tmp_path: Path) -> None:
    repository = make_repository(tmp_path)
    (tmp_path / "SPEC.md").write_text("# Calculator\n\nAdds and divides.\n", encoding="utf-8")
    (text,) = blocks(ROOT / "docs" / "cassettes.md", "yaml")
    (tmp_path / "cassette.yaml").write_text(text, encoding="utf-8")
    common = ("--repo", str(repository), "--cassette", "cassette.yaml", "--sandbox", "none", "--json")
    code, out = buildwright(tmp_path / "home", "build", "SPEC.md", *common)
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0, lines[-1]
    assert {task["id"]: task["attempt"] for task in lines[-1]["tasks"]} == {"add": 1, "divide": 2}
    (branch,) = git(repository, "branch", "--list", "--format=%(refname:short)", "buildwright/*").split()
    assert "return None if b == 0" in git(repository, "show", f"{branch}:divide.py")


def test_the_first_build_of_the_guide_makes_its_two_commits(tmp_path: Path) -> None:
    repository = make_repository(tmp_path)
    (text,) = blocks(GUIDES / "first-build.md", "json")
    (tmp_path / "tasks.json").write_text(text, encoding="utf-8")
    (command,) = re.findall(r"--agent-command '(echo .*)'$", read(GUIDES / "first-build.md"), re.MULTILINE)
    options = ("--repo", str(repository), "--agent", "shell", "--agent-command", command, "--sandbox", "none")
    code, _ = buildwright(tmp_path / "home", "build", "tasks.json", *options)
    assert code == 0
    (branch,) = git(repository, "branch", "--list", "--format=%(refname:short)", "buildwright/*").split()
    subjects = git(repository, "log", "--format=%s", "--reverse", f"main..{branch}").splitlines()
    assert subjects == ["Task first: Write the first note", "Task second: Write the second note"]
    assert git(repository, "show", f"{branch}:second.txt") == "by second\n"
    assert git(repository, "status", "--porcelain") == ""


def test_the_models_of_the_guide_are_what_a_users_file_may_say(tmp_path: Path) -> None:
    (text,) = blocks(GUIDES / "models.md", "toml")
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    found = read_models(file, of_project=False)
    assert [one.id for one in found.models] == [
        "claude-haiku-5-5",
        "claude-sonnet-5-5",
        "claude-opus-5-5",
        "openai/qwen3-coder",
    ]
    assert found.fallback == ("spare",)
    with pytest.raises(BadSettings, match="cannot say what a model costs"):
        read_models(file, of_project=True)
