"""Where and how a picture is odd, in plain words."""

from __future__ import annotations

import numpy as np

from aetool.detection.reasons import NOTHING, TOGETHER
from aetool.detection.regions import Box
from aetool.model import Array, Float

Values = Array  # (channels, height, width), 0 to 255
# gray levels, of 255, by which what is there must differ from what was expected to be said to
DIFFERENT = 8.0
PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "middle", "right"),
    ("lower left", "bottom", "lower right"),
)
COLOURS = ("red", "green", "blue")
SPREAD = "spread over the whole picture"


def line(
    box: Box | None,
    excess: Float,
    picture: Values,
    expected: Values | None,
    is_odd_as_a_whole: bool,
) -> str:
    """One line of words on a picture: where it costs most beyond the usual, which part of the
    excess is there, and how the pixels there differ from the expected ones.

    box: around the worst region; None if no pixel is above the usual: then the line is "no value
    alone, but all of them together" where is_odd_as_a_whole, else "nothing beyond the usual". Of a
    box that is `spread` the line begins with "spread over the whole picture", and says neither
    place nor part. excess: (height, width), what each pixel costs beyond what is usual for it, 0 or
    more. picture, expected: (channels, height, width), 0 to 255; expected None if the model tells
    none. How pixels differ is left out without `expected`, and where they differ by less than 8
    levels. is_odd_as_a_whole: whether the part that belongs to no pixel is above the usual; only
    read without a box.
    """
    if box is None:
        return TOGETHER if is_odd_as_a_whole else NOTHING
    manner = "" if expected is None else difference(box, excess, picture, expected)
    if box.spread:
        return f"{SPREAD}; {manner}" if manner else SPREAD
    where = (
        f"{place(box, excess)}, {box.width} x {box.height} pixels at "
        f"({box.left}, {box.top}): {100 * box.share:.0f} % of the excess"
    )
    return f"{where}; {manner}" if manner else where


def place(box: Box, excess: Float) -> str:
    """Name the ninth of a picture in which most of a box's excess lies, such as "upper left" or
    "middle": models draw boxes of other sizes around the same part, and a large one has its middle
    elsewhere. excess: (height, width), what each pixel of the picture costs beyond what is usual
    for it, 0 or more; where it is 0 all over the box, all of its pixels count alike."""
    height, width = excess.shape
    rows = np.arange(box.top, box.top + box.height)
    columns = np.arange(box.left, box.left + box.width)
    weight = excess[np.ix_(rows, columns)]
    # where no pixel costs more than usual, all count alike
    if not weight.any():
        weight = np.ones(weight.shape)
    thirds = np.arange(3)
    third_of_rows = 3 * rows // height
    third_of_columns = 3 * columns // width
    is_row = third_of_rows == thirds[:, None]
    is_column = third_of_columns == thirds[:, None]
    excess_of_ninths = is_row @ weight @ is_column.T
    down, across = divmod(int(excess_of_ninths.argmax()), 3)
    return PLACES[down][across]


def difference(box: Box, excess: Float, picture: Values, expected: Values) -> str:
    """How the pixels in a box differ from the expected ones, in words; empty where they differ by
    less than 8 of 255 levels, on the average and pixel by pixel. A colour is named of three
    channels alone. Each pixel counts by its excess, (height, width), what it costs beyond the
    usual, or all alike where that is 0 all over the box; picture, expected: (channels, height,
    width), 0 to 255."""
    rows = slice(box.top, box.top + box.height)
    columns = slice(box.left, box.left + box.width)
    weight = excess[rows, columns]
    # where no pixel costs more than usual, all count alike
    if not weight.any():
        weight = np.ones(weight.shape)
    pixels = picture[:, rows, columns].astype(np.float64)
    differences = pixels - expected[:, rows, columns].astype(np.float64)
    by_channel = (differences * weight).sum(axis=(1, 2)) / weight.sum()
    # what all channels share is brightness, what is left of each is colour
    mean_of_channels = float(by_channel.mean())
    colour = by_channel - mean_of_channels
    if len(colour) == len(COLOURS) and np.abs(colour).max() >= max(
        DIFFERENT, abs(mean_of_channels)
    ):
        channel = int(np.abs(colour).argmax())
        more = "more" if colour[channel] > 0 else "less"
        return f"{more} {COLOURS[channel]} than expected"
    if abs(mean_of_channels) >= DIFFERENT:
        if mean_of_channels < 0:
            return "darker than expected"
        return "brighter than expected"
    # pixels may differ one by one, though they do not on the average
    mean_difference = float((np.abs(differences).mean(axis=0) * weight).sum() / weight.sum())
    if mean_difference >= DIFFERENT:
        return "of another pattern than expected"
    return ""
