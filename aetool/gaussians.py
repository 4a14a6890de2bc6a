"""What closed forms of a Gaussian share: moments, conditionals, and the tails of what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.closed_form import Batches, Joint, Maps
from aetool.errors import DataError
from aetool.model import Float, Int, Spec

TAIL_ROWS, TAIL_STEPS, TAIL_START, TAIL_CUT = 8_000, 25, (1.0, 3.0, 10.0), 0.0025
GIVEN_RIDGE = 1e-2  # beside variances of 1
TRIMS, AXIS_NOISE, LEAST_AXIS = 3, 1e-3, 1e-3  # rounds; variance; deviation
CONCENTRATIONS, FEWEST, MOST = 5, 20, 4096  # rounds; rows; numbers


@dataclass(frozen=True)
class Moments:
    """Rows counted, their mean (features,) and covariance (features, features)."""

    rows: int
    mean: Float
    cov: Float


def moments(batches: Batches, weights: Float | None = None) -> Moments:
    """Exact in one pass: weighted sums about the first batch's mean, in float64."""
    mass, origin, first = 0.0, None, 0
    for batch in batches:
        x = batch.reshape(len(batch), -1).astype(np.float64)
        w = np.ones(len(x)) if weights is None else weights[first : first + len(x)]
        first += len(x)
        if origin is None:
            origin = x.mean(axis=0) if len(x) else np.zeros(x.shape[1])
            total, square = np.zeros_like(origin), np.zeros((len(origin), len(origin)))
        x -= origin
        total += w @ x
        square += (x * w[:, None]).T @ x
        mass += float(w.sum())
    if origin is None or mass <= 0:
        raise DataError("no rows to fit")
    offset = total / mass
    return Moments(first, origin + offset, square / mass - np.outer(offset, offset))


def conditionals(spec: Spec, cov: Float) -> Float:
    """(features, features): predicts every column from all others, x -> x @ it on centred rows,
    under a Gaussian of this covariance.

    The conditional mean is x - P^-1_bb (P x)_b for the block b of a column, P the inverse
    covariance (Rasmussen & Williams 2006, eq. 5.12, for one variable; the block form is the
    same Schur complement).
    """
    precision = np.linalg.inv(cov)
    solve = np.zeros_like(precision)
    single = [int(f) for f in spec.numeric] + [f for f, _ in spec.flags]
    blocks = [[f] for f in single]
    blocks += [list(range(s, s + w)) for _, s, w in spec.categories]
    flag_of = dict(zip(spec.owner.tolist(), spec.gate.tolist(), strict=True))
    number_of = dict(zip(spec.owner.tolist(), spec.numeric.tolist(), strict=True))
    for column, flag in flag_of.items():
        if flag >= 0:  # a number and its flag are one column: neither may tell the other
            blocks.remove([number_of[column]])
            blocks.remove([flag])
            blocks.append([number_of[column], flag])
    for b in blocks:
        at = np.ix_(b, b)
        solve[at] = np.linalg.inv(precision[at])
    return np.asarray(np.eye(len(cov)) - precision @ solve)


def distances(maps: Maps, spec: Spec, batches: Batches) -> Float:
    """(rows,): squared conditional residuals, each on its own scale, cut at 5 deviations."""
    scored = spec.owners() >= 0
    total, rows = np.zeros(spec.features), 0
    for batch in batches:
        total += (maps.residual(batch.astype(np.float64)) ** 2).sum(axis=0)
        rows += len(batch)
    mean = np.maximum(total / rows, 1e-12)
    out = []
    for batch in batches:
        square = maps.residual(batch.astype(np.float64)) ** 2 / mean
        out.append(np.minimum(square[:, scored], 25.0).sum(axis=1))
    return np.concatenate(out)


def with_tails(maps: Maps, spec: Spec, batches: Batches) -> Maps:
    """The maps with a scale mixture fitted to each feature's residuals by EM.

    One Gaussian would call every shower an outlier: residuals of real columns are a sharp
    bulk and a wide, thin rest. Dempster, Laird & Rubin 1977 for mixtures of one mean. The
    largest 0.25 % of each feature are left out: an outlier must not make itself at home.
    """
    few = _few(batches)
    square = maps.residual(few) ** 2
    least = np.full(spec.features, 1e-6)
    least[spec.numeric] = 0.5 * spec.half
    scale, weight = _mixture(square, least)
    return Maps(**{**maps.__dict__, "scale": scale, "weight": weight})


