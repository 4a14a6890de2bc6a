"""merge: archives that were written apart, each of part of one table, as one archive."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from aetool import engine as engines
from aetool.archives import indexing
from aetool.archives.shards import SHARD, Figures, in_order
from aetool.codec.archive import Archive
from aetool.codec.container import Writer
from aetool.files import output


def merge(
    paths: Sequence[str | os.PathLike[str]],
    path: str | os.PathLike[str],
    force: bool = False,
    executor: engines.Chosen = None,
    index: bool = False,
) -> Figures:
    """Join the archives of all shards of a table into one archive of the table; returns its
    figures.

    Blocks are copied as they are, but text is decoded once to compute the SHA-256 of the whole
    table. ParamError if a path is no shard, a shard is missing or given twice, or shards are of
    different tables. index: write an index of the archives, which stay, and copy no block.
    """
    if index:
        return indexing.index(paths, path, force)
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(engines.opened(executor))
        shards = [stack.enter_context(Archive(one)) for one in paths]
        for archive in shards:
            archive.engine = engine
        ordered_shards = in_order(shards)
        with output(Path(path), force) as file:
            return _merged(file, ordered_shards)


def _merged(file: BinaryIO, archives: Sequence[Archive]) -> Figures:
    """Write shards, given in order, as one archive; returns its figures."""
    first = archives[0].reader
    last = archives[-1].reader
    header = {key: value for key, value in first.header.items() if key != "sections"}
    model = first.model.hex() if any(first.model) else ""
    writer = Writer(file, header, first.sections, model)
    hashes_bytes = archives[0].content.hashes_bytes
    digest_of_whole = hashlib.sha256()
    for archive in archives:
        for number in range(len(archive.reader.blocks)):
            block = archive.reader.block(number)
            writer.add(block.rows, block.content, block.payload)
            if not hashes_bytes:
                # the digest of such a content is one of its blocks' digests
                digest_of_whole.update(block.content)
    if hashes_bytes:
        for piece in _pieces(archives):
            digest_of_whole.update(piece)
    facts = {key: value for key, value in last.facts.items() if key != SHARD}
    # the last shard may have no records, and then nothing to say
    for archive in reversed(archives):
        if archive.rows:
            facts = {key: value for key, value in archive.reader.facts.items() if key != SHARD}
            break
    writer.finish(facts, digest_of_whole.digest())
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
