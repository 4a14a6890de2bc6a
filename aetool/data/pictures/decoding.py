"""Picture files to arrays of their pixels, upright: any size, mode and depth, and any frame.

What a damaged file makes a decoder do is one reason in words, never more: a thousand pictures are
not given up for one.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from aetool.data.pictures import deep_png
from aetool.model import Array

if TYPE_CHECKING:
    from PIL import Image

Values = Array
Bytes = npt.NDArray[np.uint8]

MOST_PIXELS = 1 << 26  # of one picture, when it is decoded
MOST_FRAMES = 10_000  # of one file
# no others are tried: some decoders of Pillow start programs
FORMATS = (
    "PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "DIB", "PPM", "JPEG2000", "AVIF",
)  # fmt: skip
MOVING = ("GIF", "PNG", "WEBP", "TIFF", "AVIF")  # whose frames are pictures in their own right
GRAY_MODES = ("1", "L", "LA", "La", "I", "F")
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
ORIENTATION = 0x0112  # the tag of EXIF that says how a picture is to be turned
SUBFILE, REDUCED = 254, 1  # the tag of TIFF, and the bit of it, of a page that is a small copy
BITS_OF_SAMPLES, BYTE = 258, 8  # the tag of TIFF that says how many bits each value has
OPAQUE = 255
TRANSPOSED = 5  # orientations from here on change width and height


class UnreadableError(Exception):
    """A picture cannot be read; the message says why, in words that go behind the picture's
    name."""


class UnframedError(UnreadableError):
    """A picture can be read, and yet not be seen in the way that a model sees pictures: it is too
    small for that, of another size, or would be cut into too many tiles."""


@dataclass(frozen=True)
class Sight:
    """The facts that the header of a picture tells.

    width, height: in pixels, upright. coloured: whether it is in colour, not gray. deep: whether
    its values, as they are decoded, have more than 8 bits. alpha: whether it has a channel of
    opacity, or a colour that is clear. cut: whether its values have more than 8 bits of which only
    the upper 8 are read; `deep` is False then. has_inks: whether they are amounts of four inks
    (CMYK), from which colours are computed.
    """

    width: int
    height: int
    coloured: bool
    deep: bool = False
    alpha: bool = False
    cut: bool = False
    has_inks: bool = False


@dataclass(frozen=True, eq=False)
class Decoded:
    """The pixels of a picture, upright. pixels: (height, width) if it is gray, else (height, width,
    3), as deep as they are stored. alpha: (height, width) uint8, how opaque, 255 for fully; None if
    all pixels are."""

    pixels: Values
    alpha: Bytes | None = None


@contextmanager
def _with_readable_errors(path: Path) -> Iterator[None]:
    """Context manager: warnings are not shown, and any error in the block becomes an
    UnreadableError. path: of the picture, looked at only to tell an empty file."""
    try:
        with warnings.catch_warnings():
            # what Pillow warns of is either an error later, or does no harm
            warnings.simplefilter("ignore")
            yield
    except UnreadableError:
        raise
    except Exception as error:
        # decoders meet damaged bytes with errors of any class
        raise UnreadableError(_why_unreadable(path, error)) from None


def _why_unreadable(path: Path, error: Exception) -> str:
    """Why the picture file at a path cannot be read, in words for a message without its name, from
    the error that Pillow raised."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        if path.is_file() and not path.stat().st_size:
            return "the file is empty"
        return "not a picture that can be read"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: more than {MOST_PIXELS:,} pixels"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    # on one line; some errors have no words of their own
    message = " ".join(str(error).split())
    return f"damaged: {message or type(error).__name__}"


