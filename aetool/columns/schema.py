"""The schema of a table: what its columns are, inferred once, stored with the model, and checked
whenever the model is used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aetool.canonical import Json
from aetool.columns import kinds
from aetool.columns.column import ODD, Column, Modelled
from aetool.columns.number import Number
from aetool.columns.skip import Skip
from aetool.columns.summary import Summary
from aetool.data.notation.gaps import DOUBTFUL
from aetool.data.table import Cells, Table, Values
from aetool.errors import DataError, ParamError
from aetool.model import Float
from aetool.spelling import in_shell, listed, option, there_are

MOST_CONTEXT = 256  # rows
MOST_NAMED = 12  # columns alike, in one line
A_HANDFUL = 5  # columns of one table, in one message
LOOKED_AT = 1000  # records that tell how another file writes its columns
FEWEST_OF_A_KIND = 20  # cells that tell a column of another kind from a few odd cells


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in file order, as inferred from a sample and stored with the model.

    rows: how many records training saw. context: how many earlier rows models are given beside each
    row, those that come before it in the order of the column `order` ("": the source's order) among
    rows with its value of the column `group` ("": all rows).
    """

    columns: tuple[Column, ...]
    rows: int = 0
    context: int = 0
    group: str = ""
    order: str = ""

    @property
    def inputs(self) -> int:
        """How many values the graphs take for each row: one for each modelled column, of the row
        and of each of the `context` rows before it."""
        return len(self.modelled) * (self.context + 1)

    @property
    def modelled(self) -> tuple[Modelled, ...]:
        """The columns that models see, in the order in which all graphs take them."""
        return tuple(column for column in self.columns if isinstance(column, Modelled))

    @property
    def dtypes(self) -> dict[str, str]:
        """The name of the source's own type for each column, by its name, as writers of typed files
        take them; columns that were text in it are left out."""
        return {column.name: column.dtype for column in self.columns if column.dtype}

    @property
    def conditions(self) -> list[int]:
        """The indices in `modelled` of the condition columns, given whose values records are
        judged."""
        columns = enumerate(self.modelled)
        return [place for place, column in columns if column.condition]

    @property
    def clock(self) -> int | None:
        """The index in `modelled` of the column that tells the time of records: of the dates by
        which they are ordered, else of the first column of dates; None without dates."""
        first_dates = None
        for place, column in enumerate(self.modelled):
            # dates are ordered, and their differences are no measurement
            is_dates = column.ordered and not column.measured
            if not is_dates:
                continue
            if column.name == self.order:
                return place
            if first_dates is None:
                first_dates = place
        return first_dates

    def __getitem__(self, name: str) -> Column:
        """The column of this name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_json(self) -> dict[str, Json]:
        """A JSON-able form, of which from_json makes an equal Schema."""
        columns = [column.to_json() for column in self.columns]
        data: dict[str, Json] = {"rows": self.rows, "columns": columns}
        # left out where it is 0, as models without context are written so ever since
        if self.context:
            data["context"] = self.context
            data["group"] = self.group
            data["order"] = self.order
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Schema:
        """The Schema that to_json wrote; ValueError, TypeError or KeyError if it is not one, such
        as where names repeat."""
        # a stored schema may come from anywhere: everything is checked before it is used
        columns = [kinds.from_json(item) for item in data["columns"]]
        names = [column.name for column in columns]
        if len(set(names)) != len(names):
            raise ValueError("duplicate column names")
        context = int(data.get("context", 0))
        if not 0 <= context <= MOST_CONTEXT:
            raise ValueError(f"a context of {context} rows")
        group = str(data.get("group", ""))
        order = str(data.get("order", ""))
        modelled = [column.name for column in columns if column.modelled]
        if order and order not in modelled:
            raise ValueError("the column that rows are ordered by is not modelled")
        return cls(
            columns=tuple(columns),
            rows=int(data["rows"]),
            context=context,
            group=group,
            order=order,
        )

    def as_written(self, table: Table, decimal: str) -> Schema:
        """A copy of the schema that reads the text of another file, in which numbers or dates may
        be written in another way. table: first records of that file, of which 1,000 are looked at;
        columns that it lacks stay as they are. decimal: the file's usual decimal mark."""
        # the first records tell how all of them are written
        if len(table) > LOOKED_AT:
            table = table.take(slice(0, LOOKED_AT))
        columns = list(self.columns)
        for place, column in enumerate(columns):
            if not isinstance(column, Modelled) or column.name not in table.places:
                continue
            cells = table[column.name]
            if isinstance(cells, Cells):
                columns[place] = column.as_written(cells, decimal)
        return dataclasses.replace(self, columns=tuple(columns))

    def encode(self, table: Table, name: str) -> Float:
        """Encode a table's modelled columns as numbers: (rows, columns) float64, in the order of
        `modelled`: numbers in user units, words as indices of levels (len(levels): any other word),
        dates as epoch seconds; NaN where missing, ODD where a cell is not of the column's kind.
        name: of the source, for errors.

        Columns are matched by name. DataError names the missing columns, or one of numbers or dates
        with 20 present cells or more, none of which is of its kind. Columns that the schema does
        not know are passed over.
        """
        modelled = self.modelled
        if any(column.name not in table.places for column in modelled):
            raise DataError(f"{name}: {self._what_is_missing(table)}")
        encoded = np.empty((len(table), len(modelled)))
        for place, column in enumerate(modelled):
            values = table[column.name]
            parsed = column.parse(values)
            encoded[:, place] = parsed
            _refuse_another_kind(column, encoded[:, place], values, table, name)
        return encoded

    def _what_is_missing(self, table: Table) -> str:
        """What a message says of a table that lacks some of the modelled columns: which, and what
        to do; and where it has hardly any of them, that it is a table of another kind, or one
        without its header."""
        modelled_names = [column.name for column in self.modelled]
        missing = [name for name in modelled_names if name not in table.places]
        known_names = {column.name for column in self.columns}
        # a name that is nearly right is often among these
        unknown_names = [name for name in table.names if name not in known_names]
        numbered = [f"c{number}" for number in range(1, len(self.columns) + 1)]
        if unknown_names == numbered:
            header = [column.name for column in self.columns]
            return (
                f"no header: its columns are called {listed(unknown_names, A_HANDFUL)}; put the "
                f"names that the model was fitted with above the records: {listed(header)}"
            )
        alike = {name.casefold().strip() for name in unknown_names}
        renamed = [name for name in missing if name.casefold().strip() in alike]
        if len(missing) > 1 and 2 * (len(missing) - len(renamed)) > len(modelled_names):
            present_count = len(modelled_names) - len(missing)
            return (
                f"looks like a table of another kind than the model's: it has "
                f"{present_count or 'none'} of the model's {len(modelled_names)} columns; the "
                f"model was fitted on {self.rows:,} records of "
                f"{listed(modelled_names, A_HANDFUL)}, and this table's columns are "
                f"{listed(table.names, A_HANDFUL) or 'none'}. Give a table like the "
                "model's, or a model of tables like this one"
            )
        hint = f" (it has instead: {listed(unknown_names, A_HANDFUL)})" if unknown_names else ""
        quoted = [f"'{name}'" for name in missing]
        if len(renamed) == len(missing):
            # nothing is to be added
            columns, verb = ("column", "is") if len(missing) == 1 else ("columns", "are")
            return (
                f"{columns} {listed(quoted, A_HANDFUL)} {verb} missing{hint}; names are matched "
                "letter by letter: write them as the model has them"
            )
        dropped = f"{option('--drop')} {','.join(missing[:A_HANDFUL])}"
        if len(missing) == 1:
            return (
                f"column '{missing[0]}' is missing{hint}; the model was fitted with it. "
                f"Add it, or fit again with {dropped}"
            )
        # a list that is cut short cannot be typed again
        remedy = f"with {dropped}" if len(missing) <= A_HANDFUL else "without them"
        return (
            f"columns {listed(quoted, A_HANDFUL)} are missing{hint}; the model was fitted with "
            f"them. Add them, or fit again {remedy}"
        )


