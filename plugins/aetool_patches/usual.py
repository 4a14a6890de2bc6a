"""The usual distances of places, read off pictures that are each compared with all others."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.model import Float, Int
from aetool.rarity import Rarity
from aetool_patches.texture import Frame, window_means

AROUND = 1.5  # places that what is usual is averaged over
LEAST_USUAL, LEAST_DEVIATION = 0.25, 0.05  # of what is usual, beside the mean
SHARP = 16.0  # power by which distances of places make up that of a picture: nearly the largest
FARTHEST = 100.0  # distance of a place, in deviations beyond the usual
APART = 1e6  # squared distance where there is no other picture
FEWEST = 3  # pictures of which one can be judged by what is usual of the others
LITTLE = 1e-6
SHARE = 0.05  # part of the pictures that may have the same defect at the same place
# deviations beyond the usual from which a place of a remembered picture is a rare one: in ordinary
# pictures the farthest place is 2 to 4 beyond
RARE = 4.0

Squares = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Area = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Compared:
    """The distances of judged pictures from remembered ones, place by place.

    frame: the grid of places. squares: (judged, remembered, places) float32, the squared distance
    of each place from the nearest of those around it that were searched; APART (1e6) for a picture
    and itself. judged, remembered: the numbers, rising, of these pictures among those that were
    fitted. itself: (judged, remembered) bool, where both are one picture, which is not compared
    with itself; False of a picture that was remembered alone.
    """

    frame: Frame
    squares: Squares
    judged: Int
    remembered: Int
    itself: Mask

    @classmethod
    def of(
        cls,
        frame: Frame,
        cells: int,
        judged_pictures: Float,
        rows: Float,
        judged: Int,
        remembered: Int,
        rounding: float,
        vouching: Mask | None = None,
    ) -> Compared:
        """Compare pictures with remembered ones, place by place. frame: the grid of places.
        judged_pictures: (judged, places, coordinates); rows: (remembered, places, coordinates), the
        remembered ones. judged, remembered: (n,), the numbers of these pictures among those that
        were fitted, rising, which are only kept. cells: how many places in every direction are
        searched. rounding: where the squared distance of equal places is at most this on average,
        the two are taken for one picture, and not compared, if more than one is remembered.
        vouching: (remembered, places) bool, which places the nearest may be, others being APART
        (1e6) farther; None: all."""
        squares, here = _nearest_within(frame.grid, cells, judged_pictures, rows, vouching)
        itself = np.zeros(squares.shape[:2], dtype=bool)
        if len(rows) > 1:
            itself = here.mean(axis=2) <= rounding
            squares[itself] = APART
        return cls(frame, squares, judged, remembered, itself)

    def without(self, left_out: Int) -> Compared:
        """A copy without the pictures whose numbers among all that were fitted are in left_out,
        (n,), judged or remembered."""
        judged = ~np.isin(self.judged, left_out)
        remembered = ~np.isin(self.remembered, left_out)
        pairs = np.ix_(judged, remembered)
        return Compared(
            self.frame,
            self.squares[pairs],
            self.judged[judged],
            self.remembered[remembered],
            self.itself[pairs],
        )

    def vouching(self) -> Mask:
        """Tell which places of remembered pictures vouch for the like of them: (remembered, places)
        bool. The judged pictures must be the remembered ones.

        A defect that a few pictures have at the same place is close to its like there, and none
        would be found. So a place vouches only if more than a SHARE (0.05) of the pictures have its
        like: if its distance from the first neighbour beyond that share is at most RARE (4)
        deviations above the usual one of such distances, which is read off those of all judged
        pictures at that place and about it, without the largest 5 % (see Moments). Of fewer than 20
        pictures all places vouch.
        """
        rank = int(SHARE * len(self.remembered))
        if not rank:
            return np.ones(self.squares.shape[1:], dtype=bool)
        ranked = np.partition(self.squares, rank, axis=1)[:, rank]
        far = np.sqrt(np.maximum(ranked.astype(np.float64), LITTLE))
        moments = Moments.of(far)
        usual, deviation = _usual_and_deviation(self.frame, moments.mean, moments.square)
        return np.asarray(far <= usual + RARE * deviation)

    def nearest(self) -> Squares:
        """(judged, places): the squared distance of each place from the nearest remembered one;
        APART (1e6) where only the judged picture itself is left of several that were remembered,
        see `without`."""
        return np.asarray(self.squares.min(axis=1))

    def usual(self) -> tuple[Float, Float, Rarity]:
        """(usual, deviation, rarity): the distance that is usual at each place and how far
        distances, those of `nearest`, stray from it, (places,) both, of judged pictures, one at
        least, the largest 5 % left out at each place (see Moments); and the Rarity of pictures by
        the power mean over places of 1 + how many deviations, 0 .. 100, their distances lie beyond
        the usual; of three pictures or more, beyond that of all others."""
        nearest = self.nearest().astype(np.float64)
        far = np.sqrt(np.maximum(nearest, LITTLE))
        moments = Moments.of(far)
        usual, deviation = _usual_and_deviation(self.frame, moments.mean, moments.square)
        beyond = (far - usual) / deviation
        if len(far) >= FEWEST:
            # each picture by all others: it has bent neither what is usual of them nor how far
            # they stray towards itself
            usual_of_others, deviation_of_others = _usual_and_deviation(
                self.frame,
                moments.mean_of_others,
                moments.square_of_others,
            )
            beyond = (far - usual_of_others) / deviation_of_others
        power = (np.clip(beyond, 0.0, FARTHEST) + 1.0) ** SHARP
        joined = power.mean(axis=1) ** (1 / SHARP)
        return usual, deviation, Rarity.of_few(joined)


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and mean square of values at each place: of all pictures, mean and square, (places,);
    and for each picture of all others, mean_of_others and square_of_others, (pictures, places).

    At each place the largest values, of a SHARE (0.05) of the pictures, are left out: defects that
    lie at the same place in several pictures would make one another usual.
    """

    mean: Float
    square: Float
    mean_of_others: Float
    square_of_others: Float

    @classmethod
    def of(cls, values: Float) -> Moments:
        """The moments of values, (pictures, places), of one picture at least; those of others are 0
        where there is but one."""
        pictures = len(values)
        left_out = int(SHARE * pictures)
        stays = np.ones(values.shape, dtype=bool)
        if left_out:
            largest = np.argpartition(values, -left_out, axis=0)[-left_out:]
            np.put_along_axis(stays, largest, False, axis=0)
        kept = np.where(stays, values, 0.0)
        squared = kept**2
        total = kept.sum(axis=0)
        total_square = squared.sum(axis=0)
        count = pictures - left_out
        # of one picture there are no others
        others = np.maximum(count - stays, 1)
        return cls(
            total / count,
            total_square / count,
            (total - kept) / others,
            (total_square - squared) / others,
        )


