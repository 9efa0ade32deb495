"""Runs the `sh` blocks of a page as a reader would: in order, in one shell, against a real server. Judges no output."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.docs.pages import FENCE, ROOT, read

ADDRESS = "http://127.0.0.1:8321"
"""The server's address as pages name it."""
SHOWS = frozenset({"json", "text"})
"""Languages of a block that shows what the `sh` block right before it prints."""
PROGRAM = '#!/bin/sh\nexec "{python}" -m buildwright "$@"\n'
_END = "--- end of block {} ---"


class Example(NamedTuple):
    """An `sh` block, and what the page shows of its output; `language` is "" when it shows nothing."""

    script: str
    language: str = ""
    shown: str = ""


def examples(page: Path) -> list[Example]:
    """The `sh` blocks of a page."""
    found: list[Example] = []
    text = read(page)
    fences = list(FENCE.finditer(text))
    for place, fence in enumerate(fences):
        if fence[1] != "sh":
            continue
        following = fences[place + 1] if place + 1 < len(fences) else None
        adjacent = following is not None and not text[fence.end() : following.start()].strip()
        if following is not None and adjacent and following[1] in SHOWS:
            found.append(Example(fence[2], following[1], following[2]))
        else:
            found.append(Example(fence[2]))
    return found


def prepared(folder: Path) -> dict[str, str]:
    """An environment with a home of its own and the program on its PATH."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "buildwright").write_text(PROGRAM.format(python=sys.executable))
    (programs / "buildwright").chmod(0o755)
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
    own = {
        "HOME": str(folder),
        "USER": "ann",
        "BUILDWRIGHT_HOME": str(folder / "state"),
        "PYTHONPATH": str(ROOT / "src"),
    }
    return {**kept, **own, "PATH": f"{programs}:{os.environ['PATH']}"}


@contextmanager
def serving(environment: dict[str, str], folder: Path, port: int = 0) -> Iterator[str]:
    """The address of a server that runs until the end of the block."""
    command = ["buildwright", "serve", "--port", str(port)]
    out = (folder / "server.log").open("a")
    with (
        out,
        subprocess.Popen(command, env=environment, cwd=folder, stdout=out, stderr=subprocess.PIPE, text=True) as server,
    ):
        try:
            assert server.stderr is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", server.stderr.readline())
            assert found, server.stderr.read()
            yield found[0]
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=30)


def run(blocks: list[str], environment: dict[str, str], folder: Path, address: str, seconds: float) -> list[str]:
    """What each block printed. Fails with all that was said when a command fails, or none has ended after `seconds`."""
    script = "set -e\n" + "\n".join(f"{block}\necho; echo '{_END.format(n)}'" for n, block in enumerate(blocks))
    done = subprocess.run(
        ["sh", "-c", script.replace(ADDRESS, address)],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said, rest = [], done.stdout
    for n in range(len(blocks)):
        before, _, rest = rest.partition(f"\n{_END.format(n)}\n")
        said.append(before)
    return said
