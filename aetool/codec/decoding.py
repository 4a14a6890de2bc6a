"""A model's code back to records: values on their columns' grids, gaps, categories, pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aetool.bundle import Bundle
from aetool.data import writers
from aetool.data.schema import Column, Schema
from aetool.errors import ArchiveError
from aetool.model import Float

MOST_PLACES = 12  # decimals that a true float is written with at most


def decode(
    model: Bundle,
    code: npt.ArrayLike,
    device: str,
    ranges: Mapping[str, Sequence[float]] | None = None,
) -> Any:
    """Codes (rows, latent) to (rows, columns) float64 on each column's grid, or pixels uint8.

    ranges: the lowest and highest number of columns, instead of those the model has seen.
    """
    session = model.session("decoder.onnx", device)
    records = session(np.ascontiguousarray(code, dtype=np.float32))["x_hat"]
    if model.schema is None:
        return np.rint(records).astype(np.uint8)
    for place, column in enumerate(model.schema.modelled):
        if column.kind == "number":
            low, high = column.low, column.high
            if ranges and column.name in ranges:
                low, high = ranges[column.name]
            # a decoder may overshoot; what was never in the file is never restored
            records[:, place] = np.clip(on_grid(column, records[:, place]), low, high)
    return records


def gaps_of(records: Float) -> bytes:
    """Where values are missing, as bits row by row; b"" if nowhere. records: (rows, columns)."""
    gaps = np.isnan(records)
    return np.packbits(gaps).tobytes() if gaps.any() else b""


def put_gaps(schema: Schema, records: Float, raw: bytes) -> None:
    """Makes records, (rows, columns), missing exactly where gaps_of saw them missing. A number that
    the decoder took for a gap becomes its column's median, a category its commonest level."""
    gaps = np.zeros(records.shape, np.bool_)
    if raw:
        if len(raw) != -(-records.size // 8):
            raise ArchiveError("damaged: the gaps of a block do not fit its columns")
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), count=records.size)
        gaps = bits.astype(np.bool_).reshape(records.shape)
    for place, column in enumerate(schema.modelled):
        filler = column.center if column.kind == "number" else 0.0
        values = records[:, place]
        filled = np.where(np.isnan(values), filler, values)
        records[:, place] = np.where(gaps[:, place], np.nan, filled)


def on_grid(column: Column, numbers: Float) -> Float:
    """Numbers rounded to the decimals their column is written with; true floats as they are."""
    if column.decimals is None:
        return numbers
    unit = 10.0**column.decimals
    return np.asarray(np.rint(numbers * unit) / unit)


def values_of(column: Column, numbers: Float) -> writers.Restored:
    """A restored column: categories as their text, numbers as they are."""
    if column.kind != "category":
        return numbers
    # NaN, a gap, is the level behind the last
    levels: list[str | None] = [*column.levels, None]
    index = np.where(np.isnan(numbers), len(column.levels), numbers).astype(np.int64)
    return [levels[i] for i in index.tolist()]


def written_as(column: Column) -> dict[str, Any]:
    """How text files write the column: true floats with the decimals their resolution needs."""
    places = column.decimals
    if places is None and column.kind == "number":
        places = min(MOST_PLACES, max(0, math.ceil(-math.log10(column.resolution))))
    return {"decimals": places, "token": column.token, "comma": column.dtype == "text,"}
