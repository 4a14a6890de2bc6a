"""Rivals of an archive of codes: the lossless one, and the bounded one of no more error; how large
they are.

Each piece of a small source is encoded for it. Of a large one some pieces are; where they say that
a rival may be the smaller, it is written as a whole and counted.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from aetool.archives import exact_job
from aetool.archives.bounds_search import (
    TRIES,
    BoundsSearch,
    Rival,
    bounds_of,
    code_as_rival,
    names_in_archive,
    those_that_missed,
    tightened,
)
from aetool.archives.exact_job import ExactJob
from aetool.archives.lossy_job import CompressOptions, LossyJob, worst_column
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec.shared import Shared
from aetool.data.sources import CsvSource
from aetool.errors import AetoolError

LARGE = 16 << 20  # bytes of a source: above this it is priced by pieces
PRICED = 8 << 20  # bytes of a large source that are encoded for its price
STRETCH = 2 << 20  # bytes of text in a piece of those
MARGIN = 1.1  # a price by pieces may be wrong by this factor
SAMPLE = 1 << 16  # rows of a large source that bounds are chosen on

Make = Callable[[CompressOptions], ExactJob]


def smallest(
    file: BinaryIO,
    job: LossyJob,
    figures: dict[str, Json],
    folder: Path,
) -> dict[str, Json]:
    """Replace the archive in `file` by an exact or bounded one if that is smaller at no more error,
    and compare that with its source; returns the figures of the archive that is there then.

    job: wrote the file, as a model's code; figures: of that. folder: where others may be written
    for a while. Added to the figures: taken ("code", "exact" or "bounded"), prices (bytes of each),
    bounds (--max-error by column) of a bounded archive, error and worst, how far it is off, of an
    exact or bounded one (see `_figures_of_loss`), and judged, the names of prices that are
    estimates, if there are any. Of equal sizes exact is taken before bounded, and that before the
    code. A rival that cannot be written is left out in silence; ArchiveError or DataError where the
    comparison fails.
    """
    options = dataclasses.replace(
        job.options, lossy=False, lossy_only=False, latent=None, target=None
    )
    code_size = int(figures["archive_bytes"])
    step = priced_every(job.size)
    with ExitStack() as stack:

        def scratch() -> BinaryIO:
            """Open a new temporary file in `folder`, which is gone when `stack` is closed."""
            return stack.enter_context(tempfile.TemporaryFile(dir=folder))

        rivals: dict[str, Rival] = {}
        # an archive of another kind that cannot be written is no error: the code is there
        with suppress(AetoolError):
            rivals["exact"] = _written_or_estimated(
                lambda o: exact_job.job_of(job.source, o), options, step, code_size, scratch()
            )
        exact = rivals.get("exact")
        with suppress(AetoolError):
            if step > 1:
                bounded = _bounded_of_large(job, options, step, code_size, scratch())
            else:
                bounded = _smallest_bounded(job, options, code_size, exact, scratch)
            if bounded is not None:
                rivals["bounded"] = bounded
        prices = {"code": code_size} | {name: rival.size for name, rival in rivals.items()}
        estimated_names = sorted(name for name, rival in rivals.items() if rival.figures is None)
        facts = {"prices": prices} | ({"judged": estimated_names} if estimated_names else {})
        # only what is written can be taken, no estimate; of equal sizes the one of less error,
        # which stands first
        order = [*(n for n in rivals if rivals[n].figures is not None), "code"]
        kind_taken = min(order, key=lambda name: prices[name])
        if kind_taken == "code":
            return {**figures, "taken": kind_taken, **facts}
        best = rivals[kind_taken]
        assert best.file is not None and best.figures is not None and best.job is not None
        exact_job.copy_over(file, best.file)
        best.job.compare(file)
        largest = {name: float(bound) for name, bound in best.bounds.items()}
        bounds = {"bounds": largest} if largest else {}
        lost = _figures_of_loss(job, best, len(figures.get("errors", {})))
        return {**best.figures, "taken": kind_taken, **bounds, **lost, **facts}


def _figures_of_loss(job: LossyJob, rival: Rival, count: int) -> dict[str, Json]:
    """How far an archive that is taken in place of a model's code is off, as figures: "error", the
    mean error, counted as that of the code, 0 of an exact archive, and "worst", as `worst_column`
    has it, if there is an error. job: wrote the code; count: how many columns that carries."""
    assert rival.figures is not None
    largest = rival.figures.get("errors", {})
    errors: dict[str, dict[str, float]] = {}
    total = 0.0
    names: dict[str, str] = {}
    # an exact archive has no bounds, and that of pictures no columns
    if rival.bounds:
        names = names_in_archive(job.source)
    for ours, theirs in names.items():
        square = rival.squares.get(theirs, 0.0)
        if not square:
            continue
        mean_square = square / max(1, job.compared[ours])
        rmse = mean_square**0.5
        farthest = float(largest[theirs]["largest"])
        errors[ours] = {"rmse": rmse, "largest": farthest}
        low, high = job.ranges[ours]
        # a column of one value has no range to measure by
        extent = high - low or 1.0
        total += min(1.0, rmse / extent)
    figures: dict[str, Json] = {"error": total / max(1, count)}
    worst = worst_column(errors, job.ranges)
    return {**figures, "worst": worst} if worst else figures


def with_or_without(
    file: BinaryIO,
    source: CsvSource,
    options: CompressOptions,
    model: Bundle,
    shared: Shared,
    folder: Path,
) -> dict[str, Json]:
    """Write a table to `file` with a model's knowledge of its columns, or without, whichever is
    smaller, and compare it with its source.

    Returns the figures of the archive, and prices: the bytes "with" the model, where that can be
    written, and "without". Of a file of more than LARGE (2^24) bytes both are estimated by pieces,
    and judged names them. options: of compress; shared: what the model knows; folder: where the
    other archive may be written for a while. Where the archive with the model cannot be written, or
    would not restore the source, the one without is taken, and `unused` says why; where that cannot
    restore it either, the file's bytes are stored, and `kept` says why; of a bounded archive the
    error is raised. DataError where the source changed meanwhile, ParamError for a bound that its
    columns cannot have; errors of writing the archive without the model go through for a file of at
    most LARGE bytes.
    """

    def by_model(options_here: CompressOptions) -> ExactJob:
        """The job of the archive that the model's knowledge helps to write, not written yet.
        ParamError for a bound that its columns cannot have."""
        return exact_job.job_of(source, options_here, model, shared)

    def plain(options_here: CompressOptions) -> ExactJob:
        """The job of the archive without a model, not written yet. ParamError for a bound that its
        columns cannot have."""
        return exact_job.job_of(source, options_here)

    # a large file is encoded once, in the way that takes fewer bytes by an estimate
    step = priced_every(source.path.stat().st_size)
    if step == 1:
        return _write_smaller(file, source, by_model(options), plain(options), folder)
    estimates = {
        "with": _estimate(by_model, options, step),
        "without": _estimate(plain, options, step),
    }
    prices = {name: rival.size for name, rival in estimates.items()}
    facts: dict[str, Json] = {"prices": prices, "judged": sorted(prices)}
    if prices["with"] <= prices["without"]:
        job = by_model(options)
        try:
            figures = job.write(file)
            job.compare(file)
            return {**figures, **facts}
        except exact_job.FAILURES as error:
            facts["unused"] = _does_not_restore(error)
            file.seek(0)
            file.truncate()
    figures = exact_job.write_compared(file, plain(options), source)
    return {**figures, **facts}


def _write_smaller(
    file: BinaryIO,
    source: CsvSource,
    by_model: ExactJob,
    plain: ExactJob,
    folder: Path,
) -> dict[str, Json]:
    """Write both archives of a table, with a model's knowledge and without, and leave the smaller
    one that restores its source in `file`, or the file's bytes if none does, or if the archive
    without the model cannot be written; returns figures, and raises DataError, as `with_or_without`
    does. by_model, plain: their jobs; folder: where one archive is written for a while."""
    facts: dict[str, Json] = {}
    with tempfile.TemporaryFile(dir=folder) as scratch:
        try:
            figures = plain.write(scratch)
        except exact_job.FAILURES as error:
            return exact_job.store_bytes_instead(file, plain.content, source, error)
        prices = {"without": figures["archive_bytes"]}
        try:
            with_model = by_model.write(file)
            prices["with"] = with_model["archive_bytes"]
            # of equal sizes the one with the model, which is in the file already
            if prices["with"] <= prices["without"]:
                by_model.compare(file)
                return {**with_model, "prices": prices}
        except exact_job.FAILURES as error:
            facts["unused"] = _does_not_restore(error)
        exact_job.copy_over(file, scratch)
    # the archive without the model is in the file now; where it would not restore the source the
    # file's bytes are stored
    try:
        plain.compare(file)
    except exact_job.FAILURES as error:
        figures = exact_job.store_bytes_instead(file, plain.content, source, error)
    return {**figures, "prices": prices, **facts}


def _does_not_restore(error: Exception) -> str:
    """Why a model was not used whose archive failed with this error, in words."""
    why = str(error) or type(error).__name__
    return f"an archive with it does not restore the file ({why})"


def priced_every(size: int) -> int:
    """The n for which every n-th piece of a source is encoded to estimate an archive's size; 1, all
    pieces, up to LARGE (2^24) bytes, and 2 or more above. size: bytes of the source."""
    return max(2, size // PRICED) if size > LARGE else 1


def in_pieces(options: CompressOptions) -> CompressOptions:
    """A copy of the options with blocks of at most STRETCH (2^21) bytes, so that some of them
    suffice to estimate an archive's bytes."""
    effort = dataclasses.replace(options.effort, block=min(options.effort.block, STRETCH))
    return dataclasses.replace(options, effort=effort)


