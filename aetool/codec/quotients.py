"""Columns of numbers that are quotients of whole numbers, rounded to some digits: stored are the
whole numbers.

    3.6    1.8    3.333    2.283

Minutes, written as hours, or seconds as minutes: 216 / 60, 108 / 60, 200 / 60, 137 / 60. So are
ages in months, written as years; angles of minutes and seconds, as degrees; means of a few whole
numbers, of few digits each; days, as years of 365.25 days, which are 4 / 1461 of a year. The digits
behind the point look like noise to a coder, and follow from far smaller numbers.

How a quotient is rounded is arithmetic of whole numbers, the same on every machine.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from aetool.codec.columns import Coded, in_kinds
from aetool.codec.floats import Doubles, Mask
from aetool.codec.metas import LARGEST_DIVISOR, MOST_OF_QUOTIENT, NumberMeta, Quotient, Rounding
from aetool.codec.streams import Stream
from aetool.errors import ArchiveError
from aetool.model import Int

FEWEST = 32  # numbers of a column that is tried
FEWEST_DIFFERENT = 16  # numbers: fewer are known soon, whatever their digits
LOOK = 64  # different numbers, at most, by which a divisor is seen to be likely
SECOND_LOOK = 512  # different ones by which that is seen again
MOST_LIKELY = 24  # divisors that are looked at again
LARGEST_TRIED = 1500  # divisors
# means of so many numbers at most, of 1 to 3 digits behind the point
LARGEST_OF_MEANS = 400
POWERS_OF_MEANS = (10, 100, 1000)
LEAST_BITS = 0.2  # that a divisor must save of each number, as far as its sample tells
MOST_QUOTIENTS = 3  # kinds of quotients of one column
LARGEST = 1 << 62  # of numbers in units of the last digit


# ---- arithmetic


def rounded(wholes: Int, quotient: Quotient, decimals: int) -> Int:
    """The quotients of whole numbers, (n,) int64, rounded to so many digits behind the point: (n,)
    int64, in units of the last of these. ArchiveError if a whole number times quotient.times, or a
    quotient in these units, would be beyond 2^62 or -2^62."""
    unit = 10**decimals
    largest_whole = LARGEST // quotient.times
    is_above = wholes > largest_whole
    is_below = wholes < -largest_whole
    if is_above.any() or is_below.any():
        raise ArchiveError("damaged: a column of quotients has one that is too large")
    # 0.5 and -0.5 are rounded alike, so that signs are put back at the end
    dividends = np.abs(wholes) * np.int64(quotient.times)
    before_point, left = np.divmod(dividends, np.int64(quotient.over))
    if (before_point >= LARGEST // unit).any():
        raise ArchiveError("damaged: a column of quotients has one that is too large")
    left_in_units = left * np.int64(unit)
    behind_point, rest = np.divmod(left_in_units, np.int64(quotient.over))
    sizes = before_point * np.int64(unit)
    sizes += behind_point
    sizes += _goes_up(sizes, rest, quotient.over, quotient.rounding)
    return np.where(wholes < 0, -sizes, sizes)


def _goes_up(sizes: Int, rest: Int, over: Int | int, rounding: Rounding) -> Mask:
    """Tell which quotients are rounded up: bool, of the shape that the arguments make together.
    sizes: their whole parts, 0 or more; rest: what was left of the division by `over`; rounding: up
    from more than a half on, of a half where it says so (HALF_EVEN: where the whole part is odd;
    HALF_UP: always), or never (CUT_OFF)."""
    if rounding == Rounding.CUT_OFF:
        return np.zeros(rest.shape, np.bool_)
    is_half = 2 * rest == over
    if rounding == Rounding.HALF_EVEN:
        is_half &= sizes % 2 == 1
    goes_up: Mask = (2 * rest > over) | is_half
    return goes_up


def rounded_by_kind(meta: NumberMeta, values: Int, kinds: Int) -> Int:
    """The numbers of a column of quotients, in units of its last digit: (n,) int64. values: (n,),
    what is stored of each; kinds: (n,), the place of each number's form in the meta. ArchiveError
    for a quotient that is too large."""
    numbers = values.copy()
    for kind, quotient in enumerate(meta.quotients):
        if quotient is not None:
            is_of_kind = kinds == kind
            numbers[is_of_kind] = rounded(values[is_of_kind], quotient, meta.decimals)
    return numbers


def _dividends(values: Int, quotient: Quotient, decimals: int) -> tuple[Int, Mask]:
    """Find the whole numbers that give numbers, (n,) in units of 10^-decimals, as this quotient:
    ((n,) whole numbers, (n,) bool: which of the numbers come back from these). values times its
    divisor are within 2^61."""
    wholes = _nearest_dividends(values, quotient.over, decimals, quotient.rounding)
    wholes, left = np.divmod(wholes, np.int64(quotient.times))
    fits = left == 0
    fits &= rounded(wholes, quotient, decimals) == values
    return wholes, fits


def _nearest_dividends(
    values: Int,
    over: Int | int,
    decimals: int,
    rounding: Rounding,
) -> Int:
    """The whole numbers that, over a divisor, are nearest to numbers in units of 10^-decimals, or,
    if digits are cut off, the nearest ones that are not nearer to 0 than these; with the numbers'
    signs, of halves the one farther from 0. values, over: numbers and divisors of shapes that go
    together, their products within 2^61."""
    unit = np.int64(10**decimals)
    products = np.abs(values) * over
    if rounding == Rounding.CUT_OFF:
        sizes = -(-products // unit)
    else:
        sizes = (2 * products + unit) // (2 * unit)
    return np.where(values < 0, -sizes, sizes)


# ---- which quotients a column has


def offer(columns: Sequence[Coded]) -> None:
    """Add to `others` of each column of numbers, in place, its encodings as quotients of whole
    numbers, one or two, where these may take fewer bits. Columns of whole numbers, those rounded
    within a bound, written in several forms, of fewer than FEWEST (32) numbers or FEWEST_DIFFERENT
    (16) different ones, or with numbers too large for it stay as they are."""
    for column in columns:
        meta = column.meta
        if not isinstance(meta, NumberMeta):
            continue
        if meta.step > 1 or meta.valued > 1 or not meta.decimals:
            continue
        values = column.streams[-1].values
        if len(values) < FEWEST:
            continue
        for quotients in quotients_in(values, meta.decimals):
            way = _encoded(column, meta, quotients)
            column.others.append(way)


def quotients_in(values: Int, decimals: int) -> list[list[Quotient]]:
    """The quotients that numbers, (n,) in units of 10^-decimals, are, in one way or two, each a
    list of kinds. The last list has the commonest quotients, at most MOST_QUOTIENTS (3), each found
    among the numbers that those before it leave. If many of the whole numbers of one are multiples
    of a factor of its divisor, a list comes before that, which has the coarser quotient as a kind
    of its own in front of the finer one. [] if no quotient saves enough."""
    different = np.unique(values)
    divisors = _divisors_for(different, decimals)
    commonest: list[Quotient] = []
    with_parts: list[Quotient] = []
    while len(commonest) < MOST_QUOTIENTS:
        quotient = _commonest_quotient(different, divisors, decimals)
        if quotient is None:
            break
        dividends, fits = _dividends(different, quotient, decimals)
        factor = _common_divisor_of_many(dividends[fits], quotient.over)
        # whole minutes among angles of seconds are far fewer, and are looked for first
        if factor > 1:
            coarser = dataclasses.replace(quotient, over=quotient.over // factor)
            with_parts.append(coarser)
        commonest.append(quotient)
        with_parts.append(quotient)
        # what is left may be quotients of another divisor
        different = different[~fits]
    if not commonest:
        return []
    if with_parts == commonest:
        return [commonest]
    return [with_parts, commonest]


def _common_divisor_of_many(dividends: Int, over: int) -> int:
    """The factor of `over`, 2 or more and less than `over`, that saves most bits where those of the
    dividends, (n,), n > 0, that are its multiples are stored as such, as a kind of their own; of
    factors as good the largest. 1 if none saves more than LEAST_BITS (0.2) of each dividend. over:
    the divisor of the quotient, in lowest terms with the dividends."""
    best = (LEAST_BITS, 1)
    for factor in range(2, over // 2 + 1):
        if over % factor:
            continue
        are_multiples = dividends % factor == 0
        share = are_multiples.mean(keepdims=True)
        bits = share * np.log2(factor) - _entropy(share)
        best = max(best, (float(bits[0]), factor))
    _, factor = best
    return factor


def _entropy(shares: Doubles) -> Doubles:
    """The bits that tell of two kinds of which it is, for each share, 0 .. 1, of one of them."""
    # of a kind that is alone nothing is to be told
    is_mixed = (shares > 0) & (shares < 1)
    mixed = np.where(is_mixed, shares, 0.5)
    others = 1 - mixed
    bits = -mixed * np.log2(mixed) - others * np.log2(others)
    return np.where(is_mixed, bits, 0.0)


def _commonest_quotient(different: Int, divisors: Int, decimals: int) -> Quotient | None:
    """The quotient, of one of the divisors, (m,), that saves most bits of different numbers, (n,)
    in units of 10^-decimals; None if none saves LEAST_BITS (0.2) of each, or fewer than
    FEWEST_DIFFERENT (16) of them are no multiples of 5."""
    # numbers of fewer digits are quotients of many divisors
    many_digits = different[different % 5 != 0]
    if len(many_digits) < FEWEST_DIFFERENT:
        return None
    likely, _ = _best_first(many_digits, divisors, decimals, LOOK)
    # what saves few bits of a few numbers may save more of all
    likely = likely[:MOST_LIKELY]
    likely, roundings = _best_first(many_digits, likely, decimals, SECOND_LOOK, LEAST_BITS)
    if not len(likely):
        return None
    quotient = Quotient(int(likely[0]), 1, roundings[0])
    dividends, fits = _dividends(different, quotient, decimals)
    return in_lowest_terms(quotient, dividends[fits])


def _best_first(
    numbers: Int,
    divisors: Int,
    decimals: int,
    look: int,
    least_bits: float = 0.0,
) -> tuple[Int, list[Rounding]]:
    """Those of the divisors, (m,), that save more than so many bits of each number, by a look at
    so many of these: (the divisors, those that save most first, of as good ones the smallest; how
    the quotients of each are rounded). numbers: (n,) different ones in units of 10^-decimals."""
    sample = numbers[spread(len(numbers), look)]
    saved, roundings = _bits_saved(sample, divisors, decimals)
    order = np.argsort(-saved, kind="stable")
    order = order[saved[order] > least_bits]
    return divisors[order], [roundings[place] for place in order.tolist()]


def _divisors_for(different: Int, decimals: int) -> Int:
    """The divisors that are tried for different numbers, (n,) in units of 10^-decimals, ascending
    both: those that make quotients farther apart than the last digit, as far as arithmetic of 64
    bits goes."""
    unit = 10**decimals
    # what is left of a division is multiplied by the unit
    most = min(unit - 1, LARGEST_DIVISOR, (MOST_OF_QUOTIENT - 1) // unit)
    divisors = divisors_to_try(most, decimals)
    lowest = int(different[0])
    highest = int(different[-1])
    largest = max(abs(lowest), abs(highest), 1)
    # twice a product must fit 64 bits
    return divisors[divisors <= LARGEST // 2 // largest]


def divisors_to_try(largest: int, decimals: int) -> Int:
    """The divisors that are tried, (m,), ascending, at most `largest`: from 2 to LARGEST_TRIED
    (1,500), and to LARGEST_OF_MEANS (400) times 10, 100 and 1,000; those whose quotients are just
    so many decimals are left out."""
    small = np.arange(2, LARGEST_TRIED + 1)
    counts = np.arange(2, LARGEST_OF_MEANS + 1)
    of_means = np.outer(counts, POWERS_OF_MEANS)
    divisors = np.union1d(small, of_means)
    divisors = divisors[divisors <= largest]
    leaves_digits = 10**decimals % divisors != 0
    are_tried: Int = divisors[leaves_digits]
    return are_tried


def spread(length: int, most: int) -> slice:
    """The slice that takes at most `most` of `length` things, at even distances, the first one
    always; all of them if they are no more."""
    every = -(-length // most)
    return slice(None, None, max(1, every))


def _bits_saved(
    sample: Int,
    divisors: Int,
    decimals: int,
) -> tuple[Doubles, list[Rounding]]:
    """How many bits of each number it saves to store those that are quotients of a divisor as their
    dividends, and all others, a kind of their own, as they are: ((m,) bits, below 0 where it costs
    some; for each divisor how its quotients are rounded). sample: (n,) different numbers in units
    of 10^-decimals; divisors: (m,)."""
    unit = np.int64(10**decimals)
    by_divisor = divisors[:, None]
    sizes = np.abs(sample)
    shares = []
    for rounding in Rounding:
        dividends = _nearest_dividends(sizes, by_divisor, decimals, rounding)
        whole_parts, rest = np.divmod(dividends * unit, by_divisor)
        whole_parts += _goes_up(whole_parts, rest, by_divisor, rounding)
        fits = whole_parts == sizes
        shares.append(fits.mean(axis=1))
    share_of_each = np.array(shares)
    best_rounding = share_of_each.argmax(axis=0)
    share = share_of_each.max(axis=0)
    share_by_chance = divisors / unit
    bits = share * -np.log2(share_by_chance) - _entropy(share)
    roundings = [Rounding(number) for number in best_rounding.tolist()]
    return bits, roundings


def in_lowest_terms(quotient: Quotient, dividends: Int) -> Quotient:
    """The same quotient, whose factor `times` is 1, with the greatest common factor of its whole
    numbers as its factor, and both numbers in lowest terms: 2, 4, 6 over 60 are 1, 2, 3 over 30. As
    it was where the whole numbers have no common factor, are all 0, or have one above
    LARGEST_DIVISOR (10^7). dividends: (n,), the whole numbers so far."""
    factor = int(np.gcd.reduce(dividends))
    if not 1 < factor <= LARGEST_DIVISOR:
        return quotient
    common = math.gcd(factor, quotient.over)
    return dataclasses.replace(
        quotient,
        over=quotient.over // common,
        times=factor // common,
    )


# ---- the column


def _encoded(column: Coded, meta: NumberMeta, quotients: Sequence[Quotient]) -> Coded:
    """Another encoding of a column of numbers of one form, of this meta: those that are quotients
    as their whole numbers, a kind for each of the quotients, and all others, where there are some,
    as they are, one kind more."""
    values = column.streams[-1].values
    stored = values.copy()
    kinds_of_values = np.full(len(values), len(quotients))
    is_open = np.ones(len(values), np.bool_)
    for kind, quotient in enumerate(quotients):
        wholes, fits = _dividends(values, quotient, meta.decimals)
        fits &= is_open
        stored[fits] = wholes[fits]
        kinds_of_values[fits] = kind
        is_open &= ~fits
    all_quotients: tuple[Quotient | None, ...] = tuple(quotients)
    if is_open.any():
        all_quotients = (*quotients, None)
    own_meta = dataclasses.replace(
        meta,
        forms=meta.forms * len(all_quotients),
        quotients=all_quotients,
    )
    if len(all_quotients) > 1:
        return in_kinds(column, own_meta, kinds_of_values, stored)
    stored_stream = Stream(stored, column.streams[-1].present)
    return Coded(own_meta, [*column.streams[:-1], stored_stream], column.blobs)
