"""A column of text cells as whole numbers, exactly or within a bound, and back.

Cells become `number` (decimals: a whole number, its scale and how it is written), `date` (whole
ticks and a format), `level` (an index into the different cells) or `text`. What does not fit is
kept as it is, at its place. `decode`, which reads all of these, is in `text_decoding`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Container
from fractions import Fraction

import numpy as np

from aetool.codec import digits, float_quotients, floats, notations, origin_search, origins
from aetool.codec.blobs import varint
from aetool.codec.columns import Coded
from aetool.codec.floats import Doubles
from aetool.codec.metas import (
    MOST_WIDE,
    DateMeta,
    DigitsMeta,
    FloatMeta,
    LevelMeta,
    Meta,
    NumberMeta,
    TextMeta,
)
from aetool.codec.spans import I32, SHORT, SHORT_ONE, Spans, digits_behind, pack_cells
from aetool.codec.streams import Stream
from aetool.codec.text_cells import (
    NO_AFFIXES,
    Affixes,
    Levels,
    TextCells,
    affixes_in,
    bytes_of_texts,
    kind_of_rest,
    kinds_of,
    put_together,
    specials_of,
    texts_of_affixes,
    with_odd_cells,
)
from aetool.codec.text_decimals import ParsedCells, as_decimals, by_meta, by_own_decimals
from aetool.codec.text_rounding import UnevenNumbers
from aetool.data import dates
from aetool.data.table import Bytes, Mask
from aetool.model import Int

MAX_LEVELS = 1 << 16
LEAST_DATES = 0.9  # of the cells, for a column of dates
CELLS_FOR_DATES = 64  # different ones that are looked at for their format
LONG_FLOAT = 16  # bytes of a cell that may be all digits of a float
LEAST_LONG = 0.01  # of the cells are as long, in a column that is tried as floats
LEAST_FLOATS = 0.5  # of the cells, for a column of floats
CELLS_FOR_ORIGINS = 96  # that are looked at for 32-bit floats
FEWEST_RESCALED = 150  # cells of a column whose numbers get decimals of their own under a model
LEAST_DIGITS = 0.8  # of the cells, for a column of numbers of one width
# digits, hexadecimal ones of one case only, between text without any
DIGITS_AMONG = re.compile(
    rb"([^0-9]{0,8}?)((?=.*[0-9])(?:[0-9a-f]{4,}|[0-9A-F]{4,}|[0-9]+))([^0-9]{0,8})"
)


def encode(
    buffer: Bytes,
    start: I32,
    stop: I32,
    foreseen: Meta | None = None,
    bound: Fraction | None = None,
    mark: str | None = None,
) -> Coded:
    """Encode a column of cells buffer[start[i]:stop[i]] as numbers, dates, levels (different texts)
    or texts, the first that suits. Other ways to store it, and its cells, are added to the result
    without foreseen, unless it is of numbers that a bound changes, or there are no cells. foreseen:
    the meta of a shared model, to be kept to as far as the bound allows; None: none. bound: the
    largest error of numbers, 0 or more, in the column's unit; None: exact. mark: the decimal mark
    of its numbers, "." or ","; None: its cells tell."""
    text = TextCells(buffer, start, stop)
    if foreseen is not None:
        return _by_foreseen(text, foreseen, bound, mark)
    if not len(text):
        return Coded(TextMeta(), [], [b""])
    # a bound is for numbers, however many gaps are among them
    cells = ParsedCells.beside_gaps(text, mark) if bound else ParsedCells.of(text, mark)
    coded = _by_first_way(cells, bound)
    if bound is not None and isinstance(coded.meta, NumberMeta):
        is_exact = not coded.error and coded.meta == _by_first_way(cells, None).meta
        if not is_exact:
            return coded
    # what holds no numbers is exact, as numbers may be that fit no grid within the bound: it may be
    # stored in any way that is
    length = stop - start
    coded.cells = Spans(buffer, start.astype(np.int64), length)
    share_of_nine = float((length > origin_search.FEWEST_DIGITS).mean())
    if share_of_nine >= origin_search.LEAST_LONG:
        coded.others += _by_origins(cells)
        _add_way(coded, _as_quotients(cells))
    share_of_long = float((length >= LONG_FLOAT).mean())
    # where some numbers have no origin, floats of one, which leave out none, may take less
    leaves_none = any(way.worth == Coded.worth for way in coded.others)
    if share_of_long >= LEAST_LONG and not leaves_none:
        _add_way(coded, _as_floats(cells))
    if isinstance(coded.meta, TextMeta | LevelMeta):
        _add_way(coded, _as_digits(text))
    return coded


def _add_way(coded: Coded, other: Coded | None) -> None:
    """Add another encoding of the same column to `others` of the first, in place; nothing for None,
    or one that is there already."""
    metas = [way.meta for way in coded.others]
    if other is not None and other.meta not in metas:
        coded.others.append(other)


def _by_first_way(cells: ParsedCells, bound: Fraction | None) -> Coded:
    """Encode the column, of at least one cell, in the first of these ways that its cells suit:
    numbers, within the bound unless it is None, dates, levels (different texts, at most MAX_LEVELS,
    2^16, and about half as many as there are cells), texts."""
    as_numbers = _as_numbers(cells, bound)
    if as_numbers is not None:
        return as_numbers
    text = cells.text
    # an index into a dictionary that has more than half of the cells would save nothing
    most = min(MAX_LEVELS, len(text) // 2 + 1)
    levels = text.levels(most)
    if levels is not None:
        return _as_dates(levels) or _as_levels(levels, LevelMeta())
    texts = text.cells()
    every_row = np.arange(len(texts), dtype=np.int32)
    as_dates = _as_dates(Levels(texts, every_row))
    if as_dates is not None:
        return as_dates
    return _as_texts(texts, TextMeta())


def _as_texts(cells: list[bytes], meta: Meta) -> Coded:
    """Encode a column as the texts of its cells, row by row, in one blob, described by `meta`."""
    blob = pack_cells(cells)
    return Coded(meta, [], [blob])


def _by_foreseen(
    text: TextCells,
    meta: Meta,
    bound: Fraction | None,
    mark: str | None,
) -> Coded:
    """Encode the column by the meta of a shared model, of whatever kind; cells that do not fit the
    meta are stored as its special cells, or as their text. bound: the largest error of numbers, in
    the column's unit, None: exact; mark: their decimal mark, None: the model's. Where the model
    rounds numbers more than that, they are rounded to a finer grid, in streams like those that the
    model knows."""
    if isinstance(meta, NumberMeta):
        affixes = affixes_in(meta)
        cells = ParsedCells.between(text, affixes, meta.notation)
        cells.keep_to(mark)
        # the model's numbers are exact
        if meta.step == 1:
            own_meta = _in_own_units(cells, meta)
            return by_meta(
                text,
                own_meta,
                cells.value,
                cells.form,
            )
        return _rounded_as_foreseen(cells, meta, bound or Fraction(0))
    if isinstance(meta, FloatMeta):
        return _floats_by_meta(text, meta)
    if isinstance(meta, DigitsMeta):
        return _digits_by_meta(text, meta)
    if isinstance(meta, LevelMeta):
        levels = text.all_levels()
        return _as_levels(levels, meta)
    if isinstance(meta, DateMeta):
        levels = text.all_levels()
        return _dates_by_meta(meta, levels)
    return _as_texts(text.cells(), meta)


# ---- numbers


def _in_own_units(cells: ParsedCells, meta: NumberMeta) -> NumberMeta:
    """A shared model's meta of exact numbers in the one form SHORT or SHORT_ONE (as few digits as
    needed), with only as many decimals as this column's numbers have, so that they do not all end
    in zeros; as it is for other forms, and for a column of less than FEWEST_RESCALED (150) cells,
    which may lack longer numbers by chance, or without numbers."""
    if meta.forms not in ((SHORT,), (SHORT_ONE,)):
        return meta
    is_number = cells.form >= 0
    if len(is_number) < FEWEST_RESCALED or not is_number.any():
        return meta
    forms = cells.form[is_number]
    longest = int(digits_behind(forms).max())
    decimals = min(meta.decimals, longest)
    return dataclasses.replace(meta, decimals=decimals)


def _rounded_as_foreseen(
    cells: ParsedCells,
    meta: NumberMeta,
    bound: Fraction,
) -> Coded:
    """Encode a column of numbers that a shared model rounds: on the model's grid if the error is at
    most the bound there, else on the coarsest one on which it is; where there is none, as plain
    decimals of the column's own, exactly or in steps that the bound allows. meta: the model's, of a
    step above 1; cells are read between its affixes. bound: the largest error, 0 or more, in the
    column's unit."""
    column = UnevenNumbers.of(cells)
    coded, error = column.coded_by(meta)
    if error <= bound:
        return coded
    # a model's grid is of the ranges that it learned from: this file's may be narrower
    grid = column.grid(bound)
    if grid is None:
        # plain decimals keep the bound: as many as the file's own numbers have
        return by_own_decimals(cells, meta, bound)
    finer = dataclasses.replace(
        meta,
        decimals=grid.decimals,
        step=grid.step,
        forms=(SHORT,),
    )
    coded, _ = column.coded_by(finer)
    return coded


