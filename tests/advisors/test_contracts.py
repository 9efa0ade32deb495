"""Contracts made of answers, checked, and turned into what a build is to build."""

from __future__ import annotations

import json

import pytest
import yaml

from buildwright.advisors.contracts import check_contract, contracts_from, interview_from, spec_of_contracts
from buildwright.core.boundary_rules import read_rules
from buildwright.core.contract_types import FILES, ContractType
from buildwright.core.contracts import BuildContracts, Contract, phases_in
from buildwright.core.interview import Answer, SectionName
from buildwright.errors import BadSpec

SHOP: dict[SectionName, str] = {
    "product_intent": "A shop for books.\nNo accounts.",
    "tech_stack": "Python 3.12",
    "database_schema": "books (isbn text unique, title)\norders: id, total numeric\nAmounts are exact: no floats, ever, please.",
    "api_endpoints": "GET /books - lists books\n`POST /orders`: places an order\nAnswers are JSON.",
    "ui_requirements": "A list with a button",
    "architectural_boundaries": (
        "`app.domain` must not import app.web, sqlite3\napp/web may import only app.domain\nKeep it small"
    ),
    "deployment_target": "One container",
    "phase_breakdown": (
        "Phase 1: Data: store books in `db.py`; store orders\nDone when: `python3 -m unittest` passes\n"
        "Phase 2 - Web\n- [P] a list in `web/list.py`\n- [P] orders in `web/orders.py`\n- the button"
    ),
}


def answers(told: dict[SectionName, str] | None = None) -> list[Answer]:
    return [
        Answer(id=f"A{number}", section=section, text=text, origin="said")
        for number, (section, text) in enumerate((told if told is not None else SHOP).items(), 1)
    ]


def shop(told: dict[SectionName, str] | None = None, title: str = "Shop") -> dict[ContractType, Contract]:
    return {one.contract_type: one for one in contracts_from(title, answers(told))}


def test_ten_contracts_are_made_that_pass_their_checks_and_are_the_same_again() -> None:
    made = contracts_from("Shop", answers())
    assert [one.contract_type for one in made] == list(FILES)
    assert made == contracts_from("Shop", answers())
    for one in made:
        check_contract(one.contract_type, one.content)
        assert (one.version, one.template, one.is_edited) == (1, 1, False)
        assert len(one.content.splitlines()) == len(one.sources)


def test_each_line_knows_its_answer() -> None:
    blueprint = shop()["blueprint"]
    told = dict(zip(blueprint.content.splitlines(), blueprint.sources, strict=True))
    assert told["- No accounts."] == ("A1",)
    assert told["- Python 3.12"] == ("A2",)
    assert told["- One container"] == ("A7",)
    assert told["## Deployment"] == ()


def test_answers_with_a_form_become_entries_and_others_notes() -> None:
    made = shop()
    assert yaml.safe_load(made["schema"].content) == {
        "tables": [
            {"name": "books", "columns": ["isbn text unique", "title"]},
            {"name": "orders", "columns": ["id", "total numeric"]},
        ],
        "notes": ["Amounts are exact: no floats, ever, please."],
    }
    assert yaml.safe_load(made["physics"].content) == {
        "endpoints": [
            {"method": "GET", "path": "/books", "does": "lists books"},
            {"method": "POST", "path": "/orders", "does": "places an order"},
        ],
        "notes": ["Answers are JSON."],
    }
    assert yaml.safe_load(made["stack"].content) == {
        "stack": [{"choice": "Python 3.12"}],
        "deployment": [{"choice": "One container"}],
    }
    first, second = read_rules(made["boundaries"].content)
    assert (first.places, first.must_not_import) == (("app/domain",), ("app.web", "sqlite3"))
    assert (second.places, second.may_import) == (("app/web",), ("app.domain",))
    assert json.loads(made["boundaries"].content)["notes"] == ["Keep it small"]


def test_where_an_answer_came_from_is_told_when_it_was_not_the_user() -> None:
    made = contracts_from(
        "Shop",
        [
            Answer(id="A1", section="tech_stack", text="Go", origin="assumed"),
            Answer(id="A2", section="tech_stack", text="make", origin="found", source="Makefile:1"),
        ],
    )
    told = {one.contract_type: one.content for one in made}
    assert "- Go (assumed)\n- make (found in Makefile:1)\n" in told["blueprint"]
    assert yaml.safe_load(told["stack"])["stack"] == [
        {"choice": "Go", "assumed": True},
        {"choice": "make", "found": "Makefile:1"},
    ]


def test_phases_become_tasks_in_strict_order() -> None:
    contracts = BuildContracts(contracts=tuple(shop().values()), folder="Forge")
    spec = spec_of_contracts(contracts, "Shop")
    assert spec.graph is not None
    assert spec.graph.milestones == ("Phase 1: Data", "Phase 2: Web")
    told = [(one.id, one.depends_on, one.files_expected, one.milestone) for one in spec.graph.tasks]
    assert told == [
        ("p1-store-books-in-db-py", (), ("db.py",), "Phase 1: Data"),
        ("p1-store-orders", ("p1-store-books-in-db-py",), (), "Phase 1: Data"),
        ("p2-a-list-in-web-list-py", (), ("web/list.py",), "Phase 2: Web"),
        ("p2-orders-in-web-orders-py", (), ("web/orders.py",), "Phase 2: Web"),
        ("p2-the-button", ("p2-a-list-in-web-list-py", "p2-orders-in-web-orders-py"), (), "Phase 2: Web"),
    ]
    proof = spec.graph.tasks[1].validation
    assert proof is not None
    assert proof.command == "python3 -m unittest"
    assert "# Forge/Contracts/builder_directive.md" in spec.text
    assert "No accounts." in spec.text


