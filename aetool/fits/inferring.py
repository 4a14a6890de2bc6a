"""What the columns of a table are, as the options of a fit say or as their cells show."""

from __future__ import annotations

from collections.abc import Sequence

from aetool.columns.number import Number
from aetool.columns.schema import Schema, conditioned, decided, drop, summarise
from aetool.columns.skip import Skip
from aetool.columns.summary import Summary
from aetool.data import notices
from aetool.data.table import Table
from aetool.data.table_source import TableSource
from aetool.fits.asked import FitOptions
from aetool.spelling import option

MOST_TOLD = 6  # columns that a notice names, of those that hold far numbers, or numbers as texts


def inferred(source: TableSource, table: Table, options: FitOptions) -> Schema:
    """The schema of a table of the source, with the types, dropped columns and conditions that the
    options choose. table: rows of it. ParamError for a type, a condition or a column to drop that
    is not there, and for a condition that models do not see, such as one that is dropped; names to
    keep are not checked. DataError for a column that cannot be of the kind that options.types
    says."""
    columns = set(table.names)
    chosen = {*options.keep, *options.condition}
    # a condition is kept though it is not named in --keep
    dropped = set(options.drop) | (columns - chosen if options.keep else set())
    summaries = summarise(
        table,
        source.dtypes,
        source.decimal,
        options.na,
        options.closed,
    )
    schema = decided(summaries, options.types, source.said.decimal)
    schema = drop(schema, sorted(dropped))
    _caution_of_texts(summaries, schema, source.name)
    return conditioned(schema, options.condition)


def _caution_of_texts(summaries: Sequence[Summary], schema: Schema, name: str) -> None:
    """Warn, in the shell and in Python, of columns that their source stores as texts, though each
    text is a number, and that are read as words; nothing if there is none. One odd cell, also one
    that is in no row of these, makes pandas read a whole column as texts. summaries: of all
    columns; schema: as these were decided, without those that are dropped. name: of the source."""
    kinds = {column.name: column for column in schema.columns}
    texts = []
    for summary in summaries:
        column = kinds.get(summary.name)
        # a column that is dropped, or read as numbers, surprises nobody
        is_left = column is None or isinstance(column, Number | Skip)
        if summary.typed and not is_left and summary.numbers is not None:
            texts.append(summary.name)
    if texts:
        more = f" and {len(texts) - MOST_TOLD} more" if len(texts) > MOST_TOLD else ""
        notices.caution(
            name,
            f"texts that are numbers are read as words: {', '.join(texts[:MOST_TOLD])}{more}; if "
            f"they are amounts, and no codes, say {option('--type')} {texts[0]}=number",
        )
