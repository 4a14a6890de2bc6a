"""Draws where pictures are odd: maps laid over them, and sheets that show several beside what was
expected.

A map is (H, W), in multiples of the pixel threshold: 1 is what few ordinary pixels exceed, and at 0
nothing is odd.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aetool.data.images import Pixels
from aetool.files import atomic

if TYPE_CHECKING:
    from PIL import Image, ImageFont

Amounts = npt.NDArray[np.float64]
Rectangle = tuple[int, int, int, int]  # left, top, width, height in pixels

LEVELS = 1024  # gray levels of a stored map that stand for the pixel threshold
MOST_LEVEL = 65535
LARGE = 256  # pixels that the longer side of an overlay has at least
TILE = 176  # pixels of the longer side of a picture on a sheet
# of a sheet, in pixels
GAP = 8
CAPTION = 20
HEADING = 24
TEXT_SIZE = 13
LEAST_COLUMN = 150  # pixels, so that there is room for the words above
COLUMNS = ("picture", "expected", "difference", "where")
LEGEND = (
    "where: yellow to dark red above the pixel threshold and 1/12 of the peak; frame: worst part"
)
OF_SPOTS = "no colour: no spot is higher than those that 19 in 20 ordinary pictures have somewhere"
OF_EXPECTED = (
    "expected: what the model makes of the picture: details that it did not learn are missing"
)
# in multiples of the pixel threshold: where the colour of a map begins, as a mask does, and where
# it is full, unless the map's peak is higher
PALEST = 1.0
FULL = 4.0  # times what ordinary pictures reach somewhere
UNSEEN = 12.0  # amounts of less than the peak divided by this are not coloured
# how far a map hides the picture where its colour begins, and where it is full
LIGHTEST = 0.35
DENSEST = 0.85
PALE = 0.55  # how far a picture under a map fades to gray
# from the limit upward: yellow, orange, red, dark red
COLOURS = (
    (255, 225, 60),
    (255, 140, 0),
    (225, 30, 20),
    (120, 0, 30),
)
PAPER = 255, 255, 255
INK = 27, 31, 36
QUIET = 92, 102, 112
FRAME = 0, 200, 255  # of the box: a colour that neither maps nor most pictures have


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture of a sheet, (channels, height, width) uint8, gray or in colour. expected: what the
    model expects in its place, of the same shape, or None; amounts: its map, (height, width), in
    multiples of the pixel threshold; box: (left, top, width, height) in pixels around the worst
    part, or None; title, words: two lines of text above it; usual_peak: what the highest pixel of
    nearly all ordinary pictures does not exceed, as amounts are."""

    picture: Pixels
    expected: Pixels | None
    amounts: Amounts
    box: Rectangle | None
    title: str
    words: str
    usual_peak: float = 1.0


def strength(amounts: Amounts, usual_peak: float = 1.0) -> Amounts:
    """How strongly each pixel of a map is coloured, (height, width), 0 to 1. amounts: (height,
    width), in multiples of the pixel threshold; usual_peak: what the highest pixel of nearly all
    ordinary pictures does not exceed, at least 1.

    0 up to 1, or a twelfth of the map's peak if that is more, and 1 at four times usual_peak, or at
    the map's peak if that is higher; between, the square root of the part of the way.
    """
    peak = float(amounts.max(initial=0.0))
    low = max(PALEST, peak / UNSEEN)
    high = max(FULL * usual_peak, peak)
    share = np.clip((amounts - low) / (high - low), 0.0, 1.0)
    # the root makes weak amounts visible, too
    return np.asarray(np.sqrt(share))


def overlay(
    picture: Pixels,
    amounts: Amounts,
    box: Rectangle | None = None,
    usual_peak: float = 1.0,
) -> Image.Image:
    """Draw a picture, (channels, height, width) uint8, faded, under its map of amounts, (height,
    width) in multiples of the pixel threshold, in yellow to dark red, with a frame around the box,
    (left, top, width, height) in its pixels, if there is one. A picture whose longer side is short
    is enlarged by a whole factor, to about 256 pixels. usual_peak: see `strength`. Returns an image
    in RGB."""
    times = _enlargement(picture, LARGE)
    return _overlay_enlarged(picture, amounts, box, times, usual_peak)


