"""Starting weights: training begins at principal components, so that a network can only improve on
them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from aetool.model import Float, Int, Spec
from aetool.nn.backbones import Backbone

EXACT = 1024  # features up to which the whole covariance is decomposed
OVERSAMPLED = 16  # further directions that are looked for where it is not
POWERS = 4  # passes over the rows there
LEAST_DEVIATION = 1e-3  # of a component: one with less is not stretched to 1
LEAST_VARIANCE = 1e-6  # of that along the first component: less is none
RAREST = 1e-3  # least probability of a level or flag that a logit starts from


def principal(x: Float, k: int) -> tuple[Float, Float, Float]:
    """PCA of rows x, (rows, d): (mean (d,), the first k axes (d, k), the variance along each (k,)).
    All float64. The first axis has the most variance; of a k above d there are d axes. x: float32
    or float64, one row at least.

    Of many features the axes are found by subspace iteration from a fixed draw (Halko, Martinsson
    & Tropp 2011, arXiv:0909.4061, algorithm 4.4).
    """
    mean = x.mean(axis=0, dtype=np.float64)
    # products are formed in the type of x, which for float32 takes half the time
    centred = x - mean.astype(x.dtype)
    features = centred.shape[1]
    count = min(k, features)
    if features <= EXACT:
        axes, variances = _axes_of_covariance(centred)
    else:
        directions = min(count + OVERSAMPLED, features)
        axes, variances = _axes_of_subspace(centred, directions)
    # by rounding the variance along an axis where rows do not vary can be below 0
    variances = np.maximum(variances[:count], 0.0)
    return mean, axes[:, :count], variances


def _axes_of_covariance(centred: Float) -> tuple[Float, Float]:
    """(all principal axes, (d, d), the one of most variance first; the variance along each, (d,)).
    centred: rows less their mean, (rows, d)."""
    products = (centred.T @ centred).astype(np.float64)
    covariance = products / len(centred)
    # eigenvalues come with the smallest first
    values, vectors = np.linalg.eigh(covariance)
    return vectors[:, ::-1], values[::-1]


def _axes_of_subspace(centred: Float, directions: int) -> tuple[Float, Float]:
    """(approximations of the leading principal axes, (d, directions); the variance along each,
    (directions,)). centred: rows less their mean, (rows, d)."""
    base = _subspace(centred, directions)
    coordinates = centred @ base
    _, deviations, rotation = np.linalg.svd(coordinates, full_matrices=False)
    axes = base @ rotation.T
    variances = deviations**2 / len(centred)
    return axes, variances


def _subspace(centred: Float, directions: int) -> Float:
    """(d, directions): an orthonormal base of a space close to that of the leading principal axes
    of centred rows, (rows, d)."""
    generator = np.random.default_rng(0)
    base = generator.normal(size=(centred.shape[1], directions))
    for _ in range(POWERS):
        along = centred @ base
        base, _ = np.linalg.qr(centred.T @ along)
    return base


class _Components(NamedTuple):
    """The principal components of rows, after a linear prediction from the condition has been
    subtracted from them.

    scored: (n,), the indices of the features that are scored. conditions: (c,), those of the
    condition's features. explained: (c, n), the matrix that predicts scored features from the
    condition. mean: (n,), of the rows after that; axes: (n, k), their principal axes; variance:
    (k,), along these. noise: the mean variance along all other axes. Features are counted from 0.
    """

    scored: Int
    conditions: Int
    explained: Float
    mean: Float
    axes: Float
    variance: Float
    noise: float


@torch.no_grad()
def start_at_pca(
    encoder: nn.Module,
    decoder: nn.Module,
    spec: Spec,
    latent: int,
    x: Tensor,
) -> Tensor | None:
    """Set the linear maps of encoder and decoder, in place, to PCA of x, and their levels to 0.

    Units of the code get deviation 1 (tied ones keep that of their component). Logits start from
    the mean code of each level, as in linear discriminant analysis with unit covariance. Units for
    which there is no component keep their first weights, and the decoder does not see them. Of a
    decoder that takes a condition behind the code, the condition explains what it can of x as a
    linear map, and PCA is of the rest. x: rows as the network takes them. Returns s^2 / lambda of
    each unit, (latent,), with lambda the variance along it and s^2 the mean of those left over: the
    variance of the posterior of probabilistic PCA where it is small. None, with nothing changed, if
    there are no linear maps, or the encoder's gives fewer than `latent` numbers.
    """
    if not isinstance(encoder, Backbone) or not isinstance(decoder, Backbone):
        return None
    maps = _linear_maps(encoder, decoder, latent)
    if maps is None:
        return None
    to_code, from_code = maps
    flat = x.flatten(1).cpu().numpy()
    is_tied = not isinstance(from_code, nn.Linear)
    inputs_beside_code = 0
    if isinstance(from_code, nn.Linear):
        inputs_beside_code = from_code.in_features - latent
    components = _components(spec, flat, latent, inputs_beside_code)
    count = len(components.variance)
    # weights that serve both ways cannot be stretched one way and shrunk the other
    stretch = np.ones(count)
    if not is_tied:
        deviation = np.sqrt(components.variance)
        stretch = np.maximum(deviation, LEAST_DEVIATION)
    weight, bias = _encoder_weights(to_code, flat, components, stretch, latent)
    if spec.shape is None:
        _blind_first_level(encoder, _constant_features(flat))
    _write_into(to_code.weight, weight)
    _write_into(to_code.bias, bias)
    code = flat @ weight[:count].T + bias[:count]
    weight, bias = _decoder_weights(spec, components, stretch, latent, inputs_beside_code)
    _start_logits(weight, bias, spec, flat, code)
    if not is_tied:
        _write_into(from_code.get_parameter("weight"), weight)
    _write_into(from_code.get_parameter("bias"), bias)
    encoder.silence()
    decoder.silence()
    if is_tied:
        # the levels of the decoder still add a constant: their weights are the encoder's
        restored = decoder(encoder(x))
        error = (x - restored).flatten(1)
        mean_error = error.mean(dim=0)
        numbers = torch.from_numpy(spec.numeric).to(mean_error.device)
        bias_of_decoder = from_code.get_parameter("bias")
        bias_of_decoder[numbers] += mean_error[numbers]
    return _posterior_variance(components, latent)


def _linear_maps(
    encoder: Backbone,
    decoder: Backbone,
    latent: int,
) -> tuple[nn.Linear, nn.Module] | None:
    """(the linear map of the encoder from records to codes, that of the decoder back); None where
    one has none, or the code is smaller than `latent`."""
    to_code = encoder.linear
    from_code = decoder.linear
    if not isinstance(to_code, nn.Linear) or from_code is None:
        return None
    if to_code.out_features < latent:
        return None
    return to_code, from_code


def _posterior_variance(components: _Components, latent: int) -> Tensor:
    """s^2 / lambda of each unit of the code, (latent,) float32, from 1e-6 to 1: the noise of the
    components over the variance along the unit's; 1 for a unit without one."""
    # a unit without a component is told nothing: its posterior is as wide as the prior
    variance = np.ones(latent)
    # an axis along which nothing varies is not divided by
    along_axes = np.maximum(components.variance, 1e-12)
    shares = components.noise / along_axes
    variance[: len(shares)] = np.clip(shares, 1e-6, 1.0)
    return torch.from_numpy(variance).float()


