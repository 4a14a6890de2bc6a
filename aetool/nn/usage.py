"""How well a trained code is used: what it explains of rows that were not fitted, beside PCA."""

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
    restored = _restored(spec, model.decoded(z, seen).flatten(1).double().numpy())
    where, there = _counted(spec, flat)
    if where is None or there is None:
        return None
    explained = _explained(flat[:, where], restored[:, where], there)
    discrete = isinstance(model.code, Discrete)
    units = z.shape[1]
    numbers = units if discrete else max(1, round(float((z != 0).double().sum(dim=1).mean())))
    # context is told to a model, and restored by none
    scored = np.flatnonzero(spec.owners() >= 0)
    mean, axes, _ = principal(rows.flatten(1).numpy()[:, scored], min(numbers, len(scored)))
    source = seen.flatten(1).double().numpy()[:, scored]
    # PCA of as many numbers as the code has, on the same features
    by_pca = flat.copy()
    by_pca[:, scored] = mean + (source - mean) @ axes @ axes.T
    pca_explained = _explained(flat[:, where], by_pca[:, where], there)
    # the model knows better what counts as active
    if "active_units" in report:
        active = float(report["active_units"])
    elif discrete:
        active = float(sum(len(torch.unique(codes)) > 1 for codes in z.T))
    else:
        variance = flat[:, where].var(axis=0).sum()
        active = float(_moving(model, z[:ABLATED], seen[:ABLATED], variance, where))
    found: dict[str, Json] = {
        "units": units, "active": int(active) if active == int(active) else round(active, 2),
        "explained": _rounded(explained), "pca_numbers": axes.shape[1],
        "pca_explained": _rounded(pca_explained),
        "dead": bool(active <= 0 or not explained >= LEAST_EXPLAINED),
    }  # fmt: skip
    if "kl_nats" in report:
        found["kl_nats"] = report["kl_nats"]
    return found


def _counted(spec: Spec, flat: Float) -> tuple[Int, Float] | tuple[None, None]:
    """(the indices of the n features that count, (rows, n) 0 where a value is missing, else 1):
    numbers, or if none varies one-hot features; (None, None) if none of these vary either."""
    numbers = np.array(spec.numeric)
    there = np.ones((len(flat), len(numbers)))
    gated = np.flatnonzero(spec.gate >= 0)
    # a flag of 1 says that the number is missing
    there[:, gated] = 1 - flat[:, spec.gate[gated]]
    if len(numbers) and (flat[:, numbers] * there).var(axis=0).sum() > 0:
        return numbers, there
    levels = [np.arange(first, first + width) for _, first, width in spec.categories]
    places = np.concatenate(levels) if levels else np.zeros(0, np.int64)
    if len(places) and flat[:, places].var(axis=0).sum() > 0:
        return places, np.ones((len(flat), len(places)))
    return None, None


def _restored(spec: Spec, likely: Float) -> Float:
    """(rows, features): a decoder's output, likely, with the logits of categories turned into
    probabilities; all else stays."""
    out = likely.copy()
    for _, first, width in spec.categories:
        logits = likely[:, first : first + width]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        out[:, first : first + width] = odds / odds.sum(axis=1, keepdims=True)
    return out


def _explained(x: Float, restored: Float, there: Float) -> float:
    mean = (x * there).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    total = float(((x - mean) ** 2 * there).sum())
    return 1 - float(((x - restored) ** 2 * there).sum()) / max(total, 1e-12)


def _moving(model: Any, z: Tensor, seen: Tensor, variance: float, where: Int) -> int:
    """How many units of the codes z, (n, latent), matter: if a unit is replaced by its mean,
    decoded features change by more than MOVES times `variance`. seen: what z is the code of; where:
    the indices of the features that count."""
    places = torch.from_numpy(np.asarray(where))
    restored = model.decoded(z, seen).flatten(1).index_select(1, places)
    count = 0
    for unit in range(z.shape[1]):
        other = z.clone()
        # the unit tells nothing any more
        other[:, unit] = z[:, unit].mean()
        off = restored - model.decoded(other, seen).flatten(1).index_select(1, places)
        count += float(off.double().square().sum(dim=1).mean()) > MOVES * variance
    return count


def _rounded(value: float) -> float:
    """A value rounded to four decimals; -1 if it is below -1 or not finite."""
    if math.isfinite(value):
        return round(max(value, -1.0), 4)
    return -1.0
