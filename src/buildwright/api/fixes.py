"""What answers say to do, in the words of HTTP: paths and fields instead of commands and options of the command line.

The engine, the gates and the store say what to do in commands, for they do not know the caller. Every answer in JSON and
every frame of a stream passes `answer_over_http`. Must never change the meaning, or a text of users and agents.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from starlette.datastructures import Headers

from buildwright.core.limits import AsOption, marked
from buildwright.core.options_change import OptionsChange

COMMANDS = "fix=commands"
"""The preference (header `Prefer`, RFC 7240) of a client that shows commands: the command line through a server."""
OWNER = "ask the owner of the server; its log says more"
"""What is said instead of a command that has no path."""
_ASK_FOR_ONE = "ask the owner of the server for a new token"

_ID = r" (?P<id>[A-Za-z0-9-]{1,64})"
_TASK = r" (?P<task>[A-Za-z0-9][A-Za-z0-9._-]{0,79})"
_OURS = frozenset(
    [
        "fix",
        "words",
        "message",
        "detail",
        "reason",
        "reasons",
        "findings",
        "warnings",
        "notes",
        "diagnosis",
        "why",
        "answer",
        "said",
        "error",
        "error_detail",
        "pause_reason",
        "pause_findings",
    ]
)
"""Names of the fields of answers that hold words of ours; what we do not write in them is left alone."""
_WHOLLY_OURS = frozenset({"fix", "words"})
_SPAN = re.compile(r"`([^`]*)`")
_FIX = re.compile(r"(?<= Fix: ).*|(?:(?<=\n)|^)fix: .*", re.DOTALL)
_MAY_SAY = re.compile(rb"buildwright |[ `\"(]--[a-z]|-m TEXT")
_SPOKEN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (rf"why{_ID} base", "GET /api/builds/{id}/base"),
        (rf"why{_ID} stuck", "GET /api/builds/{id}/stuck"),
        (rf"why{_ID}{_TASK}", "GET /api/builds/{id}/why/{task}"),
        (rf"(?P<verb>resume|run|stop|pause|deliver){_ID}", "POST /api/builds/{id}/{verb}"),
        (r"(?P<verb>resume|run|stop|pause)", "POST /api/builds/{{build_id}}/{verb}"),
        (rf"(?P<verb>gates|events|logs|diff){_ID}", "GET /api/builds/{id}/{verb}"),
        (rf"status{_ID}", "GET /api/builds/{id}"),
        (r"status", "GET /api/builds"),
        (r"lessons list", "GET /api/lessons"),
        (r"user members PROJECT", "GET /projects/{{project_id}}/members"),
        (r"user unshare PROJECT USER", "DELETE /projects/{{project_id}}/members/{{user_id}}"),
        (r"user list", "GET /api/users"),
        (r"user show \S+", "GET /api/users/{{user_id}}"),
        (r"user set(?: NAME)?", "PATCH /api/users/{{user_id}}"),
        (r"token list", "GET /api/tokens"),
        (r"repo list", "GET /repos/connected"),
        (r"build (?:SPEC|FILE)", "POST /api/builds"),
        (r"build", "POST /projects/{{project_id}}/build"),  # `--contracts` is its only form without a spec
        (r"contracts edit", "PUT /projects/{{project_id}}/contracts/{{contract_type}}"),
        (rf"task (?:add|edit|drop){_ID}", "POST /api/builds/{id}/task"),
        (rf"task (?P<verb>redo|undo){_ID} TASK", "POST /api/builds/{id}/{verb} with a `task`"),
        (r"task (?:add|edit|drop)", "POST /api/builds/{{build_id}}/task"),
        (r"why", "GET /api/builds/{{build_id}}/why/{{task}}"),
        (r"gates", "GET /api/builds/{{build_id}}/gates"),
    )
)
_SAID = frozenset(("--all", "--title TEXT"))
"""Options that the path says, or the request's description."""
_OPTION = re.compile(r"(?<![\w-])(?:-m TEXT|(?<=with )-m\b|--[a-z][a-z-]*)")
_BESIDE = {
    "-m": "message",
    "-m TEXT": "message",
    "--check": "options.checks",
    "--commands": "may_run_commands",
    "--task": "task",
    "--repo": "repository",
    "--base": "base",
    "--rebase": "rebase",
    "--with-dependents": "with_dependents",
    "--contracts": "contracts",
    "--retry": "choice retry",
    "--skip": "choice skip",
    "--abort": "choice abort",
}


