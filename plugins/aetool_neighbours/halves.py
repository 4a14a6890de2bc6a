"""Halves of the columns: the nearest rows by several halves of a measure, in one search for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Builder, Value
from aetool.model import Float, Int
from aetool.rarity import Rarity, write_cap, write_score
from aetool_neighbours.measures import Half, Plain, Ranked
from aetool_neighbours.search import shaped, table_of, two_nearest, with_one


@dataclass(frozen=True, eq=False)
class Halves:
    """One measure by halves of the columns, one at least: the measure of each half, and its rarity,
    read off as many rows as all the others.

    What a graph computes by halves has the shape (batch * halves, n): a record's halves one after
    the other.
    """

    measures: Sequence[Half]
    rarities: Sequence[Rarity]

    @property
    def count(self) -> int:
        """How many halves there are."""
        return len(self.measures)

    @property
    def whole(self) -> Plain | Ranked:
        """The measure by all columns, of which each half takes some coordinates."""
        return self.measures[0].whole

    @property
    def seen(self) -> Float:
        """(halves, coordinates): 1 for what a half compares, else 0."""
        width = self.whole.width
        seen = np.zeros((self.count, width))
        for number, half in enumerate(self.measures):
            places = half.places
            seen[number, places] = 1.0
        return seen

    @property
    def places(self) -> Int:
        """(halves, n): the coordinates that each half compares; a half that compares fewer than n
        has the number of coordinates, of which there is none, in place of the missing."""
        sizes = [len(half.seen) for half in self.measures]
        most_places = max(sizes)
        no_place = self.whole.width
        places = np.full((self.count, most_places), no_place)
        for number, half in enumerate(self.measures):
            size = sizes[number]
            places[number, :size] = half.places
        return places

    def nearest(
        self,
        g: Builder,
        record: Value,
        coordinates: Value,
        rows: int,
    ) -> Value:
        """The indices of the two rows that are nearest to each record by each half, the nearest
        first: (batch * halves, 2) int64; (batch * halves, 1) of a single row. record: coordinates,
        (batch, n); coordinates: those of the rows, (rows, n), constant."""
        # a product for each half takes less time than one of all, in which most numbers are 0
        compared = self._compared_coordinates(g, record)
        tables = self._distance_tables(g, coordinates, rows)
        squares = compared @ tables
        squares = g.op("Flatten", squares, axis=2)
        nearest_rows = two_nearest(g, squares, rows)
        # back from the order of the halves to that of the records
        candidates = min(2, rows)
        nearest_rows = shaped(g, nearest_rows, self.count, -1, candidates)
        nearest_rows = g.op("Transpose", nearest_rows, perm=[1, 0, 2])
        return shaped(g, nearest_rows, -1, candidates)

    def _compared_coordinates(self, g: Builder, record: Value) -> Value:
        """(halves, batch, n + 1): what each half compares of records, with a 1 behind it. record:
        coordinates, (batch, coordinates)."""
        places = self.places
        # behind all coordinates and the 0
        place_of_one = self.whole.width + 1
        ones = np.full((self.count, 1), place_of_one)
        index = np.concatenate([places, ones], axis=1)
        # 0 stands for what is missing
        zero = g.nothing(record)
        with_zero = g.side_by_side(record, zero)
        extended = with_one(g, with_zero)
        compared = g.columns_of(extended, index.ravel())
        compared = shaped(g, compared, -1, *index.shape)
        return g.op("Transpose", compared, perm=[1, 0, 2])

    def _distance_tables(
        self,
        g: Builder,
        coordinates: Value,
        rows: int,
    ) -> Value:
        """(halves, n + 1, places): for each half the matrix by which what it compares of a record,
        with a 1 behind it, is multiplied to get squared distances from all rows, less the record's
        own squared length (see `table_of`). coordinates: of the rows, (rows, coordinates),
        constant."""
        # as behind the coordinates of records
        zero = g.nothing(coordinates)
        with_zero = g.side_by_side(coordinates, zero)
        first_axis = g.const([0], np.int64)
        tables = []
        for places in self.places:
            compared = g.columns_of(with_zero, places)
            table = table_of(g, compared, len(places), rows)
            table = g.op("Unsqueeze", table, first_axis)
            tables.append(table)
        if len(tables) == 1:
            return tables[0]
        return g.op("Concat", *tables, axis=0)

    def repeated(
        self,
        g: Builder,
        x: Value,
        width: int,
    ) -> Value:
        """Each record of x, (batch, width), once for each half: (batch * halves, width)."""
        copies = [x] * self.count
        side_by_side = g.side_by_side(*copies)
        return shaped(g, side_by_side, -1, width)

    def masked(self, g: Builder, x: Value) -> Value:
        """Set the coordinates that a half does not compare to 0: (batch * halves, n), of
        coordinates x of the same shape."""
        seen = self.seen
        # of each record a matrix, of a row for each half
        of_records = shaped(g, x, -1, *seen.shape)
        masked = of_records * seen
        return shaped(g, masked, -1, self.whole.width)

    def bits(
        self,
        g: Builder,
        roots: Value,
        share: Value,
    ) -> Value:
        """How rare the distances are, joined, in bits, divided among features: (batch, features).
        roots: of the distances, (batch * halves, 1); share: how each half divides its own, (batch *
        halves, features)."""
        bits = self._bits_of_roots(g, roots)
        score, blame = write_score(g.graph, bits.name, self.count)
        blame_of_halves = Value(g, blame)
        blame_of_halves = shaped(g, blame_of_halves, -1, self.count, 1)
        share = shaped(g, share, -1, self.count, g.spec.features)
        blamed = share * blame_of_halves
        # a sum over an axis would round by where a record stands in its batch
        total = g.columns_of(blamed, [0])
        for number in range(1, self.count):
            total = total + g.columns_of(blamed, [number])
        total = shaped(g, total, -1, g.spec.features)
        return total * Value(g, score)

    def _bits_of_roots(self, g: Builder, roots: Value) -> Value:
        """(batch, halves), in bits: how rare the roots of distances are, (batch * halves, 1), each
        by the rarity of its half, as `Rarity.write` computes it for one."""
        knots, turns, lowest = self._knots()
        most_knots = knots.shape[1]
        roots = shaped(g, roots, -1, self.count, 1)
        beyond_knots = g.relu(roots - knots)
        risen = beyond_knots * turns
        risen = shaped(g, risen, -1, most_knots)
        every_knot = np.ones(most_knots)
        above_lowest = g.sum_of(risen, every_knot)
        above_lowest = shaped(g, above_lowest, -1, self.count)
        bits = above_lowest + lowest
        # all are read off as many rows, so that they bend at the same number of bits
        bend = self.rarities[0].bend
        capped = write_cap(g.graph, bits.name, bend)
        return Value(g, capped)

    def _knots(self) -> tuple[Float, Float, Float]:
        """Gather the rarities of all halves of the columns, each a line of straight pieces, as
        arrays: (knots, turns, lowest). knots: (halves, knots), the scores, roots of distances, at
        which a line bends; turns: of the same shape, by how much its slope changes there, in bits;
        lowest: (halves,), its bits at the first knot. Lines of fewer knots are filled up with knots
        that do not bend."""
        most_knots = max(len(rarity.scores) for rarity in self.rarities)
        knots = np.zeros((self.count, most_knots))
        turns = np.zeros((self.count, most_knots))
        lowest = np.zeros(self.count)
        for number, rarity in enumerate(self.rarities):
            # beyond the knots there are, all stays 0
            size = len(rarity.scores)
            knots[number, :size] = rarity.scores
            turns[number, :size] = rarity.turns
            lowest[number] = rarity.bits[0]
        return knots, turns, lowest
