"""Lossy compression of one source: choose a step on a sample, encode by blocks, measure, verify."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Context, Decimal
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from aetool.archives.correcting import Correcting
from aetool.arguments import CheckedOptions
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec import blocks, decoding, lossy, packed_models, planning
from aetool.codec.archive import read_back
from aetool.codec.columns import whole_column
from aetool.codec.container import Writer
from aetool.codec.contents.content import BLOCK_BYTES
from aetool.codec.contents.lossy import (
    CodedRecords,
    CorrectedTable,
    Lossy,
    LossyPictures,
    LossyTable,
    stored_as,
)
from aetool.codec.corrections import Corrections
from aetool.columns.column import ODD, Modelled
from aetool.columns.schema import Schema
from aetool.data.images import ImageSource
from aetool.data.pictures.framed import FramedSource
from aetool.data.scaling import image_features
from aetool.data.sources import Source
from aetool.data.table import Table
from aetool.data.table_source import TableSource
from aetool.detection.calibration import Calibration
from aetool.engine import Chosen
from aetool.errors import DataError, ParamError
from aetool.fits.asked import FitOptions
from aetool.model import Array, Int, Records
from aetool.spelling import option

SAMPLE = 4096  # records that the steps of the quantiser are chosen on
EMBED_SHARE = 0.05  # a model up to this part of the source is embedded
MOST_WRONG = 0.05  # a category restored wrongly more often than this is stored as it is
FAITHFUL = 0.05  # of a deviation: a root mean square error nobody asks to be smaller by default
TRIES = 6  # times that an archive is written before its target is given up
LARGEST = 2.0**53  # whole numbers up to here are exact in float64
DIGITS = 4  # of errors, as an archive holds them
MARGIN = 0.98  # of the target that was missed: what the next try aims at


@dataclass(frozen=True)
class CompressOptions(CheckedOptions):
    """Options of compress: in which way data are stored, and what an archive must keep. None and
    empty ones ask for nothing, but where it is said.

    lossy: a model's code, or an exact or bounded archive where that is smaller at no more error;
    lossy_only: the code in any case. latent: code units kept, or target: the error allowed (a part:
    0.01 is 1 %), at most one. max_error: "E" or "E%" by column, "" for all the others. keep_files:
    the bytes of any source. decimal: the decimal mark of numbers in a text, "." or ",", where its
    cells do not tell; None: those of the other columns do. rmse, target_psnr, budget,
    bytes_per_picture: the smallest archive of at most this error (a part of a standard deviation;
    of pictures in dB), or the nearest within these bytes, of those that are exact, bounded, or a
    model's code. effort: how long to look for the smallest coding. embed: put the model into the
    archive (None: if it is small beside the source). force: replace what is there, and use a model
    whose code is the same for all records.
    device: what models run on, "auto", "cpu", "cuda" or "cuda:N". fit: how to learn a model where
    none is given. flag: how many records to name that cost most in the archive. executor: what
    encodes exact archives, as aetool.engine knows it: the same bytes; None: threads here. shard:
    "I/N", the I-th of N parts of a table alone, to be merged with the others. parts: each table of
    a folder in an archive of its own, under one index.
    """

    verb = "compress"

    lossy: bool = False
    latent: int | None = None
    target: float | None = None
    max_error: Mapping[str, str] = field(default_factory=dict)
    keep_files: bool = False
    effort: planning.Effort = planning.DEFAULT
    embed: bool | None = None
    force: bool = False
    device: str = "auto"
    fit: FitOptions | None = None
    lossy_only: bool = False
    flag: int | None = None
    executor: Chosen = None
    shard: str | None = None
    parts: bool = False
    rmse: float | None = None
    target_psnr: float | None = None
    budget: int | None = None
    bytes_per_picture: float | None = None
    decimal: str | None = None


def worst_column(
    errors: Mapping[str, Mapping[str, float]],
    ranges: Mapping[str, list[float]],
) -> dict[str, Json]:
    """The column of numbers whose root mean squared error is the largest part of its range, of
    those that have an error: "column", its name, "rmse" and "largest", its errors in its unit, and
    "range", from its lowest to its highest number; {} if none has an error.

    errors: by column, in its unit, "rmse" and "largest"; columns without these hold no numbers.
    ranges: [lowest, highest] of each column of numbers.
    """
    worst: dict[str, Json] = {}
    largest_share = 0.0
    for name, error in errors.items():
        if not error.get("rmse"):
            continue
        low, high = ranges[name]
        # a column of one value has no range to measure by
        extent = high - low or 1.0
        if error["rmse"] / extent > largest_share:
            largest_share = error["rmse"] / extent
            worst = {
                "column": name,
                "rmse": error["rmse"],
                "largest": error["largest"],
                "range": high - low,
            }
    return worst


def inner_name(name: str) -> str:
    """The file name of a path, without folders and without .gz, .zst and .xz at its end, as an
    archive's header has it."""
    base = Path(name).name
    for suffix in (".gz", ".zst", ".xz"):
        base = base.removesuffix(suffix)
    return base


