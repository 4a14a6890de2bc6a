"""User units to the features networks see, and the Spec that describes them.

The same map is written as a graph by aetool.graphs; a test holds the two together.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from aetool.data.schema import Schema
from aetool.model import Float, Int, Spec

PIXEL_MEAN, PIXEL_SPREAD = 96.0, 96.0  # one affine map for every picture: 0..255 to about -1..1.7


def table_spec(schema: Schema) -> Spec:
    """The layout of a table's features: numbers, flags of gaps, cycles of dates, one-hot blocks."""
    columns = schema.modelled
    numeric = [i for i, c in enumerate(columns) if c.kind == "number"]
    gapped = [i for i, c in enumerate(columns) if c.gaps and c.kind != "category"]
    flags = [(len(numeric) + j, i) for j, i in enumerate(gapped)]
    flag_of = {column: feature for feature, column in flags}
    at = len(numeric) + len(flags) + 2 * len(cycles_of(schema))
    categories = []
    for i, c in enumerate(columns):
        if c.kind == "category":
            width = len(c.levels) + 1 + c.gaps
            categories.append((i, at, width))
            at += width
    own, given = at, len(told_of(schema))
    at += schema.context * given
    number = [columns[i] for i in numeric]
    return Spec(
        columns=tuple(c.name for c in columns),
        features=at,
        numeric=np.arange(len(numeric)),
        owner=np.array(numeric, dtype=np.int64),
        half=np.array([0.5 * c.resolution / (c.spread * c.deviation) for c in number]),
        spread=np.array([c.deviation for c in number]),
        shift=np.array([c.mean for c in number]),
        curved=np.array([c.curved for c in number], dtype=np.bool_),
        gate=np.array([flag_of.get(i, -1) for i in numeric], dtype=np.int64),
        flags=tuple(flags),
        categories=tuple(categories),
        given=at - own,
    )


def told_of(schema: Schema) -> list[int]:
    """Which features of a row before are given: all but cycles of dates."""
    columns = schema.modelled
    numbers = sum(c.kind == "number" for c in columns)
    flags = sum(c.gaps and c.kind != "category" for c in columns)
    cycles = 2 * len(cycles_of(schema))
    levels = sum(len(c.levels) + 1 + c.gaps for c in columns if c.kind == "category")
    first = numbers + flags + cycles
    return [*range(numbers + flags), *range(first, first + levels)]


def image_spec(shape: tuple[int, int, int]) -> Spec:
    """The layout of pictures (channels, height, width): each pixel is z = (p - 96) / 96."""
    n = int(np.prod(shape))
    return Spec(
        columns=tuple(f"pixel{i}" for i in range(n)),
        features=n,
        numeric=np.arange(n),
        owner=np.arange(n),
        half=np.full(n, 0.5 / PIXEL_SPREAD),
        spread=np.ones(n),
        shift=np.zeros(n),
        curved=np.zeros(n, dtype=np.bool_),
        gate=np.full(n, -1, dtype=np.int64),
        shape=shape,
    )


def table_features(schema: Schema, X: Float) -> npt.NDArray[np.float32]:
    """(rows, inputs) in user units to (rows, features) float32."""
    columns = schema.modelled
    if schema.context:
        alone = dataclasses.replace(schema, context=0)
        rows = [X[:, i : i + len(columns)] for i in range(0, X.shape[1], len(columns))]
        laid = [table_features(alone, row) for row in rows]
        told = told_of(schema)
        return np.concatenate([laid[0], *(row[:, told] for row in laid[1:])], axis=1)
    spec = table_spec(schema)
    out = np.zeros((len(X), spec.features), dtype=np.float32)
    for feature, i in zip(spec.numeric, spec.owner, strict=True):
        z = columns[i].lay(X[:, i])
        out[:, feature] = np.where(np.isnan(z), 0.0, z)
    at = len(spec.numeric)
    for feature, i in spec.flags:
        out[:, feature] = np.isnan(X[:, i])
        at += 1
    pairs = cycles_of(schema)
    for i, period in pairs:
        phase = X[:, i] / period
        turn = np.where(np.isfinite(phase), phase - np.floor(phase), 0.0)
        angle = (2 * np.pi * turn).astype(np.float32)
        out[:, at], out[:, at + len(pairs)] = np.sin(angle), np.cos(angle)
        at += 1
    for i, start, width in spec.categories:
        out[np.arange(len(X)), start + category_index(X[:, i], len(columns[i].levels), width)] = 1
    return out


def cycles_of(schema: Schema) -> list[tuple[int, float]]:
    """(column, period in seconds) of every cycle; features hold all sines, then all cosines."""
    return [(i, p) for i, c in enumerate(schema.modelled) for p in c.cycles]


def category_index(x: Float, levels: int, width: int) -> Int:
    """Position in the one-hot block: a level, then other, then missing (if training saw gaps)."""
    index = np.where(np.isnan(x), width - 1, np.clip(x, 0, levels))
    return index.astype(np.int64)


def image_features(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(rows, C, H, W) bytes to standardised float32 of the same shape."""
    return ((pixels.astype(np.float32) - PIXEL_MEAN) / PIXEL_SPREAD).astype(np.float32)
