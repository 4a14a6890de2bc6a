"""Every built-in model and a stranger's pass conformance; each sabotaged one fails it."""

import sys
from pathlib import Path

import pytest

from aetool import Model
from aetool.testing import conformance
from tests.sabotage import MODELS

sys.path.insert(0, str(Path(__file__).parent / "thirdparty"))
from aetool_thirdparty import Params

STRANGER = Model(
    "bounded", "a stranger's", "aetool_thirdparty.net:Bounded", Params, frozenset({"table"})
)
CASES = [
    pytest.param(case, id=f"{getattr(model, 'name', model)}-{case}")
    for model in (
        "pca",
        "ae",
        "sparse",
        "denoising",
        "vae",
        "masked",
        "vq",
        "prototypes",
        "auto",
        STRANGER,
    )
    for case in conformance(model)
]


@pytest.mark.parametrize("case", CASES)
def test_conformance(case):
    case.run()


CAUGHT = {
    "Resampled": "table-score-is-deterministic",
    "DeadKL": "table-a-posterior-if-any-pays-its-divergence",
    "FlippedKL": "table-a-posterior-if-any-pays-its-divergence",
    "Peeking": "table-outliers-outscore-training-data",
    "BatchDependent": "table-score-is-independent-of-batch-mates",
}


@pytest.mark.parametrize("name", MODELS)
def test_sabotage_is_caught(name):
    case = next(c for c in conformance(MODELS[name]) if c.name == CAUGHT[name])
    with pytest.raises(AssertionError):
        case.run()
