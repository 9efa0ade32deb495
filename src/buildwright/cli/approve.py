"""The verb `approve`: records a person's consent to a finding. Must never judge, or run the build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.session import session

if TYPE_CHECKING:
    from buildwright.core.build import Approval, Build


async def approve(
    build: Annotated[str, Parameter(help="Id of the build, its first characters, or `newest`.")],
    finding: Annotated[str, Parameter(help="Fingerprint of the finding, or its first characters.")],
    /,
    *,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="Why, for the record and the evidence.")],
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Let a finding pass that asks for a person's consent.

    When nothing else kept the change from landing, that change is judged again as it is, without another attempt.
    """
    from buildwright.cli.summary import answer_of, next_words
    from buildwright.core.build import TaskPhase, unapproved
    from buildwright.engine.commands import ApproveFinding

    output = Output(json)
    async with session() as app:
        after, _ = await app.ask(await app.find(build), ApproveFinding(finding.lower(), message))
        crew = await app.crew(after.id)
    task, approval = _newest(after)
    state = after.task(task)
    left = unapproved(state)
    # Where something else works on the build, the judgement may be over by now.
    again = state.phase in {TaskPhase.JUDGING, TaskPhase.MERGING, TaskPhase.DONE}
    if output.json:
        fields = {"task": task, "finding": approval.finding, "code": approval.code, "judged_again": again}
        output.data({"build": after.id, **fields, "left": [one.model_dump(mode="json") for one in left]})
        return
    output.print(f"Approved {approval.finding} of {task} ({approval.code}).")
    if again:
        output.say("Its change is judged again as it is, without another attempt.")
    elif left:
        output.say(f"The change still needs: {left[0]}" + (f" (and {len(left) - 1} more)" if len(left) > 1 else ""))
    else:
        output.say("It counts in the next judgement of this task.")
    if after.pause is not None:
        output.say(f"The build is paused. Next: {answer_of(after)}")
    elif not (crew.works or crew.is_there):
        output.say(next_words(after, crew))


def _newest(build: Build) -> tuple[str, Approval]:
    """Return the newest approval with its task."""
    found = [(one.at, task, one) for task, state in build.tasks.items() for one in state.approvals]
    _, task, approval = max(found, key=lambda one: one[0])
    return task, approval
