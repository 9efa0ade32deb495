"""Lessons of earlier attempts: what they are, whom they are given to, whether they help. Pure; must never store one.

A lesson's words come from tools, models, agents or a repository. They are one line without anything that a terminal, a
chat template or a reader of Markdown or XML would obey, and a prompt quotes them as data.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from buildwright.core.finding import Finding, unvarying
from buildwright.core.paths import is_covered, overlap
from buildwright.core.record import Record, UtcTime
from buildwright.core.sanitize import ForeignText, Identifier, Mask
from buildwright.core.terminal import clean, lines_of
from buildwright.errors import BadSpec

LESSONS_FILE: Final = "buildwright-lessons.json"
"""Where a project keeps lessons: at the top of its repository, in the form that `lessons export` writes."""
LEAST_CONFIDENCE: Final = 0.6
"""A lesson below it is kept and not given."""
MENDED: Final = 0.6
"""Confidence in a lesson made of what one mended failure was refused for."""
NOTICED: Final = 0.4
"""Confidence in a warning that an accepted change had: one alone is not given."""
MOST_OF_MODEL: Final = 0.8
MOST_CONFIDENCE: Final = 0.95
LONGEST: Final = 400
"""Characters of a lesson's content."""
LONGEST_PATTERN: Final = 200
MOST_STARS: Final = 8
PROMPT_BYTES: Final = 2_400
"""Bytes of the lessons in one prompt, about 600 tokens."""
MOST_IN_FILE: Final = 500
"""Lessons that are read of one file."""
HELD_OUT_OF: Final = 4
"""Of this number of tasks one does without a lesson that fits it, so that its effect is known."""
LEAST_GIVEN: Final = 10
LEAST_HELD_OUT: Final = 4
LAST_TRIAL: Final = 40
"""Tasks after which a lesson that has not been shown to save attempts retires."""
WORTH: Final = 0.1
"""Attempts per task: one that saves less with near certainty is not worth its place in a prompt."""
_MENDED_BY: Final = " Fixed by: "
_SAID: Final = 200
"""Characters of a finding in a lesson."""
_QUOTED: Final = 70
"""Characters of a line before and after a change in a lesson, and of a fix."""
_Z: Final = 1.645
"""Half the width of a 90 % interval, in standard errors."""

LessonKind = Literal["gotcha", "discovery"]
LessonState = Literal["active", "retired"]
LessonSource = Literal["build", "file", "import"]


class GivenLesson(Record):
    """A lesson as an attempt was given it."""

    id: Identifier
    pattern: ForeignText
    content: ForeignText


class LessonEntry(Record):
    """A lesson as it stands in a file."""

    pattern: str = Field(min_length=1, max_length=LONGEST_PATTERN, description="Path, folder or glob of files.")
    content: str = Field(min_length=1, max_length=4_000, description="What to know; cut to one line.")
    kind: LessonKind = "gotcha"
    confidence: float = Field(0.5, ge=0, le=1, description="How sure it is; from 0.6 on agents are given it.")
    state: LessonState = "active"
    why: str = Field("", max_length=1_000, description="Why it is retired.")
    repository: str = Field(
        "", max_length=4_000, description="Only for builds of this path or URL; of all if left out."
    )


class Lesson(Record):
    """A lesson that a user's builds have, and where it came from. `id` names the pattern, content and repository."""

    id: str
    repository: str
    """The path or URL of the builds that it is for; "" for all."""
    pattern: str
    kind: LessonKind
    content: str
    confidence: float = Field(ge=0, le=1)
    source: LessonSource
    build: str = ""
    task: str = ""
    attempt: int = 0
    seen: int = 1
    """How often it was learned."""
    state: LessonState = "active"
    why: str = ""
    """Why it is retired, or how it was found."""
    created_at: UtcTime
    updated_at: UtcTime

    @property
    def as_given(self) -> GivenLesson:
        """The lesson as a prompt has it."""
        return GivenLesson(id=self.id, pattern=self.pattern, content=self.content)

    @property
    def entry(self) -> LessonEntry:
        """The lesson as it stands in a file: what others can judge for themselves, without counts."""
        return LessonEntry.model_validate({name: getattr(self, name) for name in LessonEntry.model_fields})


