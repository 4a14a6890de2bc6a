"""The exact archive of a source in place of a bounded one: it keeps any bound, and is written where
it takes no more bytes."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from aetool.archives import exact_job
from aetool.archives.exact_job import ExactJob
from aetool.archives.lossy_job import CompressOptions
from aetool.archives.opening import Opened
from aetool.archives.rivals import Make
from aetool.canonical import Json
from aetool.codec.blocks import NO_HINTS
from aetool.data.images import FolderSource
from aetool.errors import AetoolError

SMALL = 1 << 20  # bytes of a file: up to this both archives are always written
PIECE = 1 << 18  # bytes of text that tell of a larger file whether the exact one is worth a try
CLOSE = 1.25  # times the bytes of a bounded first block: what an exact one then takes at most
FEW = 1024  # bytes beyond that: of a block of next to nothing the rest of a file may take less


def smaller_exactly(
    file: BinaryIO,
    figures: dict[str, Json],
    source: Opened,
    options: CompressOptions,
    makes: Sequence[Make],
    folder: Path,
) -> dict[str, Json]:
    """Replace the bounded archive in `file` by an exact one of the same source if that takes no
    more bytes, and compare that with its source; returns the figures of the archive that is there
    then.

    figures: of the bounded archive; options: by which it was written. makes: each prepares an exact
    archive, by options without a bound; one that fails is left out in silence. folder: where these
    may be written for a while. They are written where they may be the smaller: always for a file or
    folder of at most SMALL (2^20) bytes, and for data that are neither; else where the first block,
    of text the first PIECE (2^18) bytes, takes at most CLOSE (1.25) times the bytes if it is exact,
    and FEW (1,024) more.

    Added to the figures of an exact archive: errors, of no column; bounded_bytes, those of the
    bounded one, if that would change numbers; if not, and it is of a folder, its stored_exactly.
    """
    exact_options = dataclasses.replace(options, max_error={})
    for make in makes:
        # an error of the exact archive is no error: the bounded one stays in the file
        with (
            contextlib.suppress(AetoolError, *exact_job.FAILURES),
            tempfile.TemporaryFile(dir=folder) as scratch,
        ):
            if not _is_worth_a_try(source, options, make):
                continue
            job = make(exact_options)
            exact_figures = job.write(scratch)
            if exact_figures["archive_bytes"] > figures["archive_bytes"]:
                continue
            # ArchiveError, so that it is left out, if it would not restore the source
            job.compare(scratch)
            exact_job.copy_over(file, scratch)
            figures = {**exact_figures, **_figures_of_bounded(figures)}
    return figures


def _figures_of_bounded(figures: dict[str, Json]) -> dict[str, Json]:
    """Figures about a bounded archive that are added to those of the exact one that takes its
    place: errors, {}; bounded_bytes, its bytes, if it has changed a number; if not, bounded_bytes
    and stored_exactly, where `figures` have them. figures: of the bounded one, or of an exact one
    that has taken its place before."""
    if any(error["largest"] for error in figures.get("errors", {}).values()):
        return {"errors": {}, "bounded_bytes": figures["archive_bytes"]}
    facts: dict[str, Json] = {"errors": {}}
    for key in ("bounded_bytes", "stored_exactly"):
        if key in figures:
            facts[key] = figures[key]
    return facts


def _is_worth_a_try(source: Opened, options: CompressOptions, make: Make) -> bool:
    """Whether an exact archive may take no more bytes than a bounded one, and is to be written:
    always for a source of at most SMALL (2^20) bytes, and for data that are no file; else if the
    exact first block takes at most CLOSE (1.25) times the bytes of the bounded one, and FEW (1,024)
    more. Errors of preparing or encoding either go through. options: of the bounded one; make:
    prepares the exact one, by options."""
    if _source_bytes(source) <= SMALL:
        return True
    # of text so much is read, whatever a block holds
    block = min(PIECE, options.effort.block)
    effort = dataclasses.replace(options.effort, block=block)
    bounded = dataclasses.replace(options, effort=effort)
    exact = dataclasses.replace(bounded, max_error={})
    size_of_bounded = _bytes_of_first_item(exact_job.job_of(source, bounded))
    return _bytes_of_first_item(make(exact)) <= CLOSE * size_of_bounded + FEW


def _source_bytes(source: Opened) -> int:
    """The bytes of a source's file, or of the files of its folder; 0 of data that are no file."""
    if isinstance(source, FolderSource):
        names = (*source.names, *source.others)
        return sum((source.path / name).stat().st_size for name in names)
    path = exact_job.file_of(source)
    return 0 if path is None else path.stat().st_size


def _bytes_of_first_item(job: ExactJob) -> int:
    """The encoded bytes of the first item of a job's content; 0 if it has none."""
    for item in job.content.items():
        encoded = job.content.encode(item, NO_HINTS)
        return sum(len(block.payload) for block in encoded)
    return 0
