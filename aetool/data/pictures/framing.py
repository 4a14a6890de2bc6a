"""The framing of pictures: how one of any size, mode and depth becomes what a model sees. The rule
is chosen when a model is fitted, stored with it, and applied to every picture that it is ever
shown.

The order is: 8 bits a value, opaque, gray or colour, cropped, resized, cut into tiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from aetool.data.pictures.decoding import Decoded, UnframedError, Values
from aetool.spelling import option

if TYPE_CHECKING:
    from collections.abc import Sequence

Bytes: TypeAlias = npt.NDArray[np.uint8]
Amounts: TypeAlias = npt.NDArray[np.float64]
Pair: TypeAlias = tuple[int, int]  # width and height, or left and top

WHITE = 255
MOST_TILES = 1 << 16  # of one picture
LONGEST_SIDE = 1 << 20  # pixels, beyond which a stored number is none of a framing
# parts of red, green and blue in gray, of 65,536, as Pillow takes them (ITU-R BT.601)
RED, GREEN, BLUE = 19595, 38470, 7471


@dataclass(frozen=True)
class Framing:
    """How each picture becomes what a model sees.

    channels, width, height: of what the model sees, a picture or a tile of one; lengths are in
    pixels. crop: what is left of a picture at first: (width, height) in its middle, or (left, top,
    width, height); resize: (width, height) that it is brought to then; stride: how far tiles lie
    apart, (across, down), if it is cut into tiles; () for what is not done. low, high: values of
    more than 8 bits that become 0 and 255; equal where no such pictures were fitted. background:
    the gray level, 0 .. 255, that is seen where a picture is transparent.
    """

    channels: int
    width: int
    height: int
    crop: tuple[int, ...] = ()
    resize: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    low: float = 0.0
    high: float = 0.0
    background: int = WHITE

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of what the model sees: (channels, height, width)."""
        return self.channels, self.height, self.width

    @property
    def is_plain(self) -> bool:
        """Whether the framing leaves pictures of 8 bits, opaque and of the model's shape as they
        are: nothing but the shape is set."""
        return self == Framing(self.channels, self.width, self.height)

    def seen(self, picture: Decoded) -> Bytes:
        """Bring a picture to the form that the model takes, not yet cut into tiles: (channels,
        height, width) uint8.

        UnframedError if it does not hold what it is to be cropped to, or if it is then, cropped and
        resized, of another size than the model's, smaller than a tile, or more than MOST_TILES
        (65,536) of them.
        """
        pixels = self._in_bytes(picture.pixels)
        if picture.alpha is not None:
            pixels = self._opaque(pixels, picture.alpha)
        pixels = _with_channels(pixels, self.channels)
        if self.crop:
            pixels = _cropped(pixels, self.crop)
        # of what is left by the cropping
        if self.resize:
            pixels = resized(pixels, self.resize)
        self._check_size(pixels)
        if pixels.ndim == 2:
            return pixels[None]
        return pixels.transpose(2, 0, 1)

    def _in_bytes(self, pixels: Values) -> Bytes:
        """Values of any type as levels of 0 to 255, in the same shape: bytes as they are, truth as
        0 and 255, all others rescaled from low .. high (the usual range of their type if the
        framing has none), rounded, and cut off at the ends."""
        if pixels.dtype == np.uint8:
            return pixels.astype(np.uint8, copy=False)
        if pixels.dtype == np.bool_:
            return pixels.astype(np.uint8) * np.uint8(255)
        low = self.low
        high = self.high
        if low >= high:
            low, high = usual_range(pixels)
        above_black = pixels.astype(np.float64) - low
        scaled = above_black * (255 / (high - low))
        levels = np.rint(scaled).clip(0, 255)
        return levels.astype(np.uint8)

    def _opaque(self, pixels: Bytes, alpha: Bytes) -> Bytes:
        """Blend pixels, (height, width) or (height, width, 3), with the background where they are
        not opaque; returns them in the same shape. alpha: (height, width), 0 for transparent to 255
        for opaque."""
        share = alpha.astype(np.int32)
        if pixels.ndim == 3:
            # of all three colours the same
            share = share[:, :, None]
        behind = 255 - share
        mixed = pixels * share + self.background * behind
        # rounded, in whole numbers: the same on every machine
        levels = (mixed + 127) // 255
        return levels.astype(np.uint8)

    def _check_size(self, pixels: Bytes) -> None:
        """Raise UnframedError if pixels, (height, width, ...), cropped and resized, are smaller
        than a tile or would be cut into more than MOST_TILES (65,536), or, where there are no
        tiles, are of another size than the model's."""
        high, wide = pixels.shape[:2]
        size = f"{wide} x {high}"
        of_model = f"{self.width} x {self.height}"
        if self.stride:
            if wide < self.width or high < self.height:
                raise UnframedError(f"{size} is smaller than a tile of {of_model}")
            # for its check of how many tiles there are
            self.offsets(wide, high)
        elif (wide, high) != (self.width, self.height):
            raise UnframedError(f"{size}, and the model takes {of_model}")

    def corners(self, wide: int, high: int) -> list[Pair]:
        """The upper left corner, (left, top) in pixels, of each tile of a picture of this width and
        height, cropped and resized, which are at least a tile's; row by row, a stride apart, the
        last at the far edge. [(0, 0)] if the framing cuts no tiles. UnframedError for more than
        MOST_TILES (65,536)."""
        if not self.stride:
            return [(0, 0)]
        lefts, tops = self.offsets(wide, high)
        return [(left, top) for top in tops for left in lefts]

    def offsets(self, wide: int, high: int) -> tuple[list[int], list[int]]:
        """The offsets at which the tiles of a picture begin, in pixels, rising: (from its left
        edge; from its top). wide, high: of the picture, cropped and resized, which are at least a
        tile's; the framing must cut tiles. UnframedError for more than MOST_TILES (65,536)
        tiles."""
        step_right, step_down = self.stride
        lefts = _offsets_along_side(wide, self.width, step_right)
        tops = _offsets_along_side(high, self.height, step_down)
        count = len(lefts) * len(tops)
        if count > MOST_TILES:
            raise UnframedError(
                f"{wide} x {high} gives {count:,} tiles, and at most {MOST_TILES:,} are taken: fit "
                f"with a larger {option('--stride')}"
            )
        return lefts, tops

    def tiles(self, picture: Bytes) -> Bytes:
        """Cut a picture, (channels, height, width), as `seen` returned it, into tiles: (tiles,
        channels, height, width) uint8, in the order of `corners`; if the framing has no tiles, the
        whole picture is the only one. UnframedError for more than MOST_TILES (65,536)."""
        _, high, wide = picture.shape
        parts = []
        for left, top in self.corners(wide, high):
            rows, columns = self._tile_at(left, top)
            parts.append(picture[:, rows, columns])
        return np.stack(parts)

    def _tile_at(self, left: int, top: int) -> tuple[slice, slice]:
        """The (rows, columns) of a picture that a tile with this upper left corner, in pixels,
        covers."""
        rows = slice(top, top + self.height)
        columns = slice(left, left + self.width)
        return rows, columns

    def stitched(
        self,
        amounts: Amounts,
        wide: int,
        high: int,
    ) -> Amounts:
        """Join the maps of a picture's tiles, (tiles, height, width), in the order of `tiles`, into
        the map of the picture, (high, wide); their mean where tiles overlap. wide, high: of the
        picture as `seen` returned it. ValueError for another number of tiles than it has."""
        total = np.zeros((high, wide))
        count = np.zeros((high, wide))
        corners = self.corners(wide, high)
        # the maps come in the order of `tiles`
        for part, (left, top) in zip(amounts, corners, strict=True):
            where = self._tile_at(left, top)
            total[where] += part
            count[where] += 1
        # every pixel is in a tile, as a stride is no longer than that: no count is 0
        return np.asarray(total / count)

    def told(self) -> str:
        """Say in words what the framing does to pictures, such as "resized to 256 x 192"; "" if it
        does nothing."""
        # in the order in which it is done
        phrases = []
        if self.low < self.high:
            phrases.append(f"values {self.low:g} to {self.high:g} as black to white")
        if self.background != WHITE:
            phrases.append("transparent parts on black")
        if len(self.crop) == 2:
            phrases.append(f"cropped to {in_words(self.crop)} in the middle")
        elif self.crop:
            left, top, *size = self.crop
            phrases.append(f"cropped to {in_words(size)} at {left}, {top}")
        if self.resize:
            phrases.append(f"resized to {in_words(self.resize)}")
        if self.stride:
            tile = in_words((self.width, self.height))
            phrases.append(f"in tiles of {tile}, {in_words(self.stride)} apart")
        return ", ".join(phrases)

    def to_json(self) -> dict[str, object]:
        """The framing as JSON, by field, without channels, width and height; settings that are as
        usual are left out."""
        plain = Framing(self.channels, self.width, self.height)
        settings: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            usual = getattr(plain, field.name)
            if value == usual:
                continue
            # JSON has no tuples: a model that is read again must equal the one that was written
            if isinstance(value, tuple):
                value = list(value)
            settings[field.name] = value
        return settings

    @classmethod
    def from_json(
        cls,
        data: Mapping[str, object],
        shape: tuple[int, int, int],
    ) -> Framing:
        """The framing that to_json wrote, settings that are left out as usual. shape: (channels,
        height, width) of what the model sees. ValueError, TypeError or OverflowError for anything
        else."""
        channels, height, width = shape
        in_shape = {"channels", "width", "height"}
        settings = {field.name for field in fields(cls)} - in_shape
        if not data.keys() <= settings:
            raise ValueError("framing")
        # by way of text, as float(True) would be a number
        low = str(data.get("low", 0.0))
        high = str(data.get("high", 0.0))
        background = str(data.get("background", WHITE))
        framing = cls(
            channels,
            width,
            height,
            crop=_whole_numbers(data.get("crop", ())),
            resize=_whole_numbers(data.get("resize", ())),
            stride=_whole_numbers(data.get("stride", ())),
            low=float(low),
            high=float(high),
            background=int(background),
        )
        if not framing._is_sound():
            raise ValueError("framing")
        return framing

    def _is_sound(self) -> bool:
        """Whether the settings are ones that `aetool.data.pictures.choosing` could have made: of
        a damaged or a stranger's model they may be anything."""
        if not np.isfinite([self.low, self.high]).all():
            return False
        if not 0 <= self.background <= WHITE:
            return False
        if len(self.crop) not in (0, 2, 4):
            return False
        if len(self.resize) not in (0, 2):
            return False
        if not self.stride:
            return True
        return len(self.stride) == 2 and min(self.stride) > 0


