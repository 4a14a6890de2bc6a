"""Heat maps of pictures: what each pixel ordinarily costs, learned, stored in a bundle, and
subtracted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aetool.bundle import MAPS, Bundle
from aetool.codec.packing import errors_as_damage, packed, unpacked
from aetool.detection import maps
from aetool.detection.maps import PixelCalibration
from aetool.errors import DataError

if TYPE_CHECKING:
    from aetool.graphs import Graph

MOST_BLUR = 4096.0  # pixels: as many as a picture's side has at most
MEANING = (
    "multiples of the pixel threshold, (batch, height, width): 0 is what a pixel ordinarily has, "
    "and 1 what about one in 1,000 pixels of ordinary pictures exceed"
)


def learned(parts: maps.Parts, shape: tuple[int, int, int]) -> bytes:
    """The bytes of a bundle's table of ordinary pixel costs, from the parts, (n, pixels + 1), of
    held-out pictures (what each pixel costs, in the unit of the score, and last what belongs to
    none). shape: (channels, height, width)."""
    pixels = PixelCalibration.of(parts, *shape[1:])
    arrays = {
        "usual": np.float32(pixels.usual),
        "scale": np.float32(pixels.scale),
    }
    words = {
        "deviation": pixels.deviation,
        "peak": pixels.peak,
    }
    return packed(arrays, words)


def pixels_of(model: Bundle) -> PixelCalibration:
    """The ordinary cost of each pixel by a model of pictures; for a model fitted before heat maps
    were calibrated, the medians of its parts. DataError for a model of tables; BundleError where
    the stored values are not valid."""
    if model.shape is None:
        raise DataError(f"{model.name}: is of tables, and only pictures have maps")
    shape = model.shape[1:]
    if MAPS not in model.graphs:
        return PixelCalibration.of_medians(model.calibration.typical, *shape)
    with errors_as_damage(f"{model.name}: {MAPS}"):
        arrays, words = unpacked(model.graphs[MAPS])
        usual = arrays["usual"].astype(np.float64)
        scale = arrays["scale"].astype(np.float64)
        deviation = float(words["deviation"])
        # models of earlier versions do not have it
        peak = float(words.get("peak", 1.0))
        if usual.shape != shape or scale.shape != shape:
            raise ValueError("maps")
        if not 0 < deviation <= MOST_BLUR:
            raise ValueError("maps")
        if not 1 <= peak < np.inf:
            raise ValueError("maps")
        # a comparison with NaN is false
        sane = np.isfinite(usual) & (scale > 0) & (scale < np.inf)
        if not sane.all():
            raise ValueError("maps")
        return PixelCalibration(usual, scale, deviation, peak)


def write(g: Graph, parts: str, pixels: PixelCalibration, dtype: npt.DTypeLike) -> str:
    """Add to graph g the nodes that turn parts, (B, pixels + 1), into heat maps, as
    PixelCalibration.maps does (blurred, less the usual cost, over the scale); returns their name:
    (B, height, width), multiples of the pixel threshold. parts: their name; dtype: the type of the
    parts."""
    height, width = pixels.shape
    flat = g.columns_between(parts, 0, height * width)
    amounts = g.op("Reshape", flat, g.const([-1, height, width], np.int64))
    down = g.const(maps.kernel(height, pixels.deviation), dtype)
    across = g.const(maps.kernel(width, pixels.deviation).T, dtype)
    blurred_down = g.op("MatMul", down, amounts)
    blurred = g.op("MatMul", blurred_down, across)
    usual = g.const(pixels.usual, dtype)
    scale = g.const(pixels.scale, dtype)
    above = g.op("Sub", blurred, usual)
    return g.op("Div", above, scale)
