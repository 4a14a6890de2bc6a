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
from typing import TYPE_CHECKING, BinaryIO, TypeVar

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
PixelsOfAnyDepth = TypeVar("PixelsOfAnyDepth", Pixels, Deep, Pixels | Deep)
BATCH = 512  # pictures
MAX_SIDE, MAX_PIXELS = 4096, 1 << 22
ENLARGED = 64  # pixels that a picture of a contact sheet has at most by being enlarged
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm")
MASKS = "ground_truth/"  # where masks of defects are, as MVTec AD has them
PLAINLY_WRITTEN = ("PPM", "BMP", "TIFF")  # their bytes may follow from their pixels
CHANGING = {"transparency", "icc_profile", "gamma", "chromaticity"}  # they change how pixels look
CHANNELS = (1, 2, 3, 4)  # of an array of pictures
IDX = {b"\0\0\x08\x03": 1, b"\0\0\x08\x04": 3}  # by the first bytes: of 3 axes gray, of 4 in colour


class ImageSource:
    """A source of pictures; kinds of sources derive from it. name: for messages; shape: (channels,
    height, width), DataError for one that is empty or too large; count: how many pictures; names:
    one for each, or none; format: how to write them again, with at least "format", the kind of
    file.

    If `has_plain_batches`, `batches` yields them as (n, channels, height, width) uint8; any others
    `sights` and `pictures` tell one by one, and `shape` is not set. remarks: notices on the
    pictures as a whole. place: of the file or folder, None if of none; it keeps the bytes of a
    pipe.
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
        """Yield the pictures in order, (n, channels, height, width) uint8 at a time, of a source
        that `has_plain_batches`; of any other `pictures` is to be asked. Each call begins anew.
        DataError for a file that does not hold what its header says; NotImplementedError here:
        kinds of sources override it."""
        raise NotImplementedError

    @property
    def has_plain_batches(self) -> bool:
        """Whether `batches` yields the pictures as they are, in `shape`: all of one size, their
        values uint8, and none with an alpha channel; by default True."""
        return True

    @property
    def titles(self) -> Sequence[str]:
        """The name of each picture, in order; [] if the pictures have no names."""
        return self.names

    @cached_property
    def sights(self) -> Sequence[Sight | str]:
        """For each picture, in order, its size and mode, or, as a str, why it cannot be read. By
        default the same for all, as `shape` tells it."""
        channels, height, width = self.shape
        is_colour = channels == 3
        sight = Sight(width, height, is_colour)
        return [sight] * self.count

    def pictures(self) -> Iterator[Decoded | str]:
        """Yield the pictures in order; in place of one that cannot be read, the reason, a str. Each
        call begins anew. DataError for a file that does not hold what its header says."""
        for batch in self.batches():
            for pixels in batch:
                yield Decoded(_channels_last(pixels))

    def decoded(self, record: int) -> Decoded:
        """Read picture number `record`, from 0; UnreadableError if it cannot be read, IndexError if
        there are not so many; DataError for a file that does not hold what its header says."""
        for place, picture in enumerate(self.pictures()):
            if place == record:
                return _readable(picture)
        raise IndexError(record)

    def why_empty(self) -> str:
        """Return the message, with the source's name, of the error for a source that has no
        pictures."""
        return f"{self.name}: no pictures in it"


def _readable(picture: Decoded | str) -> Decoded:
    """Return the picture as it is; UnreadableError if a reason, a str, is in its place."""
    if isinstance(picture, str):
        raise UnreadableError(picture)
    return picture


def _channels_last(pixels: PixelsOfAnyDepth) -> PixelsOfAnyDepth:
    """Pixels, (channels, height, width), in the order of axes that Pillow has: (height, width) of
    one channel, else (height, width, channels)."""
    if len(pixels) == 1:
        gray: PixelsOfAnyDepth = pixels[0]
        return gray
    return pixels.transpose(1, 2, 0)


def check_shape(name: str, shape: tuple[int, int, int]) -> None:
    """Raise DataError if pictures of this shape, (channels, height, width), are empty, have other
    channels than 1 or 3, a side of more than MAX_SIDE (4,096), or more than MAX_PIXELS (2^22)
    values, channels counted. name: of the source, for messages."""
    channels, height, width = shape
    is_too_long = max(height, width) > MAX_SIDE
    if is_too_long or channels not in (1, 3) or 0 in shape:
        raise DataError(
            f"{name}: pictures of {width} x {height} with {channels} channels; sides up to "
            f"{MAX_SIDE} and 1 or 3 channels are allowed"
        )
    if height * width * channels > MAX_PIXELS:
        raise DataError(f"{name}: pictures of more than {MAX_PIXELS} values; make them smaller")


def contact_sheet(pixels: Pixels, across: int) -> bytes:
    """Draw pictures, (n, channels, height, width) uint8 of 1 or 3 channels, side by side on white,
    `across` in a row, row by row; returns the bytes of a PNG. Small ones are enlarged by a whole
    factor, to at most ENLARGED (64) pixels a side."""
    from PIL import Image

    count, channels, height, width = pixels.shape
    # how many rows, rounded up: the last may be short
    down = -(-count // across)
    gap = 2
    step_down = height + gap
    step_across = width + gap
    sheet = np.full(
        (down * step_down + gap, across * step_across + gap, channels),
        255,
        dtype=np.uint8,
    )
    for number, picture in enumerate(pixels):
        row, column = divmod(number, across)
        top = gap + row * step_down
        left = gap + column * step_across
        sheet[top : top + height, left : left + width] = picture.transpose(1, 2, 0)
    times = max(1, ENLARGED // max(height, width))
    taller = sheet.repeat(times, axis=0)
    large = taller.repeat(times, axis=1)
    flat = large[:, :, 0] if channels == 1 else large
    return _as_png(Image.fromarray(flat))


def _as_png(image: Image.Image, optimize: bool = False) -> bytes:
    """The bytes of a PNG file of an image. optimize: take longer to find a smaller one."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=optimize)
    return buffer.getvalue()


