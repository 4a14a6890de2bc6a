"""Tables in text as their bytes: header record, pieces of whole records, names, bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction

from aetool.codec import records
from aetool.codec.blocks import NO_HINTS
from aetool.codec.decimal_marks import DecimalMarks, MarkEvidence
from aetool.codec.natives.bounding import LARGEST_FLOAT
from aetool.codec.planning import Hints
from aetool.codec.ranges import RangeEvidence
from aetool.codec.records import Layout
from aetool.csv import cutting
from aetool.csv.dialect import BOX
from aetool.csv.fields import fields
from aetool.data import sources
from aetool.errors import ParamError
from aetool.printing import printable
from aetool.spelling import option, there_are

MOST_DIGITS = 400  # of an error, and the most that its exponent may be: as of the largest floats


def pieces_of(source: sources.CsvSource, size: int) -> Iterator[bytes]:
    """Yield the bytes before the first record (byte-order mark, blank lines, header record; b"" for
    none), then pieces of the text as UTF-8, of about `size` bytes each, none with a record cut.
    DataError where the file cannot be opened or decoded, or a record has more than
    cutting.MAX_RECORD (2^28) bytes."""
    with source.open_text() as stream:
        yield from cutting.pieces(stream, source.dialect, size)


def allowed_by_place(
    bound_texts: Mapping[str, str],
    names: Sequence[str],
    ends: Sequence[tuple[Fraction, Fraction] | None],
    apart: Collection[int] = (),
    labels: Mapping[str, str] | None = None,
) -> list[Fraction | None]:
    """For each column the largest error allowed, in its unit; None if none is. ParamError for a
    column in `bound_texts` that is not there, or has no numbers, and for a text that is no bound,
    as "0.5" and "1%" are.

    bound_texts: the text of --max-error by column name; "" stands for all columns of numbers not
    named, also one whose name is empty. names: of the columns, which may repeat: a text is for all
    of a name, and in percent of each one's range. ends: for each column (smallest, largest number),
    None if it has no numbers. apart: the places, from 0, of the columns that "" does not stand for.
    labels: by name of a column without numbers what labels it has instead, in words.
    """
    numeric = {name for name, range_ends in zip(names, ends, strict=True) if range_ends is not None}
    for name in bound_texts:
        if name and name not in names:
            guess = there_are(name, names)
            raise ParamError(f"{option('--max-error')} {name}=...: no column '{name}'{guess}")
        if name and name not in numeric:
            kind = (labels or {}).get(name, "does not hold numbers")
            raise ParamError(f"{option('--max-error')} {name}=...: column '{name}' {kind}")
    bounds: list[Fraction | None] = []
    for place, (name, range_ends) in enumerate(zip(names, ends, strict=True)):
        of_all = None if place in apart else bound_texts.get("")
        # "" stands for all columns, and never names the one that has no name
        bound_text = bound_texts.get(name, of_all) if name else of_all
        if bound_text is None or range_ends is None:
            bounds.append(None)
        else:
            bounds.append(bound_of(bound_text, *range_ends))
    return bounds


def bound_of(bound_text: str, low: Fraction, high: Fraction) -> Fraction:
    """The error bound, 0 or more, that a text asks for: a number such as "0.5", "1e-3" or "1/3", or
    one of high - low in percent, "1%". ParamError for any other text, a bound below 0, a number
    beyond the largest float, or one of more than MOST_DIGITS (400) characters or with an exponent
    beyond that."""
    try:
        mantissa, _, exponent = bound_text.removesuffix("%").lower().partition("e")
        # a fraction of a large exponent would take all memory
        if len(mantissa) > MOST_DIGITS or abs(int(exponent or 0)) > MOST_DIGITS:
            raise ValueError(bound_text)
        value = Fraction(bound_text.removesuffix("%"))
        # as a float, in which errors are told, it would be infinite
        if abs(value) > LARGEST_FLOAT:
            raise ValueError(bound_text)
    except (ValueError, ZeroDivisionError):
        raise ParamError(
            f"{option('--max-error')} {bound_text}: write a number such as 0.5 or 1%, or COLUMN=0.5"
        ) from None
    if value < 0:
        raise ParamError(f"{option('--max-error')} {bound_text}: an error is 0 or more")
    if bound_text.endswith("%"):
        return value * (high - low) / 100
    return value


def header_of(source: sources.CsvSource) -> tuple[bytes, list[str]]:
    """Read the beginning of a table in text: (the bytes before the first record, the names of the
    columns: those of the header record, else c1, c2 ..., as many as the first record has fields, or
    c1 alone without a record). DataError where a file cannot be opened or decoded, or has a record
    of more than 2^28 bytes."""
    pieces = pieces_of(source, 1 << 20)
    head = next(pieces)
    # without a header the first record tells how many columns there are
    names = cutting.header_names(head, source.dialect)
    if not names:
        first_records = fields(next(pieces, b""), source.dialect.rule)
        width = int(first_records.width[0]) if len(first_records) else 1
        names = [f"c{i + 1}" for i in range(width)]
    return head, names


def names_by_field(
    source: sources.CsvSource,
    names: Sequence[str],
    header: Sequence[str],
) -> list[str]:
    """The name of the column that each field of a record is in, in order; "" for an empty field at
    the edge of a box or at the end of lines, which is no column.

    names: of the columns, as the source's records have them. header: as `header_of` returns it, a
    name for each field.
    """
    by_field = list(names)
    if source.dialect.edge == BOX:
        by_field.insert(0, "")
    # a name for each field, whatever ends the lines
    missing = len(header) - len(by_field)
    by_field.extend([""] * missing)
    return by_field


def marks_of(
    files: Sequence[sources.CsvSource],
    layout: Layout,
    user_mark: str | None,
) -> DecimalMarks:
    """The decimal marks of the columns of a table in text whose own cells may be read with either,
    by their names in the layout; all of the files is read for it. files: of one table. user_mark:
    the mark that the user says, None for none. DataError where a file cannot be opened or decoded,
    or has a record of more than 2^28 bytes."""
    evidence_by_name: dict[str, MarkEvidence] = {}
    for file in files:
        pieces = pieces_of(file, layout.effort.block)
        # the head, which has no record
        next(pieces)
        for piece in pieces:
            records.add_mark_evidence(piece, layout, evidence_by_name)
    return DecimalMarks.of(evidence_by_name, user_mark)


def bounds_of(
    files: Sequence[sources.CsvSource],
    layout: Layout,
    bound_texts: Mapping[str, str],
    names: Sequence[str],
    apart: Collection[int],
) -> dict[str, Fraction]:
    """The largest error allowed, in the column's unit, by the column's name in the layout, read
    from --max-error; all of the files is read for their ranges. Columns without a bound are left
    out, and so are those whose numbers are all one number between the same text, as in `1. White`.

    files: of one table, each with these columns. bound_texts: the text of --max-error by column
    name, "" for all others. names: of the columns, as many as the layout has, which may repeat;
    those of the layout do not. apart: the places, from 0, of the columns that have a bound only if
    they are named in --max-error. ParamError for a column in `bound_texts` that is not there, has
    no numbers, or has labels, see RangeEvidence, or a text that is no bound. DataError where a file
    cannot be opened or decoded, or has a record of more than 2^28 bytes.
    """
    evidence_by_name: dict[str, RangeEvidence] = {}
    for file in files:
        pieces = pieces_of(file, layout.effort.block)
        # the head, which has no record
        next(pieces)
        for piece in pieces:
            records.add_range_evidence(piece, layout, evidence_by_name)
    evidence = [evidence_by_name.get(label, RangeEvidence()) for label in layout.names]
    labels = {}
    for name, of_column in zip(names, evidence, strict=True):
        if of_column.are_labels:
            labels[name] = _words_of_labels(of_column)
    ends = [of_column.ends for of_column in evidence]
    by_place = allowed_by_place(
        bound_texts,
        names,
        ends,
        apart,
        labels,
    )
    bounds = {}
    for label, bound, of_column in zip(layout.names, by_place, evidence, strict=True):
        if bound is not None and not of_column.is_constant:
            bounds[label] = bound
    return bounds


def _words_of_labels(evidence: RangeEvidence) -> str:
    """Say in words, for a message, what a column of labels holds instead of numbers, with cells of
    it as examples. evidence: of its range."""
    examples = [printable(cell.decode(errors="replace")) for cell in evidence.examples.values()]
    cells = " and ".join(f"'{example}'" for example in examples)
    if evidence.are_names:
        return (
            f"holds labels, such as {cells}: whole numbers behind letters that are no currency, "
            "where a bound is for quantities"
        )
    return (
        f"holds labels or numbers of several units, such as {cells}, where a bound is for numbers "
        "that have the same text around them"
    )


def taught(source: sources.CsvSource, layout: Layout) -> tuple[Layout, Hints]:
    """Train students, small networks that predict columns, on the first piece of a file, and give
    them to the layout: (a copy of the layout with the students, hints for the first block); (the
    layout as it is, no hints) if the file has no records, the piece has some with another number of
    fields, or the students would not save more bytes than they take. DataError where a file cannot
    be opened or decoded, or has a record of more than 2^28 bytes. BundleError for a network whose
    sums might grow too large to be exact."""
    pieces = pieces_of(source, layout.effort.block)
    # the head, which has no record
    next(pieces)
    piece = next(pieces, b"")
    if not piece:
        return layout, NO_HINTS
    # how many pieces the file is worth, compressed or not
    times = max(1.0, source.path.stat().st_size / len(piece))
    learned = records.taught(piece, layout, times)
    if learned is None:
        return layout, NO_HINTS
    students, hints = learned
    return dataclasses.replace(layout, students=students), hints
