"""Plugins that are wrong, each in one way that authors have been wrong in.

Networks and closed forms are declared here; `declared/` holds those whose declaration is wrong.
"""

from dataclasses import dataclass

from aetool import Model, NetParams, hookimpl

HOME = "tests.broken_plugins"
NETWORKS = (
    "Misspelt", "TooFewArguments", "WrongShape", "WrongLayout", "NoReturn", "NotFinite", "InPlace",
    "BatchMates", "Resampled", "GlobalRandomness", "OwnGenerator", "ScalarLoss", "Detached",
    "ConstantCode", "Branching", "Counting", "Normalised", "SizeOfBatch", "Sorted", "InNumpy",
    "WrongPrior", "Raising", "NanGradient", "TooSmallToAdd", "OddlyNamed", "OwnDraws",
)  # fmt: skip
CLOSED_FORMS = (
    "NoSolution", "ChangesBatches", "ConstantForm", "WrongFit", "ArrayForm", "NarrowForm",
    "UnfittingForm", "MixingForm", "CodelessForm", "NumberlessForm", "RefusedForm", "SurprisingForm",
)  # fmt: skip


@dataclass(frozen=True)
class NoError:
    """Parameters without those of a network."""


@hookimpl
def aetool_models():
    for name in NETWORKS:
        yield Model(name.lower(), "wrong", f"{HOME}.networks:{name}", NetParams)
    for name in CLOSED_FORMS:
        yield Model(name.lower(), "wrong", f"{HOME}.closed_forms:{name}")
    yield Model("noparams", "wrong", f"{HOME}.networks:NoOverride", NoError)
    yield Model("notaclass", "wrong", f"{HOME}.networks:not_a_class", NetParams)
    yield Model("pairless", "wrong", f"{HOME}.networks:Pairless", NetParams, {"table", "pairs"})
