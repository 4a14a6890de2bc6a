"""Stages, general ways to compress bytes, each known by a number that stands for a name and a
version. A later version is another number, so that older archives stay readable."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aetool.codec import mixing
from aetool.errors import ArchiveError
from aetool.model import Float

BITS = 3  # of a stage's number, in front of a blob
STORED = 0
JOINED = 6  # no stage: a text that was mixed with those of other columns, see joined_texts
LEAST = 16  # bytes: fewer are never squeezed
Names = Sequence[str]
DICTIONARY = 8 << 20  # bytes of LZMA2's
LEAST_DICTIONARY = 4096
# LZMA2's chunks: controls of those that are packed, and that say how; bytes that begin a decoder
FIRST_PACKED, FIRST_WITH_PROPERTIES, RANGE_CODER = 0x80, 0xC0, 5
_LZMA2 = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": DICTIONARY}]
_LZMA2_EXTREME = {
    "id": lzma.FILTER_LZMA2,
    "preset": 9 | lzma.PRESET_EXTREME,
    "dict_size": DICTIONARY,
}
# numbers in text begin at any byte, so positions within words (pb) tell nothing
_LZMA2_THOROUGH = [{**_LZMA2_EXTREME, "pb": 0}]
# those of arrays begin at every fourth or eighth, whose neighbours (lc) tell less than these (lp)
_LZMA2_WORDS = (
    [{**_LZMA2_EXTREME, "pb": 2}],
    [{**_LZMA2_EXTREME, "pb": 3, "lp": 3, "lc": 0}],
)
_LZMA2_QUICK = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": DICTIONARY}]


@dataclass(frozen=True)
class Stage:
    """One way to compress bytes, a general compressor. name, version: what it is known by; archives
    store its number in KNOWN. This one stores bytes as they are; subclasses compress."""

    name: str
    version: int = 1

    def squeeze(
        self,
        raw: bytes,
        quick: bool,
        thorough: bool = False,
        binary: bool = False,
    ) -> bytes:
        """Compress bytes, raw; the result may be larger, and is then not to be used. quick: take
        less time; thorough: take more, unless quick; binary: the bytes may be numbers of several
        bytes each. A stage may take no notice of these. By default the bytes as they are."""
        return raw

    def within(
        self,
        raw: bytes,
        most: int,
        quick: bool,
        thorough: bool = False,
        binary: bool = False,
    ) -> bytes:
        """Compress bytes as `squeeze` does, or return more than `most` bytes, and no fewer than
        those of raw, where they take more than `most`. By default as `squeeze` does in any case."""
        return self.squeeze(raw, quick, thorough, binary)

    def restore(self, data: bytes, size: int) -> bytes:
        """The `size` bytes that `squeeze` was given; of damaged data other bytes, at most size + 1
        of them, or an error of the compressor: LZMAError, EOFError, OSError or ValueError. By
        default the data as they are, cut to size + 1."""
        return data[: size + 1]

    def costs(self, data: bytes, text: bytes) -> Float:
        """How many bits of the compressed data each byte of the text takes, (bytes of the text,)
        float64; bits that belong to no byte are in none. data: what `squeeze` returned; text: what
        the data restore. By default 8 for each byte."""
        # bytes that are stored as they are take eight bits each
        return np.full(len(text), 8.0)


class Guessed(Stage):
    """A stage, a way to compress bytes, whose compressed data do not show how many bits each byte
    took: `costs` divides the total in the proportions of a mixture of contexts."""

    def costs(self, data: bytes, text: bytes) -> Float:
        """How many bits each byte of the text takes, see Stage.costs; together all of the data."""
        likely = mixing.costs(text, mixing.delimiter_of(text))
        return np.asarray(likely * (8 * len(data) / max(float(likely.sum()), 1.0)))


class Lzma2(Stage):
    """The stage that compresses by raw LZMA2, with a dictionary of 8 MiB at most."""

    def squeeze(
        self,
        raw: bytes,
        quick: bool,
        thorough: bool = False,
        binary: bool = False,
    ) -> bytes:
        """Compress bytes, raw, by LZMA2. quick: at a fast setting; thorough: at a slow one, unless
        quick; binary: also at settings for numbers of four and eight bytes; the smallest is
        taken."""
        usual = _LZMA2_QUICK if quick else _LZMA2_THOROUGH if thorough else _LZMA2
        tried = [usual, *(_LZMA2_WORDS if binary else ())]
        return min((_lzma2(raw, filters) for filters in tried), key=len)

    def restore(self, data: bytes, size: int) -> bytes:
        """The `size` bytes that `squeeze` was given; for damaged data LZMAError, or other bytes, at
        most size + 1 of them."""
        inflater = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA2)
        return inflater.decompress(data, size + 1)

    def costs(self, data: bytes, text: bytes) -> Float:
        """How many bits each byte of the text takes, see Stage.costs. The decoder is fed byte by
        byte: the eight bits of each are shared evenly by the text that comes out next, those of a
        match by all that it covers. Bytes that carry no text, such as heads of chunks, count for
        none."""
        inflater = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA2)
        # how many bytes of the text are there after each byte of the data
        restored_after = np.zeros(len(data), np.int64)
        restored_bytes = 0
        for place in range(len(data)):
            restored_bytes += len(inflater.decompress(data[place : place + 1], len(text) + 1))
            restored_after[place] = restored_bytes
        bits = np.zeros(len(text) + 1)
        bits_to_share = 0.0
        # bytes that bring nothing begin what the next ones finish
        is_idle = _heads_of_chunks(data)
        shared_until = 0
        for restored_now, is_idle_byte in zip(
            restored_after.tolist(), is_idle.tolist(), strict=True
        ):
            bits_to_share += 0.0 if is_idle_byte else 8.0
            if restored_now > shared_until:
                bits[shared_until:restored_now] += bits_to_share / (restored_now - shared_until)
                shared_until = restored_now
                bits_to_share = 0.0
        return bits[: len(text)]


def _heads_of_chunks(data: bytes) -> npt.NDArray[np.bool_]:
    """Mark the bytes of LZMA2 data that carry no text, (bytes of the data,) bool: heads of chunks,
    the bytes that fill the decoder at a packed chunk's begin, and the end mark. data: not
    damaged."""
    idle = np.zeros(len(data), np.bool_)
    place = 0
    # a chunk is u8 control, its sizes less 1, perhaps properties, and its bytes; control 0 ends all
    while place < len(data) and data[place]:
        control = data[place]
        if control < FIRST_PACKED:  # bytes as they are
            head = 3
            bytes_of_decoder = 0
            size = int.from_bytes(data[place + 1 : place + 3], "big") + 1
        else:
            head = 5 + (control >= FIRST_WITH_PROPERTIES)
            bytes_of_decoder = RANGE_CODER
            size = int.from_bytes(data[place + 3 : place + 5], "big") + 1
        idle[place : place + head + bytes_of_decoder] = True
        place += head + size
    # and what says that nothing follows
    idle[place:] = True
    return idle


def _lzma2(raw: bytes, filters: Sequence[dict[str, int]]) -> bytes:
    """Compress bytes by raw LZMA2. filters: as the module lzma takes them, whose dict_size is
    replaced by the bytes of raw, rounded up to a power of two, within LEAST_DICTIONARY ..
    DICTIONARY (4 KiB .. 8 MiB)."""
    # nothing repeats farther back than the data are long: a table for more is only filled in vain
    size = min(DICTIONARY, max(LEAST_DICTIONARY, 1 << (len(raw) - 1).bit_length()))
    fitting = [{**filter_settings, "dict_size": size} for filter_settings in filters]
    return lzma.compress(raw, lzma.FORMAT_RAW, filters=fitting)


class Bzip2(Guessed):
    """The stage that compresses to one stream of bzip2."""

    def squeeze(
        self,
        raw: bytes,
        quick: bool,
        thorough: bool = False,
        binary: bool = False,
    ) -> bytes:
        """Compress bytes, raw, by bzip2, in blocks of 100 kB if quick, else 900 kB; thorough and
        binary change nothing."""
        return bz2.compress(raw, 1 if quick else 9)

    def restore(self, data: bytes, size: int) -> bytes:
        """The `size` bytes that `squeeze` was given; for data that are no bzip2 OSError, for other
        damaged ones other bytes, at most size + 1 of them."""
        return bz2.BZ2Decompressor().decompress(data, size + 1)


class Zstd(Guessed):
    """The stage that compresses to one frame of zstd (RFC 8878)."""

    def squeeze(
        self,
        raw: bytes,
        quick: bool,
        thorough: bool = False,
        binary: bool = False,
    ) -> bytes:
        """Compress bytes, raw, by zstd, at level 3 if quick, else 19; thorough and binary change
        nothing."""
        import pyarrow as pa

        codec = pa.Codec("zstd", compression_level=3 if quick else 19)
        return bytes(codec.compress(raw, asbytes=True))

    def restore(self, data: bytes, size: int) -> bytes:
        """The `size` bytes that `squeeze` was given; OSError or ValueError for damaged data. For a
        size of 0 the data are not read."""
        import pyarrow as pa

        # the frame must restore `size` bytes: a larger one does not fit the buffer
        if size:
            return bytes(pa.decompress(data, size, codec="zstd", asbytes=True))
        return b""


@dataclass(frozen=True)
class Mixed(Stage):
    """The stage that compresses by contexts mixed bit by bit, see mixing: smallest on text, and
    slowest. For texts of at most mixing.MOST (2^23) bytes. widely: whether words are contexts,
    too."""

    widely: bool = False

    def squeeze(
        self,
        raw: bytes,
        quick: bool,
        thorough: bool = False,
        binary: bool = False,
    ) -> bytes:
        """Compress bytes, raw, by contexts mixed bit by bit; thorough and binary change nothing. If
        quick, or of more than mixing.MOST (2^23) bytes, they are returned as they are, which is not
        to be stored as this stage's."""
        return self.within(raw, len(raw), quick)

    def within(
        self,
        raw: bytes,
        most: int,
        quick: bool,
        thorough: bool = False,
        binary: bool = False,
    ) -> bytes:
        """Compress bytes as `squeeze` does, which is given up once they take more than `most`."""
        if quick or len(raw) > mixing.MOST:
            return raw
        return mixing.mixed(raw, self.widely, most)

    def restore(self, data: bytes, size: int) -> bytes:
        """The `size` bytes that `squeeze` mixed. For a size of 0 the data are not read; else
        ValueError for no data, or a size above mixing.MOST (2^23). Other damaged data give other
        bytes."""
        # nothing has no delimiter either
        return mixing.restored(data, size, self.widely) if size else b""

    def costs(self, data: bytes, text: bytes) -> Float:
        """How many bits each byte of the text takes, see Stage.costs: those of the mixture."""
        return mixing.costs(text, data[0], self.widely) if text else np.zeros(0)


