"""Which numbers a bound on the errors of all numbers leaves exact, though people read them as
numbers: identifiers, keys, codes and numbers written in another way; and which files of a folder.
Beside these, what else a user may not expect of a bound."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from aetool.archives import coarse_bounds, idle_bounds
from aetool.archives.beginning import Beginning, beginning_of
from aetool.archives.opening import Opened
from aetool.canonical import Json
from aetool.codec import source_texts
from aetool.codec.contents import arrays
from aetool.codec.contents.folder import FILES
from aetool.codec.contents.labels import labels_of
from aetool.codec.planning import Effort
from aetool.codec.records import Layout
from aetool.columns import quantities
from aetool.columns.column import Column
from aetool.columns.identifier import Identifier
from aetool.columns.number import PLAIN, Number
from aetool.csv.fields import fields
from aetool.data.array_files import ArrayFile
from aetool.data.arrow_files import ArrowTable
from aetool.data.sources import CsvSource
from aetool.spelling import in_shell, option

GROUPED, COMMA = "thousands separators", "a decimal comma"


def places_of_names(source: CsvSource | ArrowTable) -> frozenset[int]:
    """The positions, from 0, of the columns that `--max-error` for all numbers leaves exact,
    because their numbers name records, places or days and measure nothing. They are told by the
    first 4,096 records; empty where these cannot be read as a table, or there are
    none."""
    beginning = beginning_of(source)
    if beginning is None:
        return frozenset()
    return quantities.places_of_names(beginning.schema, beginning.names)


def labels_of_arrays(source: ArrayFile) -> dict[int, str]:
    """Find the arrays of a file that a bound on all numbers leaves exact, because they label the
    records of another array: those of whole numbers, one for each of its rows. Returns their names
    by their positions among what `arrays.column_labels` lists, from 0; {} if there are none.
    UnsuitedError for an array of a type that cannot be stored."""
    tables = [member for member in source.members if len(member.shape) > 1]
    rows_of_tables = {member.shape[0] for member in tables}
    labels: dict[int, str] = {}
    position = 0
    for member in source.members:
        # a class or a number of its own: rounded, it would be that of another record
        is_whole = member.dtype.kind in "iu"
        is_label = is_whole and len(member.shape) == 1 and member.shape[0] in rows_of_tables
        if is_label:
            labels[position] = member.name
        # an array that stands alone is a table, each of whose columns has a bound of its own
        tensor = arrays.tensor_of(member)
        position += len(tensor.column_names(alone=len(source.members) == 1))
    return labels


def remarks(
    source: Opened,
    bounds_asked: Mapping[str, str],
    errors: Mapping[str, Json],
    effort: Effort,
    decimal: str | None = None,
) -> list[str]:
    """Lines that say which numbers of a bounded archive are stored exactly all the same, and why,
    and which the bound has made hardly differ; of a text with a record of another number of fields
    than the header that one line alone; [] of pictures and what is neither a table nor a file of
    arrays.

    bounds_asked: the bounds that were asked for, by column; "" for all others. errors: the
    archive's errors, by column label: the columns in it were bounded. effort: of the archive, whose
    block is read at a time. decimal: the decimal mark that the user says, None for none.
    """
    if isinstance(source, ArrayFile):
        return [
            *_line_of_exact_labels(source, bounds_asked, errors),
            *idle_bounds.of_arrays(source, bounds_asked, errors),
            *idle_bounds.of_all(bounds_asked, errors),
        ]
    if not isinstance(source, CsvSource | ArrowTable):
        return []
    if isinstance(source, CsvSource):
        irregular = _line_of_irregular_record(source, effort.block, bool(errors))
        if irregular is not None:
            return [irregular]
    beginning = beginning_of(source)
    if beginning is None:
        # nothing was to be bounded
        return []
    lines = list(_lines_of_exact_identifiers(beginning, bounds_asked, errors))
    # names of columns that have a line already: each has one reason
    explained: Collection[str] = ()
    # numbers of a typed table are not written in any way
    if isinstance(source, CsvSource):
        unclear = _with_unclear_marks(source, beginning, bounds_asked, errors, effort, decimal)
        for name, mark in unclear.items():
            lines.append(_line_of_unclear(name, mark))
        # in a way in which some numbers cannot be rounded
        by_way = _by_way_of_writing(beginning, bounds_asked, errors, unclear)
        lines.extend(_line_of_way(way, columns) for way, columns in by_way.items())
        explained = {*unclear, *itertools.chain.from_iterable(by_way.values())}
    lines.extend(idle_bounds.of_columns(beginning, bounds_asked, errors, explained))
    others = _columns_not_named(beginning, bounds_asked)
    lines.extend(idle_bounds.of_all(bounds_asked, errors, others))
    coarse = coarse_bounds.of_ranges(beginning, bounds_asked, errors)
    lines += coarse
    return lines


def _columns_not_named(beginning: Beginning, bounds_asked: Mapping[str, str]) -> list[Column]:
    """The columns that a bound on all others is for. beginning: what the first records of the table
    say of its columns; bounds_asked: the bounds that were asked for, by column."""
    header_names = beginning.header_names()
    return [
        column
        for column in beginning.schema.columns
        if header_names[column.name] not in bounds_asked
    ]


def changed_and_exact(
    names: Sequence[str],
    errors: Mapping[str, Json],
) -> tuple[list[str], list[str]]:
    """Sort columns by whether a number of theirs has changed: (the columns in which one has, the
    others, which are exact), each in the order of names. errors: the archive's, by column
    {"largest": error}; a column that is not in it is exact."""
    changed: list[str] = []
    exact: list[str] = []
    for name in names:
        moved = errors.get(name, {}).get("largest")
        (changed if moved else exact).append(name)
    return changed, exact


def of_exact_archive(figures: Mapping[str, Json]) -> str:
    """A line that says that everything is stored exactly though a bound was asked for, and why.
    figures: of the archive, with archive_bytes and bounded_bytes."""
    exact = figures["archive_bytes"]
    bounded = figures["bounded_bytes"]
    return f"all is stored exactly: {exact:,} bytes, and {bounded:,} within the bound"


def of_folder(stored_exactly: Mapping[str, int]) -> list[str]:
    """Lines that say which files of a folder are stored exactly within a bound all the same, and
    why. stored_exactly: how many, by what they are: "files" (those stored as bytes), "of two
    colours" or "with a palette"."""
    lines = []
    for kind, count in stored_exactly.items():
        # of many files as of one
        is_single = count == 1
        verb = "is" if is_single else "are"
        if kind == FILES:
            things = "file" if is_single else "files"
            lines.append(
                f"{count:,} {things} {verb} stored byte for byte: a bound is for pictures that are "
                "stored by pixel, such as plain PNG, and not for JPEG, for small pictures with a "
                "palette, or for files with more than a picture in them, such as a colour profile, "
                "a rotation or several frames"
            )
        else:
            things = "picture" if is_single else "pictures"
            lines.append(
                f"{count:,} {things} {kind} {verb} stored exactly: a bound is for levels, and "
                "there are none"
            )
    return lines