def _refuse_another_kind(
    column: Modelled,
    parsed: Float,
    values: Values,
    table: Table,
    name: str,
) -> None:
    """Raise DataError if at least 20 cells of a column of numbers or dates are present and all are
    odd: one odd cell is an anomaly of its record, nothing but odd cells are a column of another
    kind. Silent for words, of which any cell may be one. parsed: (n,), the values in user units;
    values: (n,), the cells that they are of, in `table`. name: of the source."""
    if not column.ordered:
        return  # any cell is a word, be it one that was not seen
    present = ~np.isnan(parsed)
    odd = parsed == ODD
    # a few odd cells are anomalies, and a column of them is a mistake
    if present.sum() < FEWEST_OF_A_KIND or not odd[present].all():
        return
    row = int(np.flatnonzero(odd)[0])
    text = column.found(values, row, ODD)
    # as people count records
    number = table.records[row] + 1
    raise DataError(
        f"{name}: row {number}, column '{column.name}': found {text!r}, and nothing "
        f"that the model could read as a {column.kind}; mend the column, or fit again with "
        f"{option('--type')} {column.name}=category"
    )


def summarise(
    table: Table,
    dtypes: Mapping[str, str] | None = None,
    decimal: str = ".",
    gap_words: Sequence[str] = (),
    closed: bool = False,
) -> list[Summary]:
    """The summary of each column of `table`, a piece of data, in its order; those of several pieces
    can be added up.

    dtypes: the source's own type names by column, so that decompression can give them back.
    decimal: the decimal mark that is usual in its text. gap_words: words that mean a gap in this
    table, beside those that do in any, such as NA. closed: whether no other records are to come.
    """
    return [
        Summary(
            name,
            values,
            rows=len(table),
            typed=name in table.typed,
            dtype=(dtypes or {}).get(name),
            decimal=decimal,
            gap_words=tuple(gap_words),
            closed=closed,
        )
        for name, values in zip(table.names, table.values, strict=True)
    ]


