"""Made-up records of any layout, so that a dry run judges the code and not the data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aetool.model import Spec

DARKEST, BRIGHTEST = -1.0, 1.65  # of a pixel, as a network sees it
GAP_RATE = 0.2  # part of the values that are missing, where any may be


def records(spec: Spec, rows: int, seed: int) -> npt.NDArray[np.float32]:
    """Random rows in the layout of a spec, (rows, features) float32, or (rows, C, H, W): normal
    numbers, a fifth of them missing where any may be, and levels of categories; pixels evenly from
    -1 to 1.65."""
    rng = np.random.default_rng(seed)
    if spec.shape is not None:
        pictures = rng.uniform(DARKEST, BRIGHTEST, (rows, *spec.shape))
        return pictures.astype(np.float32)
    # what is neither number, flag nor level is context: sines, cosines, and the rows before
    laid_out = rng.uniform(-1.0, 1.0, (rows, spec.features))
    numbers = rng.standard_normal((rows, len(spec.numeric)))
    laid_out[:, spec.numeric] = numbers
    for feature, _ in spec.flags:
        is_missing = rng.random(rows) < GAP_RATE
        laid_out[:, feature] = is_missing
    # a number that is missing is laid out as 0
    for feature, flag in zip(spec.numeric, spec.gate, strict=True):
        if flag >= 0:
            is_present = laid_out[:, flag] == 0
            laid_out[:, feature] *= is_present
    for _, first, width in spec.categories:
        level = rng.integers(0, width, rows)
        block = slice(first, first + width)
        # row i of the identity has its 1 at place i
        one_hot_of_level = np.eye(width)
        laid_out[:, block] = one_hot_of_level[level]
    return laid_out.astype(np.float32)
