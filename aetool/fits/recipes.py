"""Recipes for drawing new records: the distribution of codes, and the noise about decoded
values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aetool.bundle import SAMPLING, Bundle
from aetool.codec.packing import errors_as_damage, packed, unpacked
from aetool.errors import BundleError
from aetool.model import Float, Records, Spec

FEW = 4096  # rows that distributions are read off
# normal scores at which a distribution is kept: its tails beyond one in 400 are cut off
SCORES = np.linspace(-2.8, 2.8, 29)


def _part_below(score: float) -> float:
    """The part of a normal distribution that lies below a normal score (a number of standard
    deviations), 0 .. 1."""
    within = math.erf(score / math.sqrt(2))
    return 0.5 * (1 + within)


BELOW = np.array([_part_below(score) for score in SCORES])  # of each of SCORES
DRAWS = 8192  # of a mixture, whose quantiles have no closed form
TABLES = ("codes", "factor", "noise")  # the arrays of a recipe, in the order they are stored
PRIORS = ("codes", "normal", "graph", "features")


@dataclass(frozen=True, eq=False)
class Recipe:
    """How to draw new records: the distribution of codes, and the noise about decoded values.

    prior: what codes are drawn from: "codes", as those of data; "normal", N(0, I); "graph",
    discrete ones by a graph; "features": no codes. codes: (29, latent), the values of each code
    unit at the normal SCORES, deviations from -2.8 to 2.8, ascending; factor: (latent, latent),
    lower triangular, of the correlation of the units' normal scores: a Gaussian copula. A density
    that is fitted to codes after training draws better records of a variational model than its
    prior does (Ghosh et al. 2020, arXiv:1903.12436). Without them codes are N(0, I). noise: (29,
    numbers), how numbers lie about what the code says of them, likewise; no columns where there is
    no noise, as for pictures. linear: probabilities stand in the place of logits.
    """

    prior: str
    linear: bool
    codes: Float
    factor: Float
    noise: Float

    def to_bytes(self) -> bytes:
        """The recipe as bytes, as a bundle stores it; its numbers are rounded to float32."""
        arrays = {}
        for name in TABLES:
            table = getattr(self, name)
            arrays[name] = np.float32(table)
        words = {"prior": self.prior, "linear": self.linear}
        return packed(arrays, words)

    @classmethod
    def of(cls, model: Bundle) -> Recipe:
        """The recipe that a bundle stores; BundleError if there is none, or a damaged one."""
        if SAMPLING not in model.graphs:
            raise BundleError(f"{model.name}: says nothing of samples: fit it again")
        with errors_as_damage(f"{model.name}: {SAMPLING}"):
            arrays, words = unpacked(model.graphs[SAMPLING])
            tables = {}
            for name in TABLES:
                tables[name] = arrays[name].astype(np.float64)
            recipe = cls(
                prior=words["prior"],
                linear=bool(words["linear"]),
                **tables,
            )
            recipe._check(model)
            return recipe

    def _check(self, model: Bundle) -> None:
        """Raise ValueError if the prior is unknown, a number is not finite, or the shape of an
        array does not fit the codes or the numbers of the model."""
        tables = (self.codes, self.factor, self.noise)
        is_finite = all(np.isfinite(table).all() for table in tables)
        if self.prior not in PRIORS or not is_finite:
            raise ValueError("sampling")
        width = self.codes.shape[1]
        # a prior N(0, I) may stand without the codes of data; other priors have no use for any
        widths_of_priors = {"codes": (model.latent,), "normal": (0, model.latent)}
        widths = widths_of_priors.get(self.prior, (0,))
        points = len(SCORES)
        if width not in widths or self.codes.shape != (points, width):
            raise ValueError("codes")
        if self.factor.shape != (width, width):
            raise ValueError("codes")
        numbers = len(model.spec.numeric)
        count, columns = self.noise.shape
        if count != points or columns not in (0, numbers):
            raise ValueError("noise")

    def from_scores(self, scores: Float) -> Float:
        """Map normal scores to codes, unit by unit: (rows, latent) both, the inverse of
        `scores_of`; scores beyond -2.8 and 2.8 count as these. Without tables of codes they stay as
        they are."""
        if not self.codes.size:
            return scores
        return through(scores, SCORES, self.codes)

    def scores_of(self, z: Float) -> Float:
        """Map codes z, (rows, latent), to normal scores, (rows, latent): each unit is transformed
        so that it is distributed as N(0, 1), cut at -2.8 and 2.8. Without tables of codes they stay
        as they are."""
        if not self.codes.size:
            return z
        scores_of_units = []
        for values, table in zip(z.T, self.codes.T, strict=True):
            # the table of a unit read backwards: from its codes to scores
            scores = np.interp(values, table, SCORES)
            scores_of_units.append(scores)
        return np.stack(scores_of_units, axis=1)


def through(x: Float, at: Float, tables: Float) -> Float:
    """Map every column of x, (rows, columns), by linear interpolation through its own table: (rows,
    columns). at: (points,), ascending; tables: (points, columns), the values of each column at
    these points; beyond the first and the last point, values are those at that point. One column at
    least."""
    columns = []
    for values, table in zip(x.T, tables.T, strict=True):
        mapped = np.interp(values, at, table)
        columns.append(mapped)
    return np.stack(columns, axis=1)


def learn(
    prior: str,
    spec: Spec,
    x: Records,
    z: Records | None,
    likely: Records,
    mixture: tuple[Records, Records] | None = None,
    linear: bool = False,
) -> bytes:
    """The bytes of a recipe, by which new records are drawn, read off rows, of which there must be
    one. prior: "codes", "normal", "graph" or "features". x: (rows, features); z: their codes,
    (rows, latent), or None; likely: what these decode to, of the shape of x; all standardised.

    mixture: (scales, weights), (components, numbers) both, of the Gaussians by which numbers lie
    about what is decoded; None: as those of the rows do. linear: whether a linear model has
    probabilities in the place of logits.
    """
    x = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    # the noise draws from it before the codes do: the same rows give the same recipe
    rng = np.random.default_rng(0)
    noise = np.zeros((len(SCORES), 0))
    # pictures are decoded without noise, but where features are drawn one after the other
    if spec.shape is None or prior == "features":
        noise = _quantiles_of_noise(spec, x, likely, mixture, rng)
    has_codes = z is not None and prior in ("codes", "normal")
    # a linear model's prior is exact: its codes are N(0, I), and none need be remembered
    is_exact = linear and prior == "normal"
    if z is None or not has_codes or is_exact:
        no_codes = np.zeros((len(SCORES), 0))
        no_factor = np.zeros((0, 0))
        recipe = Recipe(prior, linear, no_codes, no_factor, noise)
        return recipe.to_bytes()
    z = np.asarray(z, dtype=np.float64)
    # equal codes take their ranks by chance: in their order ranks would follow that of the rows
    shuffled = z[rng.permutation(len(z))]
    codes = np.quantile(shuffled, BELOW, axis=0)
    factor = _copula_factor(shuffled)
    recipe = Recipe(prior, linear, codes, factor, noise)
    return recipe.to_bytes()


def _quantiles_of_noise(
    spec: Spec,
    x: Float,
    likely: Records,
    mixture: tuple[Records, Records] | None,
    rng: np.random.Generator,
) -> Float:
    """Return the quantiles of the noise of each number, (29, numbers), at the parts BELOW: of how
    far it lies above what is decoded, in the unit of features, over the rows in which it is not
    missing; 0 for one that always is. x: (rows, features); likely: what is decoded, as many
    numbers.

    mixture: None, or (scales, weights), (components, numbers) both, of Gaussians of mean 0: the
    quantiles are then those of draws from it by rng, and x and likely are not looked at."""
    if mixture is not None:
        scales, weights = mixture
        return _quantiles_of_mixture(scales, weights, rng)
    expected = np.asarray(likely).reshape(len(x), -1)
    errors = x[:, spec.numeric] - expected[:, spec.numeric]
    return _quantiles_of_errors(errors, x, spec)


def _copula_factor(z: Float) -> Float:
    """Return the Cholesky factor, (latent, latent) and lower triangular, of the correlation between
    the units of codes z, (rows, latent), one row at least. Correlated are normal scores: a unit's
    ranks, of equal codes in the order of the rows, taken as those of a normal distribution."""
    # sorting the order of a column gives the rank of each of its values
    order = np.argsort(z, axis=0, kind="stable")
    ranks = np.argsort(order, axis=0, kind="stable")
    part_below = (ranks + 0.5) / len(z)
    scores = np.interp(part_below, BELOW, SCORES)
    # of units that always move together there would be no factor without the diagonal
    units = z.shape[1]
    diagonal = 1e-6 * np.eye(units)
    products = scores.T @ scores
    covariance = products / len(z) + diagonal
    variance = np.diag(covariance)
    deviation = np.sqrt(variance)
    correlation = covariance / np.outer(deviation, deviation)
    factor: Float = np.linalg.cholesky(correlation)
    return factor


def _quantiles_of_errors(errors: Float, x: Float, spec: Spec) -> Float:
    """The quantiles of each number's error, at the parts BELOW, (29, numbers), over the rows where
    it is not missing; 0 for one that always is. errors: (rows, numbers); x: (rows, features), which
    say what is missing."""
    rows, numbers = errors.shape
    tables = np.zeros((len(SCORES), numbers))
    gates = np.asarray(spec.gate, dtype=np.int64)
    always_present = np.flatnonzero(gates < 0)
    if rows and len(always_present):
        errors_of_all_rows = errors[:, always_present]
        tables[:, always_present] = np.quantile(errors_of_all_rows, BELOW, axis=0)
    for number in np.flatnonzero(gates >= 0):
        # the gate is 1 where the value is missing, of which nothing is known
        is_present = x[:, gates[number]] == 0
        errors_of_number = errors[is_present, number]
        if len(errors_of_number):
            tables[:, number] = np.quantile(errors_of_number, BELOW)
    return tables


def _quantiles_of_mixture(scales: Float, weights: Float, rng: np.random.Generator) -> Float:
    """The quantiles, at the parts BELOW, of a mixture of Gaussians of mean 0 for each number, by
    8192 draws from the mixture: (29, numbers). scales, weights: (components, numbers), the weights
    of a number adding up to 1."""
    numbers = scales.shape[1]
    uniform = rng.random((DRAWS, numbers))
    # a component is drawn by how many of the cumulated weights a uniform number exceeds; the last
    # sum is 1, but for rounding, and none may exceed it
    cumulated = np.cumsum(weights, axis=0)
    # (components - 1, 1, numbers) beside (1, draws, numbers)
    edges = cumulated[:-1, None]
    is_above = uniform[None] > edges
    component = is_above.sum(axis=0)
    exact_scales = np.asarray(scales, dtype=np.float64)
    scale = np.take_along_axis(exact_scales, component, axis=0)
    values = scale * rng.standard_normal(scale.shape)
    quantiles = np.quantile(values, BELOW, axis=0)
    return np.asarray(quantiles)
