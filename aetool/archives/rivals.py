"""Rivals of an archive of codes: the lossless one, and the bounded one of no more error; how large
they are.

Each piece of a small source is encoded for it. Of a large one some pieces are; where they say that
a rival may be the smaller, it is written as a whole and counted.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from aetool.archives import exact_job, neighbouring
from aetool.archives.exact_job import ExactJob
from aetool.archives.lossy_job import CompressOptions, LossyJob, worst_column
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec import lossy
from aetool.codec.contents.text import TextTable
from aetool.codec.repricing import TextPrices
from aetool.codec.shared import Shared
from aetool.csv.dialect import BOX
from aetool.data.sources import CsvSource, Source
from aetool.errors import AetoolError, ArchiveError

LARGE = 16 << 20  # bytes of a source: above this it is priced by pieces
PRICED = 8 << 20  # bytes of a large source that are encoded for its price
STRETCH = 2 << 20  # bytes of text in a piece of those
MARGIN = 1.1  # a price by pieces may be wrong by this factor
TRIES = 4  # at bounds that keep the error of the code
TIGHTER = 0.98  # of what a bound that missed the error should have been
NARROWER = (Fraction(99, 100), Fraction(97, 100))  # of the bounds found: what is tried beside them
SAMPLE = 1 << 16  # rows of a large source that bounds are chosen on
# archives, each smaller than the last, that are challenged by bounds that follow from their errors:
# with three of them 2 of 300 points stayed up to 0.9 % above what a simple choice finds
CHALLENGES = 12
SHARES = (0.98, 0.96, 0.94, 0.92, 0.9)  # of these bounds, all of which are tried
TURNS = 5  # archives in a challenge
WIDENINGS = 2  # turns of a challenge in which bounds are widened
WIDEST = 1.25  # times a bound, at most, in one turn

Make = Callable[[CompressOptions], ExactJob]


@dataclass(eq=False)
class Rival:
    """An archive that may be written in place of another. size: its bytes, or an estimate; squares:
    by column the sum of squared errors, in squared units. figures, file, job: of the archive once
    it is written, which is not compared with its source yet; None if size is an estimate. bounds:
    by column the largest error allowed, in the column's unit; {} of an exact one."""

    size: int
    squares: dict[str, float]
    figures: dict[str, Json] | None = None
    file: BinaryIO | None = None
    job: ExactJob | None = None
    bounds: dict[str, Fraction] = field(default_factory=dict)


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
    bounds of a bounded one (--max-error by column), of one that is no code error and worst, how far
    it is off (see `_lost`), and judged, the names of prices that are
    estimates, if there are any. Of equal sizes exact is taken before bounded, and that before the
    code. A rival that cannot be written is left out in silence; ArchiveError or DataError where the
    comparison fails.
    """
    options = dataclasses.replace(
        job.options, lossy=False, lossy_only=False, latent=None, target=None
    )
    code = int(figures["archive_bytes"])
    every = priced_every(job.size)
    with ExitStack() as stack:

        def scratch() -> BinaryIO:
            """A new file without a name, which is gone at the end."""
            return stack.enter_context(tempfile.TemporaryFile(dir=folder))

        rivals: dict[str, Rival] = {}
        # a source that cannot be stored otherwise, whatever the reason, still has its code
        with suppress(AetoolError):
            rivals["exact"] = _priced(
                lambda o: exact_job.job_of(job.source, o), options, every, code, scratch()
            )
        with suppress(AetoolError):
            bounded = _bounded(job, options, every, code, scratch())
            if bounded is not None:
                rivals["bounded"] = bounded
                others = (code, *(rival.size for rival in rivals.values()))
                # only what may be taken is tried further, and only where a try is quick
                if every == 1 and bounded.size == min(others):
                    rivals["bounded"] = _narrower(job, options, bounded, scratch)
        prices = {"code": code} | {name: rival.size for name, rival in rivals.items()}
        judged = sorted(name for name, rival in rivals.items() if rival.figures is None)
        facts = {"prices": prices} | ({"judged": judged} if judged else {})
        # of equal sizes the one of less error
        order = [*(n for n in rivals if rivals[n].figures is not None), "code"]
        taken = min(order, key=lambda name: prices[name])
        if taken == "code":
            return {**figures, "taken": taken, **facts}
        best = rivals[taken]
        assert best.file is not None and best.figures is not None and best.job is not None
        exact_job.copy_over(file, best.file)
        best.job.compare(file)
        largest = {name: float(bound) for name, bound in best.bounds.items()}
        bounds = {"bounds": largest} if largest else {}
        lost = _lost(job, best, len(figures.get("errors", {})))
        return {**best.figures, "taken": taken, **bounds, **lost, **facts}


def _lost(job: LossyJob, rival: Rival, count: int) -> dict[str, Json]:
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
    lost: dict[str, Json] = {"error": total / max(1, count)}
    worst = worst_column(errors, job.ranges)
    return {**lost, "worst": worst} if worst else lost


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

    Returns the figures of the archive, and prices: the bytes "with" the model and "without". Of a
    file of more than LARGE (2^24) bytes both are estimated by pieces, and judged names them.
    options: of compress; shared: what the model knows; folder: where the other archive may be
    written for a while. Where the archive with the model cannot be written, or would not restore
    the source, the one without is taken, and `unused` says why; where that cannot restore it
    either, the file's bytes are stored, and `kept` says why. DataError where the source changed
    meanwhile.
    """

    def by_model(chosen: CompressOptions) -> ExactJob:
        """The job of the archive that the model's knowledge helps to write, not written yet.
        ParamError for a bound that its columns cannot have."""
        return exact_job.job_of(source, chosen, model, shared)

    def plain(chosen: CompressOptions) -> ExactJob:
        """The job of the archive without a model, not written yet. ParamError for a bound that its
        columns cannot have."""
        return exact_job.job_of(source, chosen)

    # a large file is encoded once, in the way that its pieces speak for
    every = priced_every(source.path.stat().st_size)
    if every == 1:
        return _smaller(file, source, by_model(options), plain(options), folder)
    judged = {
        "with": _estimated(by_model, options, every),
        "without": _estimated(plain, options, every),
    }
    prices = {name: rival.size for name, rival in judged.items()}
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


