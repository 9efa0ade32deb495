"""Gemini CLI by Google: it speaks Gemini's protocol, and ends with the HTTP status modulo 256 after a failed request.

It asks a small model which model to use unless one is named, and offers no tool that writes unless all are approved
beforehand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from buildwright.agents.programs.program import AgentProgram, ProgramPlace, Run, Start
from buildwright.core.activity import Activity

_SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    # Else it asks ten times, with pauses that grow to half a minute.
    "general": {"enableAutoUpdate": False, "maxAttempts": 4},
}
_WRITES = frozenset({"write_file", "replace"})


def _start(place: ProgramPlace) -> Start:
    go_on = ("--resume", place.session) if place.session else ()
    options = ("--skip-trust", "-y", "-m", place.model, "-o", "stream-json", *go_on)
    env = {
        "GEMINI_API_KEY": place.door.token,
        "GOOGLE_GEMINI_BASE_URL": place.door.url,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    return Start((place.program, *options), env, {".gemini/settings.json": json.dumps(_SETTINGS)})


def _read(run: Run, event: dict[str, Any]) -> Iterator[Activity]:
    match event.get("type"):
        case "init":
            run.session = str(event.get("session_id") or "")
        case "message" if event.get("role") == "assistant":
            yield from run.says(event.get("content"))
        case "tool_use":
            run.calls[str(event.get("tool_id"))] = (str(event.get("tool_name")), event.get("parameters") or {})
        case "tool_result":
            name, given = run.calls.pop(str(event.get("tool_id")), ("", {}))
            if name == "run_shell_command":
                yield from run.ran(given.get("command"), event.get("output"))
            elif name in _WRITES and event.get("status") == "success":
                yield from run.wrote(given.get("file_path"))
        case "error":
            yield from run.warns(event.get("message"))
        case "result" if event.get("status") != "success":
            error = event.get("error")
            run.trouble = str(error.get("message") if isinstance(error, dict) else error or "it failed")


def _session_files(session: str) -> tuple[str, ...]:
    # It finds a conversation by the folder that its list of projects has for the lane.
    return (f".gemini/tmp/*/chats/*-{session[:8]}.json*", ".gemini/projects.json", ".gemini/*/*/.project_root")


PROGRAM = AgentProgram(
    name="gemini",
    title="Gemini CLI",
    program="gemini",
    install="npm install --global @google/gemini-cli",
    models=("gemini-",),
    default_model="gemini-2.5-flash",
    start=_start,
    read=_read,
    session_files=_session_files,
    lost=re.compile("Error resuming session"),
    tried="0.61.0",
    leaves=(".gemini",),
)