def thumbnail(picture: Pixels, most: int) -> bytes:
    """Write a picture, (channels, height, width) uint8 of 1 or 3 channels, as the bytes of a PNG,
    made smaller, its sides in the same ratio, if a side has more than `most` pixels."""
    from PIL import Image

    image = Image.fromarray(_channels_last(picture))
    image.thumbnail((most, most))
    return _as_png(image, optimize=True)


def heat(amounts: npt.NDArray[np.float64], most: int) -> bytes:
    """Draw amounts, (height, width), 0 or more, as the bytes of a PNG to lay over a picture: red
    everywhere, transparent where the amount is 0 and opaque where it is highest, between by the
    square root of its share of the highest. most: the drawing is made smaller, its sides in the
    same ratio, if a side has more pixels."""
    from PIL import Image

    # 1 where all are 0, to divide by
    highest = float(amounts.max(initial=0.0)) or 1.0
    # the root makes weak amounts visible, too
    strength = np.sqrt(amounts / highest)
    levels = (255 * strength).astype(np.uint8)
    opacity = Image.fromarray(levels)
    opacity.thumbnail((most, most))
    red = Image.new("L", opacity.size, 230)
    green_and_blue = Image.new("L", opacity.size, 20)
    bands = (red, green_and_blue, green_and_blue, opacity)
    return _as_png(Image.merge("RGBA", bands), optimize=True)


@dataclass(frozen=True)
class Record:
    """A picture of a source: a file, or one of its frames. title: what messages call it; path: of
    the file; sight: its size and mode, or, as a str, why it cannot be read; frame: its number, from
    0, among the file's pictures, of which there are `frames`."""

    title: str
    path: Path
    sight: Sight | str
    frame: int = 0
    frames: int = 1


