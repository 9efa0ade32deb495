"""Programs that change files in a lane, each behind the Agent port. Importing this must never import an agent."""

from __future__ import annotations

AGENTS = {
    "direct": "buildwright.agents.direct:DirectAgent",
    "claude": "buildwright.agents.claude:ClaudeAgent",
    "shell": "buildwright.agents.shell:ShellAgent",
}
"""All agents by the name a user gives: module and class, imported when it is asked for."""
