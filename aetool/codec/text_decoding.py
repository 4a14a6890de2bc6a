"""Restores the text of each cell of a column from the whole numbers and blobs that `textual`
stored."""

from __future__ import annotations

import numpy as np

from aetool.codec import digits, floats, notations, origins, quotients, singles, spans
from aetool.codec.blobs import read_varint
from aetool.codec.columns import Decoded, errors_as_damage
from aetool.codec.limits import MAX_ROWS, check_text
from aetool.codec.metas import (
    DateMeta,
    DigitsMeta,
    FloatMeta,
    LevelMeta,
    NumberMeta,
    TextMeta,
    lenders_in,
)
from aetool.codec.spans import I32, Spans, begins, behind_another, unpack_cells
from aetool.codec.text_cells import (
    NO_AFFIXES,
    Affixes,
    Pattern,
    affixes_in,
    bytes_of_texts,
    kind_of_rest,
)
from aetool.data import dates
from aetool.data.table import Bytes
from aetool.errors import ArchiveError
from aetool.model import Int

WRITTEN_AT_ONCE = 1 << 16  # floats whose texts are in memory one by one
LARGEST_TICKS = (1 << 63) - 1  # of a date, and the same before 1970


@errors_as_damage()
def decode(column: Decoded) -> Spans:
    """The text of each row of a decoded column that is stored as texts, levels (numbers of the
    different texts), numbers, floats, digits or dates; ArchiveError if it is damaged, or its meta
    is another, also RankMeta or PartsMeta, or one with lenders, which `ranks.cells_of` reads."""
    meta = column.meta
    # marks are no text: where cells of others do not stand, none may be named
    if lenders_in(meta):
        raise ArchiveError("damaged: a column is made of others where it may not be")
    if isinstance(meta, TextMeta):
        rows = len(column.kinds)
        return unpack_cells(column.blobs[0], rows)
    if isinstance(meta, LevelMeta):
        return _texts_of_levels(meta, column)
    if isinstance(meta, Pattern):
        return _texts_of_pattern(meta, column)
    raise ArchiveError("damaged: a column of a text table is not stored as text")


def _texts_of_pattern(meta: Pattern, column: Decoded) -> Spans:
    """The texts of a decoded column, row by row: numbers or dates as its meta says they are
    written, and in their places the special cells, and those that are stored as they are.
    ArchiveError for cells of an unknown kind, a damaged blob, or more text than a block may have,
    ValueError and the like for values out of range."""
    kinds = column.kinds
    # kinds are places in arrays below: one out of range would be the text of another cell
    _check_range(kinds, meta.kinds, "damaged: a column has cells of an unknown kind")
    is_written = kinds < meta.valued
    kinds_of_written = kinds[is_written]
    written = _written_cells(meta, kinds_of_written, column.values)
    if meta.kinds == meta.valued:
        return written
    special_cells = bytes_of_texts(meta.specials)
    specials = behind_another(special_cells)
    cells = spans.chained(written, specials)
    # right for the specials, which stand in order of their kinds; the other rows' follow
    place = kinds - meta.valued + len(written)
    place[is_written] = np.arange(len(written))
    if meta.has_rest:
        is_rest = kinds == kind_of_rest(meta)
        count = int(is_rest.sum())
        first = len(cells)
        place[is_rest] = np.arange(first, first + count)
        blob = column.blobs[0]
        rest = unpack_cells(blob, count)
        cells = spans.chained(cells, rest)
    return cells.take(place)


def _check_range(numbers: Int, count: int, message: str) -> None:
    """Raise ArchiveError with the message unless all numbers, (n,), are at least 0 and below count;
    no numbers at all pass."""
    if not len(numbers):
        return
    smallest = int(numbers.min())
    largest = int(numbers.max())
    if smallest < 0 or largest >= count:
        raise ArchiveError(message)


def _written_cells(meta: Pattern, kinds: Int, values: Int) -> Spans:
    """The texts of values, (n,), as the meta says they are written. kinds: (n,), of the same cells,
    each below meta.valued. ArchiveError for more text than a block may have, and ValueError and the
    like for values out of range."""
    if isinstance(meta, DateMeta):
        return _written_dates(meta, values)
    if isinstance(meta, FloatMeta):
        return _written_floats(meta, kinds, values)
    if isinstance(meta, NumberMeta):
        return _written_numbers(meta, kinds, values)
    return _written_digits(meta, values)


def _written_floats(meta: FloatMeta, kinds: Int, values: Int) -> Spans:
    """The texts of floats in the fewest digits. values: (n,), whole numbers, as the meta says
    floats are stored; kinds: (n,), for each the place, in the meta's offsets, of how far it is from
    its decimal. ArchiveError for a 32-bit float that is too large, or more text than a block may
    have."""
    restored = origins.restored if meta.digits else floats.restored
    pieces = []
    lengths = [np.zeros(0, np.int32)]
    size = 0
    # a damaged block may ask for millions of numbers, and a text by itself takes far more memory
    # than its bytes
    for begin in range(0, len(values), WRITTEN_AT_ONCE):
        piece = slice(begin, begin + WRITTEN_AT_ONCE)
        texts = restored(meta, values[piece], kinds[piece])
        lengths.append(np.array(list(map(len, texts)), np.int32))
        pieces.append("".join(texts).encode("ascii"))
        size += len(pieces[-1])
        check_text(size)
    pool = np.frombuffer(b"".join(pieces), np.uint8)
    written = _one_behind_the_other(pool, np.concatenate(lengths))
    if meta.notation is not None:
        return notations.spelled(written, NO_AFFIXES, meta.notation)
    return written


