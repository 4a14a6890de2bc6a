"""Columns of rounded numbers from which other columns of the block were computed: these are not
stored as quotients of whole numbers.

    hours    rate     amount
    7.58     42.50    322.15

The hours are 455 minutes over 60, rounded. Of these minutes the amount does not follow, as it was
computed from what they were rounded to: it would be 322.29. What the minutes save is far less than
what the amount then takes, which else takes nothing.

Nothing here is needed to decode.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.codec import combining, computing
from aetool.codec.columns import Coded
from aetool.codec.metas import (
    Decimals,
    IntegerMeta,
    Meta,
    NumberMeta,
    Quotient,
    Quotients,
    RealMeta,
)
from aetool.codec.plans import MOST_FACTOR
from aetool.codec.streams import Mask
from aetool.model import Float, Int

NEIGHBOURS = 16  # columns of numbers that are looked at, behind a factor, and before a product
ROWS = 64  # that are looked at, from all over the column
FEWEST = 24  # of these must have both numbers
LEAST_SIZE = 64.0  # units, the median of a column that follows from others: less is little to save
FEWEST_SAME = 16  # numbers that must be the same in two columns of few rows


@dataclass(frozen=True, eq=False)
class _Numbers:
    """A column of numbers as they are written. column: itself; by_row: (rows,) int64, in units of
    its last digit, 0 in gaps."""

    column: Coded
    by_row: Int


def keep(columns: Sequence[Coded]) -> None:
    """Remove from `others` of each of the columns of a block, in place, its encodings as quotients
    of whole numbers that were rounded, if a later column was computed from the rounded numbers, and
    would take more bits than these save."""
    if not any(_rounded_ways(column) for column in columns):
        return
    numbers = []
    for column in columns:
        of_column = _numbers_of(column)
        if of_column is not None:
            numbers.append(of_column)
    for place, factor in enumerate(numbers):
        column = factor.column
        ways = _rounded_ways(column)
        if not ways:
            continue
        meta = ways[0].meta
        if _is_needed(numbers, place, meta):
            column.others = [way for way in column.others if way not in ways]


def _rounded_ways(column: Coded) -> list[Coded]:
    """Those of a column's other encodings that store it as quotients which were rounded to a number
    of digits behind the point."""
    return [way for way in column.others if _quotient_of(way.meta) is not None]


def _quotient_of(meta: Meta) -> tuple[Quotient, int] | None:
    """(the quotient that most numbers of a column of this meta are, the digits behind the point
    that they were rounded to); None if it has none, or they were not rounded so."""
    if isinstance(meta, NumberMeta):
        # coarser ones are in front of the commonest
        for quotient in reversed(meta.quotients):
            if quotient is not None:
                return quotient, meta.decimals
    if isinstance(meta, RealMeta) and isinstance(meta.numerals, Quotients):
        numerals = meta.numerals
        if numerals.digits < 0:
            return Quotient(numerals.over, numerals.times), -numerals.digits
    return None


def _numbers_of(column: Coded) -> _Numbers | None:
    """The numbers of a column's first encoding; None if its cells are no numbers, or these do not
    all count in units of one size."""
    meta = column.meta
    if isinstance(meta, NumberMeta):
        if meta.own_units or meta.zeros:
            return None
        if meta.quotients or meta.single is not None:
            return None
    elif isinstance(meta, RealMeta):
        if not isinstance(meta.numerals, Decimals):
            return None
    elif not isinstance(meta, IntegerMeta):
        return None
    # kinds come before values
    place = int(meta.kinds > 1)
    stream = column.streams[place]
    present = stream.present
    if present is None:
        return _Numbers(column, stream.values)
    by_row = np.zeros(len(present), np.int64)
    by_row[present] = stream.values
    return _Numbers(column, by_row)


def _is_needed(numbers: Sequence[_Numbers], place: int, meta: Meta) -> bool:
    """Whether one of the next NEIGHBOURS (16) columns was computed from the rounded numbers of the
    one at this place, so that its numbers should be stored as they are written. meta: of its
    encoding as quotients."""
    factor = numbers[place]
    # of so few rows no column is found to be computed from another, but may be the same
    are_few = len(factor.by_row) < combining.FEWEST
    first = place + 1
    end = first + NEIGHBOURS
    for target_place, target in enumerate(numbers[first:end], first):
        if are_few:
            is_needed = _are_same(factor, target)
        else:
            begin = max(0, target_place - NEIGHBOURS)
            before = numbers[begin:target_place]
            is_needed = _bits_lost(factor, target, before, meta) > 0
        if is_needed:
            return True
    return False


def _are_same(factor: _Numbers, target: _Numbers) -> bool:
    """Whether the target has the numbers of the factor: in at least the share combining.MATCHING
    (0.9) of the rows in which both have a number other than 0, at least FEWEST_SAME (16), the two
    are equal. False if the target could be stored as quotients, too."""
    if _rounded_ways(target.column):
        return False
    rows = _rows_of_both(factor, target)
    if len(rows) < FEWEST_SAME:
        return False
    numbers = factor.by_row[rows]
    others = target.by_row[rows]
    are_same: Mask = numbers == others
    share = are_same.mean()
    return bool(share >= combining.MATCHING)


def _rows_of_both(factor: _Numbers, target: _Numbers) -> Int:
    """The rows, ascending, in which both columns, factor and target, have a number other than 0."""
    have_both = factor.by_row != 0
    have_both &= target.by_row != 0
    return np.flatnonzero(have_both)


def _bits_lost(
    factor: _Numbers,
    target: _Numbers,
    others: Sequence[_Numbers],
    meta: Meta,
) -> float:
    """How many bits more one number of the target and one of the factor take together if the factor
    is stored by `meta`, as quotients, not as it is written; at least 0, and 0 if the target does
    not follow from the factor's rounded numbers, alone or with one of `others`, columns before the
    target. Looked at are at most ROWS (64) rows in which both have a number other than 0; 0 for
    fewer than FEWEST (24), for a target whose median size is below LEAST_SIZE (64) or that is
    constant there, and for a `meta` without quotients."""
    rows = _rows_of_both(factor, target)
    count = min(ROWS, len(rows))
    told = _quotient_of(meta)
    if count < FEWEST or told is None:
        return 0.0
    evenly = np.linspace(0, len(rows) - 1, count)
    places = rows[evenly.astype(np.int64)]
    targets = _floats_at(target, places)
    sizes = np.abs(targets)
    size = float(np.median(sizes))
    if size < LEAST_SIZE or not np.ptp(targets):
        return 0.0
    quotient, decimals = told
    as_written = _floats_at(factor, places)
    units_a_whole = 10.0**decimals * quotient.times / quotient.over
    # what the factor was before it was rounded
    wholes = np.rint(as_written / units_a_whole)
    exact = wholes * units_a_whole
    saved = np.log2(units_a_whole)
    # the first: the factor alone
    values = [np.ones(count)]
    for other in others:
        values.append(_floats_at(other, places))
    partners = np.stack(values)
    most = 0.0
    both = _distances(
        as_written,
        exact,
        partners,
        targets,
        size,
    )
    for off, off_exact in both:
        is_near = off <= 1
        shares = is_near.mean(axis=1)
        for row in np.flatnonzero(shares >= combining.MATCHING):
            bits_now = _bits_of(off[row])
            bits_then = _bits_of(off_exact[row])
            lost = float(bits_then - bits_now - saved)
            most = max(most, lost)
    return most


def _floats_at(numbers: _Numbers, places: Int) -> Float:
    """A column's numbers in the rows `places`, (rows,), as float64."""
    some = numbers.by_row[places]
    return some.astype(np.float64)


