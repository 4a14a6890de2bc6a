"""Pictures of one size from an array or an idx file, every pixel exactly or within a bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import numpy as np

from aetool.canonical import Json
from aetool.codec import pictures
from aetool.codec.blocks import Block
from aetool.codec.contents.content import BLOCK_BYTES, BOUNDED, LOSSLESS, Content, cut
from aetool.codec.picture_blobs import MOST_BOUND
from aetool.codec.picture_models import PictureModel
from aetool.codec.planning import Effort, Hints
from aetool.codec.records import Encoded
from aetool.data import writers
from aetool.data.array_files import ArrayFile
from aetool.data.images import ArraySource, ImageSource, Pixels
from aetool.errors import DataError

if TYPE_CHECKING:
    from aetool.codec.archive import Archive

MOST_SIZE = 1 << 31  # of a picture in one direction, less 1


class PixelArray(Content):
    """Pictures of one shape, (channels, height, width), stored pixel by pixel. format: how the
    source was written, for the header. source, effort (None: the default): only for writing. model:
    what a model has learned of other pictures, None without; primed: whether the archive can only
    be read with that model, true with a model. bound: how many levels off a restored value may be,
    0 for exactly; the mode is BOUNDED if this is above 0. ValueError for a shape that `shape_of`
    refuses."""

    name = "pixels"
    kind = "image"
    filtered: ClassVar[bool] = False

    def __init__(
        self,
        format: dict[str, Json],
        shape: Sequence[int],
        source: ImageSource | None = None,
        effort: Effort | None = None,
        model: PictureModel | None = None,
        primed: bool = False,
        bound: int = 0,
    ) -> None:
        super().__init__(BOUNDED if bound else LOSSLESS, format)
        self.bound = bound
        self.shape = shape_of(shape)
        self.model = model
        self.primed = primed or model is not None
        self.source = source
        self.effort = effort or Effort()

    def header(self) -> dict[str, Json]:
        """The entries of the archive's header, by name: "content", "mode", "format", "shape", and
        "primed" if it needs a model."""
        header = super().header()
        header["shape"] = list(self.shape)
        return header | primed_words(self.primed)

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> PixelArray:
        """The content of a header, for reading; ValueError, KeyError or TypeError if it is none of
        pictures."""
        format = dict(header["format"])
        return cls(format, header["shape"], primed=is_primed(header))

    @property
    def fidelity(self) -> str:
        """How exactly the source comes back: "bounded" with a bound, else "values": all pixels,
        though not every byte of the file."""
        return BOUNDED if self.bound else "values"

    def items(self) -> Iterator[Pixels]:
        """Yield the source's pictures in order, (n, channels, height, width) uint8, as many as a
        block holds. DataError for one that cannot be read."""
        assert self.source is not None
        yield from gathered(self.source.batches())

    def encode(self, item: Pixels, hints: Hints) -> list[Encoded]:
        """Encode an item, pictures, (n, channels, height, width) uint8, as one block, each value
        within the bound. hints: of the block before."""
        # with a filter half of the bound is left for what it moves, see FilteredPixels
        encoded = pictures.encode(
            item,
            self.effort,
            hints,
            model=self.model,
            bound=self.bound // 2 if self.filtered else self.bound,
            filtered=self.filtered,
        )
        return [encoded]

    def size_of(self, item: Pixels) -> int:
        """How many bytes the pictures of an item have: one for each value of a pixel."""
        return int(item.size)

    def bytes_of(self, piece: Pixels) -> int:
        """How many bytes a piece, restored pictures, takes: one for each value of a pixel."""
        return int(piece.size)

    def compare(self, archive: Archive) -> None:
        """Read the source once more and raise ArchiveError unless the archive restores as many
        pictures, each value within the bound. DataError for a picture of the source that cannot be
        read."""
        # blocks hold the same pictures as items do
        restored = archive.pieces(0, archive.rows)
        for item in self.items():
            restored_pictures = next(restored, None)
            if restored_pictures is None or not pictures.near(item, restored_pictures, self.bound):
                raise self.differs("a picture")
        if next(restored, None) is not None:
            raise self.differs("the number of pictures")

    def decode(
        self,
        archive: Archive,
        block: Block,
        inside: slice,
        wanted: Sequence[str] | None,
    ) -> Pixels:
        """Decode pictures of a block of the archive, those that `inside` slices: (n, channels,
        height, width); ArchiveError for pictures of another shape. wanted: not used."""
        pixels = pictures.decode(block, block.rows)
        if pixels.shape[1:] != self.shape:
            raise archive.reader.damaged("a block has pictures of another shape")
        return pixels[inside]

    def restore(
        self,
        archive: Archive,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None = None,
    ) -> None:
        """Write pictures first:last as an idx, .npy or .npz file, as the source was; of a lenient
        archive those that could be read. ParamError if columns are wanted, ArchiveError for a
        damaged block, unless the archive is lenient; BundleError where a model is needed and not
        there."""
        if wanted is not None:
            self.places(archive, wanted)
        pieces, count = counted(archive, first, last)
        write_arrays(file, pieces, self._format, count, self.shape)

    def frame(self, archive: Archive, first: int, last: int) -> Pixels:
        """Pictures first:last in memory: (n, channels, height, width) uint8. ArchiveError for a
        damaged block, whose pictures a lenient archive leaves out; BundleError where a model is
        needed and not there."""
        return stacked(archive.pieces(first, last), self.shape)

    # ---- of the source itself

    # what `restore` and `frame` write of an archive is compared with these
    def rows_own(self) -> int:
        """How many pictures the source has ("own": of the source, not of an archive); 0 without a
        source."""
        if self.source is None:
            return 0
        return self.source.count

    def restore_own(
        self,
        file: BinaryIO,
        first: int,
        last: int,
        wanted: Sequence[str] | None,
    ) -> None:
        """Write pictures first:last of the source itself to a file, as `restore` writes those of an
        archive, so that both can be compared. wanted: not used."""
        pieces = self._source_pictures(first, last)
        write_arrays(file, pieces, self._format, last - first, self.shape)

    def frame_own(self, first: int, last: int) -> Pixels:
        """Pictures first:last of the source itself, not of an archive, in memory: (n, channels,
        height, width) uint8."""
        return stacked(self._source_pictures(first, last), self.shape)

    def _source_pictures(self, first: int, last: int) -> Iterator[Pixels]:
        """Yield pictures first:last of the source itself, (n, channels, height, width) uint8, as
        many as a block holds."""
        for item, inside in cut(self.items(), first, last):
            yield item[inside]


class BoundedPixels(PixelArray):
    """An array of pictures, as PixelArray stores it, but each value is restored within a bound that
    the header names."""

    version = 2

    def header(self) -> dict[str, Json]:
        """The entries of the archive's header, by name: "content", "mode", "format", "shape",
        "bound", in levels, and "primed" if it needs a model."""
        return {**super().header(), "bound": self.bound}

    @classmethod
    def from_header(cls, header: dict[str, Json]) -> BoundedPixels:
        """The content of a header, for reading; ValueError, KeyError or TypeError if it is none of
        pictures within a bound."""
        format = dict(header["format"])
        bound = bound_of(header["bound"])
        return cls(format, header["shape"], primed=is_primed(header), bound=bound)


class FilteredPixels(BoundedPixels):
    """An array of pictures within a bound, as BoundedPixels stores it, that pass a filter once they
    are decoded, which makes most errors smaller. Values are stored within half of the bound, and
    the filter may move each by as much again, so that the bound holds."""

    version = 3
    filtered = True


def bound_of(entry: Json) -> int:
    """Check an entry of a header, the bound of pixel values in levels, and return it; ValueError
    unless it is a whole number, 1 to MOST_BOUND (65,535)."""
    if type(entry) is not int or not 0 < entry <= MOST_BOUND:
        raise ValueError(f"pictures within {entry} levels")
    return entry


def primed_words(primed: bool) -> dict[str, Json]:
    """The entries to add to a header, by name: {"primed": 1} if its pictures can only be decoded
    with the model; {} if they can be without."""
    return {"primed": 1} if primed else {}


def is_primed(header: dict[str, Json]) -> bool:
    """Whether a header says that its pictures can only be decoded with the model: it has the entry
    of `primed_words`."""
    return "primed" in header


def shape_of(shape: Sequence[int]) -> tuple[int, int, int]:
    """Check the shape of pictures that a header has, and return it as (channels, height, width);
    ValueError unless it is three whole numbers above 0 and below MOST_SIZE (2^31)."""
    # bool is an int, too, and no size
    are_whole = all(type(size) is int for size in shape)
    if len(shape) != 3 or not are_whole or min(shape) <= 0 or max(shape) >= MOST_SIZE:
        raise ValueError(f"the shape of pictures cannot be {list(shape)}")
    channels, height, width = shape
    return channels, height, width


def pixels_of(source: ArrayFile) -> ArraySource | None:
    """Open the pictures of `source`, an array file, if it has just one array that can be stored as
    such: not empty, uint8 in C order, in the shape of gray or coloured pictures (3 axes, or 4 with
    1 or 3 channels last). None for any other file, also for pictures with opacity (2 or 4 channels)
    or too large ones. ValueError, OSError, BadZipFile or zlib.error if the file cannot be read."""
    if len(source.members) != 1:
        return None
    member = source.members[0]
    # pictures lie one behind the other, not pixel by pixel
    if member.fortran or member.dtype != np.uint8:
        return None
    if len(member.shape) not in (3, 4) or not member.size:
        return None
    try:
        suffix = source.format["suffix"]
        array = ArraySource(source.array(0), source.name, suffix, member.name)
    except DataError:  # too large, or of another number of channels
        return None
    return array if array.has_plain_batches else None


def gathered(batches: Iterable[Pixels]) -> Iterator[Pixels]:
    """Regroup batches of pictures, (n, channels, height, width), so that each has as many pictures
    as a block holds (as many whole ones as have BLOCK_BYTES, 2^23, values of pixels together at
    most), at least one; the last may have fewer. Without pictures there is no batch."""
    waiting: list[Pixels] = []
    for batch in batches:
        values_a_picture = int(np.prod(batch.shape[1:]))
        pictures_a_block = max(1, BLOCK_BYTES // max(1, values_a_picture))
        for first in range(0, len(batch), pictures_a_block):
            waiting.append(batch[first : first + pictures_a_block])
            if sum(map(len, waiting)) < pictures_a_block:
                continue
            enough = np.concatenate(waiting)
            yield enough[:pictures_a_block]
            # what is beyond a block's pictures begins the next one
            waiting = [enough[pictures_a_block:]]
    if sum(map(len, waiting)):
        yield np.concatenate(waiting)


def counted(archive: Archive, first: int, last: int) -> tuple[Iterator[Pixels], int]:
    """Restore pictures first:last of an archive, for files that state how many there are before the
    first: (their pieces, (n, channels, height, width) each; how many pictures these have). Of a
    lenient archive, which leaves damaged blocks out, all are read here, as none knows before how
    many are lost."""
    pieces = archive.pieces(first, last)
    if not archive.lenient:
        return pieces, last - first
    restored = list(pieces)
    return iter(restored), sum(map(len, restored))


def stacked(batches: Iterable[Pixels], shape: Sequence[int]) -> Pixels:
    """Put the pictures of all batches into one array, in order: (n, channels, height, width).
    shape: (channels, height, width), where there are no batches; the array is then uint8."""
    parts = list(batches)
    if parts:
        return np.concatenate(parts)
    return np.zeros((0, *shape), np.uint8)


def write_arrays(
    file: BinaryIO,
    batches: Iterator[Pixels],
    format: dict[str, Json],
    count: int,
    shape: Sequence[int],
) -> None:
    """Write pictures to an idx file, or as the one array of an .npy or .npz file. batches: of (n,
    channels, height, width) uint8; count: how many pictures, which an idx file states first; shape:
    (channels, height, width).

    format: its "format" is "idx", "npy" or, for any other, npz; of the last two "flat" says whether
    the array is (n, height, width), of gray pictures, else it is (n, height, width, channels), and
    "key" names the array in an npz.
    """
    if format["format"] == "idx":
        writers.write_idx(file, batches, count, shape)
        return
    pixels = stacked(batches, shape)
    # files have their channels last; those of gray pictures have none
    array = pixels[:, 0] if format["flat"] else pixels.transpose(0, 2, 3, 1)
    if format["format"] == "npy":
        np.save(file, array, allow_pickle=False)
    else:
        np.savez(file, **{str(format["key"]): array})  # type: ignore[arg-type]
