"""Loads the engine that searches for secrets, kingfisher_sdk, with its catalogue and our rules. Must never filter.

The rules are compiled on first use (some seconds of CPU) and kept in a directory that all processes of a home share;
a process that finds them there loads them in about half a second. Nothing is asked over a network.
"""

from __future__ import annotations

import os
import random
import string
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildwright.errors import ToolMissing

if TYPE_CHECKING:
    from kingfisher_sdk import Scanner

RULES = Path(__file__).with_name("rules.yml")
PREFIX = "buildwright."
"""Begins the ids of our own rules."""

Progress = Callable[[str], None]
_PROBE = b"ghp_" + "".join(random.Random(0).choices(string.ascii_letters + string.digits, k=36)).encode()  # noqa: S311
"""Has the form of a key and is none."""
_lock = threading.Lock()
_loaded: list[Scanner] = []


class Hit(NamedTuple):
    """One match: the rule's id, the secret, and the bytes of the content where it begins and ends."""

    rule: str
    value: bytes
    start: int
    end: int
    encoded: bool
    """Whether the place holds it in base64."""


def load(folder: Path | None, say: Progress | None = None) -> Scanner:
    """Return the scanner of this process; `folder` keeps the compiled rules, `say` is told when they are compiled.

    Takes seconds the first time and does not hold the interpreter meanwhile: call it in a thread. Raises ToolMissing.
    """
    with _lock:
        if not _loaded:
            _loaded.append(_load(folder, say))
        return _loaded[0]


def _load(folder: Path | None, say: Progress | None) -> Scanner:
    try:
        from kingfisher_sdk import DetectionPolicy, Rules, Scanner
    except ImportError as error:
        raise ToolMissing(
            f"secrets cannot be searched for: kingfisher-secret-scanner cannot be loaded ({error})",
            fix="install it again: pip install --force-reinstall kingfisher-secret-scanner",
        ) from error
    folder = None if os.environ.get("KF_RULE_CACHE_DIR") else folder
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if say is not None and not any(folder.iterdir()):
            say("Compiling the rules for secrets, once for this home; this takes some seconds.")
    try:
        rules = Rules([RULES], confidence="low", cache_dir=folder)
        return Scanner(rules, policy=DetectionPolicy(inline_ignores=False))
    except (ValueError, RuntimeError, OSError) as error:
        raise ToolMissing(
            f"secrets cannot be searched for: the rules cannot be loaded ({error})",
            fix=f"remove {folder} and try again" if folder else "unset KF_RULE_CACHE_DIR and try again",
        ) from error


def search(scanner: Scanner, path: str, content: bytes) -> list[Hit]:
    """Return every match in the content; `path` is told to rules that look at file names.

    The engine leaves out files of many names (lock files, pictures, `node_modules`), where a key is one all the same.
    A key of our own after the content tells whether it has looked; if not, it looks again, under a plain name.
    """
    probed = content + b"\n" + _PROBE + b"\n"
    hits = _search(scanner, path, probed)
    if not any(hit.value == _PROBE and hit.start > len(content) for hit in hits):
        hits = _search(scanner, "plain.txt", probed)
    return [hit for hit in hits if hit.start < len(content)]


def _search(scanner: Scanner, path: str, content: bytes) -> list[Hit]:
    from kingfisher_sdk import ScanInput

    hits = []
    for one in scanner.scan_input(ScanInput(path=path, data=content)):
        if one.visible:
            place, value = one.location, one.secret.encode("utf-8", "surrogateescape")
            hits.append(Hit(one.rule_id, value, place["start_offset"], place["end_offset"], one.is_base64_encoded))
    return hits
