"""Pictures of one size to blocks and back, every pixel exactly: rows of pixels as columns.

Column y of channel c holds row y of all pictures, one behind the other. It is coded as the
difference to the row above or to the channel before, with the residual to the left as context.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aetool.codec import blocks, planning
from aetool.codec.blocks import NO_HINTS, Block
from aetool.codec.columns import sensible, whole_column
from aetool.codec.planning import Hints
from aetool.codec.records import Encoded
from aetool.data.images import Pixels
from aetool.errors import ArchiveError


def encode(
    pixels: Pixels, effort: planning.Effort, hints: Hints = NO_HINTS, words: Any = None
) -> Encoded:
    """A block of pictures (n, C, H, W) uint8; words: more to store."""
    n, channels, height, width = pixels.shape
    flat = pixels.transpose(2, 1, 0, 3).reshape(height * channels, n * width).astype(np.int64)
    coded = [whole_column(row) for row in flat]
    words = {**(words or {}), "shape": [channels, height, width]}
    content, payload, after = blocks.encode(coded, n * width, words, effort, hints, period=channels)
    return Encoded(n, content, payload, after)


@sensible()
def decode(content: Block, n: int) -> Pixels:
    """The n pictures of a block."""
    channels, height, width = (int(v) for v in content.words["shape"])
    if len(content.columns) != channels * height:
        raise ArchiveError("damaged: a block has not the rows of pixels it claims")
    flat: Any = np.array([c.values for c in content.columns])
    if (
        flat.size != n * channels * height * width
        or flat.min(initial=0) < 0
        or flat.max(initial=0) > 255
    ):
        raise ArchiveError("damaged: a block of pictures is out of range")
    return np.ascontiguousarray(
        flat.reshape(height, channels, n, width).transpose(2, 1, 0, 3).astype(np.uint8)
    )
