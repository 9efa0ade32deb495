"""Changes to inflection: its rules for words, and fixes of its functions. Nearly all of them edit the same two files."""

from __future__ import annotations

from tests.e2e.real_projects.change import Change, Edit, before, below

MODULE, SUITE = "inflection/__init__.py", "test_inflection.py"


def _listed(word: str, plural: str, below_word: str, below_plural: str) -> Edit:
    """One more pair in the list that the project's suite tests in three ways."""
    line = f'    ("{below_word}", "{below_plural}"),'
    return below(SUITE, line, f'    ("{word}", "{plural}"),')


def _irregular(word: str, plural: str, below_word: str, below_plural: str) -> Edit:
    return below(MODULE, f"_irregular('{below_word}', '{below_plural}')", f"_irregular('{word}', '{plural}')")


_PLURAL = """    (r"(?i)(bu)s$", r'\\1ses'),"""
_WRONG, _RIGHT = _PLURAL.replace("(bu)", "(u)"), _PLURAL.replace("(bu)", "(bu|bonu)")
_SINGULAR = """    (r"(?i)(bus)(es)?$", r'\\1'),"""
_BONUS = (
    Edit(MODULE, _SINGULAR, _SINGULAR.replace("(bus)", "(bus|bonus)")),
    _listed("bonus", "bonuses", "bus", "buses"),
)

RULES = (
    Change(
        "bonus",
        "Bonuses",
        "pluralize('bonus') is 'bonus' and singularize('bonuses') is 'bonuse'. Mend the rules of bus to cover it.",
        (Edit(MODULE, _PLURAL, _RIGHT), *_BONUS),
        tests=3,
        # A rule for every word in -us comes before those of octopus and virus, which the suite has.
        first=(Edit(MODULE, _PLURAL, _WRONG), *_BONUS),
        mend=(Edit(MODULE, _WRONG, _RIGHT),),
    ),
    Change(
        "goose",
        "Geese",
        "goose is irregular; mongoose is not.",
        (
            Edit(
                MODULE,
                "    (r\"(?i)^(oxen)$\", r'\\1'),",
                "    (r\"(?i)^(g)oose$\", r'\\1eese'),\n    (r\"(?i)^(geese)$\", r'\\1'),\n    (r\"(?i)^(oxen)$\", r'\\1'),",
            ),
            below(MODULE, "    (r\"(?i)^(ox)en\", r'\\1'),", "    (r\"(?i)^(g)eese$\", r'\\1oose'),"),
            _listed("goose", "geese", "mouse", "mice"),
        ),
        tests=3,
    ),
    Change(
        "tooth",
        "Teeth",
        "tooth is irregular.",
        (_irregular("tooth", "teeth", "human", "humans"), _listed("tooth", "teeth", "edge", "edges")),
        tests=3,
    ),
    Change(
        "foot",
        "Feet",
        "foot is irregular.",
        (_irregular("foot", "feet", "sex", "sexes"), _listed("foot", "feet", "movie", "movies")),
        tests=3,
    ),
    Change(
        "police",
        "Police cannot be counted",
        "Add police to the uncountable words. The suite tests every word in that set.",
        (below(MODULE, "    'money',", "    'police',"),),
        tests=1,
    ),
    Change(
        "aircraft",
        "Aircraft cannot be counted",
        "Add aircraft to the uncountable words.",
        (Edit(MODULE, "    'equipment',", "    'aircraft',\n    'equipment',"),),
        tests=1,
    ),
    Change(
        "phrases",
        "Uncountable words at the end of a phrase",
        "singularize leaves 'funky jeans' alone because its last word is uncountable. pluralize must do the same.",
        (
            Edit(
                MODULE,
                "    if not word or word.lower() in UNCOUNTABLES:",
                "    if not word or re.split(r'\\W+', word.lower())[-1] in UNCOUNTABLES:",
            ),
            before(
                SUITE,
                "def test_uncountable_word_is_not_greedy():",
                """
@pytest.mark.parametrize("phrase", ["golden fish", "rolling-equipment", "White Rice"])
def test_uncountable_phrases(phrase):
    assert phrase == inflection.pluralize(phrase)
    assert phrase == inflection.singularize(phrase)
""",
            ),
        ),
        tests=3,
    ),
)

FIXES = (
    Change(
        "camelize-lower",
        "camelize the empty text",
        "camelize('', False) raises IndexError; camelize('') is the empty text.",
        (
            Edit(
                MODULE,
                "        return string[0].lower() + camelize(string)[1:]",
                "        camelized = camelize(string)\n        return camelized[:1].lower() + camelized[1:]",
            ),
            below(
                SUITE,
                "    assert 'capital' == inflection.camelize('Capital', False)",
                "\n\n"
                "def test_camelize_empty_string():\n"
                "    assert '' == inflection.camelize('', False)\n"
                "    assert '' == inflection.camelize('')",
            ),
        ),
        tests=1,
    ),
    Change(
        "separator",
        "Any separator in parameterize",
        "parameterize('a b', separator='\\\\') raises re.error: the separator is taken for a template of a replacement.",
        (
            Edit(
                MODULE,
                '    string = re.sub(r"(?i)[^a-z0-9\\-_]+", separator, string)',
                '    string = re.sub(r"(?i)[^a-z0-9\\-_]+", lambda match: separator, string)',
            ),
            Edit(
                MODULE,
                "        string = re.sub(r'%s{2,}' % re_sep, separator, string)",
                "        string = re.sub(r'(?:%s){2,}' % re_sep, lambda match: separator, string)",
            ),
            Edit(
                SUITE,
                "    assert parameterized_string == inflection.parameterize(some_string, '')",
                "    assert parameterized_string == inflection.parameterize(some_string, '')\n\n\n"
                "def test_parameterize_with_a_backslash():\n"
                "    assert 'a\\\\b' == inflection.parameterize('a & b', '\\\\')",
            ),
        ),
        tests=1,
    ),
    Change(
        "ordinal-text",
        "ordinal of what is no number",
        "ordinal(1.5) quietly drops the fraction; it must be a ValueError that says so.",
        (
            Edit(
                MODULE,
                "    number = abs(int(number))",
                "    if float(number) != int(float(number)):\n"
                '        raise ValueError("no ordinal of a fraction: {}".format(number))\n'
                "    number = abs(int(number))",
            ),
            before(
                SUITE,
                '@pytest.mark.parametrize(("input", "expected"), UNDERSCORES_TO_DASHES)',
                """
def test_ordinal_of_a_fraction():
    with pytest.raises(ValueError, match="fraction"):
        inflection.ordinal(1.5)
""",
            ),
        ),
        tests=1,
    ),
)
