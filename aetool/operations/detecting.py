"""detect, score and evaluate: data and a bundle (or none) to scores, decisions and reasons."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from aetool import hypertext, plugins
from aetool.bundle import Bundle
from aetool.columns.history import History, whole
from aetool.columns.schema import Schema
from aetool.csv.dialect import Reading
from aetool.data import arrow_files
from aetool.data.images import ImageSource
from aetool.data.sources import open_source
from aetool.data.table import Cells, Mask, Table, as_cells, concat
from aetool.data.table_source import ROWS, TableSource
from aetool.detection import reasons
from aetool.detection.calibration import KEPT, Calibration, discoveries, in_words
from aetool.detection.trace import ScoreTrace
from aetool.errors import DataError, ParamError
from aetool.model import Float, Int
from aetool.spelling import in_shell, option

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from aetool.operations import fitting
    from aetool.report.svg import Drawing

SHOWN = 20  # anomalies that a notebook is shown
# of the columns of the output; all others are text
TYPES = {"row": "int64", "score": "float64", "p": "float64", "anomaly": "bool"}
EXACT = 1_000_000  # scores kept of a calibration that is not stored


@dataclass(frozen=True, eq=False)
class Scored:
    """A batch: its first record's number (0-based), what the graphs took, parts, what reasons are
    ranked by (rows, columns), and expectation."""

    first: int
    inputs: Any
    parts: Float
    surprise: Any
    expected: Any
    table: Table | None
    names: Sequence[str]

    @property
    def records(self) -> Int:
        """(rows,): which records of the source these are, from 0."""
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
    them.
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
        rare = "" if not self.rate else f", which {in_words(self.rate)} exceed"
        return (
            f"{self.flagged} of {self.total} records flagged ({part:.3g} %): "
            f"score above {self.threshold:.4g} {self.unit}{rare}"
        )

    def plot(self) -> Drawing:
        """The scores of all records with the threshold and the highest that are flagged: a drawing
        that notebooks show, and `save` writes as an SVG file."""
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

    def columns(self, everything: bool = False) -> dict[str, list[Any]]:
        """The output table: row (1-based), score, p, why; anomaly when not only anomalies are in
        it; then the input's own columns."""
        out: dict[str, list[Any]] = {
            "row": (self.row + 1).tolist(),
            "score": [float(f"{v:.6g}") for v in self.score],
            "p": [float(f"{v:.4g}") for v in self.p],
            "why": self.why,
        }
        if everything:
            out["anomaly"] = [bool(v) for v in self.anomaly]
        if self.table is not None:
            for name, values in zip(self.table.names, self.table.values, strict=True):
                label = name if name not in out else f"input.{name}"
                out[label] = list(as_cells(values).strings())
        return out

    def to_pandas(self) -> pd.DataFrame:
        """The output as a DataFrame; on the caller's own index if the data were a DataFrame. Its
        types are the same where no record is in it: int64, float64, bool, and text."""
        import pandas as pd

        columns = self.columns(everything=True)
        typed = {}
        for name, values in columns.items():
            typed[name] = pd.Series(values, dtype=TYPES.get(name, "str"))
        found = pd.DataFrame(typed)
        if self.index is not None:
            found.index = self.index[self.row]
        return found

    def to_arrow(self) -> pa.Table:
        """The output as an Arrow table, of the same types as to_pandas."""
        return arrow_files.table_of(self.columns(everything=True), TYPES)

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


Parts = Callable[[Any], Any]  # the outputs of a score graph for its inputs


@dataclass(frozen=True, eq=False)
class Explained:
    """Of a batch the records to report, by their place in it, (n,); and of these what the graphs
    took and what was expected in its place, (n, columns), and the places of the columns to name,
    the most surprising first. Of pictures nothing is expected, and no column named."""

    places: Int
    inputs: Float
    expected: Float | None
    named: Sequence[Sequence[int]]


