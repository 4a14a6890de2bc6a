"""The Python face: the verbs of the command line, and bundles with methods."""

from __future__ import annotations

import dataclasses
import inspect
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from aetool import bundle as bundles
from aetool import operations, plugins
from aetool.arguments import (
    as_part,
    bytes_of,
    check_options,
    check_path,
    check_type,
    part_of,
    refuse_misspelt,
)
from aetool.canonical import Json
from aetool.codec import planning
from aetool.codec.archive import Archive
from aetool.csv.dialect import OPTIONS, Reading
from aetool.data import memory
from aetool.data.pictures import decoding
from aetool.data.pictures.choosing import Size
from aetool.data.sources import TextPath
from aetool.engine import Chosen
from aetool.errors import DataError, ParamError
from aetool.files import Place
from aetool.model import Float, Progress, Records
from aetool.model import Model as Declared
from aetool.operations import (
    CompressOptions,
    FitOptions,
    TradeoffOptions,
    archiving,
    drifting,
)
from aetool.scoring import heatmaps

if TYPE_CHECKING:
    import pandas as pd

    from aetool.archives.points import Tradeoff
    from aetool.detection.shifts import Comparison

Path = str | os.PathLike[str]
Model = bundles.Bundle | Path  # a fitted model, or where it is
Data: TypeAlias = object  # whatever aetool.fit takes
Frame: TypeAlias = Any  # a DataFrame of pandas; of polars, where the data are
Option: TypeAlias = Any  # what each takes is said where it is declared
Figures: TypeAlias = dict[str, Json]
Part: TypeAlias = float | str  # of records: 0.01, or "1%"
Texts: TypeAlias = npt.NDArray[np.object_]
PARTS = ("fpr", "fdr", "contamination")  # options that are parts of records
_OF_FIT = {field.name for field in dataclasses.fields(FitOptions)} - {"plugin", "params"}
Told = Callable[[int, int, str], None]  # of a fit: the step, of how many, and words


