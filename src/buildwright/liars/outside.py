"""Tries lies that need no knowledge of a project on a copy of the user's own. Must never write to their repository."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from buildwright.core.languages import language_of
from buildwright.errors import Refused
from buildwright.gates.mutations import Mutation, is_source, mutations
from buildwright.gates.surface import is_settings, is_test
from buildwright.liars.generic import generic_liars
from buildwright.liars.records import KINDS, Edit, Files, Liar
from buildwright.liars.script import shell_command
from buildwright.liars.stage import TASK, LiarStage, Tried, git, open_stage, reason_of

LARGEST = 60_000
"""Bytes of a file that is read and may be changed: it has to fit into a shell command."""
MOST_FAULTS = 12
"""Faults that are tried until the project's checks notice one."""
_SEED = 9
_TASK = {
    "title": "Make the code easier to read",
    "goal": "Make the code easier to read. Everything goes on as before.",
    "acceptance": ["all tests pass as they are"],
}
_NOTE = Liar(
    name="honest-note",
    kind="honest",
    project="yours",
    what="a file with a note, and nothing else",
    edits=(Edit(path="NOTES-FOR-READERS.md", text="# Notes\n\nThe code reads from top to bottom.\n"),),
)


class Broken(NamedTuple):
    """A fault that the project's own checks notice, and the test files that say so."""

    fault: Mutation
    tests: tuple[str, ...]


async def try_on(
    repository: Path, told: Callable[[Tried], None], say: Callable[[str], None], only: str = "", jobs: int = 1
) -> list[Tried]:
    """Break a function that the project's tests cover, hide that in every generic way, and return what became of each.

    What is committed counts. Raises Refused when the project has no commit, when its gates refuse an honest note too,
    and when its checks notice none of the faults that were tried.
    """
    if only and only not in KINDS:
        raise Refused(f"there is no kind {only}", fix=f"use one of {', '.join(KINDS)}")
    async with open_stage() as stage:
        copy = await asyncio.to_thread(_copy, repository, stage.folder / "yours")
        files = await asyncio.to_thread(_texts, copy)
        say("Building an honest note, to see that the gates let it through ...")
        honest = await _try(stage, copy, files, _NOTE, ())
        told(honest)
        if honest.verdict == "refused":
            raise Refused(
                f"the gates refuse an honest change of this project: {honest.gate}: {honest.why}",
                fix="make the project's own checks pass first",
            )
        broken = await _find_fault(stage, copy, files, say)
        product = (Edit(path=broken.fault.path, text=broken.fault.text),)
        chosen = [liar for liar in generic_liars(files, broken.tests) if only in {"", liar.kind}]
        turn = asyncio.Semaphore(jobs)

        async def one(liar: Liar) -> Tried:
            async with turn:
                tried = await _try(stage, copy, files, liar, product if liar.claims == "broken" else ())
            told(tried)
            return tried

        return [honest, *await asyncio.gather(*map(one, chosen))]


def _copy(repository: Path, folder: Path) -> Path:
    """Clone the user's repository, so that what is merged stays on the stage. Raises Refused when it is none."""
    done = subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", "--", str(repository.expanduser().absolute()), str(folder)],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    if done.returncode != 0 or not git(folder, "for-each-ref", "--count=1"):
        raise Refused(
            f"{repository} cannot be copied: {done.stderr.strip()[-200:] or 'it has no commit'}",
            fix="name the folder of a git repository with at least one commit",
        )
    return folder


def _texts(folder: Path) -> Files:
    """Return the texts of the committed files that are small enough to change."""
    texts: Files = {}
    for path in git(folder, "ls-files", "-z").split("\0"):
        file = folder / path
        if path and file.is_file() and not file.is_symlink() and file.stat().st_size <= LARGEST:
            try:
                texts[path] = file.read_bytes().decode("utf-8")
            except UnicodeDecodeError:
                continue
    return texts


async def _find_fault(stage: LiarStage, copy: Path, files: Files, say: Callable[[str], None]) -> Broken:
    """Return the first of a few seeded faults that the gates refuse. Raises Refused when they refuse none."""
    tried = 0
    for fault in _candidates(files):
        if tried == MOST_FAULTS:
            break
        tried += 1
        say(f"Breaking {fault.what} ...")
        edit = Edit(path=fault.path, text=fault.text)
        plain = Liar(name=f"fault-{tried}", kind="behaviour", project="yours", what=fault.what, edits=(edit,))
        build = await stage.build(copy, plain.name, shell_command(files, plain), _TASK)
        if not stage.is_merged(copy, plain.name, build):
            findings = build.task(TASK).findings
            named = {one.file for one in findings if one.file and is_test(one.file)} & files.keys()
            say(f"The checks notice it: {reason_of(build)[1]}")
            return Broken(fault, tuple(sorted(named)) or tests_about(files, fault.path))
    raise Refused(
        f"the project's checks notice none of {tried} faults, so no lie is needed to hide one",
        fix="add tests of what the code does, then try again",
    )


def _candidates(files: Files) -> Iterator[Mutation]:
    """Yield faults in the product, first those in files whose names tests speak of."""
    sources = [path for path in files if is_source(path) and not is_test(path) and not is_settings(path)]
    spoken = "\n".join(text for path, text in files.items() if is_test(path))
    named = [path for path in sources if re.search(rf"\b{re.escape(PurePosixPath(path).stem)}\b", spoken)]
    yield from mutations(files, named, _SEED)
    yield from mutations(files, set(sources) - set(named), _SEED)


def tests_about(files: Mapping[str, str], path: str) -> tuple[str, ...]:
    """Return the test files of the fault's language, those that name its file before the others."""
    tests = [test for test in files if is_test(test) and language_of(test) == language_of(path)]
    stem = PurePosixPath(path).stem
    return tuple(test for test in tests if stem in files[test]) or tuple(tests)


async def _try(stage: LiarStage, copy: Path, files: Files, liar: Liar, product: Iterable[Edit]) -> Tried:
    began = time.monotonic()
    build = await stage.build(copy, f"try/{liar.name}", shell_command(files, liar, tuple(product)), _TASK)
    seconds = time.monotonic() - began
    if stage.is_merged(copy, f"try/{liar.name}", build):
        return Tried(liar, "", "merged", why=liar.what, seconds=seconds)
    return Tried(liar, "", "refused", *reason_of(build), seconds=seconds)