class PictureFiles(ImageSource):
    """Picture files of any kinds, sizes and modes. names, files: names and paths of the files;
    count: how many files; titles: of the pictures, which of a file with several frames are file#1,
    file#2 ...; places: keep copied files for as long as their source. `batches` is not to be
    called."""

    def __init__(self, name: str, named: Sequence[tuple[str, Path]]) -> None:
        """Name the files, of which nothing is read yet. name: of the source, for messages. named:
        (name, path) of each file, perhaps none."""
        self.name = name
        self.names = [title for title, _ in named]
        self.files = [path for _, path in named]
        self.count = len(self.files)
        self.format = {"format": "folder", "suffix": ""}
        self.places: list[files.Place] = []

    @property
    def has_plain_batches(self) -> bool:
        """Whether all pictures are known to have one size, uint8 values and no alpha channel:
        False, as files may differ, and are not looked at for that."""
        return False

    @property
    def wanted(self) -> Sequence[tuple[str, Path]]:
        """The files to be read, in order: (name, path) of each; all, but of a folder masks are left
        out."""
        return list(zip(self.names, self.files, strict=True))

    def selected(self, kept: Sequence[bool]) -> PictureFiles:
        """Make a source of only those files for which `kept`, one truth value for each of `files`,
        is True. Of a folder, too, it is a plain PictureFiles, which leaves no masks out."""
        every = zip(self.names, self.files, kept, strict=True)
        named = [(name, path) for name, path, is_kept in every if is_kept]
        chosen = PictureFiles(self.name, named)
        # the copies of files that lie elsewhere stay as long as this source, too
        chosen.place = self.place
        chosen.places = self.places
        return chosen

    @cached_property
    def records(self) -> Sequence[Record]:
        """Every picture, each frame of a file, in order; the header of each file is read, once. A
        file that cannot be read is one picture with the reason."""
        records: list[Record] = []
        for name, path in self.wanted:
            try:
                sights = decoding.sights(path)
            except UnreadableError as fault:
                records.append(Record(name, path, str(fault)))
                continue
            # a file of one picture gives it its own name
            frames = len(sights)
            for frame, sight in enumerate(sights):
                title = name if frames == 1 else f"{name}#{frame + 1}"
                records.append(Record(title, path, sight, frame, frames))
        return records

    @property
    def titles(self) -> Sequence[str]:
        """The name of each picture: its file's, with #1, #2 ... of several frames."""
        return [record.title for record in self.records]

    @property
    def sights(self) -> Sequence[Sight | str]:
        """For each picture, in order, its size and mode, or, as a str, why it cannot be read; the
        header of each file is read, once."""
        return [record.sight for record in self.records]

    def pictures(self) -> Iterator[Decoded | str]:
        """Decode each picture anew, in order; a str, the reason, for one that cannot be read."""
        for place, record in enumerate(self.records):
            if isinstance(record.sight, str):
                yield record.sight
                continue
            try:
                yield self.decoded(place)
            except UnreadableError as fault:
                yield str(fault)

    def decoded(self, record: int) -> Decoded:
        """Decode picture number `record`, from 0, alone; UnreadableError if it cannot be read."""
        entry = self.records[record]
        # the header could not be read: the reason is in the place of the sight
        if isinstance(entry.sight, str):
            raise UnreadableError(entry.sight)
        return decoding.decoded(entry.path, entry.frame)

    @property
    def remarks(self) -> Sequence[str]:  # type: ignore[override]
        """Lines on files of several frames, and on values cut to 8 bits, if there are such."""
        remarks = []
        frames = [record for record in self.records if record.frames > 1]
        # each such file has one first frame
        animations = sum(record.frame == 0 for record in frames)
        if animations:
            files_have = "file has" if animations == 1 else "files have"
            remarks.append(
                f"{animations:,} {files_have} several frames: {len(frames):,}, each a picture"
            )
        readable = [sight for sight in self.sights if isinstance(sight, Sight)]
        # pictures whose values are cut to 8 bits
        cut_count = sum(sight.cut for sight in readable)
        if cut_count:
            of_all = f"{cut_count:,} of {len(self.sights):,} pictures"
            remarks.append(f"{of_all} have more than 8 bits a value, of which the upper 8 are read")
        return remarks


