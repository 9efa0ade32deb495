"""The model of all agents: speaks the Messages API on the loopback, says what the draw of the seed says, counts tokens.

Tokens are a quarter of the characters: of the request, and of the change that the answer stands for.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from bench.orchestrator.course import Course
from bench.orchestrator.draws import Agents, Draw, draw

RETRY_AFTER = 2
"""Seconds that a rate limit says, and lasts."""


class Asked(NamedTuple):
    """One request that was answered, or refused."""

    task: str
    attempt: int
    draw: Draw
    tokens_in: int
    tokens_out: int
    at: float
    """Seconds since the epoch."""


class Model:
    """Answers agents and remembers what they did. Safe for threads."""

    def __init__(self, course: Course, agents: Agents, seed: int, seconds: float) -> None:
        """`seconds` is the mean time for which an agent thinks."""
        self._course = course
        self._tasks = {task.id: task for task in course.tasks}
        self._agents, self._seed, self._seconds = agents, seed, seconds
        self._runs: dict[str, dict[str, int]] = {}
        self._limited: set[str] = set()
        self._limit_ends = 0.0
        self._lock = threading.Lock()
        self.asked: list[Asked] = []

    def answer(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of the answer to a request of the Messages API."""
        told = json.loads(given["metadata"]["user_id"])
        task, characters = self._tasks[told["task"]], len(json.dumps(given["messages"]))
        with self._lock:
            runs = self._runs.setdefault(task.id, {})
            attempt = int(told["attempt"] or runs.setdefault(told["run"], len(runs) + 1))
            drawn = draw(self._course, task, self._agents, self._seed, attempt)
            if drawn.kind == "limited" and f"{task.id}/{attempt}" not in self._limited:
                self._limited.add(f"{task.id}/{attempt}")
                self._limit_ends = time.time() + RETRY_AFTER
            if time.time() < self._limit_ends:
                return 429, {
                    "type": "error",
                    "error": {"type": "rate_limit_error", "message": "This limit is scripted."},
                }
            written = task.changes.get(drawn.change, {})
            out = (
                20
                + sum(_characters(self._course.base.get(path, ""), text or "") for path, text in written.items()) // 4
            )
            self.asked.append(Asked(task.id, attempt, drawn, characters // 4, out, time.time()))
        order = {**drawn._asdict(), "seconds": drawn.seconds * self._seconds}
        return 200, {
            "id": f"msg_{len(self.asked)}",
            "type": "message",
            "role": "assistant",
            "model": "scripted-model",
            "content": [{"type": "text", "text": json.dumps(order)}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": characters // 4, "output_tokens": out},
        }


def _characters(old: str, new: str) -> int:
    """Return how many characters the lines have that two texts do not share."""
    lines = unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    return sum(len(line) for line in lines if line[:1] in "+-" and line[:3] not in {"+++", "---"})


@contextmanager
def serve(model: Model) -> Iterator[str]:
    """Serve a model on the loopback, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, body = model.answer(given)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            if status == 429:
                self.send_header("retry-after", str(RETRY_AFTER))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
