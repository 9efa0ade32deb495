"""Tells files that are keys by what they hold, whatever their name. Must never read more than it is given.

Formats: PKCS#1 and PKCS#8 (RFC 8017, RFC 5958), SEC 1 (RFC 5915), PKCS#12 (RFC 7292) as DER; the magic numbers of
Java's JKS and JCEKS, of KeePass, of the macOS keychain, of Bitcoin's wallet; OpenPGP packets (RFC 9580, section 4.2).
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_MAGIC = (
    (b"\xfe\xed\xfe\xed", "java-keystore"),
    (b"\xce\xce\xce\xce", "java-keystore"),
    (b"\x03\xd9\xa2\x9a", "keepass-database"),
    (b"kych", "macos-keychain"),
)
_SEQUENCE = rb"\x30(?:[\x00-\x7f]|\x81.|\x82..|\x83...)"
_DER = (
    (re.compile(_SEQUENCE + rb"\x02\x01\x03\x30", re.DOTALL), "pkcs12-keystore"),
    (re.compile(_SEQUENCE + rb"\x02\x01\x00\x02(?:\x81.|\x82..)", re.DOTALL), "private-key-der"),
    (re.compile(_SEQUENCE + rb"\x02\x01[\x00\x01]" + _SEQUENCE + rb"\x06", re.DOTALL), "private-key-der"),
    (re.compile(_SEQUENCE + rb"\x02\x01\x01\x04[\x18-\x42]", re.DOTALL), "private-key-der"),
)
_OPENPGP_NAMES = frozenset((".gpg", ".pgp", ".key", ".sec", ".skr"))
_OPENPGP_SECRET = frozenset((0x94, 0x95, 0xC5))
_MASTER_KEY = re.compile(rb"\s{0,4}[0-9a-f]{32}\s{0,4}|\s{0,4}[0-9a-f]{64}\s{0,4}")
_ENV_EXAMPLES = ("example", "sample", "template", "dist", "defaults", "schema")


def kind_of_key_file(path: str, content: bytes) -> str:
    """Return the kind of key that a whole file is, "" when it is none."""
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    for shape, kind in _DER if content[:1] == b"\x30" else ():
        if shape.match(content):
            return kind
    name = PurePosixPath(path)
    if content[12:16] == b"\x62\x31\x05\x00" and name.suffix == ".dat":
        return "bitcoin-wallet"
    if name.suffix in _OPENPGP_NAMES and content[:1] and content[0] in _OPENPGP_SECRET:
        return "openpgp-secret-key"
    if name.suffix == ".key" and len(content) < 80 and _MASTER_KEY.fullmatch(content):
        return "master-key"
    return ""


def is_env_file(path: str) -> bool:
    """Return whether a file is one of those that hold the real values of a deployment, and no example."""
    name = path.rpartition("/")[2].lower()
    is_env = name == ".env" or name.startswith(".env.") or name.endswith(".env") or name == ".envrc"
    return is_env and not any(word in name for word in _ENV_EXAMPLES)
