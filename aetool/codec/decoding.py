"""Decoding of a model's codes to records: values on their columns' grids, gaps, categories,
pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from aetool.bundle import Bundle
from aetool.columns.column import Modelled
from aetool.columns.schema import Schema
from aetool.data.table import Table, Values
from aetool.errors import ArchiveError, DataError, ParamError
from aetool.model import Array, Float, Records


def decode(
    model: Bundle,
    code: npt.ArrayLike,
    device: str,
    ranges: Mapping[str, Sequence[float]] | None = None,
    condition: Float | None = None,
) -> Records:
    """Decode `code`, a model's codes, (rows, latent) floats: records (rows, columns) float64, each
    value on its column's grid, or pixels (rows, channels, height, width) uint8 if the model is one
    of pictures.

    ranges: by column's name its lowest and highest number, to which values are clipped in place of
    the range seen in training, which stands for columns that are not in it. device: what runs the
    model: auto, cpu, cuda or cuda:<n>. condition: (rows, conditions) in user units, for a model
    that decodes given a condition; else None. ParamError if it is None and the model needs one, or
    there is no such device; BundleError for a model without a decoder; DataError for codes of
    another width, or that are no numbers.
    """
    return as_written(model, decoded(model, code, device, condition)["x_hat"], ranges)


def as_written(
    model: Bundle,
    records: Array,
    ranges: Mapping[str, Sequence[float]] | None = None,
    amounts: Mapping[str, Float] | None = None,
) -> Records:
    """Bring the output "x_hat" of a model's decoder to the values that a file may have, as `decode`
    returns them; a table's records are changed in place and returned, pixels are rounded to uint8
    in a new array, without being clipped or corrected. records: that output, (rows, columns) or
    (rows, channels, height, width). amounts: by column's name what is added to its numbers before,
    (rows,) in its unit, or to its `usual` where the decoder expects a gap; columns that are not in
    it stay as they are. ranges: as for `decode`."""
    if model.schema is None:
        return np.rint(records).astype(np.uint8)
    for place, column in enumerate(model.schema.modelled):
        values = records[:, place]
        if amounts and column.name in amounts:
            # the sum may overflow, and is limited with what overshoots
            with np.errstate(over="ignore"):
                values = corrected_from(column, values) + amounts[column.name]
        # a decoder may overshoot; what was never in the file is never restored
        range_of_column = (ranges or {}).get(column.name)
        records[:, place] = column.within(values, range_of_column)
    return records


def corrected_from(column: Modelled, values: Float) -> Float:
    """What a column's corrections are added to: `values`, what the decoder gives for it, (rows,),
    and where that expects a gap, NaN, the column's `usual`. A new array."""
    return np.where(np.isnan(values), column.usual, values)


def decoded(
    model: Bundle,
    code: npt.ArrayLike,
    device: str,
    condition: Float | None,
) -> Mapping[str, Array]:
    """The outputs, by name, of the graph of a model's decoder for `code`, (rows, latent), which is
    rounded to float32; "x_hat" has the records, (rows, columns) or (rows, channels, height, width).
    device: what runs the graph, auto, cpu, cuda or cuda:<n>. condition: (rows, conditions), not
    looked at where the graph takes none; ParamError if it is None and the graph takes one, or there
    is no such device; BundleError for a model without a decoder; DataError for codes of another
    width, or that are no numbers."""
    session = model.session("decoder.onnx", device)
    codes = np.ascontiguousarray(codes_for(model, code))
    if len(session.inputs) == 1:
        return session(codes)
    if condition is None:
        raise ParamError(
            f"{model.name}: decodes a code together with {', '.join(condition_names(model))}, "
            "which must be told, too"
        )
    return session(codes, condition)


def codes_for(model: Bundle, codes: npt.ArrayLike) -> Records:
    """Convert `codes`, numbers of any type, to what a model's decoder takes, (rows, latent) float32
    (the same array if it is that already); DataError, with the shape of the array and the one that
    is needed, for an array of any other shape, and for what holds no numbers. For a model without a
    decoder the shape is not checked: what runs it has its own error."""
    needed = f"{model.name} decodes an array of numbers of shape (n, {model.latent})"
    try:
        array = np.asarray(codes, dtype=np.float32)
    except (TypeError, ValueError) as error:
        # such as words, or rows of several lengths
        raise DataError(f"codes: {error}; {needed}") from None
    if "decoder.onnx" in model.graphs and array.shape[1:] != (model.latent,):
        raise DataError(f"codes: of shape {array.shape}; {needed}")
    return array


def condition_names(model: Bundle) -> list[str]:
    """The names of the columns that the model's decoder takes beside a code, in the order in which
    it takes them; [] if it takes none."""
    if model.schema is None or "decoder.onnx" not in model.graphs:
        return []
    # a model may judge records by them, and decode codes without
    if len(model.session("decoder.onnx", "cpu").inputs) == 1:
        return []
    return [model.schema.modelled[place].name for place in model.schema.conditions]


def condition_of(schema: Schema, columns: Mapping[str, Values]) -> Float:
    """Read the columns that the schema takes as conditions, at least one, from the values of a
    source: (rows, conditions) float64 in user units, NaN where missing, ODD (of columns) where a
    cell is not of its column's kind. columns: by name, as the source has them; KeyError if one is
    missing."""
    conditions = [schema.modelled[place] for place in schema.conditions]
    return np.stack([column.parse(columns[column.name]) for column in conditions], axis=1)


def condition_in(table: Table, model: Bundle, where: str) -> Float | None:
    """Read the conditions that a model's decoder takes from a table: (rows, conditions) float64 in
    user units, as condition_of has them; None if it takes none, DataError if one is missing. where:
    the table's name, for messages."""
    names = condition_names(model)
    for name in names:
        if name not in table.names:
            raise DataError(
                f"{where}: no column '{name}', which {model.name} decodes codes together with; "
                "add it, as `aetool encode` writes it beside them"
            )
    if not names or model.schema is None:
        return None
    return condition_of(model.schema, {name: table[name] for name in names})


def gaps_of(records: Float) -> bytes:
    """Pack which cells of records are missing into bytes: one bit for each cell, row by row, the
    highest bit of a byte first, 1 where it is NaN; bits left over are 0; b"" if no cell is. The
    inverse is put_gaps. records: (rows, columns)."""
    gaps = np.isnan(records)
    return np.packbits(gaps).tobytes() if gaps.any() else b""


def put_gaps(schema: Schema, records: Float, raw: bytes) -> None:
    """Change decoded records, (rows, columns), in place, to be NaN exactly where cells of the
    source were missing, as `raw` says. records: float64, a column for each that the schema models;
    raw: the bits of gaps_of, b"" if none were; ArchiveError if it has another length. A cell that
    the decoder wrongly left missing becomes the column's `usual`: of numbers the median, of
    categories the commonest level."""
    gaps = np.zeros(records.shape, np.bool_)
    if raw:
        if len(raw) != -(-records.size // 8):
            raise ArchiveError("damaged: the gaps of a block do not fit its columns")
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), count=records.size)
        gaps = bits.astype(np.bool_).reshape(records.shape)
    for place, column in enumerate(schema.modelled):
        values = records[:, place]
        filled = np.where(np.isnan(values), column.usual, values)
        records[:, place] = np.where(gaps[:, place], np.nan, filled)
