"""Tells values that are no secret: placeholders, look-ups, hashes, identifiers, words. Must never know whose they are.

Each function looks at one value, or at a value with the line it stands on; all are pure.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter


def words_of(text: str) -> frozenset[str]:
    """Return the words of a list that is written as text."""
    return frozenset(text.split())


_WORDS = re.compile(
    r"example|change[-_ ]?(?:me|it|this)|place[-_ ]?holder|your[-_ ]?|x{4}|\*{3}|\.{3}|dummy|sample|fake|redacted|"
    r"replace[-_ ]?|insert[-_ ]|not[-_]?(?:a[-_]?)?real|todo|fixme|foo[-_]?bar|lorem|hunter2$|password123|"
    r"(?:^|[-_.])(?:here|goes|mock|stub|none|null|nil|undefined|test|tests|testing|demo)(?:[-_.\d]|$)|"
    r"(?:^|[-_ ])my[-_ ]?(?:secret|pass|token|key|api)|(?:super|top)[-_ ]?secret|s3cr3t|"
    r"123456|012345|abcdef(?:g|$|1)|abc123|deadbeef|cafebabe|qwerty|987654",
    re.IGNORECASE,
)
"""What people write where a secret belongs."""

_LOOKUPS = re.compile(
    r"\$\{|\$\(|\{\{|<%|%\(|^\$[\w{]|^%\w{1,40}%$|^@\w{1,40}@$|^<.{0,80}>$|#\{|\{[\w.]*\}|^:\w{1,40}$|"
    r"process\.env|os\.environ|getenv|import\.meta|secrets?\.[a-z_]|vars?\.[a-z_]|env\.[A-Za-z_]|config\.[a-z_]|"
    r"^(?:vault|op|ssm|awssm|gcpsm|azkv|sm|keyring|doppler|bws|infisical|file|secretref|secret|ref\+\w+)[:+]/{0,2}|"
    r"^arn:|^ENC[\[(]|^enc[:(]|^!\w|^AQICAH|^Ag[A-D][A-Za-z0-9+/]{60}|^\$ANSIBLE_VAULT|^data:|^base64:?$|^sops",
)
"""References to a value that is kept somewhere else, or is encrypted there."""

_HASHES = re.compile(
    r"^(?:\$2[abxy]?\$|\$argon2|\$[156y]\$|\$apr1\$|\$pbkdf2|pbkdf2_|pbkdf2:|scrypt:|bcrypt|argon2|sha(?:1|224|256|384|512)[-:$=]|md5[-:$=]|"
    r"\{SSHA|\{SHA|SHA256:|h1:|W/)"
)
_HASH_NAMES = re.compile(
    r"(?i)sha-?_?(?:1|2|256|384|512)|\bsha\b|md5|hash|digest|checksum|integrity|etag|commit|\brev(?:ision)?\b|finger-?_?print|"
    r"cache[-_]?(?:key|bust)|\bblob\b|\btree\b|object_?id|_id\b|uuid|guid|crc|signature_of|build[-_ ]?id|version"
)
_HEX = re.compile(r"[0-9a-fA-F]+")
_LONG, _SHORT_WORD = 40, 5
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOCK_LINE = re.compile(r"(?i)integrity|resolved|checksum|sha\d|hash|digest|\bh1:")
_LOCKS = re.compile(
    r"(?i)(?:^|/)(?:[\w.-]*[-.]lock(?:\.\w+)?|[\w-]*lock\.(?:json|ya?ml|toml)|lock\.json|go\.(?:work\.)?sum|npm-shrinkwrap\.json|"
    r"requirements[\w./-]*\.txt|package\.resolved|\.terraform\.lock\.hcl|checksums?\.\w+|sha\d+sums?\S*)$"
)
_WEAK = words_of(
    """
    password passwd pass pwd secret admin root user guest test postgres mysql redis mongo rabbitmq changeme
    default letmein welcome qwerty token key docker vagrant minio minioadmin sa hello monkey dragon master login
    pw pass1 pass123 admin123 root123 test123 guest123 secret123 passw0rd p4ssw0rd p@ssw0rd p@ssword pa55word
    """
)


def entropy(value: str) -> float:
    """Return the Shannon entropy of a text in bits per character."""
    size = len(value) or 1
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def is_placeholder(value: str) -> bool:
    """Return whether a value stands where a secret belongs, refers to one that is kept elsewhere, or repeats itself."""
    return _LOOKUPS.search(value) is not None or is_dummy(value)


def is_dummy(value: str) -> bool:
    """Return whether a value has words of a placeholder in it, or hardly any different characters."""
    found = _WORDS.search(value) if len(value) < 200 else None
    # In a long key a short word stands by chance.
    if found and (len(value) <= _LONG or len(found[0]) > _SHORT_WORD):
        return True
    return len(set(value)) <= max(3, min(len(value) // 6, 6))


def is_hash(value: str) -> bool:
    """Return whether a value says of itself that it is a digest or a salted hash of a password."""
    return _HASHES.match(value) is not None


def is_plain_digest(value: str, line: str) -> bool:
    """Return whether a value is a hex number of a digest's length, or a UUID, on a line that speaks of such."""
    if _UUID.fullmatch(value):
        return True
    return len(value) in {24, 32, 40, 56, 64, 96, 128} and bool(_HEX.fullmatch(value) and _HASH_NAMES.search(line))


