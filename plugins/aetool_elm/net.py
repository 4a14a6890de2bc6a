"""Random hidden units and a decoder by ridge regression (Huang, Zhu & Siew 2006; as autoencoders:
Kasun et al. 2013), trained to undo noise (Vincent et al. 2008)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Batches, Builder, ClosedForm, Solution, Value, costs, rows_of_numbers
from aetool.errors import DataError
from aetool.model import Float

ROWS = 10_000  # damaged rows that the decoder is solved from
NUMBERS = 1 << 24  # at most, in the rows that they are copies of: of wide rows there are fewer
RIDGE = 1e-3  # beside the mean square of a hidden unit
ASIDE = 10  # one row of so many is kept aside for the deviation


@dataclass(frozen=True, eq=False)
class Hidden(Solution):
    """The fitted model: codes z = max(0, x weight + bias), expected features z decoder + offset.

    weight: (features, units). bias: (units,). decoder: (units, features). offset: (features,).
    deviation: (numbers,), for each feature that is a number its usual distance from what is
    expected, see `costs.deviations`. prior: (features,), how often a flag or level occurs, 0 .. 1.
    """

    weight: Float
    bias: Float
    decoder: Float
    offset: Float
    deviation: Float
    prior: Float

    def encode(self, g: Builder, x: Value) -> Value:
        """The outputs of the hidden units, (batch, units), none below 0. x: (batch, features)."""
        activation = g.affine(x, self.weight, self.bias)
        return g.relu(activation)

    def decode(self, g: Builder, z: Value) -> Value:
        """(batch, features): the features expected for codes z, (batch, units); those of flags and
        levels are not cut to 0 .. 1."""
        return g.affine(z, self.decoder, self.offset)


class ELM(ClosedForm):
    """An autoencoder with random hidden units that is solved, not trained: each of the
    params.latent units has random weights N(0, I / features) and a random bias N(0, 1); the decoder
    is the least-squares one that restores rows from damaged copies of them, with a small ridge."""

    def fit(self, batches: Batches) -> Hidden:
        """Solve for the decoder that restores damaged rows, and measure its errors on rows kept
        aside, both of a sample of about 11,000 rows at most (`_sample`), drawn alike each time.
        DataError without rows."""
        units = self.params.latent
        features = self.spec.features
        rng = np.random.default_rng(0)
        x = _sample(batches, features)
        order = rng.permutation(len(x))
        x = x[order]
        held_out, fitted = _held_out_and_fitted(x)
        normal = rng.standard_normal((features, units))
        weight = normal / np.sqrt(features)
        bias = rng.standard_normal(units)
        # few rows are damaged several times, each time otherwise
        copies = max(1, ROWS // len(fitted))
        damage = self._noise_of_units(rng, weight, copies * len(fitted))
        clean_activation = fitted @ weight + bias
        activation = np.repeat(clean_activation, copies, axis=0)
        activation = activation + self.params.noise * damage
        z = np.maximum(activation, 0.0)
        decoder, offset = _ridge_regression(z, fitted, copies)
        # rows kept aside are encoded as they are, as those to be judged will be
        activation = held_out @ weight + bias
        codes = np.maximum(activation, 0.0)
        expected = codes @ decoder + offset
        deviation = costs.deviations(self.spec, held_out, expected)
        mean = x.mean(axis=0)
        prior = mean.clip(0, 1)
        return Hidden(weight, bias, decoder, offset, deviation, prior)

    def _noise_of_units(self, rng: np.random.Generator, weight: Float, rows: int) -> Float:
        """What noise on the features adds to the input of each hidden unit: (rows, units), for
        `rows` draws of N(0, I) on the scored features, times weight, (features, units). The caller
        scales it."""
        scored = self.spec.owners() >= 0
        visible = weight * scored[:, None]
        features, units = weight.shape
        if features <= units:
            noise = rng.standard_normal((rows, features))
            return np.asarray(noise @ visible)
        # of fewer units than features it is drawn as they see it: N(0, visible^T visible)
        _, factor = np.linalg.qr(visible)
        noise = rng.standard_normal((rows, units))
        return np.asarray(noise @ factor)


def _sample(batches: Batches, features: int) -> Float:
    """(n, features) float64: a sample of the rows in batches, at even distances in each: about
    11,000 at most, those that the decoder is solved from and a tenth as many to keep aside, and of
    wide rows as many as hold NUMBERS (16.8 million) values, but 128 at least. features: how many a
    row has. DataError without rows."""
    rows = sum(len(batch) for batch in batches)
    if not rows:
        raise DataError("no rows to fit")
    held_out = ROWS // ASIDE
    most = rows_of_numbers(NUMBERS, features, ROWS + held_out)
    step = math.ceil(rows / most)
    sample = [batch[::step] for batch in batches]
    return np.concatenate(sample).astype(np.float64)


def _held_out_and_fitted(x: Float) -> tuple[Float, Float]:
    """(rows that are kept aside, the others) of rows x, (rows, features), in random order: every
    tenth row is kept aside, of at most 20 rows every third; of three rows or fewer all are in
    both."""
    if len(x) <= 3:
        return x, x
    # of few rows more of them, for those that the decoder restores by heart tell nothing
    step = ASIDE if len(x) > 2 * ASIDE else 3
    others = np.delete(x, slice(None, None, step), axis=0)
    return x[::step], others


def _ridge_regression(z: Float, rows: Float, copies: int) -> tuple[Float, Float]:
    """(weights (units, features), intercept (features,)) of the ridge regression of rows, (rows,
    features), on z, (rows * copies, units), the codes, where those of a row's copies follow one
    another."""
    mean = z.mean(axis=0)
    centre = rows.mean(axis=0)
    # float32 halves the time of the largest product; what is solved is float64
    z = (z - mean).astype(np.float32)
    gram = (z.T @ z).astype(np.float64)
    units = len(gram)
    sum_of_squares = float(np.trace(gram))
    # the last term is for units that are all constant, of which there is no inverse
    penalty = RIDGE * sum_of_squares / units + 1e-9
    # copies of a row are to be mapped to the same row: their sum is multiplied by it once
    copies_of_rows = z.reshape(len(rows), copies, -1)
    sum_of_copies = copies_of_rows.sum(axis=1)
    centred = (rows - centre).astype(np.float32)
    cross = sum_of_copies.T @ centred
    cross = cross.astype(np.float64)
    ridge = penalty * np.eye(units)
    weights = np.linalg.solve(gram + ridge, cross)
    intercept = centre - mean @ weights
    return weights, intercept
