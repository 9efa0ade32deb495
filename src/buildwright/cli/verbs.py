"""The table of verbs, for the program's help and for lazy registration. Must never import the module of a verb."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cyclopts import App


class Verb(NamedTuple):
    """One verb. `target` is `module:attribute`, which is imported only when the verb is typed."""

    name: str
    group: str
    words: str
    target: str
    examples: tuple[str, ...]

    @property
    def epilogue(self) -> str:
        """The end of its help."""
        return "\n".join(["Examples:", *(f"  {example}" for example in self.examples)])


_EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("buildwright demo", "buildwright demo --web", "buildwright demo --agent claude --dir ./sample"),
    "init": ("buildwright init", "buildwright init --from ../shop", 'buildwright init -m "it counts words in files"'),
    "plan": (
        "buildwright plan tasks.json",
        "buildwright plan SPEC.md --repo . -o plan.yaml --edit",
    ),
    "contracts": (
        "buildwright contracts generate shop --answers answers.yaml",
        "buildwright contracts edit shop schema",
        'buildwright contracts rewrite shop ui 12 -m "say what the empty page shows"',
        'buildwright contracts comment shop ui 12 -m "which page is this?"',
        "buildwright contracts stale shop",
        "buildwright contracts take shop",
    ),
    "check": ("buildwright check --repo ~/src/app", "buildwright check --base v2.1 --check 'make test' --json"),
    "map": ("buildwright map --repo ~/src/app", 'buildwright map --about "refund a payment" --tokens 2000 --json'),
    "build": (
        "buildwright build SPEC.md --repo ../shop --max-cost 5",
        "buildwright build tasks.json --agent shell --agent-command ./agent.sh",
        "buildwright build --contracts shop --repo ../shop",
    ),
    "run": ("buildwright run 3fa9c2d1",),
    "fork": (
        "buildwright fork 3fa9 --at 120 --model claude-opus-5",
        'buildwright fork 3fa9 --plan plan.yaml --prompt-note "amounts are exact"',
    ),
    "status": (
        "buildwright status --watch",
        "buildwright status --all --json",
        "buildwright status --state paused --project shop",
        "buildwright status --short",
        "buildwright status 3fa9 --show spec",
    ),
    "inbox": ("buildwright inbox",),
    "watch": ("buildwright watch", "buildwright watch 3fa9 --stay"),
    "logs": ("buildwright logs -f --task money",),
    "events": (
        "buildwright events 3fa9 --after 120 -f",
        "buildwright events newest --words",
        "buildwright events --to ./events",
    ),
    "diff": ("buildwright diff 3fa9 money --stat",),
    "review": (
        "buildwright review 3fa9 money",
        "buildwright review 3fa9 --comment 'src/money.py:12: use Decimal'",
    ),
    "prompt": ("buildwright prompt 3fa9 money", "buildwright prompt 3fa9 money --sizes"),
    "why": ("buildwright why 3fa9 money", "buildwright why 3fa9"),
    "gates": ("buildwright gates 3fa9 money", "buildwright gates 3fa9 --sarif > gates.sarif"),
    "compare": ("buildwright compare 3fa9 81bd",),
    "pause": ('buildwright pause -m "looking at the plan"',),
    "resume": ('buildwright resume --retry -m "amounts are exact: use Decimal"', "buildwright resume --skip"),
    "approve": ('buildwright approve 3fa9 1c9e02d4a7b3 -m "this workflow is what we want"',),
    "step": ("buildwright step", 'buildwright step 3fa9 --mode implement_only -m "keep the old function names"'),
    "say": ('buildwright say 3fa9 "keep the old function names" --task money',),
    "stop": ('buildwright stop 3fa9 -m "wrong branch"',),
    "audit": (
        "buildwright audit",
        'buildwright audit main..HEAD --claimed-files "src/app.py,tests"',
        "buildwright audit v1.2..HEAD --repo ../other --no-run --sarif > audit.sarif",
    ),
    "evidence": ("buildwright evidence 3fa9 --out ./evidence", "buildwright evidence --notes"),
    "verify": ("buildwright verify evidence/evidence-3fa9c2d1.json --repo .",),
    "serve": ("buildwright serve", "buildwright serve --open", "buildwright serve --host 0.0.0.0 --port 8080 --public"),
    "mcp": ("buildwright mcp",),
    "token": (
        "buildwright token",
        "buildwright token --user ann --days 7 --label laptop",
        "buildwright token list",
        "buildwright token revoke --all --user ann",
    ),
    "user": (
        "buildwright user list",
        "buildwright user set ann --max-month-cost 50 --max-builds 2",
        "buildwright user share shop ann --role viewer",
    ),
    "cluster": ("buildwright cluster up --workers 4", "buildwright cluster status", "buildwright cluster down"),
    "worker": ("buildwright worker --slots 4",),
    "health": ("buildwright health http://127.0.0.1:8321", "buildwright health --worker"),
    "secrets": (
        "buildwright secrets scan",
        "buildwright secrets scan --staged",
        "buildwright secrets scan --diff main..HEAD --sarif",
    ),
    "hook": ("buildwright hook install",),
    "liars": (
        "buildwright liars",
        "buildwright liars --only tests --language node",
        "buildwright liars skip-mark honest-plain --json",
    ),
    "sandbox": (
        "buildwright sandbox prove",
        "buildwright sandbox run --allow example.org -- curl -sI https://example.org",
        "buildwright sandbox run --in ./copy -- npm test",
    ),
    "doctor": ("buildwright doctor --online", "buildwright doctor --fix", "buildwright doctor --agents"),
    "task": (
        'buildwright task add newest --title "Say what a payment cost" --after money',
        'buildwright task split newest money --into "Parse sums" --into "Show sums"',
        'buildwright task redo newest money -m "amounts are exact: use Decimal"',
    ),
    "repo": (
        "buildwright repo list --search shop",
        "buildwright repo connect acme/shop",
        "buildwright repo audits acme/shop --branch main",
    ),
    "pr": ("buildwright pr open newest", "buildwright pr feedback newest"),
    "deliver": ("buildwright deliver newest", "buildwright deliver 3fa9 --to push --branch shop-prices"),
    "costs": ("buildwright costs --by model --since 2026-03-01", "buildwright costs --by result"),
    "stats": ("buildwright stats", "buildwright stats --by week --since 2026-03-01 --csv > stats.csv"),
    "lessons": (
        "buildwright lessons list --repo .",
        "buildwright lessons export --repo . > buildwright-lessons.json",
    ),
    "config": ("buildwright config --repo .", "buildwright config --all --json"),
    "prune": ("buildwright prune --dry-run", "buildwright prune --older-than 2w --keep 10 --yes"),
    "db": ("buildwright db version --json", "buildwright db rollback --steps 1"),
    "completion": (
        "buildwright completion bash > ~/.bash_completion",
        "buildwright completion fish > ~/.config/fish/completions/buildwright.fish",
    ),
    "version": ("buildwright version --json",),
}
"""Command lines for the help of each verb; docs/cli.md shows them as well."""


def _verb(name: str, group: str, words: str, attribute: str = "") -> Verb:
    return Verb(name, group, words, f"buildwright.cli.{name}:{attribute or name}", _EXAMPLES[name])


def app_of(name: str) -> App:
    """Return the Cyclopts app of a verb that has verbs of its own. Raises StopIteration when there is no such verb."""
    from cyclopts import App, Parameter

    return App(
        name=name,
        help_format="plaintext",
        help_epilogue=next(verb for verb in VERBS if verb.name == name).epilogue,
        version_flags=(),
        default_parameter=Parameter(negative=()),
    )


VERBS: tuple[Verb, ...] = (
    _verb("demo", "Start", "Build a small sample project, offline, to see how it works."),
    _verb("init", "Start", "Be interviewed about what is to be built, and get its spec."),
    _verb("plan", "Start", "Show the tasks of a spec, their waves and the critical path."),
    _verb("contracts", "Start", "Make, show, edit and export the contracts of a project."),
    _verb("check", "Start", "Check a repository: which checks apply, and whether it passes them."),
    _verb("map", "Start", "Show the map of a repository's code that the planner gets."),
    _verb("build", "Start", "Turn a spec into merged commits in a repository."),
    _verb("run", "Start", "Continue a build after a crash, Ctrl-C or --detach."),
    _verb("fork", "Start", "Start a new build from a point of another one, with another model, plan or note."),
    _verb("status", "Watch", "Show how far a build is, or all builds."),
    _verb("inbox", "Watch", "Show what needs you, over all builds: what blocks most comes first."),
    _verb("watch", "Watch", "Follow a build on a server, through lost connections."),
    _verb("logs", "Watch", "Show what agents, checks and git printed."),
    _verb("events", "Watch", "Print the journal of a build, one JSON object per event."),
    _verb("diff", "Watch", "Show what a build, or one of its tasks, changed."),
    _verb("review", "Watch", "Review what was changed, each hunk with its task, and send comments to the agents."),
    _verb("prompt", "Watch", "Show what the agent of a task is told, and the size of each part."),
    _verb("why", "Watch", "Explain why a task waits, runs, failed, where it came from; or what audits say."),
    _verb("gates", "Watch", "Show which gates ran on which tree, and what they found."),
    _verb("costs", "Watch", "Show what requests to models cost, and what of it was thrown away."),
    _verb("stats", "Watch", "Show what builds came to, by hour, day or week."),
    _verb("lessons", "Watch", "Show what earlier attempts taught, and whether it helps; export and import it."),
    _verb("compare", "Watch", "Show two builds side by side: result, gates, attempts, tokens, cost and time."),
    _verb("pause", "Steer", "Pause a build: nothing new starts."),
    _verb("resume", "Steer", "Answer a pause: continue, retry, skip or abort."),
    _verb("task", "Steer", "Add, edit, drop, merge, split, reorder, redo or take back tasks of a build."),
    _verb("deliver", "Steer", "Deliver a build that has ended: as a pull request, a push or a branch."),
    _verb("pr", "Steer", "Open the pull request of a build that has ended; make tasks of its comments."),
    _verb("approve", "Steer", "Approve a finding that needs your consent."),
    _verb("step", "Steer", "Take one step of a build started with --by-hand."),
    _verb("say", "Steer", "Tell the agents something while they work."),
    _verb("stop", "Steer", "End a build; what has landed stays."),
    _verb("audit", "Prove", "Judge a change in any repository by named checks."),
    _verb("repo", "Prove", "Connect repositories of GitHub, and see the audits of their pushes."),
    _verb("evidence", "Prove", "Write what proves a build: a page and a signed bundle."),
    _verb("verify", "Prove", "Verify a bundle of evidence."),
    _verb("serve", "Serve", "Serve the HTTP API and its live streams."),
    _verb("mcp", "Serve", "Give an assistant the tools for builds, by the Model Context Protocol."),
    _verb("token", "Serve", "Print a token for programs that use the HTTP API; list and take back tokens."),
    _verb("user", "Serve", "Show and change the users of a server: rights, limits, shared projects."),
    _verb("cluster", "Cluster", "Run builds on many workers: PostgreSQL, Redis and workers on this machine."),
    _verb("worker", "Cluster", "Run a worker of a cluster."),
    _verb("health", "Cluster", "Say whether a server or a worker is alive, for health checks."),
    _verb("secrets", "Guard", "Search files, a diff or the staged changes for secrets."),
    _verb("hook", "Guard", "Install a git hook that searches staged changes for secrets."),
    _verb("liars", "Guard", "Try agents that lie on the gates, and show which lies get through."),
    _verb("sandbox", "Guard", "Run a command in the sandbox of agents and checks, or attack that sandbox."),
    _verb("doctor", "Keep", "Check this machine, and clean up after crashes."),
    _verb("config", "Keep", "Show the options in effect here, and where each comes from."),
    _verb("prune", "Keep", "Remove old builds, and files that nothing needs."),
    _verb("db", "Keep", "Migrate the database, or show its version.", "db"),
    _verb("completion", "Keep", "Print a completion script for your shell."),
    _verb("version", "Keep", "Show the version of Buildwright."),
)

HEAD = "Buildwright turns a description of software into merged, proven changes."
_TAIL = """Try `buildwright demo` first. `buildwright VERB --help` explains a verb.
State lives under BUILDWRIGHT_HOME (`buildwright doctor` shows where)."""


def program_help() -> str:
    """Return the help of the whole program as plain text, without importing a library, so that it is quick."""
    width = max(len(verb.name) for verb in VERBS) + 2
    lines = [HEAD, "", "Usage: buildwright VERB [OPTIONS]"]
    for group in dict.fromkeys(verb.group for verb in VERBS):
        lines += ["", f"{group}:"]
        lines += [f"  {verb.name:<{width}}{verb.words}" for verb in VERBS if verb.group == group]
    return "\n".join([*lines, "", _TAIL, ""])
