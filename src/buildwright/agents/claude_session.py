"""The command and transcript of a run of Claude Code. Must never pass on our own environment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from buildwright.confined_fs import read_beneath
from buildwright.core.activity import UsedTokens
from buildwright.core.record import Record
from buildwright.errors import NotFound, UnsafePath
from buildwright.ports import GO_ON, Assignment, Command, ModelEndpoint

LARGEST_TRANSCRIPT = 20_000_000
_SESSION = re.compile(r"[0-9a-fA-F-]{36}")


class Conversation(Record):
    """A session of Claude Code, kept between attempts."""

    agent: Literal["claude"] = "claude"
    version: Literal[1] = 1
    session: str = Field(pattern=rf"^{_SESSION.pattern}$")
    lane: str
    transcript: str
    used: tuple[UsedTokens, ...] = ()
    """Sums per model so far: a resumed session goes on counting from them."""
    home: str = ""
    key: str = ""
    """The program's name for the lane."""

    @field_validator("transcript")
    @classmethod
    def _whole(cls, transcript: str) -> str:
        if not all(_is_object(line) for line in transcript.split("\n") if line):
            raise ValueError("the program cannot resume a transcript with invalid lines")
        return transcript

    def encode(self) -> str:
        """Return the session as JSON, for `Finished.conversation`."""
        return json.dumps(self.model_dump(mode="json"))


def decode(text: str) -> Conversation | None:
    """Return what `encode` wrote, None for anything else."""
    try:
        return Conversation.model_validate_json(text)
    except ValidationError:
        return None


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def config_directory(home: Path) -> Path:
    """Return the directory of the program's state, in the private home."""
    return home / "claude"


def restore(conversation: Conversation, assignment: Assignment, project_key: str) -> None:
    """Write the transcript where the program looks for it, with the old lane's path replaced by the new one's.

    The home's path is replaced too: the program keeps its instructions, which name it, with the session.
    """
    moves = (
        (conversation.lane, os.path.realpath(assignment.lane)),
        (conversation.home, str(assignment.home)),
        (conversation.key, project_key),
    )
    transcript = conversation.transcript
    for old, new in moves:
        if old:
            transcript = transcript.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])
    directory = config_directory(assignment.home) / "projects" / project_key
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{conversation.session}.jsonl").write_text(transcript, encoding="utf-8")


def save(session: str, used: tuple[UsedTokens, ...], assignment: Assignment, project_key: str) -> Conversation | None:
    """Return the transcript of a session, None when there is none (or it is too large to keep)."""
    if not _SESSION.fullmatch(session):
        return None
    try:
        # The agent can write here, so the path may hold anything but a file.
        path = f"{config_directory(Path()).as_posix()}/projects/{project_key}/{session}.jsonl"
        content = read_beneath(assignment.home, path, LARGEST_TRANSCRIPT + 1)
    except (NotFound, UnsafePath):
        return None
    if len(content) > LARGEST_TRANSCRIPT:
        return None
    # Not validated: it is read again for every round of tools, and its last line may be half written.
    return Conversation.model_construct(
        session=session,
        lane=os.path.realpath(assignment.lane),
        transcript=content.decode("utf-8", "replace"),
        used=used,
        home=str(assignment.home),
        key=project_key,
    )


def save_round(
    session: str, calls: Collection[str], used: tuple[UsedTokens, ...], assignment: Assignment, project_key: str
) -> Conversation | None:
    """Return the transcript up to the results of these tool calls; None until all are in it.

    It ends in the middle of the program's turn, so that the program goes on by itself when it is resumed.
    """
    whole = save(session, used, assignment, project_key)
    if whole is None:
        return None
    # The last line may be half written.
    lines = whole.transcript.split("\n")[:-1]
    missing, end = set(calls), 0
    for number in range(len(lines), 0, -1):
        found = (
            {call for call in missing if f'"{call}"' in lines[number - 1]}
            if '"tool_result"' in lines[number - 1]
            else ()
        )
        end = end or (number if found else 0)
        missing.difference_update(found)
        if not missing:
            return whole.model_copy(update={"transcript": "\n".join([*lines[:end], ""])})
    return None


def command_of(
    assignment: Assignment,
    door: ModelEndpoint,
    argv: tuple[str, ...],
    own: Mapping[str, str],
    retries: int,
    *,
    continues: bool,
) -> Command:
    """Return the command that runs the program, to whose arguments the library adds; `own` are variables beside ours.

    With `continues` the program goes on with the turn in which its session ends.
    """
    home, limits = assignment.home, assignment.limits
    temporary = home / "tmp"
    for directory in (temporary, config_directory(home)):
        directory.mkdir(mode=0o700, exist_ok=True)
    environment = {
        **own,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TMPDIR": str(temporary),
        "CLAUDE_CONFIG_DIR": str(config_directory(home)),
        "ANTHROPIC_BASE_URL": door.url,
        "ANTHROPIC_API_KEY": door.token,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        # Its turn ends while such a task still works, and what that has not done yet would be cut off.
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        "CLAUDE_CODE_MAX_RETRIES": str(retries),
        # The library sets these two for its own protocol with the program.
        "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
        "CLAUDE_CODE_SDK_READS_SESSION_STATE": "1",
    }
    if continues:
        environment |= {"CLAUDE_CODE_RESUME_INTERRUPTED_TURN": "1", "CLAUDE_CODE_RESUME_PROMPT": GO_ON}
    return Command(
        argv=argv,
        cwd=assignment.lane,
        env=environment,
        seconds=limits.task_seconds,
        output_bytes=limits.output_bytes,
        memory_bytes=limits.memory_bytes,
        disk_bytes=limits.disk_bytes,
        processes=limits.processes,
        relays=door.relays,
        reach=door.reach,
        writable=(home,),
    )
