"""Runs commands in bubblewrap: namespaces, network only on request, read-only system. Must never run bwrap as root."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from buildwright.errors import GateBroken, ToolMissing
from buildwright.ports import Command, Completed
from buildwright.sandbox.execution import LARGEST_FILE, OPEN_FILES, carry_out, enclosed
from buildwright.sandbox.lending import NOBODY, Loans, folders_to_write, give
from buildwright.sandbox.relays import INSIDE, Relays, relayed
from buildwright.sandbox.system_calls import filter_for
from buildwright.sandbox.view import system_paths, tool_paths
from buildwright.shared_folders import SharedFolder, make_shared
from buildwright.temporary_folders import SHORT, temporary_folder

IN_MEMORY = ("/tmp", "/dev/shm")  # noqa: S108
"""Folders inside that are kept in memory; what lies there counts as the command's."""

_COULD_NOT_START = ("bwrap: ", "unshare: ", "setpriv: ", "mount: ")

_STAGE = """
while [ "$1" != -- ]; do
    case $1 in
    bind) mount --rbind "$2" "$3" || exit 1 ;;
    # Relative names: a colon or comma in a path would end it.
    *) cd "$2" && mount -t overlay -o "$1lowerdir=lower,upperdir=upper,workdir=work" overlay "$3" || exit 1 ;;
    esac
    shift 3
done
shift
cd / && exec "$@"
"""
"""Shell script that goes on in a mount namespace of its own, in which it binds directories to places that every user may
walk to, and mounts shared folders."""
_OF_ROOT, _OF_USER = "rw,", "rw,userxattr,"
"""How an overlay is mounted by root, and by the root of a user namespace."""


