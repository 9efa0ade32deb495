"""opencode, `opencode run`: it asks for a title first, and appends no `/v1` to the addresses of its settings.

It takes 1.2 GB of memory, and fetches a list of models and servers for languages unless that is switched off. It holds
its conversations in a database that names the lane, so they are kept by its own export and import.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from buildwright.agents.programs.program import AgentProgram, ProgramPlace, Run, Start
from buildwright.core.activity import Activity
from buildwright.core.model_names import maker_of

_OFF = ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS", "SHARE", "CLAUDE_CODE")
_VERSIONS = {"anthropic": "/v1", "openai": "/v1", "google": "/v1beta"}
_WRITES = frozenset({"write", "edit", "patch"})
_TALK = "talk.json"
_IMPORT_FIRST = 'if [ -f "$1" ]; then "$0" import "$1" </dev/null >/dev/null && rm "$1"; fi; shift; exec "$0" "$@"'
"""Only once: its database has a turn of the same attempt."""
_EXPORT = '"$0" export "$1" > "$2.new" && mv "$2.new" "$2"'


def _start(place: ProgramPlace) -> Start:
    maker = maker_of(place.model)
    model = f"{maker}/{place.model.rpartition('/')[2]}"
    door = {"baseURL": f"{place.door.url}{_VERSIONS[maker]}", "apiKey": place.door.token}
    settings = {
        "model": model,
        "small_model": model,
        "enabled_providers": [maker],
        "provider": {maker: {"options": door, "models": {model.partition("/")[2]: {}}}},
        "permission": "allow",
        "autoupdate": False,
        "share": "disabled",
        "agent": {"title": {"disable": True}},
    }
    env = {"OPENCODE_CONFIG": str(place.home / "opencode.json")}
    env |= {f"OPENCODE_DISABLE_{name}": "1" for name in _OFF}
    go_on = ("--session", place.session) if place.session else ()
    words = ("run", "--format", "json", "--model", model, *go_on)
    argv = ("/bin/sh", "-c", _IMPORT_FIRST, place.program, str(place.home / _TALK), *words)
    return Start(argv, env, {"opencode.json": json.dumps(settings)})


def _exports(place: ProgramPlace) -> tuple[str, ...]:
    return ("/bin/sh", "-c", _EXPORT, place.program, place.session, str(place.home / _TALK))


def _session_files(session: str) -> tuple[str, ...]:  # noqa: ARG001  one conversation in each home
    return (_TALK,)


def _read(run: Run, event: dict[str, Any]) -> Iterator[Activity]:
    part = event.get("part")
    part = part if isinstance(part, dict) else {}
    run.session = str(event.get("sessionID") or run.session)
    match event.get("type"):
        case "text":
            yield from run.says(part.get("text"))
        case "tool_use":
            state = part.get("state") or {}
            given, metadata = state.get("input") or {}, state.get("metadata") or {}
            if part.get("tool") == "bash":
                yield from run.ran(given.get("command"), state.get("output"), metadata.get("exit"))
            elif part.get("tool") in _WRITES and state.get("status") == "completed":
                yield from run.wrote(given.get("filePath"))
        case "error":
            error = event.get("error") or {}
            run.trouble = str((error.get("data") or {}).get("message") or error.get("name") or "it failed")


PROGRAM = AgentProgram(
    name="opencode",
    title="opencode",
    program="opencode",
    install="npm install --global opencode-ai",
    models=("claude-", "gpt-", "gemini-"),
    default_model="claude-sonnet-5-5",
    start=_start,
    read=_read,
    session_files=_session_files,
    lost=re.compile("Session not found"),
    exports=_exports,
    tried="1.18.33",
    leaves=(".opencode",),
)
