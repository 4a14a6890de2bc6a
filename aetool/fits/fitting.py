"""The fit of a model on data, which gives a calibrated bundle."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aetool import __version__, closed_form, plugins, rehearsal, runtime
from aetool.bundle import READING, Bundle
from aetool.canonical import Json
from aetool.columns.quantities import keys_of
from aetool.columns.schema import (
    Schema,
    understood,
    understood_briefly,
)
from aetool.columns.sections import Features
from aetool.data import notices
from aetool.data.images import ImageSource
from aetool.data.pictures.framed import FramedSource, framed
from aetool.data.pictures.labels import to_fit
from aetool.data.sources import RESERVOIR, Source, open_source
from aetool.data.table_source import TableSource
from aetool.detection.calibration import Calibration, highest_of_each
from aetool.engine import Chosen
from aetool.engine import check as check_engine
from aetool.errors import DataError, ParamError, PluginError
from aetool.fits import telling
from aetool.fits.asked import FitOptions, refuse_steps
from aetool.fits.inferring import inferred
from aetool.fits.preparing import (
    Prepared,
    learns_from_labels,
    normal_rows,
    paired,
    prepare,
    trimmed,
)
from aetool.fits.single_fit import are_few, fit_closed_form, fit_network
from aetool.model import Member, Model, NetParams, Progress, Spec, make_params
from aetool.spelling import option

if TYPE_CHECKING:
    from aetool.fits import joining

WHY_NOT = {
    "context": "makes little of the rows before",
    "robust": "would learn anomalies among the rows",
}
BUDGET = {"table": 10.0, "image": 60.0}  # seconds for a model of members
USUAL_FEATURES = {"table": 512, "image": 784}  # of wider records a member takes as much longer
TRAINED = 0.75  # of the time left, to train a network; the rest goes to loading and exporting it
DEFAULT, CODE_ON_THE_SPOT = "auto", "pca"  # what fit and detect learn; where a code is needed
FEWEST_ROWS = 10  # of fewer it is said that they tell little
TORCHRUN = "TORCHELASTIC_RUN_ID"  # what torchrun tells each process that it begins
MOST_SAID = 12  # lines on how columns were read


def fit(
    data: object,
    options: FitOptions | None = None,
    progress: Progress | None = None,
    executor: Chosen = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Bundle:
    """Fit a model on data (a path, DataFrame, or several paths); returns its bundle. options: None
    for the defaults. progress: called now and then with a dictionary of step, steps and words: how
    many of how many steps are done, and on what. executor: what reads the rows of a table, as
    aetool.engine knows it: the bundle is the same whatever it is. checkpoint: a file in which the
    training of a network is kept until it is over, and by which it goes on after a kill, to the
    same bundle; it is removed at the end.

    options.normal of a table marks the calibration as one of ordinary records (see
    Calibration.ordinary), unless the model learns from the other labels, too, or the fit is robust;
    of pictures it chooses folders, and marks nothing. Of pictures those in train/ alone are fitted,
    if there are such and others in test/ or the like.

    ParamError for options that are not allowed or exclude each other, PluginError for a model that
    is not installed or fails, DataError for data that cannot be read or fitted; EngineError for an
    executor that cannot be reached; nothing but the checkpoint is written.
    """
    options = options or FitOptions()
    check_engine(executor)
    source = open_source(data)
    if isinstance(source, ImageSource):
        # folders are the labels of pictures
        source = to_fit(source, options.label, options.normal)
        options = dataclasses.replace(options, label=None, normal=())
    if checkpoint is None:
        return fit_source(source, options, progress, executor=executor)
    kept = os.fspath(checkpoint)
    bundle = fit_source(source, options, progress, executor=executor, checkpoint=kept)
    if not is_helper():
        Path(kept).unlink(missing_ok=True)
    return bundle


def is_helper() -> bool:
    """Whether torchrun started this process, and another one, that of rank 0, writes the model."""
    return TORCHRUN in os.environ and os.environ.get("RANK", "0") != "0"


def _refuse_many_processes(model: Model, checkpoint: str | None) -> None:
    """Raise ParamError if torchrun has started several processes, or a checkpoint is asked for, and
    the model is not one network. PluginError if the model's class cannot be imported."""
    used_option = option("--resume") if checkpoint is not None else ""
    if TORCHRUN in os.environ and os.environ.get("WORLD_SIZE", "1") != "1":
        used_option = "torchrun"
    if not used_option:
        return
    if not _is_network(model):
        raise ParamError(
            f"{used_option}: is for one network, such as {option('-p')} ae, which is trained in "
            f"steps; fit {model.name} without it"
        )


