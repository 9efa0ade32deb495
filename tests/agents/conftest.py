"""A lane and an assignment for the agents' tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from buildwright.core.limits import Limits
from buildwright.core.task import Task
from buildwright.ports import Assignment, ModelEndpoint


class Assign(Protocol):
    def __call__(self, **changes: Any) -> Assignment: ...


@pytest.fixture
def assign(tmp_path: Path) -> Assign:
    (tmp_path / "lane").mkdir()
    (tmp_path / "home").mkdir()
    plain = Assignment(
        build_id="b1",
        task=Task(id="T1", title="a task"),
        attempt=1,
        lane=tmp_path / "lane",
        home=tmp_path / "home",
        prompt="Do it.",
        limits=Limits(),
        door=ModelEndpoint("http://127.0.0.1:9", "token"),
    )
    return lambda **changes: replace(plain, **changes)


async def wait_for(condition: Callable[[], object]) -> None:
    """Wait for something outside this process that sends no event."""
    while not condition():
        await asyncio.sleep(0.03)
