"""What a bound on the errors of all numbers leaves exact, though people read it as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from aetool.archives.opening import Opened
from aetool.canonical import Json
from aetool.codec import source_texts
from aetool.codec.planning import Effort
from aetool.columns.identifier import Identifier
from aetool.columns.number import PLAIN, Number
from aetool.columns.quantities import names_in
from aetool.columns.schema import Schema
from aetool.csv.fields import fields
from aetool.data.arrow_files import ArrowTable
from aetool.data.arrow_source import ArrowMemorySource
from aetool.data.sources import CsvSource
from aetool.data.table_source import TableSource
from aetool.errors import DataError
from aetool.fits.fitting import FitOptions
from aetool.fits.preparing import inferred

LOOKED_AT = 4096  # records that tell how a column writes its numbers
GROUPED, COMMA = "thousands separators", "a decimal comma"


def names_of(source: CsvSource | ArrowTable) -> frozenset[str]:
    """Return the names of the columns of a table that a bound of all numbers does not mean: those
    that name records, places or days rather than measure them. Empty for what is no table."""
    schema = _schema_of(source)
    if schema is None:
        return frozenset()
    return names_in(schema)


def _schema_of(source: CsvSource | ArrowTable) -> Schema | None:
    """How a table's first records are read; None if there are none, or they are read as no
    table."""
    # reading them may fail already, as of records of several widths
    try:
        records: TableSource
        if isinstance(source, ArrowTable):
            records = ArrowMemorySource(source.name, source.head(LOOKED_AT))
        else:
            records = source
        return inferred(records, records.head(LOOKED_AT), FitOptions())
    except DataError:
        return None


def remarks(
    source: Opened,
    wanted: Mapping[str, str],
    errors: Mapping[str, Json],
    effort: Effort,
) -> list[str]:
    """Lines that say which numbers of a bounded archive are stored exactly all the same, and why.

    wanted: the bounds that were asked for, by column; "" for all others. errors: the archive's
    errors, by column: the columns in it were bounded.
    """
    if isinstance(source, ArrowTable):
        schema = _schema_of(source)
        return [] if schema is None else list(_exact_identifiers(schema, wanted, errors))
    # arrays name nothing: their columns are numbers
    if not isinstance(source, CsvSource):
        return []
    irregular = _irregular(source, effort.block, bool(errors))
    if irregular is not None:
        return [irregular]
    return list(_otherwise_written(source, wanted, errors))


def _irregular(source: CsvSource, block: int, is_bounded: bool) -> str | None:
    """A line on the first record with another number of fields than the header; None if there is
    none. block: bytes to read at a time; is_bounded: whether other records are bounded."""
    expected = len(source_texts.header_of(source)[1])
    pieces = source_texts.pieces_of(source, block)
    next(pieces)
    before = 0
    for piece in pieces:
        cells = fields(piece, source.dialect.rule)
        if cells.columns != expected:
            place = int(np.flatnonzero(cells.width != expected)[0])
            exact = "it and the records near it are" if is_bounded else "the file is"
            return (
                f"record {before + place + 1:,} has {cells.width[place]} fields where {expected} "
                f"are expected: {exact} stored exactly"
            )
        before += len(cells)
    return None


def _otherwise_written(
    source: CsvSource,
    wanted: Mapping[str, str],
    errors: Mapping[str, Json],
) -> Iterator[str]:
    """Yield a line for each way of writing numbers that cannot be bounded, with the columns that
    have it."""
    schema = _schema_of(source)
    if schema is None:
        # nothing was to be bounded
        return
    yield from _exact_identifiers(schema, wanted, errors)
    names: dict[str, list[str]] = {}
    for column in schema.columns:
        is_asked = column.name in wanted or "" in wanted
        if not isinstance(column, Number) or not is_asked or column.name in errors:
            continue
        if column.notation.group:
            names.setdefault(GROUPED, []).append(column.name)
        # of a table with commas, columns of whole numbers have none
        elif column.notation.decimal != PLAIN.decimal and column.decimals != 0:
            names.setdefault(COMMA, []).append(column.name)
    for way, columns in names.items():
        yield (
            f"{', '.join(columns)}: numbers with {way} are stored exactly (only those written like "
            "1234.5 are bounded)"
        )


def _exact_identifiers(
    schema: Schema,
    wanted: Mapping[str, str],
    errors: Mapping[str, Json],
) -> Iterator[str]:
    """Yield a line that names the identifiers which are not bounded, if there are any and all
    numbers were to be."""
    identifiers = []
    for column in schema.columns:
        # rounded, one key would become another
        if isinstance(column, Identifier) and column.name not in errors:
            identifiers.append(column.name)
    if identifiers and "" in wanted:
        listed = ", ".join(identifiers)
        is_one = len(identifiers) == 1
        kind = "is an identifier" if is_one else "are identifiers"
        yield f"{listed} {kind}, stored exactly"