def _line_of_irregular_record(source: CsvSource, block: int, is_bounded: bool) -> str | None:
    """A line on the first record with another number of fields than the header, counted from 1;
    None if there is none. The source is read up to there. block: bytes to read at a time;
    is_bounded: whether other records are bounded."""
    expected = len(source_texts.header_of(source)[1])
    pieces = source_texts.pieces_of(source, block)
    # the head, which is no record
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


def _numbers_left_exact(
    beginning: Beginning,
    bounds_asked: Mapping[str, str],
    errors: Mapping[str, Json],
) -> list[Number]:
    """The columns of numbers that were to be bounded and were not. beginning: what the first
    records of the table say of its columns. bounds_asked: the bounds that were asked for, by
    column, "" for all others; errors: the archive's, by column label."""
    header_names = beginning.header_names()
    labels = beginning.labels()
    exact = []
    for column in beginning.schema.columns:
        if not isinstance(column, Number):
            continue
        header_name = header_names[column.name]
        # "" bounds all columns that are not named
        is_asked = header_name in bounds_asked or "" in bounds_asked
        is_bounded = labels[column.name] in errors
        if is_asked and not is_bounded:
            exact.append(column)
    return exact


def _with_unclear_marks(
    source: CsvSource,
    beginning: Beginning,
    bounds_asked: Mapping[str, str],
    errors: Mapping[str, Json],
    effort: Effort,
    decimal: str | None,
) -> dict[str, str]:
    """By the name of each column that was to be bounded, and is exact as nothing tells whether its
    marks are decimal ones or part thousands, this mark, "." or ",". beginning: what the first
    records say of the columns; bounds_asked: the bounds that were asked for, by column, "" for all
    others; errors: the archive's, by column label; effort: of the archive; decimal: the mark that
    the user says, None for none. The table is read once more unless all columns of numbers were
    bounded."""
    exact = _numbers_left_exact(beginning, bounds_asked, errors)
    if not exact:
        return {}
    labels = beginning.labels()
    layout = Layout(source.dialect.rule, labels_of(beginning.header), effort)
    marks = source_texts.marks_of([source], layout, decimal)
    unclear = {}
    for column in exact:
        mark = marks.unclear.get(labels[column.name])
        if mark is not None:
            unclear[column.name] = mark
    return unclear


