"""Pictures of one size as batches of bytes: a folder, an idx file, a numpy array."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from aetool import files
from aetool.errors import DataError

Pixels = npt.NDArray[np.uint8]
BATCH = 512
MAX_SIDE, MAX_PIXELS = 4096, 1 << 22
ENLARGED = 64  # pixels that a picture of a contact sheet has at most by being enlarged
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm")
IDX = {b"\0\0\x08\x03": 1, b"\0\0\x08\x04": 3}


class ImageSource:
    """Pictures, (n, channels, height, width) uint8. names: one a picture, or empty.

    format: how to write them back.
    """

    kind = "image"
    place: files.Place | None = None  # keeps the bytes of a pipe for as long as its source

    def __init__(
        self, name: str, shape: tuple[int, int, int], count: int, format: dict[str, Any]
    ) -> None:
        channels, height, width = shape
        if max(height, width) > MAX_SIDE or channels not in (1, 3) or 0 in shape:
            raise DataError(
                f"{name}: pictures of {width} x {height} with {channels} channels; sides up to "
                f"{MAX_SIDE} and 1 or 3 channels are allowed"
            )
        if height * width * channels > MAX_PIXELS:
            raise DataError(f"{name}: pictures of more than {MAX_PIXELS} values; make them smaller")
        self.name, self.shape, self.count, self.format = name, shape, count, format
        self.names: list[str] = []

    def batches(self) -> Iterator[Pixels]:
        """The pictures in order; can be called again."""
        raise NotImplementedError

    def sample(self, most: int, seed: int) -> Pixels:
        """At most `most` pictures, each as likely, in order."""
        if not self.count:
            raise DataError(f"{self.name}: no pictures in it")
        most = max(1, min(most, (2 << 30) // int(np.prod(self.shape))))
        if self.count <= most:
            return np.concatenate(list(self.batches()))
        keep = np.sort(np.random.default_rng(seed).choice(self.count, most, replace=False))
        out, first = [], 0
        for batch in self.batches():
            inside = keep[(keep >= first) & (keep < first + len(batch))] - first
            out.append(batch[inside])
            first += len(batch)
        return np.concatenate(out)


def contact_sheet(pixels: Pixels, across: int) -> bytes:
    """Pictures (n, C, H, W) side by side, `across` in a row, as a PNG; small ones are enlarged."""
    from PIL import Image

    count, channels, high, wide = pixels.shape
    down, gap = -(-count // across), 2
    sheet = np.full((down * (high + gap) + gap, across * (wide + gap) + gap, channels), 255)
    for i, picture in enumerate(pixels):
        y, x = gap + i // across * (high + gap), gap + i % across * (wide + gap)
        sheet[y : y + high, x : x + wide] = picture.transpose(1, 2, 0)
    scale = max(1, ENLARGED // max(high, wide))
    sheet = sheet.astype(np.uint8).repeat(scale, axis=0).repeat(scale, axis=1)
    out = io.BytesIO()
    Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet).save(out, "PNG")
    return out.getvalue()


class FolderSource(ImageSource):
    """All pictures under a folder, by name; one size and either gray or colour."""

    def __init__(self, path: Path, name: str) -> None:
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not files:
            raise DataError(f"{name}: a folder without pictures ({' '.join(SUFFIXES)})")
        self.files = files
        first = _read(files[0], None)
        self.colour = first.ndim == 3
        shape = (3 if self.colour else 1, first.shape[0], first.shape[1])
        super().__init__(name, shape, len(files), {"format": "folder", "suffix": ""})
        self.names = [p.relative_to(path).as_posix() for p in files]

    def batches(self) -> Iterator[Pixels]:
        for first in range(0, len(self.files), BATCH):
            files = self.files[first : first + BATCH]
            yield np.stack([self._one(f) for f in files])

    def _one(self, path: Path) -> Pixels:
        pixels = _read(path, self.colour)
        if pixels.shape[:2] != self.shape[1:]:
            raise DataError(
                f"{path}: {pixels.shape[1]} x {pixels.shape[0]}, the first picture is "
                f"{self.shape[2]} x {self.shape[1]}; pictures must have one size"
            )
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


PLAIN = ("1", "L", "LA", "RGB", "RGBA")  # modes whose pixels say everything
PIXELS_ONLY = ("PNG", "BMP", "PPM")  # formats that hold pixels, and hold them exactly


def plain_pixels(path: Path) -> tuple[str, Pixels] | None:
    """(mode, (C, H, W) uint8) of a file that is fully told by its pixels and mode; None for
    others: palettes, 16 bits, animations, lossy formats, rotation or text beside the pixels."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            plain = picture.format in PIXELS_ONLY and picture.mode in PLAIN
            plain = plain and getattr(picture, "n_frames", 1) == 1 and not picture.getexif()
            plain = plain and "transparency" not in picture.info
            if not plain or picture.width * picture.height > MAX_PIXELS:
                return None
            pixels = np.asarray(picture.convert("L") if picture.mode == "1" else picture)
            return picture.mode, pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None  # kept as the bytes it is
    except Image.DecompressionBombError:
        return None


