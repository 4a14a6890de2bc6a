"""detect, score and evaluate: data and a bundle (or none) to scores, decisions and reasons."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from aetool import engine as engines
from aetool import hypertext, plugins
from aetool.bundle import Bundle
from aetool.columns.history import History, whole
from aetool.columns.schema import Schema
from aetool.csv.dialect import Reading
from aetool.data import arrow_files, notices, pieces
from aetool.data.images import ImageSource, Pixels
from aetool.data.pictures import labels
from aetool.data.pictures.decoding import Sight
from aetool.data.pictures.framed import FramedSource, framed
from aetool.data.pictures.framing import Framing
from aetool.data.sources import open_source
from aetool.data.table import Cells, Mask, Table, as_cells, concat
from aetool.data.table_source import ROWS, TableSource
from aetool.data.text import LeftOut
from aetool.detection import maps, picture_reasons, reasons
from aetool.detection.calibration import KEPT, Calibration, in_words, too_few_for
from aetool.detection.choice import Choice, check_part, highest
from aetool.detection.maps import PixelCalibration
from aetool.detection.regions import Box
from aetool.detection.trace import ScoreTrace
from aetool.errors import DataError, ParamError
from aetool.model import Float, Int
from aetool.operations import costing
from aetool.printing import in_utf8
from aetool.spelling import in_shell, option

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from aetool.data.heatmaps import Sheet
    from aetool.operations import fitting
    from aetool.operations.costing import ArchiveLedger, PricedRecords
    from aetool.report.svg import Drawing

Columns: TypeAlias = "dict[str, list[Any]]"
Texts = npt.NDArray[np.str_]
Kept = TypeVar("Kept")  # what a worker gives back of a batch
SHOWN = 20  # anomalies that a notebook is shown
# of the columns of the output; all others are text
TYPES = {
    "row": "int64", "score": "float64", "p": "float64", "anomaly": "bool", "bits": "float64",
}  # fmt: skip
# of the boxes of pictures: whole pixels but for the share, and gaps where there is no box
BOX = {"left": "int64", "top": "int64", "width": "int64", "height": "int64", "share": "float64"}
FEW = 100  # records that hardly tell what one in 1,000 of them is
EXACT = 1_000_000  # scores kept of a calibration that is not stored


@dataclass(frozen=True, eq=False)
class TileParts:
    """Of pictures that a model sees in tiles: parts of the tiles of each, (tiles, pixels of a tile
    + 1), and its width and height."""

    framing: Framing
    parts: Sequence[Float]
    sizes: Sequence[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Pictured:
    """A picture as the model sees it, (C, H, W) uint8; what was expected in its place, likewise in
    0 .. 255, or None; its map, (H, W), as aetool.detection.maps says; and the box around the worst
    of that, or None where nothing is above the usual."""

    picture: Pixels
    expected: Float | None
    amounts: Float
    box: Box | None


@dataclass(frozen=True, eq=False)
class Scored:
    """A batch: its first record's number (0-based), what the graphs took, parts, what reasons are
    ranked by (rows, columns), and expectation.

    Of pictures in tiles, parts are those of the worst tile of each, and inputs whole pictures;
    numbers: (rows,), which of the source they are.
    """

    first: int
    inputs: Any
    parts: Float
    surprise: Any
    expected: Any
    table: Table | None
    names: Sequence[str]
    tiles: TileParts | None = None
    numbers: Int | None = None

    @property
    def places(self) -> Int:
        """(rows,): their numbers, as batches count them; comments of a table have none."""
        if self.numbers is not None:
            return self.numbers
        return np.arange(self.first, self.first + len(self.parts))

    @property
    def scores(self) -> Float:
        """(rows,): of each record."""
        return np.asarray(self.parts.sum(axis=1, dtype=np.float64))

    def pictured(self, place: int, pixels: PixelCalibration) -> Pictured:
        """Where the picture at this place of the batch is odd; of one in tiles, which overlap, by
        the mean of their maps."""
        if self.tiles is None:
            amounts = pixels.maps(self.parts[place : place + 1])[0]
        else:
            of_tiles = pixels.maps(self.tiles.parts[place])
            amounts = self.tiles.framing.stitched(of_tiles, *self.tiles.sizes[place])
        expected = None if self.expected is None else self.expected[place]
        box = maps.box_of_worst(amounts, pixels.deviation)
        return Pictured(self.inputs[place], expected, amounts, box)

    @property
    def records(self) -> Int:
        """(rows,): which records of the source these are, from 0."""
        if self.numbers is not None:
            return self.numbers
        if self.table is None:
            return np.arange(self.first, self.first + len(self.parts))
        return self.table.records


@dataclass(frozen=True, eq=False, repr=False)
class Detection:
    """The records asked for: of `top` the highest score first, else in input order.

    row: 0-based; score in `unit`; p: conformal p-value; named: (column, found, expected) of the
    columns that say why; why: the same on one line; table: the records' own columns, if asked.
    rate: the part of ordinary records that the threshold is meant to flag, if that is what it was
    chosen by. trace: the scores of all records; held_out: of ordinary ones, where a model brought
    them. unread: (row, its name, why) of the pictures that could not be read. boxes: of pictures
    the box around the worst of each; look: gives more of them, by rows. bits: of an archive what
    each record took in it; ledger: what all of it took. calibrated_on: how many records the
    threshold and p are by. has_idle_model: whether a model came with an archive, which does not
    need it.
    """

    row: Int
    score: Float
    p: Float
    anomaly: Any
    why: list[str]
    named: list[list[tuple[str, str, str]]]
    threshold: float
    total: int
    flagged: int
    unit: str
    table: Table | None = None
    index: Any = None
    rate: float | None = None
    trace: ScoreTrace | None = None
    held_out: Calibration | None = None
    unread: Sequence[tuple[int, str, str]] = ()
    boxes: Sequence[Box | None] = ()
    look: Callable[[Int], list[Pictured]] | None = None
    bits: Float | None = None
    ledger: ArchiveLedger | None = None
    calibrated_on: int = 0
    has_idle_model: bool = False

    def ranked(self) -> Detection:
        """The same records, the highest score first."""
        order = np.argsort(-self.score, kind="stable")
        return dataclasses.replace(
            self,
            row=self.row[order],
            score=self.score[order],
            p=self.p[order],
            anomaly=self.anomaly[order],
            why=[self.why[i] for i in order],
            named=[self.named[i] for i in order],
            boxes=[self.boxes[i] for i in order] if self.boxes else (),
            bits=None if self.bits is None else self.bits[order],
            table=None if self.table is None else self.table.take(order),
        )

    def __repr__(self) -> str:
        return f"<aetool detection: {self.verdict()}>"

    def _repr_html_(self) -> str:
        ranked = self.ranked()
        rows = []
        for place in np.flatnonzero(ranked.anomaly)[:SHOWN].tolist():
            number, score = ranked.row[place] + 1, f"{ranked.score[place]:.6g}"
            rows.append((f"{number:,}", score, f"{ranked.p[place]:.4g}", ranked.why[place]))
        return hypertext.table(self.verdict(), rows, ("row", "score", "p", "why"))

    def verdict(self) -> str:
        """How many records are flagged, and by what threshold, in one line."""
        part = 100 * self.flagged / max(self.total, 1)
        rare = ""
        if self.rate and self.threshold < float("inf"):
            rare = f", which {in_words(self.rate)} exceed"
        rest = f"; {len(self.unread):,} more could not be read" if self.unread else ""
        if not self.total:
            return f"0 of 0 records flagged: it holds no records{rest}"
        # with as many asked for as there are, no score is too low
        least = f"score above {self.threshold:.4g} {self.unit}"
        if self.threshold == float("-inf"):
            least = "whatever their score"
        return f"{self.flagged} of {self.total} records flagged ({part:.3g} %): {least}{rare}{rest}"

    def notes(self) -> list[str]:
        """What one may not expect of the threshold, or of the model, a line each."""
        said = []
        if self.has_idle_model:
            said.append(
                "the model was not used: an archive is judged by what its records take in it; to "
                "use the model, decompress first"
            )
        if self.rate is None or not self.total:
            return said
        more = f"use {option('--top')} N, or give more records"
        if self.threshold == float("inf"):
            return [*said, f"{too_few_for(self.calibrated_on, self.rate)}: {more}"]
        learned_here = self.held_out is None and self.trace is not None
        if learned_here and not self.flagged and self.total < FEW:
            assert self.trace is not None
            said.append(
                f"{self.total:,} records are few for a threshold that 1 in {1 / self.rate:,.0f} "
                f"exceed; the highest score is {self.trace.highest.max():.4g} {self.unit}: "
                f"{option('--top')} {min(5, self.total)} shows the highest"
            )
        return said

    @functools.cached_property
    def maps(self) -> list[Float]:
        """The map of each record, (H, W), in multiples of the pixel threshold, as
        aetool.detection.maps says; scored anew when first asked for. ParamError for tables."""
        if self.look is None:
            raise ParamError("maps are of pictures, and these are records of a table")
        return [one.amounts for one in self.look(self.row)]

    def plot(self) -> Drawing | Sheet:
        """The scores of all records with the threshold and the highest that are flagged: a drawing
        that notebooks show, and `save` writes as an SVG file. Of pictures the highest themselves,
        beside what was expected and where they are odd; `save` writes a PNG file."""
        if self.look is not None:
            # who detects and draws nothing need not load how
            from aetool.operations import heatmaps

            return heatmaps.sheet_of(self)
        # who detects and draws nothing need not load how
        from aetool.report import charts

        flagged = np.flatnonzero(self.anomaly)
        highest = flagged[np.argsort(-self.score[flagged], kind="stable")]
        marks = [
            charts.Mark(
                int(self.row[i]), float(self.score[i]), f"row {self.row[i] + 1}: {self.why[i]}"
            )
            for i in highest[: charts.MOST_MARKS].tolist()
        ]
        trace = self.trace or ScoreTrace()
        return charts.score_over_records(trace, self.threshold, self.unit, marks)

    def columns(self, everything: bool = False, boxes: bool = True) -> Columns:
        """The output table: row (1-based), score, p, why; of pictures the box around the worst, in
        pixels, and its share of the excess; anomaly when not only anomalies are in it; then the
        input's own columns; error where pictures could not be read, which have neither score nor p.
        boxes: whether those of pictures are in it."""
        out: Columns = {
            "row": (self.row + 1).tolist(),
            "score": [float(f"{v:.6g}") for v in self.score],
            "p": [float(f"{v:.4g}") for v in self.p],
            "why": self.why,
        }
        if self.bits is not None:
            out["bits"] = [float(f"{v:.6g}") for v in self.bits]
        for name in BOX if boxes and self.look is not None else ():
            out[name] = [None if box is None else getattr(box, name) for box in self.boxes]
        if "share" in out:
            out["share"] = [None if v is None else float(f"{v:.3g}") for v in out["share"]]
        if everything:
            out["anomaly"] = [bool(v) for v in self.anomaly]
        if self.table is not None:
            for name, values in zip(self.table.names, self.table.values, strict=True):
                label = name if name not in out else f"input.{name}"
                out[label] = list(as_cells(values).strings())
        return self._with_unread(out) if self.unread else out

    def _with_unread(self, columns: Columns) -> Columns:
        """The output table with a row for each picture that could not be read: in its place, or
        last where records are ranked."""
        out = {name: list(values) for name, values in columns.items()}
        out["error"] = [""] * len(self.row)
        for record, name, reason in self.unread:
            own = {"row": record + 1, "file": name, "error": reason}
            own |= {"score": None, "p": None, "anomaly": False} | dict.fromkeys(BOX)
            for column, values in out.items():
                values.append(own.get(column, ""))
        rows = self.row.tolist()
        if rows == sorted(rows):
            order = np.argsort(out["row"], kind="stable").tolist()
            out = {name: [values[place] for place in order] for name, values in out.items()}
        return out

    def to_pandas(self) -> pd.DataFrame:
        """The output as a DataFrame; on the caller's own index if the data were a DataFrame. Its
        types are the same where no record is in it: int64, float64, bool, and text."""
        import pandas as pd

        columns = self.columns(everything=True)
        typed = {}
        for name, values in columns.items():
            kind = TYPES.get(name, "str")
            if self.look is not None and name in BOX:
                # whole numbers with gaps
                kind = BOX[name].replace("int64", "Int64")
            typed[name] = pd.Series(values, dtype=kind)
        found = pd.DataFrame(typed)
        if self.index is not None:
            found.index = self.index[self.row]
        return found

    def to_arrow(self) -> pa.Table:
        """The output as an Arrow table, of the same types as to_pandas."""
        types = TYPES if self.look is None else TYPES | BOX
        return arrow_files.table_of(self.columns(everything=True), types)

    def to_polars(self) -> pl.DataFrame:
        """The output as a DataFrame of polars. ParamError where polars is not installed."""
        try:
            import polars as pl
        except ImportError:
            raise ParamError("polars is not installed: pip install polars") from None
        found = pl.from_arrow(self.to_arrow())
        assert isinstance(found, pl.DataFrame)
        return found


@dataclass(frozen=True, eq=False)
class Blame:
    """What columns have to do with the scores of records: inputs and expected, (records, columns),
    in user units; surprise, (records, columns), beyond the usual; named: the places of the columns
    that say why, of each record."""

    schema: Schema
    inputs: Float
    expected: Float
    surprise: Float
    named: list[list[int]]


Source = TableSource | ImageSource
Parts = Callable[[Any], Any]  # the outputs of a score graph for its inputs


@dataclass(frozen=True, eq=False)
class Explained:
    """Of a batch the records to report, by their place in it, (n,); and of these what the graphs
    took and what was expected in its place, (n, columns), and the places of the columns to name,
    the most surprising first. Of pictures no column is named; pictures says where they are odd."""

    places: Int
    inputs: Float
    expected: Float | None
    named: Sequence[Sequence[int]]
    pictures: Sequence[Pictured] = ()


class Watch(Protocol):
    """Sees every record on its way through detect."""

    def begin(self, name: str, bundle: Bundle, calibration: Calibration) -> None:
        """The name of the source, the model, and the calibration that p is by."""

    def begin_archive(self, name: str) -> None:
        """Instead of all else: the name of an archive, whose records no model scores. ParamError
        for who has nothing to do then."""

    def batch(self, batch: Scored, scores: Float, flagged: Mask, explained: Explained) -> None:
        """A batch, the score of each record, whether it is flagged, and those to report."""


@dataclass(frozen=True)
class Watches:
    """Several who watch, as one."""

    watches: Sequence[Watch]

    def begin(self, name: str, bundle: Bundle, calibration: Calibration) -> None:
        """Tells all of them."""
        for watch in self.watches:
            watch.begin(name, bundle, calibration)

    def begin_archive(self, name: str) -> None:
        """Tells all of them."""
        for watch in self.watches:
            watch.begin_archive(name)

    def batch(self, batch: Scored, scores: Float, flagged: Mask, explained: Explained) -> None:
        """Shows it to all of them."""
        for watch in self.watches:
            watch.batch(batch, scores, flagged, explained)


def detect(
    data: Any,
    model: Bundle | None = None,
    *,
    fit: fitting.FitOptions | None = None,
    threshold: float | None = None,
    fpr: float | None = None,
    fdr: float | None = None,
    contamination: float | None = None,
    top: int | None = None,
    calibration: Any = None,
    all_rows: bool = False,
    append: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    device: str = "auto",
    watch: Watch | None = None,
    executor: engines.Chosen = None,
) -> Detection:
    """Score every record; return those above the threshold (or the top N, the highest score first;
    or all).

    Without a model one is learned from the data themselves, robustly: no record is scored by a
    model that has seen it (aetool.folds). append: names of input columns to carry
    along ([]: all). fdr: the part of the records called anomalies that may be ordinary ones.
    calibration: ordinary records that the model has not seen, in place of those it held out: p,
    fpr and fdr are then exact. At most one of threshold, fpr, fdr, contamination and top may be
    given. watch: is shown every batch. executor: what computes scores, by a name that aetool.engine
    knows, or an executor: they are the same whatever computes them.

    An archive is judged by what its records take in it, see aetool.operations.costing; columns: by
    these alone.
    """
    choice = Choice(threshold, fpr, fdr, contamination, top)
    choice.check()
    if costing.is_archive(data):
        costing.refuse_fit(data, fit, calibration)
        if executor is not None:
            raise ParamError(
                f"{os.fspath(data)}: {option('--engine')}: the records of an archive are judged "
                "in one process; leave it out"
            )
        if watch is not None:
            watch.begin_archive(os.fspath(data))
        priced = costing.priced(data, model, choice, all_rows, append, columns)
        found = _of_archive(priced)
        return found if top is None or all_rows else found.ranked()
    if columns:
        raise ParamError(
            f"{option('--columns')} is of archives; in data leave columns out with "
            f"{option('--drop')} or {option('--keep')}"
        )
    if calibration is not None and model is None:
        raise ParamError(
            f"{option('--calibration')} needs a model ({option('-m')}): what is learned here "
            "is of these data"
        )
    opened = open_source(data, known_of(model))
    if model is not None and isinstance(opened, ImageSource):
        labels.say_parts(opened)
    source, scorer, bundle, held = _scorer(opened, model, fit, device)
    if append is None and getattr(source, "names", None):
        append = []  # pictures are known by their names
    with engines.opened(executor) as engine:
        if calibration is not None:
            held = calibrate(bundle, calibration, device, executor=engine)
        scoring = Scoring(source, bundle, scorer, device, engine)
        cut = held.threshold(fpr) if threshold is None else threshold
        flags: Mask | None = None
        if choice.is_by_rank:
            _, scores = scoring.scores()
            places, cut = highest(scores, choice.count(held.p_values(scores)))
            flags = np.zeros(len(scores), np.bool_)
            flags[places] = True
        decimal = source.decimal if isinstance(source, TableSource) else "."
        wishes = Wishes(held, append, decimal, all_rows, cut)
        collected = Collected(bundle, wishes, scorer, device)
        trace = ScoreTrace()
        if watch is not None:
            watch.begin(source.name, bundle, held)
        for share in scoring.shares(wishes, flags, collected, watch):
            trace.add(share.scores, share.moments)
            collected.take(share)
    found = collected.done(cut, arrow_files.index_of(data), unread_of(source))
    apart = model is not None or calibration is not None
    rate = held.rate(fpr) if choice.is_by_rate and held.rows else None
    found = dataclasses.replace(found, rate=rate, trace=trace, held_out=held if apart else None)
    found = dataclasses.replace(found, calibrated_on=held.rows)
    found = dataclasses.replace(found, look=_looker(source, bundle, scorer, collected.pixels))
    return found if top is None or all_rows else found.ranked()


def _of_archive(records: PricedRecords) -> Detection:
    """What is reported of the records of an archive."""
    told = {one.name: getattr(records, one.name) for one in dataclasses.fields(records)}
    return Detection(**told, unit="bits")


def calibrate(
    model: Bundle,
    data: Any,
    device: str = "auto",
    kept: int = EXACT,
    executor: engines.Chosen = None,
) -> Calibration:
    """The model's calibration by ordinary records that it has not seen."""
    source = open_source(data, known_of(model))
    source, scorer, _, _ = _scorer(source, model, None, device)
    with engines.opened(executor) as engine:
        _, scores = Scoring(source, model, scorer, device, engine).scores()
    if not len(scores):
        raise DataError(f"{source.name}: no records to calibrate on")
    expected = model.calibration.expected
    found = Calibration.of(scores[:, None], kept=kept, expected=expected)
    return dataclasses.replace(found, typical=model.calibration.typical)


