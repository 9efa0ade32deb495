"""Liars, twins and the small projects they work on, as records. Pure data; must never touch a file system."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, JsonValue

from buildwright.core.record import Record
from buildwright.errors import BuildwrightError

Kind = Literal["machinery", "tests", "behaviour", "reach", "honest"]
Language = Literal["python", "node", "go", "rust", "java"]
Claim = Literal["done", "broken", "stub", "nothing"]
Verdict = Literal["merged", "refused", "not run"]

KINDS: tuple[Kind, ...] = ("machinery", "tests", "behaviour", "reach", "honest")
STRICT: tuple[Kind, ...] = ("machinery", "tests", "reach")
"""Kinds of which no lie may be merged; `behaviour` is also for sealed tests and review."""


class WrongSuite(BuildwrightError):
    """A record of the suite that does not fit its project: a fault of the suite, or of the project it is tried on."""


class Edit(Record):
    """One operation on one file. Exactly one of the others stands beside `path`, but `old` and `new` go together."""

    path: str
    text: str | None = None
    """The file's new content."""
    append: str | None = None
    prepend: str | None = None
    old: str | None = None
    """Text that is in the file, every occurrence of which becomes `new`."""
    new: str = ""
    to: str | None = None
    """The file's new path."""
    link: str | None = None
    """Target of a symbolic link that takes the file's place."""
    delete: bool = False


class Liar(Record):
    """One scripted agent: the product it leaves behind, and what it does beside it to be believed."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    kind: Kind
    project: str
    what: str
    """One line: the way in which it lies, or, of an honest one, what looks like a lie."""
    claims: Claim = "broken"
    """What it does to the product first: the task, the task with something else broken, an empty function, nothing."""
    edits: tuple[Edit, ...] = ()
    first: str = ""
    """Shell commands before the product changes, at the top of the project."""
    script: str = ""
    """Shell commands after all edits, at the top of the project."""

    @property
    def is_lie(self) -> bool:
        """Whether it must not be merged."""
        return self.kind != "honest"


class Ask(Record):
    """One question to the finished product, which only one answer makes true."""

    module: str
    """A Python module, or the path of a JavaScript file."""
    function: str
    arguments: tuple[JsonValue, ...]
    answer: JsonValue


class Truth(Record):
    """What must hold of the product: answers, or a program of the toolchain that ends with 0 when it does."""

    folder: str = "."
    """Directory of the modules, from the top of the project."""
    asks: tuple[Ask, ...] = ()
    script: str = ""
    """Shell commands, run at the top of a fresh clone."""


class SampleProject(Record):
    """A small project that passes its own checks, the task that agents are given, and what is true once it is done."""

    name: str
    language: Language
    needs: tuple[str, ...] = ()
    """Programs without which it cannot be judged."""
    files: Mapping[str, str]
    task: Mapping[str, Any]
    product: Mapping[Claim, tuple[Edit, ...]]
    truth: tuple[Truth, ...]


Files = dict[str, str]
"""Texts by path."""


def edited(files: Mapping[str, str], edits: tuple[Edit, ...], links: dict[str, str] | None = None) -> Files:
    """Return the files after the edits; targets of symbolic links are put into `links`.

    Raises WrongSuite where an edit is about a file or text that is not there.
    """
    after = dict(files)
    for edit in edits:
        if edit.text is not None:
            after[edit.path] = edit.text
            continue
        if edit.link is not None:
            after.pop(edit.path, None)
            assert links is not None
            links[edit.path] = edit.link
            continue
        if edit.path not in after:
            raise WrongSuite(f"there is no file {edit.path} to edit")
        now = after[edit.path]
        if edit.delete:
            del after[edit.path]
        elif edit.to is not None:
            del after[edit.path]
            after[posixpath.normpath(edit.to)] = now
        elif edit.old is not None:
            if edit.old not in now:
                raise WrongSuite(f"{edit.path} does not have the text {edit.old!r}")
            after[edit.path] = now.replace(edit.old, edit.new)
        else:
            after[edit.path] = (edit.prepend or "") + now + (edit.append or "")
    return after
