"""Why a rejected task gets no further attempt. Pure; must never decide what follows from it."""

from __future__ import annotations

from buildwright.core.build import Build
from buildwright.core.routing import too_long


def why_no_more(build: Build, task_id: str) -> str | None:
    """Return why a rejected task gets no further attempt, with what a person can do; None when it gets one."""
    options, state = build.options, build.task(task_id)
    assert build.plan is not None
    used_up = state.attempt >= state.allowed
    retry = f"`buildwright resume {build.id} --retry"
    if state.loop and (used_up or options.second_agent in {"", state.agent}):
        return f"it goes in circles: {state.loop}. Fix: tell it what to do differently: {retry} -m TEXT`"
    other_agent = options.agent_for(build.plan.task(task_id), state.tried) not in {"", state.agent}
    if not state.loop and too_long(options, state) and (used_up or not other_agent):
        return (
            f"{state.reason.rstrip('.')}. No model with a longer context is named: another attempt would fail alike. "
            f"Fix: name a model with a longer context, {retry} --model NAME`, or make the task smaller"
        )
    return state.reason if used_up else None
