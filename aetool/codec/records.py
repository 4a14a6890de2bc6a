"""Records of text to blocks and back: byte for byte, or numbers within a bound."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from aetool.codec import blobs, blocks, planning, spans, students, textual
from aetool.codec.blocks import NO_HINTS, Block
from aetool.codec.columns import Coded
from aetool.codec.limits import MAX_CELLS, check_text
from aetool.codec.planning import Hints
from aetool.codec.shared import Shared
from aetool.codec.students import Students
from aetool.errors import ArchiveError
from aetool.model import Int

T = TypeVar("T")
R = TypeVar("R")
SMALLEST = 1 << 16  # bytes: irregular text is cut in two until pieces are this small
WORKERS = 2


@dataclass(frozen=True, eq=False)
class Encoded:
    """A block ready to be written. hints: for the next; errors: largest by column; restored: its
    text, where that is not the source's; squares: sums of the squared errors by column."""

    rows: int
    content: bytes
    payload: bytes
    hints: Hints
    errors: dict[str, float] = field(default_factory=dict)
    restored: bytes = b""
    squares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Layout:
    """How pieces of text are coded. names: of the columns; bounds: the largest error allowed, by
    column, in its units; shared: statistics of a model, if its columns are these; students:
    that the archive carries; exact: whether the restored bytes are the source's."""

    delimiter: str
    names: Sequence[str]
    effort: planning.Effort = planning.DEFAULT
    bounds: Mapping[str, Fraction] = field(default_factory=dict)
    shared: Shared | None = None
    students: Students | None = None
    exact: bool = True

    @property
    def line_end(self) -> str:
        """What ends a record where a block does not say."""
        return str(self.shared.format["newline"]) if self.shared else "\n"


