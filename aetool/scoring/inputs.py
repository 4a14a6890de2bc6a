"""Records as a model's graphs take them: matched to its schema, or brought to its size."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from aetool.bundle import Bundle
from aetool.columns.history import History, whole
from aetool.columns.schema import Schema
from aetool.csv.dialect import Reading
from aetool.data import notices
from aetool.data.images import ImageSource
from aetool.data.pictures.decoding import Sight
from aetool.data.pictures.framed import FramedSource, framed
from aetool.data.table import Table, concat
from aetool.data.table_source import ROWS, TableSource
from aetool.errors import DataError
from aetool.model import Float, Int, Records
from aetool.printing import in_utf8
from aetool.spelling import option

VERIFY_ROWS = 64  # records by which a graph is tried
GAPS = 0.05  # part of these cells
Source: TypeAlias = TableSource | ImageSource


@dataclass(frozen=True, eq=False)
class Laid:
    """A batch of records laid out as a model's graphs take them. first: the number of the first
    record, from 0; inputs: (rows, inputs) float64 in user units, or pictures (rows, C, H, W) uint8;
    table: the rows as they were read, None for pictures."""

    first: int
    inputs: Records
    table: Table | None

    @property
    def records(self) -> Int:
        """(rows,): the numbers of the records in the source, from 0."""
        if self.table is None:
            return np.arange(self.first, self.first + len(self.inputs))
        return self.table.records


def known_of(model: Bundle | None) -> Reading:
    """How the text of the tables that a model was fitted on is written (separator, decimal mark,
    ...), so that open_source reads other tables alike; an empty Reading without a model."""
    if model is None:
        return Reading()
    return model.reading


def seen_by(source: Source, model: Bundle, strict: bool = False) -> Source:
    """Wrap a source so that its records come as the model takes them: pictures resized, cropped or
    cut into tiles as they were for the fit; tables as they are. strict: whether a picture that
    cannot be read is an error.

    DataError if the source is not of the model's kind, tables or pictures; if it has no picture; or
    if its pictures have another size than the model needs (see `_check_size`). A FramedSource is
    returned as it is.
    """
    if isinstance(source, FramedSource):
        return source
    if source.kind != model.kind:
        raise DataError(f"{source.name}: holds {source.kind}s, {model.name} is of {model.kind}s")
    if not isinstance(source, ImageSource):
        return source
    _check_size(source, model)
    return framed(source, model.view, strict)


def _check_size(source: ImageSource, model: Bundle) -> None:
    """Raise DataError where there is no picture, or where the commonest size of the pictures is not
    the one that the model needs, unless it resizes, crops or cuts them. Pictures none of which can
    be read pass. Say it in a notice if most are in colour and the model sees gray, or the other way
    round."""
    framing = model.view
    sights = [sight for sight in source.sights if isinstance(sight, Sight)]
    if not source.sights:
        raise DataError(source.why_empty())
    if not sights:
        return
    sizes = Counter((sight.width, sight.height) for sight in sights)
    ((width, height), _), *_ = sizes.most_common(1)
    coloured = sum(sight.coloured for sight in sights)
    mostly_coloured = 2 * coloured > len(sights)
    channels = 3 if mostly_coloured else 1
    # pictures are brought to the model's size, or cut into pieces of it
    takes_any_size = framing.resize or framing.stride or framing.crop
    is_size_of_model = (width, height) == (framing.width, framing.height)
    if not takes_any_size and not is_size_of_model:
        commonest = f"{width} x {height} x {channels}"
        needed = f"{framing.width} x {framing.height} x {framing.channels}"
        remedy = f"fit with {option('--resize')} {framing.width}x{framing.height} for any size"
        raise DataError(
            f"{source.name}: pictures of {commonest}, {model.name} takes {needed}; {remedy}"
        )
    if mostly_coloured and framing.channels == 1:
        notices.say(source.name, "in colour, and seen in gray, as the model was fitted")
    if not mostly_coloured and framing.channels == 3:
        notices.say(source.name, "gray, where the model was fitted on colour")


def inputs_of(source: Source, bundle: Bundle) -> Iterator[Laid]:
    """Yield the records of a source as the graphs of a model, `bundle`, take them, batch by batch,
    in the source's order; a table without rows gives one batch of none. Pictures are framed by
    seen_by, unless they are already, and one that cannot be read is left out. DataError for a
    source that is not of the model's kind or whose pictures have another size (see seen_by), and
    for a table that lacks a column of the model or has one that holds nothing of its kind."""
    if isinstance(source, ImageSource):
        framed_pictures = seen_by(source, bundle)
        assert isinstance(framed_pictures, FramedSource)
        for first, pixels in framed_pictures.numbered():
            yield Laid(first, pixels, None)
        return
    assert bundle.schema is not None
    if bundle.schema.order:
        yield from _rows_with_ordered_history(source, bundle.schema)
    else:
        yield from _encoded_rows(source, bundle.schema)


def _rows_with_ordered_history(source: TableSource, schema: Schema) -> Iterator[Laid]:
    """Yield the rows of a table batch by batch, in the source's order; the inputs of each are its
    columns and those of the `schema.context` rows of its group that come before it when all are
    sorted by the column `schema.order`. That order is known only when all rows are read, so the
    whole table is kept in memory. Raises DataError where history.whole does."""
    everything = concat(list(source.batches()))
    schema = schema.as_written(everything, source.decimal)
    inputs = whole(schema, everything, source.name)
    for first, part in enumerate_batches([everything]):
        end = first + len(part)
        yield Laid(first, inputs[first:end], part)


def _encoded_rows(source: TableSource, schema: Schema) -> Iterator[Laid]:
    """Yield the rows of a table batch by batch, in the source's order, with their graph inputs: the
    row's own columns and, if the model has a context, those of the rows before it. Raises DataError
    where Schema.encode does."""
    history = None
    if schema.context:
        history = History(schema)
    for first, part in enumerate_batches(source.batches()):
        if first == 0:
            # how dates and numbers are written is told by the first rows, and holds for all
            schema = schema.as_written(part, source.decimal)
        inputs = schema.encode(part, source.name)
        if history is not None:
            inputs = history.wide(inputs, part)
        yield Laid(first, inputs, part)


def enumerate_batches(tables: Iterable[Table], first: int = 0) -> Iterator[tuple[int, Table]]:
    """Cut tables into batches of at most ROWS (65,536) rows; yields (number of the batch's first
    record, batch), in order. first: the number of the very first record. An empty table gives one
    batch of no rows, which tells the names of columns. The first_row of each batch is its row in
    the whole source."""
    for table in tables:
        # of an empty table there is one start, too
        rows = max(len(table), 1)
        for start in range(0, rows, ROWS):
            part = table
            if len(table) > ROWS:
                part = table.take(slice(start, start + ROWS))
            # whoever reads an error looks for the row in the whole file
            first_row = table.first_row + start
            yield first, dataclasses.replace(part, first_row=first_row)
            first += len(part)


def unread_of(source: Source) -> list[tuple[int, str, str]]:
    """(number from 0, name, reason) of each picture that could not be read so far, in order; all of
    them only once the source has been read to its end; empty for tables."""
    if not isinstance(source, FramedSource):
        return []
    unread = []
    for record, reason in sorted(source.unread.items()):
        name = in_utf8(source.title(record))
        unread.append((record, name, reason))
    return unread


def of_other_sizes(source: Source) -> str:
    """A remark on the pictures of other sizes than a model takes whole, that could be read so far,
    with what would bring them to its size; "" where there are none, for tables, and where pictures
    were cropped or cut into tiles."""
    if not isinstance(source, FramedSource) or not source.unframed:
        return ""
    framing = source.framing
    if framing.crop or framing.stride:
        return ""
    count = len(source.unframed)
    number, they, are = ("1", "it", "is") if count == 1 else (f"{count:,}", "they", "are")
    return (
        f"{number} of these {are} whole, and of another size than the model, which was fitted on "
        f"one size alone: fit with {option('--resize')} {framing.width}x{framing.height}, and "
        f"{they} {are} brought to that"
    )


def check_readable(source: Source) -> None:
    """Raise DataError, with the reason of the first, if none of a source's pictures can be read.
    To be called once the source has been read to its end; tables and no pictures at all pass."""
    if isinstance(source, FramedSource) and source.unread and not source.readable:
        raise source.none_readable()


def random_inputs(model: Bundle) -> Records:
    """64 random records as a model's graphs take them, (64, inputs) float64 in user units, drawn by
    its schema with 5 % of gaps, each record standing for the rows before it, too; for a model of
    pictures noise, (64, C, H, W) uint8. The same at every call."""
    rng = np.random.default_rng(0)
    if model.schema is None:
        shape = model.shape or ()
        return rng.integers(0, 256, (VERIFY_ROWS, *shape), dtype=np.uint8)
    columns: list[Float] = []
    for column in model.schema.modelled:
        drawn = column.random(VERIFY_ROWS, rng)
        # graphs have a branch of their own for gaps
        is_gap = rng.random(VERIFY_ROWS) < GAPS
        columns.append(np.where(is_gap, np.nan, drawn))
    rows = np.stack(columns, axis=1)
    # of models that are given rows before each, these are the same as the row itself
    return np.tile(rows, (1, model.schema.context + 1))
