"""Scores of records in an archive by the bits that they take: `detect FILE.aez`, without any model.

A cell's cost is the bits that it takes given all other cells (codec.ledger: `judged`), and a
record's score is by how much its cells cost more than is usual in their columns, in bits. A column
of many digits costs much in every record, by chance more in some, and would drown the one cell of
another column that does not belong. Usual is what three of four cells of a column cost at most.

A number far out takes hardly more digits than any other. So a number has three prices beside that
in the file, by how far out it lies (outlying), each with what is usual of it. The one by which it
is most beyond counts whole, and each other by which it is beyond counts a quarter: a number that is
odd in several ways is odder. What a record's numbers cost together, by how far it lies from other
records (far_records), is shared among its cells.

Cells that cost less than usual do not make up for one that costs more: an odd value often comes
with a cheap one beside it, such as a gap or a zero.

Beside the score stands what the record took in the file. The bits of all records, plans and states
of coders are the payload, to the bit.
"""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from aetool.codec.archive import Archive
from aetool.codec.blocks import Block
from aetool.codec.container import MAGIC
from aetool.codec.ledger import Costs
from aetool.data.sources import TextPath
from aetool.data.table import Cells, Table, concat
from aetool.data.text import apart
from aetool.detection import reasons
from aetool.detection.calibration import Calibration
from aetool.detection.choice import Choice
from aetool.detection.trace import ScoreTrace
from aetool.engine import Chosen
from aetool.errors import DataError, ParamError
from aetool.files.attributes import is_file
from aetool.model import Float, Int
from aetool.scoring import far_records, outlying
from aetool.scoring.collecting import Reasons, check_columns
from aetool.scoring.results import Detection
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.bundle import Bundle
    from aetool.data.table import Mask
    from aetool.fits.asked import FitOptions

KEPT = 1_000_000  # scores that the threshold and p are by
# the part of a column's cells that cost no more than is usual: on 66 labelled sets, of the half
# "chosen" of benchmarks/halves.py, records are told apart best by it, and nearly as well by 0.6
USUAL = 0.75
# the part that a price counts for beside a higher one of the same cell: of 0, 0.25, 0.5 and 1 the
# records of these sets, and planted cells of 22 tables, are told apart best by 0.25 and 0.5
BESIDE = 0.25
KEPT_CELLS = 1 << 16  # of the records with the highest scores, in memory until they are reported
LONGEST = 40  # characters of a cell that is shown
MOST_DECIMALS = 4  # of bits, to tell a price from the usual one
EMPTY = "empty"
NO_RECORDS = "rows without a record"


