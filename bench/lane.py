"""What a lane costs: open, take the patch, rebase and land, against the bare git commands that do the same.

    python bench/lane.py [--files 5000] [--rounds 5]

Prints medians in milliseconds and the ratio, as text and as one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from buildwright.ports import LaneKey, Merged
from buildwright.workspace import GitWorkspace


def git(where: Path, *arguments: str, okay: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        ["git", "-C", str(where), "-c", "user.name=b", "-c", "user.email=b@b", *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode not in okay:
        raise SystemExit(done.stderr)
    return done.stdout.strip()


def make_repository(path: Path, files: int) -> None:
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9))) for _ in range(2000)]
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    for number in range(files):
        folder = path / f"area{number % 12}" / f"part{number % 97}"
        folder.mkdir(parents=True, exist_ok=True)
        lines = (" ".join(chance.choices(words, k=12)) for _ in range(52))
        (folder / f"file{number}.txt").write_text("\n".join(lines) + "\n")
    git(path, "add", "-A")
    git(path, "commit", "-qm", "start")


def bare(repository: Path, scratch: Path, number: int) -> dict[str, float]:
    """The same work by git alone, with git's own durability."""
    lane = scratch / f"bare{number}"
    marks = [time.perf_counter()]
    git(repository, "worktree", "add", "-q", "--detach", str(lane), "main")
    marks.append(time.perf_counter())
    edit(lane, number)
    git(lane, "add", "-A")
    git(lane, "commit", "-qm", f"change {number}")
    marks.append(time.perf_counter())
    commit = git(lane, "rev-parse", "HEAD")
    tree = git(repository, "merge-tree", "--write-tree", "other", commit)
    landed = git(repository, "commit-tree", tree, "-p", "other", "-m", f"change {number}")
    marks.append(time.perf_counter())
    git(repository, "update-ref", f"refs/landed/{number}", landed)
    marks.append(time.perf_counter())
    git(repository, "worktree", "remove", "--force", str(lane))
    marks.append(time.perf_counter())
    return steps(marks)


async def ours(workspace: GitWorkspace, repository: Path, number: int) -> dict[str, float]:
    build = f"round{number}"
    target = await workspace.prepare(build, str(repository), "main")
    other = (await workspace.prepare(f"{build}-other", str(repository), "other")).commit
    await workspace.land(build, other, target.commit)
    key = LaneKey(build, "task", 1)
    marks = [time.perf_counter()]
    lane = await workspace.open_lane(key, target.commit)
    marks.append(time.perf_counter())
    edit(lane.files, number)
    patch = await workspace.take_patch(lane)
    marks.append(time.perf_counter())
    merged = await workspace.rebase(build, target.commit, patch.tree, other, f"change {number}", datetime.now(UTC))
    marks.append(time.perf_counter())
    if len(patch.changes) != 1 or not isinstance(merged, Merged):
        raise SystemExit("the bench itself is wrong")
    await workspace.land(build, merged.commit, other)
    marks.append(time.perf_counter())
    await workspace.close_lane(key)
    marks.append(time.perf_counter())
    return steps(marks)


def edit(lane: Path, number: int) -> None:
    (lane / "area0" / "part0" / "file0.txt").write_text(f"changed {number}\n")


def steps(marks: list[float]) -> dict[str, float]:
    names = ("open", "take", "rebase", "land", "close")
    spans = {name: 1000 * (after - before) for name, before, after in zip(names, marks, marks[1:], strict=False)}
    return spans | {"all": 1000 * (marks[-1] - marks[0])}


async def main() -> None:
    parser = argparse.ArgumentParser(description="What a lane costs against bare git.")
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        repository = scratch / "repository"
        make_repository(repository, chosen.files)
        git(repository, "checkout", "-qb", "other")
        (repository / "area1" / "part1" / "file1.txt").write_text("other\n")
        git(repository, "commit", "-qam", "other")
        git(repository, "checkout", "-q", "main")
        workspace = GitWorkspace(scratch / "home", dict(os.environ))
        theirs_runs, our_runs = [], []
        for number in range(chosen.rounds):
            theirs_runs.append(bare(repository, scratch, number))
            our_runs.append(await ours(workspace, repository, number))
    middle = {
        who: {step: round(statistics.median(run[step] for run in runs), 1) for step in runs[0]}
        for who, runs in (("bare git", theirs_runs), ("buildwright", our_runs))
    }
    for step in middle["bare git"]:
        print(
            f"{step:8} bare git {middle['bare git'][step]:8.1f} ms   buildwright {middle['buildwright'][step]:8.1f} ms"
        )
    ratio = round(middle["buildwright"]["all"] / middle["bare git"]["all"], 2)
    print(f"ratio {ratio} on {chosen.files} files, medians of {chosen.rounds} interleaved rounds")
    print(json.dumps({"files": chosen.files, "rounds": chosen.rounds, "medians_ms": middle, "ratio": ratio}))


if __name__ == "__main__":
    asyncio.run(main())
