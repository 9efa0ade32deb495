"""Translates Claude Code's reports: commands it ran, tokens it used, kinds of failure. Pure: must never do I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from buildwright.core.activity import FailureKind, Ran, UsedTokens

TAIL = 2_000
"""Characters kept of an output or a summary, from the end."""


def ran(command: str, block: Any) -> Ran:
    """Return a command that was run, from the block with its result."""
    content = block.content
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    output = str(content or "")
    exit_code: int | None = 0
    if block.is_error:
        # The program reports a failed command as "Exit code N" and its output; other errors have no code.
        first, _, rest = output.partition("\n")
        number = first.removeprefix("Exit code ")
        exit_code, output = (int(number), rest) if number.isdecimal() else (None, output)
    return Ran(command=command, exit_code=exit_code, output=output[-TAIL:])


def used(usage: Mapping[str, Mapping[str, Any]], sums: dict[str, UsedTokens]) -> Iterator[UsedTokens]:
    """Yield the tokens used since the last result; the program reports sums, and `sums` keeps the last, per model."""
    for model, counts in usage.items():
        new = UsedTokens(
            model=model,
            input_tokens=int(counts.get("inputTokens", 0)),
            output_tokens=int(counts.get("outputTokens", 0)),
            cache_read_tokens=int(counts.get("cacheReadInputTokens", 0)),
            cache_write_tokens=int(counts.get("cacheCreationInputTokens", 0)),
            cost_usd=Decimal(str(counts.get("costUSD", 0))),
        )
        old = sums.get(model, UsedTokens(model=model, cost_usd=Decimal(0)))
        sums[model] = new
        if new != old:
            yield UsedTokens(
                model=model,
                input_tokens=max(new.input_tokens - old.input_tokens, 0),
                output_tokens=max(new.output_tokens - old.output_tokens, 0),
                cache_read_tokens=max(new.cache_read_tokens - old.cache_read_tokens, 0),
                cache_write_tokens=max(new.cache_write_tokens - old.cache_write_tokens, 0),
                cost_usd=max((new.cost_usd or Decimal(0)) - (old.cost_usd or Decimal(0)), Decimal(0)),
            )


_BY_STATUS: dict[int, FailureKind] = {
    401: "auth", 403: "auth", 408: "timeout", 413: "context_length", 429: "rate_limit", 504: "timeout", 529: "overloaded",
}  # fmt: skip


def failure_kind(status: int | None, text: str) -> FailureKind:
    """Return the kind of a failure, by the provider's status if there is one, else by the program's words."""
    said = text.casefold()
    if "prompt is too long" in said or "context window" in said:
        return "context_length"
    if status is not None:
        return _BY_STATUS.get(status, "unavailable" if status >= 500 else "crashed")
    if "timed out" in said or "timeout" in said:
        return "timeout"
    if "overloaded" in said:
        return "overloaded"
    return "unavailable" if "connection" in said else "crashed"
