"""Measures what other programs make of the same bytes and pixels: how small, and how far from the
source.

They are measured, never written: xz, bzip2 and zstd without loss; PNG, WebP, AVIF and JPEG as far
as Pillow has them here, each picture in a file of its own, and many of them on one sheet.
"""

from __future__ import annotations

import bz2
import io
import lzma
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Settings = Mapping[str, bool | int]

BLOCK = 16  # pixels: tiles of a sheet are multiples of what JPEG and WebP code together
LONGEST = 4096  # pixels of a side of a sheet
QUALITIES = (2, 10, 25, 50, 75, 90)
# values of pixels that judge all of them: on sheets, and in files of their own
ON_SHEETS = 1 << 21
ALONE = 1 << 17
# settings that are tried, of which the smallest counts: the strongest by name is not always that
XZ = {"-9": 9, "-9e": 9 | lzma.PRESET_EXTREME}
ZSTD = {"-16": 16, "-18": 18, "-19": 19, "--ultra -22": 22}


@dataclass(frozen=True)
class Packed:
    """The result of another program. program, setting: its name and option; size: bytes, a fraction
    where it is scaled up from a part; mean_square: the mean squared error of a value of 0 to 255, 0
    where nothing is lost."""

    program: str
    setting: str
    size: float
    mean_square: float = 0.0


@dataclass(frozen=True)
class _Format:
    """A format of picture files. name: Pillow's; feature: Pillow's name of the library it needs;
    longest: pixels of a side, at most; lossless, lossy: Pillow's options to write it so, by name,
    None where it is not tried so."""

    name: str
    feature: str
    longest: int
    lossless: Settings | None
    lossy: Settings | None


FORMATS = (
    _Format("PNG", "zlib", (1 << 31) - 1, {"optimize": True}, None),
    _Format("WebP", "webp", 16_383, {"lossless": True, "method": 4}, {"method": 4}),
    # one thread, so that the bytes are the same on every machine
    _Format("AVIF", "avif", 65_535, None, {"speed": 6, "max_threads": 1}),
    _Format("JPEG", "jpg", 65_500, None, {"optimize": True}),
)


def squeezed(content: bytes) -> Iterator[Packed]:
    """Yield the size to which each of xz, bzip2 and zstd compresses the content: xz and zstd at the
    setting of XZ and of ZSTD that takes fewest bytes, the first of equal ones, bzip2 at its
    strongest. All know how long the content is. zstd is left out where pyarrow lacks it."""

    def by_xz(preset: int) -> bytes:
        """The content as xz compresses it."""
        return lzma.compress(content, preset=preset)

    def by_zstd(level: int) -> bytes:
        """The content as zstd compresses it; ImportError or ValueError where pyarrow lacks it."""
        import pyarrow

        codec = pyarrow.Codec("zstd", compression_level=level)
        return bytes(codec.compress(content))

    yield _smallest("xz", XZ, by_xz)
    compressed_by_bzip2 = bz2.compress(content, 9)
    yield Packed("bzip2", "-9", len(compressed_by_bzip2))
    try:
        best = _smallest("zstd", ZSTD, by_zstd)
    except (ImportError, ValueError):
        # pyarrow is not installed, or was built without zstd
        return
    yield best


def _smallest(
    program: str,
    settings: Mapping[str, int],
    compress: Callable[[int], bytes],
) -> Packed:
    """The result of a program at the setting that takes fewest bytes, the first of equal ones.
    settings: what `compress` is given, by the name of the setting."""
    sizes = {}
    for setting, number in settings.items():
        compressed = compress(number)
        sizes[setting] = len(compressed)
    best = min(sizes, key=lambda setting: sizes[setting])
    return Packed(program, best, sizes[best])


def pictured(pixels: Pixels) -> Iterator[Packed]:
    """Measure how small other programs make pictures: yield the size and error of pictures, (n,
    channels, height, width) of 1 or 3 channels, at least one, in each of FORMATS that Pillow has
    here, lossless and at QUALITIES as far as the format has these. For each setting there are two
    results: on contact sheets, "PNG sheet", and with each picture in a file of its own, "PNG
    files". A part of the pictures is written, in memory, and its size scaled to all. A format that
    has no pictures as large is left out."""
    # only here: who stores tables needs no Pillow
    from PIL import features

    # (n, height, width, channels), as Pillow has them
    pictures = pixels.transpose(0, 2, 3, 1)
    sample_alone = _even_sample(pictures, ALONE)
    sample_on_sheets = _even_sample(pictures, ON_SHEETS)
    for picture_format in FORMATS:
        if not features.check(picture_format.feature):
            continue
        # the longest side of a sheet: LONGEST, or that of a picture that is longer
        if max(LONGEST, *pictures.shape[1:3]) > picture_format.longest:
            continue
        name = picture_format.name
        for setting, settings in _settings(picture_format):
            encoder = _Encoder(name, settings)
            size, mean_square = encoder.measured(_sheets(sample_on_sheets))
            size_of_all = size * len(pictures) / len(sample_on_sheets)
            yield Packed(f"{name} sheet", setting, size_of_all, mean_square)
            # each picture is a group of its own
            size, mean_square = encoder.measured(sample_alone[:, None])
            size_of_all = size * len(pictures) / len(sample_alone)
            yield Packed(f"{name} files", setting, size_of_all, mean_square)


