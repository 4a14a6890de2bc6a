"""Columns of a block to a payload and back.

    payload = varint n | n bytes: what to know, JSON | lengths of parts | parts

The JSON has for each column its meta and for each stream of whole numbers its plan; null where the
shared model's is used. A column's parts are its blobs, then its streams; the streams of a block of
few rows are joined into one, the last part. Lengths: a bit for each part, whether it has any bytes,
then a varint for each that has.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.canonical import Json, canonical
from aetool.codec import columns, floats, integers, metas, picture_blobs, planning
from aetool.codec import ledger as ledgers
from aetool.codec.alike import AlikeColumns
from aetool.codec.blobs import read_varint, varint
from aetool.codec.columns import Book, Coded, Decoded
from aetool.codec.container.digests import digest
from aetool.codec.integers import Known, Stream
from aetool.codec.ledger import Ledger
from aetool.codec.limits import check_cells
from aetool.codec.metas import (
    MOST_DECIMALS,
    OWN_BOOK,
    Meta,
    NumberedMeta,
    PixelsMeta,
    RankMeta,
    WholeMeta,
)
from aetool.codec.picture_models import PictureModel
from aetool.codec.plans import OtherSymbol, Plan, Transform, Unchanged, Verdict
from aetool.codec.shared import Shared
from aetool.codec.students import Students
from aetool.codec.words import deflate, inflate
from aetool.errors import ArchiveError
from aetool.model import Int

NO_HINTS = planning.Hints()
# The description that is not written: of a block that is one run of bytes.
PLAIN_BYTES: dict[str, Json] = {"columns": [{"k": "bytes"}], "plans": []}
JOINED = planning.SMALL_BLOCK
NAMES = {
    Transform.DIFFERENCE: "difference",
    Transform.GROUPED: "group",
    Transform.KEYED: "key",
    Transform.COLUMN: "column",
    Transform.SECOND: "second difference",
    Transform.LINEAR: "combination",
    Transform.LINEAR_DIFFERENCE: "combination",
}
DOUBTFUL = 0.05  # of a block must combinations save to be taken without a look at it without them
WORTH = 0.97  # of the bits must another way to store a column take: others may look at its numbers


@dataclass(eq=False)
class Block:
    """A decoded block. words: what its JSON says beside columns. rows: how many records it has;
    first: the place of the first of them in the archive. content: the digest of what it holds.

    sizes: for each column the bytes of its parts by coder. joined: bytes of all streams together,
    in a small block; else 0.
    """

    words: dict[str, Json]
    columns: list[Decoded]
    rows: int = 0
    first: int = 0
    content: bytes = b""  # the digest of what it holds
    sizes: list[dict[str, int]] = field(default_factory=list)
    joined: int = 0  # bytes of all streams, where they are joined


def encode(
    coded: Sequence[Coded],
    rows: int,
    words: dict[str, Json],
    effort: planning.Effort,
    hints: planning.Hints = NO_HINTS,
    shared: Shared | None = None,
    period: int = 0,
    students: Students | None = None,
) -> tuple[bytes, bytes, planning.Hints]:
    """Encode the columns of a block; returns (digest of the content, payload, hints for the next
    block). words: JSON to store beside the columns.

    period: at what distance columns are alike, so that most take over a plan from there; 0: none
    are. students: the networks that the archive carries; a shared model has its own, which are used
    instead.
    """
    coding = _encoded(coded, rows, words, effort, hints, shared, period, students)
    if coding.is_doubtful:
        # the columns after a combined one look at what is left of it: no search of one sees that
        plainer = dataclasses.replace(effort, combinations=False)
        other = _encoded(coded, rows, words, plainer, hints, shared, period, students)
        if len(other.payload) < len(coding.payload):
            coding = other
    return coding.content, coding.payload, coding.hints


@dataclass(frozen=True, eq=False)
class _Coding:
    """A block's coding, as `encode` has it. is_doubtful: whether its combinations of columns save
    so little, by what their search saw, that the block may be smaller without them."""

    content: bytes
    payload: bytes
    hints: planning.Hints
    is_doubtful: bool


def _encoded(
    coded: Sequence[Coded],
    rows: int,
    words: dict[str, Json],
    effort: planning.Effort,
    hints: planning.Hints,
    shared: Shared | None,
    period: int,
    students: Students | None,
) -> _Coding:
    """Encode the columns of a block as `encode` says, once, with combinations of columns if the
    effort has them."""
    students = shared.students if shared else students
    students = students.by_reference() if students else None  # decoding then compares the floats
    # what a model knows, and what its students see, are columns as they are at first sight
    may_choose = shared is None and students is None
    ways = hints.ways if len(hints.ways) == len(coded) and may_choose else ()
    likely = list(coded)
    if ways:
        likely = [_in_way(column, way) for column, way in zip(coded, ways, strict=True)]
    shape = tuple(len(column.streams) for column in likely)
    before = hints.moved(shape) if effort.reuse or hints.shape == shape else ()
    encoder = _Encoder(rows, effort, before, shared, period, students)
    own_metas: list[Json] = []
    taken: list[Coded] = []
    for place, column in enumerate(coded):
        chosen = likely[place]
        plans_of = list[Plan]()
        if may_choose and not ways:
            chosen, plans_of = encoder.cheapest(column)
        meta, column_blobs = encoder.owned(chosen, place)
        taken.append(chosen)
        foreseen = shared is not None and shared.metas[place] == meta
        own_metas.append(None if foreseen else meta.to_json())
        encoder.parts += column_blobs
        encoder.content += [digest(b) for b in chosen.contents or column_blobs]
        for stream, plan in itertools.zip_longest(chosen.streams, plans_of):
            encoder.add(stream, foreseen, plan)
    shape = tuple(len(column.streams) for column in taken)
    ways = tuple(
        [column, *column.others].index(one) for column, one in zip(coded, taken, strict=True)
    )
    plans = [None if plan is None else plan.to_json() for plan in encoder.stored]
    if any(part is not None for part in [*own_metas, *plans]) or words or shared is None:
        words = {**words, "columns": own_metas, "plans": plans}
    is_told = words and (shared is not None or words != PLAIN_BYTES)
    head = deflate(words) if is_told else b""
    parts = encoder.all_parts()
    some = np.packbits(np.array([len(p) > 0 for p in parts], np.bool_)).tobytes()
    sizes = [len(part) for part in parts if part]
    # the last part ends with the payload
    lengths = some + b"".join(varint(size) for size in sizes[:-1])
    payload = varint(len(head)) + head + lengths + b"".join(parts)
    # plans that were taken over have been judged in the block before
    combines = not before and any(plan is not None and plan.asks_others for plan in encoder.stored)
    saved = encoder.planner.promised / 8
    small = encoder.joined or saved < DOUBTFUL * len(payload)
    after = planning.Hints(shape, encoder.plans, ways)
    return _Coding(digest(b"".join(encoder.content)), payload, after, combines and small)


def _in_way(column: Coded, way: int) -> Coded:
    """One of the encodings of a column: the first for way 0, others[way - 1] for another; the first
    if there is no such."""
    ways = [column, *column.others]
    return ways[way] if way < len(ways) else column


def as_decoded(coded: Sequence[Coded], rows: int, words: dict[str, Json]) -> Block:
    """The block that decoding would return for these columns, without encoding them."""
    return Block(dict(words), [_decoded(column, rows) for column in coded], rows)


def _decoded(column: Coded, rows: int) -> Decoded:
    meta = column.meta
    streams = iter(column.streams)
    kinds = next(streams).values if meta.kinds > 1 else np.zeros(rows, np.int64)
    values = next(streams).values if meta.valued else np.zeros(0, np.int64)
    raws = next(streams).values if meta.has_raws else np.zeros(0, np.int64)
    return Decoded(column.meta, kinds, values, raws, column.blobs)


class _Encoder:
    """Encodes the streams of a block, one after the other, and collects the parts of its
    payload."""

    def __init__(
        self,
        rows: int,
        effort: planning.Effort,
        hints: Sequence[Plan | None],
        shared: Shared | None,
        period: int,
        students: Students | None,
    ) -> None:
        self.known = Known(rows, predict=students.predict if students else None)
        self.planner = planning.Planner(self.known, effort, hints)
        self.shared = shared
        self.alike = AlikeColumns(period) if period and not hints else None
        self.joined = rows <= JOINED
        self.plans: list[Plan] = []
        self.stored: list[Plan | None] = []  # None: the shared model's
        self.parts: list[bytes] = []
        self.content: list[bytes] = []
        self.small: list[integers.Pushed] = []
        self.marks: dict[int, int] = {}
        self.owners: dict[int, int] = {}  # of books, by their identity: the place of a column

    def cheapest(self, column: Coded) -> tuple[Coded, list[Plan]]:
        """(the encoding of the column that takes fewest bits, the plans of its streams as they were
        found on the way). No plans, an empty list, of a column that has no other encoding."""
        if not column.others:
            return column, []
        least = np.inf
        taken = column
        plans = list[Plan]()
        for one in (column, *column.others):
            worth = least if one is column else WORTH * least
            if self._bits_of_blobs(one) >= worth:
                continue
            bits, plans_of_one = self._tried(one)
            if bits < worth:
                least = bits
                taken = one
                plans = plans_of_one
        return taken, plans

    def _bits_of_blobs(self, column: Coded) -> float:
        """Bits of a column's description and blobs. Of a dictionary that no column before refers
        to, the column's share is added; of any other, nothing."""
        book = column.book
        bits = 8.0 * (len(deflate(column.meta.to_json())) + sum(map(len, column.blobs)))
        if book is None or id(book) in self.owners:
            return bits
        return bits + 8.0 * len(book.blob) * column.share

    def _tried(self, column: Coded) -> tuple[float, list[Plan]]:
        """(the bits that the column would take next, the plans of its streams); the encoder stays
        as it is."""
        bits = self._bits_of_blobs(column)
        known = self.known.copy()
        planner = planning.Planner(known, self.planner.effort)
        plans: list[Plan] = []
        for stream in column.streams:
            plan = planner.plan(stream, len(known.values))
            if self.joined:
                plan = planner.small(plan)
            plans.append(plan)
            bits += 8.0 * len(deflate(plan.to_json()))
            symbols = integers.symbols_of(plan, integers.residuals(plan, stream, known))
            if plan.packed is not None:
                bits += 8.0 * len(stream.squeezed)
            elif len(stream.values):
                bits += planning.bits_of(plan, stream, known)
            known.add(stream, symbols, plan.alphabet)
        return bits, plans

    def owned(self, column: Coded, place: int) -> tuple[Meta, list[bytes]]:
        """(the column's meta, its blobs) as they are stored. place: the column's. A dictionary that
        several columns use is among the blobs of the first of them; metas of the others name that
        column's place."""
        book = column.book
        if book is None:
            return column.meta, column.blobs
        owner = self.owners.setdefault(id(book), place)
        if isinstance(column.meta, NumberedMeta):
            where = OWN_BOOK if owner == place else owner
            return dataclasses.replace(column.meta, book=where), [book.blob] * (owner == place)
        assert isinstance(column.meta, RankMeta)
        if owner == place:
            return column.meta, [book.blob]
        return dataclasses.replace(column.meta, of=owner), []

    def add(self, stream: Stream, foreseen: bool, chosen: Plan | None = None) -> None:
        """Encode the next stream of the block. foreseen: whether its column's meta is the one the
        shared model has; chosen: the stream's plan, where it was found before."""
        self.content.append(_digest(stream.values))
        number = len(self.plans)
        shared = self.shared
        from_model = None
        if shared:
            from_model = shared.plan(number, stream, self.known, foreseen, self.planner)
        plan, prime = from_model or (chosen or self._planned(stream, number), None)
        if self.joined:  # it may be taken over from a larger block
            plan = self.planner.small(plan)
        self.stored.append(None if from_model else plan)
        self.plans.append(plan)
        if not self.joined:
            self.parts.append(integers.encode(plan, stream, self.known, prime))
            return
        if shared and from_model and number < len(shared.stillness):
            self.marks[number] = integers.stillness(stream.values, shared.usual[number])
        if shared and self.marks.get(number):
            self.small.append(integers.still(plan, stream, self.known, shared.usual[number]))
        else:
            self.small.append(integers.forward(plan, stream, self.known, prime))

    def _planned(self, stream: Stream, number: int) -> Plan:
        if self.alike is None:
            return self.planner.plan(stream, number)
        like = self.alike.offered(self.plans)
        plan = self.planner.plan(stream, number, like)
        if like is None:
            self.alike.found(self.plans, plan)
        return plan

    def all_parts(self) -> list[bytes]:
        """The parts of the payload, in order; of a small block all streams are one part, the
        last."""
        if not self.small:
            return self.parts
        marks = self.marks
        if marks and self.shared:
            first = integers.marked([*marks.values()], [*marks], self.shared.stillness)
            self.small.insert(0, first)
        return [*self.parts, integers.joined(self.small)]


