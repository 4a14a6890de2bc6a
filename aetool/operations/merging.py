"""merge: archives that were written apart, each of part of one table, as one archive.

A shard encodes its blocks by what the first block of the whole suggests, as the whole does, so that
the shards of a table, put together, are byte for byte the archive that one machine writes of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aetool import engine as engines
from aetool.canonical import Json
from aetool.codec import blocks
from aetool.codec.archive import Archive
from aetool.codec.container import Writer
from aetool.codec.contents.content import Content, Piece
from aetool.data.located import Located
from aetool.errors import DataError, ParamError
from aetool.files import output, path_of
from aetool.operations import encoding
from aetool.operations.encoding import Sent, Tally
from aetool.operations.exact_job import ExactJob
from aetool.spelling import option

SHARD = "shard"  # the fact that says which part of a table an archive holds
Figures = dict[str, Json]


@dataclass(frozen=True)
class Shard:
    """A part of a table: the number-th, from 1, of so many."""

    number: int
    of: int

    @classmethod
    def parsed(cls, text: str) -> Shard:
        """The shard that a text such as 2/4 names; ParamError for anything else."""
        first, sign, last = text.partition("/")
        digits = first + last
        are_numbers = bool(sign and first and last) and digits.isascii() and digits.isdigit()
        if not are_numbers or len(digits) > 12 or not 1 <= int(first) <= int(last):
            raise ParamError(
                f"{option('--shard')} {text}: write I/N, as in 1/4: the first of four parts"
            )
        return cls(int(first), int(last))

    def items(self, count: int) -> range:
        """Which of so many items of a source are in it."""
        return range(count * (self.number - 1) // self.of, count * self.number // self.of)


@dataclass(frozen=True, eq=False)
class Cuts:
    """Where a content is cut into items, as one pass over all of it tells. first: its first item;
    places: of each where it can be read by itself, None where it cannot."""

    content: Content
    first: Piece
    places: Sequence[Located | None]

    @classmethod
    def of(cls, content: Content) -> Cuts:
        """The cuts of a content, of which no item but the first is kept."""
        first: Piece = b""
        places: list[Located | None] = []
        for item, place in content.located_items():
            if not places:
                first = item
            places.append(place)
        return cls(content, first, places)

    def items(self, wanted: range) -> Iterator[Sent]:
        """The items of these numbers, with their places; no others are read where that can be."""
        own_places = self.places[wanted.start : wanted.stop]
        if None in own_places:
            yield from itertools.islice(self.content.located_items(), wanted.start, wanted.stop)
            return
        for place in own_places:
            assert place is not None
            yield place.read(), place


def write_shard(file: BinaryIO, job: ExactJob, shard: Shard, name: str) -> Figures:
    """Writes the archive of a shard of a job's content, and compares it with the source; returns
    its figures. ParamError where the content cannot be cut into shards."""
    content = job.content
    if not content.can_be_sharded:
        raise ParamError(
            f"{name}: {option('--shard')} is for tables in CSV, JSON lines, Parquet and Arrow files"
        )
    cuts = Cuts.of(content)
    own = shard.items(len(cuts.places))
    first = cuts.first
    # by its plans all others are encoded, in whatever shard
    encoded = content.encode(first, blocks.NO_HINTS) if cuts.places else []
    lead = encoded[0].payload if encoded else b""
    hints = encoded[-1].hints if encoded else blocks.NO_HINTS
    tally = Tally(content)
    sections = {**content.sections(), **job.sections}
    writer = Writer(file, content.header(), sections, may_be_one_piece=False)
    # the first item of all is encoded already, whoever writes it
    begin = iter([(first, None)] if 0 in own else [])
    behind_the_first = range(max(own.start, 1), max(own.stop, 1))
    items = tally.read(cuts.items(behind_the_first))
    coming = encoding.encoded(content, items, hints, job.engine)
    for coded in itertools.chain((encoded for _ in tally.read(begin)), coming):
        tally.written(coded)
        for block in coded:
            writer.add(block.rows, block.content, block.payload)
    said: Figures = {"number": shard.number, "of": shard.of, "items": len(cuts.places)}
    said["lead"] = hashlib.sha256(lead).hexdigest()
    writer.finish({**tally.facts, SHARD: said}, tally.whole.digest())
    file.flush()
    os.fsync(file.fileno())
    with Archive(path_of(file)) as archive:
        content.compare_items(archive, (item for item, _ in cuts.items(own)))
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


def merge(
    paths: Sequence[str | os.PathLike[str]],
    path: str | os.PathLike[str],
    force: bool = False,
    executor: engines.Chosen = None,
) -> Figures:
    """Write the archive of a whole table of those of all its shards; returns its figures.

    Payloads are copied. Of a text what they restore is decoded once, for the digest of the whole.
    ParamError where they are no shards, not all of them, one twice, or of different tables.
    """
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(engines.opened(executor))
        archives = [stack.enter_context(Archive(one)) for one in paths]
        for archive in archives:
            archive.engine = engine
        in_order = _in_order(archives)
        with output(Path(path), force) as file:
            return _merged(file, in_order)


def _merged(file: BinaryIO, archives: Sequence[Archive]) -> Figures:
    """Writes shards, which are in order, as one archive."""
    first, last = archives[0].reader, archives[-1].reader
    header = {key: value for key, value in first.header.items() if key != "sections"}
    model = first.model.hex() if any(first.model) else ""
    writer = Writer(file, header, first.sections, model)
    hashes_bytes = archives[0].content.hashes_bytes
    whole = hashlib.sha256()
    for archive in archives:
        for number in range(len(archive.reader.blocks)):
            block = archive.reader.block(number)
            writer.add(block.rows, block.content, block.payload)
            if not hashes_bytes:
                whole.update(block.content)
    if hashes_bytes:
        for piece in _pieces(archives):
            whole.update(piece)
    facts = {key: value for key, value in last.facts.items() if key != SHARD}
    # the last shard may have no records, and then nothing to say
    for archive in reversed(archives):
        if archive.rows:
            facts = {key: value for key, value in archive.reader.facts.items() if key != SHARD}
            break
    writer.finish(facts, whole.digest())
    return {
        "fidelity": archives[0].content.fidelity,
        "shards": len(archives),
        "rows": writer.rows,
        "archive_bytes": file.tell(),
    }


def _pieces(archives: Sequence[Archive]) -> Iterator[bytes]:
    """What shards of a text restore together; each is compared with its own digest, too."""
    for place, archive in enumerate(archives):
        pieces = archive.pieces(0, archive.rows)
        if place and archive.content.opens_with_head:
            # each begins with the header record of the whole
            next(pieces)
        yield from pieces


def _in_order(archives: Sequence[Archive]) -> list[Archive]:
    """The shards of one table, from the first to the last; ParamError for anything else."""
    by_number: dict[int, Archive] = {}
    for archive in archives:
        reader = archive.reader
        said = reader.facts.get(SHARD)
        if not isinstance(said, dict):
            raise ParamError(
                f"{reader.path}: is no shard; merge takes what compress writes with "
                f"{option('--shard')} I/N"
            )
        other = by_number.setdefault(int(said["number"]), archive)
        if other is not archive:
            raise ParamError(
                f"{other.reader.path} and {reader.path}: both are shard {said['number']} of "
                f"{said['of']}; give each once"
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
    """ParamError unless two shards are of one table, cut and coded in one way."""
    names = f"{one.reader.path} and {other.reader.path}"
    if one.reader.model != other.reader.model:
        raise ParamError(f"{names}: are coded by different models; use one for all shards")
    mine, its = one.reader.facts[SHARD], other.reader.facts[SHARD]
    if mine["of"] != its["of"]:
        raise ParamError(f"{names}: are of {mine['of']} and of {its['of']} shards; cut all alike")
    same_source = one.reader.header == other.reader.header
    same_cuts = all(mine[key] == its[key] for key in ("items", "lead"))
    if not same_source or not same_cuts or one.reader.sections != other.reader.sections:
        raise ParamError(
            f"{names}: are not of the same table, or not written with the same options; "
            "compress all shards of one file alike"
        )