class Bundle(bundles.Bundle):
    """A fitted model; see aetool.fit and aetool.load, which make one."""

    def detect(
        self,
        data: Data,
        *,
        threshold: float | None = None,
        fpr: Part | None = None,
        fdr: Part | None = None,
        contamination: Part | None = None,
        top: int | None = None,
        calibration: Data = None,
        all_rows: bool | None = None,
        append: Sequence[str] | None = None,
        columns: Sequence[str] = (),
        heatmap: Path | None = None,
        sheet: Path | None = None,
        force: bool = False,
        device: str = "auto",
        executor: Chosen = None,
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
    ) -> Frame:
        """Score every record of data with this model and flag anomalies: a DataFrame with the
        columns row, score, p, why and anomaly, on the data's own index.

        The arguments mean what they mean in aetool.detect. Raises AetoolError.
        """
        return detect(
            data,
            self,
            threshold=threshold,
            fpr=fpr,
            fdr=fdr,
            contamination=contamination,
            top=top,
            calibration=calibration,
            all_rows=all_rows,
            append=append,
            columns=columns,
            heatmap=heatmap,
            sheet=sheet,
            force=force,
            device=device,
            executor=executor,
            header=header,
            delimiter=delimiter,
            decimal=decimal,
            encoding=encoding,
            skip_rows=skip_rows,
            comment=comment,
        )

    def report(
        self,
        data: Data,
        path: Path,
        *,
        most: int = 200,
        label: str | None = None,
        normal: str | Sequence[str] = (),
        threshold: float | None = None,
        fpr: Part | None = None,
        fdr: Part | None = None,
        contamination: Part | None = None,
        top: int | None = None,
        calibration: Data = None,
        device: str = "auto",
        force: bool = False,
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
    ) -> operations.Detection:
        """Score data with this model and write what it finds to path, as one HTML page that loads
        nothing else; returns the Detection.

        most: how many records the page shows. label, normal: the column that says which records are
        anomalies, and its ordinary values; the page then has ROC and precision-recall curves.
        force: replace a page that is there. All other arguments mean what they mean in
        aetool.detect. Raises AetoolError.
        """
        said = _with_parts("report", dict(locals()))
        options = _chosen(said, operations.report, "data", "path", "model", "fit")
        data = _data("report", data, _text(said))
        check_path("report", "path", path)
        options["normal"] = _listed(normal)
        check_options("report", operations.report, options)
        return operations.report(data, path, self, **options)

    def drift(
        self,
        new: Data,
        alpha: Part = 0.01,
        device: str = "auto",
        *,
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
    ) -> Comparison:
        """Compare new data with those that this model was fitted on: same, shifted, broken or
        unknown, and how they differ.

        The arguments and the returned Comparison are those of aetool.drift. Raises AetoolError.
        """
        return drift(
            self,
            new,
            alpha,
            device,
            header=header,
            delimiter=delimiter,
            decimal=decimal,
            encoding=encoding,
            skip_rows=skip_rows,
            comment=comment,
        )

    def calibrate(self, data: Data = None, fpr: Part | None = None) -> Bundle:
        """A copy of this model with a new threshold, above which this share of ordinary records has
        its score.

        data: ordinary records that the model was not fitted on, a DataFrame or a path; thresholds
        and p-values are then counted on them. None: on the rows that the fit held out. fpr: that
        share, 0.01 or "1%"; None: the default of aetool.detect. Raises AetoolError.
        """
        if data is not None:
            data = _data("calibrate", data, {})
        chosen = None if fpr is None else as_part("calibrate", "fpr", fpr)
        return _dressed(operations.calibrated(self, data, chosen))

    def score(
        self,
        data: Data,
        device: str = "auto",
        *,
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
        executor: Chosen = None,
    ) -> Float:
        """Score each record of data: (rows,) float64, in `unit`; larger is more anomalous; NaN for
        a picture that cannot be read.

        header to comment: how a path's text is written, as in aetool.fit; executor: as in
        aetool.detect. Raises AetoolError.
        """
        return operations.score(_data("score", data, _text(locals())), self, device, executor)

    def map(self, pictures: Data, device: str = "auto") -> Float | list[Float]:
        """Heat maps: where each picture is odd, (n, H, W) float64, in multiples of the pixel
        threshold. 0 is what a pixel ordinarily has; 1 is exceeded by about one in 1,000 pixels of
        ordinary pictures.

        Pictures of several sizes, in tiles, give a list of maps, (H, W) each. DataError for tables.
        """
        return operations.maps_of(_data("map", pictures, {}), self, device)

    @property
    def feature_names_in_(self) -> Texts:
        """The names of the columns of the table that was fitted, in their order, (columns,) of
        texts, those that models leave out among them. AttributeError for a model of pictures."""
        if self.schema is None:
            raise AttributeError("feature_names_in_: a model of pictures has no columns")
        return np.array([column.name for column in self.schema.columns], dtype=object)

    def explain(self, row: Data, device: str = "auto") -> pd.DataFrame:
        """Why a record has its score: a DataFrame with a row for each column, first those that
        detect would name as reasons, then the others by surprise.

        row: one record as a dictionary by column, a Series, or a table of one row; for a model that
        is given context, a table of the rows before it and the record last. The columns are column,
        found (the value), expected (by the model), surprise (bits above the column's usual, in
        `unit`) and named (whether detect names it); attrs of the DataFrame hold score, p, threshold
        and anomaly. DataError for pictures.
        """
        record = _data("explain", operations.as_record(row), {})
        return operations.explain(record, self, device).frame()

    def evaluate(
        self,
        data: Data,
        label: str | None = None,
        normal: str | Sequence[str] = (),
        device: str = "auto",
        *,
        masks: Path | None = None,
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
        executor: Chosen = None,
    ) -> dict[str, float]:
        """Judge the score against labels: a dictionary of auroc, average_precision, and precision
        and recall at the threshold, each from 0 to 1; with masks also pixel_auroc, pro and box_hits
        of the heat maps.

        label: the column of data that says what each record is; pictures are labelled by their
        folders. normal: the labels that mean an ordinary record [of pictures: good]. masks: a
        folder of pictures that mark what is wrong: for scratch/003.png the mask
        scratch/003_mask.png. header to comment, executor: as in score. Raises AetoolError.
        """
        text = _text(locals())
        if masks is not None:
            check_path("evaluate", "masks", masks)
        check_type("evaluate", "label", label, "str | None")
        ordinary = _listed(normal)
        check_type("evaluate", "normal", ordinary, "Sequence[str]")
        data = _data("evaluate", data, text)
        return operations.evaluate(
            data, self, label, ordinary, device, masks=masks, executor=executor
        )

    def encode(
        self,
        data: Data,
        device: str = "auto",
        *,
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
        executor: Chosen = None,
    ) -> Records:
        """The code of each record, (rows, latent) float32, by the model's encoder.

        header to comment: how a path's text is written, as in aetool.fit; executor: as in
        aetool.detect. Raises AetoolError, as for a model without an encoder.
        """
        return operations.encode(_data("encode", data, _text(locals())), self, device, executor)

    def decode(
        self,
        codes: npt.ArrayLike,
        device: str = "auto",
        condition: Data = None,
    ) -> pd.DataFrame | Records:
        """The records that the model's decoder makes of codes: a DataFrame of the table's columns,
        or pictures (rows, C, H, W) uint8.

        codes: (rows, latent), as `encode` returns them. condition: a DataFrame of (rows,) with the
        columns that the model was fitted with as conditions; only for such a model. Raises
        AetoolError.
        """
        return operations.decode(codes, self, device, condition)

    def denoise(
        self,
        data: Data,
        path: Path,
        *,
        fill_missing: bool = False,
        region: tuple[int, int, int, int] | None = None,
        clean: Data = None,
        force: bool = False,
        device: str = "auto",
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
    ) -> Figures:
        """Write the records of data to path as this model restores them, and return figures: rows,
        filled (how many values were missing), and with clean the mean squared errors before and
        after.

        fill_missing: change nothing but gaps: missing cells of tables, and of pictures the region
        (left, top, width, height, in pixels). clean: the same records undamaged, against which the
        error before and after is measured. force: replace a file that is there. header to comment:
        as in score. Raises AetoolError.
        """
        said = dict(locals())
        options = _chosen(said, operations.DenoiseOptions)
        data = _data("denoise", data, _text(said))
        check_path("denoise", "path", path)
        check_options("denoise", operations.DenoiseOptions, options)
        return operations.denoise(data, path, self, operations.DenoiseOptions(**options))

    def sample(
        self,
        count: int | None = None,
        *,
        like: Data = None,
        spread: float = 0.25,
        grid: bool = False,
        seed: int = 0,
        prior: bool = False,
        condition: Mapping[str, str] | None = None,
        device: str = "auto",
    ) -> pd.DataFrame | Records:
        """Draw new records from what the model has learned, or with like=data records near those: a
        DataFrame, or pictures (rows, C, H, W) uint8.

        count: how many in all; with like, how many near each of its records. spread: how far from
        those, from 0 (the same code) to 1 (anywhere). grid: decode codes on a regular grid over a
        plane of the code instead of random ones. seed: of every random number. prior: draw codes
        from N(0, I), which a variational model is trained to have. condition: for a model with
        conditions, the value of each such column. Raises AetoolError.
        """
        options = _chosen(locals(), operations.SampleOptions)
        options["condition"] = condition or {}
        check_options("sample", operations.SampleOptions, options)
        return operations.sample(self, operations.SampleOptions(**options))

    def similar(
        self,
        query: Data,
        data: Data,
        k: int = 10,
        *,
        rows: Sequence[int] = (),
        binary: bool = False,
        columns: Sequence[str] = (),
        device: str = "auto",
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
    ) -> pd.DataFrame:
        """Find the k records of data whose codes are nearest to those of each record of query: a
        DataFrame with the columns query, rank and row (all from 1) and distance.

        data: a DataFrame, a path, or an archive that stores codes. rows: which records of query to
        look for, from 1; () means all. binary: compare binary codes, by the number of bits that
        differ. columns: of data, to show beside each neighbour. header to comment: as in score.
        Raises AetoolError.
        """
        said = dict(locals())
        options = _chosen(said, operations.SearchOptions)
        query = _data("similar", query, _text(said))
        data = _data("similar", data, _text(said))
        check_options("similar", operations.SearchOptions, options)
        chosen = operations.SearchOptions(**options)
        return operations.similar(query, data, self, chosen).frame()

    def compress(
        self,
        data: Data,
        path: Path | None = None,
        *,
        lossy: bool = False,
        lossy_only: bool = False,
        latent: int | None = None,
        target: float | None = None,
        max_error: str | float | Mapping[str, str | float] | None = None,
        keep_files: bool = False,
        effort: str | planning.Effort = "default",
        embed: bool | None = None,
        flag: int | None = None,
        force: bool = False,
        device: str = "auto",
        executor: Chosen = None,
        shard: str | None = None,
        parts: bool = False,
        rmse: float | str | None = None,
        target_psnr: float | None = None,
        budget: int | str | None = None,
        bytes_per_picture: float | None = None,
    ) -> Figures:
        """Write an archive of data: lossless, made smaller by what this model knows of them, or
        with lossy=True of this model's codes; returns its figures.

        The arguments mean what they mean in aetool.compress. Raises AetoolError.
        """
        return compress(
            data,
            path,
            self,
            lossy=lossy,
            lossy_only=lossy_only,
            latent=latent,
            target=target,
            max_error=max_error,
            keep_files=keep_files,
            effort=effort,
            embed=embed,
            flag=flag,
            force=force,
            device=device,
            executor=executor,
            shard=shard,
            parts=parts,
            rmse=rmse,
            target_psnr=target_psnr,
            budget=budget,
            bytes_per_picture=bytes_per_picture,
        )