def _smaller(
    file: BinaryIO,
    source: CsvSource,
    by_model: ExactJob,
    plain: ExactJob,
    folder: Path,
) -> dict[str, Json]:
    """Write both archives of a table, with a model's knowledge and without, and leave the smaller
    one that restores its source in `file`; returns figures, and raises DataError, as
    `with_or_without` does. by_model, plain: their jobs; folder: where one archive is written for a
    while."""
    facts: dict[str, Json] = {}
    with tempfile.TemporaryFile(dir=folder) as scratch:
        figures = plain.write(scratch)
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
    try:
        plain.compare(file)
    except ArchiveError as error:
        figures = exact_job.keep_instead(file, plain.content, source, error)
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


def _estimated(make: Make, options: CompressOptions, every: int) -> Rival:
    """Estimate the size, in bytes, and the errors of the archive that `make` prepares, by encoding
    every `every`-th piece of the source, of STRETCH (2^21) bytes at most. options: of compress."""
    job = make(in_pieces(options))
    return Rival(round(job.estimate(every)), job.squares)


def _priced(
    make: Make,
    options: CompressOptions,
    every: int,
    limit: int,
    scratch: BinaryIO,
) -> Rival:
    """Write the archive that `make` prepares to the scratch file, in place of what is there,
    without comparing it; only estimate it if every > 1, the step between pieces that are encoded
    for that, and the estimate is above MARGIN (1.1) times the limit, in bytes: then its figures are
    None. options: of compress. Errors of preparing or writing go through."""
    if every > 1:
        judged = _estimated(make, options, every)
        if judged.size > MARGIN * limit:
            return judged
    scratch.seek(0)
    scratch.truncate()
    job = make(options)
    figures = job.write(scratch)
    return Rival(int(figures["archive_bytes"]), job.squares, figures, scratch, job)


