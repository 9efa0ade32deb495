"""What somebody meets who tries the program for the first time: it says what cannot work before anything begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import WRITES, Program, shell, write_tasks
from tests.git import git


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return write_tasks(tmp_path / "one.json", {"id": "a", "title": "First", "acceptance": ["a.txt is there"]})


def _agent(folder: Path) -> Path:
    path = folder / "agent.sh"
    path.write_text(f"#!/bin/sh\n{WRITES}\n", "utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "command", ["./agent.sh", "MODE=x ./agent.sh --fast", "../agent.sh", "sh agent.sh", "bash ./agent.sh x"]
)
def test_an_agent_s_program_that_checkouts_do_not_have_is_named_before_the_start(
    program: Program, repository: Path, one: Path, command: str
) -> None:
    _agent(repository)
    refused = program("build", one, "--repo", repository, *shell(command, "--no-gates"))
    assert refused.code == 78
    assert "agent.sh is not in the commit that the build starts from" in refused.err
    assert "fix: commit it" in refused.err
    assert program("status", "--all", "--json").object["builds"] == []


def test_an_agent_s_program_that_is_committed_runs(program: Program, repository: Path, one: Path) -> None:
    _agent(repository)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "The agent")
    built = program("build", one, "--repo", repository, *shell("./agent.sh", "--no-gates"))
    assert built.code == 0, built.err


def test_an_agent_s_program_that_the_sandbox_hides_is_named_with_what_shows_it(
    program: Program, repository: Path, one: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    agent = _agent(folder)
    build = ("build", one, "--repo", repository, "--agent", "shell", "--no-gates", "--new", "--sandbox")
    hidden = program(*build, "bubblewrap", "--agent-command", str(agent))
    assert hidden.code == 78
    assert f"agents cannot see {agent}" in hidden.err
    assert f"add {folder} to PATH" in hidden.err
    path = f"{folder}:{program.environment['PATH']}"
    assert program(*build, "bubblewrap", "--agent-command", str(agent), PATH=path).code == 0
    assert program(*build, "none", "--agent-command", str(agent)).code == 0
    inside = _agent(repository)
    named = program(*build, "bubblewrap", "--agent-command", f"sh {inside}")
    assert (named.code, f"fix: commit it, and name it in the repository, as ./{inside.name}" in named.err) == (78, True)
    missing = program(*build, "none", "--agent-command", "/nowhere/agent.sh")
    assert (missing.code, "there is no program /nowhere/agent.sh" in missing.err) == (78, True)


def test_a_base_that_is_not_there_is_answered_with_branches_of_the_user(
    program: Program, repository: Path, one: Path
) -> None:
    for number in range(9):
        git(repository, "branch", f"buildwright/result-{number}")
    refused = program("build", one, "--repo", repository, "--base", "nosuch", *shell("true", "--no-gates"))
    assert refused.code == 2
    named = refused.err.partition("branches: ")[2]
    assert named.startswith(f"{git(repository, 'branch', '--show-current').strip()}, buildwright/result-")


def test_stop_asks_which_build_is_meant_and_never_ends_one_unasked(program: Program, one: Path) -> None:
    program("build", one, "--agent", "noop", "--no-lanes", "--by-hand")
    refused = program("stop")
    assert refused.code == 2
    assert "there is no terminal to ask on" in refused.err
    row = program("status", "--all", "--json").object["builds"][0]
    assert row["outcome"] == ""
    assert f"stop {row['build_id'][:8]}`, or add --yes" in refused.err
    assert program("stop", "--json").object["error"]["exit"] == 2
    assert program("stop", row["build_id"][:8]).code == 0
    assert program("status", "--json").object["outcome"] == "stopped"


def test_the_command_to_type_next_names_the_repository_only_where_it_must(
    program: Program, repository: Path, one: Path
) -> None:
    assert program("plan", one).err.rstrip().endswith(f"build {one} --repo PATH")
    program.directory = repository
    assert program("plan", one).err.rstrip().endswith(f"build {one}")
    assert program("check", "--check", "true").err.rstrip().endswith("build SPEC.md")
    program.directory = repository.parent
    assert (
        program("check", "--check", "true", "--repo", repository).err.rstrip().endswith(f"SPEC.md --repo {repository}")
    )


def test_what_resume_changed_is_said_by_the_names_of_the_options(program: Program, repository: Path, one: Path) -> None:
    options = shell("exit 1", "--no-gates", "--attempts", "1")
    assert program("build", one, "--repo", repository, *options).code == 4
    resumed = program("resume", "--retry", "--gate-time", "9", "--attempts", "2")
    assert "Changed: --attempts, --gate-time." in resumed.err


def test_why_says_who_judged_what_a_task_asks_for(program: Program, repository: Path, tmp_path: Path) -> None:
    tasks = write_tasks(
        tmp_path / "two.json",
        {"id": "a", "title": "A", "acceptance": ["a.txt is there"]},
        {"id": "b", "title": "B", "acceptance": ["b.txt is there"], "validation": {"command": "test -e b.txt"}},
    )
    built = program("build", tasks, "--repo", repository, *shell(WRITES, "--check", "true"))
    assert built.code == 0, built.err
    assert (
        "Accepted when (no check judged this: look at the diff):\n  a.txt is there" in program("why", "newest", "a").out
    )
    assert "Accepted when (judged by: the task's own check):\n  b.txt is there" in program("why", "newest", "b").out
    assert program("why", "newest", "b", "--json").object["accepted_by"] == ["validation"]


def test_a_task_that_there_is_not_is_the_same_error_everywhere(program: Program, one: Path) -> None:
    program("build", one, "--agent", "noop", "--no-lanes")
    build = program("status", "--json").object["id"]
    for words in (("task", "drop", "newest", "zz"), ("task", "redo", "newest", "zz"), ("gates", "newest", "zz")):
        refused = program(*words)
        assert refused.code == 2, words
        assert "there is no task zz in this build\n  fix: see `" in refused.err, words
        assert f"status {build}` for its tasks" in refused.err, words


def test_a_plan_that_no_model_can_make_is_refused_before_it_is_announced(program: Program, tmp_path: Path) -> None:
    spec = tmp_path / "SPEC.md"
    spec.write_text("# A thing\n\nIt writes one.txt.\n", "utf-8")
    refused = program("plan", spec)
    assert refused.code == 78
    assert refused.err.startswith("error: planning a Markdown spec asks a model"), refused.err


def test_a_base_that_fails_can_be_judged_by_other_checks_and_the_pause_says_so(
    program: Program, repository: Path, one: Path
) -> None:
    paused = program("build", one, "--repo", repository, *shell(WRITES, "--check", "lint:old=echo old fault; false"))
    assert paused.code == 4
    assert "or be judged by other checks (add --check COMMAND)" in paused.out
    built = program("resume", "--check", "test:t=true")
    assert built.code == 0, built.err


def test_what_a_check_may_not_have_and_what_it_does_not_reach_have_a_way_out(
    program: Program, repository: Path
) -> None:
    (repository / "buildwright.toml").write_text('bring = [".env"]\n\n[checks]\nt = "cat .env"\n', "utf-8")
    (repository / ".gitignore").write_text(".env\n", "utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "Needs .env")
    (repository / ".env").write_text("TOKEN=of-the-user\n", "utf-8")
    refused = program("check", "--repo", repository)
    assert refused.code == 3
    assert "or build with --grant-needs" in refused.err
    assert program("check", "--repo", repository, "--grant-needs").code == 0
    assert program("check", "--repo", repository, "--check", "grep TOKEN .env").code == 3
    unreached = program("check", "--repo", repository, "--grant-needs", "--check", "curl -sS http://127.0.0.1:9/")
    assert "[services]" in unreached.out, unreached.out


def test_a_model_that_only_agents_can_ask_is_not_taken_for_planning(program: Program, tmp_path: Path) -> None:
    spec = tmp_path / "SPEC.md"
    spec.write_text("# A thing\n\nIt writes one.txt.\n", "utf-8")
    for words in (("plan", "--planner-model", "gemini-3-pro"), ("build", "--no-lanes", "--model", "gemini-3-pro")):
        refused = program(*words, spec, GEMINI_API_KEY="of-the-user")
        assert refused.code == 78
        assert "gemini-3-pro cannot be asked" in refused.err
        assert "--planner-model" in refused.err
    assert "gemini" not in program("plan", spec).err, "no key is asked for that would not do"
