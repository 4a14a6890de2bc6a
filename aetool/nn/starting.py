"""Where training starts: at principal components, so that a network can only improve on them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from aetool.model import Float, Int, Spec
from aetool.nn.backbones import Backbone

EXACT = 1024  # features up to which the whole covariance is decomposed
OVERSAMPLED, POWERS = 16, 4  # further directions, and passes, where it is not
LEAST_DEVIATION = 1e-3  # of a component: one with less is not stretched to 1
LEAST_VARIANCE = 1e-6  # of that along the first component: less is none
RAREST = 1e-3  # least probability of a level or flag that a logit starts from


def principal(x: Float, k: int) -> tuple[Float, Float, Float]:
    """PCA of rows x, (rows, d): (mean (d,), the first k axes (d, k), the variance along each (k,)).
    k is at most d.

    Of many features the axes are found by subspace iteration from a fixed draw (Halko, Martinsson
    & Tropp 2011, arXiv:0909.4061, algorithm 4.4).
    """
    mean = x.mean(axis=0, dtype=np.float64)
    centred = x - mean.astype(x.dtype)
    rows, d = centred.shape
    k = min(k, d)
    if d <= EXACT:
        values, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64) / rows)
        return mean, vectors[:, ::-1][:, :k], np.maximum(values[::-1][:k], 0.0)
    base = np.random.default_rng(0).normal(size=(d, min(k + OVERSAMPLED, d)))
    for _ in range(POWERS):
        base = np.linalg.qr(centred.T @ (centred @ base))[0]
    _, deviations, axes = np.linalg.svd(centred @ base, full_matrices=False)
    return mean, (base @ axes.T)[:, :k], np.maximum(deviations[:k] ** 2 / rows, 0.0)


@torch.no_grad()
def start_at_pca(
    encoder: nn.Module, decoder: nn.Module, spec: Spec, latent: int, x: Tensor
) -> Tensor | None:
    """Set the linear maps of encoder and decoder, in place, to PCA of x, and their levels to 0.

    Units of the code get deviation 1 (tied ones keep that of their component). Logits start from
    the mean code of each level, as in linear discriminant analysis with unit covariance. Units for
    which there is no component keep their first weights, and the decoder does not see them.
    Of a decoder that takes a condition behind the code, the condition explains what it can of x as
    a linear map, and PCA is of the rest.
    x: rows as the network takes them. Returns s^2 / lambda of each unit, (latent,), with lambda the
    variance along it and s^2 the mean of those left over: the variance of the posterior of
    probabilistic PCA where it is small. None if there are no linear maps.
    """
    if not isinstance(encoder, Backbone) or not isinstance(decoder, Backbone):
        return None
    there, back = encoder.linear, decoder.linear
    if not isinstance(there, nn.Linear) or back is None or there.out_features < latent:
        return None
    flat = x.flatten(1).cpu().numpy()
    scored = np.flatnonzero(spec.owners() >= 0)
    tied = not isinstance(back, nn.Linear)
    told = _told(spec, latent, None if tied else back.in_features)
    explained = _explained(flat[:, told], flat[:, scored])
    by_condition = flat[:, told] @ explained.astype(np.float32)
    rest = flat[:, scored] - by_condition
    mean, axes, variance = principal(rest, latent)
    k = max(1, int((variance > LEAST_VARIANCE * variance[:1]).sum()))
    axes, variance = axes[:, :k], variance[:k]  # along the others rows do not vary
    total = float(rest.var(axis=0, dtype=np.float64).sum())
    left = max(total - float(variance.sum()), 0.0) / max(len(scored) - k, 1)
    stretch = np.maximum(np.sqrt(variance), LEAST_DEVIATION)
    if tied:
        stretch = np.ones(k)
    weight = there.weight.detach().double().numpy().copy()
    bias = there.bias.detach().double().numpy().copy()
    still = flat.min(axis=0) == flat.max(axis=0)  # what training cannot learn to read
    weight[:, still] = 0.0
    entry = next((m for m in encoder.levels[0].modules() if isinstance(m, nn.Linear)), None)
    if spec.shape is None and entry is not None:
        entry.weight[:, torch.from_numpy(still)] = 0.0
    weight[:k], bias[:k] = 0.0, -(mean @ axes) / stretch
    weight[:k, scored] = axes.T / stretch[:, None]
    # the code is of what the condition leaves
    weight[:k, told] = -(explained @ axes).T / stretch[:, None]
    weight[latent:], bias[latent:] = 0.0, 0.0
    _set(there.weight, weight)
    _set(there.bias, bias)
    out = np.zeros(spec.features)
    out[scored] = mean
    beside = 0 if tied else back.in_features - latent
    columns = np.zeros((spec.features, latent + beside))
    columns[scored, :k] = axes * stretch
    # and the decoder adds what it explains
    behind_code = slice(latent, latent + len(told))
    columns[scored, behind_code] = explained.T
    code = flat @ weight[:k].T + bias[:k]
    for feature, _ in spec.flags:
        columns[feature], out[feature] = 0.0, 0.0
        present, gap = (_level(flat[:, feature] == v, code) for v in (0, 1))
        columns[feature, :k], out[feature] = gap[0] - present[0], gap[1] - present[1]
    for _, first, width in spec.categories:
        for feature in range(first, first + width):
            columns[feature] = 0.0
            columns[feature, :k], out[feature] = _level(flat[:, feature] == 1, code)
    if not tied:
        _set(back.get_parameter("weight"), columns)
    _set(back.get_parameter("bias"), out)
    encoder.silence()
    decoder.silence()
    if tied:  # the levels of the decoder still add a constant: their weights are the encoder's
        off = (x - decoder(encoder(x))).flatten(1).mean(dim=0)
        numbers = torch.from_numpy(spec.numeric).to(off.device)
        back.get_parameter("bias")[numbers] += off[numbers]
    noise = np.ones(latent)
    noise[:k] = np.clip(left / np.maximum(variance, 1e-12), 1e-6, 1.0)
    return torch.from_numpy(noise).float()


def _told(spec: Spec, latent: int, inputs: int | None) -> Int:
    """(conditions,): the indices of the condition's features, if a decoder of this many inputs
    takes them after the code; else empty."""
    if inputs != latent + spec.conditions:
        return np.zeros(0, dtype=np.int64)
    end = spec.features - spec.given
    return np.arange(end - spec.conditions, end)


def _explained(told: Float, x: Float) -> Float:
    """(conditions, features): the matrix that, multiplied by a condition, (rows, conditions), comes
    closest to x, (rows, features), both about their means, by least squares."""
    if not told.shape[1]:
        return np.zeros((0, x.shape[1]))
    told_mean = told.mean(axis=0, dtype=np.float64)
    mean = x.mean(axis=0, dtype=np.float64)
    # the features of a one-hot block add up to 1: of all maps that fit, this is the smallest
    fitted = np.linalg.lstsq(told - told_mean, x - mean, rcond=LEAST_VARIANCE)
    return np.asarray(fitted[0], dtype=np.float64)


def _level(rows: np.ndarray, code: Float) -> tuple[Float, float]:
    """(weights (k,), bias) of the logit of a level. rows: (n,), True where a row has the level;
    code: (n, k)."""
    share = max(float(rows.mean()), RAREST)
    mean = code[rows].mean(axis=0) if rows.any() else np.zeros(code.shape[1])
    return mean, float(np.log(share) - 0.5 * mean @ mean)


def _set(parameter: Tensor, value: Float) -> None:
    parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)).to(parameter))
