"""Reads the scripts of a package.json: what one runs in the end, and whether that tests anything. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_DEPTH = 4
_LONGEST = 20_000
_CALL = re.compile(
    r"\b(?:(?:npm|pnpm|yarn|bun) (?:run |run-script )|(?:npm|pnpm|yarn) (?=test\b))(?:-s |--silent )?([\w:.-]{1,80})"
)
_SEPARATORS = re.compile(r"&&|\|\||[;|&\n]")
_NOTHING = re.compile(r"(?:echo\b.*|printf\b.*|true|:|exit(?: 0)?|sleep \d+|cd \S+|)$", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"")
_NO_TEST = "no test specified"

LEVELS = {"api": ("test:api",), "ui": ("test:ui", "test:components", "test:component", "test:e2e")}
"""Scripts beside `test` that test one side of a project, by side."""
_BROWSERS = ("playwright", "cypress", "puppeteer", "testcafe", "nightwatch", "wdio", "webdriver", "selenium")
_BROWSER = re.compile(rf"\b(?:{'|'.join(_BROWSERS)})\b")
_CONFIGURED = re.compile(rf"(?:{'|'.join(_BROWSERS)})\.(?:config|conf)\.[cm]?[jt]s")


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


def command_line(scripts: Mapping[str, str], name: str) -> str:
    """Return what a script runs, with the scripts that it calls in their place and those of `pre` and `post` around."""
    around = [scripts.get(f"{when}{name}", "").strip() for when in ("pre", "", "post")]
    text = " && ".join(body for body in around if body)
    for _ in range(_DEPTH):
        longer = _CALL.sub(lambda match: scripts.get(match[1]) or match[0], text)
        if longer == text or len(longer) > _LONGEST:
            break
        text = longer
    return text


def tests_nothing(body: str) -> bool:
    """Return whether a script only prints, waits or ends: npm's placeholder, `echo later`, `true`, `exit 0`, `:`."""
    if _NO_TEST in body:
        return True
    parts = _SEPARATORS.split(_QUOTED.sub("''", body))
    return all(_NOTHING.match(part.strip()) for part in parts)
