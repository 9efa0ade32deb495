"""Recognises why a command failed that never got to judge: what is not installed, what was not brought. Looks at the
user's checkout; must never change what a finding says, only its fix.
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from buildwright.brought_files import file_with, is_there
from buildwright.core.finding import Finding
from buildwright.gates.comparison import MOST_NAMED
from buildwright.gates.needs import SETTINGS
from buildwright.gates.reporting import finding
from buildwright.ports import Completed

_NO_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_NO_STUB = re.compile(r"Cannot find implementation or library stub for module named \"([\w.]+)\"")
_ARGUMENTS = re.compile(r"unrecognized arguments: (.+)")
_SETTING = re.compile(r"PytestConfigWarning: Unknown config option: (\w+)")
_FIXTURE = re.compile(r"fixture '(\w+)' not found")
_ABSENT = re.compile(r"(?i)no such file|ENOENT|FileNotFound|cannot open|can't open|not found|does not exist|no file")
_UNSET = re.compile(
    r"KeyError: '([A-Z][A-Z0-9_]{2,})'|\b([A-Z][A-Z0-9_]{2,})\b[^A-Z]{0,40}(?:not set|undefined|required|missing|unbound)"
)
_NO_NAME = re.compile(
    r"(?:ENOTFOUND|EAI_AGAIN) (\S+)|(?i:could not resolve host:? )(\S+)|Failed to resolve '([^']+)'"
    r"|(?i:lookup )(\S+?)(?: on \S+)?: (?:no such host|dial|connection refused|server misbehaving)"
)
_NOT_TRUSTED = re.compile(
    r"(?i)CERTIFICATE_VERIFY_FAILED|SELF[-_ ]SIGNED[-_ ]CERT|UNABLE_TO_(?:VERIFY_LEAF|GET_ISSUER)|UnknownIssuer"
    r"|unable to get local issuer certificate|PKIX path building failed|certificate signed by unknown authority"
)
_NAME_AUTHORITY = (
    "what answered there is signed by an authority that is not trusted here, as by the proxy of a company: name the file of"
    " its certificate in your environment (SSL_CERT_FILE, and PIP_CERT or NODE_EXTRA_CA_CERTS), or lend set-up your own"
    " settings with --package-settings"
)
_NO_TOOLCHAIN = re.compile(r"syncing channel updates for '?([\w.-]+)|toolchain '([\w.-]+)' is not installed")
"""What rustup says of a toolchain that the project names and this machine has not got; a step cannot install it."""
_OTHER_PNPM = re.compile(r"(?i)ignoring not compatible lockfile|ERR_PNPM_LOCKFILE_BREAKING_CHANGE")
_NAME_PNPM = (
    "another pnpm has written pnpm-lock.yaml than the one on PATH, which cannot read it: put the one of the project there"
    " (`packageManager` in package.json may name it; npm install -g pnpm@VERSION), or write the file again with"
    " `pnpm install`, and commit it"
)
_NOT_IN_REGISTRY = re.compile(
    r"(?i)No matching distribution found|was not found in the package registry|\bE40[134]\b|ERR_PNPM_FETCH_40[134]"
    r"|Response Code: 40[134]|\b40[134] (?:Not Found|Unauthorized|Forbidden)|Could not find artifact|doesn't match any versions"
)
"""What package managers say of what a registry does not have, or does not give."""
_NO_MORE = re.compile(
    r"(?i)cannot fork|fork: (?:retry: )?resource temporarily|BlockingIOError: \[Errno 11\] Resource temporarily"
    r"|can't start new thread|spawn \S+ EAGAIN|pthread_create\S* failed|unable to create (?:new )?native thread"
)
_FEWER = "it seems to have got no more processes or threads, whose number is limited: let it use fewer at once"
_UNANSWERED = re.compile(r"(?i)connection refused|ECONNREFUSED|couldn't connect to server")
_OWN_LOOPBACK = (
    "nothing answered there: each check has a loopback of its own; if this is a service that you run, name it in"
    f" [services] of {SETTINGS}"
)
_PATH = re.compile(r"[\w.@+/-]*[\w@+-]")
_MOST_PATHS = 20
_PLUGINS = {
    "--cov": "pytest-cov",
    "--no-cov": "pytest-cov",
    "-n": "pytest-xdist",
    "--dist": "pytest-xdist",
    "--numprocesses": "pytest-xdist",
    "--timeout": "pytest-timeout",
    "--asyncio-mode": "pytest-asyncio",
    "--anyio-mode": "anyio",
    "--ds": "pytest-django",
    "--reuse-db": "pytest-django",
    "--benchmark": "pytest-benchmark",
    "--reruns": "pytest-rerunfailures",
    "--random-order": "pytest-random-order",
    "--randomly": "pytest-randomly",
    "--mypy": "pytest-mypy",
    "--snapshot": "syrupy",
    "--flake8": "pytest-flake8",
    "--html": "pytest-html",
}
"""Plugins of pytest by how their options begin."""
_SETTINGS = {
    "asyncio_mode": "pytest-asyncio",
    "asyncio_default_fixture_loop_scope": "pytest-asyncio",
    "anyio_mode": "anyio",
    "timeout": "pytest-timeout",
    "DJANGO_SETTINGS_MODULE": "pytest-django",
    "django_find_project": "pytest-django",
    "env": "pytest-env",
    "mock_use_standalone_module": "pytest-mock",
    "rerun_except": "pytest-rerunfailures",
    "qt_api": "pytest-qt",
}
"""Plugins of pytest by the settings they read: with warnings as errors, pytest fails without them before any test."""
_FIXTURES = {
    "mocker": "pytest-mock",
    "benchmark": "pytest-benchmark",
    "httpx_mock": "pytest-httpx",
    "requests_mock": "requests-mock",
    "snapshot": "syrupy",
    "freezer": "pytest-freezer",
}


_GOT_BY = {
    **{name: f"install it: corepack enable {name}, or npm install --global {name}" for name in ("pnpm", "yarn")},
    "bun": "install it: npm install --global bun",
    **{name: f"install it: pipx install {name}, or pip install {name}" for name in ("uv", "poetry", "tox", "nox")},
    "cargo": "install it with rustup (rustup.rs), or your system's packages",
}


def way_to_get(program: str) -> str:
    """Return how a program is got that a project calls and does not bring; "" stands for one without a known name."""
    return _GOT_BY.get(program, "declare it as a dependency, or install it on this machine")


def with_cause(one: Finding, python: str) -> Finding:
    """Return the finding with a fix, if it has none and its message tells that something is not installed.

    `python` is the path of the Python of the checks.
    """
    if one.fix or one.severity != "error":
        return one
    if missing := _missing(one.message):
        fix = f"{missing} is not in the Python of the checks, {python}: {_place_for(missing, python)}"
    elif found := _NO_STUB.search(one.message) or _last(_NO_MODULE, one.message):
        fix = _about_module(found[1], python, is_read=found.re is _NO_STUB)
    else:
        return one
    return one.model_copy(update={"fix": fix})


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Return the last match: of modules that stand in for one another the last one's lack ends a program."""
    found = None
    for match in pattern.finditer(text):
        found = match
    return found


