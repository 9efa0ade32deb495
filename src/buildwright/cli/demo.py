"""The verb `demo`: builds a small sample project and tests a clone of the result. Must never use a key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output
from buildwright.cli.session import local_session, read_spec
from buildwright.errors import CouldNot, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildwright.core.build import Build
    from buildwright.core.event import Event
    from buildwright.core.limits import Options


_HOST = "127.0.0.1"


async def demo(
    *,
    agent: Annotated[str, Parameter(help="Which agent writes the sample; its program must be installed.")] = "direct",
    directory: Annotated[
        Path | None, Parameter(name="--dir", help="A new or empty folder for the sample repository.")
    ] = None,
    keep: Annotated[bool, Parameter(help="Keep the sample in a folder of its own even without --dir.")] = False,
    web: Annotated[bool, Parameter(help="Then serve the pages, and open this build in your browser.")] = False,
    json: Annotated[bool, Parameter(help="Events as JSON lines on stdout, then one summary object.")] = False,
) -> int:
    """Build a small sample project, offline and without a key.

    The model's turns are replayed from a file; the planner, agents, git, tests and merges are real.
    """

    output = Output(json)
    place = _place(directory)
    output.say(
        "The model's turns in this demo are scripted: they are replayed from a file that ships with Buildwright."
    )
    output.say("Everything else is real: the planner, the agents, git, the tests, the corrections and the merges.")
    output.say("Tokens and cost are what the script would have cost; nothing is spent.")
    build, code = await _build_sample(place, _options(agent), output)
    if code is not Exit.DONE:
        output.say("The demo did not end as promised; please report what you see above.", style="red")
        return code if code is Exit.INTERRUPTED else Exit.FAILED
    tests = await _test_a_clone(place, build)
    _close(output, place, build, tests, kept=keep or directory is not None)
    if web:
        from buildwright.cli.serve import listen, serve_on

        await serve_on(listen(_HOST, 0), _HOST, opens=f"/builds/{build.id}", json=json)
    else:
        output.say(f"See it in a browser: {typed('buildwright serve --open')}, then")
        output.say(f"  http://{_HOST}:8321/builds/{build.id}")
    return Exit.DONE


def _place(directory: Path | None) -> Path:
    """Return the folder for the sample repository. Raises Refused when `directory` is not new or empty."""
    import tempfile

    if directory is None:
        return Path(tempfile.mkdtemp(prefix="buildwright-demo-")) / "sample"
    path = directory.expanduser().absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise Refused(f"{directory} is not an empty folder", fix="give --dir a folder that is new or empty")
    return path


def _options(agent: str) -> Options:
    """Return the options of the demo. It needs no sandbox: the only foreign code that runs is the sample's own.

    Raises Refused for an agent that asks no model.
    """
    from buildwright.agents.acp_agents import is_acp
    from buildwright.agents.programs import PROGRAMS
    from buildwright.cli.sample import cassette_path
    from buildwright.core.limits import Options

    if agent not in (known := ("direct", "claude", *PROGRAMS)) and not is_acp(agent):
        fix = f"choose one of {', '.join(known)}, acp:COMMAND"
        raise Refused(f"the demo cannot be written by {agent!r}", fix=fix)
    # The model of each task is chosen by its complexity, where the agent speaks to models of any name.
    model = "auto" if agent == "direct" else ""
    return Options(agent=agent, model=model, cassette=str(cassette_path()), sandbox="none")


async def _build_sample(place: Path, options: Options, output: Output) -> tuple[Build, Exit]:
    """Make the sample repository, build its spec on it and print a summary. Returns the build and the exit code."""
    from buildwright.cli.foreground import drive, tell_end
    from buildwright.cli.sample import make_repository, spec_text
    from buildwright.engine.commands import NewBuild

    make_repository(place)
    spec_file = place.parent / f"{place.name}-spec.md"
    spec_file.write_text(spec_text(), encoding="utf-8")
    output.say(f"The spec: {spec_file}")
    output.say(f"The repository it is built on: {place}")
    async with local_session() as app:
        build_id = await app.start(NewBuild(await read_spec(spec_file), options, str(place)))
        build, code = await tell_end(app, await drive(app, build_id, output), output)
        for line in _thought([recorded.event for recorded in await app.builds.read(build_id)]):
            output.say(line)
        return build, code


def _thought(events: Sequence[Event]) -> Iterator[str]:
    """Say which models were chosen and what was learned and used again, as far as there is any of it."""
    from collections import Counter

    from buildwright.core.event import LessonLearned, LessonsGiven, ModelChosen
    from buildwright.core.figures import count

    chosen = [event for event in events if isinstance(event, ModelChosen)]
    if first := Counter(event.name for event in chosen if event.attempt == 1):
        sizes = ", ".join(f"{count(number, 'task')} began with {name}" for name, number in first.most_common())
        yield f"Models were chosen by complexity: {sizes}."
    for event in chosen:
        if event.kind == "failed_attempt" and event.name != event.before:
            yield f"{event.task} went from {event.before} to {event.name}: {event.reason}."
    taught = {event.task for event in events if isinstance(event, LessonLearned)}
    given = {event.task for event in events if isinstance(event, LessonsGiven) and event.given}
    if taught:
        had = count(len(given), "later task")
        yield f"Lessons: {', '.join(sorted(taught))} taught {'one' if len(taught) == 1 else 'some'}, and {had} had it."


async def _test_a_clone(place: Path, build: Build) -> str:
    """Run the project's own tests in a fresh clone of the delivered branch; return their last line.

    Raises CouldNot when they fail.
    """
    import asyncio
    import sys
    import tempfile

    from buildwright.cli.summary import branch_of

    with tempfile.TemporaryDirectory(prefix="buildwright-demo-check-") as folder:
        clone = Path(folder) / "clone"
        branch = branch_of(build.delivered)
        for command in (
            ("git", "clone", "--quiet", "--branch", branch, str(place), str(clone)),
            (sys.executable, "-m", "unittest", "discover", "-t", ".", "-s", "tests"),
        ):
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=clone if clone.exists() else folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said = (await process.communicate())[0].decode(errors="replace")
            if process.returncode != 0:
                raise CouldNot(
                    f"the delivered branch did not pass its own tests in a fresh clone: {said[-2000:].strip()}",
                    fix=f"look at the branch {branch} in {place}, and please report it",
                )
    return next((line for line in reversed(said.splitlines()) if line.startswith("Ran ")), "They ran")


def _close(output: Output, place: Path, build: Build, tests: str, kept: bool) -> None:
    """Say that the demo has passed, and which commands show more of it. `kept`: the user has chosen the folder."""
    import shlex

    from buildwright.cli.summary import branch_of

    short, branch = build.id[:8], branch_of(build.delivered)
    output.say()
    output.say(f"A fresh clone of {branch} passes the project's own tests. {tests}.", style="green")
    output.say("Look around:")
    retried = next((task for task in build.tasks if build.task(task).attempt > 1), "")
    for command in (
        f"git -C {shlex.quote(str(place))} log --oneline {branch}",
        f"buildwright status {short}",
        f"buildwright diff {short} --stat",
        f"buildwright why {short} {retried}" if retried else f"buildwright events {short}",
        "buildwright lessons list",
    ):
        output.say(f"  {typed(command)}")
    if not kept:
        output.say("The sample is in a temporary folder; --dir DIR puts it where you like.")
