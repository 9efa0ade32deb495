"""GitHub Copilot CLI with a model of one's own: it speaks Chat Completions or Messages.

Left to itself it unpacks 237 MB into each fresh home. It masks the characters of its key wherever they occur in its JSON.
"""

from __future__ import annotations

import re
import uuid

from buildwright.agents.programs.program import PROMPT, AgentProgram, ProgramPlace, Start, Unpacks
from buildwright.core.model_names import maker_of


def _start(place: ProgramPlace) -> Start:
    is_claude = maker_of(place.model) == "anthropic"
    env = {
        "COPILOT_PROVIDER_TYPE": "anthropic" if is_claude else "openai",
        "COPILOT_PROVIDER_BASE_URL": place.door.url if is_claude else f"{place.door.url}/v1",
        "COPILOT_PROVIDER_API_KEY": place.door.token,
        "COPILOT_MODEL": place.model,
        "COPILOT_OFFLINE": "true",
        "COPILOT_AUTO_UPDATE": "false",
    }
    session = place.session or str(uuid.uuid4())
    options = ("--allow-all-tools", "--silent", "--no-color", "--resume" if place.session else "--session-id", session)
    return Start((place.program, "-p", PROMPT, *options), env, session=session)


def _session_files(session: str) -> tuple[str, ...]:
    return (f".copilot/session-state/{session}/**/*",)


PROGRAM = AgentProgram(
    name="copilot",
    title="GitHub Copilot CLI",
    program="copilot",
    install="npm install --global @github/copilot",
    models=("gpt-", "claude-"),
    default_model="gpt-5.5",
    start=_start,
    read=None,
    session_files=_session_files,
    lost=re.compile("No session, task, or name matched"),
    unpacks=Unpacks("COPILOT_PKG_CACHE_HOME", ("--binary-version",), {"COPILOT_SEA_EXTRACT_ONLY": "1"}),
    tried="1.0.102",
    leaves=(".copilot",),
)
