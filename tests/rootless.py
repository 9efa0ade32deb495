"""A podman of a user without root, made up for the test: its name and range of users stand in a mount namespace alone.

Nothing of this machine changes. The user sees this Python and our sources also where they lie in a folder of root's own.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.podman import SETTINGS

SOURCE = Path(__file__).parents[1] / "src"
_USER, _NAME = 41_711, "maker"
_FIRST_OF_RANGE = 3_000_000
_FILES = {
    "passwd": f"{_NAME}:x:{_USER}:{_USER}::{{home}}:/bin/sh\n",
    "group": f"{_NAME}:x:{_USER}:\n",
    "subuid": f"{_NAME}:{_FIRST_OF_RANGE}:65536\n",
    "subgid": f"{_NAME}:{_FIRST_OF_RANGE}:65536\n",
}
_STORAGE = '[storage]\ndriver = "overlay"\n[storage.options.overlay]\nmount_program = "/usr/bin/fuse-overlayfs"\n'
_SECONDS = 300
_START_SECONDS = 30.0


@dataclass
class Rootless:
    """The user; `keeper` is the process that holds the mounts which it sees."""

    home: Path
    keeper: subprocess.Popen[bytes]
    user: int = _USER

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Rootless]:
        """Start the service as that user. Everything of the user has ended at the end."""
        missing = [one for one in ("podman", "crun", "fuse-overlayfs", "newuidmap") if not shutil.which(one)]
        assert not missing, f"{', '.join(missing)} not installed: make containers installs it"
        # In /tmp: the path of a socket has to be short.
        top = Path(tempfile.mkdtemp(prefix="buildwright-rootless-", dir="/tmp"))
        top.chmod(0o755)
        home = top / "home"
        keeper = subprocess.Popen(["unshare", "--mount", "sh", "-c", _mounts(top, home)], stdout=subprocess.PIPE)
        one = cls(home, keeper)
        try:
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == b"ready\n"
            socket = f"{home}/run/podman/podman.sock"
            service = subprocess.Popen(one.around("podman", "system", "service", "--time=0", f"unix://{socket}"))
            until = time.monotonic() + _START_SECONDS
            while not Path(socket).is_socket():
                assert service.poll() is None, "podman's service ended"
                assert time.monotonic() < until, "podman's service did not start"
                time.sleep(0.05)
            yield one
            service.terminate()
            service.wait()
        finally:
            one._end_all()
            keeper.kill()
            keeper.communicate()
            shutil.rmtree(top, ignore_errors=True)

    def around(self, *words: str) -> list[str]:
        """Return the command line that runs words as the user, in the mounts that are its own."""
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": f"{self.home}/run",
            "USER": _NAME,
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(SOURCE),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        become = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]
        named = [f"{name}={value}" for name, value in environment.items()]
        inside = ["nsenter", f"--target={self.keeper.pid}", "--mount", f"--wd={self.home}", "--"]
        return [*inside, *become, "env", "-i", *named, *words]

    def __call__(self, *words: str) -> str:
        """Run words as the user to their end; what they printed."""
        done = subprocess.run(self.around(*words), capture_output=True, text=True, timeout=_SECONDS, check=False)
        assert done.returncode == 0, f"{shlex.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _end_all(self) -> None:
        """End what the user runs: the process that holds its namespace, and what podman keeps of each container."""
        for _ in range(100):
            left = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal() and _is_of(path)]
            if not left:
                return
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def _is_of(process: Path) -> bool:
    """Return whether a process is the user's, or of a user in its range."""
    with contextlib.suppress(OSError):
        owner = process.stat().st_uid
        return owner == _USER or _FIRST_OF_RANGE <= owner < _FIRST_OF_RANGE + 65_536
    return False


def _mounts(top: Path, home: Path) -> str:
    """Return a script that makes the mounts, says so, and waits to be ended."""
    lines = ["set -e", "mount --make-rprivate /"]
    for name, line in _FILES.items():
        file = top / name
        file.write_text(Path("/etc", name).read_text() + line.format(home=home))
        lines.append(f"mount --bind {file} /etc/{name}")
    if os.path.ismount("/sys/fs/cgroup/unified"):  # which crun refuses beside version 1
        lines.append("umount /sys/fs/cgroup/unified")
    for folder in (home, home / "run", home / "run" / "podman", settings := home / ".config" / "containers"):
        folder.mkdir(parents=True, mode=0o700)
    (settings / "containers.conf").write_text(SETTINGS)
    (settings / "storage.conf").write_text(_STORAGE)
    for path in (home, *home.rglob("*")):
        os.chown(path, _USER, _USER)
    lines += _shown(top, [Path(sys.base_prefix), Path(sys.prefix), SOURCE])
    return "\n".join((*lines, "echo ready", "exec sleep infinity"))


def _shown(top: Path, wanted: Sequence[Path]) -> list[str]:
    """Return lines that show folders which lie in one of root's own: in its place stands an empty one with them alone."""
    hidden = {path: folder for path in wanted if (folder := _of_root_alone(path)) is not None}
    stages = {path: top / f"stage{number}" for number, path in enumerate(hidden)}
    for stage in stages.values():
        stage.mkdir()
    lines = [f"mount --rbind {path} {stage}" for path, stage in stages.items()]
    lines += [f"mount -t tmpfs -o mode=755 tmpfs {folder}" for folder in dict.fromkeys(hidden.values())]
    return [*lines, *(f"mkdir -p {path}; mount --rbind {stage} {path}" for path, stage in stages.items())]


def _of_root_alone(path: Path) -> Path | None:
    """Return the topmost folder above a path that others may not walk."""
    return next((one for one in reversed(path.parents) if not one.stat().st_mode & stat.S_IXOTH), None)
