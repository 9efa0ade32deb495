"""Lends commands with a network the authorities whose certificates the user trusts. Must never lend a private key.

Behind a proxy that signs with an authority of its own nothing can be fetched without them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_VARIABLES = re.compile(
    r"(?i)SSL_CERT_FILE|(?:REQUESTS|CURL)_CA_BUNDLE|NODE_EXTRA_CA_CERTS|PIP_CERT|NPM_CONFIG_CAFILE"
    r"|GIT_SSL_CAINFO|CARGO_HTTP_CAINFO"
)
"""Variables that name a file of certificates."""
_SWITCHES = re.compile(r"UV_NATIVE_TLS|UV_SYSTEM_CERTS|NODE_USE_SYSTEM_CA")
"""Variables that say whether the certificates of the system are trusted."""
_CERTIFICATE = re.compile(
    rb"-----BEGIN (?P<kind>(?:TRUSTED |X509 )?CERTIFICATE)-----[A-Za-z0-9+/=\s]+-----END (?P=kind)-----"
)
_LARGEST = 10_000_000


def is_of_certificates(variable: str) -> bool:
    """Return whether a variable only says which certificates are trusted: commands with a network are given it anyway."""
    return (_VARIABLES.fullmatch(variable) or _SWITCHES.fullmatch(variable)) is not None


def lend_certificates(mine: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the variables by which commands find copies of the user's certificates, written into `folder`.

    `mine` is the user's environment. Only certificates are copied, whatever else is in such a file.
    """
    lent = {name: value for name, value in mine.items() if _SWITCHES.fullmatch(name)}
    copies: dict[str, str] = {}
    for name, value in mine.items():
        if not _VARIABLES.fullmatch(name) or not value:
            continue
        if value not in copies and (found := _certificates(Path(value))):
            copy = folder / f"certificates-{len(copies) + 1}.pem"
            copy.write_bytes(found)
            copies[value] = str(copy)
        if value in copies:
            lent[name] = copies[value]
    return lent


def _certificates(file: Path) -> bytes:
    """Return the certificates in a file; nothing where there are none."""
    with suppress(OSError):
        if file.is_file() and file.stat().st_size <= _LARGEST:
            return b"".join(found[0] + b"\n" for found in _CERTIFICATE.finditer(file.read_bytes()))
    return b""