def calibrated(
    model: Bundle, data: Any = None, fpr: float | None = None, device: str = "auto"
) -> Bundle:
    """The model with a calibration by other records, if given, and with this default threshold.

    Its lineage names the model that it was made of.
    """
    check_part("fpr", fpr)
    found, facts = model.calibration, model.facts
    if data is not None:
        found = calibrate(model, data, device, KEPT)
        facts = {**facts, "calibrated_apart": True}
    found = dataclasses.replace(found, fpr=fpr)
    lineage = {**model.lineage, "parent": model.sha256}
    return dataclasses.replace(model, calibration=found, facts=facts, lineage=lineage, _sessions={})


def score(data: Any, model: Bundle, device: str = "auto", executor: engines.Chosen = None) -> Float:
    """(rows,) float64: each record's score; NaN of a picture that cannot be read."""
    opened = open_source(data, known_of(model))
    source, scorer, bundle, _ = _scorer(opened, model, None, device)
    with engines.opened(executor) as engine:
        numbers, scores = Scoring(source, bundle, scorer, device, engine).scores()
    if not unread_of(source):
        return scores
    every = np.full(len(scores) + len(unread_of(source)), np.nan)
    every[numbers] = scores
    return every


def maps_of(data: object, model: Bundle, device: str = "auto") -> Float | list[Float]:
    """(pictures, H, W): the map of each, as aetool.detection.maps says; a list of them where they
    differ in size. DataError for tables."""
    from aetool.operations import mapping

    pixels = mapping.pixels_of(model)
    source, scorer, bundle, _ = _scorer(open_source(data, known_of(model)), model, None, device)
    found: list[Float] = []
    for batch in scored(source, bundle, scorer):
        found += [batch.pictured(place, pixels).amounts for place in range(len(batch.parts))]
    sizes = {one.shape for one in found}
    return np.stack(found) if len(sizes) == 1 else found


