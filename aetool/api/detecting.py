"""The verbs that find what is unusual: detect, and drift for whole data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aetool import operations
from aetool.api.conversion import (
    Data,
    Frame,
    Model,
    Option,
    Part,
    Path,
    bundle_of,
    data_of,
    one_shot_fit,
    options_of,
    refuse_plugin_name,
    text_options,
    with_parts,
)
from aetool.api.doors import door
from aetool.arguments import as_part, check_path, checked_options
from aetool.data import memory
from aetool.data.pictures.choosing import Size
from aetool.engine import Chosen
from aetool.model import Model as Declared
from aetool.operations import drifting
from aetool.scoring import heatmaps

if TYPE_CHECKING:
    from aetool.detection.shifts import Comparison


@door
def detect(
    data: Data,
    model: Model | None = None,
    *,
    # what is flagged, by one of these
    threshold: float | None = None,
    fpr: Part | None = None,
    fdr: Part | None = None,
    contamination: Part | None = None,
    top: int | None = None,
    calibration: Data = None,
    # what is returned and drawn
    all_rows: bool | None = None,
    append: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    heatmap: Path | None = None,
    sheet: Path | None = None,
    force: bool = False,
    device: str = "auto",
    executor: Chosen = None,
    # how the text of a path is written
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    skip_rows: int | None = None,
    comment: str | None = None,
    on_bad_lines: str | None = None,
    plugin: str | Declared | None = None,
    # which records and columns
    types: Mapping[str, str] | None = None,
    na: Sequence[str] = (),
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    condition: Sequence[str] = (),
    label: str | None = None,
    normal: Sequence[str] = (),
    # how it is trained
    epochs: int | None = None,
    batch_size: int | None = None,
    max_time: float | None = None,
    seed: int = 0,
    # what is known of the records
    context: int = 0,
    group: str = "",
    order: str = "",
    robust: bool = False,
    closed: bool = False,
    target: Data = None,
    # how pictures are framed
    resize: Size = None,
    tile: Size = None,
    stride: Size = None,
    crop: Size = None,
    grey: bool = False,
    **params: Option,
) -> Frame:
    """Score every record of data and flag anomalies: a DataFrame with a row for each record, on the
    caller's own index, and the columns row (from 1), score, p (the share of ordinary records that
    score as high), why (a text: the columns that stand out) and anomaly (whether it is flagged); of
    pictures also left, top, width and height of the box around the worst part, in pixels, share,
    how much of what is odd about the picture lies in it, file, where they have names, and error,
    where some cannot be read. A DataFrame of pandas; of polars, where the data are.

    data: a path, a DataFrame, or whatever else holds a table or pictures; see aetool.fit. model: a
    fitted model or its path. Without one a model is fitted to the data themselves: plugin to params
    then mean what they mean in aetool.fit; with a model they are refused.

    At most one of the next five says what is flagged. threshold: records of a higher score, in the
    model's unit. fpr: the share of ordinary records that may be flagged by mistake. fdr: the share
    of the flagged records that may be ordinary. contamination: the share of these records to flag.
    top: how many to list, the highest scores, ordinary or not. Shares are numbers such as 0.01 or
    texts such as "1%". calibration: ordinary records that the model has not seen, which make fpr
    and fdr exact.

    all_rows: False returns the anomalies alone, with top the highest first [True, but with top
    False]; of a record that is no anomaly the columns that cost most are named, and not in turn as
    those of anomalies. append: columns of the data to copy into the result ([]: all). heatmap: for
    pictures, a folder for files that show where each flagged one is odd; sheet: a PNG file that
    shows the worst; force: replace these where they exist. executor: what computes the scores, with
    the same result: any of concurrent.futures, the executor of a Dask client, or a name such as
    "processes:4". header to on_bad_lines: how the text of a path is written, as in aetool.fit.

    data may also be an archive: without a model, its records are judged by the bits that their
    cells cost beyond the usual, in it or by how many numbers lie as far out, a column "bits" says
    how many they take in it, and columns limits the judgement to some of its columns. ParamError
    for arguments that exclude each other, DataError for data that the model does not take: each an
    AetoolError.
    """
    arguments = with_parts("detect", dict(locals()))
    # those that are asked for by number are all that is wanted, as in the shell
    arguments["all_rows"] = top is None if all_rows is None else all_rows
    detection = _detected(data, model, arguments)
    if memory.is_polars(data):
        return detection.to_polars()
    return detection.to_pandas()


def _detected(
    data: Data, model: Model | None, arguments: dict[str, Option]
) -> operations.Detection:
    """Run the operation `detect` by the arguments of `detect` here, and write the picture files
    that they ask for. arguments: by name, the shares as numbers, and all_rows True or False.
    ParamError for arguments of a wrong type or that exclude each other; DataError for data that the
    model does not take."""
    data = data_of("detect", data, text_options(arguments))
    options = options_of(arguments, operations.detect, "data", "model")
    options = checked_options("detect", operations.detect, options)
    bundle = bundle_of(model, "detect")
    fit_options = one_shot_fit("detect", detect, arguments, bundle is not None)
    file_options = options_of(arguments, heatmaps.opened)
    for name in ("heatmap", "sheet"):
        if file_options[name] is not None:
            check_path("detect", name, file_options[name])
    file_options = checked_options("detect", heatmaps.opened, file_options)
    with heatmaps.opened(**file_options) as picture_files:
        if picture_files.watches:
            options["watch"] = operations.Watches(picture_files.watches)
        detection = operations.detect(data, bundle, fit=fit_options, **options)
        picture_files.finish(detection)
    return detection


@door
def drift(
    reference: Model | Data,
    new: Data,
    alpha: Part = 0.01,
    device: str = "auto",
    *,
    # how the text of a path is written
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    skip_rows: int | None = None,
    comment: str | None = None,
    on_bad_lines: str | None = None,
    plugin: str | Declared | None = None,
    # which records and columns
    types: Mapping[str, str] | None = None,
    na: Sequence[str] = (),
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    condition: Sequence[str] = (),
    label: str | None = None,
    normal: Sequence[str] = (),
    # how it is trained
    epochs: int | None = None,
    batch_size: int | None = None,
    max_time: float | None = None,
    seed: int = 0,
    # what is known of the records
    context: int = 0,
    group: str = "",
    order: str = "",
    robust: bool = False,
    closed: bool = False,
    target: Data = None,
    # how pictures are framed
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
    alpha: how often data that are the same may be called shifted, 0.01 or "1%". device: where the
    model runs. header to on_bad_lines: how the text of paths is written, as in aetool.fit; None:
    told from it. All others mean what they mean in aetool.fit; beside a model, plugin to params are
    refused. ParamError for such arguments, DataError for data that the model does not take: each an
    AetoolError."""
    # before any name but those of the arguments is set
    arguments = dict(locals())
    new = data_of("drift", new, text_options(arguments))
    checked_values = checked_options("drift", operations.drift, {"device": device})
    rate = as_part("drift", "alpha", alpha)
    is_model = drifting.is_model(reference)
    fit_options = one_shot_fit("drift", drift, arguments, is_model)
    if not is_model:
        refuse_plugin_name("drift", reference)
        reference = data_of("drift", reference, text_options(arguments))
    return operations.drift(reference, new, fit=fit_options, alpha=rate, **checked_values)
