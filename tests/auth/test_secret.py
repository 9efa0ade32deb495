"""The key that signs tokens: given, or made once, whoever makes it at the same time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from buildwright.auth import Signer, secret_key
from buildwright.errors import BadSettings, CouldNot
from buildwright.settings import Settings
from buildwright.wiring.adapters import masked

MAKE = """
import sys
from pathlib import Path
from buildwright.auth import secret_key
sys.stdin.readline()
print(secret_key(Path(sys.argv[1]), {}).hex())
"""


def test_a_key_of_the_environment_comes_first_and_leaves_no_file(tmp_path: Path) -> None:
    assert secret_key(tmp_path, {"BUILDWRIGHT_SECRET": "x" * 32}) == b"x" * 32
    assert secret_key(tmp_path, {"BUILDWRIGHT_SECRET": f" {'é' * 16}\n"}) == ("é" * 16).encode()
    assert list(tmp_path.iterdir()) == []


def test_a_short_key_is_named_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"BUILDWRIGHT_SECRET.*31 bytes") as refused:
        secret_key(tmp_path, {"BUILDWRIGHT_SECRET": "x" * 31})
    assert "xxx" not in f"{refused.value}{refused.value.fix}"
    assert refused.value.fix


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    key = secret_key(home, {"BUILDWRIGHT_SECRET": ""})
    Signer(key)
    assert secret_key(home, {}) == key
    assert secret_key(tmp_path / "another", {}) != key
    assert [file.name for file in home.iterdir()] == ["secret.key"]
    assert stat.S_IMODE((home / "secret.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_processes_that_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKE, str(tmp_path / "home")]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(6)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = {process.communicate(timeout=60)[0].strip() for process in started}
    assert {process.returncode for process in started} == {0}
    assert answers == {secret_key(tmp_path / "home", {}).hex()}
    assert [file.name for file in (tmp_path / "home").iterdir()] == ["secret.key"]


def test_a_file_that_others_can_read_or_that_has_no_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    secret_key(tmp_path, {})
    file.chmod(0o640)
    with pytest.raises(BadSettings, match="read by others"):
        secret_key(tmp_path, {})
    file.chmod(0o600)
    file.write_text("")
    with pytest.raises(BadSettings, match="damaged"):
        secret_key(tmp_path, {})
    file.unlink()
    file.mkdir()
    with pytest.raises(CouldNot, match=r"secret\.key"):
        secret_key(tmp_path, {})


def test_a_home_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(CouldNot, match="home"):
        secret_key(tmp_path / "home", {})


def test_the_key_of_the_environment_is_masked(tmp_path: Path) -> None:
    key = os.urandom(32).hex()
    settings = Settings(tmp_path, {"BUILDWRIGHT_SECRET": key})
    assert key not in masked(settings, f"said {key}")
    assert key not in repr(settings)