class Watch(Protocol):
    """Sees every record on its way through detect."""

    def begin(self, name: str, bundle: Bundle, calibration: Calibration) -> None:
        """The name of the source, the model, and the calibration that p is by."""

    def batch(self, batch: Scored, scores: Float, flagged: Mask, explained: Explained) -> None:
        """A batch, the score of each record, whether it is flagged, and those to report."""


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
    device: str = "auto",
    watch: Watch | None = None,
) -> Detection:
    """Score every record; return those above the threshold (or the top N, the highest score first;
    or all).

    Without a model one is learned from the data themselves, robustly: no record is scored by a
    model that has seen it (aetool.folds). append: names of input columns to carry
    along ([]: all). fdr: the part of the records called anomalies that may be ordinary ones.
    calibration: ordinary records that the model has not seen, in place of those it held out: p,
    fpr and fdr are then exact. At most one of threshold, fpr, fdr, contamination and top may be
    given. watch: is shown every batch.
    """
    given = {
        "threshold": threshold,
        "fpr": fpr,
        "fdr": fdr,
        "contamination": contamination,
        "top": top,
    }
    said = [option(f"--{name}") for name, value in given.items() if value is not None]
    if len(said) > 1:
        raise ParamError(f"{said[0]} and {said[1]} exclude each other")
    if top is not None and top < 0:
        raise ParamError(f"{option('--top')} must be 0 or more, got {top}")
    if calibration is not None and model is None:
        raise ParamError(
            f"{option('--calibration')} needs a model ({option('-m')}): what is learned here "
            "is of these data"
        )
    if threshold is not None and math.isnan(threshold):
        raise ParamError(
            f"{option('--threshold')} nan: write the score above which a record is an anomaly"
        )
    for name in ("fpr", "fdr", "contamination"):
        check_part(name, given[name])
    source = open_source(data, known_of(model))
    if append is None and getattr(source, "names", None):
        append = []  # pictures are known by their names
    scorer, bundle, held = _scorer(source, model, fit, device)
    if calibration is not None:
        held = calibrate(bundle, calibration, device)
    cut = held.threshold(fpr) if threshold is None else threshold
    if contamination is not None or top is not None or fdr is not None:
        scores = _all_scores(source, bundle, scorer)
        if fdr is not None:
            wanted = int(discoveries(held.p_values(scores), fdr).sum())
        else:
            wanted = top if top is not None else round(len(scores) * (contamination or 0))
        chosen = set(np.argsort(-scores, kind="stable")[:wanted].tolist())
        ranked = np.sort(scores)[::-1]
        cut = float(ranked[wanted]) if wanted < len(scores) else -np.inf
        decide: Callable[[Float, int], Any] = lambda s, first: np.fromiter(  # noqa: E731
            (first + i in chosen for i in range(len(s))), np.bool_, len(s)
        )
    else:
        decide = lambda s, first: s > cut  # noqa: E731
    decimal = source.decimal if isinstance(source, TableSource) else "."
    collected = Collected(bundle, held, append, scorer, device, decimal)
    trace = ScoreTrace()
    clock = bundle.schema.clock if bundle.schema else None
    if watch is not None:
        watch.begin(source.name, bundle, held)
    for batch in scored(source, bundle, scorer):
        scores = batch.parts.sum(axis=1, dtype=np.float64)
        flagged = decide(scores, batch.first)
        trace.add(scores, None if clock is None else batch.inputs[:, clock])
        explained = collected.add(batch, scores, flagged, all_rows)
        if watch is not None:
            watch.batch(batch, scores, flagged, explained)
    found = collected.done(cut, arrow_files.index_of(data))
    apart = model is not None or calibration is not None
    by_rate = threshold is None and contamination is None and top is None and fdr is None
    rate = held.rate(fpr) if by_rate and held.rows else None
    found = dataclasses.replace(found, rate=rate, trace=trace, held_out=held if apart else None)
    return found if top is None or all_rows else found.ranked()


def calibrate(model: Bundle, data: Any, device: str = "auto", kept: int = EXACT) -> Calibration:
    """The model's calibration by ordinary records that it has not seen."""
    source = open_source(data, known_of(model))
    scores = _all_scores(source, model, _scorer(source, model, None, device)[0])
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


