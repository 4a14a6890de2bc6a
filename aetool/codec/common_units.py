"""Columns whose numbers or dates are all multiples of one unit count in that.

Days are dates a day apart, not 86,400 seconds; counts that a program wrote as floats, 45.0, are 45
ones, not 450 tenths; shares change hands by the hundred. In units of their own last digit or second
such numbers are far apart, and where in between they lie, of which a coder knows nothing, takes
bits though they never lie there.

Nothing here is needed to decode: what is stored is the unit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from aetool.codec import computing
from aetool.codec.columns import Coded
from aetool.codec.metas import DateMeta, Meta, NumberMeta
from aetool.codec.streams import Stream
from aetool.model import Int

FEWEST_DIFFERENT = 32  # numbers: the unit takes a few bytes, which so few do not save
LOOKED_AT = 1024  # values, which mostly show already that there is no unit
SECONDS = (86400, 3600, 60, 1)  # of the units of dates: as many blocks of a table have them


def count_in_units(columns: Sequence[Coded]) -> None:
    """Divide the values of each column of numbers or dates by their largest common unit, in place;
    the meta then names the unit. Columns without a unit larger than 1 stay as they are, and so do
    columns without `cells` or without values, the other encodings of a column, in `others`, numbers
    within a bound or of units already, and numbers of fewer than FEWEST_DIFFERENT (32) different
    values.

    Units of dates are those of a calendar or clock. If the block has a column of long numbers, of
    LONG (2^20) units or more, units of numbers are powers of ten: by others nothing is computed of
    columns, and long numbers may be.
    """
    numbers: list[tuple[Coded, NumberMeta, int]] = []
    has_long_numbers = False
    for column in columns:
        # without cells it is stored in no other way
        if column.cells is None or not column.streams:
            continue
        values = column.streams[-1].values
        meta = column.meta
        if not len(values):
            continue
        if isinstance(meta, DateMeta) and meta.unit == 1:
            unit = _unit_of_dates(values, meta.ticks_a_second)
            in_units = dataclasses.replace(meta, unit=unit)
            _divide(column, in_units, unit)
        elif isinstance(meta, NumberMeta):
            step = _common_unit(values)
            has_long_numbers |= _are_long(values, step)
            if step > 1 and _may_count_in_steps(meta, values):
                numbers.append((column, meta, step))
    # only now it is known whether any column is of long numbers
    for column, meta, step in numbers:
        if has_long_numbers:
            step = _power_of_ten_in(step)
        in_steps = dataclasses.replace(meta, step=step)
        _divide(column, in_steps, step)


def _divide(column: Coded, meta: Meta, unit: int) -> None:
    """Divide the values of a column, those of its last stream, by a unit that they all are
    multiples of, in place, and give it the meta that says so; nothing for a unit of 1 or 0."""
    stream = column.streams[-1]
    if unit > 1:
        in_units = stream.values // unit
        column.meta = meta
        column.streams[-1] = Stream(in_units, stream.present)


def _power_of_ten_in(step: int) -> int:
    """The largest power of ten that divides a step of 1 or more."""
    power = 1
    while step % (10 * power) == 0:
        power = 10 * power
    return power


def _are_long(values: Int, step: int) -> bool:
    """Whether numbers are long: the median size of the first LOOKED_AT (1,024) of values, (n,), at
    least one, is computing.LONG (2^20) steps or more. step: 0 counts as 1."""
    sizes = np.abs(values[:LOOKED_AT])
    return float(np.median(sizes)) >= computing.LONG * max(1, step)


def _may_count_in_steps(meta: NumberMeta, values: Int) -> bool:
    """Whether a column of this meta and values, (n,), may count in multiples of a step: not one of
    few different values, nor one whose numbers count otherwise already: in steps of a bound, in
    units of their own last digit, without zeros, as quotients, or as 32-bit floats."""
    if meta.step > 1 or meta.own_units:
        return False
    if meta.zeros or meta.quotients or meta.single is not None:
        return False
    different = np.unique(values[:LOOKED_AT])
    # the first of them are mostly enough
    if len(different) < FEWEST_DIFFERENT:
        different = np.unique(values)
    return len(different) >= FEWEST_DIFFERENT


def _unit_of_dates(values: Int, ticks_a_second: int) -> int:
    """The largest unit of a calendar or clock, in ticks, that all of values, (n,), are multiples
    of: a day, an hour, a minute, a second, or a tenth, a hundredth ... of one, down to a tick; a
    day of no values. ticks_a_second: 1, or a power of ten."""
    common = _common_unit(values)
    units = [seconds * ticks_a_second for seconds in SECONDS]
    while units[-1] > 1:
        units.append(units[-1] // 10)
    # the last one is 1, which divides every number
    return next(unit for unit in units if common % unit == 0)


def _common_unit(values: Int) -> int:
    """The greatest common divisor of values, (n,) int64; 0 of none, and of zeros alone."""
    common_of_first = int(np.gcd.reduce(values[:LOOKED_AT], initial=0))
    # most columns have no unit but 1, which a few of their numbers show
    if common_of_first == 1:
        return 1
    return int(np.gcd.reduce(values, initial=0))
