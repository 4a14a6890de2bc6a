"""A column of text cells as decimals: whole numbers, their scale, and how each is written.

    12.50    7    -3.25 kg

Affixes, such as " kg", are what most cells have around the number. Within a bound of the error the
whole numbers are rounded to multiples of a step; `text_rounding` has what is too long for 64 bits.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from aetool.codec import notation_choice, notations, spans
from aetool.codec.columns import Coded
from aetool.codec.metas import Notation, NumberMeta
from aetool.codec.spans import SHORT, SHORT_ONE, digits_behind, ends_in_zero
from aetool.codec.text_cells import (
    MAX_SPECIAL,
    NO_AFFIXES,
    NUMBER,
    Affixes,
    TextCells,
    specials_of,
    texts_of_affixes,
    with_odd_cells,
)
from aetool.data.table import Mask
from aetool.model import Array, Int

AFFIX = 8  # bytes of the longest text before or behind numbers
CELLS_FOR_AFFIXES = 64  # that are looked at
CELLS_FOR_NOTATION = 64  # of all, and as many of those that are no numbers in the usual way
FEWEST_WRITTEN = 8  # cells that a notation must make numbers of, to be worth its description
LOOKS = 2  # at a column for its notation
LARGEST_ALLOWED = 1 << 61  # units of the last decimal in a bound, so that twice as many fit 64 bits
LEAST_NUMBERS = 0.3  # of the cells, for a column of numbers; for a bound, of those that are no gaps
MOST_NUMBERS = 0.99  # whose decimals set the scale of the column
LONGER_PAID = 20  # one cell in so many must be longer, for each decimal that the scale grows by
DIGIT = re.compile(rb"[0-9]")
# the sign belongs to the number: cells would else differ in what stands before it
AROUND_DIGITS = re.compile(rb"([^0-9]*?)-?[0-9](?:.*[0-9])?([^0-9]*)", re.DOTALL)


# ---- what stands around numbers


def affixes_of(text: TextCells) -> Affixes:
    """The text before and behind the number that is commonest among the cells of a sample of at
    most CELLS_FOR_AFFIXES (64) of the column, of several as common the first; both are b"" if no
    cell has a digit, or either is longer than AFFIX (8) bytes."""
    counts: Counter[Affixes] = Counter()
    for cell in text.sample(CELLS_FOR_AFFIXES):
        affixes = around_digits(cell)
        if affixes is not None:
            counts[affixes] += 1
    if not counts:
        return b"", b""
    # of equally frequent ones those that come first
    commonest = max(counts, key=counts.__getitem__)
    if max(map(len, commonest)) > AFFIX:
        return b"", b""
    return commonest


def around_digits(cell: bytes) -> Affixes | None:
    """(the text before the first digit of a cell, or before a minus in front of that; the text
    behind its last digit); None without any digit."""
    # whole numbers, of which there are most, need no look
    if cell.isdigit():
        return b"", b""
    match = AROUND_DIGITS.fullmatch(cell)
    if match is None:
        return None
    before, behind = match.groups()
    return before, behind


def parsed(text: TextCells, affixes: Affixes) -> tuple[Int, Array]:
    """Read the numbers between the affixes of a column's cells: (digits, form), (n,) each, as
    spans.numbers returns them: numbers without their point, int64, and how many digits follow it, +
    32 if the last is 0. form is -1 for a cell without both affixes, or whose number is no plain
    decimal; its digits then mean nothing."""
    prefix, suffix = affixes
    buffer = text.buffer
    value, form = spans.numbers(*text.spans, len(prefix), len(suffix))
    last = len(buffer) - 1
    for offset, byte in enumerate(prefix):
        # a cell too short for its prefix, at the end of the buffer, would be read behind it
        place = np.minimum(text.start + offset, last)
        form[buffer[place] != byte] = -1
    for offset, byte in enumerate(reversed(suffix), 1):
        # one too short for its suffix, at the begin of the buffer, would be read from its end
        place = np.maximum(text.stop - offset, 0)
        form[buffer[place] != byte] = -1
    return value, form


@dataclass(eq=False)
class ParsedCells:
    """Cells of a column with the numbers that were read between their affixes. value, form: (n,),
    the numbers without their point, and how each is written (digits behind the point, + 32 if the
    last is 0), -1 for no number.

    notation: how numbers are written; None: as -1234.5 is. plain: the cells as plain decimals
    between `around`: without a notation the cells themselves. mark: the decimal mark, "." or ",",
    that the column is known to have, whatever its cells say; None: they told it.
    """

    text: TextCells
    affixes: Affixes
    value: Int
    form: Array
    notation: Notation | None
    plain: TextCells
    around: Affixes
    mark: str | None = None

    @classmethod
    def of(cls, text: TextCells, mark: str | None = None) -> ParsedCells:
        """Read the cells of a column, between the affixes that are commonest in a sample, in the
        notation in which most cells are numbers: as -1234.5 (with the mark), unless another makes
        numbers of FEWEST_WRITTEN (8) cells more. mark: the decimal mark, "." or ",", that it is to
        have; None: the cells tell."""
        best = cls.between(text, affixes_of(text), notation_with(mark))
        best.mark = mark
        # cells that were odd may tell more of the notation, once
        for _ in range(LOOKS):
            rows = np.flatnonzero(best.form < 0)
            if len(rows) < FEWEST_WRITTEN:
                break
            other_reading = best._in_other_notation(rows)
            if other_reading is None:
                break
            best = other_reading
        return best

    @classmethod
    def beside_gaps(cls, text: TextCells, mark: str | None = None) -> ParsedCells:
        """Read the cells of a column as `of` does, but by what those that are no gaps say of it,
        for a bound is for numbers however many gaps are among them. mark: as `of` takes it."""
        is_gap = text.gaps()
        if not is_gap.any() or is_gap.all():
            return cls.of(text, mark)
        present = cls.of(text.only(~is_gap), mark)
        cells = cls.between(text, present.affixes, present.notation)
        cells.mark = mark
        return cells

    @classmethod
    def between(
        cls,
        text: TextCells,
        affixes: Affixes,
        notation: Notation | None = None,
    ) -> ParsedCells:
        """Read the cells of a column, between these affixes (text before, text behind), in this
        notation, None for that of -1234.5; a cell without them has no number."""
        plain = text
        around = affixes
        if notation is not None:
            plain = notations.plain(text, affixes, notation)
            around = NO_AFFIXES
        value, form = parsed(plain, around)
        return cls(text, affixes, value, form, notation, plain, around)

    def _in_other_notation(self, odd: Int) -> ParsedCells | None:
        """The same cells, read between the affixes and in the notation with which most of them are
        numbers; None unless that makes numbers of FEWEST_WRITTEN (8) more, and at once where the
        odd cells are at most 62 different ones without a digit. odd: the rows of those that are
        none so far."""
        odd_cells = self.text.only(odd)
        levels = odd_cells.levels(MAX_SPECIAL)
        # gaps and words, as nearly always: no notation makes numbers of those
        if levels is not None and not any(map(DIGIT.search, levels.cells)):
            return None
        sample_of_odd = odd_cells.sample(CELLS_FOR_NOTATION)
        sample = [*self.text.sample(CELLS_FOR_NOTATION), *sample_of_odd]
        best = self
        writings = notation_choice.writings(sample, self.mark)
        # the rule: words, and numbers in the usual way
        if not writings:
            return None
        most = self.numbers() + FEWEST_WRITTEN - 1
        for writing in writings:
            other = ParsedCells.between(self.text, writing.affixes, writing.notation)
            other.mark = self.mark
            count = other.numbers()
            if count > most:
                best = other
                most = count
        return None if best is self else best

    def keep_to(self, mark: str | None) -> None:
        """Keep as numbers only those cells that a column with the decimal mark `mark` means as they
        were read: the forms of others become -1, in place. None: all stay."""
        own = Notation() if self.notation is None else self.notation
        if mark is None or mark == own.decimal:
            return
        # what was read as groups is decimals, and what was read as decimals is groups
        if own.group == mark:
            self.form[:] = -1
        self.form[digits_behind(self.form) > 0] = -1

    def have_two_ways(self, good: Mask) -> bool:
        """Whether numbers of the column are written in two ways: the decimal mark is known, and all
        cells of a sample of those outside of the mask `good`, (n,), are numbers as well. True, too,
        if the mark is known and all cells are good."""
        if self.mark is None:
            return False
        odd = self.text.only(np.flatnonzero(~good))
        # words among them would say that the column does not suit
        manners = map(notation_choice.Manner.of, odd.sample(CELLS_FOR_NOTATION))
        return all(manner is not None for manner in manners)

    def numbers(self) -> int:
        """About how many of the cells are numbers: plain decimals, and of the others as many as a
        sample of them has, with exponents or more than 18 digits."""
        odd = np.flatnonzero(self.form < 0)
        sample = self.plain.only(odd).sample(CELLS_FOR_NOTATION)
        prefix, suffix = map(re.escape, self.around)
        number = re.compile(prefix + NUMBER.pattern + suffix)
        longer = sum(number.fullmatch(cell) is not None for cell in sample)
        # of no others there is no sample
        share = longer / max(1, len(sample))
        return len(self.form) - len(odd) + int(share * len(odd))


def notation_with(mark: str | None) -> Notation | None:
    """How plain decimals with this decimal mark, "." or ",", are written, as metas say it: for a
    comma a Notation, for a point None, as plain decimals have one unless a Notation says otherwise.
    mark None: the mark is not known, which is taken for a point."""
    return None if mark in (None, ".") else Notation(decimal=mark)


# ---- how numbers are written


def forms_of(form: Array) -> tuple[int, ...]:
    """Which forms, ways to write a number, are needed for all these numbers: the number of digits
    behind the point if all have the same; else a single SHORT (no digits that are not needed) or
    SHORT_ONE (one at least) if one of them writes all; else each number of digits, the most
    frequent first. form: (n,), at least one, from spans.numbers, of plain decimals."""
    behind = digits_behind(form)
    padded = ends_in_zero(form)
    used = np.unique(behind)
    if len(used) == 1:
        return (int(used[0]),)
    # a zero at the end, as of "1.50", would be left out by SHORT
    if not padded.any():
        return (SHORT,)
    padded_to_more_than_one = padded & (behind > 1)
    if used[0] > 0 and not padded_to_more_than_one.any():
        return (SHORT_ONE,)
    counts = np.bincount(behind)[used]
    by_frequency = used[np.argsort(-counts, kind="stable")]
    return tuple(by_frequency.tolist())


def one_form(forms: tuple[int, ...]) -> int:
    """The form that all numbers of a column take once they are rounded: the column's own if it has
    just one, else as few digits as tell the number: SHORT if some form has none behind the point,
    else SHORT_ONE. forms: as `forms_of` returns them."""
    if len(forms) == 1:
        return forms[0]
    return SHORT if 0 in forms else SHORT_ONE


def _kinds_of_forms(forms: tuple[int, ...], form: Array, behind: Int) -> Int:
    """For each number which of the forms writes it just as it is, as an index, (n,); -1 if none
    does. forms: SHORT or SHORT_ONE alone, or numbers of digits behind the point; form: (n,), from
    spans.numbers; behind: (n,), each number's digits behind the point."""
    padded = ends_in_zero(form)
    if forms == (SHORT,):
        return np.where(padded, -1, 0)
    if forms == (SHORT_ONE,):
        # one digit must stand behind the point, and may be a 0: more may not end in one
        needless = padded & (behind > 1)
        is_whole = behind == 0
        return np.where(needless | is_whole, -1, 0)
    place_of_digits = np.full(spans.MOST_BEHIND + 1, -1, np.int64)
    place_of_digits[list(forms)] = np.arange(len(forms))
    return np.asarray(place_of_digits[behind])


