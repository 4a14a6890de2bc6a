"""Writes restored columns as the kind of file that they came from."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from aetool.canonical import Json
from aetool.csv import encodings, writing
from aetool.csv.fields import ODD, Fields, Rule, fields
from aetool.data import arrow_texts, images, notices, unread_numbers
from aetool.data.images import Deep, Pixels
from aetool.data.json_objects import STRING, is_value
from aetool.data.pictures.palettes import Palette
from aetool.errors import DataError
from aetool.model import Array

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# A restored column: text (None: missing), float64 numbers (NaN: missing), or datetime64[us].
Restored = list[str | None] | Array
Columns = dict[str, Restored]

BLANKS = (ord(" "), ord("\t"))  # which pandas strips at the begin of a line


def write_table(
    file: BinaryIO,
    batches: Iterable[Columns],
    format: Mapping[str, Json],
    dtypes: Mapping[str, str],
    written: Mapping[str, Json],
) -> None:
    """Write restored columns as a file of the source's kind; `file` is not closed.

    batches: columns by name, the same in all, in order, each of texts (None: a gap), float64
    numbers (NaN) or moments (NaT). format: how the source was written, with "format" one of csv,
    jsonl, parquet, arrow, npy or npz; dtypes: the source's names of types, by column; written: by
    column how text files write its numbers, see `text_of`; a column may be missing in either, but
    not in dtypes for npy and npz. DataError for another kind, and for a text that is no value of
    its column's type, which for npy and npz is a ValueError.
    """
    # one that is no table, such as "binary", is refused below
    kind = format["format"]
    if kind == "csv":
        _write_csv(file, batches, format, written)
    elif kind == "jsonl":
        _write_jsonl(file, batches, dtypes, written)
    elif kind == "parquet":
        _write_parquet(file, batches, dtypes)
    elif kind == "arrow":
        as_stream = bool(format.get("stream"))
        _write_arrow(file, batches, dtypes, as_stream)
    elif kind in ("npy", "npz"):
        _write_arrays(file, batches, format, dtypes)
    else:
        raise DataError(f"cannot write tables as {kind}")


def text_of(column: Restored, how: Mapping[str, Json]) -> list[str]:
    """Write a column, (rows,), as the texts of its cells: texts (None: a gap) as they are, float64
    numbers (NaN: a gap), and moments (NaT: a gap) as ISO 8601.

    how, each of which may be missing: "decimals", digits behind the point or None for seven digits
    in all; "token", the text of gaps, "" if missing; "show", a function (number, decimals) -> text,
    if numbers are written in a way of their own, used only with "decimals".
    """
    token = str(how.get("token", ""))
    if isinstance(column, list):
        return [token if text is None else text for text in column]
    if column.dtype.kind == "M":
        return [token if np.isnat(moment) else str(moment) for moment in column]
    # numbers of Python, not of numpy, which are formatted far more slowly
    numbers = column.tolist()
    is_missing = np.isnan(column)
    decimals = how.get("decimals")
    # a unit, a currency, a decimal comma: as the column itself writes numbers
    show = how.get("show")
    if show is not None and decimals is not None:
        # a negative zero is what rounding left
        rounded = [round(number, decimals) + 0.0 for number in numbers]
        cells = zip(rounded, is_missing.tolist(), strict=True)
        return [token if is_gap else show(number, decimals) for number, is_gap in cells]
    # true floats have no decimals of their own: seven digits, as a float32 has
    form = ".7g" if decimals is None else f".{decimals}f"
    texts = [_without_sign_of_zero(format(number, form)) for number in numbers]
    for row in np.flatnonzero(is_missing):
        texts[row] = token
    return texts


def _without_sign_of_zero(text: str) -> str:
    """The text of a number without the minus of one that was rounded to zero: "0.00" in place of
    "-0.00"."""
    if not text.startswith("-0"):
        return text
    has_digits = bool(text.strip("-0."))
    return text if has_digits else text[1:]


def _write_csv(
    file: BinaryIO,
    batches: Iterable[Columns],
    format: Mapping[str, Json],
    written: Mapping[str, Json],
) -> None:
    """Write batches of columns, by name, to a file as CSV; without batches not even a header.
    format: Dialect.to_json's "delimiter", "newline" and "header", and, where they are, "encoding",
    "bom" (a mark at the begin) and "space"; written: by column how its values are written as text
    (see `text_of`), where it is missing, numbers with seven digits, and gaps as empty cells."""
    rule = _rule_of(format)
    encoding = str(format.get("encoding", encodings.UTF8))
    line_end = format["newline"]
    # the mark stands before all else, in the file's own encoding
    if format.get("bom"):
        mark = encodings.original(encodings.BOM, encoding)
        file.write(mark)
    is_first = True
    for batch in batches:
        columns = []
        for name, values in batch.items():
            how = written.get(name, {})
            columns.append(text_of(values, how))
        records = zip(*columns, strict=True)
        body = writing.table(records, rule, line_end)
        if is_first and format["header"]:
            header = writing.table([list(batch)], rule, line_end)
            body = header + body
        is_first = False
        # bytes that were no UTF-8 in the source come back as they were
        raw = body.encode(errors=encodings.LONE)
        file.write(encodings.original(raw, encoding))


def _rule_of(format: Mapping[str, Json]) -> Rule:
    """The rule by which a text of this format is cut into records: its "delimiter", and whether
    blanks behind that are skipped ("space", False if it is not there)."""
    skips_blanks = bool(format.get("space"))
    return Rule(format["delimiter"], skips_blanks)


def _write_jsonl(
    file: BinaryIO,
    batches: Iterable[Columns],
    dtypes: Mapping[str, str],
    written: Mapping[str, Json],
) -> None:
    """Write batches of columns, by name, to a file as JSON, a record a line, in UTF-8. dtypes: by
    column the source's type, see `_json_values`; written: by column how its values are written, of
    which only "decimals" is used; a column may be missing in either."""
    for batch in batches:
        columns = []
        for name, values in batch.items():
            how = written.get(name, {})
            columns.append(_json_values(values, dtypes.get(name), how))
        # the keys are the same in every record
        keys = [json.dumps(name) for name in batch]
        for record in zip(*columns, strict=True):
            pairs = zip(keys, record, strict=True)
            body = ", ".join(f"{key}: {value}" for key, value in pairs)
            line = "{" + body + "}\n"
            file.write(line.encode())


def _json_values(
    column: Restored,
    dtype: str | None,
    how: Mapping[str, Json],
) -> list[str]:
    """The values of a column, (rows,), of texts (None: a gap), float64 numbers (NaN) or moments
    (NaT), as texts of JSON, gaps as null. dtype: the source's type: all texts of "string" get
    quotes, and of others those that are no JSON as they stand; None: of numbers. how: of its
    entries only "decimals" is used, digits behind the point or None for seven digits in all."""
    if isinstance(column, list):
        return ["null" if text is None else _json_text(text, dtype) for text in column]
    plainly = {"decimals": how.get("decimals"), "token": "null"}
    cells = text_of(column, plainly)
    if column.dtype.kind != "M":
        return cells
    # JSON has no moments: they are texts, and stand in quotes
    return [cell if cell == "null" else json.dumps(cell) for cell in cells]


def _json_text(text: str, dtype: str | None) -> str:
    """The text of a cell as JSON: in quotes, unless its column is not one of texts, and it is a
    number, a truth, a list or an object. dtype: the type of the column; None: of numbers."""
    if dtype != STRING and is_value(text):
        return text
    return json.dumps(text)


def arrow_table(batch: Columns, dtypes: Mapping[str, str]) -> pa.Table:
    """Columns by name, each of texts (None: a gap), float64 numbers (NaN) or moments (NaT), as an
    Arrow table. dtypes: Arrow's names of the source's types, by column; a column that is not in it,
    or of a name unknown to Arrow, is of texts, numbers or moments in microseconds, as its values
    are; one of the type "null" has nothing. DataError for a text that is no value of its column's
    type; TypeError or OverflowError for a name with a part that Arrow does not know, and
    NotImplementedError where it knows no such cast."""
    import pyarrow as pa

    arrays = {}
    for name, column in batch.items():
        try:
            arrays[name] = _arrow_array(column, dtypes.get(name))
        except ValueError as error:
            message = f"column {name!r}: {error}; a .csv file takes it as it is"
            raise DataError(message) from None
    return pa.table(arrays)


def _arrow_array(column: Restored, dtype: str | None) -> pa.Array:
    """Convert a column, of texts, float64 numbers or moments, to an Arrow array of the type that
    dtype names; if it is None, or a name that Arrow does not know, of texts, numbers or moments in
    microseconds. None, NaN and NaT become nulls, and all values of the type "null". Of texts for
    truth values "true" is True, and any other False. ValueError for a text that is no value of the
    type; NotImplementedError of Arrow where it knows no such cast; ValueError, TypeError or
    OverflowError for a name with a part that Arrow does not know."""
    import pyarrow as pa

    kind = _arrow_type(dtype) if dtype else None
    # of a type that holds nothing there is nothing to restore, and no cast
    if kind == pa.null():
        return pa.nulls(len(column))
    if isinstance(column, list):
        return arrow_texts.array_of(column, kind)
    if column.dtype.kind == "M":
        moments = column.astype("datetime64[us]")
        array = pa.array(moments)
    else:
        # NaN is a gap here, and Arrow tells gaps from NaN
        is_gap = np.isnan(column)
        array = pa.array(column, mask=is_gap)
    if kind is None:
        return array
    return _as_type(array, kind)


def _as_type(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Convert an Arrow array of numbers or moments to the type `kind`. Floats become the nearest
    integers that the type has; moments, which are UTC, get a zone without being moved, and lose
    what is finer than the type's unit; of a dictionary type the levels are such values; of decimals
    see `_as_decimals`. What other types do not hold is cut off. ArrowInvalid, a ValueError, for
    more levels than a dictionary's indices can count; NotImplementedError of Arrow where it knows
    no such cast."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(kind):
        # as values of the levels' type, by the same rules
        levels = _as_type(array, kind.value_type)
        return arrow_texts.as_dictionary(levels, kind)
    if types.is_decimal(kind):
        return _as_decimals(array, kind)
    if types.is_integer(kind) and types.is_floating(array.type):
        return _as_integers(array, kind)
    if types.is_timestamp(kind) and kind.tz:
        # Arrow stores moments in UTC, whatever their zone: the values stay the same
        without_zone = pa.timestamp(array.type.unit)
        in_zone = pa.timestamp(kind.unit, tz=kind.tz)
        return array.cast(without_zone).cast(in_zone, safe=False)
    return array.cast(kind, safe=False)


def _as_integers(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Convert an array of floats to integers of the type `kind`: the nearest whole numbers, and its
    smallest or largest for what lies beyond. Nulls stay."""
    from pyarrow import compute

    limits = np.iinfo(kind.to_pandas_dtype())
    smallest, largest = _floats_within(limits.min, limits.max)
    # a model's decoder may give 2.9999 for 3, which a cast would cut to 2
    rounded = compute.round(array)
    # and 255.6 for 255, which a cast to 8 bits would make 0
    within = compute.min_element_wise(rounded, largest, skip_nulls=False)
    within = compute.max_element_wise(within, smallest, skip_nulls=False)
    return within.cast(kind, safe=False)


