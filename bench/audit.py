"""What an audit and a verification cost: a diff of 1 MB on 5,000 files, and a bundle of 200 tasks.

    python -m bench.audit [--files 5000] [--rounds 5]

Prints milliseconds of processor time, git's included: the first (cold) and the median of the others (warm), as text and
as one line of JSON. Of each round also those of the clock, how many times the processor time that is, and the load of
the machine: on an idle one the two are about the same. The project's own checks are not run: their time is the
project's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.lane import git
from buildwright.audit.bundle import KnownHistory, make_bundle, read_bundle, verify_bundle
from buildwright.audit.comparison import AuditRange, read_history
from buildwright.audit.dsse import StatementSigner
from buildwright.audit.run import Auditor, AuditRequest
from buildwright.core.finding import Evidence, Report, Verdict
from buildwright.ports import GateTools
from buildwright.views.evidence import BuildEvidence, JudgedAttempt, LandedChange, TaskEvidence
from buildwright.workspace.git import Git

AT = datetime(2026, 11, 29, tzinfo=UTC)
MEGABYTE = 1_000_000
TASKS = 200
NEEDED = "from fastapi import APIRouter\nimport json\nrouter = APIRouter()\n"


def python_file(chance: random.Random, number: int, lines: int) -> str:
    head = NEEDED if number % 10 == 0 else "import json\n"
    body = "\n".join(f"value_{n} = json.dumps({chance.randint(0, 10**9)})  # {chance.random()}" for n in range(lines))
    route = f'\n\n@router.get("/things/{number}")\ndef thing(): ...\n' if number % 10 == 0 else "\n"
    return f"{head}{body}{route}"


def make_repository(path: Path, files: int) -> None:
    """A project with a contract, routes and boundaries, and a branch that changes 1 MB of it."""
    chance = random.Random(1)
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    paths = {f"/things/{n}": {"get": {}} for n in range(0, files, 10)}
    (path / "openapi.json").write_text(json.dumps({"paths": paths}))
    (path / "boundaries.json").write_text('{"layers": [{"from": "area1/*", "must_not_import": ["area2"]}]}')
    (path / "pyproject.toml").write_text('[project]\nname = "big"\nversion = "0"\ndependencies = ["fastapi"]\n')
    for number in range(files):
        folder = path / f"area{number % 12}" / f"part{number % 97}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{number}.py").write_text(python_file(chance, number, 40))
    git(path, "add", "-A")
    git(path, "commit", "-qm", "start")
    git(path, "checkout", "-qb", "work")
    changed, number = 0, 0
    while changed < MEGABYTE:
        text = python_file(chance, number, 80)
        (path / f"area{number % 12}" / f"part{number % 97}" / f"file{number}.py").write_text(text)
        changed, number = changed + len(text), number + 1
    git(path, "add", "-A")
    git(path, "commit", "-qm", "change")


def make_evidence(path: Path) -> BuildEvidence:
    """A repository with a commit for each of 200 tasks, and evidence that fits it."""
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    git(path, "commit", "-q", "--allow-empty", "-m", "start")
    base = onto = git(path, "rev-parse", "HEAD")
    tasks = []
    for number in range(TASKS):
        (path / f"{number}.txt").write_text(str(number))
        git(path, "add", "-A")
        git(path, "commit", "-qm", f"task {number}")
        commit, tree = git(path, "rev-parse", "HEAD", "HEAD^{tree}").split()
        reports = tuple(
            Report(
                gate=name,
                ok=True,
                evidence=Evidence(
                    tree=tree, command=name, exit_code=0, seconds=1.5, output_digest="0" * 64, started_at=AT, tests=10
                ),
            )
            for name in ("lint", "typecheck", "test", "test, as before")
        )
        attempt = JudgedAttempt(number=1, started_at=AT, seconds=9.5, verdict=Verdict(tree=tree, reports=reports))
        landed = LandedChange(task=f"t{number}", attempt=1, commit=commit, tree=tree, onto=onto, at=AT)
        tasks.append(TaskEvidence(id=f"t{number}", title=f"Task {number}", attempts=(attempt,), landed=landed))
        onto = commit
    return BuildEvidence(
        build="bench", title="Bench", repository=str(path), outcome="succeeded", created_at=AT, base=base, head=onto,
        agent="direct", model="", tasks=tuple(tasks),
    )  # fmt: skip


async def timed(rounds: int, work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Return milliseconds of the first call, and the median of the others: of processors, those of git included."""
    took = []
    for _ in range(rounds + 1):
        before = os.times()
        began = time.perf_counter()
        await work()
        after = os.times()
        wall = (time.perf_counter() - began) * 1000
        took.append(sum(now - then for now, then in zip(after[:4], before[:4], strict=True)) * 1000)
        print(f"  wall {wall:.0f} ms, {wall / took[-1]:.1f}x its processor time, load {os.getloadavg()[0]:.1f}")
    return took[0], statistics.median(took[1:])


async def measure(folder: Path, files: int, rounds: int) -> dict[str, float]:
    home = folder / "home"

    async def tools() -> GateTools:
        raise AssertionError("the project's own checks are not run here")

    auditor = Auditor(home, os.environ, tools, lambda: AT)
    make_repository(folder / "big", files)
    request = AuditRequest(str(folder / "big"), AuditRange("main"), ("area*",), run_checks=False, write=False)
    cold, warm = await timed(rounds, lambda: auditor.audit(request))
    report = await auditor.audit(request)
    parts = {f"audit {one.code}": one.seconds * 1000 for one in report.outcomes}
    evidence, signer = make_evidence(folder / "history"), StatementSigner(home / "keys")
    text = json.dumps(make_bundle(evidence, signer, "0", AT)).encode()

    async def verify() -> None:
        history = await read_history(
            Git(home, os.environ), str(folder / "history"), os.environ, evidence.base, evidence.head
        )
        _, problems = verify_bundle(read_bundle(text), (signer.public,), KnownHistory(history))
        assert not problems, problems

    first, other = await timed(rounds, verify)
    return {"audit cold": cold, "audit warm": warm, **parts, "verify cold": first, "verify warm": other}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), given.files, given.rounds))
    for name, milliseconds in found.items():
        print(f"{name:<12} {milliseconds:8.1f} ms")
    print(json.dumps({name: round(value, 1) for name, value in found.items()}))


if __name__ == "__main__":
    main()