def _as_numbers(cells: ParsedCells, bound: Fraction | None) -> Coded | None:
    """Encode the column as decimals, rounded within the bound unless it is None or 0; None if less
    than LEAST_NUMBERS (0.3) of its cells are numbers (within a bound gaps are left out), or the
    others are more than a twentieth of all cells, and more than 62 different ones."""
    if bound:
        column = UnevenNumbers.of(cells)
        grid = column.grid(bound)
        if grid is not None:
            return column.coded(grid)
    return as_decimals(cells, bound)


def _as_floats(cells: ParsedCells) -> Coded | None:
    """Encode the column, of at least one cell, as 64-bit floats that are written in the fewest
    digits; None if less than half of the cells, or of a sample, are such, or the others are more
    than a twentieth of all cells, and more than 62 different ones."""
    text = cells.text
    float_cells = _cells_of_floats(cells)
    # a few cells tell of most columns that they are none
    _, good_of_sample, _ = floats.read(float_cells.sample())
    if good_of_sample.mean() < LEAST_FLOATS:
        return None
    numbers, good, bare = floats.read(float_cells.cells())
    rows = np.flatnonzero(good)
    meta, stored, kinds_of_good, fits = floats.taken_apart(numbers[rows], bare)
    good[rows[~fits]] = False
    specials = specials_of(text, good)
    if specials is None or good.mean() < LEAST_FLOATS:
        return None
    kinds = np.zeros(len(text), np.int64)
    kinds[rows] = kinds_of_good
    notation = None if float_cells is text else cells.notation
    meta = dataclasses.replace(meta, specials=specials, notation=notation)
    return with_odd_cells(text, meta, stored[fits], good, kinds)


