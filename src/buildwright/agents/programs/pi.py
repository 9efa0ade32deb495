"""pi by Mario Zechner, `pi -p`: it takes addresses from its own list of models alone.

It writes text here, its last words: with JSON events it would end with 0 after a failed request.
"""

from __future__ import annotations

import json

from buildwright.agents.programs.program import AgentProgram, ProgramPlace, Start
from buildwright.core.model_names import maker_of

_TALK = "talk"
_APIS = {
    "anthropic": ("anthropic-messages", ""),
    "openai": ("openai-responses", "/v1"),
    "google": ("google-generative-ai", "/v1beta"),
}


def _start(place: ProgramPlace) -> Start:
    api, version = _APIS[maker_of(place.model)]
    door = {
        "baseUrl": f"{place.door.url}{version}",
        "api": api,
        "apiKey": place.door.token,
        "models": [{"id": place.model, "contextWindow": 200_000, "maxTokens": 32_000}],
    }
    models = json.dumps({"providers": {"buildwright": door}})
    options = ("--provider", "buildwright", "--model", place.model, "--session-dir", str(place.home / _TALK), "-p")
    go_on = ("--continue",) if place.session else ()
    env = {"PI_OFFLINE": "1", "PI_CODING_AGENT_DIR": str(place.home / "pi")}
    return Start((place.program, *options, *go_on), env, {"pi/models.json": models}, _TALK)


def _session_files(session: str) -> tuple[str, ...]:
    return (f"{session}/**/*.jsonl",)


PROGRAM = AgentProgram(
    name="pi",
    title="pi",
    program="pi",
    install="npm install --global @mariozechner/pi-coding-agent",
    models=("claude-", "gpt-", "gemini-"),
    default_model="claude-sonnet-5-5",
    start=_start,
    read=None,
    session_files=_session_files,
    tried="0.73.1",
    leaves=(".pi",),
)