def encode(data: Any, model: Bundle, device: str = "auto", executor: engines.Chosen = None) -> Any:
    """(rows, latent) float32: each record's code."""
    source = seen_by(open_source(data, known_of(model)), model)
    session = model.session("encoder.onnx", device)
    with engines.opened(executor) as engine:
        return np.concatenate(Scoring(source, model, session, device, engine).codes())


def evaluate(
    data: Any,
    model: Bundle | None,
    label: str | None = None,
    normal: Sequence[str] = (),
    device: str = "auto",
    fit: fitting.FitOptions | None = None,
    masks: str | os.PathLike[str] | None = None,
    executor: engines.Chosen = None,
) -> dict[str, float]:
    """AUROC and average precision of the score against labels, and precision and recall at the
    model's threshold. label, normal: a column of a table, and its values of ordinary records; the
    label of pictures is their folder, and good the usual one of ordinary ones. Without a model a
    closed form is learned from all rows, as `detect` does. masks: a folder of masks of what is
    wrong in pictures, see aetool.data.masks: then the figures of maps beside them, too."""
    from aetool.operations import fitting, preparing

    source = open_source(data, known_of(model))
    if isinstance(source, ImageSource):
        source = labels.to_judge(source)
        fit = None if fit is None else dataclasses.replace(fit, label=None, normal=())
    elif label is None or not normal:
        raise ParamError(
            f"{source.name}: a table is judged by a column: give {option('--label')} COLUMN and "
            f"{option('--normal')} VALUE, of ordinary rows"
        )
    if model is None and fit is None:
        label_column = None if isinstance(source, ImageSource) else label
        fit = fitting.FitOptions(label=label_column)
    source, scorer, bundle, calibration = _scorer(source, model, fit, device)
    with engines.opened(executor) as engine:
        numbers, scores = Scoring(source, bundle, scorer, device, engine).scores()
    if isinstance(source, ImageSource):
        found = _labels_of_pictures(source, label, numbers)
        normal = normal or labels.ordinary_in(source.name, found.tolist())
    else:
        assert label is not None
        batches = [preparing.labels(b, label, source.name) for b in source.batches()]
        found = np.concatenate(batches)
    truth = ~np.isin(found, list(normal))
    if truth.all() or not truth.any():
        raise ParamError(
            f"both kinds of rows are needed: {int(truth.sum())} of {len(truth)} differ from "
            f"{' or '.join(normal)} in {label or labels.FOLDER}"
        )
    flagged = scores > calibration.threshold()
    hits = int((flagged & truth).sum())
    figures = {
        "rows": len(truth),
        "anomalies": int(truth.sum()),
        "auroc": auroc(scores, truth),
        "average_precision": average_precision(scores, truth),
        "threshold": calibration.threshold(),
        "flagged": int(flagged.sum()),
        "precision": hits / max(int(flagged.sum()), 1),
        "recall": hits / int(truth.sum()),
    }
    if masks is None:
        return figures
    # who has no masks need not load how maps are judged by them
    from aetool.operations import judging

    ordinary = set(numbers[~truth].tolist())
    of_pixels = judging.pixel_figures(scored(source, bundle, scorer), bundle, masks, ordinary)
    return figures | of_pixels


