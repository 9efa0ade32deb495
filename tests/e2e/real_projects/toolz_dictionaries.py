"""Changes to toolz: functions of dictionaries, each built on the one before."""

from __future__ import annotations

from tests.e2e.real_projects.change import Change, Edit, before
from tests.e2e.real_projects.toolz_places import DICT, DICT_ALL_1, DICT_ALL_3, curried, imported, suite_of

DICTIONARIES = (
    Change(
        "pick",
        "Keep some keys",
        "pick(keys, d, factory=dict) in dicttoolz: a new dict with only these keys, in the order of `keys`.",
        (
            Edit(DICT, DICT_ALL_3, DICT_ALL_3.replace("'assoc', ", "'pick', 'assoc', ")),
            before(
                DICT,
                "def itemfilter(predicate, d, factory=dict):",
                '''
def pick(keys, d, factory=dict):
    """ A new dict with only these keys, as far as there are any

    >>> pick(['b', 'z'], {'a': 1, 'b': 2})
    {'b': 2}

    See Also:
        keyfilter
    """
    rv = factory()
    for key in keys:
        if key in d:
            rv[key] = d[key]
    return rv
''',
            ),
            curried("pick", "peekn"),
        ),
        suite_of(
            "pick",
            """
def test_pick():
    assert list(pick(['c', 'a', 'z'], {'a': 1, 'b': 2, 'c': 3})) == ['c', 'a']


def test_pick_with_a_factory():
    assert isinstance(pick('a', {'a': 1}, factory=OrderedDict), OrderedDict)
""",
            imports="from collections import OrderedDict\n\n",
        ),
        tests=2,
    ),
    Change(
        "omit",
        "Leave some keys out",
        "omit(keys, d, factory=dict) in dicttoolz: the counterpart of pick.",
        (
            Edit(
                DICT,
                DICT_ALL_3.replace("'assoc', ", "'pick', 'assoc', "),
                DICT_ALL_3.replace("'assoc', ", "'pick', 'omit', 'assoc', "),
            ),
            before(
                DICT,
                "def assoc(d, key, value, factory=dict):",
                '''
def omit(keys, d, factory=dict):
    """ A new dict without these keys

    >>> omit(['b', 'z'], {'a': 1, 'b': 2})
    {'a': 1}

    See Also:
        pick
    """
    left_out = set(keys)
    return pick((key for key in d if key not in left_out), d, factory=factory)
''',
            ),
            curried("omit", "nth"),
        ),
        suite_of(
            "omit",
            """
def test_omit():
    d = {'a': 1, 'b': 2, 'c': 3}
    assert omit(['b', 'z'], d) == {'a': 1, 'c': 3}
    assert d == {'a': 1, 'b': 2, 'c': 3}


def test_omit_takes_an_iterator_of_keys():
    assert omit(iter('ab'), {'a': 1, 'b': 2, 'c': 3}) == {'c': 3}
""",
        ),
        needs=("pick",),
        tests=2,
    ),
    Change(
        "rename-keys",
        "Rename keys",
        "rename_keys(names, d) in dicttoolz gives keys new names; a name that is taken is an error.",
        (
            Edit(
                DICT,
                DICT_ALL_3.replace("'assoc', ", "'pick', 'omit', 'assoc', "),
                "           'pick', 'omit', 'rename_keys',\n" + DICT_ALL_3,
            ),
            before(
                DICT,
                "def dissoc(d, *keys, **kwargs):",
                '''
def rename_keys(names, d, factory=dict):
    """ A new dict in which keys have other names

    >>> rename_keys({'a': 'x'}, {'a': 1, 'b': 2})
    {'x': 1, 'b': 2}

    See Also:
        keymap
        omit
    """
    taken = {names[key] for key in names if key in d} & set(omit(names, d))
    if taken:
        raise ValueError("keys are taken: %r" % sorted(taken, key=repr))
    return keymap(lambda key: names.get(key, key), d, factory=factory)
''',
            ),
            curried("rename_keys", "remove"),
        ),
        suite_of(
            "rename_keys",
            """
def test_rename_keys():
    assert rename_keys({'a': 'x', 'z': 'y'}, {'a': 1, 'b': 2}) == {'x': 1, 'b': 2}


def test_rename_swaps():
    assert rename_keys({'a': 'b', 'b': 'a'}, {'a': 1, 'b': 2}) == {'b': 1, 'a': 2}


def test_rename_to_a_taken_name():
    with pytest.raises(ValueError, match="taken"):
        rename_keys({'a': 'b'}, {'a': 1, 'b': 2})
""",
            imports="import pytest\n\n",
        ),
        needs=("omit",),
        tests=3,
    ),
    Change(
        "deep-merge",
        "Merge nested dictionaries",
        "deep_merge(*dicts) in dicttoolz merges nested dictionaries key by key; other values are replaced.",
        (
            Edit(DICT, DICT_ALL_1, DICT_ALL_1.replace("'merge_with', ", "'merge_with', 'deep_merge', ")),
            before(
                DICT,
                "def valmap(func, d, factory=dict):",
                '''
def deep_merge(*dicts):
    """ Merge dictionaries and the dictionaries in them

    >>> deep_merge({'a': {'x': 1}}, {'a': {'y': 2}})
    {'a': {'x': 1, 'y': 2}}

    See Also:
        merge
    """
    rv = {}
    for d in dicts:
        for key, value in d.items():
            if isinstance(value, Mapping):
                old = rv.get(key)
                value = deep_merge(old if isinstance(old, Mapping) else {}, value)
            rv[key] = value
    return rv
''',
            ),
            imported("deep_merge", "diff", "curry"),
        ),
        suite_of(
            "deep_merge",
            """
def test_deep_merge():
    assert deep_merge({'a': {'x': 1, 'y': 1}, 'b': 1}, {'a': {'y': 2}, 'c': 3}) == {
        'a': {'x': 1, 'y': 2}, 'b': 1, 'c': 3}


def test_deep_merge_replaces_what_is_no_dict():
    assert deep_merge({'a': 1}, {'a': {'x': 1}}) == {'a': {'x': 1}}
    assert deep_merge({'a': {'x': 1}}, {'a': 1}) == {'a': 1}


def test_deep_merge_shares_nothing():
    inner = {'x': 1}
    deep_merge({'a': inner}, {'a': {'x': 2}})['a']['x'] = 3
    assert inner == {'x': 1}
""",
        ),
        tests=3,
    ),
    Change(
        "invert",
        "Swap keys and values",
        "invert(d, factory=dict) in dicttoolz; two keys with one value are an error.",
        (
            Edit(
                DICT,
                DICT_ALL_1.replace("'merge_with', ", "'merge_with', 'deep_merge', "),
                "__all__ = ('merge', 'merge_with', 'deep_merge', 'invert',\n           'valmap', 'keymap', 'itemmap',",
            ),
            before(
                DICT,
                "def itemmap(func, d, factory=dict):",
                '''
def invert(d, factory=dict):
    """ Swap keys and values

    >>> invert({'a': 1})
    {1: 'a'}
    """
    rv = itemmap(reversed, d, factory=factory)
    if len(rv) != len(d):
        raise ValueError("two keys have the same value")
    return rv
''',
            ),
            curried("invert", "interpose"),
        ),
        suite_of(
            "invert",
            """
def test_invert():
    assert invert({'a': 1, 'b': 2}) == {1: 'a', 2: 'b'}


def test_invert_what_is_not_one_to_one():
    with pytest.raises(ValueError, match="same value"):
        invert({'a': 1, 'b': 1})
""",
            imports="import pytest\n\n",
        ),
        needs=("deep-merge",),
        tests=2,
    ),
)