def _place_for(missing: str, python: str) -> str:
    """Return how to install something: into the environment of the Python, or into a new one of the project."""
    executable = Path(python)
    if (executable.parent.parent / "pyvenv.cfg").is_file() and executable.parent.parent != Path(sys.prefix):
        return f"install it there ({python} -m pip install {missing}), or activate the environment that has it"
    return (
        "activate the environment of the project that has it, or make one at the top of the repository"
        f" (python3 -m venv .venv && .venv/bin/python -m pip install {missing}, and what else the tests need),"
        " which is found by itself"
    )


def _about_module(name: str, python: str, *, is_read: bool) -> str:
    """Return what to do about a module that was not found. `is_read` says that nothing tried to import it.

    An import names the first part of a dotted name that is missing, so that what stands before it is there.
    """
    above, _, last = name.rpartition(".")
    if above and not is_read:
        return (
            f"{above} is there and has no {last}: if it is a file of yours that git does not have, write it in a set-up"
            " step (--setup COMMAND); if it is of a dependency, install the version that has it"
        )
    top = name.partition(".")[0]
    return f"{top} is not there: if it is a dependency, install it in the Python of the checks, {python}"


def refused_by_the_wall(step: str, command: str, done: Completed) -> list[Finding]:
    """Return a warning that names the places which a command asked for and may not reach."""
    if not done.refused:
        return []
    message = f"`{command}` tried to reach {_named(done)}, which [network] {_key(step)} does not allow."
    fix = f"if that is meant: {_allowing(step, done)}"
    return [finding("network.refused", message, severity="warning", fix=fix)]


def with_refused(one: Finding, step: str, done: Completed) -> Finding:
    """Return the finding with a fix, if it has none and the sandbox refused the command a place: its own words for
    that are those of its protocol, such as "403 Forbidden".
    """
    if one.fix or one.severity != "error" or not done.refused:
        return one
    fix = f"the sandbox refused it {_named(done)}; if it should reach that: {_allowing(step, done)}"
    return one.model_copy(update={"fix": fix})


def _named(done: Completed) -> str:
    return f"{', '.join(done.refused[:MOST_NAMED])}{' and more' if len(done.refused) > MOST_NAMED else ''}"


def _key(step: str) -> str:
    return "setup" if step == "setup" else "checks"


def _allowing(step: str, done: Completed) -> str:
    return f'add "{done.refused[0]}" to the list [network] {_key(step)} in {SETTINGS}, and say --grant-needs'


