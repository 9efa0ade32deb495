"""A forge for tests: git over HTTP, and beside it one of three APIs, on one address.

What a request may and may not do follows the documentation of each: GitHub's REST and GraphQL APIs (version
2022-11-28), GitLab's merge requests API (v4), Gitea's API (v1). State is kept in lists that a test may read and change.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from tests.git import git
from tests.workspace.served import Smart, smart_http

HostedT = TypeVar("HostedT", bound="Hosted")
TOKEN = "example-of-a-token-0123456789"


class Asked(NamedTuple):
    """One request to the API."""

    method: str
    path: str
    """Decoded, without what stands before the version of the API."""
    query: dict[str, str]
    headers: dict[str, str]
    body: dict[str, Any]


class Answer(NamedTuple):
    """One answer of the API."""

    status: int
    content: Any = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Hosted:
    """The state of a forge with one repository."""

    kind: str
    folder: Path
    """Of the bare repository."""
    name: str = "acme/shop"
    address: str = ""
    """Of the server."""
    may_write: bool = True
    sees: bool = True
    """Whether the token may see the repository."""
    has_drafts: bool = True
    comments: list[dict[str, Any]] = field(default_factory=list)
    """On lines, in the words of the forge; on Gitea of review 1."""
    reviews: list[dict[str, Any]] = field(default_factory=list)
    writers: dict[str, str] = field(default_factory=lambda: {"ada": "write"})
    """Users with their permission, on GitHub and Gitea; on GitLab user 7 may write."""
    pulls: list[dict[str, Any]] = field(default_factory=list)
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By number, in the words of the forge."""
    asked: list[Asked] = field(default_factory=list)
    refusals: list[Answer] = field(default_factory=list)
    """Given, from the first on, to the next requests instead of an answer."""

    @property
    def prefix(self) -> str:
        return {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}[self.kind]

    @property
    def environment(self) -> dict[str, str]:
        """What makes the program know it."""
        return {f"{self.kind.upper()}_API_URL": self.address + self.prefix, f"{self.kind.upper()}_TOKEN": TOKEN}

    @property
    def remote(self) -> str:
        return f"{self.address}/{self.name}.git"

    @property
    def writes(self) -> list[str]:
        """Methods and paths of the requests that were to change something."""
        return [f"{one.method} {one.path}" for one in self.asked if one.method != "GET"]

    def commit_of(self, branch: str) -> str:
        """The commit that a branch is at, "" when there is no such branch."""
        told = subprocess.run(
            ["git", "-C", str(self.folder), "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"],
            capture_output=True,
            text=True,
            check=False,
        )
        return told.stdout.strip()

    def answer(self, asked: Asked) -> Answer:
        """Answer one request as the forge would."""
        self.asked.append(asked)
        if self.refusals:
            return self.refusals.pop(0)
        shown = asked.headers.get("authorization", "")
        if shown not in {f"Bearer {TOKEN}", f"token {TOKEN}"}:
            return Answer(401, {"message": "Bad credentials"})
        if asked.path == "/graphql":
            return _github_graphql(self, asked)
        if not self.sees or unquote(asked.path).split("/")[2:4] != self.name.split("/"):
            return Answer(404, {"message": "Not Found" if self.kind != "gitlab" else "404 Project Not Found"})
        if asked.method != "GET" and not self.may_write:
            return Answer(403, {"message": "Resource not accessible by personal access token"})
        return {"github": _github, "gitlab": _gitlab, "gitea": _gitea}[self.kind](self, asked)

    def file(self, number: int, title: str, text: str, author: str = "ada") -> None:
        """File an issue."""
        page = f"{self.address}/{self.name}/issues/{number}"
        self.issues[number] = {
            "title": title,
            "body": text,
            "description": text,
            "user": {"login": author},
            "author": {"id": 7 if author == "ada" else 9, "username": author},
            "html_url": page,
            "web_url": page,
        }

    def open(self, branch: str, base: str, **more: Any) -> dict[str, Any]:
        """Open a pull request, in the words of GitHub and Gitea."""
        number = len(self.pulls) + 1
        made = {
            "number": number,
            "node_id": f"PR_{number}",
            "state": "open",
            "html_url": f"{self.address}/{self.name}/pull/{number}",
            "head": {"ref": branch, "repo_id": 1},
            "base": {"ref": base, "repo_id": 1},
            "draft": False,
            "body": None,
            **more,
        }
        self.pulls.append(made)
        return made


def _paged(here: Hosted, asked: Asked, found: list[Any], size: str, usual: int) -> Answer:
    """One page of a list, with the address of the next one."""
    most, page = int(asked.query.get(size, usual)), int(asked.query.get("page", 1))
    left = found[page * most :]
    query = "&".join(f"{name}={value}" for name, value in {**asked.query, "page": str(page + 1)}.items())
    link = f'<{here.address}{here.prefix}{asked.path}?{query}>; rel="next"'
    return Answer(200, found[(page - 1) * most :][:most], (("Link", link),) if left else ())


