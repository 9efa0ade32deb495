"""What to do about a command that a limit of time ended. Looks at the machine's load; must never change a limit."""

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