def with_joint(maps: Maps, spec: Spec, batches: Batches, trim: float, amount: float) -> Maps:
    """The maps with a density of all numbers together, which counts by this amount.

    The axes are the whitened principal ones of a covariance from which the `trim` farthest rows are
    weighed down (Maronna 1976), and the tails along them are fitted as those of columns are. A row
    that is far in many columns at once is told by its neighbours in each, and only found here. What
    an axis costs falls on the columns by the squares of its loadings. Where the rows before a row
    are given, the density is of what they do not tell.
    """
    numbers = spec.numeric
    if not amount or len(numbers) < 2:
        return maps
    lean = _lean(spec, batches)
    chunks = _Columns(batches, numbers, lean)
    found = moments(chunks)
    for _ in range(TRIMS if trim else 0):
        far = _squares(found, chunks)
        cut = np.quantile(far, 1 - trim)
        found = moments(chunks, np.minimum(1.0, (cut + 1e-9) / (far + 1e-9)))
    values, vectors = _eigen(found)
    axes = vectors / np.sqrt(values)
    few = _few(chunks)
    square = ((few - found.mean) @ axes) ** 2
    scale, weight = _mixture(square, np.full(len(numbers), LEAST_AXIS))
    share = np.zeros((len(numbers), len(spec.columns)))
    share[:, spec.owner] = vectors.T**2
    return Maps(
        **{**maps.__dict__, "joint": Joint(found.mean, axes, scale, weight, share, amount, lean)}
    )


def nearest(batches: Batches, spec: Spec, part: float) -> npt.NDArray[np.bool_]:
    """(rows,): the part of the rows that lies nearest to the middle of all numbers, by the distance
    under the covariance of those rows: the concentration steps of Rousseeuw & Van Driessen 1999,
    from all rows on."""
    chunks = _Columns(batches, spec.numeric)
    rows = sum(len(batch) for batch in batches)
    keep = np.ones(rows, dtype=bool)
    if not len(spec.numeric) or rows < FEWEST:
        return keep
    for _ in range(CONCENTRATIONS):
        far = _squares(moments(chunks, keep.astype(np.float64)), chunks)
        keep = far <= np.quantile(far, part)
    return keep


class _Columns:
    """Some features of batches, less what other features say of them: (features, some)."""

    def __init__(self, batches: Batches, index: Int, lean: Float | None = None) -> None:
        self.batches, self.index, self.lean = batches, index, lean

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        for batch in self.batches:
            flat = batch.reshape(len(batch), -1)
            found = flat[:, self.index]
            yield found if self.lean is None else found - (flat @ self.lean).astype(np.float32)


def _lean(spec: Spec, batches: Batches) -> Float | None:
    """(features, numbers): what the rows before a row say of its numbers, by ridge regression."""
    if not spec.given:
        return None
    given = np.arange(spec.features - spec.given, spec.features)
    m = moments(_Columns(batches, np.concatenate([given, spec.numeric])))
    k = len(given)
    cov = m.cov[:k, :k] + GIVEN_RIDGE * np.eye(k)
    out = np.zeros((spec.features, len(spec.numeric)))
    out[given] = np.linalg.solve(cov, m.cov[:k, k:])
    return out


def _eigen(m: Moments) -> tuple[Float, Float]:
    values, vectors = np.linalg.eigh(m.cov)
    return np.maximum(values, 0) + AXIS_NOISE, vectors


def _squares(m: Moments, batches: Batches) -> Float:
    """(rows,): squared Mahalanobis distances."""
    values, vectors = _eigen(m)
    axes = vectors / np.sqrt(values)
    return np.concatenate([(((b - m.mean) @ axes) ** 2).sum(axis=1) for b in batches])


def _few(batches: Batches) -> Float:
    """At most TAIL_ROWS rows, evenly spaced."""
    step = -(-sum(len(batch) for batch in batches) // TAIL_ROWS)
    return np.concatenate([batch[::step] for batch in batches]).astype(np.float64)


def _mixture(square: Float, least: Float) -> tuple[Float, Float]:
    """(scales, weights), (components, k) both, of zero-mean values whose squares are (rows, k)."""
    inside = square <= np.quantile(square, 1 - TAIL_CUT, axis=0)
    variance = np.maximum(np.median(square, axis=0) / 0.455, least**2)
    scale = np.sqrt(variance) * np.array(TAIL_START)[:, None]
    weight = np.full_like(scale, 1 / len(scale))
    for _ in range(TAIL_STEPS):
        log = np.log(weight / scale)[:, None] - square / (2 * scale[:, None] ** 2)
        share = np.exp(log - log.max(axis=0))
        share *= inside / share.sum(axis=0)
        mass = share.sum(axis=1) + 1.0  # one row's worth of prior in each
        scale = np.sqrt(((share * square).sum(axis=1) + scale**2) / mass)
        scale = np.maximum(scale, least)
        weight = mass / mass.sum(axis=0)
    return scale, weight
