"""Names of environment variables that are Buildwright's own affair. Pure data."""

from __future__ import annotations

MODEL_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")
"""The keys of models, which only the gateway sees."""

MODEL_ADDRESSES = ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL")
"""The addresses of models; they come from the environment alone."""

FORGE_SECRETS = ("GITHUB_CLIENT_SECRET", "GITHUB_WEBHOOK_SECRET", "GITHUB_APP_KEY_FILE")
"""What a server proves itself to a forge with, or has it proven."""

OTHER_KEYS = ("BUILDWRIGHT_SECRET", "BUILDWRIGHT_TOKEN", "DATABASE_URL", "REDIS_URL", *FORGE_SECRETS)
"""Variables that are keys, or hold a password."""

FORGE_TOKENS = ("GITHUB_TOKEN", "GITLAB_TOKEN", "GITEA_TOKEN")
"""The tokens of forges, which only what asks them and git's own transfers see."""

UNCONTAINED = "agents and checks run with the rights of the user who builds it (--sandbox none)."
"""What a build without a sandbox is told by, once it is shown to others."""