def _is_network(model: Model) -> bool:
    """Whether a model is a network, which learns in steps, and neither a closed form nor one that
    joins others. PluginError if the model's class cannot be imported."""
    net = None if model.members else plugins.resolve(model.net)
    return isinstance(net, type) and not issubclass(net, closed_form.ClosedForm)


def fit_source(
    source: Source,
    options: FitOptions | None = None,
    progress: Progress | None = None,
    samples: bool = True,
    executor: Chosen = None,
    checkpoint: str | None = None,
) -> Bundle:
    """Fit a model on a source that is open already; returns its bundle. samples: whether `sample`
    must be able to draw from a closed form, or from the first of several models. progress: called
    now and then with a dictionary of step, steps and words. executor: what reads the rows of a
    table; None for this process. checkpoint: a file in which the training of a network is saved,
    and from which it goes on; it stays. options.label and options.normal are of tables alone here.

    ParamError for options that are not allowed, exclude each other, or do not suit the model or the
    source, PluginError for a model that is not installed or fails, DataError for data that cannot
    be read or fitted; EngineError for an executor that cannot be reached. Notices tell of fewer
    than FEWEST_ROWS (10) records, and how columns were read.
    """
    options = options or FitOptions()
    started = time.monotonic()
    model = declared(options, DEFAULT)
    _refuse_many_processes(model, checkpoint)
    params = make_params(model, options.params)
    # a model that joins others knows its members only when the data are read
    if options.has_steps and not model.members and not _is_network(model):
        refuse_steps(model, options, f"choose a network with {option('-p')}, or leave it out")
    if source.kind not in model.data:
        raise ParamError(
            f"{model.name} takes {' or '.join(sorted(model.data))}, not {source.kind}s"
        )
    if options.target is not None and "pairs" not in model.data:
        raise ParamError(f"{model.name} does not learn from pairs: leave out {option('--target')}")
    if options.target is not None and (options.robust or options.context):
        raise ParamError(
            f"{option('--target')} goes with neither {option('--robust')} nor {option('--context')}"
        )
    # before the model is fitted, which takes its time
    _refuse_unlearnable(source, options)
    # a device that is not there is told before any data are read
    runtime.providers(options.device)
    labelled = bool(options.label and options.normal) and learns_from_labels(model)
    prepared = prepare(source, options, labelled, executor)
    if prepared.rows < FEWEST_ROWS:
        # who calls from Python, too, is to see that this model knows nothing
        notices.caution(
            source.name, f"{_records_in_words(prepared.rows)} cannot tell what is usual: fit more"
        )
    if prepared.schema is not None:
        _say_what_was_understood(source.name, prepared.schema)
    if options.robust:
        prepared = trimmed(prepared)
    if model.members:
        joint = _JointFit(model, prepared, options, progress, started, samples)
        bundle = joint.fit()
    else:
        damaged = None
        if options.target is not None:
            prepared, damaged = paired(source, options)
        bundle = fitted(
            model, params, prepared, options, progress, damaged, samples, checkpoint
        ).bundle
    if options.robust:
        bundle = dataclasses.replace(bundle, facts={**bundle.facts, "robust": True}, _sessions={})
    # what the user said of the text is asked of later data, too
    reading = source.said.to_json() if isinstance(source, TableSource) else {}
    # lines that are passed over are of this file: of others the user is to say so again
    reading.pop("on_bad_lines", None)
    if reading:
        bundle = dataclasses.replace(bundle, facts={**bundle.facts, READING: reading}, _sessions={})
    all_ordinary = bool(options.normal) and not options.robust and not labelled
    calibration = dataclasses.replace(bundle.calibration, ordinary=all_ordinary)
    lineage = _lineage(prepared)
    bundle = dataclasses.replace(bundle, calibration=calibration, lineage=lineage, _sessions={})
    if prepared.owner is not None and isinstance(source, ImageSource):
        bundle = _calibrated_by_all_tiles(bundle, framed(source, prepared.view), options.device)
    if options.codec:
        return _with_codec(bundle, source, options)
    return bundle