def picture_files(name: str, places: Sequence[files.Place]) -> PictureFiles:
    """A source, called `name` in messages, of the pictures of files at these places; nothing is
    read yet. If there is more than one, each is named by its place's name, the path as the user
    wrote it, else by the file's name alone."""
    # names of files may be the same in several folders
    by_path = len(places) > 1
    named = []
    for place in places:
        title = place.name if by_path else Path(place.name).name
        named.append((title, place.path))
    source = PictureFiles(name, named)
    # copies of what lies elsewhere stay as long as their source
    source.places = list(places)
    return source


def together(sources: Sequence[PictureFiles]) -> PictureFiles:
    """Join the pictures of several folders and files to one source, in order; names of pictures of
    a folder begin with the folder's. Masks of folders are left out."""
    named = []
    places: list[files.Place] = []
    for source in sources:
        prefix = ""
        if isinstance(source, FolderSource):
            prefix = source.name.rstrip("/") + "/"
        for title, path in source.wanted:
            named.append((prefix + title, path))
        places += source.places
    joined = PictureFiles(f"{len(sources)} folders and files", named)
    joined.places = places
    return joined


def is_named_as_picture(name: str) -> bool:
    """Whether a file of a folder has one of SUFFIXES, in any case, and no part of its path begins
    with a point. name: its path in the folder, with /."""
    is_hidden = "/." in f"/{name}"
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in SUFFIXES and not is_hidden


