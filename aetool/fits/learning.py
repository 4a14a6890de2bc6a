"""Learns from a table what archives of many small files have in common, to be stored with a
model."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from fractions import Fraction

from aetool.bundle import CODEC, Bundle
from aetool.codec import shared, source_texts
from aetool.codec.records import Layout
from aetool.columns.quantities import places_of_names
from aetool.columns.schema import Schema
from aetool.data.sources import CsvSource

PIECE, MOST = 2 << 20, 12 << 20  # bytes of text: read at a time, and learned from


def with_codec(
    model: Bundle,
    source: CsvSource,
    max_error: Mapping[str, str],
    students: bool,
    seed: int,
) -> Bundle:
    """A copy of the model to which an archive codec is added that was learned from the source;
    without one if its records are not regular. max_error: the bound by column, as "0.5" or "1%", ""
    for all others; {} for lossless archives; students: whether to train small networks that predict
    columns; seed: of what is drawn."""
    member = learn(source, max_error, students, seed, model.schema)
    if member is None:
        return model
    return dataclasses.replace(model, graphs={**model.graphs, CODEC: member})


def learn(
    source: CsvSource,
    max_error: Mapping[str, str],
    students: bool,
    seed: int,
    schema: Schema | None = None,
) -> bytes | None:
    """The bytes of an archive codec (what archives of many small files of such a table have in
    common) that is learned from a table, as a bundle stores them; None if its records are
    irregular. max_error: the bound by column, as "0.5" or "1%", "" for all others, for lossy
    archives; {} for lossless ones; students: whether to train small networks that predict columns;
    of more than 12 MiB of text only pieces from everywhere in it are learned from; seed: of what is
    drawn; schema: tells the columns that max_error bounds only if it names them; None: there are no
    such."""
    head, names = source_texts.header_of(source)
    layout = Layout(source.dialect.rule, names, shared.EFFORT)
    bounds: dict[str, Fraction] = {}
    if max_error:
        # for them, as for an archive's, the whole table is read for its ranges
        # the header may have a name twice, or none
        apart: Collection[int] = ()
        if schema is not None:
            names_in_schema = next(iter(source.batches())).names
            by_field = source_texts.names_by_field(source, names_in_schema, names)
            apart = places_of_names(schema, by_field)
        bounds = source_texts.bounds_of(source, layout, max_error, names, apart)
    every = max(1, -(-source.path.stat().st_size // MOST))
    pieces = source_texts.pieces_of(source, PIECE)
    # the first is what stands above the records
    next(pieces)
    chosen_pieces = [piece for i, piece in enumerate(pieces) if i % every == 0]
    learned = shared.learn(
        b"".join(chosen_pieces), head, source.format, names, bounds, max_error, students, seed
    )
    if learned is not None:
        return shared.to_bytes(learned)
    return None