def _usual_and_deviation(
    frame: Frame,
    mean: Float,
    square: Float,
) -> tuple[Float, Float]:
    """Estimate at each place which distance is usual and how far distances stray from it: (usual,
    deviation), (..., places) both. mean, square: (..., places), the mean and the mean square of
    distances at each place.

    usual: the mean, averaged about each place. deviation: how far distances stray from it, as a
    part of it (or of a quarter of its mean over places, where that is more), averaged about each
    place, too; as that is uncertain of few pictures, the mean of these parts over all places, 0.05
    at least, is added, before they are multiplied by what they are parts of.
    """
    usual = _averaged_around(frame, mean)
    # places that hardly differ in any picture count by what others do
    overall = mean.mean(axis=-1, keepdims=True)
    unit = np.maximum(usual, LEAST_USUAL * overall)
    unit = np.maximum(unit, LITTLE)
    # the mean of (distance - usual)^2, which rounding may make negative
    variance = square - 2 * usual * mean + usual**2
    relative = np.maximum(variance, 0.0) / unit**2
    strays = np.sqrt(_averaged_around(frame, relative))
    typical = strays.mean(axis=-1, keepdims=True)
    typical = np.maximum(typical, LEAST_DEVIATION)
    return usual, unit * (strays + typical)


def _averaged_around(frame: Frame, values: Float) -> Float:
    """Average `values`, (..., places), over the places around each, under a Gaussian of AROUND
    (1.5) places: (..., places). frame: tells the grid of places."""
    height, width = frame.grid
    down = window_means(height, height, AROUND)
    right = window_means(width, width, AROUND)
    laid = values.reshape(*values.shape[:-1], height, width)
    blurred = down @ laid @ right.T
    return np.asarray(blurred.reshape(values.shape))