def _estimate(make: Make, options: CompressOptions, step: int) -> Rival:
    """Estimate the size, in bytes, and the errors of the archive that `make` prepares, by encoding
    every `step`-th piece of the source, of STRETCH (2^21) bytes at most. options: of compress."""
    job = make(in_pieces(options))
    return Rival(round(job.estimate(step)), job.squares)


def _written_or_estimated(
    make: Make,
    options: CompressOptions,
    step: int,
    limit: int,
    scratch: BinaryIO,
) -> Rival:
    """Write the archive that `make` prepares to the scratch file, in place of what is there,
    without comparing it. If `step` is above 1 it is estimated first, by every `step`-th piece of
    the source; if that is above MARGIN (1.1) times `limit` bytes, only the estimate is returned,
    whose figures are None. options: of compress. Errors of preparing or writing go through."""
    if step > 1:
        estimate = _estimate(make, options, step)
        # far too large: it need not be written
        if estimate.size > MARGIN * limit:
            return estimate
    scratch.seek(0)
    scratch.truncate()
    job = make(options)
    figures = job.write(scratch)
    return Rival(int(figures["archive_bytes"]), job.squares, figures, scratch, job)


def _smallest_bounded(
    job: LossyJob,
    options: CompressOptions,
    code_size: int,
    exact: Rival | None,
    scratch: Callable[[], BinaryIO],
) -> Rival | None:
    """The smallest bounded archive that a search finds in which no column's squared error is above
    that of the code's archive; None if there is none, or the source cannot be bounded. An archive
    that cannot be prepared or written ends the search.

    job: wrote the code's archive, of `code_size` bytes; options: of compress, without a bound.
    exact: the exact archive, None without one; scratch: makes a file for each archive that is
    tried.
    """
    if not exact_job.can_be_bounded(job.source):
        return None
    search = BoundsSearch(job, code_as_rival(job, code_size), options, scratch)
    size_of_exact = sys.maxsize if exact is None else exact.size
    with suppress(AetoolError):
        search.begin()
        best = search.best
        # only what may be taken is tried further
        if best is not None and best.size <= min(size_of_exact, code_size):
            search.look_around()
        search.challenge(size_of_exact)
    return search.best


