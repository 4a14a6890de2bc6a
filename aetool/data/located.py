"""Places of data in files, which travel to a worker instead of the data, so that the worker reads
them itself.

Files are known by their size: one that has another is another file, and that is told.
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
    """A file that other processes can read, too. path: absolute; name: for messages; size: its
    bytes when it was first looked at, by which a later change is noticed."""

    path: Path
    name: str
    size: int

    @classmethod
    def of(cls, path: Path, name: str) -> FileAt:
        """The file at a path, which is made absolute, with its present size; name: for messages.
        OSError if there is none."""
        return cls(path.absolute(), name, path.stat().st_size)

    def check(self) -> None:
        """Raise DataError if the file is gone, or has another size."""
        try:
            current_size = self.path.stat().st_size
        except OSError as error:
            raise DataError(f"{self.name}: {error.strerror or error}, while it was read") from None
        # the time of a change may be another on another machine
        if current_size != self.size:
            raise self.changed()

    def changed(self) -> DataError:
        """Return, not raise, the DataError for a file that was changed while it was read."""
        return DataError(f"{self.name}: was changed while it was read; run it again")


@dataclass(frozen=True)
class BytesAt:
    """Bytes start:stop of a file, and their digest, 16 bytes of BLAKE2b, by which other content is
    told apart."""

    file: FileAt
    start: int
    stop: int
    digest: bytes

    @classmethod
    def of(cls, file: FileAt, start: int, content: bytes) -> BytesAt:
        """The place of `content`, bytes that were read from the file at offset `start`."""
        return cls(file, start, start + len(content), _digest_of(content))

    def read(self) -> bytes:
        """Read the bytes from the file; DataError if the file is gone or has another size, or the
        bytes are not those of the digest."""
        self.file.check()
        with self.file.path.open("rb") as opened_file:
            opened_file.seek(self.start)
            content = opened_file.read(self.stop - self.start)
        # its size alone would not tell that a file is written anew
        if _digest_of(content) != self.digest:
            raise self.file.changed()
        return content


def _digest_of(content: bytes) -> bytes:
    """The BLAKE2b digest, 16 bytes, of content, by which other content is told apart."""
    return hashlib.blake2b(content, digest_size=DIGEST).digest()


@dataclass(frozen=True)
class Raw:
    """The place of a batch in a Parquet file. group: the number of its row group; number: of the
    batch within that, as pyarrow cuts it into batches; both from 0, or NOWHERE."""

    group: int
    number: int


NOWHERE = Raw(-1, -1)  # of a batch that is not of a Parquet file


@dataclass(frozen=True)
class BatchAt:
    """The place of records in a Parquet file, from which they can be read. step: how many rows
    pyarrow reads at a time; raw_batches: the batches, read so, that have the records, at least one;
    first_row: the number, from 0, of the first record in these batches, joined; rows: how many
    records."""

    file: FileAt
    step: int
    raw_batches: Sequence[Raw]
    first_row: int
    rows: int

    def read(self) -> pa.RecordBatch:
        """Read the records as one batch; DataError if the file has changed, or cannot be read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.file.check()
        needed_batches: list[pa.RecordBatch] = []
        try:
            # read ahead, pyarrow keeps every byte that it has read
            with pq.ParquetFile(self.file.path, pre_buffer=False) as parquet_file:
                for raw_batch in self.raw_batches:
                    batches = parquet_file.iter_batches(self.step, row_groups=[raw_batch.group])
                    # only the batch of this number is kept; those before it must be read, too
                    batch_number = raw_batch.number
                    needed_batches += itertools.islice(batches, batch_number, batch_number + 1)
        except (pa.ArrowException, OSError, ValueError) as error:
            one_line = " ".join(str(error).split())
            raise DataError(f"{self.file.name}: cannot be read: {one_line}") from None
        if len(needed_batches) != len(self.raw_batches):
            raise self.file.changed()
        whole = needed_batches[0] if len(needed_batches) == 1 else pa.concat_batches(needed_batches)
        # these records may be a part of a batch that was cut for its size
        wanted_records = whole.slice(self.first_row, self.rows)
        if wanted_records.num_rows != self.rows:
            raise self.file.changed()
        return wanted_records


Located: TypeAlias = BytesAt | BatchAt
