"""What to do about a command that a limit ended. Looks at the machine's load; must never change a limit."""

from __future__ import annotations

import os


def machine_load() -> float:
    """Return the mean number of processes of this machine that wanted to run in the last minute."""
    return os.getloadavg()[0]


def time_advice(option: str, load: float | None = None, cores: int | None = None) -> str:
    """Return what to do about a command that its time limit ended; `option` sets that limit, "" when none does.

    `load` is the mean number of processes that wanted to run in the last minute, that of this machine when left out.
    """
    load = machine_load() if load is None else load
    cores = cores or os.cpu_count() or 1
    raise_it = (
        f"raise the limit with {option} SECONDS (`resume` takes it too), or make it finish sooner"
        if option
        else "make it finish sooner"
    )
    if load <= cores:
        return raise_it
    return (
        f"{raise_it}; the machine was overloaded (load {load:.1f} on {cores} cores), so it may pass when that is gone"
    )


def limit_advice(limit: str) -> str:
    """Return what to do about a command that another limit ended, by what is said of it (`Completed.limit`)."""
    if limit.endswith((" are left", " others")):
        return "make room on that disk, or let it write less"
    if limit.endswith(" on disk"):
        return "let it write less, or raise the limit with --disk GIB (`resume` takes it too)"
    return "let it use less, such as fewer processes at once"


def ended_by(limit: str) -> str:
    """Return in a sentence that such a limit ended an agent, and what to do."""
    return f"It was ended by a limit, {limit}. Fix: {limit_advice(limit)}."
