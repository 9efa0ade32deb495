"""Tells which checks a change cannot concern. Pure.

Typecheckers, linters and builds that were found run always, and the tests of a part of the project (the API's, the
pages') when the change touches the part or anything that belongs to no part. A part that names another part in any of
its files may use it, and is tested with it. Within one project, tests that are of its API or of its pages by the name
of their script are left out when all that changed lies on the other side. On the base and on the final tree everything
runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from buildwright.core.finding import Finding
from buildwright.core.limits import Check
from buildwright.gates.comparison import MOST_NAMED
from buildwright.gates.needs import SETTINGS
from buildwright.gates.parts import LANGUAGES, code_outside
from buildwright.gates.project_folder import ProjectFiles, Toolchain, enter
from buildwright.gates.reporting import finding
from buildwright.gates.surface import is_prose

_MOST_FILES = 2_000
"""A part with more files is not searched for the names of the others: it may use them all."""


_SIDES = {
    "api": frozenset({"server", "backend", "migrations", "database", "db"}),
    "ui": frozenset({"frontend", "client", "pages", "components", "styles", "public", "ui"}),
}
"""Names of folders that hold one side of a project."""
_PAGES = (".css", ".scss", ".less", ".vue", ".svelte", ".html")
_SIDE_NAMES = {"api": "its API", "ui": "its pages"}


def why_not(check: Check, touched: Sequence[str], toolchain: Toolchain, project: ProjectFiles) -> str:
    """Return why a check need not run for a change of these paths, "" if it must."""
    if not check.concerns(touched):
        return f"the change touches none of {', '.join(check.paths)}"
    if why := _other_side(check, touched, toolchain):
        return why
    part = next((folder for folder, tests in toolchain.parts if check.name in tests), "")
    folders = [folder for folder, _ in toolchain.parts]
    homes = {max((one for one in folders if path.startswith(one)), key=len, default="") for path in touched}
    if not part or not homes or homes & {"", part} or _uses(project, part, homes):
        return ""
    return f"the change touches only {', '.join(sorted(homes))}, and {part} does not use that"


def concerns(check: Check, toolchain: Toolchain) -> str:
    """Return what of the project a check is for, in words; "" for all of it."""
    side = next((side for side, name in toolchain.levels if name == check.name), "")
    part = next((folder for folder, tests in toolchain.parts if check.name in tests), "")
    if check.paths:
        return f"for changes of {', '.join(check.paths)}"
    return f"of {_SIDE_NAMES[side] if side else part}" if side or part else ""


def unjudged(toolchain: Toolchain, touched: Sequence[str] | None) -> list[Finding]:
    """Return warnings that name the parts which no check judges, of those that a change touches; None: of all."""
    code = None if touched is None else [path for path in touched if not is_prose(path)]
    folders = [one for one in toolchain.bare if code is None or any(path.startswith(one) for path in code)]
    inner = tuple(dict.fromkeys((*(part for part, _ in toolchain.parts), *toolchain.bare)))
    said = []
    top = toolchain.top
    if kinds := [kind for kind in toolchain.left if touched is None or _is_outside(kind, touched, top, inner)]:
        languages = " and ".join(LANGUAGES[kind] for kind in kinds)
        message = f"{languages} code {f'in {top} ' if top else ''}outside of {_named(inner)} is judged by no check: "
        message += "none was found for it."
        fix = f'name the command of its tests: `--check "..."`, or in {SETTINGS} beside the other checks'
        said.append(finding("checks.part_unjudged", message, severity="warning", fix=fix))
    for has_tests in (False, True):
        if these := [one for one in folders if (one in toolchain.unrun) == has_tests]:
            has, them = ("has", "it") if len(these) == 1 else ("have", "them")
            fix = f'name a command for it: `--check "{enter(these[0], top)} && ..."`, or in {SETTINGS} beside the other checks'
            why = "tests that no check runs, and none" if has_tests else "no tests, and no check"
            message = f"{_named(these)} {has} {why} judges {them}."
            said.append(finding("checks.part_unjudged", message, severity="warning", fix=fix))
    if compiled := [one for one in toolchain.compiled if touched is None or one in touched]:
        message = f"{compiled[0]}{' and more' if compiled[1:] else ''} is compiled by the project's build, which no set-up runs:"
        message += " tests of it are skipped, fail, or use what was built before."
        part = max((one for one, _ in toolchain.parts if compiled[0].startswith(one)), key=len, default="")
        build = f"{f'{enter(part, top)} && ' if part else ''}python setup.py build_ext --inplace"
        fix = f'name what builds it in place, for example: `--setup "{build}"`'
        said.append(finding("checks.not_built", message, severity="warning", fix=fix))
    return said


def _is_outside(kind: str, touched: Sequence[str], top: str, inner: Sequence[str]) -> bool:
    """Return whether a change touches code of a kind of the folder `top` that lies outside of the parts in it."""
    paths = [path.removeprefix(top) for path in touched if path.startswith(top)]
    return code_outside(kind, paths, [one.removeprefix(top) for one in inner])


def _named(folders: Sequence[str]) -> str:
    return f"{', '.join(folders[:MOST_NAMED])}{' and more' if len(folders) > MOST_NAMED else ''}"


def _other_side(check: Check, touched: Sequence[str], toolchain: Toolchain) -> str:
    side = next((side for side, name in toolchain.levels if name == check.name), "")
    sides = {side_of(path) for path in touched}
    if not side or not sides or sides & {"", side}:
        return ""
    others = " and ".join(_SIDE_NAMES[one] for one in sorted(sides))
    return f"the change touches only {others}, and these tests are of {_SIDE_NAMES[side]}"


def side_of(path: str) -> str:
    """Return the side of a project that a file is of (`api`, `ui`) by its outermost folder that says so, else ""."""
    for folder in path.split("/")[:-1]:
        for side, names in _SIDES.items():
            if folder in names:
                return side
    return "api" if path.startswith("api/") else "ui" if path.endswith(_PAGES) else ""


def _uses(project: ProjectFiles, part: str, others: Collection[str]) -> bool:
    """Return whether a file of a part names one of the others, or may for all that can be read."""
    names = (other.rstrip("/").rpartition("/")[2] for other in others)
    words = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in names))
    inside = [path for path in project.files if path.startswith(part) and not is_prose(path)]
    if len(inside) > _MOST_FILES:
        return True
    texts = map(project.read, inside)
    return any(text is None or words.search(text) for text in texts)
