"""Lossy compression of one source: choose a step on a sample, encode by blocks, measure, verify."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec import blocks, decoding, lossy, packed_models, planning
from aetool.codec.archive import Archive
from aetool.codec.columns import whole_column
from aetool.codec.container import Writer
from aetool.codec.contents.content import BLOCK_BYTES
from aetool.codec.contents.lossy import CodedRecords, Lossy, LossyPictures, LossyTable, stored_as
from aetool.columns.column import ODD
from aetool.data.images import ImageSource
from aetool.data.pictures.framed import FramedSource
from aetool.data.scaling import image_features
from aetool.data.sources import Source
from aetool.data.table import Table
from aetool.data.table_source import TableSource
from aetool.detection.calibration import Calibration
from aetool.engine import Chosen
from aetool.errors import DataError, ParamError
from aetool.files import path_of
from aetool.fits import fitting
from aetool.model import Array, Records
from aetool.spelling import option

SAMPLE = 4096
EMBED_SHARE = 0.05  # a model up to this part of the source is embedded
MOST_WRONG = 0.05  # a category restored wrongly more often than this is stored as it is
FAITHFUL = 0.05  # of a deviation: a root mean square error nobody asks to be smaller by default
TRIES = 6


@dataclass(frozen=True)
class CompressOptions:
    """lossy: a model's code, or an exact or bounded archive where that is smaller at no more error;
    lossy_only: the code in any case. latent: code units kept, or target: the error allowed (a part:
    0.01 is 1 %), at most one. max_error: "E" or "E%" by column, "" for all the others. keep_files:
    the bytes of any source. rmse, target_psnr, budget, bytes_per_picture: the smallest archive of
    at most this error (a part of a standard deviation; of pictures in dB), or the nearest within
    these bytes, of those that are exact, bounded, or a model's code. effort: how long to look for
    the smallest coding. embed: put the model into the archive (None: if it is small beside the
    source). fit: how to learn a model where none is given. flag: how many records to name that cost
    most in the archive. executor: what encodes exact archives, as aetool.engine knows it: the same
    bytes. shard: "I/N", the I-th of N parts of a table alone, to be merged with the others. parts:
    each table of a folder in an archive of its own, under one index.
    """

    lossy: bool = False
    latent: int | None = None
    target: float | None = None
    max_error: Mapping[str, str] = field(default_factory=dict)
    keep_files: bool = False
    effort: planning.Effort = planning.DEFAULT
    embed: bool | None = None
    force: bool = False
    device: str = "auto"
    fit: fitting.FitOptions | None = None
    lossy_only: bool = False
    flag: int | None = None
    executor: Chosen = None
    shard: str | None = None
    parts: bool = False
    rmse: float | None = None
    target_psnr: float | None = None
    budget: int | None = None
    bytes_per_picture: float | None = None


def inner_name(name: str) -> str:
    """The file name of a path, without folders and without .gz, .zst or .xz at its end."""
    base = Path(name).name
    for suffix in (".gz", ".zst", ".xz"):
        base = base.removesuffix(suffix)
    return base


@dataclass(eq=False)
class _Errors:
    """Sums over rows from which an archive's errors are computed, numbers or arrays by column:
    squared errors, the largest error, how many numbers were compared, how many cells are wrong."""

    square: Any = 0.0
    largest: Any = 0.0
    compared: Any = 0
    wrong: Any = 0
    rows: int = 0


Judge = Callable[[dict[str, Json]], float]


def mean_error(figures: dict[str, Json]) -> float:
    """The entry "error" of an archive's figures: the mean error over columns."""
    return float(figures["error"])


