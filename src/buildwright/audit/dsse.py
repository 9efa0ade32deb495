"""Signs and checks statements: in-toto Statement v1 in a DSSE envelope, ed25519. Must never keep a key in a repository.

Formats: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md and
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from buildwright.confined_fs import sync_folder
from buildwright.errors import BadSettings, CouldNot

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


def canonical(value: object) -> bytes:
    """Return the JSON of a value in one form: sorted keys, no spaces, UTF-8 (RFC 8785 for text and whole numbers).

    Raises ValueError for a number that is not finite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


class PublicKey:
    """A public key; `id` is the SHA-256 of its 32 bytes, in hex."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(raw).hexdigest()

    @classmethod
    def read(cls, pem: bytes) -> PublicKey:
        """Read a key from PEM. Raises BadSettings when it is none of ed25519."""
        try:
            key = load_pem_public_key(pem)
        except ValueError as error:
            raise BadSettings(
                f"this is not a public key: {error}", fix="give the file that ends with .pub.pem"
            ) from error
        if not isinstance(key, Ed25519PublicKey):
            raise BadSettings("this is not an ed25519 key", fix="give the file that ends with .pub.pem")
        return cls(key)

    @property
    def pem(self) -> str:
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def accepts_seal(self, message: bytes, sealed: object) -> bool:
        """Return whether this key has sealed exactly these bytes."""
        try:
            return isinstance(sealed, str) and self.accepts(message, base64.b64decode(sealed, validate=True))
        except binascii.Error:
            return False

    def accepts(self, message: bytes, signature: bytes) -> bool:
        """Return whether the signature is this key's, of exactly this message."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class StatementSigner:
    """A private key in a file that only its owner may read, made on first use."""

    def __init__(self, folder: Path) -> None:
        """Open the key below `folder`. Raises CouldNot when it is there and cannot be used."""
        self._key = _open_key(folder / "signing.pem")
        self.public = PublicKey(self._key.public_key())

    def seal(self, message: bytes) -> str:
        """Return the signature of exactly these bytes, in base64."""
        return base64.b64encode(self._key.sign(message)).decode()

    def sign(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        """Return the DSSE envelope of a statement."""
        payload = canonical(statement)
        signature = self.seal(_pae(PAYLOAD_TYPE, payload))
        return {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": self.public.id, "sig": signature}],
        }


def statement(subject: Sequence[Mapping[str, Any]], kind: str, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """Return an in-toto Statement v1. `kind` is the URI of the predicate's type."""
    return {"_type": STATEMENT_TYPE, "subject": list(subject), "predicateType": kind, "predicate": dict(predicate)}


def open_envelope(envelope: object, keys: Sequence[PublicKey]) -> tuple[dict[str, Any], str]:
    """Return the statement in an envelope and "" if one of `keys` has signed it, else why it cannot be trusted."""
    try:
        assert isinstance(envelope, dict)
        payload = base64.b64decode(envelope["payload"], validate=True)
        told = json.loads(payload)
        kind = str(envelope["payloadType"])
        signatures = [
            (str(one["keyid"]), base64.b64decode(one["sig"], validate=True)) for one in envelope["signatures"]
        ]
        assert isinstance(told, dict)
    except (AssertionError, KeyError, TypeError, ValueError, binascii.Error):
        return {}, "it is not a DSSE envelope"
    known = {key.id: key for key in keys}
    if not any(name in known for name, _ in signatures):
        names = ", ".join(name[:16] for name, _ in signatures) or "nobody"
        return told, f"it is signed by a key that is not known here ({names})"
    message = _pae(kind, payload)
    if not any(name in known and known[name].accepts(message, signature) for name, signature in signatures):
        return told, "its signature does not fit its content"
    return told, ""


def _pae(kind: str, payload: bytes) -> bytes:
    """Return the bytes that are signed (DSSE, "Pre-Authentication Encoding")."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def _open_key(path: Path) -> Ed25519PrivateKey:
    try:
        if not path.exists():
            _make_key(path)
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise CouldNot(
            f"The signing key {path} cannot be used: {error}.", fix="Move it away; a new one is made."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CouldNot(f"{path} is not an ed25519 key.", fix="Move it away; a new one is made.")
    return key


def _make_key(path: Path) -> None:
    """Write a new key beside `path`, then link it there: of two processes that do so at once, the first one counts."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = Ed25519PrivateKey.generate()
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        path.with_name("signing.pub.pem").write_text(PublicKey(key.public_key()).pem)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
