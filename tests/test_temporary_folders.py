"""What a killed process left in the folders for temporary files goes with the next start; what is another's stays."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

from buildwright.process_table import new_mark
from buildwright.sandbox import choose
from buildwright.temporary_folders import (
    SHORT,
    make_temporary_folder,
    remove_abandoned_folders,
    remove_temporary_folder,
    temporary_folder,
)

OWNER = """
import asyncio, sys
from pathlib import Path
from buildwright.core.addresses import Destination
from buildwright.ports import Command, Reach
from buildwright.sandbox import Bubblewrap
from buildwright.temporary_folders import make_temporary_folder
private = make_temporary_folder("tmp", Path(sys.argv[1]))
(private / "modules").mkdir()
(private / "modules" / "file").write_text("x")
(private / "modules").chmod(0o500)
reach = Reach((Destination("far.example", (443,)),))
words = ("sh", "-c", "echo up; sleep 600")
command = Command(words, Path(sys.argv[2]), {"PATH": "/usr/bin:/bin"}, reach=reach)
asyncio.run(Bubblewrap().run(command, lambda _: print("up", flush=True)))
"""
"""Runs a command in a box, with a proxy and a folder to write that another user may not walk to."""


def left_of(pid: int) -> list[Path]:
    return [note.readlink() for note in SHORT.glob(f"buildwright-of-*-{pid}-*")]


async def test_what_a_killed_process_left_goes_with_the_next_start(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "work").mkdir(parents=True)
    closed.chmod(0o700)
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PATH": os.environ["PATH"]}
    words = (sys.executable, "-c", OWNER, str(tmp_path), str(closed / "work"))
    owner = await asyncio.create_subprocess_exec(*words, env=environment, stdout=asyncio.subprocess.PIPE)
    assert owner.stdout is not None
    assert await owner.stdout.readline() == b"up\n"
    folders = left_of(owner.pid)
    kinds = sorted(path.name[:-8] for path in folders)
    staged = ["buildwright-stage-"] if os.geteuid() == 0 else []
    assert kinds == ["buildwright-relays-", *staged, "tmp"], folders
    with temporary_folder("mine-") as mine:
        remove_abandoned_folders()
        assert all(path.is_dir() for path in folders), "their owner lives"
        owner.kill()
        await owner.wait()
        await choose("none")
        assert mine.is_dir(), "ours is at work"
    assert [path for path in (mine, *folders) if path.exists()] == []
    assert left_of(owner.pid) == []


def test_what_another_user_notes_or_what_is_no_link_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    ended = subprocess.Popen(["true"])
    ended.wait()
    mark = new_mark("folder").split("/")
    dead = "-".join([mark[0], str(ended.pid), "1", *mark[3:]])
    living, other = "-".join(mark), dead.replace("-folder-", "-home-")
    notes = [SHORT / f"buildwright-of-{name}" for name in (living, other, f"{dead}x-y")]
    plain = SHORT / f"buildwright-of-{dead}"
    try:
        for note in notes:
            note.symlink_to(kept)
        plain.mkdir()
        remove_abandoned_folders()
        assert [one for one in (kept, plain, *notes) if not one.exists()] == []
    finally:
        plain.rmdir()
        for note in notes:
            note.unlink()


def test_a_folder_in_which_something_is_mounted_keeps_it(tmp_path: Path) -> None:
    """In mounts of a process's own, as a sandbox has them."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("kept")
    program = (
        "import subprocess, sys; from pathlib import Path\n"
        "from buildwright.temporary_folders import temporary_folder\n"
        "with temporary_folder('tmp', Path(sys.argv[1])) as folder:\n"
        "    (folder / 'in').mkdir()\n"
        "    subprocess.run(['mount', '--bind', sys.argv[2], str(folder / 'in')], check=True)\n"
        "print((folder / 'in' / 'file').read_text())\n"
    )
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    own = [str(shutil.which("unshare")), *user, "--mount", sys.executable, "-c", program, str(tmp_path), str(victim)]
    done = subprocess.run(own, capture_output=True, text=True, check=False)
    assert (done.stdout, (victim / "file").read_text()) == ("kept\n", "kept"), done


def test_a_folder_is_ours_alone_and_its_name_says_nothing(tmp_path: Path) -> None:
    folder = make_temporary_folder(parent=tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(folder.name) == len("tmp") + 8
    assert folder.name.startswith("tmp")
    assert left_of(os.getpid()).count(folder) == 1
    remove_temporary_folder(folder)
    assert left_of(os.getpid()).count(folder) == 0
