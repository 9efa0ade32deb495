"""New options for a paused build: what was judged by other checks counts no more, and all else stays."""

from __future__ import annotations

import pytest

from buildwright.core import action as a
from buildwright.core import event as e
from buildwright.core.build import Build, Control, Stage, TaskPhase
from buildwright.core.decide import decide
from buildwright.core.event import AnyEvent
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Check, Delivery, Limits, Options
from buildwright.core.narrowed import narrowed
from buildwright.core.options_change import OptionsChange, changed_options
from buildwright.core.record import Record
from buildwright.core.task import Task
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import IllegalMove
from tests.core.machine import Machine

OTHER = OptionsChange(checks=(Check(name="other", command="true"),))
BAD = Verdict(
    tree="tree-base", reports=(Report(gate="checks", ok=False, findings=(Finding(code="test", message="no"),)),)
)


class Changing(Machine):
    """A build of one task whose base was refused."""

    def __init__(self, base: Verdict = BAD) -> None:
        options = Options(audit=False, limits=Limits(attempts=2))
        super().__init__(
            Graph(tasks=(Task(id="a", title="A"),)), options, lambda n: int(n == 8)
        )  # lucky, and it changes a file
        while not self.judges_base:
            assert self.step()
        self.take(e.BaseJudged(verdict=base))
        self.settle()

    def settle(self) -> None:
        while facts := decide(self.build).facts:
            for fact in facts:
                self.take(fact)

    def ask(self, command: ResumeBuild) -> list[str]:
        facts = command.facts(self.build, "id")
        for fact in facts:
            self.take(fact)
        return [fact.type for fact in facts]

    @property
    def judges_base(self) -> bool:
        return any(isinstance(action, a.JudgeBase) for action in decide(self.build).actions)


def paused(machine: Machine) -> Build:
    build: Build = machine.build
    assert build.control is Control.PAUSED
    return build


def test_other_checks_judge_the_base_anew_and_the_old_verdict_comes_too_late() -> None:
    site = Changing()
    assert paused(site).pause.reason == "base"  # type: ignore[union-attr]
    assert site.ask(ResumeBuild(options=OTHER)) == ["options.changed", "build.resumed"]
    assert site.build.options.checks == OTHER.checks
    assert (site.build.base_verdict, site.build.base_accepted) == (None, False)
    assert site.judges_base
    with pytest.raises(IllegalMove, match="too late"):
        site.take(e.BaseJudged(verdict=BAD))
    site.take(e.BaseJudged(verdict=BAD, round=1))
    site.settle()
    assert paused(site).pause.reason == "base", "a new refusal is asked about again"  # type: ignore[union-attr]
    site.ask(ResumeBuild())
    assert (site.build.base_accepted, site.judges_base) == (True, False)


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        (OTHER, True),
        (OptionsChange(setup=("npm ci",)), True),
        (OptionsChange(gate_seconds=900), True),
        (OptionsChange(disk_gib=50), True),
        (OptionsChange(task_seconds=900), False),
        (OptionsChange(branch="other"), False),
        (OptionsChange(model="m"), False),
        (OptionsChange(accept_base=True), False),
    ],
)
def test_only_what_can_change_its_verdict_judges_the_base_again(change: OptionsChange, anew: bool) -> None:
    site = Changing()
    site.ask(ResumeBuild(options=change))
    assert site.judges_base is anew
    assert site.build.base_accepted is not anew


def test_more_time_does_not_judge_a_base_again_that_has_passed() -> None:
    site = Changing(Verdict(tree="tree-base"))
    site.take(e.BuildPaused(reason="user"))
    site.ask(ResumeBuild(options=OptionsChange(gate_seconds=900)))
    assert (site.judges_base, site.build.options.limits.gate_seconds) == (False, 900)


def test_what_waits_to_land_is_judged_by_the_new_checks() -> None:
    site = Changing(Verdict(tree="tree-base"))
    while not any(isinstance(action, a.LandChange) for action in decide(site.build).actions):
        assert site.step()
    site.take(e.BuildPaused(reason="user"))
    site.ask(ResumeBuild(options=OTHER))
    (car,) = site.build.train
    assert (car.passed, site.build.task("a").verdict, site.build.task("a").phase) == (False, None, TaskPhase.MERGING)
    site.take(e.BaseJudged(verdict=Verdict(tree="tree-base"), round=1))
    seen: list[AnyEvent] = []
    while site.build.stage is Stage.WORKING:
        before = site.build.version
        assert site.step()
        seen += [recorded.event for recorded in site.journal[before:]]
    kinds = [event.type for event in seen]
    assert kinds.index("merge.judged") < kinds.index("change.landed")


def test_a_finished_tree_is_verified_by_the_new_checks() -> None:
    site = Changing(Verdict(tree="tree-base"))
    while site.build.stage is not Stage.DELIVERING:
        assert site.step()
    site.take(e.DeliveryFailed(message="in the way", temporary=False))
    site.settle()
    assert paused(site).pause.reason == "delivery"  # type: ignore[union-attr]
    site.ask(ResumeBuild(options=OptionsChange(branch="free")))
    assert (site.build.stage, site.build.options.delivery) == (Stage.DELIVERING, Delivery(branch="free"))
    assert isinstance(decide(site.build).actions[0], a.Deliver)
    site.take(e.BuildPaused(reason="user"))
    site.ask(ResumeBuild(options=OTHER))
    assert (site.build.stage, site.build.verdict) == (Stage.VERIFYING, None)


def test_more_attempts_count_for_a_task_that_has_begun() -> None:
    site = Changing(Verdict(tree="tree-base"))
    site.take(e.BuildPaused(reason="user"))
    before = site.build.task("a").allowed
    site.ask(ResumeBuild(options=OptionsChange(attempts=5)))
    assert site.build.task("a").allowed == before + 3


def test_nothing_changes_without_a_difference_or_at_an_end() -> None:
    site = Changing()
    with pytest.raises(IllegalMove, match="takes no new options"):
        ResumeBuild("abort", options=OTHER).facts(site.build, "id")
    same = OptionsChange(attempts=site.build.options.limits.attempts)
    assert site.ask(ResumeBuild(options=same)) == ["build.resumed"]
    with pytest.raises(IllegalMove, match="not paused"):
        ResumeBuild(options=OTHER).facts(site.build, "id")


def test_changed_options_are_named_by_their_place() -> None:
    new = OptionsChange(attempts=9, branch="b", model="m").of(Options())
    assert changed_options(Options(), new) == ("model", "delivery.branch", "limits.attempts")
    assert changed_options(new, new) == ()


def test_what_may_change_in_a_pause_has_the_bounds_that_a_request_for_a_build_has() -> None:
    changes, request = OptionsChange.model_json_schema(), narrowed(Options, Record).model_json_schema()
    inside = {"limits": "LimitsRequest", "delivery": "DeliveryRequest"}
    groups = [request, *(request["$defs"][name] for name in inside.values())]
    bounds = {name: field for group in groups for name, field in group["properties"].items() if name not in inside}
    for name, field in changes["properties"].items():
        if name != "checks":  # each has bounds of its own
            asked = {"deliver": "kind"}.get(name, name)
            own = bounds[asked].get("anyOf", [bounds[asked]])[0]  # a limit that there may be none of
            kinds = [{**field["anyOf"][0], **dict.fromkeys(_WORDS)}, {**own, **dict.fromkeys(_WORDS)}]
            assert kinds[0] == kinds[1], name


_WORDS = ("title", "description", "default")
