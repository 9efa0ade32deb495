"""A sample of what `make crash` does in full: one point of each name of one build, some of the others, some pairs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from buildwright.core import event as e
from buildwright.core.event import AnyEvent, Recorded
from tests.crash.campaign import Grounds, Trial, attempt, undisturbed
from tests.crash.evidence import Evidence, strays
from tests.crash.invariants import INVARIANTS, broken
from tests.crash.life import Place
from tests.crash.scenes import SCENES


def campaign(*words: str) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash", "--json", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=1_200,  # a life that hangs ends by itself
    )
    assert done.returncode == 0, done.stderr
    return {row["scene"]: row for row in json.loads(done.stdout)}


@pytest.mark.timeout(1_260)
def test_every_kind_of_point_of_a_build_can_be_the_last() -> None:
    (plain,) = campaign("--scenes", "plain", "--once", "--pairs", "0").values()
    assert plain["failures"] == 0
    assert plain["singles"] >= len(plain["names"]) - 5, "a crash at (nearly) every name that the undisturbed run passed"
    assert {name.split(".")[0] for name in plain["names"]} >= {"store", "perform", "workspace"}


@pytest.mark.timeout(1_260)
def test_so_can_two_in_a_row_of_any_build() -> None:
    rows = campaign("--every", "40", "--pairs", "20")
    assert set(rows) == set(SCENES)
    assert sum(row["failures"] for row in rows.values()) == 0
    assert sum(row["singles"] for row in rows.values()) > 12
    assert sum(row["pairs"] for row in rows.values()) > 10
    assert "provider.call.after" in rows["talk"]["names"]
    assert "workspace.deliver.after" in rows["rough"]["names"]


@pytest.mark.timeout(1_260)
@pytest.mark.parametrize("store", ["postgres", "workers"])
def test_so_can_those_on_a_server(store: str) -> None:
    rows = campaign("--store", store, "--scenes", "talk", "stop", "--every", "25", "--pairs", "4")
    assert sum(row["failures"] for row in rows.values()) == 0
    assert all(row["singles"] > 1 for row in rows.values())


def test_a_broken_promise_is_a_failure_of_the_trial_and_its_folder_is_kept(tmp_path: Path) -> None:
    calm, _ = undisturbed(Grounds(str(tmp_path)), "stop")
    result = attempt(Grounds(str(tmp_path)), Trial("stop", (20,)), calm._replace(tree="f" * 40))
    assert result.killed == 1
    assert [wrong.split(":")[0] for wrong in result.wrong] == ["same_result"]
    assert (Path(result.folder) / "ledger").exists()


def test_a_checkout_is_left_behind_unless_its_worker_never_comes_back(tmp_path: Path) -> None:
    place = Place(tmp_path, "stop", "postgres://", shared=True)
    for name in ("home/worker-0/checkouts/b", "user", "tmp/tmp1/website"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "home/worker-0/checkouts/b/c").symlink_to(tmp_path / "tmp/tmp1/website")
    assert strays(place) == ["tmp/tmp1"]
    (tmp_path / "home/worker-1").mkdir()
    assert strays(place) == []


# --- Each promise is noticed when it is broken -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evidence]:
    grounds = Grounds(str(tmp_path_factory.mktemp("calm")))
    return {scene: undisturbed(grounds, scene)[0] for scene in ("talk", "stop")}


def with_event(seen: Evidence, event: AnyEvent) -> Evidence:
    last = seen.journal[-1]
    return seen._replace(journal=[*seen.journal, Recorded(last.seq + 1, last.at, event)])


def spoilt(calm: dict[str, Evidence]) -> dict[str, Evidence]:
    """For each promise, an undisturbed build in which just that has been broken (and what hangs on it)."""
    talk, stop = calm["talk"], calm["stop"]
    (commit, _, message), *others = talk.commits
    gap = [*talk.journal[:-1], talk.journal[-1]._replace(seq=99)]
    return {
        "same_result": talk._replace(tree="0" * 40),
        "effects_once": with_event(talk, e.TokensUsed(model="m", input_tokens=1)),
        "legal_moves": with_event(talk, e.BuildPaused(reason="user")),
        "gapless": talk._replace(journal=gap),
        "views_agree": talk._replace(row=replace(talk.row, phase="planning")),
        "one_lease": talk._replace(ledger=[*talk.ledger, ["token", "1"]]),
        "nothing_outside": talk._replace(strays=["tmp/x"]),
        "nothing_left": talk._replace(locks=["home/mirrors/x/HEAD.lock"]),
        "no_secret": talk._replace(leaks=["home/state.db"]),
        "proven_commits": talk._replace(commits=[(commit, "1" * 40, message), *others]),
        "requests_end": talk._replace(ledger=[*talk.ledger, ["ack", "pause"]]),
        "stop_is_final": stop._replace(ledger=[*stop.ledger, ["start", "b", "1"]], kills=1),
    }


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: str(invariant.__name__))
def test_each_promise_is_noticed_when_it_is_broken(calm: dict[str, Evidence], invariant: Any) -> None:
    seen = spoilt(calm)[invariant.__name__]
    undisturbed = calm[seen.scene]
    assert list(invariant(undisturbed, undisturbed)) == []
    assert list(invariant(seen, undisturbed)) != []
    if invariant.__name__ not in {"legal_moves", "gapless", "effects_once"}:
        assert {wrong.split(":")[0] for wrong in broken(seen, undisturbed)} == {invariant.__name__}
