"""The guides to HTTP tell the truth: every block is run against a real server, and what comes is what they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from buildwright.api import bodies, guard
from buildwright.api.app import fastapi_for
from buildwright.api.idempotency import LONGEST
from buildwright.api.pages import FARTHEST
from buildwright.api.problems import CODES
from buildwright.api.rates import DEFAULTS
from buildwright.api.routes.sign_in import SESSION_SECONDS, TICKET_SECONDS
from buildwright.api.state import BODY_SECONDS
from buildwright.cli.serve import SIGN_IN_SECONDS
from buildwright.request_model import DEEPEST
from tests.docs.answers import difference, documents, is_like, shown
from tests.docs.pages import ROOT, blocks, read
from tests.docs.shell import ADDRESS, Example, examples, prepared, run, serving

GUIDES = ROOT / "docs" / "guides"
HTTP = GUIDES / "http.md"
STREAMS = GUIDES / "streams.md"
PAGES = [HTTP, GUIDES / "http-builds.md", STREAMS]
ALSO = [ROOT / "docs" / "cli.md", ROOT / "USER_INSTRUCTIONS.md"]
SOURCE = ROOT / "src" / "buildwright"
GIVEN = frozenset(
    f"BUILDWRIGHT_{name}"
    for name in (
        *("BUILD_ID", "TASK_ID", "ATTEMPT", "PROMPT_FILE", "FEEDBACK_FILE", "MESSAGES_FILE"),
        *("KEPT", "FAILPOINT"),
    )
)
"""What commands are given, how processes of ours are known, and what kills them in a test: nobody sets these."""


def check(example: Example, said: str, address: str) -> None:
    """Compare what a block printed with what the page shows of it."""
    here = said.replace("\r", "").replace(address, ADDRESS).strip()
    if example.language == "text":
        wanted = example.shown.strip().splitlines()
        assert len(wanted) == len(here.splitlines()), f"{example.script}\n{here}"
        for line, found in zip(wanted, here.splitlines(), strict=True):
            assert is_like(line, found), f"{example.script}\n{found}\nis not\n{line}"
        return
    if example.language == "json":
        wanted_documents, found_documents = shown(example.shown), documents(here)
        assert len(wanted_documents) == len(found_documents), f"{example.script}\n{here}"
        for one, other in zip(wanted_documents, found_documents, strict=True):
            assert difference(one, other) == "", f"{example.script}\n{here}"
        return
    assert "/problems/" not in here, f"{example.script}\n{here}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_works_and_its_answers_are_as_shown(page: Path, tmp_path: Path) -> None:
    found = examples(page)
    scripts = [example.script for example in found]
    assert "".join(scripts).count(ADDRESS) == 1
    environment = prepared(tmp_path)
    with serving(environment, tmp_path) as address:
        for example, said in zip(found, run(scripts, environment, tmp_path, address, 240), strict=True):
            check(example, said, address)


def test_every_shown_answer_follows_its_block() -> None:
    for page in PAGES:
        followed = {example.shown for example in examples(page) if example.language == "json"}
        assert set(blocks(page, "json")) <= followed, page.name


def test_the_table_of_codes_is_that_of_the_server() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \| .+ \| .+ \|$", read(HTTP), re.MULTILINE)
    assert {code: int(status) for code, status in rows} == dict(CODES)
    assert [int(status) for _, status in rows] == sorted(int(status) for _, status in rows)


def test_every_variable_of_the_source_is_named() -> None:
    source = {name for path in SOURCE.rglob("*.py") for name in re.findall(r"\bBUILDWRIGHT_[A-Z_]+\b", read(path))}
    part = read(HTTP).partition("\n## Variables\n")[2]
    named = set(re.findall(r"`(BUILDWRIGHT_[A-Z_]+)`", part))
    assert named == source - GIVEN
    assert source >= GIVEN


def test_defaults_in_the_guide_are_those_of_the_server() -> None:
    page = read(HTTP)
    for name, rate in DEFAULTS.items():
        assert f"`{rate}`" in re.findall(rf"^\| `{name}` \|.*$", page, re.MULTILINE)[0]
    page = " ".join(page.split())  # wherever its lines are broken
    assert f"at most {bodies.LARGEST_BODY:,} bytes and {BODY_SECONDS:.0f} seconds to arrive" in page
    assert f"within {guard.HANDLER_SECONDS:.0f} seconds. Objects and lists nest at most {DEEPEST} deep" in page
    assert f"1 to {LONGEST} printable characters" in page
    assert f"looks through {FARTHEST:,} lines" in page
    assert (SESSION_SECONDS, SIGN_IN_SECONDS, TICKET_SECONDS) == (12 * 3600, 10 * 60, 30)


def of_paths(text: str) -> set[str]:
    """Paths with their methods, as they stand in code."""
    return {
        f"{method} {_shape(path)}" for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE|WS) (/[^`\s?]*)", text)
    }


def _shape(path: str) -> str:
    """A path with nameless parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_the_guides_name_every_path_and_no_other() -> None:
    described = {
        f"{method.upper()} {_shape(path)}"
        for path, methods in fastapi_for().openapi()["paths"].items()
        for method in methods
    }
    sockets = {f"WS {path}" for path in guard.OWN_TICKET}
    contracts = read(GUIDES / "contracts.md").partition("\n## Over HTTP\n")[2]  # what is above has paths of programs
    named = of_paths(contracts).union(*(of_paths(read(page)) for page in [*PAGES, GUIDES / "automation.md", *ALSO]))
    undescribed = {"GET /docs", "GET /openapi.json", "POST /mcp"}
    assert named - described - sockets - undescribed == set(), "a guide names what is not there"
    assert described - named == set(), "no guide names it"


