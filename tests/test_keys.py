"""Keys that repeat: judged as numbers, and said so; named where new ones make all records odd."""

import numpy as np
import pandas as pd
import pytest

from aetool.columns.quantities import keys_of
from aetool.columns.schema import conditioned, infer
from aetool.data.sources import open_source


def orders(first: int, rows: int) -> pd.DataFrame:
    """Orders of customers, four of each, whose numbers go on from `first`."""
    rng = np.random.default_rng(first)
    return pd.DataFrame(
        {
            "customer_id": np.repeat(np.arange(first, first + rows // 4), 4),
            "amount": rng.lognormal(3, 1, rows).round(2),
            "items": rng.poisson(3, rows) + 1,
            "wait": rng.gamma(3, 2, rows).round(1),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orders")
    orders(1000, 800).to_csv(folder / "old.csv", index=False)
    orders(1300, 200).to_csv(folder / "new.csv", index=False)
    return folder


def test_a_key_that_repeats_is_told_of_and_named(run, folder, tmp_path):
    model = tmp_path / "m.aem"
    fitted = run("fit", folder / "old.csv", "-p", "tails", "-o", model)
    assert (
        "customer_id looks like a key, and is judged as numbers: --drop leaves it out" in fitted.err
    )
    done = run("detect", folder / "new.csv", "-m", model, "-o", tmp_path / "out.csv")
    flagged = pd.read_csv(tmp_path / "out.csv")
    assert len(flagged) > 150
    blamed = flagged["why"].str.startswith("customer_id=").sum()
    assert f"more than 10 % flagged, {blamed} of {len(flagged)} by customer_id first" in done.err
    assert "fit again with --drop customer_id" in done.err


def test_without_the_key_nothing_is_said(run, folder, tmp_path):
    model = tmp_path / "m.aem"
    fitted = run("fit", folder / "old.csv", "-p", "tails", "--drop", "customer_id", "-o", model)
    assert "looks like a key" not in fitted.err
    done = run("detect", folder / "new.csv", "-m", model, "-o", tmp_path / "out.csv")
    assert len(pd.read_csv(tmp_path / "out.csv")) < 10
    assert "more than 10 % flagged" not in done.err


def test_numbers_that_measure_and_conditions_are_no_keys():
    sample, _ = open_source(orders(1, 400)).sample(400, 0)
    schema = infer(sample)
    assert keys_of(schema) == ["customer_id"]
    assert keys_of(conditioned(schema, ["customer_id"])) == []


@pytest.mark.parametrize(
    "first, is_key",
    [(20_240_101, True), (1_700_000_000, False), (1_700_000_000_000_000, False), (2**52, False)],
)
def test_days_in_digits_are_keys_and_other_large_numbers_none(first, is_key):
    """Seconds and microseconds since 1970, and numbers whose year would have twelve digits."""
    rng = np.random.default_rng(0)
    # each twice and more: no identifier
    table = pd.DataFrame({"moment": first + rng.integers(0, 28, 400), "x": rng.normal(size=400)})
    sample, _ = open_source(table).sample(400, 0)
    schema = infer(sample)
    assert schema["moment"].kind == "number"
    assert keys_of(schema) == ["moment"] * is_key
