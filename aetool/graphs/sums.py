"""Sums of columns, as nodes of a graph: written so that a record's sum does not depend on where it
stands in its batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aetool.graphs.graph import Graph
from aetool.graphs.term import Term

MOST_SUMMED = 1 << 18  # entries of a matrix that costs are added up by


def weighed_sum(g: Graph, x: str, weight: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
    """Add to graph g the sum of the columns of x, (B, n), each times its weight, (n,): (B, 1);
    returns its name. x: the name of a value of this dtype, in which the sum is computed."""
    values = Term(g, x, dtype)
    return values.weighed_sum(weight).name


def sum_by_column(g: Graph, costs: str, owner: Sequence[int], columns: int) -> str:
    """Add to graph g the sums of costs by column; returns their name, (B, columns + 1), the last,
    what all columns share, being 0. costs: their name, (B, n); owner: (n,), the column of each,
    from 0; columns: how many there are, pixels of a picture among them. float32."""
    summed = _by_column(g.term(costs), owner, columns)
    return summed.name


def _by_column(costs: Term, owner: Sequence[int], columns: int) -> Term:
    """The sum of costs, (B, n), by column: (B, columns + 1), the last being 0. owner: (n,), the
    column of each cost, from 0. Of pictures, whose owner is 0 .. columns - 1 once for each channel,
    channels are added; of very many costs no matrix is made."""
    channels = len(owner) // columns
    owner_of_pixels = list(range(columns)) * channels
    if list(owner) == owner_of_pixels:
        return _sum_over_channels(costs, channels, columns)
    entries = len(owner) * (columns + 1)
    if entries > MOST_SUMMED:
        return _sum_of_many(costs, owner, columns)
    matrix = np.zeros((len(owner), columns + 1))
    rows = np.arange(len(owner))
    matrix[rows, list(owner)] = 1
    return costs @ matrix


def _sum_over_channels(costs: Term, channels: int, pixels: int) -> Term:
    """The sum of costs, (B, channels * pixels), channel by channel, over the channels of each
    pixel: (B, pixels + 1), the last 0."""
    total = costs
    if channels > 1:
        total = costs.columns_between(0, pixels)
    # a sum over an axis would round by where a record stands in its batch
    for first in range(pixels, channels * pixels, pixels):
        channel = costs.columns_between(first, first + pixels)
        total = total + channel
    shared = _zero(costs)
    return total.op("Concat", total, shared, axis=1)


def _zero(costs: Term) -> Term:
    """A zero for each record of costs, (B, n): (B, 1), whose B is known only at run time."""
    first = costs.columns([0])
    return first * 0.0


def _sum_of_many(costs: Term, owner: Sequence[int], columns: int) -> Term:
    """The sum of costs, (B, n), by column, (B, columns + 1), without a matrix, which would be
    large: the first cost of each column, then the second, and so on, are taken together and added.
    owner: (n,), the column of each cost."""
    # a 0 behind the costs stands where a column has no more of them
    with_zero = costs.op("Concat", costs, _zero(costs), axis=1)
    place_of_zero = len(owner)
    places: list[list[int]] = [[] for _ in range(columns + 1)]
    for place, column in enumerate(owner):
        places[column].append(place)
    most = max(map(len, places))
    for of_column in places:
        missing = most - len(of_column)
        of_column += [place_of_zero] * missing
    first, *others = zip(*places, strict=True)
    total = with_zero.columns(first)
    for index in others:
        total = total + with_zero.columns(index)
    return total
