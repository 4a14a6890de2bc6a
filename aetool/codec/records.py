"""Records of text to blocks and back: byte for byte, or numbers within a bound."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

import numpy as np

from aetool.canonical import Json
from aetool.codec import (
    blobs,
    blocks,
    plain,
    planning,
    ranks,
    spans,
    stages,
    students,
    text_decoding,
    text_rounding,
    textual,
    ways,
    weaving,
)
from aetool.codec.blocks import NO_HINTS, Block
from aetool.codec.columns import Coded, bytes_column
from aetool.codec.limits import MAX_CELLS
from aetool.codec.metas import BytesMeta
from aetool.codec.planning import Hints
from aetool.codec.shared import Shared
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
WORKERS = 2


@dataclass(frozen=True, eq=False)
class Encoded:
    """A block ready to be written. rows: how many records it has; content: the digest of what it
    holds; payload: its bytes; hints: for the next block. errors: by column the largest error, in
    the column's units; squares: by column the sum of squared errors. restored: the text that
    decoding will give, where numbers were rounded; else b""."""

    rows: int
    content: bytes
    payload: bytes
    hints: Hints
    errors: dict[str, float] = field(default_factory=dict)
    restored: bytes = b""
    squares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Layout:
    """How pieces of text are coded. rule: how records are cut into fields; names: of the columns.
    bounds: by column the largest error allowed, in the column's unit. shared: a model's knowledge
    of just these columns; None without. students: networks that the archive carries. exact: whether
    the restored bytes are to be the source's."""

    rule: Rule
    names: Sequence[str]
    effort: planning.Effort = planning.DEFAULT
    bounds: Mapping[str, Fraction] = field(default_factory=dict)
    shared: Shared | None = None
    students: Students | None = None
    exact: bool = True

    @property
    def line_end(self) -> str:
        """The line end of records in a block that stores none: the shared model's, else a line
        feed."""
        if self.shared:
            return str(self.shared.format["newline"])
        return "\n"


def encode(piece: bytes, layout: Layout, hints: Hints = NO_HINTS) -> list[Encoded]:
    """Encode a piece of text, whole records, as one block, or as several if its records are too
    many, or differ in their number of fields. Where they differ a piece is one text, if that takes
    fewer bytes than its regular parts apart."""
    cells = fields(piece, layout.rule)
    if cells.columns == len(layout.names) or not layout.exact:
        return _in_parts(piece, layout, hints, cells)
    whole = _as_it_is(piece, cells, layout)
    is_regular = cells.width == len(layout.names)
    if int(is_regular.sum()) < LEAST_REGULAR * len(cells):
        return [whole]
    parts = _in_parts(piece, layout, hints, cells)
    if len(whole.payload) <= sum(len(part.payload) for part in parts):
        return [whole]
    return parts


def _as_it_is(piece: bytes, cells: Fields, layout: Layout) -> Encoded:
    """Store a piece of text in a block as one compressed text, not by columns. cells: its fields,
    by which its records are counted."""
    quick = layout.effort.quick
    promising = plain.promising(piece, len(piece), quick)
    if len(piece) <= LONGEST_MIXED and not quick:
        # no columns are smaller: mixing has nothing to be in vain for
        promising = (*promising, stages.MIXED)
    squeezed = plain.packed(piece, len(piece), quick, promising) or blobs.pack(piece)
    return _as_bytes(squeezed, cells, layout)


def _in_parts(piece: bytes, layout: Layout, hints: Hints, cells: Fields) -> list[Encoded]:
    """Encode a piece of text as one block, or cut in two as long as its records differ in their
    number of fields, or are too many. cells: of the piece."""
    too_many = (cells.columns + 1) * len(cells) > MAX_CELLS  # one column may be of line ends
    if too_many or cells.columns != len(layout.names):
        middle = _middle(cells)
        if not middle:
            return [_as_it_is(piece, cells, layout)]
        halves = [piece[:middle], piece[middle:]]
        return [
            encoded
            for half in halves
            for encoded in _in_parts(half, layout, hints, fields(half, layout.rule))
        ]
    words, tails = _line_ends(cells, layout)
    coded = _columns(cells, layout, apart="own" in words) + tails
    encoded = _block(coded, len(cells), words, layout, hints)
    errors: dict[str, float] = {}
    squares: dict[str, float] = {}
    for name, column in zip(layout.names, coded, strict=False):  # but for the tails
        if column.error:
            errors[name] = column.error
        if column.square:
            squares[name] = column.square
    encoded = dataclasses.replace(encoded, errors=errors, squares=squares)
    # within bounds the text may be squeezed as it is, too, and then has no error
    texts = [piece] if layout.exact else [encoded.restored, piece]
    # a text repeats itself where the one that is restored of it does: one look is for both
    promising = plain.promising(texts[0], len(encoded.payload), layout.effort.quick)
    for text in texts:
        whole = plain.packed(text, len(encoded.payload), layout.effort.quick, promising)
        if whole is None:
            continue
        alone = _as_bytes(whole, cells, layout)
        # the plans that were found still are hints for the block after this one
        encoded = dataclasses.replace(alone, hints=encoded.hints)
        if text is not piece:
            encoded = dataclasses.replace(encoded, errors=errors, squares=squares)
    return [encoded]


