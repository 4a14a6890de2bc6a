"""Numbers of several origins in one column of text: floats of 32 bits, printed with all digits of
a 64-bit float or with fewer, and plain decimals among them.

    40.07080078125    -151.695999146    35.350498199499995    33.9493

The first is the 32-bit float nearest to 40.0708. The second was printed with 12 digits, the third,
too, and then lies a 64-bit float beside what was printed. The last never was a 32-bit float. Of
each is stored the short decimal, or the 32 bits of the float, and its origin, as a kind: all other
digits follow.

A quotient of whole numbers, what it rounds to in 32 bits (both IEEE 754), and the decimal of so
many digits that is nearest to a float, of two the even one (David Gay's algorithm), are the same on
every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetool.codec import floats
from aetool.codec.floats import Doubles, Mask
from aetool.codec.metas import ALL_DIGITS, FloatMeta, Quotient
from aetool.errors import ArchiveError
from aetool.model import Int

SIGN_OF_SINGLE = np.int32((1 << 31) - 1)
# 32-bit floats, as whole numbers, lie below it, and not below its negative
LARGEST_SINGLE = 1 << 31
SURE_DIGITS = 15  # decimals of so many digits lie farther apart than 64-bit floats do


@dataclass(frozen=True)
class Origin:
    """Where a number comes from, and so how it is stored.

    digits: it was a 32-bit float, and was rounded to so many digits, 1 .. ALL_DIGITS (17), which is
    all of them, or, below 0, to so many decimals; 0: it was none. offset: how many 64-bit floats it
    lies above that, below 0: under it. places: how many decimals the whole number has that is
    stored; None: stored are the bits, 32 or 64, as whole numbers in the floats' order. quotient:
    the number is that of a whole number, which is stored, and was no 32-bit float: `digits` above 0
    are those that it was rounded to; None: it is none.
    """

    digits: int
    offset: int
    places: int | None
    quotient: Quotient | None = None

    def nearest(self, stored: Int) -> Doubles:
        """The floats that stored whole numbers, (n,), stand for, before the offset is added;
        ArchiveError if one is beyond all floats of 32 bits, or of 64."""
        numbers = self._numbers(stored)
        is_number = np.isfinite(numbers)
        if not is_number.all():
            raise ArchiveError("damaged: a column of 32-bit floats has one that is too large")
        return rounded(numbers, self.digits)

    def stored(self, numbers: Doubles) -> tuple[Int, Mask]:
        """Store floats, (n,), by this origin: ((n,) int64 whole numbers, (n,) bool: which floats
        come back from these by `nearest` and the offset); the whole number of a float that does not
        come back means nothing."""
        wholes, fits = self._wholes(numbers)
        # to round to digits takes long: only what is near may be the same then
        before = self._numbers(wholes)
        fits &= are_near(numbers, before, self.digits)
        ordered = floats.ordered_bits(numbers[fits])
        again = rounded(before[fits], self.digits)
        nearest = floats.ordered_bits(again)
        distance = ordered - nearest
        fits[fits] = distance == self.offset
        return wholes, fits

    def _numbers(self, stored: Int) -> Doubles:
        """The floats of stored whole numbers, (n,), before they are rounded to digits: quotients,
        decimals of `places`, or floats by their bits, see Origin. ArchiveError for a quotient whose
        dividend is beyond 2^53, or bits beyond 32 where 32-bit floats are stored."""
        if self.quotient is not None:
            largest = floats.LARGEST_WHOLE / self.quotient.times
            if (np.abs(stored.astype(np.float64)) > largest).any():
                raise ArchiveError("damaged: a column of quotients has one that is too large")
            # whole numbers below 2^53, so that one division rounds, as IEEE 754 says
            dividends = stored.astype(np.float64) * self.quotient.times
            return dividends / np.float64(self.quotient.over)
        if self.places is not None:
            unit = np.float64(10**self.places)
            decimals = stored / unit
            return as_singles(decimals) if self.digits else decimals
        if not self.digits:
            return floats.from_ordered_bits(stored)
        is_below = stored < -LARGEST_SINGLE
        is_above = stored >= LARGEST_SINGLE
        if is_below.any() or is_above.any():
            raise ArchiveError("damaged: a column of 32-bit floats has one of more bits")
        ordered = stored.astype(np.int32)
        turned = ordered ^ SIGN_OF_SINGLE
        bits = np.where(ordered < 0, turned, ordered)
        singles = bits.view(np.float32)
        # bits that are no number are none in 64 bits, too
        with np.errstate(invalid="ignore"):
            return singles.astype(np.float64)

    def _wholes(self, numbers: Doubles) -> tuple[Int, Mask]:
        """The whole numbers that floats, (n,), may come back from by this origin: ((n,) int64, (n,)
        bool: where there is one). Whether they do come back is not looked at, see `stored`."""
        fits = np.ones(len(numbers), np.bool_)
        if self.quotient is not None:
            return _dividends(numbers, self.quotient)
        if self.places is not None:
            unit = np.float64(10**self.places)
            # a number so large that its product is infinite has no whole number either
            with np.errstate(over="ignore"):
                scaled = np.rint(numbers * unit)
            size = np.abs(scaled)
            fits = size < floats.LARGEST_WHOLE
            small = np.where(fits, scaled, 0)
            return small.astype(np.int64), fits
        if not self.digits:
            return floats.ordered_bits(numbers), fits
        with np.errstate(over="ignore"):
            singles = numbers.astype(np.float32)
        bits = singles.view(np.int32)
        turned = bits ^ SIGN_OF_SINGLE
        ordered = np.where(bits < 0, turned, bits)
        return ordered.astype(np.int64), fits


def _dividends(numbers: Doubles, quotient: Quotient) -> tuple[Int, Mask]:
    """Tell which whole numbers floats, (n,), may be quotients of, by the divisor and the multiple
    of `quotient`: ((n,) int64 the whole numbers, 0 where there is none; (n,) bool: where there is
    one)."""
    # a number so large that its product is infinite has no whole number
    with np.errstate(over="ignore"):
        dividends = np.rint(numbers * quotient.over)
    fits = np.abs(dividends) < floats.LARGEST_WHOLE
    small = np.where(fits, dividends, 0).astype(np.int64)
    wholes, left = np.divmod(small, np.int64(quotient.times))
    fits &= left == 0
    # below 0 the next multiple may lie beyond what is a quotient at all
    return np.where(fits, wholes, 0), fits


# ---- floats of 32 bits, and what is printed of them


def as_singles(numbers: Doubles) -> Doubles:
    """The nearest 32-bit floats, (n,), as 64-bit ones; infinite beyond their range."""
    with np.errstate(over="ignore"):
        singles = numbers.astype(np.float32)
    return singles.astype(np.float64)


def rounded(numbers: Doubles, digits: int) -> Doubles:
    """Round numbers, (n,), all finite, to so many significant digits, or, if `digits` is below 0,
    to -digits digits behind the point: the floats nearest to these decimals. For 0 digits, and for
    ALL_DIGITS (17, enough to tell every float from all others), the numbers unchanged."""
    if digits in (0, ALL_DIGITS):
        return numbers
    form = f".{digits}g" if digits > 0 else f".{-digits}f"
    texts = [format(number, form) for number in numbers.tolist()]
    decimals = list(map(float, texts))
    return np.array(decimals, np.float64)


def are_near(
    numbers: Doubles,
    others: Doubles,
    digits: int,
) -> Mask:
    """(n,) bool: which of the numbers may be the others, finite or not, rounded to so many digits,
    0 and ALL_DIGITS (17) for not rounded, below 0 to so many decimals, and moved by a few
    floats."""
    sure_digits = SURE_DIGITS
    if digits > 0:
        sure_digits = min(digits, sure_digits)
    # a number of so many digits is moved by half a unit of the last, of which the first is 1 at
    # least: by a tenth of this
    relative_reach = 10.0 ** (2 - sure_digits)
    reach = np.abs(numbers) * relative_reach
    if digits < 0:
        reach += 10.0**digits
    with np.errstate(invalid="ignore"):
        distance = np.abs(numbers - others)
    is_near = distance <= reach
    return is_near & np.isfinite(others)


# ---- columns


def origins_in(meta: FloatMeta) -> list[Origin]:
    """The origins that a column's meta has, one for each kind of cells with a number, in order.
    ValueError for a meta without `digits`, as that of floats of one origin."""
    count = len(meta.offsets)
    zeros = meta.zeros or (0,) * count
    quotients = meta.quotients or (None,) * count
    kinds = zip(
        meta.digits,
        meta.offsets,
        zeros,
        quotients,
        strict=True,
    )
    origins = []
    for digits, offset, fewer, quotient in kinds:
        places = meta.places
        if places is not None:
            places -= fewer
        origin = Origin(digits, offset, places, quotient)
        origins.append(origin)
    return origins


def _places_beside(origin: Origin) -> int:
    """How early an origin is tried for a number, the lowest first: the decimals of what is stored
    of its numbers, 0 for bits, -1 for quotients."""
    if origin.quotient is not None:
        return -1
    return origin.places or 0


def restored(
    meta: FloatMeta,
    stored: Int,
    kinds: Int,
) -> list[str]:
    """The shortest text of each of the numbers that `taken_apart` took apart, by the meta of their
    column. stored, kinds: (n,) each, whole numbers and indices of origins, only of those that could
    be stored so. ArchiveError for a whole number beyond all floats."""
    ordered = np.zeros(len(stored), np.int64)
    origins = origins_in(meta)
    for kind, origin in enumerate(origins):
        is_of_kind = kinds == kind
        nearest = origin.nearest(stored[is_of_kind])
        before = floats.ordered_bits(nearest)
        ordered[is_of_kind] = before + origin.offset
    numbers = floats.from_ordered_bits(ordered)
    return floats.shortest_texts(numbers, meta.bare)


def taken_apart(
    meta: FloatMeta,
    numbers: Doubles,
) -> tuple[Int, Int, Mask]:
    """Find the whole number and the origin by which each float is stored: ((n,) the whole numbers,
    a decimal without its point or the bits of a float, see Origin; (n,) the kinds, indices into
    `origins_in(meta)`; (n,) bool: which floats any of these origins gives back). Where none does,
    whole number and kind are 0 and mean nothing. numbers: (n,), the floats. Of several origins that
    give a number back a quotient is taken, or the one with the fewest decimals, of those the first
    in the meta."""
    count = len(numbers)
    stored = np.zeros(count, np.int64)
    kinds = np.zeros(count, np.int64)
    is_stored = np.zeros(count, np.bool_)
    origins = origins_in(meta)
    kinds_of_origins = range(len(origins))
    # stable: of as many places the first in the meta, and of bits, which have no places, too
    fewest_first = sorted(kinds_of_origins, key=lambda kind: _places_beside(origins[kind]))
    for kind in fewest_first:
        origin = origins[kind]
        rows = np.flatnonzero(~is_stored)
        open_numbers = numbers[rows]
        wholes, fits = origin.stored(open_numbers)
        suited = rows[fits]
        stored[suited] = wholes[fits]
        kinds[suited] = kind
        is_stored[suited] = True
    return stored, kinds, is_stored