def _whole_numbers(value: object) -> tuple[int, ...]:
    """The numbers of a list from JSON as a tuple of integers, fractions cut off. ValueError for
    what is no list, and for a number below 0 or not below LONGEST_SIDE (2^20); ValueError or
    TypeError for what is no number; OverflowError for infinity."""
    if not isinstance(value, list | tuple):
        raise ValueError("framing")
    numbers = tuple(int(number) for number in value)
    for number in numbers:
        if not 0 <= number < LONGEST_SIDE:
            raise ValueError("framing")
    return numbers


def in_words(size: Sequence[int]) -> str:
    """A size, (width, height), as text: "640 x 480". What is behind the first two is not looked
    at."""
    return f"{size[0]} x {size[1]}"


def usual_range(pixels: Values) -> tuple[float, float]:
    """Which values become black and white, (low, high), for pixels of a type other than bytes where
    a model has no range of its own. low is 0. high: of unsigned integers the most that their type
    holds; of signed ones 255, or 65535 if any value is above 255; of floats 1, or 255 if any is
    above 1."""
    if pixels.dtype.kind == "u":
        most = np.iinfo(pixels.dtype).max
        return 0.0, float(most)
    highest = float(pixels.max(initial=0))
    white = 255.0
    if pixels.dtype.kind == "i":
        if highest > WHITE:
            white = 65535.0
    elif highest <= 1:
        white = 1.0
    return 0.0, white


