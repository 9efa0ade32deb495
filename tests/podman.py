"""A container engine of the tests' own: podman's service with storage, settings and a socket below one folder.

It is started by the first test that needs it and ended with the run; nothing is fetched, and nothing of the user's is touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

_UNIFIED = "/sys/fs/cgroup/unified"
_START_SECONDS = 30.0
# Engines set limits that they may have no right to, and crun refuses version 2 of cgroups mounted beside version 1.
SETTINGS = """
[containers]
cgroups = "enabled"
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
"""
_STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{0}/images"\nrunroot = "{0}/run"\n'


_REAPER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
service = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(service, signal.SIGTERM))
while os.wait()[0] != service:
    pass
"""
"""Runs the service and reaps what its containers leave, which else become children of a test."""


class Podman:
    """The service, and podman's own command line beside it."""

    def __init__(self, settings: str = SETTINGS) -> None:
        # In /tmp: the path of a socket has to be short.
        self._folder = folder = Path(tempfile.mkdtemp(prefix="buildwright-podman-", dir="/tmp"))
        (folder / "containers.conf").write_text(settings)
        (folder / "storage.conf").write_text(_STORAGE.format(folder))
        self.environment = os.environ | {
            "CONTAINERS_CONF": f"{folder}/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf",
        }
        self.address = f"unix://{folder}/s"
        self._service: subprocess.Popen[bytes] | None = None

    def around(self, *words: str) -> list[str]:
        """A command line in the mounts of the service, which are its own where those of this machine do not suit it."""
        if os.geteuid() != 0 or not os.path.ismount(_UNIFIED):
            return list(words)
        if self._service is not None:
            return ["nsenter", f"--target={self._service.pid}", "--mount", "--", *words]
        script = f'mount --make-rprivate / && umount {_UNIFIED} && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", *words]

    def __call__(self, *words: str, stdin: bytes = b"") -> str:
        """Run podman to its end; what it printed."""
        done = subprocess.run(
            self.around("podman", *words), env=self.environment, input=stdin, capture_output=True, check=False
        )
        assert done.returncode == 0, f"podman {' '.join(words)}: {done.stderr.decode()}"
        return done.stdout.decode()

    def start(self) -> None:
        assert shutil.which("podman"), "podman is not installed: make containers installs it"
        with (self._folder / "log").open("wb") as log:
            self._service = subprocess.Popen(
                self.around(sys.executable, "-c", _REAPER, "podman", "system", "service", "--time=0", self.address),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while self._service.poll() is None and time.monotonic() < deadline:
            with socket.socket(socket.AF_UNIX) as one:
                try:
                    one.connect(self.address.removeprefix("unix://"))
                except OSError:
                    time.sleep(0.05)
                    continue
                return
        raise RuntimeError(f"podman's service did not start:\n{(self._folder / 'log').read_text('utf-8', 'replace')}")

    def stop(self) -> None:
        self("rm", "--all", "--force", "--time", "0")
        if self._service is not None:
            self._service.terminate()
            self._service.wait()
        # For five minutes podman keeps a process for every command that was executed by its API.
        for process in psutil.process_iter(["name", "cmdline"]):
            if process.info["name"] == "conmon" and any(
                str(self._folder) in word for word in process.info["cmdline"] or ()
            ):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
