"""A conversation by the Agent Client Protocol: asks for turns, and understands what the program tells meanwhile.

Must never offer it anything of this machine: it reads, writes and runs by itself, inside its walls.
"""

from __future__ import annotations

import asyncio
import shlex
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from buildwright.agents.acp_wire import AgentWire, RunningAgent
from buildwright.agents.programs.program import TAIL, Run
from buildwright.core.activity import Activity, FailureKind, Said, Warned
from buildwright.errors import AgentFailed

if TYPE_CHECKING:
    from acp.connection import Connection

EXAMPLE = "acp:gemini --acp"

PATIENCE = 120.0
"""Seconds that a program may take to begin a conversation; some unpack themselves first."""
_GOODBYE = 2.0
"""Seconds that a program may take to write its files when all is done."""
_CANCEL = 0.2
"""Seconds that an interrupted program may take to end its turn, before all its processes are ended."""
_QUIET, _MOST_TOLD_AGAIN = 0.5, 10_000
"""Seconds without a word after which a loaded conversation has been told again, and most words that are waited for."""
_MOST_STRAY = 20

_VERSION = 1
_AUTH_REQUIRED = -32_000

_STOPS: dict[str, tuple[FailureKind, str]] = {
    "refusal": ("refused", "The model refused."),
    "max_tokens": ("output_limit", "The answer was cut at its longest length."),
    "max_turn_requests": ("request_limit", "It sent as many requests in one turn as it may."),
    "cancelled": ("crashed", "It broke its turn off by itself."),
}
"""The reasons to stop (https://agentclientprotocol.com/protocol/prompt-turn) that are failures."""

_CHANGES = frozenset({"edit", "delete", "move"})
_TEXTS = {"agent_message_chunk": "", "agent_thought_chunk": "(thinks) "}

_Answer = TypeVar("_Answer", bound=BaseModel)