def _labels_of_pictures(source: ImageSource, label: str | None, numbers: Int) -> Texts:
    """(rows,): the folders of pictures of these numbers. ParamError for any other label."""
    if label not in (None, labels.FOLDER) or not source.names:
        raise ParamError(
            f"pictures are labelled by their folder: {option('--label')} folder "
            f"{option('--normal')} good"
        )
    return np.array(labels.labels_of([source.names[number] for number in numbers.tolist()]))


def auroc(scores: Float, truth: Any) -> float:
    """Probability that an anomaly outscores a normal record, ties counting half (Mann-Whitney)."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    anomalies = int(truth.sum())
    normals = len(truth) - anomalies
    return float((rank[truth].sum() - anomalies * (anomalies + 1) / 2) / (anomalies * normals))


def average_precision(scores: Float, truth: Any) -> float:
    """Sum over thresholds of (recall gained) x precision; ties are one threshold."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(truth[order])[ends]
    gained = np.diff(np.concatenate([[0], hits])) / truth.sum()
    return float((gained * hits / (ends + 1)).sum())


def _scorer(
    source: TableSource | ImageSource,
    model: Bundle | None,
    options: fitting.FitOptions | None,
    device: str,
) -> tuple[TableSource | ImageSource, Parts, Bundle, Calibration]:
    """The source as the model sees it, what gives the outputs of the score graph, the model, and
    its calibration."""
    if model is not None:
        session = model.session("score.onnx", device)
        return seen_by(source, model), session, model, model.calibration
    # with a model nothing is fitted, and what it takes to fit is not loaded
    from aetool.operations import fitting

    options = options or fitting.FitOptions()
    chosen = fitting.declared(options, fitting.DEFAULT)
    if not chosen.members and not hasattr(plugins.resolve(chosen.net), "fit"):
        first = f"aetool.fit(data, plugin={chosen.name!r})"
        if in_shell():
            first = f"aetool fit {source.name} -p {chosen.name}"
        raise ParamError(
            f"detect without a model takes a closed form, not {chosen.name}; first: {first}"
        )
    # the records are judged that the model is fitted on: anomalies are among them
    here = dataclasses.replace(options, robust=True, closed=True)
    bundle = fitting.fit_source(source, here)
    session = bundle.session("score.onnx", device)
    source = seen_by(source, bundle)
    # no other records are to come: how rare a score is, it is among these
    _, scores = Scoring(source, bundle, session, device).scores()
    expected = bundle.calibration.expected
    held = Calibration.of(scores[:, None], kept=EXACT, expected=expected)
    held = dataclasses.replace(held, typical=bundle.calibration.typical)
    return source, session, bundle, held


