"""Columns of numbers in which some have few digits behind the point and others many: each kind is
stored in units of its own last digit.

Whole numbers among ratios of nine digits, say, where something could not be divided: in units of
the last digit they are large, and their digits behind the point, of which nothing is known to the
coder, take bits though they are all 0. In units of their own they do not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from aetool.codec.columns import Coded
from aetool.codec.metas import NumberMeta
from aetool.codec.spans import SHORT, SHORT_ONE
from aetool.codec.streams import Stream
from aetool.model import Int

FEWEST = 32  # numbers of either sort
LEAST_APART = 3  # digits between them: less is little to gain
LEAST_DIGITS = {SHORT: 0, SHORT_ONE: 1}  # that a form of as few digits as needed writes


def offer(columns: Sequence[Coded]) -> None:
    """Add to `others` of each column of numbers, in place, its encoding with numbers of few digits
    behind the point in units of their own, where that may take fewer bits: their unit lies
    LEAST_APART (3) digits or more above the column's last one, and, if one form writes all numbers,
    at least FEWEST (32) have few digits and as many have more; other columns, and those rounded
    within a bound, stay as they are."""
    for column in columns:
        meta = column.meta
        if not isinstance(meta, NumberMeta):
            continue
        if meta.step > 1 or meta.decimals < LEAST_APART:
            continue
        # where one form writes all numbers those of few digits get a kind of their own
        count = _short_apart if meta.valued == 1 else _own_units
        way = count(column, meta)
        if way is not None:
            column.others.append(way)


def _short_apart(column: Coded, meta: NumberMeta) -> Coded | None:
    """Another encoding of a column of one form (way to write its numbers), of this meta: with a
    second kind for numbers of the fewest digits behind the point that the form writes, in units of
    their last digit. None if fewer than FEWEST (32) are of either kind, if the form is not SHORT or
    SHORT_ONE, or the column has less than LEAST_APART (3) digits more than these."""
    digits = LEAST_DIGITS.get(meta.forms[0])
    if digits is None or meta.decimals < digits + LEAST_APART:
        return None
    forms = (*meta.forms, digits)
    own = dataclasses.replace(meta, forms=forms, own_units=True)
    unit = own.units[-1]
    values = column.streams[-1].values
    is_short = values % unit == 0
    short = int(is_short.sum())
    long = len(values) - short
    if min(short, long) < FEWEST:
        return None
    kinds = _kinds(column, meta)
    has_value = kinds == 0
    # special cells, and raw ones, are the kinds behind those with a value
    kinds = kinds + 1
    kinds[has_value] = is_short
    counted = np.where(is_short, values // unit, values)
    return _counted(column, own, kinds, counted)


def _own_units(column: Coded, meta: NumberMeta) -> Coded | None:
    """Another encoding of a column of several forms (ways to write its numbers), of this meta: with
    the numbers of each form in units of their own last digit. None if the largest of these units is
    less than LEAST_APART (3) digits above the last digit of the column."""
    own = dataclasses.replace(meta, own_units=True)
    units = np.array(own.units, np.int64)
    if units.max() < 10**LEAST_APART:
        return None
    kinds = _kinds(column, meta)
    has_value = kinds < meta.valued
    values = column.streams[-1].values
    counted = values // units[kinds[has_value]]
    return _counted(column, own, kinds, counted)


def _kinds(column: Coded, meta: NumberMeta) -> Int:
    """(rows,): the kind of each cell of a column of this meta: below meta.valued for numbers, by
    their form, further ones for special cells and texts. Not a copy."""
    first = column.streams[0].values
    if meta.kinds > 1:
        return first
    return np.zeros(len(first), np.int64)


def _counted(
    column: Coded,
    meta: NumberMeta,
    kinds: Int,
    values: Int,
) -> Coded:
    """Another encoding of the column, with this meta, these kinds, (rows,), and these values, one
    for each cell that has a number; the blobs stay the same."""
    present = column.streams[-1].present
    streams = [
        Stream(kinds),
        Stream(values, present),
    ]
    return Coded(meta, streams, column.blobs)
