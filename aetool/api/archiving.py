"""The verbs of archives: compress, tradeoff, merge, decompress and open."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aetool import bundle as bundles
from aetool import operations
from aetool.api.conversion import (
    Data,
    Figures,
    Model,
    Path,
    bundle_of,
    bytes_from,
    data_of,
    listed,
    options_of,
    share_of,
)
from aetool.api.doors import door
from aetool.arguments import (
    brief,
    check_kind,
    check_path,
    checked,
    checked_options,
    errors_by_column,
    plain,
)
from aetool.codec import planning
from aetool.codec.archive import Archive
from aetool.data import notices
from aetool.engine import Chosen
from aetool.errors import AetoolError, ParamError
from aetool.operations import CompressOptions, FitOptions, TradeoffOptions, archiving

if TYPE_CHECKING:
    from aetool.archives.points import Tradeoff

OF_FIT = "aetool.operations.FitOptions"


@door
def compress(
    data: Data,
    path: Path | None = None,
    model: Model | None = None,
    *,
    # what may be lost
    lossy: bool = False,
    lossy_only: bool = False,
    latent: int | None = None,
    target: float | None = None,
    max_error: str | float | Mapping[str, str | float] | None = None,
    decimal: str | None = None,
    # how it is stored
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
    # the goals, of which at most one is given
    rmse: float | str | None = None,
    target_psnr: float | None = None,
    budget: int | str | None = None,
    bytes_per_picture: float | None = None,
) -> Figures:
    """Write an archive of one file, folder or table to path, and return its figures by name:
    source_bytes, archive_bytes, rows, fidelity and more. The archive is lossless, unless max_error,
    lossy or a goal (rmse to bytes_per_picture) is given.

    path: the archive's file [data.aez for the path data; of a shard data.2of4.aez]. model: makes
    the archive smaller by what it knows of such data. keep_files: store the bytes of any file as
    they are. effort: "fast", "default" or "best". embed: whether the model is put into the archive
    (None: if it is small beside the data). fit: how to fit a model where one is needed and none
    given. force: replace a file that is there. executor: what encodes a lossless archive, as in
    aetool.detect; the bytes are the same.

    lossy: store the model's codes, or a lossless or bounded archive where that is smaller at no
    more error; lossy_only: the codes in any case. latent: how many units of the code are kept
    [all]; or target: the mean error allowed, 0.01 for 1 %. Both are only for an archive of codes.
    max_error: the largest error of each number, 0.5 in its unit or as a percentage such as "1%",
    for all columns or as a dictionary by column; of each pixel, in levels. decimal: with it, the
    decimal mark of numbers in a text, "." or ",", where nothing in the text tells it.

    rmse: the smallest archive whose root mean squared error, over the columns that are changed, is
    at most this part of a standard deviation, 0.02 or "2%". target_psnr: the same for pictures, in
    dB. budget: the most exact archive of at most so many bytes, 10_000 or "10kB";
    bytes_per_picture: of at most so many for each picture. Such an archive is lossless, bounded or
    of codes (the model's bytes count unless embed=False); the figures say which, its
    rmse_of_deviation, and the bytes of the best of each kind under prices.

    flag: how many records to name that take most bits: the figures then have costliest, as detect
    returns them. shard: "2/4" writes the second of four parts of a table alone, for aetool.merge.
    parts: write each table of a folder to an archive of its own, in a folder beside path, and at
    path an index by which they are read as one. device: auto, cpu, cuda or cuda:<n>. ParamError for
    options that exclude each other, such as two goals; DataError for data that cannot be read, and
    for a file at path, unless force; both are an AetoolError. If it fails, path is as it was.
    """
    # before any name but those of the arguments is set
    arguments = dict(locals())
    kind = type(data).__name__
    data = data_of("compress", data, {})
    if path is None:
        if not isinstance(data, str | os.PathLike):
            raise ParamError(f"a {kind} has no name: say where to write its archive")
        path = archiving.default_name(data, shard)
    check_path("compress", "path", path)
    check_kind("compress", "fit", fit, (FitOptions, type(None)), OF_FIT)
    # the arguments that are fields of CompressOptions, some in another form
    options = options_of(arguments, CompressOptions)
    options["effort"] = _effort_of(effort)
    options["max_error"] = errors_by_column(max_error)
    options["rmse"] = share_of("rmse", rmse)
    options["budget"] = bytes_from("budget", budget)
    compress_options = CompressOptions(**options)
    bundle = bundle_of(model, "compress")
    figures = operations.compress(data, path, bundle, compress_options)
    if "costliest" in figures:
        figures["costliest"] = figures["costliest"].to_pandas()
    return figures


def _effort_of(effort: str | planning.Effort | None) -> planning.Effort:
    """An effort, which may be given by its name: "fast", "default" or "best"; None for the default.
    ParamError for any other value."""
    if effort is None or isinstance(effort, planning.Effort):
        return effort or planning.DEFAULT
    efforts = {"fast": planning.FAST, "default": planning.DEFAULT, "best": planning.BEST}
    # what is no text may have no hash
    if not isinstance(effort, str) or effort not in efforts:
        names = ", ".join(efforts)
        raise ParamError(f"effort must be {names}; got {brief(effort)}")
    return efforts[effort]


@door
def tradeoff(
    data: Data,
    models: Model | Sequence[Model] = (),
    plugins: str | Sequence[str] = (),
    *,
    # the goals, of which at most one is given
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
    each model (fitted, or its path) and of each plugin (its name; fitted here), and files of other
    programs.

    Returns a Tradeoff. Its points each have bytes, bytes of the model, error (root mean squared, in
    standard deviations of each column), psnr of pictures, the command that writes it, and which
    point betters it; pick is the archive to take; drawing() draws all points. rmse, target_psnr,
    budget, bytes_per_picture: what the pick must keep, as in aetool.compress [it must be lossless].
    embed: whether the bytes of models count. others: whether xz, WebP and the like are measured.
    fit: how plugins are fitted. device: where models run, as in aetool.fit. ParamError for two
    goals, DataError for data that cannot be read, and any other AetoolError.
    """
    # before any name but those of the arguments is set
    arguments = dict(locals())
    data = data_of("tradeoff", data, {})
    # the arguments that are fields of TradeoffOptions, some in another form
    options = options_of(arguments, TradeoffOptions, "plugins")
    options["plugins"] = listed(plugins)
    options["rmse"] = share_of("rmse", rmse)
    options["budget"] = bytes_from("budget", budget)
    check_kind("tradeoff", "fit", fit, (FitOptions, type(None)), OF_FIT)
    options["fit"] = fit or FitOptions()
    tradeoff_options = TradeoffOptions(**options)
    # a single one is a list of that one, as of plugins
    if isinstance(models, bundles.Bundle | str | os.PathLike):
        models = [models]
    check_kind("tradeoff", "models", models, Sequence, "a list of models")
    loaded = {}
    for model in models:
        bundle = bundle_of(model, "tradeoff")
        assert bundle is not None
        # a command that writes such an archive names the file, as it was given here
        name = bundle.name if isinstance(model, bundles.Bundle) else os.fspath(model)
        loaded[name] = bundle
    return operations.tradeoff(data, loaded, tradeoff_options)


@door
def merge(
    paths: Sequence[Path],
    path: Path,
    *,
    force: bool = False,
    executor: Chosen = None,
    index: bool = False,
) -> Figures:
    """Join the archives of all shards of a table into one, byte for byte what aetool.compress
    writes of the whole table; returns its figures by name: fidelity, shards, rows and
    archive_bytes.

    paths: what compress wrote with shard, in any order. path: the archive to write. force: replace
    a file that is there. executor: what decodes the texts once, for the digest of the whole table;
    as in aetool.detect. index: copy nothing, but write at path an index of the archives, which must
    lie beside it or below; they may then also be whole tables of one kind with the same columns,
    and the figures have parts and index_bytes in place of shards. ParamError if a shard is missing,
    comes twice or is of another table, ArchiveError if one is damaged, DataError for a file at
    path, unless force: each an AetoolError.
    """
    parts = plain(paths)
    checked("merge", "paths", paths, "Sequence[Path]")
    assert isinstance(parts, list)
    for shard_path in parts:
        check_path("merge", "paths", shard_path)
    check_path("merge", "path", path)
    options = checked_options("merge", operations.merge, {"force": force, "index": index})
    return operations.merge(parts, path, executor=executor, **options)


@door
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

    path: the archive. out: where to write, "-" for standard output [path without .aez]. model: the
    one that the archive was made with, where it is not inside. rows: slice(a, b) or (a, b): records
    a to b - 1, counted from 0, b None: to the last; those beyond the last are left out. The ends of
    a slice may count from behind, -1 being the last. None: all. columns: of a table only these.
    lost: a list to which messages on damaged blocks are added, which are then left out; without it
    damage is an error. force: replace a file that is there. max_output: the most bytes that may be
    restored. executor: what decodes, as in aetool.detect. To have records in Python, see
    aetool.open. What may surprise, such as a file whose name promises another format than its
    content has, is a warning of the log aetool.data. device: where the model runs, as in
    aetool.fit. ParamError for rows or columns that are not there, ArchiveError for damage,
    DataError for a file at out, unless force: each an AetoolError."""
    # columns to executor, as the operation takes them
    options = options_of(locals(), operations.decompress, "path", "out", "model", "rows")
    check_path("decompress", "path", path)
    if out is not None:
        check_path("decompress", "out", out)
    options = checked_options("decompress", operations.decompress, options)
    # a slice may count from behind; the operation takes ends that are counted from the first row
    if isinstance(rows, slice):
        rows = _ends_of(rows, path)
    elif rows is not None:
        if not isinstance(rows, tuple) or len(rows) != 2:
            raise ParamError(f"decompress: rows must be slice(a, b) or (a, b); got {brief(rows)}")
        checked("decompress", "the first of rows", rows[0], "int")
        checked("decompress", "the end of rows", rows[1], "int | None")
    bundle = bundle_of(model, "decompress")
    remarks: list[str] = []
    restored_path = operations.decompress(
        path, out, model=bundle, rows=rows, notes=remarks, **options
    )
    for remark in remarks:
        notices.warn(remark)
    return restored_path


def _ends_of(rows: slice, path: Path) -> tuple[int, int]:
    """The first of the rows of an archive that a slice takes, from 0, and the one after the last;
    ends are counted as those of a list. ParamError for a step other than 1, and the errors of
    opening an archive. path: the archive's."""
    # ends counted from behind, as in [-10:], need the number of rows
    with Archive(path) as archive:
        first, last, step = rows.indices(archive.rows)
    if step != 1:
        raise ParamError(f"rows are restored one after the other, not by steps of {step}")
    return first, max(first, last)


@door
def open_archive(
    path: Path,
    model: Model | None = None,
    device: str = "auto",
    *,
    columns: str | Sequence[str] | None = None,
) -> Archive:
    """Open an archive after checking its digests: archive[a:b] and archive.to_pandas() then restore
    records. Close it after use, or open it by `with`.

    model: the model that it needs, where it is not inside, or that model's path. columns: of a
    table restore only these, one name or several; None: all. device: where the model runs, as in
    aetool.fit. ArchiveError if the archive is damaged, ParamError for a column that is not there,
    DataError if there is no such file: each an AetoolError.
    """
    check_path("open", "path", path)
    checked("open", "device", device, "str | None")
    checked("open", "columns", columns, "str | Sequence[str] | None")
    archive = Archive(path, bundle_of(model, "open"), device)
    if columns is None:
        return archive
    # an archive that is not handed out is closed here
    try:
        archive.choose(listed(columns))
    except AetoolError:
        archive.close()
        raise
    return archive