def prefers_commands(headers: Headers) -> bool:
    """Return whether the client of a request shows commands, and so wants them in what answers say."""
    return COMMANDS in headers.get("prefer", "")


def answer_over_http(body: bytes) -> bytes:
    """Return an answer in JSON with paths and fields in what it says; the very same bytes when it names no command."""
    if not _MAY_SAY.search(body):
        return body
    before = json.loads(body)
    after = _walked(before, "")
    return body if after == before else json.dumps(after, ensure_ascii=False, separators=(",", ":")).encode()


def _walked(value: Any, name: str) -> Any:
    """Return a value of an answer, that of the field `name`, in the words of HTTP."""
    if isinstance(value, dict):
        return {key: _walked(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_walked(inner, name) for inner in value]
    if not isinstance(value, str) or name not in _OURS:
        return value
    return over_http(value) if name in _WHOLLY_OURS else _told(value)


def _told(text: str) -> str:
    """Return a text that quotes others: our commands in it, and the fix at its end, in the words of HTTP."""
    said = _SPAN.sub(lambda found: _of_span(found[1]) if found[1].startswith("buildwright ") else found[0], text)
    return _FIX.sub(lambda found: over_http(found[0]), said)


def over_http(fix: str) -> str:
    """Return a fix with the paths and fields that do what its commands and options do."""
    if "`buildwright token" in fix and "`buildwright token list`" not in fix:
        return _ASK_FOR_ONE
    parts = _SPAN.split(fix)  # what lies between backticks is at the odd places
    said = "".join(_of_span(part) if place % 2 else _OPTION.sub(_field_of, part) for place, part in enumerate(parts))
    return OWNER if "`buildwright " in said else said


def _of_span(span: str) -> str:
    """Return what stands between two backticks in the words of HTTP, with backticks where it is no path."""
    if span.startswith("buildwright "):
        return _path_of(span.removeprefix("buildwright ")) or f"`{span}`"
    option = _OPTION.match(span)
    return _field_of(option) if option else f"`{span}`"


def _field_of(found: re.Match[str]) -> str:
    field = _fields().get(found[0])
    return _quoted(field) if field else found[0]


def _quoted(field: str) -> str:
    """Return a field with backticks; a value that follows it stays outside."""
    name, _, value = field.partition(" ")
    return f"`{name}` {value}".rstrip()


def _path_of(command: str) -> str:
    """Return the path, and the fields of its options, that do what a command does; "" when there is none."""
    plain, *options = re.split(r" (?=--[a-z]|-m\b)", command)
    for pattern, words in _SPOKEN:
        if found := pattern.fullmatch(plain):
            fields = [_field_in(plain, option.split()[0]) for option in options if option not in _SAID]
            fields = [one for one in fields if not (one == "`repository`" and plain.startswith("build "))]
            return words.format(**found.groupdict()) + (f" with {' and '.join(fields)}" if fields else "")
    return ""


def _field_in(command: str, option: str) -> str:
    """Return the field of a command's request that does what its option does."""
    field = _fields().get(option, "")
    last = field.rpartition(".")[2]
    if command.startswith("resume"):
        if option == "--max-cost":
            return "`budget_usd`"
        if option == "--deliver":
            return "`options.deliver`"
        field = f"options.{last}" if last in OptionsChange.model_fields else field
    return _quoted(field) if field else option


@cache
def _fields() -> dict[str, str]:
    """Return the field of a request that does what an option of `build` does, by the name of the option."""
    options = {
        name: ".".join(("options", *place)) for place, _, mark in marked(AsOption) for name in mark.names.split()
    }
    return options | _BESIDE