def known_of(model: Bundle | None) -> Reading:
    """What a model, if there is one, knows of how its tables are written."""
    return Reading() if model is None else model.reading


def seen_by(
    source: TableSource | ImageSource, model: Bundle, strict: bool = False
) -> TableSource | ImageSource:
    """The source as the model takes it: pictures by its framing. strict: of pictures one that
    cannot be read is an error.

    DataError if the model was fitted on other data than these.
    """
    if isinstance(source, FramedSource):
        return source
    if source.kind != model.kind:
        raise DataError(f"{source.name}: holds {source.kind}s, {model.name} is of {model.kind}s")
    if not isinstance(source, ImageSource):
        return source
    _check_size(source, model)
    return framed(source, model.view, strict)


def _check_size(source: ImageSource, model: Bundle) -> None:
    """DataError where most pictures have not the size that the model needs. What kind of them is
    seen as another is said."""
    framing = model.view
    seen = [sight for sight in source.sights if isinstance(sight, Sight)]
    if not source.sights:
        raise DataError(source.why_empty())
    if not seen:
        return
    (wide, high), _ = Counter((sight.width, sight.height) for sight in seen).most_common(1)[0]
    coloured = 2 * sum(sight.coloured for sight in seen) > len(seen)
    bends = framing.resize or framing.stride or framing.crop
    if not bends and (wide, high) != (framing.width, framing.height):
        own = f"{wide} x {high} x {3 if coloured else 1}"
        taken = f"{framing.width} x {framing.height} x {framing.channels}"
        remedy = f"fit with {option('--resize')} {framing.width}x{framing.height} for any size"
        raise DataError(f"{source.name}: pictures of {own}, {model.name} takes {taken}; {remedy}")
    if coloured and framing.channels == 1:
        notices.say(source.name, "in colour, and seen in gray, as the model was fitted")
    if not coloured and framing.channels == 3:
        notices.say(source.name, "gray, where the model was fitted on colour")