KNOWN = {
    STORED: Stage("stored"),
    1: Lzma2("lzma2"),
    2: Bzip2("bzip2"),
    3: Zstd("zstd"),
    4: Mixed("mixed"),
    5: Mixed("mixed widely", widely=True),
}
USUAL: Names = ("lzma2",)
MIXED = "mixed"
MIXED_WIDELY = "mixed widely"
FEW = 16 << 10  # bytes that are mixed in a blink


def number_of(name: str) -> int:
    """The number by which archives store the stage of this name, such as "lzma2": the first in
    KNOWN that has it; StopIteration for an unknown name."""
    # names are of the program, numbers of the format
    return next(number for number, stage in KNOWN.items() if stage.name == name)


def named(name: str) -> Stage:
    """The stage of this name, such as "lzma2", in KNOWN; StopIteration for an unknown one."""
    return KNOWN[number_of(name)]


def restore(number: int, data: bytes, size: int) -> bytes:
    """Restore the `size` bytes that the stage of this number compressed; ArchiveError for an
    unknown number, or data that the stage finds damaged. Other damaged data give other bytes, at
    most size + 1: compare their number."""
    stage = KNOWN.get(number)
    if stage is None:
        all_stages = ", ".join(f"{number} {stage.name}" for number, stage in KNOWN.items())
        raise ArchiveError(f"a stage of number {number} is not known here; known are {all_stages}")
    try:
        return stage.restore(data, size)
    except (lzma.LZMAError, EOFError, OSError, ValueError) as error:
        raise ArchiveError(f"damaged: {error}") from None