def _as_bytes(whole: bytes, cells: Fields, layout: Layout) -> Encoded:
    """Encode a block whose one column is its text. whole: the text, compressed."""
    coded = [bytes_column(whole)]
    alone: Words = {"own": 1} if layout.shared else {}
    usual = cells.usual_end("\n")
    if usual != "\n":  # columns that are taken out of it end as its records do
        alone["e"] = usual
    return _block(coded, len(cells), alone, layout, NO_HINTS)


def _line_ends(cells: Fields, layout: Layout) -> tuple[Words, list[Coded]]:
    """(JSON of the block on its line ends, [a column of the line ends] if they differ between
    records, else []).

    "e": the usual line end, if it is not the layout's; "l": what follows the last record, if it is
    not the usual end; "t": the last column is what follows each record.
    """
    start, stop = cells.tails()
    last = cells.text[start[-1] : stop[-1]].decode()
    usual = cells.usual_end(layout.line_end)
    words: Words = {} if usual == layout.line_end else {"e": usual}
    if cells.ends or len(cells) == 1:
        if last != usual:
            words["l"] = last
        return words, []
    if layout.shared is not None:
        words["own"] = 1
    # kept like any column of text: where line ends differ they mostly do so in stretches
    tails = textual.encode(np.frombuffer(cells.text, np.uint8), start, stop)
    return {**words, "t": 1}, [tails]


def _columns(cells: Fields, layout: Layout, apart: bool = False) -> list[Coded]:
    """Encode each column of the cells: for each one the encoding by `textual.encode`, with other
    ways to store it beside. apart: do not use the shared model's metas."""
    width = cells.columns
    text = np.frombuffer(cells.text, np.uint8)

    def column(j: int) -> Coded:
        foreseen = layout.shared.metas[j] if layout.shared and not apart else None
        spans_of = cells.start[j::width].copy(), cells.stop[j::width].copy()
        return textual.encode(text, *spans_of, foreseen, layout.bounds.get(layout.names[j]))

    columns = [column(j) for j in range(width)]
    if layout.shared is None:
        ways.offer(columns, layout.effort)
    return columns


def taught(piece: bytes, layout: Layout, times: float) -> tuple[Students, Hints] | None:
    """(students, hints for the first block) learned from a piece of text, whole records, for an
    archive `times` as long; None if records differ in their number of fields, or the students save
    fewer bytes than they take."""
    cells = fields(piece, layout.rule)
    if cells.columns != len(layout.names):
        return None
    coded = _columns(cells, layout)
    rows = len(cells)
    learned, hints = students.learn(coded, rows, layout.effort, times)
    if not learned.of:
        return None
    sizes = [
        len(blocks.encode(coded, rows, {}, layout.effort, h, students=s)[1])
        for h, s in ((NO_HINTS, None), (hints, learned))
    ]
    weight = len(students.to_bytes(learned))
    if times * (sizes[0] - sizes[1]) > weight:
        return (learned, hints)
    return None


def _block(coded: list[Coded], rows: int, words: Words, layout: Layout, hints: Hints) -> Encoded:
    shared = None if "own" in words else layout.shared
    taught_students = None if "own" in words else layout.students
    efforts = [layout.effort, planning.DEFAULT] if layout.effort.also_usual else [layout.effort]
    tries = [
        blocks.encode(
            coded, rows, words, effort, hints, shared, students=taught_students, watched=True
        )
        for effort in efforts
    ]
    content, payload, after = min(tries, key=lambda one: len(one[1]))
    restored = b""
    if not layout.exact:  # the digest of the whole is that of the text with its numbers rounded
        block = blocks.as_decoded(coded, rows, {"e": layout.line_end, **words})
        restored = decode(block, layout.rule, rows, slice(0, rows))
    return Encoded(rows, content, payload, after, {}, restored)