def _overlay_enlarged(
    picture: Pixels,
    amounts: Amounts,
    box: Rectangle | None,
    times: int,
    usual_peak: float,
) -> Image.Image:
    """Draw a picture, faded, with its map of amounts over it and a frame around the box: an image
    in RGB. picture: (channels, height, width) uint8; amounts: (height, width), in multiples of the
    pixel threshold, 0 where nothing is odd; box: (left, top, width, height) in pixels of the
    picture, or None; times: how many times larger each side becomes, a whole number; usual_peak:
    see `strength`."""
    from PIL import Image

    _, height, width = picture.shape
    size = width * times, height * times
    # the picture's pixels stay squares; the map is smoothed
    large = _enlarged(_as_rgb(picture), size)
    colours = np.asarray(large, dtype=np.float64)
    # a part of the way to gray, so that the map's colours stand out
    gray = colours.mean(axis=2, keepdims=True)
    faded = colours + PALE * (gray - colours)
    map_image = Image.fromarray(amounts.astype(np.float32))
    smooth_image = map_image.resize(size, Image.Resampling.BILINEAR)
    smooth = np.asarray(smooth_image, dtype=np.float64)
    strengths = strength(smooth, usual_peak)
    # even the weakest colour of the map is opaque enough to be seen
    opacity_where_coloured = LIGHTEST + (DENSEST - LIGHTEST) * strengths
    is_coloured = strengths > 0
    opacity = np.where(is_coloured, opacity_where_coloured, 0.0)
    # the same for red, green and blue
    opacity = opacity[..., None]
    towards_map = _colours_of(strengths) - faded
    mixed = faded + opacity * towards_map
    image = Image.fromarray(_as_bytes(mixed))
    if box is not None:
        _draw_frame(image, box, times)
    return image


def _draw_frame(image: Image.Image, box: Rectangle, times: int) -> None:
    """Draw a frame one pixel wide around a box, (left, top, width, height) in pixels of a picture,
    in place, on an image whose sides are `times` those of the picture."""
    from PIL import ImageDraw

    left, top, width, height = (times * side for side in box)
    right = left + width
    bottom = top + height
    # around the box, not over its pixels
    corners = left - 1, top - 1, right, bottom
    draw = ImageDraw.Draw(image)
    draw.rectangle(corners, outline=FRAME)


def _colours_of(strengths: Amounts) -> npt.NDArray[np.float64]:
    """The colour of each strength of a map, (height, width), 0 (yellow) to 1 (dark red): (height,
    width, 3) float64, red, green and blue of 0 to 255."""
    # colours lie at even steps; between two of them each channel is a straight line
    steps = np.linspace(0.0, 1.0, len(COLOURS))
    channels = []
    for levels in zip(*COLOURS, strict=True):
        channels.append(np.interp(strengths, steps, levels))
    return np.stack(channels, axis=-1)


def _as_rgb(picture: Pixels) -> npt.NDArray[np.uint8]:
    """A picture, (channels, height, width) uint8, as red, green and blue, (height, width, 3); of
    other than 3 channels the first is taken for gray."""
    if len(picture) != 3:
        # gray: all three colours are the same
        gray = picture[:1]
        picture = np.repeat(gray, 3, axis=0)
    channels_last = picture.transpose(1, 2, 0)
    return np.ascontiguousarray(channels_last)


def _enlargement(picture: Pixels, least: int) -> int:
    """The whole factor by which to enlarge a picture, (channels, height, width), so that its longer
    side has about `least` pixels; at least 1."""
    _, height, width = picture.shape
    longest = int(max(height, width))
    return max(1, round(least / longest))