@cache
def _formats() -> tuple[str, ...]:
    """The picture formats that the installed Pillow can read, of those in FORMATS, by Pillow's
    names."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def sights(path: Path) -> list[Sight]:
    """For each frame of a picture file, in order, what its header tells; of most files that is one.
    Small copies in a TIFF are left out. Pixels are not decoded, but where the colours of a palette
    need it. UnreadableError if it is no picture, has more than MOST_PIXELS (2^26) pixels in a
    frame, or more than MOST_FRAMES (10,000) frames."""
    from PIL import Image

    with _with_readable_errors(path), Image.open(path, formats=_formats()) as picture:
        _check_size(*picture.size)
        first = _sight(picture, path)
        frames = _frames(picture)
        # frames of an animation have one size; pages of a TIFF their own
        if picture.format != "TIFF":
            return [first] * len(frames)
        sights_of_pages = []
        for frame in frames:
            picture.seek(frame)
            _check_size(*picture.size)
            sights_of_pages.append(_sight(picture, path))
        return sights_of_pages


def _check_size(width: int, height: int) -> None:
    """Raise UnreadableError for a picture, width x height, of more than MOST_PIXELS (2^26)
    pixels."""
    if width * height > MOST_PIXELS:
        raise UnreadableError(f"{width} x {height} is too large: at most {MOST_PIXELS:,} pixels")


def _frames(picture: Image.Image) -> list[int]:
    """The numbers, from 0, of those frames or pages of an open file that are pictures, not small
    copies of one; at least one. The file is at its first frame afterwards. UnreadableError if there
    are more than MOST_FRAMES (10,000)."""
    count = 1
    if picture.format in MOVING:
        count = getattr(picture, "n_frames", 1)
    if count > MOST_FRAMES:
        raise UnreadableError(f"{count:,} frames are too many: at most {MOST_FRAMES:,}")
    frames = list(range(count))
    if picture.format != "TIFF" or count == 1:
        return frames
    pictures = []
    for frame in frames:
        picture.seek(frame)
        kind = picture.tag_v2.get(SUBFILE, 0)  # type: ignore[attr-defined]
        if not int(kind) & REDUCED:
            pictures.append(frame)
    picture.seek(0)
    return pictures or frames[:1]


def _sight(picture: Image.Image, path: Path | None) -> Sight:
    """Read the sight of an open picture, what its header says of it, at the frame where it is.
    path: of its file; None of one in memory, of which `cut` is False."""
    width, height = picture.size
    if _orientation(picture) >= TRANSPOSED:
        width, height = height, width
    is_deep = _has_deep_mode(picture) or _is_deep_png(picture, path)
    # before the colours are looked at: for these Pillow may have to load the pixels
    has_alpha = _has_alpha(picture)
    is_cut = not is_deep and path is not None and _is_cut(picture, path)
    return Sight(
        width=width,
        height=height,
        coloured=_is_coloured(picture),
        deep=is_deep,
        alpha=has_alpha,
        cut=is_cut,
        has_inks=picture.mode == "CMYK",
    )


def _has_deep_mode(picture: Image.Image) -> bool:
    """Whether Pillow reads values of more than 8 bits, by the picture's mode: I, F or I;16."""
    return picture.mode in ("I", "F") or picture.mode.startswith("I;16")


def _has_alpha(picture: Image.Image) -> bool:
    """Whether some pixels of an open picture may be transparent, by a channel of opacity, or as one
    colour, or colours of a palette, are."""
    return picture.mode in ALPHA_MODES or "transparency" in picture.info


def _is_coloured(picture: Image.Image) -> bool:
    """Whether a picture is in colour, by its mode; of a palette whether any of its colours is."""
    if picture.mode in GRAY_MODES or picture.mode.startswith("I;16"):
        return False
    if picture.mode not in ("P", "PA") or picture.palette is None:
        return True
    in_palette = picture.convert("P")
    levels = in_palette.getpalette("RGB") or []
    colours = np.asarray(levels, np.uint8).reshape(-1, 3)
    # a gray has as much green and blue as red
    red = colours[:, :1]
    return bool((colours != red).any())


def _is_deep_png(picture: Image.Image, path: Path | None) -> bool:
    """Whether the picture is a PNG of 16 bits and several channels, not interlaced, of which Pillow
    would read only the upper 8, and `deep_png` all. path: of its file; False for None, OSError if
    it cannot be opened."""
    if path is None or picture.format != "PNG":
        return False
    if picture.mode not in ("LA", "RGB", "RGBA"):
        return False
    return deep_png.is_deep(path)