class FolderSource(PictureFiles):
    """All pictures under a folder, by name.

    names, files: names and paths of the picture files, as of `is_named_as_picture`, masks among
    them; others: every other file, which only an archive takes; folders: by name the permission
    bits of each folder in it, "" being itself; left_out: what is neither a file nor a folder, or a
    link to a folder. Names are paths in the folder, with /. DataError if the folder has no file, or
    cannot be read.
    """

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(name, [])
        self.path = path
        self.others: list[str] = []
        self.left_out: list[str] = []
        self.folders: dict[str, int] = {}
        self._list_files_in("")
        # names are complete only now
        self.files = [path / picture for picture in self.names]
        self.count = len(self.files)
        if not self.names and not self.others:
            raise DataError(f"{name}: a folder without pictures, tables or any other file")

    def _list_files_in(self, inside: str) -> None:
        """Add the files below the folder `inside` to names, others or left_out, in the order of
        their names, and the folders to `folders`. inside: its path in the source's folder, "" for
        that itself. DataError if one cannot be read."""
        folder = self.path / inside
        try:
            self.folders[inside] = stat.S_IMODE(folder.stat().st_mode)
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from None
        for entry in entries:
            name = entry.relative_to(self.path).as_posix()
            # a link to a folder may lead back here: it is not followed
            if entry.is_dir() and not entry.is_symlink():
                self._list_files_in(name)
            elif not entry.is_file():
                self.left_out.append(name)
            elif is_named_as_picture(name):
                self.names.append(name)
            else:
                self.others.append(name)

    @property
    def wanted(self) -> Sequence[tuple[str, Path]]:
        """The picture files to be read, in order: (name, path) of each but masks; of masks too, if
        all are masks."""
        every = super().wanted
        if not self._mask_count:
            return every
        return [(name, path) for name, path in every if not name.startswith(MASKS)]

    @property
    def _mask_count(self) -> int:
        """How many picture files are masks, which mark the defects of other pictures: those in the
        folder MASKS; 0 if all are."""
        masks = sum(name.startswith(MASKS) for name in self.names)
        # with nothing else there, they are the pictures that are meant
        return masks if masks < len(self.names) else 0

    @property
    def remarks(self) -> Sequence[str]:  # type: ignore[override]
        """Lines on files of several frames, on values cut to 8 bits, and on masks that are left
        out, if there are such."""
        remarks = list(super().remarks)
        if self._mask_count:
            remarks.append(f"{self._mask_count:,} masks in {MASKS} are left out")
        return remarks

    def why_empty(self) -> str:
        """Return the message of the error for a folder without pictures; it names a few of the
        other files."""
        if not self.others:
            return f"{self.name}: a folder without pictures ({' '.join(SUFFIXES)})"
        few = ", ".join(self.others[:3])
        if len(self.others) > 3:
            few += " ..."
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

    format, mode: by Pillow's names, one of PLAIN. pixels: (channels, height, width) uint8, or
    uint16 of mode I;16; of mode 1 they are 0 and 255. palette: of mode P, whose pixels are places
    in it, else None.
    """

    format: str
    mode: str
    pixels: Pixels | Deep
    palette: Palette | None = None


def pillow_picture(pixels: Pixels | Deep, mode: str = "") -> Image.Image:
    """Make a Pillow image, without a palette, of the pixels of a PlainPicture, (channels, height,
    width). mode: Pillow's name, of which only 1 and CMYK are looked at; otherwise the mode (L, LA,
    RGB, RGBA or I;16) follows from the channels and the type of the pixels."""
    from PIL import Image

    flat = _channels_last(pixels)
    # fromarray takes four channels for RGBA
    if mode == "CMYK":
        height, width = flat.shape[:2]
        return Image.frombytes(mode, (width, height), flat.tobytes())
    raw = np.ascontiguousarray(flat)
    picture = Image.fromarray(raw)
    if mode == "1":
        # without dithering levels 0 and 255 become 0 and 1, and nothing else
        return picture.convert("1", dither=Image.Dither.NONE)
    return picture


def plain_picture(path: Path) -> PlainPicture | None:
    """The format, mode and pixels of a picture file that has nothing else to restore, notes of a
    PNG (png_chunks.NOTE_KINDS: texts, times, resolution) aside, which are not restored. None for
    others: palettes of other formats than PNG, several channels of 16 bits, animations, lossy
    formats, EXIF such as a rotation, more than MAX_PIXELS (2^22) pixels, a PPM, BMP or TIFF whose
    bytes Pillow would not write again, files that are damaged or missing."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            size = picture.width * picture.height
            if size > MAX_PIXELS or not _is_plain(picture, path):
                return None
            pixels = _channels_first(picture)
            if picture.format in PLAINLY_WRITTEN and not _gives_the_same_file(
                picture, pixels, path
            ):
                return None
            palette = None
            if picture.mode == "P":
                palette = palette_of(picture)
                if palette is None:
                    return None
            return PlainPicture(
                str(picture.format),
                picture.mode,
                pixels,
                palette,
            )
    except Exception:
        # Pillow raises whatever a damaged header leads it to, a TypeError for a size that is no
        # number among them; such a file, or a bomb, is kept as the bytes it is
        return None


def _is_plain(picture: Image.Image, path: Path) -> bool:
    """Whether an open picture's header, and the chunks of a PNG, say that its pixels, and a
    palette, are all there is to restore. path: of its file; OSError if that cannot be opened."""
    has_palette = picture.mode == "P"
    if picture.mode not in PLAIN.get(picture.format or "", ()):
        return False
    if getattr(picture, "n_frames", 1) != 1:
        return False
    # of a TIFF even its size is EXIF: what else it says shows when it is written again
    if picture.format != "TIFF" and picture.getexif():
        return False
    # with a palette the transparency is stored, as a part of that
    changing = CHANGING - {"transparency"} if has_palette else CHANGING
    if changing & picture.info.keys():
        return False
    if picture.format != "PNG":
        return True
    if _is_cut_to_8_bits(picture.mode, path):
        return False
    return not png_chunks.has_more(path, has_palette)


def _channels_first(picture: Image.Image) -> Pixels | Deep:
    """The pixels of a picture of a mode in PLAIN, (channels, height, width), uint8, or uint16 of
    mode I;16; those of one bit as 0 and 255."""
    if picture.mode == "1":
        picture = picture.convert("L")
    pixels = np.asarray(picture)
    if pixels.ndim == 2:
        return pixels[None]
    return pixels.transpose(2, 0, 1)