def encode(piece: bytes, layout: Layout, hints: Hints = NO_HINTS) -> list[Encoded]:
    """Blocks of whole records of text."""
    cut = spans.split(piece, ord(layout.delimiter))
    too_many = cut is not None and len(cut[0]) > MAX_CELLS and _middle(piece) > 0
    if cut is None or too_many or cut[2] != len(layout.names):
        middle = _middle(piece) if len(piece) > SMALLEST else 0
        if middle:
            return [
                *encode(piece[:middle], layout, hints),
                *encode(piece[middle:], layout, hints),
            ]
        coded = [Coded({"k": "bytes"}, [], [blobs.pack(piece)])]
        alone: dict[str, Any] = {"own": 1} if layout.shared else {}
        return [_block(coded, len(record_ends(piece)), alone, layout, NO_HINTS)]
    ends = "\r\n" if cut[3] else "\n"
    words = {} if ends == layout.line_end else {"e": ends}
    coded = _columns(piece, cut, layout)
    made = _block(coded, len(cut[0]) // cut[2], words, layout, hints)
    errors = {n: c.error for n, c in zip(layout.names, coded, strict=True) if c.error}
    squares = {n: c.square for n, c in zip(layout.names, coded, strict=True) if c.square}
    return [dataclasses.replace(made, errors=errors, squares=squares)]


def _columns(piece: bytes, cut: spans.Cut, layout: Layout) -> list[Coded]:
    start, stop, width, _ = cut
    text = np.frombuffer(piece, np.uint8)

    def column(j: int) -> Coded:
        given = layout.shared.metas[j] if layout.shared else None
        own = start[j::width].copy(), stop[j::width].copy()
        return textual.encode(text, *own, given, layout.bounds.get(layout.names[j]))

    return [column(j) for j in range(width)]


def taught(piece: bytes, layout: Layout, times: float) -> tuple[Students, Hints] | None:
    """Students from whole records of text, for an archive of `times` as many, and plans for its
    blocks; None where records are not regular, or an archive without them is smaller."""
    cut = spans.split(piece, ord(layout.delimiter))
    if cut is None or cut[2] != len(layout.names):
        return None
    coded, rows = _columns(piece, cut, layout), len(cut[0]) // cut[2]
    made, hints = students.learn(coded, rows, layout.effort, times)
    if not made.of:
        return None
    sizes = [
        len(blocks.encode(coded, rows, {}, layout.effort, h, students=s)[1])
        for h, s in ((NO_HINTS, None), (hints, made))
    ]
    weight = len(students.to_bytes(made))
    return (made, hints) if times * (sizes[0] - sizes[1]) > weight else None


def _block(
    coded: list[Coded], rows: int, words: dict[str, Any], layout: Layout, hints: Hints
) -> Encoded:
    shared = None if "own" in words else layout.shared
    given = None if "own" in words else layout.students
    content, payload, after = blocks.encode(
        coded, rows, words, layout.effort, hints, shared, students=given
    )
    restored = b""
    if not layout.exact:  # the digest of the whole is that of the text with its numbers rounded
        block = blocks.as_decoded(coded, rows, words)
        restored = decode(block, layout.delimiter, rows, slice(0, rows))
    return Encoded(rows, content, payload, after, {}, restored)


def _middle(piece: bytes) -> int:
    """Where a record ends near the middle; 0 if there is but one."""
    ends = record_ends(piece)
    return int(ends[len(ends) // 2 - 1]) if len(ends) > 1 else 0


def record_ends(piece: bytes) -> Int:
    """Positions after each record's last byte; a quote counts wherever it stands."""
    data = np.frombuffer(piece, np.uint8)
    inside = np.cumsum(data == spans.QUOTE) & 1
    ends = np.flatnonzero((data == spans.LF) & (inside == 0)) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    return ends


def decode(
    content: Block, delimiter: str, rows: int, inside: slice, wanted: Sequence[int] | None = None
) -> bytes:
    """The bytes of records `inside` of a block; wanted: of these columns only."""
    held = content.columns
    if len(held) == 1 and held[0].meta["k"] == "bytes":
        if wanted is not None:
            raise ArchiveError("its records are not regular: columns cannot be told apart")
        piece = blobs.unpack(held[0].blobs[0])
        if inside == slice(0, rows):
            return piece
        edges = [0, *record_ends(piece).tolist()]
        if len(edges) != rows + 1:
            raise ArchiveError("damaged: a block has not the records it claims")
        return piece[edges[inside.start] : edges[inside.stop]]
    if not held or (wanted is not None and max(wanted, default=0) >= len(held)):
        raise ArchiveError("damaged: a block has not the columns that the header promises")
    if wanted is not None:
        held = [held[j] for j in wanted]
    ends = str(content.words.get("e", "\n")).encode()
    first, last, _ = inside.indices(rows)
    pools = [np.frombuffer(delimiter.encode() + ends, np.uint8)]
    at = len(pools[0])
    size = np.empty((last - first, len(held), 2), np.int32)
    start = np.empty((last - first, len(held), 2), np.int64)
    size[:, :, 1], start[:, :, 1] = len(delimiter.encode()), 0
    size[:, -1, 1], start[:, -1, 1] = len(ends), len(delimiter.encode())
    for j, column in enumerate(held):
        found = textual.decode(column)
        if len(found.start) != rows:
            raise ArchiveError("damaged: a column has not the records of its block")
        size[:, j, 0], start[:, j, 0] = found.length[inside], found.start[inside] + at
        pools.append(found.pool)
        at += len(found.pool)
    check_text(int(size.sum(dtype=np.int64)))
    pool = np.concatenate(pools)
    return spans.weave(pool, start.reshape(-1), size.reshape(-1)).tobytes()


def ranges(piece: bytes, layout: Layout, seen: dict[str, tuple[Fraction, Fraction]]) -> None:
    """Widens `seen`, the smallest and largest number of each column, by a piece of text."""
    cut = spans.split(piece, ord(layout.delimiter))
    if cut is None or cut[2] != len(layout.names):
        middle = _middle(piece) if len(piece) > SMALLEST else 0
        if middle:
            ranges(piece[:middle], layout, seen)
            ranges(piece[middle:], layout, seen)
        return
    start, stop, width, _ = cut
    text = np.frombuffer(piece, np.uint8)
    for j, name in enumerate(layout.names):
        found = textual.ends(text, start[j::width].copy(), stop[j::width].copy())
        if found is not None:
            low, high = seen.get(name, found)
            seen[name] = min(low, found[0]), max(high, found[1])


def ahead(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """function(item) for each item, in order, computed by a few threads ahead of the reader."""
    with ThreadPoolExecutor(WORKERS) as pool:
        held: list[Future[R]] = []
        try:
            for item in items:
                held.append(pool.submit(function, item))
                if len(held) > WORKERS:
                    yield held.pop(0).result()
            while held:
                yield held.pop(0).result()
        finally:
            for left in held:
                left.cancel()
