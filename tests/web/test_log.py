"""A log of many lines in the browser: what is read when, and that nothing of it is out of reach."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from buildwright.ports import LogEntry
from tests.api.conftest import Served, ended, repository, served
from tests.web.conftest import Browse
from tests.web.test_browser import begun, signed_in

__all__ = ["repository", "served"]

pytestmark = pytest.mark.timeout(400)
LINES = 6_000


async def test_all_of_a_long_log_is_within_reach_though_only_its_end_is_read(
    served: Served, repository: Path, browse: Browse
) -> None:
    build = await begun(served, repository, "echo x > x.txt", "Long", {"id": "one", "title": "One"})
    assert (await ended(served.client, build))["outcome"] == "succeeded"
    builds = served.site.app.builds
    before = (await builds.read_log(build, limit=1, tail=True))[-1].seq
    now = datetime.now(UTC)
    for start in range(0, LINES, 1_000):
        lines = [
            LogEntry(
                now, "one", 1, "error" if n % 2_000 == 7 else "said", f"line {n} {'needle' if n % 1_500 == 3 else ''}."
            )
            for n in range(start, start + 1_000)
        ]
        await builds.write_log(build, lines)
    first = (await builds.read_log(build, before, limit=1))[0].seq
    said = await browse(
        "log.mjs",
        **signed_in(served),
        next=f"/builds/{build}/log",
        build=build,
        lines=before + LINES,
        last=LINES - 1,
        search="needle",
        found=4,
        errors=3,
        first=first,
        linked=first + 1_234,
    )
    assert said["faults"] == []
    assert said["read"], "older lines are read when they are scrolled to"
    assert all("limit=500" in one for one in said["read"])
    assert len(said["read"]) < 8, said["read"]
    assert said["rows"] < 80
    for number in (7, 2_007, 4_007):
        assert f"line {number} " in said["errors"]
