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

from aetool.codec.integers import Known, Stream
from aetool.codec.plans import MOST_FACTOR, Combination, Plan, Term, Transform
from aetool.model import Float, Int

FEWEST = 48  # rows that tell factors
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
    row, as floats, (sampled rows,)."""

    stream: int
    lag: int
    values: Float


def combinations(stream: Stream, parents: Sequence[int], known: Known) -> Iterator[Plan]:
    """Yield plans that predict a stream by a combination of parents, none if none comes near; they
    have no bins and no features yet. parents: the numbers of earlier streams."""
    rows = _rows(stream, known.rows)
    if len(rows) < FEWEST or not parents:
        return
    own = np.zeros(known.rows, np.int64)
    own[slice(None) if stream.present is None else stream.present] = stream.values
    target = own[rows].astype(np.float64)
    if not np.ptp(target):
        return
    regressors = [
        _Regressor(parent, lag, _lagged(known.values[parent], rows, lag))
        for parent in parents
        for lag in (0, 1)
    ]
    regressors = [one for one in regressors if 0 < np.ptp(one.values) < LARGEST]
    product = _product(target, [one for one in regressors if not one.lag][:PRODUCTS_OF])
    if product is not None:
        yield Plan(transform=Transform.LINEAR, combined=product)
    combined = _pursued(target, regressors)
    if combined is not None:
        yield Plan(transform=Transform.LINEAR, combined=combined)
        yield Plan(transform=Transform.LINEAR_DIFFERENCE, combined=combined)


def _rows(stream: Stream, rows: int) -> Int:
    """The numbers of the rows to sample, of those in which the stream has a value: all of them, or,
    if they are many, four stretches of together ROWS. rows: of the block."""
    all_rows = np.arange(rows) if stream.present is None else np.flatnonzero(stream.present)
    if len(all_rows) <= ROWS:
        return all_rows
    first = np.linspace(0, len(all_rows) - ROWS // 4, 4).astype(np.int64)
    return np.asarray(all_rows[(first[:, None] + np.arange(ROWS // 4)).reshape(-1)])


def _lagged(values: Int, rows: Int, lag: int) -> Float:
    return np.where(rows >= lag, values[np.maximum(rows - lag, 0)], 0).astype(np.float64)


def _pursued(target: Float, regressors: Sequence[_Regressor]) -> Combination | None:
    """Choose at most MOST_TERMS regressors and factors whose weighted sum comes nearest to the
    target, (sampled rows,), adding one as long as it lowers the mean error. None if none does, or
    factors are too large to store."""
    if not regressors:
        return None
    columns = np.stack([one.values - one.values.mean() for one in regressors])
    lengths = np.sqrt((columns**2).sum(axis=1)) + 1e-9
    centred = target - target.mean()
    left = centred
    spread = float(np.abs(centred).mean())
    chosen: list[int] = []
    factors = np.zeros(0)
    for _ in range(min(MOST_TERMS, len(regressors))):
        likeness = np.abs(columns @ left) / lengths
        likeness[chosen] = -1
        tried = [*chosen, int(likeness.argmax())]
        fitted, *_ = np.linalg.lstsq(columns[tried].T, centred, rcond=None)
        off = centred - fitted @ columns[tried]
        now = float(np.abs(off).mean())
        if now > LEAST_GAIN * spread:
            break
        chosen = tried
        factors = fitted
        left = off
        spread = now
        if now < NEARLY_WHOLE:
            break
    if not chosen:
        return None
    divisor = _divisor(factors)
    terms = []
    for place, factor in zip(chosen, np.rint(factors * divisor).tolist(), strict=True):
        largest = float(np.abs(regressors[place].values).max()) * abs(factor)
        if factor and largest < LARGEST * FINEST / 64:
            pair = regressors[place].stream, regressors[place].lag
            terms.append(Term(int(factor), (pair,)))
    if not terms or max(abs(term.factor) for term in terms) > MOST_FACTOR:
        return None
    return Combination(tuple(terms), divisor)


def _divisor(factors: Float) -> int:
    """The smallest of DIVISORS that makes every factor times it a whole number; FINEST if none
    does."""
    for divisor in DIVISORS:
        scaled = factors * divisor
        if (np.abs(scaled - np.rint(scaled)) < NEARLY_WHOLE * np.maximum(1, np.abs(scaled))).all():
            return divisor
    return FINEST


def _product(target: Float, regressors: Sequence[_Regressor]) -> Combination | None:
    """The first product of two of the regressors (or of one with itself), times a factor, over a
    divisor, that is at most 1 off in a part MATCHING of the first FEWEST rows in which target,
    (sampled rows,), is not 0; None if no two have such a product."""
    some = np.flatnonzero(target)[:FEWEST]
    if len(some) < FEWEST // 2:
        return None
    for place, first in enumerate(regressors):
        for second in regressors[: place + 1]:
            both = first.values[some] * second.values[some]
            if not both.all() or np.abs(both).max() > LARGEST:
                continue
            ratio = float(np.median(target[some] / both))
            factor = round(ratio)
            divisor = 1
            if 0 < abs(ratio) < 1:
                factor = 1 if ratio > 0 else -1
                divisor = round(1 / abs(ratio))
            if not factor or max(abs(factor), divisor) > MOST_FACTOR:
                continue
            off = np.abs(target[some] - factor * both / divisor)
            # what was rounded lies within half a unit
            if (off <= 1).mean() >= MATCHING:
                pairs = (first.stream, 0), (second.stream, 0)
                return Combination((Term(factor, pairs),), divisor)
    return None
