"""Pictures of one size as one blob of bytes and back: each of several ways to code them is tried,
and the shortest is taken.

A way is tried on a part of the pictures, so that what it costs to choose does not grow with them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.codec import picture_coding, picture_filters, picture_models, stages
from aetool.codec.blobs import pack, read_varint, unpack, varint
from aetool.codec.limits import MAX_CELLS
from aetool.codec.picture_coding import State
from aetool.codec.picture_contexts import PRESETS, USUAL, Preset
from aetool.codec.picture_filters import Filter, Scale
from aetool.codec.picture_models import PictureModel
from aetool.errors import ArchiveError
from aetool.model import Array

Samples = Array  # (n, channels, height, width) of uint8 or uint16
SQUEEZED = 0  # the way of bytes without contexts; others say preset, colours and model
PLANES, DIFFERENCES, PALETTE = 0, 1, 2  # what becomes of colours
WITHIN = 3  # planes, of which each value is restored within a bound
MOST_BOUND = (1 << 16) - 1
FILTERED = 1 << 3  # in the first byte: restored values are filtered
PRIMED = 1 << 6  # in the way: begins with what a model has learned
GROWN = 1 << 7  # and: in tables whose size follows
MOST_COLOURS = 256
DENSE = 0.75  # of the range: gray levels that fill more of it need no palette
TRIED = 1 << 15  # values of the part that ways are tried on
SMALL = 1 << 16  # bytes: always squeezed, too
LIKELY = 1.3  # of what contexts take: above this a quick squeeze is no rival
MAX_CHANNELS = 4
MAX_PADDED = 1 << 25  # values with what stands about each row


@dataclass(frozen=True, eq=False)
class Way:
    """How the channels of pictures become planes to code.

    colours: PLANES: each channel is one; DIFFERENCES: so, but of three channels or more red less
    green, and blue less the mean of both, modulo the number of values; PALETTE: one plane, of the
    place of each pixel's colour in a list of all colours; WITHIN: as PLANES, each value restored
    within a bound. palette: (colours, channels), of the type of the pictures, for PALETTE alone,
    else None; bound: for WITHIN alone, how far off a restored value may be, 1 .. MOST_BOUND
    (65,535).
    """

    colours: int
    palette: Samples | None = None
    bound: int = 0

    def planes(self, pictures: Samples, largest_value: int) -> tuple[npt.NDArray[np.uint16], int]:
        """Turn pictures, (n, channels, height, width) of values 0 .. largest_value, into planes to
        code: (planes, (n, planes, height, width) uint16, green before red; their largest possible
        value). A copy: the pictures stay as they are. A palette must have all their colours."""
        if self.palette is not None:
            largest_index = max(1, len(self.palette) - 1)
            return _indices(pictures, self.palette), largest_index
        planes = _green_first(pictures.astype(np.uint16))
        # sums of bounded planes would be off by more than the bound
        if self.colours in (PLANES, WITHIN):
            return planes, largest_value
        size = largest_value + 1
        half = size // 2
        green = planes[:, 0].astype(np.int32)
        red = planes[:, 1].astype(np.int32)
        # modulo the number of values no difference needs more bits than a value; half is 0 of it
        mean = (green + red) >> 1
        from_green = red - green + half
        planes[:, 1] = from_green % size
        from_mean = planes[:, 2] - mean + half
        planes[:, 2] = from_mean % size
        return planes, largest_value

    def pictures(
        self, planes: npt.NDArray[np.uint16], largest_value: int
    ) -> npt.NDArray[np.uint16]:
        """The inverse of the method `planes`: (n, channels, height, width) uint16, the pictures of
        planes, (n, planes, height, width), which may be changed in place. largest_value: the
        largest value of a picture, as `planes` was given it. ArchiveError if they have a colour
        that the palette has not."""
        if self.palette is not None:
            if planes.size and int(planes.max()) >= len(self.palette):
                raise ArchiveError("damaged: a picture has a colour that its palette has not")
            palette = self.palette.astype(np.uint16)
            coloured: npt.NDArray[np.uint16] = palette[planes[:, 0]]
            return coloured.transpose(0, 3, 1, 2)
        if self.colours == DIFFERENCES:
            size = largest_value + 1
            half = size // 2
            green = planes[:, 0].astype(np.int32)
            red = (planes[:, 1] + green - half) % size
            # red comes first: blue was taken from the mean of it and green
            mean = (green + red) >> 1
            planes[:, 1] = red
            planes[:, 2] = (planes[:, 2] + mean - half) % size
        return _green_first(planes)

    def head(self) -> bytes:
        """The bytes that say, ahead of the code in a blob, what a decoder needs to know of the way:
        for a bound varint bound; for a palette varint how many colours, varint how many bytes, and
        the packed palette; b"" for a way with neither."""
        if self.colours == WITHIN:
            return varint(self.bound)
        if self.palette is None:
            return b""
        colours = pack(_bytes_of(self.palette))
        return varint(len(self.palette)) + _with_length(colours)


def _green_first(planes: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Exchange the first two planes (red and green) of planes, (n, planes, height, width), if there
    are at least three; returns a copy in any case. Called again it exchanges them back."""
    channels = planes.shape[1]
    if channels < 3:
        return planes.copy()
    order = [1, 0, *range(2, channels)]
    return planes[:, order]


