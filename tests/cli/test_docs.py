"""docs/cli.md and the program say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cyclopts import App

from buildwright.cli.app import make_app
from buildwright.cli.exit_codes import MEANINGS
from buildwright.cli.verbs import VERBS

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")

BELOW: dict[str, list[tuple[str, ...]]] = {
    "db": [("migrate",), ("rollback",), ("version",), ("rebuild-stats",)],
    "cluster": [("up",), ("down",), ("status",)],
    "contracts": [
        (name,)
        for name in (
            "generate",
            "list",
            "show",
            "edit",
            "rewrite",
            "comment",
            "comments",
            "resolve",
            "diff",
            "stale",
            "take",
            "export",
        )
    ],
    "pr": [("open",), ("feedback",)],
    "repo": [("list",), ("connect",), ("disconnect",), ("audits",)],
    "task": [("add",), ("edit",), ("drop",), ("merge",), ("split",), ("reorder",), ("redo",), ("undo",)],
    "lessons": [("list",), ("show",), ("forget",), ("export",), ("import",)],
    "token": [(), ("list",), ("revoke",)],
    "user": [
        *(
            (name,)
            for name in (
                "list",
                "show",
                "add",
                "set",
                "disable",
                "enable",
                "members",
                "share",
                "unshare",
                "leave",
                "unlink-github",
            )
        ),
    ],
    "secrets": [("scan",), ("allow",), ("allowed",)],
    "hook": [("install",), ("remove",)],
    "sandbox": [("run",), ("prove",)],
}
"""Verbs that have verbs."""


def sections() -> dict[str, str]:
    """The text under each `### ` heading, by its verb."""
    parts = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    return {re.findall(r"`(\w+)", part.partition("\n")[0])[0]: part for part in parts}


def options_of(app: App, *path: str) -> Iterator[str]:
    with app.app_stack(list(path)):
        command = app
        for name in path:
            command = command[name]
        for argument in command.assemble_argument_collection():
            yield from (name for name in argument.names if name.startswith("-"))


def test_every_verb_has_a_section_with_an_example() -> None:
    assert list(sections()) == [verb.name for verb in VERBS]
    for name, text in sections().items():
        assert re.search(rf"^    buildwright {name}\b", text, re.MULTILINE), name


def test_every_option_of_a_verb_is_documented_and_no_other() -> None:
    app = make_app()
    for verb in VERBS:
        below = BELOW.get(verb.name, [()])
        known = {option for path in below for option in options_of(app, verb.name, *path)}
        text = sections()[verb.name].partition("\n## ")[0]
        named = {word for span in re.findall(r"`([^`]+)`", text) for word in re.findall(r"(?<!\S)--?[a-z-]+", span)}
        named |= set(re.findall(r"(?<=\s)--[a-z-]+", "\n".join(re.findall(r"^    .*$", text, re.MULTILINE))))
        assert known - named == set(), verb.name
        foreign = {"-q", "--signoff", "--", "-s"}  # of the commands in examples
        assert named - known - foreign == set(), verb.name


def test_the_exit_codes_are_the_table_of_the_program() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(str(int(code)), meaning) for code, meaning in MEANINGS.items()]
