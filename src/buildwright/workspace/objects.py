"""Git objects as bytes: hashes, reads and writes them, without a process. Must never decide what belongs in a tree.

Format: gitformat-loose-objects. An object is `type SP size NUL content`, deflated; its id is the hash of all that.
"""

from __future__ import annotations

import os
import secrets
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from buildwright.workspace.git import IDENTITY, naming_full_disk
from buildwright.workspace.packs import Damaged, Packs, id_hash

_MOST = 16_000_000
"""Bytes of an object that is read into memory here."""
_LONGEST_HEAD = 64


def object_id(kind: str, content: bytes, width: int) -> str:
    """Return the id of an object; `width` is the length of the repository's ids (40 SHA-1, 64 SHA-256)."""
    state = id_hash(width)
    state.update(b"%s %d\0" % (kind.encode(), len(content)))
    state.update(content)
    return state.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ObjectStore:
    """The objects of one mirror, for one operation: the packs that were read stay open as long as this is there."""

    def __init__(self, git_dir: Path, width: int) -> None:
        """`width` is the length of the repository's ids (40 SHA-1, 64 SHA-256)."""
        self.git_dir, self.width = git_dir, width
        self._packs = Packs(git_dir / "objects", width)

    def read(self, name: str, kind: str, most: int = _MOST) -> bytes | None:
        """Return the content of an object of this kind, hashed again; None if only git can tell about it.

        So it is when the object is not here, is damaged, of another kind, or of more than `most` bytes.
        """
        if len(name) != self.width:
            return None
        try:
            found = self._read_loose(name, most) or self._packs.read(bytes.fromhex(name), most)
        except (Damaged, OSError, ValueError, IndexError, struct.error, zlib.error):
            return None
        if found is None or found[0] != kind or object_id(kind, found[1], self.width) != name:
            return None
        return found[1]

    def _read_loose(self, name: str, most: int) -> tuple[str, bytes] | None:
        try:
            with (self.git_dir / "objects" / name[:2] / name[2:]).open("rb") as file:
                # What cannot be deflated becomes about a thousandth longer.
                if os.fstat(file.fileno()).st_size > most + most // 100 + 2 * _LONGEST_HEAD:
                    raise Damaged
                packed = file.read()
        except FileNotFoundError:
            return None
        stream = zlib.decompressobj()
        head, end, content = stream.decompress(packed, _LONGEST_HEAD).partition(b"\0")
        kind, _, size = head.decode().partition(" ")
        if not end or not 0 <= int(size) <= most:
            raise Damaged
        content += stream.decompress(stream.unconsumed_tail, int(size) + 1)
        return kind, content

    def write(self, kind: str, content: bytes, *, durable: bool = True) -> str:
        """Write an object and return its id. With `durable` it is synced to disk when this returns. Raises DiskFull."""
        with self.together(durable=durable) as write:
            return write(kind, content)

    @contextmanager
    def together(self, *, durable: bool = True) -> Iterator[Callable[[str, bytes], str]]:
        """Yield a function that writes an object of a kind and returns its id; all are there when the block ends.

        With `durable` they are synced to disk by then, all at once. Nothing is written if the block raises. Raises DiskFull.
        """
        drafts: dict[Path, Path] = {}

        def write(kind: str, content: bytes) -> str:
            found = object_id(kind, content, self.width)
            target = self.git_dir / "objects" / found[:2] / found[2:]
            if target not in drafts and not target.exists():
                draft = target.with_name(f"tmp_obj_{secrets.token_hex(6)}")
                target.parent.mkdir(exist_ok=True)
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
                drafts[target] = draft
                with os.fdopen(descriptor, "wb") as file:
                    file.write(zlib.compress(b"%s %d\0" % (kind.encode(), len(content)) + content, 1))
            return found

        with naming_full_disk(self.git_dir):
            try:
                yield write
                if durable:
                    for draft in drafts.values():
                        _sync(draft)
                for target, draft in drafts.items():
                    draft.replace(target)
                if durable:
                    for folder in dict.fromkeys(target.parent for target in drafts):
                        _sync(folder)
            except BaseException:
                for draft in drafts.values():
                    draft.unlink(missing_ok=True)
                raise

    def commit(
        self,
        tree: str,
        parents: tuple[str, ...],
        message: str,
        at: datetime,
        author: str = IDENTITY,
        *,
        durable: bool = True,
        sign: Callable[[bytes], str] | None = None,
    ) -> str:
        """Write a commit by `author` (`Name <address>`) and return its id; the same input gives the same id.

        So it is of a signed one if `sign`, which gets the content without the signature, returns the same again.
        """
        stamp = f"{author} {int(at.timestamp())} +0000"
        head = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {stamp}", f"committer {stamp}"]
        body = message.replace("\0", "").encode("utf-8", "replace").strip() + b"\n"
        if sign is not None:
            # gitformat-signature(5): a header of its own, each further line of it behind a space.
            signature = sign("\n".join(head).encode() + b"\n\n" + body).rstrip("\n").replace("\n", "\n ")
            head.append(f"{'gpgsig' if self.width == 40 else 'gpgsig-sha256'} {signature}")
        return self.write("commit", "\n".join(head).encode() + b"\n\n" + body, durable=durable)
