"""Decides which tool calls of Claude Code are allowed in a lane. Must never count as a boundary: Bash goes anywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from buildwright.core.paths import check_path, is_protected
from buildwright.errors import UnsafePath
from buildwright.ports import Assignment

TOOLS = ("Read", "Write", "Edit", "Glob", "Grep", "Bash", "NotebookEdit", "TodoWrite")
"""The tools the agent is offered. A closed list: no web, no subagents, no servers."""

_PATH_OF = {
    "Read": "file_path",
    "Write": "file_path",
    "Edit": "file_path",
    "MultiEdit": "file_path",
    "NotebookEdit": "notebook_path",
    "Glob": "path",
    "Grep": "path",
}
CHANGES_FILES = frozenset(("Write", "Edit", "MultiEdit", "NotebookEdit"))
_FREE = frozenset(("Bash", "BashOutput", "KillShell", "TodoWrite"))


def path_of(tool: str, tool_input: Mapping[str, object]) -> str:
    """Return the path that a call of this tool names, "" if none."""
    value = tool_input.get(_PATH_OF.get(tool, ""), "")
    return value if isinstance(value, str) else ""


def why_not(tool: str, tool_input: Mapping[str, object], assignment: Assignment, readable: Path) -> str | None:
    """Return why the call is refused, None when it is allowed. It may also read below `readable`.

    Links are followed before comparing, so a link in the lane opens nothing outside it.
    """
    if tool in _FREE:
        return None
    if tool not in _PATH_OF:
        return f"{tool} is not available here."
    lane = Path(os.path.realpath(assignment.lane))
    named = path_of(tool, tool_input)
    if tool == "Glob":
        pattern = tool_input.get("pattern", "")
        # The part before the first wildcard says where the search begins.
        start = str(pattern).split("*", 1)[0].split("?", 1)[0].split("[", 1)[0].split("{", 1)[0]
        if ".." in str(pattern).split("/"):
            return "A search pattern must not contain '..'."
        named = str(Path(named) / start) if named else start
    if not named:
        return None if tool in {"Glob", "Grep"} else "The call names no path."
    if "\0" in named:
        return "The path has a NUL character."
    target = Path(os.path.realpath(lane / named))
    if not target.is_relative_to(lane):
        if tool == "Read" and target.is_relative_to(os.path.realpath(readable)):
            return None
        return f"{named} is outside the directory you work in ({lane})."
    if tool not in CHANGES_FILES:
        return None
    try:
        path = check_path(target.relative_to(lane).as_posix())
    except UnsafePath as refused:
        return str(refused)
    spelled = Path(os.path.normpath(lane / named))
    for candidate in (path, spelled.relative_to(lane).as_posix() if spelled.is_relative_to(lane) else path):
        why = is_protected(candidate, assignment.protected, assignment.allow)
        if why is not None:
            return f"{candidate} is protected: {why}. Do the task without changing it."
    return None