def inputs_of(
    source: TableSource | ImageSource, bundle: Bundle
) -> Iterator[tuple[int, Any, Table | None]]:
    """(first record, graph inputs, table) for each batch."""
    first = 0
    if isinstance(source, ImageSource):
        seen = seen_by(source, bundle)
        assert isinstance(seen, FramedSource)
        for first, pixels in seen.numbered():
            yield first, pixels, None
        return
    assert bundle.schema is not None
    schema = bundle.schema
    history = History(schema) if schema.context else None
    laid = None
    batches: Iterable[Table] = source.batches()
    if schema.order:  # which row comes before which is known when all are read
        everything = concat(list(batches))
        schema = schema.as_written(everything, source.decimal)
        laid, batches = whole(schema, everything, source.name), [everything]
    for table in batches:
        for start in range(0, max(len(table), 1), ROWS):
            part = table.take(slice(start, start + ROWS)) if len(table) > ROWS else table
            part = dataclasses.replace(part, first_row=table.first_row + start)
            if first == 0 and laid is None:
                schema = schema.as_written(part, source.decimal)
            if laid is not None:
                x = laid[start : start + ROWS]
            else:
                x = schema.encode(part, source.name)
                x = history.wide(x, part) if history else x
            yield first, x, part
            first += len(part)


def scored(source: Any, bundle: Bundle, scorer: Parts) -> Iterator[Scored]:
    """The records of a source, scored, batch by batch; DataError for a score that is not finite."""
    if isinstance(source, FramedSource) and source.is_tiled:
        yield from _scored_in_tiles(source, scorer)
        return
    names = getattr(source, "names", [])
    for first, x, table in inputs_of(source, bundle):
        yield judged(source.name, scorer, Laid(first, x, table), names)


@dataclass(frozen=True, eq=False)
class Laid:
    """Records as the graphs take them: the first one's number, from 0, their inputs, (rows, ...),
    and of a table themselves."""

    first: int
    inputs: Any
    table: Table | None


def judged(name: str, scorer: Parts, laid: Laid, names: Sequence[str]) -> Scored:
    """Records of a source of this name, scored; DataError for a score that is not finite."""
    found = scorer(laid.inputs)
    parts = found["parts"].astype(np.float64)
    _check_finite(name, parts, laid.first)
    surprise = found.get("surprise", parts[:, :-1]).astype(np.float64)
    expected = found.get("expected")
    return Scored(laid.first, laid.inputs, parts, surprise, expected, laid.table, names)


@dataclass(frozen=True, eq=False)
class Wishes:
    """What is wanted of scored records. held: the calibration that p is by; append: as `detect`;
    decimal: the mark that is usual in them; all_rows: all, not those flagged alone; cut: the score
    above which one is flagged, where that is not said of each."""

    held: Calibration
    append: Sequence[str] | None
    decimal: str
    all_rows: bool
    cut: float


@dataclass(frozen=True, eq=False)
class Share:
    """What is kept of some records: the score of all, (n,), and their times, if they have any; and
    of those to report, (k,), their numbers, scores, whether they are flagged, and why."""

    scores: Float
    moments: Float | None
    row: list[int]
    score: list[float]
    anomaly: list[bool]
    why: list[str]
    named: list[list[tuple[str, str, str]]]
    boxes: list[Box | None]
    tables: list[Table]


Item: TypeAlias = "Laid | pieces.Piece"


@dataclass(frozen=True, eq=False)
class Worker:
    """What scores pieces of a source wherever it is sent. schema: the model's, as the source is
    written; names: of pictures."""

    bundle: Bundle
    schema: Schema | None
    name: str
    device: str
    names: Sequence[str] = ()

    def laid(self, item: Item, left: LeftOut) -> Iterator[Laid]:
        """The records of an item, which are read here, or were read where it comes from."""
        if isinstance(item, Laid):
            yield item
            return
        assert self.schema is not None
        first = item.first
        for table in item.tables(left):
            for start in range(0, len(table), ROWS):
                part = table.take(slice(start, start + ROWS)) if len(table) > ROWS else table
                part = dataclasses.replace(part, first_row=table.first_row + start)
                yield Laid(first, self.schema.encode(part, self.name), part)
                first += len(part)

    def batches(self, item: Item, left: LeftOut) -> Iterator[Scored]:
        """The records of an item, scored, batch by batch."""
        session = self.bundle.session("score.onnx", self.device)
        for laid in self.laid(item, left):
            yield judged(self.name, session, laid, self.names)


# what workers do with an item; what reading it left out goes back with what is wanted


def _scores_of(worker: Worker, item: Item) -> tuple[list[tuple[Int, Float]], LeftOut]:
    """(numbers, scores) of each batch of an item."""
    left = LeftOut()
    return [(batch.places, batch.scores) for batch in worker.batches(item, left)], left


def _codes_of(worker: Worker, item: Item) -> tuple[list[Any], LeftOut]:
    """The codes of each batch of an item, (rows, latent)."""
    left = LeftOut()
    session = worker.bundle.session("encoder.onnx", worker.device)
    return [session(laid.inputs)["z"] for laid in worker.laid(item, left)], left


def _scored_of(worker: Worker, item: Item) -> tuple[list[Scored], LeftOut]:
    """Each batch of an item, whole."""
    left = LeftOut()
    return list(worker.batches(item, left)), left


def _shares_of(
    wishes: Wishes, is_told: bool, worker: Worker, sent: Any
) -> tuple[list[Share], LeftOut]:
    """What is kept of each batch of an item. is_told: whether it is sent with which of its records
    are flagged."""
    item, flags = sent if is_told else (sent, None)
    left = LeftOut()
    session = worker.bundle.session("score.onnx", worker.device)
    collected = Collected(worker.bundle, wishes, session, worker.device, worker.schema)
    shares = []
    place = 0
    for batch in worker.batches(item, left):
        own = None if flags is None else flags[place : place + len(batch.parts)]
        shares.append(collected.share(batch, own)[0])
        place += len(batch.parts)
    return shares, left