class Talk:
    """The conversation with a running program.

    Large because its beginning, its turns and what is told meanwhile are one state, which the program may change at any
    moment.
    """

    def __init__(self, program: RunningAgent, lane: Path, title: str, silence: float) -> None:
        self.program = program
        self._silence = silence
        self.run = Run(lane)
        self.session = ""
        self.version = ""
        self.can_load = False
        self.failure: tuple[FailureKind, str] | None = None
        self.title = title
        self._connection: Connection | None = None
        self._auth_methods: list[str] = []
        self._models: Any = None
        """The option of the conversation by which its model is chosen."""
        self._asking: asyncio.Task[Any] | None = None
        self._silent = True
        """Whether what it tells is not of this attempt: it repeats a conversation while it loads it."""
        self._told = deque[Activity]()
        self._changed = asyncio.Event()
        """Set when something was told, and when the program has ended."""
        self._calls: dict[str, AgentCall] = {}
        """Calls without an end yet, by id."""
        self._message = ""
        """Kind and id of the text that is arriving now."""
        self._mid_line = False
        self._strays = deque[str](maxlen=_MOST_STRAY)
        self._stray_count = 0

    def connect(self, wire: AgentWire) -> None:
        """Begin to listen."""
        from acp.connection import Connection

        self.program.when_over(self._changed.set)
        self._connection = Connection(self._answer, wire)

    async def disconnect(self) -> None:
        """Stop listening."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()

    def stray(self, line: bytes) -> None:
        """Keep a line that is no message, and tell of the first ones."""
        text = line.decode("utf-8", "replace").strip()
        if text:
            self._strays.append(text[:200])
            self._stray_count += 1
            if self._stray_count <= _MOST_STRAY and not self._silent:
                self._tell(Warned(text=f"{self.title} wrote a line that is not a message: {text[:200]}"))

    # --- before the first turn ---

    async def greet(self) -> None:
        """Agree on the version of the protocol. Raises AgentFailed."""
        from acp.schema import Implementation, InitializeRequest, InitializeResponse

        hello = InitializeRequest(
            protocol_version=_VERSION, client_info=Implementation(name="buildwright", version=version("buildwright"))
        )
        told = await self._begin("initialize", hello, InitializeResponse)
        if told.protocol_version != _VERSION:
            raise AgentFailed(
                f"{self.title} speaks version {told.protocol_version} of the protocol, and not version {_VERSION}.",
                fix="Install a release of it that speaks this version.",
            )
        self.version = told.agent_info.version if told.agent_info is not None else ""
        self.can_load = bool(told.agent_capabilities and told.agent_capabilities.load_session)
        self._auth_methods = [method.id for method in told.auth_methods or ()]

    async def begin(self, lane: str, session: str) -> bool:
        """Begin a conversation, or go on with this one; return whether it goes on. Raises AgentFailed."""
        from acp.exceptions import RequestError
        from acp.schema import LoadSessionRequest, LoadSessionResponse, NewSessionRequest, NewSessionResponse

        await self.greet()
        if session and self.can_load:
            load = LoadSessionRequest(cwd=lane, session_id=session, mcp_servers=[])
            with suppress(RequestError):
                loaded = await self._begin("session/load", load, LoadSessionResponse)
                await self._quiet()
                self._start_listening(session, loaded.config_options)
                return True
        new = NewSessionRequest(cwd=lane, mcp_servers=[])
        try:
            try:
                begun = await self._begin("session/new", new, NewSessionResponse)
            except RequestError as error:
                if error.code != _AUTH_REQUIRED:
                    raise
                await self._log_in()
                begun = await self._begin("session/new", new, NewSessionResponse)
        except RequestError as error:
            raise AgentFailed(
                f"{self.title} begins no conversation: {_words(error)}", fix="Run `buildwright doctor --agents`."
            ) from error
        self._start_listening(begun.session_id, begun.config_options)
        return False

    async def _quiet(self) -> None:
        """Wait until what was said before has been told again: some answer first, and tell it then."""
        with suppress(TimeoutError):
            for _ in range(_MOST_TOLD_AGAIN):
                self._changed.clear()
                async with asyncio.timeout(_QUIET):
                    await self._changed.wait()

    async def _log_in(self) -> None:
        """Log in with the key that its variables hold: the only way in that asks for no browser."""
        from acp.schema import AuthenticateRequest, AuthenticateResponse

        wanted = next((method for method in self._auth_methods if "key" in method), "")
        if wanted:
            await self._begin("authenticate", AuthenticateRequest(method_id=wanted), AuthenticateResponse)

    def _start_listening(self, session: str, options: list[Any] | None) -> None:
        self.session = session
        self._silent = False
        self._models = next((each for each in options or () if "model" in (each.id, each.category)), None)

    async def choose_model(self, model: str) -> None:
        """Choose the model, where the program offers it; else its variables and settings have to say it."""
        from acp.exceptions import RequestError
        from acp.schema import SetSessionConfigOptionResponse, SetSessionConfigOptionSelectRequest

        offered = _values(getattr(self._models, "options", None) or ())
        wanted = next((value for value in offered if value.rpartition("/")[2] == model.rpartition("/")[2]), "")
        if wanted and self._models.current_value != wanted:
            choice = SetSessionConfigOptionSelectRequest(
                session_id=self.session, config_id=self._models.id, value=wanted
            )
            with suppress(RequestError):
                await self._begin("session/set_config_option", choice, SetSessionConfigOptionResponse)

    async def _begin(self, method: str, request: BaseModel, answer: type[_Answer]) -> _Answer:
        """Ask something that must be answered soon. Raises AgentFailed, RequestError."""
        from acp.utils import request_model_from_dict

        assert self._connection is not None
        try:
            async with asyncio.timeout(PATIENCE):
                return await request_model_from_dict(self._connection, method, request, answer)
        except TimeoutError as error:
            raise self._mute(f"did not answer within {PATIENCE:g} s") from error
        except ValidationError as error:
            raise self._mute(f"answered {method} in a form that is not the protocol's") from error
        except OSError as error:
            await self.program.wait(_GOODBYE)
            if (trouble := self.program.trouble) is not None:
                raise AgentFailed(f"{self.title} could not be started: {trouble}", fix=trouble.fix) from error
            raise self._mute(self._end_of_program()) from error

    def _mute(self, what: str) -> AgentFailed:
        last = self._strays or self.program.errors
        said = f" Its last words: {last[-1]}" if last else ""
        return AgentFailed(
            f"{self.title} {what}.{said}",
            fix=f"Check that the command speaks the Agent Client Protocol, as `{EXAMPLE.removeprefix('acp:')}` does.",
        )

    def _end_of_program(self) -> str:
        done = self.program.done
        code = f" with exit code {done.exit_code}" if done is not None and done.exit_code is not None else ""
        return f"ended{code}{f' ({done.limit})' if done is not None and done.limit else ''}"

    # --- turns ---

    async def turn(self, text: str) -> AsyncGenerator[Activity]:
        """Ask for one turn, and yield what is told of it until its end; then see `failure`."""
        from acp.exceptions import RequestError

        assert self._connection is not None
        self.run.said = self._message = ""
        self._mid_line = False
        prompt = {"sessionId": self.session, "prompt": [{"type": "text", "text": text}]}
        self._asking = asyncio.create_task(self._connection.send_request("session/prompt", prompt))
        async for activity in self._until(self._asking):
            yield activity
        try:
            answer = self._asking.result()
        except RequestError as error:
            self.failure = ("crashed", _words(error))
            return
        except OSError:
            await self.program.wait(_GOODBYE)
            last = "\n".join(self.program.errors or self._strays)
            self.failure = ("crashed", f"It {self._end_of_program()}. {last}".strip())
            return
        stop = str(answer.get("stopReason")) if isinstance(answer, dict) else str(answer)
        if stop != "end_turn":
            unknown: tuple[FailureKind, str] = ("crashed", f"It stopped for a reason that is not known: {stop[:80]}")
            self.failure = _STOPS.get(stop, unknown)
        async for activity in self._still_open():
            yield activity

    async def end(self) -> None:
        """Say goodbye: break off a turn that still goes on, else let the program write the end of its files."""
        if self._asking is None or self._connection is None:
            return
        if not self._asking.done():
            cancelling = asyncio.create_task(
                self._connection.send_notification("session/cancel", {"sessionId": self.session})
            )
            await asyncio.wait({self._asking}, timeout=_CANCEL)
            cancelling.cancel()
            await asyncio.gather(cancelling, return_exceptions=True)
            return
        await self._connection.close()
        await self.program.wait(_GOODBYE)

    async def _until(self, task: asyncio.Task[Any]) -> AsyncGenerator[Activity]:
        """Yield what is told until the task is done."""
        while not task.done():
            self._changed.clear()
            changed = asyncio.create_task(self._changed.wait())
            try:
                await asyncio.wait({task, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
            while self._told:
                yield self._told.popleft()

    async def _still_open(self) -> AsyncGenerator[Activity]:
        """Wait for commands that go on after the turn: what they have not done yet would be cut off."""
        while self.failure is None and (
            left := [call.title for call in self._calls.values() if call.kind == "execute"]
        ):
            self._changed.clear()
            try:
                async with asyncio.timeout(self._silence):
                    await self._changed.wait()
            except TimeoutError:
                names = ", ".join(left)[:TAIL]
                yield Warned(text=f"{self.title} ended its turn while this still ran, and is silent since: {names}")
                break
            while self._told:
                yield self._told.popleft()
            if self.program.is_over:
                break
        self._calls.clear()

    # --- what the program sends ---

    async def _answer(self, method: str, params: Any, is_notification: bool) -> Any:
        """Take in what the program sends. It is offered nothing but permissions."""
        from acp.exceptions import RequestError
        from acp.schema import RequestPermissionRequest, SessionNotification

        if method == "session/update":
            # A kind of update that this version does not know is no fault.
            with suppress(ValidationError):
                self._take(SessionNotification.model_validate(params).update)
            return None
        if method == "session/request_permission":
            asked = RequestPermissionRequest.model_validate(params)
            self._call(asked.tool_call)
            return {"outcome": _permission(asked.options)}
        if is_notification:
            return None
        raise RequestError.method_not_found(method)

    def _tell(self, activity: Activity) -> None:
        self._told.append(activity)
        self._changed.set()

    def _take(self, update: Any) -> None:
        kind = update.session_update
        if self._silent:
            self._changed.set()
            return
        if kind in _TEXTS and (text := getattr(update.content, "text", "")):
            self._text(kind, update.message_id or "", text)
        elif kind in {"tool_call", "tool_call_update"}:
            self._call(update)

    def _text(self, kind: str, message: str, text: str) -> None:
        """Tell of a piece of a text. A thought is marked as one, and is no summary."""
        if (of := f"{kind} {message}") != self._message:
            # Another text begins, on a line of its own.
            if self._mid_line:
                self._tell(Said(text=""))
            self._message, self.run.said = of, ""
            text = f"{_TEXTS[kind]}{text}"
        if kind == "agent_message_chunk":
            self.run.said += text
        self._mid_line = not text.endswith("\n")
        self._tell(Said(text=text.removesuffix("\n"), more=self._mid_line))

    def _call(self, update: Any) -> None:
        call = self._calls.setdefault(update.tool_call_id, AgentCall())
        call.take(update)
        self._changed.set()
        if call.status in {"completed", "failed"}:
            del self._calls[update.tool_call_id]
            self._message = ""
            for activity in call.told(self.run):
                self._mid_line = False
                self._tell(activity)


@dataclass(slots=True)
class AgentCall:
    """A call of a tool, as far as it has been told of."""

    kind: str = ""
    title: str = ""
    status: str = ""
    content: list[Any] = field(default_factory=list)
    locations: list[Any] = field(default_factory=list)
    raw_input: Any = None
    raw_output: Any = None
    shown: str = ""
    """What its terminal showed, where the agent tells it beside (`_meta`), as some do."""
    code: object = None

    def take(self, update: Any) -> None:
        """Take in what an update says of it."""
        for name in ("kind", "title", "status", "content", "locations", "raw_input", "raw_output"):
            if (value := getattr(update, name, None)) is not None:
                setattr(self, name, value)
        beside = update.field_meta or {}
        for kind in ("terminal_output", "terminal_output_delta"):
            self.shown += str(_object(beside.get(kind)).get("data") or "")
        self.shown = self.shown[-TAIL:]
        self.code = _object(beside.get("terminal_exit")).get("exit_code", self.code)

    def told(self, run: Run) -> Iterator[Activity]:
        """Tell what it did, now that it has ended."""
        given = _object(self.raw_input)
        if self.kind == "execute":
            command = given.get("command") or given.get("cmd") or self.title
            if isinstance(command, list):
                command = shlex.join(map(str, command))
            yield from run.ran(command, self._output(), self._exit_code())
            return
        if self.status != "completed":
            return
        paths = [item.path for item in self.content if item.type == "diff"]
        if self.kind in _CHANGES:
            paths += [location.path for location in self.locations]
        for path in dict.fromkeys(paths):
            yield from run.wrote(path)

    def _output(self) -> str:
        texts = [getattr(item.content, "text", "") for item in self.content if item.type == "content"]
        return self.shown or "\n".join(texts) or (self.raw_output if isinstance(self.raw_output, str) else "")

    def _exit_code(self) -> object:
        raw = _object(self.raw_output)
        told = (self.code, raw.get("exit_code"), raw.get("exitCode"), _object(raw.get("metadata")).get("exit"))
        return next((code for code in told if code is not None), None)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _permission(options: list[Any]) -> dict[str, str]:
    """Return the answer to a question for permission: the walls of the sandbox are what limits it.

    Once, where that is offered: what it is always allowed it may write down in the lane.
    """
    for kind in ("allow_once", "allow_always"):
        for option in options:
            if option.kind == kind:
                return {"outcome": "selected", "optionId": option.option_id}
    return {"outcome": "cancelled"}


def _values(options: Iterable[Any]) -> list[str]:
    """Return the values of a choice, whose options may be in groups."""
    values = list[str]()
    for option in options:
        values += _values(option.options) if hasattr(option, "options") else [option.value]
    return values


def _words(error: Any) -> str:
    """Return what an error of the program says; some put the reason beside the message."""
    data = error.data.get("details") or error.data.get("message") if isinstance(error.data, dict) else error.data
    return f"{error}: {data}"[:TAIL] if data else str(error)[:TAIL]