def _bits_of(distances: Float) -> float:
    """About how many bits a number takes that lies as far from its prediction as `distances`, (n,),
    not below 0, say: the median of the bits of each, so that a few do not matter."""
    bits = np.log2(1 + 2 * distances)
    return float(np.median(bits))


def _distances(
    as_written: Float,
    exact: Float,
    partners: Float,
    targets: Float,
    size: float,
) -> Iterator[tuple[Float, Float]]:
    """Yield how far targets, (rows,), lie from products of a factor with each of its partners,
    (columns, rows), the first of which are ones, and, where the targets' size is computing.LONG
    (2^20) or more, from quotients of the two: ((columns, rows), by the factor as it is written,
    `as_written`, (rows,); the same by what the encoder finds of its exact quotients, `exact`,
    (rows,)). size: the median size of targets. Distances are in units of which 1 is the largest
    that still counts as near."""
    spread = np.abs(targets - np.median(targets))
    with np.errstate(all="ignore"):
        products = as_written * partners
        ratios = np.median(targets / products, axis=1)
        factors = _whole_or_over_whole(ratios)
        # alone a factor may be weighted with any number
        factors[0] = ratios[0]
        by_partner = factors[:, None]
        off = np.abs(by_partner * products - targets)
        exact_products = exact * partners
        off_exact = np.abs(by_partner * exact_products - targets)
        # a product that is not as near is not found
        is_near = off_exact <= 1
        is_lost = is_near.mean(axis=1) < combining.MATCHING
        is_lost[0] = False
        off_exact[is_lost] = spread
        yield _finite(off), _finite(off_exact)
        if size < computing.LONG:
            return
        sizes = np.abs(targets)
        allowed = np.maximum(computing.NEAR * sizes, computing.UNITS)
        others = partners[1:]
        for computed in (as_written / others, others / as_written):
            medians = np.median(targets / computed, axis=1)
            # powers of ten alone are tried there: of exact quotients nothing follows
            logarithms = np.log10(np.abs(medians))
            powers = 10.0 ** np.rint(logarithms)
            signed = np.sign(medians) * powers
            distances = np.abs(signed[:, None] * computed - targets)
            off = distances / allowed
            off_exact = np.broadcast_to(spread / allowed, off.shape)
            yield _finite(off), off_exact


def _whole_or_over_whole(ratios: Float) -> Float:
    """Each of the ratios, (n,), as the nearest whole number, or, of those between -1 and 1, as 1
    over the whole number that is nearest to 1 over the ratio; NaN for those whose factor or divisor
    would be above MOST_FACTOR (2^40)."""
    above = np.rint(ratios)
    below = 1 / np.rint(1 / ratios)
    factors = np.where(np.abs(ratios) < 1, below, above)
    sizes = np.abs(factors)
    is_allowed = sizes <= MOST_FACTOR
    is_allowed &= sizes >= 1 / MOST_FACTOR
    return np.where(is_allowed, factors, np.nan)


def _finite(distances: Float) -> Float:
    """The distances, with a quarter of the largest float in place of NaN and of all that is larger.
    A new array."""
    largest = np.finfo(np.float64).max / 4
    numbers = np.where(np.isnan(distances), largest, distances)
    return np.minimum(numbers, largest)