def _digest(values: Int) -> bytes:
    return digest(np.ascontiguousarray(values, "<i8").data)


def decode(
    payload: bytes,
    rows: int,
    content: bytes | None,
    shared: Shared | None = None,
    students: Students | None = None,
    count: bool = False,
    pictures: PictureModel | None = None,
    ledger: Ledger | None = None,
) -> Block:
    """Decode the columns of a payload; ArchiveError unless it is whole and its digest is `content`
    (None: not compared here; whoever restores more of the archive compares that).

    shared: what the archive's model knows of columns. students: the networks that predict columns;
    None: those of shared. count: compute the digest even where it is not compared. pictures: what
    the model of an archive of pictures has learned. ledger: collects the bits of each cell.
    """
    with columns.sensible():
        students = shared.students if shared and students is None else students
        compare = count or content is not None
        decoder = _Decoder(payload, rows, compare, shared, students, pictures, ledger)
        block = decoder.run()
        block.content = digest(b"".join(decoder.digests))
        if content is not None and block.content != content:
            raise ArchiveError("damaged: a block decodes to something else than was stored")
        return block


class _Decoder:
    """Decodes the columns of one block, one after the other. compare: whether to compute the
    digests of all its parts."""

    def __init__(
        self,
        payload: bytes,
        rows: int,
        compare: bool,
        shared: Shared | None,
        students: Students | None,
        pictures: PictureModel | None,
        ledger: Ledger | None,
    ) -> None:
        self.payload = payload
        self.compare = compare
        self.shared = shared
        self.pictures = pictures
        self.records = rows
        self.ledger = ledger
        words, self.at = _words(payload)
        if ledger is not None and words:
            ledger.bits_a_letter = 8 * self.at / len(canonical(words))
        if not words and shared is None:
            words = dict(PLAIN_BYTES)
        if "shape" in words:  # of pictures: a column holds a row of pixels of each
            rows *= int(words["shape"][2])
        if "each" in words:  # of arrays: a column holds several values of each row
            rows *= int(words["each"])
        if shared is not None:
            words.setdefault("e", shared.format["newline"])
        own_metas = words.pop("columns", shared.nothing if shared else None)
        check_cells(rows, len(own_metas))
        stored = words.pop("plans", None)
        self.stored = None if stored is None else [_plan_or_none(plan) for plan in stored]
        self.out = Block(words, [], rows)
        self.rows = rows
        self.number = 0
        self.known = Known(rows, predict=students.predict if students else None)
        self.digests: list[bytes] = []
        self.books: dict[int, Int] = {}  # by the place of the column that has it
        self.cell_books: dict[int, Book] = {}
        self.metas = metas.all_from_json(own_metas, shared.metas if shared else ())

    def run(self) -> Block:
        """Decode all columns; returns the block."""
        streams = sum(meta.streams for meta in self.metas)
        small = self.rows <= JOINED and streams > 0
        count = sum(meta.blobs for meta in self.metas) + (1 if small else streams)
        lengths, self.at = _lengths(self.payload, self.at, count)
        self.sizes = iter(lengths)
        if self.ledger is not None:
            self.ledger.close(self.at, ledgers.PLANS)
        self.joined: integers.Joined | None = None
        self.marks: dict[int, int] = {}
        if small:
            self.joined = integers.Joined(self.payload[len(self.payload) - lengths[-1] :])
            self.out.joined = lengths[-1]
            if self.shared is not None:
                foreseen = min(streams, len(self.shared.stillness))
                numbers = [i for i in range(foreseen) if self._plan(i) is None]
                if numbers:
                    self.marks = self.joined.marks(numbers, self.shared.stillness)
        for meta in self.metas:
            self._column(meta)
        if self.joined is not None:
            self.joined.finish()
        if self.ledger is not None:
            self.ledger.close(self.out.joined)
        return self.out

    def _column(self, meta: Meta) -> None:
        rows = self.rows
        sizes = {}
        blobs = [self._part() for _ in range(meta.blobs)]
        if self.ledger is not None:
            self.ledger.begin_column(rows, blobs)
            # who knows what they hold shares them later
            self.ledger.overhead[ledgers.CODERS] += 8 * sum(map(len, blobs))
        if blobs:
            sizes["pixels" if isinstance(meta, PixelsMeta) else "text"] = sum(map(len, blobs))
        if isinstance(meta, PixelsMeta):
            blobs = [self._pixels(blobs[0], meta)]
        if self.compare:
            self.digests += [digest(b) for b in blobs]
        kinds = np.zeros(rows, np.int64)
        values = np.zeros(0, np.int64)
        raws = np.zeros(0, np.int64)
        if meta.kinds > 1:
            kinds = self._stream(None, rows, sizes)
        if meta.valued:
            here = kinds < meta.valued
            values = self._stream(None if here.all() else here, int(here.sum()), sizes)
        if isinstance(meta, NumberedMeta) and meta.book is not None:
            values = self._chosen(meta.book, blobs, values)
        if meta.has_raws:
            here = kinds == meta.kinds - 1
            raws = self._stream(here, int(here.sum()), sizes)
        book = self._cell_book(meta, blobs) if isinstance(meta, RankMeta) else None
        self.out.columns.append(Decoded(meta, kinds, values, raws, blobs, book))
        self.out.sizes.append(sizes)

    def _cell_book(self, meta: RankMeta, blobs: list[bytes]) -> Book:
        """The dictionary that the next column's values are positions in: its own, or that of the
        earlier column that meta names; ArchiveError if that one has none."""
        place = len(self.out.columns)
        if meta.of is None:
            self.cell_books[place] = Book(blobs[0])
            return self.cell_books[place]
        if meta.of not in self.cell_books:
            raise ArchiveError("damaged: a column's dictionary is not there")
        return self.cell_books[meta.of]

    def _chosen(self, where: int, blobs: list[bytes], ranks: Int) -> Int:
        """The dictionary's numbers at these positions."""
        if where == OWN_BOOK:
            where = len(self.out.columns)
            self.books[where] = book_from_bytes(blobs[0])
        if where not in self.books:
            raise ArchiveError("damaged: a column's book is not there")
        book = self.books[where]
        if len(ranks) and not 0 <= int(ranks.min()) <= int(ranks.max()) < len(book):
            raise ArchiveError("damaged: a column points beyond its book")
        return np.asarray(book[ranks])

    def _pixels(self, coded: bytes, meta: PixelsMeta) -> bytes:
        """Decode the blob of a column of pixels; returns their values as bytes, picture by
        picture."""
        channels, height, width = (int(size) for size in self.out.words["shape"])
        shape = (self.records, channels, height, width)
        return picture_blobs.decode(coded, shape, meta.width, self.pictures).tobytes()

    def _part(self) -> bytes:
        size = next(self.sizes)
        self.at += size
        return self.payload[self.at - size : self.at]

    def _plan(self, number: int) -> Plan | None:
        if self.stored is not None:
            return self.stored[number]
        return None

    def _stream(self, present: integers.Mask | None, count: int, sizes: dict[str, int]) -> Int:
        number = self.number
        plan = self._plan(self.number)
        prime = None
        if plan is None:
            if self.shared is None:
                raise ArchiveError("damaged: a column has no plan")
            plan = self.shared.plans[number]
            prime = self.shared.primes[number]
        self.number += 1
        if self.ledger is not None:
            self.ledger.begin_stream(prime is None)
        stream = Stream(np.zeros(0, np.int64), present)
        mark = self.marks.get(number, 0)
        if self.joined is not None and self.shared is not None and mark:
            usual = self.shared.usual[number]
            values = self.joined.still(plan, stream, count, self.known, usual, mark)
        elif self.joined is not None:
            values = integers.decode(
                plan, self.joined, stream, count, self.known, prime, self.ledger
            )
        else:
            part = self._part()
            source = integers.Source(part)
            sizes[_coder(plan)] = sizes.get(_coder(plan), 0) + len(part)
            values = integers.decode(plan, source, stream, count, self.known, prime, self.ledger)
            if self.ledger is not None:
                self.ledger.close(len(part))
        if self.compare:
            self.digests.append(_digest(values))
        return values


