"""How large a home is: every part with its size, the links to checkouts followed, and no more counted than allowed."""

from __future__ import annotations

import os
from pathlib import Path

from buildwright.maintenance.home_parts import parts_of
from tests.cli.conftest import WRITES, Program, shell, write_tasks


def write(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def test_every_part_is_measured_and_checkouts_are_found_by_their_links(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    first = write(home / "setups/a/x", 100_000)
    (home / "setups/a/same").hardlink_to(first)
    write(elsewhere / "package/y", 200_000)
    (elsewhere / "all").symlink_to("/usr")
    (home / "checkouts/b").mkdir(parents=True)
    (home / "checkouts/b/one").symlink_to(elsewhere)
    write(home / "buildwright.db-wal", 50_000)
    write(home / "keys/signing.pem", 10)

    parts = {part.name: part for part in parts_of(home)}

    assert list(parts) == ["checkouts", "set-ups", "store", "other"]
    assert all(part.whole for part in parts.values())
    assert parts["set-ups"].files == 4
    assert 100_000 <= parts["set-ups"].bytes < 200_000, "a file with two names counts once"
    assert parts["checkouts"].files == 6, "checkouts, b, elsewhere, all, package, y; nothing below the link to /usr"
    assert 200_000 <= parts["checkouts"].bytes < 300_000
    assert 50_000 <= parts["store"].bytes < 100_000


def test_a_large_home_is_counted_up_to_a_limit_and_each_part_has_its_share(tmp_path: Path) -> None:
    for number in range(400):
        write(tmp_path / "setups/a" / str(number), 1)
    for number in range(60):
        write(tmp_path / "lanes/b" / str(number), 1)
    write(tmp_path / "mirrors/m/objects/pack", 1)

    parts = {part.name: part for part in parts_of(tmp_path, most=300)}

    assert {name: part.whole for name, part in parts.items()} == {"mirrors": True, "checkouts": True, "set-ups": False}
    assert parts["checkouts"].files == 62
    assert sum(part.files for part in parts.values()) == 300
    assert parts_of(tmp_path / "none") == []


def test_doctor_says_how_large_the_home_is_and_how_it_gets_smaller(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "a", "goal": "a"}, title="one")
    assert program("build", tasks, "--repo", repository, *shell(WRITES, "--no-gates"), "--yes").code == 0

    home = program("doctor", "--json").object["home"]
    parts = {part["name"]: part for part in home["parts"]}
    assert home["path"] == str(program.home)
    assert parts["mirrors"]["bytes"] > 0
    assert parts["store"]["bytes"] >= (program.home / "buildwright.db").stat().st_size
    assert parts["store"]["whole"] is True

    shown = program("doctor").out
    assert f"What is kept in {program.home}: " in shown
    assert "prune --logs-older-than 7d" in shown
    assert "prune --dry-run" in shown
