"""Which columns of a text hold numbers that a bound on errors is for, and from where to where these
go.

    12.5 kg      a number, and a text that is the same in all cells: it can be rounded
    1. White     a label: where the number is another, so is the text, as in 2. Black
    P1234        a label: all are whole, behind letters that are no currency, as in Region 7
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from aetool.codec.spans import I32
from aetool.codec.text_cells import LOOKED_AT, NO_AFFIXES, ODD_CELLS, Affixes, TextCells
from aetool.codec.text_decimals import ParsedCells, affixes_of, around_digits, notation_with
from aetool.codec.text_rounding import UnevenNumbers
from aetool.data.notation.numbers import LETTERS_OF_LABELS
from aetool.data.notation.numerals import is_currency
from aetool.data.table import Bytes

SIGNS = b" -+()"  # around a number: they tell whether it is below 0, and are no text of its own
EXAMPLES = 2  # cells that show what labels are like
BETWEEN = " \t\u00a0_-./"  # may part a name from its number, as in Region 7 and term_36
NUMERO = "#№"  # what numbers of things are marked with, as letters do


@dataclass(frozen=True)
class Stretch:
    """Numbers between the same text: how many there are, the smallest and the largest of them;
    are_names: whether all are whole, behind a text that makes a name of each, see `_are_names`. Of
    parts of a column they are added by `+`."""

    count: int
    lowest: Fraction
    highest: Fraction
    are_names: bool = False

    def __add__(self, other: Stretch) -> Stretch:
        """The numbers of both parts together, a new stretch: counts are added, and they are names
        if those of both parts are."""
        return Stretch(
            self.count + other.count,
            min(self.lowest, other.lowest),
            max(self.highest, other.highest),
            self.are_names and other.are_names,
        )

    @property
    def is_constant(self) -> bool:
        """Whether all the numbers are one and the same."""
        return self.lowest == self.highest


@dataclass(frozen=True)
class RangeEvidence:
    """What the cells of a column, or of a part of one, say of the range of its numbers; that of
    parts is added by `+`.

    stretches: the numbers by the text around them, without signs. others: about how many cells have
    digits between another text than the numbers of their part have around them. examples: by the
    text around its digits a cell that has it, for a few of these texts.
    """

    stretches: Mapping[Affixes, Stretch] = field(default_factory=dict)
    others: int = 0
    examples: Mapping[Affixes, bytes] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        buffer: Bytes,
        start: I32,
        stop: I32,
        mark: str | None = None,
    ) -> RangeEvidence:
        """Collect what cells buffer[start[i]:stop[i]], at least one, show: a stretch of the numbers
        between their usual text, and, unless they have no text around them, the others and
        examples. Nothing if the part of the cells that are numbers is below LEAST_NUMBERS (0.3),
        gaps left out. mark: their decimal mark, "." or ",", with which numbers that have no mark
        between groups count, too; None: they tell it."""
        text = TextCells(buffer, start, stop)
        cells = ParsedCells.beside_gaps(text, mark)
        column = UnevenNumbers.of(cells)
        if column.are_few():
            return cls()
        extremes = list(column.long_numbers.values())
        readings = [cells]
        # a column may write some of its thousands with marks, and others without
        if mark is not None:
            with_mark_alone = ParsedCells.between(text, affixes_of(text), notation_with(mark))
            readings.append(with_mark_alone)
        for reading in readings:
            _add_extremes(extremes, reading)
        plain_count = int((cells.form >= 0).sum())
        count = plain_count + len(column.long_numbers)
        usual = _without_signs(cells.affixes)
        are_names = _are_names(column)
        stretches = {usual: Stretch(count, min(extremes), max(extremes), are_names)}
        # numbers without text are no labels, whatever stands beside them
        if usual == NO_AFFIXES:
            return cls(stretches)
        others, examples = _other_texts(column, usual)
        return cls(stretches, others, examples)

    def __add__(self, other: RangeEvidence) -> RangeEvidence:
        """What both parts of a column say together, a new object: stretches between the same text
        are joined, `others` added, and of the examples at most EXAMPLES (2) kept, the first in the
        order of their texts."""
        stretches = dict(self.stretches)
        for around, stretch in other.stretches.items():
            before = stretches.get(around)
            stretches[around] = stretch if before is None else before + stretch
        examples = {**other.examples, **self.examples}
        return RangeEvidence(
            stretches,
            self.others + other.others,
            dict(sorted(examples.items())[:EXAMPLES]),
        )

    @property
    def ends(self) -> tuple[Fraction, Fraction] | None:
        """The range of the column: (its smallest number, its largest), exactly, in its unit; None
        if it has no numbers, or these are parts of labels."""
        if not self.stretches or self.are_labels:
            return None
        lowest = [stretch.lowest for stretch in self.stretches.values()]
        highest = [stretch.highest for stretch in self.stretches.values()]
        return min(lowest), max(highest)

    @property
    def usual(self) -> Affixes:
        """The text (before, behind) around most numbers, without signs; of several as common the
        smallest. ValueError without numbers."""
        # of equally common ones the smallest, so that no order of parts matters
        return min(self.stretches, key=lambda around: (-self.stretches[around].count, around))

    @property
    def is_constant(self) -> bool:
        """Whether all numbers of the column stand between the same text, and are one number: there
        is nothing to be gained by rounding `1. White`, and much to be lost."""
        if len(self.stretches) != 1 or self.usual == NO_AFFIXES:
            return False
        return self.stretches[self.usual].is_constant

    @property
    def are_names(self) -> bool:
        """Whether most numbers are whole, stand behind letters that are no currency, and are not
        all the same: P1234, Region 7."""
        if not self.stretches:
            return False
        usual = self.stretches[self.usual]
        return usual.are_names and not usual.is_constant

    @property
    def are_labels(self) -> bool:
        """Whether the numbers are parts of labels, so that a rounded one would make a label that
        nobody has written: they are those of names, see `are_names`, or stand in texts that differ
        with them, as in `1. White` and `2. Black`: more than one cell in ODD_CELLS (20) has digits
        between another text than most, or any has, where those between the commonest text are one
        number. False of numbers without text."""
        if not self.stretches:
            return False
        if self.are_names:
            return True
        others = self.others
        for around, stretch in self.stretches.items():
            # 40 among 40 kg lacks its unit, and is no label
            if around not in (self.usual, NO_AFFIXES):
                others += stretch.count
        usual = self.stretches[self.usual]
        # where numbers between the same text never differ, it is the text that tells cells apart
        if self.usual != NO_AFFIXES and usual.is_constant:
            return others > 0
        return others * ODD_CELLS > usual.count + others


def _other_texts(column: UnevenNumbers, usual: Affixes) -> tuple[int, dict[Affixes, bytes]]:
    """Look for cells that have digits between another text than `usual`, which is without signs, by
    a sample of LOOKED_AT (256) of those that are no numbers: (about how many such cells the column
    has; by the text around its digits a cell that shows `usual`, and one that shows such another
    text). Digits without any text do not count."""
    text = column.parsed.text
    is_odd = column.parsed.form < 0
    is_odd[list(column.long_numbers)] = False
    numbers = text.only(~is_odd)
    examples = dict.fromkeys([usual], numbers.sample(1)[0])
    odd = text.only(is_odd)
    if not len(odd):
        return 0, examples
    sample = odd.sample(LOOKED_AT)
    others = 0
    for cell in sample:
        around = around_digits(cell)
        if around is None:
            continue
        other_text = _without_signs(around)
        if other_text in (usual, NO_AFFIXES):
            continue
        others += 1
        if len(examples) < EXAMPLES:
            examples[other_text] = cell
    # a few of many are some at least
    return -(-len(odd) * others // len(sample)), examples


def _are_names(column: UnevenNumbers) -> bool:
    """Whether a column's numbers, at least one, are those of names: all are whole, and the text
    before them ends with letters that are no currency, or with a sign for "number", as in P1234,
    Region 7, term_36 and #5. `T=19` is a number with what it is of, as `T 19.5` is, and $5 is an
    amount; R14 is the size of a tyre, but R 14 is in rand."""
    before = column.parsed.affixes[0].lstrip(SIGNS).decode(errors="replace")
    name = before.rstrip(BETWEEN)
    if not name or not (name[-1].isalpha() or name[-1] in NUMERO):
        return False
    if is_currency(before) and before not in LETTERS_OF_LABELS:
        return False
    if any(number.denominator > 1 for number in column.long_numbers.values()):
        return False
    return all(places == 0 for places, _ in column.plain_scales())


def _without_signs(affixes: Affixes) -> Affixes:
    """The text before and behind a number without the characters that may tell its sign, wherever
    they stand in it: hyphen, plus and parentheses, and blanks with them. So -$5, ($5) and $5 have
    the same."""
    before, behind = affixes
    return before.translate(None, SIGNS), behind.translate(None, SIGNS)


def _add_extremes(extremes: list[Fraction], cells: ParsedCells) -> None:
    """Add to `extremes`, in place, the smallest and the largest plain decimal of each scale (number
    of digits behind the point) that cells have; nothing if none is a plain decimal."""
    # of one scale the whole numbers are compared: a fraction of each would take long
    for places, rows in UnevenNumbers(cells, {}).plain_scales():
        same_scale = cells.value[rows]
        unit = 10**places
        smallest = int(same_scale.min())
        largest = int(same_scale.max())
        extremes.append(Fraction(smallest, unit))
        extremes.append(Fraction(largest, unit))
