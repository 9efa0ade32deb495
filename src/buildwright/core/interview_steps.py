"""What a message of the user, or a reply of the interviewer, changes of an interview. Pure; must never ask a model.

A number chooses a suggested answer, "decide for me" takes the first of them, "undo" takes the last step back, and
answers are changed and sections gone to by their names: none of these needs a model. All else the interviewer reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from buildwright.core.interview import (
    LONGEST_ANSWER,
    LONGEST_LINE,
    MOST_ANSWERS,
    SECTIONS,
    Answer,
    AnswerConflict,
    AnswerId,
    AnswerOrigin,
    Interview,
    InterviewStage,
    OpenQuestion,
    SectionName,
)
from buildwright.core.record import Record
from buildwright.core.sanitize import ForeignText
from buildwright.core.spec import BuildPlan, PlannedFeature, ProductDocument, ProjectBrief, Spec
from buildwright.errors import NotFound, Refused

LONGEST_MESSAGE: Final = 20_000
"""Characters of one message of the user."""
MOST_UNDONE: Final = 10
"""Steps that can be undone one after the other."""
LEAST_SUGGESTED: Final = 2

_NUMBERS = re.compile(r"[1-5](?:(?:\s*,\s*|\s+(?:and\s+)?)[1-5])*")
_DECIDE = re.compile(r"(?:please\s+)?(?:you\s+)?decide(?:\s+(?:it\s+)?for\s+me)?[.!]?", re.IGNORECASE)
_UNDO = re.compile(r"undo[.!]?", re.IGNORECASE)
_CHANGE = re.compile(r"(?:change\s+(?:answer\s+)?)?(A[1-9]\d{0,3})\s*(?::|\bto\b)\s*(.+)", re.IGNORECASE | re.DOTALL)
_JUMP = re.compile(r"(?:jump|go|back)(?:\s+back)?(?:\s+to)?\s+([a-z_ ]+?)[.!]?", re.IGNORECASE)
_SOURCE = re.compile(r"(?P<file>.+?)(?::(?P<first>\d+)(?:-(?P<last>\d+))?)?")


class InterviewMaterial(Record):
    """One file that was dropped in: of a repository its path there. It is data, whatever it says."""

    path: str = Field(min_length=1, max_length=500)
    text: str = Field(max_length=200_000)


class TakenAnswer(Record):
    """An answer that the interviewer found in what the user said, or in what was dropped in."""

    section: SectionName
    text: ForeignText = Field(min_length=1, max_length=LONGEST_ANSWER)
    question: ForeignText = Field(default="", max_length=LONGEST_LINE)
    origin: AnswerOrigin = "said"
    source: ForeignText = Field(default="", max_length=LONGEST_LINE)
    """Of a found answer: the file and its lines, such as `README.md:12` or `README.md:12-14`."""
    replaces: AnswerId | None = None
    """The answer that it changes; None for a new one."""


class InterviewerReply(Record):
    """What the interviewer answers. New answers get the next ids, in their order, and may be named by them."""

    reply: ForeignText = Field(min_length=1, max_length=4_000)
    title: ForeignText = Field(default="", max_length=200)
    answers: tuple[TakenAnswer, ...] = Field(default=(), max_length=60)
    questions: tuple[OpenQuestion, ...] = Field(default=(), max_length=8)
    contradictions: tuple[AnswerConflict, ...] = Field(default=(), max_length=20)
    complete: Annotated[tuple[SectionName, ...], Field(max_length=len(SECTIONS))] = ()


class HeardMessage(NamedTuple):
    """What became of a message. `asked` is what the interviewer has to read; "" when it need not be asked."""

    interview: Interview
    done: str = ""
    """What was done without it, in words."""
    asked: str = ""
    stepped: bool = False
    """Whether that is a step of its own, which `undo` takes back; an `undo` is none."""


def hear(interview: Interview, message: str) -> HeardMessage:
    """Return what a message of the user does. An empty one goes on.

    Raises Refused (nothing to decide or undo, or the message is too long) and NotFound (no such answer).
    """
    said = message.strip()
    if len(said) > LONGEST_MESSAGE:
        raise Refused(f"the message has more than {LONGEST_MESSAGE:,} characters", fix="say it in several messages")
    question = interview.questions[0] if interview.questions else None
    if not said:
        return _next(interview, "")
    if question and (chosen := _chosen(question, said)):
        return _next(_answered(interview, question, chosen, "said"), f"Taken: {chosen}")
    if _DECIDE.fullmatch(said):
        if question is None or not question.suggestions:
            raise Refused("no question with suggested answers is open", fix="answer in words, or send an empty message")
        assumed = question.suggestions[0]
        return _next(_answered(interview, question, assumed, "assumed"), f"Assumed: {assumed}")
    if _UNDO.fullmatch(said):
        return HeardMessage(_undone(interview), "The last step is taken back.")
    if found := _CHANGE.fullmatch(said):
        return change_answer(interview, found[1].upper(), found[2].strip())
    if (found := _JUMP.fullmatch(said)) and (section := section_of(found[1])):
        return _gone_to(interview, section)
    return HeardMessage(interview, "", said)


def change_answer(interview: Interview, name: str, text: str) -> HeardMessage:
    """Return the interview with another text for an answer; the interviewer is asked what follows. Raises NotFound."""
    old = interview.answer(name)
    if old is None:
        known = (
            f"there are {interview.answers[0].id} to {interview.answers[-1].id}" if interview.answers else "none yet"
        )
        raise NotFound(f"there is no answer {name}: {known}", fix="name one of those that the state lists")
    if not text or len(text) > LONGEST_ANSWER:
        raise Refused(f"an answer has 1 to {LONGEST_ANSWER:,} characters", fix="say it in that many")
    new = old.model_copy(update={"text": text, "origin": "said", "source": "", "revision": old.revision + 1})
    left = tuple(each for each in interview.contradictions if name not in {each.first, each.second})
    answers = tuple(new if each.id == name else each for each in interview.answers)
    changed = _stepped(interview, answers=answers, contradictions=left, checked=False)
    return HeardMessage(
        changed, f"{name} is now: {text}", f"I have changed {name}. Does anything contradict it now?", stepped=True
    )


def section_of(words: str) -> SectionName | None:
    """Return the section that is meant by its name or its first word, None for none."""
    wanted = "_".join(words.lower().split())
    return next((name for name in SECTIONS if wanted in {name, name.partition("_")[0]}), None)


def _chosen(question: OpenQuestion, said: str) -> str:
    """Return the suggested answers that are chosen by their numbers, "" when `said` is something else."""
    if not _NUMBERS.fullmatch(said):
        return ""
    numbers = dict.fromkeys(int(digit) for digit in re.findall(r"[1-5]", said))
    if max(numbers) > len(question.suggestions):
        return ""
    return "; ".join(question.suggestions[number - 1] for number in numbers)[:LONGEST_ANSWER]


def _answered(interview: Interview, question: OpenQuestion, text: str, origin: AnswerOrigin) -> Interview:
    """Return the interview with an answer to its first question."""
    number = interview.taken + 1
    answer = Answer(id=f"A{number}", section=question.section, question=question.text, text=text, origin=origin)
    return _stepped(
        interview,
        answers=(*interview.answers, answer),
        questions=interview.questions[1:],
        taken=number,
        checked=False,
    )


def _next(interview: Interview, done: str) -> HeardMessage:
    """Continue with the next open question; without one the interviewer is asked, unless nothing is missing.

    While a contradiction stands, an answer may be about it: then the interviewer is asked at once.
    """
    if done and interview.contradictions:
        return HeardMessage(
            interview,
            done,
            f"{done}. Does the contradiction still stand? Replace what no longer holds.",
            stepped=True,
        )
    idle = bool(interview.questions) or interview.is_complete
    asked = "" if idle else "Continue: ask what is missing, or say that nothing is."
    return HeardMessage(interview, done, asked, stepped=bool(done))


def _gone_to(interview: Interview, section: SectionName) -> HeardMessage:
    words = section.replace("_", " ")
    first = [each for each in interview.questions if each.section == section]
    if not first:
        return HeardMessage(interview, "", f"I want to go back to the section {section}: ask me about it.")
    others = [each for each in interview.questions if each.section != section]
    return HeardMessage(_stepped(interview, questions=(*first, *others)), f"Now: {words}.", stepped=True)


def _stepped(interview: Interview, **changes: object) -> Interview:
    """Return the interview after one more step that can be undone."""
    before = InterviewStage(**{name: getattr(interview, name) for name in InterviewStage.model_fields})
    past = (*interview.past, before)[-MOST_UNDONE:]
    return interview.model_copy(update={**changes, "past": past})


def _undone(interview: Interview) -> Interview:
    """Return the interview without its last step. A text that comes back is a new revision: it was another meanwhile."""
    if not interview.past:
        raise Refused("there is nothing to undo", fix="change an answer by its name: `A3: the new answer`")
    *past, before = interview.past
    answers = []
    for old in before.answers:
        now = interview.answer(old.id)
        same = now is None or (now.text, now.origin) == (old.text, old.origin)
        answers.append(old if same or now is None else old.model_copy(update={"revision": now.revision + 1}))
    back = {name: getattr(before, name) for name in InterviewStage.model_fields}
    return interview.model_copy(update={**back, "answers": tuple(answers), "past": tuple(past)})


# --- The interviewer's reply -----------------------------------------------------------------------------------------


def with_reply(interview: Interview, reply: InterviewerReply, *, begun: bool = False) -> Interview:
    """Return the interview with what the interviewer answered, which `reply_problem` found nothing wrong with.

    `begun`: the message had stepped before it was asked. Both are one step, which one `undo` takes back.
    """
    answers = {each.id: each for each in interview.answers}
    number = interview.taken
    for given in reply.answers:
        old = answers.get(given.replaces) if given.replaces else None
        if old is None:
            number += 1
        fields = given.model_dump(exclude={"replaces"})
        revision = old.revision + 1 if old else 1
        question = given.question or (old.question if old else "")
        taken = Answer(**{**fields, "question": question}, id=old.id if old else f"A{number}", revision=revision)
        answers[taken.id] = taken
    changes = {
        "title": reply.title or interview.title,
        "answers": tuple(answers.values()),
        "questions": reply.questions,
        "contradictions": reply.contradictions,
        "complete": _complete(reply),
        "checked": True,
        "taken": number,
        "reply": reply.reply,
    }
    return interview.model_copy(update=changes) if begun else _stepped(interview, **changes)


def _complete(reply: InterviewerReply) -> tuple[SectionName, ...]:
    """Return the sections that the reply calls complete, in their order: one with an open question is not."""
    asked = {each.section for each in reply.questions}
    return tuple(name for name in SECTIONS if name in reply.complete and name not in asked)


def reply_problem(
    interview: Interview, reply: InterviewerReply, material: Sequence[InterviewMaterial] = (), *, spoke: bool = True
) -> str:
    """Return what cannot be in a reply, for the interviewer to mend; "" when nothing is wrong.

    `spoke` is whether the user said anything: else nothing that a file says can be the user's own words.
    """
    fresh = [f"A{interview.taken + 1 + n}" for n in range(sum(each.replaces is None for each in reply.answers))]
    known = {each.id for each in interview.answers} | set(fresh)
    problems = [_source_problem(each, material) for each in reply.answers if each.origin == "found"]
    problems += [
        f"There is no answer {each.replaces} to replace."
        for each in reply.answers
        if each.replaces is not None and interview.answer(each.replaces) is None
    ]
    if not spoke and any(each.origin == "said" for each in reply.answers):
        problems.append("The person has said nothing now: an answer from a file is `found`, with its source.")
    if any(both.first == both.second or not {both.first, both.second} <= known for both in reply.contradictions):
        problems.append(f"A contradiction names two different answers of these: {', '.join(sorted(known))}.")
    if any(len(each.suggestions) < LEAST_SUGGESTED for each in reply.questions):
        problems.append("Each question needs 2 to 5 suggested answers.")
    if len(known) > MOST_ANSWERS:
        problems.append(f"There is room for {MOST_ANSWERS} answers: replace some, or put several into one.")
    answered = {each.section for each in interview.answers} | {each.section for each in reply.answers}
    if early := [name for name in _complete(reply) if name not in answered]:
        problems.append(f"A complete section has an answer, be it that nothing is needed; not so: {', '.join(early)}.")
    if not reply.questions and (set(_complete(reply)) != set(SECTIONS) or reply.contradictions):
        problems.append("Ask a question while a section is not complete, or a contradiction stands.")
    return " ".join(dict.fromkeys(filter(None, problems)))


def _source_problem(answer: TakenAnswer, material: Sequence[InterviewMaterial]) -> str:
    """Return what is wrong with the source of a found answer; it must lie in what was dropped in."""
    files = {each.path: each.text.count("\n") + 1 for each in material}
    place = _SOURCE.fullmatch(answer.source)
    if place is None or place["file"] not in files:
        return f"A found answer needs the file where it stands and its line as `source`, not {answer.source[:100]!r}."
    first = int(place["first"] or 1)
    last = int(place["last"] or first)
    if not 1 <= first <= last <= files[place["file"]]:
        return f"{answer.source} is not there: {place['file']} has {files[place['file']]} lines."
    return ""


# --- What comes of it ------------------------------------------------------------------------------------------------


def spec_of_interview(interview: Interview, name: str) -> Spec:
    """Return the answers as the planner's input. Each sentence begins with the id of its answer.

    `name` is the title when the interview has found none.
    """
    of = {section: [_sentence(each) for each in interview.of_section(section)] for section in SECTIONS}
    intent = of["product_intent"]
    brief = ProjectBrief(
        title=(interview.title or name)[:200],
        goals=tuple(intent),
        constraints=tuple(of["architectural_boundaries"]),
    )
    plan = BuildPlan(
        stack=tuple(of["tech_stack"]),
        milestones=tuple(of["phase_breakdown"]),
        notes="\n".join(of["deployment_target"]),
    )
    product = ProductDocument(
        features=tuple(_feature(each) for each in interview.of_section("api_endpoints")),
        pages=tuple(of["ui_requirements"]),
        data=tuple(of["database_schema"]),
    )
    return Spec(title=brief.title, form="interview", brief=brief, build_plan=plan, product_doc=product)


def artifacts_of(spec: Spec) -> Mapping[str, object]:
    """Return a spec of an interview as the file or request that starts a build has it."""
    return {
        name: value.model_dump(mode="json", exclude_defaults=True)
        for name, value in (("brief", spec.brief), ("build_plan", spec.build_plan), ("product_doc", spec.product_doc))
        if value is not None
    }


_ORIGIN: Final[Mapping[AnswerOrigin, Callable[[Answer], str]]] = {
    "said": lambda _: "",
    "assumed": lambda _: " (assumed)",
    "found": lambda answer: f" (from {answer.source})",
}


def _sentence(answer: Answer) -> str:
    return f"{answer.id}: {answer.text}{_ORIGIN[answer.origin](answer)}"


def _feature(answer: Answer) -> PlannedFeature:
    name = next((line.strip() for line in answer.text.splitlines() if line.strip()), answer.id)
    return PlannedFeature(name=name[:120], description=_sentence(answer))
