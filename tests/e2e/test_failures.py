"""What a user meets when things break: kill -9, a full disk, git that is not there, agents that fail and are talked to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import string
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.agents.fake_messages import Ends, Round, Status, serving
from tests.cli.conftest import WRITES, Program, shell, write_tasks

EIGHT = [{"id": f"t{n}", "title": f"Task {n}", "depends_on": [f"t{n - 2}"] if n > 2 else []} for n in range(1, 9)]


def git(repository: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=T", "-c", "user.email=t@example.invalid", "-C", str(repository), *words],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def delivered(repository: Path) -> str:
    """The one branch that builds have made."""
    (name,) = git(repository, "branch", "--list", "--format=%(refname:short)", "buildwright/*").splitlines()
    return name


def events(program: Program) -> list[dict[str, Any]]:
    """The journal of the newest build."""
    ended = program("events", program("status", "--json").object["id"])
    assert ended.code == 0, ended.err
    return ended.lines


def processes_with(word: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if word in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def left_behind(home: Path) -> list[str]:
    """Lanes, checkouts and lock files; the folders they stand in do not count."""
    inside = [path for name in ("lanes", "checkouts", "scratch") for path in (home / name).glob("*/*")]
    return sorted(str(path) for path in [*inside, *home.rglob("*.lock")])


def test_killed_again_and_again_a_build_ends_as_if_undisturbed(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    calm_repository = tmp_path / "calm"
    subprocess.run(["git", "clone", "-q", str(repository), str(calm_repository)], check=True)
    tasks = write_tasks(tmp_path / "eight.json", *EIGHT)
    ledger = tmp_path / "ledger"
    trap = f"sleep 86400.{os.getpid()}"
    # Each agent leaves a process in a session of its own, without its parent: the hardest to find again.
    command = (
        f"(setsid {trap} >/dev/null 2>&1 &); echo $BUILDWRIGHT_TASK_ID/$BUILDWRIGHT_ATTEMPT >> {ledger}; sleep 0.4;"
        ' echo "$BUILDWRIGHT_TASK_ID" > "$BUILDWRIGHT_TASK_ID.txt"'
    )
    words = (*shell(command), "--check", "sleep 0.2; ls README.md")

    calm = program("build", tasks, "--repo", calm_repository, *words, BUILDWRIGHT_HOME=str(tmp_path / "calm-home"))
    assert calm.code == 0, calm.err
    wanted = git(calm_repository, "rev-parse", f"{delivered(calm_repository)}^{{tree}}")

    dice = random.Random(20)
    kills, told = 0, ""
    for _ in range(8):
        begun = _lines(ledger)
        living = program.start("build", tasks, "--repo", repository, *words)
        while living.poll() is None and _lines(ledger) == begun:
            time.sleep(0.02)  # until an agent of this life has begun: a kill before that would prove little
        try:
            told += living.communicate(timeout=dice.uniform(0.0, 1.2))[1]
        except subprocess.TimeoutExpired:
            living.send_signal(signal.SIGKILL)
            told += living.communicate()[1]
            kills += 1
        if git(repository, "branch", "--list", "buildwright/*"):
            break
    last = program("build", tasks, "--repo", repository, *words) if kills == 8 else None
    assert kills >= 3, "the build was over before it could be killed"
    assert last is None or last.code == 0
    assert "Continuing build" in told

    assert git(repository, "rev-parse", f"{delivered(repository)}^{{tree}}") == wanted
    journal = events(program)
    assert [event["seq"] for event in journal] == list(range(1, len(journal) + 1))
    for kind in ("agent.finished", "patch.judged", "change.landed", "task.started"):
        counts = Counter((event["task"], event["attempt"]) for event in journal if event["type"] == kind)
        assert set(counts.values()) == {1}, f"{kind}: {counts}"
    attempts = Counter(ledger.read_text().split())
    assert {name for name in attempts if not name.endswith("/1")} == set(), "a kill costs no attempt"
    assert left_behind(program.home) == []
    assert processes_with(trap) == []
    assert git(repository, "status", "--porcelain") == ""


def _lines(ledger: Path) -> int:
    return len(ledger.read_text().splitlines()) if ledger.exists() else 0


# --- A full disk ---------------------------------------------------------------------------------------------------

TINY = """
mkdir -p "$BUILDWRIGHT_HOME" && mount -t tmpfs -o size=4m tmpfs "$BUILDWRIGHT_HOME" || exit 99
filler="$BUILDWRIGHT_HOME/filler"
step() { echo "step $1"; shift; "$@" </dev/null; echo "code $?"; }
"""
"""A home of 4 MB in a mount namespace of its own; with it everything in it ends."""


def in_tiny_home(program: Program, script: str, **words: str | Path) -> list[tuple[str, int, str]]:
    """Run shell commands with the tiny home; the name, exit code and output of each step."""
    namespace = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    done = subprocess.run(
        [*namespace, "sh", "-c", TINY + script],
        env=program.environment | {"PYTHON": sys.executable} | {name: str(word) for name, word in words.items()},
        cwd=program.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    steps = [part for part in done.stdout.split("step ") if "\ncode " in part]
    assert steps, done.stdout
    return [(part.split("\n", 1)[0], int(part.rsplit("\ncode ", 1)[1]), part.split("\n", 1)[1]) for part in steps]


def test_a_full_disk_pauses_the_build_and_it_goes_on_when_there_is_room(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A"}, {"id": "b", "title": "B"})
    # The agent itself finds no room and fails; that is no fault of the task.
    script = """
    run() { $PYTHON -m buildwright "$@"; }
    build() { run build "$TASKS" --repo "$REPO" --agent shell --sandbox none -j 1 --check true --agent-command \\
        'head -c 600000 /dev/zero > $BUILDWRIGHT_TASK_ID.bin'; }
    run status >/dev/null 2>&1
    free=$(df -k --output=avail "$BUILDWRIGHT_HOME" | tail -1)
    head -c $(((free - 400) * 1024)) /dev/zero > "$filler"
    step full build
    rm "$filler"
    step resume run resume
    step files sh -c 'cd "$BUILDWRIGHT_HOME"; find . -mindepth 2 -name "*.lock" -o -path "*/lanes/*" -o -path "*/checkouts/*"'
    """
    full, resumed, files = in_tiny_home(program, script, TASKS=tasks, REPO=repository)
    assert full[1] == 4, full
    assert "No space is left" in full[2]
    assert "Free some space" in full[2]
    assert resumed[1] == 0, resumed
    assert files[2].strip() == "code 0", "no lock, lane or checkout is left"
    assert git(repository, "ls-tree", "--name-only", delivered(repository)).splitlines() == [
        "README.md",
        "a.bin",
        "b.bin",
    ]


def test_when_not_even_the_pause_can_be_written_the_same_command_goes_on_later(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A"}, {"id": "b", "title": "B"})
    # The agent fills the whole disk (and the log has something to write meanwhile) until the file `freed` is there.
    script = """
    run() { $PYTHON -m buildwright "$@"; }
    build() { run build "$TASKS" --repo "$REPO" --agent shell --sandbox none -j 1 --no-gates --agent-command \\
        'echo x > $BUILDWRIGHT_TASK_ID.txt; test -e '"$FREED"' || { cat /dev/zero > '"$filler"'; seq 500; }; true'; }
    fill() { cat /dev/zero > "$filler.2" 2>/dev/null; }
    step first build
    fill
    step second build
    step say run say "$(ls "$BUILDWRIGHT_HOME/mirrors/builds")" hello
    step status run status
    touch "$FREED"; rm "$filler"*
    step later build
    step resume run resume
    """
    first, second, say, status, later, resumed = in_tiny_home(
        program, script, TASKS=tasks, REPO=repository, FREED=tmp_path / "freed"
    )
    assert first[1] in {1, 4}
    assert second[1] in {1, 4}
    assert say[1] in {0, 1}, "SQLite may find room for one more line"
    for _name, code, told in (first, second, say):
        assert code == 0 or "no space is left" in told.lower(), told
        assert "unforeseen" not in told, told
    assert status[1] == 0
    assert (later[1], resumed[1]) in {(0, 7), (4, 0)}, later[2] + resumed[2]
    assert set(git(repository, "ls-tree", "--name-only", delivered(repository)).splitlines()) == {
        "README.md",
        "a.txt",
        "b.txt",
    }


# --- Git that is not there -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["", "2.20.1"])
def test_a_missing_or_old_git_is_named_with_its_fix(
    program: Program, repository: Path, three: Path, tmp_path: Path, version: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "rm", "env"):
        (tools / name).symlink_to(f"/bin/{name}")
    if version:
        (tools / "git").write_text(f"#!/bin/sh\necho git version {version}\n")
        (tools / "git").chmod(0o755)
    ended = program("build", three, "--repo", repository, *shell(WRITES, "--no-gates"), PATH=str(tools))
    assert (ended.code, ended.out) == (78, ""), ended.err
    assert ("too old" if version else "git is not installed") in ended.err
    assert "Install git 2.38 or newer" in ended.err
    doctor = program("doctor", "--json", PATH=str(tools))
    assert doctor.code != 0
    (found,) = [one for one in doctor.object["checks"] if one["name"] == "git"]
    assert found["ok"] is False
    assert program("status", "--all", "--json").object["builds"] == [], "a build that cannot begin is never made"


# --- Agents that fail, and users who answer --------------------------------------------------------------------------


def test_repeated_failure_waits_with_its_findings_for_each_of_the_four_choices(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A"}, {"id": "b", "title": "B"})
    # Task a writes what the gate wants only when the prompt tells it the word.
    command = (
        'case $BUILDWRIGHT_TASK_ID in a) grep -o "say please" "$BUILDWRIGHT_PROMPT_FILE" > a.txt || echo no > a.txt;;'
        " b) echo b > b.txt;; esac"
    )
    check = 'test ! -e a.txt || grep -q please a.txt || { echo "FAILED a.txt: the magic word is missing"; exit 1; }'
    words = shell(command, "--check", f"manners={check}", "--attempts", "2", "-j", "1")
    starts = {}
    for choice in ("--retry", "--skip", "--abort"):
        ended = program("build", tasks, "--repo", repository, *words, "--new")
        assert ended.code == 4, ended.err
        assert "task a failed after 2 attempts" in ended.err + ended.out
        starts[choice] = program("status", "--json").object["id"]
    # Other processes, later: the pause is in the journal.
    for build in starts.values():
        status = program("status", build, "--json").object
        assert status["pause"]["reason"] == "failure"
        assert "magic word" in program("why", build, "a").out
        refused = program("resume", build)
        assert refused.code == 7
        assert "--skip" in refused.err

    retried = program("resume", starts["--retry"], "--retry", "-m", "say please")
    assert retried.code == 0, retried.err
    skipped = program("resume", starts["--skip"], "--skip")
    assert skipped.code == 0, skipped.err
    aborted = program("resume", starts["--abort"], "--abort")
    assert aborted.code == 1
    outcomes = {choice: program("status", build, "--json").object for choice, build in starts.items()}
    assert {choice: status["outcome"] for choice, status in outcomes.items()} == {
        "--retry": "succeeded",
        "--skip": "succeeded",
        "--abort": "aborted",
    }
    assert outcomes["--skip"]["counts"] == {"done": 1, "skipped": 1}
    made = {
        choice: git(repository, "ls-tree", "--name-only", f"buildwright/{build[:8]}").splitlines()
        for choice, build in starts.items()
        if choice != "--abort"
    }
    assert made == {"--retry": ["README.md", "a.txt", "b.txt"], "--skip": ["README.md", "b.txt"]}


@pytest.mark.parametrize("critical", [True, False])
def test_too_many_failures_or_a_critical_one_end_the_run(
    program: Program, repository: Path, tmp_path: Path, critical: bool
) -> None:
    names = ["c"] if critical else list("abcd")
    failing = [{"id": name, "title": name, "critical": critical} for name in names]
    tasks = write_tasks(tmp_path / "tasks.json", *failing, {"id": "later", "title": "Later", "depends_on": names})
    words = ("--attempts", "1", "--no-gates", *([] if critical else ["--on-failure", "fail"]))
    ended = program("build", tasks, "--repo", repository, *shell("exit 3", *words))
    assert ended.code == 1, ended.err
    assert ("critical task c" if critical else "4 tasks failed") in ended.err + ended.out
    journal = events(program)
    assert journal[-1]["type"] == "build.finished"
    assert not [event for event in journal if event.get("task") == "later"]
    if not critical:
        (stuck,) = [event for event in journal if event["type"] == "build.stuck"]
        assert stuck["failures"] == 3
        assert all("exited with 3" in error for error in stuck["errors"])


def test_words_to_a_running_agent_and_to_none_are_heard_and_receipted(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(
        tmp_path / "tasks.json", {"id": "a", "title": "A"}, {"id": "b", "title": "B", "depends_on": ["a"]}
    )
    flag = tmp_path / "running"
    command = (
        f'touch {flag}; for i in $(seq 300); do grep -q "word for $BUILDWRIGHT_TASK_ID" "$BUILDWRIGHT_MESSAGES_FILE"'
        ' && cp "$BUILDWRIGHT_MESSAGES_FILE" $BUILDWRIGHT_TASK_ID.txt && exit 0; sleep 0.1; done; exit 1'
    )
    running = program.start("build", tasks, "--repo", repository, *shell(command, "--no-gates"))
    while not flag.exists():
        assert running.poll() is None
        time.sleep(0.05)
    build = program("status", "--json").object["id"]
    first = program("say", build, "a word for a", "--task", "a", "--json").object["message"]
    nowhere = program("say", build, "hello", "--task", "zebra")
    assert nowhere.code == 2
    assert "no task zebra" in nowhere.err
    while not any(event["type"] == "change.landed" for event in events(program)):
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)  # lets go: the agent of b is ended, and nobody hears the next word
    running.communicate(timeout=30)
    second = program("say", build, "a word for b", "--json").object["message"]
    ended = program("run", build)
    assert ended.code == 0, ended.err
    receipts = {e["id"]: (e["task"], e["attempt"]) for e in events(program) if e["type"] == "message.delivered"}
    assert receipts == {first: ("a", 1), second: ("b", 1)}
    assert git(repository, "show", f"{delivered(repository)}:a.txt") == "a word for a"
    assert git(repository, "show", f"{delivered(repository)}:b.txt") == "a word for b"


def test_words_reach_a_model_in_the_middle_of_its_attempt(program: Program, repository: Path, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A"})
    cassette = tmp_path / "cassette.yaml"
    cassette.write_text(
        """\