def _is_cut(picture: Image.Image, path: Path) -> bool:
    """Whether the values of a PNG or TIFF file at `path` have more than the 8 bits that Pillow
    reads; of a picture that is neither `_has_deep_mode` nor `_is_deep_png`. OSError if the file
    cannot be opened."""
    if picture.format == "TIFF":
        bits = picture.tag_v2.get(BITS_OF_SAMPLES, (1,))  # type: ignore[attr-defined]
        return bool(max(bits) > BYTE)
    return picture.format == "PNG" and depth_of_png(path) > BYTE


def depth_of_png(path: Path) -> int:
    """How many bits a value of a PNG file has; 0 if the file is shorter than its header. That it is
    a PNG is not checked. OSError if it cannot be opened."""
    with path.open("rb") as file:
        return deep_png.depth_of(file.read(deep_png.HEADER))


def _orientation(picture: Image.Image) -> int:
    """The picture's EXIF orientation, 1 .. 8; 1, upright, if it has none or one that is no such
    number."""
    orientation = picture.getexif().get(ORIENTATION, 1)
    # some programs write 0, or a text
    if orientation not in range(1, 9):
        return 1
    return int(orientation)


def decoded(path: Path, frame: int = 0) -> Decoded:
    """Decode a frame of a picture file, upright; frame: its place, from 0, among what `sights`
    returns. UnreadableError if the file cannot be read, is damaged or has more than MOST_PIXELS
    (2^26) pixels, if there is no such frame, or values are not finite."""
    from PIL import Image

    with _with_readable_errors(path), Image.open(path, formats=_formats()) as picture:
        _check_size(*picture.size)
        orientation = _orientation(picture)
        if frame:
            # small copies in a TIFF have no number here
            picture.seek(_frames(picture)[frame])
            _check_size(*picture.size)
        if not frame and _is_deep_png(picture, path):
            pixels = deep_png.read(path)
        else:
            pixels = _pixels(picture)
    return of_array(upright(pixels, orientation))


