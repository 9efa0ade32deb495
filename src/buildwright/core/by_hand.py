"""Builds that are driven by hand: which mode of a step allows what, and what ends a step. Tables; decides nothing (`decide`)."""

from __future__ import annotations

from collections.abc import Mapping

from buildwright.core import action as a
from buildwright.core import event as e
from buildwright.core.build import Stage
from buildwright.core.event import Event, StepMode

_MODES: Mapping[type[a.Action], StepMode] = {
    a.PrepareTarget: "plan_only",
    a.MakePlan: "plan_only",
    a.RunAgent: "implement_only",
    a.JudgeBase: "verify_only",
    a.JudgePatch: "verify_only",
    a.PrepareMerge: "verify_only",
    a.JudgeMerge: "verify_only",
    a.LandChange: "verify_only",
    a.Diagnose: "verify_only",
    a.VerifyBuild: "verify_only",
    a.Deliver: "verify_only",
}

BEGINS: Mapping[Stage, StepMode] = {
    Stage.CREATED: "plan_only",
    Stage.PLANNING: "plan_only",
    Stage.WORKING: "implement_only",
    Stage.DELIVERING: "verify_only",
}
"""The mode of what begins in a stage without an effect, or before one: a task starts before its agent runs."""

ENDS_STEP: frozenset[type[Event]] = frozenset(
    {
        e.TargetPrepared,
        e.PlanMade,
        e.PlanRejected,
        e.BaseJudged,
        e.AgentFinished,
        e.AgentBroke,
        e.PatchJudged,
        e.MergePrepared,
        e.MergeConflicted,
        e.MergeJudged,
        e.ChangeLanded,
        e.BuildStuck,
        e.BuildVerified,
        e.BuildDelivered,
        e.DeliveryFailed,
        e.BuildPaused,
        e.BuildFinished,
    }
)
"""The end of an action is the end of the step that asked for it; a build that rests has none to make."""


def mode_of(action: a.Action) -> StepMode:
    """The mode that allows this action, beside `auto`."""
    return _MODES[type(action)]
