"""The commands that pages show are commands of the program, with options that it has."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from buildwright.cli.app import OTHER_NAMES, make_app
from buildwright.cli.verbs import VERBS
from tests.docs.pages import PAGES, ROOT, commands, name, outside_fences, read

SHOWN = [
    (page, line)
    for page in PAGES
    for line in commands(page)
    if line.split()[:1] in (["buildwright"], ["~/buildwright/bin/buildwright"])
]


BELOW = {
    "task": {"add", "edit", "drop", "merge", "split", "reorder", "redo", "undo"},
    "pr": {"open", "feedback"},
    "repo": {"list", "connect", "disconnect", "audits"},
    "contracts": {
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
    },
    "db": {"migrate", "rollback", "version", "rebuild-stats"},
    "cluster": {"up", "down", "status"},
    "lessons": {"list", "show", "forget", "export", "import"},
    "token": {"list", "revoke"},
    "user": {
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
    },
    "secrets": {"scan", "allow", "allowed"},
    "sandbox": {"run", "prove"},
    "hook": {"install", "remove"},
}
"""Verbs that have verbs."""


def options_of(verb: str, *below: str) -> set[str]:
    app = make_app()
    with app.app_stack([verb, *below]):
        command = app[verb]
        for part in below:
            command = command[part]
        arguments = command.assemble_argument_collection()
        return {option for argument in arguments for option in argument.names if option.startswith("-")}


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=lambda value: name(value) if isinstance(value, Path) else value)
def test_a_shown_command_exists_with_its_options(page: Path, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    if words == ["VERB", "--help"]:
        return
    verb = words[0]
    assert verb in {known.name for known in VERBS}
    below = [word for word in words[1:2] if verb in BELOW and not word.startswith("-")]
    assert set(below) <= BELOW.get(verb, set())
    used = {word for word in words[1:] if re.fullmatch(r"--[a-z-]+|-[a-z]", word)}
    assert used - options_of(verb, *below) == set()


def test_the_main_pages_show_commands() -> None:
    shown = {name(page) for page, _ in SHOWN}
    assert shown >= {"README.md", "docs/cli.md", "docs/guides/first-build.md", "docs/guides/pauses.md"}


def test_verbs_and_options_in_the_text_exist() -> None:
    known = {verb.name for verb in VERBS}
    alone = (known - set(BELOW)) | {"token"}  # which prints one without a verb below it
    paths = [[verb] for verb in alone] + [[verb, below] for verb in BELOW for below in BELOW[verb]]
    options = set().union(*(options_of(*path) for path in paths)) | {"--help"}
    for page in PAGES:
        text = outside_fences(page)
        for verb in re.findall(r"`buildwright ([a-z]+)\b", text):
            assert OTHER_NAMES.get(verb, verb) in known, f"{name(page)}: buildwright {verb}"
        if page.is_relative_to(ROOT / "docs" / "guides"):
            for option in re.findall(r"`(--[a-z-]+)", text):
                assert option in options, f"{name(page)}: {option}"


def test_the_readme_has_the_two_commands_once_each_in_order() -> None:
    pattern = re.compile(r"^    \$ (make (?:demo|test))$", re.MULTILINE)
    assert pattern.findall(read(ROOT / "README.md")) == ["make demo", "make test"]


def test_make_alone_lists_every_target_that_pages_name() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^  ([a-z]+) +\S", done.stdout, re.MULTILINE))
    assert {"demo", "test", "check", "bench", "docs", "requirements", "clean"} <= listed
    named = {target for page in PAGES for target in re.findall(r"`make ([a-z]+)`", read(page))}
    # These two are targets of a user's project that the checks find.
    assert named - {"test", "check"} <= listed


def test_fragments_of_the_changelog_follow_their_rule() -> None:
    for page in (ROOT / "changes").glob("*.md"):
        if page.name != "README.md":
            assert re.fullmatch(r"\d{4}-(added|changed|fixed|removed|security)-[a-z-]+\.md", page.name), page.name
            assert not read(page).startswith("#")
            assert len(read(page).split()) >= 5