def kinds_by_zeros(wholes: Int, zeros: tuple[int, ...]) -> Int:
    """For each whole number the kind that is without most of the zeros at its end, (n,); -1 where
    it ends in fewer than every kind lacks. wholes: (n,) int64; zeros: of each kind how many its
    numbers lack. 0, which ends in any number of zeros, is of the kind that lacks fewest."""
    kinds = np.full(len(wholes), -1, np.int64)
    # of kinds that lack as many the first; later ones, of more zeros, take over what they divide
    fewest_first = sorted(range(len(zeros)), key=lambda kind: (zeros[kind], -kind))
    for kind in fewest_first:
        ends_so = wholes % np.int64(10 ** zeros[kind]) == 0
        if kind != fewest_first[0]:
            ends_so &= wholes != 0
        kinds[ends_so] = kind
    return kinds


# ---- the column


def as_decimals(cells: ParsedCells, bound: Fraction | None) -> Coded | None:
    """Encode a column, of at least one cell, as plain decimals, within the bound, the largest error
    in the column's unit, unless it is None; None if less than LEAST_NUMBERS (0.3) of the cells are
    numbers, or the others are more than a twentieth of all cells, and more than 62 different ones,
    unless, within a bound, they are numbers written in a second way and the mark is known. For a
    bound above 0 gaps are none of the cells that numbers must be a part of. A bound of
    LARGEST_ALLOWED (2^61) units of the last decimal, or more, is not used: numbers are then
    exact."""
    form = cells.form
    good = form >= 0
    if good.mean() < LEAST_NUMBERS and (not bound or are_few(int(good.sum()), cells.text)):
        return None
    decimals, good = _decimals_of_most(form)
    specials = specials_of(cells.text, good)
    # where numbers are written in two ways a bound is for those of the commoner one
    if specials is None and bound is not None and cells.have_two_ways(good):
        specials = ()
    if specials is None:
        return None
    affixes = texts_of_affixes(cells.affixes)
    meta = NumberMeta(
        specials=specials,
        affixes=affixes,
        notation=cells.notation,
    )
    meta = _with_scale(
        meta,
        decimals,
        form[good],
        bound,
    )
    return by_meta(
        cells.text,
        meta,
        cells.value,
        form,
    )