def _even_sample(pictures: Pixels, values: int) -> Pixels:
    """A sample of pictures, (n, ...), at even distances, from the first, with about `values` values
    together; all of them if they have no more."""
    step = max(1, round(pictures.size / values))
    return pictures[::step]


def _settings(picture_format: _Format) -> Iterator[tuple[str, Settings]]:
    """Yield (name, Pillow's options) of each setting that the format is tried with: "lossless",
    "quality 2" ..."""
    if picture_format.lossless is not None:
        yield "lossless", picture_format.lossless
    if picture_format.lossy is not None:
        for quality in QUALITIES:
            yield f"quality {quality}", {**picture_format.lossy, "quality": quality}


def _sheets(pictures: Pixels) -> Iterator[Pixels]:
    """Yield the pictures, (n, height, width, channels), in order in groups, as many as fit on one
    sheet of at most LONGEST (4,096) pixels a side; the last may be smaller. Pictures that are
    longer are a group each."""
    _, height, width, _ = pictures.shape
    # a tile is at most BLOCK pixels longer and wider than its picture
    down = max(1, LONGEST // (height + BLOCK))
    across = max(1, LONGEST // (width + BLOCK))
    pictures_a_sheet = down * across
    for first in range(0, len(pictures), pictures_a_sheet):
        yield pictures[first : first + pictures_a_sheet]


@dataclass(frozen=True)
class _Encoder:
    """Writes pictures, in memory, in the format that Pillow calls `name`, with Pillow's options
    `settings`."""

    name: str
    settings: Settings

    def measured(self, groups: Iterable[Pixels]) -> tuple[int, float]:
        """Write groups of pictures, each as one file, and read them again: (bytes of all files
        together; mean squared error of a value, 0 to 255, over all pictures; 0 without pictures).
        groups: (n, height, width, channels) each."""
        size = 0
        sum_of_squares = 0.0
        count = 0
        for group in groups:
            size_of_file, restored = self._written_and_read(group)
            size += size_of_file
            error = group.astype(np.float64) - restored
            sum_of_squares += float(np.square(error).sum())
            count += group.size
        return size, sum_of_squares / max(1, count)

    def _written_and_read(self, group: Pixels) -> tuple[int, Pixels]:
        """Write the pictures of a group side by side as one file, and read them again: (how many
        bytes the file has; the pictures as restored, in the group's shape). The bytes are those of
        the whole sheet, with what fills it up between and behind the pictures; what is restored is
        the pictures alone. group: (n, height, width, channels)."""
        # only here: who stores tables needs no Pillow
        from PIL import Image

        sheet = _Sheet.of(group)
        file = io.BytesIO()
        Image.fromarray(sheet.laid_out(group)).save(file, self.name, **self.settings)
        with Image.open(file) as image:
            restored_sheet = image.convert("L" if sheet.channels == 1 else "RGB")
            restored = sheet.taken_apart(np.asarray(restored_sheet))
        _, height, width, _ = group.shape
        # what fills the sheet up is cut off, so that its errors do not count
        return file.getbuffer().nbytes, restored[: len(group), :height, :width]


@dataclass(frozen=True)
class _Sheet:
    """The layout of a sheet of equal tiles, one for each picture, row by row: how many down and
    across, and height, width (in pixels) and channels of each."""

    down: int
    across: int
    height: int
    width: int
    channels: int

    @classmethod
    def of(cls, group: Pixels) -> _Sheet:
        """The sheet for a group, (n, height, width, channels), as `_sheets` makes them: with about
        as many tiles down as across, unless a side would be longer than LONGEST (4,096) pixels. Its
        tiles are multiples of BLOCK (16), so that no block of the format is of two pictures; one
        picture alone fills its tile."""
        count, height, width, channels = group.shape
        # rounded up to multiples of BLOCK
        if count > 1:
            height += -height % BLOCK
            width += -width % BLOCK
        most_down = max(1, LONGEST // height)
        most_across = max(1, LONGEST // width)
        across = min(math.ceil(count**0.5), most_across)
        # of long pictures few stand one below the other
        across = max(across, math.ceil(count / most_down))
        down = math.ceil(count / across)
        return cls(down, across, height, width, channels)

    def laid_out(self, group: Pixels) -> Pixels:
        """Lay the pictures of a group, (n, height, width, channels), on the sheet, row by row:
        (height, width, channels) of the sheet, without the last axis where there is one channel.
        Where a tile is larger than a picture, the picture's last row and column are repeated, and
        tiles left over repeat the last picture."""
        count, height, width, _ = group.shape
        below = self.height - height
        beside = self.width - width
        missing = self.down * self.across - count
        margins = ((0, missing), (0, below), (0, beside), (0, 0))
        tiles = np.pad(group, margins, "edge")
        grid = tiles.reshape(self.down, self.across, self.height, self.width, -1)
        rows = grid.transpose(0, 2, 1, 3, 4)
        sheet = rows.reshape(self.down * self.height, self.across * self.width, -1)
        return sheet[..., 0] if self.channels == 1 else sheet

    def taken_apart(self, sheet: Pixels) -> Pixels:
        """Cut a sheet, (height, width[, channels]), into all of its tiles: (down * across, height,
        width, channels); what `laid_out` added, drawn-out edges and tiles left over, is among
        them."""
        rows = sheet.reshape(self.down, self.height, self.across, self.width, -1)
        grid = rows.transpose(0, 2, 1, 3, 4)
        return grid.reshape(-1, self.height, self.width, self.channels)
