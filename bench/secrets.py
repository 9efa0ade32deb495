# ruff: noqa: A005
"""`python -m bench.secrets`: recall, false findings and speed of the search for secrets, on a corpus made from a seed.

Every key is drawn when this runs, so that the file holds none. The corpus is of the authors of the rules, so its recall
is an upper bound; a corpus of other authors says more.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import string
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from buildwright.secret_scan import SecretScanner

LOWER, UPPER, DIGIT = string.ascii_lowercase, string.ascii_uppercase, string.digits
ALNUM = LOWER + UPPER + DIGIT
HEX = DIGIT + "abcdef"
BASE64 = ALNUM + "+/"
URLSAFE = ALNUM + "-_"
HIDES, ALSO_HIDES = (f"{scanner}:{word}" for scanner, word in (("gitleaks", "allow"), ("kingfisher", "ignore")))
"""Comments that scanners of secrets obey."""


class Sample(NamedTuple):
    """One file with one labelled line: a secret of a kind, or something that only looks like one."""

    kind: str
    path: str
    text: str
    secret: bool


Draw = Callable[[random.Random], str]


def drawn(chars: str, size: int, before: str = "", after: str = "") -> Draw:
    return lambda r: before + ("".join(r.choices(chars, k=size)) if size else "") + after


def password(r: random.Random) -> str:
    """A strong password, as a manager makes it."""
    size = r.randint(12, 20)
    body = [r.choice(LOWER), r.choice(UPPER), r.choice(DIGIT), r.choice("!#%^&*+=~")]
    body += r.choices(ALNUM + "!#%^*_+=~", k=size - 4)
    r.shuffle(body)
    return r.choice(ALNUM) + "".join(body)


def plain_password(r: random.Random) -> str:
    """A strong password that needs no quoting in an address."""
    body = [r.choice(LOWER), r.choice(UPPER), r.choice(DIGIT), *r.choices(ALNUM, k=r.randint(9, 17))]
    r.shuffle(body)
    return "".join(body)


def uuid(r: random.Random) -> str:
    return "-".join("".join(r.choices(HEX, k=n)) for n in (8, 4, 4, 4, 12))


def token(r: random.Random) -> str:
    """A signed token whose claims name a real host."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")

    claims = {
        "sub": f"svc-{r.randint(100, 999)}",
        "aud": "billing.internal",
        "exp": r.randint(2_000_000_000, 2_100_000_000),
    }
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}." + "".join(r.choices(URLSAFE, k=43))


def pem(label: str) -> Draw:
    def make(r: random.Random) -> str:
        body = ["".join(r.choices(BASE64, k=64)) for _ in range(12)]
        return "\n".join([f"-----BEGIN {label}-----", *body, f"-----END {label}-----"])

    return make


def either(*draws: Draw) -> Draw:
    return lambda r: r.choice(draws)(r)


def joined(*parts: str | Draw) -> Draw:
    return lambda r: "".join(part if isinstance(part, str) else part(r) for part in parts)


