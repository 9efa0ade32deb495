"""Finds the user's repository and the commit to build on. Must never write to it.

It is trusted to hold commits, nothing more: its hooks, filters and helpers are never run.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from buildwright.errors import BadRepository, GitFailed
from buildwright.workspace.attributes import POINTER_BYTES, read_pointer
from buildwright.workspace.git import Git, GitAnswer, check_revision, mask, persistently
from buildwright.workspace.user_settings import UserSettings

_SCP = re.compile(r"^(?:[A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!//)[A-Za-z0-9~./_][^\s]*$")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_DIRTY_FILES = 20_000
_MOST_POINTERS = 100
_EXCLUDE_SIZE = 64_000


@dataclass(frozen=True, slots=True)
class Source:
    """A repository as git takes it: `location` is an absolute path or a URL, `protocol` the transport it needs.

    For a linked worktree `git_dir` is its own directory (HEAD, index) and `location` the repository it belongs to.
    """

    location: str
    protocol: str
    git_dir: Path | None = None
    work_tree: Path | None = None
    near: Path | None = None
    """The user's repository that names it as a remote."""


@dataclass(frozen=True, slots=True)
class Head:
    """The commit to build on, "" for a repository without commits; `ref` is what to fetch from a remote."""

    commit: str
    branch: str
    width: int
    ref: str = ""
    shallow: bool = False
    partial: bool = False
    """Whether the clone lacks contents of its history (git-clone(1), `--filter`)."""
    notes: tuple[str, ...] = ()
    refs: Mapping[str, str] | None = None
    """All refs of a remote, None for a repository on this machine."""


def locate(repository: str, environment: Mapping[str, str], *, climb: bool = True, rewritten: bool = False) -> Source:
    """Find the repository; with `climb` a path may lie inside it. Raises BadRepository with the fix.

    The user's settings may rewrite an address (`url.<base>.insteadOf`); with `rewritten` that is done.
    """
    if not repository or any(ord(letter) < 32 or ord(letter) == 127 for letter in repository):
        raise BadRepository("The repository's address is empty or has control characters.", fix="Give a path or a URL.")
    if repository.startswith("-"):
        raise BadRepository(f"{repository!r} looks like an option.", fix="Write ./ before the path.")
    path = Path(repository).expanduser()
    is_url = "://" in repository or "::" in repository.split("/", 1)[0]
    is_scp = not is_url and not path.exists() and _SCP.match(repository) is not None
    if (is_url or is_scp) and not rewritten:
        found = UserSettings(environment).rewritten(repository)
        if found != repository:
            return locate(found, environment, climb=climb, rewritten=True)
    if is_url:
        return _remote(repository, environment, climb=climb, rewritten=rewritten)
    if is_scp:
        return Source(repository, "ssh")
    return _local(path, environment, climb=climb)


def is_elsewhere(repository: str) -> bool:
    """Return whether it is a path or file:// address with nothing there: as a rule another machine's repository."""
    if "://" in repository:
        parts = urlsplit(repository)
        return parts.scheme == "file" and not Path(unquote(parts.path)).exists()
    return Path(repository).is_absolute() and not Path(repository).exists()


