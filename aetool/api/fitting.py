"""The verbs that bring about a model: fit makes one from data, load reads one from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

from aetool import bundle as bundles
from aetool import operations
from aetool.api.bundle import Bundle, dressed
from aetool.api.conversion import (
    FIT_OPTIONS,
    Data,
    Option,
    Path,
    data_of,
    fit_options,
    refuse_misspelt_parameter,
    refuse_plugin_name,
    text_options,
)
from aetool.api.doors import door
from aetool.arguments import check_path, shown
from aetool.data.pictures.choosing import Size
from aetool.engine import Chosen
from aetool.errors import ParamError
from aetool.model import Model as Declared
from aetool.model import Progress

Told = Callable[[int, int, str], None]  # of a fit: the step, of how many, and words


@door
def fit(
    data: Data,
    plugin: str | Declared | None = None,
    *,
    # which records and columns
    types: Mapping[str, str] | None = None,
    na: Sequence[str] = (),
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    condition: Sequence[str] = (),
    label: str | None = None,
    normal: Sequence[str] = (),
    all_rows: bool = False,
    # how it is trained
    epochs: int | None = None,
    batch_size: int | None = None,
    max_time: float | None = None,
    seed: int = 0,
    device: str = "auto",
    codec: bool = False,
    max_error: str | float | Mapping[str, str | float] | None = None,
    students: bool = False,
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
    progress: Told | None = None,
    executor: Chosen = None,
    checkpoint: Path | None = None,
    # how the text of a path is written
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    skip_rows: int | None = None,
    comment: str | None = None,
    on_bad_lines: str | None = None,
    **params: Option,
) -> Bundle:
    """Fit a model on a table or on pictures, and return it.

    data: a path (also of a folder, a pattern such as "hours/*.csv", an address such as
    "s3://plant/air.csv", a database's table such as "air.db::hours", or a list of paths); a
    DataFrame or Series of pandas or polars; an Arrow table, or whatever has __arrow_c_stream__; a
    numpy array; a dictionary of columns or a list of dictionaries; bytes, or an open file. plugin:
    the name of an installed model, or a declaration ["auto"].

    types: column to kind, which is number, category, date (also date:dmy, date:mdy), text or skip.
    na: words that mean a gap, beside NA and its like. drop, keep: columns to leave out, or to use
    alone. condition: columns that records are judged by, and that are not judged. label and normal:
    the column kept out of the model, and its values that are fitted (empty: all). all_rows: fit
    all, not only a sample of 200,000.

    epochs, batch_size: of a network, passes over the rows and rows of a step; max_time: seconds
    after which a network stops and "auto" begins no further model, though one that was begun is
    ended; None: nothing is cut short, and "auto" joins no network that needs more than 10, of
    pictures 60. seed: of every random number. device: auto, cpu, cuda or cuda:<n>. codec: learn
    also what archives of many small files share; max_error: for this bound, too, as of
    aetool.compress; students: with small networks that predict columns.

    context: how many rows before each the model is given, of the same value in the column `group`
    ("": all are one group), in the order of the column `order` ("": as they come). robust:
    anomalies are among the rows. closed: no other records are to come. target: the same records,
    clean, where data are damaged.

    resize, tile, stride, crop: sizes of pictures in pixels, such as 256, "256x192" or (256, 192):
    what they are brought to, the tiles that they are judged by and how far apart these lie, and
    what is left of them (four numbers are left, top, width, height); grey: without their colour.

    progress: called with the step, of how many, and words, now and then; print will do. executor:
    what reads the rows of a table, as in aetool.detect: the same model. checkpoint: a file in which
    the training of a network is kept until it is over, and by which it goes on after a kill.

    header, delimiter (a character, "tab" or "blank"), decimal ("." or ","), encoding, skip_rows,
    comment: how the text of a path is written; None: told from it. on_bad_lines: "skip" passes over
    lines with too few or too many fields; "error", which None stands for, refuses data with such.

    params: parameters of the model, such as latent=8; `aetool plugins show NAME` lists them.
    ParamError for an argument that is not allowed, DataError for data that cannot be read or
    fitted, PluginError for a model that is not installed or fails: each an AetoolError.
    """
    # before any name but those of the arguments is set
    arguments = dict(locals())
    # what says how text is written goes with the path
    data = data_of("fit", data, text_options(arguments))
    options = {}
    for name in FIT_OPTIONS:
        value = arguments[name]
        # None stands for the default of the option, which the operation knows
        if value is not None:
            options[name] = value
    refuse_misspelt_parameter("fit", fit, plugin, params)
    chosen_options = fit_options("fit", plugin, **options, **params)
    meter: Progress | None = None
    if progress is not None:
        if not callable(progress):
            raise ParamError(
                f"fit: progress must be a function, as print is; got {shown(progress)}"
            )
        meter = _reporter(progress)
    if checkpoint is not None:
        check_path("fit", "checkpoint", checkpoint)
    return dressed(operations.fit(data, chosen_options, meter, executor, checkpoint))


def _reporter(progress: Told) -> Progress:
    """Wrap a user's progress function, called with step, steps and words, in the form in which fits
    report progress: called with a dictionary of these three names."""
    return lambda state: progress(state["step"], state["steps"], state["words"])


@door
def load(path: Path | bytes | BinaryIO) -> Bundle:
    """The bundle in a .aem file, in an open file of bytes, or in bytes. Runs no code from it.
    BundleError if it is damaged; DataError if there is no such file; ParamError for anything else,
    a file opened for text among it."""
    if not isinstance(path, bytes) and not hasattr(path, "read"):
        check_path("load", "path", path)
        refuse_plugin_name("load", path)
    return dressed(bundles.load(path))
