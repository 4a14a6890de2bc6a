"""The parts of an index, opened one by one, and read as one archive."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from aetool.codec.blocks import Block
from aetool.codec.container import BlockPlace, lost_records
from aetool.codec.contents.parts import Part, Parts
from aetool.codec.ledger import Costs
from aetool.errors import ArchiveError, DataError

if TYPE_CHECKING:
    from aetool.codec.archive import Archive

ItemOfPart = TypeVar("ItemOfPart")


@dataclass(frozen=True, eq=False)
class OpenPart:
    """A part of an index, opened. known: what the index says of the part; first: the number of its
    first record among all of the index; inside: the slice of the part's records, counted from its
    first, that are wanted."""

    archive: Archive
    known: Part
    first: int
    inside: slice

    def sound_items(
        self,
        index: Archive,
        items_of_part: Iterator[ItemOfPart],
    ) -> Iterator[ItemOfPart] | None:
        """Return an iterator of the part's items, such as blocks; None if none can be trusted.

        Only of a lenient index, and of a part with one digest of the whole instead of one for each
        block, all items are read at once: where that digest does not match none of them can be
        trusted, the part is noted in index.lost, and None is returned. Of any other part the items
        are returned unread, and damage raises ArchiveError as they are read. index: the archive of
        which it is a part; items_of_part: read from the part."""
        if not (index.lenient and self.archive.reader.unsealed):
            return items_of_part
        try:
            # the digest is compared behind the last item; such an archive is small
            return iter(list(items_of_part))
        except ArchiveError as error:
            self.tell_as_lost(index, error)
            return None

    def tell_as_lost(self, index: Archive, error: ArchiveError) -> None:
        """Note that all records of this part are lost by `error`: adds a line to index.lost if the
        index is lenient, drops the lines in the `lost` of the part's archive, and sets its
        `decoded` to 0; raises `error` if the index is not lenient."""
        if not index.lenient:
            raise error
        # what else is damaged in it, nobody needs to know
        self.archive.lost.clear()
        self.archive.decoded = 0
        index.lost.append(f"{lost_records(self.first, self.known.rows)} ({error})")


def part(index: Archive, content: Parts, number: int) -> Archive:
    """Open part `number`, from 0, of an index. ArchiveError where its file is missing or damaged,
    or is not the one that the index was written for; if lenient, a damaged archive that is no index
    is taken whichever it is, its `lost` saying what is missing. DataError where the index came
    through a pipe, IndexError for a number of no part. content: the index's. The caller closes it.
    """
    listed = content.parts[number]
    opened = index.beside(listed.file)
    has_its_size = (opened.rows, opened.reader.size) == (listed.rows, listed.size)
    # two archives of one size may differ in a single byte of a record
    is_known_one = has_its_size and opened.reader.ending == listed.ending
    # what is left of a part that ends early is brought back; another archive in its place is not
    is_left_of_it = index.lenient and bool(opened.reader.lost)
    if isinstance(opened.content, Parts) or not (is_known_one or is_left_of_it):
        path = opened.reader.path
        opened.close()
        raise ArchiveError(
            f"{path}: is not the part that {index.reader.path} was written of; put that one back, "
            "or write the index anew"
        )
    return opened


def parts(index: Archive, content: Parts, first: int, last: int) -> Iterator[OpenPart]:
    """Yield each part that has some of records first:last, in order, one open at a time: each is
    closed when the next is asked for; if first:last has no records, the first part alone; if it is
    all records, every part, also those without any. A part that cannot be opened raises
    ArchiveError or DataError; if lenient, it is noted in index.lost, as is what an opened one lost,
    once the next is asked for. content: the index's."""
    every_row = (first, last) == (0, index.rows)
    first_rows = content.first_rows
    leading_part = content.number_at(first) if first < last else 0
    for number, known in enumerate(content.parts):
        begin = first_rows[number]
        end = first_rows[number + 1]
        has_wanted_rows = begin < last and end > first
        # of the whole parts without records are read, too, so that damage to them is found
        if not (every_row or number == leading_part or has_wanted_rows):
            continue
        try:
            opened = part(index, content, number)
        except (ArchiveError, DataError) as error:
            if not index.lenient:
                raise
            index.lost.append(f"{lost_records(begin, known.rows)} ({error})")
            continue
        # one at a time is open, however many there are
        with opened:
            # of a damaged part there may be fewer than there were
            own_last = min(max(0, last - begin), opened.rows)
            inside = slice(min(max(first - begin, 0), own_last), own_last)
            yield OpenPart(opened, known, begin, inside)
            # only now all blocks that were wanted have been read
            index.lost.extend(f"{known.file}: {line}" for line in opened.lost)
            index.decoded += opened.decoded


def places(index: Archive) -> Iterator[BlockPlace]:
    """Yield where each block of all parts lies in its own file; `number` and `first` count through
    all parts, from 0. A part that cannot be opened raises ArchiveError or DataError; if the index
    is lenient, it is left out, and noted in index.lost."""
    number = 0
    for opened in index.parts(0, index.rows):
        for place in opened.archive.reader.blocks:
            yield dataclasses.replace(place, first=opened.first + place.first, number=number)
            number += 1


def blocks(index: Archive, first: int, last: int) -> Iterator[tuple[Block, slice]]:
    """Yield the decoded blocks of all parts that have some of rows first:last, counted through all
    parts from 0, and the slice of these in each, as Archive.blocks does; their first rows are
    counted through all parts. Damage raises ArchiveError; if lenient, it is noted in index.lost."""
    for opened in index.parts(first, last):
        inside = opened.inside
        own_blocks = opened.sound_items(index, opened.archive.blocks(inside.start, inside.stop))
        for block, rows_inside in own_blocks or ():
            # a block knows its place in its own archive alone
            block.first += opened.first
            yield block, rows_inside


def costs(index: Archive, wanted: Sequence[int] | None) -> Iterator[tuple[Block, Costs]]:
    """Yield blocks of all parts, each with the bits that its records take, column by column, in the
    order of the index. wanted: numbers of blocks, counted through all parts from 0, in any order,
    to yield no others; those of no block are passed over; None: all. ArchiveError for a damaged
    block, also if lenient."""
    chosen_blocks = None if wanted is None else set(wanted)
    blocks_before = 0
    for opened in index.parts(0, index.rows):
        block_count = len(opened.archive.reader.blocks)
        own_blocks = None
        if chosen_blocks is not None:
            own_blocks = [n for n in range(block_count) if blocks_before + n in chosen_blocks]
        blocks_before += block_count
        # a part of which nothing is wanted is not decoded
        if own_blocks == []:
            continue
        for block, block_costs in opened.archive.costs(own_blocks):
            block.first += opened.first
            yield block, block_costs
