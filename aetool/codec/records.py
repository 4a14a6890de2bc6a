"""Records of text to blocks and back: byte for byte, or numbers within a bound."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

import numpy as np

from aetool.canonical import Json
from aetool.codec import (
    blobs,
    blocks,
    number_cells,
    plain,
    planning,
    ranks,
    regimes,
    spans,
    students,
    text_decoding,
    textual,
    ways,
    weaving,
)
from aetool.codec.blocks import NO_HINTS, Block
from aetool.codec.columns import Coded, bytes_column
from aetool.codec.decimal_marks import MarkEvidence
from aetool.codec.limits import MAX_CELLS
from aetool.codec.metas import BytesMeta
from aetool.codec.planning import Hints
from aetool.codec.ranges import RangeEvidence
from aetool.codec.shared import Shared
from aetool.codec.spans import I32, Spans
from aetool.codec.students import Students
from aetool.csv import writing
from aetool.csv.fields import Fields, Rule, begins, fields
from aetool.errors import ArchiveError
from aetool.model import Float, Int

T = TypeVar("T")
R = TypeVar("R")
Words = dict[str, Json]  # what a block says of itself, for its JSON
SMALLEST = 1 << 16  # bytes: irregular text is cut in two until pieces are this small
LEAST_REGULAR = 0.5  # of the records have the usual number of fields, for parts to be worth a try
LONGEST_MIXED = 4 << 20  # bytes of irregular text; mixing takes seconds for each megabyte
MIXTURE_SAVES = 0.6  # of what other compressors leave of a text a mixture leaves at least
WORKERS = 2
# bytes, for each block more: of its head, and of a layout that one small block alone would not need
LEAST_SAVED = 256


@dataclass(frozen=True, eq=False)
class Encoded:
    """A block, some records in sequence, ready to be written.

    rows: how many records it has; content: the digest of what it holds; payload: its bytes; hints:
    for the next block. errors: by the column's name the largest error, in the column's unit;
    squares: by name the sum of squared errors; columns without error are in neither. restored: of
    text that is not to be exact, that which decoding will give; else b"".
    """

    rows: int
    content: bytes
    payload: bytes
    hints: Hints
    errors: dict[str, float] = field(default_factory=dict)
    restored: bytes = b""
    squares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Layout:
    """How pieces of the text of a table are coded.

    rule: how records are cut into fields; names: of the columns, no two equal. effort: how far
    plans are searched for. bounds: by name of a column the largest error allowed, in the column's
    unit; a column that is not in it is exact. shared: a model's knowledge of just these columns;
    None without. students: networks that the archive carries; None without. exact: whether the
    restored bytes are to be the source's. marks: by name the decimal mark, "." or ",", of columns
    whose own cells may be read with either; the cells of others tell it.
    """

    rule: Rule
    names: Sequence[str]
    effort: planning.Effort = planning.DEFAULT
    bounds: Mapping[str, Fraction] = field(default_factory=dict)
    shared: Shared | None = None
    students: Students | None = None
    exact: bool = True
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def line_end(self) -> str:
        """The line end of all records of a block that does not say another: the shared model's, or,
        without a model, a line feed."""
        if self.shared:
            return str(self.shared.format["newline"])
        return "\n"


def encode(piece: bytes, layout: Layout, hints: Hints = NO_HINTS) -> list[Encoded]:
    """Encode a piece of text, one record or more, none cut, as one block, or as several, in order,
    if its cells and line ends are more than MAX_CELLS (2^24), not all records have the layout's
    number of fields, or numbers begin to be written otherwise and that takes fewer bytes.

    If records differ in their number of fields and the layout is exact, the piece becomes one block
    that stores it as one text where less than half of them have the layout's number, or where that
    takes no more bytes than several blocks. hints: those of the Encoded before. DataError for a
    piece of 2^31 - 1 bytes or more.
    """
    cells = fields(piece, layout.rule)
    if cells.columns == len(layout.names) or not layout.exact:
        return _in_parts(piece, layout, hints, cells)
    # cut at every odd record, a text of many of them would become many small blocks
    is_regular = cells.width == len(layout.names)
    regular_records = int(is_regular.sum())
    if regular_records < LEAST_REGULAR * len(cells):
        return [_as_one_text(piece, cells, layout)]
    parts = _in_parts(piece, layout, hints, cells)
    size_of_parts = sum(len(part.payload) for part in parts)
    # a few odd records in a long table are no reason to wait for a mixture of all its text
    unmixed_text = _as_one_text(piece, cells, layout, mixes=False)
    if MIXTURE_SAVES * len(unmixed_text.payload) > size_of_parts:
        return parts
    one_text = _as_one_text(piece, cells, layout)
    if len(one_text.payload) <= size_of_parts:
        return [one_text]
    return parts


def _as_one_text(
    piece: bytes,
    cells: Fields,
    layout: Layout,
    mixes: bool = True,
) -> Encoded:
    """Store a piece of text in a block as one compressed text, not by columns, exactly: by the
    compressor that makes it smallest, and, if `mixes`, of at most LONGEST_MIXED (2^22) bytes also
    by a mixture of contexts, unless the effort is quick. cells: its fields, by which its records
    are counted; of the layout no bounds are read."""
    quick = layout.effort.quick
    promising = plain.promising(piece, len(piece), quick)
    if mixes and len(piece) <= LONGEST_MIXED and not quick:
        # no columns are smaller: mixing has nothing to be in vain for
        promising = (*promising, *plain.mixtures(piece))
    compressed = plain.packed(piece, len(piece), quick, promising)
    if compressed is None:
        compressed = blobs.pack(piece)
    return _block_of_text(compressed, cells, layout)


def _in_parts(
    piece: bytes,
    layout: Layout,
    hints: Hints,
    cells: Fields,
) -> list[Encoded]:
    """Encode a piece of text as one block, or cut in two as long as not all records have the
    layout's number of fields, or their cells and line ends are more than MAX_CELLS (2^24); of at
    most SMALLEST (2^16) bytes, or one record, such a piece is stored as one text. cells: the fields
    of the piece; hints: the plans of the block before."""
    # one column more may be of line ends
    too_many = (cells.columns + 1) * len(cells) > MAX_CELLS
    is_regular = cells.columns == len(layout.names)
    if is_regular and not too_many:
        return _by_regimes(piece, layout, hints, cells)
    middle = _middle(cells)
    if not middle:
        return [_as_one_text(piece, cells, layout)]
    encoded = []
    for half in (piece[:middle], piece[middle:]):
        cells_of_half = fields(half, layout.rule)
        encoded += _in_parts(half, layout, hints, cells_of_half)
    return encoded


def _by_regimes(
    piece: bytes,
    layout: Layout,
    hints: Hints,
    cells: Fields,
) -> list[Encoded]:
    """Encode a piece of text column by column as one block, or, where its numbers begin to be
    written otherwise, as one block for each way, if these take fewer bytes. cells: the fields of
    the piece, of which every record has as many as the layout has columns; hints: the plans of the
    block before."""
    whole = _as_columns(piece, layout, hints, cells)
    # knowledge from elsewhere is of all records
    if layout.shared is not None or layout.students is not None or layout.effort.quick:
        return [whole]
    first_records = regimes.cuts(cells)
    if not first_records:
        return [whole]
    begins = [0, *cells.begin[first_records].tolist(), len(piece)]
    parts = []
    for begin, end in itertools.pairwise(begins):
        part = piece[begin:end]
        # nothing of the block before is known to hold
        parts.append(_as_columns(part, layout, NO_HINTS, fields(part, layout.rule)))
    size_of_parts = sum(len(part.payload) for part in parts)
    if size_of_parts + LEAST_SAVED * len(first_records) < len(whole.payload):
        return parts
    return [whole]


def _as_columns(
    piece: bytes,
    layout: Layout,
    hints: Hints,
    cells: Fields,
) -> Encoded:
    """Encode a piece of text column by column, or as one compressed text if that takes fewer bytes;
    its hints are those of the columns even then. Where the layout is not exact, the text may be
    that with rounded numbers, or the source's. Its errors are those of columns within bounds, none
    if the source's text is stored. cells: the fields of the piece, of which every record has as
    many as the layout has columns; hints: the plans of the block before."""
    words, tails = line_ends(cells, layout)
    ways_known: Sequence[int] = ()
    # the ways of the block before are taken if it had as many columns, line ends among them
    if len(hints.ways) == len(layout.names) + len(tails):
        ways_known = hints.ways[: len(layout.names)]
    columns = coded_columns(cells, layout, ways_known, without_metas="own" in words)
    encoded = _block([*columns, *tails], len(cells), words, layout, hints)
    errors: dict[str, float] = {}
    squares: dict[str, float] = {}
    for name, column in zip(layout.names, columns, strict=True):
        if column.error:
            errors[name] = column.error
        if column.square:
            squares[name] = column.square
    encoded = dataclasses.replace(encoded, errors=errors, squares=squares)
    # within bounds the text may be squeezed as it is, too, and then has no error
    texts = [piece] if layout.exact else [encoded.restored, piece]
    quick = layout.effort.quick
    # a text repeats itself where the one that is restored of it does: one look is for both
    promising = plain.promising(texts[0], len(encoded.payload), quick)
    for text in texts:
        compressed = plain.packed(text, len(encoded.payload), quick, promising)
        if compressed is None:
            continue
        # columns are larger than what takes a moment: mixing, which takes longer, is not in vain
        if not quick and len(text) <= LONGEST_MIXED:
            mixed = plain.packed(text, len(compressed), quick, plain.mixtures(text))
            compressed = compressed if mixed is None else mixed
        one_text = _block_of_text(compressed, cells, layout)
        # the plans that were found still are hints for the block after this one
        encoded = dataclasses.replace(one_text, hints=encoded.hints)
        if text is not piece:
            encoded = dataclasses.replace(encoded, errors=errors, squares=squares)
    return encoded


def _block_of_text(compressed: bytes, cells: Fields, layout: Layout) -> Encoded:
    """Make a block that stores a text as one column of bytes. compressed: the text, packed as
    `blobs.pack` does it; cells: its fields, by which its records and their line end are known;
    layout: its effort, and the shared model, which the block then does not use."""
    words: Words = {}
    if layout.shared:
        # the block's columns are not those of the shared model
        words["own"] = 1
    usual = cells.usual_end("\n")
    # the line end of its records: columns that are read from the text are written with it
    if usual != "\n":
        words["e"] = usual
    column = bytes_column(compressed)
    return _block([column], len(cells), words, layout, NO_HINTS)


def line_ends(cells: Fields, layout: Layout) -> tuple[Words, list[Coded]]:
    """How a block stores the line ends of its records: (JSON by the letters below, [a column of the
    line ends] if they differ between records but the last, or blank lines follow one, else []).
    cells: the fields of the block, at least one record.

    "e": the line end of all records but the last, or, if these differ, of the last, if it is not
    the layout's; "l": what follows the last record, if it is another; "t": the last column is what
    follows each record; "own": the block's columns are not those of the shared model.
    """
    start, stop = cells.tails()
    last = cells.text[start[-1] : stop[-1]].decode()
    usual = cells.usual_end(layout.line_end)
    words: Words = {}
    if usual != layout.line_end:
        words["e"] = usual
    if cells.ends or len(cells) == 1:
        if last != usual:
            words["l"] = last
        return words, []
    if layout.shared is not None:
        words["own"] = 1
    words["t"] = 1
    # kept like any column of text: where line ends differ they mostly do so in stretches
    text = np.frombuffer(cells.text, np.uint8)
    tails = textual.encode(text, start, stop)
    return words, [tails]


def coded_columns(
    cells: Fields,
    layout: Layout,
    ways_known: Sequence[int] = (),
    without_metas: bool = False,
) -> list[Coded]:
    """Encode each column of a text, in order, by `textual.encode`, and, without a shared model, add
    the other ways to store it. ways_known: the ways that the block will take, as `ways.offer` takes
    them; () where they are not known. cells: the fields of the text, in each record as many as the
    layout has names. without_metas: do not keep to the metas of the shared model."""
    text = np.frombuffer(cells.text, np.uint8)
    columns = []
    for place, name in enumerate(layout.names):
        foreseen = None
        if layout.shared and not without_metas:
            foreseen = layout.shared.metas[place]
        start, stop = spans_of(cells, place)
        bound = layout.bounds.get(name)
        mark = layout.marks.get(name)
        columns.append(textual.encode(text, start, stop, foreseen, bound, mark))
    if layout.shared is None:
        ways.offer(columns, layout.effort, ways_known)
    return columns


def spans_of(cells: Fields, place: int) -> tuple[I32, I32]:
    """Where the cells of a column begin and end in their text, offsets, (records,) each. cells:
    fields, in each record as many; place: the number of the column, from 0."""
    # cells are in the order of the text: those of a column lie a record apart
    every = cells.columns
    start = cells.start[place::every]
    stop = cells.stop[place::every]
    return start.copy(), stop.copy()


def taught(piece: bytes, layout: Layout, times: float) -> tuple[Students, Hints] | None:
    """Train students, small networks that predict columns, on a piece of text, at least one record,
    and return them with hints: (the students, the hints for the first block of an archive of
    `times` as much text). None if not every record has the layout's number of fields, or the
    students save no more bytes than they take. BundleError for a network whose sums might grow too
    large to be exact."""
    cells = fields(piece, layout.rule)
    if cells.columns != len(layout.names):
        return None
    coded = coded_columns(cells, layout)
    rows = len(cells)
    effort = layout.effort
    learned, hints = students.learn(coded, rows, effort, times)
    if not learned.of:
        return None
    # the same block twice shows what the students save in each
    _, without, _ = blocks.encode(coded, rows, {}, effort, NO_HINTS)
    _, with_students, _ = blocks.encode(coded, rows, {}, effort, hints, students=learned)
    saved = len(without) - len(with_students)
    weight = len(students.to_bytes(learned))
    if times * saved > weight:
        return learned, hints
    return None


def _block(
    coded: list[Coded],
    rows: int,
    words: Words,
    layout: Layout,
    hints: Hints,
) -> Encoded:
    """Encode columns as a block, by the layout's effort; `restored`, the text that decoding gives,
    is there unless the layout is exact. rows: how many each column has; words: the block's JSON
    beside its columns, "own" in it where what a shared model knows, and students, the networks that
    predict columns, are not for these columns; hints: the plans of the block before."""
    shared = layout.shared
    taught_students = layout.students
    if "own" in words:
        shared = None
        taught_students = None
    content, payload, next_hints = blocks.encode(
        coded,
        rows,
        words,
        layout.effort,
        hints,
        shared,
        students=taught_students,
        watched=True,  # tells how many columns are done
    )
    restored = b""
    # the digest of the whole is that of the text with its numbers rounded
    if not layout.exact:
        words_of_text = {"e": layout.line_end, **words}
        block = blocks.as_decoded(coded, rows, words_of_text)
        restored = decode(block, layout.rule, rows, slice(0, rows))
    return Encoded(rows, content, payload, next_hints, restored=restored)


def _middle(cells: Fields) -> int:
    """The offset in bytes at which the middle one of the records begins, where the text can be cut
    in two; 0 if the text is at most SMALLEST (2^16) bytes, or one record."""
    if len(cells.text) <= SMALLEST or len(cells) < 2:
        return 0
    middle_record = len(cells) // 2
    return int(cells.begin[middle_record])


def decode(
    content: Block,
    rule: Rule,
    rows: int,
    inside: slice,
    column_places: Sequence[int] | None = None,
) -> bytes:
    """The text, as bytes, of records `inside` (a slice of numbers within the block, with start and
    stop, 0 .. rows, and no step) of a decoded block of `rows` records. rule: how fields are
    written. column_places: the places of the columns to write, at least one, in any order, each
    record then ending with the line end that the block names, or a line feed; None: all, just as
    the source has them. ArchiveError where the block has not these, or is damaged."""
    columns = content.columns
    line_end = str(content.words.get("e", "\n"))
    if is_text(content):
        text = text_of(content)
        return _records_of_text(text, rule, rows, inside, column_places, line_end.encode())
    tails = None
    # the last column is of line ends
    if content.words.get("t"):
        tails = text_decoding.decode(columns[-1])
        columns = columns[:-1]
    last_place = max(column_places or [], default=0)
    if not columns or last_place >= len(columns):
        raise ArchiveError("damaged: a block has not the columns that the header promises")
    if column_places is None:
        cells = [ranks.cells_of(column) for column in columns]
        if tails is None:
            last_end = str(content.words.get("l", line_end))
            tails = weaving.alike(rows, line_end, last_end)
    else:
        chosen = [ranks.cells_of(columns[place]) for place in column_places]
        cells = [weaving.visible(column, rule, len(chosen)) for column in chosen]
        # each record then ends alike
        tails = weaving.alike(rows, line_end, line_end)
    if any(len(column.start) != rows for column in (*cells, tails)):
        raise ArchiveError("damaged: a column has not the records of its block")
    return weaving.woven(cells, tails, rule, inside)


def is_text(content: Block) -> bool:
    """Whether a decoded block stores its records as one compressed text, not column by column."""
    columns = content.columns
    # a column of a table is of texts or numbers, never of bytes alone
    return len(columns) == 1 and isinstance(columns[0].meta, BytesMeta)


def text_of(content: Block) -> bytes:
    """The text, all records as bytes, of a block of which `is_text` is true; ArchiveError if it is
    damaged."""
    return blobs.unpack(content.columns[0].blobs[0])


def priced_text(content: Block) -> tuple[bytes, Float]:
    """Unpack the text of a block of which `is_text` is true, with what it takes: (text, (bytes,)
    float64: the bits that each of its bytes takes). ArchiveError if it is damaged."""
    return blobs.priced(content.columns[0].blobs[0])


def cells(
    content: Block,
    rule: Rule,
    columns: int,
    rows: Int,
) -> list[list[bytes]]:
    """For each column of a decoded block the cells of these records, in the order of `rows`, quotes
    included. rows: (n,), numbers of records within the block, from 0; columns: how many fields a
    record should have; rule: how a block of one text is cut into fields. If not all records of such
    a text have so many, a single list: each record as it is, with its line end. A column of line
    ends, where one is stored, comes last. ArchiveError where the block is damaged."""
    by_column = []
    if not is_text(content):
        for column in content.columns:
            chosen = ranks.cells_of(column).take(rows)
            by_column.append(chosen.bytes())
        return by_column
    text = text_of(content)
    buffer = np.frombuffer(text, np.uint8)
    cut = fields(text, rule)
    # some records have more fields or fewer: there are no columns to sort the cells into
    if cut.columns != columns:
        edges = np.append(begins(text, rule), len(text))
        records = spans.cells_of(buffer, edges[rows], edges[rows + 1])
        return [records]
    for place in range(columns):
        start, stop = spans_of(cut, place)
        by_column.append(spans.cells_of(buffer, start[rows], stop[rows]))
    return by_column


def numbers(
    content: Block,
    rule: Rule,
    columns: int,
    usual: str = ".",
) -> list[Float | None]:
    """The numbers of each column of a decoded block: (records,) float64 each, NaN where a cell is
    no number.

    There are as many as `cells` gives columns; of a block of one text whose records do not all have
    `columns` fields the list is [None]. rule: how a block of one text is cut into fields. usual:
    the decimal mark, "." or ",", of columns whose own cells do not tell it. ArchiveError where the
    block is damaged.
    """
    if not is_text(content):
        of_columns = [ranks.cells_of(column) for column in content.columns]
        return [number_cells.floats(cells, usual) for cells in of_columns]
    text = text_of(content)
    cut = fields(text, rule)
    if cut.columns != columns:
        return [None]
    pool = np.frombuffer(text, np.uint8)
    by_column: list[Float | None] = []
    for place in range(columns):
        start, stop = spans_of(cut, place)
        of_column = Spans(pool, start.astype(np.int64), stop - start)
        by_column.append(number_cells.floats(of_column, usual))
    return by_column


def _records_of_text(
    piece: bytes,
    rule: Rule,
    rows: int,
    inside: slice,
    column_places: Sequence[int] | None,
    line_end: bytes,
) -> bytes:
    """The text of records `inside` of a block of `rows` records that stores them as one text,
    piece. rule: how it is cut into fields. inside: a slice of numbers of records, from 0, with
    start and stop; column_places: the places of the columns to write, each record then ending with
    line_end; None: all. ArchiveError, unless all is asked for, if the piece has not `rows`
    records."""
    if column_places is None and inside == slice(0, rows):
        return piece
    edges = [*begins(piece, rule).tolist(), len(piece)]
    if len(edges) != rows + 1:
        raise ArchiveError("damaged: a block has not the records it claims")
    first = edges[inside.start]
    last = edges[inside.stop]
    part = piece[first:last]
    if column_places is None:
        return part
    cells = fields(part, rule)
    return writing.selected(cells, column_places, line_end)


def add_range_evidence(
    piece: bytes, layout: Layout, evidence_by_name: dict[str, RangeEvidence]
) -> None:
    """Add what the cells of a piece of text, of which no record is cut, say of the ranges of their
    columns to `evidence_by_name`, by the column's name, in place; names that are missing are put
    in. A column that is not of numbers in the piece says nothing; nor do parts of the piece, of at
    most SMALLEST (2^16) bytes, or one record, in which not every record has the layout's number of
    fields."""
    for name, column in _columns_of_parts(piece, layout):
        mark = layout.marks.get(name)
        start = column.start.astype(np.int32)
        of_part = RangeEvidence.of(column.pool, start, start + column.length, mark)
        evidence_by_name[name] = evidence_by_name.get(name, RangeEvidence()) + of_part


def add_mark_evidence(
    piece: bytes, layout: Layout, evidence_by_name: dict[str, MarkEvidence]
) -> None:
    """Add what the cells of a piece of text, of which no record is cut, say of the decimal marks of
    their columns to `evidence_by_name`, by the column's name, in place; names that are missing are
    put in. Parts of the piece, of at most SMALLEST (2^16) bytes, or one record, in which not every
    record has the layout's number of fields, say nothing."""
    for name, column in _columns_of_parts(piece, layout):
        of_part = MarkEvidence.of(column)
        evidence_by_name[name] = evidence_by_name.get(name, MarkEvidence()) + of_part


