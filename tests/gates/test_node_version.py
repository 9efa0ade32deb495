"""Which Node of the version managers the checks get."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.gates.interpreter import Pythons
from buildwright.gates.node_version import pinned_node

KEPT = {
    "v18.9.1": ".nvm/versions/node/v18.9.1/bin",
    "v18.20.4": ".nvm/versions/node/v18.20.4/bin",
    "v20.11.0": ".local/share/fnm/node-versions/v20.11.0/installation/bin",
    "21.0.0": ".local/share/mise/installs/node/21.0.0/bin",
    "22.1.0": ".asdf/installs/nodejs/22.1.0/bin",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in KEPT.values():
        program = tmp_path / "home" / folder / "node"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (tmp_path / "home" / ".local/share/mise/installs/node/21").symlink_to("21.0.0")
    (tmp_path / "home" / ".nvm/alias/lts").mkdir(parents=True)
    (tmp_path / "home" / ".nvm/alias/lts/hydrogen").write_text("v18.20.4\n")
    (tmp_path / "repository").mkdir()
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("pin", "found"),
    [
        ("18", "v18.20.4"),
        ("v18.9\n", "v18.9.1"),
        ("lts/hydrogen", "v18.20.4"),
        ("20.11.0", "v20.11.0"),
        ("21", "21.0.0"),
        ("22", "22.1.0"),
        ("1", ""),
        ("18.20.5", ""),
        ("lts/*", ""),
        ("lts/../../x", ""),
        ("node", ""),
        ("../../v18.20.4", ""),
        ("", ""),
    ],
)
def test_the_newest_that_fits_the_pin_is_taken(home: Path, pin: str, found: str) -> None:
    (home.parent / "repository" / ".nvmrc").write_text(pin)
    taken = pinned_node(str(home.parent / "repository"), {"HOME": str(home)})
    assert taken == (home / KEPT[found] if found else None)


async def test_it_comes_before_the_node_of_the_path(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NVM_DIR", str(home / ".nvm"))
    (home.parent / "repository" / ".node-version").write_text("18.20.4")
    _, path = await Pythons("/usr/bin").of(str(home.parent / "repository"))
    folders = path.split(":")
    assert folders.index(str(home / KEPT["v18.20.4"])) < folders.index("/usr/bin")
    _, path = await Pythons("/usr/bin").of("")
    assert "nvm" not in path
