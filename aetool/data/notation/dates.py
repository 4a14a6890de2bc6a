"""Columns of dates: evidence of how they are written, the decision, and every cell read by it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aetool import kernel
from aetool.canonical import Json
from aetool.csv.cells import folded, is_gap_word
from aetool.data.notation import moments, scanning
from aetool.data.notation.calendar import are_days, civil, days_of
from aetool.data.notation.evidence import (
    GAP,
    ODD,
    VALUE,
    OddCells,
    added,
    different_texts,
    nearly_all,
)
from aetool.data.notation.gaps import is_gap
from aetool.data.notation.moments import (
    COMPACT,
    DAY_FIRST,
    MONTH,
    MONTH_FIRST,
    NAMED,
    SHORT_YEAR_FIRST,
    SURE,
    TIME,
    YEAR_FIRST,
)
from aetool.data.notation.patterns import Pattern
from aetool.data.notation.scanning import EMPTY, LEFT
from aetool.data.table import Bytes, Cells, Mask
from aetool.model import Float, Int

DAY = 86400
LAYOUTS = ("", YEAR_FIRST, NAMED, COMPACT, MONTH, TIME)  # by the number that `Parts` have
UNTOLD = (DAY_FIRST, MONTH_FIRST, SHORT_YEAR_FIRST)  # what a column must tell apart
PLACE_OF_DAY = {DAY_FIRST: 0, MONTH_FIRST: 1, SHORT_YEAR_FIRST: 2}
NO_MOMENT = 255
SEPARATORS = b"-./"  # in the order of the kernel
# Which order a separator stands for where no cell tells: 31.12.2024, 31-12-2024, 12/31/2024.
USUAL = {".": DAY_FIRST, "-": DAY_FIRST, "/": MONTH_FIRST}
LEAST_OF_ORDER = (
    0.05  # of the cells with a separator have an order of the column's beside the first
)
LEAST_COMPACT = 3  # cells like 20241231 and nothing else, before they are dates
FIRST_YEAR, LAST_YEAR = 1800, 2199  # of dates without separators, which are numbers else
MOST_DIGITS = 6  # of a second: a float64 tells no more in our times


# Whatever a scan may read in the usual style, and more: digits alone, which are no words.
_LIKE_A_NUMBER = Pattern(r"\s*\(?[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?\)?\s*")

Varied = tuple[frozenset[int], frozenset[int], frozenset[int]]
NOTHING_VARIED: Varied = (frozenset(), frozenset(), frozenset())


Facts = dict[str, Json]  # what JSON holds


class Untold(NamedTuple):
    """A kind of date cells that fit several orders of day, month and year. separator: between the
    three numbers; orders: those that are possible."""

    separator: str
    orders: tuple[str, ...]


class DateStyle(NamedTuple):
    """How a moment is written. layout, separator: of its day; joint: the text between day and time;
    fields: 0 without time, 2 (h:m) or 3 (h:m:s); digits: of the second's fraction; zoned: whether
    with an offset, which is shown as Z; widths: characters of each of the day's three numbers."""

    layout: str = YEAR_FIRST
    separator: str = "-"
    joint: str = ""
    fields: int = 0
    digits: int = 0
    zoned: bool = False
    widths: tuple[int, int, int] = (4, 2, 2)


