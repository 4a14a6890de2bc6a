"""The text of each cell of a column, from the whole numbers and blobs that `textual` stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool.codec import digits, floats, spans
from aetool.codec.blobs import read_varint
from aetool.codec.columns import Decoded, sensible
from aetool.codec.limits import MAX_ROWS, check_text
from aetool.codec.metas import DateMeta, DigitsMeta, FloatMeta, LevelMeta, NumberMeta, TextMeta
from aetool.codec.spans import Spans, begins, behind_another, unpack_cells
from aetool.data import dates
from aetool.errors import ArchiveError
from aetool.model import Int

Pattern = NumberMeta | FloatMeta | DigitsMeta | DateMeta


@sensible()
def decode(column: Decoded) -> Spans:
    """The text of each row of a column; ArchiveError if it is damaged, or its meta is not one of
    text."""
    meta = column.meta
    if isinstance(meta, TextMeta):
        return unpack_cells(column.blobs[0], len(column.kinds))
    if isinstance(meta, LevelMeta):
        return _texts_of_levels(meta, column)
    if isinstance(meta, Pattern):
        return _texts_of_pattern(meta, column)
    raise ArchiveError("damaged: a column of a text table is not stored as text")


def _texts_of_pattern(meta: Pattern, column: Decoded) -> Spans:
    """The texts of a decoded column, row by row: numbers or dates as meta says they are written,
    and in their places the special cells, and those that are stored as they are."""
    kinds = column.kinds
    # kinds are places in arrays below: one out of range would be the text of another cell
    _check_range(kinds, meta.kinds, "damaged: a column has cells of an unknown kind")
    is_written = kinds < meta.valued
    written = _written(meta, kinds[is_written], column.values)
    if meta.kinds == meta.valued:
        return written
    specials = behind_another(_bytes_of_texts(meta.specials))
    cells = spans.chained(written, specials)
    place = np.zeros(len(kinds), np.int64)
    place[is_written] = np.arange(len(written))
    first_rest = meta.valued + len(meta.specials)
    is_special = ~is_written & (kinds < first_rest)
    number = kinds[is_special] - meta.valued
    place[is_special] = len(written) + number
    if meta.has_rest:
        is_rest = kinds == first_rest
        count = int(is_rest.sum())
        rest = unpack_cells(column.blobs[0], count)
        place[is_rest] = len(cells) + np.arange(count)
        cells = spans.chained(cells, rest)
    return cells.take(place)


def _check_range(numbers: Int, count: int, message: str) -> None:
    """Raise ArchiveError with the message unless all numbers are at least 0 and below count."""
    if not len(numbers):
        return
    smallest = int(numbers.min())
    largest = int(numbers.max())
    if smallest < 0 or largest >= count:
        raise ArchiveError(message)


def _written(meta: Pattern, kinds: Int, values: Int) -> Spans:
    """The values of a column as the meta says they are written. kinds: (n,), of these cells."""
    if isinstance(meta, DateMeta):
        return _written_dates(meta, values)
    if isinstance(meta, FloatMeta):
        texts = floats.restored(meta, values, kinds)
        return behind_another([text.encode() for text in texts])
    if isinstance(meta, NumberMeta):
        return _written_numbers(meta, kinds, values)
    around = len("".join(meta.affixes))
    check_text(len(values) * (meta.width + around))
    pool, length = digits.written(meta, values)
    return Spans(pool, begins(length), length)


def _written_dates(meta: DateMeta, ticks: Int) -> Spans:
    """Write ticks as dates, between quotes if the column has them."""
    quote = meta.quote
    # before anything is written: a damaged block may ask for more text than there is memory
    check_text(len(ticks) * (2 * len(quote) + len(meta.format)))
    seconds = ticks / meta.ticks_a_second
    cells = []
    for date in dates.render(seconds, meta.format):
        text = quote + date + quote
        cells.append(text.encode("latin-1"))
    return behind_another(cells)


def _written_numbers(meta: NumberMeta, kinds: Int, values: Int) -> Spans:
    """Write whole numbers as decimals. kinds: (n,), the place of each number's form in the meta."""
    prefix, suffix = _bytes_of_texts(meta.affixes)
    affixes = prefix + suffix
    # before anything is written: a damaged block may ask for more text than there is memory
    check_text(len(values) * len(affixes))
    forms = np.array(meta.forms, np.int8)
    units = np.array(meta.units, np.int64)
    wholes = values * units[kinds]
    pool, length = spans.write(wholes, forms[kinds], meta.decimals)
    written = Spans(pool, begins(length), length)
    if not affixes:
        return written
    check_text(len(pool) + len(length) * len(affixes))

    # three spans of one pool make a cell: the prefix, the number, the suffix
    pool = np.concatenate([np.frombuffer(affixes, np.uint8), pool])
    starts = np.empty((len(written), 3), np.int64)
    starts[:, 0] = 0
    starts[:, 1] = written.start + len(affixes)
    starts[:, 2] = len(prefix)
    lengths = np.empty((len(written), 3), np.int32)
    lengths[:, 0] = len(prefix)
    lengths[:, 1] = written.length
    lengths[:, 2] = len(suffix)
    woven = spans.weave(pool, starts.reshape(-1), lengths.reshape(-1))
    length = lengths.sum(axis=1, dtype=np.int32)
    return Spans(woven, begins(length), length)


def _texts_of_levels(meta: LevelMeta, column: Decoded) -> Spans:
    """The text of each row of a column of levels: those of the meta, then those of its blob."""
    levels = behind_another(_bytes_of_texts(meta.levels))
    blob = column.blobs[0]
    if blob:
        count, at = read_varint(blob, 0)
        # a damaged count could ask for any memory
        count = min(count, MAX_ROWS)
        fresh = unpack_cells(blob[at:], count)
        levels = spans.chained(levels, fresh)
    numbers = column.values
    _check_range(numbers, len(levels), "damaged: a column points beyond its levels")
    return levels.take(numbers)


def _bytes_of_texts(texts: Sequence[str]) -> list[bytes]:
    """Each text of a meta as the bytes that it was in the source."""
    return [text.encode("latin-1") for text in texts]