def _cells_of_floats(cells: ParsedCells) -> TextCells:
    """The cells in which a column's floats are to be read: the plain decimals of its notation, if
    nothing stands around its numbers, as nothing does around floats; else the cells as they are."""
    if cells.notation is not None and cells.affixes == NO_AFFIXES:
        return cells.plain
    return cells.text


def _by_origins(cells: ParsedCells) -> list[Coded]:
    """Encode the column, of at least one cell, as numbers of several origins, of which many are
    32-bit floats with the digits of a 64-bit one: at most three ways. [] if a sample has few of
    these, or less than half of the cells are floats, or the others are more than a twentieth of all
    cells, and more than 62 different ones."""
    text = cells.text
    float_cells = _cells_of_floats(cells)
    numbers, good, _ = floats.read(float_cells.sample(CELLS_FOR_ORIGINS))
    likely = origin_search.likely_digits(numbers[good], len(text))
    if not likely or good.mean() < LEAST_FLOATS:
        return []
    numbers, good, bare = floats.read(float_cells.cells())
    ways: list[Coded] = []
    for meta in origin_search.metas(numbers[good], bare, likely):
        way = _floats_with(cells, meta, numbers, good)
        if way is not None:
            ways.append(way)
    return ways


def _as_quotients(cells: ParsedCells) -> Coded | None:
    """Encode the column, of at least one cell, as floats of which many are quotients of whole
    numbers; None if a sample has few of these, or less than half of the cells are floats, or the
    others are more than a twentieth of all cells, and more than 62 different ones."""
    float_cells = _cells_of_floats(cells)
    numbers, good, _ = floats.read(float_cells.sample(CELLS_FOR_ORIGINS))
    if good.mean() < LEAST_FLOATS or not float_quotients.may_be_there(numbers[good]):
        return None
    numbers, good, bare = floats.read(float_cells.cells())
    meta = float_quotients.meta_of(numbers[good], bare)
    return None if meta is None else _floats_with(cells, meta, numbers, good)


