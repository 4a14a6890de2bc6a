"""How far a record's numbers lie from those of other records, in bits: one that is as far from them
as one record in 2^b is, costs b.

A cell may be usual in its column, and as its columns go on in a line, and yet have no like among
the records. Beside a sample of the records each is judged by the third nearest one, so that two
odd ones alike do not vouch for each other.

Of 1, 3, 5 and 10 neighbours, of samples of 64 to 1,024, and of weights of 0.5 to 2, these tell best
apart the records of the 75 labelled sets of the half "chosen" of benchmarks/halves.py and planted
cells of 22 tables, taken together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool.model import Float, Int
from aetool.scoring.outlying import as_large_as, standardised

SAMPLE = 256  # records, beside which each is judged
NEIGHBOUR = 3  # the nearest but two counts
WEIGHT = 1.5  # of the bits by distance, beside those of the cells
USUAL = 0.75  # the part of the records that cost no more than is usual
AT_ONCE = 1 << 14  # records whose distances are in memory at a time


def excess_bits(columns: Sequence[Float | None], rows: int) -> Float:
    """(rows, columns): the bits by which each record's distance from others costs more than three
    of four records' do, WEIGHT (1.5) times, shared among its cells by how much each adds to the
    squared distance; 0 in columns without a finite number, of one column alone, and of fewer than
    five rows.

    columns: (rows,) each, NaN for a gap, or None for a column without numbers. Distances are
    Euclidean, of standardised columns in which a gap counts as the mean.
    """
    bits_of_cells = np.zeros((rows, len(columns)))
    places = []
    scaled_columns = []
    for place, numbers in enumerate(columns):
        if numbers is None or not np.isfinite(numbers).any():
            continue
        places.append(place)
        scaled_columns.append(standardised(numbers))
    # how far numbers of one column are from each other their places tell
    if len(places) < 2 or rows < NEIGHBOUR + 2:
        return bits_of_cells
    scaled = np.stack(scaled_columns, axis=1)
    neighbours = _neighbours(scaled)
    differences = scaled - scaled[neighbours]
    squares = differences**2
    distances = squares.sum(axis=1)
    excess = _excess_by_distance(distances)
    # a record at no distance has no parts
    divisor = np.where(distances > 0, distances, 1.0)
    bits_a_square = excess / divisor
    bits_of_cells[:, places] = squares * bits_a_square[:, None]
    return bits_of_cells


def _excess_by_distance(distances: Float) -> Float:
    """(rows,): WEIGHT (1.5) times the bits by which each record costs more than three of four
    (USUAL), if one that is as far as one in 2^b costs b. distances: (rows,), 0 or more."""
    rows = len(distances)
    as_far = as_large_as(distances)
    # one more of each, as of the places of numbers in their columns
    bits = np.log2((rows + 1) / (as_far + 1))
    usual = np.quantile(bits, USUAL)
    excess = np.maximum(bits - usual, 0)
    return np.asarray(WEIGHT * excess)


def _neighbours(scaled: Float) -> Int:
    """(rows,): of each record the number of the third nearest (NEIGHBOUR) of the sample, itself
    left out. scaled: (rows, columns), at least NEIGHBOUR + 2 rows. The sample is drawn by a fixed
    seed, so that a table always has the same scores."""
    rows = len(scaled)
    generator = np.random.default_rng(0)
    count = min(SAMPLE, rows)
    drawn = generator.choice(rows, count, replace=False)
    # half the memory: the distance that counts is computed anew, and which of two records nearly as
    # near is taken makes no difference
    points = scaled.astype(np.float32)
    sample = points[drawn]
    lengths = (sample**2).sum(axis=1)
    # of each record its place in the sample, -1 for none
    place_in_sample = np.full(rows, -1)
    place_in_sample[drawn] = np.arange(len(drawn))
    neighbours = np.empty(rows, np.int64)
    for begin in range(0, rows, AT_ONCE):
        end = min(begin + AT_ONCE, rows)
        # squared distances, less the record's own squared length, which is the same for all
        products = points[begin:end] @ sample.T
        distances = lengths - 2 * products
        places = place_in_sample[begin:end]
        is_drawn = places >= 0
        # no record is its own neighbour
        distances[is_drawn, places[is_drawn]] = np.inf
        here = np.arange(end - begin)
        for _ in range(NEIGHBOUR - 1):
            nearest = distances.argmin(axis=1)
            distances[here, nearest] = np.inf
        nearest = distances.argmin(axis=1)
        neighbours[begin:end] = drawn[nearest]
    return neighbours