def test_the_client_that_misses_nothing_does_so_when_the_server_is_another_one_meanwhile(tmp_path: Path) -> None:
    (client,) = blocks(STREAMS, "python")
    (tmp_path / "watch.py").write_text(client, encoding="utf-8")
    environment = prepared(tmp_path)
    setup = [example.script for example in examples(STREAMS)][:1]
    with serving(environment, tmp_path) as address:
        begin = [*setup, 'echo "$(start 2) $TOKEN"']
        build, token = run(begin, environment, tmp_path, address, 60)[-1].split()
        command = [sys.executable, "watch.py", address, token, build]
        watching = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        limit = Timer(90, watching.kill)  # nobody waits for ever for a line
        limit.daemon = True
        limit.start()
        assert watching.stdout is not None
        printed = [watching.stdout.readline() for _ in range(4)]
    port = int(address.rpartition(":")[2])
    with serving(environment, tmp_path, port):
        rest = watching.stdout.read()  # not `communicate`, which would miss what `readline` has read ahead
        watching.stdout.close()
        watching.wait(timeout=60)
        limit.cancel()
    numbers, events = zip(*(line.split() for line in [*printed, *rest.splitlines()]), strict=True)
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))
    assert events[-1] == "build.finished"
    assert watching.returncode == 0


def test_the_table_of_close_codes_is_that_of_the_server() -> None:
    rows = {int(code) for code in re.findall(r"^\| (\d{4}) \| ", read(STREAMS), re.MULTILINE)}
    source = read(SOURCE / "api" / "routes" / "sockets.py")
    assert rows == {int(code) for code in re.findall(r"\b(1\d{3}|44\d{2})\b", source)}


def test_the_names_of_frames_are_those_of_the_source() -> None:
    part = read(STREAMS).partition("| frame | when |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z_.]+)`", part))
    source = read(SOURCE / "views" / "frames.py")
    made = set(re.findall(r'(?:yield|return|\[)\s*\(*\s*"([a-z]+[_.][a-z_.]+)"', source)) | {"audit_fail"}
    assert named == made | {"build_log", "file_created"}


def test_curl_is_real() -> None:
    assert any((Path(folder) / "curl").exists() for folder in os.environ["PATH"].split(os.pathsep)), "run `make tools`"
