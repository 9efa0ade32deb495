"""Folders for the time of one command, whose owner is noted: what a killed process left, the next one removes.

The folder's own name says nothing, because judged code sees it; a link in /tmp, from the owner to the folder, does. Must
never remove a folder without such a link of this user's own, or whose owner lives.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from buildwright.process_table import is_abandoned, new_mark, pid_namespace

SHORT = Path("/tmp")  # noqa: S108
"""Where the paths of sockets stay short enough (unix(7)), whatever TMPDIR says."""
_NOTE = "buildwright-of-"
_OURS = "folder"
"""What a mark names in place of a home: any process of this user may remove the folder."""
_PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789_"
_notes: dict[Path, Path] = {}
"""The link of each folder of this process."""


@contextmanager
def temporary_folder(prefix: str = "tmp", parent: Path | None = None) -> Iterator[Path]:
    """Yield a new folder of this user alone (0700), and remove it with all that is in it."""
    folder = make_temporary_folder(prefix, parent)
    try:
        yield folder
    finally:
        remove_temporary_folder(folder)


def make_temporary_folder(prefix: str = "tmp", parent: Path | None = None) -> Path:
    """Make a folder that is removed by `remove_temporary_folder`. `parent` is the one that TMPDIR names, if left out."""
    folder = (parent or Path(tempfile.gettempdir())) / (prefix + "".join(secrets.choice(_PLAIN) for _ in range(8)))
    note = SHORT / f"{_NOTE}{new_mark(_OURS).replace('/', '-')}"
    # The link first: whenever this process is killed, there is no folder without one.
    note.symlink_to(folder)
    _notes[folder] = note
    try:
        folder.mkdir(mode=0o700)
    except OSError:
        _notes.pop(folder).unlink()
        raise
    return folder


def remove_temporary_folder(folder: Path) -> None:
    """Remove a folder of this process, as far as that is possible."""
    _remove(folder)
    if (note := _notes.pop(folder, None)) is not None:
        note.unlink(missing_ok=True)


def abandoned_folders() -> dict[Path, Path]:
    """Return the folders that dead processes of this user left, by their links. Empty where there is no /proc."""
    found: dict[Path, Path] = {}
    if pid_namespace() == "-":
        return found
    for note in SHORT.glob(f"{_NOTE}*"):
        # It may be removed meanwhile, by its owner or by another that cleans up.
        with contextlib.suppress(OSError):
            mine = note.lstat().st_uid == os.geteuid() and note.is_symlink()
            if mine and is_abandoned(note.name.removeprefix(_NOTE).replace("-", "/"), [_OURS]):
                found[note] = note.readlink()
    return found


def remove_abandoned_folders() -> int:
    """Remove what dead processes of this user left; return the number of folders. Blocks."""
    found = abandoned_folders()
    for note, folder in found.items():
        _remove(folder)
        note.unlink(missing_ok=True)
    return len(found)


def _remove(folder: Path) -> None:
    if _holds_a_mount(folder):
        return  # what is seen there lies elsewhere
    try:
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.is_dir() or folder.is_symlink():
            return
        # Folders that may not be written, such as those of Go's modules, keep their files.
        for _, names, _, descriptor in os.fwalk(folder, follow_symlinks=False):
            for name in (".", *names):
                with contextlib.suppress(OSError):
                    if not Path(f"/proc/self/fd/{descriptor}/{name}").is_symlink():
                        os.chmod(name, 0o700, dir_fd=descriptor)
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        pass
    if folder.is_dir() and not folder.is_symlink():
        # What ran there can nest folders deeper than Python can recurse.
        for words in (("chmod", "-R", "u+rwX"), ("rm", "-rf")):
            subprocess.run((*words, "--", str(folder)), check=False, stderr=subprocess.DEVNULL)


def _holds_a_mount(folder: Path) -> bool:
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.split()[4].startswith(f"{folder}/") for line in mounts)