def check_part(name: str, value: float | None) -> None:
    """ParamError if the option of this name is not a part between 0 and 1."""
    if value is not None and not 0 < value < 1:
        percent = f"; for {value:g} % write {value:g}%" if 1 < value < 100 else ""
        called = option(f"--{name}")
        raise ParamError(
            f"{called} must lie between 0 and 1 (0 % and 100 %), got {value:g}{percent}"
        )


def score(data: Any, model: Bundle, device: str = "auto") -> Float:
    """(rows,) float64: each record's score."""
    source = open_source(data, known_of(model))
    scorer, bundle, _ = _scorer(source, model, None, device)
    return _all_scores(source, bundle, scorer)


def encode(data: Any, model: Bundle, device: str = "auto") -> Any:
    """(rows, latent) float32: each record's code."""
    source = open_source(data, known_of(model))
    check_kind(source, model)
    session = model.session("encoder.onnx", device)
    return np.concatenate([session(x)["z"] for _, x, _ in inputs_of(source, model)])


def evaluate(
    data: Any,
    model: Bundle | None,
    label: str,
    normal: Sequence[str],
    device: str = "auto",
    fit: fitting.FitOptions | None = None,
) -> dict[str, float]:
    """AUROC and average precision of the score against labels, and precision and recall at the
    model's threshold. label "folder": the first folder of each picture's name. Without a model a
    closed form is learned from all rows, as `detect` does."""
    from aetool.operations import fitting

    source = open_source(data, known_of(model))
    if model is None and fit is None:
        label_column = None if isinstance(source, ImageSource) else label
        fit = fitting.FitOptions(label=label_column)
    scorer, bundle, calibration = _scorer(source, model, fit, device)
    scores = _all_scores(source, bundle, scorer)
    if isinstance(source, ImageSource):
        if label != "folder" or not source.names:
            raise ParamError(
                f"pictures are labelled by their folder: {option('--label')} folder "
                f"{option('--normal')} good"
            )
        found = np.array([n.split("/")[0] for n in source.names])
    else:
        batches = [fitting.labels(b, label, source.name) for b in source.batches()]
        found = np.concatenate(batches)
    truth = ~np.isin(found, list(normal))
    if truth.all() or not truth.any():
        raise ParamError(
            f"both kinds of rows are needed: {int(truth.sum())} of {len(truth)} differ from "
            f"{' or '.join(normal)} in {label}"
        )
    flagged = scores > calibration.threshold()
    hits = int((flagged & truth).sum())
    return {
        "rows": len(truth),
        "anomalies": int(truth.sum()),
        "auroc": auroc(scores, truth),
        "average_precision": average_precision(scores, truth),
        "threshold": calibration.threshold(),
        "flagged": int(flagged.sum()),
        "precision": hits / max(int(flagged.sum()), 1),
        "recall": hits / int(truth.sum()),
    }


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
) -> tuple[Parts, Bundle, Calibration]:
    """What gives the outputs of the score graph, the model, and its calibration."""
    if model is not None:
        check_kind(source, model)
        session = model.session("score.onnx", device)
        return session, model, model.calibration
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
    # no other records are to come: how rare a score is, it is among these
    scores = _all_scores(source, bundle, session)
    expected = bundle.calibration.expected
    held = Calibration.of(scores[:, None], kept=EXACT, expected=expected)
    return session, bundle, dataclasses.replace(held, typical=bundle.calibration.typical)


def known_of(model: Bundle | None) -> Reading:
    """What a model, if there is one, knows of how its tables are written."""
    return Reading() if model is None else model.reading


def check_kind(source: TableSource | ImageSource, model: Bundle) -> None:
    """DataError if the model was fitted on other data than these."""
    if source.kind != model.kind:
        raise DataError(f"{source.name}: holds {source.kind}s, {model.name} is of {model.kind}s")
    if isinstance(source, ImageSource) and source.shape != model.shape:
        ours, theirs = (
            f"{s[2]} x {s[1]} x {s[0]}" for s in (source.shape, model.shape or (0, 0, 0))
        )
        raise DataError(f"{source.name}: pictures of {ours}, {model.name} takes {theirs}")


