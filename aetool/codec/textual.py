"""A column of text cells as whole numbers, exactly or within a bound, and back.

Cells become `number` (decimals: a whole number, its scale and how it is written), `date` (whole
ticks and a format), `level` (an index into the different cells) or `text`. What does not fit is
kept as it is, at its place.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from aetool.codec import digits, floats, spans
from aetool.codec.blobs import read_varint, varint
from aetool.codec.columns import Coded, Decoded, sensible
from aetool.codec.integers import Stream
from aetool.codec.limits import MAX_ROWS, check_text
from aetool.codec.metas import (
    MOST_WIDE,
    DateMeta,
    DigitsMeta,
    FloatMeta,
    LevelMeta,
    Meta,
    NumberMeta,
    PatternMeta,
    TextMeta,
)
from aetool.codec.spans import I32, SHORT, SHORT_ONE, Spans, pack_cells, unpack_cells
from aetool.data import dates
from aetool.data.table import Bytes, Mask
from aetool.errors import ArchiveError
from aetool.model import Array, Int

MAX_LEVELS = 1 << 16
LONGEST_SPECIAL = 256  # bytes; longer ones are raw
MAX_SPECIAL = 62  # different cells that are no numbers, before a column is no column of numbers
AFFIX = 8
LONGEST_NUMBER = 400  # bytes of one that is read digit by digit
NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
FINE_ENOUGH = 64  # units of the last decimal in a bound: rounding loses at most 1 in so many of it
LOOKED_AT = 256  # cells that are no plain numbers, before all are read as long ones
LARGEST_ALLOWED = 1 << 61
LEAST_NUMBERS = 0.3  # of the cells, for a column of numbers
LEAST_DATES = 0.9  # of the cells, for a column of dates
LONG_FLOAT = 16  # bytes of a cell that may be all digits of a float
LEAST_LONG = 0.01  # of the cells are as long, in a column that is tried as floats
LEAST_FLOATS = 0.5  # of the cells, for a column of floats
LEAST_DIGITS = 0.8  # of the cells, for a column of numbers of one width
# digits, hexadecimal ones of one case only, between text without any
DIGITS_AMONG = re.compile(
    rb"([^0-9]{0,8}?)((?=.*[0-9])(?:[0-9a-f]{4,}|[0-9A-F]{4,}|[0-9]+))([^0-9]{0,8})"
)
MOST_NUMBERS = 0.99  # whose decimals set the scale of the column

EVERY = slice(None)  # row


@dataclass(eq=False)
class _Text:
    """The cells of one column: cell i is buffer[start[i]:stop[i]]."""

    buffer: Bytes
    start: I32
    stop: I32

    def __len__(self) -> int:
        return len(self.start)

    @property
    def spans(self) -> tuple[Bytes, I32, I32]:
        return self.buffer, self.start, self.stop

    def cells(self, rows: Array | slice = EVERY) -> list[bytes]:
        return spans.cells_of(self.buffer, self.start[rows], self.stop[rows])

    def levels(self, most: int, rows: Array | slice = EVERY) -> tuple[list[bytes], I32] | None:
        levels = spans.levels(self.buffer, self.start[rows], self.stop[rows], most)
        if levels is None:
            return None
        first, index = levels
        at = first if isinstance(rows, slice) else rows[first]
        return self.cells(at), index


def encode(
    buffer: Bytes,
    start: I32,
    stop: I32,
    foreseen: Meta | None = None,
    bound: Fraction | None = None,
) -> Coded:
    """Encode a column of cells buffer[start[i]:stop[i]]; without bound and foreseen, other ways to
    store it are added to `others`. foreseen: the meta of a shared model, to be kept to; bound: the
    largest error of numbers, in the column's unit; None: exact."""
    text = _Text(buffer, start, stop)
    if foreseen is not None:
        return _as_foreseen(text, foreseen)
    if not len(text):
        return Coded(TextMeta(), [], [b""])
    coded = _plainly(text, bound)
    if not isinstance(coded.meta, NumberMeta):
        # what holds no numbers is exact, and may be stored in any way that is
        bound = None
    if bound is None:
        coded.cells = Spans(buffer, start.astype(np.int64), stop - start)
    if bound is None and float((stop - start >= LONG_FLOAT).mean()) >= LEAST_LONG:
        as_floats = _floats(text)
        coded.others += [as_floats] if as_floats is not None else []
    if bound is None and isinstance(coded.meta, TextMeta | LevelMeta):
        as_digits = _digits(text)
        coded.others += [as_digits] if as_digits is not None else []
    return coded


