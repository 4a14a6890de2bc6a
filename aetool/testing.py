"""Conformance: what every model must do, as one check each, for authors' own test suites.

import pytest
from aetool.testing import conformance

@pytest.mark.parametrize("case", list(conformance("mymodel")), ids=str)
def test_conformance(case):
    case.run()
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

import numpy as np

from aetool import bundle as bundles
from aetool import declarations, operations, plugins, rehearsal
from aetool.closed_form import ClosedForm, Features
from aetool.codec import decoding, planning
from aetool.data import notices, sources
from aetool.data.images import Pixels
from aetool.data.table import Cells, Table
from aetool.errors import AetoolError, PluginError
from aetool.fits import preparing, single_fit
from aetool.fits.asked import FitOptions
from aetool.model import Array, Model, Spec, describe_params, make_params
from aetool.rarity import cap, knee

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from aetool.nn import AutoEncoder

ROWS, PICTURES, SIDE = 400, 96, 8
FEW = 80  # records of the small fits that are compared with each other
GAPS = 0.1  # part of the cells of a column that are empty
EPOCHS = {"table": 8, "image": 60}
FEW_EPOCHS = 2
TOLERANCE = 1e-4
SEEDS = (11, 12, 13)  # of the global generators, which no fit may take notice of
CONDITION = ("level",)  # the column that records are judged by, where there is a condition
BEFORE = 2  # rows before each, where there is a context
LEAST_SPREAD = 1e-4  # standard deviations that restored records lie apart, where a code says much


class CheckError(AssertionError):
    """A check that failed. advice: what to do about it, "" where the message says it already."""

    def __init__(self, message: str, advice: str) -> None:
        """Keep the message and the advice."""
        super().__init__(message)
        self.advice = advice


class NotApplicable(SkipTest):
    """A check that does not apply to this model; test runners count it as skipped."""


@dataclass(frozen=True)
class Case:
    """One check of one model on one kind of data ("declaration", "table" or "image"); run() raises
    AssertionError if it fails, and unittest.SkipTest if it does not apply. check: the function that
    checks; bench: what it is called with; quick: whether it takes neither a fit nor an archive."""

    kind: str
    check: Callable[..., None]
    bench: _Bench | Model | str  # what the check takes
    quick: bool = True  # whether it takes neither a fit nor an archive

    @property
    def title(self) -> str:
        """The check in words."""
        return self.check.__name__.strip("_").replace("_", " ")

    @property
    def name(self) -> str:
        """The kind of data and the check, as a name for pytest."""
        return f"{self.kind} {self.title}".replace(" ", "-")

    def advice(self, failure: Exception) -> str:
        """Advice to an author about this failure of the check; "" where the failure's message says
        enough."""
        if isinstance(failure, CheckError):
            return failure.advice
        if isinstance(failure, AssertionError):
            return " ".join((self.check.__doc__ or "").split())
        return ""

    def run(self) -> None:
        """Run the check. AssertionError if it fails; unittest.SkipTest if it does not apply, or if
        the check that it builds on, such as a fit, has failed. Other exceptions are the model's
        own."""
        failed = getattr(self.bench, "failed", "")
        if failed:
            raise NotApplicable(f"waits for: {failed}")
        self.check(self.bench)

    def __str__(self) -> str:
        """The name, as pytest shows it."""
        return self.name


def conformance(model: str | Model) -> Iterator[Case]:
    """Yield a Case for every check that the model must pass, those of tables before those of
    pictures. model: the name of an installed model, or a Model, which need not be installed.

    Raises PluginError where no such model is installed, or its declaration cannot be used.
    """
    declared = plugins.get_model(model) if isinstance(model, str) else model
    declarations.check_model(declared)
    yield Case("declaration", is_light, model)
    yield Case("declaration", is_documented, declared)
    # tables come before pictures
    for kind in sorted(declared.data & {"table", "image"}, reverse=True):
        bench = _Bench(declared, kind)
        checks = list(_CHECKS)
        if kind == "table":
            checks += _TABLE_CHECKS
        for check in checks:
            yield Case(kind, check, bench, check in _QUICK)


def table_rows(rows: int = ROWS, seed: int = 0) -> Table:
    """A small table of every kind of column, as cells of text, the same for the same seed: time (a
    date), a and b (related numbers, b with gaps), count (whole numbers) and level (a category)."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=rows)
    b = 2 * a + 0.1 * rng.normal(size=rows)
    count = rng.poisson(3, rows)
    # a word goes with the number beside it, so that a model has something to learn
    colours = np.array(["red", "green", "blue"])
    above_both = (a > 0.3).astype(int) + (a > 1)
    level = colours[above_both]
    with_gaps = ["" if rng.random() < GAPS else f"{number:.2f}" for number in b]
    start = np.datetime64("2024-01-01T00:00")
    time = [str(start + np.timedelta64(hour, "h")) for hour in range(rows)]
    columns = {
        "time": time,
        "a": [f"{number:.3f}" for number in a],
        "b": with_gaps,
        "count": [str(number) for number in count],
        "level": level.tolist(),
    }
    cells = tuple(Cells.of(texts) for texts in columns.values())
    return Table(tuple(columns), cells)


