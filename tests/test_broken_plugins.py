"""Each broken plugin is answered by `fit` and by `plugins check` in one sentence, the same one."""

import re
from importlib import metadata
from pathlib import Path

import pytest

from aetool import Model, NetParams, plugins, training
from aetool.errors import PluginError
from aetool.nn import AutoEncoder
from aetool.rehearsal.faults import Author
from aetool.testing import ROWS
from tests import broken_plugins
from tests.broken_plugins import CLOSED_FORMS, HOME, NETWORKS, networks
from tests.conftest import write_rows

FOLDER = Path(broken_plugins.__file__).parent
DECLARED = sorted(p.stem for p in (FOLDER / "declared").glob("*.py") if p.stem != "__init__")
# By model; AT stands for the file and the line that is marked in it.
SAID = {
    "misspelt": (
        "misspelt: Misspelt.penality (AT) is called by nobody: penality is no member of "
        "AutoEncoder; did you mean penalty?"
    ),
    "toofewarguments": (
        "toofewarguments: TooFewArguments.corrupt (AT) is declared corrupt(self, x); it is "
        "called as corrupt(self, x, rng)"
    ),
    "toosmalltoadd": (
        "toosmalltoadd: TooSmallToAdd.encode (AT) is finite, but not in the graph that was traced "
        "of it: numbers below 1e-8 that are added are left out of graphs; write "
        ".clamp(min=1e-12), not + 1e-12, under a division or a logarithm"
    ),
    "wrongshape": (
        "wrongshape: WrongShape.encode (AT) returned shape (7, 1); wanted is (7, 2): (batch, "
        "size of the code)"
    ),
    "wronglayout": (
        "wronglayout: WrongLayout.build (AT) made a network whose decode returned shape (7, "
        "3); wanted is (7, 12): the layout of x"
    ),
    "noreturn": (
        "noreturn: NoReturn.parts (AT) returned nothing (is a return missing?); wanted is a "
        "tensor (7, 6): (batch, columns + 1): nats of each column, and last what all share"
    ),
    "notfinite": (
        "notfinite: NotFinite.encode (AT) returned values that are not finite (nan or inf); "
        "look for log or sqrt of 0, or a division by it: clamp(min=1e-6)"
    ),
    "inplace": (
        "inplace: InPlace.corrupt (AT) changed its argument in place; work on a copy: x = "
        "x.clone(), or use operations without a trailing _"
    ),
    "batchmates": (
        "batchmates: BatchMates.encode (AT) returned another result for a row alone than "
        "beside other rows; no statistic of the batch (mean, max, softmax over dim=0) belongs"
        " in it"
    ),
    "resampled": (
        "resampled: Resampled.parts (AT) returned two results for the same rows; it must "
        "neither draw nor count: use the mean, or average over fixed draws kept in a buffer"
    ),
    "globalrandomness": (
        "globalrandomness: GlobalRandomness.corrupt (AT) drew random numbers from the global "
        "generator of torch; only the generator that is passed in may be drawn from: "
        "torch.randn(..., generator=rng)"
    ),
    "owngenerator": (
        "owngenerator: OwnGenerator.loss (AT) differs between two calls with the same rows "
        "and generator; draw only from the generator that is passed in: torch.randn(..., "
        "generator=rng)"
    ),
    "scalarloss": (
        "scalarloss: ScalarLoss.loss (AT) returned one number for the whole batch; wanted is "
        "one for each row, (7,): sum over dim=1, and leave the mean over rows to training"
    ),
    "detached": (
        "detached: Detached.loss (AT) has no gradient; is it detached, or computed under "
        "no_grad or in numpy?"
    ),
    "constantcode": (
        "constantcode: ConstantCode.encode (AT) returned one code for 96 different rows; a "
        "code must tell rows apart: is it cut off, or multiplied by 0?"
    ),
    "branching": (
        "branching: Branching.encode (AT) decides by the values in a tensor (if, float(), "
        ".item()), which a graph cannot: write torch.where(condition, a, b), and keep the "
        "number a tensor"
    ),
    "counting": (
        "counting: Counting.encode (AT) returned two results for the same rows; it must "
        "neither draw nor count: use the mean, or average over fixed draws kept in a buffer"
    ),
    "normalised": (
        "normalised: Normalised.encode (AT) uses normalize, which asks for the number of "
        "rows, and a graph is not told it; write x / x.norm(dim=1, "
        "keepdim=True).clamp(min=1e-12)"
    ),
    "sizeofbatch": (
        "sizeofbatch: SizeOfBatch.encode (AT) uses size, which asks for the number of rows, "
        "and a graph is not told it; write x.flatten(1) or x.reshape(-1, n), with a number n"
    ),
    "sorted": (
        "sorted: Sorted.encode (AT) uses the operator sort, which a graph may not have; write"
        " torch.topk(x, n, dim=1)"
    ),
    "innumpy": (
        "innumpy: InNumpy.encode (AT) leaves torch for numpy, which a graph cannot: write it "
        "in torch"
    ),
    "wrongprior": (
        "wrongprior: WrongPrior.prior is 'gaussian'; it must be 'codes', 'normal', 'graph' or"
        " 'features'"
    ),
    "raising": (
        "raising: Raising.decode (AT) raised RuntimeError: mat1 and mat2 shapes cannot be "
        "multiplied (7x12 and 3x3)"
    ),
    "nangradient": (
        "nangradient: NanGradient.loss (AT) has a gradient in encoder.levels.0.0.weight that "
        "is not finite; look for log or sqrt of 0, or a division by it: clamp(min=1e-6)"
    ),
    "oddlynamed": (
        "oddlynamed: OddlyNamed.penalty (AT) is declared penalty(self, z, generator); it is called "
        "as penalty(self, z), and may have rng"
    ),
    "owndraws": (
        "owndraws: OwnDraws.penalty (AT) differs between two calls with the same rows and "
        "generator; draw only from the generator that is passed in: torch.randn(..., "
        "generator=rng)"
    ),
    "nosolution": (
        "nosolution: NoSolution.fit (AT) returned an int; wanted is a Solution: derive what is "
        "returned from aetool.closed_form.Solution"
    ),
    "changesbatches": (
        "changesbatches: ChangesBatches.fit (AT) changed the batches in place; work on a "
        "copy: x = batch.copy()"
    ),
    "constantform": (
        "constantform: Nought.encode (AT) returned one code for 24 different rows; a code must "
        "tell rows apart: is it cut off, or multiplied by 0?"
    ),
    "arrayform": (
        "arrayform: Array.decode (AT) returned a ndarray; wanted is a Value, as the builder makes "
        "them of its argument: for an array that is the same for every row, x * 0 + array"
    ),
    "narrowform": (
        "narrowform: Narrow.parts (AT) returned shape (24, 2); wanted is (24, 6): (batch, "
        "columns + 1)"
    ),
    "unfittingform": (
        "unfittingform: UnfittingForm.Unfitting.decode (AT) raised ValueError: MatMul cannot take "
        "(batch, 1) and (2, 12)"
    ),
    "mixingform": (
        "mixingform: Mixing.parts (AT) gives another result for a row alone than beside other "
        "rows; no statistic of the batch belongs in it"
    ),
    "refusedform": (
        "refusedform: RefusedForm.Refused.parts (AT) raised ValueError: RandomNormalLike is no "
        "operator that a graph may have"
    ),
    "surprisingform": (
        "surprisingform: Surprising.surprise (AT) returned shape (24, 6); wanted is (24, 5): "
        "(batch, columns)"
    ),
    "codelessform": (
        "codelessform: Codeless.expekted (AT) is called by nobody: expekted is no member of "
        "Solution; did you mean expected?"
    ),
    "numberlessform": (
        "numberlessform: NumberlessForm.fit (AT) returned a Numberless whose deviation is not "
        "there; wanted is (3,), or parts of its own"
    ),
    "wrongfit": (
        "wrongfit: WrongFit.fit (AT) is declared fit(self, batches, epochs); it is called as "
        "fit(self, batches)"
    ),
    "noparams": (
        "noparams: NoOverride.build reads params.latent, which NoError does not have; give "
        "Model a Params class that has it (those of a network derive from NetParams)"
    ),
    "notaclass": (
        "notaclass: net names tests.broken_plugins.networks:not_a_class, which is a function;"
        " wanted is a class derived from aetool.nn.AutoEncoder or "
        "aetool.closed_form.ClosedForm"
    ),
    "pairless": (
        "pairless: Pairless.loss (AT) is declared loss(self, x, rng); it is called as "
        "loss(self, x, rng, seen), and may have labels"
    ),
    "default_out_of_range": (
        "plugin 'default_out_of_range': model 'default_out_of_range': Params: the default "
        "weight must be in 0.0 .. 1.0, got 2.0"
    ),
    "near_hook": (
        "plugin 'near_hook': aetool_model (declared/near_hook.py:6) is no hook; did you mean "
        "aetool_models?"
    ),
    "no_colon": (
        "plugin 'no_colon': model 'no_colon': net is 'nowhere.Net'; wanted is "
        '"package.module:Class", with a colon'
    ),
    "no_dataclass": (
        "plugin 'no_dataclass': model 'no_dataclass': Params.weight is no field; write "
        "@dataclass(frozen=True) above Params"
    ),
    "no_kind": (
        "plugin 'no_kind': model 'no_kind': data is []; it must hold 'table', 'image' or "
        "both, or the model can be fitted on nothing"
    ),
    "no_marker": (
        "plugin 'no_marker': aetool_models (declared/no_marker.py:6) is not marked as a hook "
        "and never called; write @hookimpl above it (from aetool import hookimpl)"
    ),
    "returns_model": (
        "plugin 'returns_model': aetool_models returned a Model; wanted are Models: yield "
        "Model(...), or return a list of them"
    ),
    "wrong_kind": (
        "plugin 'wrong_kind': model 'wrong_kind': data holds 'tables'; it may hold 'table', "
        "'image' and 'pairs'; did you mean 'table'?"
    ),
    "twin": (
        "model 'twin' is declared by plugin 'twin_one' of "
        "tests.broken_plugins.declared.twin_one and by plugin 'twin_two' of "
        "tests.broken_plugins.declared.twin_two; uninstall one of them, or rename its model"
    ),
}