def _gives_the_same_file(picture: Image.Image, pixels: Pixels | Deep, path: Path) -> bool:
    """Whether these pixels, (channels, height, width), written in the picture's format and mode,
    give the very bytes of its file, at `path`.

    What a file says beside its pixels (the largest value, a resolution, a second picture) would be
    lost: then writing it again gives other bytes.
    """
    buffer = io.BytesIO()
    picture_again = pillow_picture(pixels, picture.mode)
    picture_again.save(buffer, picture.format)
    return buffer.getvalue() == path.read_bytes()


def _is_cut_to_8_bits(mode: str, path: Path) -> bool:
    """Whether a PNG has values of 16 bits, of which Pillow reads only the upper 8. mode: of the
    picture, as Pillow calls it; path: of its file; OSError if that cannot be opened."""
    if mode == "I;16":
        return False
    return decoding.depth_of_png(path) > decoding.BYTE


class IdxSource(ImageSource):
    """An idx file of bytes with three or four axes (LeCun's MNIST format): (n, height, width), or
    (n, height, width, channels)."""

    def __init__(
        self,
        path: Path,
        name: str,
        open_stream: Callable[[Path], BinaryIO],
    ) -> None:
        """Read the header of the file at a path. name: for messages and the suffix. open_stream:
        opens that file, whose first four bytes are one of IDX, and unpacks it if it is compressed.
        DataError if the header is cut short, or pictures are empty, too large or of other channels
        than 1 or 3."""
        self.path = path
        self._open = open_stream
        with open_stream(path) as stream:
            head = stream.read(20)
        is_colour = IDX[head[:4]] == 3
        # four bytes for the magic number, and for each axis
        self.skip = 20 if is_colour else 16
        if len(head) < self.skip:
            raise DataError(f"{name}: the idx header is cut short")
        sizes = []
        for begin in range(4, self.skip, 4):
            size = int.from_bytes(head[begin : begin + 4], "big")
            sizes.append(size)
        count, height, width = sizes[:3]
        channels = sizes[3] if is_colour else 1
        # as train-images.idx3-ubyte.gz is called
        _, _, suffix = name.removesuffix(".gz").rpartition(".")
        super().__init__(
            name,
            (channels, height, width),
            count,
            {"format": "idx", "suffix": suffix},
        )

    def batches(self) -> Iterator[Pixels]:
        """Yield the pictures in order, (n, channels, height, width) uint8, at most BATCH (512) at a
        time; DataError for a file that has more or fewer than its header says."""
        channels, height, width = self.shape
        size = channels * height * width
        with self._open(self.path) as stream:
            stream.read(self.skip)
            remaining = self.count
            while remaining:
                count = min(remaining, BATCH)
                data = _read_all(stream, count * size)
                if len(data) < count * size:
                    complete = self.count - remaining + len(data) // size
                    raise DataError(
                        f"{self.name}: cut short: the header says {self.count} pictures, picture "
                        f"{complete + 1} is missing"
                    )
                flat = np.frombuffer(data, dtype=np.uint8)
                channels_last = flat.reshape(count, height, width, channels)
                yield channels_last.transpose(0, 3, 1, 2)
                remaining -= count
            # what follows was of a larger file, or the header is not this file's
            if stream.read(1):
                raise DataError(f"{self.name}: more bytes than the header's {self.count} pictures")


