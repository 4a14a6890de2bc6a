"""Sources of pictures: a folder or files of any kinds of them, an idx file, arrays.

aetool.data.pictures brings them to the form that a model sees.
"""

from __future__ import annotations

import io
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from aetool import files
from aetool.canonical import Json
from aetool.data.pictures import decoding, png_chunks
from aetool.data.pictures.decoding import Decoded, Sight, UnreadableError
from aetool.data.pictures.palettes import Palette, palette_of
from aetool.errors import DataError
from aetool.model import Array

if TYPE_CHECKING:
    from PIL import Image

Pixels = npt.NDArray[np.uint8]
Deep = npt.NDArray[np.uint16]
BATCH = 512
MAX_SIDE, MAX_PIXELS = 4096, 1 << 22
ENLARGED = 64  # pixels that a picture of a contact sheet has at most by being enlarged
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm")
MASKS = "ground_truth/"  # where masks of defects are, as MVTec AD has them
PLAINLY_WRITTEN = ("PPM", "BMP", "TIFF")  # their bytes may follow from their pixels
CHANGING = {"transparency", "icc_profile", "gamma", "chromaticity"}  # how pixels are to be seen
CHANNELS = (1, 2, 3, 4)  # of an array of pictures
IDX = {b"\0\0\x08\x03": 1, b"\0\0\x08\x04": 3}


class ImageSource:
    """A source of pictures. names: one for each picture, or none; format: how to write them again.

    If `is_uniform`, `batches` yields them as (n, channels, height, width) uint8; any others
    `sights` and `pictures` tell one by one. remarks: notices on the pictures as a whole.
    """

    kind = "image"
    place: files.Place | None = None  # keeps the bytes of a pipe for as long as its source
    shape: tuple[int, int, int]
    # what is worth saying of them, beside their sizes and modes
    remarks: Sequence[str] = ()

    def __init__(
        self,
        name: str,
        shape: tuple[int, int, int],
        count: int,
        format: dict[str, Json],
    ) -> None:
        check_shape(name, shape)
        self.name = name
        self.shape = shape
        self.count = count
        self.format = format
        self.names: list[str] = []

    def batches(self) -> Iterator[Pixels]:
        """Yield the pictures in order, (n, channels, height, width) at a time. Each call begins
        anew."""
        raise NotImplementedError

    @property
    def is_uniform(self) -> bool:
        """Whether all pictures have one shape and bytes as values, so that `batches` yields them
        unchanged."""
        return True

    @property
    def titles(self) -> Sequence[str]:
        """The name of each picture; none if the pictures have no names."""
        return self.names

    @cached_property
    def sights(self) -> Sequence[Sight | str]:
        """For each picture its size and mode, read from its header, or why it cannot be read."""
        channels, height, width = self.shape
        return [Sight(width, height, channels == 3)] * self.count

    def pictures(self) -> Iterator[Decoded | str]:
        """Yield the pictures in order; in place of one that cannot be read, the reason."""
        for batch in self.batches():
            for pixels in batch:
                yield Decoded(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))

    def decoded(self, record: int) -> Decoded:
        """Read picture number `record`, from 0; UnreadableError if it cannot be read."""
        for place, picture in enumerate(self.pictures()):
            if place == record:
                return _readable(picture)
        raise IndexError(record)

    def why_empty(self) -> str:
        """The message for a source without pictures."""
        return f"{self.name}: no pictures in it"


def _readable(picture: Decoded | str) -> Decoded:
    if isinstance(picture, str):
        raise UnreadableError(picture)
    return picture


def check_shape(name: str, shape: tuple[int, int, int]) -> None:
    """Raise DataError if pictures of this shape, (channels, height, width), are too large, empty,
    or of other channels than 1 or 3."""
    channels, height, width = shape
    if max(height, width) > MAX_SIDE or channels not in (1, 3) or 0 in shape:
        raise DataError(
            f"{name}: pictures of {width} x {height} with {channels} channels; sides up to "
            f"{MAX_SIDE} and 1 or 3 channels are allowed"
        )
    if height * width * channels > MAX_PIXELS:
        raise DataError(f"{name}: pictures of more than {MAX_PIXELS} values; make them smaller")


