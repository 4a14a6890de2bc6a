"""The interface of every source of records with named columns, whatever is behind it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from aetool import files
from aetool.csv.dialect import Reading
from aetool.csv.sniffing import NOTHING
from aetool.data.arrow_files import Format
from aetool.data.table import Table, concat
from aetool.errors import DataError

ROWS = 65536  # records a batch


class TableSource:
    """A source of records with named columns; kinds of sources derive from it, and give `batches`.

    name: for messages. format: JSON of how to write the records again, with at least "format", the
    kind of file. dtypes: the source's names of types, by column; {} where it has none, as CSV.
    decimal: the decimal mark of numbers in text, "." or ",". place: of the file or folder, None if
    of none; it keeps the bytes of a pipe. said: the user's settings of how its text is written.
    """

    kind = "table"
    is_in_text = False  # whether all its values are cells of text
    place: files.Place | None = None  # keeps the bytes of a pipe for as long as its source

    def __init__(self, name: str, format: Format, said: Reading = NOTHING) -> None:
        self.name = name
        self.format = format
        self.said = said
        self.dtypes: dict[str, str] = {}
        self.decimal = "."

    def batches(self) -> Iterator[Table]:
        """Yield the records in order, as batches of any size. Each call begins anew. DataError
        where the data cannot be read; NotImplementedError here: kinds of sources override it."""
        raise NotImplementedError

    def head(self, rows: int | None = None) -> Table:
        """The first `rows` records, or fewer if there are not so many, as one table, perhaps
        without records; None: all. DataError if there is not even a header."""
        tables: list[Table] = []
        for batch in self.batches():
            tables.append(batch)
            if rows is not None and sum(map(len, tables)) >= rows:
                break
        if not tables or not tables[0].names:
            raise DataError(f"{self.name}: no records in it")
        table = concat(tables)
        return table if rows is None else table.take(slice(0, rows))

    def sample(self, most: int, seed: int) -> tuple[Table, int]:
        """Draw a random sample: (a table of `most` records without repetition, of all if there are
        fewer, in the source's order; how many records the source has). The same seed gives the same
        sample. Reads every record once. DataError if there are none."""
        generator = np.random.default_rng(seed)
        sampled: list[Table] = []
        keys = np.zeros(0)
        total = 0
        for batch in self.batches():
            total += len(batch)
            sampled.append(batch)
            # each record gets a random key, and those of the smallest keys are the sample
            keys = np.concatenate([keys, generator.random(len(batch))])
            # now and then those that cannot be in it any more are let go
            if len(keys) > 2 * most:
                sampled, keys = _of_smallest_keys(sampled, keys, most)
        if len(keys) > most:
            sampled, keys = _of_smallest_keys(sampled, keys, most)
        if not total:
            raise DataError(f"{self.name}: no records in it, only a header or nothing")
        return concat(sampled), total


def _of_smallest_keys(
    sampled: list[Table],
    keys: npt.NDArray[np.float64],
    most: int,
) -> tuple[list[Table], npt.NDArray[np.float64]]:
    """Keep the records with the `most` smallest keys: ([one table of them, in the order they had],
    their keys, (most,)). sampled: batches of n records, more than `most`; keys: (n,), a random
    number for each of their records in order."""
    table = concat(sampled)
    rows = np.sort(np.argpartition(keys, most)[:most])
    return [table.take(rows)], keys[rows]
