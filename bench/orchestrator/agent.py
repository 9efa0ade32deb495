"""The scripted agent, for every contestant the same: asks its model what to do, and does it in the folder it stands in.

`agent.py [FILE]`: the prompt is in FILE, else in $BUILDWRIGHT_PROMPT_FILE, else on standard input. Needs no package.
The changes lie beside it in `changes.json`. It knows its task by the mark `[task ID]` in the prompt. Its model is that of
$ANTHROPIC_BASE_URL; the answer is the name of what it does. A rate limit is waited for as a real agent does, three times.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

REQUESTS = 40
"""Requests of an agent that asks without end, before it gives up."""


def main() -> None:
    """Do one task. Ends with 0 and says that all is well, whatever it did; with 1 when its model does not answer."""
    prompt = _prompt()
    marks = re.findall(r"\[task ([\w-]+)\]", prompt)
    if not marks:
        sys.exit("the prompt names no task")
    changes = json.loads(Path(__file__).with_name("changes.json").read_text("utf-8"))
    attempt = {"task": marks[0], "attempt": os.environ.get("BUILDWRIGHT_ATTEMPT", ""), "run": uuid.uuid4().hex}
    order = _ask(prompt, attempt)
    time.sleep(order["seconds"])
    if order["kind"] == "endless":
        for _ in range(REQUESTS):
            _ask(prompt, attempt)
    known = changes["tasks"][marks[0]]
    edits = known.get(order["change"], {})
    if order["change"] == "right":
        _undo(known, changes)
    for done, (path, text) in enumerate(edits.items(), 1):
        _put(path, changes["base"].get(path), text)
        if order["kind"] == "dies" and done >= len(edits) / 2:
            break
    if order["kind"] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if order["elsewhere"] >= 0:
        for path, text in changes["elsewhere"][order["elsewhere"]].items():
            _put(path, changes["base"].get(path), text)
    if order["kind"] == "conflict":
        news = Path("NEWS-OF-THIS-RELEASE.txt")
        news.write_text(f"{marks[0]}\n{news.read_text('utf-8') if news.exists() else ''}", "utf-8")
    print(f"I have done {marks[0]}. All tests pass.")


def _prompt() -> str:
    path = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BUILDWRIGHT_PROMPT_FILE")
    return Path(path).read_text("utf-8") if path else sys.stdin.read()


def _ask(prompt: str, attempt: dict) -> dict:  # type: ignore[type-arg]
    """Return what the model says is to be done."""
    body = {"model": "scripted-model", "max_tokens": 4096, "messages": [{"role": "user", "content": prompt}]}
    body["metadata"] = {"user_id": json.dumps(attempt)}
    request = urllib.request.Request(
        os.environ["ANTHROPIC_BASE_URL"].rstrip("/") + "/v1/messages",
        json.dumps(body).encode(),
        {
            "content-type": "application/json",
            "anthropic-version": "2023-06-01",
            "x-api-key": os.environ.get("ANTHROPIC_API_KEY", ""),
        },
    )
    for left in (2, 1, 0):
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.loads(json.loads(answer.read())["content"][0]["text"])  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            if error.code != 429 or not left:
                sys.exit(f"the model answered {error.code}: {error.read()[:300].decode(errors='replace')}")
            time.sleep(float(error.headers.get("retry-after") or 1))
        except OSError as error:
            sys.exit(f"the model does not answer: {error}")
    raise AssertionError


def _undo(known: dict, changes: dict) -> None:  # type: ignore[type-arg]
    """Take back what an earlier attempt at the task did wrong: the lane may still have it."""
    for name, wrong in known.items():
        for path, text in wrong.items() if name != "right" else ():
            _put(path, text, known["right"].get(path, changes["base"].get(path)), only=True)
    for wrong in changes["elsewhere"]:
        for path, text in wrong.items():
            _put(path, text, changes["base"][path], only=True)


def _put(path: str, base: str | None, text: str | None, *, only: bool = False) -> None:
    """Make of a file what it is with a change from `base`, on top of what others have done to it.

    `only`: nothing is done to a file that is not there, nor one removed that is not `base`.
    """
    place = Path(path)
    if only and (not place.exists() or base is None or (text is None and place.read_text("utf-8") != base)):
        return
    if text is None:
        place.unlink(missing_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if base is None or not place.exists() or place.read_text("utf-8") == base:
        place.write_text(text, "utf-8")
        return
    with tempfile.TemporaryDirectory() as made:
        for name, content in (("base", base), ("wanted", text)):
            Path(made, name).write_text(content, "utf-8")
        words = ["git", "merge-file", "-p", "--theirs", path, f"{made}/base", f"{made}/wanted"]
        done = subprocess.run(words, capture_output=True, check=True)
    place.write_bytes(done.stdout)


if __name__ == "__main__":
    main()