class Scoring:
    """The records of a source, scored by a model: here, or on an engine, all the same."""

    def __init__(
        self,
        source: Source,
        bundle: Bundle,
        scorer: Parts,
        device: str,
        engine: engines.Engine | None = None,
    ) -> None:
        self.source, self.bundle, self.scorer = source, bundle, scorer
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
            for batch in scored(self.source, self.bundle, self.scorer):
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

    def codes(self) -> list[Any]:
        """The codes of the records, (rows, latent), batch by batch."""
        if self.engine is None:
            inputs = inputs_of(self.source, self.bundle)
            return [self.scorer(x)["z"] for _, x, _ in inputs]
        return [code for codes in self._mapped(_codes_of) for code in codes]

    def shares(
        self,
        wishes: Wishes,
        flags: Mask | None,
        collected: Collected,
        watch: Watch | None,
    ) -> Iterator[Share]:
        """What is kept of the records. flags: (records,), which are flagged, where that is not
        told by their score alone."""
        if self.engine is None or watch is not None:
            place = 0
            for batch in self._batches():
                own = None if flags is None else flags[place : place + len(batch.parts)]
                share, flagged, explained = collected.share(batch, own)
                if watch is not None:
                    watch.batch(batch, share.scores, flagged, explained)
                place += len(batch.parts)
                yield share
            return
        edges = np.cumsum(self._counts[:-1]) if self._counts else np.zeros(0, np.int64)
        parts = None if flags is None else iter(np.split(flags, edges))
        for shares in self._mapped(functools.partial(_shares_of, wishes, parts is not None), parts):
            yield from shares

    def _batches(self) -> Iterator[Scored]:
        """The records, scored, batch by batch, with all that is known of them."""
        if self.engine is None:
            yield from scored(self.source, self.bundle, self.scorer)
            return
        for batches in self._mapped(_scored_of):
            yield from batches

    def _mapped(
        self,
        job: Callable[..., tuple[list[Kept], LeftOut]],
        beside: Iterator[Mask] | None = None,
    ) -> Iterator[list[Kept]]:
        """What workers make of each item. beside: what each is sent with."""
        assert self.engine is not None
        under_way: deque[Item] = deque()
        remarks = pieces.Remarks()
        worker, items = self._spread()

        def sent() -> Iterator[Item | tuple[Item, Mask]]:
            for item in items:
                under_way.append(item)
                yield item if beside is None else (item, next(beside))

        for result, left in self.engine.map(functools.partial(job, worker), sent()):
            item = under_way.popleft()
            if not isinstance(item, Laid):
                remarks.add(item, left)
            yield result

    def _spread(self) -> tuple[Worker, Iterable[Item]]:
        """What scores the items of the source, and these: pieces that workers read themselves
        where they can. Rows that are given the rows before them are laid out here."""
        source, schema = self.source, self.bundle.schema
        names = getattr(source, "names", [])
        worker = Worker(self.bundle, schema, source.name, self.device, names)
        if schema is not None and isinstance(source, TableSource) and not schema.context:
            cut = pieces.pieces_of(source)
            first = None if cut is None or schema.order else next(cut, None)
            if cut is not None and first is not None:
                head = next(iter(source.batches())).take(slice(0, ROWS))
                worker = dataclasses.replace(worker, schema=schema.as_written(head, source.decimal))
                return worker, itertools.chain([first], cut)
        laid = (Laid(*one) for one in inputs_of(source, self.bundle))
        return worker, laid


def _looker(
    source: Source, bundle: Bundle, scorer: Parts, pixels: PixelCalibration | None
) -> Callable[[Int], list[Pictured]] | None:
    """What looks at pictures of a source by their rows; None for tables."""
    if pixels is None:
        return None
    return functools.partial(_looked_at, source, bundle, scorer, pixels)


def _looked_at(
    source: Source, bundle: Bundle, scorer: Parts, pixels: PixelCalibration, rows: Int
) -> list[Pictured]:
    """Where the pictures in these rows of a source, (n,), are odd; in their order."""
    wanted = set(rows.tolist())
    found: dict[int, Pictured] = {}
    for batch in scored(source, bundle, scorer):
        for place, row in enumerate(batch.records.tolist()):
            if row in wanted:
                found[row] = batch.pictured(place, pixels)
    return [found[row] for row in rows.tolist()]


def _check_finite(name: str, parts: Float, first: int) -> None:
    bad = ~np.isfinite(parts)
    if bad.any():
        row = first + int(np.flatnonzero(bad.any(axis=1))[0]) + 1
        raise DataError(f"{name}: row {row} has no finite score; the model is broken")


def _scored_in_tiles(source: FramedSource, scorer: Parts) -> Iterator[Scored]:
    """Pictures, of which each has the score of its worst tile, in batches of few tiles."""
    framing = source.framing
    for numbers, pictures in source.in_groups():
        cut = [framing.tiles(picture) for picture in pictures]
        counts = [len(own) for own in cut]
        parts = scorer(np.concatenate(cut))["parts"].astype(np.float64)
        _check_finite(source.name, parts, numbers[0])
        by_picture = np.split(parts, np.cumsum(counts)[:-1])
        worst = np.stack([own[own.sum(axis=1).argmax()] for own in by_picture])
        sizes = [(picture.shape[2], picture.shape[1]) for picture in pictures]
        # pictures may differ in size
        whole = np.empty(len(pictures), object)
        whole[:] = pictures
        tiles = TileParts(framing, by_picture, sizes)
        places = np.array(numbers, np.int64)
        yield Scored(
            numbers[0], whole, worst, worst[:, :-1], None, None, source.names, tiles, places
        )


def unread_of(source: TableSource | ImageSource) -> list[tuple[int, str, str]]:
    """(record, from 0; name; why) of the pictures that could not be read so far."""
    if not isinstance(source, FramedSource):
        return []
    return [
        (record, in_utf8(source.title(record)), why)
        for record, why in sorted(source.unread.items())
    ]