class LessonDraft(Record):
    """A lesson before it is kept: of a rule, or in the words of an advisor."""

    pattern: ForeignText = Field(min_length=1, max_length=LONGEST_PATTERN)
    content: ForeignText = Field(min_length=1, max_length=2_000)
    kind: LessonKind = "gotcha"
    confidence: float = Field(ge=0, le=1)


# --- Words -----------------------------------------------------------------------------------------------------------

_OBEYED = re.compile(r"<(?=[|/!?])|(?<=[|/?])>")
"""Where tags are closed and chat templates begin and end a turn."""
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def tidy(text: str, mask: Mask) -> str:
    """Return the text as one plain line of at most `LONGEST` characters, without secrets; "" when nothing is left."""
    shown = (one for one in clean(text, mask) if one.isspace() or not _is_hidden(one))
    line = mask(" ".join("".join(shown).split()))  # once more: a sign that is not seen may have split a secret
    line = _OBEYED.sub(lambda found: f"{found[0]} " if found[0] == "<" else f" {found[0]}", line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 4].rstrip()} ..."


def _is_hidden(letter: str) -> bool:
    return unicodedata.category(letter) in _HIDDEN or "\ufe00" <= letter <= "\ufe0f" or letter >= "\U000e0000"


def pattern_of(text: str) -> str:
    """Return a pattern of paths as it is kept, "" when it is none: absolute, above the top, too long, with odd signs."""
    pattern = text.strip().removeprefix("./")
    parts = pattern.rstrip("/").split("/")
    bad = any(part in {"", ".", ".."} for part in parts) or any(_is_hidden(one) or one in '`"<>|\\' for one in pattern)
    if bad or len(pattern) > LONGEST_PATTERN or pattern.count("*") > MOST_STARS or re.match(r"[A-Za-z]:", pattern):
        return ""
    return " ".join(pattern.split())


def id_of(repository: str, pattern: str, content: str) -> str:
    """Return the name of a lesson, 12 hexadecimal digits: equal for the same words, whatever their case and numbers."""
    refused = content.partition(_MENDED_BY)[0]  # what mended it may be another line each time
    said = (repository, pattern, unvarying(refused).casefold().rstrip(".! "))
    return hashlib.sha256("\0".join(said).encode("utf-8", "replace")).hexdigest()[:12]


def again(confidence: float) -> float:
    """Return the confidence in a lesson that is learned once more."""
    return max(confidence, round(min(MOST_CONFIDENCE, confidence + (1 - confidence) / 4), 4))


# --- Files -----------------------------------------------------------------------------------------------------------

_FILE: TypeAdapter[list[LessonEntry]] = TypeAdapter(list[LessonEntry])


def parse_lessons(text: str) -> list[LessonEntry]:
    """Return the lessons of a file: JSON of an object with the list `lessons`. Raises BadSpec, which says where."""
    fix = 'write {"lessons": [{"pattern": "src/*.py", "content": "...", "confidence": 0.8}]}'
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadSpec(f"the lessons are not JSON: {error}", fix=fix) from error
    if not isinstance(raw, dict) or not isinstance(raw.get("lessons"), list):
        raise BadSpec("the file has no list `lessons`", fix=fix)
    if len(raw["lessons"]) > MOST_IN_FILE:
        raise BadSpec(f"the file has more than {MOST_IN_FILE} lessons", fix="split it")
    try:
        entries = _FILE.validate_python(raw["lessons"])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadSpec(f"lessons.{where}: {first['msg']}", fix=fix) from error
    for place, entry in enumerate(entries):
        if not pattern_of(entry.pattern):
            fix = "write a path, folder or glob below the top of the repository, such as src/*.py"
            raise BadSpec(f"lessons.{place}.pattern is not a pattern of paths: {entry.pattern!a}", fix=fix)
    return entries


# --- Learning --------------------------------------------------------------------------------------------------------


class MendedRefusal(NamedTuple):
    """Why one attempt at a task was refused."""

    attempt: int
    findings: Sequence[Finding]


