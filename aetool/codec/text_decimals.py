"""A column of text cells as decimals: whole numbers, their scale, and how each is written.

    12.50    7    -3.25 kg

Affixes, such as " kg", are what most cells have around the number. Within a bound of the error the
whole numbers are rounded to multiples of a step; `text_rounding` has what is too long for 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from aetool.codec import spans
from aetool.codec.columns import Coded
from aetool.codec.metas import NumberMeta
from aetool.codec.spans import I32, SHORT, SHORT_ONE, digits_behind, ends_in_zero
from aetool.codec.text_cells import TextCells, evenly_spread, specials_of, with_odd_cells
from aetool.data.table import Bytes, Mask
from aetool.model import Array, Int

AFFIX = 8  # bytes of the longest text before or behind numbers
CELLS_FOR_AFFIXES = 64  # that are looked at
LARGEST_ALLOWED = 1 << 61  # units of the last decimal in a bound, so that twice as many fit 64 bits
LEAST_NUMBERS = 0.3  # of the cells, for a column of numbers
MOST_NUMBERS = 0.99  # whose decimals set the scale of the column
LONGER_PAID = 20  # one cell in so many must be longer, for each decimal that the scale grows by
ZERO, NINE, MINUS = b"09-"


# ---- what stands around numbers


def affixes_of(buffer: Bytes, start: I32, stop: I32) -> tuple[bytes, bytes]:
    """(text before, text behind) the number in most cells of a sample of the column."""
    sample = evenly_spread(len(start), CELLS_FOR_AFFIXES)
    return _common_affixes(spans.cells_of(buffer, start[sample], stop[sample]))


def _common_affixes(cells: list[bytes]) -> tuple[bytes, bytes]:
    """(text before, text behind) the digits in most of these cells; ("", "") if there are no
    digits, or either is longer than AFFIX bytes."""
    counts: dict[tuple[bytes, bytes], int] = {}
    for cell in cells:
        places = [place for place, byte in enumerate(cell) if ZERO <= byte <= NINE]
        if not places:
            continue
        first = places[0]
        if first > 0 and cell[first - 1] == MINUS:
            first -= 1
        affixes = cell[:first], cell[places[-1] + 1 :]
        counts[affixes] = counts.get(affixes, 0) + 1
    if not counts:
        return b"", b""
    before, behind = max(counts, key=lambda affixes: counts[affixes])
    if max(len(before), len(behind)) > AFFIX:
        return b"", b""
    return before, behind


def parsed(buffer: Bytes, start: I32, stop: I32, prefix: bytes, suffix: bytes) -> tuple[Int, Array]:
    """(digits, form), (n,) each, as of spans.numbers, of what stands between prefix and suffix;
    form is -1 for cells that have not both."""
    value, form = spans.numbers(buffer, start, stop, len(prefix), len(suffix))
    last = len(buffer) - 1
    for offset, byte in enumerate(prefix):
        # a cell too short for its prefix, at the end of the buffer, would be read behind it
        place = np.minimum(start + offset, last)
        form[buffer[place] != byte] = -1
    for offset, byte in enumerate(reversed(suffix), 1):
        place = np.maximum(stop - offset, 0)
        form[buffer[place] != byte] = -1
    return value, form


@dataclass(eq=False)
class ParsedCells:
    """Cells with the numbers that were read between their affixes. value, form: (n,), see
    `parsed`."""

    text: TextCells
    affixes: tuple[bytes, bytes]
    value: Int
    form: Array

    @classmethod
    def of(cls, text: TextCells) -> ParsedCells:
        """Read the cells of a column, between the affixes that most of them have."""
        affixes = affixes_of(*text.spans)
        value, form = parsed(*text.spans, *affixes)
        return cls(text, affixes, value, form)


# ---- how numbers are written


def forms_of(form: Array) -> tuple[int, ...]:
    """The forms that write all these numbers: SHORT or SHORT_ONE if one of them does, else each
    number of digits behind the point, the most frequent first. form: as of spans.numbers."""
    behind = digits_behind(form)
    padded = ends_in_zero(form)
    used = np.unique(behind)
    if len(used) == 1:
        return (int(used[0]),)
    if not padded.any():
        return (SHORT,)
    padded_to_more_than_one = padded & (behind > 1)
    if used[0] > 0 and not padded_to_more_than_one.any():
        return (SHORT_ONE,)
    counts = np.bincount(behind)[used]
    by_frequency = used[np.argsort(-counts, kind="stable")]
    return tuple(by_frequency.tolist())


def one_form(forms: tuple[int, ...]) -> int:
    """The form that all numbers take if they are rounded: theirs if they have one form, else as few
    digits as tell the number."""
    if len(forms) == 1:
        return forms[0]
    return SHORT if 0 in forms else SHORT_ONE


def _places_of_forms(forms: tuple[int, ...], form: Array, behind: Int) -> tuple[Int, Mask]:
    """((n,) the place among forms of the form that writes each number, (n,) bool whether one does).
    form: as of spans.numbers; behind: its digits behind the point."""
    padded = ends_in_zero(form)
    first = np.zeros(len(form), np.int64)
    if forms == (SHORT,):
        return first, ~padded
    if forms == (SHORT_ONE,):
        needless = padded & (behind > 1)
        return first, (behind > 0) & ~needless
    place_of_digits = np.full(spans.MOST_BEHIND + 1, -1, np.int64)
    place_of_digits[list(forms)] = np.arange(len(forms))
    place = place_of_digits[behind]
    return np.maximum(place, 0), place >= 0


# ---- the column


def as_decimals(cells: ParsedCells, bound: Fraction | None) -> Coded | None:
    """Encode a column as plain decimals, within the bound if there is one; None if less than
    LEAST_NUMBERS of the cells are numbers, or the others are too many and too different."""
    form = cells.form
    good = form >= 0
    if good.mean() < LEAST_NUMBERS:
        return None
    behind = digits_behind(form)
    decimals = _scale_of(behind[good], len(good))
    # a few numbers with many more digits are kept as text
    good &= behind <= decimals
    specials = specials_of(cells.text, good)
    if specials is None:
        return None
    forms = forms_of(form[good])
    step = 1
    if bound is not None:
        allowed = int(bound * 10**decimals)
        if 0 < allowed < LARGEST_ALLOWED:
            # whole numbers from -allowed to allowed around a multiple are rounded to it
            step = 2 * allowed + 1
            forms = (one_form(forms),)
    prefix, suffix = cells.affixes
    meta = NumberMeta(
        specials=specials,
        decimals=decimals,
        forms=forms,
        step=step,
        affixes=(prefix.decode("latin-1"), suffix.decode("latin-1")),
    )
    return by_meta(cells.text, meta, cells.value, form)


def _scale_of(behind: Int, rows: int) -> int:
    """How many decimals the whole numbers of a column have: as nearly all of them, or as the
    longest, if the longer ones are too many to be kept as text.

    behind: (n,), the digits behind the point of each number; rows: of the column.
    """
    usual = int(np.quantile(behind, MOST_NUMBERS, method="higher"))
    longest = int(behind.max())
    longer = int((behind > usual).sum())
    # every decimal more makes all numbers of the column larger
    if longer * LONGER_PAID > rows * (longest - usual):
        return longest
    return usual


def by_meta(text: TextCells, meta: NumberMeta, value: Int, form: Array) -> Coded:
    """Encode the column by a meta of numbers. value, form: of each cell, see spans.numbers; cells
    that the meta cannot write are stored as specials, or as their text."""
    decimals = meta.decimals
    step = meta.step
    good = (form >= 0) & (digits_behind(form) <= decimals)
    behind = np.where(good, digits_behind(form), 0).astype(np.int64)
    # 10^19 is beyond 64 bits
    scale = 10 ** np.minimum(decimals - behind, spans.DIGITS)
    largest = 2**62 if step > 1 else 2**63 - 1
    good &= np.abs(value) <= largest // scale
    kinds = np.zeros(len(text), np.int64)
    if step == 1:
        kinds, is_written = _places_of_forms(meta.forms, form, behind)
        good &= is_written
    value = value[good] * scale[good]
    if meta.own_units:
        units = np.array(meta.units, np.int64)
        value //= units[kinds[good]]
    if step == 1:
        return with_odd_cells(text, meta, value, good, kinds)

    multiples = (value + step // 2) // step
    off = np.abs(multiples * step - value)
    coded = with_odd_cells(text, meta, multiples, good, kinds)
    coded.error = float(off.max(initial=0)) / 10**decimals
    coded.square = float(np.square(off / 10.0**decimals).sum())
    return coded
