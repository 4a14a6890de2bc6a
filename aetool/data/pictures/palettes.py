"""Pictures of few colours: places in a palette, its colours, and how opaque these are."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

Places: TypeAlias = npt.NDArray[np.uint8]  # pixels, each a number from 0 to 255

COLOUR_BYTES = 3  # red, green and blue
MOST_COLOURS = 256  # a place is a byte
OPAQUE = 255


@dataclass(frozen=True)
class Palette:
    """The colours of a picture whose pixels are places, from 0, in this list.

    colours: three bytes each, red, green and blue, of 1 to 256 colours. opacity: a byte each, 0 for
    clear to 255 for opaque, of the first colours; the others, all if it is empty, are opaque.
    ValueError for anything else.
    """

    colours: bytes
    opacity: bytes = b""

    def __post_init__(self) -> None:
        colour_count, odd_bytes = divmod(len(self.colours), COLOUR_BYTES)
        is_full = odd_bytes == 0 and 1 <= colour_count <= MOST_COLOURS
        if not is_full or len(self.opacity) > colour_count:
            raise ValueError("the colours of a palette")

    def seen(self, places: Places) -> Places:
        """Look up the colours of pixels, places in the palette, (1, height, width): (3, height,
        width) uint8, red, green and blue, or (4, height, width) with their opacity if the palette
        has any; a place behind the last colour is opaque black."""
        # a place without a colour is black, as Pillow shows it
        table = np.zeros((MOST_COLOURS, COLOUR_BYTES + 1), np.uint8)
        table[:, COLOUR_BYTES] = OPAQUE
        colours = np.frombuffer(self.colours, np.uint8)
        colours = colours.reshape(-1, COLOUR_BYTES)
        table[: len(colours), :COLOUR_BYTES] = colours
        opacity = np.frombuffer(self.opacity, np.uint8)
        table[: len(opacity), COLOUR_BYTES] = opacity
        if not self.opacity:
            table = table[:, :COLOUR_BYTES]
        pixels = table[places[0]]
        # channels come first, as in all pictures here
        channels_first = pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(channels_first)

    def picture(self, places: Places) -> Image.Image:
        """Make a Pillow image of mode P of places, (1, height, width), with these colours and their
        opacity."""
        from PIL import Image

        _, height, width = places.shape
        picture = Image.frombytes("P", (width, height), places.tobytes())
        picture.putpalette(self.colours)
        if self.opacity:
            # a writer of PNG takes it from here
            picture.info["transparency"] = self.opacity
        return picture


def palette_of(picture: Image.Image) -> Palette | None:
    """The palette of an open PNG of mode P; None if a PNG written anew, in memory, from it and from
    the places would not be read back as the same, or Pillow has read no palette."""
    palette = _palette_of_pillow(picture)
    if palette is None:
        return None
    places = np.asarray(picture)[None]
    # Pillow may write a palette otherwise, as without unused colours: only trying it tells
    if _is_written_alike(palette, places):
        return palette
    return None


def _is_written_alike(palette: Palette, places: Places) -> bool:
    """Whether a PNG written from this palette and these places, (1, height, width), is read back
    with the same palette and places."""
    from PIL import Image

    file = io.BytesIO()
    picture = palette.picture(places)
    # quickly: its size does not matter
    picture.save(file, "PNG", compress_level=1)
    file.seek(0)
    with Image.open(file) as written:
        if written.mode != "P" or _palette_of_pillow(written) != palette:
            return False
        places_again = np.asarray(written)[None]
    return np.array_equal(places_again, places)


def _palette_of_pillow(picture: Image.Image) -> Palette | None:
    """The palette that Pillow has read of a picture of mode P; None if it has none in RGB, or one
    that PNG cannot have: of no colours or more than 256, or with more opacities than colours."""
    if picture.palette is None or picture.palette.mode != "RGB":
        return None
    transparency = picture.info.get("transparency", b"")
    # of one colour that is wholly clear, and no other, Pillow gives the number
    if isinstance(transparency, int):
        opacity = bytes([OPAQUE] * transparency + [0])
    else:
        opacity = bytes(transparency)
    colours = bytes(picture.palette.palette)
    try:
        return Palette(colours, opacity)
    except ValueError:
        return None