def png(image: Image.Image, words: dict[str, str] | None = None) -> bytes:
    """Write an image as the bytes of a PNG. words: texts to store in it, by PNG's keyword; None:
    none."""
    from PIL.PngImagePlugin import PngInfo

    metadata = PngInfo()
    for keyword, text in (words or {}).items():
        metadata.add_text(keyword, text)
    buffer = io.BytesIO()
    image.save(
        buffer,
        "PNG",
        optimize=True,
        pnginfo=metadata,
    )
    return buffer.getvalue()


def gray_map(amounts: Amounts) -> bytes:
    """Write a map, (height, width) in multiples of the pixel threshold, as the bytes of a PNG of
    16-bit gray, in which LEVELS (1,024) levels are one threshold; a text in it says so. Amounts
    below 0 are 0, those above 65535 levels are 65535."""
    from PIL import Image

    above_zero = np.maximum(amounts, 0.0)
    rounded = np.round(above_zero * LEVELS)
    # the highest amounts are cut off: 16 bits hold no more
    levels = np.minimum(rounded, MOST_LEVEL).astype(np.uint16)
    words = {"Description": f"{LEVELS} gray levels are the pixel threshold"}
    return png(Image.fromarray(levels), words)


def mask(amounts: Amounts) -> bytes:
    """Write a map, (height, width) in multiples of the pixel threshold, as the bytes of a PNG of
    8-bit gray: white where it is above 1, black elsewhere."""
    from PIL import Image

    is_above = amounts > 1.0
    levels = np.where(is_above, 255, 0).astype(np.uint8)
    return png(Image.fromarray(levels))


@dataclass(frozen=True, eq=False)
class Sheet:
    """A drawing that notebooks show, and `save` writes as a PNG file. png: that file's bytes."""

    png: bytes

    def _repr_png_(self) -> bytes:
        """The bytes of the PNG file, for which notebooks ask by this name."""
        # the name by which notebooks ask for a picture
        return self.png

    def save(self, path: str | os.PathLike[str], force: bool = False) -> None:
        """Write the drawing to a PNG file at `path`, all of it or nothing. force: replace a file
        that is there. DataError if one is there without force, or it cannot be written."""
        with atomic(Path(path), force) as file:
            file.write(self.png)


def sheet(pictures: Sequence[Shown], heading: str) -> Sheet:
    """Draw a sheet with a row for each picture, perhaps none: the picture, what was expected, their
    difference, and its map over it. Returns it as a Sheet, which holds the bytes of a PNG. heading:
    the text above all rows, in as many lines as it takes, and above LEGEND and OF_SPOTS, which say
    what colours mean, and OF_EXPECTED; other texts that are too long are cut."""
    from PIL import Image, ImageDraw

    rows = [_row(picture) for picture in pictures]
    widths = [row[0].width for row in rows]
    widest = max(widths, default=TILE)
    column_width = max(GAP + widest, LEAST_COLUMN)
    # the left edge of each column
    lefts = [GAP + place * column_width for place in range(len(COLUMNS))]
    heights = []
    # pictures of a sheet may have any sizes
    for row in rows:
        heights.append(max(tile.height for tile in row))
    width = GAP + column_width * len(COLUMNS)
    text_width = width - 2 * GAP
    font = _font()
    lines = wrapped(heading, text_width, font)
    legends = (LEGEND, OF_SPOTS, OF_EXPECTED)
    # below these the lines of the legend and the names of the columns
    top = HEADING * (len(lines) + len(legends) + 1)
    # each row has two lines of text above it, and room below
    words_height = 2 * CAPTION
    around_tiles = words_height + GAP
    height = top + sum(heights) + around_tiles * len(rows) + GAP
    image = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(image)
    # texts stand a few pixels below the edge of their lines
    for number, line in enumerate(lines):
        draw.text((GAP, HEADING * number + 5), line, INK, font)
    # the sheet explains itself, as it may be passed on alone
    for number, legend in enumerate(legends):
        upper = HEADING * (len(lines) + number) + 1
        draw.text((GAP, upper), _cut_to_width(legend, text_width, font), QUIET, font)
    for left, name in zip(lefts, COLUMNS, strict=True):
        corner = left, top - HEADING + 3
        draw.text(corner, name, QUIET, font)
    # the upper edge of the row at hand
    y = top
    drawn = zip(pictures, rows, heights, strict=True)
    for picture, row, row_height in drawn:
        title = _cut_to_width(picture.title, text_width, font)
        words = _cut_to_width(picture.words, text_width, font)
        second = y + CAPTION - 3
        draw.text((GAP, y), title, INK, font)
        draw.text((GAP, second), words, QUIET, font)
        y += words_height
        for left, tile in zip(lefts, row, strict=True):
            image.paste(tile, (left, y))
        y += row_height + GAP
    return Sheet(png(image))


