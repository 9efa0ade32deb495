"""The obedient agent in a container: as in bubblewrap, nothing gets out and every attempt is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.obedient.injections import GROUPS
from tests.obedient.proof import prove
from tests.obedient.world import world
from tests.podman import Podman


@pytest.mark.parametrize("group", GROUPS)
def test_nothing_gets_out_of_a_container(
    podman: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", podman.address)
    with world(tmp_path / "w") as place:
        built = prove(place, group, "container")
    assert built.ended.lines[-1]["sandbox"] == "container"
    assert built.why["state"]["phase"] == ("done" if group == "quiet" else "failed")
