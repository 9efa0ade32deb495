"""What `doctor` looks at. Runs programs only to see that they work, and never reads out a key."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

from buildwright.cli.examination_shared import examine_shared
from buildwright.cli.finding import Finding
from buildwright.settings import Settings

_PATIENCE_SECONDS = 10.0
_LITTLE_SPACE = 1024**3


_PROGRAMS: tuple[tuple[str, bool, str], ...] = (
    ("git", True, "nothing can be built: install git 2.38 or newer"),
    ("node", False, "checks of JavaScript and TypeScript projects cannot run"),
    ("npm", False, "packages of JavaScript projects cannot be installed"),
    ("claude", False, "not needed: the Claude Agent SDK brings its own program"),
    ("aider", False, "aider cannot be used as a shell agent"),
    ("bwrap", False, "agents and checks run with your rights, without bubblewrap's walls"),
)


async def examine(settings: Settings, online: bool) -> list[Finding]:
    """Look at everything, programs side by side. Absence is a finding, never an error."""
    programs = [_program(name, required, costs) for name, required, costs in _PROGRAMS]
    findings = [_python(), *await asyncio.gather(*programs), _claude_sdk(), _home(settings), await _database(settings)]
    findings += [*await examine_shared(settings), *_keys(settings.environment)]
    if online:
        findings += await asyncio.gather(*(_reach(name, url) for name, url in _providers(settings.environment)))
    return findings


def _python() -> Finding:
    version = platform.python_version_tuple()
    ok = (int(version[0]), int(version[1])) >= (3, 11)
    return Finding("python", ok, True, platform.python_version(), "Python 3.11 or newer is needed")


async def _program(name: str, required: bool, costs: str) -> Finding:
    path = shutil.which(name)
    if path is None:
        return Finding(name, False, required, "", costs)
    version = await _version_of(path)
    if name == "git" and version and _numbers(version) < (2, 38):
        return Finding(name, False, required, version, "git merge-tree needs git 2.38 or newer")
    if name == "bwrap" and version:
        from buildwright.sandbox import Bubblewrap

        # In a container it is often there and may not do its work.
        reason = await Bubblewrap().usable()
        return Finding(name, reason is None, required, f"{version}{f', {reason}' if reason else ''}", costs)
    return Finding(name, bool(version), required, version or f"{path} does not answer", costs)


async def _version_of(path: str) -> str:
    """The first line that `--version` prints, "" when the program does not answer."""
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return ""
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[0] if lines and process.returncode == 0 else ""


def _numbers(version: str) -> tuple[int, ...]:
    word = next((word for word in version.split() if word[:1].isdigit()), "0")
    return tuple(int(part) for part in word.split(".")[:2] if part.isdigit())


def _claude_sdk() -> Finding:
    costs = "the agent claude cannot be used: install buildwright with the extra claude"
    if importlib.util.find_spec("claude_agent_sdk") is None:
        return Finding("claude-agent-sdk", False, False, "", costs)
    return Finding("claude-agent-sdk", True, False, importlib.metadata.version("claude-agent-sdk"), costs)


def _home(settings: Settings) -> Finding:
    folder = _existing(settings.home)
    free = shutil.disk_usage(folder).free
    found = f"{settings.home} ({free / 1024**3:.1f} GiB free)"
    if not os.access(folder, os.W_OK):
        return Finding("home", False, True, found, "it cannot be written: set BUILDWRIGHT_HOME to a folder that can")
    return Finding("home", free >= _LITTLE_SPACE, True, found, "less than 1 GiB is free: lanes and mirrors need room")


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


async def _database(settings: Settings) -> Finding:
    from buildwright.cli.db import revision_of, wanted_revision

    wanted = wanted_revision()
    found = await revision_of(settings.database)
    if not found:
        return Finding("database", True, True, f"not made yet (revision {wanted} will be)")
    fix = "run buildwright db migrate"
    return Finding("database", found == wanted, True, f"revision {found}", f"revision {wanted} is needed: {fix}")


def _keys(environment: Mapping[str, str]) -> list[Finding]:
    costs = "no live model of this provider; complete task lists with the shell agent, and the demo, need none"
    shapes = {"ANTHROPIC_API_KEY": "sk-ant-", "OPENAI_API_KEY": "sk-"}
    findings = []
    for name, start in shapes.items():
        value = environment.get(name, "")
        odd = value and (not value.startswith(start) or value != value.strip())
        found = "present, but does not look like a key of this provider" if odd else "present" if value else ""
        findings.append(Finding(name, bool(value), False, found, costs))
    return findings


def _providers(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        ("anthropic", environment.get("ANTHROPIC_BASE_URL") or "https://api.anthropic.com"),
        ("openai", environment.get("OPENAI_BASE_URL") or "https://api.openai.com"),
    ]


async def _reach(name: str, url: str) -> Finding:
    """Any answer counts, an error included: it shows that the way is open. No key is sent."""
    import aiohttp

    costs = "live models of this provider cannot be used from here"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE_SECONDS), trust_env=True) as client,
            client.get(url, allow_redirects=False) as answer,
        ):
            return Finding(f"{name} online", True, False, f"{url} answers ({answer.status})", costs)
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        return Finding(f"{name} online", False, False, f"{url}: {type(error).__name__}", costs)
