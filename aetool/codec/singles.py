"""Columns of numbers that were 32-bit floats once, and were printed with more digits than such a
float holds: stored as the few digits they stand for.

    2207.540039    2233.570068    2251.77002

No 32-bit float is just 2207.54. The nearest one lies at 2207.5400390625, and its last digits, which
look like noise to a coder, follow from the first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from aetool.codec.columns import Coded, in_kinds
from aetool.codec.metas import NumberMeta
from aetool.codec.streams import Stream
from aetool.errors import ArchiveError
from aetool.model import Int

FEWEST = 32  # numbers of a column that is tried
LEAST_SAVED = 2  # digits behind the point: of fewer the dictionary of ranks is as small
LEAST_SHARE = 0.9  # of the numbers must be such floats
LOOK = 256  # numbers, at most, by which it is seen how many digits they stand for
LARGEST = 2.0**62  # in units of the last digit that is printed


def printed(values: Int, single: int, decimals: int) -> Int:
    """Round numbers to 32-bit floats and print these with `decimals` digits behind the point, as a
    program of such floats would have done.

    values: (n,), the numbers in units of 10^-single. Returns (n,) int64, what is printed, in units
    of 10^-decimals. The same wherever floats are those of IEEE 754: both steps are single
    operations. ArchiveError if one would be beyond 2^62 or -2^62.
    """
    with np.errstate(over="ignore"):
        floats = (values / 10.0**single).astype(np.float32).astype(np.float64)
        scaled = np.rint(floats * 10.0**decimals)
    if not (np.abs(scaled) <= LARGEST).all():
        raise ArchiveError("damaged: a column of 32-bit floats has one that is too large")
    return scaled.astype(np.int64)


def offer(columns: Sequence[Coded]) -> None:
    """Add to `others` of each column of printed 32-bit floats, in place, as the first of them, its
    encoding by the few digits that these stand for; other columns, those rounded within a bound,
    written in several forms, of fewer than FEWEST (32) numbers, or with numbers too large for it
    stay as they are."""
    for column in columns:
        meta = column.meta
        if not isinstance(meta, NumberMeta):
            continue
        # a bound has rounded its numbers, or they are written in several forms
        if meta.step > 1 or meta.valued > 1:
            continue
        values = column.streams[-1].values
        if len(values) < FEWEST:
            continue
        # as floats they may be printed a little larger
        if values.min() < -LARGEST // 2 or values.max() > LARGEST // 2:
            continue
        single = _digits_before_printing(values, meta.decimals)
        if single is None:
            continue
        way = _encoded_by_digits(column, meta, single)
        # of ways as small the one that is restored soonest
        if way is not None:
            column.others.insert(0, way)


def _digits_before_printing(values: Int, decimals: int) -> int | None:
    """How many digits behind the point the numbers had before they were printed as 32-bit floats:
    the fewest that give at least LEAST_SHARE (0.9) of at most LOOK (256) numbers from all over the
    column; None unless they are at least LEAST_SAVED (2) fewer than `decimals`. values: (n,), at
    least one, in units of 10^-decimals, at most 2^61, as larger ones may raise ArchiveError."""
    # another kind of numbers may come first
    every = -(-len(values) // LOOK)
    sample = values[::every]
    most = decimals - LEAST_SAVED
    for single in range(most + 1):
        shortened = _rounded(sample, decimals - single)
        reprinted = printed(shortened, single, decimals)
        if (reprinted == sample).mean() >= LEAST_SHARE:
            return single
    return None


def _rounded(values: Int, digits: int) -> Int:
    """Whole numbers, (n,), without their last `digits` decimal digits, rounded to the nearest,
    halves to even: (n,) int64."""
    scaled = values / 10.0**digits
    return np.rint(scaled).astype(np.int64)


def _encoded_by_digits(
    column: Coded,
    meta: NumberMeta,
    single: int,
) -> Coded | None:
    """Another encoding of a column of numbers of one form, of this meta: its values as whole
    numbers in units of 10^-single; numbers that are no such printed floats stay as they are and
    become a second kind. None if a part below LEAST_SHARE (0.9) are such floats, or if at least
    that part of all numbers have no more than `single` digits behind the point as they stand.
    Values are at most 2^61, as larger ones may raise ArchiveError."""
    values = column.streams[-1].values
    digits_saved = meta.decimals - single
    shortened = _rounded(values, digits_saved)
    is_single = printed(shortened, single, meta.decimals) == values
    is_short = shortened * 10**digits_saved == values
    if is_single.mean() < LEAST_SHARE:
        return None
    # what follows from the floats is told by the numbers that have more digits than these
    is_long = ~is_short
    if is_long.sum() < FEWEST or is_single[is_long].mean() < LEAST_SHARE:
        return None
    stored = np.where(
        is_single,
        shortened,
        values,
    )
    own_meta = dataclasses.replace(meta, single=single)
    if is_single.all():
        stored_stream = Stream(
            stored,
            column.streams[-1].present,
        )
        kinds_before = column.streams[:-1]
        return Coded(own_meta, [*kinds_before, stored_stream], column.blobs)
    form = meta.forms[0]
    own_meta = dataclasses.replace(own_meta, forms=(form, form))
    is_other = ~is_single
    return in_kinds(
        column,
        own_meta,
        is_other.astype(np.int64),
        stored,
    )