def _floats_with(
    cells: ParsedCells,
    meta: FloatMeta,
    numbers: Doubles,
    good: Mask,
) -> Coded | None:
    """Encode the column by a meta of floats of several origins, which lacks the notation and the
    special cells; None if less than half of the cells can be stored so, or the others are more than
    a twentieth of all cells, and more than 62 different ones. numbers: (n,), as floats.read returns
    them; good: (n,) bool, which cells are floats."""
    text = cells.text
    notation = None if _cells_of_floats(cells) is text else cells.notation
    meta = dataclasses.replace(meta, notation=notation)
    stored, kinds, fits = _taken_apart(meta, numbers, good)
    specials = specials_of(text, fits)
    if specials is None or fits.mean() < LEAST_FLOATS:
        return None
    meta = dataclasses.replace(meta, specials=specials)
    way = with_odd_cells(text, meta, stored, fits, kinds)
    # cells that are odd by their digits are none to other columns
    way.worth *= float(fits.sum() / good.sum())
    return way


def _taken_apart(meta: FloatMeta, numbers: Doubles, good: Mask) -> tuple[Int, Int, Mask]:
    """Take the floats of a column apart by its meta: ((m,) what is stored of those that it can
    store, (n,) the kind of each, (n,) bool: which these are). numbers: (n,); good: which of them
    are floats at all."""
    take_apart = origins.taken_apart if meta.digits else floats.taken_apart_by
    rows = np.flatnonzero(good)
    stored, kinds_of_good, fits = take_apart(meta, numbers[rows])
    is_stored = good.copy()
    is_stored[rows[~fits]] = False
    kinds = np.zeros(len(numbers), np.int64)
    kinds[rows] = kinds_of_good
    return stored[fits], kinds, is_stored


def _floats_by_meta(text: TextCells, meta: FloatMeta) -> Coded:
    """Encode the column by a meta of floats; other cells are stored as its specials, or as their
    text."""
    float_cells = text
    if meta.notation is not None:
        float_cells = notations.plain(text, NO_AFFIXES, meta.notation)
    numbers, good = floats.read_as(float_cells.cells(), meta.bare)
    stored, kinds, fits = _taken_apart(meta, numbers, good)
    return with_odd_cells(text, meta, stored, fits, kinds)


# ---- digits of one width


