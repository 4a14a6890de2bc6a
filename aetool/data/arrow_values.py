"""Arrow's arrays as columns of values, of whatever type, and whichever way they are encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from aetool.data.arrow_files import read_first
from aetool.data.table import Cells, Values, joined, taken
from aetool.model import Float, Int

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

EXACT = 2**53  # up to here float64 has every integer
ROWS = 1 << 16  # records that are looked at together
ReadColumns = Callable[[Sequence[int]], Iterable["pa.RecordBatch"]]


def values_of(
    array: pa.Array,
    is_wide: bool,
) -> tuple[Values, bool]:
    """Convert an Arrow array: (a column of its n values, whether it is text by its type).

    The column is float64 of integers, floats and nulls, datetime64[us] of timestamps and dates (in
    UTC where they have a zone, what is finer cut off), and `Cells` of all else; of these only
    decimals are not text by their type. is_wide: whether to read its integers as text, as float64
    does not hold them all exactly.
    """
    import pyarrow as pa
    from pyarrow import compute, types

    kind = array.type
    # ways of encoding come first: what is encoded may be of any type
    if types.is_dictionary(kind):
        return _of_dictionary(array, is_wide)
    if types.is_run_end_encoded(kind):
        every_value = compute.run_end_decode(array)
        return values_of(every_value, is_wide)
    if getattr(kind, "extension_name", "") == "arrow.bool8":
        truths = array.storage.cast(pa.bool_())
        return values_of(truths, is_wide)
    if types.is_integer(kind):
        if is_wide:
            return _texts(array), True
        return _numbers(array), False
    if types.is_floating(kind) or types.is_null(kind):
        return _numbers(array), False
    if types.is_timestamp(kind) or types.is_date(kind):
        return _moments(array), False
    if types.is_boolean(kind):
        return _truths(array), True
    # decimals are written as texts, and are numbers all the same
    is_text = not types.is_decimal(kind)
    return _texts(array), is_text


def numbers(array: pa.Array) -> Float | None:
    """The numbers of an array of integers, floats or decimals, (n,), with NaN for what is missing;
    None for an array of another type, of texts that are numbers, too."""
    import pyarrow as pa

    types = pa.types
    kind = array.type
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)):
        return None
    return np.asarray(_numbers(array), dtype=np.float64)


def _numbers(array: pa.Array) -> Values:
    """An array of integers, floats or nulls as float64, (n,), with NaN for what is missing;
    integers beyond 2^53 become the nearest float."""
    import pyarrow as pa

    # not safe: an integer beyond 2^53 becomes the nearest float, for whoever wants numbers
    floats = array.cast(pa.float64(), safe=False)
    numbers = floats.to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=np.float64)


def _truths(array: pa.Array) -> Cells:
    """An array of truth values as the texts true and false; what is missing is a missing cell."""
    words = {True: "true", False: "false", None: None}
    texts = [words[truth] for truth in array.to_pylist()]
    return Cells.of(texts)


def _moments(array: pa.Array) -> Values:
    """Timestamps or dates of any unit as datetime64 in microseconds, (n,), UTC where they have a
    zone, with NaT for what is missing; what is finer is cut off."""
    import pyarrow as pa

    zone = getattr(array.type, "tz", None)
    # not safe: what is finer than a microsecond is cut off
    zoned = array.cast(pa.timestamp("us", zone), safe=False)
    # without its zone a moment is the one in UTC
    in_utc = zoned.cast(pa.timestamp("us"))
    numpy_array = in_utc.to_numpy(zero_copy_only=False)
    moments: Values = numpy_array.astype("datetime64[us]")
    return moments


def _texts(array: pa.Array) -> Cells:
    """The values of an array as texts, as Python's `str` writes them, so bytes as b'ab'; what is
    missing is a missing cell."""
    texts: list[str | None] = []
    for value in array.to_pylist():
        if value is None:
            texts.append(None)
        else:
            texts.append(str(value))
    return Cells.of(texts)


def first_not_utf8(array: pa.Array) -> int | None:
    """The place, from 0, of the first value of an array that has a text that is not UTF-8; None if
    there is none, also where a level of a dictionary is not UTF-8 and no value refers to it."""
    for place in range(len(array)):
        try:
            array[place].as_py()
        except UnicodeDecodeError:
            return place
    return None


def _of_dictionary(
    array: pa.DictionaryArray,
    is_wide: bool,
) -> tuple[Values, bool]:
    """Convert a dictionary array, indices into distinct levels, as `values_of` does any other: (a
    column of values, whether it is text). Each level is converted once, and repeated where it
    stands. is_wide: whether to read integers among the levels as text."""
    import pyarrow as pa
    from pyarrow import compute

    levels, is_text = values_of(array.dictionary, is_wide)
    # a level more, behind the others, stands for what is missing
    null = pa.nulls(1, array.type.value_type)
    missing, _ = values_of(null, is_wide)
    with_missing = joined([levels, missing])
    indices = array.indices.cast(pa.int64())
    places_with_missing = compute.fill_null(indices, len(levels))
    places: Int = places_with_missing.to_numpy(zero_copy_only=False)
    return taken(with_missing, places), is_text


# ---- integers that float64 has not


def wide_integers(schema: pa.Schema, read: ReadColumns) -> set[int]:
    """Find the columns that have an integer beyond 2^53 (below -2^53, too) in any record, which
    float64 need not hold exactly: their places, from 0.

    read(places): returns all records, as batches, with only the columns at these places; it is not
    called if no column of the schema has integers of 64 bits.
    """
    places = []
    for place, kind in enumerate(schema.types):
        if _may_be_wide(kind):
            places.append(place)
    wide: set[int] = set()
    # without such columns not a record is read
    if not places:
        return wide
    for batch in read(places):
        columns = zip(places, batch.columns, strict=True)
        for place, array in columns:
            if place not in wide and _has_wide(array):
                wide.add(place)
    return wide


def wide_integers_of_parquet(file: pq.ParquetFile) -> set[int]:
    """Find the columns of an open Parquet file that have an integer beyond 2^53 (below -2^53, too):
    their places, from 0. The file's statistics tell it, and one record of each group of rows is
    read; columns without statistics, and all if a group cannot be read by itself, are read in full.
    A column that cannot be read at all is among them: whoever reads its records is told behind
    which one."""
    import pyarrow as pa

    schema = file.schema_arrow
    # Parquet numbers leaves, columns without others inside: that of a column may differ from its
    # place where others are nested
    leaves = {}
    for number, column in enumerate(file.schema):
        leaves[column.path] = number
    # by the place of each column that may be wide: the number of its leaf
    leaf_of: dict[int, int] = {}
    for place, field in enumerate(schema):
        # nested columns have no leaf of their name, and are read as text in any case
        leaf = leaves.get(field.name)
        if leaf is not None and _may_be_wide(field.type):
            leaf_of[place] = leaf
    wide: set[int] = set()
    without_statistics: set[int] = set()
    for number in range(file.num_row_groups if leaf_of else 0):
        try:
            read_first(file, number, [schema.names[place] for place in leaf_of])
        except (pa.ArrowException, OSError):
            # a damaged group: all records of all these columns are looked at below
            without_statistics.update(leaf_of)
            break
        group = file.metadata.row_group(number)
        for place, leaf in leaf_of.items():
            statistics = group.column(leaf).statistics
            if statistics is None or not statistics.has_min_max:
                without_statistics.add(place)
                continue
            ends = (statistics.min, statistics.max)
            if any(_is_wide(end) for end in ends):
                wide.add(place)
    for place in sorted(without_statistics - wide):
        if _is_wide_in_records(file, schema.names[place]):
            wide.add(place)
    return wide


def _is_wide_in_records(file: pq.ParquetFile, name: str) -> bool:
    """Whether an open Parquet file's column of this name has an integer beyond 2^53, in either
    direction, in any record; batches are read up to the first that has one. True where one cannot
    be read."""
    import pyarrow as pa

    batches = file.iter_batches(ROWS, columns=[name])
    try:
        return any(_has_wide(batch.column(0)) for batch in batches)
    except (pa.ArrowException, OSError):
        return True


def _may_be_wide(kind: pa.DataType) -> bool:
    """Whether an Arrow type, or that of a dictionary's levels, is of 64-bit integers, which may lie
    beyond 2^53."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    if not types.is_integer(kind):
        return False
    return bool(kind.bit_width == 64)


def _has_wide(array: pa.Array) -> bool:
    """Whether any integer of an array, or of a dictionary array's levels, lies above 2^53 or below
    -2^53. array: of a type for which `_may_be_wide` is true; gaps do not count."""
    from pyarrow import compute, types

    if types.is_dictionary(array.type):
        array = array.dictionary
    # if one is beyond, the smallest or the largest is
    ends: dict[str, object] = compute.min_max(array).as_py()
    return any(_is_wide(end) for end in ends.values())


def _is_wide(value: object) -> bool:
    """Whether a value is an integer beyond 2^53, in either direction, which float64 need not hold
    exactly; False for None and all else that is no int."""
    if not isinstance(value, int):
        return False
    return abs(value) > EXACT