def are_few(count: int, text: TextCells) -> bool:
    """Whether `count` numbers are less than LEAST_NUMBERS (0.3) of a column's cells, gaps left out,
    or none at all."""
    # gaps are looked for where they make a difference
    if count >= LEAST_NUMBERS * len(text) or not count:
        return not count
    present = len(text) - int(text.gaps().sum())
    return count < LEAST_NUMBERS * present


def by_own_decimals(cells: ParsedCells, meta: NumberMeta, bound: Fraction) -> Coded:
    """Encode a column as plain decimals, as `as_decimals` does within this bound, with the special
    cells (texts named there) and the affixes (texts around numbers) of a shared model's meta: the
    decimals, the form and the step are those of the column itself, so that its numbers are written
    with as many digits as without a model. The meta's own where no cell is a plain decimal."""
    form = cells.form
    # without a number there is nothing to scale, and the meta need only say what it is like
    if (form >= 0).any():
        decimals, good = _decimals_of_most(form)
        meta = _with_scale(
            meta,
            decimals,
            form[good],
            bound,
        )
    return by_meta(
        cells.text,
        meta,
        cells.value,
        form,
    )


def _decimals_of_most(form: Array) -> tuple[int, Mask]:
    """(the decimals of a column, the digits behind the point that nearly all of its numbers have at
    most; (n,) bool, the cells that are numbers of at most so many). form: of the cells, from
    spans.numbers, -1 for no number, with at least one number."""
    good = form >= 0
    behind = digits_behind(form)
    decimals = _scale_of(behind[good], len(good))
    # a few numbers with many more digits are kept as text
    return decimals, good & (behind <= decimals)


