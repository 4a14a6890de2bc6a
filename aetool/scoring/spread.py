"""Scores a source by a model: in this process, or in pieces by workers of an engine, with equal
results."""

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
    """A piece of a source with the rows that its first rows need before them. before: for each
    group that occurs in the piece, by its name, the last rows of it that come before the piece,
    (rows, columns)."""

    piece: pieces.Piece
    before: Mapping[str, Float]


# what a worker is sent: records, or where they are
Item: TypeAlias = Laid | pieces.Piece | Continued
Flagged: TypeAlias = tuple[Item, Mask]
Result = TypeVar("Result")  # what a worker gives back of a batch
Sent = TypeVar("Sent")  # what a worker is sent of an item


@dataclass(frozen=True, eq=False)
class Worker:
    """Scores pieces of a source, in the process that it is sent to. schema: the model's, for how
    the source is written; None for pictures; name: of the source; names: of its pictures."""

    bundle: Bundle
    schema: Schema | None
    name: str
    device: str
    names: Sequence[str] = ()

    def laid(self, item: Item, left: LeftOut) -> Iterator[Laid]:
        """Yield the records of an item as graph inputs, batch by batch. A piece is read here; an
        item that the sender has read comes as a Laid. left: collects which lines are no records."""
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
        """Read the records of a piece as graph inputs, batch by batch, without rows before them.
        left: gets what reading left out."""
        assert self.schema is not None
        first = piece.first
        for table in piece.tables(left):
            for number, part in enumerate_batches([table], first):
                # a piece has no batch of no records: that one is the whole source's
                if len(part):
                    yield Laid(number, self.schema.encode(part, self.name), part)
            first += len(table)

    def last_rows(self, piece: pieces.Piece) -> dict[str, Float]:
        """For each group, by its name, the last rows of it in a piece, (rows, columns): those that
        rows behind the piece may need."""
        assert self.schema is not None
        history = History(self.schema)
        for laid in self._encoded(piece, LeftOut()):
            assert laid.table is not None
            history.remember(laid.inputs, laid.table)
        return history.last

    def batches(self, item: Item, left: LeftOut) -> Iterator[Scored]:
        """Score the records of an item, batch by batch. left: gets what reading left out."""
        session = self.bundle.session("score.onnx", self.device)
        for laid in self.laid(item, left):
            yield judged(self.name, session, laid, self.names)


@dataclass(frozen=True, eq=False)
class Coded:
    """A batch of records with their codes, (rows, latent). first: the number of the first, from 0;
    records: (rows,), their numbers in the source; table: their columns to carry along; None for
    pictures."""

    first: int
    records: Int
    table: Table | None
    codes: Records


def coded(graph: ScoreGraph, laid: Laid, columns: Sequence[str]) -> Coded:
    """Encode a batch of records by an encoder graph, with the columns to carry along: those named,
    or all if one of these is not there."""
    table = laid.table
    if table is not None and set(columns) <= set(table.names):
        table = table.only(columns)
    return Coded(laid.first, laid.records, table, graph(laid.inputs)["z"])


# what workers do with an item; what reading it left out goes back with what is wanted


def _scores_of(worker: Worker, item: Item) -> tuple[list[tuple[Int, Float]], LeftOut]:
    """Score an item in a worker: ((record numbers, scores), both (rows,), for each batch; which
    lines are no records)."""
    left = LeftOut()
    return [(batch.places, batch.scores) for batch in worker.batches(item, left)], left


def _codes_of(columns: Sequence[str], worker: Worker, item: Item) -> tuple[list[Coded], LeftOut]:
    """Encode an item in a worker: (each batch with its codes and these columns; which lines are no
    records)."""
    left = LeftOut()
    session = worker.bundle.session("encoder.onnx", worker.device)
    return [coded(session, laid, columns) for laid in worker.laid(item, left)], left


def _scored_of(worker: Worker, item: Item) -> tuple[list[Scored], LeftOut]:
    """Score an item in a worker: (each batch with all results of the score graph; which lines are
    no records)."""
    left = LeftOut()
    return list(worker.batches(item, left)), left


def _shares_of(wishes: Wishes, worker: Worker, item: Item) -> tuple[list[Share], LeftOut]:
    """Score an item in a worker and choose the records to report, where a record's own score
    decides whether it is flagged: (the share of each batch; which lines are no records)."""
    left = LeftOut()
    collector = _collector_of(worker, wishes)
    return [collector.share(batch, None)[0] for batch in worker.batches(item, left)], left


def _shares_of_flagged(
    wishes: Wishes,
    worker: Worker,
    sent: Flagged,
) -> tuple[list[Share], LeftOut]:
    """Score an item that is sent with the flags of its records, (rows,), and choose those to
    report: (the share of each batch; which lines are no records)."""
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
    """Scores all records of a source by a model, in this process or on an engine's workers, with
    equal results. engine: None for this process."""

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
        """((n,) the numbers of all records that can be read, from 0; (n,) their scores)."""
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
        """Encode all records, batch by batch. columns: those to carry along, see `coded`. The graph
        must be the model's encoder."""
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
        """Score all records; yields what is kept of each batch. flags: (records,), True for flagged
        ones; None where a record's own score decides. watch: sees every batch in this process."""
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
        """Yield the results of all batches in order, as `shares` does, but computed in this
        process, so that a watcher can see every batch. flags: (records,), which are flagged; None:
        the collector judges each batch by itself."""
        place = 0
        for batch in self._batches():
            own = None if flags is None else flags[place : place + len(batch.parts)]
            share, flagged, explained = collector.share(batch, own)
            if watch is not None:
                watch.batch(batch, share.scores, flagged, explained)
            place += len(batch.parts)
            yield share

    def _batches(self) -> Iterator[Scored]:
        """Score all records, batch by batch, with all that the score graph says of them."""
        if self.engine is None:
            yield from scored(self.source, self.bundle, self.graph)
            return
        for batches in self._mapped(_scored_of):
            yield from batches

    def _mapped(
        self, job: Callable[[Worker, Item], tuple[list[Result], LeftOut]]
    ) -> Iterator[list[Result]]:
        """Run a job on the engine for each piece of the source; yields the results in order."""
        worker, items = self._spread()
        yield from self._run(functools.partial(job, worker), ((item, item) for item in items))

    def _mapped_with(
        self,
        job: Callable[[Worker, Flagged], tuple[list[Result], LeftOut]],
        flags: Iterator[Mask],
    ) -> Iterator[list[Result]]:
        """Run a job on the engine for each piece of the source, sent with its flags; yields the
        results in order. flags: (rows,) for each piece."""
        worker, items = self._spread()
        sent = ((item, (item, next(flags))) for item in items)
        yield from self._run(functools.partial(job, worker), sent)

    def _run(
        self,
        job: Callable[[Sent], tuple[list[Result], LeftOut]],
        items: Iterable[tuple[Item, Sent]],
    ) -> Iterator[list[Result]]:
        """Run a job on the engine for each (item, what to send for it); yields the results in
        order. What the workers left out when they read is said here."""
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
        """(the worker to send, the items that it is to score): pieces of files where workers can
        read those, else batches of records. Rows with those before them in the order of a column
        are always prepared here."""
        source = self.source
        schema = self.bundle.schema
        worker = Worker(self.bundle, schema, source.name, self.device, names_in(source))
        if schema is not None and isinstance(source, TableSource):
            cut = pieces.pieces_of(source, pieces.FINER)
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
        """Yield each piece together with the rows before it. Workers read all pieces once for their
        last rows, so every row is read twice, and none in this process."""
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