@pytest.fixture(autouse=True)
def installed(monkeypatch, tmp_path):
    """The broken plugins alone, and no memory of what has passed."""
    entries = [metadata.EntryPoint("broken", HOME, plugins.GROUP)]
    entries += [
        metadata.EntryPoint(name, f"{HOME}.declared.{name}", plugins.GROUP) for name in DECLARED
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_every_one_is_here():
    assert len(SAID) >= 20
    assert SAID.keys() == {
        *map(str.lower, (*NETWORKS, *CLOSED_FORMS)), "noparams", "notaclass", "pairless",
        *(name for name in DECLARED if not name.startswith("twin_")), "twin",
    }  # fmt: skip


def marked(model):
    """The file, from the folder tests/ on, and the marked line of a broken class."""
    for name in ("networks", "closed_forms"):
        path = FOLDER / f"{name}.py"
        own_class = False
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith("class "):
                own_class = re.split(r"\W", line)[1].lower() == model
            if own_class and line.endswith("# fault"):
                return f"tests/broken_plugins/{name}.py:{number}"
    return ""


@pytest.fixture(scope="module")
def checked_csv(tmp_path_factory):
    """The table of `plugins check`."""
    return write_rows(tmp_path_factory.mktemp("broken") / "rows.csv", ROWS)


@pytest.mark.parametrize("model", SAID)
def test_fit_says_what_is_wrong_before_it_trains(model, run, checked_csv, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train", None)  # must not be come to
    done = run("fit", checked_csv, "-p", model, "-o", tmp_path / "m.aem")
    *notes, error = done.err.splitlines()
    assert error == f"aetool: error: {SAID[model].replace('AT', marked(model))}"
    assert all(note.startswith("note: ") for note in notes), "what columns hold, and no more"
    assert done.status == 2 and not done.out and not (tmp_path / "m.aem").exists()


# both words come from one function: of each third model it is seen that check asks it, too
@pytest.mark.parametrize(
    "model",
    [pytest.param(n, marks=pytest.mark.long if i % 3 else ()) for i, n in enumerate(SAID)],
)
def test_check_says_the_same(model, run):
    """A declaration that is wrong is refused as it is read; all else fails the dry run."""
    done = run("plugins", "check", model, "-k", "dry run", "-x")
    said = SAID[model].replace("AT", marked(model))
    if said.startswith(("plugin ", "model ")):
        assert (done.status, done.err) == (2, f"aetool: error: {said}\n")
        return
    first, failed, last = done.out.splitlines()
    assert (done.status, first, failed) == (1, "table", f"  FAIL  a dry run goes through: {said}")
    assert last.startswith(f"{model}: 0 checks passed, 1 failed, 0 n/a")


USED = [networks.UsedByAProperty, networks.UsedByACachedProperty, networks.UsedByAClassMethod]


@pytest.mark.parametrize("network", USED)
def test_a_helper_that_no_plain_method_uses_is_not_misspelt(network):
    model = Model("helped", "sums up", "package.module:Net", NetParams)
    Author(model, network, AutoEncoder).check_names()
    # without what uses it, the same helper is taken for a misspelt member
    with pytest.raises(PluginError, match="penalties .* did you mean penalty"):
        Author(model, networks.Unused, AutoEncoder).check_names()
