"""Where a part of a file lies, so that whoever is to work with it reads it there.

What travels to a worker is such a place instead of the data. Files are known by their size: one
that has another is another file, and that is told.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from aetool.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

DIGEST = 16  # bytes


@dataclass(frozen=True)
class FileAt:
    """A file that others see, too. name: what messages call it; size: its bytes when it was
    first looked at."""

    path: Path
    name: str
    size: int

    @classmethod
    def of(cls, path: Path, name: str) -> FileAt:
        """A file as it is now, by a path that does not depend on the current folder."""
        return cls(path.absolute(), name, path.stat().st_size)

    def check(self) -> None:
        """DataError where the file is gone, or is another."""
        try:
            size = self.path.stat().st_size
        except OSError as error:
            raise DataError(f"{self.name}: {error.strerror or error}, while it was read") from None
        if size != self.size:
            raise self.changed()

    def changed(self) -> DataError:
        """The error for a file that is not what it was."""
        return DataError(f"{self.name}: was changed while it was read; run it again")


@dataclass(frozen=True)
class BytesAt:
    """Bytes start:stop of a file. digest: of these bytes."""

    file: FileAt
    start: int
    stop: int
    digest: bytes

    @classmethod
    def of(cls, file: FileAt, start: int, content: bytes) -> BytesAt:
        """The place of bytes that were read there."""
        return cls(file, start, start + len(content), _digest(content))

    def read(self) -> bytes:
        """The bytes. DataError where they are not what they were."""
        self.file.check()
        with self.file.path.open("rb") as file:
            file.seek(self.start)
            content = file.read(self.stop - self.start)
        if _digest(content) != self.digest:
            raise self.file.changed()
        return content


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST).digest()


@dataclass(frozen=True)
class Raw:
    """A batch as it is read of a Parquet file: in which group of rows, and the how-manieth there,
    both from 0."""

    group: int
    number: int


NOWHERE = Raw(-1, -1)  # of a batch that is not of a Parquet file


@dataclass(frozen=True)
class BatchAt:
    """Rows of a Parquet file. step: how many rows at a time it is read by; raws: the batches then,
    which together hold the rows; first, rows: which of theirs."""

    file: FileAt
    step: int
    raws: Sequence[Raw]
    first: int
    rows: int

    def read(self) -> pa.RecordBatch:
        """The rows. DataError where they cannot be read there."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.file.check()
        found: list[pa.RecordBatch] = []
        try:
            with pq.ParquetFile(self.file.path, pre_buffer=False) as file:
                for raw in self.raws:
                    batches = file.iter_batches(self.step, row_groups=[raw.group])
                    found += itertools.islice(batches, raw.number, raw.number + 1)
        except (pa.ArrowException, OSError, ValueError) as error:
            said = " ".join(str(error).split())
            raise DataError(f"{self.file.name}: cannot be read: {said}") from None
        if len(found) != len(self.raws):
            raise self.file.changed()
        whole = found[0] if len(found) == 1 else pa.concat_batches(found)
        part = whole.slice(self.first, self.rows)
        if part.num_rows != self.rows:
            raise self.file.changed()
        return part


Located: TypeAlias = BytesAt | BatchAt
