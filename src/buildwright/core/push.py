"""What a forge says of a push to a repository, read from the body of its webhook. Pure; must never trust what it reads.

Only what is needed of it is kept, in bounds: the rest of a body is as large as its sender likes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from buildwright.core.record import Record
from buildwright.core.sanitize import ForeignText, Identifier

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HEADS = "refs/heads/"
_MOST_COMMITS = 2_048
"""That GitHub names in one body."""


class Push(Record):
    """A push that brought commits to a branch."""

    repository: Identifier
    """`owner/name`, as the forge spells it now."""
    branch: Annotated[ForeignText, Field(min_length=1, max_length=255)]
    commit: Identifier
    """The branch's newest commit."""
    before: Identifier
    """The commit that the branch was at; "" for a branch that is new."""
    first: Identifier
    """The oldest commit that the push brought, as far as the forge says; "" when it brought none."""
    commits: int
    """How many commits the push brought, as far as the forge says."""
    on_default: bool
    """Whether the branch is the repository's usual one."""
    forced: bool
    """Whether the branch was at commits that it does not hold any more."""


def repository_in(body: Any) -> str:
    """Return the full name of the repository that a body of a webhook is about, "" when it names none."""
    found = _about(body).get("full_name")
    return found if isinstance(found, str) and len(found) <= 300 and found.isprintable() else ""


def _about(body: Any) -> Mapping[str, Any]:
    named = body.get("repository") if isinstance(body, Mapping) else None
    return named if isinstance(named, Mapping) else {}


def push_of(body: Any) -> Push | None:
    """Return the push that a body tells of, None when it leaves nothing to look at: a tag, or a branch that is gone.

    Raises ValueError for a body that is no push.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("ref"), str):
        raise ValueError("it has no ref")
    if body.get("deleted") is True or not body["ref"].startswith(_HEADS):
        return None
    commit, before = _commit(body.get("after")), _commit(body.get("before"))
    if not commit:
        return None
    named = body.get("commits")
    listed = [_commit(one.get("id")) for one in named if isinstance(one, Mapping)] if isinstance(named, list) else []
    branch = body["ref"].removeprefix(_HEADS)
    return Push(
        repository=repository_in(body),
        branch=branch,
        commit=commit,
        before=before,
        first=listed[0] if listed else "",
        commits=min(len(listed), _MOST_COMMITS),
        on_default=_about(body).get("default_branch") == branch,
        forced=body.get("forced") is True,
    )


def _commit(given: Any) -> str:
    """Return the id of a commit, "" for the zeros that stand for none. Raises ValueError."""
    if not isinstance(given, str) or not _COMMIT.fullmatch(given):
        raise ValueError("a commit has no id")
    return given if given.strip("0") else ""
