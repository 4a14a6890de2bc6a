"""denoise: damaged records restored by a model, gaps and regions filled from what is left."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aetool.arguments import CheckedOptions
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec import decoding
from aetool.columns.column import Modelled
from aetool.columns.layout import table_features
from aetool.data import sources, writers
from aetool.data.images import ImageSource
from aetool.data.scaling import PIXEL_MEAN
from aetool.data.sources import Source
from aetool.data.table import Cells, Mask, Table, Values
from aetool.errors import DataError, ParamError
from aetool.files import named_path
from aetool.model import Float, Records
from aetool.scoring.inputs import Laid, inputs_of, seen_by
from aetool.spelling import option
from aetool.writing import records
from aetool.writing.pictures import write_pictures_like

ROUNDS = 24  # of filling, at most: each sees what the one before has put in the gaps
TRIED = 256  # first records, in which known values are hidden to see how many rounds are best
HIDDEN = 0.1  # the part of their known values that is hidden
Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class DenoiseOptions(CheckedOptions):
    """Options of `denoise`: what it changes, and what it measures.

    fill_missing: only gaps are changed; of pictures only the region, (left, top, width, height) in
    pixels, which is None for tables. clean: the same records without damage, as sources.open_source
    takes data, by which the gain is measured; None: nothing is measured. force: a file that exists
    may be replaced. device: where the model runs: auto, cpu, cuda or cuda:<n>.
    """

    verb = "denoise"

    fill_missing: bool = False
    region: Region | None = None
    clean: object = None
    force: bool = False
    device: str = "auto"


def denoise(
    data: object,
    path: str | os.PathLike[str],
    model: Bundle,
    options: DenoiseOptions | None = None,
) -> dict[str, int | float]:
    """Write records as a model reconstructs them, to a file of the kind of the data, or a table as
    a plugin that writes files of that name does; returns figures by name: rows; with
    options.fill_missing filled, how many cells or pixels were; with options.clean mse_before and
    mse_after, and psnr_gain_db unless one of the two is 0.

    Errors of tables are in squared standard deviations, of pictures in squared grey levels. The
    error before filling is that of the column's usual value in each gap (of numbers the median, of
    words the commonest), or of the mean of the rest in a region. data: a path, or a table or
    pictures in memory. options: None for the defaults. ParamError for a model without a decoder,
    for a region without fill_missing or with a table, and for fill_missing of pictures without a
    region; DataError for data that the model does not take, a picture that cannot be read, a file
    that exists (unless force), and clean records of another number or size.
    """
    options = options or DenoiseOptions()
    # what cannot be read cannot be restored
    opened_source = sources.open_source(data, model.reading)
    source = seen_by(opened_source, model, strict=True)
    if "decoder.onnx" not in model.graphs:
        raise ParamError(f"{model.plugin} has no decoder to restore records with")
    # gaps of tables are where they are; of pictures somebody has to say it
    needs_region = options.fill_missing and isinstance(source, ImageSource)
    if needs_region != (options.region is not None):
        fill = option("--fill-missing")
        raise ParamError(
            f"{option('--region')} says what {fill} fills in pictures: give both, or for a table "
            f"{fill} alone"
        )
    job = _Job(source, model, options)
    target = Path(path)
    if isinstance(source, ImageSource):
        write_pictures_like(target, source, job.pictures(), options.force)
    else:
        schema = model.schema
        assert schema is not None
        notations = {column.name: column.written() for column in schema.columns}
        records.write_records(
            target,
            job.tables(),
            source.format,
            dtypes=source.dtypes,
            written=notations,
            force=options.force,
        )
    return job.figures()


class _Job:
    """One run of denoise: it reads batches, yields restored batches, and adds up the errors. Call
    `tables` or `pictures` once, and `figures` when all batches have been taken.

    source: as the model sees it; options.region is None for a table.
    """

    def __init__(
        self,
        source: Source,
        model: Bundle,
        options: DenoiseOptions,
    ) -> None:
        """Begin with no records read, and open the clean records, if options.clean has any.
        DataError or ParamError if these cannot be read or are not of the model's kind."""
        self.source = source
        self.model = model
        self.options = options
        # sums for the figures, over all batches
        self.rows = 0
        self.filled = 0
        self.compared = 0
        self.before = 0.0
        self.after = 0.0
        self.clean: Iterator[Laid] | None = None
        if options.clean is not None:
            opened_source = sources.open_source(options.clean, model.reading)
            clean = seen_by(opened_source, model, strict=True)
            self.clean = inputs_of(clean, model)
        self.columns: tuple[Modelled, ...] = ()
        if model.schema is not None:
            self.columns = model.schema.modelled
        # context, such as dates, is not restored: models do not predict it
        self.restored = np.array([column.predicted for column in self.columns], bool)
        # what a gap holds at first is what models are trained with in place of what is blanked: the
        # mean of the laid-out values (gray 96), or the commonest level
        self.blank = np.array([column.blank for column in self.columns])
        # what the errors of filled gaps are compared with
        self.usual = np.array([column.usual for column in self.columns])
        # of filling: found out with the first batch, and the same for all others
        self.rounds: int | None = None

    def _reconstructed(self, x: Records) -> Records:
        """Encode and decode records x, (rows, columns), or pictures (rows, channels, height,
        width), once: what the model makes of all their values, in the shape and units of x; NaN
        where it expects a gap."""
        device = self.options.device
        encoder = self.model.session("encoder.onnx", device)
        z = encoder(x)["z"]
        schema = self.model.schema
        # the columns that a record is judged by are inputs of its decoder, too
        condition = x[:, schema.conditions] if schema else None
        restored: Records = decoding.decode(self.model, z, device, condition=condition)
        return restored

    def _rounds_of_filling(
        self,
        x: Records,
        gaps: Mask,
        blank: Records | np.uint8,
    ) -> Iterator[Records]:
        """Fill the gaps of records x, (rows, columns), or pictures (rows, channels, height, width)
        uint8, by the model, round after round without end; yields the records, in the shape and
        units of x, after each round.

        gaps: bool, True where a value is missing, in a shape that broadcasts to that of x. blank:
        what gaps hold before the first round, a number for each column or one gray level.
        """
        y = np.where(gaps, blank, x)
        while True:
            restored = self._reconstructed(y)
            # NaN, which alone differs from itself: the model takes the value for a gap
            has_value = restored == restored
            y = np.where(gaps & has_value, restored, y)
            yield y

    def _fill(
        self,
        x: Records,
        gaps: Mask,
        blank: Records | np.uint8,
        hidden: Mask,
    ) -> Records:
        """A copy of records x, in the units of the data, whose gaps the model has filled: it
        encodes and decodes them several times, each time with what it last put into the gaps.

        x: (rows, columns), or pictures (rows, channels, height, width) uint8. gaps: True where a
        value is missing, in a shape that broadcasts to that of x. blank: what gaps hold before the
        first round, a number for each column or one gray level. hidden: as gaps, for the first
        TRIED (256) records: known values that the first call hides as a test; the number of rounds
        that restores these best is kept for all calls.
        """
        # the best number of rounds is found once, on the first records, whose own gaps are filled
        # by one round beforehand
        if self.rounds is None:
            few_gaps = gaps[:TRIED]
            first_records = next(self._rounds_of_filling(x[:TRIED], few_gaps, blank))
            self.rounds = self._best_rounds(first_records, hidden & ~few_gaps, blank)
        rounds = self._rounds_of_filling(x, gaps, blank)
        # the records after that many rounds
        return next(itertools.islice(rounds, self.rounds - 1, None))

    def _best_rounds(
        self,
        x: Records,
        hidden: Mask,
        blank: Records | np.uint8,
    ) -> int:
        """How many rounds of filling, 1 .. ROUNDS (24), restore known values of the records x,
        (rows, columns) or (rows, channels, height, width), with the least mean squared error; of
        equally good numbers the fewest, so 1 where nothing is hidden. hidden: True at the values
        that are hidden, filled like gaps, and compared with what they were; in a shape that
        broadcasts to that of x. blank: what they hold before the first round, a number for each
        column or one gray level."""
        true_values = self._standardised(x)
        compared = self._mask_of_values(hidden)
        errors = []
        for filled in itertools.islice(self._rounds_of_filling(x, hidden, blank), ROUNDS):
            # in standard deviations, so that no column counts for more than others
            difference = self._standardised(filled) - true_values
            difference = np.nan_to_num(difference)[compared]
            # where nothing is hidden, nothing is wrong
            error = 0.0
            if difference.size:
                error = float((difference**2).mean())
            errors.append(error)
        # of equal errors the fewest rounds
        return 1 + int(np.argmin(errors))

    def _mask_of_values(self, where: Mask) -> Mask:
        """Bring a mask of values into the layout in which errors are measured. where: of a table,
        (rows, columns), which becomes (rows, numbers), the columns of numbers alone; of pictures in
        any shape, which comes back unchanged."""
        if self.model.schema is None:
            return where
        return where[:, self.model.spec.owner]

    def _measure(self, x: Records, y: Records, rows: int) -> None:
        """Add to the sums of this job how many records there are and, if there are clean records,
        the squared errors of damaged records x and of restored records y against the next batch of
        these; what is missing in any of the three is left out. x, y: (rows, columns), or pictures
        (rows, channels, height, width). rows: how many records these are. DataError if there is no
        such batch, or it has another shape."""
        self.rows += rows
        if self.clean is None:
            return
        # both sources are cut into the same batches
        clean = next(self.clean, None)
        if clean is None or clean.inputs.shape != x.shape:
            raise DataError(
                f"{option('--clean')} does not hold the same records as {self.source.name}"
            )
        damaged = self._standardised(x)
        restored = self._standardised(y)
        true_values = self._standardised(clean.inputs)
        # a gap in any of the three has no error
        comparable = np.isfinite(damaged)
        comparable &= np.isfinite(restored)
        comparable &= np.isfinite(true_values)
        error_before = (damaged - true_values)[comparable]
        error_after = (restored - true_values)[comparable]
        self.before += float((error_before**2).sum())
        self.after += float((error_after**2).sum())
        self.compared += int(comparable.sum())

    def _standardised(self, x: Records) -> Float:
        """The values by which errors are measured: of a table its numbers in standard deviations of
        their columns, (rows, numbers), NaN where missing; of pictures the levels of the pixels, 0
        .. 255, in the shape of x."""
        if self.model.schema is None:
            return x.astype(np.float64)
        spec = self.model.spec
        features = table_features(self.model.schema, x)
        numbers = features[:, spec.numeric].astype(np.float64)
        # features have 0 for a gap, which is no value here
        is_gap = np.isnan(x[:, spec.owner])
        return np.where(is_gap, np.nan, numbers)

    def tables(self) -> Iterator[writers.Columns]:
        """Restore a table batch by batch: yields the columns to write, by name, and adds the
        records and their errors to the sums of this job. DataError if the clean records do not
        match."""
        for batch in inputs_of(self.source, self.model):
            x = batch.inputs
            table = batch.table
            assert table is not None
            y = self._table(x)
            before = x
            if self.options.fill_missing:
                # what somebody without a model would fill gaps with is what it has to beat
                gaps = np.isnan(x) & self.restored
                before = np.where(gaps, self.usual, x)
            self._measure(before, y, len(x))
            yield self._columns(table, x, y)

    def _table(self, x: Float) -> Float:
        """Restore encoded records of a table: x and the result are (rows, columns), float64, NaN
        for a gap.

        With fill_missing only gaps are filled, and counted in self.filled; some known cells of the
        first records are hidden for it, to choose by them how often filling is repeated. Otherwise
        all values are restored, but for those that the model would make gaps, and those of columns
        that it does not predict, such as dates.
        """
        if self.options.fill_missing:
            # a date that is missing stays so
            gaps = np.isnan(x) & self.restored
            self.filled += int(gaps.sum())
            first_records = x[:TRIED]
            # always the same cells: a second run gives the same file
            rng = np.random.default_rng(0)
            hidden = rng.random(first_records.shape) < HIDDEN
            hidden &= self.restored & ~np.isnan(first_records)
            return np.asarray(self._fill(x, gaps, self.blank, hidden))
        restored = self._reconstructed(x)
        # where the model expects a gap, the value that is there stays
        stays = np.isnan(restored) | ~self.restored
        return np.where(stays, x, restored)

    def _columns(self, table: Table, x: Float, y: Float) -> writers.Columns:
        """The columns of a batch, by name in the order of the table, as they are written: a cell
        that the model changed has its new value, and any other cell what it had. x, y: (rows,
        columns), the records before and after, in the units of the data."""
        places = {column.name: place for place, column in enumerate(self.columns)}
        columns: writers.Columns = {}
        for name, values in zip(table.names, table.values, strict=True):
            original = _as_written(values)
            place = places.get(name)
            # columns that the model does not see, or does not predict, stay as they are
            if place is None or not self.restored[place]:
                columns[name] = original
                continue
            column = self.columns[place]
            before = x[:, place]
            after = y[:, place]
            # two gaps are equal, though NaN is not NaN
            both_missing = np.isnan(before) & np.isnan(after)
            changed = ~((before == after) | both_missing)
            restored = column.restored(column.rounded(after))
            columns[name] = _replaced(original, restored, changed, column.written())
        return columns

    def pictures(self) -> Iterator[Records]:
        """Restore pictures batch by batch: yields (n, C, H, W) uint8, and adds the records and
        their errors to the sums of this job. DataError if the clean records do not match,
        ParamError for a region that does not lie within the pictures, or leaves nothing of them."""
        for batch in inputs_of(self.source, self.model):
            x = batch.inputs
            if self.options.region is not None:
                x, y = self._region_filled(x)
            else:
                y = self._reconstructed(x)
            self._measure(x, y, len(x))
            yield y.astype(np.uint8)

    def _region_filled(self, x: Records) -> tuple[Records, Records]:
        """Fill the region that the user gave in pictures x, (n, C, H, W) uint8, and add its pixels
        in all of them to self.filled. Returns two arrays in the shape of x: the pictures with the
        region in one gray, the mean of all that lies outside of it in all pictures and channels;
        and the pictures with the region as the model fills it. ParamError if the region does not
        lie within the pictures, or leaves nothing of them."""
        hole = self._region_mask(x.shape)
        pixels = int(hole.sum())
        self.filled += pixels * len(x)
        hole = np.broadcast_to(hole, (len(x), 1, *x.shape[2:]))
        # all pictures have the same hole
        of_one_channel = hole[0, 0]
        pixels_outside = x[:, :, ~of_one_channel]
        gray = np.uint8(pixels_outside.mean())
        x = np.where(hole, gray, x)
        hidden = self._random_regions(hole[:TRIED])
        filled = self._fill(x, hole, np.uint8(PIXEL_MEAN), hidden)
        return x, filled

    def _region_mask(self, shape: tuple[int, ...]) -> Mask:
        """A mask, (1, 1, H, W) bool, of the region that is to be filled. shape: of the pictures,
        (n, C, H, W). ParamError if the region does not lie within them, or leaves nothing of
        them."""
        assert self.options.region is not None
        left, top, width, height = self.options.region
        full_height, full_width = shape[2:]
        right = left + width
        bottom = top + height
        # an empty region is not within: nothing would be filled
        across = 0 <= left < right <= full_width
        down = 0 <= top < bottom <= full_height
        leaves_some = width * height < full_width * full_height
        if not (across and down and leaves_some):
            raise ParamError(
                f"{option('--region')} {left},{top},{width},{height} must lie within "
                f"{full_width} x {full_height} pixels, and leave some"
            )
        hole = np.zeros((1, 1, full_height, full_width), np.bool_)
        hole[:, :, top:bottom, left:right] = True
        return hole

    def _random_regions(self, hole: Mask) -> Mask:
        """A mask, (n, 1, H, W) bool as `hole` is, of a region as large at a random place of each
        picture, which may overlap the hole: known pixels, by which it is tested how well the model
        fills regions."""
        # always the same places: a second run gives the same file
        rng = np.random.default_rng(0)
        masks = np.zeros_like(hole)
        _, _, width, height = self.options.region or (0, 0, 0, 0)
        last_top = hole.shape[2] - height
        last_left = hole.shape[3] - width
        for mask in masks:
            top = rng.integers(0, last_top + 1)
            left = rng.integers(0, last_left + 1)
            mask[:, top : top + height, left : left + width] = True
        return masks

    def figures(self) -> dict[str, int | float]:
        """Return the figures of the finished run, by name. Always: rows, how many records. With
        options.fill_missing: filled, how many cells of all records, or pixels of all pictures.

        With clean data: mse_before and mse_after, the mean squared errors against them of the
        damaged and of the restored values (of tables in squared standard deviations, of pictures in
        squared gray levels; 0 where nothing can be compared), and psnr_gain_db, 10 log10(mse_before
        / mse_after), where neither is 0. DataError if the clean data have more records."""
        figures: dict[str, int | float] = {"rows": self.rows}
        if self.options.fill_missing:
            figures["filled"] = self.filled
        if self.clean is None:
            return figures
        # all batches matched, and yet there are more
        if next(self.clean, None) is not None:
            raise DataError(f"{option('--clean')} has more records than {self.source.name}")
        # where nothing can be compared, both errors are 0
        count = max(self.compared, 1)
        figures["mse_before"] = self.before / count
        figures["mse_after"] = self.after / count
        if self.before > 0 and self.after > 0:
            figures["psnr_gain_db"] = 10 * math.log10(self.before / self.after)
        return figures


