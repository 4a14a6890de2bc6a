"""Laws of plans that one column of a wide array takes over from its neighbour."""

from __future__ import annotations

import numpy as np
import pytest

from aetool.codec import blocks, planning
from aetool.codec.alike import LONGEST_STRETCH, AlikeColumns
from aetool.codec.columns import whole_column
from aetool.codec.plans import OtherSymbol, Plan, Transform

ROWS = 128


@pytest.fixture
def searched(monkeypatch):
    """The places of the columns for which a plan was searched."""
    places = []
    search = planning.Planner._search

    def noted(planner, stream):
        places.append(len(planner.known.values))
        return search(planner, stream)

    monkeypatch.setattr(planning.Planner, "_search", noted)
    return places


def bytes_of(columns, period):
    """What columns take, (rows, columns), after they came back."""
    coded = [whole_column(column.copy()) for column in columns.T]
    rows = len(columns)
    content, payload, _ = blocks.encode(coded, rows, {}, planning.DEFAULT, period=period)
    restored = blocks.decode(payload, rows, content).columns
    for column, again in zip(columns.T, restored, strict=True):
        assert (again.values == column).all()
    return len(payload)


def walks(columns, seed=0):
    steps = np.random.default_rng(seed).integers(-900, 900, (ROWS, columns))
    return np.cumsum(steps, axis=0)


def test_the_searches_of_columns_alike_become_ever_fewer(searched):
    size = bytes_of(walks(80), period=1)
    few = len(searched)
    assert few <= 16
    searched.clear()
    assert size <= 1.005 * bytes_of(walks(80), period=0)
    assert len(searched) == 80


def test_a_column_of_another_kind_is_searched_anew(searched):
    rng = np.random.default_rng(1)
    flat = rng.integers(0, 5, (ROWS, 10))
    columns = np.concatenate([walks(20), flat, walks(20, seed=2)], axis=1)
    size = bytes_of(columns, period=1)
    assert set(range(20, 30)) & set(searched)
    assert size <= 1.01 * bytes_of(columns, period=0)


def test_a_constant_column_among_walks_takes_nothing():
    columns = walks(80)
    without = bytes_of(np.delete(columns, range(40, 60), axis=1), period=1)
    columns[:, 40:60] = 7
    assert bytes_of(columns, period=1) <= without + 20 * 8


def differences(count):
    starts = np.arange(4)
    plan = Plan(starts=starts, widths=starts * 0, transform=Transform.DIFFERENCE)
    return [plan] * count


def test_stretches_double_up_to_the_longest():
    alike = AlikeColumns(1)
    plans, searches = [], []
    for place in range(400):
        offered = alike.plan_to_reuse(plans)
        if offered is None:
            searches.append(place)
            alike.note_searched(plans, differences(1)[0])
        plans += differences(1)
    stretches = np.diff(searches) - 1
    assert stretches.tolist()[:6] == [0, 1, 3, 7, 15, 31]
    assert set(stretches.tolist()[6:]) <= {63, LONGEST_STRETCH}


def test_a_search_that_finds_another_transform_begins_anew():
    alike = AlikeColumns(1)
    plans = differences(5)
    alike.note_searched(plans, plans[0])
    assert alike.plan_to_reuse(plans) is not None
    other = plans[0].but(transform=Transform.SECOND)
    alike.note_searched(plans, other)
    assert alike.plan_to_reuse([*plans, other]) is None


def test_a_plan_that_looks_aside_is_moved_with_its_column():
    feature = OtherSymbol(np.arange(1, 3), 0)
    starts = np.arange(4)
    plan = Plan(starts=starts, widths=starts * 0, features=(feature,), transform=Transform.COLUMN)
    alike = AlikeColumns(2)
    # the third column one period behind: neither it nor its fourth is searched anew
    offered = alike.plan_to_reuse([plan] * 5)
    assert offered is not None
    assert offered.of == 2
    assert [one.stream for one in offered.features] == [2]
