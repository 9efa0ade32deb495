"""`python -m bench.complexity`: how often the complexity of a task is what its change came to, on real commits.

`commits.tsv` holds facts of commits of public repositories: their subject, the files that they touch, the lines that
they add and remove. Nothing of the code is in it. `python -m bench.complexity --collect OWNER/NAME=MIRROR ...` makes it
anew from bare mirrors. The label of a commit follows from these facts by `label`, a rule that was written before
anything was measured; what is judged sees the subject and the names of the files alone. Commits of the repositories in
`TUNED` are those that the weights were chosen on, all others are held apart.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from buildwright.core.complexity import Level, complexity_of, is_test
from buildwright.core.task import Task

FACTS = Path(__file__).with_name("commits.tsv")
EACH = 45
"""Commits of each repository: those whose hash with its name is smallest, which nobody chooses."""
MOST_FILES = 60
"""A commit that touches more is a sweep (a license header, a new formatter), and no task that a plan would have."""
TUNED = frozenset({"pallets/click", "expressjs/express", "gin-gonic/gin", "jhy/jsoup", "sharkdp/fd"})
LEVELS: tuple[Level, ...] = get_args(Level)
STEPS: tuple[tuple[int, Level], ...] = ((20, "simple"), (80, "moderate"), (320, "complex"))
FURTHER_FILE = 5
TEST_FILE = 10

_BOT = re.compile(r"\[bot\]|dependabot|renovate|pre-commit-ci", re.IGNORECASE)
_NOT_A_TASK = re.compile(
    r"^(?:bump |build\(deps|chore\(deps|\[pre-commit|\[maven|release\b|prepare (?:for|release)|merge |revert |v?\d+\.\d)"
    r"|snyk|greenkeeper",
    re.IGNORECASE,
)
_GENERATED = re.compile(r"(?:^|/)(?:[^/]*lock[^/]*|go\.sum|dist/.*|[^/]*\.min\.[^/]*|[^/]*\.snap|vendor/.*)$")
_PERSON = re.compile(r"\S+@\S+|@[\w-]+|\(?(?:thanks|thx|by|via)\b.*$", re.IGNORECASE)


class Commit(NamedTuple):
    """Facts of one commit. `lines` are those added and removed, without generated files."""

    repository: str
    id: str
    added: int
    removed: int
    files: tuple[str, ...]
    subject: str

    @property
    def lines(self) -> int:
        return self.added + self.removed

    @property
    def is_tuned_on(self) -> bool:
        return self.repository in TUNED

    def task(self, *, with_files: bool = True) -> Task:
        """What is known before: the subject as the title, and the files as those that a plan names."""
        return Task(id="c", title=self.subject, files_expected=self.files if with_files else ())


def label(commit: Commit) -> Level:
    """The rule: lines, 5 for each further file, 10 for each file of tests; up to 20 simple, 80 moderate, 320 complex."""
    tests = sum(map(is_test, commit.files))
    points = commit.lines + FURTHER_FILE * (len(commit.files) - 1) + TEST_FILE * tests
    return next((level for most, level in STEPS if points <= most), "critical")


def commits(path: Path = FACTS) -> list[Commit]:
    """The commits of the data file. Raises ValueError for a line that is none."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        repository, identity, added, removed, files, subject = line.split("\t")
        found.append(Commit(repository, identity, int(added), int(removed), tuple(files.split(" ")), subject))
    return found


# --- Making the data file ------------------------------------------------------------------------------------------


def collect(repository: str, mirror: Path) -> list[Commit]:
    """The facts of `EACH` commits of a mirror."""
    command = [
        "git",
        "-C",
        str(mirror),
        "log",
        "--no-merges",
        "--no-renames",
        "--numstat",
        "--format=%x00%H%x09%an%x09%s",
    ]
    told = subprocess.run(command, check=True, capture_output=True).stdout.decode("utf-8", "replace")
    found = [commit for part in told.split("\0")[1:] if (commit := _read(repository, part)) is not None]
    found.sort(key=lambda commit: hashlib.sha256(f"{repository} {commit.id}".encode()).digest())
    return found[:EACH]


def _read(repository: str, part: str) -> Commit | None:
    head, *rest = part.strip().splitlines()
    identity, author, subject = head.split("\t", 2)
    subject = " ".join(_PERSON.sub("", subject).split())[:100].strip()
    if _BOT.search(author) or _NOT_A_TASK.search(subject) or not subject:
        return None
    added = removed = 0
    files = []
    for line in filter(None, rest):
        more, less, path = line.split("\t", 2)
        files.append(path)
        if more != "-" and not _GENERATED.search(path):
            added, removed = added + int(more), removed + int(less)
    plain = all(re.fullmatch(r"[\w./@+,()\[\]-]+", path) for path in files)
    if not files or not plain or len(files) > MOST_FILES or not added + removed:
        return None
    return Commit(repository, identity, added, removed, tuple(files), subject)


