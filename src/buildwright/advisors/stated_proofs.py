"""Finds the command that a task of a list states as its proof: "Verify that `pytest tests/a` passes". Must never guess.

Only a line that says of one quoted command that it passes, or that it is run to verify something, states a proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from buildwright.core.proof import can_fail
from buildwright.core.spec import Spec
from buildwright.core.task import Task, Validation

_VERIFY = r"(?:verify|check|confirm|ensure|validate|make sure)"
_QUOTED = r"`(?P<command>[^`\n]+)`"
_PASSES = r"(?:still )?(?:passes|succeeds|is green|exits (?:with )?(?:code |status )?(?:0|zero))"
_STATED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:{_VERIFY}(?: that)? )?{_QUOTED} {_PASSES}",
        rf"(?:run|execute) {_QUOTED},? (?:and|to) {_VERIFY}\b[^`]*",
        rf"{_VERIFY}(?: with| by running)?:? {_QUOTED}",
    )
)
_MARKS = " \t.:;*-"


def with_stated_proofs(spec: Spec) -> Spec:
    """Return the spec with a validation for each task of its list that states one in its title or acceptance lines.

    What was found is told in the spec's notes.
    """
    if spec.graph is None:
        return spec
    tasks, notes = [], []
    for task in spec.graph.tasks:
        commands = list(dict.fromkeys(_stated(task))) if task.validation is None else []
        if commands:
            command = " && ".join(commands)
            task = task.model_copy(update={"validation": Validation(command=command)})  # noqa: PLW2901
            notes.append(
                f"{task.id}: `{command}` must pass, as the list says, and proves it if nothing is to be changed"
            )
        tasks.append(task)
    if not notes:
        return spec
    graph = spec.graph.model_copy(update={"tasks": tuple(tasks)})
    return spec.model_copy(update={"graph": graph, "notes": (*spec.notes, *notes)})


def _stated(task: Task) -> Iterator[str]:
    for line in (task.title, *task.acceptance):
        said = line.strip(_MARKS)
        found = next(filter(None, (pattern.fullmatch(said) for pattern in _STATED)), None)
        if found and can_fail(command := found["command"].strip()):
            yield command
