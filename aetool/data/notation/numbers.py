"""Columns of numbers: evidence of how they are written, the decision, and every cell read by it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import numpy as np

from aetool import kernel
from aetool.canonical import Json
from aetool.csv.cells import folded, is_gap_word
from aetool.data.notation import scanning
from aetool.data.notation.evidence import (
    FEW_VALUES,
    GAP,
    ODD,
    VALUE,
    OddCells,
    added,
    different_texts,
    nearly_all,
)
from aetool.data.notation.gaps import is_gap
from aetool.data.notation.magnitudes import FAMILIES, Factor, Family, family_of
from aetool.data.notation.numerals import COMMA, POINT, Numeral, infinity, numeral, unit_of
from aetool.data.notation.scanning import (
    ATTACHED,
    EITHER,
    EMPTY,
    GROUPED,
    LEFT,
    MARKED,
    PADDED,
    SEVERAL,
    Style,
)
from aetool.data.table import Bytes, Cells, Mask
from aetool.model import Float, Int

PERCENT = "%"
LETTERS_OF_LABELS = frozenset(["R", "DM"])
# One cell with a mark that reads under a decimal comma alone outweighs so many like `1,234`.
WEIGHT_OF_SURE_CELLS = 50
LEAST_OF_UNIT = 0.1  # of the numbers have the unit of a column
MOST_STYLES = 3  # in which cells are scanned for evidence before each is looked at by itself
FEW_LEFT = 64  # cells that are not worth a scan, and by which its style is chosen
LEAST_PADDED = 0.05  # of the numbers, in a column of codes such as 007
LEAST_FRACTIONS = 0.05  # of the numbers lack the sign, where 12% and 0.12 are written in turns


# The fields of a NumberNotation that JSON holds as they are.
IN_JSON = ("decimal", "unit", "before", "after", "group", "fractions", "magnitudes")

Facts = dict[str, Json]  # what JSON holds
Key = TypeVar("Key", str, tuple[str, str])  # of a count


class Marks(NamedTuple):
    """Which decimal marks a number as written may have. point, comma: whether it is a number if
    that is its decimal mark; marked: whether it has a point or comma at all."""

    point: bool
    comma: bool
    marked: bool


PLAIN = Marks(point=True, comma=True, marked=False)  # 12
SURE_POINT = Marks(point=True, comma=False, marked=True)  # 1.5 or 1,234.5
SURE_COMMA = Marks(point=False, comma=True, marked=True)  # 1,5 or 1.234,5
EITHER_WAY = Marks(point=True, comma=True, marked=True)  # 1.234 or 1,234


class Manner(NamedTuple):
    """How a number is written, apart from its digits and sign. before, after: the text around it,
    blanks up to the digits included; group: the mark between thousands, or that may be such, "" for
    none; marks: which decimal marks fit; either_comma: whether it is like `1,234`, whose comma may
    be of thousands or decimal."""

    before: str
    after: str
    group: str
    marks: Marks
    either_comma: bool = False

    @property
    def unit(self) -> str:
        """The unit or currency written before or behind the number; "" without one."""
        return unit_of(self.before, self.after)

    def fits(self, mark: str) -> bool:
        """Whether a number written so can be read with the decimal mark `mark`, "." or ","."""
        if mark == POINT:
            return self.marks.point
        return self.marks.comma


BARE = Manner("", "", "", PLAIN)


@dataclass(frozen=True)
class Reading:
    """The cells of a column, read as numbers.

    value: (n,) float64, NaN where state is not VALUE; infinite where the cell says so. state: (n,)
    uint8, VALUE, GAP or ODD. decimals: (n,) int64, digits behind the decimal mark, -1 where there
    is an exponent, or a power of two leaves a fraction (1.3 KiB), 0 where there is no number.
    padded: whether any number has a zero before further digits (007).
    """

    value: Float
    state: Bytes
    decimals: Int
    padded: bool


@dataclass(frozen=True)
class NumberEvidence:
    """Counts of how the cells of a column are written, by which it is decided whether and how they
    are numbers. Evidence of parts of a column is added by `+`, in any order to the same sum.

    manners: how many numbers are written in each manner. gaps: how often each word for a gap is
    there, as written but for blanks around it. infinite: how many cells say infinity. padded: how
    many numbers are like 007. shortest, longest: bytes of the shortest and the longest cell that is
    a number; inf and 0 without numbers. small: how many numbers without a unit are from -1 to 1.
    values: the different numbers, read with a point where either mark fits, None if more than
    FEW_VALUES (32). odd: all other cells.
    """

    manners: Mapping[Manner, int] = field(default_factory=dict)
    gaps: Mapping[str, int] = field(default_factory=dict)
    infinite: int = 0
    padded: int = 0
    shortest: float = math.inf
    longest: int = 0
    small: int = 0
    values: frozenset[float] | None = frozenset()
    odd: OddCells = field(default_factory=OddCells)

    @classmethod
    def of(cls, cells: Cells) -> NumberEvidence:
        """Count how these cells, a column or a part of one, are written, as evidence for or against
        numbers."""
        return _Collector(cells).evidence()

    def __add__(self, other: NumberEvidence) -> NumberEvidence:
        """The evidence of both parts of a column together."""
        return NumberEvidence(
            manners=added(self.manners, other.manners),
            gaps=added(self.gaps, other.gaps),
            infinite=self.infinite + other.infinite,
            padded=self.padded + other.padded,
            shortest=min(self.shortest, other.shortest),
            longest=max(self.longest, other.longest),
            small=self.small + other.small,
            values=_small_union(self.values, other.values),
            odd=self.odd + other.odd,
        )

    @property
    def sure_marks(self) -> dict[str, int]:
        """How many cells can only be numbers with a decimal point, and how many only with a comma:
        {".": count, ",": count}. Sums over the columns of a file tell the mark of columns whose own
        cells do not."""
        sure: dict[str, int] = {POINT: 0, COMMA: 0}
        for manner, count in self.manners.items():
            if manner.marks == SURE_POINT:
                sure[POINT] += count
            elif manner.marks == SURE_COMMA:
                sure[COMMA] += count
        return sure

    def decimal_mark(self, usual: str = POINT) -> str:
        """The decimal mark, "." or ",", by all cells; `usual` where no cell fits one alone.

        Cells that are numbers under one mark alone (1.5; 1,5; 1.234,5) vote for it. `1,234` is a
        weak vote for thousands, as a decimal comma with always three decimals is rare. Of equal
        votes it is the point.
        """
        sure = self.sure_marks
        if not sure[POINT] and not sure[COMMA]:
            return usual
        thousands = 0
        for manner, count in self.manners.items():
            if manner.either_comma:
                thousands += count
        point = WEIGHT_OF_SURE_CELLS * sure[POINT] + thousands
        comma = WEIGHT_OF_SURE_CELLS * sure[COMMA]
        return COMMA if comma > point else POINT

    def decide(
        self,
        decimal: str | None = None,
        gap_words: Iterable[str] = (),
        *,
        usual: str = POINT,
        asked: bool = False,
    ) -> NumberNotation | None:
        """Decide how to read the column's cells as numbers; None if they are not nearly all numbers
        (see `nearly_all`), or are codes such as 007, or labels such as R14.

        decimal: the decimal mark, "." or ",", whatever the cells say; None: by the cells.
        gap_words: the user's further words for gaps, beside `cells.GAP_WORDS`. usual: the mark
        where cells do not tell it. asked: whether the user says that the column holds numbers;
        cells that are none are odd then, codes and labels are numbers, and None is not returned.
        """
        words = tuple(gap_words)
        mark = decimal or self.decimal_mark(usual)
        # of the numbers under this mark some have another unit than most: these are odd
        fitting = _only_where(self.manners, lambda manner: manner.fits(mark))
        family = _family_of_manners(fitting)
        if family is not None:
            fitting = _multiplied_out(fitting, family)
        unit = self._commonest_unit(fitting)
        numbers = _only_where(fitting, lambda manner: manner.unit in ("", unit))
        if not asked and not self._are_numbers(numbers, words):
            return None
        with_unit = _only_where(numbers, lambda manner: manner.unit != "")
        before, after = _commonest_affixes(with_unit)
        return NumberNotation(
            decimal=mark,
            unit=unit,
            before=before,
            after=after,
            group=_commonest_group(numbers, mark),
            fractions=unit == PERCENT and self._has_fractions(numbers),
            gap_words=words,
            magnitudes=family.name if family else "",
        )

    def _are_numbers(self, numbers: Mapping[Manner, int], gap_words: Sequence[str]) -> bool:
        """Whether nearly all cells, see `nearly_all`, are numbers, and these no codes (007) or
        labels (R14). numbers: how many cells are numbers with the column's mark and unit, by
        manner; gap_words: the user's, which are no odd cells."""
        amount = sum(numbers.values())
        if not amount or self._is_code(amount) or _are_labels(numbers):
            return False
        # numbers under the other mark or with another unit are odd, too
        unfit = sum(self.manners.values()) - amount
        odd = self.odd.without(folded(gap_words))
        has_few_values = self.values is not None
        return nearly_all(amount + self.infinite, odd, has_few_values, unfit)

    def _commonest_unit(self, fitting: Mapping[Manner, int]) -> str:
        """The commonest unit of the numbers; "" if none has one, or where some have none and fewer
        than two, or than 10 % of all, have this one. fitting: how many numbers are written in each
        manner, of those that fit the column's mark."""
        units: Counter[str] = Counter()
        for manner, count in fitting.items():
            units[manner.unit] += count
        without_unit = units.pop("", 0)
        if not units:
            return ""
        unit = _commonest(units)
        count = units[unit]
        if not without_unit:
            return unit
        # a unit of one cell, or of few among many, may be a slip
        least = LEAST_OF_UNIT * (without_unit + units.total())
        return "" if count < 2 or count < least else unit

    def _is_code(self, amount: int) -> bool:
        """Whether numbers are codes such as 007: at least 5 % have zeros in front, or any has and
        all are equally long. amount: how many numbers there are."""
        if not self.padded:
            return False
        has_one_width = self.shortest == self.longest
        return has_one_width or self.padded >= LEAST_PADDED * amount

    def _has_fractions(self, numbers: Mapping[Manner, int]) -> bool:
        """Whether, in a column of percent, numbers without the sign are fractions of 1, as 0.12
        beside 12%: at least two, and 5 % of all numbers, lack the sign, all of these are from -1 to
        1, and one has a decimal mark. numbers: how many are written in each manner."""
        total = sum(numbers.values())
        bare = 0
        marked = 0
        for manner, count in numbers.items():
            if manner.unit:
                continue
            bare += count
            if manner.marks.marked:
                marked += count
        is_often = bare >= 2 and bare >= LEAST_FRACTIONS * total
        # 0 and 1 alone may be percent as well: some must have a decimal mark
        return is_often and marked > 0 and self.small == bare