def _bounded(
    job: LossyJob,
    options: CompressOptions,
    every: int,
    limit: int,
    scratch: BinaryIO,
) -> Rival | None:
    """Write a bounded archive in which no column's squared error is above that of the code's
    archive, so that their sizes can be compared; None if there is none, or the source cannot be
    bounded.

    A column whose error turns out too large gets a smaller bound, and the archive is written again,
    at most TRIES (4) times; one that is still too large at the third is stored exactly from then
    on. job: wrote the code's archive. every: 1: write at once. Above 1: choose bounds on a sample
    of SAMPLE (65,536) rows, and first estimate the size by every `every`-th piece; if that is above
    MARGIN (1.1) times `limit` bytes, return this estimate, whose `figures` are None and whose
    errors may be too large. options: of compress, without a bound; scratch: the file that is
    written to. Errors of preparing or writing an archive go through.
    """
    if not exact_job.can_be_bounded(job.source):
        return None
    bounds = _bounds(job, SAMPLE if every > 1 else None)
    names = names_in_archive(job.source)
    for tries_left in reversed(range(TRIES)):
        if not bounds:
            return None
        chosen = {names[name]: bound for name, bound in bounds.items()}
        rival = _priced(
            lambda o, b=chosen: exact_job.job_of(job.source, o, bounds=b),  # type: ignore[misc]
            options, every, limit, scratch,
        )  # fmt: skip
        if rival.figures is None:  # far too large: its errors need not be known better
            return rival
        missed = [n for n in bounds if rival.squares.get(names[n], 0.0) > job.squares[n]]
        if not missed:
            rival.bounds = chosen
            return rival
        for name in missed:
            ratio = job.squares[name] / rival.squares[names[name]]
            bounds[name] *= Fraction(TIGHTER * ratio**0.5)
            # a column that misses it this late stays exact, so that the last try can succeed
            if tries_left <= 1:
                del bounds[name]
    return None


def _narrower(
    job: LossyJob,
    options: CompressOptions,
    rival: Rival,
    scratch: Callable[[], BinaryIO],
) -> Rival:
    """The archive `rival`, or one with slightly other bounds, if that happens to be smaller, and no
    column's error is above that of the code.

    job: what wrote the code; options: of compress, without a bound; scratch: makes a file for each
    archive that is tried. Steps of a grid are whole multiples of a column's resolution: some suit
    its values better, so that sizes do not fall steadily as bounds grow: all bounds are tried times
    0.99 and 0.97 (NARROWER). Of a small text the bounds of each column are tried by themselves, and
    what is best then is challenged by bounds that follow from its errors.
    """
    names = {theirs: ours for ours, theirs in names_in_archive(job.source).items()}

    def written(bounds: dict[str, Fraction]) -> Rival:
        """The archive within these bounds, not compared with its source."""
        other = _priced(
            lambda o: exact_job.job_of(job.source, o, bounds=bounds), options, 1, 0, scratch()
        )
        other.bounds = bounds
        return other

    prices = _prices(rival) if job.size <= neighbouring.SMALL else None
    if prices is None:
        narrower = [{n: share * bound for n, bound in rival.bounds.items()} for share in NARROWER]
        tried = [written(bounds) for bounds in narrower]
    else:
        tried = _beside(job, rival, prices, names, written)
    limits = {name: job.squares[names[name]] for name in rival.bounds}
    best = _smallest_within(limits, [rival, *tried])
    if prices is None:
        return best
    # a search may have passed by what a simple choice of bounds finds: then it goes on from there
    counts = {name: job.compared[names[name]] for name in rival.bounds}
    for _ in range(CHALLENGES):
        challenged = best
        others = _by_errors(challenged, counts, written)
        best = _smallest_within(challenged.squares, [challenged, *others])
        if best is challenged:
            break
    return best


def _smallest_within(limits: Mapping[str, float], archives: Sequence[Rival]) -> Rival:
    """The smallest archive in which no column's sum of squared errors is above its limit, in
    squared units; the first, of which that is known, if none is smaller. A column without a limit
    must be exact. Narrower bounds err less on most grids, though not on all."""
    best = archives[0]
    for archive in archives[1:]:
        is_as_exact = all(square <= limits.get(n, 0.0) for n, square in archive.squares.items())
        if is_as_exact and archive.size < best.size:
            best = archive
    return best


