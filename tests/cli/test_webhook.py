"""What a webhook is sent: signed so that the code of the guide verifies it, in forms in which foreign words do nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from buildwright.wiring.notify import Listeners, Notifier
from buildwright.wiring.webhook import Form, body_of, delivery_id, secret_of
from tests.cli.conftest import WRITES, Program, shell
from tests.docs.pages import ROOT, blocks
from tests.views.test_overview import FAILED, build_of, journal

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
Verifier = Callable[..., bool]
FACTS: dict[str, Any] = {
    "event": "paused",
    "build": "3fa9c2d1-0000",
    "title": "A <b>&",
    "message": "<!channel> @everyone [free](https://evil.example) *now* <https://evil.example|x>",
    "reason": "failure",
    "outcome": "",
    "delivered": "",
    "cost_usd": "0.25",
    "tasks": {"total": 3, "done": 2},
}


class Taken:
    """What a receiver was sent: headers in lower case, and the raw body."""

    def __init__(self, headers: Mapping[str, str], body: bytes) -> None:
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body


@contextmanager
def receiving(*answers: int) -> Iterator[tuple[str, list[Taken]]]:
    """A receiver that answers with these codes in turn, then with 204."""
    taken: list[Taken] = []
    left = list(answers)

    class Receiving(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(Taken(dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(left.pop(0) if left else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the library
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiving)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", taken
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def verified() -> Verifier:
    """The code that the guide shows."""
    (shown,) = blocks(ROOT / "docs" / "guides" / "notifications.md", "python")
    names: dict[str, Any] = {}
    exec(compile(shown, "notifications.md", "exec"), names)
    found: Verifier = names["verified"]
    return found


async def told(listeners: Listeners) -> list[str]:
    troubles: list[str] = []
    notifier = Notifier(listeners, troubles.append, webhook_waits=(0.01, 0.01, 0.01))
    recorded = journal(*FAILED)
    notifier.see(recorded[-1], build_of(recorded))
    await notifier.close()
    return troubles


async def test_the_code_of_the_guide_verifies_each_try(verified: Verifier) -> None:
    with receiving(500, 503) as (address, taken):
        assert await told(Listeners(webhook=address, secret=SECRET)) == []
    assert len(taken) == 3
    build = build_of(journal(*FAILED))
    assert {one.headers["webhook-id"] for one in taken} == {delivery_id(build.id, len(journal(*FAILED)))}
    assert len({one.body for one in taken}) == 1
    assert json.loads(taken[0].body)["event"] == "paused"
    for one in taken:
        sent = int(one.headers["webhook-timestamp"])
        assert verified(one.headers, one.body, SECRET)
        assert not verified(one.headers, one.body + b" ", SECRET)
        assert not verified(one.headers, one.body, "whsec_" + base64.b64encode(bytes(32)).decode())
        assert not verified({**one.headers, "webhook-timestamp": str(sent + 1)}, one.body, SECRET)
        assert not verified({**one.headers, "webhook-id": "msg_other"}, one.body, SECRET)
        assert not verified(one.headers, one.body, SECRET, now=sent + 301)


async def test_without_a_secret_there_is_no_signature() -> None:
    with receiving() as (address, taken):
        assert await told(Listeners(webhook=address)) == []
    assert "webhook-signature" not in taken[0].headers
    assert taken[0].headers["webhook-id"].startswith("msg_")


def test_a_delivery_has_one_id_whichever_process_tells() -> None:
    assert delivery_id("b1", 7) == delivery_id("b1", 7)
    assert len({delivery_id("b1", 7), delivery_id("b1", 8), delivery_id("b2", 7)}) == 3


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!!", "a" * 40, "whsec_" + "a" * 28, "whsec_" + "a" * 200])
def test_what_is_no_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        secret_of(text)


def in_form(form: Form, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body_of({**FACTS, **more}, form))
    return found


def test_words_of_others_do_nothing_in_a_chat() -> None:
    assert in_form("json") == FACTS
    slack = in_form("slack")
    assert (slack["mrkdwn"], "<" in slack["text"], ">" in slack["text"]) == (False, False, False)
    assert slack["text"].startswith("Build 3fa9c2d1 (A &lt;b&gt;&amp;) is paused: &lt;!channel&gt; @everyone")
    discord = in_form("discord")
    assert (discord["allowed_mentions"], discord["flags"]) == ({"parse": []}, 4)
    assert r"\[free\]\(https\://evil.example\)" in discord["content"]
    (attachment,) = in_form("teams")["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    ((block,),) = (attachment["content"]["body"],)
    assert block["type"] == "RichTextBlock", "a TextBlock would read Markdown"
    assert block["inlines"][0]["text"].endswith("Answer: buildwright resume 3fa9c2d1")


def test_a_chat_is_told_of_the_end_and_of_the_budget() -> None:
    ended = {"event": "finished", "outcome": "succeeded", "message": "", "delivered": "refs/heads/done", "title": "T"}
    assert in_form("slack", **ended)["text"] == (
        "Build 3fa9c2d1 (T) has ended: succeeded. 2 of 3 tasks are done, $0.25. Result: refs/heads/done."
    )
    spent = {"event": "budget", "message": "50 % are spent", "title": "T"}
    assert in_form("slack", **spent)["text"] == "Build 3fa9c2d1 (T): 50 % are spent"
    forms: tuple[Form, ...] = ("slack", "discord", "teams")
    for form in forms:
        assert len(body_of({**FACTS, "message": "*" * 100_000}, form)) < 8_000


def test_a_build_tells_the_webhook_of_the_users_own_file(
    program: Program, repository: Path, three: Path, tmp_path: Path, verified: Verifier
) -> None:
    config = tmp_path / "config" / "buildwright" / "config.toml"
    config.parent.mkdir(parents=True)
    with receiving(503) as (address, taken):
        config.write_text(f'webhook = "{address}"\nwebhook_secret = "{SECRET}"\n', encoding="utf-8")
        arguments: tuple[str | Path, ...] = ("build", three, "--repo", repository, "--check", "true", *shell(WRITES))
        ended = program(*arguments, XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert ended.code == 0, ended.err
    assert "was not told" not in ended.err
    assert [json.loads(one.body)["event"] for one in taken] == ["finished", "finished"]
    assert all(verified(one.headers, one.body, SECRET) for one in taken)
    assert taken[0].headers["webhook-id"] == taken[1].headers["webhook-id"]
    shown = program("config", "--all", XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert SECRET not in shown.out + shown.err
