"""Learns from a table what archives of many small files have in common, to be stored with a
model."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from aetool.bundle import CODEC, EXACT, Bundle
from aetool.canonical import Json, canonical, parse_canonical
from aetool.codec import shared, source_texts
from aetool.codec.decimal_marks import DecimalMarks
from aetool.codec.records import Layout
from aetool.columns.quantities import places_of_names
from aetool.columns.schema import Schema
from aetool.data import notices
from aetool.data.chains import ChainSource
from aetool.data.sources import CsvSource
from aetool.data.table_source import TableSource
from aetool.errors import ParamError
from aetool.spelling import option

PIECE, MOST = 2 << 20, 12 << 20  # bytes of text: read at a time, and learned from
LINE_END = (b"\n", b"\r")


@dataclass(frozen=True, eq=False)
class Form:
    """Files of text whose records can stand one after the other, as in one file: they have the same
    columns in the same order, delimiter and line end.

    files: at least one. head, format: the bytes before the first record, and how the text is
    written, as most of the files have them; names: of the columns.
    """

    files: Sequence[CsvSource]
    head: bytes
    format: Mapping[str, Json]
    names: Sequence[str]


def refuse_unlearnable(source: TableSource, max_error: Mapping[str, str], students: bool) -> None:
    """Raise ParamError for a source of which no archive codec can be learned, since none of it is
    text. max_error: bounds by column, {} for none, and students: whether networks were asked for;
    both only choose the option that the message names."""
    if _files_of(source):
        return
    used_option = option("--codec")
    # both imply it
    if students:
        used_option = option("--students")
    if max_error:
        used_option = option("--max-error")
    raise ParamError(
        f"{used_option}: what small archives share is learned from tables in text, such as CSV, "
        f"and from pictures, and {source.name} is neither; leave {used_option} out"
    )


def with_codec(
    model: Bundle,
    source: TableSource,
    max_error: Mapping[str, str],
    students: bool,
    seed: int,
) -> Bundle:
    """Return a copy of the model to which an archive codec is added that was learned from the
    source: what archives of small files with these columns have in common. The source is one file
    of text or several, read as one. Beside a codec for archives within a bound there is one of
    exact archives, too, as these may be the smaller.

    If records are not regular (with as many fields as the header), a notice says so, and the model
    itself is returned. A notice also tells of files that were not learned from.

    max_error: the bound by column, as "0.5" or "1%", "" for all others; {} for lossless archives;
    students: whether to train small networks that predict columns; seed: of what is drawn.
    ParamError for a source none of which is text, and for a bound of a column that is not there or
    that has none.
    """
    refuse_unlearnable(source, max_error, students)
    form = _commonest_form(source)
    member = _learned_codec(form, max_error, students, seed, model.schema)
    if member is None:
        notices.say(
            source.name,
            "nothing was learned for archives: not every record has as many fields as the header",
        )
        return model
    members = {CODEC: member}
    if max_error:
        exact = _learned_codec(form, {}, students, seed)
        # of the same records, so there is one
        assert exact is not None
        members[EXACT] = exact
    return dataclasses.replace(model, graphs={**model.graphs, **members})


def learn(
    source: TableSource,
    max_error: Mapping[str, str],
    students: bool,
    seed: int,
    schema: Schema | None = None,
) -> bytes | None:
    """Learn an archive codec from a table: what archives of many small files with its columns have
    in common. Returns its bytes, as a bundle stores them; None if records are irregular. source:
    one file of text or several, read as one.

    max_error: the bound by column, as "0.5" or "1%", "" for all others, for lossy archives; {} for
    lossless ones. students: whether to train small networks that predict columns. seed: of what is
    drawn. schema: tells the columns that max_error bounds only if it names them; None: there are no
    such. Of more than 12 MiB of text only pieces from everywhere in it are learned from, and of
    files in several forms those of the form that has most bytes, which is said as a notice.
    ParamError for a source none of which is text, and for a bound of a column that is not there or
    that has none.
    """
    refuse_unlearnable(source, max_error, students)
    return _learned_codec(_commonest_form(source), max_error, students, seed, schema)


def _learned_codec(
    form: Form,
    max_error: Mapping[str, str],
    students: bool,
    seed: int,
    schema: Schema | None = None,
) -> bytes | None:
    """The bytes of the archive codec that is learned from files of one form; None if their records
    are irregular. max_error: the bound by column, "" for all others; {}: lossless archives.
    students: whether to train small networks that predict columns; seed: of what is drawn; schema:
    tells the columns that are bounded only by name, or None. No notices are said. ParamError for a
    bound of a column that is not there or that has none."""
    files = form.files
    layout = Layout(files[0].dialect.rule, form.names, shared.EFFORT)
    bounds: dict[str, Fraction] = {}
    marks = DecimalMarks()
    if max_error:
        marks = source_texts.marks_of(files, layout, files[0].said.decimal)
        layout = dataclasses.replace(layout, marks=marks.known)
        # fields whose column gets a bound only where max_error has its name; fields are matched to
        # columns by place, as the header may have a name twice, or none
        bounded_by_name_alone: Collection[int] = ()
        if schema is not None:
            names_in_schema = next(iter(files[0].batches())).names
            name_of_field = source_texts.names_by_field(files[0], names_in_schema, form.names)
            bounded_by_name_alone = places_of_names(schema, name_of_field)
        every_bound = source_texts.bounds_of(
            files, layout, max_error, form.names, bounded_by_name_alone
        )
        for name, bound in every_bound.items():
            if name not in marks.unclear:
                bounds[name] = bound
    # of large files each second piece, or third, and so on, rounded up so that MOST bytes are left
    step = max(1, -(-_bytes_of(files) // MOST))
    pieces = _in_larger_pieces(_records_of(files), PIECE)
    chosen_pieces = [piece for i, piece in enumerate(pieces) if i % step == 0]
    learned = shared.learn(
        b"".join(chosen_pieces),
        form.head,
        form.format,
        form.names,
        bounds,
        max_error,
        students,
        seed,
        marks.known,
    )
    if learned is not None:
        return shared.to_bytes(learned)
    return None


def _tables_of(source: TableSource) -> list[TableSource]:
    """The tables that a source reads one after the other, in order; itself if it is one table."""
    if isinstance(source, ChainSource):
        return [table for part in source.sources for table in _tables_of(part)]
    return [source]


def _files_of(source: TableSource) -> list[CsvSource]:
    """The files of text among the tables of a source, in order; [] if there is none."""
    return [table for table in _tables_of(source) if isinstance(table, CsvSource)]


def _bytes_of(files: Iterable[CsvSource]) -> int:
    """The bytes of files together, compressed ones as they are."""
    return sum(file.path.stat().st_size for file in files)


def _commonest_form(source: TableSource) -> Form:
    """The form of a source's files of text, at least one; of several the one that has most bytes,
    of as many the first. That tables are left out is said as a notice, with one of them."""
    by_form: dict[tuple[Json, ...], list[CsvSource]] = {}
    beginnings: dict[tuple[Json, ...], Counter[tuple[bytes, bytes]]] = {}
    for file in _files_of(source):
        head, names = source_texts.header_of(file)
        form = (tuple(names), file.dialect.rule, file.dialect.newline)
        by_form.setdefault(form, []).append(file)
        beginning = (head, canonical(file.format))
        beginnings.setdefault(form, Counter())[beginning] += 1
    # of equal ones max takes the first
    largest = max(by_form, key=lambda form: _bytes_of(by_form[form]))
    files = by_form[largest]
    _say_left_out(source, files)
    # what most files have need not be stored with each archive
    [((head, format_bytes), _)] = beginnings[largest].most_common(1)
    names, *_ = largest
    return Form(files, head, parse_canonical(format_bytes), names)


def _say_left_out(source: TableSource, files: Sequence[CsvSource]) -> None:
    """Say as a notice how many of a source's tables are not among the files that are learned from,
    the first of them, and why; nothing if all are."""
    tables = _tables_of(source)
    others = [table for table in tables if table not in files]
    if not others:
        return
    why = "is no table in text"
    if isinstance(others[0], CsvSource):
        why = "has its columns in another order, or is written in another way"
    notices.say(
        source.name,
        f"what archives of small files share is learned from {len(files):,} of {len(tables):,} "
        f"tables: {others[0].name} {why}",
    )


def _records_of(files: Iterable[CsvSource]) -> Iterator[bytes]:
    """Yield the records of files of one form, in pieces of whole ones, as they would stand in one
    file: each has a line end."""
    for file in files:
        pieces = source_texts.pieces_of(file, PIECE)
        # the first is what stands above the records
        next(pieces)
        for piece in pieces:
            # at the end of a file it may be missing
            ends = piece.endswith(LINE_END)
            yield piece if ends else piece + file.dialect.newline.encode()


def _in_larger_pieces(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield pieces put together, as many as have at most `size` bytes, or a longer one by itself:
    small files count as if they were one large one."""
    waiting: list[bytes] = []
    count = 0
    for piece in pieces:
        if waiting and count + len(piece) > size:
            yield b"".join(waiting)
            waiting = []
            count = 0
        waiting.append(piece)
        count += len(piece)
    if waiting:
        yield b"".join(waiting)
