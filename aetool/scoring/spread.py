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
    (rows, columns), oldest first."""

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
    the source is written; None for pictures; name: of the source, for messages; names: of its
    pictures, () for a table; device: where graphs run."""

    bundle: Bundle
    schema: Schema | None
    name: str
    device: str
    names: Sequence[str] = ()

    def laid(self, item: Item, left: LeftOut) -> Iterator[Laid]:
        """Yield the records of an item as graph inputs, batch by batch. A piece is read here; an
        item that the sender has read comes as a Laid. left: collects which lines are no records, in
        place. DataError for records that the model does not take, and for a file that has
        changed."""
        if isinstance(item, Laid):
            yield item
            return
        if not isinstance(item, Continued):
            yield from self._read_encoded(item, left)
            return
        assert self.schema is not None
        history = History(self.schema, item.before)
        for laid in self._read_encoded(item.piece, left):
            assert laid.table is not None
            inputs = history.wide(laid.inputs, laid.table)
            yield dataclasses.replace(laid, inputs=inputs)

    def _read_encoded(self, piece: pieces.Piece, left: LeftOut) -> Iterator[Laid]:
        """Read the records of a piece, and yield them batch by batch as graph inputs of their own
        features alone: the rows before each, which some models need, are not yet beside them (see
        `laid`). left: gets what reading left out. Raises DataError where Schema.encode does."""
        assert self.schema is not None
        first = piece.first
        for table in piece.tables(left):
            for number, batch in enumerate_batches([table], first):
                # a piece has no batch of no records: that one is the whole source's
                if len(batch):
                    inputs = self.schema.encode(batch, self.name)
                    yield Laid(number, inputs, batch)
            first += len(table)

    def last_rows(self, piece: pieces.Piece) -> dict[str, Float]:
        """For each group, by its name ("" where the schema has no column of groups), the last rows
        of it in a piece, (rows, columns), oldest first: at most schema.context, as many as rows
        behind the piece may need. DataError as for `laid`, and for a table without the column of
        groups."""
        assert self.schema is not None
        history = History(self.schema)
        # what reading leaves out is noted where these records are scored, not here
        for laid in self._read_encoded(piece, LeftOut()):
            assert laid.table is not None
            history.remember(laid.inputs, laid.table)
        return history.last_of_groups

    def batches(self, item: Item, left: LeftOut) -> Iterator[Scored]:
        """Score the records of an item, and yield them batch by batch. left: gets what reading left
        out. DataError for records that the model does not take, for a file that has changed, and if
        a part of a score is not finite."""
        session = self.bundle.session("score.onnx", self.device)
        for laid in self.laid(item, left):
            yield judged(self.name, session, laid, self.names)


@dataclass(frozen=True, eq=False)
class Coded:
    """A batch of records with their codes, (rows, latent) float32. first: how many records of the
    source come before these; records: (rows,), their numbers in the source, from 0, which leave out
    what is no record; table: their columns to carry along, None for pictures."""

    first: int
    records: Int
    table: Table | None
    codes: Records


def coded(graph: ScoreGraph, laid: Laid, columns: Sequence[str]) -> Coded:
    """Encode a batch of records, `laid`, by an encoder graph, with the columns to carry along:
    those named, none if `columns` is empty, or all if one of these is not there, so that the caller
    can say which."""
    table = laid.table
    if table is not None and set(columns) <= set(table.names):
        table = table.only(columns)
    codes = graph(laid.inputs)["z"]
    return Coded(laid.first, laid.records, table, codes)


# what workers do with an item; what reading it left out goes back with what is wanted


def _scores_of(worker: Worker, item: Item) -> tuple[list[tuple[Int, Float]], LeftOut]:
    """Score an item in a worker: (for each batch (the records' numbers in the source, from 0,
    comments of a text counted; their scores), (rows,) both; which lines are no records)."""
    left = LeftOut()
    scores = [(batch.places, batch.scores) for batch in worker.batches(item, left)]
    return scores, left


def _codes_of(
    columns: Sequence[str],
    worker: Worker,
    item: Item,
) -> tuple[list[Coded], LeftOut]:
    """Encode an item in a worker: (each batch with its codes and these columns; which lines are no
    records)."""
    left = LeftOut()
    session = worker.bundle.session("encoder.onnx", worker.device)
    batches = [coded(session, laid, columns) for laid in worker.laid(item, left)]
    return batches, left


def _scored_of(worker: Worker, item: Item) -> tuple[list[Scored], LeftOut]:
    """Score an item in a worker: (each batch with all results of the score graph; which lines are
    no records)."""
    left = LeftOut()
    batches = list(worker.batches(item, left))
    return batches, left


def _shares_of(
    wishes: Wishes,
    worker: Worker,
    item: Item,
) -> tuple[list[Share], LeftOut]:
    """Score an item in a worker and choose the records to report, where a record's own score
    decides whether it is flagged: (the share of each batch; which lines are no records)."""
    left = LeftOut()
    collector = _collector_of(worker, wishes)
    shares = []
    for batch in worker.batches(item, left):
        share, *_ = collector.share(batch, None)
        shares.append(share)
    return shares, left


