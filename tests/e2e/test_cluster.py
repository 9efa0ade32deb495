"""A cluster as its user sees it: the real command line, real servers and workers, `kill -9`, and two machines in one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from buildwright.core.limits import Limits, Options
from buildwright.library import Orchestrator
from tests.cli.conftest import WRITES, Program, shell, write_tasks
from tests.e2e.test_repositories import with_submodule
from tests.git import git
from tests.services import fresh_database, redis_of_this_worker
from tests.starter import SOURCE, Starter, plain_environment
from tests.workspace.served import smart_http

KEY = "sk-ant-test-0123456789abcdefghijklmnopqrstuvwxyz"
PATIENCE = 60.0


def program_in(home: Path, directory: Path, starter: Starter | None = None, **environment: str) -> Program:
    own = plain_environment() | {"BUILDWRIGHT_HOME": str(home)}
    directory.mkdir(exist_ok=True)
    return Program(home, directory, own | environment, patience=PATIENCE, starter=starter)


@pytest.fixture(scope="module")
def cluster(starter: Starter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One cluster for all tests here. Its workers have a key, which nobody may ever see."""
    folder = tmp_path_factory.mktemp("cluster")
    program = program_in(folder / "home", folder / "work", starter)
    try:
        up = program("cluster", "up", "--workers", "3", "--json", ANTHROPIC_API_KEY=KEY)
        assert up.code == 0, up.err
        yield program
    finally:
        program("cluster", "down", "--now")