def _middle(cells: Fields) -> int:
    """The offset, near the middle of the text, at which a record begins and the text can be cut in
    two; 0 if the text is at most SMALLEST bytes, or one record."""
    if len(cells.text) <= SMALLEST or len(cells) < 2:
        return 0
    return int(cells.begin[len(cells) // 2])


def decode(
    content: Block,
    rule: Rule,
    rows: int,
    inside: slice,
    wanted: Sequence[int] | None = None,
) -> bytes:
    """The text, as bytes, of records `inside` (numbers within the block) of a decoded block of
    `rows` records. rule: how fields are written. wanted: the places of the columns to write; None:
    all, just as the source has them. ArchiveError where the block has not these."""
    columns = content.columns
    line_end = str(content.words.get("e", "\n"))
    if is_text(content):
        return _of_bytes(text_of(content), rule, rows, inside, wanted, line_end.encode())
    tails = None
    if content.words.get("t"):
        tails = text_decoding.decode(columns[-1])
        columns = columns[:-1]
    if not columns or (wanted is not None and max(wanted, default=0) >= len(columns)):
        raise ArchiveError("damaged: a block has not the columns that the header promises")
    chosen = columns if wanted is None else [columns[place] for place in wanted]
    cells = [ranks.cells_of(column) for column in chosen]
    if wanted is not None:  # each record then ends alike
        tails = weaving.alike(rows, line_end, line_end)
        cells = [weaving.visible(column, rule, len(cells)) for column in cells]
    elif tails is None:
        last_end = str(content.words.get("l", line_end))
        tails = weaving.alike(rows, line_end, last_end)
    if any(len(column.start) != rows for column in (*cells, tails)):
        raise ArchiveError("damaged: a column has not the records of its block")
    return weaving.woven(cells, tails, rule, inside)


def is_text(content: Block) -> bool:
    """Whether a block stores its records as one text, not column by column."""
    columns = content.columns
    return len(columns) == 1 and isinstance(columns[0].meta, BytesMeta)


def text_of(content: Block) -> bytes:
    """The text of a block of which `is_text` is true."""
    return blobs.unpack(content.columns[0].blobs[0])


def priced_text(content: Block) -> tuple[bytes, Float]:
    """(text, (bytes,) the bits that each of its bytes takes) of a block of which `is_text` is
    true."""
    return blobs.priced(content.columns[0].blobs[0])


def cells(content: Block, rule: Rule, columns: int, rows: Int) -> list[list[bytes]]:
    """For each column the cells of these records. rows: (n,), numbers of records within the block;
    columns: how many a record should have. If records of a text have another number of fields, one
    list of whole records. A column of line ends, where one is stored, comes last."""
    if not is_text(content):
        known = [ranks.cells_of(column) for column in content.columns]
        return [spans.cells_of(c.pool, c.start[rows], (c.start + c.length)[rows]) for c in known]
    text = text_of(content)
    cut = fields(text, rule)
    buffer = np.frombuffer(text, np.uint8)
    if cut.columns != columns:
        places = np.append(begins(text, rule), len(text)).astype(np.int64)
        return [spans.cells_of(buffer, places[rows], places[rows + 1])]
    by_column = []
    for place in range(columns):
        start = cut.start[place::columns]
        stop = cut.stop[place::columns]
        by_column.append(spans.cells_of(buffer, start[rows], stop[rows]))
    return by_column


def _of_bytes(
    piece: bytes,
    rule: Rule,
    rows: int,
    inside: slice,
    wanted: Sequence[int] | None,
    line_end: bytes,
) -> bytes:
    """The text of records `inside` of a block that stores them as the text `piece`. wanted: as of
    `decode`; each record then ends with line_end."""
    if wanted is None and inside == slice(0, rows):
        return piece
    places = [*begins(piece, rule).tolist(), len(piece)]
    if len(places) != rows + 1:
        raise ArchiveError("damaged: a block has not the records it claims")
    part = piece[places[inside.start] : places[inside.stop]]
    if wanted is None:
        return part
    return writing.selected(fields(part, rule), wanted, line_end)


def ranges(piece: bytes, layout: Layout, seen: dict[str, tuple[Fraction, Fraction]]) -> None:
    """Widen `seen`, (smallest, largest number) by column, in place to the numbers of a piece of
    text; a column without numbers is not added."""
    cells = fields(piece, layout.rule)
    if cells.columns != len(layout.names):
        middle = _middle(cells)
        if middle:
            ranges(piece[:middle], layout, seen)
            ranges(piece[middle:], layout, seen)
        return
    width = cells.columns
    text = np.frombuffer(piece, np.uint8)
    for j, name in enumerate(layout.names):
        extremes = text_rounding.ends(
            text, cells.start[j::width].copy(), cells.stop[j::width].copy()
        )
        if extremes is not None:
            low, high = seen.get(name, extremes)
            seen[name] = min(low, extremes[0]), max(high, extremes[1])


def ahead(function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
    """Yield function(item) for each item, in order; WORKERS threads compute a few results ahead.

    Close the generator where it may not be read to its end; results that are under way are then
    dropped.
    """
    pool = ThreadPoolExecutor(WORKERS)
    pending: list[Future[R]] = []
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > WORKERS:
                yield pending.pop(0).result()
        while pending:
            yield pending.pop(0).result()
    finally:
        for future in pending:
            future.cancel()
        # one that nobody closed is closed by the garbage collector in whatever thread it runs: a
        # thread of this pool cannot wait for itself, nor two pools for each other
        pool.shutdown(wait=False)
