"""What is said of a bound in percent of a range that one value far out has made large."""

from __future__ import annotations

from collections.abc import Mapping

from aetool.archives.beginning import Beginning
from aetool.canonical import Json
from aetool.columns.number import Number
from aetool.spelling import in_shell, option

MOST_NAMED = 3  # columns in the line
QUARTILES = (0.25, 0.75)


def of_ranges(
    beginning: Beginning,
    bounds_asked: Mapping[str, str],
    errors: Mapping[str, Json],
) -> list[str]:
    """A list of one line that names the columns of numbers that have a bound in percent and whose
    largest error is above the distance from their lower to their upper quartile, as a few values
    have made their range large, with what to do; [] without such columns. Columns in which that
    distance is 0 are left out, and those bounded in their own unit.

    beginning: what the first records of the table say of its columns; bounds_asked: the bounds that
    were asked for, as text, by column, "" for all others; errors: the archive's, by column label
    {"largest": error}.
    """
    header_names = beginning.header_names()
    labels = beginning.labels()
    coarse: dict[str, str] = {}
    for column in beginning.schema.columns:
        if not isinstance(column, Number):
            continue
        # "" stands for all columns that are not named
        bound = bounds_asked.get(header_names[column.name]) or bounds_asked.get("", "")
        # a bound in the column's unit was chosen by its values
        if not bound.endswith("%"):
            continue
        moved = errors.get(labels[column.name], {}).get("largest", 0)
        # where half of the numbers are one, nothing is told by how far apart they are
        if 0 < _spread_of_middle(column) < moved:
            coarse[column.name] = bound
    if not coarse:
        return []
    # the advice names the first of them as an example
    first, bound = next(iter(coarse.items()))
    listed = ", ".join([*coarse][:MOST_NAMED])
    more = len(coarse) - MOST_NAMED
    if more > 0:
        listed += f" and {more} more column{'s' if more > 1 else ''}"
    in_units = f"{option('--max-error')} {first}=..."
    if not in_shell():
        in_units = f"max_error={{'{first}': ...}}"
    return [
        f"{listed}: {bound} of the range is more than the middle half of the numbers spans, so "
        "that few of them still differ: a value far out makes the range that large; give a bound "
        f"in units: {in_units}"
    ]


def _spread_of_middle(column: Number) -> float:
    """The distance from the lower to the upper quartile of the numbers that are known of a column;
    0 where none is."""
    lower, upper = map(column.quantile, QUARTILES)
    if lower is None or upper is None:
        return 0.0
    return upper - lower
