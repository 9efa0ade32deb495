"""GitHub for tests, grown: repositories, webhooks that it signs, statuses, check runs, an App and its installations."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import jwt

from tests.forges.served import Answer, Asked, Hosted, _paged
from tests.git import git

MOST_ANNOTATIONS = 50
LONGEST_DESCRIPTION = 140
CLIENT = {"GITHUB_CLIENT_ID": "Iv1.example", "GITHUB_CLIENT_SECRET": "example-of-a-client-secret-01234"}
ZEROS = "0" * 40


class Delivery(NamedTuple):
    """What a webhook sends: the path with its query, headers, the raw body."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HostedGitHub(Hosted):
    """GitHub with one real repository, and others that are only listed."""

    others: list[str] = field(default_factory=list)
    administers: bool = True
    has_checks: bool = True
    """Whether the token may write check runs."""
    hooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    check_runs: list[dict[str, Any]] = field(default_factory=list)
    made: list[dict[str, Any]] = field(default_factory=list)
    app_id: str = ""
    app_key: str = ""
    """The public key of the App, as PEM."""
    installation: int = 0
    """Where the App is installed for the repository; 0 for nowhere."""
    installation_token: str = "example-of-an-installation-token-01234"
    tokens_given: int = 0
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    """Codes of people who have signed in, with what the application had asked."""
    memberships: dict[str, str] = field(default_factory=dict)
    """Organisations of the token's user, and whether `active` or `pending`."""
    account: int = 7
    hook_refusal: Answer | None = None
    """Given instead of a new webhook."""

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/login/oauth/access_token":
            self.asked.append(asked)
            return self._traded(asked)
        bearer = asked.headers.get("authorization", "").removeprefix("Bearer ")
        own = self._of_app(asked, bearer) if bearer.count(".") == 2 else None
        if own is not None:
            self.asked.append(asked)
            return own
        own = self._own(asked) if not self.refusals and bearer in {self._token, self.installation_token} else None
        if own is not None:
            self.asked.append(asked)
            return own
        new = next((one["full_name"] for one in self.made if asked.path.startswith(f"/repos/{one['full_name']}/")), "")
        return self._as_repository(new, asked) if new else super().answer(asked)

    def _as_repository(self, name: str, asked: Asked) -> Answer:
        """What is answered of a repository that was made."""
        before = self.name, self.folder
        self.name, self.folder = name, self.folder.parent.parent / f"{name}.git"
        try:
            return super().answer(asked)
        finally:
            self.name, self.folder = before

    @property
    def _token(self) -> str:
        return self.environment["GITHUB_TOKEN"]

    def delivery(self, hook: str, event: str, body: dict[str, Any], secret: str = "") -> Delivery:
        """A delivery of a webhook, signed as GitHub signs; its id is new."""
        config = self.hooks[hook]["config"]
        raw = json.dumps(body).encode()
        mac = hmac.new((secret or config["secret"]).encode(), raw, hashlib.sha256).hexdigest()
        place = urlsplit(config["url"])
        headers = {
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": f"sha256={mac}",
            "X-GitHub-Hook-ID": hook,
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/044aadd",
        }
        return Delivery(f"{place.path}?{place.query}", headers, raw)

    def push_body(self, before: str, after: str, branch: str = "main", **more: Any) -> dict[str, Any]:
        """What GitHub says of a push that the repository has taken."""
        known = [f"^{before}"] if before != ZEROS else []
        listed = git(self.folder, "rev-list", "--reverse", after, *known).split() if after != ZEROS else []
        commits = [{"id": one, "distinct": True} for one in listed]
        about = {"id": 1, "full_name": self.name, "default_branch": "main"}
        return {
            "ref": f"refs/heads/{branch}",
            "before": before,
            "after": after,
            "created": before == ZEROS,
            "deleted": after == ZEROS,
            "forced": False,
            "commits": commits,
            "repository": about,
            **more,
        }

    def let_in(self, address: str) -> tuple[str, str]:
        """Let the application act, as a person does at this address. Returns the code and the state."""
        asked = {name: values[-1] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["client_id"] == CLIENT["GITHUB_CLIENT_ID"]
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return code, asked["state"]

    def _traded(self, asked: Asked) -> Answer:
        begun = self.codes.pop(asked.body["code"], None)
        hashed = hashlib.sha256(asked.body["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).decode().rstrip("=")
        good = begun is not None and begun["code_challenge"] == challenge
        good = good and asked.body["client_secret"] == CLIENT["GITHUB_CLIENT_SECRET"]
        good = good and begun is not None and begun["redirect_uri"] == asked.body["redirect_uri"]
        if not good:  # GitHub says so with 200
            return Answer(200, {"error": "bad_verification_code"})
        return Answer(200, {"access_token": self._token, "scope": "repo", "token_type": "bearer"})

    def _of_app(self, asked: Asked, proof: str) -> Answer | None:
        try:
            claims = jwt.decode(proof, self.app_key, algorithms=["RS256"], issuer=self.app_id)
        except jwt.InvalidTokenError:
            return Answer(401, {"message": "A JSON web token could not be decoded"})
        assert claims["exp"] - claims["iat"] <= 600
        if asked.path == f"/repos/{self.name}/installation" and self.installation:
            return Answer(200, {"id": self.installation})
        if asked.path == f"/app/installations/{self.installation}/access_tokens":
            self.tokens_given += 1
            until = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
            return Answer(201, {"token": self.installation_token, "expires_at": until})
        return Answer(404, {"message": "Not Found"})

    def _listed(self, name: str) -> dict[str, Any]:
        rights = {"admin": self.administers, "push": self.may_write, "pull": True}
        page = f"{self.address}/{name}"
        return {
            "full_name": name,
            "default_branch": "main",
            "permissions": rights,
            "html_url": page,
            "private": True,
        }

    def _own(self, asked: Asked) -> Answer | None:
        there = next((one for one in self.made if asked.path == f"/repos/{one['full_name']}"), None)
        if asked.method == "GET" and there is not None:
            return Answer(200, there)
        rest = asked.path.removeprefix(f"/repos/{self.name}").split("/")[1:]
        match asked.method, rest:
            case "GET", []:
                return Answer(200, self._listed(self.name)) if self.sees else None
            case "POST", ["hooks"] if self.administers and self.sees:
                return self._hook(asked)
            case "DELETE", ["hooks", hook] if self.administers and self.sees:
                return Answer(204) if self.hooks.pop(hook, None) else Answer(404, {"message": "Not Found"})
            case "POST", ["statuses", commit]:
                if not self.may_write:
                    return Answer(403, {"message": "Resource not accessible by integration"})
                if len(asked.body["description"]) > LONGEST_DESCRIPTION:
                    return Answer(422, {"message": "Validation Failed: description is too long"})
                self.statuses.append({**asked.body, "commit": commit})
                return Answer(201, asked.body)
            case "POST", ["check-runs"]:
                return self._check_run(asked, None)
            case "PATCH", ["check-runs", number]:
                return self._check_run(asked, self.check_runs[int(number) - 1])
        return self._of_account(asked)

    def _of_account(self, asked: Asked) -> Answer | None:
        match asked.method, asked.path.split("/")[1:]:
            case "GET", ["user", "repos"]:
                return _paged(self, asked, [self._listed(one) for one in (self.name, *self.others)], "per_page", 30)
            case "GET", ["user"]:
                return Answer(200, {"login": self.name.partition("/")[0], "id": self.account})
            case "GET", ["user", "memberships", "orgs", organisation]:
                state = self.memberships.get(organisation)
                return Answer(200, {"state": state}) if state else Answer(404, {"message": "Not Found"})
            case "POST", ["user", "repos"]:
                return self._make(asked, self.name.partition("/")[0])
            case "POST", ["orgs", owner, "repos"]:
                return self._make(asked, owner)
        return None

    def _make(self, asked: Asked, owner: str) -> Answer:
        name = f"{owner}/{asked.body['name']}"
        if name == self.name or any(one["full_name"] == name for one in self.made):
            said = {"resource": "Repository", "code": "custom", "field": "name", "message": "name already exists"}
            return Answer(422, {"message": "Repository creation failed.", "errors": [said]})
        self.made.append({**self._listed(name), "private": asked.body["private"]})
        bare = self.folder.parent.parent / f"{name}.git"
        bare.mkdir(parents=True)
        git(bare, "init", "-q", "--bare", "-b", "main")
        git(bare, "config", "http.receivepack", "true")
        return Answer(201, self.made[-1])

    def _hook(self, asked: Asked) -> Answer:
        if self.hook_refusal is not None:
            return self.hook_refusal
        url = asked.body["config"]["url"]
        if any(one["config"]["url"] == url for one in self.hooks.values()):
            said = {"resource": "Hook", "code": "custom", "message": "Hook already exists on this repository"}
            return Answer(422, {"message": "Validation Failed", "errors": [said]})
        if not url.startswith("https://"):
            said = {"resource": "Hook", "code": "custom", "message": "url is not supported"}
            return Answer(422, {"message": "Validation Failed", "errors": [said]})
        hook = str(900 + len(self.asked))
        self.hooks[hook] = asked.body
        return Answer(201, {"id": int(hook), **asked.body, "config": {**asked.body["config"], "secret": "********"}})

    def _check_run(self, asked: Asked, there: dict[str, Any] | None) -> Answer:
        if not self.has_checks:
            return Answer(403, {"message": "You must authenticate via a GitHub App."})
        notes: Sequence[dict[str, Any]] = asked.body["output"].get("annotations", ())
        if len(notes) > MOST_ANNOTATIONS:
            return Answer(422, {"message": "Invalid request. No more than 50 items are allowed."})
        if there is None:
            there = {**asked.body, "id": len(self.check_runs) + 1, "annotations": []}
            self.check_runs.append(there)
        there["annotations"].extend(notes)
        return Answer(201 if asked.method == "POST" else 200, {"id": there["id"]})
