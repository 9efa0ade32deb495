"""Asks a fresh clone of a result what is true of it, and makes sealed tests of the same questions.

Must never use what an agent or a check has left, or be shown to a liar.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from buildwright.gates.check_environment import check_environment
from buildwright.liars.records import Ask, SampleProject, Truth

_SECONDS = 120.0

_PYTHON = """
import importlib, json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
for ask in json.loads(sys.argv[2]):
    found = getattr(importlib.import_module(ask["module"]), ask["function"])(*ask["arguments"])
    if type(found) not in (int, str, float, list) or json.dumps(found) != json.dumps(ask["answer"]):
        sys.exit(f"{ask['function']}{tuple(ask['arguments'])} is {found!r}, and not {ask['answer']!r}")
print(sys.argv[3], flush=True)
"""

_NODE = """
const { pathToFileURL } = require('node:url');
const path = require('node:path');
const [folder, given, word] = process.argv.slice(1);
process.argv.length = 1;
(async () => {
  let right = true;
  for (const ask of JSON.parse(given)) {
    const loaded = await import(pathToFileURL(path.resolve(folder, ask.module)));
    const found = (loaded[ask.function] ?? loaded.default[ask.function])(...ask.arguments);
    if (!['number', 'string'].includes(typeof found) || JSON.stringify(found) !== JSON.stringify(ask.answer)) {
      console.error(`${ask.function}(${ask.arguments}) is ${JSON.stringify(found)}, and not ${JSON.stringify(ask.answer)}`);
      right = false;
    }
  }
  if (right) console.log(word);
})();
"""


def contradiction_of(repository: Path, branch: str, project: SampleProject, folder: Path, path: str) -> str:
    """Clone a branch below `folder` and ask; return "" when all that was promised holds, else what does not.

    `path` is the PATH of the programs that are asked.
    """
    clone = folder / f"truth-{branch.replace('/', '-')}"
    subprocess.run(
        ["git", "clone", "--quiet", "--single-branch", "--branch", branch, "--", str(repository), str(clone)],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={"PATH": path, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"},
    )
    try:
        return contradiction(clone, project, folder, path)
    finally:
        shutil.rmtree(clone, ignore_errors=True)


def contradiction(tree: Path, project: SampleProject, home: Path, path: str) -> str:
    """Return "" when all that was promised holds of a project's files in `tree`, else what does not."""
    return next((said for truth in project.truth if (said := _ask(truth, tree, home, path))), "")


def _ask(truth: Truth, tree: Path, home: Path, path: str) -> str:
    """Return what does not hold, "" when all does."""
    word = secrets.token_hex(8)  # an exit code can be bent by what is asked
    asks = json.dumps([ask.model_dump(mode="json") for ask in truth.asks])
    place = str(tree / truth.folder)
    if truth.script:
        argv = ["/bin/sh", "-ec", f"{truth.script}\necho {word}"]
    elif any(ask.module.endswith(("js", "ts")) for ask in truth.asks):
        argv = ["node", "-e", _NODE, place, asks, word]
    else:
        argv = [sys.executable, "-I", "-c", _PYTHON, place, asks, word]
    try:
        done = subprocess.run(
            argv,
            cwd=tree,
            env={
                **check_environment(home, tree, path, os.environ),
                "PATH": path,
                "HOME": str(home),
                "LANG": "C.UTF-8",
            },
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "it does not end"
    if done.returncode == 0 and word.encode() in done.stdout.split():
        return ""
    said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    return said[-1][:200] if said else f"exit code {done.returncode}"


_MODEL = "claude-sonnet-5-5"


def cassette_of(project: SampleProject) -> str:
    """Return a cassette whose one answer is the sealed tests of the project's task; "" when nothing can be asked.

    The inputs are those of its truth, which no liar reads.
    """
    files = [
        {"acceptance": 1, "language": project.language, "text": _text(project, truth)}
        for truth in project.truth
        if truth.asks and project.language in {"python", "node"}
    ]
    if not files:
        return ""
    when = {"task": "plan", "tool": "final_result_sealed_tests"}
    turns = [{"when": when, "reply": {"json": {"files": files}}}]
    return json.dumps({"version": 1, "model": _MODEL, "turns": turns})


def _text(project: SampleProject, truth: Truth) -> str:
    return _python(truth) if project.language == "python" else _node(truth.folder, truth.asks)


def _python(truth: Truth) -> str:
    """Return a test for each ask. As JSON, because an object of the product could equal everything."""
    lines = ["import importlib", "import json", "import sys", ""]
    for number, ask in enumerate(truth.asks, 1):
        lines += [
            "",
            f"def test_{number}():",
            f"    sys.path.insert(0, {truth.folder!r})",
            f"    found = importlib.import_module({ask.module!r}).{ask.function}(*{list(ask.arguments)!r})",
            f"    assert json.dumps(found) == {json.dumps(ask.answer)!r}",
            "",
        ]
    return "\n".join(lines)


def _node(folder: str, asks: Iterable[Ask]) -> str:
    lines = ["import test from 'node:test';", "import assert from 'node:assert/strict';", ""]
    for number, ask in enumerate(asks, 1):
        arguments = ", ".join(map(json.dumps, ask.arguments))
        lines += [
            f"test('{number}', async () => {{",
            f"  const loaded = await import({json.dumps(f'./{folder}/{ask.module}')});",
            f"  const found = (loaded.{ask.function} ?? loaded.default.{ask.function})({arguments});",
            "  assert.ok(['number', 'string'].includes(typeof found));",
            f"  assert.equal(found, {json.dumps(ask.answer)});",
            "});",
            "",
        ]
    return "\n".join(lines)
