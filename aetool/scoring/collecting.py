"""Collects from scored batches the records to report, with their reasons; everything else is
dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from aetool.bundle import Bundle
from aetool.columns.schema import Schema
from aetool.data.table import Cells, Mask, Table
from aetool.detection import maps, picture_reasons, reasons
from aetool.detection.calibration import Calibration
from aetool.detection.maps import PixelCalibration
from aetool.detection.mending import Judged, Mender
from aetool.detection.regions import Box
from aetool.errors import ParamError
from aetool.mapping import pixels_of
from aetool.model import Float, Int
from aetool.printing import in_utf8
from aetool.scoring.batches import Pictured, Scored, ScoreGraph
from aetool.scoring.whole_levels import LevelCounts
from aetool.spelling import there_are

# of one record, for each column that says why: its name, what was found, what was expected
Reasons = list[tuple[str, str, str]]
# from inputs, (rows, inputs), to scores, (rows,)
Scores: TypeAlias = Callable[[Float], Float]


@dataclass(frozen=True, eq=False)
class Wishes:
    """Which scored records the caller wants to be reported, and how.

    calibration: what p-values are computed by; append: names of input columns to carry along ([]:
    all, None: none); decimal: the usual decimal mark of the source; all_rows: keep all records, not
    only flagged ones; cut: the score above which a record is flagged, unless flags are given.
    """

    calibration: Calibration
    append: Sequence[str] | None
    decimal: str
    all_rows: bool
    cut: float


@dataclass(frozen=True, eq=False)
class Share:
    """The results of one batch that a detection needs. scores: (n,), of all its records, reported
    or not; moments: (n,), their times in epoch seconds, None where records have none.

    levels: how many records have which words, and how many of these are flagged.

    The other fields have one entry for each of the k records to report: row, its number in the
    source, from 0; score; anomaly, whether it is flagged; why, its reasons on one line; named, the
    same by columns, empty for a picture; boxes, which a table has none of: the list is []. But
    tables has one entry, the table of the k rows, or none.
    """

    scores: Float
    moments: Float | None
    row: list[int]
    score: list[float]
    anomaly: list[bool]
    why: list[str]
    named: list[Reasons]
    boxes: list[Box | None]
    tables: list[Table]
    levels: LevelCounts


@dataclass(frozen=True, eq=False)
class Blame:
    """How much each column is to blame for the scores of records of a table. schema: the model's,
    with how the records are written; inputs, expected: (records, columns) in user units, NaN for a
    gap; surprise: (records, columns), by how much each column costs more than usual, in the unit of
    the score; named: for each record the indices of the columns that are given as reasons, the most
    surprising first, [] for none."""

    schema: Schema
    inputs: Float
    expected: Float
    surprise: Float
    named: list[list[int]]


@dataclass(frozen=True, eq=False)
class Explained:
    """The records of a batch that are reported. places: (n,), their indices in the batch; inputs:
    (n, ...), what the graphs took; expected: (n, columns), what the model expects there, None for
    pictures; named: for each the indices of the columns to name, the most surprising first, [] for
    a picture; pictures: each picture with its map and box, () for a table."""

    places: Int
    inputs: Float
    expected: Float | None
    named: Sequence[Sequence[int]]
    pictures: Sequence[Pictured] = ()


@dataclass(eq=False)
class Kept:
    """All reported records, gathered from the shares of all batches in order; each list, named as
    in Share, has an entry for each record, but tables one for each batch, and boxes is empty for a
    table. total: how many records were scored; levels: how many records have each word."""

    total: int = 0
    row: list[int] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    anomaly: list[bool] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    named: list[Reasons] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    boxes: list[Box | None] = field(default_factory=list)
    levels: LevelCounts = field(default_factory=LevelCounts)

    def add(self, share: Share) -> None:
        """Append the share of the next batch to all lists, and count its records, reported or not,
        in `total`."""
        self.total += len(share.scores)
        self.row += share.row
        self.score += share.score
        self.anomaly += share.anomaly
        self.why += share.why
        self.named += share.named
        self.boxes += share.boxes
        self.tables += share.tables
        self.levels.add(share.levels)


class Collector:
    """Chooses, batch by batch, the records to report: those flagged, or all if asked for; and finds
    the reasons for each. schema: the model's, with how the records are written; None takes that
    from the first batch. graph: the score graph, with which records are scored again to find which
    of their values is wrong; device: where it runs."""

    def __init__(
        self,
        bundle: Bundle,
        wishes: Wishes,
        graph: ScoreGraph,
        device: str,
        schema: Schema | None = None,
    ) -> None:
        """Find out how the model's reasons are told, by the outputs of its score graph. bundle: the
        model; wishes: what is to be reported, and how; graph, device, schema: see the class."""
        self.bundle = bundle
        self.wishes = wishes
        self.calibration = wishes.calibration
        # with how dates and numbers are written; None until the first batch shows it
        self.schema = schema

        def scores(inputs: Float) -> Float:
            """The scores, (rows,), of records, (rows, inputs), by the graph."""
            parts = graph(inputs)["parts"]
            return np.asarray(parts.sum(axis=1, dtype=np.float64))

        # scores records that have other values in place of theirs, to find out which is wrong;
        # None where that is not done for one column after the other
        self.scores_repaired: Scores | None = None
        self.mends = False
        self.threshold = np.inf
        self.graph = graph
        if bundle.schema is not None:
            outputs = bundle.session("score.onnx", device).outputs
            # Where one value is wrong, others look odd, too, as they are judged by it. The output
            # "surprise", of each column given all others, nearly tells which it is: expected
            # values are put in place of the few most odd ones (detection.mending), but not where
            # the rows before a row tell what to expect. With the output "likely" instead, other
            # values are tried in every column.
            tells_surprise = "surprise" in outputs
            self.mends = tells_surprise and not bundle.schema.context
            if self.mends:
                # once, and not for each batch
                self.threshold = self.calibration.threshold()
            if "likely" in outputs and not tells_surprise:
                self.scores_repaired = scores
        self.pixels: PixelCalibration | None = None
        if bundle.shape is not None:
            self.pixels = pixels_of(bundle)

    def share(self, batch: Scored, flagged: Mask | None) -> tuple[Share, Mask, Explained]:
        """Choose the records of a scored batch to report, and explain them: (the share of the
        batch, (rows,) True for flagged records, the records to report): the flagged ones, or all
        with wishes.all_rows. flagged: (rows,) bool, given where it depends on the scores of all
        batches; None flags all scores above the cut. The first batch of a table also sets `schema`,
        where that is None. ParamError for a column to carry along that is not there."""
        scores = batch.scores
        if flagged is None:
            flagged = scores > self.wishes.cut
        # the indices in the batch of the records to report
        keep = np.flatnonzero(flagged)
        if self.wishes.all_rows:
            keep = np.arange(len(scores))
        is_anomaly = flagged[keep]
        named: list[Reasons] = [[] for _ in keep]
        boxes: list[Box | None] = []
        moments = None
        levels = LevelCounts()
        if self.bundle.schema is not None:
            explained, named = self._explained_rows(batch, keep, is_anomaly)
            why = list(map(reasons.line, named, is_anomaly.tolist()))
            levels = LevelCounts.of(self.bundle.schema, batch.inputs, flagged)
            clock = self.bundle.schema.clock
            # pages draw scores over time where records have one
            if clock is not None:
                moments = batch.inputs[:, clock]
        else:
            explained, why, boxes = self._explained_pictures(batch, keep)
        # a table for each batch, which are joined at the end
        tables = []
        if self.wishes.append is not None:
            tables.append(self._own_columns(batch, keep))
        share = Share(
            scores=scores,
            moments=moments,
            row=batch.records[keep].tolist(),
            score=scores[keep].tolist(),
            anomaly=is_anomaly.tolist(),
            why=why,
            named=named,
            boxes=boxes,
            tables=tables,
            levels=levels,
        )
        return share, flagged, explained

    def _explained_rows(
        self,
        batch: Scored,
        keep: Int,
        flagged: Mask,
    ) -> tuple[Explained, list[Reasons]]:
        """(the rows of a table's batch whose indices are `keep`, with the indices of the columns to
        name; for each row a list of (column, found, expected) in words, [] where none is named).
        flagged: (kept,) bool, whether each of them is."""
        assert batch.table is not None
        blame = self.blame(batch, keep, flagged)
        named = reasons.explain(
            blame.schema,
            blame.inputs,
            blame.expected,
            blame.named,
            batch.table.take(keep),
        )
        explained = Explained(keep, blame.inputs, blame.expected, blame.named)
        return explained, named

    def _explained_pictures(
        self, batch: Scored, keep: Int
    ) -> tuple[Explained, list[str], list[Box | None]]:
        """(the pictures of a batch whose indices are `keep`, (n,), with their maps; for each a line
        of text that says where it is odd; for each the box around the worst region, or None)."""
        assert self.pixels is not None
        pictures = []
        why: list[str] = []
        for place in keep.tolist():
            pictured = batch.pictured(place, self.pixels)
            why.append(picture_line(batch, place, pictured, self.calibration))
            pictures.append(pictured)
        no_columns: list[list[int]] = [[] for _ in keep]
        explained = Explained(keep, batch.inputs[keep], None, no_columns, pictures)
        return explained, why, [picture.box for picture in pictures]

    def blame(self, batch: Scored, keep: Int, odd: Mask) -> Blame:
        """Find how much each column is to blame for the scores of some records of a table's batch,
        and which to name. keep: (kept,), the indices of these records; odd: (kept,) bool, True for
        those whose reasons are worth running the graph for again. Sets `schema` at the first batch,
        if it is None."""
        assert batch.table is not None and batch.expected is not None
        assert self.bundle.schema is not None
        if self.schema is None:
            # shown by the first batch, and the same for all others
            self.schema = self.bundle.schema.as_written(batch.table, self.wishes.decimal)
        schema = self.schema
        inputs = batch.inputs[keep]
        # the last part is of no column
        usual = self.calibration.typical[: len(schema.modelled)]
        surprise = batch.surprise[keep]
        expected = batch.expected[keep]
        if self.scores_repaired is not None and len(keep):
            # only of odd records, as each is scored many times
            gains, best = reasons.leave_one_out(
                schema,
                inputs[odd],
                self.scores_repaired,
                expected[odd],
            )
            surprise[odd] = gains
            expected[odd] = best
            # a gain is beyond the usual already, which is subtracted below
            surprise[odd] += usual
        # how rare a value is by itself; in other units a surprise cannot be weighed against bits
        alone = None
        if self.bundle.unit == "bits":
            alone = reasons.marginal_bits(schema, inputs)
        alike = reasons.as_expected(schema, inputs, expected)
        named = reasons.columns(surprise, usual, alone, alike)
        if self.mends and odd.any():
            places = np.flatnonzero(odd)
            mender = Mender(schema, self._judge, usual, self.calibration.p_values, self.threshold)
            mended = mender.told(inputs[places])
            surprise[places] = mended.surprise
            expected[places] = mended.expected
            for place, columns in zip(places.tolist(), mended.named, strict=True):
                named[place] = columns
        return Blame(schema, inputs, expected, surprise - usual, named)

    def _judge(self, inputs: Float) -> Judged:
        """Run the score graph on records, (rows, inputs), and return their scores, the surprise of
        each of their columns and what was expected there; X of the result is `inputs` itself, not a
        copy. Only for a graph that has the output "surprise"."""
        outputs = self.graph(inputs)
        return Judged(
            X=inputs,
            scores=np.asarray(outputs["parts"].sum(axis=1, dtype=np.float64)),
            surprise=outputs["surprise"].astype(np.float64),
            expected=outputs["expected"],
        )

    def _own_columns(self, batch: Scored, keep: Int) -> Table:
        """A table of the input columns in wishes.append, all of them for [], of the records whose
        indices are `keep`, (n,), in this order. Of pictures it has a column `file` of their names;
        of pictures without names no column. ParamError for a column that is not there."""
        wanted = self.wishes.append or ()
        table = batch.table
        if table is None:
            there = ("file",) if batch.names else ()
            check_columns(wanted, there)
            # an array of pictures: their numbers say all
            if not batch.names:
                return Table((), ())
            numbers = batch.records[keep].tolist()
            names = [in_utf8(batch.names[number]) for number in numbers]
            return Table(("file",), (Cells.of(names),))
        # an empty list stands for all columns
        if wanted:
            check_columns(wanted, table.names)
            unwanted = [name for name in table.names if name not in wanted]
            table = table.without(unwanted)
        return table.take(keep)


def picture_line(batch: Scored, place: int, picture: Pictured, calibration: Calibration) -> str:
    """A line of text that says where a picture is odd, and, where no pixel is above the usual,
    whether the picture as a whole is unlike those that were fitted. batch, place: the scored batch,
    and the picture's index in it; picture: the same with its map and box; calibration: the model's,
    which holds what is usual."""
    # the part of no pixel: the picture as a whole is unlike those that were fitted
    usual_shared_part = calibration.typical[-1]
    shared_part = batch.parts[place, -1]
    return picture_reasons.line(
        picture.box,
        maps.excess_of(picture.amounts),
        picture.picture,
        picture.expected,
        is_odd_as_a_whole=bool(shared_part > usual_shared_part),
    )


def check_columns(wanted: Sequence[str], there: Sequence[str]) -> None:
    """Raise ParamError for the first of the `wanted` columns that is not among those `there`."""
    for name in wanted:
        if name not in there:
            raise ParamError(f"no column '{name}'{there_are(name, there)}")
