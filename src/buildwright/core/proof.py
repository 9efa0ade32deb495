"""When a task can be done without a change: its own command may prove that the work is there. Pure; must never run it."""

from __future__ import annotations

import re
import shlex

from buildwright.core.task import Task

BY_PROOF = "by proof: nothing to change"

_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.")
_HIDES = re.compile(r"\|\||\||;|\n|(?<!&)&(?!&)|`|\$\(")
"""What can keep a failure from the exit code, or make a command's words unknown."""
# fmt: off
_SAYS_NOTHING = frozenset({
    "true", ":", "echo", "printf", "exit", "cd", "sleep", "pwd", "set", "export", "unset", "date", "whoami", "hostname",
    "uname", "env", "printenv", "ls", "which", "command", "type", "alias", "read", "wait", "yes", "id", "tty", "nproc",
    "uptime",
})
# fmt: on
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "eval"})
_TEXT_OPTIONS = frozenset({"-c", "-e", "--eval", "-lc", "-ec"})
_ASKS_ITSELF = frozenset({"--version", "-V", "--help", "-h"})
_CAN_FAIL = re.compile(r"\bassert|\bimport\b|\brequire\b|\braise\b|\bthrow\b|\bexit\(")
_OF_FILES = re.compile(r"-[defrsxhLSp]$")


def can_be_proven(task: Task | None) -> bool:
    """Return whether the task's own command can show that the work is there: not one that cannot fail."""
    return task is not None and task.validation is not None and can_fail(task.validation.command)


def can_fail(command: str) -> bool:
    """Return whether a command line says something about the files: its failure is neither hidden nor impossible.

    Doubtful ones (a pipe, a sequence, a substitution) count as hidden: then a task without a change stays refused.
    """
    if _HIDES.search(_QUOTED.sub("''", command)):
        return False
    return any(_one_can_fail(part) for part in command.split("&&"))


def _one_can_fail(part: str) -> bool:
    try:
        words = shlex.split(part, comments=True)
    except ValueError:
        return False
    while words and re.match(r"[A-Za-z_]\w*=", words[0]):
        words = words[1:]
    if not words or _ASKS_ITSELF.intersection(words[1:]):
        return False
    program = words[0].rpartition("/")[2]
    if program in _SAYS_NOTHING:
        return False
    if program in {"test", "[", "[["}:
        return any(_OF_FILES.match(word) for word in words[1:])
    text = next((words[place + 1] for place, word in enumerate(words[:-1]) if word in _TEXT_OPTIONS), None)
    if program in _SHELLS:
        return can_fail(text) if text is not None else len(words) > 1 and not words[1].startswith("-")
    return text is None or bool(_CAN_FAIL.search(text))
