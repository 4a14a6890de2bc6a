"""Columns of a block to a payload and back.

The description of a block (payloads.py) has for each column its meta and for each stream of whole
numbers its plan; null where the shared model's is used. A column's parts are its blobs, then its
streams; the streams of a block of few rows are joined into one, the last part.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aetool.canonical import Json, canonical
from aetool.codec import (
    columns,
    descriptions,
    factors,
    floats,
    integers,
    joined_texts,
    metas,
    picture_blobs,
    planning,
)
from aetool.codec import ledger as ledgers
from aetool.codec.blobs import read_varint, varint
from aetool.codec.block_encoding import JOINED, BlockEncoder, digest_of_values
from aetool.codec.columns import Book, Coded, Decoded, TextOfOthers
from aetool.codec.container.digests import digest
from aetool.codec.joined_texts import JoinedTexts
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
from aetool.codec.payloads import lengths_of, payload_of, words_of
from aetool.codec.picture_models import PictureModel
from aetool.codec.plans import OtherSymbol, Plan, Transform, Unchanged, Verdict
from aetool.codec.shared import Shared
from aetool.codec.streams import Known, Stream
from aetool.codec.students import Students
from aetool.data import notices
from aetool.data.table import Mask
from aetool.errors import ArchiveError
from aetool.model import Int

NO_HINTS = planning.Hints()
NO_VALUES = np.zeros(0, np.int64)
# The description that is not written: of a block that is one run of bytes.
PLAIN_BYTES: dict[str, Json] = {"columns": [{"k": "bytes"}], "plans": []}
NAMES = {
    Transform.DIFFERENCE: "difference",
    Transform.GROUPED: "group",
    Transform.KEYED: "key",
    Transform.COLUMN: "column",
    Transform.SECOND: "second difference",
    Transform.LINEAR: "combination",
    Transform.LINEAR_DIFFERENCE: "combination",
}
# rows: in a larger block only plans that combine columns are searched again to do without
SEARCHED_AGAIN = 1 << 15
DOUBTFUL = 0.05  # of a block must combinations save to be taken without a look at it without them


@dataclass(eq=False)
class Block:
    """A decoded block. words: what its JSON says beside columns. columns: decoded, in the order of
    the block. rows: how many records it has, which an archive fills in (`decode` leaves there how
    many cells each column has: of pictures and arrays more than one for a record); first: the
    place, from 0, of the first of them in the archive. content: the 8-byte digest of what it holds.

    sizes: for each column the bytes of its parts by the name of their coder, such as "text" or
    "numeric". joined: bytes of all streams together, in a small block, which `sizes` has not; else
    0. texts: those of several columns that were compressed together as one text, None if there are
    none; in `sizes` all their bytes count for the last of these columns.
    """

    words: dict[str, Json]
    columns: list[Decoded]
    rows: int = 0
    first: int = 0
    content: bytes = b""
    sizes: list[dict[str, int]] = field(default_factory=list)
    joined: int = 0
    texts: JoinedTexts | None = None

    def sizes_with_texts_apart(self) -> list[dict[str, int]]:
        """For each column the bytes of its parts by coder, as in `sizes`, but of columns whose
        texts were compressed together each has its own share, which is estimated: that takes as
        long as to decode these texts."""
        sizes = [dict(one) for one in self.sizes]
        if self.texts is not None:
            sizes[self.texts.places[-1]]["text"] -= len(self.texts.code)
            for place, size in self.texts.sizes().items():
                sizes[place]["text"] += size
        return sizes


# ---- writing


def encode(
    coded: Sequence[Coded],
    rows: int,
    words: dict[str, Json],
    effort: planning.Effort,
    hints: planning.Hints = NO_HINTS,
    shared: Shared | None = None,
    period: int = 0,
    students: Students | None = None,
    watched: bool = False,
) -> tuple[bytes, bytes, planning.Hints]:
    """Encode the columns of a block; returns (8-byte digest of the content, payload, hints for the
    next block).

    coded: the columns as streams and blobs, each with other ways to encode it (`others`), of which
    the smallest is taken, but with a shared model or students always the first. Without a shared
    model and ways in `hints`, some of `others` may be removed, in place (see factors.keep). rows:
    cells of each column. words: JSON to store beside the columns. effort: how far to search; one
    that asks for it (also_usual) is tried beside the default one, and what takes fewest bytes is
    kept; a block in which combinations of columns seem to save little is tried without them, too
    (one of more than SEARCHED_AGAIN (2^15) rows with the other plans as they are). hints: those
    that the block before returned: its plans are tried first, and, if it had as many columns, each
    is stored in the way that was taken there, without a look at the others. shared: what the
    archive's model knows of the columns. period: after how many columns the next one of the same
    kind comes, so that most take over a plan from there; 0: none does. students: the networks that
    the archive carries; a shared model has its own, which are used instead. watched: whether to
    report how many columns are done, as notices.advance does; not wanted of what is only a part of
    a block, such as a dictionary.
    """
    # the ways of a block before were chosen so already
    if shared is None and not hints.ways:
        factors.keep(coded)
    # of so few rows the description is a large part of the payload
    mixes_words = effort.mixes or (rows <= JOINED and not effort.quick)
    efforts = [effort]
    if effort.also_usual:
        # what is searched further is not always smaller: more contexts learn more slowly
        efforts.append(planning.DEFAULT)
    codings = []
    for one_effort in efforts:
        is_watched = watched and one_effort is effort
        coding = _encoded(
            coded,
            rows,
            words,
            one_effort,
            hints,
            shared,
            period,
            students,
            mixes_words,
            is_watched,
        )
        codings.append(coding)
        if coding.is_doubtful:
            # contexts of later columns are then classes of a combined column's residuals, which may
            # say less than those of its values: a search column by column does not see that
            plainer = dataclasses.replace(one_effort, combinations=False)
            hints_of_other = hints
            if rows > SEARCHED_AGAIN:
                hints_of_other = coding.hints.without_others()
            other = _encoded(
                coded, rows, words, plainer, hints_of_other, shared, period, students, mixes_words
            )
            codings.append(other)
    # of codings as small the first
    smallest = min(codings, key=lambda coding: len(coding.payload))
    return smallest.content, smallest.payload, smallest.hints


@dataclass(frozen=True, eq=False)
class _Coding:
    """One way in which a whole block was coded: several are made, and the one of fewest bytes is
    written. content: the 8-byte digest of what it holds; payload: its bytes; hints: choices for the
    next block to try first. is_doubtful: whether combinations of columns save so little, by an
    estimate, that the block may be smaller without them."""

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
    mixes: bool,
    watched: bool = False,
) -> _Coding:
    """Encode the columns of a block once, with combinations of columns if the effort has them;
    `encode` tries again without them if the result is_doubtful. coded: the columns; rows: cells of
    each; words: JSON to store beside them; effort: how far to search. hints: the ways and plans of
    the block before; the plans of a column are looked at only if it has as many streams there.
    shared: what the archive's model knows of the columns, students: the networks that predict
    streams, None without. period: after how many columns the next one of the same kind comes, 0 for
    none. mixes: whether the description may be a mixture of contexts; watched: whether to report
    how many columns are done."""
    # the networks of a shared model are used in place of those of the archive
    if shared is not None:
        students = shared.students
    if students is not None:
        students = students.by_reference()  # decoding then compares the floats
    # what a model knows, and what its students see, are columns as they are at first sight
    may_choose = shared is None and students is None
    has_ways = may_choose and len(hints.ways) == len(hints.metas) == len(coded)
    # those that were taken in the block before, without another look at the others
    columns = list(coded)
    if has_ways:
        columns = list(map(_in_way, coded, hints.ways, hints.metas))
    shape = _shape_of(columns)
    # of a column with other streams than in the block before plans are searched
    before = hints.moved(shape)
    encoder = BlockEncoder(rows, effort, before, shared, period, students)
    for place, column in enumerate(columns):
        if watched:
            notices.advance(place == 0, f"{place:,} of {len(columns):,} columns of a block stored")
        plans: list[Plan] = []
        if may_choose and not has_ways:
            column, plans = encoder.cheapest(column)
        encoder.add_column(column, plans)
    encoder.join_texts()
    head = _head(words, encoder, mixes)
    payload = payload_of(head, encoder.all_parts())
    # plans that were taken over have been judged in the block before
    combines = not before and encoder.asks_others()
    # bytes that combinations and keys save, by the estimates of the search
    saved = encoder.planner.promised / 8
    # in a small block the streams are coded as one, of which the estimate knows nothing
    saves_little = encoder.joins_streams or saved < DOUBTFUL * len(payload)
    ways = tuple(map(_way_of, coded, encoder.columns))
    metas = tuple(column.meta for column in encoder.columns)
    return _Coding(
        content=digest(b"".join(encoder.content)),
        payload=payload,
        hints=planning.Hints(_shape_of(encoder.columns), encoder.plans, ways, metas),
        is_doubtful=combines and saves_little,
    )


def _shape_of(columns: Sequence[Coded]) -> tuple[int, ...]:
    """For each of the columns, in order, the number of its streams."""
    return tuple(len(column.streams) for column in columns)


def _in_way(column: Coded, way: int, before: Meta) -> Coded:
    """Choose the encoding of a column that is most like the one written in the block before.

    A column offers a first encoding, `column` itself, and others, `column.others`. way: the number
    of the one written in the block before, 0 for the first, n for others[n - 1]; before: its meta.
    Returned is, for 0, the first; else one of the others: the one of that number if its meta is of
    the same family, else any of that family, else in the same way one of the same kind, else the
    one of that number; the first if there is no such number."""
    if way == 0:
        return column
    others = column.others
    numbered = others[way - 1 : way]
    # a column may be offered a way more or less than in the block before
    candidates = [*numbered, *others]
    for candidate in candidates:
        if candidate.meta.family == before.family:
            return candidate
    for candidate in candidates:
        if candidate.meta.kind == before.kind:
            return candidate
    return numbered[0] if numbered else column


def _way_of(column: Coded, chosen: Coded) -> int:
    """The number of the encoding `chosen` among those that a column offers: 0 for `column` itself,
    n for column.others[n - 1]. ValueError if it is none of these."""
    return [column, *column.others].index(chosen)


def _head(words: dict[str, Json], encoder: BlockEncoder, mixes: bool) -> bytes:
    """The description of a block, which stands at its head, as bytes: `words`, and what the encoder
    stores of each column, its metas and plans, as compressed JSON. b"" where it is just what a
    decoder assumes of a block without one: all columns as in the shared model, or, without a model,
    one run of bytes. mixes: whether it may be compressed by a mixture of contexts."""
    description = encoder.description()
    parts = itertools.chain.from_iterable(description.values())
    # None stands for what is as the shared model has it
    is_as_in_model = encoder.shared is not None and all(part is None for part in parts)
    if is_as_in_model and not words:
        return b""
    json_of_block = {**words, **description}
    if encoder.shared is None and json_of_block == PLAIN_BYTES:
        return b""
    return descriptions.described(json_of_block, mixes)


def as_decoded(coded: Sequence[Coded], rows: int, words: dict[str, Json]) -> Block:
    """Make the block that decoding would return for the columns `coded`, without encoding them; its
    sizes and digest are empty. Not for pictures, nor for columns whose values are ranks in a
    dictionary. rows: cells of each column; words: the JSON beside the columns."""
    columns = [_decoded(column, rows) for column in coded]
    return Block(dict(words), columns, rows)


def _decoded(column: Coded, rows: int) -> Decoded:
    """The column, of so many rows, as decoding would return it. Its streams must be those that its
    meta says, of kinds, values and raws, which is not checked. Where the meta has no kinds, the
    kind of every cell is 0; values and raws that it has not are empty."""
    meta = column.meta
    streams = iter(column.streams)
    kinds = np.zeros(rows, np.int64)
    values = NO_VALUES
    raws = NO_VALUES
    # a column has these streams in this order
    if meta.kinds > 1:
        kinds = next(streams).values
    if meta.valued:
        values = next(streams).values
    if meta.has_raws:
        raws = next(streams).values
    return Decoded(meta, kinds, values, raws, column.blobs)


# ---- reading


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
    """Decode the columns of a payload; ArchiveError if it is damaged, or the digest of what it
    holds is not `content` (None: not compared here; whoever restores more of the archive compares
    that).

    rows: records of the block. shared: what the archive's model knows of columns. students: the
    networks that predict columns; None: those of shared. count: compute the digest even where it is
    not compared; with neither, the block's `content` is the digest of nothing. pictures: what the
    model of an archive of pictures has learned. ledger: collects the bits of each cell; None: they
    are not counted.
    """
    with columns.errors_as_damage():
        if shared is not None and students is None:
            students = shared.students
        compare = count or content is not None
        decoder = _Decoder(payload, rows, compare, shared, students, pictures, ledger)
        block = decoder.run()
        block.content = digest(b"".join(decoder.digests))
        if content is not None and block.content != content:
            raise ArchiveError("damaged: a block decodes to something else than was stored")
        return block


class _Decoder:
    """Decodes the columns of one block, one after the other, by `run`. payload: the stored bytes of
    the block. rows: its records. compare: whether to compute the digests of all its parts. shared:
    what the archive's model knows of columns; students: the networks that predict columns;
    pictures: what a model has learned of pictures; ledger: collects the bits of each cell; None for
    each that there is not. ArchiveError, ValueError and the like for a description that is damaged
    or claims more than MAX_CELLS (2^24) cells."""

    def __init__(
        self,
        payload: bytes,
        rows: int,
        compare: bool = False,
        shared: Shared | None = None,
        students: Students | None = None,
        pictures: PictureModel | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.payload = payload
        self.compare = compare
        self.shared = shared
        self.pictures = pictures
        self.records = rows
        self.ledger = ledger
        words, self.at = words_of(payload)
        # what a letter of the description took, so that columns can be billed for theirs
        if ledger is not None and words:
            letters = len(canonical(words))
            ledger.bits_a_letter = 8 * self.at / letters
        if not words and shared is None:
            words = dict(PLAIN_BYTES)
        # what a description without "columns" stands for: under a model all as the model has them
        metas_by_default = None
        known_metas: Sequence[Meta] = ()
        if shared is not None:
            # "e": the line end of records of text, which the model has for all its tables
            words.setdefault("e", shared.format["newline"])
            metas_by_default = shared.nothing
            known_metas = shared.metas
        own_metas = words.pop("columns", metas_by_default)
        json_of_plans = words.pop("plans", None)
        self.rows = rows * _cells_a_record(words)
        # before memory is taken for the columns
        check_cells(self.rows, len(own_metas))
        self.stored_plans: list[Plan | None] | None = None
        if json_of_plans is not None:
            self.stored_plans = [_plan_or_none(plan) for plan in json_of_plans]
        self.out = Block(words, [], self.rows)
        self.next_stream = 0  # its number
        self.known = Known(self.rows)
        if students is not None:
            self.known.predict = students.predict
        self.digests: list[bytes] = []
        self.books: dict[int, Int] = {}  # by the place of the column that has it
        self.cell_books: dict[int, Book] = {}
        self.metas = metas.all_from_json(own_metas, known_metas)
        self.joined: integers.Joined | None = None
        self.marks: dict[int, int] = {}

    def run(self) -> Block:
        """Decode all columns; returns the block, `out`. To be called once. ArchiveError, ValueError
        and the like if the payload is damaged."""
        streams = sum(meta.streams for meta in self.metas)
        blobs = sum(meta.blobs for meta in self.metas)
        are_joined = self.rows <= JOINED and streams > 0
        count = blobs + streams
        if are_joined:
            count = blobs + 1
        lengths, self.at = lengths_of(self.payload, self.at, count)
        self.sizes = iter(lengths)
        # the description and the lengths of parts are of no cell
        if self.ledger is not None:
            self.ledger.close(self.at, ledgers.PLANS)
        if are_joined:
            self._open_joined(lengths[-1], streams)
        for meta in self.metas:
            self._column(meta)
        text_of_others = TextOfOthers()
        for column in self.out.columns:
            column.lenders = self._lenders(column.meta)
            column.text_of_others = text_of_others
        self.out.texts = joined_texts.separate(self.out.columns)
        if self.ledger is not None and self.out.texts is not None:
            blobs_of_columns = [column.blobs for column in self.out.columns]
            self.ledger.join_texts(self.out.texts.costs(), blobs_of_columns)
        if self.joined is not None:
            self.joined.finish()
        if self.ledger is not None:
            self.ledger.close(self.out.joined)
        return self.out

    def _open_joined(self, size: int, streams: int) -> None:
        """Begin to decode the streams, `streams` in number, which are one part, the last, of `size`
        bytes; under a shared model the marks of those that have its plans come first, and are kept
        in `marks`: whether their values change. ArchiveError if the part is cut short."""
        begin = len(self.payload) - size
        self.joined = integers.Joined(self.payload[begin:])
        self.out.joined = size
        if self.shared is None:
            return
        stillness = self.shared.stillness
        foreseen = range(min(streams, len(stillness)))
        numbers = [number for number in foreseen if self._plan(number) is None]
        if numbers:
            self.marks = self.joined.marks(numbers, stillness)

    def _column(self, meta: Meta) -> None:
        """Decode the next column of the block; adds it to `out`, and how many bytes its parts take
        to the sizes there. meta: how the column is stored. ArchiveError, ValueError and the like if
        a part of it is damaged, or the column whose dictionary it uses has none."""
        sizes: dict[str, int] = {}
        blobs = self._blobs(meta, sizes)
        if self.compare:
            self.digests += [digest(blob) for blob in blobs]
        kinds = np.zeros(self.rows, np.int64)
        values = NO_VALUES
        raws = NO_VALUES
        if meta.kinds > 1:
            kinds = self._stream(None, sizes)
        if meta.valued:
            has_value = kinds < meta.valued
            # a stream of all rows looks at other columns without a mask
            values = self._stream(None if has_value.all() else has_value, sizes)
        if isinstance(meta, NumberedMeta) and meta.book is not None:
            values = self._looked_up(meta.book, blobs, values)
        if meta.has_raws:
            is_raw = kinds == meta.kinds - 1
            raws = self._stream(is_raw, sizes)
        book: Book | None = None
        if isinstance(meta, RankMeta):
            book = self._cell_book(meta, blobs)
        self.out.columns.append(Decoded(meta, kinds, values, raws, blobs, book))
        self.out.sizes.append(sizes)

    def _lenders(self, meta: Meta) -> list[Decoded]:
        """The decoded columns of the block whose cells stand in those of a column of this meta, in
        the order in which the meta names them; [] if none do. ArchiveError for one that is not
        there."""
        lenders = metas.lenders_in(meta)
        if any(lender.place >= len(self.out.columns) for lender in lenders):
            raise ArchiveError("damaged: a column is made of one that is not there")
        return [self.out.columns[lender.place] for lender in lenders]

    def _blobs(self, meta: Meta, sizes: dict[str, int]) -> list[bytes]:
        """Read the blobs of the next column, as many as `meta`, the column's, has: each as it is
        stored, but that of pixels decoded. How many bytes they took is noted in `sizes`, by coder.
        The ledger, if there is one, begins the column, and has these bytes as overhead.
        ArchiveError, KeyError, IndexError or ValueError if pixels are damaged."""
        blobs = [self._part() for _ in range(meta.blobs)]
        size = sum(map(len, blobs))
        if self.ledger is not None:
            self.ledger.begin_column(self.rows, blobs)
            # who knows what they hold shares them later
            self.ledger.overhead[ledgers.CODERS] += 8 * size
        # pixels are decoded at once: the digest is of them, not of their code
        if isinstance(meta, PixelsMeta):
            sizes["pixels"] = size
            return [self._pixels(blobs[0], meta)]
        if blobs:
            sizes["text"] = size
        return blobs

    def _cell_book(self, meta: RankMeta, blobs: list[bytes]) -> Book:
        """The dictionary of cells that the next column's values are positions in: its own, or that
        of the earlier column that meta names; ArchiveError if that one has none. blobs: the
        column's."""
        place = len(self.out.columns)
        # meta.of is the place of the column whose dictionary is used; None: its own is
        if meta.of is None:
            self.cell_books[place] = Book(blobs[0])
            return self.cell_books[place]
        if meta.of not in self.cell_books:
            raise ArchiveError("damaged: a column's dictionary is not there")
        return self.cell_books[meta.of]

    def _looked_up(self, owner: int, blobs: list[bytes], ranks: Int) -> Int:
        """Look up ranks, (n,) positions from 0, in a dictionary of numbers: (n,), the number at
        each. owner: the place of the column that the dictionary is stored with, or OWN_BOOK for
        blobs[0], blobs being the next column's. ArchiveError for a position or dictionary that is
        not there, ArchiveError, ValueError and the like for a damaged one."""
        if owner == OWN_BOOK:
            owner = len(self.out.columns)
            self.books[owner] = book_from_bytes(blobs[0])
        if owner not in self.books:
            raise ArchiveError("damaged: a column's book is not there")
        book = self.books[owner]
        if not len(ranks):
            return np.asarray(book[ranks])
        if int(ranks.min()) < 0 or int(ranks.max()) >= len(book):
            raise ArchiveError("damaged: a column points beyond its book")
        return np.asarray(book[ranks])

    def _pixels(self, coded: bytes, meta: PixelsMeta) -> bytes:
        """Decode `coded`, the blob of a column of pixels: returns the values of all pictures of the
        block as the bytes of (pictures, channels, height, width), meta.width bytes for each value
        (1 or 2), the lowest first. KeyError or ValueError if the description has no such shape,
        ArchiveError, IndexError or ValueError if the blob is damaged."""
        channels, height, width = (int(size) for size in self.out.words["shape"])
        shape = (self.records, channels, height, width)
        pictures = picture_blobs.decode(coded, shape, meta.width, self.pictures)
        return pictures.tobytes()

    def _part(self) -> bytes:
        """Read the next part of the payload, a blob or a stream, as bytes; the next call reads the
        one behind it. `run` must have read the lengths of parts before."""
        begin = self.at
        self.at += next(self.sizes)
        return self.payload[begin : self.at]

    def _plan(self, number: int) -> Plan | None:
        """The plan that the block's description has for a stream, by its number from 0; None if it
        is the shared model's. IndexError if there are fewer."""
        if self.stored_plans is None:
            return None
        return self.stored_plans[number]

    def _stream(self, present: Mask | None, sizes: dict[str, int]) -> Int:
        """Decode the next stream: (n,) int64, its values in the rows where `present`, (rows,), is
        True, of all rows for None. How many bytes it took is noted in `sizes`, by coder.
        ArchiveError if neither the block nor a shared model has a plan for it."""
        number = self.next_stream
        plan = self._plan(number)
        prime: integers.Counts = None
        if plan is None:
            if self.shared is None:
                raise ArchiveError("damaged: a column has no plan")
            plan = self.shared.plans[number]
            prime = self.shared.primes[number]
        self.next_stream += 1
        # where the plan is the model's, no bits of the description belong to this stream
        if self.ledger is not None:
            self.ledger.begin_stream(prime is None)
        stream = Stream(NO_VALUES, present)
        values = self._values(number, plan, stream, prime, sizes)
        if self.compare:
            self.digests.append(digest_of_values(values))
        return values

    def _values(
        self,
        number: int,
        plan: Plan,
        stream: Stream,
        prime: integers.Counts,
        sizes: dict[str, int],
    ) -> Int:
        """Decode the values of stream `number` by its plan, (n,) int64, from the part that all
        streams share or from a part of its own; adds the stream to `known`. prime: counts that its
        frequency tables begin with, None: none; stream: its `present` says in which rows. sizes: by
        coder, to which the bytes of the part are added. ArchiveError if it is damaged."""
        count = self.rows
        if stream.present is not None:
            count = int(stream.present.sum())
        known = self.known
        # under a shared model a stream that never changes has a mark, and no symbols
        mark = self.marks.get(number, integers.MOVING)
        if self.joined is None:
            part = self._part()
            coder = _coder(plan)
            sizes[coder] = sizes.get(coder, 0) + len(part)
            source = integers.Source(part)
            values = integers.decode(plan, source, stream, count, known, prime, self.ledger)
            if self.ledger is not None:
                self.ledger.close(len(part))
            return values
        if self.shared is not None and mark != integers.MOVING:
            usual = self.shared.usual[number]
            return self.joined.still(plan, stream, count, known, usual, mark)
        return integers.decode(plan, self.joined, stream, count, known, prime, self.ledger)


