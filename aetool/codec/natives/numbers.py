"""Whole numbers and floats of one column as streams of int64, bit for bit or within a bound.

A gap (null) is told apart from NaN, NaN of another payload from the usual one, -0.0 from 0.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from aetool.codec.columns import Coded, Decoded, sensible
from aetool.codec.floats import FEWER_PLACES
from aetool.codec.integers import Stream
from aetool.codec.metas import (
    LARGEST_STEP,
    MOST_DECIMALS,
    Bits,
    Decimals,
    IntegerMeta,
    Meta,
    Multiples,
    Numerals,
    RealMeta,
)
from aetool.codec.natives.bounding import Floats, Grid, Integers, Mask, distances, within
from aetool.errors import ArchiveError
from aetool.model import Int

NEARLY_ALL = 0.98  # of the floats are decimals: then the others are kept as their bits
MOST_ODD = 0.25  # of the values may be kept as they are before a bound is not worth its grid
GRID_SHARE = 1.99  # of the bound: the distance of a grid's points; less than 2 leaves room to round
LEAST_MULTIPLE = 10  # a smaller common divisor saves nothing
FEW = 64  # values looked at before all are


@dataclass(frozen=True)
class FloatType:
    """The properties of float16, float32 or float64. whole: the integer dtype of as many bits."""

    bits: int
    digits: int  # binary digits of the significand
    whole: npt.DTypeLike
    dtype: npt.DTypeLike

    @property
    def usual_nan(self) -> int:
        """The bits, as a whole number, of the NaN that numpy, Arrow and processors write."""
        return int(np.array(np.nan, self.dtype).view(self.whole))

    @property
    def most_decimals(self) -> int:
        """The most decimals with which a float may take fewer bits as a decimal than as its own
        bits."""
        return min(MOST_DECIMALS, self.digits * 3 // 10)


FLOATS = {
    16: FloatType(16, 11, np.int16, np.float16),
    32: FloatType(32, 24, np.int32, np.float32),
    64: FloatType(64, 53, np.int64, np.float64),
}


# ---- whole numbers


def encode_integers(values: Integers, gaps: Mask | None = None, grid: Grid | None = None) -> Coded:
    """Encode a column of whole numbers, (n,) int64 or uint64. gaps: (n,) bool, which are missing,
    or None; what stands there is lost.

    grid: rounds the numbers within an error bound; None: they come back exactly.
    """
    present = None if gaps is None or not gaps.any() else ~gaps
    multiple = 1
    here = values if present is None else values[present]
    error = square = 0.0
    if grid is not None:
        stored = grid.quantise(here)
        restored = grid.restore(stored, here.dtype == np.uint64)
        off = distances(here, restored)
        if int(off.max(initial=0)) > grid.allowed:
            raise ArchiveError("a bound could not be kept; nothing was written")
        error = float(off.max(initial=0))
        square = float(np.square(off.astype(np.float64)).sum())
    else:
        stored = here.view(np.int64)
        multiple = _common_divisor(stored)
        if multiple > 1:
            stored = stored // multiple
    allowed = 0 if grid is None else grid.allowed
    meta = IntegerMeta(present is not None, multiple, allowed)
    if present is None:
        return Coded(meta, [Stream(stored)], [], error, square)
    kinds = (~present).astype(np.int64)
    return Coded(meta, [Stream(kinds), Stream(stored, present)], [], error, square)


@sensible()
def decode_integers(column: Decoded, low: int, high: int) -> tuple[Integers, Mask | None]:
    """((n,) int64, or uint64 if high is beyond int64; (n,) bool gaps, None without) of a column. In
    gaps stands 0.

    low, high: the range of the column's type; ArchiveError for a value outside.
    """
    meta = integer_meta(column.meta)
    unsigned = high >= 1 << 63
    values: Integers = column.values
    if meta.allowed:
        values = Grid(meta.allowed, low, high).restore(column.values, unsigned)
    elif meta.multiple > 1:
        values = column.values * np.int64(meta.multiple)
    if unsigned:
        values = values.view(np.uint64)
    if len(values) and not low <= int(values.min()) <= int(values.max()) <= high:
        raise ArchiveError("damaged: a whole number is beyond the range of its type")
    return _spread(values, column)


def integer_meta(meta: Meta) -> IntegerMeta:
    """Return the meta if it is one of whole numbers; else raise ArchiveError."""
    if not isinstance(meta, IntegerMeta):
        raise ArchiveError("damaged: a column of whole numbers is not stored as such")
    return meta


def _common_divisor(values: Int) -> int:
    """The greatest common divisor of all values; 1 if it is below LEAST_MULTIPLE, which would save
    nothing."""
    if len(values) < 2 or int(np.gcd.reduce(values[:FEW])) == 1:
        return 1
    divisor = abs(int(np.gcd.reduce(values)))
    if LEAST_MULTIPLE <= divisor <= LARGEST_STEP:
        return divisor
    return 1


def _spread(values: Integers, column: Decoded) -> tuple[Integers, Mask | None]:
    """((rows,) the values at their rows, 0 in gaps; (rows,) bool gaps, None without)."""
    if len(values) == len(column.kinds):
        return values, None
    gaps = column.kinds == 1
    everywhere = np.zeros(len(gaps), values.dtype)
    everywhere[~gaps] = values
    return everywhere, gaps


# ---- floats


def encode_floats(values: Floats, gaps: Mask | None = None, bound: Fraction | None = None) -> Coded:
    """Encode a column of floats, (n,) float16, float32 or float64. gaps: (n,) bool, which are
    missing, or None; what stands there is lost.

    bound: the largest error of a number, as it comes back in this dtype; None: every bit comes
    back.
    """
    kind = FLOATS[8 * values.dtype.itemsize]
    values = np.ascontiguousarray(values)
    bits = values.view(kind.whole).astype(np.int64)
    missing = np.zeros(len(values), np.bool_) if gaps is None else gaps
    usual_nan = ~missing & (bits == kind.usual_nan)
    plain = ~missing & np.isfinite(values) & ~((values == 0) & np.signbit(values))
    column = _FloatColumn(kind, values, bits, missing, usual_nan, plain)
    decimals = column.decimals(kind)
    # a bound of less than one unit of the last decimal leaves nothing to save
    least = 0 if decimals is None else Fraction(1, 10**decimals)
    if bound is not None and bound > 0 and bound >= least:
        bounded = column.in_steps(decimals, bound) if decimals is not None else None
        bounded = bounded or column.on_grid(bound)
        if bounded is not None:
            return bounded
    # 130.28 as a 32-bit float is 130.27999877929688, as a double
    decimals_of_single = column.decimals(FLOATS[32]) if kind.bits == 64 else None
    if decimals_of_single is not None:
        most = np.inf if decimals is None else decimals - FEWER_PLACES
        if decimals_of_single <= most:
            return column.as_decimals(decimals_of_single, FLOATS[32])
    if decimals is not None:
        return column.as_decimals(decimals, kind)
    return column.as_bits()


@dataclass(frozen=True, eq=False)
class _FloatColumn:
    """Floats that are to be encoded, in one of several ways. bits: the same as whole numbers; gaps,
    usual_nan, plain: masks of missing ones, of NaNs of the usual bits, and of finite ones other
    than -0.0."""

    kind: FloatType
    values: Floats
    bits: Int
    gaps: Mask
    usual_nan: Mask
    plain: Mask

    def decimals(self, kind: FloatType) -> int | None:
        """The fewest decimals that, as floats of this kind, restore more than NEARLY_ALL of the
        plain floats bit for bit; None if no number of decimals does."""
        some = self.values[self.plain]
        for part in (some[:: max(1, len(some) // 1024)], some):
            for places in range(kind.most_decimals + 1):
                numbers, sure = _scaled(part, places, kind)
                if (
                    not len(part)
                    or (sure & (_decimal(numbers, places, kind) == part)).mean() > NEARLY_ALL
                ):
                    break
            else:
                return None
        return places

    def as_decimals(self, places: int, kind: FloatType) -> Coded:
        """Encode the floats as whole numbers over 10^places, which are floats of this kind; those
        that this does not restore, as their bits."""
        numbers, sure = _scaled(self.values, places, kind)
        restored = _decimal(numbers, places, kind)
        good = self.plain & sure & (restored == self.values)
        single = kind is not self.kind
        return self._coded(Decimals(places, single=single), numbers, good)

    def as_bits(self) -> Coded:
        """Encode the floats as their bits, as whole numbers in the floats' order; float64 as the
        bits of float32, if these hold every value."""
        width = self.kind.bits
        numbers = ordered(self.bits, self.kind.bits)
        good = ~self.gaps & ~self.usual_nan
        if self.kind.bits == 64:
            with np.errstate(all="ignore"):
                single = self.values.astype(np.float32)
            narrow = single.astype(np.float64) == self.values
            if narrow[good].all():
                width = 32
                numbers = ordered(single.view(np.int32).astype(np.int64), 32)
        return self._coded(Bits(width), numbers, good)

    def in_steps(self, places: int, bound: Fraction) -> Coded | None:
        """Encode the floats as decimals, rounded to as many units of the last of `places` decimals
        as the bound allows; None if it allows none, or too many floats cannot be kept within it."""
        grid = Grid.of(bound * 10**places, -(1 << 53), 1 << 53)
        if grid is None:
            return None
        numbers, sure = _scaled(self.values, places, self.kind)
        quantised = grid.quantise(numbers)
        restored = _decimal(grid.restore(quantised, unsigned=False), places, self.kind)
        return self._bounded(Decimals(places, grid.allowed), quantised, restored, sure, bound)

    def on_grid(self, bound: Fraction) -> Coded | None:
        """Encode the floats as multiples of a float a little below twice the bound; None if too
        many cannot be kept within the bound."""
        try:
            spacing = float(bound) * GRID_SHARE
        except OverflowError:
            return None
        if not 0 < spacing < np.inf:
            return None
        with np.errstate(all="ignore"):
            steps = np.rint(np.where(self.plain, self.values, 0).astype(np.float64) / spacing)
            sure = np.abs(steps) < 2.0**53
            numbers = np.where(sure, steps, 0).astype(np.int64)
        restored = _multiple(numbers, spacing, self.kind)
        return self._bounded(Multiples(spacing), numbers, restored, sure, bound)

    def _bounded(
        self,
        numerals: Numerals,
        numbers: Int,
        restored: Floats,
        sure: Mask,
        bound: Fraction,
    ) -> Coded | None:
        """Encode as numbers the floats that `restored` brings back within the bound, and the others
        as their bits; None if more than MOST_ODD of the finite floats are others.

        numbers: (n,), what would be stored; restored: (n,), the floats that it restores; sure:
        (n,), where this is exact arithmetic. -0.0 and values such as the largest float may be moved
        like any other.
        """
        finite = ~self.gaps & np.isfinite(self.values)
        good = finite & sure & within(self.values, restored, bound)
        odd = int(finite.sum()) - int(good.sum())
        if odd > MOST_ODD * max(1, int(finite.sum())):
            return None
        coded = self._coded(numerals, numbers, good)
        off = np.abs(restored[good].astype(np.float64) - self.values[good].astype(np.float64))
        coded.error = float(off.max(initial=0))
        with np.errstate(over="ignore"):
            coded.square = float(np.square(off).sum())
        return coded

    def _coded(self, numerals: Numerals, numbers: Int, good: Mask) -> Coded:
        """Build the encoded column: `numbers` where the mask `good` is True, and a kind each for
        gaps, usual NaNs and floats stored as their bits, if there are such."""
        odd = ~good & ~self.gaps & ~self.usual_nan
        present = [bool(mask.any()) for mask in (self.gaps, self.usual_nan, odd)]
        meta = RealMeta(numerals, *present)
        if meta.kinds == 1:
            return Coded(meta, [Stream(numbers)])
        kinds = np.zeros(len(numbers), np.int64)
        count = 0
        for mask in (self.gaps, self.usual_nan, odd):
            if mask.any():
                count += 1
                kinds[mask] = count
        streams = [Stream(kinds), Stream(numbers[good], good)]
        if meta.has_odd:
            streams.append(Stream(self.bits[odd], odd))
        return Coded(meta, streams)


@sensible()
def decode_floats(column: Decoded, bits: int) -> tuple[Floats, Mask | None]:
    """((n,) floats of so many bits; (n,) bool gaps, None without) of a column that `encode_floats`
    encoded. In gaps stands 0."""
    meta = column.meta
    kind = FLOATS[bits]
    if not isinstance(meta, RealMeta):
        raise ArchiveError("damaged: a column of floats is not stored as such")
    with np.errstate(all="ignore"):
        numbers = _floats_behind(meta.numerals, column.values, kind)
    if len(numbers) == len(column.kinds):
        return numbers, None
    everywhere = np.full(len(column.kinds), kind.usual_nan, kind.whole)
    everywhere[column.kinds == 0] = numbers.view(kind.whole)
    if meta.has_odd:
        everywhere[column.kinds == meta.kinds - 1] = column.raws.astype(kind.whole)
    if not meta.has_gaps:
        return everywhere.view(kind.dtype), None
    gaps = column.kinds == 1
    everywhere[gaps] = 0
    return everywhere.view(kind.dtype), gaps


def _floats_behind(numerals: Numerals, values: Int, kind: FloatType) -> Floats:
    if isinstance(numerals, Decimals):
        if numerals.allowed:
            grid = Grid(numerals.allowed, -(1 << 53), 1 << 53)
            values = grid.restore(values, unsigned=False).astype(np.int64, copy=False)
        if numerals.single:
            return _decimal(values, numerals.places, FLOATS[32]).astype(kind.dtype)
        return _decimal(values, numerals.places, kind)
    if isinstance(numerals, Multiples):
        return _multiple(values, numerals.spacing, kind)
    if numerals.width > kind.bits:
        raise ArchiveError("damaged: floats of a width that there is not")
    stored = FLOATS[numerals.width]
    bits = ordered(values, stored.bits).astype(stored.whole)
    return bits.view(stored.dtype).astype(kind.dtype)


def ordered(bits: Int, width: int) -> Int:
    """Map the bits of floats, as whole numbers, to numbers that sort as the floats do; applied
    twice it gives the bits again. bits: (n,); width: how many bits a float has."""
    sign = width - 1
    return np.asarray(bits ^ ((bits >> np.int64(sign)) & np.int64((1 << sign) - 1)))


def _scaled(values: Floats, places: int, kind: FloatType) -> tuple[Int, Mask]:
    """Floats as whole numbers of 10^-places: ((n,) rounded numbers, 0 where too large; (n,) bool:
    where they are small enough for the dtype to hold exactly)."""
    with np.errstate(all="ignore"):
        scaled = np.rint(values.astype(np.float64) * float(10**places))
        sure = np.abs(scaled) < 2.0**kind.digits
    return np.where(sure, scaled, 0).astype(np.int64), sure


def _decimal(numbers: Integers, places: int, kind: FloatType) -> Floats:
    """(n,): numbers / 10^places as floats of the dtype: divided in float64, then rounded, which
    gives the same bits on every machine.

    10^places is exact in float64 up to 22 places, and a division rounds correctly (IEEE 754).
    """
    with np.errstate(over="ignore"):
        return np.asarray((numbers / float(10**places)).astype(kind.dtype))


def _multiple(numbers: Int, spacing: float, kind: FloatType) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray((numbers * spacing).astype(kind.dtype))