def _components(
    spec: Spec,
    flat: Float,
    latent: int,
    inputs_beside_code: int,
) -> _Components:
    """The principal components of rows: `latent`, or fewer, one at least, where rows vary along
    fewer axes; what the condition explains, where the decoder takes one, is taken out before. flat:
    (rows, features) float32; inputs_beside_code: how many inputs the decoder has besides the
    code."""
    scored = np.flatnonzero(spec.owners() >= 0)
    conditions = _condition_features(spec, inputs_beside_code)
    condition = flat[:, conditions]
    explained = _explained_by_condition(condition, flat[:, scored])
    by_condition = condition @ explained.astype(np.float32)
    rest = flat[:, scored] - by_condition
    mean, axes, variance = principal(rest, latent)
    # along the others rows do not vary
    varies = variance > LEAST_VARIANCE * variance[:1]
    count = max(1, int(varies.sum()))
    axes = axes[:, :count]
    variance = variance[:count]
    variance_of_features = rest.var(axis=0, dtype=np.float64)
    total = float(variance_of_features.sum())
    along_axes = float(variance.sum())
    # below 0 by rounding, where nothing is left
    beyond_axes = max(total - along_axes, 0.0)
    other_axes = len(scored) - count
    noise = beyond_axes / max(other_axes, 1)
    return _Components(
        scored,
        conditions,
        explained,
        mean,
        axes,
        variance,
        noise,
    )


def _encoder_weights(
    linear: nn.Linear,
    flat: Float,
    components: _Components,
    stretch: Float,
    latent: int,
) -> tuple[Float, Float]:
    """The starting weight and bias of the encoder's linear map, which takes a row to its
    coordinates along the principal axes, in units of `stretch`, (k,), less what the condition
    explains of them: (weight (outputs, features), bias (outputs,)). Constant features weigh
    nothing. linear: the map as it is; flat: the rows, (rows, features); latent: how many of the
    outputs, the first ones, are the code, k or more.

    The other units of the code keep the weights of `linear`, and outputs behind the code are 0.
    """
    count = len(stretch)
    # copies: what numpy shows of a parameter is its own memory
    weight = linear.weight.detach().double().numpy().copy()
    bias = linear.bias.detach().double().numpy().copy()
    # what training cannot learn to read
    weight[:, _constant_features(flat)] = 0.0
    # units of components see scored features and the condition alone
    weight[:count] = 0.0
    mean_along = components.mean @ components.axes
    bias[:count] = -mean_along / stretch
    weight[:count, components.scored] = components.axes.T / stretch[:, None]
    # the code is of what the condition leaves
    condition_along = (components.explained @ components.axes).T
    weight[:count, components.conditions] = -condition_along / stretch[:, None]
    weight[latent:] = 0.0
    bias[latent:] = 0.0
    return weight, bias


