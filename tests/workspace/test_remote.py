"""A repository behind a URL, on a server of our own; and one mirror for two processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from buildwright.errors import GitFailed
from buildwright.ports import LaneKey
from buildwright.workspace import GitWorkspace
from tests.workspace.repositories import commit, git, make

PREPARE = """
import asyncio, os, sys
from pathlib import Path
from buildwright.workspace import GitWorkspace
target = asyncio.run(GitWorkspace(Path(sys.argv[1]), dict(os.environ)).prepare(sys.argv[2], sys.argv[3]))
print(target.commit)
"""


class Dumb(SimpleHTTPRequestHandler):
    """Serves files, which is all that git's oldest protocol needs; says 503 while there are failures left."""

    failures: list[str]

    def do_GET(self) -> None:
        if self.failures:
            self.send_error(int(self.failures.pop()))
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by the standard library
        return


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    repository = make(tmp_path / "r")
    git(tmp_path, "clone", "-q", "--bare", str(repository), "served.git")
    git(tmp_path / "served.git", "update-server-info")
    failures: list[str] = []
    handler = type("Handler", (Dumb,), {"failures": failures})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield repository, f"http://127.0.0.1:{server.server_port}/served.git", failures
        server.shutdown()
        thread.join()


async def test_a_url_is_built_on_though_the_server_fails_at_first(
    workspace: GitWorkspace, served: tuple[Path, str, list[str]]
) -> None:
    repository, address, failures = served
    failures.append("503")
    target = await workspace.prepare("b", address)
    assert failures == []
    assert (target.commit, target.branch) == (git(repository, "rev-parse", "HEAD"), "main")
    lane = await workspace.open_lane(LaneKey("b", "t", 1), target.commit)
    assert (lane.files / "README.md").read_bytes() == b"hello\n"


async def test_an_address_that_leads_on_to_another_is_not_followed(
    workspace: GitWorkspace, served: tuple[Path, str, list[str]]
) -> None:
    """The address was checked, where it leads was not; whoever wants it says so in the settings of their own git."""
    _, address, failures = served

    class Moved(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", address + self.path)
            self.end_headers()

    failures.append("410")  # what would be said there
    with ThreadingHTTPServer(("127.0.0.1", 0), Moved) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        with pytest.raises(GitFailed, match="302") as failed:
            await workspace.prepare("b", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()
    assert "name its new address" in (failed.value.fix or "")
    assert failures == ["410"], "nothing was asked of the other address"


async def test_what_no_patience_mends_is_said_at_once(
    workspace: GitWorkspace, served: tuple[Path, str, list[str]]
) -> None:
    _, address, failures = served
    failures.extend(["503", "404", "404"])  # taken from the end
    with pytest.raises(GitFailed):
        await workspace.prepare("b", address)
    assert "503" in failures


async def test_two_processes_share_a_mirror(tmp_path: Path) -> None:
    repository = make(tmp_path / "r", {f"f{number}": b"x\n" * number for number in range(300)})
    home = tmp_path / "home"

    async def prepare(build: str) -> str:
        argv = (sys.executable, "-c", PREPARE, str(home), build, str(repository))
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE, env=dict(os.environ))
        output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode().strip()

    head = git(repository, "rev-parse", "HEAD")
    assert await asyncio.gather(*(prepare(f"b{number}") for number in range(3))) == [head] * 3
    newer = commit(repository, {"more": b"more\n"})
    assert list(await asyncio.gather(prepare("b0"), prepare("b3"), prepare("b4"))) == [head, newer, newer]
    (mirror,) = (path for path in (home / "mirrors").iterdir() if path.name != "builds")
    assert git(mirror, "fsck", "--full", "--strict") == ""
