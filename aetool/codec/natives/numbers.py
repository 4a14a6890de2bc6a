"""Whole numbers and floats of one column as streams of int64, bit for bit or within a bound.

Gaps (nulls) are not NaN, a NaN of other bits is not the usual one, and -0.0 is not 0.0: each comes
back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from aetool.codec import float_quotients, quotients
from aetool.codec.columns import Coded, Decoded, errors_as_damage
from aetool.codec.floats import FEWER_PLACES
from aetool.codec.metas import (
    LARGEST_STEP,
    MOST_DECIMALS,
    Bits,
    Decimals,
    IntegerMeta,
    Meta,
    Multiples,
    Numerals,
    Quotient,
    Quotients,
    RealMeta,
)
from aetool.codec.natives.bounding import Floats, Grid, Integers, Mask, distances, within
from aetool.codec.origins import Origin
from aetool.codec.streams import Stream
from aetool.errors import ArchiveError
from aetool.model import Int

NEARLY_ALL = 0.98  # of the floats are decimals: then the others are kept as their bits
MOST_ODD = 0.25  # of the values may be kept as they are before a bound is not worth its grid
LEAST_QUOTIENTS = 0.5  # of the doubles must be quotients, to be stored as these
MOST_ROUNDED_TO = 9  # decimals: those with more are told by their digits
GRID_SHARE = 1.99  # of the bound: the distance of a grid's points; less than 2 leaves room to round
LEAST_MULTIPLE = 10  # a smaller common divisor saves nothing
FEW = 64  # values looked at before all are


@dataclass(frozen=True)
class FloatType:
    """The properties of float16, float32 or float64. bits: how many one float has; digits: of its
    significand, binary; whole: the integer dtype of as many bits; dtype: that of the floats."""

    bits: int
    digits: int  # binary digits of the significand
    whole: npt.DTypeLike
    dtype: npt.DTypeLike

    @property
    def usual_nan(self) -> int:
        """The bits of the NaN that numpy, Arrow and processors write, as a whole number of the
        dtype `whole`."""
        usual = np.array(np.nan, self.dtype)
        return int(usual.view(self.whole))

    @property
    def most_decimals(self) -> int:
        """The most digits behind the point with which a float may take fewer bits as a decimal than
        as its own bits; at most MOST_DECIMALS (15)."""
        return min(MOST_DECIMALS, self.digits * 3 // 10)


FLOATS = {
    16: FloatType(16, 11, np.int16, np.float16),
    32: FloatType(32, 24, np.int32, np.float32),
    64: FloatType(64, 53, np.int64, np.float64),
}


# ---- whole numbers


def encode_integers(
    values: Integers,
    gaps: Mask | None = None,
    grid: Grid | None = None,
) -> Coded:
    """Encode a column of whole numbers, (n,) int64 or uint64. gaps: (n,) bool, which are missing,
    or None; what stands there is lost.

    grid: rounds the numbers within an error bound, and the result notes the errors; None: they come
    back exactly. ArchiveError if one is off by more than its grid allows.
    """
    present = None
    numbers = values
    if gaps is not None and gaps.any():
        present = ~gaps
        numbers = values[present]
    has_gaps = present is not None
    if grid is None:
        stored, multiple = _divided_by_common_divisor(numbers)
        coded = Coded(IntegerMeta(has_gaps, multiple))
    else:
        stored = grid.quantise(numbers)
        meta = IntegerMeta(has_gaps, multiple=1, allowed=grid.allowed)
        coded = Coded(meta)
        coded.error, coded.square = _errors_of(numbers, stored, grid)
    # a stream of its own says which rows are gaps, 1, or have a number, 0
    if present is not None:
        kinds = (~present).astype(np.int64)
        coded.streams.append(Stream(kinds))
    coded.streams.append(Stream(stored, present))
    return coded


def _divided_by_common_divisor(numbers: Integers) -> tuple[Int, int]:
    """Divide whole numbers by their greatest common divisor, so that they take fewer bits: ((n,)
    int64, the quotients; the divisor). The divisor is 1, and the numbers stay, if there are fewer
    than two, or if it is below LEAST_MULTIPLE (10) or above LARGEST_STEP (2^62 - 1). uint64 is read
    as the int64 of the same bits."""
    # uint64 is stored as int64, too, which has the same bits
    stored = numbers.view(np.int64)
    multiple = _common_divisor(stored)
    if multiple > 1:
        stored = stored // multiple
    return stored, multiple


def _errors_of(
    numbers: Integers,
    stored: Int,
    grid: Grid,
) -> tuple[float, float]:
    """Measure the errors of numbers that are rounded to a grid: (the largest, the sum of their
    squares). stored: (n,), the numbers of their multiples, as Grid.quantise gives them.
    ArchiveError if the largest is above grid.allowed."""
    restored = grid.restore(stored, numbers.dtype == np.uint64)
    errors = distances(numbers, restored)
    largest = errors.max(initial=0)
    # the last check before a promise is written down
    if int(largest) > grid.allowed:
        raise ArchiveError("a bound could not be kept; nothing was written")
    squares = np.square(errors.astype(np.float64))
    return float(largest), float(squares.sum())


@errors_as_damage()
def decode_integers(
    column: Decoded,
    low: int,
    high: int,
) -> tuple[Integers, Mask | None]:
    """Decode a column that `encode_integers` encoded: (its numbers, (n,) int64, or uint64 if high
    is beyond int64, 0 in gaps; (n,) bool, which are gaps, or None without gaps).

    low, high: the range of the column's type, both included; ArchiveError for a value outside. Also
    for a column of anything but whole numbers.
    """
    meta = integer_meta(column.meta)
    unsigned = high >= 1 << 63
    values: Integers = column.values
    if meta.allowed:
        grid = Grid(meta.allowed, low, high)
        values = grid.restore(column.values, unsigned)
    elif meta.multiple > 1:
        values = column.values * np.int64(meta.multiple)
    if unsigned:
        values = values.view(np.uint64)
    # a damaged archive may have any number of 64 bits
    if len(values):
        smallest = int(values.min())
        largest = int(values.max())
        if smallest < low or largest > high:
            raise ArchiveError("damaged: a whole number is beyond the range of its type")
    return _put_at_rows(values, column)


def integer_meta(meta: Meta) -> IntegerMeta:
    """Return the meta if it is one of whole numbers; else raise ArchiveError."""
    if not isinstance(meta, IntegerMeta):
        raise ArchiveError("damaged: a column of whole numbers is not stored as such")
    return meta


def _common_divisor(values: Int) -> int:
    """The greatest common divisor of all values; 1 if it is below LEAST_MULTIPLE (10), which would
    save nothing, or above LARGEST_STEP (2^62 - 1), or there are fewer than two values. values: (n,)
    int64."""
    if len(values) < 2:
        return 1
    # most columns have no common divisor, which the first values show already
    divisor_of_few = int(np.gcd.reduce(values[:FEW]))
    if divisor_of_few == 1:
        return 1
    divisor = int(np.gcd.reduce(values))
    # of the lowest number alone it is negative: 2^63 is no number of 64 bits
    divisor = abs(divisor)
    if LEAST_MULTIPLE <= divisor <= LARGEST_STEP:
        return divisor
    return 1


def _put_at_rows(values: Integers, column: Decoded) -> tuple[Integers, Mask | None]:
    """Put the values of a column at their rows: ((rows,), 0 in gaps; (rows,) bool, True at gaps, or
    None without gaps). values: of the rows that are no gaps, in order."""
    if len(values) == len(column.kinds):
        return values, None
    # of whole numbers kind 1 is a gap, 0 a number
    gaps = column.kinds == 1
    everywhere = np.zeros(len(gaps), values.dtype)
    everywhere[~gaps] = values
    return everywhere, gaps


# ---- floats


def encode_floats(
    values: Floats,
    gaps: Mask | None = None,
    bound: Fraction | None = None,
) -> Coded:
    """Encode a column of floats, (n,) float16, float32 or float64. gaps: (n,) bool, which are
    missing, or None; what stands there is lost.

    bound: the largest error of a number, as it comes back in this dtype; None, or 0 or less: every
    bit comes back. Where a bound saves nothing, or cannot be proved to be kept, floats come back
    exactly. The errors of a bound are noted in the result. Doubles that are quotients of whole
    numbers may be stored as these, too: that is among the `others` of the result.
    """
    width = 8 * values.dtype.itemsize
    kind = FLOATS[width]
    values = np.ascontiguousarray(values)
    bits = values.view(kind.whole).astype(np.int64)
    if gaps is None:
        gaps = np.zeros(len(values), np.bool_)
    usual_nan = ~gaps & (bits == kind.usual_nan)
    # as a decimal -0.0 would come back as 0.0
    is_minus_zero = (values == 0) & np.signbit(values)
    plain = ~gaps & np.isfinite(values) & ~is_minus_zero
    column = _FloatColumn(kind, values, bits, gaps, usual_nan, plain)
    decimals = column.decimals(kind)
    bounded = column.within_bound(decimals, bound)
    if bounded is not None:
        return bounded
    # 130.28 as a 32-bit float is 130.27999877929688, as a double
    decimals_of_single = None
    if kind.bits == 64:
        decimals_of_single = column.decimals(FLOATS[32])
    if decimals_of_single is not None:
        # only where it saves enough decimals to be worth another rounding
        most_decimals = np.inf if decimals is None else decimals - FEWER_PLACES
        if decimals_of_single <= most_decimals:
            return column.as_decimals(decimals_of_single, FLOATS[32])
    coded = column.as_bits() if decimals is None else column.as_decimals(decimals, kind)
    as_quotients = column.as_quotients(decimals)
    if as_quotients is not None:
        coded.others.append(as_quotients)
    return coded


@dataclass(frozen=True, eq=False)
class _FloatColumn:
    """A column of floats that is to be encoded, in one of several ways, each a method.

    kind: their type; values: (n,); bits: (n,) int64, the same as whole numbers; gaps, usual_nan,
    plain: (n,) bool, masks of missing ones, of NaNs with the bits that numpy writes, and of finite
    ones other than -0.0.
    """

    kind: FloatType
    values: Floats
    bits: Int
    gaps: Mask
    usual_nan: Mask
    plain: Mask

    def decimals(self, kind: FloatType) -> int | None:
        """The fewest decimals that, as floats of this kind, restore more than NEARLY_ALL (0.98) of
        the plain floats bit for bit; None if no number of decimals does, of all or of a sample; 0
        if no float is plain."""
        plain = self.values[self.plain]
        # first a thousand of them: most columns of other floats fail there already
        step = max(1, len(plain) // 1024)
        for floats in (plain[::step], plain):
            for places in range(kind.most_decimals + 1):
                if _are_decimals(floats, places, kind):
                    break
            else:
                return None
        # of all floats, which the last turn looked at
        return places

    def within_bound(self, decimals: int | None, bound: Fraction | None) -> Coded | None:
        """Encode the floats within a bound; None where there is none, or it is 0 or less, or below
        one unit of the last decimal, or more than MOST_ODD (a quarter) of the finite floats cannot
        be kept within it.

        decimals: those that restore the floats exactly, None if none do.
        """
        if bound is None or bound <= 0:
            return None
        if decimals is None:
            return self.as_multiples_within(bound)
        # a bound of less than one unit of the last decimal leaves nothing to save
        if bound < Fraction(1, 10**decimals):
            return None
        return self.as_decimals_within(decimals, bound) or self.as_multiples_within(bound)

    def as_decimals(self, places: int, kind: FloatType) -> Coded:
        """Encode the floats as whole numbers over 10^places, which are floats of `kind`, that of
        the column or the narrower float32; those that this does not restore, as their bits."""
        numbers, is_exact = _times_power_of_ten(self.values, places, kind)
        restored = _over_power_of_ten(numbers, places, kind)
        comes_back = restored == self.values
        fits = self.plain & is_exact & comes_back
        single = kind is not self.kind
        numerals = Decimals(places, single=single)
        return self._coded(numerals, numbers, fits)

    def as_bits(self) -> Coded:
        """Encode the floats as their bits, as whole numbers in the floats' order (see `ordered`);
        float64 as the bits of float32, if these hold every value."""
        width = self.kind.bits
        numbers = ordered(self.bits, width)
        fits = ~self.gaps & ~self.usual_nan
        if width == 64:
            # a number beyond the range of 32 bits becomes infinite, and so is not the same
            with np.errstate(all="ignore"):
                single = self.values.astype(np.float32)
            narrow = single.astype(np.float64) == self.values
            if narrow[fits].all():
                width = 32
                bits = single.view(np.int32).astype(np.int64)
                numbers = ordered(bits, 32)
        return self._coded(Bits(width), numbers, fits)

    def as_quotients(self, decimals: int | None) -> Coded | None:
        """Encode doubles as the whole numbers that they are quotients of, and the others as their
        bits; None if less than LEAST_QUOTIENTS (0.5) of those that are plain are quotients, for
        narrower floats, and for fewer plain ones than quotients.FEWEST. decimals: those that
        restore the floats, None if none do."""
        plain = self.values[self.plain]
        if self.kind.bits != 64 or len(plain) < quotients.FEWEST:
            return None
        numerals = _quotients_of(plain, decimals)
        if numerals is None:
            return None
        numbers, fits = _origin_of(numerals).stored(np.where(self.plain, self.values, 0.0))
        fits &= self.plain
        if fits.sum() < LEAST_QUOTIENTS * len(plain):
            return None
        return self._coded(numerals, numbers, fits)

    def as_decimals_within(self, places: int, bound: Fraction) -> Coded | None:
        """Encode the floats as decimals, rounded to as many units of the last of `places` decimals
        as the bound allows; None if it allows none, or more than MOST_ODD (a quarter) of the finite
        floats cannot be kept within it."""
        # all whole numbers up to here are floats of 64 bits
        largest = 1 << 53
        bound_in_units = bound * 10**places
        grid = Grid.of(bound_in_units, -largest, largest)
        if grid is None:
            return None
        numbers, is_exact = _times_power_of_ten(self.values, places, self.kind)
        quantised = grid.quantise(numbers)
        rounded_numbers = grid.restore(quantised, unsigned=False)
        restored = _over_power_of_ten(rounded_numbers, places, self.kind)
        numerals = Decimals(places, grid.allowed)
        return self._coded_within_bound(numerals, quantised, restored, is_exact, bound)

    def as_multiples_within(self, bound: Fraction) -> Coded | None:
        """Encode the floats as multiples of a float a little below twice the bound; None if more
        than MOST_ODD (a quarter) of the finite ones cannot be kept within the bound, or that float
        would be 0 or infinite."""
        try:
            spacing = float(bound) * GRID_SHARE
        # a bound that is larger than every float
        except OverflowError:
            return None
        if not 0 < spacing < np.inf:
            return None
        with np.errstate(all="ignore"):
            plain = np.where(self.plain, self.values, 0)
            quotients = plain.astype(np.float64) / spacing
            steps = np.rint(quotients)
            is_exact = np.abs(steps) < 2.0**53
            numbers = np.where(is_exact, steps, 0).astype(np.int64)
        restored = _times_spacing(numbers, spacing, self.kind)
        numerals = Multiples(spacing)
        return self._coded_within_bound(numerals, numbers, restored, is_exact, bound)

    def _coded_within_bound(
        self,
        numerals: Numerals,
        numbers: Int,
        restored: Floats,
        is_exact: Mask,
        bound: Fraction,
    ) -> Coded | None:
        """Encode as numbers the floats that `restored` brings back within the bound, and the others
        as their bits; None if more than MOST_ODD (a quarter) of the finite floats are others.

        numbers: (n,), what would be stored; restored: (n,), the floats that it restores; is_exact:
        (n,) bool, where the whole number was small enough for exact arithmetic. -0.0 and values
        such as the largest float may be moved like any other.
        """
        finite = ~self.gaps & np.isfinite(self.values)
        near = within(self.values, restored, bound)
        fits = finite & is_exact & near
        finite_count = int(finite.sum())
        odd_count = finite_count - int(fits.sum())
        if odd_count > MOST_ODD * max(1, finite_count):
            return None
        coded = self._coded(numerals, numbers, fits)
        before = self.values[fits].astype(np.float64)
        after = restored[fits].astype(np.float64)
        errors = np.abs(after - before)
        coded.error = float(errors.max(initial=0))
        # of errors as large as numbers can be the sum is infinite
        with np.errstate(over="ignore"):
            squares = np.square(errors)
            coded.square = float(squares.sum())
        return coded

    def _coded(
        self,
        numerals: Numerals,
        numbers: Int,
        fits: Mask,
    ) -> Coded:
        """Build the encoded column: a stream of `numbers`, (n,), where the mask `fits`, (n,) bool,
        is True. If it is False somewhere, a stream before it says of each float its kind, 0 for
        such a number, then, as far as they occur, one each for gaps, NaNs with the bits that numpy
        writes, and odd floats, all others, whose bits are a third stream. numerals: how numbers
        stand for floats."""
        odd = ~fits & ~self.gaps & ~self.usual_nan
        special = (self.gaps, self.usual_nan, odd)
        present = [bool(mask.any()) for mask in special]
        meta = RealMeta(numerals, *present)
        if meta.kinds == 1:
            return Coded(meta, [Stream(numbers)])
        kinds = np.zeros(len(numbers), np.int64)
        # kinds that no row has take no number
        count = 0
        for mask in special:
            if mask.any():
                count += 1
                kinds[mask] = count
        streams = [Stream(kinds), Stream(numbers[fits], fits)]
        if meta.has_odd:
            streams.append(Stream(self.bits[odd], odd))
        return Coded(meta, streams)


def _quotients_of(plain: Floats, decimals: int | None) -> Quotients | None:
    """How most of the doubles, (n,), all finite, are quotients of whole numbers; None if they are
    none. Those of at most MOST_ROUNDED_TO (9) decimals are quotients that were rounded to these; of
    0 decimals there are none. decimals: those that restore the doubles, None if none do."""
    different = np.unique(plain.astype(np.float64))
    if decimals is None or decimals > MOST_ROUNDED_TO:
        commonest = float_quotients.commonest_in(different)
        if commonest is None:
            return None
        quotient, digits = commonest
        return Quotients(quotient.over, quotient.times, digits)
    numbers, is_exact = _times_power_of_ten(different, decimals, FLOATS[64])
    ways = quotients.quotients_in(numbers[is_exact], decimals) if decimals else []
    if not ways:
        return None
    # of several kinds of quotients the commonest, the last way
    quotient = ways[-1][0]
    return Quotients(quotient.over, quotient.times, -decimals)


def _origin_of(numerals: Quotients) -> Origin:
    """Where doubles that are such quotients come from: Origin restores them, and takes them
    apart."""
    quotient = Quotient(numerals.over, numerals.times)
    return Origin(numerals.digits, 0, None, quotient)


@errors_as_damage()
def decode_floats(column: Decoded, bits: int) -> tuple[Floats, Mask | None]:
    """Decode a column that `encode_floats` encoded: (its floats, (n,), of so many bits, 16, 32 or
    64, 0 in gaps; (n,) bool, which are gaps, or None without gaps). ArchiveError for a column of
    anything else, or of wider floats."""
    meta = column.meta
    kind = FLOATS[bits]
    if not isinstance(meta, RealMeta):
        raise ArchiveError("damaged: a column of floats is not stored as such")
    with np.errstate(all="ignore"):
        numbers = _floats_of(meta.numerals, column.values, kind)
    if len(numbers) == len(column.kinds):
        return numbers, None
    # rows that are neither numbers nor odd floats nor gaps are NaNs of the usual bits
    everywhere = np.full(len(column.kinds), kind.usual_nan, kind.whole)
    is_number = column.kinds == 0
    everywhere[is_number] = numbers.view(kind.whole)
    if meta.has_odd:
        # odd floats, if there are any, are the last of the kinds
        is_odd = column.kinds == meta.kinds - 1
        everywhere[is_odd] = column.raws.astype(kind.whole)
    if not meta.has_gaps:
        return everywhere.view(kind.dtype), None
    gaps = column.kinds == 1
    everywhere[gaps] = 0
    return everywhere.view(kind.dtype), gaps


def _floats_of(
    numerals: Numerals,
    values: Int,
    kind: FloatType,
) -> Floats:
    """The floats that whole numbers stand for, (n,) each, in the dtype of `kind`; ArchiveError for
    a width that the kind does not hold. numerals: in what way they stand for them."""
    if isinstance(numerals, Decimals):
        if numerals.allowed:
            largest = 1 << 53
            grid = Grid(numerals.allowed, -largest, largest)
            rounded_numbers = grid.restore(values, unsigned=False)
            values = rounded_numbers.astype(np.int64, copy=False)
        if numerals.single:
            singles = _over_power_of_ten(values, numerals.places, FLOATS[32])
            return singles.astype(kind.dtype)
        return _over_power_of_ten(values, numerals.places, kind)
    if isinstance(numerals, Multiples):
        return _times_spacing(values, numerals.spacing, kind)
    if isinstance(numerals, Quotients):
        return _origin_of(numerals).nearest(values).astype(kind.dtype)
    # what is left are Bits, of the floats themselves or of narrower ones
    if numerals.width > kind.bits:
        raise ArchiveError("damaged: floats of a width that there is not")
    stored = FLOATS[numerals.width]
    bits = ordered(values, stored.bits).astype(stored.whole)
    floats = bits.view(stored.dtype)
    return floats.astype(kind.dtype)


def ordered(bits: Int, width: int) -> Int:
    """Map the bits of floats, as whole numbers, to numbers that sort as the floats do; applied
    twice it gives the bits again. bits: (n,) int64; width: how many bits a float has."""
    sign = width - 1
    # all ones where the sign bit is set: then the other bits are turned over
    below_sign = np.int64((1 << sign) - 1)
    is_negative = bits >> np.int64(sign)
    return np.asarray(bits ^ (is_negative & below_sign))


def _times_power_of_ten(
    values: Floats,
    places: int,
    kind: FloatType,
) -> tuple[Int, Mask]:
    """Multiply floats, (n,), by 10^places and round them: ((n,) int64, the whole numbers, 0 where
    too large or NaN; (n,) bool: where they are small enough for a float of `kind` to hold exactly;
    False for NaN and infinities)."""
    with np.errstate(all="ignore"):
        power_of_ten = float(10**places)
        products = values.astype(np.float64) * power_of_ten
        scaled = np.rint(products)
        is_exact = np.abs(scaled) < 2.0**kind.digits
    numbers = np.where(is_exact, scaled, 0).astype(np.int64)
    return numbers, is_exact


def _over_power_of_ten(numbers: Integers, places: int, kind: FloatType) -> Floats:
    """Divide whole numbers, (n,), by 10^places: (n,) floats of the dtype of `kind`, infinite where
    too large. They are divided in float64, then rounded, which gives the same bits on every
    machine.

    10^places is exact in float64 up to 22 places, and a division rounds correctly (IEEE 754).
    """
    with np.errstate(over="ignore"):
        quotients = numbers / float(10**places)
        return np.asarray(quotients.astype(kind.dtype))


def _are_decimals(values: Floats, places: int, kind: FloatType) -> bool:
    """Whether more than NEARLY_ALL (0.98) of the floats, (n,), all finite, come back as decimals of
    so many places, computed as floats of `kind`; True for no floats."""
    if not len(values):
        return True
    numbers, is_exact = _times_power_of_ten(values, places, kind)
    same = _over_power_of_ten(numbers, places, kind) == values
    share = (is_exact & same).mean()
    return bool(share > NEARLY_ALL)


def _times_spacing(numbers: Int, spacing: float, kind: FloatType) -> Floats:
    """Multiply whole numbers, (n,), by the spacing, in float64: (n,) floats of the dtype of `kind`;
    infinite where too large."""
    with np.errstate(over="ignore"):
        products = numbers * spacing
        return np.asarray(products.astype(kind.dtype))