def pictures(count: int = PICTURES, seed: int = 0) -> Pixels:
    """Small gray pictures of a soft blob each, (count, 1, 8, 8) uint8, the same for the same
    seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    centre = rng.uniform(2, 5, (count, 2, 1, 1))
    square_down = (y - centre[:, 0]) ** 2
    square_across = (x - centre[:, 1]) ** 2
    blob = np.exp(-(square_down + square_across) / 4)
    pixels: Pixels = (255 * blob[:, None]).astype(np.uint8)
    return pixels


def laid_out(data: object) -> tuple[Spec, Features]:
    """What the host would give a model of these data: (its `spec`, the features of all rows, of a
    picture flattened), (rows, features) float32. With them an author can call a class's fit, and
    look at what it makes, without the host.

    data: whatever `aetool.fit` takes. Raises as that does for data that cannot be read.
    """
    source = sources.open_source(data)
    prepared = preparing.prepare(source, FitOptions())
    return prepared.spec, prepared.features.reshape(len(prepared.features), -1)


class _Bench:
    """A model under test with the data to try it on, and what was fitted so far, which checks
    share."""

    def __init__(self, model: Model, kind: str) -> None:
        """Take a model and the kind of data, "table" or "image"; nothing is fitted yet."""
        self.model = model
        self.kind = kind
        self.failed = ""  # the check that all others build on, once it has failed
        self.is_rehearsed = False  # whether a dry run went through

    @cached_property
    def net_class(self) -> Any:
        """The class that the model names, a network or a closed form."""
        return plugins.resolve(self.model.net)

    @property
    def deep(self) -> bool:
        """Whether the model is a network, and neither a closed form nor made of members."""
        if self.model.members:
            return False
        is_class = isinstance(self.net_class, type)
        is_solved = is_class and issubclass(self.net_class, ClosedForm)
        return not is_solved

    @cached_property
    def folder(self) -> Path:
        """A temporary folder for the files of the checks, removed with the bench."""
        path = tempfile.mkdtemp(prefix="aetool-check-")
        weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        return Path(path)

    @cached_property
    def path(self) -> Path:
        """The file of the training data."""
        return self.write("train", table_rows(), pictures())

    def write(self, name: str, table: Table, pixels: Pixels | None) -> Path:
        """Write these records to a file of the bench's kind, and return its path: pictures to
        name.npy; a table, also where pixels is None, to name.csv. name: of the file, without its
        ending."""
        if pixels is not None and self.kind == "image":
            path = self.folder / f"{name}.npy"
            np.save(path, pixels[:, 0])
            return path
        path = self.folder / f"{name}.csv"
        columns = []
        for values in table.values:
            texts = values.strings() if isinstance(values, Cells) else map(str, values)
            columns.append(texts)
        lines = [",".join(table.names)]
        for row in zip(*columns, strict=True):
            lines.append(",".join(row))
        text = "\n".join(lines) + "\n"
        # the same bytes on Windows, as archives are compared with them
        path.write_text(text, encoding="utf-8", newline="\n")
        return path

    def options(self, seed: int = 0) -> FitOptions:
        """The options of every fit of the bench: few epochs, on the CPU. seed: of the fit."""
        return FitOptions(
            plugin=self.model,
            condition=self.condition,
            # of a closed form they are refused: it learns in no steps
            epochs=EPOCHS[self.kind] if self.deep else None,
            seed=seed,
            device="cpu",
        )

    @cached_property
    def condition(self) -> tuple[str, ...]:
        """The columns that records are judged by in the checks: one column of the table if the
        network decodes codes together with a condition, else none."""
        if self.kind != "table" or not self.deep:
            return ()
        from aetool.nn.calls import takes

        decode = getattr(self.net_class, "decode", None)
        if decode is not None and "condition" in takes(decode):
            return CONDITION
        return ()

    @cached_property
    def bundle(self) -> bundles.Bundle:
        """The model fitted on the file, once for all checks."""
        if not self.deep:
            return operations.fit(self.path, self.options())
        # a check that is chosen alone has had no dry run before it
        if not self.is_rehearsed:
            rehearsal.rehearse(self.model, self.net_class, self.params, self.prepared.spec)
        fitted = single_fit.finished_network(
            self.model,
            self.params,
            self.trained,
            self.prepared,
            self.options(),
        )
        return fitted.bundle

    @cached_property
    def prepared(self) -> preparing.Prepared:
        """The training data as records and features."""
        source = sources.open_source(self.path)
        return preparing.prepare(source, self.options())

    @cached_property
    def params(self) -> object:
        """The parameters of the model, each at its default."""
        return make_params(self.model, {})

    def fresh(self, seed: int = 0) -> Any:
        """A new network of the model with its first weights. seed: of these."""
        from aetool import training

        net = training.make(self.net_class, self.prepared.spec, self.params, seed)
        return net.eval()

    @cached_property
    def trained(self) -> Any:
        """The network, trained once on the bench's data; the bundle is made of it."""
        return single_fit.trained_network(
            self.params, self.net_class, self.prepared, self.options()
        )

    def few(self) -> preparing.Prepared:
        """The first FEW (80) records of the training data, prepared; their features are a copy."""
        prepared = self.prepared
        # a copy, so that a fit which changes it spoils no other check
        features = prepared.features[:FEW].copy()
        return dataclasses.replace(prepared, features=features, inputs=prepared.inputs[:FEW])

    def small_fit(self) -> list[bytes]:
        """Fit the model briefly on FEW (80) records, and return what it learned, as bytes, to
        compare two fits: of a network its weights, array by array; of a closed form, or a model
        that joins others, its ONNX graphs."""
        if self.model.members:
            path = self.write(f"few-{self.kind}", table_rows(FEW), pictures(FEW))
            bundle = operations.fit(path, self.options())
            return list(bundle.graphs.values())
        if not self.deep:
            every_row = np.ones(FEW, dtype=bool)
            graphs, _ = single_fit.solve(self.net_class, self.params, self.few(), every_row)
            return list(graphs.values())
        options = dataclasses.replace(self.options(), epochs=FEW_EPOCHS)
        trained = single_fit.trained_network(self.params, self.net_class, self.few(), options)
        weights = trained.net.state_dict()
        return [tensor.numpy().tobytes() for tensor in weights.values()]

    def loss(self, net: AutoEncoder, rows: Tensor, rng: Generator) -> Tensor:
        """The network's loss of each row, (rows,), none of them labelled. rng: of its draws."""
        from aetool.nn.calls import loss_of

        return loss_of(net, rows, rng)

    def batch(self, rows: int = 17) -> Tensor:
        """The features of the first records, at most `rows` of them: (rows, features), or pictures
        (rows, C, H, W)."""
        import torch

        return torch.from_numpy(self.prepared.features[:rows])

    def parts(self, rows: Array) -> Array:
        """The parts of records, (rows, columns + 1), by the exported score graph. rows: as the
        graph takes them."""
        session = self.bundle.session("score.onnx", "cpu")
        return session(rows)["parts"]


