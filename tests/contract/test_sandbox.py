"""The contract of the port `Sandbox`, over every implementation."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from buildwright.errors import BadSettings, ToolMissing
from buildwright.ports import Command, Sandbox
from buildwright.sandbox import Bubblewrap, NoSandbox, choose
from buildwright.sandbox.container import ContainerSandbox
from buildwright.sandbox.execution import HeadAndTail
from buildwright.shared_folders import beside, make_shared, shared_in
from tests.podman import Podman

PYTHON = Path(sys.executable).name
SANDBOXES: dict[str, Sandbox] = {"none": NoSandbox(), "bubblewrap": Bubblewrap()}
NAMES = (*SANDBOXES, *(["container"] if os.environ.get("BUILDWRIGHT_PROOFS") == "full" else []))
"""Containers need an engine: `make containers`."""
ENV = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"}


@pytest.fixture(params=NAMES)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    if request.param == "container" and "container" not in SANDBOXES:
        engine: Podman = request.getfixturevalue("podman")
        SANDBOXES["container"] = ContainerSandbox(environment={"DOCKER_HOST": engine.address})
    return SANDBOXES[request.param]


def shell(folder: Path, script: str, **more: object) -> Command:
    return Command(("sh", "-c", script), folder, ENV, **more)  # type: ignore[arg-type]


def python(folder: Path, program: str, **more: object) -> Command:
    return Command((PYTHON, "-c", program), folder, ENV, **more)  # type: ignore[arg-type]


def alive(mark: str) -> list[int]:
    """Processes of this machine that carry a mark in their command line."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE and mark in " ".join(process.info["cmdline"] or ())
    ]


@pytest.fixture
def no_new_zombies() -> Iterator[None]:
    """A command leaves no child of ours unreaped (those that other tests left in this process do not count)."""
    before = our_zombies()
    yield
    assert our_zombies() - before == set()


def our_zombies() -> set[psutil.Process]:
    return {child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE}


async def test_output_exit_code_and_files_arrive(sandbox: Sandbox, tmp_path: Path) -> None:
    pieces: list[bytes] = []
    command = shell(tmp_path, "cat; echo err >&2; pwd; echo made > made.txt; exit 7", stdin=b"in\n")
    done = await sandbox.run(command, pieces.append)
    assert done.exit_code == 7
    assert done.output == b"in\nerr\n" + os.fsencode(tmp_path) + b"\n"
    assert b"".join(pieces) == done.output
    assert not done.cut
    assert done.started_at.utcoffset() is not None
    assert (tmp_path / "made.txt").read_text() == "made\n"
    assert (tmp_path / "made.txt").stat().st_uid == os.geteuid()


async def test_a_shared_folder_is_changed_for_one_checkout_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    kept, one, other = (tmp_path / name for name in ("kept", "one, it is", "other"))
    for folder in (kept, one, other):
        folder.mkdir()
    (kept / "made").write_text("as made")
    if not await sandbox.shares(beside(one)):
        assert sandbox.name in {"none", "container"}, "this kernel mounts no overlays for us"
        return
    for files in (one, other):
        make_shared(files, "deps", kept)
    changes = "cat deps/made && echo changed > deps/made && rm deps/made && echo more > deps/more && ls deps"
    for files in (one, other):
        done = await sandbox.run(shell(files, changes, shared=shared_in(files)))
        assert done.output == b"as mademore\n", files
    again = await sandbox.run(shell(one, "cat deps/*", shared=shared_in(one)))
    assert again.output == b"more\n", "it stays for the commands that follow"
    assert (kept / "made").read_text() == "as made"
    assert [path.name for path in kept.iterdir()] == ["made"]


async def test_a_signal_gives_the_code_a_shell_gives(sandbox: Sandbox, tmp_path: Path) -> None:
    done = await sandbox.run(shell(tmp_path, "kill -9 $$"))
    assert done.exit_code == 137


async def test_the_environment_is_the_given_one(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILDWRIGHT_CANARY", "canary-7f3a")
    done = await sandbox.run(Command(("env",), tmp_path, {**ENV, "CI": "1"}))
    names = {line.split("=")[0] for line in done.output.decode().splitlines()}
    marks = {name for name in names if name.endswith("_ID")}  # of the sandbox that has no namespaces
    assert len(marks) == (sandbox.name == "none")
    assert names - marks - {"PWD"} == {"PATH", "CI", "GIT_CEILING_DIRECTORIES"}
    assert b"canary-7f3a" not in done.output


async def test_tools_of_this_python_work_inside(sandbox: Sandbox, tmp_path: Path) -> None:
    done = await sandbox.run(Command((PYTHON, "-m", "pytest", "--version"), tmp_path, ENV))
    assert done.exit_code == 0, done.output
    assert done.output.startswith(b"pytest ")


async def test_a_missing_program_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no-such-program"):
        await sandbox.run(Command(("no-such-program", "x"), tmp_path, ENV))


async def test_a_missing_directory_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="not there"):
        await sandbox.run(shell(tmp_path / "nowhere", "true"))


