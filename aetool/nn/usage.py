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
    """Figures, by name, of whether and how a trained network uses its code.

    units: numbers in the code. active: how many of them are in use (of a sparse code, of a row
    on average), by the model's own report if that has active_units. kl_nats: from the report.
    explained: 1 - squared error / variance of the numbers (pixels) of held_out, gaps left out, all
    columns together, each in its standard deviations; without numbers, of one-hot features.
    pca_numbers, pca_explained: the same for PCA of rows with as many numbers as a code has that are
    not exactly 0, on average. dead: whether no unit is active or next to nothing is explained.

    rows, held_out: (n, ...) as the model takes them; seen: what it sees of held_out. None where
    held-out rows do not vary.
    """
    spec = model.spec
    flat = held_out.flatten(1).double().numpy()
    # what is stored, not a draw from a posterior
    z = model.encode(seen)
    likely = model.decoded(z, seen).flatten(1).double().numpy()
    restored = _restored(spec, likely)
    where, there = _counted(spec, flat)
    if where is None or there is None:
        return None
    wanted = flat[:, where]
    explained = _explained(wanted, restored[:, where], there)
    numbers = _numbers_of_code(model, z)
    by_pca, pca_numbers = _restored_by_pca(spec, rows, seen, flat, numbers)
    pca_explained = _explained(wanted, by_pca[:, where], there)
    # the model knows better what counts as active
    if "active_units" in report:
        active = float(report["active_units"])
    elif isinstance(model.code, Discrete):
        active = _codes_in_use(z)
    else:
        variance = wanted.var(axis=0).sum()
        moving = _moving(model, z[:ABLATED], seen[:ABLATED], variance, where)
        active = float(moving)
    figures: dict[str, Json] = {
        "units": z.shape[1],
        "active": _without_zeros(active),
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
    """How many numbers a code has that are not exactly 0, on average over the codes z, (n, latent);
    of discrete codes all of them."""
    if isinstance(model.code, Discrete):
        return z.shape[1]
    # a sparse code stores its zeros for next to nothing
    is_used = z != 0
    used = is_used.double().sum(dim=1)
    return max(1, round(float(used.mean())))


def _codes_in_use(z: Tensor) -> float:
    """How many of the discrete units of codes z, (n, units), are not the same in all rows."""
    in_use = 0
    for codes in z.T:
        if len(torch.unique(codes)) > 1:
            in_use += 1
    return float(in_use)


def _restored_by_pca(
    spec: Spec,
    rows: Tensor,
    seen: Tensor,
    flat: Float,
    numbers: int,
) -> tuple[Float, int]:
    """(held-out rows, (n, features), as PCA of as many numbers as a code has restores them; how
    many numbers that are).

    rows: those that PCA is fitted on; seen: what a model sees of the held-out rows flat, (n,
    features).
    """
    # context is told to a model, and restored by none
    scored = np.flatnonzero(spec.owners() >= 0)
    # in float32, as training sees them: principal forms products of features in their own type
    fitted = rows.flatten(1).numpy()[:, scored]
    mean, axes, _ = principal(fitted, min(numbers, len(scored)))
    source = seen.flatten(1).double().numpy()[:, scored]
    restored = flat.copy()
    restored[:, scored] = mean + (source - mean) @ axes @ axes.T
    return restored, axes.shape[1]


def _counted(spec: Spec, flat: Float) -> tuple[Int, Float] | tuple[None, None]:
    """(the indices of the n features that count, (rows, n) 0 where a value is missing, else 1):
    numbers, or if none varies one-hot features; (None, None) if none of these vary either."""
    numbers = np.array(spec.numeric)
    there = np.ones((len(flat), len(numbers)))
    gated = np.flatnonzero(spec.gate >= 0)
    # a flag of 1 says that the number is missing
    there[:, gated] = 1 - flat[:, spec.gate[gated]]
    if _varies(flat[:, numbers] * there):
        return numbers, there
    levels: list[int] = []
    for _, first, width in spec.categories:
        levels += range(first, first + width)
    places = np.array(levels, dtype=np.int64)
    if _varies(flat[:, places]):
        return places, np.ones((len(flat), len(places)))
    return None, None


def _varies(values: Float) -> bool:
    """Whether any column of values, (rows, n), is not constant."""
    # numpy warns of the variance of nothing
    if not values.size:
        return False
    variances = values.var(axis=0)
    return bool(variances.sum() > 0)


def _restored(spec: Spec, likely: Float) -> Float:
    """(rows, features): a decoder's output, likely, with the logits of categories turned into
    probabilities; all else stays."""
    out = likely.copy()
    for _, first, width in spec.categories:
        block = slice(first, first + width)
        logits = likely[:, block]
        # the largest taken out, so that no exponential overflows
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        out[:, block] = odds / odds.sum(axis=1, keepdims=True)
    return out


def _explained(x: Float, restored: Float, there: Float) -> float:
    """1 - squared error / variance of values x, (rows, n), that were restored; there: (rows, n), 0
    for a value that is not counted, else 1."""
    rows = np.maximum(there.sum(axis=0), 1)
    mean = (x * there).sum(axis=0) / rows
    total = float(((x - mean) ** 2 * there).sum())
    error = float(((x - restored) ** 2 * there).sum())
    return 1 - error / max(total, 1e-12)


def _moving(model: Any, z: Tensor, seen: Tensor, variance: float, where: Int) -> int:
    """How many units of the codes z, (n, latent), matter: if a unit is replaced by its mean,
    decoded features change by more than MOVES times `variance`. seen: what z is the code of; where:
    the indices of the features that count."""
    places = torch.from_numpy(np.asarray(where))
    least = MOVES * variance
    # one unit at a time: all at once would take as many times the memory
    restored = model.decoded(z, seen).flatten(1).index_select(1, places)
    count = 0
    for unit in range(z.shape[1]):
        other = z.clone()
        # the unit tells nothing any more
        other[:, unit] = z[:, unit].mean()
        changed = model.decoded(other, seen).flatten(1).index_select(1, places)
        off = (restored - changed).double()
        move = float(off.square().sum(dim=1).mean())
        if move > least:
            count += 1
    return count


def _without_zeros(value: float) -> Json:
    """A value rounded to two decimals; an int if it is whole."""
    if value == int(value):
        return int(value)
    return round(value, 2)


def _rounded(value: float) -> float:
    """A value rounded to four decimals; -1 if it is below -1 or not finite."""
    if math.isfinite(value):
        return round(max(value, -1.0), 4)
    return -1.0