version: 1
model: claude-sonnet-5-5
turns:
  - when: {task: a, message: 1, contains: in capitals}
    reply: {files: {a.txt: "HELLO\\n"}}
  - when: {task: a, message: 0}
    reply:
      say: I think about it for a while, word by word by word, before I write the file that was asked for.
      files: {a.txt: "hello\\n"}
    pace: {tokens_per_second: 10}
""",
        encoding="utf-8",
    )
    running = program.start("build", tasks, "--repo", repository, "--cassette", cassette, "--no-gates")
    while not (program.home / "lanes").is_dir() or not any((program.home / "lanes").glob("*/a-1/files")):
        assert running.poll() is None
        time.sleep(0.02)
    said = program("say", program("status", "--json").object["id"], "write it in capitals", "--json").object["message"]
    _, told = running.communicate(timeout=60)
    assert running.returncode == 0, told
    receipts = [(e["id"], e["task"], e["attempt"]) for e in events(program) if e["type"] == "message.delivered"]
    assert receipts == [(said, "a", 1)]
    assert git(repository, "show", f"{delivered(repository)}:a.txt") == "HELLO"


_ASKS_WITHOUT_BOUND = """
import json, os, sys, urllib.request
body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "again"}]}).encode()
head = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
for number in range(100):
    with open("asked.txt", "a") as file: file.write("x")
    urllib.request.urlopen(urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, head)).read()