def _only_where(
    manners: Mapping[Manner, int],
    condition: Callable[[Manner], bool],
) -> dict[Manner, int]:
    """The counts of those manners alone for which the condition is true."""
    return {manner: count for manner, count in manners.items() if condition(manner)}


def _commonest(counts: Mapping[Key, int]) -> Key:
    """The key that is counted most often; of equally common ones the smallest, so that no order of
    cells matters. ValueError without keys."""
    return min(counts, key=lambda key: (-counts[key], key))


def _are_labels(numbers: Mapping[Manner, int]) -> bool:
    """Whether all numbers are whole and stand right behind letters that are a currency only beside
    others (LETTERS_OF_LABELS): R14 is the size of a tyre, R 14 and R14.50 are rand. numbers: how
    many are written in each manner, at least one."""
    for manner in numbers:
        if manner.before not in LETTERS_OF_LABELS:
            return False
        if manner.group or manner.marks.marked:
            return False
    return True


def _small_union(
    one: frozenset[float] | None,
    other: frozenset[float] | None,
) -> frozenset[float] | None:
    """The union of two sets of numbers, as long as it is small: None if either is None, or if it
    has more than FEW_VALUES (32) numbers."""
    if one is None or other is None:
        return None
    union = one | other
    return union if len(union) <= FEW_VALUES else None