def _with_scale(
    meta: NumberMeta,
    decimals: int,
    form: Array,
    bound: Fraction | None,
) -> NumberMeta:
    """A meta with so many decimals, the step that the bound allows there, 1 for None, and the forms
    in which numbers of these forms, (n,), at least one, of no more decimals, are written then."""
    # where numbers are exact each is written just as it stands
    forms = forms_of(form)
    step = 1
    if bound is not None:
        step = step_within(bound, decimals)
    # a form of fewer digits than the decimals would cut rounded numbers short
    if step > 1:
        forms = (one_form(forms),)
    return dataclasses.replace(
        meta,
        decimals=decimals,
        forms=forms,
        step=step,
    )


def step_within(bound: Fraction, decimals: int) -> int:
    """The step s such that whole numbers of 10^-decimals may be rounded to multiples of s within
    the error bound, an odd number; 1: they cannot be rounded, as the bound is below one of them,
    or, of LARGEST_ALLOWED (2^61) or more of them, too large. bound: 0 or more."""
    allowed = int(bound * 10**decimals)
    if allowed >= LARGEST_ALLOWED:
        return 1
    # whole numbers from -allowed to allowed around a multiple are rounded to it
    return 2 * allowed + 1


def _scale_of(behind: Int, rows: int) -> int:
    """How many decimals the whole numbers of a column count: as many as nearly all (99 %) of its
    numbers have at most, or as the longest, if the longer ones are too many to be kept as text:
    more than a twentieth of the cells for each decimal that would be added.

    behind: (n,), at least one, the digits behind the point of each number; rows: how many cells the
    column has.
    """
    # "higher" takes one of the numbers: a mean of two would be no number of digits
    usual = int(np.quantile(behind, MOST_NUMBERS, method="higher"))
    longest = int(behind.max())
    longer = np.count_nonzero(behind > usual)
    # every decimal more makes all numbers of the column larger
    if longer * LONGER_PAID > rows * (longest - usual):
        return longest
    return usual


