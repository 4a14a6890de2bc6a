"""Columns of numbers of which some end in more zeros than others: each kind is stored in units of
its own last digit.

Whole numbers among ratios of nine digits, say, where something could not be divided: in units of
the last digit they are large, and their digits behind the point, of which nothing is known to the
coder, take bits though they are all 0. In units of their own they do not.

Numbers that people round, too, such as incomes, prices and populations: 45000 and 4500 are both 45,
and how many zeros are behind it is a kind. There are far fewer different such numbers, which are
met again sooner than the whole ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from aetool.codec.columns import Coded, in_kinds, kinds_of
from aetool.codec.metas import NumberMeta
from aetool.codec.spans import DIGITS, SHORT, SHORT_ONE
from aetool.codec.streams import Stream
from aetool.codec.text_decimals import kinds_by_zeros
from aetool.model import Int

FEWEST = 32  # numbers of either sort
LEAST_APART = 3  # digits between them: less is little to gain
LEAST_DIGITS = {SHORT: 0, SHORT_ONE: 1}  # that a form of as few digits as needed writes
ROUNDED = 0.3  # of the numbers end in more zeros than nearly all: by chance a tenth would
NEARLY_ALL = 0.02  # of the numbers may end in fewer zeros than what is compared with
FEWEST_DIFFERENT = 16  # numbers: fewer are known soon, whatever they end in
FEWEST_OF_A_KIND = 4  # numbers that end in so many zeros, for a kind of their own
# of the bits expected with zeros may those without take: contexts save more among these. On 300
# tables of R packages few columns above it, and most of those below it, take fewer in the end
PROMISING = 1.06
# of the bits with zeros must those without take to be written: how large a number is is not seen
# any more where columns behind it are foretold
WORTH = 0.93
NAMED = 1.5  # bits, beside those of its distance from the one before, that name a new number


def offer(columns: Sequence[Coded]) -> None:
    """Add to `others` of each column of numbers, in place, its encoding with numbers of few digits
    behind the point in units of their own, where that may take fewer bits: their unit lies
    LEAST_APART (3) digits or more above the column's last one, and, if one form writes all numbers,
    at least FEWEST (32) have few digits and as many have more. Add, too, the encoding of numbers
    without the zeros at their end, where many end in more than others, see `_without_zeros`. Other
    columns, and those rounded within a bound, stay as they are."""
    for column in columns:
        meta = column.meta
        if not isinstance(meta, NumberMeta) or meta.step > 1:
            continue
        rounded = _without_zeros(column, meta)
        if rounded is not None:
            column.others.append(rounded)
        if meta.decimals < LEAST_APART:
            continue
        # where one form writes all numbers those of few digits get a kind of their own
        encode_apart = _few_digits_apart if meta.valued == 1 else _each_in_own_units
        way = encode_apart(column, meta)
        if way is not None:
            column.others.append(way)


def _few_digits_apart(column: Coded, meta: NumberMeta) -> Coded | None:
    """Another encoding of a column of one form (way to write its numbers), of this meta: with a
    second kind for numbers of the fewest digits behind the point that the form writes, in units of
    their last digit. None if fewer than FEWEST (32) are of either kind, if the form is not SHORT or
    SHORT_ONE, or the column has less than LEAST_APART (3) digits more than these."""
    fewest_digits = LEAST_DIGITS.get(meta.forms[0])
    if fewest_digits is None or meta.decimals < fewest_digits + LEAST_APART:
        return None
    # a second form, of numbers with no more digits behind the point than these
    forms = (*meta.forms, fewest_digits)
    own_meta = dataclasses.replace(meta, forms=forms, own_units=True)
    unit = own_meta.units[-1]
    values = column.streams[-1].values
    has_few_digits = values % unit == 0
    short_count = int(has_few_digits.sum())
    long_count = len(values) - short_count
    if min(short_count, long_count) < FEWEST:
        return None
    stored_values = np.where(has_few_digits, values // unit, values)
    kinds_of_values = has_few_digits.astype(np.int64)
    return in_kinds(column, own_meta, kinds_of_values, stored_values)


def _each_in_own_units(column: Coded, meta: NumberMeta) -> Coded | None:
    """Another encoding of a column of several forms (ways to write its numbers), of this meta: with
    the numbers of each form in units of their own last digit. None if the largest of these units is
    less than LEAST_APART (3) digits above the last digit of the column."""
    own_meta = dataclasses.replace(meta, own_units=True)
    units = np.array(own_meta.units, np.int64)
    if units.max() < 10**LEAST_APART:
        return None
    kinds = kinds_of(column)
    has_value = kinds < meta.valued
    values = column.streams[-1].values
    stored_values = values // units[kinds[has_value]]
    streams = [
        Stream(kinds),
        Stream(stored_values, column.streams[-1].present),
    ]
    return Coded(own_meta, streams, column.blobs)


def _without_zeros(column: Coded, meta: NumberMeta) -> Coded | None:
    """Another encoding of a column of one form (way to write its numbers), of this meta: with the
    numbers that end in so many zeros as a kind of their own, and stored without these. None unless
    there are FEWEST (32) numbers, FEWEST_DIFFERENT (16) different ones, and ROUNDED (0.3) of those
    that are not 0 end in more zeros than nearly all do; nor where the numbers and kinds by
    themselves, looked at one by one, take more than PROMISING (1.06) times the bits of before, nor
    for 32-bit floats that are stored by fewer digits (meta.single)."""
    values = column.streams[-1].values
    if meta.valued > 1 or meta.single is not None or len(values) < FEWEST:
        return None
    different = np.unique(values)
    if len(different) < FEWEST_DIFFERENT:
        return None
    zeros_at_end = _zeros_at_the_end(values)
    is_zero = values == 0
    zeros_at_end = zeros_at_end[~is_zero]
    zeros_of_nearly_all = np.quantile(zeros_at_end, NEARLY_ALL, method="lower")
    is_rounded = zeros_at_end > zeros_of_nearly_all
    if is_rounded.mean() < ROUNDED:
        return None
    zeros = _zeros_of_kinds(zeros_at_end)
    own_meta = dataclasses.replace(
        meta,
        forms=meta.forms * len(zeros),
        zeros=zeros,
    )
    kinds_of_values = kinds_by_zeros(values, zeros)
    units = np.array(own_meta.units, np.int64)
    stored_values = values // units[kinds_of_values]
    expected_bits = _bits_of(stored_values) + _bits_of(kinds_of_values)
    if expected_bits > PROMISING * _bits_of(values):
        return None
    way = in_kinds(column, own_meta, kinds_of_values, stored_values)
    way.expected_bits = expected_bits
    way.worth = WORTH
    return way


def _zeros_of_kinds(ends: Int) -> tuple[int, ...]:
    """How many zeros the numbers of each kind are to lack, ascending: such counts as at least
    FEWEST_OF_A_KIND (4) numbers end in, and the fewest. ends: (n,), the zeros that each number ends
    in, n at least 1."""
    counts = np.bincount(ends)
    often = np.flatnonzero(counts >= FEWEST_OF_A_KIND)
    # what ends in fewer zeros than each of the kinds lacks needs one, too
    fewest = ends.min()
    zeros = np.union1d(often, fewest)
    return tuple(zeros.tolist())


def _bits_of(values: Int) -> float:
    """About how many bits values, (n,) with n at least 1, take where nothing is known of them: each
    by how often it comes, and once for every different one a name, by how far these lie apart."""
    different, counts = np.unique(values, return_counts=True)
    shares = counts / len(values)
    bits_of_each = -np.log2(shares)
    bits_by_frequency = counts @ bits_of_each
    # floats, as the span of numbers of 64 bits may not fit these
    lowest = float(different[0])
    highest = float(different[-1])
    span = highest - lowest + 1
    apart = max(span / len(different), 1.0)
    bits_of_name = np.log2(apart) + NAMED
    bits_of_names = len(different) * bits_of_name
    return float(bits_by_frequency + bits_of_names)


def _zeros_at_the_end(values: Int) -> Int:
    """For each of values, (n,) int64, how many zeros it ends in, in decimal notation: (n,), 0 to
    18; of 0 as many as any has."""
    ends = np.zeros(len(values), np.int64)
    for count in range(1, DIGITS + 1):
        unit = np.int64(10**count)
        is_multiple = values % unit == 0
        # higher powers of ten divide 0 alone, too
        if not values[is_multiple].any():
            break
        ends[is_multiple] = count
    return ends
