"""Claude Code's tools and reports: which calls are allowed, what ran, tokens used, kinds of failure. Must change nothing.

The rules are no boundary: Bash goes anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from buildwright.core.activity import FailureKind, Ran, UsedTokens
from buildwright.core.paths import check_path, is_protected
from buildwright.errors import UnsafePath
from buildwright.ports import Assignment

TAIL = 2_000
"""Characters kept of an output or a summary, from the end."""


def ran(command: str, block: Any) -> Ran:
    """Return a command that was run, from the block with its result."""
    content = block.content
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    output = str(content or "")
    exit_code: int | None = 0
    if block.is_error:
        # The program reports a failed command as "Exit code N" and its output; other errors have no code.
        first, _, rest = output.partition("\n")
        number = first.removeprefix("Exit code ")
        exit_code, output = (int(number), rest) if number.isdecimal() else (None, output)
    return Ran(command=command, exit_code=exit_code, output=output[-TAIL:])


def used(usage: Mapping[str, Mapping[str, Any]], sums: dict[str, UsedTokens]) -> Iterator[UsedTokens]:
    """Yield the tokens used since the last result; the program reports sums, and `sums` keeps the last, per model."""
    for model, counts in usage.items():
        new = UsedTokens(
            model=model,
            input_tokens=int(counts.get("inputTokens", 0)),
            output_tokens=int(counts.get("outputTokens", 0)),
            cache_read_tokens=int(counts.get("cacheReadInputTokens", 0)),
            cache_write_tokens=int(counts.get("cacheCreationInputTokens", 0)),
            cost_usd=Decimal(str(counts.get("costUSD", 0))),
        )
        old = sums.get(model, UsedTokens(model=model, cost_usd=Decimal(0)))
        sums[model] = new
        if new != old:
            yield UsedTokens(
                model=model,
                input_tokens=max(new.input_tokens - old.input_tokens, 0),
                output_tokens=max(new.output_tokens - old.output_tokens, 0),
                cache_read_tokens=max(new.cache_read_tokens - old.cache_read_tokens, 0),
                cache_write_tokens=max(new.cache_write_tokens - old.cache_write_tokens, 0),
                cost_usd=max((new.cost_usd or Decimal(0)) - (old.cost_usd or Decimal(0)), Decimal(0)),
            )


_BY_STATUS: dict[int, FailureKind] = {
    401: "auth", 403: "auth", 408: "timeout", 413: "context_length", 429: "rate_limit", 504: "timeout", 529: "overloaded",
}  # fmt: skip


def failure_kind(status: int | None, text: str) -> FailureKind:
    """Return the kind of a failure, by the provider's status if there is one, else by the program's words."""
    said = text.casefold()
    if "prompt is too long" in said or "context window" in said:
        return "context_length"
    if status is not None:
        return _BY_STATUS.get(status, "unavailable" if status >= 500 else "crashed")
    if "timed out" in said or "timeout" in said:
        return "timeout"
    if "overloaded" in said:
        return "overloaded"
    return "unavailable" if "connection" in said else "crashed"


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
        why = is_protected(candidate, assignment.protected, assignment.allow, assignment.task.files_expected)
        if why is not None:
            return f"{candidate} is protected: {why}. Do the task without changing it."
    return None
