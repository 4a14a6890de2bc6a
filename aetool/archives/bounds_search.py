"""Bounds with which an archive errs no more than another, in no column, and takes fewest bytes.

Every archive that may be taken is challenged by bounds that follow from its own errors, as somebody
would choose them who has no model: what is written is never larger than what such a choice finds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import BinaryIO

from aetool.archives import exact_job, neighbouring
from aetool.archives.exact_job import ExactJob
from aetool.archives.lossy_job import CompressOptions, LossyJob
from aetool.canonical import Json
from aetool.codec import lossy
from aetool.codec.contents.text import TextTable
from aetool.codec.repricing import TextPrices
from aetool.codec.rounded_text import RoundedText
from aetool.csv.dialect import BOX
from aetool.data.sources import CsvSource, Source

TRIES = 4  # at bounds that keep the error of the code
TIGHTER = 0.98  # of what a bound that missed the error should have been
NARROWER = (Fraction(99, 100), Fraction(97, 100))  # of the bounds found: what is tried beside them
SHARES = (0.98, 0.96, 0.94, 0.92, 0.9)  # of a challenge's first bounds, of a small text
TURNS = 5  # sets of bounds in a challenge
WIDENINGS = 2  # turns of a challenge in which bounds are widened
WIDEST = 1.25  # times a bound, at most, in one turn
NARROWEST = 0.5  # times a bound that missed its error, at least, in one turn
LARGE = 1 << 20  # bytes of a source, from which on an archive takes seconds
FAR = 1.25  # times a code's bytes: what no other bounds than the widest make up for
EQUAL = 1 + 1e-9  # times an error: no more is a difference of rounding, in sums of other orders

Bounds = Mapping[str, Fraction]


@dataclass(eq=False)
class Rival:
    """An archive that may be written in place of another. size: its bytes, or an estimate; squares:
    by column the sum of squared errors, in squared units. figures, file, job: of the archive once
    it is written, which is not compared with its source yet; None if size is an estimate. bounds:
    by column the largest error allowed, in the column's unit; {} of an exact one, and of a code."""

    size: int
    squares: dict[str, float]
    figures: dict[str, Json] | None = None
    file: BinaryIO | None = None
    job: ExactJob | None = None
    bounds: dict[str, Fraction] = field(default_factory=dict)


