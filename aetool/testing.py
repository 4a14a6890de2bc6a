"""Conformance: what every model must do, as one check each, for authors' own test suites.

import pytest
from aetool.testing import conformance

@pytest.mark.parametrize("case", conformance("mymodel"), ids=str)
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
from aetool.closed_form import ClosedForm
from aetool.codec import decoding, planning
from aetool.data import sources
from aetool.data.images import Pixels
from aetool.data.table import Cells, Table
from aetool.errors import AetoolError, PluginError
from aetool.fits import fitting, preparing, single_fit
from aetool.model import Model, describe_params, make_params
from aetool.rarity import cap, knee

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from aetool.nn import AutoEncoder

ROWS, PICTURES, SIDE = 400, 96, 8
FEW = 80  # records of the small fits that are compared with each other
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
        super().__init__(message)
        self.advice = advice


class NotApplicable(SkipTest):
    """A check that does not apply to this model; test runners count it as skipped."""


@dataclass(frozen=True)
class Case:
    """One check of one model on one kind of data ("declaration", "table" or "image"); run() raises
    AssertionError if it fails, and unittest.SkipTest if it does not apply."""

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
        """Run the check, unless one that it builds on has failed."""
        failed = getattr(self.bench, "failed", "")
        if failed:
            raise NotApplicable(f"waits for: {failed}")
        self.check(self.bench)

    def __str__(self) -> str:
        return self.name


def conformance(model: str | Model) -> Iterator[Case]:
    """Yield a Case for every check that the model must pass. model: an installed plugin's name, or
    a Model.

    Raises PluginError where its declaration cannot be used.
    """
    declared = plugins.get_model(model) if isinstance(model, str) else model
    declarations.check_model(declared)
    yield Case("declaration", is_light, model)
    yield Case("declaration", is_documented, declared)
    for kind in sorted(declared.data & {"table", "image"}, reverse=True):
        bench = _Bench(declared, kind)
        for check in (*_CHECKS, *(_TABLE_CHECKS if kind == "table" else ())):
            yield Case(kind, check, bench, check in _QUICK)


def table_rows(rows: int = ROWS, seed: int = 0) -> Table:
    """A small table of every kind of column: related numbers, a category, a date, gaps."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=rows)
    b = 2 * a + 0.1 * rng.normal(size=rows)
    count = rng.poisson(3, rows)
    level = np.array(["red", "green", "blue"])[(a > 0.3).astype(int) + (a > 1)]
    gap = [None if rng.random() < 0.1 else f"{v:.2f}" for v in b]
    start = np.datetime64("2024-01-01T00:00")
    time = [str(start + np.timedelta64(int(h), "h")) for h in range(rows)]
    return Table(
        ("time", "a", "b", "count", "level"),
        (
            Cells.of(time),
            Cells.of([f"{v:.3f}" for v in a]),
            Cells.of([v or "" for v in gap]),
            Cells.of([str(v) for v in count]),
            Cells.of(level.tolist()),
        ),
    )