def _row(shown: Shown) -> list[Image.Image]:
    """The four pictures of a row of a sheet, as COLUMNS names them, each at most TILE (176) pixels
    a side. The difference is gray where there is none, lighter where the picture is higher than
    expected; without an expectation the middle two are blank."""
    from PIL import Image

    times = _enlargement(shown.picture, TILE)
    picture = _as_rgb(shown.picture)
    original = _tile(picture, times)
    with_map = _overlay_enlarged(
        shown.picture,
        shown.amounts,
        shown.box,
        times,
        shown.usual_peak,
    )
    with_map.thumbnail((TILE, TILE))
    if shown.expected is None:
        blank = Image.new("RGB", original.size, PAPER)
        return [original, blank, blank, with_map]
    expected = _as_rgb(shown.expected)
    difference = picture.astype(np.float64) - expected
    largest = float(np.abs(difference).max())
    # gray where nothing differs, and full black or white where it differs most
    scale = max(largest, 1.0)
    levels = _as_bytes(128 + 127 * difference / scale)
    return [
        original,
        _tile(expected, times),
        _tile(levels, times),
        with_map,
    ]


def _as_bytes(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Values of any shape rounded to whole numbers, cut off at 0 and 255."""
    rounded = np.round(values)
    return np.clip(rounded, 0, 255).astype(np.uint8)


def _tile(pixels: npt.NDArray[np.uint8], times: int) -> Image.Image:
    """An image of pixels, (height, width, 3), each side `times` as long, a whole number, and then
    made smaller, in the same ratio of sides, if one has more than TILE (176) pixels."""
    height, width, _ = pixels.shape
    # smaller sides are enlarged by a whole factor, larger ones made smaller by any
    size = width * times, height * times
    image = _enlarged(pixels, size)
    image.thumbnail((TILE, TILE))
    return image


def _enlarged(
    pixels: npt.NDArray[np.uint8],
    size: tuple[int, int],
) -> Image.Image:
    """An image of pixels, (height, width, 3), enlarged to size, (width, height), multiples of its
    own: each pixel becomes a block of one colour."""
    from PIL import Image

    image = Image.fromarray(pixels)
    # pixels stay squares with sharp edges
    return image.resize(size, Image.Resampling.NEAREST)


def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own font, TEXT_SIZE (13) pixels high."""
    from PIL import ImageFont

    return ImageFont.load_default(TEXT_SIZE)


def wrapped(
    text: str,
    most: int,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> list[str]:
    """Break a text at its blanks into lines of at most `most` pixels in this font, one at least; a
    word that is longer is cut."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if font.getlength(longer) <= most:
            lines[-1] = longer
            continue
        cut = _cut_to_width(word, most, font)
        # a line without a word yet is filled, not left blank
        if lines[-1]:
            lines.append(cut)
        else:
            lines[-1] = cut
    return lines


def _cut_to_width(
    text: str,
    most: int,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> str:
    """Cut a text to at most `most` pixels in this font, and end it with "..." where anything was
    cut; "..." is left if no more fits."""
    if font.getlength(text) <= most:
        return text
    shortened = text + "..."
    while text and font.getlength(shortened) > most:
        text = text[:-1]
        shortened = text + "..."
    return shortened