class Bubblewrap:
    """Foreign commands behind Linux namespaces.

    The command sees the system's programs and the tools on its PATH read-only, an empty /tmp, and may write only its
    working directory and `writable`. As root Buildwright first becomes an unprivileged user and lends it the writable
    directories during the run: the bwrap of a root process could write the host's /proc/sys. bwrap itself gets no
    environment, so that /proc/1/environ inside is empty; its arguments travel by a descriptor, so that no secret shows
    in a process list.
    """

    name = "bubblewrap"
    limits = ""

    def __init__(self) -> None:
        self._loans = Loans()
        self._sharing: dict[int, bool] = {}

    def named_for(self, project: str) -> Bubblewrap:  # noqa: ARG002  it makes nothing that has a name
        """See `Sandbox.named_for`."""
        return self

    async def usable(self) -> str | None:
        """Run a trial command; return why bubblewrap cannot be used here, or None when it can."""
        with temporary_folder("buildwright-") as folder:
            try:
                done = await self.run(Command(("true",), folder, {"PATH": "/usr/bin:/bin"}, seconds=20.0))
            except (ToolMissing, GateBroken) as error:
                return str(error)
        if done.exit_code == 0:
            return None
        return done.output.decode("utf-8", "replace").strip() or f"a trial run exited with code {done.exit_code}"

    async def shares(self, folder: Path) -> bool:
        """Try it once on each file system: the kernel, or what guards it, may refuse, and not every one can hold changes."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            device = folder.stat().st_dev
            if device not in self._sharing:
                self._sharing[device] = await self._try_sharing(folder)
        except OSError:
            return False
        return self._sharing[device]

    async def _try_sharing(self, folder: Path) -> bool:
        with tempfile.TemporaryDirectory(prefix="trial-", dir=folder, ignore_cleanup_errors=True) as name:
            top = Path(name)
            lower, files = top / "kept", top / "files"
            lower.mkdir()
            (lower / "one").write_text("1")
            shared = make_shared(files, "place", lower)
            command = Command(
                ("sh", "-c", "echo 2 > place/one && mkdir place/new"),
                files,
                {"PATH": "/usr/bin:/bin"},
                seconds=20.0,
                shared=(shared,),
            )
            try:
                done = await self.run(command)
            except (ToolMissing, GateBroken):
                return False
            changed = (shared.upper / "new").is_dir() and (lower / "one").read_text() == "1"
            return done.exit_code == 0 and changed

    async def run(self, command: Command, on_output: Callable[[bytes], None] | None = None) -> Completed:
        """Run the command. Raises ToolMissing (bubblewrap, program or directory), GateBroken (no sandbox possible)."""
        tools = {tool: shutil.which(tool) for tool in self._tools()}
        if missing := [tool for tool, path in tools.items() if path is None]:
            raise ToolMissing(f"{', '.join(missing)} not installed", fix="install bubblewrap and util-linux")
        writable = folders_to_write(command)
        as_root = os.geteuid() == 0
        async with relayed(command, NOBODY if as_root else None) as relays:
            done = await self._run(command, writable, tools, relays, on_output)
            done = replace(done, refused=relays.refused)
        _explain(command, done)
        return done

    async def _run(
        self,
        command: Command,
        writable: Sequence[Path],
        tools: Mapping[str, str | None],
        relays: Relays,
        on_output: Callable[[bytes], None] | None,
    ) -> Completed:
        shown = [(one, place) for one in command.shared if (place := one.ready()) is not None]
        lent = [*writable, *(one.upper.resolve() for one, _ in shown)]
        seen = [*tool_paths(command), *relays.shown, *writable]
        with (
            self._loans.lent(lent),
            _reachable(seen, shown) as (sources, around),
            contextlib.ExitStack() as open_files,
        ):
            arguments = self._arguments(command, sources, writable, relays.folder)
            pass_fds = []
            if forbidden := filter_for(os.uname().machine):
                pass_fds.append(open_files.enter_context(_in_memory(forbidden)))
                arguments += ["--seccomp", str(pass_fds[0])]
            told = b"\0".join(os.fsencode(argument) for argument in arguments) + b"\0"
            pass_fds.append(open_files.enter_context(_in_memory(told)))
            argv = [
                *around,
                str(tools["bwrap"]),
                "--args",
                str(pass_fds[-1]),
                "--",
                *relays.argv,
                *_limited(str(tools["prlimit"]), command),
            ]
            return await carry_out(command, argv, {}, on_output, guarded=True, pass_fds=pass_fds, in_memory=IN_MEMORY)

    @staticmethod
    def _tools() -> Sequence[str]:
        return ("bwrap", "prlimit", "setpriv", "unshare") if os.geteuid() == 0 else ("bwrap", "prlimit")

    @staticmethod
    def _arguments(
        command: Command, sources: dict[Path, Path], writable: Sequence[Path], sockets: Path | None
    ) -> list[str]:
        """Return bwrap's options; read-only binds come first, because a later bind lies on top of an earlier one.

        No `--new-session`: `carry_out` starts every command in a session without a terminal, and bwrap's own would make
        its inner process, which may outlive the outer one by a moment, impossible to tell from a foreign child.
        """
        arguments = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
        arguments += ["--cap-drop", "ALL", "--hostname", "localhost", "--clearenv"]
        if command.network:
            arguments.append("--share-net")
        # Its own namespaces have settings that its user may write, such as how much shared memory there may be.
        arguments += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
        for folder in IN_MEMORY:
            arguments += ["--size", str(command.memory_bytes), "--tmpfs", folder]
        for path in system_paths(command.network):
            if path.is_symlink() and len(path.parts) == 2:
                arguments += ["--symlink", str(path.readlink()), str(path)]
            else:
                arguments += ["--ro-bind", str(path), str(path)]
        for path, source in sources.items():
            kind = "--bind" if path in writable else "--ro-bind"
            arguments += [kind, str(source), str(path)]
        if sockets is not None:
            arguments += ["--ro-bind", str(sockets), str(INSIDE)]
        for name, value in enclosed(command).items():
            arguments += ["--setenv", name, value]
        # The root, and /dev, are in memory too.
        arguments += ["--remount-ro", "/dev", "--remount-ro", "/"]
        arguments += ["--chdir", str(command.cwd.resolve())]
        return arguments


@contextmanager
def _in_memory(content: bytes) -> Iterator[int]:
    """Yield a descriptor of a file without a name that holds this."""
    descriptor = os.memfd_create("buildwright")
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _limited(prlimit: str, command: Command) -> list[str]:
    """Put the command behind prlimit(1): inside, processes are counted in the namespace, not for the host user."""
    return [
        prlimit,
        f"--nproc={command.processes}",
        f"--fsize={LARGEST_FILE}",
        f"--nofile={OPEN_FILES}",
        "--core=0",
        "--",
        *command.argv,
    ]


def _explain(command: Command, done: Completed) -> None:
    """Raise GateBroken if the sandbox could not be set up, ToolMissing if the program is missing inside."""
    text = done.output[:2000].decode("utf-8", "replace")
    if text.startswith(_COULD_NOT_START) and done.exit_code == 1:
        reason = text.splitlines()[0]
        fix = "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1), or use `--sandbox none`"
        if "Can't find source path" in reason or "Permission denied" in reason:
            fix = "let every user walk the directories above it (chmod o+x), or use `--sandbox none`"
        raise GateBroken(f"bubblewrap could not start {command.argv[0]}: {reason}", fix=fix)
    if done.exit_code == 127 and text.startswith("prlimit: failed to execute"):
        program = command.argv[0]
        raise ToolMissing(f"{program} is not to be found inside the sandbox", fix=f"install {program} under /usr")


@contextmanager
def _reachable(
    paths: Sequence[Path], shown: Sequence[tuple[SharedFolder, Path]]
) -> Iterator[tuple[dict[Path, Path], list[str]]]:
    """Yield where bwrap finds each path, and the command line to put before bwrap.

    As root bwrap runs as an unprivileged user, which may not walk a directory of mode 0700 (often root's home). Such
    paths are shown under a stage in a private mount namespace that ends with the command; the host sees no change. So
    are shared folders, each with its place.
    """
    is_root = os.geteuid() == 0
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    hidden = [path for path in paths if not _walkable(path)] if is_root else []
    mounts: list[str] = []
    for one, place in shown:
        if is_root and (lower := one.lower).stat().st_uid != NOBODY:
            give(lower, NOBODY, NOBODY)  # whose it is below, may be changed above
        mounts += [_OF_ROOT if is_root else _OF_USER, str(one.folder.resolve()), str(place)]
    if not hidden and not shown:
        yield {path: path for path in paths}, become if is_root else []
        return
    with temporary_folder("buildwright-stage-", SHORT) as stage:
        stage.chmod(0o755)
        staged = {path: stage / str(number) for number, path in enumerate(hidden)}
        for path, place in staged.items():
            place.mkdir() if path.is_dir() else place.touch()
        binds = [word for path, place in staged.items() for word in ("bind", str(path), str(place))]
        if is_root:
            user, then = [], become
        else:
            user, then = ["--user", "--map-root-user"], ["unshare", "--user", *_itself()]
        private = ["unshare", *user, "--mount", "--propagation", "private", "sh", "-c", _STAGE, "sh"]
        yield {path: staged.get(path, path) for path in paths}, [*private, *mounts, *binds, "--", *then]


def _itself() -> list[str]:
    """Return the options of unshare(1) by which the root of a user namespace is this user again, without privileges."""
    return [f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}"]


def _walkable(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)