def decided(
    summaries: Sequence[Summary],
    chosen: Mapping[str, str] | None = None,
    asked_mark: str | None = None,
) -> Schema:
    """Make a schema from the columns' summaries: each column has the kind that its summary says, or
    that the user names in `chosen`, by column; text where no other kind fits. Numbers that can be
    read with either decimal mark, such as 1.234, have that which the user asks for (asked_mark,
    None: none), else the only one that the other columns show, else that of their summary. In a
    column of words such a word as None is a value, not a gap, if the other columns show that the
    table writes its gaps in another way. ParamError for a name in `chosen` that is no column's, or
    a kind that does not exist; DataError for a kind that the column cannot be."""
    chosen = chosen or {}
    names = [summary.name for summary in summaries]
    for name in chosen:
        if name not in names:
            guess = there_are(name, names)
            raise ParamError(f"{option('--type')} {name}: no such column{guess}")
    summaries = _with_common_decimal_mark(summaries, asked_mark)
    columns = []
    for summary in summaries:
        kind = chosen.get(summary.name)
        columns.append(kinds.decide(summary, kind))
    # where other columns tell that the file writes its gaps otherwise, words such as None are
    # values: columns that have such words are decided anew
    for place, words in _values_among_gaps(columns, summaries).items():
        summary = dataclasses.replace(summaries[place], values_here=words)
        kind = chosen.get(summary.name)
        columns[place] = kinds.decide(summary, kind)
    rows = summaries[0].rows if summaries else 0
    return Schema(tuple(columns), rows)


def _with_common_decimal_mark(
    summaries: Sequence[Summary],
    asked_mark: str | None,
) -> Sequence[Summary]:
    """The summaries, all with one decimal mark: `asked_mark`, what the user says of it, or if that
    is None the only one that columns show for sure, whatever the file's beginning told. As they are
    if columns show none for sure, or both."""
    sure_marks: frozenset[str] = frozenset()
    for summary in summaries:
        sure_marks |= summary.sure_marks
    marks = [asked_mark] if asked_mark else sorted(sure_marks)
    if len(marks) != 1:
        return summaries
    # most files have the mark by which they begin, and nothing is computed again
    return [
        summary if summary.decimal == marks[0] else dataclasses.replace(summary, decimal=marks[0])
        for summary in summaries
    ]


