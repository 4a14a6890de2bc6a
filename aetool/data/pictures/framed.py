"""Pictures as a model sees them: those of a source, each brought to the same form by a framing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from aetool.data import notices
from aetool.data.images import BATCH, ImageSource, Pixels
from aetool.data.pictures.choosing import AT_ONCE
from aetool.data.pictures.decoding import Decoded, Sight, UnframedError, UnreadableError
from aetool.data.pictures.framing import Framing
from aetool.errors import DataError

Int: TypeAlias = npt.NDArray[np.int64]

KEPT_BYTES = 64 << 20  # of all pictures of a source, that are kept when they were read once
BATCH_BYTES = 32 << 20
GROUPED = 256  # tiles that are scored together
FEWEST_TILES = 512  # that a model is fitted on, however large they are
NAMED = 3  # of what cannot be read
MOST_SAMPLED = 2 << 30  # bytes of pictures that are fitted


class FramedSource(ImageSource):
    """The pictures of a source in the form that a model with this framing sees, tiles of them if it
    has tiles. A record is what the model sees, a picture or a tile.

    shape: (channels, height, width) of a record. unread: by number of a picture, from 0, why it was
    left out, as it cannot be read or framed, filled while pictures are read; strict: that is a
    DataError instead. count: how many pictures; names: theirs, [] if they have none; record_names:
    those of records. has_sampled: whether `sampled` has left some out by chance.
    """

    def __init__(self, source: ImageSource, framing: Framing, strict: bool = False) -> None:
        self.name = source.name
        self.format = source.format
        self.place = source.place
        self.source = source
        self.framing = framing
        self.strict = strict
        self.shape = framing.shape
        self.names = list(source.titles)
        self.count = len(source.sights)
        self.unread: dict[int, str] = {}
        self.unframed: set[int] = set()  # those of `unread` that can be read, and not be framed
        self._kept: list[tuple[int, Pixels]] | None = None
        self.has_sampled = False  # whether `sampled` has left some out

    @property
    def is_tiled(self) -> bool:
        """Whether the model sees tiles of the pictures."""
        return bool(self.framing.stride)

    @property
    def as_they_are(self) -> bool:
        """Whether the framing changes nothing, and the source's own batches are plain, so that
        these can be used."""
        same = self.source.has_plain_batches and self.source.shape == self.shape
        return same and self.framing.is_plain

    @property
    def readable(self) -> int:
        """How many pictures, not tiles, there are, less those found unreadable so far."""
        return self.count - len(self.unread)

    def title(self, record: int) -> str:
        """The name of picture number `record`, from 0; "picture 1" ..., counted from 1, if they
        have none."""
        if self.names:
            return self.names[record]
        return f"picture {record + 1}"

    def whole(self) -> Iterator[tuple[int, Pixels]]:
        """Yield (number, (channels, height, width) uint8) for each readable picture, framed but not
        cut into tiles; number: of the picture, from 0, ascending. One that cannot be read or framed
        is noted in `unread`; DataError if strict. Once all were read they are kept in memory, if
        they take at most KEPT_BYTES (2^26); else each call reads them anew."""
        if self._kept is not None:
            yield from self._kept
            return
        # kept while they are few enough; what is over that is not, and nothing is kept at the end
        readable: list[tuple[int, Pixels]] = []
        size = 0
        for record, picture in enumerate(self.source.pictures()):
            notices.advance(record == 0, f"{record:,} of {self.count:,} pictures read")
            framed_picture = self._frame_picture(record, picture)
            if framed_picture is None:
                continue
            size += framed_picture.nbytes
            if size <= KEPT_BYTES:
                readable.append((record, framed_picture))
            yield record, framed_picture
        if size <= KEPT_BYTES:
            self._kept = readable

    def _frame_picture(self, record: int, picture: Decoded | str) -> Pixels | None:
        """Frame picture number `record`, from 0: (channels, height, width) uint8, not cut into
        tiles. picture: it, decoded, or, as a str, the reason why it is not. None, the reason added
        to `unread`, if that fails; DataError if strict."""
        try:
            if isinstance(picture, str):
                raise UnreadableError(picture)
            return self.framing.seen(picture)
        except UnreadableError as fault:
            if self.strict:
                raise DataError(f"{self.name}: {self.title(record)}: {fault}") from None
            self.unread[record] = str(fault)
            if isinstance(fault, UnframedError):
                self.unframed.add(record)
            return None

    def numbered(self) -> Iterator[tuple[int, Pixels]]:
        """Yield the readable records, pictures or tiles, in batches, in order: (number of the
        batch's first record, from 0; (n, channels, height, width) uint8). Numbers count unreadable
        records, too, which are left out: the records of a batch follow one another, and behind a
        gap a new batch begins. DataError for one that is not readable if strict."""
        first = 0
        if self.as_they_are:
            for pixels in self.source.batches():
                yield first, pixels
                first += len(pixels)
            return
        # large pictures make small batches, of one at least
        records_a_batch = max(1, min(BATCH, BATCH_BYTES // int(np.prod(self.shape))))
        batch: list[Pixels] = []
        for number, picture in self._one_by_one():
            # numbers of a batch follow one another: behind a gap a new one begins
            if batch and (number != first + len(batch) or len(batch) == records_a_batch):
                yield first, np.stack(batch)
                batch = []
            if not batch:
                first = number
            batch.append(picture)
        if batch:
            yield first, np.stack(batch)

    def in_groups(self) -> Iterator[tuple[list[int], list[Pixels]]]:
        """Yield ([numbers of pictures, from 0], [pictures, (channels, height, width) each, not cut
        into tiles]), in order, as many together as have at least GROUPED (256) tiles; the last ones
        may have fewer. Unreadable ones are noted in `unread`, or a DataError if strict."""
        numbers: list[int] = []
        pictures: list[Pixels] = []
        waiting = 0  # tiles of the pictures in hand
        for record, picture in self.whole():
            numbers.append(record)
            pictures.append(picture)
            waiting += len(self.framing.corners(picture.shape[2], picture.shape[1]))
            if waiting >= GROUPED:
                yield numbers, pictures
                numbers = []
                pictures = []
                waiting = 0
        if numbers:
            yield numbers, pictures

    def batches(self) -> Iterator[Pixels]:
        """Yield the readable records, pictures or tiles, in order, (n, channels, height, width)
        uint8 at a time; DataError for one that is not readable if strict."""
        for _, pixels in self.numbered():
            yield pixels

    def _one_by_one(self) -> Iterator[tuple[int, Pixels]]:
        """Yield (number, (channels, height, width) uint8) for each readable record, a picture or a
        tile; number: of the record among all, from 0, as `starts` counts tiles. DataError for one
        that cannot be read if strict."""
        if not self.is_tiled:
            yield from self.whole()
            return
        starts = self.starts
        for record, picture in self.whole():
            for place, tile in enumerate(self.framing.tiles(picture)):
                yield int(starts[record]) + place, tile

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """The size of each picture, by its header, once it is cropped and resized, before it is cut
        into tiles: (width, height) in pixels. (0, 0) for one that `whole` leaves out: its header is
        unreadable, or it is then smaller than what the model sees, a picture or a tile, or would be
        cut into too many tiles."""
        framing = self.framing
        sizes = []
        for sight in self.source.sights:
            size = (0, 0)
            if isinstance(sight, Sight):
                # as `Framing.seen` brings it to that size
                width, height = framing.resize or framing.crop[-2:] or (sight.width, sight.height)
                if width >= framing.width and height >= framing.height:
                    with contextlib.suppress(UnreadableError):
                        # for its check of how many tiles there are
                        framing.corners(width, height)
                        size = (width, height)
            sizes.append(size)
        return sizes

    @cached_property
    def starts(self) -> Int:
        """The number, from 0, of each picture's first tile among the tiles of all, and at the end
        how many tiles there are, by the pictures' headers: (pictures + 1,) int64."""
        counts = [len(self.framing.corners(*size)) if size != (0, 0) else 0 for size in self.sizes]
        return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    @cached_property
    def record_names(self) -> list[str]:
        """The name of each record: of a picture its own, of a tile name[left,top], in pixels of the
        cropped and resized picture; [] if pictures have no names."""
        if not self.is_tiled or not self.names:
            return self.names
        return [
            f"{name}[{left},{top}]"
            for name, size in zip(self.names, self.sizes, strict=True)
            if size != (0, 0)
            for left, top in self.framing.corners(*size)
        ]

    def owners(self, numbers: Int) -> Int:
        """The number, from 0, of the picture to which each record belongs, (n,). numbers: (n,), of
        records, from 0, which are pictures or tiles of them."""
        if not self.is_tiled:
            return numbers
        return np.asarray(np.searchsorted(self.starts, numbers, side="right") - 1)

    def sampled(self, most: int, seed: int) -> tuple[Pixels, Int]:
        """Draw a random sample of records, pictures or tiles: (the sample, (n, channels, height,
        width) uint8, in order; their numbers, from 0, (n,) int64). most: how many at most; there
        are fewer where so many would take more memory than a fit may, and none of those that cannot
        be read. The same seed gives the same sample. Sets has_sampled: whether any were left out by
        chance.

        DataError where nothing can be read, or anything if strict.
        """
        # of one record, which take a byte each
        values = int(np.prod(self.shape))
        # the last of the starts is how many tiles there are
        total = int(self.starts[-1]) if self.is_tiled else self.count
        if not total:
            # none can be framed, by their headers: reading them fills `unread` with the reasons
            for _ in self.whole():
                pass
            if self.unread:
                raise self.none_readable()
            raise DataError(f"{self.name}: no pictures in it")
        most = max(1, min(most, MOST_SAMPLED // values))
        # tiles of one picture are much alike: fewer of them are enough
        if self.is_tiled:
            most = min(most, max(FEWEST_TILES, AT_ONCE // values))
        chosen = np.arange(total)
        self.has_sampled = total > most
        if total > most:
            chosen = np.sort(np.random.default_rng(seed).choice(total, most, replace=False))
        parts = []
        numbers = []
        for first, pixels in self.numbered():
            in_batch = chosen[(chosen >= first) & (chosen < first + len(pixels))]
            parts.append(pixels[in_batch - first])
            numbers.append(in_batch)
        if not sum(map(len, parts)):
            raise self.none_readable()
        return np.concatenate(parts), np.concatenate(numbers)

    def sample(self, most: int, seed: int) -> Pixels:
        """A random sample of at most `most` records, (n, channels, height, width) uint8, in order:
        that of `sampled`, without its numbers. DataError where nothing can be read, or anything if
        strict."""
        return self.sampled(most, seed)[0]

    def none_readable(self) -> DataError:
        """Return, not raise, the error for a source none of whose pictures can be read, with the
        reason of the first. To be called only once they were read, which fills `unread`."""
        record, fault = next(iter(self.unread.items()))
        # a picture that can be read and not be framed is not damaged
        what = "be framed" if record in self.unframed else "be read"
        return DataError(f"{self.name}: no picture in it can {what}: {self.title(record)}: {fault}")

    def say_unread(self) -> None:
        """Say in a notice how many pictures were left out so far, and the reasons of the first
        NAMED (3), if any were."""
        if not self.unread:
            return
        few = list(self.unread.items())[:NAMED]
        named = "; ".join(f"{self.title(record)}: {fault}" for record, fault in few)
        more = f"; and {len(self.unread) - NAMED:,} more" if len(self.unread) > NAMED else ""
        notices.say(
            self.name, f"{len(self.unread):,} of {self.count:,} pictures left out: {named}{more}"
        )


def framed(source: ImageSource, framing: Framing, strict: bool = False) -> FramedSource:
    """The pictures of a source as a model with this framing sees them. strict: whether one that
    cannot be read or framed is a DataError, and not left out. The same source, framing and
    strictness give the same object again, with the pictures that it keeps; it is stored at the
    source."""
    framed_before: dict[tuple[Framing, bool], FramedSource]
    framed_before = source.__dict__.setdefault("_framed", {})
    key = framing, strict
    if key not in framed_before:
        framed_before[key] = FramedSource(source, framing, strict)
    return framed_before[key]