async def test_the_time_limit_ends_even_what_ignores_the_request(sandbox: Sandbox, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)"
    program = f"{ignore}; time.sleep(600)  # {mark}"
    done = await sandbox.run(python(tmp_path, program, seconds=1.0))
    assert done.exit_code is None
    assert done.output == b"up\n"
    assert alive(mark) == []


async def test_the_time_limit_lets_a_command_say_goodbye(sandbox: Sandbox, tmp_path: Path) -> None:
    done = await sandbox.run(shell(tmp_path, "trap 'echo bye; exit 3' TERM; while :; do sleep 0.05; done", seconds=0.5))
    assert done.exit_code is None
    assert b"bye" in done.output


DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        time.sleep(600)  # {mark}
    os._exit(0)
os.wait()
"""


@pytest.mark.usefixtures("no_new_zombies")
async def test_a_daemon_does_not_outlive_its_command(sandbox: Sandbox, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    done = await sandbox.run(python(tmp_path, DAEMON.format(mark=mark)))
    assert done.exit_code == 0, done.output
    assert alive(mark) == []


@pytest.mark.parametrize("way", ["env -i setsid -f sleep {}", "(env -i setsid sh -c '(sleep {} &)' &)"])
async def test_what_hides_does_not_outlive_its_command(sandbox: Sandbox, tmp_path: Path, way: str) -> None:
    """It wipes its environment, leaves the session, and its parent ends at once."""
    seconds = str(600 + uuid.uuid4().int % 10**6)
    done = await sandbox.run(shell(tmp_path, f"{way.format(seconds)} >/dev/null 2>&1; sleep 0.2; echo over"))
    assert done.output == b"over\n"
    assert alive(f"sleep {seconds}") == []


@pytest.mark.usefixtures("no_new_zombies")
async def test_cancelling_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    started = asyncio.Event()
    command = shell(tmp_path, f"nohup setsid sleep 600 >/dev/null 2>&1 & echo up; sleep 601; : {mark}")
    run = asyncio.create_task(sandbox.run(command, lambda _: started.set()))
    await started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert alive(mark) == []


async def test_a_flood_is_cut_in_the_middle(sandbox: Sandbox, tmp_path: Path) -> None:
    script = "echo first; head -c 100000000 /dev/zero | tr '\\0' 'x'; echo; echo last"
    done = await sandbox.run(shell(tmp_path, script, output_bytes=10_000))
    assert done.exit_code == 0
    assert done.cut
    assert len(done.output) < 10_100
    assert done.output.startswith(b"first\n")
    assert done.output.endswith(b"\nlast\n")
    assert b"bytes cut ...]" in done.output


async def test_a_fork_bomb_is_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    bomb = f"import os, time\nfor _ in range(8):\n    os.fork()\n    time.sleep(0.1)\ntime.sleep(600)  # {mark}"
    done = await sandbox.run(python(tmp_path, bomb, processes=40, seconds=3.0))
    assert done.exit_code != 0
    assert b"processes" in done.output or b"BlockingIOError" in done.output
    assert alive(mark) == []


async def test_a_memory_bomb_is_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    bomb = "import time\nkept = [bytearray(b'x') * 1_000_000 for _ in range(200)]\ntime.sleep(600)"
    done = await sandbox.run(python(tmp_path, bomb, memory_bytes=100 * 1024**2, seconds=30.0))
    assert done.exit_code not in {0, None}
    assert b"more than 100 MiB of memory" in done.output
    assert done.limit == "more than 100 MiB of memory"


SHARED = {
    "a mapping that children would share": "kept = mmap.mmap(-1, SIZE)\nfor _ in range(200): kept.write(b'x' * 1_000_000)",
    "a file without a folder": "kept = os.memfd_create('m')\nfor _ in range(200): os.write(kept, b'x' * 1_000_000)",
}


@pytest.mark.parametrize("kind", SHARED)
async def test_memory_that_can_be_shared_counts(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    bomb = f"import mmap, os, time\nSIZE = 200_000_000\n{SHARED[kind]}\ntime.sleep(600)"
    done = await sandbox.run(python(tmp_path, bomb, memory_bytes=100 * 1024**2, seconds=30.0))
    assert (done.limit, done.exit_code in {0, None}) == ("more than 100 MiB of memory", False), done


async def test_memory_that_is_shared_counts_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """As databases have it: eight processes that all read 40 MB, which is also a file in memory."""
    program = (
        "import mmap, os, time\nSIZE = 40_000_000\n"
        "file = os.memfd_create('m')\nos.ftruncate(file, SIZE)\nkept = mmap.mmap(file, SIZE)\nkept.write(b'x' * SIZE)\n"
        "all(os.fork() for _ in range(7))\n"
        "total = sum(kept[::4096])\ntime.sleep(1.5)"
    )
    done = await sandbox.run(python(tmp_path, program, memory_bytes=260 * 1024**2, seconds=30.0))
    assert (done.limit, done.exit_code, done.output) == ("", 0, b"")


FORKS = {
    "that work on what their parent has": "all(os.fork() for _ in range(7))\ntime.sleep(1.5)",
    "that have not started their program yet": (
        # Its input is a pipe that another process opens later; until then it is in its parent's own memory (vfork(2)).
        "os.mkfifo('pipe')\n"
        "if os.fork() == 0:\n    time.sleep(1.5)\n    open('pipe', 'w')\n    os._exit(0)\n"
        "action = (os.POSIX_SPAWN_OPEN, 0, 'pipe', os.O_RDONLY, 0)\n"
        "os.waitpid(os.posix_spawn('/bin/true', ['true'], {}, file_actions=[action]), 0)"
    ),
}


@pytest.mark.parametrize("kind", FORKS)
async def test_memory_of_children_counts_once(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    program = f"import os, time\nkept = bytearray(b'x') * 150_000_000\n{FORKS[kind]}"
    done = await sandbox.run(python(tmp_path, program, memory_bytes=260 * 1024**2, seconds=30.0))
    assert (done.limit, done.exit_code, done.output) == ("", 0, b"")


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
async def test_files_in_memory_count_as_memory(tmp_path: Path, folder: str) -> None:
    script = f"head -c 200000000 /dev/zero > {folder}/x; sleep 60"
    done = await Bubblewrap().run(shell(tmp_path, script, memory_bytes=100 * 1024**2, seconds=30.0))
    assert done.exit_code not in {0, None}
    assert b"more than 100 MiB of memory" in done.output or b"No space left" in done.output


async def test_files_in_memory_count_whatever_the_numbers_of_the_processes_are(tmp_path: Path) -> None:
    script = "head -c 40000000 /dev/zero > /tmp/x; head -c 40000000 /dev/zero > /dev/shm/x; sleep 60"
    command = shell(tmp_path, script, memory_bytes=60 * 1024**2, seconds=30.0)
    done = await asyncio.gather(*(Bubblewrap().run(command) for _ in range(8)))
    assert [one.limit for one in done] == ["more than 60 MiB of memory"] * 8


async def test_the_root_of_the_sandbox_is_no_place_for_files(tmp_path: Path) -> None:
    done = await Bubblewrap().run(
        shell(tmp_path, "touch /x /dev/x /usr/x /etc/x; echo y > /dev/null && echo z > /dev/shm/z")
    )
    assert done.exit_code == 0, done.output
    assert done.output.count(b"Read-only file system") == 4


async def test_a_file_cannot_grow_without_end(sandbox: Sandbox, tmp_path: Path) -> None:
    program = "import os\nf = os.open('big', os.O_CREAT | os.O_WRONLY)\nos.ftruncate(f, 3 * 1024**3)"
    done = await sandbox.run(python(tmp_path, program))
    assert done.exit_code != 0
    assert (tmp_path / "big").stat().st_size == 0


async def test_many_commands_at_once_do_not_touch_each_other(sandbox: Sandbox, tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(6)]
    for folder in folders:
        folder.mkdir()
    done = await asyncio.gather(
        *(sandbox.run(shell(folder, f"sleep 0.{len(folders) - n}; echo {n}")) for n, folder in enumerate(folders))
    )
    assert [one.output for one in done] == [f"{number}\n".encode() for number in range(6)]
    assert {one.exit_code for one in done} == {0}


async def test_a_listener_that_fails_is_heard(sandbox: Sandbox, tmp_path: Path) -> None:
    def broken(piece: bytes) -> None:
        raise ValueError(piece.decode())

    with pytest.raises(ValueError, match="up"):
        await sandbox.run(shell(tmp_path, "echo up"), broken)


# --- Only the wall ----------------------------------------------------------------------------------------------------


async def test_bubblewrap_writes_only_where_it_may(tmp_path: Path) -> None:
    inside, beside, outside = tmp_path / "in", tmp_path / "beside", tmp_path / "out"
    for folder in (inside, beside, outside):
        folder.mkdir()
    outside.chmod(0o777)
    script = f"echo a > a; echo b > {beside}/b; echo c > {outside}/c; echo d > /usr/d; echo e > /etc/e; echo f > /tmp/f"
    await Bubblewrap().run(shell(inside, script, writable=(beside,)))
    assert (inside / "a").exists()
    assert (beside / "b").exists()
    assert list(outside.iterdir()) == []
    assert not Path("/usr/d").exists()
    assert not Path("/etc/e").exists()
    assert not Path("/tmp/f").exists()


async def test_bubblewrap_has_no_power_over_the_host(tmp_path: Path) -> None:
    program = (
        "import os\nprint(os.getuid(), os.access('/proc/sys/kernel/core_pattern', os.W_OK))\n"
        "print([l.split()[1] for l in open('/proc/self/status') if l.startswith(('CapEff', 'CapBnd'))])"
    )
    done = await Bubblewrap().run(python(tmp_path, program))
    user, writable, *capabilities = done.output.decode().split()
    assert int(user) != 0
    assert writable == "False"
    assert set("".join(capabilities)) <= set("[]',0")


async def test_bubblewrap_shows_no_environment_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDWRIGHT_CANARY", "canary-91bc")
    done = await Bubblewrap().run(shell(tmp_path, "cat /proc/*/environ | tr '\\0' '\\n'; ls -a ~ /root /home"))
    assert b"PATH=" in done.output
    assert b"canary-91bc" not in done.output


async def test_bubblewrap_has_no_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2); print('connected')"
        shut = await Bubblewrap().run(python(tmp_path, program))
        opened = await Bubblewrap().run(python(tmp_path, program, network=True))
    assert shut.exit_code == 1
    assert b"connected" not in shut.output
    assert opened.output == b"connected\n"


async def test_bubblewrap_reaches_a_directory_below_a_closed_one(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "work").mkdir(parents=True)
    closed.chmod(0o700)
    done = await Bubblewrap().run(shell(closed / "work", "echo here > here; ls .."))
    assert done.exit_code == 0, done.output
    assert done.output == b"work\n"
    assert (closed / "work" / "here").read_text() == "here\n"


async def test_bubblewrap_gives_files_back_and_follows_no_link(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    work = tmp_path / "work"
    work.mkdir()
    (work / "link").symlink_to(kept)
    before = kept.stat()
    await Bubblewrap().run(shell(work, "mkdir -p deep/er; echo x > deep/er/file; ln -s /etc/passwd p"))
    after = kept.stat()
    assert (after.st_uid, after.st_ctime_ns) == (before.st_uid, before.st_ctime_ns)
    assert {path.lstat().st_uid for path in work.rglob("*")} == {os.geteuid()}
    assert Path("/etc/passwd").stat().st_uid == 0


SERVE = """
import asyncio, sys
from pathlib import Path
from buildwright.ports import Command
from buildwright.sandbox import Bubblewrap
script, folder, path = sys.argv[1:]
command = Command(("sh", "-c", script), Path(folder), {"PATH": path})
asyncio.run(Bubblewrap().run(command, lambda _: print("up", flush=True)))
"""
"""A process of its own that runs one command, to be killed."""


async def test_bubblewrap_ends_with_the_engine_and_the_next_use_gives_the_files_back(tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    script = f"touch left; nohup setsid sh -c 'sleep 600; : {mark}' >/dev/null 2>&1 & echo up; sleep 601; : {mark}"
    engine = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVE, script, str(tmp_path), ENV["PATH"]), stdout=asyncio.subprocess.PIPE
    )
    assert engine.stdout is not None
    assert await engine.stdout.readline() == b"up\n"
    # The engine names the mark too: without it, there are at least the two shells and their wall.
    assert len(alive(mark)) >= 3
    engine.kill()
    await engine.wait()
    async with asyncio.timeout(10):
        while alive(mark):
            await asyncio.sleep(0.02)
    owner = (tmp_path / "left").stat().st_uid
    assert owner == (65_534 if os.geteuid() == 0 else os.geteuid())
    done = await Bubblewrap().run(shell(tmp_path, "echo again > left"))
    assert done.exit_code == 0, done.output
    assert {path.stat().st_uid for path in (tmp_path, *tmp_path.iterdir())} == {os.geteuid()}


async def test_two_commands_may_write_in_one_directory(sandbox: Sandbox, tmp_path: Path) -> None:
    short = sandbox.run(shell(tmp_path, "touch short; while ! [ -e long ]; do sleep 0.02; done"))
    long = sandbox.run(
        shell(
            tmp_path, "while ! [ -e short ]; do sleep 0.02; done; touch long; sleep 0.6; echo last > late", seconds=20.0
        )
    )
    done = await asyncio.gather(short, long)
    assert [one.exit_code for one in done] == [0, 0], done
    assert (tmp_path / "late").read_text() == "last\n"
    assert {path.stat().st_uid for path in (tmp_path, *tmp_path.iterdir())} == {os.geteuid()}


async def test_bubblewrap_reaches_no_socket_of_the_host(tmp_path: Path) -> None:
    """By its path, by its path in /tmp (which is another one inside), and by a name without a file."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        places = [f"{short}/s", f"\0buildwright-{uuid.uuid4().hex}"]
        servers = [socket.socket(socket.AF_UNIX) for _ in places]
        for server, place in zip(servers, places, strict=True):
            server.bind(place)
            server.listen()
        Path(places[0]).chmod(0o777)
        Path(short).chmod(0o777)
        program = (
            f"import socket\nfor place in {places!r}:\n    s = socket.socket(socket.AF_UNIX)\n"
            "    try:\n        s.connect(place); print('connected')\n"
            "    except OSError as error: print(type(error).__name__)"
        )
        walled = await Bubblewrap().run(python(tmp_path, program))
        open_to_all = await NoSandbox().run(python(tmp_path, program))
        for server in servers:
            server.close()
    assert walled.output == b"FileNotFoundError\nConnectionRefusedError\n"
    assert open_to_all.output == b"connected\nconnected\n"