class Mending(NamedTuple):
    """What a change that was accepted did to one that was refused: its files, and a first line before and after."""

    files: Sequence[str] = ()
    before: str = ""
    after: str = ""


def mending(diff: str, touched: Collection[str]) -> Mending:
    """Return what a unified diff, from the refused tree to the accepted one, says of the files of the accepted change."""
    files: dict[str, None] = {}
    path = before = after = ""
    for line in diff.splitlines():
        if line.startswith(("--- a/", "+++ b/")):
            path = line[6:]
            if path in touched:
                files[path] = None
        elif path in files and line.startswith("-") and not (before or after):
            before = line[1:].strip()
        elif path in files and line.startswith("+") and not after:
            after = line[1:].strip()
    return Mending(tuple(files), before[:_QUOTED], after[:_QUOTED])


def learned(refusals: Sequence[MendedRefusal], mended: Mending, touched: Sequence[str]) -> LessonDraft | None:
    """Return the lesson of a mended failure: the error that came back most often, and what ended it.

    `touched` are all files of the accepted change. None when no refusal has an error.
    """
    errors = [
        (_key(finding), refusal.attempt, -place, finding)
        for refusal in refusals
        for place, finding in enumerate(refusal.findings)
        if finding.severity == "error"
    ]
    if not errors:
        return None
    times = Counter(key for key, *_ in errors)
    finding = max(errors, key=lambda one: (times[one[0]], one[1], one[2]))[3]
    named = [finding.file] if finding.file and finding.file in touched else [*mended.files, *touched]
    pattern = _around(named[0] if named else finding.file or "")
    fix = f" To fix: {finding.fix[:_QUOTED]}" if finding.fix else ""
    ended = f"{_MENDED_BY}`{mended.before}` became `{mended.after}`." if mended.before and mended.after else ""
    content = f"A change was refused: {_said(finding, touched)} [{finding.code}].{fix}{ended}"
    return LessonDraft(pattern=pattern, content=content[:2_000], confidence=MENDED)


def noticed(warnings: Sequence[Finding], touched: Sequence[str]) -> LessonDraft | None:
    """Return the lesson of an accepted change: the first warning about one of its files. None without any."""
    about = (one for one in warnings if one.file and is_covered(one.file, touched))
    finding = next(about, None)
    if finding is None or finding.file is None:
        return None
    content = f"A change was accepted with a warning: {_said(finding, touched)} [{finding.code}]."
    return LessonDraft(pattern=_around(finding.file), content=content[:2_000], kind="discovery", confidence=NOTICED)


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.file or "", unvarying(finding.message)


def _said(finding: Finding, touched: Collection[str]) -> str:
    """Return the first and last line of a finding, with patterns for the files: another file may be refused for it."""
    lines = lines_of(finding.message)
    said = unvarying(" / ".join(dict.fromkeys((*lines[:1], *lines[-1:]))))
    for path in sorted(touched, key=len, reverse=True):
        said = said.replace(path, _around(path))
    return said[:_SAID]


def _around(path: str) -> str:
    """Return the pattern of the files like this one: of its folder and kind."""
    folder, _, name = path.rpartition("/")
    _, dot, ending = name.rpartition(".")
    pattern = pattern_of(f"{folder}/*.{ending}".lstrip("/") if dot and ending else path)
    return pattern or "*"


# --- Giving ----------------------------------------------------------------------------------------------------------


class ChosenLessons(NamedTuple):
    """The lessons for one task: those that it is given, and the ids of those that it does without to try them."""

    given: tuple[GivenLesson, ...] = ()
    held_out: tuple[str, ...] = ()


def choose(lessons: Iterable[Lesson], files: Collection[str], build_id: str, task: str) -> ChosenLessons:
    """Return the lessons for a task that is about these files (none: about any), the surest first, within the room."""
    fit = [one for one in lessons if _fits(one, files)]
    fit.sort(key=lambda one: (-one.confidence, -len(one.pattern), one.id))
    given: list[GivenLesson] = []
    held: list[str] = []
    room = PROMPT_BYTES
    for lesson in fit:
        room -= len(lesson_line(lesson.as_given).encode("utf-8", "replace")) + 1
        if room < 0:
            break
        if is_held_out(build_id, task, lesson.id):
            held.append(lesson.id)
        else:
            given.append(lesson.as_given)
    return ChosenLessons(tuple(given), tuple(held))