def detect(
    data: Data,
    model: Model | None = None,
    *,
    threshold: float | None = None,
    fpr: Part | None = None,
    fdr: Part | None = None,
    contamination: Part | None = None,
    top: int | None = None,
    calibration: Data = None,
    all_rows: bool | None = None,
    append: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    heatmap: Path | None = None,
    sheet: Path | None = None,
    force: bool = False,
    device: str = "auto",
    executor: Chosen = None,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    skip_rows: int | None = None,
    comment: str | None = None,
    plugin: str | Declared | None = None,
    types: Mapping[str, str] | None = None,
    na: Sequence[str] = (),
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    condition: Sequence[str] = (),
    label: str | None = None,
    normal: Sequence[str] = (),
    epochs: int | None = None,
    batch_size: int | None = None,
    max_time: float | None = None,
    seed: int = 0,
    context: int = 0,
    group: str = "",
    order: str = "",
    robust: bool = False,
    closed: bool = False,
    target: Data = None,
    resize: Size = None,
    tile: Size = None,
    stride: Size = None,
    crop: Size = None,
    grey: bool = False,
    **params: Option,
) -> Frame:
    """Score every record of data and flag anomalies: a DataFrame with a row for each record, on the
    caller's own index, and the columns row (from 1), score, p (the share of ordinary records that
    score as high), why (the columns that stand out) and anomaly (whether it is flagged). A
    DataFrame of pandas; of polars, where the data are.

    data: a path, a DataFrame, or whatever else holds a table or pictures; see aetool.fit. model: a
    fitted model or its path. Without one a model is fitted to the data themselves: plugin to params
    then mean what they mean in aetool.fit; with a model they are refused.

    At most one of the next five says what is flagged. threshold: records of a higher score. fpr:
    the share of ordinary records that may be flagged by mistake. fdr: the share of the flagged
    records that may be ordinary. contamination: the share of these records to flag. top: how many
    to flag. Shares are numbers such as 0.01 or texts such as "1%". calibration: ordinary records
    that the model has not seen, which make fpr and fdr exact.

    all_rows: False returns the anomalies alone, with top the highest first [True, but with top
    False]. append: columns of the data to copy into the result ([]: all). heatmap: for pictures, a
    folder for files that show where each flagged one is odd; sheet: a PNG file that shows the
    worst; force: replace these where they exist. executor: what computes the scores, with the same
    result: any of concurrent.futures, the executor of a Dask client, or a name such as
    "processes:4". header to comment: how the text of a path is written, as in aetool.fit.

    data may also be an archive: without a model, its records are judged by the bits that they take
    in it, a column "bits" says how many, and columns limits the judgement to some of its columns.
    Raises AetoolError.
    """
    said = _with_parts("detect", dict(locals()))
    # those that are asked for by number are all that is wanted, as in the shell
    said["all_rows"] = top is None if all_rows is None else all_rows
    detection = _detection(data, model, said)
    if memory.is_polars(data):
        return detection.to_polars()
    return detection.to_pandas()


