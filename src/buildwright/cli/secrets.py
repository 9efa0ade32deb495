"""The verbs `secrets scan`, `allow` and `allowed`. Must never print the value of a secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.verbs import app_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildwright.cli.output import Output
    from buildwright.secret_scan import FoundSecret, SecretScanner
    from buildwright.settings import Settings
    from buildwright.workspace.contents import ContentChange
    from buildwright.workspace.git import Git
    from buildwright.workspace.source import Source

secrets = app_of("secrets")

_Json = Annotated[bool, Parameter(help="One JSON object on stdout.")]
_Repo = Annotated[Path, Parameter(help="The repository, or a directory in it.")]


@secrets.command
async def scan(
    path: Annotated[Path, Parameter(help="A file or directory; with --diff and --staged a repository.")] = Path(),
    /,
    *,
    diff: Annotated[str, Parameter(help="Search what the commits of BASE..HEAD add, every one.")] = "",
    staged: Annotated[bool, Parameter(help="Search what is staged for the next commit.")] = False,
    json: _Json = False,
    sarif: Annotated[bool, Parameter(help="SARIF 2.1.0 on stdout.")] = False,
) -> int:
    """Search for secrets; exit with 3 when there are some. Values are never shown."""
    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output
    from buildwright.errors import Refused
    from buildwright.secret_scan import SecretScanner
    from buildwright.settings import Settings
    from buildwright.wiring.allowed import COMPILED_RULES, allowed_secrets

    if diff and staged:
        raise Refused("--diff and --staged are two searches", fix="give one of the two")
    if json and sarif:
        raise Refused("--json and --sarif are two forms of one output", fix="give one of the two")
    output, settings = Output(json or sarif), Settings.load()
    scanner = SecretScanner(settings.home / COMPILED_RULES, output.say)
    result = await _search(scanner, settings, path, diff, staged=staged)
    known = allowed_secrets(settings, result.repository) if result.found else frozenset()
    found = [one for one in result.found if one.fingerprint not in known]
    if sarif:
        _print_sarif(output, found)
    elif json:
        output.data({"ok": not found, "files": result.files, "findings": [_fields(one) for one in found]})
    else:
        _tell(output, found, result, len(result.found) - len(found))
    return Exit.GATE_FAILED if found else Exit.DONE


@secrets.command
async def allow(
    fingerprint: Annotated[str, Parameter(help="The 16 letters and digits at the end of the finding.")],
    /,
    *,
    reason: Annotated[str, Parameter(name=["--reason", "-m"], help="Why it may stay.")],
    repo: _Repo = Path(),
    json: _Json = False,
) -> int:
    """Record that a value may stay in this repository. The record is kept in the home, not in the repository."""
    from datetime import UTC, datetime

    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output
    from buildwright.settings import Settings
    from buildwright.wiring.allowed import allowed_file, repository_name

    output, settings = Output(json), Settings.load()
    repository = repository_name(settings, str(repo.absolute()))
    row = allowed_file(settings).allow(repository, fingerprint, reason, settings.user, datetime.now(UTC))
    if output.json:
        output.data(row.model_dump(mode="json"))
    else:
        output.print(f"{row.fingerprint} is allowed in {repository}")
    return Exit.DONE


@secrets.command
async def allowed(*, repo: _Repo = Path(), json: _Json = False) -> int:
    """List what a person allowed in this repository, with reasons."""
    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output
    from buildwright.settings import Settings
    from buildwright.wiring.allowed import allowed_file, repository_name

    output, settings = Output(json), Settings.load()
    repository = repository_name(settings, str(repo.absolute()))
    rows = allowed_file(settings).all(repository)
    if output.json:
        output.data({"repository": repository, "allowed": [row.model_dump(mode="json") for row in rows]})
        return Exit.DONE
    for row in rows:
        output.print(f"{row.fingerprint}  {row.at:%Y-%m-%d}  {row.by}  {row.reason}")
    if not rows:
        output.say(f"Nothing is allowed in {repository}.")
    return Exit.DONE


class _Result(NamedTuple):
    """What a search found, in which repository ("" for none), in how many files."""

    found: list[FoundSecret]
    repository: str
    files: int


async def _search(scanner: SecretScanner, settings: Settings, path: Path, diff: str, *, staged: bool) -> _Result:
    """Search what the user named. Raises Refused, BadRepository, GitFailed, ToolMissing."""
    from buildwright.errors import BadRepository, Refused
    from buildwright.workspace.contents import between
    from buildwright.workspace.contents import staged as staged_changes
    from buildwright.workspace.git import Git
    from buildwright.workspace.source import locate

    if not path.exists():
        raise Refused(f"there is nothing at {path}", fix="check the path")
    git = Git(settings.home, settings.environment)
    try:
        source = locate(str(path.absolute()), settings.environment)
    except BadRepository:
        if diff or staged:
            raise
        return await _search_folder(scanner, path)
    if staged:
        named = settings.environment.get("GIT_INDEX_FILE", "")
        index = Path(named).absolute() if named else None
        return await _search_change(scanner, git, source, await staged_changes(git, source, index))
    if diff:
        base, dots, head = diff.partition("..")
        if not base or not dots:
            raise Refused(f"{diff!r} is not a range of commits", fix="write it as BASE..HEAD, for example main..HEAD")
        head = head.removeprefix(".")
        return await _search_change(
            scanner, git, source, await between(git, source, base, head), (base, head or "HEAD")
        )
    return await _search_repository(scanner, git, source, path)


async def _search_change(
    scanner: SecretScanner, git: Git, source: Source, change: ContentChange, commits: tuple[str, str] | None = None
) -> _Result:
    """Search the new blobs of a change; what its old blobs hold already is not found."""
    import asyncio
    from dataclasses import replace

    from buildwright.secret_scan import added
    from buildwright.workspace.contents import commit_with, read_blobs

    before: list[FoundSecret] = []
    after: dict[FoundSecret, str] = {}
    async for file in read_blobs(git, source, change.new):
        for one in await asyncio.to_thread(scanner.scan, file.path, file.content):
            after.setdefault(one, file.blob)
    if after:
        async for file in read_blobs(git, source, change.old):
            before += await asyncio.to_thread(scanner.scan, file.path, file.content)
    found = list(added(before, after))
    if commits:
        found = [replace(one, commit=await commit_with(git, source, after[one], *commits)) for one in found]
    return _Result(found, source.location, len(change.new))


async def _search_repository(scanner: SecretScanner, git: Git, source: Source, path: Path) -> _Result:
    """Search the files below a path that git tracks or would add."""
    import asyncio

    from buildwright.workspace.contents import files_of

    assert source.work_tree is not None
    top, below = source.work_tree.resolve(), path.absolute().resolve()
    paths = [name for name in await files_of(git, source) if (top / name).is_relative_to(below)]
    if path.is_file() and not paths:
        return (await _search_folder(scanner, path))._replace(repository=source.location)
    return _Result(await asyncio.to_thread(_search_files, scanner, top, paths), source.location, len(paths))


async def _search_folder(scanner: SecretScanner, path: Path) -> _Result:
    """Search a file, or every file below a directory."""
    import asyncio

    if path.is_file():
        root, paths = path.absolute().parent, [path.name]
    else:
        root = path.absolute()
        paths = await asyncio.to_thread(_walk, root)
    return _Result(await asyncio.to_thread(_search_files, scanner, root, paths), "", len(paths))


def _walk(root: Path) -> list[str]:
    """Return the paths of all files below a directory, without those of git itself."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name != ".git")
        found += [os.path.relpath(os.path.join(folder, name), root) for name in sorted(files)]  # noqa: PTH118
    return found