def _values_among_gaps(
    columns: Sequence[Column],
    summaries: Sequence[Summary],
) -> dict[int, frozenset[str]]:
    """Find words that were read as gaps but are values, such as None in a file that writes its gaps
    otherwise: for each column of categories, by its index, these words in lower case. columns: as
    first decided, each with its summary. Columns without such a word are left out; {} if the file
    does not tell how it writes its gaps."""
    usual_gaps: set[str] = set()
    categories = []
    pairs = zip(columns, summaries, strict=True)
    for place, (column, summary) in enumerate(pairs):
        if not isinstance(column, Modelled) or not column.gaps:
            continue
        gaps_written = summary.written_gaps
        usual_gaps |= gaps_written - DOUBTFUL
        if column.ordered:
            # numbers and dates have no words: what is none of them there is how the file writes
            # gaps
            usual_gaps |= gaps_written
        else:
            categories.append(place)
    # the file does not tell how it writes gaps: the words may be such
    if not usual_gaps:
        return {}
    values_of = {}
    for place in categories:
        values = summaries[place].doubtful_gaps - usual_gaps
        if values:
            values_of[place] = values
    return values_of


def infer(
    table: Table,
    chosen: Mapping[str, str] | None = None,
    dtypes: Mapping[str, str] | None = None,
    decimal: str = ".",
    gap_words: Sequence[str] = (),
    closed: bool = False,
    asked_mark: str | None = None,
) -> Schema:
    """The schema of a sample of records, `table`, as `decided` makes it. chosen: the kinds that the
    user names, by column; ParamError for a name that is no column's, or a kind that does not exist;
    DataError for a kind that the column cannot be. dtypes: the source's own type names by column;
    decimal: the decimal mark that is usual in its text; gap_words: further words that mean a gap;
    closed: whether no other records are to come; asked_mark: the decimal mark that the user asks
    for, None for none."""
    summaries = summarise(table, dtypes, decimal, gap_words, closed)
    return decided(summaries, chosen, asked_mark)


def understood(schema: Schema) -> list[str]:
    """How each column was read, one line for each: first the columns that models do not see, then
    those with something odd, then the others."""

    left_out = [
        f"{column.name}: {column.understood()}; not modelled"
        for column in schema.columns
        if not isinstance(column, Modelled)
    ]
    return left_out + _modelled_lines(schema)


def understood_briefly(schema: Schema, most: int) -> list[str]:
    """Lines for a person that sum up how the columns were read: at most `most` of them, or at most
    5 where `most` is less than 5. First, in a line, the names of those that models do not see; then
    those with something odd, a line each while there is room, and the rest of them in one; then all
    others by name, in up to three lines: constant ones, those with gaps, and all by kind. In a
    shell the last line ends with the option that shows each column, where there are more columns
    than lines."""
    lines = _line_of_left_out(schema)
    odd_ones = []
    unremarkable = []
    for column in schema.modelled:
        if _is_remarkable(column):
            odd_ones.append(column)
        else:
            unremarkable.append(column)
    joined_lines = _lines_of_unremarkable(unremarkable)
    # what is odd must not push out what the columns are
    lines_left = max(1, most - len(lines) - len(joined_lines))
    lines_of_odd = len(odd_ones)
    if lines_of_odd > lines_left:
        # the last line is for all that have none of their own
        lines_of_odd = lines_left - 1
    for column in odd_ones[:lines_of_odd]:
        lines.append(_line_of(column))
    names_without_line = [column.name for column in odd_ones[lines_of_odd:]]
    if names_without_line:
        lines.append(f"with something odd: {_listed_briefly(names_without_line)}")
    lines += joined_lines
    if in_shell() and len(schema.columns) > len(lines):
        lines[-1] += "; each by itself: --explain-columns"
    return lines


def _line_of_left_out(schema: Schema) -> list[str]:
    """A list of one line that names all columns that models do not see, with why; an empty list if
    they see all."""
    names_of: dict[str, list[str]] = {}
    for column in schema.columns:
        if not isinstance(column, Modelled):
            names = names_of.setdefault(column.understood(), [])
            names.append(column.name)
    if not names_of:
        return []
    groups = [f"{', '.join(names)} ({why})" for why, names in names_of.items()]
    count = sum(len(names) for names in names_of.values())
    columns = "column is" if count == 1 else "columns are"
    return [f"{count} {columns} left out: {'; '.join(groups)}"]


def _is_remarkable(column: Modelled) -> bool:
    """Whether a column has cells of another kind, or something odd about it."""
    return bool(column.odd or column.remark())


