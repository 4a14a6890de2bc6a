"""The student: predicts, from what the decoder already has, which table codes a symbol best.

A network of one hidden layer sees other columns in classes, one-hot, and votes for one of C
verdicts; each verdict has a table of frequencies of its own, which the coder goes on adapting. It
is trained as a mixture, p(s | x) = sum_c softmax_c(g(x)) T[c, s] (Jacobs et al. 1991, gates without
experts' inputs), by gradient descent in numpy, with gates that sharpen until they decide alone, and
is then rounded to whole numbers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aetool.exact.network import Layer
from aetool.model import Float, Int

Weights = dict[str, Float]  # by name: those of both layers, and the table of frequencies

HIDDEN, VERDICTS = 24, 32
STEPS, BATCH, RATE = 700, 512, 0.02
SHARPEST = 4.0  # what gates are multiplied by at the end
WEIGHT_MOST = 127  # weights are stored in 8 bits


def places(marks: Int, radices: list[int]) -> Int:
    """One-hot positions of each row's features, (rows, features): which inputs of the network are
    1. radices: the number of values of each feature."""
    return np.asarray(marks + np.cumsum([0, *radices[:-1]]))


def train(
    marks: Int,
    radices: list[int],
    symbols: Int,
    alphabet: int,
    seed: int = 0,
) -> list[Layer]:
    """Train a student, and return its two layers in whole numbers. marks: (rows, features);
    symbols: (rows,) from 0 to alphabet - 1."""
    rng = np.random.default_rng(seed)
    inputs = sum(radices)
    # half a count each, so that no symbol is impossible
    usual = np.bincount(symbols, minlength=alphabet) + 0.5
    parameters = {
        "w1": rng.normal(0, 0.5 / np.sqrt(len(radices)), (inputs, HIDDEN)),
        "b1": np.full(HIDDEN, 0.2),
        "w2": rng.normal(0, 1 / np.sqrt(HIDDEN), (HIDDEN, VERDICTS)),
        "b2": np.zeros(VERDICTS),
        # each verdict's table begins near what is usual, apart enough to become different
        "table": np.log(usual / usual.sum()) + rng.normal(0, 0.5, (VERDICTS, alphabet)),
    }
    parameters = {k: v.astype(np.float32) for k, v in parameters.items()}
    moments = {k: [np.zeros_like(v), np.zeros_like(v)] for k, v in parameters.items()}
    inside = places(marks, radices)
    # the rows of a batch, for one-hot writing
    batch = np.arange(BATCH)
    for step in range(STEPS):
        rows = rng.integers(0, len(symbols), BATCH)
        x = np.zeros((BATCH, inputs), np.float32)
        s = np.zeros((BATCH, alphabet), np.float32)
        x[batch[:, None], inside[rows]] = 1
        s[batch, symbols[rows]] = 1
        # ever sharper, as at last one verdict alone counts
        gradients = _gradients(parameters, x, s, 1 + (SHARPEST - 1) * step / STEPS)
        # full for the first half, then falling to 0
        rate = RATE * min(1.0, 2 * (1 - step / STEPS))
        for name, gradient in gradients.items():  # Adam (Kingma & Ba 2015)
            first, second = moments[name]
            first += 0.1 * (gradient - first)
            second += 0.01 * (gradient**2 - second)
            # both moments begin at 0, which is made good for the first steps
            scale = np.sqrt(second / (1 - 0.99 ** (step + 1))) + 1e-8
            parameters[name] -= rate * first / (1 - 0.9 ** (step + 1)) / scale
    return _rounded(parameters)


def _gradients(
    p: Weights,
    x: npt.NDArray[np.float32],
    s: npt.NDArray[np.float32],
    sharp: float,
) -> Weights:
    """Of the mean of -log p(s | x) in a batch; x and s one-hot."""
    n = len(s)
    raw = x @ p["w1"] + p["b1"]
    # as the whole-number layer clips to 0 .. 255
    hidden = np.clip(raw, 0, 1)
    gate = sharp * (hidden @ p["w2"] + p["b2"])
    # the largest taken out, so that no exponential overflows
    gate = np.exp(gate - gate.max(axis=1, keepdims=True))
    gate /= gate.sum(axis=1, keepdims=True)
    table = np.exp(p["table"] - p["table"].max(axis=1, keepdims=True))
    table /= table.sum(axis=1, keepdims=True)
    # P(verdict) times P(symbol | verdict)
    joint = gate * (s @ table.T) + 1e-12
    # P(verdict | symbol): what each verdict is to be blamed for
    posterior = joint / joint.sum(axis=1, keepdims=True)
    d_gate = sharp * (gate - posterior) / n
    d_table = posterior.sum(axis=0)[:, None] * table - posterior.T @ s
    d_hidden = d_gate @ p["w2"].T
    # at a bound there is no slope outward
    d_hidden[(raw <= 0) & (d_hidden > 0) | (raw >= 1) & (d_hidden < 0)] = 0
    return {
        "w1": x.T @ d_hidden,
        "b1": d_hidden.sum(axis=0),
        "w2": hidden.T @ d_gate,
        "b2": d_gate.sum(axis=0),
        "table": d_table / n,
    }


def _rounded(p: Weights) -> list[Layer]:
    """Weights of 8 bits, activations of 0 .. 255, shifts by powers of two."""
    shift1 = _shift(p["w1"])
    first = _weights(p["w1"], shift1)
    # hidden 1.0 is 255: the sum is w 2^shift1, so scale it by 255 2^-shift1, a power of two nearby
    down = max(0, shift1 - 8)
    up = 2.0 ** max(0, 8 - shift1)
    first = np.clip(np.rint(first * up), -WEIGHT_MOST * up, WEIGHT_MOST * up).astype(np.int64)
    bias = np.rint(p["b1"] * 2.0**shift1 * up).astype(np.int64) + (1 << down >> 1)
    shift2 = _shift(p["w2"])
    second = _weights(p["w2"], shift2)
    # hidden values are 256 times as large as in training
    out = np.rint(p["b2"] * 2.0**shift2 * 2.0**8).astype(np.int64)
    return [Layer(first, bias, down), Layer(second, out)]


def _shift(weight: Float) -> int:
    """The largest power of two by which all weights stay within 8 bits."""
    return int(np.floor(np.log2(WEIGHT_MOST / max(float(np.abs(weight).max()), 1e-9))))


def _weights(weight: Float, shift: int) -> Int:
    return np.asarray(np.rint(weight * 2.0**shift).astype(np.int64))


def verdicts(votes: npt.NDArray[np.number]) -> Int:
    """The output with most votes, the first of equals. votes (rows, C), whole numbers."""
    return np.asarray(votes.argmax(axis=1), dtype=np.int64)
