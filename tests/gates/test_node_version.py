"""Which Node of the version managers the checks get."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.gates.interpreter import Pythons
from buildwright.gates.node_version import node_told, pinned_node

KEPT = {
    "v18.9.1": ".nvm/versions/node/v18.9.1/bin",
    "v18.20.4": ".nvm/versions/node/v18.20.4/bin",
    "v20.11.0": ".local/share/fnm/node-versions/v20.11.0/installation/bin",
    "21.0.0": ".local/share/mise/installs/node/21.0.0/bin",
    "22.1.0": ".asdf/installs/nodejs/22.1.0/bin",
    "16.20.2": ".volta/tools/image/node/16.20.2/bin",
    "14.21.3": ".nodenv/versions/14.21.3/bin",
    "12.22.12": ".n/n/versions/node/12.22.12/bin",
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
    aliases = {
        "lts/hydrogen": "v18.20.4",
        "lts/gallium": "v16.20.2",
        "lts/*": "lts/hydrogen",
        "default": "18.9",
        "work": "lts/*",
        "a": "b",
        "b": "a",
    }
    for name, meant in aliases.items():
        (tmp_path / "home" / ".nvm/alias" / name).write_text(f"{meant}\n")
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
        ("lts/*", "v18.20.4"),
        ("lts/-1", "16.20.2"),
        ("lts/-2", ""),
        ("work", "v18.20.4"),
        ("default", "v18.9.1"),
        ("node", "22.1.0"),
        ("stable", "22.1.0"),
        ("# of the team\n20 # the newest\n", "v20.11.0"),
        ("16", "16.20.2"),
        ("14", "14.21.3"),
        ("12", "12.22.12"),
        ("a", ""),
        ("system", ""),
        ("lts/../../x", ""),
        ("../../v18.20.4", ""),
        ("", ""),
    ],
)
def test_the_newest_that_fits_the_pin_is_taken(home: Path, pin: str, found: str) -> None:
    (home.parent / "repository" / ".nvmrc").write_text(pin)
    environment = {"HOME": str(home), "N_PREFIX": str(home / ".n")}
    taken = pinned_node(str(home.parent / "repository"), environment)
    assert taken == (home / KEPT[found] if found else None)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (".tool-versions", "python 3.12\nnodejs 20.11.0\n", "v20.11.0"),
        (".tool-versions", "python 3.12\n", ""),
        ("package.json", '{"volta": {"node": "16.20.2"}}', "16.20.2"),
        ("package.json", '{"volta": [1]}', ""),
        ("package.json", "{", ""),
    ],
)
def test_other_files_pin_it_too(home: Path, name: str, text: str, found: str) -> None:
    repository = home.parent / "repository"
    (repository / name).write_text(text)
    taken = pinned_node(str(repository), {"HOME": str(home)})
    assert taken == (home / KEPT[found] if found else None)
    (repository / ".nvmrc").write_text("18")
    assert pinned_node(str(repository), {"HOME": str(home)}) == home / KEPT["v18.20.4"]


def test_a_folder_of_the_repository_has_the_pin_of_its_top_and_rather_its_own(home: Path) -> None:
    repository, environment = home.parent / "repository", {"HOME": str(home)}
    (repository / ".git").mkdir()
    (repository / "packages/a").mkdir(parents=True)
    (repository / ".nvmrc").write_text("18")
    assert pinned_node(str(repository / "packages/a"), environment) == home / KEPT["v18.20.4"]
    (repository / "packages/a/.node-version").write_text("20.11.0")
    assert pinned_node(str(repository / "packages/a"), environment) == home / KEPT["v20.11.0"]


def test_people_are_told_which_it_is(home: Path) -> None:
    repository = home.parent / "repository"
    assert node_told(str(repository), {"HOME": str(home)}) == ""
    (repository / ".nvmrc").write_text("lts/*")
    assert node_told(str(repository), {"HOME": str(home)}) == f"{home / KEPT['v18.20.4'] / 'node'} (it pins lts/*)"
    (repository / ".nvmrc").write_text("99")
    assert "the first on PATH (it pins 99, which" in node_told(str(repository), {"HOME": str(home)})


async def test_it_comes_before_the_node_of_the_path(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NVM_DIR", str(home / ".nvm"))
    (home.parent / "repository" / ".node-version").write_text("18.20.4")
    _, path = await Pythons("/usr/bin").of(str(home.parent / "repository"))
    folders = path.split(":")
    assert folders.index(str(home / KEPT["v18.20.4"])) < folders.index("/usr/bin")
    _, path = await Pythons("/usr/bin").of("")
    assert "nvm" not in path
