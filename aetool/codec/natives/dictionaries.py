"""The different dictionaries of a table's columns, which are stored once, ahead of all blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aetool.codec.natives.buffers import same_values
from aetool.errors import ArchiveError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(eq=False)
class Dictionaries:
    """The different Arrow dictionaries of each column. of: by the column's place, from 0, its
    dictionaries in the order of their first use; blocks refer to them by their number in it.

    They are stored once, ahead of all blocks, since any block may refer to them.
    """

    of: dict[int, list[pa.Array]] = field(default_factory=dict)

    def number(self, place: int, dictionary: pa.Array, add: bool = False) -> int:
        """The number, from 0, of a dictionary among those of the column at `place`, compared bit
        for bit. One that is not there is added behind the others if `add`; else ArchiveError, as
        the source must have changed."""
        of_column = self.of.setdefault(place, [])
        # most often it is the one that was used last
        for number in reversed(range(len(of_column))):
            if same_values(of_column[number], dictionary):
                return number
        if not add:
            raise ArchiveError("a dictionary is not among those seen before: the source changed")
        of_column.append(dictionary)
        return len(of_column) - 1

    def collect(self, batch: pa.RecordBatch) -> None:
        """Add the Arrow dictionaries of a batch's columns, those that are not there yet."""
        for place, column in enumerate(batch.columns):
            if hasattr(column, "dictionary"):
                self.number(place, column.dictionary, add=True)
