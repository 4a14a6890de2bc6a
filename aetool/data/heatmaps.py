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
    from PIL import Image, ImageDraw, ImageFont

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
# thresholds at which the colour of a map begins, and at which it is full, or at a higher peak
PALEST, FULL = 0.7, 4.0
UNSEEN = 12.0  # times a weaker amount, beside which it is not looked at
LIGHTEST, DENSEST = 0.35, 0.85  # how far a map hides the picture at those
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
    """A picture of a sheet, (channels, height, width) uint8. expected: what the model expects in
    its place, likewise, or None; amounts: its map, (height, width); box: around the worst part, or
    None; title, words: two lines of text above it."""

    picture: Pixels
    expected: Pixels | None
    amounts: Amounts
    box: Rectangle | None
    title: str
    words: str


def strength(amounts: Amounts) -> Amounts:
    """How strongly each pixel of a map is coloured, (height, width), 0 to 1: 0 up to 0.7
    thresholds, or a twelfth of the map's peak if that is more, and 1 at four thresholds, or at the
    peak if that is higher."""
    peak = float(amounts.max(initial=0.0))
    low = max(PALEST, peak / UNSEEN)
    high = max(FULL, peak)
    part = np.clip((amounts - low) / (high - low), 0.0, 1.0)
    # the root shows what is weaker, too
    return np.asarray(np.sqrt(part))


def overlay(picture: Pixels, amounts: Amounts, box: Rectangle | None = None) -> Image.Image:
    """Draw a picture, (channels, height, width), faded, under its map in yellow to dark red, with a
    box around the worst part; small pictures are enlarged."""
    return _overlay(picture, amounts, box, _times(picture, LARGE))


def _overlay(picture: Pixels, amounts: Amounts, box: Rectangle | None, times: int) -> Image.Image:
    """A picture with its map of amounts over it and a frame around the box. picture: (channels,
    height, width) uint8; amounts: (height, width), 0 where nothing is odd; box: (left, top, width,
    height) in pixels of the picture, or None; times: how many times larger each side becomes."""
    from PIL import Image, ImageDraw

    _, height, width = picture.shape
    size = width * times, height * times
    # pixels of a picture stay square; between those of a map there are no steps
    large = _enlarged(_rgb(picture), size)
    under = np.asarray(large, dtype=np.float64)
    gray = under.mean(axis=2, keepdims=True)
    under = under + PALE * (gray - under)
    map_image = Image.fromarray(amounts.astype(np.float32))
    smooth = map_image.resize(size, Image.Resampling.BILINEAR)
    amount = strength(np.asarray(smooth, dtype=np.float64))
    # the beginning of the scale is seen, too
    hidden = LIGHTEST + (DENSEST - LIGHTEST) * amount
    opaque = np.where(amount > 0, hidden, 0.0)
    laid = under + opaque[..., None] * (_coloured(amount) - under)
    image = Image.fromarray(_as_bytes(laid))
    if box is not None:
        left, top, width, height = (times * side for side in box)
        # around the box, not over its pixels
        corners = left - 1, top - 1, left + width, top + height
        ImageDraw.Draw(image).rectangle(corners, outline=FRAME)
    return image


def _coloured(amount: Amounts) -> npt.NDArray[np.float64]:
    """(height, width, 3): the colour of each amount, 0 to 1."""
    steps = np.linspace(0.0, 1.0, len(COLOURS))
    channels = [np.interp(amount, steps, values) for values in zip(*COLOURS, strict=True)]
    return np.stack(channels, axis=-1)


def _rgb(picture: Pixels) -> npt.NDArray[np.uint8]:
    """(height, width, 3): a picture, (channels, height, width), as red, green and blue."""
    colour = picture if len(picture) == 3 else np.repeat(picture[:1], 3, axis=0)
    return np.ascontiguousarray(colour.transpose(1, 2, 0))


def _times(picture: Pixels, least: int) -> int:
    """The whole factor by which to enlarge a picture, (channels, height, width), so that its longer
    side has about `least` pixels; at least 1."""
    longest = int(max(picture.shape[1:]))
    return max(1, round(least / longest))


def png(image: Image.Image, words: dict[str, str] | None = None) -> bytes:
    """Write an image as the bytes of a PNG. words: texts to store in it, by keyword."""
    from PIL.PngImagePlugin import PngInfo

    metadata = PngInfo()
    for keyword, text in (words or {}).items():
        metadata.add_text(keyword, text)
    written = io.BytesIO()
    image.save(written, "PNG", optimize=True, pnginfo=metadata)
    return written.getvalue()


