"""Files of a folder of pictures to blocks and back: pixels and mode, or the file's bytes."""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aetool.canonical import Json
from aetool.codec import blocks, pictures, planning, spans
from aetool.codec.blocks import Block
from aetool.codec.columns import bytes_column, errors_as_damage
from aetool.codec.picture_models import PictureModel
from aetool.codec.records import Encoded
from aetool.data import images
from aetool.data.pictures.palettes import Palette
from aetool.errors import ArchiveError, DataError
from aetool.model import Array

USUAL = 0o644  # the permission bits of a file that has none of its own
MOST = 0o7777  # all of them, with those that lend the owner's rights, or keep what is of others
PIECE = 64 << 20  # bytes of a large file in one block
# modes whose values are no levels, as one in between would be none: what such pictures are
LEVELLESS = {"1": "of two colours", "P": "with a palette"}
LEAST_PIXELS = 16  # for each byte of a palette, which is stored with every block of its pictures


@dataclass(frozen=True, eq=False)
class Picture:
    """A file of a folder: either a picture's pixels, (channels, height, width) uint8 or uint16,
    with Pillow's names of their mode and format, or the file's bytes, `raw`, with pixels None.
    name: of the file, its path from the folder.

    permissions: mode bits; None if they are not known. offset: where in the file `raw` begins, if
    it is only a piece of it. palette: the colours of a picture of mode P, whose pixels are places
    among them; else None.
    """

    name: str
    mode: str = ""
    pixels: Array | None = None
    raw: bytes = b""
    format: str = ""
    permissions: int | None = None
    offset: int = 0
    palette: Palette | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """The properties that the files of one block share, as a tuple: of pictures format, mode,
        palette, channels, height and width, of bytes their offset."""
        if self.pixels is not None:
            return self.format, self.mode, self.palette, *self.pixels.shape
        return (self.offset,)

    def same(self, other: Picture, bound: int = 0) -> bool:
        """Whether two files are equal by name and permissions, and by format, mode, palette and
        pixels, or by offset and bytes. bound: how many levels (steps of a pixel value) off the
        other's pixels may be."""
        if (self.name, self.key, self.permissions) != (other.name, other.key, other.permissions):
            return False
        if self.pixels is None:
            return self.raw == other.raw
        return other.pixels is not None and pictures.near(self.pixels, other.pixels, bound)

    @property
    def in_true_colours(self) -> Array | None:
        """The picture in its true colours, (channels, height, width): the pixels as they are, but
        of a picture with a palette, whose pixels are places in that, red, green, blue and, where
        the palette has it, opacity. None for a file stored as bytes."""
        if self.palette is None or self.pixels is None:
            return self.pixels
        return self.palette.seen(self.pixels)

    @property
    def size(self) -> int:
        """Bytes in memory of the pixels, or of `raw`."""
        if self.pixels is not None:
            return int(self.pixels.nbytes)
        return len(self.raw)


@dataclass(frozen=True)
class Bounds:
    """How many levels (steps of a pixel value) off the values of a folder's pictures may be:
    shallow for values of 8 bits, deep for 16; 0: exact."""

    shallow: int = 0
    deep: int = 0

    def of(self, picture: Picture) -> int:
        """The bound of a picture: 0 for bytes of a file, places in a palette, and black and white,
        which have no levels."""
        if picture.pixels is None or picture.mode in LEVELLESS:
            return 0
        return self.shallow if picture.pixels.dtype == np.uint8 else self.deep


EXACT = Bounds()


def read(path: Path, name: str, keep: bool) -> Iterator[Picture]:
    """Read the file at `path`, and yield it: as one picture of pixels if these alone restore it and
    it has pixels enough (16 for each byte of its palette, if it has one), else as bytes, in pieces
    of PIECE (2^26) bytes, the last one mostly shorter; an empty file as one piece of no bytes.
    name: what the archive calls it. keep: take its bytes even if it is a picture. Permissions are
    those of the file. DataError if it cannot be read."""
    try:
        permissions = stat.S_IMODE(path.stat().st_mode)
        picture = None if keep else images.plain_picture(path)
        if picture is not None and _pays_by_pixel(picture):
            yield Picture(
                name,
                picture.mode,
                picture.pixels,
                format=picture.format,
                permissions=permissions,
                palette=picture.palette,
            )
            return
        with path.open("rb") as file:
            offset = 0
            raw = file.read(PIECE)
            # an empty file is yielded once, too: it would else be lost
            while raw or not offset:
                yield Picture(name, raw=raw, permissions=permissions, offset=offset)
                offset = offset + len(raw)
                raw = file.read(PIECE)
                if not raw:
                    return
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def joined(pictures: Iterable[Picture]) -> Iterator[Picture]:
    """Yield the files of an archive whole, from `pictures`, its files and pieces of files in order:
    pieces of a large file that follow each other are joined into one; all else is yielded as it is.
    A piece that is missing in between is not noticed; pieces of a file whose begin is not right
    before them are left out, without an error."""
    whole: Picture | None = None
    for picture in pictures:
        if picture.offset:
            if whole is not None and whole.name == picture.name:
                whole = dataclasses.replace(whole, raw=whole.raw + picture.raw)
            continue
        if whole is not None:
            yield whole
        whole = picture
    if whole is not None:
        yield whole