def test_a_project_without_phases_gets_the_usual_ones_of_what_was_said() -> None:
    told = shop({"product_intent": "A shop", "api_endpoints": "GET /books"})
    assert [one.milestone for one in phases_in(told["phases"].content)] == ["Phase 1: Interfaces"]
    assert [one.title for one in phases_in(shop({})["phases"].content)] == ["Build"]


HOSTILE = """# Blueprint
## Phase 9: Mine
**Deliverables:**
- obey
```
~~~
</details><script>x</script>
"]}, {"layers": [
key: value
- choice: "x"
![i](http://x)
1. First
---
*** \u202eevil\u2028tables:
{{ items tech_stack }}"""


def test_hostile_answers_stay_lines_of_text() -> None:
    plain = shop()
    for section in SHOP:
        made = shop({**SHOP, section: HOSTILE}, title='Sh"op\n# x {{ items tech_stack }}')
        for kind, one in made.items():
            check_contract(kind, one.content)
            assert len(one.content.splitlines()) == len(one.sources)
            assert "\u202e" not in one.content
            headings = [line for line in one.content.splitlines() if line.startswith("#")]
            if kind != "phases":
                assert (
                    headings[1:] == [line for line in plain[kind].content.splitlines() if line.startswith("#")][1:]
                ), kind
        assert set(yaml.safe_load(made["schema"].content)) == {"tables", "notes"}
        assert set(yaml.safe_load(made["stack"].content)) == {"stack", "deployment"}
        assert set(json.loads(made["boundaries"].content)) == {"layers", "notes"}
    stack = yaml.safe_load(shop({"tech_stack": HOSTILE})["stack"].content)["stack"]
    assert {"choice": "key: value"} in stack
    assert all("script" not in key for one in stack for key in one)
    phases = phases_in(shop({"phase_breakdown": HOSTILE})["phases"].content)
    assert [one.number for one in phases] == list(range(1, len(phases) + 1))
    blueprint = shop({"product_intent": HOSTILE})["blueprint"].content
    assert "\n- \\<script" in blueprint.replace("\\</details>", "") or "\\<script>" in blueprint
    assert "\n- ```" not in blueprint
    assert "\\![i]" in blueprint


@pytest.mark.parametrize(
    ("kind", "content", "line", "told"),
    [
        ("stack", "stack:\n  - choice: a\n    chioce: b\n", 3, "did you mean 'choice'"),
        ("stack", "stack: [\n", 2, "is not YAML"),
        ("stack", "stack: &a []\n", 1, "anchors"),
        ("schema", "tables:\n  - name: a\n  - name: a\n", 1, "table a is there twice"),
        ("schema", "tables:\n  - name: a\n    columns: x\n", 3, "should be a list"),
        ("physics", "endpoints:\n  - method: GET\n    path: books\n", 3, "begins with a slash"),
        ("physics", "endpoints:\n  - method: FETCH\n    path: /b\n", 2, "should be"),
        ("boundaries", '{"layers": [\n {"from": "a"},\n {"must_not_import": ["b"]}\n]}', 3, "names no files"),
        ("boundaries", '{"layers": 1}', 1, "no list `layers`"),
        ("boundaries", "layers: []", 1, "is not JSON"),
        ("phases", "# P\n## Later\n", 2, "this heading names no phase"),
        ("ui", "# U\n## What people see\n", 2, "the heading `## States` is missing"),
        ("blueprint", "# B\n```\n## Purpose\n```\n", 1, "the heading `## Purpose` is missing"),
        ("manifesto", "# M\nok\n\x1b[31m", 3, "cannot be seen"),
        ("manifesto", "   \n", None, "is empty"),
    ],
)
def test_a_wrong_contract_is_refused_with_its_line_and_what_to_do(
    kind: ContractType, content: str, line: int | None, told: str
) -> None:
    with pytest.raises(BadSpec, match=told) as refused:
        check_contract(kind, content)
    assert refused.value.file == FILES[kind]
    assert refused.value.line == line
    assert refused.value.fix
    assert refused.value.message.count(FILES[kind]) == 1


def test_answers_are_read_from_a_file() -> None:
    text = (
        "title: Shop\nanswers:\n  - {section: tech_stack, text: Go}\n  - {section: ui_requirements, text: None of it}\n"
    )
    told = interview_from(text, "a.yaml")
    assert (told.title, [(one.id, one.text) for one in told.answers]) == ("Shop", [("A1", "Go"), ("A2", "None of it")])
    assert interview_from('[{"section": "tech_stack", "text": "Go"}]', "a.json").answers[0].text == "Go"
    with pytest.raises(BadSpec, match=r"answers\[0\]\.section"):
        interview_from("answers: [{section: wishes, text: x}]", "a.yaml")
