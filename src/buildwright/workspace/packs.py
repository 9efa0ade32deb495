"""Reads objects from git's packs, and writes small packs, in this process (gitformat-pack(5)). Must never trust a length.

What is not understood here (a newer format, a damaged pack) counts as not found: the caller then asks git itself.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

_INDEX = b"\xfftOc\0\0\0\2"
_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_BY_OFFSET, _BY_ID = 6, 7
_LONGEST_CHAIN = 5_000
_MOST_DELTAS = 4
"""How often the largest size that all deltas of an object may have together."""
_BLOCK = 1 << 16


class Damaged(Exception):
    """A file of objects is not as it should be."""


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack with its index, both mapped: they stay readable when git has removed the files."""

    index: mmap.mmap
    data: mmap.mmap
    width: int

    def find(self, name: bytes) -> int:
        """Return the place of the object with this raw id, -1 for none."""
        size, fans = self.width // 2, len(_INDEX)
        low = struct.unpack_from(">I", self.index, fans + 4 * (name[0] - 1))[0] if name[0] else 0
        high, count = (struct.unpack_from(">I", self.index, fans + 4 * one)[0] for one in (name[0], 255))
        names = fans + 1024
        while low < high:
            middle = (low + high) // 2
            found = self.index[names + size * middle : names + size * (middle + 1)]
            if found == name:
                offsets = names + (size + 4) * count
                offset: int = struct.unpack_from(">I", self.index, offsets + 4 * middle)[0]
                if offset >> 31:
                    offset = struct.unpack_from(">Q", self.index, offsets + 4 * count + 8 * (offset & 0x7FFFFFFF))[0]
                return offset
            low, high = (middle + 1, high) if found < name else (low, middle)
        return -1

    def read(self, place: int, most: int) -> tuple[str, bytes]:
        """Return kind and content of the object at a place.

        Raises Damaged, also for one of more than `most` bytes, or that is made of more than four times as many.
        """
        deltas: list[bytes] = []
        left = _MOST_DELTAS * most
        while len(deltas) < _LONGEST_CHAIN:
            kind, size, start = self._head(place)
            left -= size
            if size > most or left < 0:
                break
            if kind == _BY_OFFSET:
                back, start = self._back(start)
                place -= back
            elif kind == _BY_ID:
                place = self.find(self.data[start : start + self.width // 2])
                start += self.width // 2
            elif kind in _KINDS:
                content = self._inflate(start, size)
                for delta in reversed(deltas):
                    content = _applied(delta, content, most)
                return _KINDS[kind], content
            deltas.append(self._inflate(start, size))
            if kind not in (_BY_OFFSET, _BY_ID) or place < 0:
                break
        raise Damaged

    def _head(self, place: int) -> tuple[int, int, int]:
        """Return an entry's kind, its length when inflated, and where it goes on."""
        byte = self.data[place]
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 0x80:
            place += 1
            byte = self.data[place]
            size |= (byte & 0x7F) << shift
            shift += 7
        return kind, size, place + 1

    def _back(self, place: int) -> tuple[int, int]:
        """Return how far back the base of a delta lies, and where the entry goes on."""
        byte = self.data[place]
        far = byte & 0x7F
        while byte & 0x80:
            place += 1
            byte = self.data[place]
            far = (far + 1) << 7 | byte & 0x7F
        return far, place + 1

    def _inflate(self, place: int, size: int) -> bytes:
        stream, parts = zlib.decompressobj(), []
        left, step = size + 1, size + (size >> 10) + 64
        while not stream.eof and place < len(self.data) and left > 0:
            parts.append(stream.decompress(stream.unconsumed_tail + self.data[place : place + step], left))
            left -= len(parts[-1])
            place, step = place + step, _BLOCK
        content = b"".join(parts)
        if len(content) != size:
            raise Damaged
        return content


def _applied(delta: bytes, base: bytes, most: int) -> bytes:
    """Return what a delta makes of its base ("Deltified representation")."""

    def number(place: int) -> tuple[int, int]:
        found = shift = 0
        while True:
            byte = delta[place]
            found |= (byte & 0x7F) << shift
            place, shift = place + 1, shift + 7
            if not byte & 0x80:
                return found, place

    old, place = number(0)
    new, place = number(place)
    if old != len(base) or new > most:
        raise Damaged
    parts: list[bytes] = []
    left = new
    while place < len(delta) and left >= 0:
        order = delta[place]
        place += 1
        if order & 0x80:
            offset = size = 0
            for bit in range(7):
                if order >> bit & 1:
                    value, place = delta[place], place + 1
                    if bit < 4:
                        offset |= value << 8 * bit
                    else:
                        size |= value << 8 * (bit - 4)
            parts.append(base[offset : offset + (size or 0x10000)])
        else:
            parts.append(delta[place : place + order])
            place += order
        left -= len(parts[-1])
    content = b"".join(parts)
    if len(content) != new:
        raise Damaged
    return content


class Packs:
    """The packs of one object directory, each opened once; new ones are looked for when an object is not found.

    For one operation: a pack stays mapped, and its space on the disk taken, until this is dropped.
    """

    def __init__(self, objects: Path, width: int) -> None:
        """`width` is the length of the repository's ids (40 SHA-1, 64 SHA-256)."""
        self._folder, self._width = objects / "pack", width
        self._opened: dict[str, Pack] = {}

    def read(self, name: bytes, most: int) -> tuple[str, bytes] | None:
        """Return kind and content of the object with this raw id, None for none. Raises as `Pack.read` does."""
        for pack in chain(tuple(self._opened.values()), self._new()):
            place = pack.find(name)
            if place >= 0:
                return pack.read(place, most)
        return None

    def _new(self) -> Iterator[Pack]:
        """Open and yield the packs that are not yet open and can be read here, newest first."""
        try:
            with os.scandir(self._folder) as entries:
                found = [entry for entry in entries if entry.name.endswith(".idx") and entry.name not in self._opened]
            names = sorted(((entry.stat().st_mtime_ns, entry.name) for entry in found), reverse=True)
        except OSError:
            return
        for _, name in names:
            path = str(self._folder / name)
            try:
                pack = Pack(_mapped(path), _mapped(path.removesuffix(".idx") + ".pack"), self._width)
            except (OSError, ValueError):
                continue
            if pack.index[: len(_INDEX)] == _INDEX and pack.data[:4] == b"PACK":
                self._opened[name] = pack
                yield pack


def packed(kind: str, content: bytes) -> bytes:
    """Return an object as an entry of a pack."""
    (number,) = (number for number, name in _KINDS.items() if name == kind)
    head, size = bytearray([number << 4 | len(content) & 15]), len(content) >> 4
    while size:
        head[-1] |= 0x80
        head.append(size & 0x7F)
        size >>= 7
    return bytes(head) + zlib.compress(content, 1)


def write_pack(folder: Path, entries: Mapping[str, bytes], width: int) -> None:
    """Write a pack of these objects (see `packed`, by id) and its index to a folder. It is not synced to disk."""
    data = bytearray(b"PACK" + struct.pack(">II", 2, len(entries)))
    places: dict[str, tuple[int, int]] = {}
    for name, entry in entries.items():
        places[name] = zlib.crc32(entry), len(data)
        data += entry
    data += id_hash(width, data).digest()
    names = sorted(places)
    first = [int(name[:2], 16) for name in names]
    index = bytearray(_INDEX + struct.pack(">256I", *(bisect_right(first, byte) for byte in range(256))))
    index += b"".join(map(bytes.fromhex, names))
    for part in (0, 1):
        index += struct.pack(f">{len(names)}I", *(places[name][part] for name in names))
    index += data[-width // 2 :]
    index += id_hash(width, index).digest()
    place = folder / f"pack-{data[-width // 2 :].hex()}"
    place.with_suffix(".pack").write_bytes(data)
    place.with_suffix(".idx").write_bytes(index)


def id_hash(width: int, content: bytes | bytearray = b"") -> hashlib._Hash:
    """Return what computes ids; `width` is the length of the repository's ids (40 SHA-1, 64 SHA-256)."""
    return hashlib.sha1(content, usedforsecurity=False) if width == 40 else hashlib.sha256(content)


def _mapped(path: str) -> mmap.mmap:
    with open(path, "rb") as file:  # noqa: PTH123
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
