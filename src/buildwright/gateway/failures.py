"""Why a request to a model failed, as one of the kinds that agents' failures have. Pure."""

from __future__ import annotations

from buildwright.core.activity import FailureKind
from buildwright.gateway.exchange import AnswerReader, ProviderError

_TOO_LONG_WORDS = (
    *("prompt is too long", "context_length", "context length", "context window", "too many tokens"),
    *("exceeds the maximum number of tokens", "exceed context limit"),
)
_STATUSES = {
    "overloaded_error": 529,
    "server_is_overloaded": 529,
    "UNAVAILABLE": 503,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "RESOURCE_EXHAUSTED": 429,
    "context_length_exceeded": 400,
    "request_too_large": 413,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "INVALID_ARGUMENT": 400,
}
"""The statuses of errors in the middle of a stream, by the names that the protocols give them."""
REQUEST_LIMIT = "request_limit"
"""The gateway's own refusal of one request more than an attempt may send."""
_REFUSALS = frozenset({"refusal", "content_filter"})
_LENGTHS = frozenset({"max_tokens", "length"})


def failure_kind(status: int, error: ProviderError) -> FailureKind:
    """Return the kind of a refusal by its status and error."""
    if error.type == REQUEST_LIMIT:
        return "request_limit"
    words = f"{error.type} {error.message}".lower()
    if status == 413 or (status == 400 and any(word in words for word in _TOO_LONG_WORDS)):
        return "context_length"
    if status in {403, 404} and "model" in words:
        return "unknown_model"
    if status in {401, 403}:
        return "auth"
    if status == 402:
        return "budget"
    if status == 429:
        return "refused" if error.type == "insufficient_quota" else "rate_limit"
    if status in {503, 529}:
        return "overloaded"
    if status in {408, 504}:
        return "timeout"
    return "unavailable" if status >= 500 else "refused"


def stopped_by(reader: AnswerReader) -> FailureKind | None:
    """Return the kind of failure that an answer itself is; None for one that came to its end."""
    if reader.stop in _REFUSALS:
        return "refused"
    if reader.stop == "model_context_window_exceeded":
        return "context_length"
    return "output_limit" if reader.stop in _LENGTHS else None


def within(error: ProviderError) -> FailureKind:
    """Return the kind of an error in the middle of a stream."""
    return failure_kind(_STATUSES.get(error.type, 500), error)