def _shares_of_flagged(
    wishes: Wishes,
    worker: Worker,
    sent: Flagged,
) -> tuple[list[Share], LeftOut]:
    """Score an item in a worker, and choose those of its records to report, where the sender has
    decided which are flagged: (the share of each batch; which lines are no records). sent: (item,
    (rows,) bool, True for its flagged records)."""
    item, flags = sent
    left = LeftOut()
    collector = _collector_of(worker, wishes)
    shares = []
    first = 0
    for batch in worker.batches(item, left):
        end = first + len(batch.parts)
        share, *_ = collector.share(batch, flags[first:end])
        shares.append(share)
        first = end
    return shares, left


def _collector_of(worker: Worker, wishes: Wishes) -> Collector:
    """Make the object that chooses, in a worker, the records to report as the wishes say."""
    session = worker.bundle.session("score.onnx", worker.device)
    return Collector(worker.bundle, wishes, session, worker.device, worker.schema)


class Scoring:
    """Scores all records of a source by a model, in this process or on an engine's workers, with
    equal results. graph: the model's score graph, or for `codes` its encoder; device: where workers
    run it. engine: None for this process, in which pictures in tiles are always scored. What is
    raised while a source is read, or by a worker, comes out of these methods."""

    def __init__(
        self,
        source: Source,
        bundle: Bundle,
        graph: ScoreGraph,
        device: str,
        engine: Engine | None = None,
    ) -> None:
        """Keep what is to be scored, and by what; see the class. Nothing is read yet."""
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
        """((n,) the numbers of all records that can be read, from 0; (n,) their scores). On an
        engine it also remembers how many records each item has, which `shares` needs."""
        # of no records there are no batches, and yet an array of each
        numbers: list[Int] = [np.zeros(0, np.int64)]
        scores: list[Float] = [np.zeros(0)]
        if self.engine is None:
            for batch in scored(self.source, self.bundle, self.graph):
                numbers.append(batch.places)
                scores.append(batch.scores)
            return np.concatenate(numbers), np.concatenate(scores)
        self._counts = []
        for batches in self._mapped_items(_scores_of):
            count = 0
            for batch_numbers, batch_scores in batches:
                numbers.append(batch_numbers)
                scores.append(batch_scores)
                count += len(batch_scores)
            # by these, flags are cut into those of each item
            self._counts.append(count)
        if isinstance(self.source, TableSource):
            # a piece of text counts comments, too
            numbers = [np.arange(sum(self._counts))]
        return np.concatenate(numbers), np.concatenate(scores)

    def codes(self, columns: Sequence[str] = ()) -> Iterator[Coded]:
        """Encode all records; yields them as Coded, batch by batch. columns: the names of those of
        a table to carry along, none if it is empty; if one of them is not there, all columns come
        along, and nothing is raised: the caller looks whether each is there. The `graph` of this
        object must be the model's encoder."""
        if self.engine is None:
            for laid in inputs_of(self.source, self.bundle):
                yield coded(self.graph, laid, columns)
            return
        job = functools.partial(_codes_of, tuple(columns))
        for batches in self._mapped_items(job):
            yield from batches

    def shares(
        self,
        wishes: Wishes,
        flags: Mask | None,
        collector: Collector,
        watch: Watch | None,
    ) -> Iterator[Share]:
        """Score all records; yields what is kept of each batch, in order. flags: (records,), True
        for flagged ones; None where a record's own score decides; on an engine they need a call of
        `scores` before. wishes: what workers keep; collector: what keeps it in this process. watch:
        sees every batch, in this process; None for none."""
        if self.engine is None or watch is not None:
            yield from self._shares_here(flags, collector, watch)
            return
        if flags is None:
            shares_of_items = self._mapped_items(functools.partial(_shares_of, wishes))
        else:
            # every item is sent with the flags of its own records
            ends = np.cumsum(self._counts, dtype=np.int64)
            flags_of_items = np.split(flags, ends[:-1])
            job = functools.partial(_shares_of_flagged, wishes)
            shares_of_items = self._mapped_items_with_flags(job, iter(flags_of_items))
        for shares in shares_of_items:
            yield from shares

    def _shares_here(
        self,
        flags: Mask | None,
        collector: Collector,
        watch: Watch | None,
    ) -> Iterator[Share]:
        """Yield what is kept of each batch, in order, chosen by `collector` in this process, so
        that `watch`, if there is one, can see every batch. flags: (records,) bool, which are
        flagged; None: the collector judges each batch by itself."""
        first = 0
        for batch in self._scored_batches():
            end = first + len(batch.parts)
            batch_flags = None
            if flags is not None:
                batch_flags = flags[first:end]
            share, flagged, explained = collector.share(batch, batch_flags)
            if watch is not None:
                watch.batch(batch, share.scores, flagged, explained)
            first = end
            yield share

    def _scored_batches(self) -> Iterator[Scored]:
        """Score all records, and yield them batch by batch, with all that the score graph says of
        them, here or on the engine."""
        if self.engine is None:
            yield from scored(self.source, self.bundle, self.graph)
            return
        for batches in self._mapped_items(_scored_of):
            yield from batches

    def _mapped_items(
        self,
        job: Callable[[Worker, Item], tuple[list[Result], LeftOut]],
    ) -> Iterator[list[Result]]:
        """Run a job on the engine for each piece of the source; yields the list of its results for
        each, in order. job: computes (a result for each batch of the piece, what reading left
        out)."""
        worker, items = self._worker_and_items()
        # what is sent for an item is the item itself
        sent = ((item, item) for item in items)
        yield from self._run_on_engine(functools.partial(job, worker), sent)

    def _mapped_items_with_flags(
        self,
        job: Callable[[Worker, Flagged], tuple[list[Result], LeftOut]],
        flags: Iterator[Mask],
    ) -> Iterator[list[Result]]:
        """Run a job on the engine for each piece of the source, sent with its flags; yields the
        list of its results for each, in order. job: computes of a worker and (piece, flags) (a
        result for each batch of the piece, what reading left out). flags: (rows,) bool for each
        piece, in order."""
        worker, items = self._worker_and_items()
        sent = ((item, (item, next(flags))) for item in items)
        yield from self._run_on_engine(functools.partial(job, worker), sent)

    def _run_on_engine(
        self,
        job: Callable[[Sent], tuple[list[Result], LeftOut]],
        items: Iterable[tuple[Item, Sent]],
    ) -> Iterator[list[Result]]:
        """Run a job on the engine for each (item, what to send for it); yields the list of its
        results for each, in order. job: computes of what is sent (a result for each batch of the
        item, what reading left out). What the workers left out when they read is said here, in
        notices. The scoring must have an engine."""
        assert self.engine is not None
        under_way: deque[Item] = deque()
        remarks = pieces.Remarks()

        def sent() -> Iterator[Sent]:
            """Yield what is to be sent, and note each item as under way, in order."""
            for item, message in items:
                under_way.append(item)
                yield message

        # an engine gives results in the order in which it took the items
        for result, left in self.engine.map(job, sent()):
            item = under_way.popleft()
            if isinstance(item, Continued):
                remarks.add(item.piece, left)
            elif not isinstance(item, Laid):
                remarks.add(item, left)
            yield result

    def _worker_and_items(self) -> tuple[Worker, Iterable[Item]]:
        """(the worker to send, the items that it is to score). Items are pieces of files where
        workers can read those, else batches of records, prepared here. Where the model looks back,
        a piece comes with the rows before it (Continued), for which workers first read all pieces
        once; where that goes by the order of a column, rows are always prepared here."""
        source = self.source
        schema = self.bundle.schema
        worker = Worker(
            bundle=self.bundle,
            schema=schema,
            name=source.name,
            device=self.device,
            names=names_in(source),
        )
        every_piece = self._pieces()
        if every_piece is None:
            return worker, inputs_of(source, self.bundle)
        assert schema is not None and isinstance(source, TableSource)
        first_batch = next(iter(source.batches()))
        head = first_batch.take(slice(0, ROWS))
        # numbers are written the same way in all pieces, and one alone may not show it
        schema_as_written = schema.as_written(head, source.decimal)
        worker = dataclasses.replace(worker, schema=schema_as_written)
        if schema.context:
            return worker, self._with_rows_before(worker, list(every_piece))
        return worker, every_piece

    def _pieces(self) -> Iterator[pieces.Piece] | None:
        """The pieces of the source that workers can read themselves; None where they cannot, or
        where rows are needed in the order of a column, or there are none."""
        schema = self.bundle.schema
        if schema is None or not isinstance(self.source, TableSource):
            return None
        every_piece = pieces.pieces_of(self.source, pieces.FINER)
        if every_piece is None or schema.order:
            return None
        # a source without a piece is read here, as one batch of no records
        first = next(every_piece, None)
        if first is None:
            return None
        return itertools.chain([first], every_piece)

    def _with_rows_before(
        self,
        worker: Worker,
        every_piece: Sequence[pieces.Piece],
    ) -> Iterator[Continued]:
        """Yield each piece together with the rows before it. Workers read all pieces once for their
        last rows, so every row is read twice, and none in this process."""
        assert self.engine is not None and worker.schema is not None
        steps = worker.schema.context
        last: dict[str, Float] = {}
        last_of_pieces = list(self.engine.map(worker.last_rows, every_piece))
        for piece, last_of_piece in zip(every_piece, last_of_pieces, strict=True):
            # of other groups than its own a piece need not know
            before = {name: last[name] for name in last_of_piece if name in last}
            yield Continued(piece, before)
            for name, rows in last_of_piece.items():
                earlier = last.get(name, rows[:0])
                # of a group with few rows in this piece those before it count on
                rows_so_far = np.concatenate([earlier, rows])
                last[name] = rows_so_far[-steps:]