@dataclass(frozen=True, eq=False)
class Parts:
    """Cells taken apart by `moments.taken_apart`; arrays (n,) if not said otherwise.

    layout: the place in LAYOUTS, NO_MOMENT where a cell is no moment. separator: as a byte.
    numbers: the three numbers of the day, widths: their digits, (n, 3) each. seconds, fraction: of
    the clock. styles: of the different texts; index: which of these each cell has.
    """

    layout: Bytes
    separator: Bytes
    numbers: npt.NDArray[np.int64]  # (n, 3)
    widths: npt.NDArray[np.int64]  # (n, 3)
    seconds: Int
    fraction: Float
    styles: list[DateStyle | None]  # of the different texts
    index: Int  # (n,), which of the texts it is

    def moments(self, order: str) -> tuple[Float, Mask]:
        """((n,) epoch seconds; (n,) bool: where the three numbers are a day of the calendar), the
        numbers read in this order."""
        first, second, third = self.numbers.T
        day = third
        month = second
        year = first
        width = self.widths[:, 0]
        if order == DAY_FIRST:
            day = first
            year = third
            width = self.widths[:, 2]
        elif order == MONTH_FIRST:
            month = first
            day = second
            year = third
            width = self.widths[:, 2]
        short = width == 2
        century = np.where(year >= moments.CENTURY_TURNS, 1900, 2000)
        year = np.where(short, year + century, year)
        good = are_days(year, month, day)
        if order == SHORT_YEAR_FIRST:
            good &= (self.widths == 2).all(axis=1)
        days = days_of(np.where(good, year, 1970), np.where(good, month, 1), np.where(good, day, 1))
        return (days * DAY + self.seconds) + self.fraction, good


def taken_apart(cells: Cells, rows: Int) -> Parts:
    """Take the cells of these rows apart; each different text is parsed once."""
    texts, index = different_texts(cells, rows)
    apart = [moments.taken_apart(text) for text in texts]
    nothing = moments.Apart("", "", 0, 0, 0, (0, 0, 0), moments.MIDNIGHT)
    moments_or_nothing = [moment or nothing for moment in apart]
    layout = [LAYOUTS.index(moment.layout) if moment else NO_MOMENT for moment in apart]
    separator = [ord(moment.separator or "\0") for moment in moments_or_nothing]
    numbers = np.array(
        [(moment.first, moment.second, moment.third) for moment in moments_or_nothing], np.int64
    )
    widths = np.array([moment.widths for moment in moments_or_nothing], np.int64)
    return Parts(
        layout=np.array(layout, np.uint8)[index],
        separator=np.array(separator, np.uint8)[index],
        numbers=numbers.reshape(-1, 3)[index],
        widths=widths.reshape(-1, 3)[index],
        seconds=np.array([moment.clock.seconds for moment in moments_or_nothing], np.int64)[index],
        fraction=np.array([moment.clock.fraction for moment in moments_or_nothing], np.float64)[
            index
        ],
        styles=[_style(moment) if moment else None for moment in apart],
        index=index,
    )


def _style(apart: moments.Apart) -> DateStyle:
    clock = apart.clock
    widths = apart.widths
    return DateStyle(
        apart.layout, apart.separator, clock.joint, clock.fields, clock.digits, clock.zoned, widths
    )


@dataclass(frozen=True)
class DateReading:
    """The cells of a column, read as dates.

    value: (n,) float64, seconds since 1970-01-01 00:00 UTC (a time without zone is taken for UTC; a
    time without day counts from midnight); NaN where state is not VALUE. state: (n,) uint8, VALUE,
    GAP or ODD.
    """

    value: Float
    state: Bytes