def _detection(data: Data, model: Model | None, said: dict[str, Option]) -> operations.Detection:
    """Run the operation `detect` by the arguments of `detect` here, and write the picture files
    that they ask for. said: the arguments by name."""
    data = _data("detect", data, _text(said))
    options = _chosen(said, operations.detect, "data", "model")
    check_options("detect", operations.detect, options)
    bundle = _bundle_of(model, "detect")
    one_shot = _one_shot("detect", detect, said, bundle is not None)
    files = _chosen(said, heatmaps.opened)
    check_options("detect", heatmaps.opened, files)
    with heatmaps.opened(**files) as drawn:
        if drawn.watches:
            options["watch"] = operations.Watches(drawn.watches)
        detection = operations.detect(data, bundle, fit=one_shot, **options)
        drawn.finish(detection)
    return detection


def drift(
    reference: Model | Data,
    new: Data,
    alpha: Part = 0.01,
    device: str = "auto",
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    skip_rows: int | None = None,
    comment: str | None = None,
    plugin: str | Declared | None = None,
    types: Mapping[str, str] | None = None,
    na: Sequence[str] = (),
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    condition: Sequence[str] = (),
    label: str | None = None,
    normal: Sequence[str] = (),
    epochs: int | None = None,
    batch_size: int | None = None,
    max_time: float | None = None,
    seed: int = 0,
    context: int = 0,
    group: str = "",
    order: str = "",
    robust: bool = False,
    closed: bool = False,
    target: Data = None,
    resize: Size = None,
    tile: Size = None,
    stride: Size = None,
    crop: Size = None,
    grey: bool = False,
    all_rows: bool = False,
    **params: Option,
) -> Comparison:
    """Compare new data with others: the returned Comparison has .word, "same", "shifted", "broken"
    or "unknown" (too few records), .shifted, how they differ, and .to_json(), everything that was
    measured.

    reference: a model, its path, or data to which one is fitted first, as plugin to params say.
    alpha: how often data that are the same may be called shifted, 0.01 or "1%". header to comment:
    how the text of paths is written. All others as in aetool.fit. Raises AetoolError.
    """
    said = dict(locals())
    new = _data("drift", new, _text(said))
    check_options("drift", operations.drift, {"device": device})
    rate = as_part("drift", "alpha", alpha)
    is_model = drifting.is_model(reference)
    one_shot = _one_shot("drift", drift, said, is_model)
    if not is_model:
        reference = _data("drift", reference, _text(said))
    return operations.drift(reference, new, fit=one_shot, alpha=rate, device=device)