def book_to_bytes(numbers: Int, effort: planning.Effort, are_floats: bool = False) -> bytes:
    """Encode a dictionary of numbers, (n,), ascending: varint how many, varint 1 + decimals, or 0,
    and a payload of one column of them; of two columns if all are floats near decimals. are_floats:
    numbers are the bits of 64-bit floats, as whole numbers that are in the floats' order."""
    near = floats.near_decimals(numbers) if are_floats else None
    parts = [numbers] if near is None else near[1:]
    stored = [columns.whole_column(part) for part in parts]
    _, payload, _ = encode(stored, len(numbers), {}, effort)
    return varint(len(numbers)) + varint(0 if near is None else 1 + near[0]) + payload


def book_from_bytes(blob: bytes) -> Int:
    """(n,): the numbers of a dictionary that `book_to_bytes` wrote; ArchiveError if it is
    damaged."""
    count, at = read_varint(blob, 0)
    places, at = read_varint(blob, at)
    check_cells(count, 2)
    if places > 1 + MOST_DECIMALS:
        raise ArchiveError("damaged: a book of numbers with too many decimals")
    decoder = _Decoder(blob[at:], count, False, None, None, None, None)
    if [type(meta) for meta in decoder.metas] != [WholeMeta] * (2 if places else 1):
        raise ArchiveError("damaged: a book is not a column of numbers, or two")
    values = [column.values for column in decoder.run().columns]
    if places:
        return floats.from_decimals(places - 1, *values)
    return values[0]