@dataclass(eq=False)
class BoundsSearch:
    """Searches for the bounded archive of a source that takes fewest bytes, with no more error in
    any column than a model's code of it.

    job: wrote the code; code: that archive's bytes and errors, by the names that archives give to
    columns. options: of compress, without a bound; scratch: makes a file for each archive that is
    tried. best: the smallest so far of the archives that err no more than the code, None before
    one is found. Columns have the names that archives give them.
    """

    job: LossyJob
    code: Rival
    options: CompressOptions
    scratch: Callable[[], BinaryIO]
    best: Rival | None = None
    _written: dict[Hashable, Rival] = field(default_factory=dict)
    _are_all_bounded: bool = True

    # ---- what is known of the source

    @cached_property
    def names(self) -> dict[str, str]:
        """The source's name of each column, by the name in archives."""
        in_archive = names_in_archive(self.job.source)
        return {theirs: ours for ours, theirs in in_archive.items()}

    @cached_property
    def counts(self) -> dict[str, int]:
        """By column how many numbers its errors are of, at least 1."""
        counts = {}
        for name in self.code.squares:
            own_name = self.names[name]
            # a column of gaps has no error to be divided
            counts[name] = max(1, self.job.compared[own_name])
        return counts

    @cached_property
    def is_small(self) -> bool:
        """Whether the source has at most neighbouring.SMALL (2^16) bytes, so that a price, and an
        archive, take a moment."""
        return self.job.size <= neighbouring.SMALL

    @cached_property
    def text(self) -> RoundedText | None:
        """The columns of a text that becomes one block, to tell their errors before an archive is
        written; None of any other source. The source is read for it."""
        if not self.code.squares:
            return None
        # any bounds will do: the layout tells which columns may have one
        bounds = dict.fromkeys(self.code.squares, Fraction(1))
        job = exact_job.job_of(self.job.source, self.options, bounds=bounds)
        content = job.content
        if not isinstance(content, TextTable) or content.origin is None:
            return None
        pieces = list(content.items())
        if len(pieces) != 1:
            return None
        (piece,) = pieces
        rounded = RoundedText.of(piece, content.origin.layout)
        if rounded is None or not rounded.is_one_block:
            return None
        return rounded

    def squares(self, bounds: Bounds) -> dict[str, float]:
        """By column the sum of squared errors, in squared units, of the archive within these
        bounds, which is written where it cannot be told otherwise. Errors of writing go through."""
        if self.text is None:
            return self._archive_within(bounds).squares
        # what its marks mean nothing tells: such a column stays exact
        can_be_bounded = self.text.layout.bounds
        own_bounds = {}
        for name, bound in bounds.items():
            if name in can_be_bounded:
                own_bounds[name] = bound
        return self.text.squares(own_bounds)

    def consider(self, bounds: Bounds, rival: Rival) -> Rival | None:
        """Write the archive within these bounds if it errs no more than a rival, in any column, and
        the same was not written before, and keep it as `best` if it is smaller than that; returns
        it. None if it was not written, and also where it had to be written to tell its errors
        (`squares`), when it is looked at for `best` all the same. Errors of preparing or writing it
        go through."""
        if not bounds:
            return None
        # what errs too much is not worth the time to write it
        squares = self.squares(bounds)
        if not self._errs_no_more(squares, rival):
            return None
        if self._identity(bounds) in self._written:
            return None
        return self._archive_within(bounds)

    def _errs_no_more(self, squares: Mapping[str, float], rival: Rival) -> bool:
        """Whether no column errs more than the code, nor than a rival, by these sums of squared
        errors, in squared units; beside a rival differences of rounding do not count."""
        for name, square in squares.items():
            # a column that is not among these is exact there
            promised = self.code.squares.get(name, 0.0)
            limit = rival.squares.get(name, 0.0)
            if square > promised or square > limit * EQUAL**2:
                return False
        return True

    def _identity(self, bounds: Bounds) -> Hashable:
        """A key that is equal for two sets of bounds if their archives are the same: of a text the
        numbers as they are stored, else the bounds themselves."""
        if self.text is None:
            return frozenset(bounds.items())
        return self.text.stored(bounds)

    def _archive_within(self, bounds: Bounds) -> Rival:
        """The archive within these bounds, written now or before, of which only the best still has
        its file. It is the best if it is smaller, and errs no more than the code. Errors of
        preparing or writing it go through."""
        identity = self._identity(bounds)
        if identity in self._written:
            return self._written[identity]
        own_bounds = dict(bounds)
        job = exact_job.job_of(self.job.source, self.options, bounds=own_bounds)
        file = self.scratch()
        figures = job.write(file)
        archive = Rival(
            int(figures["archive_bytes"]),
            job.squares,
            figures,
            file,
            job,
            own_bounds,
        )
        self._written[identity] = archive
        # of this archive and the best so far only the better one keeps its file
        loser = archive
        is_smaller = self.best is None or archive.size < self.best.size
        if is_smaller and self._errs_no_more(archive.squares, self.code):
            loser = self.best or archive
            self.best = archive
        if loser is not self.best and loser.file is not None:
            loser.file.close()
        return archive

    # ---- the search

    def begin(self) -> None:
        """Write a first bounded archive that errs no more than the code in any column; none where
        TRIES (4) sets of bounds are not enough for that, or nothing can be bounded. A column that
        errs too much gets a smaller bound; one that still does at the third is exact from then on.
        Errors of preparing or writing an archive go through."""
        bounds = bounds_of(self.job, None)
        for tries_left in reversed(range(TRIES)):
            if not bounds:
                return
            squares = self.squares(bounds)
            limits = self.code.squares
            missed = those_that_missed(bounds, squares, limits)
            if not missed:
                self.consider(bounds, self.code)
                return
            is_late = tries_left <= 1
            # what is left exact takes far more
            self._are_all_bounded = not is_late
            bounds = tightened(bounds, missed, squares, limits, is_late)

    def look_around(self) -> None:
        """Try bounds beside those of the best archive, which there is, and keep what is smallest.
        Errors of writing an archive go through.

        Steps of a grid are whole multiples of a column's resolution: some suit its values better,
        so that sizes do not fall steadily as bounds grow: all bounds are tried times 0.99 and 0.97
        (NARROWER). Of a small text the bounds of each column are tried by themselves, beside those
        of the best and beside a few narrower ones.
        """
        first = self.best
        assert first is not None
        prices = self._prices(first) if self.is_small else None
        if prices is None:
            for share in NARROWER:
                narrower = {name: share * bound for name, bound in first.bounds.items()}
                self.consider(narrower, self.code)
            return
        places = {column.name: column.decimal_places for column in self.job.modelled}
        decimals: dict[str, int | None] = {}
        limits: dict[str, float] = {}
        for name in first.bounds:
            own_name = self.names[name]
            decimals[name] = places[own_name]
            limits[name] = self.code.squares[name]
        begins = [first]
        for start in neighbouring.starts(first.bounds, prices, limits, decimals):
            archive = self.consider(start, self.code)
            if archive is not None:
                begins.append(archive)
        for start_archive in begins:
            # from each start by plans that were found there
            own_prices = prices if start_archive is first else self._prices(start_archive)
            if own_prices is None:
                continue
            beside = neighbouring.best_beside(
                start_archive.bounds,
                own_prices,
                limits,
                decimals,
            )
            self.consider(beside, self.code)

    def _prices(self, rival: Rival) -> TextPrices | None:
        """Prepare to find quickly how many bytes the archive `rival`, which was written, takes at
        other bounds, by its plans; None unless it is of a text that is one block, with plans of its
        own for each column."""
        assert rival.job is not None
        content = rival.job.content
        if self.text is None:
            return None
        if not isinstance(content, TextTable) or content.origin is None:
            return None
        return TextPrices.of(
            self.text.cells.text,
            content.origin.layout,
            rival.job.hints,
            self.text,
        )

    def challenge(self, most: int) -> None:
        """Search until the smallest archive, the best or the code, takes no more bytes than any by
        bounds that follow from its errors, or it takes `most` bytes or more, those of the exact
        archive. It ends, as each step takes fewer bytes than the one before. Nothing is tried for a
        source of more than 2^16 bytes whose errors cannot be told beforehand (`text` is None), nor
        where `_is_far_larger` says so. Errors of writing an archive go through."""
        # without a look at errors beforehand each set of bounds takes as long as an archive
        if self.text is None and not self.is_small:
            return
        smallest = self._smallest()
        if self._is_far_larger(smallest):
            return
        # an exact archive errs less than any
        while smallest.size < most:
            for bounds in self._bounds_from_errors(smallest):
                self.consider(bounds, smallest)
            now_smallest = self._smallest()
            if now_smallest.size >= smallest.size:
                return
            smallest = now_smallest

    def _is_far_larger(self, smallest: Rival) -> bool:
        """Whether a further search is given up: the source has more than LARGE (2^20) bytes, and
        the best bounded archive takes more than FAR (1.25) times the bytes of the smallest one, the
        code. Its bounds are the widest that the code's errors allow, so that others could not save
        as much. False where a column was left exact, or no bounded archive is there."""
        if self.job.size <= LARGE or self.best is None or not self._are_all_bounded:
            return False
        return self.best.size > FAR * smallest.size

    def _smallest(self) -> Rival:
        """The smallest archive so far, the best or the code; of equal ones the best."""
        if self.best is None or self.best.size > self.code.size:
            return self.code
        return self.best

    def _bounds_from_errors(self, rival: Rival) -> Iterator[dict[str, Fraction]]:
        """Yield bounds that follow from the errors of an archive, as somebody would choose them who
        wants no more error than it has. Each is the root of 3 times the mean squared error, which
        it is where errors are spread evenly; of a small text 0.98 to 0.9 (SHARES) of that, too.
        Then they are widened where errors turn out smaller, and narrowed where they are larger,
        TURNS (5) sets at most. A column that still misses its error before the last of them stays
        exact there."""
        limits = self._root_mean_squares(rival.squares)
        # errors that are spread evenly within a bound have it over the root of 3 for their root
        # mean square
        bounds = {name: 3**0.5 * limit for name, limit in limits.items()}
        if self.is_small and self.text is not None:
            for share in SHARES:
                narrower = {name: share * bound for name, bound in bounds.items()}
                yield _in_fewest_digits(narrower)
        for turn in range(TURNS):
            if not bounds:
                return
            typed = _in_fewest_digits(bounds)
            yield typed
            errors = self._root_mean_squares(self.squares(typed))
            missed = []
            for name in bounds:
                error = errors.get(name)
                ratio = limits[name] / error if error else WIDEST
                # too large an error; one that is as large is not, however it was added up
                if ratio * EQUAL < 1:
                    bounds[name] *= TIGHTER * max(ratio, NARROWEST)
                    missed.append(name)
                # as large or smaller: in the first turns the bound may be wider
                elif turn < WIDENINGS:
                    bounds[name] *= min(ratio, WIDEST)
            if turn >= WIDENINGS and not missed:
                return
            # so that the last archive errs no more
            if turn == TURNS - 2:
                for name in missed:
                    del bounds[name]

    def _root_mean_squares(self, squares: Mapping[str, float]) -> dict[str, float]:
        """By column the root mean squared error, in its unit; columns without error are left out.
        squares: by column the sum of squared errors, in squared units."""
        errors = {}
        for name, square in squares.items():
            mean_square = square / self.counts[name]
            if mean_square > 0:
                errors[name] = mean_square**0.5
        return errors