def compress(
    data: Data,
    path: Path | None = None,
    model: Model | None = None,
    *,
    lossy: bool = False,
    lossy_only: bool = False,
    latent: int | None = None,
    target: float | None = None,
    max_error: str | float | Mapping[str, str | float] | None = None,
    keep_files: bool = False,
    effort: str | planning.Effort = "default",
    embed: bool | None = None,
    flag: int | None = None,
    fit: FitOptions | None = None,
    force: bool = False,
    device: str = "auto",
    executor: Chosen = None,
    shard: str | None = None,
    parts: bool = False,
    rmse: float | str | None = None,
    target_psnr: float | None = None,
    budget: int | str | None = None,
    bytes_per_picture: float | None = None,
) -> Figures:
    """Write an archive of one file, folder or table to path, and return its figures as a
    dictionary. The archive is lossless, unless max_error, lossy or a goal (rmse to
    bytes_per_picture) is given.

    path: the archive's file [data.aez for the path data; of a shard data.2of4.aez]. model: makes
    the archive smaller by what it knows of such data. keep_files: store the bytes of any file as
    they are. effort: "fast", "default" or "best". embed: whether the model is put into the archive
    (None: if it is small beside the data). fit: how to fit a model where one is needed and none
    given. force: replace a file that is there. executor: what encodes a lossless archive, as in
    aetool.detect; the bytes are the same.

    lossy: store the model's codes, or a lossless or bounded archive where that is smaller at no
    more error; lossy_only: the codes in any case. latent: how many units of the code are kept; or
    target: the mean error allowed, 0.01 for 1 %. max_error: the largest error of each number, 0.5
    in its unit or as a percentage such as "1%", for all columns or as a dictionary by column; of
    each pixel, in levels.

    rmse: the smallest archive whose root mean squared error, over the columns that are changed, is
    at most this part of a standard deviation, 0.02 or "2%". target_psnr: the same for pictures, in
    dB. budget: the most exact archive of at most so many bytes, 10_000 or "10kB";
    bytes_per_picture: of at most so many for each picture. Such an archive is lossless, bounded or
    of codes (the model's bytes count unless embed=False); the figures say which, its
    rmse_of_deviation, and the bytes of the best of each kind under prices.

    flag: how many records to name that take most bits: the figures then have costliest, as detect
    returns them. shard: "2/4" writes the second of four parts of a table alone, for aetool.merge.
    parts: write each table of a folder to an archive of its own, in a folder beside path, and at
    path an index by which they are read as one. Raises AetoolError.
    """
    said = dict(locals())
    kind = type(data).__name__
    data = _data("compress", data, {})
    if path is None:
        if not isinstance(data, str | os.PathLike):
            raise ParamError(f"a {kind} has no name: say where to write its archive")
        path = archiving.default_name(data, shard)
    check_path("compress", "path", path)
    options = _chosen(said, CompressOptions)
    if not isinstance(effort, planning.Effort):
        efforts = {"fast": planning.FAST, "default": planning.DEFAULT, "best": planning.BEST}
        if effort not in efforts:
            raise ParamError(f"effort must be {', '.join(efforts)}; got {effort!r}")
        options["effort"] = efforts[effort]
    if max_error is None:
        options["max_error"] = {}
    elif isinstance(max_error, str | float | int):
        options["max_error"] = {"": str(max_error)}
    elif isinstance(max_error, Mapping):
        options["max_error"] = {name: str(error) for name, error in max_error.items()}
    options["rmse"] = _part("rmse", rmse)
    options["budget"] = _bytes("budget", budget)
    check_options("compress", CompressOptions, options)
    bundle = _bundle_of(model, "compress")
    figures = operations.compress(data, path, bundle, CompressOptions(**options))
    if "costliest" in figures:
        figures["costliest"] = figures["costliest"].to_pandas()
    return figures