def _written_dates(meta: DateMeta, values: Int) -> Spans:
    """Write values, (n,), the meta's units since 1970, see DateMeta.ticks_a_second, as dates in the
    meta's format, between quotes if the column has them; ArchiveError for more text than a block
    may have, or a date that no 64 bits hold."""
    quote = meta.quote
    width = len(quote + meta.format + quote)
    # before anything is written: a damaged block may ask for more text than there is memory
    check_text(len(values) * width)
    largest = LARGEST_TICKS // meta.unit
    if (values > largest).any() or (values < -largest).any():
        raise ArchiveError("damaged: a date lies beyond all calendars")
    ticks = values * meta.unit
    seconds = ticks / meta.ticks_a_second
    written = dates.render(seconds, meta.format)
    texts = [quote + date + quote for date in written]
    cells = bytes_of_texts(texts)
    return behind_another(cells)


def _written_digits(meta: DigitsMeta, values: Int) -> Spans:
    """Write whole numbers, (n,), in the meta's base as cells of one width, with zeros in front and
    the meta's affixes around; ArchiveError for one of too many digits, or more text than a block
    may have."""
    around = "".join(meta.affixes)
    width = meta.width + len(around)
    # before anything is written: a damaged block may ask for more text than there is memory
    check_text(len(values) * width)
    pool, length = digits.cells_of_digits(meta, values)
    return _one_behind_the_other(pool, length)


def _written_numbers(meta: NumberMeta, kinds: Int, values: Int) -> Spans:
    """Write whole numbers, (n,), as decimals, between the meta's affixes. values: in the units that
    the meta has for each form; kinds: (n,), the place of each number's form in the meta.
    ArchiveError for more text than a block may have, or a 32-bit float or quotient that is too
    large."""
    affixes = affixes_in(meta)
    around = sum(map(len, affixes))
    # before anything is written: a damaged block may ask for more text than there is memory
    size_around = len(values) * around
    check_text(size_around)
    forms = np.array(meta.forms, np.int8)
    units = np.array(meta.units, np.int64)
    forms_of_cells = forms[kinds]
    wholes = values
    # numbers have a unit of their own only where zeros at their end are left out
    if (units != 1).any():
        wholes = values * units[kinds]
    if meta.single is not None:
        wholes = wholes.copy()
        # numbers of the first form were 32-bit floats, and are written as these are printed
        is_single = kinds == 0
        wholes[is_single] = singles.printed(values[is_single], meta.single, meta.decimals)
    if meta.quotients:
        wholes = quotients.rounded_by_kind(meta, values, kinds)
    pool, length = spans.write(wholes, forms_of_cells, meta.decimals)
    written = _one_behind_the_other(pool, length)
    if meta.notation is not None:
        return notations.spelled(written, affixes, meta.notation)
    if not around:
        return written
    # again, as now the numbers' own bytes are known, which may be many for each
    check_text(len(pool) + size_around)
    return _with_affixes(affixes, written)


def _with_affixes(affixes: Affixes, texts: Spans) -> Spans:
    """Put each of the texts between the affixes, (text before, text behind), in a new pool."""
    # three parts of one pool make a cell: the prefix, the text, the suffix
    around = behind_another(affixes)
    parts = spans.chained(around, texts)
    count = len(texts)
    order = np.empty((count, 3), np.int64)
    order[:, 0] = 0
    # behind the affixes, which are parts 0 and 1
    order[:, 1] = np.arange(2, 2 + count)
    order[:, 2] = 1
    in_order = parts.take(order.ravel())
    pool = spans.weave(in_order.pool, in_order.start, in_order.length)
    length = texts.length + len(around.pool)
    return _one_behind_the_other(pool, length)


def _one_behind_the_other(pool: Bytes, length: I32) -> Spans:
    """Cells whose bytes follow each other in the pool without gaps, from its begin. length: (n,),
    the bytes of each."""
    start = begins(length)
    return Spans(pool, start, length)


def _texts_of_levels(meta: LevelMeta, column: Decoded) -> Spans:
    """The text of each row of a column of levels, whose values are numbers of levels, from 0: first
    of those of the meta, then of those of its blob, if that is not empty. ArchiveError for a number
    that no level has, or a damaged blob."""
    levels_of_meta = bytes_of_texts(meta.levels)
    levels = behind_another(levels_of_meta)
    blob = column.blobs[0]
    if blob:
        count, at = read_varint(blob, 0)
        # a damaged count could ask for any memory
        count = min(count, MAX_ROWS)
        levels_of_blob = unpack_cells(blob[at:], count)
        levels = spans.chained(levels, levels_of_blob)
    numbers = column.values
    _check_range(numbers, len(levels), "damaged: a column points beyond its levels")
    return levels.take(numbers)