def _as_written(values: Values) -> writers.Restored:
    """The values of a column as they are written again: of cells of text their texts, None where a
    cell is missing; numbers and moments as they are."""
    if not isinstance(values, Cells):
        return values
    texts = []
    for text, is_null in zip(values.strings(), values.null, strict=True):
        texts.append(None if is_null else text)
    return texts


def _replaced(
    original: writers.Restored,
    restored: writers.Restored,
    changed: Mask,
    written: Mapping[str, Json],
) -> writers.Restored:
    """Return a copy of a column, (rows,), with the restored values where `changed`, (rows,), is
    true, and the original ones elsewhere. original: a list of texts, of which the copy is one, too,
    or an array of numbers. written: by name, how the column writes a value as text (decimal mark,
    digits, form of dates), for texts alone."""
    if not isinstance(original, list):
        numbers = np.asarray(restored, np.float64)
        return np.where(changed, numbers, original)
    texts = writers.text_of(restored, written)
    # cells that did not change keep their texts, whatever form those have
    out = list(original)
    for place in np.flatnonzero(changed):
        out[place] = texts[place]
    return out


def default_name(data: str) -> str:
    """The path of the result where the user names none: DATA with `.denoised` before its suffix.
    ParamError for a path without a name, such as the root of a disk."""
    path = named_path(Path(data))
    if not path.name:
        raise ParamError(f"{data}: has no name to call the result by: name it with {option('-o')}")
    return str(path.with_name(f"{path.stem}.denoised{path.suffix}"))
