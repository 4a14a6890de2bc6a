"""A bound for all numbers leaves keys exact, also those whose names run together, and numbers that
stand for kinds."""

import numpy as np
import pandas as pd
import pytest

import aetool

ROWS = 600


def houses() -> pd.DataFrame:
    """Houses with a number of their parcel, a class in digits, rooms, and two amounts."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "PID": rng.permutation(ROWS) * 1_000 + 526_301_100,
            "class": rng.choice([20, 30, 40, 45, 60, 120, 190], ROWS),
            "rooms": rng.integers(1, 26, ROWS),
            "pool": rng.choice(["0 m", "144 m", "512 m"], ROWS),
            "area": rng.gamma(4, 400, ROWS).round().astype(int),
            "price": rng.gamma(4, 40_000, ROWS).round(-2).astype(int),
        }
    )


def test_keys_run_together_and_codes_are_exact_and_named(run, tmp_path):
    path = tmp_path / "houses.csv"
    frame = houses()
    frame.to_csv(path, index=False)
    done = run("compress", path, "--max-error", "5%", "-o", tmp_path / "a.aez")
    assert "PID: a key or a day by name or digits, stored exactly, unless" in done.err
    assert (
        "class: a few whole numbers far apart, as codes of kinds have, stored exactly, unless "
        "bounded by name: --max-error class=..." in done.err
    )
    with aetool.open(tmp_path / "a.aez") as archive:
        restored = archive.to_pandas()
    assert restored["PID"].tolist() == frame["PID"].tolist()
    assert restored["class"].tolist() == frame["class"].tolist()
    for name in ("rooms", "area", "price"):
        assert restored[name].tolist() != frame[name].tolist()


def test_they_are_bounded_by_name(tmp_path):
    path = tmp_path / "houses.csv"
    houses().to_csv(path, index=False)
    wanted = {"": "5%", "PID": "1%", "class": "5%"}
    figures = aetool.compress(path, tmp_path / "a.aez", max_error=wanted)
    assert {"PID", "class"} <= set(figures["errors"])
    assert "unbounded" not in figures
    figures = aetool.compress(path, tmp_path / "b.aez", max_error="5%")
    lines = figures["unbounded"]
    assert lines[0].endswith("unless bounded by name: max_error={'PID': ...}")
    assert lines[1].endswith("unless bounded by name: max_error={'class': ...}")


def test_a_kind_of_column_beside_a_bound_is_told_how_to_keep_it_exact(run, tmp_path):
    path = tmp_path / "houses.csv"
    houses().to_csv(path, index=False)
    done = run("compress", path, "--max-error", "1%", "--type", "area=identifier")
    assert done.status == 2
    assert "--max-error area=0 keeps a column exact beside a bound for all" in done.err
    run("compress", path, "--max-error", "1%", "--max-error", "area=0", "-o", tmp_path / "a.aez")
    with aetool.open(tmp_path / "a.aez") as archive:
        assert archive.to_pandas()["area"].tolist() == houses()["area"].tolist()


RUN_TOGETHER = ["pid", "USUBJID", "caseid", "idno", "statecode", "GEOID"]
# a column that says which one it is
ONE_OF_MANY = ["customer", "Patient", "from_station", "driver"]
MEASURES = ["bid", "price_paid", "acid", "gift_aid", "humid", "Tid"]
COUNTS = ["customers", "patients_seen", "house", "drivers_age"]


@pytest.mark.parametrize("name", RUN_TOGETHER + ONE_OF_MANY)
def test_names_of_keys_may_run_together_or_be_of_one_of_many(name, tmp_path):
    frame = houses().rename(columns={"area": name})
    frame.to_csv(tmp_path / "t.csv", index=False)
    figures = aetool.compress(tmp_path / "t.csv", tmp_path / "t.aez", max_error="1%")
    assert set(figures["errors"]) == {"pool", "price"}


@pytest.mark.parametrize("name", MEASURES + COUNTS)
def test_words_that_measure_or_count_are_no_keys(name, tmp_path):
    frame = houses().rename(columns={"area": name})
    frame.to_csv(tmp_path / "t.csv", index=False)
    figures = aetool.compress(tmp_path / "t.csv", tmp_path / "t.aez", max_error="1%")
    assert set(figures["errors"]) == {name, "pool", "price"}