def tradeoff(
    data: Data,
    models: Sequence[Model] = (),
    plugins: str | Sequence[str] = (),
    *,
    rmse: float | str | None = None,
    target_psnr: float | None = None,
    budget: int | str | None = None,
    bytes_per_picture: float | None = None,
    embed: bool = True,
    others: bool = True,
    fit: FitOptions | None = None,
    device: str = "auto",
) -> Tradeoff:
    """Measure the size and the error of every way to store data: lossless, bounded, the codes of
    each model and of each plugin (fitted here), and files of other programs.

    Returns a Tradeoff. Its points each have bytes, bytes of the model, error (root mean squared, in
    standard deviations of each column), psnr of pictures, the command that writes it, and which
    point betters it; pick is the archive to take; drawing() draws all points. rmse, target_psnr,
    budget, bytes_per_picture: what the pick must keep, as in aetool.compress [it must be lossless].
    embed: whether the bytes of models count. others: whether xz, WebP and the like are measured.
    fit: how plugins are fitted. Raises AetoolError.
    """
    said = dict(locals())
    data = _data("tradeoff", data, {})
    options = _chosen(said, TradeoffOptions, "plugins")
    options["plugins"] = _listed(plugins)
    options["rmse"] = _part("rmse", rmse)
    options["budget"] = _bytes("budget", budget)
    options["fit"] = fit or FitOptions()
    check_options("tradeoff", TradeoffOptions, options)
    loaded = {}
    for model in models:
        bundle = _bundle_of(model, "tradeoff")
        assert bundle is not None
        loaded[bundle.name if isinstance(model, bundles.Bundle) else os.fspath(model)] = bundle
    return operations.tradeoff(data, loaded, TradeoffOptions(**options))


def merge(
    paths: Sequence[Path],
    path: Path,
    *,
    force: bool = False,
    executor: Chosen = None,
    index: bool = False,
) -> Figures:
    """Join the archives of all shards of a table into one, byte for byte what aetool.compress
    writes of the whole table; returns its figures.

    paths: what compress wrote with shard, in any order. path: the archive to write. force: replace
    a file that is there. executor: what decodes texts, whose digest is of the whole table. index:
    copy nothing, but write at path an index of the archives, which must lie beside it or below;
    they may then also be whole tables of one kind with the same columns. Raises AetoolError.
    """
    for one in paths:
        check_path("merge", "paths", one)
    check_path("merge", "path", path)
    return operations.merge(list(paths), path, force, executor, index)


def decompress(
    path: Path,
    out: Path | None = None,
    model: Model | None = None,
    rows: slice | tuple[int, int | None] | None = None,
    *,
    columns: Sequence[str] | None = None,
    lost: list[str] | None = None,
    force: bool = False,
    device: str = "auto",
    max_output: int | None = None,
    executor: Chosen = None,
) -> pathlib.Path:
    """Restore an archive to a file or folder, and return its path.

    path: the archive. out: where to write [path without .aez]. model: the one that the archive was
    made with, where it is not inside. rows: slice(a, b) or (a, b): records a to b - 1, counted from
    0. columns: of a table only these. lost: a list to which messages on damaged blocks are added,
    which are then left out; without it damage is an error. force: replace a file that is there.
    max_output: the most bytes that may be restored. executor: what decodes, as in aetool.detect. To
    have records in Python, see aetool.open. Raises AetoolError.
    """
    options = _chosen(locals(), operations.decompress, "path", "out", "model", "rows")
    check_path("decompress", "path", path)
    if out is not None:
        check_path("decompress", "out", out)
    check_options("decompress", operations.decompress, options)
    if isinstance(rows, slice):
        with Archive(path) as archive:
            first, last, step = rows.indices(archive.rows)
        if step != 1:
            raise ParamError(f"rows are restored one after the other, not by steps of {step}")
        rows = first, max(first, last)
    elif rows is not None:
        if not isinstance(rows, tuple) or len(rows) != 2:
            raise ParamError(f"decompress: rows must be slice(a, b) or (a, b); got {rows!r}")
        check_type("decompress", "the first of rows", rows[0], "int")
        check_type("decompress", "the end of rows", rows[1], "int | None")
    bundle = _bundle_of(model, "decompress")
    return operations.decompress(path, out, model=bundle, rows=rows, **options)


def _part(name: str, value: float | str | None) -> float | None:
    """A share as a number, from 0.01 or "1%". name: the argument's, for errors."""
    if isinstance(value, str):
        return part_of(value, name)
    return value