def pictures(count: int = PICTURES, seed: int = 0) -> Pixels:
    """Small gray pictures of a soft blob each, (count, 1, 8, 8) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    centre = rng.uniform(2, 5, (count, 2, 1, 1))
    blob = np.exp(-((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2) / 4)
    pixels: Pixels = (255 * blob[:, None]).astype(np.uint8)
    return pixels


class _Bench:
    """A model under test with the data to try it on, and what was fitted so far, which checks
    share."""

    def __init__(self, model: Model, kind: str) -> None:
        self.model = model
        self.kind = kind
        self.failed = ""  # the check that all others build on, once it has failed
        self.is_rehearsed = False  # whether a dry run went through

    @cached_property
    def net_class(self) -> Any:
        return plugins.resolve(self.model.net)

    @property
    def deep(self) -> bool:
        if self.model.members:
            return False
        return not (isinstance(self.net_class, type) and issubclass(self.net_class, ClosedForm))

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
        """Write these records to a file of the bench's kind, and return its path."""
        if pixels is not None and self.kind == "image":
            path = self.folder / f"{name}.npy"
            np.save(path, pixels[:, 0])
            return path
        path = self.folder / f"{name}.csv"
        lines = [",".join(table.names)]
        cells = [v.strings() if isinstance(v, Cells) else map(str, v) for v in table.values]
        lines += [",".join(row) for row in zip(*cells, strict=True)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        return path

    def options(self, seed: int = 0) -> fitting.FitOptions:
        return fitting.FitOptions(
            plugin=self.model,
            condition=self.condition,
            epochs=EPOCHS[self.kind],
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
        if not self.is_rehearsed:  # a check that is chosen alone has had no dry run before it
            rehearsal.rehearse(self.model, self.net_class, self.params, self.prepared.spec)
        fitted = single_fit.finished_network(
            self.model, self.params, self.trained, self.prepared, self.options()
        )
        return fitted.bundle

    @cached_property
    def prepared(self) -> preparing.Prepared:
        source = sources.open_source(self.path)
        return preparing.prepare(source, self.options())

    @cached_property
    def params(self) -> object:
        return make_params(self.model, {})

    def fresh(self, seed: int = 0) -> Any:
        """A new network of the model with its first weights. seed: of these."""
        from aetool import training

        return training.make(self.net_class, self.prepared.spec, self.params, seed).eval()

    @cached_property
    def trained(self) -> Any:
        """The network, trained once on the bench's data; the bundle is made of it."""
        return single_fit.trained_network(
            self.params, self.net_class, self.prepared, self.options()
        )

    def few(self) -> preparing.Prepared:
        """The first records of the training data, prepared."""
        rows = self.prepared
        return dataclasses.replace(
            rows, features=rows.features[:FEW].copy(), inputs=rows.inputs[:FEW]
        )

    def small_fit(self) -> list[bytes]:
        """Fit the model briefly on few records, and return the arrays that it learned, as bytes, to
        compare two fits."""
        if self.model.members:
            name = f"few-{self.kind}"
            path = self.write(name, table_rows(FEW), pictures(FEW))
            return list(operations.fit(path, self.options()).graphs.values())
        if not self.deep:
            graphs, _ = single_fit.solve(
                self.net_class, self.params, self.few(), np.ones(FEW, dtype=bool)
            )
            return list(graphs.values())
        options = dataclasses.replace(self.options(), epochs=FEW_EPOCHS)
        trained = single_fit.trained_network(self.params, self.net_class, self.few(), options)
        return [v.numpy().tobytes() for v in trained.net.state_dict().values()]

    def loss(self, net: AutoEncoder, rows: Tensor, rng: Generator) -> Tensor:
        """The network's loss of each row, (rows,), none of them labelled."""
        from aetool.nn.calls import loss_of

        return loss_of(net, rows, rng)

    def batch(self, rows: int = 17) -> Tensor:
        import torch

        return torch.from_numpy(self.prepared.features[:rows])


def is_light(model: str | Model) -> None:
    """Import torch in the module that `net` names, not in the one that declares the model."""
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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr.strip().splitlines()[-1]


def is_documented(model: Model) -> None:
    """Give the Model a summary and each field of Params a help text: param(default, "help")."""
    assert model.summary, "the model has no summary"
    for name, _, _, help_ in describe_params(model):
        assert help_, f"parameter {name} has no help"


def a_dry_run_goes_through(bench: _Bench) -> None:
    """Every member must do on a few rows what the host asks of it."""
    if bench.model.members:
        raise NotApplicable("it joins other models")
    try:
        rehearsal.rehearse(bench.model, bench.net_class, bench.params, bench.prepared.spec, True)
    except PluginError as error:
        bench.failed = "a dry run"
        raise CheckError(str(error), "") from error
    bench.is_rehearsed = True


def context_and_a_condition_are_taken(bench: _Bench) -> None:
    """A dry run on records with those before them, and a column that they are judged by: the width
    of x is self.spec.features, and which of them are scored is told by self.spec.owners()."""
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
    """parts returns (batch, columns + 1): a cost for each column, and last what all share."""
    columns = len(bench.prepared.spec.columns)
    session = bench.bundle.session("score.onnx", "cpu")
    parts = session(bench.prepared.inputs[:33])["parts"]
    assert parts.shape == (33, columns + 1), f"parts has shape {parts.shape}"
    assert np.isfinite(parts).all(), "parts are not finite"


def loss_is_shaped_and_reproducible(bench: _Bench) -> None:
    """loss returns (batch,), and draws only from the generator it is given: generator=rng."""
    _only_for_networks(bench)
    import torch

    net = bench.fresh()
    x = bench.batch()
    draws = [bench.loss(net, x, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert draws[0].shape == (len(x),), f"loss has shape {tuple(draws[0].shape)}"
    assert torch.isfinite(draws[0]).all(), "loss is not finite"
    assert torch.equal(*draws), "two losses with the same generator differ"


def score_is_deterministic(bench: _Bench) -> None:
    """parts must not draw: average over fixed draws kept as a buffer, or use the mean."""
    if bench.deep:
        import torch

        net = bench.fresh()
        x = bench.batch()
        with torch.no_grad():
            assert torch.equal(net.parts(x), net.parts(x)), "two scores of the same rows differ"
    session = bench.bundle.session("score.onnx", "cpu")
    first, second = (session(bench.prepared.inputs[:50])["parts"] for _ in range(2))
    assert np.array_equal(first, second), "two scores of the same rows differ"


def score_is_independent_of_batch_mates(bench: _Bench) -> None:
    """No statistic of the batch belongs in encode, decode or parts (BatchNorm in eval mode has
    none)."""
    if bench.deep:
        import torch

        net = bench.trained.net
        x = bench.batch()
        with torch.no_grad():
            alone = torch.cat([net.parts(x[i : i + 1]) for i in range(len(x))])
            assert torch.allclose(net.parts(x), alone, rtol=TOLERANCE, atol=TOLERANCE), (
                "a row's score depends on the rows beside it"
            )
    session = bench.bundle.session("score.onnx", "cpu")
    rows = bench.prepared.inputs[:40]
    together = session(rows)["parts"]
    single = np.concatenate([session(rows[i : i + 1])["parts"] for i in range(len(rows))])
    assert np.array_equal(together, single), "a row alone scores otherwise than in a batch"
    order = np.random.default_rng(0).permutation(len(rows))
    assert np.array_equal(session(rows[order])["parts"], together[order]), "order changes a score"


def outliers_outscore_training_data(bench: _Bench) -> None:
    """A larger score means more anomalous: is a sign wrong, or does the model see its target?"""
    usual = operations.score(bench.path, bench.bundle, "cpu")
    rng = np.random.default_rng(1)
    odd = table_rows(20, 1)
    far = Cells.of([f"{v:.3f}" for v in 50 + rng.normal(size=20)])
    odd = Table(odd.names, (odd["time"], far, odd["b"], odd["count"], odd["level"]))
    noise = 255 * rng.integers(0, 2, (20, 1, SIDE, SIDE), dtype=np.uint8)
    scores = operations.score(bench.write("odd", odd, noise), bench.bundle, "cpu")
    assert np.median(scores) > np.quantile(usual, 0.95), (
        "far outliers do not outscore usual records"
    )


def several_fits_of_one_seed_agree(bench: _Bench) -> None:
    """Draw weights in build, and everything else from the generator that is given; in a closed form
    from numpy.random.default_rng(0). Do not iterate over sets."""
    fits = []
    for seed in SEEDS:
        with _global_seed(bench.deep, seed):
            fits.append(bench.small_fit())
    assert all(fit == fits[0] for fit in fits), "the same seed gave another model"


def nothing_is_changed_in_place(bench: _Bench) -> None:
    """Work on copies: x = x.clone(), or batch.copy(); use no operation with a trailing _."""
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
    """Different records need different codes, and those must be restored differently: is the code
    cut off, multiplied by 0, or not used by decode?"""
    if "encoder.onnx" not in bench.bundle.graphs:
        raise NotApplicable("it has no code")
    inputs = bench.prepared.inputs[:FEW]
    codes = bench.bundle.session("encoder.onnx", "cpu")(inputs)["z"]
    assert len(np.unique(codes, axis=0)) > 1, f"{len(codes)} different records have one code"
    schema = bench.prepared.schema
    condition = None
    if schema is not None:  # one condition for all, that differences are those of the codes
        condition = np.repeat(inputs[:1, schema.conditions], len(codes), axis=0)
    restored = decoding.decoded(bench.bundle, codes, "cpu", condition)["likely"]
    apart = float(restored.std(axis=0).max())
    assert apart > LEAST_SPREAD, "all codes are restored to the same record"


def global_generators_are_left_alone(bench: _Bench) -> None:
    """Pass generator=rng to torch.randn and its like; use numpy.random.default_rng."""
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
    """The loss must fall: look for a wrong sign, a detached tensor, or a term that explodes."""
    _only_for_networks(bench)
    import torch

    from aetool import training

    def loss(net: Any) -> float:
        with torch.no_grad():
            rng = torch.Generator().manual_seed(0)
            return float(bench.loss(net, bench.batch(200), rng).mean())

    started = bench.fresh()
    training.start(started, bench.batch(200))
    # random weights may do well while they are free of a constraint that start brings in
    before = max(loss(bench.fresh()), loss(started))
    after = loss(bench.trained.net)
    assert after < before, f"training raised the loss from {before:.4g} to {after:.4g}"


def every_weight_is_trained(bench: _Bench) -> None:
    """Each parameter needs a gradient from the loss; make constants buffers."""
    _only_for_networks(bench)
    import torch

    net = bench.fresh()
    for seed in range(3):
        loss = bench.loss(net, bench.batch(64), torch.Generator().manual_seed(seed)).mean()
        loss.backward()  # type: ignore[no-untyped-call]
    idle = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not idle or net.params.error != "bits", f"no gradient reaches {', '.join(idle)}"


def a_posterior_if_any_pays_its_divergence(bench: _Bench) -> None:
    """A model with a Gaussian posterior(x) -> (mean, log variance) must add KL to its score."""
    _only_for_networks(bench)
    if not hasattr(bench.net_class, "posterior"):
        raise NotApplicable("it has no posterior")
    import torch
    from torch.distributions import Normal, kl_divergence

    net = bench.trained.net
    x = bench.batch()
    with torch.no_grad():
        mean, log_var = net.posterior(x)
        there = Normal(mean, (0.5 * log_var).exp())
        kl = kl_divergence(there, Normal(torch.zeros(()), torch.ones(()))).sum(dim=1)
        shared = net.parts(x)[:, -1]
    assert (shared >= 0).all() and float(shared.mean()) > 1e-3, "the KL term is dead"
    assert torch.allclose(shared, kl, rtol=1e-3, atol=1e-4), "the shared part is not the KL"


def graphs_agree_with_the_network(bench: _Bench) -> None:
    """Tracing fixed something that depends on the data: no Python branch on a tensor's values."""
    _only_for_networks(bench)
    import torch

    net = bench.trained.net
    session = bench.bundle.session("score.onnx", "cpu")
    schema = bench.prepared.schema
    for rows in (1, 2, 17):
        with torch.no_grad():
            parts = net.parts(bench.batch(rows)).double().numpy()
        wanted = parts
        if net.params.error == "bits":  # of which the graph lets no column drown the others
            wanted = cap(parts / np.log(2), knee(schema.rows if schema else 0))
        got = session(bench.prepared.inputs[:rows])["parts"]
        off = np.abs(got - wanted) / np.maximum(1, np.abs(wanted))
        assert off.max() <= TOLERANCE, f"graph and network differ by {off.max():.2g} at {rows} rows"


def bundle_round_trips(bench: _Bench) -> None:
    """Params must be plain values: numbers, texts, booleans, or tuples of whole numbers."""
    data = bench.bundle.to_bytes()
    again = bundles.from_bytes(data, "again")
    assert again.to_bytes() == data, "a bundle read back is another"
    ours = operations.score(bench.path, bench.bundle, "cpu")
    assert np.array_equal(operations.score(bench.path, again, "cpu"), ours), "its scores differ"


def archives_round_trip(bench: _Bench) -> None:
    """decode(encode(x)) must give back the layout of x; a code is float, or whole numbers."""
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
        lossy_only=True, force=True, embed=True, device="cpu", effort=planning.FAST
    )
    facts = operations.compress(bench.path, target, bench.bundle, lossy)
    if not 0 <= facts["error"] < 1:
        raise CheckError(
            f"the code restores no more than the mean of each column: {facts['error']:.3g}",
            "Does decode(encode(x)) come near x? Is the code large enough, and used?",
        )
    operations.decompress(target, back, force=True, device="cpu")
    assert len(operations.score(back, bench.bundle, "cpu")) == facts["rows"], "rows were lost"


def works_without_torch_and_plugin(bench: _Bench) -> None:
    """What the model does must be in its graphs: nothing of the package is there at run time."""
    path = bench.folder / "model.aem"
    bench.bundle.save(path, force=True)
    package = bench.model.net.partition(":")[0].partition(".")[0]
    code = (
        "import sys\n"
        f"sys.modules['torch'] = None; sys.modules[{package!r}] = None\n"
        "from aetool import bundle, operations\n"
        f"found = operations.detect({str(bench.path)!r}, bundle.load({str(path)!r}), top=1)\n"
        "assert len(found.row) == 1\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr.strip()


def odd_tables_are_fitted_or_refused(bench: _Bench) -> None:
    """One row, a constant column, nothing but gaps: each works, or is one clear error."""
    whole = table_rows(60)
    constant = Table(("k", *whole.names), (Cells.of(["7"] * 60), *whole.values))
    gaps = Table((*whole.names, "none"), (*whole.values, Cells.of([""] * 60)))
    for name, table in (("one", whole.take(slice(0, 1))), ("constant", constant), ("gaps", gaps)):
        path = bench.write(name, table, None)
        try:
            bundle = operations.fit(path, bench.options())
        except AetoolError:
            continue
        scores = operations.score(path, bundle, "cpu")
        assert np.isfinite(scores).all(), f"a table with {name} gives scores that are not finite"


def samples_are_of_the_kind_of_the_data(bench: _Bench) -> None:
    """Samples repeat under a seed, differ from one another, and can be scored; those of a table
    have its categories and whole counts. `prior` says what is drawn: "codes" suits any decoder;
    "graph" and "features" need each code or feature to depend on those before it alone."""

    asked = operations.SampleOptions(40, seed=1, device="cpu")
    drawn = operations.sample(bench.bundle, asked)
    again = operations.sample(bench.bundle, asked)
    assert len(drawn) == 40, f"{len(drawn)} samples where 40 were asked for"
    near = operations.sample(bench.bundle, operations.SampleOptions(like=bench.path, device="cpu"))
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
    if not bench.deep:
        raise NotApplicable("it is no network")


@contextlib.contextmanager
def _global_seed(torch_too: bool, seed: int) -> Iterator[None]:
    """Context manager: within the block the global random generators of Python, numpy (and torch)
    have another seed; afterwards their states are restored."""
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
    """The class and message of an exception that is no AetoolError, on one line."""
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
