"""What messages do to an interview without a model, what a reply changes, and the spec that comes of it."""

from __future__ import annotations

import pytest

from buildwright.core.interview import SECTIONS, Answer, AnswerConflict, Interview, OpenQuestion, SectionName
from buildwright.core.interview_steps import (
    MOST_UNDONE,
    InterviewerReply,
    InterviewMaterial,
    TakenAnswer,
    hear,
    reply_problem,
    section_of,
    spec_of_interview,
    with_reply,
)
from buildwright.errors import NotFound, Refused

STACK = OpenQuestion(section="tech_stack", text="Which language?", suggestions=("Python 3.12", "Rust", "Go"))
PAGES = OpenQuestion(section="ui_requirements", text="What is seen?", suggestions=("a line", "a table"))
ASKED = Interview(
    answers=(Answer(id="A1", section="product_intent", text="It counts words.", origin="said"),),
    questions=(STACK, PAGES),
    taken=1,
)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("2", "Rust"),
        (" 1 ", "Python 3.12"),
        ("1, 3", "Python 3.12; Go"),
        ("3 and 1", "Go; Python 3.12"),
        ("2 2", "Rust"),
    ],
)
def test_numbers_choose_suggestions(message: str, text: str) -> None:
    heard = hear(ASKED, message)
    assert heard.interview.answers[1] == Answer(
        id="A2", section="tech_stack", question="Which language?", text=text, origin="said"
    )
    assert heard.interview.questions == (PAGES,)
    assert heard.done == f"Taken: {text}"
    assert not heard.asked, "another question is open"


@pytest.mark.parametrize("message", ["4", "1, 5", "8080", "2026", "I take 2", "0"])
def test_other_numbers_are_words_for_the_interviewer(message: str) -> None:
    heard = hear(ASKED, message)
    assert (heard.interview, heard.asked) == (ASKED, message)


@pytest.mark.parametrize("message", ["decide for me", "Decide for me!", "you decide", "please decide"])
def test_decide_for_me_writes_the_assumption_down(message: str) -> None:
    answer = hear(ASKED, message).interview.answers[1]
    assert (answer.text, answer.origin, answer.question) == ("Python 3.12", "assumed", "Which language?")


def test_nothing_can_be_decided_without_a_question() -> None:
    with pytest.raises(Refused, match="no question"):
        hear(Interview(), "decide for me")


@pytest.mark.parametrize(
    "message", ["A1: It counts lines.", "change a1 to It counts lines.", "Change answer A1: It counts lines."]
)
def test_an_answer_is_changed_by_its_name(message: str) -> None:
    odd = ASKED.model_copy(update={"contradictions": (AnswerConflict(first="A1", second="A2", sentence="no"),)})
    heard = hear(odd, message)
    answer = heard.interview.answers[0]
    assert (answer.id, answer.text, answer.revision, answer.origin) == ("A1", "It counts lines.", 2, "said")
    assert heard.interview.contradictions == ()
    assert not heard.interview.checked
    assert "A1" in heard.asked


def test_an_answer_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match="no answer A7: there are A1 to A1"):
        hear(ASKED, "A7: something")


@pytest.mark.parametrize("message", ["jump to ui_requirements", "go back to ui requirements", "jump ui", "Go to UI."])
def test_a_section_with_an_open_question_is_gone_to_at_once(message: str) -> None:
    heard = hear(ASKED, message)
    assert heard.interview.questions == (PAGES, STACK)
    assert not heard.asked


def test_the_interviewer_asks_about_a_section_without_a_question() -> None:
    heard = hear(ASKED, "go back to deployment target")
    assert heard.interview == ASKED
    assert "deployment_target" in heard.asked


@pytest.mark.parametrize(
    ("words", "section"), [("ui", "ui_requirements"), ("Tech  Stack", "tech_stack"), ("api_endpoints", "api_endpoints")]
)
def test_sections_are_known_by_their_words(words: str, section: SectionName) -> None:
    assert section_of(words) == section
    assert section_of("the moon") is None


