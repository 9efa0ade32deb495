"""Recognises why a command failed that never got to judge: what is not installed, which limit ended it. Pure but for the
machine's load; must never change what a finding says, only its fix.
"""

from __future__ import annotations

import os
import re

from buildwright.core.finding import Finding

_NO_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_ARGUMENTS = re.compile(r"unrecognized arguments: (.+)")
_FIXTURE = re.compile(r"fixture '(\w+)' not found")
_PLUGINS = {
    "--cov": "pytest-cov",
    "--no-cov": "pytest-cov",
    "-n": "pytest-xdist",
    "--dist": "pytest-xdist",
    "--numprocesses": "pytest-xdist",
    "--timeout": "pytest-timeout",
    "--asyncio-mode": "pytest-asyncio",
    "--anyio-mode": "anyio",
    "--ds": "pytest-django",
    "--reuse-db": "pytest-django",
    "--benchmark": "pytest-benchmark",
    "--reruns": "pytest-rerunfailures",
    "--random-order": "pytest-random-order",
    "--randomly": "pytest-randomly",
    "--mypy": "pytest-mypy",
    "--snapshot": "syrupy",
    "--flake8": "pytest-flake8",
    "--html": "pytest-html",
}
"""Plugins of pytest by how their options begin."""
_FIXTURES = {
    "mocker": "pytest-mock",
    "benchmark": "pytest-benchmark",
    "httpx_mock": "pytest-httpx",
    "requests_mock": "requests-mock",
    "snapshot": "syrupy",
    "freezer": "pytest-freezer",
}


def with_cause(one: Finding, python: str) -> Finding:
    """Return the finding with a fix, if it has none and its message tells that something is not installed.

    `python` is the path of the Python of the checks.
    """
    if one.fix or one.severity != "error":
        return one
    if missing := _missing(one.message):
        fix = (
            f"{missing} is not in the Python of the checks, {python}: install it there"
            f" ({python} -m pip install {missing}), or activate the environment of the project that has it"
        )
    elif found := _NO_MODULE.search(one.message):
        name = found[1].partition(".")[0]
        fix = f"{name} is not there: if it is a dependency, install it in the Python of the checks, {python}"
    else:
        return one
    return one.model_copy(update={"fix": fix})


def _missing(text: str) -> str:
    """Return the package of pytest, or of a plugin, that is not installed; "" when the text tells of none."""
    if found := _ARGUMENTS.search(text):
        for word in found[1].split():
            option = "-n" if re.match(r"-n\b|-n(?:\d|auto|logical)", word) else word.partition("=")[0]
            for start, plugin in _PLUGINS.items():
                if option == start or option.startswith(f"{start}-"):
                    return plugin
    if (found := _FIXTURE.search(text)) and found[1] in _FIXTURES:
        return _FIXTURES[found[1]]
    found = _NO_MODULE.search(text)
    name = found[1].partition(".")[0] if found else ""
    return name.replace("_", "-") if name.startswith("pytest") else ""


def time_advice(option: str, load: float | None = None, cores: int | None = None) -> str:
    """Return what to do about a command that its time limit ended; `option` sets that limit, "" when none does.

    `load` is the mean number of processes that wanted to run in the last minute, that of this machine when left out.
    """
    load = os.getloadavg()[0] if load is None else load
    cores = cores or os.cpu_count() or 1
    raise_it = f"raise the limit with {option} SECONDS, or make it finish sooner" if option else "make it finish sooner"
    if load <= cores:
        return raise_it
    return (
        f"{raise_it}; the machine was overloaded (load {load:.1f} on {cores} cores), so it may pass when that is gone"
    )
