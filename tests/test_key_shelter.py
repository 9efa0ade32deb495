"""Keys that this process was started with are read by no other process, and by itself as before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, os, subprocess, sys
from pathlib import Path
from buildwright.key_shelter import shelter
shelter(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "MISSING"))
block = Path("/proc/self/environ").read_bytes()
mine = os.environ["ANTHROPIC_API_KEY"]
inherited = subprocess.run([sys.executable, "-c", "import os; print(os.environ.get('ANTHROPIC_API_KEY'))"], capture_output=True)
print(b"5ecret" in block, b"kept-as-it-is" in block, mine, inherited.stdout.decode().strip())
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.parametrize("order", [1, -1])
def test_the_block_has_no_key_and_the_process_has(order: int) -> None:
    given = {"ANTHROPIC_API_KEY": "sk-5ecret-1", "OTHER": "kept-as-it-is", "OPENAI_API_KEY": "sk-5ecret-2"}
    env = {**dict(list(given.items())[::order]), "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False True sk-5ecret-1 sk-5ecret-1", "0"]


def test_the_program_shelters_its_keys_before_anything_else() -> None:
    """Seen by another process while it waits for its input."""
    env = {**os.environ, "ANTHROPIC_API_KEY": "sk-ant-5ecret-3", "BUILDWRIGHT_SECRET": "x" * 40 + "5ecret-4"}
    program = (
        "import subprocess, sys; from buildwright.cli.app import run; run(['version']);"
        "print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        while "ready" not in child.stdout.readline():
            assert child.poll() is None
        block = Path(f"/proc/{child.pid}/environ").read_bytes()
        assert b"PATH=" in block
        assert b"5ecret" not in block
        assert child.stdin is not None
        child.stdin.close()
