"""What a project's tests need beside its code: through the command line, in both sandboxes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Ended, Program, write_tasks
from tests.e2e.test_failures import git

SANDBOXES = pytest.mark.parametrize("sandbox", ["bubblewrap", "none"])


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return write_tasks(tmp_path / "one.json", {"id": "a", "title": "A"})


def commit(repository: Path, **files: str) -> None:
    for name, text in files.items():
        path = repository / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "more")


def build(
    program: Program,
    tasks: Path,
    repository: Path,
    command: str,
    *more: str,
    sandbox: str = "bubblewrap",
    tries: int = 1,
    granted: bool = True,
) -> Ended:
    words = ("--agent", "shell", "--agent-command", command, "--attempts", str(tries), "--sandbox", sandbox)
    words = (*words, *(("--grant-needs",) if granted else ()))
    return program("build", tasks, "--repo", repository, *words, *more)


def changed(repository: Path) -> list[str]:
    branch = git(repository, "for-each-ref", "--format=%(refname)", "refs/heads/buildwright/").splitlines()[0]
    return git(repository, "diff", "--name-only", f"HEAD...{branch}").splitlines()


@SANDBOXES
def test_the_lane_is_set_up_as_the_checks_are(program: Program, repository: Path, one: Path, sandbox: str) -> None:
    commit(repository, buildwright__toml='[setup]\ncommands = ["mkdir -p deps && echo 1 > deps/ready; echo x >> README.md"]\n'
           '[checks]\ntest = { command = "grep -q 1 deps/ready", kind = "other" }\n')  # fmt: skip
    agent = "grep -q 1 deps/ready && echo broken > deps/ready && echo y > y.txt"
    ended = build(program, one, repository, agent, sandbox=sandbox)
    assert ended.code == 0, ended.out + ended.err
    assert changed(repository) == ["y.txt"]


@SANDBOXES
def test_a_set_up_is_made_once_for_the_base_the_lane_and_the_change(
    program: Program, repository: Path, one: Path, sandbox: str
) -> None:
    commit(
        repository,
        buildwright__toml='[setup]\ncommands = ["echo set up now; mkdir deps; cp locked deps/ready"]\n'
        'inputs = ["locked"]\noutputs = ["deps"]\n[checks]\ntest = { command = "grep -q 1 deps/ready", kind = "other" }\n',
        locked="1\n",
    )
    ended = build(program, one, repository, "grep -q 1 deps/ready && echo y > y.txt", sandbox=sandbox)
    assert ended.code == 0, ended.out + ended.err
    assert program("logs").out.count("gate     set up now") + program("logs").out.count("setup    set up now") == 1
    assert changed(repository) == ["y.txt"]


@SANDBOXES
def test_what_an_agent_adds_to_dependencies_no_other_sees(
    program: Program, repository: Path, tmp_path: Path, sandbox: str
) -> None:
    setup = "commands = ['mkdir deps && cp lock deps/ready']\ninputs = ['lock']\noutputs = ['deps']\n"
    commit(repository, lock="1\n", buildwright__toml=f"[setup]\n{setup}"
           '[checks]\ntest = { command = "grep -qx 1 deps/ready && test ! -e deps/more", kind = "other" }\n')  # fmt: skip
    adds = (
        "grep -qx 1 deps/ready && test ! -e deps/more && echo 2 > deps/ready && echo 1 > deps/more && grep 1 deps/more"
    )
    agent = f'{adds} && rm deps/ready && echo y > "$BUILDWRIGHT_TASK_ID.txt"'
    two = write_tasks(tmp_path / "two.json", {"id": "a", "title": "A"}, {"id": "b", "title": "B"})
    ended = build(program, two, repository, agent, sandbox=sandbox)
    assert ended.code == 0, ended.out + ended.err
    assert changed(repository) == ["a.txt", "b.txt"]
    (kept,) = (program.home / "setups").iterdir()  # lanes and checks have one and the same
    assert sorted(path.name for path in (kept / "deps").iterdir()) == ["ready"]
    assert (kept / "deps" / "ready").read_text() == "1\n"


def test_a_set_up_that_fails_in_the_lane_is_told_to_the_agent(program: Program, repository: Path, one: Path) -> None:
    agent = 'grep -q "set-up failed" "$BUILDWRIGHT_PROMPT_FILE" && echo y > y.txt'
    ended = build(program, one, repository, agent, "--setup", "echo no registry here; exit 3", "--no-gates")
    assert ended.code == 0, ended.out + ended.err
    assert "no registry here" in program("logs").out


def test_work_that_git_ignores_is_named(program: Program, repository: Path, one: Path) -> None:
    commit(repository, **{".gitignore": "lib/\n*.log\n"})
    beside = build(program, one, repository, "mkdir lib; echo X = 1 > lib/core.py; echo y > y.txt", "--check", "true")
    assert beside.code == 0, beside.out + beside.err
    assert "lib/core.py is not taken" in beside.out
    again = 'grep lib/core "$BUILDWRIGHT_PROMPT_FILE" > y'
    told = f'test "$BUILDWRIGHT_ATTEMPT" = 1 && mkdir lib && echo X = 1 > lib/core.py || {again}'
    alone = build(program, one, repository, told, "--check", "true", "--new", tries=2)
    assert alone.code == 0, alone.out + alone.err
    assert "lib/core.py is not taken" in alone.err
    quiet = build(program, one, repository, "echo 1 > a.log; echo y > y.txt", "--check", "true", "--new")
    assert quiet.code == 0
    assert "not taken" not in quiet.out, "what tools write is a note"


ENV_TEST = (
    "import unittest\n\nclass EnvTest(unittest.TestCase):\n    def test_env(self):\n        open('.env').read()\n"
)
UNITTEST = "unittest=python3 -m unittest -v"


def test_a_file_that_git_ignores_is_named_when_the_base_lacks_it(program: Program, repository: Path, one: Path) -> None:
    commit(repository, **{".gitignore": ".env\n", "test_env.py": ENV_TEST})
    (repository / ".env").write_text("API=http://localhost\n")
    ended = build(program, one, repository, "echo y > y.txt", "--check", UNITTEST)
    assert ended.code == 4, ended.out + ended.err
    assert "leaves ignored files out" in ended.out + ended.err
    assert "--bring .env" in ended.out + ended.err


@SANDBOXES
def test_files_are_brought_to_the_checks_alone(program: Program, repository: Path, one: Path, sandbox: str) -> None:
    secret = "v3ry-s3cret-p4ssw0rd"
    shows = f"cat .env fixtures/*.json; {UNITTEST[9:]}"
    settings = f'bring = [".env", "fixtures/*.json"]\n[checks]\ntest = "{shows}"\n'
    commit(repository, **{"buildwright.toml": settings, ".gitignore": ".env\n", "test_env.py": ENV_TEST})
    (repository / ".env").write_text(f"PASSWORD={secret}\n")
    (repository / "fixtures").mkdir()
    (repository / "fixtures/a.json").write_text('{"fixture": 1}\n')
    agent = "test ! -e .env && test ! -e fixtures && echo y > y.txt"
    ended = build(program, one, repository, agent, sandbox=sandbox)
    assert ended.code == 0, ended.out + ended.err
    assert changed(repository) == ["y.txt"]
    logs = program("logs").out
    assert "fixture" in logs
    assert secret not in logs
    assert "[secret]" in logs
    also = build(
        program, one, repository, "test -e .env && echo y > y.txt", "--new", "--bring-to-agents", sandbox=sandbox
    )
    assert also.code == 0, also.out + also.err
    assert changed(repository) == ["y.txt"]


def test_what_cannot_be_brought_is_named_before_the_start(program: Program, repository: Path, one: Path) -> None:
    commit(repository, **{"kept.txt": "1\n"})
    for name, word in ((".envv", "finds no file"), ("kept.txt", "what git tracks is there anyway")):
        ended = build(program, one, repository, "echo y > y.txt", "--check", "true", "--new", "--bring", name)
        assert ended.code == 4, ended.out + ended.err
        assert word in ended.out + ended.err


@SANDBOXES
def test_variables_are_given_to_the_steps_that_need_them(
    program: Program, repository: Path, one: Path, sandbox: str
) -> None:
    settings = """
