"""Commands of Maven and Gradle projects: what fetches all that they need once, and what judges without the network.

Pure: must never run anything.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import NamedTuple

from buildwright.gates.check_environment import GRADLE_HOME, MAVEN_REPOSITORY
from buildwright.gates.setup_cache import Setup

_WARM = "FetchOnceWarmUpTest"
"""A class without tests that is compiled while all is fetched: only where there is one, the test runner is fetched."""
_RESOLVE = """
allprojects { project -> project.tasks.create("fetchOnce") { doLast {
  (project.buildscript.configurations + project.configurations).each { one ->
    if (!one.hasProperty("canBeResolved") || one.canBeResolved) { try { one.files } catch (Exception e) { } }
  }
} } }
"""
"""A task for each project that fetches the files of every configuration (docs.gradle.org, "Initialization Scripts")."""


_TELL = """
allprojects { project -> project.tasks.withType(Test) {
  testLogging { events "passed", "skipped", "failed"; exceptionFormat "full" }
} }
"""
"""Lets Gradle name each test and its outcome, of which it prints nothing by itself: a count needs them."""


class JavaCommands(NamedTuple):
    """What prepares and what tests a folder; `setup` is written for the top of the repository."""

    setup: Setup
    name: str
    test: str


def java_commands(prefix: str, paths: Iterable[str]) -> JavaCommands | None:
    """Return the commands of a folder (with a slash at its end, or "") with these paths, None when it is no such project."""
    inside = frozenset(paths)
    if "pom.xml" in inside:
        return _maven(prefix, inside)
    if {"build.gradle", "build.gradle.kts"} & inside:
        return _gradle(prefix, inside)
    return None


def _maven(prefix: str, paths: frozenset[str]) -> JavaCommands:
    program = "sh ./mvnw" if "mvnw" in paths else "mvn"
    poms = sorted(path for path in paths if path == "pom.xml" or path.endswith("/pom.xml"))
    inputs = [
        *poms,
        *sorted(path for path in paths if path.startswith(".mvn/")),
        *(["mvnw"] if "mvnw" in paths else []),
    ]
    folders = " ".join(shlex.quote(path.removesuffix("pom.xml") or "./") for path in poms)
    warm = f"{program} -B -fae test -Dtest={_WARM} -DfailIfNoTests=false -Dsurefire.failIfNoSpecifiedTests=false"
    # MAVEN_OPTS names the proxy by which the registries are reached, and another repository, over which the last one wins.
    # One may fail where the other gets all: `go-offline` on modules that need each other, a test on plugins of the build.
    # Whom a file was fetched from is forgotten, since it is not asked again.
    command = (
        f'export MAVEN_OPTS="$MAVEN_OPTS -Dmaven.repo.local=$PWD/{MAVEN_REPOSITORY}" TOP="$PWD" && {_enter(prefix)}'
        f'for d in {folders}; do mkdir -p "$d/src/test/java" && echo "public class {_WARM} {{ }}" '
        f'> "$d/src/test/java/{_WARM}.java"; done; {program} -B dependency:go-offline; first=$?; {warm}; second=$?; '
        f'for d in {folders}; do rm -rf "$d/src/test/java/{_WARM}.java" "$d/target"; done; '
        f'find "$TOP/{MAVEN_REPOSITORY}" -name _remote.repositories -delete; test $first = 0 -o $second = 0'
    )
    setup = Setup((command,), tuple(prefix + path for path in inputs), (MAVEN_REPOSITORY,))
    return JavaCommands(setup, "maven", f"{program} -B -o test")


def _gradle(prefix: str, paths: frozenset[str]) -> JavaCommands:
    program = "sh ./gradlew" if "gradlew" in paths else "gradle"
    script = f'"$TOP/{GRADLE_HOME}/fetch-once.gradle"'
    command = (
        f'export GRADLE_USER_HOME="$PWD/{GRADLE_HOME}" TOP="$PWD" && mkdir -p {GRADLE_HOME}/init.d && {_enter(prefix)}'
        f'printf %s {shlex.quote(_TELL)} > "$TOP/{GRADLE_HOME}/init.d/tests.gradle" && '
        f"printf %s {shlex.quote(_RESOLVE)} > {script} && "
        f"{program} --no-daemon --console=plain -I {script} fetchOnce && rm {script}"
    )
    test = f"{program} --offline --no-daemon --console=plain test"
    settled = [path for path in sorted(paths) if _steers_gradle(path)]
    # Builds inside of the build are code, which a folder with the settings alone has not got.
    if any(path.startswith(("buildSrc/", "build-logic/")) for path in paths):
        return JavaCommands(Setup((command,)), "gradle", test)
    return JavaCommands(Setup((command,), tuple(prefix + path for path in settled), (GRADLE_HOME,)), "gradle", test)


def _steers_gradle(path: str) -> bool:
    name = path.rpartition("/")[2]
    return (
        name.endswith((".gradle", ".gradle.kts"))
        or name in {"gradle.properties", "gradle.lockfile", "gradlew"}
        or (path.startswith("gradle/"))
    )


def _enter(prefix: str) -> str:
    return f"cd {shlex.quote(prefix.rstrip('/'))} && " if prefix else ""
