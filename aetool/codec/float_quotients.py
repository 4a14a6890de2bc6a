"""Which columns of floats, written with all digits or nearly all, are quotients of whole numbers.

    1991.58333333333    0.333333333333333    24.607142857142858

Months as years, 23899 / 12; means of a few numbers, 1 / 3 and 689 / 28. Of each the whole number is
stored, and all digits follow. Programs that write 15 digits are told from those that write as many
as tell the float.

Nothing here is needed to decode: `origins` has what a column's meta says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool.codec import floats
from aetool.codec.floats import Doubles
from aetool.codec.metas import (
    ALL_DIGITS,
    LARGEST_DIVISOR,
    MOST_DECIMALS,
    FloatMeta,
    Quotient,
)
from aetool.codec.origins import Origin
from aetool.codec.quotients import divisors_to_try, in_lowest_terms, spread

DIGITS_OF_WHOLES = 18  # of any whole number of 64 bits: decimals of fewer are no quotients
FEWEST_LONG = 16  # different numbers of many digits
LEAST_DIGITS = 9  # of these, behind which nothing else is told by chance
LOOK = 64  # numbers by which a divisor is found
MOST_LONG = 1024  # by which it is told how many digits are written
LEAST_SHARE = 0.5  # of the long numbers must be quotients of it
DIGITS = (ALL_DIGITS, 15, 16)  # that programs write of a float
NEAR = 6e-15  # of a number that was rounded to 15 digits lies it from its quotient at most
LARGEST_DIVIDEND = 1e9  # beyond it numbers are near a quotient by chance
NEAR_QUOTIENT = 2  # floats between a quotient and a number that was computed in more than one step
MOST_OFFSETS = 3
MOST_ODD = 0.1  # of the different numbers may be neither quotients nor decimals
BY_CHANCE = 8  # numbers at least at an offset, for a kind of their own


def may_be_there(sample: Doubles) -> bool:
    """Whether numbers of a sample, (n,), may be quotients of whole numbers: the quotients of one
    divisor are at least half of those that have nine digits or more; False if none has."""
    long_numbers = _long_numbers(sample)
    return len(long_numbers) > 0 and _divisor(long_numbers) is not None


def meta_of(numbers: Doubles, bare: bool) -> FloatMeta | None:
    """The meta by which a column of these numbers, (n,), may be stored as quotients, and its other
    numbers as decimals; None if fewer than FEWEST_LONG (16) different numbers have nine digits or
    more, no divisor makes half of these, or more than MOST_ODD (0.1) of all are neither quotients
    nor decimals. bare: whether whole numbers are written without
    ".0"."""
    different = np.unique(numbers)
    commonest = commonest_in(different)
    if commonest is None:
        return None
    quotient, digits = commonest
    offsets = _offsets(different, quotient, digits)
    kinds = [Origin(digits, offset, None, quotient) for offset in offsets]
    left = different
    for origin in kinds:
        _, fits = origin.stored(left)
        left = left[~fits]
    places = None
    if len(left):
        places = _places(left)
    if places is not None:
        decimal = Origin(0, 0, places)
        _, fits = decimal.stored(left)
        left = left[~fits]
        kinds.append(decimal)
    # each odd cell takes far more than a quotient saves
    if len(left) > MOST_ODD * len(different):
        return None
    return FloatMeta(
        places=places,
        offsets=tuple(kind.offset for kind in kinds),
        bare=bare,
        digits=tuple(kind.digits for kind in kinds),
        quotients=tuple(kind.quotient for kind in kinds),
    )


def commonest_in(different: Doubles) -> tuple[Quotient, int] | None:
    """(the quotient that most of different numbers, (n,) ascending, are, the digits that it was
    rounded to, ALL_DIGITS (17) for none); None if fewer than FEWEST_LONG (16) have nine digits or
    more, or no divisor makes half of these."""
    sample = different[spread(len(different), MOST_LONG)]
    long_numbers = _long_numbers(sample)
    if len(long_numbers) < FEWEST_LONG:
        return None
    divisor = _divisor(long_numbers[spread(len(long_numbers), LOOK)])
    if divisor is None:
        return None
    digits = _digits_written(long_numbers, divisor)
    if digits is None:
        return None
    quotient = Quotient(divisor)
    wholes, fits = Origin(digits, 0, None, quotient).stored(different)
    return in_lowest_terms(quotient, wholes[fits]), digits


def _long_numbers(numbers: Doubles) -> Doubles:
    """Those of the numbers, (n,), that have LEAST_DIGITS (9) digits or more, zeros at both ends not
    counted."""
    is_long = [len(_digits_of(number)) >= LEAST_DIGITS for number in numbers.tolist()]
    return numbers[np.array(is_long, np.bool_)]


def _digits_of(number: float) -> str:
    """The digits of the shortest text of a number (Python's repr), without its sign, point and
    exponent, and without zeros at both ends."""
    digits, _, _ = repr(number).partition("e")
    return digits.replace(".", "").strip("-0")


def _divisor(long_numbers: Doubles) -> int | None:
    """The divisor whose quotients most of `long_numbers`, (n,), at least one, are, as near as 15
    digits are, the smallest of those that make as many; None if that is less than LEAST_SHARE (0.5)
    of them."""
    divisors = divisors_to_try(LARGEST_DIVISOR, DIGITS_OF_WHOLES)
    by_divisor = divisors.astype(np.float64)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        dividends = np.rint(long_numbers * by_divisor)
        distance = np.abs(dividends / by_divisor - long_numbers)
        is_near = distance <= NEAR * np.abs(long_numbers)
    is_near &= np.abs(dividends) <= LARGEST_DIVIDEND
    shares = is_near.mean(axis=1)
    best = int(shares.argmax())
    return int(divisors[best]) if shares[best] >= LEAST_SHARE else None


def _digits_written(numbers: Doubles, divisor: int) -> int | None:
    """To how many digits the quotients of `divisor` among the numbers, (n,), were rounded, one of
    DIGITS (17 for all digits, 15, 16): that by which most of the numbers are just such a quotient,
    the first of equal ones; None if no number is one by any."""
    counts = []
    for digits in DIGITS:
        _, fits = Origin(digits, 0, None, Quotient(divisor)).stored(numbers)
        counts.append(int(fits.sum()))
    most = max(counts)
    return DIGITS[counts.index(most)] if most else None


def _offsets(numbers: Doubles, quotient: Quotient, digits: int) -> Sequence[int]:
    """How many floats numbers, (n,), lie above their quotients of `quotient`: 0 first, and, where
    `digits` is ALL_DIGITS (17), those of -2 to 2 at which BY_CHANCE (8) numbers or more lie,
    ascending; the first MOST_OFFSETS (3) of these, 0 included."""
    offsets = [0]
    if digits != ALL_DIGITS:
        return offsets
    for offset in range(-NEAR_QUOTIENT, NEAR_QUOTIENT + 1):
        _, fits = Origin(digits, offset, None, quotient).stored(numbers)
        if offset and fits.sum() >= BY_CHANCE:
            offsets.append(offset)
    return offsets[:MOST_OFFSETS]


def _places(numbers: Doubles) -> int | None:
    """The fewest decimals, 0 to MOST_DECIMALS (15), with which at least 98 % of the numbers, (n,),
    at least one, are just the float nearest to a decimal; None if no number of decimals will do."""
    for places in range(MOST_DECIMALS + 1):
        _, above = floats.by_decimals(numbers, places)
        if (above == 0).mean() >= floats.NEARLY_ALL:
            return places
    return None
