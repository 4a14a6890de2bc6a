"""The smallest archive of at most some error, or the nearest one within some bytes, is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from aetool import system
from aetool.archives import exact_job, level_search, opening, unbounded
from aetool.archives.candidates import BOUNDED, CODE, EXACT, Candidate, Candidates
from aetool.archives.goals import Goal, goal_in_bytes, goal_of
from aetool.archives.lossy_job import CompressOptions
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec.contents.folder import FILES
from aetool.data.images import FolderSource, ImageSource
from aetool.data.pictures.alike import are_of_one_form
from aetool.data.sources import Source
from aetool.errors import DataError, ParamError
from aetool.scoring import costing
from aetool.spelling import option

# the errors between which bytes are looked for
FINEST, COARSEST = 1e-6, 0.98
TRIES = 9  # at an error that fills the bytes allowed
FILLED = 0.97  # of the bytes allowed: nearer is not looked for
NAMED = 3  # columns that take most of an archive that is too large
WRITTEN = 3  # archives of a large table that are written, at errors that pieces of it tell
NEARER = 0.99  # of the bytes allowed: what the next of them is aimed at

# an archive at an error; None where there is none
Maker = Callable[[float], Candidate | None]


def write_chosen(
    file: BinaryIO,
    source: Source,
    model: Bundle | None,
    options: CompressOptions,
    folder: Path,
    learned: bool,
) -> dict[str, Json]:
    """Write the archive that meets the error or the bytes that the options ask for (they must ask
    for one of the two) to a file, in place of what is there, and compare it with its source, unless
    it is a code; returns its figures.

    model: whose code is tried, too; None: none is. learned: whether the model was fitted to this
    source. folder: where other archives may be written for a while. Added to the figures: taken
    ("exact", "bounded" or "code"), rmse_of_deviation, psnr_db of pictures, prices, the bytes of the
    best of each kind, and bounds of a bounded one; untried, a line on how a model's code is tried,
    where pictures of one form had no model, or why it was not; unread_pictures, "name: reason" of
    each picture that is stored as its file; stored_exactly, of a folder, how many files no bound
    changes, by what they are ("files", "of two colours", "with a palette"), also where none of its
    pictures could lose anything. Where errors of pictures cannot be told, the exact archive is
    written, as `write_exact` does, if an error of 0 or, of a folder, bytes are asked for.
    ParamError where no archive meets it; then nothing was written, but for that exact archive.
    DataError or ArchiveError where the comparison fails.
    """
    count = len(source.sights) if isinstance(source, ImageSource) else 0
    with ExitStack() as stack:
        try:
            candidates = Candidates(source, options, folder, stack)
        except ParamError as unmeasured:
            is_folder = isinstance(source, FolderSource)
            can_be_counted = is_folder and goal_in_bytes(options, count) is not None
            # bytes can be counted where errors cannot be told, as of pictures of several depths;
            # and an error of 0 is that of the exact archive, whatever others would be
            if can_be_counted or options.rmse == 0:
                return write_exact(file, source, options, unmeasured)
            raise
        goal = goal_of(options, candidates.yardstick, count)
        assert goal is not None
        # all are written before one is taken, so that their true bytes are compared
        archives = list(_best_of_each_kind(candidates, model, goal, learned))
        best = _meeting_goal_best(
            archives, goal, candidates.unread, candidates.stored_exactly, model
        )
        exact_job.copy_over(file, best.file)
        if best.job is not None:
            best.job.compare(file)
        # figures about the choice, beside those of the archive itself
        further_figures = {
            "taken": best.way,
            "rmse_of_deviation": best.error,
            "prices": {candidate.way: candidate.size for candidate in archives},
        }
        decibels = candidates.yardstick.psnr(best.error)
        if decibels is not None:
            further_figures["psnr_db"] = round(decibels, 3)
        can_have_code = isinstance(source, ImageSource) and are_of_one_form(source)
        unread = candidates.unread
        if unread:
            further_figures["unread_pictures"] = [*unread]
        # a code holds pictures alone: beside one that cannot be read none is tried, or advised
        if unread and model is not None:
            further_figures["untried"] = (
                "no code was tried: it holds pictures alone, and not all can be read"
            )
        elif model is None and goal.error and can_have_code and not unread:
            advice = f"{option('-p')} pca or {option('-m')} MODEL"
            further_figures["untried"] = f"no code was tried: {advice} adds that of a model"
        exact_files = candidates.stored_exactly if goal.error else {}
        exact_files = best.figures.get("stored_exactly", exact_files)
        if exact_files:
            further_figures["stored_exactly"] = exact_files
        if best.bounds:
            further_figures["bounds"] = {name: float(bound) for name, bound in best.bounds.items()}
        return {**best.figures, **further_figures}


def write_exact(
    file: BinaryIO,
    source: opening.Opened,
    options: CompressOptions,
    unreadable: DataError | ParamError | None = None,
) -> dict[str, Json]:
    """Write a source of which nothing can be lost, exactly, to a file, in place of what is there,
    and compare both; returns its figures, with "taken" (EXACT), "rmse_of_deviation" (0) and
    "prices" (the bytes of EXACT) added. ParamError if it takes more bytes than the options allow,
    with the archive in the file all the same; DataError for a source that no archive holds, or that
    changed meanwhile.

    unreadable: DataError that says why its records cannot be read, ParamError why no errors of its
    pictures can be told; None if it has no records.
    """
    file.seek(0)
    file.truncate()
    figures = exact_job.write_compared(file, exact_job.job_of(source, options), source)
    size = int(figures["archive_bytes"])
    count = len(source.sights) if isinstance(source, ImageSource) else 0
    goal = goal_in_bytes(options, count)
    # nothing can be left out to make it smaller
    if goal is not None and goal.is_exceeded_by(size):
        why_exact = f"{source.name} holds no records that could lose anything"
        if isinstance(unreadable, ParamError):
            why_exact = f"what a smaller one would lose cannot be told ({unreadable})"
        elif unreadable is not None:
            why_exact += f" ({unreadable})"
        size_told = goal.size_in_words(size)
        raise ParamError(
            f"{goal.wording}: the exact archive takes {size_told}, and {why_exact}; allow that "
            "many, or more"
        )
    further_figures = {"taken": EXACT, "rmse_of_deviation": 0.0, "prices": {EXACT: size}}
    return {**figures, **further_figures}


def _best_of_each_kind(
    candidates: Candidates,
    model: Bundle | None,
    goal: Goal,
    learned: bool,
) -> Iterator[Candidate]:
    """Yield the exact archive, then the best bounded one and the best model's code, if there are
    such: for an error the smallest that keeps it, for a budget the one of least error within it, or
    else the smallest. Pictures of which some cannot be read have no code. The exact archive comes
    alone where an error of 0 is asked for, or it is within the budget. candidates: writes them;
    goal: the error or the budget that is asked for. learned: whether the model was fitted to this
    source. ParamError or DataError if the model has no code for the source."""
    exact = candidates.exact()
    yield exact
    if goal.error == 0 or (goal.budget is not None and exact.size <= goal.budget):
        # nothing nearer can be had
        return

    def code(error: float) -> Candidate | None:
        """The archive of the model's code at this error, a part of a standard deviation; None if it
        cannot reach it, with the reason added to `refused`."""
        assert model is not None
        try:
            return candidates.code(model, error, learned)
        except ParamError as unreachable:
            refused.append(unreachable)
            return None

    refused: list[ParamError] = []
    makers: list[Maker] = []
    if isinstance(candidates.source, ImageSource):
        by_levels = of_levels(candidates, goal)
        if by_levels is not None:
            yield by_levels
    elif candidates.can_be_bounded:
        # many errors are tried where bytes are looked for
        if goal.error is not None:
            makers.append(candidates.bounded)
        elif not candidates.is_large:
            makers.append(candidates.bounded_once)
        else:
            assert goal.budget is not None
            by_pieces = _within_by_estimates(candidates, goal.budget)
            if by_pieces is not None:
                yield by_pieces
    # a code holds pictures alone, and would lose the files of those that cannot be read
    if model is not None and not candidates.unread:
        # a model that has no code, or is of other data, is said at once
        candidates.check(model)
        makers.append(code)
    for make in makers:
        if goal.error is not None:
            archive = make(goal.error)
        else:
            assert goal.budget is not None
            archive = within(make, goal.budget)
        if archive is not None:
            yield archive


def of_levels(candidates: Candidates, goal: Goal) -> Candidate | None:
    """The bounded archive of pictures that meets the goal best, or comes nearest to its bytes,
    which it may then exceed; None if no bound keeps the error, or nothing of the pictures has
    levels. candidates: writes the archives, whose errors go through."""
    if goal.error is not None:
        return level_search.smallest_within(candidates, goal.error)
    assert goal.budget is not None
    return level_search.nearest_within(candidates, goal.budget)


def _meeting_goal_best(
    archives: list[Candidate],
    goal: Goal,
    unread: Sequence[str],
    stored_exactly: Mapping[str, int],
    model: Bundle | None,
) -> Candidate:
    """The archive that meets the goal best: for an error the smallest of all found, for a budget
    the one of least error within it; ParamError if none is. unread: "name: reason" of pictures that
    are stored as files, which the error names. stored_exactly: of a folder, how many files no
    bound changes, by what they are: the error says why. model: whose code was tried, None for
    none."""
    if goal.budget is None:
        return min(archives, key=lambda candidate: (candidate.size, candidate.error))
    fitting_ones = [candidate for candidate in archives if candidate.size <= goal.budget]
    if not fitting_ones:
        least = min(archives, key=lambda candidate: candidate.size)
        ways = {BOUNDED: "bounded", CODE: "the model's code"}
        what = f"{ways.get(least.way, least.way)}, at an error of {100 * least.error:.3g} %"
        advice = "allow that many, or more"
        if unread:
            # its whole file is in each of the archives
            name, _, reason = unread[0].partition(": ")
            advice += f"; {name} holds no records that could lose anything ({reason})"
            others = len(unread) - 1
            if others:
                advice += f", nor do {others:,} others" if others > 1 else ", nor does 1 other"
        explained = dict(stored_exactly)
        # those that cannot be read are named already
        files = explained.pop(FILES, 0) - len(unread)
        if files > 0:
            explained[FILES] = files
        for line in unbounded.of_folder(explained):
            advice += f"; {line}"
        advice += _what_takes_most(least, model)
        size_told = goal.size_in_words(least.size)
        raise ParamError(
            f"{goal.wording}: the smallest archive found takes {size_told} ({what}); {advice}"
        )
    return min(fitting_ones, key=_by_error)


def _what_takes_most(least: Candidate, model: Bundle | None) -> str:
    """A clause on what takes most of an archive of a table that exceeds its budget: at most NAMED
    (3) of its columns, with their bytes, and that a model may help where none was tried; "" of
    other data, and where no columns are told apart. model: whose code was tried, None for none."""
    least.file.flush()
    try:
        table = costing.ledger_of(system.path_of(least.file), model).table()
    # of pictures, and of records that are stored as one text, it cannot be told
    except (DataError, ParamError):
        return ""
    columns = zip(table["column"][:NAMED], table["bytes"], strict=False)
    listed = ", ".join(f"{column} {size:,}" for column, size in columns)
    clause = f"; most bytes are of {listed}" if listed else ""
    if model is None:
        clause += f"; {option('-p')} pca or {option('-m')} MODEL tries a model's code, too"
    return clause


def within(make: Maker, budget: int) -> Candidate | None:
    """Search for the archive of least error that takes at most `budget` bytes, by writing several,
    until one takes FILLED (0.97) of these, or TRIES (9) were tried beside the first; where even the
    one at the error COARSEST (0.98) takes more, that one; None if there is none at this error.

    make: writes an archive of at most a given error, a part of a standard deviation, FINEST (1e-6)
    to COARSEST, or estimates it; None where it cannot, which counts as too many bytes. Bytes fall
    with the logarithm of the error, nearly along a line: the next error to try is where a line
    through the two nearest archives, one too large and one within, meets the budget.
    """
    nearest = make(COARSEST)
    if nearest is None or nearest.size > budget:
        return nearest
    # logarithms of the errors between which the bytes allowed are met
    finer = math.log(FINEST)
    coarser = math.log(COARSEST)
    too_large: Candidate | None = None
    for attempt in range(TRIES):
        middle = 0.5 * (finer + coarser)
        # a line alone may creep towards the bytes from one side: every third step halves
        if too_large is not None and attempt % 3 < 2 and too_large.size > nearest.size:
            surplus = too_large.size - budget
            share = surplus / (too_large.size - nearest.size)
            # never quite at an end, so that each try narrows the range
            inside = min(0.95, max(0.05, share))
            middle = finer + inside * (coarser - finer)
        candidate = make(math.exp(middle))
        if candidate is None or candidate.size > budget:
            finer = middle
            too_large = candidate
            continue
        coarser = middle
        nearest = min(nearest, candidate, key=_by_error)
        if nearest.size >= FILLED * budget:
            break
    return nearest


def _within_by_estimates(candidates: Candidates, budget: int) -> Candidate | None:
    """The bounded archive of least error of a large table that takes at most `budget` bytes, as
    `within` searches for it, but errors are tried on estimates, so that few archives are written;
    where none of these is that small, the smallest of them. None if the table cannot be bounded.
    candidates: writes the archives, WRITTEN (3) at most."""
    # the estimated bytes to aim at: the written archive then takes about the budget
    estimate_allowed = budget
    best = None
    for _ in range(WRITTEN):
        likely = within(candidates.estimated, estimate_allowed)
        archive = None if likely is None else candidates.bounded_once(likely.asked)
        if archive is None:
            break
        if best is None or _suits_better(archive, best, budget):
            best = archive
        # near enough: another try is not worth its time
        if FILLED * budget <= archive.size <= budget:
            break
        # the whole takes more, or less, than its pieces let expect: aim off by that factor
        estimate_allowed = int(NEARER * estimate_allowed * budget / archive.size)
    return best


def _suits_better(one: Candidate, other: Candidate, budget: int) -> bool:
    """Whether archive `one` suits a budget, in bytes, better than `other`: by its smaller error if
    both are within the budget, else by its smaller size; False for equal ones."""
    if max(one.size, other.size) <= budget:
        return _by_error(one) < _by_error(other)
    return one.size < other.size


def _by_error(candidate: Candidate) -> tuple[float, int]:
    """The key by which archives are sorted, (error, size): the least error first, of equal ones the
    fewest bytes."""
    return candidate.error, candidate.size