@dataclass(eq=False)
class _Errors:
    """Sums over rows from which an archive's errors are computed; of tables arrays, (columns,), of
    pictures one number for all pixels. square: the sum of squared errors, in squared units of the
    data; largest: the largest error, in these units; compared: how many numbers came back as
    numbers; wrong: how many other cells came back as something else, words as another one, numbers
    as gaps or gaps as numbers; rows: how many records."""

    square: Any = 0.0
    largest: Any = 0.0
    compared: Any = 0
    wrong: Any = 0
    rows: int = 0


# computes the error to be limited from an archive's figures
Judge = Callable[[dict[str, Json]], float]


@dataclass(frozen=True, eq=False)
class _Choice:
    """A way to store a code. size: an estimate of how many bytes the sample takes; exact_columns:
    the names of the columns that are stored exactly beside the code; quantiser, corrections: as
    they are stored."""

    size: int
    exact_columns: set[str]
    quantiser: lossy.Quantiser
    corrections: Corrections


def mean_error(figures: dict[str, Json]) -> float:
    """The entry "error" of a lossy archive's figures: the mean error over columns, each as a part
    of its range; of pictures RMSE / 255."""
    return float(figures["error"])


class LossyJob:
    """Writes one lossy archive, of a model's codes of a source's records rounded to steps: `write`
    chooses the steps on a sample of the records, encodes all of them block by block, measures how
    far what the archive restores is off, and returns the figures.

    modelled: the columns that the model sees, () of pictures; content: of what was written last;
    irregular_columns: names of the columns in which a cell is of another kind; not_carried: names
    of the columns that the archive stores exactly, these and perhaps more; rows: how many records
    there are; squares, compared: by column of numbers that the code carries the sum of squared
    errors, and of how many numbers.
    """

    def __init__(
        self,
        source: TableSource | FramedSource,
        model: Bundle,
        options: CompressOptions,
        learned: bool,
        judge: Judge | None = None,
    ) -> None:
        """source: in the form that the model's encoder takes. model: a bundle whose encoder and
        decoder are used. options: of compress, as far as they concern codes. learned: whether the
        model was fitted to this very source. judge: computes from an archive's figures the error
        that options.target limits; None: the mean error of all columns."""
        self.judge = judge or mean_error
        self.source = source
        self.model = model
        self.options = options
        self.learned = learned
        self.content: Lossy  # of what was written last
        self.modelled: tuple[Modelled, ...] = ()
        if model.schema:
            self.modelled = model.schema.modelled
        self.ranges: dict[str, list[float]] = {}
        self.irregular_columns: set[str] = set()
        self.not_carried: set[str] = set()
        self.corrections = Corrections()
        self.rows = 0
        self.squares: dict[str, float] = {}
        self.compared: dict[str, int] = {}

    @property
    def size(self) -> int:
        """Bytes that the source's records would take uncompressed: of pictures one for each value
        of a pixel; of a table 8 for each cell, and 0 before `write`, as its rows are not counted
        yet."""
        if isinstance(self.source, FramedSource):
            values = int(np.prod(self.source.shape))
            return self.source.count * values
        columns = len(self.source.head(0).names)
        return 8 * self.rows * max(1, columns)

    def write(self, file: BinaryIO) -> dict[str, Json]:
        """Write the archive to an empty file; returns its figures by name: "fidelity", "bytes" by
        what they hold, "error", the mean error, and "errors" by column, "rows", "archive_bytes",
        "worst", of tables, as `worst_column` has it, and "needs_model", the SHA-256 of the model
        that is not inside. If the whole source misses options.target, it is written again with
        finer steps, up to TRIES (6) times in all; ParamError if that does not help, or not even the
        sample can reach it. ArchiveError if the archive cannot be restored; DataError where the
        source cannot be read, or its errors are too large to be added up. file: of the system, not
        in memory: it is opened once more.

        Sets rows, squares (by column of numbers that the code carries, the sum of squared errors,
        in squared units) and compared (by column, of how many numbers).
        """
        sample = self._sample_and_ranges()
        wanted_error = self.options.target
        target = wanted_error
        for _ in range(TRIES):
            file.seek(0)
            file.truncate()
            quantiser = self._choose_quantiser(sample, target)
            facts = self._write(file, quantiser)
            error = self.judge(facts)
            if wanted_error is None or target is None or error <= wanted_error:
                # reads all of it again, and counts the rows
                self._verify(file)
                size = file.tell()
                return {**facts, "archive_bytes": size, "rows": self.rows}
            # the whole has a larger error than the sample had: the next target is smaller by
            # that ratio
            target = MARGIN * target * wanted_error / error
        raise ParamError(
            f"{option('--target-error')} {wanted_error:g} holds on a sample but not on the whole "
            f"file; fit a model with a larger code ({option('-O ')}latent=...), or allow more"
        )

    def _verify(self, file: BinaryIO) -> None:
        """Read the archive back and restore all of it; sets rows. ArchiveError if that fails. What
        comes back is not compared with the source, from which a model's records differ."""
        file.flush()
        with read_back(file, self.model, self.options.device) as archive:
            self.content.compare(archive)
            self.rows = archive.rows

    def numbers(self, rows: int | None) -> Array:
        """Read the source's records as numbers, (n, columns) float64, as the model reads them, NaN
        where missing; only of a table. rows: draw so many at random, in the source's order; None:
        all. DataError if some are to be drawn and there are none."""
        assert self.model.schema is not None and not isinstance(self.source, FramedSource)
        if rows is not None:
            table, _ = self.source.sample(rows, 0)
            return self.model.schema.encode(table, self.source.name)
        records = [x for x, _, _ in self._read_blocks()]
        if records:
            return np.concatenate(records)
        columns = len(self.modelled)
        return np.zeros((0, columns))

    def _sample_and_ranges(self) -> Records:
        """A random sample of at most SAMPLE (4,096) records, as the encoder takes them: (n,
        columns) float64, or pictures (n, channels, height, width) uint8. Of a table, which is read
        from end to end for it, sets `ranges`, [lowest, highest] of each column of numbers, and
        `irregular_columns`, the names of the columns in which a cell is of another kind, which are
        stored exactly. DataError for a table without one of the model's columns, or with one of
        another kind, and for pictures none of which can be read."""
        if isinstance(self.source, FramedSource):
            return self.source.sample(SAMPLE, 0)
        assert self.model.schema is not None
        self._read_ranges(self.source, self.model.schema)
        try:
            table, _ = self.source.sample(SAMPLE, 0)
        # no records: an empty archive of the right columns
        except DataError:
            table = self.source.head(0)
        return self.model.schema.encode(table, self.source.name)

    def _read_ranges(self, source: TableSource, schema: Schema) -> None:
        """Read the whole table and set `ranges`, [lowest, highest] of each column of numbers, in
        the units of the data (the column's `span` where all its cells are gaps), and
        `irregular_columns`, the names of the columns in which a cell is of another kind. DataError
        for a table without one of the schema's columns, or with one of another kind."""
        # of no numbers yet: the first one is below and above these
        low = np.full(len(self.modelled), np.inf)
        high = -low
        for table in source.batches():
            x = schema.encode(table, source.name)
            odd = x == ODD
            # a code restores numbers, and would write one in place of such a cell
            irregular = np.flatnonzero(odd.any(axis=0))
            for place in irregular.tolist():
                self.irregular_columns.add(self.modelled[place].name)
            is_number = np.isfinite(x) & ~odd
            finite = np.where(is_number, x, np.nan)
            if len(finite):
                # fmin and fmax pass over NaN, as min and max would not
                lowest = np.fmin.reduce(finite, axis=0)
                highest = np.fmax.reduce(finite, axis=0)
                low = np.fmin(low, lowest)
                high = np.fmax(high, highest)
        for place, column in enumerate(self.modelled):
            if not column.measured:
                continue
            # a column of gaps alone has no range of its own
            if np.isfinite(low[place]):
                self.ranges[column.name] = [float(low[place]), float(high[place])]
            else:
                self.ranges[column.name] = list(column.span)

    def _choose_quantiser(self, sample: Records, target: float | None) -> lossy.Quantiser:
        """Choose the quantiser that codes the sample, records as `_sample_and_ranges` returns them,
        in the fewest bytes at an error, as `judge` computes it, of at most `target`; None: at the
        default fineness. A code of whole numbers, and any code if there are no records, gets steps
        of 1. Sets `not_carried`, the columns that the archive then stores exactly beside the code,
        and `corrections`, those that it corrects. ParamError if `target` cannot be reached.
        DataError where the squares of errors are too large to be added up."""
        self.not_carried = self.irregular_columns
        self.corrections = Corrections()
        # codes of whole numbers are stored as they are: no offset, steps of 1, and every unit
        size = self.model.latent
        every = np.arange(size)
        as_it_is = lossy.Quantiser(np.zeros(size), np.ones(size), every)
        if not len(sample):
            return as_it_is
        has_whole_codes = "code_levels" in self.model.facts
        # pictures have no columns to correct, and without a target there is nothing to reach
        is_correctable = target is not None and self.model.schema is not None
        if has_whole_codes and not is_correctable:
            return as_it_is
        encoder = self.model.session("encoder.onnx", self.options.device)
        z = encoder(sample)["z"]
        decoded_sample = self._decode(z, sample)
        choices: list[_Choice] = []
        refused: list[ParamError] = []
        for exact_columns in self._sets_of_exact_columns(sample, decoded_sample):
            self.not_carried = exact_columns
            try:
                choices += self._choices(sample, z, target, as_it_is if has_whole_codes else None)
            # with more columns of categories stored exactly it may be reached
            except ParamError as unreachable:
                refused.append(unreachable)
        if not choices:
            raise refused[-1]
        # of several of one size the first is taken
        cheapest = min(choices, key=lambda choice: choice.size)
        self.not_carried = cheapest.exact_columns
        self.corrections = cheapest.corrections
        return cheapest.quantiser

    def _choices(
        self,
        sample: Records,
        z: Array,
        target: float | None,
        fixed: lossy.Quantiser | None,
    ) -> list[_Choice]:
        """The ways to store the codes z, (rows, latent), of the sample, (rows, ...), at an error of
        at most `target`, None: at a default fineness, with the columns in `not_carried` stored
        exactly: by the code alone, and of a table with a target also with corrections. fixed: the
        only quantiser that the code may have, None: any. ParamError if `target` cannot be
        reached."""
        if target is None or self.model.schema is None:
            quantisers = self._quantisers(sample, z)
            return [self._choice(sample, z, self._fit_quantiser(sample, z, quantisers, target))]
        names = [column.name for column in self.modelled]
        correcting = Correcting(
            names=names,
            records=sample,
            z=z,
            deviations=self._deviations(sample),
            decode=self._corrected_from,
            error=self._error,
        )
        if fixed is not None:
            reached = correcting.reaching(target, lambda step: fixed)
            if reached is None:
                raise _unreachable(target)
            return [self._choice(sample, z, *reached)]
        quantisers = self._quantisers(sample, z)
        choices = []
        # the code alone may not reach it
        with contextlib.suppress(ParamError):
            plain = self._fit_quantiser(sample, z, quantisers, target)
            choices.append(self._choice(sample, z, plain))
        reached = correcting.cheapest_reaching(target, quantisers)
        if reached is not None:
            choices.append(self._choice(sample, z, *reached))
        if not choices:
            raise _unreachable(target)
        return choices

    def _choice(
        self,
        sample: Records,
        z: Array,
        quantiser: lossy.Quantiser,
        corrections: Corrections | None = None,
    ) -> _Choice:
        """A way to store the codes z, (rows, latent), of the sample, with an estimate of the bytes
        that it takes: those of the code, of corrections, and of the columns in `not_carried`."""
        corrections = corrections or Corrections()
        quantised = quantiser.quantise(z)
        columns = list(quantised.T)
        if corrections.step:
            decoded = self._decoder_output(quantiser.restore(quantised), sample)
            columns += list(self._corrected_by(corrections, sample, decoded).T)
        size = _coded_size(columns) + self._size_stored_exactly(sample)
        return _Choice(size, self.not_carried, quantiser, corrections)

    def _deviations(self, sample: Records) -> dict[str, float]:
        """By name the standard deviation, in its unit, of each column of numbers that the code
        carries; columns that do not vary are left out. sample: (rows, columns)."""
        deviations = {}
        for place, column in enumerate(self.modelled):
            if not column.measured or not self._is_carried_by_code(column):
                continue
            values = sample[:, place]
            finite = values[np.isfinite(values)]
            # of numbers beyond 1e154 there is none
            with np.errstate(over="ignore", invalid="ignore"):
                deviation = float(finite.std()) if len(finite) else 0.0
            if 0 < deviation < np.inf:
                deviations[column.name] = deviation
        return deviations

    def _quantisers(self, sample: Records, z: Array) -> lossy.ScaledQuantisers:
        """The quantisers of the codes z, (rows, latent), of the sample, of any fineness, by what
        each unit does to the columns that the code carries. ParamError if options.latent is out of
        range."""
        return lossy.ScaledQuantisers.of(
            z,
            # gains are probed on the first rows
            lambda code: self._decode(code, sample[: len(code)]),
            self._distance,
            self.options.latent,
        )

    def _fit_quantiser(
        self,
        sample: Records,
        z: Array,
        quantisers: lossy.ScaledQuantisers,
        target: float | None,
    ) -> lossy.Quantiser:
        """Choose of these quantisers of the codes z, (rows, latent), of the sample, (rows, ...),
        with the columns in `not_carried` stored exactly and not counted as errors. target: the most
        that `judge` may compute, None: a default fineness. ParamError if `target` cannot be
        reached. DataError where the squares of errors are too large to be added up."""

        def decode(code: Array) -> Array:
            """The records that the archive will restore of the codes, (rows, latent), of the
            sample."""
            return self._decode(code, sample)

        def error(decoded: Array) -> float:
            """The error of the decoded sample, in its shape, as `judge` computes it. DataError
            where the squares of errors are too large to be added up."""
            measured = _Errors()
            self._measure(measured, sample, decoded)
            return self.judge(self._figures_of_errors(measured))

        def distortion(decoded: Array) -> float:
            """The mean squared error of the decoded sample's records, in standardised units."""
            distances = self._distance(sample, decoded)
            return float(distances.mean())

        return lossy.choose(
            z,
            quantisers,
            decode,
            error,
            distortion,
            self._error_fine_enough(),
            target,
        )

    def _decode(self, code: Array, x: Array) -> Array:
        """The records that the archive will restore without corrections: (rows, columns) float64
        in the units of the data, NaN in gaps, or pictures as x. code: (rows, latent), quantised; x:
        the source's records, whose gaps and conditions the archive stores."""
        return self._restored(self._decoder_output(code, x), x, {})

    def _decoder_output(self, code: Array, x: Array) -> Array:
        """What the decoder gives for codes, (rows, latent), before it is rounded as a file may have
        it: (rows, columns) in the units of the data, or pixels as x. x: the source's records, whose
        conditions the archive stores."""
        schema = self.model.schema
        condition = None if schema is None else x[:, schema.conditions]
        outputs = decoding.decoded(self.model, code, self.options.device, condition)
        return outputs["x_hat"]

    def _restored(self, decoded: Array, x: Array, amounts: Mapping[str, Array]) -> Array:
        """The records that the archive will restore of what the decoder gives, which may be changed
        in place. amounts: by corrected column what is added to its numbers, (rows,); x: the
        source's records, whose gaps the archive stores."""
        restored = decoding.as_written(self.model, decoded, self.ranges, amounts)
        if self.model.schema is not None:
            gaps = decoding.gaps_of(x)
            decoding.put_gaps(self.model.schema, restored, gaps)
        return restored

    def _corrected_by(self, corrections: Corrections, x: Array, decoded: Array) -> Int:
        """The steps that correct what the decoder gives, `decoded`, of records x, both (rows,
        columns): (rows, corrected) int64."""
        names = [column.name for column in self.modelled]
        return corrections.counted(names, x, self._with_usual(decoded))

    def _corrected_from(self, code: Array, x: Array) -> Array:
        """What corrections of a table are added to: as `_decoder_output`, with no number
        missing."""
        return self._with_usual(self._decoder_output(code, x))

    def _with_usual(self, decoded: Array) -> Array:
        """A copy of what the decoder gives of a table, (rows, columns), with the `usual` of each
        column of numbers in place of the gaps that it expects."""
        filled = decoded.copy()
        for place, column in enumerate(self.modelled):
            if column.measured:
                filled[:, place] = decoding.corrected_from(column, decoded[:, place])
        return filled

    def _error(self, sample: Records, decoded: Array, corrections: Corrections) -> float:
        """The error, as `judge` computes it, of the sample restored with corrections. decoded:
        (rows, columns), what the decoder gives, which stays as it is. DataError where the squares
        of errors are too large to be added up."""
        steps = self._corrected_by(corrections, sample, decoded)
        restored = self._restored(decoded.copy(), sample, corrections.amounts(steps))
        measured = _Errors()
        self._measure(measured, sample, restored)
        return self.judge(self._figures_of_errors(measured))

    def _sets_of_exact_columns(self, sample: Records, decoded: Array) -> list[set[str]]:
        """The sets of names of columns that may be stored exactly beside the code, one or two to be
        tried one after the other: `irregular_columns` with the categories that the code restores
        wrongly more often than MOST_WRONG (0.05, a part of the cells), and those with all
        categories. sample, decoded: records and what the code restores of them, (n, columns)."""
        with_wrong = set(self.irregular_columns)
        with_all = set(self.irregular_columns)
        for place, column in enumerate(self.modelled):
            # left are categories that the model restores
            if column.measured or not column.predicted:
                continue
            with_all.add(column.name)
            is_wrong = _where_different(sample[:, place], decoded[:, place])
            if is_wrong.mean() > MOST_WRONG:
                with_wrong.add(column.name)
        if with_wrong == with_all:
            return [with_all]
        return [with_wrong, with_all]

    def _error_fine_enough(self) -> float:
        """The squared error of a record, in standardised units, below which no finer quantiser
        steps are chosen by default, because it is small enough for any use: FAITHFUL (0.05 of a
        deviation) squared, for each number or value of a pixel."""
        values = 0
        for column in self.modelled:
            is_number = column.measured and column.predicted
            # a column with cells of another kind is exact, and has no error
            values += is_number and column.name not in self.irregular_columns
        if self.model.schema is None:
            # of pictures all values of their pixels
            values += self.model.spec.features
        return FAITHFUL**2 * values

    def _size_stored_exactly(self, sample: Records) -> int:
        """Estimate how many bytes those columns of a sample take that the archive stores exactly,
        beside the code: the ones in `not_carried`, of which columns of numbers are not counted.
        sample: (n, columns), records."""
        total = 0
        for place, column in enumerate(self.modelled):
            # irregular numbers are in every set of columns that is tried, and make no difference
            if column.name in self.not_carried and not column.measured:
                # any number for a gap will do: this is an estimate
                levels = np.nan_to_num(sample[:, place], nan=255)
                # an odd cell of dates is the least float, which no integer holds
                levels = np.clip(levels, -LARGEST, LARGEST)
                whole_levels = levels.astype(np.int64)
                total += _coded_size([whole_levels])
        return total

    def _distance(self, a: Array, b: Array) -> Array:
        """(rows,): the squared difference of records a and b, summed over the columns that the code
        carries, each in standard deviations, or over all values of pictures, standardised by
        image_features."""
        if self.model.schema is None:
            # standardised, as models see pixels: `_error_fine_enough` is in these units
            of_a = image_features(a).reshape(len(a), -1)
            of_b = image_features(b).reshape(len(b), -1)
            difference = (of_a - of_b).astype(np.float64)
            squares = difference**2
            return np.asarray(squares.sum(axis=1))
        total = np.zeros(len(a))
        for place, column in enumerate(self.modelled):
            if self._is_carried_by_code(column):
                values = a[:, place]
                other = b[:, place]
                total += column.distance(values, other)
        return total

    def _is_carried_by_code(self, column: Modelled) -> bool:
        """Whether the archive has this column by the code alone: the model restores it, and it is
        not stored exactly beside."""
        return column.predicted and column.name not in self.not_carried

    def _measure(self, measured: _Errors, x: Array, decoded: Array) -> None:
        """Add the errors of these records to `measured`, in place: of numbers and pixels their
        difference, in the units of the data, of other cells, also of numbers that only one of both
        has, how many are wrong. x: the records of the source, (n, columns) or (n, channels, height,
        width); decoded: those restored, in the same shape."""
        measured.rows += len(x)
        if self.model.schema is None:
            difference = x.astype(np.float64) - decoded
            sum_of_squares = float((difference**2).sum())
            measured.square = measured.square + sum_of_squares
            farthest = float(np.abs(difference).max(initial=0.0))
            measured.largest = max(measured.largest, farthest)
            measured.compared = measured.compared + difference.size
            return
        restores_numbers = [column.measured and column.predicted for column in self.modelled]
        is_number = np.array(restores_numbers)
        is_finite = np.isfinite(x) & np.isfinite(decoded)
        both = is_finite & is_number
        # 0 where one is no number: the difference of two infinities would be a warning
        original = np.where(both, x, 0.0)
        restored = np.where(both, decoded, 0.0)
        difference = np.where(both, original - restored, 0.0)
        differ = _where_different(x, decoded)
        # a number that only one of the two has is wrong; how far off others are is measured
        is_lost = ~both & differ
        wrong = np.where(is_number, is_lost, differ)
        # what overflows is told by _rmse, with the name of the column
        with np.errstate(over="ignore"):
            square = (difference**2).sum(axis=0)
            measured.square = measured.square + square
        farthest_by_column = np.abs(difference).max(axis=0, initial=0.0)
        measured.largest = np.maximum(measured.largest, farthest_by_column)
        measured.compared = measured.compared + both.sum(axis=0)
        measured.wrong = measured.wrong + wrong.sum(axis=0)

    def _figures_of_errors(self, measured: _Errors) -> dict[str, Json]:
        """The figures of errors. "error": the mean over the columns that the code carries of, for
        numbers, RMSE / range plus the part of cells that is wrong, at most 1, for others that part
        alone; 0 for no columns. "errors": by column its "wrong", this part, and of numbers "rmse"
        and "largest". Of pictures "error", RMSE / 255, "rmse", "largest" and "psnr_db". DataError
        where the squares of errors are too large to be added up."""
        if self.model.schema is None:
            return _summary_of_pictures(measured)
        columns = {}
        errors = []
        for place, column in enumerate(self.modelled):
            if not measured.rows or not self._is_carried_by_code(column):
                continue
            wrong = float(measured.wrong[place]) / measured.rows
            entry: dict[str, float] = {"wrong": wrong}
            error = wrong
            if column.measured:
                rmse = self._rmse(measured, place)
                entry["rmse"] = rmse
                entry["largest"] = float(measured.largest[place])
                low, high = self.ranges[column.name]
                # a column of one value has no range to measure by
                extent = high - low or 1.0
                error = min(1.0, rmse / extent + wrong)
            errors.append(error)
            columns[column.name] = entry
        # an archive that carries no column by its code has no error
        mean = float(np.mean(errors)) if errors else 0.0
        return {"error": mean, "errors": columns}

    def _rmse(self, measured: _Errors, place: int) -> float:
        """The root mean squared error of a column of numbers, in its unit; DataError where it
        overflows. measured: the sums over the rows; place: of the column among `modelled`."""
        compared = max(measured.compared[place], 1)
        mean_square = float(measured.square[place] / compared)
        rmse: float = mean_square**0.5
        if not np.isfinite(rmse):
            raise DataError(
                f"{self.source.name}: the numbers of '{self.modelled[place].name}' are too large "
                f"for their errors to be added up: leave this column out "
                f"({option('--drop')}), or store the table without a model's code"
            )
        return rmse

    def _write(self, file: BinaryIO, quantiser: lossy.Quantiser) -> dict[str, Json]:
        """Write the archive once, with this quantiser, to an empty file; returns its figures as
        `write` does, but for rows and archive_bytes. Sets content, squares and compared. DataError
        where the source cannot be read, or its errors are too large to be added up."""
        measured = _Errors()
        self.content = self._new_content(quantiser)
        # an archive with no model inside names the one that it needs; "" where it is inside
        needed_sha256 = "" if self._embeds_model() else self.model.sha256
        header = self.content.header()
        writer = Writer(file, header, self._sections(), needed_sha256)
        encoder = self.model.session("encoder.onnx", self.options.device)
        digest = hashlib.sha256()
        hints = blocks.NO_HINTS
        for x, table, names in self._read_blocks():
            z = encoder(x)["z"]
            code = quantiser.quantise(z)
            decoded = self._decoder_output(quantiser.restore(code), x)
            steps = None
            amounts: Mapping[str, Array] = {}
            if table is not None:
                steps = self._corrected_by(self.corrections, x, decoded)
                amounts = self.corrections.amounts(steps)
            restored = self._restored(decoded, x, amounts)
            self._measure(measured, x, restored)
            coded_records = CodedRecords(x, code, table, names, steps)
            for block in self.content.encode(coded_records, hints):
                digest.update(block.content)
                writer.add(block.rows, block.content, block.payload)
                # plans of a block are the first guess for the next
                hints = block.hints
        self._keep_sums(measured)
        sizes = self.content.sizes.of
        facts: dict[str, Json] = {"fidelity": "lossy", "bytes": sizes}
        facts |= self._figures_of_errors(measured)
        # readers are told of errors in few digits
        writer.finish(facts | _in_few_digits(facts), digest.digest())
        # of no use inside the archive, which has them otherwise
        worst = worst_column(facts.get("errors", {}), self.ranges)
        if worst:
            facts["worst"] = worst
        if needed_sha256:
            facts["needs_model"] = needed_sha256
        return facts

    def _keep_sums(self, measured: _Errors) -> None:
        """Set `squares` and `compared` by the errors of the whole source; without records they stay
        as they are."""
        if not measured.rows:
            return
        for place, column in enumerate(self.modelled):
            if column.measured and self._is_carried_by_code(column):
                self.squares[column.name] = float(measured.square[place])
                self.compared[column.name] = int(measured.compared[place])

    def _read_blocks(self) -> Iterator[tuple[Records, Table | None, list[str]]]:
        """Read the source piece by piece: yields (records as the encoder takes them, (n, columns)
        float64 or pictures (n, channels, height, width) uint8; their table, None for pictures; the
        names of the pictures, [] for a table). DataError where the source cannot be read."""
        if isinstance(self.source, FramedSource):
            yield from self._picture_blocks(self.source)
            return
        assert self.model.schema is not None
        for table in self.source.batches():
            if len(table):
                records = self.model.schema.encode(table, self.source.name)
                yield records, table, []

    def _picture_blocks(self, source: ImageSource) -> Iterator[tuple[Records, None, list[str]]]:
        """Read pictures, each time whole batches of BLOCK_BYTES (2^23) values or more, at the end
        of fewer: yields (pixels, (n, channels, height, width) uint8; None, as they are no table;
        their names). DataError where one cannot be read."""
        # a block is of whole batches, as the source yields them
        pending: list[Records] = []
        pending_bytes = 0
        first = 0
        for batch in source.batches():
            pending.append(batch)
            pending_bytes += batch.size
            if pending_bytes < BLOCK_BYTES:
                continue
            pixels = np.concatenate(pending)
            last = first + len(pixels)
            yield pixels, None, source.names[first:last]
            first = last
            pending = []
            pending_bytes = 0
        if pending:
            yield np.concatenate(pending), None, source.names[first:]

    def _new_content(self, quantiser: lossy.Quantiser) -> Lossy:
        """The content of the archive, of this quantiser, with no block encoded yet: LossyPictures
        of pictures, of a table a CorrectedTable if there are `corrections`, else a LossyTable. Of a
        table it needs `not_carried`, `corrections` and `ranges`."""
        name = inner_name(self.source.name)
        format = {**self.source.format, "name": name}
        effort = self.options.effort
        if isinstance(self.source, FramedSource):
            has_names = bool(self.source.names)
            return LossyPictures(format, quantiser, has_names, effort)
        carried: set[str] = set()
        for column in self.modelled:
            if self._is_carried_by_code(column):
                carried.add(column.name)
        # one record shows the kinds of all columns, as none does of an empty table
        columns = stored_as(self.source.head(1), carried)
        # readers of before know no corrections: they are told by the version
        kind = CorrectedTable if self.corrections.step else LossyTable
        return kind(
            format,
            quantiser,
            columns,
            self.source.dtypes,
            self.ranges,
            effort,
            self.corrections,
        )

    def _embeds_model(self) -> bool:
        """Whether the archive shall hold the model's decoder: as options.embed asks, else where it
        was learned for this source, or its bundle takes at most EMBED_SHARE (5 %) of the source's
        bytes. OSError if the source's file is gone."""
        if self.options.embed is not None:
            return self.options.embed
        if self.learned:
            return True
        most_bytes = EMBED_SHARE * _source_size(self.source)
        return len(self._decoder_only()) <= most_bytes

    @property
    def model_bytes(self) -> int:
        """Bytes of the bundle that decoding needs, schema and decoder, whether or not the archive
        embeds it."""
        return len(self._decoder_only())

    def _decoder_only(self) -> bytes:
        """The model's bundle as bytes, with only what decoding needs: the decoder, and the schema
        with columns cut to what restores them; calibration and facts are empty."""
        # no scores are judged by it: it is only asked for records
        no_scores = Calibration.of(np.zeros((0, 1)))
        decoder = self.model.graphs["decoder.onnx"]
        schema = self.model.schema
        if schema is not None:
            columns = tuple(column.restoring() for column in schema.columns)
            schema = dataclasses.replace(schema, columns=columns)
        slim = dataclasses.replace(
            self.model,
            schema=schema,
            graphs={"decoder.onnx": decoder},
            calibration=no_scores,
            facts={},
        )
        return slim.to_bytes()

    def _sections(self) -> dict[str, bytes]:
        """The sections of the archive beside its blocks, by name: "model", packed, where it is
        embedded; else {}."""
        if not self._embeds_model():
            return {}
        model = packed_models.packed(self._decoder_only())
        return {"model": model}


