"""The time axis of a Spec: which features are of which row before, and a network over it."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from aetool import operations, training
from aetool.bundle import from_bytes
from aetool.data.scaling import image_spec
from aetool.data.sources import open_source
from aetool.detection import ranking
from aetool.fits import preparing
from aetool.model import make_params
from aetool.operations import FitOptions

sys.path.insert(0, str(Path(__file__).parent / "thirdparty"))
from aetool_thirdparty import aetool_models
from aetool_thirdparty.tcn import Forecast

TCN = next(model for model in aetool_models() if model.name == "tcn")


def pulses(rows=1500, seed=0):
    """What follows depends on two rows before, and not in a linear way; gaps, levels and hours."""
    rng = np.random.default_rng(seed)
    a, b = np.zeros(rows), np.zeros(rows)
    for i in range(2, rows):
        a[i] = 0.3 * a[i - 1] + 1.2 * np.cos(2 * b[i - 2]) + 0.1 * rng.normal()
        b[i] = 0.8 * np.sin(2.5 * a[i - 1]) + 0.1 * rng.normal()
    hours = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows), "h")
    return pd.DataFrame(
        {
            "hour": hours,
            "a": a.round(3),
            "b": b.round(3),
            "level": np.where(a > 0.5, "high", "low"),
            "gappy": np.where(rng.random(rows) < 0.1, np.nan, a.round(2)),
        }
    )


@pytest.mark.parametrize("condition", [(), ("level",)])
def test_steps_are_the_rows_from_the_farthest_back_to_the_row_itself(condition):
    options = FitOptions(context=3, condition=condition)
    prepared = preparing.prepare(open_source(pulses(60)), options)
    spec, x = prepared.spec, prepared.features
    steps = spec.steps()
    assert steps.shape == (4, len(spec.told)) and len(spec.told) < spec.features - spec.given
    assert not {*spec.told} & {i for i in range(spec.features) if i not in steps}, "cycles are not"
    sequence = x[:, steps.ravel()].reshape(-1, *steps.shape)
    for back in range(1, 4):
        np.testing.assert_array_equal(sequence[back:, -1 - back], sequence[:-back, -1])
    np.testing.assert_array_equal(sequence[:, -1], x[:, [*spec.told]])
    if condition:
        own = spec.features - spec.given
        assert {*range(own - spec.conditions, own)} <= {*spec.told}, "rows before have it, too"


def test_without_rows_before_there_is_one_step():
    spec = preparing.prepare(open_source(pulses(60)), FitOptions()).spec
    np.testing.assert_array_equal(spec.steps(), [spec.told])
    np.testing.assert_array_equal(image_spec((1, 2, 3)).steps(), [range(6)])


def test_a_forecast_starts_at_least_squares_and_sees_nothing_of_the_row_itself():
    prepared = preparing.prepare(open_source(pulses(400)), FitOptions(context=3))
    spec, x = prepared.spec, torch.from_numpy(prepared.features)
    net = training.make(Forecast, spec, make_params(TCN, {}), 0).eval()
    training.start(net, x)
    told = np.column_stack([net.inputs(x)[1].numpy(), np.ones(len(x))]).astype(np.float64)
    by_hand = told @ np.linalg.lstsq(told, x.numpy()[:, spec.numeric], rcond=None)[0]
    with torch.no_grad():
        likely = net.expected(x).numpy()[:, spec.numeric]
        changed = x.clone()
        changed[:, torch.from_numpy(spec.owners() >= 0)] += 5.0
        assert torch.equal(net.expected(changed), net.expected(x))
    off, least = ((v - x.numpy()[:, spec.numeric]) ** 2 for v in (likely, by_hand))
    assert off.mean() < 1.02 * least.mean()


# networks of 200 and of 100 epochs
@pytest.mark.long
def test_a_network_over_time_finds_what_breaks_its_course():
    """A row that is usual by itself, but not after those before it."""
    table, fresh = pulses(), pulses(seed=1)
    odd = fresh.copy()
    places = np.arange(50, 1450, 20)
    columns = ["a", "b", "level", "gappy"]
    odd.loc[places, columns] = fresh.loc[places - 9, columns].to_numpy()
    areas = {}
    for name, plugin in (("tcn", TCN), ("pca", "pca")):
        options = FitOptions(plugin, context=3, epochs=200, device="cpu")
        made = from_bytes(operations.fit(table, options).to_bytes(), "m.aem")
        scores = operations.score(odd, made, "cpu")[20:]
        truth = np.isin(np.arange(20, len(odd)), places)
        after = np.isin(np.arange(20, len(odd)), np.concatenate([places + k for k in (1, 2, 3)]))
        areas[name] = ranking.auroc(scores[~after], truth[~after])
    assert areas["tcn"] > 0.9 and areas["tcn"] > areas["pca"] + 0.1, areas
    alone = operations.fit(table, FitOptions(TCN, epochs=100, device="cpu"))
    drawn = operations.sample(alone, operations.SampleOptions(300, device="cpu"))
    assert abs(drawn["a"].mean() - table["a"].mean()) < 0.3, "each value as often as it occurs"
