"""Principal components analysis, and the joint Gaussian whose conditionals it scores by."""

from __future__ import annotations

import numpy as np

from aetool.closed_form import GRAM, Batches, ClosedForm, Leading, Moments, few_rows, in_blocks
from aetool.errors import DataError
from aetool.model import Float
from aetool_pca.gaussians import (
    Columns,
    axes_of_wide,
    conditionals,
    distances,
    nearness,
    spread,
    with_companions,
    with_joint,
    with_tails,
)
from aetool_pca.solution import Components, LowRank, Prediction, Whole

CODE_OF_FEW_ROWS = 256  # size of the code at most, of wide data of few rows
AXES_OF_PICTURES = 64  # by which small ones tell each pixel from the others
MOST_TOLD = 32  # components of which the variance explained is told
JOINT_TRIM = 0.1  # part of the rows weighed down in the joint density
INDICATOR_NOISE = 1e-3  # variance added to 0/1 features, whose blocks are singular
PRIOR_ROWS = 10  # of one deviation each, for numbers and flags of gaps
FEATURE_NOISE = 1e-6  # likewise, for the others: a column may repeat another


class PCA(ClosedForm):
    """Principal components analysis as a model: its code are the leading eigenvectors of the
    covariance (Pearson 1901; Hotelling 1933).

    Score: every column given all others under a Gaussian with that covariance, which is
    re-estimated twice with the `trim` farthest rows weighed down in inverse proportion to their
    distance, as M-estimators do (Maronna 1976).
    """

    def fit(self, batches: Batches) -> Components:
        """Find the components of rows in batches, and the distribution of residuals."""
        if self.params.probabilistic:
            return self._probabilistic(batches)
        # of wide rows a covariance would be far larger than the rows themselves
        most = self._axes(batches)
        moments = spread(batches, most)
        # of few rows none can be called far out
        for _ in range(2 if self.params.trim and moments.rows >= 20 else 0):
            far = distances(self._prediction(moments), self.spec, batches)
            moments = spread(batches, most, nearness(far, self.params.trim))
        prediction = self._prediction(moments)
        # of pictures the axes are enough: what lies beside a pixel is in them
        if isinstance(prediction, LowRank) and self.spec.shape is None:
            prediction = with_companions(prediction, self.spec, few_rows(batches))
        maps = with_tails(self._maps(moments), prediction, self.spec, batches)
        if self.spec.shape is not None:
            return maps
        return with_joint(maps, self.spec, batches, JOINT_TRIM, self.params.joint)

    def _axes(self, batches: Batches) -> int | None:
        """How many leading axes of wide rows to find; None to form the whole covariance."""
        rows = sum(len(batch) for batch in batches)
        most = axes_of_wide(rows, self.spec.features)
        if most is None:
            return None
        # of few rows all axes cost as much as one, and a code of all of them no more
        code = self.params.latent or (CODE_OF_FEW_ROWS if rows <= GRAM else most)
        return max(most, code)

    def _noise(self, rows: int) -> Float:
        """(features,): the variance to add to each feature: that of rounding to its bucket, a
        little against singularity, and for a number with gaps that of ten further rows of deviation
        1, so that a few rows do not decide too much. rows: how many were fitted."""
        spec = self.spec
        noise = np.full(spec.features, INDICATOR_NOISE)
        noise[spec.numeric] = spec.half**2 / 3 + FEATURE_NOISE
        gated = spec.gate >= 0
        noise[spec.numeric[gated]] += PRIOR_ROWS / rows
        noise[spec.gate[gated]] += PRIOR_ROWS / rows
        return noise

    def _prediction(self, moments: Moments | Leading) -> Prediction:
        """A prediction of each feature from the other columns."""
        if isinstance(moments, Moments) and self.spec.shape is None:
            noise = self._noise(moments.rows)
            weights = conditionals(self.spec, moments.cov + np.diag(noise))
            return Whole(moments.mean, weights)
        if isinstance(moments, Moments):
            moments = Leading.of(moments)
        moments = moments.first(axes_of_wide(moments.rows, self.spec.features) or AXES_OF_PICTURES)
        # maximum-likelihood PPCA (Tipping & Bishop 1999, eqs. 8 and 12): the noise is the mean
        # of the eigenvalues left out; P = I / s - left left^T
        least = float(self._noise(moments.rows).mean())
        precision = 1 / (moments.noise + least)
        shrink = np.maximum(precision - 1 / (moments.variances + least), 0)
        loadings = moments.vectors * np.sqrt(shrink)
        diagonal = precision - (loadings**2).sum(axis=1)
        return LowRank(moments.mean, loadings, precision, diagonal)

    def _maps(self, moments: Moments | Leading) -> Components:
        """The maps from features to code and from code to expected features."""
        whole = Leading.of(moments) if isinstance(moments, Moments) else moments
        k = self.params.latent or _enough(whole.variances, whole.total)
        # the code, whose decoder is its encoder turned over
        axes = whole.vectors[:, :k]
        ones = np.ones((1, len(whole.mean)))
        return Components(
            whole.mean,
            axes,
            axes.T,
            ones,
            ones,
            np.clip(whole.mean, 0, 1),
            # plain errors are of what the code restores, surprise is of what the others predict
            restores=self.params.error != "bits",
            report={"explained": _explained(whole.variances[:k], whole.total)},
        )

    def _probabilistic(self, batches: Batches) -> Components:
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
        moments = spread(Columns(batches, numbers), self._axes(batches))
        whole = Leading.of(moments) if isinstance(moments, Moments) else moments
        k = self.params.latent or _enough(whole.variances, whole.total)
        axes = whole.first(min(k, len(numbers) - 1))
        blur = self.params.blur**2  # the density of data + N(0, blur^2 I)
        least = float((self.spec.half**2).mean()) / 3 + FEATURE_NOISE  # of rounding, and for one
        noise = max(axes.noise + blur, least)
        stretch = np.sqrt(np.maximum(axes.variances + blur - noise, 0))
        k = len(stretch)
        encoder = np.zeros((self.spec.features, k))
        decoder = np.zeros((k, self.spec.features))
        encoder[numbers] = axes.vectors * (stretch / (stretch**2 + noise))
        decoder[:, numbers] = (axes.vectors * stretch).T
        ones = np.ones((1, self.spec.features))
        shared = 0.5 * float(np.log((stretch**2 + noise) / noise).sum())
        scale = ones * np.sqrt(noise)
        mean = (
            sum(block.sum(axis=0, dtype=np.float64) for block in in_blocks(batches)) / moments.rows
        )
        return Components(
            mean,
            encoder,
            decoder,
            scale,
            ones,
            np.clip(mean, 0, 1),
            shared=shared,
            restores=True,
            report={"explained": _explained(axes.variances, whole.total)},
            drawn="normal",
            scatter=(scale[:, numbers], ones[:, numbers]),
        )


def _explained(variances: Float, total: float) -> list[float]:
    """The part of the total variance along each of the first at most 32 components."""
    return [round(float(v), 4) for v in variances[:MOST_TOLD] / max(total, 1e-12)]


def _enough(variances: Float, total: float) -> int:
    """The number of leading components that together explain 95 % of the total variance; one more
    than there are if all explain less. variances: (components,), of each, the largest first."""
    part = np.cumsum(variances) / max(total, 1e-12)
    return int(np.searchsorted(part, 0.95) + 1)
