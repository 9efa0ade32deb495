"""`buildwright cluster` as a user types it, with real servers and real workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from buildwright.supervisor.processes import identify
from tests.cli.conftest import Program


@pytest.fixture
def cluster(program: Program) -> Iterator[Program]:
    """A home; a cluster that is left up in it is taken down."""
    program.patience = 120
    yield program
    assert program("cluster", "down", "--now").code == 0
    assert program("cluster", "status", "--json").object["up"] is False


def test_up_status_and_down(cluster: Program) -> None:
    assert cluster("cluster", "status", "--json").object["up"] is False
    up = cluster("cluster", "up", "--workers", "1", "--json")
    assert (up.code, up.err) == (0, up.err)
    seen_up = up.object
    assert [server["alive"] for server in seen_up["servers"]] == [True, True]
    assert [(worker["name"], worker["state"], worker["slots"]) for worker in seen_up["workers"]] == [("w1", "alive", 2)]
    bare = ["git", "-C", str(cluster.home / "cluster" / "hub.git"), "rev-parse", "--is-bare-repository"]
    assert subprocess.run(bare, capture_output=True, check=True).stdout == b"true\n"
    secrets = json.loads((cluster.home / "cluster" / "postgres" / "server.json").read_text("utf-8"))["password"]

    again = cluster("cluster", "up")
    assert again.code == 0
    assert "1 worker with 2 slots" in again.out
    status = cluster("cluster", "status")
    assert status.code == 0
    assert "w1" in status.out
    assert "Nothing is running" in status.out
    assert not [text for text in (up.out, up.err, again.out, again.err, status.out, status.err) if secrets in text]

    # The supervisor and PostgreSQL die; what is down is said, and `up` mends it.
    postgres = identify(seen_up["servers"][0]["pid"])
    os.kill(seen_up["supervisor"]["pid"], signal.SIGKILL)
    os.kill(postgres.pid, signal.SIGKILL)
    broken = cluster("cluster", "status", "--json")
    assert broken.code == 6
    assert broken.object["supervisor"]["alive"] is False
    assert broken.object["unreachable"] == "PostgreSQL does not run"
    mended = cluster("cluster", "up", "--json").object
    assert mended["workers"][0]["holder"] == seen_up["workers"][0]["holder"]
    assert mended["servers"][0]["pid"] != postgres.pid

    # Only the supervisor dies: `down` ends what it has left.
    os.kill(mended["supervisor"]["pid"], signal.SIGKILL)
    down = cluster("cluster", "down", "--now", "--json")
    assert down.object == {"schema": 1, "up": False, "unfinished": 0}
    assert not [server for server in mended["servers"] if identify(server["pid"]).alive]


@pytest.mark.parametrize(
    ("options", "environment", "code", "words"),
    [
        (("--workers", "0"), {}, 2, "--workers 0 cannot be"),
        (("--slots", "1000"), {}, 2, "--slots 1000 cannot be"),
        ((), {"DATABASE_URL": "postgresql://a:hush@h/b", "BUILDWRIGHT_HUB": "/h"}, 78, "REDIS_URL is missing"),
        (
            (),
            {"DATABASE_URL": "postgresql://a:hush@h/b", "REDIS_URL": "redis://h", "BUILDWRIGHT_HUB": "/h"},
            78,
            "name a cluster already",
        ),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_started(
    program: Program, options: tuple[str, ...], environment: dict[str, str], code: int, words: str
) -> None:
    refused = program("cluster", "up", *options, **environment)
    assert refused.code == code
    assert words in refused.err
    assert "hush" not in refused.err
    assert not (program.home / "cluster" / "cluster.json").exists()
