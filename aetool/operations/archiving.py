"""compress: data to a verified archive."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from aetool import engine as engines
from aetool.archives import (
    choosing,
    exact_job,
    exactly,
    goals,
    indexing,
    opening,
    rivals,
    shards,
    unbounded,
)
from aetool.archives.encodable import as_the_model_takes_it
from aetool.archives.lossy_job import CompressOptions, LossyJob
from aetool.bundle import CODEC, IN_MEMORY, Bundle
from aetool.canonical import Json
from aetool.codec import picture_models, source_texts
from aetool.codec.blocks import NO_HINTS
from aetool.codec.contents.labels import labels_of
from aetool.codec.contents.pixels import pixels_of
from aetool.codec.kept import keeping
from aetool.codec.pictures import PIXELS
from aetool.codec.shared import shared_of
from aetool.data import chains, remote, sources
from aetool.data.array_files import ArrayFile
from aetool.data.arrow_files import ArrowTable
from aetool.data.images import FolderSource, ImageSource
from aetool.data.table_source import TableSource
from aetool.detection.choice import Choice
from aetool.errors import DataError, ParamError
from aetool.files import Attributes, attributes_of, named_path, one_reading, output, scratch_folder
from aetool.fits.asked import (
    FitOptions,
    of_columns_left_out,
    refuse_beside_model,
    refuse_beside_plugins,
    refuse_without_fit,
)
from aetool.scoring import costing
from aetool.spelling import in_shell, option
from aetool.threads import one_thread

SHOWN_DIGITS = 12  # of the SHA-256 of a model
SOME = 256  # pictures that tell whether a model helps


@one_reading()
@one_thread()
@keeping()
def compress(
    data: object,
    path: str | os.PathLike[str],
    model: Bundle | None = None,
    options: CompressOptions | None = None,
) -> dict[str, Json]:
    """Write an archive of data to a path, "-" for standard output; returns figures of what was
    written. No file is left behind if it fails. ParamError for options that contradict each other,
    and where no archive meets the error or size asked for; DataError for data that cannot be stored
    so, and for a file that exists, unless options.force; BundleError where what the model knows for
    archives is damaged; EngineError for an options.executor that cannot be reached. data: a path,
    or a table or pictures in memory. model: by which the archive is written; None for none, or for
    one that is learned by options.fit. options: None for the defaults.

    The figures, by name: fidelity, rows, archive_bytes and, but for a model's code, source_bytes.
    Others are there only for some options and data. With options.lossy: taken, which kind of
    archive was written ("code", "exact" or "bounded"), and, without options.lossy_only, prices, the
    bytes of each kind. With columns that a model fitted here was not to learn of: unlearned, a line
    that says that the archive holds them. Of an archive that needs a model which is not inside:
    needs_model, its SHA-256, and needs, a line that says so. With a model that makes a lossless
    archive no smaller: unused, the reason. For a folder: left_out, the files that are not in the
    archive, and tables, how many tables lie in it, if there are two or more and no pictures. With
    options.flag: costliest, the records that cost most as a Detection, or untold, why there are
    none. With options.max_error, and of a folder with a goal of error or bytes: unbounded, lines on
    what a bound leaves exact, if anything; with options.max_error, of a table changed and
    unchanged, the names of its columns, and bounded_bytes, where all is exact since a bounded
    archive of so many bytes is no smaller. With a goal of error or bytes: unread_pictures, the
    broken pictures that are stored as files, or unread, the reason why errors could not be measured
    and all is stored exactly. Beside these they hold what ExactJob.write, LossyJob.write,
    choosing.write_chosen or rivals.smallest return; with options.parts they are those of
    indexing.compress_folder alone.
    """
    options = _checked_options(options or CompressOptions())
    _refuse_idle_fit(options, model)
    if options.flag is not None and os.fspath(path) == "-":
        raise ParamError(
            f"{option('--flag')} reads the archive that was written, which standard output is not: "
            f"say where to write with {option('-o')}"
        )
    if options.shard is not None or options.parts:
        _check_of_parts(options, model)
    if options.parts:
        return indexing.compress_folder(data, path, options)
    if model is None:
        _refuse_lost_model(options)
    source: opening.Opened
    if goals.is_asked(options):
        source = _open_for_a_goal(data, model, options)
    elif options.lossy:
        source = sources.open_source(data)
    else:
        source = opening.opened(data, options.keep_files)
    with engines.opened(options.executor) as engine:
        figures = _write_archive(
            data, source, path, model, dataclasses.replace(options, executor=engine)
        )
    if isinstance(source, FolderSource):
        left_out = [*source.left_out]
        if figures["fidelity"] == "lossy":
            # a model's code is of the pictures alone
            left_out = [*source.others, *left_out]
        figures["left_out"] = left_out
        tables = [name for name in source.others if chains.is_part(name)]
        if len(tables) > 1 and not source.names:
            # by their bytes, in which nothing is known of columns
            figures["tables"] = len(tables)
    figures.update(_need_in_words(figures, model))
    # a line if columns that no model learned of are in the archive all the same
    figures.update(of_columns_left_out(options.fit))
    # of a shard it is not said: a column that is exact in this part may be bounded in another
    if options.max_error and options.shard is None:
        figures.update(_figures_of_bound(opening.of_source(source), figures, options))
    # where a goal of error or bytes was asked for: which files of a folder lose nothing
    if not options.max_error and "stored_exactly" in figures:
        figures["unbounded"] = unbounded.of_folder(figures["stored_exactly"])
    if options.flag is not None:
        try:
            costliest = costing.detect(Path(path), model, Choice(top=options.flag))
            figures["costliest"] = costliest.ranked()
        except DataError as error:
            # the archive is whole, whatever it holds
            figures["untold"] = str(error)
    return figures


def _need_in_words(figures: Mapping[str, Json], model: Bundle | None) -> dict[str, Json]:
    """A further figure of an archive that needs a model to be restored: needs, a line that says
    which, and that it is to be kept; {} of one that needs none. figures: of the archive. model: the
    one that was given, None for none."""
    # only one that was given is not inside
    if model is None or "needs_model" not in figures:
        return {}
    digits = str(figures["needs_model"])[:SHOWN_DIGITS]
    which = f"{model.name} (sha256 {digits}...)"
    keep = "keep it"
    if model.name == IN_MEMORY:
        which = f"the model (sha256 {digits}...)"
        keep = "save it"
    line = f"needs {which} to be restored: {keep}"
    # a lossless archive has no place for a model
    if figures["fidelity"] == "lossy":
        embedded = option("--embed") if in_shell() else "embed=True"
        line += f", or put it inside with {embedded}"
    return {"needs": line}


def _figures_of_bound(
    source: opening.Opened,
    figures: Mapping[str, Json],
    options: CompressOptions,
) -> dict[str, Json]:
    """Further figures of a bounded archive that say what its bound left as it is: unbounded, lines
    on what is exact all the same, if there are any; of a table also changed and unchanged, the
    names of its columns. figures: of the archive. source: in the form that it was stored from."""
    further_figures: dict[str, Json] = {}
    errors = figures.get("errors", {})
    if "bounded_bytes" in figures:
        lines = [unbounded.of_exact_archive(figures)]
    else:
        lines = unbounded.remarks(
            source,
            options.max_error,
            errors,
            options.effort,
            options.decimal,
        )
    # of a folder: the files that were stored exactly all the same
    lines += unbounded.of_folder(figures.get("stored_exactly", {}))
    if lines:
        further_figures["unbounded"] = lines
    # an array of pixels is bounded as pictures are, and has no columns to name
    is_table = isinstance(source, sources.CsvSource | ArrowTable | ArrayFile)
    if is_table and PIXELS not in errors:
        # errors are by label, which differ where names are alike
        names = labels_of(exact_job.names_of(source))
        changed, unchanged = unbounded.changed_and_exact(names, errors)
        further_figures["changed"] = changed
        further_figures["unchanged"] = unchanged
    return further_figures


def _check_of_parts(options: CompressOptions, model: Bundle | None) -> None:
    """Refuse options that contradict --shard or --parts, which store parts of a table in archives
    of their own. ParamError names the option, also for a shard that is not I/N, and for a model,
    which must be None. To be called only if one of the two is asked for."""
    parts_option = option("--shard")
    if options.parts:
        parts_option = option("--parts")
    if options.shard is not None:
        shards.Shard.parsed(options.shard)
    others = {
        # a folder has no blocks that could be divided
        option("--shard"): options.parts and options.shard is not None,
        option("--lossy"): options.lossy,
        option("--max-error"): bool(options.max_error),
        option("--keep-files"): options.keep_files,
        option("--flag"): options.flag is not None,
        option("-m"): model is not None,
    }
    for name, is_asked in others.items():
        if is_asked:
            raise ParamError(
                f"{parts_option} writes lossless archives without a model: leave {name} out"
            )


def _refuse_idle_fit(options: CompressOptions, model: Bundle | None) -> None:
    """Raise ParamError for options of a fit that could change nothing in the archive: beside a
    model, and where none is fitted. model: None if none is given."""
    if model is not None:
        refuse_beside_model("compress", options.fit)
    elif options.fit is None or options.lossy:
        return
    elif not goals.is_asked(options):
        refuse_without_fit(options.fit, option("--lossy"))
    elif options.fit.plugin is None:
        # a goal of error is told by columns: options on how these are read have an effect
        refuse_beside_plugins(options.fit, ())


def _refuse_lost_model(options: CompressOptions) -> None:
    """Refuse --no-embed where the archive needs a model that is learned here and saved nowhere
    else: nobody could restore that archive. Raises ParamError. To be called where no model is
    given."""
    is_learned = options.fit is not None and options.fit.plugin is not None
    needs_one = options.lossy or (goals.is_asked(options) and is_learned)
    if options.embed is False and needs_one:
        raise ParamError(
            f"{option('--no-embed')}: the model that is learned here would be saved nowhere; fit "
            f"one and give it with {option('-m')}, or leave {option('--no-embed')} away"
        )


def default_name(data: str | os.PathLike[str], shard: str | None = None) -> Path:
    """The path of the archive where the user names none: the path of the data with .aez at its end,
    and standard output for standard input.

    shard: the part of a table that is stored, such as "2/4", which gives table.csv.2of4.aez; None
    for the whole. ParamError for data that lie in no folder, such as an object of a store, or have
    no name, and for a shard that is not I/N.
    """
    path = Path(data)
    if os.fspath(data) == "-":
        return path
    name = os.fspath(data)
    # a table inside a database, or an object of a store, is no file that something lies beside
    is_file = not remote.is_remote(data) and sources.inside_of(data) is None
    # such as /dev/fd/63, which a shell makes for <(...)
    of_the_system = path.parts[:2] in (("/", "dev"), ("/", "proc"))
    if of_the_system or not is_file:
        raise ParamError(
            f"{name}: has no folder to write into: say where to write with {option('-o')}"
        )
    path = named_path(path)
    if not path.name:
        raise ParamError(f"{name}: has no name to call the archive by: name it with {option('-o')}")
    if shard is None:
        return path.with_name(f"{path.name}.aez")
    part = shards.Shard.parsed(shard)
    return path.with_name(f"{path.name}.{part.number}of{part.of}.aez")


def _write_archive(
    data: object,
    source: opening.Opened,
    path: str | os.PathLike[str],
    model: Bundle | None,
    options: CompressOptions,
) -> dict[str, Json]:
    """Write the archive in the way that the options ask for, and return its figures.

    data: as the user gave them. source: the same, opened for reading. model: None for none. path:
    "-" is standard output. ParamError where no archive meets the error or size asked for; DataError
    for data that cannot be stored so, and for a file that exists, unless options.force.
    """
    if goals.is_asked(options):
        return _write_for_a_goal(data, source, Path(path), model, options)
    if options.lossy:
        assert isinstance(source, TableSource | ImageSource)
        return _write_lossy(data, source, Path(path), model, options)
    with output(Path(path), options.force, _attributes_of_source(data)) as file:
        if options.shard is not None:
            job = exact_job.job_of(source, options)
            return shards.write_shard(file, job, shards.Shard.parsed(options.shard), source.name)
        folder = scratch_folder(Path(path))
        first_figures = _write_exact_or_bounded(file, source, model, options, folder)
        if not options.max_error:
            return first_figures
        # an exact archive keeps any bound: it takes the bounded one's place if it is no larger
        makes = _makers_of_exact(source, model)
        figures = exactly.smaller_exactly(file, first_figures, source, options, makes, folder)
        if model is None or figures.get("shared"):
            return figures
        # a model was given, and the archive does not need it
        return {
            **figures,
            "unused": first_figures.get("unused", "the exact archive is smaller without it"),
        }


def _write_exact_or_bounded(
    file: BinaryIO,
    source: opening.Opened,
    model: Bundle | None,
    options: CompressOptions,
    folder: Path,
) -> dict[str, Json]:
    """Write the archive of a source to a file, which is empty, and compare both: exactly, or with
    options.max_error within the bound; by the model, if there is one that makes it smaller. Returns
    the figures, with `unused`, the reason, where the model was left aside. folder: where other
    archives may be written for a while. ParamError for a bound on what cannot have one; DataError
    for a source that no archive holds, or that changed meanwhile; BundleError where what the model
    knows for archives is damaged."""
    if model is None:
        return exact_job.write_compared(file, exact_job.job_of(source, options), source)
    if _model_stores_pictures(source, model):
        return _write_pictures(file, source, model, options)
    unused_reason = _why_unused(source, model, options)
    if unused_reason is not None:
        figures = exact_job.write_compared(file, exact_job.job_of(source, options), source)
        return {**figures, "unused": unused_reason}
    assert isinstance(source, sources.CsvSource)
    shared = shared_of(model, bool(options.max_error))
    assert shared is not None
    figures = rivals.with_or_without(file, source, options, model, shared, folder)
    # the model was used, or why not is known, or nothing but the bytes could be stored
    if figures.get("shared") or "unused" in figures or "kept" in figures:
        return figures
    prices = figures["prices"]
    unused_reason = (
        f"the archive is smaller without it: {prices['without']:,} bytes against {prices['with']:,}"
    )
    return {**figures, "unused": unused_reason}


def _makers_of_exact(source: opening.Opened, model: Bundle | None) -> list[rivals.Make]:
    """The functions that prepare exact archives of a source, each by options: without a model, and
    by the model, if it knows how to store such data exactly. BundleError where what the model knows
    for archives is damaged."""

    def plain(options: CompressOptions) -> exact_job.ExactJob:
        """The job of the archive without a model, not written yet. ParamError for a bound on what
        cannot have one, DataError for a source that no archive holds."""
        return exact_job.job_of(source, options)

    if model is None:
        return [plain]
    if _model_stores_pictures(source, model):
        pictures = picture_models.model_of(model)
        return [plain, lambda options: exact_job.job_of(source, options, model, pictures=pictures)]
    # the model knows nothing of such a table
    if _why_unused(source, model, CompressOptions()) is not None:
        return [plain]
    shared = shared_of(model, is_bounded=False)
    return [plain, lambda options: exact_job.job_of(source, options, model, shared)]


def _model_stores_pictures(source: opening.Opened, model: Bundle) -> bool:
    """Whether an opened source holds pictures, and the model has learned how such are stored."""
    return _holds_pictures(source) and CODEC in model.graphs and model.kind == "image"


def _holds_pictures(source: opening.Opened) -> bool:
    """Whether an opened source holds pictures: picture files, or an array of pixels."""
    if isinstance(source, ArrayFile):
        return pixels_of(source) is not None
    return isinstance(source, ImageSource)


def _write_pictures(
    file: BinaryIO, source: opening.Opened, model: Bundle, options: CompressOptions
) -> dict[str, Json]:
    """Write pictures losslessly with or without a model of other pictures, whichever makes the
    first 256 of them smaller; returns the figures, with `unused`, the reason, where the model was
    left aside. file: open for writing, empty. ParamError for a bound on what cannot have one;
    DataError for a source that no archive holds, or that changed meanwhile."""
    job = exact_job.job_of(source, options, model, pictures=picture_models.model_of(model))
    plain = exact_job.job_of(source, options)
    size_with_model, size_without = (_bytes_of_first_pictures(one) for one in (job, plain))
    if size_with_model < size_without:
        return exact_job.write_compared(file, job, source)
    figures = exact_job.write_compared(file, plain, source)
    why = (
        f"the first pictures are smaller without it: {size_without:,} bytes against "
        f"{size_with_model:,}"
    )
    return {**figures, "unused": why}


def _bytes_of_first_pictures(job: exact_job.ExactJob) -> int:
    """Count the bytes that the first pictures of a job take when they are encoded, by which ways to
    store pictures are compared: at most 256 of them, all of the job's first item; 0 if it has
    none."""
    # the first item alone
    for pictures in job.content.items():
        encoded = job.content.encode(pictures[:SOME], NO_HINTS)
        return sum(len(block.payload) for block in encoded)
    return 0


def _open_for_a_goal(
    data: object, model: Bundle | None, options: CompressOptions
) -> opening.Opened:
    """Open data for an archive that must meet a goal of error or bytes: as records where they can
    be read as such, else as bytes for a lossless archive. DataError for data that are no records
    where a lossless archive will not do: with a model, given or to be fitted, and with a goal for
    pictures, options.target_psnr or options.bytes_per_picture. model: None for none."""
    try:
        return sources.open_source(data)
    except DataError:
        if not _may_be_exact_alone(model, options):
            raise
        return opening.opened(data)


def _may_be_exact_alone(
    model: Bundle | None,
    options: CompressOptions,
    are_pictures: bool = False,
) -> bool:
    """Whether data that are no records can meet the goal of the options by a lossless archive. Not
    with a model, given or to be fitted by options.fit, nor for a signal-to-noise ratio; for bytes
    of each picture only if are_pictures. model: None if none is given. are_pictures: whether the
    data are pictures, none of which can be read, but which can still be counted."""
    if model is not None:
        return False
    # a model that is still to be fitted
    if options.fit is not None and options.fit.plugin is not None:
        return False
    # a signal-to-noise ratio is of pixels, which could not be read
    if options.target_psnr is not None:
        return False
    # and bytes of each picture need pictures that can be counted
    return are_pictures or options.bytes_per_picture is None


def _write_for_a_goal(
    data: object,
    source: opening.Opened,
    path: Path,
    model: Bundle | None,
    options: CompressOptions,
) -> dict[str, Json]:
    """Write the archive that meets the error or size asked for, the smallest for an error and the
    most exact for a size; returns its figures by name. A model is fitted first where options.fit
    names a plugin and no model is given.

    The figures are those of choosing.write_chosen; where records cannot be read, those of a
    lossless archive (choosing.write_exact), with unread, the reason, unless they have kept. data:
    as the user gave them; source: the same, opened. model: None for none. ParamError where no
    archive meets the goal; DataError for data that cannot be read as records, where that is needed,
    and for a file that exists, unless options.force; DataError or ArchiveError where the comparison
    with the source fails.
    """
    learned = False
    if model is None and options.fit is not None and options.fit.plugin is not None:
        model = _fitted_here(data, options.fit)
        learned = True
    folder = scratch_folder(path)
    with output(path, options.force, _attributes_of_source(data)) as file:
        if not isinstance(source, TableSource | ImageSource):
            return choosing.write_exact(file, source, options)
        try:
            return choosing.write_chosen(file, source, model, options, folder, learned)
        except DataError as unreadable:
            # a record that is none is found only where it stands
            are_pictures = isinstance(source, FolderSource) and bool(source.names)
            if not _may_be_exact_alone(model, options, are_pictures):
                raise
            figures = choosing.write_exact(file, opening.of_source(source), options, unreadable)
            # bytes that are kept have their reason
            if "kept" not in figures:
                figures["unread"] = str(unreadable)
            return figures


def _fitted_here(data: object, options: FitOptions | None) -> Bundle:
    """Fit a model on the data that are to be compressed, as the user gave them, and return its
    bundle; the default for codes where the options name no plugin. options: None for the defaults.
    The errors of fitting.on_the_spot go through."""
    # what fits models takes longer to import than a small table to compress without one
    from aetool.fits import fitting

    return fitting.on_the_spot(data, options)


def _write_lossy(
    data: object,
    source: sources.Source,
    path: Path,
    model: Bundle | None,
    options: CompressOptions,
) -> dict[str, Json]:
    """Write the code of each record by a model, or an exact or bounded archive where that is
    smaller at no larger error, but with options.lossy_only the code in any case; returns the
    figures. data: as the user gave them; source: the same, opened. model: None to fit one by
    options.fit. ParamError for options that contradict each other; DataError for data that cannot
    be stored so, and for a file that exists, unless options.force."""
    learned = model is None
    if model is None:
        model = _fitted_here(data, options.fit)
    job = LossyJob(as_the_model_takes_it(source, model, options.force), model, options, learned)
    with output(path, options.force, _attributes_of_source(data)) as file:
        figures = job.write(file)
        if options.lossy_only:
            return {**figures, "taken": "code"}
        return rivals.smallest(file, job, figures, scratch_folder(path))


def _attributes_of_source(data: object) -> Attributes | None:
    """Return the file mode, owner and times of the source, to be given to its archive; None for
    data in memory. data: as the user gave them. DataError if the file cannot be looked up."""
    return attributes_of(data) if isinstance(data, str | os.PathLike) else None


def _why_unused(source: Any, model: Bundle, options: CompressOptions) -> str | None:
    """The reason why this model cannot make a lossless or bounded archive of the source smaller, in
    words; None if it can. source: a table or anything else that `opening.opened` returns.
    BundleError where what the model knows for archives is damaged."""
    learned_by = option("--codec")
    if options.max_error:
        # for archives within that bound, and exact ones as well
        learned_by = f"{learned_by} and {option('--max-error')}"
    fit_it = (
        f"fit with {learned_by} for archives of many small tables like this, or "
        f"{option('--lossy')} for its code"
    )
    # this graph holds what a model has learned for archives
    if CODEC not in model.graphs:
        return f"it brings nothing to such an archive ({fit_it})"
    if not isinstance(source, sources.CsvSource):
        return "it knows how tables in text are written, which this is not"
    shared = shared_of(model, bool(options.max_error))
    if shared is None or shared.names != source_texts.header_of(source)[1]:
        return "it knows other columns than these"
    # what it learned of columns holds for the bounds that it was fitted for alone
    if dict(shared.spec) != dict(options.max_error):
        learned_bounds = []
        for column, bound in shared.spec.items():
            # a bound of all columns has no name before it
            learned_bounds.append(f"{column}={bound}" if column else bound)
        bounds = ",".join(learned_bounds)
        if bounds:
            return f"it was fitted for {option('--max-error')} {bounds}"
        return f"it was fitted for lossless archives (fit {option('--max-error')} for bounded ones)"
    return None


def _checked_options(options: CompressOptions) -> CompressOptions:
    """A copy of the options, in which lossy_only brings lossy with it. ParamError where two
    contradict each other or a number is out of range."""
    if options.flag is not None and options.flag < 0:
        raise ParamError(f"{option('--flag')} must be 0 or more, got {options.flag}")
    if options.lossy_only:
        options = dataclasses.replace(options, lossy=True)
    if goals.is_asked(options):
        _refuse_beside_a_goal(options)
    if not options.lossy and (options.latent is not None or options.target is not None):
        raise ParamError(
            f"{option('--latent')} and {option('--target-error')} go with {option('--lossy')}"
        )
    if options.lossy and options.max_error:
        raise ParamError(
            f"{option('--max-error')} and {option('--lossy')} exclude each other: the first keeps "
            "a bound on every value, the second stores the model's code alone"
        )
    if options.decimal not in (None, ".", ","):
        raise ParamError(f"{option('--decimal')} {options.decimal}: write . or ,")
    if options.decimal and not options.max_error and not goals.is_asked(options):
        raise ParamError(
            f"{option('--decimal')} goes with {option('--max-error')}: an exact archive keeps all "
            "cells as they are written"
        )
    if options.embed and not options.lossy and not goals.is_asked(options):
        raise ParamError(
            f"{option('--embed')} goes with {option('--lossy')}: a model travels in an archive of "
            f"its codes alone; a lossless archive refers to the one given with {option('-m')}"
        )
    if options.latent is not None and options.target is not None:
        raise ParamError(f"{option('--latent')} and {option('--target-error')} exclude each other")
    if options.target is not None and not 0 < options.target < 1:
        raise ParamError(
            f"{option('--target-error')} must lie between 0 and 100 %, got {options.target:g}"
        )
    if options.keep_files and (options.lossy or options.max_error):
        raise ParamError(
            f"{option('--keep-files')} keeps the bytes: leave out {option('--lossy')} and "
            f"{option('--max-error')}"
        )
    return options


def _refuse_beside_a_goal(options: CompressOptions) -> None:
    """Refuse options that name one way to store data, such as --lossy, beside a goal such as
    --budget, which chooses the way. Raises ParamError."""
    others = {
        option("--lossy"): options.lossy,
        option("--latent"): options.latent is not None,
        option("--target-error"): options.target is not None,
        option("--max-error"): bool(options.max_error),
        option("--keep-files"): options.keep_files,
        option("--shard"): options.shard is not None,
        option("--parts"): options.parts,
    }
    for name, is_given in others.items():
        if is_given:
            by_error = f"{option('--rmse')}, {option('--target-psnr')}"
            by_bytes = f"{option('--budget')}, {option('--bytes-per-picture')}"
            raise ParamError(
                f"{by_error}, {by_bytes} choose how records are stored: leave {name} out, or ask "
                "for none of them"
            )