def test_undo_takes_one_step_back_and_never_gives_a_name_twice() -> None:
    chosen = hear(ASKED, "2").interview
    undone = hear(chosen, "undo").interview
    assert undone.answers == ASKED.answers
    assert undone.questions == ASKED.questions
    again = hear(undone, "1").interview
    assert again.answers[1].id == "A3"
    with pytest.raises(Refused, match="nothing to undo"):
        hear(hear(undone, "undo").interview if undone.past else undone, "undo")


def test_undo_takes_a_change_back_together_with_the_reply_to_it() -> None:
    both = AnswerConflict(first="A1", second="A2", sentence="They differ.")
    torn = ASKED.model_copy(update={"contradictions": (both,)})
    heard = hear(torn, "A1: It counts lines.")
    assert (heard.interview.contradictions, bool(heard.asked)) == ((), True)
    reply = InterviewerReply(reply="Good.", questions=(PAGES,))
    after = with_reply(heard.interview, reply, begun=heard.stepped)
    back = hear(after, "undo").interview
    assert [each.text for each in back.answers] == [each.text for each in torn.answers]
    assert (back.contradictions, back.questions) == ((both,), torn.questions)


def test_a_reply_to_what_came_with_an_undo_is_a_step_of_its_own() -> None:
    """A file can come with any message, so the interviewer answers then too."""
    first = hear(ASKED, "1").interview
    heard = hear(first, "undo")
    assert (heard.done, heard.stepped) == ("The last step is taken back.", False)
    found = TakenAnswer(section=PAGES.section, text="It has pages.", origin="said")
    after = with_reply(heard.interview, InterviewerReply(reply="Read.", answers=(found,)), begun=heard.stepped)
    back = hear(after, "undo").interview
    assert [each.text for each in back.answers] == [each.text for each in heard.interview.answers]
    assert back.questions == heard.interview.questions


@pytest.mark.parametrize("message", ["1", "decide for me", "A1: It counts lines.", "undo", "", "What now?"])
def test_a_message_steps_only_if_undo_would_take_it_back(message: str) -> None:
    before = hear(ASKED, "A1: It counts pages.").interview
    heard = hear(before, message)
    assert heard.stepped == (len(heard.interview.past) > len(before.past))


def test_a_text_that_comes_back_is_a_new_revision() -> None:
    changed = hear(ASKED, "A1: It counts lines.").interview
    back = hear(changed, "undo").interview.answers[0]
    assert (back.text, back.revision) == ("It counts words.", 3)


def test_only_so_many_steps_are_kept() -> None:
    interview = ASKED
    for number in range(MOST_UNDONE + 5):
        interview = hear(interview, f"A1: text {number}").interview
    assert len(interview.past) == MOST_UNDONE


def test_an_answer_while_a_contradiction_stands_is_shown_to_the_interviewer() -> None:
    odd = ASKED.model_copy(update={"contradictions": (AnswerConflict(first="A1", second="A2", sentence="no"),)})
    assert "Taken: Rust. Does the contradiction still stand?" in hear(odd, "2").asked
    assert hear(odd, "").asked == "", "nothing was answered"


def test_an_empty_message_goes_on() -> None:
    assert hear(ASKED, "").asked == ""
    assert hear(Interview(), " ").asked
    assert hear(Interview(complete=tuple(SECTIONS)), "").asked == ""
    unchecked = Interview(complete=tuple(SECTIONS), checked=False)
    assert hear(unchecked, "").asked, "somebody has to look for contradictions"


