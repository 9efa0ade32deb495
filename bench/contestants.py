"""Who takes part: the command of each engine, what it can run, and what is on the disk when. Measures nothing."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.peers import environment


@dataclass(frozen=True, slots=True)
class Contestant:
    """An engine in one mode. `argv` comes before WORKLOAD --state DIR."""

    name: str
    argv: tuple[str, ...]
    durable: str
    peer: bool = True
    env: Mapping[str, str] = field(default_factory=dict)
    workloads: tuple[str, ...] = ("w1", "w2", "w3", "w4")


FLOOR = Contestant(
    "floor",
    (sys.executable, "-m", "bench.floor"),
    "Plain asyncio and sqlite3: WAL, synchronous=FULL, one commit per completed task before any dependant starts. No feature.",
    peer=False,
    workloads=("w1", "w2", "w3", "w4", "size"),
)
OURS = Contestant(
    "buildwright",
    (sys.executable, "-m", "bench.buildwright_core"),
    "SQLite WAL, synchronous=FULL; every event is committed before anything that follows from it starts; commits that wait "
    "are grouped. Lanes, git and gates are off (except in w3-lanes).",
    peer=False,
    workloads=("w1", "w2", "w3", "w3-lanes", "w3-lanes-memory", "w4", "size"),
)
DURABLE = {
    "langgraph-graph": 'durability="sync", AsyncSqliteSaver: WAL, synchronous=FULL; a checkpoint of the whole state per '
    "super-step, committed before the next super-step.",
    "langgraph-func": 'durability="sync", AsyncSqliteSaver: WAL, synchronous=FULL. **Weaker than the others**: the result '
    "of a task is committed by a background job that nothing waits for, so a dependant may start before it is on the disk.",
    "dbos": "One commit per step in SQLite as DBOS sets it up: rollback journal (DELETE), synchronous=FULL.",
    "prefect": "**Not durable**: states go to Prefect's server over a socket and are written later (the table says how many were "
    "there when the flow returned); a second run starts over.",
}


def contestants(peers: bool = True) -> list[Contestant]:
    """Everyone who can run here, floor first. Makes the peers' environments; raises CannotMakeEnvironment."""
    found = [FLOOR]
    if importlib.util.find_spec("buildwright") and importlib.util.find_spec("buildwright.wiring"):
        found.append(OURS)
    if peers:
        found += [*_langgraph(), *_others()]
    return found


def _langgraph() -> list[Contestant]:
    argv = (str(environment.python_of("langgraph")), "-m", "bench.peers.langgraph", "--mode")
    names = ("langgraph-graph", "langgraph-func")
    return [
        Contestant(name, (*argv, name.partition("-")[2]), DURABLE[name], env={"LANGSMITH_TRACING": "false"})
        for name in names
    ]


def dbos() -> Contestant:
    """DBOS; makes its environment. Raises CannotMakeEnvironment."""
    return Contestant("dbos", (str(environment.python_of("dbos")), "-m", "bench.peers.dbos"), DURABLE["dbos"])


def _others() -> list[Contestant]:
    home = {"BENCH_PREFECT_HOME": str(environment.prefect_home())}
    return [
        dbos(),
        Contestant(
            "prefect",
            (str(environment.python_of("prefect")), "-m", "bench.peers.prefect"),
            DURABLE["prefect"],
            env=home,
        ),
    ]