def _refuse_unlearnable(source: Source, options: FitOptions) -> None:
    """Raise ParamError if options.codec asks for an archive codec, and none can be learned of the
    source, as none of it is text."""
    if options.codec and isinstance(source, TableSource):
        from aetool.fits import learning

        learning.refuse_unlearnable(source, options.max_error, options.students)


def _with_codec(bundle: Bundle, source: Source, options: FitOptions) -> Bundle:
    """Return a copy of the bundle to which an archive codec is added that was learned from the
    source, by options.max_error, options.students and options.seed if it is a table; the bundle
    itself for a table whose records are irregular. ParamError for a table none of which is text,
    and for a bound of a column that is not there or that has none."""
    if isinstance(source, ImageSource):
        from aetool.fits import picture_learning

        return picture_learning.with_pictures(bundle, source)
    from aetool.fits import learning

    return learning.with_codec(bundle, source, options.max_error, options.students, options.seed)


def _records_in_words(rows: int) -> str:
    """A count of records with its noun, such as "1 record" or "2 records"."""
    return "1 record" if rows == 1 else f"{rows:,} records"


def _say_what_was_understood(name: str, schema: Schema) -> None:
    """Say in at most MOST_SAID (12) notices how columns were read, first those that models do not
    see, and in one more which numbers look like keys. name: of the data."""
    for line in understood_briefly(schema, MOST_SAID):
        notices.say(name, line)
    keys = keys_of(schema)
    if keys:
        is_one = len(keys) == 1
        notices.say(
            name,
            f"{', '.join(keys[:MOST_SAID])} {'looks like a key' if is_one else 'look like keys'}, "
            f"and {'is' if is_one else 'are'} judged as numbers: {option('--drop')} leaves "
            f"{'it' if is_one else 'them'} out",
        )


def explained(data: object, options: FitOptions | None = None) -> list[str]:
    """Say how each column of data would be read, a line each, without fitting anything. options:
    None for the defaults. ParamError for pictures, for labels of which there is no row, and for
    options that name no column or kind; DataError for data that cannot be read."""
    options = options or FitOptions()
    source = open_source(data)
    if isinstance(source, ImageSource):
        raise ParamError(f"{source.name}: pictures have no columns to explain")
    table, _ = source.sample(RESERVOIR, options.seed)
    table = normal_rows(table, options.label, options.normal, source.name)
    return understood(inferred(source, table, options))


def _lineage(prepared: Prepared) -> dict[str, str]:
    """Facts on where a model comes from, by name: the version of this program, and a digest of the
    rows that were fitted. The same table in another file format has the same digest (SHA-256 in
    hex)."""
    values = np.ascontiguousarray(prepared.inputs)
    return {"aetool": __version__, "data": hashlib.sha256(values.data).hexdigest()}


def fitted(
    model: Model,
    params: object,
    prepared: Prepared,
    options: FitOptions,
    progress: Progress | None,
    damaged: Features | None = None,
    samples: bool = True,
    checkpoint: str | None = None,
) -> joining.Fitted:
    """Fit one model on prepared rows; returns its bundle, and the parts of its score for rows it
    was not fitted on. params: the values of the model's parameters.

    progress: called now and then with a dictionary of step, steps and words; None: nobody is told.
    damaged: the user's damaged copies of the rows, for a model of pairs. samples: whether `sample`
    must be able to draw from a closed form. checkpoint: a file in which the training of a network
    is saved, and from which it goes on; None: none. PluginError where the model's class fails its
    dry run, or a score is not finite; DataError if the training diverges, and what the model's own
    `fit` raises; ParamError for a device that is not there.
    """
    net = plugins.resolve(model.net)
    rehearsal.rehearse(model, net, params, prepared.spec)
    if isinstance(net, type) and issubclass(net, closed_form.ClosedForm):
        return fit_closed_form(model, params, net, prepared, options, samples, progress)
    return fit_network(model, params, net, prepared, options, progress, damaged, checkpoint)