class LossyJob:
    """Writes one lossy archive: chooses the quantiser's steps on a sample, encodes block by block,
    and measures the errors."""

    def __init__(
        self,
        source: TableSource | FramedSource,
        model: Bundle,
        options: CompressOptions,
        learned: bool,
        judge: Judge | None = None,
    ) -> None:
        """learned: the model was learned of the source itself. judge: what an archive's figures
        say of its error [the mean error of all columns], of which options.target is about."""
        self.judge = judge or mean_error
        self.source = source
        self.model = model
        self.options = options
        self.learned = learned
        self.content: Lossy  # of what was written last
        self.modelled = model.schema.modelled if model.schema else ()
        self.ranges: dict[str, list[float]] = {}
        self.irregular: set[str] = set()
        self.not_carried: set[str] = set()
        self.rows = 0
        self.squares: dict[str, float] = {}
        self.compared: dict[str, int] = {}

    @property
    def size(self) -> int:
        """Bytes of the source: of pictures one for each value of a pixel, of a table 8 for each
        cell. Of a table only known once it was written."""
        if isinstance(self.source, FramedSource):
            return self.source.count * int(np.prod(self.source.shape))
        return 8 * self.rows * max(1, len(self.source.head(0).names))

    def write(self, file: BinaryIO) -> dict[str, Json]:
        """Write the archive to an empty file; returns its figures. If the whole source misses
        options.target, it is written again with finer steps; ParamError if that does not help.

        Sets rows, squares (by column of numbers that the code carries, the sum of squared errors)
        and compared (by column, of how many numbers).
        """
        sample = self._survey()
        wanted = self.options.target
        target = wanted
        for _ in range(TRIES):
            file.seek(0)
            file.truncate()
            facts = self._write(file, self._choose(sample, target))
            error = self.judge(facts)
            if wanted is None or target is None or error <= wanted:
                file.flush()
                with Archive(path_of(file), self.model, self.options.device) as archive:
                    self.content.compare(archive)
                    self.rows = archive.rows
                return {**facts, "archive_bytes": file.tell(), "rows": self.rows}
            target = 0.98 * target * wanted / error
        raise ParamError(
            f"{option('--target-error')} {wanted:g} holds on a sample but not on the whole file; "
            f"fit a model with a larger code ({option('-O ')}latent=...), or allow more"
        )

    def numbers(self, rows: int | None) -> Array:
        """(rows, columns) float64: the source's records as the model reads them. rows: draw so many
        at random; None: all."""
        assert self.model.schema is not None and not isinstance(self.source, FramedSource)
        if rows is not None:
            table, _ = self.source.sample(rows, 0)
            return self.model.schema.encode(table, self.source.name)
        inputs = [x for x, _, _ in self._blocks()]
        if inputs:
            return np.concatenate(inputs)
        return np.zeros((0, len(self.modelled)))

    def _survey(self) -> Records:
        """A sample of the records that the encoder takes; sets, by reading the whole table,
        `ranges`, (lowest, highest) of each column of numbers, and `irregular`, the columns in
        which a cell is of another kind, and which are stored exactly."""
        if isinstance(self.source, FramedSource):
            return self.source.sample(SAMPLE, 0)
        assert self.model.schema is not None
        low = np.full(len(self.modelled), np.inf)
        high = -low
        for table in self.source.batches():
            x = self.model.schema.encode(table, self.source.name)
            odd = x == ODD
            # a code restores numbers, and would write one in place of such a cell
            self.irregular |= {self.modelled[i].name for i in np.flatnonzero(odd.any(axis=0))}
            finite = np.where(np.isfinite(x) & ~odd, x, np.nan)
            if len(finite):
                low = np.fmin(low, np.fmin.reduce(finite, axis=0))
                high = np.fmax(high, np.fmax.reduce(finite, axis=0))
        for i, column in enumerate(self.modelled):
            if column.measured and np.isfinite(low[i]):
                self.ranges[column.name] = [float(low[i]), float(high[i])]
            elif column.measured:
                self.ranges[column.name] = list(column.span)
        try:
            table, _ = self.source.sample(SAMPLE, 0)
        except DataError:  # no records: an empty archive of the right columns
            table = self.source.head(0)
        return self.model.schema.encode(table, self.source.name)

    def _choose(self, sample: Records, target: float | None) -> lossy.Quantiser:
        self.not_carried = self.irregular
        if not len(sample) or "code_levels" in self.model.facts:  # codes that are whole numbers
            size = self.model.latent
            return lossy.Quantiser(np.zeros(size), np.ones(size), np.arange(size))
        encoder = self.model.session("encoder.onnx", self.options.device)
        z = encoder(sample)["z"]

        def decode(code: Array) -> Array:
            return self._decode(code, sample[: len(code)])  # gains are probed on the first rows

        def error(decoded: Array) -> float:
            measured = _Errors()
            self._measure(measured, sample, decoded)
            return self.judge(self._summary(measured))

        def distortion(decoded: Array) -> float:
            return float(self._distance(sample, decoded).mean())

        candidates = []
        refused: list[ParamError] = []
        latent = self.options.latent
        for apart in self._ways(sample, decode(z)):
            self.not_carried = apart
            judges = (self._distance, error, distortion, self._floor())
            try:
                chosen = lossy.choose(z, decode, *judges, latent, target)
            except ParamError as unreachable:  # with other categories apart it may be reached
                refused.append(unreachable)
                continue
            size = _coded_size(list(chosen.quantise(z).T)) + self._size_apart(sample)
            candidates.append((size, apart, chosen))
        if not candidates:
            raise refused[-1]
        _, self.not_carried, quantiser = min(candidates, key=lambda c: c[0])
        return quantiser

    def _decode(self, code: Array, x: Array) -> Array:
        """The records that the archive will restore. code: (rows, latent), quantised; x: the
        source's records, whose gaps and conditions the archive stores."""
        schema = self.model.schema
        condition = x[:, schema.conditions] if schema else None
        decoded = decoding.decode(self.model, code, self.options.device, self.ranges, condition)
        if schema is not None:
            decoding.put_gaps(schema, decoded, decoding.gaps_of(x))
        return decoded

    def _ways(self, sample: Records, decoded: Array) -> list[set[str]]:
        """The sets of columns to try to store exactly: irregular ones with the categories that the
        code restores wrongly too often, and with all categories."""
        wrong = set(self.irregular)
        every = set(self.irregular)
        for i, column in enumerate(self.modelled):
            if column.predicted and not column.measured:
                every.add(column.name)
                if _differ(sample[:, i], decoded[:, i]).mean() > MOST_WRONG:
                    wrong.add(column.name)
        return [wrong, every] if wrong != every else [every]

    def _floor(self) -> float:
        """The squared error of a record, in standardised units, below which finer steps are of no
        use unless asked for."""
        numbers = sum(
            c.measured and c.predicted and c.name not in self.irregular for c in self.modelled
        )
        pixels = 0 if self.model.schema else self.model.spec.features
        return FAITHFUL**2 * (numbers + pixels)

    def _size_apart(self, sample: Records) -> int:
        """About how many bytes the sample's categories take that are stored exactly, beside the
        code."""
        total = 0
        for i, column in enumerate(self.modelled):
            # irregular numbers are stored exactly in any case, and make no difference
            if column.name in self.not_carried and not column.measured:
                index = np.nan_to_num(sample[:, i], nan=255).astype(np.int64)
                total += _coded_size([index])
        return total

    def _distance(self, a: Array, b: Array) -> Array:
        """(rows,): the squared difference of records a and b, summed over the columns that the code
        carries, each on its own scale."""
        if self.model.schema is None:
            d = image_features(a).reshape(len(a), -1) - image_features(b).reshape(len(b), -1)
            return np.asarray((d.astype(np.float64) ** 2).sum(axis=1))
        total = np.zeros(len(a))
        for i, column in enumerate(self.modelled):
            if column.predicted and column.name not in self.not_carried:
                total += column.distance(a[:, i], b[:, i])
        return total

    def _measure(self, measured: _Errors, x: Array, decoded: Array) -> None:
        """Add the errors of these rows to `measured`, in place: of numbers their difference, of
        other columns whether they are wrong. x: the source's records; decoded: those restored."""
        measured.rows += len(x)
        if self.model.schema is None:
            d = x.astype(np.float64) - decoded
            measured.square = measured.square + float((d**2).sum())
            measured.largest = max(measured.largest, float(np.abs(d).max(initial=0.0)))
            measured.compared = measured.compared + d.size
            return
        number = np.array([c.measured and c.predicted for c in self.modelled])
        both = np.isfinite(x) & np.isfinite(decoded) & number
        d = np.where(both, np.where(both, x, 0.0) - np.where(both, decoded, 0.0), 0.0)
        same = (x == decoded) | (np.isnan(x) & np.isnan(decoded))
        wrong = np.where(number, ~both & ~same, ~same)
        with np.errstate(over="ignore"):  # said by _summary
            measured.square = measured.square + (d**2).sum(axis=0)
        measured.largest = np.maximum(measured.largest, np.abs(d).max(axis=0, initial=0.0))
        measured.compared = measured.compared + both.sum(axis=0)
        measured.wrong = measured.wrong + wrong.sum(axis=0)

    def _summary(self, measured: _Errors) -> dict[str, Json]:
        """The figures of errors. "error": the mean over columns of RMSE / range, and the part of
        cells that is wrong; of pictures RMSE / 255. "errors": by column its "rmse", "largest" and
        "wrong"."""
        if self.model.schema is None:
            rmse = (measured.square / max(measured.compared, 1)) ** 0.5
            psnr = 20 * np.log10(255 / rmse) if rmse else None
            facts: dict[str, Json] = {
                "error": rmse / 255,
                "rmse": rmse,
                "largest": measured.largest,
            }
            return facts | ({"psnr_db": round(float(psnr), 3)} if psnr is not None else {})
        columns = {}
        errors = []
        for i, column in enumerate(self.modelled):
            if not column.predicted or column.name in self.not_carried or not measured.rows:
                continue
            entry: dict[str, float] = {"wrong": float(measured.wrong[i]) / measured.rows}
            errors.append(entry["wrong"])
            if column.measured:
                rmse = float(measured.square[i] / max(measured.compared[i], 1)) ** 0.5
                if not np.isfinite(rmse):
                    raise DataError(
                        f"{self.source.name}: the numbers of '{column.name}' are too large for "
                        f"their errors to be added up: leave this column out "
                        f"({option('--drop')}), or store the table without a model's code"
                    )
                low, high = self.ranges[column.name]
                entry |= {"rmse": rmse, "largest": float(measured.largest[i])}
                errors[-1] = min(1.0, rmse / (high - low or 1.0) + entry["wrong"])
            columns[column.name] = entry
        return {"error": float(np.mean(errors)) if errors else 0.0, "errors": columns}

    def _write(self, file: BinaryIO, quantiser: lossy.Quantiser) -> dict[str, Json]:
        measured = _Errors()
        self.content = self._content(quantiser)
        named = "" if self._embed() else self.model.sha256
        writer = Writer(file, self.content.header(), self._sections(), named)
        encoder = self.model.session("encoder.onnx", self.options.device)
        whole = hashlib.sha256()
        hints = blocks.NO_HINTS
        for x, table, names in self._blocks():
            q = quantiser.quantise(encoder(x)["z"])
            self._measure(measured, x, self._decode(quantiser.restore(q), x))
            encoded = self.content.encode(CodedRecords(x, q, table, names), hints)
            for block in encoded:
                whole.update(block.content)
                writer.add(block.rows, block.content, block.payload)
                hints = block.hints
        carried = [c.predicted and c.name not in self.not_carried for c in self.modelled]
        for i, column in enumerate(self.modelled):
            if column.measured and carried[i] and measured.rows:
                self.squares[column.name] = float(measured.square[i])
                self.compared[column.name] = int(measured.compared[i])
        sizes = self.content.sizes.of
        facts = {"fidelity": "lossy", "bytes": sizes, **self._summary(measured)}
        writer.finish(facts, whole.digest())
        return facts

    def _blocks(self) -> Iterator[tuple[Records, Table | None, list[str]]]:
        if isinstance(self.source, FramedSource):
            yield from self._picture_blocks(self.source)
            return
        assert self.model.schema is not None
        for table in self.source.batches():
            if len(table):
                yield self.model.schema.encode(table, self.source.name), table, []

    def _picture_blocks(self, source: ImageSource) -> Iterator[tuple[Records, None, list[str]]]:
        pending: list[Records] = []
        first = 0
        for batch in source.batches():
            pending.append(batch)
            if sum(b.size for b in pending) >= BLOCK_BYTES:
                pixels = np.concatenate(pending)
                yield pixels, None, source.names[first : first + len(pixels)]
                first = first + len(pixels)
                pending = []
        if pending:
            yield np.concatenate(pending), None, source.names[first:]

    def _content(self, quantiser: lossy.Quantiser) -> Lossy:
        format = {**self.source.format, "name": inner_name(self.source.name)}
        effort = self.options.effort
        if isinstance(self.source, FramedSource):
            return LossyPictures(format, quantiser, bool(self.source.names), effort)
        carried = {c.name for c in self.modelled if c.predicted} - self.not_carried
        columns = stored_as(self.source.head(1), carried)
        dtypes = self.source.dtypes
        return LossyTable(format, quantiser, columns, dtypes, self.ranges, effort)

    def _embed(self) -> bool:
        if self.options.embed is not None:
            return self.options.embed
        size = _source_size(self.source)
        return self.learned or len(self._decoder_only()) <= EMBED_SHARE * size

    @property
    def model_bytes(self) -> int:
        """Bytes of the bundle that decoding needs if the model is not embedded."""
        return len(self._decoder_only())

    def _decoder_only(self) -> bytes:
        """The model's bundle as bytes, with only what decoding needs: schema and decoder."""
        return dataclasses.replace(
            self.model,
            graphs={"decoder.onnx": self.model.graphs["decoder.onnx"]},
            calibration=Calibration.of(np.zeros((0, 1))),
            facts={},
        ).to_bytes()

    def _sections(self) -> dict[str, bytes]:
        if self._embed():
            return {"model": packed_models.packed(self._decoder_only())}
        return {}


def _coded_size(values: list[Array]) -> int:
    """About how many bytes columns of whole numbers, one array each, take once they are encoded."""
    coded = [whole_column(np.ascontiguousarray(unit)) for unit in values]
    if values:
        return len(blocks.encode(coded, len(values[0]), {}, planning.FAST)[1])
    return 0


def _differ(a: Array, b: Array) -> Array:
    differing: Array = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    return differing


def _source_size(source: Source) -> int:
    if isinstance(source, FramedSource):
        return _source_size(source.source)
    path = getattr(source, "path", None) or getattr(source, "_path", None)
    if path is not None:
        return int(Path(path).stat().st_size)
    if isinstance(source, ImageSource):
        return source.count * int(np.prod(source.shape))
    return 0
