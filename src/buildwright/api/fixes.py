"""The fix of an error in the words of HTTP: paths and fields instead of commands and options of the command line.

The engine and the store say what to do in commands, for they do not know the caller. Must never change the meaning.
"""

from __future__ import annotations

import re
from functools import cache

from buildwright.core.limits import AsOption, marked

COMMANDS = "fix=commands"
"""The preference (header `Prefer`, RFC 7240) of a client that shows commands: the command line through a server."""
OWNER = "ask the owner of the server; its log says more"
"""What is said instead of a command that has no path."""

_ID = r" (?P<id>[A-Za-z0-9-]{1,64})"
_TASK = r" (?P<task>[A-Za-z0-9][A-Za-z0-9._-]{0,79})"
_QUOTED = re.compile(r"`buildwright ([^`]*)`")
_SPOKEN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (rf"resume{_ID} --retry -m TEXT", "POST /api/builds/{id}/resume with `choice` retry and a `message`"),
        (rf"why{_ID} stuck", "GET /api/builds/{id}/stuck"),
        (rf"why{_ID}{_TASK}", "GET /api/builds/{id}/why/{task}"),
        (rf"(?P<verb>resume|run|stop|pause){_ID}", "POST /api/builds/{id}/{verb}"),
        (rf"(?P<verb>gates|events|logs|diff){_ID}", "GET /api/builds/{id}/{verb}"),
        (rf"status{_ID}", "GET /api/builds/{id}"),
        (r"status(?: --all)?", "GET /api/builds"),
        (r"build SPEC --repo PATH", "POST /api/builds"),
        (rf"task (?:add|edit|drop){_ID}", "POST /api/builds/{id}/task"),
        (rf"task (?P<verb>redo|undo){_ID} TASK", "POST /api/builds/{id}/{verb} with a `task`"),
        (r"why", "GET /api/builds/{{build_id}}/why/{{task}}"),
        (r"stop", "POST /api/builds/{{build_id}}/stop"),
        (r"gates", "GET /api/builds/{{build_id}}/gates"),
    )
)
_OPTION = re.compile(r"`(?P<quoted>--[a-z-]+)[^`]*`|(?<![\w`-])(?P<bare>--[a-z][a-z-]*)")
_BESIDE = {
    "--check": "options.checks",
    "--task": "task",
    "--repo": "repository",
    "--base": "base",
    "--rebase": "rebase",
    "--with-dependents": "with_dependents",
}


def over_http(fix: str) -> str:
    """Return a fix with the paths and fields that do what its commands and options do."""
    said = _QUOTED.sub(lambda found: _path_of(found[1]) or found[0], fix)
    if "`buildwright " in said:
        return OWNER
    return _OPTION.sub(_field_of, said)


def _field_of(found: re.Match[str]) -> str:
    field = _fields().get(found["quoted"] or found["bare"])
    return f"`{field}`" if field else found[0]


def _path_of(command: str) -> str:
    for pattern, words in _SPOKEN:
        if found := pattern.fullmatch(command):
            return words.format(**found.groupdict())
    return ""


@cache
def _fields() -> dict[str, str]:
    """Return the field of a request that does what an option of `build` does, by the name of the option."""
    options = {
        name: ".".join(("options", *place)) for place, _, mark in marked(AsOption) for name in mark.names.split()
    }
    return options | _BESIDE
