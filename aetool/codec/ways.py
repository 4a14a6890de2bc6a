"""All further ways to store columns of text, beyond the first that suits, for every content that
has such columns.

A table's text, its Parquet file, an array of strings and lines of JSON hold the same cells, and
what makes them smaller in one makes them smaller in all.
"""

from __future__ import annotations

from collections.abc import Sequence

from aetool.codec import (
    common_units,
    composing,
    planning,
    quotients,
    ranks,
    singles,
    skeletons,
    squeezing,
    units,
)
from aetool.codec.columns import Coded


def offer(
    columns: Sequence[Coded],
    effort: planning.Effort,
    ways_known: Sequence[int] = (),
) -> None:
    """Add to `others` of the columns of a block, of text, in place, the encodings that may take
    fewer bits, and compress their texts more; nothing where the effort does not try ranks. To be
    called once, behind `textual.encode`, which makes such columns.

    `blocks.encode` then writes, of each column, the encoding that takes fewest. ways_known: the
    ways that it will take without a look, where they are known of all columns (Hints.ways): a
    column that is stored in its first encoding is offered no other.
    """
    if not effort.ranks:
        return
    squeezing.squeeze(columns, effort)
    undecided_columns = columns
    # the first way, 0, is there already
    if len(ways_known) == len(columns):
        undecided_columns = [column for column, way in zip(columns, ways_known, strict=True) if way]
    compositions = composing.compositions(columns, undecided_columns)
    rests = [composition.rest for composition in compositions]
    squeezing.squeeze(rests, effort)
    to_store = [undecided_columns]
    if rests:
        to_store.append(rests)
    # numbers in units of their own, 32-bit floats by fewer digits, quotients by whole numbers,
    # ranks in a dictionary, sentences cut into skeletons and parts
    for some_columns in to_store:
        units.offer(some_columns)
        singles.offer(some_columns)
        quotients.offer(some_columns)
        ranks.offer(some_columns, effort)
        skeletons.offer(some_columns, effort)
    # the others look at the numbers as they are written
    common_units.count_in_units([*columns, *rests])
    # what is left of a column that others stand in is stored in any way that columns are
    for composition in compositions:
        composition.offer()
