"""Pictures laid over remembered ones as a whole, and how far each place then is from theirs.

What is shown stands a little elsewhere in every picture. Where each place is looked for by itself
among those around it, a part of a thing may be moved, or a place stand in for one that is missing.
Here one step is found for all places of a picture, that by which it matches another one best.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Builder, Value
from aetool.model import Float, Int
from aetool.rarity import Rarity
from aetool_patches.texture import EQUAL_COLUMNS, Frame, mean_of_last, reshaped
from aetool_patches.usual import APART, Compared, Mask, Squares

REACH = 2  # places in every direction that a whole picture may be moved by
MATCHES = 15  # remembered pictures, those that match best, whose places count
# Which step matches is found out by so many coordinates, the first of the metric, which weighs them
# least, of every second place in each direction: whole pictures need no detail.
AXES, EVERY = 8, 2


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps by which a whole picture may be moved.

    forward, back: (steps, places), the index of the place that lies one step away from each place,
    and of the one from which the step leads to it; beyond the edge the nearest place stands in.
    sparse: (n,), the indices of the places by which it is found out which step matches. Places are
    counted row by row.
    """

    forward: Int
    back: Int
    sparse: Int

    @classmethod
    def of(cls, grid: tuple[int, int]) -> Steps:
        """All steps of at most REACH (2) places in each direction on a grid, (height, width), the
        shortest first."""
        down, right = np.indices(grid)
        one_axis = range(-REACH, REACH + 1)
        # of steps that match equally well the first counts: the shortest, none before all others
        steps = sorted(itertools.product(one_axis, one_axis), key=_squared_length)
        forward = []
        back = []
        for down_by, right_by in steps:
            forward.append(_indices_of_places(grid, down + down_by, right + right_by))
            back.append(_indices_of_places(grid, down - down_by, right - right_by))
        sparse = _indices_of_places(grid, down, right).reshape(grid)
        sparse = sparse[::EVERY, ::EVERY]
        return cls(
            np.stack(forward),
            np.stack(back),
            sparse.ravel(),
        )


def _squared_length(step: tuple[int, int]) -> int:
    """The squared length of a step, (down, right), both in places."""
    down, right = step
    return down**2 + right**2


def _indices_of_places(
    grid: tuple[int, int],
    row: Int,
    column: Int,
) -> Int:
    """(places,): the indices, row by row, of places of a grid, (height, width), in these rows and
    columns, `row` and `column`, from 0, two arrays of one shape; beyond the edge that of the
    nearest place."""
    height, width = grid
    row = row.clip(0, height - 1)
    column = column.clip(0, width - 1)
    number = row * width + column
    return np.asarray(number.ravel())


@dataclass(frozen=True, eq=False)
class Aligned(Compared):
    """The distances of judged pictures from remembered ones that are laid over them.

    squares: (judged, remembered, places) float32, the squared distance of each place from the same
    place of the other picture, when that is moved by the step that matches best, plus APART (1e6)
    where that place vouches for nothing. mismatch: (judged, remembered) float32, the mean squared
    distance of the two over sparse places, by the first AXES (8) coordinates. Both are APART for a
    picture and itself.
    """

    mismatch: Squares

    @classmethod
    def laid(
        cls,
        compared: Compared,
        judged_pictures: Float,
        rows: Float,
        vouching: Mask,
    ) -> Aligned:
        """Lay remembered pictures over judged ones, each by the one of all `Steps` that matches
        best.

        compared: the same pictures, compared place by place. judged_pictures: (judged, places,
        coordinates); rows: (remembered, places, coordinates), the remembered ones; vouching:
        (remembered, places) bool, the places that others are compared with.
        """
        steps = Steps.of(compared.frame.grid)
        sparse = steps.sparse
        # of each remembered picture a few coordinates of a few places, by which steps are chosen
        leading = rows[:, sparse, :AXES]
        leading = leading.reshape(len(rows), -1)
        lengths = (leading**2).sum(axis=1)
        numbers = np.arange(len(rows))
        number_of_each = numbers[:, None]
        memory = rows.astype(np.float32)
        silence = np.where(vouching, 0.0, APART)
        silence = silence.astype(np.float32)
        squares = np.empty(compared.squares.shape, dtype=np.float32)
        mismatch = np.empty(compared.itself.shape, dtype=np.float32)
        for number, picture in enumerate(judged_pictures):
            moved_from = steps.forward[:, sparse]
            moved = picture[moved_from, :AXES]
            moved = moved.reshape(len(moved_from), -1)
            moved_lengths = (moved**2).sum(axis=1)
            products = moved @ leading.T
            # |a - b|^2 of each step and remembered picture: (steps, remembered)
            squared_distances = moved_lengths[:, None] + lengths - 2 * products
            best_step = squared_distances.argmin(axis=0)
            total = squared_distances[best_step, numbers]
            mismatch[number] = total / len(sparse)
            # each remembered picture by the step that matches it best
            place = steps.back[best_step]
            laid_over = memory[number_of_each, place]
            difference = laid_over - picture.astype(np.float32)
            square = np.einsum("mpk,mpk->mp", difference, difference)
            squares[number] = square + silence[number_of_each, place]
        mismatch[compared.itself] = APART
        squares[compared.itself] = APART
        return cls(
            compared.frame,
            squares,
            compared.judged,
            compared.remembered,
            compared.itself,
            mismatch,
        )

    def without(self, left_out: Int) -> Aligned:
        """A copy without the pictures whose numbers among all that were fitted are in left_out,
        (n,), judged or remembered."""
        judged = ~np.isin(self.judged, left_out)
        remembered = ~np.isin(self.remembered, left_out)
        rest = super().without(left_out)
        pairs = np.ix_(judged, remembered)
        return Aligned(
            rest.frame,
            rest.squares,
            rest.judged,
            rest.remembered,
            rest.itself,
            self.mismatch[pairs],
        )

    def nearest(self) -> Squares:
        """(judged, places): the squared distance of each place from the nearest of the at most 15
        pictures that match best."""
        count = min(MATCHES, len(self.remembered))
        order = np.argsort(self.mismatch, axis=1, kind="stable")
        matches = order[:, :count, None]
        squares = np.take_along_axis(self.squares, matches, axis=1)
        return np.asarray(squares.min(axis=1))


