"""Conditionals of a joint Gaussian, and the tails of what they leave."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from aetool.closed_form import (
    BLOCK_NUMBERS,
    DENSE,
    Batches,
    Leading,
    Moments,
    few_rows,
    in_blocks,
    leading,
    moments,
    mostly_one,
)
from aetool.graphs import LEAST_SIGMA
from aetool.model import Float, Int, Spec
from aetool_pca.solution import Components, Joint, LowRank, Prediction, WithCompanions

TAIL_STEPS = 25
TAIL_START = (1.0, 3.0, 10.0)  # scales that a mixture begins with, in robust deviations
TAIL_CUT = 0.0025  # part of the values that is left out, the largest
MOST_GROUPS = 512  # of values from which a mixture is fitted
NORMAL_MEDIAN = 0.455  # of the square of a standard normal number
FAR = 25.0  # a squared residual in deviations, above which it is no farther
GIVEN_RIDGE = 1e-2  # beside variances of 1
TRIMS = 3  # rounds in which the farthest rows are weighed down
LEAST_AXIS = 0.1  # deviation along a whitened axis, whose rows have a deviation of 1
PRIOR_ROWS = 10  # of one deviation each, for a number that is often missing
COMPONENTS = 128  # axes of the covariance of many features, at most
COMPANIONS = 4  # columns beside its axes by which one of many is told
MOST_COMPARED = 1 << 14  # features up to which each is compared with each
PRODUCTS = 1 << 32  # at most, of numbers, to compare them
BEYOND_CHANCE = 3.0  # chance alone makes the square of the largest correlation 2 log(features) / n
STRIP = 512  # features that are compared with all others at once
ROWS_OF_AN_AXIS = 2  # axes are told by so many rows each, at least


def conditionals(spec: Spec, cov: Float) -> Float:
    """(features, features): the matrix by which centred rows are multiplied from the right to
    predict every column from all others, under a Gaussian of this covariance, (features, features),
    which must have an inverse. Context features come out as they are.

    The conditional mean is x - P^-1_bb (P x)_b for the block b of a column, P the inverse
    covariance (Rasmussen & Williams 2006, eq. 5.12, for one variable; the block form is the same
    Schur complement).
    """
    precision = np.linalg.inv(cov)
    inverse_blocks = np.zeros_like(precision)
    for block in _features_of_columns(spec):
        place = np.ix_(block, block)
        inverse_blocks[place] = np.linalg.inv(precision[place])
    identity = np.eye(len(cov))
    return np.asarray(identity - precision @ inverse_blocks)


def _features_of_columns(spec: Spec) -> list[list[int]]:
    """For each column that is scored the list of the indices of its features: numbers without a
    flag and flags without a number first, then categories, then numbers with their flags."""
    numbers = spec.numeric.tolist()
    gates = spec.gate.tolist()
    alone = []
    pairs = []
    for number, gate in zip(numbers, gates, strict=True):
        if gate < 0:
            alone.append([number])
        else:
            # a number and its flag are one column: neither may tell the other
            pairs.append([number, gate])
    for flag, _ in spec.flags:
        if flag not in gates:
            alone.append([flag])
    levels = []
    for _, first, width in spec.categories:
        end = first + width
        levels.append(list(range(first, end)))
    return alone + levels + pairs


def distances(prediction: Prediction, spec: Spec, batches: Batches) -> Float:
    """(rows,): for each row in batches the sum over scored features of the squared residual of this
    prediction, divided by its mean over rows, and cut at 25. batches: one row at least."""
    scored = spec.owners() >= 0
    rows = 0
    total = np.zeros(spec.features)
    for block in in_blocks(batches, BLOCK_NUMBERS):
        x = block.astype(np.float64)
        square = prediction.residual(x) ** 2
        total += square.sum(axis=0)
        rows += len(block)
    # a feature that is predicted without any error is not divided by 0
    mean = np.maximum(total / rows, 1e-12)
    parts = []
    for block in in_blocks(batches, BLOCK_NUMBERS):
        x = block.astype(np.float64)
        square = prediction.residual(x) ** 2 / mean
        square = np.minimum(square[:, scored], FAR)
        parts.append(square.sum(axis=1))
    return np.concatenate(parts)


def with_tails(
    maps: Components,
    prediction: Prediction,
    spec: Spec,
    batches: Batches,
) -> Components:
    """A copy of the maps with this prediction, and a mixture of three Gaussians of different scales
    fitted to each feature's residuals by EM.

    One Gaussian would call every shower an outlier: residuals of real columns are a sharp bulk and
    a wide, thin rest. Dempster, Laird & Rubin 1977 for mixtures of one mean. The largest 0.25 % of
    each feature are left out: an outlier must not make itself at home. A number with gaps is taken
    for as wide as with ten further rows of deviation 1. scale and weight of the copy are
    (components, features); no scale of a number is below that of rounding to buckets. Residuals are
    those of a sample of the rows in batches, of which there must be one.
    """
    few = few_rows(batches)
    square = prediction.residual(few) ** 2
    least = np.full(spec.features, 1e-6)
    least[spec.numeric] = LEAST_SIGMA * spec.half
    gated = spec.gate >= 0
    numbers = spec.numeric[gated]
    # a missing number says nothing of its spread
    present = np.ones(square.shape, dtype=bool)
    flags = few[:, spec.gate[gated]]
    present[:, numbers] = flags == 0
    scale, weight = _mixture(square, least, present)
    rows_of_features = present.sum(axis=0)
    rows = rows_of_features[numbers]
    # what is believed of spreads read off few rows
    # the rest is that of rows of deviation 1
    part = rows / (rows + PRIOR_ROWS)
    variance = scale[:, numbers] ** 2
    believed_variance = part * variance + (1 - part)
    scale[:, numbers] = np.sqrt(believed_variance)
    return dataclasses.replace(maps, prediction=prediction, scale=scale, weight=weight)


def with_joint(
    maps: Components,
    spec: Spec,
    batches: Batches,
    trim: float,
    amount: float,
) -> Components:
    """A copy of the maps to which a density of all numbers together, read off the rows in batches,
    is added, weighed by `amount`.

    The axes are the whitened principal ones of a covariance from which the `trim` farthest rows are
    weighed down in inverse proportion to their squared distance (Maronna 1976), and the tails along
    them are fitted as those of columns are. A row that is far in many columns at once is predicted
    by the other columns in each, and only found here. What an axis costs falls on the columns by
    the squares of its loadings. Where the rows before a row are given, the density is of what they
    do not tell. Numbers of which most rows have one value, or none, take no part: about that value
    they have no density. Where fewer than two numbers are left, or `amount` is 0, the maps are
    returned as they are. trim: a part of the rows, 0 .. 1; amount: how many times the bits of this
    density count beside those of columns.
    """
    is_varied = ~mostly_one(spec, few_rows(batches))
    varied = np.flatnonzero(is_varied)
    numbers = spec.numeric[varied]
    if not amount or len(numbers) < 2:
        return maps
    lean = _prediction_from_rows_before(spec, batches)
    if lean is not None:
        lean = lean[:, varied]
    chunks = Columns(batches, numbers, lean)
    rows = sum(len(batch) for batch in batches)
    most = axes_of_wide(rows, len(numbers))
    # variance of a value within its bucket, which is 2 * half wide
    rounding = spec.half[varied] ** 2 / 3
    moments_of_numbers = spread(chunks, most)
    rounds = TRIMS if trim else 0
    for _ in range(rounds):
        squared_distances = moments_of_numbers.squares(chunks, rounding)
        weights = nearness(squared_distances, trim)
        moments_of_numbers = spread(chunks, most, weights)
    variances, vectors = moments_of_numbers.axes(rounding)
    axes = vectors / np.sqrt(variances)
    centred = few_rows(chunks) - moments_of_numbers.mean
    along = centred @ axes
    least = np.full(len(variances), LEAST_AXIS)
    scale, weight = _mixture(along**2, least)
    columns = spec.owner[varied]
    share = np.zeros((len(variances), len(spec.columns)))
    share[:, columns] = vectors.T**2
    joint = Joint(
        numbers,
        moments_of_numbers.mean,
        axes,
        scale,
        weight,
        share,
        amount,
        lean,
    )
    return dataclasses.replace(maps, joint=joint)


def axes_of_wide(rows: int, features: int) -> int | None:
    """How many leading axes to find of a covariance that is estimated from `rows` rows; None for up
    to 512 features, whose covariance is formed in full; else half as many as rows, from 1 to 128.
    An axis needs a few rows behind it: with fewer, it is only what a handful of rows have in common
    by chance."""
    if features <= DENSE:
        return None
    supported = rows // ROWS_OF_AN_AXIS
    return max(1, min(COMPONENTS, supported))


def with_companions(prediction: LowRank, spec: Spec, few: Float) -> Prediction:
    """The prediction of wide rows by a few axes, and by what these leave of the few columns that
    each is most alike beyond them: two sensors of one thing are no axis among thousands.

    few: (rows, features), a sample of the rows. Companions are those whose correlation is beyond
    what the most alike of as many unrelated columns would have by chance; features of one column
    are no companions. The prediction is returned as it is where no companion counts, where there
    are few rows (8 or fewer, or hardly more than axes), or more than MOST_COMPARED (16,384)
    features.
    """
    features = spec.features
    if features > MOST_COMPARED or len(few) <= 2 * COMPANIONS:
        return prediction
    products = len(few) * features**2
    step = max(1, products // PRODUCTS)
    few = few[::step]
    residual = prediction.residual(few)
    axes = prediction.left.shape[1]
    freedom = len(few) - axes
    if freedom <= COMPANIONS:
        return prediction
    mean_square = (residual**2).mean(axis=0)
    deviation = np.sqrt(mean_square) + 1e-6
    # in float32, which halves the time of the products
    standard = (residual / deviation).astype(np.float32)
    index, correlation = _most_alike(standard, spec.owners())
    chance = math.sqrt(BEYOND_CHANCE * math.log(features) / freedom)
    counted = np.abs(correlation) > chance
    if not counted.any():
        return prediction
    companions = standard.T[index].astype(np.float64)
    # the correlations of companions with each other, (features, companions, companions)
    between = companions @ companions.transpose(0, 2, 1) / len(few)
    both_counted = counted[:, :, None] & counted[:, None, :]
    between *= both_counted
    # companions that do not count get 1 on the diagonal, so that there is a solution
    diagonal = ~counted[:, :, None] + COMPANIONS / freedom
    between += diagonal * np.eye(COMPANIONS)
    correlations_of_feature = (correlation * counted)[:, :, None]
    weights = np.linalg.solve(between, correlations_of_feature)[:, :, 0] * counted
    weights *= deviation[:, None] / deviation[index]
    return WithCompanions(prediction, index, weights)


def _most_alike(standard: npt.NDArray[np.float32], owners: Int) -> tuple[Int, Float]:
    """The COMPANIONS (4) of each feature, those whose correlation with it is largest in size, of
    other columns, of which there must be as many, the largest first: (their indices, their
    correlations), (features, COMPANIONS) both. standard: (rows, features), of mean about 0 and
    deviation about 1; owners: (features,), the column of each, below 0 for the context, each
    feature of which counts as a column."""
    count, features = standard.shape
    index = np.zeros((features, COMPANIONS), dtype=np.int64)
    correlation = np.zeros((features, COMPANIONS))
    for first in range(0, features, STRIP):
        end = min(first + STRIP, features)
        strip = np.arange(first, end)
        places = strip - first
        # (strip, features)
        correlations = standard[:, strip].T @ standard / np.float32(count)
        size = np.abs(correlations)
        of_one_column = (owners[strip, None] == owners) & (owners >= 0)
        size[of_one_column] = 0
        size[places, strip] = 0
        for companion in range(COMPANIONS):
            most_alike = size.argmax(axis=1)
            index[strip, companion] = most_alike
            correlation[strip, companion] = correlations[places, most_alike]
            # taken: it is not the next one, too
            size[places, most_alike] = -1.0
    return index, correlation


def spread(batches: Batches, most: int | None, weights: Float | None = None) -> Moments | Leading:
    """The mean and covariance of rows in batches, in full or by leading axes. weights: (rows,), or
    None for 1 each. DataError if there are no rows, or no weight.

    most: how many leading axes of the covariance to find; None for the whole matrix.
    """
    if most is None:
        return moments(batches, weights)
    return leading(batches, most, weights)


def nearness(squared_distances: Float, trim: float) -> Float:
    """Weights for rows, (rows,), above 0, by their squared distances, (rows,): 1, but for the part
    `trim` of the farthest, whose weight falls in inverse proportion to the squared distance. trim:
    0 .. 1."""
    cut = np.quantile(squared_distances, 1 - trim)
    # rows that are all equal have no distances
    little = 1e-9
    weights = (cut + little) / (squared_distances + little)
    return np.minimum(1.0, weights)


class Columns:
    """Batches of some features alone, (rows, k) float32, which can be iterated again and again.
    index: (k,), the indices of these; lean: (features, k), a linear prediction of these from all
    features, which is subtracted; None for none."""

    def __init__(self, batches: Batches, index: Int, lean: Float | None = None) -> None:
        """Keep what the features are taken from, and which. batches: of all features, (rows,
        features) each; index: (k,), the indices of those to take; lean: (features, k), the linear
        prediction that is subtracted, None for none."""
        self.batches = batches
        self.index = index
        self.lean = lean

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the features of one batch after the other, (rows, k) float32, less what is
        predicted of them."""
        for batch in self.batches:
            chosen = batch[:, self.index]
            if self.lean is not None:
                predicted = batch @ self.lean
                chosen = chosen - predicted.astype(np.float32)
            yield chosen