def _constant_features(flat: Float) -> npt.NDArray[np.bool_]:
    """Which features are constant: (features,) bool, True for one that has the same value in all
    rows of flat, (rows, features)."""
    lowest = flat.min(axis=0)
    highest = flat.max(axis=0)
    return np.asarray(lowest == highest)


def _blind_first_level(encoder: Backbone, is_constant: npt.NDArray[np.bool_]) -> None:
    """Set to 0, in place, the weights by which the first level, if it has an nn.Linear, sees
    constant features. is_constant: (features,) bool."""
    constant = torch.from_numpy(is_constant)
    for layer in encoder.levels[0].modules():
        if isinstance(layer, nn.Linear):
            layer.weight[:, constant] = 0.0
            return


def _decoder_weights(
    spec: Spec,
    components: _Components,
    stretch: Float,
    latent: int,
    inputs_beside_code: int,
) -> tuple[Float, Float]:
    """(weight (features, latent + inputs_beside_code), bias (features,)) of the decoder's linear
    map: from the code, and the condition behind it, to means. stretch: (k,), what one unit of each
    code is along its axis; inputs_beside_code: how many inputs it has behind the code. What the
    components say nothing of is 0."""
    bias = np.zeros(spec.features)
    bias[components.scored] = components.mean
    weight = np.zeros((spec.features, latent + inputs_beside_code))
    weight[components.scored, : len(stretch)] = components.axes * stretch
    # and the decoder adds what the condition explains
    behind_code = slice(latent, latent + len(components.conditions))
    weight[components.scored, behind_code] = components.explained.T
    return weight, bias


def _start_logits(
    weight: Float,
    bias: Float,
    spec: Spec,
    flat: Float,
    code: Float,
) -> None:
    """Set the decoder's starting weights and biases for flags and for levels of categories, in
    place: each logit starts from how often its flag or level occurs in the rows, 0.001 at least,
    and from the mean code of the rows that have it.

    weight: (features, latent and more), bias: (features,); only the rows of flags and levels
    change. flat: (rows, features), the rows, one at least; code: (rows, k), their codes.
    """
    count = code.shape[1]
    # a flag has two levels and one logit: that of a gap less that of a number
    for feature, _ in spec.flags:
        flag = flat[:, feature]
        present_weight, present_bias = _logit_of_level(flag == 0, code)
        gap_weight, gap_bias = _logit_of_level(flag == 1, code)
        weight[feature] = 0.0
        weight[feature, :count] = gap_weight - present_weight
        bias[feature] = gap_bias - present_bias
    for _, first, width in spec.categories:
        for feature in range(first, first + width):
            has_level = flat[:, feature] == 1
            level_weight, level_bias = _logit_of_level(has_level, code)
            weight[feature] = 0.0
            weight[feature, :count] = level_weight
            bias[feature] = level_bias


def _condition_features(spec: Spec, inputs_beside_code: int) -> Int:
    """The indices of the condition's features, (conditions,), if a decoder that takes
    `inputs_beside_code` inputs after the code takes exactly these; else (0,)."""
    if inputs_beside_code != spec.conditions:
        return np.zeros(0, dtype=np.int64)
    # the rows before a row come last, and the condition just before them
    end = spec.features - spec.given
    first = end - spec.conditions
    return np.arange(first, end)


def _explained_by_condition(condition: Float, x: Float) -> Float:
    """The linear prediction of x from a condition, (conditions, features): the matrix that,
    multiplied by a condition, (rows, conditions), comes closest to x, (rows, features), both about
    their means, by least squares."""
    if not condition.shape[1]:
        return np.zeros((0, x.shape[1]))
    centred_condition = condition - condition.mean(axis=0, dtype=np.float64)
    centred = x - x.mean(axis=0, dtype=np.float64)
    # the features of a one-hot block add up to 1: of all maps that fit, this is the smallest
    matrix, *_ = np.linalg.lstsq(centred_condition, centred, rcond=LEAST_VARIANCE)
    return np.asarray(matrix, dtype=np.float64)


def _logit_of_level(has_level: npt.NDArray[np.bool_], code: Float) -> tuple[Float, float]:
    """(weights (k,), bias) of the logit of a level. has_level: (n,), True where a row has the
    level; code: (n, k), the codes of all rows."""
    # of a level that never occurs the logarithm would be infinite
    share = max(float(has_level.mean()), RAREST)
    mean = np.zeros(code.shape[1])
    if has_level.any():
        mean = code[has_level].mean(axis=0)
    # of the Gaussian of unit covariance about the level's mean: its log density at a code is this
    # bias and the product of the code with the mean, but for what all levels have in common
    bias = np.log(share) - 0.5 * mean @ mean
    return mean, float(bias)


def _write_into(parameter: Tensor, value: Float) -> None:
    """Write an array into a parameter of a network, in place, converted to its type and device.
    Both must have one shape."""
    # torch takes no array of negative strides, as a reversed one is
    contiguous = np.ascontiguousarray(value)
    tensor = torch.from_numpy(contiguous)
    parameter.copy_(tensor.to(parameter))