PROVIDERS: dict[str, tuple[str, Draw]] = {
    "github-pat": ("GITHUB_TOKEN", drawn(ALNUM, 36, "ghp" + "_")),
    "github-oauth": ("GH_OAUTH", drawn(ALNUM, 36, "gho" + "_")),
    "github-app": ("GH_APP_TOKEN", drawn(ALNUM, 36, "ghs" + "_")),
    "github-fine": ("GH_PAT", joined("github" + "_pat_", drawn(ALNUM, 22), "_", drawn(ALNUM, 59))),
    "gitlab-pat": ("GITLAB_TOKEN", drawn(URLSAFE, 20, "glp" + "at-")),
    "aws-id": ("AWS_ACCESS_KEY_ID", drawn(UPPER + "234567", 16, "AK" + "IA")),
    "aws-secret": ("AWS_SECRET_ACCESS_KEY", drawn(BASE64, 40)),
    "google-api": ("GOOGLE_API_KEY", drawn(URLSAFE, 35, "AI" + "za")),
    "google-oauth": ("GOOGLE_CLIENT_SECRET", drawn(URLSAFE, 28, "GOC" + "SPX-")),
    "stripe-live": ("STRIPE_KEY", drawn(ALNUM, 24, "sk" + "_live_")),
    "stripe-restricted": ("STRIPE_RESTRICTED", drawn(ALNUM, 24, "rk" + "_live_")),
    "stripe-webhook": ("STRIPE_WEBHOOK", drawn(ALNUM, 32, "wh" + "sec_")),
    "slack-bot": ("SLACK_TOKEN", joined("xo" + "xb-", drawn(DIGIT, 12), "-", drawn(DIGIT, 12), "-", drawn(ALNUM, 24))),
    "slack-app": (
        "SLACK_APP",
        joined("xa" + "pp-1-A", drawn(UPPER + DIGIT, 10), "-", drawn(DIGIT, 13), "-", drawn(HEX, 64)),
    ),
    "slack-webhook": (
        "SLACK_URL",
        joined(
            "https://hooks.slack.com/serv" + "ices/T",
            drawn(UPPER + DIGIT, 8),
            "/B",
            drawn(UPPER + DIGIT, 9),
            "/",
            drawn(ALNUM, 24),
        ),
    ),
    "discord-webhook": (
        "DISCORD_URL",
        joined("https://discord.com/api/web" + "hooks/", drawn("123456789", 18), "/", drawn(URLSAFE, 68)),
    ),
    "discord-bot": ("DISCORD_TOKEN", joined("M", drawn(ALNUM, 23), ".", drawn(ALNUM, 6), ".", drawn(URLSAFE, 38))),
    "telegram-bot": ("TELEGRAM_BOT_TOKEN", joined(drawn("123456789", 10), ":A" + "A", drawn(URLSAFE, 33))),
    "twilio-key": ("TWILIO_API_KEY", drawn(HEX, 32, "S" + "K")),
    "twilio-token": ("TWILIO_AUTH_TOKEN", drawn(HEX, 32)),
    "sendgrid": ("SENDGRID_API_KEY", joined("S" + "G.", drawn(URLSAFE, 22), ".", drawn(URLSAFE, 43))),
    "mailgun": ("MAILGUN_API_KEY", drawn(HEX, 32, "key" + "-")),
    "mailchimp": ("MAILCHIMP_API_KEY", drawn(HEX, 32, "", "-us" + "12")),
    "npm": ("NPM_TOKEN", drawn(ALNUM, 36, "npm" + "_")),
    "pypi": ("PYPI_TOKEN", drawn(URLSAFE, 160, "pypi-AgEIc" + "HlwaS5vcmc")),
    "rubygems": ("GEM_HOST_API_KEY", drawn(HEX, 48, "ruby" + "gems_")),
    "dockerhub": ("DOCKER_PASSWORD", drawn(URLSAFE, 27, "dckr" + "_pat_")),
    "openai": ("OPENAI_API_KEY", joined("s" + "k-proj-", drawn(URLSAFE, 74), "T3Blb" + "kFJ", drawn(URLSAFE, 74))),
    "openai-old": ("OPENAI_KEY", joined("s" + "k-", drawn(ALNUM, 20), "T3Blb" + "kFJ", drawn(ALNUM, 20))),
    "anthropic": ("ANTHROPIC_API_KEY", drawn(URLSAFE, 93, "s" + "k-ant-api03-", "AA")),
    "huggingface": ("HF_TOKEN", drawn(LOWER + UPPER, 34, "h" + "f_")),
    "replicate": ("REPLICATE_API_TOKEN", drawn(ALNUM, 37, "r" + "8_")),
    "digitalocean": ("DO_TOKEN", drawn(HEX, 64, "dop" + "_v1_")),
    "heroku": ("HEROKU_API_KEY", uuid),
    "cloudflare": ("CLOUDFLARE_API_TOKEN", drawn(URLSAFE, 40)),
    "datadog": ("DATADOG_API_KEY", drawn(HEX, 32)),
    "newrelic": ("NEW_RELIC_KEY", drawn(UPPER + DIGIT, 27, "NR" + "AK-")),
    "sentry": ("SENTRY_AUTH_TOKEN", drawn(HEX, 64, "sntr" + "yu_")),
    "linear": ("LINEAR_API_KEY", drawn(ALNUM, 40, "lin" + "_api_")),
    "notion": ("NOTION_TOKEN", joined("ntn" + "_", drawn(DIGIT, 11), drawn(ALNUM, 35))),
    "figma": ("FIGMA_TOKEN", drawn(URLSAFE, 40, "fig" + "d_")),
    "atlassian": ("ATLASSIAN_TOKEN", drawn(URLSAFE, 180, "ATA" + "TT3x", "=1A2B3C4D")),
    "shopify": ("SHOPIFY_TOKEN", drawn(HEX, 32, "shp" + "at_")),
    "square": ("SQUARE_TOKEN", drawn(URLSAFE, 60, "EA" + "AA")),
    "databricks": ("DATABRICKS_TOKEN", drawn(HEX, 32, "da" + "pi")),
    "grafana": ("GRAFANA_TOKEN", joined("gl" + "sa_", drawn(ALNUM, 32), "_", drawn(HEX, 8))),
    "vault": ("VAULT_TOKEN", drawn(URLSAFE, 95, "hv" + "s.CAES")),
    "terraform": ("TFE_TOKEN", joined(drawn(ALNUM, 14), ".atlas" + "v1.", drawn(URLSAFE, 67))),
    "doppler": ("DOPPLER_TOKEN", drawn(ALNUM, 43, "dp" + ".pt.")),
    "planetscale": ("PSCALE_TOKEN", drawn(URLSAFE, 43, "psca" + "le_tkn_")),
    "supabase": ("SUPABASE_TOKEN", drawn(HEX, 40, "sb" + "p_")),
    "postman": ("POSTMAN_KEY", joined("PM" + "AK-", drawn(HEX, 24), "-", drawn(HEX, 34))),
    "azure-ad": ("AZURE_CLIENT_SECRET", joined(drawn(ALNUM, 3), "8" + "Q~", drawn(ALNUM + "-_.~", 34))),
    "azure-storage": ("AZURE_STORAGE_KEY", drawn(BASE64, 86, "", "==")),
    "age-key": ("AGE_KEY", drawn("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58, "AGE-SECRET" + "-KEY-1")),
    "jwt": ("SERVICE_JWT", token),
    "generic-hex": ("PAYMENT_API_KEY", drawn(HEX, 40)),
    "generic-base64": ("INTERNAL_SECRET", drawn(BASE64, 44)),
    "generic-token": ("DEPLOY_TOKEN", drawn(ALNUM, 32)),
    "encryption-key": ("FIELD_ENCRYPTION_KEY", drawn(URLSAFE, 43, "", "=")),
    "generic-password": ("DB_PASSWORD", password),
    "admin-password": ("ADMIN_PASSWORD", password),
}

CONTEXTS: tuple[tuple[str, str], ...] = (
    ("app/settings.py", '{name} = "{value}"\n'),
    ("deploy/.env", "{name}={value}\n"),
    ("config/prod.yml", "  {low}: {value}\n"),
    ("config/prod.yaml", '{low}: "{value}"\n'),
    ("config.json", '{{"{camel}": "{value}"}}\n'),
    ("src/client.ts", "const {camel} = '{value}';\n"),
    ("scripts/run.sh", "export {name}={value}\n"),
    ("Dockerfile", "FROM alpine\nENV {name}={value}\n"),
    ("infra/main.tf", '  {low} = "{value}"\n'),
    ("app.ini", "[main]\n{low} = {value}\n"),
    ("Config.java", '  private static final String {name} = "{value}";\n'),
    ("main.go", '\tconst {camel} = "{value}"\n'),
    ("app.rb", "ENV['{name}'] = '{value}'\n"),
    ("k8s.yaml", "    - name: {name}\n      value: {value}\n"),
    ("docker-compose.yml", "    environment:\n      - {name}={value}\n"),
    ("web.config", '<add key="{camel}" value="{value}" />\n'),
    ("notes.txt", "{name}: {value}\n"),
)


def _templates() -> dict[str, tuple[str, str, Draw]]:
    """Kinds that have a form of their own: path, template, and what is put in."""
    return {
        "postgres-url": ("app.py", 'URL = "postgres://app:{v}@db.prod.internal:5432/main"\n', plain_password),
        "mysql-url": ("x.env", "DATABASE_URL=mysql://root:{v}@10.2.3.4/shop\n", plain_password),
        "mongo-url": ("db.js", "connect('mongodb+srv://svc:{v}@cluster0.ab1cd.mongodb.net/prod')\n", plain_password),
        "redis-url": ("c.yml", "redis: redis://:{v}@cache.internal:6379/0\n", plain_password),
        "amqp-url": ("c.toml", 'broker = "amqps://worker:{v}@mq.acme.io/vhost"\n', plain_password),
        "git-url": ("setup.sh", "git clone https://deploy:{v}@git.acme.io/team/app.git\n", plain_password),
        "ftp-url": ("sync.sh", "lftp ftp://upload:{v}@files.acme.io\n", plain_password),
        "netrc": (".netrc", "machine git.acme.io login deploy password {v}\n", plain_password),
        "pgpass": (".pgpass", "db.acme.io:5432:main:app:{v}\n", plain_password),
        "curl-user": ("ci.sh", "curl -sS -u deploy:{v} https://repo.acme.io/x\n", plain_password),
        "curl-header": ("ci.sh", "curl -H 'Authorization: Bearer {v}' https://api.acme.io\n", drawn(ALNUM, 40)),
        "basic-header": (
            "call.py",
            'headers = {{"Authorization": "Basic {v}"}}\n',
            lambda r: base64.b64encode(f"svc:{plain_password(r)}".encode()).decode(),
        ),
        "x-api-key": ("req.http", "GET /v1\nX-API-Key: {v}\n", drawn(ALNUM, 32)),
        "django": ("settings.py", "SECRET_KEY = '{v}'\n", drawn(LOWER + DIGIT + "!@#$%^&*(-_=+)", 50)),
        "flask": ("app.py", "app.config['SECRET_KEY'] = '{v}'\n", drawn(HEX, 48)),
        "rails": ("config/secrets.yml", "production:\n  secret_key_base: {v}\n", drawn(HEX, 128)),
        "master-key": ("config/master.key", "{v}", drawn(HEX, 32)),
        "wordpress": (
            "wp-config.php",
            "define('AUTH_KEY', '{v}');\n",
            drawn(ALNUM + "!@#$%^&*()-_ []{}<>~+=,.;:/?|", 64),
        ),
        "php-define": ("config.php", "define('DB_PASSWORD', '{v}');\n", password),
        "sql-user": ("init.sql", "CREATE USER app IDENTIFIED BY '{v}';\n", plain_password),
        "sql-role": ("init.sql", "ALTER ROLE app WITH LOGIN PASSWORD '{v}';\n", plain_password),
        "ado": ("Startup.cs", 'var c = "Server=db;Database=x;User Id=sa;Password={v};";\n', plain_password),
        "azure-connection": (
            "a.json",
            '"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={v};EndpointSuffix=core.windows.net"\n',
            drawn(BASE64, 86, "", "=="),
        ),
        "servicebus": (
            "b.json",
            '"Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={v}"\n',
            drawn(BASE64, 43, "", "="),
        ),
        "npmrc": (".npmrc", "//registry.acme.io/:_authToken={v}\n", uuid),
        "pypirc": (".pypirc", "[acme]\nusername = ci\npassword = {v}\n", plain_password),
        "docker-config": (
            "config.json",
            '{{"auths": {{"r.acme.io": {{"auth": "{v}"}}}}}}\n',
            lambda r: base64.b64encode(f"ci:{plain_password(r)}".encode()).decode(),
        ),
        "maven": ("settings.xml", "<server><username>ci</username><password>{v}</password></server>\n", password),
        "spring": ("application.properties", "spring.datasource.password={v}\n", plain_password),
        "ansible": ("vars.yml", "ansible_become_pass: {v}\n", plain_password),
        "helm-set": ("up.sh", "helm upgrade x ./x --set db.password={v}\n", plain_password),
        "cli-flag": ("up.sh", "tool login --token {v}\n", drawn(ALNUM, 32)),
        "wireguard": ("wg0.conf", "[Interface]\nPrivateKey = {v}\n", drawn(BASE64, 43, "", "=")),
        "rsa-pem": ("id_rsa", "{v}\n", pem("RSA PRIVATE KEY")),
        "ec-pem": ("tls.key", "{v}\n", pem("EC PRIVATE KEY")),
        "pkcs8-pem": ("deploy/server.txt", "{v}\n", pem("PRIVATE KEY")),
        "openssh-pem": ("keys/deploy", "{v}\n", pem("OPENSSH PRIVATE KEY")),
        "pgp": ("signing.asc", "{v}\n", pem("PGP PRIVATE KEY BLOCK")),
        "pem-in-json": ("sa.json", '{{"private_key": "{v}"}}\n', lambda r: pem("PRIVATE KEY")(r).replace("\n", "\\n")),
        "pem-in-env": ("x.env", 'JWT_KEY="{v}"\n', lambda r: pem("RSA PRIVATE KEY")(r).replace("\n", "\\n")),
        "pem-base64": (
            "k8s.yaml",
            "data:\n  tls.key: {v}\n",
            lambda r: base64.b64encode(pem("PRIVATE KEY")(r).encode()).decode(),
        ),
        "token-base64": (
            "k8s.yaml",
            "data:\n  token: {v}\n",
            lambda r: base64.b64encode(drawn(ALNUM, 36, "ghp" + "_")(r).encode()).decode(),
        ),
        "split": (
            "a.py",
            "KEY = '{v}\n",
            lambda r: (k := drawn(ALNUM, 36, "ghp" + "_")(r))[:12] + "' + '" + k[12:] + "'",
        ),
        "split-lines": (
            "a.js",
            "const k = '{v};\n",
            lambda r: (k := drawn(ALNUM, 24, "sk" + "_live_")(r))[:14] + "' +\n  '" + k[14:] + "'",
        ),
        "split-join": (
            "a.py",
            "k = ''.join(['{v})\n",
            lambda r: (k := drawn(ALNUM, 36, "ghp" + "_")(r))[:12] + "', '" + k[12:] + "']",
        ),
        "comment": ("a.go", "// old password: {v}\n", plain_password),
        "commented-out": ("a.py", "# API_TOKEN = '{v}'\n", drawn(ALNUM, 32)),
        "function-argument": ("a.py", "client.login('svc', password='{v}')\n", password),
        "dict-item": ("a.py", "auth = {{'user': 'svc', 'password': '{v}'}}\n", password),
        "test-file": ("tests/test_api.py", "TOKEN = '{v}'\n", drawn(ALNUM, 36, "ghp" + "_")),
        "ignored": ("a.py", f"TOKEN = '{{v}}'  # {HIDES}\n", drawn(ALNUM, 36, "ghp" + "_")),
    }


def words(r: random.Random, n: int) -> str:
    return "".join(r.choice(("blue", "river", "stone", "cloud", "amber", "field", "north", "copper")) for _ in range(n))


def _negatives() -> dict[str, tuple[str, str, Draw]]:
    """What only looks like a secret."""
    nothing = drawn("", 0)
    return {
        "placeholder": (".env.example", "API_KEY=your-api-key-here\n", nothing),
        "changeme": ("c.yml", "password: changeme{v}\n", drawn(DIGIT, 3)),
        "angle": ("README.md", "export TOKEN=<your-token>\n", nothing),
        "stars": ("a.log", "password=********\n", nothing),
        "xxxx": ("a.env.example", "STRIPE_KEY=sk" + "_live_xxxxxxxxxxxxxxxxxxxxxxxx\n", nothing),
        "aws-example": ("README.md", "aws_access_key_id = AK" + "IAIOSFODNN7EXAMPLE\n", nothing),
        "environ": ("a.py", "PASSWORD = os.environ['DB_PASSWORD_{v}']\n", drawn(UPPER, 4)),
        "getenv": ("a.go", 'token := os.Getenv("SERVICE_TOKEN_{v}")\n', drawn(UPPER, 4)),
        "process-env": ("a.js", "const apiKey = process.env.API_KEY_{v};\n", drawn(UPPER, 4)),
        "shell-variable": ("a.sh", 'curl -u "$USER_{v}:$PASSWORD" https://x.io\n', drawn(UPPER, 3)),
        "url-variable": ("a.yml", "url: postgres://app:${{DB_PASSWORD}}@db/{v}\n", drawn(LOWER, 5)),
        "github-secret": ("ci.yml", "  token: ${{{{ secrets.GITHUB_TOKEN }}}} # {v}\n", drawn(LOWER, 5)),
        "jinja": ("t.yml", "password: {{{{ vault_password_{v} }}}}\n", drawn(LOWER, 4)),
        "config-lookup": ("a.py", "secret = settings.client_secret_{v}\n", drawn(LOWER, 4)),
        "call": ("a.py", "token = generate_token(user_{v}, expires=3600)\n", drawn(LOWER, 4)),
        "sha256": ("a.py", 'CHECKSUM = "{v}"\n', drawn(HEX, 64)),
        "sha1-commit": ("a.yml", "commit: {v}\n", drawn(HEX, 40)),
        "md5": ("a.json", '{{"md5": "{v}"}}\n', drawn(HEX, 32)),
        "etag": ("a.http", 'ETag: "{v}"\n', drawn(HEX, 32)),
        "sri": ("index.html", '<script integrity="sha384-{v}"></script>\n', drawn(BASE64, 64)),
        "package-lock": ("package-lock.json", '"integrity": "sha512-{v}=="\n', drawn(BASE64, 86)),
        "yarn-lock": ("yarn.lock", '  resolved "https://registry.acme.io/x.tgz#{v}"\n', drawn(HEX, 40)),
        "go-sum": ("go.sum", "github.com/a/token v1.2.3 h1:{v}=\n", drawn(BASE64, 43)),
        "poetry-lock": ("poetry.lock", '{{file = "secret_token-1.0.whl", hash = "sha256:{v}"}}\n', drawn(HEX, 64)),
        "cargo-lock": ("Cargo.lock", 'checksum = "{v}"\n', drawn(HEX, 64)),
        "requirements": ("requirements.txt", "tokenizers==1.0 --hash=sha256:{v}\n", drawn(HEX, 64)),
        "uuid": ("a.py", 'TOKEN_ID = "{v}"\n', uuid),
        "uuid-plain": ("a.json", '{{"id": "{v}"}}\n', uuid),
        "bcrypt": ("users.sql", "INSERT INTO users VALUES ('a', '$2b$12${v}');\n", drawn(ALNUM + "./", 53)),
        "password-hash": ("a.py", "password = 'pbkdf2_sha256$260000${v}'\n", drawn(ALNUM, 40)),
        "public-key": ("id.pub", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB{v} a@b\n", drawn(BASE64, 200)),
        "certificate": ("ca.crt", "{v}\n", pem("CERTIFICATE")),
        "public-pem": ("pub.pem", "{v}\n", pem("PUBLIC KEY")),
        "stripe-publishable": ("a.js", "const stripeKey = 'pk" + "_live_{v}';\n", drawn(ALNUM, 24)),
        "sentry-dsn": ("a.py", 'dsn = "https://{v}@o1234.ingest.sentry.io/5678"\n', drawn(HEX, 32)),
        "docs-jwt": (
            "docs/auth.md",
            "{v}\n",
            lambda r: (
                ".".join(
                    base64.urlsafe_b64encode(p).decode().rstrip("=")
                    for p in (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"1234567890","name":"John Doe"}')
                )
                + "."
                + drawn(URLSAFE, 43)(r)
            ),
        ),
        "local-url": (
            "compose.yml",
            "DATABASE_URL: postgres://postgres:postgres@localhost:5432/{v}\n",
            drawn(LOWER, 6),
        ),
        "test-password": ("tests/test_login.py", 'login("alice", password="correct{v}1")\n', lambda r: words(r, 1)),
        "test-url": ("tests/test_db.py", 'URL = "mysql://user:pass@localhost/{v}"\n', drawn(LOWER, 6)),
        "token-type": ("a.ts", "export const tokenType = 'bearer_{v}';\n", lambda r: words(r, 2)),
        "token-url": ("a.py", 'token_url = "https://auth.acme.io/oauth/{v}/token"\n', lambda r: words(r, 2)),
        "password-field": (
            "a.html",
            '<input type="password" name="password_{v}" id="passwordField">\n',
            lambda r: words(r, 1),
        ),
        "secret-name": ("a.tf", 'secret_name = "prod-{v}-credentials"\n', lambda r: words(r, 1)),
        "header-name": ("a.py", 'AUTH_HEADER = "X-Auth-Token-{v}"\n', lambda r: words(r, 1).title()),
        "message": ("a.py", 'raise ValueError("password: must have 8 characters {v}")\n', lambda r: words(r, 1)),
        "translation": ("de.json", '{{"password": "Passwort-{v}"}}\n', lambda r: words(r, 1)),
        "cache-key": ("a.py", 'cache_key = "{v}"\n', drawn(HEX, 32)),
        "asset": ("a.html", '<link href="/static/token.{v}.css">\n', drawn(HEX, 12)),
        "image": ("a.css", "background: url(data:image/png;base64,{v})\n", drawn(BASE64, 400)),
        "object-id": ("a.json", '{{"_id": "{v}"}}\n', drawn(HEX, 24)),
        "arn": ("a.tf", 'secret = "arn:aws:secretsmanager:eu-west-1:1234:secret:{v}"\n', lambda r: words(r, 2)),
        "vault-path": ("a.yml", "password: vault:secret/data/{v}#password\n", lambda r: words(r, 1)),
        "sops": ("a.yml", "password: ENC[AES256_GCM,data:{v},type:str]\n", drawn(BASE64, 24)),
        "email": ("a.yml", "credentials: {v}@acme.io\n", lambda r: words(r, 2)),
        "path": ("a.yml", "secret_file: /etc/acme/{v}.pem\n", lambda r: words(r, 2)),
        "regex": ("a.py", r'TOKEN = re.compile("[A-Za-z0-9_]{{20,40}}{v}")' + "\n", lambda r: words(r, 1)),
        "version": (
            "a.toml",
            'token-library = "{v}"\n',
            lambda r: f"{r.randint(1, 9)}.{r.randint(0, 30)}.{r.randint(0, 9)}-beta.{r.randint(1, 9)}",
        ),
        "css-token": ("tokens.css", "--token-color-{v}: #a1b2c3d4;\n", lambda r: words(r, 1)),
        "interface": ("a.ts", "interface A {{ accessToken: {v}Token; }}\n", lambda r: words(r, 2).title()),
        "enum": ("A.java", '  PASSWORD("{v}_RESET"),\n', lambda r: words(r, 2).upper()),
        "query": ("a.sql", "SELECT password FROM users WHERE token = :token_{v};\n", drawn(LOWER, 4)),
        "fixture-number": ("a.json", '{{"tokens": {v}}}\n', drawn(DIGIT, 12)),
    }


def corpus(seed: int, each: int = 4) -> Iterator[Sample]:
    """Yield the samples of a seed, the same for the same seed: `each` of every kind of secret, and of negatives."""
    r = random.Random(seed)
    for kind, (name, draw) in PROVIDERS.items():
        for path, template in r.sample(CONTEXTS, each):
            head, *rest = name.lower().split("_")
            forms = {"name": name, "low": name.lower(), "camel": head + "".join(part.title() for part in rest)}
            yield Sample(kind, path, template.format(value=draw(r), **forms), True)
    for secret, table in ((True, _templates()), (False, _negatives())):
        for kind, (path, template, draw) in table.items():
            for _ in range(each if secret else each * 2):
                yield Sample(kind, path, template.format(v=draw(r)), secret)


def speed(scanner: SecretScanner, rounds: int = 9) -> float:
    """Return the least milliseconds of processor time for a search of 1 MB of the product's own code."""
    source = Path(__file__).parents[1] / "src"
    text = b"".join(file.read_bytes() for file in sorted(source.rglob("*.py")))
    content = (text * (1_000_000 // len(text) + 1))[:1_000_000]
    best = min(_seconds(scanner, content) for _ in range(rounds))
    return best * 1000


def _seconds(scanner: SecretScanner, content: bytes) -> float:
    began = time.thread_time()
    scanner.scan("code.py", content)
    return time.thread_time() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.secrets", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--home", type=Path, default=None, help="where compiled rules are kept; a new directory if left out"
    )
    parser.add_argument("--missed", action="store_true", help="name the samples that were judged wrongly")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scanner = SecretScanner((given.home or Path(folder)) / "secret-rules")
        began = time.perf_counter()
        scanner.scan("first", b"password")
        loaded = time.perf_counter() - began
        wrong, total = Counter[tuple[str, bool]](), Counter[bool]()
        kinds = {True: set[str](), False: set[str]()}
        for sample in corpus(given.seed):
            total[sample.secret] += 1
            kinds[sample.secret].add(sample.kind)
            if bool(scanner.scan(sample.path, sample.text.encode())) != sample.secret:
                wrong[sample.kind, sample.secret] += 1
                if given.missed:
                    print(f"{'missed' if sample.secret else 'false'}: {sample.kind}: {sample.path}: {sample.text!r}")
        missed, false = (sum(n for (_, one), n in wrong.items() if one == secret) for secret in (True, False))
        print(f"recall {1 - missed / total[True]:.3f} ({total[True]} secrets of {len(kinds[True])} kinds)")
        print(f"false findings {false} of {total[False]} ({len(kinds[False])} kinds)")
        print(f"1 MB of code in {speed(scanner):.0f} ms; the rules loaded in {loaded:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
