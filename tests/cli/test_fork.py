"""`fork` goes on from a point of another build: what had landed is not done again, and the other build stays as it is."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Program, shell, write_tasks

ADDS = 'echo "$BUILDWRIGHT_TASK_ID" >> "$BUILDWRIGHT_TASK_ID.txt"; echo "$BUILDWRIGHT_TASK_ID" >> {ledger}'
"""Adds a line to a file named after the task, and notes the attempt outside of the lane."""

CASSETTE = """
version: 1
model: claude-sonnet-5-5
turns:
  - when: {task: plan}
    reply:
      json:
        tasks:
          - {id: one, title: One, goal: Write one, acceptance: [it is there], files_expected: [one.txt]}
          - {id: two, title: Two, goal: Write two, acceptance: [it is there], depends_on: [one], files_expected: [two.txt]}
    usage: {input: 1000, output: 100}
  - when: {task: one}
    reply: {files: {one.txt: "1"}}
    usage: {input: 2000, output: 200}
  - when: {task: two}
    reply: {files: {two.txt: "2"}}
    usage: {input: 4000, output: 400}
"""


def git(repository: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=repository, check=True, capture_output=True, text=True).stdout.strip()


def built(program: Program, repository: Path, tasks: Path, ledger: Path) -> str:
    ended = program("build", tasks, "--repo", repository, "--json", *shell(ADDS.format(ledger=ledger), "--no-gates"))
    assert ended.code == 0, ended.err
    return str(ended.lines[-1]["id"])


def seq_of(program: Program, build: str, kind: str, task: str) -> int:
    """The number of the event of this kind and task."""
    events = program("events", build).lines
    return next(int(one["seq"]) for one in events if (one["type"], one.get("task")) == (kind, task))


def test_a_fork_does_only_what_had_not_landed(program: Program, three: Path, tmp_path: Path, repository: Path) -> None:
    ledger = tmp_path / "ledger"
    source = built(program, repository, three, ledger)
    before = program("events", source).out
    landed = seq_of(program, source, "change.landed", "a")
    ledger.unlink()

    forked = program("fork", source, "--at", str(landed), "--json")
    assert forked.code == 0, forked.err
    assert sorted(ledger.read_text().split()) == ["b", "c"], "a is not done again"
    fork = str(forked.lines[-1]["id"])
    assert fork != source
    assert program("events", source).out == before, "the source is as it was"

    trees = {git(repository, "rev-parse", f"buildwright/{one[:8]}^{{tree}}") for one in (source, fork)}
    assert len(trees) == 1, "both have made the same files"
    (first,) = (one for one in program("events", source).lines if one["type"] == "change.landed" and one["task"] == "a")
    assert git(repository, "merge-base", f"buildwright/{source[:8]}", f"buildwright/{fork[:8]}") == first["commit"]

    shown = program("status", fork, "--json").object
    assert shown["forked_from"] == {"build": source, "event": landed, "changed": [], "note": "", "tasks": 1}
    assert f"Forked from build {source[:8]} at event {landed}, with 1 of its tasks done" in program("status", fork).out
    assert f"in build {source[:8]}, which this one was forked from" in program("why", fork, "a").out
    words = program("events", fork).lines
    assert [one["type"] for one in words[:4]] == ["build.created", "build.forked", "target.prepared", "plan.made"]
    assert not any(one["type"] == "task.started" and one["task"] == "a" for one in words)
    view = program("compare", source, fork, "--json").object
    assert view["same_result"] is True
    assert [side["reused"] for side in view["tasks"][0]["tasks"]] == [False, True]
    assert (view["builds"][0]["attempts"], view["builds"][1]["attempts"]) == (3, 2)
    told = program("compare", source, fork).out
    assert f"{fork[:8]} was forked from {source[:8]} at event {landed}, with 1 of its tasks done there." in told


def test_an_attempt_that_was_under_way_begins_anew(
    program: Program, three: Path, tmp_path: Path, repository: Path
) -> None:
    ledger = tmp_path / "ledger"
    source = built(program, repository, three, ledger)
    ledger.unlink()
    forked = program("fork", source, "--at", str(seq_of(program, source, "agent.finished", "a")))
    assert forked.code == 0, forked.err
    assert sorted(ledger.read_text().split()) == ["a", "b", "c"]


def test_a_fork_of_the_end_delivers_what_is_there(
    program: Program, three: Path, tmp_path: Path, repository: Path
) -> None:
    ledger = tmp_path / "ledger"
    source = built(program, repository, three, ledger)
    ledger.unlink()
    forked = program("fork", source, "--json")
    assert forked.code == 0, forked.err
    assert not ledger.exists()
    fork = str(forked.lines[-1]["id"])
    heads = {git(repository, "rev-parse", f"buildwright/{one[:8]}") for one in (source, fork)}
    assert len(heads) == 1
    again = program("fork", fork, "--json")  # a fork can be forked
    assert again.code == 0, again.err
    assert git(repository, "rev-parse", f"buildwright/{again.lines[-1]['id'][:8]}") in heads


def test_another_plan_does_anew_only_what_it_changes(
    program: Program, three: Path, tmp_path: Path, repository: Path
) -> None:
    ledger = tmp_path / "ledger"
    source = built(program, repository, three, ledger)
    ledger.unlink()
    plan = write_tasks(
        tmp_path / "other.json",
        {"id": "a", "title": "First", "goal": "sleep 0.01"},
        {"id": "b", "title": "Second, in another way", "goal": "sleep 0.01", "depends_on": ["a"]},
        {"id": "d", "title": "Fourth", "depends_on": ["b"]},
    )
    forked = program("fork", source, "--plan", plan, "--json")
    assert forked.code == 0, forked.err
    assert ledger.read_text().split() == ["b", "d"], "a is done; b says something else now; c is not asked for"
    fork = str(forked.lines[-1]["id"])
    counts = program("status", fork, "--json").object["counts"]
    assert counts == {"done": 3}
    assert "d.txt" in git(repository, "ls-tree", "--name-only", f"buildwright/{fork[:8]}")


def test_what_cannot_be_forked_is_refused_with_a_fix(
    program: Program, three: Path, tmp_path: Path, repository: Path
) -> None:
    source = built(program, repository, three, tmp_path / "ledger")
    events = len(program("events", source).lines)
    late = program("fork", source, "--at", str(events + 1))
    assert (late.code, f"the build has {events} events" in late.err) == (2, True)
    assert program("fork", source, "--at", "-3").code == 2
    circle = write_tasks(
        tmp_path / "circle.json",
        {"id": "a", "title": "A", "depends_on": ["b"]},
        {"id": "b", "title": "B", "depends_on": ["a"]},
    )
    assert "circle" in program("fork", source, "--plan", circle).err
    for mirror in (found.parent for found in (program.home / "mirrors").glob("*/HEAD")):
        for ref in git(mirror, "for-each-ref", "--format=%(refname)", "refs/buildwright").split():
            git(mirror, "update-ref", "-d", ref)
        git(mirror, "reflog", "expire", "--all", "--expire=now")
        git(mirror, "gc", "-q", "--prune=now")
    gone = program("fork", source)
    assert gone.code != 0
    assert f"The commits of build {source} are not kept here any more." in gone.err
    assert "Start a new build" in gone.err
    assert len(program("status", "--all", "--json").out.splitlines()) == 1, "nothing was made"


def test_what_a_fork_took_over_is_shown_as_it_landed_even_when_the_other_build_is_gone(
    program: Program, three: Path, tmp_path: Path, repository: Path
) -> None:
    """b and c are made at once, so what one of them made was never a tree that landed."""
    meets = (
        f'echo "$BUILDWRIGHT_TASK_ID" > "$BUILDWRIGHT_TASK_ID.txt"; touch {tmp_path}/$BUILDWRIGHT_TASK_ID;'
        f" [ $BUILDWRIGHT_TASK_ID = a ] || until [ -e {tmp_path}/b ] && [ -e {tmp_path}/c ]; do sleep 0.1; done"
    )
    words = shell(meets, "--no-gates", "--concurrency", "2")
    ended = program("build", three, "--repo", repository, "--json", *words)
    assert ended.code == 0, ended.err
    source = str(ended.lines[-1]["id"])
    shown = {task: program("diff", source, task).out for task in "abc"}
    done = program("fork", source, "--json")
    assert done.code == 0, done.err
    fork = str(done.lines[-1]["id"])
    removed = program("prune", "--yes", "--older-than", "0d", "--keep", "1", "--json")
    assert removed.code == 0, removed.err
    assert program("status", source).code != 0, "it is gone"
    for mirror in (found.parent for found in (program.home / "mirrors").glob("*/HEAD")):
        git(mirror, "reflog", "expire", "--all", "--expire=now")
        git(mirror, "gc", "-q", "--prune=now")
    assert {task: program("diff", fork, task).out for task in "abc"} == shown
    assert program("diff", fork).out == "".join(shown[task] for task in "abc")


def usage_of(program: Program, build: str) -> tuple[int, int]:
    """Requests and tokens of a build."""
    found = program("status", build, "--json").object["usage"]
    return int(found["requests"]), int(found["tokens"])


def test_what_is_asked_as_before_is_not_paid_for_again(program: Program, tmp_path: Path, repository: Path) -> None:
    spec, model = tmp_path / "SPEC.md", tmp_path / "model.yaml"
    spec.write_text("# Two files\n\nWrite one.txt and two.txt.\n", "utf-8")
    model.write_text(CASSETTE, "utf-8")
    words = ("--agent", "direct", "--sandbox", "none", "--no-gates", "--cassette", model)
    ended = program("build", spec, "--repo", repository, "--json", *words)
    assert ended.code == 0, ended.err
    source = str(ended.lines[-1]["id"])
    assert usage_of(program, source) == (3, 1100 + 2200 + 4400)

    def forked(*more: str) -> str:
        done = program("fork", source, "--json", *more)
        assert done.code == 0, done.err
        return str(done.lines[-1]["id"])

    replay = forked("--at", "1")
    assert usage_of(program, replay) == (3, 0), "the plan and both attempts are answered from what is kept"
    assert program("status", replay, "--json").object["usage"]["cost_usd"] in {"0", "0.0"}
    assert program("compare", source, replay, "--json").object["same_result"] is True
    second = program("fork", replay, "--at", "1", "--json")  # from what the replay itself had taken over
    assert usage_of(program, str(second.lines[-1]["id"])) == (3, 0)

    noted = forked("--at", "1", "--prompt-note", "Prefer short files.")
    assert usage_of(program, noted) == (3, 2200 + 4400), "the plan is asked for as before, the attempts are not"
    assert "Prefer short files." in program("prompt", noted, "two").out
    assert program("status", noted, "--json").object["forked_from"]["note"] == "Prefer short files."
    landed = seq_of(program, source, "change.landed", "one")
    ended = program("fork", source, "--json", "--at", str(landed), "--model", "claude-opus-4-5")
    assert ended.code == 0, ended.err
    other = str(ended.lines[-1]["id"])
    assert usage_of(program, other) == (1, 4400), "only the second task is made, by another model"
    assert ended.lines[-1]["estimated"]["estimate"]["tasks"] == 1, "and nothing else was to be expected"
    priced = program("compare", source, other).out
    assert "$0.0060 / $0.00" in priced, "an amount below a cent has four decimals"
    assert program("events", other).lines[1]["changed"] == ["model"]


def test_the_evidence_of_a_fork_holds(program: Program, three: Path, tmp_path: Path, repository: Path) -> None:
    words = shell(ADDS.format(ledger=tmp_path / "ledger"), "--check", "test -e README.md")
    ended = program("build", three, "--repo", repository, "--json", *words)
    assert ended.code == 0, ended.err
    source = str(ended.lines[-1]["id"])
    done = program("fork", source, "--at", str(seq_of(program, source, "change.landed", "a")), "--json")
    assert done.code == 0, done.err
    fork = str(done.lines[-1]["id"])
    assert not any(one["type"] == "base.judged" for one in program("events", fork).lines), "its verdict is kept"
    written = program("evidence", fork, "--out", tmp_path / "evidence")
    assert written.code == 0, written.err
    held = program("verify", tmp_path / "evidence" / f"evidence-{fork[:8]}.json", "--repo", repository)
    assert held.code == 0, held.out + held.err
    assert "holds: 3 commits" in held.out


@pytest.mark.timeout(600)
def test_a_fork_that_is_killed_goes_on_and_takes_over_nothing_twice(
    program: Program, three: Path, tmp_path: Path, repository: Path
) -> None:
    ledger = tmp_path / "ledger"
    source = built(program, repository, three, ledger)
    before = program("events", source).out
    landed = str(seq_of(program, source, "change.landed", "a"))
    tree = git(repository, "rev-parse", f"buildwright/{source[:8]}^{{tree}}")
    unmade = ("workspace.fork.before", "workspace.fork.after", "store.create.before")
    first = ("store.create.after", "perform.PrepareTarget.before", "perform.PrepareTarget.after", "store.append.after")
    for point in (*unmade, *first, "workspace.lane.after", "workspace.land.before", "workspace.land.after"):
        ledger.unlink(missing_ok=True)
        known = len(program("status", "--all", "--json").object["builds"])
        killed = program("fork", source, "--at", landed, BUILDWRIGHT_FAILPOINT=f"{point}:1")
        assert killed.code == -signal.SIGKILL, (point, killed.err)
        made = program("status", "--all", "--json").object["builds"]
        assert len(made) == known + (point not in unmade), point
        ended = program("fork", source, "--at", landed) if len(made) == known else program("run")
        assert ended.code == 0, (point, ended.err)
        fork = str(program("status", "--json").object["id"])
        assert git(repository, "rev-parse", f"buildwright/{fork[:8]}^{{tree}}") == tree, point
        kinds = [one["type"] for one in program("events", fork).lines]
        assert (kinds[1], kinds.count("build.forked"), kinds.count("change.landed")) == ("build.forked", 1, 2), point
        assert set(ledger.read_text().split()) == {"b", "c"}, point
    assert program("events", source).out == before
