"""The nearest neighbour (Ramaswamy, Rastogi & Shim 2000, with k = 1) of a sample of the rows, by
three or four measures of distance, and by halves of the columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aetool.closed_form import DENSE, Batches, Builder, ClosedForm, Solution, Value, costs
from aetool.errors import DataError
from aetool.folds import stretch_folds
from aetool.model import Float, Int
from aetool.rarity import Rarity
from aetool_neighbours.halves import Halves
from aetool_neighbours.measures import (
    Half,
    Measure,
    NormalScores,
    Plain,
    Ranked,
    Straight,
    Whitened,
    pairs_of_halves,
)
from aetool_neighbours.search import table_of, two_nearest, with_one

MOST = 4096  # rows remembered, by default
NUMBERS = 1 << 16  # in all of these rows, by default
FEWEST = 16  # rows remembered, of however many numbers
USUAL = 0.5  # part of the rows: where more than this part repeat others, to repeat is usual
STRETCHES = 5  # parts of the rows, of which each is judged by the others
FEWEST_TO_SPLIT = 20  # rows that are parted so
JUDGED = 1000  # rows whose distances tell how rare a distance is
LAST_BITS = 2.0**-22  # of a feature's size: by so little equal rows may differ
LEAST_BITS = 2.0**-25  # the same, of a feature that is nearly 0
LEAST_SHARE = 1e-9  # squared distance that each feature has at least, so that shares are defined
PAIRS = 4  # of halves of the columns


@dataclass(frozen=True, eq=False)
class Neighbours(Solution):
    """Rows that are remembered; the code of a record is the index of the nearest, 0 .. k - 1.

    rows: (k, features), in the order of their values, each different from the others, context
    features (seen, but not scored) 0. usual: (k,) bool: a record at the very place of a row is
    compared with the next nearest, for it may be that row itself, unless the row is usual, which
    many others equal. measures: what records compare by; rarities: how rare by each measure a
    distance is, of which the root is taken whose degree the measure's `root` says. halves: the same
    by halves of the columns, each counting like a measure. A root, for distances have heavy tails:
    few rows of a kind of their own lie farther apart, and are no rarer than they are few.

    Score: how rare the distances to the nearest rows are, in bits: the mean over the measures and
    the halves. It falls on the columns by what they add to the squared distances. report: figures
    for `aetool info`.
    """

    rows: Float
    usual: npt.NDArray[np.bool_]
    measures: Sequence[Measure]
    rarities: Sequence[Rarity]
    halves: Sequence[Halves] = ()
    report: Mapping[str, int] = field(default_factory=dict)
    fair: bool = True

    def encode(self, g: Builder, x: Value) -> Value:
        """The index of the nearest remembered row as a code, (batch, 1) float32. x: (batch,
        features)."""
        distances = g.squared_distances(x, self.rows)
        return g.as_number(g.number_of_least(distances))

    def decode(self, g: Builder, z: Value) -> Value:
        """The remembered rows, (batch, features), that codes z, (batch, 1), are the indices of;
        codes are rounded, and moved into 0 .. k - 1."""
        last = len(self.rows) - 1.0
        number = g.op("Round", z)
        # a code that was quantised, or made up, may lie outside the table
        number = g.maximum(number, 0.0)
        number = g.minimum(number, last)
        index = g.as_index(number)
        return g.rows_of(self.rows, index)

    def expected(self, g: Builder, x: Value) -> Value:
        """(batch, features): the remembered row nearest to each record x, (batch, features), by its
        features as they are, the record itself left out."""
        first_measure = self.measures[0]
        neighbour = self._nearest_other_row(g, x, first_measure)
        return g.rows_of(self.rows, neighbour)

    def bits(self, g: Builder, x: Value) -> Value:
        """(batch, columns + 1), in bits: the score, divided among columns, plus what cells cost
        that features do not show, such as odd ones; the last is 0. x: (batch, features)."""
        scored = g.scored(x)
        # stored before all else: constants are numbered in the order in which they come
        g.const(self.rows)
        total = scored * 0.0
        pairs = zip(self.measures, self.rarities, strict=True)
        for measure, rarity in pairs:
            root, share = self._distance_by(g, x, measure)
            rarity_of_root = rarity.write(g.graph, root.name)
            rarity_bits = Value(g, rarity_of_root)
            total = total + rarity_bits * share
        for halves in self.halves:
            total = total + self._bits_by_halves(g, x, halves)
        count = len(self.measures) + len(self.halves)
        mean = _summed_by_column(g, total) * (1 / count)
        # in_bits takes nats
        nats = mean * (1 / costs.IN_BITS)
        return costs.in_bits(g, nats)

    def _bits_by_halves(self, g: Builder, x: Value, halves: Halves) -> Value:
        """(batch, features): how rare the distances by halves of the columns are, joined, in bits,
        divided among the features; context gets none."""
        scored = g.scored(x)
        rows = g.const(self.rows)
        whole = halves.whole
        coordinates = whole.write(g, rows)
        record = whole.write(g, scored)
        nearest = halves.nearest(g, record, coordinates, len(self.rows))
        scored_by_half = halves.repeated(g, scored, g.spec.features)
        number = self._first_not_itself(g, scored_by_half, nearest)
        flat_shape = g.const([-1], np.int64)
        number = g.op("Reshape", number, flat_shape)
        neighbour = g.op("Gather", coordinates, number, axis=0)
        record_by_half = halves.repeated(g, record, whole.width)
        apart = halves.masked(g, record_by_half - neighbour)
        neighbour_features = g.op("Gather", rows, number, axis=0)
        difference = scored_by_half - neighbour_features
        root, share = self._root_and_share(g, whole, difference, apart)
        return halves.bits(g, root, share)

    def _distance_by(
        self,
        g: Builder,
        x: Value,
        measure: Measure,
    ) -> tuple[Value, Value]:
        """How far records x, (batch, features), lie from the nearest row by a measure, not from
        themselves: (the root of that distance, of the degree that the measure asks for, (batch, 1);
        how it is divided among features by what they add to its square, (batch, features), whose
        sum is 1). Context gets none."""
        scored = g.scored(x)
        rows = g.const(self.rows)
        number = self._nearest_other_row(g, x, measure)
        flat_shape = g.const([-1], np.int64)
        number = g.op("Reshape", number, flat_shape)
        coordinates = measure.write(g, rows)
        neighbour = g.op("Gather", coordinates, number, axis=0)
        # as a difference of squares the distance of near records would be lost in rounding
        apart = measure.write(g, scored) - neighbour
        neighbour_features = g.op("Gather", rows, number, axis=0)
        difference = scored - neighbour_features
        return self._root_and_share(g, measure, difference, apart)

    def _root_and_share(
        self,
        g: Builder,
        measure: Measure,
        difference: Value,
        apart: Value,
    ) -> tuple[Value, Value]:
        """How far records lie from rows, and on which features that falls: (the root of the
        distance by a measure, of the degree that the measure asks for, (batch, 1); each feature's
        share of the squared distance, (batch, features), whose sum is 1; context gets none).
        difference: of the features of both, (batch, features); apart: of their coordinates, (batch,
        coordinates)."""
        every_coordinate = np.ones(measure.width)
        square = g.sum_of(apart * apart, every_coordinate)
        distance = g.op("Sqrt", square)
        root = _root_of_degree(g, distance, measure.root)
        is_scored = g.spec.owners() >= 0
        squares = measure.squares(g, difference, apart)
        # a little each, so that a record at no distance has shares, too
        share = squares + LEAST_SHARE * is_scored
        every_feature = np.ones(g.spec.features)
        return root, share / g.sum_of(share, every_feature)

    def _nearest_other_row(self, g: Builder, x: Value, measure: Measure) -> Value:
        """The index of the remembered row that is nearest to features x by a measure, (batch, 1)
        int64; of the next nearest where the nearest equals the record and may be it, unless that
        row is usual."""
        scored = g.scored(x)
        rows = g.const(self.rows)
        others = measure.write(g, rows)
        table = table_of(g, others, measure.width, len(self.rows))
        record = measure.write(g, scored)
        squares = with_one(g, record) @ table
        nearest = two_nearest(g, squares, len(self.rows))
        return self._first_not_itself(g, scored, nearest)

    def _first_not_itself(self, g: Builder, scored: Value, nearest: Value) -> Value:
        """The index of the row to compare a record with, (batch, 1): the first of nearest, (batch,
        2 or 1), the second where the first may be the record itself. scored: features of records,
        (batch, features), 0 in context."""
        first = g.columns_of(nearest, [0])
        if len(self.rows) == 1:
            return first
        difference = scored - g.rows_of(self.rows, first)
        # to the last bits, for rows lie ever so close to one another; not to the very last, which
        # may differ where another runtime lays a record out
        tolerance = g.op("Abs", scored) * LAST_BITS
        excess = g.op("Abs", difference) - tolerance
        is_equal = g.largest(excess) <= LEAST_BITS
        is_unusual = ~self.usual
        is_rare = g.look_up(is_unusual, first) > 0.0
        is_itself = g.op("And", is_equal, is_rare)
        second = g.columns_of(nearest, [1])
        return g.where(is_itself, second, first)


def _summed_by_column(g: Builder, features: Value) -> Value:
    """(batch, columns + 1): values of features, (batch, features), summed by column; context
    features are left out, and the last is 0."""
    owners = g.spec.owners()
    index = np.flatnonzero(owners >= 0)
    judged = g.columns_of(features, index)
    return costs.summed(g, judged, owners[index].tolist())


def _root_of_degree(g: Builder, distance: Value, degree: int) -> Value:
    """The root of a distance, (batch, 1), not below 0; degree: a power of 2, 1 for the distance
    itself."""
    while degree > 1:
        distance = g.op("Sqrt", distance)
        degree //= 2
    return distance


class Nearest(ClosedForm):
    """Fits a memory of rows: of all rows, or of a random sample where these are more than
    params.size, or if that is 0 than hold NUMBERS (65,536) numbers, from 16 to 4,096; each
    different row once. Of rows that many others equal the sample has many, so that rarer ones may
    be left out even where there are few different rows.

    A record at the place of a row is compared with the next nearest, so that no row vouches for
    itself, unless several rows were there; and where most rows repeat others, any row may vouch.
    """

    def fit(self, batches: Batches) -> Neighbours:
        """Choose the rows to remember, and measure how far rows lie from the nearest other one.
        DataError without rows."""
        x = self._sample(batches)
        rows, count = np.unique(x, axis=0, return_counts=True)
        repeated = count > 1
        repeating_rows = count[repeated].sum()
        most_repeat = bool(repeating_rows > USUAL * len(x))
        # where most rows repeat others, a record that equals one says nothing of being that row
        usual = repeated | most_repeat
        measures = self._measures(x)
        rarities = [_rarity_by(measure, x) for measure in measures]
        halves = self._halves(x, measures)
        # a code is the number of a row
        report = {"code_levels": len(rows)}
        return Neighbours(rows, usual, measures, rarities, halves, report)

    def _sample(self, batches: Batches) -> Float:
        """(rows, features) float64, in the order of the table, context features 0: all rows in
        batches, or a random sample where these are more than params.size, or if that is 0 than hold
        NUMBERS (65,536) numbers, from 16 to 4,096. DataError without rows."""
        scored = self.spec.owners() >= 0
        no_rows = np.zeros((0, self.spec.features), np.float32)
        rows = np.concatenate([no_rows, *batches])
        x = rows.astype(np.float64) * scored
        if not len(x):
            raise DataError("no rows to fit")
        numbers = max(1, int(scored.sum()))
        rows_of_numbers = NUMBERS // numbers
        usual_size = max(FEWEST, min(MOST, rows_of_numbers))
        size = self.params.size or usual_size
        if len(x) <= size:
            return x
        rng = np.random.default_rng(0)
        drawn = rng.choice(len(x), size, replace=False)
        # in the order of the table, of which stretches are held out
        return x[np.sort(drawn)]

    def _measures(self, x: Float) -> list[Measure]:
        """The measures by which rows x, (rows, features), are compared: pictures, and fewer than 20
        rows, by `Plain` alone; others by `Plain`, `Ranked` and `Whitened`, and with
        params.own_units by `Straight`, too."""
        spec = self.spec
        plain = Plain(spec.features)
        is_picture = spec.shape is not None
        # few rows tell neither ranks nor axes; of pictures neither is taken
        if is_picture or len(x) < FEWEST_TO_SPLIT:
            return [plain]
        ranked = Ranked.of(x, spec.numeric)
        whitened = Whitened.of(x)
        measures: list[Measure] = [plain, ranked, whitened]
        if self.params.own_units:
            straight = Straight.of(x, spec)
            measures.append(straight)
        return measures

    def _halves(self, x: Float, measures: Sequence[Measure]) -> list[Halves]:
        """The plain and the ranked one of `measures`, by halves of the columns, with rarities read
        off rows x, (rows, features); none without params.halves, of pictures, of one column, of
        fewer than 20 rows, or of more than 512 features."""
        is_picture = self.spec.shape is not None
        if not self.params.halves or is_picture or len(x) < FEWEST_TO_SPLIT:
            return []
        # half of very many columns hides a few odd ones as all of them do
        if self.spec.features > DENSE:
            return []
        # axes, and numbers that lie far out, are of all columns together
        wholes = [whole for whole in measures if isinstance(whole, Plain | Ranked)]
        parts: list[list[Half]] = [[] for _ in wholes]
        for number, pair in enumerate(pairs_of_halves(self.spec, PAIRS)):
            # in turns: a search of all rows for each half and measure would take twice as long
            turn = number % len(wholes)
            parts[turn] += [Half(wholes[turn], seen) for seen in pair]
        return [_halves_by(halves, x) for halves in parts if halves]


class NearestByRanks(Nearest):
    """Fits a memory of rows as Nearest does, that are compared by the normal scores of their
    numbers alone."""

    def _measures(self, x: Float) -> list[Measure]:
        """The one measure by which rows x, (rows, features), are compared: fewer than 20 rows by
        `Plain`, others by `NormalScores`."""
        if len(x) < FEWEST_TO_SPLIT:
            return [Plain(self.spec.features)]
        return [NormalScores.of(x, self.spec.numeric)]

    def _halves(self, x: Float, measures: Sequence[Measure]) -> list[Halves]:
        """No halves of the columns: []."""
        return []


def _rarity_by(measure: Measure, x: Float) -> Rarity:
    """The rarity of roots of distances by a measure, read off rows x, (rows, features), in the
    order of the table, each of which is held out of those that it is compared with."""
    distances = _held_out_distances(measure.lay(x))
    return Rarity.of(distances ** (1 / measure.root))


def _halves_by(halves: Sequence[Half], x: Float) -> Halves:
    """Halves of one measure, one at least, with their rarities, read off rows x, (rows, features),
    in the order of the table."""
    # laid out once for all
    coordinates = halves[0].whole.lay(x)
    rarities = []
    for half in halves:
        distances = _held_out_distances(coordinates[:, half.places])
        roots = distances ** (1 / half.root)
        rarities.append(Rarity.of(roots))
    return Halves(halves, rarities)


def _held_out_distances(x: Float) -> Float:
    """(n,): the distance of at most 1,000 evenly spaced rows, in their order, from the nearest row
    of another fold.

    x: (rows, coordinates), in the order of the table, which is cut into 15 stretches of
    neighbouring rows that fall to five folds in turns (`stretch_folds`). Of fewer than 20 rows each
    is a fold; of fewer than two the result is one 0.
    """
    if len(x) < 2:
        return np.zeros(1)
    rows = np.arange(len(x))
    # of few rows each is a stretch by itself
    stretch = rows
    if len(x) >= FEWEST_TO_SPLIT:
        stretch = stretch_folds(len(x), STRETCHES)
    step = math.ceil(len(x) / JUDGED)
    judged = rows[::step]
    distances = np.zeros(len(judged))
    for held_out_stretch in np.unique(stretch[judged]):
        in_stretch = stretch[judged] == held_out_stretch
        others = x[stretch != held_out_stretch]
        held_out_rows = x[judged[in_stretch]]
        nearest = _index_of_nearest(held_out_rows, others)
        difference = held_out_rows - others[nearest]
        square = (difference**2).sum(axis=1)
        distances[in_stretch] = np.sqrt(square)
    return distances


def _index_of_nearest(x: Float, others: Float) -> Int:
    """(rows,): for each row of x, (rows, coordinates), the index of the nearest of others, (k,
    coordinates), k at least 1; of equally near ones the first."""
    # less the squared length of the row itself, which is the same for all others; in place, as
    # another array of this size would take as long as the product
    square = x @ (-2 * others.T)
    square += (others**2).sum(axis=1)
    return np.asarray(square.argmin(axis=1))