def _floats_within(low: int, high: int) -> tuple[float, float]:
    """Find the range of float64 that can be cast to an integer type of numbers from low to high:
    (the smallest, the largest) float within it. low: 0, or minus a power of two, which floats
    hold."""
    largest = float(high)
    # the largest number of 64 bits is no float: float() rounded it up
    if int(largest) > high:
        largest = float(np.nextafter(largest, 0.0))
    return float(low), largest


def _as_decimals(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Convert an array of floats to decimals of the type `kind`: rounded to its places; floats too
    large for it, of either sign, become about the largest that it has. Nulls stay."""
    from pyarrow import compute

    digits = kind.precision - kind.scale
    # the largest float of so many digits: 10^digits itself has one digit more
    largest = float(np.nextafter(10.0**digits, 0.0)) - 10.0**-kind.scale
    within = compute.min_element_wise(array, largest, skip_nulls=False)
    within = compute.max_element_wise(within, -largest, skip_nulls=False)
    rounded = compute.round(within, ndigits=kind.scale)
    return rounded.cast(kind, safe=False)


def _arrow_type(name: str) -> pa.DataType | None:
    """Read the name of an Arrow type, such as "timestamp[us, tz=UTC]": that type, a dictionary's
    always unordered; None for a name that is none, and for nested types. ValueError, TypeError or
    OverflowError where the form of a name is known, and a part of it is not, or is too large, such
    as "timestamp[x, tz=UTC]" or "fixed_size_binary[99999999999]"."""
    import pyarrow as pa

    # type_for_alias knows no types with parameters
    match = re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", name)
    if match:
        unit, zone = match.groups()
        return pa.timestamp(unit, tz=zone)
    match = re.fullmatch(r"decimal(128|256)\((\d+), (-?\d+)\)", name)
    if match:
        width, precision, scale = map(int, match.groups())
        decimal = pa.decimal128 if width == 128 else pa.decimal256
        return decimal(precision, scale)
    match = re.fullmatch(r"fixed_size_binary\[(\d+)\]", name)
    if match:
        return pa.binary(int(match[1]))
    # values may have a part of their own, such as a zone
    match = re.fullmatch(r"dictionary<values=(.+), indices=(\w+), ordered=\d>", name)
    if match:
        values = _arrow_type(match[1])
        indices = _arrow_type(match[2])
        if values is None:
            return None
        return pa.dictionary(indices, values)
    try:
        return pa.type_for_alias(name)
    except ValueError:
        return None


def _say_unordered(dtypes: Mapping[str, str]) -> None:
    """Say in a notice, for each column whose levels had an order in the source, that they are
    restored without it, as models know how often a level comes, and not which is above which.
    dtypes: Arrow's names of the source's types, by column."""
    for name, dtype in dtypes.items():
        if dtype.endswith(", ordered=1>"):
            notices.say(name, "its levels come without the order that they had in the source")


def _write_parquet(
    file: BinaryIO,
    batches: Iterable[Columns],
    dtypes: Mapping[str, str],
) -> None:
    """Write batches of columns, by name, to a file as Parquet, each as a group of rows, compressed
    by ZSTD; without batches nothing is written. A notice names the columns whose levels were in an
    order, which is lost. dtypes: Arrow's names of the source's types, by column. DataError for a
    text that is no value of its column's type, and other errors as of `arrow_table`."""
    import pyarrow.parquet as pq

    _say_unordered(dtypes)
    writer = None
    try:
        for batch in batches:
            table = arrow_table(batch, dtypes)
            # the first batch tells the schema
            if writer is None:
                writer = pq.ParquetWriter(file, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer:  # also where a batch could not be had: the file is closed after this
            writer.close()


def _write_arrow(
    file: BinaryIO,
    batches: Iterable[Columns],
    dtypes: Mapping[str, str],
    as_stream: bool,
) -> None:
    """Write batches of columns, by name, to a file in Arrow's format, or as a stream of it, not
    compressed; without batches nothing is written. dtypes: Arrow's names of the source's types, by
    column. DataError for a text that is no value of its column's type, and other errors as of
    `arrow_table`."""
    from pyarrow import ipc

    _say_unordered(dtypes)
    open_writer = ipc.new_stream if as_stream else ipc.new_file
    writer = None
    try:
        for batch in batches:
            table = arrow_table(batch, dtypes)
            # the first batch tells the schema
            if writer is None:
                writer = open_writer(file, table.schema)
            writer.write_table(table)
    finally:
        # it writes the end of the file, also where a batch could not be had
        if writer:
            writer.close()


def _write_arrays(
    file: BinaryIO,
    batches: Iterable[Columns],
    format: Mapping[str, Json],
    dtypes: Mapping[str, str],
) -> None:
    """Write batches of columns, by name, at least one, to a file as .npy or .npz; all are in memory
    together. format: "format", npy or npz, and "arrays", by each array's name [how many columns it
    has], or [] for one of one axis; dtypes: numpy's name of the type of every column. ValueError
    for a text that is none of its type."""
    parts: dict[str, list[Array]] = {}
    for batch in batches:
        for name, column in batch.items():
            values = of_dtype(column, np.dtype(dtypes[name]))
            parts.setdefault(name, []).append(values)
    # columns in the order in which the arrays had them
    columns = iter([np.concatenate(values) for values in parts.values()])
    arrays = {}
    for key, shape in format["arrays"].items():
        # [how many columns] of a matrix; [] of an array that is one column
        if shape:
            of_array = [next(columns) for _ in range(shape[0])]
            arrays[key] = np.stack(of_array, axis=1)
        else:
            arrays[key] = next(columns)
    if format["format"] == "npy":
        # such a file holds one array
        first_array = next(iter(arrays.values()))
        np.save(file, first_array, allow_pickle=False)
    else:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def of_dtype(column: Restored, dtype: np.dtype[Any]) -> Array:
    """A restored column, (rows,), of texts, float64 numbers or moments, as a numpy array of this
    type; as integers or truth values floats are rounded, what lies beyond an integer type becomes
    its smallest or largest, and gaps are 0. Of texts gaps become the text None; ValueError for a
    text that is none of the type."""
    if isinstance(column, list):
        return np.array(column, dtype=object).astype(dtype)
    values = np.asarray(column)
    if dtype.kind in "iub":
        # whole numbers have no gaps, and are not cut but rounded
        without_gaps = np.nan_to_num(values)
        values = np.rint(without_gaps)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        smallest, largest = _floats_within(limits.min, limits.max)
        values = np.clip(values, smallest, largest)
    return values.astype(dtype)


def frame_of(
    batches: Sequence[Columns],
    dtypes: Mapping[str, str],
    pandas: Mapping[str, str],
) -> pd.DataFrame:
    """Batches of columns by name, each of texts (None: a gap), float64 numbers (NaN) or moments
    (NaT), at least one batch, as one DataFrame, without an index of its own. dtypes: Arrow's names
    of the source's types, by column; pandas: the dtypes, by column, of the DataFrame that it was,
    {} if it was none. DataError for a text that is no value of its column's type; ValueError or
    TypeError of pandas where a column cannot be of its dtype."""
    import pyarrow as pa

    # by way of Arrow, whose types are those of `dtypes`
    _say_unordered(dtypes)
    tables = [arrow_table(batch, dtypes) for batch in batches]
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    for name, dtype in pandas.items():
        # Arrow knows fewer types than pandas, such as its category
        if name in frame and str(frame[name].dtype) != dtype:
            column = frame[name]
            frame[name] = column.astype(dtype)  # type: ignore[call-overload]
    return frame


def frame_of_text(
    body: bytes,
    format: Mapping[str, Json],
    names: Sequence[str],
    marks: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """A DataFrame of a table in text, its types as pandas.read_csv tells them, but that a column of
    numbers in another notation than the file's has these, see unread_numbers. marks: by name the
    decimal marks of columns that the text itself does not show, as it is a part of a table; None:
    of none. body: the text's
    bytes, in UTF-8 or Latin-1; format: "delimiter", "header" (whether there is one), "decimal", the
    decimal mark, and perhaps "space", whether blanks behind delimiters are skipped; names: of all
    its columns, used if it has no header, or no record. Values that a record lacks are gaps; what
    it has beyond `names` is left out."""
    import pandas as pd

    rule = _rule_of(format)
    without_mark = body.removeprefix(encodings.BOM)
    # by our own rule of what a record is, before pandas applies another
    records = fields(without_mark, rule)
    if not len(records):
        return pd.DataFrame({name: [] for name in names})
    options: dict[str, Any] = {}
    if not format["header"]:
        # else pandas would take the first record for one
        options["header"] = None
        options["names"] = list(names)
    if marks:
        # read as texts first, for their numbers have that mark
        options["dtype"] = dict.fromkeys(marks, "str")
    if _pandas_cuts_alike(records, len(names)):
        options["sep"] = rule.delimiter
        options["skipinitialspace"] = rule.space
        text = records.text
    else:
        # in a form that pandas cannot read in two ways
        text = _all_quoted(records, len(names))
    decoded = _as_text(text)

    def read(mark: str) -> pd.DataFrame:
        """The records, with numbers of this decimal mark."""
        # line ends inside of cells stay as they are
        stream = io.StringIO(decoded, newline="")
        # of many forms that read_csv returns, the one without chunks; a column of one type, not of
        # one for each piece
        frame: pd.DataFrame = pd.read_csv(stream, decimal=mark, low_memory=False, **options)
        return frame

    return unread_numbers.with_all_numbers(read, str(format["decimal"]), marks or {})


def _pandas_cuts_alike(records: Fields, columns: int) -> bool:
    """Whether pandas would cut these records, at least one, into the same fields, although it
    strips and skips more than csv.reader does; rather False where that is not certain. columns: how
    many the table has."""
    text = np.frombuffer(records.text, np.uint8)
    first_bytes = text[records.begin]
    begins_with_blank = np.isin(first_bytes, BLANKS)
    has_odd_field = records.kind == ODD
    # `ends` is "" where line ends are of several kinds, or there are blank lines
    return (
        records.columns == columns
        and records.ends != ""
        and records.rule.delimiter != " "
        and not has_odd_field.any()
        and not begins_with_blank.any()
        and b"\0" not in records.text
    )


def _all_quoted(records: Fields, columns: int) -> bytes:
    """The records as lines of text with all values quoted and commas between; short records are
    filled up with empty values to `columns` values, long ones cut."""
    lines = []
    padding = [b""] * columns
    for record in records.records():
        filled_up = [*record, *padding]
        quoted = [_quoted(value) for value in filled_up[:columns]]
        lines.append(b",".join(quoted))
    return b"\n".join(lines)


def _quoted(value: bytes) -> bytes:
    """A value of a CSV cell between double quotes, with quotes inside of it doubled."""
    escaped = value.replace(b'"', b'""')
    return b'"' + escaped + b'"'


def _as_text(text: bytes) -> str:
    """The bytes as text: UTF-8, halves of surrogate pairs allowed, or, if they are not, Latin-1; no
    error."""
    try:
        return text.decode("utf-8", encodings.LONE)
    except UnicodeDecodeError:
        return text.decode("latin-1")


def write_idx(
    file: BinaryIO,
    batches: Iterator[Pixels],
    count: int,
    shape: Sequence[int],
) -> None:
    """Write pictures to an idx file (LeCun's MNIST format): three axes of one channel, else four,
    channels last. batches: (n, channels, height, width) uint8 each; count: how many pictures in
    all, which is not checked; shape: (channels, height, width)."""
    channels, height, width = shape
    sizes = [count, height, width]
    if channels > 1:
        sizes.append(channels)
    # two zeros, 8 for unsigned bytes, then how many axes there are
    magic = bytes([0, 0, 8, len(sizes)])
    axes = [size.to_bytes(4, "big") for size in sizes]
    file.write(magic + b"".join(axes))
    for pixels in batches:
        # channels are the innermost axis of the file
        channels_last = pixels.transpose(0, 2, 3, 1)
        raw = np.ascontiguousarray(channels_last)
        file.write(raw.tobytes())


def write_picture(
    path: Path,
    pixels: Pixels | Deep,
    mode: str = "",
    format: str = "PNG",
    palette: Palette | None = None,
) -> None:
    """Write a picture, (channels, height, width), to a file, whose folders are made if need be; a
    file that is there is replaced. mode, format: Pillow's names; mode "": gray or colour, by the
    channels. palette: of pixels that are places in it, (1, height, width), else None. OSError if it
    cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if palette is None:
        picture = images.pillow_picture(pixels, mode)
    else:
        places = pixels.astype(np.uint8, copy=False)
        picture = palette.picture(places)
    picture.save(path, format=format)
