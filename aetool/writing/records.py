"""Writes records to a file, of a kind that aetool writes itself, or of one that an installed plugin
writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aetool.codec.archive import Archive
from aetool.data import arrow_files, notices, readers, writers
from aetool.data.compressing import output_by_name
from aetool.errors import ParamError
from aetool.files.names import broken_promise, suffix_of
from aetool.model import Batch

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = {".csv": "csv", ".parquet": "parquet"}  # of tables, by the suffix of a name
AT_ONCE = 1 << 16  # records of an archive that are in memory at a time


def kind_by_name(target: Path) -> str:
    """The kind of file, csv or parquet, that a table is written as to a file of this name: by its
    suffix, csv for any other. A notice says so where the name promises another kind, and no plugin
    writes such. target: "-" for standard output."""
    kind = KINDS.get(suffix_of(target.name))
    if kind is not None:
        return kind
    promise = broken_promise(target.name, KINDS)
    if promise and readers.writer_of(target) is None:
        notices.say(str(target), promise)
    return "csv"


def write_records(
    target: Path,
    batches: Iterable[writers.Columns],
    format: Mapping[str, object],
    *,
    dtypes: Mapping[str, str] | None = None,
    written: Mapping[str, Mapping[str, object]] | None = None,
    force: bool = False,
) -> None:
    """Write restored columns as a plugin's reader does, if one writes files of this name, else as
    the format says. target: "-" for standard output. batches: columns by name, each a list of texts
    or an array, (rows,). dtypes: Arrow's names of the source's types, by column; written: by column
    how text files write its numbers, as writers.text_of takes it; both None for nothing known.
    format: how the source was written, with "format" one of csv, jsonl, parquet, arrow, npy or npz,
    as writers.write_table takes it. force: replace what is there. DataError if something is there,
    unless force, or cannot be written so."""
    # an empty one may still be filled while batches are made
    if dtypes is None:
        dtypes = {}
    plugin_writer = readers.writer_of(target)
    if plugin_writer is not None:
        readers.write(plugin_writer, target, arrow_batches(batches, dtypes), force)
        return
    with output_by_name(target, force) as file:
        writers.write_table(file, batches, format, dtypes, written or {})


def arrow_batches(
    batches: Iterable[writers.Columns], dtypes: Mapping[str, str]
) -> Iterator[pa.RecordBatch]:
    """Yield restored columns, by name, as Arrow's batches. dtypes: Arrow's names of the source's
    types, by column; where it has none, texts, moments or numbers. DataError for a text that is no
    value of its column's type."""
    for columns in batches:
        yield from readers.as_batches(writers.arrow_table(columns, dtypes))


def restored_batches(
    archive: Archive,
    first: int,
    last: int,
    columns: Sequence[str] | None = None,
) -> Iterator[Batch]:
    """Yield records first .. last - 1 of an archive, at most AT_ONCE (65,536) at a time, as a
    plugin's reader writes them: RecordBatches of one schema, or uint8 pictures, (n, height, width)
    or (n, height, width, channels). Of no records there is one batch without any.

    columns: of a table only these; None: all. ParamError for a column that is not there, and for
    arrays that are neither a table nor pictures; ArchiveError where the archive is damaged. Tables
    of several batches are decoded twice: the first time for the schema that all share.
    """
    if columns is not None:
        # ParamError for a column that is not there
        archive.content.places(archive, columns)
    # of no records there is one batch, which tells the columns
    begins = range(first, max(last, first + 1), AT_ONCE)
    pieces = (_piece(archive, begin, min(begin + AT_ONCE, last), columns) for begin in begins)
    if len(begins) == 1:
        yield from pieces
        return
    # the first time: the schema that all batches share; pictures need none
    schema = None
    for piece in pieces:
        if isinstance(piece, np.ndarray):
            break
        schema = piece.schema if schema is None else arrow_files.joint_schema(schema, piece.schema)
    for begin in begins:
        piece = _piece(archive, begin, min(begin + AT_ONCE, last), columns)
        yield piece if isinstance(piece, np.ndarray) else piece.cast(schema)


def _piece(archive: Archive, first: int, last: int, columns: Sequence[str] | None) -> Batch:
    """Records first .. last - 1 of an archive as a plugin's reader writes them: a RecordBatch of
    these columns, all for None, or pictures (n, height, width) or (n, height, width, channels)
    uint8. ParamError for other arrays."""
    piece = archive.content.frame(archive, first, last)
    if arrow_files.is_frame(piece):
        frame = piece if columns is None else piece[list(columns)]
        table = arrow_files.as_arrow(frame).replace_schema_metadata(None)
        return next(readers.as_batches(table.combine_chunks()))
    if isinstance(piece, np.ndarray) and piece.ndim == 4 and piece.dtype == np.uint8:
        if piece.shape[1] == 1:
            return piece[:, 0]
        return piece.transpose(0, 2, 3, 1)
    raise ParamError(f"{archive.reader.path}: holds arrays, neither a table nor pictures")