def with_way_out(one: Finding, step: str) -> Finding:
    """Return the finding with a fix, if it has none and its message tells that a host's name could not be looked up.

    Or that rustup has not got the project's toolchain, that pnpm cannot read its lock file, that a certificate is not
    trusted, that there were no more processes, or that a connection was refused, which in a check most often means a
    service outside of its sandbox.

    `step` is the key of `[network]`. Programs that ask no proxy look names up themselves, which nothing in a sandbox
    answers.
    """
    if one.fix or one.severity != "error":
        return one
    if found := _NO_TOOLCHAIN.search(one.message):
        return one.model_copy(update={"fix": f"run `rustup toolchain install {found[1] or found[2]}` yourself"})
    if _OTHER_PNPM.search(one.message):
        return one.model_copy(update={"fix": _NAME_PNPM})
    if _NOT_TRUSTED.search(one.message):
        return one.model_copy(update={"fix": _NAME_AUTHORITY})
    if _NO_MORE.search(one.message):
        return one.model_copy(update={"fix": _FEWER})
    found = _NO_NAME.search(one.message)
    if found is None:
        unanswered = step == "checks" and _UNANSWERED.search(one.message)
        return one.model_copy(update={"fix": _OWN_LOOPBACK}) if unanswered else one
    host = next(filter(None, found.groups())).rstrip(".'`\"")
    fix = (
        f"this step does not reach {host}: if that is meant, name it in [network] {step} of buildwright.toml and say"
        f' --grant-needs; for a program that asks no proxy: [network] {step} = "all"'
    )
    return one.model_copy(update={"fix": fix})


def with_settings(one: Finding, settings: Iterable[str]) -> Finding:
    """Return the finding of a set-up with a fix, if it has none and misses a package that settings of the user may lead to.

    `settings`: the user's files and variables for package managers that set-up was not given.
    """
    named = sorted(settings)
    if one.fix or one.severity != "error" or not named or not _NOT_IN_REGISTRY.search(one.message):
        return one
    fix = (
        f"if it comes from a registry of yours: set-up does not see your {', '.join(named[:MOST_NAMED])};"
        " --package-settings lends them to it"
    )
    return one.model_copy(update={"fix": fix})


def with_lack(one: Finding, repository: str, files: Path, environment: Mapping[str, str]) -> Finding:
    """Return the finding with a fix, if it has none and tells of a file or variable that the user has and checks have not.

    `files` is the checkout that was judged, `environment` the user's.
    """
    if one.fix or one.severity != "error":
        return one
    for line in one.message.splitlines():
        for name in (found[1] or found[2] for found in _UNSET.finditer(line)):
            if environment.get(name):
                fix = f'{name} is set for you and not for checks: [env] pass = ["{name}"] in buildwright.toml passes it on'
                return one.model_copy(update={"fix": fix})
            if path := file_with(repository, name):
                how = (
                    f'which the checks have and do not read: export it, and [env] pass = ["{name}"] in buildwright.toml'
                    if os.path.lexists(files / path)
                    else f"which is in your checkout but not in git: {_bring(path)}"
                )
                return one.model_copy(update={"fix": f"{name} is set in {path}, {how}"})
        for path in dict.fromkeys(_paths(line, files)) if _ABSENT.search(line) else ():
            if not os.path.lexists(files / path) and is_there(repository, path):
                fix = f"{path} is in your checkout but not in git, which leaves ignored files out: {_bring(path)}"
                return one.model_copy(update={"fix": fix})
    return one


def _bring(path: str) -> str:
    return f'bring it along with --bring {path}, or bring = ["{path}"] at the top of buildwright.toml'


def _paths(line: str, files: Path) -> Iterator[str]:
    """Yield what may be paths in a line, from the top of the checkout."""
    for word in _PATH.findall(line)[:_MOST_PATHS]:
        path = posixpath.normpath(word.removeprefix(f"{files}/"))
        if "." in path or "/" in path:
            yield path


def _missing(text: str) -> str:
    """Return the package of pytest, or of a plugin, that is not installed; "" when the text tells of none."""
    if found := _ARGUMENTS.search(text):
        for word in found[1].split():
            option = "-n" if re.match(r"-n\b|-n(?:\d|auto|logical)", word) else word.partition("=")[0]
            for start, plugin in _PLUGINS.items():
                if option == start or option.startswith(f"{start}-"):
                    return plugin
    if (found := _SETTING.search(text)) and found[1] in _SETTINGS:
        return _SETTINGS[found[1]]
    if (found := _FIXTURE.search(text)) and found[1] in _FIXTURES:
        return _FIXTURES[found[1]]
    found = _NO_MODULE.search(text)
    name = found[1].partition(".")[0] if found else ""
    return name.replace("_", "-") if name.startswith("pytest") else ""
