"""Lines for people on who works on a build, and what to type when no process does. Must never change anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from buildwright.cli.argv0 import typed

if TYPE_CHECKING:
    from buildwright.wiring.runners import Runners

NO_WORKER = "No worker is running. Start one with `buildwright worker`, or several here with `buildwright cluster up`."


class NobodyThere(NamedTuple):
    """That no process or worker is there to run a build."""

    words: str
    command: str
    """What to type so that the build goes on."""


def nobody(crew: Runners, build_id: str) -> str:
    """Return what to type when no process or worker is there to run the build, in words."""
    return _no_worker().words if crew.in_cluster else no_process(build_id).words


def nobody_there(crew: Runners, build_id: str) -> NobodyThere | None:
    """Return what to type when no process or worker is there to run the build; None when there is one."""
    if crew.is_there:
        return None
    return _no_worker() if crew.in_cluster else no_process(build_id)


def no_process(build_id: str) -> NobodyThere:
    """Return what to type when no process runs a build of this home."""
    command = typed(f"buildwright run {build_id[:8]}")
    return NobodyThere(f"No process runs it now; continue with: {command}", command)


def _no_worker() -> NobodyThere:
    return NobodyThere(typed(NO_WORKER), typed("buildwright worker"))


def run_by(runner: str | None) -> list[str]:
    """Return the line on the process that has the whole build, none when there is none."""
    from buildwright.store.lease_holders import in_words

    return [] if runner is None else [f"Run by {in_words(runner)}"]


def said(crew: Runners) -> list[str]:
    """Return one line for each process or worker that works on the build now, none when there is none."""
    lines = run_by(crew.runner)
    if lines:
        return lines
    for holding in crew.holdings:
        state = "" if holding.state == "alive" else f" ({_WORDS.get(holding.state, holding.state)})"
        lines.append(f"  {holding.worker}{state}: {holding.action.partition('/')[0]} {holding.task}".rstrip())
    return ["Workers on it:", *lines] if lines else []


_WORDS = {
    "suspect": "suspect: it has been silent for two heartbeats",
    "gone": "gone: another worker takes over when its lease has run out",
}
