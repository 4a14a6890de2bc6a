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
    """A source of records with named columns.

    format: JSON of how to write them again, with at least "format". dtypes: the source's names of
    types, by column. decimal: the decimal mark of numbers in text. said: the user's settings of how
    its text is written.
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
        """Yield the records in order, as batches. Each call begins anew."""
        raise NotImplementedError

    def head(self, rows: int | None = None) -> Table:
        """The first `rows` records as one table; None: all. DataError if there is not even a
        header."""
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
        """(a random sample of at most `most` records, in order; how many records the source has).
        DataError if it has none."""
        generator = np.random.default_rng(seed)
        sampled: list[Table] = []
        keys = np.zeros(0)
        total = 0
        for batch in self.batches():
            total += len(batch)
            sampled.append(batch)
            keys = np.concatenate([keys, generator.random(len(batch))])
            # those of the smallest keys are a sample of what was seen so far
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
    """([the records with the `most` smallest keys, in order], their keys). sampled: batches of more
    than `most` records; keys: (n,), of all their records in order."""
    table = concat(sampled)
    rows = np.sort(np.argpartition(keys, most)[:most])
    return [table.take(rows)], keys[rows]
