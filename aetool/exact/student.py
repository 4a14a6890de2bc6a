"""The student: a small network that predicts, from what the decoder already has, which frequency
table codes a symbol best.

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

HIDDEN = 24  # units of the hidden layer
VERDICTS = 32  # tables of frequencies, of which a row picks one
STEPS = 700  # of training
BATCH = 512  # rows of a step
RATE = 0.02  # of Adam, at first
FIRST_MEMORY = 0.9  # of Adam's moving means of gradients
SECOND_MEMORY = 0.99  # of those of their squares
SHARPEST = 4.0  # what gates are multiplied by at the end
WEIGHT_MOST = 127  # weights are stored in 8 bits


def places(marks: Int, radices: list[int]) -> Int:
    """The indices of the inputs that are 1 in one-hot form, (rows, features) int64: those of a
    feature come behind all values of the features before it. marks: (rows, features), the values of
    the features, from 0; radices: how many values each can have."""
    # the classes of a feature come behind those of the features before it
    first_of_feature = np.cumsum([0, *radices[:-1]])
    return np.asarray(marks + first_of_feature)


def train(
    marks: Int,
    radices: list[int],
    symbols: Int,
    alphabet: int,
    seed: int = 0,
) -> list[Layer]:
    """Train a student, a network that votes for the one of VERDICTS (32) tables of frequencies that
    codes a symbol best, and return its two layers in whole numbers; the tables are left out. marks:
    (rows, features), feature i from 0 to radices[i] - 1; symbols: (rows,) int64 from 0 to alphabet
    - 1, what is to be predicted. seed: of all draws; the same gives the same student where floats
    are summed in the same order, as on one machine. One row at least."""
    rng = np.random.default_rng(seed)
    inputs = sum(radices)
    parameters = _first_parameters(rng, radices, symbols, alphabet)
    # what Adam remembers of each parameter
    means = {name: np.zeros_like(values) for name, values in parameters.items()}
    squares = {name: np.zeros_like(values) for name, values in parameters.items()}
    ones = places(marks, radices)
    # all draws come from one generator, in this order: the same data give the same student
    for step in range(STEPS):
        rows = rng.integers(0, len(symbols), BATCH)
        x = _one_hot(ones[rows], inputs)
        symbol = _one_hot(symbols[rows, None], alphabet)
        # ever sharper, as at last one verdict alone counts
        sharpness = 1 + (SHARPEST - 1) * step / STEPS
        gradients = _gradients(parameters, x, symbol, sharpness)
        for name, gradient in gradients.items():
            # updates the means and squares, too
            change = _adam_step(step, gradient, means[name], squares[name])
            parameters[name] -= change
    return _rounded(parameters)


def _one_hot(ones: Int, width: int) -> npt.NDArray[np.float32]:
    """(rows, width) float32: 1 at the places of each row, 0 elsewhere. ones: (rows, n), these
    places."""
    row = np.arange(len(ones))[:, None]
    one_hot = np.zeros((len(ones), width), np.float32)
    one_hot[row, ones] = 1
    return one_hot


def _first_parameters(
    rng: np.random.Generator,
    radices: list[int],
    symbols: Int,
    alphabet: int,
) -> Weights:
    """The parameters that training starts from, by name, in float32: w1 (inputs, HIDDEN), b1
    (HIDDEN,), w2 (HIDDEN, VERDICTS), b2 (VERDICTS,), table (VERDICTS, alphabet), logits of symbols;
    radices: how many values each feature has; symbols: (rows,), from 0 to alphabet - 1."""
    # half a count each, so that no symbol is impossible
    counts = np.bincount(symbols, minlength=alphabet) + 0.5
    frequencies = counts / counts.sum()
    # one input of each feature is 1, so that a sum has as many terms as there are features
    hidden_deviation = 0.5 / np.sqrt(len(radices))
    votes_deviation = 1 / np.sqrt(HIDDEN)
    hidden = rng.normal(0, hidden_deviation, (sum(radices), HIDDEN))
    votes = rng.normal(0, votes_deviation, (HIDDEN, VERDICTS))
    # each verdict's table begins near what is usual, apart enough to become different
    noise = rng.normal(0, 0.5, (VERDICTS, alphabet))
    table = np.log(frequencies) + noise
    parameters = {
        "w1": hidden,
        # above 0, where the clipped units have a slope
        "b1": np.full(HIDDEN, 0.2),
        "w2": votes,
        "b2": np.zeros(VERDICTS),
        "table": table,
    }
    return {name: values.astype(np.float32) for name, values in parameters.items()}


def _adam_step(
    step: int,
    gradient: Float,
    mean: Float,
    square: Float,
) -> Float:
    """One step of Adam (Kingma & Ba 2015): what to subtract from a parameter, in the shape of
    `gradient`. step: its number, 0 .. STEPS - 1 (699); the learning rate is RATE (0.02) for the
    first half of the steps, then falls in a straight line to nearly 0.

    mean, square: the moving means of gradients (memory 0.9) and of their squares (0.99), zeros
    before the first step, updated in place.
    """
    # 0.1 and 0.01 are what is not remembered, written out: as differences they would be rounded
    mean += 0.1 * (gradient - mean)
    square += 0.01 * (gradient**2 - square)
    # full for the first half, then falling to 0
    rate = RATE * min(1.0, 2 * (1 - step / STEPS))
    # both means begin at 0, which is made good for the first steps
    weight_of_mean = 1 - FIRST_MEMORY ** (step + 1)
    weight_of_square = 1 - SECOND_MEMORY ** (step + 1)
    scale = np.sqrt(square / weight_of_square) + 1e-8
    return np.asarray(rate * mean / weight_of_mean / scale)


def _gradients(
    parameters: Weights,
    x: npt.NDArray[np.float32],
    one_hot: npt.NDArray[np.float32],
    sharpness: float,
) -> Weights:
    """The gradients, by parameter (w1, b1, w2, b2, table), of the mean of -log p(symbol | x) in a
    batch.

    parameters: these by name, whose shapes the gradients have. x: (rows, inputs), of 0 and 1;
    one_hot: the symbols, (rows, alphabet); sharpness: what gates are multiplied by.
    """
    rows = len(one_hot)
    raw = x @ parameters["w1"] + parameters["b1"]
    # as the whole-number layer clips to 0 .. 255
    hidden = np.clip(raw, 0, 1)
    votes = hidden @ parameters["w2"] + parameters["b2"]
    # P(verdict)
    gate = _softmax(sharpness * votes)
    table = _softmax(parameters["table"])
    # P(verdict) times P(symbol | verdict)
    joint = gate * (one_hot @ table.T) + 1e-12
    # P(verdict | symbol): what each verdict is to be blamed for
    posterior = joint / joint.sum(axis=1, keepdims=True)
    # slopes of the mean loss by the votes, and by the logits of the tables
    d_gate = sharpness * (gate - posterior) / rows
    expected = posterior.sum(axis=0)[:, None] * table
    d_table = expected - posterior.T @ one_hot
    d_hidden = d_gate @ parameters["w2"].T
    # at a bound there is no slope outward
    is_below = (raw <= 0) & (d_hidden > 0)
    is_above = (raw >= 1) & (d_hidden < 0)
    d_hidden[is_below | is_above] = 0
    return {
        "w1": x.T @ d_hidden,
        "b1": d_hidden.sum(axis=0),
        "w2": hidden.T @ d_gate,
        "b2": d_gate.sum(axis=0),
        "table": d_table / rows,
    }


def _softmax(logits: Float) -> Float:
    """Probabilities from logits, (rows, n), by softmax in each row."""
    # the largest taken out, so that no exponential overflows
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    return np.asarray(odds)


def _rounded(parameters: Weights) -> list[Layer]:
    """A trained student in whole numbers: [first layer, second layer], with weights of 8 bits,
    activations of 0 .. 255, shifts by powers of two. The table is left out. parameters: w1, b1, w2
    and b2 by name."""
    return [_hidden_layer(parameters), _votes_layer(parameters)]


def _hidden_layer(parameters: Weights) -> Layer:
    """The first layer of a trained student in whole numbers, whose results are 0 .. 255.
    parameters: by name, of which w1 and b1 are used."""
    power = _power_of_weights(parameters["w1"])
    weight = _whole_weights(parameters["w1"], power)
    # hidden 1.0 is 255: a sum is w 2^power, so scale it by 255 2^-power, a power of two nearby
    shift = max(0, power - 8)
    factor = 2.0 ** max(0, 8 - power)
    most_weight = WEIGHT_MOST * factor
    scaled = np.rint(weight * factor)
    clipped = np.clip(scaled, -most_weight, most_weight)
    # half of what the shift takes away: it rounds down, and is to round to nearest
    half = 1 << shift >> 1
    bias = np.rint(parameters["b1"] * 2.0**power * factor)
    return Layer(clipped.astype(np.int64), bias.astype(np.int64) + half, shift)


def _votes_layer(parameters: Weights) -> Layer:
    """The second layer of a trained student in whole numbers, whose results are votes, a whole
    number for each verdict. parameters: by name, of which w2 and b2 are used."""
    power = _power_of_weights(parameters["w2"])
    weight = _whole_weights(parameters["w2"], power)
    # hidden values are 256 times as large as in training
    bias = np.rint(parameters["b2"] * 2.0**power * 2.0**8)
    return Layer(weight, bias.astype(np.int64))


def _power_of_weights(weight: Float) -> int:
    """The largest power p for which all weights times 2^p stay within -WEIGHT_MOST .. WEIGHT_MOST
    (127); below 0 for large weights. weight: not empty."""
    largest = float(np.abs(weight).max())
    # of a layer of zeros any power would do
    power = np.log2(WEIGHT_MOST / max(largest, 1e-9))
    return int(np.floor(power))


def _whole_weights(weight: Float, shift: int) -> Int:
    """Weights times 2^shift, rounded to whole numbers, int64, in the same shape."""
    scaled = np.rint(weight * 2.0**shift)
    return np.asarray(scaled.astype(np.int64))


def verdicts(votes: npt.NDArray[np.number]) -> Int:
    """The index of the output with most votes in each row, (rows,), the first of equal ones. votes:
    (rows, C), whole numbers."""
    return np.asarray(votes.argmax(axis=1), dtype=np.int64)
