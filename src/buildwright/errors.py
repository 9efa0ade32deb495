"""Every error that Buildwright raises on purpose, as one tree. Must never hold logic or import our other modules.

    BuildwrightError
    ├── Refused                 the request cannot be carried out as it was made (the user can correct it)
    │   ├── BadSpec             a spec or task list is wrong: names file, line or key
    │   │   └── BadGraph        tasks or dependencies are wrong: names the task
    │   ├── BadSettings         a setting is missing or wrong: names the key
    │   │   └── Contradiction   options of one command do not go together
    │   ├── BadRepository       the target repository cannot be built on
    │   ├── UnsafePath          a path leaves the lane or is protected
    │   ├── NotFound            no such build, task, attempt or artifact
    │   ├── Unauthorized        the request names no known user
    │   ├── Forbidden           a known user asks for what belongs to another user
    │   ├── TooMany             too many requests, or too much at once: says when to try again
    │   └── KeyReused           one idempotency key came with two different requests
    ├── Conflict                the state does not allow it now
    │   ├── IllegalMove         the build is not in a state in which this event can happen
    │   ├── StaleVersion        another process appended first; read again and decide again
    │   ├── LostLease           the lease went to another holder; this one may write nothing
    │   └── BuildIsRunning      another live process holds the build
    └── CouldNot                something outside Buildwright failed
        ├── GitFailed           a git command failed
        ├── StoreFailed         the database or a file of the store failed
        │   ├── Unstorable      the store refuses a value for good: nothing was written
        │   └── Unreachable     a needed server does not answer, or no worker works for it
        ├── DiskFull            no space is left where Buildwright keeps its state
        ├── ForgeFailed         a forge (GitHub, GitLab, Gitea) did not do what it was asked
        ├── ModelFailed         a language model did not answer: carries the kind of failure
        ├── AgentFailed         an agent program could not run
        ├── GateBroken          a gate could not judge (a gate that refuses is a report, not an error)
        └── ToolMissing         a program that is needed is not installed

An error's message defaults to its `default_message`, or else to the first line of its class docstring, so users see
that line. Every error can have a `fix`: the one thing to do about it, in words a user can follow.
"""

from __future__ import annotations


class BuildwrightError(Exception):
    """Something went wrong in Buildwright."""

    default_message: str = ""
    """The message when none is given; "" takes the first line of the class docstring."""

    def __init__(self, message: str | None = None, *, fix: str | None = None) -> None:
        first_line = (type(self).__doc__ or type(self).__name__).strip().splitlines()[0]
        self.message = message or self.default_message or first_line
        self.fix = fix
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class Refused(BuildwrightError):
    """The request cannot be carried out as it was made."""


class BudgetSpent(Refused):
    """What is asked for would cost more than a budget has left."""


class BadSpec(Refused):
    """The spec or task list is not valid."""

    def __init__(
        self,
        message: str | None = None,
        *,
        fix: str | None = None,
        file: str | None = None,
        line: int | None = None,
        key: str | None = None,
    ) -> None:
        self.file, self.line, self.key = file, line, key
        where = ":".join(str(part) for part in (file, line) if part is not None)
        where = f"{where} ({key})" if where and key else where or (key or "")
        text = message or "The spec or task list is not valid."
        super().__init__(f"{where}: {text}" if where else text, fix=fix)


class BadGraph(BadSpec):
    """The tasks do not form a graph that can be built."""


class BadSettings(Refused):
    """A setting is missing or wrong."""


class Contradiction(BadSettings):
    """Options that were given do not go together."""


class BadRepository(Refused):
    """The target repository cannot be built on."""


class UnsafePath(Refused):
    """The path leaves the lane or is protected."""


class NotFound(Refused):
    """There is no such thing."""


class Unauthorized(Refused):
    """The request names no known user."""

    default_message = "Not signed in."


class Forbidden(Refused):
    """The request is for something that belongs to another user."""

    default_message = "This belongs to another user."


class TooMany(Refused):
    """There are too many requests."""

    def __init__(self, message: str | None = None, *, retry_after: float, fix: str | None = None) -> None:
        self.retry_after = retry_after
        """Seconds after which to try again."""
        super().__init__(message, fix=fix)


class KeyReused(Refused):
    """This idempotency key was used for another request."""


class Conflict(BuildwrightError):
    """The state does not allow this now."""

    state: str = ""
    """The state that does not allow it, in the caller's words; "" when it is not known here."""


class IllegalMove(Conflict):
    """This event cannot happen in the state the build is in."""


class StaleVersion(Conflict):
    """Another process appended to this build first."""

    default_message = "Another process appended to this build first."


class LostLease(Conflict):
    """The lease on this build went to another holder."""


class BuildIsRunning(Conflict):
    """Another live process is running this build."""


class CouldNot(BuildwrightError):
    """Something outside Buildwright failed."""


class GitFailed(CouldNot):
    """A git command failed."""


class StoreFailed(CouldNot):
    """The store could not read or write."""


class Unstorable(StoreFailed):
    """The store refuses a value that it was given; nothing was written."""


class Unreachable(StoreFailed):
    """A server that is needed cannot be reached."""


class DiskFull(CouldNot):
    """No space is left on the device that holds Buildwright's state."""


class ForgeFailed(CouldNot):
    """A forge did not do what it was asked."""

    def __init__(self, message: str | None = None, *, passes: bool = False, fix: str | None = None) -> None:
        self.passes = passes
        """Whether the same request may succeed a while later."""
        super().__init__(message, fix=fix)


class ModelFailed(CouldNot):
    """The language model did not answer."""

    def __init__(self, message: str | None = None, *, kind: str = "unavailable", fix: str | None = None) -> None:
        self.kind = kind
        super().__init__(message, fix=fix)


class AgentFailed(CouldNot):
    """The agent program could not run."""


class GateBroken(CouldNot):
    """The gate could not judge."""


class ToolMissing(CouldNot):
    """A program that is needed is not installed."""
