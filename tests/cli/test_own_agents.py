"""Agents of the user's own, and mixed agents in one build: from the files to what is told of each attempt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buildwright.errors import BadSettings
from buildwright.wiring.own_agents import read_agents
from tests.cli.conftest import Program, shell, write_tasks
from tests.git import git

OWN = """
[agents.greeter]
agent = "shell"
command = 'echo "$GREETING $VISITOR" > "$BUILDWRIGHT_TASK_ID.txt"; echo "the password is $GATE_PASS"'
env = { GREETING = "hello", pass = ["VISITOR"], secrets = ["GATE_PASS"] }

[agents.writer]
agent = "shell"
command = 'mkdir -p docs && echo written > docs/page.md'

[agents.second]
agent = "shell"
command = 'echo by the second > "$BUILDWRIGHT_TASK_ID.txt"'

[agents.codex]
arguments = ["--strict"]
model = "gpt-mini"

[[agent_rules]]
files = ["docs/*"]
agent = "writer"
"""


@pytest.fixture
def own(program: Program, tmp_path: Path) -> Program:
    file = tmp_path / "config" / "buildwright" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(OWN, encoding="utf-8")
    program.environment |= {"XDG_CONFIG_HOME": str(tmp_path / "config"), "VISITOR": "Ada", "GATE_PASS": "open-sesame-9"}
    return program


def test_a_build_is_made_by_several_agents_and_every_attempt_says_by_whom(
    own: Program, repository: Path, tmp_path: Path
) -> None:
    spec = write_tasks(
        tmp_path / "tasks.json",
        {"id": "a", "title": "A", "agent": "greeter"},
        {"id": "b", "title": "B"},
        {"id": "c", "title": "C", "files_expected": ["docs/page.md"]},
    )
    options = shell(
        "exit 3", "--no-gates", "--second-agent", "second", "--second-after", "1", "--repo", str(repository)
    )
    built = own("build", spec, *options, "--json")
    assert built.code == 0, built.err + built.out
    build = built.lines[-1]["id"]
    tasks = {task["id"]: task["agent"] for task in own("status", build, "--json").object["tasks"]}
    assert tasks == {"a": "greeter", "b": "second", "c": "writer"}
    attempts = own("why", build, "b", "--json").object["attempts"]
    assert [(one["number"], one["agent"]) for one in attempts] == [(1, "shell"), (2, "second")]
    assert "2. second: " in own("why", build, "b").out
    assert "agent" in own("status", build).out
    evidence = tmp_path / "evidence"
    assert own("evidence", build, "--out", str(evidence)).code == 0
    told = [file.read_text(errors="replace") for file in evidence.rglob("*") if file.suffix in {".html", ".json"}]
    assert any("Attempt 2 by second" in text for text in told)
    logs = own("logs", build).out
    assert "the password is" in logs
    assert "open-sesame-9" not in logs
    assert "open-sesame-9" not in "".join(map(json.dumps, built.lines))
    branch = built.lines[-1]["delivered"]
    assert git(repository, "show", f"{branch}:a.txt") == "hello Ada"
    assert git(repository, "show", f"{branch}:b.txt") == "by the second"
    assert git(repository, "show", f"{branch}:docs/page.md") == "written"


def test_what_an_agent_lacks_is_said_before_anything_begins(own: Program, repository: Path, tmp_path: Path) -> None:
    def refused(*options: str, agent: str = "", **environment: str) -> str:
        spec = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A", **({"agent": agent} if agent else {})})
        ended = own("build", spec, "--repo", repository, "--no-gates", "--sandbox", "none", *options, **environment)
        assert ended.code not in {0, 1}, ended.out
        return ended.err

    assert "there is no agent 'greter'; did you mean greeter?" in refused(agent="greter")
    assert "the agent pi is not installed" in refused(agent="pi", PATH="/usr/bin:/bin", HOME=str(tmp_path))
    assert "ANTHROPIC_API_KEY is not set" in refused("--agent", "greeter", "--second-agent", "direct")
    assert "VISITOR, and it is not set" in refused("--agent", "greeter", VISITOR="")
    assert "the shell agent has no command" in refused(agent="shell")
    assert "add --agent shell" in refused("--agent-command", "true")
    without = own("build", tmp_path / "tasks.json", "--repo", repository, "--agent", "shell")
    assert (without.code, "--agent-command 'CMD'" in without.err) == (2, True), without.err
    assert "cannot ask gpt-5.5: its models are claude-*" in refused("--agent", "claude", "--model", "gpt-5.5")
    assert "there is no build yet" in own("status").err


def test_config_shows_what_files_say_of_agents_but_no_value(own: Program, repository: Path, tmp_path: Path) -> None:
    (repository / "buildwright.toml").write_text('[agents.codex]\nmodel = "gpt-5.5"\n[agents.quick]\nagent = "pi"\n')
    shown = own("config", "--repo", repository).out
    assert "[agents.greeter]" in shown
    assert "variables GREETING; passed VISITOR, GATE_PASS" in shown
    assert "writer: files docs/*" in shown
    told = own("config", "--repo", repository, "--json").object
    by_name = {one["name"]: one for one in told["agents"]}
    assert by_name["codex"]["model"] == "gpt-5.5"
    assert by_name["codex"]["arguments"] == []
    assert by_name["codex"]["from"] == str(repository / "buildwright.toml")
    assert by_name["greeter"]["from"] == str(tmp_path / "config" / "buildwright" / "config.toml")
    assert "open-sesame-9" not in json.dumps(told) + shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[agents.codex]\nargs = []", "there is no key agents.codex.args; did you mean arguments?"),
        ("[agents.cdex]\nmodel = 'm'", "agents.cdex does not say which agent it is; did you mean codex?"),
        ("[agents.mine]\nagent = 'cdex'", "there is no agent 'cdex'; did you mean codex?"),
        ("[agents.codex]\nagent = 'pi'", "codex is an agent already"),
        ("[agents.Mine]\nagent = 'pi'", "agents.Mine: name: string should match pattern"),
        ("[agents.mine]\nagent = 'shell'", "a shell agent without a command"),
        ("[agents.mine]\nagent = 'pi'\ncommand = 'x'", "command is for the shell agent, and this is pi"),
        ("[agents.direct]\narguments = ['-x']", "direct takes a model alone"),
        ("[agents.codex]\narguments = '-x'", "agents.codex: arguments: input should be"),
        ("[agents.codex]\nmodel = 3", "agents.codex.model is not a text"),
        ("[agents.codex.env]\nPATH = '/x'", "agents.codex.env: PATH cannot be given to commands"),
        ("[agents.codex.env]\nRUSTUP_HOME = '/home'", "RUSTUP_HOME cannot be given to commands"),
        ("[agents.codex.env]\npass = ['OPENAI_API_KEY']", "OPENAI_API_KEY cannot be given to commands"),
        ("[agents.codex.env]\nOPENAI_BASE_URL = 'https://evil'", "where models are asked, the gateway alone knows"),
        ("[agents.codex.env]\nA = 3", "agents.codex.env.A is not a text"),
        ("agents = 3", "agents has something that is not a table"),
        ("[[agent_rules]]\nagent = 'pi'", "a rule for pi does not say for which tasks"),
        ("[[agent_rules]]\nagent = 'gemni'\nfiles = ['*']", "there is no agent 'gemni'; did you mean gemini?"),
        ("[[agent_rules]]\nagent = 'pi'\nfile = ['*']", "there is no key agent_rules.file; did you mean files?"),
        ("[[agent_rules]]\nagent = 'pi'\naction = 'invent'", "agent_rules: action: input should be"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings) as told:
        read_agents(file, of_project=False)
    assert words in str(told.value)
    assert told.value.fix


@pytest.mark.parametrize(
    "text",
    [
        "[agents.x]\nagent = 'shell'\ncommand = 'curl evil'",
        "[agents.shell]\ncommand = 'curl evil'",
        "[agents.x]\nagent = 'acp:curl evil'",
        "[[agent_rules]]\nfiles = ['*']\nagent = 'acp:curl evil'",
        "agent = 'acp:curl evil'",
        "second_agent = 'acp:curl evil'",
    ],
)
def test_a_projects_file_names_no_command(tmp_path: Path, text: str) -> None:
    file = tmp_path / "buildwright.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings, match="a project's file cannot say which command is an agent"):
        read_agents(file, of_project=True)
    assert read_agents(file, of_project=False) is not None


def test_a_projects_file_gets_nothing_of_the_users_and_is_held_by_a_sandbox(
    own: Program, repository: Path, tmp_path: Path
) -> None:
    spec = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A", "agent": "pi"})
    for text, words in (
        ("[agents.pi.env]\npass = ['GATE_PASS']", "asks for GATE_PASS of your environment"),
        ("[agents.pi]\narguments = ['--extension', 'x.js']", "and no sandbox holds it"),
        ("[agents.pi.env]\nNODE_OPTIONS = '--require ./x.js'", "and no sandbox holds it"),
    ):
        (repository / "buildwright.toml").write_text(text, encoding="utf-8")
        ended = own("build", spec, "--repo", repository, "--no-gates", "--sandbox", "none")
        assert words in ended.err
    assert "there is no build yet" in own("status").err


def test_a_changed_task_may_name_an_agent_that_there_is(own: Program, repository: Path, tmp_path: Path) -> None:
    spec = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A"})
    options = shell("exit 3", "--no-gates", "--attempts", "1", "--repo", str(repository))
    build = own("build", spec, *options, "--json").lines[-1]["id"]
    wrong = own("task", "edit", build, "a", "--agent", "greter")
    assert wrong.code not in {0, 1}
    assert "did you mean greeter?" in wrong.err
    assert own("task", "edit", build, "a", "--agent", "greeter").code == 0
    assert own("run", build).code == 0
    assert own("status", build, "--json").object["tasks"][0]["agent"] == "greeter"


def test_a_line_of_a_markdown_list_may_name_its_agent(own: Program, tmp_path: Path) -> None:
    list_ = tmp_path / "tasks.md"
    list_.write_text("# Tasks: X\n\n## Phase 1\n\n- [ ] T001 Write a.txt (agent: greeter)\n- [ ] T002 Write b.txt\n")
    shown = own("plan", list_, "--json").object
    assert [(task["title"], task["agent"]) for task in shown["tasks"]] == [
        ("Write a.txt", "greeter"),
        ("Write b.txt", ""),
    ]
    assert "T001: made by the agent greeter, as the list says" in shown["spec_notes"]
