"""What closed forms of a Gaussian share: moments, conditionals, and the tails of what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.closed_form import Batches, Joint, Maps
from aetool.errors import DataError
from aetool.graphs import LEAST_SIGMA
from aetool.model import Float, Int, Spec

TAIL_ROWS, TAIL_STEPS, TAIL_START, TAIL_CUT = 8_000, 25, (1.0, 3.0, 10.0), 0.0025
GIVEN_RIDGE = 1e-2  # beside variances of 1
TRIMS, AXIS_NOISE = 3, 1e-3  # rounds; variance
LEAST_AXIS = 0.1  # deviation along a whitened axis, whose rows have a deviation of 1
CONCENTRATIONS, FEWEST, MOST = 5, 20, 4096  # rounds; rows; numbers
PRIOR_ROWS = 10  # of one deviation each, for a number that is often missing
CUT, FEWEST_OTHERS = 6.0, 5  # deviations; rows that differ from what most rows have


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
    least[spec.numeric] = LEAST_SIGMA * spec.half
    present = np.ones(square.shape, dtype=bool)  # a missing number says nothing of its spread
    gated = spec.gate >= 0
    present[:, spec.numeric[gated]] = few[:, spec.gate[gated]] == 0
    scale, weight = _mixture(square, least, present)
    rows = present.sum(axis=0)[spec.numeric[gated]]
    part = rows / (rows + PRIOR_ROWS)  # what is believed of spreads read off few rows
    own = scale[:, spec.numeric[gated]] ** 2
    scale[:, spec.numeric[gated]] = np.sqrt(part * own + (1 - part))
    return Maps(**{**maps.__dict__, "scale": scale, "weight": weight})


def with_joint(maps: Maps, spec: Spec, batches: Batches, trim: float, amount: float) -> Maps:
    """The maps with a density of all numbers together, which counts by this amount.

    The axes are the whitened principal ones of a covariance from which the `trim` farthest rows are
    weighed down (Maronna 1976), and the tails along them are fitted as those of columns are. A row
    that is far in many columns at once is told by its neighbours in each, and only found here. What
    an axis costs falls on the columns by the squares of its loadings. Where the rows before a row
    are given, the density is of what they do not tell. Numbers of which most rows have one value,
    or none, take no part: about that value they have no density.
    """
    varied = np.flatnonzero(~_mostly_one(spec, _few(batches)))
    numbers = spec.numeric[varied]
    if not amount or len(numbers) < 2:
        return maps
    lean = _lean(spec, batches)
    lean = None if lean is None else lean[:, varied]
    chunks = _Columns(batches, numbers, lean)
    found = moments(chunks)
    rounding = spec.half[varied] ** 2 / 3  # variance of a value within its bucket
    for _ in range(TRIMS if trim else 0):
        far = _squares(found, chunks, rounding)
        cut = np.quantile(far, 1 - trim)
        found = moments(chunks, np.minimum(1.0, (cut + 1e-9) / (far + 1e-9)))
    values, vectors = _eigen(found, rounding)
    axes = vectors / np.sqrt(values)
    few = _few(chunks)
    square = ((few - found.mean) @ axes) ** 2
    scale, weight = _mixture(square, np.full(len(numbers), LEAST_AXIS))
    share = np.zeros((len(numbers), len(spec.columns)))
    share[:, spec.owner[varied]] = vectors.T**2
    joint = Joint(numbers, found.mean, axes, scale, weight, share, amount, lean)
    return Maps(**{**maps.__dict__, "joint": joint})


def _mostly_one(spec: Spec, few: Float) -> npt.NDArray[np.bool_]:
    """(numbers,): of which numbers more than half of these rows hold the same value; where a value
    is missing they all hold 0."""
    most = [np.unique(few[:, f], return_counts=True)[1].max() for f in spec.numeric]
    return np.array(most, dtype=np.int64) > 0.5 * len(few)


def nearest(batches: Batches, spec: Spec, part: float) -> npt.NDArray[np.bool_]:
    """(rows,): the part of the rows that lies nearest to the middle of all numbers, by the distance
    under the covariance of those rows: the concentration steps of Rousseeuw & Van Driessen 1999,
    from all rows on.

    Each number is laid on a robust scale and cut at 6 of its deviations, so that no single one
    decides. Where most rows have one value (no rain), the others are measured among themselves:
    to be rare is not to be far, and a column keeps what its spread is made of.
    """
    rows = sum(len(batch) for batch in batches)
    keep = np.ones(rows, dtype=bool)
    if not len(spec.numeric) or rows < FEWEST:
        return keep
    chunks = _Winsorised(batches, spec)
    if len(spec.numeric) > MOST:  # no covariance of so many: each number counts for itself
        far = np.concatenate([(chunk**2).sum(axis=1) for chunk in chunks])
        return np.asarray(far <= np.quantile(far, part))
    for _ in range(CONCENTRATIONS):
        middle = moments(chunks, keep.astype(np.float64))
        # where most rows are 0 the variance is that of the others, not of how rare they are
        missing = np.where(chunks.rare, np.maximum(1 - np.diag(middle.cov), 0), 0)
        far = _squares(middle, chunks, missing)
        keep = far <= np.quantile(far, part)
    return keep


class _Winsorised:
    """The numbers of batches, each in robust deviations from its middle, cut at CUT of them.

    Where more than half of a number's rows hold one value or none, those rows are 0, and middle and
    deviation are of the others.
    """

    def __init__(self, batches: Batches, spec: Spec) -> None:
        self.batches, self.spec = batches, spec
        few = _few(batches)
        size = len(spec.numeric)
        self.middle, self.scale = np.zeros(size), np.full(size, np.inf)
        self.usual = np.full(size, np.nan)  # the value that most rows have, if there is one
        self.rare = _mostly_one(spec, few)
        for j, feature in enumerate(spec.numeric):
            x = few[:, feature]
            if spec.gate[j] >= 0:
                x = x[few[:, spec.gate[j]] == 0]
            values, counts = np.unique(x, return_counts=True)
            if len(values) and counts.max() > 0.5 * len(few):
                self.usual[j] = values[counts.argmax()]
                x = x[x != self.usual[j]]
            if len(x) >= FEWEST_OTHERS:
                self.middle[j] = np.median(x)
                spread = 1.4826 * float(np.median(np.abs(x - self.middle[j])))
                self.scale[j] = max(spread, float(x.std()) / CUT, float(spec.half[j]))

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        gated = self.spec.gate >= 0
        for batch in self.batches:
            flat = batch.reshape(len(batch), -1)
            x = flat[:, self.spec.numeric]
            z = np.clip((x - self.middle) / self.scale, -CUT, CUT)
            z[x == self.usual.astype(np.float32)] = 0
            if gated.any():
                z[:, gated] *= flat[:, self.spec.gate[gated]] == 0
            yield z.astype(np.float32)


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


def _eigen(m: Moments, rounding: Float | None = None) -> tuple[Float, Float]:
    """(variances along the axes, axes); rounding: (features,), the variance that each feature has
    at least, however few values were seen of it."""
    cov = m.cov if rounding is None else m.cov + np.diag(rounding)
    values, vectors = np.linalg.eigh(cov)
    return np.maximum(values, 0) + AXIS_NOISE, vectors


def _squares(m: Moments, batches: Batches, rounding: Float | None = None) -> Float:
    """(rows,): squared Mahalanobis distances."""
    values, vectors = _eigen(m, rounding)
    axes = vectors / np.sqrt(values)
    return np.concatenate([(((b - m.mean) @ axes) ** 2).sum(axis=1) for b in batches])


def _few(batches: Batches) -> Float:
    """At most TAIL_ROWS rows, evenly spaced."""
    step = -(-sum(len(batch) for batch in batches) // TAIL_ROWS)
    return np.concatenate([batch[::step] for batch in batches]).astype(np.float64)


def _mixture(
    square: Float, least: Float, present: npt.NDArray[np.bool_] | None = None
) -> tuple[Float, Float]:
    """(scales, weights), (components, k) both, of zero-mean values whose squares are (rows, k).

    least: (k,), the smallest scale. present: (rows, k), which of the values count; all if None.
    """
    counted = square if present is None else np.where(present, square, np.nan)
    if present is not None:
        counted[:, ~present.any(axis=0)] = 0.0
    inside = counted <= np.nanquantile(counted, 1 - TAIL_CUT, axis=0)
    variance = np.maximum(np.nanmedian(counted, axis=0) / 0.455, least**2)
    square = np.where(inside, square, 0.0)
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
