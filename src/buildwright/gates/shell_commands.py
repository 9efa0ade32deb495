"""Looks at a check's command line for what hides an exit code. Pure; must stay linear in the command."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LONGEST = 20_000
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.")
_STOPS = re.compile(r"\bset -[a-z]*e|\bpipefail\b|\$\?|\|\| ?exit\b|\|\| ?\{")
_LOOP = re.compile(r"(?:^|[\s;&(])(?:for|while|until)\b.*\bdo\b", re.DOTALL)
_ALWAYS = re.compile(r"\|\|\s*(?:true|:|exit 0|echo\b)|;\s*(?:true|:|exit 0)\s*$")
_PIPE = re.compile(r"(?<![|>&])\|(?![|&])")
_SEQUENCE = re.compile(r";(?!;)(?=\s*\S)|(?<![&>|])&(?![&>\d])")


def hidden_exit(command: str) -> str:
    """Return what keeps a failure inside the command from its exit code (`a loop`), "" when nothing does."""
    text = _QUOTED.sub("''", command[:_LONGEST])
    if _ALWAYS.search(text):
        return "an end that always succeeds"
    if _STOPS.search(text):
        return ""
    for pattern, what in ((_LOOP, "a loop"), (_PIPE, "a pipe"), (_SEQUENCE, "`;` or `&`")):
        if pattern.search(text):
            return what
    return ""


def recipe(makefile: str, target: str) -> Iterator[str]:
    """Yield the command lines of a target, joined where a line continues. Format: GNU Make's manual, section 5."""
    inside, line = False, ""
    for one in makefile.splitlines():
        if inside and (one.startswith("\t") or line):
            line += one.strip()
            if line.endswith("\\"):
                line = line[:-1] + " "
                continue
            yield line.lstrip("@+")
            line = ""
        elif one and not one[0].isspace():
            inside = ":" in one and target in one.partition(":")[0].split()


def hidden_in_make(makefile: str, target: str) -> str:
    """Return what hides a failure of a target's commands, "" when nothing does."""
    for line in recipe(makefile, target):
        if line.startswith("-"):
            return "`-` before a command"
        if what := hidden_exit(line.replace("$$", "$")):
            return what
    return ""
