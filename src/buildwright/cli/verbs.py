"""The table of verbs, for the program's help and for lazy registration. Must never import the module of a verb."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """One verb. `target` is `module:attribute`, which is imported only when the verb is typed."""

    name: str
    group: str
    words: str
    target: str


def _verb(name: str, group: str, words: str, attribute: str = "") -> Verb:
    return Verb(name, group, words, f"buildwright.cli.{name}:{attribute or name}")


VERBS: tuple[Verb, ...] = (
    _verb("demo", "Start", "Build a small sample project, offline, to see how it works."),
    _verb("plan", "Start", "Show the tasks of a spec, their waves and the critical path."),
    _verb("check", "Start", "Say what would judge a repository, and whether it passes."),
    _verb("build", "Start", "Turn a spec into merged commits in a repository."),
    _verb("run", "Start", "Go on with a build after a crash, a detach or a pause."),
    _verb("status", "Watch", "Show how far a build is, or all builds."),
    _verb("watch", "Watch", "Follow a build over the stream of a server, through cuts."),
    _verb("logs", "Watch", "Show what agents, gates and git said."),
    _verb("events", "Watch", "Print the journal of a build, one JSON object per event."),
    _verb("diff", "Watch", "Show what a build, or one of its tasks, changed."),
    _verb("why", "Watch", "Explain why a task waits, runs, failed, or where it came from."),
    _verb("gates", "Watch", "Show which gates ran on which tree, and what they found."),
    _verb("costs", "Watch", "Show what requests to models cost, over all builds."),
    _verb("pause", "Steer", "Let nothing new start."),
    _verb("resume", "Steer", "Answer a pause: go on, retry, skip or abort."),
    _verb("approve", "Steer", "Let a finding pass that asks for your consent."),
    _verb("step", "Steer", "Let a build that is driven by hand do one thing."),
    _verb("say", "Steer", "Tell the agents something while they work."),
    _verb("stop", "Steer", "End a build; what has landed stays."),
    _verb("audit", "Prove", "Judge a change in any repository by named checks."),
    _verb("evidence", "Prove", "Write what proves a build: a page and a signed bundle."),
    _verb("verify", "Prove", "Say what of a bundle of evidence does not hold."),
    _verb("serve", "Serve", "Serve the HTTP API and its live streams."),
    _verb("token", "Serve", "Print a token for programs that use the HTTP API."),
    _verb("cluster", "Cluster", "Let many processes build: PostgreSQL, Redis and workers on this machine."),
    _verb("worker", "Cluster", "Take part in building, as one of many processes."),
    _verb("health", "Cluster", "Say whether a server or a worker is at work, for health checks."),
    _verb("secrets", "Guard", "Search files, a diff or the staged changes for secrets."),
    _verb("hook", "Guard", "Let git search what is staged for secrets before each commit."),
    _verb("liars", "Guard", "Try agents that lie on the gates, and show which lies get through."),
    _verb("doctor", "Keep", "Check this machine, and mend what a crash left behind."),
    _verb("config", "Keep", "Show which options count for builds here, and where each is from."),
    _verb("prune", "Keep", "Remove old builds that have ended, and what nothing needs."),
    _verb("db", "Keep", "Migrate the database, or show its version.", "db"),
    _verb("version", "Keep", "Show the version of Buildwright."),
)

_HEAD = "Buildwright turns a description of software into merged, proven changes."
_TAIL = """Try `buildwright demo` first. `buildwright VERB --help` explains a verb.
State lives under BUILDWRIGHT_HOME (`buildwright doctor` shows where)."""


def program_help() -> str:
    """Return the help of the whole program as plain text, without importing a library, so that it is quick."""
    width = max(len(verb.name) for verb in VERBS) + 2
    lines = [_HEAD, "", "Usage: buildwright VERB [OPTIONS]"]
    for group in dict.fromkeys(verb.group for verb in VERBS):
        lines += ["", f"{group}:"]
        lines += [f"  {verb.name:<{width}}{verb.words}" for verb in VERBS if verb.group == group]
    return "\n".join([*lines, "", _TAIL, ""])