def _github(here: Hosted, asked: Asked) -> Answer:
    rest = asked.path.removeprefix(f"/repos/{here.name}")
    if asked.headers.get("x-github-api-version") != "2022-11-28":
        return Answer(400, {"message": "Specify a version of the API"})
    match asked.method, rest.split("/")[1:]:
        case "GET", []:
            rights = {"admin": False, "push": here.may_write, "pull": True}
            page = f"{here.address}/{here.name}"
            return Answer(
                200, {"full_name": here.name, "default_branch": "main", "permissions": rights, "html_url": page}
            )
        case "GET", ["git", "matching-refs", "heads", *parts]:
            begin = "/".join(parts)
            listed = git(here.folder, "for-each-ref", "--format=%(refname)", "refs/heads/").split()
            return _paged(
                here, asked, [{"ref": ref} for ref in listed if ref.startswith(f"refs/heads/{begin}")], "per_page", 30
            )
        case "GET", ["pulls"]:
            owner, _, branch = asked.query.get("head", "").partition(":")
            found = [one for one in here.pulls if one["state"] == asked.query.get("state", "open")]
            if owner == here.name.partition("/")[0] and branch:
                found = [one for one in found if one["head"]["ref"] == branch]
            return _paged(here, asked, found, "per_page", 30)
        case "GET", ["issues", issue] if int(issue) in here.issues:
            return Answer(200, here.issues[int(issue)])
        case "GET", ["collaborators", name, "permission"] if name.endswith("[bot]"):
            return Answer(404, {"message": f"{name} is not a user"})
        case "GET", ["collaborators", name, "permission"]:
            return Answer(200, {"permission": here.writers.get(name, "read")})
        case "GET", ["pulls", _, ("reviews" | "comments") as which]:
            return _paged(here, asked, here.reviews if which == "reviews" else here.comments, "per_page", 30)
        case "POST", ["pulls"]:
            return _github_opened(here, asked.body)
        case "PATCH", ["pulls", number]:
            here.pulls[int(number) - 1] |= {name: asked.body[name] for name in ("title", "body") if name in asked.body}
            return Answer(200, here.pulls[int(number) - 1])
    return Answer(404, {"message": "Not Found"})


def _github_opened(here: Hosted, body: dict[str, Any]) -> Answer:
    branch, base, failed = body["head"], body["base"], {"message": "Validation Failed"}
    missing = next((name for name in ("head", "base") if not here.commit_of(body[name])), "")
    if missing:
        return Answer(422, {**failed, "errors": [{"resource": "PullRequest", "field": missing, "code": "invalid"}]})
    said = ""
    if any(one["head"]["ref"] == branch and one["state"] == "open" for one in here.pulls):
        said = f"A pull request already exists for {here.name.partition('/')[0]}:{branch}."
    elif not git(here.folder, "rev-list", f"{base}..{branch}").strip():
        said = f"No commits between {base} and {branch}"
    if said:
        return Answer(422, {**failed, "errors": [{"resource": "PullRequest", "code": "custom", "message": said}]})
    if body.get("draft") and not here.has_drafts:
        return Answer(422, {"message": "Draft pull requests are not supported in this repository."})
    more = {"title": body["title"], "body": body.get("body"), "draft": bool(body.get("draft"))}
    return Answer(201, here.open(branch, base, **more))


def _github_graphql(here: Hosted, asked: Asked) -> Answer:
    name = next(
        name for name in ("markPullRequestReadyForReview", "convertPullRequestToDraft") if name in asked.body["query"]
    )
    there = [one for one in here.pulls if one["node_id"] == asked.body["variables"]["id"]]
    if not there or (name == "convertPullRequestToDraft" and not here.has_drafts):
        return Answer(200, {"data": {name: None}, "errors": [{"message": "Could not do that"}]})
    there[0]["draft"] = name == "convertPullRequestToDraft"
    return Answer(200, {"data": {name: {"pullRequest": {"isDraft": there[0]["draft"]}}}})


def _gitlab(here: Hosted, asked: Asked) -> Answer:
    rest = asked.path.removeprefix(f"/projects/{here.name}")
    match asked.method, rest.split("/")[1:]:
        case "GET", []:
            rights = {"project_access": {"access_level": 30 if here.may_write else 20}, "group_access": None}
            page = f"{here.address}/{here.name}"
            return Answer(
                200,
                {"path_with_namespace": here.name, "default_branch": "main", "permissions": rights, "web_url": page},
            )
        case "GET", ["repository", "branches", *parts]:
            there = here.commit_of("/".join(parts))
            return Answer(200, {"name": "/".join(parts)}) if there else Answer(404, {"message": "404 Branch Not Found"})
        case "GET", ["merge_requests"]:
            branch = asked.query.get("source_branch", "")
            found = [one for one in here.pulls if one["source_branch"] == branch and one["state"] == "opened"]
            return _paged(here, asked, found, "per_page", 20)
        case "GET", ["issues", issue] if int(issue) in here.issues:
            return Answer(200, here.issues[int(issue)])
        case "GET", ["merge_requests", _, "notes"]:
            return _paged(here, asked, here.comments, "per_page", 20)
        case "GET", ["members", "all"]:
            return _paged(here, asked, [{"id": 7, "access_level": 30}, {"id": 8, "access_level": 20}], "per_page", 20)
        case "POST", ["merge_requests"]:
            branch = asked.body["source_branch"]
            if any(one["source_branch"] == branch and one["state"] == "opened" for one in here.pulls):
                said = "Another open merge request already exists for this source branch: !1"
                return Answer(409, {"message": [said]})
            number = len(here.pulls) + 1
            page = f"{here.address}/{here.name}/-/merge_requests/{number}"
            kept = {"iid": number, "state": "opened", "web_url": page, "source_project_id": 1, "target_project_id": 1}
            here.pulls.append({**asked.body, **kept})
            return Answer(201, here.pulls[-1])
        case "PUT", ["merge_requests", number]:
            here.pulls[int(number) - 1] |= asked.body
            return Answer(200, here.pulls[int(number) - 1])
    return Answer(404, {"message": "404 Not Found"})