def is_light(model: str | Model) -> None:
    """Torch may not be imported by the module that declares the model, only by the one that `net`
    names."""
    if isinstance(model, Model):
        raise NotApplicable("it is not installed")
    modules = [entry.module for name, entry in plugins.available().items() if name == model]
    if not modules:
        raise NotApplicable("a plugin of another name declares it")
    code = (
        f"import sys, importlib; sys.path[:] = {sys.path!r}\n"
        f"importlib.import_module({modules[0]!r})\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    # in a process of its own, as torch is there in this one
    error = _error_of(code)
    assert not error, error.splitlines()[-1]


def is_documented(model: Model) -> None:
    """Give the Model a summary and each field of Params a help text: param(default, "help"); a
    missing one fails."""
    assert model.summary, "the model has no summary"
    for name, _, _, help_ in describe_params(model):
        assert help_, f"parameter {name} has no help"


def a_dry_run_goes_through(bench: _Bench) -> None:
    """Every member must do on a few rows what the host asks of it, without an error. Not for models
    that join others."""
    if bench.model.members:
        raise NotApplicable("it joins other models")
    try:
        rehearsal.rehearse(bench.model, bench.net_class, bench.params, bench.prepared.spec, True)
    except PluginError as error:
        bench.failed = "a dry run"
        raise CheckError(str(error), "") from error
    bench.is_rehearsed = True


def context_and_a_condition_are_taken(bench: _Bench) -> None:
    """A dry run must go through on records with those before them, and a column that they are
    judged by: the width of x is self.spec.features, and self.spec.owners() says which of them are
    scored."""
    if bench.model.members:
        raise NotApplicable("it joins other models")
    options = dataclasses.replace(bench.options(), context=BEFORE, condition=CONDITION)
    spec = preparing.prepare(sources.open_source(bench.path), options).spec
    try:
        rehearsal.rehearse(bench.model, bench.net_class, bench.params, spec)
    except PluginError as error:
        raise CheckError(str(error), "") from error


def it_fits_and_exports(bench: _Bench) -> None:
    """The model must be fitted on a small file without an error."""
    try:
        assert bench.bundle.graphs, "the fit made no graph"
    except Exception as error:  # a plugin may fail in any way
        bench.failed = "a fit"
        message = str(error) if isinstance(error, AetoolError) else told(error)
        raise CheckError(message, "") from error


def parts_are_shaped_and_finite(bench: _Bench) -> None:
    """parts must return (batch, columns + 1), all finite: a cost for each column, and last what all
    share."""
    columns = len(bench.prepared.spec.columns)
    parts = bench.parts(bench.prepared.inputs[:33])
    assert parts.shape == (33, columns + 1), f"parts has shape {parts.shape}"
    assert np.isfinite(parts).all(), "parts are not finite"


def loss_is_shaped_and_reproducible(bench: _Bench) -> None:
    """loss must return (batch,), finite, and draw only from the generator it is given:
    generator=rng. For networks alone."""
    _only_for_networks(bench)
    import torch

    net = bench.fresh()
    x = bench.batch()
    first = bench.loss(net, x, torch.Generator().manual_seed(5))
    second = bench.loss(net, x, torch.Generator().manual_seed(5))
    assert first.shape == (len(x),), f"loss has shape {tuple(first.shape)}"
    assert torch.isfinite(first).all(), "loss is not finite"
    assert torch.equal(first, second), "two losses with the same generator differ"


def score_is_deterministic(bench: _Bench) -> None:
    """parts of the same rows must be equal each time, so it must not draw: average over fixed draws
    kept as a buffer, or use the mean."""
    if bench.deep:
        import torch

        net = bench.fresh()
        x = bench.batch()
        with torch.no_grad():
            assert torch.equal(net.parts(x), net.parts(x)), "two scores of the same rows differ"
    rows = bench.prepared.inputs[:50]
    first = bench.parts(rows)
    second = bench.parts(rows)
    assert np.array_equal(first, second), "two scores of the same rows differ"


def score_is_independent_of_batch_mates(bench: _Bench) -> None:
    """A row's parts must not depend on the rows beside it or on their order: no statistic of the
    batch belongs in encode, decode or parts (BatchNorm in eval mode has none)."""
    if bench.deep:
        import torch

        net = bench.trained.net
        x = bench.batch()
        with torch.no_grad():
            together = net.parts(x)
            alone = torch.cat([net.parts(row[None]) for row in x])
        # torch adds up otherwise where a batch has another size: nearly equal is equal here
        assert torch.allclose(together, alone, rtol=TOLERANCE, atol=TOLERANCE), (
            "a row's score depends on the rows beside it"
        )
    rows = bench.prepared.inputs[:40]
    in_batch = bench.parts(rows)
    one_by_one = np.concatenate([bench.parts(row[None]) for row in rows])
    assert np.array_equal(in_batch, one_by_one), "a row alone scores otherwise than in a batch"
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = bench.parts(rows[order])
    assert np.array_equal(shuffled, in_batch[order]), "order changes a score"


def outliers_outscore_training_data(bench: _Bench) -> None:
    """A larger score must mean more anomalous, and far outliers have a median above 95 % of the
    training data: is a sign wrong, or does the model see its target?"""
    usual = operations.score(bench.path, bench.bundle, "cpu")
    rng = np.random.default_rng(1)
    ordinary = table_rows(20, 1)
    # 50 deviations away, in one of five columns
    far_numbers = 50 + rng.normal(size=20)
    far = Cells.of([f"{number:.3f}" for number in far_numbers])
    time, _, *others = ordinary.values
    odd = Table(ordinary.names, (time, far, *others))
    noise = 255 * rng.integers(0, 2, (20, 1, SIDE, SIDE), dtype=np.uint8)
    path = bench.write("odd", odd, noise)
    scores = operations.score(path, bench.bundle, "cpu")
    assert np.median(scores) > np.quantile(usual, 0.95), (
        "far outliers do not outscore usual records"
    )


def several_fits_of_one_seed_agree(bench: _Bench) -> None:
    """Fits with the same seed must give the same bytes: draw weights in build, and everything else
    from the generator that is given; in a closed form from numpy.random.default_rng(0). Do not
    iterate over sets."""
    fits = []
    for seed in SEEDS:
        with _global_seed(bench.deep, seed):
            fits.append(bench.small_fit())
    assert all(fit == fits[0] for fit in fits), "the same seed gave another model"


def nothing_is_changed_in_place(bench: _Bench) -> None:
    """Rows must be the same after a fit and a score: work on copies, x = x.clone(), or
    batch.copy(); use no operation with a trailing _."""
    rows = bench.few()
    before = rows.features.copy()
    if bench.deep:
        import torch

        net = bench.fresh()
        x = torch.from_numpy(rows.features)
        net.start(x)
        bench.loss(net, x, torch.Generator().manual_seed(1))
        net.parts(x)
        if net.code is not None:
            net.encode(x)
    elif bench.model.members:
        raise NotApplicable("it joins other models")
    else:
        single_fit.solve(bench.net_class, bench.params, rows, np.ones(FEW, dtype=bool))
    assert np.array_equal(before, rows.features), "rows were changed in place"


def the_code_tells_records_apart(bench: _Bench) -> None:
    """Of the first FEW (80) records not all may have one code, nor be restored alike: one feature
    at least must vary by a deviation above LEAST_SPREAD (1e-4). Is the code cut off, multiplied by
    0, or not used by decode? Not for models without a code."""
    if "encoder.onnx" not in bench.bundle.graphs:
        raise NotApplicable("it has no code")
    inputs = bench.prepared.inputs[:FEW]
    encoder = bench.bundle.session("encoder.onnx", "cpu")
    codes = encoder(inputs)["z"]
    different = np.unique(codes, axis=0)
    assert len(different) > 1, f"{len(codes)} different records have one code"
    schema = bench.prepared.schema
    condition = None
    if schema is not None:
        # one condition for all, so that differences are those of the codes
        condition = np.repeat(inputs[:1, schema.conditions], len(codes), axis=0)
    restored = decoding.decoded(bench.bundle, codes, "cpu", condition)["likely"]
    spread = float(restored.std(axis=0).max())
    assert spread > LEAST_SPREAD, "all codes are restored to the same record"


def global_generators_are_left_alone(bench: _Bench) -> None:
    """The global generators of torch and numpy must not be used: pass generator=rng to torch.randn
    and its like; use numpy.random.default_rng."""
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    if bench.deep:
        import torch

        state = torch.get_rng_state()
        net = bench.fresh()
        x = bench.batch()
        rng = torch.Generator().manual_seed(1)
        net.start(x)
        bench.loss(net, x, rng).mean().backward()  # type: ignore[no-untyped-call]
        net.parts(x)
        assert torch.equal(state, torch.get_rng_state()), "torch's global generator was used"
    else:
        bench.small_fit()
    after = np.random.get_state()[1]  # type: ignore[index]
    assert np.array_equal(before, after), "numpy's global generator was used"


def training_lowers_the_loss(bench: _Bench) -> None:
    """The loss must be lower after training than before: look for a wrong sign, a detached tensor,
    or a term that explodes. For networks alone."""
    _only_for_networks(bench)
    import torch

    from aetool import training

    x = bench.batch(200)

    def mean_loss(net: Any) -> float:
        """The mean loss of the rows, in nats, by the same draws for every network."""
        # the same draws for all that are compared
        rng = torch.Generator().manual_seed(0)
        with torch.no_grad():
            return float(bench.loss(net, x, rng).mean())

    started = bench.fresh()
    training.start(started, x)
    # random weights may do well while they are free of a constraint that start brings in
    before = max(mean_loss(bench.fresh()), mean_loss(started))
    after = mean_loss(bench.trained.net)
    assert after < before, f"training raised the loss from {before:.4g} to {after:.4g}"


def every_weight_is_trained(bench: _Bench) -> None:
    """Each parameter needs a gradient from the loss that is not 0; make constants buffers. For
    networks alone."""
    _only_for_networks(bench)
    import torch

    net = bench.fresh()
    x = bench.batch(64)
    # under one draw a unit may happen to be switched off
    for seed in range(3):
        rng = torch.Generator().manual_seed(seed)
        loss = bench.loss(net, x, rng).mean()
        loss.backward()  # type: ignore[no-untyped-call]
    idle = []
    for name, parameter in net.named_parameters():
        gradient = parameter.grad
        # not "== 0": a sum that is no number is no gradient, either
        if gradient is None or not gradient.abs().sum() > 0:
            idle.append(name)
    # scales of numbers are there, and idle, where the error is a plain one
    assert not idle or net.params.error != "bits", f"no gradient reaches {', '.join(idle)}"


def a_posterior_if_any_pays_its_divergence(bench: _Bench) -> None:
    """A model with a Gaussian posterior(x) -> (mean, log variance) must add its KL to the standard
    normal to what all columns share, the last of parts."""
    _only_for_networks(bench)
    if not hasattr(bench.net_class, "posterior"):
        raise NotApplicable("it has no posterior")
    import torch
    from torch.distributions import Normal, kl_divergence

    net = bench.trained.net
    x = bench.batch()
    standard_normal = Normal(torch.zeros(()), torch.ones(()))
    with torch.no_grad():
        mean, log_var = net.posterior(x)
        deviation = (0.5 * log_var).exp()
        posterior = Normal(mean, deviation)
        kl = kl_divergence(posterior, standard_normal).sum(dim=1)
        shared = net.parts(x)[:, -1]
    assert (shared >= 0).all() and float(shared.mean()) > 1e-3, "the KL term is dead"
    assert torch.allclose(shared, kl, rtol=1e-3, atol=1e-4), "the shared part is not the KL"


def graphs_agree_with_the_network(bench: _Bench) -> None:
    """The exported graph must give what the network gives, up to 1e-4; where it does not, tracing
    fixed something that depends on the data: no Python branch on a tensor's values."""
    _only_for_networks(bench)
    import torch

    net = bench.trained.net
    schema = bench.prepared.schema
    fitted_rows = schema.rows if schema else 0
    for rows in (1, 2, 17):
        with torch.no_grad():
            by_network = net.parts(bench.batch(rows)).double().numpy()
        if net.params.error == "bits":
            # of which the graph lets no column drown the others
            by_network = cap(by_network / np.log(2), knee(fitted_rows))
        by_graph = bench.parts(bench.prepared.inputs[:rows])
        size = np.maximum(1, np.abs(by_network))
        error = float((np.abs(by_graph - by_network) / size).max())
        assert error <= TOLERANCE, f"graph and network differ by {error:.2g} at {rows} rows"


def bundle_round_trips(bench: _Bench) -> None:
    """A bundle that is stored and read must be the same and score the same: Params must be plain
    values, numbers, texts, booleans, or tuples of whole numbers."""
    data = bench.bundle.to_bytes()
    again = bundles.from_bytes(data, "again")
    assert again.to_bytes() == data, "a bundle read back is another"
    scores = operations.score(bench.path, bench.bundle, "cpu")
    scores_again = operations.score(bench.path, again, "cpu")
    assert np.array_equal(scores_again, scores), "its scores differ"


def archives_round_trip(bench: _Bench) -> None:
    """Archives of codes must restore every row, nearer than the mean of each column:
    decode(encode(x)) must give back the layout of x; a code is float, or whole numbers."""
    target = bench.folder / "data.aez"
    back = target.with_suffix(".out")
    operations.compress(bench.path, target, options=operations.CompressOptions(force=True))
    operations.decompress(target, back, force=True)
    if back.read_bytes() != bench.path.read_bytes():
        raise CheckError(
            "lossless compression lost something", "No model takes part in that: report a bug."
        )
    if bench.bundle.latent == 0:
        raise NotApplicable("it has no code to store")
    lossy = operations.CompressOptions(
        lossy_only=True,
        force=True,
        embed=True,
        device="cpu",
        effort=planning.FAST,
    )
    facts = operations.compress(bench.path, target, bench.bundle, lossy)
    if not 0 <= facts["error"] < 1:
        raise CheckError(
            f"the code restores no more than the mean of each column: {facts['error']:.3g}",
            "Does decode(encode(x)) come near x? Is the code large enough, and used?",
        )
    operations.decompress(target, back, force=True, device="cpu")
    scores = operations.score(back, bench.bundle, "cpu")
    assert len(scores) == facts["rows"], "rows were lost"


def works_without_torch_and_plugin(bench: _Bench) -> None:
    """A saved model must detect where neither torch nor the plugin can be imported: what it does
    must be in its graphs."""
    path = bench.folder / "model.aem"
    bench.bundle.save(path, force=True)
    module, _, _ = bench.model.net.partition(":")
    package, _, _ = module.partition(".")
    # a module that is None cannot be imported
    code = (
        "import sys\n"
        f"sys.modules['torch'] = None; sys.modules[{package!r}] = None\n"
        "from aetool import bundle, operations\n"
        f"found = operations.detect({str(bench.path)!r}, bundle.load({str(path)!r}), top=1)\n"
        "assert len(found.row) == 1\n"
    )
    error = _error_of(code)
    assert not error, error


def odd_tables_are_fitted_or_refused(bench: _Bench) -> None:
    """One row, a constant column, nothing but gaps: each must be fitted and scored with finite
    scores, or be refused by an AetoolError."""
    ordinary = table_rows(60)
    sevens = Cells.of(["7"] * 60)
    nothing = Cells.of([""] * 60)
    # that one record tells nothing is no news to who checks a plugin
    with notices.heard_by(lambda source, remark: None):
        _is_fitted(bench, "one", ordinary.take(slice(0, 1)))
    both = Table(("k", *ordinary.names, "none"), (sevens, *ordinary.values, nothing))
    # a fit takes long: each of the two has one of its own where they are refused together
    if not _is_fitted(bench, "constants", both):
        _is_fitted(bench, "constant", Table(both.names[:-1], both.values[:-1]))
        _is_fitted(bench, "gaps", Table(both.names[1:], both.values[1:]))


def _is_fitted(bench: _Bench, name: str, table: Table) -> bool:
    """Whether the model is fitted on a table, whose scores must then be finite, or AssertionError;
    False where it is refused by an AetoolError. name: of its file."""
    path = bench.write(name, table, None)
    try:
        bundle = operations.fit(path, bench.options())
    except AetoolError:
        return False
    scores = operations.score(path, bundle, "cpu")
    assert np.isfinite(scores).all(), f"the table {path.name} gives scores that are not finite"
    return True


def samples_are_of_the_kind_of_the_data(bench: _Bench) -> None:
    """Samples repeat under a seed, differ from one another, and can be scored; those of a table
    have its categories and whole counts. `prior` says what is drawn: "codes" suits any decoder;
    "graph" and "features" need each code or feature to depend on those before it alone."""

    asked = operations.SampleOptions(40, seed=1, device="cpu")
    drawn = operations.sample(bench.bundle, asked)
    again = operations.sample(bench.bundle, asked)
    assert len(drawn) == 40, f"{len(drawn)} samples where 40 were asked for"
    asked_near = operations.SampleOptions(like=bench.path, device="cpu")
    near = operations.sample(bench.bundle, asked_near)
    if isinstance(drawn, np.ndarray) or isinstance(near, np.ndarray):
        assert np.array_equal(drawn, again), "the same seed draws other samples"
        assert drawn.shape[1:] == near.shape[1:], "samples near records have another shape"
        assert np.std(drawn) > 0, "all samples are alike"
        return
    assert not isinstance(again, np.ndarray) and drawn.equals(again), (
        "the same seed draws other samples"
    )
    levels = set(table_rows()["level"].strings())  # type: ignore[union-attr]
    for frame, rows in ((drawn, 40), (near, ROWS)):
        path = bench.folder / "drawn.csv"
        frame.to_csv(path, index=False)
        scores = operations.score(path, bench.bundle, "cpu")
        assert len(scores) == rows and np.isfinite(scores).all(), "samples cannot be scored"
        assert set(frame["level"].dropna()) <= levels, "a sample has a category that is none"
        assert (frame["count"].dropna() % 1 == 0).all(), "a count of a sample is not whole"


def _only_for_networks(bench: _Bench) -> None:
    """Raise NotApplicable for a model that is no network."""
    if not bench.deep:
        raise NotApplicable("it is no network")


def _error_of(code: str) -> str:
    """Run Python code in a process of its own: what it writes to standard error where it fails, or
    that it failed; "" where it does not."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.returncode:
        return ""
    return done.stderr.strip() or f"it ended with status {done.returncode}"


@contextlib.contextmanager
def _global_seed(torch_too: bool, seed: int) -> Iterator[None]:
    """Context manager: within the block the global random generators of Python and numpy, and of
    torch if `torch_too`, have this seed; afterwards their states are restored."""
    numpy_state = np.random.get_state()
    python_state = random.getstate()
    np.random.seed(seed)
    random.seed(seed)
    try:
        if not torch_too:
            yield
            return
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def told(error: Exception) -> str:
    """The class and the first line of the message of an exception, for messages, such as
    "ValueError: no rows"."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


# those that build on others come after them
_CHECKS: tuple[Callable[[_Bench], None], ...] = (
    a_dry_run_goes_through,
    it_fits_and_exports,
    parts_are_shaped_and_finite,
    loss_is_shaped_and_reproducible,
    score_is_deterministic,
    score_is_independent_of_batch_mates,
    outliers_outscore_training_data,
    the_code_tells_records_apart,
    several_fits_of_one_seed_agree,
    nothing_is_changed_in_place,
    global_generators_are_left_alone,
    training_lowers_the_loss,
    every_weight_is_trained,
    a_posterior_if_any_pays_its_divergence,
    graphs_agree_with_the_network,
    bundle_round_trips,
    archives_round_trip,
    samples_are_of_the_kind_of_the_data,
    works_without_torch_and_plugin,
)
_TABLE_CHECKS: tuple[Callable[[_Bench], None], ...] = (
    context_and_a_condition_are_taken,
    odd_tables_are_fitted_or_refused,
)
_QUICK = {
    a_dry_run_goes_through,
    context_and_a_condition_are_taken,
    loss_is_shaped_and_reproducible,
    several_fits_of_one_seed_agree,
    nothing_is_changed_in_place,
    global_generators_are_left_alone,
    every_weight_is_trained,
}
