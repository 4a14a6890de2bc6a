"""How far out the numbers of a block lie, in bits: a number that one in 2^b is as far out as, costs
b.

Digits cost the same wherever a number lies, so what a coder takes for it hardly tells a far one
from an ordinary one. Three prices tell: by its place among the numbers of its column, counted from
the nearer end; by how far it lies from their median, which tells a few that are far from the many
at one end; and by its place among the column's departures from what the other numbers of each row
foretell.

A column in which each number is near the one before, as of a clock or a slow sensor, has no far
ones: its ends are where it began and where it has come to. What it costs in the file, as
differences, tells more.

Of several such prices these three tell records apart best on the 75 labelled sets of the half
"chosen" of benchmarks/halves.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetool.model import Float, Int

LEAST_NUMBERS = 0.5  # of a column's cells, for it to be one of numbers; others may be gaps
LEAST_VALUES = 3  # different ones; of two neither lies further out than the other
# the mean squared step of ranks from row to row, by that of ranks in random order, which is 1;
# below this a column follows its rows
LEAST_STEP = 0.5
LEAST_ROWS = 10  # for each column, or others foretell each row by having learned it
MOST_COLUMNS = 512  # that foretell each other; more would take longer than the decoding
FARTHEST = 10.0  # deviations that a number counts for at most where others are foretold by it
LARGEST = 1e300  # stands for a larger distance, or a square of one
TINY = 1e-300  # stands for a deviation of 0
# what a number costs by its distance from the median, as a part of its surprise under Student's t
# of two degrees of freedom: columns have longer tails than that
DISTANCE = 0.25
RIDGE = 0.01  # of a column's variance, so that columns that are one another's sums have an answer


def bits_of(columns: Sequence[Float | None], rows: int) -> tuple[Float, Float, Float]:
    """(bits by the place among the column's numbers, bits by the distance from their median, bits
    by the place among departures from what the row's other numbers foretell), (rows, columns) each;
    0 where there is no number, and in columns that are not of numbers, or follow their rows.

    columns: (rows,) each, NaN for a gap, or None for a column without numbers. Costs by places are
    0 to log2 of rows. Departures are those of a ridge regression on all other columns of numbers;
    of too few rows, or too many columns, there are none.
    """
    by_column = np.zeros((rows, len(columns)))
    by_distance = np.zeros((rows, len(columns)))
    by_others = np.zeros((rows, len(columns)))
    scaled = {}
    for place, numbers in enumerate(columns):
        if numbers is None:
            continue
        bits_in_column = _bits_by_place(numbers)
        if bits_in_column is None:
            continue
        by_column[:, place] = bits_in_column
        by_distance[:, place] = _bits_by_distance(numbers)
        scaled[place] = standardised(numbers)
    count = len(scaled)
    has_others = 2 <= count <= MOST_COLUMNS
    if not has_others or rows < LEAST_ROWS * count:
        return by_column, by_distance, by_others
    all_scaled = np.stack([*scaled.values()], axis=1)
    distances = np.abs(_departures(all_scaled))
    for place, of_column in zip(scaled, distances.T, strict=True):
        # what is not there departs from nothing, and costs nothing in its column
        is_number = by_column[:, place] > 0
        bits = _bits_of_distances(of_column)
        by_others[:, place] = np.where(is_number, bits, 0.0)
    return by_column, by_distance, by_others


def _bits_by_place(numbers: Float) -> Float | None:
    """(rows,): the bits that the numbers of a column, NaN for gaps, cost by how many of them,
    counted from the nearer end, lie as far out, 0 for a gap and for an infinity. None if fewer than
    half of the rows have one, there are fewer than three different ones, or they follow their
    rows."""
    is_number = np.isfinite(numbers)
    found = numbers[is_number]
    count = len(found)
    if count < LEAST_NUMBERS * len(numbers):
        return None
    # of each number the index of its value
    values, value_of, counts = np.unique(
        found,
        return_inverse=True,
        return_counts=True,
    )
    if len(values) < LEAST_VALUES:
        return None
    # how many numbers are as small as each value or smaller
    at_most = np.cumsum(counts)
    # equal numbers share the mean of their ranks
    middle = at_most - counts / 2
    if _relative_step_of_ranks(middle[value_of]) < LEAST_STEP:
        return None
    at_least = count - at_most + counts
    as_far = np.minimum(at_most, at_least)
    # one more of each, so that a number that no other is as far out as costs less than log2(count)
    bits = np.log2((count + 1) / (as_far + 1))
    of_rows = np.zeros(len(numbers))
    of_rows[is_number] = bits[value_of]
    return of_rows


def _bits_by_distance(numbers: Float) -> Float:
    """(rows,): the bits that the numbers of a column, NaN for gaps, cost by how far they lie from
    their median, beside the median distance; 0 for a gap and for an infinity. There must be a
    number."""
    is_number = np.isfinite(numbers)
    found = numbers[is_number]
    of_rows = np.zeros(len(numbers))
    # of 1e308 differences and squares are infinite, and cost at most what the largest number does
    with np.errstate(over="ignore"):
        distances = np.abs(found - np.median(found))
        distances = np.minimum(distances, LARGEST)
        of_rows[is_number] = DISTANCE * _surprise(distances / _typical_distance(distances))
    return of_rows


def _surprise(ratios: Float) -> Float:
    """(n,): how many bits less dense Student's t of two degrees of freedom is at each of these
    ratios, (n,), 0 or more, of a distance to the typical one, than at 0."""
    # the density falls with x as (1 + x^2 / 2) ^ -1.5
    with np.errstate(over="ignore"):
        squares = np.minimum(ratios**2, LARGEST)
    return 1.5 * np.log2(1 + squares / 2)


def _relative_step_of_ranks(ranks: Float) -> float:
    """The mean squared step from one rank to the next, as a part of what it is in random order.
    ranks: in the order of the rows, not all the same."""
    steps = np.diff(ranks)
    # in random order it is twice the variance
    in_random_order = 2 * np.var(ranks)
    return float(np.mean(steps**2) / in_random_order)


def standardised(numbers: Float) -> Float:
    """Numbers of a column, (rows,), less their mean, by their deviation; those far out are drawn in
    to FARTHEST median deviations first, and gaps, infinities among them, are 0, the mean; all are 0
    where numbers do not differ. There must be a number."""
    is_number = np.isfinite(numbers)
    # of 1e308 the squares, and even differences, are infinite
    with np.errstate(over="ignore", invalid="ignore"):
        differences = numbers - np.median(numbers[is_number])
        distances = np.abs(differences[is_number])
        drawn_in = differences / _typical_distance(distances)
    drawn_in = np.clip(drawn_in, -FARTHEST, FARTHEST)
    # gaps, and what is left of two infinities
    drawn_in = np.nan_to_num(drawn_in)
    mean = drawn_in[is_number].mean()
    centred = np.where(is_number, drawn_in - mean, 0.0)
    deviation = float(centred.std())
    # without any, all are 0 already
    return np.asarray(centred / max(deviation, TINY))


def _departures(scaled: Float) -> Float:
    """How much each number departs from what the others of its row let expect, by ridge regression,
    less the median of the column: (rows, columns). scaled: (rows, columns), of mean 0 and deviation
    1. One inverse serves all columns: that of the correlations has in each column the weights by
    which the others predict it."""
    rows, width = scaled.shape
    correlations = scaled.T @ scaled / rows
    ridge = RIDGE * np.eye(width)
    inverse = np.linalg.inv(correlations + ridge)
    weights = inverse / np.diag(inverse)
    departures = scaled @ weights
    middle = np.median(departures, axis=0)
    return np.asarray(departures - middle)


def _bits_of_distances(distances: Float) -> Float:
    """(rows,): what each distance, (rows,), costs in bits: the smaller of two costs, by how many
    distances are as large, and by how large it is beside the typical one under Student's t of two
    degrees of freedom.

    The largest distance costs log2 of the rows by the first alone, even where a column has many
    that are hardly smaller, as if it were the only one.
    """
    rows = len(distances)
    as_large = as_large_as(distances)
    by_count = np.log2((rows + 1) / (as_large + 1))
    by_length = _surprise(distances / _typical_distance(distances))
    return np.minimum(by_count, by_length)


def as_large_as(values: Float) -> Int:
    """(n,): how many of the values, (n,), are as large as each, itself among them."""
    order = np.argsort(values)
    ascending = values[order]
    places = np.arange(len(values))
    # where in the order equal values begin; each value has the place of the first of its equals
    begins = np.ones(len(values), bool)
    begins[1:] = ascending[1:] > ascending[:-1]
    first_places = np.maximum.accumulate(np.where(begins, places, 0))
    smaller = np.empty(len(values), np.int64)
    smaller[order] = first_places
    return np.asarray(len(values) - smaller)


def _typical_distance(distances: Float) -> float:
    """The unit by which distances, (n,), 0 or more, are divided: their median; where that is 0, as
    most cells are the same number, their mean; never 0."""
    unit = float(np.median(distances))
    if not unit:
        unit = float(np.mean(distances))
    return max(unit, TINY)