def _read(path: Path, colour: bool | None) -> Pixels:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
                raise DataError(f"{path}: {picture.mode} pixels; 8 bits a channel are needed")
            if picture.width * picture.height > MAX_PIXELS:
                raise DataError(f"{path}: {picture.width} x {picture.height} is too large")
            if colour is None:
                colour = picture.mode not in ("1", "L", "LA")
            return np.asarray(picture.convert("RGB" if colour else "L"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{path}: not a picture that can be read: {error}") from None
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: {error}") from None


class IdxSource(ImageSource):
    """An idx file of bytes with three or four dimensions (LeCun's MNIST format)."""

    def __init__(self, path: Path, name: str, open_stream: Callable[[Path], BinaryIO]) -> None:
        self.path, self._open = path, open_stream
        with open_stream(path) as stream:
            head = stream.read(20)
        colour = IDX[head[:4]] == 3
        self.skip = 20 if colour else 16
        if len(head) < self.skip:
            raise DataError(f"{name}: the idx header is cut short")
        sizes = [int.from_bytes(head[i : i + 4], "big") for i in range(4, self.skip, 4)]
        channels = sizes[3] if colour else 1
        super().__init__(
            name,
            (channels, sizes[1], sizes[2]),
            sizes[0],
            {"format": "idx", "suffix": name.removesuffix(".gz").rpartition(".")[2]},
        )

    def batches(self) -> Iterator[Pixels]:
        channels, height, width = self.shape
        size = channels * height * width
        with self._open(self.path) as stream:
            stream.read(self.skip)
            left = self.count
            while left:
                want = min(left, BATCH)
                data = _read_all(stream, want * size)
                if len(data) < want * size:
                    raise DataError(
                        f"{self.name}: cut short: the header says {self.count} pictures, picture "
                        f"{self.count - left + len(data) // size + 1} is missing"
                    )
                flat = np.frombuffer(data, dtype=np.uint8)
                yield flat.reshape(want, height, width, channels).transpose(0, 3, 1, 2)
                left -= want
            if stream.read(1):
                raise DataError(f"{self.name}: more bytes than the header's {self.count} pictures")


def _read_all(stream: BinaryIO, size: int) -> bytes:
    parts = []
    while size and (data := stream.read(size)):
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


class ArraySource(ImageSource):
    """A numpy array (n, H, W) or (n, H, W, 1 or 3) of bytes."""

    def __init__(self, array: npt.NDArray[Any], name: str, suffix: str, key: str) -> None:
        if array.dtype != np.uint8 or array.ndim not in (3, 4):
            raise DataError(
                f"{name}: {array.dtype} of shape {array.shape}; pictures are uint8 of shape "
                "(n, height, width) or (n, height, width, 3)"
            )
        self.array = array
        channels = array.shape[3] if array.ndim == 4 else 1
        super().__init__(
            name,
            (channels, array.shape[1], array.shape[2]),
            array.shape[0],
            {"format": suffix[1:], "suffix": suffix, "key": key, "flat": array.ndim == 3},
        )

    def batches(self) -> Iterator[Pixels]:
        for first in range(0, self.count, BATCH):
            part = np.asarray(self.array[first : first + BATCH])
            yield part[:, None] if part.ndim == 3 else part.transpose(0, 3, 1, 2)
