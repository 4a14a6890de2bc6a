"""Pictures of results: contact sheets, maps of codes, maps of columns over a plane of codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from aetool.columns.schema import Schema
from aetool.csv.cells import is_gap_word
from aetool.data import images
from aetool.errors import ParamError
from aetool.files import atomic
from aetool.model import Array, Float, Records
from aetool.spelling import option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS, MOST_LEVELS, MOST_POINTS = 25, 10, 20_000


def write_sheet(target: Path, pixels: Records, across: int, force: bool) -> None:
    """Write pictures (n, C, H, W) uint8 side by side, `across` in a row, as a PNG file."""
    with atomic(target, force) as file:
        file.write(images.contact_sheet(pixels, across))


def scatter(
    file: BinaryIO,
    z: Float,
    axes: tuple[str, str],
    label: str,
    values: Sequence[object],
) -> None:
    """A PNG of points z, (rows, 2), coloured by values, one for each or none at all: numbers by a
    scale, texts (and numbers of few values) by their ten commonest."""
    figure, plot = _figure(1, 7.0)
    place = plot[0]
    keep = np.linspace(0, len(z) - 1, min(len(z), MOST_POINTS)).astype(np.int64)
    z = z[keep]
    look: dict[str, Any] = {"s": 9, "linewidths": 0, "alpha": 0.7}
    shown = _numbers(values)
    if not len(values):
        place.scatter(z[:, 0], z[:, 1], color="#0072b2", **look)
    elif shown is not None:
        shown = shown[keep]
        low, high = np.nanpercentile(shown, [1, 99])
        dots = place.scatter(
            z[:, 0], z[:, 1], c=shown, cmap="viridis", vmin=low, vmax=high,
            plotnonfinite=True, **look,
        )  # fmt: skip
        figure.colorbar(dots, ax=place, label=label)
    else:
        texts = np.array(["" if v is None else str(v) for v in values])[keep]
        names, counts = np.unique(texts, return_counts=True)
        common = names[np.argsort(-counts, kind="stable")][:MOST_LEVELS].tolist()
        rest = ~np.isin(texts, common)
        if rest.any():
            place.scatter(*z[rest].T, color="#bbbbbb", label="others", **look)
        for i, name in enumerate(sorted(common)):
            place.scatter(*z[texts == name].T, color=f"C{i}", label=name or "(missing)", **look)
        place.legend(title=label, markerscale=2.5, fontsize=8, loc="best")
    place.set_xlabel(axes[0])
    place.set_ylabel(axes[1])
    _save(figure, file)


def _numbers(values: Sequence[object]) -> Float | None:
    """The values as numbers, if they are numbers and have more than ten different values; else
    None."""
    try:
        numbers = [math.nan if v is None or _is_gap(v) else float(v) for v in values]  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    shown = np.array(numbers, dtype=np.float64)
    if len(np.unique(shown[np.isfinite(shown)])) > MOST_LEVELS:
        return shown
    return None


def _is_gap(value: object) -> bool:
    return isinstance(value, str) and is_gap_word(value)


def maps(file: BinaryIO, schema: Schema, x: Float, z: Float, side: int) -> None:
    """A PNG of one panel for each of the first columns: its value over a plane of codes.

    x: (side x side, columns) records, z: (side x side, 2) their codes, from the top down."""
    shown = [(i, c) for i, c in enumerate(schema.modelled) if c.predicted]
    shown = shown[:MOST_PANELS]
    figure, places = _figure(len(shown), 2.6)
    across = z[:side, 0]
    up = z[::side, 1]
    for place, (i, column) in zip(places, shown, strict=False):
        values = x[:, i].reshape(side, side)
        if column.measured:
            dots = place.pcolormesh(across, up, values, cmap="viridis")
            figure.colorbar(dots, ax=place)
        else:
            place.pcolormesh(across, up, values % 10, cmap="tab10", vmin=0, vmax=9)
            levels = sorted({int(v) for v in values.ravel() if v == v})
            for k in levels[:4]:
                place.scatter([], [], color=f"C{k % 10}", label=column.show(k))
            place.legend(fontsize=6, loc="best")
        place.set_title(column.name, fontsize=9)
    for place in places[len(shown) :]:
        place.axis("off")
    _save(figure, file)


def plane(z: Float) -> tuple[Float, tuple[str, str]]:
    """(rows, 2) of codes (rows, latent), and the names of the axes: the code itself if it has two
    numbers, else its first two principal components."""
    if z.shape[1] == 2:
        return z, ("z0", "z1")
    if z.shape[1] < 2:
        raise ParamError(
            f"{option('--plot')} needs a code of two numbers or more: fit with "
            f"{option('-O ')}latent=2"
        )
    centred = z - z.mean(axis=0)
    _, _, axes = np.linalg.svd(centred[: 4 * MOST_POINTS], full_matrices=False)
    both = ("first component of the code", "second component of the code")
    return centred @ axes[:2].T, both


def _figure(panels: int, size: float) -> tuple[Figure, Array]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ParamError(
            "a plot needs matplotlib, which is not installed; run: pip install 'aetool[plot]'"
        ) from None
    across = int(np.ceil(np.sqrt(panels)))
    down = -(-panels // across)
    figure = Figure(figsize=(size * 1.15 * across, size * down), layout="constrained")
    return figure, figure.subplots(down, across, squeeze=False).ravel()


def _save(figure: Figure, file: BinaryIO) -> None:
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
