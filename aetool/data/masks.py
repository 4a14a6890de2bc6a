"""Masks that mark what is wrong in pictures, looked up by the pictures' names in a folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from aetool.data.pictures.decoding import Decoded, UnreadableError
from aetool.data.pictures.framing import Framing
from aetool.errors import DataError

Mask = npt.NDArray[np.bool_]
SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".gif", ".pgm", ".webp", ".jpg", ".jpeg")
# of a mask that was resized, where 255 is wholly defective: a pixel counts from an eighth of it on
LEAST = 32
ENDING = "_mask"  # of a mask's name, as in MVTec AD: ground_truth/scratch/003_mask.png


class Masks:
    """The masks, pictures that mark defects, under a folder, by the names of the pictures they
    belong to; a picture has one, or none.

    The mask of a picture a/b/003.jpg is a/b/003_mask.png or a/b/003.png under the folder, or of any
    other suffix that pictures have; or the same under b alone, or in the folder itself. Capitals do
    not matter. Pixels that are not 0 in any colour are defective; opacity is not looked at.
    DataError if it is no folder, or has no pictures.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError(f"{folder}: is not a folder of masks")
        self.folder = folder
        # by their names without suffix, in lower case, as some systems ignore capitals
        self._by_stem: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                inside = path.relative_to(folder).with_suffix("").as_posix()
                self._by_stem.setdefault(inside.lower(), path)
        if not self._by_stem:
            raise DataError(f"{folder}: no masks in it: pictures with {' '.join(SUFFIXES)}")

    def path_of(self, picture: str) -> Path | None:
        """The file of a picture's mask; None if it has none. picture: its name, a path with /, as a
        source of pictures calls it. Of a/b/003.jpg the first of a/b/003_mask, a/b/003, b/003_mask,
        b/003, 003_mask and 003, with any suffix of SUFFIXES and in any case of letters; of files
        that differ in these alone the first by its path."""
        inside = PurePosixPath(picture).with_suffix("")
        for first in range(len(inside.parts)):
            stem = "/".join(inside.parts[first:]).lower()
            for name in (stem + ENDING, stem):
                if name in self._by_stem:
                    return self._by_stem[name]
        return None

    def of(self, picture: str, framing: Framing, height: int, width: int) -> Mask | None:
        """The mask of a picture, (height, width) bool: True where it is defective, as a model sees
        it; None without a mask. picture: its name, a path with /; height, width: in pixels, of
        the picture as the model sees it.

        A mask goes the way of its picture: it is cropped and resized by the framing, unless it has
        the wanted size already; a pixel is then defective if at least an eighth of it is. DataError
        where it has another size then, or cannot be read.
        """
        path = self.path_of(picture)
        if path is None:
            return None
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(path) as image:
                image.load()
                drawn = np.asarray(image.convert("RGB") if image.mode == "P" else image)
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
            raise DataError(f"{path}: not a mask that can be read: {error}") from None
        except Image.DecompressionBombError as error:
            raise DataError(f"{path}: {error}") from None
        # an alpha channel, the second beside gray or the fourth, is no part of the drawing
        colours = drawn if drawn.ndim == 3 else drawn[:, :, None]
        channels_drawn = 1 if colours.shape[2] == 2 else 3
        colours = colours[:, :, :channels_drawn]
        defective: Mask = (colours != 0).max(axis=2)
        if defective.shape == (height, width):
            return defective
        # not of that size: perhaps as large as the picture was before it was cropped and resized
        tall, wide = defective.shape
        fault = DataError(
            f"{path}: {wide} x {tall}: a mask has the size of its picture, and of {picture} the "
            f"model sees {width} x {height}"
        )
        try:
            framed = framing.seen(Decoded(defective))[0]
        except UnreadableError:
            raise fault from None
        if framed.shape != (height, width):
            raise fault
        # a pixel that is defective all over has become 255
        return np.asarray(framed >= LEAST)


def nothing(height: int, width: int) -> Mask:
    """The mask of a picture without a defect: (height, width) bool, False everywhere."""
    return np.zeros((height, width), dtype=np.bool_)
