"""The one way to run git: fixed environment, own configuration, typed failures. Must never discover a repository.

Every call names its git directory. Values from outside must come after `--end-of-options` or `--`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from buildwright.errors import BadRepository, DiskFull, GitFailed, ToolMissing
from buildwright.workspace import locks
from buildwright.workspace.user_settings import UserSettings

FLOOR = (2, 38)
"""Oldest version of git that works: `merge-tree --write-tree` and `safe.bareRepository` came with 2.38."""

IDENTITY = "Buildwright <buildwright@localhost>"

# Every setting that a file could give git is given here. `safe.directory` is open because `source.py` checks owners.
_CONFIGURATION = """\
[core]
	hooksPath = /dev/null
	fsmonitor = false
	autocrlf = false
	safecrlf = false
	attributesFile = /dev/null
	excludesFile = /dev/null
	quotePath = false
	protectHFS = true
	protectNTFS = true
	fsync = committed,reference
	fsyncMethod = fsync
[safe]
	bareRepository = explicit
	directory = *
[transfer]
	fsckObjects = true
[fetch]
	recurseSubmodules = false
[http]
	followRedirects = false
	lowSpeedLimit = 1
	lowSpeedTime = 300
[submodule]
	recurse = false
[gc]
	auto = 0
[maintenance]
	auto = false
[init]
	defaultBranch = main
	templateDir =
[protocol]
	version = 2
[checkout]
	workers = 2
[commit]
	gpgSign = false
[push]
	gpgSign = false
[user]
	name = Buildwright
	email = buildwright@localhost
	useConfigOnly = true
"""
# Old flaws that are common in real histories and do no harm; any other flaw that fsck finds stops a transfer.
_HARMLESS = (
    "zeroPaddedFilemode badTimezone missingSpaceBeforeDate missingSpaceBeforeEmail missingEmail "
    "missingNameBeforeEmail badEmail badName badDate badDateOverflow multipleAuthors"
)
# A repository's own configuration beats ours, so what could run code is set on the command line, which beats both.
_ALWAYS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit")
_INHERITED = ("PATH", "TMPDIR", "LD_LIBRARY_PATH")
_FOR_NETWORK = frozenset(
    (
        "GIT_ASKPASS",
        "GIT_PROXY_SSL_CAINFO",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_SSL_CERT",
        "GIT_SSL_KEY",
    )
)
"""Variables of git that the user's git has as well when it asks a remote."""
_NEVER = ("GIT_", "BUILDWRIGHT_", "ANTHROPIC_", "OPENAI_")
"""Variables that no credential helper or ssh of the user needs."""
_LOCAL = frozenset(("", "file"))
_LOCK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class GitAnswer:
    """The result of a git command: exit code, standard output, standard error."""

    code: int
    output: bytes
    complaint: str

    @property
    def text(self) -> str:
        return self.output.decode(errors="surrogateescape").rstrip("\n")


