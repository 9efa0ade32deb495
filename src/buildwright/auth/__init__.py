"""Authentication: signed tokens, and the key that signs them. Must never know a request, a route or a store."""

from buildwright.auth.secret import SECRET, secret_key
from buildwright.auth.tokens import Claims, Kind, Signer
from buildwright.auth.vault import Vault

__all__ = ["SECRET", "Claims", "Kind", "Signer", "Vault", "secret_key"]
