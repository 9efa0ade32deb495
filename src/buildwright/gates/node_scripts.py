"""Reads the scripts of a package.json: what one runs in the end, and whether that tests anything. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

_DEPTH = 4
_LONGEST = 20_000
_CALL = re.compile(
    r"\b(?:(?:npm|pnpm|yarn|bun) (?:run |run-script )|(?:npm|pnpm|yarn) (?=test\b))(?:-s |--silent )?([\w:.-]{1,80})"
)
_SEPARATORS = re.compile(r"&&|\|\||[;|&\n]")
_NOTHING = re.compile(r"(?:echo\b.*|printf\b.*|true|:|exit(?: 0)?|sleep \d+|cd \S+|)$", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"")
_AUDIT = re.compile(
    r"(?:(?:npx )?(?:npm|pnpm|yarn)(?:@(?:[\w.-]+|\"[^\"]*\"|'[^']*'))? audit|(?:npx )?(?:aud|better-npm-audit))(?: [\w=-]+)*"
)
"""Looks up the packages' known faults, by a client or a program for that."""
_RUNS_ALONE = re.compile(
    r"(?:[A-Za-z_]\w*=[^\s$`]* +|(?:cross-env|npx) +|(?:nyc|c8)(?: +-[\w=./-]+)* +)*"
    r"(?:(?:mocha|jest|vitest|ava|tape|tap|uvu|eslint|standard|xo)(?![\w.-])|node(?: +-[\w=./-]+)* +--test(?![\w-]))"
)
"""Begins a command that runs tests or a linter itself, and no script of package.json by another program."""
_CALLED = re.compile(r"(npm|pnpm|yarn|bun)( run)? ([\w:.-]{1,60})( --ignore-scripts)?")
_NO_TEST = "no test specified"

LEVELS = {"api": ("test:api",), "ui": ("test:ui", "test:components", "test:component", "test:e2e")}
"""Scripts beside `test` that test one side of a project, by side."""
_BROWSERS = ("playwright", "cypress", "puppeteer", "testcafe", "nightwatch", "wdio", "webdriver", "selenium")
_BROWSER = re.compile(rf"\b(?:{'|'.join(_BROWSERS)})\b")
_CONFIGURED = re.compile(rf"(?:{'|'.join(_BROWSERS)})\.(?:config|conf)\.[cm]?[jt]s")


class CalledScript(NamedTuple):
    """A script of package.json that a command runs, and nothing else."""

    manager: str
    name: str
    is_alone: bool
    """Whether those of `pre` and `post` around it are left out."""


def called_script(command: str) -> CalledScript | None:
    """Return the script that a whole command runs; None of another command, such as `bun test`, Bun's own runner."""
    found = _CALLED.fullmatch(command)
    if found is None or (found[1] == "bun" and not found[2]):
        return None
    return CalledScript(found[1], found[3], bool(found[4]))


def level_scripts(scripts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the scripts that test one side of a project, each after its side, unless `test` runs them already."""
    run = command_line(scripts, "test")
    for side, names in LEVELS.items():
        for name in names:
            line = command_line(scripts, name)
            if name in scripts and not tests_nothing(line) and line not in run:
                yield side, name


def browser_driver(line: str) -> str:
    """Return the tool that drives a browser in a command line; "" without one."""
    found = _BROWSER.search(line)
    return found[0] if found else ""


def configured_driver(paths: Iterable[str]) -> str:
    """Return the tool that drives a browser by a settings file among these paths; "" without one."""
    return next((path.partition(".")[0] for path in sorted(paths) if _CONFIGURED.fullmatch(path)), "")


def scripts_of(package: Mapping[str, Any]) -> dict[str, str]:
    """Return the scripts of a package.json that are texts."""
    scripts = package.get("scripts")
    return {name: body for name, body in scripts.items() if isinstance(body, str)} if isinstance(scripts, dict) else {}


def command_line(scripts: Mapping[str, str], name: str, *, alone: bool = False) -> str:
    """Return what a script runs, with the scripts that it calls in their place and those of `pre` and `post` around.

    With `alone` those around it are left out, as npm does with `--ignore-scripts`.
    """
    around = [scripts.get(f"{when}{name}", "").strip() for when in (("",) if alone else ("pre", "", "post"))]
    text = " && ".join(body for body in around if body)
    for _ in range(_DEPTH):
        longer = _CALL.sub(lambda match: scripts.get(match[1]) or match[0], text)
        if longer == text or len(longer) > _LONGEST:
            break
        text = longer
    return text


def asks_registry_after(scripts: Mapping[str, str]) -> bool:
    """Return whether all that `npm test` has around it is an audit after it, which asks a registry, and the linter before it.

    Then `--ignore-scripts` leaves nothing out that judges the code, given that `lint` is a check of its own: it is for
    scripts that the script calls as well, so none of these may have any around it, and no other program may call any.
    """
    before = _CALL.fullmatch(scripts.get("pretest", "npm run lint").strip())
    if before is None or before[1] != "lint" or not _AUDIT.fullmatch(scripts.get("posttest", "").strip()):
        return False
    line = command_line(scripts, "test", alone=True)
    if "`" in line or "$(" in line or not all(map(_RUNS_ALONE.match, _commands_of(line))):
        return False
    called, waiting = set[str](), ["test"]
    while waiting:
        found = {match[1] for match in _CALL.finditer(scripts.get(waiting.pop(), ""))} - called
        called |= found
        waiting += found
    return not any(f"{when}{name}" in scripts for name in called for when in ("pre", "post"))


def tests_nothing(body: str) -> bool:
    """Return whether a script only prints, waits or ends: npm's placeholder, `echo later`, `true`, `exit 0`, `:`."""
    if _NO_TEST in body:
        return True
    return all(map(_NOTHING.match, _commands_of(body)))


def _commands_of(line: str) -> Iterator[str]:
    """Yield the commands of a line, without what they quote."""
    yield from (part.strip() for part in _SEPARATORS.split(_QUOTED.sub("''", line)))
