"""Parts of records as numbers and texts, the top records alone, and rows that were fitted."""

import pytest

import aetool
from aetool.errors import ParamError
from tests.test_thresholds import plain


def test_parts_of_records_are_numbers_or_texts_in_python():
    model = aetool.fit(plain(300, 5), "pca")
    data = plain(200, 6)
    flagged = model.detect(data, fpr="2%")["anomaly"]
    assert flagged.equals(model.detect(data, fpr=0.02)["anomaly"]) and flagged.any()
    few = model.detect(data, contamination="5%", all_rows=False)
    assert len(few) == 10
    assert model.calibrate(fpr="1%").calibration.fpr == 0.01
    same = plain(300, 5)
    assert model.drift(same, alpha="1%").word == model.drift(same, alpha=0.01).word
    for wrong in ("1", "much", "%", [0.1]):
        with pytest.raises(ParamError, match="detect: fpr must be a number"):
            model.detect(data, fpr=wrong)


def test_the_top_records_alone_are_returned_the_highest_first():
    """As the shell prints them; all others are had by asking for them."""
    model = aetool.fit(plain(300, 5), "pca")
    data = plain(50, 7)
    top = model.detect(data, top=3)
    assert len(top) == 3 and top["anomaly"].all() and top["score"].is_monotonic_decreasing
    every = model.detect(data, top=3, all_rows=True)
    assert len(every) == 50 and list(every.index) == list(data.index)
    assert set(every["row"][every["anomaly"]]) == set(top["row"])
    assert len(model.detect(data)) == 50


def test_records_that_were_fitted_are_told_where_they_are_to_calibrate(tmp_path, run):
    fitted, others = tmp_path / "fitted.csv", tmp_path / "others.csv"
    plain(300, 5).to_csv(fitted, index=False)
    plain(300, 6).to_csv(others, index=False)
    model = tmp_path / "m.aem"
    assert run("fit", fitted, "-p", "pca", "-o", model).status == 0
    told = run("detect", others, "-m", model, "--calibration", fitted, "--count")
    assert told.status == 0 and "the very records that the model was fitted on" in told.err
    silent = run("detect", others, "-m", model, "--calibration", others, "--count")
    assert silent.status == 0 and "the very records" not in silent.err
