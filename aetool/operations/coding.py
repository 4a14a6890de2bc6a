"""encode and decode: records to files of codes, z0, z1, ..., and back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aetool import engine as engines
from aetool.bundle import Bundle
from aetool.codec import decoding
from aetool.columns.column import ODD
from aetool.data import sources, writers
from aetool.data.table import Cells, Table
from aetool.data.table_source import TableSource
from aetool.data.text import name_beside
from aetool.errors import DataError, ParamError
from aetool.files import atomic
from aetool.model import Float, Records
from aetool.printing import in_utf8
from aetool.scoring import threads
from aetool.scoring.inputs import check_readable, inputs_of, known_of, seen_by
from aetool.scoring.spread import Scoring
from aetool.spelling import option
from aetool.writing import drawing, records
from aetool.writing.codes import CSV, cells, encoder_of
from aetool.writing.pictures import write_pictures

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "folder"  # what pictures are coloured by: the first folder of their names


def encode(
    data: object,
    model: Bundle,
    device: str = "auto",
    executor: engines.Chosen = None,
) -> Records:
    """Encode every record by the model's encoder: its code, (records, latent) float32, in the order
    of the data; a picture that cannot be read has none.

    data: a path, a DataFrame, or what else sources.open_source takes; of pictures one at least must
    be readable, a table may have no rows. device: where the encoder runs: auto, cpu, cuda or
    cuda:<n>. executor: what computes, by a name that aetool.engine knows, or an executor; None for
    this process. BundleError for a model without an encoder; DataError for data that it does not
    take; ParamError for a device that is not there, or a text that names no executor; EngineError
    for an executor that cannot be reached.
    """
    source = seen_by(sources.open_source(data, known_of(model)), model)
    session = model.session("encoder.onnx", device)
    with threads.engine_for(executor, source, model, session) as engine:
        # the order is the source's, whoever computed a batch
        batches = Scoring(source, model, session, device, engine).codes()
        codes = [batch.codes for batch in batches]
    check_readable(source)
    return np.concatenate(codes)


def write_codes(
    data: object,
    path: str | os.PathLike[str],
    model: Bundle,
    columns: Sequence[str] = (),
    force: bool = False,
    device: str = "auto",
    executor: engines.Chosen = None,
) -> int:
    """Write the code of every record to a CSV or, if the path ends in .parquet, a Parquet file, or
    as a plugin that writes files of that name does; returns how many records.

    The columns are: row (from 1), for pictures that have names `picture` (these), the columns of
    the data that are asked for, the columns that the model needs beside a code to decode it, and
    z0, z1, ... (the code). A column of the data whose name is taken is called "input.NAME";
    ParamError if it is one that the model needs, which decoding finds by its name. ParamError for
    `columns` of pictures, or of which one is not there, and for a model without an encoder;
    DataError for a file that exists, unless force, and for pictures none of which can be read.
    data: a path, or records in memory; device: where the encoder runs; executor: what computes, by
    a name that aetool.engine knows, None for this process; ParamError for a text that names none,
    EngineError for one that cannot be reached.
    """
    source = seen_by(sources.open_source(data, model.reading), model)
    names = getattr(source, "record_names", [])
    if columns and model.schema is None:
        raise ParamError(f"{option('--id')} is for tables")
    session = encoder_of(model, device)
    code_names = [f"z{unit}" for unit in range(model.latent)]
    own_names = ["row", *code_names]
    conditions = decoding.condition_names(model)
    _refuse_taken(conditions, own_names, model)
    # each once, in the order in which they were asked for
    columns = list(dict.fromkeys([*columns, *conditions]))
    # of each column of the data what it is called in the file
    labels: dict[str, str] = {}
    taken = {*own_names, *conditions}
    for name in columns:
        labels[name] = name if name in conditions else name_beside(name, taken)
        taken.add(labels[name])
    count = 0
    # of the columns beside the code, whose types some sources tell only while they are read
    types: dict[str, str] = {}
    types_beside = source.dtypes if isinstance(source, TableSource) else {}

    def batches(engine: engines.Engine | None) -> Iterator[writers.Columns]:
        """Yield the columns of each batch by name, all as texts but numbers of the data, and add
        its records to `count`. engine: what computes the codes, None for this process. DataError
        for pictures none of which can be read."""
        nonlocal count
        for batch in Scoring(source, model, session, device, engine).codes(columns):
            z = batch.codes
            # tables have records counted from 1, as detect counts them
            numbers = (batch.records + 1).tolist()
            columns_of_batch: writers.Columns = {"row": [str(number) for number in numbers]}
            if names:
                end = batch.first + len(z)
                columns_of_batch["picture"] = [in_utf8(name) for name in names[batch.first : end]]
            for name, label in labels.items():
                columns_of_batch[label] = cells(batch.table, name, source.name)
                if name in types_beside:
                    types[label] = types_beside[name]
            for unit, name in enumerate(code_names):
                entries = z[:, unit].tolist()
                # nine digits tell any two float32 apart
                columns_of_batch[name] = [format(entry, ".9g") for entry in entries]
            count += len(z)
            yield columns_of_batch
        # of pictures none of which can be read no file is left: DataError
        check_readable(source)

    target = Path(path)
    # what the suffix says
    kind = records.kind_by_name(target)
    format_written = {**CSV, "format": kind}
    with threads.engine_for(executor, source, model, session) as engine:
        tables = batches(engine)
        if kind == "parquet":
            # Parquet has types of its own: numbers are written as such
            tables = (_with_numbers(table, own_names) for table in tables)
        records.write_records(target, tables, format_written, dtypes=types, force=force)
    return count


def plot_codes(
    data: object,
    path: str | os.PathLike[str],
    model: Bundle,
    colour: str | None = None,
    force: bool = False,
    device: str = "auto",
) -> None:
    """Draw the codes of records as points of a plane, a PNG file; of more than 20,000 records as
    many, evenly spread.

    The axes are the two numbers of a code; of longer codes their first two principal components.
    colour: the column by which points are coloured; of pictures "folder", the first folder of their
    names; None: all alike. ParamError for any other colour, for a model without an encoder or with
    codes of one number, and without matplotlib; DataError if there are no records, and for a file
    that exists, unless force. data: a path, or records in memory; device: where the encoder runs.
    """
    source = seen_by(sources.open_source(data, model.reading), model)
    names: list[str] = getattr(source, "record_names", [])
    of_folders = colour is not None and model.schema is None
    # pictures in memory have no names, and so no folders
    if of_folders and (colour != FOLDER or not names):
        raise ParamError(f"pictures are coloured by their folder: {option('--color')} {FOLDER}")
    session = encoder_of(model, device)
    codes: list[Records] = []
    colour_values: list[object] = []
    for batch in inputs_of(source, model):
        codes.append(session(batch.inputs)["z"])
        if of_folders:
            end = batch.first + len(batch.inputs)
            own_names = names[batch.first : end]
            colour_values += [name.split("/")[0] for name in own_names]
        if colour is not None and batch.table is not None:
            colour_values += list(cells(batch.table, colour, source.name))
    count = sum(map(len, codes))
    # a plane of no points has no axes
    if not count:
        raise DataError(f"{source.name}: no records to draw")
    all_codes = np.concatenate(codes)
    points, axes = drawing.plane(all_codes)
    with atomic(Path(path), force, named_by=option("--plot")) as file:
        drawing.scatter(file, points, axes, colour or "", colour_values)


def _refuse_taken(conditions: Sequence[str], own_names: Sequence[str], model: Bundle) -> None:
    """Raise ParamError if a column that codes are decoded with has the name of a column that every
    table of codes has, such as row or z0, since decoding finds columns by their names. conditions:
    names of the first; own_names: names of the second."""
    for name in conditions:
        if name in own_names:
            raise ParamError(
                f"{model.name}: codes are decoded together with its column '{name}', and a table "
                f"of codes has a '{name}' of its own; rename the column in the data, and fit again"
            )


def _with_numbers(batch: writers.Columns, own_names: Sequence[str]) -> writers.Columns:
    """A table of codes, columns by name, in which those of own_names, such as row and z0, are
    float64, for a Parquet file, and no longer texts, as CSV takes them; other columns stay as they
    are."""
    numbered: writers.Columns = {}
    for name, column in batch.items():
        if name in own_names:
            column = np.array(column, np.float64)
        numbered[name] = column
    return numbered


def write_records(
    data: object,
    path: str | os.PathLike[str],
    model: Bundle,
    force: bool = False,
    device: str = "auto",
) -> int:
    """Decode a table of codes and write the records: a CSV or Parquet file of the model's columns
    (or what a plugin that writes files of that name makes of them), or pictures as .npy or a folder
    of PNG files. Returns how many.

    data: a table with the columns z0 .. z<latent - 1>, and the columns that the model needs beside
    a code. If the model is of tables, any other column is copied, but for those of a name that the
    model decodes. ParamError for a model without a decoder; DataError if data are pictures, if one
    of these columns is missing, or z0, z1, ... hold anything but finite numbers, and for a file
    that exists, unless force. device: where the decoder runs.
    """
    if "decoder.onnx" not in model.graphs:
        raise ParamError(f"{model.plugin} has no decoder")
    source = sources.open_source(data)
    if not isinstance(source, TableSource):
        raise DataError(f"{source.name}: codes are a table of z0, z1, ..., not {source.kind}s")
    # the columns that hold the code, whatever stands beside them
    code_names = [f"z{unit}" for unit in range(model.latent)]
    count = 0

    def batches() -> Iterator[tuple[writers.Columns, Records]]:
        """Yield (the columns that are copied, by name; the decoded records) of each batch, and add
        its records to `count`. DataError where a column of codes or of a condition is missing, or a
        code is no finite number."""
        nonlocal count
        for table in source.batches():
            units = [_column_of_codes(table, name, source.name) for name in code_names]
            z = np.stack(units, axis=1)
            count += len(z)
            other_columns: writers.Columns = {}
            for name in table.names:
                if name not in code_names:
                    other_columns[name] = cells(table, name, source.name)
            condition = decoding.condition_in(table, model, source.name)
            decoded = decoding.decode(model, z, device, condition=condition)
            yield other_columns, decoded

    target = Path(path)
    if model.schema is None:
        # an array of pictures is written as one
        parts = [decoded for _, decoded in batches()]
        if parts:
            pixels = np.concatenate(parts)
        else:
            shape = model.shape or ()
            pixels = np.zeros((0, *shape), np.uint8)
        write_pictures(target, pixels, force)
        return count
    schema = model.schema
    # context, such as dates, is not in a code
    in_codes = [(place, column) for place, column in enumerate(schema.modelled) if column.predicted]

    def tables() -> Iterator[writers.Columns]:
        """Yield the columns of each batch to be written, by name: those copied, and over them those
        that the model decodes."""
        for columns, decoded in batches():
            for place, column in in_codes:
                columns[column.name] = column.restored(decoded[:, place])
            yield columns

    kind = records.kind_by_name(target)
    # what is copied beside them has the types of its own file
    decoded_names = {column.name for _, column in in_codes}
    types = {name: dtype for name, dtype in schema.dtypes.items() if name in decoded_names}
    records.write_records(
        target,
        tables(),
        {**CSV, "format": kind},
        dtypes={**source.dtypes, **types},
        written={column.name: column.written() for column in schema.columns},
        force=force,
    )
    return count


def decode(
    codes: npt.ArrayLike,
    model: Bundle,
    device: str = "auto",
    condition: object = None,
) -> pd.DataFrame | Records:
    """Decode codes to the records that they stand for: a DataFrame of the model's columns, or
    pictures (rows, C, H, W) uint8.

    codes: (rows, latent), as many numbers each as the model's codes have. condition: a DataFrame of
    as many rows, or a path, of the columns that the model needs beside a code. Columns that are in
    no code, such as dates, are None throughout in the result, unless condition tells them; a cell
    of it that is not of its column's kind is a gap. ParamError for a condition that is needed and
    not given, that is pictures, or has another number of rows; BundleError for a model without a
    decoder; DataError for codes of another shape, or of no numbers, and for a condition that lacks
    a column. device: where the decoder runs.
    """
    codes = decoding.codes_for(model, codes)
    values = None
    if condition is not None:
        source = sources.open_source(condition, model.reading)
        if not isinstance(source, TableSource):
            raise ParamError(f"{source.name}: the condition of codes is a table, not pictures")
        values = decoding.condition_in(source.head(), model, source.name)
        count = len(codes)
        if values is not None and len(values) != count:
            raise ParamError(f"{count} codes, and {len(values)} rows of their condition")
    x: Records = decoding.decode(model, codes, device, condition=values)
    if model.schema is None:
        return x
    if values is not None:
        # the decoder was told them, and they are known exactly; to it an odd cell is a gap
        x[:, model.schema.conditions] = np.where(values == ODD, np.nan, values)

    columns: writers.Columns = {}
    dtypes = {}
    for place, column in enumerate(model.schema.modelled):
        is_known = column.condition and values is not None
        if not column.predicted and not is_known:
            # context, which a code does not carry
            columns[column.name] = [None] * len(x)
            continue
        columns[column.name] = column.restored(x[:, place])
        if column.dtype:
            dtypes[column.name] = column.dtype
    return writers.frame_of([columns], dtypes, {})


def _column_of_codes(table: Table, name: str, where: str) -> Float:
    """One number of the code of each record, (rows,) float64: the column called `name`. where: the
    name of the data, for messages. DataError if the column is not there, or holds anything but
    finite numbers; it names the first such row."""
    if name not in table.names:
        raise DataError(f"{where}: no column {name}; codes are columns z0, z1, ...")
    values = table[name]
    # a CSV's columns are text that was not parsed yet
    texts = values.strings() if isinstance(values, Cells) else values
    try:
        z = np.array(texts, np.float64)
    except ValueError as error:
        raise DataError(
            f"{where}: column {name} holds something else than numbers: {error}"
        ) from None
    odd_places = np.flatnonzero(~np.isfinite(z))
    if len(odd_places):
        first = odd_places[0]
        # as people count rows
        row = table.records[first] + 1
        raise DataError(f"{where}: row {row}: {name} is missing or not finite")
    return z