def _with_length(part: bytes) -> bytes:
    """A varint of how many bytes the part has, then the part: a reader then knows where it ends."""
    return varint(len(part)) + part


def _bytes_of(values: Samples) -> bytes:
    """The values of an array of any shape as bytes, one or two for each by its type, little-endian
    on every machine, the last axis fastest."""
    little_endian = values.dtype.newbyteorder("<")
    return np.ascontiguousarray(values, little_endian).tobytes()


# ---- palettes


def _colour_numbers(pictures: Samples) -> npt.NDArray[np.uint32]:
    """Turn the colour of each pixel into one number, (n, height, width) uint32: 8 bits of it for
    each channel, the first channel highest. pictures: (n, channels, height, width) uint8, at most
    four channels."""
    shape = (len(pictures), *pictures.shape[2:])
    keys = np.zeros(shape, np.uint32)
    for channel in range(pictures.shape[1]):
        keys = keys << 8 | pictures[:, channel]
    return keys


def _indices(pictures: Samples, palette: Samples) -> npt.NDArray[np.uint16]:
    """Look up each pixel's colour in a palette: (n, 1, height, width) uint16, its place there.
    pictures: (n, channels, height, width); palette: (colours, channels), which must have every
    colour of theirs, unchecked. Both are uint8, or, of one channel, uint16."""
    if pictures.shape[1] == 1:
        # of grey levels the place is looked up by the level itself
        brightest = int(palette.max())
        places = np.zeros(brightest + 1, np.uint16)
        places[palette[:, 0]] = np.arange(len(palette))
        return places[pictures]
    palette_as_picture = palette[:, :, None, None]
    keys = _colour_numbers(palette_as_picture).ravel()
    order = np.argsort(keys)
    ranks = np.searchsorted(keys[order], _colour_numbers(pictures))
    places = order.astype(np.uint16)
    return places[ranks][:, None]


def palette_of(pictures: Samples) -> Samples | None:
    """The palette of pictures: all their different colours, (colours, channels), in the type of the
    pictures, by brightness (the sum of the channels), dark ones first. None if a palette is of no
    use: of more than MOST_COLOURS (256) colours; of one channel, if more than DENSE (three
    quarters) of the levels from 0 to the brightest that occurs are in use; of several channels, if
    their type is not uint8. pictures: (n, channels, height, width), not empty."""
    channels = pictures.shape[1]
    if channels == 1:
        counts = np.bincount(pictures.ravel())
        levels = np.flatnonzero(counts)
        range_filled = DENSE * (int(levels[-1]) + 1)
        if len(levels) > MOST_COLOURS or len(levels) > range_filled:
            return None
        return levels.astype(pictures.dtype)[:, None]
    if pictures.dtype != np.uint8:
        return None
    # most pictures have too many colours, and a sample of them tells
    numbers_of_sample = np.unique(_colour_numbers(_sample_of(pictures)))
    if len(numbers_of_sample) > MOST_COLOURS:
        return None
    colour_numbers = np.unique(_colour_numbers(pictures))
    if len(colour_numbers) > MOST_COLOURS:
        return None
    # a key's lowest byte is the last channel
    shifts = 8 * np.arange(channels)[::-1]
    channel_values = colour_numbers[:, None] >> shifts & 255
    colours = channel_values.astype(np.uint8)
    brightness = colours.sum(axis=1, dtype=np.int64)
    # stable: colours that are as bright stay in the order of their keys, on every machine
    order = np.argsort(brightness, kind="stable")
    return colours[order]


