"""Columns that an archive of a model's code stores exactly, beside the code: floats, moments and
text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aetool.codec import spans
from aetool.codec.columns import Coded, Decoded, errors_as_damage
from aetool.codec.metas import IntegerMeta, RealMeta
from aetool.codec.natives import cells, numbers, tensors
from aetool.data import writers
from aetool.data.table import Cells, Values

MICROSECONDS = "datetime64[us]"


def at_least_one(
    batches: Iterator[writers.Columns], nothing: writers.Columns
) -> Iterator[writers.Columns]:
    """Yield the batches, or, if there are none, only `nothing`, a batch without records, from which
    a writer knows the columns."""
    yield next(batches, nothing)
    yield from batches


def bytes_of_columns(columns: writers.Columns) -> int:
    """How many bytes restored columns, values by name, take in memory; of text, how many
    characters."""
    size = 0
    for column in columns.values():
        if isinstance(column, list):
            size += sum(len(cell) for cell in column if cell is not None)
        else:
            size += column.nbytes
    return size


def empty(kind: str) -> writers.Restored:
    """A column of no records, as `restored` would return it: [] if its kind is "cells", else an
    array of shape (0,), datetime64[us] for "moments" and float64 for "floats"."""
    if kind == "cells":
        return []
    return np.zeros(0, MICROSECONDS if kind == "moments" else np.float64)


def kind_of(values: Values) -> str:
    """The kind of a column's values: "cells" of text, "moments" of datetime64, or "floats" of any
    other dtype."""
    if isinstance(values, Cells):
        return "cells"
    return "moments" if values.dtype.kind == "M" else "floats"


def encoded(values: Values) -> Coded:
    """Encode a column, `values`, (n,), exactly: cells of text, moments in microseconds, or any
    other numbers as float64; missing cells and NaT stay missing, and NaN stays NaN. ArchiveError if
    cells have more bytes than a block may have."""
    if isinstance(values, Cells):
        return cells.encode_cells(values.buffer, values.start, values.stop, values.null, utf8=True)
    if values.dtype.kind == "M":
        # a table's moments are in microseconds, whatever unit its source has
        moments = values.astype(MICROSECONDS)
        return numbers.encode_integers(moments.view(np.int64), np.isnat(moments))
    return numbers.encode_floats(values.astype(np.float64))


def restored(column: Decoded) -> writers.Restored:
    """The values of a column that `encoded` encoded, (n,): moments, datetime64[us], with NaT,
    floats, float64, with NaN, or a list of strings with None where they are missing. ArchiveError
    if the column is damaged or of anything else."""
    # `encoded` stores moments, and nothing else, as whole numbers
    if isinstance(column.meta, IntegerMeta):
        return tensors.decode_moments(column, np.dtype(MICROSECONDS))
    if isinstance(column.meta, RealMeta):
        # `encoded` wrote no gaps: what is missing is NaN
        floats, _ = numbers.decode_floats(column, 64)
        return floats
    return strings_of(column)


@errors_as_damage()
def strings_of(column: Decoded) -> list[str | None]:
    """The cells of a column of text; None where they are missing. ArchiveError if the column is of
    anything else, or a cell is not UTF-8."""
    text = cells.decode_cells(column)
    gaps = text.gaps if text.gaps is not None else np.zeros(len(text.ends), np.bool_)
    begins = text.ends - text.lengths()
    raw = spans.cells_of(text.bytes, begins, text.ends)
    return [None if gap else cell.decode() for cell, gap in zip(raw, gaps.tolist(), strict=True)]
