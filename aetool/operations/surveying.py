"""tradeoff: measures the size and the error of each way to store a source, and recommends one."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from aetool.archives import choosing, exact_job, goals, level_search
from aetool.archives.candidates import Candidate, Candidates
from aetool.archives.levels import SHALLOW
from aetool.archives.lossy_job import CompressOptions
from aetool.archives.points import Point, Tradeoff, marked, picked
from aetool.archives.yardstick import PictureYardstick
from aetool.arguments import CheckedOptions
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec.kept import keeping
from aetool.data import notices, packers, sources, streams
from aetool.data.images import ImageSource, Pixels
from aetool.data.packers import Packed
from aetool.data.pictures.alike import of_one_form
from aetool.errors import AetoolError, DataError, ParamError
from aetool.files import one_reading
from aetool.fits.asked import FitOptions, refuse_beside_plugins
from aetool.spelling import option
from aetool.threads import one_thread

# errors, parts of a standard deviation, and signal-to-noise ratios of pictures, that are tried
ERRORS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.6)
RATIOS = (40.0, 35.0, 30.0, 25.0, 22.0, 20.0, 18.0, 15.0)
BOUNDS = ("0.5%", "1%", "2%", "5%")  # of a column's range
LEVELS = (1, 2, 3, 5, 10, 20)  # of 255, that pixels may be off
MOST_READ = 64 << 20  # bytes of a file that other programs are tried on
MOST_VALUES = 1 << 24  # of pixels that other programs are tried on


@dataclass(frozen=True)
class TradeoffOptions(CheckedOptions):
    """Which ways to store data `tradeoff` measures, and what the archive that it recommends must
    keep.

    plugins: models to fit on the data themselves, by the options `fit`. The goal, at most one of:
    rmse, the largest root mean squared error, a part of a standard deviation below 1; target_psnr,
    the least signal-to-noise ratio of pictures, in dB; budget, the most bytes; bytes_per_picture,
    the most for each. None of them: lossless. embed: whether the bytes of a model count. others:
    whether other programs, such as xz, are measured. device: where models run: auto, cpu, cuda or
    cuda:<n>.
    """

    verb = "tradeoff"

    plugins: Sequence[str] = ()
    rmse: float | None = None
    target_psnr: float | None = None
    budget: int | None = None
    bytes_per_picture: float | None = None
    embed: bool = True
    others: bool = True
    device: str = "auto"
    fit: FitOptions = field(default_factory=FitOptions)


@one_reading()
@one_thread()
@keeping()
def tradeoff(
    data: object,
    models: Mapping[str, Bundle] | None = None,
    options: TradeoffOptions | None = None,
) -> Tradeoff:
    """Measure the size and the error of each way to store data, and recommend one.

    The ways are: exact, bounded at several errors, the code of each model and of each plugin that
    is fitted here, and other programs. models: by the names that commands give them; None for none.
    options: the goal, the plugins and whether other programs are measured; None for the defaults. A
    way that cannot be measured is named in the result with the reason. ParamError where two goals
    are given, for options of a fit (other than how columns are read) without a plugin to fit, and
    for pictures of which no common error can be told, as of different depths; DataError for data
    that hold no records, or a picture that cannot be read. Archives are written to a temporary
    folder, which is removed.
    """
    options = options or TradeoffOptions()
    goals.is_asked(options)
    refuse_beside_plugins(options.fit, options.plugins)
    source = sources.open_source(data)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # models lie beside their archives, and their bytes are counted apart
        settings = CompressOptions(embed=False, device=options.device, fit=options.fit, force=True)
        candidates = Candidates(source, settings, folder, stack)
        if candidates.unread:
            # codes and other programs are of all pictures, or compared with what they are not
            raise DataError(f"{source.name}: {candidates.unread[0]}")
        survey = _Survey(source, candidates, options, _name_on_command_line(data, source.name))
        for name, bundle in (models or {}).items():
            survey.add_code(f"code of {name}", {"model": name}, bundle)
        for plugin in options.plugins:
            survey.add_plugin(data, plugin)
        survey.add_exact()
        survey.add_bounded()
        if options.others:
            survey.add_others()
        return survey.result()


def _name_on_command_line(data: object, otherwise: str) -> str:
    """The name by which a command line refers to the data: their path, or `otherwise` for data in
    memory."""
    if isinstance(data, str | os.PathLike):
        return os.fspath(data)
    return otherwise


@dataclass(frozen=True)
class _Trial:
    """One error to try. error: root mean squared, a part of a standard deviation; setting: the
    option that asks for it, as messages name it, with its value; arguments: the same as keyword
    arguments of compress."""

    error: float
    setting: str
    arguments: Mapping[str, Json]

    @classmethod
    def of_error(cls, error: float) -> _Trial:
        """The trial of an error that is a share of a standard deviation."""
        return cls(error, f"{option('--rmse')} {100 * error:g}%", {"rmse": error})


def _as_list(value: float | None) -> list[float]:
    """Return a list of this number alone, or an empty list if value is None."""
    return [] if value is None else [value]


class _Survey:
    """Measures the ways to store a source, one after another, and collects a point of size and
    error for each in `points`, and a line on each way that cannot be measured in `skipped`;
    `result` is asked for at the end.

    candidates: writes the archives of this source. name: of the data, as a command line refers to
    them.
    """

    def __init__(
        self,
        source: sources.Source,
        candidates: Candidates,
        options: TradeoffOptions,
        name: str,
    ) -> None:
        """Begin without any points, and take the goal from the options. source: the data, opened;
        candidates, name: as the class says. ParamError where the options have two goals, or one
        that these data cannot have."""
        self.source = source
        self.candidates = candidates
        self.options = options
        self.name = name
        self.points: list[Point] = []
        self.skipped: list[str] = []
        self.yardstick = candidates.yardstick
        count = len(source.sights) if isinstance(source, ImageSource) else 0
        self.goal = goals.goal_of(options, self.yardstick, count)

    def add_exact(self) -> None:
        """Write the lossless archive, and add its point, of size and error, to the survey."""
        self._add_point(self.candidates.exact(), "exact", "", {})

    def add_bounded(self) -> None:
        """Write bounded archives (no value off by more than a bound), and add a point of size and
        error for each to self.points; nothing for data that cannot be bounded.

        Of a table they are bounded by one error of all columns, and by a share of each column's
        range; of pictures by levels. With a goal in bytes there is also the one of least error that
        takes no more, or, where all take more, the coarsest.
        """
        if not self.candidates.can_be_bounded:
            return
        if isinstance(self.source, ImageSource):
            self._add_levels()
            return
        for trial in self._trials():
            archive = self.candidates.bounded(trial.error)
            if archive is not None:
                self._add_point(archive, "bounded", trial.setting, trial.arguments)
        for bound in BOUNDS:
            setting = f"{option('--max-error')} {bound}"
            self._add_point(self.candidates.within(bound), "bounded", setting, {"max_error": bound})
        # none of the errors above need come near to the bytes asked for
        if self.goal is not None and self.goal.budget is not None:
            archive = choosing.within(self.candidates.bounded_once, self.goal.budget)
            if archive is not None:
                self._add_point(archive, "bounded", self.goal.wording, self._goal_as_argument())

    def _add_levels(self) -> None:
        """Measure archives of pictures that are at most some levels off, and of the error or bytes
        that the goal asks for; nothing if none of the files has levels that could be off."""
        for part in LEVELS:
            # the same parts of the range of 16 bits
            bound = part * self.candidates.highest_level // SHALLOW
            archive = self.candidates.within(str(bound))
            # none of the files has levels
            if not archive.error:
                return
            setting = f"{option('--max-error')} {bound}"
            self._add_point(archive, "bounded", setting, {"max_error": str(bound)})
        # archives that were written before are looked at, too, and `compress`, which is told to
        # write the one that is picked, begins with none: the goal comes first
        if self.goal is not None and self.goal.budget is not None:
            archive_of_goal = choosing.of_levels(self.candidates, self.goal)
            if archive_of_goal is not None:
                self._add_point(
                    archive_of_goal, "bounded", self.goal.wording, self._goal_as_argument()
                )
        # what is asked for by its error may be filtered, and is smaller
        for trial in self._trials_goal_first():
            filtered = level_search.smallest_within(self.candidates, trial.error)
            # one archive may meet several errors: the finest of them is told
            if filtered is not None and not self._equals_a_point(filtered, "bounded"):
                self._add_point(filtered, "bounded", trial.setting, trial.arguments)

    def _trials_goal_first(self) -> list[_Trial]:
        """The trials, ascending by error, but first the one of the error that the user asks for."""
        trials = self._trials()
        if self.goal is None:
            return trials
        wanted_error = self.goal.error
        # stable: the others stay as they are
        return sorted(trials, key=lambda trial: trial.error != wanted_error)

    def add_plugin(self, data: object, plugin: str) -> None:
        """Fit a model of this plugin on the data and measure its code, as `add_code` does; why it
        cannot be fitted is added to self.skipped. data: as the user gave them; the survey's source
        is the same, opened."""
        from aetool.fits import fitting

        fit = dataclasses.replace(self.options.fit, plugin=plugin, device=self.options.device)
        try:
            bundle = fitting.fit(data, fit)
        except AetoolError as error:
            self.skipped.append(f"code of {plugin}: {error}")
            return
        self.add_code(f"code of {plugin}", {"plugin": plugin}, bundle)

    def add_code(self, way: str, model_argument: Mapping[str, str], bundle: Bundle) -> None:
        """Measure the code of a model at several errors, and add a point for each; where one
        archive meets several, the smallest counts. With a goal in bytes a point is added for the
        archive of least error that takes no more, or, where all take more, for the coarsest; none
        where the model cannot write that. A model that cannot be used, or reaches none of the
        errors, is added to self.skipped with the reason.

        way: what the point is called. model_argument: the argument of compress that names the
        model, {"model": its name} or {"plugin": its plugin}.
        """
        try:
            self.candidates.check(bundle)
        except AetoolError as error:
            self.skipped.append(f"{way}: {error}")
            return
        model_bytes = None
        # from coarse to fine: what one error is too small for, all smaller ones are
        for trial in reversed(self._trials()):
            archive = self._code(bundle, trial.error)
            if archive is None:
                break
            if model_bytes is None:
                # as an archive holds it, with all that its being there brings about
                model_bytes = self._size_with(bundle, trial.error) - archive.size
            archive.model_bytes = model_bytes
            if self._equals_last_point(archive, way):
                # one archive, which the finer error asks for as well
                self.points.pop()
            self._add_point(archive, way, trial.setting, {**model_argument, **trial.arguments})
        if model_bytes is None:
            self.skipped.append(f"{way}: reaches none of the errors that were tried")
        if self.goal is not None and self.goal.budget is not None:
            budget = self.goal.budget
            embed = self.options.embed
            archive = choosing.within(lambda error: self._code(bundle, error, embed), budget)
            if archive is not None:
                self._add_point(
                    archive, way, self.goal.wording, {**model_argument, **self._goal_as_argument()}
                )

    def add_others(self) -> None:
        """Measure what other installed programs make of the same bytes or pixels, and add a point
        for each; where data are too large for it, or a table lies in no file, or pictures of
        several forms, self.skipped says so. DataError if the file, or a picture, cannot be read."""
        if isinstance(self.source, ImageSource):
            # general programs are given pixels, not files that are squeezed already
            try:
                pixels = self._pixels()
            except ParamError as error:
                self.skipped.append(f"other programs: {error}")
                return
            if pixels is None:
                self.skipped.append(f"other programs: more than {MOST_VALUES:,} values of pixels")
                return
            # by programs for any bytes, such as xz, and by formats of pictures
            self._add_others(packers.squeezed(pixels.tobytes()))
            self._add_others(packers.pictured(pixels))
            return
        path = exact_job.file_of(self.source)
        if path is None or path.stat().st_size > MOST_READ:
            self.skipped.append(f"other programs: no file of at most {MOST_READ >> 20} MB")
            return
        with streams.open_stream(path) as stream:
            self._add_others(packers.squeezed(stream.read()))

    def result(self) -> Tradeoff:
        """Return what was measured as a Tradeoff: all points, the fewest bytes first, the
        recommended one (None if none meets the goal), and a line on each way that was skipped."""
        embed = self.options.embed
        points = marked(self.points, embed)
        goal_in_words = "nothing may be lost" if self.goal is None else self.goal.wording
        return Tradeoff(
            Path(self.name).name,
            isinstance(self.source, ImageSource),
            points,
            picked(points, self.goal, embed),
            goal_in_words,
            embed,
            self.skipped,
            self.goal,
        )

    def _trials(self) -> list[_Trial]:
        """The errors, parts of a standard deviation below 1, at which archives are tried (of
        pictures those that RATIOS of signal to noise come to), ascending, with the one that the
        user asks for among them."""
        # by their errors: what is tried anyhow may be asked for, too
        trials = {}
        if isinstance(self.yardstick, PictureYardstick):
            for decibels in {*RATIOS, *_as_list(self.options.target_psnr)}:
                setting = f"{option('--target-psnr')} {decibels:g}"
                error = self.yardstick.of_psnr(decibels)
                trials[error] = _Trial(error, setting, {"target_psnr": decibels})
        else:
            for error in ERRORS:
                trials[error] = _Trial.of_error(error)
        for error in _as_list(self.options.rmse):
            trials[error] = _Trial.of_error(error)
        # at 1 nothing is left of the records
        errors = sorted(error for error in trials if error < 1)
        return [trials[error] for error in errors]

    def _goal_as_argument(self) -> dict[str, float]:
        """The user's goal in bytes as a keyword argument of compress: bytes_per_picture, or else
        budget. AssertionError if the goal is another."""
        if self.options.bytes_per_picture is not None:
            return {"bytes_per_picture": self.options.bytes_per_picture}
        assert self.options.budget is not None
        return {"budget": self.options.budget}

    def _size_with(self, bundle: Bundle, error: float) -> int:
        """The bytes of an archive that holds the model beside the code of the data at this error, a
        part of a standard deviation. ParamError if the model cannot reach the error."""
        return self.candidates.code(bundle, error, embed=True).size

    def _code(self, bundle: Bundle, error: float, embed: bool = False) -> Candidate | None:
        """Write the archive that holds the data as a model's code; None where the code cannot be so
        exact, or where an exception of aetool's own, AetoolError, keeps the archive from being
        written. error: the largest loss that is allowed, as a part of a standard deviation. embed:
        whether the archive holds the model, too."""
        try:
            return self.candidates.code(bundle, error, embed=embed)
        except AetoolError:
            return None

    def _equals_a_point(self, archive: Candidate, way: str) -> bool:
        """Whether an archive equals a point that was measured before, in way, size and error."""
        key = way, archive.size, archive.error
        return any((point.way, point.size, point.error) == key for point in self.points)

    def _equals_last_point(self, archive: Candidate, way: str) -> bool:
        """Whether an archive equals the last measured point in way, size and error: different
        errors may lead to one archive."""
        if not self.points:
            return False
        last = self.points[-1]
        return (last.way, last.size, last.error) == (way, archive.size, archive.error)

    def _add_point(
        self, archive: Candidate, way: str, setting: str, arguments: Mapping[str, Json]
    ) -> None:
        """Add the point of an archive that was written, and close its file. way: what the point is
        called; setting: the option that asks for this archive, with its value, "" for none;
        arguments: the keyword arguments of compress that write it."""
        # nobody asks for its bytes again, and many files would be open
        archive.file.close()
        without_model = {}
        if archive.model_bytes and not self.options.embed:
            without_model["embed"] = False
        point = Point(
            way,
            setting,
            archive.size,
            archive.error,
            self.yardstick.psnr(archive.error),
            archive.model_bytes,
            {**arguments, **without_model},
        )
        self.points.append(point)
        self._show_progress(point)

    def _show_progress(self, point: Point) -> None:
        """Show, as a line of progress, how many archives are measured; point: the last of them."""
        count = len(self.points)
        notices.advance(count == 1, f"{count} archives measured, the last: {point.name}")

    def _add_others(self, packed_files: Iterator[Packed]) -> None:
        """Add a point for each file of another program, with its error measured as the yardstick
        does."""
        for packed in packed_files:
            error = 0.0
            if isinstance(self.yardstick, PictureYardstick):
                error = packed.mean_square**0.5 / self.yardstick.deviation
            psnr = self.yardstick.psnr(error)
            size = round(packed.size)
            point = Point(packed.program, packed.setting, size, error, psnr)
            self.points.append(point)
            self._show_progress(point)

    def _pixels(self) -> Pixels | None:
        """All pictures in one array, (n, channels, height, width) uint8; None for more than
        MOST_VALUES (2^24) values. ParamError for pictures of several forms, DataError for one that
        cannot be read."""
        assert isinstance(self.source, ImageSource)
        alike = of_one_form(self.source, "they are given pictures")
        if alike.count * int(np.prod(alike.shape)) > MOST_VALUES:
            return None
        return np.concatenate(list(alike.batches()))