class Collected:
    """Gathers the records to report, batch by batch."""

    def __init__(
        self,
        bundle: Bundle,
        wishes: Wishes,
        scorer: Parts,
        device: str,
        schema: Schema | None = None,
    ) -> None:
        self.bundle, self.wishes, self.calibration = bundle, wishes, wishes.held
        # as the records are written, which their first batch tells where nobody else did
        self.schema = schema
        outputs = bundle.session("score.onnx", device).outputs if bundle.schema else ()
        scores: reasons.Scores = lambda x: np.asarray(  # noqa: E731
            scorer(x)["parts"].sum(axis=1, dtype=np.float64)
        )
        # models whose parts are of each column given some of the others do not say by them alone
        # which value is wrong; those that tell surprise given all the others nearly do, and where
        # the rows before a row are given those tell what to expect
        told = "surprise" in outputs
        self.repaired = scores if "likely" in outputs and not told else None
        alone = bundle.schema is not None and not bundle.schema.context
        self.mended = scores if told and alone else None
        self.row: list[int] = []
        self.score: list[float] = []
        self.anomaly: list[bool] = []
        self.why: list[str] = []
        self.named: list[list[tuple[str, str, str]]] = []
        self.tables: list[Table] = []
        self.boxes: list[Box | None] = []
        self.pixels: PixelCalibration | None = None
        if bundle.shape is not None:
            # of tables there are no maps, and what reads them is not loaded
            from aetool.operations import mapping

            self.pixels = mapping.pixels_of(bundle)
        self.total = 0

    def share(self, batch: Scored, flagged: Mask | None) -> tuple[Share, Mask, Explained]:
        """What is kept of a batch, (rows,) which of its records are flagged, and those to report.
        flagged: the same, where it is not told by scores alone."""
        scores = batch.scores
        if flagged is None:
            flagged = scores > self.wishes.cut
        every = np.arange(len(scores))
        keep = every if self.wishes.all_rows else np.flatnonzero(flagged)
        clock = self.bundle.schema.clock if self.bundle.schema else None
        why: list[str] = []
        named: list[list[tuple[str, str, str]]] = [[] for _ in keep]
        boxes: list[Box | None] = []
        if self.bundle.schema is not None:
            blame = self.blame(batch, keep, flagged[keep])
            assert batch.table is not None
            named = reasons.explain(
                blame.schema, blame.inputs, blame.expected, blame.named, batch.table.take(keep)
            )
            why += map(reasons.line, named, flagged[keep].tolist())
            explained = Explained(keep, blame.inputs, blame.expected, blame.named)
        else:
            explained, why, boxes = self._pictured(batch, keep)
        share = Share(
            scores,
            None if clock is None else batch.inputs[:, clock],
            batch.records[keep].tolist(),
            scores[keep].tolist(),
            flagged[keep].tolist(),
            why,
            named,
            boxes,
            [] if self.wishes.append is None else [self._own(batch, keep)],
        )
        return share, flagged, explained

    def take(self, share: Share) -> None:
        """Adds what is kept of the records that come next."""
        self.total += len(share.scores)
        self.row += share.row
        self.score += share.score
        self.anomaly += share.anomaly
        self.why += share.why
        self.named += share.named
        self.boxes += share.boxes
        self.tables += share.tables

    def _pictured(self, batch: Scored, keep: Int) -> tuple[Explained, list[str], list[Box | None]]:
        """Where these pictures of a batch are odd, and that in words, and as boxes."""
        assert self.pixels is not None
        shared = self.calibration.typical[-1]
        pictures = []
        why: list[str] = []
        for place in keep.tolist():
            one = batch.pictured(place, self.pixels)
            excess = maps.excess_of(one.amounts)
            odd = bool(batch.parts[place, -1] > shared)
            why.append(picture_reasons.line(one.box, excess, one.picture, one.expected, odd))
            pictures.append(one)
        nothing: list[list[int]] = [[] for _ in keep]
        explained = Explained(keep, batch.inputs[keep], None, nothing, pictures)
        return explained, why, [one.box for one in pictures]

    def blame(self, batch: Scored, keep: Int, odd: Any) -> Blame:
        """What the columns of some records of a table's batch have to do with their scores. keep:
        which of the batch; odd: (kept,) bool, those of them to look at closely."""
        assert batch.table is not None and self.bundle.schema is not None
        if self.schema is None:
            self.schema = self.bundle.schema.as_written(batch.table, self.wishes.decimal)
        schema, inputs = self.schema, batch.inputs[keep]
        alone = reasons.marginal_bits(schema, inputs) if self.bundle.unit == "bits" else None
        usual = self.calibration.typical[: len(schema.modelled)]
        surprise, expected = batch.surprise[keep], batch.expected[keep]
        if self.repaired is not None and len(keep):
            # of others the parts must do: it takes many scores each
            surprise[odd], expected[odd] = reasons.leave_one_out(schema, inputs[odd], self.repaired)
            surprise[odd] += usual
        alike = reasons.as_expected(schema, inputs, expected)
        named = reasons.columns(surprise, usual, alone, alike)
        if self.mended is not None and odd.any():
            places = np.flatnonzero(odd)
            firsts = reasons.by_mending(
                schema, inputs[places], expected[places], [named[i] for i in places], self.mended
            )
            for i, columns in zip(places, firsts, strict=True):
                named[i] = columns
        return Blame(schema, inputs, expected, surprise - usual, named)

    def _own(self, batch: Scored, keep: Int) -> Table:
        if batch.table is None:
            numbers = batch.records[keep].tolist()
            if not batch.names:
                return Table((), ())
            names = [in_utf8(batch.names[number]) for number in numbers]
            return Table(("file",), (Cells.of(names),))
        table = batch.table
        if self.wishes.append:
            for name in self.wishes.append:
                if name not in table.names:
                    raise ParamError(f"no column '{name}'; there are {', '.join(table.names)}")
            table = table.without([n for n in table.names if n not in self.wishes.append])
        return table.take(keep)

    def done(
        self, threshold: float, index: Any, unread: Sequence[tuple[int, str, str]]
    ) -> Detection:
        """What is reported. unread: (record, name, why) of pictures that could not be read."""
        scores = np.array(self.score, dtype=np.float64)
        return Detection(
            row=np.array(self.row, dtype=np.int64),
            score=scores,
            p=self.calibration.p_values(scores),
            anomaly=np.array(self.anomaly, dtype=np.bool_),
            why=self.why,
            named=self.named,
            threshold=threshold,
            total=self.total,
            flagged=int(sum(self.anomaly)),
            unit=self.bundle.unit,
            boxes=self.boxes,
            table=concat(self.tables) if self.tables and self.tables[0].names else None,
            index=index,
            unread=unread,
        )