def _plainly(text: _Text, bound: Fraction | None) -> Coded:
    """Encode the column in the first of these ways that its cells suit: numbers, dates, levels,
    text."""
    numbers = _numbers(text, bound)
    if numbers is not None:
        return numbers
    levels = text.levels(min(MAX_LEVELS, len(text) // 2 + 1))
    if levels is None:
        cells = text.cells()
        return _dates(cells, None) or Coded(TextMeta(), [], [pack_cells(cells)])
    return _dates(*levels) or _levels(*levels, LevelMeta())


def _as_foreseen(text: _Text, meta: Meta) -> Coded:
    """Encode the column by the meta of a shared model; cells that do not fit the meta are stored as
    their text."""
    if isinstance(meta, NumberMeta):
        prefix, suffix = (affix.encode("latin-1") for affix in meta.affixes)
        return _as_numbers(text, meta, *parsed(*text.spans, prefix, suffix))
    levels = text.levels(len(text)) or ([], np.zeros(0, np.int32))
    if isinstance(meta, LevelMeta):
        return _levels(*levels, meta)
    if isinstance(meta, DateMeta):
        return _as_dates(meta, *levels)
    return Coded(meta, [], [pack_cells(text.cells())])


def _levels(cells: list[bytes], index: I32, meta: LevelMeta) -> Coded:
    """Encode a column as the numbers of its different cells: the meta's levels first, then others
    by how often they come. cells: the different ones; index: for each row the place of its cell."""
    known = [level.encode("latin-1") for level in meta.levels]
    used = np.bincount(index, minlength=len(cells))
    place = {c: i for i, c in enumerate(known)}
    fresh = [i for i in range(len(cells)) if cells[i] not in place]
    fresh.sort(key=lambda i: (-used[i], cells[i]))
    place |= {cells[i]: len(known) + k for k, i in enumerate(fresh)}
    rank = np.array([place[c] for c in cells], np.int64)
    blob = varint(len(fresh)) + pack_cells([cells[i] for i in fresh]) if fresh else b""
    return Coded(meta, [Stream(rank[index])], [blob])


def _common_affixes(cells: list[bytes]) -> tuple[bytes, bytes]:
    """(text before, text behind) the digits in most of these cells; ("", "") if there are no
    digits, or either is longer than AFFIX bytes."""
    seen: dict[tuple[bytes, bytes], int] = {}
    for cell in cells:
        inside = [i for i, b in enumerate(cell) if 48 <= b <= 57]
        if inside:
            first = inside[0]
            last = inside[-1]
            first -= first > 0 and cell[first - 1] == 45
            key = (cell[:first], cell[last + 1 :])
            seen[key] = seen.get(key, 0) + 1
    if not seen:
        return b"", b""
    best = max(seen, key=lambda k: seen[k])
    return best if max(map(len, best)) <= AFFIX else (b"", b"")


def affixes_of(buffer: Bytes, start: I32, stop: I32) -> tuple[bytes, bytes]:
    """(text before, text behind) the number in most cells of a sample of the column."""
    some = np.unique(np.linspace(0, len(start) - 1, min(len(start), 64)).astype(np.int64))
    return _common_affixes(spans.cells_of(buffer, start[some], stop[some]))


def parsed(buffer: Bytes, start: I32, stop: I32, prefix: bytes, suffix: bytes) -> tuple[Int, Array]:
    """(digits, form), (n,) each, as of spans.numbers, of what stands between prefix and suffix;
    form is -1 for cells that have not both."""
    value, form = spans.numbers(buffer, start, stop, len(prefix), len(suffix))
    for i, byte in enumerate(prefix):
        form[buffer[np.minimum(start + i, len(buffer) - 1)] != byte] = -1
    for i, byte in enumerate(reversed(suffix)):
        form[buffer[np.maximum(stop - 1 - i, 0)] != byte] = -1
    return value, form


def _numbers(text: _Text, bound: Fraction | None) -> Coded | None:
    """Encode the column as decimals, rounded within the bound if there is one; None if less than
    LEAST_NUMBERS of the cells are numbers, or the others are too many and too different."""
    n = len(text)
    prefix, suffix = affixes_of(*text.spans)
    value, form = parsed(*text.spans, prefix, suffix)
    if bound:
        rounded = _Rounded.of(text, value, form, bound, (prefix, suffix))
        if rounded is not None:
            return rounded.coded()
    good = form >= 0
    if good.mean() < LEAST_NUMBERS:
        return None
    after = form & 31
    decimals = int(np.quantile(after[good], MOST_NUMBERS, method="higher"))
    if int((after[good] > decimals).sum()) * 20 > n * (int(after[good].max()) - decimals):
        decimals = int(after[good].max())
    good &= after <= decimals  # a few numbers with many more digits are kept as text
    forms = _forms(form[good])
    step = 1
    specials = _specials(text, good)
    if specials is None:
        return None
    if bound is not None:
        allowed = int(bound * 10**decimals)
        if 0 < allowed < LARGEST_ALLOWED:
            step = 2 * allowed + 1
            forms = (_one_form(forms),)
    affixes = prefix.decode("latin-1"), suffix.decode("latin-1")
    meta = NumberMeta(None, specials, False, decimals, forms, step, affixes)
    return _as_numbers(text, meta, value, form)


def _floats(text: _Text) -> Coded | None:
    """Encode the column as 64-bit floats that are written in the fewest digits; None if less than
    half of the cells are such."""
    # a few cells tell of most columns that they are none
    some = text.cells(np.unique(np.linspace(0, len(text) - 1, LOOKED_AT).astype(np.int64)))
    if floats.read(some)[1].mean() < LEAST_FLOATS:
        return None
    numbers, good, bare = floats.read(text.cells())
    rows = np.flatnonzero(good)
    meta, stored, kinds_of_good, fits = floats.told(numbers[rows], bare)
    good[rows[~fits]] = False
    specials = _specials(text, good)
    if specials is None or good.mean() < LEAST_FLOATS:
        return None
    kinds = np.zeros(len(text), np.int64)
    kinds[rows] = kinds_of_good
    meta = dataclasses.replace(meta, specials=specials)
    return _with_odd_cells(text, meta, stored[fits], good, kinds)


def _digits(text: _Text) -> Coded | None:
    """Encode the column as whole numbers of one width, with zeros in front, decimal or hexadecimal;
    None if less than LEAST_DIGITS of the cells are such."""
    some = text.cells(np.unique(np.linspace(0, len(text) - 1, LOOKED_AT).astype(np.int64)))
    shapes = [one for one in map(_digits_of, some) if one is not None]
    if len(shapes) < LEAST_DIGITS * len(some):
        return None
    before, middle, behind = max(sorted(set(shapes)), key=shapes.count)
    # a number of decimal digits may be one of hexadecimal digits, among others that are
    letters = b"".join(cell[len(before) : len(before) + middle] for cell in some)
    base = 10 if letters.isdigit() else 16
    if middle > MOST_WIDE[base]:
        return None
    meta = DigitsMeta(
        base=base,
        width=middle,
        is_upper=base == 16 and letters.isupper(),
        affixes=(before.decode("latin-1"), behind.decode("latin-1")),
    )
    values, good = digits.read(meta, text.spans)
    specials = _specials(text, good)
    if specials is None or good.mean() < LEAST_DIGITS:
        return None
    meta = dataclasses.replace(meta, specials=specials)
    return _with_odd_cells(text, meta, values[good], good, np.zeros(len(good), np.int64))


def _digits_of(cell: bytes) -> tuple[bytes, int, bytes] | None:
    """(text before, how many digits, text behind) of a cell with one run of digits; None for any
    other cell."""
    match = DIGITS_AMONG.fullmatch(cell)
    if match is None:
        return None
    return (match[1], len(match[2]), match[3])


def _specials(text: _Text, good: Mask) -> tuple[str, ...] | None:
    """The different cells outside of the mask `good`, without long ones; () if they are more than
    MAX_SPECIAL, None if they are also more than a twentieth of all cells."""
    odd = np.flatnonzero(~good)
    special = text.levels(MAX_SPECIAL, odd) if len(odd) else ([], None)
    if special is None and len(odd) > len(text) // 20:
        return None
    short = [c for c in special[0] if len(c) <= LONGEST_SPECIAL] if special else []
    return tuple(c.decode("latin-1") for c in short)


@dataclass(eq=False)
class _Rounded:
    """A column of numbers to be rounded within a bound to fewer decimals than they are written
    with: numbers with exponents, with more digits than 64 bits hold, or far finer than the bound.

    value, form: of plain decimals, see spans.numbers; exact: by row, the numbers that are none.
    decimals: of the rounded numbers; step: they are multiples of it, in units of their last
    decimal.
    """

    text: _Text
    value: Int
    form: Array
    affixes: tuple[bytes, bytes]
    decimals: int
    step: int
    exact: dict[int, Fraction]

    @classmethod
    def of(
        cls,
        text: _Text,
        value: Int,
        form: Array,
        bound: Fraction,
        affixes: tuple[bytes, bytes],
    ) -> _Rounded | None:
        """The column with the decimals and the step that the bound allows; None if it has too few
        numbers, if plain decimals can keep the bound, or if no step can."""
        plain = form >= 0
        exact = _long_numbers(text, np.flatnonzero(~plain), affixes)
        if int(plain.sum()) + len(exact) < LEAST_NUMBERS * len(text):
            return None
        most = int((form[plain] & 31).max(initial=0))
        if not exact and bound * 10**most < LARGEST_ALLOWED:
            return None
        # with so many decimals hardly anything of the bound is lost
        decimals = 0
        while decimals < spans.DIGITS and bound * 10**decimals < FINE_ENOUGH:
            decimals += 1
        largest = max(map(abs, exact.values()), default=Fraction(0))
        while decimals and largest * 10**decimals >= LARGEST_ALLOWED:
            decimals -= 1
        allowed = min(int(bound * 10**decimals), LARGEST_ALLOWED - 1)
        if not allowed:
            return None
        # a number between two multiples is at most half a step from one: the step is even
        return cls(text, value, form, affixes, decimals, 2 * allowed, exact)

    def coded(self) -> Coded | None:
        """The column as whole multiples of the step, each number rounded to the nearest one; None
        if the cells that are no numbers are too many, and too different."""
        multiples = np.zeros(len(self.text), np.int64)
        good = np.zeros(len(self.text), np.bool_)
        errors = [Fraction(0)]
        square = 0.0
        for after in np.unique(self.form[self.form >= 0] & 31).tolist():
            rows = np.flatnonzero((self.form >= 0) & ((self.form & 31) == after))
            rows, numbers, off = self._multiples(rows, after)
            multiples[rows] = numbers
            good[rows] = True
            errors.append(Fraction(int(off.max(initial=0)), 10 ** max(after, self.decimals)))
            square += float(np.square(off / 10.0 ** max(after, self.decimals)).sum())
        for row, number in self.exact.items():
            scaled = number * 10**self.decimals / self.step
            if scaled >= 0:
                multiple = int(scaled + Fraction(1, 2))
            else:
                multiple = -int(Fraction(1, 2) - scaled)
            if abs(multiple * self.step) < 1 << 63:
                multiples[row] = multiple
                good[row] = True
                errors.append(abs(Fraction(multiple * self.step, 10**self.decimals) - number))
                square += float(errors[-1]) ** 2
        specials = _specials(self.text, good)
        if specials is None:
            return None
        prefix, suffix = (affix.decode("latin-1") for affix in self.affixes)
        meta = NumberMeta(
            specials=specials,
            decimals=self.decimals,
            forms=(SHORT,),
            step=self.step,
            affixes=(prefix, suffix),
        )
        coded = _with_odd_cells(
            self.text, meta, multiples[good], good, np.zeros(len(good), np.int64)
        )
        coded.error = float(max(errors))
        coded.square = square
        return coded

    def _multiples(self, rows: Int, after: int) -> tuple[Int, Int, Int]:
        """(those of the rows whose numbers fit 64 bits, for each the multiple of the step nearest
        to it, how far that is off in units of 10^-max(after, decimals)). after: digits behind the
        point of these numbers."""
        value = self.value[rows]
        if after < self.decimals:
            scale = 10 ** (self.decimals - after)
            fits = np.abs(value) <= (1 << 61) // scale
            rows = rows[fits]
            value = value[fits] * scale
            divisor = self.step
        else:
            divisor = self.step * 10 ** (after - self.decimals)
        if divisor >= 1 << 62:  # all numbers have at most 18 digits: they are nearest to 0
            return rows, np.zeros(len(rows), np.int64), np.abs(value)
        multiples = (value + divisor // 2) // divisor
        return rows, multiples, np.abs(value - multiples * divisor)


def _long_numbers(text: _Text, rows: Int, affixes: tuple[bytes, bytes]) -> dict[int, Fraction]:
    """By row the exact number of those cells that have an exponent, or too many digits for 64 bits;
    {} if a sample of the cells has none."""
    numbers: dict[int, Fraction] = {}
    # columns of words are the rule here, and are not worth reading cell by cell
    some = rows[:: max(1, len(rows) // LOOKED_AT)]
    if all(exact_number(cell, *affixes) is None for cell in text.cells(some)):
        return numbers
    for row, cell in zip(rows.tolist(), text.cells(rows), strict=True):
        number = exact_number(cell, *affixes)
        if number is not None:
            numbers[row] = number
    return numbers


def exact_number(cell: bytes, prefix: bytes = b"", suffix: bytes = b"") -> Fraction | None:
    """The number between the affixes of a cell, if it has an exponent or too many digits for
    spans.numbers; None for any other cell, also for leading zeros, which a number would not
    restore."""
    if not cell.startswith(prefix) or not cell.endswith(suffix):
        return None
    inner = cell[len(prefix) : len(cell) - len(suffix)]
    parts = NUMBER.fullmatch(inner) if len(inner) <= LONGEST_NUMBER else None
    if parts is None or (parts[1] is None and len(inner) <= spans.DIGITS):
        return None
    return Fraction(inner.decode())


def ends(buffer: Bytes, start: I32, stop: I32) -> tuple[Fraction, Fraction] | None:
    """(smallest, largest number) of a column; None if less than LEAST_NUMBERS of its cells are
    numbers."""
    text = _Text(buffer, start, stop)
    affixes = affixes_of(*text.spans)
    value, form = parsed(*text.spans, *affixes)
    good = form >= 0
    extremes = list(_long_numbers(text, np.flatnonzero(~good), affixes).values())
    if int(good.sum()) + len(extremes) < LEAST_NUMBERS * len(text):
        return None
    after = form[good] & 31
    value = value[good]
    for places in np.unique(after).tolist():
        for end in (np.min, np.max):
            extremes.append(Fraction(int(end(value[after == places])), 10**places))
    return min(extremes), max(extremes)


def _forms(form: Array) -> tuple[int, ...]:
    """The forms that write all these numbers: SHORT or SHORT_ONE if one of them does, else each
    number of digits behind the point, the most frequent first. form: as of spans.numbers."""
    after = form & 31
    padded = (form & 32) > 0
    used = np.unique(after)
    if len(used) == 1:
        return (int(used[0]),)
    if not padded.any():
        return (SHORT,)
    if used[0] > 0 and not (padded & (after > 1)).any():
        return (SHORT_ONE,)
    return tuple(map(int, used[np.argsort(-np.bincount(after)[used], kind="stable")]))


def _one_form(forms: tuple[int, ...]) -> int:
    if len(forms) == 1:
        return forms[0]
    return SHORT if 0 in forms else SHORT_ONE


def _as_numbers(text: _Text, meta: NumberMeta, value: Int, form: Array) -> Coded:
    """Encode the column by a meta of numbers. value, form: of each cell, see spans.numbers; cells
    that the meta cannot write are stored as specials, or as their text."""
    decimals = meta.decimals
    step = meta.step
    good = (form >= 0) & ((form & 31) <= decimals)
    after = np.where(good, form & 31, 0).astype(np.int64)
    scale = 10 ** np.minimum(decimals - after, 18)
    good &= np.abs(value) <= (2**62 if step > 1 else 2**63 - 1) // scale
    kinds = np.zeros(len(text), np.int64)
    if step == 1:
        kinds, written = _form_of(meta.forms, form, after)
        good &= written
    value = value[good] * scale[good]
    if meta.own_units:
        value //= np.array(meta.units, np.int64)[kinds[good]]
    error = square = 0.0
    if step > 1:
        quantised = (value + step // 2) // step
        off = np.abs(quantised * step - value)
        error = float(off.max(initial=0)) / 10**decimals
        square = float(np.square(off / 10.0**decimals).sum())
        value = quantised
    coded = _with_odd_cells(text, meta, value, good, kinds)
    coded.error = error
    coded.square = square
    return coded


def _with_odd_cells(
    text: _Text,
    meta: NumberMeta | FloatMeta | DigitsMeta,
    value: Int,
    good: Mask,
    kinds: Int,
) -> Coded:
    """Put a column together. value: of the cells in the mask `good`; kinds: of every row, changed
    in place for the other cells, which become specials of the meta, or are stored as their text."""
    odd = np.flatnonzero(~good)
    raw = meta.valued + len(meta.specials)
    if len(odd):
        cells, index = text.levels(len(odd), odd) or ([], np.zeros(0, np.int32))
        kinds[odd] = np.array(_kinds_of(cells, meta))[index]
        if (kinds[odd] == raw).any():
            meta = dataclasses.replace(meta, has_rest=True)
    blobs = [b""] if meta.has_rest else []
    rest = np.flatnonzero(kinds == raw)
    if len(rest):
        blobs = [pack_cells(text.cells(rest))]
    streams = [Stream(value, None if not len(odd) else good)]
    if meta.kinds > 1:
        streams = [Stream(kinds), *streams]
    return Coded(meta, streams, blobs)


def _kinds_of(cells: Sequence[bytes], meta: PatternMeta) -> list[int]:
    """The kind of each of these cells, none of which is written as the meta says: that of its
    special, else the last one, of cells stored as their text."""
    specials = {
        special.encode("latin-1"): meta.valued + place
        for place, special in enumerate(meta.specials)
    }
    others = meta.valued + len(meta.specials)
    return [specials.get(cell, others) for cell in cells]


def _form_of(forms: tuple[int, ...], form: Array, after: Int) -> tuple[Int, Mask]:
    """((n,) the place among forms of the form that writes each number, (n,) bool whether one does).
    form: as of spans.numbers; after: its digits behind the point."""
    padded = (form & 32) > 0
    none = np.zeros(len(form), np.int64)
    if forms == (SHORT,):
        return none, ~padded
    if forms == (SHORT_ONE,):
        return none, (after > 0) & ~(padded & (after > 1))
    place = np.full(32, -1, np.int64)
    place[list(forms)] = np.arange(len(forms))
    return np.maximum(place[after], 0), place[after] >= 0


def _dates(cells: list[bytes], index: I32 | None) -> Coded | None:
    """Encode a column as dates; None if less than LEAST_DATES of its cells are dates of one format.
    cells: the different ones; index: for each row the place of its cell; None: row i has cell i."""
    quote = '"' if cells[0][:1] == b'"' else ""
    some = [t for t in (_inside(c, quote) for c in cells[:64]) if t[:1].isdigit()]
    fmt = dates.detect_format(some) if some and 2 * len(some) > min(len(cells), 64) else None
    if fmt is None:
        return None
    if index is None:
        index = np.arange(len(cells), dtype=np.int32)
    coded = _as_dates(DateMeta(format=fmt, quote=quote), cells, index)
    if coded.meta.kinds > 1:
        kinds, ticks = coded.streams
        if len(ticks.values) < LEAST_DATES * len(kinds.values):
            return None
    return coded


def _inside(cell: bytes, quote: str) -> str:
    text = cell.decode("latin-1")
    if not quote:
        return text
    if len(text) > 1 and text[0] == text[-1] == quote:
        return text[1:-1]
    return ""


def _as_dates(meta: DateMeta, cells: list[bytes], index: I32) -> Coded:
    texts = [_inside(c, meta.quote) for c in cells]
    unit = meta.ticks_a_second
    seconds = dates.parse(texts, meta.format)
    good = np.isfinite(seconds)
    ticks = np.rint(np.where(good, seconds, 0) * unit).astype(np.int64)
    written = dates.render(ticks / unit, meta.format)
    good &= np.array([a == b for a, b in zip(written, texts, strict=True)], np.bool_)
    kind_of_level = np.where(good, 0, np.array(_kinds_of(cells, meta), np.int64))
    kinds = kind_of_level[index]
    raw = 1 + len(meta.specials)
    blobs = [b""] if meta.has_rest else []
    if (kind_of_level == raw).any():
        meta = dataclasses.replace(meta, has_rest=True)
        blobs = [pack_cells([cells[i] for i in index[kinds == raw].tolist()])]
    here = kinds == 0
    streams = [Stream(ticks[index][here], None if here.all() else here)]
    if meta.kinds > 1:
        streams = [Stream(kinds), *streams]
    return Coded(meta, streams, blobs)


@sensible()
def decode(column: Decoded) -> Spans:
    """The text of each row of a column; ArchiveError if it is damaged, or its meta is not one of
    this module."""
    meta = column.meta
    if isinstance(meta, TextMeta):
        return unpack_cells(column.blobs[0], len(column.kinds))
    if isinstance(meta, LevelMeta):
        return _read_levels(meta, column.values, column.blobs[0])
    if isinstance(meta, NumberMeta | FloatMeta | DigitsMeta | DateMeta):
        return _read_pattern(meta, column)
    raise ArchiveError("damaged: a column of a text table is not stored as text")


def _read_pattern(meta: NumberMeta | FloatMeta | DigitsMeta | DateMeta, column: Decoded) -> Spans:
    """The texts of a decoded column, row by row: numbers or dates as meta says they are written,
    and in their places the special cells, and those that are stored as they are."""
    kinds = column.kinds
    rows = len(kinds)
    if rows and not 0 <= int(kinds.min()) <= int(kinds.max()) < meta.kinds:
        raise ArchiveError("damaged: a column has cells of an unknown kind")
    valued = kinds < meta.valued
    if isinstance(meta, DateMeta):
        written, length = _write_dates(meta, column.values)
    elif isinstance(meta, DigitsMeta):
        check_text(len(column.values) * (meta.width + len("".join(meta.affixes))))
        written, length = digits.written(meta, column.values)
    elif isinstance(meta, FloatMeta):
        texts = floats.restored(meta, column.values, kinds[valued])
        cells = _spans_of([text.encode() for text in texts])
        written = cells.pool
        length = cells.length
    else:
        written, length = _write_numbers(meta, kinds[valued], column.values)
    begin = np.cumsum(length, dtype=np.int64) - length
    if meta.kinds == meta.valued:
        return Spans(written, begin, length)
    specials = _spans_of([special.encode("latin-1") for special in meta.specials])
    pool = np.concatenate([written, specials.pool])
    start = np.zeros(rows, np.int64)
    size = np.zeros(rows, np.int32)
    start[valued] = begin
    size[valued] = length
    named = np.flatnonzero(~valued & (kinds < meta.valued + len(meta.specials)))
    number = kinds[named] - meta.valued
    start[named] = specials.start[number] + len(written)
    size[named] = specials.length[number]
    if meta.has_rest:
        rest = kinds == meta.kinds - 1
        others = unpack_cells(column.blobs[0], int(rest.sum()))
        start[rest] = others.start + len(pool)
        size[rest] = others.length
        pool = np.concatenate([pool, others.pool])
    return Spans(pool, start, size)


def _spans_of(cells: Sequence[bytes]) -> Spans:
    """Put cells one behind the other into a pool of their own."""
    length = np.array([len(cell) for cell in cells], np.int32)
    begin = np.cumsum(length, dtype=np.int64) - length
    return Spans(np.frombuffer(b"".join(cells), np.uint8), begin, length)


def _read_levels(meta: LevelMeta, values: Int, blob: bytes) -> Spans:
    levels = _spans_of([level.encode("latin-1") for level in meta.levels])
    if blob:
        count, at = read_varint(blob, 0)
        fresh = unpack_cells(blob[at:], min(count, MAX_ROWS))
        levels = Spans(
            np.concatenate([levels.pool, fresh.pool]),
            np.concatenate([levels.start, fresh.start + len(levels.pool)]),
            np.concatenate([levels.length, fresh.length]),
        )
    if len(values) and not 0 <= int(values.min()) <= int(values.max()) < len(levels.start):
        raise ArchiveError("damaged: a column points beyond its levels")
    return Spans(levels.pool, levels.start[values], levels.length[values])


def _write_dates(meta: DateMeta, ticks: Int) -> tuple[Bytes, I32]:
    """Write ticks as dates: (the bytes of all, one behind the other, the length of each)."""
    quote = meta.quote
    check_text(len(ticks) * (2 * len(quote) + len(meta.format)))
    dated = dates.render(ticks / meta.ticks_a_second, meta.format)
    written = _spans_of([f"{quote}{date}{quote}".encode("latin-1") for date in dated])
    return written.pool, written.length


def _write_numbers(meta: NumberMeta, kinds: Int, values: Int) -> tuple[Bytes, I32]:
    """Write whole numbers as decimals: (the bytes of all, one behind the other, the length of
    each). kinds: (n,), the place of each number's form in the meta."""
    prefix, suffix = (affix.encode("latin-1") for affix in meta.affixes)
    check_text(len(values) * len(prefix + suffix))  # before anything is written
    forms = np.array(meta.forms, np.int8)
    units = np.array(meta.units, np.int64)
    written, length = spans.write(values * units[kinds], forms[kinds], meta.decimals)
    if not any(meta.affixes):
        return written, length
    n = len(length)
    check_text(len(written) + n * len(prefix + suffix))
    pool = np.concatenate([np.frombuffer(prefix + suffix, np.uint8), written])
    size = np.empty((n, 3), np.int32)
    size[:, 0], size[:, 1], size[:, 2] = len(prefix), length, len(suffix)
    start = np.empty((n, 3), np.int64)
    start[:, 0], start[:, 2] = 0, len(prefix)
    start[:, 1] = np.cumsum(length, dtype=np.int64) - length + len(prefix) + len(suffix)
    return spans.weave(pool, start.reshape(-1), size.reshape(-1)), size.sum(axis=1, dtype=np.int32)
