"""What must hold after every run, whatever went wrong in it. Judges the journal and what the outside has seen."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Build, TaskPhase
from buildwright.core.decide import decide
from buildwright.core.event import Recorded, decode, encode
from buildwright.core.heap import keys_of
from buildwright.core.snapshot import dump, parse
from tests.simulation.agents import asking, leave, refusals
from tests.simulation.scenario import BUILD, Scenario
from tests.simulation.store import BEAT_OF_NOBODY
from tests.simulation.world import Broken, SimulatedWorld


def must(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


async def check(world: SimulatedWorld) -> None:
    """Raises Broken with the invariant that does not hold."""
    must(not world.broken, "; ".join(world.broken[:3]))
    journal = await world.store.read(BUILD)
    build = await world.build()
    journal_holds(world, journal, build)
    verdicts_hold(world, journal, build)
    effects_hold(world, journal, build)
    money_holds(world, journal, build)
    end_holds(world, build)
    if world.scenario.tame:
        result_holds(world, build)


def journal_holds(world: SimulatedWorld, journal: Sequence[Recorded], build: Build) -> None:
    """Gapless; every event a legal move (fold raises otherwise); state = fold(events), also from JSON and from a snapshot."""
    must([recorded.seq for recorded in journal] == list(range(1, len(journal) + 1)), "the journal has a gap")
    must(fold(list(journal)) == build, "the state is not what its journal gives")
    again = [Recorded(seq, at, decode(event.type, encode(event))) for seq, at, event in journal]
    must(fold(again) == build, "the journal read from JSON gives another state")
    half = random.Random(f"half/{world.scenario.seed}").randrange(1, len(journal) + 1)
    snapshot = parse(dump(fold(list(journal[:half]))))
    other = differences(build, fold(list(journal[half:]), snapshot))
    must(not other, f"the snapshot at event {half} leads to another state: {other}")
    ends = [recorded.seq for recorded in journal if isinstance(recorded.event, e.BuildFinished)]
    must(ends == [len(journal)], f"the build ended at events {ends} of {len(journal)}")


def differences(one: Build, other: Build) -> list[str]:
    """Fields that differ. A heap is what it holds: its shape depends on the order in which it was filled."""
    return [
        f"{name}: {value!r:.200} / {other.__dict__[name]!r:.200}"
        for name, value in one.__dict__.items()
        if _content(name, value) != _content(name, other.__dict__[name])
    ]


def _content(name: str, value: Any) -> Any:
    if name == "ready":
        return sorted(keys_of(value))
    if name in {"later", "parked"}:
        return {place: sorted(keys_of(heap)) for place, heap in value.items()}
    return value


def verdicts_hold(world: SimulatedWorld, journal: Sequence[Recorded], build: Build) -> None:
    """What landed had passed the gates, as exactly that tree; and the gates were right."""
    passed: set[str] = set()
    approved: set[str] = set()
    for _, _, event in journal:
        if isinstance(event, e.FindingApproved):
            approved.add(world.scenario.works[event.task].own)
        if isinstance(event, e.PatchJudged | e.MergeJudged | e.BaseJudged | e.BuildVerified):
            files = world.git.trees[event.verdict.tree]
            task = getattr(event, "task", "")
            asks = {path for path in asking(files) if not task or path == world.scenario.works[task].own}
            right = not refusals(files) and asks <= approved
            # An approval that comes while the gates judge counts from their next judgement on.
            late = bool(asks) and not event.verdict.ok and not refusals(files)
            must(event.verdict.ok == right or late, f"tree {event.verdict.tree[:8]} was judged wrongly")
            passed |= {event.verdict.tree} if event.verdict.ok else set()
        if isinstance(event, e.ChangeLanded | e.ChangeUndone) and build.options.gates:
            must(event.tree in passed, f"{event.task} landed as a tree that no gate has passed")
            must(world.git.commits[event.commit].tree == event.tree, f"the commit of {event.task} has another tree")


def effects_hold(world: SimulatedWorld, journal: Sequence[Recorded], build: Build) -> None:
    """Each landing and delivery once, one on top of the other, only what passed, and nothing after the end."""
    landed = [event.commit for _, _, event in journal if isinstance(event, e.ChangeLanded | e.ChangeUndone)]
    seen = [effect.commit for effect in world.git.effects if effect.kind == "land"]
    must(max(Counter(landed).values(), default=1) == 1, "a change landed twice in the journal")
    must(max(Counter(seen).values(), default=1) == 1, "a change landed twice on the branch")
    must(seen[: len(landed)] == landed, f"landed in the journal: {landed}, on the branch: {seen}")
    must(len(seen) <= len(landed) + 1, f"on the branch are changes of which the journal does not know: {seen}")
    head = world.git.pins.get(BUILD, "")
    for commit in seen:
        must(world.git.commits[commit].parent == head, "a change landed beside the head")
        must(not build.options.gates or not refusals(world.git.trees[world.git.commits[commit].tree]), "a bad landing")
        head = commit
    deliveries = [effect for effect in world.git.effects if effect.kind == "deliver"]
    must(max(Counter((d.ref, d.commit) for d in deliveries).values(), default=1) == 1, "delivered twice")
    # A user may take a change back while the head with it is on its way: what is delivered then was the head at that time.
    taken_back = any(isinstance(event, e.UndoRequested) for _, _, event in journal)
    lands = [effect for effect in world.git.effects if effect.kind == "land"]
    for delivery in deliveries:
        before = [land.commit for land in lands if land.at <= delivery.sent][-1:]
        heads = {build.head, *(before if taken_back else ())}
        must(delivery.commit in heads, "something else than the head was delivered")
    if build.outcome == "succeeded" and build.delivered:
        delivered = [delivery.commit for delivery in deliveries]
        must(delivered[-1:] == [build.head], f"the head is not what was delivered last: {deliveries}")
        must(taken_back or len(delivered) == 1, f"delivered: {deliveries}")
    late = [effect for effect in world.git.effects if effect.sent > world.trace.newest["build.finished"]]
    must(not late, f"after the build had ended: {late}")


def money_holds(world: SimulatedWorld, journal: Sequence[Recorded], build: Build) -> None:
    """Every spend at most once in the journal, as it was charged; the sums are of the journal."""
    charged = {spend.input_tokens: spend for spend in world.ledger.spends}
    told = [event for _, _, event in journal if isinstance(event, e.TokensUsed)]
    numbers = [event.input_tokens for event in told]
    must(len(set(numbers)) == len(numbers), f"a spend was counted twice: {numbers}")
    for event in told:
        spend = charged[event.input_tokens]
        must((spend.task, spend.attempt) == (event.task, event.attempt), f"spend {event.input_tokens} of another task")
    must(build.usage.requests == len(told), "the sum of the requests is wrong")
    lost = len(charged) - len(told)
    world.luck.seen["spends not in the journal"] += lost
    undisturbed = not any(
        name.startswith(("fate:", "store.", "run ended", "died")) and count for name, count in world.luck.seen.items()
    )
    must(not undisturbed or not lost, f"{lost} spends are not in the journal although nothing went wrong")


def end_holds(world: SimulatedWorld, build: Build) -> None:
    """The build is over, for a reason, and nothing is left of it."""
    must(build.is_terminal, "the build has not ended")
    must(not decide(build).actions and not decide(build).facts, "an ended build wants something")
    # A worker tries once to remove a lane, and a git that outlives its worker may make one after the next has swept: both wait
    # for the tidying of a worker's home. The embedded engine clears away everything at the end; only a process that another
    # had taken over from can still ask for a lane when it wakes up, and die before it hears that the build is over.
    seen = world.luck.seen
    chances = ("git.lost", "git.unanswered", "done after death")
    excused = world.scenario.workers > 1 and any(seen[chance] for chance in chances)
    excused |= bool(seen["another takes over"] and seen["done after death"])
    must(excused or not world.git.folders, f"lanes are left: {sorted(map(str, world.git.folders))}")
    must(not world.loop.unheard, f"nobody caught: {world.loop.unheard[:3]}")
    if build.outcome == "succeeded":
        must(build.all_tasks_done and not build.failed, "succeeded without all tasks")
        done = [task for task, state in build.tasks.items() if state.phase is TaskPhase.DONE]
        must(len(done) == build.done, "the count of tasks that are done is wrong")
    must(not world.luck.seen[BEAT_OF_NOBODY], BEAT_OF_NOBODY)
    must(bool(build.message) or build.outcome in {"succeeded", "stopped"}, f"{build.outcome} without a reason")


def result_holds(world: SimulatedWorld, build: Build) -> None:
    """A tame world ends with the one tree that it can end with."""
    must(build.outcome == "succeeded", f"a tame build {build.outcome}: {build.message}")
    must(world.git.trees[build.head_tree] == wanted_files(world.scenario), "the final tree is another one")


def wanted_files(scenario: Scenario) -> dict[str, str]:
    """What all tasks done right leave, in any order."""
    files = dict(scenario.base)
    for task in scenario.works:
        leave(scenario.works[task], task, files)
    return dict(sorted(files.items()))
