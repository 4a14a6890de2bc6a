"""sample: draws new records that a model holds likely, or records near ones that the user gives."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aetool import runtime, system
from aetool.arguments import CheckedOptions, brief
from aetool.bundle import Bundle
from aetool.codec import decoding
from aetool.codec.decoding import condition_names
from aetool.columns.column import Modelled
from aetool.columns.schema import Schema
from aetool.data import sources, writers
from aetool.data.scaling import PIXEL_MEAN, PIXEL_SPREAD
from aetool.data.table import Cells, Mask
from aetool.errors import BundleError, ParamError
from aetool.files import atomic
from aetool.fits.recipes import BELOW, SCORES, Recipe, through
from aetool.model import Float, Records, Spec
from aetool.scoring.inputs import inputs_of, seen_by
from aetool.spelling import option
from aetool.writing import drawing, records
from aetool.writing.codes import CSV, cells
from aetool.writing.pictures import write_pictures

if TYPE_CHECKING:
    import pandas as pd

LEAST = 1e-3  # probability that a linear model's estimate is raised to
PER_ROW = 1  # samples near each given row, by default
UNASKED = 64  # samples by default, without rows that they are to be near to
SPREAD = 0.25  # how far from the records that samples are to be near to, by default
AT_ONCE = 4096  # records that are drawn together
MOST_BYTES = 1 << 40  # of all records in memory, where the system does not say how much it has


class Sampler:
    """Draws new records from a model, all at random from one seed; each call goes on where the one
    before has left its random numbers, so that a second one draws others.

    device: where the model's graphs run; ParamError, of the methods, for one that is not there.
    prior: draw codes from N(0, I), as a variational model is trained to have them, and not as the
    codes of its data are. condition: by the column's name, as text, values of columns that the
    model judges records by; None for none. ParamError for a prior that the model was not trained to
    have, for a condition that it does not know, and for one of a model whose decoder takes none;
    BundleError for a model that stores nothing to sample by.
    """

    def __init__(
        self,
        model: Bundle,
        device: str,
        seed: int,
        prior: bool = False,
        condition: Mapping[str, str] | None = None,
    ) -> None:
        """Read the model's recipe for samples, and check prior and condition, which the class
        describes; nothing is drawn yet. ParamError and BundleError as the class says."""
        self.model = model
        self.device = device
        self.spec = model.spec
        self.columns: tuple[Modelled, ...] = ()
        self.places: list[int] = []
        if model.schema is not None:
            self.columns = model.schema.modelled
            self.places = model.schema.conditions
        self.chosen = _chosen_values(model, condition or {})
        self.recipe = Recipe.of(model)
        # "features": a model without codes, whose features are drawn one by one
        draws_codes = self.recipe.prior != "features"
        if self.chosen and draws_codes and not condition_names(model):
            raise ParamError(
                f"{model.plugin} decodes codes without a condition: {option('--condition')} "
                "takes a model that decodes them together with it"
            )
        if prior:
            self.recipe = _standard_normal(model, self.recipe)
        self.rng = np.random.default_rng(seed)
        self._tail: runtime.Session | None = None

    def draw(self, count: int) -> Records:
        """Draw this many records: (count, columns) float64 in the units of the data, or pictures
        (count, channels, height, width) uint8. BundleError for a model that was fitted by an aetool
        too old to sample."""
        kind = self.recipe.prior
        if kind == "features":
            blank = self._blank_records(count)
            return self._drawn_by_features(blank, None)
        # drawn before the codes: one generator serves both, and a seed gives the same records
        condition = self._drawn_condition(count)
        size = (count, self.model.latent)
        if kind == "graph":
            codes = self._drawn_discrete_codes(np.zeros(size), None)
        else:
            independent = self.rng.standard_normal(size)
            scores = self._correlated(independent)
            codes = self.recipe.from_scores(scores)
        return self.records(codes, condition)

    def near(self, x: Records, spread: float) -> Records:
        """Draw a record near each of the records x, in their shape and units.

        x: (rows, columns) float64 in the units of the data, or pictures (rows, channels, height,
        width) uint8, and is not changed. spread: how near, from 0 (the same code) to 1 (any
        record). Columns that records are judged by keep their values, unless the user chose others.
        BundleError for a model without an encoder, but where it draws features one by one and needs
        none.
        """
        kind = self.recipe.prior
        # the values of the columns that records are judged by
        condition = None
        if self.columns:
            of_records = x[:, self.places].astype(np.float64)
            condition = self._as_chosen(of_records)
        if kind == "features":
            random_numbers = self.rng.random((len(x), len(self.spec.columns)))
            # a part `spread` of the columns is drawn anew
            keep = random_numbers >= spread
            # a copy: x is the caller's
            x = np.array(x)
            if condition is not None:
                x[:, self.places] = condition
            return self._drawn_by_features(x, keep)
        encoder = self.model.session("encoder.onnx", self.device)
        z = encoder(x)["z"].astype(np.float64)
        if kind == "graph":
            keep = self.rng.random(z.shape) >= spread
            codes = self._drawn_discrete_codes(z, keep)
        else:
            codes = self._near_codes(z, spread)
        return self.records(codes, condition)

    def _near_codes(self, z: Float, spread: float) -> Float:
        """Codes drawn near the codes z, (rows, latent), in the same shape. spread: how far, from 0
        (z itself) to 1 (any code)."""
        # scores y move to sqrt(1 - s^2) y + s eps: whatever s, they are distributed as before
        scores = self.recipe.scores_of(z)
        independent = self.rng.standard_normal(z.shape)
        random_scores = self._correlated(independent)
        part_kept = math.sqrt(1 - spread**2)
        moved = part_kept * scores + spread * random_scores
        # z itself, not the code of its scores, which tables cut off at their ends: a spread of 0
        # must give the very record
        target = self.recipe.from_scores(moved)
        origin = self.recipe.from_scores(scores)
        return z + target - origin

    def manifold(self, side: int) -> tuple[Records, Float]:
        """Decode a grid of side x side codes, to show what two numbers of the code do: (the
        records, row by row of the grid from the top, in the shape and units of `draw`; the two
        numbers of each, across and up, (side * side, 2)).

        The two numbers that vary most between records are varied, the one with the lower index
        rising to the right and the other upwards; all others stay at their medians. side: 1 or
        more. ParamError for a model without codes, or whose codes are discrete or single numbers.
        """
        if self.recipe.prior not in ("codes", "normal") or self.model.latent < 2:
            raise ParamError(
                f"{self.model.plugin} has no plane of codes: {option('--grid')} takes two "
                "numbers of a code"
            )
        across, up = self._widest_units()
        # a normal score of 0 is the median of its unit
        scores = np.zeros((side * side, self.model.latent))
        centre = self.recipe.from_scores(scores[:1])
        at_medians = self.recipe.from_scores(scores * 0)
        # steps of equal probability, so that the grid is dense where codes are
        shares = (np.arange(side) + 0.5) / side
        # BELOW: the share of a normal distribution below each of SCORES
        steps = np.interp(shares, BELOW, SCORES)
        scores[:, across] = np.tile(steps, side)
        scores[:, up] = np.repeat(steps[::-1], side)
        z = centre + self.recipe.from_scores(scores) - at_medians
        # all under one condition, so that they can be compared
        condition = self._usual_condition(len(z))
        x = decoding.decode(self.model, z, self.device, condition=condition)
        plane = z[:, [across, up]]
        return self._with_condition(x, condition), plane

    def _widest_units(self) -> tuple[int, int]:
        """The indices of the two code units that vary most between records, rising; 0 and 1 where
        codes are drawn from N(0, I)."""
        if not self.recipe.codes.size:
            # under a prior N(0, I) all units vary alike
            return 0, 1
        ranges = np.ptp(self.recipe.codes, axis=0)
        widest_first = np.argsort(-ranges, kind="stable").tolist()
        first, second = sorted(widest_first[:2])
        return first, second

    def _usual_condition(self, count: int) -> Float | None:
        """One condition, repeated for this many records: (count, conditions) in the units of the
        data, what the user chose, else each column's usual value. None for a model without such
        columns."""
        if not self.places:
            return None
        usual = [self.columns[place].usual for place in self.places]
        of_records = np.tile(np.array(usual), (count, 1))
        return self._as_chosen(of_records)

    def records(self, z: Float, condition: Float | None) -> Records:
        """Draw a record for each code from what the decoder makes of it: (rows, columns) float64 in
        the units of the data, numbers with noise, categories and gaps by their probabilities; or
        pictures as they are decoded, (rows, channels, height, width) uint8.

        z: (rows, latent). condition: (rows, conditions) in the units of the data, the values of the
        columns that records are judged by; None for a model without such columns. BundleError for a
        model of tables that was fitted by an aetool too old to sample.
        """
        if self.model.schema is None:
            pictures: Records = decoding.decode(self.model, z, self.device)
            return pictures
        outputs = decoding.decoded(self.model, z, self.device, condition)
        if "likely" not in outputs:
            raise BundleError(f"{self.model.name}: says nothing of samples: fit it again")
        logits = self._logits(outputs["likely"])
        noise = self._noise(len(z))
        x = self._as_records(logits + noise)
        return self._with_condition(x, condition)

    def _drawn_condition(self, count: int) -> Float | None:
        """Values of the conditioning columns for `count` records, (count, conditions) in the units
        of the data: those that the user chose; in other columns usual values, drawn at random. None
        for a model without such columns."""
        if not self.places:
            return None
        drawn = []
        for place in self.places:
            column = self.columns[place]
            values = column.begun(count, self.rng)
            drawn.append(values)
        condition = np.stack(drawn, axis=1)
        return self._as_chosen(condition)

    def _as_chosen(self, condition: Float) -> Float:
        """Put the values that the user chose into the columns of `condition`, (rows, conditions),
        in place; columns for which nothing was chosen stay. Returns it."""
        for column, place in enumerate(self.places):
            if place in self.chosen:
                condition[:, column] = self.chosen[place]
        return condition

    def _with_condition(self, x: Float, condition: Float | None) -> Float:
        """Put `condition`, (rows, conditions), into the conditioning columns of records x, (rows,
        columns), in place; nothing for None. Returns x."""
        if condition is not None:
            x[:, self.places] = condition
        return x

    def _correlated(self, eps: Float) -> Float:
        """Return normal scores, (rows, latent), that are correlated as those of the data's codes
        are. eps: independent normal scores, (rows, latent), which are returned themselves where
        codes are drawn from N(0, I)."""
        if not self.recipe.codes.size:
            return eps
        return eps @ self.recipe.factor.T

    def _noise(self, count: int) -> Float:
        """Random numbers, (count, features), that turn likely values into draws when they are
        added: to numbers errors as large as decoded ones have, to levels Gumbel noise (the
        Gumbel-max trick), to flags logistic noise; 0 for all other features, and for numbers of a
        model that stores no errors."""
        spec = self.spec
        noise = np.zeros((count, spec.features))
        if self.recipe.noise.size:
            # recipe.noise: the errors of each number at each of SCORES, normal scores
            scores = self.rng.standard_normal((count, len(spec.numeric)))
            noise[:, spec.numeric] = through(scores, SCORES, self.recipe.noise)
        levels = _features_of_levels(spec)
        # logits with Gumbel noise are largest at each level by its own probability; of a flag,
        # where only a sign counts, the difference of two such noises is logistic
        noise[:, levels] = self.rng.gumbel(size=(count, len(levels)))
        flags = _features_of_flags(spec)
        noise[:, flags] = self.rng.logistic(size=(count, len(flags)))
        return noise

    def _logits(self, likely: Float) -> Float:
        """Return decoded features, (rows, features), with logits for flags and levels. likely: the
        features as the model decodes them. A linear model decodes probabilities there, which are
        turned into logits in a copy; of any other model the features come back unchanged."""
        if not self.recipe.linear:
            return likely
        logits = np.array(likely, dtype=np.float64)
        levels = _features_of_levels(self.spec)
        # a linear model may estimate a probability of 0 or less
        of_levels = np.clip(likely[:, levels], LEAST, None)
        logits[:, levels] = np.log(of_levels)
        flags = _features_of_flags(self.spec)
        of_flags = np.clip(likely[:, flags], LEAST, 1 - LEAST)
        # the logit log(p / (1 - p)); log1p keeps the digits of 1 - p where p is small
        logits[:, flags] = np.log(of_flags) - np.log1p(-of_flags)
        return logits

    def _as_records(self, values: Float) -> Records:
        """Turn features, (rows, features), into records: (rows, columns) float64 in the units of
        the data, or pictures (rows, channels, height, width) uint8. values: the features, logits
        where they are flags or levels. Numbers are rounded to the decimals of their column and kept
        within its range; columns that models do not predict get usual values, drawn at random."""
        schema = self.model.schema
        if schema is None:
            shape = self.spec.shape or ()
            standardised = values.reshape(-1, *shape)
            pixels = standardised * PIXEL_SPREAD + PIXEL_MEAN
            # a level beyond 255 would wrap around to black
            within = pixels.clip(0, 255)
            rounded = np.rint(within)
            return np.asarray(rounded, np.uint8)
        if self._tail is None:
            self._tail = self._tail_session(schema)
        outputs = self._tail(values.astype(np.float32))
        x = outputs["x_hat"]
        # in the order of the columns, as all draw from one generator
        for place, column in enumerate(schema.modelled):
            x[:, place] = column.drawn(x[:, place], self.rng)
        return x

    def _tail_session(self, schema: Schema) -> runtime.Session:
        """A session, on the CPU, of the graph that turns features, (rows, features) float32, into
        its output "x_hat", (rows, columns) values in the units of the data. schema: the model's.
        BundleError where the graph cannot run."""
        from aetool import graphs

        tail = graphs.tail(schema, self.spec)
        where = f"{self.model.name}: samples"
        return runtime.Session(tail, where, "cpu", runtime.TABLE_BATCH)

    def _blank_records(self, count: int) -> Records:
        """Return `count` records from which drawing starts, (count, columns) float64 or (count,
        channels, height, width) uint8: columns that models do not predict have values drawn at
        random (dates evenly over their range), or the one that the user chose, all other columns 0;
        pictures are black."""
        schema = self.model.schema
        if schema is None:
            shape = self.spec.shape or ()
            return np.zeros((count, *shape), np.uint8)
        x = np.zeros((count, len(self.spec.columns)))
        for place, column in enumerate(schema.modelled):
            x[:, place] = column.begun(count, self.rng)
        if self.places:
            x[:, self.places] = self._as_chosen(x[:, self.places])
        return x

    def _drawn_by_features(self, x: Records, keep: Mask | None) -> Records:
        """Draw records feature by feature, each given those before it, by repeating a map until
        nothing changes.

        With the noise fixed, the draw is a map of x whose i-th feature depends only on features
        before it. Repeating that map, it stops changing after at most as many rounds as there are
        features, and what it then gives is the draw, in the shape and units of x. x: the records to
        begin with, (rows, columns) in the units of the data, or pictures (rows, channels, height,
        width) uint8. keep: (rows, columns), True where x stays as it is; of pictures (rows,
        pixels); None: nowhere. Columns that the model does not predict stay in any case.
        """
        noise = self._noise(len(x))
        session = self.model.session("score.onnx", self.device)
        if keep is None:
            keep = np.zeros((len(x), len(self.spec.columns)), np.bool_)
        # the model does not predict these columns, so they stay in any case
        is_unpredicted = [not column.predicted for column in self.columns]
        stays = keep | np.array(is_unpredicted or [False])
        if self.spec.shape is not None:
            # of a pixel all channels
            stays = stays.reshape(-1, 1, *self.spec.shape[1:])

        def redrawn(x: Records) -> Records:
            """Draw all features from x, records in the shape that the model reads, as it reads
            them, always under the same noise; what `stays` marks stays."""
            outputs = session(x)
            likely = _flat(outputs["likely"])
            logits = self._logits(likely)
            drawn = self._as_records(logits + noise)
            return np.where(stays, x, drawn)

        return _fixed_point(redrawn, x, self.spec.features)

    def _drawn_discrete_codes(self, z: Float, keep: Mask | None) -> Float:
        """Draw discrete codes by the model's learned prior, number by number, each given those
        before it: (rows, latent), whole numbers as float64. z: (rows, latent), the codes to begin
        with. keep: (rows, latent), True where a number of z stays; None: none does. BundleError for
        a model without such a prior."""
        session = self.model.session("prior.onnx", self.device)
        gumbel: Float | None = None

        def redrawn(z: Records) -> Records:
            """Draw all numbers of the codes from z, (rows, latent), as the prior reads it, always
            under the same noise; what `keep` marks stays."""
            nonlocal gumbel
            logits = session(z.astype(np.float32))["logits"]
            if gumbel is None:
                # drawn once: only under fixed noise does the map come to rest
                gumbel = self.rng.gumbel(size=logits.shape)
            # the Gumbel-max trick: each level is the largest by its own probability
            likeliest = (logits + gumbel).argmax(axis=-1)
            drawn: Float = likeliest.astype(np.float64)
            if keep is None:
                return drawn
            return np.where(keep, z, drawn)

        codes = _fixed_point(redrawn, z, z.shape[1])
        return np.asarray(codes)


def _standard_normal(model: Bundle, recipe: Recipe) -> Recipe:
    """A copy of the model's recipe that draws codes from N(0, I); ParamError for a model that was
    not trained to have such codes."""
    if recipe.prior != "normal":
        raise ParamError(
            f"{model.plugin} has no prior N(0, I) to draw from: no {option('--prior')}"
        )
    # a recipe without codes draws N(0, I)
    no_codes = np.zeros((len(SCORES), 0))
    no_factor = np.zeros((0, 0))
    return dataclasses.replace(recipe, codes=no_codes, factor=no_factor)


def _chosen_values(model: Bundle, condition: Mapping[str, str]) -> dict[int, float]:
    """The values that the user has chosen for conditioning columns, as numbers in the units of the
    data, by the index of the column in schema.modelled; {} for none. condition: by the column's
    name, as text. ParamError for a column that is not one, or a value that it never has."""
    columns: tuple[Modelled, ...] = ()
    places: dict[str, int] = {}
    if model.schema is not None:
        columns = model.schema.modelled
        places = {columns[place].name: place for place in model.schema.conditions}
    chosen = {}
    for name, text in condition.items():
        if name not in places:
            allowed = "it has none"
            if places:
                allowed = f"its conditions are {', '.join(places)}"
            raise ParamError(
                f"{option('--condition')} {name}: no condition of {model.name}; {allowed}"
            )
        place = places[name]
        column = columns[place]
        # read as a cell of the table would be
        parsed = column.parse(Cells.of([text]))
        value = float(parsed[0])
        if not column.knows(value):
            raise ParamError(
                f"{option('--condition')} {name}={text}: no {column.kind} that the model knows: "
                f"{column.understood()}"
            )
        chosen[place] = value
    return chosen


def _features_of_levels(spec: Spec) -> list[int]:
    """The indices of the features that stand for the levels of categories, block by block; []
    without categories."""
    features: list[int] = []
    for _, first, width in spec.categories:
        features += range(first, first + width)
    return features


def _features_of_flags(spec: Spec) -> list[int]:
    """The indices of the features that are flags, 0 or 1 each, such as whether a value is
    missing."""
    return [feature for feature, _ in spec.flags]


def _fixed_point(
    step: Callable[[Records], Records],
    x: Records,
    most_rounds: int,
) -> Records:
    """Apply a function to x again and again until its result no longer changes, at most
    `most_rounds` + 1 times; returns the last result. step: takes records in the shape of x, and
    returns such.

    If the i-th feature of the result depends only on features before the i-th, it stops changing
    within as many rounds as there are features.
    """
    # NaN stands for a gap, and two gaps are equal; pixels have none
    has_nan = x.dtype.kind == "f"
    for _ in range(most_rounds + 1):
        new = step(x)
        if np.array_equal(new, x, equal_nan=has_nan):
            break
        x = new
    return x


def _flat(x: Records) -> Records:
    """Flatten x to a matrix: (rows, all other axes in one)."""
    return x.reshape(len(x), -1)


@dataclass(frozen=True)
class SampleOptions(CheckedOptions):
    """Options of `sample`: how many records to draw, and from what.

    count: how many in all (None: 64), or near each record of `like` (None: 1); at least 1. like:
    records to draw near to, as sources.open_source takes data. spread: how far from those, from 0
    (the same code) to 1 (any), both allowed; None: 0.25, and the only one without `like`. grid: no
    random records, but those of a square grid over a plane of the code, at least `count`. seed: of
    all that is random; the same gives the same records. prior: codes are drawn from N(0, I), as a
    variational model is trained to have them, and not as the codes of its data are. condition: by
    name, as text, values of columns that the model judges records by (the option condition of fit);
    for other such columns usual values are drawn, or with `like` those of its records kept. force:
    a file that exists may be replaced. device: where the model runs: auto, cpu, cuda or cuda:<n>.
    """

    verb = "sample"

    count: int | None = None
    like: object = None
    spread: float | None = None
    grid: bool = False
    seed: int = 0
    prior: bool = False
    condition: Mapping[str, str] = field(default_factory=dict)
    force: bool = False
    device: str = "auto"


def sample(model: Bundle, options: SampleOptions | None = None) -> pd.DataFrame | Records:
    """Draw new records from a model: pictures (n, C, H, W) uint8, or a DataFrame of the columns
    that the model sees.

    options: None for the defaults. With options.like the DataFrame also has, repeated from its
    records, the columns that models do not see or do not predict; with options.grid it begins with
    z_across and z_up, the two numbers of the code. ParamError for options that are out of range,
    exclude each other, or that the model does not know; DataError for records to draw near to that
    the model does not take; BundleError for a model that cannot sample.
    """
    options = options or SampleOptions()
    _check_room(model, _records_asked(options))
    batches = list(_batches(model, options))
    if model.schema is None:
        return np.concatenate([x for _, x in batches])
    written_columns = [columns for columns, _ in batches]
    return writers.frame_of(written_columns, model.schema.dtypes, {})


def write_samples(
    model: Bundle,
    path: str | os.PathLike[str],
    options: SampleOptions | None = None,
) -> int:
    """Draw new records and write them to a file; returns how many.

    Tables become a CSV or Parquet file, or what a plugin that writes files of that name makes of
    them; pictures a .npy file, a folder, or one PNG sheet (with `like`, each of its rows begins
    with the record that the others are near to). A PNG file of a table with `grid` is a map over
    the plane of each of the first 25 columns that the model predicts. options: None for the
    defaults. ParamError for a PNG file of a table without `grid` or matplotlib, and for options out
    of range or that exclude each other; DataError for a file that exists, unless options.force, and
    for records of options.like that the model does not take; BundleError for a model that cannot
    sample.
    """
    options = options or SampleOptions()
    target = Path(path)
    png = target.suffix.lower() == ".png"
    # a table is written piece by piece, but not that of a grid
    if model.schema is None or options.grid or options.like is not None:
        _check_room(model, _records_asked(options))
    if model.schema is None:
        return _write_pictures(model, target, options, png)
    if png:
        return _write_maps(model, model.schema, target, options)
    count = 0

    def tables() -> Iterator[writers.Columns]:
        """Yield the columns of each batch of drawn records, by name, and add its records to
        `count`."""
        nonlocal count
        for columns, x in _batches(model, options):
            count += len(x)
            yield columns

    # how each column's dates and numbers were written in the file that was fitted
    notations = {column.name: column.written() for column in model.schema.columns}
    kind = records.kind_by_name(target)
    format = {**CSV, "format": kind}
    records.write_records(
        target,
        tables(),
        format,
        # texts and dates as the types that the file had, where there are such
        dtypes=model.schema.dtypes,
        written=notations,
        force=options.force,
    )
    return count


def _write_maps(
    model: Bundle,
    schema: Schema,
    target: Path,
    options: SampleOptions,
) -> int:
    """Write a PNG file that shows each of the first 25 columns that the model predicts over a plane
    of codes; returns how many records were decoded. ParamError without options.grid, without
    matplotlib, and for a model whose code is not several real numbers; DataError for a file that
    exists, unless options.force."""
    if not options.grid:
        raise ParamError(
            f"{target}: a table is drawn as .csv or .parquet; a .png takes {option('--grid')}"
        )
    side = _side(options)
    sampler = _sampler(model, options)
    x, z = sampler.manifold(side)
    with atomic(target, options.force) as file:
        drawing.maps(file, schema, x, z, side)
    return len(x)


def _write_pictures(
    model: Bundle,
    target: Path,
    options: SampleOptions,
    png: bool,
) -> int:
    """Draw pictures and write them, as one PNG sheet if png is true, else as a .npy file or a
    folder; returns how many were drawn. The sheet is about square, that of a grid exactly; with
    options.like each of its rows begins with the picture that the others are near to. DataError for
    what exists at target, unless options.force, and for records of options.like that the model does
    not take; ParamError for options out of range; BundleError for a model that cannot sample."""
    batches = list(_batches(model, options))
    pixels = np.concatenate([x for _, x in batches])
    if not png:
        write_pictures(target, pixels, options.force)
        return len(pixels)
    sheet = pixels
    across = _side(options)
    if options.like is not None:
        each = options.count or PER_ROW
        originals = np.concatenate([columns["like"] for columns, _ in batches])
        shape = originals.shape[1:]
        drawn_by_original = pixels.reshape(len(originals), each, *pixels.shape[1:])
        # a row of the sheet: the original, then what was drawn near it
        rows = np.concatenate([originals[:, None], drawn_by_original], axis=1)
        sheet = rows.reshape(-1, *shape)
        across = 1 + each
    drawing.write_sheet(target, sheet, across, options.force)
    return len(pixels)


def _check_room(model: Bundle, count: int) -> None:
    """Raise ParamError if `count` records of a model (its pixels, or 8 bytes for each column) take
    more bytes than the machine has memory, or than 2^40 where the system does not say how much."""
    bytes_of_record = (
        math.prod(model.shape) if model.shape is not None else 8 * len(model.spec.columns)
    )
    memory = system.memory() or MOST_BYTES
    if count * bytes_of_record <= memory:
        return
    raise ParamError(
        f"{option('-n')} {brief(count)}: so many records do not fit into memory, which has room "
        f"for {memory // max(1, bytes_of_record):,} of them at most: ask for fewer at once"
    )


def _records_asked(options: SampleOptions) -> int:
    """How many records the options ask for, those of a whole grid with options.grid; with
    options.like so many near each of the records given."""
    if options.grid:
        return _side(options) ** 2
    return options.count or UNASKED


def _side(options: SampleOptions) -> int:
    """The number of records along a side of the smallest square grid that holds as many as the
    options ask for."""
    count = options.count or UNASKED
    # whole numbers, as one that is asked for may be too large for a float
    # (none below 1 is drawn, which is refused elsewhere)
    return math.isqrt(max(count, 1) - 1) + 1


def _spread(options: SampleOptions) -> float:
    """How far from the records that they are near to samples are drawn, 0 to 1, by default 0.25."""
    return SPREAD if options.spread is None else options.spread


def _batches(model: Bundle, options: SampleOptions) -> Iterator[tuple[writers.Columns, Records]]:
    """Draw records batch by batch: yields (the columns to write, by name; the records, (n, columns)
    or pictures (n, channels, height, width)). For pictures the columns are {}, or near others
    {"like": these pictures, each once}. With options.grid one batch, whose columns begin with
    z_across and z_up. ParamError for options out of range or that exclude each other, DataError for
    records to draw near to that the model does not take; BundleError for a model that cannot
    sample."""
    if not 0 <= _spread(options) <= 1:
        raise ParamError(f"{option('--spread')} must be in 0 .. 1, got {options.spread}")
    if options.spread is not None and options.like is None:
        raise ParamError(
            f"{option('--spread')} says how far from the records of {option('--like')} is drawn: "
            f"give {option('--like')}, too, or leave {option('--spread')} out"
        )
    if options.count is not None and options.count < 1:
        raise ParamError(f"{option('-n')} must be at least 1, got {options.count}")
    sampler = _sampler(model, options)
    if options.grid:
        if options.like is not None:
            raise ParamError(f"{option('--grid')} and {option('--like')} exclude each other")
        x, z = sampler.manifold(_side(options))
        plane: writers.Columns = {"z_across": z[:, 0], "z_up": z[:, 1]}
        yield _columns(model, x, {}, plane), x
    elif options.like is None:
        remaining = options.count or UNASKED
        while remaining:
            count = min(remaining, AT_ONCE)
            x = sampler.draw(count)
            remaining -= len(x)
            yield _columns(model, x, {}, {}), x
    else:
        yield from _batches_near(model, sampler, options)


def _batches_near(
    model: Bundle, sampler: Sampler, options: SampleOptions
) -> Iterator[tuple[writers.Columns, Records]]:
    """Draw records near those of options.like, batch by batch: yields (the columns to write, by
    name, of pictures {"like": those of the batch}; the records drawn, options.count (default 1) for
    each, one behind the other). DataError for data that the model does not take; BundleError for a
    model whose codes are drawn near to those of records, and that has no encoder to find these
    by."""
    opened_source = sources.open_source(options.like, model.reading)
    source = seen_by(opened_source, model)
    each = options.count or PER_ROW
    # the columns of which nothing is copied from the records of `like`
    drawn_names = set(options.condition)
    if model.schema is not None:
        drawn_names |= {column.name for column in model.schema.modelled if column.predicted}
    for batch in inputs_of(source, model):
        originals = batch.inputs
        repeated = np.repeat(originals, each, axis=0)
        x = sampler.near(repeated, _spread(options))
        table = batch.table
        if model.schema is None or table is None:
            yield {"like": originals}, x
            continue
        kept_columns: writers.Columns = {}
        for name in table.names:
            if name not in drawn_names:
                values = cells(table, name, source.name)
                kept_columns[name] = _repeated(values, each)
        yield _columns(model, x, kept_columns, {}), x


def _sampler(model: Bundle, options: SampleOptions) -> Sampler:
    """A sampler of the model by these options. ParamError for a prior or a condition that the model
    does not have; BundleError for a model that stores nothing to sample by."""
    return Sampler(
        model,
        options.device,
        options.seed,
        options.prior,
        options.condition,
    )


def _repeated(values: writers.Restored, times: int) -> writers.Restored:
    """A column, (rows * times,), in which each value of `values`, (rows,), is repeated `times`
    times in a row."""
    if not isinstance(values, list):
        return values.repeat(times)
    repeated = []
    for value in values:
        repeated += [value] * times
    return repeated


def _columns(
    model: Bundle,
    x: Records,
    kept_columns: writers.Columns,
    beside: writers.Columns,
) -> writers.Columns:
    """The columns of drawn records as they are written, by name, in the order of the file that was
    fitted; {} for pictures.

    x: the records, (n, columns), in the units of the data. kept_columns: by name, what stands in
    place of dates, text and columns that the model leaves out. beside: by name, columns that come
    first, on a grid the codes; if there are any, columns that the model does not predict are left
    out, but for those that records are judged by.
    """
    if model.schema is None:
        return {}
    places = {column.name: place for place, column in enumerate(model.schema.modelled)}
    columns: writers.Columns = dict(beside)
    for column in model.schema.columns:
        name = column.name
        if name in kept_columns:
            columns[name] = kept_columns[name]
            continue
        # text, and what else the model does not see, is left out
        if not isinstance(column, Modelled):
            continue
        # on a grid, whose records are decoded, what the model does not predict has no value
        if column.predicted or column.condition or not beside:
            columns[name] = column.restored(x[:, places[name]])
    return columns