class Git:
    """Runs git with a configuration of our own, kept in `home`/gitconfig. `environment` is the user's."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._home = home
        self._outside = environment
        self._configuration = home / "gitconfig"
        self._ready = asyncio.Lock()
        self._checked = False

    async def run(
        self,
        git_dir: Path,
        *arguments: str,
        stdin: bytes = b"",
        index: Path | None = None,
        work_tree: Path | None = None,
        okay: tuple[int, ...] = (0,),
        limit: int | None = None,
        seconds: float | None = None,
        protocol: str = "",
        peer: Path | None = None,
        near: Path | None = None,
    ) -> GitAnswer:
        """Run `git <arguments>` on `git_dir`; `protocol` (file, https, ssh, http) is the one transport it may use.

        `peer` is a repository on this machine that the command also writes to: stale locks in it are removed too.
        `near` is the user's repository whose remote is asked: settings that the user has for it count.
        `limit` ends the command after that many bytes of output. Raises GitFailed for an exit code not in `okay` or
        after `seconds`, DiskFull, ToolMissing.
        """
        await self._check()
        where = [f"--git-dir={git_dir}"] + ([f"--work-tree={work_tree}"] if work_tree else [])
        environment = self.environment(protocol)
        if protocol not in _LOCAL:
            environment = await asyncio.to_thread(self._with_access, environment, near)
        if index is not None:
            environment["GIT_INDEX_FILE"] = str(index)
        deadline = asyncio.get_running_loop().time() + _LOCK_SECONDS
        while True:
            answer = await self._spawn(
                ["git", *_ALWAYS, *where, *arguments], environment, stdin, limit, seconds, _verb(arguments)
            )
            if answer.code in okay or (limit is not None and len(answer.output) >= limit):
                return answer
            lock = locks.named_in(answer.complaint, git_dir, index, peer)
            if lock is None or asyncio.get_running_loop().time() > deadline:
                raise self._failure(arguments, answer)
            if not await asyncio.to_thread(locks.free, lock, git_dir, peer):
                await asyncio.sleep(0.05)

    async def resolve(self, git_dir: Path, name: str) -> str:
        """Return the id that a revision names (gitrevisions(7)), "" when it names none."""
        okay = (0, 1, 128)
        return (await self.run(git_dir, "rev-parse", "--verify", "--quiet", "--end-of-options", name, okay=okay)).text

    async def holds(self, git_dir: Path, name: str, *known: str) -> bool:
        """Return whether an object is there with all that it needs, but what `known` (as `^COMMIT`) needs."""
        words = ("rev-list", "--objects", "--quiet", "--end-of-options", name, *known)
        return (await self.run(git_dir, *words, okay=(0, 1, 128))).code == 0

    async def make_bare(self, git_dir: Path, width: int) -> None:
        """Make an empty repository; `width` is the length of its object ids (40 SHA-1, 64 SHA-256)."""
        form = "sha256" if width == 64 else "sha1"
        await self.run(git_dir, "init", "--quiet", "--bare", f"--object-format={form}")

    def environment(self, protocol: str = "") -> dict[str, str]:
        """Return the whole environment of a git process."""
        mine = {name: self._outside[name] for name in _INHERITED if name in self._outside}
        ssh = {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=20"}
        reached = {"HOME": str(self._home / "nobody")}
        if protocol not in _LOCAL:
            # Credential helpers, ssh and netrc of the user are to work as they do for the user's own git.
            reached = {
                name: value
                for name, value in self._outside.items()
                if name in _FOR_NETWORK or not name.startswith(_NEVER)
            }
            reached.setdefault("HOME", str(self._home / "nobody"))
        return (
            mine
            | ({} if "GIT_SSH" in self._outside else ssh)
            | reached
            | {
                "LC_ALL": "C",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": str(self._configuration),
                "GIT_ATTR_NOSYSTEM": "1",
                "GIT_ALLOW_PROTOCOL": protocol,
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_NO_REPLACE_OBJECTS": "1",
                "GIT_NO_LAZY_FETCH": "1",
                "GIT_OPTIONAL_LOCKS": "0",
                "GIT_PAGER": "cat",
                "GIT_EDITOR": "false",
            }
        )

    def _with_access(self, environment: dict[str, str], near: Path | None) -> dict[str, str]:
        """Add what the user's own settings say of credentials, proxies and ssh."""
        access = UserSettings(self._outside, near).access()
        if "core.sshcommand" in {key.lower() for key in access.values()} and not self._outside.get("GIT_SSH_COMMAND"):
            environment = {name: value for name, value in environment.items() if name != "GIT_SSH_COMMAND"}
        return environment | access

    async def _check(self) -> None:
        """Write the configuration and check git's version, once per object."""
        async with self._ready:
            if self._checked:
                return
            flaws = "".join(f"\t{name} = ignore\n" for name in _HARMLESS.split())
            text = f'{_CONFIGURATION}[fetch "fsck"]\n{flaws}[receive "fsck"]\n{flaws}'
            with naming_full_disk(self._home):
                self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
                temporary = self._home / f"gitconfig.{os.getpid()}"
                temporary.write_text(text)
                temporary.replace(self._configuration)
            answer = await self._spawn(["git", "--version"], self.environment(), b"", None, 30.0, "--version")
            require_version(answer.text)
            self._checked = True

    @contextmanager
    def aside(self) -> Iterator[Path]:
        """Yield an empty directory below the home for one command; `leftovers` removes it if this process is killed."""
        with naming_full_disk(self._home):
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = tempfile.TemporaryDirectory(prefix=f"{ASIDE}{os.getpid()}.", dir=self._home)
        with folder as name:
            yield Path(name)

    async def _spawn(
        self,
        argv: list[str],
        environment: dict[str, str],
        stdin: bytes,
        limit: int | None,
        seconds: float | None,
        verb: str,
    ) -> GitAnswer:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ToolMissing("git is not installed.", fix="Install git 2.38 or newer.") from error
        except OSError as error:
            if error.errno == errno.E2BIG:
                raise GitFailed(f"git {verb} was given too much at once.", fix="Use shorter names.") from error
            raise
        try:
            async with asyncio.timeout(seconds):
                if limit is None:
                    output, complaint = await process.communicate(stdin or None)
                else:
                    output, complaint = await _some(process, limit)
                return GitAnswer(await process.wait(), output, complaint.decode(errors="replace"))
        except TimeoutError as error:
            raise GitFailed(
                f"git {verb} timed out after {seconds:.0f} s.", fix="Try again; look for a very large file."
            ) from error
        finally:
            if process.returncode is None:
                _kill(process.pid)
                await process.wait()

    def _failure(self, arguments: tuple[str, ...], answer: GitAnswer) -> GitFailed | DiskFull:
        lines = [line for line in answer.complaint.splitlines() if line.strip()]
        last = " / ".join(lines[-3:]) or "it said nothing"
        text = answer.complaint.lower()
        if answer.code == -signal.SIGXFSZ or any(sign in text for sign in _FULL):
            return DiskFull(
                f"git {_verb(arguments)} found no space left: {last}",
                fix=f"Free some space in {self._home}, then resume.",
            )
        return GitFailed(f"git {_verb(arguments)} failed with {answer.code}: {mask(last)}", fix=_fix(text))