def pixels_of_bytes(raw: bytes) -> list[Values]:
    """Decode a picture file of these bytes, which are written to a temporary file: (channels,
    height, width) of each of its frames, with opacity as the last channel where not all is opaque.
    UnreadableError if they are no picture; OSError if the file cannot be written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        path.write_bytes(raw)
        pictures = []
        for frame in range(len(sights(path))):
            picture = decoded(path, frame)
            pictures.append(_channels_first(picture))
        return pictures


def _channels_first(picture: Decoded) -> Values:
    """The values of a picture with the channels first: (channels, height, width); behind them, if
    not all of it is opaque, a channel of its opacity, which is 0 .. 255 beside values of any
    depth."""
    pixels = picture.pixels[None]
    if picture.pixels.ndim == 3:
        pixels = picture.pixels.transpose(2, 0, 1)
    if picture.alpha is None:
        return np.ascontiguousarray(pixels)
    alpha = picture.alpha[None].astype(pixels.dtype)
    return np.concatenate([pixels, alpha])


def _pixels(picture: Image.Image) -> Values:
    """The pixels of an open picture, not turned upright: (height, width) gray, (height, width, 3)
    colour, or with opacity as a last channel (height, width, 2) or (height, width, 4). uint8, but
    as deep as Pillow reads them where they have more than 8 bits, which are gray."""
    if _has_deep_mode(picture):
        return np.asarray(picture)
    is_coloured = _is_coloured(picture)
    if not _has_alpha(picture):
        mode = "RGB" if is_coloured else "L"
        return np.asarray(picture.convert(mode))
    # Pillow cannot convert some of these modes to gray with opacity directly
    with_opacity = np.asarray(picture.convert("RGBA"))
    if is_coloured:
        return with_opacity
    # red, which is as much as green and blue, and opacity
    return with_opacity[:, :, [0, 3]]


def of_array(pixels: Values) -> Decoded:
    """The picture of an array, (height, width) or (height, width, 1 .. 4), of any numbers or truth
    values, which keep their type; of two channels the second, of four the fourth is opacity, which
    becomes 0 .. 255, or None if all is opaque. UnreadableError for values that are not finite."""
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise UnreadableError("holds values that are not finite")
    if pixels.ndim == 2:
        return Decoded(pixels)
    channels = pixels.shape[2]
    visible = pixels[:, :, :3]
    # gray has no axis of channels
    if channels < 3:
        visible = pixels[:, :, 0]
    if channels in (1, 3):
        return Decoded(visible)
    alpha = _opacity(pixels[:, :, -1])
    is_opaque = alpha == OPAQUE
    return Decoded(visible, None if is_opaque.all() else alpha)


def _opacity(alpha: Values) -> Bytes:
    """Opacity, (height, width) of any numbers or truth values, as uint8 levels of 0 to 255 in the
    same shape. What becomes 255: of integers the most that their type holds; of truth values and
    floats 1, but 255 if a float is above 1. Levels are rounded, and cut off at the ends."""
    if alpha.dtype == np.uint8:
        return alpha.astype(np.uint8)
    full = 1.0
    if alpha.dtype.kind in "iu":
        full = float(np.iinfo(alpha.dtype).max)
    elif alpha.dtype.kind == "f" and alpha.max(initial=0) > 1:
        # floats from 0 to 255, not to 1
        full = float(OPAQUE)
    share = alpha.astype(np.float64) * (OPAQUE / full)
    levels = np.rint(share).clip(0, OPAQUE)
    return levels.astype(np.uint8)


def is_picture(thing: object) -> bool:
    """Whether an object is a Pillow image, or an array with the shape and type of a picture:
    (height, width, 1 .. 4) of numbers or truth values, or (height, width) of uint8, uint16 or truth
    values."""
    if isinstance(thing, np.ndarray):
        if thing.ndim == 3:
            are_numbers = thing.dtype.kind in "buif"
            return are_numbers and thing.shape[2] in (1, 2, 3, 4)
        # arrays of two dimensions and other numbers are tables
        is_gray = thing.dtype in (np.uint8, np.uint16, np.bool_)
        return thing.ndim == 2 and is_gray
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(thing, pillow.Image)


def sight_of_memory(thing: object) -> Sight | str:
    """What the header of a picture in memory, such as `is_picture` is true of, would tell; or, as a
    str, why it cannot be read."""
    if isinstance(thing, np.ndarray):
        height, width = thing.shape[:2]
        if not height or not width:
            return f"has no pixels, being {width} x {height}"
        # as `of_array` takes them: two and four channels have opacity last
        channels = thing.shape[2] if thing.ndim == 3 else 1
        return Sight(
            width=width,
            height=height,
            coloured=channels > 2,
            deep=thing.dtype not in (np.uint8, np.bool_),
            alpha=channels in (2, 4),
        )
    try:
        with _with_readable_errors(Path("picture")):
            return _sight(cast("Image.Image", thing), None)
    except UnreadableError as fault:
        return str(fault)


def of_memory(thing: object) -> Decoded:
    """Decode a picture in memory, an array or a Pillow image (its present frame, upright);
    UnreadableError if it has no pixels, or values that are not finite, or Pillow cannot decode
    it."""
    if isinstance(thing, np.ndarray):
        if not thing.size:
            raise UnreadableError("has no pixels")
        return of_array(thing)
    picture = cast("Image.Image", thing)
    with _with_readable_errors(Path("picture")):
        pixels = _pixels(picture)
        orientation = _orientation(picture)
        return of_array(upright(pixels, orientation))


def upright(pixels: Values, orientation: int) -> Values:
    """Pixels as they are stored, (height, width, ...), turned and mirrored to be upright by their
    EXIF orientation, 1 .. 8; of 5 .. 8 height and width change places. In C order: a copy, or the
    array itself where there is nothing to do."""
    turned = pixels
    if orientation >= TRANSPOSED:
        turned = turned.swapaxes(0, 1)
    # mirrored from left to right, then from top to bottom
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return np.ascontiguousarray(turned)