"""


def test_an_attempt_that_asks_without_bound_ends_at_its_limit(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    cassette = tmp_path / "cassette.yaml"
    cassette.write_text("version: 1\nturns:\n  - {reply: {text: again}}\n")
    tasks = write_tasks(tmp_path / "one.json", {"id": "t1", "title": "Task 1"})
    words = (
        *shell(f"python3 -c '{_ASKS_WITHOUT_BOUND}'"),
        "--cassette",
        str(cassette),
        "--on-failure",
        "fail",
        "--no-gates",
    )
    done = program("build", tasks, "--repo", repository, *words, "--requests", "4", "--attempts", "2")
    assert done.code == 1, done.err
    broke = [event for event in events(program) if event["type"] == "agent.broke"]
    assert [event["kind"] for event in broke] == ["request_limit"] * 2
    assert "has sent 4 requests" in broke[0]["message"]
    assert "build.paused" not in {event["type"] for event in events(program)}


@pytest.mark.parametrize(("status", "kind"), [(429, "trouble"), (413, "context_length")])
def test_one_that_is_still_asking_when_its_time_is_over_was_held_up_by_what_it_is_answered(
    program: Program, repository: Path, tmp_path: Path, status: int, kind: str
) -> None:
    cassette = tmp_path / "cassette.yaml"
    cassette.write_text(
        f"version: 1\nturns:\n  - {{reply: {{text: again}}, faults: [{{kind: {status}, times: 9999}}]}}\n"
    )
    tasks = write_tasks(tmp_path / "one.json", {"id": "t1", "title": "Task 1"})
    asks = 'curl -s -H "x-api-key: $ANTHROPIC_API_KEY" -d \'{"model":"m","messages":[]}\' "$ANTHROPIC_BASE_URL/v1/messages"'
    words = (*shell(f"while :; do {asks}; sleep 0.2; done"), "--cassette", str(cassette), "--no-gates")
    program("build", tasks, "--repo", repository, *words, "--task-time", "2", "--attempts", "1")
    told = [event for event in events(program) if event["type"] in {"agent.broke", "build.paused"}]
    assert told[0].get("kind", told[0].get("reason")) == kind
    assert "it was still asking after 2 s" in told[0]["message"]
    assert ("allows no more requests now" in told[0]["message"]) == (status == 429)


@pytest.mark.parametrize(
    ("answer", "kind", "paused"),
    [
        (Ends("refusal"), "refused", ""),
        (Ends("max_tokens"), "output_limit", ""),
        (Status(413, "request_too_large", "prompt is too long"), "context_length", ""),
        (Status(401, "authentication_error", "bad key"), "auth", "trouble"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_how_the_model_failed_claude_is_said(
    program: Program, repository: Path, tmp_path: Path, answer: Round, kind: str, paused: str
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "t1", "title": "Task 1"})
    words = ("--agent", "claude", "--attempts", "1", "--no-gates", "--on-failure", "fail" if not paused else "pause")
    async with serving(lambda _turn, _body: answer) as fake:
        await asyncio.to_thread(
            program,
            *("build", tasks, "--repo", repository, *words),
            ANTHROPIC_API_KEY="sk-of-the-test",
            ANTHROPIC_BASE_URL=fake.url,
        )
    told = [event for event in events(program) if event["type"] in {"agent.broke", "build.paused"}]
    assert [event.get("kind", event.get("reason")) for event in told] == [paused or kind], told
    assert ("Fix: check ANTHROPIC_API_KEY" in told[0]["message"]) == bool(paused)


def test_a_change_with_a_key_never_lands_and_the_tables_count_it(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "two.json", {"id": "ok", "title": "Fine"}, {"id": "leak", "title": "Leaks"})
    key = "gh" + "p_" + "".join(random.Random(3).choices(string.ascii_letters + string.digits, k=36))
    agent = f"echo 'K = \"{key}\"' > leak.py; test $BUILDWRIGHT_TASK_ID = leak || mv leak.py ok.py; sed -i s/{key}/none/ ok.py"
    ended = program(
        "build",
        tasks,
        *("--repo", repository, "--attempts", "1", "--on-failure", "fail", "--check", "test -f README.md"),
        *shell(f"{agent}; true"),
    )
    assert ended.code not in {0, 78}, ended.err
    assert key not in ended.out + ended.err
    assert "ok.py" in git(repository, "ls-tree", "-r", "--name-only", delivered(repository))
    assert key not in git(repository, "log", "--all", "-p")
    assert "secrets.github-pat" in program("why", "newest", "leak").out
    with contextlib.closing(sqlite3.connect(program.home / "buildwright.db")) as store:
        (counted,) = store.execute(
            "SELECT sum(total_tasks), sum(successful_tasks), sum(failed_tasks) FROM metrics_hourly"
        ).fetchall()
    assert counted == (2, 1, 1)