def _bounded_of_large(
    job: LossyJob,
    options: CompressOptions,
    step: int,
    limit: int,
    scratch: BinaryIO,
) -> Rival | None:
    """Write a bounded archive of a large source in which no column's squared error is above that of
    the code's archive, so that their sizes can be compared; None if there is none, or the source
    cannot be bounded.

    A column whose error turns out too large gets a smaller bound, and the archive is written again,
    at most TRIES (4) times; one that is still too large at the third is stored exactly from then
    on. job: wrote the code's archive. Bounds are chosen on a sample of SAMPLE (65,536) rows. First
    the size is estimated by every `step`-th piece; if that is above MARGIN (1.1) times `limit`
    bytes, return this estimate, whose `figures` are None and whose errors may be too large.
    options: of compress, without a bound; scratch: the file that is written to. Errors of preparing
    or writing an archive go through.
    """
    if not exact_job.can_be_bounded(job.source):
        return None
    limits = code_as_rival(job, limit).squares
    bounds = bounds_of(job, SAMPLE)
    for tries_left in reversed(range(TRIES)):
        if not bounds:
            return None
        rival = _written_or_estimated(
            lambda o, b=bounds: exact_job.job_of(job.source, o, bounds=b),  # type: ignore[misc]
            options, step, limit, scratch,
        )  # fmt: skip
        if rival.figures is None:  # far too large: its errors need not be known better
            return rival
        missed = those_that_missed(bounds, rival.squares, limits)
        if not missed:
            rival.bounds = bounds
            return rival
        # a column that misses it this late stays exact, so that the last try can succeed
        bounds = tightened(bounds, missed, rival.squares, limits, tries_left <= 1)
    return None
