"""Writes, reads and deletes files below a directory. Must never leave it, nor follow a symbolic link.

One `openat2` with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS (Linux 5.6, openat2(2)) opens the
directory; where the kernel lacks it, each part is opened with O_NOFOLLOW. After that only the open directory is used,
so replacing a directory by a link in between has no effect.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from buildwright.core.paths import check_path
from buildwright.errors import DiskFull, NotFound, UnsafePath

_SYS_OPENAT2 = 437
_BENEATH = 0x02 | 0x04 | 0x08  # RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS = {errno.ELOOP, errno.ENOTDIR, errno.EXDEV}


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def write_beneath(root: Path, path: str, content: bytes, executable: bool | None = None) -> None:
    """Create or replace the file `path` below `root` atomically, and make missing directories.

    `executable` None keeps the executable bit of an existing file. Raises UnsafePath when the path is refused, goes
    through a link or names something that is no plain file; DiskFull.
    """
    path = check_path(path)
    with _parent(root, path, create=True) as (directory, name):
        before = _look(directory, name)
        if before is not None and not stat.S_ISREG(before.st_mode):
            raise _refused(path, "something that is not a plain file is there")
        if executable is None:
            executable = before is not None and bool(before.st_mode & stat.S_IXUSR)
        temporary = f".buildwright-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o755 if executable else 0o644, dir_fd=directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            _unlink(directory, temporary)
            raise


def append_beneath(root: Path, path: str, content: bytes) -> None:
    """Append to the file `path` below `root`, made for us alone (0600) if it is missing. Waits for no reader.

    Raises UnsafePath when it is no plain file, or has a second name (hard link), which may lie anywhere; DiskFull.
    """
    path = check_path(path)
    with _parent(root, path, create=False) as (directory, name):
        # O_NONBLOCK: a FIFO planted here must not block the writer.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), "wb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise _refused(path, "it is not a plain file of this folder alone")
            file.write(content)


def read_beneath(root: Path, path: str, limit: int) -> bytes:
    """Return at most `limit` bytes of a file below `root`. Raises NotFound; UnsafePath for what is no plain file."""
    path = check_path(path)
    with _parent(root, path, create=False) as (directory, name):
        # O_NONBLOCK: a FIFO planted here must not block the reader.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, dir_fd=directory), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _refused(path, "it is not a plain file")
            return file.read(limit)


def read_link_beneath(root: Path, path: str) -> bytes:
    """Return the target of a symbolic link below `root`. Raises NotFound; UnsafePath for what is no link."""
    path = check_path(path)
    with _parent(root, path, create=False) as (directory, name):
        return os.fsencode(os.readlink(name, dir_fd=directory))


def move_beneath(root: Path, path: str, folder: Path) -> None:
    """Move a directory to `path` below `root`, where nothing or an empty directory may be. Raises UnsafePath."""
    path = check_path(path)
    with _parent(root, path, create=True) as (directory, name):
        os.replace(folder, name, dst_dir_fd=directory)


def delete_beneath(root: Path, path: str) -> bool:
    """Delete the file or link `path` below `root`; return whether it existed. Raises UnsafePath for a directory."""
    path = check_path(path)
    try:
        with _parent(root, path, create=False) as (directory, name):
            found = _look(directory, name)
            if found is not None and stat.S_ISDIR(found.st_mode):
                raise _refused(path, "it is a directory")
            return _unlink(directory, name)
    except NotFound:
        return False


@contextmanager
def _parent(root: Path, path: str, *, create: bool) -> Iterator[tuple[int, str]]:
    """Yield the open directory that holds `path`, and the file's name in it. Raises UnsafePath, NotFound, DiskFull."""
    *parents, name = path.split("/")
    try:
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            directory = _open_directory(top, parents, create=create)
            try:
                yield directory, name
            finally:
                os.close(directory)
        finally:
            os.close(top)
    except OSError as error:
        if error.errno in _LINKS:
            raise _refused(path, "a part of it is a link or no directory") from error
        if error.errno in {errno.EISDIR, errno.ENXIO, errno.EINVAL}:
            raise _refused(path, "it is not a plain file") from error
        if error.errno == errno.ENOENT:
            raise NotFound(f"There is no file {path!r}.") from error
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise DiskFull(f"No space is left to write {path!r}.", fix="Free some space, then continue.") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG}:
            raise _refused(path, os.strerror(error.errno).lower()) from error
        raise


def _open_directory(top: int, parts: list[str], *, create: bool) -> int:
    """Open the directory `parts` below the open directory `top`; make missing ones if `create`. Raises OSError."""
    if _has_openat2():
        try:
            return _openat2(top, "/".join(parts) or ".", _DIRECTORY)
        except FileNotFoundError:
            if not create:
                raise
    return _walk(top, parts, create=create)


def _walk(top: int, parts: list[str], *, create: bool) -> int:
    """Open the directory part by part, refusing a link at each: for kernels without openat2. Raises OSError."""
    current = os.dup(top)
    try:
        for part in parts:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=current)
            below = os.open(part, _DIRECTORY, dir_fd=current)
            os.close(current)
            current = below
    except BaseException:
        os.close(current)
        raise
    return current


@cache
def _has_openat2() -> bool:
    """Return whether this kernel offers openat2 to this process."""
    # 437 is the number of openat2 on these architectures; a container's seccomp filter may still refuse the call.
    if platform.system() != "Linux" or platform.machine() not in {"x86_64", "aarch64"}:
        return False
    try:
        os.close(_openat2(-100, "/", os.O_PATH | os.O_CLOEXEC, resolve=0))
    except OSError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: only after this a new or renamed file survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _openat2(directory: int, path: str, flags: int, *, resolve: int = _BENEATH) -> int:
    """Call openat2(2) and return the new file descriptor. Raises OSError."""
    how = _OpenHow(flags, 0, resolve)
    libc = ctypes.CDLL(None, use_errno=True)
    while True:
        found: int = libc.syscall(_SYS_OPENAT2, directory, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
        if found >= 0:
            return found
        number = ctypes.get_errno()
        # EAGAIN: a part of the path was renamed meanwhile, so the kernel asks to try again.
        if number not in {errno.EAGAIN, errno.EINTR}:
            raise OSError(number, os.strerror(number), path)


def _look(directory: int, name: str) -> os.stat_result | None:
    """Return the status of a name in an open directory, links not followed; None when it does not exist."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _unlink(directory: int, name: str) -> bool:
    """Delete a name in an open directory; return whether it existed."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return False
    return True


def _refused(path: str, why: str) -> UnsafePath:
    return UnsafePath(f"The path {path!r} is refused: {why}.", fix="Name a plain file inside the repository.")
