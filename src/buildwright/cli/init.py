"""The verb `init`: an interview on what is to be built, that can be left and continued. Must never build anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.output import Output, clean, one_line, wrapped
from buildwright.cli.session import say_odd_keys, session
from buildwright.cli.table import Column, cells, table
from buildwright.core.figures import count, money
from buildwright.errors import NotFound, Refused

if TYPE_CHECKING:
    from buildwright.client import Client, InterviewClient
    from buildwright.core.interview import Answer, InterviewCost
    from buildwright.core.interview_steps import InterviewMaterial
    from buildwright.views.interview import InterviewEntry, InterviewView
    from buildwright.wiring.interviewing import InterviewMessage

SPEC = "SPEC.json"
_WIDTH = 80
_SAID = """Answer in words, or:
  2 or 1, 3          choose suggestions by their numbers
  decide for me      take the first one, as an assumption
  go to SECTION      be asked about another section
  A3: TEXT           change an answer
  undo               take the last step back
  answers            show all answers
  Enter              continue
Ctrl-D stops; the same command continues later."""


async def init(
    *,
    name: Annotated[str, Parameter(help="Name of the project; else that of this folder.")] = "",
    project: Annotated[str, Parameter(help="Id of an interview of --list, or its first characters.")] = "",
    new: Annotated[bool, Parameter(help="Begin another interview, also if there is one.")] = False,
    source: Annotated[
        Path | None,
        Parameter(name="--from", help="A spec or a repository to take answers from: only the gaps are asked."),
    ] = None,
    section: Annotated[str, Parameter(help="Be asked about this section first.")] = "",
    message: Annotated[str, Parameter(name=["--message", "-m"], help="Say one thing, without a terminal.")] = "",
    model: Annotated[str, Parameter(help="The model that interviews.")] = "",
    cassette: Annotated[Path | None, Parameter(help="Replay the model from this file.")] = None,
    out: Annotated[Path, Parameter(name=["--output", "-o"], help="The file for the spec.")] = Path(SPEC),
    listing: Annotated[bool, Parameter(name="--list", help="List the interviews.")] = False,
    json: Annotated[bool, Parameter(help="The interview as one JSON object on stdout; nothing is asked.")] = False,
) -> None:
    """Be interviewed about what is to be built; the answers become a spec for `plan` and `build`.

    The interview is kept after each answer: stop with Ctrl-C or Ctrl-D, and continue with the same command.
    """
    from buildwright.wiring.interviewing import InterviewMessage

    output = Output(json)
    async with session() as app:
        if listing:
            _print_list(output, await app.interviews.listed())
            return
        played = str(cassette.absolute()) if cassette else ""
        steps = [] if source is None else [InterviewMessage(material=await _material(source, app, output))]
        steps += [InterviewMessage(text) for text in (f"go to {section}" if section else "", message) if text]
        steps = [step._replace(model=model, cassette=played) for step in steps]
        if not steps and not json and not output.can_ask:
            raise Refused(
                "an interview needs a terminal to ask in",
                fix="say one thing at a time: `buildwright init -m TEXT`; `buildwright init --json` shows what is asked",
            )
        project_id = await _find(app, name or Path.cwd().name, project, new=new, begins=bool(steps) or not json)
        say_odd_keys(app, output, played=bool(played) or (json and not steps))
        talk = _Talk(app.interviews, project_id, output, model, played)
        view = await app.interviews.state(project_id)
        for step in steps:
            view = await talk.tell(step)
        if output.can_ask and not message:
            view = await talk.converse(view, told=bool(steps))
    _end(output, view, out)


async def _material(path: Path, app: Client, output: Output) -> tuple[InterviewMaterial, ...]:
    from buildwright.cli.material import read_material

    material = await read_material(path, app.settings)
    output.say(
        f"Reading {path}: {count(len(material), 'text')} {'goes' if len(material) == 1 else 'go'} to the interviewer."
    )
    return material


async def _find(app: Client, name: str, project: str, *, new: bool, begins: bool) -> str:
    """Return the project to interview about; a new one when there is none. Raises NotFound."""
    folder = str(Path.cwd())
    rows = await app.interviews.listed()
    if project:
        found = [row.project_id for row in rows if row.project_id.startswith(project)]
        if len(found) != 1:
            many = "there are several interviews" if found else "there is no interview"
            raise NotFound(f"{many} {project}", fix="`buildwright init --list` shows those there are")
        return found[0]
    mine = [row.project_id for row in rows if row.name == name and row.folder in {"", folder}]
    if mine and not new:
        return mine[0]
    if not begins:
        raise NotFound(f"there is no interview about {name} yet", fix="begin it: `buildwright init`")
    return await app.interviews.begin(name, folder)


@dataclass
class _Talk:
    """One interview on a terminal, or one message of it."""

    interviews: InterviewClient
    project_id: str
    output: Output
    model: str
    cassette: str

    async def tell(self, message: InterviewMessage) -> InterviewView:
        """Say something. On a terminal the reply is printed as it comes."""
        if not self.output.can_ask:
            return await self.interviews.tell(self.project_id, message)
        printed = ""

        def show(text: str) -> None:
            nonlocal printed
            if not text.startswith(printed):  # it was mended: the reply begins anew
                self.output.say()
                printed = ""
            self.output.piece(text[len(printed) :])
            printed = text

        try:
            view = await self.interviews.tell(self.project_id, message, show)
        finally:
            if printed:
                self.output.say()
        if not printed:
            self.output.say(view.reply, wrap=True)
        return view

    async def converse(self, view: InterviewView, *, told: bool) -> InterviewView:
        """Ask and listen until the user stops, or has nothing to add to a complete interview."""
        from buildwright.wiring.interviewing import InterviewMessage

        say = self.output.say
        if any(section.answers for section in view.sections) and not told:
            say(_progress(view))
        if view.question is None and not view.is_complete:
            view = await self.tell(InterviewMessage("", (), self.model, self.cassette))
        say("Type ? for what can be said.", style="dim")
        while True:
            show(view, say, self.output.width or _WIDTH)
            said = await _typed(self.output, "Anything to change? Enter ends. > " if view.is_complete else "> ")
            if said is None or (not said and view.is_complete):
                return view
            if said in {"?", "help"}:
                say(_SAID)
            elif said == "answers":
                show_answers(view, say)
            else:
                try:
                    view = await self.tell(InterviewMessage(said, (), self.model, self.cassette))
                except (Refused, NotFound) as error:
                    say(f"{error}", style="red", wrap=True)
                    say(f"  fix: {error.fix}" if error.fix else "", wrap=True)


async def _typed(output: Output, prompt: str) -> str | None:
    """Return the line that the user types, None at its end (Ctrl-D) or for Ctrl-C."""
    import asyncio

    try:
        line = await output.ask(prompt)
    except asyncio.CancelledError:
        this = asyncio.current_task()
        assert this is not None
        this.uncancel()  # the interview ends as with Ctrl-D
        line = ""
    if not line:
        output.say()
        return None
    return line.strip()


def show(view: InterviewView, put: Callable[[str], None], width: int) -> None:
    """Print contradictions side by side, and the question with its numbered suggestions."""
    for both in view.contradictions:
        put(f"Contradiction: {clean(both.sentence)}")
        for line in side_by_side(_line(both.first), _line(both.second), width):
            put(line)
    if view.is_complete:
        put("All eight sections are complete.")
        return
    if view.question is None:
        return
    put("")
    put(f"{view.question.section.replace('_', ' ')}: {clean(view.question.text)}")
    for number, suggestion in enumerate(view.question.suggestions, 1):
        put(f"  {number}  {one_line(suggestion, 400)}")


def side_by_side(left: str, right: str, width: int) -> list[str]:
    """Return two texts in two columns, in lines of at most `width` cells."""
    half = max((width - 3) // 2, 10)
    columns = [wrapped(text, half).split("\n") for text in (left, right)]
    return [
        f"{one}{' ' * (half - cells(one))} | {other}".rstrip() for one, other in zip_longest(*columns, fillvalue="")
    ]


def show_answers(view: InterviewView, put: Callable[[str], None]) -> None:
    """Print all answers by section, each with its origin."""
    for section in view.sections:
        put(f"{section.name.replace('_', ' ')}{'' if section.complete else ' (not complete)'}")
        for answer in section.answers:
            put(f"  {_line(answer)}")


def _line(answer: Answer) -> str:
    origin = {"said": "", "assumed": " (assumed)", "found": f" (found in {answer.source})"}[answer.origin]
    return one_line(f"{answer.id}: {' '.join(answer.text.split())}{origin}", 2_000)


def _progress(view: InterviewView) -> str:

    answers = count(sum(len(section.answers) for section in view.sections), "answer")
    done = len(view.sections) - len(view.remaining)
    return f"{view.title or view.name}: {answers}, {done} of {len(view.sections)} sections complete."


def _cost(cost: InterviewCost) -> str:
    """Return what the interview cost, in words."""

    unpriced = f" and {count(cost.unpriced, 'request')} without a known price" if cost.unpriced else ""
    cached = f" ({cost.cache_read_tokens:,} from the provider's cache)" if cost.cache_read_tokens else ""
    tokens = f"{cost.input_tokens + cost.cache_tokens:,} tokens in{cached}, {cost.output_tokens:,} out"
    return f"{tokens}, in {count(cost.requests, 'request')}: {money(cost.cost_usd)}{unpriced}"


def _end(output: Output, view: InterviewView, out: Path) -> None:
    """Write the spec of a complete interview, and print where it stands."""
    if view.is_complete:
        _write(out, view)
    if output.json:
        output.data(view.model_dump(mode="json") | {"file": str(out) if view.is_complete else None})
        return
    if not output.can_ask:
        output.print(clean(view.reply), wrap=True)
        show(view, output.print, output.width or _WIDTH)
    output.say(f"{_progress(view)} The interview has used {_cost(view.cost)}.", wrap=True)
    if view.is_complete:
        output.say(typed(f"The spec is in {out}. Next: `buildwright plan {out} --repo .`"))
    else:
        output.say(typed("It is kept; `buildwright init` continues it."))


def _write(out: Path, view: InterviewView) -> None:
    """Write the spec. A file is replaced only if it is the spec of the same interview. Raises Refused."""
    import json

    try:
        if out.exists() and json.loads(out.read_text(encoding="utf-8")).get("project_id") != view.project_id:
            raise ValueError(out)
        text = json.dumps({"project_id": view.project_id, "seed": view.spec}, ensure_ascii=False, indent=2)
        out.write_text(text + "\n", encoding="utf-8")
    except (ValueError, AttributeError) as error:
        raise Refused(
            f"{out} is there already, and is not this interview's", fix="name another file with -o"
        ) from error
    except OSError as error:
        raise Refused(f"{out} cannot be written: {error.strerror}", fix="name another file with -o") from error


def _print_list(output: Output, rows: Sequence[InterviewEntry]) -> None:
    if output.json:
        output.data({"interviews": [row.model_dump(mode="json") for row in rows]})
        return
    columns = (
        Column("id"),
        Column("answers", right=True, leaves=2),
        Column("open", right=True, leaves=1),
        Column("cost", right=True, leaves=3),
        Column("changed", leaves=4),
        Column("name"),
    )
    lines = [
        (
            row.project_id,
            str(row.answers),
            str(len(row.remaining)),
            money(row.cost.cost_usd),
            f"{row.updated_at:%Y-%m-%d %H:%M}",
            one_line(row.title or row.name),
        )
        for row in rows
    ]
    output.lines(table(columns, lines, output.width))