def _search_files(scanner: SecretScanner, root: Path, paths: Sequence[str]) -> list[FoundSecret]:
    from buildwright.secret_scan import LARGEST, too_large
    from buildwright.workspace.contents import read_files

    found: list[FoundSecret] = []
    for path, content in read_files(root, paths, LARGEST):
        found += [too_large(path)] if content is None else scanner.scan(path, content)
    return found


def _fields(one: FoundSecret) -> dict[str, Any]:
    """Return a finding as `--json` prints it."""
    return {
        "code": f"secrets.{one.kind}",
        "file": one.path,
        "line": one.line or None,
        "commit": one.commit or None,
        "masked": one.masked,
        "fingerprint": one.fingerprint,
    }


def _print_sarif(output: Output, found: list[FoundSecret]) -> None:
    import json
    from importlib.metadata import version

    from buildwright.secret_scan.found import sarif

    output.raw(json.dumps(sarif(found, version("buildwright")), ensure_ascii=False) + "\n")


def _tell(output: Output, found: list[FoundSecret], result: _Result, allowed: int) -> None:
    """Print a line for each secret, and what can be done."""
    from buildwright.core.figures import count

    for one in found:
        output.print(f"{one}, in commit {one.commit[:12]}" if one.commit else str(one))
    also = f"; {allowed} allowed" if allowed else ""
    number = count(len(found), "secret") if found else "No secrets"
    output.say(f"{number} in {count(result.files, 'file')}{also}.")
    if found:
        output.say("Take each out, and read it from the environment; revoke what was pushed already.")
        output.say(typed(f"One that is none: buildwright secrets allow {found[0].fingerprint} -m REASON"))