def contact_sheet(pixels: Pixels, across: int) -> bytes:
    """Draw pictures, (n, channels, height, width), side by side, `across` in a row, as a PNG; small
    ones are enlarged."""
    from PIL import Image

    count, channels, high, wide = pixels.shape
    down = -(-count // across)
    gap = 2
    sheet = np.full((down * (high + gap) + gap, across * (wide + gap) + gap, channels), 255)
    for i, picture in enumerate(pixels):
        y = gap + i // across * (high + gap)
        x = gap + i % across * (wide + gap)
        sheet[y : y + high, x : x + wide] = picture.transpose(1, 2, 0)
    scale = max(1, ENLARGED // max(high, wide))
    sheet = sheet.astype(np.uint8).repeat(scale, axis=0).repeat(scale, axis=1)
    out = io.BytesIO()
    Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet).save(out, "PNG")
    return out.getvalue()


def thumbnail(picture: Pixels, most: int) -> bytes:
    """Write a picture, (channels, height, width), as a PNG, made smaller if a side has more than
    `most` pixels."""
    from PIL import Image

    image = Image.fromarray(picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0))
    image.thumbnail((most, most))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def heat(amounts: npt.NDArray[np.float64], most: int) -> bytes:
    """Draw amounts, (height, width), from 0, as a PNG to lay over a picture: red, the more opaque
    the higher the amount. most: pixels of its longer side."""
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


@dataclass(frozen=True)
class Record:
    """A picture of a source: a file, or one of its frames. title: what messages call it; path: of
    the file; sight: its size and mode, or why it cannot be read; frame: its number, from 0, among
    all `frames` of the file."""

    title: str
    path: Path
    sight: Sight | str
    frame: int = 0
    frames: int = 1


class PictureFiles(ImageSource):
    """Picture files of any kinds, sizes and modes. names, files: of the files; titles: of the
    pictures, which of a file with several frames are file#1, file#2 ..."""

    def __init__(self, name: str, named: Sequence[tuple[str, Path]]) -> None:
        self.name = name
        self.names = [title for title, _ in named]
        self.files = [path for _, path in named]
        self.count = len(self.files)
        self.format = {"format": "folder", "suffix": ""}
        self.places: list[files.Place] = []

    @property
    def is_uniform(self) -> bool:
        return False

    @property
    def wanted(self) -> Sequence[tuple[str, Path]]:
        """(name, path) of each file to be read."""
        return list(zip(self.names, self.files, strict=True))

    def selected(self, kept: Sequence[bool]) -> PictureFiles:
        """A source of those files alone for which `kept` is True."""
        every = zip(self.names, self.files, kept, strict=True)
        chosen = PictureFiles(self.name, [(name, path) for name, path, keep in every if keep])
        chosen.place = self.place
        chosen.places = self.places
        return chosen

    @cached_property
    def records(self) -> Sequence[Record]:
        """Every picture in order; the header of each file is read, once."""
        records: list[Record] = []
        for name, path in self.wanted:
            try:
                sights = decoding.sights(path)
            except UnreadableError as fault:
                records.append(Record(name, path, str(fault)))
                continue
            frames = len(sights)
            for frame, sight in enumerate(sights):
                title = name if frames == 1 else f"{name}#{frame + 1}"
                records.append(Record(title, path, sight, frame, frames))
        return records

    @property
    def titles(self) -> Sequence[str]:
        return [record.title for record in self.records]

    @property
    def sights(self) -> Sequence[Sight | str]:
        return [record.sight for record in self.records]

    def pictures(self) -> Iterator[Decoded | str]:
        for place, record in enumerate(self.records):
            if isinstance(record.sight, str):
                yield record.sight
                continue
            try:
                yield self.decoded(place)
            except UnreadableError as fault:
                yield str(fault)

    def decoded(self, record: int) -> Decoded:
        entry = self.records[record]
        if isinstance(entry.sight, str):
            raise UnreadableError(entry.sight)
        return decoding.decoded(entry.path, entry.frame)

    @property
    def remarks(self) -> Sequence[str]:  # type: ignore[override]
        frames = [record for record in self.records if record.frames > 1]
        moving = sum(record.frame == 0 for record in frames)
        said = []
        if moving:
            files_have = "file has" if moving == 1 else "files have"
            said.append(f"{moving:,} {files_have} several frames: {len(frames):,}, each a picture")
        cut = sum(isinstance(sight, Sight) and sight.cut for sight in self.sights)
        if cut:
            of_all = f"{cut:,} of {len(self.sights):,} pictures"
            said.append(f"{of_all} have more than 8 bits a value, of which the upper 8 are read")
        return said


def picture_files(name: str, places: Sequence[files.Place]) -> PictureFiles:
    """The pictures of files at these places. If there is more than one, each is named by its whole
    path."""
    source = PictureFiles(name, [(Path(place.name).name, place.path) for place in places])
    if len(places) > 1:
        # names of files may be the same in several folders
        source.names = [place.name for place in places]
    # copies of what lies elsewhere stay as long as their source
    source.places = list(places)
    return source


def together(sources: Sequence[PictureFiles]) -> PictureFiles:
    """Join the pictures of several folders and files to one source; names begin with their
    folder's."""
    named = []
    for source in sources:
        before = f"{source.name.rstrip('/')}/" if isinstance(source, FolderSource) else ""
        named += [(before + title, path) for title, path in source.wanted]
    joined = PictureFiles(f"{len(sources)} folders and files", named)
    joined.places = [place for source in sources for place in source.places]
    return joined