def _as_digits(text: TextCells) -> Coded | None:
    """Encode the column, of at least one cell, as whole numbers of one width, with zeros in front,
    decimal or hexadecimal; None if less than LEAST_DIGITS (0.8) of the cells, or of a sample, are
    such, or the others are more than a twentieth of all cells, and more than 62 different ones."""
    meta = _digits_of_sample(text.sample())
    if meta is None:
        return None
    _, good = digits.read(meta, text.spans)
    specials = specials_of(text, good)
    if specials is None or good.mean() < LEAST_DIGITS:
        return None
    return _digits_by_meta(text, dataclasses.replace(meta, specials=specials))


def _digits_by_meta(text: TextCells, meta: DigitsMeta) -> Coded:
    """Encode the column by a meta of digits; other cells are stored as its specials, or as their
    text."""
    values, good = digits.read(meta, text.spans)
    kinds = np.zeros(len(good), np.int64)
    return with_odd_cells(text, meta, values[good], good, kinds)


def _digits_of_sample(sample: list[bytes]) -> DigitsMeta | None:
    """The commonest shape of cells with one run of digits, such as No. 00417 or 9f3a-x: its width
    in digits, base and affixes (texts before and behind), as a meta. sample: cells, at least one.

    None if less than LEAST_DIGITS (0.8) of the cells have such a shape, see `_shape_of`, or if the
    commonest is wider than MOST_WIDE, 18 decimal digits or 16 hexadecimal ones. The base is 10 if
    all cells have decimal digits alone where the commonest shape has its run, those of other
    shapes, too; else 16.
    """
    # the texts around the one run of digits of a cell, and how long this is
    shapes = []
    for cell in sample:
        shape = _shape_of(cell)
        if shape is not None:
            shapes.append(shape)
    if len(shapes) < LEAST_DIGITS * len(sample):
        return None
    # of equally frequent ones the first in order, whatever the order of a set is
    in_order = sorted(set(shapes))
    affixes, width = max(in_order, key=shapes.count)
    first = len(affixes[0])
    end = first + width
    # one cell does not tell the base: 00412233 is hexadecimal, too, if others are like 0041af33
    letters = b"".join(cell[first:end] for cell in sample)
    base = 10 if letters.isdigit() else 16
    if width > MOST_WIDE[base]:
        return None
    return DigitsMeta(
        base=base,
        width=width,
        is_upper=base == 16 and letters.isupper(),
        affixes=texts_of_affixes(affixes),
    )


def _shape_of(cell: bytes) -> tuple[Affixes, int] | None:
    """Split a cell with exactly one run of digits: ((the text before it, the text behind it), how
    many digits); None for any other cell.

    The digits are decimal, or at least four hexadecimal ones of one case with a decimal one among
    them; the texts have at most eight bytes each, and no decimal digit.
    """
    match = DIGITS_AMONG.fullmatch(cell)
    if match is None:
        return None
    before, run, behind = match.groups()
    affixes = before, behind
    return affixes, len(run)


# ---- levels


def _as_levels(levels: Levels, meta: LevelMeta) -> Coded:
    """Encode a column as the numbers of its different cells, which are its levels: the meta's
    levels first, then others by how often they come, the commonest first, in a blob; b"" without
    others."""
    number_of_level: dict[bytes, int] = {}
    levels_of_meta = bytes_of_texts(meta.levels)
    for number, level in enumerate(levels_of_meta):
        number_of_level[level] = number
    fresh = _fresh_levels(levels, number_of_level.keys())
    for number, level in enumerate(fresh, len(levels_of_meta)):
        number_of_level[level] = number
    numbers = np.array([number_of_level[cell] for cell in levels.cells], np.int64)
    # nothing at all says that there are no others: a count of 0 would be a byte
    blob = b""
    if fresh:
        blob = varint(len(fresh)) + pack_cells(fresh)
    stream = Stream(numbers[levels.index])
    return Coded(meta, [stream], [blob])