def _in_fewest_digits(bounds: Mapping[str, float]) -> dict[str, Fraction]:
    """Each bound as a Fraction of the fewest decimal digits that tell its float, as somebody would
    type it: 1/10 for the float 0.1, which is a little more."""
    return {name: Fraction(repr(bound)) for name, bound in bounds.items()}


def those_that_missed(
    bounds: Bounds,
    squares: Mapping[str, float],
    limits: Mapping[str, float],
) -> list[str]:
    """The columns, of those with bounds, that err more than they may. squares: by column the sum of
    squared errors within the bounds; limits: what it may be; both in squared units."""
    return [name for name in bounds if squares.get(name, 0.0) > limits[name]]


def tightened(
    bounds: Bounds,
    missed: list[str],
    squares: Mapping[str, float],
    limits: Mapping[str, float],
    is_late: bool,
) -> dict[str, Fraction]:
    """The bounds with those of the columns in `missed` narrowed, or, if it is late, left out, so
    that these stay exact. squares: by column the sum of squared errors within the bounds; limits:
    what it may be; both in squared units."""
    narrower = dict(bounds)
    for name in missed:
        if is_late:
            del narrower[name]
            continue
        # errors grow about as bounds do
        ratio = (limits[name] / squares[name]) ** 0.5
        narrower[name] = bounds[name] * Fraction(TIGHTER * ratio)
    return narrower


