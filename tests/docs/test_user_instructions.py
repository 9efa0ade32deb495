"""The instructions for users work as they stand: their blocks are run in order, in one shell, against a real server."""

from __future__ import annotations

import inspect
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.docs.pages import ROOT, blocks, read

PAGE = ROOT / "USER_INSTRUCTIONS.md"
PROGRAM = '#!/bin/sh\nexec "{python}" -m buildwright "$@"\n'


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
def serving(environment: dict[str, str], folder: Path) -> Iterator[str]:
    """The address of a server that runs until the end of the block."""
    command = ["buildwright", "serve", "--port", "0"]
    out = (folder / "server.log").open("w")
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


def test_the_blocks_work_one_after_the_other(tmp_path: Path) -> None:
    environment = prepared(tmp_path)
    with serving(environment, tmp_path) as address:
        script = "set -e\n" + "\n".join(blocks(PAGE, "sh"))
        assert script.count("http://127.0.0.1:8321") == 1
        script = script.replace("http://127.0.0.1:8321", address)
        done = subprocess.run(
            ["sh", "-c", script],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert '"user_id":"ann"' in said
    assert '{"path":"greeting.txt","size_bytes":6,"language":"text"}' in said
    assert "}hello\n" in said
    assert "# Hello" in said
    assert "'delivered_to': ['greet']" in said
    assert '"pause_phase": "Greeting"' in said
    assert '"status":"cancelled"' in said


def test_the_port_of_the_page_is_that_of_the_program() -> None:
    from buildwright.cli.serve import serve

    named = inspect.signature(serve).parameters
    assert f"http://{named['host'].default}:{named['port'].default}" in read(PAGE)


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", read(PAGE)):
        assert (ROOT / target).exists(), target
