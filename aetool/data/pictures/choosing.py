"""Chooses the framing of pictures when a model is fitted: what the user asks for, else what suits
them.

Pictures of one size that are not large are seen as they are. Others are brought to one size, and
that is said in a line.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from aetool.data import notices
from aetool.data.images import ImageSource, check_shape
from aetool.data.pictures.decoding import Sight, UnreadableError
from aetool.data.pictures.framing import WHITE, Framing, Pair, in_words
from aetool.errors import DataError, ParamError
from aetool.spelling import option

Size: TypeAlias = "str | int | Sequence[int] | None"  # W, WxH, or numbers

# Pictures of at most MODEST values (64 x 64 in colour) are never scaled down. Larger ones are,
# until a fit has at most AT_ONCE of them, and each at most EACH. Beyond that closed forms take more
# than a minute and a gigabyte, and a model tens of megabytes.
MODEST = 3 * 64 * 64
AT_ONCE = 500 * MODEST
EACH = 3 * 128 * 128
PROBED = 200  # pictures that are looked at for their range and their transparent parts
PROBED_VALUES = 20_000  # of each
FAR = 0.0005  # part of the values beyond each end of the range that is taken as usual
ROOM = 0.125  # of that range, beyond each end: brighter than any seen can be told
MOST_OF_16_BITS = 65535
EIGHTH = 8  # sides of pictures of several sizes become multiples of this


@dataclass(frozen=True)
class Asked:
    """The user's options for how pictures are framed; () and False where an option is left out.

    resize, tile, stride: (width,) or (width, height); crop: (width, height) or (left, top, width,
    height).
    """

    resize: tuple[int, ...] = ()
    tile: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    crop: tuple[int, ...] = ()
    grey: bool = False

    @classmethod
    def of(cls, resize: Size, tile: Size, stride: Size, crop: Size, grey: bool) -> Asked:
        """Parse the options as a user writes them into numbers of pixels. ParamError for those that
        contradict each other."""
        asked = cls(
            size_of(option("--resize"), resize),
            _both(size_of(option("--tile"), tile)),
            _both(size_of(option("--stride"), stride)),
            _both(size_of(option("--crop"), crop, (1, 2, 4))),
            bool(grey),
        )
        if asked.stride and not asked.tile:
            raise ParamError(
                f"{option('--stride')} says how far tiles lie apart: give {option('--tile')}, too"
            )
        apart = [*zip(asked.stride, asked.tile, strict=False)]
        if any(step > side for step, side in apart):
            raise ParamError(
                f"{option('--stride')} {in_words(asked.stride)} is more than {option('--tile')} "
                f"{in_words(asked.tile)}: pixels between the tiles would never be seen"
            )
        return asked

    @property
    def named(self) -> str:
        """The name of the first option that is given; "" if none is."""
        asked = {
            option("--resize"): self.resize,
            option("--tile"): self.tile,
            option("--stride"): self.stride,
            option("--crop"): self.crop,
            option("--grey"): self.grey,
        }
        return next((name for name, value in asked.items() if value), "")


def size_of(name: str, given: Size, counts: Sequence[int] = (1, 2)) -> tuple[int, ...]:
    """The numbers of a size such as 256, "256x192" or (256, 192); () for None. name: the option,
    for messages; counts: how many numbers it may have. ParamError for anything else."""
    if given is None or (not isinstance(given, str | int) and not len(given)):
        return ()
    if isinstance(given, str):
        parts: Sequence[object] = given.lower().replace(",", "x").split("x")
    else:
        parts = [given] if isinstance(given, int) else list(given)
    texts = [str(part).strip() for part in parts]
    plain = all(text.isascii() and text.isdigit() and len(text) <= 6 for text in texts)
    numbers = tuple(int(text) for text in texts) if plain else ()
    if len(numbers) not in counts or min(numbers[-2:], default=0) < 1:
        more = ", or LEFT,TOP,WIDTH,HEIGHT" if 4 in counts else ""
        raise ParamError(
            f"{name} {given}: write pixels as WIDTH or WIDTHxHEIGHT, such as 256x192{more}"
        )
    return numbers


def _both(size: tuple[int, ...]) -> tuple[int, ...]:
    """(width, height) of a size: one number means a square; others stay as they are."""
    return size * 2 if len(size) == 1 else size


def chosen(source: ImageSource, asked: Asked) -> Framing:
    """The framing of pictures that a model is to be fitted on; a notice says what it does to them.

    DataError where none can be read; ParamError where tiles are larger than the pictures.
    """
    sights = [sight for sight in source.sights if isinstance(sight, Sight)]
    if not source.sights:
        raise DataError(source.why_empty())
    if not sights:
        raise DataError(f"{source.name}: no picture in it can be read: {_first_fault(source)}")
    sizes = [(sight.width, sight.height) for sight in sights]
    if asked.crop:
        sizes = [tuple(asked.crop[-2:])]  # type: ignore[list-item]
    channels = 1 if asked.grey or 2 * sum(one.coloured for one in sights) <= len(sights) else 3
    size, resize = _target(sizes, len(sights), channels, asked)
    if asked.tile:
        wide, high = resize or size
        if asked.tile[0] > wide or asked.tile[1] > high:
            raise ParamError(
                f"{option('--tile')} {in_words(asked.tile)} is larger than the pictures of "
                f"{source.name}: {in_words((wide, high))}"
            )
    width, height = asked.tile or resize or size
    check_shape(source.name, (channels, height, width))
    low, high_value = _range(source)
    framing = Framing(
        channels,
        width,
        height,
        asked.crop,
        resize,
        (asked.stride or asked.tile) if asked.tile else (),
        low,
        high_value,
        _background(source),
    )
    line = _line(source, sights, framing, asked)
    if line:
        notices.say(source.name, line)
    return framing


def _first_fault(source: ImageSource) -> str:
    titles = source.titles
    faults = [i for i, sight in enumerate(source.sights) if isinstance(sight, str)]
    name = titles[faults[0]] if titles else f"picture {faults[0] + 1}"
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return f"{name}: {source.sights[faults[0]]}{more}"


def _target(
    sizes: Sequence[Pair],
    count: int,
    channels: int,
    asked: Asked,
) -> tuple[Pair, tuple[int, ...]]:
    """(a usual size of the pictures, the size to resize them to, () for none), each (width,
    height). sizes: of the pictures after they are cropped; count: how many pictures there are;
    channels: of each; asked: what the user asks for.

    The usual size is the commonest, if at least half of them have it, else one of median shape and
    area; where tiles are cut of pictures that differ, the smallest width and height.
    """
    (usual, often), *_ = Counter(sizes).most_common(1)
    if 2 * often < len(sizes):
        usual = _middle(sizes)
    if len(asked.resize) == 2:
        return usual, asked.resize
    if asked.resize:
        (width,) = asked.resize
        return usual, (width, max(1, round(width * usual[1] / usual[0])))
    if asked.tile:
        # what is cut into tiles is seen in all its detail
        smallest = min(wide for wide, _ in sizes), min(high for _, high in sizes)
        return (usual if often == len(sizes) else smallest), ()
    affordable = min(EACH, max(MODEST, AT_ONCE // count))
    target = _smaller(usual, affordable // channels)
    if target == usual and often == len(sizes):
        return usual, ()
    if 2 * often < len(sizes):
        width, height = target
        target = max(1, width // EIGHTH) * EIGHTH, max(1, height // EIGHTH) * EIGHTH
    return usual, target


def _middle(sizes: Sequence[Pair]) -> Pair:
    """A typical size, (width, height), for pictures of different sizes: it has the median of their
    ratios of width to height, and the median of their areas."""
    wide, high = np.array(sizes, np.float64).T
    shape = float(np.exp(np.median(np.log(wide / high))))
    area = float(np.median(wide * high))
    return max(1, round(math.sqrt(area * shape))), max(1, round(math.sqrt(area / shape)))


def _smaller(size: Pair, most: int) -> Pair:
    """Shrink a size, (width, height), to at most `most` pixels, keeping its shape: both sides
    divided by a whole number if that leaves no rest. A size that is small enough stays."""
    wide, high = size
    if wide * high <= most:
        return size
    part = math.ceil(math.sqrt(wide * high / most))
    if wide % part == 0 and high % part == 0:
        return wide // part, high // part
    scale = math.sqrt(most / (wide * high))
    # a long strip keeps its length as far as it can
    width = max(1, int(wide * scale))
    height = max(1, int(high * scale))
    return min(width, most), min(height, most)


def _probed(source: ImageSource, wanted: Sequence[int]) -> Iterator[int]:
    """Choose about PROBED pictures to look at, evenly spaced: yields their record numbers. wanted:
    the numbers to choose from."""
    step = -(-len(wanted) // PROBED) if wanted else 1
    yield from wanted[::step]


def _range(source: ImageSource) -> tuple[float, float]:
    """Which values of pictures with more than 8 bits a value become black and white, (low, high),
    from a look at some of them; equal if there are no such pictures."""
    deep = [i for i, sight in enumerate(source.sights) if isinstance(sight, Sight) and sight.deep]
    some = []
    whole = True
    for record in _probed(source, deep):
        try:
            values = source.decoded(record).pixels.reshape(-1)
        except UnreadableError:
            continue
        if values.dtype.itemsize == 1:
            continue
        whole = whole and values.dtype.kind in "iu"
        some.append(values[:: max(1, values.size // PROBED_VALUES)].astype(np.float64))
    if not some:
        return 0.0, 0.0
    values = np.concatenate(some)
    lowest = float(values.min())
    highest = float(values.max())
    if not whole and lowest >= 0 and highest <= WHITE:
        return 0.0, 1.0 if highest <= 1 else float(WHITE)
    low, high = (float(v) for v in np.quantile(values, [FAR, 1 - FAR]))
    room = ROOM * (high - low) or 1.0
    low = low - room
    high = high + room
    if lowest >= 0:
        low = max(low, 0.0)
    if whole and highest <= MOST_OF_16_BITS:
        high = min(high, float(MOST_OF_16_BITS))
    if whole:
        return float(math.floor(low)), float(math.ceil(high))
    return float(f"{low:.6g}"), float(f"{high:.6g}")


def _background(source: ImageSource) -> int:
    """The gray level, 0 or 255, on which transparent parts are seen: whichever is farther from the
    mean of the opaque ones."""
    with_alpha = [
        i for i, sight in enumerate(source.sights) if isinstance(sight, Sight) and sight.alpha
    ]
    total = weight = 0.0
    for record in _probed(source, with_alpha):
        try:
            picture = source.decoded(record)
        except UnreadableError:
            continue
        if picture.alpha is None or picture.pixels.dtype != np.uint8:
            continue
        pixels = picture.pixels.astype(np.float64)
        gray = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
        total += float((gray * picture.alpha).sum())
        weight += float(picture.alpha.sum())
    return 0 if weight and total / weight > WHITE / 2 else WHITE


def _line(source: ImageSource, sights: Sequence[Sight], framing: Framing, asked: Asked) -> str:
    """A line on what the pictures are and what the framing does to them; "" if there is nothing to
    say."""
    sizes = sorted(
        {(sight.width, sight.height) for sight in sights}, key=lambda size: size[0] * size[1]
    )
    count = f"{len(sights):,} picture{'s' * (len(sights) != 1)}"
    of_sizes = f"of {in_words(sizes[0])}"
    if len(sizes) > 1:
        of_sizes = f"of {len(sizes)} sizes (from {in_words(sizes[0])} to {in_words(sizes[-1])})"
    framing_words = framing.told()
    remarks = [f"{count} {of_sizes}: {framing_words}"] if framing_words else []
    if framing.resize and not asked.resize and len(sizes) == 1 and not asked.crop:
        remarks[0] += f", for larger ones take long; {option('--resize')} {sizes[0][0]} keeps all"
    coloured = sum(sight.coloured for sight in sights)
    if 0 < coloured < len(sights) or (coloured and asked.grey):
        kind = "in colour" if framing.channels == 3 else "in gray"
        remarks.append(f"{coloured:,} of {count} are in colour: all are seen {kind}")
    transparent = sum(sight.alpha for sight in sights)
    if transparent:
        ground = "white" if framing.background == WHITE else "black"
        remarks.append(f"{transparent:,} of {count} may be transparent: seen on {ground}")
    remarks += source.remarks
    return "; ".join(remarks)
