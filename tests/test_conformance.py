"""Every built-in model and a stranger's pass conformance; each sabotaged one fails it."""

import dataclasses
import sys
from pathlib import Path

import pytest

from aetool import Model, param, plugins
from aetool.testing import conformance
from tests.conftest import built_ins
from tests.sabotage import MODELS

sys.path.insert(0, str(Path(__file__).parent / "thirdparty"))
from aetool_thirdparty import Params

STRANGER = Model(
    "bounded", "a stranger's", "aetool_thirdparty.net:Bounded", Params, frozenset({"table"})
)
WIDE, NARROW = 128, 16  # units of a code
# Networks by the host's own backbone, which are fitted to odd tables as `bounded` is: a fit and an
# export of each takes seconds.
LIKE_OTHERS = {"ae", "denoising", "masked", "sparse", "vae", "vq"}
# Of models that take seconds to fit the fast set has all checks of tables or of pictures, of networks
# by the host's backbone (`ae`) of both; the long set has the others, too.
OF_ONE_KIND = {
    "auto": "table", "denoising": "image", "masked": "table", "sparse": "table", "vae": "table",
    "vq": "image",
}  # fmt: skip
# A process of its own without torch, for a network, a closed form and a join; what differs between
# others is in the same bundle.
WITHOUT_TORCH = {"vae", "pca", "auto", "bounded"}
# What is told beside a record goes one way into networks and one into closed forms.
WITH_CONTEXT = {"ae", "auto", "pca", "elm"}


def code_by_default(model):
    own = {field.name: field.default for field in dataclasses.fields(model.Params)}
    return own.get("latent", 0)


def narrowed(model):
    """The same model with another default: a code of few units."""
    latent = ("latent", int, param(NARROW, "units of the code", min=1))
    own = dataclasses.make_dataclass("Params", [latent], bases=(model.Params,), frozen=True)
    return dataclasses.replace(model, Params=own)


def is_told_before(model, case):
    """Whether another check of the fast set tells the same, of another kind of data or model."""
    other_kind = {"table": "image", "image": "table"}.get(case.kind)
    if other_kind and OF_ONE_KIND.get(model.name) == other_kind:
        return True
    if "without-torch" in case.name:
        is_second = case.kind == "image" and "table" in model.data
        return is_second or model.name not in WITHOUT_TORCH
    if "context-and-a-condition" in case.name:
        return model.name not in WITH_CONTEXT
    if "dry-run" in case.name:
        # each fit goes through it first
        return model.name in LIKE_OTHERS - {"ae", "vae"}
    if "several-fits" in case.name:
        # of the join two fits are compared in test_reproducible.py
        return case.kind == "table" and model.name == "auto"
    # the join goes the way of its members
    return "odd-tables" in case.name and model.name in LIKE_OTHERS | {"auto"}


def cases():
    """Every check of every built-in model and the stranger's. Each unit of a code is a column of an
    archive, and planning hundreds of them takes minutes: archives of a wide code are of the long
    set, and of the fast one with a narrow code. What a model saves is the same for tables and for
    pictures: where both can be fitted, that it works without torch is tried on tables."""
    for model in (*map(plugins.get_model, built_ins()), STRANGER):
        for case in conformance(model.name if model is not STRANGER else model):
            wide = "archives" in case.name and code_by_default(model) > WIDE
            is_told = is_told_before(model, case)
            marks = [pytest.mark.long] if wide or is_told else []
            marks_of_narrow = [pytest.mark.long] if is_told else []
            yield pytest.param(case, id=f"{model.name}-{case}", marks=marks)
            if wide:
                same = next(c for c in conformance(narrowed(model)) if c.name == case.name)
                yield pytest.param(same, id=f"{model.name}-narrow-{case}", marks=marks_of_narrow)


CASES = list(cases())


def test_every_model_is_here():
    """Each entry point declares a model of its own name, and no check of one is left out."""
    seen = [str(case.id) for case in CASES if not case.marks]
    for name in built_ins():
        assert any(id_.startswith(f"{name}-") and "archives" in id_ for id_ in seen), name


@pytest.mark.parametrize("case", CASES)
def test_conformance(case):
    case.run()


CAUGHT = {
    "Resampled": "table-a-dry-run-goes-through",
    "DeadKL": "table-a-posterior-if-any-pays-its-divergence",
    "FlippedKL": "table-a-posterior-if-any-pays-its-divergence",
    "Peeking": "table-outliers-outscore-training-data",
    "BatchDependent": "table-a-dry-run-goes-through",
    "DeadCode": "table-the-code-tells-records-apart",
}


@pytest.mark.parametrize("name", MODELS)
def test_sabotage_is_caught(name):
    case = next(c for c in conformance(MODELS[name]) if c.name == CAUGHT[name])
    with pytest.raises(AssertionError):
        case.run()