def bounds_of(job: LossyJob, rows: int | None) -> dict[str, Fraction]:
    """Choose the error bounds at which a bounded archive is to be tried against a code: for each
    column of numbers that the code restores with an error, by its name in archives, the largest
    error, in its unit, that gives a mean squared error no larger. Columns that have no such bound,
    or are not in the archive, are left out. job: wrote the code. rows: choose on so many, drawn at
    random; None: on all."""
    assert job.model.schema is not None
    x = job.numbers(rows)
    names = names_in_archive(job.source)
    bounds = {}
    for place, column in enumerate(job.modelled):
        # a column that the code does not carry is exact in both
        if column.name not in job.squares or column.name not in names:
            continue
        count = max(1, job.compared[column.name])
        mean_square = job.squares[column.name] / count
        # the widest bound that gives no larger mean squared error; 0 for none
        bound = lossy.bound_of_error(
            x[:, place],
            mean_square,
            column.decimal_places,
        )
        if bound:
            in_archive = names[column.name]
            bounds[in_archive] = bound
    return bounds


def names_in_archive(source: Source) -> dict[str, str]:
    """The name that a lossless archive gives to each of the source's columns, by the source's name;
    the edges of a box, which are columns of the archive alone, are left out."""
    ours = source.head(0).names  # type: ignore[union-attr]
    theirs = exact_job.names_of(source)
    if isinstance(source, CsvSource) and source.dialect.edge == BOX:
        theirs = theirs[1:-1]  # the edges of a box are columns there
    return dict(zip(ours, theirs, strict=True))


def code_as_rival(job: LossyJob, size: int) -> Rival:
    """The archive of a model's code as a rival: its bytes, and by the name in archives the sum of
    squared errors of each column of numbers that it carries. job: wrote it."""
    names = names_in_archive(job.source)
    squares = {}
    for name, square in job.squares.items():
        if name in names:
            in_archive = names[name]
            squares[in_archive] = square
    return Rival(size, squares)
