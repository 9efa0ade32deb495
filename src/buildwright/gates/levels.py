"""Tells which checks a change cannot concern. Pure.

Typecheckers, linters and builds that were found run always, and the tests of a part of the project (the API's, the
pages') when the change touches the part or anything that belongs to no part. A part that names another part in any of
its files may use it, and is tested with it. On the base and on the final tree everything runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from buildwright.core.limits import Check
from buildwright.gates.surface import is_prose
from buildwright.gates.toolchain import ProjectFiles, Toolchain

_MOST_FILES = 2_000
"""A part with more files is not searched for the names of the others: it may use them all."""


def why_not(check: Check, touched: Sequence[str], toolchain: Toolchain, project: ProjectFiles) -> str:
    """Return why a check need not run for a change of these paths, "" if it must."""
    if not check.concerns(touched):
        return f"the change touches none of {', '.join(check.paths)}"
    part = next((folder for folder, tests in toolchain.parts if check.name in tests), "")
    folders = [folder for folder, _ in toolchain.parts]
    homes = {max((one for one in folders if path.startswith(one)), key=len, default="") for path in touched}
    if not part or not homes or homes & {"", part} or _uses(project, part, homes):
        return ""
    return f"the change touches only {', '.join(sorted(homes))}, and {part} does not use that"


def _uses(project: ProjectFiles, part: str, others: Collection[str]) -> bool:
    """Return whether a file of a part names one of the others, or may for all that can be read."""
    names = (other.rstrip("/").rpartition("/")[2] for other in others)
    words = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in names))
    inside = [path for path in project.files if path.startswith(part) and not is_prose(path)]
    if len(inside) > _MOST_FILES:
        return True
    texts = map(project.read, inside)
    return any(text is None or words.search(text) for text in texts)