def _with_channels(pixels: Bytes, channels: int) -> Bytes:
    """Pixels, (height, width) gray or (height, width, 3) in colour, converted to gray, (height,
    width), by the weights of ITU-R BT.601, if `channels` is 1, or to colour, three equal channels,
    if it is 3, unless they are so already."""
    if channels == 3 and pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    if channels == 1 and pixels.ndim == 3:
        # in whole numbers, whose sum is 65,536: the same on every machine
        weights = np.array([RED, GREEN, BLUE], np.uint32)
        weighed = pixels.astype(np.uint32) @ weights
        # half of 65,536 is added, so that the quotient is rounded
        levels = (weighed + 0x8000) >> 16
        return levels.astype(np.uint8)
    return pixels


def _cropped(pixels: Bytes, crop: tuple[int, ...]) -> Bytes:
    """The part of pixels, (height, width, ...), that is left by `crop`: (width, height) of their
    middle, or (left, top, width, height). UnframedError if it does not lie within them."""
    high, wide = pixels.shape[:2]
    if len(crop) == 2:
        width, height = crop
        left = (wide - width) // 2
        top = (high - height) // 2
    else:
        left, top, width, height = crop
    right = left + width
    bottom = top + height
    if left < 0 or top < 0 or right > wide or bottom > high:
        raise UnframedError(f"{wide} x {high} does not hold what it is to be cropped to")
    return pixels[top:bottom, left:right]


def resized(pixels: Bytes, size: tuple[int, ...]) -> Bytes:
    """Resize pixels, (height, width) gray or (height, width, 3) in colour, to size, (width,
    height), each at least 1; pixels that have it already are returned as they are.

    Where both old sides are whole multiples of the new ones, a new pixel is the mean of the block
    that it covers (Pillow's box filter). Else, and where a picture becomes larger, it is a mean
    weighed by nearness (Pillow's Hamming filter). Pillow resizes bytes in whole numbers: the same
    on every machine.
    """
    from PIL import Image

    width, height = size
    high, wide = pixels.shape[:2]
    if (wide, high) == (width, height):
        return pixels
    divides_evenly = wide % width == 0 and high % height == 0
    # the box filter leaves patterns where its blocks cut through pixels
    kernel = Image.Resampling.BOX if divides_evenly else Image.Resampling.HAMMING
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((width, height), kernel))


def _offsets_along_side(side: int, tile: int, stride: int) -> list[int]:
    """The offsets at which tiles begin along a side of a picture, all three in pixels; the last
    tile ends at the edge. side: at least as long as a tile."""
    last = side - tile
    steps = list(range(0, last + 1, stride))
    if steps[-1] < last:
        steps.append(last)
    return steps
