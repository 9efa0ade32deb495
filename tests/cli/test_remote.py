"""The command line through a running server: the same words, objects and exit codes as beside the store."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from buildwright import Buildwright, Limits, NewBuild, Options, Spec, Task
from buildwright.core.graph import Graph
from buildwright.errors import IllegalMove, NotFound
from tests.cli.conftest import WRITES, Process, Program, shell, write_tasks
from tests.git import git


class Serving(NamedTuple):
    """A server that runs, and what a client of it needs."""

    process: Process
    environment: dict[str, str]


@contextmanager
def serving(program: Program) -> Iterator[Serving]:
    """`buildwright serve` on a free port; ended by its process, and it must end well."""
    roots = {"BUILDWRIGHT_ROOTS": str(program.home.parent)}
    process = program.start("serve", "--port", "0", "--json", **roots)
    try:
        noted = program.home / "server.json"
        deadline = time.monotonic() + program.patience
        while not noted.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "it never listened"
            time.sleep(0.05)
        token = program("token").out.strip()
        yield Serving(process, {"BUILDWRIGHT_URL": json.loads(noted.read_text())["url"], "BUILDWRIGHT_TOKEN": token})
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=program.patience)
    assert process.returncode == 0, said
    assert not noted.exists()


@pytest.fixture
def server(program: Program) -> Iterator[Serving]:
    with serving(program) as found:
        yield found


def test_a_build_through_the_server_says_what_one_beside_the_store_says(
    program: Program, server: Serving, three: Path, repository: Path
) -> None:
    arguments: tuple[str | Path, ...] = (three, "--repo", repository, "--check", "true", *shell(WRITES))
    through = program("build", *arguments, "--branch", "there", "--json", **server.environment)
    assert through.code == 0, through.err
    summary = through.lines[-1]
    beside = program("build", *arguments, "--branch", "here", "--json")
    assert beside.code == 0, beside.err
    assert summary["counts"] == beside.lines[-1]["counts"]
    assert summary.keys() == beside.lines[-1].keys()
    assert {line["type"] for line in through.lines} == {line["type"] for line in beside.lines}
    trees = {git(repository, "rev-parse", f"{branch}^{{tree}}") for branch in ("there", "here")}
    assert len(trees) == 1
    verbs: tuple[tuple[str | Path, ...], ...] = (
        ("status", summary["id"], "--json"),
        ("status", "--all", "--json"),
        ("status",),
        ("logs", summary["id"], "--tail", "3"),
        ("events", summary["id"], "--after", "3"),
        ("diff", summary["id"]),
        ("diff", summary["id"], "a", "--stat"),
        ("prompt", summary["id"], "b"),
        ("prompt", summary["id"], "zebra"),
        ("compare", summary["id"], summary["id"]),
        ("why", summary["id"], "b"),
        ("why", summary["id"], "nothing"),
        ("gates", summary["id"], "--json"),
        ("gates", summary["id"], "a"),
        ("approve", summary["id"], "0" * 12, "-m", "yes"),
        ("pause", summary["id"]),
        ("say", summary["id"], "hello"),
        ("stop", summary["id"]),
        ("status", "nothing-like-it"),
        ("plan", three, "--json"),
    )
    named = f"BUILDWRIGHT_URL={server.environment['BUILDWRIGHT_URL']} "
    for verb in verbs:
        there, here = program(*verb, **server.environment), program(*verb)
        assert (there.code, there.out) == (here.code, here.out), verb
        assert there.err.replace(named, "") == here.err, verb  # commands that are printed name the server


def test_steering_through_the_server(program: Program, server: Serving, tmp_path: Path, repository: Path) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "First"})
    fails = shell(f'test -e "{tmp_path}/go" && {WRITES}')
    named: tuple[str | Path, ...] = ("build", tasks, "--repo", repository, "--check", "true", "--attempts", "1", *fails)
    paused = program(*named, "--json", **server.environment)
    assert paused.code == 4, paused.err
    build_id = paused.lines[-1]["id"]
    assert program("status", build_id, "--json").object["pause"]["reason"] == "failure"
    refused = program("resume", build_id, **server.environment)
    assert (refused.code, "needs your choice" in refused.err) == (7, True)
    assert program("say", build_id, "all is well now", **server.environment).code == 0
    (tmp_path / "go").touch()
    done = program("resume", build_id, "--retry", "-m", "again", "--json", **server.environment)
    assert done.code == 0, done.err
    done = program("run", build_id, **server.environment)
    assert done.code == 0, done.err
    assert program("status", build_id, "--json").object["outcome"] == "succeeded"


async def test_a_program_steers_a_build_through_the_server(
    program: Program, server: Serving, tmp_path: Path, repository: Path
) -> None:
    limits = Limits(attempts=1)
    command = f'test -e "{tmp_path}/go" && {WRITES}'
    options = Options(agent="shell", agent_command=command, gates=False, sandbox="none", limits=limits)
    url, token = server.environment["BUILDWRIGHT_URL"], server.environment["BUILDWRIGHT_TOKEN"]
    spec = Spec(title="One", form="tasks", graph=Graph(tasks=(Task(id="a", title="First"),)))
    async with Buildwright(url=url, token=token) as buildwright:
        new = NewBuild(spec, options, str(repository), build_id=str(uuid4()))
        build = await buildwright.start(new)
        assert (await buildwright.start(new)).id == build.id  # made once
        paused = await build.wait()
        assert "task a failed" in paused.paused
        with pytest.raises(IllegalMove, match="needs your choice"):
            await build.resume()
        with pytest.raises(NotFound, match="no task b"):
            await build.say("hello", "b")
        await build.say("all is well now")
        (tmp_path / "go").touch()
        await build.resume("retry", budget_usd=Decimal("2.50"))
        assert (await build.wait()).ok
        kinds = [recorded.event.type async for recorded in build.events()]
        assert [kinds[0], kinds[-1], kinds.count("build.resumed")] == ["build.created", "build.finished", 1]
        assert build.id in [row.build_id for row in await buildwright.builds()]
        assert (await buildwright.build(build.id[:13])).id == build.id
    assert program("status", build.id, "--json").object["outcome"] == "succeeded"


def test_a_build_goes_on_with_the_next_server(program: Program, three: Path, repository: Path) -> None:
    slow = shell(f"sleep 2; {WRITES}")
    with serving(program) as server:
        started = program(
            "build", three, "--repo", repository, "--check", "true", *slow, "--detach", "--json", **server.environment
        )
        assert started.code == 0, started.err
        build_id = started.object["build"]
        server.process.kill()
        server.process.wait()
        (program.home / "server.json").unlink()
        with serving(program) as another:
            ended = program("run", build_id, "--json", **another.environment)
            assert ended.code == 0, ended.err
            assert ended.lines[-1]["outcome"] == "succeeded"
        server.process.returncode = 0


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"BUILDWRIGHT_TOKEN": ""}, 78, "BUILDWRIGHT_TOKEN is missing"),
        ({"BUILDWRIGHT_TOKEN": "nonsense"}, 2, "buildwright token"),
        ({"BUILDWRIGHT_URL": "http://127.0.0.1:9"}, 6, "does not answer"),
        ({"BUILDWRIGHT_URL": "ftp://127.0.0.1"}, 78, "BUILDWRIGHT_URL is not an http"),
    ],
)
def test_a_server_that_cannot_be_used_is_told(
    program: Program, server: Serving, changed: dict[str, str], code: int, words: str
) -> None:
    ended = program("status", **{**server.environment, **changed})
    assert ended.code == code
    assert words in ended.err


def test_what_others_can_reach_must_be_meant(program: Program, server: Serving) -> None:
    assert "--public" in program("serve", "--host", "0.0.0.0", "--port", "0").err
    port = server.environment["BUILDWRIGHT_URL"].rpartition(":")[2]
    taken = program("serve", "--port", port)
    assert (taken.code, "in use" in taken.err) == (7, True)
    assert program("token", "--days", "0").code == 2
    told = program("token", "--user", "bob", "--json").object
    assert told["user"] == "bob"


def test_why_a_build_was_stuck_is_the_same_through_the_server(
    program: Program, server: Serving, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A"})
    words = shell("echo no such tool: frob; exit 3", "--no-lanes", "--stuck-after", "2", "--attempts", "2")
    assert program("build", tasks, *words, **server.environment).code == 4
    here = program("why", "newest", "stuck", "--json").object
    assert program("why", "newest", "stuck", "--json", **server.environment).object == here
    events = ("events", "newest", "--words")
    assert program(*events, **server.environment).lines == program(*events).lines
    assert here["failures"] == 2


def test_costs_and_stats_are_the_same_through_the_server(
    program: Program, server: Serving, repository: Path, tmp_path: Path
) -> None:
    assert "No request to a model is known." in program("costs", **server.environment).out
    model = tmp_path / "model.yaml"
    model.write_text(
        "version: 1\nmodel: claude-sonnet-5-5\nturns:\n"
        '  - when: {task: a}\n    reply: {files: {a.txt: "a"}}\n    usage: {input: 1000000, output: 1000}\n',
        encoding="utf-8",
    )
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A"})
    built = program("build", tasks, "--repo", repository, "--check", "true", "--cassette", model)
    assert built.code == 0, built.err
    for by in ("day", "project", "user", "attempt", "requirement"):
        here = program("costs", "--by", by, "--json")
        assert program("costs", "--by", by, "--json", **server.environment).object == here.object
        (only,) = here.object["sums"]
        assert (only["requests"], only["input_tokens"], only["output_tokens"]) == (1, 1_000_000, 1_000), by
    assert program("costs", "--by", "model").out == program("costs", "--by", "model", **server.environment).out
    assert "Total: $" in program("costs").out
    for environment in ({}, server.environment):
        (of_build,) = program("costs", "--by", "task", "--build", "newest", "--json", **environment).object["sums"]
        assert of_build["key"].endswith("/a")
        assert program("costs", "--build", "nope", **environment).code == 2
    assert program("costs", "--until", "2001-01-01").out.strip() == "No request to a model is known."
    _stats_are_the_same(program, server)


def _stats_are_the_same(program: Program, server: Serving) -> None:
    here = program("stats", "--by", "week", "--json")
    assert program("stats", "--by", "week", "--json", **server.environment).object == here.object
    (row,) = here.object["rows"]
    assert (row["tasks"], row["first_pass_rate"], row["tokens"]) == (1, 1.0, 1_001_000)
    assert {**row, "start": None} == here.object["total"]
    until = ("stats", "--until", "2001-01-01")
    assert program(*until, **server.environment).out.strip() == "Nothing has happened in that time."
