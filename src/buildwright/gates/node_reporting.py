"""Lets test runners that run in Node write a report beside their own output. Must never change the project's files.

Node's own runner, Jest, Vitest and Mocha are recognised by a file that every Node process of a check loads first; it adds
a reporter and takes itself out of the environment of what the runner starts. A project that sets NODE_OPTIONS itself
gets no report: then the output alone counts.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from buildwright.gates.changed import read_bytes
from buildwright.gates.junit import LARGEST_REPORT, Tally, read_junit

_REPORTERS = Path(__file__).parent / "reporters"
_FOLDER = "node"
_MOST_REPORTS = 200


def node_reporting(private: Path) -> dict[str, str]:
    """Put the reporters into the check's private folder; return the variables that make Node load them."""
    folder = private / _FOLDER
    shutil.copytree(_REPORTERS, folder, dirs_exist_ok=True)
    return {"NODE_OPTIONS": f'--require "{folder / "preload.cjs"}"'}


def clear_node_reports(private: Path) -> None:
    """Remove the reports that were written and not read."""
    for path in (private / _FOLDER).glob("*.xml"):
        path.unlink(missing_ok=True)


def node_reports(private: Path, root: str = "") -> list[Tally]:
    """Return the reports written since the last call, one for each run, without the path of the checkout `root`."""
    found: list[Tally] = []
    for path in sorted((private / _FOLDER).glob("*.xml"))[:_MOST_REPORTS]:
        content = read_bytes(private / _FOLDER, path.name, LARGEST_REPORT)
        path.unlink(missing_ok=True)
        tally = read_junit(content, root) if content is not None else None
        found += [tally] if tally is not None else []
    return found
