"""What a seed stands for: a build, how its agents behave, which faults strike how often, and who gives which commands."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

from buildwright.core.event import BuildCreated
from buildwright.core.graph import Graph
from buildwright.core.limits import Delivery, Limits, Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from tests.simulation.agents import Work

BUILD = "b0000000-0000-4000-8000-000000000001"
REPOSITORY = "/repository"


@dataclass(frozen=True)
class Scenario:
    """One world. `tame`: however it goes, the same tree must come out at the end."""

    seed: int
    tame: bool
    options: Options
    graph: Graph
    planned: bool
    """The graph comes from the planner."""
    works: dict[str, Work]
    base: dict[str, str]
    chances: dict[str, float]
    callers: int
    resumes: bool
    stay: bool
    deaths: int
    freezes: int
    jumps: int
    outages: int
    calm_after: float
    workers: int = 1
    approves: bool = False
    """Agents do what asks for a person's consent, and a user gives it sooner or later, or does not."""
    redoes: bool = False
    """Users have what landed taken back, or made anew."""

    def created(self) -> BuildCreated:
        spec = Spec(title="simulated", text="text", graph=None if self.planned else self.graph)
        return BuildCreated(
            build_id=BUILD, project_id="p", user_id="u", repository=REPOSITORY, spec=spec, options=self.options
        )


def scenario(seed: int) -> Scenario:
    """The scenario of a seed."""
    draw = random.Random(f"scenario/{seed}")
    tame = draw.random() < 0.4
    size = draw.randrange(1, 8)
    works = {f"T{index}": _work(draw, index) for index in range(size)}
    lanes = tame or draw.random() < 0.92
    options = Options(
        agent="simulated",
        lanes=lanes,
        gates=tame or draw.random() < 0.9,
        accept_base=draw.random() < 0.3,
        on_failure="pause" if tame else draw.choice(["pause", "pause", "fail"]),
        delivery=Delivery(kind=draw.choice(["branch", "push", "push", "none"])),
        limits=Limits(
            concurrency=draw.randrange(1, 5),
            attempts=draw.randrange(1, 4),
            train=draw.randrange(1, 5),
            task_seconds=30.0,
            pause_seconds=1e6 if tame else draw.choice([60.0, 300.0]),
            phase_seconds=None if tame or draw.random() < 0.7 else draw.choice([40.0, 200.0]),
            heartbeat_seconds=10.0,
            failed_tasks=100 if tame else draw.randrange(4),
            pushes=draw.randrange(1, 4),
            budget_usd=None if tame or draw.random() < 0.8 else Decimal("0.05"),
        ),
    )
    base = {"README.md": "readme\n", **{f"old-{index}": "old\n" for index in range(3)}}
    if not tame and draw.random() < 0.1:
        base["broken"] = "wrong\n"
    return Scenario(
        seed=seed,
        tame=tame,
        options=options,
        graph=_graph(draw, works, tame),
        planned=draw.random() < 0.15,
        works=works,
        base=base,
        chances=_chances(draw),
        callers=draw.choice([0, 0, 1, 2, 8]),
        resumes=draw.random() < 0.5,
        stay=draw.random() < 0.3,
        deaths=draw.choice([0, 0, 1, 2, 6]),
        freezes=draw.choice([0, 0, 1, 2]),
        jumps=draw.choice([0, 0, 2]),
        outages=draw.choice([0, 0, 1]),
        calm_after=draw.choice([60.0, 150.0, 300.0]),
        workers=draw.choice([1, 1, 2, 3, 5]),
        approves=not tame and lanes and seed % 4 == 0,
        redoes=not tame and lanes and seed % 4 != 0,
    )


def _work(draw: random.Random, index: int) -> Work:
    shared = draw.choice(["", "", "list.txt", "README.md"])
    return Work(own=f"src/T{index}", shared=shared, deletes=f"old-{index}" if draw.random() < 0.1 else "")


def _graph(draw: random.Random, works: dict[str, Work], tame: bool) -> Graph:
    places = sorted(draw.randrange(2) for _ in works)
    tasks = []
    for index, (name, work) in enumerate(works.items()):
        needs = draw.sample(range(index), min(index, draw.choice([0, 0, 1, 2])))
        expected = (work.own, work.shared) if work.shared and draw.random() < 0.4 else (work.own,)
        tasks.append(
            Task(
                id=name,
                title=f"Task {name}",
                depends_on=tuple(f"T{need}" for need in sorted(needs)),
                files_expected=expected,
                milestone=f"m{places[index]}" if draw.random() < 0.9 else "m0",
                minutes=draw.choice([0.5, 1, 3]),
                critical=not tame and draw.random() < 0.05,
            )
        )
    ordered = [task.model_copy(update={"milestone": "m1"}) if _late(task, tasks) else task for task in tasks]
    return Graph(tasks=tuple(ordered), milestones=("m0", "m1"))


def _late(task: Task, tasks: list[Task]) -> bool:
    """It needs, directly or not, a task of the second milestone: then it belongs there too."""
    late = {other.id for other in tasks if other.milestone == "m1"}
    by_id = {other.id: other for other in tasks}
    ahead, seen = list(task.depends_on), set(task.depends_on)
    while ahead:
        name = ahead.pop()
        if name in late:
            return True
        fresh = [need for need in by_id[name].depends_on if need not in seen]
        seen.update(fresh)
        ahead.extend(fresh)
    return False


def _chances(draw: random.Random) -> dict[str, float]:
    """How often what goes wrong: in a third of the worlds nothing of the kind, in some of them often."""
    services = ("store", "git", "gate", "planner", "redis", "hint")
    faults = {"planner": ("model", "graph"), "hint": ("lost", "doubled", "late")}
    chances: dict[str, float] = {}
    for service in services:
        often = draw.choice([0.0, 0.0, 0.01, 0.05])
        for fault in faults.get(service, ("lost", "unanswered", "slow")):
            chances[f"{service}.{fault}"] = often * (10 if service in {"planner", "hint"} else 1)
    return chances
