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
ROUNDS = 2  # in which the farthest rows are weighed down, for the prediction of columns
FEWEST_TO_TRIM = 20  # rows, of which some may be weighed down
ENOUGH = 0.95  # part of the total variance that the code explains, by default
INDICATOR_NOISE = 1e-3  # variance added to 0/1 features, whose blocks are singular
PRIOR_ROWS = 10  # of one deviation each, for numbers and flags of gaps
FEATURE_NOISE = 1e-6  # likewise, for the others: a column may repeat another


class PCA(ClosedForm):
    """Principal components analysis as a model: its code are the coordinates along the leading
    eigenvectors of the covariance (Pearson 1901; Hotelling 1933).

    Score: every column given all others under a Gaussian with that covariance, which of 20 rows or
    more is re-estimated twice with the `trim` farthest rows weighed down in inverse proportion to
    their squared distance, as M-estimators do (Maronna 1976). Of tables also the density of all
    numbers together, as `with_joint` adds it. With params.probabilistic instead the density of
    probabilistic PCA.
    """

    def fit(self, batches: Batches) -> Components:
        """Find the components of rows in batches, and the distribution of residuals. DataError
        without rows, or if params.probabilistic, with fewer than two numbers."""
        if self.params.probabilistic:
            return self._probabilistic(batches)
        # of wide rows a covariance would be far larger than the rows themselves
        most = self._axes_to_find(batches)
        moments = spread(batches, most)
        trim = self.params.trim
        # of few rows none can be called far out
        is_trimmed = trim > 0 and moments.rows >= FEWEST_TO_TRIM
        rounds = ROUNDS if is_trimmed else 0
        for _ in range(rounds):
            prediction = self._prediction(moments)
            squared_distances = distances(prediction, self.spec, batches)
            weights = nearness(squared_distances, trim)
            moments = spread(batches, most, weights)
        prediction = self._prediction(moments)
        is_table = self.spec.shape is None
        # of pictures the axes are enough: what lies beside a pixel is in them
        if is_table and isinstance(prediction, LowRank):
            few = few_rows(batches)
            prediction = with_companions(prediction, self.spec, few)
        maps = self._code_maps(moments)
        maps = with_tails(maps, prediction, self.spec, batches)
        if not is_table:
            return maps
        return with_joint(maps, self.spec, batches, JOINT_TRIM, self.params.joint)

    def _axes_to_find(self, batches: Batches) -> int | None:
        """How many leading axes of the covariance to find, at least as many as the code has units;
        None, of up to 512 features, to form all of it."""
        rows = sum(len(batch) for batch in batches)
        most = axes_of_wide(rows, self.spec.features)
        if most is None:
            return None
        # of few rows all axes cost as much as one, and a code of all of them no more
        usual_code = CODE_OF_FEW_ROWS if rows <= GRAM else most
        code = self.params.latent or usual_code
        return max(most, code)

    def _noise_of_features(self, rows: int) -> Float:
        """(features,): the variance to add to each feature: that of rounding to its bucket, a
        little against singularity (0.001 for what is 0 or 1, else a millionth), and for a number
        with gaps and its flag that of ten further rows of deviation 1, so that a few rows do not
        decide too much. rows: how many were fitted."""
        spec = self.spec
        noise = np.full(spec.features, INDICATOR_NOISE)
        rounding = spec.half**2 / 3
        noise[spec.numeric] = rounding + FEATURE_NOISE
        gated = spec.gate >= 0
        gated_numbers = spec.numeric[gated]
        gates = spec.gate[gated]
        # as if ten more rows of deviation 1 had been fitted
        prior = PRIOR_ROWS / rows
        noise[gated_numbers] += prior
        noise[gates] += prior
        return noise

    def _prediction(self, moments: Moments | Leading) -> Prediction:
        """A prediction of each feature from the other columns: of tables with a full covariance by
        all of them (Whole), else by leading axes, 64 of small pictures (LowRank). moments: of the
        rows."""
        noise = self._noise_of_features(moments.rows)
        if isinstance(moments, Moments) and self.spec.shape is None:
            covariance = moments.cov + np.diag(noise)
            weights = conditionals(self.spec, covariance)
            return Whole(moments.mean, weights)
        if isinstance(moments, Moments):
            moments = Leading.of(moments)
        most = axes_of_wide(moments.rows, self.spec.features)
        moments = moments.first(most or AXES_OF_PICTURES)
        # maximum-likelihood PPCA (Tipping & Bishop 1999, eqs. 8 and 12): the noise is the mean
        # of the eigenvalues left out; P = I / s - left left^T
        least = float(noise.mean())
        precision = 1 / (moments.noise + least)
        precision_along = 1 / (moments.variances + least)
        shrink = np.maximum(precision - precision_along, 0)
        loadings = moments.vectors * np.sqrt(shrink)
        square = loadings**2
        diagonal = precision - square.sum(axis=1)
        return LowRank(moments.mean, loadings, precision, diagonal)

    def _code_maps(self, moments: Moments | Leading) -> Components:
        """The maps from features to code and from code to expected features, by the leading axes of
        rows with these moments; without a prediction, and with scales and weights of 1, which
        `with_tails` replaces."""
        principal = Leading.of(moments) if isinstance(moments, Moments) else moments
        k = self.params.latent or _components_needed(principal.variances, principal.total)
        # the code, whose decoder is its encoder turned over
        axes = principal.vectors[:, :k]
        mean = principal.mean
        ones = np.ones((1, len(mean)))
        explained = _parts_explained(principal.variances[:k], principal.total)
        return Components(
            mean,
            encoder=axes,
            decoder=axes.T,
            scale=ones,
            weight=ones,
            prior=np.clip(mean, 0, 1),
            # plain errors are of what the code restores, surprise is of what the others predict
            restores=self.params.error != "bits",
            report={"explained": explained},
        )

    def _probabilistic(self, batches: Batches) -> Components:
        """The maximum likelihood solution of probabilistic PCA (Tipping & Bishop 1999, section
        3.2), of the numbers among features of rows in batches. DataError with fewer than two
        numbers, or without rows.

        There are as many axes as `latent` says, or, where that is 0, as explain 95 % of the
        variance, at most one fewer than there are numbers. sigma^2 is the mean of the eigenvalues
        left out and blur^2, at least the variance that rounding has and 1e-6; Lambda has blur^2
        added, too; without blur this is the likeliest solution.

        W = U (Lambda - sigma^2 I)^(1/2), and with M = W^T W + sigma^2 I the posterior of z is
        N(M^-1 W^T (x - mean), sigma^2 M^-1). With z its posterior mean, the density needs no d x d
        inverse:

            (x - mean)^T C^-1 (x - mean) = |x - mean - W z|^2 / sigma^2 + |z|^2,
            log |C| = d log sigma^2 + log |M / sigma^2|,

        which is C^-1 = sigma^-2 I - sigma^-2 W M^-1 W^T written out.
        """
        numbers = self.spec.numeric
        if len(numbers) < 2:
            raise DataError("probabilistic pca needs two columns of numbers")
        columns = Columns(batches, numbers)
        moments = spread(columns, self._axes_to_find(batches))
        principal = Leading.of(moments) if isinstance(moments, Moments) else moments
        k = self.params.latent or _components_needed(principal.variances, principal.total)
        # one axis at least is left to the noise
        axes = principal.first(min(k, len(numbers) - 1))
        blur = self.params.blur**2  # the density of data + N(0, blur^2 I)
        square_of_buckets = self.spec.half**2
        least = float(square_of_buckets.mean()) / 3 + FEATURE_NOISE  # of rounding, and for one
        noise = max(axes.noise + blur, least)
        beyond_noise = np.maximum(axes.variances + blur - noise, 0)
        stretch = np.sqrt(beyond_noise)
        k = len(stretch)
        features = self.spec.features
        # M is diagonal in the axes, and m its diagonal
        m = stretch**2 + noise
        encoder = np.zeros((features, k))
        encoder[numbers] = axes.vectors * (stretch / m)
        decoder = np.zeros((k, features))
        decoder[:, numbers] = (axes.vectors * stretch).T
        log_eigenvalues = np.log(m / noise)
        ones = np.ones((1, features))
        scale = ones * np.sqrt(noise)
        mean = _mean_of_rows(batches)
        explained = _parts_explained(axes.variances, principal.total)
        return Components(
            mean,
            encoder,
            decoder,
            scale,
            weight=ones,
            prior=np.clip(mean, 0, 1),
            shared=0.5 * float(log_eigenvalues.sum()),
            restores=True,
            report={"explained": explained},
            drawn="normal",
            scatter=(scale[:, numbers], ones[:, numbers]),
        )


def _mean_of_rows(batches: Batches) -> Float:
    """(features,): the mean of all rows in batches, one at least."""
    rows = 0
    # an integer: added to the first sum it changes no bit of it
    total: Float | int = 0
    for block in in_blocks(batches):
        total = total + block.sum(axis=0, dtype=np.float64)
        rows += len(block)
    return np.asarray(total / rows)


def _parts_explained(variances: Float, total: float) -> list[float]:
    """The part of the total variance along each of the first at most 32 components, rounded to 4
    digits; all 0 where total is 0. variances: (components,), along each; total: of all features."""
    parts = variances[:MOST_TOLD] / max(total, 1e-12)
    return [round(part, 4) for part in parts.tolist()]


def _components_needed(variances: Float, total: float) -> int:
    """The number of leading components that together explain 95 % of the total variance; one more
    than there are if all explain less. variances: (components,), of each, the largest first; total:
    of all features."""
    part = np.cumsum(variances) / max(total, 1e-12)
    before = np.searchsorted(part, ENOUGH)
    return int(before + 1)
