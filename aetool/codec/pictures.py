"""Pictures of one size to blocks and back, every pixel exactly or within a bound.

They are coded together, bit by bit. Only where the kernel was not built, the reference of the coder
is too slow for many pixels: those of 16 bits are bytes as they are, and others are rows as columns.
Column y of channel c then holds row y of all pictures, one behind the other. It is coded as the
difference to the row above or to the channel before, with the residual to the left as context.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from aetool import kernel
from aetool.codec import blocks, picture_blobs, picture_coding, picture_models, planning
from aetool.codec.blocks import NO_HINTS, Block
from aetool.codec.columns import errors_as_damage, pixels_column, whole_column
from aetool.codec.metas import PixelsMeta
from aetool.codec.picture_contexts import QUICK, THOROUGH, USUAL, Preset
from aetool.codec.picture_models import PictureModel
from aetool.codec.planning import Hints
from aetool.codec.records import Encoded, Words
from aetool.data.images import Pixels
from aetool.errors import ArchiveError

PIXELS = "pixels"  # what errors are told of
MOST_BY_REFERENCE = 1 << 15  # values: more take the reference more than some seconds


def encode(
    pixels: Pixels,
    effort: planning.Effort,
    hints: Hints = NO_HINTS,
    words: Words | None = None,
    model: PictureModel | None = None,
    bound: int = 0,
    filtered: bool = False,
) -> Encoded:
    """Encode pictures, (n, channels, height, width) of uint8 or uint16, not empty, as a block,
    whose errors, if there are any, stand under the name "pixels", in levels, steps of a value.

    effort: how far to search; hints: of the block before, for pictures that become columns. words:
    JSON by name to store beside them, to which their shape is added, in a copy; model: what has
    been learned of other pictures, if the archive may name that model. bound: how many levels off a
    restored value may be at most; 0: exact. filtered: whether restored values are then filtered
    where that is worth its bytes, so that they may be twice as far off, and most are nearer.
    Without the kernel pictures of more than MOST_BY_REFERENCE (2^15) values are exact, whatever the
    bound.
    """
    by_reference = kernel.C is None and pixels.size > MOST_BY_REFERENCE
    if by_reference and pixels.dtype == np.uint8:
        return as_columns(pixels, effort, hints, words)
    if by_reference:
        blob = picture_blobs.squeezed(pixels)
        coded = picture_blobs.Coded(blob, pixels)
    else:
        attempts = []
        for preset in presets_of(effort):
            attempt = picture_blobs.encode(pixels, preset, model, bound, filtered)
            attempts.append(attempt)
        coded = min(attempts, key=lambda attempt: len(attempt.blob))
    # the digest is of the pixels, lowest byte first on every machine
    little_endian = pixels.dtype.newbyteorder("<")
    values = np.ascontiguousarray(coded.restored, little_endian)
    width = pixels.dtype.itemsize
    column = pixels_column(coded.blob, values.tobytes(), width)
    words = dict(words or {})
    words["shape"] = list(pixels.shape[1:])
    count = len(pixels)
    content, payload, next_hints = blocks.encode([column], count, words, effort)
    largest, square = _errors(pixels, coded.restored)
    # without an error there is none to be told
    errors = {PIXELS: largest} if largest else {}
    squares = {PIXELS: square} if square else {}
    return Encoded(
        rows=count,
        content=content,
        payload=payload,
        hints=next_hints,
        errors=errors,
        squares=squares,
    )


def near(pixels: Pixels, restored: Pixels, bound: int) -> bool:
    """Whether restored pictures have the shape and the type of the original ones, in the machine's
    order of bytes, and each value is at most `bound` levels, steps of a value, off. pixels: the
    original ones, (n, channels, height, width)."""
    if restored.shape != pixels.shape:
        return False
    if restored.dtype != pixels.dtype.newbyteorder("="):
        return False
    largest, _ = _errors(pixels, restored)
    return largest <= bound


def _errors(pixels: Pixels, restored: Pixels) -> tuple[float, float]:
    """Measure how far off restored values are: (the largest error, the sum of the squared errors),
    in levels, steps of a value, and squared levels. pixels: the original ones; both (n, channels,
    height, width), each picture with at least one value."""
    if restored is pixels:
        return 0.0, 0.0
    largest = 0
    square = 0
    # picture by picture, as the differences take more room than the pictures
    for before, after in zip(pixels, restored, strict=True):
        off = after.astype(np.int64) - before
        largest_here = int(np.abs(off).max())
        largest = max(largest, largest_here)
        squares = off * off
        square += int(squares.sum())
    return float(largest), float(square)


def presets_of(effort: planning.Effort) -> list[Preset]:
    """The presets, choices of contexts, that an encoder of this effort tries on pictures: QUICK for
    a quick effort; THOROUGH and USUAL, of which it keeps what takes fewer bytes, where the plans of
    the default effort are tried as well (also_usual); else USUAL."""
    if effort.quick:
        return [QUICK]
    if effort.also_usual:
        # few pixels teach many contexts little: the default's preset may well be smaller
        return [THOROUGH, USUAL]
    return [USUAL]


def learn(batches: Iterable[Pixels], values_left: int) -> PictureModel:
    """Train the coders of pictures on batches, (n, channels, height, width) of uint8 or uint16
    each, up to and with the one in which `values_left` values are reached; returns their states,
    rounded as a bundle stores them. Of no batches they have learned nothing."""
    model = picture_models.blank()
    for pictures in batches:
        planes, largest = picture_blobs.planes_to_learn_from(pictures)
        for state in model.states.values():
            # the state learns in place; the code itself is of no use
            picture_coding.encode(planes, largest, state)
        values_left -= pictures.size
        if values_left <= 0:
            break
    # as a reader will have it
    stored = picture_models.to_bytes(model)
    return picture_models.from_bytes(stored, "")


def as_columns(
    pixels: Pixels,
    effort: planning.Effort,
    hints: Hints = NO_HINTS,
    words: Words | None = None,
) -> Encoded:
    """Encode pictures, (n, channels, height, width) of uint8, as a block with a column of numbers,
    of n * width cells, for each row of pixels of each channel: the channels of the first row first.
    effort: how far to search; hints: the plans of the block before; words: JSON by name to store
    beside them, to which their shape is added, in a copy."""
    count, channels, height, width = pixels.shape
    rows = count * width
    # (height, channels, n, width): a row of all pictures is a column of the block
    by_row = pixels.transpose(2, 1, 0, 3)
    flat = by_row.reshape(height * channels, rows)
    coded = [whole_column(row) for row in flat.astype(np.int64)]
    words = dict(words or {})
    words["shape"] = [channels, height, width]
    # the next row of the same channel is so many columns on, and may take over the plan
    content, payload, next_hints = blocks.encode(
        coded,
        rows,
        words,
        effort,
        hints,
        period=channels,
    )
    return Encoded(count, content, payload, next_hints)


@errors_as_damage()
def decode(content: Block, n: int) -> Pixels:
    """The n pictures of a decoded block, whichever way `encode` stored them, as an array that may
    be changed: (n, channels, height, width), uint8 or little-endian uint16. ArchiveError if it does
    not have them."""
    channels, height, width = map(int, content.words["shape"])
    first = content.columns[0]
    if isinstance(first.meta, PixelsMeta):
        dtype: npt.DTypeLike = "<u2" if first.meta.width == 2 else np.uint8
        values = np.frombuffer(first.blobs[0], dtype)
        # a copy: what comes of bytes cannot be written to
        return values.reshape(n, channels, height, width).copy()
    if len(content.columns) != channels * height:
        raise ArchiveError("damaged: a block has not the rows of pixels it claims")
    flat = np.array([column.values for column in content.columns])
    low = flat.min(initial=0)
    high = flat.max(initial=0)
    count_of_values = n * channels * height * width
    if flat.size != count_of_values or low < 0 or high > 255:
        raise ArchiveError("damaged: a block of pictures is out of range")
    by_row = flat.reshape(height, channels, n, width)
    by_picture = by_row.transpose(2, 1, 0, 3)
    return np.ascontiguousarray(by_picture.astype(np.uint8))
