"""Where flagged records are all of one kind, the kind is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from aetool.data.sources import open_source
from aetool.operations import FitOptions
from aetool.scoring.whole_levels import LevelCounts


def cities(rows: int = 2000, large: int = 60) -> pd.DataFrame:
    """Sales by city, of which one sells a hundred times as much as the others."""
    rng = np.random.default_rng(2)
    city = rng.choice(["Abilene", "Denton", "Lufkin", "Paris", "Waco"], rows).astype(object)
    sales = rng.lognormal(4, 0.3, rows)
    city[:large] = "Houston"
    sales[:large] *= 100
    price = sales * rng.normal(150, 10, rows)
    return pd.DataFrame({"city": city, "sales": sales.round(), "price": price.round()})


def test_a_whole_city_is_named_and_ordinary_by_itself(run, tmp_path):
    cities().to_csv(tmp_path / "t.csv", index=False)
    told = run("detect", tmp_path / "t.csv").err
    assert (
        "times as many as 1 in 1,000: whole kinds of records are unlike the others, by "
        "city 60 of 60 Houston; a table of their own tells which of them are odd"
    ) in told
    cities().iloc[:60].to_csv(tmp_path / "apart.csv", index=False)
    apart = run("detect", tmp_path / "apart.csv")
    assert len(apart.out.splitlines()) < 5 and "whole kinds" not in apart.err


def test_anomalies_of_all_kinds_are_no_kind(run, tmp_path):
    frame = cities(large=0)
    frame.loc[::33, ["sales", "price"]] *= 100
    frame.to_csv(tmp_path / "t.csv", index=False)
    told = run("detect", tmp_path / "t.csv").err
    assert "times as many as 1 in 1,000: the threshold is told by" in told
    assert "whole kinds" not in told


@pytest.mark.parametrize("size", [7, 300, 2000])
def test_batches_add_up(size):
    frame = cities()
    model = operations.fit(frame, FitOptions("tails", robust=True))
    inputs = model.schema.encode(table_of(frame), "t")
    is_flagged = np.arange(len(frame)) < 60
    counts = LevelCounts()
    for first in range(0, len(frame), size):
        batch = slice(first, first + size)
        counts.add(LevelCounts.of(model.schema, inputs[batch], is_flagged[batch]))
    assert counts.in_words(model.schema, 60) == ("city", "60 of 60 Houston")
    assert counts.in_words(model.schema, 121) == ("", ""), "less than half of those flagged"


def table_of(frame: pd.DataFrame):
    """A frame as the table that a schema encodes."""
    table, _ = open_source(frame).sample(len(frame), 0)
    return table
