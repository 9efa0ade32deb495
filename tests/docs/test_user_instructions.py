"""The instructions for users work as they stand: their blocks are run in order, in one shell, against a real server."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from tests.docs.pages import ROOT, read
from tests.docs.shell import ADDRESS, examples, prepared, run, serving

PAGE = ROOT / "USER_INSTRUCTIONS.md"


def test_the_blocks_work_one_after_the_other(tmp_path: Path) -> None:
    blocks = [example.script for example in examples(PAGE)]
    assert "".join(blocks).count(ADDRESS) == 1
    environment = prepared(tmp_path)
    with serving(environment, tmp_path) as address:
        said = "".join(run(blocks, environment, tmp_path, address, 120))
    assert '"user_id":"ann"' in said
    assert '{"path":"greeting.txt","size_bytes":6,"language":"text"}' in said
    assert "}hello\n" in said
    assert "# Hello" in said
    assert "'delivered_to': ['greet']" in said
    assert '"pause_phase": "Greeting"' in said
    assert '"status":"cancelled"' in said


def test_the_port_of_the_page_is_that_of_the_program() -> None:
    from buildwright.cli.serve import serve

    named = inspect.signature(serve).parameters
    assert f"http://{named['host'].default}:{named['port'].default}" == ADDRESS
    assert ADDRESS in read(PAGE)


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", read(PAGE)):
        assert (ROOT / target).exists(), target
