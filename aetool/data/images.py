"""Pictures of one size as batches of bytes: a folder, an idx file, a numpy array."""

from __future__ import annotations

import functools
import io
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
PLAINLY_WRITTEN = ("PPM", "BMP")  # their bytes follow from their pixels
CHANGING = {"transparency", "icc_profile", "gamma", "chromaticity"}  # how pixels are to be seen
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
        check_shape(name, shape)
        self.name, self.shape, self.count, self.format = name, shape, count, format
        self.names: list[str] = []

    def batches(self) -> Iterator[Pixels]:
        """The pictures in order; can be called again."""
        raise NotImplementedError

    def _instead(self) -> str:
        """What else is there, and what to do with it."""
        return ""

    def sample(self, most: int, seed: int) -> Pixels:
        """At most `most` pictures, each as likely, in order."""
        if not self.count:
            raise DataError(f"{self.name}: no pictures in it{self._instead()}")
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


def check_shape(name: str, shape: tuple[int, int, int]) -> None:
    """Refuses pictures (channels, height, width) that no model takes."""
    channels, height, width = shape
    if max(height, width) > MAX_SIDE or channels not in (1, 3) or 0 in shape:
        raise DataError(
            f"{name}: pictures of {width} x {height} with {channels} channels; sides up to "
            f"{MAX_SIDE} and 1 or 3 channels are allowed"
        )
    if height * width * channels > MAX_PIXELS:
        raise DataError(f"{name}: pictures of more than {MAX_PIXELS} values; make them smaller")


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


def thumbnail(picture: Pixels, most: int) -> bytes:
    """A picture (C, H, W) as a PNG whose sides have at most so many pixels."""
    from PIL import Image

    image = Image.fromarray(picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0))
    image.thumbnail((most, most))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def heat(amounts: npt.NDArray[np.float64], most: int) -> bytes:
    """Amounts (H, W) >= 0 as a PNG to be laid over a picture: red, the less transparent the more;
    sides have at most so many pixels."""
    from PIL import Image

    highest = float(amounts.max(initial=0.0)) or 1.0
    # the root shows what is weaker, too
    strength = np.sqrt(amounts / highest)
    image = Image.fromarray((255 * strength).astype(np.uint8))
    image.thumbnail((most, most))
    red = Image.new("L", image.size, 230)
    none = Image.new("L", image.size, 20)
    out = io.BytesIO()
    Image.merge("RGBA", (red, none, none, image)).save(out, "PNG", optimize=True)
    return out.getvalue()


class FolderSource(ImageSource):
    """All pictures under a folder, by name: of one size, and either gray or colour.

    names, files: the pictures, hidden files left out; others: every other file, which only an
    archive takes; folders: the mode of each folder in it, "" being itself; left_out: what is
    neither a file nor a folder, or leads to a folder elsewhere. Names are paths with /.

    Size and colour are what most of the pictures have, and are told when they are first needed.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self.format = {"format": "folder", "suffix": ""}
        self.names = []
        self.others: list[str] = []
        self.left_out: list[str] = []
        self.folders: dict[str, int] = {}
        self._walk("")
        self.files = [path / picture for picture in self.names]
        self.count = len(self.files)
        if not self.names and not self.others:
            raise DataError(f"{name}: a folder without pictures, or any other file")

    def _walk(self, inside: str) -> None:
        """Add what is in a folder, by name."""
        folder = self.path / inside
        try:
            self.folders[inside] = stat.S_IMODE(folder.stat().st_mode)
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from None
        for entry in entries:
            name = entry.relative_to(self.path).as_posix()
            if entry.is_dir() and not entry.is_symlink():
                self._walk(name)
            elif not entry.is_file():
                self.left_out.append(name)
            elif entry.suffix.lower() in SUFFIXES and not f"/{name}".count("/."):
                self.names.append(name)
            else:
                self.others.append(name)

    def _instead(self) -> str:
        if not self.others:
            return ""
        few = ", ".join(self.others[:3]) + (" ..." if len(self.others) > 3 else "")
        return f", but {few}; give tables one by one: {self.name}/{self.others[0]}"

    @functools.cached_property
    def _kinds(self) -> list[tuple[int, int, bool]]:
        """(height, width, whether in colour) of each picture, by the beginning of its file."""
        if not self.files:
            raise DataError(f"{self.name}: a folder without pictures ({' '.join(SUFFIXES)})")
        return [_kind(file) for file in self.files]

    @functools.cached_property
    def colour(self) -> bool:
        """Whether most pictures are in colour."""
        return 2 * sum(coloured for _, _, coloured in self._kinds) > len(self._kinds)

    @functools.cached_property
    def shape(self) -> tuple[int, int, int]:  # type: ignore[override]
        """(channels, height, width) of most pictures."""
        sizes = Counter((height, width) for height, width, _ in self._kinds)
        (height, width), _ = sizes.most_common(1)[0]
        shape = (3 if self.colour else 1, height, width)
        check_shape(self.name, shape)
        return shape

    def batches(self) -> Iterator[Pixels]:
        _, height, width = self.shape
        for file, (high, wide, _) in zip(self.files, self._kinds, strict=True):
            if (high, wide) != (height, width):
                raise DataError(
                    f"{file}: {wide} x {high}, and most pictures of {self.name} are {width} x "
                    f"{height}; pictures must have one size"
                )
        for first in range(0, len(self.files), BATCH):
            files = self.files[first : first + BATCH]
            yield np.stack([self._one(file) for file in files])

    def _one(self, path: Path) -> Pixels:
        pixels = _read(path, self.colour)
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


# Formats that hold pixels, and hold them exactly, and the modes in which pixels say everything.
PLAIN = {
    "PNG": ("1", "L", "LA", "RGB", "RGBA"),
    "BMP": ("1", "L", "RGB"),
    "PPM": ("1", "L", "RGB"),
}


@dataclass(frozen=True, eq=False)
class PlainPicture:
    """A picture file that is fully told by its format and mode (Pillow's names of them) and its
    pixels, (C, H, W) uint8."""

    format: str
    mode: str
    pixels: Pixels


def plain_picture(path: Path) -> PlainPicture | None:
    """What a file holds; None for others: palettes, 16 bits, animations, lossy formats, rotation or
    text beside the pixels."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            plain = picture.mode in PLAIN.get(picture.format or "", ())
            plain = plain and getattr(picture, "n_frames", 1) == 1 and not picture.getexif()
            plain = plain and not CHANGING & picture.info.keys()
            if not plain or picture.width * picture.height > MAX_PIXELS:
                return None
            pixels = np.asarray(picture.convert("L") if picture.mode == "1" else picture)
            pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
            if picture.format in PLAINLY_WRITTEN:
                # what a file says beside its pixels (the largest value, a resolution, a second
                # picture) would be lost: then writing it again gives other bytes
                again = io.BytesIO()
                picture.save(again, picture.format)
                if again.getvalue() != path.read_bytes():
                    return None
            return PlainPicture(str(picture.format), picture.mode, pixels)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None  # kept as the bytes it is
    except Image.DecompressionBombError:
        return None


def _kind(path: Path) -> tuple[int, int, bool]:
    """(height, width, whether in colour) of a picture, of which only the beginning is read."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            return picture.height, picture.width, picture.mode not in ("1", "L", "LA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{path}: not a picture that can be read: {error}") from None
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: {error}") from None


def _read(path: Path, colour: bool) -> Pixels:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
                raise DataError(f"{path}: {picture.mode} pixels; 8 bits a channel are needed")
            if picture.width * picture.height > MAX_PIXELS:
                raise DataError(f"{path}: {picture.width} x {picture.height} is too large")
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