def _nearest_within(
    grid: tuple[int, int],
    cells: int,
    pictures: Float,
    rows: Float,
    vouching: Mask | None,
) -> tuple[Squares, Squares]:
    """(nearest, here), (pictures, others, places) float32 both: squared distances of each place of
    pictures from the nearest of the places around it in other pictures, at most `cells` away in
    each direction, and from the same place there. grid: (height, width) of the places; pictures:
    (pictures, places, coordinates); rows: (others, places, coordinates), the other pictures.

    vouching: (others, places) bool, which places the nearest may be, others being APART (1e6)
    farther; None: all. `here` is of all places in any case. Rounding may make them negative.
    """
    coordinates = pictures.shape[-1]
    # a product of matrices at every place: (height, width, pictures, coordinates) by
    # (height, width, coordinates, others)
    places_of_pictures = pictures.astype(np.float32).transpose(1, 0, 2)
    places_of_pictures = places_of_pictures.reshape(*grid, -1, coordinates)
    places_of_others = rows.astype(np.float32).transpose(1, 2, 0)
    places_of_others = places_of_others.reshape(*grid, coordinates, -1)
    length = (places_of_pictures**2).sum(axis=3)
    other_length = (places_of_others**2).sum(axis=2)
    silent = None
    if vouching is not None and not vouching.all():
        silent = np.zeros(other_length.shape, dtype=np.float32)
        silent[~vouching.T.reshape(silent.shape)] = APART
    shape = (*grid, len(pictures), len(rows))
    nearest = np.full(shape, np.inf, dtype=np.float32)
    here = nearest
    line = range(-cells, cells + 1)
    for down, right in itertools.product(line, line):
        # the places of pictures that have a place so far down and right of them, and those places
        at, there = _overlap(grid, down, right)
        # in place, as these are the largest arrays of a fit
        square = places_of_pictures[at] @ places_of_others[there]
        square *= -2
        square += length[at][..., None]
        square += other_length[there][:, :, None]
        if down == right == 0:
            here = square
        if silent is not None:
            # a copy, as `here` is told of silent places, too
            square = square + silent[there][:, :, None]
        np.minimum(nearest[at], square, out=nearest[at])
    return _by_pictures(nearest), _by_pictures(here)


def _by_pictures(squares: Squares) -> Squares:
    """Move the axes of squares, (height, width, pictures, others), to (pictures, others,
    places)."""
    height, width, pictures, others = squares.shape
    laid = squares.transpose(2, 3, 0, 1)
    laid = laid.reshape(pictures, others, height * width)
    return np.ascontiguousarray(laid)


def _overlap(
    grid: tuple[int, int],
    down: int,
    right: int,
) -> tuple[Area, Area]:
    """((rows, columns) of a part of a grid, (rows, columns) of the places that lie `down` and
    `right` of those), as slices, so that every place has a counterpart; empty where there is none.
    grid: (height, width); down, right: in places, below 0 for up and left."""
    height, width = grid
    rows, rows_there = _overlap_of_line(height, down)
    columns, columns_there = _overlap_of_line(width, right)
    return (rows, columns), (rows_there, columns_there)


def _overlap_of_line(size: int, step: int) -> tuple[slice, slice]:
    """(slice of a line of `size` places, slice of the places that lie `step` further, below 0
    before them), of the same length; empty where none lies on the line."""
    first = max(0, -step)
    # beyond the end there is nothing, and a negative end would count from it
    end = max(0, min(size, size - step))
    return (
        slice(first, end),
        slice(
            max(0, step),
            max(0, min(size, size + step)),
        ),
    )