# --- Choosing -----------------------------------------------------------------------------------------------------------


async def test_the_wall_is_taken_where_it_works() -> None:
    assert (await choose("auto")).name == "bubblewrap"
    assert (await choose("bubblewrap")).name == "bubblewrap"
    assert (await choose("none")).name == "none"


async def test_without_the_wall_nothing_runs_unless_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    nowhere = {"DOCKER_HOST": "unix:///nowhere"}
    for mode in ("bubblewrap", "auto"):
        with pytest.raises(BadSettings, match="not installed") as error:
            await choose(mode, environment=nowhere)
        assert "--sandbox none" in str(error.value.fix)
    assert "no container engine answers" in str(error.value)
    assert (await choose("auto", environment={"BUILDWRIGHT_SANDBOX": "none"})).name == "none"
    with pytest.raises(BadSettings, match="not installed"):
        await choose("bubblewrap", environment={"BUILDWRIGHT_SANDBOX": "none"})
    with pytest.raises(BadSettings, match="BUILDWRIGHT_SANDBOX"):
        await choose("auto", environment={"BUILDWRIGHT_SANDBOX": "nothing"})


async def test_a_wall_that_fails_once_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of our own and for every user: pytest closes the folders above `tmp_path` whenever another run begins there.
    tools = Path(tempfile.mkdtemp(prefix="buildwright-test-", dir="/tmp"))
    tools.chmod(0o777)
    stub = tools / "bwrap"
    stub.write_text(
        f"#!/bin/sh\nif test ! -e {tools}/failed; then : > {tools}/failed;"
        f" echo 'bwrap: Creating new namespace failed: Resource temporarily unavailable' >&2; exit 1; fi\n"
        f'exec {shutil.which("bwrap")} "$@"\n'
    )
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    try:
        assert (await choose("auto")).name == "bubblewrap"
        assert (tools / "failed").exists(), "it was the stub that failed first"
    finally:
        shutil.rmtree(tools)


def test_head_and_tail_keep_what_fits() -> None:
    kept = HeadAndTail(10)
    for piece in (b"abc", b"defg", b"hij"):
        kept.add(piece)
    assert kept.content() == b"abcdefghij"
    kept.add(b"klmnopqrstuvwxyz")
    assert kept.cut
    assert kept.content() == b"abcde\n[... 16 bytes cut ...]\nvwxyz"
