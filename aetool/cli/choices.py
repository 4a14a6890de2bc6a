"""What compress says of an archive that it chose by its error or by its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aetool.canonical import Json

# ways to store records, in words
WAYS = {"exact": "exact", "bounded": "bounded", "code": "the model's code"}


def in_words(figures: Mapping[str, Json]) -> str:
    """The line that says which kind of archive a goal of error or bytes led to, its error, and the
    sizes of the other kinds. figures: what compress returned for a goal."""
    relative_error = figures["rmse_of_deviation"]
    description = "nothing is lost"
    if relative_error:
        description = f"error {100 * relative_error:.3g} % of a standard deviation"
    if "psnr_db" in figures:
        description += f", PSNR {figures['psnr_db']:.1f} dB"
    taken = figures["taken"]
    other_ways = []
    # what was not chosen says what the choice saves
    for other_way, size in figures["prices"].items():
        if other_way != taken:
            other_ways.append(f"{WAYS[other_way]} {size:,} bytes")
    beside = f" ({'; '.join(other_ways)})" if other_ways else ""
    return f"chosen: {WAYS[taken]}, {description}{beside}"