def _unreachable(target: float) -> ParamError:
    """The error to raise where a table's code does not reach an error, also with corrections."""
    return ParamError(
        f"{option('--target-error')} {target:g}: what this model restores is farther off, also "
        "where it is corrected in the finest steps; allow more, or store the table within bounds "
        f"({option('--max-error')}) or exactly"
    )


def _in_few_digits(facts: dict[str, Json]) -> dict[str, Json]:
    """The entry "errors" of a table's figures, with its numbers rounded up to DIGITS (4)
    significant digits, which an archive of many columns has room for; {} of pictures, which have
    none."""
    if "errors" not in facts:
        return {}
    errors = {}
    for name, figures in facts["errors"].items():
        errors[name] = {figure: rounded_up(value) for figure, value in figures.items()}
    return {"errors": errors}


def rounded_up(value: float) -> float:
    """A number, 0 or more, rounded up to DIGITS (4) significant digits; one that has no more, as
    its shortest decimal, stays as it is."""
    if not value:
        return value
    # as it is written: 5.4 as a float is a little more, and would become 5.401
    shortest = Decimal(repr(value))
    digits = Context(prec=DIGITS, rounding=ROUND_CEILING)
    rounded = digits.plus(shortest)
    return float(rounded)


def _summary_of_pictures(measured: _Errors) -> dict[str, Json]:
    """The figures of errors of pictures, in grey levels; "error" is the RMSE as a share of 255,
    beside "rmse", "largest" and, unless the RMSE is 0, "psnr_db"."""
    mean_square = measured.square / max(measured.compared, 1)
    rmse = mean_square**0.5
    facts: dict[str, Json] = {
        "error": rmse / 255,
        "rmse": rmse,
        "largest": measured.largest,
    }
    # without an error the ratio would be infinite, which JSON does not know
    if rmse:
        psnr = 20 * np.log10(255 / rmse)
        facts["psnr_db"] = round(float(psnr), 3)
    return facts


def _coded_size(values: list[Array]) -> int:
    """About how many bytes columns of whole numbers, one array (rows,) int64 each, take in an
    archive: as many as the fastest encoder needs; 0 for no columns."""
    if not values:
        return 0
    columns = []
    for unit in values:
        contiguous = np.ascontiguousarray(unit)
        columns.append(whole_column(contiguous))
    rows = len(values[0])
    _, payload, _ = blocks.encode(columns, rows, {}, planning.FAST)
    return len(payload)


def _where_different(a: Array, b: Array) -> Array:
    """Where two arrays of floats of one shape differ, as bool in that shape; two NaN are equal."""
    both_missing = np.isnan(a) & np.isnan(b)
    differing: Array = ~((a == b) | both_missing)
    return differing


def _source_size(source: Source) -> int:
    """Bytes of a source: of its file, compressed if it is, or of its pixels, one for each value; 0
    where neither is known. OSError if the file is gone."""
    if isinstance(source, FramedSource):
        return _source_size(source.source)
    path = getattr(source, "path", None) or getattr(source, "_path", None)
    if path is not None:
        return int(Path(path).stat().st_size)
    if isinstance(source, ImageSource):
        pixels = int(np.prod(source.shape))
        return source.count * pixels
    return 0
