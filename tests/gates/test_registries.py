"""Which hosts set-up may fetch from: what the user's own programs say, also those that a wrapper has put into the home."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from buildwright.gates.registries import Registries, managers_in

# What Gradle does in the folder that it is asked in, recorded with Gradle 4.4.1.
GRADLE = r"""#!/bin/sh
case "$*" in *--offline*wrapper*) ;; *) exit 1 ;; esac
grep -q 'gradlePluginPortal(); mavenCentral()' build.gradle && test -e settings.gradle || exit 1
printf 'https://plugins.gradle.invalid/m2\nhttps://repo.maven.invalid/maven2/\n'
mkdir -p gradle/wrapper
printf 'distributionUrl=https\\://services.gradle.invalid/distributions/gradle-4.4.1-bin.zip\n' \
    > gradle/wrapper/gradle-wrapper.properties
"""


@pytest.mark.parametrize(
    ("command", "managers"),
    [
        ("gradle --offline test", {"gradle"}),
        ("sh ./gradlew --no-daemon test", {"gradle"}),
        ("sh ./mvnw -B test", {"mvn"}),
        ("cd api && ./gradlew test && npm ci", {"gradle", "npm"}),
    ],
)
def test_the_managers_of_java_are_known_by_program_and_wrapper(command: str, managers: set[str]) -> None:
    assert managers_in(command) == managers


async def test_what_a_wrapper_has_brought_is_asked_where_there_is_no_program(tmp_path: Path) -> None:
    mine = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    for path in Path("/usr/bin").glob("gradle"):
        mine["PATH"] = _without(path, tmp_path / "bin")
    gradle = tmp_path / ".gradle/wrapper/dists/gradle-4.4.1-bin/3k9/gradle-4.4.1/bin/gradle"
    gradle.parent.mkdir(parents=True)
    gradle.write_text(GRADLE)
    gradle.chmod(0o755)
    found = await Registries().of("sh ./gradlew test", mine)
    assert {place.host for place in found} == {
        "plugins.gradle.invalid",
        "repo.maven.invalid",
        "services.gradle.invalid",
    }


async def test_mavens_own_repository_is_known_by_what_its_wrapper_has_brought(tmp_path: Path) -> None:
    home = tmp_path / ".m2/wrapper/dists/apache-maven-3.9.9/a1b2"
    (home / "bin").mkdir(parents=True)
    (home / "bin/mvn").write_text("")
    (home / "lib").mkdir()
    with zipfile.ZipFile(home / "lib/maven-model-builder-3.9.9.jar", "w") as jar:
        jar.writestr("org/apache/maven/model/pom-4.0.0.xml", "<url>https://repo.maven.invalid/maven2</url>")
    found = await Registries().of("sh ./mvnw test", {"HOME": str(tmp_path), "PATH": str(tmp_path)})
    assert [place.host for place in found] == ["repo.maven.invalid"]


def _without(program: Path, folder: Path) -> str:
    """Make a folder with links to the system's programs but one; return it as a search path."""
    folder.mkdir()
    for path in program.parent.iterdir():
        if path.name != program.name:
            (folder / path.name).symlink_to(path)
    return str(folder)
