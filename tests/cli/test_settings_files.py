"""Options from the project's `buildwright.toml` and from the user's own file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buildwright.cli.app import run
from buildwright.cli.settings_files import read_files
from buildwright.errors import BadSettings
from buildwright.settings import Settings, project_file
from tests.cli.conftest import WRITES, Program, shell

LIST = '[{"id": "a", "title": "A", "goal": "Write a.txt."}]'


def settings(tmp_path: Path, own: str = "") -> Settings:
    config = tmp_path / "config" / "buildwright" / "config.toml"
    if own:
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(own, encoding="utf-8")
    return Settings.load({"XDG_CONFIG_HOME": str(tmp_path / "config"), "BUILDWRIGHT_HOME": str(tmp_path)}, tmp_path)


def project(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / "buildwright.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_projects_file_is_stronger_than_the_users_own(tmp_path: Path) -> None:
    folder = project(tmp_path, 'attempts = 7\nmax_cost = 5\n[checks]\nt = "true"\n')
    theirs, own = read_files(settings(tmp_path, 'attempts = 2\nsandbox = "none"\n'), str(folder))
    assert theirs.options == {"attempts": 7, "max_cost": 5}
    assert own.options == {"attempts": 2, "sandbox": "none"}
    assert len(read_files(settings(tmp_path), "")) == len(read_files(settings(tmp_path), "https://h/x.git")) == 1


def test_the_nearest_file_of_the_same_repository_counts(tmp_path: Path) -> None:
    folder = project(tmp_path, "")
    inner, outer = folder / "packages" / "a", tmp_path / "buildwright.toml"
    inner.mkdir(parents=True)
    outer.write_text("", encoding="utf-8")
    assert project_file(str(inner)) == folder / "buildwright.toml"
    (inner / "buildwright.toml").write_text("", encoding="utf-8")
    assert project_file(str(inner)) == inner / "buildwright.toml"
    (folder / "buildwright.toml").unlink()
    assert project_file(str(folder)) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_costs = 5", "there is no key max_costs; did you mean max_cost?"),
        ("[cheks]\na = 'true'", "there is no key cheks; did you mean checks?"),
        ("[checks]\na = {comand = 'true'}", "there is no key checks.a.comand; did you mean command?"),
        ("[checks]\na = {command = 'true', kind = 'tests'}", "checks.a.kind: input should be"),
        ("[checks]\na = 1", "checks.a is not a command"),
        ("[setup]\ncomands = []", "there is no key setup.comands; did you mean commands?"),
        ("checks = 1", "checks is not a table"),
        ("[checks", "cannot be used: "),
        ("[attempts]\na = 1", "attempts is not a value of an option"),
        ("sandbox = 'none'", "a project may not set sandbox"),
        ("agent_command = 'x'", "a project may not set agent_command"),
        ("agent = 'acp:x'", "agent: a project's file cannot say which command is an agent"),
        ("no_gates = true", "a project may not set no_gates"),
        ("grant_needs = true", "a project may not set grant_needs"),
        ("parallel = 3", "there is no key parallel; did you mean concurrency?"),
        ("budget = 3", "there is no key budget; did you mean max_cost?"),
        (
            "[limits]\nmax_cost = 1",
            "there is no key limits; did you mean attempts or gate_time or max_cost or task_time?",
        ),
        ("[services.db]\ncmd = 'x'", "there is no key services.db.cmd; did you mean command?"),
        ("[models.fast]\nmodell = 'a'", "there is no key models.fast.modell; did you mean model?"),
        ("attempts = 'three'", 'attempts = "three": input should be a valid integer'),
        ("max_cost = -1", "max_cost = -1: not an amount of money"),
        ("deliver = 'zip'", "deliver = \"zip\": input should be 'none', 'branch'"),
        ("author = 'kim'", 'author = "kim": not of the form that it takes'),
        ("heartbeat = '1m'", 'heartbeat = "1m": input should be a valid number'),
    ],
)
def test_what_is_wrong_in_the_projects_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    folder = project(tmp_path, text)
    with pytest.raises(BadSettings, match=r"buildwright\.toml") as refused:
        read_files(settings(tmp_path), str(folder))
    assert words in str(refused.value)
    assert refused.value.fix


def test_what_is_wrong_in_the_users_own_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="there is no key modle; did you mean model"):
        read_files(settings(tmp_path, "modle = 'x'"), "")
    with pytest.raises(BadSettings, match="attempts = 0: input should be greater"):
        read_files(settings(tmp_path, "attempts = 0"), "")
    good = 'max_cost = 5\nmax_task_cost = "$2.50"\nno_gates = true\nallow = ["a"]\naccept_base = ["lint"]\ntask_time = 60\n'
    (own,) = read_files(settings(tmp_path, good), "")
    assert own.options["max_task_cost"] == "$2.50"


def test_check_names_a_wrong_value_though_only_a_build_uses_it(program: Program, repository: Path) -> None:
    (repository / "buildwright.toml").write_text("attempts = 'three'\n", encoding="utf-8")
    for verb in ("check", "config"):
        ended = program(verb, "--repo", repository)
        assert 'buildwright.toml: attempts = "three": input should be' in ended.err, verb
        assert ended.code == 78


def test_a_build_takes_what_was_not_typed_from_the_files(program: Program, repository: Path, tmp_path: Path) -> None:
    (repository / "buildwright.toml").write_text("attempts = 7\nconcurrency = 3\n", encoding="utf-8")
    settings(tmp_path, 'attempts = 2\ntask_time = 9\nno_gates = true\nallow = ["a", "b"]\n')
    spec = tmp_path / "list.json"
    spec.write_text(LIST, encoding="utf-8")
    typed = ("--repo", str(repository), "--json", "-j", "1", *shell(WRITES))
    ended = program("build", spec, *typed, XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert ended.code == 0, ended.err
    build_id = ended.lines[-1]["id"]
    options = program("events", build_id).lines[0]["options"]
    limits = options["limits"]
    assert (limits["attempts"], limits["concurrency"], limits["task_seconds"]) == (7, 1, 9)
    assert options["gates"] is False
    assert options["allow"] == ["a", "b"]


def test_config_says_what_counts_and_from_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    advisors = [f"{name}_model" for name in ("planner", "diagnoser", "sealed", "review", "lesson")]
    folder = project(tmp_path, "attempts = 7\n" + "".join(f'{name} = "gpt-5.2"\n' for name in advisors))
    settings(tmp_path, "task_time = 9\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("BUILDWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-hush")
    assert run(["config", "--repo", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["options"]["attempts"] == {"value": 7, "from": str(folder / "buildwright.toml")}
    assert told["options"]["gate_time"]["from"] == "default"
    of_file = {"value": "gpt-5.2", "from": str(folder / "buildwright.toml")}
    assert [told["options"][name] for name in advisors] == [of_file] * 5
    assert "ANTHROPIC_API_KEY" in told["keys"]
    assert run(["config", "--repo", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert ["--task-time", "9"] in [line.split()[:2] for line in shown.splitlines()]
    assert "hush" not in shown


def test_an_option_that_has_the_name_of_a_verb_counts(program: Program, tmp_path: Path, repository: Path) -> None:
    """`sandbox`, `deliver` and `review` are verbs, too."""
    settings(tmp_path, 'sandbox = "none"\ndeliver = "none"\n')
    list_file = tmp_path / "list.json"
    list_file.write_text(LIST)
    program.environment["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    command = ("--check", "true", "--agent", "shell", "--agent-command", WRITES, "--yes", "--json")
    ended = program("build", list_file, "--repo", repository, *command)
    assert ended.code == 0, ended.err
    assert (ended.lines[-1]["sandbox"], ended.lines[-1].get("delivered", "")) == ("none", "")
