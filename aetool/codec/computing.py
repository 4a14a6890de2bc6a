"""Finds how a column of long numbers was computed from one other column or two: what a program made
as a sum, a difference, a product or a quotient of floats.

    length, width, ratio
    23.2158649806236, 15.0332341254562, 1.54430276454283

A number of fifteen digits is noise to a coder, and so is what an exact sum of whole numbers leaves
of it where its columns have other numbers of digits. What is computed in floats, as it was then, is
off by a few units of the last digit.

Nothing here is needed to decode: what is stored are an operator and powers of ten.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.codec import transforms
from aetool.codec.plans import MOST_POWER, Computed, Operand, Plan, Transform
from aetool.codec.streams import Known
from aetool.model import Float, Int

FEWEST = 48  # rows, by which is found how a column was computed
ROWS = 64  # that are looked at, from all over the column
LONG = 1 << 20  # a number of so many units at least is worth it
MOST_FACTORS = 48  # columns before, of any two of which products and quotients are tried
MOST_SUMMANDS = 12  # the same of sums and differences, for each power of ten
SCALES = 3.0  # powers of ten by which a summand may be larger or smaller than the sum
NEARLY_WHOLE = 1e-6  # of a power of ten, as the logarithms of floats tell it
NEAR = 1e-9  # of a value: as far off may be what is computed,
UNITS = 4.0  # or so many units of its last digit
MATCHING = 0.8  # of the rows must be near


@dataclass(frozen=True, eq=False)
class _Sampled:
    """Columns at the rows that are looked at. target: (rows,), of the column that is to be
    computed, as floats; numbers: of the streams that it may be computed from; values: (streams,
    rows), theirs, as floats; places: (rows,), the rows of the block."""

    target: Float
    numbers: Sequence[int]
    values: Float
    places: Int

    def last(self, count: int) -> _Sampled:
        """The same columns, but of the streams only the last `count`."""
        numbers = self.numbers[-count:]
        values = self.values[-count:]
        return dataclasses.replace(self, numbers=numbers, values=values)

    def operand(self, place: int, power: int = 0) -> Operand:
        """The operand that is 10^power times a stream, which is named by its place among those
        sampled."""
        return Operand(power, self.numbers[place])


def plans(
    by_row: Int,
    rows: Int,
    parents: Sequence[int],
    known: Known,
) -> Iterator[Plan]:
    """Yield plans that predict a column by what is computed of one stream or two: at most one of
    values, and one of their differences to the row before. They have no bins and no features yet.

    by_row: (rows of the block,), the column's values, 0 in gaps; rows: those in which it has one,
    ascending, or a sample of them; parents: the numbers of earlier streams; known: these streams.
    None are yielded for fewer than FEWEST (48) rows, or a column whose median size is below LONG
    (2^20) units.
    """
    count = min(ROWS, len(rows))
    evenly = np.linspace(0, len(rows) - 1, count)
    places = rows[evenly.astype(np.int64)]
    if count < FEWEST:
        return
    sizes = np.abs(by_row[places])
    if np.median(sizes) < LONG:
        return
    sampled = _sampled(by_row, places, parents, known)
    for combined in _candidates(sampled):
        predicted = transforms.computed(combined, known)
        off = by_row - predicted
        # the first that is near enough is the only one
        if _are_near(off[places], by_row[places]):
            yield Plan(
                transform=Transform.LINEAR,
                combined=combined,
            )
            break
    before = np.maximum(places - 1, 0)
    for combined in _multiples_of_steps(sampled, by_row[before], known):
        predicted = transforms.computed(combined, known)
        off = by_row - predicted
        steps = off[places] - off[before]
        if _are_near(steps, by_row[places]):
            yield Plan(
                transform=Transform.LINEAR_DIFFERENCE,
                combined=combined,
            )
            break


def _sampled(
    by_row: Int,
    places: Int,
    parents: Sequence[int],
    known: Known,
) -> _Sampled:
    """Take the column's values, and those of the parents that are not the same in all of them, at
    the rows looked at, `places`, (rows,). by_row: (rows of the block,), the column's values;
    parents: the numbers of earlier streams; known: these streams."""
    numbers = []
    values = []
    for number in parents:
        some = known.values[number][places]
        floats = some.astype(np.float64)
        if np.ptp(floats):
            numbers.append(number)
            values.append(floats)
    shape = len(values), len(places)
    stacked = np.array(values).reshape(shape)
    target = by_row[places].astype(np.float64)
    return _Sampled(target, numbers, stacked, places)


def _candidates(sampled: _Sampled) -> Iterator[Computed]:
    """Yield how the column may have been computed, the simplest first: as one stream, as a product
    or a quotient of two of the last MOST_FACTORS (48) streams, as a sum or difference of two of the
    last MOST_SUMMANDS (12), each times a power of ten. They fit many of the sampled rows, which
    does not yet mean that they fit enough."""
    factors = sampled.last(MOST_FACTORS)
    if not factors.numbers:
        return
    yield from _multiples_of_one(factors)
    yield from _products_and_quotients(factors)
    summands = sampled.last(MOST_SUMMANDS)
    yield from _sums(summands)


def _multiples_of_one(sampled: _Sampled) -> Iterator[Computed]:
    """Yield, with the operator "=", each stream that, times a power of ten, is the column in at
    least 24 of the sampled rows, but for the sign."""
    of_target = _logarithms(sampled.target)
    ratios = of_target - _logarithms(sampled.values)
    for place, power in _constant_whole_powers(ratios):
        operand = sampled.operand(place, power)
        yield Computed("=", (operand,))


def _products_and_quotients(sampled: _Sampled) -> Iterator[Computed]:
    """Yield products and quotients of two streams, and products of one with itself, that, times a
    power of ten, are the column in at least 24 of the sampled rows, but for the sign."""
    logarithms = _logarithms(sampled.values)
    of_target = _logarithms(sampled.target)
    for place, logarithms_of_first in enumerate(logarithms):
        rest = of_target - logarithms_of_first
        # streams that, times the first and a power of ten, are the column
        for other, power in _constant_whole_powers(rest - logarithms):
            # the other way round it is the same product
            if other <= place:
                first = sampled.operand(place, power)
                second = sampled.operand(other)
                yield Computed("*", (first, second))
        # streams by which the first is divided
        for other, power in _constant_whole_powers(rest + logarithms):
            if other != place:
                first = sampled.operand(place, power)
                second = sampled.operand(other)
                yield Computed("/", (first, second))


def _sums(sampled: _Sampled) -> Iterator[Computed]:
    """Yield sums and differences of two streams, each times a power of ten, that are the column in
    at least 24 of the sampled rows: what the first leaves of the column is the second, times a
    power of ten, but for the sign, which most rows decide."""
    logarithms = _logarithms(sampled.values)
    size_of_target = _typical_size(_logarithms(sampled.target))
    for place, values_of_first in enumerate(sampled.values):
        difference = size_of_target - _typical_size(logarithms[place])
        # powers of ten with which the first is not much smaller or larger than the column
        lowest = int(np.ceil(difference - SCALES))
        highest = int(np.floor(difference + SCALES))
        lowest = max(-MOST_POWER, lowest)
        highest = min(MOST_POWER, highest)
        for power in range(lowest, highest + 1):
            scaled = values_of_first * 10.0**power
            rest = sampled.target - scaled
            ratios = _logarithms(rest) - logarithms
            first = sampled.operand(place, power)
            for other, power_of_other in _constant_whole_powers(ratios):
                if other == place:
                    continue
                # where most have the sign of the rest the second stream is added
                signs = np.sign(rest * sampled.values[other])
                operator = "+" if signs.sum() > 0 else "-"
                second = sampled.operand(other, power_of_other)
                yield Computed(operator, (first, second))


def _multiples_of_steps(
    sampled: _Sampled,
    before: Int,
    known: Known,
) -> Iterator[Computed]:
    """Yield, with the operator "=", each stream whose steps from row to row, times a power of ten,
    are the column's in at least 24 of the sampled rows, but for the sign: the column was computed
    with a number that stays the same for many rows. before: (rows,), the column's values in the
    rows before those looked at; known: the streams of the block."""
    rows_before = np.maximum(sampled.places - 1, 0)
    steps = []
    for number, values in zip(sampled.numbers, sampled.values, strict=True):
        earlier = known.values[number][rows_before]
        steps.append(values - earlier)
    steps_of_others = np.array(steps).reshape(sampled.values.shape)
    own_steps = sampled.target - before
    stepping = dataclasses.replace(
        sampled,
        target=own_steps,
        values=steps_of_others,
    )
    yield from _multiples_of_one(stepping)


def _typical_size(logarithms: Float) -> float:
    """The median of logarithms, (rows,), NaN left out; 0 if all are."""
    is_number = np.isfinite(logarithms)
    numbers = logarithms[is_number]
    if not len(numbers):
        return 0.0
    return float(np.median(numbers))


def _logarithms(values: Float) -> Float:
    """The logarithms to base 10 of how large values are, of any shape; NaN for 0."""
    sizes = np.abs(values)
    above_zero = np.where(sizes > 0, sizes, np.nan)
    return np.log10(above_zero)


def _constant_whole_powers(ratios: Float) -> Iterator[tuple[int, int]]:
    """Yield the streams whose logarithms `ratios`, (streams, rows), are nearly whole in at least
    FEWEST // 2 (24) rows: (place of the stream, the median of these whole powers of ten). Powers
    beyond MOST_POWER are left out."""
    powers = np.rint(ratios)
    # nothing is near to NaN
    is_whole = np.abs(ratios - powers) < NEARLY_WHOLE
    has_whole_powers = is_whole.sum(axis=1) >= FEWEST // 2
    for place in np.flatnonzero(has_whole_powers).tolist():
        own_powers = powers[place]
        whole_powers = own_powers[is_whole[place]]
        power = int(np.median(whole_powers))
        if abs(power) <= MOST_POWER:
            yield place, power


def _are_near(off: Int, values: Int) -> bool:
    """Whether predictions are near: in at least the share MATCHING (0.8) of the rows the size of
    `off`, (rows,), how far the prediction is off, is at most NEAR (1e-9) of the size of the value
    there, or UNITS (4), whichever is more. values: (rows,)."""
    sizes = np.abs(values.astype(np.float64))
    allowed = np.maximum(NEAR * sizes, UNITS)
    distance = np.abs(off.astype(np.float64))
    is_near = distance <= allowed
    return bool(is_near.mean() >= MATCHING)