def is_lock_line(path: str, line: str) -> bool:
    """Return whether a line belongs to a lock file and holds a digest or the address of a package."""
    return _LOCKS.search(path) is not None and _LOCK_LINE.search(line) is not None


def is_lock_file(path: str) -> bool:
    """Return whether a file is a lock file or a list of checksums, by the customs of package managers."""
    return _LOCKS.search(path) is not None


def is_weak(value: str) -> bool:
    """Return whether a value is one of the words that are common in examples and for local servers."""
    return value.lower() in _WEAK or value.lower().rstrip("0123456789!") in _WEAK


def reads_like_words(value: str) -> bool:
    """Return whether a value is made of words, numbers and names as people write them, and not drawn by chance."""
    parts = [part for part in re.split(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z][a-z])", value) if part]
    return all(
        (
            part.isalpha()
            and (part.islower() or part.isupper() or part[1:].islower())
            and (len(part) <= 12 or _vowels(part))
        )
        or (part.isdigit() and len(part) <= 4)
        or re.fullmatch(r"[A-Za-z]{1,12}\d{1,2}|v?\d{1,4}[a-z]{0,2}", part)
        for part in parts
    )


def is_drawn(value: str, least: int = 16) -> bool:
    """Return whether a value looks drawn by chance: long enough, letters and digits, high entropy, no words."""
    if len(value) < least or not any(c.isalpha() for c in value):
        return False
    if not any(c.isdigit() for c in value):
        mixed = any(c.islower() for c in value) and any(c.isupper() for c in value)
        return len(value) >= _LONG // 2 and mixed and entropy(value) >= 3.8 and not reads_like_words(value)
    if _HEX.fullmatch(value):
        return entropy(value) >= 2.8
    return entropy(value) >= 3.0 and not reads_like_words(value)


def is_password(value: str) -> bool:
    """Return whether a short value looks like a password that was chosen to be strong."""
    kinds = (
        any(c.islower() for c in value),
        any(c.isupper() for c in value),
        any(c.isdigit() for c in value),
        any(not c.isalnum() and c not in "-_./" for c in value),
    )
    if len(value) < 8 or is_weak(value) or entropy(value) < 2.3:
        return False
    if sum(kinds) >= 3:
        return kinds[2] or kinds[3]
    return (
        kinds[2]
        and sum(kinds) == 2
        and not reads_like_words(value)
        and not re.fullmatch(r"[A-Za-z]+[\d.]{1,4}|[\d.,:/-]+[A-Za-z]{0,3}", value)
    )


def is_example_token(value: str) -> bool:
    """Return whether a signed token (JWT) is one of documentation: its claims name an invented person."""
    parts = value.split(".")
    if len(parts) < 2:
        return False
    for part in parts[:2]:
        try:
            text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            continue
        if re.search(
            r"(?i)john\s?doe|jane\s?doe|1234567890|example\.(?:com|org|net)|\"alg\":\s?\"none\"|\bfoo\b|alice|bob\b",
            text,
        ):
            return True
    return False


def basic_password(value: str) -> str:
    """Return the password in a Basic credential (RFC 7617), "" when it is none."""
    try:
        text = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text.partition(":")[2]


def _vowels(part: str) -> bool:
    share = sum(c in "aeiouyAEIOUY" for c in part) / len(part)
    return 0.25 <= share <= 0.6
