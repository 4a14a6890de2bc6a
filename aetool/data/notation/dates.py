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
from aetool.data.notation.families import (
    FAMILIES,
    families_of_file,
    family_of,
    surely_of,
    usual_families,
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
# orders of three numbers that a cell alone need not tell apart, as 01/02/03: the column decides
UNTOLD = (DAY_FIRST, MONTH_FIRST, SHORT_YEAR_FIRST)
PLACE_OF_DAY = {DAY_FIRST: 0, MONTH_FIRST: 1, SHORT_YEAR_FIRST: 2}
YEAR_MONTH_DAY = (0, 1, 2)  # places of year, month and day among three numbers, year first
PLACES = {DAY_FIRST: (2, 1, 0), MONTH_FIRST: (2, 0, 1)}  # the same places in the other orders
NO_MOMENT = 255
SEPARATORS = b"-./"  # in the order of the kernel
# Which order a separator stands for where no cell tells: 31.12.2024, 31-12-2024, 12/31/2024.
USUAL = {".": DAY_FIRST, "-": DAY_FIRST, "/": MONTH_FIRST}
# of the cells with a separator have an order of the column's beside the first
LEAST_OF_ORDER = 0.05
LEAST_COMPACT = 3  # cells like 20241231 and nothing else, before they are dates
FIRST_YEAR, LAST_YEAR = 1800, 2199  # of dates without separators, which are numbers else
MOST_DIGITS = 6  # of a second: a float64 tells no more in our times
NAMES_OF_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


# Whatever a scan may read in the usual style, and more: digits alone, which are no words.
_LIKE_A_NUMBER = Pattern(r"\s*\(?[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?\)?\s*")

# Different first, second and third numbers of dates: as evidence, and as they are collected.
Varied = tuple[frozenset[int], frozenset[int], frozenset[int]]
ThreeSets = tuple[set[int], set[int], set[int]]
NOTHING_VARIED: Varied = (frozenset(), frozenset(), frozenset())

# what a notation has in JSON
IN_JSON = {"orders", "style", "only_time", "ambiguous", "gap_words", "families"}
Facts = dict[str, Json]  # what JSON holds
Orders = dict[str, tuple[str, ...]]  # by separator the orders to try on three numbers


class Untold(NamedTuple):
    """A kind of date cells whose text alone does not tell the order of day, month and year.
    separator: between the three numbers, "-", "." or "/"; orders: those of UNTOLD, at least one, in
    which they are a day of the calendar."""

    separator: str
    orders: tuple[str, ...]


class DateStyle(NamedTuple):
    """The style in which a moment is written as text.

    layout: of its day, one of LAYOUTS or UNTOLD, "" while the order is not told; separator: between
    its numbers, "" for none; joint: the text between day and time; fields: 0 without time, 2 (h:m)
    or 3 (h:m:s); digits: how many the second's fraction has; zoned: whether with a zone, which is
    shown as Z; widths: characters of each of the day's three numbers, in the order written.
    """

    layout: str = YEAR_FIRST
    separator: str = "-"
    joint: str = ""
    fields: int = 0
    digits: int = 0
    zoned: bool = False
    widths: tuple[int, int, int] = (4, 2, 2)


@dataclass(frozen=True, eq=False)
class Parts:
    """n cells of dates and times, taken apart into their numbers; arrays are (n,) if not said
    otherwise, and 0 where a cell is no moment.

    layout: the place in LAYOUTS of how the day is written, NO_MOMENT where a cell is no moment.
    separator: between the numbers of the day, as a byte; 0 for none. numbers: (n, 3), the three
    numbers of the day: year, month and day, or, where layout is 0, in the order in which they are
    written; widths: (n, 3), how many characters each has. seconds: whole ones since midnight UTC,
    below 0 or beyond a day where an offset moves the day; fraction: of a second, 0 .. 1, to be
    added. styles: for each different text how it is written, None if it is no moment; index: (n,),
    the place in `styles`, from 0, of each cell's text.
    """

    layout: Bytes
    separator: Bytes
    numbers: npt.NDArray[np.int64]
    widths: npt.NDArray[np.int64]
    seconds: Int
    fraction: Float
    styles: list[DateStyle | None]
    index: Int

    def moments(self, order: str) -> tuple[Float, Mask]:
        """Read the three numbers in this order: (seconds since 1970-01-01 00:00 UTC, (n,); whether
        the numbers are a day of the calendar, (n,) bool: elsewhere the seconds mean nothing).
        order: one of UNTOLD; year, month, day for any other. A year of two digits is one of 1969 to
        2068; in SHORT_YEAR_FIRST all three numbers must have two digits. The order is tried on all
        cells, whatever their layout."""
        place_of_year, place_of_month, place_of_day = PLACES.get(order, YEAR_MONTH_DAY)
        year = self.numbers[:, place_of_year]
        month = self.numbers[:, place_of_month]
        day = self.numbers[:, place_of_day]
        is_last_century = year >= moments.CENTURY_TURNS
        century = np.where(is_last_century, 1900, 2000)
        is_short = self.widths[:, place_of_year] == 2
        year = np.where(is_short, year + century, year)
        is_day = are_days(year, month, day)
        if order == SHORT_YEAR_FIRST:
            has_short_numbers = self.widths == 2
            is_day &= has_short_numbers.all(axis=1)
        # what is no day becomes one, so that the calendar can count it
        year = np.where(is_day, year, 1970)
        month = np.where(is_day, month, 1)
        day = np.where(is_day, day, 1)
        days = days_of(year, month, day)
        whole_seconds = days * DAY + self.seconds
        # the fraction comes last: whole seconds are added without rounding
        return whole_seconds + self.fraction, is_day


def taken_apart(cells: Cells, rows: Int) -> Parts:
    """Take the cells of these rows, (n,) positions in `cells`, apart into numbers, separators and
    times of day, an entry for each row; each different text is parsed once. No cell raises an
    error."""
    texts, index = different_texts(cells, rows)
    count = len(texts)
    # an entry for each different text, spread over the rows at the end
    layout = np.full(count, NO_MOMENT, np.uint8)
    separator = np.zeros(count, np.uint8)
    numbers = np.zeros((count, 3), np.int64)
    widths = np.zeros((count, 3), np.int64)
    seconds = np.zeros(count, np.int64)
    fraction = np.zeros(count)
    styles: list[DateStyle | None] = [None] * count
    for place, text in enumerate(texts):
        moment = moments.taken_apart(text)
        if moment is None:
            continue
        layout[place] = LAYOUTS.index(moment.layout)
        # a month's name, or digits alone, have no separator
        separator[place] = ord(moment.separator or "\0")
        numbers[place] = (moment.first, moment.second, moment.third)
        widths[place] = moment.widths
        seconds[place] = moment.clock.seconds
        fraction[place] = moment.clock.fraction
        styles[place] = _style_of_cell(moment)
    return Parts(
        layout=layout[index],
        separator=separator[index],
        numbers=numbers[index],
        widths=widths[index],
        seconds=seconds[index],
        fraction=fraction[index],
        styles=styles,
        index=index,
    )


def _style_of_cell(apart: moments.Apart) -> DateStyle:
    """The style in which a cell that was taken apart is written; its layout is "" if the cell does
    not tell the order of its numbers."""
    clock = apart.clock
    return DateStyle(
        layout=apart.layout,
        separator=apart.separator,
        joint=clock.joint,
        fields=clock.fields,
        digits=clock.digits,
        zoned=clock.zoned,
        widths=apart.widths,
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
    """Counts of how the cells of a column are written, by which it is decided whether and how they
    are dates. Evidence of parts of a column is added by `+`, in any order to the same sum.

    sure: how many cells have each layout that no other could be, TIME among them. untold: how many
    have each kind of three numbers whose order the column must tell. varied: for each separator the
    different first, second and third numbers of cells that several orders fit. styles: how often
    dates are written in each style. gaps: how often each word for a gap is there, as written.
    numbers: how many cells are plain numbers and no dates. odd: all other cells.
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
        """Count how these cells, a column or a part of one, are written, as evidence for or against
        dates."""
        return _Collector(cells).evidence()

    def __add__(self, other: DateEvidence) -> DateEvidence:
        """The evidence of both parts of a column together."""
        return DateEvidence(
            sure=added(self.sure, other.sure),
            untold=added(self.untold, other.untold),
            varied=_union_by_separator(self.varied, other.varied),
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
        known: tuple[str, ...] | None = None,
    ) -> DateNotation | None:
        """Decide how to read the column's cells as dates, or as times if more cells are such; None
        if they are not nearly all dates, or all times (see `nearly_all`), or fewer than three cells
        and all of digits alone, as 20241231.

        gap_words: the user's further words for gaps, beside `cells.GAP_WORDS`. usual: one of
        UNTOLD, the order to take where cells with a separator fit several equally well; None: that
        of cells with other separators, else a guess, which `ambiguous` of the notation tells.
        asked: whether the user says that the column holds dates; cells that are none are odd then,
        and None is not returned. known: the `families` of the notation that the column was fitted
        with, where these are the cells of another file; None: these cells are fitted.

        Ask this before `NumberEvidence.decide`: a column of 20241231 is both.
        """
        words = tuple(gap_words)
        separators = {separator for separator, _ in self.untold}
        families = self._families(known)
        orders: Orders = {}
        is_ambiguous = False
        for separator in sorted(separators):
            orders[separator], is_guess = self._orders(separator, usual)
            if not families or separator in families:
                is_ambiguous = is_ambiguous or is_guess
        # a column is of days or of times alone, whichever are more
        times = self.sure.get(TIME, 0)
        dated = self._count_of_days(orders)
        only_time = times > dated
        fitting = times if only_time else dated
        if not asked and not self._are_dates(fitting, words):
            return None
        style = self._commonest_style(orders, only_time)
        orders_read = orders
        if families and not only_time:
            # nothing is read by the order of a few dates of another family
            orders_read = {mark: orders[mark] for mark in families if mark in orders}
        return DateNotation(
            orders=orders_read,
            only_time=only_time,
            ambiguous=is_ambiguous,
            style=style,
            gap_words=words,
            families=() if only_time else families,
        )

    def _families(self, known: tuple[str, ...] | None) -> tuple[str, ...]:
        """The families of dates that the column's cells are read in, sorted; () for any. known: as
        `decide` takes it."""
        counts: Counter[str] = Counter()
        for style, count in self.styles.items():
            if style.layout != TIME:
                counts[family_of(style.layout, style.separator)] += count
        if known is None:
            return usual_families(counts)
        # models of before tell no families
        if not known or not counts:
            return known
        return families_of_file(counts, known)

    def _are_dates(self, fitting: int, gap_words: Iterable[str]) -> bool:
        """Whether nearly all cells, see `nearly_all`, are of the column's kind, dates or times;
        False for fewer than three dates of digits alone and no other. fitting: how many are of the
        kind; gap_words: the user's, which are no odd cells."""
        # a few cells of eight digits, and no other dates, may be plain numbers
        if self._count_of_digits_alone == fitting < LEAST_COMPACT:
            return False
        # those of the other kind are odd, too
        moments_of_all_kinds = sum(self.sure.values()) + sum(self.untold.values())
        others = moments_of_all_kinds - fitting + self.numbers
        odd = self.odd.without(folded(gap_words))
        return nearly_all(fitting, odd, few_values=False, others=others)

    def _count_of_days(self, orders: Orders) -> int:
        """How many cells are days, with or without a time, if the three numbers of a day are read
        in these orders. orders: those to try, by each separator that is in `untold`."""
        dated = 0
        for layout, count in self.sure.items():
            if layout != TIME:
                dated += count
        for kind, count in self.untold.items():
            if _fits_an_order(kind, orders):
                dated += count
        return dated

    @property
    def _count_of_digits_alone(self) -> int:
        """How many cells are dates of digits alone, as 20241231 or 20241231235900, which may be
        numbers."""
        total = 0
        for style, count in self.styles.items():
            has_more = style.joint or style.zoned
            if style.layout == COMPACT and not has_more:
                total += count
        return total

    def _orders(
        self,
        separator: str,
        usual: str | None,
    ) -> tuple[tuple[str, ...], bool]:
        """Decide in which orders to read cells with this separator: (the likeliest, then others
        that fit at least two cells, and 5 % of all, which the first does not fit; whether the first
        is a guess that no cell proves). separator: one that is in `untold`; usual: the order of
        UNTOLD to assume where cells do not tell it, or None."""
        # how many cells with the separator fit just these orders
        counts: dict[tuple[str, ...], int] = {}
        for kind, count in self.untold.items():
            if kind.separator == separator:
                counts[kind.orders] = count
        fitting = {order: _count_fitting(counts, order) for order in UNTOLD}
        most = max(fitting.values())
        best = [order for order in UNTOLD if fitting[order] == most]
        first = best[0]
        is_guess = False
        if len(best) > 1:
            first, is_guess = self._order_without_proof(separator, best, usual)
        # another order is tried, too, if enough cells fit it that do not fit the first
        not_of_first = {}
        for orders, count in counts.items():
            if first not in orders:
                not_of_first[orders] = count
        least = max(2, LEAST_OF_ORDER * sum(counts.values()))
        chosen = [first]
        commonest_first = sorted(UNTOLD, key=fitting.__getitem__, reverse=True)
        for order in commonest_first:
            if _count_fitting(not_of_first, order) >= least:
                chosen.append(order)
        return tuple(chosen), is_guess

    def _order_without_proof(
        self,
        separator: str,
        best: list[str],
        usual: str | None,
    ) -> tuple[str, bool]:
        """Choose one of the orders in `best`, at least two, which fit equally many cells with this
        separator: (the likeliest, whether it is only a guess). It is `usual`, the order to assume,
        if that is not None and among them; else that of cells with other separators; else, a guess,
        the one with most different days, of equal ones the separator's usual one."""
        if usual in best:
            return str(usual), False
        # cells with other separators, whose numbers fit one order alone, are most likely written by
        # the same person
        votes: Counter[str] = Counter()
        for kind, count in self.untold.items():
            if len(kind.orders) == 1:
                votes[kind.orders[0]] += count
        proven = max(best, key=votes.__getitem__)
        if votes[proven]:
            return proven, False
        # days come in more values than months do, or years
        varied = self.varied[separator]
        counts_of_days = {}
        for order in best:
            different_days = varied[PLACE_OF_DAY[order]]
            counts_of_days[order] = len(different_days)
        most = max(counts_of_days.values())
        likely = [order for order in best if counts_of_days[order] == most]
        usual_of_separator = USUAL[separator]
        if usual_of_separator in likely:
            return usual_of_separator, True
        return likely[0], True

    def _commonest_style(self, orders: Orders, only_time: bool) -> DateStyle:
        """The style in which most of the column's dates are written, or most of its times if
        only_time; DateStyle() if there are none. orders: for each separator in `untold` the orders
        of day, month and year to read by: where the cells do not tell the order, the first of them
        is the style's layout."""
        styles = []
        for style in self.styles:
            is_time = style.layout == TIME
            if is_time == only_time:
                styles.append(style)
        if not styles:
            return DateStyle()
        # of equally common ones always the same, in whatever order the cells came
        commonest = min(styles, key=lambda style: (-self.styles[style], style))
        if commonest.layout:
            return commonest
        orders_of_separator = orders[commonest.separator]
        return commonest._replace(layout=orders_of_separator[0])


def _count_fitting(counts: Mapping[tuple[str, ...], int], order: str) -> int:
    """How many cells fit an order. counts: how many cells fit each combination of orders."""
    fitting = 0
    for orders, count in counts.items():
        if order in orders:
            fitting += count
    return fitting


def _union_by_separator(
    one: Mapping[str, Varied],
    other: Mapping[str, Varied],
) -> dict[str, Varied]:
    """The union of two mappings from a separator to the numbers that dates written with it have in
    their first, second and third place (three sets each); sorted by separator."""
    united: dict[str, Varied] = {}
    for separator in sorted({*one, *other}):
        numbers = one.get(separator, NOTHING_VARIED)
        other_numbers = other.get(separator, NOTHING_VARIED)
        pairs = zip(numbers, other_numbers, strict=True)
        united[separator] = _varied(values | other_values for values, other_values in pairs)
    return united


def _varied(numbers: Iterable[Iterable[int]]) -> Varied:
    """Three collections of numbers, one for each place of a date, as frozen sets. ValueError for
    other than three."""
    first, second, third = map(frozenset, numbers)
    return first, second, third


def _fits_an_order(kind: Untold, orders: Orders) -> bool:
    """Whether cells of this kind fit one of the orders to try with their separator. orders: by
    separator; KeyError if theirs is not in it."""
    orders_of_separator = orders[kind.separator]
    return not set(kind.orders).isdisjoint(orders_of_separator)


class _Collector:
    """Collects the evidence of cells: usual dates by arrays, each different other text by itself.

    Which of both ways a cell goes changes only the time it takes. The counts are those of
    DateEvidence.
    """

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.sure: Counter[str] = Counter()
        self.untold: Counter[Untold] = Counter()
        self.styles: Counter[DateStyle] = Counter()
        self.gaps: Counter[str] = Counter()
        self.odd: Counter[str] = Counter()
        self.numbers = 0
        # by separator the different first, second and third numbers
        self.varied: dict[str, ThreeSets] = {}

    def evidence(self) -> DateEvidence:
        """Count all cells, and return what they are evidence of; to be called once."""
        scan = scanning.scan(self.cells, scanning.Style())
        is_empty = scan.form == EMPTY
        is_number = scan.form < EMPTY
        # a number of digits alone may be a date, as 20241231
        is_number &= ~_may_be_compact_dates(self.cells, scan.value)
        self.numbers = int(is_number.sum())
        if is_empty.any():
            self.gaps[""] = int(is_empty.sum())
        unread = np.flatnonzero(~is_number & ~is_empty)
        if kernel.C and len(unread):
            unread = self._count_by_shape(unread)
        self._count_one_by_one(unread)
        varied = {}
        for separator, places in self.varied.items():
            varied[separator] = _varied(places)
        return DateEvidence(
            sure=dict(self.sure),
            untold=dict(self.untold),
            varied=varied,
            styles=dict(self.styles),
            gaps=dict(self.gaps),
            numbers=self.numbers,
            odd=OddCells.of(self.odd),
        )

    def _count_by_shape(self, rows: Int) -> Int:
        """Count those of the cells of these rows, (n,) positions in `cells`, that the kernel, which
        must be there, can read, in `styles`, `sure` and `untold`; returns the rows of all others.

        A shape is a text with 0 for every digit: it tells the style, and few are different, so that
        each is parsed once.
        """
        cells = self.cells.take(rows)
        # without an order the kernel reads only cells that show theirs, as 2024-12-31 does
        no_order = bytes(len(SEPARATORS))
        _, form_without_order = _kernel_moments(cells, no_order)
        is_sure = form_without_order == 0
        fitting = np.zeros(len(rows), np.int64)  # a bit for each order
        moments_of: dict[str, Float] = {}
        for bit, order in enumerate(UNTOLD):
            same_order = bytes([1 + bit] * len(SEPARATORS))
            moments_of[order], form = _kernel_moments(cells, same_order)
            is_day = form == 0
            fitting += is_day.astype(np.int64) << bit
        # cells that show their order are read alike with each: they count for none of them
        fitting[is_sure] = 0
        read = np.flatnonzero(is_sure | (fitting > 0))
        shapes, index = different_texts(_shapes(cells), read)
        is_unread = np.ones(len(rows), np.bool_)
        for number, shape in enumerate(shapes):
            apart = moments.taken_apart(shape)
            if apart is None:
                continue
            # a zone may move the moment to another day: the numbers, which are needed here, do not
            # follow from it
            if apart.clock.zoned and not apart.layout:
                continue
            same_shape = read[index == number]
            is_unread[same_shape] = False
            style = _style_of_cell(apart)
            self.styles[style] += len(same_shape)
            if apart.layout:
                self.sure[apart.layout] += len(same_shape)
            else:
                self._count_untold(style, same_shape, fitting, moments_of)
        return rows[is_unread]

    def _count_untold(
        self,
        style: DateStyle,
        rows: Int,
        fitting: Int,
        moments_of: Mapping[str, Float],
    ) -> None:
        """Count the cells of these rows, all in one style, by the orders that they fit. rows: the
        places of these cells in `fitting` and in the arrays of `moments_of`, (n,) each, which have
        an entry for every cell of the caller's: in `fitting` a bit, 1, 2 or 4, for each order of
        UNTOLD that the cell fits, in moments_of[order] its moment, epoch seconds, in that order.
        Counts in `untold`, and notes in `varied` the numbers of cells that fit several."""
        bits_of_rows = fitting[rows]
        counts = np.bincount(bits_of_rows)
        for bits, count in enumerate(counts.tolist()):
            if not count:
                continue
            orders = _orders_of(bits)
            kind = Untold(style.separator, orders)
            self.untold[kind] += count
            if len(orders) > 1:
                chosen = rows[bits_of_rows == bits]
                # from the moment in one of the orders the three numbers follow
                first_order = orders[0]
                value = moments_of[first_order][chosen]
                self._add_to_varied(style, first_order, value)

    def _add_to_varied(self, style: DateStyle, order: str, value: Float) -> None:
        """Add the three numbers of dates that several orders fit to those seen with their
        separator. style: in which they are written; value: (n,), their moments in epoch seconds if
        they are read in `order`, DAY_FIRST or MONTH_FIRST."""
        days = (value // DAY).astype(np.int64)
        year, month, day = civil(days)
        if style.widths[2] == 2:
            year = year % 100
        # as they are written
        numbers = (month, day, year)
        if order == DAY_FIRST:
            numbers = (day, month, year)
        different = self._varied_at(style.separator)
        for numbers_of_place, values in zip(different, numbers, strict=True):
            numbers_of_place.update(np.unique(values).tolist())

    def _varied_at(self, separator: str) -> ThreeSets:
        """The sets of first, second and third numbers seen so far in dates with this separator;
        more are added to them in place."""
        none_yet: ThreeSets = (set(), set(), set())
        return self.varied.setdefault(separator, none_yet)

    def _count_one_by_one(self, rows: Int) -> None:
        """Count the cells of these rows, (n,) positions in `cells`, each different text parsed
        once, by itself: as gaps, dates, numbers or odd, in the counts that DateEvidence has."""
        if not len(rows):
            return
        texts, index = different_texts(self.cells, rows)
        counts = np.bincount(index, minlength=len(texts))
        every_text = np.arange(len(texts))
        parts = taken_apart(Cells.of(texts), every_text)
        # whether the numbers are a day, read by their own layout, and in each order of UNTOLD
        _, is_day = parts.moments(YEAR_FIRST)
        fits: dict[str, Mask] = {}
        for order in UNTOLD:
            _, fits[order] = parts.moments(order)
        for place, count in enumerate(counts.tolist()):
            text = texts[place]
            style = parts.styles[parts.index[place]]
            if is_gap_word(text):
                self.gaps[text.strip()] += count
                continue
            if style is None:
                self._count_no_date(text, count)
                continue
            if style.layout and is_day[place]:
                self.sure[style.layout] += count
                self.styles[style] += count
                continue
            orders = tuple(order for order in UNTOLD if fits[order][place])
            # numbers that are a day in no order, or not in that of their own layout
            if style.layout or not orders:
                self._count_no_date(text, count)
                continue
            kind = Untold(style.separator, orders)
            self.untold[kind] += count
            self.styles[style] += count
            if len(orders) > 1:
                numbers = parts.numbers[place].tolist()
                different = self._varied_at(style.separator)
                for numbers_of_place, number in zip(different, numbers, strict=True):
                    numbers_of_place.add(number)

    def _count_no_date(self, text: str, count: int) -> None:
        """Count `count` cells with this text, which is no date, among the plain numbers or among
        the odd cells."""
        if _LIKE_A_NUMBER.fullmatch(text):
            self.numbers += count
        else:
            self.odd[text] += count


def _orders_of(bits: int) -> tuple[str, ...]:
    """The orders of day, month and year in UNTOLD whose bit, 1, 2 or 4, is set; () for 0."""
    orders = []
    for place, order in enumerate(UNTOLD):
        if bits & (1 << place):
            orders.append(order)
    return tuple(orders)


def _shapes(cells: Cells) -> Cells:
    """A copy of the cells with the digit 0 in place of every digit, by which cells of one style are
    equal, but for names."""
    shape_of_byte = np.arange(256, dtype=np.uint8)
    zero = ord("0")
    shape_of_byte[zero : zero + 10] = zero
    buffer = shape_of_byte[cells.buffer]
    return Cells(buffer, cells.start, cells.stop, cells.null)


def _kernel_moments(cells: Cells, orders: bytes) -> tuple[Float, Bytes]:
    """Read cells as dates by the compiled kernel, which must be there: ((n,) epoch seconds, NaN
    where not read; (n,) form: 0 where a cell is a date, EMPTY where it is blank, LEFT where the
    kernel cannot read it). orders: a byte for each of SEPARATORS, 1 + the place in UNTOLD of the
    order to read by, or 0 for none."""
    value, form = _nothing_read(len(cells))
    start, stop, wide = scanning.spans(cells)
    # it writes into the last two
    kernel.C.moments(
        cells.buffer,
        start,
        stop,
        wide,
        orders,
        value,
        form,
    )
    return value, form


def _nothing_read(count: int) -> tuple[Float, Bytes]:
    """The result of a reading for so many cells, none of which is read yet: ((n,) seconds, all NaN;
    (n,) uint8 forms, all LEFT)."""
    value = np.full(count, np.nan)
    form = np.full(count, LEFT, np.uint8)
    return value, form


def _may_be_compact_dates(cells: Cells, value: Float) -> Mask:
    """Which cells that are numbers may be dates of digits alone, 20241231, perhaps with a time:
    (n,) bool. True for a cell of 8, 12 or 14 bytes whose first four digits are a year from 1800 to
    2199; the others are not looked at. value: (n,), the cells' numbers, NaN for none."""
    length = cells.stop - cells.start
    year = np.full(len(cells), np.nan)
    # a day; a day, hours and minutes; and seconds, too
    for width in (8, 12, 14):
        rows = length == width
        # all digits but the first four are cut off
        year[rows] = value[rows] // 10.0 ** (width - 4)
    # no year, NaN, is in no range
    is_possible = year >= FIRST_YEAR
    is_possible &= year <= LAST_YEAR
    return np.asarray(is_possible)


@dataclass(frozen=True)
class DateNotation:
    """How the dates of a column are written.

    orders: for each separator the orders ("dmy", "mdy", "yymmdd") to try on three numbers that do
    not begin with a year of four digits, the first that fits being taken. only_time: whether cells
    are times without days, and days are odd. ambiguous: whether the order of day and month is a
    guess. style: the commonest, in which `show` writes. gap_words: the user's, as written.
    families: those of `families.FAMILIES` that the cells are written in, but for a few; days of
    any other are odd. (): whatever the family.
    """

    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    only_time: bool = False
    ambiguous: bool = False
    style: DateStyle = DateStyle()  # noqa: RUF009 a tuple cannot change
    gap_words: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    def read(self, cells: Cells) -> DateReading:
        """Read every cell: a moment, a gap or something odd, as a day is that is not written in any
        of `families`; no cell raises an error.

        Layouts that only one meaning fits (ISO 8601, RFC 3339, names of months, 20241231) are read
        in every column of dates that has them, with any zone.
        """
        reading = self.read_in_any_family(cells)
        if self.families and not self.only_time:
            rows = np.flatnonzero(reading.state == VALUE)
            strange = rows[~self._is_of_families(cells.take(rows))]
            reading.value[strange] = np.nan
            reading.state[strange] = ODD
        return reading

    def read_in_any_family(self, cells: Cells) -> DateReading:
        """Read every cell, as `read` does, but days of any family."""
        value, state, unread = self._read_by_kernel(cells)
        gap = is_gap(cells.take(unread), self.gap_words)
        state[unread] = np.where(gap, GAP, ODD)
        unread = unread[~gap]
        if len(unread):
            moment, is_date = self._read_by_orders(taken_apart(cells, unread))
            dates = unread[is_date]
            value[dates] = moment[is_date]
            state[dates] = VALUE
        return DateReading(value, state)

    def _is_of_families(self, cells: Cells) -> Mask:
        """Which of these cells, all of them dates, are written in one of `families`: (n,) bool."""
        is_known = np.zeros(len(cells), np.bool_)
        # nearly all are of the commonest, and are told by a few bytes
        usual = family_of(self.style.layout, self.style.separator)
        if usual in self.families:
            is_known = surely_of(cells, usual)
        others = np.flatnonzero(~is_known)
        if len(others):
            is_known[others] = np.isin(families_of_cells(cells.take(others)), self.families)
        return is_known

    def _read_by_kernel(self, cells: Cells) -> tuple[Float, Bytes, Int]:
        """Read the cells that the compiled kernel can read, with the results that `taken_apart` and
        `_read_by_orders` would have: ((n,) value, epoch seconds or NaN; (n,) state, VALUE or GAP;
        the rows still to be read, ascending, of which both mean nothing). Without the kernel, and
        in a column of times alone, only null cells are done: they are gaps."""
        if kernel.C and not self.only_time:
            # the kernel tries one order for each separator; cells that fit another are left to be
            # read one by one
            firsts = bytearray(len(SEPARATORS))
            for separator, orders in self._orders_tried().items():
                place = SEPARATORS.index(separator.encode())
                firsts[place] = 1 + UNTOLD.index(orders[0])
            value, form = _kernel_moments(cells, bytes(firsts))
        else:
            value, form = _nothing_read(len(cells))
        form[cells.null] = EMPTY
        value[cells.null] = np.nan
        state = np.full(len(cells), VALUE, np.uint8)
        state[form == EMPTY] = GAP
        return value, state, np.flatnonzero(form == LEFT)

    def is_gap(self, cells: Cells) -> Mask:
        """Tell which cells are gaps in this column: (n,) bool, True for null, empty and blank ones
        and for words for a gap, the user's included (see gaps.is_gap)."""
        return is_gap(cells, self.gap_words)

    def _read_by_orders(self, parts: Parts) -> tuple[Float, Mask]:
        """Read cells that were taken apart as dates of this column: ((n,) epoch seconds; (n,) bool,
        which cells are such dates: of others the seconds mean nothing)."""
        # first those whose own text shows the order of their numbers
        value, is_date = parts.moments(YEAR_FIRST)
        is_time = parts.layout == LAYOUTS.index(TIME)
        is_untold = parts.layout == 0
        is_date &= parts.layout != NO_MOMENT
        is_date &= ~is_untold
        is_date &= is_time == self.only_time
        if self.only_time:
            return value, is_date
        for separator, orders in self._orders_tried().items():
            has_separator = is_untold & (parts.separator == ord(separator))
            if not has_separator.any():
                continue
            # the first order that makes a day of a cell is its own
            for order in orders:
                moment, fits = parts.moments(order)
                rows = has_separator & fits & ~is_date
                value[rows] = moment[rows]
                is_date |= rows
        return value, is_date

    def _orders_tried(self) -> Orders:
        """The orders of day, month and year that are tried, in turn, on cells with each separator:
        {"-": orders, ".": orders, "/": orders}.

        A separator that the column did not have when it was decided has the order of the others, if
        these have the same and their year is last; else, and the point in any case, its usual one.
        """
        first_orders = {chosen[0] for chosen in self.orders.values()}
        # one order alone, in which the year is last
        has_year_last = first_orders <= {DAY_FIRST, MONTH_FIRST}
        is_common = len(first_orders) == 1 and has_year_last
        tried = dict(self.orders)
        for separator, usual in USUAL.items():
            # with points the day comes first, whatever the order with other separators is
            if is_common and separator != ".":
                tried.setdefault(separator, tuple(first_orders))
            else:
                tried.setdefault(separator, (usual,))
        return tried

    def show(self, seconds: float) -> str:
        """Write a moment, epoch seconds, or seconds since midnight if only_time, as this column's
        commonest style does, in UTC, rounded to its last field, at most MOST_DIGITS (6) digits of a
        second; "" for what is not finite."""
        if not math.isfinite(seconds):
            return ""
        style = self.style
        digits = min(style.digits, MOST_DIGITS)
        # a tick is one unit of the second's last digit
        ticks_a_second = 10**digits
        # in ticks, the unit of the last field that is shown: a day, a minute, or one tick
        steps = {0: DAY * ticks_a_second, 2: 60 * ticks_a_second, 3: 1}
        step = steps[style.fields]
        ticks = round(seconds * ticks_a_second / step) * step
        days, clock = divmod(ticks, DAY * ticks_a_second)
        if style.layout == TIME:
            return _text_of_time(ticks, digits, style)
        date = _text_of_day(days, style)
        if not style.fields:
            return date
        time = _text_of_time(clock, digits, style)
        zone = "Z" if style.zoned else ""
        return date + style.joint + time + zone

    def to_json(self) -> Facts:
        """The notation as JSON, by field, from which from_json makes an equal one; what is False or
        empty is left out, but for orders and style."""
        orders = {}
        for separator, chosen in self.orders.items():
            orders[separator] = list(chosen)
        style = self.style._asdict()
        style["widths"] = list(self.style.widths)
        facts: Facts = {"orders": orders, "style": style}
        for name in ("only_time", "ambiguous"):
            if getattr(self, name):
                facts[name] = True
        if self.gap_words:
            facts["gap_words"] = list(self.gap_words)
        if self.families:
            facts["families"] = list(self.families)
        return facts

    @classmethod
    def from_json(cls, facts: Facts) -> DateNotation:
        """The notation that to_json wrote; ValueError, TypeError, KeyError or AttributeError if it
        is none."""
        # what is no mapping or has no such key raises here; all else is checked below
        orders = {}
        for separator, chosen in facts["orders"].items():
            orders[separator] = tuple(chosen)
        # not dict(), which would take a list of pairs
        style_facts = {**facts["style"]}
        style_facts["widths"] = tuple(style_facts["widths"])
        style = DateStyle(**style_facts)
        words = facts.get("gap_words", [])
        families = facts.get("families", [])
        only_time = facts.get("only_time", False)
        ambiguous = facts.get("ambiguous", False)
        sane = (
            set(facts) <= IN_JSON
            and all(map(_are_orders, orders.keys(), orders.values()))
            and isinstance(only_time, bool)
            and isinstance(ambiguous, bool)
            and isinstance(words, list)
            and all(isinstance(word, str) for word in words)
            and isinstance(families, list)
            and all(family in FAMILIES for family in families)
            and _is_style(style)
        )
        if not sane:
            raise ValueError("not a notation of dates")
        return cls(
            orders=orders,
            only_time=only_time,
            ambiguous=ambiguous,
            style=style,
            gap_words=tuple(words),
            families=tuple(families),
        )


def families_of_cells(cells: Cells) -> npt.NDArray[np.str_]:
    """(n,): the family of each cell that is a date, "" for all others. A date of three numbers is
    told by its text alone, and need be no day of the calendar."""
    texts, index = different_texts(cells, np.arange(len(cells)))
    families = []
    for text in texts:
        apart = moments.taken_apart(text)
        is_day = apart is not None and apart.layout != TIME
        families.append(family_of(apart.layout, apart.separator) if apart and is_day else "")
    return np.array(families, dtype=np.str_)[index]


def _are_orders(separator: str, orders: tuple[str, ...]) -> bool:
    """Whether a notation may have these orders for this separator: "-", "." or "/", and at least
    one order, all of UNTOLD."""
    if separator not in USUAL or not orders:
        return False
    return all(order in UNTOLD for order in orders)


def _is_style(style: DateStyle) -> bool:
    """Whether the fields of a style, as read from JSON, have types and values that they may."""
    are_sane_widths = len(style.widths) == 3
    for width in style.widths:
        # True and False are numbers of Python, too, but none that is written
        if type(width) is not int or not 0 <= width <= 4:
            are_sane_widths = False
    layouts = (*SURE, TIME, *UNTOLD)
    return (
        are_sane_widths
        and style.layout in layouts
        and style.fields in (0, 2, 3)
        and type(style.digits) is int
        and 0 <= style.digits <= 12
        and isinstance(style.zoned, bool)
        and isinstance(style.joint, str)
        and isinstance(style.separator, str)
    )


def _text_of_day(days: int, style: DateStyle) -> str:
    """The text of a day in a style's layout, separator and widths, without a time. days: since
    1970-01-01, from year 1 to 9999. Names of months are English, of three letters."""
    # the calendar counts arrays, of which this is one of length 1
    numbers = civil(np.array([days]))
    year, month, day = (int(number[0]) for number in numbers)
    if style.layout == COMPACT:
        return f"{year:04d}{month:02d}{day:02d}"
    if style.layout == MONTH:
        return f"{year:04d}-{month:02d}"
    if style.layout == NAMED:
        name = NAMES_OF_MONTHS[month - 1]
        return f"{day} {name} {year:04d}"
    return _three_numbers(year, month, day, style)


def _three_numbers(
    year: int,
    month: int,
    day: int,
    style: DateStyle,
) -> str:
    """A day as a text of three numbers with the style's separator, in the order that its layout,
    YEAR_FIRST or one of UNTOLD, says; numbers below 10 with a zero before where `widths` has 2, the
    year of two digits where its width is 2."""
    short_year = f"{year % 100:02d}"
    full_year = f"{year:04d}"
    first_width, second_width, third_width = style.widths
    # yymmdd is always of two digits each
    if style.layout == SHORT_YEAR_FIRST:
        parts = [short_year, f"{month:02d}", f"{day:02d}"]
    elif style.layout == YEAR_FIRST:
        parts = [
            full_year,
            _padded(month, second_width),
            _padded(day, third_width),
        ]
    else:
        first, second = month, day
        if style.layout == DAY_FIRST:
            first, second = day, month
        parts = [
            _padded(first, first_width),
            _padded(second, second_width),
            short_year if third_width == 2 else full_year,
        ]
    return style.separator.join(parts)


def _padded(number: int, width: int) -> str:
    """A number, 0 or more, in at least `width` digits, with zeros before it."""
    return f"{number:0{width}d}"


def _text_of_time(ticks: int, digits: int, style: DateStyle) -> str:
    """The text of a time in a style, which has fields of a time, without its zone. ticks: since
    midnight, in units of 10^-digits seconds; digits: how many of a second's fraction are
    written."""
    seconds, fraction = divmod(ticks, 10**digits)
    hour, rest = divmod(seconds, 3600)
    minute, second = divmod(rest, 60)
    # digits alone have nothing between them
    colon = "" if style.layout == COMPACT else ":"
    parts = [f"{hour:02d}", f"{minute:02d}"]
    if style.fields == 3:
        parts.append(f"{second:02d}")
    text = colon.join(parts)
    if not digits:
        return text
    return f"{text}.{_padded(fraction, digits)}"