@dataclass(eq=False)
class _JointFit:
    """The fit of a model that joins others: its members one by one, as far as they suit the data,
    the options and the time.

    Call `fit` once. prepared: the rows; progress: a callback, or None; started: when the fit began,
    by time.monotonic; samples: whether `sample` must be able to draw from the first member.
    members: those that were fitted; left_out: why others were not, by name; needed: for members
    left out for want of time, the seconds that they take, by name.
    """

    model: Model
    prepared: Prepared
    options: FitOptions
    progress: Progress | None
    started: float
    samples: bool
    members: list[joining.Fitted] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    needed: dict[str, float] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind of the records: "table" or "image"."""
        return "image" if self.prepared.schema is None else "table"

    @property
    def required(self) -> set[str]:
        """What the options require a member to be able to do, in the words of model.Member.fits:
        "robust", "context" or both; {"plain"} for neither."""
        return {name for name in WHY_NOT if getattr(self.options, name)} or {"plain"}

    @property
    def suited(self) -> list[Member]:
        """The members that are meant for these data: for their kind, their number of features, and
        with or without columns of words."""
        spec = self.prepared.spec
        has_words = bool(spec.categories)
        return [
            member
            for member in self.model.members
            if self.kind in member.data and member.suits(spec.features, has_words)
        ]

    @property
    def meant(self) -> list[Member]:
        """The suited members that can do what the options require; each has an equal share of the
        progress that is reported."""
        return [member for member in self.suited if self.required <= member.fits]

    def fit(self) -> Bundle:
        """Fit the members, and join them to one bundle. Members that cannot be fitted here (no
        time, torch is not installed, pictures too large) are left out; facts say which and why.
        DataError if no member is left."""
        from aetool.fits import joining

        self._note_too_wide()
        for member in self.suited:
            if self._is_to_be_fitted(member):
                self._fit_member(member)
        # members that were left out have not told of their part
        all_steps = telling.MEMBER_STEPS * max(1, len(self.meant))
        telling.tell(self.progress, all_steps, all_steps, self.model.name)
        if not self.members:
            reasons = [f"{name}: {words}" for name, words in self.left_out.items()]
            why = "; ".join(reasons)
            raise DataError(f"{self.model.name} has no member that can be fitted here: {why}")
        return joining.join(
            self.model.name,
            self.members,
            self._facts(),
            self.prepared.owner,
            # pictures are not held out anew for that, and yet the odd one must not hide itself
            are_few(self.prepared) or self.prepared.spec.shape is not None,
        )

    def _note_too_wide(self) -> None:
        """Note in `left_out` the members that would be fitted if the records had fewer features."""
        features = self.prepared.spec.features
        has_words = bool(self.prepared.spec.categories)
        for member in self.model.members:
            is_meant = self.kind in member.data and self.required <= member.fits
            # of as many as it takes it would be one of these
            if is_meant and 0 < member.most < features and member.suits(member.most, has_words):
                self.left_out[member.model] = (
                    f"is for at most {member.most:,} features, and the columns here make "
                    f"{features:,}"
                )

    def _is_to_be_fitted(self, member: Member) -> bool:
        """Whether a member takes no more seconds than the fit may take in all, and can do what the
        options require. One that takes too long is noted in `left_out`, with its seconds in
        `needed`; one that cannot do it, but is for plain fits, is noted in `left_out` alone, unless
        it is there already."""
        name = member.model
        budget = self.options.max_time or BUDGET[self.kind]
        seconds = _seconds_of(member, self.prepared.spec, self.kind)
        if budget < seconds:
            self.left_out[name] = f"takes {seconds:g} s{_missing_packages(name)}"
            self.needed[name] = seconds
            return False
        missing = self.required - member.fits
        if missing and "plain" in member.fits and name not in self.left_out:
            self.left_out[name] = WHY_NOT[min(missing)]
        return not missing

    def _fit_member(self, member: Member) -> None:
        """Fit a member in what is left of the time, and add it to the members; if that fails with a
        PluginError or DataError, or no time is left, why is noted in `left_out`. A ParamError
        passes."""
        name = member.model
        place = self.meant.index(member)
        progress = telling.of_member(self.progress, place, len(self.meant), name)
        try:
            model = plugins.get_model(name)
            params = make_params(model, member.params)
            options = self._options_of(member)
            if options is None:
                self.left_out[name] = f"no time left of {self.options.max_time:g} s"
                return
            rows = self.prepared
            if member.withstands and rows.keep is not None:
                # what a robust fit leaves out does this member no harm
                rows = dataclasses.replace(rows, keep=None, edge=None)
            # samples are drawn by the first member
            samples = self.samples and not self.members
            fitted_member = fitted(model, params, rows, options, progress, None, samples)
        except (PluginError, DataError) as error:
            self.left_out[name] = f"failed: {error}"
            return
        self.members.append(
            dataclasses.replace(
                fitted_member,
                edge=None if rows.edge is None else rows.edge[fitted_member.rows],
                in_bits=member.in_bits,
                adds_bits=member.adds_bits,
                weight=member.weight,
            )
        )

    def _options_of(self, member: Member) -> FitOptions | None:
        """The options for a member, with the time that is left for it, of which a network gets
        three quarters, at least a second; None where none is left, and another member is fitted
        already. A closed form gets all of it. Without max_time they are the options as they are."""
        if not self.options.max_time:
            return self.options
        seconds_passed = time.monotonic() - self.started
        seconds_left = self.options.max_time - seconds_passed
        if self.members and seconds_left <= 0:
            return None
        if member.seconds:
            seconds_left *= TRAINED
        return dataclasses.replace(self.options, max_time=max(1.0, seconds_left))

    def _facts(self) -> dict[str, Json]:
        """The facts that `aetool info` shows about the fit: its rows, which members were left out,
        and why. A model of which another member was fitted after all is dropped from `left_out` and
        `needed`, in place."""
        prepared = self.prepared
        # a model that is a member of this fit may be one of other fits with other settings
        for member in self.members:
            joined = member.bundle.plugin
            self.left_out.pop(joined, None)
            self.needed.pop(joined, None)
        facts: dict[str, Json] = {"rows": prepared.rows, "fitted_rows": int(prepared.kept.sum())}
        if self.left_out:
            facts["left_out"] = dict(self.left_out)
        if self.needed:
            facts["seconds_needed"] = dict(self.needed)
        if any(member.bundle.facts.get("short_of_time") for member in self.members):
            facts["short_of_time"] = True
        facts["seed"] = self.options.seed
        return facts


def _missing_packages(name: str) -> str:
    """Words to go behind "takes 300 s", why a model is left out, if the time is not all that it
    lacks: " and torch, which is not installed" of a network without torch; "" of any other model,
    or with torch. name: the model's."""
    model = plugins.get_model(name)
    if not issubclass(model.Params, NetParams) or importlib.util.find_spec("torch"):
        return ""
    return " and torch, which is not installed"


