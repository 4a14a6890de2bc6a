"""Models that were written from the guide alone, against the mathematics they claim."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from aetool import training
from aetool.closed_form import evaluated
from aetool.columns import layout
from aetool.columns.schema import infer
from aetool.data import scaling
from aetool.data.table import Cells, Table
from aetool.model import make_params
from aetool.rehearsal import examples
from aetool.testing import conformance

sys.path.insert(0, str(Path(__file__).parent / "thirdparty"))
from aetool_thirdparty import aetool_models, memae, nmf, wae

STRANGERS = {model.name: model for model in aetool_models()}
WRITTEN = ("wae", "memae", "nmf", "sphere", "mixture", "cvae", "sad", "tcn")


def laid(**columns):
    """(schema, spec, features) of columns of numbers, four decimals each."""
    cells = (Cells.of([f"{v:.4f}" for v in column]) for column in columns.values())
    table = Table(tuple(columns), tuple(cells))
    schema = infer(table)
    features = layout.table_features(schema, schema.encode(table, "t"))
    return schema, layout.table_spec(schema), features


def test_a_spec_tells_where_the_users_zero_lies():
    rng = np.random.default_rng(0)
    plain, heavy = rng.normal(3, 2, 500), rng.standard_cauchy(500) * 9 + 5
    years = rng.normal(2000, 3, 500)
    plain[7] = heavy[7] = 0
    _, spec, features = laid(plain=plain, heavy=heavy, years=years)
    assert spec.curved.tolist() == [False, True, False]
    np.testing.assert_allclose(spec.zero[:2], features[7, :2], atol=1e-6)
    assert spec.zero[2] == -12, "as far as any value is laid"


def test_black_is_the_zero_of_pictures():
    black = scaling.image_features(np.zeros((1, 1, 2, 3), dtype=np.uint8))
    np.testing.assert_array_equal(scaling.image_spec((1, 2, 3)).zero, black.ravel())


@pytest.fixture(scope="module")
def sums():
    """Records that are sums of two parts, all above zero."""
    rng = np.random.default_rng(1)
    parts = np.array([[4.0, 1.0, 0.0, 2.0, 0.5], [0.0, 1.0, 3.0, 1.0, 2.0]])
    x = rng.gamma(4, 1, (400, 2)) @ parts
    return laid(**{f"c{i}": column for i, column in enumerate(x.T)})


def test_parts_restore_records_that_are_sums_of_them(sums):
    _, spec, features = sums
    model = nmf.Factorisation(spec, make_params(STRANGERS["nmf"], {"latent": 2, "steps": 4000}))
    solved = model.fit([features[:150], features[150:]])
    assert (solved.basis >= 0).all()
    off = evaluated(solved.expected, spec, features) - features
    assert np.sqrt((off**2).mean()) < 0.02, "of a standard deviation"


def test_no_expected_value_lies_below_the_users_zero(sums):
    _, spec, features = sums
    solved = nmf.Factorisation(spec, make_params(STRANGERS["nmf"], {"latent": 2})).fit([features])
    far = np.random.default_rng(2).normal(0, 9, (300, spec.features))
    least = np.minimum(spec.zero, features.min(0))
    assert (evaluated(solved.expected, spec, far) >= least - 1e-5).all()


def test_the_discrepancy_is_the_estimate_of_the_paper():
    """Term by term, and 0 on the average where both samples are of one distribution."""
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.randn((6, 3), generator=rng, dtype=torch.float64) for _ in range(2))

    def k(x, y):
        scales = [2.0 * 3 * s for s in wae.SCALES]
        return sum(c / (c + float((x - y).square().sum())) for c in scales)

    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    within = sum(k(a[i], a[j]) + k(b[i], b[j]) for i, j in pairs) / 30
    wanted = within - 2 * sum(k(x, y) for x in a for y in b) / 36
    assert abs(float(wae.discrepancy(a, b)) - wanted) < 1e-9
    draws = [torch.randn((2, 64, 3), generator=rng) for _ in range(200)]
    alike = torch.stack([wae.discrepancy(p, q) for p, q in draws])
    assert abs(alike.mean()) < 4 * alike.std() / 200**0.5
    assert wae.discrepancy(draws[0][0], draws[0][1] + 2) > 0.5


def test_codes_are_means_of_a_few_memories():
    spec = next(c.bench for c in conformance("pca") if c.kind == "table").prepared.spec
    x = torch.from_numpy(examples.records(spec, 200, 0))
    params = make_params(STRANGERS["memae"], {"slots": 20, "shrink": 2})
    net = training.make(memae.Memory, spec, params, 0)
    training.start(net, x)
    with torch.no_grad():
        net.begin([x[:90], x[90:]])
        weight = net.address(x)
        assert torch.equal(net.memory[0], net.encoder(x)[0])
        assert torch.allclose(net.encode(x), weight @ net.memory)
    assert torch.allclose(weight.sum(dim=1), torch.ones(200), atol=1e-5) and (weight >= 0).all()
    assert (weight == 0).float().mean() > 0.5, "most memories do not count"


def cases():
    """All checks of each; but for the closed form, the fast set has the dry run of a network that
    is told labels."""
    for name in WRITTEN:
        for case in conformance(STRANGERS[name]):
            is_told = name == "sad" and case.kind == "table"
            brief = name == "nmf" or (is_told and "dry-run" in case.name)
            marks = [] if brief else [pytest.mark.long]
            yield pytest.param(case, id=f"{name}-{case}", marks=marks)


@pytest.mark.parametrize("case", list(cases()))
def test_conformance(case):
    case.run()
