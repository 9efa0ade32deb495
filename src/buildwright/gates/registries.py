"""Which hosts the user's package managers fetch from: what they say themselves, and what the user's settings name.

No host is written here: the built-in ones are asked of the tools, run as the user runs them, in an empty folder. Must
never read a setting of the project, which an agent may have written.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from buildwright.core.addresses import Destination, plain_host
from buildwright.gates.package_settings import found_settings, found_variables
from buildwright.temporary_folders import temporary_folder

_SECONDS = 30.0
_URL = re.compile(r"(?:sparse\+)?(https?)://(?:[^\s/'\"<>@]*@)?([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?")
_BARE = re.compile(r"(?m)^\s*//([A-Za-z0-9._-]+)(?::(\d{1,5}))?/")
"""Lines of `.npmrc` that give a registry's key."""
_NO_ANSWER = "http://127.0.0.1:1"
"""A proxy that refuses: a tool that names its registry only when it cannot reach it is asked through it."""
_ASK_PIP = """
import contextlib, json
from pip._internal.configuration import Configuration
from pip._internal.models.index import PyPI
told = Configuration(isolated=False)
told.load()
print(json.dumps([PyPI.url, f"https://{PyPI.file_storage_domain}/", *(str(value) for _, value in told.items())]))
"""
_MANIFEST = '[package]\nname = "a"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nlibc = "*"\n'
_REPOSITORIES = """buildscript {
  repositories { gradlePluginPortal(); mavenCentral(); google() }
  repositories.each { println it.url }
}
"""
"""A build file without a project, which prints the addresses of the repositories that Gradle has names for."""
_WORDS = {
    "pip": ("pip", "uv", "poetry", "pdm", "hatch", "pipenv", "pipx", "tox", "nox", "venv", "python", "python3"),
    "npm": ("npm", "npx"),
    "pnpm": ("pnpm",),
    "yarn": ("yarn", "corepack"),
    "bun": ("bun", "bunx"),
    "cargo": ("cargo",),
    "go": ("go",),
    "mvn": ("mvn", "mvnw"),
    "gradle": ("gradle", "gradlew"),
}
"""The words of a command by which a manager is recognised."""


def managers_in(command: str) -> set[str]:
    """Return the package managers that a command may call; all, if it hides behind a script or a Makefile."""
    words = {word.rpartition("/")[2] for word in re.findall(r"[\w./-]+", command)}
    named = {manager for manager, known in _WORDS.items() if words.intersection(known)}
    return named if named else set(_WORDS)


class Registries:
    """The hosts of the user's package managers, each asked once in this process."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], frozenset[Destination]] = {}

    async def of(self, command: str, mine: Mapping[str, str]) -> tuple[Destination, ...]:
        """Return the hosts that a command of set-up may fetch from; `mine` is the user's environment."""
        wanted = [(manager, mine.get("PATH", ""), mine.get("HOME", "")) for manager in sorted(managers_in(command))]
        missing = [key for key in wanted if key not in self._known]
        told = await asyncio.gather(*(asyncio.to_thread(_told_by, key[0], dict(mine)) for key in missing))
        self._known |= dict(zip(missing, told, strict=True))
        built_in = (place for key in wanted for place in self._known[key])
        return tuple(sorted({*built_in, *_in_settings(mine)}))


def _in_settings(mine: Mapping[str, str]) -> Iterator[Destination]:
    """Yield the hosts that the user's variables and files of package managers name."""
    for name, value in found_variables(mine).items():
        if not name.lower().endswith("_proxy"):
            yield from _places(value)
    for place, file in found_settings(mine).items():
        if place != ".netrc":
            text = file.read_text("utf-8", "replace")
            yield from _places(text)
            yield from _places(
                "\n".join(f"https://{host}{':' * bool(port)}{port}" for host, port in _BARE.findall(text))
            )


def _places(text: str) -> Iterator[Destination]:
    for scheme, host, port in _URL.findall(text):
        name, number = plain_host(host), int(port or (443 if scheme == "https" else 80))
        if name is not None and 0 < number < 65_536:
            yield Destination(name, (number,))


def _told_by(manager: str, mine: Mapping[str, str]) -> frozenset[Destination]:
    """Return the hosts that a package manager says it fetches from; none where it is not installed."""
    ask = _ASKED.get(manager)
    with temporary_folder("buildwright-") as folder, contextlib.suppress(OSError, ValueError):
        return frozenset(place for text in (ask or _npm)(folder, mine, manager) for place in _places(text))
    return frozenset()


