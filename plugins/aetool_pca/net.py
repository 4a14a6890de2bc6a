"""Principal components analysis, and the joint Gaussian whose conditionals it scores by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Batches, ClosedForm, Maps
from aetool.errors import DataError
from aetool.model import Float

DENSE = 1024  # features up to which the whole covariance is kept
MOST = 4096  # features up to which a covariance is formed
COMPONENTS = 64  # of the low-rank covariance of more features (pictures)
INDICATOR_NOISE = 1e-3  # variance added to 0/1 features, whose blocks are singular
TAIL_ROWS, TAIL_STEPS, TAIL_START, TAIL_CUT = 8_000, 25, (1.0, 3.0, 10.0), 0.0025
FEATURE_NOISE = 1e-6  # likewise, for the others: a column may repeat another


@dataclass(frozen=True)
class Moments:
    """Rows counted, their mean (features,) and covariance (features, features)."""

    rows: int
    mean: Float
    cov: Float


class PCA(ClosedForm):
    """Code: the leading eigenvectors of the covariance (Pearson 1901; Hotelling 1933).

    Score: every column given all others under a Gaussian with that covariance. Its conditional
    mean is x - P^-1_bb (P (x - mean))_b for the block b of a column, P the inverse covariance
    (Rasmussen & Williams 2006, eq. 5.12, for one variable; the block form is the same Schur
    complement). Covariance is re-estimated twice with the `trim` farthest rows weighed down in
    inverse proportion to their distance, as M-estimators do (Maronna 1976).
    """

    def fit(self, batches: Batches) -> Maps:
        """Maps of the fitted components."""
        if self.spec.features > MOST:
            raise DataError(
                f"{self.spec.features} features are more than the {MOST} that pca takes; "
                "drop columns, or make the pictures smaller"
            )
        moments = _moments(batches, None)
        if self.params.probabilistic:
            return self._probabilistic(moments)
        for _ in range(2 if self.params.trim and moments.rows >= 20 else 0):
            far = self._distances(self._maps(moments), batches)
            cut = np.quantile(far, 1 - self.params.trim)
            moments = _moments(batches, np.minimum(1.0, (cut + 1e-9) / (far + 1e-9)))
        return self._with_tails(self._maps(moments), batches)

    def _noise(self) -> Float:
        """Variance added to each feature: of rounding to its bucket, and against singularity."""
        noise = np.full(self.spec.features, INDICATOR_NOISE)
        noise[self.spec.numeric] = self.spec.half**2 / 3 + FEATURE_NOISE
        return noise

    def _maps(self, m: Moments) -> Maps:
        values, vectors = np.linalg.eigh(m.cov)
        values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
        k = min(self.params.latent or _enough(values), self.spec.features)
        axes = vectors[:, :k]
        prior = np.clip(m.mean, 0, 1)
        one = np.ones((1, len(m.mean)))
        common = (m.mean, axes, axes.T, one, one, prior)
        report = {"explained": _explained(values, k)}
        if self.spec.features <= DENSE and self.spec.shape is None:
            predict = self._predict(m.cov + np.diag(self._noise()))
            return Maps(*common, predict=predict, report=report)
        q = min(max(COMPONENTS, k), self.spec.features - 1)
        # maximum-likelihood PPCA (Tipping & Bishop 1999, eqs. 8 and 12): the noise is the mean
        # of the eigenvalues left out; P = I / s - left left^T
        noise = float(values[q:].mean()) + float(self._noise().mean())
        kept = values[:q] + float(self._noise().mean())
        shrink = np.maximum(1 / noise - 1 / np.maximum(kept, noise), 0)
        left = vectors[:, :q] * np.sqrt(shrink)
        diagonal = 1 / noise - (left**2).sum(axis=1)
        return Maps(*common, left=left, diagonal=diagonal, precision=1 / noise, report=report)

    def _probabilistic(self, m: Moments) -> Maps:
        """Maximum likelihood of probabilistic PCA (Tipping & Bishop 1999, section 3.2), of numbers.

        sigma^2 is the mean of the eigenvalues left out, W = U (Lambda - sigma^2 I)^(1/2), and with
        M = W^T W + sigma^2 I the posterior of z is N(M^-1 W^T (x - mean), sigma^2 M^-1). With z its
        posterior mean, the density needs no d x d inverse:

            (x - mean)^T C^-1 (x - mean) = |x - mean - W z|^2 / sigma^2 + |z|^2,
            log |C| = d log sigma^2 + log |M / sigma^2|,

        which is C^-1 = sigma^-2 I - sigma^-2 W M^-1 W^T written out.
        """
        numbers = self.spec.numeric
        if len(numbers) < 2:
            raise DataError("probabilistic pca needs two columns of numbers")
        values, vectors = np.linalg.eigh(m.cov[np.ix_(numbers, numbers)])
        values, vectors = np.maximum(values[::-1], 1e-12), vectors[:, ::-1]
        k = min(self.params.latent or _enough(values), len(numbers) - 1)
        least = float((self.spec.half**2).mean()) / 3 + FEATURE_NOISE  # of rounding, and for one
        noise = max(float(values[k:].mean()), least)
        stretch = np.sqrt(np.maximum(values[:k] - noise, 0))
        encoder = np.zeros((self.spec.features, k))
        decoder = np.zeros((k, self.spec.features))
        encoder[numbers] = vectors[:, :k] * (stretch / (stretch**2 + noise))
        decoder[:, numbers] = (vectors[:, :k] * stretch).T
        one = np.ones((1, self.spec.features))
        shared = 0.5 * float(np.log((stretch**2 + noise) / noise).sum())
        scale = one * np.sqrt(noise)
        prior, report = np.clip(m.mean, 0, 1), {"explained": _explained(values, k)}
        return Maps(m.mean, encoder, decoder, scale, one, prior, shared=shared, report=report)

    def _predict(self, cov: Float) -> Float:
        """The matrix that predicts every column from the others, on centred rows."""
        precision = np.linalg.inv(cov)
        solve = np.zeros_like(precision)
        single = [int(f) for f in self.spec.numeric] + [f for f, _ in self.spec.flags]
        blocks = [[f] for f in single]
        blocks += [list(range(s, s + w)) for _, s, w in self.spec.categories]
        flag_of = dict(zip(self.spec.owner.tolist(), self.spec.gate.tolist(), strict=True))
        number_of = dict(zip(self.spec.owner.tolist(), self.spec.numeric.tolist(), strict=True))
        for column, flag in flag_of.items():
            if flag >= 0:  # a number and its flag are one column: neither may tell the other
                blocks.remove([number_of[column]])
                blocks.remove([flag])
                blocks.append([number_of[column], flag])
        for b in blocks:
            at = np.ix_(b, b)
            solve[at] = np.linalg.inv(precision[at])
        return np.asarray(np.eye(len(cov)) - precision @ solve)

    def _residual(self, maps: Maps, x: Float) -> Float:
        r = x - maps.mean
        if maps.predict is not None:
            return np.asarray(r - r @ maps.predict)
        assert maps.left is not None and maps.diagonal is not None
        return np.asarray((maps.precision * r - (r @ maps.left) @ maps.left.T) / maps.diagonal)

    def _distances(self, maps: Maps, batches: Batches) -> Float:
        """(rows,): squared conditional residuals, each on its own scale, cut at 5 deviations."""
        scored = self.spec.owners() >= 0
        total, rows = np.zeros(self.spec.features), 0
        for batch in batches:
            total += (self._residual(maps, batch.astype(np.float64)) ** 2).sum(axis=0)
            rows += len(batch)
        mean = np.maximum(total / rows, 1e-12)
        out = []
        for batch in batches:
            square = self._residual(maps, batch.astype(np.float64)) ** 2 / mean
            out.append(np.minimum(square[:, scored], 25.0).sum(axis=1))
        return np.concatenate(out)

    def _with_tails(self, maps: Maps, batches: Batches) -> Maps:
        """The maps with a scale mixture fitted to each feature's residuals by EM.

        One Gaussian would call every shower an outlier: residuals of real columns are a sharp
        bulk and a wide, thin rest. Dempster, Laird & Rubin 1977 for mixtures of one mean. The
        largest 0.5 % of each feature are left out: an outlier must not make itself at home.
        """
        rows = sum(len(batch) for batch in batches)
        step = -(-rows // TAIL_ROWS)
        few = np.concatenate([batch[::step] for batch in batches]).astype(np.float64)
        square = self._residual(maps, few) ** 2
        inside = square <= np.quantile(square, 1 - TAIL_CUT, axis=0)
        least = np.full(self.spec.features, 1e-6)
        least[self.spec.numeric] = 0.5 * self.spec.half
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
        return Maps(**{**maps.__dict__, "scale": scale, "weight": weight})


def _explained(values: Float, k: int) -> list[float]:
    """The part of the variance along each of the first components, at most 32 of them."""
    return [round(float(v), 4) for v in values[: min(k, 32)] / max(float(values.sum()), 1e-12)]


def _enough(values: Float) -> int:
    part = np.cumsum(values) / max(float(values.sum()), 1e-12)
    return int(np.searchsorted(part, 0.95) + 1)


def _moments(batches: Batches, weights: Float | None) -> Moments:
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