def _read_all(stream: BinaryIO, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end of the stream: one call of its `read` may return
    less."""
    parts = []
    while size and (data := stream.read(size)):
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


class ArraySource(ImageSource):
    """A numpy array of pictures, (n, height, width) or (n, height, width, 1 .. 4), of numbers or
    truth values. The second of two channels, and the fourth of four, are opacity, which `shape`
    does not count. has_alpha: whether there is opacity."""

    def __init__(
        self,
        array: Array,
        name: str,
        suffix: str,
        key: str,
    ) -> None:
        """Take the pictures of an array of numbers or truth values, (n, height, width) or (n,
        height, width, 1 to 4), the second or fourth channel being opacity. name: for messages;
        suffix: ".npy" or ".npz"; key: the array's name in its file, "" if it has none. DataError
        for a type or shape that pictures have not, or if they are empty or too large (see
        `check_shape`)."""
        are_numbers = array.dtype.kind in "buif"
        has_channels = array.ndim == 4
        channels = array.shape[3] if has_channels else 1
        has_shape = array.ndim == 3 or (has_channels and channels in CHANNELS)
        if not are_numbers or not has_shape:
            raise DataError(
                f"{name}: {array.dtype} of shape {array.shape}; pictures are numbers of shape "
                "(n, height, width) or (n, height, width, 1 to 4)"
            )
        self.array = array
        count, height, width = array.shape[:3]
        format = {
            "format": suffix.removeprefix("."),
            "suffix": suffix,
            "key": key,
            "flat": not has_channels,
        }
        # opacity is no channel of the source's shape
        visible = 3 if channels > 2 else 1
        super().__init__(name, (visible, height, width), count, format)
        self.has_alpha = channels in (2, 4)

    @property
    def has_plain_batches(self) -> bool:
        """Whether the array is uint8 and has no alpha channel; its pictures are of one size."""
        return self.array.dtype == np.uint8 and not self.has_alpha

    @cached_property
    def sights(self) -> Sequence[Sight | str]:
        """What a header would say of each picture, in order: the same size and mode, those of the
        array, for all."""
        channels, height, width = self.shape
        is_colour = channels == 3
        is_deep = self.array.dtype not in (np.uint8, np.bool_)
        sight = Sight(width, height, is_colour, is_deep, self.has_alpha)
        return [sight] * self.count

    def pictures(self) -> Iterator[Decoded | str]:
        """Yield the pictures in order; a str for one whose values are not finite."""
        for pixels in self.array:
            try:
                yield decoding.of_array(pixels)
            except UnreadableError as fault:
                yield str(fault)

    def decoded(self, record: int) -> Decoded:
        """Picture number `record`, from 0; UnreadableError if its values are not finite."""
        return decoding.of_array(self.array[record])

    def batches(self) -> Iterator[Pixels]:
        """Yield the pictures in order, at most BATCH (512) at a time, with the array's own type and
        all its channels: only where it `has_plain_batches` these are those of `shape`."""
        for first in range(0, self.count, BATCH):
            # a part of a mapped file is read here, and no more of it
            part = np.asarray(self.array[first : first + BATCH])
            if part.ndim == 3:
                yield part[:, None]
            else:
                yield part.transpose(0, 3, 1, 2)


class ListSource(ImageSource):
    """Pictures in memory, of any sizes: arrays (height, width) or (height, width, 1 .. 4), or
    Pillow images, such as decoding.is_picture is true of. in_memory: these. They have no names, and
    `batches` is not to be called."""

    def __init__(self, pictures: Sequence[object]) -> None:
        self.name = "list"
        self.names = []
        self.in_memory = list(pictures)
        self.count = len(self.in_memory)
        self.format = {"format": "npy", "suffix": ".npy", "key": "c"}

    @property
    def has_plain_batches(self) -> bool:
        """Whether all pictures are known to have one size, uint8 values and no alpha channel:
        False, as they may differ, and are not looked at for that."""
        return False

    @cached_property
    def sights(self) -> Sequence[Sight | str]:
        """For each picture, in order, its size and mode, or, as a str, why it cannot be read."""
        return [decoding.sight_of_memory(picture) for picture in self.in_memory]

    def pictures(self) -> Iterator[Decoded | str]:
        """Yield the pictures in order; a str, the reason, for one that cannot be decoded."""
        for picture in self.in_memory:
            try:
                yield decoding.of_memory(picture)
            except UnreadableError as fault:
                yield str(fault)

    def decoded(self, record: int) -> Decoded:
        """Picture number `record`, from 0; UnreadableError if it cannot be decoded."""
        return decoding.of_memory(self.in_memory[record])