@dataclass(frozen=True)
class ArchiveLedger:
    """How the bits of an archive's payload, that is its encoded blocks, are spent.

    records: how many there are; columns: the bits that all cells of a column took, by column;
    usual: by column the bits that three of four cells cost at most, averaged over the blocks;
    learning: bits that cells took and that belong to no record; overhead: bits that belong to no
    cell, by name of what took them. payload, file: in bytes. shown: the columns that `lines` and
    `table` list.
    """

    records: int
    columns: dict[str, float]
    usual: dict[str, float]
    learning: float
    overhead: dict[str, float]
    payload: int
    file: int
    shown: tuple[str, ...] = ()

    @property
    def taken(self) -> float:
        """The bits that all cells of all records took, learning included."""
        return sum(self.columns.values())

    def told(self) -> str:
        """One line of text that says how many bytes the file has, how many of these the records
        took, and how many belong to no record."""
        of_no_record = dict(self.overhead)
        if self.records:
            of_no_record = {"learning": self.learning, **self.overhead}
        parts = [f"{name} {bits / 8:,.0f}" for name, bits in of_no_record.items()]
        around = self.file - self.payload
        parts.append(f"all around {around:,}")
        bytes_of_records = (self.taken - self.learning) / 8
        return (
            f"{self.file:,} bytes: records {bytes_of_records:,.0f}; of no record: "
            f"{', '.join(parts)}"
        )

    def lines(self) -> Iterator[str]:
        """Yield a line for each of the columns `shown`, the most expensive first, then the line
        that `told` returns."""
        width = max(map(len, self.shown), default=0)
        for name in self._costliest_first():
            size = self.columns[name] / 8
            percent = 100 * self._share(name)
            yield (
                f"{name:<{width}}  {size:>12,.0f} bytes  {percent:5.1f} %  "
                f"{self._mean_bits(name):8.2f} bits a record, usually up to {self.usual[name]:.2f}"
            )
        yield self.told()

    def table(self) -> dict[str, list[str | float]]:
        """What the columns `shown` took, for programs, as lists by name, the most expensive column
        first: "column", "bytes", "share" of the bits that all columns took (0 to 1), "bits", the
        mean of a record, and "usual_bits" of a cell."""
        names = self._costliest_first()
        return {
            "column": [*names],
            "bytes": [round(self.columns[name] / 8) for name in names],
            "share": [round(self._share(name), 6) for name in names],
            "bits": [round(self._mean_bits(name), 4) for name in names],
            "usual_bits": [round(self.usual[name], 4) for name in names],
        }

    def _costliest_first(self) -> list[str]:
        return sorted(self.shown, key=lambda column: -self.columns[column])

    def _share(self, name: str) -> float:
        """The share, 0 to 1, that a column has of the bits that all columns took."""
        return self.columns[name] / max(self.taken, 1)

    def _mean_bits(self, name: str) -> float:
        """The mean bits that a cell of a column took; 0 without records."""
        return self.columns[name] / max(self.records, 1)