@dataclass(frozen=True, eq=False)
class Alignment:
    """The usual distances of pictures that are laid over one another.

    usual, deviation: (places,), the distance that is usual at each, and how far distances stray
    from it; rarity: how rare a picture's score is, which is the power mean over places of how far
    distances lie beyond the usual (see `Compared.usual`). compared: the distances that these are
    read off.
    """

    usual: Float
    deviation: Float
    rarity: Rarity
    compared: Aligned

    @classmethod
    def of(cls, compared: Aligned) -> Alignment:
        """Read the usual distances off pictures that were compared, of which one must have been
        judged."""
        usual, deviation, rarity = compared.usual()
        return cls(usual, deviation, rarity, compared)

    def without(self, rows: Int) -> Alignment:
        """The usual distances without the fitted pictures whose numbers are in `rows`, (n,); a
        judged and a remembered one must be left."""
        return Alignment.of(self.compared.without(rows))


@dataclass(frozen=True, eq=False)
class Overlay:
    """Writes how far pictures lie from remembered ones that are laid over them.

    frame: the grid of places. rows: (places, coordinates, pictures), the remembered pictures as
    float32, a value of the graph; coordinates: the same numbers as an array, for what is known when
    the graph is written. vouching: (places, pictures) bool, which of these places others are
    compared with.
    """

    frame: Frame
    rows: Value
    coordinates: Float
    vouching: Mask

    def write(
        self,
        g: Builder,
        asked: Value,
        itself: Value | None,
    ) -> Value:
        """(batch, places): the squared distance of each place from the nearest of the at most 15
        pictures that match best; APART (1e6) more from a place that vouches for nothing.

        asked: (batch, places, coordinates), the places of records. itself: (batch, pictures), APART
        for the remembered picture that is the record, else 0; None where only one picture is
        remembered.
        """
        steps = Steps.of(self.frame.grid)
        places, width, pictures = self.coordinates.shape
        squared_distances = self._squared_distances(g, asked, steps)
        best_step = g.op("ArgMin", squared_distances, axis=1, keepdims=0)
        axis = g.const([1], np.int64)
        mismatch = g.op("ReduceMin", squared_distances, axis, keepdims=0)
        if itself is not None:
            mismatch = mismatch + itself
        count = min(MATCHES, pictures)
        matches = g.numbers_of_least(mismatch, count)
        index = self._laid_over(g, steps, best_step, matches)
        memory = g.op("Transpose", self.rows, perm=[2, 0, 1])
        memory = reshaped(g, memory, [pictures * places, width])
        # places that vouch for nothing are as far as places can be
        silence = np.where(self.vouching.T, 0.0, APART)
        silence = silence.ravel()
        nearest: Value | None = None
        # one after the other: all at once would hold a thousand numbers for each place
        for number in range(count):
            position = g.const(number, np.int64)
            index_of_match = g.op("Gather", index, position, axis=1)
            laid_over = g.op("Gather", memory, index_of_match, axis=0)
            difference = laid_over - asked
            square = difference * difference
            mean = mean_of_last(g, square, width)
            mean = reshaped(g, mean, [-1, places])
            square = mean * float(width)
            if silence.any():
                silent = g.op("Gather", silence, index_of_match, axis=0)
                square = square + silent
            if itself is not None:
                # of few pictures all match, also the one that is the record
                apart_of_matches = g.op("GatherElements", itself, matches, axis=1)
                square = square + g.columns_of(apart_of_matches, [number])
            # the nearest so far, so that what it came from need not be held
            nearest = square if nearest is None else g.minimum(nearest, square)
        assert nearest is not None
        return nearest

    def _laid_over(
        self,
        g: Builder,
        steps: Steps,
        best_step: Value,
        matches: Value,
    ) -> Value:
        """(batch, matches, places) int64: the index of the place of a remembered picture that comes
        to lie on each place of a record, counted over the places of all pictures, one picture after
        the other.

        best_step: (batch, pictures) int64, the index of the step by which each picture matches
        best; matches: (batch, matches), the indices of the pictures that count.
        """
        count = min(MATCHES, self.coordinates.shape[2])
        step_of_matches = g.op("GatherElements", best_step, matches, axis=1)
        back = g.const(steps.back, np.int64)
        place = g.op("Gather", back, step_of_matches, axis=0)
        picture = reshaped(g, matches, [-1, count, 1])
        places_of_each = g.const(self.frame.places, np.int64)
        first_place = picture * places_of_each
        index: Value = first_place + place
        return index

    def _squared_distances(
        self,
        g: Builder,
        asked: Value,
        steps: Steps,
    ) -> Value:
        """(batch, steps, pictures): how far records, moved by each step, lie from remembered
        pictures as a whole: the mean squared distance over the sparse places of `steps`, by the
        first AXES (8) coordinates. steps: those that are tried. asked: (batch, places,
        coordinates), the places of records."""
        _, coordinates, pictures = self.coordinates.shape
        sparse = len(steps.sparse)
        count = len(steps.forward)
        width = min(AXES, coordinates)
        leading = self._leading_coordinates(g, asked, axis=2)
        # (sparse places, steps): the place of the record that is moved there
        moved_from = steps.forward[:, steps.sparse].T
        flat = g.const(moved_from.ravel(), np.int64)
        moved = g.op("Gather", leading, flat, axis=1)
        moved = reshaped(g, moved, [-1, sparse, count, width])
        numbers = g.const(steps.sparse, np.int64)
        rows = g.op("Gather", self.rows, numbers, axis=0)
        rows = self._leading_coordinates(g, rows, axis=1)
        # |a - b|^2 as |a|^2 - 2 a b + |b|^2; a product for each record and place, which rounds
        # alike however many records there are
        doubled = moved * -2.0
        products = g.op("MatMul", doubled, rows)
        products = reshaped(g, products, [-1, sparse, count * pictures])
        products = _mean_of_places(g, products, sparse)
        products = reshaped(g, products, [-1, count, pictures])
        moved_squares = moved * moved
        moved_squares = reshaped(g, moved_squares, [-1, sparse, count * width])
        moved_squares = _mean_of_places(g, moved_squares, sparse)
        moved_squares = reshaped(g, moved_squares, [-1, count, width])
        moved_length = mean_of_last(g, moved_squares, width)
        moved_length = moved_length * float(width)
        # known when the graph is written: the same for every record
        leading_rows = self.coordinates[steps.sparse, :AXES]
        length = (leading_rows**2).sum(axis=1)
        squared_distances: Value = products + moved_length + length.mean(axis=0)
        return squared_distances

    def _leading_coordinates(
        self,
        g: Builder,
        x: Value,
        axis: int,
    ) -> Value:
        """The first coordinates of x, at most AXES (8), along the axis of coordinates."""
        bounds = []
        for bound in (0, AXES, axis):
            bounds.append(g.const([bound], np.int64))
        return g.op("Slice", x, *bounds)


def _mean_of_places(
    g: Builder,
    x: Value,
    places: int,
) -> Value:
    """(batch, n): the mean over places of x, (batch, places, n). places: how many."""
    # several equal rows: a product with a single one rounds by where a record stands
    shape = (EQUAL_COLUMNS, places)
    mean_weights = np.full(shape, 1 / places)
    means = g.op("MatMul", mean_weights, x)
    first = g.const(0, np.int64)
    return g.op("Gather", means, first, axis=1)
