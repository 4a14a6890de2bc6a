"""Tables sorted by what a column says are calibrated by rows between those that are fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from aetool.data.sources import open_source
from aetool.fits import preparing, row_order
from aetool.folds import short_stretch_folds
from aetool.operations import FitOptions


def is_sorted(frame: pd.DataFrame) -> bool:
    """Whether the rows of a table, as a fit reads it, are sorted by what one of its columns says."""
    prepared = preparing.prepare(open_source(frame), FitOptions())
    assert prepared.schema is not None
    return row_order.is_sorted_by_content(prepared.inputs, prepared.schema)


def drawn(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Sizes, weights that follow from them, ages and cities, in random order."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(3, 0.6, rows)
    weight = size**1.5 * np.exp(rng.normal(0, 0.1, rows))
    columns = {
        "size": size.round(2),
        "weight": weight.round(2),
        "age": rng.integers(1, 60, rows),
        "city": rng.choice(["Aarhus", "Bergen", "Cork", "Delft", "Essen"], rows),
    }
    return pd.DataFrame(columns)


def panel(groups: int = 20, length: int = 15) -> pd.DataFrame:
    """A number of each group, in each group a count that begins anew, and a value."""
    rng = np.random.default_rng(1)
    group = np.repeat(10 * np.arange(groups), length)
    value = rng.normal(group, 1.0).round(3)
    return pd.DataFrame({"unit": group, "step": np.tile(np.arange(length), groups), "value": value})


def test_random_order_is_not_sorted() -> None:
    assert not is_sorted(drawn())


@pytest.mark.parametrize("name", ["size", "weight", "city"])
@pytest.mark.parametrize("ascending", [True, False])
def test_a_column_that_rows_are_sorted_by(name: str, ascending: bool) -> None:
    assert is_sorted(drawn().sort_values(name, ascending=ascending, ignore_index=True))


def test_a_few_rows_out_of_order() -> None:
    frame = drawn().sort_values("size", ignore_index=True)
    frame.loc[[7, 200], "size"] = frame["size"].median()
    assert is_sorted(frame)


@pytest.mark.parametrize("word", ["Aarrhus", "Zzz", "Cork"])
def test_odd_words_inside_of_a_group_do_not_undo_the_order(word: str) -> None:
    frame = drawn().sort_values("city", ignore_index=True)
    frame.loc[[17, 350], "city"] = word
    assert is_sorted(frame)
    # where every third row is another's, nothing lies together
    frame.loc[2::3, "city"] = word
    assert not is_sorted(frame)


def test_one_word_changes_no_other_score_by_another_order_of_calibration() -> None:
    frame = drawn(1500).sort_values("city", ignore_index=True)
    frame.loc[900, "age"] = 300
    changed = frame.copy()
    changed.loc[40, "city"] = "Aarhsu"
    scores = [operations.detect(table, all_rows=True).score for table in (frame, changed)]
    others = np.arange(len(frame)) != 40
    assert np.corrcoef(*(score[others] for score in scores))[0, 1] > 0.95
    assert abs(scores[0][900] - scores[1][900]) < 2.0
    assert scores[1][40] == np.sort(scores[1])[-2:].min() or scores[1][40] == scores[1].max()


def test_a_panel_of_groups() -> None:
    assert is_sorted(panel())


def test_groups_of_words_with_dates_in_each() -> None:
    frame = panel()
    frame["unit"] = "unit " + (frame["unit"] // 10).astype(str)
    frame["step"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["step"], unit="D")
    assert is_sorted(frame)


def test_rows_that_follow_dates_are_not_sorted_by_content() -> None:
    frame = drawn().sort_values("size", ignore_index=True)
    frame["day"] = pd.date_range("2024-01-01", periods=len(frame), freq="h").astype(str)
    assert not is_sorted(frame)


def test_rows_that_follow_years_are_not_sorted_by_content() -> None:
    frame = drawn().sort_values("size", ignore_index=True)
    frame["year"] = 1980 + np.arange(len(frame)) // 10
    assert not is_sorted(frame)


def test_a_clock_or_a_meter_is_no_size() -> None:
    frame = drawn()
    frame["seconds"] = 0.25 * np.arange(len(frame))
    assert not is_sorted(frame)
    frame["meter"] = np.cumsum(np.random.default_rng(2).normal(5, 0.5, len(frame))).round(2)
    assert not is_sorted(frame)


def test_gaps_and_odd_cells_do_not_hide_an_order() -> None:
    frame = drawn().sort_values("size", ignore_index=True)
    frame["size"] = frame["size"].astype(str)
    frame.loc[[3, 50, 120], "size"] = ["", "n/a", "broken"]
    assert is_sorted(frame)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("largest", [np.inf, 1.7e308])
def test_numbers_without_bounds_are_ordered_without_a_warning(largest: float) -> None:
    frame = drawn().sort_values("size", ignore_index=True)
    frame.loc[[0, 1], "size"] = -largest
    frame.loc[[398, 399], "size"] = largest
    frame["age"] = frame["age"].astype(float)
    frame.loc[[5, 6, 9], "age"] = [largest, -largest, largest]
    assert is_sorted(frame)
    assert not is_sorted(frame.sample(frac=1, random_state=0, ignore_index=True))


def test_the_models_of_a_joint_fit_ask_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    whether = row_order.is_sorted_by_content

    def counted(inputs: np.ndarray, schema: object) -> bool:
        asked.append(len(inputs))
        return whether(inputs, schema)

    monkeypatch.setattr(row_order, "is_sorted_by_content", counted)
    operations.fit(drawn(), FitOptions())
    assert asked == [400]


def test_short_stretches_are_of_all_places() -> None:
    fold = short_stretch_folds(3000, 5)
    assert np.bincount(fold, minlength=5).min() > 550
    # three neighbours together, and no fold has the same place of every group of fifteen
    assert (fold.reshape(-1, 3) == fold[::3, None]).all()
    for place in range(5):
        assert len(np.unique(fold.reshape(-1, 15)[:, 3 * place])) == 5


def test_a_fit_of_a_sorted_table_finds_what_one_in_random_order_finds() -> None:
    """Before, the threshold of the sorted one was 40 bits and more."""
    frame = drawn(1000, 3)
    odd = frame.copy()
    odd.loc[100, "weight"] *= 10
    odd.loc[500, "age"] = 300
    in_order = frame.sort_values("size", ignore_index=True)
    thresholds = []
    for rows in (frame, in_order):
        model = operations.fit(rows, FitOptions())
        found = operations.detect(odd, model, all_rows=True)
        assert found.anomaly[[100, 500]].all()
        assert found.flagged < 10
        thresholds.append(found.threshold)
    assert thresholds[1] < thresholds[0] + 5
