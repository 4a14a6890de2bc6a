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
from aetool.data import images
from aetool.data.images import Deep, Pixels
from aetool.data.pictures.palettes import Palette
from aetool.errors import DataError
from aetool.model import Array

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# A restored column: text (None: missing), float64 numbers (NaN: missing), or datetime64[us].
Restored = list[str | None] | Array
Columns = dict[str, Restored]


def write_table(
    file: BinaryIO,
    batches: Iterable[Columns],
    format: Mapping[str, Json],
    dtypes: Mapping[str, str],
    written: Mapping[str, Json],
) -> None:
    """Write restored columns as a file of the source's kind.

    format: how the source was written; dtypes: its types by column; written: by column how text
    files write its numbers, see `text_of`.
    """
    kind = format["format"]
    if kind == "csv":
        _write_csv(file, batches, format, written)
    elif kind == "jsonl":
        _write_jsonl(file, batches, dtypes, written)
    elif kind == "parquet":
        _write_parquet(file, batches, dtypes)
    elif kind == "arrow":
        _write_arrow(file, batches, dtypes, bool(format.get("stream")))
    elif kind in ("npy", "npz"):
        _write_arrays(file, batches, format, dtypes)
    else:
        raise DataError(f"cannot write tables as {kind}")


def text_of(column: Restored, how: Mapping[str, Json]) -> list[str]:
    """A column as the texts of its cells. how: "decimals", digits behind the point or None for
    seven digits in all; "token", the text of gaps; "show", a function (number, decimals) -> text,
    if numbers are written in a way of their own."""
    token = str(how.get("token", ""))
    if isinstance(column, list):
        return [token if v is None else v for v in column]
    if column.dtype.kind == "M":
        return [token if np.isnat(v) else str(v) for v in column]
    # true floats have no decimals of their own: seven digits, as a float32 has
    places = how.get("decimals")
    form = ".7g" if places is None else f".{places}f"
    # a unit, a currency, a decimal comma: as the column itself writes numbers
    show = how.get("show")
    if show is not None and places is not None:
        return [token if v != v else show(v, places) for v in column.tolist()]
    return [token if v != v else _plain(format(v, form)) for v in column.tolist()]


def _plain(text: str) -> str:
    # a number that is rounded to zero has no sign
    if text.startswith("-0") and not text.strip("-0."):
        return text[1:]
    return text


def _write_csv(
    file: BinaryIO,
    batches: Iterable[Columns],
    format: Mapping[str, Json],
    written: Mapping[str, Json],
) -> None:
    """Write batches of columns, by name, to a file as CSV. format: delimiter, line end, encoding
    and whether there is a header; written: by column how its values are written as text."""
    rule = Rule(format["delimiter"], bool(format.get("space")))
    encoding = str(format.get("encoding", encodings.UTF8))
    end = format["newline"]
    # the mark stands before all else, in the file's own encoding
    if format.get("bom"):
        file.write(encodings.original(encodings.BOM, encoding))
    first = True
    for batch in batches:
        cells = [text_of(values, written.get(name, {})) for name, values in batch.items()]
        # columns to records
        body = writing.table(zip(*cells, strict=True), rule, end)
        if first and format["header"]:
            body = writing.table([list(batch)], rule, end) + body
        first = False
        # bytes that were no UTF-8 in the source come back as they were
        raw = body.encode(errors=encodings.LONE)
        file.write(encodings.original(raw, encoding))


def _write_jsonl(
    file: BinaryIO,
    batches: Iterable[Columns],
    dtypes: Mapping[str, str],
    written: Mapping[str, Json],
) -> None:
    """Write batches of columns, by name, to a file as JSON, a record a line. dtypes: by column its
    type, written: how its values are written as text."""
    for batch in batches:
        columns = {n: _json_values(v, dtypes.get(n), written.get(n, {})) for n, v in batch.items()}
        for record in zip(*columns.values(), strict=True):
            pairs = zip(columns, record, strict=True)
            body = ", ".join(f"{json.dumps(n)}: {v}" for n, v in pairs)
            file.write(("{" + body + "}\n").encode())


def _json_values(column: Restored, dtype: str | None, how: Mapping[str, Json]) -> list[str]:
    if isinstance(column, list):
        # truth values are the words true and false, without quotes
        quote = json.dumps if dtype != "bool" else str
        return ["null" if v is None else quote(v) for v in column]
    cells = text_of(column, {"decimals": how.get("decimals"), "token": "null"})
    if column.dtype.kind != "M":
        return cells
    return [c if c == "null" else json.dumps(c) for c in cells]


