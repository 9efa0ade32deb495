"""Seals what must be kept and never shown: tokens of forges and secrets of webhooks. Must never keep what it seals.

The key is derived from the one that signs tokens: a process without that one cannot read what was sealed.
"""

from __future__ import annotations

import base64

from buildwright.errors import BadSettings

_PURPOSE = b"buildwright: tokens of forges and secrets of webhooks, 1"


class Vault:
    """Seals and opens texts (Fernet: AES-128-CBC with HMAC-SHA256) with one key."""

    def __init__(self, key: bytes) -> None:
        """`key` is that of `secret_key`; the vault's own is derived from it (HKDF, RFC 5869)."""
        from cryptography.fernet import Fernet
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key)
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def seal(self, text: str) -> bytes:
        """Return the text, readable by `open` alone."""
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """Return the text that was sealed. Raises BadSettings when that was done with another key, or it was changed."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise BadSettings(
                "what the store has sealed cannot be opened: the server's key is another one now",
                fix="set BUILDWRIGHT_SECRET as it was, or connect again",
            ) from error
