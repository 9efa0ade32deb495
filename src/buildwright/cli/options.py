"""Turns the options of `build`, as typed, into the record that a build keeps. Must never import Pydantic early."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildwright.errors import BadRepository, Refused

if TYPE_CHECKING:
    from pydantic import ValidationError

    from buildwright.cli.build_options import BuildOptions
    from buildwright.core.limits import AsOption, Check, Options

MONEY = frozenset(("max_cost", "max_task_cost", "max_day_cost", "max_project_cost"))
"""Options that are amounts of US dollars."""
ALL = "all"
"""Value of `--accept-base` that is typed without a name."""
_CHECK = re.compile(r"(?:(?P<kind>[a-z]+):)?(?P<name>[a-z][a-z0-9_.-]*)=(?P<command>.+)", re.DOTALL)
"""Names are lower case, so that `CI=1 pytest` stays a command with a variable in front."""


def options_of(given: BuildOptions) -> Options:
    """Return the options as the record that the build keeps. Raises Refused naming the option that is wrong."""
    from pydantic import ValidationError

    from buildwright.core.limits import AsOption, Options, marked

    values: dict[str, Any] = {}
    for place, _, option in marked(AsOption):
        record = values
        for name in place[:-1]:
            record = record.setdefault(name, {})
        record[place[-1]] = _value(option, getattr(given, option.attribute))
    values["accept_base"] = ALL in given.accept_base
    if given.push and given.deliver in {"none", "files"}:
        raise Refused(f"--push names a remote, and --deliver {given.deliver} needs none", fix="leave one of them out")
    if given.push and given.deliver == "branch":
        values["delivery"]["kind"] = "push"
    if given.no_lanes:
        values |= {"gates": False, "delivery": {"kind": "none"}}
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        raise _wrong(error) from error


def with_all_named(argv: Sequence[str]) -> list[str]:
    """Return the arguments with a value for each `--accept-base` without one: last, before an option or the spec.

    What follows `--` stays as it is.
    """
    named: list[str] = []
    for place, word in enumerate(argv):
        if word == "--":
            return [*named, *argv[place:]]
        after = argv[place + 1] if place + 1 < len(argv) else "-"
        bare = word == "--accept-base" and (after.startswith("-") or Path(after).is_file())
        named.append(f"{word}={ALL}" if bare else word)
    return named


def _value(option: AsOption, given: Any) -> Any:
    """Return the value of the field that `option` sets, from what was typed. Raises Refused."""
    match option.attribute:
        case "check":
            return tuple(read_check(text) for text in given)
        case "accept_base":
            return tuple(name for name in given if name != ALL)
        case name if name in MONEY:
            return read_money(given, option.names)
    if option.is_path:
        return _existing_file(given, option)
    return not given if option.names.startswith("--no-") else given


def read_check(text: str) -> Check:
    """Parse `COMMAND`, `NAME=COMMAND` or `KIND:NAME=COMMAND`. Raises Refused for an unknown kind or no command."""
    from buildwright.core.limits import KINDS, Check

    found = _CHECK.fullmatch(text)
    if found is None:
        if not text.strip():
            raise Refused("--check has no command", fix="write --check 'pytest -q', for example")
        return Check(name=text.split(maxsplit=1)[0].rsplit("/", 1)[-1], command=text)
    kind = found["kind"] or (found["name"] if found["name"] in KINDS else "test")
    if kind not in KINDS:
        raise Refused(f"--check {text!r}: there is no kind {kind}", fix=f"use one of {', '.join(KINDS)}")
    return Check(name=found["name"], command=found["command"], kind=kind)


def read_money(text: str, option: str) -> Decimal | None:
    """Parse an amount of US dollars, None for "". Raises Refused naming `option` when it is not above zero."""
    if not text:
        return None
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount <= 0:
        raise Refused(f"{option} {text} is not an amount of money", fix=f"write US dollars, for example {option} 2.50")
    return amount


def read_repository(repository: str, no_lanes: bool = False) -> str:
    """Return a path made absolute, a URL unchanged, "" without lanes. Raises BadRepository when no folder is there."""
    if no_lanes:
        return ""
    if "://" in repository or re.match(r"[\w.-]+@[\w.-]+:", repository):
        return repository
    path = Path(repository).expanduser()
    if not path.is_dir():
        raise BadRepository(f"there is no folder {repository}", fix="give --repo the path or URL of a git repository")
    return str(path.resolve())


def _existing_file(path: Path | None, option: AsOption) -> str:
    """Return the absolute path of a file, "" for None. Raises Refused when it is not there."""
    if path is None:
        return ""
    if not path.is_file():
        what = option.attribute.replace("_", " ")
        raise Refused(f"there is no {what} {path}", fix=f"give {option.names} the path of a {what} file")
    return str(path.resolve())


def _wrong(error: ValidationError) -> Refused:
    """Turn the first error of a validation into a Refused that names the option."""
    from buildwright.core.limits import AsOption, marked

    first = error.errors()[0]
    options = {place: option.names.split()[0] for place, _, option in marked(AsOption)}
    name = next((option for place, option in options.items() if first["loc"][: len(place)] == place), "an option")
    kind = "number" if isinstance(first["input"], int | float | Decimal) else "value"
    why = "not of the form that it takes" if first["type"] == "string_pattern_mismatch" else first["msg"].lower()
    return Refused(f"{name} {first['input']}: {why}", fix=f"give {name} another {kind}")