def is_remote_name(name: str) -> bool:
    """Return whether it can be the name of a remote; an address cannot."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", name) is not None


def _remote(address: str, environment: Mapping[str, str], *, climb: bool, rewritten: bool) -> Source:
    try:
        parts = urlsplit(address)
        host, password = parts.hostname or "", parts.password
    except ValueError as error:
        raise BadRepository(f"{address!r} is not a URL: {error}.", fix="Check the address.") from error
    if password and not rewritten:
        raise BadRepository(
            f"The address {mask(address)} holds a password.",
            fix="Leave it out; load a key into ssh-agent or set GIT_ASKPASS.",
        )
    if parts.scheme == "file" and host in {"", "localhost"}:
        return _local(Path(unquote(parts.path)), environment, climb=climb)
    if parts.scheme not in {"https", "ssh", "http"} or (parts.scheme == "http" and host not in _LOOPBACK):
        raise BadRepository(
            f"Addresses of the kind {parts.scheme[:20]!r} are not used.",
            fix="Use an https:// or ssh:// address, or a path.",
        )
    if not re.fullmatch(r"[A-Za-z0-9:][A-Za-z0-9.:-]*", host) or any(letter.isspace() for letter in address):
        raise BadRepository(f"{address!r} names no host.", fix="Check the address.")
    if parts.username and parts.username.startswith("-"):
        raise BadRepository(f"{address!r} has an odd user name.", fix="Check the address.")
    return Source(address, parts.scheme)


def _local(path: Path, environment: Mapping[str, str], *, climb: bool) -> Source:
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would hide a link in the name the user gave
    if not path.exists():
        raise BadRepository(f"There is nothing at {path}.", fix="Check the path, or run `git init` there.")
    for folder in (path, *(path.parents if climb else ())):
        found = _git_directory(folder)
        if found is not None:
            git_dir = found.resolve()
            _check_owner(git_dir, environment)
            bare = git_dir == folder.resolve()
            return Source(str(_common(git_dir)), "file", git_dir, None if bare else folder)
    raise BadRepository(f"{path} is not in a git repository.", fix=f"Run `git init {path}` and commit what is there.")


def _git_directory(folder: Path) -> Path | None:
    inner = folder / ".git"
    if inner.is_file():
        text = inner.read_text(errors="surrogateescape")[:5000]
        if text.startswith("gitdir:"):
            pointed = (folder / text.removeprefix("gitdir:").strip()).resolve()
            if not _is_git_directory(pointed):
                raise BadRepository(
                    f"{inner} points to {pointed}, where no repository is.", fix="Run `git worktree repair`."
                )
            return pointed
        return None
    for candidate in (inner, folder):
        if _is_git_directory(candidate):
            return candidate
    return None


def _common(git_dir: Path) -> Path:
    named = git_dir / "commondir"
    return (git_dir / named.read_text(errors="surrogateescape").strip()).resolve() if named.is_file() else git_dir


def _is_git_directory(folder: Path) -> bool:
    if not (folder / "HEAD").exists() and not (folder / "HEAD").is_symlink():
        return False
    # A linked worktree has only its own HEAD and names the rest in `commondir` (gitrepository-layout(5)).
    return (folder / "commondir").is_file() or ((folder / "objects").is_dir() and (folder / "refs").is_dir())


def _check_owner(git_dir: Path, environment: Mapping[str, str]) -> None:
    """Raise BadRepository for another user's repository (git: dubious ownership) not in safe.directory."""
    owner, me = git_dir.stat().st_uid, os.geteuid()
    allowed = {me} | (
        {int(environment["SUDO_UID"])} if me == 0 and environment.get("SUDO_UID", "").isdigit() else set()
    )
    if owner in allowed:
        return
    top = git_dir.parent if git_dir.name == ".git" else git_dir
    if not UserSettings(environment).trusts(top, git_dir):
        raise BadRepository(
            f"{top} belongs to another user (uid {owner}).",
            fix=f"If you trust it: git config --global --add safe.directory {shlex.quote(str(top))}",
        )


async def read_head(git: Git, source: Source, base: str) -> Head:
    """Return the commit that `base` names ("" for HEAD). Raises BadRepository when there is none, GitFailed."""
    if base:
        check_revision(base)
    if source.git_dir is None:
        return await _ask_remote(git, source, base)
    return await _ask_local(git, source, source.git_dir, base)