def _write(pairs: Sequence[str]) -> None:
    lines = []
    for pair in pairs:
        repository, _, mirror = pair.partition("=")
        for commit in collect(repository, Path(mirror)):
            facts = (commit.repository, commit.id, str(commit.added), str(commit.removed))
            lines.append("\t".join((*facts, " ".join(commit.files), commit.subject)))
    FACTS.write_text("\n".join(sorted(lines)) + "\n", "utf-8")
    print(f"{len(lines)} commits of {len(pairs)} repositories in {FACTS.name}")


# --- Measuring -----------------------------------------------------------------------------------------------------

Judge = Callable[[Commit], Level]


def by_length(known: Sequence[Commit]) -> Judge:
    """The judge that looks at the length of the subject alone: the three limits that do best on the known commits."""
    lengths = range(10, 101, 5)
    limits = [(a, b, c) for a in lengths for b in lengths for c in lengths if a <= b <= c]
    counted = Counter((len(commit.subject), label(commit)) for commit in known)

    def hits(limit: tuple[int, int, int]) -> int:
        return sum(number for (size, level), number in counted.items() if _level_of(size, limit) == level)

    best = max(limits, key=hits)
    return lambda commit: _level_of(len(commit.subject), best)


def _level_of(size: int, limits: Sequence[int]) -> Level:
    return LEVELS[sum(size > limit for limit in limits)]


def judges(known: Sequence[Commit]) -> dict[str, Judge]:
    """All that is compared, by name. The baselines learn from the known commits alone."""
    most = Counter(map(label, known)).most_common(1)[0][0]
    return {
        "complexity": lambda commit: complexity_of(commit.task()).level,
        "complexity, without files": lambda commit: complexity_of(commit.task(with_files=False)).level,
        f"always {most}": lambda _: most,
        "length of the subject": by_length(known),
    }


class Score(NamedTuple):
    """How a judge did: shares of commits, and the mean of how many levels it was off."""

    right: float
    near: float
    off: float


def score(judge: Judge, found: Sequence[Commit]) -> Score:
    """How often the judge is right, right or one level off, and how far off it is in the mean."""
    away = [abs(LEVELS.index(judge(commit)) - LEVELS.index(label(commit))) for commit in found]
    return Score(away.count(0) / len(away), sum(one <= 1 for one in away) / len(away), sum(away) / len(away))


def report(found: Sequence[Commit]) -> Iterator[str]:
    """Yield the lines of what was measured, as Markdown: a table of how often, two of what was taken for what."""
    halves = {
        "tuned on": [commit for commit in found if commit.is_tuned_on],
        "held apart": [commit for commit in found if not commit.is_tuned_on],
    }
    compared = judges(halves["tuned on"])
    yield "| commits | judged by | right | at most one level off | levels off, mean |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for half, part in halves.items():
        for name, judge in compared.items():
            one = score(judge, part)
            yield f"| {half}, {len(part)} | {name} | {one.right:.1%} | {one.near:.1%} | {one.off:.2f} |"
    for half, part in halves.items():
        table = Counter((label(commit), compared["complexity"](commit)) for commit in part)
        yield ""
        yield f"| {half}: it was, and was judged | {' | '.join(LEVELS)} |"
        yield f"| --- |{' ---: |' * len(LEVELS)}"
        for real in LEVELS:
            yield f"| {real} | {' | '.join(str(table[real, judged]) for judged in LEVELS)} |"


_SAID = """\
450 commits of ten repositories, 45 of each, chosen by a hash. `python -m bench.complexity` repeats it, without a
network and the same on every machine. What a commit came to follows from facts by a rule that was written first: its
lines, 5 for each further file, 10 for each file of tests; up to 20 simple, 80 moderate, 320 complex, more is critical.
It is judged by its subject and the names of its files. The weights were chosen on five of the repositories.

The files of a commit are known because it was made; the plan of a task may name others, or none, and without them the
level is right less often than the constant one, if also less far off. Files count in the rule too, so a part of what is
right is right by construction. A subject is no task: nothing here says how well criteria, dependents or parts that need
care are weighed, how long a task takes, or which model would have made it.
"""


def section() -> list[str]:
    """The lines of the page of benchmarks."""
    return [
        "## Complexity of a task: what is thought before, and what the change came to",
        "",
        *_SAID.splitlines(),
        "",
        *report(commits()),
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.complexity", description=__doc__)
    parser.add_argument("--collect", nargs="+", metavar="OWNER/NAME=MIRROR", default=[])
    given = parser.parse_args()
    if given.collect:
        _write(given.collect)
        return
    print("\n".join(report(commits())))


if __name__ == "__main__":
    main()
