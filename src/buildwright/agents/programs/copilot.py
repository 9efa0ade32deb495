"""GitHub Copilot CLI with a model of one's own: it speaks Chat Completions or Messages.

It unpacks 237 MB into each fresh home, and masks the characters of its key wherever they occur in its JSON.
"""

from __future__ import annotations

from buildwright.agents.programs.program import PROMPT, AgentProgram, ProgramPlace, Start
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
    return Start((place.program, "-p", PROMPT, "--allow-all-tools", "--silent", "--no-color"), env)


PROGRAM = AgentProgram(
    name="copilot",
    title="GitHub Copilot CLI",
    program="copilot",
    install="npm install --global @github/copilot",
    models=("gpt-", "claude-"),
    default_model="gpt-5.5",
    start=_start,
    read=None,
    tried="1.0.102",
    leaves=(".copilot",),
)
