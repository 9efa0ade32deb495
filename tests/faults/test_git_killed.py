"""git is killed at any moment of a build, again and again: what it left locked is freed and the result is the same."""

from __future__ import annotations

import os
import random
import shutil
import stat
from pathlib import Path

import pytest

from buildwright.core.build import Build, Control
from buildwright.core.limits import Limits
from buildwright.engine import commands
from buildwright.engine.resume_command import ResumeBuild
from buildwright.workspace import GitWorkspace
from tests.adapters.memory_store import MemoryBuilds
from tests.adapters.scripted_agent import Write
from tests.engine.harness import Script, Site, make_site, tasks
from tests.faults.amount import amount, dice
from tests.git import git

MOST_KILLED_MS = 160
CHANCE = 0.06
"""Of one call of git to be killed: an action calls it several times, and three failures in a row pause the build."""

WRAPPER = """\
#!/bin/sh
# The turn of this call decides its fate, so that a seed gives the same fates in the same order.
turn=$(ls "{turns}" | wc -l); : > "{turns}/$turn-$$"
limit=$(sed -n "$((turn + 1))p" "{fates}")
if [ "${{limit:-0}}" = 0 ]; then exec "{git}" "$@"; fi
echo "$turn" >> "{killed}"
# Not --foreground: what git itself has started dies with it.
exec timeout -s KILL "$limit" "{git}" "$@"
"""


def deadly_git(folder: Path, chance: random.Random) -> tuple[dict[str, str], Path]:
    """An environment whose git is killed now and then after 1 to 160 ms, and the file that counts how often."""
    tools, turns, fates, killed = (folder / name for name in ("tools", "turns", "fates", "killed"))
    tools.mkdir()
    turns.mkdir()
    killed.touch()
    drawn = [chance.randint(1, MOST_KILLED_MS) / 1000 if chance.random() < CHANCE else 0 for _ in range(5_000)]
    fates.write_text("\n".join(map(str, drawn)))
    path = tools / "git"
    path.write_text(WRAPPER.format(turns=turns, fates=fates, killed=killed, git=shutil.which("git")))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}, killed


async def build_to_its_end(site: Site) -> Build:
    """Run, and answer each pause as a user would who sees that git was killed."""
    for _ in range(100):
        build = await site.run()
        if build.control is not Control.PAUSED:
            return build
        await commands.ask(site.builds, site.clock, site.build_id, ResumeBuild("retry" if build.failed else "go"))
    raise AssertionError(f"paused again and again: {build.pause}")


def script() -> Script:
    return {
        ("a", 1): [Write("README.md", "a\n")],
        ("b", 1): [Write("deep/er/b.txt", "b\n")],
        ("c", 1): [Write("c.txt", "c\n")],
    }


@pytest.mark.timeout(3600)
async def test_a_build_ends_the_same_however_often_git_is_killed(tmp_path: Path) -> None:
    calm = make_site(tmp_path / "calm", MemoryBuilds(), script())
    await calm.build(tasks("a", "b", "c: a b"), gates=False)
    wanted = git(calm.repository, "rev-parse", f"{calm.delivered()}^{{tree}}")

    deaths = number = 0
    while deaths < amount(8, 200):
        number += 1
        place = tmp_path / f"{number}"
        site = make_site(place, MemoryBuilds(), script())
        environment, killed = deadly_git(place, dice(f"git/{number}"))
        site.workspace = GitWorkspace(site.home, environment)
        await site.start(tasks("a", "b", "c: a b"), gates=False, limits=Limits(concurrency=2))
        build = await build_to_its_end(site)
        deaths += len(killed.read_text().splitlines())
        assert build.outcome == "succeeded", build.message
        assert git(site.repository, "rev-parse", f"{site.delivered()}^{{tree}}") == wanted
        assert sorted(site.subjects()) == ["Task a: do a", "Task b: do b", "Task c: do c"]
        assert list(site.home.rglob("*.lock")) == []
        (mirror,) = [
            path for path in (site.home / "mirrors").iterdir() if path.name != "builds" and "." not in path.name
        ]
        git(mirror, "fsck", "--full", "--strict")
        assert git(site.repository, "status", "--porcelain") == ""
        shutil.rmtree(place)
    print(f"{deaths} killed in {number} builds")