def is_held_out(build_id: str, task: str, lesson: str) -> bool:
    """Return whether a task does without a lesson: a fourth of all, by the SHA-256 of `build/task/lesson`."""
    digest = hashlib.sha256(f"{build_id}/{task}/{lesson}".encode()).digest()
    return int.from_bytes(digest[:4]) % HELD_OUT_OF == 0


def lesson_line(lesson: GivenLesson) -> str:
    """Return a lesson as a prompt has it: one line."""
    return f"- ({lesson.pattern}) {lesson.content}"


def _fits(lesson: Lesson, files: Collection[str]) -> bool:
    if lesson.state != "active" or lesson.confidence < LEAST_CONFIDENCE:
        return False
    # A folder or glob that a task names holds files that the pattern may be about.
    return not files or any(
        is_covered(file, (lesson.pattern,)) or (_is_region(file) and overlap(file, lesson.pattern)) for file in files
    )


def _is_region(path: str) -> bool:
    return path.endswith("/") or "*" in path or "?" in path


# --- Trying ----------------------------------------------------------------------------------------------------------


class TrialOutcome(NamedTuple):
    """How a task ended: its attempts, whether it failed, and what its requests to models cost in USD."""

    attempts: int
    failed: bool
    cost_usd: Decimal

    @property
    def score(self) -> int:
        """Attempts, one more for a failed task: it would have needed at least that."""
        return self.attempts + self.failed


class Arm(Record):
    """Sums over the tasks that ended with a lesson, or without it."""

    tasks: int = 0
    attempts: int = 0
    """One more for each failed task."""
    squares: int = 0
    """Of the attempts of each task."""
    failed: int = 0
    cost_usd: Decimal = Decimal(0)

    @property
    def mean(self) -> float:
        """Attempts per task."""
        return self.attempts / self.tasks if self.tasks else 0.0

    @property
    def variance(self) -> float:
        """Variance of the attempts of a task."""
        return max(0.0, (self.squares - self.attempts**2 / self.tasks) / (self.tasks - 1)) if self.tasks > 1 else 0.0


class Effect(Record):
    """What is known of a lesson's effect."""

    given: Arm = Arm()
    held_out: Arm = Arm()

    @property
    def saved(self) -> tuple[float, float, float] | None:
        """Attempts per task that it saves: the estimate and a 90 % interval; None while one of both is not known."""
        with_it, without = self.given, self.held_out
        if min(with_it.tasks, without.tasks) < 2:
            return None
        middle = without.mean - with_it.mean
        error = _Z * math.sqrt(with_it.variance / with_it.tasks + without.variance / without.tasks)
        return middle, middle - error, middle + error

    @property
    def saved_usd(self) -> Decimal | None:
        """USD per task that it saves."""
        if not (self.given.tasks and self.held_out.tasks):
            return None
        return self.held_out.cost_usd / self.held_out.tasks - self.given.cost_usd / self.given.tasks

    @property
    def why_retire(self) -> str:
        """Why the lesson retires; "" while it does not.

        After ten tasks with it and four without: when it saves, at the upper end of the interval, less than a tenth of
        an attempt. After forty tasks: when the lower end is not above nothing.
        """
        given, held = self.given.tasks, self.held_out.tasks
        if self.saved is None or given < LEAST_GIVEN or held < LEAST_HELD_OUT:
            return ""
        middle, low, high = self.saved
        told = (
            f"{given} tasks with it took {self.given.mean:.2f} attempts each and {held} without it"
            f" {self.held_out.mean:.2f}: it saves {middle:.2f} (90 % interval {low:.2f} to {high:.2f})"
        )
        if high < WORTH:
            return f"{told}, less than {WORTH}"
        return f"{told}, which after {LAST_TRIAL} tasks is not shown" if given + held >= LAST_TRIAL and low <= 0 else ""