def _commonest_group(numbers: Mapping[Manner, int], mark: str) -> str:
    """The commonest mark between thousands that is not the decimal mark `mark`; "" if there is
    none. numbers: how many numbers are written in each manner."""
    groups: Counter[str] = Counter()
    for manner, count in numbers.items():
        if manner.group and manner.group != mark:
            groups[manner.group] += count
    return _commonest(groups) if groups else ""


def _family_of_manners(manners: Mapping[Manner, int]) -> Family | None:
    """The family of magnitudes (k, M or kB, MiB) that the numbers are written with, see family_of;
    None if of none. manners: how many are written in each manner."""
    counts: Counter[str] = Counter()
    for manner, count in manners.items():
        counts[manner.after] += count
    return family_of(counts)


def _multiplied_out(manners: Mapping[Manner, int], family: Family) -> dict[Manner, int]:
    """Counts of manners in which magnitudes (k, M) are taken off the text behind numbers, as if
    they were multiplied out, and manners that become equal are counted together. family: of these
    magnitudes."""
    multiplied_out: Counter[Manner] = Counter()
    for manner, count in manners.items():
        magnitude = family.magnitude(manner.after)
        after = manner.after if magnitude is None else magnitude.rest
        multiplied_out[manner._replace(after=after)] += count
    return multiplied_out