def is_named_as_picture(name: str) -> bool:
    """Whether a file of a folder is called as a picture is, and not hidden. name: its path in the
    folder, with /."""
    is_hidden = "/." in f"/{name}"
    return PurePosixPath(name).suffix.lower() in SUFFIXES and not is_hidden


class FolderSource(PictureFiles):
    """All pictures under a folder, by name.

    names, files: the picture files, hidden files left out; others: every other file, which only an
    archive takes; folders: the mode of each folder in it, "" being itself; left_out: what is
    neither a file nor a folder, or leads to a folder elsewhere. Names are paths with /.
    """

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(name, [])
        self.path = path
        self.others: list[str] = []
        self.left_out: list[str] = []
        self.folders: dict[str, int] = {}
        self._walk("")
        self.files = [path / picture for picture in self.names]
        self.count = len(self.files)
        if not self.names and not self.others:
            raise DataError(f"{name}: a folder without pictures, tables or any other file")

    def _walk(self, inside: str) -> None:
        """Add the files below the folder `inside` to names, others or left_out, in the order of
        their names."""
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
            elif is_named_as_picture(name):
                self.names.append(name)
            else:
                self.others.append(name)

    @property
    def wanted(self) -> Sequence[tuple[str, Path]]:
        every = super().wanted
        masks = self._masks
        return [(name, path) for name, path in every if not (masks and name.startswith(MASKS))]

    @property
    def _masks(self) -> int:
        """How many files are masks, which mark the defects of other pictures; 0 if all files
        are."""
        masks = sum(name.startswith(MASKS) for name in self.names)
        return masks if masks < len(self.names) else 0

    @property
    def remarks(self) -> Sequence[str]:  # type: ignore[override]
        said = list(super().remarks)
        if self._masks:
            said.append(f"{self._masks:,} masks in {MASKS} are left out")
        return said

    def why_empty(self) -> str:
        if not self.others:
            return f"{self.name}: a folder without pictures ({' '.join(SUFFIXES)})"
        few = ", ".join(self.others[:3]) + (" ..." if len(self.others) > 3 else "")
        table = f"{self.name}/{self.others[0]}"
        return f"{self.name}: no pictures in it, but {few}; give tables one by one: {table}"


# Formats that hold pixels, and hold them exactly, and the modes in which pixels say everything.
PLAIN = {
    "PNG": ("1", "L", "LA", "RGB", "RGBA", "P", "I;16"),
    "BMP": ("1", "L", "RGB"),
    "PPM": ("1", "L", "RGB"),
    "TIFF": ("L", "RGB", "RGBA", "CMYK", "I;16"),
}


@dataclass(frozen=True, eq=False)
class PlainPicture:
    """A picture file that its format, mode and pixels restore completely.

    format, mode: by Pillow's names. pixels: (C, H, W) uint8, or uint16 of mode I;16. palette: of
    mode P, whose pixels are places in it.
    """

    format: str
    mode: str
    pixels: Pixels | Deep
    palette: Palette | None = None


def pillow_picture(pixels: Pixels | Deep, mode: str = "") -> Image.Image:
    """A Pillow image of the pixels of a PlainPicture. mode: Pillow's name; "": gray or colour, by
    the channels."""
    from PIL import Image

    flat = pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0)
    if mode == "CMYK":
        height, width = flat.shape[:2]
        return Image.frombytes(mode, (width, height), flat.tobytes())
    picture = Image.fromarray(np.ascontiguousarray(flat))
    if mode == "1":
        return picture.convert("1", dither=Image.Dither.NONE)
    return picture


