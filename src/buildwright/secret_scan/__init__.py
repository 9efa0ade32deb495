"""The search for secrets in contents of files. Must never keep, print or send a value that it found."""

from buildwright.secret_scan.allowed import AllowedSecret, AllowedSecrets
from buildwright.secret_scan.found import FoundSecret, added, fingerprint_of
from buildwright.secret_scan.scan import LARGEST, SecretScanner, too_large

__all__ = [
    "LARGEST",
    "AllowedSecret",
    "AllowedSecrets",
    "FoundSecret",
    "SecretScanner",
    "added",
    "fingerprint_of",
    "too_large",
]