def _pays_by_pixel(picture: images.PlainPicture) -> bool:
    """Whether a picture with a palette has enough pixels to be stored by pixel, LEAST_PIXELS (16)
    for each byte of its colours, three a colour; True of one without. Icons have not, and are
    smaller as bytes of files."""
    if picture.palette is None:
        return True
    return picture.pixels.size >= LEAST_PIXELS * len(picture.palette.colours)


def encode(
    files: list[Picture],
    effort: planning.Effort,
    model: PictureModel | None = None,
    bounds: Bounds = EXACT,
    filtered: bool = False,
) -> Encoded:
    """Encode files, at least one, that have one key (all pictures of one form, or all bytes; a
    later piece of a file alone) as a block; names, permissions and what the pictures share go to
    its description. Files whose permissions are not known get USUAL (0o644). effort: how far to
    search for a small encoding. model: what a model has learned of pictures; None without. bounds:
    how many levels, steps of a pixel value, off restored values may be. filtered: whether values
    are stored within half of the bounds, and a filter after decoding, which makes most errors
    smaller, may move each by as much again. model, bounds and filtered are not looked at for bytes
    of files."""
    first = files[0]
    words: dict[str, Json] = {"names": [file.name for file in files]}
    permissions = [USUAL if file.permissions is None else file.permissions for file in files]
    if set(permissions) != {USUAL}:
        # where all files have the same, one number stands for all
        are_equal = len(set(permissions)) == 1
        words["permissions"] = permissions[:1] if are_equal else permissions
    if first.pixels is None:
        if first.offset:
            words["offset"] = first.offset
        coded = [bytes_column(spans.pack_cells([file.raw for file in files]))]
        content, payload, hints = blocks.encode(coded, len(files), words, effort)
        return Encoded(len(files), content, payload, hints)
    words["mode"] = first.mode
    if first.format != "PNG":
        words["format"] = first.format
    if first.palette is not None:
        words["palette"] = first.palette.colours.hex()
        if first.palette.opacity:
            words["opacity"] = first.palette.opacity.hex()
    pixels = np.stack([file.pixels for file in files if file.pixels is not None])
    bound = bounds.of(first)
    # the filter may take up the other half
    if filtered:
        bound //= 2
    return pictures.encode(
        pixels,
        effort,
        words=words,
        model=model,
        bound=bound,
        filtered=filtered,
    )


@errors_as_damage()
def decode(block: Block, rows: int) -> list[Picture]:
    """The files of a decoded block, in order, `rows` of them: pictures with their pixels, mode,
    format and palette, or the bytes of files; each with name and permissions. ArchiveError if what
    the block says of them does not add up."""
    names = [str(name) for name in block.words["names"]]
    if len(names) != rows:
        raise ArchiveError("damaged: a block has not the names of its pictures")
    permissions = [int(bits) for bits in block.words.get("permissions", [USUAL])]
    if len(permissions) == 1:
        permissions = permissions * rows
    if len(permissions) != rows or any(not 0 <= bits <= MOST for bits in permissions):
        raise ArchiveError("damaged: a block has not the permissions of its files")
    names_and_permissions = zip(names, permissions, strict=True)
    if "mode" in block.words:
        mode = str(block.words["mode"])
        format = str(block.words.get("format", "PNG"))
        if mode not in images.PLAIN.get(format, ()):
            raise ArchiveError(f"damaged: a block has pictures of format {format}, mode {mode}")
        pixels = pictures.decode(block, rows)
        # mode I;16 alone has values of 16 bits
        if (pixels.dtype != np.uint8) != (mode == "I;16"):
            raise ArchiveError(f"damaged: pictures of mode {mode} have values of another size")
        palette = None
        if mode == "P":
            palette = _palette(block.words)
            if pixels.shape[1] != 1:
                raise ArchiveError("damaged: places in a palette have several channels")
        return [
            Picture(name, mode, picture, format=format, permissions=bits, palette=palette)
            for (name, bits), picture in zip(names_and_permissions, pixels, strict=True)
        ]
    offset = int(block.words.get("offset", 0))
    if offset < 0 or (offset and rows != 1):
        raise ArchiveError("damaged: a block has not one piece of a file")
    # a cell is the bytes of a file, or of the one piece
    cells = spans.unpack_cells(block.columns[0].blobs[0], rows).bytes()
    return [
        Picture(name, raw=raw, permissions=bits, offset=offset)
        for (name, bits), raw in zip(names_and_permissions, cells, strict=True)
    ]


def _palette(words: dict[str, Json]) -> Palette:
    """The palette that the description of a block of pictures of mode P has. words: the block's
    JSON; KeyError or ValueError if that has none, or no hexadecimal bytes."""
    colours = str(words["palette"])
    # absent where all colours are opaque
    opacity = str(words.get("opacity", ""))
    return Palette(bytes.fromhex(colours), bytes.fromhex(opacity))