def plain_picture(path: Path) -> PlainPicture | None:
    """The format, mode and pixels of a picture file that has nothing else to restore; None for
    others: palettes of other formats than PNG, several channels of 16 bits, animations, lossy
    formats, rotation or text beside the pixels, damaged files."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            plain = picture.mode in PLAIN.get(picture.format or "", ())
            plain = plain and getattr(picture, "n_frames", 1) == 1
            # a TIFF has its sizes there, and is written again to see what else it says
            plain = plain and (picture.format == "TIFF" or not picture.getexif())
            of_palette = picture.mode == "P"
            changing = CHANGING - {"transparency"} if of_palette else CHANGING
            plain = plain and not changing & picture.info.keys()
            plain = plain and not (picture.format == "PNG" and _is_deeper(picture.mode, path))
            plain = plain and not (
                picture.format == "PNG" and png_chunks.has_more(path, of_palette)
            )
            if not plain or picture.width * picture.height > MAX_PIXELS:
                return None
            pixels = np.asarray(picture.convert("L") if picture.mode == "1" else picture)
            pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
            if picture.format in PLAINLY_WRITTEN:
                # what a file says beside its pixels (the largest value, a resolution, a second
                # picture) would be lost: then writing it again gives other bytes
                again = io.BytesIO()
                pillow_picture(pixels, picture.mode).save(again, picture.format)
                if again.getvalue() != path.read_bytes():
                    return None
            palette = palette_of(picture) if of_palette else None
            if of_palette and palette is None:
                return None
            return PlainPicture(str(picture.format), picture.mode, pixels, palette)
    except Exception:
        # Pillow raises whatever a damaged header leads it to, a TypeError for a size that is no
        # number among them; such a file, or a bomb, is kept as the bytes it is
        return None


def _is_deeper(mode: str, path: Path) -> bool:
    """Whether a PNG has values of 16 bits, of which Pillow reads only the upper 8."""
    return mode != "I;16" and decoding.depth_of_png(path) > decoding.BYTE


class IdxSource(ImageSource):
    """An idx file of bytes with three or four dimensions (LeCun's MNIST format)."""

    def __init__(self, path: Path, name: str, open_stream: Callable[[Path], BinaryIO]) -> None:
        self.path = path
        self._open = open_stream
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
            remaining = self.count
            while remaining:
                want = min(remaining, BATCH)
                data = _read_all(stream, want * size)
                if len(data) < want * size:
                    raise DataError(
                        f"{self.name}: cut short: the header says {self.count} pictures, picture "
                        f"{self.count - remaining + len(data) // size + 1} is missing"
                    )
                flat = np.frombuffer(data, dtype=np.uint8)
                yield flat.reshape(want, height, width, channels).transpose(0, 3, 1, 2)
                remaining -= want
            if stream.read(1):
                raise DataError(f"{self.name}: more bytes than the header's {self.count} pictures")


def _read_all(stream: BinaryIO, size: int) -> bytes:
    parts = []
    while size and (data := stream.read(size)):
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


class ArraySource(ImageSource):
    """A numpy array of pictures, (n, height, width) or (n, height, width, 1 .. 4), of any numbers.
    The second of two channels, and the fourth of four, are opacity."""

    def __init__(self, array: Array, name: str, suffix: str, key: str) -> None:
        usual = array.ndim in (3, 4) and array.dtype.kind in "buif"
        if not usual or (array.ndim == 4 and array.shape[3] not in CHANNELS):
            raise DataError(
                f"{name}: {array.dtype} of shape {array.shape}; pictures are numbers of shape "
                "(n, height, width) or (n, height, width, 1 to 4)"
            )
        self.array = array
        channels = array.shape[3] if array.ndim == 4 else 1
        super().__init__(
            name,
            (3 if channels > 2 else 1, array.shape[1], array.shape[2]),
            array.shape[0],
            {"format": suffix[1:], "suffix": suffix, "key": key, "flat": array.ndim == 3},
        )
        self.has_alpha = channels in (2, 4)

    @property
    def is_uniform(self) -> bool:
        return self.array.dtype == np.uint8 and not self.has_alpha

    @cached_property
    def sights(self) -> Sequence[Sight | str]:
        channels, height, width = self.shape
        deep = self.array.dtype not in (np.uint8, np.bool_)
        return [Sight(width, height, channels == 3, deep, self.has_alpha)] * self.count

    def pictures(self) -> Iterator[Decoded | str]:
        for pixels in self.array:
            try:
                yield decoding.of_array(pixels)
            except UnreadableError as fault:
                yield str(fault)

    def decoded(self, record: int) -> Decoded:
        return decoding.of_array(self.array[record])

    def batches(self) -> Iterator[Pixels]:
        for first in range(0, self.count, BATCH):
            part = np.asarray(self.array[first : first + BATCH])
            yield part[:, None] if part.ndim == 3 else part.transpose(0, 3, 1, 2)


class ListSource(ImageSource):
    """Pictures in memory, of any sizes: arrays (height, width) or (height, width, 1 .. 4), or
    Pillow images."""

    def __init__(self, pictures: Sequence[object]) -> None:
        self.name = "list"
        self.names = []
        self.held = list(pictures)
        self.count = len(self.held)
        self.format = {"format": "npy", "suffix": ".npy", "key": "c"}

    @property
    def is_uniform(self) -> bool:
        return False

    @cached_property
    def sights(self) -> Sequence[Sight | str]:
        return [decoding.sight_of_memory(picture) for picture in self.held]

    def pictures(self) -> Iterator[Decoded | str]:
        for picture in self.held:
            try:
                yield decoding.of_memory(picture)
            except UnreadableError as fault:
                yield str(fault)

    def decoded(self, record: int) -> Decoded:
        return decoding.of_memory(self.held[record])
