"""Decides of each match of the engine whether it is a secret. Must never look beyond the file it stands in."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from buildwright.secret_scan import placeholders as say
from buildwright.secret_scan.key_files import is_env_file
from buildwright.secret_scan.native import PREFIX, Hit

_CODE = say.words_of(
    """
    .py .pyi .js .jsx .mjs .cjs .ts .tsx .vue .svelte .go .rs .java .kt .kts .scala .c .h .cc .cpp .hpp .cs .fs
    .rb .php .swift .m .dart .ex .exs .erl .lua .pl .r .jl .groovy .gradle .zig .clj .hs .ml .tf .hcl .bicep
    """
)
"""Languages in which a value without quotes is an expression."""
_TESTS = re.compile(
    r"(?i)(?:^|/)(?:tests?|__tests__|specs?|e2e|cypress|_{0,2}fixtures?_{0,2}|testdata|test[-_]data|_{0,2}mocks?_{0,2}|"
    r"examples?|docs_src|cassettes|samples?|stories)/|"
    r"(?:^|/)(?:test_[^/]*|[^/]*[._-](?:test|spec|tests|stories)\.[^/]*|[^/]*Tests?\.(?:java|kt|cs)|conftest\.py)$"
)
_DOCUMENTS = re.compile(r"(?i)(?:^|/)docs?/|\.(?:md|mdx|rst|adoc|ipynb)$")
GENERIC = frozenset(
    PREFIX + name for name in ("assignment", "quoted", "element", "attribute", "variable", "option", "header")
)
NAME_ABOVE = PREFIX + "variable"
"""The rule whose name may stand on the line before its value."""
_BESIDE_NAMES = frozenset((PREFIX + "assignment", PREFIX + "quoted"))
_PASSWORDS = frozenset((PREFIX + "uri-password", PREFIX + "curl-user", "betterleaks.generic-credential-uri"))
_LOGINS = frozenset(PREFIX + name for name in ("netrc", "pgpass", "sql-password", "command-password", "login"))
_WHOLE = frozenset((PREFIX + "private-key", PREFIX + "putty-key", "betterleaks.private-key"))
_PUBLIC = re.compile(
    r"(?:-id|-url|-host|-domain|-name|-address|-pub|-public|-location|pub(?:lic)?-(?:api-)?key(?:-\w+)?|posthog-project-api-key|"
    r"segment-public-api-token|new-relic-browser-api-token|client-id)(?:\.\d+)?$"
)
_PUBLIC_VALUES = re.compile(r"pk_(?:live|test)_|pk\.eyJ|phc_|pub[-_]|sb_publishable_|6L[a-zA-Z0-9_-]{38}$|ca_")
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = say.words_of(
    """
    password passwords passwd passphrase passcode pass pwd secret secrets token tokens credential credentials
    auth apikey authtoken accesstoken secretkey
    """
)
_ENDINGS = ("password", "passwd", "passphrase", "secret", "token", "apikey", "secretkey", "accesskey")
_PUBLIC_WORDS = say.words_of(
    """
    csrf xsrf public publishable page next cursor continuation site sitekey cache etag hash hashed sha checksum digest
    fingerprint encrypted crypted sealed salt design
    """
)
"""A name with one of these is of no secret, whatever else is in it."""
_KEY_KINDS = say.words_of(
    """
    api access auth account private signing storage encryption aes hmac cipher crypto jwt deploy master shared client
    service license admin app webhook session
    """
)
_NOT_SECRET_ENDS = say.words_of(
    """
    type types url uri urls endpoint name names field fields id ids length size count limit limits expiry
    expires expiration expire ttl path file files dir header headers env var variable arn label hint prompt
    error errors message msg regex pattern format policy method mode class column table prefix suffix max min
    age timeout enabled required provider algorithm alg scheme strategy backend model form input placeholder
    title text description help link route view reset changed confirm confirmation validator validators version
    hash hashes hasher hashed digest public csrf ref kind manager location index pos position offset start end
    bucket scope scopes role issuer audience source store storage key_id domain domains user username usage cost
    price budget
    """
)
_REFERENCE = re.compile(
    r"[A-Za-z_$][\w$]*(?:(?:\.|::|->|\?\.)[A-Za-z_$][\w$]*)+[!;]?|[a-z_]+(?:[A-Z][a-z]+)*|[A-Z][A-Z_]*"
)
_PLACE = re.compile(
    r"(?i)^(?:\.{0,2}/|~/|[a-z]:\\|[a-z][\w+.-]*://|mailto:|www\.)|\.(?:py|js|ts|json|ya?ml|txt|md|html?|css|png|svg|crt|"
    r"pem|key|pub|conf|ini|toml|xml|sh|go|rs|java)$|^[\w.+-]+@[\w-]+\.[\w.]+$|^\d{4}-\d\d-\d\dT?"
)
_FORMULA = re.compile(r"\\[dwsSDWb]|\(\?|\[\^|\{\d*\}|=>|&&|\|\||::|^%[sdrv]$|\$\d$")
_STRICT_NAME = re.compile(r"(?i)(?:api|secret|access|auth)[_.-]?(?:key|token)|client[_.-]?secret|passw")
_CONNECTION = re.compile(r"(?i)(?:password|pwd|accountkey|sharedaccesskey|passwd)$")


class HitPlace(NamedTuple):
    """Where a match stands: the file, its line, and the text of the line on both sides of the value."""

    path: str
    line: str
    before: str
    after: str

    @property
    def in_tests(self) -> bool:
        return _TESTS.search(self.path) is not None

    @property
    def in_documents(self) -> bool:
        return _DOCUMENTS.search(self.path) is not None

    @property
    def quoted(self) -> bool:
        return self.before[-1:] in {'"', "'", "`", "\\"} or self.before.endswith("&quot;")


def is_secret(hit: Hit, value: str, place: HitPlace) -> bool:
    """Return whether a match is a secret. `value` is the match as text."""
    rule = hit.rule
    if rule == PREFIX + "ignore-comment" or rule in _WHOLE:
        return rule not in _WHOLE or not say.is_placeholder(value[-60:])
    if _PUBLIC.search(rule) and rule != PREFIX + "aws-access-key-id":
        return False
    if rule == PREFIX + "secret-key":
        return _is_framework_key(value)
    if say.is_placeholder(value) or say.is_hash(value) or say.is_lock_line(place.path, place.line):
        return False
    if rule in _PASSWORDS:
        return _is_address_password(value, place)
    if rule in _LOGINS:
        return say.is_drawn(value, 12) if place.in_tests else say.is_password(value)
    if rule == PREFIX + "cipher-key":
        return say.is_drawn(value, 24 if place.in_tests else 16)
    if rule in GENERIC:
        return _is_generic(rule, value, place)
    return _is_of_provider(hit, value, place)


def _is_of_provider(hit: Hit, value: str, place: HitPlace) -> bool:
    if _PUBLIC_VALUES.match(value) or say.is_example_token(value):
        return False
    if hit.rule == PREFIX + "authorization":
        password = say.basic_password(value)
        if password:
            return not (say.is_weak(password) or say.is_placeholder(password)) and len(password) >= 6
        return say.is_drawn(value)
    if hit.rule == PREFIX + "registry-login":
        password = say.basic_password(value)
        return not say.is_weak(password) and not say.is_placeholder(password) if password else say.is_drawn(value)
    return not say.is_plain_digest(value, place.line)


def _is_framework_key(value: str) -> bool:
    """Return whether a quoted value, which may have signs and spaces in it, is the signing key of a framework."""
    if say.is_dummy(value) or say.is_hash(value) or _REFERENCE.fullmatch(value):
        return False
    if " " in value:
        return say.entropy(value) >= 4.2 and any(c.isdigit() for c in value) and not say.reads_like_words(value)
    is_looked_up = say.is_placeholder(value) and say.entropy(value) < 4.3
    return say.entropy(value) >= 3.2 and not is_looked_up and not say.reads_like_words(value)


def _is_address_password(value: str, place: HitPlace) -> bool:
    """Return whether the password of an address is one: `value` may have its user before it."""
    user, _, password = value.rpartition(":")
    password = password.strip("\"'")
    user = user or re.split(r"[/\s\"']", place.before.rstrip(":"))[-1]
    if say.is_weak(password) or say.is_placeholder(password) or password.lower() == user.lower():
        return False
    host = re.match(
        r"@?(?:localhost|127\.0\.0\.1|example|host\b|db\b|postgres\b|redis\b|server\b)", place.after.lstrip("\"'")
    )
    if place.in_tests or place.in_documents or host:
        return len(password) >= 10 and say.is_drawn(password, 10)
    mixed = any(c.isdigit() for c in password) or (not password.isalpha() and not say.reads_like_words(password))
    return len(password) >= 6 and (mixed or say.entropy(password) >= 3.6) and say.entropy(password) >= 2.0


def _is_generic(rule: str, value: str, place: HitPlace) -> bool:
    """Return whether a value beside a name that promises a secret is one."""
    value = value.rstrip(".,:")
    name = _name(place.before) if rule in _BESIDE_NAMES else _name_before(place.before)
    if name is None or say.is_lock_file(place.path):
        return False
    in_env = is_env_file(place.path)
    if (
        _is_reference(value)
        or _is_place(value)
        or _PUBLIC_VALUES.match(value)
        or _FORMULA.search(value)
        or say.is_weak(value)
    ):
        return False
    if say.is_plain_digest(value, place.line) and not _STRICT_NAME.search(name):
        return False
    if say.is_example_token(value) or value.lower() in place.before.lower():
        return False
    if not place.quoted and not in_env and _is_expression(name, value, place):
        return False
    parts = {part.lower() for part in _PARTS.findall(name)}
    is_named_password = any(part.endswith(("pass", "passwd", "password", "pwd", "phrase", "secret")) for part in parts)
    if place.in_tests:
        return say.is_drawn(value, 20 if _STRICT_NAME.search(name) else 24)
    if say.is_drawn(value) or (in_env and len(value) >= 8 and not say.reads_like_words(value)):
        return True
    if place.in_documents and (len(value) < 10 or say.entropy(value) < 3.0 or say.reads_like_words(value)):
        return False
    return is_named_password and say.is_password(value)


def _is_reference(value: str) -> bool:
    """Return whether a value is a name of code, as `settings.secret` is; names are not drawn by chance."""
    return _REFERENCE.fullmatch(value) is not None and not (say.is_drawn(value, 24) and say.entropy(value) >= 4.2)


def _is_place(value: str) -> bool:
    """Return whether a value is a path, an address or a time, and no base64 that begins with a slash."""
    return _PLACE.search(value) is not None and not (
        value[0] == "/" and say.is_drawn(value, 24) and value.count("/") < 4
    )


def _is_expression(name: str, value: str, place: HitPlace) -> bool:
    """Return whether an unquoted value is code: in a language where secrets are quoted, and no part of a text."""
    if PurePosixPath(place.path).suffix.lower() not in _CODE:
        return False
    is_connection = _CONNECTION.search(name) and place.before.endswith("=") and place.after[:1] in {";", '"', "'", ""}
    in_shell_text = place.before.lstrip().startswith(("#", "//", "*", "--", "export ", "ENV "))
    return not ((is_connection or in_shell_text) and say.is_password(value) and not value[:1].isspace())


def _name_before(before: str) -> str:
    """Return the last name before a value that promises a secret; the rule has seen one, further away."""
    return next((name for name in reversed(_NAME.findall(before)) if _name(name)), "token")


def _name(before: str) -> str | None:
    """Return the name that stands right before a value, None when it does not promise a secret."""
    names: list[str] = _NAME.findall(before[-120:].rstrip("rbfuRBFU") if before[-2:-1].isspace() else before[-120:])
    while names and names[-1] in {"r", "b", "f", "u", "is", "as", "by", "quot", "String", "str"}:
        names.pop()
    for name in reversed(names[-3:]):
        parts = [part.lower() for part in _PARTS.findall(name)]
        if not parts or parts[-1] in _NOT_SECRET_ENDS:
            if parts and set(parts) & _SECRET_WORDS:
                return None
            continue
        if set(parts) & _PUBLIC_WORDS or "csrf" in name.lower():
            return None
        if (
            set(parts) & _SECRET_WORDS
            or ("key" in parts and set(parts) & _KEY_KINDS)
            or any(part.endswith(_ENDINGS) for part in parts)
        ):
            return name
    return None
