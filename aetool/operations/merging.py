"""merge: archives that were written apart, each of part of one table, as one archive."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from aetool import engine as engines
from aetool.archives.shards import SHARD, Figures
from aetool.codec.archive import Archive
from aetool.codec.container import Writer
from aetool.errors import ParamError
from aetool.files import output
from aetool.spelling import option


def merge(
    paths: Sequence[str | os.PathLike[str]],
    path: str | os.PathLike[str],
    force: bool = False,
    executor: engines.Chosen = None,
) -> Figures:
    """Join the archives of all shards of a table into one archive of the table; returns its
    figures.

    Blocks are copied as they are, but text is decoded once to compute the SHA-256 of the whole
    table. ParamError if a path is no shard, a shard is missing or given twice, or shards are of
    different tables.

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
    """Write shards, given in order, as one archive; returns its figures."""
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
    """Decode the text of all shards in order; each shard is checked against its own digest on the
    way."""
    for place, archive in enumerate(archives):
        pieces = archive.pieces(0, archive.rows)
        if place and archive.content.opens_with_head:
            # each begins with the header record of the whole
            next(pieces)
        yield from pieces


def _in_order(archives: Sequence[Archive]) -> list[Archive]:
    """Sort the shards of one table by their number; ParamError if one is missing, given twice or of
    another table."""
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
