"""Reads command lines of checks: what hides an exit code, and which set-ups they need. Pure; must stay linear.

A check is known by the programs in its command. What is only known to call others (`make test`, a script) may need
every set-up; but not an environment in `.venv`, which is made for our own command alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from buildwright.core.finding import Finding
from buildwright.core.limits import Check
from buildwright.gates.reporting import finding
from buildwright.gates.setup_cache import Setup

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


_FAMILIES = {
    "node": "node npm npx pnpm pnpx yarn bun bunx corepack tsc tsx eslint prettier jest vitest mocha ava playwright",
    "python": "python python3 pytest pip uv uvx poetry pdm hatch tox nox coverage mypy pyright ruff flake8 pylint black",
    "go": "go gofmt gotestsum golangci-lint staticcheck",
    "rust": "cargo rustc rustfmt cross",
    "java": "java javac mvn mvnw gradle gradlew",
}
_KNOWN = {program: family for family, programs in _FAMILIES.items() for program in programs.split()}
_PLAIN = """
true false test [ : cd echo printf cat ls grep egrep sed awk cut sort uniq head tail wc diff cmp find stat touch mkdir
exit set export git
"""
"""Programs that run nothing of a project."""
_STRING = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"")
_BOUNDARY = re.compile(r"&&|\|\|?|[;&\n(){}!]|\$\(|`")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_BEFORE = frozenset(("env", "time", "timeout", "nice", "command", "exec", "then", "do", "if", "else", "while", "until"))
_NUMBER = re.compile(r"-.*|\d+[smh]?")


def needed_setups(setups: Iterable[Setup], checks: Iterable[Check]) -> tuple[tuple[Setup, ...], list[Finding]]:
    """Return those of the found set-ups that named checks need, and a note about each of the others."""
    named = tuple(checks)
    families = {family for check in named for family in _families(check.command)}
    knows_venv = any(re.search(r"\.venv\b|\buv\b", check.command) for check in named)
    kept, notes = [], []
    for setup in setups:
        of = {family for command in setup.commands for family in _families(command)} - {""}
        commands = " && ".join(setup.commands)
        makes_venv = "python" in of and ".venv" in (*setup.outputs, *commands.split())
        if knows_venv if makes_venv else ("" in families or not of or of & families):
            kept.append(setup)
            continue
        what = "name nothing of .venv" if makes_venv else f"call no program of {' or '.join(sorted(of))}"
        message = f"The set-up `{commands}` does not run: the named checks {what}."
        notes.append(finding("setup.dropped", message, severity="note", fix=f'if they need it: --setup "{commands}"'))
    return tuple(kept), notes


def _families(command: str) -> Iterator[str]:
    """Yield what the programs of a command belong to, "" for one that may call any."""
    for program in _programs(command):
        name = program.rpartition("/")[2]
        bare = re.sub(r"[\d.]+$", "", name)
        if name in _KNOWN or bare in _KNOWN:
            yield _KNOWN.get(name) or _KNOWN[bare]
        elif program not in _PLAIN.split():
            yield ""


def _programs(command: str) -> Iterator[str]:
    for part in _BOUNDARY.split(_STRING.sub("''", command)):
        words = iter(part.split())
        for word in words:
            if _ASSIGNMENT.match(word) or word in _BEFORE or _NUMBER.fullmatch(word):
                continue
            yield word
            break