ASIDE = "aside."
"""Prefix of the directories that `Git.aside` makes; the process id follows."""
_NETWORK_WAITS = (0.5, 2.0, 5.0)
OTHER_FORMAT = ("hash algorithm", "mismatched algorithms", "capabilities^{}")
"""What git says when one side uses SHA-1 and the other SHA-256; the last when that side has no ref yet."""
_FULL = ("no space left", "disk quota", "file too large")
_NO_ACCESS = ("authentication failed", "permission denied", "could not read username")
_FOR_GOOD = (
    *_NO_ACCESS,
    "not found",
    "does not exist",
    "host key",
    *OTHER_FORMAT,
)


async def persistently(ask: Callable[[], Awaitable[GitAnswer]]) -> GitAnswer:
    """Call `ask` until it succeeds, with pauses between failures of the network. Raises what the last call raises."""
    for wait in _NETWORK_WAITS:
        try:
            return await ask()
        except DiskFull:
            raise
        except GitFailed as error:
            if any(sign in error.message.lower() for sign in _FOR_GOOD):
                raise
        await asyncio.sleep(wait)
    return await ask()


def require_version(text: str) -> None:
    """Raise ToolMissing unless `text`, the output of `git --version`, names at least the floor."""
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is None or (int(found.group(1)), int(found.group(2))) < FLOOR:
        wanted = ".".join(str(number) for number in FLOOR)
        raise ToolMissing(f"This git is too old or unknown: {text!r}.", fix=f"Install git {wanted} or newer.")


@contextmanager
def naming_full_disk(where: Path) -> Iterator[None]:
    """Raise DiskFull instead of an OSError that means a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        raise DiskFull(f"No space is left in {where}.", fix="Free some space there, then resume.") from error


def mask(text: str) -> str:
    """Return the text without the password of any URL in it."""
    return re.sub(r"(://[^/@\s:]*):[^/@\s]*@", r"\1:***@", text)


def check_name(name: str, what: str) -> str:
    """Return a build or task id if it is safe in a path and in a ref. Raises BadRepository."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name) or ".." in name or name.endswith((".lock", ".")):
        raise BadRepository(f"{name!r} cannot be a {what} id.", fix="Use ASCII letters, digits, hyphen and underscore.")
    return name


def check_branch(name: str) -> str:
    """Return the name if git-check-ref-format(1) allows it and no shell changes it. Raises BadRepository."""
    parts = name.split("/")
    if (
        not _is_printable(name)
        or _NEVER_IN_REFS.search(name)
        or any(not part or part.startswith((".", "-")) or part.endswith((".lock", ".")) for part in parts)
        or name in {"HEAD", "@"}
    ):
        raise BadRepository(f"{name[:200]!r} cannot be a branch name.", fix="Use a name such as buildwright/my-change.")
    return name


def check_revision(name: str) -> str:
    """Return the name if it can be a branch, tag or commit, with gitrevisions(7) of one commit. Raises BadRepository."""
    if not _is_printable(name) or name.startswith(("-", "^")) or _NEVER_IN_REVISIONS.search(name):
        raise BadRepository(f"{name[:200]!r} cannot be a branch, tag or commit.", fix="Name a branch, tag or commit.")
    return name


_NEVER_IN_REVISIONS = re.compile(r"[ :?*\[\\]|\.\.")
_NEVER_IN_REFS = re.compile(r"[ ~^:?*\[\\$`'\"!;|&<>(){}]|\.\.|^#")
"""What git-check-ref-format(1) forbids, and what the shell of a user changes who copies the name."""


def _is_printable(name: str) -> bool:
    return 0 < len(name) <= 200 and name.isprintable()


def _verb(arguments: tuple[str, ...]) -> str:
    while arguments[:1] == ("-c",):
        arguments = arguments[2:]
    return arguments[0] if arguments else ""


def _fix(complaint: str) -> str:
    if any(sign in complaint for sign in _NO_ACCESS):
        return "Give access: load a key into ssh-agent, or set GIT_ASKPASS to a program that prints the token."
    if "returned error: 30" in complaint:
        return (
            "It has moved: name its new address (git remote set-url), or let git follow it, git config --global"
            " http.followRedirects initial."
        )
    if "could not resolve host" in complaint or "timed out" in complaint or "connect" in complaint:
        return "Check the network and the address, then resume."
    if "fsck" in complaint or "corrupt" in complaint or "bad object" in complaint:
        return "Run `git fsck --full` in the repository and fix what it names."
    return "Read git's message above; when the cause is gone, resume."


async def _some(process: asyncio.subprocess.Process, limit: int) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    parts: list[bytes] = []
    left = limit
    while left > 0 and (part := await process.stdout.read(min(left, 1 << 16))):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        _kill(process.pid)
        return b"".join(parts), b""
    return b"".join(parts), await process.stderr.read()


def _kill(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
