"""A histogram of each column, counted without the record itself (after Goldstein & Dengel 2012)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, costs
from aetool.errors import DataError
from aetool.model import Float, Int, Spec

PRIOR = 1.0  # rows, spread over all cells of a column: what no row has is not impossible
LEAST_WIDTH = 1e-5  # of a cell of one value, in standard deviations: float32 tells no less apart
FLOAT32 = np.finfo(np.float32)
LARGEST = float(FLOAT32.max)


@dataclass(frozen=True, eq=False)
class Cells:
    """The histogram of one column of numbers.

    edges: (k,), rising, between the cells, in standard deviations, as values are standardised.
    nats: (k + 1,), the surprise of each cell, -log p, those below the first edge and above the last
    included. width: of a bin, in the same unit; where each value has a cell of its own, what the
    width of a bin would be.
    """

    edges: Float
    nats: Float
    width: float

    @property
    def lowest(self) -> float:
        """The first edge; without cells a value that no number lies below."""
        if not len(self.edges):
            return -LARGEST
        return float(self.edges.min())

    @property
    def highest(self) -> float:
        """The last edge; without cells a value that no number lies above."""
        if not len(self.edges):
            return LARGEST
        return float(self.edges.max())


NO_CELLS = Cells(edges=np.zeros(0), nats=np.zeros(1), width=1.0)


@dataclass(frozen=True, eq=False)
class Histograms(Solution):
    """A histogram of each column: a record costs the surprise of its values, -log p each.

    edges, nats: (numbers, k) and (numbers, k + 1), those of the `Cells` of each number, one number
    a row; shorter rows end in infinite edges, and 0 nats. lowest, highest, width: (numbers,), the
    first edge, the last edge and the width of a bin; beyond these ends the surprise rises by the
    logarithm of 1 + the distance in widths. missing, present: (flags,), the surprise of a gap and
    of a value, in nats. levels: (features,), that of each level, in nats; 0 for other features.
    centre: (features,), medians of the numbers, and the part of the rows that has a flag or level.
    All are of standardised values.
    """

    edges: Float
    nats: Float
    lowest: Float
    highest: Float
    width: Float
    missing: Float
    present: Float
    levels: Float
    centre: Float
    fair: bool = True  # no row counts itself

    def expected(self, g: Builder, x: Value) -> Value:
        """The usual values, `centre`, for every record of x, (batch, features): medians, and how
        often flags and levels occur."""
        return x * 0.0 + self.centre

    def parts(self, g: Builder, x: Value) -> Value:
        """(batch, columns + 1), in nats: the surprise of each column's value in x, (batch,
        features), by itself; last 0. A missing number costs by its flag alone."""
        spec = g.spec
        numbers = None
        if len(spec.numeric):
            standardised = g.numbers(x)
            nats = self._nats_of_numbers(g, standardised)
            numbers = costs.where_present(g, x, nats)
        flags = None
        if spec.flags:
            index = [feature for feature, _ in spec.flags]
            flag = g.columns_of(x, index)
            difference = self.missing - self.present
            flags = flag * difference + self.present
        levels = None
        if spec.categories:
            index, block = costs.levels_of(spec)
            level = g.columns_of(x, index)
            # 1 for the level that the record has, 0 for all others
            nats_of_level = level * self.levels[index]
            levels = nats_of_level @ block
        return costs.by_column(g, x, numbers, flags, levels)

    def _nats_of_numbers(self, g: Builder, numbers: Value) -> Value:
        """(batch, numbers), in nats: the surprise of numbers, (batch, numbers), standardised, as if
        none were missing; beyond the ends of a column also the logarithm of 1 + the distance in
        widths."""
        inside = g.steps(numbers, self.edges, self.nats)
        below = g.relu(self.lowest - numbers)
        above = g.relu(numbers - self.highest)
        # of the two one is 0
        outside = below + above
        widths = outside * (1 / self.width)
        return inside + g.log(widths + 1.0)

    def surprise(self, g: Builder, x: Value) -> Value:
        """(batch, columns), in bits, of x, (batch, features): the surprise of each column's value
        by itself, `bits` without the last."""
        bits = self.bits(g, x)
        columns = range(len(g.spec.columns))
        return g.columns_of(bits, list(columns))


class Histogram(ClosedForm):
    """Fits a histogram for each column: columns of few values are counted value by value, others in
    bins of one width."""

    def fit(self, batches: Batches) -> Histograms:
        """Count a histogram for every column, of all rows in batches. DataError without rows."""
        spec = self.spec
        no_rows = np.zeros((0, spec.features), np.float32)
        rows = np.concatenate([no_rows, *batches])
        x = rows.astype(np.float64)
        if not len(x):
            raise DataError("no rows to fit")
        # how often a flag or level occurs; of numbers the median takes its place
        centre = x.mean(axis=0)
        centre = centre.clip(0, 1)
        cells = []
        for number, (feature, values) in enumerate(_present_values(spec, x)):
            half = float(spec.half[number])
            histogram = self._cells(values, half)
            cells.append(histogram)
            centre[feature] = np.median(values) if len(values) else 0.0
        edges, nats = _as_tables(cells)
        missing, present = _nats_of_flags(spec, x)
        levels = _nats_of_levels(spec, x)
        return Histograms(
            edges,
            nats,
            lowest=np.array([histogram.lowest for histogram in cells]),
            highest=np.array([histogram.highest for histogram in cells]),
            width=np.array([histogram.width for histogram in cells]),
            missing=missing,
            present=present,
            levels=levels,
            centre=centre,
        )

    def _cells(self, values: Float, half: float) -> Cells:
        """The histogram of one column's standardised values, (n,): a cell for each value if at most
        params.values are different, by whatever little, else params.bins bins of one width;
        NO_CELLS without values. half: half the width of a value's bucket, in the unit of the
        values: how far a value's cell reaches to each side (see `_cell_of_each`); no bin is
        narrower than two of it, so that the last may end beyond the largest value."""
        if not len(values):
            return NO_CELLS
        different, counts = np.unique(values, return_counts=True)
        bins = self.params.bins
        lowest = different[0]
        span = different[-1] - lowest
        width = max(span / bins, 2 * half, LEAST_WIDTH)
        if len(different) <= self.params.values:
            return _cell_of_each(different, counts, half, width)
        number_of_edge = np.arange(bins + 1)
        edges = lowest + width * number_of_edge
        place = np.searchsorted(edges, values, side="right") - 1
        # rounding may put the largest value beyond the last edge
        place = place.clip(0, bins - 1)
        counts = np.bincount(place, minlength=bins)
        # the ends lie within their bins, and so does what is equal to them in float32
        edges[0] -= LEAST_WIDTH
        edges[-1] += LEAST_WIDTH
        outside = [0]
        with_outside = np.concatenate([outside, counts, outside])
        nats = _nats_of_counts(with_outside)
        return Cells(edges, nats, width)


def _present_values(spec: Spec, x: Float) -> Iterator[tuple[int, Float]]:
    """Yield for each number of spec, in its order, of rows x, (rows, features), (the index of its
    feature, its values that are not missing, (n,))."""
    features = spec.numeric.tolist()
    gates = spec.gate.tolist()
    for feature, gate in zip(features, gates, strict=True):
        values = x[:, feature]
        if gate >= 0:
            is_present = x[:, gate] == 0
            values = values[is_present]
        yield feature, values


def _cell_of_each(different: Float, counts: Int, half: float, width: float) -> Cells:
    """The histogram with a narrow cell for each of the different values, (n,), rising, and empty
    cells between these and beyond them. counts: (n,), how many rows have each value. half: how far
    a value's cell reaches to each side, in the unit of the values; less where the next value is
    near, but never less than LEAST_WIDTH / 4 (2.5e-6). width: what the result is to have as
    `Cells.width`."""
    reach = np.full(len(different), half)
    # neighbours do not come into one cell: half of the gap between them is of neither
    quarter = np.diff(different) / 4
    reach[:-1] = np.minimum(reach[:-1], quarter)
    reach[1:] = np.minimum(reach[1:], quarter)
    # narrower ones float32 could not tell apart
    reach = np.maximum(reach, LEAST_WIDTH / 4)
    first = different - reach
    last = different + reach
    pairs = np.stack([first, last], axis=1)
    edges = pairs.ravel()
    # all other values together are one cell more
    with_others = np.append(counts, 0)
    nats_of_counts = _nats_of_counts(with_others)
    nats_of_others = nats_of_counts[-1]
    nats = np.full(len(edges) + 1, nats_of_others)
    # every other cell is that of a value, and those between are empty
    nats[1::2] = nats_of_counts[:-1]
    return Cells(edges, nats, width)


def _as_tables(cells: list[Cells]) -> tuple[Float, Float]:
    """(edges (numbers, k), nats (numbers, k + 1)) of all histograms, k being that of the longest;
    shorter ones are filled up with infinite edges, and 0 nats."""
    numbers = len(cells)
    counts = [len(histogram.edges) for histogram in cells]
    most_edges = max(counts, default=0)
    edges = np.full((numbers, most_edges), np.inf)
    nats = np.zeros((numbers, most_edges + 1))
    for number, histogram in enumerate(cells):
        count = counts[number]
        edges[number, :count] = histogram.edges
        nats[number, : count + 1] = histogram.nats
    return edges, nats


def _nats_of_flags(spec: Spec, x: Float) -> tuple[Float, Float]:
    """(surprise of a missing value, surprise of a present one), both (flags,) in nats, counted in
    rows x, (rows, features)."""
    flags = [feature for feature, _ in spec.flags]
    missing = x[:, flags].sum(axis=0)
    present = len(x) - missing
    counts = np.stack([missing, present])
    nats_of_missing, nats_of_present = _nats_of_counts(counts)
    return nats_of_missing, nats_of_present


def _nats_of_levels(spec: Spec, x: Float) -> Float:
    """(features,), in nats: for each feature that is a level of a category the surprise of that
    level, as `_nats_of_counts` counts it, and 0 for all others. x: (rows, features), the rows to
    count, 1 in the level that a row has."""
    nats = np.zeros(spec.features)
    for _, first, width in spec.categories:
        block = slice(first, first + width)
        counts = x[:, block].sum(axis=0)
        nats[block] = _nats_of_counts(counts)
    return nats


def _nats_of_counts(counts: Float | Int) -> Float:
    """The surprise of each cell of a histogram, -log p in nats. counts: (cells, ...), how many rows
    are in each, one row at least; p is the probability for a row which is one of those counted, and
    does not count itself; PRIOR (1) row more is spread evenly over all cells, so that an empty one
    has a p above 0."""
    rows = counts.sum(axis=0) - 1
    others = np.maximum(counts - 1, 0)
    prior_of_cell = PRIOR / len(counts)
    part: Float = (others + prior_of_cell) / (rows + PRIOR)
    return -np.log(part)
