"""Chooses the framing of pictures when a model is fitted: what the user asks for, else what suits
them.

Pictures of one size that are not large are seen as they are. Others are brought to one size, and
that is said in a line.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from aetool.arguments import brief
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
MOST_NUMBERS = 4  # of a size: left, top, width and height
EIGHTH = 8  # sides of pictures of several sizes become multiples of this


@dataclass(frozen=True)
class Asked:
    """The user's options for how pictures are framed, in pixels; () and False where an option is
    left out.

    resize: (width,), which keeps the shape, or (width, height); tile, stride: (width, height);
    crop: (width, height) or (left, top, width, height); grey: whether colours are dropped.
    """

    resize: tuple[int, ...] = ()
    tile: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    crop: tuple[int, ...] = ()
    grey: bool = False

    @classmethod
    def of(cls, resize: Size, tile: Size, stride: Size, crop: Size, grey: bool) -> Asked:
        """Parse the options as a user writes them, such as 256, "256x192" or None if it is left
        out, into numbers of pixels; of all but resize one number is a square. ParamError for what
        is no size, for a stride without a tile, and for one that is longer than the tile."""
        asked = cls(
            size_of(option("--resize"), resize),
            _as_pair(size_of(option("--tile"), tile)),
            _as_pair(size_of(option("--stride"), stride)),
            _as_pair(size_of(option("--crop"), crop, (1, 2, 4))),
            bool(grey),
        )
        if asked.stride and not asked.tile:
            raise ParamError(
                f"{option('--stride')} says how far tiles lie apart: give {option('--tile')}, too"
            )
        # nothing to compare where tiles are not asked for, or lie side by side
        for step, side in zip(asked.stride, asked.tile, strict=False):
            if step <= side:
                continue
            raise ParamError(
                f"{option('--stride')} {in_words(asked.stride)} is more than {option('--tile')} "
                f"{in_words(asked.tile)}: pixels between the tiles would never be seen"
            )
        return asked

    @property
    def named(self) -> str:
        """The name, as a user writes it, of the first option that is set, of resize, tile, stride,
        crop and grey in this order; "" if none is."""
        asked = {
            option("--resize"): self.resize,
            option("--tile"): self.tile,
            option("--stride"): self.stride,
            option("--crop"): self.crop,
            option("--grey"): self.grey,
        }
        return next((name for name, value in asked.items() if value), "")


def size_of(name: str, given: Size, counts: Sequence[int] = (1, 2)) -> tuple[int, ...]:
    """The numbers, in pixels, of a size as 256, "256x192", "256,192" or (256, 192); () for None
    and for an empty sequence. name: the option, for messages; counts: how many numbers it may have,
    each of at most six digits, the last two, width and height, at least 1, those before them at
    least 0. ParamError for anything else."""
    parts: Sequence[object]
    if given is None:
        return ()
    if isinstance(given, str):
        with_one_sign = given.lower().replace(",", "x")
        parts = with_one_sign.split("x")
    elif isinstance(given, int):
        parts = [given]
    else:
        try:
            # one more than there may be is too many, and no more need be read
            parts = list(itertools.islice(given, MOST_NUMBERS + 1))
        except TypeError:
            # of a type that holds no numbers
            parts = [given]
    if not parts:
        return ()
    texts = [str(part).strip() for part in parts]
    numbers: tuple[int, ...] = ()
    if all(map(_is_short_number, texts)):
        numbers = tuple(map(int, texts))
    # left and top, which come first, may be 0; a width and a height may not
    sides = numbers[-2:]
    if len(numbers) not in counts or min(sides, default=0) < 1:
        further_form = ", or LEFT,TOP,WIDTH,HEIGHT" if 4 in counts else ""
        given_in_words = given if isinstance(given, str) else brief(given)
        raise ParamError(
            f"{name} {given_in_words}: write pixels as WIDTH or WIDTHxHEIGHT, such as 256x192"
            f"{further_form}"
        )
    return numbers


def _is_short_number(text: str) -> bool:
    """Whether a text is a whole number of 1 to 6 digits, 0 to 9: no sign, and no digits of other
    scripts, which `int` would read."""
    return text.isascii() and text.isdigit() and len(text) <= 6


def _as_pair(size: tuple[int, ...]) -> tuple[int, ...]:
    """A size of one number, (width,), as the square (width, width); others stay as they are."""
    return size * 2 if len(size) == 1 else size


def chosen(source: ImageSource, asked: Asked) -> Framing:
    """Choose the framing of pictures that a model is to be fitted on, by their headers and a look
    at some of those with more than 8 bits or with transparent parts; a notice says what it does to
    them. asked: what the user asks for; the rest is chosen: colour if more than half of the
    pictures have it, and the size as `_usual_and_target` says.

    DataError where none can be read, there are none, or the model would see more than check_shape
    allows; ParamError where tiles are larger than the pictures.
    """
    sights = [sight for sight in source.sights if isinstance(sight, Sight)]
    if not source.sights:
        raise DataError(source.why_empty())
    if not sights:
        raise DataError(f"{source.name}: no picture in it can be read: {_first_fault(source)}")
    sizes = [(sight.width, sight.height) for sight in sights]
    if asked.crop:
        # all are of the size that cropping leaves
        sizes = [tuple(asked.crop[-2:])]  # type: ignore[list-item]
    coloured = sum(sight.coloured for sight in sights)
    # colour if more than half of the pictures have it
    channels = 3 if 2 * coloured > len(sights) else 1
    if asked.grey:
        channels = 1
    size, resize = _usual_and_target(sizes, len(sights), channels, asked)
    if asked.tile:
        wide, high = resize or size
        tile_width, tile_height = asked.tile
        if tile_width > wide or tile_height > high:
            raise ParamError(
                f"{option('--tile')} {in_words(asked.tile)} is larger than the pictures of "
                f"{source.name}: {in_words((wide, high))}"
            )
    width, height = asked.tile or resize or size
    check_shape(source.name, (channels, height, width))
    black, white = _black_and_white(source)
    framing = Framing(
        channels,
        width,
        height,
        crop=asked.crop,
        resize=resize,
        # without a stride tiles lie side by side; without tiles there is none
        stride=asked.stride or asked.tile,
        low=black,
        high=white,
        background=_background(source),
    )
    line = _notice_of(source, sights, framing, asked)
    if line:
        notices.say(source.name, line)
    return framing


def _first_fault(source: ImageSource) -> str:
    """In words, the first picture of a source that cannot be read, why, and how many others cannot;
    at least one must be such."""
    # a picture that cannot be read has the reason, a text, in place of its sight
    faults = [place for place, sight in enumerate(source.sights) if isinstance(sight, str)]
    first = faults[0]
    name = f"picture {first + 1}"
    if source.titles:
        name = source.titles[first]
    others = len(faults) - 1
    more = f", and {others} more" if others else ""
    return f"{name}: {source.sights[first]}{more}"


def _usual_and_target(
    sizes: Sequence[Pair],
    count: int,
    channels: int,
    asked: Asked,
) -> tuple[Pair, tuple[int, ...]]:
    """Choose the size of pictures that a model sees: (a usual size of the pictures; the size to
    resize them to, () for none), each (width, height). sizes: of the pictures after they are
    cropped; count: how many pictures there are; channels: of each; asked: what the user asks for.

    The usual size is the commonest, if at least half of them have it, else one of median shape and
    area; where tiles are cut of pictures that differ, and no size is asked for, the smallest width
    and height.

    Pictures are resized to the size that the user asks for, a width alone keeping the usual shape.
    Else, unless tiles are cut, they are resized where they differ in size, or have more values than
    each of so many pictures may have: to the usual size or a smaller one of its shape, with sides
    that are multiples of EIGHTH (8) where fewer than half have one size.
    """
    ((usual, times),) = Counter(sizes).most_common(1)
    all_alike = times == len(sizes)
    few_alike = 2 * times < len(sizes)
    if few_alike:
        usual = _typical_size(sizes)
    if len(asked.resize) == 2:
        return usual, asked.resize
    if asked.resize:
        (width,) = asked.resize
        usual_width, usual_height = usual
        # the shape stays as it is
        height = round(width * usual_height / usual_width)
        return usual, (width, max(1, height))
    if asked.tile:
        # what is cut into tiles is seen in all its detail
        if all_alike:
            return usual, ()
        least_width = min(wide for wide, _ in sizes)
        least_height = min(high for _, high in sizes)
        return (least_width, least_height), ()
    # how many values each picture may have if there are so many
    most_values = min(EACH, max(MODEST, AT_ONCE // count))
    target = _shrunk(usual, most_values // channels)
    if target == usual and all_alike:
        return usual, ()
    # sizes differ: this one is a compromise, and its sides become multiples of eight
    if few_alike:
        width, height = map(_multiple_of_eight, target)
        return usual, (width, height)
    return usual, target


def _multiple_of_eight(side: int) -> int:
    """A side in pixels, lowered to a multiple of EIGHTH (8), but to no less than that."""
    return max(1, side // EIGHTH) * EIGHTH


def _typical_size(sizes: Sequence[Pair]) -> Pair:
    """A typical size, (width, height), for pictures of different sizes, (width, height) each, at
    least one: it has, rounded, the median of their ratios of width to height, and the median of
    their areas."""
    wide, high = np.array(sizes, np.float64).T
    # of logarithms, so that 2 to 1 and 1 to 2 are equally far from a square
    log_shape = np.median(np.log(wide / high))
    shape = float(np.exp(log_shape))
    area = float(np.median(wide * high))
    width = round(math.sqrt(area * shape))
    height = round(math.sqrt(area / shape))
    return max(1, width), max(1, height)


def _shrunk(size: Pair, most: int) -> Pair:
    """Shrink a size, (width, height), to at most `most` pixels, at least 1: both sides divided by a
    whole number if that leaves no rest, else by a fraction that keeps the shape, rounded down; a
    side that would be less than 1 is 1. A size that is small enough stays."""
    wide, high = size
    if wide * high <= most:
        return size
    # the least whole number by which both sides must be divided
    divisor = math.ceil(math.sqrt(wide * high / most))
    if wide % divisor == 0 and high % divisor == 0:
        return wide // divisor, high // divisor
    scale = math.sqrt(most / (wide * high))
    # of a long strip the short side would be less than 1, and the long one more than `most`
    width = max(1, int(wide * scale))
    height = max(1, int(high * scale))
    return min(width, most), min(height, most)


def _even_sample(records: Sequence[int]) -> Iterator[int]:
    """Choose pictures to look at: yields at most PROBED (200) of these numbers of pictures, evenly
    spaced, all if there are no more."""
    # rounded up: with a shorter step there would be more than PROBED
    step = math.ceil(len(records) / PROBED)
    yield from records[:: max(1, step)]


def _black_and_white(source: ImageSource) -> tuple[float, float]:
    """Choose which values of pictures with more than 8 bits a value become black and white, from a
    look at some of them that can be read: (low, high); (0.0, 0.0) if there are none. For floats
    that lie from 0 to 1, or to 255, it is that range; for all others nearly that of their values,
    with some room beyond."""
    deep = [
        record
        for record, sight in enumerate(source.sights)
        if isinstance(sight, Sight) and sight.deep
    ]
    parts = []
    are_whole = True
    for record in _even_sample(deep):
        try:
            picture = source.decoded(record)
        except UnreadableError:
            continue
        pixels = picture.pixels.reshape(-1)
        if pixels.dtype.itemsize == 1:
            continue
        are_whole = are_whole and pixels.dtype.kind in "iu"
        step = max(1, pixels.size // PROBED_VALUES)
        parts.append(pixels[::step].astype(np.float64))
    if not parts:
        return 0.0, 0.0
    values = np.concatenate(parts)
    lowest = float(values.min())
    highest = float(values.max())
    # fractions of white, or levels of 8 bits as floats
    if not are_whole and lowest >= 0 and highest <= WHITE:
        white = 1.0 if highest <= 1 else float(WHITE)
        return 0.0, white
    low, high = np.quantile(values, [FAR, 1 - FAR]).tolist()
    # 1 where all values are equal, so that the range is not empty
    room = ROOM * (high - low) or 1.0
    low = low - room
    high = high + room
    # not beyond what the pictures can hold
    if lowest >= 0:
        low = max(low, 0.0)
    if are_whole and highest <= MOST_OF_16_BITS:
        high = min(high, float(MOST_OF_16_BITS))
    if are_whole:
        return float(math.floor(low)), float(math.ceil(high))
    # six digits are enough, and are short in a model and in words
    return float(f"{low:.6g}"), float(f"{high:.6g}")


def _background(source: ImageSource) -> int:
    """Choose the gray level, 0 or 255, on which transparent parts are seen: whichever is farther
    from the mean of the opaque ones, by a look at some pictures of 8 bits a value; 255 if there are
    none."""
    with_alpha = [
        record
        for record, sight in enumerate(source.sights)
        if isinstance(sight, Sight) and sight.alpha
    ]
    total = 0.0
    weight = 0.0
    for record in _even_sample(with_alpha):
        try:
            picture = source.decoded(record)
        except UnreadableError:
            continue
        # opaque all over, or of values that are no gray levels of 0 to 255
        if picture.alpha is None or picture.pixels.dtype != np.uint8:
            continue
        pixels = picture.pixels.astype(np.float64)
        gray = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
        # a pixel counts by how opaque it is
        weighed = gray * picture.alpha
        total += float(weighed.sum())
        weight += float(picture.alpha.sum())
    # without an opaque pixel there is no mean
    if weight and total / weight > WHITE / 2:
        return 0
    return WHITE


def _notice_of(
    source: ImageSource,
    sights: Sequence[Sight],
    framing: Framing,
    asked: Asked,
) -> str:
    """Word a notice, one line, on what the pictures are and what the framing does to them, with the
    source's remarks; "" if there is nothing to say. sights: of the pictures that can be read, at
    least one; asked: what the user asks for."""
    different_sizes = {(sight.width, sight.height) for sight in sights}
    sizes = sorted(different_sizes, key=math.prod)
    pictures = "picture" if len(sights) == 1 else "pictures"
    count = f"{len(sights):,} {pictures}"
    smallest = in_words(sizes[0])
    of_sizes = f"of {smallest}"
    if len(sizes) > 1:
        largest = in_words(sizes[-1])
        of_sizes = f"of {len(sizes)} sizes (from {smallest} to {largest})"
    remarks = []
    framing_words = framing.told()
    if framing_words:
        remarks.append(f"{count} {of_sizes}: {framing_words}")
    # made smaller only to save time: how to keep all pixels is said, too
    was_asked = asked.resize or asked.crop
    if framing.resize and len(sizes) == 1 and not was_asked:
        width, _ = sizes[0]
        remarks[0] += f", for larger ones take long; {option('--resize')} {width} keeps all"
    coloured = sum(sight.coloured for sight in sights)
    if 0 < coloured < len(sights) or (coloured and asked.grey):
        kind = "in colour" if framing.channels == 3 else "in gray"
        remarks.append(f"{coloured:,} of {count} are in colour: all are seen {kind}")
    # by their headers: most with a channel of opacity are opaque all over
    transparent = sum(sight.alpha for sight in sights)
    if transparent:
        ground = "white" if framing.background == WHITE else "black"
        remarks.append(f"{transparent:,} of {count} may be transparent: seen on {ground}")
    remarks += source.remarks
    return "; ".join(remarks)
