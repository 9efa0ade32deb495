"""Changes to inflection: functions that the original in Rails has, a command, documents."""

from __future__ import annotations

from tests.e2e.real_projects.change import Change, Edit, before, below
from tests.e2e.real_projects.inflection_words import MODULE

_MANIFEST, _DOCS = "MANIFEST.in", "docs/index.rst"
_INCLUDE = "include README.rst LICENSE test_inflection.py"
_BOTH = f"{_INCLUDE} test_classify.py test_demodulize.py"


def _ahead(signature: str, code: str) -> Edit:
    return before(MODULE, f"def {signature}:", code)


def _tests(name: str, rows: str, many: int) -> dict[str, str]:
    """A test module with a table of cases."""
    assert len(rows.strip().splitlines()) == many
    return {
        f"test_{name}.py": f"""\
import pytest

import inflection


@pytest.mark.parametrize(("given", "expected"), [
{rows.strip(chr(10))}
])
def test_{name}(given, expected):
    assert inflection.{name}(given) == expected
"""
    }


_CLASSIFY = _ahead(
    "dasherize(word: str) -> str",
    '''
def classify(table: str) -> str:
    """
    Create the name of a class from the name of a table like Rails does.

    Examples::

        >>> classify("egg_and_hams")
        'EggAndHam'
        >>> classify("schema.posts")
        'Post'

    """
    return camelize(singularize(re.sub(r".*\\.", "", table)))
''',
)
_DEMODULIZE = _ahead(
    "humanize(word: str) -> str",
    '''
def demodulize(path: str) -> str:
    """
    Remove the module part from the name of a class.

    Examples::

        >>> demodulize("inflection.rules.Plural")
        'Plural'
        >>> demodulize("ActiveRecord::Base")
        'Base'

    """
    return re.split(r"::|\\.", path)[-1]
''',
)

NAMES = (
    Change(
        "classify",
        "Names of classes from tables",
        "classify(table), the inverse of tableize. Its tests are a module of their own, which the sdist must include.",
        (Edit(_MANIFEST, _INCLUDE, f"{_INCLUDE} test_classify.py"), _CLASSIFY),
        _tests(
            "classify",
            """
    ("egg_and_hams", "EggAndHam"),
    ("posts", "Post"),
    ("schema.user_addresses", "UserAddress"),
""",
            3,
        ),
        tests=3,
        clash="demodulize",
        second=(Edit(_MANIFEST, f"{_INCLUDE} test_demodulize.py", _BOTH), _CLASSIFY),
    ),
    Change(
        "demodulize",
        "Names of classes without their modules",
        "demodulize(path) for dots and double colons. Its tests are a module of their own, in the sdist as well.",
        (Edit(_MANIFEST, _INCLUDE, f"{_INCLUDE} test_demodulize.py"), _DEMODULIZE),
        _tests(
            "demodulize",
            """
    ("inflection.rules.Plural", "Plural"),
    ("ActiveRecord::Base", "Base"),
    ("Plain", "Plain"),
    ("", ""),
""",
            4,
        ),
        tests=4,
        clash="classify",
        second=(Edit(_MANIFEST, f"{_INCLUDE} test_classify.py", _BOTH), _DEMODULIZE),
    ),
    Change(
        "deconstantize",
        "The module of a class",
        "deconstantize(path), what demodulize takes away.",
        (
            _ahead(
                "demodulize(path: str) -> str",
                '''
def deconstantize(path: str) -> str:
    """
    Remove the last part from the name of a class, see :func:`demodulize`.

    Example::

        >>> deconstantize("inflection.rules.Plural")
        'inflection.rules'

    """
    rest = path[:len(path) - len(demodulize(path))]
    return re.sub(r"(::|\\.)$", "", rest)
''',
            ),
        ),
        _tests(
            "deconstantize",
            """
    ("inflection.rules.Plural", "inflection.rules"),
    ("ActiveRecord::Base", "ActiveRecord"),
    ("Plain", ""),
""",
            3,
        ),
        needs=("demodulize",),
        tests=3,
    ),
    Change(
        "foreign-key",
        "Foreign keys",
        "foreign_key(name), by demodulize and underscore.",
        (
            _ahead(
                "ordinal(number: int) -> str",
                '''
def foreign_key(name: str, separate: bool = True) -> str:
    """
    Create the name of a foreign key from the name of a class.

    Examples::

        >>> foreign_key("admin.LogEntry")
        'log_entry_id'
        >>> foreign_key("LogEntry", False)
        'log_entryid'

    """
    return underscore(demodulize(name)) + ("_id" if separate else "id")
''',
            ),
        ),
        _tests(
            "foreign_key",
            """
    ("admin.LogEntry", "log_entry_id"),
    ("Post", "post_id"),
""",
            2,
        ),
        needs=("demodulize",),
        tests=2,
    ),
    Change(
        "quantify",
        "A number and its noun",
        "quantify(number, word): '1 person', '2 people'.",
        (
            _ahead(
                "singularize(word: str) -> str",
                '''
def quantify(number: int, word: str) -> str:
    """
    Put a number in front of a noun, in singular or plural as it must be.

    Examples::

        >>> quantify(1, "people")
        '1 person'
        >>> quantify(0, "person")
        '0 people'

    """
    inflect = singularize if abs(number) == 1 else pluralize
    return "{} {}".format(number, inflect(word))
''',
            ),
        ),
        {
            "test_quantify.py": """\
import pytest

import inflection


@pytest.mark.parametrize(("number", "word", "expected"), [
    (1, "people", "1 person"),
    (-1, "people", "-1 person"),
    (0, "person", "0 people"),
    (3, "sheep", "3 sheep"),
])
def test_quantify(number, word, expected):
    assert inflection.quantify(number, word) == expected
"""
        },
        tests=4,
    ),
    Change(
        "squish",
        "Surplus space",
        "squish(text) takes away space at the ends and leaves one space in between.",
        (
            _ahead(
                "tableize(word: str) -> str",
                '''
def squish(text: str) -> str:
    """
    Remove space at both ends and shorten any other to a single one.

    Example::

        >>> squish("  one\\\\n  two ")
        'one two'

    """
    return " ".join(text.split())
''',
            ),
        ),
        _tests(
            "squish",
            """
    ("  one\\n  two ", "one two"),
    ("\\xa0wide\\xa0", "wide"),
    ("", ""),
""",
            3,
        ),
        tests=3,
    ),
    Change(
        "upcase-first",
        "The first letter alone",
        "upcase_first(string) changes nothing but the first letter, unlike str.capitalize.",
        (
            Edit(
                MODULE,
                '    word = word.replace("-", "_")\n    return word.lower()',
                '''\
    word = word.replace("-", "_")
    return word.lower()


def upcase_first(string: str) -> str:
    """
    Make the first letter a capital and leave the others as they are.

    Example::

        >>> upcase_first("what a URL")
        'What a URL'

    """
    return string[:1].upper() + string[1:]''',
            ),
        ),
        _tests(
            "upcase_first",
            """
    ("what a URL", "What a URL"),
    ("w", "W"),
    ("", ""),
""",
            3,
        ),
        tests=3,
    ),
    Change(
        "command",
        "Inflect on the command line",
        "`python -m inflection pluralize post` prints 'posts'; an unknown function ends with 2 and the list of names.",
        files={
            "inflection/__main__.py": '''\
"""``python -m inflection FUNCTION WORD ...`` prints what the function makes of each word."""
import sys
from typing import List

import inflection

NAMES = ("camelize", "dasherize", "humanize", "parameterize", "pluralize", "singularize", "titleize", "underscore")


def main(arguments: List[str]) -> int:
    if not arguments or arguments[0] not in NAMES:
        print("one of: " + ", ".join(NAMES), file=sys.stderr)
        return 2
    for word in arguments[1:]:
        print(getattr(inflection, arguments[0])(word))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
''',
            "test_command.py": """\
import subprocess
import sys

from inflection.__main__ import main


def test_words(capsys):
    assert main(["pluralize", "post", "person"]) == 0
    assert capsys.readouterr().out.splitlines() == ["posts", "people"]


def test_unknown_function(capsys):
    assert main(["explode", "post"]) == 2
    assert "pluralize" in capsys.readouterr().err


def test_as_a_program():
    said = subprocess.check_output([sys.executable, "-m", "inflection", "underscore", "DeviceType"])
    assert said.decode().strip() == "device_type"
""",
        },
        tests=3,
    ),
)

