"""Git objects as bytes: hashes them and writes loose ones. Must never decide what belongs in a tree.

Format: gitformat-loose-objects. An object is `type SP size NUL content`, deflated; its id is the hash of all that.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from buildwright.confined_fs import sync_folder
from buildwright.workspace.git import IDENTITY, naming_full_disk


def id_hash(width: int) -> hashlib._Hash:
    """Return what computes ids; `width` is the length of the repository's ids (40 SHA-1, 64 SHA-256)."""
    return hashlib.sha1(usedforsecurity=False) if width == 40 else hashlib.sha256()


def object_id(kind: str, content: bytes, width: int) -> str:
    """Return the id of an object; `width` is the length of the repository's ids (40 SHA-1, 64 SHA-256)."""
    state = id_hash(width)
    state.update(b"%s %d\0" % (kind.encode(), len(content)))
    state.update(content)
    return state.hexdigest()


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """The loose objects of one mirror."""

    git_dir: Path
    width: int

    def write(self, kind: str, content: bytes, *, durable: bool = True) -> str:
        """Write an object and return its id. With `durable` it is synced to disk when this returns. Raises DiskFull."""
        found = object_id(kind, content, self.width)
        folder = self.git_dir / "objects" / found[:2]
        target = folder / found[2:]
        if target.exists():
            return found
        temporary = folder / f"tmp_obj_{secrets.token_hex(6)}"
        with naming_full_disk(self.git_dir):
            try:
                folder.mkdir(exist_ok=True)
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(zlib.compress(b"%s %d\0" % (kind.encode(), len(content)) + content, 1))
                    file.flush()
                    if durable:
                        os.fsync(descriptor)
                temporary.replace(target)
                if durable:
                    sync_folder(folder)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        return found

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
