"""Where a model comes from, and what the scores of its members looked like, is in the model."""

import json

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import bundle as bundles
from aetool.detection.quantiles import PARTS, ScoreQuantiles
from aetool.errors import BundleError


def ordinary(seed, rows=300):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3)).round(3)
    return pd.DataFrame(x, columns=list("abc"))


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """A model of several members, as it was read again."""
    path = tmp_path_factory.mktemp("lineage") / "m.aem"
    aetool.fit(ordinary(0)).save(path)
    return aetool.load(path)


def test_a_model_is_of_its_values_whatever_the_format(joined, tmp_path):
    ordinary(0).to_csv(tmp_path / "t.csv", index=False)
    ordinary(0).to_parquet(tmp_path / "t.parquet")
    assert joined.lineage == {"aetool": aetool.__version__, "data": joined.lineage["data"]}
    for name in ("t.csv", "t.parquet"):
        assert aetool.fit(tmp_path / name, "pca").lineage == joined.lineage
    assert aetool.fit(ordinary(1), "pca").lineage["data"] != joined.lineage["data"]


def test_a_model_that_was_made_of_another_names_it(joined):
    once = joined.calibrate(ordinary(2))
    assert once.lineage == {**joined.lineage, "parent": joined.sha256}
    twice = once.calibrate(fpr=0.01)
    assert twice.lineage["parent"] == once.sha256 != joined.sha256
    assert bundles.from_bytes(twice.to_bytes(), "m.aem").lineage == twice.lineage
    assert joined.calibrate(ordinary(2)).sha256 == once.sha256, "no time, no place is in it"


def test_a_fit_with_a_calibration_names_the_same_fit_without(tmp_path, run):
    ordinary(0).to_csv(tmp_path / "t.csv", index=False)
    ordinary(2).to_csv(tmp_path / "clean.csv", index=False)
    fit = ("fit", tmp_path / "t.csv", "-p", "pca")
    assert run(*fit, "-o", tmp_path / "plain.aem").status == 0
    assert run(*fit, "-o", tmp_path / "m.aem", "--calibration", tmp_path / "clean.csv").status == 0
    plain, model = (aetool.load(tmp_path / name) for name in ("plain.aem", "m.aem"))
    assert model.lineage == {**plain.lineage, "parent": plain.sha256}


def test_members_tell_their_held_out_scores(joined):
    assert set(joined.by_member) == set(joined.facts["members"])
    assert len(joined.by_member) > 1
    # by its own unit: the model by itself, fitted on the same rows, has the same scores
    alone = aetool.fit(ordinary(0), "pca")
    median = float(np.median(alone.calibration.scores))
    own = joined.by_member["pca"]
    assert own.rows == alone.calibration.rows == 300
    assert own.scores[PARTS.index(0.5)] == pytest.approx(median, rel=1e-6)
    assert own.scores[-1] == pytest.approx(alone.calibration.scores[-1], rel=1e-6)
    assert not alone.by_member
    stored = sum(len(json.dumps(each.to_json())) for each in joined.by_member.values())
    assert stored < 250 * len(joined.by_member)


def test_quantiles_of_scores():
    found = ScoreQuantiles.of(np.arange(10_001.0))
    np.testing.assert_allclose(found.scores, 10_000 * np.array(PARTS))
    assert found.facts() == {
        "rows": 10_001, "median": 5000, "99 %": 9900, "99.9 %": 9990, "highest": 10_000,
    }  # fmt: skip
    again = ScoreQuantiles.from_json(found.to_json())
    assert again.rows == found.rows and np.array_equal(again.scores, found.scores)
    assert set(ScoreQuantiles.of(np.array([3.25])).scores) == {3.25}
    for damaged in (
        {"rows": 0}, {"scores": [1.0] * 15}, {"scores": found.scores[::-1].tolist()},
        {"scores": [*found.scores[:-1].tolist(), float("inf")]},
    ):  # fmt: skip
        with pytest.raises(BundleError, match="not in order"):
            ScoreQuantiles.from_json({**found.to_json(), **damaged})


def test_info_shows_both(joined, tmp_path, run):
    path = joined.calibrate(fpr=0.01).save(tmp_path / "m.aem")
    text = run("info", path).out
    assert f"parent                   {joined.sha256}" in text
    assert "scores of members:\n" in text
    assert "  pca                      rows 300, median " in text
    facts = json.loads(run("info", path, "--json").out)
    assert facts["lineage"] == {**joined.lineage, "parent": joined.sha256}
    assert facts["scores_of_members"]["pca"]["rows"] == 300
    joined.save(path, force=True)
    assert "  parent                   none\n" in run("info", path).out
    assert json.loads(run("info", path, "--json").out)["lineage"]["parent"] is None
