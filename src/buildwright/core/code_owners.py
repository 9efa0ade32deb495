"""Who owns a file by the project's CODEOWNERS. Pure; must never believe more of its text than patterns and names.

The format is GitHub's ("About code owners"): a pattern and its owners on each line, the last pattern that fits counts,
and one without owners takes a file's owners away. Sections of GitLab are read as comments.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

PLACES: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""Where the file may lie; the first that is there counts."""
_MOST_LINES: Final = 5_000
_LONGEST_PATTERN: Final = 300
_OWNER = re.compile(r"@[A-Za-z0-9][\w.-]{0,99}(?:/[\w.-]{1,100}){0,3}|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")


class _OwnerRule(NamedTuple):
    parts: tuple[str, ...]
    """Of the pattern; `**` stands for any number of folders."""
    owners: tuple[str, ...]
    below_only: bool
    """Whether it means what lies in a folder of this name, and no file of it."""

    def fits(self, path: list[str]) -> bool:
        """Return whether it means a file, in a time that no pattern can make long."""
        ends = {0}
        for part in self.parts:
            if part == "**":
                ends = set(range(min(ends), len(path) + 1))
            else:
                ends = {end + 1 for end in ends if end < len(path) and fnmatchcase(path[end], part)}
            if not ends:
                return False
        # `docs/*` means the files of a folder and no deeper ones; any other pattern also names all that lies below it.
        if self.parts[-1] == "*" and not self.below_only:
            return len(path) in ends
        return min(ends) < len(path) or not self.below_only


class CodeOwners:
    """The rules of one CODEOWNERS file. A line that is no rule is left out."""

    def __init__(self, text: str) -> None:
        self._rules: list[_OwnerRule] = []
        for line in text.splitlines()[:_MOST_LINES]:
            words = re.sub(r"(?:^|\s)#.*", "", line).replace("\\ ", "\0").split()
            if not words or words[0].startswith(("!", "[", "^[")) or len(words[0]) > _LONGEST_PATTERN:
                continue
            owners = tuple(word for word in words[1:] if _OWNER.fullmatch(word))
            if owners or not words[1:]:
                pattern = words[0].replace("\0", " ").replace("[", "[[]")
                parts = tuple(part for part in pattern.split("/") if part)
                if parts and "/" not in pattern.rstrip("/"):
                    parts = ("**", *parts)
                if parts:
                    self._rules.append(_OwnerRule(parts, owners, pattern.endswith("/")))

    def of(self, path: str) -> tuple[str, ...]:
        """Return the owners of a file in their order, none when it has no owner."""
        parts = path.split("/")
        return next((rule.owners for rule in reversed(self._rules) if rule.fits(parts)), ())
