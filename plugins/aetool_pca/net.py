"""Principal components analysis, and the joint Gaussian whose conditionals it scores by."""

from __future__ import annotations

import numpy as np

from aetool.closed_form import Batches, ClosedForm, Moments, moments
from aetool.errors import DataError
from aetool.model import Float
from aetool_pca.gaussians import conditionals, distances, nearness, with_joint, with_tails
from aetool_pca.solution import Components

DENSE = 1024  # features up to which the whole covariance is kept
MOST = 4096  # features up to which a covariance is formed
COMPONENTS = 64  # of the low-rank covariance of more features (pictures)
JOINT_TRIM = 0.1  # part of the rows weighed down in the joint density
INDICATOR_NOISE = 1e-3  # variance added to 0/1 features, whose blocks are singular
PRIOR_ROWS = 10  # of one deviation each, for numbers and flags of gaps
FEATURE_NOISE = 1e-6  # likewise, for the others: a column may repeat another


class PCA(ClosedForm):
    """Code: the leading eigenvectors of the covariance (Pearson 1901; Hotelling 1933).

    Score: every column given all others under a Gaussian with that covariance, which is
    re-estimated twice with the `trim` farthest rows weighed down in inverse proportion to their
    distance, as M-estimators do (Maronna 1976).
    """

    def fit(self, batches: Batches) -> Components:
        """The components, and the tails of what they leave."""
        if self.spec.features > MOST:
            raise DataError(
                f"{self.spec.features} features are more than the {MOST} that pca takes; "
                "drop columns, or make the pictures smaller"
            )
        found = moments(batches)
        if self.params.probabilistic:
            return self._probabilistic(found)
        # of few rows none can be called far out
        for _ in range(2 if self.params.trim and found.rows >= 20 else 0):
            far = distances(self._maps(found), self.spec, batches)
            found = moments(batches, nearness(far, self.params.trim))
        maps = with_tails(self._maps(found), self.spec, batches)
        if self.spec.shape is not None:
            return maps
        return with_joint(maps, self.spec, batches, JOINT_TRIM, self.params.joint)

    def _noise(self, rows: int) -> Float:
        """Variance added to each feature: of rounding to its bucket, against singularity, and where
        a number is often missing as of a few rows more, that few rows may not tell too much."""
        spec = self.spec
        noise = np.full(spec.features, INDICATOR_NOISE)
        noise[spec.numeric] = spec.half**2 / 3 + FEATURE_NOISE
        gated = spec.gate >= 0
        noise[spec.numeric[gated]] += PRIOR_ROWS / rows
        noise[spec.gate[gated]] += PRIOR_ROWS / rows
        return noise

    def _maps(self, m: Moments) -> Components:
        values, vectors = np.linalg.eigh(m.cov)
        values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
        k = min(self.params.latent or _enough(values), self.spec.features)
        axes = vectors[:, :k]
        prior = np.clip(m.mean, 0, 1)
        one = np.ones((1, len(m.mean)))
        common = (m.mean, axes, axes.T, one, one, prior)
        # plain errors are of what the code restores, surprise is of what the others predict
        restores = self.params.error != "bits"
        report = {"explained": _explained(values, k)}
        if self.spec.features <= DENSE and self.spec.shape is None:
            predict = conditionals(self.spec, m.cov + np.diag(self._noise(m.rows)))
            return Components(*common, predict=predict, restores=restores, report=report)
        q = min(max(COMPONENTS, k), self.spec.features - 1)
        # maximum-likelihood PPCA (Tipping & Bishop 1999, eqs. 8 and 12): the noise is the mean
        # of the eigenvalues left out; P = I / s - left left^T
        noise = float(values[q:].mean()) + float(self._noise(m.rows).mean())
        kept = values[:q] + float(self._noise(m.rows).mean())
        shrink = np.maximum(1 / noise - 1 / np.maximum(kept, noise), 0)
        left = vectors[:, :q] * np.sqrt(shrink)
        diagonal = 1 / noise - (left**2).sum(axis=1)
        return Components(
            *common,
            left=left,
            diagonal=diagonal,
            precision=1 / noise,
            restores=restores,
            report=report,
        )

    def _probabilistic(self, m: Moments) -> Components:
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
        values = values + self.params.blur**2  # the density of data + N(0, blur^2 I)
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
        return Components(
            m.mean,
            encoder,
            decoder,
            scale,
            one,
            np.clip(m.mean, 0, 1),
            shared=shared,
            restores=True,
            report={"explained": _explained(values, k)},
            drawn="normal",
            scatter=(scale[:, numbers], one[:, numbers]),
        )


def _explained(values: Float, k: int) -> list[float]:
    """The part of the variance along each of the first components, at most 32 of them."""
    return [round(float(v), 4) for v in values[: min(k, 32)] / max(float(values.sum()), 1e-12)]


def _enough(values: Float) -> int:
    part = np.cumsum(values) / max(float(values.sum()), 1e-12)
    return int(np.searchsorted(part, 0.95) + 1)
