"""What the first records of a table say of its columns: how they are read and called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aetool.codec import source_texts
from aetool.codec.contents.labels import labels_of
from aetool.columns.schema import Schema
from aetool.data.arrow_files import ArrowTable
from aetool.data.arrow_source import ArrowMemorySource
from aetool.data.sources import CsvSource
from aetool.data.table_source import TableSource
from aetool.errors import DataError
from aetool.fits.asked import FitOptions
from aetool.fits.inferring import inferred

LOOKED_AT = 4096  # records that tell how a column writes its numbers


@dataclass(frozen=True)
class Beginning:
    """The columns of a table by its first records: how they are read and called.

    schema: how they are read. names: of all columns in their order, as the schema calls them, ""
    for what is a column of the archive alone (an empty field at the edge of a box or at the end of
    lines); header: for each of these, as the file calls it, where a name may be empty or come
    twice.
    """

    schema: Schema
    names: Sequence[str]
    header: Sequence[str]

    def header_names(self) -> dict[str, str]:
        """By each column's name in the schema the name that the file has for it; by "" that of a
        column of the archive alone."""
        # the last of the columns that are called "" stands for all of them
        return dict(zip(self.names, self.header, strict=True))

    def labels(self) -> dict[str, str]:
        """By each column's name in the schema the label by which an archive tells it apart; by ""
        that of a column of the archive alone."""
        labels = labels_of(self.header)
        return dict(zip(self.names, labels, strict=True))


def beginning_of(source: CsvSource | ArrowTable) -> Beginning | None:
    """Read the first LOOKED_AT (4,096) records of a table, and return what they say of its columns;
    None if there are no records, or they cannot be read as a table."""
    # reading them may fail already, as of records of several widths
    try:
        records: TableSource
        if isinstance(source, ArrowTable):
            header = source.schema.names
            records = ArrowMemorySource(source.name, source.head(LOOKED_AT))
        else:
            header = source_texts.header_of(source)[1]
            records = source
        table = records.head(LOOKED_AT)
        # without any there is nothing to be told
        if not len(table):
            return None
        names: Sequence[str] = table.names
        if isinstance(source, CsvSource):
            # one for each field of the header, "" for a field that detection does not read
            names = source_texts.names_by_field(source, names, header)
        schema = inferred(records, table, FitOptions())
        return Beginning(schema, names, header)
    except DataError:
        return None