def until(look: Callable[[], Any]) -> Any:
    """What `look` gives, once it is something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return found


def started(program: Program, *arguments: str | Path, **environment: str) -> str:
    """The id of a build that the workers have now."""
    done = program("build", *arguments, "--detach", "--json", **environment)
    assert done.code == 0, done.err
    return str(done.object["build"])


def status(program: Program, build_id: str) -> dict[str, Any]:
    return program("status", build_id, "--json").object


def worker_of(program: Program, build_id: str, task: str) -> str:
    """The worker whose agent is at work on the task."""

    def look() -> str:
        held = status(program, build_id)["workers"]
        return next((row["worker"] for row in held if row["action"].startswith(f"run-agent/{task}/")), "")

    return str(until(look))


def log_lines(program: Program, worker: str = "*") -> list[dict[str, Any]]:
    logs = program.home.glob(f"cluster/workers/{worker}/worker.log")
    return [json.loads(line) for log in logs for line in log.read_text("utf-8").splitlines() if line.startswith("{")]


def tree(repository: Path, branch: str) -> str:
    return git(repository, "rev-parse", f"{branch}^{{tree}}").strip()


def test_the_same_commands_give_the_same_results(
    cluster: Program, program: Program, three: Path, repository: Path
) -> None:
    arguments: tuple[str | Path, ...] = (three, "--repo", repository, "--check", "true", "--json", *shell(WRITES))
    here = program("build", *arguments, "--branch", "alone").lines[-1]
    there = cluster("build", *arguments, "--branch", "together", BUILDWRIGHT_CORRELATION_ID="ticket-7").lines[-1]
    assert (there["outcome"], there["exit"], there["counts"]) == (here["outcome"], 0, here["counts"])
    assert there["delivered"] == "refs/heads/together"
    assert tree(repository, "together") == tree(repository, "alone")
    assert there.keys() == here.keys()
    for verb in (("status",), ("logs", "--tail", "1"), ("diff",)):
        seen = [run(*verb, summary["id"], "--json").object for run, summary in ((program, here), (cluster, there))]
        assert seen[0].keys() == seen[1].keys()
    assert cluster("status", there["id"], "--json").object["correlation_id"] == "ticket-7"
    assert cluster("logs", there["id"], "--json", "--tail", "1").object["correlation_id"] == "ticket-7"
    assert [line["correlation_id"] for line in cluster("events", there["id"]).lines[:1]] == ["ticket-7"]
    lines = [line for line in log_lines(cluster) if line.get("executionId") == there["id"]]
    assert {line["correlationId"] for line in lines} == {"ticket-7"}
    assert {"taken", "recorded"} <= {line["event"] for line in lines}
    assert cluster("why", there["id"], "a").code == 0
    assert cluster("run", there["id"]).code == 0
    assert cluster("pause", there["id"]).code == 7


def test_a_build_that_is_watched_is_steered_from_elsewhere(cluster: Program, tmp_path: Path, repository: Path) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "First"}, title="Steered")
    command = 'if [ -s "$BUILDWRIGHT_FEEDBACK_FILE" ]; then date > made; else sleep 60; fi'
    watching = cluster.start("build", tasks, "--repo", repository, "--check", "true", *shell(command))
    build_id = str(until(lambda: newest(cluster, "Steered", "running")))
    worker = worker_of(cluster, build_id, "a")
    assert f"{worker}: run-agent a" in cluster("status", build_id).out
    said = cluster("say", build_id, "be quick")
    assert "At work now: a" in said.err
    until(lambda: "message.delivered" in cluster("events", build_id).out)
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=PATIENCE)
    assert watching.returncode == 130
    assert "the workers continue" in told
    assert "what runs now may finish" in cluster("pause", build_id).out
    assert [held["task"] for held in status(cluster, build_id)["workers"]] == ["a"]
    resumed = cluster("resume", build_id, "--no-run")
    assert "The workers continue at once" in resumed.err
    stopped = cluster("stop", build_id, "-m", "enough")
    assert stopped.code == 0
    until(lambda: status(cluster, build_id)["outcome"] == "stopped")
    assert status(cluster, build_id)["workers"] == []
    assert cluster("run", build_id).code == 1


def newest(program: Program, title: str, control: str) -> str:
    rows = program("status", "--all", "--json").object["builds"]
    return next((row["build_id"] for row in rows if (row["title"], row["control"]) == (title, control)), "")


def test_a_killed_worker_and_a_restart_lose_nothing(
    cluster: Program, tmp_path: Path, three: Path, repository: Path
) -> None:
    gate = tmp_path / "open"
    waits = f"while [ ! -e {gate} ]; do sleep 0.1; done; {WRITES}"
    build_id = started(cluster, three, "--repo", repository, "--check", "true", *shell(waits))
    worker = worker_of(cluster, build_id, "a")
    rows = cluster("cluster", "status", "--json").object["workers"]
    pid = next(int(row["holder"].split(":")[-2]) for row in rows if row["name"] == worker)
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid not in pids(cluster))
    worker_of(cluster, build_id, "a")
    until(lambda: len(pids(cluster)) == 3)

    assert cluster("pause", build_id).code == 0
    down = cluster("cluster", "down", "--now", "--json").object
    assert down["unfinished"] >= 1
    gone = cluster("status", build_id)
    assert (gone.code, "cluster up" in gone.err) == (2, True)
    assert cluster("cluster", "up", ANTHROPIC_API_KEY=KEY).code == 0
    assert status(cluster, build_id)["control"] == "paused"
    gate.touch()
    assert cluster("resume", build_id, "--detach").code == 0
    ended = until(lambda: (seen := status(cluster, build_id))["outcome"] and seen)
    assert (ended["outcome"], ended["counts"]) == ("succeeded", {"done": 3})
    files = git(repository, "ls-tree", "--name-only", f"buildwright/{build_id[:8]}").split()
    assert files == ["README.md", "a.txt", "b.txt", "c.txt"]


def pids(program: Program) -> set[int]:
    rows = program("cluster", "status", "--json").object["workers"]
    return {int(row["holder"].split(":")[-2]) for row in rows if row["state"] == "alive"}


async def test_the_library_works_in_a_cluster_and_a_pause_ends_by_itself(
    cluster: Program, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cluster.directory)
    limits = Limits(pause_seconds=1.0, attempts=1)
    options = Options(agent="shell", agent_command="exit 3", sandbox="none", gates=False, limits=limits)
    async with Orchestrator(repository, options=options, home=cluster.home) as orchestrator:
        batch = await orchestrator.execute_batch([{"id": "a", "title": "First"}], title="By library")
        assert "The command exited with 3" in batch.build.paused
        assert next(row.title for row in await orchestrator.list_builds(repository.name)) == "By library"
        assert (await orchestrator.get_summary(batch.build.build_id)).builds == 1
    # Nobody watches: the workers end it.
    ended = until(lambda: (seen := status(cluster, batch.build.build_id))["outcome"] and seen)
    assert ended["outcome"] == "aborted"
    assert "paused for longer than" in ended["message"]


def test_a_key_and_the_passwords_are_seen_nowhere(cluster: Program, three: Path, repository: Path) -> None:
    leaky = f"echo '{KEY[:12]}''{KEY[12:]}'; {WRITES}"  # not in one piece, or the command itself would show it
    build_id = started(cluster, three, "--repo", repository, "--check", "true", *shell(leaky))
    until(lambda: status(cluster, build_id)["outcome"])
    state = json.loads((cluster.home / "cluster" / "cluster.json").read_text("utf-8"))
    passwords = [state[name].split("@")[0].rpartition(":")[2] for name in ("database_url", "redis_url")]
    shown = "".join(cluster(verb, build_id).out for verb in ("logs", "status", "events"))
    assert "[secret]" in shown
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            shown += command.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    for log in cluster.home.rglob("*.log"):
        shown += log.read_text("utf-8", "replace")
    assert not [secret for secret in (KEY, *passwords) if secret in shown]
    kept = [path for path in (cluster.home / "cluster").rglob("*") if path.is_file()]
    assert not [path for path in kept if KEY.encode() in path.read_bytes()]


@contextmanager
def machine(home: Path, shared: dict[str, str]) -> Iterator[Path]:
    """A worker of its own home that knows three addresses and nothing else; ended at the end. Gives its log."""
    home.mkdir()
    log = home / "log"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "BUILDWRIGHT_HOME": str(home), **shared}
    with log.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "buildwright", "worker"], cwd=home, env=environment, stdout=sink, stderr=sink
        )
        try:
            yield log
        finally:
            process.terminate()
            assert process.wait(timeout=PATIENCE) == 0


async def test_machines_that_share_three_addresses_bring_the_result_home(
    starter: Starter, tmp_path: Path, three: Path, repository: Path
) -> None:
    hub = tmp_path / "hubs" / "hub.git"
    git(tmp_path, "init", "-q", "--bare", str(hub))
    git(hub, "config", "http.receivepack", "true")
    with smart_http(hub.parent) as (address, _), ExitStack() as workers:
        async with fresh_database() as database:
            shared = {
                "DATABASE_URL": database,
                "REDIS_URL": redis_of_this_worker(),
                "BUILDWRIGHT_HUB": f"{address}/hub.git",
            }
            user = program_in(tmp_path / "user", tmp_path / "desk", starter, **shared)
            waiting = user("build", three, "--repo", repository, "--check", "true", *shell(WRITES))
            assert (waiting.code, "no worker is running" in waiting.err) == (6, True)
            build_id = newest(user, "Sample", "running")
            assert "No worker is running" in user("status", build_id).err

            # The repository is only on the user's machine.
            away = repository.rename(tmp_path / "away")
            logs = [workers.enter_context(machine(tmp_path / name, shared)) for name in ("one", "two")]
            until(lambda: status(user, build_id)["outcome"])
            assert status(user, build_id)["delivered"] == f"{address}/hub.git refs/heads/buildwright/{build_id[:8]}"
            assert "it cannot be brought to" in user("run", build_id).err
            away.rename(repository)
            brought = user("run", build_id)
            assert (brought.code, "was brought from the hub" in brought.err) == (0, True)
            branch = f"buildwright/{build_id[:8]}"
            assert f"Result: branch {branch} in {repository}" in brought.out
            assert git(repository, "ls-tree", "--name-only", branch).split() == [
                "README.md",
                "a.txt",
                "b.txt",
                "c.txt",
            ]
            # Once: whoever removes the branch does not get it back.
            git(repository, "branch", "-qD", branch)
            assert status(user, build_id)["delivered"] == f"refs/heads/{branch}"
            assert not git(repository, "branch", "--list", branch)
            taken = [[line for line in log.read_text("utf-8").splitlines() if '"taken"' in line] for log in logs]
            assert all(taken)
            workers.close()


async def test_a_fork_goes_on_from_the_hub_on_machines_that_have_not_seen_the_other_build(
    starter: Starter, tmp_path: Path, three: Path, repository: Path
) -> None:
    with_submodule(repository)
    ledger = tmp_path / "ledger"
    # b and c are made at once, so what one of them made is no tree that landed.
    meets = f"[ $BUILDWRIGHT_TASK_ID = a ] || until [ -e {tmp_path}/b ] && [ -e {tmp_path}/c ]; do sleep 0.1; done"
    notes = f'cat sub/README.md > "$BUILDWRIGHT_TASK_ID.txt"; touch {tmp_path}/$BUILDWRIGHT_TASK_ID; {meets}'
    command = f'{notes}; echo "$BUILDWRIGHT_TASK_ID" >> {ledger}'
    async with fresh_database() as database:
        shared = {
            "DATABASE_URL": database,
            "REDIS_URL": redis_of_this_worker(),
            "BUILDWRIGHT_HUB": str(tmp_path / "hub.git"),
        }
        user = program_in(tmp_path / "user", tmp_path / "desk", starter, **shared)
        with machine(tmp_path / "first", shared), machine(tmp_path / "next", shared):
            arguments: tuple[str | Path, ...] = (
                "--repo",
                repository,
                "--check",
                "test -e sub/README.md",
                *shell(command),
            )
            source = started(user, three, *arguments)
            assert until(lambda: status(user, source)["outcome"]) == "succeeded"
            assert user("run", source).code == 0
        ledger.unlink()
        events = user("events", source).lines
        landed = [one for one in events if one["type"] == "change.landed"]

        # Another machine of the user, and two workers, none of which has anything of the other build.
        other = program_in(tmp_path / "other", tmp_path / "desk", starter, **shared)
        with machine(tmp_path / "one", shared), machine(tmp_path / "two", shared):
            made = other("fork", source, "--at", str(landed[1]["seq"]), "--detach", "--json")
            assert made.code == 0, made.err
            fork = str(made.object["build"])
            assert until(lambda: status(other, fork)["outcome"]) == "succeeded"
            assert ledger.read_text().split() == [landed[2]["task"]], "two of three are done already"
            whole = str(other("fork", source, "--detach", "--json").object["build"])
            assert until(lambda: status(other, whole)["outcome"]) == "succeeded"
        assert other("run", fork).code == 0
        assert tree(repository, f"buildwright/{fork[:8]}") == tree(repository, f"buildwright/{source[:8]}")
        # A home that knows nothing yet shows what the fork has taken over as it landed there.
        third = program_in(tmp_path / "third", tmp_path / "desk", starter, **shared)
        for task in "abc":
            shown = third("diff", whole, task)
            assert shown.code == 0, shown.err
            assert shown.out == user("diff", source, task).out
        assert user("events", source).lines == events


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"BUILDWRIGHT_HUB": "{folder}"}, 2, "git init --bare {folder}"),
        ({"BUILDWRIGHT_HUB": ""}, 78, "a worker needs the database, Redis and the hub"),
        ({"BUILDWRIGHT_HOME": "{workers}/w1"}, 7, "give each worker its own BUILDWRIGHT_HOME"),
    ],
)
def test_a_worker_that_cannot_work_says_why_and_how_to_mend_it(
    cluster: Program, tmp_path: Path, changed: dict[str, str], code: int, words: str
) -> None:
    state = json.loads((cluster.home / "cluster" / "cluster.json").read_text("utf-8"))
    shared = {"DATABASE_URL": state["database_url"], "REDIS_URL": state["redis_url"], "BUILDWRIGHT_HUB": state["hub"]}
    places = {"folder": str(tmp_path), "workers": str(cluster.home / "cluster" / "workers")}
    own = {"BUILDWRIGHT_HOME": str(tmp_path / "home")}
    environment = {**shared, **own, **{name: value.format(**places) for name, value in changed.items()}}
    ended = cluster("worker", **environment)
    assert ended.code == code
    assert words.format(**places) in ended.err
    assert "hush" not in ended.err + ended.out


async def test_what_a_machine_lacks_is_left_to_others_and_said(
    starter: Starter, tmp_path: Path, three: Path, repository: Path
) -> None:
    """A worker without the sandbox that a build asks for lets go of it and names what to install."""
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("git", "sh"):
        (bare / name).symlink_to(str(shutil.which(name)))
    async with fresh_database() as database:
        shared = {
            "DATABASE_URL": database,
            "REDIS_URL": redis_of_this_worker(),
            "BUILDWRIGHT_HUB": str(tmp_path / "hub.git"),
        }
        user = program_in(tmp_path / "user", tmp_path / "desk", starter, **shared)
        arguments = ("--agent", "shell", "--agent-command", WRITES, "--sandbox", "bubblewrap", "--check", "true")
        with machine(tmp_path / "low", shared | {"PATH": str(bare)}):
            build_id = started(user, three, "--repo", repository, *arguments)
            said = until(lambda: (seen := user("logs", build_id).out) and "cannot carry out" in seen and seen)
            assert "bubblewrap" in said
            assert "fix:" in said
            assert user("stop", build_id).code == 0
            assert until(lambda: status(user, build_id)["outcome"]) == "stopped"
