"""What is told of commands that never got to judge: the package that is missing, the limit that ended them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from buildwright.gates.causes import with_cause, with_refused, with_settings, with_way_out
from buildwright.gates.reporting import finding
from buildwright.ports import Completed
from buildwright.time_advice import time_advice


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("/usr/bin/python3: No module named pytest", "pytest"),
        ("ImportError: Error importing plugin: No module named 'pytest_cov.plugin'", "pytest-cov"),
        ("error: unrecognized arguments: --cov=src --cov-report=term", "pytest-cov"),
        ("error: unrecognized arguments: --strict-x -n auto", "pytest-xdist"),
        ("error: unrecognized arguments: -n4", "pytest-xdist"),
        ("error: unrecognized arguments: --timeout=10", "pytest-timeout"),
        ("error: unrecognized arguments: --asyncio-mode=auto", "pytest-asyncio"),
        ("E       fixture 'mocker' not found", "pytest-mock"),
        ("pytest.PytestConfigWarning: Unknown config option: asyncio_mode", "pytest-asyncio"),
    ],
)
def test_what_is_missing_is_named_with_where_it_goes(said: str, missing: str, tmp_path: Path) -> None:
    failed = finding("check.failed", f"`python -m pytest -q` exited with code 1.\n{said}")
    (tmp_path / "pyvenv.cfg").touch()
    python = f"{tmp_path}/bin/python3"
    told = with_cause(failed, python).fix
    assert told.startswith(f"{missing} is not in the Python of the checks, {python}: install it there")
    assert f"{python} -m pip install {missing}" in told
    told = with_cause(failed, "/v/bin/python3").fix
    assert told.startswith(f"{missing} is not in the Python of the checks, /v/bin/python3: activate the environment")
    assert f"python3 -m venv .venv && .venv/bin/python -m pip install {missing}" in told, (
        "no environment to put it into"
    )


@pytest.mark.parametrize(
    "said", ["assert 1 == 2", "error: unrecognized arguments: --nobody-knows -no", "fixture 'db' not found"]
)
def test_what_is_not_known_gets_no_fix(said: str) -> None:
    assert with_cause(finding("check.failed", said), "python").fix == ""


def test_a_module_may_be_a_dependency_or_the_projects_own() -> None:
    told = with_cause(finding("test.error", "E   ModuleNotFoundError: No module named 'yaml'"), "/v/bin/python3")
    assert (
        told.fix == "yaml is not there: if it is a dependency, install it in the Python of the checks, /v/bin/python3"
    )


def test_a_module_whose_package_is_there_is_a_file_that_is_missing() -> None:
    told = with_cause(finding("test.error", "E   ModuleNotFoundError: No module named 'humanize._version'"), "python")
    assert told.fix.startswith("humanize is there and has no _version: if it is a file of yours that git does not have")
    assert "--setup" in told.fix


def test_a_fix_that_is_there_stays() -> None:
    assert with_cause(finding("check.failed", "No module named pytest", fix="mend it"), "python").fix == "mend it"


def test_a_time_limit_is_named_and_an_overloaded_machine_too() -> None:
    assert "--gate-time SECONDS" in time_advice("--gate-time", load=1.0, cores=2)
    assert "overloaded" not in time_advice("--gate-time", load=1.0, cores=2)
    assert "load 9.9 on 2 cores" in time_advice("--gate-time", load=9.9, cores=2)
    assert "SECONDS" not in time_advice("", load=9.9, cores=2)


def test_what_mypy_cannot_find_is_named_as_missing() -> None:
    said = 'Cannot find implementation or library stub for module named "freezegun.api"'
    assert with_cause(finding("mypy.import-not-found", said), "/v/bin/python3").fix.startswith(
        "freezegun is not there:"
    )


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("npm error request to https://a.example/x failed, reason: getaddrinfo ENOTFOUND a.example", "a.example"),
        ("curl: (6) Could not resolve host: a.example", "a.example"),
        ("fatal: unable to access 'https://a.example/x/': Could not resolve host: a.example", "a.example"),
        ("Failed to resolve 'a.example' ([Errno -3] Temporary failure in name resolution)", "a.example"),
        ("dial tcp: lookup a.example on 10.0.0.1:53: no such host", "a.example"),
        ("AssertionError: host not found", ""),
    ],
)
def test_a_name_that_no_sandbox_looks_up_has_a_way_out(line: str, host: str) -> None:
    one = with_way_out(finding("check.failed", f"`x` ended with exit code 1.\n{line}"), "checks")
    assert (f"reach {host}:" in one.fix) is bool(host)
    assert ("[network] checks" in one.fix) is bool(host)


@pytest.mark.parametrize(
    "line",
    [
        "info: syncing channel updates for 1.60.0-x86_64-unknown-linux-gnu",
        "info: syncing channel updates for '1.60.0-x86_64-unknown-linux-gnu'",
        "error: toolchain '1.60.0-x86_64-unknown-linux-gnu' is not installed",
    ],
)
def test_a_toolchain_that_rustup_has_not_got_is_named_with_the_command(line: str) -> None:
    one = with_way_out(
        finding("setup.failed", f"`cargo fetch` exited with code 1.\n{line}\nRead-only file system"), "setup"
    )
    assert one.fix == "run `rustup toolchain install 1.60.0-x86_64-unknown-linux-gnu` yourself"


def test_a_lock_file_of_another_pnpm_is_named() -> None:
    said = " WARN  Ignoring not compatible lockfile at /x/pnpm-lock.yaml\n ERR_PNPM_NO_LOCKFILE  Cannot install"
    one = with_way_out(finding("setup.failed", f"`pnpm install` exited with code 1.\n{said}"), "setup")
    assert "another pnpm has written pnpm-lock.yaml" in one.fix


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ERROR: No matching distribution found for ours", True),
        ("npm error code E404\nnpm error 404 Not Found - GET https://registry.example/@ours%2fx", True),
        ("npm error code E401", True),
        ("ERR_PNPM_FETCH_404  GET https://registry.example/ours: Not Found - 404", True),
        ("YN0035: ours: Package not found\n  Response Code: 404 (Not Found)", True),
        ("Because ours was not found in the package registry and your project depends on ours", True),
        ("SyntaxError: no", False),
    ],
)
def test_settings_that_were_not_lent_are_named_where_a_package_is_missing(said: str, told: bool) -> None:
    missing = finding("setup.failed", f"`install` exited with code 1.\n{said}")
    assert ("--package-settings" in with_settings(missing, [".npmrc", "PIP_INDEX_URL"]).fix) is told
    assert not with_settings(missing, []).fix


@pytest.mark.parametrize(
    "line",
    [
        "sh: 0: Cannot fork",
        "bash: fork: retry: Resource temporarily unavailable",
        "BlockingIOError: [Errno 11] Resource temporarily unavailable",
        "RuntimeError: can't start new thread",
        "Error: spawn node EAGAIN",
        "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory",
    ],
)
def test_want_of_processes_is_named(line: str) -> None:
    one = with_way_out(finding("check.failed", f"`x` exited with code 1.\n{line}"), "checks")
    assert "no more processes or threads" in one.fix
    other = with_way_out(
        finding("check.failed", "`x` exited with code 1.\nAssertionError: no knife and fork"), "checks"
    )
    assert other.fix == ""


def test_what_the_sandbox_refused_is_named_where_the_program_says_it_in_other_words() -> None:
    said = finding("setup.failed", "`npm ci` exited with code 1.\n403 Forbidden")
    done = Completed(1, b"", False, 1.0, datetime.now(UTC), refused=("a.example:443",))
    fix = with_refused(said, "setup", done).fix
    assert "refused it a.example:443" in fix
    assert 'add "a.example:443" to the list [network] setup' in fix
    assert with_refused(said.model_copy(update={"fix": "mend it"}), "setup", done).fix == "mend it"
    assert with_refused(said, "setup", replace(done, refused=())).fix == ""