DOCUMENTS = (
    Change(
        "docs-names",
        "Document the functions for names",
        "List the new functions in docs/index.rst.",
        (
            below(_DOCS, ".. autofunction:: camelize", ".. autofunction:: classify"),
            Edit(
                _DOCS,
                ".. autofunction:: humanize",
                ".. autofunction:: deconstantize\n.. autofunction:: demodulize\n.. autofunction:: foreign_key\n"
                ".. autofunction:: humanize",
            ),
        ),
        needs=("classify", "deconstantize", "foreign-key"),
    ),
    Change(
        "docs-text",
        "Document the functions for text",
        "List quantify, squish and upcase_first in docs/index.rst.",
        (
            below(_DOCS, ".. autofunction:: pluralize", ".. autofunction:: quantify"),
            Edit(_DOCS, ".. autofunction:: tableize", ".. autofunction:: squish\n.. autofunction:: tableize"),
            below(_DOCS, ".. autofunction:: underscore", ".. autofunction:: upcase_first"),
        ),
        needs=("quantify", "squish", "upcase-first"),
    ),
    Change(
        "readme-command",
        "Show the command in the README",
        "A short section of the README shows `python -m inflection`.",
        (
            Edit(
                "README.rst",
                "Resources",
                "Command\n-------\n\n::\n\n    $ python -m inflection pluralize post person\n"
                "    posts\n    people\n\nResources",
            ),
        ),
        needs=("command",),
        claims=("README.rst",),
    ),
    Change(
        "vocabulary",
        "Words of the new rules in sentences",
        "A test module that counts things with the new words: teeth, feet, geese, bonuses, police, aircraft.",
        files={
            "test_vocabulary.py": """\
import pytest

import inflection


@pytest.mark.parametrize(("number", "word", "expected"), [
    (2, "tooth", "2 teeth"),
    (2, "foot", "2 feet"),
    (1, "geese", "1 goose"),
    (2, "mongoose", "2 mongooses"),
    (2, "bonus", "2 bonuses"),
    (2, "police", "2 police"),
    (1, "aircraft", "1 aircraft"),
])
def test_counting(number, word, expected):
    assert inflection.quantify(number, word) == expected


def test_tables():
    assert inflection.classify(inflection.tableize("GoldenTooth")) == "GoldenTooth"
"""
        },
        needs=("tooth", "foot", "goose", "bonus", "police", "aircraft", "quantify", "classify"),
        tests=8,
    ),
)