def by_meta(text: TextCells, meta: NumberMeta, value: Int, form: Array) -> Coded:
    """Encode the column by a meta of numbers. value, form: (n,), of each cell, as `parsed` returns
    them for the meta's affixes; cells that the meta cannot write are stored as specials, or as
    their text. Where the meta has a step above 1 numbers are rounded to its multiples, halves up,
    and the column has its errors, in its own unit."""
    behind = digits_behind(form).astype(np.int64)
    good = form >= 0
    good &= behind <= meta.decimals
    behind[~good] = 0
    # 10^19 is beyond 64 bits
    missing = np.minimum(meta.decimals - behind, spans.DIGITS)
    scale = 10**missing
    good &= np.abs(value) <= _largest_of(meta) // scale
    kinds = np.zeros(len(text), np.int64)
    # rounded numbers are all written in the one form of the meta
    if meta.step == 1:
        # with zeros all are of one form
        forms = meta.forms[:1] if meta.zeros else meta.forms
        kinds = _kinds_of_forms(forms, form, behind)
        good &= kinds >= 0
    wholes = value[good] * scale[good]
    if meta.zeros:
        # numbers with fewer zeros than each of the kinds lacks cannot be written
        kinds_of_good = kinds_by_zeros(wholes, meta.zeros)
        wholes = wholes[kinds_of_good >= 0]
        kinds[good] = kinds_of_good
        good &= kinds >= 0
    if meta.own_units or meta.zeros:
        units = np.array(meta.units, np.int64)
        wholes //= units[kinds[good]]
    if meta.step == 1:
        return with_odd_cells(text, meta, wholes, good, kinds)

    multiples = (wholes + meta.step // 2) // meta.step
    distances = np.abs(multiples * meta.step - wholes)
    coded = with_odd_cells(text, meta, multiples, good, kinds)
    largest_distance = int(distances.max(initial=0))
    coded.error = float(largest_distance) / 10**meta.decimals
    errors = distances / 10.0**meta.decimals
    coded.square = float(np.square(errors).sum())
    return coded


def _largest_of(meta: NumberMeta) -> int:
    """The largest whole number, in units of 10^-decimals, that a column of this meta may have, and
    the same below 0: 2^62 with a step above 1, else 2^63 - 1."""
    # half a step is added before numbers are rounded, and must not overflow
    return 2**62 if meta.step > 1 else 2**63 - 1
