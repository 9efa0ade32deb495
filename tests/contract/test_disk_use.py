"""What one command may write on disk in all, in every sandbox: real files on the file system of the tests."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildwright.ports import Completed, Sandbox
from buildwright.sandbox.disk_use import DiskUse
from buildwright.temporary_folders import temporary_folder
from tests.contract.test_sandbox import python, sandbox, shell

__all__ = ["sandbox"]

MEBIBYTE = 1024**2
MOST = 200 * MEBIBYTE
OVER = "more than 200 MiB on disk"
WRITES = "import os, time\nblock = b'x' * 50_000_000\ndef write(file):\n    os.write(file, block)\n"


@pytest.fixture
def lane() -> Iterator[Path]:
    """A folder below /tmp, where every user may walk."""
    name = tempfile.mkdtemp(prefix="disk-", dir="/tmp")
    Path(name).chmod(0o755)
    yield Path(name)
    for words in (("chmod", "-R", "u+rwX"), ("rm", "-rf")):  # some are nested too deep for shutil.rmtree
        subprocess.run((*words, "--", name), check=True)


async def ran(sandbox: Sandbox, lane: Path, program: str) -> Completed:
    return await sandbox.run(python(lane, WRITES + program, disk_bytes=MOST, seconds=30.0))


BOMBS = {
    "many files": "for n in range(40):\n    with open(f'f{n}', 'wb') as file: write(file.fileno())\n",
    "files in folders": (
        "for n in range(40):\n    os.makedirs(f'a/{n}')\n    with open(f'a/{n}/f', 'wb') as file: write(file.fileno())\n"
    ),
    "files without a name": (
        "held = []\nfor n in range(40):\n    held.append(open('f', 'wb', buffering=0))\n    os.unlink('f')\n"
        "    write(held[-1].fileno())\n"
    ),
    "mapped files without a name": (
        "import mmap\nheld = []\nfor n in range(40):\n    with open('f', 'w+b', buffering=0) as file:\n"
        "        write(file.fileno())\n        held.append(mmap.mmap(file.fileno(), len(block)))\n    os.unlink('f')\n"
        "    os.sync()\n"
    ),
    "a closed folder": (
        "os.mkdir('closed')\nos.chdir('closed')\nos.chmod('.', 0o300)\n"
        "for n in range(40):\n    with open(f'f{n}', 'wb') as file: write(file.fileno())\n"
    ),
    "a deep folder": (
        "for n in range(3000):\n    os.mkdir('d')\n    os.chdir('d')\n"
        "for n in range(40):\n    with open(f'f{n}', 'wb') as file: write(file.fileno())\n"
    ),
}


@pytest.mark.parametrize("kind", BOMBS)
async def test_what_fills_the_disk_is_ended_and_says_so(sandbox: Sandbox, lane: Path, kind: str) -> None:
    done = await ran(sandbox, lane, BOMBS[kind] + "time.sleep(600)")
    assert (done.limit, done.exit_code in {0, None}) == (OVER, False), done
    assert f"ended by buildwright: {OVER}" in done.output.decode()


HARMLESS = {
    "less": "for n in range(3):\n    with open(f'f{n}', 'wb') as file: write(file.fileno())\n",
    "the same file again and again": (
        "for n in range(12):\n    with open('f', 'wb') as file:\n        write(file.fileno())\n        os.fsync(file.fileno())\n"
    ),
    "a file with other names": (
        "with open('f', 'wb') as file: write(file.fileno())\nfor n in range(20): os.link('f', f'g{n}')\n"
        "for n in range(4):\n    with open('h', 'wb') as file: write(file.fileno())\n"
    ),
    "holes": (
        "for n in range(20):\n    with open(f'f{n}', 'wb') as file: os.truncate(file.fileno(), 10**9)\n"
        "for n in range(4):\n    with open('h', 'wb') as file: write(file.fileno())\n"
    ),
    "links out of the folder": (
        "for n in range(5): os.symlink('/usr', f'usr{n}')\n"
        "for n in range(9):\n    with open('h', 'wb') as file:\n        write(file.fileno())\n        os.fsync(file.fileno())\n"
    ),
}


@pytest.mark.parametrize("kind", HARMLESS)
async def test_what_takes_less_is_not_ended(sandbox: Sandbox, lane: Path, kind: str) -> None:
    """Blocks count, each once: not lengths, not names, not what has been written over, and not what was there before."""
    (lane / "before").write_bytes(b"y" * MOST)
    done = await ran(sandbox, lane, HARMLESS[kind] + "time.sleep(0.5)")
    assert (done.limit, done.exit_code, done.output) == ("", 0, b"")


async def test_all_folders_that_a_command_may_write_count_together(sandbox: Sandbox, lane: Path) -> None:
    folders = [lane / name for name in ("lane", "home")]
    for folder in folders:
        folder.mkdir()
    script = "; ".join(f"head -c 120000000 /dev/zero > {folder}/f" for folder in folders)
    command = shell(folders[0], f"{script}; sleep 60", writable=(folders[1],), disk_bytes=MOST, seconds=30.0)
    assert (await sandbox.run(command)).limit == OVER


def test_only_its_own_files_count_whatever_others_write_on_the_same_disk(lane: Path) -> None:
    own, others = lane / "own", lane / "others"
    own.mkdir()
    others.mkdir()
    use = DiskUse([own], 20 * MEBIBYTE)
    written(others / "f", 30)
    assert use.look() == "more than 20 MiB on disk", "that can be"
    assert use.count([os.getpid()]) == "", "and is not so"
    written(own / "f", 15)
    assert use.count([os.getpid()]) == ""
    written(own / "g", 15)
    assert use.look() == use.count([os.getpid()]) == "more than 20 MiB on disk"


def written(file: Path, mebibytes: int) -> None:
    with file.open("wb") as opened:
        opened.write(b"x" * mebibytes * MEBIBYTE)
        os.fsync(opened.fileno())


async def test_folders_deeper_than_python_can_recurse_trouble_no_one(sandbox: Sandbox) -> None:
    """They are given back to their owner and removed, whether the command made them in its own folder or its home."""
    with temporary_folder("buildwright-") as folder:
        done = await sandbox.run(
            python(folder, "import os\nfor n in range(3000):\n    os.mkdir('d')\n    os.chdir('d')")
        )
        assert (done.exit_code, done.output) == (0, b"")
        assert (folder / "d").stat().st_uid == os.geteuid()
        assert (folder.joinpath(*["d"] * 1500)).stat().st_uid == os.geteuid()
    assert not folder.exists()
