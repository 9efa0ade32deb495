"""A scripted change of files, put to clients with other tools than Claude Code's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from buildwright.gateway.cassette import CassetteReply
from buildwright.gateway.exchange import ModelRequest
from buildwright.gateway.file_replies import closing, file_reply

REPLY = CassetteReply(say="Here.", files={"new.py": "N = 1\n", "old.py": "O = 2\n"}, delete=("gone.py",))
SUBMIT = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"


def asked(tools: Mapping[str, tuple[str, ...]], used: tuple[str, ...] = (), text: str = "Do it.") -> ModelRequest:
    """A request that offers these tools with these keys, in the form of Chat Completions."""
    offered = [
        {"function": {"name": name, "parameters": {"properties": {key: {"type": "string"} for key in keys}}}}
        for name, keys in tools.items()
    ]
    body: dict[str, Any] = {"tools": offered, "messages": [{"role": "system", "content": text}]}
    return ModelRequest("openai", "m-1", True, 0, 0, text, tuple(tools), "", used, False, 1, body)


@pytest.fixture
def lane(tmp_path: Path) -> Path:
    (tmp_path / "old.py").write_text("O = 1\n")
    (tmp_path / "gone.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("writer", "keys", "shell", "key"),
    [
        ("write", ("filePath", "content"), "bash", "command"),
        ("Write", ("filepath", "content"), "Bash", "command"),
        ("write_file", ("file_path", "content"), "run_shell_command", "command"),
        ("create", ("path", "file_text"), "bash", "command"),
    ],
)
def test_new_files_are_written_by_the_tool_and_the_rest_by_a_command(
    lane: Path, writer: str, keys: tuple[str, ...], shell: str, key: str
) -> None:
    tools = {writer: keys, shell: (key, "description")}
    text, calls = file_reply(asked(tools), REPLY, lane)
    assert (text, [call.name for call in calls]) == ("Here.", [writer, shell])
    assert calls[0].input == dict(zip(keys, (f"{lane}/new.py", "N = 1\n"), strict=True))
    written = f"mkdir -p {lane} && printf %s 'O = 2\n' > {lane}/old.py && rm -f -- {lane}/gone.py"
    assert calls[1].input == {key: written, "description": "Change files"}
    assert file_reply(asked(tools, used=(writer, shell)), REPLY, lane) == ("Done.", ())


def test_a_client_with_a_shell_alone_gets_one_command(lane: Path) -> None:
    (call,) = file_reply(asked({"exec_command": ("cmd",)}), REPLY, lane).calls
    assert call.name == "exec_command"
    assert call.input["cmd"].count("printf %s") == 2


def test_aider_gets_its_own_edits(lane: Path) -> None:
    text, calls = file_reply(asked({}, text="Answer by a *SEARCH/REPLACE block*."), REPLY, lane)
    assert calls == ()
    assert text.startswith("Here.\n\nnew.py\n```\n<<<<<<< SEARCH\n=======\nN = 1\n>>>>>>> REPLACE\n```")
    assert "old.py\n```\n<<<<<<< SEARCH\nO = 1\n=======\nO = 2\n>>>>>>> REPLACE\n```" in text


def test_a_client_that_ends_by_a_command_gets_it_with_the_last_words() -> None:
    request = asked({"bash": ("command",)}, text=f"At the end run echo {SUBMIT}.")
    text, (call,) = closing(request, "Bye.")
    assert (text, call.name, call.input) == ("Bye.", "bash", {"command": f"echo {SUBMIT}"})
    assert closing(asked({"bash": ("command",)}), "Bye.") == ("Bye.", ())
