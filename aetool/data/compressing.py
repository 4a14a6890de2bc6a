"""Files that are compressed because their names say so: gzip for .gz, zstd for .zst, xz for .xz."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from aetool.files.attributes import Attributes
from aetool.files.names import COMPRESSED
from aetool.files.outputs import output
from aetool.files.spools import PIECE, scratch


@contextmanager
def output_by_name(
    target: Path,
    force: bool = False,
    source: Attributes | None = None,
) -> Iterator[BinaryIO]:
    """Context manager: a new file to write plain bytes to, which are compressed, when the block has
    ended, where target's name ends in .gz, .zst or .xz. Arguments and errors are those of `output`;
    "-" is standard output, which is never compressed."""
    suffix = target.suffix.lower()
    if suffix not in COMPRESSED:
        with output(target, force, source) as file:
            yield file
        return
    # the plain bytes may be read again by who writes them, so they are compressed only at the end
    with scratch() as spool, output(target, force, source) as file:
        yield spool
        spool.flush()
        spool.seek(0)
        _compress(spool, file, suffix)


def _compress(plain: BinaryIO, file: BinaryIO, suffix: str) -> None:
    """Copy the bytes of `plain` from its place on to `file`, compressed as the suffix says: .gz,
    .zst or .xz. Neither is closed."""
    if suffix == ".gz":
        # without a name and a time, so that equal bytes make equal files
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            shutil.copyfileobj(plain, packed, PIECE)
        return
    if suffix == ".xz":
        with lzma.LZMAFile(file, "wb") as packed_by_xz:
            shutil.copyfileobj(plain, packed_by_xz, PIECE)
        return
    import pyarrow as pa

    # Arrow closes the file that it writes to: it is given a handle of its own
    file.flush()
    with (
        os.fdopen(os.dup(file.fileno()), "wb") as own_file,
        pa.CompressedOutputStream(own_file, "zstd") as packed_by_zstd,
    ):
        shutil.copyfileobj(plain, packed_by_zstd, PIECE)
    file.seek(0, os.SEEK_END)
