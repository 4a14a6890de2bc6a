"""Pictures as features for networks: standardised pixels, and the Spec that describes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aetool.model import Spec

PIXEL_MEAN, PIXEL_SPREAD = 96.0, 96.0  # one affine map for every picture: 0..255 to about -1..1.7


def image_spec(shape: tuple[int, int, int]) -> Spec:
    """The Spec, a description of a model's input, of pictures of this shape, (channels, height,
    width), in which a value p, 0 to 255, becomes the feature z = (p - 96) / 96.

    A pixel is a column, pixel0, pixel1 ... row by row, whatever its channels: what a picture costs
    by column is a map of it.
    """
    # features lie channel by channel, and in each row by row
    channels, height, width = shape
    n = channels * height * width
    return Spec(
        columns=tuple(f"pixel{i}" for i in range(height * width)),
        features=n,
        numeric=np.arange(n),
        owner=np.tile(np.arange(height * width), channels),
        half=np.full(n, 0.5 / PIXEL_SPREAD),
        deviation=np.ones(n),
        mean=np.zeros(n),
        curved=np.zeros(n, dtype=np.bool_),
        gate=np.full(n, -1, dtype=np.int64),
        zero=np.full(n, -PIXEL_MEAN / PIXEL_SPREAD),
        shape=shape,
    )


def image_features(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The pixels, (rows, channels, height, width) uint8, standardised as image_spec says: float32,
    of the same shape, -1 to about 1.66."""
    return ((pixels.astype(np.float32) - PIXEL_MEAN) / PIXEL_SPREAD).astype(np.float32)