def _bytes(name: str, value: int | str | None) -> int | None:
    """A number of bytes, from 10_000 or "10kB". name: the argument's, for errors."""
    if isinstance(value, str):
        return bytes_of(value, name)
    return value


def _bundle_of(model: Model | None, verb: str) -> bundles.Bundle | None:
    if model is None or isinstance(model, bundles.Bundle):
        return model
    check_path(verb, "model", model)
    return bundles.load(model)


def _with_parts(verb: str, said: dict[str, Option]) -> dict[str, Option]:
    """The arguments of a verb in which every share is a number: 0.01 for "1%"."""
    parts = {name: said[name] for name in PARTS if said[name] is not None}
    return said | {name: as_part(verb, name, value) for name, value in parts.items()}


def _text(said: Mapping[str, Option]) -> dict[str, Option]:
    """The arguments that say how the text of a path is written, but for those that are None. said:
    all arguments of a verb by name."""
    return {name: said[name] for name in OPTIONS if said[name] is not None}


def _chosen(
    said: Mapping[str, Option], declared: Callable[..., object], *others: str
) -> dict[str, Option]:
    """Those arguments of a verb that an operation, or a dataclass of options, takes under the same
    name.

    said: all arguments by name. declared: the operation or dataclass. others: names to leave out.
    """
    known = inspect.signature(declared).parameters
    return {name: said[name] for name in known if name in said and name not in others}


def _one_shot(
    verb: str,
    declared: Callable[..., object],
    said: Mapping[str, Option],
    has_model: bool,
) -> FitOptions | None:
    """The options for the fit with which a verb begins, chosen from its arguments; None if there is
    a model already, beside which any argument of a fit that is not left at its default is a
    ParamError."""
    _refuse_misspelt(verb, declared, said["plugin"], said["params"])
    parameters = inspect.signature(declared).parameters
    of_fit = {name for name in _OF_FIT if name in parameters} | {"plugin"}
    # all_rows of detect is of what it returns, and a device is of any computation
    of_fit -= {"all_rows", "device"} if verb == "detect" else {"device"}
    changed = {
        name: said[name] for name in of_fit if said[name] is not parameters[name].default
    } | dict(said["params"])
    if not has_model:
        return _fit_options(verb, **changed, device=said["device"])
    if changed:
        words = ", ".join(sorted(changed))
        raise ParamError(f"{words}: of a fit; they cannot change the model given")
    return None


def _listed(values: str | Sequence[str]) -> Sequence[str]:
    """A list of values, where a single one may be given as a text."""
    return [values] if isinstance(values, str) else values


def _data(verb: str, data: Data, said: Mapping[str, Option]) -> Data:
    """Data in the form that operations take: a path with what the arguments say about its text; an
    open file, which can be read only once, as a copy. DataError for what holds no data."""
    reading = Reading(**said)
    try:
        data = memory.begun(data)
        # one picture is data of one record; an array may be a table
        if decoding.is_picture(data) and not isinstance(data, np.ndarray):
            return [data]
        if isinstance(data, list | tuple) and data and all(map(decoding.is_picture, data)):
            return list(data)
        if memory.is_several(data):
            return [_held(item, reading, said) for item in data]
        return _held(data, reading, said)
    except DataError as error:
        raise DataError(f"{verb}: {error}") from None


def _held(data: Data, reading: Reading, said: Mapping[str, Option]) -> Data:
    # what can be read only once is read here, into a copy
    content = memory.held(data)
    if isinstance(content, str | os.PathLike | Place):
        return TextPath(content, reading) if said else content
    if said:
        raise ParamError(f"{', '.join(said)}: of text in a file, not of a {type(data).__name__}")
    return content


def _dressed(plain: bundles.Bundle) -> Bundle:
    return Bundle(**{f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)})