class _Collector:
    """Collects the evidence of cells: plain numbers by arrays, each different other text by itself.

    Which of both ways a cell goes changes only the time it takes. The counts are those of
    NumberEvidence.
    """

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.manners: Counter[Manner] = Counter()
        self.gaps: Counter[str] = Counter()
        self.odd: Counter[str] = Counter()
        self.infinite = 0
        self.padded = 0
        self.small = 0
        self.shortest = math.inf
        self.longest = 0
        self.values: set[float] = set()

    def evidence(self) -> NumberEvidence:
        """Count all cells, and return what they are evidence of; to be called once."""
        every_row = np.arange(len(self.cells))
        # the usual style first; then those of what is left, as long as many cells are
        unread = self._count_plain(every_row, Style())
        for _ in range(MOST_STYLES):
            if len(unread) < FEW_LEFT or not kernel.C:
                break
            # a sample at even distances shows the style of most
            step = max(1, len(unread) // FEW_LEFT)
            style = self._style_of(unread[::step])
            if style is None:
                break
            unread = self._count_plain(unread, style)
        # what no scan could read, each different text by itself
        texts, index = different_texts(self.cells, unread)
        counts = np.bincount(index, minlength=len(texts))
        for text, count in zip(texts, counts.tolist(), strict=True):
            self._count_text(text, count)
        return NumberEvidence(
            manners=dict(self.manners),
            gaps=dict(self.gaps),
            infinite=self.infinite,
            padded=self.padded,
            shortest=self.shortest,
            longest=self.longest,
            small=self.small,
            values=_small_union(frozenset(self.values), frozenset()),
            odd=OddCells.of(self.odd),
        )

    def _style_of(self, rows: Int) -> Style | None:
        """The style in which most numbers in these rows, (n,) positions in `cells`, at least one,
        are written; None if less than half of their different texts are numbers."""
        probe = _Collector(self.cells.take(rows))
        every_row = np.arange(len(rows))
        texts, _ = different_texts(probe.cells, every_row)
        for text in texts:
            probe._count_text(text, 1)
        manners = probe.manners
        amount = manners.total()
        if amount < len(texts) / 2:
            return None
        # a decimal comma only if more than half can be read in no other way
        has_commas = amount < 2 * _count_of_sure_commas(manners)
        mark = COMMA if has_commas else POINT
        group = _commonest_group(manners, mark)
        before, after = _commonest_affixes(manners)
        return Style(mark, group, before, after)

    def _count_plain(self, rows: Int, style: Style) -> Int:
        """Count the cells in these rows, (n,) positions in `cells`, that are plain numbers of this
        style, or empty, in the counts that NumberEvidence has; returns the rows of all others,
        which are to be looked at in another style or one by one."""
        takes_all = len(rows) == len(self.cells)
        cells = self.cells if takes_all else self.cells.take(rows)
        scan = scanning.scan(cells, style)
        forms = np.bincount(scan.form, minlength=256)
        if forms[EMPTY]:
            self.gaps[""] += int(forms[EMPTY])
        if style != Style():
            # `_count_form` multiplies or divides some values by 1000, which may round differently
            # from a new reading where they have an exponent: these are read one by one
            has_exponent = scan.decimals < 0
            is_number = scan.form < EMPTY
            scan.form[has_exponent & is_number] = LEFT
            forms = np.bincount(scan.form, minlength=256)
        value = scan.value
        for form in np.flatnonzero(forms[:EMPTY]).tolist():
            has_form = scan.form == form
            self._count_form(form, style, value, has_form, int(forms[form]))
        read = scan.form < EMPTY
        if read.any():
            length = np.asarray(cells.stop - cells.start)[read]
            self.shortest = min(self.shortest, float(length.min()))
            self.longest = max(self.longest, int(length.max()))
        value = value[read]
        # where the first values already differ too much, not all of them are sorted
        different = np.unique(value[: 8 * FEW_VALUES])
        if len(different) <= FEW_VALUES:
            different = np.unique(value)
        self.values.update(different.tolist())
        unread = np.flatnonzero(scan.form == LEFT)
        return rows[unread]

    def _count_form(
        self,
        form: int,
        style: Style,
        value: Float,
        has_form: Mask,
        count: int,
    ) -> None:
        """Count the numbers that a scan in this style classified by this form, a sum of
        scanning.MARKED to SEVERAL, in the counts that NumberEvidence has. value: (n,), the numbers
        of all scanned cells, in which those of the form are put right in place; has_form: (n,)
        bool, which cells these are; count: how many."""
        manner = _manner_of_form(form, style)
        self.manners[manner] += count
        if form & PADDED:
            self.padded += count
        if style.decimal == COMMA and manner.marks == EITHER_WAY:
            # numbers that fit either mark are counted as those with a point, as by `_count_text`:
            # 1,234 was read as 1.234 and becomes 1234; 1.234 was read as 1234 and becomes 1.234
            if form & EITHER:
                value[has_form] = np.rint(value[has_form] * 1000)
            else:
                value[has_form] = value[has_form] / 1000
        if not manner.unit:
            is_small = np.abs(value[has_form]) <= 1
            self.small += int(is_small.sum())

    def _count_text(self, text: str, count: int) -> None:
        """Count `count` cells with this text, read by itself, as a gap, infinity, a number or odd,
        in the counts that NumberEvidence has. A number that can be read with either decimal mark is
        counted as that with a point."""
        if is_gap_word(text):
            self.gaps[text.strip()] += count
            return
        if infinity(text) is not None:
            self.infinite += count
            return
        number = numeral(text)
        with_point = number.read(POINT) if number else None
        with_comma = number.read(COMMA) if number else None
        # of a cell that fits both marks the reading with a point counts
        reading = with_point or with_comma
        if number is None or reading is None:
            self.odd[text] += count
            return
        # by these the decimal mark of the column is decided
        marked = POINT in number.core or COMMA in number.core
        marks = Marks(with_point is not None, with_comma is not None, marked)
        manner = _manner_of_numeral(number, marks)
        self.manners[manner] += count
        if reading.padded:
            self.padded += count
        if not manner.unit and abs(reading.value) <= 1:
            self.small += count
        self.values.add(reading.value)
        length = len(text.encode())
        self.shortest = min(self.shortest, length)
        self.longest = max(self.longest, length)


def _count_of_sure_commas(manners: Mapping[Manner, int]) -> int:
    """How many numbers can only be read with a decimal comma. manners: how many are written in each
    manner."""
    commas = 0
    for manner, count in manners.items():
        if manner.marks == SURE_COMMA:
            commas += count
    return commas


def _commonest_affixes(manners: Mapping[Manner, int]) -> tuple[str, str]:
    """The text around the digits that most of the numbers with a unit have: (before, behind); ("",
    "") if none has a unit. manners: how many are written in each manner."""
    affixes: Counter[tuple[str, str]] = Counter()
    for manner, count in manners.items():
        if manner.unit:
            affixes[manner.before, manner.after] += count
    return _commonest(affixes) if affixes else ("", "")


def _manner_of_form(form: int, style: Style) -> Manner:
    """The Manner of the cells that have this form: how they are written, as a scan found it. style:
    the one that they were scanned in, which says what mark, group and text around numbers the form
    speaks of. form: a sum of scanning's constants from MARKED to SEVERAL, never EMPTY or LEFT."""
    attached = bool(form & ATTACHED)
    before = style.before if attached else ""
    after = style.after if attached else ""
    sure = SURE_POINT if style.decimal == POINT else SURE_COMMA
    other = COMMA if style.decimal == POINT else POINT
    group = style.group if form & GROUPED else ""
    marks = sure if form & MARKED else PLAIN
    if form & EITHER:
        # 1.234, in a style with a decimal point: the point may as well be a mark of thousands
        marks = EITHER_WAY
        group = style.decimal
    elif group == other and form & SEVERAL:
        # 1,234,567: as a decimal mark stands only once, the commas are marks of thousands
        marks = sure
    elif group == other and not form & MARKED:
        # 1,234, in a style with a decimal point: the comma may as well be a decimal mark
        marks = EITHER_WAY
    either_comma = marks == EITHER_WAY and group == COMMA
    return Manner(before, after, group, marks, either_comma)


def _manner_of_numeral(number: Numeral, marks: Marks) -> Manner:
    """How a number is written that was read by itself: its Manner. Where no blank or apostrophe
    groups its thousands, a comma or point that does or may do so is taken for such a mark. marks:
    which decimal marks it may have."""
    # blanks and apostrophes between thousands are no decimal marks
    group = number.group
    either_comma = False
    if not group and marks == EITHER_WAY:
        group = COMMA if COMMA in number.core else POINT
        either_comma = group == COMMA
    elif not group and marks == SURE_POINT and COMMA in number.core:
        group = COMMA
    elif not group and marks == SURE_COMMA and POINT in number.core:
        group = POINT
    return Manner(number.before, number.after, group, marks, either_comma)


@dataclass(frozen=True)
class NumberNotation:
    """How the numbers of a column are written.

    decimal: the mark before decimals. unit: of the column ("" for none): `%`, `€`, `kWh`. before,
    after: how most numbers with the unit write it, blanks to the digits included. group: the mark
    between thousands, "" if none is written; any usual one is read. fractions: numbers without the
    sign of percent are parts of one (0.12 is 12 %). gap_words: the user's, as written. magnitudes:
    the name of their family, in FAMILIES, where they are written in turns (10k, 1.5M), and are
    multiplied out; "" for none.
    """

    decimal: str = POINT
    unit: str = ""
    before: str = ""
    after: str = ""
    group: str = ""
    fractions: bool = False
    gap_words: tuple[str, ...] = ()
    magnitudes: str = ""

    def read(self, cells: Cells) -> Reading:
        """Read every cell: a number, a gap or something odd; no cell raises an error.

        A number may lack the unit; one with another unit is odd. One that equals a gap word of the
        user's is a gap, -999.0 for -999, too. Where the column has fractions or magnitudes, values
        and decimals are in percent, or multiplied out.
        """
        style = Style(self.decimal, self.group, self.before, self.after)
        scan = scanning.scan(cells, style)
        value = scan.value
        decimals = scan.decimals.astype(np.int64)
        state = np.full(len(cells), VALUE, np.uint8)
        state[scan.form == EMPTY] = GAP
        # below EMPTY a form is that of a number
        forms_of_numbers = scan.form[scan.form < EMPTY]
        padded = bool((forms_of_numbers & PADDED).any())
        # numbers without a unit: their form has no bit, such as ATTACHED, but those of BARE
        bare = (scan.form | scanning.BARE) == scanning.BARE
        unread = np.flatnonzero(scan.form == LEFT)
        if len(unread):
            # each different text is read once, and stands for all cells that have it
            texts, index = different_texts(cells, unread)
            read_cells = [self._read_text(text) for text in texts]
            columns = zip(*read_cells, strict=True)
            values, places, states, are_bare, are_padded = columns
            value[unread] = np.array(values)[index]
            decimals[unread] = np.array(places, np.int64)[index]
            state[unread] = np.array(states, np.uint8)[index]
            bare[unread] = np.array(are_bare, np.bool_)[index]
            padded = padded or any(are_padded)
        if self.fractions:
            _to_percent(value, decimals, bare)
        self._make_gaps_of_numbers(value, state, decimals)
        return Reading(value, state, decimals, padded)

    def is_gap(self, cells: Cells) -> Mask:
        """Tell which cells are gaps in this column by their text alone, see gaps.is_gap: (n,) bool.
        The user's gap words that are numbers, as -999, count only where cells have just that text,
        while `read` takes -999.0 for a gap, too."""
        return is_gap(cells, self.gap_words)

    def _read_text(self, text: str) -> _Cell:
        """Read one text as this notation says: as a gap, as infinity, or as a number with the
        column's unit or none, multiplied by its magnitude, but not yet by 100 for fractions;
        anything else is odd."""
        # a gap word may be a number, too: it comes first
        if is_gap_word(text, folded(self.gap_words)):
            return _Cell(math.nan, 0, GAP)
        infinite = infinity(text)
        if infinite is not None:
            return _Cell(infinite, 0, VALUE)
        odd = _Cell(math.nan, 0, ODD)
        number_text = numeral(text)
        if number_text is None:
            return odd
        # 1, unless a magnitude such as k stands behind the digits
        factor = Factor()
        if self.magnitudes:
            family = FAMILIES[self.magnitudes]
            magnitude = family.magnitude(number_text.after)
            if magnitude is not None:
                factor = magnitude.factor
                number_text = replace(number_text, after=magnitude.rest)
        if number_text.unit not in ("", self.unit):
            return odd
        number = number_text.read(self.decimal, factor)
        if number is None:
            return odd
        return _Cell(
            number.value,
            number.decimals,
            VALUE,
            bare=not number_text.unit,
            padded=number.padded,
        )

    def _make_gaps_of_numbers(self, value: Float, state: Bytes, decimals: Int) -> None:
        """Change value, state and decimals, (n,) each, in place: numbers equal to one of the user's
        gap words become gaps (NaN, GAP, 0), -999.0 for -999, too."""
        for word in self.gap_words:
            number = self._read_text_as_number(word)
            if number is None:
                continue
            rows = value == number
            value[rows] = np.nan
            state[rows] = GAP
            decimals[rows] = 0

    def _read_text_as_number(self, word: str) -> float | None:
        """The number that a gap word of the user's is, with the column's decimal mark or a point,
        whatever unit stands beside it; None if it is no number."""
        number_text = numeral(word)
        if number_text is None:
            return None
        # on a command line numbers are written with a point
        number = number_text.read(self.decimal) or number_text.read(POINT)
        return number.value if number else None

    def show(self, value: float, decimals: int) -> str:
        """Write a number as this column does: show(12.5, 2) may be `12,50 %`; "" for NaN,
        "Infinity" or "-Infinity" for these.

        decimals: digits behind the mark; -1: as many as tell the float from all others, with an
        exponent where it is very large or small.
        """
        if math.isnan(value):
            return ""
        if math.isinf(value):
            return "-Infinity" if value < 0 else "Infinity"
        size = abs(value)
        text = repr(size) if decimals < 0 else f"{size:.{decimals}f}"
        if decimals < 0:
            text = text.removesuffix(".0")
        whole, _, fraction = text.partition(POINT)
        # not with an exponent, as 1e+20 has
        if self.group and whole.isdigit():
            whole = f"{int(whole):,}".replace(",", self.group)
        digits = whole
        if fraction:
            digits += self.decimal + fraction
        # of -0.0, too, which is not below 0
        is_negative = math.copysign(1.0, value) < 0
        sign = "-" if is_negative else ""
        return f"{sign}{self.before}{digits}{self.after}"

    def to_json(self) -> Facts:
        """The fields that are not as usual, by name, as JSON, from which from_json makes an equal
        notation."""
        facts: Facts = {}
        usual = NumberNotation()
        for name in IN_JSON:
            value = getattr(self, name)
            if value != getattr(usual, name):
                facts[name] = value
        if self.gap_words:
            facts["gap_words"] = list(self.gap_words)
        return facts

    @classmethod
    def from_json(cls, facts: Facts) -> NumberNotation:
        """The notation that to_json wrote; ValueError, TypeError or AttributeError if it is
        none."""
        words = facts.get("gap_words", [])
        # unknown names raise a TypeError here; what the fields hold is checked below
        notation = cls(**{**facts, "gap_words": tuple(words)})
        texts = (
            notation.unit,
            notation.before,
            notation.after,
            notation.group,
            *words,
        )
        sane = (
            notation.decimal in (POINT, COMMA)
            and isinstance(words, list)
            and all(isinstance(text, str) for text in texts)
            and isinstance(notation.fractions, bool)
            and notation.magnitudes in ("", *FAMILIES)
            and len(notation.group) <= 1
            and notation.group != notation.decimal
            and unit_of(notation.before, notation.after) == notation.unit
        )
        if not sane:
            raise ValueError("not a notation of numbers")
        return notation


class _Cell(NamedTuple):
    """A cell, read. value: the number, NaN if it is none; decimals: digits behind the decimal mark,
    -1 with an exponent, 0 if it is no number; state: VALUE, GAP or ODD; bare: whether it is a
    number without a unit; padded: whether zeros stand in front, as in 007."""

    value: float
    decimals: int
    state: int
    bare: bool = False
    padded: bool = False


def _to_percent(value: Float, decimals: Int, bare: Mask) -> None:
    """Turn fractions of 1 into percent, in place: the values, (n,), where `bare`, (n,) bool, is
    True, become 100 times as large, and their decimals, (n,), two less, but no less than 0. Values
    are rounded to these decimals, as 0.07 * 100 is not 7 in floats. Where decimals are -1, for an
    exponent, they stay, and nothing is rounded."""
    rows = np.flatnonzero(bare & np.isfinite(value))
    places = np.maximum(decimals[rows] - 2, 0)
    scale = 10.0**places
    hundredfold = value[rows] * 100
    has_decimals = decimals[rows] >= 0
    rounded = np.rint(hundredfold * scale) / scale
    value[rows] = np.where(has_decimals, rounded, hundredfold)
    decimals[rows] = np.where(has_decimals, places, decimals[rows])
