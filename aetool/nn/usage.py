"""Measures whether a trained network uses its code: how much it explains of held-out rows, compared
with PCA."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aetool.canonical import Json
from aetool.model import Discrete, Float, Int, Spec
from aetool.nn.starting import principal

ABLATED = 256  # rows by which units are tried one by one
MOVES = 1e-4  # part of the variance that a unit must move to count as active
# A code that explains less is dead: what it restores cannot be told from the mean. One number of 50
# that have nothing in common explains as much.
LEAST_EXPLAINED = 0.02


@torch.no_grad()
def code_use(
    model: Any,
    rows: Tensor,
    held_out: Tensor,
    seen: Tensor,
    report: dict[str, Json],
) -> dict[str, Json] | None:
    """Figures, by name, of whether and how a trained network, an AutoEncoder with a code, uses it.

    units: numbers in the code. active: how many of them are in use (of a sparse code, of a row
    on average), by the model's own report if that has active_units. kl_nats: from the report.
    explained: 1 - squared error / variance of the numbers (pixels) of held_out, gaps left out, all
    columns together, each in its standard deviations; without numbers, of one-hot features.
    pca_numbers, pca_explained: the same for PCA of rows with as many numbers as a code has that are
    not exactly 0, on average. dead: whether no unit is active or next to nothing is explained.

    rows, held_out: (n, ...) as the model takes them; seen: what it sees of held_out, in the same
    shape; report: the figures of model.report. None where held-out rows do not vary.
    """
    spec = model.spec
    flat = held_out.flatten(1).double().numpy()
    # what is stored, not a draw from a posterior
    z = model.encode(seen)
    parameters = model.decoded(z, seen).flatten(1).double().numpy()
    restored = _with_probabilities(spec, parameters)
    counted, present = _counted_features(spec, flat)
    if counted is None or present is None:
        return None
    targets = flat[:, counted]
    explained = _part_explained(targets, restored[:, counted], present)
    numbers = _numbers_of_code(model, z)
    by_pca, pca_numbers = _restored_by_pca(spec, rows, seen, flat, numbers)
    pca_explained = _part_explained(targets, by_pca[:, counted], present)
    # the model knows better what counts as active
    if "active_units" in report:
        active = float(report["active_units"])
    elif isinstance(model.code, Discrete):
        active = _codes_in_use(z)
    else:
        variance = targets.var(axis=0).sum()
        moving = _units_that_matter(model, z[:ABLATED], seen[:ABLATED], variance, counted)
        active = float(moving)
    figures: dict[str, Json] = {
        "units": z.shape[1],
        "active": _short_number(active),
        "explained": _rounded(explained),
        "pca_numbers": pca_numbers,
        "pca_explained": _rounded(pca_explained),
        # not "<": what is no number explains nothing
        "dead": bool(active <= 0 or not explained >= LEAST_EXPLAINED),
    }
    if "kl_nats" in report:
        figures["kl_nats"] = report["kl_nats"]
    return figures


def _numbers_of_code(model: Any, z: Tensor) -> int:
    """How many numbers a code has that are not exactly 0, on average over the codes z, (n, latent),
    rounded, 1 at least; of discrete codes all of them. model: an AutoEncoder."""
    if isinstance(model.code, Discrete):
        return z.shape[1]
    # a sparse code stores its zeros for next to nothing
    is_used = z != 0
    used_by_row = is_used.double().sum(dim=1)
    mean_used = float(used_by_row.mean())
    return max(1, round(mean_used))


def _codes_in_use(z: Tensor) -> float:
    """How many of the discrete units of codes z, (n, units), are not the same in all rows."""
    in_use = 0
    for codes in z.T:
        different = torch.unique(codes)
        if len(different) > 1:
            in_use += 1
    return float(in_use)


def _restored_by_pca(
    spec: Spec,
    rows: Tensor,
    seen: Tensor,
    flat: Float,
    numbers: int,
) -> tuple[Float, int]:
    """(held-out rows, (n, features), as PCA of as many numbers as a code has restores them from
    what a model sees of them; how many numbers that are). Features that are not scored stay as they
    are.

    rows: those that PCA is fitted on, (rows, ...); numbers: of the code; seen: what a model sees of
    the held-out rows flat, (n, features).
    """
    # context is told to a model, and restored by none
    scored = np.flatnonzero(spec.owners() >= 0)
    # in float32, as training sees them: principal forms products of features in their own type
    fitted = rows.flatten(1).numpy()[:, scored]
    count = min(numbers, len(scored))
    mean, axes, _ = principal(fitted, count)
    source = seen.flatten(1).double().numpy()[:, scored]
    # a code is the coordinates along the axes
    code = (source - mean) @ axes
    restored = flat.copy()
    restored[:, scored] = mean + code @ axes.T
    return restored, axes.shape[1]


def _counted_features(spec: Spec, flat: Float) -> tuple[Int, Float] | tuple[None, None]:
    """(the indices of the n features that count, (rows, n) 0 where a value is missing, else 1):
    numbers, or if none varies one-hot features; (None, None) if none of these vary either. flat:
    (rows, features)."""
    rows = len(flat)
    numbers = np.array(spec.numeric)
    present = np.ones((rows, len(numbers)))
    gated = np.flatnonzero(spec.gate >= 0)
    # a flag of 1 says that the number is missing
    flags = flat[:, spec.gate[gated]]
    present[:, gated] = 1 - flags
    if _varies(flat[:, numbers] * present):
        return numbers, present
    levels: list[int] = []
    for _, first, width in spec.categories:
        levels += range(first, first + width)
    one_hot = np.array(levels, dtype=np.int64)
    if _varies(flat[:, one_hot]):
        return one_hot, np.ones((rows, len(one_hot)))
    return None, None


def _varies(values: Float) -> bool:
    """Whether any column of values, (rows, n), is not constant; False without rows or columns."""
    # numpy warns of the variance of nothing
    if not values.size:
        return False
    variances = values.var(axis=0)
    return bool(variances.sum() > 0)


def _with_probabilities(spec: Spec, parameters: Float) -> Float:
    """(rows, features): a decoder's output, of the same shape, with the logits of categories turned
    into probabilities; all else stays."""
    restored = parameters.copy()
    for _, first, width in spec.categories:
        block = slice(first, first + width)
        logits = parameters[:, block]
        # the largest taken out, so that no exponential overflows
        largest = logits.max(axis=1, keepdims=True)
        odds = np.exp(logits - largest)
        restored[:, block] = odds / odds.sum(axis=1, keepdims=True)
    return restored


def _part_explained(x: Float, restored: Float, present: Float) -> float:
    """1 - squared error / variance of values x, (rows, n), that were restored; present: (rows, n),
    0 for a value that is not counted, else 1. restored: of the shape of x. At most 1; far below 0
    where values do not vary."""
    rows = np.maximum(present.sum(axis=0), 1)
    mean = (x * present).sum(axis=0) / rows
    variation = (x - mean) ** 2 * present
    error = (x - restored) ** 2 * present
    # a sum of squares: nothing varies where it is 0
    total = max(float(variation.sum()), 1e-12)
    return 1 - float(error.sum()) / total


def _units_that_matter(model: Any, z: Tensor, seen: Tensor, variance: float, counted: Int) -> int:
    """How many units of the codes z, (n, latent), matter: if a unit is replaced by its mean,
    decoded features change by more than MOVES (0.0001) times `variance`, in squares added up over
    features, on the average of rows. seen: what z is the code of; counted: the indices of the
    features that count. model: an AutoEncoder."""
    index = torch.from_numpy(np.asarray(counted))
    least = MOVES * variance

    def restored_by(codes: Tensor) -> Tensor:
        """(n, counted features): what these codes are decoded to."""
        parameters = model.decoded(codes, seen).flatten(1)
        return parameters.index_select(1, index)

    restored = restored_by(z)
    count = 0
    # one unit at a time: all at once would take as many times the memory
    for unit in range(z.shape[1]):
        without_unit = z.clone()
        # the unit tells nothing any more
        without_unit[:, unit] = z[:, unit].mean()
        change = (restored - restored_by(without_unit)).double()
        move = float(change.square().sum(dim=1).mean())
        if move > least:
            count += 1
    return count


def _short_number(value: float) -> Json:
    """A value rounded to two decimals; an int if it is whole."""
    if value == int(value):
        return int(value)
    return round(value, 2)


def _rounded(value: float) -> float:
    """A value rounded to four decimals, for JSON; -1 if it is below -1 or not finite."""
    if math.isfinite(value):
        return round(max(value, -1.0), 4)
    return -1.0