def is_archive(data: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether data is the path of an archive (.aez file), told by its first four bytes; False for
    whatever is no path of a file. OSError for a file that cannot be read."""
    if not isinstance(data, str | os.PathLike) or not is_file(data):
        return False
    with Path(data).open("rb") as file:
        # by its first bytes, whatever it is called
        return file.read(4) == MAGIC[:4]


def detect(
    data: str | os.PathLike[str],
    model: Bundle | None = None,
    choice: Choice | None = None,
    all_rows: bool = False,
    append: Sequence[str] | None = None,
    columns: Sequence[str] = (),
) -> Detection:
    """Score the records of an archive by the bits that their cells cost beyond the usual of their
    columns, and return those that `choice` flags, or all.

    model: the one that the archive needs, or None. choice: None flags what lies above the score
    that about one in 1,000 records exceeds. columns: judge by these alone; empty for all. append:
    columns to carry along ([]: all, None: none). ParamError for columns that are not there;
    DataError for a content that does not tell what a record costs; ArchiveError for a damaged
    archive, BundleError where its model is missing.
    """
    with Archive(data, model) as archive, archive.errors_as_damage():
        pricing = _Pricing(archive, choice or Choice(), list(columns))
        return pricing.run(all_rows, append)


def ledger_of(
    data: str | os.PathLike[str],
    model: Bundle | None = None,
    columns: Sequence[str] = (),
) -> ArchiveLedger:
    """How an archive's bits are spent on columns. model: the one that the archive needs, or None.
    columns: those that the ledger lists, each once; empty for all. Its sums and shares are of all
    columns in any case. ParamError for columns that are not there; DataError for one that no block
    stores apart, as where rows are stored as one text, and for a content that does not tell what a
    record costs; ArchiveError or BundleError for an archive or a model that is damaged."""
    with Archive(data, model) as archive, archive.errors_as_damage():
        if columns:
            archive.content.places(archive, columns)
        # every column is read, whichever are shown: shares are of all
        pricing = _Pricing(archive, Choice(), [])
        pricing.read()
        ledger = pricing.ledger()
    for name in columns:
        if name not in ledger.columns:
            raise DataError(
                f"{os.fspath(data)}: rows are stored as one text, which does not tell what "
                f"'{name}' takes; leave {option('--columns')} out"
            )
    if not columns:
        return ledger
    # one that is named twice is listed once
    shown = tuple(dict.fromkeys(columns))
    return dataclasses.replace(ledger, shown=shown)


def refuse_fit(
    data: str | os.PathLike[str],
    options: FitOptions | None,
    calibration: object,
) -> None:
    """Raise ParamError if something is given that detection in an archive cannot use: options of
    fitting, but for the device, that differ from their defaults, a calibration, or options of
    reading text, which a TextPath has. None is nothing given."""
    useless = []
    if options is not None:
        # loaded only here: detection in an archive needs nothing of what fits
        from aetool.fits.asked import names_asked

        useless += names_asked(options)
    if calibration is not None:
        useless.append(option("--calibration"))
    if isinstance(data, TextPath):
        useless.append("how its text is written")
    if useless:
        raise ParamError(
            f"{os.fspath(data)}: {', '.join(useless)}: an archive is judged by what its records "
            "take in it, and nothing is fitted or read anew; leave it out, or decompress the "
            "archive first"
        )


def refuse_engine(data: str | os.PathLike[str], executor: Chosen) -> None:
    """Raise ParamError for an executor, unless None, which detection in an archive cannot use."""
    if executor is not None:
        raise ParamError(
            f"{os.fspath(data)}: {option('--engine')}: the records of an archive are judged "
            "in one process; leave it out"
        )


@dataclass(eq=False)
class _FirstReading:
    """Results of the first reading of an archive, a list entry for each block: of its records their
    rows, from 0, scores, bits taken and p-values, (rows,) each; and for the archive its bits by
    column and by other names. usual: by column a list of the bits that three of four cells cost at
    most, one for each block that has the column."""

    rows: list[Int] = field(default_factory=list)
    scores: list[Float] = field(default_factory=list)
    bits: list[Float] = field(default_factory=list)
    p_values: list[Float] = field(default_factory=list)
    columns: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    overhead: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    usual: dict[str, list[float]] = field(default_factory=dict)
    learning: float = 0.0

    def add(self, costs: Costs) -> None:
        """Add up where the bits of one more block went: `learning`, `overhead`, `columns` and
        `usual` change, while the caller appends its scores, bits and p-values."""
        self.learning += float(costs.taken.sum() - costs.judged.sum())
        self.add_overhead(costs)
        usual = _usual_bits(costs.judged)
        for place, name in enumerate(costs.names):
            bits = costs.taken[:, place].sum()
            self.columns[name] += float(bits)
            self.usual.setdefault(name, []).append(float(usual[place]))

    def add_overhead(self, costs: Costs) -> None:
        """Add up what a block took for no record, in `overhead`."""
        for name, overhead in costs.overhead.items():
            self.overhead[name] += overhead


@dataclass(frozen=True, eq=False)
class _Prices:
    """What the cells of a block's records cost by all their prices: bits, and usual, what three of
    four cells of the column cost at most by that price by which the cell is most beyond it;
    (records, places) both. Where it is beyond the usual by other prices, too, a quarter of that
    (BESIDE) is in bits, and so is its part of what the record costs beyond the usual by its
    distance from others. rows: (records,), the indices of the records in the block; places: the
    indices of the columns that are judged."""

    bits: Float
    usual: Float
    rows: Int
    places: Sequence[int]

    @property
    def excess(self) -> Float:
        """(records, places): the bits that each cell costs beyond the usual, 0 where it costs
        less."""
        return np.maximum(self.bits - self.usual, 0)

    def of(self, rows: Int) -> _Prices:
        """The prices of some of the records. rows: (n,), their indices in the block, rising."""
        chosen = np.searchsorted(self.rows, rows)
        return _Prices(self.bits[chosen], self.usual[chosen], rows, self.places)


@dataclass(frozen=True, eq=False)
class _Reported:
    """Records of a block that are to be reported, or may be. rows: (n,), their indices in the
    block, rising; prices: of these records alone; names: of all columns of the block; cells: by
    these columns, the texts of the n records."""

    rows: Int
    prices: _Prices
    names: Sequence[str]
    cells: Sequence[Sequence[str]]

    def of(self, rows: Int) -> _Reported:
        """The same of some of its records alone. rows: (m,), indices in the block, rising."""
        chosen = np.searchsorted(self.rows, rows).tolist()
        cells = [[column[place] for place in chosen] for column in self.cells]
        return _Reported(rows, self.prices.of(rows), self.names, cells)


class _Pricing:
    """Reads an open archive, in bounded memory, for all scores, then once more the blocks with
    records to report that were not kept. Call `run` for these; or `read`, and then `ledger`.

    choice: which records are flagged. columns: judge by these alone, [] for all; ParamError if one
    is not there.
    """

    def __init__(self, archive: Archive, choice: Choice, columns: list[str]) -> None:
        self.archive = archive
        self.choice = choice
        self.columns = list(dict.fromkeys(columns))  # one that is named twice counts once
        self.totals = _FirstReading()
        self.trace = ScoreTrace()
        self._only: list[tuple[Block, Costs]] = []
        self._prices_of_only: _Prices | None = None
        # of each block, by its first row, the records with the highest scores, which are likely to
        # be reported, so that hardly any block is decoded again
        self._highest: dict[int, _Reported] = {}
        self._rows_told = ""
        if columns:
            archive.content.places(archive, columns)

    def read(self) -> None:
        """Read the archive for the first time, and remember the score of every record, and where
        its bits went, in `totals` and `trace`. DataError where some columns were chosen and a block
        stores its rows as one text, and for a content that does not tell what a record costs."""
        totals = self.totals
        # first: an index knows which of its rows are records once it has opened a part
        self._rows_told = self.archive.content.rows_told(self.archive)
        for block, every_cost in self._blocks_and_costs():
            costs, rows = _of_records(every_cost, self.archive.content.records_of(block))
            totals.rows.append(block.first + rows)
            # such as the last bracket of a list, where a block begins before it
            if block.rows and not len(rows):
                totals.add_overhead(costs)
                self.trace.add(np.zeros(block.rows))
                continue
            prices = self._prices(block, costs, rows)
            scores = prices.excess.sum(axis=1)
            bits = costs.taken[:, prices.places].sum(axis=1)
            # blocks have plans and frequencies of their own, so ranks are among a block's records
            ranks = Calibration.of(scores[:, None], kept=KEPT, is_stored=False)
            totals.scores.append(scores)
            totals.bits.append(bits)
            totals.p_values.append(ranks.p_values(scores))
            totals.add(costs)
            self._keep_highest(block, costs.names, prices, scores)
            # in the place of its row
            traced = np.zeros(block.rows)
            traced[rows] = scores
            self.trace.add(traced)

    def _keep_highest(
        self,
        block: Block,
        names: Sequence[str],
        prices: _Prices,
        scores: Float,
    ) -> None:
        """Keep what a report says of the records of a block with the highest scores, as many as
        leaves KEPT_CELLS cells in all. names: of its columns; scores: (records,). Nothing is kept
        of the only block of an archive, which stays decoded."""
        if self._only:
            return
        cells_a_block = KEPT_CELLS // len(self.archive.places)
        count = min(cells_a_block // max(len(names), 1), len(scores))
        if not count:
            return
        highest = np.argpartition(scores, -count)[-count:]
        rows = prices.rows[np.sort(highest)]
        cells = self.archive.content.cells(self.archive, block, rows)
        self._highest[block.first] = _Reported(rows, prices.of(rows), names, cells)

    def _blocks_and_costs(
        self, wanted: Sequence[int] | None = None
    ) -> Iterator[tuple[Block, Costs]]:
        """Yield each block with the costs of its cells, in order. wanted: the numbers of the
        blocks, from 0; None for all. The block of an archive that has only one is kept, so that it
        is decoded once however often this is called."""
        if self._only:
            yield from self._only
            return
        for block, costs in self.archive.costs(wanted):
            if len(self.archive.places) == 1:
                self._only.append((block, costs))
            yield block, costs

    def _prices(self, block: Block, costs: Costs, rows: Int) -> _Prices:
        """The prices of the cells of a block's records. costs: of its records alone; rows:
        (records,), their indices in the block. Where the archive has only one block, they are
        computed once and kept."""
        if self._prices_of_only is not None:
            return self._prices_of_only
        places = self._judged_columns(block, costs)
        numbers = self.archive.content.numbers(self.archive, block)
        of_records = []
        for place in places:
            of_column = numbers[place]
            of_records.append(None if of_column is None else of_column[rows])
        prices = _prices_most_beyond(costs.judged[:, places], of_records, rows, places)
        if self._only:
            self._prices_of_only = prices
        return prices

    def _judged_columns(self, block: Block, costs: Costs) -> list[int]:
        """The indices of the columns of a block that records are judged by, in the order of
        `columns`, or all. DataError for a block whose rows are stored as one text."""
        if not self.columns:
            return list(range(len(costs.names)))
        names = list(costs.names)
        places = []
        for name in self.columns:
            if name not in names:
                first = block.first + 1
                last = block.first + block.rows
                raise DataError(
                    f"{self.archive.reader.path}: rows {first:,} to {last:,} are stored as one "
                    f"text, which does not tell what '{name}' takes; leave {option('--columns')} "
                    "out"
                )
            places.append(names.index(name))
        return places

    def ledger(self) -> ArchiveLedger:
        """The ledger of all bits of the archive, after the first reading, `read`."""
        totals = self.totals
        payload_bits = sum(totals.columns.values()) + sum(totals.overhead.values())
        usual = {name: float(np.mean(of_blocks)) for name, of_blocks in totals.usual.items()}
        return ArchiveLedger(
            records=sum(map(len, totals.rows)),
            columns=dict(totals.columns),
            usual=usual,
            learning=totals.learning,
            overhead=dict(totals.overhead),
            payload=round(payload_bits / 8),
            file=self.archive.size,
            shown=tuple(totals.columns),
        )

    def run(self, all_rows: bool, append: Sequence[str] | None) -> Detection:
        """Read the archive twice, first for all scores, then for the records to report, and return
        these. all_rows: report all, not only flagged ones; append: columns to carry along ([]: all,
        None: none), ParamError if one is not there. DataError where some columns were chosen and a
        block stores its rows as one text, and for a content that does not tell what a record costs;
        ArchiveError for a damaged block."""
        if append and self.archive.kind == "table":
            # also where no record is flagged, of which no cell is looked at
            check_columns(append, apart(self.archive.content.names(self.archive)))
        self.read()
        nothing = [np.zeros(0)]
        scores = np.concatenate(self.totals.scores or nothing)
        p_values = np.concatenate(self.totals.p_values or nothing)
        bits = np.concatenate(self.totals.bits or nothing)
        row_of = np.concatenate(self.totals.rows or [np.zeros(0, np.int64)])
        flagged, threshold, rate = self._flags_and_threshold(scores)
        wanted = np.arange(len(scores)) if all_rows else np.flatnonzero(flagged)
        named: list[Reasons] = []
        tables: list[Table] = []
        for reported in self._reported(row_of[wanted]):
            named += _reasons_of_records(reported)
            if append is not None:
                tables.append(_columns_to_carry(reported.names, reported.cells, append))
        is_anomaly = flagged[wanted]
        lines = []
        for record_reasons, is_flagged in zip(named, is_anomaly.tolist(), strict=True):
            lines.append(_line_of_reasons(record_reasons, is_flagged))
        return Detection(
            row=row_of[wanted],
            score=scores[wanted],
            p=p_values[wanted],
            anomaly=is_anomaly,
            bits=bits[wanted],
            why=lines,
            named=named,
            threshold=threshold,
            total=len(scores),
            flagged=int(flagged.sum()),
            rate=rate,
            table=concat(tables) if tables else None,
            trace=self.trace,
            ledger=self.ledger(),
            calibrated_on=len(scores),
            has_idle_model=self.archive.has_idle_model,
            unit="bits",
            rows_told=self._rows_told,
            is_by_rank=self.choice.is_by_rank,
            is_listing=self.choice.top is not None,
        )

    def _flags_and_threshold(self, scores: Float) -> tuple[Mask, float, float | None]:
        """((n,) True for flagged records; the score that they lie above; the part of ordinary
        records that is meant to lie above it, None where the choice does not say). scores: (n,), of
        all records."""
        choice = self.choice
        # the records of the archive are their own calibration
        calibration = Calibration.of(scores[:, None], kept=KEPT, is_stored=False)
        calibration = dataclasses.replace(calibration, is_own=True)
        flagged, threshold = choice.flags(scores, calibration)
        rate = None
        if choice.is_by_rate and calibration.rows:
            rate = calibration.rate(choice.fpr)
        return flagged, threshold, rate

    def _reported(self, wanted: Int) -> Iterator[_Reported]:
        """Yield what is to be reported of the `wanted` records, (n,) rising row numbers, block by
        block, in order. Blocks of which other records are wanted than were kept are read again."""
        if not len(wanted):
            return
        starts = np.array([place.first for place in self.archive.places], np.int64)
        block_of_record = np.searchsorted(starts, wanted, "right") - 1
        numbers = np.unique(block_of_record).tolist()
        rows_of_blocks: dict[int, Int] = {}
        to_read = []
        for number in numbers:
            first = int(starts[number])
            rows = wanted[block_of_record == number] - first
            rows_of_blocks[first] = rows
            kept = self._highest.get(first)
            if kept is None or not np.isin(rows, kept.rows).all():
                to_read.append(number)
                self._highest.pop(first, None)
        read_again = self._blocks_and_costs(to_read) if to_read else iter(())
        for first, rows in rows_of_blocks.items():
            kept = self._highest.get(first)
            if kept is not None:
                yield kept.of(rows)
                continue
            block, every_cost = next(read_again)
            costs, rows_of_records = _of_records(every_cost, self.archive.content.records_of(block))
            prices = self._prices(block, costs, rows_of_records).of(rows)
            cells = self.archive.content.cells(self.archive, block, rows)
            yield _Reported(rows, prices, costs.names, cells)


def _of_records(costs: Costs, is_record: Mask | None) -> tuple[Costs, Int]:
    """(the costs of the rows of a block that are records, their indices in it). What the other rows
    took counts as overhead. is_record: (rows,), True for rows that are records; None if all are."""
    if is_record is None:
        return costs, np.arange(len(costs.taken))
    overhead = dict(costs.overhead)
    overhead[NO_RECORDS] = float(costs.taken[~is_record].sum())
    kept = dataclasses.replace(
        costs,
        taken=costs.taken[is_record],
        judged=costs.judged[is_record],
        overhead=overhead,
    )
    return kept, np.flatnonzero(is_record)


def _usual_bits(bits: Float) -> Float:
    """(columns,): the bits that three of four cells of each column cost at most; 0 without records.
    bits: (records, columns).

    The upper quartile, so that a value that a third of all cells have is no surprise.
    """
    records, columns = bits.shape
    usual = np.zeros(columns)
    if not records:
        return usual
    # many columns, such as those of words, have no price of numbers
    costs_some = bits.any(axis=0)
    usual[costs_some] = np.quantile(bits[:, costs_some], USUAL, axis=0)
    return usual


def _prices_most_beyond(
    judged: Float,
    numbers: Sequence[Float | None],
    rows: Int,
    places: Sequence[int],
) -> _Prices:
    """What each cell costs by all its prices: in the file, and of a number by how far out it lies
    and how far its record is from others.
    judged: (records, places), bits in the file; numbers: for each place (records,), or None. rows:
    (records,), the indices of the records in their block; places: the indices of the columns that
    are judged; both are only kept."""
    bits = judged
    usual = np.broadcast_to(_usual_bits(judged), judged.shape)
    sum_of_excess = np.maximum(bits - usual, 0)
    for other_bits in outlying.bits_of(numbers, len(judged)):
        other_usual = np.broadcast_to(_usual_bits(other_bits), judged.shape)
        sum_of_excess = sum_of_excess + np.maximum(other_bits - other_usual, 0)
        is_further = other_bits - other_usual > bits - usual
        bits = np.where(is_further, other_bits, bits)
        usual = np.where(is_further, other_usual, usual)
    excess_by_others = sum_of_excess - np.maximum(bits - usual, 0)
    excess_together = far_records.excess_bits(numbers, len(judged))
    # where a cell costs less than usual, its part of what they cost together counts all the same
    is_dear_together = excess_together > 0
    bits = np.where(is_dear_together, np.maximum(bits, usual), bits)
    bits = bits + BESIDE * excess_by_others + excess_together
    return _Prices(bits, usual, rows, places)


def _reasons_of_records(reported: _Reported) -> list[Reasons]:
    """For each of some records of a block: (column, cell, what it costs in words) for the at most
    three columns that cost most beyond the usual, none if no column does."""
    prices = reported.prices
    named = []
    for record, costly_columns in enumerate(reasons.columns(prices.bits, prices.usual)):
        record_reasons = []
        for column in costly_columns:
            place = prices.places[column]
            cell = shortened(reported.cells[place][record])
            cost = float(prices.bits[record, column])
            usual = float(prices.usual[record, column])
            price = price_of(cost, usual)
            record_reasons.append((reported.names[place], cell, price))
        named.append(record_reasons)
    return named


def price_of(bits: float, usual: float) -> str:
    """Words for what a cell costs and what is usual, both in bits, with as many decimals, up to
    MOST_DECIMALS (4), as they take to differ."""
    for decimals in range(1, MOST_DECIMALS + 1):
        price = f"{bits:.{decimals}f}"
        limit = f"{usual:.{decimals}f}"
        if price != limit:
            return f"{price} bits, usually up to {limit}"
    return f"hardly more than {limit} bits, up to which is usual"


def shortened(cell: str) -> str:
    """A cell without blanks at its ends; of more than 40 characters the first 40 and "..."; "empty"
    where nothing is left."""
    # first, so that a cell of many blanks is not dots alone
    cell = cell.strip()
    if len(cell) > LONGEST:
        return f"{cell[:LONGEST].rstrip()}..."
    return cell or EMPTY


def _line_of_reasons(named: Sequence[tuple[str, str, str]], is_anomaly: bool) -> str:
    """The reasons for a record on one line. named: (column, cell, what it costs) for each; without
    any, the line says of an anomaly that all values together make it one, and of an ordinary record
    that nothing is beyond the usual."""
    if not named:
        return reasons.line(named, is_anomaly)
    return "; ".join(f"{column}={cell} ({price})" for column, cell, price in named)


def _columns_to_carry(
    names: Sequence[str], cells: Sequence[Sequence[str]], append: Sequence[str]
) -> Table:
    """The columns of cells that the user wants in the result, as a table: those in `append`, or all
    if it is empty. names, cells: of all columns. ParamError for a column that is not there.

    Columns of the same name are numbered as in a text that is read: x, x.2, x.3.
    """
    different_names = apart(names)
    check_columns(append, different_names)
    carried = []
    for name in append or different_names:
        place = different_names.index(name)
        carried.append(Cells.of(list(cells[place])))
    return Table(tuple(append or different_names), tuple(carried))
