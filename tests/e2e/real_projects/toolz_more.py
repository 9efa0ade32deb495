"""Changes to toolz: a module of its own, higher-order functions, two that get in each other's way, documents."""

from __future__ import annotations

from tests.e2e.real_projects.change import Change, Edit, before, below
from tests.e2e.real_projects.toolz_places import (
    FUNC,
    FUNC_ALL_1,
    FUNC_ALL_3,
    RECIPES,
    RECIPES_ALL,
    TESTS,
    curried,
    imported,
    suite_of,
)

_PATHS = "toolz/pathtoolz.py"
_ONCE = (
    Edit(FUNC, FUNC_ALL_3, FUNC_ALL_3.replace("'flip', ", "'flip', 'once', ")),
    before(
        FUNC,
        "def return_none(exc):",
        '''
def once(func):
    """ A function that calls another the first time only and then repeats its result

    >>> greet = once(lambda name: 'Hello, ' + name)
    >>> greet('Ada'), greet('Bob')
    ('Hello, Ada', 'Hello, Ada')

    See Also:
        memoize
    """
    return memoize(func, key=lambda args, kwargs: None)
''',
    ),
)
_ONCE_CURRIED = imported("once", "peek", "merge_sorted")

FUNCTIONS = (
    Change(
        "flatten-keys",
        "Paths instead of nesting",
        "flatten_keys(d, sep='.') in a new module pathtoolz turns nested dictionaries into one with joined keys.",
        (
            below("toolz/__init__.py", "from .recipes import *", "\nfrom .pathtoolz import *"),
            curried("flatten_keys", "filter"),
        ),
        {
            _PATHS: '''\
__all__ = ('flatten_keys',)


def flatten_keys(d, sep='.'):
    """ Nested dictionaries as one, with joined keys

    >>> flatten_keys({'a': {'b': 1}, 'c': 2})
    {'a.b': 1, 'c': 2}
    """
    rv = {}
    for key, value in d.items():
        if isinstance(value, dict) and value:
            for rest, leaf in flatten_keys(value, sep).items():
                rv[key + sep + rest] = leaf
        else:
            rv[key] = value
    return rv
''',
            **suite_of(
                "flatten_keys",
                """
def test_flatten_keys():
    assert flatten_keys({'a': {'b': {'c': 1}, 'd': 2}, 'e': 3}) == {'a.b.c': 1, 'a.d': 2, 'e': 3}


def test_flatten_keys_keeps_empty_ones():
    assert flatten_keys({'a': {}}, '/') == {'a': {}}
""",
            ),
        },
        tests=2,
    ),
    Change(
        "unflatten-keys",
        "Nesting instead of paths",
        "unflatten_keys(d, sep='.') in pathtoolz undoes flatten_keys, with assoc_in.",
        (
            Edit(
                _PATHS,
                "__all__ = ('flatten_keys',)",
                "from .dicttoolz import assoc_in\n\n__all__ = ('flatten_keys', 'unflatten_keys')",
            ),
            Edit(
                _PATHS,
                "            rv[key] = value\n    return rv",
                '''\
            rv[key] = value
    return rv


def unflatten_keys(d, sep='.'):
    """ The inverse of ``flatten_keys``

    >>> unflatten_keys({'a.b': 1, 'c': 2})
    {'a': {'b': 1}, 'c': 2}
    """
    rv = {}
    for key, value in d.items():
        rv = assoc_in(rv, key.split(sep), value)
    return rv''',
            ),
            curried("unflatten_keys", "topk"),
        ),
        suite_of(
            "unflatten_keys",
            """
def test_unflatten_keys():
    assert unflatten_keys({'a/b': 1, 'a/c': 2}, sep='/') == {'a': {'b': 1, 'c': 2}}


def test_there_and_back():
    d = {'a': {'b': {'c': 1}, 'd': {}}, 'e': 3}
    assert unflatten_keys(flatten_keys(d)) == d
""",
            imports="from toolz import flatten_keys\n",
        ),
        needs=("flatten-keys",),
        tests=2,
    ),
    Change(
        "once",
        "Call a function once",
        "once(func) in functoolz calls func the first time and repeats its result after that.",
        (*_ONCE, _ONCE_CURRIED),
        suite_of(
            "once",
            """
def test_once():
    calls = []
    add = once(calls.append)
    add(1)
    add(2)
    assert calls == [1]


def test_once_keeps_the_name():
    def greet():
        return 'hello'

    assert once(greet).__name__ == 'greet'
""",
        ),
        tests=2,
        first=_ONCE,
        mend=(_ONCE_CURRIED,),
    ),
    Change(
        "when",
        "Apply a function on a condition",
        "when(predicate, func, x) in functoolz is func(x) if the predicate holds for x, and x otherwise.",
        (
            Edit(FUNC, FUNC_ALL_1, FUNC_ALL_1.replace("'apply', ", "'apply', 'when', ")),
            before(
                FUNC,
                "def thread_first(val, *forms):",
                '''
def when(predicate, func, x):
    """ ``func(x)`` if a predicate holds for x, else x

    >>> list(map(lambda x: when(str.isdigit, int, x), ['1', 'a']))
    [1, 'a']
    """
    return func(x) if predicate(x) else x
''',
            ),
            curried("when", "valmap"),
        ),
        suite_of(
            "when",
            """
def test_when():
    assert when(callable, str, 1) == 1
    assert when(bool, str, 1) == '1'


def test_when_is_curried():
    assert list(map(toolz.curried.when(str.isdigit)(int), 'a1')) == ['a', 1]
""",
            imports="import toolz.curried\n",
        ),
        tests=2,
    ),
)

