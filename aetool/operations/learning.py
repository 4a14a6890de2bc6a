"""What archives of many small files share, learned with a model."""

from __future__ import annotations

import dataclasses

from aetool.bundle import CODEC, Bundle
from aetool.codec import shared
from aetool.codec.records import Layout
from aetool.data.sources import CsvSource
from aetool.operations import texts
from aetool.operations.fitting import FitOptions

PIECE, MOST = 2 << 20, 12 << 20  # bytes of text: read at a time, and learned from


def learn(source: CsvSource, options: FitOptions) -> bytes | None:
    """The codec's member of a bundle; None where the table's records are not regular."""
    head, names = texts.header_of(source)
    layout = Layout(source.dialect.delimiter, names, shared.EFFORT)
    bounds = texts.bounds_of(source, layout, options.max_error) if options.max_error else {}
    every = max(1, -(-source.path.stat().st_size // MOST))
    pieces = texts.pieces_of(source, PIECE)
    next(pieces)
    kept = [texts.ended(p, source.dialect)[0] for i, p in enumerate(pieces) if i % every == 0]
    made = shared.learn(
        b"".join(kept), head, source.format, names, bounds, options.max_error,
        options.students, options.seed,
    )  # fmt: skip
    return shared.to_bytes(made) if made is not None else None


def with_codec(model: Bundle, source: CsvSource, options: FitOptions) -> Bundle:
    """The model with what it learned for archives."""
    member = learn(source, options)
    if member is None:
        return model
    return dataclasses.replace(model, graphs={**model.graphs, CODEC: member})
