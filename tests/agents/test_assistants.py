"""An assistant that people use, the real program, runs a build by our tools; its model is scripted on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from buildwright.agents.claude import find_claude
from buildwright.assistants.tool import NOTICE
from tests.agents.fake_messages import Round, Use, serving
from tests.cli.conftest import WRITES
from tests.cli.test_mcp import options, tasks
from tests.git import git

_PREFIX = "mcp__buildwright__"


def results(body: dict[str, Any]) -> list[str]:
    """What tools have answered so far, as the model is told."""
    found: list[str] = []
    for message in body["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else []:
            if part.get("type") == "tool_result":
                content = part["content"]
                found += [content] if isinstance(content, str) else [one.get("text", "") for one in content]
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one commit."""
    path = tmp_path / "target"
    path.mkdir()
    (path / "README.md").write_text("# Target\n", encoding="utf-8")
    git(path, "init", "-q", "-b", "main")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "Start")
    return path


async def test_claude_code_runs_a_build(tmp_path: Path, repository: Path) -> None:
    program = find_claude(os.environ["PATH"])
    assert program is not None
    home = tmp_path / "home"
    home.mkdir()
    environment = {"BUILDWRIGHT_HOME": str(tmp_path / "kept"), "PATH": os.environ["PATH"], "HOME": str(home)}
    ours = {"command": sys.executable, "args": ["-m", "buildwright", "mcp"], "env": environment}
    config = tmp_path / "servers.json"
    config.write_text(json.dumps({"mcpServers": {"buildwright": ours}}), encoding="utf-8")
    wanted = {"spec": tasks("a"), "repository": str(repository), "options": options(WRITES)}

    def answer(turn: int, body: dict[str, Any]) -> Round:
        if f"{_PREFIX}start" not in {tool["name"] for tool in body.get("tools", [])}:
            return ["A title"]
        match turn:
            case 0:
                return [Use(f"{_PREFIX}start", wanted)]
            case 1:
                return [Use(f"{_PREFIX}status", {"wait_seconds": 300})]
            case _:
                return ["It is built."]

    async with serving(answer) as fake:
        process = await asyncio.create_subprocess_exec(
            str(program),
            *("-p", "Build it", "--mcp-config", str(config), "--strict-mcp-config", "--output-format", "json"),
            *("--model", "claude-sonnet-5-5", "--allowedTools", f"{_PREFIX}start", f"{_PREFIX}status"),
            cwd=repository,
            env={
                **environment,
                "ANTHROPIC_BASE_URL": fake.url,
                "ANTHROPIC_API_KEY": "sk-ant-none",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "ENABLE_TOOL_SEARCH": "false",
                "MCP_TIMEOUT": "120000",
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 280)
    assert process.returncode == 0, (out, err)
    assert json.loads(out)["result"] == "It is built."
    told = results(fake.requests[-1])
    assert len(told) == 2, told
    begun, ended = (json.loads(text) for text in told)
    assert (begun["notice"], ended["notice"]) == (NOTICE, NOTICE)
    assert (ended["id"], ended["outcome"]) == (begun["build_id"], "succeeded")
    assert git(repository, "show", f"buildwright/{ended['id'][:8]}:a.txt") == "a"