def _prediction_from_rows_before(spec: Spec, batches: Batches) -> Float | None:
    """The linear prediction of a row's numbers from the rows before it, (features, numbers), by
    ridge regression on the rows in batches; None where the model is not given the rows before. The
    matrix is 0 in the rows of all other features; there is no intercept."""
    if not spec.given:
        return None
    count = spec.given
    # the features of the rows before are the last
    of_rows_before = np.arange(spec.features - count, spec.features)
    index = np.concatenate([of_rows_before, spec.numeric])
    columns = Columns(batches, index)
    cov = moments(columns).cov
    ridge = GIVEN_RIDGE * np.eye(count)
    before = cov[:count, :count] + ridge
    between = cov[:count, count:]
    lean = np.zeros((spec.features, len(spec.numeric)))
    lean[of_rows_before] = np.linalg.solve(before, between)
    return lean


def _mixture(
    square: Float,
    least: Float,
    present: npt.NDArray[np.bool_] | None = None,
) -> tuple[Float, Float]:
    """Fit a mixture of zero-mean Gaussians to each column by expectation maximisation: (scales,
    weights), (components, k) both, where components is 3, and weights add up to 1. square: (rows,
    k), the squares of the values.

    least: (k,), the smallest scale. present: (rows, k), which of the values count; all if None; a
    column of which none counts is taken for zeros. The largest 0.25 % of each column are left out.
    """
    counted = square
    if present is not None:
        counted = np.where(present, square, np.nan)
        never_present = ~present.any(axis=0)
        # of nothing but NaN there would be no quantile
        counted[:, never_present] = 0.0
    # gaps, as NaN, are the last
    ordered = np.sort(counted, axis=0)
    count = (~np.isnan(ordered)).sum(axis=0)
    largest_kept = quantiles_of(ordered, count, 1 - TAIL_CUT)
    # a first scale that a few large values do not move
    variance = medians_of(ordered, count) / NORMAL_MEDIAN
    variance = np.maximum(variance, least**2)
    inner_square = np.where(ordered <= largest_kept, ordered, np.inf)
    square, rows = _averaged_in_groups(inner_square)
    start = np.array(TAIL_START)[:, None]
    scale = np.sqrt(variance) * start
    weight = np.full_like(scale, 1 / len(scale))
    for _ in range(TAIL_STEPS):
        # expectation: the share of each group that each component has
        twice_variance = 2 * scale[:, None] ** 2
        log_weight = np.log(weight / scale)
        # (components, groups, k); one array is reused for each step's
        share = square / twice_variance
        np.subtract(log_weight[:, None], share, out=share)
        # the largest is taken out, so that not all are 0
        share -= share.max(axis=0)
        np.exp(share, out=share)
        share *= rows / share.sum(axis=0)
        # maximisation, with one row's worth of prior in each component
        mass = share.sum(axis=1) + 1.0
        total = (share * square).sum(axis=1) + scale**2
        scale = np.sqrt(total / mass)
        scale = np.maximum(scale, least)
        weight = mass / mass.sum(axis=0)
    return scale, weight