def _said(argv: Iterable[str], folder: Path, mine: Mapping[str, str]) -> str:
    """Return what a program of the user's prints, "" when it is missing or takes too long."""
    first, *rest = argv
    program = shutil.which(first, path=mine.get("PATH"))
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *rest],
            check=False,
            cwd=folder,
            env=dict(mine),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def _pip(folder: Path, mine: Mapping[str, str], _manager: str) -> Iterator[str]:
    for python in ("python3", sys.executable):
        with contextlib.suppress(ValueError):
            yield "\n".join(json.loads(_said((python, "-I", "-c", _ASK_PIP), folder, mine)))
            return


def _npm(folder: Path, mine: Mapping[str, str], manager: str) -> Iterator[str]:
    # The lock files of the others may name npm's registry too.
    for asked, name in {("npm", "registry"), (manager, "registry"), (manager, "npmRegistryServer")}:
        if asked != "bun" and (asked == "yarn" or name == "registry"):
            yield _said((asked, "config", "get", name), folder, mine)


def _cargo(folder: Path, mine: Mapping[str, str], _manager: str) -> Iterator[str]:
    """Cargo names its index when it cannot reach it, and the index says where crates lie (its `config.json`)."""
    (folder / "src").mkdir()
    (folder / "src/lib.rs").touch()
    (folder / "Cargo.toml").write_text(_MANIFEST, encoding="utf-8")
    nowhere = {"CARGO_HTTP_PROXY": _NO_ANSWER, "CARGO_NET_RETRY": "0", "CARGO_HOME": str(folder / "home")}
    for name in ("config.toml", "config"):
        file = Path(mine.get("CARGO_HOME") or Path(mine.get("HOME", "/"), ".cargo"), name)
        if file.is_file():
            (folder / "home").mkdir(exist_ok=True)
            shutil.copyfile(file, folder / "home" / name)
    said = _said(("cargo", "fetch"), folder, {**mine, **nowhere})
    yield said
    for index in re.findall(r"https://[^\s`]+/config\.json", said):
        # S310: the address begins with https.
        with contextlib.suppress(OSError), urllib.request.urlopen(index, timeout=_SECONDS) as answer:  # noqa: S310
            yield answer.read(10_000).decode("utf-8", "replace")


def _go(folder: Path, mine: Mapping[str, str], _manager: str) -> Iterator[str]:
    said = _said(("go", "env", "GOPROXY", "GOSUMDB"), folder, mine)
    yield said
    # The database of checksums is named without a scheme, and may be named with its key (go.dev/ref/mod, GOSUMDB).
    yield "\n".join(f"https://{word}" for word in re.findall(r"(?m)^[a-z0-9.-]+\.[a-z]+", said))


def _mvn(_folder: Path, mine: Mapping[str, str], _manager: str) -> Iterator[str]:
    """Maven's own repository stands in the model that every project inherits (its "super POM")."""
    import zipfile

    for program in _installed("mvn", mine, ".m2"):
        for jar in (Path(program).resolve().parent.parent / "lib").glob("maven-model-builder-*.jar"):
            with zipfile.ZipFile(jar) as files:
                text = files.read("org/apache/maven/model/pom-4.0.0.xml").decode()
            yield "\n".join(re.findall(r"<url>(.*?)</url>", text))


def _gradle(folder: Path, mine: Mapping[str, str], _manager: str) -> Iterator[str]:
    """Gradle says where its short names of repositories lead, and writes where its wrapper is fetched from."""
    (folder / "settings.gradle").touch()
    (folder / "build.gradle").write_text(_REPOSITORIES, encoding="utf-8")
    for program in _installed("gradle", mine, ".gradle"):
        yield _said((program, "--offline", "-q", "--no-daemon", "--console=plain", "wrapper"), folder, mine)
        properties = folder / "gradle/wrapper/gradle-wrapper.properties"
        if properties.is_file():
            yield properties.read_text(encoding="utf-8").replace("\\:", ":")


def _installed(name: str, mine: Mapping[str, str], home: str) -> Iterator[str]:
    """Yield the user's program, else the newest that a wrapper has put below the home: wrappers need none on the PATH."""
    program = shutil.which(name, path=mine.get("PATH"))
    if program is None:
        brought = Path(mine.get("HOME", "/"), home, "wrapper/dists").glob(f"*/*/**/bin/{name}")
        program = next(iter(sorted(map(str, brought), reverse=True)), None)
    if program is not None:
        yield program


_Ask = Callable[[Path, Mapping[str, str], str], Iterator[str]]
_ASKED: Mapping[str, _Ask] = {"pip": _pip, "cargo": _cargo, "go": _go, "mvn": _mvn, "gradle": _gradle}
"""How each manager is asked; those of Node alike."""