def _gitea(here: Hosted, asked: Asked) -> Answer:
    rest = asked.path.removeprefix(f"/repos/{here.name}")
    match asked.method, rest.split("/")[1:]:
        case "GET", []:
            rights = {"push": here.may_write}
            page = f"{here.address}/{here.name}"
            return Answer(
                200, {"full_name": here.name, "default_branch": "main", "permissions": rights, "html_url": page}
            )
        case "GET", ["branches", *parts]:
            there = here.commit_of("/".join(parts))
            return Answer(200, {"name": "/".join(parts)}) if there else Answer(404, {"message": "branch not found"})
        case "GET", ["pulls"]:
            return _paged(here, asked, [one for one in here.pulls if one["state"] == "open"], "limit", 30)
        case "GET", ["issues", issue] if int(issue) in here.issues:
            return Answer(200, here.issues[int(issue)])
        case "GET", ["pulls", _, "reviews"]:
            return _paged(here, asked, here.reviews, "limit", 30)
        case "GET", ["pulls", _, "reviews", number, "comments"]:
            return Answer(200, here.comments if number == "1" else [])
        case "GET", ["collaborators", name, "permission"]:
            return Answer(200, {"permission": here.writers.get(name, "read")})
        case "POST", ["pulls"]:
            body = asked.body
            if any(one["head"]["ref"] == body["head"] and one["state"] == "open" for one in here.pulls):
                return Answer(409, {"message": "pull request already exists for these targets"})
            return Answer(201, here.open(body["head"], body["base"], title=body["title"], body=body["body"]))
        case "PATCH", ["pulls", number]:
            here.pulls[int(number) - 1] |= asked.body
            return Answer(201, here.pulls[int(number) - 1])
    return Answer(404, {"message": "Not Found"})


class _Server(Smart):
    """Git over HTTP, and the API beside it."""

    hosted: Hosted

    def _asks_api(self) -> bool:
        return self.path.startswith(("/api/", "/login/"))

    def do_GET(self) -> None:  # noqa: N802  named so by the standard library
        self._api() if self._asks_api() else super().do_GET()

    def do_POST(self) -> None:  # noqa: N802  named so by the standard library
        self._api() if self._asks_api() else super().do_POST()

    def do_PATCH(self) -> None:  # noqa: N802  named so by the standard library
        self._api()

    def do_DELETE(self) -> None:  # noqa: N802  named so by the standard library
        self._api()

    def do_PUT(self) -> None:  # noqa: N802  named so by the standard library
        self._api()

    def _api(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(parts.path.removeprefix("/api" if parts.path == "/api/graphql" else self.hosted.prefix))
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.hosted.answer(Asked(self.command, path, query, headers, json.loads(raw) if raw else {}))
        content = b"" if answer.status == 204 else json.dumps(answer.content).encode()
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        same = self.command == "GET" and answer.status == 200 and headers.get("if-none-match") == tag
        self.send_response(304 if same else answer.status)
        content = b"" if same else content
        fields = {"Content-Type": "application/json; charset=utf-8", "ETag": tag, **dict(answer.headers)}
        for name, value in {**fields, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def forge_of(hosts: type[HostedT], kind: str, top: Path) -> Iterator[HostedT]:
    """A forge of this kind with the bare repository `top`/acme/shop.git, which only its token may read and write."""
    folder = top / "acme" / "shop.git"
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "--bare", "-b", "main")
    git(folder, "config", "http.receivepack", "true")
    hosted = hosts(kind, folder)
    user = "x-access-token" if kind == "github" else "oauth2"
    header = f"Basic {base64.b64encode(f'{user}:{TOKEN}'.encode()).decode()}"
    with smart_http(top, header, type("Served", (_Server,), {"hosted": hosted})) as (address, _):
        hosted.address = address
        yield hosted


def forge(kind: str, top: Path) -> AbstractContextManager[Hosted]:
    """Such a forge, as builds need it."""
    return forge_of(Hosted, kind, top)