def arrow_table(batch: Columns, dtypes: Mapping[str, str]) -> pa.Table:
    """The columns as an Arrow table. dtypes: Arrow's names of the source's types, by column."""
    import pyarrow as pa

    arrays = {n: _arrow_array(v, dtypes.get(n)) for n, v in batch.items()}
    return pa.table(arrays)


def _arrow_array(column: Restored, dtype: str | None) -> pa.Array:
    """A column as an Arrow array: of the type that dtype names, else texts, moments in microseconds
    or numbers; None and NaN become nulls."""
    import pyarrow as pa

    kind = _arrow_type(dtype) if dtype else None
    if isinstance(column, list):
        if kind is not None and pa.types.is_boolean(kind):
            return pa.array([None if v is None else v == "true" for v in column], kind)
        array = pa.array(column, pa.string())
        return array if kind is None else _cast(array, kind)
    if column.dtype.kind == "M":
        array = pa.array(column.astype("datetime64[us]"))
    else:
        # NaN is a gap here, and Arrow tells gaps from NaN
        array = pa.array(column, mask=np.isnan(column))
    return array if kind is None else _cast(array, kind)


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """An Arrow array as one of another type: floats become the nearest whole numbers, moments get a
    zone without being moved."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        # Arrow casts to a dictionary's values, not to the dictionary
        values = array.cast(kind.value_type)
        return values.dictionary_encode().cast(kind)
    if pa.types.is_integer(kind) and pa.types.is_floating(array.type):
        # a decoder gives 2.9999 for 3, which a cast would cut to 2
        array = pa.compute.round(array)
    if pa.types.is_timestamp(kind) and kind.tz:
        # moments are UTC inside: the zone is told, and moves nothing
        return array.cast(pa.timestamp(array.type.unit)).cast(pa.timestamp(kind.unit, tz=kind.tz))
    return array.cast(kind, safe=False)


def _arrow_type(name: str) -> pa.DataType | None:
    """The Arrow type of this name; None for a name that Arrow does not know."""
    import pyarrow as pa
    import pyarrow.compute

    # type_for_alias knows no types with parameters
    match = re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", name)
    if match:
        return pa.timestamp(match[1], tz=match[2])
    match = re.fullmatch(r"dictionary<values=(\w+), indices=(\w+), ordered=\d>", name)
    if match:
        inner = _arrow_type(match[1])
        index = _arrow_type(match[2])
        if inner is not None:
            return pa.dictionary(index, inner)
        return None
    try:
        return pa.type_for_alias(name)
    except ValueError:
        return None


def _write_parquet(file: BinaryIO, batches: Iterable[Columns], dtypes: Mapping[str, str]) -> None:
    import pyarrow.parquet as pq

    writer = None
    try:
        for batch in batches:
            table = arrow_table(batch, dtypes)
            # the first batch tells the schema
            writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
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
    """Write batches of columns, by name, to a file in Arrow's format, or as a stream of it. dtypes:
    by column its type."""
    import pyarrow as pa

    begin = pa.ipc.new_stream if as_stream else pa.ipc.new_file
    writer = None
    try:
        for batch in batches:
            table = arrow_table(batch, dtypes)
            # the first batch tells the schema
            writer = writer or begin(file, table.schema)
            writer.write_table(table)
    finally:
        if writer:
            writer.close()


def _write_arrays(
    file: BinaryIO,
    batches: Iterable[Columns],
    format: Mapping[str, Json],
    dtypes: Mapping[str, str],
) -> None:
    """Write batches of columns, by name, to a file as .npy or .npz. format: the kind of file, and
    the shape of each array that the columns come from; dtypes: by column its type."""
    parts: dict[str, list[Array]] = {}
    for batch in batches:
        for name, column in batch.items():
            kind = np.dtype(dtypes[name])
            values = column if not isinstance(column, list) else np.array(column, dtype=object)
            if kind.kind in "iub" and not isinstance(column, list):
                # whole numbers have no gaps, and are not cut but rounded
                values = np.rint(np.nan_to_num(np.asarray(values)))
            parts.setdefault(name, []).append(np.asarray(values).astype(kind))
    # columns in the order in which the arrays had them
    flat = iter([np.concatenate(p) for p in parts.values()])
    arrays = {}
    for key, shape in format["arrays"].items():
        arrays[key] = np.stack([next(flat) for _ in range(shape[0])], 1) if shape else next(flat)
    if format["format"] == "npy":
        np.save(file, arrays[next(iter(arrays))], allow_pickle=False)
    else:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def frame_of(
    batches: Sequence[Columns],
    dtypes: Mapping[str, str],
    pandas: Mapping[str, str],
) -> pd.DataFrame:
    """Batches of columns as one DataFrame. dtypes: of the source; pandas: the dtypes of the
    DataFrame that it was, by column."""
    import pyarrow as pa

    table = pa.concat_tables([arrow_table(b, dtypes) for b in batches])
    frame: pd.DataFrame = table.to_pandas()
    for name, dtype in pandas.items():
        # Arrow knows fewer types than pandas, such as its category
        if name in frame and str(frame[name].dtype) != dtype:
            frame[name] = frame[name].astype(dtype)  # type: ignore[call-overload]
    return frame


def frame_of_text(body: bytes, format: Mapping[str, Json], names: Sequence[str]) -> pd.DataFrame:
    """A DataFrame of a table in text. format: how it is written; names: of its columns, used if it
    has no header."""
    import pandas as pd

    rule = Rule(format["delimiter"], bool(format.get("space")))
    # by our own rule of what a record is, before pandas applies another
    records = fields(body.removeprefix(encodings.BOM), rule)
    if not len(records):
        return pd.DataFrame({name: [] for name in names})
    options: dict[str, Any] = {"decimal": format["decimal"]}
    if not format["header"]:
        options |= {"header": None, "names": list(names)}
    if _cut_alike(records, len(names)):
        options |= {"sep": rule.delimiter, "skipinitialspace": rule.space}
        text = records.text
    else:
        # in a form that pandas cannot read in two ways
        text = _all_quoted(records, len(names))
    # of many forms that read_csv returns, the one without chunks
    frame: pd.DataFrame = pd.read_csv(io.StringIO(_decoded(text), newline=""), **options)
    return frame


def _cut_alike(records: Fields, columns: int) -> bool:
    """Whether pandas would cut these records into the same fields, although it strips and skips
    more than csv.reader does. columns: how many the table has."""
    first_bytes = np.frombuffer(records.text, np.uint8)[records.begin]
    blank = (first_bytes == ord(" ")) | (first_bytes == ord("\t"))
    return (
        records.columns == columns
        and records.ends != ""
        and records.rule.delimiter != " "
        and not (records.kind == ODD).any()
        and not blank.any()
        and b"\0" not in records.text
    )


def _all_quoted(records: Fields, columns: int) -> bytes:
    """The records as text with all values quoted and commas between; short records are filled up to
    `columns` values, long ones cut."""
    lines = []
    for record in records.records():
        # short records are filled up, long ones cut
        values = [*record, *[b""] * columns][:columns]
        lines.append(b",".join(b'"' + v.replace(b'"', b'""') + b'"' for v in values))
    return b"\n".join(lines)


def _decoded(text: bytes) -> str:
    """The bytes as text: UTF-8, or, if they are not, Latin-1."""
    try:
        return text.decode("utf-8", encodings.LONE)
    except UnicodeDecodeError:
        return text.decode("latin-1")


def write_idx(file: BinaryIO, batches: Iterator[Pixels], count: int, shape: Sequence[int]) -> None:
    """Write pictures to an idx file. count: how many; shape: (channels, height, width)."""
    channels, height, width = shape
    sizes = [count, height, width] + ([channels] if channels > 1 else [])
    file.write(bytes([0, 0, 8, len(sizes)]) + b"".join(s.to_bytes(4, "big") for s in sizes))
    for pixels in batches:
        file.write(np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)).tobytes())


def write_picture(
    path: Path,
    pixels: Pixels | Deep,
    mode: str = "",
    format: str = "PNG",
    palette: Palette | None = None,
) -> None:
    """Write a picture, (channels, height, width), to a file. mode, format: Pillow's names; mode "":
    gray or colour, by the channels. palette: of pixels that are places in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if palette is None:
        picture = images.pillow_picture(pixels, mode)
    else:
        picture = palette.picture(pixels.astype(np.uint8, copy=False))
    picture.save(path, format=format)