def gray_map(amounts: Amounts) -> bytes:
    """Write a map as a PNG of 16-bit gray, in which LEVELS levels are one threshold; a text in it
    says so."""
    from PIL import Image

    levels = np.round(np.maximum(amounts, 0.0) * LEVELS)
    levels = np.minimum(levels, MOST_LEVEL).astype(np.uint16)
    words = {"Description": f"{LEVELS} gray levels are the pixel threshold"}
    return png(Image.fromarray(levels), words)


def mask(amounts: Amounts) -> bytes:
    """Write a map as a PNG: white where it is above the threshold, black elsewhere."""
    from PIL import Image

    above = np.where(amounts > 1.0, 255, 0)
    return png(Image.fromarray(above.astype(np.uint8)))


@dataclass(frozen=True, eq=False)
class Sheet:
    """A drawing that notebooks show, and `save` writes as a PNG file."""

    png: bytes

    def _repr_png_(self) -> bytes:
        return self.png

    def save(self, path: str | os.PathLike[str], force: bool = False) -> None:
        """Write the drawing to a file, whole or not at all. force: replace a file that is there;
        else that is an error."""
        with atomic(Path(path), force) as file:
            file.write(self.png)


def sheet(pictures: Sequence[Shown], heading: str) -> Sheet:
    """Draw a row for each picture: the picture, what was expected, their difference, and its
    map."""
    from PIL import Image, ImageDraw

    rows = [_row(picture) for picture in pictures]
    wide = GAP + TILE
    if rows:
        wide = GAP + max(row[0].width for row in rows)
    wide = max(wide, LEAST_COLUMN)
    highs = [max(tile.height for tile in row) for row in rows]
    top = 2 * HEADING
    beside = 2 * CAPTION + GAP
    high = top + sum(highs) + beside * len(rows) + GAP
    size = GAP + wide * len(COLUMNS), high
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    font = _font()
    most = image.width - 2 * GAP
    draw.text((GAP, 5), _fitting(draw, heading, most, font), INK, font)
    for place, name in enumerate(COLUMNS):
        draw.text((GAP + place * wide, HEADING + 3), name, QUIET, font)
    y = top
    for picture, row, high in zip(pictures, rows, highs, strict=True):
        title = _fitting(draw, picture.title, most, font)
        words = _fitting(draw, picture.words, most, font)
        draw.text((GAP, y), title, INK, font)
        draw.text((GAP, y + CAPTION - 3), words, QUIET, font)
        y += 2 * CAPTION
        for place, tile in enumerate(row):
            image.paste(tile, (GAP + place * wide, y))
        y += high + GAP
    return Sheet(png(image))


def _row(one: Shown) -> list[Image.Image]:
    """The four pictures of a row of a sheet; without an expectation the middle two are blank."""
    from PIL import Image

    times = _times(one.picture, TILE)
    original = _tile(_rgb(one.picture), times)
    where = _overlay(one.picture, one.amounts, one.box, times)
    where.thumbnail((TILE, TILE))
    if one.expected is None:
        blank = Image.new("RGB", original.size, PAPER)
        return [original, blank, blank, where]
    expected = _rgb(one.expected)
    picture = _rgb(one.picture).astype(np.float64)
    difference = picture - expected
    # gray where nothing differs, and full black or white where it differs most
    most = max(float(np.abs(difference).max()), 1.0)
    shown = _as_bytes(128 + 127 * difference / most)
    return [original, _tile(expected, times), _tile(shown, times), where]


def _as_bytes(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Values rounded to bytes, 0 to 255."""
    whole = np.round(values)
    return np.clip(whole, 0, 255).astype(np.uint8)


def _tile(pixels: npt.NDArray[np.uint8], times: int) -> Image.Image:
    image = _enlarged(pixels, (pixels.shape[1] * times, pixels.shape[0] * times))
    image.thumbnail((TILE, TILE))
    return image


def _enlarged(pixels: npt.NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """An image of pixels, (height, width, 3), enlarged to size, (width, height), multiples of its
    own."""
    from PIL import Image

    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)


def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.load_default(TEXT_SIZE)


def _fitting(
    draw: ImageDraw.ImageDraw,
    text: str,
    most: int,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> str:
    """Cut a text to at most `most` pixels as it is drawn, and end it with "..." where anything was
    cut."""
    if draw.textlength(text, font) <= most:
        return text
    while text and draw.textlength(text + "...", font) > most:
        text = text[:-1]
    return text + "..."
