"""Arrow's arrays as columns of values, of whatever type, and whichever way they are encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from aetool.data.table import Cells, Values, joined, taken
from aetool.model import Int

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

EXACT = 2**53  # up to here float64 has every integer
ROWS = 1 << 16  # records that are looked at together
ReadColumns = Callable[[Sequence[int]], Iterable["pa.RecordBatch"]]


def values_of(array: pa.Array, is_wide: bool) -> tuple[Values, bool]:
    """(an Arrow array as a column of values, whether it is text by its type).

    is_wide: whether to read its integers as text, as float64 does not hold them all exactly.
    """
    import pyarrow as pa
    from pyarrow import compute, types

    kind = array.type
    if types.is_dictionary(kind):
        return _of_dictionary(array, is_wide)
    if types.is_run_end_encoded(kind):
        return values_of(compute.run_end_decode(array), is_wide)
    if getattr(kind, "extension_name", "") == "arrow.bool8":
        return values_of(array.storage.cast(pa.bool_()), is_wide)
    if types.is_integer(kind) and is_wide:
        return _texts(array), True
    if types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind):
        floats = array.cast(pa.float64(), safe=False)
        numbers = floats.to_numpy(zero_copy_only=False)
        return np.asarray(numbers, dtype=np.float64), False
    if types.is_timestamp(kind) or types.is_date(kind):
        zone = getattr(kind, "tz", None)
        zoned = array.cast(pa.timestamp("us", zone), safe=False)
        # without its zone a moment is the one in UTC
        moments = zoned.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
        return moments.astype("datetime64[us]"), False
    if types.is_boolean(kind):
        words = {True: "true", False: "false", None: None}
        return Cells.of([words[truth] for truth in array.to_pylist()]), True
    return _texts(array), not types.is_decimal(kind)


def _texts(array: pa.Array) -> Cells:
    values = array.to_pylist()
    return Cells.of([None if value is None else str(value) for value in values])


def _of_dictionary(array: pa.DictionaryArray, is_wide: bool) -> tuple[Values, bool]:
    """Convert a dictionary array as `values_of` does any other: (a column of values, whether it is
    text). Each level is converted once, and repeated where it stands."""
    import pyarrow as pa
    from pyarrow import compute

    levels, is_text = values_of(array.dictionary, is_wide)
    # a level more, behind the others, stands for what is missing
    missing, _ = values_of(pa.nulls(1, array.type.value_type), is_wide)
    places = compute.fill_null(array.indices.cast(pa.int64()), len(levels))
    index: Int = places.to_numpy(zero_copy_only=False)
    return taken(joined([levels, missing]), index), is_text


# ---- integers that float64 has not


def wide_integers(schema: pa.Schema, read: ReadColumns) -> set[int]:
    """The places of the columns that have an integer beyond 2^53, which float64 does not hold
    exactly, in any record.

    read(places): yields the records with only the columns at these places.
    """
    places = [place for place, kind in enumerate(schema.types) if _may_be_wide(kind)]
    wide: set[int] = set()
    for batch in read(places) if places else ():
        for place, array in zip(places, batch.columns, strict=True):
            if place not in wide and any(map(_is_wide, _ends(array))):
                wide.add(place)
    return wide


def wide_integers_of_parquet(file: pq.ParquetFile) -> set[int]:
    """The positions of a Parquet file's columns that have an integer beyond 2^53, by the file's
    statistics; columns without statistics are read."""
    schema = file.schema_arrow
    # columns inside others are leaves as well: a column's leaf is not at its own place
    leaves = {column.path: leaf for leaf, column in enumerate(file.schema)}
    wide: set[int] = set()
    unknown: set[int] = set()
    for place, field in enumerate(schema):
        if not _may_be_wide(field.type) or field.name not in leaves:
            continue
        leaf = leaves[field.name]
        for number in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(number)
            statistics = group.column(leaf).statistics
            if statistics is None or not statistics.has_min_max:
                unknown.add(place)
            elif _is_wide(statistics.min) or _is_wide(statistics.max):
                wide.add(place)
    for place in sorted(unknown - wide):
        name = schema.names[place]
        for batch in file.iter_batches(ROWS, columns=[name]):
            if any(map(_is_wide, _ends(batch.column(0)))):
                wide.add(place)
                break
    return wide


def _may_be_wide(kind: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_integer(kind)) and kind.bit_width == 64


def _is_wide(value: object) -> bool:
    return isinstance(value, int) and abs(value) > EXACT


def _ends(array: pa.Array) -> list[object]:
    """[smallest, largest] value of an array, or of a dictionary array's levels."""
    from pyarrow import compute, types

    if types.is_dictionary(array.type):
        array = array.dictionary
    ends: dict[str, object] = compute.min_max(array).as_py()
    return list(ends.values())