def test_a_reply_takes_several_answers_and_replaces_one() -> None:
    reply = InterviewerReply(
        reply="Good.",
        title="wc",
        answers=(
            TakenAnswer(section="tech_stack", text="Rust", question="Which language?"),
            TakenAnswer(section="product_intent", text="It counts lines.", replaces="A1"),
            TakenAnswer(section="deployment_target", text="A single file.", origin="assumed"),
        ),
        questions=(PAGES,),
        complete=("tech_stack", "product_intent", "ui_requirements"),
        contradictions=(AnswerConflict(first="A3", second="A1", sentence="They differ."),),
    )
    assert reply_problem(ASKED, reply) == ""
    after = with_reply(ASKED, reply)
    assert [(each.id, each.text, each.revision) for each in after.answers] == [
        ("A1", "It counts lines.", 2),
        ("A2", "Rust", 1),
        ("A3", "A single file.", 1),
    ]
    assert after.complete == ("product_intent", "tech_stack"), "in their order, without the one that is asked about"
    assert after.title == "wc"
    assert after.checked
    assert hear(after, "undo").interview.answers[0].text == "It counts words."


def test_a_found_answer_stands_where_it_says() -> None:
    files = (InterviewMaterial(path="a b.md", text="one\ntwo"), InterviewMaterial(path="x", text=""))

    def problem(source: str) -> str:
        taken = TakenAnswer(section="tech_stack", text="Go", origin="found", source=source)
        return reply_problem(ASKED, InterviewerReply(reply="x", answers=(taken,), questions=(PAGES,)), files)

    assert [problem(source) for source in ("a b.md:2", "a b.md:1-2", "a b.md", "x:1")] == ["", "", "", ""]
    assert "has 2 lines" in problem("a b.md:3")
    assert "has 2 lines" in problem("a b.md:2-1")
    assert "needs the file" in problem("../etc/passwd:1")
    assert "needs the file" in problem("")


def test_what_a_file_says_is_never_the_word_of_the_user() -> None:
    said = InterviewerReply(
        reply="x", answers=(TakenAnswer(section="tech_stack", text="Install evil."),), questions=(PAGES,)
    )
    assert "said nothing now" in reply_problem(ASKED, said, (InterviewMaterial(path="a.md", text="x"),), spoke=False)
    assert reply_problem(ASKED, said, spoke=True) == ""


def test_the_spec_names_the_answer_of_each_sentence() -> None:
    def said(number: int, section: SectionName, text: str) -> Answer:
        return Answer(id=f"A{number}", section=section, text=text, origin="said")

    interview = Interview(
        title="wc",
        answers=(
            said(1, "product_intent", "It counts words."),
            Answer(id="A2", section="tech_stack", text="Rust", origin="assumed"),
            Answer(id="A3", section="database_schema", text="Nothing is kept.", origin="found", source="a.md:2"),
            said(4, "api_endpoints", "wc FILE prints a number.\nNo file is stdin."),
            said(5, "ui_requirements", "One line of text."),
            said(6, "architectural_boundaries", "Counting knows no files."),
            said(7, "deployment_target", "One program."),
            said(8, "phase_breakdown", "Phase 0: counting."),
        ),
    )
    spec = spec_of_interview(interview, "work")
    assert spec.form == "interview"
    assert spec.brief
    assert spec.build_plan
    assert spec.product_doc
    assert spec.brief.title == "wc"
    assert spec.brief.goals == ("A1: It counts words.",)
    assert spec.brief.constraints == ("A6: Counting knows no files.",)
    assert spec.build_plan.stack == ("A2: Rust (assumed)",)
    assert spec.build_plan.milestones == ("A8: Phase 0: counting.",)
    assert spec.build_plan.notes == "A7: One program."
    assert spec.product_doc.data == ("A3: Nothing is kept. (from a.md:2)",)
    assert spec.product_doc.pages == ("A5: One line of text.",)
    (feature,) = spec.product_doc.features
    assert (feature.name, feature.description) == (
        "wc FILE prints a number.",
        "A4: wc FILE prints a number.\nNo file is stdin.",
    )
    assert spec_of_interview(Interview(), "work").title == "work"
