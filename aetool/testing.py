"""Conformance: what every model must do, as one check each, for authors' own test suites.

import pytest
from aetool.testing import conformance

@pytest.mark.parametrize("case", conformance("mymodel"), ids=str)
def test_conformance(case):
    case.run()
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aetool import bundle as bundles
from aetool import operations, plugins
from aetool.closed_form import ClosedForm
from aetool.data import sources
from aetool.data.table import Cells, Table
from aetool.errors import AetoolError
from aetool.model import Model, describe_params, make_params
from aetool.operations import fitting
from aetool.rarity import cap, knee

ROWS, PICTURES, SIDE = 400, 96, 8
EPOCHS = {"table": 8, "image": 60}
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Case:
    """One check of one model on one kind of data ("declaration", "table" or "image"); run() raises
    AssertionError if it fails. advice: what an author can do about it."""

    kind: str
    check: Callable[..., None]
    bench: Any

    @property
    def title(self) -> str:
        """What is checked, in words."""
        return self.check.__name__.strip("_").replace("_", " ")

    @property
    def name(self) -> str:
        """The kind and the check."""
        return f"{self.kind} {self.title}".replace(" ", "-")

    @property
    def advice(self) -> str:
        """What to do about a failure."""
        return " ".join((self.check.__doc__ or "").split())

    def run(self) -> None:
        """Run the check."""
        self.check(self.bench)

    def __str__(self) -> str:
        return self.name


def conformance(model: str | Model) -> Iterator[Case]:
    """A case for every check that applies to the model: an installed plugin's name, or a Model."""
    declared = plugins.get_model(model) if isinstance(model, str) else model
    yield Case("declaration", is_light, model)
    yield Case("declaration", is_documented, declared)
    for kind in sorted(declared.data & {"table", "image"}, reverse=True):
        bench = _Bench(declared, kind)
        for check in (*_CHECKS, *(_TABLE_CHECKS if kind == "table" else ())):
            yield Case(kind, check, bench)


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


def pictures(count: int = PICTURES, seed: int = 0) -> Any:
    """Small gray pictures of a soft blob each, (count, 1, 8, 8) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    centre = rng.uniform(2, 5, (count, 2, 1, 1))
    blob = np.exp(-((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2) / 4)
    return (255 * blob[:, None]).astype(np.uint8)


class _Bench:
    """A model, the data to try it on, and what has been fitted so far."""

    def __init__(self, model: Model, kind: str) -> None:
        self.model, self.kind = model, kind

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
        """A folder that goes when the bench does."""
        path = tempfile.mkdtemp(prefix="aetool-check-")
        weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        return Path(path)

    @cached_property
    def path(self) -> Path:
        """The training data as a file."""
        return self.write("train", table_rows(), pictures())

    def write(self, name: str, table: Table, pixels: Any) -> Path:
        """A file of these records, of the bench's kind."""
        if self.kind == "image":
            path = self.folder / f"{name}.npy"
            np.save(path, pixels[:, 0])
            return path
        path = self.folder / f"{name}.csv"
        lines = [",".join(table.names)]
        cells = [v.strings() if isinstance(v, Cells) else map(str, v) for v in table.values]
        lines += [",".join(row) for row in zip(*cells, strict=True)]
        path.write_text("\n".join(lines) + "\n")
        return path

    def options(self, seed: int = 0) -> fitting.FitOptions:
        return fitting.FitOptions(
            plugin=self.model, epochs=EPOCHS[self.kind], seed=seed, device="cpu"
        )

    @cached_property
    def bundle(self) -> bundles.Bundle:
        """The model fitted on the file."""
        return operations.fit(self.path, self.options())

    @cached_property
    def prepared(self) -> fitting.Prepared:
        source = sources.open_source(self.path)
        return fitting.prepare(source, self.options())

    @cached_property
    def params(self) -> Any:
        return make_params(self.model, {})

    def fresh(self, seed: int = 0) -> Any:
        """The network with its first weights."""
        from aetool import training

        return training.make(self.net_class, self.prepared.spec, self.params, seed).eval()

    @cached_property
    def trained(self) -> Any:
        """The trained network itself."""
        from aetool import training

        settings = training.Settings(epochs=EPOCHS[self.kind], device="cpu")
        p = self.prepared
        return training.train(self.net_class, p.spec, self.params, p.features, settings)

    def batch(self, rows: int = 17) -> Any:
        import torch

        return torch.from_numpy(self.prepared.features[:rows])


