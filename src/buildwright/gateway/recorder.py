"""Records live answers as turns of a cassette. Must never write a key, a token or a lane's path."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any, get_args

from buildwright.core.secrets import mask
from buildwright.errors import BadSettings, BadSpec
from buildwright.gateway.cassette import LARGEST_FILE, PLANNER, Used, parse
from buildwright.gateway.exchange import AnswerEnd, AnswerReader, ModelRequest, each_text
from buildwright.gateway.failures import stopped_by

_HEAD = "version: 1\ndescription: Recorded from a live model.\nturns:\n"

_log = logging.getLogger(__name__)


class Recorder:
    """Appends to one cassette file and never changes what is in it. One writer at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ready = False

    def prepare(self) -> None:
        """Create the file, or check that it can be appended to. Raises BadSettings."""
        if self._ready:
            return
        try:
            text = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
            if not text.strip():
                self._file.parent.mkdir(parents=True, exist_ok=True)
                self._file.write_text(_HEAD, encoding="utf-8")
            else:
                probe = text + _item({"reply": {"text": ""}})
                parse(probe, str(self._file))
        except (OSError, UnicodeDecodeError, BadSpec) as error:
            raise BadSettings(
                f"Answers cannot be recorded in {self._file}: {error}.",
                fix="Name a new file, or one that an earlier recording made.",
            ) from error
        self._ready = True

    def keep(
        self,
        task: str,
        attempt: int,
        lane: Path | None,
        asked: ModelRequest,
        reader: AnswerReader,
        secrets: Collection[str],
    ) -> None:
        """Append one whole answer as the turn that replays it. A disk that fails loses the record, not the build."""

        def masked(text: str) -> str:
            text = text.replace(str(lane), "${LANE}") if lane is not None else text
            # YAML has no lone surrogates, but a model can send them.
            return mask(text.encode("utf-8", "replace").decode(), secrets)

        def clean(value: Any) -> Any:
            return each_text(value, masked)

        when: dict[str, Any] = {
            "task": task or PLANNER,
            "attempt": attempt,
            "message": asked.message,
            "turn": asked.turn,
        }
        text, calls, reply = "".join(reader.text), reader.calls, dict[str, Any]()
        if len(calls) == 1 and calls[0].name == asked.output_tool:
            when["tool"] = asked.output_tool  # advisors share the task's name
            reply["json"] = clean(calls[0].input)
        elif calls:
            # Only a client with these tools can play this turn.
            when["tool"] = calls[0].name
            reply = {"say": clean(text)} if text else {}
            reply["tools"] = [{"name": call.name, "input": clean(call.input)} for call in calls]
        else:
            reply["text"] = clean(text)
        turn: dict[str, Any] = {"when": when, "reply": reply, "model": reader.model}
        if "text" in reply and (ends := stopped_by(reader)) in get_args(AnswerEnd):
            turn["ends"] = ends
        if tokens := reader.tokens:
            turn["usage"] = {name: number for name, number in tokens._asdict().items() if name in Used.model_fields}
        item = _item(turn).encode()
        try:
            if self._file.stat().st_size + len(item) > LARGEST_FILE:
                _log.warning("An answer was not recorded: %s would grow beyond %d bytes.", self._file, LARGEST_FILE)
                return
            with self._file.open("ab") as out:
                out.write(item)
        except OSError as error:
            _log.warning("An answer was not recorded in %s: %s.", self._file, error.strerror)


def _item(turn: dict[str, Any]) -> str:
    import yaml

    class _Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    _Dumper.add_representer(str, _text)
    return yaml.dump([turn], Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)
