"""Columns become records alike by the kernel and by arrays; what lies outside of them is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetool import kernel
from aetool.codec import limits, spans, weaving
from aetool.codec.spans import Spans
from aetool.csv.fields import Rule
from aetool.errors import ArchiveError

CELL = st.one_of(st.binary(max_size=5), st.binary(min_size=14, max_size=40))
needs_kernel = pytest.mark.skipif(kernel.C is None, reason="the C kernel is not built")


def column_of(cells, order):
    """Cells as spans of a pool in which they lie in another order, behind bytes of nobody."""
    pool, start = b"??", np.zeros(len(cells), np.int64)
    for row in order:
        start[row] = len(pool)
        pool += cells[row]
    return Spans(np.frombuffer(pool, np.uint8), start, np.array(list(map(len, cells)), np.int32))


@st.composite
def tables(draw):
    """(rows of cells, what follows each, which rows are asked for, an order for pools)."""
    rows, width = draw(st.integers(0, 6)), draw(st.integers(1, 4))
    cells = [[draw(CELL) for _ in range(width)] for _ in range(rows)]
    ends = [draw(st.sampled_from([b"\n", b"\r\n", b"\r", b"", b"\n\n\n"])) for _ in range(rows)]
    first = draw(st.integers(0, rows))
    last = draw(st.integers(first, rows))
    return cells, ends, width, slice(first, last), draw(st.permutations(range(rows)))


@given(tables(), st.sampled_from([",", ";", "\t", "|"]))
def test_records_are_cells_delimiters_and_ends(table, delimiter):
    cells, ends, width, inside, order = table
    columns = [column_of([row[place] for row in cells], order) for place in range(width)]
    tails = column_of(ends, order)
    expected = b"".join(
        delimiter.encode().join(row) + end
        for row, end in zip(cells[inside], ends[inside], strict=True)
    )
    rule = Rule(delimiter)
    assert weaving.woven(columns, tails, rule, inside) == expected
    assert weaving.by_arrays(columns, tails, rule, inside) == expected


def test_more_text_than_an_archive_may_hold_is_refused(monkeypatch):
    monkeypatch.setattr(limits, "MAX_TEXT", 9, raising=True)
    column = column_of([b"12345", b"6789"], [0, 1])
    ends = column_of([b"\n", b"\n"], [0, 1])
    with pytest.raises(ArchiveError):
        weaving.woven([column], ends, Rule(","), slice(0, 2))
    assert weaving.woven([column], ends, Rule(","), slice(0, 1)) == b"12345\n"


@needs_kernel
@pytest.mark.parametrize(("start", "length"), [
    ([0, 5], [3, 3]), ([-1, 0], [3, 3]), ([0, 0], [3, -1]), ([0, 2**62], [3, 3]), ([0], [3]),
    ([0, 0], [3]),
])  # fmt: skip
def test_the_kernel_touches_nothing_outside_of_columns(start, length):
    pool = np.frombuffer(b"abcdefg", np.uint8)
    wrong = pool, np.array(start, np.int64), np.array(length, np.int32)
    ends = pool, np.zeros(2, np.int64), np.ones(2, np.int32)
    good = pool, np.zeros(2, np.int64), np.full(2, 3, np.int32)
    out = np.zeros(8, np.uint8)
    assert kernel.C.records([good, ends], 0, 2, b",", out) == 8
    with pytest.raises(ValueError):
        kernel.C.records([wrong, ends], 0, 2, b",", np.zeros(99, np.uint8))
    with pytest.raises(ValueError):
        kernel.C.records([good, ends], 0, 2, b",", out[:7])
    with pytest.raises(ValueError):
        kernel.C.records([good, ends], -1, 2, b",", out)
    for columns in ([good[:2]], [(pool, 1, 2)], [5]):
        with pytest.raises(TypeError):
            kernel.C.records(columns, 0, 2, b",", out)


@needs_kernel
@given(st.lists(CELL, min_size=1, max_size=12))
def test_the_kernel_writes_nothing_behind_the_last_cell(cells):
    """Short cells are copied as 16 bytes, but not where these would be more than there is room."""
    column = column_of(cells, range(len(cells)))
    expected = b"".join(cells)
    around = np.full(len(expected) + 16, 7, np.uint8)
    spans_of_cells = column.pool, column.start, column.length
    assert kernel.C.weave(*spans_of_cells, around[: len(expected)]) == len(expected)
    assert around.tobytes() == expected + bytes([7]) * 16


@given(st.lists(CELL, max_size=6), st.data())
def test_spans_are_the_same_where_their_bytes_are(cells, data):
    others = [data.draw(st.one_of(st.just(cell), CELL)) for cell in cells]
    rows = range(len(cells))
    one = column_of(cells, data.draw(st.permutations(rows)))
    two = column_of(others, data.draw(st.permutations(rows)))
    places = [
        np.asarray(at, np.int32)
        for at in (one.start, one.start + one.length, two.start, two.start + two.length)
    ]
    arguments = (one.pool, *places[:2], two.pool, *places[2:])
    with pytest.MonkeyPatch.context() as patch:
        assert spans.same(*arguments) == (cells == others)
        patch.setattr(kernel, "C", None)
        assert spans.same(*arguments) == (cells == others)


@needs_kernel
@pytest.mark.parametrize(("start", "stop"), [
    ([0, 5], [3, 8]), ([-1, 0], [3, 3]), ([0, 4], [3, 3]), ([0], [3]), ([0, 0], [3]),
])  # fmt: skip
def test_the_kernel_compares_nothing_outside_of_texts(start, stop):
    text = np.frombuffer(b"abcabca", np.uint8)
    good = np.array([0, 0], np.int32), np.array([3, 3], np.int32)
    assert kernel.C.same(text, *good, text, *good) is True
    wrong = np.array(start, np.int32), np.array(stop, np.int32)
    for arguments in ((text, *wrong, text, *good), (text, *good, text, *wrong)):
        with pytest.raises(ValueError):
            kernel.C.same(*arguments)