def is_light(model: str | Model) -> None:
    """Import torch in the module that `net` names, not in the one that declares the model."""
    if isinstance(model, Model):
        return
    code = (
        "import sys; from aetool import plugins; "
        f"plugins.get_model({model!r}); assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr.strip().splitlines()[-1]


def is_documented(model: Model) -> None:
    """Give the Model a summary and each field of Params a help text: param(default, "help")."""
    assert model.summary, "the model has no summary"
    for name, _, _, help_ in describe_params(model):
        assert help_, f"parameter {name} has no help"


def parts_are_shaped_and_finite(bench: _Bench) -> None:
    """parts returns (batch, columns + 1): a cost for each column, and last what all share."""
    columns = len(bench.prepared.spec.columns)
    session = bench.bundle.session("score.onnx", "cpu")
    parts = session(bench.prepared.inputs[:33])["parts"]
    assert parts.shape == (33, columns + 1), f"parts has shape {parts.shape}"
    assert np.isfinite(parts).all(), "parts are not finite"


def loss_is_shaped_and_reproducible(bench: _Bench) -> None:
    """loss returns (batch,), and draws only from the generator it is given: generator=rng."""
    if not bench.deep:
        return
    import torch

    net, x = bench.fresh(), bench.batch()
    draws = [net.loss(x, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert draws[0].shape == (len(x),), f"loss has shape {tuple(draws[0].shape)}"
    assert torch.isfinite(draws[0]).all(), "loss is not finite"
    assert torch.equal(*draws), "two losses with the same generator differ"


def score_is_deterministic(bench: _Bench) -> None:
    """parts must not draw: average over fixed draws kept as a buffer, or use the mean."""
    if bench.deep:
        import torch

        net, x = bench.fresh(), bench.batch()
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

        net, x = bench.trained.net, bench.batch()
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


def same_seed_same_weights(bench: _Bench) -> None:
    """Draw weights in build, and everything else from the generator that is given."""
    again = operations.fit(bench.path, bench.options())
    assert again.graphs == bench.bundle.graphs, "the same seed gave another model"


def global_generators_are_left_alone(bench: _Bench) -> None:
    """Pass generator=rng to torch.randn and its like; use numpy.random.default_rng."""
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    if bench.deep:
        import torch

        state = torch.get_rng_state()
        net = bench.fresh()
        x, rng = bench.batch(), torch.Generator().manual_seed(1)
        net.start(x)
        net.loss(x, rng).mean().backward()
        net.parts(x)
        assert torch.equal(state, torch.get_rng_state()), "torch's global generator was used"
    else:
        operations.fit(bench.path, bench.options())
    after = np.random.get_state()[1]  # type: ignore[index]
    assert np.array_equal(before, after), "numpy's global generator was used"


def training_lowers_the_loss(bench: _Bench) -> None:
    """The loss must fall: look for a wrong sign, a detached tensor, or a term that explodes."""
    if not bench.deep:
        return
    import torch

    from aetool import training

    def loss(net: Any) -> float:
        with torch.no_grad():
            rng = torch.Generator().manual_seed(0)
            return float(net.loss(bench.batch(200), rng).mean())

    started = bench.fresh()
    training.start(started, bench.batch(200))
    # random weights may do well while they are free of a constraint that start brings in
    before, after = max(loss(bench.fresh()), loss(started)), loss(bench.trained.net)
    assert after < before, f"training raised the loss from {before:.4g} to {after:.4g}"


def every_weight_is_trained(bench: _Bench) -> None:
    """Each parameter needs a gradient from the loss; make constants buffers."""
    if not bench.deep:
        return
    import torch

    net = bench.fresh()
    for seed in range(3):
        net.loss(bench.batch(64), torch.Generator().manual_seed(seed)).mean().backward()
    idle = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not idle or net.params.error != "bits", f"no gradient reaches {', '.join(idle)}"


def a_posterior_if_any_pays_its_divergence(bench: _Bench) -> None:
    """A model with a Gaussian posterior(x) -> (mean, log variance) must add KL to its score."""
    if not bench.deep or not hasattr(bench.net_class, "posterior"):
        return
    import torch
    from torch.distributions import Normal, kl_divergence

    net, x = bench.trained.net, bench.batch()
    with torch.no_grad():
        mean, log_var = net.posterior(x)
        there = Normal(mean, (0.5 * log_var).exp())
        kl = kl_divergence(there, Normal(torch.zeros(()), torch.ones(()))).sum(dim=1)
        shared = net.parts(x)[:, -1]
    assert (shared >= 0).all() and float(shared.mean()) > 1e-3, "the KL term is dead"
    assert torch.allclose(shared, kl, rtol=1e-3, atol=1e-4), "the shared part is not the KL"


def graphs_agree_with_the_network(bench: _Bench) -> None:
    """Tracing fixed something that depends on the data: no Python branch on a tensor's values."""
    if not bench.deep:
        return
    import torch

    net = bench.trained.net  # the very weights of the bundle: same data, same seed
    session, schema = bench.bundle.session("score.onnx", "cpu"), bench.prepared.schema
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
    assert back.read_bytes() == bench.path.read_bytes(), "lossless compression lost something"
    if bench.bundle.latent == 0:
        return
    lossy = operations.CompressOptions(lossy_only=True, force=True, embed=True, device="cpu")
    facts = operations.compress(bench.path, target, bench.bundle, lossy)
    assert 0 <= facts["error"] < 1, f"the lossy error is {facts['error']}"
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
    """`prior` says what is drawn: "codes" suits any decoder; "graph" and "features" need each code
    or feature to depend on those before it alone."""

    def draw(**more: Any) -> Any:
        chosen = operations.SampleOptions(40, seed=1, device="cpu", **more)
        return operations.sample(bench.bundle, chosen)

    drawn = draw()
    assert len(drawn) == 40, f"{len(drawn)} samples where 40 were asked for"
    near = operations.sample(bench.bundle, operations.SampleOptions(like=bench.path, device="cpu"))
    if bench.kind == "image":
        assert np.array_equal(drawn, draw()), "the same seed draws other samples"
        assert drawn.std() > 0 and near.shape[1:] == drawn.shape[1:], "all samples are alike"
        return
    assert drawn.equals(draw()), "the same seed draws other samples"
    known = set(table_rows()["level"].strings())  # type: ignore[union-attr]
    for frame, rows in ((drawn, 40), (near, ROWS)):
        path = bench.folder / "drawn.csv"
        frame.to_csv(path, index=False)
        scores = operations.score(path, bench.bundle, "cpu")
        assert len(scores) == rows and np.isfinite(scores).all(), "samples cannot be scored"
        assert set(frame["level"].dropna()) <= known, "a sample has a category that is none"
        assert (frame["count"].dropna() % 1 == 0).all(), "a count of a sample is not whole"


_CHECKS: tuple[Callable[[_Bench], None], ...] = (
    parts_are_shaped_and_finite,
    loss_is_shaped_and_reproducible,
    score_is_deterministic,
    score_is_independent_of_batch_mates,
    outliers_outscore_training_data,
    same_seed_same_weights,
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
_TABLE_CHECKS: tuple[Callable[[_Bench], None], ...] = (odd_tables_are_fitted_or_refused,)
