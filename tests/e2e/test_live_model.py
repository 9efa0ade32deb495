"""A Markdown spec, a key in the environment, a provider that answers: the live path of `build`, through the pass-through.

The provider is a second gateway that replays a cassette on 127.0.0.1; to the build it is a live one, reached by base URL
and key, which knows nothing of tasks and lanes: it tells requests apart by their text alone.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from buildwright.core.limits import Options
from buildwright.gateway import LocalGateway
from buildwright.ports import ModelAccess
from tests.cli.conftest import Ended, Program, program, repository

__all__ = ["program", "repository"]

CASSETTE = """
version: 1
model: claude-sonnet-5-5
turns:
  - when: {tool: final_result}
    reply:
      json:
        tasks:
          - {id: greet, title: Greet by name, goal: Hello, acceptance: [it does], files_expected: [greet.py]}
          - {id: loud, title: Greet loudly, goal: Shout, acceptance: [it does], depends_on: [greet], files_expected: [loud.py]}
  - when: {contains: "name 'upper' is not defined"}
    reply:
      text: |
        The method was missing its object.
        === EDIT: loud.py ===
        <<<<<<< SEARCH
            return upper(greet(name))
        =======
            return greet(name).upper()
        >>>>>>> REPLACE
        === END EDIT ===
  - when: {contains: "# Task loud"}
    reply:
      files:
        loud.py: |
          from greet import greet


          def loud(name):
              return upper(greet(name))
        test_loud.py: |
          import unittest

          from loud import loud


          class LoudTest(unittest.TestCase):
              def test_loud(self):
                  self.assertEqual(loud("ann"), "HELLO, ANN")
    faults: [{kind: 529, times: 1, retry_after: 0.1}]
  - when: {contains: "# Task greet"}
    reply:
      files:
        greet.py: |
          def greet(name):
              return f"Hello, {name}"
        test_greet.py: |
          import unittest

          from greet import greet


          class GreetTest(unittest.TestCase):
              def test_greet(self):
                  self.assertEqual(greet("ann"), "Hello, ann")
    usage: {input: 1000, output: 100}
"""


async def test_a_markdown_spec_is_built_with_a_key_in_the_environment(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    cassette = tmp_path / "provider.yaml"
    cassette.write_text(CASSETTE)
    spec = tmp_path / "spec.md"
    spec.write_text("# A greeter\n\nIt greets by name, and loudly if asked.\n")
    provider = LocalGateway({}, tmp_path / "provider")
    door = await provider.open(ModelAccess("", "", 1, Options(cassette=str(cassette))))

    def build() -> Ended:
        check = "python3 -m unittest discover"
        words = ("build", spec, "--repo", repository, "--check", check, "--sandbox", "none", "--json")
        return program(*words, ANTHROPIC_BASE_URL=door.url, ANTHROPIC_API_KEY=door.token)

    try:
        ended = await asyncio.to_thread(build)
    finally:
        await provider.shut(door)
        await provider.close()
    assert ended.code == 0, ended.out[-3000:]
    summary = ended.lines[-1]
    assert summary["outcome"] == "succeeded"
    kinds = [line.get("type") for line in ended.lines]
    assert kinds.count("tokens.used") >= 4, "plan, greet, loud and its correction were metered"
    assert kinds.count("task.retried") == 1
    priced = [line for line in ended.lines if line.get("type") == "tokens.used" and line.get("task") == "greet"]
    assert priced[0]["input_tokens"] == 1000
    assert float(priced[0]["cost_usd"]) > 0
    everything = json.dumps(ended.lines) + ended.err + _stored(program.home)
    assert door.token not in everything, "the key stands in no output and in no file of ours"


def _stored(home: Path) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in home.rglob("*") if path.is_file())
