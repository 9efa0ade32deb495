"""Where changes to toolz go: its files, the lists of names that it exports, its curried namespace."""

from __future__ import annotations

from tests.e2e.real_projects.change import Edit, below

ITER, DICT, FUNC, RECIPES = "toolz/itertoolz.py", "toolz/dicttoolz.py", "toolz/functoolz.py", "toolz/recipes.py"
CURRIED, TESTS = "toolz/curried/__init__.py", "toolz/tests"

DICT_ALL_1 = "__all__ = ('merge', 'merge_with', 'valmap', 'keymap', 'itemmap',"
DICT_ALL_3 = "           'assoc', 'dissoc', 'assoc_in', 'update_in', 'get_in')"
ITER_ALL_1 = "__all__ = ('remove', 'accumulate', 'groupby', 'merge_sorted', 'interleave',"
ITER_ALL_3 = "           'first', 'second', 'nth', 'last', 'get', 'concat', 'concatv',"
ITER_ALL_5 = "           'sliding_window', 'partition', 'partition_all', 'count', 'pluck',"
FUNC_ALL_1 = "__all__ = ('identity', 'apply', 'thread_first', 'thread_last', 'memoize',"
FUNC_ALL_3 = "           'curry', 'flip', 'excepts')"
RECIPES_ALL = "__all__ = ('countby', 'partitionby')"


def curried(name: str, after: str) -> Edit:
    """The line that the project's suite wants for a function of more than one argument."""
    return below(CURRIED, f"{after} = toolz.curry(toolz.{after})", f"{name} = toolz.curry(toolz.{name})")


def imported(name: str, ahead_of: str, ahead_of_that: str) -> Edit:
    """The same for a function of one argument."""
    old = f"    {ahead_of_that},\n    {ahead_of},"
    return Edit(CURRIED, old, f"    {ahead_of_that},\n    {name},\n    {ahead_of},")


def suite_of(name: str, body: str, imports: str = "") -> dict[str, str]:
    return {f"{TESTS}/test_{name}.py": f"{imports}from toolz import {name}\n\n\n{body.strip()}\n"}