def _lines_of_unremarkable(columns: Sequence[Modelled]) -> list[str]:
    """Lines that join columns with nothing odd about them: those in which nothing differs, those
    with gaps, and all that differ by their kind, in one line. A column with gaps is in two of them,
    unless nothing differs in it."""
    constant_names = []
    with_gaps = []
    names_by_kind: dict[str, list[str]] = {}
    for column in columns:
        if column.is_constant:
            constant_names.append(column.name)
            continue
        if column.missing:
            # it is named among those of its kind, too
            with_gaps.append(f"{column.name} ({column.missing})")
        names = names_by_kind.setdefault(_words_of_kind(column), [])
        names.append(column.name)
    lines = []
    if constant_names:
        lines.append(f"nothing differs in: {_listed_briefly(constant_names)}")
    if with_gaps:
        lines.append(f"gaps: {_listed_briefly(with_gaps)}")
    if names_by_kind:
        groups = [f"{words}: {_listed_briefly(names)}" for words, names in names_by_kind.items()]
        lines.append("; ".join(groups))
    return lines


def _words_of_kind(column: Modelled) -> str:
    """The words by which a column is named together with others like it, such as "numbers";
    conditions are named apart."""
    if column.condition:
        return f"{column.plural} that are conditions, not scored"
    return column.plural


def _listed_briefly(names: Sequence[str]) -> str:
    """The first MOST_NAMED (12) of these names, joined by commas, and how many others there are, if
    any."""
    listed = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    if more <= 0:
        return listed
    return f"{listed} and {more} more column{'s' if more > 1 else ''}"


def _modelled_lines(schema: Schema) -> list[str]:
    """How each column that models see was read, a line for each: first those with something odd."""
    remarkable = sorted(schema.modelled, key=lambda column: not _is_remarkable(column))
    return [_line_of(column) for column in remarkable]


def _line_of(column: Modelled) -> str:
    """How a column that models see was read, with all that is odd about it."""
    line = f"{column.name}: {column.understood()}"
    return ", ".join([line, *_remarks_on(column)])


def _remarks_on(column: Modelled) -> list[str]:
    """Further remarks for a modelled column's line: that it is a condition, its gaps, its odd
    cells, its own remark."""
    remarks = []
    if column.condition:
        remarks.append("a condition, not scored")
    if column.missing:
        as_written = f" (written {column.token!r})" if column.token else ""
        remarks.append(f"{column.missing} missing{as_written}")
    if column.odd:
        remarks.append(f"{column.odd} cell{'s' if column.odd > 1 else ''} of another kind")
    remark = column.remark()
    if remark:
        remarks.append(remark)
    return remarks


def drop(schema: Schema, names: Sequence[str]) -> Schema:
    """The schema in which models do not see the columns of these names; it has no context, nor
    group or order. Columns that are not named stay as they are. ParamError for a name that is not
    there."""
    known_names = [column.name for column in schema.columns]
    for name in names:
        if name not in known_names:
            guess = there_are(name, known_names)
            raise ParamError(f"{option('--drop')} {name}: no such column{guess}")
    columns: list[Column] = []
    for column in schema.columns:
        if column.name in names:
            # it keeps its place among the columns, for archives store it all the same
            columns.append(Skip(column.name, column.dtype))
        else:
            columns.append(column)
    return Schema(tuple(columns), schema.rows)


def conditioned(schema: Schema, names: Sequence[str]) -> Schema:
    """The schema in which the columns of these names are conditions: records are judged given their
    values, which are not judged themselves. ParamError for a name that is not there or not
    modelled."""
    column_of = {column.name: column for column in schema.columns}
    for name in names:
        column = column_of.get(name)
        if column is None:
            guess = there_are(name, column_of)
            raise ParamError(f"{option('--condition')} {name}: no such column{guess}")
        if not isinstance(column, Modelled):
            raise ParamError(
                f"{option('--condition')} {name}: models do not see it "
                f"({column.understood()}); say what it is "
                f"with {option('--type')} {name}=category, or =number"
            )
        # in its place: the order of columns stays
        column_of[name] = dataclasses.replace(column, condition=True)
    return dataclasses.replace(schema, columns=tuple(column_of.values()))


def trusting(schema: Schema) -> Schema:
    """The schema for rows that are all taken for ordinary: no number that training saw lies apart,
    however far out it is. Dates keep their usual range."""
    columns = []
    for column in schema.columns:
        if isinstance(column, Number):
            column = dataclasses.replace(column, reach=None)
        columns.append(column)
    return dataclasses.replace(schema, columns=tuple(columns))
