"""Archives that may be written of one source, each with its bytes and its error, to choose from.

Exact, bounded by errors that each column of numbers may have, or a model's code. Errors are told by
a yardstick, so that those of different kinds can be compared.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from aetool.archives import exact_job, opening, rivals
from aetool.archives.bounds_search import names_in_archive
from aetool.archives.encodable import as_the_model_takes_it
from aetool.archives.exact_job import ExactJob
from aetool.archives.lossy_job import CompressOptions, LossyJob
from aetool.archives.yardstick import PictureYardstick, TableYardstick, Yardstick
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec.pictures import PIXELS
from aetool.data.array_files import ArrayFile
from aetool.data.images import FolderSource, ImageSource
from aetool.data.pictures.alike import are_of_one_form, of_one_form
from aetool.data.pictures.decoding import Sight
from aetool.data.sources import Source
from aetool.data.table_source import TableSource
from aetool.errors import DataError, ParamError
from aetool.fits.asked import FitOptions

EXACT, BOUNDED, CODE = "exact", "bounded", "code"
TRIES = 4  # at bounds that keep an error
TIGHTER = 0.98  # of what a bound that missed the error should have been
NEARBY = (0.96,)  # of the error asked for: what is tried beside it


@dataclass(eq=False)
class Candidate:
    """One archive of a source, written to a scratch file, and not compared with the source yet.

    way: EXACT, BOUNDED or CODE. size: its bytes; model_bytes: of the model that decoding needs
    beside it. error: root mean squared, as a part of the standard deviation, by the yardstick; 0
    being exact. figures: as `compress` returns them. file: the scratch file that it was written to.
    Of an archive that was only estimated figures and file are empty. job: what wrote it; None of a
    code. asked: the error that was allowed, of a code without such a limit its own; 0 of an exact
    one, and where a bound was told instead. bounds: of a bounded one, by column as the archive
    names it ("pixels" of pictures), the largest error in the column's units; {} where it was
    estimated, or its bounds were told as text.
    """

    way: str
    size: int
    error: float
    figures: dict[str, Json]
    file: BinaryIO
    job: ExactJob | None = None
    model_bytes: int = 0
    asked: float = 0.0
    bounds: dict[str, Fraction] = dataclasses.field(default_factory=dict)

    def better_than(self, other: Candidate) -> bool:
        """Whether this archive takes fewer bytes than the other, or as many bytes at a smaller
        error."""
        return (self.size, self.error) < (other.size, other.error)


def yardstick_of(source: Source, fit: FitOptions) -> Yardstick:
    """The yardstick for a source's archives, which is read for it: it measures their errors in
    standard deviations of the source's columns or pixels. fit: how columns are read. Raises
    ParamError for pictures of different depths, or of different forms where they are no folder,
    DataError for a picture that cannot be read, of a folder where none can, or a table without
    records."""
    if isinstance(source, TableSource):
        return TableYardstick.of(source, fit)
    assert isinstance(source, ImageSource)
    if isinstance(source, FolderSource):
        # as an array of the same pixels is measured, to the last digit
        if are_of_one_form(source):
            with contextlib.suppress(DataError):
                return PictureYardstick.of(of_one_form(source))
        # its pictures differ in form, or some are broken
        return PictureYardstick.of_folder(source)
    return PictureYardstick.of(of_one_form(source))


class Candidates:
    """Writes the different archives that a source may be stored as, to compare them.

    source: as a model reads it. options: of compress; the error or size that they ask for is not
    looked at here. folder: where scratch files are written; they are closed and deleted with the
    exit stack. The whole source is read at once: ParamError for pictures whose errors cannot be
    told, DataError for a table without records, or where no picture can be read.
    """

    def __init__(
        self,
        source: Source,
        options: CompressOptions,
        folder: Path,
        stack: ExitStack,
    ) -> None:
        self.source = source
        self.folder = folder
        self.stack = stack
        self.fit = options.fit or FitOptions()
        # once for all archives: it reads the whole source
        self.yardstick = yardstick_of(source, self.fit)
        self.options = dataclasses.replace(
            options, lossy=False, lossy_only=False, latent=None, target=None, max_error={}
        )
        # archives of pictures that were written, by their bound in levels
        self._of_levels: dict[int, Candidate] = {}

    @property
    def can_be_bounded(self) -> bool:
        """Whether the source can have an archive with error bounds: a table as
        exact_job.can_be_bounded tells; one array of pictures if all have one shape and their values
        are bytes, without opacity; a folder of pictures if none is in inks (CMYK), though some of
        its files may have no levels. False of other pictures."""
        # a folder of tables is a table to learn of, but an archive holds its files
        stored = opening.of_source(self.source)
        if not isinstance(self.source, ImageSource):
            return exact_job.can_be_bounded(stored)
        if not isinstance(self.source, FolderSource):
            is_array = isinstance(stored, ImageSource | ArrayFile)
            return is_array and self.source.has_plain_batches
        for sight in self.source.sights:
            # inks are stored, and errors are told of the colours that come of them
            if isinstance(sight, Sight) and sight.has_inks:
                return False
        return True

    @property
    def unread(self) -> Sequence[str]:
        """The pictures of a folder that cannot be read, as "name: reason" of each: an archive holds
        such a file as its bytes, and a model's code, which is of pictures alone, cannot. [] of any
        other source."""
        if isinstance(self.yardstick, PictureYardstick):
            return self.yardstick.unread
        return []

    def exact(self) -> Candidate:
        """Store the source exactly, in a new scratch file with each call; returns this archive,
        whose error is 0. A bound among the options is not looked at. DataError for a source that
        cannot be stored in an archive."""
        file = self._scratch_file()
        job = exact_job.job_of(self.source, self.options)
        figures = job.write(file)
        return Candidate(EXACT, int(figures["archive_bytes"]), 0.0, figures, file, job)

    def bounded(self, error: float) -> Candidate | None:
        """Write several bounded archives of a table, and return the smallest one whose measured
        error, by the yardstick, is at most `error`, a part of a standard deviation; None if there
        is none, or the table cannot be bounded. Errors of writing an archive go through."""
        best = self.bounded_at(error, error)
        if best is None:
            return None
        # a grid's steps leave a part of the error unused; and sizes do not fall steadily as errors
        # grow, since some steps suit the values of a column better
        wider_aim = error * error / max(best.error, 0.5 * error)
        # so one wider aim is tried, and a few narrower ones
        for aim in (wider_aim, *(part * error for part in NEARBY)):
            candidate = self.bounded_at(aim, error)
            if candidate is None:
                continue
            if candidate.better_than(best):
                best = candidate
        return best

    def bounded_at(self, aim: float, most: float) -> Candidate | None:
        """Write a bounded archive of a table whose bounds aim at the error `aim`, tightened until
        its measured error is at most `most`, both parts of a standard deviation; None if TRIES (4)
        archives were not enough for that, or nothing can be bounded. The bounds of all columns aim
        at the same relative error. The yardstick must be that of a table. ArchiveError where a
        bound cannot be kept."""
        if not self.can_be_bounded:
            return None
        assert isinstance(self.yardstick, TableYardstick)
        bounds = self.yardstick.bounds(aim)
        for _ in range(TRIES):
            if not bounds:
                return None
            candidate = self._write_within(bounds)
            if candidate.error <= most:
                return dataclasses.replace(candidate, asked=most)
            # errors grow about as bounds do, so all are scaled alike
            tighter = Fraction(TIGHTER * most / candidate.error)
            bounds = {name: tighter * bound for name, bound in bounds.items()}
        return None

    def of_levels(self, bound: int) -> Candidate:
        """Write the archive of pictures whose pixel values are restored in steps within `bound`
        levels (1 or more), and filtered where that is worth its bytes, so that none is more than
        twice as many off; one that was written before is returned again. ParamError where the
        source cannot have bounds, ArchiveError where a bound cannot be kept."""
        if bound not in self._of_levels:
            options = dataclasses.replace(self.options, max_error={"": str(bound)})
            candidate = self._write_bounded(exact_job.job_of(self.source, options, filtered=True))
            candidate.bounds = _largest_errors(candidate.figures)
            if candidate.bounds.get(PIXELS, 0) <= bound:
                # filters were worth it nowhere, most likely: what promises more, and is read by
                # older readers, too, is then as near in fewer bytes
                plain = self.within(str(bound))
                plain.bounds = {PIXELS: Fraction(bound)}
                if plain.error <= candidate.error:
                    candidate = plain
            self._of_levels[bound] = candidate
        return self._of_levels[bound]

    @property
    def highest_level(self) -> int:
        """The level of white of the source's pictures: 255, or 65535 of 16 bits a value. Only of
        pictures."""
        assert isinstance(self.yardstick, PictureYardstick)
        return self.yardstick.highest

    @property
    def stored_exactly(self) -> dict[str, Json]:
        """How many files of a folder stay exact whatever the bound, by what they are ("files", "of
        two colours", "with a palette"), as the figures of an archive say that `of_levels` has
        written; {} if it has written none, or there are no such files."""
        for archive in self._of_levels.values():
            if "stored_exactly" in archive.figures:
                return dict(archive.figures["stored_exactly"])
        return {}

    def levels_tried(self) -> list[int]:
        """The bounds, in levels, of all archives that `of_levels` has written, in that order."""
        return list(self._of_levels)

    def archives_of_levels(self) -> list[Candidate]:
        """All archives that `of_levels` has written, in the order in which it wrote them."""
        return list(self._of_levels.values())

    def bounded_once(self, error: float) -> Candidate | None:
        """Write one bounded archive of a table whose measured error, by the yardstick, is at most
        `error`, a part of a standard deviation; None if there is none, or the table cannot be
        bounded. Takes a third of the time of `bounded`."""
        return self.bounded_at(error, error)

    @property
    def is_large(self) -> bool:
        """Whether the source is a file of more than rivals.LARGE (2^24) bytes, and not of pictures,
        so that archives of it are estimated before they are written."""
        return self._priced_every > 1

    @property
    def _priced_every(self) -> int:
        """The n of which every n-th piece of the source is encoded to estimate an archive; 1, all,
        for small files, pictures and what is no file."""
        path = exact_job.file_of(self.source)
        # pictures have few bounds, each of which is written
        if path is None or isinstance(self.source, ImageSource):
            return 1
        return rivals.priced_every(path.stat().st_size)

    def estimated(self, error: float) -> Candidate | None:
        """Estimate the archive that `bounded_once` would write of a large table at this error, a
        part of a standard deviation, by encoding some of its pieces: its size and its error;
        nothing is written. None if the source has nothing to bound. ParamError where the archive
        cannot have bounds."""
        assert isinstance(self.yardstick, TableYardstick)
        bounds = self._under_archive_names(self.yardstick.bounds(error))
        if not bounds:
            return None
        pieces = rivals.in_pieces(self.options)
        job = exact_job.job_of(self.source, pieces, bounds=bounds)
        size = round(job.estimate(self._priced_every))
        reached = self._error_of(job)
        return Candidate(BOUNDED, size, reached, {}, self._scratch_file(), job, asked=error)

    def within(self, max_error: str) -> Candidate:
        """Write the archive that `compress --max-error` writes with one bound for all columns.
        max_error: that bound as text, "0.5" in the units of each column or "1%" of its range; of
        pictures in levels, or, in percent, of all levels that they may have. ParamError where the
        source cannot have bounds, ArchiveError where a bound cannot be kept."""
        options = dataclasses.replace(self.options, max_error={"": max_error})
        return self._write_bounded(exact_job.job_of(self.source, options))

    def check(self, model: Bundle) -> None:
        """Raise ParamError if the model has no code, or none for pictures of these sizes, DataError
        if the source holds data of another kind, or a picture that cannot be read."""
        if isinstance(self.source, FolderSource):
            of_one_form(self.source, "a code restores pictures")
        as_the_model_takes_it(self.source, model, self.options.force)

    def code(
        self,
        model: Bundle,
        error: float | None,
        learned: bool = False,
        embed: bool | None = None,
    ) -> Candidate:
        """Write the model's code of the source. error: the most that is allowed, as a part of a
        standard deviation; None: as fine as is of use. learned: whether the model was fitted to
        this source. embed: whether to put the model into the archive, with decoder weights of 8
        bits if the error allows these; None: unless the options say no.

        To be called after `check`, whose errors it raises, too, but KeyError for a model without a
        decoder that is to be embedded. ParamError where the model cannot reach the error.
        """
        if embed is None:
            embed = self.options.embed is not False
        if not embed:
            return self._write_code(model, error, learned, embed)
        # rewriting a graph needs ONNX, which takes longer to import than a small table to encode
        from aetool.archives.small_weights import with_small_decoder

        # a model inside pays for its decoder: with weights of 8 bits, if the error allows these
        try:
            return self._write_code(with_small_decoder(model), error, learned, embed)
        except ParamError:
            return self._write_code(model, error, learned, embed)

    def _write_code(
        self, model: Bundle, error: float | None, learned: bool, embed: bool
    ) -> Candidate:
        """Write the model's code of the source, the model as it is. error: the most that is
        allowed, as a part of a standard deviation, None: as fine as is of use; learned: whether the
        model was fitted to this source; embed: whether to put it into the archive. ParamError where
        it cannot reach the error, or has no code; DataError for data of another kind than the
        model's."""
        options = dataclasses.replace(
            self.options, lossy=True, lossy_only=True, target=error, embed=embed
        )
        seen_by_model = as_the_model_takes_it(self.source, model, options.force)
        job = LossyJob(seen_by_model, model, options, learned, self.yardstick.of_figures)
        file = self._scratch_file()
        figures = job.write(file)
        reached = self.yardstick.of_figures(figures)
        # inside it is counted in the archive's own bytes
        model_bytes_apart = 0 if embed else job.model_bytes
        size = int(figures["archive_bytes"])
        return Candidate(
            way=CODE,
            size=size,
            error=reached,
            figures=figures,
            file=file,
            model_bytes=model_bytes_apart,
            asked=error or reached,
        )

    def _write_within(self, bounds: dict[str, Fraction]) -> Candidate:
        """Write the archive of a table within these bounds, the largest error by the source's names
        of columns, in their units, and measure its error; bounds of columns that the archive has
        not are left out. ParamError where the source cannot have bounds, ArchiveError where a bound
        cannot be kept."""
        own_bounds = self._under_archive_names(bounds)
        archive = self._write_bounded(
            exact_job.job_of(self.source, self.options, bounds=own_bounds)
        )
        archive.bounds = own_bounds
        return archive

    def _write_bounded(self, job: ExactJob) -> Candidate:
        """Write the archive within bounds that `job` has prepared to a new scratch file, and
        measure its error; the candidate's `bounds` stay empty, its `asked` 0. ArchiveError where a
        bound cannot be kept."""
        file = self._scratch_file()
        figures = job.write(file)
        size = int(figures["archive_bytes"])
        return Candidate(BOUNDED, size, self._error_of(job), figures, file, job)

    def _under_archive_names(self, bounds: dict[str, Fraction]) -> dict[str, Fraction]:
        """The bounds, by the source's names of columns, under the names that an archive gives to
        these; columns that the archive has not are left out."""
        labels = names_in_archive(self.source)
        return {labels[name]: bound for name, bound in bounds.items() if name in labels}

    def _error_of(self, job: ExactJob) -> float:
        """The error of a bounded archive, by the yardstick, from its job's squared errors by
        column, which it has once it is written or estimated."""
        if isinstance(self.yardstick, PictureYardstick):
            square = job.squares.get(PIXELS, 0.0)
            return self.yardstick.of_square(square)
        # the job calls columns as archives do, the yardstick as the source does
        own_names = {theirs: ours for ours, theirs in names_in_archive(self.source).items()}
        squares = {own_names.get(name, name): square for name, square in job.squares.items()}
        return self.yardstick.of_squares(squares)

    def _scratch_file(self) -> BinaryIO:
        """A new temporary file in `folder`, deleted when the exit stack is closed."""
        return self.stack.enter_context(tempfile.TemporaryFile(dir=self.folder))


def _largest_errors(figures: dict[str, Json]) -> dict[str, Fraction]:
    """The largest error of each column, in its units, that an archive's figures tell; columns
    without an error are left out."""
    errors = figures.get("errors", {})
    return {name: Fraction(error["largest"]) for name, error in errors.items()}