def _seconds_of(member: Member, spec: Spec, kind: str) -> float:
    """The time that fitting a member is expected to take on records of this many features, in whole
    seconds. kind: "table" or "image"."""
    return float(round(member.seconds * max(1.0, spec.features / USUAL_FEATURES[kind])))


def declared(options: FitOptions, otherwise: str) -> Model:
    """Return the declaration of the model that the options name, which may be one itself; if they
    name none, of the model called `otherwise`. PluginError for one that is not installed, or that
    two plugins declare."""
    if isinstance(options.plugin, Model):
        return options.plugin
    return plugins.get_model(options.plugin or otherwise)


def on_the_spot(data: object, options: FitOptions | None) -> Bundle:
    """Fit a model with a code on data, for an operation that needs codes and was given no model:
    the one that the options name, else "pca". options: None for the defaults. ParamError,
    PluginError or DataError where it cannot be fitted."""
    options = options or FitOptions()
    return fit(data, dataclasses.replace(options, plugin=options.plugin or CODE_ON_THE_SPOT))


def _calibrated_by_all_tiles(
    model: Bundle,
    framed_source: FramedSource,
    device: str,
) -> Bundle:
    """A copy of the model calibrated by all tiles of all pictures, if only some were fitted, since
    the worst of all tiles of a picture is worse than the worst of some; else the model as it is.
    framed_source: the pictures cut into tiles; device: where the scores are computed."""
    if not framed_source.has_sampled:
        return model
    session = model.session("score.onnx", device)
    scores = []
    # of each tile its number, by which its picture is known
    numbers = []
    for first, tiles in framed_source.numbered():
        scores.append(session(tiles)["parts"].sum(axis=1, dtype=np.float64))
        numbers.append(np.arange(first, first + len(tiles)))
    worst = highest_of_each(np.concatenate(scores), framed_source.owners(np.concatenate(numbers)))
    before = model.calibration
    after = Calibration.of(worst[:, None], expected=before.expected)
    after = dataclasses.replace(after, typical=before.typical)
    return dataclasses.replace(model, calibration=after, _sessions={})
