"""The review of a change that has passed every gate: its diff is gathered, an advisor is asked. Must never judge a tree.

A review adds its report to the verdict and leaves the others as they are, so it never overrules a gate. A review that
could not be made is a warning in the verdict. A worker that begins again after a crash asks the same, and is replayed
the same answer.
"""

from __future__ import annotations

import asyncio

from buildwright.core.action import JudgePatch
from buildwright.core.build import Build
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.review import (
    REQUESTED,
    REVIEW,
    ShownDiff,
    no_review,
    review_in,
    review_report,
    reviewing_model,
    shown_diff,
    wants_review,
    was_done,
)
from buildwright.engine.action_context import ActionContext
from buildwright.engine.judge import consent_of, with_consent
from buildwright.engine.usage import access, shut_door, why_failed
from buildwright.errors import BadSettings, BadSpec, ModelFailed
from buildwright.ports import ReviewRequest

REVIEW_SECONDS = 300.0
"""Time limit of the model for one review."""
MOST_EARLIER = 20
"""Number of the newest fixes of earlier attempts that the reviewer is reminded of."""


async def review(bench: ActionContext, action: JudgePatch, build: Build, verdict: Verdict) -> Verdict:
    """Return the gates' verdict with the review of the change, if the build wants one and every gate has passed.

    Raises what the workspace raises.
    """
    if not wants_review(build.options):
        return verdict
    if not verdict.ok:
        return verdict.model_copy(update={"not_reached": (*verdict.not_reached, REVIEW)})
    report = _made_before(build, action) or await _ask(bench, action, build, verdict)
    report = with_consent(report, consent_of(build, action.task, bench.world.mask))
    said = "approved" if report.ok else "changes requested"
    told = said if was_done(report) else report.findings[0].message
    bench.logbook.note("gate", f"{REVIEW}: {told}", action.task, action.attempt)
    return verdict.model_copy(update={"reports": (*verdict.reports, report)})


def _made_before(build: Build, action: JudgePatch) -> Report | None:
    """Return the review of this very change, which is judged again because what it asked for was approved."""
    state = build.task(action.task)
    if state.verdict is None or state.verdict.tree != action.tree:
        return None
    made = review_in(state.verdict)
    if made is None:
        return None
    # Without its name a finding is looked up among the approvals again.
    findings = tuple(finding.model_copy(update={"fingerprint": ""}) for finding in made.findings)
    return made.model_copy(update={"findings": findings})


async def _ask(bench: ActionContext, action: JudgePatch, build: Build, verdict: Verdict) -> Report:
    """Ask the reviewer. The cost of its requests is recorded whatever the result."""
    world, gateway, model = bench.world, bench.world.gateway, reviewing_model(build.options)
    if world.reviewer is None or gateway is None:
        return no_review("no model is available")
    diff = await _diff(bench, action, build)
    assert build.plan is not None
    request = ReviewRequest(build.plan.task(action.task), diff.text, verdict.reports, _earlier(build, action.task))
    try:
        door = await gateway.open(access(bench.newest(), action.task, action.attempt, model=model))
    except (BadSettings, BadSpec) as missing:
        return no_review(f"no model is available: {missing}")
    try:
        async with asyncio.timeout(REVIEW_SECONDS):
            report = review_report(await world.reviewer.review(request, model, door), model, diff)
            return report.model_copy(update={"instructions": world.instructions.get("reviewer", "")})
    except ModelFailed as failure:
        return no_review(why_failed(gateway, door, failure))
    except TimeoutError:
        return no_review(f"the model did not answer within {REVIEW_SECONDS:g} s")
    finally:
        await shut_door(bench, door)


async def _diff(bench: ActionContext, action: JudgePatch, build: Build) -> ShownDiff:
    """Return the change as the reviewer sees it, without secrets: masked whole, so that no cut splits one."""
    workspace, patch = bench.world.workspace, build.task(action.task).patch
    if workspace is None or patch is None:
        return ShownDiff("", 0)
    diff = await workspace.diff(build.id, patch.base_tree, patch.tree)
    return await asyncio.to_thread(lambda: shown_diff(bench.world.mask(diff)))


def _earlier(build: Build, task: str) -> tuple[Finding, ...]:
    asked = [one for old in build.task(task).refused for one in old.findings if one.code == REQUESTED]
    return tuple(asked[-MOST_EARLIER:])
