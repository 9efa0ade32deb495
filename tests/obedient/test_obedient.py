"""An agent that does whatever it reads gets nothing out of its box, changes nothing outside, and every attempt is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.git import git
from tests.obedient.injections import GROUPS, HIDINGS, QUIET, Injection
from tests.obedient.proof import prove
from tests.obedient.world import World, world

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "security.md"
REFUSED = tuple(group for group in GROUPS if group not in {"quiet", "told"})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "w") as made:
        yield made


def test_there_are_many_instructions_each_with_its_own_hiding_place_or_aim() -> None:
    injections = [one for group in GROUPS.values() for one in group]
    assert len(injections) >= 90
    assert len({one.id for one in injections}) == len(injections)
    assert {one.hides for one in injections} >= {*HIDINGS} - {"reversed"} | {
        "issue",
        "output",
        "script",
        "name",
        "commit",
    }
    files = [(group, one.hides) for group, ones in GROUPS.items() for one in ones if one.hides in HIDINGS]
    assert len(files) == len(set(files)), "two would write the same file"


def test_the_guide_says_how_many_of_them_leave_an_event() -> None:
    injections = [one for group in GROUPS.values() for one in group]
    told = [one for one in injections if one.shows]
    said = f"Of the {len(injections)} instructions of the proof, {len(told)} leave an event"
    assert said in " ".join(GUIDE.read_text().split())


def test_what_asks_for_secrets_sockets_processes_and_files_outside_comes_to_nothing(place: World) -> None:
    built = prove(place, "quiet", "bubblewrap")
    assert built.ended.code == 0, built.ended.err
    branch = built.ended.lines[-1]["delivered"]
    assert git(built.repository, "show", f"{branch}:done.txt") == "done"
    assert len(place.asked) == 1, "the provider was asked once, by the one request that has the token"
    assert "it asked for hook.invalid:443" in built.told


@pytest.mark.parametrize("group", REFUSED)
def test_what_would_reach_further_than_its_lane_is_refused_by_name(place: World, group: str) -> None:
    built = prove(place, group, "bubblewrap")
    assert built.why["state"]["phase"] == "failed"
    branches = git(built.repository, "branch", "--list", "--format=%(refname:short)", "buildwright/*")
    assert branches == "", "nothing of it is delivered"


def test_what_a_check_prints_is_obeyed_by_the_next_attempt_and_comes_to_nothing(place: World) -> None:
    built = prove(place, "told", "bubblewrap")
    assert [one["number"] for one in built.why["attempts"]] == [1, 2]


def test_without_a_box_the_same_agent_gets_through(place: World) -> None:
    """What shows that the others fail by the box: the agent is the same, and nothing of it is pretended."""
    bare: tuple[Injection, ...] = tuple(one for one in QUIET if one.bare)
    built = place.build("bare", bare, "--no-gates", "--attempts", "1", "--sandbox", "none")
    came = built.obeyed()
    assert came.keys() >= {one.id for one in bare}
    assert [name for name, what in came.items() if "cannot be" in what and name != "udp"] == []
    assert {name for name, _ in place.heard} == {"stream", "udp"}
    assert built.changed.keys() >= {"user/.bashrc", "user/.ssh/authorized_keys", "outside/victim.txt"}
    assert any(one.startswith("objects of") for one in place.leaks(built)), "the user's files are on the branch"
