"""Batches of Arrow brought to a moderate size: small ones are joined, large ones cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from aetool.data.located import Raw

if TYPE_CHECKING:
    import pyarrow as pa

MOST_CELLS = 1 << 22  # of a batch; a wide decimal takes four times as many
MOST_BYTES = 1 << 26  # of a batch that can be cut
Placed: TypeAlias = "tuple[pa.RecordBatch, Raw]"


def put_together(
    batches: Iterable[Placed], most_rows: int
) -> Iterator[tuple[pa.RecordBatch, tuple[Raw, ...]]]:
    """Join small batches that follow one another to larger ones of at most most_rows records and
    MOST_BYTES (2^26) bytes; yields (joined batch, the places in the file from which its parts came,
    in order). A batch with more than that stays as it is, one without records is left out, and
    batches of different dictionaries are not joined. batches: of one schema, each with its
    place."""
    parts: list[pa.RecordBatch] = []
    raws: list[Raw] = []
    rows = size = 0
    for batch, raw in batches:
        if not batch.num_rows:
            continue
        # with the next batch they would be too large: they are yielded, and it begins anew
        is_full = rows + batch.num_rows > most_rows or size + batch.nbytes > MOST_BYTES
        if parts and (is_full or not _of_the_same_dictionaries(parts[0], batch)):
            yield one_batch(parts), tuple(raws)
            parts = []
            raws = []
            rows = 0
            size = 0
        parts.append(batch)
        raws.append(raw)
        rows += batch.num_rows
        size += batch.nbytes
    if parts:
        yield one_batch(parts), tuple(raws)


def one_batch(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Join batches of one schema, at least one, to one batch; of several the values are copied.
    Columns of dictionaries must have the same levels in all."""
    import pyarrow as pa

    if len(parts) == 1:
        return parts[0]
    return pa.concat_batches(parts)


def _of_the_same_dictionaries(batch: pa.RecordBatch, other: pa.RecordBatch) -> bool:
    """Whether the columns of dictionaries have the same levels in both batches, which are of one
    schema."""
    from pyarrow import types

    return all(
        column.dictionary.equals(column_of_other.dictionary)
        for column, column_of_other in zip(batch.columns, other.columns, strict=True)
        if types.is_dictionary(column.type)
    )


def parts(batch: pa.RecordBatch, most_rows: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Cut a batch so that no part of two rows or more has more than most_rows rows, MOST_CELLS
    (2^22) cells or MOST_BYTES (2^26) bytes; yields, in order, (number of the part's first row in
    the batch, from 0, part), nothing for a batch without rows. Parts are views, not copies."""
    step = max(1, min(most_rows, MOST_CELLS // max(1, batch.num_columns)))
    for first in range(0, batch.num_rows, step):
        yield from _halved(first, batch.slice(first, step))


def _halved(first: int, batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (number of its first row, part) of the parts of a batch that is halved until each part
    has at most MOST_BYTES (2^26) bytes, or one row. first: the number of the batch's first row."""
    if batch.num_rows < 2 or batch.nbytes <= MOST_BYTES:
        yield first, batch
        return
    middle = batch.num_rows // 2
    yield from _halved(first, batch.slice(0, middle))
    yield from _halved(first + middle, batch.slice(middle))