[env]
MODE = "test"
pass = ["REGION_OF_TEST"]
secrets = { INDEX_TOKEN = "setup", API_TOKEN = "checks" }
[setup]
commands = ['test "$INDEX_TOKEN" = index-5ecret-91 -a -z "$API_TOKEN"', 'echo "got $INDEX_TOKEN"']
[checks]
mode = { command = 'test "$MODE/$REGION_OF_TEST" = test/north', kind = "other" }
token = { command = 'test "$API_TOKEN/$INDEX_TOKEN" = api-5ecret-92/ && echo $API_TOKEN', kind = "other" }
"""
    commit(repository, **{"buildwright.toml": settings})
    program.environment |= {"REGION_OF_TEST": "north", "INDEX_TOKEN": "index-5ecret-91", "API_TOKEN": "api-5ecret-92"}
    agent = 'test "$MODE/$REGION_OF_TEST/$API_TOKEN$INDEX_TOKEN" = test/north/ && echo y > y.txt'
    ended = build(program, one, repository, agent, sandbox=sandbox)
    assert ended.code == 0, ended.out + ended.err
    logs = program("logs").out
    assert "5ecret" not in logs
    assert "got [secret]" in logs
    del program.environment["API_TOKEN"]
    without = build(program, one, repository, agent, "--new", sandbox=sandbox)
    assert without.code == 4
    assert "passes API_TOKEN" in without.out + without.err


@SANDBOXES
def test_set_up_alone_sees_the_settings_of_package_managers(
    program: Program, repository: Path, one: Path, tmp_path: Path, sandbox: str
) -> None:
    home = tmp_path / "user"
    (home / ".config/pip").mkdir(parents=True)
    (home / ".npmrc").write_text("//registry.example.org/:_authToken=npm-5ecret-77\n")
    (home / ".config/pip/pip.conf").write_text("[global]\nindex-url = https://kim:pip-5ecret-78@example.org/simple\n")
    program.environment["HOME"] = str(home)
    setup = "cat ~/.npmrc ~/.config/pip/pip.conf"
    commit(repository, **{"a.txt": "1\n"})
    agent = "test ! -e ~/.npmrc && test ! -e ~/.config/pip/pip.conf && echo y > y.txt"
    words = ("--setup", setup, "--check", "other:x=test ! -e ~/.npmrc", "--package-settings")
    ended = build(program, one, repository, agent, *words, sandbox=sandbox)
    assert ended.code == 0, ended.out + ended.err
    logs = program("logs").out
    assert "_authToken=[secret]" in logs
    assert "5ecret" not in logs
    without = build(program, one, repository, agent, *words[:-1], "--new", sandbox=sandbox)
    assert without.code == 4, "they are shown when the user says so"


def test_what_a_project_asks_for_is_given_only_if_its_user_grants_it(
    program: Program, repository: Path, one: Path
) -> None:
    commit(
        repository,
        buildwright__toml='bring = [".env"]\n[env]\npass = ["MY_TOKEN"]\n[network]\nchecks = "all"\n'
        '[checks]\ntest = { command = "true", kind = "other" }\n',
    )
    (repository / ".env").write_text("KEY=abcdefgh1\n")
    told = build(program, one, repository, "echo y > y.txt", granted=False)
    assert told.code == 4, told.out + told.err
    assert "asks for the variables MY_TOKEN; the files .env; the network in checks" in told.out + told.err
    assert "--grant-needs" in told.out + told.err
    assert git(repository, "for-each-ref", "refs/heads/buildwright/") == ""
