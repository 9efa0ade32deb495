"""Qwen Code: Gemini CLI's sister, with events like those of Claude Code. It needs Node 22.

It chooses the protocol by an option, and finds no door when only the address is given and not the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from buildwright.agents.programs.program import AgentProgram, ProgramPlace, Run, Start
from buildwright.core.activity import Activity
from buildwright.core.model_names import maker_of

_SETTINGS = {
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "general": {"enableAutoUpdate": False, "disableAutoUpdate": True, "disableUpdateNag": True},
    "memory": {"enableManagedAutoMemory": False},
    # Else it waits for a refused rate ten times more, for one to five minutes each, after the seven tries of each time.
    "model": {"generationConfig": {"maxRetries": 0}},
}
_KINDS = {
    "anthropic": ("anthropic", "ANTHROPIC", ""),
    "openai": ("openai", "OPENAI", "/v1"),
    "google": ("gemini", "GEMINI", ""),
}
_WRITES = frozenset({"write_file", "edit", "replace"})


def _start(place: ProgramPlace) -> Start:
    kind, prefix, version = _KINDS[maker_of(place.model)]
    env = {
        "QWEN_CODE_SUPPRESS_YOLO_WARNING": "1",
        f"{prefix}_API_KEY": place.door.token,
        f"{prefix}_MODEL": place.model,
        "GOOGLE_GEMINI_BASE_URL" if prefix == "GEMINI" else f"{prefix}_BASE_URL": f"{place.door.url}{version}",
    }
    options = ("-y", "--auth-type", kind, "-m", place.model, "-o", "stream-json")
    go_on = ("--resume", place.session) if place.session else ()
    return Start((place.program, *options, *go_on), env, {".qwen/settings.json": json.dumps(_SETTINGS)})


def _read(run: Run, event: dict[str, Any]) -> Iterator[Activity]:
    message = event.get("message")
    blocks = (message.get("content") if isinstance(message, dict) else None) or ()
    run.session = str(event.get("session_id") or run.session)
    match event.get("type"):
        case "assistant":
            for block in blocks:
                yield from _assistant(run, block)
        case "user" if not isinstance(blocks, str):
            for block in blocks:
                yield from _result(run, block)
        case "result" if event.get("is_error"):
            error = event.get("error")
            run.trouble = str(
                (error.get("message") if isinstance(error, dict) else error) or event.get("result") or "it failed"
            )


def _assistant(run: Run, block: dict[str, Any]) -> Iterator[Activity]:
    if block.get("type") == "text":
        yield from run.says(block.get("text"))
    elif block.get("type") == "tool_use":
        run.calls[str(block.get("id"))] = (str(block.get("name")), block.get("input") or {})


def _result(run: Run, block: dict[str, Any]) -> Iterator[Activity]:
    if block.get("type") != "tool_result":
        return
    name, given = run.calls.pop(str(block.get("tool_use_id")), ("", {}))
    if name == "run_shell_command":
        yield from run.ran(given.get("command"), block.get("content"))
    elif name in _WRITES and not block.get("is_error"):
        yield from run.wrote(given.get("file_path"))


def _session_files(session: str) -> tuple[str, ...]:
    return (f".qwen/projects/*/chats/{session}.jsonl",)


PROGRAM = AgentProgram(
    name="qwen",
    title="Qwen Code",
    program="qwen",
    install="npm install --global @qwen-code/qwen-code",
    models=("gpt-", "claude-", "gemini-"),
    default_model="gpt-5.5",
    start=_start,
    read=_read,
    session_files=_session_files,
    lost=re.compile("No saved session found"),
    tried="0.24.4",
    leaves=(".qwen",),
)