async def read_remotes(git: Git, source: Source, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the address to push to of each remote of a local repository by name, relative paths made absolute.

    Addresses are rewritten as the settings of the user, whose environment is given, say.
    """
    assert source.git_dir is not None
    listing = await git.run(source.git_dir, "config", "-z", "--get-regexp", r"^remote\..*\.(push)?url$", okay=(0, 1))
    lines = [entry.partition("\n") for entry in listing.output.decode(errors="surrogateescape").split("\0") if entry]
    settings = UserSettings(environment, source.git_dir)
    found: dict[str, str] = {}
    for ending in (".url", ".pushurl"):
        for key, _, address in lines:
            if key.endswith(ending) and address:
                found[key.removeprefix("remote.").removesuffix(ending)] = await asyncio.to_thread(
                    settings.rewritten, address, push=True, explicit=ending == ".pushurl"
                )
    top = source.work_tree or source.git_dir
    return {
        name: address if re.match(r"[A-Za-z0-9+.-]+:", address) or _SCP.match(address) else str(top / address)
        for name, address in found.items()
    }


def read_exclude(source: Source) -> str:
    """Return the repository's `info/exclude`, "" when it has none that can be read."""
    if source.git_dir is None:
        return ""
    try:
        with (Path(source.location) / "info" / "exclude").open(errors="surrogateescape") as file:
            return file.read(_EXCLUDE_SIZE)
    except OSError:
        return ""


async def look(git: Git, source: Source, *names: str, options: tuple[str, ...] = ()) -> dict[str, str]:
    """Return what the refs that match `names` (as in git-ls-remote(1)) point to, without those that do not exist."""
    answer = await _list(git, source, *names, options=options)
    pairs = (line.partition("\t") for line in answer.text.splitlines())
    return {name: found for found, _, name in pairs}


async def _list(git: Git, source: Source, *names: str, options: tuple[str, ...]) -> GitAnswer:
    where, protocol = source.location, source.protocol
    return await git.run(
        Path("/dev/null"),
        "ls-remote",
        *options,
        "--end-of-options",
        where,
        *names,
        protocol=protocol,
        seconds=120,
        near=source.near,
    )


async def _ask_local(git: Git, source: Source, git_dir: Path, base: str) -> Head:
    answer = await git.run(git_dir, "rev-parse", "--show-object-format", "--is-shallow-repository", okay=(0, 128))
    if answer.code:
        raise BadRepository(
            f"{source.location} cannot be read as a git repository: {answer.complaint.strip()[-300:]}",
            fix="Run `git status` there and fix what it names.",
        )
    form, shallow = answer.text.split("\n")
    width = 64 if form == "sha256" else 40
    notes: list[str] = []
    if shallow == "true":
        notes.append("The clone is shallow: history beyond its border is not there.")
    commit, branch = await _resolve(git, git_dir, base, notes)
    if not commit:
        return await _unborn(git, git_dir, base, width, tuple(notes))
    if not base and not branch:
        notes.append(f"HEAD is detached; building on commit {commit[:12]}.")
    listing = await git.run(git_dir, "ls-tree", "-r", "-z", "--end-of-options", commit)
    entries = listing.output.split(b"\0")
    modules = sum(1 for entry in entries if entry.startswith(b"160000 "))
    if modules:
        notes.append(f"Files of submodules ({modules}) are read only: no change below them is taken.")
    if source.work_tree is not None and not base:
        notes.extend(await _uncommitted(git, source, git_dir, commit, len(entries)))
    promised = r"^(extensions\.partialclone|remote\..*\.promisor)$"
    partial = await git.run(git_dir, "config", "--get-regexp", "--end-of-options", promised, okay=(0, 1))
    return Head(commit, branch, width, "", shallow == "true", partial.code == 0, tuple(notes))


async def check_base(git: Git, git_dir: Path, base: str) -> None:
    """Raise BadRepository when a repository on this machine has no commit, or branch to be, that `base` names."""
    check_revision(base)
    commit, _ = await _resolve(git, git_dir, base, [])
    if not commit:
        await _unborn(git, git_dir, base, 0, ())


async def _resolve(git: Git, git_dir: Path, base: str, notes: list[str]) -> tuple[str, str]:
    """Return the commit that `base` names, and its branch, "" for what there is not. A branch goes before a tag."""
    if not base:
        full = await git.run(git_dir, "symbolic-ref", "--quiet", "HEAD", okay=(0, 1, 128))
        branch = full.text.removeprefix("refs/heads/") if full.text.startswith("refs/heads/") else ""
        return await git.resolve(git_dir, "HEAD^{commit}"), branch
    short = base.removeprefix("refs/heads/")
    commit = await git.resolve(git_dir, f"refs/heads/{short}^{{commit}}")
    if not commit:
        return await git.resolve(git_dir, f"{base}^{{commit}}"), ""
    tagged = await git.resolve(git_dir, f"refs/tags/{base}^{{commit}}")
    if tagged not in {"", commit}:
        notes.append(_ambiguous(base))
    return commit, short


def _ambiguous(base: str) -> str:
    return f"{base} is a branch and a tag; building on the branch. For the tag, name refs/tags/{base}."


async def _unborn(git: Git, git_dir: Path, base: str, width: int, notes: tuple[str, ...]) -> Head:
    head = await git.run(git_dir, "symbolic-ref", "--quiet", "--short", "HEAD", okay=(0, 1, 128))
    if base and base != head.text:
        listed = await git.run(
            git_dir, "for-each-ref", "--sort=-committerdate", "--format=%(refname:lstrip=2)", "refs/heads"
        )
        branches = listed.text.split("\n")
        branches.sort(key=lambda name: name.startswith("buildwright/"))  # the results of builds last
        known = ", ".join(branches[:8]) or "none"
        fetched = await git.run(git_dir, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/remotes")
        fix = f"Name one that is there; branches: {known}."
        for name in fetched.text.split("\n"):
            if name.partition("/")[2] == base:
                fix = f"Name {name}, which was fetched."
        raise BadRepository(f"There is no branch, tag or commit {base!r}.", fix=fix)
    if head.code or await git.resolve(git_dir, "HEAD"):
        raise BadRepository(
            "HEAD of the repository is broken.", fix="Run `git fsck --full` there and fix what it names."
        )
    return Head("", head.text, width, notes=(*notes, "The repository has no commit yet; building on an empty tree."))


async def _uncommitted(git: Git, source: Source, git_dir: Path, commit: str, files: int) -> list[str]:
    """Note the number of uncommitted changes, on a copy of the index with our settings: no filter of theirs runs."""
    if files > _DIRTY_FILES:
        return ["Uncommitted changes, if there are any, are left out."]
    index = git_dir / "index"
    if not index.is_file():
        return []
    with git.aside() as folder:
        shadow = folder / "git"
        try:
            await git.make_bare(shadow, len(commit))
            alternates = shadow / "objects" / "info" / "alternates"
            await asyncio.to_thread(alternates.write_text, f"{source.location}/objects\n", errors="surrogateescape")
            copy = folder / "index"
            await asyncio.to_thread(shutil.copy2, index, copy)
            view = functools.partial(git.run, shadow, index=copy, work_tree=source.work_tree, seconds=20.0)
            await view("update-index", "-q", "--refresh", "--ignore-submodules", okay=(0, 1))
            changed = await view(
                "diff-index", "--name-only", "-z", "--ignore-submodules", "--end-of-options", commit, "--"
            )
            fresh = await view(
                "ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory"
            )
            same = await _as_their_pointers(git, shadow, source, commit, changed.output.split(b"\0")[:-1])
        except GitFailed:
            return ["Uncommitted changes, if there are any, are left out."]
    count = changed.output.count(b"\0") - same + fresh.output.count(b"\0")
    if count == 0:
        return []
    return [f"{count} uncommitted change{'s are' if count > 1 else ' is'} left out; commit to include them."]


async def _ask_remote(git: Git, source: Source, base: str) -> Head:
    answer = await persistently(functools.partial(_list, git, source, options=("--symref",)))
    refs: dict[str, str] = {}
    branch = ""
    for line in answer.text.splitlines():
        left, _, name = line.partition("\t")
        if left.startswith("ref: ") and name == "HEAD":
            branch = left.removeprefix("ref: refs/heads/")
        else:
            refs[name] = left
    if not refs and not base:
        notes = ("The repository has no commit yet; building on an empty tree.",)
        return Head("", branch or "main", 40, notes=notes)
    wanted = [base, f"refs/heads/{base}", f"refs/tags/{base}"] if base else ["HEAD"]
    for name in wanted:
        if name in refs:
            commit = refs.get(f"{name}^{{}}", refs[name])
            if name != "HEAD":
                branch = name.removeprefix("refs/heads/") if name.startswith("refs/heads/") else ""
            tag = f"refs/tags/{base}"
            other = refs.get(f"{tag}^{{}}", refs.get(tag, commit))
            told: tuple[str, ...] = (_ambiguous(base),) if other != commit else ()
            return Head(commit, branch and check_revision(branch), len(commit), name, notes=told, refs=refs)
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", base):
        return Head(base, "", len(base), base, refs=refs)
    known = ", ".join(name.removeprefix("refs/heads/") for name in refs if name.startswith("refs/heads/"))[:200]
    raise BadRepository(f"The remote has no branch or tag {base!r}.", fix=f"Name one that is there; branches: {known}.")


async def _as_their_pointers(git: Git, git_dir: Path, source: Source, commit: str, changed: list[bytes]) -> int:
    """Return how many changed files are what a pointer of Git LFS stands for: no filter of theirs runs to tell git so."""
    same = 0
    for path in map(os.fsdecode, changed[:_MOST_POINTERS]):
        listed = await git.run(git_dir, "ls-tree", "-l", "-z", "--end-of-options", commit, path)
        found = listed.output.partition(b"\t")[0].split()
        if len(found) != len(("mode", "type", "id", "size")) or not found[3].isdigit() or int(found[3]) > POINTER_BYTES:
            continue
        pointer = read_pointer(
            (await git.run(git_dir, "cat-file", "blob", "--end-of-options", found[2].decode())).output
        )
        if pointer is not None and await asyncio.to_thread(_stands_for, pointer, Path(source.work_tree or "", path)):
            same += 1
    return same


def _stands_for(pointer: tuple[str, int], file: Path) -> bool:
    """Return whether a file has the content of this SHA-256 and size."""
    digest, size = pointer
    try:
        if file.is_symlink() or file.stat().st_size != size:
            return False
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == digest
    except OSError:
        return False
