"""How a scripted change of files is put to each kind of client: by the tools that it offers, else in a form of text.

Must never need to know which program asks: a tool is known by its name, its input by the schema that the client sent.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.gateway.cassette import CassetteReply
from buildwright.gateway.exchange import ModelRequest, ToolUse

CLOSING = "Done."

_WRITERS = ("Write", "write_file", "write", "create")
_PATHS, _CONTENTS = ("file_path", "filePath", "filepath", "path"), ("content", "file_text")
_SHELLS = ("Bash", "bash", "exec_command", "run_shell_command", "shell")
_COMMANDS = ("command", "cmd")
_READER = "Read"
_SUBMIT = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
"""mini-swe-agent goes on asking until the model runs an echo of this."""
_ASKS_FOR_EDITS = "*SEARCH/REPLACE block*"
"""In the instructions of aider, which offers no tools."""


class Reply(NamedTuple):
    """Text, then tool calls."""

    text: str
    calls: tuple[ToolUse, ...] = ()


class _Tool(NamedTuple):
    name: str
    properties: dict[str, Any]

    def key(self, names: tuple[str, ...]) -> str:
        """Return the first of the names that the tool takes."""
        return next((name for name in names if name in self.properties), names[0])


def closing(asked: ModelRequest, text: str = CLOSING) -> Reply:
    """Return last words, with the call by which a client that ends by a tool is ended."""
    shell = _tool(asked, _SHELLS)
    if shell is None or _SUBMIT not in asked.text:
        return Reply(text)
    return Reply(text, (_run(shell, f"echo {_SUBMIT}"),))


def file_reply(asked: ModelRequest, reply: CassetteReply, lane: Path | None) -> Reply:
    """Return the reply that makes this client write `reply.files` and remove `reply.delete`."""
    writer, shell = _tool(asked, _WRITERS), _tool(asked, _SHELLS)
    if writer is None and shell is None:
        is_asked = reply.files and _ASKS_FOR_EDITS in json.dumps(asked.body)
        return Reply(_by_edits(reply, lane) if is_asked else _by_blocks(reply))
    if any(tool is not None and tool.name in asked.used for tool in (writer, shell)):
        return closing(asked)
    files = reply.files or {}
    present = [path for path in files if lane is not None and (lane / path).is_file()]
    # Claude Code refuses to overwrite a file that it has not read.
    reads = writer is not None and _READER in asked.tools
    if present and reads and _READER not in asked.used:
        return Reply(reply.say, tuple(ToolUse(_READER, {"file_path": _place(lane, path)}) for path in present))
    calls, commands = list[ToolUse](), list[str]()
    for path, content in files.items():
        place = _place(lane, path)
        # The others refuse it in words of their own, or cannot at all: a shell can.
        if writer is None or (shell is not None and path in present and not reads):
            parent = shlex.quote(str(Path(place).parent))
            commands.append(f"mkdir -p {parent} && printf %s {shlex.quote(content)} > {shlex.quote(place)}")
        else:
            calls.append(ToolUse(writer.name, {writer.key(_PATHS): place, writer.key(_CONTENTS): content}))
    if reply.delete:
        commands.append("rm -f -- " + " ".join(shlex.quote(_place(lane, path)) for path in reply.delete))
    if commands and shell is not None:
        calls.append(_run(shell, " && ".join(commands)))
    return Reply("" if _READER in asked.used else reply.say, tuple(calls))


def _place(lane: Path | None, path: str) -> str:
    return str(lane / path) if lane is not None else path


def _tool(asked: ModelRequest, names: tuple[str, ...]) -> _Tool | None:
    """Return the first tool of these names that the client offers."""
    name = next((name for name in names if name in asked.tools), None)
    if name is None:
        return None
    found = (tool for tool in _objects(asked.body.get("tools")) if tool.get("name") == name)
    schemas = (one["properties"] for tool in found for one in _objects(tool) if isinstance(one.get("properties"), dict))
    return _Tool(name, next(schemas, {}))


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """Yield each object in a JSON value, the outer ones first."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _objects(one)


def _run(shell: _Tool, command: str) -> ToolUse:
    key = shell.key(_COMMANDS)
    takes_list = isinstance(schema := shell.properties.get(key), dict) and schema.get("type") == "array"
    given: dict[str, Any] = {key: ["/bin/sh", "-c", command] if takes_list else command}
    if not shell.properties or "description" in shell.properties:
        given["description"] = "Change files"
    if "is_background" in shell.properties:
        given["is_background"] = False
    return ToolUse(shell.name, given)


def _by_blocks(reply: CassetteReply) -> str:
    parts = [reply.say.rstrip("\n")] if reply.say else []
    for path, content in (reply.files or {}).items():
        parts.append(f"=== FILE: {path} ===\n{_ended(content)}=== END FILE ===")
    parts += [f"=== DELETE: {path} ===" for path in reply.delete]
    return "\n".join(parts) + "\n"


def _by_edits(reply: CassetteReply, lane: Path | None) -> str:
    """Return the files as aider's edits: one that exists is replaced as a whole. None can delete; it empties."""
    parts = [reply.say.rstrip("\n")] if reply.say else []
    for path, content in {**(reply.files or {}), **dict.fromkeys(reply.delete, "")}.items():
        old = ""
        if lane is not None and (lane / path).is_file():
            old = (lane / path).read_text(encoding="utf-8", errors="replace")
        edit = f"<<<<<<< SEARCH\n{_ended(old)}=======\n{_ended(content)}>>>>>>> REPLACE"
        parts.append(f"{path}\n```\n{edit}\n```")
    return "\n\n".join(parts) + "\n"


def _ended(content: str) -> str:
    return content if content.endswith("\n") or not content else content + "\n"
