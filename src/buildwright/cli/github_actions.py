"""What a build says where GitHub Actions runs it: groups, annotations, summary and outputs of the step. Must never decide.

Format: "Workflow commands for GitHub Actions" (GitHub documentation). The runner shows ten annotations of a kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from buildwright.cli.output import Output, clean, defused, one_line
from buildwright.cli.summary import command_for, ending, words_of
from buildwright.core.build import Build, Stage, TaskPhase
from buildwright.core.event import Recorded
from buildwright.core.finding import Finding
from buildwright.core.judged_base import base_troubles
from buildwright.core.terminal import lines_of
from buildwright.views.overview import findings_of, task_view

if TYPE_CHECKING:
    from buildwright.views.overview import BuildView

_GROUPS: Mapping[Stage, str] = {
    Stage.CREATED: "Prepare",
    Stage.PLANNING: "Plan",
    Stage.WORKING: "Build",
    Stage.VERIFYING: "Verify",
    Stage.DELIVERING: "Deliver",
}
_MOST = 10
"""Annotations of one kind that the runner shows of a step."""
_MOST_TASKS = 200


def in_actions(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this is a step of a GitHub Actions workflow."""
    return environment.get("GITHUB_ACTIONS") == "true"


class ActionsGroups:
    """Folds the lines of each stage of a build into a group of the step's log."""

    def __init__(self, output: Output, build: Build) -> None:
        self._output = output
        self._open = ""
        self._enter(build)

    def see(self, _recorded: Recorded, build: Build) -> None:
        """Begin a group after the line of an event that began another stage: it says how the last one ended."""
        self._enter(build)

    def _enter(self, build: Build) -> None:
        name = _GROUPS.get(build.stage, "")
        if name == self._open:
            return
        self.close()
        if name:
            self._output.command(f"::group::{name}")
        self._open = name

    def close(self) -> None:
        """End the open group, if any."""
        if self._open:
            self._output.command("::endgroup::")
        self._open = ""


def annotate(output: Output, build: Build) -> None:
    """Print the findings of a build that has paused or ended as annotations: errors, then warnings."""
    printed = {"error": 0, "warning": 0}
    for title, finding in _findings(build):
        if finding.severity == "note" or printed[finding.severity] == _MOST:
            continue
        printed[finding.severity] += 1
        output.command(_annotation(title, finding))
    if build.pause is not None:
        output.command(f"::warning title=Buildwright is paused::{_data(build.pause.message or build.pause.reason)}")


def _findings(build: Build) -> Iterator[tuple[str, Finding]]:
    """Yield what stands against the build, and of landed tasks what a person should see, each with its title."""
    for finding in base_troubles(build):
        yield f"before any change: {finding.code}", finding
    for task, state in build.tasks.items():
        refused = state.phase in {TaskPhase.FAILED, TaskPhase.REJECTED}
        found = state.findings if refused else findings_of(state) if state.phase is TaskPhase.DONE else ()
        if refused and not found:
            reason = task_view(build, task, build.updated_at).reason
            found = (Finding(code=f"task.{state.phase.value}", message=reason or state.phase.value),)
        for finding in found:
            if refused or finding.severity == "warning":
                yield f"{task}: {finding.code}", finding
    if build.verdict is not None:
        for finding in build.verdict.findings if not build.verdict.ok else build.verdict.warnings:
            yield f"result: {finding.code}", finding


def _annotation(title: str, finding: Finding) -> str:
    place = [f"file={_property(finding.file)}"] if finding.file else []
    place += [f"line={finding.line}"] if finding.file and finding.line else []
    message = finding.message + (f"\nfix: {finding.fix}" if finding.fix else "")
    return f"::{finding.severity} {','.join([*place, f'title={_property(title)}'])}::{_data(message)}"


def _data(text: str) -> str:
    return defused(clean(text)).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def write_step_summary(view: BuildView, environment: Mapping[str, str] = os.environ) -> None:
    """Add the build to the summary of the step, as Markdown. Raises OSError when the file cannot be written."""
    path = environment.get("GITHUB_STEP_SUMMARY", "")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown(view))


def write_step_outputs(view: BuildView, environment: Mapping[str, str] = os.environ) -> None:
    """Set the outputs of the step: `build`, `outcome`, `branch`, `commit`, `pull-request`, `cost` (US dollars).

    Raises OSError when the file for them cannot be written.
    """
    path = environment.get("GITHUB_OUTPUT", "")
    if path:
        outputs = {
            "build": view.id,
            "outcome": view.outcome or ("paused" if view.pause is not None else view.control),
            "branch": view.delivered.rpartition(" ")[2].removeprefix("refs/heads/"),
            "commit": view.head,
            "pull-request": view.pull_request,
            "cost": str(view.usage.cost_usd),
        }
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={clean(value).replace(chr(10), ' ')}\n" for name, value in outputs.items())


def markdown(view: BuildView) -> str:
    """Return the state or end of a build as Markdown: figures, tasks, what it waits for."""
    first, *others = (_md(line) for line in ending(view))
    lines = [f"## {first}", "", *(f"{line}  " for line in others), ""]
    if view.tasks:
        lines += ["| task | state | attempts | commit | why |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {_md(task.id)} | {task.phase} | {task.attempt or ''} | {task.commit[:10]} | {_md(task.reason)} |"
            for task in view.tasks[:_MOST_TASKS]
        ]
        lines += [""]
    if view.pause is not None:
        lines += [f"**Paused**: {_md_lines(view.pause.message or view.pause.reason)}", ""]
        lines += [f"- {_md_lines(finding)}" for finding in view.pause.findings[:_MOST]]
        reason = view.pause.reason
        ways = [f"- {_md(words_of(reason, one))}: `{command_for(view.id, one)}`" for one in view.pause.choices]
        lines += ["", *ways, ""]
    return "\n".join(lines) + "\n"


def _md_lines(text: str) -> str:
    """Return the first line and the last ones of foreign text, as one paragraph of plain text in Markdown."""
    return "<br>".join(map(_md, lines_of(text)))


def _md(text: str) -> str:
    """Return foreign text as one line that is plain text in Markdown, also inside a table."""
    shown = one_line(text, 300)
    for sign in "\\`*_[]|#":
        shown = shown.replace(sign, "\\" + sign)
    return shown.replace("&", "&amp;").replace("<", "&lt;")