_COUNTWHERE = before(
    RECIPES,
    "def partitionby(func, seq):",
    '''
def countwhere(predicate, seq):
    """ Count the elements for which a predicate holds

    >>> countwhere(str.isupper, 'aBC')
    2
    """
    return sum(1 for item in seq if predicate(item))
''',
)
_MAXBY = below(
    RECIPES,
    "    return map(tuple, pluck(1, itertools.groupby(seq, key=func)))",
    '''

def maxby(key, seq):
    """ The greatest element by a key, which may be an index

    >>> maxby(len, ['cat', 'mouse', 'dog'])
    'mouse'
    """
    return max(seq, key=key if callable(key) else getter(key))''',
)

CLASHES = (
    Change(
        "countwhere",
        "Count where a predicate holds",
        "countwhere(predicate, seq) in recipes.",
        (
            Edit(RECIPES, RECIPES_ALL, "__all__ = ('countby', 'countwhere', 'partitionby')"),
            _COUNTWHERE,
            curried("countwhere", "countby"),
        ),
        suite_of(
            "countwhere",
            """
def test_countwhere():
    assert countwhere(lambda x: x > 1, [1, 2, 3]) == 2
    assert countwhere(bool, iter([])) == 0
""",
        ),
        tests=1,
        clash="maxby",
        second=(
            Edit(
                RECIPES,
                "__all__ = ('countby', 'maxby', 'partitionby')",
                "__all__ = ('countby', 'countwhere', 'maxby', 'partitionby')",
            ),
            _COUNTWHERE,
            curried("countwhere", "countby"),
        ),
    ),
    Change(
        "maxby",
        "The greatest by a key",
        "maxby(key, seq) in recipes; the key may be an index, as for countby.",
        (
            Edit(RECIPES, RECIPES_ALL, "__all__ = ('countby', 'maxby', 'partitionby')"),
            _MAXBY,
            curried("maxby", "mapcat"),
        ),
        suite_of(
            "maxby",
            """
def test_maxby():
    assert maxby(len, ['cat', 'mouse', 'dog']) == 'mouse'


def test_maxby_index():
    assert maxby(1, [('a', 3), ('b', 2)]) == ('a', 3)
""",
        ),
        tests=2,
        clash="countwhere",
        second=(
            Edit(
                RECIPES,
                "__all__ = ('countby', 'countwhere', 'partitionby')",
                "__all__ = ('countby', 'countwhere', 'maxby', 'partitionby')",
            ),
            _MAXBY,
            curried("maxby", "mapcat"),
        ),
    ),
)

_CHANGES = "CHANGES.md"
_HEADING = "# Changes since 1.2.0"

DOCUMENTS = (
    Change(
        "changes",
        "A list of changes",
        "Begin CHANGES.md, with the fix of tail in it.",
        files={_CHANGES: f"{_HEADING}\n\n## Fixed\n\n- `tail(0, seq)` is empty.\n"},
        needs=("tail-zero",),
    ),
    Change(
        "changes-dictionaries",
        "List the changes of dicttoolz",
        "Name the new functions of dicttoolz and pathtoolz in CHANGES.md.",
        (
            below(
                _CHANGES,
                _HEADING,
                "\n## New\n\n- dicttoolz: `pick`, `omit`, `rename_keys`, `deep_merge`, `invert`.\n"
                "- pathtoolz: `flatten_keys`, `unflatten_keys`.",
            ),
        ),
        needs=("changes", "rename-keys", "invert", "unflatten-keys"),
    ),
    Change(
        "readme-paths",
        "Name pathtoolz in the README",
        "The README lists the parts of toolz; pathtoolz is one of them now.",
        (
            Edit(
                "README.rst",
                "``toolz`` is implemented in three parts:",
                "``toolz`` is implemented in four parts:",
            ),
            Edit(
                "README.rst",
                "``update-in``, ``merge``.",
                "``update-in``, ``merge``.\n\n``pathtoolz``, for nested dictionaries. Examples: ``flatten_keys``.",
            ),
        ),
        needs=("flatten-keys",),
        claims=("README.rst",),
    ),
    Change(
        "readme-status",
        "Point to the list of changes",
        "The project status in the README points to CHANGES.md.",
        (
            Edit(
                "README.rst",
                "**This project is alive but inactive.**",
                "**This project is alive but inactive.** What changed is in ``CHANGES.md``.",
            ),
        ),
        needs=("changes",),
    ),
    Change(
        "together",
        "Use the new functions together",
        "A test module that reads records with the new functions of dicttoolz and itertoolz, curried.",
        files={
            f"{TESTS}/test_together.py": """\
from toolz.curried import allequal, map, omit, pipe, pluck, rename_keys, split_at, when


def test_records():
    lines = ['id=1', 'name=Ada', '', 'id=2', 'name=Bob']
    records = pipe(
        lines,
        split_at(lambda line: not line),
        map(lambda part: dict(line.split('=') for line in part)),
        map(rename_keys({'name': 'who'})),
        list,
    )
    assert records == [{'id': '1', 'who': 'Ada'}, {'id': '2', 'who': 'Bob'}]
    assert not allequal(pluck('who', records))
    assert list(map(omit(['id']), records)) == [{'who': 'Ada'}, {'who': 'Bob'}]
    assert list(map(when(str.isdigit, int), pluck('id', records))) == [1, 2]
"""
        },
        needs=("allequal", "split-at", "rename-keys", "when"),
        tests=1,
    ),
)
