"""Changes to toolz: functions of sequences, and a fix of one that is there."""

from __future__ import annotations

from tests.e2e.real_projects.change import Change, Edit, before
from tests.e2e.real_projects.toolz_places import (
    ITER,
    ITER_ALL_1,
    ITER_ALL_3,
    ITER_ALL_5,
    TESTS,
    curried,
    imported,
    suite_of,
)

SEQUENCES = (
    Change(
        "consume",
        "Advance an iterator",
        "consume(seq, n=None) in itertoolz throws away the next n items, or all of them, and returns nothing.",
        (
            Edit(ITER, ITER_ALL_1, ITER_ALL_1.replace("'remove', ", "'remove', 'consume', ")),
            before(
                ITER,
                "def groupby(key, seq):",
                '''
def consume(seq, n=None):
    """ Throw away the next n items of an iterator, or all of them

    >>> it = iter([10, 20, 30])
    >>> consume(it, 2)
    >>> next(it)
    30
    """
    if n is None:
        collections.deque(seq, 0)
    else:
        next(itertools.islice(seq, n, n), None)
''',
            ),
            curried("consume", "cons"),
        ),
        suite_of(
            "consume",
            """
def test_consume_all():
    it = iter('ABC')
    assert consume(it) is None
    assert list(it) == []


def test_consume_some():
    it = iter('ABC')
    consume(it, 2)
    assert list(it) == ['C']


def test_consume_more_than_there_is():
    it = iter('ABC')
    consume(it, 9)
    assert list(it) == []
""",
        ),
        tests=3,
    ),
    Change(
        "split-at",
        "Split a sequence at a predicate",
        "split_at(predicate, seq) in itertoolz yields the tuples between the items for which the predicate holds.",
        (
            Edit(ITER, ITER_ALL_3, ITER_ALL_3.replace("'first', ", "'first', 'split_at', ")),
            before(
                ITER,
                "def first(seq):",
                '''
def split_at(predicate, seq):
    """ The tuples between the items for which a predicate holds

    >>> list(split_at(lambda c: c == ',', 'ab,c'))
    [('a', 'b'), ('c',)]

    See Also:
        partitionby
    """
    part = []
    for item in seq:
        if predicate(item):
            yield tuple(part)
            part = []
        else:
            part.append(item)
    yield tuple(part)
''',
            ),
            curried("split_at", "sorted"),
        ),
        suite_of(
            "split_at",
            """
def test_split_at():
    assert list(split_at(lambda x: x == 0, [1, 0, 2, 3])) == [(1,), (2, 3)]


def test_split_at_the_edges():
    assert list(split_at(lambda x: x == 0, [0, 1, 0])) == [(), (1,), ()]


def test_split_nothing():
    assert list(split_at(bool, [])) == [()]
""",
        ),
        tests=3,
    ),
    Change(
        "runs",
        "Run-length encoding",
        "runs(seq) in itertoolz yields (item, length) for each run of equal items.",
        (
            Edit(ITER, ITER_ALL_5, ITER_ALL_5.replace("'sliding_window', ", "'sliding_window', 'runs', ")),
            before(
                ITER,
                "def count(seq):",
                '''
def runs(seq):
    """ Each run of equal items as (item, length)

    >>> list(runs('aab'))
    [('a', 2), ('b', 1)]

    See Also:
        frequencies
    """
    for item, run in itertools.groupby(seq):
        yield item, count(run)
''',
            ),
            imported("runs", "second", "pipe"),
        ),
        suite_of(
            "runs",
            """
def test_runs():
    assert list(runs('aabccc')) == [('a', 2), ('b', 1), ('c', 3)]


def test_runs_is_lazy():
    assert next(runs(iter('aab'))) == ('a', 2)
    assert list(runs([])) == []
""",
        ),
        tests=2,
    ),
    Change(
        "allequal",
        "Are all items equal",
        "allequal(seq) in itertoolz is True when a sequence has at most one run.",
        (
            Edit(
                ITER,
                ITER_ALL_5.replace("'sliding_window', ", "'sliding_window', 'runs', "),
                "           'sliding_window', 'runs', 'allequal', 'partition', 'partition_all',\n"
                "           'count', 'pluck',",
            ),
            before(
                ITER,
                "def pluck(ind, seqs, default=no_default):",
                '''
def allequal(seq):
    """ All values in sequence are equal

    >>> allequal([1, 1.0])
    True
    >>> allequal('aab')
    False

    See Also:
        isdistinct
        runs
    """
    return count(take(2, runs(seq))) < 2
''',
            ),
            imported("allequal", "comp", "apply"),
        ),
        suite_of(
            "allequal",
            """
def test_allequal():
    assert allequal('aaa') is True
    assert allequal('aab') is False
    assert allequal(iter([])) is True


def test_allequal_stops_early():
    assert allequal(itertools.chain('ab', itertools.repeat('a'))) is False
""",
            imports="import itertools\n",
        ),
        needs=("runs",),
        tests=2,
    ),
    Change(
        "takeuntil",
        "Take up to a predicate",
        "takeuntil(predicate, seq) in itertoolz: items up to and with the first for which the predicate holds.",
        (
            Edit(
                ITER,
                ITER_ALL_3.replace("'first', ", "'first', 'split_at', "),
                "           'first', 'split_at', 'takeuntil', 'second', 'nth', 'last', 'get',\n"
                "           'concat', 'concatv',",
            ),
            before(
                ITER,
                "def nth(n, seq):",
                '''
def takeuntil(predicate, seq):
    """ The items up to and with the first for which a predicate holds

    >>> list(takeuntil(lambda x: x > 2, [1, 2, 3, 4]))
    [1, 2, 3]

    See Also:
        split_at
    """
    for item in seq:
        yield item
        if predicate(item):
            return
''',
            ),
            curried("takeuntil", "take_nth"),
        ),
        suite_of(
            "takeuntil",
            """
def test_takeuntil():
    assert list(takeuntil(lambda x: x > 2, [1, 2, 3, 4])) == [1, 2, 3]
    assert list(takeuntil(lambda x: x > 2, [1, 2])) == [1, 2]


def test_takeuntil_of_an_endless_sequence():
    assert list(takeuntil(lambda x: x == 2, itertools.count())) == [0, 1, 2]
""",
            imports="import itertools\n",
        ),
        needs=("split-at",),
        tests=2,
    ),
    Change(
        "tail-zero",
        "tail(0, seq) is empty",
        "tail(0, seq) returns the whole of a list, because seq[-0:] does. It must be empty, of the same type.",
        (
            Edit(ITER, "        return seq[-n:]", "        return seq[-n:] if n else seq[:0]"),
            Edit(
                f"{TESTS}/test_itertoolz.py",
                "    assert list(tail(2, (3, 2, 1))) == list((2, 1))",
                "    assert list(tail(2, (3, 2, 1))) == list((2, 1))\n\n\n"
                "def test_tail_of_nothing():\n"
                "    assert tail(0, [1, 2, 3]) == []\n"
                "    assert tail(0, (1, 2)) == ()\n"
                "    assert tail(0, iter('ABC')) == ()",
            ),
        ),
        tests=1,
        claims=(f"{TESTS}/test_itertoolz.py",),
    ),
)
