"""How complex a task is, by what is known of it before its first attempt. Pure; must never read a repository.

The weights of files and of words in the title were fitted to real commits, see docs/benchmarks.md, which says how often
they are wrong. What a commit does not show (criteria, dependents, parts that need care) adds points by assumption.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import log2
from typing import Final, Literal, NamedTuple

from pydantic import Field

from buildwright.core.figures import count
from buildwright.core.paths import fold_path
from buildwright.core.protected import reach_of
from buildwright.core.record import Record
from buildwright.core.task import Task

Level = Literal["simple", "moderate", "complex", "critical"]
Size = Literal["small", "middle", "large"]

SIZES: Final[dict[Level, Size]] = {"simple": "small", "moderate": "middle", "complex": "large", "critical": "large"}
"""The size of model that a task of a level is for."""
_LIMITS: Final[tuple[tuple[int, Level], ...]] = ((25, "simple"), (50, "moderate"), (75, "complex"), (101, "critical"))
"""Each level has the scores below its number."""

_TEST = re.compile(
    r"(?:^|/)(?:tests?|__tests__|specs?|testing|testdata|fixtures)/|(?:^|/)(?:test|conftest)[_.][^/]*$"
    r"|(?:[._-](?:tests?|spec)|Tests?|IT)\.\w+$"
)
_PAGE = re.compile(
    r"(?:^|/)(?:docs?|website|site|man)/|\.(?:md|mdx|rst|txt|adoc|1)$"
    r"|(?:^|/)(?:readme|changes|changelog|history|license|authors)[^/]*$",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\.(?:py|[cm]?jsx?|[cm]?tsx?|go|rs|java|kt|scala|c|h|cc|cpp|hpp|cs|rb|php|swift|exs?|vue|svelte|sql|sh)$"
)
_CARE = re.compile(
    r"(?<![a-z])(?:auth\w*|oauth\w*|login|sessions?|passwords?|crypto\w*|encrypt\w*|security|permissions?|payments?"
    r"|billing|checkout|migrations?)(?![a-z])",
    re.IGNORECASE,
)
_UNKNOWN: Final = 26.0
"""Points for the files of a task that names none."""
_IN_FOLDER: Final = 3
"""Files of code that a folder counts as."""
_MOST_CRITERIA: Final = 16
_LONGEST: Final = 80
"""Characters of a name that a reason repeats."""


class _Words(NamedTuple):
    """Words of a title that say how large a change is."""

    pattern: re.Pattern[str]
    points: float
    reason: str


_WORDS: Final = (
    _Words(
        re.compile(
            r"\b(?:typos?|spelling|grammar|whitespace|comments?|wording|links?|badges?|readme|changelog|bump|nit|spurious"
            r"|unused|lint(?:er|ing)?|version|upgrade|update)\b",
            re.IGNORECASE,
        ),
        -12.0,
        "the title is about a small correction or an update",
    ),
    _Words(
        re.compile(r"\b(?:fix\w*|bug|regression|correct\w*|handle[sd]?|avoid|prevent)\b", re.IGNORECASE),
        -7.0,
        "the title is about a fix",
    ),
    _Words(
        re.compile(
            r"\b(?:renam\w+|mov(?:e|ed|es|ing)|split|extract\w*|(?:re)?format\w*|clean\w*|remov\w+|delet\w+|drop\w*)\b",
            re.IGNORECASE,
        ),
        6.0,
        "the title is about moving or removing code",
    ),
)


_UNSAID: float = Task.model_fields["minutes"].default
"""The minutes of a task whose plan says none. By the value: records and requests do not keep whether it was written."""


class Complexity(Record):
    """How complex a task is likely to be."""

    level: Level
    score: int = Field(ge=0, le=100)
    """Below 25 simple, 50 moderate, 75 complex, else critical."""
    reasons: tuple[str, ...]
    """What counted, the heaviest first, each with its points."""
    minutes: float
    """Effort: the plan's own word, where it has one, else a guess by the score that nothing was measured for."""
    size: Size
    """The size of model that it is for."""


class _Part(NamedTuple):
    points: float
    reason: str


def is_test(path: str) -> bool:
    """Return whether a path is that of a test, or of what a test reads."""
    return _TEST.search(path) is not None


def complexity_of(task: Task, dependents: int = 0) -> Complexity:
    """Return how complex a task is; `dependents` is the number of tasks that need it."""
    parts = [part for part in (*_files(task), *_text(task), *_place(task, dependents)) if round(part.points)]
    score = max(0, min(100, round(sum(part.points for part in parts))))
    level = next(level for limit, level in _LIMITS if score < limit)
    heaviest = sorted(parts, key=lambda part: -abs(part.points))
    return Complexity(
        level=level,
        score=score,
        reasons=tuple(f"{part.reason} ({part.points:+.0f})" for part in heaviest),
        minutes=task.minutes if task.minutes != _UNSAID else float(round(2 * 2 ** (score / 16))),
        size=SIZES[level],
    )


def _files(task: Task) -> Iterator[_Part]:
    """Yield the points of the files that the task names, by their kinds."""
    if not task.files_expected:
        yield _Part(_UNKNOWN, "it names no file")
        return
    tests = [path for path in task.files_expected if is_test(path)]
    rest = [path for path in task.files_expected if not is_test(path)]
    pages = [path for path in rest if _PAGE.search(path)]
    folders = sum(path.endswith("/") for path in rest)
    code = sum(_CODE.search(path) is not None for path in rest if path not in pages)
    other = len(rest) - len(pages) - code - folders
    if code or folders:
        named = " and ".join(count(number, noun) for number, noun in ((code, "file"), (folders, "folder")) if number)
        yield _Part(22 * log2(1 + code + _IN_FOLDER * folders) - 6, f"{named} of code")
    if tests:
        yield _Part(10 * log2(1 + len(tests)) + (0 if code or folders else 10), f"{count(len(tests), 'file')} of tests")
    if pages:
        yield _Part(13 * log2(1 + len(pages)), f"{count(len(pages), 'page')} of documentation")
    if other:
        yield _Part(5 * log2(1 + other), f"{count(other, 'other file')}")


def _text(task: Task) -> Iterator[_Part]:
    """Yield the points of what the task says."""
    for words in _WORDS:
        if words.pattern.search(task.title):
            yield _Part(words.points, words.reason)
    criteria = len(task.requirements) + len(task.acceptance)
    if criteria > 2:
        yield _Part(min(_MOST_CRITERIA, 2 * (criteria - 2)), f"{criteria} requirements and criteria")


def _place(task: Task, dependents: int) -> Iterator[_Part]:
    """Yield the points of what would follow from a mistake."""
    changed = [path for path in task.files_expected if not is_test(path) and not _PAGE.search(path)]
    care = next((found[0] for path in changed if (found := _CARE.search(path))), "")
    if not care and not task.files_expected and (found := _CARE.search(task.title)):
        care = found[0]
    if care:
        yield _Part(12, f"it touches {care.lower()[:_LONGEST]}, where a mistake is dear")
    reach = next((path for path in changed if reach_of(fold_path(path), path) is not None), "")
    if reach:
        yield _Part(8, f"{reach[:_LONGEST]} reaches further than the code")
    if dependents > 1:
        yield _Part(3 * log2(dependents), f"{dependents} tasks need it")
    if task.critical:
        yield _Part(8, "the build ends if it fails")