def _fresh_levels(levels: Levels, numbered: Container[bytes]) -> list[bytes]:
    """The different cells of a column that have no number yet, the commonest first, which get the
    smallest numbers; equally common ones stand in order of their bytes. numbered: those that have
    one already."""
    counts = np.bincount(levels.index, minlength=len(levels.cells))
    fresh = []
    for cell, count in zip(levels.cells, counts.tolist(), strict=True):
        if cell not in numbered:
            # sorted by a count below 0, the commonest are the first
            fresh.append((-count, cell))
    fresh.sort()
    return [cell for _, cell in fresh]


# ---- dates


def _as_dates(levels: Levels) -> Coded | None:
    """Encode a column, of at least one cell, as dates, all between quotes if the first different
    one begins with a quote; None if less than LEAST_DATES (0.9) of its cells are dates of one
    format, or no more than half of the first CELLS_FOR_DATES (64) different ones begin with a
    digit."""
    quote = '"' if levels.cells[0].startswith(b'"') else ""
    looked_at = levels.cells[:CELLS_FOR_DATES]
    sample = [_inside(cell, quote) for cell in looked_at]
    # most columns are of no dates, which their first characters tell at once
    beginning_with_digit = [text for text in sample if text[:1].isdigit()]
    if 2 * len(beginning_with_digit) <= len(sample):
        return None
    date_format = dates.detect_format(beginning_with_digit)
    if date_format is None:
        return None
    meta = DateMeta(format=date_format, quote=quote)
    coded = _dates_by_meta(meta, levels)
    dates_found = coded.streams[-1].values
    if len(dates_found) < LEAST_DATES * len(levels.index):
        return None
    return coded


def _inside(cell: bytes, quote: str) -> str:
    """The text of a cell, in latin-1, without its quotes; "" if it does not both begin and end with
    one. quote: the character, or "" for none: the text is then returned as it is."""
    text = cell.decode("latin-1")
    if not quote:
        return text
    # a single quote would else be taken for both
    if len(text) < 2:
        return ""
    if text[0] != quote or text[-1] != quote:
        return ""
    return text[1:-1]


def _dates_by_meta(meta: DateMeta, levels: Levels) -> Coded:
    """Encode a column by a meta of dates; cells that are none, or would be written in another way
    by its format, are stored as specials that the meta names, or as their text."""
    cells = levels.cells
    texts = [_inside(cell, meta.quote) for cell in cells]
    ticks, good = _ticks_of(texts, meta)
    kinds_of_odd = kinds_of(cells, meta)
    # the kind of dates is 0; each different cell is looked at once, however often it comes
    kind_of_cell = np.where(good, 0, kinds_of_odd)
    kinds = kind_of_cell[levels.index]
    is_date = kinds == 0
    is_rest = kinds == kind_of_rest(meta)
    rest = [cells[place] for place in levels.index[is_rest].tolist()]
    present = None if is_date.all() else is_date
    places_of_dates = levels.index[is_date]
    stream = Stream(ticks[places_of_dates], present)
    return put_together(meta, stream, kinds, rest)


def _ticks_of(texts: list[str], meta: DateMeta) -> tuple[Int, Mask]:
    """Read texts, (n,), as dates in the meta's format: ((n,) int64, how many of the meta's units
    since 1970; (n,) bool: whether the format writes just this text of them). Where it does not the
    numbers mean nothing."""
    seconds = dates.parse(texts, meta.format)
    good = np.isfinite(seconds)
    # NaN, of what is no date, has no whole number
    of_dates = np.where(good, seconds, 0)
    in_ticks = np.rint(of_dates * meta.ticks_a_second)
    ticks = in_ticks.astype(np.int64)
    # a date that would be written in another way is no date: the text must come back
    written = dates.render(ticks / meta.ticks_a_second, meta.format)
    are_same = [written_text == text for written_text, text in zip(written, texts, strict=True)]
    good &= np.array(are_same, np.bool_)
    # a model's unit may be one that this date is no multiple of
    good &= ticks % meta.unit == 0
    return ticks // meta.unit, good
