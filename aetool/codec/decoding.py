"""A model's code back to records: values on their columns' grids, gaps, categories, pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aetool.bundle import Bundle
from aetool.columns.schema import Schema
from aetool.errors import ArchiveError
from aetool.model import Float


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
        # a decoder may overshoot; what was never in the file is never restored
        own = (ranges or {}).get(column.name)
        records[:, place] = column.within(records[:, place], own)
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
        values = records[:, place]
        filled = np.where(np.isnan(values), column.usual, values)
        records[:, place] = np.where(gaps[:, place], np.nan, filled)