# ---- which way


def _sample_of(pictures: Samples) -> Samples:
    """A sample of pictures, (n, channels, height, width), not empty, on which ways to code them are
    tried: pictures from the middle, or, if a single one has TRIED (2^15) values or more, rows from
    the middle of one; as a view of four axes. At most TRIED values, or a single row that has
    more."""
    size = math.prod(pictures.shape[1:])
    if size >= TRIED:
        # of one picture
        middle = len(pictures) // 2
        middle_picture: Samples = pictures[middle][None]
        height = middle_picture.shape[2]
        rows = max(1, TRIED * height // size)
        first = (height - rows) // 2
        return middle_picture[:, :, first : first + rows]
    count = min(len(pictures), TRIED // size)
    first = (len(pictures) - count) // 2
    some: Samples = pictures[first : first + count]
    return some


@dataclass(frozen=True, eq=False)
class _Attempt:
    """The result of coding some pictures in one way, to be compared with others.

    primed: whether the coder began in a model's state; data: the code, b"" if it was too long;
    bits: binary logarithm of how many counters each of the coder's contexts has; planes: (n,
    planes, height, width) as they are restored.
    """

    way: Way
    primed: bool
    data: bytes
    bits: int
    planes: npt.NDArray[np.uint16]

    def bytes_of(self, scale: float) -> float:
        """Estimate how many bytes pictures of `scale` times as many values as those tried take in
        this way, a palette counted once; infinite if the code was too long."""
        # none at all are those of values that had no room: never the fewest
        if self.data:
            of_palette = len(self.way.head())
            return of_palette + scale * len(self.data)
        return math.inf


@dataclass(frozen=True, eq=False)
class Coded:
    """Pictures as a blob of bytes, and the pictures that decoding it gives: (n, channels, height,
    width), of the type of the source; the very array that was encoded, if they are exact."""

    blob: bytes
    restored: Samples


def encode(
    pictures: Samples,
    preset: Preset,
    model: PictureModel | None = None,
    bound: int = 0,
    filtered: bool = False,
) -> Coded:
    """Encode pictures, (n, channels, height, width) of uint8 or uint16, not empty, as a blob, in
    the way that takes fewest bytes on a sample of them; or squeezed as bytes, which is exact, if
    that takes fewer (tried where there are few bytes, or a quick look promises it).

    preset: the contexts of the coder. model: what has been learned of other pictures, to begin
    with, if that takes fewer bytes; None, or a model without this preset: nothing. bound: how far
    off a restored value may be, 0 (exact) to MOST_BOUND (65,535); exact ways are tried even so.
    filtered: whether values within the bound are then filtered, if that is worth its bytes, which
    lessens most errors and leaves none above twice the bound.
    """
    largest_value = _largest_value_of(pictures)
    sample = _sample_of(pictures)
    learned = None
    if model is not None:
        learned = model.states.get(preset.number)
    scale = pictures.size / sample.size

    def best_on_sample(state: State | None) -> _Attempt:
        """The attempt that takes the fewest bytes on the sample, the coder beginning in this state;
        for None in a fresh one."""
        tries = []
        for way in _ways(pictures, bound):
            tries.append(_coded_in_way(sample, way, preset, largest_value, state))
        return min(tries, key=lambda attempt: attempt.bytes_of(scale))

    def coded_in_full(attempt: _Attempt) -> _Attempt:
        """Code all pictures in the way of an attempt on the sample, and from the same state; the
        attempt itself if the sample is all of them."""
        # of few pictures the sample is all of them
        if sample.shape == pictures.shape:
            return attempt
        state = learned if attempt.primed else None
        return _coded_in_way(pictures, attempt.way, preset, largest_value, state)

    alone = best_on_sample(None)
    best = alone
    if learned is not None:
        by_model = best_on_sample(learned)
        # a model helps most in the beginning, and a sample cannot tell whether it does to the end
        if by_model.bytes_of(scale) < alone.bytes_of(scale):
            candidates = [coded_in_full(by_model), coded_in_full(alone)]
            best = min(candidates, key=lambda attempt: attempt.bytes_of(1))
    if best is alone:
        best = coded_in_full(alone)
    return _coded(pictures, preset, best, filtered)


def _coded(pictures: Samples, preset: Preset, best: _Attempt, filtered: bool) -> Coded:
    """Make a blob of pictures, (n, channels, height, width), that were coded in the best way; or
    squeeze them as bytes, if that takes fewer. best: the coding of all of them, not of a sample.
    preset: the contexts of the coder. filtered: whether values within a bound may be filtered when
    they are restored."""
    largest_value = _largest_value_of(pictures)
    way = best.way
    planes = best.planes
    filter_bytes = b""
    filter_bit = 0
    if filtered and way.colours == WITHIN and best.data:
        original, _ = way.planes(pictures, largest_value)
        scale = Scale(way.bound, largest_value)
        size = len(best.data)
        filters, planes = picture_filters.filters_worth_storing(planes, original, scale, size)
        if filters:
            filter_bytes = picture_filters.to_bytes(filters)
            filter_bit = FILTERED
    # the head: 3 bits for the preset, 1 for a filter, 2 for colours, 2 for a model's state
    model_bits = PRIMED | GROWN if best.primed else 0
    head = bytes([preset.number + 1 | filter_bit | way.colours << 4 | model_bits])
    # values of one byte reach 255, which nobody has to be told
    if pictures.dtype != np.uint8:
        head += varint(largest_value)
    blob = head + bytes([best.bits]) + way.head() + filter_bytes + best.data
    # of no use where the code had no room, or takes more than the pixels themselves
    if not best.data or len(blob) > pictures.nbytes:
        blob = b""
    squeezed_blob = b""
    if not blob or _may_be_squeezed(pictures, len(blob)):
        squeezed_blob = squeezed(pictures)
    if not blob or 0 < len(squeezed_blob) < len(blob):
        return Coded(squeezed_blob, pictures)
    if way.colours != WITHIN:
        return Coded(blob, pictures)
    restored = way.pictures(planes, largest_value)
    restored = restored.astype(pictures.dtype)
    return Coded(blob, np.ascontiguousarray(restored))


def planes_to_learn_from(pictures: Samples) -> tuple[npt.NDArray[np.uint16], int]:
    """Turn pictures, (n, channels, height, width) of uint8 or uint16, into planes to learn from, in
    the exact way that takes fewest bytes on a sample of them: (planes, (n, planes, height, width)
    uint16; their largest possible value). Palettes are not tried, as other pictures have other
    colours."""
    largest_value = _largest_value_of(pictures)
    sample = _sample_of(pictures)
    ways = [way for way in _ways(pictures, 0) if way.palette is None]

    def size_of_sample(way: Way) -> int:
        """How many bytes the sample takes in a way, from a fresh state."""
        return len(_coded_in_way(sample, way, USUAL, largest_value, None).data)

    best = min(ways, key=size_of_sample)
    return best.planes(pictures, largest_value)


def _largest_value_of(pictures: Samples) -> int:
    """The largest value that pictures, of any shape, are coded to reach: 255 of uint8, else the
    largest there is, at least 1."""
    if pictures.dtype == np.uint8:
        return 255
    largest = int(pictures.max(initial=1))
    return max(1, largest)


def _ways(pictures: Samples, bound: int) -> Iterator[Way]:
    """Yield the ways that are worth trying on pictures, (n, channels, height, width): with a bound
    first WITHIN, then always PLANES, of three channels or more DIFFERENCES, and PALETTE where
    `palette_of` finds one. bound: how far off a restored value may be; 0: exact ways alone."""
    if bound:
        yield Way(WITHIN, bound=bound)
    # drawings of few colours may well be smaller exactly
    yield Way(PLANES)
    if pictures.shape[1] >= 3:
        yield Way(DIFFERENCES)
    palette = palette_of(pictures)
    if palette is not None:
        yield Way(PALETTE, palette)


def _coded_in_way(
    pictures: Samples,
    way: Way,
    preset: Preset,
    largest_value: int,
    learned: State | None,
) -> _Attempt:
    """Code pictures, (n, channels, height, width), in one way. preset: the coder's contexts;
    largest_value: the largest value that pictures may have; learned: the state of a model to begin
    in, of the same preset, which is copied, with larger tables where there are many values; None: a
    fresh one."""
    planes, largest = way.planes(pictures, largest_value)
    bits = picture_coding.bits_for(planes.size)
    if learned is None:
        state = State.fresh(preset, bits)
    else:
        bits = max(bits, learned.bits)
        state = learned.grown(bits)
    data = picture_coding.encode(planes, largest, state, way.bound)
    primed = learned is not None
    return _Attempt(way, primed, data, bits, planes)


def squeezed(pictures: Samples) -> bytes:
    """Encode pictures, of uint8 or uint16, exactly, as a blob that `decode` reads: their bytes
    compressed by a general method such as LZMA2, not by contexts."""
    return bytes([SQUEEZED]) + pack(_bytes_of(pictures))


def _may_be_squeezed(pictures: Samples, rival: int) -> bool:
    """Whether `squeezed` may take fewer bytes than `rival`, the length of another code in bytes:
    always True of pictures of at most SMALL (2^16) bytes; else if a quick squeeze of the first 2^18
    bytes takes at most LIKELY (1.3) times as many for each byte as `rival`."""
    raw = _bytes_of(pictures)
    if len(raw) <= SMALL:
        return True
    begin = raw[: 4 * SMALL]
    quick = stages.named("lzma2").squeeze(begin, quick=True)
    share_squeezed = len(quick) / len(begin)
    return share_squeezed <= LIKELY * rival / len(raw)


# ---- back


def decode(
    data: bytes,
    shape: Sequence[int],
    width: int,
    model: PictureModel | None = None,
) -> Samples:
    """The pictures of a blob that `encode` wrote: (n, channels, height, width), uint8 or, for width
    2, little-endian uint16; they may be read-only. ArchiveError, IndexError or ValueError if it is
    damaged, its pictures are of another shape, that shape is one that `check` refuses, or it needs
    a model that is not given.

    shape: (n, channels, height, width), of all pictures; width: bytes of a pixel value, 1 or 2;
    model: what the archive's model has learned; None without one.
    """
    check(shape)
    dtype = np.dtype(np.uint8 if width == 1 else "<u2")
    if not data:
        raise ArchiveError("damaged: pictures without a byte")
    head = data[0]
    at = 1
    if head == SQUEEZED:
        size = math.prod(shape) * width
        raw = unpack(data[at:], size)
        return np.frombuffer(raw, dtype).reshape(tuple(shape))
    # the head: 3 bits for the preset, 0 being SQUEEZED, 1 for a filter, 2 for colours, 2 for a
    # model's state
    number = (head & 7) - 1
    filtered = bool(head & FILTERED)
    colours = head >> 4 & 3
    primed = bool(head & PRIMED)
    grown = bool(head & GROWN)
    is_known_preset = 0 <= number < len(PRESETS)
    if not is_known_preset or (grown and not primed) or (filtered and colours != WITHIN):
        raise ArchiveError("damaged: pictures are coded in an unknown way")
    largest_value = 255
    if width == 2:
        largest_value, at = read_varint(data, at)
    state, at = _first_state(
        data,
        at,
        number,
        model,
        primed=primed,
        grown=grown,
    )
    planes = shape[1]
    way, at = _way_of(data, at, colours, planes, dtype)
    largest = largest_value
    # what is coded are places in the palette
    if way.palette is not None:
        planes = 1
        largest = max(1, len(way.palette) - 1)
    if not 0 < largest < 1 << 16:
        raise ArchiveError("damaged: pictures with values of another size")
    sizes = (shape[0], planes, *shape[2:])
    filters: list[Filter] = []
    if filtered:
        filters, at = picture_filters.read(data, at, planes)
    coded = data[at:]
    values = picture_coding.decode(coded, sizes, largest, state, way.bound)
    values = picture_filters.applied(filters, values, Scale(way.bound, largest_value))
    pictures = way.pictures(values, largest_value)
    return np.ascontiguousarray(pictures.astype(dtype))


def _way_of(
    data: bytes,
    at: int,
    colours: int,
    channels: int,
    dtype: npt.DTypeLike,
) -> tuple[Way, int]:
    """Read from a blob how its pictures are coded: (the way, the offset at which the blob goes on).
    at: the offset of the palette or bound, if the way has one; colours: PLANES, DIFFERENCES,
    PALETTE or WITHIN (0 to 3); channels, dtype: of the pictures. ArchiveError where the way is not
    for such pictures, or ArchiveError or ValueError for a bound or palette that is damaged."""
    if colours == PALETTE:
        return _palette(data, at, channels, dtype)
    if colours == WITHIN:
        bound, at = read_varint(data, at)
        if not 0 < bound <= MOST_BOUND:
            raise ArchiveError("damaged: pictures within a bound that is none")
        return Way(colours, bound=bound), at
    if colours == DIFFERENCES and channels < 3:
        raise ArchiveError("damaged: differences of colours that are none")
    return Way(colours), at


def _first_state(
    data: bytes,
    at: int,
    preset_number: int,
    model: PictureModel | None,
    *,
    primed: bool,
    grown: bool,
) -> tuple[State, int]:
    """Make the state in which a decoder begins: (the state, a new one; the offset at which the blob
    goes on). at: the offset of the byte that has the size of the coder's tables, if there is one;
    preset_number: of a preset, a choice of contexts, that there is. primed: the state is the
    model's, in tables of another size if grown. ArchiveError for a size that is not allowed, or
    without the model; IndexError for no byte."""
    bits = picture_models.BITS
    least = picture_coding.LEAST_BITS
    if primed:
        learned = _learned(model, preset_number)
        least = picture_models.BITS
    if grown or not primed:
        bits = data[at]
        at += 1
        if not least <= bits <= picture_coding.MOST_BITS:
            raise ArchiveError("damaged: coded pictures have tables of another size")
    if not primed:
        return State.fresh(PRESETS[preset_number], bits), at
    if grown:
        return learned.grown(bits), at
    # archives of old have its counters as they are
    return learned.copy(), at


def check(shape: Sequence[int]) -> None:
    """Raise ArchiveError if pictures of this shape, (n, channels, height, width), have more than
    MAX_CELLS (2^24) values, more than MAX_PADDED (2^25) in a plane for each channel with what
    stands about its rows, more than MAX_CHANNELS (4) channels, or none; before memory is taken for
    them."""
    count, channels, height, width = shape
    sensible = min(shape) > 0 and channels <= MAX_CHANNELS
    values = math.prod(shape)
    # of each row what stands about it, and one row above
    padded = (width + 6) * (height + 1) * channels
    if not sensible or values > MAX_CELLS or padded > MAX_PADDED:
        raise ArchiveError(
            f"damaged: a block claims {count} pictures of {width} x {height} with {channels} "
            f"channels; at most {MAX_CELLS} values are allowed"
        )


def _learned(model: PictureModel | None, number: int) -> State:
    """The state that a model has learned with the preset, the choice of contexts, of this number,
    not a copy; ArchiveError if there is no model, or none with this preset."""
    state = None
    if model is not None:
        state = model.states.get(number)
    if state is None:
        raise ArchiveError("damaged: pictures need a model that is not there")
    return state


def _palette(
    data: bytes,
    at: int,
    channels: int,
    dtype: npt.DTypeLike,
) -> tuple[Way, int]:
    """Read a palette from a blob at offset `at`: (the way that has it, the offset at which the blob
    goes on). ArchiveError for a palette that is damaged, or of no or more than MOST_COLOURS (256)
    colours, ValueError for one of fewer than it says. channels: of a colour; dtype: of its
    values."""
    count, at = read_varint(data, at)
    size, at = read_varint(data, at)
    if not 0 < count <= MOST_COLOURS:
        raise ArchiveError("damaged: a palette of too many colours")
    bytes_of_colour = channels * np.dtype(dtype).itemsize
    end = at + size
    raw = unpack(data[at:end], count * bytes_of_colour)
    colours = np.frombuffer(raw, dtype)
    return Way(PALETTE, colours.reshape(count, channels)), end
