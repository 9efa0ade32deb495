"""What files say of agents and models, in words for people. Must never show the value of an agent's variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildwright.core.agents import AgentRule, OwnAgent
    from buildwright.core.models import NamedModel


def agent_words(own: OwnAgent) -> str:
    """Return what a file says of an agent, without the values of its variables."""
    parts = (
        f"is {own.agent}" if own.agent else "",
        f"model {own.model}" if own.model else "",
        f"arguments {' '.join(own.arguments)}" if own.arguments else "",
        f"command {own.command}" if own.command else "",
        f"variables {', '.join(one.partition('=')[0] for one in own.env)}" if own.env else "",
        f"passed {', '.join((*own.passed, *own.secrets))}" if own.passed or own.secrets else "",
    )
    return "; ".join(filter(None, parts)) or "nothing"


def model_words(model: NamedModel) -> str:
    """Return what a file says of a model."""
    price = f"${model.input_usd} in, ${model.output_usd} out" if model.input_usd is not None else ""
    parts = (model.model, f"of {model.provider}" if model.provider else "", price)
    return "; ".join(filter(None, (*parts, f"context {model.context:,}" if model.context else "")))


def rule_words(rule: AgentRule) -> str:
    """Return what a rule says: which agent, and when."""
    when = (
        f"files {', '.join(rule.files)}" if rule.files else "",
        f"phase {rule.phase}" if rule.phase else "",
        f"action {rule.action}" if rule.action else "",
    )
    return f"{rule.agent}: {' and '.join(filter(None, when))}"