@dataclass(frozen=True)
class DateEvidence:
    """What the cells of a column say of dates: added by `+`, in any order to the same sum.

    sure: how many cells have each layout that no other could be. untold: how many have each kind of
    three numbers whose order the column must tell. varied: for each separator the different first,
    second and third numbers of cells that several orders fit. styles: how often dates are written
    in each style. gaps: how often each word for a gap is there. numbers: cells
    that are plain numbers and no dates. odd: all other cells.
    """

    sure: Mapping[str, int] = field(default_factory=dict)
    untold: Mapping[Untold, int] = field(default_factory=dict)
    varied: Mapping[str, Varied] = field(default_factory=dict)
    styles: Mapping[DateStyle, int] = field(default_factory=dict)
    gaps: Mapping[str, int] = field(default_factory=dict)
    numbers: int = 0
    odd: OddCells = field(default_factory=OddCells)

    @classmethod
    def of(cls, cells: Cells) -> DateEvidence:
        """The evidence of these cells: counts of how they are written."""
        return _Collector(cells).evidence()

    def __add__(self, other: DateEvidence) -> DateEvidence:
        return DateEvidence(
            sure=added(self.sure, other.sure),
            untold=added(self.untold, other.untold),
            varied=_united(self.varied, other.varied),
            styles=added(self.styles, other.styles),
            gaps=added(self.gaps, other.gaps),
            numbers=self.numbers + other.numbers,
            odd=self.odd + other.odd,
        )

    def decide(
        self,
        gap_words: Iterable[str] = (),
        *,
        usual: str | None = None,
        asked: bool = False,
    ) -> DateNotation | None:
        """How to read the column's cells as dates; None if they are not nearly all dates (see
        `nearly_all`).

        gap_words: the user's, beside `cells.GAP_WORDS`. usual: "dmy" or "mdy", the order if no cell
        tells; None: a guess. asked: whether the user says that the column holds dates; cells that
        are none are odd then.

        Ask this before `NumberEvidence.decide`: a column of 20241231 is both.
        """
        words = tuple(gap_words)
        odd = self.odd.without(folded(words))
        separators = {separator for separator, _ in self.untold}
        orders: dict[str, tuple[str, ...]] = {}
        ambiguous = False
        for separator in sorted(separators):
            orders[separator], doubtful = self._orders(separator, usual)
            ambiguous = ambiguous or doubtful
        times = self.sure.get(TIME, 0)
        dated = sum(n for layout, n in self.sure.items() if layout != TIME)
        dated += sum(n for kind, n in self.untold.items() if _fits(kind, orders))
        only_time = times > dated
        fitting = times if only_time else dated
        unfit = sum(self.sure.values()) + sum(self.untold.values()) - fitting
        if not asked:
            if self._digits_alone == fitting < LEAST_COMPACT:
                return None
            if not nearly_all(fitting, odd, few_values=False, others=unfit + self.numbers):
                return None
        return DateNotation(orders, only_time, ambiguous, self._style(orders, only_time), words)

    @property
    def _digits_alone(self) -> int:
        """How many cells are dates of digits alone, as 20241231, which may be numbers."""
        compact = {s: n for s, n in self.styles.items() if s.layout == COMPACT}
        return sum(n for s, n in compact.items() if not s.joint and not s.zoned)

    def _orders(self, separator: str, usual: str | None) -> tuple[tuple[str, ...], bool]:
        """(the orders in which to read cells with this separator, the commonest first; whether the
        first is a guess that no cell proves)."""
        kinds = {k.orders: n for k, n in self.untold.items() if k.separator == separator}
        whole = sum(kinds.values())
        fits = {o: sum(n for orders, n in kinds.items() if o in orders) for o in UNTOLD}
        most = max(fits.values())
        best = [order for order in UNTOLD if fits[order] == most]
        doubtful = len(best) > 1
        first = best[0]
        if doubtful:
            first, doubtful = self._order_without_proof(separator, best, usual)
        chosen = [first]
        for order in sorted(UNTOLD, key=lambda o: -fits[o]):
            alone = sum(n for orders, n in kinds.items() if order in orders and first not in orders)
            if order != first and alone >= max(2, LEAST_OF_ORDER * whole):
                chosen.append(order)
        return tuple(chosen), doubtful

    def _order_without_proof(
        self,
        separator: str,
        best: list[str],
        usual: str | None,
    ) -> tuple[str, bool]:
        """(the likeliest of the orders in `best`, which fit equally many cells with this separator;
        whether it is only a guess)."""
        if usual in best:
            return str(usual), False
        # cells with other separators that tell are written by the same hand
        votes: Counter[str] = Counter()
        for kind, count in self.untold.items():
            if len(kind.orders) == 1:
                votes[kind.orders[0]] += count
        proven = max(best, key=lambda order: votes[order])
        if votes[proven]:
            return proven, False
        # days come in more values than months do, or years
        amounts = {o: len(self.varied[separator][PLACE_OF_DAY[o]]) for o in best}
        likely = [order for order in best if amounts[order] == max(amounts.values())]
        return (USUAL[separator] if USUAL[separator] in likely else likely[0]), True

    def _style(self, orders: Mapping[str, tuple[str, ...]], only_time: bool) -> DateStyle:
        """The commonest style of the column's dates, or of its times if only_time; its layout is
        the order of its separator, if cells do not tell it."""
        styles = {s: n for s, n in self.styles.items() if (s.layout == TIME) == only_time}
        if not styles:
            return DateStyle()
        style = min(styles, key=lambda written: (-styles[written], written))
        if style.layout:
            return style
        return style._replace(layout=orders[style.separator][0])


