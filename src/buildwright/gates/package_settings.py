"""Lends set-up the user's settings of package managers, so that private registries are reached.

Must never leave them where a check or an agent can read them.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from buildwright.gates.certificates import is_of_certificates

PLACES = (
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".bunfig.toml",
    ".config/pnpm/rc",
    ".config/pip/pip.conf",
    ".pip/pip.conf",
    ".config/uv/uv.toml",
    ".config/pypoetry/auth.toml",
    ".config/pypoetry/config.toml",
    ".cargo/config.toml",
    ".cargo/credentials.toml",
    ".m2/settings.xml",
    ".m2/settings-security.xml",
    ".gradle/gradle.properties",
    ".config/go/env",
    ".netrc",
)
"""Files below a home that package managers read for their registries and the keys to them."""
_NAMED_BY = {".npmrc": "NPM_CONFIG_USERCONFIG", ".config/pip/pip.conf": "PIP_CONFIG_FILE", ".netrc": "NETRC"}
"""Variables by which the user may keep such a file elsewhere."""
VARIABLES = re.compile(
    r"""(?ix) (?:https?|all|no)_proxy | SSL_CERT_(?:FILE|DIR) | (?:REQUESTS|CURL)_CA_BUNDLE | NODE_EXTRA_CA_CERTS
    | PIP_(?:INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|DEFAULT_TIMEOUT|RETRIES)
    | UV_(?:DEFAULT_INDEX|INDEX\w*|EXTRA_INDEX_URL|NATIVE_TLS|SYSTEM_CERTS|HTTP_TIMEOUT|INSECURE_HOST|KEYRING_PROVIDER)
    | NPM_CONFIG_(?:REGISTRY|CAFILE|CA|STRICT_SSL|PROXY|HTTPS_PROXY|NOPROXY)
    | POETRY_HTTP_BASIC_\w+ | CARGO_(?:REGISTRIES|REGISTRY|HTTP)_\w+ | GO(?:PROXY|PRIVATE|NOPROXY|NOSUMDB|SUMDB|INSECURE)
    """
)
"""Names of variables that say the same as such files."""
_HOW = re.compile(r"(?i).*(?:_PROXY|_TIMEOUT|_RETRIES|_CERTS|_SSL|_CAFILE|_CA|SSL_CERT_DIR)")
"""Those of them that say how a registry is reached, and never which."""
_LARGEST = 1_000_000
_SECRET = re.compile(
    r"""(?ix)
      (?:token|password|passwd|secret|_auth|api-?key|_key)["']?\s*(?:[=:]|\s)\s*["']?([^\s"'<>]{6,})   # key = value
    | <(?:password|passphrase)>\s*([^<\s]{6,})
    | ://[^/\s:@]*:([^/\s@]{6,})@                                                        # user:password of an address
    """
)


def secrets_in(text: str) -> set[str]:
    """Return what looks like keys and passwords in the text of such a file."""
    return {next(filter(None, found.groups())) for found in _SECRET.finditer(text)}


def found_variables(mine: Mapping[str, str]) -> dict[str, str]:
    """Return those of the user's variables that package managers read for their registries and the way to them."""
    return {name: value for name, value in mine.items() if VARIABLES.fullmatch(name)}


def may_name_a_registry(variable: str) -> bool:
    """Return whether one of these variables can be why a package is not found: it names a registry, or a key to it."""
    return not is_of_certificates(variable) and _HOW.fullmatch(variable) is None


def found_settings(mine: Mapping[str, str]) -> dict[str, Path]:
    """Return the user's files by their place below a home; `mine` is the user's environment."""
    home = mine.get("HOME", "")
    found: dict[str, Path] = {}
    for place in PLACES:
        named = mine.get(_NAMED_BY.get(place, ""), "")
        file = Path(named) if named else Path(home, place) if home else None
        if file is not None and file.is_file() and file.stat().st_size <= _LARGEST:
            found[place] = file
    return found


@contextlib.contextmanager
def lent(found: Mapping[str, Path], home: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Put copies below the private `home` of a set-up (Cargo's where CARGO_HOME is), and take them away at the end."""
    placed: list[Path] = []
    try:
        for place, file in found.items():
            target = home / place
            if place.startswith(".cargo/") and environment.get("CARGO_HOME"):
                target = Path(environment["CARGO_HOME"], place.removeprefix(".cargo/"))
            if target.exists() or target.is_symlink():
                continue
            placed.append(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            target.chmod(0o600)
        yield
    finally:
        for target in placed:
            target.unlink(missing_ok=True)
