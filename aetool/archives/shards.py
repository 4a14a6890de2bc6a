"""Shards: archives of part of a table each, written apart and alike, so that they can be merged.

A shard encodes its blocks by what the first block of the whole table suggests, as an archive of the
whole does: the shards of a table, merged, are byte for byte what one machine writes of it.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from aetool.archives import encoding
from aetool.archives.encoding import Sent, Tally
from aetool.archives.exact_job import ExactJob
from aetool.canonical import Json
from aetool.codec import blocks
from aetool.codec.archive import Archive, read_back
from aetool.codec.container import Writer
from aetool.codec.contents.content import Content, Piece
from aetool.data.located import Located
from aetool.errors import DataError, ParamError
from aetool.spelling import option

SHARD = "shard"  # the fact that says which part of a table an archive holds
Figures = dict[str, Json]


@dataclass(frozen=True)
class Shard:
    """One part of a table that is archived by itself: number `number`, from 1, of `of` parts, which
    have equally many items each, but for one more or less."""

    number: int
    of: int

    @classmethod
    def parsed(cls, text: str) -> Shard:
        """The shard of a text such as "2/4", the second of four; ParamError for anything else, for
        more than 12 digits in all, and unless 1 <= number <= of."""
        number, slash, total = text.partition("/")
        digits = number + total
        # isdigit alone would take digits of other scripts, too
        are_numbers = bool(slash and number and total) and digits.isascii() and digits.isdigit()
        if not are_numbers or len(digits) > 12 or not 1 <= int(number) <= int(total):
            raise ParamError(
                f"{option('--shard')} {text}: write I/N, as in 1/4: the first of four parts"
            )
        return cls(int(number), int(total))

    def items(self, count: int) -> range:
        """The numbers, from 0, of this shard's items, pieces of the table, which follow one
        another, if the table has `count` items; maybe none."""
        return range(count * (self.number - 1) // self.of, count * self.number // self.of)


@dataclass(frozen=True, eq=False)
class Cuts:
    """How a content is cut into items. first: the first item, b"" if there are none; places: for
    each item, in order, where it can be read without the others, None where it cannot."""

    content: Content
    first: Piece
    places: Sequence[Located | None]

    @classmethod
    def of(cls, content: Content) -> Cuts:
        """Read all of a content once, to keep its first item and note the places of all. Errors of
        reading it go through."""
        first: Piece = b""
        places: list[Located | None] = []
        for item, place in content.located_items():
            if not places:
                first = item
            places.append(place)
        return cls(content, first, places)

    def items(self, numbers: range) -> Iterator[Sent]:
        """Yield the items, pieces of the source, of these numbers, from 0, each with its place;
        other items are skipped unread if all of these have a place. DataError where the file has
        changed."""
        own_places = self.places[numbers.start : numbers.stop]
        if None in own_places:
            # one that cannot be sought is reached by reading all before it
            yield from itertools.islice(self.content.located_items(), numbers.start, numbers.stop)
            return
        for place in own_places:
            assert place is not None
            yield place.read(), place


def write_shard(file: BinaryIO, job: ExactJob, shard: Shard, name: str) -> Figures:
    """Write the archive of one shard to an empty file, open for writing and reading, and compare it
    with the source.

    job: an exact archive of all of the table. name: of the source, for messages. Returns the
    archive's figures: "fidelity", "rows", "archive_bytes", "source_bytes", and "shard", such as
    "2/4". ParamError where the content cannot be cut into shards, DataError where the source
    changed meanwhile, ArchiveError where the shard does not restore it.
    """
    content = job.content
    if not content.can_be_sharded:
        raise ParamError(
            f"{name}: {option('--shard')} is for tables in CSV, JSON lines, Parquet and Arrow files"
        )
    cuts = Cuts.of(content)
    own_items = shard.items(len(cuts.places))
    first_item = cuts.first
    # every shard encodes the first item of the whole table, to try its plans on its own items
    lead = encoding.Lead(lambda: content.encode(first_item, blocks.NO_HINTS))
    # merge compares it by its digest: shards with equal ones have the same source and options
    lead_payload = lead.blocks[0].payload if cuts.places else b""
    tally = Tally(content)
    sections = {**content.sections(), **job.sections}
    # blocks are kept apart however small they are, so that merge can copy them
    writer = Writer(file, content.header(), sections, may_be_one_piece=False)
    # the first item of all is encoded already; the first shard alone writes it
    opening = iter([(first_item, None)] if 0 in own_items else [])
    behind_the_first = range(max(own_items.start, 1), max(own_items.stop, 1))
    behind = enumerate(tally.read(cuts.items(behind_the_first)), behind_the_first.start)
    last = len(cuts.places) - 1
    items = ((sent, lead.hints_for(number, number == last)) for number, sent in behind)
    others = encoding.encoded(content, items, job.engine)
    for coded in itertools.chain((lead.blocks for _ in tally.read(opening)), others):
        tally.written(coded)
        for block in coded:
            writer.add(block.rows, block.content, block.payload)
    shard_facts: Figures = {"number": shard.number, "of": shard.of, "items": len(cuts.places)}
    shard_facts["lead"] = hashlib.sha256(lead_payload).hexdigest()
    writer.finish({**tally.facts, SHARD: shard_facts}, tally.whole.digest())
    # it is read again from where it lies, and not from a buffer
    file.flush()
    os.fsync(file.fileno())
    with read_back(file) as archive:
        content.compare_items(archive, (item for item, _ in cuts.items(own_items)))
    changed = content.changed()
    if changed is not None:
        raise DataError(f"{changed}: was changed while it was read; compress it again")
    figures = {"rows": writer.rows, "archive_bytes": file.tell(), "source_bytes": tally.size}
    return {
        "fidelity": content.fidelity,
        **tally.facts,
        **figures,
        SHARD: f"{shard.number}/{shard.of}",
    }


def in_order(archives: Sequence[Archive]) -> list[Archive]:
    """Sort the shards of one table by their number, from 1; ParamError if one is missing, given
    twice, of another table or no shard. archives: one at least, opened, in any order."""
    by_number: dict[int, Archive] = {}
    for archive in archives:
        reader = archive.reader
        shard_facts = reader.facts.get(SHARD)
        if not isinstance(shard_facts, dict):
            raise ParamError(
                f"{reader.path}: is no shard; merge takes what compress writes with "
                f"{option('--shard')} I/N"
            )
        # the first of each number stays
        other = by_number.setdefault(int(shard_facts["number"]), archive)
        if other is not archive:
            raise ParamError(
                f"{other.reader.path} and {reader.path}: both are shard {shard_facts['number']} of "
                f"{shard_facts['of']}; give each once"
            )
        _check_alike(archives[0], archive)
    count = int(archives[0].reader.facts[SHARD]["of"])
    missing = [number for number in range(1, count + 1) if number not in by_number]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ParamError(
            f"shard {missing[0]} of {count}{more} is missing: compress it with "
            f"{option('--shard')} {missing[0]}/{count}, and give all"
        )
    return [by_number[number] for number in range(1, count + 1)]


def _check_alike(one: Archive, other: Archive) -> None:
    """Raise ParamError unless two shards are of one table, cut and encoded in the same way: of one
    model, number of shards, header, sections, number of items, and code of the first item."""
    names = f"{one.reader.path} and {other.reader.path}"
    if one.reader.model != other.reader.model:
        raise ParamError(f"{names}: are coded by different models; use one for all shards")
    mine = one.reader.facts[SHARD]
    its = other.reader.facts[SHARD]
    if mine["of"] != its["of"]:
        raise ParamError(f"{names}: are of {mine['of']} and of {its['of']} shards; cut all alike")
    # the header has names, types and format; the lead has the first values
    same_source = one.reader.header == other.reader.header
    same_cuts = all(mine[key] == its[key] for key in ("items", "lead"))
    if not same_source or not same_cuts or one.reader.sections != other.reader.sections:
        raise ParamError(
            f"{names}: are not of the same table, or not written with the same options; "
            "compress all shards of one file alike"
        )