def _columns_of_parts(piece: bytes, layout: Layout) -> Iterator[tuple[str, Spans]]:
    """Yield (the name of a column, its cells in one part of the piece), for each regular part of
    the piece, see `_regular_parts`, and each of its columns, in order. piece: text of which no
    record is cut; layout: the names, and how the piece is cut into fields."""
    for cells in _regular_parts(piece, layout):
        text = np.frombuffer(cells.text, np.uint8)
        for place, name in enumerate(layout.names):
            start, stop = spans_of(cells, place)
            yield name, Spans(text, start.astype(np.int64), stop - start)


def _regular_parts(piece: bytes, layout: Layout) -> Iterator[Fields]:
    """Cut a piece of text, of which no record is cut, into parts in which every record has the
    layout's number of fields, and yield their fields. A part in which not every record has is cut
    in two, and so on, so that an odd record leaves out only the part that it is in; of at most
    SMALLEST (2^16) bytes, or one record, it is left out."""
    cells = fields(piece, layout.rule)
    if cells.columns == len(layout.names):
        yield cells
        return
    middle = _middle(cells)
    if middle:
        yield from _regular_parts(piece[:middle], layout)
        yield from _regular_parts(piece[middle:], layout)


def ahead(function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
    """Yield function(item) for each item, in order; a pool of WORKERS (2) threads computes two
    results ahead. What the function raises is raised where its result would come, and ends the
    generator. Items are read in the caller's thread, WORKERS ahead of what is yielded.

    Close the generator where it may not be read to its end; results that are under way are then
    dropped, without waiting for them.
    """
    pool = ThreadPoolExecutor(WORKERS)
    pending: list[Future[R]] = []
    try:
        for item in items:
            future = pool.submit(function, item)
            pending.append(future)
            if len(pending) > WORKERS:
                oldest = pending.pop(0)
                yield oldest.result()
        while pending:
            oldest = pending.pop(0)
            yield oldest.result()
    finally:
        for future in pending:
            future.cancel()
        # one that nobody closed is closed by the garbage collector in whatever thread it runs: a
        # thread of this pool cannot wait for itself, nor two pools for each other
        pool.shutdown(wait=False)