def inputs_of(
    source: TableSource | ImageSource, bundle: Bundle
) -> Iterator[tuple[int, Any, Table | None]]:
    """(first record, graph inputs, table) for each batch."""
    first = 0
    if isinstance(source, ImageSource):
        for pixels in source.batches():
            yield first, pixels, None
            first += len(pixels)
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
    names = getattr(source, "names", [])
    for first, x, table in inputs_of(source, bundle):
        found = scorer(x)
        parts = found["parts"].astype(np.float64)
        bad = ~np.isfinite(parts)
        if bad.any():
            row = first + int(np.flatnonzero(bad.any(axis=1))[0]) + 1
            raise DataError(f"{source.name}: row {row} has no finite score; the model is broken")
        surprise = found.get("surprise", parts[:, :-1]).astype(np.float64)
        yield Scored(first, x, parts, surprise, found.get("expected"), table, names)


def _all_scores(source: Any, bundle: Bundle, scorer: Parts) -> Float:
    found = [b.parts.sum(axis=1, dtype=np.float64) for b in scored(source, bundle, scorer)]
    if not sum(map(len, found)):
        return np.zeros(0)
    return np.concatenate(found)


class Collected:
    """Gathers the records to report, batch by batch."""

    def __init__(
        self,
        bundle: Bundle,
        calibration: Calibration,
        append: Sequence[str] | None,
        scorer: Parts,
        device: str,
        decimal: str,
    ) -> None:
        self.bundle, self.calibration, self.append = bundle, calibration, append
        self.decimal = decimal
        self.schema: Schema | None = None  # as the records are written
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
        self.total = 0

    def add(self, batch: Scored, scores: Float, flagged: Any, everything: bool) -> Explained:
        keep = np.arange(len(scores)) if everything else np.flatnonzero(flagged)
        self.total += len(scores)
        self.row += batch.records[keep].tolist()
        self.score += scores[keep].tolist()
        self.anomaly += flagged[keep].tolist()
        parts = batch.parts[keep]
        typical = self.calibration.typical
        if self.bundle.schema is not None:
            blame = self.blame(batch, keep, flagged[keep])
            assert batch.table is not None
            said = reasons.explain(
                blame.schema, blame.inputs, blame.expected, blame.named, batch.table.take(keep)
            )
            self.named += said
            self.why += map(reasons.line, said, flagged[keep].tolist())
            explained = Explained(keep, blame.inputs, blame.expected, blame.named)
        else:
            assert self.bundle.shape is not None
            self.why += [reasons.picture_line(p, typical, self.bundle.shape) for p in parts]
            self.named += [[] for _ in keep]
            explained = Explained(keep, batch.inputs[keep], None, [[] for _ in keep])
        if self.append is not None:
            self.tables.append(self._own(batch, keep))
        return explained

    def blame(self, batch: Scored, keep: Int, odd: Any) -> Blame:
        """What the columns of some records of a table's batch have to do with their scores. keep:
        which of the batch; odd: (kept,) bool, those of them to look at closely."""
        assert batch.table is not None and self.bundle.schema is not None
        if self.schema is None:
            self.schema = self.bundle.schema.as_written(batch.table, self.decimal)
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
            names = [batch.names[batch.first + i] for i in keep] if batch.names else []
            return Table(("file",), (Cells.of(names),)) if names else Table((), ())
        table = batch.table
        if self.append:
            for name in self.append:
                if name not in table.names:
                    raise ParamError(f"no column '{name}'; there are {', '.join(table.names)}")
            table = table.without([n for n in table.names if n not in self.append])
        return table.take(keep)

    def done(self, threshold: float, index: Any) -> Detection:
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
            table=concat(self.tables) if self.tables and self.tables[0].names else None,
            index=index,
        )
