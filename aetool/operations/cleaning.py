"""denoise: damaged records restored by a model, gaps and regions filled from what is left."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aetool.bundle import Bundle
from aetool.codec import decoding
from aetool.columns.column import Modelled
from aetool.columns.layout import table_features
from aetool.data import sources, writers
from aetool.data.images import ImageSource
from aetool.data.scaling import PIXEL_MEAN
from aetool.data.sources import Source
from aetool.data.table import Cells, Mask, Table
from aetool.errors import DataError, ParamError
from aetool.model import Float, Records
from aetool.scoring.inputs import Laid, inputs_of, seen_by
from aetool.spelling import option
from aetool.writing import records
from aetool.writing.pictures import write_pictures_like

ROUNDS = 24  # of filling, at most: each sees what the one before has put in the gaps
TRIED, HIDDEN = 256, 0.1  # records, and the part of their known values, that tell how many are best
Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class DenoiseOptions:
    """What `denoise` changes, and what it measures.

    fill_missing: only gaps are changed (of pictures: only the region left, top, width, height, in
    pixels). clean: the same records without damage, by which the gain is measured.
    """

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
    """Write records as a model reconstructs them, to a file of the kind of the data; returns
    figures.

    The figures: records, values filled, and with options.clean the mean squared errors before and
    after and the gain in PSNR (dB). Errors of tables are in squared standard deviations, of
    pictures in squared grey levels. The error before filling is that of the median in each gap, or
    of the mean of the rest in a region.
    """
    options = options or DenoiseOptions()
    # what cannot be read cannot be restored
    source = seen_by(sources.open_source(data, model.reading), model, strict=True)
    if "decoder.onnx" not in model.graphs:
        raise ParamError(f"{model.plugin} has no decoder to restore records with")
    if (options.region is not None) != (options.fill_missing and isinstance(source, ImageSource)):
        # gaps of tables are where they are; of pictures somebody has to say it
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
        written = {c.name: c.written() for c in schema.columns}
        records.write_records(
            target, job.tables(), source.format,
            dtypes=source.dtypes, written=written, force=options.force,
        )  # fmt: skip
    return job.figures()


class _Job:
    """One run of denoise: it reads batches, yields restored batches, and adds up the errors."""

    def __init__(self, source: Source, model: Bundle, options: DenoiseOptions) -> None:
        self.source = source
        self.model = model
        self.options = options
        # sums for the figures, over all batches
        self.rows = self.filled = self.compared = 0
        self.before = self.after = 0.0
        self.clean: Iterator[Laid] | None = None
        if options.clean is not None:
            clean = seen_by(sources.open_source(options.clean, model.reading), model, strict=True)
            self.clean = inputs_of(clean, model)
        self.columns: tuple[Modelled, ...] = model.schema.modelled if model.schema else ()
        # context, such as dates, is not restored: models do not predict it
        self.restored = np.array([c.predicted for c in self.columns], bool)
        # what a gap holds at first is what models are trained with in place of what is blanked: the
        # mean of the laid-out values (gray 96), or the commonest level; and what it is measured by
        self.blank = np.array([c.blank for c in self.columns])
        self.naive = np.array([c.usual for c in self.columns])
        self.rounds: int | None = None

    def _round(self, x: Records) -> Records:
        z = self.model.session("encoder.onnx", self.options.device)(x)["z"]
        schema = self.model.schema
        # what is given of a record is given to its decoder, too
        condition = x[:, schema.conditions] if schema else None
        restored: Records = decoding.decode(self.model, z, self.options.device, condition=condition)
        return restored

    def _filled(self, x: Records, gaps: Mask, blank: Records | np.uint8) -> Iterator[Records]:
        """Records x with their gaps filled by the model, in rounds; yields the records after each
        round.

        gaps: what is missing, in the shape of x. blank: what stands in gaps before the first round.
        """
        y = np.where(gaps, blank, x)
        while True:
            restored = self._round(y)
            # restored != restored is NaN: the model takes the value for a gap
            y = np.where(gaps & (restored == restored), restored, y)
            yield y

    def _fill(self, x: Records, gaps: Mask, blank: Records | np.uint8, more: Mask) -> Records:
        """Records x with their gaps filled by the model, in as many rounds as restore known values
        best.

        gaps: what is missing. blank: what stands there at first. more: known values that are hidden
        as a test; the number of rounds that restores these best, in the first records, is taken for
        all.
        """
        if self.rounds is None:
            more = more & ~gaps[:TRIED]
            # known values are hidden, filled like gaps, and compared with what they were
            few = next(self._filled(x[:TRIED], gaps[:TRIED], blank))
            wanted = self._standard(few)
            fill = itertools.islice(self._filled(few, more, blank), ROUNDS)
            # in standard deviations, so that no column counts for more than others
            off = [np.nan_to_num(self._standard(y) - wanted)[self._laid(more)] for y in fill]
            errors = [float((v**2).mean()) if v.size else 0.0 for v in off]
            # of equal errors the fewest rounds
            self.rounds = 1 + int(np.argmin(errors))
        return next(itertools.islice(self._filled(x, gaps, blank), self.rounds - 1, None))

    def _laid(self, where: Mask) -> Mask:
        """A mask of gaps in the layout of _standard: for a table one truth a column; for pictures
        as it is."""
        if self.model.schema is None:
            return where
        return where[:, self.model.spec.owner]

    def _measure(self, x: Records, y: Records, rows: int) -> None:
        """Add to the sums the squared errors of damaged records x and of restored records y against
        the clean records, if there are any. rows: how many records these are."""
        self.rows += rows
        if self.clean is None:
            return
        # both sources are cut into the same batches
        clean = next(self.clean, None)
        if clean is None or clean.inputs.shape != x.shape:
            raise DataError(
                f"{option('--clean')} does not hold the same records as {self.source.name}"
            )
        x, y, wanted = (self._standard(v) for v in (x, y, clean.inputs))
        # a gap in any of the three has no error
        comparable = np.isfinite(x) & np.isfinite(y) & np.isfinite(wanted)
        self.before += float(((x - wanted)[comparable] ** 2).sum())
        self.after += float(((y - wanted)[comparable] ** 2).sum())
        self.compared += int(comparable.sum())

    def _standard(self, x: Records) -> Float:
        """Numbers of a table in standard deviations of their columns, NaN where missing; pictures
        unchanged."""
        if self.model.schema is None:
            return x.astype(np.float64)
        spec = self.model.spec
        z = table_features(self.model.schema, x)[:, spec.numeric].astype(np.float64)
        # features have 0 for a gap, which is no value here
        return np.where(np.isnan(x[:, spec.owner]), np.nan, z)

    def tables(self) -> Iterator[writers.Columns]:
        """Restore a table batch by batch: yields the columns to write."""
        for laid in inputs_of(self.source, self.model):
            x = laid.inputs
            table = laid.table
            assert table is not None
            y = self._table(x)
            # what somebody without a model would fill gaps with is what it has to beat
            naive = np.where(np.isnan(x) & self.restored, self.naive, x)
            self._measure(naive if self.options.fill_missing else x, y, len(x))
            yield self._columns(table, x, y)

    def _table(self, x: Float) -> Float:
        if self.options.fill_missing:
            gaps = np.isnan(x) & self.restored
            self.filled += int(gaps.sum())
            # always the same cells: a second run gives the same file
            more = np.random.default_rng(0).random(x[:TRIED].shape) < HIDDEN
            more &= self.restored & ~np.isnan(x[:TRIED])
            return np.asarray(self._fill(x, gaps, self.blank, more))
        restored = self._round(x)
        # where the model expects a gap, the value that is there stays
        return np.where(np.isnan(restored) | ~self.restored, x, restored)

    def _columns(self, table: Table, x: Float, y: Float) -> writers.Columns:
        """The columns of a batch as they are written: a cell that the model changed has its new
        value, and any other cell the text that it had."""
        place = {c.name: i for i, c in enumerate(self.columns)}
        out: writers.Columns = {}
        for name, values in zip(table.names, table.values, strict=True):
            i = place.get(name)
            original: writers.Restored
            if isinstance(values, Cells):
                pairs = zip(values.strings(), values.null, strict=True)
                original = [None if null else text for text, null in pairs]
            else:
                original = values
            if i is None or not self.restored[i]:
                out[name] = original
                continue
            column = self.columns[i]
            restored = column.restored(column.rounded(y[:, i]))
            # two gaps are equal, though NaN is not NaN
            changed = ~((x[:, i] == y[:, i]) | (np.isnan(x[:, i]) & np.isnan(y[:, i])))
            if isinstance(original, list):
                text = writers.text_of(restored, column.written())
                out[name] = [t if c else o for t, o, c in zip(text, original, changed, strict=True)]
            else:
                out[name] = np.where(changed, np.asarray(restored, np.float64), original)
        return out

    def pictures(self) -> Iterator[Records]:
        """Restore pictures batch by batch: yields (n, C, H, W) uint8."""
        for laid in inputs_of(self.source, self.model):
            x = laid.inputs
            if self.options.region is not None:
                hole = self._hole(x.shape)
                self.filled += int(hole.sum()) * len(x)
                hole = np.broadcast_to(hole, (len(x), 1, *x.shape[2:]))
                # the region before it is filled, for the figures: the mean of what is left
                x = np.where(hole, np.uint8(x[:, :, ~hole[0, 0]].mean()), x)
                y = self._fill(x, hole, np.uint8(PIXEL_MEAN), self._elsewhere(hole[:TRIED]))
            else:
                y = self._round(x)
            self._measure(x, y, len(x))
            yield y.astype(np.uint8)

    def _hole(self, shape: tuple[int, ...]) -> Mask:
        assert self.options.region is not None
        left, top, width, height = self.options.region
        # shape is (n, C, H, W)
        inside = 0 <= left < left + width <= shape[3] and 0 <= top < top + height <= shape[2]
        if not inside or width * height >= shape[2] * shape[3]:
            raise ParamError(
                f"{option('--region')} {left},{top},{width},{height} must lie within "
                f"{shape[3]} x {shape[2]} pixels, and leave some"
            )
        hole = np.zeros((1, 1, *shape[2:]), np.bool_)
        hole[:, :, top : top + height, left : left + width] = True
        return hole

    def _elsewhere(self, hole: Mask) -> Mask:
        """A mask of a region as large as `hole` at a random place of each picture: known pixels, by
        which it is tested how well the model fills regions."""
        rng = np.random.default_rng(0)
        out = np.zeros_like(hole)
        _, _, width, height = self.options.region or (0, 0, 0, 0)
        for mask in out:
            top = rng.integers(0, hole.shape[2] - height + 1)
            left = rng.integers(0, hole.shape[3] - width + 1)
            mask[:, top : top + height, left : left + width] = True
        return out

    def figures(self) -> dict[str, int | float]:
        """The figures of the finished run: records, values filled, and the errors where clean data
        are known."""
        out: dict[str, int | float] = {"rows": self.rows}
        if self.options.fill_missing:
            out["filled"] = self.filled
        if self.clean is not None:
            # all batches matched, and yet there are more
            if next(self.clean, None) is not None:
                raise DataError(f"{option('--clean')} has more records than {self.source.name}")
            count = max(self.compared, 1)
            out["mse_before"] = self.before / count
            out["mse_after"] = self.after / count
            if self.before > 0 and self.after > 0:
                out["psnr_gain_db"] = 10 * math.log10(self.before / self.after)
        return out


def default_name(data: str) -> str:
    """The path of the result where the user names none: DATA with `.denoised` before its suffix."""
    path = Path(data)
    return str(path.with_name(f"{path.stem}.denoised{path.suffix}"))
