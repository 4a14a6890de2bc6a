"""A whole source scored by a model: here, or in pieces by workers of an engine, all the same."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np

from aetool.bundle import Bundle
from aetool.columns.history import History
from aetool.columns.schema import Schema
from aetool.data import pieces
from aetool.data.pictures.framed import FramedSource
from aetool.data.table import Mask, Table
from aetool.data.table_source import ROWS, TableSource
from aetool.data.text import LeftOut
from aetool.engine import Engine
from aetool.model import Float, Int, Records
from aetool.scoring.batches import Scored, ScoreGraph, judged, names_in, scored
from aetool.scoring.collecting import Collector, Share, Wishes
from aetool.scoring.inputs import Laid, Source, enumerate_batches, inputs_of
from aetool.scoring.watching import Watch


@dataclass(frozen=True, eq=False)
class Continued:
    """A piece of a source whose rows take the rows before them. before: by group, (rows, columns),
    the last rows of those that occur in the piece, as they stand before it."""

    piece: pieces.Piece
    before: Mapping[str, Float]


# what a worker is sent: records, or where they are
Item: TypeAlias = Laid | pieces.Piece | Continued
Flagged: TypeAlias = tuple[Item, Mask]
Result = TypeVar("Result")  # what a worker gives back of a batch
Sent = TypeVar("Sent")  # what a worker is sent of an item


@dataclass(frozen=True, eq=False)
class Worker:
    """Scores pieces of a source, in this process or wherever it is sent. schema: the model's,
    adapted to how the source is written; names: of pictures."""

    bundle: Bundle
    schema: Schema | None
    name: str
    device: str
    names: Sequence[str] = ()

    def laid(self, item: Item, left: LeftOut) -> Iterator[Laid]:
        """The records of a piece as graph inputs; the piece is read here, or was read by the
        sender."""
        if isinstance(item, Laid):
            yield item
            return
        if not isinstance(item, Continued):
            yield from self._encoded(item, left)
            return
        assert self.schema is not None
        history = History(self.schema, item.before)
        for laid in self._encoded(item.piece, left):
            assert laid.table is not None
            yield dataclasses.replace(laid, inputs=history.wide(laid.inputs, laid.table))

    def _encoded(self, piece: pieces.Piece, left: LeftOut) -> Iterator[Laid]:
        """The records of a piece that is read here, each row alone."""
        assert self.schema is not None
        first = piece.first
        for table in piece.tables(left):
            for number, part in enumerate_batches([table], first):
                # a piece has no batch of no records: that one is the whole source's
                if len(part):
                    yield Laid(number, self.schema.encode(part, self.name), part)
            first += len(table)

    def last_rows(self, piece: pieces.Piece) -> dict[str, Float]:
        """By group, (rows, columns), the last rows of a piece that rows behind it may take."""
        assert self.schema is not None
        history = History(self.schema)
        for laid in self._encoded(piece, LeftOut()):
            assert laid.table is not None
            history.remember(laid.inputs, laid.table)
        return history.last

    def batches(self, item: Item, left: LeftOut) -> Iterator[Scored]:
        """Score the records of a piece, batch by batch."""
        session = self.bundle.session("score.onnx", self.device)
        for laid in self.laid(item, left):
            yield judged(self.name, session, laid, self.names)


@dataclass(frozen=True, eq=False)
class Coded:
    """A batch of records with their codes, (rows, latent). first: the first one's number, from 0;
    records: (rows,), which of the source they are; table: their columns that are wanted."""

    first: int
    records: Int
    table: Table | None
    codes: Records


def coded(graph: ScoreGraph, laid: Laid, columns: Sequence[str]) -> Coded:
    """Encode records, and keep these of their columns beside the codes; all columns, if one of
    these is not there."""
    table = laid.table
    if table is not None and set(columns) <= set(table.names):
        table = table.only(columns)
    return Coded(laid.first, laid.records, table, graph(laid.inputs)["z"])


# what workers do with an item; what reading it left out goes back with what is wanted


def _scores_of(worker: Worker, item: Item) -> tuple[list[tuple[Int, Float]], LeftOut]:
    """Score a piece: (record numbers, scores) for each batch."""
    left = LeftOut()
    return [(batch.places, batch.scores) for batch in worker.batches(item, left)], left


def _codes_of(columns: Sequence[str], worker: Worker, item: Item) -> tuple[list[Coded], LeftOut]:
    """Encode a piece: each batch with its codes and these columns."""
    left = LeftOut()
    session = worker.bundle.session("encoder.onnx", worker.device)
    return [coded(session, laid, columns) for laid in worker.laid(item, left)], left


def _scored_of(worker: Worker, item: Item) -> tuple[list[Scored], LeftOut]:
    """Score a piece: each batch with all that is known of it."""
    left = LeftOut()
    return list(worker.batches(item, left)), left


def _shares_of(wishes: Wishes, worker: Worker, item: Item) -> tuple[list[Share], LeftOut]:
    """Score a piece: what is to be kept of each batch, where a record's own score tells whether it
    is flagged."""
    left = LeftOut()
    collector = _collector_of(worker, wishes)
    return [collector.share(batch, None)[0] for batch in worker.batches(item, left)], left


def _shares_of_flagged(
    wishes: Wishes,
    worker: Worker,
    sent: Flagged,
) -> tuple[list[Share], LeftOut]:
    """Score a piece: what is to be kept of each batch, where the flags are sent with the piece."""
    item, flags = sent
    left = LeftOut()
    collector = _collector_of(worker, wishes)
    shares = []
    place = 0
    for batch in worker.batches(item, left):
        own = flags[place : place + len(batch.parts)]
        shares.append(collector.share(batch, own)[0])
        place += len(batch.parts)
    return shares, left


def _collector_of(worker: Worker, wishes: Wishes) -> Collector:
    session = worker.bundle.session("score.onnx", worker.device)
    return Collector(worker.bundle, wishes, session, worker.device, worker.schema)


class Scoring:
    """Scores all records of a source by a model, here or on an engine's workers, with equal
    results."""

    def __init__(
        self,
        source: Source,
        bundle: Bundle,
        graph: ScoreGraph,
        device: str,
        engine: Engine | None = None,
    ) -> None:
        self.source = source
        self.bundle = bundle
        self.graph = graph
        # tiles are cut from whole pictures in small groups, which no engine is handed
        tiled = isinstance(source, FramedSource) and source.is_tiled
        self.engine = None if tiled else engine
        self.device = device
        # how many records each item on an engine has, once they were scored
        self._counts: list[int] = []

    def scores(self) -> tuple[Int, Float]:
        """(numbers of all records that can be read, from 0; their scores)."""
        numbers: list[Int] = [np.zeros(0, np.int64)]
        scores: list[Float] = [np.zeros(0)]
        if self.engine is None:
            for batch in scored(self.source, self.bundle, self.graph):
                numbers.append(batch.places)
                scores.append(batch.scores)
        else:
            self._counts = []
            for batches in self._mapped(_scores_of):
                self._counts.append(sum(len(own) for _, own in batches))
                numbers += [own for own, _ in batches]
                scores += [own for _, own in batches]
            if isinstance(self.source, TableSource):
                # a piece of text counts comments, too
                numbers = [np.arange(sum(self._counts))]
        return np.concatenate(numbers), np.concatenate(scores)

    def codes(self, columns: Sequence[str] = ()) -> Iterator[Coded]:
        """The records with their codes and these columns, batch by batch."""
        if self.engine is None:
            for laid in inputs_of(self.source, self.bundle):
                yield coded(self.graph, laid, columns)
            return
        for batches in self._mapped(functools.partial(_codes_of, tuple(columns))):
            yield from batches

    def shares(
        self,
        wishes: Wishes,
        flags: Mask | None,
        collector: Collector,
        watch: Watch | None,
    ) -> Iterator[Share]:
        """What is kept of the records of the source, batch by batch. flags: (records,), which are
        flagged, where that is not told by their score alone."""
        if self.engine is None or watch is not None:
            yield from self._shares_here(flags, collector, watch)
        elif flags is None:
            for shares in self._mapped(functools.partial(_shares_of, wishes)):
                yield from shares
        else:
            edges = np.cumsum(self._counts[:-1]) if self._counts else np.zeros(0, np.int64)
            job = functools.partial(_shares_of_flagged, wishes)
            for shares in self._mapped_with(job, iter(np.split(flags, edges))):
                yield from shares

    def _shares_here(
        self,
        flags: Mask | None,
        collector: Collector,
        watch: Watch | None,
    ) -> Iterator[Share]:
        """As `shares`, but in this process, so that a watcher can see every batch."""
        place = 0
        for batch in self._batches():
            own = None if flags is None else flags[place : place + len(batch.parts)]
            share, flagged, explained = collector.share(batch, own)
            if watch is not None:
                watch.batch(batch, share.scores, flagged, explained)
            place += len(batch.parts)
            yield share

    def _batches(self) -> Iterator[Scored]:
        """Score all records, batch by batch, keeping all that is known of them."""
        if self.engine is None:
            yield from scored(self.source, self.bundle, self.graph)
            return
        for batches in self._mapped(_scored_of):
            yield from batches

    def _mapped(
        self, job: Callable[[Worker, Item], tuple[list[Result], LeftOut]]
    ) -> Iterator[list[Result]]:
        """The job's results for each piece of the source, in order."""
        worker, items = self._spread()
        yield from self._run(functools.partial(job, worker), ((item, item) for item in items))

    def _mapped_with(
        self,
        job: Callable[[Worker, Flagged], tuple[list[Result], LeftOut]],
        flags: Iterator[Mask],
    ) -> Iterator[list[Result]]:
        """The job's results for each piece of the source, sent together with the piece's flags."""
        worker, items = self._spread()
        sent = ((item, (item, next(flags))) for item in items)
        yield from self._run(functools.partial(job, worker), sent)

    def _run(
        self,
        job: Callable[[Sent], tuple[list[Result], LeftOut]],
        items: Iterable[tuple[Item, Sent]],
    ) -> Iterator[list[Result]]:
        """Run a job on the engine for each item; pictures that could not be read are noted here."""
        assert self.engine is not None
        under_way: deque[Item] = deque()
        remarks = pieces.Remarks()

        def sent() -> Iterator[Sent]:
            for item, what in items:
                under_way.append(item)
                yield what

        # an engine gives results in the order in which it took the items
        for result, left in self.engine.map(job, sent()):
            item = under_way.popleft()
            if not isinstance(item, Laid):
                remarks.add(item.piece if isinstance(item, Continued) else item, left)
            yield result

    def _spread(self) -> tuple[Worker, Iterable[Item]]:
        """The worker to send, and the pieces of the source that it is to score: places in files
        where workers can read those, else records. Rows that take those before them by a column of
        order are prepared here."""
        source = self.source
        schema = self.bundle.schema
        worker = Worker(self.bundle, schema, source.name, self.device, names_in(source))
        if schema is not None and isinstance(source, TableSource):
            cut = pieces.pieces_of(source)
            first = None if cut is None or schema.order else next(cut, None)
            if cut is not None and first is not None:
                head = next(iter(source.batches())).take(slice(0, ROWS))
                worker = dataclasses.replace(worker, schema=schema.as_written(head, source.decimal))
                every_piece = itertools.chain([first], cut)
                if schema.context:
                    return worker, self._continued(worker, list(every_piece))
                return worker, every_piece
        return worker, inputs_of(source, self.bundle)

    def _continued(
        self, worker: Worker, every_piece: Sequence[pieces.Piece]
    ) -> Iterator[Continued]:
        """Pieces with the rows before each, of which workers find the last rows at first: so every
        row is read twice, and none of them here."""
        assert self.engine is not None and worker.schema is not None
        steps = worker.schema.context
        last: dict[str, Float] = {}
        found = self.engine.map(worker.last_rows, every_piece)
        for piece, own in zip(every_piece, list(found), strict=True):
            # of other groups than its own a piece need not know
            yield Continued(piece, {name: last[name] for name in own if name in last})
            for name, rows in own.items():
                earlier = last.get(name, rows[:0])
                # of a group with few rows in this piece those before it count on
                last[name] = np.concatenate([earlier, rows])[-steps:]