def _line_of_unclear(name: str, mark: str) -> str:
    """A line that says that a column is exact as its marks, "." or ",", may mean either, and how to
    say what they mean."""
    marks = {".": "dots", ",": "commas"}[mark]
    return (
        f"{name}: its {marks} may mark thousands or decimals: stored exactly, unless "
        f"{option('--decimal')} says the decimal mark, . or ,"
    )


def _by_way_of_writing(
    beginning: Beginning,
    bounds_asked: Mapping[str, str],
    errors: Mapping[str, Json],
    explained: Collection[str],
) -> dict[str, list[str]]:
    """By each way of writing numbers (thousands separators, a decimal comma) of which columns were
    not bounded, the names of these columns. beginning: what the first records of the table say of
    the columns; bounds_asked: the bounds that were asked for, by column, "" for all others; errors:
    the archive's, by column label; explained: names of columns of which it was said already why
    they are exact."""
    names: dict[str, list[str]] = {}
    for column in _numbers_left_exact(beginning, bounds_asked, errors):
        if column.name in explained:
            continue
        # thousands parted, as 1,234
        if column.notation.group:
            names.setdefault(GROUPED, []).append(column.name)
        # of a table with commas, columns of whole numbers have none
        elif column.notation.decimal != PLAIN.decimal and column.decimals != 0:
            names.setdefault(COMMA, []).append(column.name)
    return names


def _line_of_way(way: str, columns: Sequence[str]) -> str:
    """A line that says that columns, whose numbers are written in this way, are exact, and why."""
    return (
        f"{', '.join(columns)}: numbers with {way} are stored exactly (too few are written "
        "alike, or the bound is below their last digit)"
    )


def _line_of_exact_labels(
    source: ArrayFile,
    bounds_asked: Mapping[str, str],
    errors: Mapping[str, Json],
) -> Iterator[str]:
    """Yield a line that names the arrays of labels, which are not bounded, if there are any and all
    numbers were to be. bounds_asked: the bounds that were asked for, by column, "" for all others;
    errors: the archive's, by column label. UnsuitedError for an array of a type that cannot be
    stored."""
    if "" not in bounds_asked:
        return
    # an array that was named has a bound, and so an error
    exact = [name for name in labels_of_arrays(source).values() if name not in errors]
    if exact:
        kind = "has a whole number" if len(exact) == 1 else "have whole numbers"
        bound = f"{option('--max-error')} {exact[0]}=..."
        yield (
            f"{', '.join(exact)} {kind} for each record of another array, taken for labels and "
            f"stored exactly; {bound} bounds them"
        )


def _lines_of_exact_identifiers(
    beginning: Beginning,
    bounds_asked: Mapping[str, str],
    errors: Mapping[str, Json],
) -> Iterator[str]:
    """Yield a line that names the identifiers, one that names the keys and one that names the
    codes, which are not bounded, if there are any and all numbers were to be. beginning: what the
    first records of the table say of its columns. bounds_asked: the bounds that were asked for, by
    column, "" for all others; errors: the archive's, by column label."""
    if "" not in bounds_asked:
        return
    labels = beginning.labels()
    identifiers = []
    keys = []
    codes = []
    for column in beginning.schema.columns:
        # rounded, one key would become another
        if labels[column.name] in errors:
            continue
        if isinstance(column, Identifier):
            identifiers.append(column.name)
        elif isinstance(column, Number) and quantities.is_key(column):
            keys.append(column.name)
        elif isinstance(column, Number) and quantities.is_coded(column):
            codes.append(column.name)
    if identifiers:
        kind = "is an identifier" if len(identifiers) == 1 else "are identifiers"
        yield f"{', '.join(identifiers)} {kind}, stored exactly"
    if keys:
        kind = "a key or a day" if len(keys) == 1 else "keys or days"
        yield (
            f"{', '.join(keys)}: {kind} by name or digits, stored exactly, unless bounded by "
            f"name: {_how_to_bound(keys[0])}"
        )
    if codes:
        yield (
            f"{', '.join(codes)}: a few whole numbers far apart, as codes of kinds have, stored "
            f"exactly, unless bounded by name: {_how_to_bound(codes[0])}"
        )


def _how_to_bound(name: str) -> str:
    """How to bound the column `name`, in the words of the shell, "--max-error NAME=...", or of
    Python, "max_error={'NAME': ...}"."""
    if in_shell():
        return f"{option('--max-error')} {name}=..."
    return f"max_error={{'{name}': ...}}"