def _lengths(payload: bytes, at: int, count: int) -> tuple[list[int], int]:
    """Read the lengths of `count` parts at payload[at:]; returns (the bytes of each part, where the
    first part begins). ArchiveError unless they fill the payload."""
    size = -(-count // 8)
    if size > len(payload) - at:
        raise ArchiveError("damaged: a block is cut short")
    some = np.unpackbits(np.frombuffer(payload, np.uint8, size, at), count=count)
    if np.packbits(some).tobytes() != payload[at : at + size]:
        raise ArchiveError("damaged: the parts of a block do not add up")
    at += size
    lengths = [0] * count
    places = np.flatnonzero(some).tolist()
    for place in places[:-1]:
        lengths[place], at = read_varint(payload, at)
    left = len(payload) - at - sum(lengths)
    if left < 0 or (left > 0) != bool(places):
        raise ArchiveError("damaged: the parts of a block do not add up")
    if places:
        lengths[places[-1]] = left
    return lengths, at


def _words(payload: bytes) -> tuple[dict[str, Json], int]:
    size, at = read_varint(payload, 0)
    if size > len(payload) - at:
        raise ArchiveError("damaged: a block is cut short")
    if not size:
        return {}, at
    try:
        return dict(inflate(payload[at : at + size])), at + size
    except ValueError as error:
        raise ArchiveError(f"damaged: a block's plans: {error}") from None


def _coder(plan: Plan) -> str:
    """The name of the coder of a plan's stream, as shown to users: "student", "lzma", "numeric"
    ..."""
    if plan.packed is not None:
        return "lzma"
    if any(isinstance(feature, Verdict) for feature in plan.features):
        return "student"
    if plan.transform is not Transform.NONE:
        return NAMES[plan.transform]
    if plan.widths.any():
        return "numeric"
    parents = any(isinstance(feature, OtherSymbol | Unchanged) for feature in plan.features)
    return "parent" if parents else "order-0"


def _plan_or_none(stored: Json) -> Plan | None:
    return None if stored is None else Plan.from_json(stored)
