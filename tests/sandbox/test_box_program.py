"""The program that ends commands in containers refuses to work where that would end the processes of a user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from buildwright.sandbox import box_program

DRIVER = """
import json, os, socket, subprocess, sys, tempfile, time
bystander = subprocess.Popen(["sleep", "600"])
with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as server, tempfile.TemporaryFile() as told:
    outside = os.readlink("/proc/self/ns/pid")
    wanted = {"argv": ["sh", "-c", "echo ran; exit 3"], "cwd": "/", "env": {"PATH": "/usr/bin:/bin"}, "files": 1000, "open": 64}
    told.write(json.dumps(wanted | {"wiped": [], "outside": outside}).encode())
    told.seek(0)
    server.bind(folder + "/s")
    server.listen()
    program = os.fork()
    if not program:
        os.execv(sys.executable, [sys.executable, "-I", "-S", sys.argv[1], folder + "/s"])
    control, _ = server.accept()
    socket.send_fds(control, [b"C"], [told.fileno(), 0, 1, 2])
    print(control.recv(1000).decode(), flush=True)
    print("bystander", bystander.poll(), flush=True)
    bystander.kill()
"""


def test_among_the_processes_of_the_engine_it_starts_and_ends_nothing() -> None:
    # In processes of its own: were it to fail, it would end those of this user.
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    own = [str(shutil.which("unshare")), *user, "--pid", "--fork", "--mount-proc"]
    argv = [*own, sys.executable, "-c", DRIVER, str(box_program.__file__)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, cwd=Path("/"))
    assert "no processes of its own" in done.stdout, done
    assert "bystander None" in done.stdout
    assert "ran" not in done.stdout
