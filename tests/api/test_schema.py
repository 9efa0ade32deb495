"""Requests that a generator makes of the description of the API, with all of its checks on and links followed.

Prints how many there were. `make fuzz` sends at least 10,000.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from buildwright.api.app import fastapi_for
from tests.api.conftest import OWNER, SHELL, Client, Served, serving
from tests.api.seeded import WRITTEN, Seeds, seeded
from tests.faults.amount import FULL, SEED

HOOKS = Path(__file__).parent / "fuzzed.py"
REFUSALS = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "431"]
ENOUGH = 10_000 if FULL else 1
"""Requests; with one seed after another until there were so many."""
SECONDS = 300 if FULL else 40
"""Of one run of the generator."""
EACH = 150 if FULL else 4
"""Requests for each route, and for each chain of routes, at most, before it begins anew with what it has learned."""


class Going(NamedTuple):
    """What goes on for hours: a build, and the project of an execution; and a build that was stopped."""

    build: str
    project: str
    stopped: str


async def going(client: Client, seeds: Seeds) -> Going:
    """Begin them."""
    slow = {**SHELL, "agent_command": "sleep 10000", "limits": {"task_seconds": 10_000}, "delivery": {"kind": "none"}}
    options = {**slow, "checks": [{"name": "tests", "command": "true"}]}
    body = {"repository": seeds.repository, "tasks": [{"id": "a", "title": "First"}], "options": options}
    build = await client.post("/api/builds", body)
    order = await client.post("/api/devteam/automation/initialize", {"projectId": "going", **body})
    assert (build.status, order.status) == (202, 202), (build.text, order.text)
    async with asyncio.timeout(60):
        while (await client.get("/api/devteam/automation/status/going")).json["status"] != "running":
            await asyncio.sleep(0.05)
    ended = await client.post("/api/build/start", {"project_id": "seeded", "seed": {}, **body})
    stopped = await client.post(f"/api/builds/{ended.json['build_id']}/stop")
    assert stopped.status in {200, 202}, stopped.text
    return Going(build.json["build_id"], "going", ended.json["build_id"])


def configuration(seeds: Seeds, running: Going, tokens: tuple[str, ...]) -> str:
    """What is known of the things that are there: most requests are about these, so that routes do more than not find."""
    known: dict[str, tuple[object, ...]] = {
        "path.build_id": (*seeds.builds, *[running.build] * 3),
        "body.token": tokens,
        "body.build_id": seeds.builds,
        "path.project_id": seeds.projects,
        "path.projectId": (seeds.execution, running.project),
        "body.projectId": (seeds.execution, "another"),
        "path.task_id": (seeds.event,),
        "path.task": ("a", "b"),
        "path.path": (WRITTEN, "README.md"),
        "query.task": ("a", ""),
        "query.project": ("seeded",),
        "query.build": ("",),
        "body.repository": ("", seeds.repository),
        "body.target_ref": (seeds.repository,),
    }
    lines = [
        f"hooks = {json.dumps(str(HOOKS))}",
        "[checks]",
        "enabled = true",
        # Beside what it expects by itself: a value that is too long can make the whole address, or body, too long.
        "[checks.negative_data_rejection]",
        f"expected-statuses = {json.dumps(REFUSALS)}",
        "[parameters]",
        *(f'"{name}" = {{ dictionary = "{name}", probability = 0.85 }}' for name in known),
        "[dictionaries]",
        *(f'"{name}" = {{ values = {json.dumps(values)} }}' for name, values in known.items()),
    ]
    # A stream goes on for as long as its build: its first event is what there is to look at.
    lines += ["[[operations]]", 'include-path-regex = "/stream$"', "max-stream-events = 1"]
    # What runs goes on running: of these only what the generator has started itself, or what has ended, is ended.
    lines += ["[[operations]]", 'include-path-regex = "/(stop|abort)(/|$)"', "[operations.parameters]"]
    lines += [f'"path.build_id" = {json.dumps(running.stopped)}', f'"path.projectId" = {json.dumps(seeds.execution)}']
    # The generator's own token is not taken back.
    lines += [
        "[[operations]]",
        'include-path-regex = "^/api/tokens"',
        "[operations.parameters]",
        '"query.user" = "bob"',
    ]
    return "\n".join(lines) + "\n"


async def generated(served: Served, seeds: Seeds, running: Going, folder: Path, seed: int) -> tuple[int, str]:
    """Run the generator against the server; its exit code, and what it said."""
    signer, now = served.site.signer, served.site.app.clock.now()
    tokens = tuple(signer.issue(OWNER, "sign-in", 7200, now) for _ in range(20))
    (folder / "schemathesis.toml").write_text(configuration(seeds, running, tokens), encoding="utf-8")
    token = signer.issue(OWNER, "bearer", 7200, now)
    arguments = ["run", f"{served.address}/openapi.json", "--no-color", "--seed", str(seed), "--checks", "all"]
    arguments += ["--max-examples", str(EACH), "--max-time", str(SECONDS)]
    arguments += ["--generation-database", "none", "--header", f"Authorization: Bearer {token}"]
    arguments += ["--request-timeout", "100", "--continue-on-failure"]
    known = {"HOME": str(folder), "FUZZED_REPOSITORY": seeds.repository}
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        *arguments,
        cwd=folder,
        env=environment | known,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")


@pytest.mark.timeout(7200 if FULL else 300)
async def test_no_request_gets_what_the_description_does_not_say(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        seeds = await seeded(served.client, tmp_path, served.site)
        running = await going(served.client, seeds)
    # Texts of a generator are not run as commands, whatever they are.
    more = {"BUILDWRIGHT_RATE_BUILDS": "off", "BUILDWRIGHT_RATE_EVENTS": "off", "BUILDWRIGHT_BUILDS_AT_ONCE": "0"}
    async with serving(tmp_path, BUILDWRIGHT_ALLOW_COMMANDS="none", **more) as served:
        folder = tmp_path / "generator"
        folder.mkdir()
        answers: list[dict[str, Any]] = []
        code, said, seed = 0, "", SEED
        while code == 0 and len(answers) < ENOUGH:
            code, said = await generated(served, seeds, running, folder, seed)
            answers = [line for line in served.logged if line["event"] == "request"]
            seed += 1
        failed = [line for line in served.logged if line.get("level") == "error"]
    print(_told(answers))
    assert code == 0, said
    assert not failed
    assert {answer["status"] for answer in answers} <= set(range(200, 500))
    assert len(answers) >= ENOUGH
    if FULL:
        asked = {(answer["method"], answer["route"]) for answer in answers}
        assert set(_documented()) <= asked
        reached = {(answer["method"], answer["route"]) for answer in answers if answer["status"] < 400}
        print("never more than refused:", sorted(set(_documented()) - reached))


def _documented() -> list[tuple[str, str]]:
    paths = fastapi_for().openapi()["paths"]
    return [
        (method.upper(), path.replace("/{path}", "/{path:path}")) for path, item in paths.items() for method in item
    ]


def _told(answers: list[dict[str, Any]]) -> str:
    by_status = Counter(answer["status"] for answer in answers)
    told = ", ".join(f"{status}: {count}" for status, count in sorted(by_status.items()))
    return f"\n{len(answers)} requests; answers by status: {told}"
