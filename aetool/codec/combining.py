"""Finds combinations of columns that predict another column: totals, differences, products.

Columns are taken one by one, always the one that correlates best with what the ones before leave
unexplained (orthogonal matching pursuit, Pati et al. 1993), with factors by least squares. Nothing
here is needed to decode, so floating point is welcome: what is stored are whole factors and a
divisor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.codec import computing
from aetool.codec.plans import MOST_FACTOR, Combination, Plan, Term, Transform
from aetool.codec.streams import Known, Stream
from aetool.model import Float, Int

FEWEST = 48  # rows, of which factors can be found
ROWS = 4096  # that are looked at
MOST_TERMS = 4
PRODUCTS_OF = 8  # columns, the products of any two of which are tried
LEAST_GAIN = 0.97  # of what is left, by which one more column must lower it
LARGEST = float(1 << 52)  # below it sums of products stay far from 64 bits
NEARLY_WHOLE = 1e-6
DIVISORS = (1, 2, 5, 10, 100, 1000, 10_000)  # over which factors are often whole
FINEST = 1 << 16  # the divisor of factors that are not whole over any of those
MATCHING = 0.9  # of the rows must a product be near to


@dataclass(frozen=True, eq=False)
class _Regressor:
    """A possible predictor: the values of stream number `stream`, `lag` rows before each sampled
    row, as floats, (sampled rows,). lag: 0 or 1."""

    stream: int
    lag: int
    values: Float


def combinations(stream: Stream, parents: Sequence[int], known: Known) -> Iterator[Plan]:
    """Yield plans that predict a stream by a combination of parents, at most five: by a product of
    two (or of one with itself) of the first PRODUCTS_OF (8); by a weighted sum; by the same sum, as
    differences to the row before; and two by what is computed of them in floats.

    A combination that does not come near yields no plan; there is none at all without parents, if
    fewer than FEWEST (48) rows have a value, or those in the sample are all equal. The plans have
    no bins and no features yet. parents: the numbers of earlier streams; known: these streams.
    """
    rows = _sampled_rows(stream, known.rows)
    if len(rows) < FEWEST or not parents:
        return
    # a row for each of the block's: other streams are looked at by row
    by_row = np.zeros(known.rows, np.int64)
    if stream.present is None:
        by_row[:] = stream.values
    else:
        by_row[stream.present] = stream.values
    target = by_row[rows].astype(np.float64)
    if not np.ptp(target):
        return
    regressors = _regressors(parents, known, rows)
    without_lag = [regressor for regressor in regressors if not regressor.lag]
    product = _product_of_any_two(target, without_lag[:PRODUCTS_OF])
    if product is not None:
        yield Plan(transform=Transform.LINEAR, combined=product)
    combined = _weighted_sum(target, regressors)
    if combined is not None:
        yield Plan(transform=Transform.LINEAR, combined=combined)
        yield Plan(transform=Transform.LINEAR_DIFFERENCE, combined=combined)
    yield from computing.plans(by_row, rows, parents, known)


def _regressors(parents: Sequence[int], known: Known, rows: Int) -> list[_Regressor]:
    """Each parent stream at the sampled rows, then at the row before each, parent by parent, but
    for those that are constant there or whose values are 2^52 or more apart. known: the streams so
    far; parents: numbers of streams; rows: (sampled rows,)."""
    regressors = []
    for parent in parents:
        for lag in (0, 1):
            values = _lagged(known.values[parent], rows, lag)
            # sums of products of larger ones would leave the range of exact whole floats
            if 0 < np.ptp(values) < LARGEST:
                regressors.append(_Regressor(parent, lag, values))
    return regressors


def _sampled_rows(stream: Stream, rows: int) -> Int:
    """Choose rows to sample, of those in which the stream has a value: their numbers, (sampled
    rows,) int64, ascending; all of them, or, if they are more than ROWS (4,096), four stretches of
    together as many. rows: how many the block has."""
    all_rows = np.arange(rows) if stream.present is None else np.flatnonzero(stream.present)
    if len(all_rows) <= ROWS:
        return all_rows
    length = ROWS // 4
    last_begin = len(all_rows) - length
    begins = np.linspace(0, last_begin, 4).astype(np.int64)
    # one row of places for each stretch
    places = begins[:, None] + np.arange(length)
    return np.asarray(all_rows[places.reshape(-1)])


def _lagged(values: Int, rows: Int, lag: int) -> Float:
    """The value of a stream `lag` rows before each row of `rows`, (sampled rows,), as floats; 0
    where there is no such row. values: (rows of the block,)."""
    before = np.maximum(rows - lag, 0)
    lagged = np.where(rows >= lag, values[before], 0)
    return lagged.astype(np.float64)


def _weighted_sum(target: Float, regressors: Sequence[_Regressor]) -> Combination | None:
    """Find a weighted sum of at most MOST_TERMS (4) regressors that comes near to the target,
    (sampled rows,), once some constant is added to it: regressors are added one by one, as long as
    one lowers the mean error to at most LEAST_GAIN (0.97) of what it was. None if none does, or a
    factor is above MOST_FACTOR (2^40), or all are left out, as they round to 0 or their products
    might not fit into 64 bits."""
    if not regressors:
        return None
    centred_values = [regressor.values - regressor.values.mean() for regressor in regressors]
    columns = np.stack(centred_values)
    squares = (columns**2).sum(axis=1)
    # a column of zeros is divided by, too
    lengths = np.sqrt(squares) + 1e-9
    centred = target - target.mean()
    unexplained = centred
    spread = float(np.abs(centred).mean())
    chosen: list[int] = []
    factors = np.zeros(0)
    for _ in range(min(MOST_TERMS, len(regressors))):
        likeness = np.abs(columns @ unexplained) / lengths
        # none is taken twice
        likeness[chosen] = -1
        best = int(likeness.argmax())
        tried = [*chosen, best]
        fitted, *_ = np.linalg.lstsq(columns[tried].T, centred, rcond=None)
        residual = centred - fitted @ columns[tried]
        mean_error = float(np.abs(residual).mean())
        if mean_error > LEAST_GAIN * spread:
            break
        chosen = tried
        factors = fitted
        unexplained = residual
        spread = mean_error
        # nothing is left to explain
        if mean_error < NEARLY_WHOLE:
            break
    if not chosen:
        return None
    divisor = _divisor(factors)
    terms = _terms(regressors, chosen, factors, divisor)
    if not terms:
        return None
    largest_factor = max(abs(term.factor) for term in terms)
    if largest_factor > MOST_FACTOR:
        return None
    return Combination(tuple(terms), divisor)


def _terms(
    regressors: Sequence[_Regressor],
    chosen: Sequence[int],
    factors: Float,
    divisor: int,
) -> list[Term]:
    """Make the terms of a weighted sum: the chosen regressors, (k,), given as places among
    regressors, with their factors, (k,) floats, as whole numbers over a divisor. Those are left out
    whose factor rounds to 0 or whose products might not fit into 64 bits."""
    terms = []
    whole_factors = np.rint(factors * divisor).tolist()
    for place, factor in zip(chosen, whole_factors, strict=True):
        regressor = regressors[place]
        largest_value = float(np.abs(regressor.values).max())
        largest_product = largest_value * abs(factor)
        # the limit is 2^52 times 2^16 over 2^6, which is 2^62
        if factor and largest_product < LARGEST * FINEST / 64:
            pair = regressor.stream, regressor.lag
            terms.append(Term(int(factor), (pair,)))
    return terms


def _divisor(factors: Float) -> int:
    """The smallest of DIVISORS that makes every factor times it a whole number, to about a
    millionth; FINEST (2^16) if none does. factors: (k,)."""
    for divisor in DIVISORS:
        scaled = factors * divisor
        off = np.abs(scaled - np.rint(scaled))
        # large factors are floats with fewer digits behind the point
        tolerance = NEARLY_WHOLE * np.maximum(1, np.abs(scaled))
        if (off < tolerance).all():
            return divisor
    return FINEST


def _product_of_any_two(target: Float, regressors: Sequence[_Regressor]) -> Combination | None:
    """The first product of two of the regressors (or of one with itself), times a factor, over a
    divisor, that is at most 1 off in at least the share MATCHING (0.9) of the first FEWEST (48)
    rows in which target, (sampled rows,), is not 0; None if no two have such a product, or fewer
    than half of FEWEST rows are not 0."""
    rows = np.flatnonzero(target)[:FEWEST]
    if len(rows) < FEWEST // 2:
        return None
    for place, first in enumerate(regressors):
        for second in regressors[: place + 1]:
            combination = _product_of_two(target[rows], first, second, rows)
            if combination is not None:
                return combination
    return None


def _product_of_two(
    target: Float,
    first: _Regressor,
    second: _Regressor,
    rows: Int,
) -> Combination | None:
    """The product of two regressors, `first` and `second`, times a factor, over a divisor, that is
    at most 1 off the target in at least the share MATCHING (0.9) of some sampled rows; None if none
    is, or the product of the two is 0 in one of these rows or beyond 2^52, or the factor would be 0
    or, as the divisor, above MOST_FACTOR (2^40). rows: (k,), their places among the sampled rows;
    target: (k,), its values there. The lag of both must be 0."""
    product = first.values[rows] * second.values[rows]
    if not product.all() or np.abs(product).max() > LARGEST:
        return None
    # a median, so that a few rows that are otherwise do not matter
    ratio = float(np.median(target / product))
    # a whole factor, or of a ratio below 1 a whole divisor
    factor = round(ratio)
    divisor = 1
    if 0 < abs(ratio) < 1:
        factor = 1 if ratio > 0 else -1
        divisor = round(1 / abs(ratio))
    if not factor or max(abs(factor), divisor) > MOST_FACTOR:
        return None
    predicted = factor * product / divisor
    off = np.abs(target - predicted)
    # what was rounded lies within half a unit
    share_near = (off <= 1).mean()
    if share_near < MATCHING:
        return None
    pairs = (first.stream, 0), (second.stream, 0)
    return Combination((Term(factor, pairs),), divisor)
