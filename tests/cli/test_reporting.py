"""What a build in the foreground says and whom it tells, as a user starts it."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from xml.etree import ElementTree

import pytest

from buildwright.cli.app import run
from buildwright.cli.github_actions import annotate
from buildwright.cli.output import Output, defused
from buildwright.cli.verbs import VERBS
from buildwright.core import event as e
from buildwright.errors import BadSettings
from buildwright.wiring.notify import Listeners, Notifier, listeners_of
from tests.cli.conftest import WRITES, Program, shell, write_tasks
from tests.cli.test_watch import serving
from tests.views.test_overview import FAILED, build_of, journal

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
FAILS = 'echo "::error::made up"; echo "##[add-path]/x"; test "$BUILDWRIGHT_TASK_ID" != b && ' + WRITES


def failing(program: Program, repository: Path, three: Path, *more: str, **environment: str) -> tuple[int, str, str]:
    """A build of three tasks whose second fails, so that it pauses."""
    options = shell(FAILS, "--no-gates", "--attempts", "1", "-j", "1", *more)
    ended = program("build", three, "--repo", repository, *options, **environment)
    return ended.code, ended.out, ended.err


def test_quiet_says_only_how_it_ends(program: Program, repository: Path, three: Path) -> None:
    code, out, err = failing(program, repository, three, "--quiet")
    assert code == 4
    assert "Paused: task b failed" in out
    assert err == ""
    code, out, err = failing(program, repository, three, "--quiet", "--json", "--new")
    (summary,) = [json.loads(line) for line in out.splitlines()]
    assert (code, summary["type"], err) == (4, "summary", "")


def test_verbose_says_what_agents_say(program: Program, repository: Path, three: Path) -> None:
    _, _, err = failing(program, repository, three, "--verbose")
    assert any(line.endswith("a said     ::error::made up") for line in err.splitlines())
    refused = program("run", "--quiet", "--verbose")
    assert (refused.code, "cannot be used together" in refused.err) == (2, True)


def test_junit_has_the_tasks_and_the_gates(program: Program, repository: Path, three: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    failing(program, repository, three, "--junit", str(file))
    root = ElementTree.parse(file).getroot()
    suite = root.find("testsuite[@name='tasks']")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    failure = suite.find("testcase[@name='b']/failure")
    assert failure is not None
    assert "exited with 1" in failure.get("message", "")
    waits = suite.find("testcase[@name='c']/skipped")
    assert waits is not None
    assert "The build is paused, so nothing new starts." in waits.get("message", "")
    printed = program("gates", "--junit").out
    assert ElementTree.fromstring(printed).find("testsuite[@name='tasks']") is not None
    refused = program("build", three, "--junit", tmp_path / "no" / "report.xml")
    assert (refused.code, "there is no folder" in refused.err) == (2, True)


def test_a_workflow_gets_groups_annotations_and_a_summary(
    program: Program, repository: Path, three: Path, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.md"
    actions = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    code, _, err = failing(program, repository, three, "--verbose", **actions)
    assert code == 4
    lines = err.splitlines()
    commands = [line for line in lines if line.startswith("::")]
    groups = [line for line in commands if "group" in line]
    assert groups[0] == "::group::Prepare"
    planning, building = lines.index("::group::Plan"), lines.index("::group::Build")
    assert [line[:13] for line in lines[:planning] if line.startswith("• building on")] == ["• building on"]
    assert [line[:17] for line in lines[planning:building] if line.startswith("• planned")] == ["• planned 3 tasks"]
    assert "::group::Build" in groups
    assert groups[-1] == "::endgroup::"
    assert len(groups) == 2 * sum("::group::" in line for line in groups)
    (error,) = [line for line in commands if line.startswith("::error")]
    assert error.startswith("::error title=b%3A task.failed::")
    assert "exited with 1" in error
    assert any(line.startswith("::warning title=Buildwright is paused::task b failed") for line in commands)
    assert "##[" not in err
    assert not [line for line in lines if line.lstrip().startswith("::error::made up")]
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("## Sample: paused")
    assert "| b | failed | 1 |" in text
    assert "`buildwright resume" in text or "buildwright resume" in text


def test_the_summary_of_a_step_has_the_lines_that_say_why(program: Program, repository: Path, tmp_path: Path) -> None:
    spec = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A"})
    summary = tmp_path / "summary.md"
    check = "sh -c 'test ! -e a.txt || { echo AssertionError: expected 3, got 4; exit 1; }'"
    program(
        "build", spec, "--repo", repository, *shell(WRITES, "--attempts", "1", "--check", check),
        GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary),
    )  # fmt: skip
    text = summary.read_text("utf-8")
    assert "exited with code 1.<br>AssertionError: expected 3, got 4" in text


def test_text_of_others_holds_no_command_for_a_workflow() -> None:
    assert defused("  ::set-env::x\nkeep a::b ##[group]") == "  : :set-env::x\nkeep a::b ## [group]"


def test_a_command_is_told_of_a_pause_and_of_the_end(
    program: Program, repository: Path, three: Path, tmp_path: Path
) -> None:
    told, named = tmp_path / "told.jsonl", tmp_path / "named"
    command = f'cat >> {told}; echo >> {told}; echo "$BUILDWRIGHT_EVENT $BUILDWRIGHT_TASK_ID" >> {named}'
    failing(program, repository, three, "--notify", command)
    ended = program("resume", "--skip", "--notify", command)
    assert ended.code == 0, ended.err
    paused, finished = [json.loads(line) for line in told.read_text("utf-8").splitlines()]
    assert (paused["event"], paused["task"], paused["choices"]) == ("paused", "b", ["retry", "skip", "abort"])
    assert "exited with 1" in paused["message"]
    assert (finished["event"], finished["outcome"], finished["build"]) == ("finished", "succeeded", paused["build"])
    assert finished["tasks"] == {"total": 3, "done": 2, "skipped": 1}
    assert named.read_text("utf-8").splitlines() == ["paused b", "finished "]


def test_what_cannot_be_told_is_said_once_and_holds_nothing_up(
    program: Program, repository: Path, three: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config" / "buildwright" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('notify = "exit 3"\n', encoding="utf-8")
    ended = program(
        "build", three, "--repo", repository, *shell(WRITES, "--no-gates"), XDG_CONFIG_HOME=str(tmp_path / "config")
    )
    assert ended.code == 0, ended.err
    assert ended.err.count("was not told: `exit 3` exited with code 3") == 1


@contextmanager
def listening(*answers: int) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A server that answers with these codes in turn; yields its address and what was posted."""
    posted: list[dict[str, object]] = []
    left = list(answers)

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(left.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the library
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", posted
    finally:
        server.shutdown()
        server.server_close()


async def notify(listeners: Listeners, *events: e.AnyEvent, seconds: float = 10.0) -> list[str]:
    """Let a notifier see the last event of a journal; return the troubles."""
    troubles: list[str] = []
    notifier = Notifier(listeners, troubles.append, seconds, webhook_waits=(0.01, 0.01, 0.01))
    recorded = journal(*events)
    notifier.see(recorded[-1], build_of(recorded))
    notifier.see(recorded[0], build_of(recorded))
    await notifier.close()
    return troubles


async def test_a_webhook_is_tried_four_times_unless_it_refuses_for_good() -> None:
    with listening(503, 429, 500, 204) as (address, posted):
        assert await notify(Listeners(webhook=address), *FAILED) == []
    assert [one["event"] for one in posted] == ["paused"] * 4
    assert all(one == posted[0] for one in posted)
    with listening(503, 503, 503, 503) as (address, posted):
        assert await notify(Listeners(webhook=address), *FAILED) == ["the webhook was not told: it answered with 503"]
    assert len(posted) == 4
    for refused in (302, 400, 410):
        with listening(refused) as (address, posted):
            assert await notify(
                Listeners(webhook=address), *FAILED[:-1], e.StopRequested(), e.BuildFinished(outcome="stopped")
            ) == [f"the webhook was not told: it answered with {refused}"]
        assert [one["event"] for one in posted] == ["finished"]


async def test_a_command_that_does_not_end_is_ended(tmp_path: Path) -> None:
    command = f"echo $$ >> {tmp_path}/pids; sleep 1000 & wait"
    (trouble,) = await notify(Listeners(command), *FAILED, seconds=0.3)
    assert trouble == "--notify was not told: no answer after 0.3 seconds, tried 2 times"
    pids = (tmp_path / "pids").read_text("utf-8").split()
    assert len(pids) == 2
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_the_users_own_file_names_who_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert listeners_of(file, "x") == Listeners("x")
    file.write_text('notify = "a"\nwebhook = "https://h.example/x"\nattempts = 2\n', encoding="utf-8")
    assert listeners_of(file) == Listeners("a", "https://h.example/x")
    assert listeners_of(file, "b").command == "b"
    secret = f"whsec_{'a' * 32}"
    file.write_text(
        f'webhook = "https://h.example"\nwebhook_secret = "{secret}"\nwebhook_form = "slack"', encoding="utf-8"
    )
    assert listeners_of(file) == Listeners("", "https://h.example", secret, "slack")
    wrong = ('webhook_secret = "whsec_short"', f'webhook_secret = "{"a" * 32}"', 'webhook_form = "fax"')
    for text in ("notify = 3", 'webhook = "ftp://x"', "notify =", *wrong):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(BadSettings):
            listeners_of(file)


def test_a_projects_file_names_nobody(program: Program, repository: Path, three: Path) -> None:
    (repository / "buildwright.toml").write_text('notify = "touch /tmp/x"\n', encoding="utf-8")
    ended = program("build", three, "--repo", repository, *shell(WRITES))
    assert (ended.code, "a project may not set notify" in ended.err) == (78, True)


def test_bash_completes_verbs_options_and_builds(program: Program, three: Path, tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(program("completion", "bash").out, encoding="utf-8")
    typed = tmp_path / "bin" / "buildwright"
    typed.parent.mkdir()
    typed.write_text(f'#!/bin/sh\nexec {sys.executable} -m buildwright "$@"\n', encoding="utf-8")
    typed.chmod(0o755)
    environment = program.environment | {"PATH": f"{typed.parent}:{program.environment['PATH']}"}

    def completed(*words: str) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in words)
        asked = f"""source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
        $(complete -p buildwright | sed 's/.* -F \\([^ ]*\\).*/\\1/'); echo ${{COMPREPLY[*]}}"""
        done = subprocess.run(["bash", "-c", asked], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert set(completed("buildwright", "")) >= {verb.name for verb in VERBS}
    assert completed("buildwright", "bui") == ["build"]
    assert "--on-failure" in completed("buildwright", "build", "--on")
    assert completed("buildwright", "completion", "z") == ["zsh"]
    built = program("build", three, *shell(WRITES), "--no-lanes")
    assert built.code == 0, built.err
    short = program("status", "--json").object["id"][:8]
    assert completed("buildwright", "why", "") == ["newest", short]
    assert completed("buildwright", "task", "drop", short[:2]) == [short]
    assert "--watch" in completed("buildwright", "status", "--w")
    for other in ("zsh", "fish"):
        text = program("completion", other).out
        assert all(verb.name in text for verb in VERBS)
        assert "on-failure" in text
        assert "status --all" in text
    assert '\n  _cyclopts_buildwright "$@"\n' in program("completion", "zsh").out, "an autoloaded file does it at once"


def test_fish_offers_no_files_where_none_are_taken(program: Program, tmp_path: Path) -> None:
    fish = shutil.which("fish")
    assert fish is not None, "make tools installs it"
    (tmp_path / "here.md").write_text("", encoding="utf-8")
    script = tmp_path / "completion.fish"
    script.write_text(program("completion", "fish").out, encoding="utf-8")

    def offered(words: str) -> set[str]:
        asked = [fish, "--no-config", "-c", f"source {script}; complete -C '{words}'"]
        environment = program.environment | {"HOME": str(tmp_path)}
        done = subprocess.run(asked, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return {line.partition("\t")[0] for line in done.stdout.splitlines()}

    assert {"add", "redo"} <= offered("buildwright task ")
    for words in ("buildwright ", "buildwright task ", "buildwright cluster ", "buildwright why ", "buildwright help "):
        assert "here.md" not in offered(words), words
    assert offered("buildwright help wh") == {"why"}
    assert "here.md" in offered("buildwright build ")
    assert "here.md" in offered("buildwright task add newest ")


def test_every_help_shows_the_examples_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8").splitlines()
    for verb in VERBS:
        assert run([verb.name, "--help"]) == 0
        shown = capsys.readouterr().out.splitlines()
        assert verb.examples
        for example in verb.examples:
            assert f"  {example}" in shown
            assert f"    {example}" in page


def test_the_options_of_build_stand_in_groups(capsys: pytest.CaptureFixture[str]) -> None:
    run(["build", "--help"])
    boxes = [line.strip("╭─╮ ") for line in capsys.readouterr().out.splitlines() if line.startswith("╭")]
    assert boxes == ["Arguments", "Parameters", "Agents and models", "Checks", "Course", "Result"]


def test_a_server_tells_whom_its_own_file_names(
    program: Program, repository: Path, three: Path, tmp_path: Path
) -> None:
    told, config = tmp_path / "told.jsonl", tmp_path / "config" / "buildwright" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'notify = "cat >> {told}; echo >> {told}"\n', encoding="utf-8")
    program.environment |= {"XDG_CONFIG_HOME": str(tmp_path / "config"), "BUILDWRIGHT_ROOTS": str(tmp_path)}
    token = program("token").out.strip()
    with serving(program) as address:
        there = {"BUILDWRIGHT_URL": address, "BUILDWRIGHT_TOKEN": token, "XDG_CONFIG_HOME": str(tmp_path / "other")}
        code, _, err = failing(program, repository, three, "--verbose", **there)
        assert code == 4, err
        assert any(line.endswith("a said     ::error::made up") for line in err.splitlines())
    (paused,) = [json.loads(line) for line in told.read_text("utf-8").splitlines()]
    assert (paused["event"], paused["task"]) == ("paused", "b")


def test_a_finding_is_annotated_where_it_is_found() -> None:
    told = io.StringIO()
    annotate(Output(stdout=io.StringIO(), stderr=told), build_of(journal(*FAILED)))
    assert told.getvalue().splitlines() == [
        "::error file=test_money.py,line=4,title=money%3A pytest.failed::1 != 2",
        "::error title=money%3A pytest.failed::3 != 4",
        "::warning title=Buildwright is paused::task money failed 2 times",
    ]
