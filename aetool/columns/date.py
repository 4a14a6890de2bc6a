"""Dates and times: context of the other columns."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from aetool.canonical import Json
from aetool.columns.column import NEVER_THERE, ODD, Features, Modelled, finite, reads_better
from aetool.columns.reach import Reach
from aetool.columns.summary import Summary
from aetool.data.notation.dates import UNTOLD, DateEvidence, DateNotation, DateStyle
from aetool.data.notation.evidence import ODD as ODD_CELL
from aetool.data.notation.families import SEPARATORS
from aetool.data.notation.mixed import Example, MixedOrders, mixed_families, mixed_orders
from aetool.data.notation.moments import DAY_FIRST, MONTH_FIRST, SHORT_YEAR_FIRST
from aetool.data.notation.numbers import NumberNotation
from aetool.data.table import Cells, Mask, Values
from aetool.errors import DataError
from aetool.model import Float
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.data.writers import Restored

DAY, WEEK, YEAR = 86400.0, 7 * 86400.0, 365.2425 * 86400.0  # seconds
# how a moment of a typed source is shown, and read where it is text: ISO 8601
TYPED = DateNotation(style=DateStyle(joint="T", fields=3))
MICROSECONDS = 1e6  # of a second
PLAIN = NumberNotation()
# As programs write moments into JSON: seconds, or a thousandth of them, and so on, since 1970. Of
# our times each of these counts has a length of its own; what is smaller is no moment.
EARLIEST, LATEST = 1e8, 1e11  # seconds: of 1973 and 5138
PARTS = (1.0, 1e3, 1e6, 1e9)  # of a second
GRACE = 3 * YEAR  # how long after the data a model may be used, and how long before
LEAST_TAIL = 1.0  # seconds: of moments that are all the same
MOST_BITS = 32.0  # of surprise that a moment has on its own
WITHOUT_YEAR = re.compile(r"\s*\d{1,2}[-/.]\d{1,2}\.?\s*")  # a day and a month, as 8/29


# the orders in which a date's three numbers may be written, as users name them, and in words
ORDERS = {
    DAY_FIRST: "day, month, year",
    MONTH_FIRST: "month, day, year",
    SHORT_YEAR_FIRST: "year, month, day",
}


@dataclass(frozen=True)
class Date(Modelled):
    """A column of dates or times of day.

    notation: how text writes moments (TYPED: the source had moments, not text). low, high: the
    first and the last moment that training saw, in epoch seconds, the unit of the inputs of graphs.
    cycles: those of a day, a week and a year, in seconds, that the data span at least twice; a day
    only if some moment is not at midnight. reach: the range, in epoch seconds, outside of which
    moments are surprising; None where too few were seen. mixed: how many of the cells that were
    read have which order of day and month, if the column mixes both; None if not, and in a column
    that was stored. families: how many cells are written in each way, such as 2024-01-31 and
    31/01/2024, if many are in each of several; empty if not, and in a column that was stored.
    """

    notation: DateNotation = TYPED
    low: float = 0.0
    high: float = 0.0
    cycles: tuple[float, ...] = ()
    reach: Reach | None = None
    # they are told when the column is first read; models are written without them
    mixed: MixedOrders | None = field(default=None, compare=False)
    families: tuple[Example, ...] = field(default=(), compare=False)

    kind: ClassVar[str] = "date"
    plural: ClassVar[str] = "dates"
    ordered: ClassVar[bool] = True

    @classmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        """The column of dates, if nearly all texts are dates, or the source has moments, or the
        user asks for it; else None. Asked for, DataError where none of its numbers, or of its texts
        unless all are gaps, is a date, or most are in another order of day, month and year than the
        user says."""
        values = summary.values
        column = cls(summary.name, summary.dtype, gap_words=summary.gap_words)
        # a typed source: its moments are dates, and its numbers only if the user says so
        if not isinstance(values, Cells):
            if values.dtype.kind == "M":
                return column._with_statistics(column.parse(values), summary.closed)
            if not asked:
                return None
            moments = column.parse(values)
            # neither gaps, NaN, nor odd cells, ODD, are above ODD
            if not (moments > ODD).any():
                raise DataError(
                    f"{option('--type')} {summary.name}=date: it holds numbers that count no "
                    "seconds since 1970"
                )
            return column._with_statistics(moments, summary.closed)
        notation = summary.asked_dates() if asked else summary.dates
        if notation is None:
            return None
        if summary.date_order is not None:
            _refuse_another_order(notation, summary)
        column = dataclasses.replace(column, notation=notation, token=summary.token)
        column = dataclasses.replace(
            column,
            mixed=mixed_orders(notation, values),
            families=mixed_families(notation, values),
        )
        moments = column.parse(values)
        if asked and len(summary.present) and not (moments > ODD).any():
            text = summary.present.take(slice(0, 1)).strings()[0]
            order = f":{summary.date_order}" if summary.date_order else ""
            why = "has no year" if WITHOUT_YEAR.fullmatch(text) else "is in no format known"
            raise DataError(
                f"{option('--type')} {summary.name}=date{order}: {text!r} {why}; write ISO 8601 "
                "(2024-12-31 or 2024-12-31T23:59:00)"
            )
        return column._with_statistics(moments, summary.closed)

    def _with_statistics(self, seconds: Float, closed: bool) -> Self:
        """A copy of the column with counts, range, cycles and `reach` computed from moments, (n,),
        in epoch seconds, NaN and ODD among them. closed: whether no later records will come; if
        they may, `reach` is wider."""
        missing = int(np.isnan(seconds).sum())
        odd = int((seconds == ODD).sum())
        present = seconds[seconds > ODD]
        low, high = (float(present.min()), float(present.max())) if len(present) else (0.0, 0.0)
        within_days = bool((present % DAY != 0).any())
        cycles = [
            period
            for period in (DAY, WEEK, YEAR)
            if high - low >= 2 * period and (period != DAY or within_days)
        ]
        # times of day come again, whatever the year
        closed = closed or self.notation.only_time
        # where records go on coming, those of the years around are no surprise
        grace, least_tail = (0.0, LEAST_TAIL) if closed else (GRACE, YEAR)
        return dataclasses.replace(
            self,
            missing=missing,
            odd=odd,
            low=low,
            high=high,
            cycles=tuple(cycles),
            reach=Reach.of(present, grace, least_tail),
        )

    @property
    def features(self) -> Features:
        """The features of the column: a flag of gaps, if training saw any, and the cycles; models
        do not see the moment itself."""
        return Features(flagged=self.gaps, cycles=self.cycles)

    @property
    def far_out(self) -> Reach | None:
        """The range outside of which moments are surprising, `reach`; None where too few were
        seen."""
        return self.reach

    @property
    def span(self) -> tuple[float, float]:
        """The range of moments that training saw: (the first, the last), in epoch seconds."""
        return self.low, self.high

    def outside(self, values: Float) -> Mask:
        """Which moments lie before the first or after the last that training saw, (n,) bool.
        values: (n,), epoch seconds; False for ODD and NaN."""
        return np.asarray(((values < self.low) | (values > self.high)) & (values != ODD))

    def place(self, value: float) -> float | None:
        """The position of a moment between the first that training saw (0) and the last (1), below
        0 or above 1 beyond these; None for a gap, an odd cell, and where training saw one moment
        alone."""
        if math.isnan(value) or value == ODD or self.high <= self.low:
            return None
        return (value - self.low) / (self.high - self.low)

    @property
    def usual(self) -> float:
        """The value to put where none is known: 0.0, the first moment of 1970, in epoch seconds."""
        return 0.0

    @property
    def blank(self) -> float:
        """The value to put so that it says nothing to a model: 0.0, the first moment of 1970, which
        is the same for every record."""
        return 0.0

    def parse(self, values: Values) -> Float:
        """(n,) float64: moments in epoch seconds, NaN where missing, ODD for what is none. values:
        a column of the source, (n,), texts, moments or numbers; a number, in text or not, is a
        moment if it counts seconds since 1970, or a thousandth, a millionth or a billionth of
        them."""
        if isinstance(values, Cells):
            read = self.notation.read(values)
            odd = np.flatnonzero(read.state == ODD_CELL)
            # what is no date may be a number that counts seconds
            read.value[odd] = (
                _epoch_seconds(PLAIN.read(values.take(odd)).value) if len(odd) else ODD
            )
            return read.value
        if values.dtype.kind != "M":
            numbers = np.asarray(values, dtype=np.float64)
            return np.where(np.isnan(numbers), np.nan, _epoch_seconds(numbers))
        seconds = values.astype("datetime64[us]").astype(np.int64) / MICROSECONDS
        return np.where(np.isnat(values), np.nan, seconds)

    def as_written(self, cells: Cells, decimal: str) -> Self:
        """A copy that reads the notation of another file's cells, if that reads clearly more of
        them; else the column itself. decimal is not read."""
        if not (self.parse(cells) == ODD).any():
            return self
        known = self.notation.families
        notation = DateEvidence.of(cells).decide(self.gap_words, known=known)
        if notation is None:
            return self
        column = dataclasses.replace(self, notation=notation)
        return column if reads_better(column, self, cells) else self

    def show(self, value: float) -> str:
        """A moment, in epoch seconds, in the notation of the source; "missing" for NaN,
        "(no date)" for ODD."""
        if math.isnan(value):
            return "missing"
        if value == ODD:
            return "(no date)"
        return self.notation.show(value)

    def expectation(self, value: float, expected: float) -> str:
        """The range that nearly all moments lie in, as text, such as "2024-01-01 to 2024-12-31",
        whatever the arguments: models predict no dates. It is the range that training saw, cut to
        the usual one, `reach`, where that is known. NEVER_THERE ("missing in every fitted record")
        where training saw none."""
        if self.is_empty:
            return NEVER_THERE
        first = self.low
        last = self.high
        if self.reach is not None:
            first = max(first, self.reach.first)
            last = min(last, self.reach.last)
        return f"{self.show(first)} to {self.show(last)}"

    def contrast(self, written: str, value: float, expected: float) -> str:
        """The range that nearly all moments lie in, see `expectation`; of a date that is not
        written as its column's dates are, that date as they write it, if it lies in the range and
        is the same day in any order of its numbers."""
        moment = self._moment_of(written) if value == ODD else None
        if moment is not None and self.low <= moment <= self.high:
            return self.notation.show(moment)
        return super().contrast(written, value, expected)

    def _moment_of(self, text: str) -> float | None:
        """The moment that a text is, in epoch seconds, in whatever family of dates it is written;
        None for what is no date, and where several orders of its numbers make a day."""
        cells = Cells.of([text])
        any_order = dict.fromkeys(SEPARATORS, UNTOLD)
        notation = dataclasses.replace(self.notation, orders=any_order)
        reading = notation.read_in_any_family(cells)
        kinds = DateEvidence.of(cells).untold
        if np.isnan(reading.value[0]) or any(len(kind.orders) > 1 for kind in kinds):
            return None
        return float(reading.value[0])

    def mended(self, values: Float, expected: Float) -> Float:
        """(n,): for each value the nearest moment of the usual range, which is the value itself
        within it; for an odd cell the middle of the range; NaN, a gap, stays NaN. Where no range is
        known, all values as they are, odd ones, too. values: (n,), epoch seconds; expected is not
        read."""
        reach = self.reach
        if reach is None:
            return values
        middle = 0.5 * (reach.first + reach.last)
        return np.where(values == ODD, middle, reach.inside(values))

    def own_surprise(self, values: Float) -> Float:
        """(n,): the surprise in bits of each moment far outside of the usual range, at most 32; 32
        for odd cells, 0 for other moments and for gaps. Where no range is known, 0 for all. values:
        (n,), epoch seconds."""
        if self.reach is None:
            return super().own_surprise(values)
        return np.minimum(self.reach.bits(values), MOST_BITS)

    def restored(self, values: Float) -> Restored:
        """Moments, (n,) in epoch seconds, none of them ODD, as datetime64[us] for a source that had
        moments, else as texts in its notation; a gap, NaN, as NaT or as ""."""
        if self.notation == TYPED:
            return (values * MICROSECONDS).astype("datetime64[us]")
        return [self.notation.show(value) for value in values.tolist()]

    def usually(self, count: int, rng: np.random.Generator) -> Float:
        """Draw moments evenly from the range that training saw: (count,), in epoch seconds; 0 where
        it saw none."""
        return rng.uniform(self.low, self.high, count)

    def random(self, count: int, rng: np.random.Generator) -> Float:
        """Draw moments evenly from the range that training saw: (count,), in epoch seconds; from 0
        to 1 where it saw none."""
        return rng.uniform(self.low, self.high or 1.0, count)

    def distance(self, values: Float, others: Float) -> Float:
        """0 for each two dates, (n,): how far apart they are does not count as an error. values,
        others: (n,)."""
        return np.zeros(len(values))

    @property
    def is_empty(self) -> bool:
        """Whether all cells that training saw were gaps, one at least. Without any moment there is
        no `reach`, and the range is from 0 to 0, which a column of moments hardly has."""
        has_no_range = self.low == self.high == 0 and self.reach is None
        return self.gaps and not self.odd and has_no_range

    @property
    def is_constant(self) -> bool:
        """Whether training saw one moment alone, or none, and no gap."""
        return self.low == self.high and not self.missing

    def understood(self) -> str:
        """Words that say how the column was read: "dates", and the first and the last moment that
        training saw; "empty: no date" where it saw gaps alone."""
        if self.is_empty:
            return "empty: no date"
        return f"dates, {self.notation.show(self.low)} to {self.notation.show(self.high)}"

    def remark(self) -> str:
        """A remark that the column mixes two orders of day and month, or several families of dates,
        with counts and examples; that the order is a guess, with the option that says otherwise;
        "" if none is so."""
        remarks = [self._remark_on_order(), self._remark_on_families()]
        return ", ".join(remark for remark in remarks if remark)

    def _remark_on_families(self) -> str:
        """A remark that many dates are written in each of several ways; "" if not."""
        if not self.families:
            return ""
        counts = [f"{example.cells:,} such as {example.text}" for example in self.families]
        return f"written in {len(counts)} ways: {', '.join(counts)}"

    def _remark_on_order(self) -> str:
        """A remark that the column mixes two orders of day and month, or that the order is a guess;
        "" if neither is so."""
        if self.mixed is not None:
            return (
                f"of two orders: {self.mixed}; write all in one order, best as 2024-01-31, or "
                f"{option('--type')} {self.name}=category"
            )
        if not self.notation.ambiguous:
            return ""
        order_read = _first_order(self.notation)
        other = MONTH_FIRST if order_read == DAY_FIRST else DAY_FIRST
        return (
            f"read as {ORDERS[order_read]}, which is a guess: if it is wrong, "
            f"{option('--type')} {self.name}=date:{other}"
        )

    def to_json(self) -> dict[str, Json]:
        """A JSON-able form of the column, of which from_json makes an equal one: whatever differs
        from the defaults, the notation too, none for a source that had moments; never `mixed` and
        `families`."""
        # counts of the data that were read are no part of how to read others
        fields = super().to_json()
        fields.pop("mixed", None)
        fields.pop("families", None)
        if self.notation == TYPED:
            return fields
        return {**fields, "notation": self.notation.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        """The column that to_json wrote, checked, with notation and reach made of their JSON. data:
        its fields by name, without the kind. ValueError, TypeError or KeyError if it is not one."""
        stored = data.get("notation")
        reach_fields = data.get("reach")
        notation = TYPED if stored is None else DateNotation.from_json(stored)
        reach = None if reach_fields is None else Reach(**reach_fields)
        return super().from_json({**data, "notation": notation, "reach": reach})

    def check(self) -> None:
        """Raise ValueError if the column's fields are of a wrong type or cannot be, as those of a
        damaged file may: range, cycles and `reach` too."""
        super().check()
        self._refuse_unless(isinstance(self.cycles, tuple) and finite(*self.cycles))
        self._refuse_unless(all(period > 0 for period in self.cycles))
        self._refuse_unless(finite(self.low, self.high) and self.low <= self.high)
        if self.reach is not None:
            self.reach.check()


def _epoch_seconds(numbers: Float) -> Float:
    """Read numbers as moments, (n,), in epoch seconds: by its size a number is a count of seconds,
    or of thousandths, millionths or billionths of one, since 1970; ODD for a number that can be
    none of these, and for NaN. numbers: (n,). These counts are of the years 1973 to 5138, or as
    long before 1970, and do not overlap."""
    seconds = np.full(len(numbers), ODD)
    for parts in PARTS:
        counted = numbers / parts
        fits = (np.abs(counted) >= EARLIEST) & (np.abs(counted) < LATEST)
        seconds = np.where(fits, counted, seconds)
    return seconds


def _first_order(notation: DateNotation) -> str:
    """The order in which dates with the first of the notation's separators are read, one of ORDERS,
    such as "dmy"; DAY_FIRST if it has none."""
    for orders in notation.orders.values():
        if orders:
            return orders[0]
    return DAY_FIRST


def _refuse_another_order(notation: DateNotation, summary: Summary) -> None:
    """Raise DataError if a column's cells show another order of day, month and year than the one
    that the user says, summary.date_order; silent where they do not tell. notation: as the cells
    are read."""
    order_asked = str(summary.date_order)
    for separator, orders in notation.orders.items():
        if orders[0] != order_asked:
            raise DataError(
                f"{option('--type')} {summary.name}=date:{order_asked}: most of its dates with "
                f"'{separator}' are {ORDERS[orders[0]]}; leave the order out"
            )