def fit(
    data: Data,
    plugin: str | Declared | None = None,
    *,
    types: Mapping[str, str] | None = None,
    na: Sequence[str] = (),
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    condition: Sequence[str] = (),
    label: str | None = None,
    normal: Sequence[str] = (),
    all_rows: bool = False,
    epochs: int | None = None,
    batch_size: int | None = None,
    max_time: float | None = None,
    seed: int = 0,
    device: str = "auto",
    codec: bool = False,
    max_error: Mapping[str, str] | None = None,
    students: bool = False,
    context: int = 0,
    group: str = "",
    order: str = "",
    robust: bool = False,
    closed: bool = False,
    target: Data = None,
    resize: Size = None,
    tile: Size = None,
    stride: Size = None,
    crop: Size = None,
    grey: bool = False,
    progress: Told | None = None,
    executor: Chosen = None,
    checkpoint: Path | None = None,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    skip_rows: int | None = None,
    comment: str | None = None,
    **params: Option,
) -> Bundle:
    """Fit a model on a table or on pictures.

    data: a path (also of a folder, a pattern such as "hours/*.csv", an address such as
    "s3://plant/air.csv", a database's table such as "air.db::hours", or a list of paths); a
    DataFrame or Series of pandas or polars; an Arrow table, or whatever has __arrow_c_stream__; a
    numpy array; a dictionary of columns or a list of dictionaries; bytes, or an open file.
    plugin: the name of an installed model, or a declaration ["auto"]. types: column to kind, which
    is number, category, date, text or skip. na: words that mean a gap, beside the usual ones. drop,
    keep: columns. condition: columns that records are judged by, and that are not judged. label and
    normal: the column kept out of the model, and its values that are fitted (empty: all).
    all_rows: not only a sample of 200,000. epochs, batch_size; max_time: seconds of training. seed:
    of every random number. device: auto, cpu, cuda or cuda:<n>.
    codec: learn also what archives of many small files share; max_error: for this bound, as
    {"": "1%"}; students: with small networks that predict columns.
    context: rows before each that the model is given, of the same `group`, in the order of the
    column `order`. robust: anomalies are among the rows. closed: no other records are to come.
    target: the same records, clean, where data are damaged.
    resize, tile, stride, crop: sizes of pictures in pixels, such as 256, "256x192" or (256, 192):
    what they are brought to, the tiles that they are judged by and how far apart these lie, and
    what is left of them (four numbers are left, top, width, height); grey: without their colour.
    progress: called with the step, of how many, and words, now and then; print will do. executor:
    what reads the rows of a table, as in aetool.detect: the same model. checkpoint: a file in which
    the training of a network is kept until it is over, and by which it goes on after a kill.
    header, delimiter (a character, "tab" or "blank"), decimal ("." or ","), encoding, skip_rows,
    comment: how the text of a path is written, where that is not told from it.
    params: parameters of the model, such as latent=8; `aetool plugins show NAME` lists them.
    Raises AetoolError.
    """
    said = dict(locals())
    data = _data("fit", data, _text(said))
    options = {name: said[name] for name in _OF_FIT if said[name] is not None}
    _refuse_misspelt("fit", fit, plugin, params)
    chosen = _fit_options("fit", plugin, **options, **params)
    meter = None
    if progress is not None:
        meter = _told(progress)
    if checkpoint is not None:
        check_path("fit", "checkpoint", checkpoint)
    return _dressed(operations.fit(data, chosen, meter, executor, checkpoint))


def _told(progress: Told) -> Progress:
    """A user's progress function, called with step, steps and words, wrapped in the form in which
    fits report progress."""
    return lambda state: progress(state["step"], state["steps"], state["words"])


def _refuse_misspelt(
    verb: str,
    declared: Callable[..., object],
    plugin: Option,
    params: Mapping[str, Option],
) -> None:
    """Raise ParamError where the name of a model's parameter looks like a misspelt argument of the
    verb or a misspelt parameter. params: the parameters given, by name; plugin: the model."""
    if not params:
        return
    model = plugins.get_model(plugin) if isinstance(plugin, str) else plugin
    known = []
    if isinstance(model, Declared):
        known = [field.name for field in dataclasses.fields(model.Params)]
    refuse_misspelt(verb, declared, list(params), known)


def _fit_options(verb: str, plugin: str | Declared | None = None, **params: Option) -> FitOptions:
    options = {name: value for name, value in params.items() if name in _OF_FIT}
    rest = {name: value for name, value in params.items() if name not in _OF_FIT}
    check_options(verb, FitOptions, options)
    return FitOptions(plugin=plugin, params=rest, **options)


def load(path: Path | bytes | BinaryIO) -> Bundle:
    """The bundle in a .aem file, in an open file of bytes, or in bytes. Runs no code from it;
    raises BundleError if it is damaged."""
    if not isinstance(path, bytes) and not hasattr(path, "read"):
        check_path("load", "path", path)
    return _dressed(bundles.load(path))


def open_archive(path: Path, model: Model | None = None, device: str = "auto") -> Archive:
    """Open an archive after checking its digests: archive[a:b] and archive.to_pandas() then restore
    records. Close it after use, or open it by `with`.

    model: the model that it needs, where it is not inside, or that model's path. Raises
    AetoolError.
    """
    check_path("open", "path", path)
    check_type("open", "device", device, "str")
    return Archive(path, _bundle_of(model, "open"), device)
