"""What the engine asks of the world, as Protocols. Holds no logic, and never names an implementation.

Everything here speaks in core's records, plain paths and plain ids. Implementations live in the row of packages and
never import each other; `wiring` puts them together.
"""

from __future__ import annotations

from buildwright.ports.agents import (
    GO_ON,
    Agent,
    Assignment,
    Briefing,
    BriefingRequest,
    Diagnoser,
    Door,
    Message,
    Model,
    Planner,
    Spent,
    Stopped,
    Text,
    Turn,
)
from buildwright.ports.board import ActionLease, Board, Due, Holding, Jobs, Posted, Settlement, WorkerRow
from buildwright.ports.commands import Command, Completed, Sandbox
from buildwright.ports.gates import (
    NO_BUDGET,
    AnswerKey,
    Answers,
    Budget,
    Gate,
    GateTools,
    Gateway,
    Judged,
    Judgement,
    Spend,
)
from buildwright.ports.git import Checkpoint, Conflicted, Delivered, Guard, Lane, LaneKey, Merged, Target, Workspace
from buildwright.ports.retention import Found, Leftover, Loose, Retention, Weight
from buildwright.ports.store import BuildRow, Builds, Clock, Lease, LogEntry, LogLine, Mark
from buildwright.ports.traces import ModelCall, SetValue, SpanValue, Traces

__all__ = [
    "GO_ON",
    "NO_BUDGET",
    "ActionLease",
    "Agent",
    "AnswerKey",
    "Answers",
    "Assignment",
    "Board",
    "Briefing",
    "BriefingRequest",
    "Budget",
    "BuildRow",
    "Builds",
    "Checkpoint",
    "Clock",
    "Command",
    "Completed",
    "Conflicted",
    "Delivered",
    "Diagnoser",
    "Door",
    "Due",
    "Found",
    "Gate",
    "GateTools",
    "Gateway",
    "Guard",
    "Holding",
    "Jobs",
    "Judged",
    "Judgement",
    "Lane",
    "LaneKey",
    "Lease",
    "Leftover",
    "LogEntry",
    "LogLine",
    "Loose",
    "Mark",
    "Merged",
    "Message",
    "Model",
    "ModelCall",
    "Planner",
    "Posted",
    "Retention",
    "Sandbox",
    "SetValue",
    "Settlement",
    "SpanValue",
    "Spend",
    "Spent",
    "Stopped",
    "Target",
    "Text",
    "Traces",
    "Turn",
    "Weight",
    "WorkerRow",
    "Workspace",
]
