"""Pictures of results: contact sheets, maps of codes, maps of columns over a plane of codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from aetool.columns.schema import Schema
from aetool.csv.cells import is_gap_word
from aetool.data import images
from aetool.errors import ParamError
from aetool.files import atomic
from aetool.model import Array, Float, Records
from aetool.spelling import option

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

    from aetool.columns.column import Modelled

MOST_PANELS = 25
MOST_LEVELS = 10
MOST_POINTS = 20_000
OTHERS = "#bbbbbb"  # colour of the points whose text is none of the commonest


def write_sheet(
    target: Path,
    pixels: Records,
    across: int,
    force: bool,
    named_by: str | None = None,
) -> None:
    """Write pictures (n, C, H, W) uint8 side by side, `across` in a row, as a PNG file, small ones
    enlarged. named_by: the option that names target, if not -o. DataError if there is a file,
    unless `force`."""
    with atomic(target, force, named_by=named_by) as file:
        file.write(images.contact_sheet(pixels, across))


def scatter(
    file: BinaryIO,
    z: Float,
    axes: tuple[str, str],
    label: str,
    values: Sequence[object],
) -> None:
    """Draw points z, (rows, 2), and write them to an open file as a PNG, coloured by values, one
    for each point or none at all: numbers by a scale from their first to their last hundredth,
    texts (and numbers of few values) by their MOST_LEVELS (10) commonest; None and words of missing
    values are gaps. Of more than MOST_POINTS (20,000) rows as many are drawn, evenly spread. axes:
    the words beside the axes (across, up), for z[:, 0] and z[:, 1]; label: what the values are.
    ParamError without matplotlib."""
    figure, panels = _figure(1, 7.0)
    panel = panels[0]
    # evenly spread over the rows, so that no part of the source is left out
    count = min(len(z), MOST_POINTS)
    shown_rows = np.linspace(0, len(z) - 1, count).astype(np.int64)
    z = z[shown_rows]
    numbers = _numbers(values)
    if not len(values):
        _draw_points(panel, z, color="#0072b2")
    elif numbers is not None:
        shown_numbers = numbers[shown_rows]
        # the outermost hundredths would leave one colour for all others
        low, high = np.nanpercentile(shown_numbers, [1, 99])
        dots = _draw_points(
            panel,
            z,
            c=shown_numbers,
            cmap="viridis",
            vmin=low,
            vmax=high,
            plotnonfinite=True,
        )
        figure.colorbar(dots, ax=panel, label=label)
    else:
        texts = np.array(["" if value is None else str(value) for value in values])
        _draw_by_text(panel, z, texts[shown_rows])
        panel.legend(title=label, markerscale=2.5, fontsize=8, loc="best")
    across, up = axes
    panel.set_xlabel(across)
    panel.set_ylabel(up)
    _save(figure, file)


def _draw_points(panel: Axes, z: Float, **look: Any) -> PathCollection:
    """Draw points z, (rows, 2), as dots without outlines. look: further arguments of matplotlib's
    scatter, such as color or label. Returns what was drawn."""
    return panel.scatter(z[:, 0], z[:, 1], s=9, linewidths=0, alpha=0.7, **look)


def _draw_by_text(panel: Axes, z: Float, texts: npt.NDArray[np.str_]) -> None:
    """Draw points z, (rows, 2), in a colour for each of the commonest texts, (rows,), and in gray
    for all others; each colour has its text, or "(missing)" for "", as label. At most MOST_LEVELS
    (10) texts have a colour."""
    names, counts = np.unique(texts, return_counts=True)
    # stable: of equally common ones the first in the alphabet
    commonest_first = names[np.argsort(-counts, kind="stable")]
    common = commonest_first[:MOST_LEVELS].tolist()
    is_other = ~np.isin(texts, common)
    if is_other.any():
        _draw_points(panel, z[is_other], color=OTHERS, label="others")
    for number, name in enumerate(sorted(common)):
        points = z[texts == name]
        _draw_points(panel, points, color=f"C{number}", label=name or "(missing)")


def _numbers(values: Sequence[object]) -> Float | None:
    """The values as numbers, (n,) float64, NaN for None and words of missing values; None if one is
    no number, or at most MOST_LEVELS (10) different ones are finite."""
    numbers = np.full(len(values), np.nan)
    for place, value in enumerate(values):
        if value is None or _is_gap(value):
            continue
        try:
            numbers[place] = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return None
    finite = numbers[np.isfinite(numbers)]
    if len(np.unique(finite)) > MOST_LEVELS:
        return numbers
    return None


def _is_gap(value: object) -> bool:
    """Whether a value is a text that stands for a missing one, such as NA."""
    return isinstance(value, str) and is_gap_word(value)


def maps(file: BinaryIO, schema: Schema, x: Float, z: Float, side: int) -> None:
    """Draw each of the first MOST_PANELS (25) columns that a model predicts as a panel that shows
    its value over a plane of codes, and write all as a PNG. Levels take turns with ten colours, of
    which a legend names the first four.

    schema: of the model's columns, those of x. x: (side * side, columns) records, levels of words
    as numbers, z: (side * side, 2) their codes (across, up), row by row of a grid from the top
    down: the codes of a row have one place up, and every row has the same places across. ParamError
    without matplotlib, and for a model that predicts no column.
    """
    predicted = [place for place, column in enumerate(schema.modelled) if column.predicted]
    if not predicted:
        names = ", ".join(column.name for column in schema.modelled) or "none"
        raise ParamError(
            f"a map shows the columns that a model predicts, and of its columns ({names}) it "
            "predicts none: fit it with others"
        )
    shown_places = predicted[:MOST_PANELS]
    figure, panels = _figure(len(shown_places), 2.6)
    # the codes are a grid: its first row has all places across, each row begins with its own up
    across = z[:side, 0]
    up = z[::side, 1]
    for panel, place in zip(panels, shown_places, strict=False):
        column = schema.modelled[place]
        values = x[:, place].reshape(side, side)
        if column.measured:
            colours = panel.pcolormesh(across, up, values, cmap="viridis")
            figure.colorbar(colours, ax=panel)
        else:
            panel.pcolormesh(across, up, values % 10, cmap="tab10", vmin=0, vmax=9)
            _add_legend(panel, column, values)
        panel.set_title(column.name, fontsize=9)
    for unused in panels[len(shown_places) :]:
        unused.axis("off")
    _save(figure, file)


def _add_legend(panel: Axes, column: Modelled, values: Float) -> None:
    """Say which colours stand for the first four levels among these values of a column of words.
    values: the indices of levels, from 0, of any shape; NaN, a gap, has no entry."""
    known = values[~np.isnan(values)]
    levels = sorted({int(level) for level in known})
    for level in levels[:4]:
        # a legend names what is drawn: a set of no points in the level's colour
        panel.scatter([], [], color=f"C{level % 10}", label=column.show(level))
    panel.legend(fontsize=6, loc="best")


def plane(z: Float) -> tuple[Float, tuple[str, str]]:
    """Bring codes, (rows, latent) floats, to two dimensions: ((rows, 2) points, the names of both
    axes). The points are the codes themselves if these have two numbers, else their first two
    principal components, told by the first 80,000 rows. ParamError for a code of one number."""
    if z.shape[1] == 2:
        return z, ("z0", "z1")
    if z.shape[1] < 2:
        raise ParamError(
            f"{option('--plot')} needs a code of two numbers or more: fit with "
            f"{option('-O ')}latent=2"
        )
    centred = z - z.mean(axis=0)
    # of many rows the first tell the axes, too
    sample = centred[: 4 * MOST_POINTS]
    _, _, axes = np.linalg.svd(sample, full_matrices=False)
    names = ("first component of the code", "second component of the code")
    return centred @ axes[:2].T, names


def _figure(panels: int, size: float) -> tuple[Figure, Array]:
    """Create a figure for a number of panels in rows: (the figure, its axes as an array (n,), row
    by row, some of the last not needed). panels: 1 or more; size: inches of a panel's height.
    ParamError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ParamError(
            "a plot needs matplotlib, which is not installed; run: pip install 'aetool[plot]'"
        ) from None
    across = int(np.ceil(np.sqrt(panels)))
    # rounded up: the last row may not be full
    down = -(-panels // across)
    # wider than high, as a scale of colours stands beside
    width = size * 1.15 * across
    height = size * down
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False)
    return figure, axes.ravel()


def _save(figure: Figure, file: BinaryIO) -> None:
    """Write a figure to an open file as a PNG of 110 dots per inch, without the name of the
    program, which changes with its version."""
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
