"""`buildwright serve --open` and `demo --web`: the browser is given a file of ours, never the token."""

from __future__ import annotations

import re
import signal
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.cli.conftest import Program
from tests.cli.test_serve import until


@pytest.fixture
def browser(program: Program, tmp_path: Path) -> Path:
    """What a browser of our own, a script, was called with."""
    called = tmp_path / "called"
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{called}.part"\nmv "{called}.part" "{called}"\n')
    script.chmod(0o755)
    program.environment["BROWSER"] = f"{script} %s"
    return called


def test_the_browser_opens_signed_in_and_no_command_line_has_the_token(program: Program, browser: Path) -> None:
    process = program.start("serve", "--port", "0", "--open", "--json")
    try:
        until(browser.exists, 240)
        (opened,) = browser.read_text().splitlines()
        assert opened.startswith("file://")
        assert "token" not in opened
        file = Path(unquote(urlsplit(opened).path))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        (address,) = re.findall(
            r'url=(http://127\.0\.0\.1:\d+/sign-in\?token=[\w.-]+&amp;next=/#open)"', file.read_text()
        )
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=program.patience)
    assert address.partition("&amp;")[0] in said, "the address is printed too"
    assert not file.exists()


def test_without_a_browser_the_address_is_printed(program: Program) -> None:
    program.environment = {name: value for name, value in program.environment.items() if name != "BROWSER"}
    process = program.start("serve", "--port", "0", "--open", "--json")
    try:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(3)]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=program.patience)
    assert lines[2].startswith("No browser was found here")


def test_the_demo_opens_the_page_of_its_build(program: Program, browser: Path, tmp_path: Path) -> None:
    process = program.start("demo", "--dir", tmp_path / "sample", "--web")  # its JSON would fill the pipe
    try:
        until(browser.exists, 240)
        page = Path(unquote(urlsplit(browser.read_text().strip()).path)).read_text()
        assert re.search(r"&amp;next=/builds/[0-9a-f-]{36}#open", page)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=program.patience)