def _cells_a_record(words: dict[str, Json]) -> int:
    """How many cells of each column a record has, by `words`, the JSON beside the columns of a
    block: the width in pixels, the third number of "shape", if there is a shape (as of pictures),
    times "each" (as of arrays) if there is one; else 1."""
    count = 1
    if "shape" in words:  # of pictures: a column holds a row of pixels of each
        count *= int(words["shape"][2])
    if "each" in words:  # of arrays: a column holds several values of each row
        count *= int(words["each"])
    return count


def _plan_or_none(stored: Json) -> Plan | None:
    """Read a stream's plan from `stored`, its JSON; None for null (None), which stands for the
    shared model's plan. ArchiveError for JSON that is no plan."""
    if stored is None:
        return None
    return Plan.from_json(stored)


def _coder(plan: Plan) -> str:
    """The name of the coder of a plan's stream, as shown to users, the first that fits: "lzma" of
    packed values; "student" if a network's verdict is among its features; by its transform such as
    "difference" or "key"; "numeric" if a bin holds several numbers; "parent" if a feature looks at
    another stream; else "order-0"."""
    if plan.packed is not None:
        return "lzma"
    kinds = {type(feature) for feature in plan.features}
    if Verdict in kinds:
        return "student"
    if plan.transform is not Transform.NONE:
        return NAMES[plan.transform]
    if plan.widths.any():
        return "numeric"
    looks_aside = any(issubclass(kind, OtherSymbol | Unchanged) for kind in kinds)
    return "parent" if looks_aside else "order-0"


