"""Who makes a request: signed tokens, and the key that signs them. Knows no request, no route and no store."""

from buildwright.auth.secret import SECRET, secret_key
from buildwright.auth.tokens import Claims, Kind, Signer

__all__ = ["SECRET", "Claims", "Kind", "Signer", "secret_key"]
