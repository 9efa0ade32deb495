"""Every rule of our own with a secret that it finds and a line that only looks like one. No key stands in this file."""

from __future__ import annotations

import random
import re

import pytest
import yaml
from bench.secrets import ALNUM, BASE64, DIGIT, HEX, HIDES, URLSAFE, drawn, password, pem, plain_password

from buildwright.secret_scan import SecretScanner
from buildwright.secret_scan.native import RULES, load, search

SCANNER = SecretScanner()
R = random.Random(9)


def value(chars: str, size: int, before: str = "", after: str = "") -> str:
    return drawn(chars, size, before, after)(R)


PLAIN, STRONG, TOKEN = plain_password(R), password(R), value(ALNUM, 32)
CASES: dict[str, tuple[str, str, str]] = {
    "assignment": ("app.yml", f"db_password: {PLAIN}\n", "db_password: ${DB_PASSWORD}\n"),
    "quoted": ("app.py", f'API_TOKEN: str = "{TOKEN}"\n', 'API_TOKEN: str = "the-name-of-the-token"\n'),
    "sql-password": ("a.sql", f"CREATE USER a IDENTIFIED BY '{PLAIN}';\n", "CREATE USER a IDENTIFIED BY 'password';\n"),
    "option": ("up.sh", f"tool login --token {TOKEN}\n", "tool login --token $TOKEN\n"),
    "element": ("s.xml", f"<password>{PLAIN}</password>\n", "<password>${env.PASSWORD}</password>\n"),
    "attribute": (
        "w.config",
        f'<add key="ApiToken" value="{TOKEN}" />\n',
        '<add key="ApiToken" value="from-the-vault" />\n',
    ),
    "variable": ("k.yml", f"- name: DB_PASSWORD\n  value: {PLAIN}\n", "- name: DB_PASSWORD\n  value: see-the-vault\n"),
    "uri-password": (
        "a.py",
        f'U = "postgres://app:{PLAIN}@db.acme.io/x"\n',
        'U = "postgres://app:postgres@localhost/x"\n',
    ),
    "netrc": (
        ".netrc",
        f"machine acme.io login ci password {PLAIN}\n",
        "machine acme.io login ci password your-password\n",
    ),
    "pgpass": (".pgpass", f"db.acme.io:5432:main:app:{PLAIN}\n", "db.acme.io:5432:main:app:password\n"),
    "curl-user": ("a.sh", f"curl -u ci:{PLAIN} https://acme.io\n", 'curl -u "ci:$PASSWORD" https://acme.io\n'),
    "command-password": ("a.sh", f"sshpass -p '{PLAIN}' ssh acme.io\n", 'sshpass -p "$PASSWORD" ssh acme.io\n'),
    "login": ("a.py", f"get(url, auth=('ci', '{PLAIN}'))\n", "get(url, auth=('user', 'the-password'))\n"),
    "cipher-key": ("a.py", f"jwt.encode(claims, '{TOKEN}')\n", "jwt.encode(claims, 'a-key-for-documentation')\n"),
    "shared-access-signature": (
        "a.txt",
        f"https://a.blob.core.windows.net/c?sv=2024-08-04&sp=r&sig={value(ALNUM, 43)}%3D",
        "https://a.blob.core.windows.net/c?sv=2024-08-04&sp=r&sig=" + "x" * 43,
    ),
    "authorization": ("a.http", f"Authorization: Bearer {TOKEN}\n", "Authorization: Bearer <access-token-here>\n"),
    "header": ("a.http", f"X-Api-Key: {TOKEN}\n", "X-Api-Key: {{api_key_of_the_user}}\n"),
    "aws-access-key-id": ("a.txt", value("ABCDEFGHKLMNPQR234567", 16, "AK" + "IA"), "AK" + "IA" + "IOSFODNN7EXAMPLE"),
    "google-client-secret": ("a.txt", value(URLSAFE, 28, "GOC" + "SPX-"), "GOC" + "SPX-your-client-secret-goes-here"),
    "webhook-secret": ("a.txt", value(ALNUM, 32, "wh" + "sec_"), "wh" + "sec_xxxxxxxxxxxxxxxxxxxxxxxx"),
    "discord-webhook": (
        "a.txt",
        "https://discord.com/api/web" + f"hooks/{value('123456789', 18)}/{value(URLSAFE, 68)}",
        "https://discord.com/api/web" + "hooks/123456789012345678/your-token",
    ),
    "slack-webhook": (
        "a.txt",
        "https://hooks.slack.com/serv" + f"ices/T{value(DIGIT, 9)}/B{value(DIGIT, 9)}/{value(ALNUM, 24)}",
        "https://hooks.slack.com/serv" + "ices/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    ),
    "azure-client-secret": ("a.txt", f"{value(ALNUM, 3)}8" + f"Q~{value(ALNUM, 34)}", "xxx8" + "Q~" + "x" * 34),
    "secret-key": (
        "s.py",
        f"SECRET_KEY = '{value(ALNUM + '!@#$%^&*(-_=+)', 50)}'\n",
        "SECRET_KEY = 'change-me-before-you-deploy-this'\n",
    ),
    "private-key": ("id_x", pem("RSA PRIVATE KEY")(R), pem("PUBLIC KEY")(R)),
    "putty-key": ("k.ppk", f"Private-Lines: 14\n{value(BASE64, 64)}\n", f"Public-Lines: 14\n{value(BASE64, 64)}\n"),
    "tunnel-key": ("wg.conf", f"PrivateKey = {value(BASE64, 43)}=\n", f"PublicKey = {value(BASE64, 43)}=\n"),
    "registry-login": (
        ".npmrc",
        f"//r.acme.io/:_authToken={value(ALNUM, 40)}\n",
        "//r.acme.io/:_authToken=${NPM_TOKEN}\n",
    ),
    "ignore-comment": ("a.py", f"x = 1  # {HIDES}\n", "x = 1  # leaks are allowed\n"),
}
"""By rule: a path, a content that it finds something in, and one with nothing to find."""


def test_every_rule_of_ours_has_its_case() -> None:
    ids = [rule["id"] for rule in yaml.safe_load(RULES.read_text())["rules"]]
    assert sorted(ids) == sorted(f"buildwright.{name}" for name in CASES)


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_finds_its_secret_and_lets_the_other_be(rule: str) -> None:
    path, bad, good = CASES[rule]
    assert f"buildwright.{rule}" in {hit.rule for hit in search(load(None), path, bad.encode())}
    found = SCANNER.scan(path, bad.encode())
    assert len(found) == 1, found
    assert found[0].line == bad[: bad.encode().index(found[0].value)].count("\n") + 1
    assert SCANNER.scan(path, good.encode()) == []


HARMLESS = {
    "a look-up in the environment": ("a.py", "PASSWORD = os.environ['DB_PASSWORD']\n"),
    "an expression": ("a.py", "client.login(password=settings.service_password2)\n"),
    "a digest": ("a.py", f'PASSWORD_FILE_SHA256 = "{value(HEX, 64)}"\n'),
    "a lock file": ("package-lock.json", f'"integrity": "sha512-{value(BASE64, 86)}=="\n'),
    "a salted hash": ("a.sql", f"password = '$2b$12${value(ALNUM, 53)}'\n"),
    "a certificate": ("a.pem", pem("CERTIFICATE")(R)),
    "a publishable key": ("a.js", "const stripeKey = 'pk" + f"_live_{value(ALNUM, 24)}'\n"),
    "a password of a test": ("tests/test_a.py", "login(password='Correct-horse7')\n"),
    "a password in words": ("a.yml", "password_hint: the usual\ntoken_type: bearer-token-v2\n"),
    "a form": ("a.html", f'<input name="csrf_token" value="{value(ALNUM, 40)}">\n'),
    "a page": ("a.json", f'{{"nextPageToken": "{value(ALNUM, 40)}"}}\n'),
    "an encrypted value": ("a.yml", f"password: ENC[AES256_GCM,data:{value(BASE64, 24)},type:str]\n"),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_nothing_is_found_in(what: str) -> None:
    path, text = HARMLESS[what]
    assert SCANNER.scan(path, text.encode()) == []


def test_names_of_rules_are_for_people() -> None:
    rules = yaml.safe_load(RULES.read_text())["rules"]
    assert all(re.fullmatch(r"[A-Z]?[A-Za-z ]+", rule["name"]) for rule in rules)