def quantiles_of(ordered: Float, count: Int, part: float) -> Float:
    """The value that a part of each column's values lie below, (k,), as NumPy's nanquantile has it,
    which looks at one column after the other. ordered: (rows, k), rising; count: (k,), how many of
    them count, the first."""
    place = (count - 1) * part
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, count - 1)
    lower: Float = np.take_along_axis(ordered, below[None], axis=0)[0]
    upper: Float = np.take_along_axis(ordered, above[None], axis=0)[0]
    span = upper - lower
    beyond = place - below
    # from the nearer of the two, so that rounding is NumPy's, too
    from_lower = lower + span * beyond
    from_upper = upper - span * (1 - beyond)
    nearer: Float = np.where(beyond >= 0.5, from_upper, from_lower)
    return nearer


def medians_of(ordered: Float, count: Int) -> Float:
    """The median of each column, (k,). ordered: (rows, k), rising; count: (k,), how many of them
    count, the first."""
    lower: Float = np.take_along_axis(ordered, (count - 1)[None] // 2, axis=0)[0]
    upper: Float = np.take_along_axis(ordered, count[None] // 2, axis=0)[0]
    return (lower + upper) / 2


def _averaged_in_groups(ordered: Float) -> tuple[Float, Float]:
    """Average the values of each column in at most MOST_GROUPS (512) groups: (means, counts),
    (groups, k) both, from rising squares, (rows, k); infinite ones are left out. Where a column has
    fewer finite values than groups, some groups are empty: both are 0.

    Values side by side have nearly the same shares in every component, and a few hundred groups
    take a tenth of the time of thousands of rows.
    """
    finite = np.isfinite(ordered)
    rows, columns = ordered.shape
    groups = min(rows, MOST_GROUPS)
    count = finite.sum(axis=0)
    number_of_end = np.arange(groups + 1)[:, None]
    ends = number_of_end * count // groups
    total = np.zeros((rows + 1, columns))
    finite_values = np.where(finite, ordered, 0.0)
    # rising values, so that no sum of small ones is lost beside large ones
    np.cumsum(finite_values, axis=0, out=total[1:])
    counts = np.diff(ends, axis=0)
    total_at_ends = np.take_along_axis(total, ends, axis=0)
    sums = np.diff(total_at_ends, axis=0)
    means = sums / np.maximum(counts, 1)
    return means, counts.astype(np.float64)
