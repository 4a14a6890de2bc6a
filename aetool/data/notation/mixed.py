"""Columns of dates in which some cells have the day first, and others the month, or which have days
of several families."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from aetool.data.notation.dates import DateNotation, families_of_cells
from aetool.data.notation.evidence import VALUE
from aetool.data.notation.moments import DAY_FIRST, MONTH_FIRST
from aetool.data.table import Cells, Mask

# the orders that a column may mix, in words
WORDS = {
    DAY_FIRST: ("day", "month", "year"),
    MONTH_FIRST: ("month", "day", "year"),
}


class Example(NamedTuple):
    """Cells of one kind in a column. cells: how many there are; text: that of the first, "" if
    there is none."""

    cells: int
    text: str

    @classmethod
    def of(cls, cells: Cells, chosen: Mask) -> Example:
        """Count the chosen cells, and take the text of the first. chosen: (n,) bool, a flag for
        each of the n cells."""
        rows = np.flatnonzero(chosen)
        if not len(rows):
            return cls(0, "")
        first = cells.take(rows[:1])
        # blanks around a date are no part of it
        text = first.strings()[0].strip()
        return cls(len(rows), text)


class MixedOrders(NamedTuple):
    """How many cells of a column have which order of day and month, where it mixes two.

    separator: between the three numbers, "-", "." or "/"; other cells are not counted. day_first,
    month_first: the cells that are a day of the calendar in this order alone. either: those that
    are another day in each order; all of them are read in `order_read`, DAY_FIRST or MONTH_FIRST.
    """

    separator: str
    day_first: Example
    month_first: Example
    either: Example
    order_read: str

    def __str__(self) -> str:
        """The counts, with an example of each kind, and how cells that both orders fit are read."""
        by_day = self.separator.join(WORDS[DAY_FIRST])
        by_month = self.separator.join(WORDS[MONTH_FIRST])
        text = (
            f"{self.day_first.cells:,} are {by_day}, such as {self.day_first.text}, "
            f"and {self.month_first.cells:,} {by_month}, such as {self.month_first.text}"
        )
        # each cell may tell its own order
        count = self.either.cells
        if not count:
            return text
        verb = "is" if count == 1 else "are"
        order_read = self.separator.join(WORDS[self.order_read])
        return (
            f"{text}; {count:,} that could be either, such as {self.either.text}, {verb} read as "
            f"{order_read}"
        )


def mixed_orders(notation: DateNotation, cells: Cells) -> MixedOrders | None:
    """Count the cells of a column by their order of day and month, if it mixes both behind one
    separator, the first that it does so behind; else None. notation: as `DateEvidence.decide` chose
    it for these cells: a second order is there only if at least two cells, and 5 %, fit it and not
    the first; fewer are odd cells."""
    if notation.only_time:
        return None
    for separator, orders in notation.orders.items():
        # a third order, of years first, may only come after both
        if set(orders[:2]) != set(WORDS):
            continue
        # read in each of the orders alone, all other cells alike
        readings = {}
        for order in WORDS:
            orders_alone = {**notation.orders, separator: (order,)}
            notation_alone = dataclasses.replace(notation, orders=orders_alone)
            readings[order] = notation_alone.read(cells)
        by_day = readings[DAY_FIRST]
        by_month = readings[MONTH_FIRST]
        fits_day = by_day.state == VALUE
        fits_month = by_month.state == VALUE
        # 01/01/2024 is the same day in both orders, and so is what has no order to tell
        differs = fits_day & fits_month & (by_day.value != by_month.value)
        return MixedOrders(
            separator=separator,
            day_first=Example.of(cells, fits_day & ~fits_month),
            month_first=Example.of(cells, fits_month & ~fits_day),
            either=Example.of(cells, differs),
            order_read=orders[0],
        )
    return None


def mixed_families(notation: DateNotation, cells: Cells) -> tuple[Example, ...]:
    """How many cells are days of each of the column's families, the most first, where it has more
    than one; else (). notation: as `DateEvidence.decide` chose it for these cells."""
    if len(notation.families) < 2:
        return ()
    is_date = notation.read(cells).state == VALUE
    dates = cells.take(np.flatnonzero(is_date))
    family = families_of_cells(dates)
    examples = [Example.of(dates, family == name) for name in notation.families]
    return tuple(sorted(examples, key=lambda example: (-example.cells, example.text)))
