"""Finds what a person allowed in a repository, by the settings. Must never decide what is a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildwright.errors import BadRepository
from buildwright.settings import Settings

if TYPE_CHECKING:
    from buildwright.secret_scan import AllowedSecrets

COMPILED_RULES = "secret-rules"
"""The directory of the home with the compiled rules."""


def allowed_file(settings: Settings) -> AllowedSecrets:
    """Return the decisions of this home."""
    from buildwright.secret_scan import AllowedSecrets

    return AllowedSecrets(settings.home / "allowed-secrets.json")


def repository_name(settings: Settings, repository: str) -> str:
    """Return one name for a repository, however it is written: the path of its git directory, or its URL."""
    from buildwright.workspace.source import locate

    try:
        return locate(repository, settings.environment).location
    except BadRepository:
        return repository


def allowed_secrets(settings: Settings, repository: str) -> frozenset[str]:
    """Return the fingerprints that are allowed in a repository. Raises StoreFailed."""
    return allowed_file(settings).fingerprints(repository_name(settings, repository))