def _by_errors(
    best: Rival,
    counts: Mapping[str, int],
    written: Callable[[dict[str, Fraction]], Rival],
) -> list[Rival]:
    """Archives whose bounds follow from the errors of another, as somebody would choose them who
    wants no more error than it has. Each bound is the root of 3 times the mean squared error, which
    it is where errors are spread evenly; 0.98 to 0.9 (SHARES) of that; and what that becomes when
    it is widened where errors turn out smaller and narrowed where they are larger, at most TURNS
    (5) times. A column that still misses its error before the last of them stays exact there.

    best: the other archive; counts: by column the numbers that its errors are of; written: writes
    an archive within bounds. Errors of some of the archives are larger than those of `best`.
    """
    limits = {name: best.squares.get(name, 0.0) for name in best.bounds}
    bounds = {n: (3 * limits[n] / counts[n]) ** 0.5 for n in limits if limits[n] > 0}
    archives = [
        written({name: Fraction(share * bound) for name, bound in bounds.items()})
        for share in SHARES
        if bounds
    ]
    for turn in range(TURNS):
        if not bounds:
            break
        archive = written({name: Fraction(bound) for name, bound in bounds.items()})
        archives.append(archive)
        missed = []
        for name in bounds:
            square = archive.squares.get(name, 0.0)
            ratio = (limits[name] / square) ** 0.5 if square else WIDEST
            if ratio < 1:
                bounds[name] *= TIGHTER * ratio
                missed.append(name)
            elif turn < WIDENINGS:
                bounds[name] *= min(ratio, WIDEST)
        if turn >= WIDENINGS and not missed:
            break
        # so that the last archive errs no more
        if turn == TURNS - 2:
            for name in missed:
                del bounds[name]
    return archives


def _prices(rival: Rival) -> TextPrices | None:
    """Prepare to find quickly how many bytes a bounded archive of a text takes at other bounds:
    TextPrices, by the plans with which the rival was written, which it must be, not estimated. Its
    source is read for it. None unless it is of a text that is one block, with plans of its own for
    each column."""
    assert rival.job is not None
    content = rival.job.content
    if not isinstance(content, TextTable) or content.origin is None:
        return None
    pieces = list(content.items())
    if len(pieces) != 1:
        return None
    return TextPrices.of(pieces[0], content.origin.layout, rival.job.hints)


def _beside(
    job: LossyJob,
    rival: Rival,
    prices: TextPrices,
    names: dict[str, str],
    written: Callable[[dict[str, Fraction]], Rival],
) -> list[Rival]:
    """Archives of a small text with the bounds, beside those of a rival and beside a few narrower
    ones, that take fewest bytes, with no more error than the code in nearly all columns. From each
    start they are sought by plans that were found there, for which an archive is written.

    job: what wrote the code; prices: tell the bytes beside the rival's bounds; names: of the
    source's columns, by those in the archive; written: writes an archive within bounds.
    """
    places = {column.name: column.decimal_places for column in job.modelled}
    most = {name: job.squares[names[name]] for name in rival.bounds}
    decimals = {name: places[names[name]] for name in rival.bounds}
    others = [written(s) for s in neighbouring.starts(rival.bounds, prices, most, decimals)]
    archives = list(others)
    for start in [rival, *others]:
        start_prices = prices if start is rival else _prices(start)
        if start_prices is None:
            continue
        best = neighbouring.best_beside(start.bounds, start_prices, most, decimals)
        if all(best != archive.bounds for archive in [rival, *archives]):
            archives.append(written(best))
    return archives


def _bounds(job: LossyJob, rows: int | None) -> dict[str, Fraction]:
    """Choose the error bounds at which a bounded archive is to be tried against a code: for each
    column of numbers that the code restores with an error, by its name, the largest error, in its
    unit, that gives a mean squared error no larger. Columns that have no such bound, or are not in
    the archive, are left out. job: wrote the code. rows: choose on so many, drawn at random; None:
    on all."""
    assert job.model.schema is not None
    x = job.numbers(rows)
    names = names_in_archive(job.source)
    bounds = {}
    for place, column in enumerate(job.modelled):
        if column.name in job.squares and column.name in names:
            mean_square = job.squares[column.name] / max(1, job.compared[column.name])
            bound = lossy.bound_of_error(x[:, place], mean_square, column.decimal_places)
            if bound:
                bounds[column.name] = bound
    return bounds


def names_in_archive(source: Source) -> dict[str, str]:
    """The name that a lossless archive gives to each of the source's columns, by the source's
    name."""
    ours = source.head(0).names  # type: ignore[union-attr]
    theirs = exact_job.names_of(source)
    if isinstance(source, CsvSource) and source.dialect.edge == BOX:
        theirs = theirs[1:-1]  # the edges of a box are columns there
    return dict(zip(ours, theirs, strict=True))
