"""Sweeps of which the fast set has a part, evenly spread, and the long set all the rest."""

import itertools
from collections.abc import Iterable

import pytest


def one_in(every: int, cases: Iterable[object], first: int = 0) -> list[object]:
    """Make the parameters of a test: all cases, of which the fast set of tests has one in `every`,
    from `first` on. A case that is a tuple is one of several parameters.

    Of a product of two sweeps each value of each is in the fast set if `every` is no more than the
    length of the second, and has no divisor in common with it.
    """
    marked = []
    for number, case in enumerate(cases):
        values = case if isinstance(case, tuple) else (case,)
        marks = () if number % every == first else pytest.mark.long
        marked.append(pytest.param(*values, marks=marks))
    return marked


def product(*sweeps: Iterable[object]) -> list[tuple[object, ...]]:
    """Every combination of the cases of several sweeps, the last of which changes the fastest."""
    return list(itertools.product(*sweeps))


def checkered(rows: Iterable[object], columns: Iterable[object]) -> list[object]:
    """Parameters of a test: every pair of two sweeps, of which the fast set has those on the white
    squares of a chess board: each row, and each column, in every other."""
    columns = list(columns)
    return [
        pytest.param(row, column, marks=pytest.mark.long if (down + across) % 2 else ())
        for down, row in enumerate(rows)
        for across, column in enumerate(columns)
    ]
