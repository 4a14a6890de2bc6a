"""merge: joins archives of parts of one table, which were written separately, into one archive."""

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
from aetool.errors import ParamError
from aetool.files import output


def merge(
    paths: Sequence[str | os.PathLike[str]],
    path: str | os.PathLike[str],
    force: bool = False,
    executor: engines.Chosen = None,
    index: bool = False,
) -> Figures:
    """Join archives that hold the shards of one table (consecutive parts of its records, written
    apart), in any order, into one archive of the whole table; returns its figures by name:
    fidelity, shards, rows and archive_bytes.

    Encoded blocks are copied, not encoded again; text is decoded once, since the archive states the
    SHA-256 of the whole table. paths: one at least. executor: what decodes, as aetool.engine knows
    it; None for this process. ParamError for no paths, if a path is no shard, if a shard is missing
    or given twice, or if shards are of different tables; ArchiveError for a damaged shard;
    DataError for a file that exists, unless force. index: copy nothing and write a small file that
    lists the archives, which stay where they are, beside it or below; they may then also be whole
    tables of one kind with the same columns, and the figures are fidelity, parts, rows, index_bytes
    and archive_bytes.
    """
    if not paths:
        raise ParamError("no archives to merge: name one at least")
    if index:
        return indexing.index(paths, path, force)
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(engines.opened(executor))
        shards = [stack.enter_context(Archive(one)) for one in paths]
        for archive in shards:
            archive.engine = engine
        ordered_shards = in_order(shards)
        with output(Path(path), force) as file:
            return _write_merged(file, ordered_shards)


def _write_merged(file: BinaryIO, archives: Sequence[Archive]) -> Figures:
    """Write shards, in the order of the table, as one archive to an empty file; returns its figures
    by name: fidelity, shards, rows and archive_bytes. archives: one at least. ArchiveError for a
    damaged shard."""
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
        for piece in _pieces_of_text(archives):
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


def _pieces_of_text(archives: Sequence[Archive]) -> Iterator[bytes]:
    """Yield the text of all shards in order, as bytes, piece by piece, the header record once. Each
    shard is checked against its SHA-256 on the way: ArchiveError where it differs."""
    for place, archive in enumerate(archives):
        pieces = archive.pieces(0, archive.rows)
        if place and archive.content.opens_with_head:
            # each begins with the header record of the whole
            next(pieces)
        yield from pieces