# ---- dictionaries of numbers


def book_to_bytes(numbers: Int, effort: planning.Effort, are_floats: bool = False) -> bytes:
    """Encode a dictionary of numbers, (n,) int64, ascending: varint how many, varint 1 + decimals
    if they are stored as decimals, else 0, and a payload of one column of them; of two columns if
    all are floats near decimals. effort: how far to search for a small encoding; are_floats:
    numbers, of which there is at least one, are the bits of 64-bit floats, as whole numbers that
    are in the floats' order."""
    parts = [numbers]
    decimals_code = 0
    near = floats.near_decimals(numbers) if are_floats else None
    if near is not None:
        # the decimals as whole numbers, and how many floats each number lies above its decimal
        decimals, *parts = near
        decimals_code = 1 + decimals
    columns_of_parts = [columns.whole_column(part) for part in parts]
    _, payload, _ = encode(columns_of_parts, len(numbers), {}, effort)
    return varint(len(numbers)) + varint(decimals_code) + payload


def book_from_bytes(blob: bytes) -> Int:
    """Decode `blob`, a dictionary of numbers that `book_to_bytes` wrote: (n,) int64, ascending; of
    floats their bits as whole numbers that are in the floats' order. ArchiveError, ValueError and
    the like if it is damaged."""
    count, at = read_varint(blob, 0)
    # 0 for whole numbers, else one more than their decimals
    decimals_code, at = read_varint(blob, at)
    check_cells(count, 2)
    if decimals_code > 1 + MOST_DECIMALS:
        raise ArchiveError("damaged: a book of numbers with too many decimals")
    # a dictionary needs nothing that its archive knows
    decoder = _Decoder(blob[at:], count)
    expected = 2 if decimals_code else 1
    are_whole = all(type(meta) is WholeMeta for meta in decoder.metas)
    if len(decoder.metas) != expected or not are_whole:
        raise ArchiveError("damaged: a book is not a column of numbers, or two")
    values = [column.values for column in decoder.run().columns]
    if not decimals_code:
        return values[0]
    return floats.from_decimals(decimals_code - 1, *values)