def _united(one: Mapping[str, Varied], other: Mapping[str, Varied]) -> dict[str, Varied]:
    united: dict[str, Varied] = {}
    for name in sorted({*one, *other}):
        pairs = zip(one.get(name, NOTHING_VARIED), other.get(name, NOTHING_VARIED), strict=True)
        united[name] = _varied(a | b for a, b in pairs)
    return united


def _varied(numbers: Iterable[Iterable[int]]) -> Varied:
    first, second, third = (frozenset(values) for values in numbers)
    return first, second, third


def _fits(kind: Untold, orders: Mapping[str, tuple[str, ...]]) -> bool:
    return bool(set(kind.orders) & set(orders[kind.separator]))


class _Collector:
    """Collects the evidence of cells: usual dates by arrays, each different other text by itself.

    Which of both ways a cell goes changes only the time it takes.
    """

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.sure: Counter[str] = Counter()
        self.untold: Counter[Untold] = Counter()
        self.styles: Counter[DateStyle] = Counter()
        self.gaps: Counter[str] = Counter()
        self.odd: Counter[str] = Counter()
        self.numbers = 0
        self.varied: dict[str, tuple[set[int], set[int], set[int]]] = {}

    def evidence(self) -> DateEvidence:
        """The evidence of all cells."""
        scan = scanning.scan(self.cells, scanning.Style())
        empty = scan.form == EMPTY
        plain = (scan.form < EMPTY) & ~_maybe_compact(self.cells, scan.value)
        self.numbers = int(plain.sum())
        if empty.any():
            self.gaps[""] = int(empty.sum())
        unread = np.flatnonzero(~plain & ~empty)
        if kernel.C and len(unread):
            unread = self._by_shape(unread)
        self._one_by_one(unread)
        return DateEvidence(
            sure=dict(self.sure),
            untold=dict(self.untold),
            varied={name: _varied(places) for name, places in self.varied.items()},
            styles=dict(self.styles),
            gaps=dict(self.gaps),
            numbers=self.numbers,
            odd=OddCells.of(self.odd),
        )

    def _by_shape(self, rows: Int) -> Int:
        """Count the cells that the kernel can read, by the shapes of their texts; returns the rows
        of all others.

        A shape is a text with 0 for every digit: it tells the style, and few are different.
        """
        cells = self.cells.take(rows)
        _, sure = _kernel_moments(cells, bytes(len(SEPARATORS)))
        fitting = np.zeros(len(rows), np.int64)  # a bit for each order
        moments_of: dict[str, Float] = {}
        for bit, order in enumerate(UNTOLD):
            value, form = _kernel_moments(cells, bytes([1 + bit] * len(SEPARATORS)))
            moments_of[order] = value
            fitting += (form == 0).astype(np.int64) << bit
        fitting[sure == 0] = 0
        zeros = np.arange(256, dtype=np.uint8)
        zeros[ord("0") : ord("9") + 1] = ord("0")
        shapes = Cells(zeros[cells.buffer], cells.start, cells.stop, cells.null)
        read = np.flatnonzero((sure == 0) | (fitting > 0))
        texts, index = different_texts(shapes, read)
        is_unread = np.ones(len(rows), np.bool_)
        for number, text in enumerate(texts):
            apart = moments.taken_apart(text)
            # an offset moves the day, so that its numbers cannot be told from the moment
            if apart is None or (apart.clock.zoned and not apart.layout):
                continue
            same = read[index == number]
            is_unread[same] = False
            style = _style(apart)
            self.styles[style] += len(same)
            if apart.layout:
                self.sure[apart.layout] += len(same)
                continue
            for bits, count in enumerate(np.bincount(fitting[same]).tolist()):
                orders = tuple(order for bit, order in enumerate(UNTOLD) if bits >> bit & 1)
                if count:
                    self.untold[Untold(style.separator, orders)] += count
                if count and len(orders) > 1:
                    chosen = same[fitting[same] == bits]
                    self._vary(style, orders[0], moments_of[orders[0]][chosen])
        return rows[is_unread]

    def _vary(self, style: DateStyle, order: str, value: Float) -> None:
        """Add to `varied` the three numbers of dates that several orders fit. value: (n,), their
        moments if they are read in `order`."""
        year, month, day = civil((value // DAY).astype(np.int64))
        if style.widths[2] == 2:
            year = year % 100
        numbers = (day, month, year) if order == DAY_FIRST else (month, day, year)
        places = self.varied.setdefault(style.separator, (set(), set(), set()))
        for place, values in zip(places, numbers, strict=True):
            place.update(np.unique(values).tolist())

    def _one_by_one(self, rows: Int) -> None:
        """Count the different texts of these rows, each parsed by itself."""
        if not len(rows):
            return
        texts, index = different_texts(self.cells, rows)
        counts = np.bincount(index, minlength=len(texts)).tolist()
        parts = taken_apart(Cells.of(texts), np.arange(len(texts)))
        is_day = parts.moments(YEAR_FIRST)[1].tolist()
        fits = {order: parts.moments(order)[1].tolist() for order in UNTOLD}
        for i, (text, count) in enumerate(zip(texts, counts, strict=True)):
            style = parts.styles[parts.index[i]]
            if is_gap_word(text):
                self.gaps[text.strip()] += count
                continue
            if style is not None and style.layout and is_day[i]:
                self.sure[style.layout] += count
                self.styles[style] += count
                continue
            orders = tuple(order for order in UNTOLD if fits[order][i])
            if style is None or style.layout or not orders:
                self._no_date(text, count)
                continue
            self.untold[Untold(style.separator, orders)] += count
            self.styles[style] += count
            if len(orders) > 1:
                places = self.varied.setdefault(style.separator, (set(), set(), set()))
                for place, number in zip(places, parts.numbers[i].tolist(), strict=True):
                    place.add(number)

    def _no_date(self, text: str, count: int) -> None:
        if _LIKE_A_NUMBER.fullmatch(text):
            self.numbers += count
        else:
            self.odd[text] += count


def _kernel_moments(cells: Cells, orders: bytes) -> tuple[Float, Bytes]:
    """((n,) epoch seconds, (n,) form) of cells by the kernel; form LEFT where it cannot read one.
    orders: a byte for each of SEPARATORS, 1 + the place in UNTOLD of the order to read by, or 0 for
    none."""
    value = np.full(len(cells), np.nan)
    form = np.full(len(cells), LEFT, np.uint8)
    start, stop, wide = scanning.spans(cells)
    kernel.C.moments(cells.buffer, start, stop, wide, orders, value, form)
    return value, form


def _maybe_compact(cells: Cells, value: Float) -> Mask:
    """(n,) bool: where a cell that is a number may be a date of digits alone, 20241231, perhaps
    with a time. value: (n,), its number."""
    length = cells.stop - cells.start
    year = np.full(len(cells), np.nan)
    for width in (8, 12, 14):
        rows = length == width
        year[rows] = value[rows] // 10.0 ** (width - 4)
    return np.asarray((year >= FIRST_YEAR) & (year <= LAST_YEAR))


@dataclass(frozen=True)
class DateNotation:
    """How the dates of a column are written.

    orders: for each separator the orders ("dmy", "mdy", "yymmdd") to try on three numbers that do
    not begin with a year of four digits. only_time: whether cells are times without days.
    ambiguous: whether the order of day and month is a guess. style: the commonest. gap_words: the
    user's.
    """

    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    only_time: bool = False
    ambiguous: bool = False
    style: DateStyle = DateStyle()  # noqa: RUF009 a tuple cannot change
    gap_words: tuple[str, ...] = ()

    def read(self, cells: Cells) -> DateReading:
        """Read every cell: a moment, a gap or something odd; no cell raises an error.

        Layouts that only one meaning fits (ISO 8601, RFC 3339, names of months, 20241231) are read
        in every column of dates, with any zone.
        """
        value, state, unread = self._plain(cells)
        gap = is_gap(cells.take(unread), self.gap_words)
        state[unread] = np.where(gap, GAP, ODD)
        unread = unread[~gap]
        if len(unread):
            moment, good = self._moments(taken_apart(cells, unread))
            value[unread[good]] = moment[good]
            state[unread[good]] = VALUE
        return DateReading(value, state)

    def _plain(self, cells: Cells) -> tuple[Float, Bytes, Int]:
        """((n,) value, (n,) state, the rows still to be read): what the kernel reads, as
        `taken_apart` and `_moments` would; without the kernel only null cells are done."""
        if kernel.C and not self.only_time:
            firsts = bytearray(len(SEPARATORS))
            for separator, orders in self._orders_tried().items():
                firsts[SEPARATORS.index(separator.encode())] = 1 + UNTOLD.index(orders[0])
            value, form = _kernel_moments(cells, bytes(firsts))
        else:
            value = np.full(len(cells), np.nan)
            form = np.full(len(cells), LEFT, np.uint8)
        form[cells.null] = EMPTY
        value[cells.null] = np.nan
        state = np.where(form == EMPTY, GAP, VALUE).astype(np.uint8)
        return value, state, np.flatnonzero(form == LEFT)

    def is_gap(self, cells: Cells) -> Mask:
        """(n,) bool: where a cell is a gap in this column."""
        return is_gap(cells, self.gap_words)

    def _moments(self, parts: Parts) -> tuple[Float, Mask]:
        value, good = parts.moments(YEAR_FIRST)
        is_time = parts.layout == LAYOUTS.index(TIME)
        sure = (parts.layout != 0) & (parts.layout != NO_MOMENT)
        good &= sure & (is_time == self.only_time)
        if self.only_time:
            return value, good
        for separator, orders in self._orders_tried().items():
            untold = (parts.layout == 0) & (parts.separator == ord(separator))
            for order in orders if untold.any() else ():
                moment, fits = parts.moments(order)
                rows = untold & fits & ~good
                value[rows] = moment[rows]
                good |= rows
        return value, good

    def _orders_tried(self) -> dict[str, tuple[str, ...]]:
        """For each separator the orders to try on its cells.

        A separator that the column did not have has the order of the others, or its usual one.
        """
        tried = dict(self.orders)
        others = {chosen[0] for chosen in self.orders.values()}
        for separator, usual in USUAL.items():
            same = separator != "." and len(others) == 1 and others <= {DAY_FIRST, MONTH_FIRST}
            tried.setdefault(separator, tuple(others) if same else (usual,))
        return tried

    def show(self, seconds: float) -> str:
        """Write a moment, epoch seconds, as this column does, in UTC, rounded to its last field; ""
        for NaN."""
        if not math.isfinite(seconds):
            return ""
        style = self.style
        digits = min(style.digits, MOST_DIGITS)
        unit = 10**digits
        step = {0: DAY * unit, 2: 60 * unit, 3: 1}[style.fields]
        ticks = round(seconds * unit / step) * step
        days, clock = divmod(ticks, DAY * unit)
        if style.layout == TIME:
            return _time(ticks, digits, style)
        date = _day(days, style)
        if not style.fields:
            return date
        time = _time(clock, digits, style)
        return f"{date}{style.joint}{time}{'Z' if style.zoned else ''}"

    def to_json(self) -> Facts:
        """The notation as JSON, from which from_json makes an equal one."""
        facts: Facts = {
            "orders": {name: list(orders) for name, orders in self.orders.items()},
            "style": {**self.style._asdict(), "widths": list(self.style.widths)},
        }
        for name in ("only_time", "ambiguous"):
            if getattr(self, name):
                facts[name] = True
        if self.gap_words:
            facts["gap_words"] = list(self.gap_words)
        return facts

    @classmethod
    def from_json(cls, facts: Facts) -> DateNotation:
        """The notation that to_json wrote; ValueError, TypeError or KeyError if it is none."""
        orders = {name: tuple(chosen) for name, chosen in facts["orders"].items()}
        style = DateStyle(**{**facts["style"], "widths": tuple(facts["style"]["widths"])})
        words = facts.get("gap_words", [])
        flags = facts.get("only_time", False), facts.get("ambiguous", False)
        sane = (
            set(facts) <= {"orders", "style", "only_time", "ambiguous", "gap_words"}
            and all(name in USUAL and chosen for name, chosen in orders.items())
            and all(order in UNTOLD for chosen in orders.values() for order in chosen)
            and all(isinstance(flag, bool) for flag in (*flags, style.zoned))
            and isinstance(words, list)
            and all(isinstance(word, str) for word in words)
            and style.layout in (*SURE, TIME, *UNTOLD)
            and style.fields in (0, 2, 3)
            and type(style.digits) is int
            and 0 <= style.digits <= 12
            and len(style.widths) == 3
            and all(type(width) is int and 0 <= width <= 4 for width in style.widths)
            and all(isinstance(text, str) for text in (style.joint, style.separator))
        )
        if not sane:
            raise ValueError("not a notation of dates")
        return cls(orders, *flags, style, tuple(words))


def _day(days: int, style: DateStyle) -> str:
    year, month, day = (int(part[0]) for part in civil(np.array([days])))
    widths = style.widths
    if style.layout == COMPACT:
        return f"{year:04d}{month:02d}{day:02d}"
    if style.layout == MONTH:
        return f"{year:04d}-{month:02d}"
    if style.layout == NAMED:
        names = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
        return f"{day} {names[month - 1]} {year:04d}"
    short_year = f"{year % 100:02d}"
    if style.layout == SHORT_YEAR_FIRST:
        parts = [short_year, f"{month:02d}", f"{day:02d}"]
    elif style.layout == YEAR_FIRST:
        parts = [f"{year:04d}", f"{month:0{widths[1]}d}", f"{day:0{widths[2]}d}"]
    else:
        numbers = (day, month) if style.layout == DAY_FIRST else (month, day)
        written = short_year if widths[2] == 2 else f"{year:04d}"
        parts = [f"{numbers[0]:0{widths[0]}d}", f"{numbers[1]:0{widths[1]}d}", written]
    return style.separator.join(parts)


def _time(ticks: int, digits: int, style: DateStyle) -> str:
    seconds, fraction = divmod(ticks, 10**digits)
    hour, rest = divmod(seconds, 3600)
    minute, second = divmod(rest, 60)
    text = f"{hour:02d}:{minute:02d}"
    if style.layout == COMPACT:
        text = f"{hour:02d}{minute:02d}"
    if style.fields == 3:
        text += f"{second:02d}" if style.layout == COMPACT else f":{second:02d}"
    return f"{text}.{fraction:0{digits}d}" if digits else text
