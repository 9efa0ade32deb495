"""The program that reads files for the map: contents in, outlines out. Must never touch a file or the network.

It is a process of its own, because a parser in C that a file makes hang, or run out of memory, then takes nothing else
with it. For each file it is given a line `LANGUAGE SIZE` and that many bytes, and answers with a line of JSON: the fields
of an `Outline` in their order, or null for a file that it cannot read.
"""

from __future__ import annotations

import json
import resource
import sys

from buildwright.code_map.outline import outline

_MEMORY = 2 * 1024**3
_CPU_SECONDS = 600
"""It ends with its standard input; this is for one that no longer gets to read it."""


def main() -> None:
    """Answer until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    given, answers = sys.stdin.buffer, sys.stdout
    while head := given.readline():
        language, size = head.decode("ascii").split()
        content = given.read(int(size))
        try:
            answer = json.dumps(outline(language, content), separators=(",", ":"))
        except (ValueError, MemoryError, RecursionError):
            answer = "null"
        answers.write(f"{answer}\n")
        answers.flush()


if __name__ == "__main__":
    main()
